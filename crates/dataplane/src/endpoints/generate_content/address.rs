//! The model in an address: `/v1beta/models/{model}:{verb}`.

use std::borrow::Cow;

/// Where models are. Google's SDKs ask one or the other, by their generation.
const FOLDERS: [&str; 2] = ["/v1beta/models/", "/v1/models/"];
/// A colon as some clients write it.
const COLON: &str = "%3a";
/// Who made the models that Google's clients name without their maker.
const MAKER: &str = "google/";

/// Whether a path, given without `/api`, ends with this verb.
pub fn serves(path: &str, verb: &str) -> bool {
    model_and_verb(path).is_some_and(|(model, other)| !model.is_empty() && other == verb)
}

/// The model of a path, with its maker; `None` if that cannot be read.
pub fn model(path: &str) -> Option<String> {
    let path = path.strip_prefix("/api").unwrap_or(path);
    let (model, _) = model_and_verb(path)?;
    let model = decoded(model)?;
    let is_whole = model.contains('/');
    Some(if is_whole {
        model.into_owned()
    } else {
        format!("{MAKER}{model}")
    })
}

/// A model's name may have colons of its own, as `openai/gpt-4o:floor` has.
fn model_and_verb(path: &str) -> Option<(&str, &str)> {
    let mut folders = FOLDERS.iter();
    let rest = folders.find_map(|folder| path.strip_prefix(folder))?;
    if let Some((model, verb)) = rest.rsplit_once(':') {
        return Some((model, verb));
    }
    let at = rest.to_ascii_lowercase().rfind(COLON)?;
    let (model, verb) = rest.split_at_checked(at)?;
    Some((model, verb.get(COLON.len()..)?))
}

/// A path without its escapes; `None` if they are no text.
fn decoded(text: &str) -> Option<Cow<'_, str>> {
    if !text.contains('%') {
        return Some(Cow::Borrowed(text));
    }
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, tail)) = rest.split_first() {
        rest = tail;
        if *first != b'%' {
            bytes.push(*first);
            continue;
        }
        let (digits, tail) = tail.split_at_checked(2)?;
        let digits = std::str::from_utf8(digits).ok()?;
        // A sign would be read as a digit's.
        if !digits.bytes().all(|digit| digit.is_ascii_hexdigit()) {
            return None;
        }
        bytes.push(u8::from_str_radix(digits, 16).ok()?);
        rest = tail;
    }
    String::from_utf8(bytes).ok().map(Cow::Owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_model_is_named_with_its_maker_or_without_and_with_escapes_or_without() {
        for (path, name) in [
            (
                "/v1beta/models/gemini-2.5-flash:generateContent",
                "google/gemini-2.5-flash",
            ),
            (
                "/v1/models/google/gemini-2.5-flash:generateContent",
                "google/gemini-2.5-flash",
            ),
            (
                "/v1beta/models/anthropic%2Fclaude-sonnet-4.5:generateContent",
                "anthropic/claude-sonnet-4.5",
            ),
            (
                "/api/v1beta/models/openai%2fgpt-4o%3Agenerate:generateContent",
                "openai/gpt-4o:generate",
            ),
            (
                "/v1beta/models/openai/gpt-4o:floor:generateContent",
                "openai/gpt-4o:floor",
            ),
            ("/v1beta/models/a%2Fb%3agenerateContent", "a/b"),
        ] {
            let within = path.strip_prefix("/api").unwrap_or(path);
            assert!(serves(within, "generateContent"), "{path}");
            assert!(!serves(within, "countTokens"), "{path}");
            assert_eq!(model(path).as_deref(), Some(name), "{path}");
        }
    }

    #[test]
    fn what_names_no_model_is_nobodys() {
        for path in [
            "/v1beta/models/:generateContent",
            "/v1beta/models/x",
            "/v1beta/models",
            "/v2/models/x:generateContent",
            "/v1beta/tunedModels/x:generateContent",
        ] {
            assert!(!serves(path, "generateContent"), "{path}");
        }
        for path in [
            "/v1/models/%ff:generateContent",
            "/v1/models/%2:v",
            "/v1/models/%+2:v",
        ] {
            assert_eq!(model(path), None, "{path}");
        }
    }
}

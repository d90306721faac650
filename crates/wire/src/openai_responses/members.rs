//! Top-level members of a request: which there are, and what becomes of them
//! (openrouter.ai/docs, API document, `ResponsesRequest`, October 2026).
//!
//! What is on no list is treated as in chat completions: what would cost money
//! unseen is refused, what is spelled almost like a known name as well, and the
//! rest is left out and reported.

use std::borrow::Cow;

use bourse_vocab::Failure;
use bourse_vocab::json::Map;

use crate::dialect::members::{self, NOTHING_BYTES_MAX};
use crate::json::{self, Outline, folded};
use bytes::Bytes;

/// What becomes of a member.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// A model may read it: its length counts as text.
    Prompt,
    /// It is read into the vocabulary, or written anew for each target.
    Read,
    /// It is for the gateway, and has done its work there.
    Ours,
    /// Chat completions have it too, by the same name and meaning.
    Shared,
    /// It asks for a state that this server does not keep, unless its value is
    /// one of those that ask for nothing.
    Refused(&'static str),
    /// Nobody is told; the loss is reported.
    Lost,
}

use Fate::{Lost, Ours, Prompt, Read, Refused, Shared};

/// Every member that is known.
pub const MEMBERS: &[(&str, Fate)] = &[
    ("input", Prompt),
    ("instructions", Prompt),
    ("tools", Prompt),
    ("tool_choice", Prompt),
    ("text", Prompt),
    ("model", Read),
    ("models", Ours),
    ("provider", Ours),
    ("plugins", Ours),
    ("route", Ours),
    ("preset", Ours),
    ("transforms", Ours),
    ("session_id", Ours),
    ("trace", Ours),
    ("debug", Ours),
    ("metadata", Ours),
    ("client_metadata", Ours),
    ("usage", Ours),
    ("user", Read),
    ("stream", Read),
    ("stream_options", Ours),
    ("max_output_tokens", Read),
    ("parallel_tool_calls", Read),
    ("temperature", Read),
    ("top_p", Read),
    ("top_k", Read),
    ("frequency_penalty", Read),
    ("presence_penalty", Read),
    ("stop", Read),
    ("top_logprobs", Read),
    ("include", Read),
    ("reasoning", Read),
    ("modalities", Read),
    ("service_tier", Read),
    ("cache_control", Read),
    ("truncation", Read),
    ("prompt_cache_key", Shared),
    ("prompt_cache_options", Shared),
    ("prompt_cache_retention", Shared),
    ("safety_identifier", Shared),
    ("image_config", Shared),
    ("max_tool_calls", Lost),
    ("stop_server_tools_when", Lost),
    ("deferred_tools", Lost),
    (
        "store",
        Refused("responses are not stored here; leave it out, or say false"),
    ),
    (
        "background",
        Refused("an answer is given to the call that asks for it; leave it out, or say false"),
    ),
    (
        "previous_response_id",
        Refused("no response is stored here; send the whole conversation in input"),
    ),
    (
        "conversation",
        Refused("no conversation is stored here; send it whole in input"),
    ),
    (
        "prompt",
        Refused("no prompt is stored here; send its text in instructions or input"),
    ),
    (
        "context_management",
        Refused("conversations are not shortened here; leave it out"),
    ),
];

/// Values with which a member asks for nothing.
const NOTHING: &[&[u8]] = &[b"null", b"false", b"\"\"", b"[]", b"{}"];

/// What becomes of the member `name`, if it is known.
#[must_use]
pub fn fate(name: &str) -> Option<Fate> {
    let row = MEMBERS.iter().find(|(known, _)| *known == name);
    row.map(|(_, fate)| *fate)
}

/// Whether chat completions have a member by the same name and meaning.
pub(crate) fn is_shared_with_chat(name: &str) -> bool {
    fate(name) == Some(Shared)
}

/// Whether a model may read a member. Of one that is unknown nobody knows.
#[must_use]
pub fn is_prompt(name: &str) -> bool {
    fate(name).is_none_or(|fate| fate == Prompt)
}

/// Refuses a member that cannot be served. `value` gives its JSON text, unless
/// that is longer than [`NOTHING_BYTES_MAX`].
fn check<'a>(name: &str, value: impl FnOnce() -> Option<Cow<'a, [u8]>>) -> Result<(), Failure> {
    match fate(name) {
        Some(Refused(remedy)) => {
            let asks = value().is_none_or(|value| !NOTHING.contains(&value.trim_ascii()));
            if asks {
                return Err(Failure::invalid(format!("{name}: {remedy}")));
            }
            Ok(())
        }
        Some(_) => Ok(()),
        None => {
            let fold = folded(name);
            if let Some((known, _)) = MEMBERS.iter().find(|(known, _)| folded(known) == fold) {
                return Err(Failure::invalid(format!(
                    "{}: spelled almost like `{known}`, and some providers would take it for \
                     that; write `{known}` or remove it",
                    name.escape_default()
                )));
            }
            members::check(name, value)
        }
    }
}

/// Checks every member of a request that was scanned.
///
/// # Errors
/// Names the first that cannot be served, and the remedy.
pub fn check_scanned(outline: &Outline, segments: &[Bytes]) -> Result<(), Failure> {
    for (name, member) in outline.iter() {
        check(name, || {
            json::short(segments, &member.value, NOTHING_BYTES_MAX)
        })?;
    }
    Ok(())
}

/// The same for a request that was parsed.
pub fn check_parsed(request: &Map) -> Result<(), Failure> {
    for (name, value) in request {
        check(name, || Some(value.to_string().into_bytes().into()))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(name: &str, value: &str) -> Option<String> {
        check(name, || Some(value.as_bytes().into()))
            .err()
            .map(|failure| failure.message.to_string())
    }

    #[test]
    fn state_that_is_not_kept_here_is_refused_unless_nothing_is_asked() {
        for (name, value) in [
            ("store", "true"),
            ("previous_response_id", "\"resp_1\""),
            ("background", "true"),
            ("conversation", "{\"id\":\"c\"}"),
            ("prompt", "{\"id\":\"p\"}"),
        ] {
            let refused = refusal(name, value).unwrap_or_default();
            assert!(refused.starts_with(name), "{name}: {refused}");
            assert_eq!(refusal(name, "null"), None, "{name}");
        }
        assert_eq!(refusal("store", " false "), None);
    }

    #[test]
    fn names_that_others_would_read_as_known_ones_are_refused() {
        for name in ["Input", "max-output-tokens", "maxOutputTokens", "STORE"] {
            assert!(refusal(name, "1").is_some(), "{name}");
        }
        assert!(refusal("max_tokens_to_sample", "9").is_some());
        assert_eq!(refusal("max_output_tokens", "9"), None);
        assert_eq!(refusal("surprise", "9"), None);
    }
}

//! Members of a request: which there are, and what becomes of each on the way
//! to a provider that speaks the same format.
//!
//! Sources: `GenerateContentRequest` and `GenerationConfig` (Gemini API
//! reference, November 2026) and what google-genai 3.6.1 writes. Names are in
//! the style of Google's JSON; clients may write them in the other.

use std::borrow::Cow;

use bourse_vocab::Failure;

use super::super::request::camel;
use crate::dialect::members as others;
use crate::json::{Kind, folded};

/// What becomes of a member.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// It goes to the provider as it is; a model reads it.
    Prompt,
    /// It goes to the provider as it is.
    Forward,
    /// It is written anew for each target.
    Rewritten,
    /// It is for the gateway, and has done its work there.
    Ours,
    /// It asks for something that nobody here does, or that costs money in a
    /// way that no price covers. Where it asks for anything it is refused with
    /// this remedy; otherwise it is left out.
    Refused(&'static str),
}

use Fate::{Forward, Ours, Prompt, Refused, Rewritten};

/// What a member must be; `null` counts as absent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Shape {
    Any,
    Array,
    ArrayOrObject,
    Object,
    ObjectOrText,
    Text,
}

/// A member that is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Known {
    /// Its name.
    pub name: &'static str,
    /// What becomes of it.
    pub fate: Fate,
    shape: Shape,
}

const fn known_as(name: &'static str, fate: Fate, shape: Shape) -> Known {
    Known { name, fate, shape }
}

/// Members of the request.
const MEMBERS: &[Known] = &[
    known_as("contents", Prompt, Shape::ArrayOrObject),
    known_as("systemInstruction", Prompt, Shape::ObjectOrText),
    known_as("tools", Prompt, Shape::Array),
    known_as("generationConfig", Rewritten, Shape::Object),
    known_as("toolConfig", Rewritten, Shape::Object),
    known_as("serviceTier", Rewritten, Shape::Text),
    known_as("safetySettings", Forward, Shape::Array),
    // Google groups the bill of the account by them, which is ours.
    known_as("labels", Ours, Shape::Object),
    known_as("model", Ours, Shape::Text),
    known_as("models", Ours, Shape::Array),
    known_as("provider", Ours, Shape::Object),
    known_as("plugins", Ours, Shape::Array),
    known_as("transforms", Ours, Shape::Array),
    known_as("preset", Ours, Shape::Text),
    known_as("debug", Ours, Shape::Object),
    known_as("route", Ours, Shape::Text),
    known_as("usage", Ours, Shape::Object),
    known_as("sessionId", Ours, Shape::Text),
    known_as("trace", Ours, Shape::Object),
    known_as("user", Ours, Shape::Text),
    known_as(
        "cachedContent",
        Refused("caches of content are not kept here; send it whole in contents"),
        Shape::Any,
    ),
    known_as(
        "continuationToken",
        Refused(
            "no answer is kept here to be gone on with; send the whole conversation in contents",
        ),
        Shape::Any,
    ),
    known_as(
        "store",
        Refused("would have the provider keep what is said; leave it out, or say false"),
        Shape::Any,
    ),
];

/// Members of `generationConfig` that a provider is told. Each shapes an answer
/// whose tokens are counted and limited as ever.
pub const CONFIG: &[&str] = &[
    "temperature",
    "topP",
    "topK",
    "candidateCount",
    "maxOutputTokens",
    "stopSequences",
    "responseLogprobs",
    "logprobs",
    "presencePenalty",
    "frequencyPenalty",
    "seed",
    "responseMimeType",
    "responseSchema",
    "responseJsonSchema",
    "responseModalities",
    "mediaResolution",
    "speechConfig",
    "thinkingConfig",
    "imageConfig",
    "enableEnhancedCivicAnswers",
    "audioTimestamp",
];

/// Members of `toolConfig` that a provider is told. The others are of tools
/// that Google runs.
pub const TOOL_CONFIG: &[&str] = &["functionCallingConfig"];

/// Members of `functionCallingConfig` that a provider is told. With
/// `streamFunctionCallArguments` calls come in pieces that no reader here puts
/// together.
pub const CALLING: &[&str] = &["mode", "allowedFunctionNames"];

/// Values with which a member asks for nothing.
const NOTHING: &[&[u8]] = &[b"null", b"false", b"\"\"", b"[]", b"{}"];

/// The member of this name, in either style.
#[must_use]
pub fn known(name: &str) -> Option<&'static Known> {
    let name = camel(name);
    MEMBERS.iter().find(|known| known.name == name)
}

/// Whether a provider of this format may be told what was read of a request
/// and has no word in the vocabulary; `path` is where it was. What stands
/// inside the conversation or a tool its own writer knows.
#[must_use]
pub fn is_told(path: &str) -> bool {
    match path.split_once(['.', '[']) {
        None => known(path).is_some_and(|known| known.fate == Forward),
        Some(("generationConfig", rest)) => {
            let name = rest.split(['.', '[']).next().unwrap_or(rest);
            CONFIG.contains(&name)
        }
        Some(("toolConfig", rest)) => TOOL_CONFIG.contains(&rest),
        Some(_) => true,
    }
}

impl Known {
    /// Checks a value, which is not `null`. `value` gives its JSON text, unless
    /// that is longer than anybody writes nothing in.
    ///
    /// # Errors
    /// Names the member and the remedy.
    pub fn check<'a>(
        &self,
        kind: Kind,
        value: impl FnOnce() -> Option<Cow<'a, [u8]>>,
    ) -> Result<(), Failure> {
        let Self { name, fate, shape } = self;
        if let Refused(remedy) = fate {
            let asks = value().is_none_or(|value| !NOTHING.contains(&value.trim_ascii()));
            return if asks {
                Err(Failure::invalid(format!("{name}: {remedy}")))
            } else {
                Ok(())
            };
        }
        let (fits, what) = match shape {
            Shape::Any => (true, ""),
            Shape::Array => (kind == Kind::Array, "an array"),
            Shape::ArrayOrObject => (
                matches!(kind, Kind::Array | Kind::Object),
                "an array of contents",
            ),
            Shape::Object => (kind == Kind::Object, "an object"),
            Shape::ObjectOrText => (matches!(kind, Kind::Object | Kind::String), "a content"),
            Shape::Text => (kind == Kind::String, "a string"),
        };
        if fits {
            return Ok(());
        }
        Err(Failure::invalid(format!("{name}: must be {what}")))
    }
}

/// Refuses a member that is not known where a lenient parser takes it for one
/// that is, or where it is known elsewhere as something that costs money.
/// `value` gives its JSON text, unless it is very long.
///
/// # Errors
/// Names the member and the remedy.
pub fn check_unknown<'a>(
    name: &str,
    value: impl FnOnce() -> Option<Cow<'a, [u8]>>,
) -> Result<(), Failure> {
    check_spelling(name, MEMBERS.iter().map(|known| known.name))?;
    others::check(name, value)
}

/// Refuses a name that is spelled almost like one of `names`.
///
/// # Errors
/// Says which.
pub fn check_spelling<'a>(
    name: &str,
    names: impl IntoIterator<Item = &'a str>,
) -> Result<(), Failure> {
    let folded_name = folded(name);
    let mut names = names.into_iter();
    if let Some(known) = names.find(|known| folded(known) == folded_name) {
        return Err(Failure::invalid(format!(
            "{}: spelled almost like `{known}`, and some providers would take it for that; write \
             `{known}` or remove it",
            name.escape_default()
        )));
    }
    Ok(())
}

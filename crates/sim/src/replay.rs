//! Whether a conversation comes back as its vendor wants it back.
//!
//! Who calls tools sends the model's own words again: calls with their ids,
//! thoughts with their signatures, a result for each call. Vendors refuse what
//! does not fit together, and so does this, so that whoever stands between a
//! client and a vendor is found out where it drops, changes or reorders one of
//! them. What each vendor checks is in its file, with its documents.
//!
//! What a vendor checks of a signature is that it made it. Here that is a
//! number which follows from another or from the text that is signed.

mod anthropic;
mod bedrock;
mod gemini;
mod ollama;
mod openai_chat;
mod openai_responses;

use serde_json::Value;

use crate::ask::{Format, Refusal, Replay, Request};
use crate::words::{hash, mix};

pub use gemini::DUMMIES;

/// Reads how tools were used, and refuses what the vendor would.
///
/// # Errors
/// The vendor's 400.
pub(crate) fn read(format: Format, body: &Value, ask: &Request) -> Result<Replay, Refusal> {
    match format {
        Format::OpenaiChat => openai_chat::read(body),
        Format::OpenaiResponses => openai_responses::read(body),
        Format::Anthropic => anthropic::read(body),
        Format::Gemini => gemini::read(body, &ask.model),
        Format::Bedrock => bedrock::read(body),
        Format::Ollama => ollama::read(body),
        // Calls and results are OpenAI's, word for word.
        Format::Cohere => openai_chat::read(body),
        Format::OpenaiText
        | Format::OpenaiEmbeddings
        | Format::GeminiEmbeddings
        | Format::OllamaEmbeddings
        | Format::OpenaiImages
        | Format::Imagen
        | Format::Rerank
        | Format::OpenaiSpeech
        | Format::OpenaiTranscription
        | Format::OpenaiImageEdits
        | Format::Moderations
        | Format::Voices
        | Format::OpenaiVideos
        | Format::Veo => Ok(Replay::default()),
    }
}

/// Refuses a round without its thoughts, where a script wants all of them back.
///
/// # Errors
/// A 400 that says which round.
pub(crate) fn check_thoughts(replay: &Replay) -> Result<(), Refusal> {
    match replay.unthought {
        Some(round) => Err(Refusal::bad(format!(
            "The thoughts of round {round} must be passed back to the API."
        ))),
        None => Ok(()),
    }
}

/// What Anthropic's models sign a thought with. The same on Amazon's servers:
/// "signature values are compatible across platforms" (Claude platform docs,
/// "Extended thinking", 2026-11).
#[must_use]
pub fn claude_signature(thought: &str) -> String {
    let number = mix(0xC1A0_DE51, hash(thought.as_bytes()));
    format!("EqQB{number:016x}{:016x}==", number.rotate_left(17))
}

/// What Gemini signs a call with.
#[must_use]
pub fn gemini_signature(key: u64) -> String {
    format!("CiQB{key:016x}{:016x}", key.rotate_left(23))
}

/// Whether Gemini made a signature.
fn is_geminis(signature: &str) -> bool {
    let digits = signature.strip_prefix("CiQB");
    let halves = digits.and_then(|digits| digits.trim_end_matches('=').split_at_checked(16));
    halves.is_some_and(|(first, second)| {
        number(first).is_some_and(|key| number(second) == Some(key.rotate_left(23)))
    })
}

/// What sealed thoughts of OpenAI's begin with; others it cannot open.
const SEAL: &str = "gAAAAsim";

/// Thoughts as OpenAI seals them, for the item with an id.
#[must_use]
pub fn openai_seal(key: u64, item_id: &str) -> String {
    let bound = mix(key, hash(item_id.as_bytes()));
    format!("{SEAL}{key:016x}{:016x}{bound:016x}", key.rotate_left(29))
}

/// What is wrong with sealed thoughts that came back; the id may be left out.
fn unsealable(sealed: &str, item_id: Option<&str>) -> Option<&'static str> {
    const UNREADABLE: &str = "Encrypted content could not be decrypted or parsed.";
    let part = |at: usize| {
        let digits = sealed.strip_prefix(SEAL)?;
        number(digits.get(at..at + 16)?)
    };
    let (Some(key), Some(twin), Some(bound)) = (part(0), part(16), part(32)) else {
        return Some(UNREADABLE);
    };
    if twin != key.rotate_left(29) {
        return Some(UNREADABLE);
    }
    let is_its = item_id.is_none_or(|id| bound == mix(key, hash(id.as_bytes())));
    (!is_its).then_some("Encrypted content item_id did not match the target item id.")
}

fn number(digits: &str) -> Option<u64> {
    u64::from_str_radix(digits, 16).ok()
}

/// The items of a list, or of nothing.
fn list(value: Option<&Value>) -> &[Value] {
    value.and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

/// A member that is a text.
fn text<'a>(value: &'a Value, member: &str) -> &'a str {
    value
        .get(member)
        .and_then(Value::as_str)
        .unwrap_or_default()
}

/// Whether a name or an id has only letters, digits, `_` and `-`.
fn is_plain(id: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
    !id.is_empty() && id.bytes().all(is_plain)
}

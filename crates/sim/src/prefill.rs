//! A model that goes on exactly where the last assistant turn ends.
//!
//! The answer of a script with `prefill` is a function of the seed and the
//! turns before the answer, whatever format carries them and whatever else
//! the request says. So an answer that broke in one provider and is handed
//! to another as an assistant prefill is continued by the very tokens that
//! are missing, and a proof need only compare texts.
//!
//! Facts: Anthropic, "Prefill Claude's response" (read 2026-11): the last
//! message has the role `assistant`, the answer is what follows it, and a
//! final turn that ends in white space is refused; models from Claude 4.6 on
//! refuse any ("What's new in Claude 4.6"). OpenRouter, "Assistant Prefill":
//! the same with OpenAI's messages. Gemini: the last content has the role
//! `model`.

use serde_json::Value;

use crate::ask::{Conversation, Format, Refusal, Request};
use crate::words::{Pieces, hash, mix};

/// Most tokens of an answer of which a beginning is looked for.
const TOKENS_MAX: u64 = 100_000;

/// Reads the turns out of any format.
#[must_use]
pub fn read(format: Format, body: &Value) -> Conversation {
    let mut turns = match format {
        Format::OpenaiChat | Format::Ollama | Format::Cohere => {
            turns_of(body.get("messages"), "content")
        }
        Format::Anthropic => with_system(
            body.get("system"),
            turns_of(body.get("messages"), "content"),
        ),
        Format::Gemini => {
            let system = body
                .get("systemInstruction")
                .or_else(|| body.get("system_instruction"))
                .and_then(|system| system.get("parts"));
            with_system(system, turns_of(body.get("contents"), "parts"))
        }
        Format::OpenaiResponses => {
            let said = match body.get("input") {
                text @ Some(Value::String(_)) => vec![("user", texts(text))],
                items => turns_of(items, "content"),
            };
            with_system(body.get("instructions"), said)
        }
        Format::Bedrock => with_system(
            body.get("system"),
            turns_of(body.get("messages"), "content"),
        ),
        Format::OpenaiText => vec![("user", texts(body.get("prompt")))],
        Format::OpenaiEmbeddings
        | Format::GeminiEmbeddings
        | Format::OllamaEmbeddings
        | Format::OpenaiImages
        | Format::OpenaiImageEdits
        | Format::Imagen
        | Format::Rerank
        | Format::Moderations
        | Format::OpenaiSpeech
        | Format::Voices
        | Format::OpenaiTranscription
        | Format::OpenaiVideos
        | Format::Veo => Vec::new(),
    };
    let prefill = match turns.last() {
        Some(("assistant", _)) => turns.pop().map(|(_, text)| text),
        _ => None,
    };
    let key = turns.iter().fold(0, |key, (role, text)| {
        mix(mix(key, hash(role.as_bytes())), hash(text.as_bytes()))
    });
    Conversation { key, prefill }
}

fn turns_of(messages: Option<&Value>, content: &str) -> Vec<(&'static str, String)> {
    let messages = messages.and_then(Value::as_array);
    let turn = |message: &Value| {
        let role = match message.get("role").and_then(Value::as_str) {
            Some("assistant" | "model") => "assistant",
            Some("system" | "developer") => "system",
            Some("tool") => "tool",
            _ => "user",
        };
        (role, texts(message.get(content)))
    };
    messages
        .map(|all| all.iter().map(turn).collect())
        .unwrap_or_default()
}

fn with_system(
    system: Option<&Value>,
    turns: Vec<(&'static str, String)>,
) -> Vec<(&'static str, String)> {
    let system = system.map(|system| ("system", texts(Some(system))));
    system.into_iter().chain(turns).collect()
}

/// The text of a string, or of a list of parts.
fn texts(content: Option<&Value>) -> String {
    match content {
        Some(Value::String(text)) => text.clone(),
        Some(Value::Array(parts)) => parts
            .iter()
            .filter_map(|part| part.get("text").unwrap_or(part).as_str())
            .collect(),
        _ => String::new(),
    }
}

/// What is left of an answer after its beginning; nothing if it is none.
#[must_use]
pub fn rest(content: &Pieces, begun: &str) -> Option<Pieces> {
    if content.len() > TOKENS_MAX {
        return None;
    }
    let mut left = begun;
    let mut kept = Vec::new();
    for piece in content.iter() {
        if left.is_empty() {
            kept.push(piece);
        } else if let Some(after) = left.strip_prefix(piece.as_str()) {
            left = after;
        } else {
            // The beginning ends within this token, or is another text.
            kept.push(piece.strip_prefix(left)?.to_owned());
            left = "";
        }
    }
    left.is_empty().then_some(Pieces::Given(kept))
}

/// Why the vendor would refuse this prefill before looking at the answer.
///
/// # Errors
/// When it ends in white space and the format is Anthropic's.
pub fn check(format: Format, ask: &Request) -> Result<(), Refusal> {
    let begun = ask.conversation.prefill.as_deref().unwrap_or_default();
    if format == Format::Anthropic && begun.ends_with(char::is_whitespace) {
        return Err(Refusal::bad(
            "messages: final assistant content cannot end with trailing whitespace",
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_turns_are_the_same_in_every_format() {
        let chat = json!({ "model": "a", "messages": [
            { "role": "system", "content": "be short" },
            { "role": "user", "content": [{ "type": "text", "text": "hello" }] },
            { "role": "assistant", "content": "river" },
        ] });
        let claude = json!({ "model": "b", "max_tokens": 9, "system": "be short", "messages": [
            { "role": "user", "content": "hello" },
            { "role": "assistant", "content": [{ "type": "text", "text": "river" }] },
        ] });
        let gemini = json!({ "systemInstruction": { "parts": [{ "text": "be short" }] }, "contents": [
            { "role": "user", "parts": [{ "text": "hello" }] },
            { "role": "model", "parts": [{ "text": "river" }] },
        ] });
        let read_chat = read(Format::OpenaiChat, &chat);
        assert_eq!(read_chat.prefill.as_deref(), Some("river"));
        assert_eq!(read(Format::Anthropic, &claude), read_chat);
        assert_eq!(read(Format::Gemini, &gemini), read_chat);
        let begun = json!({ "messages": [
            { "role": "system", "content": "be short" }, { "role": "user", "content": "hello" } ] });
        let begun = read(Format::OpenaiChat, &begun);
        assert_eq!((begun.key, begun.prefill), (read_chat.key, None));
    }

    #[test]
    fn every_beginning_and_its_rest_are_the_whole_text() {
        let content = Pieces::words(7, 12);
        let text = content.text();
        for cut in 0..=text.len() {
            let (begun, after) = text.split_at(cut);
            assert_eq!(rest(&content, begun).unwrap().text(), after, "cut at {cut}");
        }
        assert_eq!(rest(&content, "something else"), None);
        assert_eq!(rest(&content, &format!("{text} and more")), None);
    }
}

//! What vendors put where the format has a text: thoughts under two names,
//! parts, pictures.

use bourse_vocab::Format;
use bourse_vocab::chat::Part;
use bourse_vocab::json::Value;

use super::media;
use crate::openai_chat::reasoning;

/// A text that is there and not empty.
pub fn text_of<'v>(value: &'v Value, name: &str) -> Option<&'v str> {
    value
        .get(name)
        .and_then(Value::as_str)
        .filter(|text| !text.is_empty())
}

/// Reasoning as one text: `reasoning` (OpenRouter, vLLM, Groq) or
/// `reasoning_content` (DeepSeek, Moonshot, Z.AI, Alibaba).
pub fn plain_reasoning(message: &Value) -> Option<&str> {
    text_of(message, "reasoning").or_else(|| text_of(message, "reasoning_content"))
}

/// Reads `content`: a text, or Mistral's array of parts, in which thoughts
/// stand among the texts (docs.mistral.ai, API reference, `ThinkChunk`,
/// October 2026).
pub fn spoken(content: Option<&Value>, parts: &mut Vec<Part>) {
    match content {
        Some(Value::String(text)) if !text.is_empty() => parts.push(Part::text(text.clone())),
        Some(Value::Array(items)) => {
            for item in items {
                match item.get("type").and_then(Value::as_str) {
                    Some("text" | "output_text") => {
                        parts.extend(text_of(item, "text").map(Part::text));
                    }
                    Some("thinking") => {
                        let text = thinking_text(item.get("thinking"));
                        if !text.is_empty() {
                            parts.push(reasoning::plain(text));
                        }
                    }
                    Some("refusal") => {
                        parts.extend(
                            text_of(item, "refusal").map(|text| Part::Refusal(text.to_owned())),
                        );
                    }
                    Some("image_url") => parts.extend(image(item)),
                    _ => parts.push(Part::Opaque {
                        format: Format::OpenAiChat,
                        value: item.clone(),
                    }),
                }
            }
        }
        _ => {}
    }
}

fn thinking_text(value: Option<&Value>) -> String {
    match value {
        Some(Value::String(text)) => text.clone(),
        Some(Value::Array(items)) => items
            .iter()
            .filter_map(|item| item.get("text").and_then(Value::as_str))
            .collect(),
        _ => String::new(),
    }
}

/// The pictures of an answer or of a bit of one.
pub fn images(message: &Value) -> impl Iterator<Item = Part> + '_ {
    message
        .get("images")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .filter_map(image)
}

fn image(item: &Value) -> Option<Part> {
    let url = item.get("image_url")?;
    let url = url.as_str().or_else(|| url.get("url")?.as_str())?;
    Some(Part::Image {
        media: media::read(url.to_owned()),
        detail: None,
        cache: None,
    })
}

/// Which piece of reasoning comes next in a stream.
#[derive(Debug, Clone, Copy, Default)]
pub struct Pieces {
    /// The latest piece, and what kind it was.
    latest: Option<(u32, &'static str)>,
    /// Something else came after it.
    pub interrupted: bool,
}

impl Pieces {
    /// Whether there was no piece yet: nothing can have come after one.
    pub const fn is_blank(&self) -> bool {
        self.latest.is_none()
    }

    /// The piece that a bit of this kind belongs to. The provider's own
    /// number wins; else bits of one kind in a row are one piece.
    pub fn index(&mut self, given: Option<u64>, kind: &'static str) -> u32 {
        let given = given.and_then(|given| u32::try_from(given).ok());
        let index = match (given, self.latest) {
            (Some(given), _) => given,
            (None, None) => 0,
            (None, Some((latest, before)))
                if before == kind && !self.interrupted && kind != "encrypted" =>
            {
                latest
            }
            (None, Some((latest, _))) => latest.saturating_add(1),
        };
        self.latest = Some((index, kind));
        self.interrupted = false;
        index
    }
}

//! Parts of messages as content blocks.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bourse_vocab::Format;
use bourse_vocab::chat::{CacheControl, Loss, Media, Part, Reason, Reasoning, ReasoningKind};
use bourse_vocab::json;
use bourse_vocab::json::{Map, Value};

use super::super::seal;
use crate::dialect::media;
use crate::dialect::messages::members_of_message;

/// Text as base64.
pub fn encode(text: &str) -> String {
    STANDARD.encode(text)
}

/// Writes parts as blocks, noting what blocks cannot say.
pub struct Blocks<'a> {
    /// The client speaks Anthropic too, so file ids may be Anthropic's.
    pub native: bool,
    /// What could not be said.
    pub losses: &'a mut Vec<Loss>,
}

impl Blocks<'_> {
    /// Appends `parts` to `out`. `path` names their message in the client's
    /// request.
    pub fn write(&mut self, parts: &[Part], path: &str, out: &mut Vec<Value>) {
        for (index, part) in parts.iter().enumerate() {
            let path = format!("{path}.content[{index}]");
            if let Some(block) = self.block(part, &path) {
                out.push(block);
            }
        }
    }

    fn lose(&mut self, path: &str, reason: impl Into<Reason>) -> Option<Value> {
        self.losses.push(Loss::new(path, reason));
        None
    }

    /// Notes a part that Anthropic cannot be shown.
    fn lose_part(&mut self, path: &str, reason: impl Into<Reason>) -> Option<Value> {
        self.losses.push(Loss::content(path, reason));
        None
    }

    fn block(&mut self, part: &Part, path: &str) -> Option<Value> {
        match part {
            Part::Text { text, cache } => text_block(text, cache.as_ref()),
            Part::Refusal(text) => text_block(text, None),
            Part::Image {
                media,
                detail,
                cache,
            } => {
                if detail.as_deref().is_some_and(|detail| detail != "auto") {
                    self.lose(&format!("{path}.detail"), "Anthropic has no detail setting");
                }
                let source = self.image_source(media, path)?;
                Some(cached(
                    json!({"type": "image", "source": source}),
                    cache.as_ref(),
                ))
            }
            Part::File {
                filename,
                media,
                cache,
            } => {
                let mut block = self.document(media, path)?;
                if let (Some(name), Some("document")) = (filename, kind(&block)) {
                    set(&mut block, "title", json!(name));
                }
                Some(cached(block, cache.as_ref()))
            }
            Part::Audio { .. } => self.lose_part(path, "Anthropic takes no audio"),
            Part::Video { .. } => self.lose_part(path, "Anthropic takes no video"),
            Part::Reasoning(reasoning) => self.reasoning(reasoning, path),
            Part::ToolCall {
                id,
                name,
                arguments,
            } => Some(json!({
                "type": "tool_use",
                "id": id,
                "name": name,
                "input": self.input(arguments, path),
            })),
            Part::ToolResult {
                call_id: id,
                parts,
                is_error,
                cache,
                ..
            } => Some(self.tool_result(id, parts, *is_error, cache.as_ref(), path)),
            Part::Opaque {
                format: Format::Anthropic,
                value,
            } => Some(value.clone()),
            Part::Opaque { format, .. } => {
                if let Some(losses) = members_of_message(part, path) {
                    self.losses.extend(losses);
                    return None;
                }
                self.lose_part(path, format!("only {format} understands this part"))
            }
        }
    }

    fn image_source(&mut self, media: &Media, path: &str) -> Option<Value> {
        match media {
            Media::Url(url) => Some(match media::data_url(url) {
                Some((mime, data)) => base64_source(mime, data),
                None => json!({"type": "url", "url": url}),
            }),
            Media::Base64 { mime, data } => Some(base64_source(mime, data)),
            Media::FileId(id) => self.file_source(id, path),
        }
    }

    fn file_source(&mut self, id: &str, path: &str) -> Option<Value> {
        if self.native {
            return Some(json!({"type": "file", "file_id": id}));
        }
        self.lose_part(path, "the file was not uploaded to Anthropic")
    }

    fn document(&mut self, media: &Media, path: &str) -> Option<Value> {
        let (mime, data) = match media {
            Media::Base64 { mime, data } => (mime.as_str(), data.as_str()),
            Media::Url(url) => match media::data_url(url) {
                Some(found) => found,
                None => {
                    return Some(json!({
                        "type": "document",
                        "source": {"type": "url", "url": url},
                    }));
                }
            },
            Media::FileId(id) => {
                let source = self.file_source(id, path)?;
                return Some(json!({"type": "document", "source": source}));
            }
        };
        if mime == "application/pdf" {
            return Some(json!({"type": "document", "source": base64_source(mime, data)}));
        }
        if mime.starts_with("image/") {
            return Some(json!({"type": "image", "source": base64_source(mime, data)}));
        }
        if mime.starts_with("text/") || mime == "application/json" {
            let text = STANDARD
                .decode(data)
                .ok()
                .and_then(|bytes| String::from_utf8(bytes).ok());
            return match text {
                Some(text) => Some(json!({
                    "type": "document",
                    "source": {"type": "text", "media_type": "text/plain", "data": text},
                })),
                None => self.lose_part(path, "the file is not UTF-8 text in base64"),
            };
        }
        self.lose_part(path, format!("Anthropic takes no files of type {mime}"))
    }

    /// Only what Anthropic signed itself goes back: it verifies signatures
    /// and refuses requests that fail (extended thinking, 2026).
    fn reasoning(&mut self, reasoning: &Reasoning, path: &str) -> Option<Value> {
        // OpenRouter's default scheme is Anthropic's, so a signed text
        // without a scheme is taken to be Anthropic's too.
        let ours = seal::is_ours(reasoning);
        match &reasoning.kind {
            ReasoningKind::Text {
                text,
                signature: Some(signature),
            } if ours || reasoning.scheme.is_none() => Some(json!({
                "type": "thinking",
                "thinking": text,
                "signature": signature,
            })),
            ReasoningKind::Encrypted(data) if ours => Some(json!({
                "type": "redacted_thinking",
                "data": data,
            })),
            _ => self.lose(
                path,
                "reasoning that Anthropic did not sign cannot be replayed",
            ),
        }
    }

    fn input(&mut self, arguments: &str, path: &str) -> Value {
        if arguments.trim().is_empty() {
            return json!({});
        }
        match bourse_vocab::json::parse(arguments.as_bytes()) {
            Ok(Value::Object(input)) => Value::Object(input),
            // Models do write broken JSON. The call must stay, for its
            // result refers to it, and what was said is kept where the
            // model can still read it.
            _ => {
                self.lose(
                    &format!("{path}.arguments"),
                    Reason::emulated("not a JSON object; sent as text under raw_arguments"),
                );
                json!({"raw_arguments": arguments})
            }
        }
    }

    fn tool_result(
        &mut self,
        id: &str,
        parts: &[Part],
        is_error: bool,
        cache: Option<&CacheControl>,
        path: &str,
    ) -> Value {
        let mut content = Vec::new();
        self.write(parts, path, &mut content);
        let mut block = Map::new();
        block.insert("type".to_owned(), json!("tool_result"));
        block.insert("tool_use_id".to_owned(), json!(id));
        if !content.is_empty() {
            block.insert("content".to_owned(), Value::Array(content));
        }
        if is_error {
            block.insert("is_error".to_owned(), json!(true));
        }
        cached(Value::Object(block), cache)
    }
}

/// Blank text is an error to Anthropic and says nothing anyway (errors,
/// common validation errors, 2026).
fn text_block(text: &str, cache: Option<&CacheControl>) -> Option<Value> {
    if text.trim().is_empty() {
        return None;
    }
    Some(cached(json!({"type": "text", "text": text}), cache))
}

/// The block with a breakpoint.
pub fn cached(mut block: Value, cache: Option<&CacheControl>) -> Value {
    if let Some(cache) = cache {
        set(&mut block, "cache_control", cache_control(cache));
    }
    block
}

/// A breakpoint.
pub fn cache_control(cache: &CacheControl) -> Value {
    match &cache.ttl {
        Some(ttl) => json!({"type": "ephemeral", "ttl": ttl}),
        None => json!({"type": "ephemeral"}),
    }
}

/// The block's type.
pub fn kind(block: &Value) -> Option<&str> {
    block.get("type").and_then(Value::as_str)
}

/// Sets a member of a block.
pub fn set(block: &mut Value, name: &str, value: Value) {
    if let Value::Object(members) = block {
        members.insert(name.to_owned(), value);
    }
}

fn base64_source(mime: &str, data: &str) -> Value {
    json!({"type": "base64", "media_type": media::mime_type(mime), "data": data})
}

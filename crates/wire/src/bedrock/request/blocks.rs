//! Parts of messages as content blocks.

use std::collections::HashMap;

use bourse_vocab::Format;
use bourse_vocab::chat::{
    CacheControl, Loss, Media, Message, Part, Reason, Reasoning, ReasoningKind,
};
use bourse_vocab::json;
use bourse_vocab::json::{Map, Value};

use super::super::SCHEME;
use super::super::blob::{self, Source};
use super::super::model::Model;
use super::point::{cache_point, kind};
use crate::dialect::calls::as_object;
use crate::dialect::media;
use crate::dialect::messages::members_of_message;

/// The longest name of a document (`DocumentBlockNameString`).
const NAME_CHARS_MAX: usize = 200;

/// Writes parts as blocks, noting what blocks cannot say.
pub struct Blocks<'a> {
    model: &'a Model,
    losses: &'a mut Vec<Loss>,
    /// Names of documents so far, and how often each was there: two of the
    /// same name are an error.
    names: HashMap<String, usize>,
}

impl<'a> Blocks<'a> {
    pub fn new(model: &'a Model, losses: &'a mut Vec<Loss>) -> Self {
        Self {
            model,
            losses,
            names: HashMap::new(),
        }
    }

    pub fn lose(&mut self, path: &str, reason: impl Into<Reason>) {
        self.losses.push(Loss::new(path, reason));
    }

    /// Notes something that Bedrock cannot be shown.
    pub fn refuse(&mut self, path: &str, reason: impl Into<Reason>) {
        self.losses.push(Loss::content(path, reason));
    }

    /// The blocks of a message.
    pub fn message(&mut self, message: &Message, path: &str) -> Vec<Value> {
        let mut out = Vec::new();
        self.parts(&message.parts, path, &mut out);
        let is_text = |block: &Value| kind(block) == Some("text");
        if let Some(name) = message.name.as_deref().filter(|name| !name.is_empty()) {
            // Bedrock knows no participants: the name goes before the text.
            match out.iter_mut().find_map(|block| block.get_mut("text")) {
                Some(Value::String(text)) => *text = format!("{name}: {text}"),
                _ => self.lose(&format!("{path}.name"), "there is no text to put it before"),
            }
        }
        // "If you include a ContentBlock with a document field in the array,
        // you must also include a ContentBlock with a text field."
        let document = out.iter().find_map(|block| block.get("document"));
        if let Some(document) = document
            && !out.iter().any(is_text)
        {
            let name = super::super::text(document, "name").unwrap_or_default();
            let text = json!({"text": name});
            out.push(text);
            self.lose(
                path,
                Reason::emulated(
                    "the document's name is sent as a text, which Bedrock wants beside it",
                ),
            );
        }
        out
    }

    fn parts(&mut self, parts: &[Part], path: &str, out: &mut Vec<Value>) {
        for (index, part) in parts.iter().enumerate() {
            let path = format!("{path}.content[{index}]");
            let Some(block) = self.block(part, &path) else {
                continue;
            };
            out.push(block);
            if let Some(cache) = cache_of(part) {
                match cache_point(self.model, cache) {
                    Some(point) => {
                        if cache.ttl.is_some() && !self.model.is_claude() {
                            self.lose(
                                &format!("{path}.cache_control.ttl"),
                                "the model decides how long it caches",
                            );
                        }
                        out.push(point);
                    }
                    None => self.lose(
                        &format!("{path}.cache_control"),
                        "the model caches nothing on demand",
                    ),
                }
            }
        }
    }

    fn block(&mut self, part: &Part, path: &str) -> Option<Value> {
        match part {
            // Blank text is an error and says nothing anyway.
            Part::Text { text, .. } | Part::Refusal(text) => {
                (!text.trim().is_empty()).then(|| json!({"text": text}))
            }
            Part::Image { media, detail, .. } => {
                if detail.as_deref().is_some_and(|detail| detail != "auto") {
                    self.lose(&format!("{path}.detail"), "Bedrock has no detail setting");
                }
                self.blob(("image", blob::IMAGES), media, path)
            }
            Part::File {
                filename, media, ..
            } => self.document(filename.as_deref(), media, path),
            Part::Audio { data, format } => self.audio(data, format, path),
            Part::Video { .. } if self.model.is_claude() => {
                self.refuse(path, "Claude takes no video");
                None
            }
            Part::Video { media } => self.blob(("video", blob::VIDEOS), media, path),
            Part::Reasoning(reasoning) => self.reasoning(reasoning, path),
            Part::ToolCall {
                id,
                name,
                arguments: said,
            } => {
                let (input, is_whole) = as_object(said);
                if !is_whole {
                    self.lose(
                        &format!("{path}.arguments"),
                        Reason::emulated("not a JSON object; sent as text under raw_arguments"),
                    );
                }
                Some(json!({"toolUse": {"toolUseId": id, "name": name, "input": input}}))
            }
            Part::ToolResult {
                call_id,
                parts,
                is_error,
                ..
            } => Some(self.result((call_id, parts, *is_error), path)),
            Part::Opaque {
                format: Format::Bedrock,
                value,
            } => Some(value.clone()),
            Part::Opaque { format, .. } => {
                if let Some(losses) = members_of_message(part, path) {
                    self.losses.extend(losses);
                    return None;
                }
                self.refuse(path, format!("only {format} understands this part"));
                None
            }
        }
    }

    /// A picture or a film.
    fn blob(
        &mut self,
        (member, words): (&str, &'static [(&'static str, &'static str)]),
        media: &Media,
        path: &str,
    ) -> Option<Value> {
        let (word, source) = match blob::source(media) {
            Source::Bytes(mime, data) => (blob::word(words, mime), blob::bytes(data)),
            Source::Bucket(uri) => (blob::word_by_name(words, uri), blob::bucket(uri)),
            Source::Elsewhere => {
                self.refuse(
                    path,
                    "Bedrock fetches nothing; send the bytes, or an s3:// address",
                );
                return None;
            }
        };
        let Some(word) = word else {
            self.refuse(path, format!("Bedrock takes no {member} of this type"));
            return None;
        };
        Some(json!({member: {"format": word, "source": source}}))
    }

    fn document(&mut self, filename: Option<&str>, media: &Media, path: &str) -> Option<Value> {
        let is_picture = match blob::source(media) {
            Source::Bytes(mime, _) => media::mime_type(mime).starts_with("image/"),
            Source::Bucket(uri) => blob::word_by_name(blob::IMAGES, uri).is_some(),
            Source::Elsewhere => false,
        };
        if is_picture {
            return self.blob(("image", blob::IMAGES), media, path);
        }
        let mut block = self.blob(("document", blob::DOCUMENTS), media, path)?;
        let name = self.name(filename);
        if let Some(Value::Object(document)) = block.get_mut("document") {
            document.insert("name".to_owned(), json!(name));
        }
        Some(block)
    }

    /// The name of a document: letters and digits, single blanks, hyphens and
    /// brackets, and no other has it.
    fn name(&mut self, filename: Option<&str>) -> String {
        let stem = filename.unwrap_or_default();
        let stem = stem.rsplit_once('.').map_or(stem, |(stem, _)| stem);
        let words = stem.split(|c: char| !(c.is_ascii_alphanumeric() || "-()[]".contains(c)));
        let words: Vec<&str> = words.filter(|word| !word.is_empty()).collect();
        let mut name: String = words.join(" ").chars().take(NAME_CHARS_MAX - 6).collect();
        if name.is_empty() {
            "document".clone_into(&mut name);
        }
        let count = self.names.entry(name.clone()).or_default();
        *count += 1;
        if *count > 1 {
            name = format!("{name} ({count})");
        }
        name.trim_end().to_owned()
    }

    fn audio(&mut self, data: &str, format: &str, path: &str) -> Option<Value> {
        if self.model.is_claude() {
            self.refuse(path, "Claude takes no audio");
            return None;
        }
        if !blob::AUDIO.contains(&format) {
            self.refuse(path, "Bedrock takes no audio of this type");
            return None;
        }
        Some(json!({"audio": {"format": format, "source": blob::bytes(data)}}))
    }

    /// Only what Claude signed goes back, and only to Claude: it verifies
    /// signatures, and other models refuse the block.
    fn reasoning(&mut self, reasoning: &Reasoning, path: &str) -> Option<Value> {
        let is_claudes = reasoning.scheme.as_deref() == Some(SCHEME);
        match &reasoning.kind {
            _ if !self.model.is_claude() => {}
            ReasoningKind::Text {
                text,
                signature: Some(signature),
            } if is_claudes || reasoning.scheme.is_none() => {
                return Some(json!({"reasoningContent": {"reasoningText": {
                    "text": text, "signature": signature}}}));
            }
            ReasoningKind::Encrypted(data) if is_claudes => {
                return Some(json!({"reasoningContent": {"redactedContent": data}}));
            }
            _ => {}
        }
        self.lose(
            path,
            "reasoning that Claude did not sign cannot be replayed",
        );
        None
    }

    fn result(&mut self, (id, parts, is_error): (&str, &[Part], bool), path: &str) -> Value {
        let mut content = Vec::new();
        for (index, part) in parts.iter().enumerate() {
            let path = format!("{path}.content[{index}]");
            match self.block(part, &path) {
                Some(block) if result_block(&block) => content.push(block),
                Some(_) => self.refuse(&path, "Bedrock takes no such part in a tool's result"),
                None => {}
            }
        }
        let mut result = Map::new();
        result.insert("toolUseId".to_owned(), json!(id));
        result.insert("content".to_owned(), Value::Array(content));
        if is_error {
            if self.model.takes_names_and_statuses() {
                result.insert("status".to_owned(), json!("error"));
            } else {
                self.lose(
                    &format!("{path}.is_error"),
                    "the model is not told that a tool failed",
                );
            }
        }
        json!({"toolResult": result})
    }
}

/// Whether a block may stand in a tool's result (`ToolResultContentBlock`).
fn result_block(block: &Value) -> bool {
    let kinds = ["text", "json", "image", "document", "video", "searchResult"];
    kind(block).is_some_and(|kind| kinds.contains(&kind))
}

const fn cache_of(part: &Part) -> Option<&CacheControl> {
    match part {
        Part::Text { cache, .. }
        | Part::Image { cache, .. }
        | Part::File { cache, .. }
        | Part::ToolResult { cache, .. } => cache.as_ref(),
        _ => None,
    }
}

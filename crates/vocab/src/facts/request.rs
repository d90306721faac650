//! The facts of a request that was read into the vocabulary.

use std::io;

use super::{Kind, Medium, PixelSize, PromptFacts, Slot};
use crate::chat::{Media, Message, Part, Reasoning, ReasoningKind, Request, ResponseFormat, Tool};
use crate::json::Value;

/// What JSON writes around a message: `{"role":"assistant","content":[]},`.
const MESSAGE_BYTES: u64 = 34;
/// What JSON writes around a part: `{"type":"text","text":""},`.
const PART_BYTES: u64 = 26;
/// What JSON writes around a tool, or around a call of one.
const TOOL_BYTES: u64 = 88;
/// Depth to which parts of unknown kinds are searched for media. Requests
/// nest no deeper when they are read.
const DEPTH_MAX: u32 = 128;

impl PromptFacts {
    /// The facts of a request that was read. The places of its texts are
    /// unknown, because they are no longer in one body.
    #[must_use]
    pub fn of(request: &Request) -> Self {
        let mut facts = Self::default();
        for message in &request.messages {
            facts.message(message);
        }
        for tool in &request.tools {
            facts.tool(tool);
        }
        match &request.response_format {
            None | Some(ResponseFormat::Text | ResponseFormat::JsonObject) => {}
            Some(ResponseFormat::JsonSchema {
                name,
                description,
                schema,
                ..
            }) => {
                facts.text(name);
                facts.text(description.as_deref().unwrap_or(""));
                facts.json(schema);
            }
            Some(ResponseFormat::Opaque(value)) => facts.json(value),
        }
        for (name, value) in &request.extras.members {
            facts.text(name);
            facts.json(value);
        }
        facts.mark(request.cache.is_some());
        facts
    }

    fn add(&mut self, bytes: u64) {
        self.text_bytes = self.text_bytes.saturating_add(bytes);
    }

    fn text(&mut self, text: &str) {
        // Only what JSON has to escape is longer there than here.
        let escaped = text
            .bytes()
            .filter(|byte| *byte < 0x20 || matches!(byte, b'"' | b'\\'))
            .count();
        self.add(text.len().saturating_add(escaped) as u64);
    }

    fn json(&mut self, value: &Value) {
        let mut counter = Counter(0);
        // Counting cannot fail, and a value can always be written.
        let _ = serde_json::to_writer(&mut counter, value);
        self.add(counter.0);
    }

    fn mark(&mut self, marked: bool) {
        self.cache_marks = self.cache_marks.saturating_add(u32::from(marked));
    }

    fn message(&mut self, message: &Message) {
        self.add(MESSAGE_BYTES);
        self.text(message.name.as_deref().unwrap_or(""));
        for part in &message.parts {
            self.part(part);
        }
    }

    fn tool(&mut self, tool: &Tool) {
        self.tools = self.tools.saturating_add(1);
        match tool {
            Tool::Function {
                name,
                description,
                parameters,
                cache,
                ..
            } => {
                self.add(TOOL_BYTES);
                self.text(name);
                self.text(description.as_deref().unwrap_or(""));
                if let Some(parameters) = parameters {
                    self.json(parameters);
                }
                self.mark(cache.is_some());
            }
            Tool::Opaque { value, .. } => self.json(value),
        }
    }

    fn part(&mut self, part: &Part) {
        self.add(PART_BYTES);
        match part {
            Part::Text { text, cache } => {
                self.text(text);
                self.mark(cache.is_some());
            }
            Part::Refusal(text) => self.text(text),
            Part::Image {
                media,
                detail,
                cache,
            } => {
                let mut medium = Medium::new(Some(Kind::Image));
                medium.detail(detail.as_deref().unwrap_or("").as_bytes());
                self.medium(medium, media);
                self.mark(cache.is_some());
            }
            Part::Audio { data, format } => {
                let mut medium = Medium::new(Some(Kind::Audio));
                medium.mime(format.as_bytes());
                medium.url(data.as_bytes(), data.len() as u64);
                medium.count(self);
            }
            Part::File {
                filename,
                media,
                cache,
            } => {
                self.text(filename.as_deref().unwrap_or(""));
                self.medium(Medium::new(Some(Kind::File)), media);
                self.mark(cache.is_some());
            }
            Part::Video { media } => self.medium(Medium::new(Some(Kind::Video)), media),
            Part::Reasoning(reasoning) => self.reasoning(reasoning),
            Part::ToolCall {
                id,
                name,
                arguments,
            } => {
                self.add(TOOL_BYTES);
                for text in [id, name, arguments] {
                    self.text(text);
                }
            }
            Part::ToolResult {
                call_id,
                name,
                parts,
                cache,
                ..
            } => {
                self.text(call_id);
                self.text(name.as_deref().unwrap_or(""));
                // Results do not nest in any format, but a part of a part
                // costs nothing to follow.
                for part in parts {
                    self.part(part);
                }
                self.mark(cache.is_some());
            }
            Part::Opaque { value, .. } => {
                self.json(value);
                self.search(value, None, DEPTH_MAX);
            }
        }
    }

    fn reasoning(&mut self, reasoning: &Reasoning) {
        match &reasoning.kind {
            ReasoningKind::Text { text, signature } => {
                self.text(text);
                self.text(signature.as_deref().unwrap_or(""));
            }
            ReasoningKind::Summary(text) | ReasoningKind::Encrypted(text) => self.text(text),
        }
        self.text(reasoning.id.as_deref().unwrap_or(""));
    }

    fn medium(&mut self, mut medium: Medium, media: &Media) {
        let data = match media {
            Media::Url(url) => {
                let start = medium.url(url.as_bytes(), url.len() as u64);
                start.and_then(|start| url.get(start..))
            }
            Media::Base64 { mime, data } => {
                medium.mime(mime.as_bytes());
                medium.data(data.as_bytes(), data.len() as u64);
                Some(data.as_str())
            }
            Media::FileId(_) => {
                medium.upload();
                None
            }
        };
        if let (Some(place), Some(data)) = (medium.count(self), data) {
            self.images
                .measure(place, PixelSize::of_base64([data.as_bytes()]));
        }
    }

    /// Looks for media in a part of a kind that only its format knows, by
    /// the names of its members. All of it has been counted as text.
    fn search(&mut self, value: &Value, part: Option<Kind>, depth: u32) {
        let Some(depth) = depth.checked_sub(1) else {
            return;
        };
        match value {
            Value::Array(items) => {
                for item in items {
                    self.search(item, None, depth);
                }
            }
            Value::Object(members) => {
                let own = members.get("type").and_then(Value::as_str);
                let part = own
                    .and_then(|own| Kind::by_part_type(own.as_bytes()))
                    .or(part);
                for (name, value) in members {
                    match Slot::by_name(name.as_bytes()) {
                        Some(Slot::Said) => {}
                        Some(Slot::Medium(kind)) => self.found(value, kind.or(part), depth),
                        Some(Slot::CacheMark) => self.mark(true),
                        _ => self.search(value, None, depth),
                    }
                }
            }
            _ => {}
        }
    }

    /// Counts a medium that was found in a part of an unknown kind.
    fn found(&mut self, value: &Value, kind: Option<Kind>, depth: u32) {
        let mut medium = Medium::new(kind);
        match value {
            // A string of unknown kind is a title or a name.
            Value::String(text) if kind.is_some() => {
                medium.url(text.as_bytes(), text.len() as u64);
            }
            Value::Object(members) => {
                if members.get("type").and_then(Value::as_str) == Some("text") {
                    return;
                }
                for (name, value) in members {
                    let slot = Slot::by_name(name.as_bytes());
                    let Some(text) = value.as_str() else {
                        self.search(value, None, depth);
                        continue;
                    };
                    match slot {
                        Some(Slot::Url | Slot::Medium(_) | Slot::Data) => {
                            medium.url(text.as_bytes(), text.len() as u64);
                        }
                        Some(Slot::Upload) => medium.upload(),
                        Some(Slot::Detail) => medium.detail(text.as_bytes()),
                        Some(Slot::Mime) => medium.mime(text.as_bytes()),
                        _ => {}
                    }
                }
            }
            _ => return,
        }
        self.text_bytes = self.text_bytes.saturating_sub(medium.data_bytes());
        medium.count(self);
    }
}

/// Counts what is written.
struct Counter(u64);

impl io::Write for Counter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0 = self.0.saturating_add(bytes.len() as u64);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

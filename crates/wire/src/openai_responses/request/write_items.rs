//! Writing the conversation as the items of `input`.

use bourse_vocab::Format;
use bourse_vocab::chat::{CacheControl, Loss, Media, Message, Part, Reason, Role};

use crate::dialect::messages::members_of_message;
use crate::dialect::{CacheMarks, Dialect, media};
use crate::object::{self, Object, array, object};
use crate::openai_responses::SCHEME;
use crate::openai_responses::pieces::Thought;

/// Whose sealed thoughts a provider of this format can open: OpenAI's own and
/// Azure's are made by the same models (openrouter.ai/docs, reasoning tokens,
/// October 2026).
const SCHEMES: [&str; 2] = [SCHEME, "azure-openai-responses-v1"];

/// Writes the items, as an array.
pub fn items(out: &mut Vec<u8>, messages: &[Message], dialect: &Dialect, losses: &mut Vec<Loss>) {
    let mut writer = Items {
        out: Vec::new(),
        dialect,
        losses,
    };
    for (at, message) in messages.iter().enumerate() {
        let path = format!("messages[{at}]");
        match message.role {
            Role::Assistant => writer.answer(&message.parts, &path),
            Role::Tool => writer.results(&message.parts, &path),
            Role::System | Role::Developer | Role::User => writer.said(message, &path),
        }
    }
    array(out, &writer.out, |out, item| out.extend_from_slice(item));
}

/// The breakpoint behind a part, if it has one.
const fn mark_of(part: &Part) -> Option<&CacheControl> {
    match part {
        Part::Text { cache, .. } | Part::Image { cache, .. } | Part::File { cache, .. } => {
            cache.as_ref()
        }
        _ => None,
    }
}

struct Items<'a> {
    /// The items, as JSON.
    out: Vec<Vec<u8>>,
    dialect: &'a Dialect,
    losses: &'a mut Vec<Loss>,
}

impl Items<'_> {
    fn item(&mut self, fill: impl FnOnce(&mut Object<'_>)) {
        let mut item = Vec::new();
        object(&mut item, fill);
        self.out.push(item);
    }

    /// What somebody else than the model said.
    fn said(&mut self, message: &Message, path: &str) {
        let role = match message.role {
            Role::Developer if self.dialect.developer_role => "developer",
            Role::System | Role::Developer => "system",
            _ => "user",
        };
        if message.name.is_some() {
            self.losses.push(Loss::new(
                format!("{path}.name"),
                "OpenAI's Responses name no participants",
            ));
        }
        let content = self.parts(&message.parts, path);
        if content.is_empty() && role != "user" {
            return;
        }
        self.item(|item| {
            item.put("type", "message").put("role", role);
            item.nested("content", |out| {
                array(out, &content, |out, part| out.extend_from_slice(part));
            });
        });
    }

    /// The parts of what was said, or of what a tool answered.
    fn parts(&mut self, parts: &[Part], path: &str) -> Vec<Vec<u8>> {
        let mut content = Vec::with_capacity(parts.len());
        for (at, part) in parts.iter().enumerate() {
            let path = format!("{path}.content[{at}]");
            let mut out = Vec::new();
            if self.part(&mut out, part, &path) {
                content.push(out);
            }
        }
        content
    }

    /// Writes one part, unless it has no equal here.
    fn part(&mut self, out: &mut Vec<u8>, part: &Part, path: &str) -> bool {
        let marks = self.dialect.cache == CacheMarks::Breakpoint && mark_of(part).is_some();
        self.unmarked(part, path);
        let mut part_out = Object::open(out);
        match part {
            Part::Text { text, .. } | Part::Refusal(text) => {
                part_out.put("type", "input_text").put("text", text);
            }
            Part::Image { media, detail, .. } => {
                let Some(url) = media::url(media) else {
                    return self.lose(path, "the picture was not uploaded to this provider");
                };
                part_out
                    .put("type", "input_image")
                    .put("image_url", &url)
                    .put("detail", detail.as_deref().unwrap_or("auto"));
            }
            Part::File {
                filename, media, ..
            } => match media {
                Media::FileId(_) => {
                    return self.lose(path, "the file was not uploaded to this provider");
                }
                Media::Url(url) => {
                    part_out.put("type", "input_file").put("file_url", url);
                }
                Media::Base64 { .. } => {
                    part_out
                        .put("type", "input_file")
                        // It has to have a name.
                        .put("filename", filename.as_deref().unwrap_or("file"))
                        .put("file_data", &media::url(media));
                }
            },
            Part::Opaque {
                format: Format::OpenAiResponses,
                value,
            } => {
                for (name, value) in value.as_object().into_iter().flatten() {
                    part_out.put(name, value);
                }
            }
            Part::Opaque { format, .. } => {
                if let Some(losses) = members_of_message(part, path) {
                    self.losses.extend(losses);
                    return false;
                }
                let reason = format!("a part of {format} has no equal in OpenAI's Responses");
                return self.lose(path, reason);
            }
            Part::Audio { .. } => return self.lose(path, "OpenAI's Responses take no audio"),
            Part::Video { .. } => return self.lose(path, "OpenAI's Responses take no video"),
            Part::Reasoning(_) | Part::ToolCall { .. } | Part::ToolResult { .. } => {
                return self.lose(path, "cannot stand here");
            }
        }
        if marks {
            part_out.raw("prompt_cache_breakpoint", "{\"mode\":\"explicit\"}");
        }
        part_out.close();
        true
    }

    /// Notes what a breakpoint says that the provider cannot be told.
    fn unmarked(&mut self, part: &Part, path: &str) {
        let (field, reason) = match (mark_of(part), self.dialect.cache) {
            (Some(CacheControl { ttl: Some(_) }), CacheMarks::Breakpoint) => (
                "cache_control.ttl",
                "the provider decides how long it caches",
            ),
            (None, _) | (Some(_), CacheMarks::Breakpoint) => return,
            _ => ("cache_control", "the provider decides how it caches"),
        };
        self.losses
            .push(Loss::new(format!("{path}.{field}"), reason));
    }

    /// What was written of it is not used.
    fn lose(&mut self, path: &str, reason: impl Into<Reason>) -> bool {
        self.losses.push(Loss::content(path, reason));
        false
    }

    /// The model's turn: an item for each thing it did.
    fn answer(&mut self, parts: &[Part], path: &str) {
        let mut said: Vec<&Part> = Vec::new();
        let mut thoughts: Vec<Thought> = Vec::new();
        // Where the last piece of a thought stands.
        let mut thought_at = String::new();
        for (at, part) in parts.iter().enumerate() {
            if !matches!(part, Part::Text { .. } | Part::Refusal(_)) {
                self.spoken(&mut said);
            }
            if !matches!(part, Part::Reasoning(_)) {
                self.thought(&mut thoughts, &thought_at);
            }
            match part {
                Part::Text { .. } | Part::Refusal(_) => said.push(part),
                Part::Reasoning(piece) => {
                    thought_at = format!("{path}.content[{at}]");
                    Thought::push(&mut thoughts, piece);
                }
                Part::ToolCall {
                    id,
                    name,
                    arguments,
                } => self.item(|item| {
                    item.put("type", "function_call")
                        .put("call_id", id)
                        .put("name", name)
                        .put("arguments", arguments);
                }),
                Part::Opaque {
                    format: Format::OpenAiResponses,
                    value,
                } => {
                    let mut item = Vec::new();
                    object::write(&mut item, value);
                    self.out.push(item);
                }
                Part::Opaque { format, .. } => {
                    let at = format!("{path}.content[{at}]");
                    if let Some(losses) = members_of_message(part, &at) {
                        self.losses.extend(losses);
                        continue;
                    }
                    let reason = format!("a part of {format} has no equal in OpenAI's Responses");
                    self.lose(&at, reason);
                }
                Part::Image { .. }
                | Part::Audio { .. }
                | Part::File { .. }
                | Part::Video { .. }
                | Part::ToolResult { .. } => {
                    self.lose(
                        &format!("{path}.content[{at}]"),
                        "media of an earlier answer cannot be replayed",
                    );
                }
            }
        }
        self.spoken(&mut said);
        self.thought(&mut thoughts, &thought_at);
    }

    fn spoken(&mut self, said: &mut Vec<&Part>) {
        if said.is_empty() {
            return;
        }
        let parts = std::mem::take(said);
        self.item(|item| {
            item.put("type", "message").put("role", "assistant");
            item.nested("content", |out| {
                array(out, parts, |out, part| {
                    object(out, |content| match part {
                        Part::Refusal(refusal) => {
                            content.put("type", "refusal").put("refusal", refusal);
                        }
                        Part::Text { text, .. } => {
                            content.put("type", "output_text").put("text", text);
                        }
                        _ => {}
                    });
                });
            });
        });
    }

    /// Only what the provider sealed itself can be replayed: nothing is stored
    /// there that an id alone could name.
    fn thought(&mut self, thoughts: &mut Vec<Thought>, path: &str) {
        for thought in std::mem::take(thoughts) {
            let is_theirs = thought
                .scheme
                .as_deref()
                .is_some_and(|scheme| SCHEMES.contains(&scheme));
            if !is_theirs || thought.sealed.is_none() {
                self.losses.push(Loss::new(
                    path,
                    "reasoning that the provider did not seal cannot be replayed",
                ));
                continue;
            }
            self.item(|item| {
                item.put("type", "reasoning")
                    .put_some("id", thought.id.as_ref())
                    .nested("summary", |out| {
                        array(out, &thought.summary, |out, text| {
                            object(out, |part| {
                                part.put("type", "summary_text").put("text", text);
                            });
                        });
                    })
                    .put_some("encrypted_content", thought.sealed.as_ref());
            });
        }
    }

    /// What tools answered.
    fn results(&mut self, parts: &[Part], path: &str) {
        for (at, part) in parts.iter().enumerate() {
            let path = &format!("{path}.content[{at}]");
            let Part::ToolResult {
                call_id,
                parts,
                is_error,
                cache,
                ..
            } = part
            else {
                continue;
            };
            if *is_error {
                self.losses.push(Loss::new(
                    format!("{path}.is_error"),
                    "results of tools cannot say it",
                ));
            }
            if cache.is_some() {
                self.losses.push(Loss::new(
                    format!("{path}.cache_control"),
                    "the provider decides how it caches",
                ));
            }
            let only_text = match parts.as_slice() {
                [] => Some(""),
                [Part::Text { text, cache: None }] => Some(text.as_str()),
                _ => None,
            };
            let content = match only_text {
                Some(_) => Vec::new(),
                None => self.parts(parts, path),
            };
            self.item(|item| {
                item.put("type", "function_call_output")
                    .put("call_id", call_id);
                match only_text {
                    Some(text) => item.put("output", text),
                    None => item.nested("output", |out| {
                        array(out, &content, |out, part| out.extend_from_slice(part));
                    }),
                };
            });
        }
    }
}

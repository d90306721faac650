//! Writing the messages of a chat request for a provider.

use bourse_vocab::Format;
use bourse_vocab::chat::{CacheControl, Loss, Media, Message, Part, Reason, ReasoningKind, Role};
use bourse_vocab::json::{Map, Value};

use super::leftovers::Leftovers;
use super::write_part::{Content, NO_CACHE, write_content, write_part};
use crate::dialect::{CacheMarks, Dialect, Thoughts, messages, parts, prefill};
use crate::object::{self, Object, object};
use crate::openai_chat::reasoning;

/// What becomes of pictures that a tool returned, where a tool says text alone.
const MOVED: &str = "moved to a user message after the tool's";

/// Writes the messages, oldest first.
pub fn messages(
    out: &mut Vec<u8>,
    messages: &[Message],
    dialect: &Dialect,
    leftovers: &Leftovers<'_>,
    losses: &mut Vec<Loss>,
) {
    let mut writer = Writer {
        dialect,
        leftovers,
        losses,
        out,
        empty: true,
        waiting: Vec::new(),
    };
    writer.out.push(b'[');
    for (index, message) in messages.iter().enumerate() {
        writer.message(index, message);
    }
    writer.flush();
    writer.out.push(b']');
}

struct Writer<'a> {
    dialect: &'a Dialect,
    leftovers: &'a Leftovers<'a>,
    losses: &'a mut Vec<Loss>,
    out: &'a mut Vec<u8>,
    /// Whether no message is written yet.
    empty: bool,
    /// Pictures and files that tools returned, until the run of tool
    /// messages ends: no message may come between them.
    waiting: Vec<Content<'a>>,
}

/// A part of a message that is to be written.
struct Piece<'a> {
    /// Where it is, as losses say it.
    at: String,
    /// Where its unknown members are filed, if it has any.
    origin: Option<String>,
    part: &'a Part,
}

/// Where the parts of a message were when it was read: earlier reasoning and
/// the pictures of an answer are not in `content`.
struct Places {
    index: usize,
    is_answer: bool,
    /// Thoughts before the content.
    thoughts: usize,
    images: usize,
}

impl Places {
    fn of(index: usize, message: &Message) -> Self {
        let is_answer = message.role == Role::Assistant;
        let thoughts = message
            .parts
            .iter()
            .take_while(|part| match part {
                Part::Reasoning(_) => true,
                Part::Opaque { value, .. } => reasoning::is_detail(value),
                _ => false,
            })
            .count();
        Self {
            index,
            is_answer,
            thoughts: if is_answer { thoughts } else { 0 },
            images: 0,
        }
    }

    /// Where the next part's unknown members are filed, if it has any.
    fn next(&mut self, number: usize, part: &Part, leftovers: &Leftovers<'_>) -> Option<String> {
        let index = self.index;
        let place = number.checked_sub(self.thoughts)?;
        let within = leftovers.origin(format_args!("messages[{index}].content[{place}]"));
        if !self.is_answer || !matches!(part, Part::Image { .. }) {
            return within;
        }
        // The reader counts the pictures of an answer, wherever they are.
        let image = self.images;
        self.images += 1;
        within.or_else(|| leftovers.origin(format_args!("messages[{index}].images[{image}]")))
    }
}

/// The path of the message that a part at `at` is in.
fn message_of(at: &str) -> &str {
    at.split_once('.').map_or(at, |(message, _)| message)
}

/// What one message is made of, sorted the way the format wants it.
#[derive(Default)]
struct Sorted<'a> {
    content: Vec<Content<'a>>,
    /// Pieces of reasoning, or opaque items among them.
    thoughts: Vec<&'a Part>,
    refusal: Option<String>,
    images: Vec<Content<'a>>,
    calls: Vec<&'a Part>,
    /// Members of the message that only this format knows.
    members: Vec<(&'a str, &'a Value)>,
}

impl<'a> Writer<'a> {
    fn lose(&mut self, at: &str, reason: impl Into<Reason>) {
        self.losses.push(Loss::new(at, reason));
    }

    /// Notes a part that the provider cannot be shown.
    fn lose_part(&mut self, at: &str, reason: impl Into<Reason>) {
        self.losses.push(Loss::content(at, reason));
    }

    fn begin(&mut self) {
        if !self.empty {
            self.out.push(b',');
        }
        self.empty = false;
    }

    fn message(&mut self, index: usize, message: &'a Message) {
        let mut rest = Vec::new();
        let mut places = Places::of(index, message);
        for (number, part) in message.parts.iter().enumerate() {
            let origin = places.next(number, part, self.leftovers);
            let at = format!("messages[{index}].content[{number}]");
            match part {
                Part::ToolResult {
                    call_id,
                    parts,
                    is_error,
                    cache,
                    ..
                } => {
                    if *is_error {
                        self.lose(&format!("{at}.is_error"), "tool messages cannot say it");
                    }
                    self.tool_message(index, &at, call_id, parts, cache.as_ref());
                }
                part => rest.push(Piece { at, origin, part }),
            }
        }
        if message.role == Role::Tool {
            for Piece { at, .. } in rest {
                self.lose(&at, "a tool message holds only the tool's result");
            }
        } else if !rest.is_empty() || message.parts.is_empty() {
            self.flush();
            self.turn(index, message, rest);
        }
    }

    /// Writes what tools returned besides text, as if the user had sent it.
    fn flush(&mut self) {
        let waiting = std::mem::take(&mut self.waiting);
        if waiting.is_empty() {
            return;
        }
        self.begin();
        let leftovers = self.leftovers;
        object(self.out, |message| {
            message.put("role", "user").nested("content", |out| {
                object::array(out, &waiting, |out, part| write_part(out, part, leftovers));
            });
        });
    }

    fn tool_message(
        &mut self,
        index: usize,
        at: &str,
        call_id: &str,
        parts: &'a [Part],
        cache: Option<&'a CacheControl>,
    ) {
        // OpenRouter takes any part here; OpenAI takes text alone.
        let any_part = self.dialect.media_anywhere;
        let mut content = Vec::new();
        let mut members = Vec::new();
        for (number, part) in parts.iter().enumerate() {
            let at = format!("{at}.content[{number}]");
            let origin = self
                .leftovers
                .origin(format_args!("messages[{index}].content[{number}]"));
            match part {
                Part::Opaque {
                    format: Format::OpenAiChat,
                    value: Value::Object(object),
                } if !object.contains_key("type") && self.dialect.strict_messages => {
                    self.lose_members(&at, object);
                }
                Part::Opaque {
                    format: Format::OpenAiChat,
                    value: Value::Object(object),
                } if !object.contains_key("type") => {
                    members.extend(self.known_members(&at, object));
                }
                Part::Text { .. } => content.extend(self.content(&at, origin, part)),
                part => {
                    let Some(written) = self.content(&at, origin, part) else {
                        continue;
                    };
                    if any_part {
                        content.push(written);
                    } else {
                        self.lose(&at, Reason::emulated(MOVED));
                        self.waiting.push(written.unmarked());
                    }
                }
            }
        }
        match (cache, content.last_mut()) {
            (Some(cache), Some(last)) if self.dialect.cache != CacheMarks::None => {
                self.lose_lifetime(at, cache);
                last.cache = Some((self.dialect.cache, cache));
            }
            (Some(_), _) => self.lose(&format!("{at}.cache_control"), NO_CACHE),
            (None, _) => {}
        }
        self.begin();
        let (leftovers, is_strict) = (self.leftovers, self.dialect.strict_messages);
        object(self.out, |message| {
            message
                .put("role", "tool")
                .put("tool_call_id", call_id)
                .nested("content", |out| {
                    write_content(out, &content, None, leftovers);
                });
            for (name, value) in members {
                message.put(name, value);
            }
            if !is_strict {
                leftovers.write(message, format_args!("messages[{index}]"));
            }
        });
    }

    fn turn(&mut self, index: usize, message: &'a Message, pieces: Vec<Piece<'a>>) {
        let mut sorted = Sorted::default();
        for piece in pieces {
            self.sort(piece, message.role, &mut sorted);
        }
        let role = match message.role {
            Role::System => "system",
            Role::Developer if self.dialect.developer_role => "developer",
            Role::Developer => "system",
            Role::User => "user",
            Role::Assistant => "assistant",
            Role::Tool => "tool",
        };
        let (name, prefix) = self.name(index, message, &sorted);
        let (thoughts, leftovers) = (self.dialect.thoughts, self.leftovers);
        let is_strict = self.dialect.strict_messages;
        self.begin();
        object(self.out, |object| {
            object.put("role", role).put_some("name", name.as_ref());
            // An answer of nothing but calls has no content; anything else
            // without content is an empty text.
            let spoken = message.role != Role::Assistant
                || !sorted.content.is_empty()
                || (sorted.calls.is_empty() && sorted.refusal.is_none());
            if spoken {
                object.nested("content", |out| {
                    write_content(out, &sorted.content, prefix.as_deref(), leftovers);
                });
            } else {
                object.put("content", &Value::Null);
            }
            object.put_some("refusal", sorted.refusal.as_ref());
            let has_text = sorted.members.iter().any(|(name, _)| *name == "reasoning");
            write_thoughts(object, &sorted.thoughts, thoughts, has_text);
            if !sorted.images.is_empty() {
                object.nested("images", |out| {
                    object::array(out, &sorted.images, |out, image| {
                        write_part(out, image, leftovers);
                    });
                });
            }
            write_calls(object, &sorted.calls, |object, call, inner| {
                let path = format_args!("messages[{index}].tool_calls[{call}]{inner}");
                leftovers.write(object, path);
            });
            for (name, value) in sorted.members {
                object.put(name, value);
            }
            if !is_strict {
                leftovers.write(object, format_args!("messages[{index}]"));
            }
        });
    }

    /// The name of a message's author as the vendor takes it: as a member,
    /// or before the text (openrouter.ai/docs, parameters).
    fn name(
        &mut self,
        index: usize,
        message: &'a Message,
        sorted: &Sorted<'_>,
    ) -> (Option<&'a str>, Option<String>) {
        let Some(name) = message.name.as_deref() else {
            return (None, None);
        };
        if self.dialect.names {
            return (Some(name), None);
        }
        let first = sorted.content.first().map(|content| content.part);
        if matches!(first, Some(Part::Text { .. })) {
            return (None, Some(format!("{name}: ")));
        }
        let at = format!("messages[{index}].name");
        self.lose(&at, "no text to put it before");
        (None, None)
    }

    fn sort(&mut self, piece: Piece<'a>, role: Role, sorted: &mut Sorted<'a>) {
        let Piece { at, origin, part } = piece;
        let at = at.as_str();
        let assistant = role == Role::Assistant;
        match part {
            Part::Reasoning(piece) if assistant => match self.dialect.thoughts {
                Thoughts::Details => sorted.thoughts.push(part),
                Thoughts::Refused => self.lose(at, "the provider takes no earlier reasoning"),
                Thoughts::Content if reasoning::readable(&piece.kind).is_none() => {
                    self.lose(at, "the provider takes no sealed reasoning");
                }
                Thoughts::Content => {
                    if matches!(
                        piece.kind,
                        ReasoningKind::Text {
                            signature: Some(_),
                            ..
                        }
                    ) {
                        self.lose(&format!("{at}.signature"), "the provider takes none");
                    }
                    sorted.thoughts.push(part);
                }
            },
            Part::ToolCall { .. } if assistant => sorted.calls.push(part),
            Part::Refusal(_) if assistant && self.dialect.strict_messages => {
                self.lose(at, "the provider takes no refusals");
            }
            Part::Refusal(text) if assistant => {
                sorted.refusal.get_or_insert_default().push_str(text);
            }
            Part::Image { .. } if assistant => {
                if self.dialect.media_anywhere {
                    let image = self.content(at, origin, part);
                    sorted.images.extend(image.map(Content::unmarked));
                } else {
                    self.lose(at, "the provider takes no pictures in answers");
                }
            }
            Part::Reasoning(_) | Part::ToolCall { .. } | Part::Refusal(_) => {
                self.lose(at, "only an assistant message may hold it");
            }
            Part::Opaque {
                format: Format::OpenAiChat,
                value,
            } if reasoning::is_detail(value) => {
                if self.dialect.thoughts == Thoughts::Details {
                    sorted.thoughts.push(part);
                } else {
                    self.lose(at, "the provider takes no such reasoning");
                }
            }
            Part::Opaque {
                format: Format::OpenAiChat,
                value: Value::Object(members),
            } if !members.contains_key("type") => {
                if members.contains_key("tool_call") {
                    sorted.calls.push(part);
                } else {
                    sorted.members.extend(self.kept_members(at, members));
                }
            }
            part => sorted.content.extend(self.content(at, origin, part)),
        }
    }

    /// Members of a message that the vendor is sent.
    fn kept_members(&mut self, at: &str, members: &'a Map) -> Vec<(&'a str, &'a Value)> {
        if !self.dialect.strict_messages {
            return self.known_members(at, members);
        }
        self.lose_members(at, members);
        let known = |(name, _): &(&String, &Value)| prefill::knows(self.dialect, name);
        let kept = members.iter().filter(known);
        kept.map(|(name, value)| (name.as_str(), value)).collect()
    }

    /// Members of a message that a strict vendor would refuse.
    fn lose_members(&mut self, at: &str, members: &Map) {
        let message = message_of(at);
        let unknown = members.keys();
        for name in unknown.filter(|name| !prefill::knows(self.dialect, name)) {
            let loss = messages::loss(self.dialect, message, name).unwrap_or_else(|| {
                Loss::new(format!("{message}.{name}"), "the provider does not know it")
            });
            self.losses.push(loss);
        }
    }

    /// Members of a message that a lenient vendor knows, or does not mind.
    fn known_members(&mut self, at: &str, members: &'a Map) -> Vec<(&'a str, &'a Value)> {
        let mut known = Vec::with_capacity(members.len());
        for (name, value) in members {
            match messages::loss(self.dialect, message_of(at), name) {
                Some(loss) => self.losses.push(loss),
                None => known.push((name.as_str(), value)),
            }
        }
        known
    }

    /// Notes a lifetime that the vendor's breakpoints do not have.
    fn lose_lifetime(&mut self, at: &str, cache: &CacheControl) {
        if self.dialect.cache == CacheMarks::Breakpoint && cache.ttl.is_some() {
            self.lose(
                &format!("{at}.cache_control.ttl"),
                "the provider decides how long it caches",
            );
        }
    }

    /// The part as an item of `content`, unless the format has no such item.
    fn content(&mut self, at: &str, origin: Option<String>, part: &'a Part) -> Option<Content<'a>> {
        let cache = match part {
            Part::Text { cache, .. } => cache.as_ref(),
            Part::Image { media, cache, .. } => {
                if matches!(media, Media::FileId(_)) {
                    self.lose_part(at, "a picture cannot be named by the id of an upload");
                    return None;
                }
                cache.as_ref()
            }
            Part::File { cache, .. } => cache.as_ref(),
            Part::Video {
                media: Media::FileId(_),
            } => {
                self.lose_part(at, "a video cannot be named by the id of an upload");
                return None;
            }
            Part::Audio { .. } | Part::Video { .. } => None,
            Part::Opaque {
                format: Format::OpenAiChat,
                value,
            } => {
                let kind = value.get("type").and_then(Value::as_str).unwrap_or("");
                if !parts::is_taken(self.dialect, kind) {
                    self.lose_part(at, parts::UNKNOWN);
                    return None;
                }
                None
            }
            Part::Opaque { format, .. } => {
                self.lose_part(
                    at,
                    format!("a part of {format} has no equal in OpenAI's chat format"),
                );
                return None;
            }
            Part::Reasoning(_)
            | Part::ToolCall { .. }
            | Part::ToolResult { .. }
            | Part::Refusal(_) => {
                self.lose(at, "cannot stand here");
                return None;
            }
        };
        let marks = self.dialect.cache;
        if let Some(cache) = cache {
            self.lose_lifetime(at, cache);
        }
        if cache.is_some() && marks == CacheMarks::None {
            self.lose(&format!("{at}.cache_control"), NO_CACHE);
            let plain = Content::plain(part);
            return Some(Content { origin, ..plain });
        }
        let cache = cache.map(|cache| (marks, cache));
        Some(Content {
            part,
            cache,
            origin,
        })
    }
}

/// Writes earlier reasoning the way the provider takes it back.
/// `has_text` says that the caller's own text of it, which says something else
/// than its pieces, is written as it came.
fn write_thoughts(object: &mut Object<'_>, thoughts: &[&Part], style: Thoughts, has_text: bool) {
    if thoughts.is_empty() {
        return;
    }
    let text: String = thoughts
        .iter()
        .filter_map(|part| match part {
            Part::Reasoning(piece) => reasoning::readable(&piece.kind),
            _ => None,
        })
        .collect();
    if style != Thoughts::Details {
        // Some vendors insist on it between tool calls.
        object.put("reasoning_content", &text);
        return;
    }
    if !text.is_empty() && !has_text {
        object.put("reasoning", &text);
    }
    // A text that came beside pieces in which nobody can read goes back so.
    let thoughts = match thoughts {
        [first, rest @ ..] if reasoning::is_told_beside(first, rest) => rest,
        all => all,
    };
    object.nested("reasoning_details", |out| {
        let mut index = 0;
        object::array(out, thoughts, |out, part| {
            match part {
                Part::Reasoning(piece) => reasoning::write_replayed(out, piece, index),
                Part::Opaque { value, .. } => object::write(out, value),
                _ => object::write(out, &Value::Null),
            }
            index += 1;
        });
    });
}

/// Writes the tool calls of a message; `more` adds what is left of one, or of
/// its function.
fn write_calls(
    object: &mut Object<'_>,
    calls: &[&Part],
    more: impl Fn(&mut Object<'_>, usize, &str),
) {
    if calls.is_empty() {
        return;
    }
    object.nested("tool_calls", |out| {
        object::array(out, calls.iter().enumerate(), |out, (call, part)| {
            write_call(out, part, |object, inner| more(object, call, inner));
        });
    });
}

/// Writes a tool call; `more` adds what is left of it, and of its function.
fn write_call(out: &mut Vec<u8>, part: &Part, more: impl Fn(&mut Object<'_>, &str)) {
    let Part::ToolCall {
        id,
        name,
        arguments,
    } = part
    else {
        return object::write(out, part_value(part));
    };
    // Some vendors refuse a call without arguments.
    let arguments = if arguments.is_empty() {
        "{}"
    } else {
        arguments
    };
    object(out, |call| {
        call.put("id", id).put("type", "function");
        call.nested("function", |out| {
            object(out, |function| {
                function.put("name", name).put("arguments", arguments);
                more(function, ".function");
            });
        });
        more(call, "");
    });
}

/// The value of an opaque tool call.
fn part_value(part: &Part) -> &Value {
    match part {
        Part::Opaque { value, .. } => value.get("tool_call").unwrap_or(value),
        _ => &Value::Null,
    }
}

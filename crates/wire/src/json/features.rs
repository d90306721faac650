//! What a prompt contains, as far as it can be seen in passing.

use bourse_vocab::facts::Slot;

use super::kind::Kind;

/// What a prompt asks of a target, noted while it is scanned.
///
/// These are hints for choosing a target and a road to it, not a defence: a
/// client that spells `"type"` with escapes misleads only itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Features {
    /// A part of type `image_url`.
    pub image: bool,
    /// A part of type `input_audio`.
    pub audio: bool,
    /// A part of type `file`.
    pub file: bool,
    /// A part of type `video_url` or `input_video`.
    pub video: bool,
    /// A member named `cache_control`, at any depth.
    pub cache_control: bool,
    /// A member named `prompt_cache_breakpoint`, at any depth.
    pub cache_breakpoint: bool,
    /// A message with the role `developer`.
    pub developer_role: bool,
    /// A message with the role `tool`.
    pub tool_role: bool,
    /// A message whose author is named.
    pub message_name: bool,
    /// A message with an `id` or a `model`: an answer that is replayed with
    /// what only said where it came from.
    pub message_origin: bool,
    /// A message that replays `reasoning`.
    pub reasoning: bool,
    /// A message that replays `reasoning_content`.
    pub reasoning_content: bool,
    /// A message that replays `reasoning_details`.
    pub reasoning_details: bool,
    /// A message that replays `images`.
    pub answer_images: bool,
    /// A message that replays `annotations`.
    pub annotations: bool,
    /// A message that changes the configuration from there on.
    pub configuration_update: bool,
    /// A message, or a call in one, with a member that requests do not need.
    pub message_extra: bool,
    /// A tool call, or a result of one, whose id is not nine letters or
    /// digits.
    pub other_call_id: bool,
    /// A tool call, or a result of one, whose id is longer than
    /// [`CALL_ID_BYTES_MAX`].
    pub call_id_beyond_forty: bool,
    /// A tool call, or a result of one, whose id is empty.
    pub empty_call_id: bool,
    /// Arguments of a call that are an object or empty, where they should be
    /// the text of an object.
    pub odd_arguments: bool,
    /// A `type` inside messages that is none of those that every vendor of
    /// chat completions knows, or that is spelled with escapes.
    pub other_part: bool,
    /// A `data:` URL whose type is not spelled in the usual way.
    pub odd_media_type: bool,
}

/// Names of members whose value is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Marker {
    #[default]
    None,
    Type,
    Role,
    Name,
    CallId,
    Thought(Thought),
    /// What sort of tool one is.
    ToolKind,
    /// A member of a part, see [`super::prompt`].
    Part(Slot),
}

/// The names under which thoughts are replayed as one text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Thought {
    Reasoning,
    Content,
}

/// Where in the text a name was met.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place {
    /// Inside the member `messages`.
    pub in_messages: bool,
    /// How many brackets are open; a member of a message has three.
    pub depth: u32,
}

/// The longest id of a tool call that OpenAI takes: "string too long. Expected
/// a string with maximum length 40" (Portkey-AI/gateway issue 1062,
/// microsoft/autogen issue 6377, 2025).
pub const CALL_ID_BYTES_MAX: usize = 40;
/// Depth of the members of one message: `{"messages":[{"role":…`.
const MESSAGE_DEPTH: u32 = 3;
/// Depth of the members of one tool call, or of one part.
const ITEM_DEPTH: u32 = 5;

impl Features {
    /// Whether there is anything but text.
    #[must_use]
    pub const fn has_media(&self) -> bool {
        self.image || self.audio || self.file || self.video
    }

    /// Notes a name, and says whether its value matters.
    #[inline]
    pub(super) fn name(&mut self, name: &[u8], place: Place) -> Marker {
        if !place.in_messages {
            // Breakpoints stand in tools, too.
            match name {
                b"cache_control" => self.cache_control = true,
                b"prompt_cache_breakpoint" => self.cache_breakpoint = true,
                _ => {}
            }
            return Marker::None;
        }
        if place.depth == MESSAGE_DEPTH {
            return self.message_member(name);
        }
        match name {
            b"type" => Marker::Type,
            b"id" if place.depth == ITEM_DEPTH => Marker::CallId,
            b"index" if place.depth == ITEM_DEPTH => {
                self.message_extra = true;
                Marker::None
            }
            b"cache_control" => {
                self.cache_control = true;
                Marker::None
            }
            b"prompt_cache_breakpoint" => {
                self.cache_breakpoint = true;
                Marker::None
            }
            _ => Marker::None,
        }
    }

    fn message_member(&mut self, name: &[u8]) -> Marker {
        match name {
            b"role" => return Marker::Role,
            b"content" | b"tool_calls" => return Marker::None,
            b"name" => return Marker::Name,
            b"tool_call_id" => return Marker::CallId,
            _ => {}
        }
        self.message_extra = true;
        match name {
            b"type" => return Marker::Type,
            b"reasoning" => return Marker::Thought(Thought::Reasoning),
            b"reasoning_content" => return Marker::Thought(Thought::Content),
            b"reasoning_details" => self.reasoning_details = true,
            b"images" => self.answer_images = true,
            b"annotations" => self.annotations = true,
            b"configuration_update" => self.configuration_update = true,
            b"id" | b"model" => self.message_origin = true,
            b"cache_control" => self.cache_control = true,
            b"prompt_cache_breakpoint" => self.cache_breakpoint = true,
            _ => {}
        }
        Marker::None
    }

    /// Notes a text that is the value of a marked name.
    pub(super) fn value(&mut self, marker: Marker, value: &[u8]) {
        match (marker, value) {
            (Marker::Type, b"image_url") => self.image = true,
            (Marker::Type, b"input_audio") => self.audio = true,
            (Marker::Type, b"file") => self.file = true,
            (Marker::Type, b"video_url" | b"input_video") => self.video = true,
            (Marker::Type, kind) => self.other_part |= !is_usual_type(kind),
            (Marker::Role, b"developer") => self.developer_role = true,
            (Marker::Role, b"tool") => self.tool_role = true,
            (Marker::Name, _) => self.message_name = true,
            (Marker::Thought(Thought::Reasoning), _) => self.reasoning = true,
            (Marker::Thought(Thought::Content), _) => self.reasoning_content = true,
            (Marker::CallId, id) => {
                self.empty_call_id |= id.is_empty();
                self.other_call_id |= !is_nine_alphanumerics(id);
                self.call_id_beyond_forty |= id.len() > CALL_ID_BYTES_MAX;
            }
            (Marker::Part(Slot::Said), said) => self.odd_arguments |= said.is_empty(),
            (Marker::Part(Slot::Medium(_) | Slot::Url), url) => {
                self.odd_media_type |= is_odd_data_url(url);
            }
            _ => {}
        }
    }

    /// Notes a value of a marked name that is no text.
    pub(super) fn nested_value(&mut self, marker: Marker, kind: Kind) {
        let is_nested = matches!(kind, Kind::Object | Kind::Array);
        self.odd_arguments |= is_nested && marker == Marker::Part(Slot::Said);
    }
}

/// Whether a `type` inside messages says something that every vendor of chat
/// completions can be sent: a part, a call, a piece of reasoning, a breakpoint.
fn is_usual_type(kind: &[u8]) -> bool {
    matches!(
        kind,
        b"text"
            | b"function"
            | b"ephemeral"
            | b"input_text"
            | b"output_text"
            | b"refusal"
            | b"custom"
            | b"reasoning.text"
            | b"reasoning.summary"
            | b"reasoning.encrypted"
    )
}

/// Whether an id is one that Mistral takes.
pub fn is_nine_alphanumerics(id: &[u8]) -> bool {
    id.len() == 9 && id.iter().all(u8::is_ascii_alphanumeric)
}

/// Whether a URL is a `data:` URL whose type is not lower case, or is the
/// name that pictures of type `image/jpeg` do not have.
fn is_odd_data_url(url: &[u8]) -> bool {
    /// Types and their parameters are shorter, even of documents.
    const HEADER_MAX: usize = 256;
    if !url
        .get(..5)
        .is_some_and(|scheme| scheme.eq_ignore_ascii_case(b"data:"))
    {
        return false;
    }
    let header = url.get(..HEADER_MAX.min(url.len())).unwrap_or_default();
    let header = header
        .split(|byte| *byte == b',')
        .next()
        .unwrap_or_default();
    header.iter().any(u8::is_ascii_uppercase)
        || header.starts_with(b"data:image/jpg;")
        || header.starts_with(b"data:image/jpg,")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json::scan;

    fn features(messages: &str) -> Features {
        let text = format!(r#"{{"messages":[{messages}]}}"#);
        scan(text.as_bytes()).unwrap().features()
    }

    fn check(messages: &str, set: fn(&mut Features)) {
        let mut expected = Features::default();
        set(&mut expected);
        assert_eq!(features(messages), expected, "{messages}");
    }

    #[test]
    fn what_dialects_have_rules_for_is_seen() {
        check(r#"{"role":"user","content":"x"}"#, |_| {});
        check(r#"{"role":"developer","name":"x","content":"y"}"#, |f| {
            (f.developer_role, f.message_name) = (true, true);
        });
        check(
            r#"{"role":"assistant","content":null,"reasoning":null,"name":null}"#,
            |f| {
                f.message_extra = true;
            },
        );
        check(
            r#"{"role":"assistant","content":"","reasoning":"x"}"#,
            |f| {
                (f.message_extra, f.reasoning) = (true, true);
            },
        );
        check(
            r#"{"role":"assistant","content":"","reasoning_content":"x"}"#,
            |f| {
                (f.message_extra, f.reasoning_content) = (true, true);
            },
        );
        check(r#"{"role":"assistant","images":[],"id":"m"}"#, |f| {
            (f.message_extra, f.answer_images, f.message_origin) = (true, true, true);
        });
        check(
            r#"{"role":"system","content":"","configuration_update":{"reasoning":{}}}"#,
            |f| (f.message_extra, f.configuration_update) = (true, true),
        );
        // Empty lists are what SDKs replay; what stands in one is seen by its type.
        check(
            r#"{"role":"assistant","content":"x","annotations":[]}"#,
            |f| (f.message_extra, f.annotations) = (true, true),
        );
        check(
            r#"{"role":"assistant","annotations":[{"type":"url_citation","url_citation":{}}]}"#,
            |f| (f.message_extra, f.annotations, f.other_part) = (true, true, true),
        );
        check(
            r#"{"role":"user","content":[{"type":"text","text":"x","prompt_cache_breakpoint":{}}]}"#,
            |f| f.cache_breakpoint = true,
        );
    }

    #[test]
    fn ids_and_arguments_of_calls_are_looked_at() {
        let call = |id: &str, arguments: &str| {
            format!(
                r#"{{"role":"assistant","tool_calls":[{{"id":{id},"function":{{"name":"f","arguments":{arguments}}}}}]}},{{"role":"tool","tool_call_id":{id},"content":""}}"#
            )
        };
        for (id, arguments, [long, empty, odd]) in [
            ("\"D681PevKs\"", r#""{}""#, [false, false, false]),
            ("\"call_1234\"", r#""{}""#, [true, false, false]),
            ("\"\"", r#""{}""#, [true, true, false]),
            ("\"D681PevKs\"", r#"{"a":1}"#, [false, false, true]),
            ("\"D681PevKs\"", r#""""#, [false, false, true]),
        ] {
            let seen = features(&call(id, arguments));
            assert_eq!(
                [seen.other_call_id, seen.empty_call_id, seen.odd_arguments],
                [long, empty, odd],
                "{id} {arguments}"
            );
        }
    }

    #[test]
    fn types_of_media_in_an_unusual_spelling_are_seen() {
        for (url, odd) in [
            ("https://X.example/A.jpg", false),
            ("data:image/jpeg;base64,AAAA", false),
            ("data:image/png;base64,", false),
            ("data:image/jpg;base64,AAAA", true),
            ("data:IMAGE/PNG;BASE64,AAAA", true),
            ("DATA:image/png;base64,AAAA", true),
        ] {
            for part in [
                format!(r#"{{"type":"image_url","image_url":{{"url":"{url}"}}}}"#),
                format!(r#"{{"type":"image_url","image_url":"{url}"}}"#),
                format!(r#"{{"type":"file","file":{{"file_data":"{url}"}}}}"#),
            ] {
                let seen = features(&format!(r#"{{"role":"user","content":[{part}]}}"#));
                assert_eq!(seen.odd_media_type, odd, "{part}");
            }
        }
    }
}

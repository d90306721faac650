//! What of a request every response repeats.
//!
//! A response object has members for what was asked (tools, temperature, …),
//! and the strict SDKs refuse one without them (openrouter.ai/docs, API
//! document, `OpenResponsesResult`, October 2026). They are kept as JSON text,
//! from the request as it came.

use bytes::Bytes;

use super::item::Call;
use super::tools::{self, Own};
use crate::json::{self, Kind, Outline};
use crate::object::Object;

/// The most that is kept of one request. It stays in memory for as long as the
/// answer lasts, and stands in three events of a stream; what is longer is
/// told as if it had not been said.
pub const ECHO_BYTES_MAX: usize = 64 << 10;

/// Members that are repeated, with what stands there where nothing was said.
/// What is not there then is an empty text.
const REPEATED: &[(&str, &str)] = &[
    ("background", "false"),
    ("frequency_penalty", "null"),
    ("instructions", "null"),
    ("max_output_tokens", "null"),
    ("max_tool_calls", "null"),
    ("metadata", "null"),
    ("parallel_tool_calls", "true"),
    ("presence_penalty", "null"),
    ("previous_response_id", "null"),
    ("prompt_cache_key", "null"),
    ("reasoning", "null"),
    ("safety_identifier", "null"),
    ("store", "false"),
    ("temperature", "null"),
    ("text", "{\"format\":{\"type\":\"text\"}}"),
    ("tool_choice", "\"auto\""),
    ("tools", "[]"),
    ("top_logprobs", ""),
    ("top_p", "null"),
    ("truncation", "\"disabled\""),
    ("user", "null"),
];

/// What of a request its responses repeat.
#[derive(Debug, Clone, Default)]
pub struct Echo {
    said: Vec<(&'static str, String)>,
    /// Tools whose calls are told in their own words.
    own: Vec<Own>,
}

impl Echo {
    /// Takes from a request that was scanned what is repeated.
    #[must_use]
    pub fn of(outline: &Outline, segments: &[Bytes]) -> Self {
        let mut echo = Self::default();
        let mut room = ECHO_BYTES_MAX;
        for (name, _) in REPEATED {
            let Some(member) = outline.get(name).filter(|m| m.kind != Kind::Null) else {
                continue;
            };
            let raw = json::raw(segments, &member.value);
            if *name == "tools" {
                echo.own = tools::own(&raw);
            }
            let fits = room.checked_sub(raw.len());
            if let (Some(left), Ok(text)) = (fits, std::str::from_utf8(&raw)) {
                room = left;
                echo.said.push((name, text.to_owned()));
            }
        }
        echo
    }

    /// The call of a tool, as the client knows the tool, before it is given
    /// anything.
    pub(super) fn call(&self, id: &str, flat: &str) -> Call {
        let own = self.own.iter().find(|own| own.flat == flat);
        Call {
            call_id: id.to_owned(),
            name: own.map_or(flat, |own| own.name.as_str()).to_owned(),
            namespace: own.and_then(|own| own.namespace.clone()),
            given: String::new(),
            is_custom: own.is_some_and(|own| own.is_custom),
        }
    }

    /// Writes the members.
    pub(super) fn write(&self, object: &mut Object<'_>) {
        for (name, usual) in REPEATED {
            let said = self.said.iter().find(|(said, _)| said == name);
            let text = said.map_or(*usual, |(_, text)| text.as_str());
            if !text.is_empty() {
                object.raw(name, text);
            }
        }
    }
}

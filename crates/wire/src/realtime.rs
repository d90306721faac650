//! OpenAI's Realtime: the events of a conversation over one connection
//! (platform.openai.com/docs, API reference, Realtime client events and server
//! events; openai-python, `types/realtime`, both read in November 2026).
//!
//! Events pass as they are. They are read for what matters to money: what the
//! conversation grows by, when an answer begins and ends, and what it used.
//! Sounds are skipped where they stand, and no tree is built of an event.

mod client;
mod members;
mod server;

#[cfg(test)]
mod tests;

pub use client::{Asked, Refused, read as read_asked};
pub use server::{End, Told, read as read_told};

use serde_json::json;

/// How long an answer may be, where an event says so.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Most {
    /// So many tokens.
    Tokens(u64),
    /// All that the model may say.
    All,
}

/// An error event in OpenAI's words.
#[must_use]
pub fn error_event(kind: &str, code: &str, message: &str, of: &Refused) -> String {
    json!({
        "type": "error",
        "event_id": "event_bourse",
        "error": {
            "type": kind,
            "code": code,
            "message": message,
            "param": of.param,
            "event_id": of.event_id,
        },
    })
    .to_string()
}

/// Puts the id of the generation and what it cost in front of the members of an
/// event, which is an object with members.
#[must_use]
pub fn with_bill(event: &str, generation: &str, cost: &str) -> String {
    match event.trim_start().strip_prefix('{') {
        Some(rest) => format!("{{\"generation_id\":\"{generation}\",\"cost\":{cost},{rest}"),
        None => event.to_owned(),
    }
}

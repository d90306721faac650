//! `GET /realtime`: OpenAI's Realtime over a WebSocket
//! (platform.openai.com/docs, guides/realtime-websocket, November 2026).
//!
//! The request says the model in its query and has no body: everything else
//! is said in events ([`crate::realtime`]). Errors before the connection
//! switches are those of chat completions.

use bourse_catalog::Interface;
use bourse_vocab::{Failure, Format, Operation};
use bytes::Bytes;
use http::HeaderMap;
use http::request::Parts;

use super::{Endpoint, Incoming, Scanned};
use crate::identity::Caller;
use crate::way::Way;

/// Conversations over one connection.
pub struct Realtime;

impl Endpoint for Realtime {
    fn path(&self) -> &'static str {
        "/v1/realtime"
    }

    fn interface(&self) -> Interface {
        Interface::Realtime
    }

    fn rank(&self, way: &Way) -> Option<u8> {
        (way.operation == Operation::Realtime).then_some(0)
    }

    fn read(&self, _: &Parts, _: Scanned, _: Caller<'_>) -> Result<Incoming, Failure> {
        Err(Failure::server("a session is read as if it had a body"))
    }

    fn failure(&self, failure: &Failure, _: &mut HeaderMap) -> Bytes {
        let codec = bourse_wire::codec(Format::OpenAiChat);
        codec.write_failure(failure).into()
    }

    fn prompt(&self) -> &'static str {
        "conversation"
    }
}

//! `POST /v1beta/models/{model}:streamGenerateContent`: the same as
//! [`super::generate_content`], streamed.
//!
//! With `alt=sse` in the address each response is a server-sent event, as all
//! SDKs of Google's ask for; without it they are the elements of one JSON
//! array.

use bourse_vocab::Failure;
use bourse_wire::Stamp;
use bourse_wire::gemini::Manner;
use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::request::Parts;
use http::{HeaderMap, HeaderValue};

use super::generate_content::{self, GenerateContent, KEEP_ALIVE, PROMPT, address};
use super::{Endpoint, Incoming, Scanned};
use crate::identity::Caller;
use crate::way::Way;

/// What the address ends with.
const VERB: &str = "streamGenerateContent";
/// What asks for server-sent events.
const EVENTS: &str = "alt=sse";

/// Answers that are streamed as one array.
pub struct StreamGenerateContent;

/// Answers that are streamed as events.
struct Events;

impl Endpoint for StreamGenerateContent {
    fn path(&self) -> &'static str {
        "/v1/models/{model}:streamGenerateContent"
    }

    fn serves(&self, path: &str) -> bool {
        address::serves(path, VERB)
    }

    fn with_query(&self, query: &str) -> Option<&'static dyn Endpoint> {
        let asks = query.split('&').any(|pair| pair == EVENTS);
        asks.then_some(&Events as &dyn Endpoint)
    }

    fn rank(&self, way: &Way) -> Option<u8> {
        generate_content::rank(way)
    }

    fn read(&self, head: &Parts, body: Scanned, caller: Caller<'_>) -> Result<Incoming, Failure> {
        generate_content::read(head, body, caller, Some(ARRAY))
    }

    fn failure(&self, failure: &Failure, headers: &mut HeaderMap) -> Bytes {
        GenerateContent.failure(failure, headers)
    }

    fn late_failure(&self, failure: &Failure, stamp: &Stamp<'_>) -> Bytes {
        generate_content::late_failure(failure, stamp, ARRAY)
    }

    fn keep_alive(&self) -> &'static [u8] {
        KEEP_ALIVE
    }

    fn prompt(&self) -> &'static str {
        PROMPT
    }

    fn head(&self, headers: &mut HeaderMap) {
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    }
}

/// How an array is told.
const ARRAY: Manner = Manner {
    is_array: true,
    shows_thoughts: true,
};

impl Endpoint for Events {
    fn path(&self) -> &'static str {
        StreamGenerateContent.path()
    }

    fn rank(&self, way: &Way) -> Option<u8> {
        generate_content::rank(way)
    }

    fn read(&self, head: &Parts, body: Scanned, caller: Caller<'_>) -> Result<Incoming, Failure> {
        generate_content::read(head, body, caller, Some(Manner::default()))
    }

    fn failure(&self, failure: &Failure, headers: &mut HeaderMap) -> Bytes {
        GenerateContent.failure(failure, headers)
    }

    fn late_failure(&self, failure: &Failure, stamp: &Stamp<'_>) -> Bytes {
        GenerateContent.late_failure(failure, stamp)
    }

    fn keep_alive(&self) -> &'static [u8] {
        KEEP_ALIVE
    }

    fn prompt(&self) -> &'static str {
        PROMPT
    }
}

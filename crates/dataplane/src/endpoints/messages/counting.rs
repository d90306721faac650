//! `POST /messages/count_tokens`: how many tokens a request's prompt has, as
//! well as can be told without asking a provider.

use bourse_vocab::Failure;
use bourse_wire::Stamp;
use bytes::Bytes;
use http::HeaderMap;
use http::request::Parts;

use super::super::{Counter, Endpoint, Incoming, Scanned};
use super::Messages;
use crate::identity::Caller;
use crate::way::Way;

/// Counts what [`Messages`] would be sent.
pub struct CountTokens;

impl Endpoint for CountTokens {
    fn path(&self) -> &'static str {
        "/v1/messages/count_tokens"
    }

    fn rank(&self, way: &Way) -> Option<u8> {
        Messages.rank(way)
    }

    fn read(&self, head: &Parts, body: Scanned, caller: Caller<'_>) -> Result<Incoming, Failure> {
        Messages.read(head, body, caller)
    }

    fn failure(&self, failure: &Failure, headers: &mut HeaderMap) -> Bytes {
        Messages.failure(failure, headers)
    }

    fn late_failure(&self, failure: &Failure, stamp: &Stamp<'_>) -> Bytes {
        Messages.late_failure(failure, stamp)
    }

    fn keep_alive(&self) -> &'static [u8] {
        Messages.keep_alive()
    }

    fn head(&self, headers: &mut HeaderMap) {
        Messages.head(headers);
    }
}

impl Counter for CountTokens {
    fn tell(&self, tokens: u64) -> Bytes {
        format!("{{\"input_tokens\":{tokens}}}").into()
    }
}

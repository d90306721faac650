//! `POST /images/generations`: OpenAI's pictures.
//!
//! The same request as [`super::images`], and OpenAI's reply.

use bourse_catalog::Interface;
use bourse_vocab::Failure;
use bourse_wire::images::reply::Speech;
use bytes::Bytes;
use http::HeaderMap;
use http::request::Parts;

use super::{Endpoint, Incoming, Scanned, images};
use crate::identity::Caller;
use crate::way::Way;

/// Pictures as OpenAI's clients ask for them.
pub struct ImageGenerations;

impl Endpoint for ImageGenerations {
    fn path(&self) -> &'static str {
        "/v1/images/generations"
    }

    fn interface(&self) -> Interface {
        Interface::Images
    }

    fn rank(&self, way: &Way) -> Option<u8> {
        images::rank(way)
    }

    fn read(&self, head: &Parts, body: Scanned, caller: Caller<'_>) -> Result<Incoming, Failure> {
        images::read(head, body, caller, Speech::OpenAi)
    }

    fn failure(&self, failure: &Failure, _: &mut HeaderMap) -> Bytes {
        images::failure(failure)
    }

    fn late_failure(&self, failure: &Failure, _: &bourse_wire::Stamp<'_>) -> Bytes {
        images::late_failure(failure)
    }

    fn keep_alive(&self) -> &'static [u8] {
        super::chat::KEEP_ALIVE
    }
}

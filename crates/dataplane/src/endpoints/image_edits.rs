//! `POST /images/edits`: OpenAI's changed pictures.
//!
//! The same words as [`super::image_generations`], in a form with the pictures
//! that are to be changed, and the same reply.

use bourse_catalog::Interface;
use bourse_vocab::Failure;
use bourse_wire::images::given::FILE_BYTES_MAX;
use bytes::Bytes;
use http::HeaderMap;
use http::request::Parts;

use super::{Endpoint, Incoming, Scanned, ScannedForm, TakesForms, images};
use crate::identity::Caller;
use crate::way::Way;

/// Pictures to change.
pub struct ImageEdits;

impl Endpoint for ImageEdits {
    fn path(&self) -> &'static str {
        "/v1/images/edits"
    }

    fn interface(&self) -> Interface {
        Interface::Images
    }

    fn rank(&self, way: &Way) -> Option<u8> {
        images::rank_of_edits(way)
    }

    /// JSON has room for addresses and ids of files alone, which nobody here
    /// fetches: what a picture costs would not be known before it is sent.
    fn read(&self, _: &Parts, _: Scanned, _: Caller<'_>) -> Result<Incoming, Failure> {
        Err(Failure::invalid(
            "image: send a form (multipart/form-data) with `image` and `prompt`",
        ))
    }

    fn forms(&self) -> Option<&dyn TakesForms> {
        Some(self)
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

    fn prompt(&self) -> &'static str {
        "prompt"
    }
}

impl TakesForms for ImageEdits {
    fn file_bytes_max(&self) -> usize {
        FILE_BYTES_MAX
    }

    fn read_form(
        &self,
        head: &Parts,
        form: ScannedForm,
        caller: Caller<'_>,
    ) -> Result<Incoming, Failure> {
        images::read_form(head, &form, caller)
    }
}

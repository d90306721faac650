//! `POST /audio/translations`: what is said in a sound, in English. It is a
//! transcript in all but its language.

use bourse_catalog::Interface;
use bourse_vocab::Failure;
use bourse_vocab::transcription::Task;
use bourse_wire::transcription::sound::FILE_BYTES_MAX;
use bytes::Bytes;
use http::HeaderMap;
use http::request::Parts;

use super::transcriptions::{read_form, read_json, shape_of, worded};
use super::{Endpoint, Incoming, Scanned, ScannedForm, TakesForms};
use crate::identity::Caller;
use crate::way::Way;

/// Speech written down in English.
pub struct Translations;

impl Endpoint for Translations {
    fn path(&self) -> &'static str {
        "/v1/audio/translations"
    }

    fn interface(&self) -> Interface {
        Interface::Transcription
    }

    fn rank(&self, way: &Way) -> Option<u8> {
        shape_of(way, Task::Translate).map(|_| 0)
    }

    fn read(&self, head: &Parts, body: Scanned, _: Caller<'_>) -> Result<Incoming, Failure> {
        read_json(head, body, Task::Translate)
    }

    fn forms(&self) -> Option<&dyn TakesForms> {
        Some(self)
    }

    fn failure(&self, failure: &Failure, _: &mut HeaderMap) -> Bytes {
        worded(failure)
    }
}

impl TakesForms for Translations {
    fn file_bytes_max(&self) -> usize {
        FILE_BYTES_MAX
    }

    fn read_form(
        &self,
        head: &Parts,
        form: ScannedForm,
        _: Caller<'_>,
    ) -> Result<Incoming, Failure> {
        read_form(head, form, Task::Translate)
    }
}

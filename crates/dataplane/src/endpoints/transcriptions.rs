//! `POST /audio/transcriptions`: what is said in a sound, in its own language.
//!
//! OpenAI's form with a file, or OpenRouter's JSON with the sound in base64.
//! Vendors are asked for JSON whatever the client wants, because only there
//! they say what they counted; texts and subtitles are made of it.

mod ask;
mod feed;

use std::sync::Arc;

use bourse_catalog::Interface;
use bourse_vocab::transcription::{Shape, Task};
use bourse_vocab::{Failure, Format, Operation, UsageReport};
use bourse_wire::multipart::Boundary;
use bourse_wire::transcription::sound::FILE_BYTES_MAX;
use bourse_wire::transcription::{Asked, codec, reply};
use bourse_wire::{Stamp, WriteTarget};
use bytes::Bytes;
use http::request::Parts;
use http::{HeaderMap, HeaderValue};

use super::event_feed::EventFeed;
use super::{
    ClientRequest, Endpoint, Incoming, Prepared, Scanned, ScannedForm, TakesForms, WholeReply,
    write_failure,
};
use crate::chance;
use crate::identity::Caller;
use crate::relay::{Feed, Report};
use crate::way::Way;
use feed::Transcript;

/// How a transcript ends that is whole.
const FINISHED: &str = "stop";

/// Speech written down in its own language.
pub static TRANSCRIPTIONS: Spoken = Spoken::new("/v1/audio/transcriptions", Task::Transcribe);

/// A path at which speech is written down, in its own language or in English.
pub struct Spoken {
    path: &'static str,
    task: Task,
}

impl Spoken {
    /// At a path.
    pub(super) const fn new(path: &'static str, task: Task) -> Self {
        Self { path, task }
    }
}

impl Endpoint for Spoken {
    fn path(&self) -> &'static str {
        self.path
    }

    fn interface(&self) -> Interface {
        Interface::Transcription
    }

    fn rank(&self, way: &Way) -> Option<u8> {
        shape_of(way, self.task).map(|_| 0)
    }

    fn read(&self, head: &Parts, body: Scanned, _: Caller<'_>) -> Result<Incoming, Failure> {
        let Scanned { outline, segments } = body;
        incoming(head, Asked::of_json(self.task, &outline, &segments)?)
    }

    fn forms(&self) -> Option<&dyn TakesForms> {
        Some(self)
    }

    /// As chat completions do.
    fn failure(&self, failure: &Failure, _: &mut HeaderMap) -> Bytes {
        let codec = bourse_wire::codec(Format::OpenAiChat);
        codec.write_failure(failure).into()
    }

    fn late_failure(&self, failure: &Failure, _: &Stamp<'_>) -> Bytes {
        let mut out = Vec::new();
        write_failure(failure, &mut out);
        out.into()
    }

    /// Nobody streams a translation.
    fn keep_alive(&self) -> &'static [u8] {
        match self.task {
            Task::Transcribe => super::chat::KEEP_ALIVE,
            Task::Translate => b"",
        }
    }
}

impl TakesForms for Spoken {
    fn file_bytes_max(&self) -> usize {
        FILE_BYTES_MAX
    }

    fn read_form(
        &self,
        head: &Parts,
        form: ScannedForm,
        _: Caller<'_>,
    ) -> Result<Incoming, Failure> {
        let ScannedForm { form, segments } = form;
        incoming(head, Asked::of_form(self.task, &form, segments)?)
    }
}

fn incoming(head: &Parts, asked: Asked) -> Result<Incoming, Failure> {
    let ask = ask::read(&head.headers, &asked)?;
    // Drawn for each request: whoever wrote the file cannot have known it.
    let boundary = Boundary::drawn(chance::random());
    Ok(Incoming {
        ask,
        request: Arc::new(TranscriptRequest { asked, boundary }),
    })
}

/// The shape in which a way is asked for this, if it is.
fn shape_of(way: &Way, task: Task) -> Option<Shape> {
    match (way.operation, task) {
        (Operation::Transcription(shape), Task::Transcribe)
        | (Operation::Translation(shape), Task::Translate) => Some(shape),
        _ => None,
    }
}

/// A request whose sound was measured.
struct TranscriptRequest {
    asked: Asked,
    boundary: Boundary,
}

/// Who counts tokens does not say how long the sound was, and callers are told
/// both. Where nothing is counted nothing is noted: that is an estimate.
fn note_length(usage: &mut UsageReport, heard_ms: u64) {
    if usage.prompt.is_some() && usage.units.audio_ms.is_none() {
        usage.units.audio_ms = Some(heard_ms);
    }
}

/// A way was taken that the endpoint does not rank.
fn no_way() -> Failure {
    Failure::server("a transcript is asked of a way that makes none")
}

impl TranscriptRequest {
    fn shape(&self, way: &Way) -> Result<Shape, Failure> {
        shape_of(way, self.asked.task).ok_or_else(no_way)
    }

    /// How long the sound is, by its own bytes.
    fn heard_ms(&self) -> u64 {
        self.asked.sound.measured.ms()
    }
}

impl ClientRequest for TranscriptRequest {
    fn bytes(&self) -> usize {
        self.asked.bytes
    }

    /// The bytes of a file pass; a sound in base64 is decoded, which takes its
    /// time.
    fn translates(&self, _: &Way) -> bool {
        self.asked.sound.is_encoded()
    }

    fn write(&self, way: &Way, target: &WriteTarget<'_>) -> Result<Prepared, Failure> {
        let codec = codec(self.shape(way)?);
        let written = codec.write(&self.asked, target.model, &self.boundary)?;
        Ok(Prepared {
            body: written.body.into_iter().collect(),
            losses: written.losses,
        })
    }

    fn content_type(&self, way: &Way) -> Option<HeaderValue> {
        let codec = codec(self.shape(way).ok()?);
        let content_type = codec.content_type(&self.asked, &self.boundary);
        HeaderValue::try_from(content_type).ok()
    }

    fn tail(&self, way: &Way) -> Option<String> {
        let codec = codec(self.shape(way).ok()?);
        codec.tail(&self.asked).ok().flatten()
    }

    fn media_type(&self) -> Option<&'static str> {
        reply::media_type(self.asked.form)
    }

    fn feed(&self, way: &Way, _: &Stamp<'_>) -> Box<dyn Feed> {
        let events = Transcript::new(self.heard_ms());
        Box::new(EventFeed::new(way.framing, events, Report::default()))
    }

    fn whole(&self, way: &Way, _: &Stamp<'_>, body: &Bytes) -> Result<WholeReply, Failure> {
        let mut read = codec(self.shape(way)?).read(body)?;
        note_length(&mut read.usage, self.heard_ms());
        let form = self.asked.form;
        if !reply::has(&read, form) {
            return Err(Failure::unavailable(
                "The provider's transcript has no segments, of which subtitles are made",
            ));
        }
        Ok(WholeReply {
            report: Report {
                usage: read.usage,
                // Silence has no words, and is heard all the same.
                finish: Some(FINISHED),
                content_bytes: read.text.len() as u64,
                ..Report::default()
            },
            render: Box::new(move |usage, bill| reply::whole(&read, form, usage, bill).into()),
            record: None,
            calls: None,
        })
    }
}

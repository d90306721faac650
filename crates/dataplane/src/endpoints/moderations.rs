//! `POST /moderations`: OpenAI's verdicts on what is written or shown.
//!
//! Nothing of it is chat. What it costs is its input, where it costs anything:
//! who sells models gives verdicts away, and that is a price of nothing.

use std::sync::Arc;

use bourse_catalog::{Interface, Modalities, Modality};
use bourse_routing::lengths::Form;
use bourse_vocab::moderations::Shape;
use bourse_vocab::{Failure, Format, Operation, Units};
use bourse_wire::moderations::asked::USUAL_MODEL;
use bourse_wire::moderations::{Asked, codec, reply};
use bourse_wire::{Stamp, WriteTarget};
use bytes::Bytes;
use http::HeaderMap;
use http::request::Parts;

use super::whole::{Body, Wanted};
use super::{ClientRequest, Endpoint, Incoming, Prepared, Scanned, WholeReply};
use crate::ask::Ask;
use crate::identity::Caller;
use crate::relay::Report;
use crate::way::Way;

/// How an answer ends that has its verdicts.
const FINISHED: &str = "stop";

/// Verdicts.
pub struct Moderations;

impl Endpoint for Moderations {
    fn path(&self) -> &'static str {
        "/v1/moderations"
    }

    fn interface(&self) -> Interface {
        Interface::Moderations
    }

    fn rank(&self, way: &Way) -> Option<u8> {
        shape_of(way).map(|_| 0)
    }

    fn read(&self, head: &Parts, body: Scanned, _: Caller<'_>) -> Result<Incoming, Failure> {
        let Scanned { outline, segments } = body;
        let asked = Asked::read(outline, segments)?;
        Ok(Incoming {
            ask: ask(&head.headers, &asked)?,
            request: Arc::new(ModerationsRequest(asked)),
        })
    }

    /// As chat completions do.
    fn failure(&self, failure: &Failure, _: &mut HeaderMap) -> Bytes {
        let codec = bourse_wire::codec(Format::OpenAiChat);
        codec.write_failure(failure).into()
    }

    fn prompt(&self) -> &'static str {
        "input"
    }
}

fn ask(headers: &HeaderMap, asked: &Asked) -> Result<Box<Ask>, Failure> {
    let body = Body {
        outline: &asked.outline,
        segments: &asked.segments,
    };
    let written = body.bytes_of("input");
    let mut facts = asked.outline.facts(written, &asked.segments);
    // Each text is read by itself.
    let verdicts = u32::try_from(asked.input.verdicts()).unwrap_or(u32::MAX);
    facts.more_windows = verdicts.saturating_sub(1);
    let mut input = Modalities::of(&[Modality::Text]);
    if asked.has_pictures() {
        input.insert(Modality::Image);
    }
    body.ask(
        headers,
        Wanted {
            facts,
            input,
            output: Modality::Decisions,
            text_bytes: asked.longest_bytes(),
            answers: 1,
            // What comes out is not counted in tokens.
            max_output: 0,
            units: Units::default(),
            form: Form::Text,
            one_model: "models judge by kinds of their own; name one in `model`",
            usual_model: Some(USUAL_MODEL),
        },
    )
}

/// The shape in which a way is asked for verdicts, if it is.
const fn shape_of(way: &Way) -> Option<Shape> {
    match way.operation {
        Operation::Moderations(shape) => Some(shape),
        _ => None,
    }
}

/// A request whose inputs were read.
struct ModerationsRequest(Asked);

/// A way was taken that the endpoint does not rank.
fn no_way() -> Failure {
    Failure::server("verdicts are asked of a way that gives none")
}

impl ClientRequest for ModerationsRequest {
    fn bytes(&self) -> usize {
        self.0.outline.len()
    }

    fn translates(&self, _: &Way) -> bool {
        true
    }

    fn write(&self, way: &Way, target: &WriteTarget<'_>) -> Result<Prepared, Failure> {
        let shape = shape_of(way).ok_or_else(no_way)?;
        let written = codec(shape).write(&self.0, target.model)?;
        Ok(Prepared {
            body: written.body.into_iter().collect(),
            losses: written.losses,
        })
    }

    fn whole(&self, way: &Way, stamp: &Stamp<'_>, body: &Bytes) -> Result<WholeReply, Failure> {
        let shape = shape_of(way).ok_or_else(no_way)?;
        let read = codec(shape).read(body, &self.0)?;
        let begun = reply::begin(&read, stamp);
        Ok(WholeReply {
            report: Report {
                usage: read.usage,
                upstream_id: read.upstream_id,
                finish: Some(FINISHED),
                ..Report::default()
            },
            render: Box::new(move |usage, bill| begun.finish(usage, bill).into()),
            record: None,
            calls: None,
        })
    }
}

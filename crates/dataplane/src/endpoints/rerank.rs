//! `POST /rerank`: OpenRouter's order of documents.
//!
//! Nothing of it is chat. What it costs is its input: tokens, or searches
//! through the list.

use std::sync::Arc;

use bourse_catalog::{Interface, Modalities, Modality};
use bourse_routing::lengths::Form;
use bourse_vocab::rerank::Shape;
use bourse_vocab::{Failure, Format, Operation, Units};
use bourse_wire::rerank::{Asked, codec, reply};
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

/// How an answer ends that has its order.
const FINISHED: &str = "stop";

/// An order of documents.
pub struct Rerank;

impl Endpoint for Rerank {
    fn path(&self) -> &'static str {
        "/v1/rerank"
    }

    fn interface(&self) -> Interface {
        Interface::Rerank
    }

    fn rank(&self, way: &Way) -> Option<u8> {
        shape_of(way).map(|_| 0)
    }

    fn read(&self, head: &Parts, body: Scanned, _: Caller<'_>) -> Result<Incoming, Failure> {
        let Scanned { outline, segments } = body;
        let asked = Asked::read(outline, segments)?;
        Ok(Incoming {
            ask: ask(&head.headers, &asked)?,
            request: Arc::new(RerankRequest(asked)),
        })
    }

    /// As chat completions do.
    fn failure(&self, failure: &Failure, _: &mut HeaderMap) -> Bytes {
        let codec = bourse_wire::codec(Format::OpenAiChat);
        codec.write_failure(failure).into()
    }
}

fn ask(headers: &HeaderMap, asked: &Asked) -> Result<Box<Ask>, Failure> {
    let body = Body {
        outline: &asked.outline,
        segments: &asked.segments,
    };
    // The question is read with each document.
    let query = body.bytes_of("query");
    let times = asked.documents.len() as u64;
    let written = query
        .saturating_mul(times)
        .saturating_add(body.bytes_of("documents"));
    let mut facts = asked.outline.facts(written, &asked.segments);
    let documents = u32::try_from(asked.documents.len()).unwrap_or(u32::MAX);
    facts.more_windows = documents.saturating_sub(1);
    let mut input = Modalities::of(&[Modality::Text]);
    if asked.has_pictures() {
        input.insert(Modality::Image);
    }
    body.ask(
        headers,
        Wanted {
            facts,
            input,
            output: Modality::Rerank,
            text_bytes: asked.longest_bytes(),
            answers: 1,
            // What comes out is not counted in tokens.
            max_output: 0,
            units: Units {
                search_units: asked.search_units_max(),
                ..Units::default()
            },
            form: Form::Text,
            one_model: "an order is asked of one model; name it in `model`",
            usual_model: None,
        },
    )
}

/// The shape in which a way is asked for an order, if it is.
const fn shape_of(way: &Way) -> Option<Shape> {
    match way.operation {
        Operation::Rerank(shape) => Some(shape),
        _ => None,
    }
}

/// A request whose documents were read.
struct RerankRequest(Asked);

/// A way was taken that the endpoint does not rank.
fn no_way() -> Failure {
    Failure::server("an order is asked of a way that makes none")
}

impl ClientRequest for RerankRequest {
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
        let begun = reply::begin(&read, &self.0, stamp);
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

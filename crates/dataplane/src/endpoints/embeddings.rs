//! `POST /embeddings`: OpenAI's vectors, with OpenRouter's additions.
//!
//! Nothing of it is chat. A request names texts, and its answer is a vector
//! for each, all at once. What it costs is its input, which is known before
//! it is sent as well as any prompt is, and exactly where it comes as tokens.

use std::sync::Arc;

use bourse_catalog::{Interface, Modalities, Modality};
use bourse_routing::filter::BYTES_PER_TOKEN_MAX;
use bourse_routing::lengths::Form;
use bourse_vocab::embeddings::{Reply, Shape};
use bourse_vocab::{Failure, Format, Operation, PromptFacts, Units};
use bourse_wire::embeddings::{Asked, Kind, codec, reply};
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

/// How an answer ends that has all of its vectors.
const FINISHED: &str = "stop";

/// Vectors.
pub struct Embeddings;

impl Endpoint for Embeddings {
    fn path(&self) -> &'static str {
        "/v1/embeddings"
    }

    fn prompt(&self) -> &'static str {
        "input"
    }

    fn interface(&self) -> Interface {
        Interface::Embeddings
    }

    fn rank(&self, way: &Way) -> Option<u8> {
        let shape = shape_of(way)?;
        Some(u8::from(!codec(shape).passes()))
    }

    fn read(&self, head: &Parts, body: Scanned, caller: Caller<'_>) -> Result<Incoming, Failure> {
        let Scanned { outline, segments } = body;
        let mut asked = Asked::read(outline, segments)?;
        let ask = read(&head.headers, &asked)?;
        asked.user = caller.user(Some(&ask.attribution.user));
        Ok(Incoming {
            ask,
            request: Arc::new(EmbeddingsRequest(asked)),
        })
    }

    /// As chat completions do.
    fn failure(&self, failure: &Failure, _: &mut HeaderMap) -> Bytes {
        let codec = bourse_wire::codec(Format::OpenAiChat);
        codec.write_failure(failure).into()
    }
}

/// The shape in which a way is asked for vectors, if it is.
pub(super) const fn shape_of(way: &Way) -> Option<Shape> {
    match way.operation {
        Operation::Embeddings(shape) => Some(shape),
        _ => None,
    }
}

/// A request whose inputs were counted.
pub(super) struct EmbeddingsRequest(pub(super) Asked);

/// A way was taken that the endpoint does not rank.
pub(super) fn no_way() -> Failure {
    Failure::server("vectors are asked of a way that makes none")
}

impl ClientRequest for EmbeddingsRequest {
    fn bytes(&self) -> usize {
        self.0.outline.len()
    }

    fn translates(&self, way: &Way) -> bool {
        shape_of(way).is_none_or(|shape| !codec(shape).passes())
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
        let asked = &self.0;
        let read = codec(shape).read(body, asked.survey.inputs)?;
        reply::check_length(&read, asked.dimensions)?;
        let begun = reply::begin(&read, asked.encoding, stamp)?;
        Ok(WholeReply {
            report: report(read),
            render: Box::new(move |usage, bill| begun.finish(usage, bill).into()),
            record: None,
            calls: None,
        })
    }
}

/// What is learned of a reply.
pub(super) fn report(reply: Reply) -> Report {
    Report {
        usage: reply.usage,
        upstream_id: reply.upstream_id,
        finish: Some(FINISHED),
        ..Report::default()
    }
}

/// Reads what is asked for.
pub(super) fn read(headers: &HeaderMap, asked: &Asked) -> Result<Box<Ask>, Failure> {
    let body = Body {
        outline: &asked.outline,
        segments: &asked.segments,
    };
    let facts = facts(asked);
    body.ask(
        headers,
        Wanted {
            input: input(&facts),
            output: Modality::Embeddings,
            text_bytes: longest(asked),
            facts,
            answers: 1,
            // What comes out is not counted in tokens.
            max_output: 0,
            units: Units::default(),
            form: Form::Text,
            one_model: "vectors of different models cannot be compared; name one in `model`",
            usual_model: None,
        },
    )
}

/// What goes in.
fn input(facts: &PromptFacts) -> Modalities {
    [
        (true, Modality::Text),
        (facts.images.count() > 0, Modality::Image),
        (facts.audio.media.any(), Modality::Audio),
        (facts.video.any(), Modality::Video),
        (facts.files.any(), Modality::File),
    ]
    .into_iter()
    .filter_map(|(is_there, modality)| is_there.then_some(modality))
    .collect()
}

/// Bytes of the longest input, which must fit the model's context.
fn longest(asked: &Asked) -> u64 {
    let survey = &asked.survey;
    match survey.kind {
        Kind::Tokens => survey.longest_token_ids.saturating_mul(BYTES_PER_TOKEN_MAX),
        Kind::Text | Kind::Parts => survey.longest_bytes,
    }
}

/// What the model reads: each input by itself.
fn facts(asked: &Asked) -> PromptFacts {
    let survey = &asked.survey;
    let written = asked.outline.get("input");
    let written = written.map_or(0, |input| input.value.len() as u64);
    let mut facts = asked.outline.facts(written, &asked.segments);
    if survey.kind == Kind::Tokens {
        facts.text_bytes = 0;
        facts.token_ids = survey.token_ids;
    }
    let inputs = u32::try_from(survey.inputs).unwrap_or(u32::MAX);
    facts.more_windows = inputs.saturating_sub(1);
    facts
}

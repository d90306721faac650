//! `POST /images`: OpenRouter's pictures, all of them in the answer.
//!
//! Nothing of it is chat. What a picture costs is known before it is made only
//! at most: by its size where it is sold by tokens, and by how many there are
//! where it is sold by the piece. A stream is not made: OpenRouter's document
//! says that `stream` is then answered with the whole reply.

use std::sync::Arc;

use bourse_catalog::{Interface, Modalities, Modality};
use bourse_routing::lengths::Form;
use bourse_vocab::images::Shape;
use bourse_vocab::{Failure, Format, Operation, Units};
use bourse_wire::images::reply::{self, Speech};
use bourse_wire::images::{Asked, codec};
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

/// How an answer ends that has its pictures.
const FINISHED: &str = "stop";

/// Pictures as OpenRouter's clients ask for them.
pub struct Images;

impl Endpoint for Images {
    fn path(&self) -> &'static str {
        "/v1/images"
    }

    fn interface(&self) -> Interface {
        Interface::Images
    }

    fn rank(&self, way: &Way) -> Option<u8> {
        rank(way)
    }

    fn read(&self, head: &Parts, body: Scanned, caller: Caller<'_>) -> Result<Incoming, Failure> {
        read(head, body, caller, Speech::OpenRouter)
    }

    fn failure(&self, failure: &Failure, _: &mut HeaderMap) -> Bytes {
        self::failure(failure)
    }
}

/// Every shape is written anew, so none comes before another.
pub(super) fn rank(way: &Way) -> Option<u8> {
    shape_of(way).map(|_| 0)
}

/// As chat completions word it.
pub(super) fn failure(failure: &Failure) -> Bytes {
    let codec = bourse_wire::codec(Format::OpenAiChat);
    codec.write_failure(failure).into()
}

/// Reads a request whose answer is told in one of two ways.
pub(super) fn read(
    head: &Parts,
    body: Scanned,
    caller: Caller<'_>,
    speech: Speech,
) -> Result<Incoming, Failure> {
    let Scanned { outline, segments } = body;
    let mut asked = Asked::read(outline, segments)?;
    if speech == Speech::OpenAi && asked.wants_stream() {
        return Err(Failure::invalid(
            "stream: pictures come whole here, and no beginnings of them are shown; remove it",
        ));
    }
    if speech == Speech::OpenRouter {
        // It has no such member, and no word for an address.
        asked.delivery = bourse_wire::images::asked::Delivery::Base64;
    }
    let ask = ask(&head.headers, &asked)?;
    asked.user = caller.user(Some(&ask.attribution.user));
    Ok(Incoming {
        ask,
        request: Arc::new(ImagesRequest { asked, speech }),
    })
}

fn ask(headers: &HeaderMap, asked: &Asked) -> Result<Box<Ask>, Failure> {
    let body = Body {
        outline: &asked.outline,
        segments: &asked.segments,
    };
    let written = body.bytes_of("prompt");
    body.ask(
        headers,
        Wanted {
            facts: asked.outline.facts(written, &asked.segments),
            input: Modalities::of(&[Modality::Text]),
            output: Modality::Image,
            text_bytes: written,
            answers: asked.pictures,
            max_output: asked.tokens_max(),
            units: Units {
                pictures: asked.pictures,
                ..Units::default()
            },
            form: Form::Media,
            one_model: "pictures are asked of one model; name it in `model`",
        },
    )
}

/// The shape in which a way is asked for pictures, if it is.
const fn shape_of(way: &Way) -> Option<Shape> {
    match way.operation {
        Operation::Images(shape) => Some(shape),
        _ => None,
    }
}

/// A request for pictures, and how they are told of.
struct ImagesRequest {
    asked: Asked,
    speech: Speech,
}

/// A way was taken that the endpoint does not rank.
fn no_way() -> Failure {
    Failure::server("pictures are asked of a way that makes none")
}

impl ClientRequest for ImagesRequest {
    fn bytes(&self) -> usize {
        self.asked.outline.len()
    }

    fn translates(&self, _: &Way) -> bool {
        true
    }

    fn write(&self, way: &Way, target: &WriteTarget<'_>) -> Result<Prepared, Failure> {
        let shape = shape_of(way).ok_or_else(no_way)?;
        let written = codec(shape).write(&self.asked, target.model)?;
        Ok(Prepared {
            body: written.body.into_iter().collect(),
            losses: written.losses,
        })
    }

    fn whole(&self, way: &Way, stamp: &Stamp<'_>, body: &Bytes) -> Result<WholeReply, Failure> {
        let shape = shape_of(way).ok_or_else(no_way)?;
        let read = codec(shape).read(body)?;
        let begun = reply::begin(&read, self.speech, stamp)?;
        // Where tokens are sold and none were counted, the pictures took what
        // such pictures take at most.
        let mut usage = read.usage;
        let uncounted = usage.completion.is_none();
        let tokens = if uncounted {
            let pictures = read.pictures.len() as u64;
            self.asked.tokens_max().saturating_mul(pictures)
        } else {
            0
        };
        if uncounted {
            usage.completion_image = Some(tokens);
        }
        Ok(WholeReply {
            report: Report {
                usage,
                content_pieces: tokens,
                finish: Some(FINISHED),
                ..Report::default()
            },
            render: Box::new(move |usage, bill| begun.finish(usage, bill).into()),
            record: None,
            calls: None,
        })
    }
}

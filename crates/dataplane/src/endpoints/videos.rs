//! `POST /videos`: OpenRouter's films.
//!
//! Its answer is that somebody has taken the job. What it costs is known before
//! it is made at most, by its length and size.

use std::sync::Arc;

use bourse_catalog::{Interface, Modalities, Modality};
use bourse_net::is_public_url;
use bourse_routing::lengths::Form;
use bourse_vocab::videos::{Shape, Tier};
use bourse_vocab::{Failure, Format, Operation, Units};
use bourse_wire::videos::reply::Told;
use bourse_wire::videos::{Asked, Picture, codec};
use bourse_wire::{Stamp, WriteTarget};
use bytes::Bytes;
use http::request::Parts;
use http::{HeaderMap, StatusCode};

use super::whole::{Body, Wanted};
use super::{ClientRequest, Endpoint, Incoming, JobRequest, Prepared, Scanned, WholeReply};
use crate::ask::Ask;
use crate::identity::Caller;
use crate::relay::Report;
use crate::way::Way;

/// How an answer ends that has taken the job.
const TAKEN: &str = "stop";

/// Films.
pub struct Videos;

impl Endpoint for Videos {
    fn path(&self) -> &'static str {
        "/v1/videos"
    }

    fn interface(&self) -> Interface {
        Interface::Videos
    }

    fn rank(&self, way: &Way) -> Option<u8> {
        shape_of(way).map(|_| 0)
    }

    fn read(&self, head: &Parts, body: Scanned, _: Caller<'_>) -> Result<Incoming, Failure> {
        let Scanned { outline, segments } = body;
        let asked = Asked::read(outline, segments)?;
        Ok(Incoming {
            ask: ask(&head.headers, &asked)?,
            request: Arc::new(VideosRequest(asked)),
        })
    }

    /// As chat completions do.
    fn failure(&self, failure: &Failure, _: &mut HeaderMap) -> Bytes {
        let codec = bourse_wire::codec(Format::OpenAiChat);
        codec.write_failure(failure).into()
    }

    fn prompt(&self) -> &'static str {
        "prompt"
    }

    fn success(&self) -> StatusCode {
        StatusCode::ACCEPTED
    }
}

fn ask(headers: &HeaderMap, asked: &Asked) -> Result<Box<Ask>, Failure> {
    let body = Body {
        outline: &asked.outline,
        segments: &asked.segments,
    };
    for picture in asked.pictures() {
        if let Picture::At(url) = picture
            && !is_public_url(url)
        {
            return Err(Failure::invalid(
                "frame_images, input_references: an address must be one that anybody on the internet can fetch; send the picture as `data:image/png;base64,…`",
            ));
        }
    }
    let written = body.bytes_of("prompt");
    let mut input = Modalities::of(&[Modality::Text]);
    if asked.pictures().next().is_some() {
        input.insert(Modality::Image);
    }
    body.ask(
        headers,
        Wanted {
            facts: asked.outline.facts(written, &asked.segments),
            input,
            output: Modality::Video,
            text_bytes: written,
            answers: 1,
            // What comes out is not counted in tokens.
            max_output: 0,
            units: Units::of_video(asked.tier(), asked.ms_max()),
            form: Form::Media,
            one_model: "films are asked of one model; name it in `model`",
            usual_model: None,
        },
    )
}

/// The shape in which a way is asked for films, if it is.
const fn shape_of(way: &Way) -> Option<Shape> {
    match way.operation {
        Operation::Videos(shape) => Some(shape),
        _ => None,
    }
}

/// A request for a film.
struct VideosRequest(Asked);

/// A way was taken that the endpoint does not rank.
fn no_way() -> Failure {
    Failure::server("films are asked of a way that makes none")
}

impl ClientRequest for VideosRequest {
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

    fn whole(&self, way: &Way, _: &Stamp<'_>, body: &Bytes) -> Result<WholeReply, Failure> {
        let shape = shape_of(way).ok_or_else(no_way)?;
        let name = codec(shape).accepted(body)?;
        Ok(WholeReply {
            report: Report {
                upstream_id: Some(name),
                finish: Some(TAKEN),
                ..Report::default()
            },
            render: Box::new(|_, _| Bytes::new()),
            record: None,
            calls: None,
        })
    }

    fn job(&self) -> Option<&dyn JobRequest> {
        Some(self)
    }
}

impl JobRequest for VideosRequest {
    fn callback(&self) -> Option<&str> {
        self.0.callback.as_deref()
    }

    fn taken(&self, id: &str) -> Bytes {
        let told = Told {
            id,
            status: "pending",
            model: "",
            error: None,
            films: 0,
            cost: None,
            callback: None,
        };
        told.answer().into()
    }

    fn order(&self, way: &Way, model: &str) -> Result<(u64, Tier, Shape), Failure> {
        let shape = shape_of(way).ok_or_else(no_way)?;
        let order = codec(shape).order(&self.0, model)?;
        Ok((order.seconds.saturating_mul(1_000), order.tier, shape))
    }
}

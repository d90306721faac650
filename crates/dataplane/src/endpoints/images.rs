//! `POST /images`: OpenRouter's pictures, all of them in the answer.
//!
//! Nothing of it is chat. What a picture costs is known before it is made only
//! at most: by its size where it is sold by tokens, and by how many there are
//! where it is sold by the piece. OpenRouter's clients get no stream: its
//! document says that `stream` may be answered with the whole reply. OpenAI's
//! do ([`super::image_generations`], [`super::image_edits`]).

mod feed;

use std::sync::Arc;

use bourse_catalog::{Interface, Modalities, Modality};
use bourse_routing::lengths::Form;
use bourse_vocab::images::Shape;
use bourse_vocab::usage::TOKENS_MAX;
use bourse_vocab::{Failure, Format, Operation, Units, UsageReport};
use bourse_wire::images::reply::{self, Speech};
use bourse_wire::images::{Asked, codec};
use bourse_wire::multipart::Boundary;
use bourse_wire::{Stamp, WriteTarget};
use bytes::Bytes;
use http::request::Parts;
use http::{HeaderMap, HeaderValue};

use super::event_feed::EventFeed;
use super::whole::{Body, Wanted};
use super::{
    ClientRequest, Endpoint, Incoming, Prepared, Scanned, ScannedForm, WholeReply, write_failure,
};
use crate::ask::Ask;
use crate::chance;
use crate::identity::Caller;
use crate::relay::{Feed, Report};
use crate::way::Way;
use feed::Picture;

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
    shape_of(way, false).map(|_| 0)
}

/// The same where pictures are given.
pub(super) fn rank_of_edits(way: &Way) -> Option<u8> {
    shape_of(way, true).map(|_| 0)
}

/// As chat completions word it.
pub(super) fn failure(failure: &Failure) -> Bytes {
    let codec = bourse_wire::codec(Format::OpenAiChat);
    codec.write_failure(failure).into()
}

/// The same as the last event of a stream.
pub(super) fn late_failure(failure: &Failure) -> Bytes {
    let mut out = Vec::new();
    write_failure(failure, &mut out);
    out.into()
}

/// Reads a form with pictures that are to be changed.
pub(super) fn read_form(
    head: &Parts,
    form: &ScannedForm,
    caller: Caller<'_>,
) -> Result<Incoming, Failure> {
    let asked = Asked::of_form(&form.form, &form.segments)?;
    // Drawn for each request: whoever made the pictures cannot have known it.
    let boundary = Boundary::drawn(chance::random());
    incoming(head, asked, caller, (Speech::OpenAi, Some(boundary)))
}

/// Reads a request whose answer is told in one of two ways.
pub(super) fn read(
    head: &Parts,
    body: Scanned,
    caller: Caller<'_>,
    speech: Speech,
) -> Result<Incoming, Failure> {
    let Scanned { outline, segments } = body;
    incoming(
        head,
        Asked::read(outline, segments)?,
        caller,
        (speech, None),
    )
}

fn incoming(
    head: &Parts,
    mut asked: Asked,
    caller: Caller<'_>,
    (speech, form): (Speech, Option<Boundary>),
) -> Result<Incoming, Failure> {
    match speech {
        Speech::OpenAi => asked.may_stream()?,
        // It has no such member, and no word for an address.
        Speech::OpenRouter => asked.delivery = bourse_wire::images::asked::Delivery::Base64,
    }
    let ask = ask(&head.headers, &asked)?;
    asked.user = caller.user(Some(&ask.attribution.user));
    Ok(Incoming {
        ask,
        request: Arc::new(ImagesRequest {
            asked,
            speech,
            form,
        }),
    })
}

fn ask(headers: &HeaderMap, asked: &Asked) -> Result<Box<Ask>, Failure> {
    let body = Body {
        outline: &asked.outline,
        segments: &asked.segments,
    };
    let written = body.bytes_of("prompt");
    let mut facts = asked.outline.facts(written, &asked.segments);
    let mut input = Modalities::of(&[Modality::Text]);
    for picture in asked.given.all() {
        facts.images.add(picture.fact());
        input.insert(Modality::Image);
    }
    let ask = body.ask(
        headers,
        Wanted {
            facts,
            input,
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
            usual_model: None,
        },
    );
    ask.map(|mut ask| {
        ask.stream = asked.stream;
        ask
    })
}

/// The shape in which a way is asked for pictures, if it is.
const fn shape_of(way: &Way, is_edit: bool) -> Option<Shape> {
    match (way.operation, is_edit) {
        (Operation::Images(shape), false) | (Operation::ImageEdits(shape), true) => Some(shape),
        _ => None,
    }
}

/// A request for pictures, and how they are told of.
struct ImagesRequest {
    asked: Asked,
    speech: Speech,
    /// What separates the parts of the form, where pictures are given.
    form: Option<Boundary>,
}

impl ImagesRequest {
    fn shape(&self, way: &Way) -> Result<Shape, Failure> {
        shape_of(way, self.form.is_some()).ok_or_else(no_way)
    }
}

/// Where tokens are sold and none were counted, the pictures took what such
/// pictures take at most: that is what is returned. All that went in is then
/// taken for pictures, if any were given: they are the dearer part.
fn note_uncounted(usage: &mut UsageReport, tokens_max: u64, is_edit: bool) -> Option<u64> {
    if is_edit && usage.prompt.is_none() {
        usage.prompt_image = Some(TOKENS_MAX);
    }
    if usage.completion.is_some() {
        return None;
    }
    usage.completion_image = Some(tokens_max);
    Some(tokens_max)
}

/// A way was taken that the endpoint does not rank.
fn no_way() -> Failure {
    Failure::server("pictures are asked of a way that makes none")
}

impl ClientRequest for ImagesRequest {
    fn bytes(&self) -> usize {
        let pictures = self.asked.given.all().flat_map(|picture| &picture.pieces);
        let pictures: usize = pictures.map(Bytes::len).sum();
        self.asked.outline.len().saturating_add(pictures)
    }

    /// The bytes of a picture pass.
    fn translates(&self, _: &Way) -> bool {
        self.form.is_none()
    }

    fn write(&self, way: &Way, target: &WriteTarget<'_>) -> Result<Prepared, Failure> {
        let codec = codec(self.shape(way)?);
        let (body, losses) = match &self.form {
            Some(boundary) => {
                let written = codec.write_edit(&self.asked, target.model, boundary)?;
                (written.body, written.losses)
            }
            None => {
                let written = codec.write(&self.asked, target.model)?;
                (written.body, written.losses)
            }
        };
        Ok(Prepared {
            body: body.into_iter().collect(),
            losses,
        })
    }

    fn content_type(&self, _: &Way) -> Option<HeaderValue> {
        HeaderValue::try_from(self.form.as_ref()?.content_type()).ok()
    }

    fn feed(&self, way: &Way, _: &Stamp<'_>) -> Box<dyn Feed> {
        let events = Picture::new(self.asked.tokens_max(), self.form.is_some());
        Box::new(EventFeed::new(way.framing, events, Picture::report()))
    }

    fn whole(&self, way: &Way, stamp: &Stamp<'_>, body: &Bytes) -> Result<WholeReply, Failure> {
        let read = codec(self.shape(way)?).read(body)?;
        let begun = reply::begin(&read, self.speech, stamp)?;
        let mut usage = read.usage;
        let pictures = read.pictures.len() as u64;
        let most = self.asked.tokens_max().saturating_mul(pictures);
        let tokens = note_uncounted(&mut usage, most, self.form.is_some()).unwrap_or(0);
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

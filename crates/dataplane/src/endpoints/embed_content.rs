//! `POST /v1beta/models/{model}:embedContent` and `:batchEmbedContents`:
//! Google's vectors, of every model that makes some.
//!
//! What is asked for is said in the words of [`super::embeddings`], and so are
//! its limits and its price; the answer is told in Google's.

use std::sync::Arc;

use bourse_catalog::Interface;
use bourse_vocab::{Failure, FailureKind};
use bourse_wire::embeddings::{Asked, codec, google, reply};
use bourse_wire::{Stamp, WriteTarget};
use bytes::Bytes;
use http::HeaderMap;
use http::request::Parts;

use super::embeddings::{self, Embeddings, EmbeddingsRequest};
use super::generate_content::{GenerateContent, address};
use super::{ClientRequest, Endpoint, Incoming, Prepared, Scanned, WholeReply};
use crate::identity::Caller;
use crate::way::Way;

/// What the address ends with, for one input.
const ONE: &str = "embedContent";
/// The same for several.
const MANY: &str = "batchEmbedContents";

/// Vectors.
pub struct EmbedContent;

impl Endpoint for EmbedContent {
    fn path(&self) -> &'static str {
        "/v1/models/{model}:embedContent"
    }

    fn serves(&self, path: &str) -> bool {
        address::serves(path, ONE) || address::serves(path, MANY)
    }

    fn interface(&self) -> Interface {
        Interface::Embeddings
    }

    fn rank(&self, way: &Way) -> Option<u8> {
        Embeddings.rank(way)
    }

    fn read(&self, head: &Parts, body: Scanned, caller: Caller<'_>) -> Result<Incoming, Failure> {
        let Scanned { outline, segments } = body;
        let path = head.uri.path();
        let model = address::model(path)
            .ok_or_else(|| Failure::new(FailureKind::NotFound, "the address must name a model"))?;
        let is_batch = path.ends_with(MANY);
        let mut asked = google::asked(&outline, &segments, &model, is_batch)?;
        let ask = embeddings::read(&head.headers, &asked)?;
        asked.user = caller.user(Some(&ask.attribution.user));
        Ok(Incoming {
            ask,
            request: Arc::new(EmbedRequest {
                asked: EmbeddingsRequest(asked),
                is_batch,
            }),
        })
    }

    fn prompt(&self) -> &'static str {
        "content"
    }

    fn failure(&self, failure: &Failure, headers: &mut HeaderMap) -> Bytes {
        GenerateContent.failure(failure, headers)
    }
}

/// A request whose inputs were counted.
struct EmbedRequest {
    asked: EmbeddingsRequest,
    is_batch: bool,
}

impl EmbedRequest {
    const fn asked(&self) -> &Asked {
        &self.asked.0
    }
}

impl ClientRequest for EmbedRequest {
    fn bytes(&self) -> usize {
        self.asked.bytes()
    }

    fn translates(&self, way: &Way) -> bool {
        self.asked.translates(way)
    }

    fn write(&self, way: &Way, target: &WriteTarget<'_>) -> Result<Prepared, Failure> {
        self.asked.write(way, target)
    }

    fn whole(&self, way: &Way, stamp: &Stamp<'_>, body: &Bytes) -> Result<WholeReply, Failure> {
        let asked = self.asked();
        let shape = embeddings::shape_of(way).ok_or_else(embeddings::no_way)?;
        let read = codec(shape).read(body, asked.survey.inputs)?;
        reply::check_length(&read, asked.dimensions)?;
        let begun = google::begin(&read, self.is_batch, stamp)?;
        Ok(WholeReply {
            report: embeddings::report(read),
            render: Box::new(move |usage, bill| begun.finish(usage, bill).into()),
            record: None,
            calls: None,
        })
    }
}

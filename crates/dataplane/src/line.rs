//! A call that nobody waits for at a connection: a line of a batch.
//!
//! It runs through all the phases of a call. What differs is who lets it in
//! (its batch, which was let in with a key), what names it (its place in the
//! batch, so that whoever was killed finds it in the books), and that its
//! answer is kept before it is paid for ([`Witness`]).

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::task::{Context, Poll};

use bourse_net::Upstream;
use bourse_policy::KeyHash;
use bourse_vocab::{Failure, GenerationId};
use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderValue};
use http::{Method, Request};
use http_body::{Frame, SizeHint};

use crate::admission::Shed;
use crate::ask::Ask;
use crate::endpoints::Endpoint;
use crate::phases::admit::{Denied, enter_line};
use crate::pipeline::{Began, Worker, run};
use crate::respond::ReplyBody;

/// Keeps an answer before its call is settled: whoever is killed in between
/// has an answer that the house has paid, and never a customer who has paid
/// for an answer that is lost.
pub trait Witness: Send + Sync {
    /// Keeps an answer. It may be that nobody asks for it any more: a call
    /// that has been dispatched is brought to its end.
    fn keep(&self, answer: &Bytes);
}

/// A line of a batch.
pub struct Line {
    /// What its call is called.
    pub id: GenerationId,
    /// Who pays.
    pub key: KeyHash,
    /// The batch, as the record of the call names it.
    pub batch: String,
    /// See [`Witness`].
    pub witness: Arc<dyn Witness>,
}

impl Line {
    /// Notes in what is recorded of a call which batch it belongs to.
    ///
    /// # Errors
    /// It asks for a stream, which nobody would read.
    pub(crate) fn mark(&self, ask: &mut Ask) -> Result<(), Failure> {
        if ask.stream {
            return Err(Failure::invalid(
                "stream: lines of a batch are answered whole; leave it out",
            ));
        }
        let labels = &mut ask.attribution.labels;
        let rest = labels.strip_prefix('{').unwrap_or("}");
        let comma = if rest == "}" { "" } else { "," };
        // Ids are letters, digits and underscores.
        *labels = format!("{{\"batch\":\"{}\"{comma}{rest}", self.batch);
        Ok(())
    }
}

/// Why a line has no answer.
#[derive(Debug)]
pub enum Unanswered {
    /// Its key does not open this now.
    Key(Failure),
    /// There is no room for it now.
    Shed(Shed),
    /// It was called and failed, or was refused.
    Failed(Failure),
}

/// Calls a line; its answer, in the words of its endpoint.
///
/// # Errors
/// Why there is none.
pub async fn call<U: Upstream>(
    worker: &Worker<U>,
    endpoint: &'static dyn Endpoint,
    body: Bytes,
    line: Line,
) -> Result<Bytes, Unanswered> {
    let gateway = &worker.gateway;
    let started_ms = gateway.clock.now_ms();
    let id = line.id;
    let entered = enter_line(gateway, &worker.door, &line.key, started_ms).await;
    let entered = entered.map_err(|denied| match denied {
        Denied::Failed(failure) => Unanswered::Key(failure),
        Denied::Shed(why) => Unanswered::Shed(why),
    })?;
    let mut request = Request::new(Whole(Some(body)));
    *request.method_mut() = Method::POST;
    *request.uri_mut() = http::Uri::from_static(endpoint.path());
    let json = HeaderValue::from_static("application/json");
    request.headers_mut().insert(CONTENT_TYPE, json);
    gateway.counters.calls.fetch_add(1, Relaxed);
    let began = Began {
        id,
        started_ms,
        entered,
        line: Some(&line),
    };
    let ran = Box::pin(run(worker, endpoint, request, began));
    let answered = ran.await.and_then(|response| match response.into_body() {
        ReplyBody::Whole(Some(body), _) => Ok(body),
        _ => Err(Failure::server("a line of a batch was not answered whole")),
    });
    answered.map_err(|failure| {
        gateway.counters.fail(failure.blame);
        Unanswered::Failed(failure)
    })
}

/// A body that is there.
struct Whole(Option<Bytes>);

impl http_body::Body for Whole {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        Poll::Ready(self.get_mut().0.take().map(|body| Ok(Frame::data(body))))
    }

    fn is_end_stream(&self) -> bool {
        self.0.is_none()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.0.as_ref().map_or(0, |body| body.len() as u64))
    }
}

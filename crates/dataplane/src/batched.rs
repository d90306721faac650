//! Calling a line of a batch.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::atomic::Ordering::Relaxed;
use std::task::{Context, Poll};

use bourse_net::Upstream;
use bourse_vocab::Failure;
use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderValue};
use http::{Method, Request};
use http_body::{Frame, SizeHint};

use crate::admission::Shed;
use crate::endpoints::Endpoint;
use crate::line::Line;
use crate::phases::admit::{Denied, enter_line};
use crate::pipeline::{Began, Worker, run};
use crate::respond::ReplyBody;

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

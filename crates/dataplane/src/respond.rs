//! Replies as HTTP.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bourse_net::h1_server::Answer;
use bourse_vocab::{Failure, GenerationId};
use bytes::Bytes;
use http::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderName, RETRY_AFTER};
use http::{HeaderValue, Response, StatusCode};
use http_body::{Frame, SizeHint};

use crate::admission::InFlight;
use crate::bodies::Room;
use crate::endpoints::Endpoint;
use crate::phases::recall::{Hit, Told};
use crate::relay::body::Relay;
use crate::relay::replay::Replay;
use crate::relay::reply::Reply;

/// The id of the call, on every reply to one.
pub const GENERATION_ID: HeaderName = HeaderName::from_static("x-generation-id");
/// Says that answers come from simulated providers.
pub const SIMULATED: HeaderName = HeaderName::from_static("x-bourse-simulated");

type Other = Pin<Box<dyn http_body::Body<Data = Bytes, Error = BoxError> + Send>>;
type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// The body of a reply.
pub enum ReplyBody {
    /// All of it, and the room that it takes if a provider sent it.
    Whole(Option<Bytes>, Option<Room>),
    /// A stream.
    Stream(Relay),
    /// Whatever the control plane answers.
    Other(Other),
}

impl http_body::Body for ReplyBody {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        match self.get_mut() {
            Self::Whole(body, _) => Poll::Ready(body.take().map(|data| Ok(Frame::data(data)))),
            Self::Stream(relay) => {
                let next = ready!(relay.poll_next(cx));
                if next.is_none() && relay.is_broken_off() {
                    // The connection is closed without an end of the body.
                    return Poll::Ready(Some(Err("the answer broke off".into())));
                }
                Poll::Ready(next.map(|data| Ok(Frame::data(data))))
            }
            Self::Other(body) => body.as_mut().poll_frame(cx),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Whole(body, _) => body.is_none(),
            Self::Stream(relay) => relay.is_over(),
            Self::Other(body) => body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Whole(body, _) => {
                SizeHint::with_exact(body.as_ref().map_or(0, |body| body.len() as u64))
            }
            Self::Stream(_) => SizeHint::default(),
            Self::Other(body) => body.size_hint(),
        }
    }
}

impl Answer for ReplyBody {
    fn written(&mut self) {
        if let Self::Stream(relay) = self {
            relay.written();
        }
    }
}

/// An id as the value of a header.
pub(crate) fn id_header(id: &str) -> HeaderValue {
    // Ids are letters, digits and dashes.
    HeaderValue::from_str(id).unwrap_or(HeaderValue::from_static("gen-unknown"))
}

/// An answer.
#[must_use]
pub fn reply(reply: Reply, id: &str) -> Response<ReplyBody> {
    match reply {
        Reply::Whole(body, room, media_type) => {
            let mut response = json(body, room, id);
            if let Some(media_type) = media_type {
                let media_type = HeaderValue::from_static(media_type);
                response.headers_mut().insert(CONTENT_TYPE, media_type);
            }
            response
        }
        Reply::Stream(relay) => stream(relay, id),
    }
}

/// An answer that was kept, for a call that is under way until its client has
/// it.
#[must_use]
pub fn hit(hit: Hit, in_flight: InFlight, id: GenerationId) -> Response<ReplyBody> {
    let id = &id.to_string();
    let mut response = match hit.answer {
        Told::Whole(body) => json(body, hit.room, id),
        Told::Stream(text, feed) => {
            let replay = Replay::begin(text, feed, (hit.room, in_flight));
            stream(Relay::replay(replay), id)
        }
    };
    hit.head.tell(response.headers_mut());
    response
}

fn json(body: Bytes, room: Room, id: &str) -> Response<ReplyBody> {
    let mut response = Response::new(ReplyBody::Whole(Some(body), Some(room)));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(GENERATION_ID, id_header(id));
    response
}

fn stream(relay: Relay, id: &str) -> Response<ReplyBody> {
    let events = || HeaderValue::from_static("text/event-stream");
    let media_type = relay.media_type().unwrap_or_else(events);
    let mut response = Response::new(ReplyBody::Stream(relay));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, media_type);
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    // Reverse proxies that buffer must not do so here.
    headers.insert(
        HeaderName::from_static("x-accel-buffering"),
        HeaderValue::from_static("no"),
    );
    headers.insert(GENERATION_ID, id_header(id));
    response
}

/// A failure, in the words of the endpoint that was called.
#[must_use]
pub fn failure(
    endpoint: &dyn Endpoint,
    failure: &Failure,
    id: Option<&str>,
) -> Response<ReplyBody> {
    if let Some(inside) = &failure.inside {
        let id = id.unwrap_or("");
        let kind = failure.kind.error_type();
        if failure.blame == bourse_vocab::Blame::Us {
            tracing::error!(id, kind, inside = &**inside, "a call failed");
        } else {
            tracing::debug!(id, kind, inside = &**inside, "a call failed");
        }
    }
    let mut response = Response::new(ReplyBody::Whole(None, None));
    *response.status_mut() =
        StatusCode::from_u16(failure.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    if let Some(id) = id {
        headers.insert(GENERATION_ID, id_header(id));
    }
    if let Some(seconds) = failure.retry_after_seconds() {
        headers.insert(RETRY_AFTER, HeaderValue::from(seconds));
    }
    let body = endpoint.failure(failure, headers);
    *response.body_mut() = ReplyBody::Whole(Some(body), None);
    response
}

/// Marks a reply where answers are simulated.
#[must_use]
pub fn with_simulated(mut response: Response<ReplyBody>, simulated: bool) -> Response<ReplyBody> {
    if simulated {
        response
            .headers_mut()
            .insert(SIMULATED, HeaderValue::from_static("true"));
    }
    response
}

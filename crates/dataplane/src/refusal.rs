//! The answer to a call that its worker has no time for.
//!
//! In an overload it is given more often than any other, and each moment that
//! it takes is missing elsewhere. So its words are made once, and nothing of
//! the request is looked at but its path.

use std::sync::OnceLock;

use bourse_net::Upstream;
use bourse_vocab::GenerationId;
use bytes::Bytes;
use http::{HeaderMap, Response, StatusCode};

use crate::admission::Shed;
use crate::chance;
use crate::endpoints::{ENDPOINTS, Endpoint};
use crate::pipeline::Worker;
use crate::respond::{self, GENERATION_ID, ReplyBody, id_header};

/// What is told at one endpoint, but for the id of the call.
struct Words {
    path: &'static str,
    status: StatusCode,
    headers: HeaderMap,
    body: Bytes,
}

static WORDS: OnceLock<Vec<Words>> = OnceLock::new();

/// Refuses a call, of which only the path is known, because its worker is late.
pub fn refuse<U: Upstream>(
    worker: &Worker<U>,
    endpoint: &'static dyn Endpoint,
) -> Response<ReplyBody> {
    let gateway = &worker.gateway;
    let id = GenerationId::at_ms(gateway.clock.now_ms(), chance::random()).to_string();
    gateway.admission.count(Shed::Overload);
    let all = WORDS.get_or_init(|| ENDPOINTS.iter().map(|at| words(*at)).collect());
    let mut response = match all.iter().find(|words| words.path == endpoint.path()) {
        Some(words) => {
            let mut response = Response::new(ReplyBody::Whole(Some(words.body.clone()), None));
            *response.status_mut() = words.status;
            *response.headers_mut() = words.headers.clone();
            response.headers_mut().insert(GENERATION_ID, id_header(&id));
            response
        }
        None => respond::failure(endpoint, &Shed::Overload.failure(), Some(&id)),
    };
    endpoint.head(response.headers_mut());
    respond::with_simulated(response, gateway.market.load().is_simulated())
}

fn words(endpoint: &'static dyn Endpoint) -> Words {
    let response = respond::failure(endpoint, &Shed::Overload.failure(), None);
    let (head, body) = response.into_parts();
    let body = match body {
        ReplyBody::Whole(body, _) => body.unwrap_or_default(),
        // A failure is never anything else.
        ReplyBody::Stream(_) | ReplyBody::Other(_) => Bytes::new(),
    };
    Words {
        path: endpoint.path(),
        status: head.status,
        headers: head.headers,
        body,
    }
}

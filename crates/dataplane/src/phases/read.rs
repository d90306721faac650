//! What the caller asks: the body is scanned as it arrives, the prompt in it
//! is neither parsed nor copied. What it means, its endpoint says.

use bourse_vocab::Failure;
use bourse_wire::json::Scanner;
use bytes::Bytes;
use http::header::{CONTENT_ENCODING, CONTENT_LENGTH};
use http::request::Parts;
use http_body::Body;

use super::body::{collect, too_large};
use crate::endpoints::{Endpoint, Incoming, Scanned};
use crate::gateway::CallLimits;
use crate::identity::Caller;

/// Reads a request.
///
/// # Errors
/// What is wrong with it, or that it did not come in time.
pub async fn read<B>(
    endpoint: &dyn Endpoint,
    head: &Parts,
    body: B,
    limits: &CallLimits,
    caller: Caller<'_>,
) -> Result<Incoming, Failure>
where
    B: Body<Data = Bytes> + Unpin,
    B::Error: std::fmt::Display,
{
    let headers = &head.headers;
    if headers
        .get(CONTENT_ENCODING)
        .is_some_and(|encoding| encoding != "identity")
    {
        return Err(Failure::invalid(
            "Content-Encoding: compressed request bodies are not accepted; send the JSON as it is",
        ));
    }
    let announced = headers
        .get(CONTENT_LENGTH)
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.parse::<usize>().ok());
    if announced.is_some_and(|length| length > limits.body_bytes_max) {
        return Err(too_large(limits));
    }
    let mut scanner = Scanner::new();
    let segments = collect(body, limits, |piece| {
        scanner.push(piece).map_err(Failure::from)
    })
    .await?;
    let outline = scanner.finish()?;
    endpoint.read(head, Scanned { outline, segments }, caller)
}

//! `:countTokens`: how many tokens a request's prompt has, as well as can be
//! told without asking a provider.

use bourse_vocab::Failure;
use bourse_wire::json::{self, Kind};
use bytes::Bytes;
use http::HeaderMap;
use http::request::Parts;

use super::super::{Counter, Endpoint, Incoming, Scanned};
use super::{GenerateContent, KEEP_ALIVE, address};
use crate::identity::Caller;
use crate::way::Way;

/// A whole request, where the prompt alone does not say all that is counted
/// (`CountTokensRequest`, Gemini API reference, November 2026).
const WHOLE: [&str; 2] = ["generateContentRequest", "generate_content_request"];
/// What the address ends with.
const VERB: &str = "countTokens";

/// Counts what [`GenerateContent`] would be sent.
pub struct CountTokens;

impl Endpoint for CountTokens {
    fn path(&self) -> &'static str {
        "/v1/models/{model}:countTokens"
    }

    fn serves(&self, path: &str) -> bool {
        address::serves(path, VERB)
    }

    fn rank(&self, way: &Way) -> Option<u8> {
        GenerateContent.rank(way)
    }

    fn read(&self, head: &Parts, body: Scanned, caller: Caller<'_>) -> Result<Incoming, Failure> {
        GenerateContent.read(head, counted(body)?, caller)
    }

    fn failure(&self, failure: &Failure, headers: &mut HeaderMap) -> Bytes {
        GenerateContent.failure(failure, headers)
    }

    fn keep_alive(&self) -> &'static [u8] {
        KEEP_ALIVE
    }
}

impl Counter for CountTokens {
    fn tell(&self, tokens: u64) -> Bytes {
        format!("{{\"totalTokens\":{tokens}}}").into()
    }
}

/// The request that is counted.
fn counted(body: Scanned) -> Result<Scanned, Failure> {
    let whole = WHOLE.iter().filter_map(|name| body.outline.get(name));
    let mut whole = whole.filter(|member| member.kind != Kind::Null);
    let Some(member) = whole.next() else {
        return Ok(body);
    };
    if whole.next().is_some() || body.outline.get("contents").is_some() {
        return Err(Failure::invalid(
            "generateContentRequest: goes alone, and once",
        ));
    }
    if member.kind != Kind::Object {
        return Err(Failure::invalid(
            "generateContentRequest: must be an object",
        ));
    }
    let text = Bytes::from(json::raw(&body.segments, &member.value).into_owned());
    Ok(Scanned {
        outline: json::scan(&text)?,
        segments: vec![text],
    })
}

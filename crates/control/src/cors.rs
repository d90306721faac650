//! Browsers on other sites may call the API with a key, as they may call
//! OpenRouter's. There are no cookies to protect, and none are allowed:
//! `Access-Control-Allow-Credentials` is never sent.

use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use bourse_vocab::Format;

use crate::error::reworded;
use crate::route::PREFIXES;
use crate::state::Shared;

/// Said beside every answer while providers are simulated.
const SIMULATED: HeaderName = HeaderName::from_static("x-bourse-simulated");
/// Longest list of header names that a preflight gets back.
const HEADERS_BYTES_MAX: usize = 4_096;
/// Allowed when a preflight does not say what it wants.
const HEADERS: &str =
    "authorization, content-type, x-api-key, x-goog-api-key, http-referer, x-title";
const EXPOSED: &str = "x-generation-id, request-id, x-bourse-simulated, retry-after, etag";

/// Where Google's API is.
const GOOGLES: [&str; 2] = ["/api/v1beta", "/v1beta"];

/// Where requests for messages come in batches.
const MESSAGES: [&str; 2] = ["/api/v1/messages/batches", "/v1/messages/batches"];

fn is_api(path: &str) -> bool {
    is_below(&PREFIXES, path) || is_below(&GOOGLES, path)
}

fn is_below(prefixes: &[&str], path: &str) -> bool {
    prefixes.iter().any(|prefix| {
        path.strip_prefix(prefix)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    })
}

/// Lets a page on any site read an answer, and the headers that clients use.
pub fn allow(headers: &mut HeaderMap) {
    let any = HeaderValue::from_static("*");
    headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, any);
    let exposed = HeaderValue::from_static(EXPOSED);
    headers.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, exposed);
}

/// In whose words errors are told at a path, where they are not OpenRouter's.
fn words_at(path: &str) -> Option<Format> {
    if is_below(&GOOGLES, path) {
        Some(Format::Gemini)
    } else if is_below(&MESSAGES, path) {
        Some(Format::Anthropic)
    } else {
        None
    }
}

/// Answers preflights, and adds headers to what the others get.
pub(crate) async fn answer(State(state): State<Shared>, request: Request, next: Next) -> Response {
    let is_api = is_api(request.uri().path());
    if is_api && request.method() == Method::OPTIONS {
        return preflight(&request);
    }
    let words = words_at(request.uri().path());
    let mut response = next.run(request).await;
    if let Some(format) = words {
        response = reworded(response, format);
    }
    let headers = response.headers_mut();
    if is_api {
        allow(headers);
    }
    if state.backend.is_simulated() {
        headers.insert(SIMULATED, HeaderValue::from_static("true"));
    }
    let nosniff = HeaderValue::from_static("nosniff");
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, nosniff);
    response
}

/// SDKs send headers of their own (`x-stainless-*` and more), so a preflight
/// gets whatever it asks for: `*` would not cover `Authorization`.
fn preflight(request: &Request) -> Response {
    let wanted = request
        .headers()
        .get(header::ACCESS_CONTROL_REQUEST_HEADERS)
        .filter(|names| names.len() <= HEADERS_BYTES_MAX)
        .cloned()
        .unwrap_or_else(|| HeaderValue::from_static(HEADERS));
    let fixed = |text| HeaderValue::from_static(text);
    (
        StatusCode::NO_CONTENT,
        [
            (header::ACCESS_CONTROL_ALLOW_ORIGIN, fixed("*")),
            (
                header::ACCESS_CONTROL_ALLOW_METHODS,
                fixed("GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS"),
            ),
            (header::ACCESS_CONTROL_ALLOW_HEADERS, wanted),
            (header::ACCESS_CONTROL_MAX_AGE, fixed("86400")),
            (
                header::VARY,
                fixed("access-control-request-headers, origin"),
            ),
        ],
    )
        .into_response()
}

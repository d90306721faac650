//! Errors as callers see them: OpenRouter's envelope, with an integer code,
//! on every route. The strict SDKs turn any other shape into an error of
//! their own and hide ours.

use axum::http::{HeaderValue, Method, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use bourse_store::StoreError;
use bourse_vocab::{Failure, FailureKind, Format};
use schemars::JsonSchema;
use serde::Serialize;

use crate::absent;

/// What a handler returns instead of its answer.
#[derive(Debug)]
pub(crate) struct Refused(pub(crate) Failure);

/// What handlers return.
pub(crate) type Result<T, E = Refused> = std::result::Result<T, E>;

/// The envelope of every error.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Error")]
pub(crate) struct ErrorBody {
    error: ErrorMembers,
}

#[derive(Serialize, JsonSchema)]
#[schemars(inline)]
struct ErrorMembers {
    /// The HTTP status.
    code: u16,
    message: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    metadata: Option<ErrorMetadata>,
}

#[derive(Serialize, JsonSchema)]
#[schemars(inline)]
struct ErrorMetadata {
    #[serde(skip_serializing_if = "Option::is_none")]
    error_type: Option<&'static str>,
}

impl From<Failure> for Refused {
    fn from(failure: Failure) -> Self {
        Self(failure)
    }
}

impl From<StoreError> for Refused {
    fn from(error: StoreError) -> Self {
        Self(match &error {
            StoreError::Unstorable { .. } => Failure::invalid(error.to_string()),
            error if error.is_away() => Failure::new(
                FailureKind::Overloaded,
                "The database does not answer right now. Calls go on; try this again.",
            )
            .inside(error.to_string()),
            error => Failure::server(error.to_string()),
        })
    }
}

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        let failure = self.0;
        if let Some(inside) = &failure.inside {
            tracing::error!(inside, status = failure.status(), "a request failed");
        }
        let body = bourse_wire::codec(Format::OpenAiChat).write_failure(&failure);
        let mut response = envelope(failure.status(), body);
        response.extensions_mut().insert(Told(failure.clone()));
        if let Some(seconds) = failure.retry_after_seconds() {
            response
                .headers_mut()
                .insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        if failure.kind == FailureKind::Authentication {
            // RFC 9110, 11.6.1: a 401 names a scheme.
            response
                .headers_mut()
                .insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response
    }
}

/// What a response tells, for who words it otherwise.
#[derive(Clone)]
struct Told(Failure);

/// The same answer, where it is a failure, in the words of another API.
pub(crate) fn reworded(mut response: Response, format: Format) -> Response {
    if let Some(Told(failure)) = response.extensions_mut().remove() {
        *response.body_mut() = bourse_wire::codec(format).write_failure(&failure).into();
    }
    response
}

/// A failure as this crate's routes answer it, for a server that cannot run
/// them.
#[must_use]
pub fn failure_response(failure: Failure) -> Response {
    Refused(failure).into_response()
}

fn envelope(status: u16, body: Vec<u8>) -> Response {
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let json = HeaderValue::from_static("application/json");
    (status, [(header::CONTENT_TYPE, json)], body).into_response()
}

/// A bad argument; the message names it.
pub(crate) fn invalid(message: impl Into<String>) -> Refused {
    Refused(Failure::invalid(message.into()))
}

/// Something that is not there, or that belongs to another account: the two
/// must look the same.
pub(crate) fn not_found(message: impl Into<String>) -> Refused {
    Refused(Failure::new(FailureKind::NotFound, message.into()))
}

/// Longest path that an error repeats.
const PATH_CHARS_MAX: usize = 200;

fn shown(uri: &Uri) -> String {
    uri.path().chars().take(PATH_CHARS_MAX).collect()
}

/// An operation that OpenRouter has and this server has not.
fn not_offered(method: &Method, uri: &Uri) -> Refused {
    not_found(format!(
        "{method} {}: OpenRouter has this operation, and it is not offered by this server yet",
        shown(uri)
    ))
}

/// Answers for paths that do not exist.
pub(crate) async fn no_such_path(method: Method, uri: Uri) -> Refused {
    if absent::is_absent(&method, uri.path()) {
        return not_offered(&method, &uri);
    }
    not_found(format!("{method} {} does not exist", shown(&uri)))
}

/// Answers for methods that a path does not have. `vocab` has no kind for
/// 405, because no call to a model ends with it.
pub(crate) async fn wrong_method(method: Method, uri: Uri) -> Response {
    if absent::is_absent(&method, uri.path()) {
        return not_offered(&method, &uri).into_response();
    }
    let body = ErrorBody {
        error: ErrorMembers {
            code: 405,
            message: format!("{} has no method {method}", shown(&uri)),
            metadata: Some(ErrorMetadata {
                error_type: Some(FailureKind::InvalidRequest.error_type()),
            }),
        },
    };
    envelope(405, serde_json::to_vec(&body).unwrap_or_default())
}

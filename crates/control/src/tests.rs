//! The router, asked over HTTP, over a backend in memory.

mod absent;
mod access;
mod activity;
mod backend;
mod content;
mod document;
mod files;
mod generations;
mod headline;
mod home;
mod keys;
mod ledger;
mod models;
mod routing;
mod shapes;
mod status;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::{HeaderMap, Request};
use serde_json::Value;
use tower::ServiceExt;

pub(crate) use backend::{FakeBackend, NOW};

/// An answer, read.
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) text: String,
}

impl Reply {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|e| panic!("{e}: {}", self.text))
    }

    /// Checks OpenRouter's envelope and returns the message.
    pub(crate) fn failure(&self, status: u16) -> String {
        assert_eq!(self.status, status, "{}", self.text);
        let body = self.json();
        assert_eq!(body["error"]["code"], status, "{}", self.text);
        assert!(body["error"]["metadata"]["error_type"].is_string());
        body["error"]["message"].as_str().unwrap().to_owned()
    }
}

/// Asks the router: `key` may be empty, `body` too.
pub(crate) async fn ask(router: &Router, line: &str, key: &str, body: &str) -> Reply {
    let (method, path) = line.split_once(' ').unwrap();
    let mut request = Request::builder().method(method).uri(path);
    if !key.is_empty() {
        request = request.header("authorization", format!("Bearer {key}"));
    }
    let request = request.body(Body::from(body.to_owned())).unwrap();
    let response = router.clone().oneshot(request).await.unwrap();
    let (status, headers) = (response.status().as_u16(), response.headers().clone());
    let bytes = to_bytes(response.into_body(), usize::MAX).await.unwrap();
    let text = String::from_utf8(bytes.to_vec()).unwrap();
    Reply {
        status,
        headers,
        text,
    }
}

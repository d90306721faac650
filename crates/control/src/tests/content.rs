//! Lists are sent again only if they have changed, and compressed.

use std::io::Read;
use std::sync::atomic::Ordering::Relaxed;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::{HeaderMap, Request};
use tower::ServiceExt;

use super::FakeBackend;

async fn get(router: &Router, path: &str, headers: &[(&str, &str)]) -> (u16, HeaderMap, Vec<u8>) {
    let mut request = Request::builder().uri(path);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let request = request.body(Body::empty()).unwrap();
    let response = router.clone().oneshot(request).await.unwrap();
    let (status, headers) = (response.status().as_u16(), response.headers().clone());
    let body = to_bytes(response.into_body(), usize::MAX).await.unwrap();
    (status, headers, body.to_vec())
}

/// Lists, and documents that are made once.
const LISTS: [&str; 6] = [
    "/api/v1/models",
    "/v1/models?sort=pricing-low-to-high",
    "/v1/models/openai/gpt-4o/endpoints",
    "/v1/endpoints/zdr",
    "/v1/providers",
    "/openapi.json",
];

#[tokio::test]
async fn a_list_that_a_client_has_is_not_sent_again() {
    let (_, router) = FakeBackend::with_router().await;
    for path in LISTS {
        let (status, headers, body) = get(&router, path, &[]).await;
        assert_eq!(status, 200, "{path}");
        let tag = headers["etag"].to_str().unwrap().to_owned();
        assert_eq!(headers["vary"], "accept-encoding", "{path}");
        let known = [("if-none-match", tag.as_str())];
        let (status, headers, again) = get(&router, path, &known).await;
        assert_eq!((status, again.len()), (304, 0), "{path}");
        assert_eq!(headers["etag"], tag, "{path}");
        let other = [("if-none-match", "W/\"0\"")];
        let (status, _, again) = get(&router, path, &other).await;
        assert_eq!((status, again), (200, body), "{path}");
    }
}

#[tokio::test]
async fn a_list_is_compressed_as_the_client_reads_it() {
    let (_, router) = FakeBackend::with_router().await;
    for path in LISTS {
        let (_, _, plain) = get(&router, path, &[]).await;
        if plain.len() <= 1_024 {
            continue;
        }
        for (accepted, name) in [("gzip", "gzip"), ("gzip, br", "br")] {
            let headers = [("accept-encoding", accepted)];
            let (status, headers, body) = get(&router, path, &headers).await;
            assert_eq!(status, 200, "{path}");
            assert_eq!(headers["content-encoding"], name, "{path}");
            assert_eq!(headers["content-type"], "application/json", "{path}");
            let mut out = Vec::new();
            if name == "gzip" {
                let mut reader = flate2::read::GzDecoder::new(body.as_slice());
                reader.read_to_end(&mut out).unwrap();
            } else {
                let mut reader = brotli::Decompressor::new(body.as_slice(), 4_096);
                reader.read_to_end(&mut out).unwrap();
            }
            assert!(out == plain, "{path} {name}");
            assert!(body.len() < plain.len(), "{path} {name}");
        }
    }
    // What is short is sent as it is.
    let path = "/v1/models/count";
    let (_, headers, _) = get(&router, path, &[("accept-encoding", "br")]).await;
    assert_eq!(headers.get("content-encoding"), None);
}

#[tokio::test]
async fn a_tag_changes_with_what_it_names() {
    let (backend, router) = FakeBackend::with_router().await;
    let tag = async |path: &str| get(&router, path, &[]).await.1["etag"].clone();
    let before = tag("/v1/models").await;
    assert_eq!(tag("/api/v1/models").await, before);
    *backend.configured.lock().unwrap() = vec!["backup"];
    // What is kept is kept until the epoch turns.
    assert_eq!(tag("/v1/models").await, before);
    backend.epoch.fetch_add(1, Relaxed);
    assert_ne!(tag("/v1/models").await, before);
}

#[tokio::test]
async fn what_only_a_key_holder_sees_has_another_name() {
    let (backend, router) = FakeBackend::with_router().await;
    let path = "/v1/models/openai/gpt-4o/endpoints";
    let bearer = format!("Bearer {}", backend.inference());
    let (_, open, _) = get(&router, path, &[]).await;
    let (_, own, _) = get(&router, path, &[("authorization", &bearer)]).await;
    assert_ne!(open["etag"], own["etag"]);
    assert_eq!(own["cache-control"], "no-store");
}

//! Who may do what, over the whole table.

use std::sync::atomic::Ordering::Relaxed;

use bourse_policy::KeyHash;
use bourse_store::{
    BatchPatch, BatchRow, BatchState, Batches, Claim, FileRow, Files, KeyPatch, Keys, LineCounts,
    Purpose, Shape,
};
use bourse_vocab::{BatchId, FileId, GenerationId};

use super::{FakeBackend, NOW, ask};
use crate::access::Access;
use crate::route::{Place, Route};
use crate::table::routes;

/// What account 1 keeps, for requests about it: a file, a batch that has not
/// ended and one that has, and two message batches likewise.
struct Kept {
    file: FileId,
    open: [BatchId; 2],
    ended: [BatchId; 2],
}

impl Kept {
    fn nothing() -> Self {
        let nobody = BatchId::at_ms(0, 0);
        Self {
            file: FileId::at_ms(0, 0),
            open: [nobody; 2],
            ended: [nobody; 2],
        }
    }
}

async fn keep(backend: &FakeBackend) -> Kept {
    let account = bourse_store::Accounts::account_by_name(&*backend.store, "one").await;
    let account = account.unwrap().unwrap().id;
    let id = |n: u64| (FileId::at_ms(NOW, n.into()), BatchId::at_ms(NOW, n.into()));
    for n in 0..2 {
        let mut draft = backend.contents.write(id(n).0).unwrap();
        draft.push(b"{}").unwrap();
        let written = draft.finish().unwrap();
        let row = FileRow {
            id: id(n).0,
            account,
            name: String::new(),
            purpose: Purpose::Batch,
            bytes: written.bytes,
            digest: written.digest,
            created_at_ms: NOW,
            expires_at_ms: NOW + 1,
        };
        let quota = backend.file_limits.lock().unwrap().quota;
        backend.store.create_file(row, quota).await.unwrap();
    }
    for n in 0..4 {
        let is_ended = n >= 2;
        let row = BatchRow {
            id: id(n).1,
            account,
            key: KeyHash::of(backend.inference()),
            shape: if n % 2 == 0 { Shape::File } else { Shape::Body },
            endpoint: "/v1/chat/completions".to_owned(),
            at_vendor: false,
            input: id(1).0,
            output: None,
            error: None,
            state: BatchState::Validating,
            metadata: String::new(),
            faults: String::new(),
            paused: String::new(),
            counts: LineCounts::default(),
            created_at_ms: NOW,
            expires_at_ms: NOW,
            began_at_ms: None,
            finalizing_at_ms: None,
            cancelling_at_ms: None,
            ended_at_ms: None,
        };
        backend.store.create_batch(row, 100).await.unwrap();
        if is_ended {
            let claim = Claim {
                now_ms: NOW,
                until_ms: NOW,
                count_max: 100,
            };
            backend.store.claim_batches(claim).await.unwrap();
            let output = FileRow {
                id: FileId::at_ms(NOW, (n + 10).into()),
                ..backend.store.file(id(0).0).await.unwrap().unwrap()
            };
            let mut draft = backend.contents.write(output.id).unwrap();
            draft.push(b"{}").unwrap();
            draft.finish().unwrap();
            let patch = BatchPatch {
                state: Some((BatchState::Completed, NOW)),
                output: Some(output),
                ..BatchPatch::default()
            };
            backend.store.update_batch(id(n).1, patch).await.unwrap();
        }
    }
    Kept {
        file: id(0).0,
        open: [id(0).1, id(1).1],
        ended: [id(2).1, id(3).1],
    }
}

/// A request for `route` about things of account 1.
fn request(
    route: &Route,
    path: &str,
    backend: &FakeBackend,
    call: GenerationId,
    kept: &Kept,
) -> (String, String) {
    let hash = KeyHash::of(backend.inference()).to_string();
    let mut path = path
        .replace("{author}", "openai")
        .replace("{slug}", "gpt-4o")
        .replace("{model}", "openai%2Fgpt-4o")
        .replace("{hash}", &hash)
        .replace("{job_id}", &call.to_string())
        .replace("{file_id}", &format!("file-{}", kept.file));
    let [batch, message_batch] = match path.ends_with("/cancel") {
        true => kept.open,
        false => kept.ended,
    };
    path = path
        .replace("{batch_id}", &format!("batch_{batch}"))
        .replace("{message_batch_id}", &format!("msgbatch_{message_batch}"));
    if path.ends_with("/generation") {
        path = format!("{path}?id={call}");
    }
    let body = match (route.method.as_str(), route.path) {
        ("POST", "/files") => {
            super::files::form(&[("purpose", None, "batch"), ("file", Some("l"), "{}")])
        }
        ("POST", "/batches") => format!(
            r#"{{"input_file_id":"file-{}","endpoint":"/v1/embeddings","completion_window":"24h"}}"#,
            kept.file
        ),
        ("POST", "/messages/batches") => {
            r#"{"requests":[{"custom_id":"a","params":{}}]}"#.to_owned()
        }
        ("POST", _) => r#"{"name":"new"}"#.to_owned(),
        ("PATCH", _) => r#"{"name":"newer"}"#.to_owned(),
        _ => String::new(),
    };
    (format!("{} {path}", route.method), body)
}

/// Asks in the way that a path wants it: a form where there is one.
async fn send(router: &axum::Router, line: &str, key: &str, body: &str) -> super::Reply {
    if !body.starts_with("--X") {
        return ask(router, line, key, body).await;
    }
    let (method, path) = line.split_once(' ').unwrap();
    let mut request = axum::http::Request::builder()
        .method(method)
        .uri(path)
        .header("content-type", "multipart/form-data; boundary=X");
    if !key.is_empty() {
        request = request.header("authorization", format!("Bearer {key}"));
    }
    let request = request
        .body(axum::body::Body::from(body.to_owned()))
        .unwrap();
    let response = tower::ServiceExt::oneshot(router.clone(), request).await;
    let response = response.unwrap();
    let (status, headers) = (response.status().as_u16(), response.headers().clone());
    let bytes = axum::body::to_bytes(response.into_body(), usize::MAX);
    let text = String::from_utf8(bytes.await.unwrap().to_vec()).unwrap();
    super::Reply {
        status,
        headers,
        text,
    }
}

#[tokio::test]
async fn every_route_admits_the_callers_that_its_proof_names_and_no_others() {
    let mut asked = 0;
    for route in routes() {
        for path in route.paths() {
            for who in 0..5 {
                let (backend, router) = FakeBackend::with_router().await;
                backend.file_limits.lock().unwrap().quota.account_files_max = 100;
                let call = backend.call(1, NOW).await;
                // What is not asked about need not be brought to the disk.
                let kept = match route.path.contains("_id}") || route.path == "/batches" {
                    true => keep(&backend).await,
                    false => Kept::nothing(),
                };
                let [_, _, _, foreign_inference] = &backend.keys;
                let key = [
                    "",
                    backend.inference(),
                    backend.management(),
                    backend.foreign(),
                    foreign_inference,
                ][who];
                let (line, body) = request(&route, &path, &backend, call, &kept);
                if route.path.contains("{job_id}") {
                    let account =
                        bourse_store::Accounts::account_by_name(&*backend.store, "one").await;
                    let film = bourse_store::VideoRow {
                        id: call,
                        account: account.unwrap().unwrap().id,
                        state: bourse_store::VideoState::Completed,
                        is_open: false,
                        job: "{}".to_owned(),
                        created_at_ms: NOW,
                        due_at_ms: NOW,
                    };
                    bourse_store::Videos::create_video(&*backend.store, film, 9)
                        .await
                        .unwrap();
                }
                let makes =
                    ["/keys", "/webhooks/secret"].contains(&route.path) && route.method == "POST";
                let success = if makes { 201 } else { 200 };
                let is_of_account = route.path.contains("{hash}")
                    || route.path.contains("{file_id}")
                    || route.path.contains("batch_id}")
                    || route.path.contains("{job_id}")
                    || route.path == "/generation";
                let foreign = if is_of_account { 404 } else { success };
                // A batch names a file, and that is another account's.
                let foreign_inference = match (route.method.as_str(), route.path) {
                    ("POST", "/batches") => 400,
                    _ => foreign,
                };
                let expected = match route.access {
                    Access::Public => [success; 5],
                    Access::AnyKey => [401, success, success, foreign, foreign],
                    Access::Inference => [401, success, 403, 403, foreign_inference],
                    Access::Management => [401, 403, success, foreign, 403],
                }[who];
                let reply = send(&router, &line, key, &body).await;
                assert_eq!(reply.status, expected, "{line} as {who}: {}", reply.text);
                if expected >= 400 && !route.path.starts_with("/messages/") {
                    reply.failure(expected);
                }
                if route.access != Access::Public {
                    assert_eq!(reply.headers["cache-control"], "no-store", "{line}");
                }
                asked += 1;
            }
        }
    }
    assert!(asked > 100, "{asked}");
}

#[test]
fn the_open_routes_are_these_and_no_others() {
    let mut open: Vec<_> = routes()
        .into_iter()
        .filter(|route| route.access == Access::Public)
        .map(|route| route.path)
        .collect();
    open.sort_unstable();
    let expected = [
        "/",
        "/docs",
        "/embeddings/models",
        "/endpoints/zdr",
        "/healthz",
        "/images/models",
        "/images/models/{author}/{slug}/endpoints",
        "/model/{author}/{slug}",
        "/models",
        "/models/count",
        "/models/{author}/{slug}/endpoints",
        "/openapi.json",
        "/providers",
        "/readyz",
        "/v1beta/models",
        "/v1beta/models/{author}/{slug}",
        "/v1beta/models/{model}",
        "/videos/models",
    ];
    assert_eq!(open, expected);
}

#[tokio::test]
async fn a_foreign_object_looks_exactly_like_an_absent_one() {
    let (backend, router) = FakeBackend::with_router().await;
    let call = backend.call(1, NOW - 60_000).await;
    let absent_call = GenerationId::new(NOW / 1000 - 60, 99);
    let (hash, absent) = (KeyHash::of(backend.inference()), KeyHash::of("absent"));
    for (line, body) in [
        ("GET /v1/keys/HASH", ""),
        ("PATCH /v1/keys/HASH", r#"{"name":"x"}"#),
        ("PATCH /v1/keys/HASH", r#"{"limit":-1}"#),
        ("DELETE /v1/keys/HASH", ""),
        ("GET /v1/activity?api_key_hash=HASH", ""),
        ("GET /v1/generation?id=CALL", ""),
    ] {
        let line_of = |hash: KeyHash, call: GenerationId| {
            line.replace("HASH", &hash.to_string())
                .replace("CALL", &call.to_string())
        };
        let foreign = ask(&router, &line_of(hash, call), backend.foreign(), body).await;
        let nothing = ask(
            &router,
            &line_of(absent, absent_call),
            backend.foreign(),
            body,
        )
        .await;
        foreign.failure(404);
        assert_eq!(foreign.text, nothing.text, "{line}");
        assert_eq!(foreign.headers, nothing.headers, "{line}");
    }
}

#[tokio::test]
async fn a_disabled_or_expired_key_opens_nothing() {
    let (backend, router) = FakeBackend::with_router().await;
    let off = KeyPatch {
        disabled: Some(true),
        ..KeyPatch::default()
    };
    for key in [backend.inference(), backend.management()] {
        let hash = KeyHash::of(key);
        backend
            .store
            .update_key(hash, off.clone(), NOW)
            .await
            .unwrap();
        for line in ["GET /v1/key", "GET /v1/credits", "GET /v1/keys"] {
            ask(&router, line, key, "").await.failure(401);
        }
    }
    ask(&router, "GET /v1/key", "sk-bourse-v1-junk", "")
        .await
        .failure(401);
}

#[tokio::test]
async fn what_does_not_exist_is_answered_in_the_envelope() {
    let (backend, router) = FakeBackend::with_router().await;
    for path in ["/api/v1", "/v1/nothing", "/api/v1/keys/a/b", "/v2/models"] {
        for key in ["", backend.management()] {
            ask(&router, &format!("GET {path}"), key, "")
                .await
                .failure(404);
        }
    }
    for line in [
        "DELETE /v1/models",
        "POST /api/v1/key",
        "PUT /v1/keys",
        "POST /healthz",
    ] {
        ask(&router, line, "", "").await.failure(405);
    }
    // Not UTF-8.
    ask(&router, "GET /v1/model/a/%FF", "", "")
        .await
        .failure(400);
    let body = format!(r#"{{"name":"{}"}}"#, "x".repeat(70_000));
    ask(&router, "POST /v1/keys", backend.management(), &body)
        .await
        .failure(413);
    let query = "a=b&".repeat(200);
    ask(&router, &format!("GET /v1/models?{query}"), "", "")
        .await
        .failure(400);
}

#[tokio::test]
async fn a_member_that_is_there_twice_is_refused_however_it_is_spelled() {
    let (backend, router) = FakeBackend::with_router().await;
    for body in [
        r#"{"name":"a","limit":1,"limit":null}"#,
        r#"{"name":"a","l\u0069mit":1,"limit":2}"#,
    ] {
        let reply = ask(&router, "POST /v1/keys", backend.management(), body).await;
        reply.failure(400);
    }
}

/// A body of which nothing more comes.
struct Silent;

impl http_body::Body for Silent {
    type Data = axum::body::Bytes;
    type Error = std::convert::Infallible;

    fn poll_frame(
        self: std::pin::Pin<&mut Self>,
        _: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Result<http_body::Frame<Self::Data>, Self::Error>>> {
        std::task::Poll::Pending
    }
}

#[tokio::test(start_paused = true)]
async fn a_body_that_does_not_come_is_given_up() {
    let (backend, router) = FakeBackend::with_router().await;
    let request = axum::http::Request::post("/v1/keys")
        .header("authorization", format!("Bearer {}", backend.management()))
        .body(axum::body::Body::new(Silent))
        .unwrap();
    let begun = tokio::time::Instant::now();
    let response = tower::ServiceExt::oneshot(router, request).await.unwrap();
    assert_eq!(response.status(), 408);
    assert_eq!(begun.elapsed(), std::time::Duration::from_secs(10));
}

#[tokio::test]
async fn metrics_are_for_management_keys() {
    let (backend, router) = FakeBackend::with_router().await;
    ask(&router, "GET /metrics", "", "").await.failure(401);
    let reply = ask(&router, "GET /metrics", backend.management(), "").await;
    assert_eq!((reply.status, &*reply.text), (200, "# HELP up\n"));
    let kind = reply.headers["content-type"].to_str().unwrap();
    assert!(kind.starts_with("text/plain; version=0.0.4"), "{kind}");
}

#[tokio::test]
async fn readiness_is_refused_with_its_reason() {
    let (backend, router) = FakeBackend::with_router().await;
    let reply = ask(&router, "GET /readyz", "", "").await;
    assert_eq!(reply.json()["status"], "ready");
    assert_eq!(reply.json()["database"], "ok");
    backend.database_behind_s.store(7, Relaxed);
    let reply = ask(&router, "GET /readyz", "", "").await;
    assert_eq!(reply.json()["database"], "behind");
    assert_eq!(reply.json()["database_behind_s"], 7);
    backend.database_away_s.store(12, Relaxed);
    let reply = ask(&router, "GET /readyz", "", "").await;
    assert_eq!(
        (reply.status, &reply.json()["database"]),
        (200, &"away".into())
    );
    assert_eq!(reply.json()["database_away_s"], 12);
    backend.is_ready.store(false, Relaxed);
    let message = ask(&router, "GET /readyz", "", "").await.failure(503);
    assert!(message.contains("the disk is full"), "{message}");
    assert_eq!(ask(&router, "GET /healthz", "", "").await.status, 200);
}

#[tokio::test]
async fn browsers_elsewhere_may_call_with_a_key_and_never_with_cookies() {
    let (backend, router) = FakeBackend::with_router().await;
    for route in routes().iter().filter(|route| route.place != Place::Root) {
        for path in route.paths() {
            let reply = ask(&router, &format!("OPTIONS {path}"), "", "").await;
            assert_eq!(reply.status, 204, "{path}");
            assert_eq!(reply.headers["access-control-allow-origin"], "*");
            let allowed = reply.headers["access-control-allow-headers"]
                .to_str()
                .unwrap();
            assert!(allowed.contains("authorization"), "{allowed}");
            let credentials = reply.headers.get("access-control-allow-credentials");
            assert_eq!(credentials, None);
        }
    }
    let reply = ask(&router, "OPTIONS /api/v1/chat/completions", "", "").await;
    assert_eq!(reply.status, 204);
    let reply = ask(&router, "GET /v1/key", backend.inference(), "").await;
    assert_eq!(reply.headers["access-control-allow-origin"], "*");
    let reply = ask(&router, "GET /v1/key", "", "").await;
    assert_eq!(reply.headers["access-control-allow-origin"], "*");
    // The API is /v1, not whatever begins with it.
    ask(&router, "OPTIONS /v1000/models", "", "")
        .await
        .failure(404);
}

/// Every kind of caller that is not alive is told the same on every route
/// that wants a key.
#[tokio::test]
async fn a_dead_or_malformed_key_is_refused_on_every_guarded_route() {
    let (backend, router) = FakeBackend::with_router().await;
    let call = backend.call(1, NOW).await;
    let kept = keep(&backend).await;
    let disabled = backend.inference().to_owned();
    let off = KeyPatch {
        disabled: Some(true),
        ..KeyPatch::default()
    };
    let hash = KeyHash::of(&disabled);
    backend.store.update_key(hash, off, NOW).await.unwrap();
    let mut asked = 0;
    for route in routes() {
        if route.access == Access::Public {
            continue;
        }
        for key in ["", "sk-bourse-v1-junk", "sk-or-v1-other", &disabled] {
            for path in route.paths() {
                let (line, body) = request(&route, &path, &backend, call, &kept);
                let reply = send(&router, &line, key, &body).await;
                match route.path.starts_with("/messages/") {
                    true => assert_eq!(reply.status, 401),
                    false => drop(reply.failure(401)),
                }
                assert_eq!(reply.headers["www-authenticate"], "Bearer", "{line}");
                assert_eq!(reply.headers["cache-control"], "no-store", "{line}");
                asked += 1;
            }
        }
    }
    assert!(asked > 80, "{asked}");
}

#[tokio::test]
async fn a_bad_key_does_not_close_an_open_route() {
    let (backend, router) = FakeBackend::with_router().await;
    let call = backend.call(1, NOW).await;
    let kept = keep(&backend).await;
    for route in routes() {
        if route.access != Access::Public {
            continue;
        }
        for path in route.paths() {
            let (line, body) = request(&route, &path, &backend, call, &kept);
            let reply = ask(&router, &line, "sk-bourse-v1-junk", &body).await;
            assert_eq!(reply.status, 200, "{line}: {}", reply.text);
            assert_eq!(reply.headers.get("cache-control"), None, "{line}");
        }
    }
}

#[tokio::test]
async fn an_answer_that_shows_a_key_holder_more_is_not_kept_for_others() {
    let (backend, router) = FakeBackend::with_router().await;
    let line = "GET /v1/models/openai/gpt-4o/endpoints";
    let reply = ask(&router, line, backend.inference(), "").await;
    assert_eq!(reply.headers["cache-control"], "no-store");
    let reply = ask(&router, line, "", "").await;
    assert_eq!(reply.headers.get("cache-control"), None);
}

#[tokio::test]
async fn a_head_request_is_checked_like_the_get_it_stands_for() {
    let (backend, router) = FakeBackend::with_router().await;
    assert_eq!(ask(&router, "HEAD /v1/keys", "", "").await.status, 401);
    let key = backend.inference();
    assert_eq!(ask(&router, "HEAD /v1/keys", key, "").await.status, 403);
    let reply = ask(&router, "HEAD /v1/keys", backend.management(), "").await;
    assert_eq!((reply.status, &*reply.text), (200, ""));
}

/// What is called later is paid for with a key that may call, so such a key
/// keeps it; everything else is administered.
#[test]
fn every_route_that_changes_something_wants_a_management_key_or_is_about_calls() {
    for route in routes() {
        if route.method == axum::http::Method::GET {
            continue;
        }
        let nouns = ["/files", "/batches", "/messages/batches"];
        let is_about_calls = nouns.iter().any(|noun| route.path.starts_with(noun));
        let wanted = match is_about_calls {
            true => Access::Inference,
            false => Access::Management,
        };
        assert_eq!(route.access, wanted, "{}", route.path);
    }
}

#[tokio::test]
async fn simulated_answers_say_so() {
    let (_, router) = FakeBackend::with_router().await;
    for line in ["GET /v1/models", "GET /v1/key", "GET /healthz", "GET /none"] {
        let reply = ask(&router, line, "", "").await;
        assert_eq!(reply.headers["x-bourse-simulated"], "true", "{line}");
        assert_eq!(reply.headers["x-content-type-options"], "nosniff", "{line}");
    }
}

#[tokio::test]
async fn a_preflight_gets_the_headers_that_it_asks_for_within_a_bound() {
    let (_, router) = FakeBackend::with_router().await;
    let preflight = async |wanted: &str| {
        let request = axum::http::Request::builder()
            .method("OPTIONS")
            .uri("/v1/keys")
            .header("access-control-request-headers", wanted)
            .body(axum::body::Body::empty())
            .unwrap();
        let response = tower::ServiceExt::oneshot(router.clone(), request);
        let response = response.await.unwrap();
        let allowed = &response.headers()["access-control-allow-headers"];
        allowed.to_str().unwrap().to_owned()
    };
    assert_eq!(
        preflight("x-stainless-os, x-mine").await,
        "x-stainless-os, x-mine"
    );
    let long = "x".repeat(4_097);
    assert!(preflight(&long).await.starts_with("authorization, "));
}

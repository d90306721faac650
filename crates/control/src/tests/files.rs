//! `/files`, `/batches` and `/messages/batches`.

use std::sync::atomic::Ordering::Relaxed;

use axum::Router;
use axum::body::Body;
use axum::http::Request;
use bourse_store::{BatchPatch, BatchState, Batches, Claim, Files};
use serde_json::{Value, json};
use tower::ServiceExt;

use super::{FakeBackend, NOW, Reply, ask};

const LINE: &str =
    r#"{"custom_id":"a","method":"POST","url":"/v1/chat/completions","body":{"model":"m"}}"#;

/// A form with these parts; a name with a file's name is a file.
pub(crate) fn form(parts: &[(&str, Option<&str>, &str)]) -> String {
    let mut text = String::new();
    for (name, file, value) in parts {
        let file = file.map_or_else(String::new, |file| format!("; filename=\"{file}\""));
        text.push_str(&format!(
            "--X\r\nContent-Disposition: form-data; name=\"{name}\"{file}\r\n\r\n{value}\r\n"
        ));
    }
    text + "--X--\r\n"
}

async fn send(router: &Router, key: &str, kind: &str, body: impl Into<Body>) -> Reply {
    let request = Request::post("/v1/files")
        .header("authorization", format!("Bearer {key}"))
        .header("content-type", kind)
        .body(body.into())
        .unwrap();
    let response = router.clone().oneshot(request).await.unwrap();
    let (status, headers) = (response.status().as_u16(), response.headers().clone());
    let bytes = axum::body::to_bytes(response.into_body(), usize::MAX);
    let text = String::from_utf8(bytes.await.unwrap().to_vec()).unwrap();
    Reply {
        status,
        headers,
        text,
    }
}

pub(crate) async fn upload(router: &Router, key: &str, text: &str) -> Reply {
    let body = form(&[("purpose", None, "batch"), ("file", Some("l.jsonl"), text)]);
    send(router, key, "multipart/form-data; boundary=X", body).await
}

/// The id of a file that is kept.
pub(crate) async fn kept(router: &Router, key: &str) -> String {
    let reply = upload(router, key, LINE).await;
    assert_eq!(reply.status, 200, "{}", reply.text);
    reply.json()["id"].as_str().unwrap().to_owned()
}

fn new_batch(file: &str) -> String {
    json!({
        "input_file_id": file,
        "endpoint": "/v1/chat/completions",
        "completion_window": "24h",
    })
    .to_string()
}

async fn made(router: &Router, key: &str) -> String {
    let file = kept(router, key).await;
    let reply = ask(router, "POST /v1/batches", key, &new_batch(&file)).await;
    assert_eq!(reply.status, 200, "{}", reply.text);
    reply.json()["id"].as_str().unwrap().to_owned()
}

async fn end(backend: &FakeBackend, id: &str, state: BatchState) {
    let claim = Claim {
        now_ms: NOW,
        until_ms: NOW + 1,
        count_max: 100,
    };
    backend.store.claim_batches(claim).await.unwrap();
    let patch = BatchPatch {
        state: Some((state, NOW + 9_000)),
        ..BatchPatch::default()
    };
    let id = id.rsplit('_').next().unwrap().parse().unwrap();
    backend
        .store
        .update_batch(id, patch)
        .await
        .unwrap()
        .unwrap();
}

#[tokio::test]
async fn a_file_is_kept_shown_listed_read_and_deleted() {
    let (backend, router) = FakeBackend::with_router().await;
    let key = backend.inference();
    let text = format!("{LINE}\r\n--Y\n\r{LINE}");
    let reply = upload(&router, key, &text).await;
    assert_eq!(reply.status, 200, "{}", reply.text);
    let file = reply.json();
    assert_eq!(file["object"], "file");
    assert_eq!(file["bytes"], text.len());
    assert_eq!(
        (&file["filename"], &file["purpose"]),
        (&json!("l.jsonl"), &json!("batch"))
    );
    assert_eq!(file["created_at"], NOW / 1000);
    assert_eq!(file["expires_at"], NOW / 1000 + 30 * 86_400);
    let id = file["id"].as_str().unwrap();
    assert!(id.starts_with("file-"), "{id}");
    let shown = ask(&router, &format!("GET /api/v1/files/{id}"), key, "").await;
    assert_eq!(shown.json(), file);
    let content = ask(&router, &format!("GET /v1/files/{id}/content"), key, "").await;
    assert_eq!((content.status, content.text), (200, text.clone()));
    assert_eq!(
        content.headers["content-length"],
        text.len().to_string().as_str()
    );
    assert_eq!(content.headers["cache-control"], "no-store");
    let list = ask(&router, "GET /v1/files?purpose=batch&limit=1", key, "").await;
    assert_eq!(list.json()["data"], json!([file]));
    assert_eq!(list.json()["has_more"], false);
    let none = ask(&router, "GET /v1/files?purpose=vision", key, "").await;
    assert_eq!(none.json()["data"], json!([]));
    let gone = ask(&router, &format!("DELETE /v1/files/{id}"), key, "").await;
    assert_eq!(
        gone.json(),
        json!({"id": id, "object": "file", "deleted": true})
    );
    ask(&router, &format!("GET /v1/files/{id}"), key, "")
        .await
        .failure(404);
    assert!(backend.contents.ids().unwrap().is_empty());
}

#[tokio::test]
async fn what_cannot_be_kept_is_refused_by_name_and_leaves_nothing() {
    let (backend, router) = FakeBackend::with_router().await;
    let key = backend.inference();
    let purpose = |text| ("purpose", None, text);
    let file = ("file", Some("l"), LINE);
    let seconds = |text| ("expires_after[seconds]", None, text);
    for (parts, status, named) in [
        (vec![file], 400, "purpose: must be given"),
        (
            vec![purpose("assistants"), file],
            400,
            "purpose: only `batch`",
        ),
        (vec![purpose("batch")], 400, "file: must be given"),
        (
            vec![purpose("batch"), ("file", Some("l"), "")],
            400,
            "file: is empty",
        ),
        (
            vec![purpose("batch"), file, file],
            400,
            "file: is in the form more",
        ),
        (
            vec![purpose("batch"), ("what", None, "x"), file],
            400,
            "what: ",
        ),
        (
            vec![purpose("batch"), seconds("60"), file],
            400,
            "expires_after: ",
        ),
    ] {
        let body = form(&parts);
        let reply = send(&router, key, "multipart/form-data; boundary=X", body).await;
        let message = reply.failure(status);
        assert!(message.contains(named), "{named}: {message}");
    }
    let reply = send(&router, key, "application/json", "{}").await;
    assert!(reply.failure(400).contains("Content-Type"));
    let cut = form(&[purpose("batch"), file]).replace("--X--\r\n", "");
    let reply = send(&router, key, "multipart/form-data; boundary=X", cut).await;
    reply.failure(400);
    let reply = upload(&router, key, &"x".repeat(10_001)).await;
    assert!(reply.failure(413).contains("10000 bytes"));
    let reply = upload(&router, key, &"x".repeat(200_000)).await;
    reply.failure(413);
    assert!(backend.contents.ids().unwrap().is_empty());
    let folder = backend
        .contents
        .log_path(bourse_vocab::BatchId::at_ms(1, 1));
    let files = folder.parent().unwrap().parent().unwrap().join("files");
    assert_eq!(files.read_dir().unwrap().count(), 0, "no draft is left");
    ask(&router, "GET /v1/files?limit=0", key, "")
        .await
        .failure(400);
    ask(&router, "GET /v1/files?order=up", key, "")
        .await
        .failure(400);
}

#[tokio::test]
async fn an_account_keeps_as_much_as_it_may_and_no_disk_is_filled_for_it() {
    let (backend, router) = FakeBackend::with_router().await;
    let key = backend.inference();
    for _ in 0..2 {
        assert_eq!(upload(&router, key, &"x".repeat(9_000)).await.status, 200);
    }
    let reply = upload(&router, key, &"x".repeat(9_000)).await;
    assert!(reply.failure(413).contains("20000 bytes"));
    assert_eq!(backend.contents.ids().unwrap().len(), 2);
    for _ in 0..3 {
        assert_eq!(upload(&router, key, "x").await.status, 200);
    }
    let reply = upload(&router, key, "x").await;
    assert!(reply.failure(413).contains("5 files"));
    // The room of everybody is the server's affair.
    backend.file_limits.lock().unwrap().quota.bytes_max = 1;
    let [_, _, _, other] = &backend.keys;
    let reply = upload(&router, other, "xx").await;
    reply.failure(503);
    assert_eq!(reply.headers["retry-after"], "60");
}

#[tokio::test]
async fn a_file_may_ask_to_be_kept_for_less_and_not_for_more() {
    let (backend, router) = FakeBackend::with_router().await;
    for (seconds, kept) in [("3600", 3_600), ("2592000", 2_592_000)] {
        let body = form(&[
            ("purpose", None, "batch"),
            ("expires_after[anchor]", None, "created_at"),
            ("expires_after[seconds]", None, seconds),
            ("file", Some("l"), LINE),
        ]);
        let kind = "multipart/form-data; boundary=X";
        let reply = send(&router, backend.inference(), kind, body).await;
        assert_eq!(reply.json()["expires_at"], NOW / 1000 + kept);
    }
}

#[tokio::test]
async fn a_batch_is_made_shown_listed_cancelled_and_deleted() {
    let (backend, router) = FakeBackend::with_router().await;
    let key = backend.inference();
    let file = kept(&router, key).await;
    let mut wanted: Value = serde_json::from_str(&new_batch(&file)).unwrap();
    wanted["metadata"] = json!({"team": "a", "of": "b"});
    wanted["endpoint"] = "/api/v1/chat/completions".into();
    let reply = ask(&router, "POST /api/v1/batches", key, &wanted.to_string()).await;
    assert_eq!(reply.status, 200, "{}", reply.text);
    let batch = reply.json();
    assert_eq!(batch["object"], "batch");
    assert_eq!(batch["status"], "validating");
    assert_eq!(batch["endpoint"], "/v1/chat/completions");
    assert_eq!(batch["input_file_id"], file);
    assert_eq!(batch["metadata"], json!({"team": "a", "of": "b"}));
    assert_eq!(batch["expires_at"], NOW / 1000 + 86_400);
    assert_eq!(
        batch["request_counts"],
        json!({"total": 0, "completed": 0, "failed": 0})
    );
    assert_eq!(backend.looked.load(Relaxed), 1);
    let id = batch["id"].as_str().unwrap();
    assert_eq!(
        ask(&router, &format!("GET /v1/batches/{id}"), key, "")
            .await
            .json(),
        batch
    );
    // Its file is read, and stays.
    let kept_back = ask(&router, &format!("DELETE /v1/files/{file}"), key, "").await;
    assert!(kept_back.failure(409).contains(id));
    let early = ask(&router, &format!("DELETE /v1/batches/{id}"), key, "").await;
    early.failure(409);
    let told = ask(&router, &format!("POST /v1/batches/{id}/cancel"), key, "").await;
    assert_eq!(told.json()["status"], "cancelling");
    assert_eq!(told.json()["cancelling_at"], NOW / 1000);
    end(&backend, id, BatchState::Cancelled).await;
    let late = ask(&router, &format!("POST /v1/batches/{id}/cancel"), key, "").await;
    assert!(late.failure(409).contains("cancelled"));
    let shown = ask(&router, &format!("GET /v1/batches/{id}"), key, "")
        .await
        .json();
    assert_eq!(shown["cancelled_at"], NOW / 1000 + 9);
    assert_eq!(shown["completed_at"], Value::Null);
    let gone = ask(&router, &format!("DELETE /v1/batches/{id}"), key, "").await;
    assert_eq!(gone.json()["deleted"], true);
    ask(&router, &format!("GET /v1/batches/{id}"), key, "")
        .await
        .failure(404);
}

#[tokio::test]
async fn lists_of_batches_have_pages_newest_first() {
    let (backend, router) = FakeBackend::with_router().await;
    let key = backend.inference();
    let mut ids = Vec::new();
    for _ in 0..3 {
        ids.push(made(&router, key).await);
    }
    ids.sort_unstable_by(|a, b| b.cmp(a));
    let page = ask(&router, "GET /v1/batches?limit=2", key, "")
        .await
        .json();
    assert_eq!(page["data"][0]["id"], *ids[0]);
    assert_eq!(
        (&page["has_more"], &page["last_id"]),
        (&json!(true), &json!(ids[1]))
    );
    let next = format!("GET /v1/batches?limit=2&after={}", ids[1]);
    let page = ask(&router, &next, key, "").await.json();
    assert_eq!(page["data"].as_array().unwrap().len(), 1);
    assert_eq!(
        (&page["has_more"], &page["first_id"]),
        (&json!(false), &json!(ids[2]))
    );
    ask(&router, "GET /v1/batches?limit=101", key, "")
        .await
        .failure(400);
    // One more is too many.
    let file = kept(&router, key).await;
    let reply = ask(&router, "POST /v1/batches", key, &new_batch(&file)).await;
    assert!(reply.failure(429).contains("3 batches"));
}

#[tokio::test]
async fn a_batch_that_cannot_be_is_refused_by_name() {
    let (backend, router) = FakeBackend::with_router().await;
    let key = backend.inference();
    let file = kept(&router, key).await;
    let over = |name: &str, value: Value| {
        let mut wanted: Value = serde_json::from_str(&new_batch(&file)).unwrap();
        wanted[name] = value;
        wanted.to_string()
    };
    let long = "x".repeat(513);
    for (body, named) in [
        (
            over("endpoint", "/v1/images".into()),
            "endpoint: must be one of /v1/chat/completions",
        ),
        (over("endpoint", Value::Null), "endpoint: must be given"),
        (
            over("completion_window", "1h".into()),
            "completion_window: ",
        ),
        (
            over("input_file_id", "file-none".into()),
            "input_file_id: there is no",
        ),
        (over("requests", json!([])), "requests: not supported here"),
        (
            over("output_expires_after", json!({})),
            "output_expires_after: ",
        ),
        (over("metadata", json!({"a": 1})), "metadata: "),
        (over("metadata", json!({"a": long})), "metadata: "),
        (over("more", json!(1)), "more: there is no such field"),
    ] {
        let message = ask(&router, "POST /v1/batches", key, &body)
            .await
            .failure(400);
        assert!(message.starts_with(named), "{named}: {message}");
    }
    assert_eq!(backend.looked.load(Relaxed), 0);
}

const REQUESTS: &str =
    r#"{"requests":[{"custom_id":"a","params":{"model":"m"}},{"custom_id":"b","params":{}}]}"#;

#[tokio::test]
async fn a_message_batch_is_made_shown_cancelled_and_deleted_in_the_shapes_of_its_api() {
    let (backend, router) = FakeBackend::with_router().await;
    let key = backend.inference();
    let reply = ask(&router, "POST /v1/messages/batches", key, REQUESTS).await;
    assert_eq!(reply.status, 200, "{}", reply.text);
    let batch = reply.json();
    let id = batch["id"].as_str().unwrap();
    assert!(id.starts_with("msgbatch_"));
    assert_eq!(batch["type"], "message_batch");
    assert_eq!(batch["processing_status"], "in_progress");
    assert_eq!(batch["request_counts"]["processing"], 2);
    assert_eq!(batch["results_url"], Value::Null);
    assert_eq!(backend.looked.load(Relaxed), 1);
    let line = format!("/v1/messages/batches/{id}");
    assert_eq!(
        ask(&router, &format!("GET /api{line}"), key, "")
            .await
            .json(),
        batch
    );
    let early = ask(&router, &format!("GET {line}/results"), key, "").await;
    assert_eq!(
        (early.status, &early.json()["type"]),
        (404, &json!("error"))
    );
    let list = ask(&router, "GET /v1/messages/batches", key, "")
        .await
        .json();
    assert_eq!((&list["data"][0], &list["first_id"]), (&batch, &json!(id)));
    // Its requests are no file of anybody's, and it is no batch of the other kind.
    let files = ask(&router, "GET /v1/files", key, "").await.json();
    assert_eq!(files["data"], json!([]));
    let other = id.replace("msgbatch_", "batch_");
    ask(&router, &format!("GET /v1/batches/{other}"), key, "")
        .await
        .failure(404);
    let told = ask(&router, &format!("POST {line}/cancel"), key, "")
        .await
        .json();
    assert_eq!(told["processing_status"], "canceling");
    assert!(told["cancel_initiated_at"].is_string());
    end(&backend, id, BatchState::Cancelled).await;
    let shown = ask(&router, &format!("GET {line}"), key, "").await.json();
    assert_eq!(shown["processing_status"], "ended");
    assert!(shown["ended_at"].is_string());
    let gone = ask(&router, &format!("DELETE {line}"), key, "")
        .await
        .json();
    assert_eq!(gone, json!({"id": id, "type": "message_batch_deleted"}));
    assert!(backend.contents.ids().unwrap().is_empty());
}

#[tokio::test]
async fn errors_of_message_batches_are_in_the_words_of_their_api() {
    let (backend, router) = FakeBackend::with_router().await;
    let key = backend.inference();
    for (line, key, body, status, kind) in [
        (
            "POST /v1/messages/batches",
            "",
            REQUESTS,
            401,
            "authentication_error",
        ),
        (
            "POST /api/v1/messages/batches",
            key,
            "{}",
            400,
            "invalid_request_error",
        ),
        (
            "GET /v1/messages/batches/msgbatch_x",
            key,
            "",
            404,
            "not_found_error",
        ),
        (
            "GET /v1/messages/batches?limit=0",
            key,
            "",
            400,
            "invalid_request_error",
        ),
        (
            "GET /v1/messages/batches",
            backend.management(),
            "",
            403,
            "permission_error",
        ),
    ] {
        let reply = ask(&router, line, key, body).await;
        assert_eq!(reply.status, status, "{line}: {}", reply.text);
        let told = reply.json();
        assert_eq!(
            (&told["type"], &told["error"]["type"]),
            (&json!("error"), &json!(kind))
        );
    }
    let twice = REQUESTS.replace("\"b\"", "\"a\"");
    let reply = ask(&router, "POST /v1/messages/batches", key, &twice).await;
    let told = reply.json()["error"]["message"]
        .as_str()
        .unwrap()
        .to_owned();
    assert!(told.starts_with("requests.1.custom_id"), "{told}");
    assert!(
        backend.contents.ids().unwrap().is_empty(),
        "no file is left"
    );
}

#[tokio::test]
async fn what_is_another_accounts_looks_like_what_is_not_there() {
    let (backend, router) = FakeBackend::with_router().await;
    let (mine, [_, _, _, theirs]) = (backend.inference(), &backend.keys);
    let file = kept(&router, mine).await;
    let batch = made(&router, mine).await;
    let message_batch = ask(&router, "POST /v1/messages/batches", mine, REQUESTS).await;
    let message_batch = message_batch.json()["id"].as_str().unwrap().to_owned();
    let zeros = "0".repeat(32);
    for (line, id) in [
        ("GET /v1/files/ID", &file),
        ("GET /v1/files/ID/content", &file),
        ("DELETE /v1/files/ID", &file),
        ("GET /v1/batches/ID", &batch),
        ("POST /v1/batches/ID/cancel", &batch),
        ("DELETE /v1/batches/ID", &batch),
        ("GET /v1/messages/batches/ID", &message_batch),
        ("GET /v1/messages/batches/ID/results", &message_batch),
        ("POST /v1/messages/batches/ID/cancel", &message_batch),
        ("DELETE /v1/messages/batches/ID", &message_batch),
    ] {
        let prefix = &id[..id.len() - 32];
        let foreign = ask(&router, &line.replace("ID", id), theirs, "").await;
        let absent = line.replace("ID", &format!("{prefix}{zeros}"));
        let absent = ask(&router, &absent, theirs, "").await;
        assert_eq!((foreign.status, absent.status), (404, 404), "{line}");
        assert_eq!(
            (foreign.text, foreign.headers),
            (absent.text, absent.headers)
        );
    }
    for list in [
        "GET /v1/files",
        "GET /v1/batches",
        "GET /v1/messages/batches",
    ] {
        assert_eq!(
            ask(&router, list, theirs, "").await.json()["data"],
            json!([])
        );
    }
    let reply = ask(&router, "POST /v1/batches", theirs, &new_batch(&file)).await;
    assert!(reply.failure(400).contains("input_file_id"));
    assert!(
        backend
            .store
            .file(file[5..].parse().unwrap())
            .await
            .unwrap()
            .is_some()
    );
}

/// A body that never ends, and of which hardly anything comes.
struct Trickle;

impl http_body::Body for Trickle {
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
async fn a_file_that_does_not_come_is_given_up_and_its_place_is_free_again() {
    let (backend, router) = FakeBackend::with_router().await;
    let key = backend.inference();
    let begun = tokio::time::Instant::now();
    let kind = "multipart/form-data; boundary=X";
    let waiting = || send(&router, key, kind, Body::new(Trickle));
    let (a, b, c, d, e) = tokio::join!(waiting(), waiting(), waiting(), waiting(), waiting());
    let mut statuses = [a, b, c, d, e].map(|reply| reply.status);
    statuses.sort_unstable();
    assert_eq!(statuses, [408, 408, 408, 408, 429]);
    assert_eq!(begun.elapsed(), std::time::Duration::from_secs(30));
    assert_eq!(upload(&router, key, LINE).await.status, 200);
}

//! Keys: what is accepted, what is refused, and that digits survive.

use std::sync::atomic::Ordering::Relaxed;

use bourse_ledger::{Balance, KeyBalance};
use bourse_policy::{KeyHash, Spent};
use bourse_store::Keys;
use bourse_vocab::Nanos;

use super::{FakeBackend, ask};

#[tokio::test]
async fn a_key_is_created_listed_changed_and_deleted() {
    let (backend, router) = FakeBackend::with_router().await;
    let key = backend.management();
    let body = r#"{"name":" ci ","limit":12.000000001,"limit_reset":"weekly",
        "include_byok_in_limit":true,"expires_at":"2027-12-31T23:59:59Z",
        "workspace_id":null,"creator_user_id":null}"#;
    let reply = ask(&router, "POST /api/v1/keys", key, body).await;
    assert_eq!(reply.status, 201, "{}", reply.text);
    assert!(
        reply.text.contains(r#""limit":12.000000001"#),
        "{}",
        reply.text
    );
    let created = reply.json();
    let text = created["key"].as_str().unwrap();
    let hash = created["data"]["hash"].as_str().unwrap();
    assert_eq!(hash, KeyHash::of(text).to_string());
    assert_eq!(created["data"]["name"], "ci");
    assert_eq!(created["data"]["limit_reset"], "weekly");
    assert_eq!(created["data"]["expires_at"], "2027-12-31T23:59:59Z");
    assert_eq!(created["data"]["created_at"], "2026-11-21T12:00:00Z");
    assert_eq!(backend.refreshed.load(Relaxed), 1);
    // It works, and no list shows its text.
    let own = ask(&router, "GET /v1/key", text, "").await;
    assert_eq!(own.status, 200);
    // Both name the workspace, and in one word.
    let own = own.json()["data"]["workspace_id"].take();
    assert_eq!(own, "default");
    assert_eq!(created["data"]["workspace_id"], own);
    let listed = ask(&router, "GET /v1/keys", key, "").await;
    assert!(!listed.text.contains(text));
    let listed = listed.json();
    assert_eq!(listed["data"].as_array().unwrap().len(), 3);
    assert_eq!(listed["data"][0]["hash"], hash);

    let one = format!("/v1/keys/{hash}");
    let body = r#"{"limit":null,"disabled":true}"#;
    let reply = ask(&router, &format!("PATCH {one}"), key, body)
        .await
        .json();
    assert_eq!(reply["data"]["limit"], serde_json::Value::Null);
    assert_eq!(reply["data"]["limit_remaining"], serde_json::Value::Null);
    assert_eq!(reply["data"]["limit_reset"], "weekly");
    assert_eq!(reply["data"]["disabled"], true);
    assert_eq!(reply["data"]["name"], "ci");
    assert_eq!(backend.refreshed.load(Relaxed), 2);
    let count = async |path: &str| {
        let listed = ask(&router, &format!("GET {path}"), key, "").await.json();
        listed["data"].as_array().unwrap().len()
    };
    assert_eq!(count("/v1/keys").await, 2);
    assert_eq!(count("/v1/keys?include_disabled=true").await, 3);
    assert_eq!(count("/v1/keys?include_disabled=true&offset=2").await, 1);

    let reply = ask(&router, &format!("DELETE {one}"), key, "").await;
    assert_eq!(reply.text, r#"{"deleted":true}"#);
    assert_eq!(backend.refreshed.load(Relaxed), 3);
    for method in ["GET", "PATCH", "DELETE"] {
        ask(&router, &format!("{method} {one}"), key, "{}")
            .await
            .failure(404);
    }
}

#[tokio::test]
async fn what_a_key_cannot_be_is_refused_by_name() {
    let (backend, router) = FakeBackend::with_router().await;
    let long = format!(r#"{{"name":"{}"}}"#, "é".repeat(201));
    for (body, names) in [
        ("", "JSON object"),
        ("[]", "JSON object"),
        ("{}", "name"),
        (r#"{"name":""}"#, "name"),
        (r#"{"name":"   "}"#, "name"),
        (r#"{"name":7}"#, "name"),
        (r#"{"name":null}"#, "name"),
        (r#"{"name":"a\nb"}"#, "name"),
        (&long, "name"),
        (r#"{"name":"x","limit":-0.01}"#, "limit"),
        (r#"{"name":"x","limit":"5"}"#, "limit"),
        (r#"{"name":"x","limit":0.0000000001}"#, "limit"),
        (r#"{"name":"x","limit":1e30}"#, "limit"),
        (r#"{"name":"x","limit":true}"#, "limit"),
        (r#"{"name":"x","limit_reset":"yearly"}"#, "limit_reset"),
        (
            r#"{"name":"x","include_byok_in_limit":1}"#,
            "include_byok_in_limit",
        ),
        (r#"{"name":"x","expires_at":"soon"}"#, "expires_at"),
        (
            r#"{"name":"x","expires_at":"2020-01-01T00:00:00Z"}"#,
            "expires_at",
        ),
        (r#"{"name":"x","workspace_id":"0df9e665"}"#, "workspace_id"),
        (
            r#"{"name":"x","creator_user_id":"user_1"}"#,
            "creator_user_id",
        ),
        (r#"{"name":"x","external":"u"}"#, "external: "),
        (r#"{"name":"x","external":{}}"#, "external.user"),
        (r#"{"name":"x","external":{"user":""}}"#, "external.user"),
        (r#"{"name":"x","external":{"user":" u"}}"#, "external.user"),
        (
            r#"{"name":"x","external":{"user":"a\u0000b"}}"#,
            "external.user",
        ),
        (r#"{"name":"x","external":{"user":7}}"#, "external.user"),
        (
            r#"{"name":"x","external":{"user":"u","usr":1}}"#,
            "external.usr",
        ),
        (
            r#"{"name":"x","external":{"user":"u","api_key":"short"}}"#,
            "external.api_key",
        ),
        (
            r#"{"name":"x","external":{"user":"u","api_key":"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"}}"#,
            "external.api_key",
        ),
        (
            r#"{"name":"x","bourse":{"hedging":"yes"}}"#,
            "bourse.hedging",
        ),
        (r#"{"name":"x","bourse":{"strict":1}}"#, "bourse.strict"),
        (r#"{"name":"x","bourse":{"hedge":true}}"#, "bourse.hedge"),
        (r#"{"name":"x","bourse":true}"#, "bourse: "),
        (r#"{"name":"x","limt":5}"#, "limt"),
        (r#"{"name":"x","disabled":true}"#, "disabled"),
    ] {
        let reply = ask(&router, "POST /v1/keys", backend.management(), body).await;
        let message = reply.failure(400);
        assert!(message.contains(names), "{body}: {message}");
    }
    assert_eq!(backend.refreshed.load(Relaxed), 0);
    assert_eq!(
        backend.store.keys(None, true, 0, 100).await.unwrap().len(),
        4
    );
}

#[tokio::test]
async fn a_key_says_whose_it_is_for_its_maker_and_never_shows_their_key() {
    let (backend, router) = FakeBackend::with_router().await;
    let theirs = "partner-0123456789abcdef0123456789";
    let body = format!(r#"{{"name":"x","external":{{"user":"Ann 7","api_key":"{theirs}"}}}}"#);
    let made = ask(&router, "POST /v1/keys", backend.management(), &body).await;
    assert_eq!(made.status, 201, "{}", made.text);
    assert!(!made.text.contains(theirs), "{}", made.text);
    let made = made.json();
    assert_eq!(made["data"]["external_user"], "Ann 7");
    let hash: KeyHash = made["data"]["hash"].as_str().unwrap().parse().unwrap();
    let row = backend.store.key_by_hash(hash).await.unwrap().unwrap();
    let external = row.key.external.unwrap();
    assert_eq!(external.key_hash, Some(KeyHash::of(theirs)));
    // It names somebody, and opens nothing.
    ask(&router, "GET /v1/key", theirs, "").await.failure(401);
    let listed = ask(&router, "GET /v1/keys", backend.management(), "").await;
    assert!(!listed.text.contains(theirs));
    let listed = listed.json();
    assert_eq!(listed["data"][0]["external_user"], "Ann 7");
    assert!(listed["data"][1]["external_user"].is_null());
}

#[tokio::test]
async fn what_a_keys_calls_have_by_themselves_is_kept_changed_and_forgotten() {
    let (backend, router) = FakeBackend::with_router().await;
    let key = backend.management();
    let body = r#"{"name":"x","bourse":{"continuation":true}}"#;
    let made = ask(&router, "POST /v1/keys", key, body).await.json();
    assert_eq!(
        made["data"]["bourse"].to_string(),
        r#"{"continuation":true,"hedging":null,"strict":false}"#
    );
    let path = format!("/v1/keys/{}", made["data"]["hash"].as_str().unwrap());
    for (body, expected) in [
        (
            r#"{"bourse":{"hedging":false,"strict":true}}"#,
            r#"{"continuation":true,"hedging":false,"strict":true}"#,
        ),
        (
            r#"{"bourse":{}}"#,
            r#"{"continuation":true,"hedging":false,"strict":true}"#,
        ),
        (
            r#"{"name":"y"}"#,
            r#"{"continuation":true,"hedging":false,"strict":true}"#,
        ),
        (
            r#"{"bourse":{"continuation":null,"hedging":true}}"#,
            r#"{"continuation":null,"hedging":true,"strict":true}"#,
        ),
        (
            r#"{"bourse":{"strict":null}}"#,
            r#"{"continuation":null,"hedging":true,"strict":false}"#,
        ),
        (
            r#"{"bourse":{"strict":true}}"#,
            r#"{"continuation":null,"hedging":true,"strict":true}"#,
        ),
        (
            r#"{"bourse":null}"#,
            r#"{"continuation":null,"hedging":null,"strict":false}"#,
        ),
    ] {
        let reply = ask(&router, &format!("PATCH {path}"), key, body).await;
        assert_eq!(reply.status, 200, "{}", reply.text);
        assert_eq!(
            reply.json()["data"]["bourse"].to_string(),
            expected,
            "{body}"
        );
        let shown = ask(&router, &format!("GET {path}"), key, "").await.json();
        assert_eq!(shown["data"]["bourse"].to_string(), expected, "{body}");
    }
}

#[tokio::test]
async fn limits_are_read_from_their_digits() {
    let (backend, router) = FakeBackend::with_router().await;
    // The nearest float of the first has other digits.
    for (limit, shown) in [
        ("9007199254.740993", "9007199254.740993"),
        ("0", "0"),
        ("1e2", "100"),
        ("0.1", "0.1"),
    ] {
        let body = format!(r#"{{"name":"x","limit":{limit}}}"#);
        let reply = ask(&router, "POST /v1/keys", backend.management(), &body).await;
        let expected = format!(r#""limit":{shown},"limit_remaining":{shown},"#);
        assert!(reply.text.contains(&expected), "{}", reply.text);
    }
}

#[tokio::test]
async fn a_management_key_cannot_remove_itself() {
    let (backend, router) = FakeBackend::with_router().await;
    let key = backend.management();
    let hash = KeyHash::of(key);
    ask(&router, &format!("DELETE /v1/keys/{hash}"), key, "")
        .await
        .failure(409);
    let off = r#"{"disabled":true}"#;
    ask(&router, &format!("PATCH /v1/keys/{hash}"), key, off)
        .await
        .failure(409);
    let rename = r#"{"name":"boss","disabled":false}"#;
    let reply = ask(&router, &format!("PATCH /v1/keys/{hash}"), key, rename).await;
    assert_eq!(reply.json()["data"]["name"], "boss");
}

#[tokio::test]
async fn a_patch_refuses_what_it_cannot_change() {
    let (backend, router) = FakeBackend::with_router().await;
    let line = format!("PATCH /v1/keys/{}", KeyHash::of(backend.inference()));
    for (body, names) in [
        (r#"{"name":""}"#, "name"),
        (r#"{"disabled":"yes"}"#, "disabled"),
        (r#"{"limit":"5","colour":"red"}"#, "limit"),
        (r#"{"workspace_id":"0df9e665"}"#, "workspace_id"),
    ] {
        let message = ask(&router, &line, backend.management(), body)
            .await
            .failure(400);
        assert!(message.contains(names), "{body}: {message}");
    }
}

#[tokio::test]
async fn a_patch_ignores_what_it_does_not_know_unless_that_is_all() {
    let (backend, router) = FakeBackend::with_router().await;
    let line = format!("PATCH /v1/keys/{}", KeyHash::of(backend.inference()));
    let key = backend.management();
    let body = r#"{"limit":7,"colour":"red","expires_at":"2030-01-01T00:00:00Z",
        "creator_user_id":"user_1"}"#;
    let reply = ask(&router, &line, key, body).await;
    assert_eq!(reply.status, 200, "{}", reply.text);
    assert_eq!(reply.json()["data"]["limit"], 7);
    assert_eq!(reply.json()["data"]["expires_at"], serde_json::Value::Null);
    // A misspelt limit must not look like success.
    for body in ["{}", r#"{"limt":5}"#, r#"{"hash":"x","usage":0}"#] {
        let message = ask(&router, &line, key, body).await.failure(400);
        assert_eq!(message, "No update fields provided", "{body}");
    }
    // What says that the key stays where it is changes nothing.
    let stays = r#"{"workspace_id":"default"}"#;
    assert_eq!(ask(&router, &line, key, stays).await.status, 200);
}

#[tokio::test]
async fn no_count_of_free_requests_is_negative() {
    let (backend, router) = FakeBackend::with_router().await;
    let reply = ask(&router, "GET /v1/key", backend.inference(), "").await;
    let free = &reply.json()["data"]["free_model_daily_requests"];
    for member in ["limit", "remaining", "used"] {
        assert!(free[member].as_u64().is_some(), "{member}: {free}");
    }
    assert_eq!(free["limit"], free["remaining"]);
    assert_eq!(free["used"], 0);
}

#[tokio::test]
async fn the_live_books_are_believed_before_the_store() {
    let (backend, router) = FakeBackend::with_router().await;
    let line = format!("PATCH /v1/keys/{}", KeyHash::of(backend.inference()));
    ask(
        &router,
        &line,
        backend.management(),
        r#"{"limit":1,"limit_reset":"daily"}"#,
    )
    .await;
    let stored = ask(&router, "GET /v1/credits", backend.management(), "").await;
    assert_eq!(
        stored.text,
        r#"{"data":{"total_credits":10,"total_usage":0}}"#
    );
    let spent = Spent {
        total: Nanos(350_000_001),
        day: Nanos(250_000_001),
        week: Nanos(350_000_001),
        month: Nanos(350_000_001),
    };
    let key = KeyBalance {
        spent,
        held: Nanos(5),
        limit: None,
    };
    let balance = Balance {
        granted: Nanos(10_000_000_000),
        spent: Nanos(350_000_001),
        held: Nanos(5),
    };
    *backend.live.lock().unwrap() = Some((balance, key));
    let reply = ask(&router, "GET /v1/credits", backend.management(), "").await;
    assert_eq!(
        reply.text,
        r#"{"data":{"total_credits":10,"total_usage":0.350000001}}"#
    );
    let reply = ask(&router, "GET /v1/key", backend.inference(), "").await;
    for part in [
        r#""limit":1,"limit_remaining":0.749999999,"limit_reset":"daily""#,
        r#""usage":0.350000001,"usage_daily":0.250000001"#,
        r#""scope":"key_limit""#,
        r#""resets_at":"2026-11-22T00:00:00Z""#,
    ] {
        assert!(reply.text.contains(part), "{part}: {}", reply.text);
    }
}

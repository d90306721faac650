//! `/routing/explain`.

use super::{FakeBackend, ask};

#[tokio::test]
async fn a_request_is_explained_as_it_was_sent_for_the_account_that_asks() {
    let (backend, router) = FakeBackend::with_router().await;
    let body = r#"{"model":"a/b","provider":{"sort":"price"}}"#;
    let line = "POST /api/v1/routing/explain";
    let reply = ask(&router, line, backend.management(), body).await;
    assert_eq!(reply.status, 200, "{}", reply.text);
    let told: serde_json::Value = serde_json::from_str(&reply.text).unwrap();
    assert_eq!(told["data"]["requested"][0], body);
    let whose = told["data"]["order"].as_str().unwrap();
    assert!(whose.starts_with("of "), "{whose}");
    assert!(told["data"]["candidates"].as_array().unwrap().is_empty());
    // Another account's key asks for that account.
    let foreign = ask(&router, line, backend.foreign(), body).await;
    assert_eq!(foreign.status, 200);
    assert!(!foreign.text.contains(whose), "{}", foreign.text);
}

#[tokio::test]
async fn what_is_no_request_is_refused_and_so_is_what_is_too_long_to_explain() {
    let (backend, router) = FakeBackend::with_router().await;
    let line = "POST /v1/routing/explain";
    let key = backend.management();
    ask(&router, line, key, "nonsense").await.failure(400);
    let long = " ".repeat((1 << 20) + 1);
    let refused = ask(&router, line, key, &long).await;
    let message = refused.failure(413);
    assert!(message.contains("1048576 bytes"), "{message}");
}

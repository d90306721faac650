//! `/ledger/books`.

use bourse_store::LiveReport;
use bourse_store::audit::Difference;

use super::{FakeBackend, ask};

#[tokio::test]
async fn what_differs_in_memory_is_told_to_whoever_manages() {
    let (backend, router) = FakeBackend::with_router().await;
    let line = "GET /api/v1/ledger/books";
    let reply = ask(&router, line, backend.management(), "").await;
    assert_eq!(reply.status, 200, "{}", reply.text);
    let told: serde_json::Value = serde_json::from_str(&reply.text).unwrap();
    assert_eq!(told["data"]["agree"], true);
    *backend.books.lock().unwrap() = LiveReport {
        differences: vec![Difference {
            what: "spent by account 1, in memory".to_owned(),
            expected: 7,
            found: 5,
        }],
        difference_count: 1,
        ..LiveReport::default()
    };
    let reply = ask(&router, line, backend.management(), "").await;
    let told: serde_json::Value = serde_json::from_str(&reply.text).unwrap();
    assert_eq!(told["data"]["agree"], false);
    let found = told["data"]["differences"][0].as_str().unwrap();
    assert!(found.contains("expected 7, found 5"), "{found}");
    ask(&router, line, backend.inference(), "")
        .await
        .failure(403);
    ask(&router, line, "", "").await.failure(401);
}

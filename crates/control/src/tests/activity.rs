//! `GET /activity`: what was used, by day, model and endpoint.

use bourse_policy::KeyHash;
use serde_json::Value;

use super::{FakeBackend, NOW, ask};

const DAY: u64 = 86_400_000;

async fn items(router: &axum::Router, key: &str, query: &str) -> Vec<Value> {
    let reply = ask(router, &format!("GET /v1/activity{query}"), key, "").await;
    assert_eq!(reply.status, 200, "{}", reply.text);
    reply.json()["data"].as_array().unwrap().clone()
}

#[tokio::test]
async fn a_days_calls_are_one_row_for_each_model_and_endpoint() {
    let (backend, router) = FakeBackend::with_router().await;
    for n in 1..=3 {
        backend.call(n, NOW - DAY).await;
    }
    let reply = ask(&router, "GET /v1/activity", backend.management(), "").await;
    // Three times 0.001234567 dollars, to the last digit.
    assert!(
        reply.text.contains(r#""usage":0.003703701"#),
        "{}",
        reply.text
    );
    let items = items(&router, backend.management(), "").await;
    assert_eq!(items.len(), 1);
    let item = &items[0];
    assert_eq!(item["date"], "2026-11-20");
    assert_eq!(item["model"], "openai/gpt-4o");
    assert_eq!(item["model_permaslug"], "openai/gpt-4o");
    assert_eq!(item["endpoint_id"], "openai/gpt-4o@openai");
    assert_eq!(item["provider_name"], "OpenAI");
    assert_eq!(item["requests"], 3);
    assert_eq!(item["prompt_tokens"], 30);
    assert_eq!(item["completion_tokens"], 15);
    assert_eq!(item["reasoning_tokens"], 6);
    assert_eq!(item["cached_tokens"], 3);
    assert_eq!(item["byok_usage_inference"], 0);
}

#[tokio::test]
async fn days_come_newest_first_and_today_only_when_asked_for() {
    let (backend, router) = FakeBackend::with_router().await;
    for (n, days) in [(1, 2), (2, 0), (3, 1), (4, 30), (5, 31)] {
        backend.call(n, NOW - days * DAY).await;
    }
    let dates = async |query: &str| {
        let items = items(&router, backend.management(), query).await;
        let dates = items.iter().map(|item| item["date"].as_str().unwrap());
        dates.collect::<Vec<_>>().join(" ")
    };
    assert_eq!(dates("").await, "2026-11-20 2026-11-19 2026-10-22");
    assert_eq!(dates("?date=2026-11-21").await, "2026-11-21");
    assert_eq!(dates("?date=2026-11-19").await, "2026-11-19");
    assert_eq!(dates("?date=2026-11-18").await, "");
}

#[tokio::test]
async fn a_date_outside_the_last_thirty_days_is_refused_by_name() {
    let (backend, router) = FakeBackend::with_router().await;
    for date in [
        "2026-10-21",
        "2026-11-22",
        "today",
        "2026-11-20T00:00:00Z",
        "1",
    ] {
        let line = format!("GET /v1/activity?date={date}");
        let reply = ask(&router, &line, backend.management(), "").await;
        let message = reply.failure(400);
        assert!(message.starts_with("date: "), "{message}");
    }
}

#[tokio::test]
async fn one_keys_activity_can_be_asked_for() {
    let (backend, router) = FakeBackend::with_router().await;
    backend.call(1, NOW - DAY).await;
    let of = |key: &str| format!("?api_key_hash={}", KeyHash::of(key));
    let key = backend.management();
    assert_eq!(items(&router, key, &of(backend.inference())).await.len(), 1);
    assert_eq!(items(&router, key, &of(key)).await.len(), 0);
    for hash in [of(backend.foreign()), "?api_key_hash=junk".to_owned()] {
        let line = format!("GET /v1/activity{hash}");
        ask(&router, &line, key, "").await.failure(404);
    }
}

#[tokio::test]
async fn an_account_sees_its_own_activity_only() {
    let (backend, router) = FakeBackend::with_router().await;
    backend.call(1, NOW - DAY).await;
    assert_eq!(items(&router, backend.foreign(), "").await.len(), 0);
    assert_eq!(items(&router, backend.management(), "").await.len(), 1);
}

#[tokio::test]
async fn filters_that_do_not_exist_here_are_refused_and_not_ignored() {
    let (backend, router) = FakeBackend::with_router().await;
    for name in ["user_id", "workspace_id", "group_by"] {
        let line = format!("GET /v1/activity?{name}=x");
        let reply = ask(&router, &line, backend.management(), "").await;
        let message = reply.failure(400);
        assert!(message.contains(name), "{message}");
    }
}

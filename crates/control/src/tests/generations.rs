//! `GET /generation`: what is found, for whom, and how long it takes.

use bourse_policy::KeyHash;
use bourse_store::Keys;
use bourse_vocab::GenerationId;
use tokio::time::{Duration, Instant};

use super::{FakeBackend, NOW, Reply, ask};

const OLD: u64 = NOW - 60_000;

async fn look_up(router: &axum::Router, key: &str, id: GenerationId) -> Reply {
    ask(router, &format!("GET /api/v1/generation?id={id}"), key, "").await
}

#[tokio::test]
async fn a_call_is_shown_with_what_it_was_and_what_it_cost() {
    let (backend, router) = FakeBackend::with_router().await;
    let id = backend.call(1, OLD).await;
    let reply = look_up(&router, backend.inference(), id).await;
    // To the last digit, as it was charged.
    assert!(
        reply
            .text
            .contains(r#""usage":0.001234567,"total_cost":0.001234567"#),
        "{}",
        reply.text
    );
    let data = &reply.json()["data"];
    assert_eq!(data["id"], id.to_string());
    assert_eq!(data["model"], "openai/gpt-4o");
    assert_eq!(data["provider_name"], "OpenAI");
    assert_eq!(data["created_at"], "2026-11-21T11:59:00Z");
    assert_eq!(data["api_type"], "completions");
    assert_eq!(data["streamed"], true);
    assert_eq!(data["cancelled"], false);
    assert_eq!(data["finish_reason"], "stop");
    assert_eq!(data["origin"], "https://example.com");
    assert_eq!(data["http_referer"], "https://example.com");
    assert_eq!(data["latency"], 120);
    assert_eq!(data["generation_time"], 900);
    assert_eq!(data["workspace_id"], "default");
    // A request makes one generation here, so there is nothing to group.
    assert_eq!(data["request_id"], serde_json::Value::Null);
}

#[tokio::test]
async fn a_call_that_names_no_user_is_that_of_its_keys_user() {
    let (backend, router) = FakeBackend::with_router().await;
    let body = r#"{"name":"x","external":{"user":"Ann 7"}}"#;
    let made = ask(&router, "POST /v1/keys", backend.management(), body).await;
    let made = made.json();
    let id = backend
        .call_with(made["key"].as_str().unwrap(), 1, OLD)
        .await;
    let data = look_up(&router, backend.inference(), id).await.json()["data"].take();
    assert_eq!(data["external_user"], "Ann 7");
}

#[tokio::test]
async fn tokens_are_those_that_the_provider_counted() {
    let (backend, router) = FakeBackend::with_router().await;
    let id = backend.call(1, OLD).await;
    let data = look_up(&router, backend.inference(), id).await.json()["data"].take();
    for (member, count) in [
        ("tokens_prompt", 10),
        ("tokens_completion", 5),
        ("native_tokens_prompt", 10),
        ("native_tokens_completion", 5),
        ("native_tokens_reasoning", 2),
        ("native_tokens_cached", 1),
        ("native_tokens_completion_images", 0),
    ] {
        assert_eq!(data[member], count, "{member}");
    }
}

#[tokio::test]
async fn attempts_are_listed_with_their_endpoints() {
    let (backend, router) = FakeBackend::with_router().await;
    let id = backend.call(1, OLD).await;
    let data = look_up(&router, backend.inference(), id).await.json()["data"].take();
    let attempts = data["provider_responses"].as_array().unwrap();
    assert_eq!(attempts.len(), 1);
    assert_eq!(attempts[0]["endpoint_id"], "openai/gpt-4o@openai");
    assert_eq!(attempts[0]["provider_name"], "openai");
    assert_eq!(attempts[0]["status"], 200);
    assert_eq!(attempts[0]["id"], "chatcmpl-1");
    assert_eq!(attempts[0]["is_byok"], false);
}

#[tokio::test]
async fn what_the_operator_pays_is_not_shown() {
    let (backend, router) = FakeBackend::with_router().await;
    let id = backend.call(1, OLD).await;
    let reply = look_up(&router, backend.inference(), id).await;
    let data = &reply.json()["data"];
    assert_eq!(data["is_byok"], false);
    assert!(data["upstream_inference_cost"].is_null());
    // The cost of this call is a thousandth of a dollar.
    assert!(!reply.text.contains("0.001,"), "{}", reply.text);
}

#[tokio::test]
async fn every_key_of_the_account_may_ask_and_no_other() {
    let (backend, router) = FakeBackend::with_router().await;
    let id = backend.call(1, OLD).await;
    for key in [backend.inference(), backend.management()] {
        assert_eq!(look_up(&router, key, id).await.status, 200);
    }
    let foreign_inference = backend.keys[3].clone();
    for key in [backend.foreign(), &foreign_inference] {
        look_up(&router, key, id).await.failure(404);
    }
    look_up(&router, "", id).await.failure(401);
}

#[tokio::test]
async fn a_deleted_keys_calls_stay_with_the_account() {
    let (backend, router) = FakeBackend::with_router().await;
    let id = backend.call(1, OLD).await;
    let hash = KeyHash::of(backend.inference());
    backend.store.delete_key(hash, NOW).await.unwrap();
    let reply = look_up(&router, backend.management(), id).await;
    assert_eq!(reply.status, 200, "{}", reply.text);
    look_up(&router, backend.inference(), id).await.failure(401);
}

#[tokio::test]
async fn an_id_must_be_given_and_one_that_is_no_id_does_not_exist() {
    let (backend, router) = FakeBackend::with_router().await;
    let key = backend.inference();
    for query in ["", "?id=", "?ID=gen-1"] {
        let line = format!("GET /v1/generation{query}");
        let message = ask(&router, &line, key, "").await.failure(400);
        assert!(message.starts_with("id: "), "{message}");
    }
    for id in ["gen-1", "nonsense", "%00", "gen-1795262400-"] {
        let line = format!("GET /v1/generation?id={id}");
        let message = ask(&router, &line, key, "").await.failure(404);
        assert_eq!(message, "There is no such generation");
    }
}

#[tokio::test(start_paused = true)]
async fn an_old_call_that_is_not_there_is_not_waited_for() {
    let (backend, router) = FakeBackend::with_router().await;
    let began = Instant::now();
    let absent = GenerationId::new(NOW / 1000 - 5, 99);
    look_up(&router, backend.inference(), absent)
        .await
        .failure(404);
    assert_eq!(began.elapsed(), Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn a_young_call_is_waited_for_until_its_record_arrives() {
    let (backend, router) = FakeBackend::with_router().await;
    let id = GenerationId::new(NOW / 1000, 1);
    let began = Instant::now();
    let arrival = async {
        tokio::time::sleep(Duration::from_millis(500)).await;
        assert_eq!(backend.call(1, NOW).await, id);
    };
    let (reply, ()) = tokio::join!(look_up(&router, backend.inference(), id), arrival);
    assert_eq!(reply.status, 200, "{}", reply.text);
    let waited = began.elapsed();
    assert!(waited <= Duration::from_millis(700), "{waited:?}");
}

#[tokio::test(start_paused = true)]
async fn a_young_call_that_never_arrives_is_given_up_after_three_seconds_and_few_looks() {
    let (backend, router) = FakeBackend::with_router().await;
    let id = GenerationId::new(NOW / 1000, 7);
    let began = Instant::now();
    look_up(&router, backend.inference(), id).await.failure(404);
    assert_eq!(began.elapsed(), Duration::from_millis(3_100));
}

#[tokio::test(start_paused = true)]
async fn a_foreign_young_call_takes_as_long_as_an_absent_one() {
    let (backend, router) = FakeBackend::with_router().await;
    let id = backend.call(1, NOW).await;
    let timed = async |id| {
        let began = Instant::now();
        look_up(&router, backend.foreign(), id).await.failure(404);
        began.elapsed()
    };
    let absent = GenerationId::new(NOW / 1000, 99);
    assert_eq!(timed(id).await, timed(absent).await);
}

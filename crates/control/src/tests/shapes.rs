//! Replies against the members that OpenRouter documents (its API document,
//! October 2026): its SDKs are strict, and refuse a reply that lacks one.

use bourse_policy::KeyHash;
use serde_json::Value;

use super::{FakeBackend, NOW, ask};
use crate::table::routes;
use crate::{calls, document};

const ACTIVITY: &str = "byok_usage_inference cached_tokens completion_tokens date endpoint_id \
    model model_permaslug prompt_tokens provider_name reasoning_tokens requests usage";
const CREDITS: &str = "total_credits total_usage";
const ENDPOINT: &str = "context_length latency_last_30m max_completion_tokens max_prompt_tokens \
    model_id model_name name native_tools pricing provider_name quantization service_tier \
    supported_parameters supports_diarization supports_implicit_caching supports_tool_choice tag \
    throughput_last_30m uptime_last_1d uptime_last_30m uptime_last_5m status";
const OF_MODEL: &str = "architecture created description endpoints id name";
const GENERATION: &str = "api_type app_id cache_discount cancelled created_at data_region \
    external_user finish_reason generation_time http_referer id is_byok latency model \
    moderation_latency native_finish_reason native_tokens_cached native_tokens_completion \
    native_tokens_completion_images native_tokens_prompt native_tokens_reasoning num_fetches \
    num_input_audio_prompt num_media_completion num_media_prompt num_search_results origin \
    preset_id provider_name provider_responses router service_tier streamed tokens_completion \
    tokens_prompt total_cost upstream_id upstream_inference_cost usage user_agent \
    web_search_engine workspace_id request_id response_cache_source_id session_id";
const CURRENT_KEY: &str = "allowed_data_regions budgets byok_usage byok_usage_daily \
    byok_usage_monthly byok_usage_weekly creator_user_id effective_budget \
    free_model_daily_requests include_byok_in_limit is_free_tier is_management_key \
    is_provisioning_key label limit limit_remaining limit_reset organization_id rate_limit usage \
    usage_daily usage_monthly usage_weekly workspace_id expires_at";
const BUDGET: &str = "budget_id guardrail_id include_byok limit_usd remaining_usd reset_interval \
    resets_at scope spend_usd";
const KEY: &str = "byok_usage byok_usage_daily byok_usage_monthly byok_usage_weekly created_at \
    creator_user_id disabled external_user hash include_byok_in_limit label last_used_at limit \
    limit_remaining limit_reset name updated_at usage usage_daily usage_monthly usage_weekly \
    workspace_id expires_at";
const MODEL: &str = "architecture canonical_slug context_length created default_parameters id \
    links name per_request_limits pricing supported_parameters supported_voices top_provider \
    description expiration_date hugging_face_id knowledge_cutoff";
const ARCHITECTURE: &str = "input_modalities instruct_type modality output_modalities tokenizer";
const PROVIDER: &str = "name privacy_policy_url slug datacenters headquarters status_page_url \
    terms_of_service_url";

/// Checks that an object has the documented members, whatever they are, and
/// that what it has is described.
fn check(value: &Value, documented: &str, schema: &str) {
    let members = value.as_object().unwrap_or_else(|| panic!("{value}"));
    for name in documented.split_whitespace() {
        assert!(members.contains_key(name), "{schema}: {name} is missing");
    }
    let document = document::write(&routes(), &calls::operations());
    let described = &document["components"]["schemas"][schema];
    for name in members.keys() {
        assert!(
            described["properties"].get(name).is_some(),
            "{schema}: {name} is not described"
        );
    }
    for name in described["required"].as_array().unwrap() {
        let name = name.as_str().unwrap();
        assert!(members.contains_key(name), "{schema}: {name} is required");
    }
}

async fn get(line: &str) -> Value {
    let (backend, router) = FakeBackend::with_router().await;
    let call = backend.call(1, NOW - 60_000).await;
    let hash = KeyHash::of(backend.inference());
    let line = line
        .replace("HASH", &hash.to_string())
        .replace("CALL", &call.to_string());
    let reply = ask(&router, &format!("GET {line}"), backend.management(), "").await;
    assert_eq!(reply.status, 200, "{}", reply.text);
    reply.json()
}

#[tokio::test]
async fn activity_has_the_documented_members() {
    let items = get("/v1/activity?date=2026-11-21").await;
    check(&items["data"][0], ACTIVITY, "ActivityItem");
}

#[tokio::test]
async fn credits_have_the_documented_members() {
    check(&get("/v1/credits").await["data"], CREDITS, "Credits");
}

#[tokio::test]
async fn endpoints_have_the_documented_members() {
    let list = get("/v1/endpoints/zdr").await;
    check(&list["data"][0], ENDPOINT, "Endpoint");
    let of_model = get("/v1/models/openai/gpt-4o/endpoints").await;
    let data = &of_model["data"];
    for name in OF_MODEL.split_whitespace() {
        assert!(data.get(name).is_some(), "{name}");
    }
    check(&data["architecture"], ARCHITECTURE, "Architecture");
    for endpoint in data["endpoints"].as_array().unwrap() {
        check(endpoint, ENDPOINT, "Endpoint");
        check(&endpoint["pricing"], "prompt completion", "Pricing");
    }
    let endpoints = data["endpoints"].as_array().unwrap();
    let measured = endpoints.iter().find(|e| e["tag"] == "openai").unwrap();
    check(
        &measured["latency_last_30m"],
        "p50 p75 p90 p99",
        "Percentiles",
    );
    let choice = &data["endpoints"][0]["supports_tool_choice"];
    for name in ["auto", "function", "none", "required"] {
        assert!(choice[name].is_boolean(), "{name}");
    }
}

#[tokio::test]
async fn a_generation_has_the_documented_members() {
    let reply = get("/v1/generation?id=CALL").await;
    check(&reply["data"], GENERATION, "Generation");
}

#[tokio::test]
async fn the_key_that_asks_has_the_documented_members() {
    let reply = get("/v1/key").await;
    let key = &reply["data"];
    check(key, CURRENT_KEY, "CurrentKey");
    for name in ["limit", "remaining", "used"] {
        assert!(key["free_model_daily_requests"][name].is_i64(), "{name}");
    }
    for name in ["interval", "note", "requests"] {
        assert!(key["rate_limit"].get(name).is_some(), "{name}");
    }
    assert_eq!(reply, get("/v1/auth/key").await);
}

#[tokio::test]
async fn a_budget_has_the_documented_members() {
    let (backend, router) = FakeBackend::with_router().await;
    let line = format!("PATCH /v1/keys/{}", KeyHash::of(backend.inference()));
    let body = r#"{"limit":5,"limit_reset":"monthly"}"#;
    ask(&router, &line, backend.management(), body).await;
    let key = ask(&router, "GET /v1/key", backend.inference(), "").await;
    let key = &key.json()["data"];
    check(&key["budgets"][0], BUDGET, "KeyBudget");
    assert_eq!(key["budgets"][0], key["effective_budget"]);
    assert_eq!(key["effective_budget"]["limit_usd"], 5);
    assert_eq!(key["effective_budget"]["resets_at"], "2026-12-01T00:00:00Z");
}

#[tokio::test]
async fn keys_have_the_documented_members() {
    check(&get("/v1/keys").await["data"][0], KEY, "Key");
    check(&get("/v1/keys/HASH").await["data"], KEY, "Key");
}

#[tokio::test]
async fn a_created_and_a_changed_key_have_the_documented_members() {
    let (backend, router) = FakeBackend::with_router().await;
    let key = backend.management();
    let created = ask(&router, "POST /v1/keys", key, r#"{"name":"x"}"#).await;
    assert_eq!(created.status, 201);
    let created = created.json();
    assert!(created["key"].is_string());
    check(&created["data"], KEY, "Key");
    let line = format!(
        "PATCH /v1/keys/{}",
        created["data"]["hash"].as_str().unwrap()
    );
    let changed = ask(&router, &line, key, r#"{"name":"y"}"#).await.json();
    check(&changed["data"], KEY, "Key");
}

#[tokio::test]
async fn models_have_the_documented_members() {
    let list = get("/v1/models?output_modalities=all").await;
    assert_eq!(list["object"], "list");
    assert!(list["links"].get("next").is_some());
    let models = list["data"].as_array().unwrap();
    assert_eq!(list["total_count"], models.len());
    for model in models {
        check(model, MODEL, "Model");
        check(&model["architecture"], ARCHITECTURE, "Architecture");
        check(&model["pricing"], "prompt completion", "Pricing");
        assert!(model["top_provider"]["is_moderated"].is_boolean());
        assert!(model["links"]["details"].is_string());
    }
    check(
        &get("/v1/model/openai/gpt-4o").await["data"],
        MODEL,
        "Model",
    );
}

#[tokio::test]
async fn providers_have_the_documented_members() {
    let list = get("/v1/providers").await;
    let providers = list["data"].as_array().unwrap();
    assert_eq!(providers.len(), 3);
    for provider in providers {
        check(provider, PROVIDER, "Provider");
    }
    let openai = providers.iter().find(|p| p["slug"] == "openai").unwrap();
    assert_eq!(openai["name"], "OpenAI");
    assert_eq!(openai["headquarters"], "US");
    assert_eq!(openai["privacy_policy_url"], "https://example.com/privacy");
    assert_eq!(openai["datacenters"], Value::Null);
}

#[tokio::test]
async fn counts_and_deletions_have_the_documented_members() {
    assert_eq!(
        get("/v1/models/count").await,
        serde_json::json!({"data": {"count": 3}})
    );
    let (backend, router) = FakeBackend::with_router().await;
    let line = format!("DELETE /v1/keys/{}", KeyHash::of(backend.inference()));
    let reply = ask(&router, &line, backend.management(), "").await;
    assert_eq!(reply.text, r#"{"deleted":true}"#);
}

#[tokio::test]
async fn an_error_has_the_documented_members_and_the_described_ones() {
    let (backend, router) = FakeBackend::with_router().await;
    for (line, key, status) in [
        ("GET /v1/key", "", 401),
        ("GET /v1/keys", backend.inference(), 403),
        ("GET /v1/generation", backend.inference(), 400),
        ("GET /v1/nothing", "", 404),
        ("PUT /v1/keys", "", 405),
    ] {
        let reply = ask(&router, line, key, "").await;
        reply.failure(status);
        check(&reply.json(), "error", "Error");
    }
}

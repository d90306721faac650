//! Models and their endpoints: which are listed, in what order, on which
//! page.

use std::sync::Arc;

use serde_json::Value;

use super::backend::catalog;
use super::{FakeBackend, ask};

/// Asks and returns the ids, in order.
async fn ids_at(path: &str) -> Vec<String> {
    let (backend, router) = FakeBackend::with_router().await;
    let reply = ask(&router, &format!("GET {path}"), backend.inference(), "").await;
    assert_eq!(reply.status, 200, "{path}: {}", reply.text);
    let body = reply.json();
    let data = body["data"].as_array().unwrap();
    let id = |model: &Value| model["id"].as_str().unwrap().to_owned();
    data.iter().map(id).collect()
}

/// The same for a query of `/models`.
async fn ids(query: &str) -> String {
    ids_at(&format!("/v1/models?{query}")).await.join(" ")
}

/// Asks for something wrong and returns the message.
async fn refusal(query: &str) -> String {
    let (_, router) = FakeBackend::with_router().await;
    let reply = ask(&router, &format!("GET /v1/models?{query}"), "", "").await;
    reply.failure(400)
}

#[tokio::test]
async fn the_list_has_text_models_with_a_known_price_newest_first() {
    assert_eq!(
        ids_at("/v1/models").await,
        ["acme/llama", "acme/llama:free", "openai/gpt-4o"]
    );
    assert_eq!(ids_at("/api/v1/models").await, ids_at("/v1/models").await);
}

#[tokio::test]
async fn a_query_that_says_nothing_gives_the_same_bytes_as_none() {
    let (_, router) = FakeBackend::with_router().await;
    let usual = ask(&router, "GET /v1/models", "", "").await;
    assert_eq!(usual.headers["content-type"], "application/json");
    for query in ["?", "?sort=newest", "?q=", "?unknown=1", "?category="] {
        let reply = ask(&router, &format!("GET /v1/models{query}"), "", "").await;
        assert_eq!(reply.text, usual.text, "{query}");
    }
}

#[tokio::test]
async fn a_part_of_the_name_or_id_is_found_in_any_case() {
    assert_eq!(ids("q=LLAMA").await, "acme/llama acme/llama:free");
    assert_eq!(ids("q=openai/").await, "openai/gpt-4o");
    assert_eq!(ids("q=(free)").await, "acme/llama:free");
    assert_eq!(ids("q=zebra").await, "");
}

#[tokio::test]
async fn what_comes_out_is_text_unless_another_is_asked_for() {
    assert_eq!(ids("output_modalities=image").await, "acme/painter");
    assert_eq!(
        ids("output_modalities=all").await,
        "acme/llama acme/llama:free openai/gpt-4o acme/painter"
    );
    assert_eq!(
        ids("output_modalities=image,text").await,
        ids("output_modalities=all").await
    );
    let message = refusal("output_modalities=smell").await;
    assert!(message.starts_with("output_modalities: "), "{message}");
    assert!(message.contains("image"), "{message}");
}

#[tokio::test]
async fn everything_that_goes_in_must_be_taken() {
    assert_eq!(ids("input_modalities=image").await, "openai/gpt-4o");
    assert_eq!(ids("input_modalities=text,image").await, "openai/gpt-4o");
    assert_eq!(ids("input_modalities=text,audio").await, "");
    assert!(
        refusal("input_modalities=x")
            .await
            .starts_with("input_modalities: ")
    );
}

#[tokio::test]
async fn parameters_must_all_be_understood() {
    // The painter understands seed and nothing else.
    let all = "output_modalities=all&supported_parameters";
    let others = "acme/llama acme/llama:free openai/gpt-4o";
    assert_eq!(
        ids(&format!("{all}=seed")).await,
        format!("{others} acme/painter")
    );
    assert_eq!(ids(&format!("{all}=tools")).await, others);
    assert_eq!(ids(&format!("{all}=seed,tools")).await, others);
    assert_eq!(
        ids(&format!("{all}=seed&supported_parameters=tools")).await,
        others
    );
    let message = refusal("supported_parameters=seeds").await;
    assert!(message.starts_with("supported_parameters: "), "{message}");
}

#[tokio::test]
async fn context_is_a_lower_bound() {
    assert_eq!(ids("context=8192").await, "acme/llama openai/gpt-4o");
    assert_eq!(ids("context=8193").await, "openai/gpt-4o");
    assert_eq!(ids("context=128001").await, "");
    assert_eq!(
        refusal("context=-1").await,
        "context: must be a whole number, 0 or more"
    );
}

#[tokio::test]
async fn prices_are_bounds_in_dollars_for_a_million_tokens() {
    assert_eq!(ids("max_price=0").await, "acme/llama:free");
    assert_eq!(ids("max_price=0.10").await, "acme/llama acme/llama:free");
    assert_eq!(ids("min_price=0.10").await, "acme/llama openai/gpt-4o");
    assert_eq!(ids("min_price=0.11&max_price=2.5").await, "openai/gpt-4o");
    assert_eq!(ids("min_output_price=0.41").await, "openai/gpt-4o");
    assert_eq!(
        ids("max_output_price=0.40").await,
        "acme/llama acme/llama:free"
    );
    for name in [
        "min_price",
        "max_price",
        "min_output_price",
        "max_output_price",
    ] {
        for price in ["cheap", "-1", "1,5"] {
            let message = refusal(&format!("{name}={price}")).await;
            assert!(message.starts_with(&format!("{name}: ")), "{message}");
        }
    }
}

#[tokio::test]
async fn authors_and_providers_are_lists_of_which_any_will_do() {
    assert_eq!(ids("model_authors=openai").await, "openai/gpt-4o");
    assert_eq!(ids("model_authors=OpenAI,nobody").await, "openai/gpt-4o");
    assert_eq!(ids("model_authors=nobody").await, "");
    assert_eq!(ids("providers=openai").await, "openai/gpt-4o");
    assert_eq!(
        ids("providers=backup").await,
        "acme/llama acme/llama:free openai/gpt-4o"
    );
    assert_eq!(ids("providers=nobody").await, "");
}

#[tokio::test]
async fn zero_data_retention_needs_an_endpoint_that_promises_it() {
    assert_eq!(ids("zdr=true").await, "");
    assert_eq!(ids("zdr=true&output_modalities=all").await, "acme/painter");
    assert_eq!(ids("zdr=false").await, ids("").await);
    assert_eq!(refusal("zdr=yes").await, "zdr: must be true or false");
}

#[tokio::test]
async fn zero_data_retention_and_the_provider_must_meet_in_one_endpoint() {
    let query = "output_modalities=all&zdr=true&providers=";
    assert_eq!(ids(&format!("{query}artist")).await, "acme/painter");
    assert_eq!(ids(&format!("{query}openai")).await, "");
}

#[tokio::test]
async fn ages_are_counted_in_days_before_now() {
    // Three days before 21 November 2026.
    assert_eq!(ids("max_age_days=4").await, "acme/llama acme/llama:free");
    assert_eq!(ids("max_age_days=3").await, "");
    assert_eq!(ids("min_age_days=4").await, "openai/gpt-4o");
    assert_eq!(ids("min_age_days=18446744073709551615").await, "");
}

#[tokio::test]
async fn tokenizers_are_compared_in_any_case() {
    assert_eq!(ids("arch=other").await, ids("").await);
    assert_eq!(ids("arch=GPT").await, "");
}

#[tokio::test]
async fn every_order_that_is_described_sorts() {
    for (sort, expected) in [
        ("newest", "acme/llama acme/llama:free openai/gpt-4o"),
        (
            "pricing-low-to-high",
            "acme/llama:free acme/llama openai/gpt-4o",
        ),
        (
            "pricing-high-to-low",
            "openai/gpt-4o acme/llama acme/llama:free",
        ),
        (
            "context-high-to-low",
            "openai/gpt-4o acme/llama acme/llama:free",
        ),
        // What was never measured comes last in both.
        (
            "throughput-high-to-low",
            "acme/llama openai/gpt-4o acme/llama:free",
        ),
        (
            "latency-low-to-high",
            "acme/llama openai/gpt-4o acme/llama:free",
        ),
    ] {
        assert_eq!(ids(&format!("sort={sort}")).await, expected, "{sort}");
    }
    let message = refusal("sort=best").await;
    assert!(message.contains("pricing-low-to-high"), "{message}");
}

#[tokio::test]
async fn filters_that_need_facts_we_do_not_keep_are_refused_by_name() {
    for name in [
        "category",
        "distillable",
        "region",
        "min_coding_index",
        "use_rss",
    ] {
        let message = refusal(&format!("{name}=x")).await;
        assert!(message.starts_with(&format!("{name}: ")), "{message}");
    }
    // What says nothing asks for nothing.
    assert_eq!(ids("distillable=false").await, ids("").await);
}

#[tokio::test]
async fn pages_follow_each_other_by_their_links_and_keep_the_filters() {
    let (_, router) = FakeBackend::with_router().await;
    let mut line = "/api/v1/models?sort=pricing-low-to-high&limit=2".to_owned();
    let mut found = Vec::new();
    let mut pages = 0;
    loop {
        let body = ask(&router, &format!("GET {line}"), "", "").await.json();
        assert_eq!(body["total_count"], 3);
        for model in body["data"].as_array().unwrap() {
            found.push(model["id"].as_str().unwrap().to_owned());
        }
        pages += 1;
        let Some(next) = body["links"]["next"].as_str() else {
            break;
        };
        next.clone_into(&mut line);
        assert!(
            line.starts_with("/api/v1/models?sort=pricing-low-to-high&"),
            "{line}"
        );
    }
    assert_eq!(pages, 2);
    assert_eq!(found, ["acme/llama:free", "acme/llama", "openai/gpt-4o"]);
}

#[tokio::test]
async fn a_page_past_the_end_is_empty_and_the_last_one() {
    let (_, router) = FakeBackend::with_router().await;
    for query in [
        "offset=3",
        "offset=18446744073709551615",
        "offset=99&limit=1",
    ] {
        let body = ask(&router, &format!("GET /v1/models?{query}"), "", "").await;
        let body = body.json();
        assert_eq!(body["data"].as_array().unwrap().len(), 0, "{query}");
        assert_eq!(body["links"]["next"], Value::Null, "{query}");
        assert_eq!(body["total_count"], 3, "{query}");
    }
}

#[tokio::test]
async fn the_size_of_a_page_is_bounded() {
    for limit in ["0", "1001", "18446744073709551615"] {
        let message = refusal(&format!("limit={limit}")).await;
        assert_eq!(message, "limit: must be from 1 to 1000");
    }
    assert_eq!(
        refusal("limit=many").await,
        "limit: must be a whole number, 0 or more"
    );
    assert_eq!(
        refusal("offset=-1").await,
        "offset: must be a whole number, 0 or more"
    );
    assert_eq!(ids("limit=1000").await, ids("").await);
}

#[tokio::test]
async fn the_count_is_of_what_the_same_filters_list() {
    let (_, router) = FakeBackend::with_router().await;
    for query in [
        "",
        "?output_modalities=all",
        "?q=llama",
        "?max_price=0",
        "?zdr=true",
    ] {
        let listed = ask(&router, &format!("GET /v1/models{query}"), "", "").await;
        let counted = ask(&router, &format!("GET /v1/models/count{query}"), "", "").await;
        assert_eq!(
            listed.json()["total_count"],
            counted.json()["data"]["count"],
            "{query}"
        );
    }
    ask(&router, "GET /v1/models/count?sort=best", "", "")
        .await
        .failure(400);
}

#[tokio::test]
async fn a_users_models_are_those_that_can_be_called_now() {
    // Only one provider is configured.
    assert_eq!(ids_at("/v1/models/user").await, ["openai/gpt-4o"]);
    assert!(ids_at("/v1/models/user?q=llama").await.is_empty());
}

#[tokio::test]
async fn one_model_is_shown_as_the_list_shows_it() {
    let (_, router) = FakeBackend::with_router().await;
    let list = ask(&router, "GET /v1/models", "", "").await.json();
    for listed in list["data"].as_array().unwrap() {
        let id = listed["id"].as_str().unwrap();
        let shown = ask(&router, &format!("GET /v1/model/{id}"), "", "").await;
        assert_eq!(shown.json()["data"], *listed, "{id}");
    }
    for id in ["acme/unknown", "acme/unpriced", "x/y"] {
        let reply = ask(&router, &format!("GET /v1/model/{id}"), "", "").await;
        let message = reply.failure(404);
        assert!(message.starts_with("There is no such model"), "{message}");
    }
}

#[tokio::test]
async fn a_model_shows_price_and_limits_of_its_cheapest_endpoint() {
    let (_, router) = FakeBackend::with_router().await;
    let reply = ask(&router, "GET /v1/model/openai/gpt-4o", "", "").await;
    let model = &reply.json()["data"];
    assert_eq!(model["pricing"]["prompt"], "0.0000025");
    assert_eq!(model["pricing"]["completion"], "0.00001");
    assert_eq!(model["pricing"]["input_cache_read"], "0.00000125");
    assert_eq!(model["top_provider"]["max_completion_tokens"], 16_384);
    assert_eq!(model["context_length"], 128_000);
    assert_eq!(model["architecture"]["modality"], "text+image->text");
    assert_eq!(model["owned_by"], "openai");
}

#[tokio::test]
async fn a_new_catalog_is_listed_at_once() {
    let (backend, router) = FakeBackend::with_router().await;
    let count = async || {
        let body = ask(&router, "GET /v1/models", "", "").await.json();
        body["data"].as_array().unwrap().len()
    };
    assert_eq!(count().await, 3);
    let overlay = serde_json::from_value(serde_json::json!({"models": [{
        "slug": "acme/younger", "context_length": 4_096,
        "endpoints": [{"provider": "artist", "upstream_model": "younger",
                       "price": {"prompt": "1", "completion": "1"}}],
    }]}));
    let mut raw = bourse_catalog::RawCatalog::default();
    raw.providers.insert("artist".into(), Default::default());
    let younger = bourse_catalog::Snapshot::build(raw, &[overlay.unwrap()]).unwrap();
    assert_ne!(younger.version(), catalog().version());
    *backend.catalog.lock().unwrap() = Arc::new(younger);
    assert_eq!(count().await, 1);
}

#[tokio::test]
async fn endpoints_are_listed_with_what_they_cost_and_whether_they_can_be_called() {
    let (_, router) = FakeBackend::with_router().await;
    let reply = ask(&router, "GET /v1/models/openai/gpt-4o/endpoints", "", "").await;
    let body = reply.json();
    let endpoints = body["data"]["endpoints"].as_array().unwrap();
    assert_eq!(endpoints.len(), 2);
    let of = |tag: &str| endpoints.iter().find(|e| e["tag"] == tag).unwrap();
    let (openai, backup) = (of("openai"), of("backup"));
    assert_eq!(openai["pricing"]["prompt"], "0.0000025");
    assert_eq!(backup["pricing"]["prompt"], "0.000003");
    assert_eq!(openai["is_callable"], true);
    assert_eq!(backup["is_callable"], false);
    assert_eq!(openai["endpoint_id"], "openai/gpt-4o@openai");
    assert_eq!(openai["name"], "OpenAI | openai/gpt-4o");
    assert_eq!(openai["status"], 0);
}

#[tokio::test]
async fn speed_is_shown_to_key_holders_and_uptime_to_everyone() {
    let (backend, router) = FakeBackend::with_router().await;
    let line = "GET /v1/models/openai/gpt-4o/endpoints";
    let measured = async |key: &str| {
        let body = ask(&router, line, key, "").await.json();
        let endpoints = body["data"]["endpoints"].as_array().unwrap().clone();
        endpoints
            .into_iter()
            .find(|e| e["tag"] == "openai")
            .unwrap()
    };
    for key in ["", "sk-bourse-v1-junk"] {
        let endpoint = measured(key).await;
        assert_eq!(endpoint["uptime_last_5m"], 100.0);
        assert_eq!(endpoint["latency_last_30m"], Value::Null);
        assert_eq!(endpoint["throughput_last_30m"], Value::Null);
    }
    for key in [backend.inference(), backend.management()] {
        let endpoint = measured(key).await;
        assert_eq!(endpoint["latency_last_30m"]["p50"], 20.0);
        assert_eq!(endpoint["throughput_last_30m"]["p99"], 50.0);
        assert_eq!(endpoint["uptime_last_1d"], Value::Null);
    }
}

#[tokio::test]
async fn a_model_without_a_priced_endpoint_has_no_endpoints_to_list() {
    let (_, router) = FakeBackend::with_router().await;
    for id in ["acme/unpriced", "acme/unknown"] {
        let line = format!("GET /v1/models/{id}/endpoints");
        let message = ask(&router, &line, "", "").await.failure(404);
        assert!(message.starts_with("There is no such model"), "{message}");
    }
}

#[tokio::test]
async fn only_endpoints_that_promise_it_are_listed_under_zero_data_retention() {
    let (_, router) = FakeBackend::with_router().await;
    let body = ask(&router, "GET /v1/endpoints/zdr", "", "").await.json();
    let tags: Vec<_> = body["data"]
        .as_array()
        .unwrap()
        .iter()
        .map(|endpoint| (&endpoint["model_id"], &endpoint["tag"]))
        .collect();
    assert_eq!(
        tags,
        [(&Value::from("acme/painter"), &Value::from("artist"))]
    );
}

#[tokio::test]
async fn providers_are_all_that_the_catalog_knows() {
    let (_, router) = FakeBackend::with_router().await;
    let body = ask(&router, "GET /v1/providers", "", "").await.json();
    let slugs: Vec<_> = body["data"]
        .as_array()
        .unwrap()
        .iter()
        .map(|provider| provider["slug"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(slugs, ["artist", "backup", "openai"]);
}

#[tokio::test]
async fn googles_clients_are_shown_the_same_models_a_page_at_a_time() {
    let (_, router) = FakeBackend::with_router().await;
    let all = ask(&router, "GET /v1beta/models?pageSize=1000", "", "")
        .await
        .json();
    let all = all["models"].as_array().unwrap();
    assert!(all.len() > 2, "{all:?}");
    let mut paged = Vec::new();
    let mut token = String::new();
    loop {
        let line = format!("GET /api/v1beta/models?pageSize=2&pageToken={token}");
        let page = ask(&router, &line, "", "").await.json();
        let models = page["models"].as_array().unwrap();
        assert!(models.len() <= 2);
        paged.extend(models.clone());
        match page["nextPageToken"].as_str() {
            Some(next) => next.clone_into(&mut token),
            None => break,
        }
    }
    assert_eq!(&paged, all);
    let shown = |path: &'static str| {
        let router = &router;
        async move { ask(router, &format!("GET {path}"), "", "").await.json() }
    };
    let model = shown("/v1beta/models/openai/gpt-4o").await;
    assert_eq!(model["name"], "models/openai/gpt-4o");
    assert_eq!(model["supportedGenerationMethods"][0], "generateContent");
    assert!(model["inputTokenLimit"].as_u64().unwrap() > 0);
    assert_eq!(shown("/v1beta/models/openai%2Fgpt-4o").await, model);
    assert!(all.contains(&model));
    for (line, status, word) in [
        ("GET /v1beta/models/none", 404, "NOT_FOUND"),
        ("GET /v1beta/none", 404, "NOT_FOUND"),
        ("GET /v1beta/models?pageToken=x", 400, "INVALID_ARGUMENT"),
        ("GET /v1beta/models?pageSize=x", 400, "INVALID_ARGUMENT"),
    ] {
        let reply = ask(&router, line, "", "").await;
        assert_eq!(reply.status, status, "{line}");
        assert_eq!(reply.json()["error"]["code"], status);
        assert_eq!(reply.json()["error"]["status"], word);
    }
}

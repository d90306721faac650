//! What stands for a model in a list, and the names that move.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use bourse_catalog::{RawCatalog, Snapshot};
use serde_json::{Value, json};

use super::{FakeBackend, ask};

/// A maker, two hosts and a gateway: the gateway is the cheapest, and claims
/// the longest context.
fn catalog() -> Snapshot {
    let endpoint = |model: &str, provider: &str, more: Value| {
        let mut endpoint = json!({"model": model, "provider": provider,
            "upstream_model": "m", "parameters": "temperature"});
        let members = endpoint.as_object_mut().unwrap();
        members.extend(more.as_object().unwrap().clone());
        (format!("{model}@{provider}"), endpoint)
    };
    let price = |prompt: &str| {
        json!({"base": {"prompt": prompt, "completion": prompt},
               "source": "test", "as_of": "2026-11"})
    };
    let endpoints: serde_json::Map<String, Value> = [
        endpoint(
            "acme/m",
            "acme",
            json!({"price": {"base": {"prompt": "3", "completion": "3"},
                "services": [{"service": "flex", "base": {"prompt": "1.5", "completion": "1.5"}},
                             {"service": "priority", "base": {"prompt": "6", "completion": "6"}}],
                "source": "test", "as_of": "2026-11"}, "max_output": 3_000}),
        ),
        endpoint(
            "acme/m",
            "host",
            json!({"price": price("2"), "context_length": 130_000, "max_output": 2_000}),
        ),
        endpoint("acme/m", "other", json!({"price": price("2.5")})),
        endpoint(
            "acme/m",
            "gate",
            json!({"price": price("1"), "context_length": 500_000, "parameters": "seed"}),
        ),
        endpoint("acme/gone", "gate", json!({"price": price("1")})),
        endpoint(
            "acme/pro",
            "acme",
            json!({"price": price("9"), "interface": "moderations"}),
        ),
    ]
    .into_iter()
    .collect();
    let model = |created: u64, aliases: &[&str]| {
        json!({"name": "M", "created": created, "context_length": 128_000,
               "input": "text", "output": "text", "aliases": aliases})
    };
    let raw: RawCatalog = serde_json::from_value(json!({
        "providers": {
            "acme": {"name": "Acme", "author": "acme"},
            "host": {"name": "Host"},
            "other": {"name": "Other"},
            "gate": {"name": "Gate", "gateway": true},
        },
        "models": {
            "acme/m": model(1_795_000_000, &["~acme/m-latest", "m-1"]),
            "acme/gone": model(1_795_000_001, &[]),
            "acme/pro": model(0, &[]),
        },
        "endpoints": endpoints,
    }))
    .unwrap();
    Snapshot::build(raw, &[]).unwrap()
}

async fn with(configured: &[&'static str]) -> (Arc<FakeBackend>, axum::Router) {
    let (backend, router) = FakeBackend::with_router().await;
    *backend.catalog.lock().unwrap() = Arc::new(catalog());
    *backend.configured.lock().unwrap() = configured.to_vec();
    (backend, router)
}

async fn model(router: &axum::Router, id: &str) -> Value {
    let reply = ask(router, &format!("GET /v1/model/{id}"), "", "").await;
    assert_eq!(reply.status, 200, "{}", reply.text);
    reply.json()["data"].clone()
}

fn headline(model: &Value) -> (String, u64, Value) {
    (
        model["pricing"]["prompt"].as_str().unwrap().to_owned(),
        model["context_length"].as_u64().unwrap(),
        model["top_provider"]["max_completion_tokens"].clone(),
    )
}

#[tokio::test]
async fn a_headline_is_what_can_be_had_here_and_no_gateway_s_while_another_can() {
    for (configured, price, context, max_output) in [
        // Nobody: the maker's word.
        (&[][..], "0.000003", 128_000, json!(3_000)),
        // A host that can be called counts more than a maker that cannot.
        (&["other"], "0.0000025", 128_000, Value::Null),
        (&["host", "other"], "0.000002", 130_000, json!(2_000)),
        // The cheaper one that can be called, and the maker's context.
        (&["acme", "host"], "0.000002", 128_000, json!(2_000)),
        // The gateway is cheaper than all, and stands for nothing...
        (&["acme", "gate"], "0.000003", 128_000, json!(3_000)),
        // ...until it is all there is.
        (&["gate"], "0.000001", 500_000, Value::Null),
    ] {
        let (_, router) = with(configured).await;
        let shown = headline(&model(&router, "acme/m").await);
        assert_eq!(
            shown,
            (price.to_owned(), context, max_output),
            "{configured:?}"
        );
    }
}

#[tokio::test]
async fn what_may_be_asked_is_what_those_understand_who_can_be_called() {
    let (_, router) = with(&["acme"]).await;
    let shown = model(&router, "acme/m").await;
    assert_eq!(shown["supported_parameters"], json!(["temperature"]));
    let found = ask(&router, "GET /v1/models?supported_parameters=seed", "", "").await;
    assert_eq!(found.json()["total_count"], 0);
    let found = ask(&router, "GET /v1/models?context=128001", "", "").await;
    assert_eq!(found.json()["total_count"], 0);
}

#[tokio::test]
async fn the_list_follows_what_is_configured() {
    let (backend, router) = with(&["acme"]).await;
    let ids = async || -> Vec<String> {
        let body = ask(&router, "GET /v1/models", "", "").await.json();
        let models = body["data"].as_array().unwrap().iter();
        models
            .map(|m| m["id"].as_str().unwrap().to_owned())
            .collect()
    };
    // Its only offer is a gateway's that is not configured. What has no
    // release comes last.
    assert_eq!(ids().await, ["acme/m", "~acme/m-latest", "acme/pro"]);
    *backend.configured.lock().unwrap() = vec!["gate"];
    backend.epoch.fetch_add(1, Relaxed);
    assert_eq!(
        ids().await,
        ["acme/gone", "acme/m", "~acme/m-latest", "acme/pro"]
    );
}

#[tokio::test]
async fn a_model_that_is_sold_over_another_interface_is_listed_and_callable_there() {
    let (backend, router) = with(&["acme"]).await;
    let pro = model(&router, "acme/pro").await;
    assert_eq!(pro["pricing"]["prompt"], "0.000009");
    assert_eq!(pro["created"], 0);
    let body = ask(&router, "GET /v1/models/user", backend.inference(), "").await;
    let ids: Vec<_> = body.json()["data"].as_array().unwrap().clone();
    assert!(ids.iter().any(|model| model["id"] == "acme/pro"), "{ids:?}");
}

#[tokio::test]
async fn a_name_that_moves_has_a_row_with_its_target() {
    let (_, router) = with(&["acme"]).await;
    let list = ask(&router, "GET /v1/models", "", "").await.json();
    let rows = list["data"].as_array().unwrap();
    let alias = rows.iter().find(|m| m["id"] == "~acme/m-latest").unwrap();
    assert_eq!(
        alias["alias_target"],
        json!({"slug": "acme/m", "name": "M"})
    );
    assert_eq!(alias["canonical_slug"], "~acme/m-latest");
    assert_eq!(alias["name"], "M Latest");
    assert_eq!(
        alias["links"]["details"],
        "/api/v1/models/~acme/m-latest/endpoints"
    );
    assert_eq!(alias["pricing"]["prompt"], "0.000003");
    assert_eq!(model(&router, "~acme/m-latest").await, *alias);
    // Another spelling is no row, and leads to the model.
    assert!(rows.iter().all(|m| m["id"] != "m-1"));
    let target = model(&router, "acme/m").await;
    assert_eq!(target.get("alias_target"), None);
    let line = "GET /v1/models/~acme/m-latest/endpoints";
    assert_eq!(
        ask(&router, line, "", "").await.json()["data"]["id"],
        "acme/m"
    );
}

#[tokio::test]
async fn endpoints_come_with_their_tiers_of_service_and_gateways_last() {
    let (_, router) = with(&["acme"]).await;
    let reply = ask(&router, "GET /v1/models/acme/m/endpoints", "", "").await;
    let body = reply.json();
    let rows: Vec<_> = body["data"]["endpoints"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| {
            (
                row["tag"].as_str().unwrap(),
                row["service_tier"].as_str(),
                row["pricing"]["prompt"].as_str().unwrap(),
                row["is_callable"].as_bool().unwrap(),
            )
        })
        .collect();
    assert_eq!(
        rows,
        [
            ("acme", None, "0.000003", true),
            ("acme/flex", Some("flex"), "0.0000015", true),
            ("acme/priority", Some("priority"), "0.000006", true),
            ("host", None, "0.000002", false),
            ("other", None, "0.0000025", false),
            ("gate", None, "0.000001", false),
        ]
    );
    let pro = ask(&router, "GET /v1/models/acme/pro/endpoints", "", "").await;
    assert_eq!(pro.json()["data"]["endpoints"].as_array().unwrap().len(), 1);
}

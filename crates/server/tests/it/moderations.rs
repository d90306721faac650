//! Verdicts over HTTP: what clients are told, what it costs, and what happens
//! when a provider leaves one out.

use bourse_sim::{Script, UsageFault, VectorFault};
use serde_json::{Value, json};

use crate::client::Got;
use crate::exchange::{Exchange, Provider, Setup};
use crate::money_math::{charge, cost};

/// OpenAI's, which a request without a name means: the catalog has it.
const JUDGE: &str = "openai/omni-moderation-2024-09-26";
const MODEL: &str = "context_length = 4096\ninput_modalities = [\"text\", \"image\"]\n\
                     output_modalities = [\"decisions\"]";
/// Dollars for a million tokens that go in.
const TOKENS: (&str, &str) = ("0.1", "0");
const NOTHING: (&str, &str) = ("0", "0");

fn judges(setup: &mut Setup, slug: &'static str, price: (&'static str, &'static str), how: Script) {
    setup.models.insert(JUDGE, MODEL);
    setup.provider(Provider::new(slug, price, how).model(JUDGE));
}

fn single(price: (&'static str, &'static str), how: Script) -> Exchange {
    Exchange::start(|setup| judges(setup, "cheap", price, how))
}

fn judge(exchange: &Exchange, body: &Value) -> Got {
    let mut conn = exchange.connect();
    let headers = format!("authorization: Bearer {}\r\n", exchange.key);
    let body = body.to_string();
    conn.request("POST", "/api/v1/moderations", &headers, body.as_bytes());
    conn.receive()
}

#[track_caller]
fn flags(got: &Got) -> Vec<bool> {
    assert_eq!(got.status, 200, "{}", got.text());
    let json = got.json();
    let results = json["results"].as_array().unwrap();
    results
        .iter()
        .map(|one| one["flagged"].as_bool().unwrap())
        .collect()
}

#[test]
fn verdicts_that_are_given_away_cost_nothing_and_leave_a_record() {
    let exchange = single(NOTHING, Script::default());
    let got = judge(
        &exchange,
        &json!({"model": JUDGE, "input": ["to harm", "tides"]}),
    );
    assert_eq!(flags(&got), [true, false]);
    let reply = got.json();
    assert_eq!(reply["model"], JUDGE);
    assert_eq!(reply["results"][0]["categories"]["violence"], true);
    assert_eq!(reply["results"][0]["category_scores"]["violence"], 0.97);
    assert_eq!(
        reply["results"][0]["category_applied_input_types"]["violence"],
        json!(["text"])
    );
    assert_eq!(cost(&reply["usage"]), 0);
    let id = got.header("x-generation-id").unwrap();
    assert_eq!(reply["id"], id);
    let record = exchange.get(&format!("/api/v1/generation?id={id}")).json();
    assert_eq!(record["data"]["api_type"], "moderation");
    assert_eq!(
        record["data"]["total_cost"]
            .to_string()
            .parse::<f64>()
            .unwrap(),
        0.0
    );
    exchange.finish(0);
}

#[test]
fn a_request_that_names_no_model_means_openais_and_parts_have_one_verdict() {
    let exchange = single(NOTHING, Script::default());
    let parts = json!([
        {"type": "text", "text": "no harm"},
        {"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBORw0KGgo="}},
    ]);
    assert_eq!(flags(&judge(&exchange, &json!({"input": parts}))), [true]);
    assert_eq!(
        flags(&judge(&exchange, &json!({"input": "tides"}))),
        [false]
    );
    exchange.finish(0);
}

#[test]
fn verdicts_that_are_sold_by_the_token_cost_what_was_read_at_most_as_counted_here() {
    let exchange = single(TOKENS, Script::default());
    let got = judge(
        &exchange,
        &json!({"model": JUDGE, "input": "tides and moons"}),
    );
    assert_eq!(flags(&got), [false]);
    let reply = got.json();
    let tokens = reply["usage"]["prompt_tokens"].as_u64().unwrap();
    assert!(tokens > 0, "{reply}");
    let spent = charge(tokens, 0, TOKENS);
    assert_eq!(cost(&reply["usage"]), spent);
    exchange.finish(spent);
}

#[test]
fn a_verdict_that_is_none_costs_nothing_and_the_next_provider_is_asked() {
    for vectors in [
        VectorFault::Fewer,
        VectorFault::More,
        VectorFault::Uneven,
        VectorFault::NotANumber,
    ] {
        let exchange = Exchange::start(|setup| {
            let how = Script {
                vectors,
                ..Script::default()
            };
            judges(setup, "cheap", NOTHING, how);
            judges(setup, "dear", NOTHING, Script::default());
        });
        let body = json!({
            "model": JUDGE, "input": ["harm", "tides"],
            "provider": {"order": ["cheap", "dear"]},
        });
        let got = judge(&exchange, &body);
        assert_eq!(flags(&got), [true, false], "{vectors:?}");
        let id = got.header("x-generation-id").unwrap();
        let record = exchange.get(&format!("/api/v1/generation?id={id}")).json();
        assert_eq!(record["data"]["provider_name"], "dear", "{vectors:?}");
        exchange.finish(0);
    }
}

#[test]
fn a_provider_that_counts_nothing_is_no_gap_where_nothing_is_sold() {
    let exchange = single(
        NOTHING,
        Script {
            usage: UsageFault::Missing,
            ..Script::default()
        },
    );
    let got = judge(&exchange, &json!({"model": JUDGE, "input": "tides"}));
    assert_eq!(flags(&got), [false]);
    exchange.finish(0);
}

#[test]
fn what_cannot_be_asked_is_refused_with_its_member_and_costs_nothing() {
    let exchange = single(NOTHING, Script::default());
    for (body, part) in [
        (json!({"model": JUDGE}), "input: "),
        (json!({"model": JUDGE, "input": []}), "input: "),
        (json!({"model": JUDGE, "input": ["a", 7]}), "input[1]: "),
        (
            json!({"model": JUDGE, "input": "a", "stream": true}),
            "stream: ",
        ),
        (
            json!({"model": JUDGE, "input": "a", "models": [JUDGE]}),
            "models: ",
        ),
    ] {
        let error = judge(&exchange, &body).error(400);
        let message = error["message"].as_str().unwrap();
        assert!(message.starts_with(part), "{message}");
    }
    let private = json!([{"type": "image_url", "image_url": {"url": "http://10.0.0.1/a.png"}}]);
    let error = judge(&exchange, &json!({"model": JUDGE, "input": private})).error(400);
    assert!(
        error["message"].as_str().unwrap().starts_with("input"),
        "{error}"
    );
    let chat = exchange.chat(json!({"model": JUDGE}));
    let error = chat.error(400);
    assert!(
        error["message"]
            .as_str()
            .unwrap()
            .contains("/api/v1/moderations"),
        "{error}"
    );
    exchange.finish(0);
}

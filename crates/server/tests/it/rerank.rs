//! An order of documents over HTTP: what clients are told, what it costs, and
//! what happens when a provider's order is none of the list that was sent.

use bourse_sim::{Script, UsageFault, VectorFault};
use serde_json::{Value, json};

use crate::client::Got;
use crate::exchange::{Exchange, Provider, Setup};
use crate::money_math::{charge, cost};

const RANK: &str = "acme/rank";
const MODEL: &str = "context_length = 4096\noutput_modalities = [\"rerank\"]";
/// Dollars for a million tokens that go in.
const TOKENS: (&str, &str) = ("0.05", "0");
/// Sold by searches: two thousandths of a dollar.
const UNITS: &str = "price = { prompt = \"0\", completion = \"0\", search_unit = \"0.002\" }\n";
const UNIT_NANOS: i128 = 2_000_000;

fn ranks(setup: &mut Setup, slug: &'static str, how: Script) {
    setup.models.insert(RANK, MODEL);
    setup.provider(Provider::new(slug, TOKENS, how).model(RANK));
}

fn sold_by_searches(setup: &mut Setup) {
    setup.models.insert(RANK, MODEL);
    let mut provider = Provider::new("cheap", TOKENS, Script::default()).model(RANK);
    provider.price = None;
    setup.provider(provider.endpoint(UNITS));
}

fn single(how: Script) -> Exchange {
    Exchange::start(|setup| ranks(setup, "cheap", how))
}

fn rank(exchange: &Exchange, over: &Value) -> Got {
    let mut body = json!({
        "model": RANK, "query": "tides and moons",
        "documents": ["stones", {"text": "tides and the moons"}, "moons"],
    });
    let over = over.as_object().unwrap().clone();
    body.as_object_mut().unwrap().extend(over);
    let mut conn = exchange.connect();
    let headers = format!("authorization: Bearer {}\r\n", exchange.key);
    conn.request(
        "POST",
        "/api/v1/rerank",
        &headers,
        body.to_string().as_bytes(),
    );
    conn.receive()
}

#[track_caller]
fn places(got: &Got) -> Vec<u64> {
    assert_eq!(got.status, 200, "{}", got.text());
    let json = got.json();
    let results = json["results"].as_array().unwrap();
    results
        .iter()
        .map(|one| one["index"].as_u64().unwrap())
        .collect()
}

#[test]
fn documents_come_in_the_order_in_which_they_answer_and_cost_their_tokens() {
    let exchange = single(Script::default());
    let got = rank(&exchange, &json!({}));
    assert_eq!(places(&got), [1, 2, 0]);
    let reply = got.json();
    assert_eq!(reply["model"], RANK);
    assert_eq!(reply["provider"], "cheap");
    assert_eq!(
        reply["results"][0]["document"],
        json!({"text": "tides and the moons"})
    );
    // Three words with each of three documents, and their six.
    assert_eq!(reply["usage"]["total_tokens"], 15);
    assert_eq!(reply["usage"].get("search_units"), None);
    let spent = charge(15, 0, TOKENS);
    assert_eq!(cost(&reply["usage"]), spent);
    let id = got.header("x-generation-id").unwrap();
    assert_eq!(reply["id"], id);
    let record = exchange.get(&format!("/api/v1/generation?id={id}")).json();
    assert_eq!(record["data"]["api_type"], "rerank");
    let two = rank(&exchange, &json!({"top_n": 2, "return_documents": false}));
    assert_eq!(places(&two), [1, 2]);
    assert_eq!(two.json()["results"][0].get("document"), None);
    exchange.finish(2 * spent);
}

#[test]
fn searches_that_nobody_counts_are_those_that_were_set_aside() {
    let exchange = Exchange::start(sold_by_searches);
    let reply = rank(&exchange, &json!({})).json();
    assert_eq!(reply["usage"]["search_units"], 1);
    assert_eq!(cost(&reply["usage"]), UNIT_NANOS);
    let many = vec!["stones"; 101];
    let reply = rank(&exchange, &json!({"documents": many})).json();
    assert_eq!(reply["usage"]["search_units"], 2);
    exchange.finish(3 * UNIT_NANOS);
}

#[test]
fn an_order_in_the_wrong_order_is_put_right() {
    let exchange = single(Script {
        vectors: VectorFault::Reordered,
        ..Script::default()
    });
    assert_eq!(places(&rank(&exchange, &json!({}))), [1, 2, 0]);
    exchange.close();
}

#[test]
fn an_order_of_another_list_costs_nothing_and_the_next_provider_is_asked() {
    for fault in [
        VectorFault::Fewer,
        VectorFault::More,
        VectorFault::Uneven,
        VectorFault::NotANumber,
    ] {
        let exchange = Exchange::start(|setup| {
            let how = Script {
                vectors: fault,
                ..Script::default()
            };
            ranks(setup, "cheap", how);
            ranks(setup, "dear", Script::default());
        });
        let order = json!({"provider": {"order": ["cheap", "dear"]}});
        let got = rank(&exchange, &order);
        assert_eq!(places(&got), [1, 2, 0], "{fault:?}");
        assert_eq!(got.json()["provider"], "dear", "{fault:?}");
        exchange.finish(charge(15, 0, TOKENS));
    }
}

#[test]
fn a_missing_count_is_estimated_and_says_so_in_the_record() {
    let exchange = single(Script {
        usage: UsageFault::Missing,
        ..Script::default()
    });
    let got = rank(&exchange, &json!({}));
    assert_eq!(places(&got), [1, 2, 0]);
    assert!(cost(&got.json()["usage"]) > 0);
    exchange.close();
}

#[test]
fn what_cannot_be_asked_is_refused_with_its_member_and_costs_nothing() {
    let exchange = single(Script::default());
    for (over, part) in [
        (json!({"query": ""}), "query: "),
        (json!({"documents": []}), "documents: "),
        (json!({"documents": ["a", 7]}), "documents[1]: "),
        (json!({"top_n": 0}), "top_n: "),
        (json!({"stream": true}), "stream: "),
        (json!({"models": [RANK]}), "models: "),
    ] {
        let error = rank(&exchange, &over).error(400);
        let message = error["message"].as_str().unwrap();
        assert!(message.starts_with(part), "{message}");
    }
    let chat = exchange.chat(json!({"model": RANK}));
    assert!(
        chat.error(400)["message"]
            .as_str()
            .unwrap()
            .contains("/api/v1/rerank")
    );
    exchange.finish(0);
}

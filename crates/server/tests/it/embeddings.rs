//! Vectors over HTTP: what clients are told, what it costs, and what happens
//! when a provider's vectors cannot be those that were asked for.

use bourse_sim::Script;
use serde_json::{Value, json};

use crate::client::Got;
use crate::exchange::{Exchange, Provider, Setup, eventually, script};
use crate::money_math::{charge, cost};

const EMBED: &str = "acme/embed";
/// Dollars for a million tokens that go in, and come out: none do.
const CHEAP: (&str, &str) = ("0.02", "0");
const DEAR: (&str, &str) = ("0.13", "0");
const MODEL: &str = "context_length = 16\noutput_modalities = [\"embeddings\"]";

fn embeds(setup: &mut Setup, slug: &'static str, price: (&'static str, &'static str), how: Script) {
    setup.models.insert(EMBED, MODEL);
    setup.provider(Provider::new(slug, price, how).model(EMBED));
}

fn single(how: Script) -> Exchange {
    Exchange::start(|setup| embeds(setup, "cheap", CHEAP, how))
}

/// One that does as the script says, and an honest one after it.
fn pair(how: Script) -> Exchange {
    Exchange::start(|setup| {
        embeds(setup, "cheap", CHEAP, how);
        embeds(setup, "dear", DEAR, Script::default());
    })
}

fn ask(over: Value) -> Value {
    let mut body = json!({"model": EMBED, "input": "one two three", "provider": {"sort": "price"}});
    let over = over.as_object().unwrap().clone();
    body.as_object_mut().unwrap().extend(over);
    body
}

fn embed(exchange: &Exchange, over: Value) -> Got {
    post(exchange, "/api/v1/embeddings", &ask(over))
}

fn post(exchange: &Exchange, path: &str, body: &Value) -> Got {
    let mut conn = exchange.connect();
    let headers = format!("authorization: Bearer {}\r\n", exchange.key);
    conn.request("POST", path, &headers, body.to_string().as_bytes());
    conn.receive()
}

/// The reply of a call that must have succeeded, with so many vectors.
#[track_caller]
fn vectors(got: &Got, count: usize) -> Value {
    assert_eq!(got.status, 200, "{}", got.text());
    assert_eq!(got.header("content-type"), Some("application/json"));
    let id = got.header("x-generation-id").unwrap();
    let json = got.json();
    assert_eq!(json["object"], "list");
    assert_eq!(json["model"], EMBED);
    assert_eq!(json["id"], id);
    let data = json["data"].as_array().unwrap();
    assert_eq!(data.len(), count, "{json}");
    for (at, item) in data.iter().enumerate() {
        assert_eq!(
            (&item["object"], &item["index"]),
            (&json!("embedding"), &json!(at))
        );
    }
    json
}

#[test]
fn a_text_becomes_a_vector_and_costs_its_tokens_to_the_nano_dollar() {
    let exchange = single(Script::default());
    let got = embed(&exchange, json!({"dimensions": 8, "user": "alice"}));
    let reply = vectors(&got, 1);
    assert_eq!(reply["provider"], "cheap");
    assert_eq!(reply["data"][0]["embedding"].as_array().unwrap().len(), 8);
    assert_eq!(reply["usage"]["prompt_tokens"], 3);
    assert_eq!(reply["usage"]["total_tokens"], 3);
    let spent = charge(3, 0, CHEAP);
    assert_eq!(cost(&reply["usage"]), spent);
    // The same below the other prefix, and the record says what it was.
    let again = post(&exchange, "/v1/embeddings", &ask(json!({"dimensions": 8})));
    assert_eq!(vectors(&again, 1)["data"], reply["data"]);
    let id = got.header("x-generation-id").unwrap();
    let record = exchange.get(&format!("/api/v1/generation?id={id}")).json();
    assert_eq!(record["data"]["api_type"], "embeddings");
    assert_eq!(record["data"]["tokens_prompt"], 3);
    assert_eq!(record["data"]["tokens_completion"], 0);
    assert_eq!(record["data"]["external_user"], "alice");
    // The provider is asked for what the caller asked, and told of no caller.
    let sent = exchange.upstream();
    let body: Value = serde_json::from_str(sent[0].body.as_ref().unwrap()).unwrap();
    assert!(sent[0].path.ends_with("/v1/embeddings"), "{}", sent[0].path);
    assert_eq!(body["model"], "cheap-model");
    assert_eq!(body["input"], "one two three");
    assert_eq!(body.get("provider"), None);
    assert_ne!(body["user"], "alice");
    exchange.finish(2 * spent);
}

#[test]
fn every_kind_of_input_and_both_encodings_are_served_in_order() {
    let exchange = single(Script::default());
    let one = |text: &str| {
        let got = embed(&exchange, json!({"input": text, "dimensions": 4}));
        vectors(&got, 1)["data"][0]["embedding"].clone()
    };
    let batch = vectors(
        &embed(&exchange, json!({"input": ["a b", "c"], "dimensions": 4})),
        2,
    );
    assert_eq!(batch["data"][0]["embedding"], one("a b"));
    assert_eq!(batch["data"][1]["embedding"], one("c"));
    let base64 = json!({"input": ["a b", "c"], "dimensions": 4, "encoding_format": "base64"});
    let base64 = vectors(&embed(&exchange, base64), 2);
    // Four floats are sixteen bytes, and these are 24 digits.
    assert_eq!(base64["data"][1]["embedding"].as_str().unwrap().len(), 24);
    let tokens = vectors(&embed(&exchange, json!({"input": [1, 2, 3, 4]})), 1);
    assert_eq!(tokens["usage"]["prompt_tokens"], 4);
    let several = vectors(&embed(&exchange, json!({"input": [[1, 2], [3]]})), 2);
    assert_eq!(several["usage"]["prompt_tokens"], 3);
    let hundred = vec!["one two"; 100];
    let hundred = vectors(&embed(&exchange, json!({"input": hundred})), 100);
    assert_eq!(hundred["usage"]["prompt_tokens"], 200);
    exchange.close();
}

#[test]
fn the_context_bounds_each_input_and_not_all_of_them() {
    // Sixteen tokens are the context; a batch may have many times as much.
    let exchange = single(Script::default());
    let batch = vec!["one two three four five six seven eight"; 64];
    let reply = vectors(&embed(&exchange, json!({"input": batch})), 64);
    assert_eq!(reply["usage"]["prompt_tokens"], 512);
    let spent = charge(512, 0, CHEAP);
    assert_eq!(cost(&reply["usage"]), spent);
    let long = vec![1; 17];
    let error = embed(&exchange, json!({"input": [[1], long]})).error(400);
    assert_eq!(error["metadata"]["error_type"], "context_length_exceeded");
    exchange.finish(spent);
}

#[test]
fn a_purse_that_cannot_pay_for_the_input_is_told_so_before_anything_is_sent() {
    let exchange = Exchange::start(|setup| {
        setup.usd = "0.000001";
        embeds(setup, "cheap", CHEAP, Script::default());
    });
    let message = embed(&exchange, json!({"input": vec!["word"; 100]})).error_message(402);
    assert!(message.contains("a shorter input"), "{message}");
    assert!(exchange.upstream().is_empty());
    exchange.finish(0);
}

#[test]
fn vectors_that_cannot_be_right_cost_nothing_and_the_next_provider_is_asked() {
    for fault in ["fewer", "more", "reordered", "uneven", "not_a_number"] {
        let exchange = pair(script(json!({ "vectors": fault })));
        let two = json!({"input": ["a", "b"]});
        for encoding in ["float", "base64"] {
            let mut asked = two.clone();
            asked["encoding_format"] = encoding.into();
            let reply = vectors(&embed(&exchange, asked), 2);
            assert_eq!(reply["provider"], "dear", "{fault}");
        }
        assert_eq!(exchange.attempts()[..2], ["cheap", "dear"], "{fault}");
        exchange.finish(2 * charge(2, 0, DEAR));
    }
}

#[test]
fn where_nobody_has_good_vectors_the_provider_is_to_blame_and_nobody_pays() {
    let exchange = single(script(json!({"vectors": "fewer"})));
    let error = embed(&exchange, json!({"input": ["a", "b"]})).error(502);
    assert_eq!(error["metadata"]["error_type"], "provider_unavailable");
    assert!(
        error["message"]
            .as_str()
            .unwrap()
            .contains("fewer vectors than inputs")
    );
    exchange.finish(0);
}

#[test]
fn a_provider_that_fails_is_free_and_one_that_counts_nothing_is_estimated() {
    let down = pair(script(json!({"error_status": 500})));
    let reply = vectors(&embed(&down, json!({})), 1);
    assert_eq!(reply["provider"], "dear");
    down.finish(charge(3, 0, DEAR));
    let silent = single(script(json!({"usage": "missing"})));
    let got = embed(&silent, json!({}));
    let reply = vectors(&got, 1);
    // Four bytes of what is written are a token: `"one two three"` has 15.
    assert_eq!(reply["usage"]["prompt_tokens"], 4);
    let ids = vectors(&embed(&silent, json!({"input": [7, 8, 9]})), 1);
    assert_eq!(
        ids["usage"]["prompt_tokens"], 3,
        "tokens are counted, not guessed"
    );
    let id = got.header("x-generation-id").unwrap();
    let record = silent.get(&format!("/api/v1/generation?id={id}")).json();
    assert_eq!(record["data"]["is_estimated"], true, "{record}");
    silent.finish(charge(4, 0, CHEAP) + charge(3, 0, CHEAP));
}

#[test]
fn bad_input_is_refused_by_name_in_openais_shape() {
    let exchange = single(Script::default());
    for (over, part) in [
        (json!({"input": ""}), "input: must not be empty"),
        (json!({"input": []}), "input: must not be empty"),
        (json!({"input": ["a", ""]}), "no input may be empty"),
        (json!({"input": vec!["a"; 2_049]}), "at most 2048 inputs"),
        (
            json!({"input": ["a", 1]}),
            "input: the inputs must be all texts",
        ),
        (json!({"input": null}), "input: invalid type: null"),
        (
            json!({"dimensions": 0}),
            "dimensions: must be a whole number",
        ),
        (
            json!({"encoding_format": "int8"}),
            "encoding_format: must be",
        ),
        (json!({"stream": true}), "stream: vectors are not streamed"),
        (
            json!({"models": ["a/b"]}),
            "models: vectors of different models",
        ),
        (json!({"model": ""}), "model: required"),
        (json!({"provider": {"order": 1}}), "provider"),
    ] {
        let message = embed(&exchange, over.clone()).error_message(400);
        assert!(message.contains(part), "{over}: {message}");
    }
    let parts = json!({"input": [{"content": [{"type": "text", "text": "a"}]}]});
    let message = embed(&exchange, parts).error_message(400);
    assert!(
        message.contains("`content` with parts cannot be sent"),
        "{message}"
    );
    assert!(exchange.upstream().is_empty(), "nothing was sent");
    exchange.finish(0);
}

#[test]
fn models_that_make_vectors_have_a_list_of_their_own_and_do_not_chat() {
    let exchange = Exchange::start(|setup| {
        embeds(setup, "cheap", CHEAP, Script::default());
        setup.provider(Provider::new("talks", DEAR, Script::default()));
    });
    let ids = |path: &str| -> Vec<String> {
        let list = exchange.get(path).json();
        let rows = list["data"].as_array().unwrap().clone();
        rows.iter()
            .map(|row| row["id"].as_str().unwrap().to_owned())
            .collect()
    };
    let ours = |path: &str| -> Vec<String> {
        ids(path)
            .into_iter()
            .filter(|id| id.starts_with("acme/"))
            .collect()
    };
    for prefix in ["/api/v1", "/v1"] {
        assert_eq!(ours(&format!("{prefix}/embeddings/models")), [EMBED]);
        assert_eq!(ours(&format!("{prefix}/models")), ["acme/chat"]);
        let by_filter = format!("{prefix}/models?output_modalities=embeddings");
        assert_eq!(ids(&by_filter), ids(&format!("{prefix}/embeddings/models")));
    }
    assert_eq!(ids("/v1/embeddings/models?limit=1").len(), 1);
    let chat = json!({"model": EMBED});
    let error = exchange.chat(chat).error(400);
    assert_eq!(error["availability"]["code"], "wrong_endpoint");
    assert!(
        error["message"]
            .as_str()
            .unwrap()
            .contains("send it to /api/v1/embeddings")
    );
    let error = embed(&exchange, json!({"model": "acme/chat"})).error(400);
    assert_eq!(error["availability"]["code"], "wrong_endpoint");
    assert!(
        error["message"]
            .as_str()
            .unwrap()
            .contains("send it to /api/v1/chat/completions")
    );
    exchange.finish(0);
}

#[test]
fn a_client_that_leaves_pays_for_what_the_provider_was_asked() {
    let exchange = single(script(json!({"latency_ms": 300})));
    let mut conn = exchange.connect();
    let headers = format!("authorization: Bearer {}\r\n", exchange.key);
    conn.request(
        "POST",
        "/api/v1/embeddings",
        &headers,
        ask(json!({})).to_string().as_bytes(),
    );
    eventually("the provider to be asked", || {
        (exchange.sim.counters().in_flight > 0).then_some(())
    });
    drop(conn);
    let spent = charge(3, 0, CHEAP);
    eventually("the call to be paid", || {
        (exchange.balance().1 == spent).then_some(())
    });
    exchange.finish(spent);
}

#[test]
fn google_is_asked_in_its_own_words_and_answers_in_openais() {
    let exchange = Exchange::start(|setup| {
        setup.models.insert(EMBED, MODEL);
        let google = Provider::new("google", CHEAP, Script::default()).format("gemini");
        setup.provider(google.model(EMBED));
    });
    let input =
        json!({"input": ["one two", "three"], "dimensions": 4, "input_type": "search_query"});
    let reply = vectors(&embed(&exchange, input.clone()), 2);
    assert_eq!(reply["usage"]["prompt_tokens"], 3);
    assert_eq!(reply["data"][1]["embedding"].as_array().unwrap().len(), 4);
    let mut in_base64 = input;
    in_base64["encoding_format"] = "base64".into();
    let base64 = vectors(&embed(&exchange, in_base64), 2);
    assert_eq!(base64["data"][0]["embedding"].as_str().unwrap().len(), 24);
    let sent = exchange.upstream();
    assert!(
        sent[0]
            .path
            .ends_with("/v1beta/models/google-model:batchEmbedContents"),
        "{}",
        sent[0].path
    );
    let body: Value = serde_json::from_str(sent[0].body.as_ref().unwrap()).unwrap();
    assert_eq!(body["requests"][0]["taskType"], "RETRIEVAL_QUERY");
    let error = embed(&exchange, json!({"input": [1, 2]})).error_message(400);
    assert!(error.contains("takes texts and no tokens"), "{error}");
    exchange.finish(2 * charge(3, 0, CHEAP));
}

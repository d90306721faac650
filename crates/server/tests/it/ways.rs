//! Targets by credential and by format, and what a translation costs whom.

use std::collections::BTreeSet;

use bourse_sim::Script;
use serde_json::{Value, json};

use crate::client::Got;
use crate::exchange::{CHEAP, DEAR, Exchange, Provider, ask, script};
use crate::money_math::cost;

fn complete(exchange: &Exchange, over: Value) -> Got {
    let mut body = json!({"model": "acme/chat", "prompt": "Once upon a time"});
    body.as_object_mut()
        .unwrap()
        .extend(over.as_object().unwrap().clone());
    let mut conn = exchange.connect();
    conn.request(
        "POST",
        "/v1/completions",
        &format!("authorization: Bearer {}\r\n", exchange.key),
        body.to_string().as_bytes(),
    );
    conn.receive()
}

/// A provider that refuses the first call for its rate, with these keys.
fn refuses_once(keys: &str) -> Exchange {
    Exchange::start(|setup| {
        let busy = script(json!({"fail_first": 1, "error_status": 429}));
        let mut provider = Provider::new("cheap", CHEAP, busy);
        provider.provider_toml = format!("api_keys = {keys}\n");
        setup.provider(provider);
    })
}

#[test]
fn a_second_key_answers_where_the_first_was_told_to_slow_down() {
    let exchange = refuses_once(r#"["sk-one", "sk-two"]"#);
    let reply = exchange.chat(json!({})).answer();
    assert_eq!(exchange.attempts(), ["cheap", "cheap"]);
    let paid = exchange.worth(CHEAP);
    assert_eq!(cost(&reply["usage"]), paid);
    // The first rests, the second goes on.
    exchange.chat(json!({})).answer();
    assert_eq!(exchange.attempts().len(), 3);
    exchange.close();

    let exchange = refuses_once(r#"["sk-one"]"#);
    exchange.chat(json!({})).error(429);
    exchange.finish(0);
}

#[test]
fn text_completions_keep_to_require_parameters() {
    let exchange = Exchange::start(|setup| {
        setup
            .provider(
                Provider::new("cheap", CHEAP, Script::default())
                    .endpoint("supported_parameters = [\"temperature\"]\n"),
            )
            .provider(
                Provider::new("dear", DEAR, Script::default())
                    .endpoint("supported_parameters = [\"temperature\", \"seed\"]\n"),
            );
    });
    for (over, who) in [
        (
            json!({"temperature": 1, "provider": {"require_parameters": true, "order": ["cheap"]}}),
            "cheap",
        ),
        (
            json!({"seed": 7, "provider": {"require_parameters": true, "order": ["cheap"]}}),
            "dear",
        ),
        (
            json!({"seed": 7, "provider": {"order": ["cheap"], "only": ["cheap"]}}),
            "cheap",
        ),
    ] {
        exchange.sim.reset();
        let got = complete(&exchange, over.clone());
        assert_eq!(got.status, 200, "{}", got.text());
        assert_eq!(exchange.attempts(), [who], "{over}");
    }
    exchange.sim.reset();
    let strict = json!({"top_k": 4, "provider": {"require_parameters": true}});
    complete(&exchange, strict).error(404);
    assert_eq!(exchange.attempts().len(), 0);
    exchange.close();
}

#[test]
fn a_text_completion_is_refused_in_the_words_of_its_member() {
    let exchange = Exchange::start(|setup| {
        setup.provider(Provider::new("cheap", CHEAP, Script::default()));
    });
    for (over, names) in [
        (json!({"prompt": null}), "prompt"),
        (json!({"prompt": 7}), "prompt"),
        (json!({"prompt": [1, 2]}), "prompt"),
        (json!({"model": null}), "model"),
        (json!({"models": 7}), "models"),
        (json!({"max_tokens": -1}), "max_tokens"),
        (json!({"n": 1.5}), "n"),
        (json!({"stream": "yes"}), "stream"),
        (json!({"suffix": "!"}), "suffix"),
        (json!({"temperature": "warm"}), "temperature"),
    ] {
        let error = complete(&exchange, over.clone()).error(400);
        let message = error["message"].as_str().unwrap();
        assert!(message.contains(names), "{over}: {message}");
    }
    assert_eq!(exchange.attempts().len(), 0);
    exchange.finish(0);
}

/// Parsing a prompt is work, and work is for those who can pay: what only the
/// parser finds is told to them, and others are told of the money.
#[test]
fn a_request_is_translated_only_when_its_money_is_held() {
    let wrong = json!({"messages": [{"role": "user", "content": 7}], "max_tokens": 10});
    for (usd, status) in [("", 402), ("1", 400)] {
        let exchange = Exchange::start(|setup| {
            setup.usd = usd;
            setup.provider(Provider::new("cheap", CHEAP, Script::default()).format("anthropic"));
        });
        exchange.chat(wrong.clone()).error(status);
        assert_eq!(exchange.attempts().len(), 0);
        exchange.finish(0);
    }
}

/// Longer than what is translated on the worker itself, and in every format.
#[test]
fn a_long_prompt_comes_through_every_translation() {
    let exchange = Exchange::start(|setup| {
        setup
            .models
            .insert("acme/chat", "context_length = 10000000\nmax_output = 1000");
        for (slug, format) in [
            ("one", "openai-chat"),
            ("two", "anthropic"),
            ("three", "gemini"),
        ] {
            setup.provider(Provider::new(slug, CHEAP, Script::default()).format(format));
        }
    });
    let long = "word ".repeat(60_000);
    for slug in ["one", "two", "three"] {
        let over = json!({
            "messages": [{"role": "user", "content": long}],
            "max_tokens": 20,
            "provider": {"only": [slug]},
        });
        exchange.chat(over).answer();
        let over = json!({"prompt": long, "max_tokens": 20, "provider": {"only": [slug]}});
        let got = complete(&exchange, over);
        assert_eq!(got.status, 200, "{}", got.text());
    }
    assert_eq!(exchange.attempts().len(), 6);
    exchange.close();
}

/// Some vendors have no public prices, so no price list has them; what is
/// known of how to call them is built in all the same.
#[test]
fn a_built_in_provider_that_no_price_list_has_serves_models_of_ones_own() {
    let exchange = Exchange::start(|setup| {
        setup.provider(Provider::new("crusoe", CHEAP, Script::default()));
    });
    exchange.chat(json!({})).answer();
    assert_eq!(exchange.attempts(), ["crusoe"]);
    let paid = exchange.worth(CHEAP);
    exchange.finish(paid);
}

/// Prompts are cached where they were read, so that a session which is spread
/// pays for its whole prompt again and again.
#[test]
fn the_calls_of_a_session_go_to_one_endpoint_and_sessions_are_spread() {
    let exchange = Exchange::start(|setup| {
        setup
            .provider(Provider::new("one", CHEAP, Script::default()))
            .provider(Provider::new("two", CHEAP, Script::default()));
    });
    let provider = |headers: &str, over: Value| {
        let headers = format!("authorization: Bearer {}\r\n{headers}", exchange.key);
        let mut body = ask(over);
        // Balanced, which is what whoever says nothing gets.
        body["provider"] = json!({});
        let mut conn = exchange.connect();
        let path = "/api/v1/chat/completions";
        conn.request("POST", path, &headers, body.to_string().as_bytes());
        let answer = conn.receive().answer();
        answer["provider"].as_str().unwrap().to_owned()
    };
    let mut used = BTreeSet::new();
    for number in 0..24 {
        let session = format!("session-{number}");
        let first = provider("", json!({"session_id": session}));
        // The prompt grows; the header says the same.
        let longer = json!({"session_id": session, "messages": [
            {"role": "user", "content": "Hello there"},
            {"role": "assistant", "content": "Good day"},
            {"role": "user", "content": "And now?".repeat(number + 1)},
        ]});
        assert_eq!(provider("", longer), first, "{session}");
        let header = format!("x-session-id: {session}\r\n");
        assert_eq!(provider(&header, json!({})), first, "{session}");
        // A key for the cache names a conversation that has no session.
        let by_key = json!({"prompt_cache_key": format!("key-{number}")});
        let key = provider("", by_key.clone());
        assert_eq!(provider("", by_key), key);
        let both = json!({"prompt_cache_key": "any", "session_id": session});
        assert_eq!(provider("", both), first);
        used.insert(first);
    }
    // All on one side: once in eight million runs.
    assert_eq!(used.len(), 2);
    exchange.close();
}

//! Answers that are kept, on the real program.

use std::collections::BTreeSet;
use std::thread;

use serde_json::{Value, json};

use crate::client::Got;
use crate::exchange::{CHEAP, Exchange, Provider, ask, eventually, script};
use crate::money_math::cost;

/// In a dollar.
const NANOS: i128 = 1_000_000_000;

/// A provider that takes a moment, and two workers that share its answers.
fn exchange() -> Exchange {
    Exchange::start(|setup| {
        let slow = script(json!({"seed": 7, "tokens": 8, "first_token_ms": 50}));
        setup.provider(Provider::new("cheap", CHEAP, slow));
        setup.workers = 2;
    })
}

fn post(exchange: &Exchange, key: &str, headers: &str, body: &str) -> Got {
    let mut conn = exchange.connect();
    let headers = format!("authorization: Bearer {key}\r\nx-openrouter-cache: true\r\n{headers}");
    conn.request(
        "POST",
        "/api/v1/chat/completions",
        &headers,
        body.as_bytes(),
    );
    conn.receive()
}

fn status(got: &Got) -> &str {
    got.header("x-openrouter-cache-status").unwrap_or_default()
}

fn id(got: &Got) -> String {
    got.header("x-generation-id").unwrap().to_owned()
}

/// What is told of a call, once its record is in the database.
fn generation(exchange: &Exchange, id: &str) -> Value {
    eventually("the record of the call", || {
        let got = exchange.get(&format!("/api/v1/generation?id={id}"));
        (got.status == 200).then(|| got.json()["data"].clone())
    })
}

#[test]
fn whole_answers_and_streams_are_given_once_more_and_their_records_say_whose_they_were() {
    let exchange = exchange();
    let mut spent = 0;
    for stream in [false, true] {
        let plain = ask(json!({"max_tokens": 100, "stream": stream}));
        let first = post(&exchange, &exchange.key, "", &plain.to_string());
        assert_eq!((first.status, status(&first)), (200, "MISS"));
        let spaced = serde_json::to_string_pretty(&plain).unwrap();
        // Whichever of the workers they come in at.
        let again: Vec<Got> = (0..8)
            .map(|_| post(&exchange, &exchange.key, "", &spaced))
            .collect();
        let mut ids: BTreeSet<String> = again.iter().map(id).collect();
        assert_eq!(ids.len(), again.len());
        assert!(ids.insert(id(&first)), "a call of its own each");
        for got in &again {
            assert_eq!(status(got), "HIT");
            assert_eq!(
                got.header("x-openrouter-cache-source-id"),
                Some(&*id(&first))
            );
            assert!(got.whole);
        }
        let text = |got: &Got| {
            if stream {
                let told = got.stream();
                (told.text(), cost(&told.complete()))
            } else {
                let told = got.answer();
                let text = told["choices"][0]["message"]["content"].to_string();
                (text, cost(&told["usage"]))
            }
        };
        let (said, paid) = text(&first);
        assert!(paid > 0);
        spent += paid;
        assert!(again.iter().all(|got| text(got) == (said.clone(), 0)));

        let own = generation(&exchange, &id(&first));
        assert_eq!(own["response_cache_source_id"], Value::Null);
        let kept = generation(&exchange, &id(&again[0]));
        assert_eq!(kept["response_cache_source_id"], id(&first));
        assert_eq!(kept["total_cost"].as_f64(), Some(0.0));
        assert_eq!(kept["tokens_prompt"], 0);
        assert_eq!(kept["streamed"], stream);
        for name in ["model", "provider_name", "finish_reason"] {
            assert_eq!(kept[name], own[name], "{name}");
        }
    }
    assert_eq!(exchange.attempts().len(), 2);
    exchange.finish(spent);
}

#[test]
fn many_keys_that_ask_the_same_at_once_are_each_given_their_own() {
    const KEYS: usize = 12;
    const CALLS: usize = 12;
    let exchange = exchange();
    let keys: Vec<String> = (0..KEYS)
        .map(|_| {
            exchange
                .command(&["key", "create", "--quiet"])
                .trim()
                .to_owned()
        })
        .collect();
    let body = ask(json!({"max_tokens": 100})).to_string();
    let one = "x-bourse-single-flight: true\r\n";
    let told: Vec<Vec<Got>> = thread::scope(|scope| {
        let asking: Vec<_> = keys
            .iter()
            .flat_map(|key| (0..CALLS).map(move |_| key))
            .map(|key| scope.spawn(|| post(&exchange, key, one, &body)))
            .collect();
        let all: Vec<Got> = asking.into_iter().map(|one| one.join().unwrap()).collect();
        all.chunks(CALLS).map(<[Got]>::to_vec).collect()
    });
    let mut spent = 0;
    for got in &told {
        let asked: Vec<_> = got.iter().filter(|got| status(got) == "MISS").collect();
        assert_eq!(asked.len(), 1, "one of each key asks");
        spent += cost(&asked[0].answer()["usage"]);
        for hit in got.iter().filter(|got| status(got) == "HIT") {
            assert_eq!(cost(&hit.answer()["usage"]), 0);
            let source = hit.header("x-openrouter-cache-source-id");
            assert_eq!(source, Some(&*id(asked[0])), "of the same key");
        }
    }
    assert_eq!(exchange.attempts().len(), KEYS);
    exchange.finish(spent);
}

#[test]
fn without_money_there_is_no_answer_for_nothing() {
    let exchange = exchange();
    let body = ask(json!({"max_tokens": 100})).to_string();
    let first = post(&exchange, &exchange.key, "", &body);
    let spent = cost(&first.answer()["usage"]);
    assert_eq!(status(&post(&exchange, &exchange.key, "", &body)), "HIT");
    let (granted, _) = exchange.balance();
    let left = granted - spent;
    let left = format!("-{}.{:09}", left / NANOS, left % NANOS);
    exchange.command(&["credit", "grant", "--usd", &left]);
    let refused = eventually("the balance to be known", || {
        let got = post(&exchange, &exchange.key, "", &body);
        (got.status != 200).then_some(got)
    });
    refused.error(402);
    assert_eq!(refused.header("x-openrouter-cache-status"), None);
    assert_eq!(exchange.attempts().len(), 1);
    exchange.finish(spent);
}

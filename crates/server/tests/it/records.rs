//! What is left of a call afterwards, however it ended.

use bourse_ledger::record::{self, Record, Refused};
use bourse_sim::Script;
use bourse_spool::{Position, Reader, inspect};
use bourse_vocab::FailureKind;
use serde_json::{Value, json};

use crate::client::Got;
use crate::exchange::{CHEAP, DEAR, Exchange, Provider, ask, eventually, script, streamed};
use crate::money_math::cost;

/// `GET /generation` for the call of this answer, once it is there.
fn generation(exchange: &Exchange, got: &Got) -> Value {
    let id = got.header("x-generation-id").unwrap();
    let found = exchange.get(&format!("/api/v1/generation?id={id}"));
    assert_eq!(found.status, 200, "{}", found.text());
    found.json()["data"].clone()
}

fn tries(generation: &Value) -> Vec<(&str, Option<u64>)> {
    let tries = generation["provider_responses"].as_array().unwrap();
    tries
        .iter()
        .map(|one| {
            (
                one["provider_name"].as_str().unwrap(),
                one["status"].as_u64(),
            )
        })
        .collect()
}

#[test]
fn a_call_that_ends_in_an_error_leaves_a_record_with_its_attempts() {
    let down = |status: u16| script(json!({ "error_status": status }));
    let exchange = Exchange::start(|setup| {
        setup
            .provider(Provider::new("cheap", CHEAP, down(500)))
            .provider(Provider::new("dear", DEAR, down(503)));
    });
    let got = exchange.chat(json!({"user": "someone"}));
    assert!(got.status >= 500, "{}", got.text());
    let record = generation(&exchange, &got);
    // The last of them is tried once more.
    let last = ("dear", Some(503));
    assert_eq!(tries(&record), [("cheap", Some(500)), last, last]);
    assert_eq!(record["total_cost"], 0);
    assert_eq!(record["finish_reason"], "error");
    assert_eq!(record["external_user"], "someone");
    assert_eq!(record["tokens_completion"], 0);
    // What cost nobody anything is in no sum and in no export.
    let exported = exchange.command(&["ledger", "export"]);
    assert_eq!(exported.lines().count(), 1, "{exported}");
    exchange.finish(0);
}

#[test]
fn an_answer_after_a_failure_tells_both_attempts_and_its_own_id() {
    let slow = script(json!({"error_status": 500, "latency_ms": 120}));
    let exchange = Exchange::pair(slow);
    let got = exchange.chat(json!({}));
    let answer = got.answer();
    let record = generation(&exchange, &got);
    assert_eq!(tries(&record), [("cheap", Some(500)), ("dear", Some(200))]);
    let upstream_id = record["upstream_id"].as_str().unwrap();
    assert!(!upstream_id.is_empty());
    assert_eq!(record["provider_responses"][1]["id"], upstream_id);
    assert_eq!(record["provider_responses"][0]["id"], "");
    // Latency counts from the first dispatch, not from the one that answered.
    let own = record["provider_responses"][1]["latency"].as_u64().unwrap();
    let whole = record["latency"].as_u64().unwrap();
    assert!(whole >= own + 100, "{whole} of which {own}");
    exchange.finish(cost(&answer["usage"]));
}

#[test]
fn a_stream_tells_first_content_and_the_rest_apart() {
    let slow = script(json!({"first_token_ms": 150, "tokens": 8, "token_ms": 25}));
    let exchange = Exchange::single(slow);
    let began = std::time::Instant::now();
    let got = exchange.open(&streamed(json!({}))).receive();
    let spent = cost(&got.stream().complete());
    let record = generation(&exchange, &got);
    // Not before: the server may end a call a moment after its client saw the end.
    let took = u64::try_from(began.elapsed().as_millis()).unwrap();
    let (latency, rest) = (
        record["latency"].as_u64().unwrap(),
        record["generation_time"].as_u64().unwrap(),
    );
    assert!(latency >= 150, "{latency}");
    assert!(rest >= 7 * 25 - 10, "{rest}");
    assert!(latency + rest <= took + 2, "{latency} and {rest} of {took}");
    exchange.finish(spent);
}

/// The refused calls in the journal.
fn refusals(exchange: &Exchange) -> Vec<(FailureKind, String, u64)> {
    let spool = exchange.dir.path().join("data/spool");
    let end = inspect(&spool, None, Position::default()).unwrap().end;
    let mut reader = Reader::new(&spool, Position::default());
    let batch = reader.read(end, 10_000).unwrap();
    let records = batch
        .iter()
        .filter_map(|bytes| match record::decode(bytes) {
            Ok(Record::Refused(Refused {
                failure,
                requested,
                unrecorded,
                ..
            })) => Some((failure, requested.to_owned(), unrecorded)),
            _ => None,
        });
    records.collect()
}

#[test]
fn a_call_that_is_refused_is_in_the_journal_with_its_reason() {
    let exchange = Exchange::start(|setup| {
        setup.usd = "";
        setup.provider(Provider::new("cheap", CHEAP, Script::default()));
    });
    exchange.chat(json!({})).error(402);
    exchange.chat(json!({"model": "no/such"})).error(400);
    exchange.raw(b"{").error(400);
    // They move no money, so they wait for a moment before they are written.
    let found = eventually("three refusals in the journal", || {
        Some(refusals(&exchange)).filter(|found| found.len() >= 3)
    });
    let kinds: Vec<_> = found.iter().map(|(kind, _, _)| *kind).collect();
    assert_eq!(
        kinds,
        [
            FailureKind::PaymentRequired,
            FailureKind::InvalidRequest,
            FailureKind::InvalidRequest
        ]
    );
    assert_eq!((&*found[1].1, &*found[2].1), ("no/such", ""));
    assert!(found.iter().all(|(_, _, unrecorded)| *unrecorded == 0));
    exchange.finish(0);
}

/// What a caller says of a call for their own books is kept with it, whatever
/// the format of the provider, and no provider is told.
#[test]
fn a_calls_labels_are_recorded_and_stay_here() {
    for format in ["openai-chat", "anthropic", "gemini"] {
        let exchange = Exchange::start(|setup| {
            setup.provider(Provider::new("cheap", CHEAP, Script::default()).format(format));
        });
        let headers = format!(
            "authorization: Bearer {}\r\nx-openrouter-categories: cli-agent\r\n\
             x-openrouter-title: My app\r\nhttp-referer: https://app.example\r\n",
            exchange.key
        );
        let members = json!({
            "metadata": {"colour": "blue"},
            "trace": {"trace_id": "tr-1", "depth": 2},
            "session_id": "s-1",
        });
        let mut text = members.clone();
        text["model"] = json!("acme/chat");
        text["prompt"] = json!("Hello there");
        for (path, body) in [
            ("/api/v1/chat/completions", ask(members)),
            ("/api/v1/completions", text),
        ] {
            let mut conn = exchange.connect();
            conn.request("POST", path, &headers, body.to_string().as_bytes());
            let got = conn.receive();
            assert_eq!(got.status, 200, "{}", got.text());
            let record = generation(&exchange, &got);
            assert_eq!(record["metadata"], json!({"colour": "blue"}), "{record}");
            assert_eq!(record["trace"], json!({"trace_id": "tr-1", "depth": 2}));
            assert_eq!(record["categories"], "cli-agent");
            assert_eq!(record["session_id"], "s-1");
            assert_eq!(record["origin"], "https://app.example");
        }
        for entry in exchange.upstream() {
            let sent = entry.body.unwrap();
            for ours in ["colour", "tr-1", "s-1", "cli-agent", "app.example"] {
                assert!(!sent.contains(ours), "{format}: {ours} in {sent}");
            }
        }
        exchange.close();
    }
}

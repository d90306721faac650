//! Files and batches over HTTP: lines are ordinary calls, whatever happens.

use std::collections::BTreeMap;

use bourse_sim::{Outcome, Script};
use rustix::process::Signal;
use serde_json::{Value, json};

use crate::client::Got;
use crate::exchange::{CHEAP, Exchange, MODEL, Provider, Server, eventually, script, worth};
use crate::money_math::cost;

pub const CHAT: &str = "/v1/chat/completions";

pub fn send(exchange: &Exchange, line: &str, kind: &str, body: &[u8]) -> Got {
    let (method, path) = line.split_once(' ').unwrap();
    let mut conn = exchange.connect();
    let headers = format!(
        "authorization: Bearer {}\r\ncontent-type: {kind}\r\n",
        exchange.key
    );
    conn.request(method, path, &headers, body);
    conn.receive()
}

#[track_caller]
pub fn ask(exchange: &Exchange, line: &str, body: &Value) -> Value {
    let got = send(
        exchange,
        line,
        "application/json",
        body.to_string().as_bytes(),
    );
    assert_eq!(got.status, 200, "{line}: {}", got.text());
    got.json()
}

/// Keeps a file; its id.
#[track_caller]
pub fn upload(exchange: &Exchange, text: &str) -> String {
    let body = format!(
        "--X\r\nContent-Disposition: form-data; name=\"purpose\"\r\n\r\nbatch\r\n--X\r\n\
         Content-Disposition: form-data; name=\"file\"; filename=\"lines.jsonl\"\r\n\
         Content-Type: application/octet-stream\r\n\r\n{text}\r\n--X--\r\n"
    );
    let kind = "multipart/form-data; boundary=X";
    let got = send(exchange, "POST /v1/files", kind, body.as_bytes());
    assert_eq!(got.status, 200, "{}", got.text());
    got.json()["id"].as_str().unwrap().to_owned()
}

pub fn line(name: &str, body: &Value) -> String {
    json!({"custom_id": name, "method": "POST", "url": CHAT, "body": body}).to_string()
}

pub fn chat(says: &str) -> Value {
    json!({"model": MODEL, "messages": [{"role": "user", "content": says}]})
}

/// Makes a batch of lines for an endpoint; its id.
#[track_caller]
pub fn make(exchange: &Exchange, endpoint: &str, lines: &[String]) -> String {
    let file = upload(exchange, &lines.join("\n"));
    let wanted = json!({"input_file_id": file, "endpoint": endpoint, "completion_window": "24h"});
    let batch = ask(exchange, "POST /v1/batches", &wanted);
    batch["id"].as_str().unwrap().to_owned()
}

pub fn shown(exchange: &Exchange, id: &str) -> Value {
    exchange.get(&format!("/v1/batches/{id}")).json()
}

/// Waits until a batch is in some state.
#[track_caller]
pub fn until(exchange: &Exchange, id: &str, is_so: impl Fn(&Value) -> bool) -> Value {
    eventually("a batch", || Some(shown(exchange, id)).filter(&is_so))
}

#[track_caller]
pub fn ended(exchange: &Exchange, id: &str) -> Value {
    until(exchange, id, |batch| {
        let is_over = ["completed", "failed", "expired", "cancelled"];
        is_over.contains(&batch["status"].as_str().unwrap())
    })
}

/// The lines of a file, by their names.
#[track_caller]
pub fn answers(exchange: &Exchange, file: &Value) -> BTreeMap<String, Value> {
    let Some(file) = file.as_str() else {
        return BTreeMap::new();
    };
    let got = exchange.get(&format!("/v1/files/{file}/content"));
    assert_eq!(got.status, 200);
    let text = got.text();
    let lines: Vec<Value> = text
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let by_name: BTreeMap<_, _> = lines
        .iter()
        .map(|line| {
            (
                line["custom_id"].as_str().unwrap_or("-").to_owned(),
                line.clone(),
            )
        })
        .collect();
    assert_eq!(by_name.len(), lines.len(), "each once: {text}");
    by_name
}

/// What providers have truly been asked for.
fn worth_of_all(exchange: &Exchange) -> i128 {
    let entries = exchange.upstream();
    let whole = entries
        .iter()
        .filter(|entry| entry.outcome == Outcome::Complete);
    whole.map(|entry| worth(entry, CHEAP)).sum()
}

#[test]
fn lines_of_a_batch_are_calls_that_are_answered_billed_and_recorded_each_by_itself() {
    let exchange = Exchange::single(Script::default());
    let unknown = json!({"model": "acme/none", "messages": []});
    let mut streamed = chat("streamed");
    streamed["stream"] = true.into();
    let lines = [
        line("a", &chat("one")),
        line("b", &unknown),
        line("c", &chat("two")),
        "{\"custom_id\":\"d\"}".to_owned(),
        line("e", &streamed),
        line("f", &chat("three")),
    ];
    let id = make(&exchange, CHAT, &lines);
    let batch = ended(&exchange, &id);
    assert_eq!(batch["status"], "completed", "{batch}");
    assert_eq!(
        batch["request_counts"],
        json!({"total": 6, "completed": 3, "failed": 3})
    );
    assert_eq!(batch["errors"]["data"][0]["line"], 4);
    let output = answers(&exchange, &batch["output_file_id"]);
    let names: Vec<_> = output.keys().map(String::as_str).collect();
    assert_eq!(names, ["a", "c", "f"]);
    let mut spent = 0;
    for answer in output.values() {
        let response = &answer["response"];
        assert_eq!(response["status_code"], 200);
        let body = &response["body"];
        assert!(
            body["choices"][0]["message"]["content"].is_string(),
            "{body}"
        );
        spent += cost(&body["usage"]);
        // The call is found by its id, and says which batch it was of.
        let call = response["request_id"].as_str().unwrap();
        assert_eq!(body["id"], call);
        let found = eventually("the record", || {
            let got = exchange.get(&format!("/v1/generation?id={call}"));
            (got.status == 200).then(|| got.json())
        });
        assert!(found.to_string().contains(&id), "{found}");
    }
    let error = answers(&exchange, &batch["error_file_id"]);
    assert_eq!(error["b"]["response"]["status_code"], 400);
    assert_eq!(error["d"]["error"]["code"], "invalid_method");
    let message = &error["e"]["response"]["body"]["error"]["message"];
    assert!(
        message.as_str().unwrap().starts_with("stream: "),
        "{message}"
    );
    assert_eq!(spent, worth_of_all(&exchange));
    exchange.finish(spent);
}

#[test]
fn a_message_batch_is_answered_in_its_own_words_whatever_its_provider_speaks() {
    let exchange = Exchange::start(|setup| {
        setup.provider(Provider::new("cheap", CHEAP, Script::default()));
    });
    let params = |says: &str, model: &str| json!({"model": model, "max_tokens": 50, "messages": [{"role": "user", "content": says}]});
    let wanted = json!({"requests": [
        {"custom_id": "a", "params": params("one", MODEL)},
        {"custom_id": "b", "params": params("two", "acme/none")},
    ]});
    let batch = ask(&exchange, "POST /v1/messages/batches", &wanted);
    let id = batch["id"].as_str().unwrap();
    let path = format!("/v1/messages/batches/{id}");
    let batch = eventually("a message batch", || {
        Some(exchange.get(&path).json()).filter(|batch| batch["processing_status"] == "ended")
    });
    let counts = &batch["request_counts"];
    assert_eq!(
        (&counts["succeeded"], &counts["errored"]),
        (&json!(1), &json!(1))
    );
    let got = exchange.get(batch["results_url"].as_str().unwrap());
    assert_eq!(got.header("content-type"), Some("application/x-jsonl"));
    let text = got.text();
    let lines: Vec<Value> = text
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(lines[0]["result"]["type"], "succeeded");
    assert_eq!(lines[0]["result"]["message"]["type"], "message");
    assert_eq!(lines[1]["custom_id"], "b");
    assert_eq!(lines[1]["result"]["error"]["type"], "error");
    assert_eq!(
        lines[1]["result"]["error"]["error"]["type"],
        "invalid_request_error"
    );
    let spent = worth_of_all(&exchange);
    exchange.finish(spent);
}

#[test]
fn a_batch_that_is_cancelled_keeps_what_was_answered_and_calls_nobody_any_more() {
    let exchange = Exchange::start(|setup| {
        setup.toml.push_str("[batches]\nlines_at_once = 2\n");
        let slow = script(json!({"latency_ms": 100}));
        setup.provider(Provider::new("cheap", CHEAP, slow));
    });
    let lines: Vec<_> = (0..200)
        .map(|n| line(&format!("l{n}"), &chat("hi")))
        .collect();
    let id = make(&exchange, CHAT, &lines);
    until(&exchange, &id, |batch| {
        batch["request_counts"]["completed"].as_u64() > Some(3)
    });
    // By whoever runs the server, beside it.
    let listed = exchange.command(&["batch", "list", "--json"]);
    let listed: Value = serde_json::from_str(&listed).unwrap();
    assert_eq!(
        (&listed[0]["id"], &listed[0]["lines"]["total"]),
        (&json!(id), &json!(200))
    );
    assert!(
        exchange
            .command(&["batch", "show", &id])
            .contains("in_progress")
    );
    exchange.command(&["batch", "cancel", &id]);
    assert!(!shown(&exchange, &id)["cancelling_at"].is_null());
    let batch = ended(&exchange, &id);
    assert_eq!(batch["status"], "cancelled");
    let output = answers(&exchange, &batch["output_file_id"]);
    let error = answers(&exchange, &batch["error_file_id"]);
    assert_eq!(output.len() + error.len(), 200);
    assert!(output.len() > 3 && output.len() < 150, "{}", output.len());
    assert!(
        error
            .values()
            .all(|line| line["error"]["code"] == "batch_cancelled")
    );
    assert_eq!(exchange.attempts().len(), output.len());
    let spent = worth_of_all(&exchange);
    exchange.finish(spent);
}

#[test]
fn a_batch_waits_when_its_credit_has_ended_and_goes_on_with_the_next() {
    // A line costs some 40 micro-dollars, and up to 400 are set aside for it.
    let exchange = Exchange::start(|setup| {
        setup.usd = "0.0006";
        setup.provider(Provider::new("cheap", CHEAP, Script::default()));
    });
    let mut asks = chat("hi");
    asks["max_tokens"] = 900.into();
    let lines: Vec<_> = (0..30).map(|n| line(&format!("l{n}"), &asks)).collect();
    let id = make(&exchange, CHAT, &lines);
    let batch = until(&exchange, &id, |batch| {
        batch["bourse"]["paused"].is_string()
    });
    assert_eq!(batch["status"], "in_progress");
    let (granted, spent) = exchange.balance();
    assert!(spent <= granted);
    exchange.command(&["credit", "grant", "--usd", "5"]);
    let batch = ended(&exchange, &id);
    assert_eq!(batch["status"], "completed");
    assert_eq!(batch["request_counts"]["completed"], 30);
    assert_eq!(batch["bourse"]["paused"], Value::Null);
    let spent = worth_of_all(&exchange);
    exchange.finish(spent);
}

#[test]
fn killed_again_and_again_a_batch_loses_no_answer_and_charges_no_line_twice() {
    let mut exchange = Exchange::start(|setup| {
        setup.toml.push_str("[batches]\nlines_at_once = 8\n");
        let slow = script(json!({"latency_ms": 20}));
        setup.provider(Provider::new("cheap", CHEAP, slow));
    });
    let count = 300;
    let lines: Vec<_> = (0..count)
        .map(|n| line(&format!("l{n}"), &chat(&format!("line {n}"))))
        .collect();
    let id = make(&exchange, CHAT, &lines);
    for kill in 1..=4_u64 {
        until(&exchange, &id, |batch| {
            batch["request_counts"]["completed"].as_u64() > Some(kill * 40)
        });
        exchange.server.signal(Signal::KILL);
        exchange.server.child.wait().unwrap();
        exchange.server = Server::start(&exchange.config, &[]);
    }
    let batch = ended(&exchange, &id);
    assert_eq!(batch["status"], "completed", "{batch}");
    // The first witness: what the client has.
    let output = answers(&exchange, &batch["output_file_id"]);
    let error = answers(&exchange, &batch["error_file_id"]);
    assert_eq!(output.len() + error.len(), count, "{error:?}");
    assert!(error.is_empty(), "{error:?}");
    // The second: what providers were asked. Only what was under way at a kill was
    // asked for again.
    let asked = exchange.upstream().len();
    assert!(asked <= count + 4 * 8, "{asked}");
    // The third: the books. An answer that was kept in the very moment of a kill
    // is paid for as well.
    let told: i128 = output
        .values()
        .map(|line| cost(&line["response"]["body"]["usage"]))
        .sum();
    let spent = exchange.close();
    assert_eq!(spent, told);
    assert!(spent > 0);
}

#[test]
fn embeddings_come_in_batches_too_and_another_endpoint_is_told() {
    let exchange = Exchange::single(Script::default());
    let wanted = json!({"input_file_id": upload(&exchange, "x"), "endpoint": "/v1/rerank", "completion_window": "24h"});
    let got = send(
        &exchange,
        "POST /v1/batches",
        "application/json",
        wanted.to_string().as_bytes(),
    );
    let message = got.error_message(400);
    for path in [
        CHAT,
        "/v1/embeddings",
        "/v1/responses",
        "/v1/completions",
        "/v1/messages",
    ] {
        assert!(message.contains(path), "{message}");
    }
    // A chat model has no vectors to give: the line fails alone.
    let body = json!({"model": MODEL, "input": "hi"});
    let text = line("a", &body).replace(CHAT, "/v1/embeddings");
    let id = make(&exchange, "/v1/embeddings", &[text]);
    let batch = ended(&exchange, &id);
    assert_eq!(batch["request_counts"]["failed"], 1);
    exchange.finish(0);
}

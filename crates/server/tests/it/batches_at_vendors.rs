//! Lines of batches that a vendor answers in a batch of its own, at half the
//! price.

use bourse_sim::{Entry, Outcome, Script};
use rustix::process::Signal;
use serde_json::{Value, json};

use crate::batches::{CHAT, answers, ask, chat, ended, line, make, shown, until, upload};
use crate::exchange::{Exchange, Provider, Server, Setup, eventually, script, worth};
use crate::money_math::cost;

/// Even digits: half of it has no remainder.
const PRICE: (&str, &str) = ("0.20", "0.80");
const HALF: (&str, &str) = ("0.10", "0.40");

/// A server in front of OpenAI, which treats batches so.
fn vendor(batches: Value) -> impl FnOnce(&mut Setup) {
    let told = script(json!({"batches": batches}));
    move |setup: &mut Setup| {
        setup.toml.push_str("[batches]\nvendors_every_ms = 50\n");
        setup.provider(openai(told));
    }
}

fn openai(told: Script) -> Provider {
    let mut openai = Provider::new("openai", PRICE, told).format("");
    openai.upstream_model = Some("gpt-4o-mini");
    openai
}

fn lines(count: usize) -> Vec<String> {
    (0..count)
        .map(|n| line(&format!("l{n}"), &chat(&format!("line {n}"))))
        .collect()
}

/// Lines that the vendor has answered in batches, and calls that it has
/// answered by themselves.
fn answered(exchange: &Exchange) -> (Vec<Entry>, Vec<Entry>) {
    let entries = exchange.sim.log().into_iter();
    let all = entries.filter(|entry| entry.truth.is_some() && entry.outcome == Outcome::Complete);
    all.partition(|entry| entry.method == "BATCH")
}

/// What all of it costs whom it was sold to.
fn worth_of(exchange: &Exchange) -> i128 {
    let (batch, alone) = answered(exchange);
    let halves: i128 = batch.iter().map(|entry| worth(entry, HALF)).sum();
    let wholes: i128 = alone.iter().map(|entry| worth(entry, PRICE)).sum();
    halves + wholes
}

/// How many orders the vendor was given: OpenAI at `/v1/batches`, Anthropic at
/// `/v1/messages/batches`.
fn orders(exchange: &Exchange) -> usize {
    let is_order = |entry: &Entry| entry.method == "POST" && entry.path.ends_with("/batches");
    exchange
        .sim
        .log()
        .iter()
        .filter(|entry| is_order(entry))
        .count()
}

/// What the answers of a batch say that they cost.
fn told(exchange: &Exchange, batch: &Value) -> i128 {
    let output = answers(exchange, &batch["output_file_id"]);
    let costs = output.values();
    costs
        .map(|line| cost(&line["response"]["body"]["usage"]))
        .sum()
}

#[test]
fn lines_go_to_the_vendor_together_and_cost_half() {
    let exchange = Exchange::start(vendor(json!({})));
    let id = make(&exchange, CHAT, &lines(20));
    let batch = ended(&exchange, &id);
    assert_eq!(batch["status"], "completed", "{batch}");
    assert_eq!(batch["bourse"]["lines_at_vendor"], 20, "{batch}");
    assert_eq!(orders(&exchange), 1);
    let (in_batch, alone) = answered(&exchange);
    assert_eq!((in_batch.len(), alone.len()), (20, 0));
    let output = answers(&exchange, &batch["output_file_id"]);
    assert_eq!(output.len(), 20);
    let call = output["l0"]["response"]["request_id"].as_str().unwrap();
    let found = eventually("the record", || {
        let got = exchange.get(&format!("/v1/generation?id={call}"));
        (got.status == 200).then(|| got.json())
    });
    assert!(found.to_string().contains(&id), "{found}");
    let worth = worth_of(&exchange);
    assert!(worth > 0);
    assert_eq!(told(&exchange, &batch), worth);
    exchange.finish(worth);
}

#[test]
fn whoever_does_not_want_it_is_called_line_by_line() {
    let exchange = Exchange::start(vendor(json!({})));
    let file = upload(&exchange, &lines(3).join("\n"));
    let wanted = json!({"input_file_id": file, "endpoint": CHAT, "completion_window": "24h",
        "bourse": {"at_vendor": false}});
    let batch = ask(&exchange, "POST /v1/batches", &wanted);
    assert_eq!(batch["bourse"]["at_vendor"], false);
    let batch = ended(&exchange, batch["id"].as_str().unwrap());
    assert_eq!(batch["bourse"]["lines_at_vendor"], 0);
    assert_eq!(orders(&exchange), 0);
    let (in_batch, alone) = answered(&exchange);
    assert_eq!((in_batch.len(), alone.len()), (0, 3));
    let worth = worth_of(&exchange);
    exchange.finish(worth);
}

#[test]
fn what_the_vendor_does_not_answer_is_called_by_itself_at_the_usual_price() {
    for told in [
        json!({"refuses": true}),
        json!({"fails": true}),
        json!({"answers": 4}),
    ] {
        let at_vendor = told["answers"].as_u64().unwrap_or(0);
        let exchange = Exchange::start(vendor(told));
        let mut lines = lines(9);
        // Nobody takes it, in a batch or alone.
        lines.push(line(
            "bad",
            &json!({"model": "acme/chat", "messages": "none"}),
        ));
        // It asks for what batches do not have.
        let mut tier = chat("tier");
        tier["service_tier"] = "default".into();
        tier["stream"] = true.into();
        lines.push(line("streams", &tier));
        let id = make(&exchange, CHAT, &lines);
        let batch = ended(&exchange, &id);
        assert_eq!(batch["status"], "completed", "{batch}");
        assert_eq!(batch["request_counts"]["completed"], 9, "{batch}");
        assert_eq!(batch["bourse"]["lines_at_vendor"], at_vendor);
        let error = answers(&exchange, &batch["error_file_id"]);
        let names: Vec<_> = error.keys().map(String::as_str).collect();
        assert_eq!(names, ["bad", "streams"]);
        let (in_batch, alone) = answered(&exchange);
        assert_eq!(in_batch.len() as u64, at_vendor);
        assert_eq!(alone.len() as u64, 9 - at_vendor);
        let worth = worth_of(&exchange);
        assert_eq!(self::told(&exchange, &batch), worth);
        exchange.finish(worth);
    }
}

#[test]
fn a_cancelled_batch_pays_for_what_the_vendor_has_done() {
    let exchange = Exchange::start(vendor(json!({"takes_ms": 600_000, "answers": 2})));
    let id = make(&exchange, CHAT, &lines(6));
    eventually("the order", || (orders(&exchange) == 1).then_some(()));
    let cancel = format!("POST /v1/batches/{id}/cancel");
    ask(&exchange, &cancel, &json!({}));
    let batch = ended(&exchange, &id);
    assert_eq!(batch["status"], "cancelled", "{batch}");
    assert_eq!(batch["request_counts"]["completed"], 2, "{batch}");
    let error = answers(&exchange, &batch["error_file_id"]);
    assert_eq!(error.len(), 4);
    assert!(
        error
            .values()
            .all(|line| line["error"]["code"] == "batch_cancelled")
    );
    let (in_batch, alone) = answered(&exchange);
    assert_eq!((in_batch.len(), alone.len()), (2, 0));
    let worth = worth_of(&exchange);
    exchange.finish(worth);
}

#[test]
fn an_order_whose_answer_is_lost_is_found_and_one_that_is_refused_is_given_again() {
    for told in [json!({"lost_orders": 1}), json!({"throttled_orders": 1})] {
        let exchange = Exchange::start(vendor(told.clone()));
        let id = make(&exchange, CHAT, &lines(5));
        let batch = ended(&exchange, &id);
        assert_eq!(batch["bourse"]["lines_at_vendor"], 5, "{told} {batch}");
        let (in_batch, alone) = answered(&exchange);
        assert_eq!((in_batch.len(), alone.len()), (5, 0), "{told}");
        let worth = worth_of(&exchange);
        exchange.finish(worth);
    }
}

#[test]
fn a_server_that_is_killed_or_stopped_finds_what_a_vendor_has_and_orders_nothing_twice() {
    for signal in [Signal::KILL, Signal::TERM] {
        let mut exchange = Exchange::start(vendor(json!({"takes_ms": 8_000})));
        let id = make(&exchange, CHAT, &lines(30));
        for _ in 0..2 {
            eventually("the order", || (orders(&exchange) == 1).then_some(()));
            exchange.server.signal(signal);
            exchange.server.child.wait().unwrap();
            exchange.server = Server::start(&exchange.config, &[]);
        }
        assert_eq!(shown(&exchange, &id)["request_counts"]["completed"], 0);
        let batch = ended(&exchange, &id);
        assert_eq!(batch["status"], "completed", "{batch}");
        assert_eq!(batch["bourse"]["lines_at_vendor"], 30, "{batch}");
        assert_eq!(orders(&exchange), 1);
        let (in_batch, alone) = answered(&exchange);
        assert_eq!((in_batch.len(), alone.len()), (30, 0));
        let worth = worth_of(&exchange);
        assert_eq!(told(&exchange, &batch), worth);
        exchange.finish(worth);
    }
}

#[test]
fn no_line_is_sent_that_could_not_be_paid() {
    let exchange = Exchange::start(|setup| {
        vendor(json!({}))(setup);
        setup.usd = "0.0003";
    });
    let mut asks = chat("hi");
    asks["max_tokens"] = 900.into();
    let lines: Vec<_> = (0..30).map(|n| line(&format!("l{n}"), &asks)).collect();
    let id = make(&exchange, CHAT, &lines);
    until(&exchange, &id, |batch| {
        batch["bourse"]["paused"].is_string()
    });
    // What may be set aside for one is more than there is.
    assert_eq!((orders(&exchange), exchange.balance().1), (0, 0));
    exchange.command(&["credit", "grant", "--usd", "5"]);
    let batch = ended(&exchange, &id);
    assert_eq!(batch["bourse"]["lines_at_vendor"], 30, "{batch}");
    let worth = worth_of(&exchange);
    exchange.finish(worth);
}

/// A server in front of Anthropic, which has the requests in its orders.
fn anthropic(batches: Value) -> impl FnOnce(&mut Setup) {
    let told = script(json!({"batches": batches}));
    move |setup: &mut Setup| {
        setup.toml.push_str("[batches]\nvendors_every_ms = 50\n");
        let mut anthropic = Provider::new("anthropic", PRICE, told).format("");
        anthropic.upstream_model = Some("claude-haiku-4-5");
        setup.provider(anthropic);
    }
}

#[test]
fn lines_go_to_anthropic_together_and_cost_half() {
    let exchange = Exchange::start(anthropic(json!({})));
    let mut all = lines(12);
    // Whom nobody answers, in a batch or alone.
    all.push(line(
        "bad",
        &json!({"model": "acme/chat", "messages": "none"}),
    ));
    let id = make(&exchange, CHAT, &all);
    let batch = ended(&exchange, &id);
    assert_eq!(batch["status"], "completed", "{batch}");
    assert_eq!(batch["bourse"]["lines_at_vendor"], 12, "{batch}");
    assert_eq!(orders(&exchange), 1);
    let (in_batch, alone) = answered(&exchange);
    assert_eq!((in_batch.len(), alone.len()), (12, 0));
    let output = answers(&exchange, &batch["output_file_id"]);
    // Each its own answer, although they come the other way round.
    for n in 0..12 {
        let asked = in_batch.iter().filter(|entry| {
            entry
                .body
                .as_deref()
                .is_some_and(|body| body.contains(&format!("line {n}\"")))
        });
        assert_eq!(asked.count(), 1, "line {n}");
        let usage = &output[&format!("l{n}")]["response"]["body"]["usage"];
        assert!(usage["completion_tokens"].as_u64() > Some(0), "{usage}");
    }
    let worth = worth_of(&exchange);
    assert_eq!(told(&exchange, &batch), worth);
    exchange.finish(worth);
}

#[test]
fn what_anthropic_does_not_answer_is_called_by_itself_at_the_usual_price() {
    for told in [
        json!({"refuses": true}),
        json!({"fails": true}),
        json!({"answers": 4}),
    ] {
        let at_vendor = told["answers"].as_u64().unwrap_or(0);
        let exchange = Exchange::start(anthropic(told));
        let id = make(&exchange, CHAT, &lines(9));
        let batch = ended(&exchange, &id);
        assert_eq!(batch["request_counts"]["completed"], 9, "{batch}");
        assert_eq!(batch["bourse"]["lines_at_vendor"], at_vendor);
        let (in_batch, alone) = answered(&exchange);
        assert_eq!(in_batch.len() as u64, at_vendor);
        assert_eq!(alone.len() as u64, 9 - at_vendor);
        let worth = worth_of(&exchange);
        exchange.finish(worth);
    }
}

#[test]
fn an_order_that_anthropic_took_without_an_answer_is_found_by_its_lines() {
    for told in [json!({"lost_orders": 1}), json!({"throttled_orders": 1})] {
        let exchange = Exchange::start(anthropic(told.clone()));
        let id = make(&exchange, CHAT, &lines(5));
        let batch = ended(&exchange, &id);
        assert_eq!(batch["bourse"]["lines_at_vendor"], 5, "{told} {batch}");
        let (in_batch, alone) = answered(&exchange);
        assert_eq!((in_batch.len(), alone.len()), (5, 0), "{told}");
        let worth = worth_of(&exchange);
        exchange.finish(worth);
    }
}

/// A server is killed as soon as it has ordered, and finds the order by the names
/// of its lines, once it has ended.
#[test]
fn a_killed_server_finds_what_anthropic_has_and_orders_nothing_twice() {
    let mut exchange = Exchange::start(anthropic(json!({"takes_ms": 3_000})));
    let id = make(&exchange, CHAT, &lines(6));
    eventually("the order", || (orders(&exchange) == 1).then_some(()));
    exchange.server.signal(Signal::KILL);
    exchange.server.child.wait().unwrap();
    exchange.server = Server::start(&exchange.config, &[]);
    let batch = ended(&exchange, &id);
    assert_eq!(batch["bourse"]["lines_at_vendor"], 6, "{batch}");
    assert_eq!(orders(&exchange), 1);
    let (in_batch, alone) = answered(&exchange);
    assert_eq!((in_batch.len(), alone.len()), (6, 0));
    let worth = worth_of(&exchange);
    exchange.finish(worth);
}

#[test]
fn a_batch_that_is_cancelled_pays_for_what_anthropic_has_done() {
    let exchange = Exchange::start(anthropic(json!({"takes_ms": 600_000, "answers": 2})));
    let id = make(&exchange, CHAT, &lines(6));
    eventually("the order", || (orders(&exchange) == 1).then_some(()));
    let cancel = format!("POST /v1/batches/{id}/cancel");
    ask(&exchange, &cancel, &json!({}));
    let batch = ended(&exchange, &id);
    assert_eq!(batch["status"], "cancelled", "{batch}");
    assert_eq!(batch["request_counts"]["completed"], 2, "{batch}");
    let (in_batch, alone) = answered(&exchange);
    assert_eq!((in_batch.len(), alone.len()), (2, 0));
    let worth = worth_of(&exchange);
    exchange.finish(worth);
}

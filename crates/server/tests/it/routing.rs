//! What is learned of providers, and what becomes of calls by it: on the real
//! program, with its real clock.

use std::time::{Duration, Instant};

use bourse_sim::Script;
use serde_json::{Value, json};

use crate::exchange::{CHEAP, DEAR, Exchange, Provider, ask, eventually, script};

/// A chat whose answer says how it was routed.
fn told(exchange: &Exchange, over: Value) -> Value {
    let mut conn = exchange.connect();
    let headers = format!(
        "authorization: Bearer {}\r\nx-openrouter-metadata: enabled\r\n",
        exchange.key
    );
    let body = ask(over).to_string();
    conn.request("POST", "/v1/chat/completions", &headers, body.as_bytes());
    conn.receive().answer()
}

/// What is told of a provider among the candidates.
fn candidate<'a>(reply: &'a Value, provider: &str) -> &'a Value {
    let told = &reply["openrouter_metadata"]["bourse"]["candidates"];
    let mut lines = told.as_array().unwrap().iter();
    lines.find(|line| line["provider"] == provider).unwrap()
}

fn count(exchange: &Exchange, provider: &str) -> usize {
    let attempts = exchange.attempts();
    attempts.iter().filter(|who| *who == provider).count()
}

/// The caller insists on the order, so the first would be asked every time.
fn in_order() -> Value {
    json!({"provider": {"order": ["cheap", "dear"]}})
}

#[test]
fn a_provider_that_answers_500_is_left_alone_after_five_failures_and_comes_back() {
    /// The shortest first rest: a second, less a quarter.
    const REST_MIN: Duration = Duration::from_millis(750);
    let exchange = Exchange::pair(script(json!({"error_status": 500})));
    let began = Instant::now();
    for _ in 0..20 {
        assert_eq!(exchange.chat(in_order()).answer()["provider"], "dear");
    }
    let probes = began.elapsed().as_millis() / REST_MIN.as_millis();
    let met = count(&exchange, "cheap");
    assert!((5..=5 + probes as usize).contains(&met), "{met} of 20");

    let reply = eventually("a call that leaves it alone", || {
        let reply = told(&exchange, in_order());
        (candidate(&reply, "cheap")["left_out"] == "broken").then_some(reply)
    });
    assert_eq!(candidate(&reply, "cheap")["standing"], "open", "{reply}");
    assert!(candidate(&reply, "cheap")["rest_ms"].is_u64(), "{reply}");
    assert_eq!(candidate(&reply, "dear")["place"], 1, "{reply}");

    exchange.sim.set_provider_script("cheap", Script::default());
    eventually("it to come back", || {
        let reply = exchange.chat(in_order()).answer();
        (reply["provider"] == "cheap").then_some(())
    });
    for _ in 0..5 {
        assert_eq!(exchange.chat(in_order()).answer()["provider"], "cheap");
    }
    let log = exchange.server.log();
    assert!(log.contains("a breaker has opened"), "{log}");
    assert!(log.contains("a breaker has closed"), "{log}");
    exchange.close();
}

#[test]
fn one_that_accepts_and_says_nothing_is_met_once_and_left_after_the_learned_deadline() {
    /// Answers after which a deadline is believed, and some.
    const LEARNING: usize = 60;
    let exchange = Exchange::pair(script(json!({"never_answer": true})));
    for _ in 0..LEARNING {
        let of_others = json!({"provider": {"ignore": ["cheap"]}});
        exchange.stream(of_others).complete();
    }
    let began = Instant::now();
    for _ in 0..20 {
        let stream = exchange.stream(json!({}));
        stream.complete();
        assert_eq!(stream.chunks[0]["provider"], "dear");
    }
    // Without what is learned it would be 30 s.
    let waited = began.elapsed();
    assert!(waited < Duration::from_secs(15), "{waited:?}");
    assert!(count(&exchange, "cheap") <= 1, "{:?}", exchange.attempts());
    exchange.close();
}

#[test]
fn an_empty_account_at_a_provider_is_not_asked_again_and_an_operator_is_told() {
    // Without Retry-After: to wait changes nothing.
    let empty = json!({
        "error_status": 429,
        "error_code": "insufficient_quota",
        "error_message": "You exceeded your current quota, please check your plan and billing details.",
    });
    let mut exchange = Exchange::pair(script(empty));
    exchange.server.may_log_errors = true;
    for _ in 0..4 {
        assert_eq!(exchange.chat(in_order()).answer()["provider"], "dear");
    }
    assert_eq!(
        exchange.attempts(),
        ["cheap", "dear", "dear", "dear", "dear"]
    );
    let log = exchange.server.log();
    assert!(log.contains("a provider refuses our account"), "{log}");
    let reply = told(&exchange, in_order());
    assert_eq!(candidate(&reply, "cheap")["left_out"], "broken", "{reply}");
    exchange.close();
}

#[test]
fn a_rest_is_kept_in_every_form_that_it_is_announced_in_and_whoever_waits_for_it_is_served() {
    for (retry_after, least_ms) in [
        (json!({"ms": 700}), 700),
        (json!({"seconds": 1}), 1_000),
        // A date has whole seconds: up to one of them has passed.
        (json!({"http_date_in": 2}), 1_000),
    ] {
        let limited = json!({"error_status": 429, "fail_first": 1, "retry_after": retry_after});
        let exchange = Exchange::start(|setup| {
            setup.provider(Provider::new("cheap", CHEAP, script(limited)));
        });
        let began = Instant::now();
        let first = exchange.chat(json!({}));
        first.error(429);
        let told_s: u64 = first.header("retry-after").unwrap().parse().unwrap();
        let heard = Instant::now();
        eventually("the rest to end", || {
            let got = exchange.chat(json!({}));
            (got.status == 200).then_some(())
        });
        assert!(
            began.elapsed() >= Duration::from_millis(least_ms),
            "{retry_after}"
        );
        assert!(told_s * 1_000 >= least_ms, "{told_s} s of {retry_after}");
        // Nothing was sent inside the rest, and it is no longer than was told,
        // but for what this machine takes to look.
        assert_eq!(exchange.attempts(), ["cheap", "cheap"], "{retry_after}");
        let late = heard.elapsed().saturating_sub(Duration::from_secs(told_s));
        assert!(late < Duration::from_secs(5), "{late:?}");
        let paid = exchange.worth(CHEAP);
        exchange.finish(paid);
    }
}

#[test]
fn every_attempt_tells_its_verdict_and_its_times() {
    let limited = json!({"error_status": 429, "retry_after": {"seconds": 9}});
    let exchange = Exchange::start(|setup| {
        setup
            .provider(Provider::new("cheap", CHEAP, script(limited)))
            .provider(Provider::new("dear", DEAR, Script::default()));
    });
    let reply = told(&exchange, in_order());
    let tried = &reply["openrouter_metadata"]["bourse"]["attempts"];
    assert_eq!(tried[0]["endpoint"], "acme/chat@cheap", "{tried}");
    assert_eq!(tried[0]["verdict"], "rate_limited");
    assert_eq!(tried[0]["rest_ms"], 9_000);
    assert_eq!(tried[1]["verdict"], "answered");
    let times = ["sent_after_ms", "head_after_ms", "ended_after_ms"]
        .map(|name| tried[0][name].as_u64().unwrap());
    assert!(times.is_sorted(), "{tried}");
    assert!(
        tried[1]["sent_after_ms"].as_u64().unwrap() >= times[2],
        "{tried}"
    );
    // OpenRouter's own members are as they were.
    let metadata = &reply["openrouter_metadata"];
    assert_eq!(metadata["attempts"][0]["status"], 429);
    assert_eq!(metadata["endpoints"]["total"], 2);
    exchange.close();
}

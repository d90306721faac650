//! The client leaves before it is answered.

use std::time::{Duration, Instant};

use bourse_sim::{Entry, Outcome};
use rustix::process::Signal;
use serde_json::{Value, json};

use crate::exchange::{
    CHEAP, Exchange, Provider, ask, eventually, prompt_estimate, script, streamed, worth,
};
use crate::money_math::charge;

/// A closed connection reaches the provider within this long; the machine
/// may be busy with other tests, so the promise itself (50 ms) is checked
/// against the best of several tries.
const PROMISE: Duration = Duration::from_millis(50);

fn with(fields: Value, drains: bool) -> Exchange {
    Exchange::start(|setup| {
        let provider = Provider::new("cheap", CHEAP, script(fields));
        setup.provider(if drains { provider.drains() } else { provider });
    })
}

/// Waits until the provider has finished with the request.
fn ended(exchange: &Exchange) -> Entry {
    eventually("the provider's request to end", || {
        exchange
            .sim
            .log()
            .pop()
            .filter(|entry| entry.outcome != Outcome::Open)
    })
}

/// Waits until the provider is answering.
fn begun(exchange: &Exchange) {
    eventually("the request to reach the provider", || {
        (exchange.sim.counters().in_flight > 0).then_some(())
    });
}

/// What our own count charges for a stream of which so much was delivered.
fn counted(body: &Value, pieces: u64, text: &str) -> i128 {
    let prompt = prompt_estimate(body);
    let completion = pieces.max((text.len() as u64).div_ceil(4));
    charge(prompt, completion, CHEAP)
}

#[test]
fn a_provider_that_stops_billing_is_cancelled_at_once_and_what_came_is_paid() {
    let exchange = with(json!({"tokens": 1000, "token_ms": 20}), false);
    let body = streamed(json!({}));
    let mut best = Duration::MAX;
    let mut spent = 0;
    for _ in 0..3 {
        exchange.sim.reset();
        let mut conn = exchange.open(&body);
        let mut got = conn.head();
        while String::from_utf8_lossy(&got.body)
            .matches("\"content\"")
            .count()
            < 5
        {
            conn.chunk(&mut got).unwrap();
        }
        let left_us = std::time::SystemTime::now()
            .duration_since(std::time::UNIX_EPOCH)
            .unwrap()
            .as_micros() as u64;
        drop(conn);
        let entry = ended(&exchange);
        assert_eq!(entry.outcome, Outcome::ClientGone);
        let noticed_us = entry.started_unix_us + entry.ended_us.unwrap();
        best = best.min(Duration::from_micros(noticed_us.saturating_sub(left_us)));
        // Paid is what was delivered until then: at least what the client
        // read, at most what the provider sent.
        let before = spent;
        let least = before + counted(&body, 5, "");
        let most = before + counted(&body, entry.sent_tokens + 1, "") * 4;
        spent = eventually("the charge", || {
            let (_, spent) = exchange.balance();
            (spent > before).then_some(spent)
        });
        assert!((least..=most).contains(&spent), "{least}..{most}: {spent}");
    }
    println!("the provider saw the departure after {best:?}");
    assert!(best < PROMISE, "{best:?}");
    exchange.finish(spent);
}

#[test]
fn a_provider_that_bills_anyway_is_read_to_its_end_and_paid_as_it_reports() {
    let exchange = with(json!({"tokens": 60, "token_ms": 5}), true);
    let mut conn = exchange.open(&streamed(json!({})));
    let mut got = conn.head();
    conn.chunk(&mut got).unwrap();
    drop(conn);
    let entry = ended(&exchange);
    assert_eq!(entry.outcome, Outcome::Complete);
    assert_eq!(entry.sent_tokens, 60);
    let paid = worth(&entry, CHEAP);
    exchange.finish(paid);
}

#[test]
fn a_drain_ends_at_its_deadline_and_what_was_seen_is_paid() {
    let exchange = Exchange::start(|setup| {
        let slow = script(json!({"tokens": 100_000, "token_ms": 10}));
        setup
            .deadlines("drain_ms = 300")
            .provider(Provider::new("cheap", CHEAP, slow).drains());
    });
    let mut conn = exchange.open(&streamed(json!({})));
    let mut got = conn.head();
    conn.chunk(&mut got).unwrap();
    let began = Instant::now();
    drop(conn);
    let entry = ended(&exchange);
    assert_eq!(entry.outcome, Outcome::ClientGone);
    assert!(began.elapsed() >= Duration::from_millis(250));
    let spent = exchange.close();
    assert!(spent > 0 && spent < worth(&entry, CHEAP), "{spent}");
}

#[test]
fn leaving_before_any_sign_of_the_provider_costs_nothing_where_billing_stops() {
    let exchange = with(json!({"never_answer": true}), false);
    let conn = exchange.open(&streamed(json!({})));
    begun(&exchange);
    drop(conn);
    assert_eq!(ended(&exchange).outcome, Outcome::ClientGone);
    let asked = eventually("the call to end", || questions(&exchange).pop());
    assert_eq!(asked.0, "cheap");
    assert!(asked.1 > 0, "at most what was set aside");
    exchange.finish(0);
}

/// Cancelling is for streams (openrouter.ai/docs, streaming, stream
/// cancellation, November 2026).
#[test]
fn leaving_before_a_whole_answer_is_paid_for_all_of_it() {
    let exchange = with(json!({"first_token_ms": 300, "tokens": 40}), false);
    let conn = exchange.open(&ask(json!({})));
    begun(&exchange);
    drop(conn);
    let entry = ended(&exchange);
    assert_eq!(entry.outcome, Outcome::Complete);
    let paid = worth(&entry, CHEAP);
    assert!(paid > 0);
    exchange.finish(paid);
}

/// What providers may charge for calls that were voided, as the journal has
/// it: who, and how much at most.
fn questions(exchange: &Exchange) -> Vec<(String, i64)> {
    use bourse_ledger::record::{self, Record};
    use bourse_spool::{Position, Reader, inspect};
    let spool = exchange.dir.path().join("data/spool");
    let end = inspect(&spool, None, Position::default()).unwrap().end;
    let mut reader = Reader::new(&spool, Position::default());
    let batch = reader.read(end, 1_000).unwrap();
    let mut found = Vec::new();
    for bytes in batch.iter() {
        if let Record::Void(void) = record::decode(bytes).unwrap() {
            for cost in &void.voiding.possible {
                found.push((cost.provider.to_owned(), cost.amount.0));
            }
        }
    }
    found
}

#[test]
fn leaving_while_comments_are_sent_is_paid_for_the_input_where_billing_stops() {
    let exchange = Exchange::start(|setup| {
        let slow = script(json!({"first_token_ms": 60_000}));
        setup
            .deadlines("keep_alive_ms = 40")
            .provider(Provider::new("cheap", CHEAP, slow));
    });
    let body = streamed(json!({}));
    let mut conn = exchange.open(&body);
    let mut got = conn.head();
    conn.chunk(&mut got).unwrap();
    drop(conn);
    assert_eq!(ended(&exchange).outcome, Outcome::ClientGone);
    // The provider's response had begun, so it had begun to work.
    exchange.finish(charge(prompt_estimate(&body), 0, CHEAP));
}

#[test]
fn leaving_before_the_first_content_is_paid_where_billing_goes_on() {
    for body in [streamed(json!({})), ask(json!({}))] {
        let exchange = with(json!({"first_token_ms": 300, "tokens": 20}), true);
        let conn = exchange.open(&body);
        begun(&exchange);
        drop(conn);
        let entry = ended(&exchange);
        assert_eq!(entry.outcome, Outcome::Complete);
        let paid = worth(&entry, CHEAP);
        exchange.finish(paid);
    }
}

#[test]
fn a_client_that_left_is_not_searched_an_answer_for() {
    // The first provider is drained and fails; nobody is left to be answered
    // by the second.
    let exchange = Exchange::start(|setup| {
        let failing = script(json!({"latency_ms": 200, "error_status": 500}));
        setup
            .provider(Provider::new("cheap", CHEAP, failing).drains())
            .provider(Provider::new(
                "dear",
                crate::exchange::DEAR,
                script(json!({})),
            ));
    });
    let conn = exchange.open(&ask(json!({})));
    begun(&exchange);
    drop(conn);
    assert_eq!(ended(&exchange).outcome, Outcome::Failed);
    std::thread::sleep(Duration::from_millis(100));
    assert_eq!(exchange.attempts(), ["cheap"]);
    exchange.finish(0);
}

#[test]
fn clients_that_leave_in_the_middle_of_their_own_request_leave_nothing_behind() {
    let exchange = with(json!({}), false);
    for cut in [1, 40, 200] {
        let mut conn = exchange.connect();
        let body = ask(json!({})).to_string();
        let head = format!(
            "POST /api/v1/chat/completions HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {}\r\ncontent-length: {}\r\n\r\n{body}",
            exchange.key,
            body.len()
        );
        conn.send(&head.as_bytes()[..head.len() - cut]);
        drop(conn);
    }
    exchange.chat(json!({})).answer();
    assert_eq!(exchange.attempts(), ["cheap"]);
    let paid = exchange.worth(CHEAP);
    exchange.finish(paid);
}

#[test]
fn half_closed_connections_are_still_answered() {
    let exchange = with(json!({"first_token_ms": 50}), false);
    let mut conn = exchange.open(&ask(json!({})));
    conn.stream.shutdown(std::net::Shutdown::Write).unwrap();
    let got = conn.receive();
    // Half a close may be a whole departure, and nobody can tell: either is
    // right, as long as the books agree.
    let spent = exchange.close();
    if got.status == 200 {
        assert!(spent > 0);
    } else {
        assert_eq!(spent, 0);
    }
}

#[test]
fn a_stop_lets_running_streams_end() {
    let mut exchange = with(json!({"tokens": 30, "token_ms": 10}), false);
    let mut conn = exchange.open(&streamed(json!({})));
    let mut got = conn.head();
    conn.chunk(&mut got).unwrap();
    exchange.server.signal(Signal::TERM);
    while conn.chunk(&mut got).is_some() {}
    let usage = got.stream().complete();
    let status = eventually("the server to stop", || {
        exchange.server.child.try_wait().unwrap()
    });
    assert!(status.success());
    let paid = exchange.worth(CHEAP);
    assert_eq!(crate::money_math::cost(&usage), paid);
    assert_eq!(exchange.balance().1, paid);
}

/// Waits until the server has stopped by itself.
fn stopped(exchange: &mut Exchange) -> std::process::ExitStatus {
    eventually("the server to stop", || {
        exchange.server.child.try_wait().unwrap()
    })
}

#[test]
fn a_stop_waits_for_answers_that_are_read_on_without_their_client() {
    let mut exchange = with(json!({"tokens": 30, "token_ms": 20}), true);
    let mut conn = exchange.open(&streamed(json!({})));
    let mut got = conn.head();
    conn.chunk(&mut got).unwrap();
    drop(conn);
    exchange.server.signal(Signal::TERM);
    assert!(stopped(&mut exchange).success());
    let entry = ended(&exchange);
    assert_eq!(entry.outcome, Outcome::Complete);
    assert_eq!(exchange.balance().1, worth(&entry, CHEAP));
}

#[test]
fn a_stop_whose_time_is_up_keeps_what_was_delivered() {
    for drains in [false, true] {
        let mut exchange = Exchange::start(|setup| {
            setup.server_toml = "stop_timeout_ms = 200".to_owned();
            let slow = script(json!({"tokens": 100_000, "token_ms": 10}));
            let provider = Provider::new("cheap", CHEAP, slow);
            setup.provider(if drains { provider.drains() } else { provider });
        });
        let body = streamed(json!({}));
        let mut conn = exchange.open(&body);
        let mut got = conn.head();
        while String::from_utf8_lossy(&got.body)
            .matches("\"content\"")
            .count()
            < 5
        {
            conn.chunk(&mut got).unwrap();
        }
        // One client is there to the end, one has left.
        if drains {
            drop(conn);
        }
        let began = Instant::now();
        exchange.server.signal(Signal::TERM);
        assert!(stopped(&mut exchange).success());
        assert!(began.elapsed() >= Duration::from_millis(200));
        let (_, spent) = exchange.balance();
        let least = counted(&body, 5, "");
        assert!(spent >= least, "{spent} is less than {least}");
    }
}

#[test]
fn a_second_signal_does_not_wait_and_keeps_what_was_delivered() {
    let mut exchange = with(json!({"tokens": 100_000, "token_ms": 10}), false);
    let body = streamed(json!({}));
    let mut conn = exchange.open(&body);
    let mut got = conn.head();
    conn.chunk(&mut got).unwrap();
    exchange.server.signal(Signal::TERM);
    // It waits for the stream, for a minute if it must.
    std::thread::sleep(Duration::from_millis(100));
    assert!(exchange.server.child.try_wait().unwrap().is_none());
    exchange.server.signal(Signal::TERM);
    assert!(stopped(&mut exchange).success());
    let (_, spent) = exchange.balance();
    let least = counted(&body, 1, "");
    assert!(spent >= least, "{spent} is less than {least}");
}

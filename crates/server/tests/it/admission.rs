//! Calls that are not let in are not read.

use std::time::Duration;

use bourse_sim::Script;
use rustix::process::Signal;
use serde_json::json;

use crate::client::{Conn, Got};
use crate::exchange::{CHEAP, Exchange, Provider, ask, eventually, script, streamed};

/// A server at which a key may have one call, and one that is under way.
fn occupied() -> (Exchange, Conn) {
    let exchange = Exchange::start(|setup| {
        setup.toml = "[admission]\nkey_calls_max = 1\n".to_owned();
        let silent = script(json!({"never_answer": true}));
        setup.provider(Provider::new("cheap", CHEAP, silent));
    });
    let first = exchange.open(&streamed(json!({})));
    eventually("the first call to be sent", || {
        (exchange.sim.counters().in_flight > 0).then_some(())
    });
    (exchange, first)
}

/// What is sent before the body: by the second road if `by_hyper`.
fn connect(exchange: &Exchange, by_hyper: bool) -> Conn {
    let mut conn = exchange.connect();
    if by_hyper {
        conn.request("GET", "/healthz", "", b"");
        assert_eq!(conn.receive().status, 200);
    }
    conn
}

#[test]
fn a_call_too_many_is_refused_unread_and_its_connection_kept_if_the_body_is_small() {
    let (exchange, first) = occupied();
    let headers = format!("authorization: Bearer {}\r\n", exchange.key);
    let path = "/api/v1/chat/completions";
    for by_hyper in [false, true] {
        let mut conn = connect(&exchange, by_hyper);
        let body = ask(json!({})).to_string();
        for _ in 0..3 {
            conn.request("POST", path, &headers, body.as_bytes());
            let got = conn.receive();
            let told = got.error_message(429);
            assert!(told.contains("this API key"), "{told}");
            assert_eq!(got.header("retry-after"), Some("1"));
            assert!(got.header("x-generation-id").is_some());
        }
        // A body that is not here is not waited for.
        let mut conn = connect(&exchange, by_hyper);
        let head = format!(
            "POST {path} HTTP/1.1\r\nhost: localhost\r\n{headers}content-length: 20000000\r\n\r\n{{"
        );
        conn.send(head.as_bytes());
        let got = conn.receive();
        got.error_message(429);
        let patience = Some(Duration::from_secs(20));
        conn.stream.set_read_timeout(patience).unwrap();
        let closes = conn.head();
        assert_eq!(closes.status, 0, "nothing more comes");
    }
    // What is no model call has no door.
    for path in ["/healthz", "/readyz", "/api/v1/models"] {
        assert_eq!(exchange.get(path).status, 200, "{path}");
    }
    drop(first);
    exchange.close();
}

#[test]
fn a_call_that_says_batch_is_answered_and_one_that_says_nonsense_is_refused() {
    let exchange = Exchange::single(Script::default());
    let body = ask(json!({})).to_string();
    let mut conn = exchange.connect();
    for (said, status) in [("batch", 200), ("interactive", 200), ("urgent", 400)] {
        let headers = format!(
            "authorization: Bearer {}\r\nx-bourse-priority: {said}\r\n",
            exchange.key
        );
        conn.request("POST", "/v1/chat/completions", &headers, body.as_bytes());
        let got = conn.receive();
        assert_eq!(got.status, status, "{}", got.text());
        assert_eq!(got.text().contains("X-Bourse-Priority"), status == 400);
    }
    exchange.close();
}

/// Calls that may be under way at a worker before it refuses any.
const FEW: usize = 256;
/// Calls that come at once: the first of them makes the others wait.
const AT_ONCE: usize = 8;

/// Whether anything of an answer is there to be read.
fn has_answer(conn: &Conn) -> bool {
    conn.stream.set_nonblocking(true).unwrap();
    let seen = conn.stream.peek(&mut [0]);
    conn.stream.set_nonblocking(false).unwrap();
    seen.is_ok_and(|length| length > 0)
}

/// What a refused one is told of the calls that a stopped server finds all
/// together when it goes on. `None` if all of them were let in.
fn refused_at_once(exchange: &Exchange, by_hyper: bool) -> Option<Got> {
    let body = streamed(json!({})).to_string();
    let headers = format!("authorization: Bearer {}\r\n", exchange.key);
    let in_flight = || exchange.sim.counters().in_flight;
    let all = in_flight() + AT_ONCE as u64;
    let mut conns: Vec<_> = (0..AT_ONCE).map(|_| connect(exchange, by_hyper)).collect();
    exchange.server.signal(Signal::STOP);
    for conn in &mut conns {
        conn.request("POST", "/v1/chat/completions", &headers, body.as_bytes());
    }
    exchange.server.signal(Signal::CONT);
    let answered = eventually("an answer, or every call to be sent", || {
        let answered = conns.iter().position(has_answer);
        (answered.is_some() || in_flight() >= all).then_some(answered)
    });
    let got = conns.get_mut(answered?)?.receive();
    (got.status == 503).then_some(got)
}

/// Whatever waits at all is late here, so that no machine is too fast.
#[test]
fn a_worker_that_comes_late_refuses_calls_by_either_road_and_says_when_to_come_back() {
    let exchange = Exchange::start(|setup| {
        setup.toml = "[admission]\nlate_ms = 0\n".to_owned();
        let silent = script(json!({"never_answer": true}));
        setup.provider(Provider::new("cheap", CHEAP, silent));
    });
    // One after the other, so that none waits for another.
    let running: Vec<_> = (1..=FEW)
        .map(|count| {
            let conn = exchange.open(&streamed(json!({})));
            eventually("a call to be sent", || {
                (exchange.sim.counters().in_flight >= count as u64).then_some(())
            });
            conn
        })
        .collect();
    for by_hyper in [false, true] {
        let got = eventually("a refusal", || refused_at_once(&exchange, by_hyper));
        let told = got.error_message(503);
        assert!(told.contains("more requests than it can serve"), "{told}");
        assert_eq!(got.header("retry-after"), Some("1"));
        assert!(got.header("x-generation-id").is_some());
    }
    // Nobody has to be let in to see how the server is.
    assert_eq!(exchange.get("/readyz").status, 200);
    drop(running);
    exchange.close();
}

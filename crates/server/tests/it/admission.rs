//! Calls that are not let in are not read.

use std::time::Duration;

use bourse_sim::Script;
use rustix::process::Signal;
use serde_json::json;

use crate::client::Conn;
use crate::exchange::{CHEAP, Exchange, MODEL, Provider, ask, eventually, script, streamed};

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
/// Calls that come at once by each of the two roads, the second one last.
const FLOODS: [usize; 2] = [400, 50];

/// Enough work that so many of them make a worker late, and little enough to
/// wait in the kernel.
const PROMPT_BYTES: usize = 40_000;

/// Calls that all come at once, to a provider that answers none: while the
/// server stands still, so that it finds all of them.
fn flood(exchange: &Exchange) -> [Vec<Conn>; 2] {
    let prompt = "word ".repeat(PROMPT_BYTES / 5);
    let messages = json!([{"role": "user", "content": prompt}]);
    let body = streamed(json!({"messages": messages})).to_string();
    let headers = format!("authorization: Bearer {}\r\n", exchange.key);
    let [ours, hypers] = FLOODS;
    let mut roads = [(ours, false), (hypers, true)].map(|(count, by_hyper)| {
        let conns = (0..count).map(|_| connect(exchange, by_hyper));
        conns.collect::<Vec<_>>()
    });
    exchange.server.signal(Signal::STOP);
    for conn in roads.iter_mut().flatten() {
        conn.request("POST", "/v1/chat/completions", &headers, body.as_bytes());
    }
    exchange.server.signal(Signal::CONT);
    roads
}

#[test]
fn a_worker_that_comes_late_refuses_some_calls_by_either_road_and_says_when_to_come_back() {
    let exchange = Exchange::start(|setup| {
        let long = "context_length = 200000\nmax_output = 1000";
        setup.models.insert(MODEL, long);
        setup.deadlines("head_ms = 3000\nidle_ms = 3000\nfirst_sign_ms = 3000");
        let silent = script(json!({"never_answer": true}));
        setup.provider(Provider::new("cheap", CHEAP, silent));
    });
    let roads = flood(&exchange);
    // Nobody has to be let in to see how the server is.
    assert_eq!(exchange.get("/readyz").status, 200);
    let shed = roads.map(|conns| {
        let mut shed = 0;
        for mut conn in conns {
            let got = conn.receive();
            if got.status == 503 {
                let told = got.error_message(503);
                assert!(told.contains("more requests than it can serve"), "{told}");
                assert_eq!(got.header("retry-after"), Some("1"));
                assert!(got.header("x-generation-id").is_some());
                shed += 1;
            }
        }
        shed
    });
    assert!(shed.iter().all(|count| *count > 0), "{shed:?}");
    let all: usize = FLOODS.iter().sum();
    assert!(shed.iter().sum::<usize>() <= all - FEW, "{shed:?}");
    exchange.close();
}

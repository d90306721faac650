//! Requests that can be read in two ways, or were meant for another server,
//! and what only a key opens.

use std::io::{Read, Write};

use bourse_sim::Script;
use serde_json::json;

use crate::client::{Conn, Got};
use crate::exchange::{CHEAP, Exchange, Provider, ask, eventually, script, streamed};

/// The answer to a head, and whether the connection was closed behind it.
fn sent(exchange: &Exchange, text: &str) -> (Got, bool) {
    let mut conn = exchange.connect();
    conn.send(text.as_bytes());
    let got = conn.receive();
    let is_closed = is_closed(&mut conn);
    (got, is_closed)
}

/// Whether nothing more comes. A server that waits for the next request
/// answers this one; one that has closed cannot.
fn is_closed(conn: &mut Conn) -> bool {
    let _ = conn
        .stream
        .write_all(b"GET /healthz HTTP/1.1\r\nhost: localhost\r\n\r\n");
    let mut rest = Vec::new();
    let mut piece = [0; 256];
    loop {
        match conn.stream.read(&mut piece) {
            Ok(0) | Err(_) => return !String::from_utf8_lossy(&rest).contains("HTTP/1.1 "),
            Ok(length) => rest.extend_from_slice(&piece[..length]),
        }
        if String::from_utf8_lossy(&rest).contains("200 OK") {
            return false;
        }
    }
}

#[test]
fn a_request_whose_length_or_host_can_be_read_in_two_ways_is_refused_and_cut_off() {
    let exchange = Exchange::single(Script::default());
    let key = exchange.key.clone();
    let body = ask(json!({})).to_string();
    let length = body.len();
    let chunked = format!("{length:x}\r\n{body}\r\n0\r\n\r\n");
    let host = "host: localhost\r\n";
    for (headers, sent_body) in [
        (
            format!("{host}content-length: {length}\r\ntransfer-encoding: chunked\r\n"),
            &chunked,
        ),
        (
            format!("{host}transfer-encoding: chunked\r\nContent-Length: {length}\r\n"),
            &chunked,
        ),
        (
            format!("{host}transfer-encoding: chunked\r\ncontent-length: 0\r\n"),
            &chunked,
        ),
        (
            format!("{host}transfer-encoding: gzip, chunked\r\n"),
            &chunked,
        ),
        (
            format!("{host}transfer-encoding: chunked, chunked\r\n"),
            &chunked,
        ),
        (
            format!("{host}transfer-encoding: identity\r\ntransfer-encoding: chunked\r\n"),
            &chunked,
        ),
        (format!("content-length: {length}\r\n"), &body),
        (format!("{host}{host}content-length: {length}\r\n"), &body),
        (
            format!("{host}host: other\r\ncontent-length: {length}\r\n"),
            &body,
        ),
        (format!("host:\r\ncontent-length: {length}\r\n"), &body),
        (format!("host: a b\r\ncontent-length: {length}\r\n"), &body),
        (
            format!("host: localhost, localhost\r\ncontent-length: {length}\r\n"),
            &body,
        ),
        (
            format!("host: x@localhost\r\ncontent-length: {length}\r\n"),
            &body,
        ),
    ] {
        for path in ["/api/v1/chat/completions", "/api/v1/keys"] {
            let head =
                format!("POST {path} HTTP/1.1\r\nauthorization: Bearer {key}\r\n{headers}\r\n");
            let (got, is_closed) = sent(&exchange, &format!("{head}{sent_body}"));
            assert_eq!(got.status, 400, "{headers}: {}", got.text());
            got.error(400);
            assert_eq!(got.header("connection"), Some("close"), "{headers}");
            assert!(is_closed, "{headers}");
        }
    }
    // The same without what is odd.
    for (headers, sent_body) in [
        (format!("{host}content-length: {length}\r\n"), &body),
        (format!("{host}Transfer-Encoding: Chunked\r\n"), &chunked),
    ] {
        let head = format!(
            "POST /v1/chat/completions HTTP/1.1\r\nauthorization: Bearer {key}\r\n{headers}\r\n"
        );
        let (got, is_closed) = sent(&exchange, &format!("{head}{sent_body}"));
        got.answer();
        assert!(!is_closed, "{headers}");
    }
    assert_eq!(exchange.attempts().len(), 2);
    exchange.close();
}

#[test]
fn a_second_request_behind_a_good_one_is_looked_at_as_closely() {
    let exchange = Exchange::single(Script::default());
    let mut conn = exchange.connect();
    let headers = format!("authorization: Bearer {}\r\n", exchange.key);
    conn.request(
        "POST",
        "/v1/chat/completions",
        &headers,
        ask(json!({})).to_string().as_bytes(),
    );
    conn.receive().answer();
    conn.send(
        b"GET /healthz HTTP/1.1\r\nhost: localhost\r\ntransfer-encoding: chunked\r\ncontent-length: 5\r\n\r\n0\r\n\r\n",
    );
    conn.receive().error(400);
    assert!(is_closed(&mut conn));
    exchange.close();
}

/// A page whose name leads to this machine asks as a browser would.
#[test]
fn a_page_that_lets_its_name_lead_here_is_refused_unless_the_operator_wrote_it() {
    let named = |toml: &str| {
        let toml = toml.to_owned();
        Exchange::start(move |setup| {
            setup.server_toml = toml;
            setup.provider(Provider::new("cheap", CHEAP, Script::default()));
        })
    };
    let get = |exchange: &Exchange, host: &str, path: &str| {
        sent(
            exchange,
            &format!("GET {path} HTTP/1.1\r\nhost: {host}\r\n\r\n"),
        )
        .0
    };
    let exchange = named("");
    for path in ["/metrics", "/api/v1/models", "/healthz", "/docs"] {
        let got = get(&exchange, "rebind.attacker.example:8787", path);
        let said = got.error_message(403);
        assert!(said.contains("server.hosts"), "{said}");
        assert!(!said.contains("attacker"), "{said}");
        assert_ne!(get(&exchange, "127.0.0.1:8787", path).status, 403);
    }
    exchange.close();
    let exchange = named("hosts = [\"bourse.example.com\"]");
    assert_eq!(get(&exchange, "Bourse.Example.com", "/healthz").status, 200);
    assert_eq!(get(&exchange, "other.example.com", "/healthz").status, 403);
    exchange.close();
}

#[test]
fn metrics_are_for_management_keys_and_count_streams_to_their_end() {
    let exchange = Exchange::single(script(json!({"tokens": 60, "token_ms": 50})));
    let management = exchange.command(&["key", "create", "--management", "--quiet"]);
    let metrics = |key: &str| {
        let mut conn = exchange.connect();
        conn.request(
            "GET",
            "/metrics",
            &format!("authorization: Bearer {key}\r\n"),
            b"",
        );
        conn.receive()
    };
    let mut conn = exchange.connect();
    conn.request("GET", "/metrics", "", b"");
    conn.receive().error(401);
    metrics(&exchange.key).error(403);
    let in_flight = || {
        let text = metrics(management.trim()).text();
        let line = text
            .lines()
            .find(|line| line.starts_with("bourse_calls_in_flight"));
        line.unwrap().split_whitespace().last().unwrap().to_owned()
    };
    assert_eq!(in_flight(), "0");
    let mut streams: Vec<_> = (0..3)
        .map(|_| exchange.open(&streamed(json!({}))))
        .collect();
    for stream in &mut streams {
        let mut got = stream.head();
        assert_eq!(got.status, 200);
        stream.chunk(&mut got).unwrap();
    }
    assert_eq!(in_flight(), "3");
    drop(streams);
    eventually("the streams to end", || (in_flight() == "0").then_some(()));
    exchange.close();
}

#[test]
fn a_key_made_just_now_works_though_unknown_ones_were_tried_just_before() {
    let exchange = Exchange::single(Script::default());
    let unknown = exchange.command(&["key", "create", "--quiet"]);
    // Well-formed, and of nobody: another installation made it.
    let other = Exchange::single(Script::default());
    let foreign = other.command(&["key", "create", "--quiet"]);
    for _ in 0..4 {
        let fresh = exchange.command(&["key", "create", "--quiet"]);
        exchange.chat_as(foreign.trim(), json!({})).error(401);
        exchange.chat_as(fresh.trim(), json!({})).answer();
    }
    exchange.chat_as(unknown.trim(), json!({})).answer();
    other.close();
    exchange.close();
}

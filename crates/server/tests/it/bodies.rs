//! What the bodies of requests may take: all of them together, and one that
//! was made to be dear.

use std::time::Instant;

use bourse_sim::Script;
use serde_json::json;

use crate::exchange::{CHEAP, Exchange, Provider};

const MIB: usize = 1 << 20;
/// What a connection may buffer beside the body that is counted.
const BUFFERS: u64 = 48 << 20;

#[test]
fn unfinished_bodies_of_two_hundred_callers_are_bounded_and_shed() {
    const ROOM: usize = 16 * MIB;
    let exchange = Exchange::start(|setup| {
        setup.server_toml = format!(
            "body_bytes_max = {}\nbodies_bytes_max = {ROOM}\nbody_timeout_ms = 4000\n",
            4 * MIB
        );
        setup.provider(Provider::new("cheap", CHEAP, Script::default()));
    });
    exchange.chat(json!({})).answer();
    let before = exchange.server.memory();
    let piece = vec![b' '; MIB];
    let mut callers = Vec::new();
    for _ in 0..200 {
        let mut conn = exchange.connect();
        let head = format!(
            "POST /api/v1/chat/completions HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {}\r\ncontent-length: {}\r\n\r\n",
            exchange.key,
            2 * MIB
        );
        conn.send(head.as_bytes());
        conn.send(&piece);
        callers.push(conn);
    }
    let growth = exchange.server.memory().saturating_sub(before);
    println!("memory grew by {} KiB", growth >> 10);
    assert!(growth < ROOM as u64 + BUFFERS, "{growth}");
    // Short ones go on meanwhile.
    exchange.chat(json!({})).answer();
    let (mut shed, mut late) = (0, 0);
    for mut caller in callers {
        let got = caller.receive();
        match got.status {
            503 => {
                got.error(503);
                assert_eq!(got.header("retry-after"), Some("2"));
                shed += 1;
            }
            408 => late += 1,
            other => panic!("{other}: {}", got.text()),
        }
    }
    println!("{shed} were shed, {late} were late");
    assert!(shed >= 186 && late >= 5, "{shed} {late}");
    exchange.chat(json!({})).answer();
    exchange.close();
}

const DEAR_BYTES: usize = 31 * MIB;

/// A body of 31 MiB: a request whose last member is `open`, many of `inner`,
/// and `close`.
fn filled(open: &str, inner: &str, close: &str) -> String {
    let head = r#"{"model":"acme/chat","max_tokens":10,"messages":[{"role":"user","content":"hi"}"#;
    let room = DEAR_BYTES - head.len() - open.len() - close.len();
    format!("{head}{open}{}{close}", inner.repeat(room / inner.len()))
}

/// So many texts that make up 31 MiB.
fn texts(count: usize) -> String {
    let text = format!("\"{}\",", "a".repeat(DEAR_BYTES / count - 4));
    filled(r#"],"x":["#, &text, "0]}")
}

/// A server whose only provider needs requests translated.
fn translating(usd: &'static str) -> Exchange {
    translating_to(usd, "anthropic")
}

/// The same with a provider of `format`.
fn translating_to(usd: &'static str, format: &'static str) -> Exchange {
    Exchange::start(|setup| {
        let model = "context_length = 100000000";
        setup.models.insert("acme/chat", model);
        setup.usd = usd;
        setup.provider(Provider::new("cheap", CHEAP, Script::default()).format(format));
    })
}

#[test]
fn a_body_made_to_be_dear_takes_at_most_three_times_its_size() {
    for (what, body) in [
        ("numbers", filled(r#"],"x":["#, "1,", "1]}")),
        ("objects", filled(r#"],"x":["#, "{},", "{}]}")),
        ("lists", filled(r#"],"x":["#, "[[]],", "[]]}")),
        ("a text", filled(r#"],"x":""#, "aaaa", "\"}")),
        ("escapes", filled(r#"],"x":""#, "\\u0061", "\"}")),
        ("many texts", texts(100_000)),
        ("as many texts as are translated", texts(145_000)),
    ] {
        let exchange = translating("1000");
        exchange.chat(json!({})).answer();
        let before = exchange.server.peak_memory();
        let began = Instant::now();
        let got = exchange.raw(body.as_bytes());
        let growth = exchange.server.peak_memory().saturating_sub(before);
        let took = began.elapsed();
        println!("{what}: {}, {} MiB in {took:?}", got.status, growth >> 20);
        assert!(growth <= 3 * DEAR_BYTES as u64, "{what}: {growth}");
        exchange.chat(json!({})).answer();
        exchange.close();
    }
}

/// A prompt that is paid for, in the body, as it is understood, and as it is
/// said to the provider, at once.
#[test]
fn the_longest_prompt_takes_at_most_five_times_its_size() {
    let exchange = translating("1000");
    exchange.chat(json!({})).answer();
    let body = filled(r#",{"role":"user","content":""#, "aaaa", "\"}]}");
    let before = exchange.server.peak_memory();
    exchange.raw(body.as_bytes()).answer();
    let growth = exchange.server.peak_memory().saturating_sub(before);
    println!("{} MiB", growth >> 20);
    assert!(growth <= 5 * DEAR_BYTES as u64, "{growth}");
    exchange.close();
}

#[test]
fn the_longest_prompt_with_something_lost_in_it_takes_at_most_five_times_its_size() {
    let exchange = translating("1000");
    exchange.chat(json!({})).answer();
    let open =
        r#",{"role":"assistant","content":"ok","annotations":[]},{"role":"user","content":""#;
    let body = filled(open, "aaaa", "\"}]}");
    let before = exchange.server.peak_memory();
    exchange.raw(body.as_bytes()).answer();
    let growth = exchange.server.peak_memory().saturating_sub(before);
    println!("{} MiB", growth >> 20);
    assert!(growth <= 5 * DEAR_BYTES as u64, "{growth}");
    exchange.close();
}

#[test]
fn the_longest_prompt_of_somebody_with_a_name_takes_at_most_five_times_its_size() {
    for format in ["anthropic", "gemini", "openai-chat"] {
        let exchange = translating_to("1000", format);
        exchange.chat(json!({})).answer();
        let open = r#",{"role":"user","name":"Ada","content":""#;
        let body = filled(open, "aaaa", "\"}]}");
        let before = exchange.server.peak_memory();
        exchange.raw(body.as_bytes()).answer();
        let growth = exchange.server.peak_memory().saturating_sub(before);
        println!("{format}: {} MiB", growth >> 20);
        assert!(growth <= 5 * DEAR_BYTES as u64, "{format}: {growth}");
        exchange.close();
    }
}

#[test]
fn a_body_that_nobody_pays_for_is_never_parsed() {
    let exchange = translating("");
    let small = exchange.chat(json!({})).status;
    assert_eq!(small, 402);
    for body in [filled(r#"],"x":["#, "1,", "1]}"), texts(240_000)] {
        let before = exchange.server.peak_memory();
        let got = exchange.raw(body.as_bytes());
        let growth = exchange.server.peak_memory().saturating_sub(before);
        println!("{}: {} MiB", got.status, growth >> 20);
        got.error(402);
        assert!(growth < DEAR_BYTES as u64 * 3 / 2, "{growth}");
    }
    exchange.finish(0);
}

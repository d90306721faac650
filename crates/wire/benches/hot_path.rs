//! How long the hot path takes, in nanoseconds of one core.
//!
//! A plain loop and the minimum of many rounds: enough to see a factor,
//! and nothing to install. `cargo bench -p bourse-wire`.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, missing_docs)]

use std::hint::black_box;
use std::time::{Duration, Instant};

use bourse_wire::json;

/// Prints the fastest round of `work`, per call.
fn measure<T>(name: &str, mut work: impl FnMut() -> T) {
    let mut calls = 1_u32;
    loop {
        let begun = Instant::now();
        for _ in 0..calls {
            black_box(work());
        }
        if begun.elapsed() > Duration::from_millis(2) || calls > 1 << 20 {
            break;
        }
        calls *= 2;
    }
    let best = (0..60)
        .map(|_| {
            let begun = Instant::now();
            for _ in 0..calls {
                black_box(work());
            }
            begun.elapsed()
        })
        .min()
        .unwrap();
    println!(
        "{name:<44} {:>12.1} ns",
        best.as_secs_f64() * 1e9 / f64::from(calls)
    );
}

/// A request whose prompt has about `len` bytes, with an escape every
/// `escape_every` bytes (0: never).
fn request(len: usize, escape_every: usize) -> String {
    let mut prompt = String::new();
    while prompt.len() < len {
        prompt.push_str("lorem ipsum dolor sit amet, consetetur sadipscing elitr sed diam ");
        if escape_every > 0 {
            prompt.push_str("\\n");
        }
    }
    format!(
        r#"{{"model":"openai/gpt-4o-mini","stream":true,"temperature":0.7,"max_tokens":256,"user":"u-1","messages":[{{"role":"system","content":"Be brief."}},{{"role":"user","content":"{prompt}"}}],"provider":{{"order":["openai"],"allow_fallbacks":true}},"usage":{{"include":true}}}}"#
    )
}

/// A request made of many short strings, as tool schemas are.
fn dense(len: usize) -> String {
    let mut tools = String::new();
    while tools.len() < len {
        tools.push_str(r#"{"type":"function","function":{"name":"f","parameters":{"type":"object","properties":{"a":{"type":"string","description":"The first."},"b":{"type":"integer"}},"required":["a","b"]}}},"#);
    }
    tools.pop();
    format!(r#"{{"model":"m","messages":[{{"role":"user","content":"hi"}}],"tools":[{tools}]}}"#)
}

fn scanning() {
    for (size, len) in [("1.4 KB", 1_000), ("100 KB", 100_000), ("1 MB", 1_000_000)] {
        for (sort, text) in [
            ("clean prose", request(len, 0)),
            ("escaped prose", request(len, 60)),
            ("dense schema", dense(len)),
        ] {
            let name = format!("scan {size}, {sort} ({} B)", text.len());
            measure(&name, || json::scan(text.as_bytes()).unwrap());
        }
    }
}

fn main() {
    scanning();
}

//! How long the hot path takes, in nanoseconds of one core.
//!
//! A plain loop and the minimum of many rounds: enough to see a factor,
//! and nothing to install. `cargo bench -p bourse-wire`.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, missing_docs)]

use std::hint::black_box;
use std::time::{Duration, Instant};

use bourse_vocab::{Bill, Usage};
use bourse_wire::codec::{Stamp, WriteTarget};
use bourse_wire::dialect::Dialect;
use bourse_wire::json::{self, Scanner};
use bourse_wire::openai_chat::passthrough::{Envelope, StreamRelay, splice_reply, splice_request};
use bytes::Bytes;

const STAMP: Stamp<'static> = Stamp {
    id: "gen-1234567890-abcdefghijklmno",
    model: "openai/gpt-4o-mini",
    provider: "OpenAI",
    created: 1_790_000_000,
    metadata: None,
};

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

fn requests() {
    let target = WriteTarget {
        model: "gpt-4o-mini",
        max_output: Some(16_384),
        limit: None,
        efforts: bourse_vocab::chat::Efforts::default(),
        tier: bourse_vocab::TierWish::None,
        dialect: &Dialect::PLAIN,
    };
    for (size, len) in [("1.4 KB", 1_000), ("100 KB", 100_000), ("1 MB", 1_000_000)] {
        let body = Bytes::from(request(len, 60));
        let segments: Vec<Bytes> = (0..body.len())
            .step_by(64 * 1024)
            .map(|at| body.slice(at..body.len().min(at + 64 * 1024)))
            .collect();
        let outline = || {
            let mut scanner = Scanner::new();
            for segment in &segments {
                scanner.push(segment).unwrap();
            }
            scanner.finish().unwrap()
        };
        measure(&format!("scan + envelope {size}"), || {
            Envelope::read(outline(), &segments).unwrap()
        });
        let envelope = Envelope::read(outline(), &segments).unwrap();
        measure(&format!("splice request {size}"), || {
            splice_request(&envelope, &segments, &target)
        });
    }
}

fn streams() {
    let chunk = |word: &str, pad: &str| {
        format!(
            "data: {{\"id\":\"chatcmpl-AbCdEfGhIjKlMnOpQrStUvWxYz012\",\"object\":\"chat.completion.chunk\",\"created\":1790000000,\"model\":\"gpt-4o-mini-2024-07-18\",\"service_tier\":\"default\",\"system_fingerprint\":\"fp_0123456789\",\"choices\":[{{\"index\":0,\"delta\":{{\"content\":\"{word}\"}},\"logprobs\":null,\"finish_reason\":null}}],\"obfuscation\":\"{pad}\"}}\n\n"
        )
    };
    let words = [
        "Hello", " world", " \\\"x", "\\n", " é", " and", " more", "!",
    ];
    let text: String = (0..512)
        .map(|n| chunk(words[n % 8], &"Ab3dEf9x"[n % 8..]))
        .collect();
    let size = text.len() / 512;
    for (name, piece) in [
        ("in whole chunks", size),
        ("in 16 KB pieces", 16 * 1024),
        ("in 100 B pieces", 100),
    ] {
        let mut relay = StreamRelay::new(&STAMP, false);
        let mut out = Vec::with_capacity(2 * text.len());
        let mut pieces: Vec<&[u8]> = text.as_bytes().chunks(piece).collect();
        if piece == size {
            pieces = text.split_inclusive("\n\n").map(str::as_bytes).collect();
        }
        measure(&format!("relay 512 chunks of {size} B, {name}"), || {
            out.clear();
            for piece in &pieces {
                relay.feed(piece, &mut out).unwrap();
            }
        });
    }
    // Ever another member: nothing can be learned.
    let odd: String = (0..512)
        .map(|n| chunk(words[n % 8], "").replace("1790000000", &format!("17900{n:05}")))
        .collect();
    let mut relay = StreamRelay::new(&STAMP, false);
    let mut out = Vec::with_capacity(2 * odd.len());
    measure("relay 512 chunks, none like another", || {
        out.clear();
        relay.feed(odd.as_bytes(), &mut out).unwrap();
    });
}

fn replies() {
    let body = format!(
        r#"{{"id":"chatcmpl-1","object":"chat.completion","created":1790000000,"model":"gpt-4o-mini-2024-07-18","choices":[{{"index":0,"message":{{"role":"assistant","content":"{}","refusal":null,"annotations":[]}},"logprobs":null,"finish_reason":"stop"}}],"usage":{{"prompt_tokens":19,"completion_tokens":10,"total_tokens":29,"prompt_tokens_details":{{"cached_tokens":0,"audio_tokens":0}},"completion_tokens_details":{{"reasoning_tokens":0,"audio_tokens":0,"accepted_prediction_tokens":0,"rejected_prediction_tokens":0}}}},"service_tier":"default","system_fingerprint":"fp_1"}}"#,
        "lorem ipsum dolor sit amet \\n".repeat(26)
    );
    let usage = Usage {
        prompt: 19,
        completion: 10,
        ..Usage::default()
    };
    measure(&format!("splice + render reply ({} B)", body.len()), || {
        splice_reply(body.as_bytes(), &STAMP, false)
            .unwrap()
            .render(&usage, &Bill::default())
    });
}

fn main() {
    scanning();
    requests();
    streams();
    replies();
}

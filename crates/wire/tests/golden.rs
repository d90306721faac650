//! The golden matrix: every case of `fixtures/chat` through every pair of
//! formats. Snapshots are reviewed like code; `fixtures/README.md` says how
//! to add a case or a format.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use bourse_vocab::chat::{Event, Loss};
use bourse_vocab::json::Value;
use bourse_vocab::{Bill, Format, Nanos, TierWish, Usage, UsageReport};
use bourse_wire::dialect::{CacheMarks, Dialect, ReasoningStyle, Thoughts};
use bourse_wire::laws::{self, Outcome};
use bourse_wire::{Codec, ErrorReply, Stamp, WriteTarget, codec};

/// Formats whose codec is complete.
const READY: &[Format] = &[
    Format::OpenAiChat,
    Format::OpenAiResponses,
    Format::Anthropic,
    Format::Gemini,
    Format::Bedrock,
    Format::Ollama,
    Format::Cohere,
];

/// A vendor that understands everything that its format can say.
const RICH: Dialect = Dialect {
    reasoning: ReasoningStyle::Object,
    developer_role: true,
    accepts: &["cache_control", "safe_prompt"],
    cache: CacheMarks::CacheControl,
    thoughts: Thoughts::Details,
    media_anywhere: true,
    ..Dialect::PLAIN
};

const STAMP: Stamp<'static> = Stamp {
    id: "gen-1763683200-000000000000001",
    model: "acme/model-1",
    provider: "Acme",
    created: 1_763_683_200,
    metadata: None,
};

fn ready() -> impl Iterator<Item = Format> {
    Format::ALL
        .into_iter()
        .filter(|format| READY.contains(format))
}

fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/chat")
}

/// Every case, by name, sorted.
fn cases() -> Vec<(String, PathBuf)> {
    let mut cases: Vec<_> = std::fs::read_dir(fixtures())
        .unwrap()
        .map(|entry| entry.unwrap())
        .filter(|entry| entry.file_type().unwrap().is_dir())
        .map(|entry| (entry.file_name().into_string().unwrap(), entry.path()))
        .collect();
    cases.sort();
    assert!(!cases.is_empty());
    cases
}

/// Runs `check` for every case with a file `<format>.<kind>`.
fn each(kind: &str, mut check: impl FnMut(&str, Format, &[u8])) {
    for (case, folder) in cases() {
        for format in ready() {
            let file = folder.join(format!("{format}.{kind}"));
            if let Ok(mut bytes) = std::fs::read(&file) {
                if kind == "stream.txt" {
                    bytes = laws::framed(format, &bytes);
                }
                check(&case, format, &bytes);
            }
        }
    }
}

fn snapshot(case: &str, kind: &str, from: Format, to: &str, text: &str) {
    insta::with_settings!({
        prepend_module_to_snapshot => false,
        omit_expression => true,
        snapshot_path => "snapshots",
    }, {
        insta::assert_snapshot!(format!("{case}__{kind}__{from}__{to}"), text);
    });
}

/// JSON in a form that shows one change as one changed line.
fn pretty(body: &[u8]) -> String {
    match bourse_vocab::json::parse(body) {
        Ok(value) => serde_json::to_string_pretty(&value).unwrap(),
        Err(error) => panic!("not JSON ({error}): {}", String::from_utf8_lossy(body)),
    }
}

fn lost(losses: &[Loss]) -> String {
    let mut text = String::new();
    for loss in losses {
        let _ = write!(text, "\nlost: {}: {}", loss.field, loss.reason);
    }
    text
}

/// What the request says of the tier of service: here every target sells it.
fn asked(request: &bourse_vocab::chat::Request) -> TierWish {
    let word = request.extras.members.get("service_tier");
    let wish = word.and_then(|word| TierWish::read(word.as_str()?).ok());
    wish.unwrap_or_default()
}

#[test]
fn every_request_through_every_pair_of_formats() {
    each("request.json", |case, from, bytes| {
        let request = match codec(from).read_request(bytes) {
            Ok(request) => request,
            Err(failure) => {
                let text = format!("{} {}", failure.status(), failure.message);
                return snapshot(case, "request", from, "refused", &text);
            }
        };
        for to in ready() {
            let mut dialects = vec![("", &RICH)];
            if to == Format::OpenAiChat {
                dialects.push(("-plain", &Dialect::PLAIN));
            }
            for (suffix, dialect) in dialects {
                let target = WriteTarget {
                    model: "upstream-model",
                    max_output: Some(8192),
                    limit: None,
                    efforts: bourse_vocab::chat::Efforts::default(),
                    tier: asked(&request),
                    dialect,
                };
                let text = match codec(to).write_request(&request, &target) {
                    Ok(written) => pretty(&written.body) + &lost(&written.losses),
                    Err(failure) => format!("{} {}", failure.status(), failure.message),
                };
                snapshot(case, "request", from, &format!("{to}{suffix}"), &text);
            }
        }
    });
}

/// What the ledger would make of the last report, at a dollar a million
/// tokens in and two out.
fn settle(report: &UsageReport) -> (Usage, Bill) {
    let (usage, estimated) = report.resolve(&Usage::default());
    let upstream_prompt = Nanos(i64::try_from(usage.prompt).unwrap() * 1_000);
    let upstream_completion = Nanos(i64::try_from(usage.completion).unwrap() * 2_000);
    let bill = Bill {
        total: upstream_prompt.saturating_add(upstream_completion),
        upstream_prompt,
        upstream_completion,
        estimated,
    };
    (usage, bill)
}

#[test]
fn every_reply_through_every_pair_of_formats() {
    each("reply.json", |case, from, bytes| {
        let mut reply = match codec(from).read_reply(bytes) {
            Ok(reply) => reply,
            Err(failure) => {
                let text = format!("{} {}", failure.status(), failure.message);
                return snapshot(case, "reply", from, "refused", &text);
            }
        };
        reply.settled = Some(settle(&reply.usage.unwrap_or_default()));
        for to in ready() {
            let body = codec(to).write_reply(&reply, &STAMP);
            snapshot(case, "reply", from, to.slug(), &pretty(&body));
        }
    });
}

/// Puts the settlement where the data plane puts it: before the end.
fn with_settlement(outcome: &Outcome) -> Outcome {
    let mut report = UsageReport::default();
    let mut events = Vec::new();
    for event in &outcome.events {
        match event {
            Event::Usage(later) => report.merge(later),
            Event::Done => {
                let (usage, bill) = settle(&report);
                events.push(Event::Settled(usage, bill));
            }
            _ => {}
        }
        events.push(event.clone());
    }
    Outcome {
        events,
        failure: outcome.failure.clone(),
    }
}

fn write_stream(to: &dyn Codec, outcome: &Outcome) -> String {
    let mut writer = to.stream_writer(&STAMP);
    let mut out = Vec::new();
    for event in &outcome.events {
        writer.event(event, &mut out);
    }
    if let Some(failure) = &outcome.failure {
        writer.event(&Event::Error(Box::new(failure.clone())), &mut out);
    }
    String::from_utf8(laws::readable(to.format(), &out)).unwrap()
}

#[test]
fn every_stream_through_every_pair_of_formats() {
    each("stream.txt", |case, from, bytes| {
        let outcome = laws::read_stream(codec(from), [bytes]);
        laws::check(&outcome).unwrap_or_else(|broken| panic!("{case} in {from}: {broken}"));
        let outcome = with_settlement(&outcome);
        laws::check(&outcome).unwrap_or_else(|broken| panic!("{case} in {from}: {broken}"));
        for to in ready() {
            let text = write_stream(codec(to), &outcome);
            snapshot(case, "stream", from, to.slug(), &text);
        }
    });
}

/// Where a stream is cut must not matter: every single cut, and one byte at
/// a time.
#[test]
fn every_stream_means_the_same_however_it_is_cut() {
    each("stream.txt", |case, from, bytes| {
        let whole = laws::read_stream(codec(from), [bytes]).summary();
        let bytewise = laws::read_stream(codec(from), bytes.chunks(1)).summary();
        assert_eq!(bytewise, whole, "{case} in {from}, byte by byte");
        for at in 0..bytes.len() {
            let (head, tail) = bytes.split_at(at);
            let cut = laws::read_stream(codec(from), [head, tail]).summary();
            assert_eq!(cut, whole, "{case} in {from}, cut at byte {at}");
        }
    });
}

/// A stream that ends early is never passed off as a whole one.
#[test]
fn every_stream_that_stops_early_is_a_failure_or_a_whole_answer() {
    each("stream.txt", |case, from, bytes| {
        let whole = laws::read_stream(codec(from), [bytes]);
        let finishes = |outcome: &Outcome| {
            let is_finish = |event: &&Event| matches!(event, Event::Finish { .. });
            outcome.events.iter().filter(is_finish).count()
        };
        for at in 0..bytes.len() {
            let short = laws::read_stream(codec(from), [&bytes[..at]]);
            laws::check(&short)
                .unwrap_or_else(|broken| panic!("{case} in {from}, stopped at {at}: {broken}"));
            let is_done = matches!(short.events.last(), Some(Event::Done));
            assert!(
                !is_done || finishes(&short) == finishes(&whole),
                "{case} in {from}, stopped at byte {at}, looks whole"
            );
        }
    });
}

#[test]
fn every_error_through_every_pair_of_formats() {
    each("error.json", |case, from, bytes| {
        let fixture: Value = bourse_vocab::json::parse(bytes).unwrap();
        let body = match &fixture["body"] {
            Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        let mut failure = codec(from).read_failure(&ErrorReply {
            status: u16::try_from(fixture["status"].as_u64().unwrap()).unwrap(),
            body: body.as_bytes(),
            retry_after: fixture["retry_after_s"].as_u64().map(Duration::from_secs),
        });
        if let Some(upstream) = &mut failure.upstream {
            upstream.provider = Some("Acme".into());
        }
        let read = format!(
            "{:?}, blame {:?}, next {:?}, wait {:?}\ninside: {:?}\n",
            failure.kind, failure.blame, failure.next, failure.retry_after, failure.inside
        );
        for to in ready() {
            let text = format!("{read}{}", pretty(&codec(to).write_failure(&failure)));
            snapshot(case, "error", from, to.slug(), &text);
        }
    });
}

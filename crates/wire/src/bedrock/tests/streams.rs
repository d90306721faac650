//! Streams of binary messages.

use bourse_vocab::chat::{Event, Finish, ReasoningKind};
use bourse_vocab::json;
use bourse_vocab::json::Value;
use bourse_vocab::{Bill, FailureKind, Nanos, Usage};
use proptest::prelude::*;

use crate::bedrock::Bedrock;
use crate::codec::{Codec, Stamp};
use crate::framing::{MessageKind, encode};
use crate::laws::{self, Outcome};

fn stream(events: &[(&str, Value)]) -> Vec<u8> {
    let mut out = Vec::new();
    for (name, payload) in events {
        let kind = match name.ends_with("Exception") {
            true => MessageKind::Exception,
            false => MessageKind::Event,
        };
        encode((kind, name), payload.to_string().as_bytes(), &mut out);
    }
    out
}

#[allow(clippy::needless_pass_by_value)] // Each is written where it is used.
fn delta(block: u64, delta: Value) -> (&'static str, Value) {
    let event = json!({"contentBlockIndex": block, "delta": delta, "p": "abcdefgh"});
    ("contentBlockDelta", event)
}

fn tool(block: u64, id: &str) -> (&'static str, Value) {
    let start = json!({"toolUse": {"toolUseId": id, "name": "look"}});
    let event = json!({"contentBlockIndex": block, "start": start});
    ("contentBlockStart", event)
}

fn stop(block: u64) -> (&'static str, Value) {
    ("contentBlockStop", json!({"contentBlockIndex": block}))
}

/// A thought, a text, and two calls whose arguments come in turns.
fn answer() -> Vec<(&'static str, Value)> {
    vec![
        ("messageStart", json!({"role": "assistant"})),
        delta(0, json!({"reasoningContent": {"text": "Hm, "}})),
        delta(0, json!({"reasoningContent": {"text": "Oslo."}})),
        delta(0, json!({"reasoningContent": {"signature": "c2ln"}})),
        stop(0),
        delta(1, json!({"text": "Let me l\u{f6}\u{f6}k."})),
        stop(1),
        tool(2, "a"),
        tool(3, "b"),
        delta(3, json!({"toolUse": {"input": "{\"at\":"}})),
        delta(3, json!({"toolUse": {"input": "2}"}})),
        stop(2),
        stop(3),
        ("messageStop", json!({"stopReason": "tool_use"})),
        (
            "metadata",
            json!({"usage": {"inputTokens": 10, "outputTokens": 5, "totalTokens": 15},
                "metrics": {"latencyMs": 7}}),
        ),
    ]
}

fn read(bytes: &[u8]) -> Outcome {
    laws::read_stream(&Bedrock, [bytes])
}

#[test]
fn a_stream_obeys_the_laws_and_brings_thoughts_calls_and_counts() {
    let outcome = read(&stream(&answer()));
    laws::check(&outcome).unwrap();
    assert!(outcome.failure.is_none());
    let signatures: Vec<_> = outcome
        .events
        .iter()
        .filter_map(|event| match event {
            Event::Reasoning { delta, .. } => match &delta.kind {
                ReasoningKind::Text { signature, .. } => signature.clone(),
                _ => None,
            },
            _ => None,
        })
        .collect();
    assert_eq!(signatures, ["c2ln"]);
    let arguments: Vec<_> = outcome
        .events
        .iter()
        .filter_map(|event| match event {
            Event::ToolArguments {
                index, fragment, ..
            } => Some((*index, fragment.as_str())),
            _ => None,
        })
        .collect();
    assert_eq!(arguments, [(1, "{\"at\":"), (1, "2}"), (0, "{}")]);
    let ends: Vec<_> = outcome.events.iter().rev().take(3).collect();
    assert!(
        matches!(
            ends[..],
            [
                Event::Done,
                Event::Usage(usage),
                Event::Finish {
                    reason: Finish::ToolCalls,
                    ..
                }
            ] if usage.prompt == Some(10) && usage.completion == Some(5)
        ),
        "{ends:?}"
    );
}

#[test]
fn a_stream_that_is_written_is_read_as_it_was_told() {
    let outcome = read(&stream(&answer()));
    let stamp = Stamp {
        id: "gen-1",
        model: "m",
        provider: "p",
        created: 1,
        metadata: None,
    };
    let mut writer = Bedrock.stream_writer(&stamp);
    let mut out = Vec::new();
    for event in &outcome.events {
        if matches!(event, Event::Done) {
            let usage = Usage {
                prompt: 10,
                completion: 5,
                ..Usage::default()
            };
            let bill = Bill {
                total: Nanos(3),
                upstream_prompt: Nanos(1),
                upstream_completion: Nanos(2),
                estimated: false,
            };
            writer.event(&Event::Settled(usage, bill), &mut out);
        }
        writer.event(event, &mut out);
    }
    let again = read(&out);
    laws::check(&again).unwrap();
    let told = |outcome: &Outcome| {
        let mut text = String::new();
        for event in &outcome.events {
            if !matches!(event, Event::Usage(_)) {
                text += &format!("{event:?}\n");
            }
        }
        text
    };
    assert_eq!(told(&again), told(&outcome));
}

#[test]
fn exceptions_in_a_stream_are_failures_of_their_class() {
    for (name, message, kind) in [
        ("throttlingException", "slow down", FailureKind::RateLimited),
        ("serviceUnavailableException", "no", FailureKind::Overloaded),
        ("internalServerException", "oh", FailureKind::Unavailable),
        ("modelStreamErrorException", "oh", FailureKind::Unavailable),
        ("modelTimeoutException", "late", FailureKind::Timeout),
        (
            "validationException",
            "Input is too long for requested model.",
            FailureKind::ContextLengthExceeded,
        ),
        ("validationException", "odd", FailureKind::InvalidRequest),
        ("someNewException", "odd", FailureKind::Unavailable),
    ] {
        let mut events = answer();
        events.truncate(6);
        events.push((name, json!({"message": message})));
        let outcome = read(&stream(&events));
        laws::check(&outcome).unwrap();
        let failure = outcome.failure.unwrap();
        assert_eq!(failure.kind, kind, "{name}");
        assert_eq!(failure.upstream.unwrap().code.as_deref(), Some(name));
    }
}

#[test]
fn a_stream_that_makes_no_sense_is_the_providers_failure() {
    let start = ("messageStart", json!({"role": "assistant"}));
    let end = ("messageStop", json!({"stopReason": "end_turn"}));
    let text = delta(0, json!({"text": "x"}));
    for events in [
        vec![text.clone()],
        vec![start.clone(), text.clone()],
        vec![start.clone(), end.clone(), text.clone()],
        vec![start.clone(), ("messageStop", json!({}))],
        vec![start.clone(), delta(0, json!({"toolUse": {"input": "{"}}))],
        vec![
            start.clone(),
            text.clone(),
            delta(0, json!({"toolUse": {"input": "{"}})),
        ],
        vec![
            start.clone(),
            ("contentBlockDelta", json!({"delta": {"text": "x"}})),
        ],
        vec![
            start.clone(),
            (
                "contentBlockStart",
                json!({"contentBlockIndex": 0,
            "start": {"toolUse": {"name": "x"}}}),
            ),
        ],
        vec![start, ("metadata", json!({"usage": {"inputTokens": 1}}))],
        vec![],
    ] {
        let outcome = read(&stream(&events));
        laws::check(&outcome).unwrap();
        let failure = outcome.failure.unwrap();
        assert_eq!(failure.kind, FailureKind::Unavailable, "{events:?}");
    }
}

#[test]
fn a_stream_whose_counts_are_missing_is_a_whole_answer() {
    let mut events = answer();
    events.pop();
    let outcome = read(&stream(&events));
    laws::check(&outcome).unwrap();
    assert!(matches!(outcome.events.last(), Some(Event::Done)));
}

#[test]
fn kinds_of_events_yet_to_come_are_no_harm() {
    let mut events = answer();
    events.insert(0, ("initial-response", json!({})));
    events.insert(3, ("somethingNew", json!("odd")));
    let outcome = read(&stream(&events));
    assert_eq!(outcome.summary(), read(&stream(&answer())).summary());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_stream_means_the_same_however_it_is_cut_and_a_flipped_bit_is_noticed(
        cuts in proptest::collection::vec(0..2500_usize, 0..8),
        flip in proptest::option::of((0..2500_usize, 0..8_u8)),
    ) {
        let mut bytes = stream(&answer());
        if let Some((at, bit)) = flip {
            let at = at % bytes.len();
            bytes[at] ^= 1 << bit;
        }
        let mut cuts: Vec<usize> = cuts.into_iter().map(|cut| cut % bytes.len()).collect();
        cuts.sort_unstable();
        let mut pieces = Vec::new();
        let mut from = 0;
        for cut in cuts {
            pieces.push(&bytes[from..cut]);
            from = cut;
        }
        pieces.push(&bytes[from..]);
        let whole = read(&bytes);
        let cut = laws::read_stream(&Bedrock, pieces);
        prop_assert_eq!(whole.summary(), cut.summary());
        // Both checksums cover every byte; only what follows the end of the
        // answer may be damaged unseen.
        prop_assert_eq!(cut.failure.is_some(), flip.is_some());
    }
}

//! Replies that are made up, member by member: unknown members, escapes, odd
//! order and white space, numbers of every spelling. Whole replies are passed
//! on by one pass over their bytes; what comes out must be what the way
//! through the vocabulary says, and of what nobody knows every byte.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)]

mod dice;

use bourse_vocab::json::{self, Value};
use bourse_vocab::{Bill, FailureKind, Format, Nanos, Usage, UsageReport};
use bourse_wire::openai_chat::passthrough::splice_reply;
use bourse_wire::{Stamp, codec};
use dice::Dice;
use proptest::prelude::*;

const STAMP: Stamp<'static> = Stamp {
    id: "gen-1",
    model: "acme/m",
    provider: "Acme",
    created: 7,
    metadata: None,
};

const BILL: Bill = Bill {
    total: Nanos(3),
    upstream_prompt: Nanos(1),
    upstream_completion: Nanos(2),
    estimated: false,
};

/// The usage of a report, as the ledger would tell it.
fn settled(report: Option<UsageReport>) -> Usage {
    report.unwrap_or_default().resolve(&Usage::default()).0
}

/// What a client is told of each choice.
fn told(reply: &Value) -> Vec<Vec<Value>> {
    let choices = reply["choices"].as_array().unwrap().iter();
    let told = choices.map(|choice| {
        let message = &choice["message"];
        // Nothing is told in many ways.
        let text = |name: &str| match &message[name] {
            Value::String(text) if text.is_empty() => Value::Null,
            value => value.clone(),
        };
        let calls = message["tool_calls"].as_array().into_iter().flatten();
        let calls = calls.map(|call| {
            let function = &call["function"];
            Value::Array(vec![
                call["id"].clone(),
                function["name"].clone(),
                function["arguments"].clone(),
            ])
        });
        // Why it ended is told of what has.
        let has_ended = choice["finish_reason"].is_string();
        let native = has_ended.then(|| choice["native_finish_reason"].clone());
        vec![
            choice["index"].clone(),
            choice["finish_reason"].clone(),
            native.unwrap_or(Value::Null),
            message["role"].clone(),
            text("content"),
            text("refusal"),
            text("reasoning"),
            Value::Array(calls.collect()),
        ]
    });
    told.collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1_500, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn one_pass_over_a_reply_says_what_the_vocabulary_says(seed: u64) {
        let mut dice = Dice::new(seed);
        dice.with_pieces = false;
        let body = dice.whole_reply();
        let parts = splice_reply(body.as_bytes(), &STAMP, false);
        let reply = codec(Format::OpenAiChat).read_reply(body.as_bytes());
        let (parts, mut reply) = match (parts, reply) {
            (Ok(parts), Ok(reply)) => (parts, reply),
            (parts, reply) => {
                prop_assert_eq!(parts.is_ok(), reply.is_ok(), "{}", body);
                return Ok(());
            }
        };
        let usage = settled(parts.usage);
        prop_assert_eq!(parts.usage, reply.usage, "{}", body);
        reply.settled = Some((usage, BILL));
        let bytes = String::from_utf8(parts.render(&usage, &BILL)).unwrap();
        let words = codec(Format::OpenAiChat).write_reply(&reply, &STAMP);
        let by_bytes = json::parse(bytes.as_bytes()).unwrap();
        let by_words = json::parse(&words).unwrap();
        prop_assert_eq!(told(&by_bytes), told(&by_words), "{}", body);
        prop_assert_eq!(&by_bytes["usage"], &by_words["usage"]);
        for value in &dice.unknown {
            let member = format!("\"vendor\":{value}");
            prop_assert!(bytes.contains(&member), "{} of {}", member, body);
        }
    }

    #[test]
    fn a_reply_that_is_cut_off_is_refused(seed: u64, at in any::<prop::sample::Index>()) {
        let body = Dice::new(seed).whole_reply();
        let cut = &body.as_bytes()[..at.index(body.len())];
        let failure = splice_reply(cut, &STAMP, false).unwrap_err();
        prop_assert_eq!(failure.kind, FailureKind::Unavailable);
    }

    #[test]
    fn a_damaged_reply_is_refused_unless_it_is_json_still(
        seed: u64, at in any::<prop::sample::Index>(), hide: bool, sort in 0..3_u8,
        byte in prop::sample::select(&b"\"\\{}[],:0e.-tn x\x80"[..]),
    ) {
        let mut body = Dice::new(seed).whole_reply().into_bytes();
        let at = at.index(body.len());
        match sort {
            0 => body[at] = byte,
            1 => body.insert(at, byte),
            _ => { body.remove(at); }
        }
        // What is wrong with an escape is left to whoever reads the text.
        let is_json = json::parse(String::from_utf8_lossy(&body).as_bytes()).is_ok();
        if let Ok(parts) = splice_reply(&body, &STAMP, hide) {
            let text = parts.render(&Usage::default(), &BILL);
            prop_assert!(!is_json || json::parse(&text).is_ok());
        }
    }
}

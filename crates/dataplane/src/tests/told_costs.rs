//! What providers say that an answer cost them to sell: booked as their charge,
//! and never as the customer's.

use std::sync::atomic::Ordering::Relaxed;

use serde_json::{Value, json};

use super::harness::{Play, Played, play, play_whole};
use super::script::Answer;
use crate::alarms::kind::Kind;

/// A token of the input is 1,000 nano-dollars, one of the output twice as much.
const WORTH: i64 = 14_000;

fn tells(play: Play) -> Play {
    play.setup(|setup| setup.tells_cost = true)
}

fn usage(cost: &Value) -> Value {
    let mut usage = json!({"prompt_tokens": 10, "completion_tokens": 2, "total_tokens": 12});
    if let (Value::Object(usage), Value::Object(cost)) = (&mut usage, cost.clone()) {
        usage.extend(cost);
    }
    usage
}

/// A whole answer of 10 tokens in and 2 out that says what it cost.
fn whole(cost: &Value) -> Answer {
    Answer::reply(&json!({
        "id": "up-whole",
        "choices": [{"index": 0, "finish_reason": "stop",
            "message": {"role": "assistant", "content": "hi"}}],
        "usage": usage(cost),
    }))
}

/// The same as a stream.
fn streamed(cost: &Value) -> Answer {
    let chunk = |choices: Value| json!({"id": "up-1", "model": "m", "choices": choices});
    let mut last = chunk(json!([]));
    last["usage"] = usage(cost);
    Answer::stream()
        .data(&chunk(json!([{"index": 0, "delta": {"content": "hi"}}])))
        .data(&chunk(
            json!([{"index": 0, "delta": {}, "finish_reason": "stop"}]),
        ))
        .data(&last)
        .done()
}

/// What was booked by the provider's word, and what the customer paid.
fn booked(played: &Played) -> (i64, i64) {
    let facts = played.booked.facts.as_ref().unwrap();
    (facts.told_cost, played.harness.spent())
}

fn is_noted(played: &Played) -> bool {
    let alarms = &played.harness.gateway().alarms;
    alarms.active(Kind::CostNotBelieved) > 0
}

#[tokio::test(start_paused = true)]
async fn what_a_gateway_says_that_a_call_cost_is_its_charge_and_the_customer_pays_ours() {
    for (cost, nanos) in [
        (json!({"cost": 0.0000095}), 9_500),
        (json!({"cost": 1.5e-5}), 15_000),
        (
            json!({"cost": 7e-7, "is_byok": true,
                "cost_details": {"upstream_inference_cost": 0.0000133}}),
            14_000,
        ),
        (json!({"cost_in_usd_ticks": 123_456}), 12_346),
        (json!({"cost": {"total_cost": 0.005}}), 5_000_000),
    ] {
        for played in [
            tells(play_whole()).one(whole(&cost)),
            tells(play()).one(streamed(&cost)),
        ] {
            let played = played.check("settled 10/2; customer pays one").await;
            assert_eq!(booked(&played), (nanos, WORTH), "{cost}");
            let metrics = &played.harness.target("one").metrics;
            let counted = metrics.cost_nanos.load(Relaxed);
            assert_eq!(i64::try_from(counted).unwrap(), nanos, "{cost}");
            assert!(!is_noted(&played), "{cost}");
            // The customer is told nothing of it.
            let body = &played.got.body;
            assert!(body.contains("\"cost\":0.000014"), "{body}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_cost_that_cannot_be_true_is_not_believed_and_told_to_the_operator() {
    for (cost, is_told) in [
        (json!({"cost": 10}), true),
        (json!({"cost": 0.0000000001}), true),
        (json!({"cost": -0.1}), true),
        (json!({"cost": "0.00001"}), true),
        (json!({"cost": 0}), false),
        (json!({}), false),
    ] {
        let played = tells(play_whole())
            .one(whole(&cost))
            .check("settled 10/2; customer pays one")
            .await;
        assert_eq!(booked(&played), (0, WORTH), "{cost}");
        assert_eq!(is_noted(&played), is_told, "{cost}");
    }
}

#[tokio::test(start_paused = true)]
async fn who_is_not_known_to_tell_dollars_is_not_asked() {
    let played = play_whole()
        .one(whole(&json!({"cost": 0.0000095})))
        .check("settled 10/2; customer pays one")
        .await;
    assert_eq!(booked(&played), (0, WORTH));
    assert!(!is_noted(&played));
}

#[tokio::test(start_paused = true)]
async fn what_a_failed_answer_cost_is_the_houses_by_the_providers_word() {
    let failed = Answer::reply(&json!({
        "id": "up-whole",
        "choices": [{"index": 0, "finish_reason": "error",
            "message": {"role": "assistant", "content": "h"}}],
        "usage": usage(&json!({"cost": 0.000009})),
    }));
    let played = tells(play_whole())
        .one(failed)
        .check("void NothingDelivered; house pays one")
        .await;
    assert_eq!(booked(&played), (9_000, 0));
}

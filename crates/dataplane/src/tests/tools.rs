//! Answers that call tools: what is found of them, counted and remembered.

use std::sync::atomic::Ordering::Relaxed;

use bourse_vocab::{Format, Quality};
use bourse_wire::tool_calls::Verdict;
use serde_json::{Value, json};

use super::harness::{Play, play, play_whole};
use super::script::Answer;
use crate::bodies::Room;
use crate::tools::TOOLS_BYTES_MAX;

/// One tool, which wants a city.
fn tools() -> Value {
    json!([{"type": "function", "function": {"name": "look_up", "parameters": {
        "type": "object", "required": ["city"],
        "properties": {"city": {"type": "string"}}, "additionalProperties": false}}}])
}

fn chunk(delta: &Value, finish: Option<&str>) -> Value {
    json!({"id": "up-1", "choices": [{"index": 0, "delta": delta, "finish_reason": finish}]})
}

/// A stream that calls a tool, its arguments letter by letter.
fn streams(name: &str, arguments: &str, finish: &str) -> Answer {
    let begin = json!({"role": "assistant", "tool_calls": [{"index": 0, "id": "c",
        "type": "function", "function": {"name": name, "arguments": ""}}]});
    let mut answer = Answer::stream().data(&chunk(&begin, None));
    for letter in arguments.chars() {
        let more = json!({"tool_calls": [{"index": 0,
            "function": {"arguments": letter.to_string()}}]});
        answer = answer.data(&chunk(&more, None));
    }
    answer
        .data(&chunk(&json!({}), Some(finish)))
        .usage(10, 2)
        .done()
}

/// A whole answer that does.
fn replies(name: &str, arguments: &str, finish: &str) -> Answer {
    let call = json!({"id": "c", "type": "function",
        "function": {"name": name, "arguments": arguments}});
    Answer::reply(&json!({
        "id": "up-1",
        "choices": [{"index": 0, "finish_reason": finish,
            "message": {"role": "assistant", "content": null, "tool_calls": [call]}}],
        "usage": {"prompt_tokens": 10, "completion_tokens": 2, "total_tokens": 12},
    }))
}

/// The same stream from a provider that speaks Anthropic's format.
fn streams_messages(name: &str, arguments: &str) -> Answer {
    let message = json!({"id": "up-1", "type": "message", "role": "assistant", "model": "m",
        "content": [], "usage": {"input_tokens": 10, "output_tokens": 1}});
    let mut answer = Answer::stream()
        .speaking(Format::Anthropic)
        .event(&json!({"type": "message_start", "message": message}))
        .event(
            &json!({"type": "content_block_start", "index": 0, "content_block":
            {"type": "tool_use", "id": "c", "name": name, "input": {}}}),
        );
    for letter in arguments.chars() {
        answer = answer.event(&json!({"type": "content_block_delta", "index": 0,
            "delta": {"type": "input_json_delta", "partial_json": letter.to_string()}}));
    }
    answer
        .event(&json!({"type": "content_block_stop", "index": 0}))
        .event(
            &json!({"type": "message_delta", "delta": {"stop_reason": "tool_use"},
            "usage": {"output_tokens": 2}}),
        )
        .event(&json!({"type": "message_stop"}))
}

/// How many of each verdict, calls and bad ones in the record, what was wrong.
async fn seen(play: Play) -> ([u64; 5], (u64, u64, u8)) {
    let harness = play.harness().await;
    let (target, clock) = (harness.target("one"), harness.gateway().clock);
    let played = harness.play(&play).await;
    assert_eq!(played.booked.end, "settled 10/2; customer pays one");
    let facts = played.booked.facts.unwrap();
    let verdicts = target
        .metrics
        .verdicts
        .each_ref()
        .map(|count| count.load(Relaxed));
    let of_late = target.metrics.tools.of_late(clock.now_ms());
    let judged: u64 = verdicts.iter().take(4).sum();
    assert_eq!(of_late.all, judged.min(1), "counted by answer");
    assert_eq!(of_late.bad > 0, facts.tools.1 > 0);
    (verdicts, facts.tools)
}

/// What is wrong, where it is found, and the bit of it in a record.
const CASES: [(&str, &str, Verdict, u8); 5] = [
    (
        "look_up",
        r#"{"city":"Bonn \u00e9 \"x\""}"#,
        Verdict::Fits,
        0,
    ),
    ("look_up", r#"{"city":"Bonn""#, Verdict::InvalidJson, 1),
    ("lookup", r#"{"city":"Bonn"}"#, Verdict::UnknownName, 2),
    ("look_up", r#"{"town":"Bonn"}"#, Verdict::SchemaMismatch, 4),
    ("look_up", "", Verdict::SchemaMismatch, 4),
];

#[tokio::test(start_paused = true)]
async fn a_call_is_judged_alike_where_bytes_pass_and_where_they_are_translated() {
    for (name, arguments, verdict, bit) in CASES {
        let asks = |play: Play| play.member("tools", tools());
        for play in [
            asks(play()).one(streams(name, arguments, "tool_calls")),
            asks(play_whole()).one(replies(name, arguments, "tool_calls")),
            asks(play())
                .setup(|setup| setup.format = Format::Anthropic)
                .one(streams_messages(name, arguments)),
        ] {
            let (verdicts, remembered) = seen(play).await;
            let mut expected = [0; 5];
            expected[verdict as usize] = 1;
            assert_eq!(verdicts, expected, "{name} {arguments}");
            assert_eq!(
                remembered,
                (1, u64::from(bit > 0), bit),
                "{name} {arguments}"
            );
        }
    }
}

#[tokio::test(start_paused = true)]
async fn what_was_cut_off_and_what_calls_nothing_is_not_judged() {
    for play in [
        play().one(streams("look_up", r#"{"city":"#, "length")),
        play_whole().one(replies("look_up", r#"{"city":"#, "length")),
        play().one(Answer::good()),
        play_whole().one(Answer::whole()),
    ] {
        let play = play.member("tools", tools());
        assert_eq!(seen(play).await, ([0; 5], (0, 0, 0)));
    }
}

/// A caller that sends no tools, and is answered with a call all the same.
#[tokio::test(start_paused = true)]
async fn calls_of_tools_that_nobody_kept_are_counted_and_not_judged() {
    let play = play().one(streams("look_up", "{", "tool_calls"));
    assert_eq!(seen(play).await, ([0, 0, 0, 0, 1], (1, 0, 0)));
}

#[tokio::test(start_paused = true)]
async fn a_call_without_room_for_its_tools_is_answered_like_any_other() {
    let play = play()
        .member("tools", tools())
        .one(streams("look_up", "{", "tool_calls"));
    let harness = play.harness().await;
    let tools = std::sync::Arc::clone(&harness.gateway().tools);
    let mut room = Room::begin(&tools);
    // One byte too many: all of it is taken.
    let _ = room.grow(TOOLS_BYTES_MAX);
    let played = harness.play(&play).await;
    assert_eq!(played.booked.end, "settled 10/2; customer pays one");
    assert_eq!(played.booked.facts.unwrap().tools, (1, 0, 0));
    drop(room);
    assert_eq!(tools.used(), 0, "nothing is kept after the end");
}

#[tokio::test(start_paused = true)]
async fn the_record_says_what_the_endpoint_was_held_to_be() {
    for (play, expected) in [
        (play(), None),
        (play().member("tools", tools()), Some(Quality::Careless)),
    ] {
        let play = play.one(Answer::good());
        let harness = play.harness().await;
        harness.target("one").metrics.is_rated(Quality::Careless);
        let market = harness.gateway().market.load_full();
        let model = harness.target("one").model;
        // Rated a moment ago, so that what it is held to be stays.
        assert!(market.is_due_for_rating(model, harness.gateway().clock.now_ms()));
        let played = harness.play(&play).await;
        assert_eq!(played.booked.facts.unwrap().quality, expected);
    }
}

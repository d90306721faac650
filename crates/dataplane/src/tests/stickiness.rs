//! Conversations stay where their prompts are cached, if that is known, and as
//! long as it is any use.

use serde_json::{Value, json};

use super::harness::{Harness, Play, play_whole, secs};
use super::script::Answer;

/// Calls that would all go to the dearer of two once in 10^20 times, were they
/// spread by price.
const MANY: usize = 20;

/// A whole answer, of whose prompt so many tokens were in the cache.
fn answer(cached: u64) -> Answer {
    Answer::reply(&json!({
        "id": "up-whole",
        "choices": [{"index": 0, "finish_reason": "stop",
            "message": {"role": "assistant", "content": "hi"}}],
        "usage": {"prompt_tokens": 10, "completion_tokens": 2, "total_tokens": 12,
            "prompt_tokens_details": {"cached_tokens": cached}},
    }))
}

/// A call of a conversation that was begun so and has so many turns by now.
fn turn(opener: &str, turns: usize) -> Play {
    let mut messages = vec![
        json!({"role": "system", "content": "You help."}),
        json!({"role": "user", "content": opener}),
    ];
    for _ in 0..turns {
        messages.push(json!({"role": "assistant", "content": "hi"}));
        messages.push(json!({"role": "user", "content": "and then?"}));
    }
    play_whole()
        .member("messages", Value::Array(messages))
        .setup(|setup| setup.caches = true)
}

/// The dearer of two has answered the first call of a conversation.
async fn begun(cached: u64) -> Harness {
    let first = turn("Hello", 0).two(answer(cached)).in_any_order();
    let harness = first.harness().await;
    assert_eq!(harness.ask(&first).await.status, 200);
    harness
}

/// Who is asked by many later calls.
async fn asked(harness: &Harness, call: impl Fn(usize) -> Play) -> Vec<String> {
    let before = harness.script.called().len();
    for turns in 1..=MANY {
        let call = call(turns);
        call.answers_on(harness);
        assert_eq!(harness.ask(&call).await.status, 200);
    }
    harness.script.called().split_off(before)
}

fn either(opener: &str, turns: usize) -> Play {
    turn(opener, turns)
        .one(answer(0))
        .two(answer(0))
        .in_any_order()
}

#[tokio::test(start_paused = true)]
async fn a_conversation_goes_where_its_prompt_is_cached_however_long_it_grows() {
    let harness = begun(8).await;
    let stayed = asked(&harness, |turns| either("Hello", turns)).await;
    assert_eq!(stayed, ["two"; MANY]);
    // Others are spread as ever.
    let other = asked(&harness, |turns| either("Good evening", turns)).await;
    assert!(other.iter().any(|who| who == "one"), "{other:?}");
}

#[tokio::test(start_paused = true)]
async fn without_a_cached_token_no_conversation_stays_anywhere() {
    let harness = begun(0).await;
    let spread = asked(&harness, |turns| either("Hello", turns)).await;
    assert!(spread.iter().any(|who| who == "one"), "{spread:?}");
}

#[tokio::test(start_paused = true)]
async fn a_conversation_stays_for_ten_minutes_after_its_last_call() {
    let harness = begun(8).await;
    tokio::time::advance(secs(599)).await;
    let stayed = asked(&harness, |turns| either("Hello", turns)).await;
    assert_eq!(stayed, ["two"; MANY]);
    tokio::time::advance(secs(599)).await;
    let stayed = asked(&harness, |turns| either("Hello", turns)).await;
    assert_eq!(stayed, ["two"; MANY]);
    tokio::time::advance(secs(600)).await;
    let spread = asked(&harness, |turns| either("Hello", turns)).await;
    assert!(spread.iter().any(|who| who == "one"), "{spread:?}");
}

#[tokio::test(start_paused = true)]
async fn the_callers_own_order_counts_more_than_where_a_conversation_was() {
    let harness = begun(8).await;
    let ordered = |turns| turn("Hello", turns).one(answer(0)).two(answer(0));
    assert_eq!(asked(&harness, ordered).await, ["one"; MANY]);
    // Nor does it move the conversation.
    let stayed = asked(&harness, |turns| either("Hello", turns)).await;
    assert_eq!(stayed, ["two"; MANY]);
}

#[tokio::test(start_paused = true)]
async fn who_is_at_a_limit_is_not_waited_for_and_has_the_conversation_back_later() {
    let harness = begun(8).await;
    let limited = Answer::status(429).header("retry-after", "30");
    let refused = turn("Hello", 1).one(answer(0)).two(limited).in_any_order();
    refused.answers_on(&harness);
    assert_eq!(harness.ask(&refused).await.status, 200);
    assert_eq!(harness.script.called(), ["two", "two", "one"]);
    let elsewhere = asked(&harness, |turns| either("Hello", turns)).await;
    assert_eq!(elsewhere, ["one"; MANY]);
    tokio::time::advance(secs(60)).await;
    let back = asked(&harness, |turns| either("Hello", turns)).await;
    assert_eq!(back, ["two"; MANY]);
}

#[tokio::test(start_paused = true)]
async fn where_a_cache_saves_nothing_no_conversation_stays() {
    let dear = |play: Play| play.setup(|setup| setup.caches = false);
    let first = dear(turn("Hello", 0)).two(answer(8)).in_any_order();
    let harness = first.harness().await;
    harness.ask(&first).await;
    let spread = asked(&harness, |turns| either("Hello", turns)).await;
    assert!(spread.iter().any(|who| who == "one"), "{spread:?}");
}

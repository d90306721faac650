//! Who is tried, when, and who must rest.

use bourse_net::NetErrorKind;
use bourse_routing::plan::ATTEMPTS_MAX;

use serde_json::json;

use super::harness::{Play, ms, play, play_whole, secs};
use super::script::Answer;

#[tokio::test(start_paused = true)]
async fn a_failure_goes_to_the_next_target_at_once() {
    for first in [
        Answer::status(408),
        Answer::status(429),
        Answer::status(500),
        Answer::status(502),
        Answer::status(503),
        Answer::status(529),
        Answer::unreachable(NetErrorKind::Resolve),
        Answer::unreachable(NetErrorKind::Exhausted),
        Answer::stream().error_event(),
    ] {
        let played = play().one(first).two(Answer::good()).play().await;
        assert_eq!(played.got.text(), "hi");
        assert_eq!(played.got.at, ms(0), "without a wait");
        assert_eq!(played.harness.script.called(), ["one", "two"]);
    }
}

#[tokio::test(start_paused = true)]
async fn a_whole_answer_without_content_and_without_a_finish_is_none() {
    let empty = |finish: &str| {
        Answer::reply(&serde_json::json!({
            "id": "up-empty",
            "choices": [{"index": 0, "finish_reason": (!finish.is_empty()).then_some(finish),
                "message": {"role": "assistant", "content": ""}}],
            "usage": {"prompt_tokens": 10, "completion_tokens": 0, "total_tokens": 10},
        }))
    };
    let played = play_whole()
        .one(empty(""))
        .two(Answer::whole())
        .check("settled 10/2; customer pays two; possible one")
        .await;
    assert_eq!(played.got.status, 200);
    let alone = play_whole().one(empty("")).play().await;
    assert_eq!(alone.got.status, 502);
    // A filter may have emptied it, and says so.
    let filtered = play_whole()
        .one(empty("content_filter"))
        .two(Answer::whole())
        .play()
        .await;
    assert_eq!(filtered.got.status, 200);
    assert_eq!(filtered.harness.script.called(), ["one"]);
}

#[tokio::test(start_paused = true)]
async fn a_mistake_of_the_callers_is_not_tried_elsewhere() {
    for status in [400, 422] {
        let played = play()
            .one(Answer::status(status))
            .two(Answer::good())
            .check("void AttemptsFailed")
            .await;
        assert_eq!(played.harness.script.called(), ["one"]);
        assert_eq!(played.got.status, status);
    }
}

#[tokio::test(start_paused = true)]
async fn the_last_healthy_target_is_tried_twice() {
    let played = play()
        .provider("one", [Answer::status(503), Answer::good()])
        .check("settled 10/2; customer pays one")
        .await;
    assert_eq!(played.harness.script.called(), ["one", "one"]);
    assert_eq!(played.harness.attempts("one"), [1, 1, 0, 0]);
}

#[tokio::test(start_paused = true)]
async fn attempts_are_bounded() {
    let played = play()
        .one(Answer::status(503))
        .two(Answer::status(503))
        .three(Answer::status(503))
        .check("void AttemptsFailed")
        .await;
    assert!(played.harness.script.called().len() <= ATTEMPTS_MAX as usize);
    assert_eq!(played.got.error(), Some(503));
}

#[tokio::test(start_paused = true)]
async fn a_rate_limit_is_obeyed_to_the_millisecond() {
    for (name, value, rest) in [
        ("retry-after", "7", secs(7)),
        ("retry-after-ms", "1500", ms(1_500)),
        // NOW is 12:00 of that day.
        // What a limit says of itself counts where there is nothing else.
        ("x-ratelimit-reset-requests", "2m0.5s", ms(120_500)),
        ("retry-after", "Sat, 21 Nov 2026 12:01:00 GMT", secs(60)),
        // More than five minutes are believed of nobody.
        ("retry-after", "86400", secs(300)),
    ] {
        let limited = Answer::status(429)
            .header("x-ratelimit-remaining-requests", "0")
            .header(name, value);
        let play = play().provider("one", [limited, Answer::good()]);
        let harness = play.harness().await;
        assert_eq!(harness.ask(&play).await.status, 429, "{value}");
        let got = harness.ask(&play).await;
        assert_eq!(got.status, 429, "{value}: nobody is called");
        let seconds = rest.as_millis().div_ceil(1_000).to_string();
        assert_eq!(got.retry_after, Some(seconds), "{value}");
        assert_eq!(harness.script.called().len(), 1);
        tokio::time::advance(rest - ms(1)).await;
        assert_eq!(harness.ask(&play).await.status, 429, "{value}");
        tokio::time::advance(ms(1)).await;
        assert_eq!(harness.ask(&play).await.text(), "hi", "{value}");
    }
}

/// What a caller is told to wait whose call has failed.
async fn told(play: Play) -> Option<String> {
    play.harness().await.ask(&play).await.retry_after
}

#[tokio::test(start_paused = true)]
async fn a_caller_is_told_to_wait_by_whatever_form_a_provider_says_it_in() {
    let said =
        |message: &str| json!({"error": {"message": message, "code": "rate_limit_exceeded"}});
    for (body, seconds) in [
        (said("Please try again in 2.5s. Visit x"), "3"),
        (said("Please try again in 1m0.36s."), "61"),
        (said("Please retry after 26 seconds."), "26"),
        (said("Please try again in 9h"), "300"),
        (
            json!([{"error": {"code": 429, "status": "RESOURCE_EXHAUSTED",
                "details": [{"retryDelay": "12.5s"}]}}]),
            "13",
        ),
        (json!({"error": {"message": "no", "retry_after": 0}}), "1"),
    ] {
        let play = play().one(Answer::error(429, &body));
        assert_eq!(told(play).await.as_deref(), Some(seconds), "{body}");
    }
    let past = "Thu, 01 Jan 1970 00:00:00 GMT";
    for (name, value, seconds) in [
        ("retry-after", past, "1"),
        ("x-ratelimit-reset", "1795262460000", "60"),
        ("x-ratelimit-reset", "86400", "300"),
    ] {
        let limited = Answer::error(429, &said("Please try again in 9s."))
            .header("x-ratelimit-remaining", "0")
            .header(name, value);
        let told = told(play().one(limited)).await;
        assert_eq!(told.as_deref(), Some(seconds), "{name}: {value}");
    }
    assert_eq!(told(play().one(Answer::status(429))).await, None);
}

#[tokio::test(start_paused = true)]
async fn where_the_last_says_nothing_the_first_that_will_be_back_is_named() {
    let limited = |seconds: &str| Answer::status(429).header("retry-after", seconds);
    let play = play()
        .one(limited("40"))
        .two(limited("20"))
        .three(Answer::status(503));
    assert_eq!(told(play).await.as_deref(), Some("20"));
}

#[tokio::test(start_paused = true)]
async fn others_serve_while_one_rests() {
    let play = play()
        .one(Answer::status(429).header("retry-after", "30"))
        .two(Answer::good());
    let harness = play.harness().await;
    for _ in 0..3 {
        assert_eq!(harness.ask(&play).await.text(), "hi");
    }
    assert_eq!(harness.script.called(), ["one", "two", "two", "two"]);
    assert_eq!(harness.attempts("one"), [0, 0, 1, 0]);
}

#[tokio::test(start_paused = true)]
async fn an_endpoint_that_failed_is_tried_last_for_half_a_minute() {
    let play = play()
        .provider("one", [Answer::status(500), Answer::good()])
        .two(Answer::good())
        .member("provider", "replaced");
    let harness = play.harness().await;
    harness.ask(&play).await;
    assert_eq!(harness.script.called(), ["one", "two"]);
    assert!(
        harness
            .target("one")
            .health
            .is_unstable(super::harness::NOW)
    );
    let later = super::harness::NOW + 30_000;
    assert!(!harness.target("one").health.is_unstable(later));
}

#[tokio::test(start_paused = true)]
async fn a_slow_first_target_is_not_hedged() {
    // Nobody else is asked while one still may answer.
    let played = play()
        .one(Answer::good().head_after(secs(29)))
        .two(Answer::good())
        .check("settled 10/2; customer pays one")
        .await;
    assert_eq!(played.harness.script.called(), ["one"]);
}

#[tokio::test(start_paused = true)]
async fn the_failures_before_the_last_are_told() {
    let played = play_whole()
        .one(Answer::status(500))
        .two(Answer::status(400))
        .check("void AttemptsFailed")
        .await;
    assert!(
        played.got.body.contains("previous_errors"),
        "{}",
        played.got.body
    );
}

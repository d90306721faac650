//! Every row of the table of who pays, by a call that ends so.

use bourse_net::NetErrorKind;
use bourse_routing::bucket::Bucket;
use bourse_routing::classes::Place;
use bourse_routing::health::Outcome;
use bourse_vocab::{Failure, FailureKind};
use serde_json::json;

use super::harness::{ms, play, play_whole, secs};
use super::script::{Answer, Fate};

#[tokio::test(start_paused = true)]
async fn a_whole_stream_with_usage_is_paid_as_reported() {
    let played = play()
        .one(Answer::good())
        .check("settled 10/2; customer pays one")
        .await;
    assert_eq!(played.got.text(), "hi");
    assert!(played.got.is_done());
    assert_eq!(played.harness.attempts("one"), [1, 0, 0, 0]);
}

#[tokio::test(start_paused = true)]
async fn a_whole_reply_with_usage_is_paid_as_reported() {
    let played = play_whole()
        .one(Answer::whole())
        .check("settled 10/2; customer pays one")
        .await;
    assert_eq!(played.got.status, 200);
    assert_eq!(played.harness.script.fate(), Fate::Answered);
}

#[tokio::test(start_paused = true)]
async fn a_stream_without_usage_is_paid_as_counted_here() {
    play()
        .one(Answer::stream().text("one ").text("two").finish().done())
        .check("settled ~/2; customer pays one")
        .await;
}

#[tokio::test(start_paused = true)]
async fn a_reply_without_usage_is_paid_as_counted_here() {
    let reply = json!({"choices": [{"index": 0, "finish_reason": "stop",
        "message": {"role": "assistant", "content": "eight by"}}]});
    play_whole()
        .one(Answer::reply(&reply))
        .check("settled ~/2; customer pays one")
        .await;
}

#[tokio::test(start_paused = true)]
async fn an_absurd_usage_is_not_believed() {
    let played = play()
        .one(
            Answer::stream()
                .text("one ")
                .text("two")
                .finish()
                .usage(10, 900_000_000)
                .done(),
        )
        .check("settled ~/2; customer pays one")
        .await;
    assert!(played.booked.facts.unwrap().estimated);
}

#[tokio::test(start_paused = true)]
async fn a_counter_that_stands_still_does_not_make_an_answer_free() {
    play()
        .one(
            Answer::stream()
                .text("one ")
                .text("two")
                .finish()
                .usage(0, 0)
                .done(),
        )
        .check("settled ~/2; customer pays one")
        .await;
}

#[tokio::test(start_paused = true)]
async fn an_error_as_the_reason_is_the_houses() {
    let played = play()
        .one(
            Answer::stream()
                .text("hi")
                .finish_as("error")
                .usage(10, 2)
                .done(),
        )
        .check("void NothingDelivered; house pays one")
        .await;
    assert_eq!(played.harness.attempts("one"), [0, 1, 0, 0]);
    assert_eq!(played.harness.failures(), [0, 1, 0]);
}

#[tokio::test(start_paused = true)]
async fn a_stream_that_breaks_is_paid_as_far_as_it_came() {
    let played = play()
        .one(
            Answer::stream()
                .text("one ")
                .wait(secs(1))
                .text("two")
                .cut(),
        )
        .two(Answer::good())
        .check("settled ~/2; customer pays one")
        .await;
    assert!(!played.got.is_done());
    assert_eq!(played.got.error(), Some(502));
    assert_eq!(played.got.text(), "one two");
    assert_eq!(played.harness.script.called(), ["one"]);
}

#[tokio::test(start_paused = true)]
async fn an_error_event_after_content_breaks_the_stream() {
    let played = play()
        .one(Answer::stream().text("hi").error_event())
        .check("settled ~/1; customer pays one")
        .await;
    assert!(played.got.error().is_some());
}

#[tokio::test(start_paused = true)]
async fn a_stream_that_outgrows_the_money_is_paid_as_far_as_it_came() {
    // The hold is a thousand output tokens at first, of 2,000 nano-dollars
    // each, and the provider does not care.
    let long = "x".repeat(4_096);
    // Each piece is 1,024 tokens; what has reached the client when the money
    // is looked at next is the house's.
    let played = play()
        .member("max_tokens", 1_000)
        .setup(|setup| setup.credit = 9_000_000)
        .one(
            Answer::stream()
                .times(8, |answer| answer.text(&long).wait(ms(10)))
                .hang(),
        )
        .check("settled ~/5120; short; customer pays one")
        .await;
    assert_eq!(played.got.error(), Some(402));
    assert_eq!(played.harness.script.fate(), Fate::Dropped, "cancelled");
    assert_eq!(
        played.harness.attempts("one"),
        [0, 0, 0, 1],
        "not its fault"
    );
    assert_eq!(played.harness.failures(), [1, 0, 0]);
}

#[tokio::test(start_paused = true)]
async fn an_attempt_that_is_refused_costs_nothing() {
    let played = play()
        .one(Answer::status(400))
        .check("void AttemptsFailed")
        .await;
    assert_eq!(played.got.status, 400);
    assert_eq!(played.harness.failures(), [1, 0, 0]);
}

#[tokio::test(start_paused = true)]
async fn an_attempt_that_reaches_nobody_costs_nothing() {
    let played = play()
        .one(Answer::unreachable(NetErrorKind::Connect))
        .check("void AttemptsFailed")
        .await;
    assert_eq!(played.got.status, 502);
}

#[tokio::test(start_paused = true)]
async fn an_attempt_that_falls_silent_stays_a_question() {
    let played = play()
        .one(Answer::silent())
        .check("void AttemptsFailed; possible one")
        .await;
    assert_eq!(played.got.error(), Some(504));
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_breaks_before_content_stays_a_question() {
    for answer in [Answer::stream().role().cut(), Answer::stream().role()] {
        // The last healthy target is tried twice.
        play()
            .one(answer)
            .check("void AttemptsFailed; possible one; possible one")
            .await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_whole_answer_that_breaks_stays_a_question() {
    let played = play_whole()
        .provider("one", [Answer::status(200).cut(), Answer::status(400)])
        .check("void AttemptsFailed; possible one")
        .await;
    assert_eq!(played.got.status, 400);
    assert_eq!(played.harness.script.called(), ["one", "one"]);
}

#[tokio::test(start_paused = true)]
async fn leaving_before_any_sign_is_a_question_and_free() {
    let played = play()
        .one(Answer::silent())
        .leaves(secs(3))
        .check("void CallerLeft; possible one")
        .await;
    assert_eq!(played.harness.script.fate(), Fate::Dropped);
    assert_eq!(played.harness.attempts("one"), [0, 0, 0, 1]);
    assert_eq!(played.harness.failures(), [0, 0, 0], "nobody saw it fail");
}

#[tokio::test(start_paused = true)]
async fn leaving_a_provider_that_has_begun_is_paid_for_input_and_thought() {
    for answer in [Answer::stream().hang(), Answer::stream().role().hang()] {
        // Two and a half seconds of thinking, at fifty tokens a second.
        let played = play()
            .one(answer.clone())
            .leaves(secs(3))
            .check("settled ~/125; customer pays one; possible one")
            .await;
        assert_eq!(played.harness.script.fate(), Fate::Dropped);
        assert_eq!(played.harness.attempts("one"), [0, 0, 0, 1]);
        // Who does not let it think pays for the input only.
        play()
            .member("reasoning", json!({"enabled": false}))
            .one(answer)
            .leaves(secs(3))
            .check("settled ~/0; customer pays one; possible one")
            .await;
    }
}

#[tokio::test(start_paused = true)]
async fn leaving_midway_is_paid_as_far_as_it_came() {
    let played = play()
        .one(
            Answer::stream()
                .text("one ")
                .wait(secs(1))
                .text("two")
                .hang(),
        )
        .leaves(secs(3))
        .check("settled ~/2; customer pays one; possible one")
        .await;
    assert_eq!(played.harness.script.fate(), Fate::Dropped);
    assert!(played.booked.facts.unwrap().cancelled);
}

#[tokio::test(start_paused = true)]
async fn leaving_a_provider_that_bills_to_the_end_is_paid_as_reported() {
    let played = play()
        .drains()
        .one(
            Answer::stream()
                .text("one ")
                .wait(secs(10))
                .text("two")
                .finish()
                .usage(10, 2)
                .done(),
        )
        .leaves(secs(1))
        .check("settled 10/2; customer pays one")
        .await;
    assert_eq!(played.harness.script.fate(), Fate::Answered);
    assert!(played.booked.facts.unwrap().cancelled);
}

#[tokio::test(start_paused = true)]
async fn a_drain_that_learns_no_usage_is_paid_as_counted_and_stays_a_question() {
    for rest in [Answer::hang as fn(Answer) -> Answer, Answer::cut] {
        let answer = Answer::stream().text("one ").wait(secs(10)).text("two");
        play()
            .drains()
            .one(rest(answer))
            .leaves(secs(1))
            .check("settled ~/2; customer pays one; possible one")
            .await;
    }
}

#[tokio::test(start_paused = true)]
async fn what_nobody_may_be_called_for_costs_nothing() {
    let play = play().one(Answer::good());
    let harness = play.harness().await;
    let health = std::sync::Arc::clone(&harness.target("one").health);
    // The key is told to rest after the plan was made: by another call, while
    // this one waits for its turn.
    let limited = Failure::new(FailureKind::RateLimited, "slow down").retry_after(secs(7));
    let rest = Outcome::of(&limited, Place::Sent);
    let ticket = health.enter(Bucket::default(), super::harness::NOW, true);
    ticket.unwrap().end(super::harness::NOW, rest, 0.5);
    let got = harness.ask(&play).await;
    assert_eq!(got.status, 429);
    assert_eq!(harness.booked().await.holds, [0_i64; 0], "not even a hold");
}

#[tokio::test(start_paused = true)]
async fn failed_attempts_before_the_answer_cost_the_customer_nothing() {
    for (first, expected) in [
        (Answer::status(500), "settled 10/2; customer pays two"),
        (
            Answer::unreachable(NetErrorKind::Tls),
            "settled 10/2; customer pays two",
        ),
        (
            Answer::silent(),
            "settled 10/2; customer pays two; possible one",
        ),
        (
            Answer::stream().role().cut(),
            "settled 10/2; customer pays two; possible one",
        ),
    ] {
        let played = play().one(first).two(Answer::good()).check(expected).await;
        assert_eq!(played.booked.dispatched, ["two"]);
        assert_eq!(played.got.text(), "hi");
    }
}

#[tokio::test(start_paused = true)]
async fn attempts_that_all_may_have_run_are_all_questions() {
    play()
        .one(Answer::silent())
        .two(Answer::status(500))
        .three(Answer::silent())
        .check("void AttemptsFailed; possible one; possible three")
        .await;
}

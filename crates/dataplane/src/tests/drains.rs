//! Answers that are read on after their client has left: bounded in number
//! and in time.

use bourse_vocab::Nanos;

use super::harness::{ms, play, play_whole, secs};
use super::script::{Answer, Fate};
use crate::unknown::OF_KEY_MAX;

/// As `Deadlines::default()` has it.
const DRAIN: std::time::Duration = secs(120);

#[tokio::test(start_paused = true)]
async fn a_drain_is_counted_while_it_runs() {
    let play = play()
        .drains()
        .one(
            Answer::stream()
                .text("hi")
                .wait(secs(9))
                .finish()
                .usage(10, 2)
                .done(),
        )
        .leaves(secs(1));
    let harness = play.harness().await;
    harness.ask(&play).await;
    assert_eq!(harness.gateway().drains.running(), 1);
    assert!(harness.held() > 0, "not settled yet");
    harness.gateway().drains.all_ended().await;
    assert_eq!(harness.elapsed(), secs(9));
    assert_eq!(harness.booked_now().end, "settled 10/2; customer pays one");
}

#[tokio::test(start_paused = true)]
async fn a_drain_ends_at_its_deadline() {
    let word = |answer: Answer| answer.text("word").wait(secs(10));
    let play = play()
        .drains()
        .one(Answer::stream().times(100, word))
        .leaves(secs(1));
    let harness = play.harness().await;
    harness.ask(&play).await;
    harness.gateway().drains.all_ended().await;
    assert_eq!(harness.elapsed(), secs(1) + DRAIN);
    assert_eq!(
        harness.booked_now().end,
        "settled ~/13; customer pays one; possible one"
    );
    assert_eq!(harness.script.fate(), Fate::Dropped);
}

#[tokio::test(start_paused = true)]
async fn a_drain_before_any_content_ends_at_the_same_deadline() {
    for answer in [Answer::silent(), Answer::stream().role().hang()] {
        let play = play().drains().one(answer).leaves(secs(1));
        let harness = play.harness().await;
        harness.ask(&play).await;
        assert_eq!(harness.gateway().drains.running(), 1);
        harness.gateway().drains.all_ended().await;
        assert!(harness.elapsed() <= secs(1) + DRAIN);
        assert_eq!(
            harness.booked_now().end,
            "void AttemptsFailed; possible one"
        );
        assert_eq!(harness.in_flight(), 0);
    }
}

#[tokio::test(start_paused = true)]
async fn a_search_and_the_answer_it_finds_share_one_deadline() {
    let word = |answer: Answer| answer.text("word").wait(secs(10));
    let answer = Answer::stream().head_after(secs(102)).times(100, word);
    let play = play().drains().one(answer).leaves(secs(1));
    let harness = play.harness().await;
    harness.ask(&play).await;
    harness.gateway().drains.all_ended().await;
    assert_eq!(harness.elapsed(), secs(1) + DRAIN);
    assert_eq!(
        harness.booked_now().end,
        "settled ~/2; customer pays one; possible one"
    );
}

#[tokio::test(start_paused = true)]
async fn beyond_the_bound_a_stream_is_cancelled_and_settled_as_such() {
    let answer = Answer::stream()
        .text("hi")
        .wait(secs(9))
        .finish()
        .usage(10, 2);
    let played = play()
        .drains()
        .setup(|setup| setup.drains_max = 0)
        .one(answer.done())
        .leaves(secs(1))
        .check("settled ~/1; customer pays one; possible one")
        .await;
    assert_eq!(played.harness.script.fate(), Fate::Dropped);
    assert_eq!(played.harness.elapsed(), secs(1));
}

#[tokio::test(start_paused = true)]
async fn beyond_the_bound_a_search_is_cancelled_and_voided() {
    for whole in [false, true] {
        let play = if whole { play_whole() } else { play() };
        let played = play
            .drains()
            .setup(|setup| setup.drains_max = 0)
            .one(Answer::silent())
            .leaves(secs(1))
            .check("void CallerLeft; possible one")
            .await;
        assert_eq!(played.harness.script.fate(), Fate::Dropped);
    }
}

#[tokio::test(start_paused = true)]
async fn beyond_the_bound_whoever_has_left_too_much_calls_nobody() {
    for (left, drains_max, status) in [
        (OF_KEY_MAX, 0, 429),
        (Nanos(OF_KEY_MAX.0 - 1), 0, 200),
        (OF_KEY_MAX, 1, 200),
    ] {
        let play = play()
            .setup(|setup| setup.drains_max = drains_max)
            .one(Answer::good());
        let harness = play.harness().await;
        harness.has_left(left);
        let got = harness.ask(&play).await;
        assert_eq!(got.status, status, "{left:?}, {drains_max}: {}", got.body);
        let asked: u64 = harness.attempts("one").iter().sum();
        assert_eq!(asked, u64::from(status == 200), "{left:?}, {drains_max}");
        if status == 429 {
            assert!(got.body.contains("left before their end"), "{}", got.body);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_place_that_is_given_back_can_be_taken_again() {
    let play = play()
        .drains()
        .setup(|setup| setup.drains_max = 1)
        .one(
            Answer::stream()
                .text("hi")
                .wait(secs(9))
                .finish()
                .usage(10, 2)
                .done(),
        )
        .leaves(secs(1));
    let harness = play.harness().await;
    for _ in 0..3 {
        harness.ask(&play).await;
        assert_eq!(harness.gateway().drains.running(), 1);
        harness.gateway().drains.all_ended().await;
        assert_eq!(harness.script.fate(), Fate::Answered);
    }
}

#[tokio::test(start_paused = true)]
async fn a_client_that_left_is_not_searched_an_answer_for() {
    let played = play()
        .drains()
        .one(Answer::status(500).head_after(secs(5)))
        .two(Answer::good())
        .leaves(secs(1))
        .check("void AttemptsFailed")
        .await;
    assert_eq!(played.harness.script.called(), ["one"]);
}

#[tokio::test(start_paused = true)]
async fn a_client_that_left_is_not_searched_an_answer_for_after_a_break() {
    let played = play()
        .drains()
        .one(Answer::stream().role().wait(secs(5)).cut())
        .two(Answer::good())
        .leaves(secs(1))
        .check("void AttemptsFailed; possible one")
        .await;
    assert_eq!(played.harness.script.called(), ["one"]);
}

#[tokio::test(start_paused = true)]
async fn a_call_that_is_drained_stays_under_way() {
    let play = play()
        .drains()
        .one(
            Answer::stream()
                .text("hi")
                .wait(secs(9))
                .finish()
                .usage(10, 2)
                .done(),
        )
        .leaves(secs(1));
    let harness = play.harness().await;
    harness.ask(&play).await;
    assert_eq!(harness.in_flight(), 1);
    harness.gateway().drains.all_ended().await;
    assert_eq!(harness.in_flight(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_slow_answer_that_is_whole_in_time_is_paid_as_reported() {
    let played = play_whole()
        .drains()
        .one(Answer::whole().head_after(DRAIN))
        .leaves(ms(1))
        .check("settled 10/2; customer pays one")
        .await;
    assert!(played.booked.facts.unwrap().cancelled);
}

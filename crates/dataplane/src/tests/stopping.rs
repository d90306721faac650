//! The server stops: what runs may end; when its time is up, what was
//! delivered is kept, as after a crash.

use std::future::Future;
use std::time::Duration;

use tokio::runtime::{Builder, Runtime};

use super::harness::{Harness, Play, ms, play, play_whole, secs};
use super::script::{Answer, Fate};

/// A worker's runtime, whose end is part of the test.
fn runtime() -> Runtime {
    Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .unwrap()
}

/// Plays until `cut_at`, then cuts off what runs by ending the runtime, as a
/// worker does.
fn cut_off(play: Play, cut_at: Duration) -> Harness {
    let runtime = runtime();
    let harness = runtime.block_on(async {
        let harness = std::sync::Arc::new(play.harness().await);
        let asking = std::sync::Arc::clone(&harness);
        tokio::spawn(async move {
            asking.ask(&play).await;
        });
        tokio::time::sleep(cut_at).await;
        harness.gateway().stopping.cut_off();
        harness
    });
    drop(runtime);
    std::sync::Arc::into_inner(harness).unwrap()
}

#[test]
fn a_stream_that_is_cut_off_is_settled_by_what_was_delivered() {
    let word = |answer: Answer| answer.text("word").wait(secs(1));
    let harness = cut_off(play().one(Answer::stream().times(100, word)), ms(3_500));
    assert_eq!(harness.booked_now().end, "settled ~/4; customer pays one");
    assert_eq!((harness.held(), harness.in_flight()), (0, 0));
    assert_eq!(harness.script.fate(), Fate::Dropped);
}

#[test]
fn a_gentle_stop_keeps_at_least_what_a_crash_would() {
    let word = |answer: Answer| answer.text("word").wait(ms(70));
    for cut_at in (100..2_000).step_by(190) {
        let answer = Answer::stream().times(100, word);
        let harness = cut_off(play().one(answer), ms(cut_at));
        let booked = harness.booked_now();
        let last = booked.checkpoints.last().copied().unwrap_or(0);
        let facts = booked.facts.unwrap();
        assert!(facts.completion >= last, "{} of {last}", facts.completion);
        assert_eq!((facts.finish.as_str(), facts.cancelled), ("error", false));
    }
}

#[test]
fn a_stream_that_has_not_begun_is_voided_and_stays_a_question() {
    for answer in [Answer::silent(), Answer::stream().role().hang()] {
        let harness = cut_off(play().one(answer), secs(2));
        assert_eq!(harness.booked_now().end, "void Restart; possible one");
        assert_eq!(harness.held(), 0);
    }
}

#[test]
fn a_whole_answer_that_is_awaited_is_voided_and_stays_a_question() {
    let harness = cut_off(play_whole().one(Answer::silent()), secs(2));
    assert_eq!(harness.booked_now().end, "void Restart; possible one");
}

#[test]
fn thoughts_out_of_sight_are_settled_as_of_their_last_checkpoint() {
    let think = |answer: Answer| answer.thought("eight by").wait(ms(300));
    let play = play()
        .hides_thoughts()
        .one(Answer::stream().times(100, think));
    let harness = cut_off(play, secs(1));
    let booked = harness.booked_now();
    assert_eq!(booked.end, "settled ~/8; customer pays one");
    assert_eq!(booked.checkpoints, [4, 6, 8]);
}

#[test]
fn a_drain_that_is_cut_off_is_settled_by_what_was_seen() {
    let word = |answer: Answer| answer.text("word").wait(secs(1));
    let play = play()
        .drains()
        .one(Answer::stream().times(100, word))
        .leaves(secs(1));
    let harness = cut_off(play, ms(5_500));
    assert_eq!(
        harness.booked_now().end,
        "settled ~/6; customer pays one; possible one"
    );
    assert_eq!(harness.gateway().drains.running(), 0);
    assert_eq!(harness.in_flight(), 0);
}

#[test]
fn a_search_that_is_drained_and_cut_off_is_voided() {
    let play = play().drains().one(Answer::silent()).leaves(secs(1));
    let harness = cut_off(play, secs(5));
    assert_eq!(
        harness.booked_now().end,
        "void AttemptsFailed; possible one"
    );
}

#[test]
fn no_drain_begins_once_time_is_up() {
    // The client is there to the end: its stream is cut off, not drained.
    let word = |answer: Answer| answer.text("word").wait(secs(1));
    let play = play().drains().one(Answer::stream().times(100, word));
    let harness = cut_off(play, ms(2_500));
    assert_eq!(harness.booked_now().end, "settled ~/3; customer pays one");
    assert_eq!(harness.gateway().drains.running(), 0);
}

#[tokio::test(start_paused = true)]
async fn whoever_stops_gently_waits_for_drains() {
    let play = play()
        .drains()
        .one(
            Answer::stream()
                .text("hi")
                .wait(secs(30))
                .finish()
                .usage(10, 2)
                .done(),
        )
        .leaves(secs(1));
    let harness = play.harness().await;
    harness.ask(&play).await;
    stop(&harness).await;
    assert_eq!(harness.elapsed(), secs(30));
    assert_eq!(harness.booked_now().end, "settled 10/2; customer pays one");
}

/// What a worker does once its connections have ended.
fn stop(harness: &Harness) -> impl Future<Output = ()> {
    harness.gateway().drains.all_ended()
}

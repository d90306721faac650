//! Silence in the middle of an answer: by what is learned of its endpoint's
//! gaps, and as configured where silence may be work.

use std::time::Duration;

use bourse_routing::bucket::Bucket;
use bourse_routing::gaps::{GAPS_MIN, STALL_MS_MIN};
use bourse_routing::health::Outcome;
use bourse_routing::lengths::Thought;
use serde_json::json;

use super::harness::{Got, Harness, NOW, Play, ms, play, secs};
use super::script::Answer;

/// As `Deadlines::default()` has it.
const IDLE: Duration = secs(120);
/// The least that is learned.
const STALL: Duration = ms(STALL_MS_MIN);

/// A call whose model does not think.
fn plain() -> Play {
    play().member("reasoning", json!({"effort": "none"}))
}

/// One that says a word, and then nothing.
fn stalls() -> Answer {
    Answer::stream().text("hi").wait(secs(1)).text("ho").hang()
}

/// Makes the gaps of a provider known.
fn knows(harness: &Harness, gap: Duration) {
    let health = &harness.target("one").health;
    let gap_ms = u64::try_from(gap.as_millis()).unwrap();
    (0..2 * GAPS_MIN).for_each(|_| health.note_gap(gap_ms));
}

/// Makes it known how soon its answers begin where it thinks.
fn thinks_for(harness: &Harness, time: Duration) {
    let health = &harness.target("one").health;
    let sort = Bucket::of(10, Thought::of(None), true);
    for _ in 0..64 {
        let at_ms = NOW + u64::try_from(time.as_millis()).unwrap();
        let mut ticket = health.enter(sort, NOW, true).unwrap();
        ticket.answered(at_ms);
        ticket.end(at_ms, Outcome::Neutral, 0.5);
    }
}

async fn asked(play: &Play, gap: Duration) -> Got {
    let harness = play.harness().await;
    knows(&harness, gap);
    harness.ask(play).await
}

#[tokio::test(start_paused = true)]
async fn a_stream_that_stops_is_given_up_after_the_learned_time() {
    for two in [None, Some(Answer::good())] {
        let mut play = plain().one(stalls());
        if let Some(two) = two {
            play = play.two(two);
        }
        let got = asked(&play, ms(40)).await;
        assert_eq!((got.error(), got.at), (Some(504), secs(1) + STALL));
        assert_eq!(got.text(), "hiho", "and nothing else is shown for it");
    }
}

#[tokio::test(start_paused = true)]
async fn while_too_little_is_known_it_is_waited_for_as_configured() {
    let play = plain().one(stalls());
    let harness = play.harness().await;
    let health = &harness.target("one").health;
    (1..GAPS_MIN).for_each(|_| health.note_gap(40));
    assert_eq!(harness.ask(&play).await.at, secs(1) + IDLE);
}

#[tokio::test(start_paused = true)]
async fn a_slow_and_steady_model_is_not_given_up() {
    let slow = |answer: Answer| answer.text("word ").wait(secs(30));
    let answer = Answer::stream().times(20, slow).finish();
    let play = plain().one(answer.usage(10, 20).done());
    let got = asked(&play, secs(2)).await;
    assert!(got.is_done(), "{:?} after {:?}", got.error(), got.at);
    assert_eq!(got.at, secs(600));
    // Where a model sends forty words a second, nothing is slow before ten
    // seconds.
    let slow = |answer: Answer| answer.text("word ").wait(STALL - ms(1));
    let answer = Answer::stream().times(20, slow).finish();
    let play = plain().one(answer.usage(10, 20).done());
    assert!(asked(&play, ms(25)).await.is_done());
}

#[tokio::test(start_paused = true)]
async fn a_provider_that_says_that_it_works_is_waited_for() {
    let works = |answer: Answer| answer.comment().wait(secs(9));
    let answer = Answer::stream().text("hi").times(40, works);
    let play = plain().one(answer.text(" there").finish().usage(10, 2).done());
    let got = asked(&play, ms(40)).await;
    assert_eq!((got.text().as_str(), got.at), ("hi there", secs(360)));
    assert!(got.is_done());
}

#[tokio::test(start_paused = true)]
async fn a_configured_time_that_is_shorter_counts() {
    let play = plain()
        .setup(|setup| setup.limits.deadlines.idle = secs(3))
        .one(stalls());
    assert_eq!(asked(&play, ms(40)).await.at, secs(1) + secs(3));
}

/// Thoughts are out of sight, and may come in the middle.
#[tokio::test(start_paused = true)]
async fn a_hidden_thought_is_no_stall() {
    let thinks = |time| {
        let answer = Answer::stream().text("hi").wait(time).text(" there");
        play().one(answer.finish().usage(10, 9).done())
    };
    // It begins to answer within 20 s or so, so that a thought may take a
    // minute.
    let late = |play: Play| async move {
        let harness = play.harness().await;
        knows(&harness, ms(40));
        thinks_for(&harness, secs(20));
        harness.ask(&play).await
    };
    let got = late(thinks(secs(60))).await;
    assert!(got.is_done(), "after {:?}", got.at);
    let got = late(thinks(secs(119))).await;
    assert_eq!(got.error(), Some(504));
    assert!(got.at > secs(60) && got.at < secs(65), "{:?}", got.at);
    // Nobody knows how long it thinks.
    assert!(asked(&thinks(IDLE - ms(1)), ms(40)).await.is_done());
    // A call whose model is told not to think has none.
    let answer = Answer::stream().text("hi").wait(secs(60)).text(" there");
    let told = plain().one(answer.finish().usage(10, 2).done());
    let got = late(told).await;
    assert_eq!((got.error(), got.at), (Some(504), STALL));
}

/// Before it answers, signs of life are what it is held to.
#[tokio::test(start_paused = true)]
async fn a_model_that_is_still_thinking_is_waited_for_as_configured() {
    let think = |answer: Answer| answer.thought("hm ").wait(secs(100));
    for hides in [false, true] {
        let answer = Answer::stream().times(5, think).text("hi");
        let mut play = play().one(answer.wait(secs(20)).finish().usage(10, 9).done());
        if hides {
            play = play.hides_thoughts();
        }
        let harness = play.harness().await;
        knows(&harness, ms(40));
        thinks_for(&harness, ms(100));
        let got = harness.ask(&play).await;
        assert_eq!(got.error(), Some(504), "thoughts hidden: {hides}");
        assert_eq!(got.at, secs(500) + STALL, "once it has answered");
    }
}

#[tokio::test(start_paused = true)]
async fn what_comes_at_once_in_the_end_is_waited_for_as_configured() {
    let tools = json!([{"type": "function", "function": {"name": "write", "parameters": {}}}]);
    let quiet = Answer::stream().text("hi").wait(IDLE - ms(1));
    let answer = quiet.text(" there").finish().usage(10, 2).done();
    let play = plain().one(answer).member("tools", tools);
    let got = asked(&play, ms(40)).await;
    assert!(got.is_done(), "after {:?}", got.at);
}

/// Twenty answers of 600 words are enough to know a model by.
#[tokio::test(start_paused = true)]
async fn gaps_are_learned_from_streams_as_they_pass() {
    let word = |answer: Answer| answer.text("word ").wait(ms(700));
    let answer = Answer::stream().times(600, word).finish();
    let good = plain().one(answer.usage(10, 600).done());
    let harness = good.harness().await;
    let mut answers = 0;
    while harness.target("one").health.stall_ms(120_000).is_none() {
        assert!(harness.ask(&good).await.is_done());
        answers += 1;
        assert!(answers <= 20, "nothing is learned");
    }
    assert!(answers >= 10, "from {answers} answers");
    let stalled = plain().one(stalls());
    stalled.answers_on(&harness);
    let got = harness.ask(&stalled).await;
    // Twenty times 0.7 s, by a count that is up to a quarter too high.
    assert!(got.at >= secs(15) && got.at <= secs(20), "{:?}", got.at);
}

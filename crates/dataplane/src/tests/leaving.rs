//! The client leaves: a call can be dropped wherever it waits.

use std::time::Duration;

use super::harness::{Harness, ms, play, play_whole, secs};
use super::script::{Answer, Fate};
use crate::unknown::OF_KEY_MAX;

#[tokio::test(start_paused = true)]
async fn while_the_request_is_written() {
    // A long text completion is translated on another thread.
    let play = play().one(Answer::good()).member("messages", "not used");
    let harness = play.harness().await;
    let prompt = "x".repeat(256 * 1024);
    harness.text_completion_polled_once(&prompt).await;
    let booked = harness.booked().await;
    assert_eq!(booked.end, "void NotDispatched");
    assert_eq!(harness.script.called(), [""; 0]);
    assert_eq!(harness.in_flight(), 0);
}

#[tokio::test(start_paused = true)]
async fn while_connecting() {
    for drains in [false, true] {
        let played = play()
            .setup(|setup| setup.drains = drains)
            .one(Answer::status(400).connect_after(secs(4)))
            .leaves(secs(1))
            .play()
            .await;
        // Whoever bills to the end is asked to the end.
        let (end, fate) = if drains {
            ("void AttemptsFailed", Fate::Answered)
        } else {
            ("void CallerLeft; possible one", Fate::Dropped)
        };
        assert_eq!(played.booked.end, end);
        assert_eq!(played.harness.script.fate(), fate);
    }
}

#[tokio::test(start_paused = true)]
async fn while_awaiting_the_head() {
    let played = play()
        .one(Answer::good().head_after(secs(4)))
        .leaves(secs(1))
        .check("void CallerLeft; possible one")
        .await;
    assert_eq!(played.harness.elapsed(), secs(1));
}

#[tokio::test(start_paused = true)]
async fn while_awaiting_a_head_that_is_drained() {
    let played = play()
        .drains()
        .one(Answer::good().head_after(secs(4)))
        .leaves(secs(1))
        .check("settled 10/2; customer pays one")
        .await;
    assert_eq!(played.harness.script.fate(), Fate::Answered);
}

#[tokio::test(start_paused = true)]
async fn while_awaiting_the_first_content() {
    for (drains, end) in [
        // Half a second of thinking, at fifty tokens a second.
        (false, "settled ~/25; customer pays one; possible one"),
        (true, "settled 10/2; customer pays one"),
    ] {
        play()
            .setup(|setup| setup.drains = drains)
            .one(
                Answer::stream()
                    .role()
                    .wait(secs(4))
                    .text("hi")
                    .finish()
                    .usage(10, 2)
                    .done(),
            )
            .leaves(secs(1))
            .check(end)
            .await;
    }
}

#[tokio::test(start_paused = true)]
async fn while_the_model_thinks_out_of_sight() {
    // What was thought was ordered: it is paid, as of the last checkpoint.
    let think = |answer: Answer| answer.thought("eight by").wait(ms(300));
    for (drains, end) in [
        (false, "settled ~/8; customer pays one; possible one"),
        (true, "settled 10/99; customer pays one"),
    ] {
        play()
            .setup(|setup| setup.drains = drains)
            .hides_thoughts()
            .one(
                Answer::stream()
                    .times(30, think)
                    .text("hi")
                    .finish()
                    .usage(10, 99)
                    .done(),
            )
            .leaves(secs(1))
            .check(end)
            .await;
    }
}

#[tokio::test(start_paused = true)]
async fn while_the_model_begins_to_think_out_of_sight() {
    // Before the first checkpoint, too.
    play()
        .hides_thoughts()
        .one(Answer::stream().thought("eight by").hang())
        .leaves(ms(100))
        .check("settled ~/2; customer pays one; possible one")
        .await;
}

#[tokio::test(start_paused = true)]
async fn while_a_summary_of_thoughts_is_shown() {
    // A hundred tokens a second are thought, and a word of every second is
    // shown.
    let think = |answer: Answer| answer.wait(secs(1)).thought("word");
    let answer = Answer::stream().role().wait(ms(500)).times(10, think);
    let answer = answer.text("hi").finish().usage(10, 1_011).done();
    // Nothing is known yet: what is shown is all of it, but for the silence.
    let leaving = || play().one(answer.clone()).leaves(ms(5_600));
    leaving()
        .check("settled ~/55; customer pays one; possible one")
        .await;
    let harness = leaving().harness().await;
    for _ in 0..8 {
        harness.ask(&play().one(answer.clone())).await;
    }
    let before = harness.spent();
    harness.ask(&leaving()).await;
    let paid = harness.spent() - before;
    // Five seconds, and five words, at 2,000 nano-dollars; the input is little.
    assert!((1_030_000..1_060_000).contains(&paid), "{paid}");
}

#[tokio::test(start_paused = true)]
async fn in_the_middle_of_a_stream() {
    let word = |answer: Answer| answer.text("word").wait(secs(1));
    let played = play()
        .one(
            Answer::stream()
                .times(10, word)
                .finish()
                .usage(10, 10)
                .done(),
        )
        .leaves(ms(3_500))
        .check("settled ~/4; customer pays one; possible one")
        .await;
    assert_eq!(played.got.text(), "word".repeat(4));
    assert_eq!(played.harness.script.fate(), Fate::Dropped);
    assert_eq!(played.harness.in_flight(), 0);
}

#[tokio::test(start_paused = true)]
async fn in_the_middle_of_a_stream_that_is_drained() {
    let word = |answer: Answer| answer.text("word").wait(secs(1));
    let played = play()
        .drains()
        .one(
            Answer::stream()
                .times(10, word)
                .finish()
                .usage(10, 10)
                .done(),
        )
        .leaves(ms(3_500))
        .check("settled 10/10; customer pays one")
        .await;
    assert_eq!(
        played.got.text(),
        "word".repeat(4),
        "the rest is for nobody"
    );
    assert!(played.harness.elapsed() >= secs(10));
}

#[tokio::test(start_paused = true)]
async fn while_comments_are_sent() {
    for (drains, end) in [
        (false, "void CallerLeft; possible one"),
        (true, "settled 10/2; customer pays one"),
    ] {
        let played = play()
            .setup(|setup| setup.drains = drains)
            .one(Answer::good().head_after(secs(60)))
            .leaves(secs(35))
            .check(end)
            .await;
        assert_eq!(played.got.comments(), 3);
    }
}

#[tokio::test(start_paused = true)]
async fn while_a_whole_answer_is_awaited() {
    // No provider stops what is not streamed: it is billed, so it is read.
    let late_body = Answer::late_whole(secs(60));
    for answer in [Answer::whole().head_after(secs(60)), late_body] {
        for drains in [false, true] {
            let played = play_whole()
                .setup(|setup| setup.drains = drains)
                .one(answer.clone())
                .leaves(secs(35))
                .check("settled 10/2; customer pays one")
                .await;
            assert_eq!(played.got.status, 0);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn between_the_last_content_and_the_usage() {
    // The usage costs nothing but the wait for it.
    for drains in [false, true] {
        play()
            .setup(|setup| setup.drains = drains)
            .one(
                Answer::stream()
                    .text("hi")
                    .finish()
                    .wait(secs(2))
                    .usage(10, 2)
                    .done(),
            )
            .leaves(secs(1))
            .check("settled 10/2; customer pays one")
            .await;
    }
}

#[tokio::test(start_paused = true)]
async fn the_usage_after_the_end_is_not_waited_for_without_end() {
    let played = play()
        .one(Answer::stream().text("hi").finish().hang())
        .leaves(secs(1))
        .check("settled ~/1; customer pays one; possible one")
        .await;
    assert_eq!(played.harness.script.fate(), Fate::Dropped);
    let elapsed = played.harness.elapsed();
    assert!((secs(6)..secs(7)).contains(&elapsed), "{elapsed:?}");
}

#[tokio::test(start_paused = true)]
async fn usage_that_was_told_with_the_end_is_believed() {
    play()
        .one(Answer::stream().text("hi").finish().usage(10, 900).hang())
        .leaves(secs(1))
        .check("settled 10/900; customer pays one")
        .await;
}

#[tokio::test(start_paused = true)]
async fn usage_that_was_told_on_the_way_is_the_least_that_is_paid() {
    play()
        .one(
            Answer::stream()
                .text("hi")
                .usage(10, 500)
                .text("there")
                .hang(),
        )
        .leaves(secs(1))
        .check("settled ~/500; customer pays one; possible one")
        .await;
}

#[tokio::test(start_paused = true)]
async fn whoever_has_left_too_much_unknown_is_read_to_the_end() {
    let word = |answer: Answer| answer.text("word").wait(secs(1));
    let answer = || {
        Answer::stream()
            .times(10, word)
            .finish()
            .usage(10, 10)
            .done()
    };
    let play = play().one(answer()).leaves(ms(3_500));
    let harness = play.harness().await;
    harness.has_left(OF_KEY_MAX);
    let played = harness.play(&play).await;
    assert_eq!(played.booked.end, "settled 10/10; customer pays one");
}

#[tokio::test(start_paused = true)]
async fn after_the_settlement_nothing_changes() {
    let play = play().drains().one(Answer::good());
    let harness = play.harness().await;
    // All of the answer is there; the client takes the last word and does not
    // come back for the end of the body.
    harness.leave_after_the_last_word(&play).await;
    assert_eq!(
        harness.booked().await.end,
        "settled 10/2; customer pays one"
    );
    assert_eq!(harness.gateway().drains.running(), 0);
}

#[tokio::test(start_paused = true)]
async fn at_every_moment_the_books_are_closed_once() {
    // A failed attempt, a slow one, thoughts, words, usage: the client leaves
    // at each tenth of a second of it.
    for drains in [false, true] {
        for tenths in 0..40 {
            let play = play()
                .setup(|setup| setup.drains = drains)
                .one(Answer::status(500).head_after(ms(350)))
                .two(
                    Answer::stream()
                        .connect_after(ms(450))
                        .head_after(ms(450))
                        .role()
                        .times(3, |answer| answer.wait(ms(250)).thought("hm"))
                        .times(4, |answer| answer.wait(ms(250)).text("word"))
                        .wait(ms(250))
                        .finish()
                        .usage(10, 7)
                        .done(),
                )
                .leaves(ms(tenths * 100));
            left_clean(play.harness().await, &play, tenths).await;
        }
    }
}

async fn left_clean(harness: Harness, play: &super::harness::Play, tenths: u64) {
    harness.ask(play).await;
    let booked = harness.booked().await;
    assert_ne!(booked.end, "", "at {tenths}");
    assert_eq!(harness.held(), 0, "at {tenths}");
    tokio::time::timeout(
        Duration::from_secs(200),
        harness.gateway().drains.all_ended(),
    )
    .await
    .unwrap();
    assert_eq!(harness.in_flight(), 0, "at {tenths}");
    for provider in ["one", "two"] {
        let in_flight = harness.target(provider).health.in_flight();
        assert_eq!(in_flight, 0, "{provider} at {tenths}");
    }
}

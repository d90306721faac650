//! A stream that waits is kept alive, and its status is honest for as long
//! as that is possible.

use super::harness::{ms, play, secs};
use super::script::Answer;

/// As `Deadlines::default()` has it.
const KEEP_ALIVE: std::time::Duration = secs(10);

#[tokio::test(start_paused = true)]
async fn a_failure_within_the_first_seconds_is_a_status() {
    let played = play()
        .one(Answer::status(400).head_after(KEEP_ALIVE - ms(1)))
        .check("void AttemptsFailed")
        .await;
    assert_eq!((played.got.status, played.got.comments()), (400, 0));
    assert_eq!(played.got.at, KEEP_ALIVE - ms(1));
}

#[tokio::test(start_paused = true)]
async fn a_later_failure_is_an_event() {
    let played = play()
        .one(Answer::status(400).head_after(KEEP_ALIVE + ms(1)))
        .check("void AttemptsFailed")
        .await;
    assert_eq!((played.got.status, played.got.comments()), (200, 1));
    assert_eq!(played.got.error(), Some(400));
    assert!(!played.got.is_done());
    assert_eq!(played.harness.failures(), [1, 0, 0], "counted once");
}

#[tokio::test(start_paused = true)]
async fn comments_come_at_each_interval_until_the_first_content() {
    let played = play()
        .one(Answer::good().head_after(secs(45)))
        .check("settled 10/2; customer pays one")
        .await;
    assert_eq!(played.got.head_at, KEEP_ALIVE);
    assert_eq!(played.got.comments(), 4, "at 10, 20, 30 and 40 s");
    assert_eq!(
        (played.got.text().as_str(), played.got.at),
        ("hi", secs(45))
    );
    assert!(played.got.is_done());
}

#[tokio::test(start_paused = true)]
async fn comments_come_while_the_model_thinks_out_of_sight() {
    let think = |answer: Answer| answer.thought("hm").wait(secs(5));
    let played = play()
        .hides_thoughts()
        .one(
            Answer::stream()
                .times(7, think)
                .text("hi")
                .finish()
                .usage(10, 9)
                .done(),
        )
        .check("settled 10/9; customer pays one")
        .await;
    assert_eq!(played.got.comments(), 3, "at 10, 20 and 30 s");
}

#[tokio::test(start_paused = true)]
async fn failover_goes_on_behind_the_comments() {
    let played = play()
        .one(Answer::silent())
        .two(Answer::good().head_after(secs(15)))
        .check("settled 10/2; customer pays two; possible one")
        .await;
    assert_eq!(played.got.comments(), 4, "at 10, 20, 30 and 40 s");
    assert_eq!(played.got.at, secs(45));
}

#[tokio::test(start_paused = true)]
async fn a_provider_that_sends_comments_sends_them_to_us() {
    let played = play()
        .one(
            Answer::stream()
                .times(3, |answer| answer.comment().wait(secs(1)))
                .text("hi")
                .finish()
                .usage(10, 2)
                .done(),
        )
        .check("settled 10/2; customer pays one")
        .await;
    assert!(!played.got.body.contains("working on it"));
}

#[tokio::test(start_paused = true)]
async fn the_interval_is_the_configured_one() {
    let played = play()
        .setup(|setup| setup.limits.deadlines.keep_alive = ms(100))
        .one(Answer::good().head_after(ms(950)))
        .check("settled 10/2; customer pays one")
        .await;
    assert_eq!(played.got.comments(), 9);
}

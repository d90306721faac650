//! Every deadline, by a call that reaches it and one that does not.

use std::time::Duration;

use super::harness::{ms, play, play_whole, secs};
use super::script::{Answer, Fate};

/// As `Deadlines::default()` has them.
const CONNECT: Duration = secs(5);
const HEAD: Duration = secs(300);
const FIRST_SIGN: Duration = secs(30);
const IDLE: Duration = secs(120);
const WHOLE: Duration = secs(600);
const MINUTE: Duration = secs(60);

#[tokio::test(start_paused = true)]
async fn connecting_that_takes_too_long_goes_to_the_next_at_no_cost() {
    let played = play()
        .one(Answer::good().connect_after(CONNECT + ms(1)))
        .two(Answer::good())
        .check("settled 10/2; customer pays two")
        .await;
    assert_eq!(played.got.at, CONNECT);
}

#[tokio::test(start_paused = true)]
async fn a_slow_connection_is_waited_for() {
    let played = play()
        .one(Answer::good().connect_after(CONNECT - ms(1)))
        .two(Answer::good())
        .check("settled 10/2; customer pays one")
        .await;
    assert_eq!(played.got.at, CONNECT - ms(1));
}

#[tokio::test(start_paused = true)]
async fn a_stream_without_a_head_goes_to_the_next_at_the_first_sign_deadline() {
    let played = play()
        .one(Answer::good().head_after(FIRST_SIGN + ms(1)))
        .two(Answer::good())
        .check("settled 10/2; customer pays two; possible one")
        .await;
    assert_eq!(played.got.at, FIRST_SIGN);
}

#[tokio::test(start_paused = true)]
async fn a_head_without_anything_after_it_goes_to_the_next() {
    let played = play()
        .one(Answer::stream().hang())
        .two(Answer::good())
        .check("settled 10/2; customer pays two; possible one")
        .await;
    assert_eq!(played.got.at, FIRST_SIGN);
    assert_eq!(played.harness.attempts("one"), [0, 1, 0, 0]);
}

#[tokio::test(start_paused = true)]
async fn the_last_target_has_longer_to_its_head() {
    let played = play()
        .one(Answer::good().head_after(HEAD - ms(1)))
        .check("settled 10/2; customer pays one")
        .await;
    assert_eq!(played.got.at, HEAD - ms(1));
}

#[tokio::test(start_paused = true)]
async fn the_last_target_does_not_have_for_ever_to_its_head() {
    let played = play()
        .one(Answer::good().head_after(HEAD + ms(1)))
        .check("void AttemptsFailed; possible one")
        .await;
    assert_eq!((played.got.error(), played.got.at), (Some(504), HEAD));
}

#[tokio::test(start_paused = true)]
async fn a_target_whose_followers_rest_is_the_last() {
    let play = play()
        .one(Answer::good().head_after(FIRST_SIGN * 2))
        .two(Answer::status(429).header("retry-after", "300"));
    let harness = play.harness().await;
    let limited = super::harness::play().two(Answer::status(429).header("retry-after", "300"));
    assert_eq!(harness.ask(&limited).await.status, 429);
    let got = harness.ask(&play).await;
    assert_eq!((got.text().as_str(), got.at), ("hi", FIRST_SIGN * 2));
    assert_eq!(harness.script.called(), ["two", "one"]);
}

#[tokio::test(start_paused = true)]
async fn any_frame_is_a_sign_of_life() {
    let frames: [fn(Answer) -> Answer; 2] = [Answer::role, Answer::comment];
    for frame in frames {
        let slow = |answer: Answer| frame(answer.wait(FIRST_SIGN - ms(1)));
        let answer = Answer::stream().times(10, slow).text("hi").finish();
        let played = play()
            .one(answer.usage(10, 2).done())
            .two(Answer::good())
            .check("settled 10/2; customer pays one")
            .await;
        assert_eq!(played.got.at, (FIRST_SIGN - ms(1)) * 10);
    }
}

#[tokio::test(start_paused = true)]
async fn signs_of_life_alone_are_not_waited_for_without_end() {
    let answer = Answer::stream().times(100, |answer| answer.comment().wait(secs(10)));
    let played = play()
        .one(answer)
        .two(Answer::good())
        .check("settled 10/2; customer pays two; possible one")
        .await;
    assert_eq!(played.got.at, WHOLE);
}

#[tokio::test(start_paused = true)]
async fn the_last_target_may_be_silent_for_longer_before_its_content() {
    let played = play()
        .one(
            Answer::stream()
                .role()
                .wait(IDLE - ms(1))
                .text("hi")
                .finish()
                .usage(10, 2)
                .done(),
        )
        .check("settled 10/2; customer pays one")
        .await;
    assert_eq!(played.got.at, IDLE - ms(1));
}

#[tokio::test(start_paused = true)]
async fn silence_in_a_stream_ends_it_at_the_idle_deadline() {
    let played = play()
        .one(Answer::stream().text("hi").wait(secs(7)).text("ho").hang())
        .two(Answer::good())
        .check("settled ~/2; customer pays one")
        .await;
    assert_eq!(played.got.at, secs(7) + IDLE);
    assert_eq!(played.got.error(), Some(504));
    assert_eq!(played.harness.script.fate(), Fate::Dropped);
}

#[tokio::test(start_paused = true)]
async fn once_content_has_come_the_first_sign_deadline_is_over() {
    // Another target was left, and does not count any more.
    let played = play()
        .one(
            Answer::stream()
                .text("hi")
                .wait(IDLE - ms(1))
                .finish()
                .usage(10, 2)
                .done(),
        )
        .two(Answer::good())
        .check("settled 10/2; customer pays one")
        .await;
    assert_eq!(played.got.at, IDLE - ms(1));
}

#[tokio::test(start_paused = true)]
async fn a_stream_may_run_for_hours() {
    let words = |answer: Answer| answer.text("word ").wait(IDLE - secs(1));
    let answer = Answer::stream().times(100, words).finish();
    let played = play()
        .one(answer.usage(10, 100).done())
        .two(Answer::good())
        .check("settled 10/100; customer pays one")
        .await;
    assert_eq!(played.got.at, (IDLE - secs(1)) * 100);
    assert!(played.got.is_done());
}

#[tokio::test(start_paused = true)]
async fn a_whole_answer_of_six_minutes_is_waited_for() {
    // Also while another target is left: no sign of life can be expected.
    let played = play_whole()
        .one(Answer::whole().head_after(MINUTE * 6))
        .two(Answer::whole())
        .check("settled 10/2; customer pays one")
        .await;
    assert_eq!((played.got.status, played.got.at), (200, MINUTE * 6));
    assert_eq!(played.harness.script.called(), ["one"]);
}

#[tokio::test(start_paused = true)]
async fn a_whole_answer_may_be_silent_between_head_and_body() {
    let late = Answer::late_whole(MINUTE * 6);
    let played = play_whole()
        .one(late)
        .two(Answer::whole())
        .check("settled 10/2; customer pays one")
        .await;
    assert_eq!(played.got.at, MINUTE * 6);
}

#[tokio::test(start_paused = true)]
async fn a_whole_answer_is_bounded_by_its_own_deadline() {
    let played = play_whole()
        .one(Answer::whole().head_after(WHOLE + ms(1)))
        .two(Answer::whole())
        .check("settled 10/2; customer pays two; possible one")
        .await;
    assert_eq!(played.got.at, WHOLE);
}

#[tokio::test(start_paused = true)]
async fn a_whole_answer_that_trickles_is_bounded_in_all() {
    let trickle = |answer: Answer| answer.send(" ").wait(secs(10));
    let played = play_whole()
        .one(Answer::status(200).times(100, trickle))
        .check("void AttemptsFailed; possible one")
        .await;
    assert_eq!((played.got.status, played.got.at), (504, WHOLE));
}

#[tokio::test(start_paused = true)]
async fn hidden_thoughts_of_any_duration_are_waited_for() {
    // Twenty minutes: beyond every deadline but that of silence.
    let think = |answer: Answer| answer.thought("hm ").wait(secs(20));
    let answer = Answer::stream().times(60, think).text("hi").finish();
    let played = play()
        .hides_thoughts()
        .one(answer.usage(10, 62).done())
        .two(Answer::good())
        .check("settled 10/62; customer pays one")
        .await;
    assert_eq!(played.got.at, MINUTE * 20);
    assert_eq!(played.got.text(), "hi");
    assert!(!played.got.body.contains("hm"), "thoughts are hidden");
}

#[tokio::test(start_paused = true)]
async fn hidden_thoughts_of_any_length_are_read() {
    let long = "x".repeat(64 * 1024);
    let answer = Answer::stream().times(40, |answer| answer.thought(&long));
    let played = play()
        .hides_thoughts()
        .one(answer.text("hi").finish().usage(10, 2).done())
        .check("settled 10/2; customer pays one")
        .await;
    assert_eq!(played.got.text(), "hi");
}

#[tokio::test(start_paused = true)]
async fn hidden_thoughts_that_stop_go_to_the_next_target_at_no_cost() {
    let played = play()
        .hides_thoughts()
        .one(
            Answer::stream()
                .thought("hm")
                .wait(secs(1))
                .thought("hm")
                .hang(),
        )
        .two(Answer::good())
        .check("settled 10/2; customer pays two; possible one")
        .await;
    assert_eq!(played.got.at, secs(1) + FIRST_SIGN);
    assert_eq!(played.got.text(), "hi");
}

#[tokio::test(start_paused = true)]
async fn a_stream_that_says_nothing_is_bounded_in_bytes() {
    let noise = format!(": {}\n\n", "x".repeat(64 * 1024));
    let answer = Answer::stream().times(300, |answer| answer.send(noise.clone()));
    let played = play()
        .one(answer.hang())
        .two(Answer::good())
        .check("settled 10/2; customer pays two; possible one")
        .await;
    assert_eq!(played.got.at, Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn the_body_of_an_error_is_not_waited_for_for_long() {
    let played = play_whole()
        .one(Answer::status(500).hang())
        .two(Answer::whole())
        .check("settled 10/2; customer pays two")
        .await;
    assert_eq!(played.got.at, secs(5));
}

#[tokio::test(start_paused = true)]
async fn deadlines_are_the_configured_ones() {
    let played = play()
        .setup(|setup| setup.limits.deadlines.first_sign = ms(250))
        .one(Answer::silent())
        .two(Answer::good())
        .check("settled 10/2; customer pays two; possible one")
        .await;
    assert_eq!(played.got.at, ms(250));
}

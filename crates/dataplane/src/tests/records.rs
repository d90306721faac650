//! What is remembered of a call: times, attempts, ids; and what is counted.

use bourse_vocab::FailureKind;

use super::books::Remembered;
use super::harness::{ms, play, play_whole, secs};
use super::script::Answer;

fn facts(played: super::harness::Played) -> Remembered {
    played.booked.facts.unwrap()
}

#[tokio::test(start_paused = true)]
async fn latency_counts_from_the_first_dispatch_and_generation_from_the_first_content() {
    let played = play()
        .one(Answer::status(500).head_after(secs(2)))
        .two(
            Answer::stream()
                .head_after(secs(3))
                .role()
                .wait(secs(4))
                .text("hi")
                .wait(secs(5))
                .finish()
                .usage(10, 2)
                .done(),
        )
        .check("settled 10/2; customer pays two")
        .await;
    let facts = facts(played);
    assert_eq!((facts.latency_ms, facts.generation_ms), (9_000, 5_000));
    let attempts = [
        ("one".to_owned(), 500, 2_000, String::new()),
        ("two".to_owned(), 200, 7_000, "up-1".to_owned()),
    ];
    assert_eq!(facts.attempts, attempts);
}

#[tokio::test(start_paused = true)]
async fn a_whole_answer_was_generated_before_it_could_be_seen() {
    let played = play_whole()
        .one(Answer::whole().head_after(secs(8)))
        .check("settled 10/2; customer pays one")
        .await;
    let facts = facts(played);
    assert_eq!((facts.latency_ms, facts.generation_ms), (8_000, 8_000));
    assert_eq!(facts.upstream_id, "up-whole");
    assert!(!facts.streamed);
}

#[tokio::test(start_paused = true)]
async fn thoughts_out_of_sight_are_the_first_content() {
    let played = play()
        .hides_thoughts()
        .one(
            Answer::stream()
                .wait(secs(1))
                .thought("hm")
                .wait(secs(6))
                .text("hi")
                .finish()
                .usage(10, 9)
                .done(),
        )
        .check("settled 10/9; customer pays one")
        .await;
    let facts = facts(played);
    assert_eq!((facts.latency_ms, facts.generation_ms), (1_000, 6_000));
}

#[tokio::test(start_paused = true)]
async fn attempts_that_failed_are_remembered_by_the_providers_own_id() {
    for name in ["x-request-id", "request-id"] {
        let played = play()
            .one(Answer::status(500).header(name, "req-77"))
            .two(Answer::silent())
            .three(Answer::good())
            .check("settled 10/2; customer pays three; possible two")
            .await;
        let attempts = facts(played).attempts;
        let (first, second) = (&attempts[0], &attempts[1]);
        assert_eq!((first.1, first.3.as_str()), (500, "req-77"));
        assert_eq!((second.1, second.2, second.3.as_str()), (0, 30_000, ""));
        assert_eq!(attempts[2].3, "up-1");
    }
}

#[tokio::test(start_paused = true)]
async fn a_call_that_nobody_answered_is_remembered_with_its_attempts() {
    let played = play()
        .one(Answer::status(500).header("x-request-id", "req-77"))
        .two(Answer::status(400).head_after(secs(2)))
        .check("void AttemptsFailed")
        .await;
    let facts = facts(played);
    assert_eq!(facts.failure, Some(FailureKind::InvalidRequest));
    assert_eq!(
        (facts.provider.as_str(), facts.finish.as_str()),
        ("two", "error")
    );
    let attempts = [
        ("one".to_owned(), 500, 0, "req-77".to_owned()),
        ("two".to_owned(), 400, 2_000, String::new()),
    ];
    assert_eq!(facts.attempts, attempts);
    assert_eq!((facts.completion, facts.estimated), (0, false));
}

#[tokio::test(start_paused = true)]
async fn a_call_whose_client_left_is_remembered_with_the_attempt_it_left() {
    let played = play()
        .one(Answer::stream().head_after(secs(1)).role().hang())
        .leaves(secs(3))
        .check("settled ~/125; customer pays one; possible one")
        .await;
    let facts = facts(played);
    assert!(facts.cancelled && facts.streamed);
    assert_eq!(facts.failure, None);
    let attempts = [("one".to_owned(), 200, 3_000, String::new())];
    assert_eq!(facts.attempts, attempts);
}

#[tokio::test(start_paused = true)]
async fn a_broken_stream_is_remembered_as_an_error() {
    let played = play()
        .one(Answer::stream().text("hi").wait(secs(2)).cut())
        .check("settled ~/1; customer pays one")
        .await;
    let facts = facts(played);
    assert_eq!(
        (facts.finish.as_str(), facts.generation_ms),
        ("error", 2_000)
    );
    assert!(facts.estimated && facts.streamed && !facts.cancelled);
}

#[tokio::test(start_paused = true)]
async fn a_call_is_under_way_until_the_last_byte() {
    let play = play().one(
        Answer::stream()
            .text("hi")
            .wait(secs(5))
            .finish()
            .usage(10, 2)
            .done(),
    );
    let harness = play.harness().await;
    let watching = async {
        let mut seen = Vec::new();
        for second in [1, 3] {
            tokio::time::sleep(secs(second)).await;
            seen.push(harness.in_flight());
        }
        seen
    };
    let (got, seen) = tokio::join!(harness.ask(&play), watching);
    assert_eq!(seen, [1, 1], "at 1 s and at 4 s");
    assert_eq!((got.at, harness.in_flight()), (secs(5), 0));
}

#[tokio::test(start_paused = true)]
async fn a_refused_call_is_not_under_way_any_more() {
    let play = play().one(Answer::good()).member("model", "acme/none");
    let harness = play.harness().await;
    assert_eq!(harness.ask(&play).await.status, 400);
    assert_eq!((harness.in_flight(), harness.failures()), (0, [1, 0, 0]));
}

#[tokio::test(start_paused = true)]
async fn failures_are_counted_wherever_the_client_learns_of_them() {
    for (answer, blame) in [
        // A status, an event after comments, a broken stream.
        (Answer::status(500), [0, 1, 0]),
        (Answer::status(500).head_after(secs(11)), [0, 1, 0]),
        (Answer::stream().text("hi").cut(), [0, 1, 0]),
        (Answer::status(400).head_after(secs(11)), [1, 0, 0]),
        (Answer::good(), [0, 0, 0]),
    ] {
        let played = play().one(answer).play().await;
        assert_eq!(played.harness.failures(), blame);
    }
}

#[tokio::test(start_paused = true)]
async fn health_learns_how_long_the_first_content_took() {
    let play = play()
        .one(Answer::status(500).head_after(secs(2)))
        .two(Answer::good().head_after(ms(640)));
    let harness = play.harness().await;
    harness.ask(&play).await;
    let health = &harness.target("two").health;
    let latency = health.recent_latency_ms(super::harness::NOW).unwrap();
    assert!((600..700).contains(&latency.p50), "{latency:?}");
    assert_eq!(health.in_flight(), 0);
}

//! Who is not sent to any more, how one call finds out that it may be, and
//! what is learned of how long to wait.

use bourse_routing::breaker::Standing;
use serde_json::json;

use super::harness::{Harness, NOW, Play, ms, play, secs};
use super::script::Answer;

/// Enough answers for a deadline to be learned.
const ENOUGH: usize = 32;

async fn ask(harness: &Harness, play: &Play, times: usize) {
    for _ in 0..times {
        assert_eq!(harness.ask(play).await.text(), "hi");
    }
}

fn calls_of(harness: &Harness, provider: &str) -> usize {
    let called = harness.script.called();
    called.iter().filter(|name| *name == provider).count()
}

#[tokio::test(start_paused = true)]
async fn five_failures_keep_calls_away_until_one_of_them_finds_out() {
    let mut answers = vec![Answer::status(500); 6];
    answers.push(Answer::good());
    let play = play().provider("one", answers).two(Answer::good());
    let harness = play.harness().await;
    ask(&harness, &play, 20).await;
    assert_eq!(calls_of(&harness, "one"), 5);
    let health = &harness.target("one").health;
    assert!(matches!(health.standing(NOW), Standing::Open(_)));
    // The first probe fails, and the next is later.
    tokio::time::advance(ms(1_250)).await;
    ask(&harness, &play, 20).await;
    assert_eq!(calls_of(&harness, "one"), 6);
    tokio::time::advance(ms(2_500)).await;
    ask(&harness, &play, 20).await;
    assert_eq!(calls_of(&harness, "one"), 26, "it is back, and first");
}

#[tokio::test(start_paused = true)]
async fn the_only_target_is_asked_however_often_it_has_failed() {
    let mut answers = vec![Answer::status(500); 12];
    answers.push(Answer::good());
    let play = play().provider("one", answers);
    let harness = play.harness().await;
    let failed = loop {
        let got = harness.ask(&play).await;
        if got.status == 200 {
            break harness.script.called().len();
        }
    };
    assert_eq!(failed, 13, "no call was refused by ourselves");
}

#[tokio::test(start_paused = true)]
async fn an_account_that_is_refused_is_not_asked_again_for_a_while() {
    let empty = || {
        let said = serde_json::json!({
            "error": {"code": "insufficient_quota", "message": "You exceeded your current quota"},
        });
        Answer::status(429).send(said.to_string())
    };
    for refusal in [Answer::status(401), Answer::status(402), empty()] {
        let play = play()
            .provider("one", [refusal, Answer::good()])
            .two(Answer::good());
        let harness = play.harness().await;
        ask(&harness, &play, 5).await;
        assert_eq!(calls_of(&harness, "one"), 1);
        tokio::time::advance(secs(30)).await;
        ask(&harness, &play, 1).await;
        assert_eq!(calls_of(&harness, "one"), 2);
    }
}

#[tokio::test(start_paused = true)]
async fn an_outage_is_not_multiplied() {
    let play = play()
        .one(Answer::status(500))
        .two(Answer::status(500))
        .three(Answer::status(500));
    let harness = play.harness().await;
    for _ in 0..200 {
        assert_eq!(harness.ask(&play).await.error(), Some(502));
    }
    let attempts = harness.script.called().len();
    // A twelfth, the ten that are always allowed, and what it took to see it.
    assert!(attempts <= 200 + 200 / 12 + 10 + 15, "{attempts}");
}

/// Accepting a call and saying nothing costs a caller what is usual, and not
/// what is configured.
#[tokio::test(start_paused = true)]
async fn silence_is_waited_for_as_long_as_answers_usually_take() {
    let answers = || vec![Answer::good().head_after(ms(500)); ENOUGH];
    let mut silent = answers();
    silent.push(Answer::silent());
    let play = play().provider("one", silent).two(Answer::good());
    let harness = play.harness().await;
    ask(&harness, &play, ENOUGH).await;
    let got = harness.ask(&play).await;
    assert_eq!((got.text().as_str(), got.at), ("hi", ms(3 * 511)));
}

#[tokio::test(start_paused = true)]
async fn comments_are_no_content() {
    let mut answers = vec![Answer::good().head_after(ms(500)); ENOUGH];
    let comment = |answer: Answer| answer.comment().wait(ms(200));
    answers.push(Answer::stream().times(100, comment).hang());
    let play = play().provider("one", answers).two(Answer::good());
    let harness = play.harness().await;
    ask(&harness, &play, ENOUGH).await;
    assert_eq!(harness.ask(&play).await.at, ms(3 * 511));
}

#[tokio::test(start_paused = true)]
async fn the_last_target_has_all_the_time_there_is_whatever_was_learned() {
    let mut answers = vec![Answer::good().head_after(ms(500)); ENOUGH];
    answers.push(Answer::good().head_after(secs(200)));
    let play = play().provider("one", answers);
    let harness = play.harness().await;
    ask(&harness, &play, ENOUGH).await;
    let got = harness.ask(&play).await;
    assert_eq!((got.text().as_str(), got.at), ("hi", secs(200)));
}

/// At a cold start nobody is known to be well when the last target is sent to.
#[tokio::test(start_paused = true)]
async fn a_silent_last_target_is_left_for_one_that_was_found_well_meanwhile() {
    let answers = [Answer::status(500), Answer::good().head_after(ms(500))];
    let play = play()
        .member("provider", json!({"order": ["one", "two"]}))
        .provider("one", answers)
        .two(Answer::silent());
    let harness = play.harness().await;
    let others = async {
        tokio::time::sleep(secs(1)).await;
        ask(&harness, &play, ENOUGH).await;
    };
    let (got, ()) = tokio::join!(harness.ask(&play), others);
    assert_eq!(got.text(), "hi");
    // Sixteen seconds of other calls, a look a second, an answer.
    assert!(got.at <= secs(1 + 16 + 2), "{:?}", got.at);
}

#[tokio::test(start_paused = true)]
async fn a_rest_that_is_only_guessed_refuses_nobody() {
    let play = play().provider("one", [Answer::status(429), Answer::good()]);
    let harness = play.harness().await;
    assert_eq!(harness.ask(&play).await.status, 429);
    assert_eq!(harness.ask(&play).await.text(), "hi");
}

#[tokio::test(start_paused = true)]
async fn an_overload_that_names_a_time_is_left_alone_for_as_long() {
    let busy = Answer::status(503).header("retry-after", "7");
    let play = play().provider("one", [busy, Answer::good()]);
    let harness = play.harness().await;
    assert_eq!(harness.ask(&play).await.status, 503);
    tokio::time::advance(secs(7) - ms(1)).await;
    assert_eq!(harness.ask(&play).await.status, 429, "and is told so");
    tokio::time::advance(ms(1)).await;
    assert_eq!(harness.ask(&play).await.text(), "hi");
    assert_eq!(harness.script.called().len(), 2);
}

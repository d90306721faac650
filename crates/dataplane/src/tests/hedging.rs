//! A second target asked while the first is late.

use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use bourse_net::NetErrorKind;
use bourse_routing::bucket::Bucket;
use bourse_routing::health::Outcome;
use bourse_routing::lengths::Thought;
use bourse_vocab::Format;
use bourse_wire::dialect::Prefill;

use super::harness::{Harness, NOW, Play, Played, ms, play, secs};
use super::script::{Answer, Fate};

/// What nearly all answers take, and the edge of where that is counted.
const USUAL_MS: u64 = 100;
const P95: Duration = ms(111);

/// A data plane that knows how soon the first target begins, and has had
/// enough calls for a hedge.
async fn warm(play: &Play) -> Harness {
    let harness = play.harness().await;
    let health = &harness.target("one").health;
    let sort = Bucket::of(10, Thought::of(None), true);
    for _ in 0..64 {
        let mut ticket = health.enter(sort, NOW, true).unwrap();
        ticket.answered(NOW + USUAL_MS);
        ticket.end(NOW + USUAL_MS, Outcome::Neutral, 0.5);
        harness.gateway().memory.hedges.begins(NOW);
    }
    harness
}

fn hedged(first: Answer, second: Answer) -> Play {
    play()
        .one(first)
        .two(second)
        .header("x-bourse-hedge", "true")
}

async fn race(play: Play) -> Played {
    warm(&play).await.play(&play).await
}

fn fates(played: &Played) -> Vec<(String, Fate)> {
    played.harness.script.seen()
}

#[tokio::test(start_paused = true)]
async fn the_first_content_wins_and_the_late_one_is_let_go_of_at_once() {
    let late = Answer::good().head_after(secs(20));
    let second = Answer::good().head_after(ms(40));
    let played = race(hedged(late, second)).await;
    assert_eq!(played.got.text(), "hi");
    assert!(played.got.is_done());
    assert_eq!(played.got.at, P95 + ms(40));
    assert_eq!(
        played.booked.end,
        "settled 10/2; customer pays two; possible one"
    );
    let seen = [
        ("one".to_owned(), Fate::Dropped),
        ("two".to_owned(), Fate::Answered),
    ];
    assert_eq!(fates(&played), seen);
    // Both were paid for before the second was sent.
    assert_eq!(played.booked.holds.len(), 2);
    assert_eq!(played.booked.dispatched.last().unwrap(), "two");
    // The one that lost is not ill, and its time teaches nothing.
    assert_eq!(played.harness.attempts("one"), [0, 0, 0, 1]);
    assert_eq!(played.harness.attempts("two"), [1, 0, 0, 0]);
    assert_eq!(played.harness.held(), 0);
    let counters = &played.harness.gateway().counters;
    let hedges = [
        &counters.hedges[0],
        &counters.hedges[1],
        &counters.hedges[2],
    ];
    assert_eq!(hedges.map(|count| count.load(Relaxed)), [1, 0, 0]);
    let attempts = played.booked.facts.unwrap().attempts;
    assert_eq!(
        attempts
            .iter()
            .map(|one| one.0.as_str())
            .collect::<Vec<_>>(),
        ["one", "two"]
    );
}

#[tokio::test(start_paused = true)]
async fn the_first_may_win_late() {
    for waits in [150, 900] {
        let first = Answer::good().head_after(ms(waits));
        let second = Answer::good().head_after(secs(9));
        let played = race(hedged(first, second)).await;
        assert_eq!(played.got.at, ms(waits));
        assert_eq!(
            played.booked.end,
            "settled 10/2; customer pays one; possible two"
        );
        let seen = [
            ("one".to_owned(), Fate::Answered),
            ("two".to_owned(), Fate::Dropped),
        ];
        assert_eq!(fates(&played), seen);
        // After a crash it is the one that answers.
        assert_eq!(played.booked.dispatched.last().unwrap(), "one");
    }
}

#[tokio::test(start_paused = true)]
async fn whoever_is_in_time_is_alone() {
    let played = race(hedged(Answer::good().head_after(ms(105)), Answer::good())).await;
    assert_eq!(played.booked.end, "settled 10/2; customer pays one");
    assert_eq!(played.harness.script.called(), ["one"]);
    assert_eq!(played.booked.holds.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn comments_are_no_content_and_hidden_thoughts_are() {
    let waiting = Answer::stream().times(9, |answer| answer.comment().wait(secs(1)));
    let thinking = || {
        Answer::stream()
            .thought("hm")
            .wait(secs(3))
            .then(Answer::good())
    };
    let played = race(hedged(waiting, thinking()).hides_thoughts()).await;
    assert_eq!(played.got.text(), "hi");
    assert!(
        played
            .booked
            .end
            .contains("customer pays two; possible one"),
        "{}",
        played.booked.end
    );
    assert_eq!(fates(&played)[0].1, Fate::Dropped);
}

#[tokio::test(start_paused = true)]
async fn where_one_fails_the_other_goes_on() {
    // The second fails, before and after it was sent.
    for second in [
        Answer::status(503),
        Answer::unreachable(NetErrorKind::Resolve),
        Answer::stream().role().cut(),
    ] {
        let played = race(hedged(Answer::good().head_after(ms(900)), second)).await;
        assert_eq!(played.got.text(), "hi");
        assert_eq!(played.got.at, ms(900));
        assert!(
            played
                .booked
                .end
                .starts_with("settled 10/2; customer pays one")
        );
        assert_eq!(played.harness.attempts("two")[1], 1, "it counts as failed");
    }
    // The first fails while the second is under way.
    let first = Answer::status(503).head_after(ms(500));
    let played = race(hedged(first, Answer::good().head_after(secs(3)))).await;
    assert_eq!(played.got.text(), "hi");
    assert_eq!(played.got.at, P95 + secs(3));
    assert_eq!(played.booked.end, "settled 10/2; customer pays two");
    assert_eq!(played.harness.attempts("one"), [0, 1, 0, 0]);
    assert_eq!(
        played.harness.script.called(),
        ["one", "two"],
        "nobody else is asked"
    );
}

#[tokio::test(start_paused = true)]
async fn where_both_fail_the_next_is_asked() {
    for (first_after, second_after) in [(ms(300), ms(600)), (ms(600), ms(300))] {
        let first = Answer::status(503).head_after(first_after);
        let second = Answer::status(500).head_after(second_after);
        let played = race(hedged(first, second).three(Answer::good())).await;
        assert_eq!(played.got.text(), "hi");
        assert_eq!(played.booked.end, "settled 10/2; customer pays three");
        assert_eq!(played.harness.script.called(), ["one", "two", "three"]);
        assert_eq!(played.harness.attempts("one"), [0, 1, 0, 0]);
        assert_eq!(played.harness.attempts("two"), [0, 1, 0, 0]);
    }
    // With nobody left the call fails, once.
    let (first, second) = (Answer::status(500).head_after(ms(500)), Answer::status(500));
    let played = race(hedged(first, second)).await;
    assert_eq!(played.got.status, 502);
    assert_eq!(played.booked.end, "void AttemptsFailed");
    assert!(
        played.got.body.contains("previous_errors"),
        "{}",
        played.got.body
    );
}

#[tokio::test(start_paused = true)]
async fn a_caller_who_leaves_during_the_race_pays_nothing() {
    let silent = hedged(Answer::silent(), Answer::silent()).leaves(ms(500));
    let played = race(silent).await;
    assert_eq!(
        played.booked.end,
        "void CallerLeft; possible two; possible one"
    );
    // Once the first was given up the second is whom the caller leaves, and
    // one that has failed is neither lost nor left.
    let given_up = hedged(Answer::silent(), Answer::silent()).leaves(secs(2));
    let end = race(given_up).await.booked.end;
    assert_eq!(end, "void CallerLeft; possible one; possible two");
    let failed = hedged(Answer::silent(), Answer::status(503)).leaves(ms(500));
    let failed = race(failed).await;
    assert_eq!(failed.booked.end, "void CallerLeft; possible one");
    assert_eq!(failed.harness.attempts("two"), [0, 1, 0, 0]);
    assert!(
        fates(&played)
            .iter()
            .all(|(_, fate)| *fate == Fate::Dropped)
    );
    assert_eq!(played.harness.held(), 0);
    // One that bills to the end is read to its end, and so is its rival.
    let slow = Answer::good().head_after(secs(9));
    let drained = hedged(Answer::silent(), slow).drains().leaves(secs(2));
    let harness = warm(&drained).await;
    harness.ask(&drained).await;
    tokio::time::sleep(secs(60)).await;
    let end = harness.booked().await.end;
    assert_eq!(end, "settled 10/2; customer pays two; possible one");
}

#[tokio::test(start_paused = true)]
async fn with_money_for_one_there_is_no_hedge_and_no_error() {
    let late = || Answer::good().head_after(ms(700));
    let limited = hedged(late(), Answer::good()).member("max_tokens", 50);
    let rich = race(limited).await;
    let first = rich.booked.holds[0];
    assert_eq!(rich.booked.holds.len(), 2);
    let second = rich.booked.holds[1];
    for (credit, called) in [(first + second - 1, 1), (first + second, 2)] {
        let limited = hedged(late(), Answer::good()).member("max_tokens", 50);
        let played = race(limited.setup(|setup| setup.credit = credit)).await;
        assert_eq!(played.got.text(), "hi", "{credit}");
        assert_eq!(played.harness.script.called().len(), called, "{credit}");
        assert_eq!(played.booked.holds.len(), called);
    }
}

#[tokio::test(start_paused = true)]
async fn without_the_header_or_before_anything_is_known_nobody_is_hedged() {
    let late = || Answer::good().head_after(ms(700));
    let unasked = play().one(late()).two(Answer::good());
    let cold = hedged(late(), Answer::good());
    for (harness, play) in [
        (warm(&unasked).await, unasked),
        (cold.harness().await, cold),
    ] {
        let played = harness.play(&play).await;
        assert_eq!(played.harness.script.called(), ["one"]);
    }
    // A whole answer cannot be cancelled: its provider bills all of it.
    let whole = hedged(Answer::late_whole(secs(2)), Answer::whole()).member("stream", false);
    let played = race(whole).await;
    assert_eq!(played.harness.script.called(), ["one"]);
}

#[tokio::test(start_paused = true)]
async fn at_most_one_call_in_twenty_is_hedged() {
    // One in ten is late.
    let calls = 200;
    let first = (1..=calls).map(|n| {
        let late = if n % 10 == 0 { 800 } else { 40 };
        Answer::good().head_after(ms(late))
    });
    let play = play()
        .provider("one", first)
        .two(Answer::good())
        .header("x-bourse-hedge", "true");
    let harness = warm(&play).await;
    for _ in 0..calls {
        assert_eq!(harness.ask(&play).await.text(), "hi");
    }
    let hedged = harness.script.called().len() - calls;
    // The 64 calls that warmed it count.
    assert!((4..=(calls + 64) / 20).contains(&hedged), "{hedged}");
}

#[tokio::test(start_paused = true)]
async fn the_winner_may_be_gone_on_with() {
    let late = Answer::good().head_after(secs(9));
    let breaks = Answer::stream().text("so ").cut();
    let rest = Answer::stream().text("it is").finish().done();
    let play = hedged(late, breaks)
        .three(rest)
        .header("x-bourse-continue", "true")
        .setup(|setup| {
            let goes_on = ("three", Format::OpenAiChat, Prefill::Last);
            setup.others.push(goes_on);
        });
    let played = race(play).await;
    assert_eq!(played.got.text(), "so it is");
    assert!(played.got.is_done());
    let end = &played.booked.end;
    let expected = "customer pays two; customer pays three; house pays three; possible one";
    assert!(end.ends_with(expected), "{end}");
}

#[tokio::test(start_paused = true)]
async fn absurd_values_of_the_header_are_refused_by_its_name() {
    for value in ["yes", "0", "-1", ""] {
        let play = play().one(Answer::good()).header("x-bourse-hedge", value);
        let got = play.harness().await.ask(&play).await;
        assert_eq!(got.status, 400, "{value}");
        assert!(got.body.contains("X-Bourse-Hedge: must be"), "{}", got.body);
    }
}

//! Calls that are the same at once: one asks, the others wait for its answer.

use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use futures_util::future::join_all;
use tokio::time::sleep;

use super::caching::status;
use super::harness::{Got, Harness, Play, ms, play, play_whole, secs};
use super::script::Answer;
use crate::cache::flights::WAIT;

/// What an answer of ten tokens in and two out costs at the provider `one`.
const PRICE: i64 = 14_000;

fn shared(play: Play) -> Play {
    play.header("x-openrouter-cache", "true")
        .header("x-bourse-single-flight", "true")
}

/// The call is made so many times, each a millisecond after the one before.
async fn together(harness: &Harness, play: &Play, calls: u64) -> Vec<Got> {
    let calls = (0..calls).map(|call| async move {
        sleep(ms(call)).await;
        harness.ask(play).await
    });
    join_all(calls).await
}

/// How many waited in vain or not.
fn waited(harness: &Harness) -> [u64; 2] {
    let cache = &harness.gateway().cache;
    assert_eq!(cache.flights.waiting(), 0);
    cache
        .counters
        .shared
        .each_ref()
        .map(|count| count.load(Relaxed))
}

fn hits(got: &[Got]) -> usize {
    got.iter().filter(|got| status(got) == "HIT").count()
}

#[tokio::test(start_paused = true)]
async fn calls_that_are_the_same_at_once_ask_once_and_pay_once() {
    for (play, answer) in [
        (play(), Answer::good().head_after(secs(9))),
        (play_whole(), Answer::late_whole(secs(9))),
    ] {
        let play = shared(play).one(answer);
        let harness = play.harness().await;
        let got = together(&harness, &play, 50).await;
        assert_eq!(harness.script.called(), ["one"]);
        assert_eq!((status(&got[0]), hits(&got)), ("MISS", 49));
        assert!(got.iter().all(|got| got.body.contains("\"hi\"")));
        assert!(got[1..].iter().all(|one| one.at < secs(9)));
        assert_eq!((harness.spent(), harness.held()), (PRICE, 0));
        assert_eq!((waited(&harness), harness.in_flight()), ([49, 0], 0));
    }
}

#[tokio::test(start_paused = true)]
async fn calls_that_do_not_say_so_ask_for_themselves() {
    let plain = play()
        .header("x-openrouter-cache", "true")
        .one(Answer::good().head_after(secs(9)));
    let harness = plain.harness().await;
    let got = together(&harness, &plain, 3).await;
    assert_eq!((hits(&got), harness.script.called().len()), (0, 3));
    assert_eq!((harness.spent(), waited(&harness)), (3 * PRICE, [0, 0]));
    let unclear = shared(play()).header("x-bourse-single-flight", "maybe");
    let unclear = unclear.without_header("x-bourse-single-flight", "true");
    let got = harness.ask(&unclear.one(Answer::good())).await;
    assert_eq!(got.error(), Some(400));
}

#[tokio::test(start_paused = true)]
async fn when_one_fails_the_next_asks_and_only_that_one() {
    // A mistake of the caller's, so that nobody is asked twice for one call.
    let no = || Answer::status(400).head_after(secs(3));
    let play = shared(play()).provider("one", [no(), no(), Answer::good().head_after(secs(3))]);
    let harness = play.harness().await;
    let (got, asked) = tokio::join!(together(&harness, &play, 20), async {
        let mut asked = Vec::new();
        for _ in 0..3 {
            sleep(secs(3) - ms(100)).await;
            asked.push(harness.script.called().len());
            sleep(ms(100)).await;
        }
        asked
    });
    assert_eq!(asked, [1, 2, 3], "one after the other");
    let failed = got.iter().filter(|got| got.status == 400).count();
    assert_eq!((failed, hits(&got)), (2, 17));
    assert_eq!((harness.spent(), harness.held()), (PRICE, 0));
    assert_eq!(waited(&harness), [17, 2]);
}

#[tokio::test(start_paused = true)]
async fn when_the_client_of_one_leaves_the_next_asks() {
    let slow = || Answer::good().head_after(secs(9));
    let play = shared(play()).provider("one", [slow(), slow()]);
    let harness = play.harness().await;
    let leaving = shared(super::harness::play()).one(slow()).leaves(secs(4));
    let ((), got) = tokio::join!(
        async {
            harness.ask(&leaving).await;
        },
        async {
            sleep(ms(1)).await;
            together(&harness, &play, 5).await
        }
    );
    assert_eq!(harness.script.called().len(), 2);
    assert_eq!((hits(&got), harness.held()), (4, 0));
    assert!(got[0].at > secs(12) && got[0].at < secs(14));
    // One that waits and leaves is missed by nobody.
    let harness = play.harness().await;
    let (got, _) = tokio::join!(together(&harness, &play, 5), async {
        sleep(ms(2)).await;
        harness.ask(&leaving).await
    });
    assert_eq!((hits(&got), harness.script.called().len()), (4, 1));
    assert_eq!(waited(&harness), [4, 0]);
}

#[tokio::test(start_paused = true)]
async fn where_there_is_nothing_to_keep_each_asks_for_itself() {
    let error = || {
        let said = Answer::stream().head_after(secs(3)).text("hi");
        said.finish_as("error").usage(10, 2).done()
    };
    let play = shared(play()).one(error());
    let harness = play.harness().await;
    let got = together(&harness, &play, 4).await;
    assert_eq!((hits(&got), harness.script.called().len()), (0, 4));
    // All at once, and not one after the other.
    assert!(got.iter().all(|got| got.at <= secs(6)));
    assert_eq!(waited(&harness), [0, 3]);
}

#[tokio::test(start_paused = true)]
async fn nobody_waits_for_longer_than_a_proxy_would() {
    const LONG: Duration = secs(200);
    let play = shared(play()).provider("one", [Answer::good().head_after(LONG), Answer::good()]);
    let harness = play.harness().await;
    let got = together(&harness, &play, 2).await;
    assert_eq!((status(&got[1]), got[1].at), ("MISS", WAIT));
    assert_eq!(harness.script.called().len(), 2);
    assert_eq!(waited(&harness), [0, 1]);
}

#[tokio::test(start_paused = true)]
async fn whoever_waits_is_given_nothing_that_it_could_not_pay_for() {
    let play = shared(play()).one(Answer::good().head_after(secs(9)));
    let harness = play.harness().await;
    let (got, ()) = tokio::join!(together(&harness, &play, 3), async {
        sleep(secs(5)).await;
        // Taken back while the first one runs, whose money is on hold.
        harness.tops_up(2 * PRICE - 1);
    });
    let statuses: Vec<_> = got.iter().map(|got| got.status).collect();
    assert_eq!(statuses, [200, 402, 402]);
    assert_eq!((harness.script.called().len(), harness.held()), (1, 0));
}

#[tokio::test(start_paused = true)]
async fn a_call_that_clears_waits_for_nobody() {
    let play = shared(play()).one(Answer::good().head_after(secs(9)));
    let harness = play.harness().await;
    let clearing = shared(super::harness::play())
        .one(Answer::good())
        .header("x-openrouter-cache-clear", "true");
    let clearing = async {
        sleep(secs(1)).await;
        harness.ask(&clearing).await
    };
    let (first, cleared) = tokio::join!(harness.ask(&play), clearing);
    assert_eq!((status(&first), status(&cleared)), ("MISS", "MISS"));
    assert_eq!(harness.script.called().len(), 2);
}

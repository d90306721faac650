//! What a provider can carry: what it says is left, and what is learned from
//! what it refuses.

use std::time::Duration;

use bourse_routing::bucket::Bucket;
use bourse_routing::health::Ticket;
use serde_json::Value;

use super::harness::{Got, Harness, NOW, Play, ms, play, secs};
use super::script::Answer;

/// An answer that was the last of its limit.
fn the_last(reset: &str, all: Option<&str>) -> Answer {
    let answer = Answer::good()
        .header("x-ratelimit-remaining-requests", "0")
        .header("x-ratelimit-reset-requests", reset);
    match all {
        Some(all) => answer.header("x-ratelimit-limit-requests", all),
        None => answer,
    }
}

/// The cheapest first, so that nothing is drawn.
fn by_price(play: Play) -> Play {
    play.member("model", "acme/chat:floor").in_any_order()
}

/// The provider that answers one more call.
async fn who(harness: &Harness, play: &Play) -> String {
    assert_eq!(harness.ask(play).await.text(), "hi");
    harness.script.called().pop().unwrap()
}

/// What is told of a provider among the candidates.
fn candidate(got: &Got, provider: &str) -> Value {
    let told = got
        .events()
        .find(|event| event["openrouter_metadata"].is_object())
        .unwrap();
    let lines = &told["openrouter_metadata"]["bourse"]["candidates"];
    let mut lines = lines.as_array().unwrap().iter();
    let found = lines.find(|line| line["provider"] == provider);
    found.unwrap().clone()
}

fn busy(harness: &Harness, provider: &str, calls: usize) -> Vec<Ticket> {
    let health = &harness.target(provider).health;
    let enter = |_| health.enter(Bucket::default(), NOW, true).unwrap();
    (0..calls).map(enter).collect()
}

#[tokio::test(start_paused = true)]
async fn a_provider_of_which_nothing_is_left_is_passed_by_until_it_says_to_the_millisecond() {
    let play = play()
        .provider("one", [the_last("20s", None), Answer::good()])
        .two(Answer::good())
        .wants_metadata();
    let harness = play.harness().await;
    assert_eq!(who(&harness, &play).await, "one");
    let got = harness.ask(&play).await;
    assert_eq!(candidate(&got, "one")["left_out"], "used_up");
    assert_eq!(candidate(&got, "one")["rest_ms"], 20_000);
    tokio::time::advance(secs(20) - ms(1)).await;
    assert_eq!(who(&harness, &play).await, "two");
    tokio::time::advance(ms(1)).await;
    assert_eq!(who(&harness, &play).await, "one");
}

#[tokio::test(start_paused = true)]
async fn a_caller_who_waits_for_as_long_as_is_told_is_served() {
    for (reset, all, wait) in [
        ("20s", None, secs(20)),
        ("1m0s", Some("20"), secs(3)),
        // More than five minutes are believed of nobody.
        ("24h0m0s", None, secs(300)),
    ] {
        let play = play().provider("one", [the_last(reset, all), Answer::good()]);
        let harness = play.harness().await;
        assert_eq!(who(&harness, &play).await, "one");
        let got = harness.ask(&play).await;
        assert_eq!(got.status, 429, "{reset}");
        assert_eq!(got.retry_after, Some(wait.as_secs().to_string()));
        tokio::time::advance(wait - ms(1)).await;
        assert_eq!(harness.ask(&play).await.status, 429, "{reset}");
        assert_eq!(harness.script.called().len(), 1, "{reset}: too early");
        tokio::time::advance(ms(1)).await;
        assert_eq!(who(&harness, &play).await, "one");
    }
}

/// Until it is whole again it may refuse, or not: others come first.
#[tokio::test(start_paused = true)]
async fn one_that_may_take_one_more_comes_after_others_until_its_limit_is_whole() {
    let play = by_price(play())
        .provider("one", [the_last("1m0s", Some("20")), Answer::good()])
        .two(Answer::good());
    let alone = super::harness::play().one(Answer::good());
    let harness = play.harness().await;
    assert_eq!(who(&harness, &play).await, "one");
    tokio::time::advance(secs(3)).await;
    assert_eq!(who(&harness, &alone).await, "one", "there it is asked");
    tokio::time::advance(secs(57) - ms(1)).await;
    assert_eq!(who(&harness, &play).await, "two");
    tokio::time::advance(ms(1)).await;
    assert_eq!(who(&harness, &play).await, "one");
}

#[tokio::test(start_paused = true)]
async fn anthropic_s_headers_are_read_and_what_is_left_of_others_does_not_matter() {
    let left = |requests: &str, tokens: &str| {
        Answer::good()
            .header("anthropic-ratelimit-requests-limit", "50")
            .header("anthropic-ratelimit-requests-remaining", requests)
            .header("anthropic-ratelimit-requests-reset", "2026-11-21T12:01:00Z")
            .header("anthropic-ratelimit-tokens-limit", "30000")
            .header("anthropic-ratelimit-tokens-remaining", tokens)
            .header("anthropic-ratelimit-tokens-reset", "2026-11-21T12:00:30Z")
    };
    for (requests, tokens, out) in [
        ("7", "12000", None),
        ("0", "12000", Some(ms(1_200))),
        // Rounded to thousands, and the next call may need few.
        ("7", "0", Some(ms(1))),
    ] {
        let play = play().one(left(requests, tokens)).two(Answer::good());
        let harness = play.harness().await;
        assert_eq!(who(&harness, &play).await, "one");
        let rest = harness.target("one").health.cooldown_ms(NOW);
        assert_eq!(rest.map(Duration::from_millis), out, "{requests}, {tokens}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_provider_that_refuses_gets_fewer_at_once_and_comes_last_when_it_is_full() {
    for status in [429, 529] {
        let play = by_price(play())
            .provider("one", [Answer::status(status), Answer::good()])
            .two(Answer::good())
            .wants_metadata();
        let harness = play.harness().await;
        let one = harness.target("one");
        let mut running = busy(&harness, "one", 10);
        assert_eq!(who(&harness, &play).await, "two");
        assert_eq!(one.health.calls_max(NOW), Some(9), "{status}");
        // Whoever was ejected may be asked by then.
        tokio::time::advance(secs(60)).await;
        for _ in 0..20 {
            let got = harness.ask(&play).await;
            let told = candidate(&got, "one");
            let full = (&told["is_full"], &told["calls_max"], &told["left_out"]);
            assert_eq!(
                full,
                (&true.into(), &9.into(), &Value::Null),
                "last, not out"
            );
        }
        let called = harness.script.called();
        let asked = called.iter().filter(|name| *name == "one").count();
        assert_eq!(asked, 1, "{status}");
        let text = crate::exposition::render(harness.gateway());
        let line = "bourse_endpoint_calls_limit{model=\"acme/chat\",provider=\"one\",endpoint=\"acme/chat@one\"} 9\n";
        assert!(text.contains(line), "{text}");
        running.truncate(5);
        assert_eq!(who(&harness, &play).await, "one", "it has room again");
    }
}

#[tokio::test(start_paused = true)]
async fn a_full_provider_that_is_alone_is_asked() {
    let play = play().provider("one", [Answer::status(429), Answer::good()]);
    let harness = play.harness().await;
    let running = busy(&harness, "one", 10);
    assert_eq!(harness.ask(&play).await.status, 429);
    tokio::time::advance(ms(2)).await;
    assert!(harness.target("one").health.is_full(NOW));
    assert_eq!(harness.ask(&play).await.text(), "hi");
    drop(running);
}

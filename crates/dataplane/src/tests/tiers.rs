//! Tiers of service: what is asked for, set aside, served and paid.

use std::sync::atomic::Ordering::Relaxed;

use bourse_vocab::{Format, TierWish};
use serde_json::{Value, json};

use super::books::Remembered;
use super::harness::{Play, Played, play, play_whole};
use super::script::Answer;
use crate::alarms::kind::Kind;

/// A call that asks for a tier of providers that sell two.
fn asks(play: Play, tier: &str) -> Play {
    play.member("service_tier", tier)
        .setup(|setup| setup.tiers = true)
}

/// A whole answer of 10 tokens in and 2 out that says how it was served.
fn whole(tier: Option<&str>) -> Answer {
    let mut body = json!({
        "id": "up-whole",
        "choices": [{"index": 0, "finish_reason": "stop",
            "message": {"role": "assistant", "content": "hi"}}],
        "usage": {"prompt_tokens": 10, "completion_tokens": 2, "total_tokens": 12},
    });
    if let Some(tier) = tier {
        body["service_tier"] = tier.into();
    }
    Answer::reply(&body)
}

/// The same as a stream.
fn streamed(tier: &str) -> Answer {
    let chunk = |delta: Value, finish: Option<&str>| {
        json!({"id": "up-1", "object": "chat.completion.chunk", "model": "m",
            "service_tier": tier,
            "choices": [{"index": 0, "delta": delta, "finish_reason": finish}]})
    };
    Answer::stream()
        .data(&chunk(json!({"content": "hi"}), None))
        .data(&chunk(json!({}), Some("stop")))
        .usage(10, 2)
        .done()
}

/// The same as Google streams it.
fn gemini(tier: &str) -> Answer {
    let frame = json!({"responseId": "up-1", "modelVersion": "m",
        "candidates": [{"content": {"role": "model", "parts": [{"text": "hi"}]},
            "finishReason": "STOP", "index": 0}],
        "usageMetadata": {"promptTokenCount": 10, "candidatesTokenCount": 2,
            "totalTokenCount": 12, "serviceTier": tier}});
    Answer::stream().data(&frame)
}

fn facts(played: &Played) -> &Remembered {
    played.booked.facts.as_ref().unwrap()
}

/// What the answer says that it cost, digit by digit.
fn cost(played: &Played) -> &str {
    let (_, rest) = played.got.body.split_once("\"cost\":").unwrap();
    rest.split(',').next().unwrap()
}

/// What was written to the provider in `service_tier`, call by call.
fn told(played: &Played) -> Vec<Value> {
    let bodies = played.harness.script.bodies();
    bodies
        .iter()
        .map(|body| body["service_tier"].clone())
        .collect()
}

#[tokio::test(start_paused = true)]
async fn a_tier_is_asked_for_set_aside_paid_and_told() {
    let usual = play_whole().one(whole(Some("default"))).play().await;
    for (tier, dearer) in [("priority", 2), ("fast", 2)] {
        let played = asks(play_whole(), tier)
            .one(whole(Some("priority")))
            .check("settled 10/2; customer pays one")
            .await;
        assert_eq!(told(&played), ["priority"]);
        let facts = facts(&played);
        assert_eq!(facts.endpoint, "acme/chat@one/priority");
        assert_eq!(facts.tier, "priority");
        let body: Value = serde_json::from_str(&played.got.body).unwrap();
        assert_eq!(body["service_tier"], "priority");
        assert_eq!(cost(&played), "0.000028");
        // But for what rounding may add.
        let (held, once) = (played.booked.holds[0], usual.booked.holds[0]);
        assert!((held - dearer * once).abs() <= 24, "{held} {once}");
    }
    let played = asks(play_whole(), "flex")
        .one(whole(Some("flex")))
        .check("settled 10/2; customer pays one")
        .await;
    assert_eq!(told(&played), ["flex"]);
    assert_eq!(cost(&played), "0.000007");
}

#[tokio::test(start_paused = true)]
async fn what_was_served_is_paid_on_every_road() {
    // The bytes of a stream pass; those of Google are translated.
    for (answer, format, served) in [
        (streamed("default"), Format::OpenAiChat, "default"),
        (streamed("fast"), Format::OpenAiChat, "priority"),
        (gemini("standard"), Format::Gemini, "default"),
        (gemini("PRIORITY"), Format::Gemini, "priority"),
    ] {
        let played = asks(play(), "priority")
            .setup(|setup| setup.format = format)
            .one(answer)
            .check("settled 10/2; customer pays one")
            .await;
        assert_eq!(told(&played), ["priority"]);
        assert_eq!(facts(&played).tier, served);
        assert_eq!(facts(&played).endpoint, "acme/chat@one/priority");
        let said = format!("\"service_tier\":\"{served}\"");
        assert!(played.got.body.contains(&said), "{}", played.got.body);
        assert!(!played.got.body.contains("fast"), "{}", played.got.body);
    }
}

#[tokio::test(start_paused = true)]
async fn google_may_name_the_tier_in_the_head_alone() {
    let mut frame = json!({"responseId": "up-1", "modelVersion": "m",
        "candidates": [{"content": {"role": "model", "parts": [{"text": "hi"}]},
            "finishReason": "STOP", "index": 0}]});
    frame["usageMetadata"] = json!({"promptTokenCount": 10, "candidatesTokenCount": 2,
        "totalTokenCount": 12});
    let played = asks(play_whole(), "priority")
        .setup(|setup| setup.format = Format::Gemini)
        .one(Answer::reply(&frame).header("x-gemini-service-tier", "standard"))
        .check("settled 10/2; customer pays one")
        .await;
    assert_eq!(facts(&played).tier, "default");
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_says_nothing_was_served_what_it_was_asked_for() {
    for tier in ["priority", "flex", "default", "auto"] {
        // The books compare the charge with the tier's price.
        let played = asks(play_whole(), tier)
            .one(whole(None))
            .check("settled 10/2; customer pays one")
            .await;
        assert_eq!(told(&played), [tier]);
        assert_eq!(facts(&played).tier, "");
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_left_to_the_provider_is_set_aside_for_the_dearest() {
    let held = |tier: &'static str| async move {
        let call = asks(play_whole(), tier).one(whole(Some("default")));
        call.play().await.booked.holds[0]
    };
    let [usual, auto, priority] = [
        held("default").await,
        held("auto").await,
        held("priority").await,
    ];
    assert_eq!(auto, priority);
    assert!(auto > usual, "{auto} {usual}");
    let played = asks(play_whole(), "auto")
        .one(whole(Some("priority")))
        .check("settled 10/2; customer pays one")
        .await;
    assert_eq!(facts(&played).endpoint, "acme/chat@one");
    assert_eq!(facts(&played).tier, "priority");
}

/// A project may be set to serve whatever says nothing by a dearer tier. The
/// first such answer's price was not set aside.
#[tokio::test(start_paused = true)]
async fn a_provider_that_gives_dearer_tiers_unasked_is_believed_from_then_on() {
    let play = play_whole()
        .setup(|setup| setup.tiers = true)
        .one(whole(Some("priority")));
    let harness = play.harness().await;
    assert_eq!(harness.ask(&play).await.status, 200);
    let first = harness.spent();
    let target = harness.target("one");
    assert!(target.metrics.served_dearer.load(Relaxed));
    let told = harness.gateway().alarms.subjects(Kind::TierNotAgreed);
    assert_eq!(told, [&*target.id]);
    let market = harness.gateway().market.load();
    let lists = |wish| market.may_bill(&target, wish).count();
    assert_eq!(lists(TierWish::None), 3);
    // Whoever says which tier is not affected.
    assert_eq!(lists(TierWish::Standard), 1);
    assert_eq!(harness.ask(&play).await.status, 200);
    let second = harness.spent() - first;
    assert!(first > 0 && second == 2 * first, "{first} {second}");
}

#[tokio::test(start_paused = true)]
async fn a_tier_whose_price_nobody_knows_is_billed_by_the_dearest_and_told_to_the_operator() {
    let played = asks(play_whole(), "default")
        .one(whole(Some("scale")))
        .check("settled 10/2; customer pays one")
        .await;
    assert_eq!(facts(&played).tier, "scale");
    let alarms = &played.harness.gateway().alarms;
    assert_eq!(alarms.subjects(Kind::TierNotAgreed), ["acme/chat@one"]);
}

#[tokio::test(start_paused = true)]
async fn a_faster_tier_falls_back_to_the_usual_one_and_says_so() {
    let played = asks(play_whole(), "priority")
        .provider("one", [Answer::status(503), whole(Some("default"))])
        .check("settled 10/2; customer pays one")
        .await;
    // A project may be set to serve whatever says nothing by a dearer tier.
    assert_eq!(told(&played), ["priority", "default"]);
    assert_eq!(facts(&played).endpoint, "acme/chat@one");
    let played = asks(play_whole(), "priority")
        .wants_metadata()
        .provider("one", [Answer::status(503), whole(Some("default"))])
        .play()
        .await;
    let body: Value = serde_json::from_str(&played.got.body).unwrap();
    let losses = &body["openrouter_metadata"]["translation_losses"];
    assert_eq!(losses[0]["field"], "service_tier", "{losses}");
    assert_eq!(losses[0]["outcome"], "degraded", "{losses}");
    // The generation's record says the same.
    let extra: Value = serde_json::from_str(&facts(&played).extra).unwrap();
    assert_eq!(extra["translation_losses"], *losses, "{extra}");
}

#[tokio::test(start_paused = true)]
async fn the_cheaper_tier_never_becomes_the_usual_one() {
    let played = asks(play_whole(), "flex")
        .provider("one", [Answer::status(429), whole(None)])
        .play()
        .await;
    assert_eq!(played.got.status, 429);
    assert_eq!(told(&played), ["flex"]);
}

#[tokio::test(start_paused = true)]
async fn a_tier_without_a_price_is_refused_and_names_the_remedy() {
    for (tier, says) in [
        (
            "priority",
            "has a price for `priority`; leave service_tier out",
        ),
        ("flex", "has a price for `flex`; leave service_tier out"),
        (
            "ultrafast",
            "has a price for `ultrafast`; leave service_tier out",
        ),
        ("scale", "bought in advance"),
        ("nonsense", "is not one of auto, default, flex"),
    ] {
        for call in [play(), play_whole()] {
            let played = call
                .member("service_tier", tier)
                .one(Answer::good())
                .play()
                .await;
            assert_eq!(played.got.status, 400, "{}", played.got.body);
            assert!(
                played.got.body.contains("service_tier: "),
                "{}",
                played.got.body
            );
            assert!(played.got.body.contains(says), "{}", played.got.body);
            assert_eq!(told(&played), [Value::Null; 0]);
        }
    }
    for tier in ["auto", "default"] {
        play()
            .member("service_tier", tier)
            .one(Answer::good())
            .check("settled 10/2; customer pays one")
            .await;
    }
}

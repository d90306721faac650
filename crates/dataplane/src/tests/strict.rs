//! Keys whose calls are refused rather than told to a provider in part.

use serde_json::json;

use super::harness::{Play, play_whole};
use super::script::Answer;

/// A call for a faster tier than the only provider that is left can give: it is
/// told to give the usual one, which is less than what was asked for.
fn asks_too_much(strict: bool) -> Play {
    play_whole()
        .member("service_tier", "priority")
        .provider("one", [Answer::status(503), Answer::whole()])
        .setup(move |setup| {
            setup.tiers = true;
            setup.key_calls.strict = strict;
        })
}

#[tokio::test(start_paused = true)]
async fn what_a_provider_cannot_be_told_in_full_refuses_calls_of_a_strict_key() {
    let lenient = asks_too_much(false).play().await;
    assert_eq!(lenient.got.status, 200, "{}", lenient.got.body);
    for wishes in [json!({}), json!({"require_parameters": false})] {
        let play = asks_too_much(true).member("provider", wishes.clone());
        let strict = play.play().await;
        assert_ne!(strict.got.status, 200, "{wishes}");
        // The provider that it could be told in full is the only one asked.
        assert_eq!(strict.harness.script.bodies().len(), 1, "{wishes}");
        assert_eq!(strict.harness.spent(), 0, "{wishes}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_strict_key_asks_for_nothing_where_nothing_is_lost() {
    let play = play_whole()
        .one(Answer::whole())
        .setup(|setup| setup.key_calls.strict = true);
    assert_eq!(play.play().await.got.status, 200);
}

#[tokio::test(start_paused = true)]
async fn the_refusal_names_what_decides() {
    for (strict, wishes, remedy) in [
        (true, json!({}), "call with a key that is not strict"),
        (
            false,
            json!({"require_parameters": true}),
            "provider.require_parameters",
        ),
    ] {
        let play = asks_too_much(strict).member("provider", wishes);
        let played = play.play().await;
        assert!(played.got.body.contains(remedy), "{}", played.got.body);
    }
}

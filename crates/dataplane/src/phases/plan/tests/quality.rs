//! Calls with tools.

use bourse_wire::tool_calls::{Made, Tally, judge};

use super::*;

const PROVIDERS: &[&str] = &["p0", "p1", "p2", "p3", "p4", "p5", "p6", "p7"];
const BROKEN: &str = "p5";
const MODEL: &[&str] = &["acme/m"];
const TOOLS: &[Parameter] = &[Parameter::Tools];

/// One model at eight providers of one price, that all have tools. The broken
/// one is the cheapest.
fn eight() -> Market {
    let providers: Vec<_> = PROVIDERS
        .iter()
        .map(|name| format!(r#""{name}":{{"base_url":"https://{name}.example/v1"}}"#))
        .collect();
    let endpoints: Vec<_> = PROVIDERS
        .iter()
        .map(|name| {
            let price = if *name == BROKEN { "1" } else { "2" };
            format!(
                r#"{{"provider":"{name}","upstream_model":"m","supported_parameters":["tools"],
                    "price":{{"prompt":"{price}","completion":"{price}"}}}}"#
            )
        })
        .collect();
    let overlay = format!(
        r#"{{"providers":{{{}}},"models":[{{"slug":"acme/m","endpoints":[{}]}}]}}"#,
        providers.join(","),
        endpoints.join(",")
    );
    build(PROVIDERS, serde_json::from_str(&overlay).unwrap())
}

/// An answer with a tool call that is good, or is none of the tools.
fn tally(is_good: bool) -> Tally {
    let mut made = Made::default();
    made.begin(0, 0, if is_good { "t" } else { "u" });
    judge(&made, Some(br#"[{"name":"t"}]"#))
}

/// Every provider has had so many answers, of which a fifth were bad at the
/// broken one.
fn learn(market: &Market, answers: u64) {
    for target in market.targets() {
        let is_broken = *target.provider.slug == *BROKEN;
        for n in 0..answers {
            let tally = tally(!is_broken || n % 5 > 0);
            target.metrics.note_tools(&tally, NOW_MS);
        }
    }
}

/// When plans of these tests are made.
const NOW_MS: u64 = 1_000;

/// The order, and the providers in it.
fn planned(market: &Market, parameters: &[Parameter], wishes: &str) -> (String, Vec<String>) {
    planned_for(market, MODEL, parameters, wishes)
}

fn planned_for(
    market: &Market,
    models: &[&str],
    parameters: &[Parameter],
    wishes: &str,
) -> (String, Vec<String>) {
    let wishes = Preferences::read(wishes).unwrap();
    let mut decision = Decision::default();
    let told = Some(&mut decision);
    planned_with(market, models, parameters, &wishes, TierWish::None, told).unwrap();
    let told = decision.told(market, |_| true);
    let lines = told["candidates"].as_array().unwrap().iter();
    let places = lines.filter(|line| !line["place"].is_null());
    let providers = places.map(|line| line["provider"].as_str().unwrap().to_owned());
    (
        told["order"].as_str().unwrap().to_owned(),
        providers.collect(),
    )
}

#[test]
fn a_call_with_tools_goes_by_quality_unless_its_caller_sorts() {
    let market = eight();
    let order =
        |models: &[&str], parameters, wishes| planned_for(&market, models, parameters, wishes).0;
    assert_eq!(order(MODEL, TOOLS, "{}"), "exacto");
    assert_eq!(order(MODEL, &[], "{}"), "weighted");
    assert_eq!(order(MODEL, TOOLS, r#"{"sort":"price"}"#), "price");
    assert_eq!(order(&["acme/m:floor"], TOOLS, "{}"), "price");
    assert_eq!(order(&["acme/m:nitro"], TOOLS, "{}"), "throughput");
    for wishes in [
        r#"{"sort":"exacto"}"#,
        r#"{"sort":{"by":"exacto","partition":"none"}}"#,
    ] {
        assert_eq!(order(MODEL, &[], wishes), "exacto");
    }
    assert_eq!(order(&["acme/m:exacto"], &[], "{}"), "exacto");
}

/// Below the floors, where a model has calls without tools and with.
#[test]
fn the_order_is_the_balanced_one_until_enough_is_known() {
    let market = eight();
    learn(&market, 199);
    let (_, balanced) = planned(&market, &[], "{}");
    assert_eq!(planned(&market, TOOLS, "{}").1, balanced);
    assert!(balanced.contains(&BROKEN.to_owned()));
}

#[test]
fn who_breaks_a_fifth_of_its_calls_comes_last_and_why_is_told() {
    let market = eight();
    learn(&market, 200);
    let (_, by_quality) = planned(&market, TOOLS, "{}");
    assert_eq!(by_quality.last().unwrap(), BROKEN);
    assert_eq!(by_quality.len(), 8);
    // Everybody else is asked as if nothing were known.
    assert_eq!(planned(&market, TOOLS, r#"{"sort":"price"}"#).1[0], BROKEN);
    let (_, balanced) = planned(&market, &[], "{}");
    let mut decision = Decision::default();
    let wishes = Preferences::default();
    let tier = TierWish::None;
    planned_with(&market, MODEL, TOOLS, &wishes, tier, Some(&mut decision)).unwrap();
    let told = decision.told(&market, |_| true);
    for line in told["candidates"].as_array().unwrap() {
        let (tier, why) = if line["provider"] == BROKEN {
            ("deprioritised", serde_json::json!(["tool_calls"]))
        } else {
            ("good", serde_json::json!([]))
        };
        assert_eq!(
            (&line["quality"], &line["quality_why"]),
            (&tier.into(), &why)
        );
    }
    assert_ne!(balanced, by_quality);
}

/// How good an endpoint is does not depend on whom a caller allows.
#[test]
fn endpoints_are_compared_with_all_of_their_model() {
    let market = eight();
    learn(&market, 200);
    let wishes = format!(r#"{{"only":["{BROKEN}","p1"]}}"#);
    assert_eq!(planned(&market, TOOLS, &wishes).1, ["p1", BROKEN]);
}

#[test]
fn endpoints_are_compared_anew_once_in_ten_seconds() {
    let market = eight();
    let model = market.targets()[0].model;
    assert!(market.is_due_for_rating(model, 1_000_000));
    assert!(!market.is_due_for_rating(model, 1_000_000));
    assert!(!market.is_due_for_rating(model, 1_009_999));
    assert!(market.is_due_for_rating(model, 1_010_000));
}

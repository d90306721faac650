use bourse_catalog::{Modalities, Modality, Overlay, Parameter, Parameters, RawCatalog, Snapshot};
use bourse_net::Http2;
use bourse_providers::{Compatible, Credential, Disconnect, Key};
use bourse_routing::strategies::STRATEGIES;

use super::*;
use crate::endpoints::chat;
use crate::market::{Memory, ProviderSetup};

mod quality;

/// Two models. Of the first, `tools` has tools, `forms` has formats of
/// replies, `both` has both at a price and `plain` has neither and is the
/// cheapest.
fn market(among: &[&str]) -> Market {
    let list = |model: &str, endpoints: &[(&str, &str, &str)]| {
        let endpoints: Vec<_> = endpoints
            .iter()
            .filter(|(provider, ..)| among.contains(provider))
            .map(|(provider, price, parameters)| {
                format!(
                    r#"{{"provider":"{provider}","upstream_model":"m","price":{{"prompt":"{price}",
                        "completion":"{price}"}},"supported_parameters":[{parameters}]}}"#
                )
            })
            .collect();
        format!(
            r#"{{"slug":"acme/{model}","endpoints":[{}]}}"#,
            endpoints.join(",")
        )
    };
    let providers: Vec<_> = among
        .iter()
        .map(|name| format!(r#""{name}":{{"base_url":"https://{name}.example/v1"}}"#))
        .collect();
    let overlay: Overlay = serde_json::from_str(&format!(
        r#"{{"providers":{{{}}},"models":[{},{}]}}"#,
        providers.join(","),
        list(
            "first",
            &[
                ("tools", "2", r#""tools","tool_choice""#),
                ("forms", "3", r#""response_format""#),
                (
                    "both",
                    "9",
                    r#""tools","tool_choice","response_format","seed""#
                ),
                ("plain", "1", ""),
            ]
        ),
        list("second", &[("plain", "1", "")]),
    ))
    .unwrap();
    build(among, overlay)
}

fn build(among: &[&str], overlay: Overlay) -> Market {
    let setups = among.iter().map(|name| ProviderSetup {
        provider: Arc::new(Compatible::operators_own(
            name,
            "https://x.example/v1",
            bourse_vocab::Format::OpenAiChat,
        )),
        credentials: vec![Credential::bearer(Key::new("sk")).into()],
        base_url: format!("http://{name}.example/v1"),
        http2: Http2::Never,
        on_disconnect: Disconnect::Cancel,
        private_urls: false,
        via: None,
        simulated: false,
    });
    let catalog = Snapshot::build(RawCatalog::default(), &[overlay])
        .unwrap()
        .with_sort_suffixes(strategies::suffixes());
    let (market, problems) =
        Market::build(Arc::new(catalog), setups.collect(), 0, &Memory::default());
    assert!(problems.is_empty(), "{problems:?}");
    market
}

const ALL: &[&str] = &["tools", "forms", "both", "plain"];

/// The providers in the order in which a call tries them, cheapest first.
fn order(
    among: &[&str],
    models: &[&str],
    sent: &[Parameter],
    wishes: &str,
) -> Result<Vec<String>, Failure> {
    let planned = planned(&market(among), models, sent, wishes, TierWish::None)?;
    Ok(planned
        .targets()
        .map(|target| target.provider.slug.to_string())
        .collect())
}

/// The plan of a call.
fn planned(
    market: &Market,
    models: &[&str],
    sent: &[Parameter],
    wishes: &str,
    tier: TierWish,
) -> Result<Plan, Failure> {
    let wishes = Preferences::read(wishes).unwrap();
    planned_with(market, models, sent, &wishes, tier, None)
}

fn planned_with(
    market: &Market,
    models: &[&str],
    sent: &[Parameter],
    wishes: &Preferences,
    tier: TierWish,
    decision: Option<&mut Decision>,
) -> Result<Plan, Failure> {
    let text = Modalities::of(&[Modality::Text]);
    let models: Vec<String> = models.iter().map(|&model| model.to_owned()).collect();
    let wanted = Wanted {
        endpoint: &chat::Chat,
        models: &models,
        wishes,
        needs: Needs {
            input: text,
            output: text,
            parameters: Parameters::of(sent),
            text_bytes: 10,
            max_output: None,
        },
        tier,
        private_url: false,
        facts: &PromptFacts::default(),
        units: &Units::default(),
        stream: false,
        thinking: Thinking::default(),
        lot: Lot::single(0.0),
        stuck: None,
        now_ms: 1_000,
    };
    plan(market, &wanted, decision)
}

/// A market of one model whose only provider but `plain` sells tiers.
fn market_of_tiers() -> Market {
    let overlay: Overlay = serde_json::from_str(
        r#"{"providers":{"plain":{"base_url":"https://p.example/v1"},
                "tiers":{"base_url":"https://t.example/v1"}},
            "models":[{"slug":"acme/first","endpoints":[
                {"provider":"plain","upstream_model":"m","price":{"prompt":"2","completion":"2"}},
                {"provider":"tiers","upstream_model":"m","price":{"prompt":"4","completion":"4",
                    "services":{"flex":{"prompt":"1","completion":"1"},
                        "priority":{"prompt":"8","completion":"8"},
                        "ultrafast":{"prompt":"24","completion":"24"}}}}]}]}"#,
    )
    .unwrap();
    build(&["plain", "tiers"], overlay)
}

#[test]
fn tiers_of_service_are_planned_as_openrouter_documents_them() {
    use ServiceTier::{Flex, Priority, Ultrafast};
    let market = market_of_tiers();
    let order = |model: &str, wishes: &str, wish: TierWish| -> Vec<String> {
        let planned = planned(&market, &[model], &[], wishes, wish).unwrap();
        planned
            .targets()
            .map(|target| target.tag.to_string())
            .collect()
    };
    let tier = TierWish::Tier;
    let cheap = r#"{"sort":"price"}"#;
    for (model, wishes, wish, expected) in [
        // Nobody asked for a tier.
        ("acme/first", cheap, TierWish::None, &["plain", "tiers"][..]),
        ("acme/first", cheap, TierWish::Auto, &["plain", "tiers"]),
        (
            "acme/first",
            cheap,
            tier(Priority),
            &["tiers/priority", "plain", "tiers"],
        ),
        (
            "acme/first",
            cheap,
            tier(Ultrafast),
            &["tiers/ultrafast", "tiers/priority", "plain", "tiers"],
        ),
        ("acme/first", cheap, tier(Flex), &["tiers/flex"]),
        // Named by its tag, with and without a word about the tier.
        (
            "acme/first",
            r#"{"only":["tiers/priority"]}"#,
            TierWish::None,
            &["tiers/priority"],
        ),
        (
            "acme/first",
            r#"{"order":["tiers/priority"],"sort":"price"}"#,
            TierWish::None,
            &["tiers/priority", "plain", "tiers"],
        ),
        (
            "acme/first",
            r#"{"only":["tiers"]}"#,
            TierWish::None,
            &["tiers"],
        ),
        (
            "acme/first",
            r#"{"only":["tiers"]}"#,
            tier(Priority),
            &["tiers/priority", "tiers"],
        ),
        // The suffixes admit one each, unless the caller says otherwise.
        (
            "acme/first:floor",
            "{}",
            TierWish::None,
            &["tiers/flex", "plain", "tiers"],
        ),
        (
            "acme/first:nitro",
            "{}",
            TierWish::None,
            &["plain", "tiers", "tiers/priority"],
        ),
        (
            "acme/first:floor",
            "{}",
            TierWish::Standard,
            &["plain", "tiers"],
        ),
        (
            "acme/first:floor",
            r#"{"order":["tiers"]}"#,
            TierWish::None,
            &["tiers", "plain"],
        ),
    ] {
        assert_eq!(
            order(model, wishes, wish),
            expected,
            "{model} {wishes} {wish:?}"
        );
    }
    // One that sells it and may not serve is as good as none.
    for (wishes, wish) in [
        (r#"{"only":["plain"]}"#, tier(Flex)),
        (r#"{"ignore":["tiers"]}"#, tier(Priority)),
        (r#"{"max_price":{"prompt":"8"}}"#, tier(Ultrafast)),
    ] {
        let planned = planned(&market, &["acme/first"], &[], wishes, wish);
        match (wish, planned) {
            // Priority is what it falls back to.
            (TierWish::Tier(Ultrafast), Ok(plan)) => {
                assert_eq!(&*plan.first().tag, "tiers/priority");
            }
            (_, Err(failure)) => {
                assert!(failure.message.starts_with("service_tier: "), "{failure:?}");
            }
            (wish, Ok(plan)) => panic!("{wish:?}: {}", plan.first().tag),
        }
    }
}

const CHEAPEST: &str = r#"{"sort":"price"}"#;

#[test]
fn an_endpoint_that_supports_a_preferred_parameter_keeps_out_those_that_do_not() {
    let tools = [Parameter::Tools, Parameter::ToolChoice];
    for (sent, expected) in [
        (&[][..], &["plain", "tools", "forms", "both"][..]),
        (&tools, &["tools", "both"]),
        (&[Parameter::ResponseFormat], &["forms", "both"]),
        (&[Parameter::Tools, Parameter::ResponseFormat], &["both"]),
        // Verbosity is preferred too, and no endpoint has it.
        (
            &[Parameter::Verbosity],
            &["plain", "tools", "forms", "both"],
        ),
        // A seed is sent where it is understood, and prefers none.
        (&[Parameter::Seed], &["plain", "tools", "forms", "both"]),
    ] {
        let found = order(ALL, &["acme/first"], sent, CHEAPEST).unwrap();
        assert_eq!(found, expected, "{sent:?}");
    }
}

/// None has all of it: that is no reason to ask where there is none of it.
#[test]
fn where_no_endpoint_has_every_preferred_parameter_those_with_most_are_asked() {
    let among = &["tools", "forms", "plain"];
    let sent = [Parameter::Tools, Parameter::ResponseFormat];
    let found = order(among, &["acme/first"], &sent, CHEAPEST).unwrap();
    assert_eq!(found, ["tools", "forms"]);
    let sent = [Parameter::Tools, Parameter::Verbosity];
    let found = order(among, &["acme/first"], &sent, CHEAPEST).unwrap();
    assert_eq!(found, ["tools"]);
}

#[test]
fn a_preferred_parameter_takes_no_model_out_of_the_list() {
    let models = ["acme/first", "acme/second"];
    let found = order(ALL, &models, &[Parameter::Tools], CHEAPEST).unwrap();
    assert_eq!(found, ["tools", "both", "plain"]);
}

#[test]
fn parameters_that_are_required_exclude_even_where_no_endpoint_is_left() {
    let strict = r#"{"sort":"price","require_parameters":true}"#;
    let found = order(ALL, &["acme/first"], &[Parameter::Seed], strict).unwrap();
    assert_eq!(found, ["both"]);
    let refused = order(ALL, &["acme/first"], &[Parameter::Verbosity], strict);
    assert!(refused.is_err_and(|failure| failure.message.contains("require_parameters")));
}

#[test]
fn every_suffix_of_the_table_orders_the_endpoints_of_all_models() {
    for strategy in STRATEGIES {
        let Some(suffix) = strategy.suffix() else {
            continue;
        };
        let second = format!("acme/second:{suffix}");
        let by_suffix = order(ALL, &["acme/first", &second], &[], "{}").unwrap();
        let wishes = format!(r#"{{"sort":"{}"}}"#, strategy.name());
        let by_name = order(ALL, &["acme/first", "acme/second"], &[], &wishes).unwrap();
        assert_eq!(by_suffix, by_name, "{suffix}");
    }
}

#[test]
fn a_suffix_that_no_strategy_has_is_part_of_no_name() {
    let failure = order(ALL, &["acme/first:fast"], &[], "{}").unwrap_err();
    assert!(failure.message.contains("not a valid model ID"));
}

/// A strategy is given what it looks at, and nothing else is measured.
#[test]
fn only_what_a_strategy_or_a_cut_off_needs_is_measured() {
    let wishes = |json| Preferences::read(json).unwrap();
    let none = wishes("{}");
    assert_eq!(measured(&none, None), Measurements::default());
    for strategy in STRATEGIES {
        let sort = Sort {
            by: *strategy,
            partition: Partition::Model,
        };
        assert_eq!(measured(&none, Some(sort)), strategy.needs());
    }
    let cut = wishes(r#"{"preferred_max_latency":1,"preferred_min_throughput":2}"#);
    let both = Measurements {
        latency: true,
        throughput: true,
        quality: false,
    };
    assert_eq!(measured(&cut, None), both);
}

/// What is told of each target: its endpoint, its place and why it has none.
fn told(market: &Market, sent: &[Parameter], wishes: &str) -> Vec<(String, Option<u64>, String)> {
    let mut decision = Decision::default();
    let models = ["acme/first"];
    let wishes = Preferences::read(wishes).unwrap();
    let _ = planned_with(
        market,
        &models,
        sent,
        &wishes,
        TierWish::None,
        Some(&mut decision),
    );
    let told = decision.told(market, |_| true);
    let lines = told["candidates"].as_array().unwrap().iter();
    lines
        .map(|line| {
            let text = |name: &str| line[name].as_str().unwrap_or("").to_owned();
            (text("provider"), line["place"].as_u64(), text("left_out"))
        })
        .collect()
}

#[test]
fn a_decision_tells_every_target_its_place_or_why_it_has_none() {
    let line = |provider: &str, place, why: &str| (provider.to_owned(), place, why.to_owned());
    let market = market(ALL);
    let cheap = r#"{"sort":"price"}"#;
    let all = told(&market, &[], cheap);
    let expected = [
        line("plain", Some(1), ""),
        line("tools", Some(2), ""),
        line("forms", Some(3), ""),
        line("both", Some(4), ""),
    ];
    assert_eq!(all, expected);

    // What supports less than another is left out, and so is what is ignored
    // or costs too much.
    let with_tools = told(&market, &[Parameter::Tools], cheap);
    assert!(with_tools.contains(&line("plain", None, "supports_fewer_parameters")));
    assert!(with_tools.contains(&line("tools", Some(1), "")));
    let wishes = r#"{"ignore":["plain"],"max_price":{"prompt":8},"sort":"price"}"#;
    let filtered = told(&market, &[], wishes);
    assert!(filtered.contains(&line("plain", None, "allowed_providers")));
    assert!(filtered.contains(&line("both", None, "max_price")));
    let alone = told(&market, &[], r#"{"allow_fallbacks":false,"sort":"price"}"#);
    assert!(alone.contains(&line("tools", None, "allow_fallbacks")));
    assert_eq!(alone.iter().filter(|line| line.1.is_some()).count(), 1);
}

#[test]
fn a_decision_tells_who_rests_who_is_broken_and_what_is_under_way() {
    let market = market(ALL);
    let target = |slug: &str| {
        let mut targets = market.targets().iter();
        targets
            .find(|t| *t.provider.slug == *slug && t.id.starts_with("acme/first"))
            .unwrap()
    };
    let fails = |slug: &str, failure: &Failure, times: usize| {
        for _ in 0..times {
            let sort = Bucket::of(0, bourse_routing::lengths::Thought::None, false);
            let ticket = target(slug).health.enter(sort, 1_000, false).unwrap();
            let outcome =
                bourse_routing::health::Outcome::of(failure, bourse_routing::classes::Place::Sent);
            ticket.end(1_000, outcome, 0.5);
        }
    };
    let limited = Failure::new(bourse_vocab::FailureKind::RateLimited, "slow down")
        .retry_after(std::time::Duration::from_millis(2_500));
    fails("plain", &limited, 1);
    let down = Failure::unavailable("no");
    fails("tools", &down, 5);
    let bucket = Bucket::of(0, bourse_routing::lengths::Thought::None, false);
    let _under_way = target("forms").health.enter(bucket, 1_000, false).unwrap();

    let mut decision = Decision::default();
    let wishes = Preferences::default();
    planned_with(
        &market,
        &["acme/first"],
        &[],
        &wishes,
        TierWish::None,
        Some(&mut decision),
    )
    .unwrap();
    let told = decision.told(&market, |_| true);
    let of = |slug: &str| {
        let mut lines = told["candidates"].as_array().unwrap().iter();
        lines.find(|line| line["provider"] == slug).unwrap().clone()
    };
    let (plain, tools, forms) = (of("plain"), of("tools"), of("forms"));
    assert_eq!(plain["left_out"], "resting");
    assert_eq!(plain["rest_ms"], 2_500);
    assert_eq!(tools["left_out"], "broken");
    assert_eq!(tools["standing"], "open");
    assert!(tools["rest_ms"].as_u64().unwrap() > 0, "{tools}");
    assert_eq!(
        (&forms["in_flight"], &forms["standing"]),
        (&1.into(), &"closed".into())
    );
    // 512 tokens of an answer at three dollars a million, and the prompt.
    let price: f64 = forms["price_usd"].as_str().unwrap().parse().unwrap();
    assert!((0.001_5..0.001_7).contains(&price), "{price}");
    // Whom the money does not reach is said to be left out for it.
    let told = decision.told(&market, |target| *target.provider.slug != *"both");
    let lines = told["candidates"].as_array().unwrap();
    let both = lines
        .iter()
        .find(|line| line["provider"] == "both")
        .unwrap();
    assert_eq!(
        (&both["place"], &both["left_out"]),
        (&serde_json::Value::Null, &"balance".into())
    );
}

#![allow(clippy::arithmetic_side_effects)] // Small numbers in tests.

use bourse_catalog::{ImageTokens, Tier};
use bourse_vocab::PromptFacts;
use bourse_vocab::facts::{Detail, Image, Kind, Medium, PixelSize, Source};
use bourse_vocab::usage::TOKENS_MAX;
use bourse_vocab::{AccountId, GenerationId, KeyId};
use proptest::prelude::*;

use super::*;
use crate::record::{self, Facts, Record, Settle, Settlement};

fn per_million(text: &str) -> Option<PicosPerUnit> {
    Some(PicosPerUnit::parse_usd_per_million(text).unwrap())
}

fn sonnet() -> PriceList {
    let base = Prices {
        prompt: per_million("3"),
        completion: per_million("15"),
        cache_read: per_million("0.30"),
        cache_write_5m: per_million("3.75"),
        cache_write_1h: per_million("6"),
        ..Prices::default()
    };
    let long = Prices {
        prompt: per_million("6"),
        completion: per_million("22.50"),
        ..Prices::default()
    };
    let tiers = vec![Tier {
        min_prompt_tokens: 200_000,
        prices: long,
    }];
    PriceList {
        base,
        tiers,
        ..PriceList::default()
    }
}

fn text(bytes: u64) -> PromptFacts {
    PromptFacts {
        text_bytes: bytes,
        ..PromptFacts::default()
    }
}

fn list(base: Prices) -> PriceList {
    PriceList {
        base,
        ..PriceList::default()
    }
}

#[test]
fn pictures_searches_seconds_and_characters_are_lines_of_their_own() {
    let one = |key: PriceKey, text: &str| Some(key.parse(text).unwrap());
    let prices = list(Prices {
        prompt: Some(PicosPerUnit::FREE),
        completion: Some(PicosPerUnit::FREE),
        picture: one(PriceKey::Picture, "0.04"),
        search_unit: one(PriceKey::SearchUnit, "0.002"),
        audio_second: one(PriceKey::AudioSecond, "0.00001111"),
        character: one(PriceKey::Character, "0.000015"),
        ..Prices::default()
    });
    let usage = Usage {
        prompt: 50,
        completion: 1,
        units: Units {
            pictures: 3,
            search_units: 2,
            audio_ms: 90_001,
            characters: 7,
            ..Units::default()
        },
        ..Usage::default()
    };
    let charge = price(&usage, 0, &prices, 0).unwrap();
    let lines: Vec<_> = charge
        .lines
        .iter()
        .map(|line| (line.item, line.units, line.amount.0))
        .collect();
    assert_eq!(
        lines,
        [
            (Item::Price(PriceKey::SearchUnit), 2, 4_000_000),
            // 90.001 seconds at 11,110 nano-dollars.
            (Item::Price(PriceKey::AudioSecond), 90_001, 999_912),
            (Item::Price(PriceKey::Character), 7, 105_000),
            (Item::Price(PriceKey::Picture), 3, 120_000_000),
        ]
    );
    assert_eq!(charge.upstream_completion, Nanos(120_000_000));
    assert_eq!(charge.upstream_prompt, Nanos(5_104_912));
}

#[test]
fn what_has_no_price_of_its_own_is_paid_for_by_its_tokens() {
    let drawn = Usage {
        prompt: 1_000,
        completion: 2_000,
        units: Units {
            pictures: 4,
            ..Units::default()
        },
        ..Usage::default()
    };
    let by_tokens = Usage {
        units: Units::default(),
        ..drawn
    };
    let of = |usage: &Usage| price(usage, 0, &sonnet(), 0).unwrap().total;
    assert_eq!(of(&drawn), of(&by_tokens));
}

#[test]
fn a_bill_can_be_checked_with_a_pencil() {
    let usage = Usage {
        prompt: 10_000,
        cache_read: 6_000,
        cache_write_5m: 1_000,
        cache_write_1h: 500,
        completion: 700,
        reasoning: 200,
        ..Usage::default()
    };
    let charge = price(&usage, 0, &sonnet(), 50_000).unwrap();
    let amounts: Vec<_> = charge
        .lines
        .iter()
        .map(|line| (line.item, line.amount.0))
        .collect();
    let expected = [
        (Item::Price(PriceKey::Prompt), 2_500 * 3_000),
        (Item::Price(PriceKey::CacheRead), 6_000 * 300),
        (Item::Price(PriceKey::CacheWrite5m), 1_000 * 3_750),
        (Item::Price(PriceKey::CacheWrite1h), 500 * 6_000),
        (Item::Price(PriceKey::Completion), 500 * 15_000),
        (Item::Price(PriceKey::Reasoning), 200 * 15_000),
        (Item::Markup, 1_327_500),
    ];
    assert_eq!(amounts, expected);
    assert_eq!(charge.upstream_prompt, Nanos(16_050_000));
    assert_eq!(charge.upstream_completion, Nanos(10_500_000));
    assert_eq!(charge.total, Nanos(27_877_500));
    let discount = cache_discount(&usage, &sonnet()).unwrap();
    assert_eq!(discount, Nanos(30_000_000 - 16_050_000));
}

#[test]
fn an_answer_that_was_continued_has_one_input_and_both_outputs() {
    let spoke = |prompt, completion, reasoning| Usage {
        prompt,
        completion,
        reasoning,
        ..Usage::default()
    };
    let markup = 50_000;
    let first = price(&spoke(1_000, 30, 10), 0, &sonnet(), markup).unwrap();
    let rest = price(&spoke(1_030, 70, 0), 0, &sonnet(), markup).unwrap();
    let both = first.continued(&rest).unwrap();
    let once = price(&spoke(1_000, 100, 10), 0, &sonnet(), markup).unwrap();
    assert_eq!(both.total, once.total);
    assert_eq!(both.upstream_prompt, once.upstream_prompt);
    assert_eq!(both.upstream_completion, once.upstream_completion);
    assert_eq!(
        Charge::recompute(&both.lines).unwrap(),
        both,
        "one markup, last"
    );
    // Nothing was added, or nothing was there before.
    let empty = price(&spoke(1_030, 0, 0), 0, &sonnet(), markup).unwrap();
    assert_eq!(first.continued(&empty).unwrap(), first);
    let free = Charge::default();
    assert_eq!(free.continued(&rest).unwrap().upstream_prompt, Nanos::ZERO);
}

#[test]
fn a_tier_applies_above_its_threshold_and_to_every_token() {
    let at = |prompt| {
        let usage = Usage {
            prompt,
            completion: 1,
            ..Usage::default()
        };
        price(&usage, 0, &sonnet(), 0).unwrap().total
    };
    assert_eq!(at(200_000), Nanos(200_000 * 3_000 + 15_000));
    assert_eq!(at(200_001), Nanos(200_001 * 6_000 + 22_500));
}

#[test]
fn each_line_is_rounded_up_once() {
    let tiny = list(Prices {
        prompt: Some(PicosPerUnit::new(1)),
        completion: Some(PicosPerUnit::new(1_001)),
        ..Prices::default()
    });
    let usage = Usage {
        prompt: 1,
        completion: 1,
        ..Usage::default()
    };
    let charge = price(&usage, 0, &tiny, 1).unwrap();
    assert_eq!(
        (charge.upstream_prompt, charge.upstream_completion),
        (Nanos(1), Nanos(2))
    );
    assert_eq!(charge.total, Nanos(4));
}

#[test]
fn what_the_list_does_not_state_is_charged_as_its_whole() {
    let plain = list(Prices {
        prompt: Some(PicosPerUnit::new(1_000)),
        completion: Some(PicosPerUnit::new(10_000)),
        ..Prices::default()
    });
    let usage = Usage {
        prompt: 100,
        cache_read: 10,
        cache_write_5m: 10,
        cache_write_1h: 10,
        prompt_audio: 10,
        prompt_image: 10,
        completion: 100,
        reasoning: 10,
        completion_audio: 10,
        completion_image: 10,
        ..Usage::default()
    };
    assert_eq!(
        price(&usage, 3, &plain, 0).unwrap().total,
        Nanos(100 + 1_000)
    );
}

#[test]
fn an_unknown_price_is_refused_and_never_free() {
    let usage = Usage {
        prompt: 1,
        ..Usage::default()
    };
    let unknown = price(&usage, 0, &PriceList::default(), 0);
    assert_eq!(unknown, Err(PriceError::Unknown(PriceKey::Prompt)));
    let bound = upper_bound(&Bounds::default(), &PriceList::default(), 0);
    assert_eq!(bound, Err(PriceError::Unknown(PriceKey::Prompt)));
    let searched = Usage {
        web_searches: 1,
        ..usage
    };
    let unknown = Err(PriceError::Unknown(PriceKey::WebSearch));
    assert_eq!(price(&searched, 0, &sonnet(), 0), unknown);
}

#[test]
fn a_free_model_costs_nothing_and_holds_nothing() {
    let free = list(Prices {
        prompt: Some(PicosPerUnit::FREE),
        completion: Some(PicosPerUnit::FREE),
        ..Prices::default()
    });
    let usage = Usage {
        prompt: 100,
        completion: 100,
        ..Usage::default()
    };
    assert_eq!(price(&usage, 0, &free, 50_000).unwrap().total, Nanos::ZERO);
    let prompt = text(1000);
    let ask = Bounds {
        prompt: &prompt,
        completion_max: 1000,
        ..Bounds::default()
    };
    assert_eq!(upper_bound(&ask, &free, 50_000), Ok(Nanos::ZERO));
}

#[test]
fn absurd_counts_prices_and_markups_are_refused_and_do_not_wrap() {
    let absurd = Usage {
        prompt: u64::MAX,
        ..Usage::default()
    };
    let refused = price(&absurd, 0, &sonnet(), 0);
    assert_eq!(
        refused,
        Err(PriceError::TooMany(u64::MAX, PriceKey::Prompt))
    );
    let dear = list(Prices {
        prompt: Some(PicosPerUnit::new(u64::MAX)),
        completion: Some(PicosPerUnit::new(u64::MAX)),
        ..Prices::default()
    });
    let large = Usage {
        prompt: TOKENS_MAX,
        ..Usage::default()
    };
    assert_eq!(price(&large, 0, &dear, 0), Err(PriceError::OutOfRange));
    let one = Usage {
        prompt: 1,
        ..Usage::default()
    };
    assert_eq!(
        price(&one, 0, &sonnet(), MARKUP_PPM_MAX + 1),
        Err(PriceError::Markup)
    );
    let ask = Bounds {
        completion_max: u64::MAX,
        choices: u64::MAX,
        ..Bounds::default()
    };
    assert!(upper_bound(&ask, &sonnet(), 0).is_err());
}

fn settled(charge: Nanos, facts: Facts<'_>) -> Record<'_> {
    Record::Settle(Settle {
        key: KeyId(1),
        held: charge,
        paid: charge,
        settlement: Settlement {
            id: GenerationId::new(1, 1),
            account: AccountId(1),
            at_ms: 1,
            charge,
            costs: Vec::new(),
            possible: Vec::new(),
            facts,
        },
    })
}

#[test]
fn a_charge_without_lines_is_not_computed_as_nothing() {
    let record = settled(Nanos(5), Facts::default());
    assert_eq!(
        record::recompute(&record),
        Err(record::RecomputeError::NoLines)
    );
    let free = settled(Nanos::ZERO, Facts::default());
    assert_eq!(record::recompute(&free).unwrap().total, Nanos::ZERO);
}

#[test]
fn what_a_provider_told_is_its_charge_and_not_the_customers() {
    let list = sonnet();
    let usage = Usage {
        prompt: 10,
        completion: 10,
        ..Usage::default()
    };
    let charge = price(&usage, 0, &list, 0).unwrap();
    let facts = |told| Facts {
        lines: charge.lines.clone(),
        told_cost: Nanos(told),
        ..Facts::default()
    };
    let ours = record::recompute(&settled(charge.total, facts(0))).unwrap();
    assert_eq!(ours, charge);
    let told = record::recompute(&settled(charge.total, facts(7))).unwrap();
    assert_eq!((told.total, told.upstream_total), (charge.total, Nanos(7)));
}

fn a_price() -> impl Strategy<Value = Option<PicosPerUnit>> {
    prop_oneof![
        Just(None),
        Just(Some(0)),
        (0u64..100_000_000).prop_map(Some),
        any::<u64>().prop_map(Some)
    ]
    .prop_map(|picos| picos.map(PicosPerUnit::new))
}

fn some_prices() -> impl Strategy<Value = Prices> {
    proptest::collection::vec(a_price(), PriceKey::ALL.len()).prop_map(|values| {
        let mut prices = Prices::default();
        for (key, value) in PriceKey::ALL.iter().zip(values) {
            prices.set(*key, value);
        }
        prices
    })
}

fn a_list() -> impl Strategy<Value = PriceList> {
    let tier = (0u64..2_000, some_prices()).prop_map(|(min_prompt_tokens, prices)| Tier {
        min_prompt_tokens,
        prices,
    });
    (some_prices(), proptest::collection::vec(tier, 0..3)).prop_map(|(base, mut tiers)| {
        tiers.sort_by_key(|tier| tier.min_prompt_tokens);
        PriceList {
            base,
            tiers,
            ..PriceList::default()
        }
    })
}

fn a_count() -> impl Strategy<Value = u64> {
    prop_oneof![0u64..3_000, 0..=TOKENS_MAX, any::<u64>()]
}

fn some_units(each: impl Strategy<Value = u64>) -> impl Strategy<Value = Units> {
    proptest::collection::vec(each, 8).prop_map(|c| Units {
        pictures: c[0],
        search_units: c[1],
        audio_ms: c[2],
        characters: c[3],
        video_ms: c[4],
        video_480p_ms: c[5],
        video_1080p_ms: c[6],
        video_4k_ms: c[7],
    })
}

fn a_usage() -> impl Strategy<Value = Usage> {
    (
        proptest::collection::vec(a_count(), 12),
        some_units(a_count()),
    )
        .prop_map(|(c, units)| Usage {
            prompt: c[0],
            cache_read: c[1],
            cache_read_audio: c[11],
            cache_write_5m: c[2],
            cache_write_1h: c[3],
            prompt_audio: c[4],
            prompt_image: c[10],
            completion: c[5],
            reasoning: c[6],
            completion_audio: c[7],
            completion_image: c[8],
            web_searches: c[9] % 5,
            units,
            ..Usage::default()
        })
}

/// OpenAI's smaller model of Realtime, November 2026.
#[test]
fn sound_from_a_cache_has_a_price_of_its_own_and_is_charged_once() {
    let usd = |text| Some(PicosPerUnit::parse_usd_per_million(text).unwrap());
    let base = Prices {
        prompt: usd("0.60"),
        completion: usd("2.40"),
        cache_read: usd("0.06"),
        cache_read_audio: usd("0.30"),
        audio: usd("10"),
        audio_output: usd("20"),
        ..Prices::default()
    };
    let list = |base| PriceList {
        base,
        ..PriceList::default()
    };
    let usage = Usage {
        prompt: 1_000,
        cache_read: 600,
        prompt_audio: 800,
        cache_read_audio: 500,
        completion: 50,
        completion_audio: 40,
        ..Usage::default()
    };
    // 100 of text and 300 of sound are new, 100 and 500 are not.
    let told = 100 * 600 + 300 * 10_000 + 100 * 60 + 500 * 300 + 10 * 2_400 + 40 * 20_000;
    let charge = price(&usage, 0, &list(base), 0).unwrap();
    assert_eq!(charge.total, Nanos(told));
    // Where no list has it, it costs what other cached input does.
    let unlisted = Prices {
        cache_read_audio: None,
        ..base
    };
    let charge = price(&usage, 0, &list(unlisted), 0).unwrap();
    assert_eq!(charge.total, Nanos(told - 500 * 240));
    // Where nobody tells it, as much may be new as there is room for.
    let untold = Usage {
        cache_read_audio: 0,
        ..usage
    };
    let most = 400 * 10_000 + 600 * 60 + 10 * 2_400 + 40 * 20_000;
    let charge = price(&untold, 0, &list(base), 0).unwrap();
    assert_eq!(charge.total, Nanos(most));
}

proptest! {
    #[test]
    fn a_charge_is_never_negative_and_is_the_sum_of_its_lines(
        usage in a_usage(), list in a_list(), images in a_count(), markup in 0..=MARKUP_PPM_MAX
    ) {
        if let Ok(charge) = price(&usage, images, &list, markup) {
            let sum: i128 = charge.lines.iter().map(|line| i128::from(line.amount.0)).sum();
            prop_assert_eq!(sum, i128::from(charge.total.0));
            prop_assert!(charge.lines.iter().all(|line| line.amount > Nanos::ZERO));
            let upstream = charge.upstream_prompt.checked_add(charge.upstream_completion);
            prop_assert_eq!(upstream, Some(charge.upstream_total));
            prop_assert!(charge.upstream_total <= charge.total);
        }
    }

    #[test]
    fn any_charge_is_computed_anew_from_its_record_alone(
        usage in a_usage(), list in a_list(), images in a_count(), markup in 0..=MARKUP_PPM_MAX
    ) {
        if let Ok(charge) = price(&usage, images, &list, markup) {
            prop_assert_eq!(&Charge::recompute(&charge.lines).unwrap(), &charge);
            let facts = Facts { lines: charge.lines.clone(), ..Facts::default() };
            let mut bytes = Vec::new();
            record::encode(&settled(charge.total, facts), &mut bytes);
            let read = record::decode(&bytes).unwrap();
            prop_assert_eq!(record::recompute(&read), Ok(charge));
        }
    }

    #[test]
    fn more_tokens_never_cost_less(
        mut prices in some_prices(), prompt in 0u64..1_000_000, completion in 0u64..1_000_000,
        more in 0u64..1_000_000, markup in 0u64..2_000_000
    ) {
        prices.prompt = prices.prompt.or(Some(PicosPerUnit::new(7)));
        prices.completion = prices.completion.or(Some(PicosPerUnit::new(7)));
        let list = list(prices);
        let usage = Usage { prompt, completion, ..Usage::default() };
        let longer = Usage { prompt: prompt + more, ..usage };
        let wordier = Usage { completion: completion + more, ..usage };
        if let Ok(charge) = price(&usage, 0, &list, markup) {
            for larger in [longer, wordier] {
                let larger = price(&larger, 0, &list, markup);
                prop_assert!(larger.is_err() || larger.unwrap().total >= charge.total);
            }
        }
    }

    #[test]
    fn no_usage_within_the_asked_costs_more_than_the_bound(
        list in a_list(), facts in some_facts(), rule in a_rule(), completion in 0u64..5_000,
        choices in 1u64..4, parts in proptest::collection::vec(0u64..2_000, 6), share in 0u64..=100,
        searches in 0u64..3, markup in 0u64..2_000_000, context in a_context(),
        units in some_units(0u64..100_000)
    ) {
        let ask = Bounds {
            prompt: &facts,
            image_tokens: rule,
            completion_max: completion,
            choices,
            context_length: context,
            media_output: true,
            web_searches: searches,
            units,
        };
        let most = ask.prompt_tokens_max();
        prop_assert!(context.is_none_or(|context| most <= context));
        let audio = facts.audio.media.parts() > 0;
        let usage = bourse_vocab::UsageReport {
            prompt: Some(most.min(TOKENS_MAX) * share / 100),
            cache_read: Some(parts[0]),
            cache_read_audio: Some(parts[3]),
            cache_write_5m: Some(parts[1]),
            // A cache is written for an hour only where that is asked for.
            cache_write_1h: Some(if facts.cache_marks > 0 { parts[2] } else { 0 }),
            prompt_audio: Some(if audio { parts[3] } else { 0 }),
            prompt_image: Some(if facts.images.count() > 0 { parts[3] } else { 0 }),
            completion: Some(completion * choices),
            reasoning: Some(parts[4]),
            completion_audio: Some(parts[5]),
            completion_image: Some(parts[4]),
            web_searches: Some(searches),
            accepted_prediction: None,
            rejected_prediction: None,
            units: bourse_vocab::UnitsReport {
                pictures: Some(units.pictures * share / 100),
                audio_ms: Some(units.audio_ms * share / 100),
                characters: Some(units.characters),
                search_units: None,
                video_ms: Some(units.video_ms * share / 100),
                ..bourse_vocab::UnitsReport::NONE
            },
            cost: bourse_vocab::ToldCost::Unsaid,
            nonsense: false,
        };
        // What nobody counts is what was asked for.
        let usage = usage.resolve(&Usage { units, ..Usage::default() }).0;
        if let Ok(bound) = upper_bound(&ask, &list, markup) {
            let images = facts.images.count().into();
            let charge = price(&usage, images, &list, markup).unwrap();
            prop_assert!(charge.total <= bound, "{} > {bound}", charge.total);
        }
    }

    #[test]
    fn the_sum_of_what_vendors_count_is_within_the_bound_and_so_is_the_estimate(
        facts in some_facts(), rule in a_rule(), context in a_context(), bytes_per_token in 1u64..8
    ) {
        let most = prompt_tokens_max(&facts, &rule, context);
        let estimate = prompt_tokens_estimate(&facts, &rule, context);
        prop_assert!(estimate <= most, "{estimate} > {most}");
        // What a vendor would count: text by its tokenizer, each picture by
        // the rule, and of what it accepts never more than its context.
        let pictures: u64 = facts
            .images
            .seen()
            .iter()
            .map(|image| rule.of(image.size.unwrap_or(PixelSize { width: 700, height: 900 }), image.detail))
            .sum();
        let counted = facts.text_bytes / bytes_per_token + pictures;
        let counted = counted.min(context.unwrap_or(u64::MAX));
        prop_assert!(counted <= most, "{counted} > {most}");
    }
}

fn a_context() -> impl Strategy<Value = Option<u64>> {
    prop_oneof![
        Just(None),
        (0u64..10_000).prop_map(Some),
        Just(Some(1_000_000))
    ]
}

fn a_rule() -> impl Strategy<Value = ImageTokens> {
    prop::sample::select(vec![
        "openai/gpt-4o",
        "openai/gpt-4o-mini",
        "openai/gpt-5.2",
        "openai/gpt-6-sol",
        "anthropic/claude-sonnet-4.6",
        "anthropic/claude-opus-5",
        "google/gemini-2.5-pro",
        "google/gemini-3.8-flash",
        "acme/any",
    ])
    .prop_map(bourse_catalog::quirks::image_tokens::rule)
}

fn a_picture() -> impl Strategy<Value = Image> {
    let source = prop_oneof![
        (0u64..5_000_000).prop_map(|bytes| Source::Inline { bytes }),
        any::<bool>().prop_map(|says_image| Source::Url { says_image }),
        Just(Source::Upload),
    ];
    let side = || prop_oneof![1u32..5_000, 1..=u32::MAX];
    let detail = prop::sample::select(vec![
        Detail::Auto,
        Detail::Low,
        Detail::High,
        Detail::Original,
    ]);
    (source, detail, proptest::option::of((side(), side()))).prop_map(|(source, detail, size)| {
        let inline = matches!(source, Source::Inline { .. });
        Image {
            source,
            detail,
            size: size
                .filter(|_| inline)
                .and_then(|(width, height)| PixelSize::new(width, height)),
        }
    })
}

fn some_facts() -> impl Strategy<Value = PromptFacts> {
    let media = proptest::collection::vec((0usize..3, 0u64..2_000_000, any::<bool>()), 0..3);
    (
        0u64..5_000,
        proptest::collection::vec(a_picture(), 0..70),
        media,
        0u32..3,
        0u32..3,
        any::<bool>(),
    )
        .prop_map(
            |(text_bytes, pictures, media, tools, cache_marks, steady)| {
                let mut facts = PromptFacts {
                    text_bytes,
                    tools,
                    cache_marks,
                    ..PromptFacts::default()
                };
                for picture in pictures {
                    facts.images.add(picture);
                }
                for (kind, bytes, elsewhere) in media {
                    let kind = [Kind::Audio, Kind::Video, Kind::File][kind];
                    let mut medium = Medium::new(Some(kind));
                    medium.mime(if steady { b"wav" } else { b"ogg" });
                    if elsewhere {
                        let address = b"https://a.example/b";
                        medium.url(address, address.len() as u64);
                    } else {
                        medium.data(b"", bytes);
                    }
                    medium.count(&mut facts);
                }
                facts
            },
        )
}

use proptest::prelude::*;

use super::*;

fn prices(prompt: u64, completion: u64) -> Prices {
    Prices {
        prompt: Some(PicosPerUnit::new(prompt)),
        completion: Some(PicosPerUnit::new(completion)),
        ..Prices::default()
    }
}

#[test]
fn a_tier_begins_strictly_above_its_threshold() {
    let long = Prices {
        prompt: Some(PicosPerUnit::new(20)),
        ..Prices::default()
    };
    let list = PriceList {
        base: prices(10, 50),
        tiers: vec![
            Tier {
                min_prompt_tokens: 100,
                prices: long,
            },
            Tier {
                min_prompt_tokens: 1_000,
                prices: prices(30, 90),
            },
        ],
        ..PriceList::default()
    };
    for (tokens, prompt, completion) in [
        (0, 10, 50),
        (100, 10, 50),
        (101, 20, 50),
        (1_000, 20, 50),
        (1_001, 30, 90),
    ] {
        assert_eq!(
            list.at(tokens),
            prices(prompt, completion),
            "{tokens} tokens"
        );
    }
    assert_eq!(
        list.highest(PriceKey::Prompt, 100),
        Some(PicosPerUnit::new(10))
    );
    assert_eq!(
        list.highest(PriceKey::Prompt, 5_000),
        Some(PicosPerUnit::new(30))
    );
    assert_eq!(list.highest(PriceKey::Audio, 5_000), None);
}

#[test]
fn not_stated_is_not_free() {
    assert!(!Prices::default().is_known());
    assert!(!Prices::default().is_free());
    assert!(prices(0, 0).is_known());
    assert!(prices(0, 0).is_free());
    let mut with_fee = prices(0, 0);
    with_fee.request = Some(PicosPerUnit::new(1));
    assert!(!with_fee.is_free());
}

#[test]
fn keys_and_names_are_each_others_inverse() {
    for &key in PriceKey::ALL {
        assert_eq!(PriceKey::by_name(key.name()), Some(key));
        assert_eq!(PriceKey::by_public_name(key.public_name()), Some(key));
        let mut prices = Prices::default();
        prices.set(key, Some(PicosPerUnit::new(7)));
        assert_eq!(
            prices.stated().collect::<Vec<_>>(),
            [(key, PicosPerUnit::new(7))]
        );
    }
}

#[test]
fn a_float_is_not_a_price() {
    let error = serde_json::from_str::<Prices>(r#"{"prompt":0.15}"#).unwrap_err();
    assert!(error.to_string().contains("string"), "{error}");
    for bad in [
        r#"{"prompt":"cheap"}"#,
        r#"{"prompt":"-1"}"#,
        r#"{"prompt":"0.0000001"}"#,
        r#"{"tea":"1"}"#,
    ] {
        assert!(serde_json::from_str::<Prices>(bad).is_err(), "{bad}");
    }
}

proptest! {
    #[test]
    fn a_price_survives_writing_and_reading(picos in any::<u64>(), index in 0..PriceKey::ALL.len()) {
        let key = PriceKey::ALL[index];
        let price = PicosPerUnit::new(picos);
        prop_assert_eq!(key.parse(&key.write(price)), Ok(price));
        let mut prices = Prices::default();
        prices.set(key, Some(price));
        let text = serde_json::to_string(&prices).unwrap();
        prop_assert_eq!(serde_json::from_str::<Prices>(&text).unwrap(), prices);
    }

    #[test]
    fn no_call_is_dearer_than_the_highest_price(
        base in 0..1_000_u64,
        tiers in proptest::collection::vec((0..500_u64, 0..1_000_u64), 0..5),
        tokens in 0..600_u64,
        slack in 0..600_u64,
    ) {
        let mut tiers: Vec<Tier> = tiers
            .into_iter()
            .map(|(min_prompt_tokens, price)| Tier { min_prompt_tokens, prices: prices(price, 1) })
            .collect();
        tiers.sort_by_key(|tier| tier.min_prompt_tokens);
        let list = PriceList { base: prices(base, 1), tiers, ..PriceList::default() };
        let highest = list.highest(PriceKey::Prompt, tokens.saturating_add(slack));
        prop_assert!(list.at(tokens).prompt <= highest);
    }
}

#[test]
fn a_second_of_sound_is_written_for_a_second_and_held_for_a_millisecond() {
    let key = PriceKey::AudioSecond;
    let price = key.parse("0.00001111").unwrap();
    assert_eq!(price, PicosPerUnit::new(11_110));
    assert_eq!(key.write(price), "0.00001111");
    assert_eq!(key.write_public(price), "0.00001111");
    assert!(key.parse("0.0000000001").is_err(), "finer than is held");
    let picture = PriceKey::Picture.parse("0.04").unwrap();
    assert_eq!(PriceKey::Picture.write_public(picture), "0.04");
}

#[test]
fn of_what_is_no_token_only_that_is_sold_which_has_a_price() {
    let units = Units {
        pictures: 1,
        search_units: 2,
        audio_ms: 3,
        characters: 4,
        ..Units::default()
    };
    let prices = Prices {
        search_unit: Some(PicosPerUnit::new(1)),
        character: Some(PicosPerUnit::FREE),
        ..Prices::default()
    };
    let sold = prices.sold(&units);
    assert_eq!((sold.search_units, sold.characters), (2, 4));
    assert_eq!((sold.pictures, sold.audio_ms), (0, 0));
}

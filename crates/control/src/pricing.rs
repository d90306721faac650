//! Prices as the public API writes them: dollars for one unit, as decimal
//! strings, and other prices for longer prompts under `overrides`.

use std::borrow::Cow;

use bourse_catalog::{PriceKey, PriceList, Prices};
use bourse_vocab::PicosPerUnit;
use bourse_vocab::money::PPM;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::ser::{Serialize, SerializeMap, SerializeSeq, Serializer};
use serde_json::{Map, json};

/// What a customer pays.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Pricing<'a> {
    pub(crate) prices: &'a PriceList,
    /// Added to every price, in parts per million.
    pub(crate) markup_ppm: u64,
}

/// A price with its markup, rounded up to a pico-dollar: a listed price is
/// never below what is charged.
pub(crate) fn with_markup(price: PicosPerUnit, markup_ppm: u64) -> PicosPerUnit {
    let whole = u128::from(PPM);
    let marked = u128::from(price.get())
        .saturating_mul(whole.saturating_add(u128::from(markup_ppm)))
        .div_ceil(whole);
    PicosPerUnit::new(u64::try_from(marked).unwrap_or(u64::MAX))
}

fn write_prices<M: SerializeMap>(map: &mut M, prices: &Prices, ppm: u64) -> Result<(), M::Error> {
    for (key, price) in prices.stated() {
        map.serialize_entry(
            key.public_name(),
            &key.write_public(with_markup(price, ppm)),
        )?;
    }
    Ok(())
}

struct Overrides<'a>(Pricing<'a>);
struct Override<'a>(u64, &'a Prices, u64);

impl Serialize for Pricing<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        write_prices(&mut map, &self.prices.base, self.markup_ppm)?;
        if !self.prices.tiers.is_empty() {
            map.serialize_entry("overrides", &Overrides(*self))?;
        }
        map.end()
    }
}

impl Serialize for Overrides<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let tiers = &self.0.prices.tiers;
        let mut seq = serializer.serialize_seq(Some(tiers.len()))?;
        for tier in tiers {
            let ppm = self.0.markup_ppm;
            seq.serialize_element(&Override(tier.min_prompt_tokens, &tier.prices, ppm))?;
        }
        seq.end()
    }
}

impl Serialize for Override<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("min_prompt_tokens", &self.0)?;
        write_prices(&mut map, self.1, self.2)?;
        map.end()
    }
}

/// Written by hand because the names of prices are `catalog`'s.
impl JsonSchema for Pricing<'_> {
    fn schema_name() -> Cow<'static, str> {
        "Pricing".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let text = || json!({"type": "string"});
        let prices = || {
            PriceKey::ALL
                .iter()
                .map(move |key| (key.public_name().to_owned(), text()))
        };
        let mut tier = Map::from_iter(prices());
        tier.insert("min_prompt_tokens".to_owned(), json!({"type": "number"}));
        let mut properties = Map::from_iter(prices());
        let tiers = json!({"type": "array", "items": {"type": "object", "properties": tier}});
        properties.insert("overrides".to_owned(), tiers);
        json_schema!({
            "type": "object",
            "description": "US dollars for one unit (a token, an image, a second, a request), what customers pay",
            "required": ["prompt", "completion"],
            "properties": properties,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bourse_catalog::Tier;

    #[test]
    fn prices_are_decimal_strings_for_one_unit_with_tiers_and_markup() {
        let price = |text| Some(PicosPerUnit::parse_usd_per_million(text).unwrap());
        let list = PriceList {
            base: Prices {
                prompt: price("0.15"),
                completion: price("0.6"),
                cache_read: price("0.075"),
                ..Prices::default()
            },
            tiers: vec![Tier {
                min_prompt_tokens: 200_000,
                prices: Prices {
                    prompt: price("0.3"),
                    ..Prices::default()
                },
            }],
            ..PriceList::default()
        };
        let write = |markup_ppm| {
            let prices = &list;
            serde_json::to_string(&Pricing { prices, markup_ppm }).unwrap()
        };
        assert_eq!(
            write(0),
            r#"{"prompt":"0.00000015","completion":"0.0000006","input_cache_read":"0.000000075","overrides":[{"min_prompt_tokens":200000,"prompt":"0.0000003"}]}"#
        );
        // 5.5 % of 0.15 is 0.00825 for a million: 158,250 pico-dollars.
        assert!(write(55_000).contains(r#""prompt":"0.00000015825""#));
    }

    #[test]
    fn a_markup_rounds_up_and_never_overflows() {
        assert_eq!(with_markup(PicosPerUnit::new(1), 1), PicosPerUnit::new(2));
        assert_eq!(
            with_markup(PicosPerUnit::new(0), 55_000),
            PicosPerUnit::new(0)
        );
        assert_eq!(
            with_markup(PicosPerUnit::new(u64::MAX), u64::MAX),
            PicosPerUnit::new(u64::MAX)
        );
    }
}

//! What follows from a vendor's documents and stands in no price list:
//! which rule counts the tokens of a picture ([`image_tokens`]), and cache
//! prices, for price lists that leave them out.
//!
//! Without a rule for caches, cached tokens would be billed as fresh ones: the caller
//! would pay up to ten times what the provider charges. With a wrong one,
//! someone would pay too little. So a rule is applied only where a provider
//! documents it, only to gaps, and the price list then says `+rule`.
#![deny(clippy::float_arithmetic)]

pub mod image_tokens;

use bourse_vocab::PicosPerUnit;

use crate::price::{PriceKey, Prices};
use crate::raw::{RawCatalog, RawEndpoint};

/// Added to the source of a price list that a rule completed.
pub const RULE: &str = "+rule";

/// A price as a multiple, in hundredths, of the price of an input token.
type Rule = (PriceKey, u64);

/// Multiples documented in OpenRouter's prompt caching guide (October 2026)
/// and in the providers' own price pages. Ranges and approximations there
/// (OpenAI's and Z.AI's reads, Gemini's storage) are left out here.
fn rules(endpoint: &RawEndpoint) -> &'static [Rule] {
    let author = endpoint
        .model
        .split_once('/')
        .map_or("", |(author, _)| author);
    match (endpoint.provider.as_str(), author) {
        // Anthropic, "Prompt caching": the same multiples on its own API,
        // Bedrock, Vertex and Azure.
        ("anthropic" | "amazon-bedrock" | "google-vertex" | "azure", "anthropic") => &[
            (PriceKey::CacheRead, 10),
            (PriceKey::CacheWrite5m, 125),
            (PriceKey::CacheWrite1h, 200),
        ],
        ("deepseek", "deepseek") => &[(PriceKey::CacheRead, 10)],
        ("xai", "x-ai") | ("moonshotai", "moonshotai") => &[(PriceKey::CacheRead, 25)],
        ("groq", "moonshotai") => &[(PriceKey::CacheRead, 50)],
        ("alibaba", "qwen") => &[(PriceKey::CacheRead, 10), (PriceKey::CacheWrite5m, 125)],
        _ => &[],
    }
}

/// Fills the gaps that a rule covers; says in how many price lists.
pub fn fill(catalog: &mut RawCatalog) -> usize {
    let mut filled = 0;
    for endpoint in catalog.endpoints.values_mut() {
        let rules = rules(endpoint);
        let Some(price) = &mut endpoint.price else {
            continue;
        };
        let mut changed = false;
        for &(key, hundredths) in rules {
            // A list that states the price for short prompts only means it
            // for short prompts; tiers follow their own input price.
            let is_gap = price.base.get(key).is_none();
            if !is_gap {
                continue;
            }
            changed |= fill_one(&mut price.base, key, hundredths);
            for tier in &mut price.tiers {
                fill_one(&mut tier.prices, key, hundredths);
            }
        }
        if changed {
            filled += 1;
            if !price.source.ends_with(RULE) {
                price.source.push_str(RULE);
            }
        }
    }
    filled
}

fn fill_one(prices: &mut Prices, key: PriceKey, hundredths: u64) -> bool {
    let is_gap = prices.get(key).is_none();
    // Of what is not sold by its tokens none is cached.
    let Some(prompt) = prices.prompt.filter(|price| is_gap && price.get() > 0) else {
        return false;
    };
    let Some(product) = prompt.get().checked_mul(hundredths) else {
        return false;
    };
    // Upwards, where a pico-dollar does not divide: never below the rule.
    prices.set(key, Some(PicosPerUnit::new(product.div_ceil(100))));
    true
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::price::Tier;
    use crate::raw::RawPrice;

    fn priced(model: &str, provider: &str, base: Prices) -> RawEndpoint {
        let long = Prices {
            prompt: Some(PicosPerUnit::new(6_000_000)),
            ..Prices::default()
        };
        RawEndpoint {
            model: model.to_owned(),
            provider: provider.to_owned(),
            price: Some(RawPrice {
                base,
                tiers: vec![Tier {
                    min_prompt_tokens: 200_000,
                    prices: long,
                }],
                source: "models.dev".to_owned(),
                ..RawPrice::default()
            }),
            ..RawEndpoint::default()
        }
    }

    #[test]
    fn a_rule_fills_gaps_and_nothing_else() {
        let base = Prices {
            prompt: Some(PicosPerUnit::new(3_000_000)),
            completion: Some(PicosPerUnit::new(15_000_000)),
            cache_read: Some(PicosPerUnit::new(1)),
            ..Prices::default()
        };
        let mut catalog = RawCatalog::default();
        for (model, provider) in [
            ("anthropic/claude-x", "anthropic"),
            ("anthropic/claude-x", "someone"),
        ] {
            let endpoint = priced(model, provider, base);
            catalog.endpoints.insert(endpoint.id(), endpoint);
        }
        assert_eq!(fill(&mut catalog), 1);
        assert_eq!(fill(&mut catalog), 0, "a second time finds no gap");

        let filled = catalog.endpoints["anthropic/claude-x@anthropic"]
            .price
            .as_ref()
            .unwrap();
        assert_eq!(filled.source, "models.dev+rule");
        assert_eq!(
            filled.base.cache_read,
            Some(PicosPerUnit::new(1)),
            "stated, so kept"
        );
        assert_eq!(
            filled.base.cache_write_5m,
            Some(PicosPerUnit::new(3_750_000))
        );
        assert_eq!(
            filled.base.cache_write_1h,
            Some(PicosPerUnit::new(6_000_000))
        );
        assert_eq!(
            filled.tiers[0].prices.cache_write_1h,
            Some(PicosPerUnit::new(12_000_000))
        );

        let other = catalog.endpoints["anthropic/claude-x@someone"]
            .price
            .as_ref()
            .unwrap();
        assert_eq!(other.base, base);
        assert_eq!(other.source, "models.dev");
    }
}

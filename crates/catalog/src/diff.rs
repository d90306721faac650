//! What changes from one catalogue to another, and which changes must wait
//! for someone to look.
#![deny(clippy::float_arithmetic)]

use std::fmt;

use std::collections::BTreeSet;

use bourse_vocab::PicosPerUnit;

use crate::price::{PriceKey, PriceList};
use crate::raw::{RawCatalog, RawEndpoint};

/// One difference.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// A model, by slug, that only the new catalogue has.
    ModelAdded(String),
    /// A model, by slug, that only the old catalogue has.
    ModelRemoved(String),
    /// An endpoint, by id, that only the new catalogue has.
    EndpointAdded(String),
    /// An endpoint, by id, that only the old catalogue has.
    EndpointRemoved(String),
    /// A price.
    Price(PriceChange),
    /// An endpoint's context length.
    ContextLength {
        /// The endpoint's id.
        endpoint: String,
        /// Tokens before.
        old: u64,
        /// Tokens after.
        new: u64,
    },
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ModelAdded(slug) => write!(f, "+ model {slug}"),
            Self::ModelRemoved(slug) => write!(f, "- model {slug}"),
            Self::EndpointAdded(id) => write!(f, "+ endpoint {id}"),
            Self::EndpointRemoved(id) => write!(f, "- endpoint {id}"),
            Self::Price(change) => change.fmt(f),
            Self::ContextLength { endpoint, old, new } => {
                write!(f, "~ {endpoint}: context length {old} -> {new}")
            }
        }
    }
}

impl fmt::Display for PriceChange {
    /// In the units of price lists: dollars for a million tokens, or for one.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            endpoint,
            key,
            prompt_tokens,
            old,
            new,
        } = self;
        let show = |price: &Option<PicosPerUnit>| {
            price.map_or_else(|| "unknown".to_owned(), |price| key.write(price))
        };
        write!(
            f,
            "~ {endpoint}: {} {} -> {}",
            key.name(),
            show(old),
            show(new)
        )?;
        if *prompt_tokens > 0 {
            write!(f, " (prompts of {prompt_tokens} tokens or more)")?;
        }
        Ok(())
    }
}

/// One price that differs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PriceChange {
    /// The endpoint's id.
    pub endpoint: String,
    /// What is priced.
    pub key: PriceKey,
    /// The length of prompt, in tokens, from which on it differs so.
    pub prompt_tokens: u64,
    /// Before; `None` if it was not stated.
    pub old: Option<PicosPerUnit>,
    /// After; `None` if it is no longer stated.
    pub new: Option<PicosPerUnit>,
}

impl PriceChange {
    /// The new price in parts per million of the old one; `None` if either
    /// is missing or the old one was zero.
    #[must_use]
    pub fn ratio_ppm(&self) -> Option<u64> {
        let (old, new) = (self.old?.get(), self.new?.get());
        let ratio = u128::from(new)
            .checked_mul(1_000_000)?
            .checked_div(u128::from(old))?;
        Some(u64::try_from(ratio).unwrap_or(u64::MAX))
    }

    /// Whether the price falls by more than half, to nothing, or away. Real price
    /// cuts are seldom that deep; slips of a decimal point always are.
    #[must_use]
    pub fn is_suspicious(&self) -> bool {
        match (self.old, self.new) {
            (Some(old), Some(new)) => old.get() > new.get().saturating_mul(2),
            (Some(old), None) => old.get() > 0 && is_free_or_cheap_without_a_price(self.key),
            (None, _) => false,
        }
    }
}

/// Whether what has no price of its own is charged for at nothing, or as
/// ordinary text, which is a tenth of it. Cached and reasoning tokens cost
/// about the same as others, and without a price of those nothing is served.
const fn is_free_or_cheap_without_a_price(key: PriceKey) -> bool {
    matches!(
        key,
        PriceKey::Image
            | PriceKey::ImageInput
            | PriceKey::ImageOutput
            | PriceKey::Audio
            | PriceKey::AudioOutput
            | PriceKey::Request
            | PriceKey::WebSearch
            | PriceKey::Picture
            | PriceKey::SearchUnit
            | PriceKey::AudioSecond
            | PriceKey::Character
            | PriceKey::VideoSecond
            | PriceKey::VideoSecond480p
            | PriceKey::VideoSecond1080p
            | PriceKey::VideoSecond4k
    )
}

/// Lists what differs, models first, each kind in order of names.
#[must_use]
pub fn compare(old: &RawCatalog, new: &RawCatalog) -> Vec<Change> {
    let mut changes = Vec::new();
    for slug in new
        .models
        .keys()
        .filter(|slug| !old.models.contains_key(*slug))
    {
        changes.push(Change::ModelAdded(slug.clone()));
    }
    for slug in old
        .models
        .keys()
        .filter(|slug| !new.models.contains_key(*slug))
    {
        changes.push(Change::ModelRemoved(slug.clone()));
    }
    for id in new
        .endpoints
        .keys()
        .filter(|id| !old.endpoints.contains_key(*id))
    {
        changes.push(Change::EndpointAdded(id.clone()));
    }
    for (id, before) in &old.endpoints {
        let Some(after) = new.endpoints.get(id) else {
            changes.push(Change::EndpointRemoved(id.clone()));
            continue;
        };
        let context = |catalog: &RawCatalog, endpoint: &RawEndpoint| {
            let of_model = catalog
                .models
                .get(&endpoint.model)
                .map_or(0, |m| m.context_length);
            endpoint.context_length.unwrap_or(of_model)
        };
        let (was, is) = (context(old, before), context(new, after));
        if was != is {
            changes.push(Change::ContextLength {
                endpoint: id.clone(),
                old: was,
                new: is,
            });
        }
        changes.extend(
            price_changes(id, before, after)
                .into_iter()
                .map(Change::Price),
        );
    }
    changes
}

/// Puts the old price list back wherever a price would fall by more than
/// half, and returns what was held back. Whoever has confirmed a change
/// simply does not ask.
#[must_use = "what is held back must be shown to someone"]
pub fn hold_back(old: &RawCatalog, new: &mut RawCatalog) -> Vec<PriceChange> {
    let mut held = Vec::new();
    for (id, after) in &mut new.endpoints {
        let Some(before) = old.endpoints.get(id) else {
            continue;
        };
        let mut suspicious = price_changes(id, before, after);
        suspicious.retain(PriceChange::is_suspicious);
        if !suspicious.is_empty() {
            // The whole list: its prices belong together.
            after.price.clone_from(&before.price);
            held.append(&mut suspicious);
        }
    }
    held
}

fn price_changes(id: &str, before: &RawEndpoint, after: &RawEndpoint) -> Vec<PriceChange> {
    let list = |endpoint: &RawEndpoint| -> PriceList {
        endpoint.price.clone().map(Into::into).unwrap_or_default()
    };
    let (old, new) = (list(before), list(after));
    // Compare what a call would pay, at every length where either changes:
    // a tier that appears or goes is a price change like any other.
    let thresholds: BTreeSet<u64> = [&old, &new]
        .into_iter()
        .flat_map(|list| {
            list.tiers
                .iter()
                .map(|tier| tier.min_prompt_tokens.saturating_add(1))
        })
        .chain([0])
        .collect();
    let mut changes: Vec<PriceChange> = Vec::new();
    for &prompt_tokens in &thresholds {
        let (was, is) = (old.at(prompt_tokens), new.at(prompt_tokens));
        for &key in PriceKey::ALL {
            let (old, new) = (was.get(key), is.get(key));
            let is_said = changes
                .iter()
                .any(|c| c.key == key && c.old == old && c.new == new);
            if old != new && !is_said {
                changes.push(PriceChange {
                    endpoint: id.to_owned(),
                    key,
                    prompt_tokens,
                    old,
                    new,
                });
            }
        }
    }
    changes
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::price::{Prices, Tier};
    use crate::raw::RawPrice;

    fn catalog(prompt: u64, long: Option<u64>) -> RawCatalog {
        let price = |picos| Prices {
            prompt: Some(PicosPerUnit::new(picos)),
            completion: Some(PicosPerUnit::new(50)),
            ..Prices::default()
        };
        let endpoint = RawEndpoint {
            model: "a/b".to_owned(),
            provider: "p".to_owned(),
            price: Some(RawPrice {
                base: price(prompt),
                tiers: long
                    .map(|picos| Tier {
                        min_prompt_tokens: 1_000,
                        prices: price(picos),
                    })
                    .into_iter()
                    .collect(),
                ..RawPrice::default()
            }),
            ..RawEndpoint::default()
        };
        let mut catalog = RawCatalog::default();
        catalog
            .models
            .insert("a/b".to_owned(), crate::RawModel::default());
        catalog.endpoints.insert(endpoint.id(), endpoint);
        catalog
    }

    fn prompt(prompt_tokens: u64, old: u64, new: u64) -> PriceChange {
        PriceChange {
            endpoint: "a/b@p".to_owned(),
            key: PriceKey::Prompt,
            prompt_tokens,
            old: Some(PicosPerUnit::new(old)),
            new: Some(PicosPerUnit::new(new)),
        }
    }

    #[test]
    fn equal_catalogs_do_not_differ() {
        assert_eq!(compare(&catalog(10, Some(20)), &catalog(10, Some(20))), []);
    }

    #[test]
    fn a_price_change_is_listed_with_both_prices() {
        let changes = compare(&catalog(10, None), &catalog(15, None));
        assert_eq!(changes, [Change::Price(prompt(0, 10, 15))]);
        assert_eq!(prompt(0, 10, 15).ratio_ppm(), Some(1_500_000));
        assert_eq!(prompt(0, 0, 15).ratio_ppm(), None);
    }

    #[test]
    fn a_tier_that_appears_is_a_price_change_of_long_prompts() {
        let changes = compare(&catalog(10, None), &catalog(10, Some(20)));
        assert_eq!(changes, [Change::Price(prompt(1_001, 10, 20))]);
    }

    #[test]
    fn models_and_endpoints_come_and_go() {
        let (full, empty) = (catalog(10, None), RawCatalog::default());
        assert_eq!(
            compare(&empty, &full),
            [
                Change::ModelAdded("a/b".to_owned()),
                Change::EndpointAdded("a/b@p".to_owned())
            ]
        );
        assert_eq!(
            compare(&full, &empty),
            [
                Change::ModelRemoved("a/b".to_owned()),
                Change::EndpointRemoved("a/b@p".to_owned())
            ]
        );
    }

    #[test]
    fn a_price_that_falls_by_more_than_half_waits() {
        for (new, is_held) in [(4, true), (0, true), (5, false), (9, false), (100, false)] {
            let old = catalog(10, None);
            let mut synced = catalog(new, None);
            let held = hold_back(&old, &mut synced);
            assert_eq!(!held.is_empty(), is_held, "10 to {new}");
            let expected = if is_held { &old } else { &catalog(new, None) };
            assert_eq!(synced, *expected, "10 to {new}");
        }
    }

    #[test]
    fn a_price_that_goes_away_waits_where_nothing_as_dear_takes_its_place() {
        let was = |key, old| PriceChange {
            key,
            new: None,
            ..prompt(0, old, 0)
        };
        for key in [PriceKey::Image, PriceKey::Request, PriceKey::WebSearch] {
            assert!(was(key, 1).is_suspicious(), "{key}");
            assert!(!was(key, 0).is_suspicious(), "{key}");
        }
        for key in [PriceKey::CacheRead, PriceKey::Reasoning, PriceKey::Prompt] {
            assert!(!was(key, 1).is_suspicious(), "{key}");
        }
    }

    #[test]
    fn a_tier_cannot_hide_a_fall() {
        let old = catalog(10, Some(20));
        let mut synced = catalog(10, Some(1));
        assert_eq!(hold_back(&old, &mut synced), [prompt(1_001, 20, 1)]);
        assert_eq!(synced, old);
    }
}

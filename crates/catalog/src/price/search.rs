//! What searching costs where it depends on how much is read.
#![deny(clippy::float_arithmetic, clippy::arithmetic_side_effects)]

use std::borrow::Cow;

use bourse_vocab::PicosPerUnit;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::{PriceKey, PriceList};

/// How much a search reads (`web_search_options.search_context_size`,
/// platform.openai.com, API reference, chat, November 2026).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum SearchSize {
    /// Little.
    Low,
    /// As much as most do where nobody asks.
    Medium,
    /// Much.
    High,
}

impl SearchSize {
    /// Reads the public API's word.
    #[must_use]
    pub fn by_name(name: &str) -> Option<Self> {
        match name {
            "low" => Some(Self::Low),
            "medium" => Some(Self::Medium),
            "high" => Some(Self::High),
            _ => None,
        }
    }
}

/// What a search costs by how much it reads; where searching is a fee of the
/// request, what a request does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SearchFees {
    /// See [`SearchSize::Low`].
    pub low: Fee,
    /// See [`SearchSize::Medium`].
    pub medium: Fee,
    /// See [`SearchSize::High`].
    pub high: Fee,
}

/// A price for one, in data files a decimal string of dollars.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Fee(pub PicosPerUnit);

impl Serialize for Fee {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&PriceKey::WebSearch.write(self.0))
    }
}

impl<'de> Deserialize<'de> for Fee {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Cow::<'de, str>::deserialize(deserializer)?;
        let price = PriceKey::WebSearch.parse(&text).map_err(D::Error::custom)?;
        Ok(Self(price))
    }
}

impl SearchFees {
    const fn of(&self, size: SearchSize) -> PicosPerUnit {
        match size {
            SearchSize::Low => self.low.0,
            SearchSize::Medium => self.medium.0,
            SearchSize::High => self.high.0,
        }
    }
}

impl PriceList {
    /// The prices of a call that asks for searches that read so much. Where
    /// one price is known for all, or nothing is asked for, they are as they
    /// stand.
    #[must_use]
    pub fn searching(&self, size: Option<SearchSize>) -> Cow<'_, Self> {
        let (Some(size), Some(fees)) = (size, &self.searches) else {
            return Cow::Borrowed(self);
        };
        let mut list = self.clone();
        let fee = Some(fees.of(size));
        match list.base.web_search {
            Some(each) if each != PicosPerUnit::FREE => list.base.web_search = fee,
            _ => list.base.request = fee,
        }
        Cow::Owned(list)
    }
}

#[cfg(test)]
mod tests {
    use super::super::Prices;
    use super::*;

    #[test]
    fn a_search_costs_by_how_much_it_reads_where_that_is_known() {
        let fee = |picos| Fee(PicosPerUnit::new(picos));
        let fees = SearchFees {
            low: fee(1),
            medium: fee(2),
            high: fee(3),
        };
        for of_request in [false, true] {
            let mut base = Prices::default();
            let usual = Some(PicosPerUnit::new(1));
            if of_request {
                base.request = usual;
                base.web_search = Some(PicosPerUnit::FREE);
            } else {
                base.web_search = usual;
            }
            let list = PriceList {
                base,
                searches: Some(fees),
                ..PriceList::default()
            };
            let one = |size| {
                let prices = list.searching(size).at(0);
                let prices = [prices.request, prices.web_search];
                prices.into_iter().flatten().map(|price| price.get()).sum()
            };
            let found: [u64; 4] = [
                one(None),
                one(Some(SearchSize::Low)),
                one(Some(SearchSize::Medium)),
                one(Some(SearchSize::High)),
            ];
            assert_eq!(found, [1, 1, 2, 3], "{of_request}");
        }
        let list = PriceList::default();
        assert_eq!(*list.searching(Some(SearchSize::High)), list);
    }

    #[test]
    fn fees_are_decimal_strings_of_dollars() {
        let text = r#"{"low":"0.005","medium":"0.008","high":"0.012"}"#;
        let fees: SearchFees = serde_json::from_str(text).unwrap();
        assert_eq!(fees.high.0, PicosPerUnit::new(12_000_000_000));
        assert_eq!(serde_json::to_string(&fees).unwrap(), text);
    }
}

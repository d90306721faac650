//! What tiers of service cost: the same model, sooner or later, at another price.
#![deny(clippy::float_arithmetic, clippy::arithmetic_side_effects)]

use bourse_vocab::{PicosPerUnit, ServiceTier};
use serde::{Deserialize, Serialize};

use super::{PriceKey, PriceList, Prices, Tier};

/// What a price list states for one tier of service.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ServicePrices {
    /// Which.
    pub service: ServiceTier,
    /// Prices of a short prompt; what is not stated is as in the usual
    /// service.
    pub base: Prices,
    /// Prices of longer ones, by rising threshold.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tiers: Vec<Tier>,
}

/// What vendors' documents say is halved in their own batches: tokens of text,
/// read, cached or written. All else costs what it costs.
const HALVED: &[PriceKey] = &[
    PriceKey::Prompt,
    PriceKey::Completion,
    PriceKey::Reasoning,
    PriceKey::CacheRead,
    PriceKey::CacheWrite5m,
    PriceKey::CacheWrite1h,
];

impl Prices {
    fn halved(mut self) -> Self {
        for &key in HALVED {
            // Never less than half.
            let half = |price: PicosPerUnit| PicosPerUnit::new(price.get().div_ceil(2));
            let half = self.get(key).map(half);
            self.set(key, half);
        }
        self
    }
}

impl PriceList {
    /// The price list of a vendor's own batches: the one that is stated, or half
    /// the usual one.
    #[must_use]
    pub fn of_batches(&self) -> Self {
        if let Some(stated) = self.of_service(ServiceTier::Batch) {
            return stated;
        }
        let halved = |tier: &Tier| Tier {
            prices: tier.prices.halved(),
            ..tier.clone()
        };
        Self {
            base: self.base.halved(),
            tiers: self.tiers.iter().map(halved).collect(),
            services: Vec::new(),
            ..self.clone()
        }
    }

    /// The price list of a call that is served in `service`, whole; `None` if
    /// this list has no price for it.
    ///
    /// What the tier leaves out costs what it does in the usual service. For
    /// longer prompts that would let a dearer tier become the cheaper one, so
    /// there the higher of the two prices counts.
    #[must_use]
    pub fn of_service(&self, service: ServiceTier) -> Option<Self> {
        let stated = self.services.iter().find(|s| s.service == service)?;
        let base = self.base.overlaid(&stated.base);
        let mut tiers: Vec<Tier> = Vec::with_capacity(self.tiers.len());
        for usual in &self.tiers {
            let own = stated
                .tiers
                .iter()
                .find(|tier| tier.min_prompt_tokens == usual.min_prompt_tokens);
            let mut prices = usual.prices;
            for &key in PriceKey::ALL {
                prices.set(
                    key,
                    prices.get(key).map(|price| match base.get(key) {
                        Some(short) => price.max(short),
                        None => price,
                    }),
                );
            }
            if let Some(own) = own {
                prices = prices.overlaid(&own.prices);
            }
            tiers.push(Tier {
                min_prompt_tokens: usual.min_prompt_tokens,
                prices,
            });
        }
        let new = stated.tiers.iter().filter(|own| {
            let mut usual = self.tiers.iter();
            !usual.any(|tier| tier.min_prompt_tokens == own.min_prompt_tokens)
        });
        tiers.extend(new.cloned());
        tiers.sort_by_key(|tier| tier.min_prompt_tokens);
        Some(Self {
            base,
            tiers,
            services: Vec::new(),
            searches: self.searches,
            source: self.source.clone(),
            as_of: self.as_of.clone(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bourse_vocab::PicosPerUnit;

    fn prices(prompt: u64, completion: u64) -> Prices {
        Prices {
            prompt: Some(PicosPerUnit::new(prompt)),
            completion: Some(PicosPerUnit::new(completion)),
            ..Prices::default()
        }
    }

    fn tier(min_prompt_tokens: u64, prices: Prices) -> Tier {
        Tier {
            min_prompt_tokens,
            prices,
        }
    }

    #[test]
    fn a_tier_costs_what_it_states_and_otherwise_what_the_usual_service_does() {
        let list = PriceList {
            base: Prices {
                web_search: Some(PicosPerUnit::new(7)),
                ..prices(100, 1_000)
            },
            tiers: vec![tier(200, prices(150, 1_500))],
            services: vec![
                ServicePrices {
                    service: ServiceTier::Flex,
                    base: prices(50, 500),
                    tiers: vec![tier(200, prices(75, 750))],
                },
                ServicePrices {
                    service: ServiceTier::Priority,
                    base: prices(200, 2_000),
                    tiers: Vec::new(),
                },
            ],
            ..PriceList::default()
        };
        let flex = list.of_service(ServiceTier::Flex).unwrap();
        assert_eq!(
            flex.at(200),
            Prices {
                web_search: Some(PicosPerUnit::new(7)),
                ..prices(50, 500)
            }
        );
        assert_eq!(flex.at(201).prompt, Some(PicosPerUnit::new(75)));
        let priority = list.of_service(ServiceTier::Priority).unwrap();
        assert_eq!(priority.at(1).completion, Some(PicosPerUnit::new(2_000)));
        // Its list has no price of its own for long prompts: never below the
        // short one.
        assert_eq!(priority.at(201).prompt, Some(PicosPerUnit::new(200)));
        assert_eq!(list.of_service(ServiceTier::Ultrafast), None);
    }

    #[test]
    fn a_batch_costs_what_is_stated_for_it_or_half_of_tokens_rounded_up() {
        let usual = PriceList {
            base: Prices {
                cache_read: Some(PicosPerUnit::new(5)),
                request: Some(PicosPerUnit::new(100)),
                ..prices(201, 400)
            },
            ..PriceList::default()
        };
        let half = usual.of_batches().base;
        let expected = Prices {
            cache_read: Some(PicosPerUnit::new(3)),
            request: Some(PicosPerUnit::new(100)),
            ..prices(101, 200)
        };
        assert_eq!(half, expected);
        let stated = PriceList {
            services: vec![ServicePrices {
                service: ServiceTier::Batch,
                base: prices(7, 9),
                tiers: Vec::new(),
            }],
            ..usual
        };
        assert_eq!(
            stated.of_batches().base.completion,
            Some(PicosPerUnit::new(9))
        );
    }
}

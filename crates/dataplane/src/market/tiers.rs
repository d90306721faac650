//! Which tiers of service an endpoint sells.

use bourse_catalog::PriceList;
use bourse_vocab::ServiceTier;

/// The price lists of an endpoint's tiers, each whole.
#[derive(Debug, Default)]
pub struct Tiers(Box<[(ServiceTier, PriceList)]>);

impl Tiers {
    /// Those that an endpoint's price list has, and the vendor's own batches
    /// where it `takes_batches`.
    #[must_use]
    pub fn of(prices: &PriceList, takes_batches: bool) -> Self {
        let list = |tier| match tier {
            ServiceTier::Batch => takes_batches.then(|| (tier, prices.of_batches())),
            tier => Some((tier, prices.of_service(tier)?)),
        };
        Self(ServiceTier::ALL.into_iter().filter_map(list).collect())
    }

    /// Whether there are none, as nearly everywhere.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The tiers, cheapest first.
    pub fn names(&self) -> impl Iterator<Item = ServiceTier> {
        self.0.iter().map(|(tier, _)| *tier)
    }

    /// The price list of one of them.
    pub(crate) fn list(&self, tier: ServiceTier) -> Option<&PriceList> {
        let mut lists = self.0.iter();
        lists.find(|(of, _)| *of == tier).map(|(_, list)| list)
    }

    /// The price lists of those that a provider may serve a call by that did
    /// not ask for them: nobody is put into a batch.
    pub(crate) fn lists(&self) -> impl Iterator<Item = &PriceList> {
        let lists = self.0.iter().filter(|(of, _)| *of != ServiceTier::Batch);
        lists.map(|(_, list)| list)
    }
}

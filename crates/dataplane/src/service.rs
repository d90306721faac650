//! Tiers of service: which of them an endpoint sells, what it is told, and by
//! which price list an answer is billed.
//!
//! A tier with a price of its own is a target of its own, as it is an endpoint
//! of its own in the lists: what is planned, held and recorded is always one
//! price list. What an answer is billed by is what it says that it was served
//! by; the vendor decides, and charges by that.

use bourse_catalog::{PriceList, SearchSize};
use bourse_ledger::price::{self, Charge};
use bourse_vocab::chat::{Loss, Reason};
use bourse_vocab::{Served, ServiceTier, TierWish, Usage};
use std::sync::atomic::Ordering::Relaxed;

use crate::market::{Market, Target, Tiers};

impl Target {
    /// What the provider is told of the tier. Where it does not sell what was
    /// asked for, it is told to give the usual service: some give another to
    /// whoever says nothing.
    #[must_use]
    pub const fn told(&self, wish: TierWish) -> TierWish {
        match (self.tier, wish) {
            (Some(tier), _) => TierWish::Tier(tier),
            (None, TierWish::Tier(_)) => TierWish::Standard,
            (None, wish) => wish,
        }
    }

    /// The loss of a tier that was asked for in the member `name`, and that this
    /// target is not.
    #[must_use]
    pub fn loss_of(&self, wish: TierWish, name: &'static str) -> Option<Loss> {
        let TierWish::Tier(wanted) = wish else {
            return None;
        };
        if self.tier == Some(wanted) {
            return None;
        }
        let instead = self.tier.map_or("default", ServiceTier::name);
        let reason = format!(
            "this endpoint has no price for `{}`; `{instead}` is used",
            wanted.name()
        );
        Some(Loss::new(name, Reason::degraded(reason)))
    }
}

impl Market {
    /// The price list of what a target sells.
    #[must_use]
    pub fn prices<'a>(&'a self, target: &'a Target) -> &'a PriceList {
        let own = target.tier.and_then(|tier| target.tiers.list(tier));
        own.unwrap_or_else(|| &self.endpoint(target).prices)
    }

    /// The price lists by which a call may be billed: that of what the target
    /// is asked for, and those of its other tiers where the choice is the
    /// provider's.
    pub fn may_bill<'a>(
        &'a self,
        target: &'a Target,
        wish: TierWish,
    ) -> impl Iterator<Item = &'a PriceList> {
        let chooses = match target.told(wish) {
            TierWish::Auto => true,
            // A project can be set to serve whatever says nothing by a dearer
            // tier. One answer shows it.
            TierWish::None => target.metrics.served_dearer.load(Relaxed),
            TierWish::Standard | TierWish::Tier(_) => false,
        };
        let others = chooses.then(|| target.tiers.lists());
        std::iter::once(self.prices(target)).chain(others.into_iter().flatten())
    }

    /// What an answer is billed by, given what it says of its tier. One that
    /// says nothing was served what it was asked for.
    #[must_use]
    pub fn basis<'a>(&'a self, target: &'a Target, served: Option<Served>) -> Basis<'a> {
        let usual = &self.endpoint(target).prices;
        // What came out of a batch was in one, whatever the answer calls that.
        let served = served.filter(|_| target.tier != Some(ServiceTier::Batch));
        let list = match served {
            None => Some(self.prices(target)),
            Some(Served::Standard) => Some(usual),
            Some(Served::Tier(tier)) => target.tiers.list(tier),
            Some(Served::Unknown) => None,
        };
        Basis {
            usual: list.unwrap_or(usual),
            others: list.is_none().then_some(&target.tiers),
            search: None,
            markup_ppm: self.markup_ppm,
        }
    }
}

/// The price list that an answer is billed by; several where it says that it
/// was served by a tier whose price is not known, of which the dearest counts.
#[derive(Debug, Clone, Copy)]
pub struct Basis<'a> {
    usual: &'a PriceList,
    others: Option<&'a Tiers>,
    search: Option<SearchSize>,
    markup_ppm: u64,
}

impl<'a> Basis<'a> {
    /// The same for a call whose searches are to read so much.
    #[must_use]
    pub const fn searching(self, size: Option<SearchSize>) -> Self {
        Self {
            search: size,
            ..self
        }
    }

    /// Whether the price of what was served is known.
    #[must_use]
    pub const fn is_known(&self) -> bool {
        self.others.is_none()
    }

    /// The price list, or the usual one where several may count.
    #[must_use]
    pub const fn list(&self) -> &'a PriceList {
        self.usual
    }

    /// Prices a usage. What has no price of its own is left out, and what has
    /// no sane price at all is priced as `counted`: a call is never free by
    /// mistake.
    pub fn charge(&self, usage: &Usage, images: u64, counted: impl Fn() -> Usage) -> Charge {
        let by = |list| self.charge_by(list, usage, images, &counted);
        let mut charge = by(self.usual);
        for list in self.others.into_iter().flat_map(Tiers::lists) {
            let other = by(list);
            if other.total > charge.total {
                charge = other;
            }
        }
        charge
    }

    fn charge_by(
        &self,
        list: &PriceList,
        usage: &Usage,
        images: u64,
        counted: &impl Fn() -> Usage,
    ) -> Charge {
        let without_searches = Usage {
            web_searches: 0,
            ..*usage
        };
        let list = &*list.searching(self.search);
        price::price(usage, images, list, self.markup_ppm)
            .or_else(|_| price::price(&without_searches, images, list, self.markup_ppm))
            .or_else(|_| price::price(&counted(), images, list, self.markup_ppm))
            .unwrap_or_default()
    }
}

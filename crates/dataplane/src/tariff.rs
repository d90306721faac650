//! What an answer costs by our own count, while it grows and at its end.

use std::sync::Arc;

use bourse_catalog::SearchSize;
use bourse_ledger::price::Charge;
use bourse_vocab::{Served, Units, Usage, UsageReport};

use crate::begun::Begun;
use crate::market::{Market, Target};
use crate::relay::Delivered;

/// Bytes of text that an estimate counts as one token. Estimates are for
/// answers whose provider reports nothing, and are flagged.
const ESTIMATE_BYTES_PER_TOKEN: u64 = 4;

impl Delivered {
    /// Output tokens, as far as can be counted here.
    #[must_use]
    pub fn tokens(&self) -> u64 {
        let by_bytes = self.content_bytes.div_ceil(ESTIMATE_BYTES_PER_TOKEN);
        by_bytes.max(self.content_pieces)
    }
}

/// Where a count of ours may be after so many `more`: an answer that is within
/// its limit is not expected to leave it.
#[must_use]
pub fn further(tokens: u64, more: u64, limit: u64) -> u64 {
    let most = limit.saturating_mul(2);
    let further = tokens.saturating_add(more);
    if tokens <= most {
        further.min(most)
    } else {
        further
    }
}

/// The count at which an answer will have left its limit.
#[must_use]
pub const fn beyond(tokens: u64, limit: u64) -> u64 {
    let most = limit.saturating_mul(2);
    if tokens <= most {
        most.saturating_add(1)
    } else {
        u64::MAX
    }
}

/// What an answer that is under way is priced with, apart from its call: so
/// that whoever prices it need not hold the call.
pub struct Tariff {
    /// Where the prices are.
    pub market: Arc<Market>,
    /// Who answers.
    pub target: Arc<Target>,
    /// What it has said of its tier of service.
    pub served: Option<Served>,
    /// Pictures in the input.
    pub images: u64,
    /// What is used that is no token, where nobody tells.
    pub units: Units,
    /// How much searches are to read.
    pub search: Option<SearchSize>,
    /// Input tokens, estimated.
    pub prompt: u64,
    /// The most output tokens that are believed.
    pub completion_max: u64,
    /// The most output tokens that the provider may give.
    pub limit: u64,
    /// What was there of the answer before.
    pub begun: Option<Arc<Begun>>,
}

/// Output tokens of an answer that may have `limit`, by a count of ours. Texts
/// are not four bytes a token: a count that is somewhat beyond the limit is
/// the limit, and only one that is far beyond it is an answer that is.
#[must_use]
pub fn within(tokens: u64, limit: u64) -> u64 {
    if tokens <= limit.saturating_mul(2) {
        tokens.min(limit)
    } else {
        tokens
    }
}

impl Tariff {
    /// What so many output tokens of the answer cost by our own count; `told`
    /// is what the provider has reported.
    #[must_use]
    pub fn worth(&self, told: &UsageReport, tokens: u64) -> (Usage, Charge) {
        let usage = estimate(told, self.prompt, within(tokens, self.limit), &self.units);
        let counted = || Usage {
            prompt: self.prompt,
            completion: usage.completion.min(self.completion_max),
            units: self.units,
            ..Usage::default()
        };
        let basis = self.market.basis(&self.target, self.served);
        let basis = basis.searching(self.search);
        let charge = basis.charge(&usage, self.images, counted);
        match &self.begun {
            Some(begun) => begun.with(&usage, &charge),
            None => (usage, charge),
        }
    }
}

/// What was used, as far as can be counted here: so many input and output
/// tokens, and so many of what is no token. What the provider has counted already (Anthropic's counts the input
/// first) is not guessed.
#[must_use]
pub fn estimate(told: &UsageReport, prompt: u64, completion: u64, units: &Units) -> Usage {
    let counted = Usage {
        prompt,
        completion,
        units: *units,
        ..Usage::default()
    };
    if told.nonsense {
        return counted;
    }
    // What it has counted of the answer may be a beginning: some count as they
    // go on.
    let completion = completion.max(told.completion.unwrap_or(0));
    let report = UsageReport {
        completion: Some(completion),
        ..*told
    };
    report.resolve(&counted).0
}

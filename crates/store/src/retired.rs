//! Finished calls that are not kept any more, and what is kept in their place.
//!
//! Balances, days, keys and costs are sums over all calls that ever were, and
//! `ledger verify` counts them again from the calls. So whoever drops a call
//! adds what it adds to them to sums of its own, in the same transaction, and
//! takes its hash out of the sum of all. A row that is not what its record says
//! is evidence, and is not dropped.

use std::collections::BTreeMap;
use std::sync::Arc;

use bourse_ledger::fold::{ActivityKey, ActivitySums};
use bourse_ledger::{GenerationRow, RowSum, generation};
use bourse_vocab::{AccountId, KeyId, Nanos};

use crate::StoreError;
use crate::recount;

/// Most calls that are dropped in one transaction: some milliseconds of it, as
/// of a batch of the journal.
pub const RETIRED_AT_ONCE: u64 = 1_000;

/// What was dropped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Dropped {
    /// Finished calls.
    pub calls: u64,
    /// Questions for reconciliation whose calls had no row.
    pub questions: u64,
}

/// Calls of one key that are not kept any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct RetiredCalls {
    /// How many were in the books.
    pub calls: u64,
    /// What customers paid.
    pub paid: Nanos,
    /// What the house paid.
    pub house_loss: Nanos,
    /// What providers charge.
    pub upstream: Nanos,
    /// When the last of them was settled that was paid for; 0 if that is not
    /// known.
    pub last_used_at_ms: u64,
}

/// What finished calls added that are not kept any more.
#[derive(Debug, Clone, Default)]
pub struct Retired {
    /// By who paid.
    pub calls: BTreeMap<(AccountId, KeyId), RetiredCalls>,
    /// By day.
    pub days: BTreeMap<ActivityKey, ActivitySums>,
    /// By provider.
    pub costs: BTreeMap<Arc<str>, Nanos>,
}

impl Retired {
    /// Takes over what a call added. Returns the sum of all hashes without its.
    ///
    /// # Errors
    /// [`StoreError::Damaged`]: the row is not what its record says.
    pub fn take(&mut self, row: &GenerationRow, hashes: RowSum) -> Result<RowSum, StoreError> {
        let damaged = |what: String| {
            let id = row.id;
            StoreError::Damaged(format!("call {id} is not dropped: {what}"))
        };
        let wrong = generation::check_row(row).map_err(|error| damaged(error.to_string()))?;
        if let Some(what) = wrong {
            return Err(damaged(what.to_owned()));
        }
        let adds = recount::adds(row).ok_or_else(|| damaged("it is not the end".to_owned()))?;
        let calls = self.calls.entry((row.account, row.key)).or_default();
        calls.calls = calls.calls.saturating_add(row.is_in_books().into());
        calls.paid = calls.paid.saturating_add(row.paid);
        calls.house_loss = calls.house_loss.saturating_add(row.house_loss);
        calls.upstream = calls.upstream.saturating_add(row.upstream);
        for (provider, amount) in adds.costs {
            let cost = self.costs.entry(provider).or_default();
            *cost = cost.saturating_add(amount);
        }
        if let Some((day, sums)) = adds.day {
            // What the first release noted was another moment.
            let used_at_ms = row.link.map_or(0, |_| row.settled_at_ms);
            calls.last_used_at_ms = calls.last_used_at_ms.max(used_at_ms);
            add(self.days.entry(day).or_default(), &sums);
        }
        Ok(row.link.map_or(hashes, |link| hashes.without(link)))
    }

    /// Adds what another one has.
    pub fn add(&mut self, other: Self) {
        for (of, more) in other.calls {
            let calls = self.calls.entry(of).or_default();
            calls.calls = calls.calls.saturating_add(more.calls);
            calls.paid = calls.paid.saturating_add(more.paid);
            calls.house_loss = calls.house_loss.saturating_add(more.house_loss);
            calls.upstream = calls.upstream.saturating_add(more.upstream);
            calls.last_used_at_ms = calls.last_used_at_ms.max(more.last_used_at_ms);
        }
        for (of, sums) in other.days {
            add(self.days.entry(of).or_default(), &sums);
        }
        for (provider, amount) in other.costs {
            let cost = self.costs.entry(provider).or_default();
            *cost = cost.saturating_add(amount);
        }
    }
}

/// Adds to daily sums.
pub(crate) fn add(sum: &mut ActivitySums, one: &ActivitySums) {
    sum.requests = sum.requests.saturating_add(one.requests);
    sum.paid = sum.paid.saturating_add(one.paid);
    sum.byok = sum.byok.saturating_add(one.byok);
    sum.prompt = sum.prompt.saturating_add(one.prompt);
    sum.completion = sum.completion.saturating_add(one.completion);
    sum.reasoning = sum.reasoning.saturating_add(one.reasoning);
    sum.cached = sum.cached.saturating_add(one.cached);
}

//! A finished call's row, and how an edited one is recognised.
//!
//! A row carries a hash of its record ([`row_link`]), and the store keeps
//! the sum of all rows' hashes ([`RowSum`]). An edited row does not match its
//! own hash, and one that was removed or put in is missing from the sum. The
//! sum does not depend on an order, so that rows can be checked in any, and
//! old ones can be taken out of it when they are dropped.

use std::sync::Arc;

use bourse_vocab::{AccountId, FailureKind, GenerationId, KeyId, Nanos};

use crate::chain::{Link, former_row_link, row_link};
use crate::record::{self, Cost, DecodeError, Facts, Payer, RecomputeError, Record, VoidReason};

/// One call that has ended, as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GenerationRow {
    /// The call.
    pub id: GenerationId,
    /// Who paid.
    pub account: AccountId,
    /// With which key.
    pub key: KeyId,
    /// When the hold was made, in milliseconds since 1970.
    pub created_at_ms: u64,
    /// When it was settled.
    pub settled_at_ms: u64,
    /// Slug of the model.
    pub model: Arc<str>,
    /// Slug of the provider.
    pub provider: Arc<str>,
    /// The endpoint's id.
    pub endpoint: Arc<str>,
    /// What the call costs by the price list.
    pub charge: Nanos,
    /// What the customer paid.
    pub paid: Nanos,
    /// What we paid in the customer's stead.
    pub house_loss: Nanos,
    /// What providers charge, over all attempts.
    pub upstream: Nanos,
    /// Input tokens.
    pub prompt: u64,
    /// Output tokens.
    pub completion: u64,
    /// Output tokens spent on reasoning.
    pub reasoning: u64,
    /// Input tokens read from a cache.
    pub cached: u64,
    /// Why it cost its customer nothing; `None` if it was settled.
    pub voided: Option<VoidReason>,
    /// What went wrong, if anything did.
    pub failure: Option<FailureKind>,
    /// The whole record, in the journal's encoding.
    pub record: Vec<u8>,
    /// See [`row_link`]; rows from before there were links have
    /// none.
    pub link: Option<Link>,
}

impl GenerationRow {
    /// Whether the call counts in the books: it was settled, or cost us
    /// something. The others are kept for what went wrong.
    #[must_use]
    pub fn is_in_books(&self) -> bool {
        self.voided.is_none() || self.upstream != Nanos::ZERO
    }
}

/// The sum of rows' hashes, in whatever order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct RowSum(pub u128);

impl RowSum {
    /// With one more row.
    #[must_use]
    pub const fn with(self, row: Link) -> Self {
        Self(self.0.wrapping_add(u128::from_le_bytes(row.0)))
    }

    /// With one row less.
    #[must_use]
    pub const fn without(self, row: Link) -> Self {
        Self(self.0.wrapping_sub(u128::from_le_bytes(row.0)))
    }

    /// With the rows of another sum.
    #[must_use]
    pub const fn plus(self, other: Self) -> Self {
        Self(self.0.wrapping_add(other.0))
    }
}

/// Whether the row has the hash of its record, by today's rule or by the
/// former one. Rows from before there were hashes have none.
fn is_intact(row: &GenerationRow) -> bool {
    row.link.is_none_or(|link| {
        let mut rules = [row_link, former_row_link].into_iter();
        rules.any(|made| made(&row.record, row.created_at_ms) == link)
    })
}

/// What is wrong with a stored row, if anything is: its hash, or a column
/// that does not say what its record says. Rows from before there were
/// hashes are held to their record only.
///
/// # Errors
/// A record that cannot be read.
pub fn check_row(row: &GenerationRow) -> Result<Option<&'static str>, DecodeError> {
    if !is_intact(row) {
        return Ok(Some("its record was changed"));
    }
    let record = record::decode(&row.record)?;
    Ok(match &record {
        Record::Settle(settle) => {
            let total = record::recompute(&record).map(|charge| charge.total);
            check_settled(row, settle, total)
        }
        Record::Void(void) => check_voided(row, void),
        _ => Some("its record is not the end of a call"),
    })
}

fn wrong(is_right: bool, what: &'static str) -> Option<&'static str> {
    (!is_right).then_some(what)
}

/// A row against the settlement that it was made of, whose price lines make
/// `total`.
fn check_settled(
    row: &GenerationRow,
    settle: &record::Settle<'_>,
    total: Result<Nanos, RecomputeError>,
) -> Option<&'static str> {
    let end = &settle.settlement;
    let usage = end.facts.counts.usage();
    let priced = match total {
        Ok(total) => total == end.charge,
        Err(RecomputeError::NoLines) => true,
        Err(_) => false,
    };
    wrong(end.id == row.id, "its id is not its record's")
        .or(wrong(
            end.account == row.account,
            "the account is not its record's",
        ))
        .or(wrong(settle.key == row.key, "the key is not its record's"))
        .or(wrong(
            end.at_ms == row.settled_at_ms,
            "the moment is not its record's",
        ))
        .or(wrong(
            end.charge == row.charge && settle.paid == row.paid,
            "what was charged or paid is not its record's",
        ))
        .or(wrong(
            (
                usage.prompt,
                usage.completion,
                usage.reasoning,
                usage.cache_read,
            ) == (row.prompt, row.completion, row.reasoning, row.cached),
            "the tokens are not its record's",
        ))
        .or(wrong(
            *end.facts.model == *row.model
                && *end.facts.provider == *row.provider
                && *end.facts.endpoint == *row.endpoint,
            "model, provider or endpoint are not its record's",
        ))
        .or(wrong(priced, "its price lines do not make its charge"))
        .or(wrong(row.voided.is_none(), "it was settled and is voided"))
        .or(check_told(&end.facts, &end.costs))
        .or(check_costs(
            row,
            &end.costs,
            end.charge.saturating_sub(settle.paid),
        ))
        .or(check_failure(row, end.facts.failure))
}

/// A row against the voiding that it was made of.
fn check_voided(row: &GenerationRow, void: &record::Void<'_>) -> Option<&'static str> {
    let end = &void.voiding;
    wrong(end.id == row.id, "its id is not its record's")
        .or(wrong(
            end.account == row.account,
            "the account is not its record's",
        ))
        .or(wrong(void.key == row.key, "the key is not its record's"))
        .or(wrong(
            end.at_ms == row.settled_at_ms,
            "the moment is not its record's",
        ))
        .or(wrong(
            row.charge.0 == 0 && row.paid.0 == 0,
            "it was voided and has a charge",
        ))
        .or(wrong(
            row.link.is_none() || row.voided == Some(end.reason),
            "the reason is not its record's",
        ))
        .or(check_void_facts(row, &end.facts))
        .or(check_told(&end.facts, &end.costs))
        .or(check_costs(row, &end.costs, Nanos::ZERO))
        .or(check_failure(row, end.facts.failure))
}

/// What the provider that answered said that it charges is what is booked.
fn check_told(facts: &Facts<'_>, costs: &[Cost<'_>]) -> Option<&'static str> {
    let is_booked = || costs.last().map(|cost| cost.amount) == Some(facts.told_cost);
    wrong(
        facts.told_cost == Nanos::ZERO || is_booked(),
        "what its provider told is not what it charges",
    )
}

/// What providers charge and what of it the house bears, where the row is of
/// a version that derived both from the record.
fn check_costs(
    row: &GenerationRow,
    costs: &[Cost<'_>],
    uncollected: Nanos,
) -> Option<&'static str> {
    let sum = |costs: &mut dyn Iterator<Item = Nanos>, first: Nanos| {
        costs.fold(first, Nanos::saturating_add)
    };
    let upstream = sum(&mut costs.iter().map(|cost| cost.amount), Nanos::ZERO);
    let of_house = costs.iter().filter(|cost| cost.payer == Payer::House);
    let loss = sum(&mut of_house.map(|cost| cost.amount), uncollected);
    let is_right = row.link.is_none() || (upstream, loss) == (row.upstream, row.house_loss);
    (!is_right).then_some("what providers charge or the house pays is not its record's")
}

fn check_failure(row: &GenerationRow, failure: Option<FailureKind>) -> Option<&'static str> {
    let is_right = row.link.is_none() || row.failure == failure;
    (!is_right).then_some("what went wrong is not its record's")
}

/// The first version kept no facts of what was voided.
fn check_void_facts(row: &GenerationRow, facts: &Facts<'_>) -> Option<&'static str> {
    let usage = facts.counts.usage();
    let counted = (
        usage.prompt,
        usage.completion,
        usage.reasoning,
        usage.cache_read,
    );
    let is_name = |told: &str, kept: &str| told.is_empty() || told == kept;
    if counted != (row.prompt, row.completion, row.reasoning, row.cached) {
        return Some("the tokens are not its record's");
    }
    let is_right = is_name(facts.model, &row.model)
        && is_name(facts.provider, &row.provider)
        && is_name(facts.endpoint, &row.endpoint);
    (!is_right).then_some("model, provider or endpoint are not its record's")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_provider_told_is_what_is_booked_or_the_row_is_wrong() {
        let cost = |nanos| Cost {
            provider: "p",
            amount: Nanos(nanos),
            payer: Payer::Customer,
        };
        let told = |nanos| Facts {
            told_cost: Nanos(nanos),
            ..Facts::default()
        };
        assert_eq!(check_told(&told(0), &[cost(5)]), None);
        assert_eq!(check_told(&told(5), &[cost(9), cost(5)]), None);
        assert!(check_told(&told(5), &[cost(6)]).is_some());
        assert!(check_told(&told(5), &[]).is_some());
    }

    #[test]
    fn a_sum_of_rows_knows_them_in_any_order() {
        let rows = [row_link(b"a", 1), row_link(b"b", 1), row_link(b"a", 2)];
        let sum = |order: [usize; 3]| {
            order
                .iter()
                .fold(RowSum::default(), |sum, at| sum.with(rows[*at]))
        };
        assert_eq!(sum([0, 1, 2]), sum([2, 0, 1]));
        assert_ne!(sum([0, 1, 2]), sum([0, 1, 1]));
        assert_ne!(rows[0], rows[2]);
    }
}

//! From records to bookings: what a batch of the journal changes.
//!
//! Pure, and the same for every database: a store loads the holds that the
//! batch touches, folds the batch, and writes the [`Effects`] in one
//! transaction. Hold and settlement of a short call meet in one batch and
//! never touch the table of open holds.
//!
//! A record that is applied twice changes nothing the second time: a hold
//! with a known id, and the end of a call that has no open hold, are
//! counted and left out.
#![deny(clippy::float_arithmetic, clippy::arithmetic_side_effects)]

mod effects;
mod movements;

use std::collections::{BTreeMap, BTreeSet, hash_map};
use std::sync::Arc;

use bourse_policy::day_of;
use bourse_vocab::{AccountId, FailureKind, GenerationId, KeyId, Nanos};

pub use effects::{
    ActivityKey, ActivitySums, Effects, FailureOf, FailureSums, KeyUse, Unreconciled,
};

use crate::by_id::{ById, Ids};
use crate::chain::row_link;
use crate::generation::GenerationRow;
use crate::journal::JournalError;
use crate::names::Names;
use crate::open_hold::OpenHold;
use crate::record::{
    self, Booking, Calls, Cost, DecodeError, End, FailedAttempt, Payer, Record, Refused,
};
use movements::Movements;

/// Most rows that a batch keeps, for each account, of calls that cost nobody
/// anything. They are free for the caller, so a client that goes round in
/// circles must not fill the table; a batch is a second of traffic or more,
/// and every failure is counted in [`Effects::failures`] all the same.
pub const FREE_ROWS_MAX: u32 = 256;

/// The calls that a batch mentions without beginning them: their holds, if
/// they are open, are to be loaded before it is folded.
///
/// # Errors
/// Bytes that are not a record.
pub fn begun_before(records: &[&[u8]]) -> Result<BTreeSet<GenerationId>, DecodeError> {
    let mut begun = Ids::default();
    begun.reserve(records.len() / 2);
    let mut wanted = BTreeSet::new();
    for bytes in records {
        match record::calls_of(bytes)? {
            Calls::Begins(id) => {
                begun.insert(id);
            }
            Calls::Continues(id) => {
                if !begun.contains(&id) {
                    wanted.insert(id);
                }
            }
            Calls::Several(list) => {
                let running = list.iter().map(|one| one.id);
                wanted.extend(running.filter(|id| !begun.contains(id)));
            }
            Calls::None => {}
        }
    }
    Ok(wanted)
}

/// Folds records into [`Effects`].
#[derive(Debug, Default)]
pub struct Fold {
    open: ById<Open>,
    movements: Movements,
    /// Rows kept of calls that cost nobody anything.
    free_rows: BTreeMap<AccountId, u32>,
    names: Names,
    effects: Effects,
}

/// An open hold, and what the database knows of it.
#[derive(Debug)]
struct Open {
    hold: OpenHold,
    /// It was open before the batch.
    is_known: bool,
    /// It is not as it was then.
    is_changed: bool,
}

impl Fold {
    /// Starts a batch. `open` are the open holds among the calls that the
    /// batch mentions (or more).
    #[must_use]
    pub fn new(open: impl IntoIterator<Item = OpenHold>) -> Self {
        let open = open.into_iter().map(|hold| {
            let open = Open {
                is_known: true,
                is_changed: false,
                hold,
            };
            (open.hold.id, open)
        });
        Self {
            open: open.collect(),
            ..Self::default()
        }
    }

    /// Takes in one record, as it stands in the journal.
    ///
    /// # Errors
    /// Bytes that are not a record. What the books do not need of it is not
    /// looked at.
    pub fn push(&mut self, bytes: &[u8]) -> Result<(), DecodeError> {
        match record::decode_booking(bytes)? {
            Booking::Hold(hold) => {
                let hash_map::Entry::Vacant(place) = self.open.entry(hold.id) else {
                    self.repeat();
                    return Ok(());
                };
                place.insert(Open {
                    hold: OpenHold::new(&hold, &mut self.names),
                    is_known: false,
                    is_changed: true,
                });
                self.see(hold.at_ms);
                self.movements.hold(hold.account, hold.amount);
            }
            Booking::Extend(extend) => self.note(&Record::Extend(extend)),
            Booking::Dispatch(dispatch) => self.note(&Record::Dispatch(dispatch)),
            Booking::Checkpoint(one) => self.note(&Record::Checkpoint(one)),
            Booking::Checkpoints(list) => {
                for one in list {
                    self.note(&Record::Checkpoint(one));
                }
            }
            Booking::End(end) => self.end(&end, bytes),
            Booking::Refused(refused) => self.refused(&refused),
        }
        Ok(())
    }

    /// Takes in a record of a running call.
    fn note(&mut self, record: &Record<'_>) {
        let Some(open) = self.open.get_mut(&record.id()) else {
            self.repeat();
            return;
        };
        let extra = open.hold.note(record, &mut self.names);
        open.is_changed = true;
        self.movements.hold(open.hold.account, extra);
    }

    /// Ends the batch.
    ///
    /// # Errors
    /// Sums outside the range of an account. Unbalanced entries cannot
    /// arise here and are refused all the same.
    pub fn finish(mut self) -> Result<Effects, JournalError> {
        self.effects.journal = self.movements.journal()?;
        let open = self.open.into_values();
        let changed = open.filter(|open| open.is_changed).map(|open| open.hold);
        self.effects.opened = changed.collect();
        self.effects.opened.sort_by_key(|hold| hold.id);
        Ok(self.effects)
    }

    fn end(&mut self, end: &End<'_>, bytes: &[u8]) {
        let Some(open) = self.close(end.id) else {
            return;
        };
        self.see(end.at_ms);
        let uncollected = end.charge.saturating_sub(end.paid);
        let (upstream, loss) = self.book(&open, end.paid, uncollected, &end.costs);
        self.questions(end.id, end.at_ms, &end.possible);
        let of = self.activity_of(&open, end);
        let (model, provider, endpoint) = (
            Arc::clone(&of.model),
            Arc::clone(&of.provider),
            Arc::clone(&of.endpoint),
        );
        self.failed_attempts(&open, of.day, &end.failed);
        if end.voided.is_some() {
            self.count_call(of.failed_by(end.failure), 1);
            if upstream == Nanos::ZERO && !self.keeps_free_row(open.account) {
                return;
            }
        } else {
            self.paid(of, end);
        }
        self.effects.generations.push(GenerationRow {
            id: end.id,
            account: open.account,
            key: open.key,
            created_at_ms: open.at_ms,
            settled_at_ms: end.at_ms,
            model,
            provider,
            endpoint,
            charge: end.charge,
            paid: end.paid,
            house_loss: loss,
            upstream,
            prompt: end.tokens.prompt,
            completion: end.tokens.completion,
            reasoning: end.tokens.reasoning,
            cached: end.tokens.cached,
            voided: end.voided,
            failure: end.failure,
            record: bytes.to_vec(),
            link: Some(row_link(bytes, open.at_ms)),
        });
    }

    /// Which row of the daily sums a call belongs to.
    fn activity_of(&mut self, open: &OpenHold, end: &End<'_>) -> ActivityKey {
        let is_void = end.voided.is_some();
        // Voidings of version 1 kept no facts: then the hold knows who was
        // asked.
        let mut name = |told: &str, known: &Arc<str>| match told {
            "" if is_void => Arc::clone(known),
            told => self.names.keep_as(known, told),
        };
        ActivityKey {
            day: day_of(open.at_ms),
            account: open.account,
            key: open.key,
            model: name(end.model, &open.model),
            endpoint: name(end.endpoint, &open.endpoint),
            provider: name(end.provider, &open.provider),
        }
    }

    /// Adds a call that was settled to what was paid.
    fn paid(&mut self, of: ActivityKey, end: &End<'_>) {
        let spent = self.effects.spent.entry(of.account).or_default();
        *spent = spent.saturating_add(end.paid);
        let used = self.effects.keys.entry((of.key, of.day)).or_default();
        used.paid = used.paid.saturating_add(end.paid);
        used.at_ms = used.at_ms.max(end.at_ms);
        let sums = self.effects.activity.entry(of).or_default();
        sums.requests = sums.requests.saturating_add(1);
        sums.paid = sums.paid.saturating_add(end.paid);
        sums.byok = sums.byok.saturating_add(end.byok);
        sums.prompt = sums.prompt.saturating_add(end.tokens.prompt);
        sums.completion = sums.completion.saturating_add(end.tokens.completion);
        sums.reasoning = sums.reasoning.saturating_add(end.tokens.reasoning);
        sums.cached = sums.cached.saturating_add(end.tokens.cached);
    }

    fn refused(&mut self, refused: &Refused<'_>) {
        self.see(refused.at_ms);
        // Only a model that was found has a place in a table: a name that was
        // typed can be anything.
        let found = matches!(
            refused.failure,
            FailureKind::PaymentRequired | FailureKind::RateLimited | FailureKind::Overloaded
        );
        let day = day_of(refused.at_ms);
        let of = FailureOf {
            day,
            account: refused.account,
            key: refused.key,
            model: if found { refused.requested } else { "" }.into(),
            endpoint: "".into(),
            provider: "".into(),
            failure: refused.failure.number(),
        };
        self.count_call(of, 1);
        if refused.unrecorded > 0 {
            let nobody = FailureOf {
                day,
                account: AccountId(0),
                key: KeyId(0),
                model: "".into(),
                endpoint: "".into(),
                provider: "".into(),
                failure: 0,
            };
            self.count_call(nobody, refused.unrecorded);
        }
    }

    fn count_call(&mut self, of: FailureOf, calls: u64) {
        let sums = self.effects.failures.entry(of).or_default();
        sums.calls = sums.calls.saturating_add(calls);
    }

    fn failed_attempts(&mut self, open: &OpenHold, day: u64, failed: &[FailedAttempt<'_>]) {
        for attempt in failed {
            let of = FailureOf {
                day,
                account: open.account,
                key: open.key,
                model: self.names.keep(attempt.model),
                endpoint: self.names.keep(attempt.endpoint),
                provider: self.names.keep(attempt.provider),
                failure: attempt.failure.number(),
            };
            let sums = self.effects.failures.entry(of).or_default();
            sums.attempts = sums.attempts.saturating_add(1);
        }
    }

    /// Whether one more call that cost nobody anything is kept.
    fn keeps_free_row(&mut self, account: AccountId) -> bool {
        let kept = self.free_rows.entry(account).or_default();
        let keeps = *kept < FREE_ROWS_MAX;
        *kept = kept.saturating_add(1);
        keeps
    }

    fn close(&mut self, id: GenerationId) -> Option<OpenHold> {
        let Some(open) = self.open.remove(&id) else {
            self.repeat();
            return None;
        };
        if open.is_known {
            self.effects.closed.push(id);
        }
        Some(open.hold)
    }

    /// Books the end of a call. Every cost is matched by revenue, of which
    /// the customer pays `paid` and the house pays the rest. Returns what
    /// providers charge and what the house pays.
    fn book(
        &mut self,
        open: &OpenHold,
        paid: Nanos,
        uncollected: Nanos,
        costs: &[Cost<'_>],
    ) -> (Nanos, Nanos) {
        let mut upstream = Nanos::ZERO;
        let mut loss = uncollected;
        for cost in costs {
            upstream = upstream.saturating_add(cost.amount);
            if cost.payer == Payer::House {
                loss = loss.saturating_add(cost.amount);
            }
            self.movements
                .cost(&mut self.names, cost.provider, cost.amount);
        }
        let released = Nanos::ZERO.saturating_sub(open.amount);
        self.movements.hold(open.account, released);
        self.movements.pay(open.account, paid);
        self.movements.lose(loss);
        (upstream, loss)
    }

    fn questions(&mut self, id: GenerationId, at_ms: u64, possible: &[Cost<'_>]) {
        for cost in possible {
            self.effects.unreconciled.push(Unreconciled {
                id,
                provider: self.names.keep(cost.provider),
                at_most: cost.amount,
                at_ms,
            });
        }
    }

    fn see(&mut self, at_ms: u64) {
        self.effects.at_ms = self.effects.at_ms.max(at_ms);
    }

    fn repeat(&mut self) {
        self.effects.repeated = self.effects.repeated.saturating_add(1);
    }
}

#[cfg(test)]
mod tests;

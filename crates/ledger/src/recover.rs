//! Starting again: balances from the database plus what the journal holds
//! that the database has not seen.
//!
//! The database knows everything up to one position of the journal. The
//! records after it are folded in here, in memory, so that serving starts
//! at once; the database catches up later from the same records. Calls that
//! were running are then closed by the rows "the server stopped" of
//! [`crate::who_pays`], so no hold outlives a restart.
#![deny(clippy::float_arithmetic, clippy::arithmetic_side_effects)]

use std::collections::{BTreeSet, HashMap};

use bourse_policy::{SpentByDay, day_of};
use bourse_vocab::{AccountId, Count, Counts, FailureKind, KeyId, Nanos};

use crate::books::{Books, Credit, KeyState, Refusal};
use crate::names::Names;
use crate::open_hold::OpenHold;
use crate::price::Priced;
use crate::record::{AttemptFact, Facts, Flags, Record, Settlement, Voiding, checkpoint_line};
use crate::who_pays::{Attempt, End, Ended};

/// Money as the database has it, and as the journal changes it. Which rows
/// of the database are needed is known when the journal has been read:
/// those of every account and key that the journal has money of. Whatever
/// else memory does not know is settled, and the database knows all of it.
#[derive(Debug, Default)]
pub struct Replay {
    accounts: HashMap<AccountId, Credit>,
    keys: HashMap<KeyId, KeyState>,
    /// What records that the database has not seen paid.
    paid: HashMap<AccountId, Nanos>,
    paid_by_key: HashMap<KeyId, SpentByDay>,
    open: HashMap<bourse_vocab::GenerationId, OpenHold>,
    repeated: u64,
    names: Names,
}

/// How a call that was running is closed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Closing<'a> {
    /// Settled by its last checkpoint.
    Settle(Box<Settlement<'a>>),
    /// Voided.
    Void(Box<Voiding<'a>>),
}

impl Replay {
    /// Takes in an account of the database.
    pub fn account(&mut self, id: AccountId, credit: Credit) {
        self.accounts.insert(id, credit);
    }

    /// Takes in a key of the database.
    pub fn key(&mut self, id: KeyId, state: KeyState) {
        self.keys.insert(id, state);
    }

    /// Takes in an open hold of the database.
    pub fn open(&mut self, hold: OpenHold) {
        self.open.insert(hold.id, hold);
    }

    /// Takes in a record that the database has not seen, in order.
    pub fn push(&mut self, record: &Record<'_>) {
        let known = match record {
            Record::Checkpoints(list) => {
                for one in list {
                    self.push(&Record::Checkpoint(*one));
                }
                true
            }
            Record::Hold(hold) => {
                let known = !self.open.contains_key(&hold.id);
                if known {
                    self.open
                        .insert(hold.id, OpenHold::new(hold, &mut self.names));
                }
                known
            }
            Record::Extend(_) | Record::Dispatch(_) | Record::Checkpoint(_) => {
                match self.open.get_mut(&record.id()) {
                    Some(open) => {
                        open.note(record, &mut self.names);
                        true
                    }
                    None => false,
                }
            }
            Record::Settle(settle) => match self.open.remove(&settle.settlement.id) {
                Some(open) => {
                    self.pay(&open, settle.paid);
                    true
                }
                None => false,
            },
            Record::Void(void) => self.open.remove(&void.voiding.id).is_some(),
            Record::Refused(_) => true,
        };
        if !known {
            self.repeated = self.repeated.saturating_add(1);
        }
    }

    /// A payment counts on the day of its hold.
    fn pay(&mut self, open: &OpenHold, paid: Nanos) {
        let sum = self.paid.entry(open.account).or_default();
        *sum = sum.saturating_add(paid);
        let days = self.paid_by_key.entry(open.key).or_default();
        days.add(day_of(open.at_ms), paid);
    }

    /// Accounts that the journal has money of, each once.
    #[must_use]
    pub fn accounts_needed(&self) -> Vec<AccountId> {
        let open = self.open.values().map(|hold| hold.account);
        let needed: BTreeSet<_> = open.chain(self.paid.keys().copied()).collect();
        needed.into_iter().collect()
    }

    /// Keys that the journal has money of, each once.
    #[must_use]
    pub fn keys_needed(&self) -> Vec<KeyId> {
        let open = self.open.values().map(|hold| hold.key);
        let needed: BTreeSet<_> = open.chain(self.paid_by_key.keys().copied()).collect();
        needed.into_iter().collect()
    }

    /// Records that repeated what was known.
    #[must_use]
    pub const fn repeated(&self) -> u64 {
        self.repeated
    }

    /// Opens the books, with the holds of the calls that were running, and
    /// returns these calls: each must be closed, see [`close`].
    ///
    /// # Errors
    /// The journal has money of an account or a key that was not taken in:
    /// it belongs to another database.
    pub fn finish(mut self) -> Result<(Books, Vec<OpenHold>), Refusal> {
        for (id, paid) in &self.paid {
            let credit = self.accounts.get_mut(id).ok_or(Refusal::UnknownAccount)?;
            credit.spent = credit.spent.saturating_add(*paid);
        }
        for (id, paid) in &self.paid_by_key {
            let key = self.keys.get_mut(id).ok_or(Refusal::UnknownKey)?;
            for (day, amount) in &paid.days {
                key.spent.add(*day, *amount);
            }
        }
        let books = Books::new();
        for (id, credit) in &self.accounts {
            books.set_account(*id, credit);
        }
        for (id, key) in &self.keys {
            books.set_key(*id, key)?;
        }
        let mut open: Vec<_> = self.open.into_values().collect();
        open.sort_by_key(|hold| hold.id);
        for hold in &open {
            books.restore(hold)?;
        }
        Ok((books, open))
    }
}

/// How to close a call that was running when the server stopped.
#[must_use]
pub fn close(open: &OpenHold, now_ms: u64) -> Closing<'_> {
    // How earlier attempts ended is not in the journal: each may have run.
    let attempt = |provider, end| Attempt { provider, end };
    let earlier = open.earlier.iter();
    let end = match open.checkpoint {
        Some(_) => End::StoppedMidway,
        None => End::StoppedBeforeContent,
    };
    let ended = Ended {
        attempts: earlier
            .map(|provider| attempt(provider, End::GivenUp))
            .collect(),
        last: Some(attempt(&open.provider, end)),
        held: open.amount,
        begun: None,
        told: None,
    };
    let delivered = open
        .checkpoint
        .map_or(Priced::default(), |checkpoint| Priced {
            // More than was set aside was never agreed to.
            charge: checkpoint.charge.min(open.amount),
            upstream: checkpoint.upstream,
            repeated: Nanos::ZERO,
        });
    let verdict = ended.verdict(None, || delivered);
    let facts = facts(open);
    let Some(checkpoint) = open.checkpoint else {
        return Closing::Void(Box::new(Voiding {
            id: open.id,
            account: open.account,
            at_ms: now_ms,
            reason: verdict.end.void_reason(),
            costs: verdict.costs,
            possible: verdict.possible,
            facts,
        }));
    };
    let lines = match verdict.charge {
        Nanos::ZERO => Vec::new(),
        charge => vec![checkpoint_line(charge)],
    };
    Closing::Settle(Box::new(Settlement {
        id: open.id,
        account: open.account,
        at_ms: now_ms,
        charge: verdict.charge,
        costs: verdict.costs,
        possible: verdict.possible,
        facts: Facts {
            flags: Flags {
                streamed: true,
                estimated: true,
                ..Flags::default()
            },
            counts: Counts::default()
                .with(Count::Prompt, checkpoint.prompt)
                .with(Count::Completion, checkpoint.completion),
            upstream_completion: checkpoint.upstream,
            lines,
            ..facts
        },
    }))
}

/// What is known of a call that was running: who was asked, and that it did
/// not come to its end.
fn facts(open: &OpenHold) -> Facts<'_> {
    let attempt = |provider| AttemptFact {
        provider,
        model: &open.model,
        ..AttemptFact::default()
    };
    let mut attempts: Vec<_> = open.earlier.iter().map(|slug| attempt(slug)).collect();
    attempts.push(AttemptFact {
        endpoint: &open.endpoint,
        failure: Some(FailureKind::Server),
        ..attempt(&open.provider)
    });
    Facts {
        model: &open.model,
        provider: &open.provider,
        endpoint: &open.endpoint,
        finish: "error",
        native_finish: "restart",
        failure: Some(FailureKind::Server),
        attempts,
        ..Facts::default()
    }
}

#[cfg(test)]
mod tests;

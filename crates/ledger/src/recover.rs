//! Starting again: balances from the database plus what the journal holds
//! that the database has not seen.
//!
//! The database knows everything up to one position of the journal. The
//! records after it are folded in here, in memory, so that serving starts
//! at once; the database catches up later from the same records. Calls that
//! were running are then closed by the rows "the server stopped" of
//! [`crate::who_pays`], so no hold outlives a restart.
#![deny(clippy::float_arithmetic, clippy::arithmetic_side_effects)]

use std::collections::HashMap;

use bourse_policy::{KeyLimit, Spent};
use bourse_vocab::{AccountId, Count, Counts, FailureKind, KeyId, Nanos};

use crate::books::{Books, Refusal};
use crate::fold::OpenHold;
use crate::record::{AttemptFact, Facts, Flags, Record, Settlement, Voiding, checkpoint_line};
use crate::who_pays::{Attempt, End, Ended, Priced};

/// A key as the database has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeyState {
    /// Whose it is.
    pub account: AccountId,
    /// The most it may spend.
    pub limit: Option<KeyLimit>,
    /// What it has spent.
    pub spent: Spent,
}

/// Money as the database has it, then as the journal changes it.
#[derive(Debug, Default)]
pub struct Replay {
    accounts: HashMap<AccountId, (Nanos, Nanos)>,
    keys: HashMap<KeyId, KeyState>,
    open: HashMap<bourse_vocab::GenerationId, OpenHold>,
    repeated: u64,
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
    pub fn account(&mut self, id: AccountId, granted: Nanos, spent: Nanos) {
        self.accounts.insert(id, (granted, spent));
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
            Record::Hold(hold) => {
                let known = !self.open.contains_key(&hold.id);
                if known {
                    self.open.insert(hold.id, OpenHold::new(hold));
                }
                known
            }
            Record::Extend(_) | Record::Dispatch(_) | Record::Checkpoint(_) => {
                match self.open.get_mut(&record.id()) {
                    Some(open) => {
                        open.note(record);
                        true
                    }
                    None => false,
                }
            }
            Record::Settle(settle) => match self.open.remove(&settle.settlement.id) {
                Some(open) => {
                    self.pay(&open, settle.paid, settle.settlement.at_ms);
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

    fn pay(&mut self, open: &OpenHold, paid: Nanos, at_ms: u64) {
        if let Some((_, spent)) = self.accounts.get_mut(&open.account) {
            *spent = spent.saturating_add(paid);
        }
        if let Some(key) = self.keys.get_mut(&open.key) {
            key.spent.add(paid, at_ms);
        }
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
    /// A hold that the account's own credit does not cover (which only a
    /// damaged database can hold).
    pub fn finish(self) -> Result<(Books, Vec<OpenHold>), Refusal> {
        let books = Books::new();
        for (id, (granted, spent)) in self.accounts {
            books.set_account(id, granted, spent);
        }
        for (id, key) in self.keys {
            books.set_key(key.account, id, key.limit, key.spent)?;
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
    };
    let delivered = open
        .checkpoint
        .map_or(Priced::default(), |checkpoint| Priced {
            // More than was set aside was never agreed to.
            charge: checkpoint.charge.min(open.amount),
            upstream: checkpoint.upstream,
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

//! A purse: anything that must not be overspent.

use bourse_policy::{Calendar, Limit, Spent, SpentByDay};
use bourse_vocab::Nanos;

use super::Room;
use super::look::PeriodSums;
use super::refusal::{Exhausted, Subject};
use super::windows::AllWindows;

/// What a database has lent of a purse to this node. Both sums only grow, so
/// a message that comes late or twice changes nothing. One node with SQLite
/// is lent everything.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Lease {
    /// All that was ever lent.
    pub lent: Nanos,
    /// Of this, what was given back unspent.
    pub returned: Nanos,
}

/// An account's credit as the database has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Credit {
    /// All credit ever granted, corrections included.
    pub granted: Nanos,
    /// What this node may spend of it.
    pub lease: Lease,
    /// What this node has spent.
    pub spent: Nanos,
    /// The number of the database's change that these numbers come from: an
    /// older one never overwrites a newer.
    pub change_seq: u64,
}

impl Credit {
    /// All of an account's credit, lent to the only node.
    #[must_use]
    pub fn whole(granted: Nanos, spent: Nanos) -> Self {
        Self {
            granted,
            lease: Lease {
                lent: granted.max(Nanos::ZERO),
                returned: Nanos::ZERO,
            },
            spent,
            change_seq: 0,
        }
    }
}

/// A limit, and how much of it was lent to this node; all of it, if absent.
#[derive(Debug, Clone, Copy)]
struct Bound {
    limit: Limit,
    lease: Option<Lease>,
}

/// A purse. It has no more than its parent, and so on up to the root.
#[derive(Debug)]
pub(super) struct Purse {
    subject: Subject,
    /// Its parent's place among the purses of the tree, below its own.
    pub(super) parent: Option<usize>,
    bounds: Vec<Bound>,
    spent: Nanos,
    held: Nanos,
    /// Absent where nobody asks for periods.
    windows: Option<Box<AllWindows>>,
    /// The number of the change that its bounds come from.
    change_seq: u64,
}

impl Purse {
    /// An account's: the root.
    pub(super) fn credit(subject: Subject, credit: &Credit) -> Self {
        let mut purse = Self {
            subject,
            parent: None,
            bounds: Vec::new(),
            spent: credit.spent,
            held: Nanos::ZERO,
            windows: None,
            change_seq: 0,
        };
        purse.set_credit(credit);
        purse
    }

    /// One that hangs below another.
    pub(super) fn below(
        parent: usize,
        subject: Subject,
        limit: Option<Limit>,
        spent: &SpentByDay,
        change_seq: u64,
    ) -> Self {
        let mut purse = Self {
            subject,
            parent: Some(parent),
            bounds: Vec::new(),
            spent: spent.total,
            held: Nanos::ZERO,
            windows: Some(Box::new(AllWindows::new(spent))),
            change_seq,
        };
        purse.set_limit(limit, change_seq);
        purse
    }

    /// Takes over what was granted and lent, unless something newer is
    /// known.
    pub(super) fn set_credit(&mut self, credit: &Credit) {
        let limit = Limit {
            amount: credit.granted,
            reset: None,
        };
        let lease = Some(credit.lease);
        self.set_bound(Some(Bound { limit, lease }), credit.change_seq);
    }

    /// Takes over a limit, unless something newer is known.
    pub(super) fn set_limit(&mut self, limit: Option<Limit>, change_seq: u64) {
        let bound = limit.map(|limit| Bound { limit, lease: None });
        self.set_bound(bound, change_seq);
    }

    fn set_bound(&mut self, bound: Option<Bound>, change_seq: u64) {
        if change_seq >= self.change_seq {
            self.change_seq = change_seq;
            self.bounds = bound.into_iter().collect();
        }
    }

    pub(super) const fn spent(&self) -> Nanos {
        self.spent
    }

    pub(super) const fn held(&self) -> Nanos {
        self.held
    }

    /// The limit that is not lent in parts; a purse has at most one so far.
    pub(super) fn limit(&self) -> Option<Limit> {
        self.bounds.first().map(|bound| bound.limit)
    }

    /// What was lent of it to this node, if it is lent in parts.
    pub(super) fn lease(&self) -> Option<Lease> {
        self.bounds.first().and_then(|bound| bound.lease)
    }

    pub(super) const fn change_seq(&self) -> u64 {
        self.change_seq
    }

    /// The periods that are remembered.
    pub(super) fn periods(&self) -> Vec<PeriodSums> {
        self.windows
            .as_ref()
            .map_or_else(Vec::new, |windows| windows.all())
    }

    /// What was spent in the periods that contain a day.
    pub(super) fn spent_on(&self, on: &Calendar) -> Spent {
        match &self.windows {
            Some(windows) => windows.spent(self.spent, on),
            None => Spent {
                total: self.spent,
                ..Spent::default()
            },
        }
    }

    /// What a bound leaves to calls that begin on a day, and what is on hold
    /// in its period.
    fn room(&self, bound: &Bound, on: &Calendar) -> (Nanos, Nanos) {
        let (spent, held) = match (bound.limit.reset, &self.windows) {
            (Some(period), Some(windows)) => {
                let window = windows.get(period, on);
                (window.spent, window.held)
            }
            _ => (self.spent, self.held),
        };
        let cap = match bound.lease {
            // More than the cap is lent after a correction only.
            Some(Lease { lent, returned }) => bound.limit.amount.min(lent.saturating_sub(returned)),
            None => bound.limit.amount,
        };
        let room = cap.saturating_sub(spent).saturating_sub(held);
        match self.subject {
            // Below zero, which a correction can do, nothing is served, free
            // calls included.
            Subject::Account(_) => (room, held),
            // A limit that was lowered below what is spent refuses what
            // costs something.
            Subject::Key(_) => (room.max(Nanos::ZERO), held),
        }
    }

    /// The least that a bound leaves to calls that begin on a day.
    pub(super) fn least_room(&self, on: &Calendar) -> Option<Room> {
        let rooms = self.bounds.iter().map(|bound| self.room(bound, on));
        let least = rooms.min_by_key(|(free, _)| *free);
        least.map(|(free, held)| Room { free, held })
    }

    /// Whether `needed` more may be set aside for a call that begins on a
    /// day.
    pub(super) fn check(&self, needed: Nanos, on: &Calendar) -> Result<(), Exhausted> {
        for bound in &self.bounds {
            let (room, held) = self.room(bound, on);
            if room < needed {
                return Err(Exhausted {
                    purse: self.subject,
                    reset: bound.limit.reset,
                    room,
                    needed,
                    held,
                });
            }
        }
        Ok(())
    }

    /// Sets `amount` aside (or, negative, frees it). The sums were checked
    /// to stay between zero and what there is, so nothing saturates.
    pub(super) fn move_held(&mut self, amount: Nanos, on: &Calendar) {
        self.held = self.held.saturating_add(amount);
        if let Some(windows) = &mut self.windows {
            windows.change(on, |window| {
                window.held = window.held.saturating_add(amount);
            });
        }
    }

    /// Ends a call: frees what it held and pays.
    pub(super) fn close(&mut self, held: Nanos, paid: Nanos, on: &Calendar) {
        self.held = self.held.saturating_sub(held);
        self.spent = self.spent.saturating_add(paid);
        if let Some(windows) = &mut self.windows {
            windows.change(on, |window| {
                window.held = window.held.saturating_sub(held);
                window.spent = window.spent.saturating_add(paid);
            });
        }
    }
}

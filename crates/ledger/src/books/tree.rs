//! The purses below one account, and the calls that are paid from them.
//!
//! A call takes its hold from its own purse and from every one above it, up
//! to the account, or from none: all of them are behind one lock, the
//! account's.

use std::collections::hash_map::Entry;

use bourse_policy::{Calendar, Limit, Spent, SpentByDay, day_of};
use bourse_vocab::{AccountId, GenerationId, KeyId, Nanos};

use super::Room;
use super::look::{AccountPurse, KeyPurse, RunningCall};
use super::purse::{Credit, Purse};
use super::refusal::{Exhausted, Refusal, Subject};
use crate::by_id::{ById, ByRow};

/// Where the account's purse is.
const ROOT: usize = 0;

/// A call that holds money.
#[derive(Debug, Clone, Copy)]
pub(super) struct Running {
    pub(super) key: KeyId,
    pub(super) amount: Nanos,
    /// The purse it is paid from.
    purse: usize,
    /// The day on which its money was first set aside; days since 1970.
    day: u64,
}

/// The purses of one account.
#[derive(Debug)]
pub(super) struct Tree {
    /// The account's first; a parent comes before its children.
    purses: Vec<Purse>,
    keys: ByRow<KeyId, usize>,
    running: ById<Running>,
    /// The day that was asked for last: calls come in the order of time, so
    /// its week and month are seldom computed.
    calendar: Calendar,
}

impl Tree {
    pub(super) fn new(account: AccountId, credit: &Credit) -> Self {
        Self {
            purses: vec![Purse::credit(Subject::Account(account), credit)],
            keys: ByRow::default(),
            running: ById::default(),
            calendar: Calendar::default(),
        }
    }

    /// The account's purse.
    pub(super) fn root(&self) -> Option<&Purse> {
        self.purses.first()
    }

    pub(super) fn set_credit(&mut self, credit: &Credit) {
        if let Some(root) = self.purses.get_mut(ROOT) {
            root.set_credit(credit);
        }
    }

    /// Opens a key's purse, or, if it is open, takes over its limit.
    pub(super) fn set_key(
        &mut self,
        key: KeyId,
        limit: Option<Limit>,
        spent: &SpentByDay,
        change_seq: u64,
    ) {
        match self.keys.entry(key) {
            Entry::Occupied(at) => {
                if let Some(purse) = self.purses.get_mut(*at.get()) {
                    purse.set_limit(limit, change_seq);
                }
            }
            Entry::Vacant(slot) => {
                slot.insert(self.purses.len());
                let purse = Purse::below(ROOT, Subject::Key(key), limit, spent, change_seq);
                self.purses.push(purse);
            }
        }
    }

    /// Takes over the limit of a key that is open.
    pub(super) fn change_key(&mut self, key: KeyId, limit: Option<Limit>, change_seq: u64) {
        let purse = self.keys.get(&key).and_then(|at| self.purses.get_mut(*at));
        if let Some(purse) = purse {
            purse.set_limit(limit, change_seq);
        }
    }

    /// The key's purse.
    pub(super) fn key(&self, key: KeyId) -> Option<&Purse> {
        self.purses.get(*self.keys.get(&key)?)
    }

    /// What a key has spent in the periods that contain a moment.
    pub(super) fn spent_at(&self, key: KeyId, at_ms: u64) -> Option<Spent> {
        Some(self.key(key)?.spent_on(&Calendar::at(at_ms)))
    }

    /// The keys whose purses there are.
    pub(super) fn keys(&self) -> impl Iterator<Item = KeyId> {
        self.keys.keys().copied()
    }

    /// The calls that hold money.
    pub(super) fn calls(&self) -> Vec<RunningCall> {
        let running = self.running.iter();
        let calls = running.map(|(id, call)| RunningCall {
            id: *id,
            key: call.key,
            is_of_key: call.purse != ROOT,
            amount: call.amount,
            day: call.day,
        });
        calls.collect()
    }

    /// The purses now.
    pub(super) fn look<T>(&self, id: AccountId, at: T) -> Option<AccountPurse<T>> {
        let root = self.root()?;
        let lease = root.lease().unwrap_or_default();
        let mut keys: Vec<KeyPurse> = self.keys().filter_map(|id| self.look_key(id)).collect();
        keys.sort_unstable_by_key(|key| key.id);
        let mut running = self.calls();
        running.sort_unstable_by_key(|call| call.id);
        Some(AccountPurse {
            id,
            granted: root.limit().map_or(Nanos::ZERO, |limit| limit.amount),
            lent: lease.lent,
            returned: lease.returned,
            spent: root.spent(),
            held: root.held(),
            change_seq: root.change_seq(),
            keys,
            running,
            at,
        })
    }

    fn look_key(&self, id: KeyId) -> Option<KeyPurse> {
        let purse = self.key(id)?;
        Some(KeyPurse {
            id,
            limit: purse.limit(),
            spent: purse.spent(),
            held: purse.held(),
            periods: purse.periods(),
            change_seq: purse.change_seq(),
        })
    }

    pub(super) fn running(&self) -> usize {
        self.running.len()
    }

    fn calendar(&mut self, day: u64) -> Calendar {
        if self.calendar.day != day {
            self.calendar = Calendar::of_day(day);
        }
        self.calendar
    }

    /// Asks every purse from the account down to `at`.
    fn check(&self, at: usize, needed: Nanos, on: &Calendar) -> Result<(), Exhausted> {
        let Some(purse) = self.purses.get(at) else {
            return Ok(());
        };
        // A parent comes before its children, so this ends.
        if let Some(parent) = purse.parent {
            self.check(parent, needed, on)?;
        }
        purse.check(needed, on)
    }

    /// Changes every purse from `at` up to the account.
    fn change(&mut self, at: usize, mut act: impl FnMut(&mut Purse)) {
        let mut next = Some(at);
        while let Some(purse) = next.and_then(|at| self.purses.get_mut(at)) {
            act(purse);
            next = purse.parent;
        }
    }

    /// What a key may have set aside for another call.
    pub(super) fn room(&mut self, key: KeyId, at_ms: u64) -> Option<Room> {
        let at = *self.keys.get(&key)?;
        let on = self.calendar(day_of(at_ms));
        let mut least: Option<Room> = None;
        self.change(at, |purse| {
            let room = purse.least_room(&on);
            if let Some(room) = room.filter(|room| least.is_none_or(|least| room.free < least.free))
            {
                least = Some(room);
            }
        });
        least
    }

    /// Sets money aside for a call, if every purse has it, and `leaving` so
    /// much beside.
    pub(super) fn hold(
        &mut self,
        key: KeyId,
        id: GenerationId,
        (amount, leaving): (Nanos, Nanos),
        at_ms: u64,
    ) -> Result<(), Refusal> {
        let purse = *self.keys.get(&key).ok_or(Refusal::UnknownKey)?;
        let day = day_of(at_ms);
        let on = self.calendar(day);
        self.check(purse, amount.saturating_add(leaving), &on)
            .map_err(Refusal::Exhausted)?;
        self.open(
            id,
            Running {
                key,
                amount,
                purse,
                day,
            },
        )
    }

    /// Takes over a hold that was granted before a restart.
    pub(super) fn restore(
        &mut self,
        key: KeyId,
        id: GenerationId,
        amount: Nanos,
        at_ms: u64,
    ) -> Result<(), Refusal> {
        // A key that is gone had a limit that nobody asks for any more; its
        // account still pays.
        let purse = self.keys.get(&key).copied().unwrap_or(ROOT);
        let day = day_of(at_ms);
        self.open(
            id,
            Running {
                key,
                amount,
                purse,
                day,
            },
        )
    }

    fn open(&mut self, id: GenerationId, call: Running) -> Result<(), Refusal> {
        match self.running.entry(id) {
            Entry::Occupied(_) => return Err(Refusal::AlreadyOpen),
            Entry::Vacant(slot) => slot.insert(call),
        };
        let on = self.calendar(call.day);
        self.change(call.purse, |purse| purse.move_held(call.amount, &on));
        Ok(())
    }

    /// Sets more aside for a running call, in the period of its hold.
    pub(super) fn extend(&mut self, id: GenerationId, extra: Nanos) -> Result<Nanos, Refusal> {
        let call = *self.running.get(&id).ok_or(Refusal::NotOpen)?;
        let on = self.calendar(call.day);
        self.check(call.purse, extra, &on)
            .map_err(Refusal::Exhausted)?;
        let amount = call.amount.checked_add(extra).ok_or(Refusal::OutOfRange)?;
        self.running.insert(id, Running { amount, ..call });
        self.change(call.purse, |purse| purse.move_held(extra, &on));
        Ok(amount)
    }

    /// Frees a part of what a running call holds.
    pub(super) fn retract(&mut self, id: GenerationId, extra: Nanos) {
        let Some(running) = self.running.get_mut(&id) else {
            return;
        };
        let extra = extra.min(running.amount).max(Nanos::ZERO);
        running.amount = running.amount.saturating_sub(extra);
        let call = *running;
        let on = self.calendar(call.day);
        self.change(call.purse, |purse| {
            purse.move_held(Nanos::ZERO.saturating_sub(extra), &on);
        });
    }

    /// Ends a running call. It pays `charge`, but no more than its hold and
    /// what every one of its purses has beside other calls' holds.
    pub(super) fn close(
        &mut self,
        id: GenerationId,
        charge: Nanos,
    ) -> Result<(Running, Nanos), Refusal> {
        let call = self.running.remove(&id).ok_or(Refusal::NotOpen)?;
        let on = self.calendar(call.day);
        // What was on hold was promised: a limit lowered or a correction
        // made since does not take it back. Beyond it, every purse must
        // have the rest; its room does not count this call's own hold.
        let mut paid = charge;
        if charge > call.amount {
            self.change(call.purse, |purse| {
                let free = purse.least_room(&on).map_or(charge, |room| room.free);
                paid = paid.min(free.saturating_add(call.amount));
            });
            paid = paid.max(call.amount);
        }
        self.change(call.purse, |purse| purse.close(call.amount, paid, &on));
        Ok((call, paid))
    }
}

//! Balances in memory: the authority while a server runs.
//!
//! The price of a call is unknown until its last token, so paying takes two
//! steps: a hold sets aside the most the call can cost, and a post pays
//! what it did cost and frees the rest. Money on hold is spent as far as
//! every other call is concerned, so the sum of what is paid never exceeds
//! what there was.
//!
//! Credit and every limit are *purses*, and purses hang below one another: a
//! key's below its account's. A hold is taken from the whole chain or from
//! none of it. One account's purses and running calls are behind one mutex,
//! held for a few map operations and never across an await. That makes every
//! check-and-set atomic: there is no moment at which two calls both see the
//! last cent.
//!
//! A payment counts in the period in which its money was set aside, and so
//! does all that is set aside later for the same call. A period's limit is
//! therefore exact whenever the call ends, and whatever the clock does.
//!
//! A purse is spent from what the database has lent of it to this node
//! ([`Lease`]). A single node is lent everything.
#![deny(clippy::float_arithmetic, clippy::arithmetic_side_effects)]

mod look;
mod purse;
mod refusal;
mod tree;
mod windows;

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

use bourse_policy::{Limit, Spent, SpentByDay};
use bourse_vocab::{AccountId, GenerationId, KeyId, Nanos};

use crate::by_id::ByRow;
use crate::open_hold::OpenHold;
pub use look::{AccountPurse, KeyPurse, PeriodSums, RunningCall};
pub use purse::{Credit, Lease};
pub use refusal::{Exhausted, Refusal, Subject};
use tree::Tree;

/// An account's money at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Balance {
    /// All credit ever granted, corrections included.
    pub granted: Nanos,
    /// All that was ever paid.
    pub spent: Nanos,
    /// Set aside for running calls.
    pub held: Nanos,
}

impl Balance {
    /// What may be set aside for another call. Negative only after a
    /// correction took back credit that was already used.
    #[must_use]
    pub const fn available(&self) -> Nanos {
        self.granted
            .saturating_sub(self.spent)
            .saturating_sub(self.held)
    }
}

/// What is there for another call of a key: of its own purse and those above
/// it, in the one that has least.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Room {
    /// What may be set aside.
    pub free: Nanos,
    /// What is set aside for calls that run, and may come free.
    pub held: Nanos,
}

/// A key's money at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct KeyBalance {
    /// The most it may spend.
    pub limit: Option<Limit>,
    /// What it has spent, in the periods of that moment.
    pub spent: Spent,
    /// Set aside for its running calls.
    pub held: Nanos,
}

/// A key as the database has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyState {
    /// Whose it is.
    pub account: AccountId,
    /// The most it may spend.
    pub limit: Option<Limit>,
    /// What it has spent.
    pub spent: SpentByDay,
    /// See [`Credit::change_seq`].
    pub change_seq: u64,
}

/// What became of a hold that was posted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Posted {
    /// The key that made the call.
    pub key: KeyId,
    /// What was on hold.
    pub held: Nanos,
    /// What the customer paid: the charge, unless the hold and what else
    /// there was did not suffice. The rest is the house's loss.
    pub paid: Nanos,
}

/// What became of a hold that was voided.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Released {
    /// The key that made the call.
    pub key: KeyId,
    /// What was on hold and is free again.
    pub held: Nanos,
}

/// All accounts of this server.
#[derive(Debug, Default)]
pub struct Books {
    accounts: RwLock<ByRow<AccountId, Arc<Mutex<Tree>>>>,
    repeated: AtomicU64,
}

impl Books {
    /// No accounts.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Opens an account as the database and the journal have it, or, if it
    /// is open, takes over what was granted and lent: spending happens here
    /// only, so the database knows nothing newer about it.
    pub fn set_account(&self, id: AccountId, credit: &Credit) {
        if let Some(account) = self.find(id) {
            lock(&account).set_credit(credit);
            return;
        }
        let mut accounts = self
            .accounts
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        let account = accounts
            .entry(id)
            .or_insert_with(|| Arc::new(Mutex::new(Tree::new(id, credit))));
        lock(account).set_credit(credit);
    }

    /// Opens a key's purse, or, if it is open, takes over its limit.
    ///
    /// # Errors
    /// [`Refusal::UnknownAccount`].
    pub fn set_key(&self, id: KeyId, key: &KeyState) -> Result<(), Refusal> {
        let account = self.find(key.account).ok_or(Refusal::UnknownAccount)?;
        lock(&account).set_key(id, key.limit, &key.spent, key.change_seq);
        Ok(())
    }

    /// Takes over what was changed of an account that is open.
    pub fn change_account(&self, id: AccountId, credit: &Credit) {
        if let Some(account) = self.find(id) {
            lock(&account).set_credit(credit);
        }
    }

    /// Takes over what was changed of a key that is open.
    pub fn change_key(&self, id: KeyId, key: &KeyState) {
        if let Some(account) = self.find(key.account) {
            lock(&account).change_key(id, key.limit, key.change_seq);
        }
    }

    /// Sets `amount` aside for the call `id`, in the periods of `at_ms`.
    ///
    /// # Errors
    /// Says what is missing; nothing is set aside then.
    pub fn hold(
        &self,
        account: AccountId,
        key: KeyId,
        id: GenerationId,
        amount: Nanos,
        at_ms: u64,
    ) -> Result<(), Refusal> {
        self.hold_leaving(account, key, id, (amount, Nanos::ZERO), at_ms)
    }

    /// The same, if at least `leaving` is left for other calls.
    ///
    /// # Errors
    /// Says what is missing; nothing is set aside then.
    pub fn hold_leaving(
        &self,
        account: AccountId,
        key: KeyId,
        id: GenerationId,
        (amount, leaving): (Nanos, Nanos),
        at_ms: u64,
    ) -> Result<(), Refusal> {
        if amount.is_negative() || leaving.is_negative() {
            return Err(Refusal::OutOfRange);
        }
        let account = self.find(account).ok_or(Refusal::UnknownAccount)?;
        lock(&account).hold(key, id, (amount, leaving), at_ms)
    }

    /// What there is for another call of a key that begins at `at_ms`; `None`
    /// if the books do not know it.
    #[must_use]
    pub fn room(&self, account: AccountId, key: KeyId, at_ms: u64) -> Option<Room> {
        lock(&*self.find(account)?).room(key, at_ms)
    }

    /// Takes over a hold that was made before a restart. It was granted
    /// then, so limits are not asked again.
    ///
    /// # Errors
    /// An account that does not exist, or a hold that is open already.
    pub fn restore(&self, hold: &OpenHold) -> Result<(), Refusal> {
        let account = self.find(hold.account).ok_or(Refusal::UnknownAccount)?;
        lock(&account).restore(hold.key, hold.id, hold.amount, hold.at_ms)
    }

    /// Sets `extra` more aside for a running call, in the periods of its
    /// hold; returns the new sum.
    ///
    /// # Errors
    /// Says what is missing; the hold stays as it was then.
    pub fn extend(
        &self,
        account: AccountId,
        id: GenerationId,
        extra: Nanos,
    ) -> Result<Nanos, Refusal> {
        if extra.is_negative() {
            return Err(Refusal::OutOfRange);
        }
        let account = self.find(account).ok_or(Refusal::UnknownAccount)?;
        lock(&account).extend(id, extra)
    }

    /// Takes back an extension that could not be recorded.
    pub fn retract(&self, account: AccountId, id: GenerationId, extra: Nanos) {
        if let Some(account) = self.find(account) {
            lock(&account).retract(id, extra);
        }
    }

    /// Pays for the call `id` from its hold and frees the rest. If the
    /// charge exceeds the hold (an estimate that was no upper bound), the
    /// customer also pays what the account and the key's limit still have
    /// in the period of the hold, and no more: no balance goes below zero.
    ///
    /// # Errors
    /// [`Refusal::NotOpen`] if the call has been settled already (counted
    /// and otherwise without effect); [`Refusal::OutOfRange`] if the charge
    /// is negative.
    pub fn post(
        &self,
        account: AccountId,
        id: GenerationId,
        charge: Nanos,
    ) -> Result<Posted, Refusal> {
        if charge.is_negative() {
            return Err(Refusal::OutOfRange);
        }
        let account = self.find(account).ok_or(Refusal::UnknownAccount)?;
        let closed = lock(&account).close(id, charge);
        let (call, paid) = closed.inspect_err(|refusal| self.count(refusal))?;
        Ok(Posted {
            key: call.key,
            held: call.amount,
            paid,
        })
    }

    /// Frees the hold of the call `id`; its customer pays nothing.
    ///
    /// # Errors
    /// [`Refusal::NotOpen`] if the call has been settled already (counted
    /// and otherwise without effect).
    pub fn void(&self, account: AccountId, id: GenerationId) -> Result<Released, Refusal> {
        let account = self.find(account).ok_or(Refusal::UnknownAccount)?;
        let closed = lock(&account).close(id, Nanos::ZERO);
        let (call, _) = closed.inspect_err(|refusal| self.count(refusal))?;
        Ok(Released {
            key: call.key,
            held: call.amount,
        })
    }

    fn count(&self, refusal: &Refusal) {
        if *refusal == Refusal::NotOpen {
            self.repeated.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// An account's money now.
    #[must_use]
    pub fn balance(&self, account: AccountId) -> Option<Balance> {
        let account = self.find(account)?;
        let tree = lock(&account);
        let root = tree.root()?;
        Some(Balance {
            granted: root.limit().map_or(Nanos::ZERO, |limit| limit.amount),
            spent: root.spent(),
            held: root.held(),
        })
    }

    /// A key's money now, and what it has spent in the periods of `at_ms`.
    #[must_use]
    pub fn key_balance(&self, account: AccountId, key: KeyId, at_ms: u64) -> Option<KeyBalance> {
        let account = self.find(account)?;
        let tree = lock(&account);
        let purse = tree.key(key)?;
        Some(KeyBalance {
            limit: purse.limit(),
            spent: tree.spent_at(key, at_ms)?,
            held: purse.held(),
        })
    }

    /// The accounts that are in memory, by their ids.
    #[must_use]
    pub fn accounts(&self) -> Vec<AccountId> {
        let accounts = self.accounts.read().unwrap_or_else(PoisonError::into_inner);
        let mut ids: Vec<AccountId> = accounts.keys().copied().collect();
        ids.sort_unstable();
        ids
    }

    /// The keys of an account whose purses are in memory.
    #[must_use]
    pub fn keys(&self, account: AccountId) -> Vec<KeyId> {
        let found = self.find(account);
        found.map_or_else(Vec::new, |tree| lock(&tree).keys().collect())
    }

    /// All purses and running calls of an account at one moment, which `at`
    /// names: while it is asked, none of them changes.
    #[must_use]
    pub fn look<T>(&self, account: AccountId, at: impl FnOnce() -> T) -> Option<AccountPurse<T>> {
        let tree = self.find(account)?;
        let tree = lock(&tree);
        tree.look(account, at())
    }

    /// How many holds are open, over all accounts.
    #[must_use]
    pub fn open_holds(&self) -> usize {
        let accounts = self.accounts.read().unwrap_or_else(PoisonError::into_inner);
        let open = accounts.values().map(|account| lock(account).running());
        open.fold(0, usize::saturating_add)
    }

    /// How often a call was settled more than once; each time but the first
    /// was ignored.
    #[must_use]
    pub fn repeated_settlements(&self) -> u64 {
        self.repeated.load(Ordering::Relaxed)
    }

    fn find(&self, account: AccountId) -> Option<Arc<Mutex<Tree>>> {
        let accounts = self.accounts.read().unwrap_or_else(PoisonError::into_inner);
        accounts.get(&account).cloned()
    }
}

/// A panic inside a critical section here could only come from memory
/// running out; the numbers are consistent at every step, so the lock is
/// taken over and the other calls of the account go on.
fn lock(account: &Mutex<Tree>) -> MutexGuard<'_, Tree> {
    account.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;

//! Balances in memory: the authority while a server runs.
//!
//! The price of a call is unknown until its last token, so paying takes two
//! steps: a hold sets aside the most the call can cost, and a post pays
//! what it did cost and frees the rest. Money on hold is spent as far as
//! every other call is concerned, so the sum of what is paid never exceeds
//! what there was.
//!
//! One account's money, its keys' limits and its running calls are behind
//! one mutex, held for a few map operations and never across an await. That
//! makes every check-and-set atomic: there is no moment at which two calls
//! both see the last cent.
//!
//! One server owns all the money it sees here. Where several share an
//! account, each would be opened with the part of the balance that it has
//! leased (and that the shared database has already debited) in place of
//! the whole; nothing else here would change.
#![deny(clippy::float_arithmetic, clippy::arithmetic_side_effects)]

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

use bourse_policy::{KeyLimit, Period, Spent};
use bourse_vocab::{AccountId, Failure, FailureKind, GenerationId, KeyId, Nanos};

use crate::fold::OpenHold;

/// Why money cannot be set aside.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The account does not exist.
    #[error("unknown account")]
    UnknownAccount,
    /// The key does not belong to the account.
    #[error("unknown key")]
    UnknownKey,
    /// The account has too little.
    #[error(
        "This request requires more credits, or fewer max_tokens. It can cost up to ${needed}, and the account has ${available} available."
    )]
    Balance {
        /// What it may spend, money on hold excluded.
        available: Nanos,
        /// What the call can cost.
        needed: Nanos,
        /// What is on hold for running calls.
        held: Nanos,
    },
    /// The key's limit leaves too little.
    #[error(
        "This request can cost up to ${needed}, and the API key's {}limit leaves ${remaining}.",
        reset_word(reset)
    )]
    KeyLimit {
        /// What the limit leaves, money on hold counted as spent.
        remaining: Nanos,
        /// What the call can cost.
        needed: Nanos,
        /// What is on hold for running calls of this key.
        held: Nanos,
        /// When the limit starts anew.
        reset: Option<Period>,
    },
    /// A hold with this id is open already.
    #[error("a hold with this id is open already")]
    AlreadyOpen,
    /// No hold with this id is open.
    #[error("no hold with this id is open")]
    NotOpen,
    /// A negative amount, or one too large to hold.
    #[error("amount out of range")]
    OutOfRange,
}

fn reset_word(reset: &Option<Period>) -> &'static str {
    match reset {
        None => "",
        Some(Period::Daily) => "daily ",
        Some(Period::Weekly) => "weekly ",
        Some(Period::Monthly) => "monthly ",
    }
}

impl Refusal {
    /// As the caller is told: 402 with the reason, in the members that
    /// OpenRouter documents (limits, October 2026). What a caller cannot
    /// cause is our own fault.
    #[must_use]
    pub fn failure(&self) -> Failure {
        let (source, held, needed, room, remedy) = match *self {
            Self::Balance {
                available,
                needed,
                held,
            } => (
                "openrouter_credits",
                held,
                needed,
                available,
                "Add credits, lower max_tokens, or wait for running requests to end.",
            ),
            Self::KeyLimit {
                remaining,
                needed,
                held,
                ..
            } => (
                "openrouter_key_limit",
                held,
                needed,
                remaining,
                "Raise the key's limit, lower max_tokens, or wait for running requests to end.",
            ),
            _ => return Failure::server(format!("hold refused: {self}")),
        };
        // With running calls out of the way it would have fitted: waiting
        // helps. Otherwise it never fits.
        let fits_later = room.saturating_add(held) >= needed;
        let reason = if fits_later {
            "in_flight_budget_exhausted"
        } else {
            "weight_exceeds_budget"
        };
        Failure::new(FailureKind::PaymentRequired, self.to_string())
            .metadata("reason", reason)
            .metadata("limit_source", source)
            .metadata("remedy_hint", remedy)
            .metadata("needed_usd", needed.to_string())
            .metadata("available_usd", room.to_string())
    }
}

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

/// A key's money at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct KeyBalance {
    /// The most it may spend.
    pub limit: Option<KeyLimit>,
    /// What it has spent.
    pub spent: Spent,
    /// Set aside for its running calls.
    pub held: Nanos,
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

#[derive(Debug, Clone, Copy)]
struct Running {
    key: KeyId,
    amount: Nanos,
}

#[derive(Debug, Default)]
struct Account {
    balance: Balance,
    keys: HashMap<KeyId, KeyBalance>,
    running: HashMap<GenerationId, Running>,
}

impl Account {
    /// Whether `needed` more may be set aside for `key`.
    fn check(&self, key: KeyId, needed: Nanos, at_ms: u64) -> Result<(), Refusal> {
        let state = self.keys.get(&key).ok_or(Refusal::UnknownKey)?;
        let (available, held) = (self.balance.available(), self.balance.held);
        if available < needed {
            return Err(Refusal::Balance {
                available,
                needed,
                held,
            });
        }
        if let Some(limit) = state.limit {
            let remaining = limit.remaining(&state.spent, state.held, at_ms);
            if remaining < needed {
                let (held, reset) = (state.held, limit.reset);
                return Err(Refusal::KeyLimit {
                    remaining,
                    needed,
                    held,
                    reset,
                });
            }
        }
        Ok(())
    }

    /// Sets `amount` aside (or, negative, frees it). Both sums were checked
    /// to stay between zero and what was granted, so nothing saturates.
    fn move_held(&mut self, key: KeyId, amount: Nanos) {
        self.balance.held = self.balance.held.saturating_add(amount);
        if let Some(state) = self.keys.get_mut(&key) {
            state.held = state.held.saturating_add(amount);
        }
    }
}

/// All accounts of this server.
#[derive(Debug, Default)]
pub struct Books {
    accounts: RwLock<HashMap<AccountId, Arc<Mutex<Account>>>>,
    repeated: AtomicU64,
}

impl Books {
    /// No accounts.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Opens an account as the database and the journal have it, or, if it
    /// is open, takes over what was granted: spending happens here only, so
    /// the database knows nothing newer about it.
    pub fn set_account(&self, id: AccountId, granted: Nanos, spent: Nanos) {
        if let Some(account) = self.find(id) {
            lock(&account).balance.granted = granted;
            return;
        }
        let mut accounts = self
            .accounts
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        let account = accounts.entry(id).or_insert_with(|| {
            let balance = Balance {
                granted,
                spent,
                held: Nanos::ZERO,
            };
            Arc::new(Mutex::new(Account {
                balance,
                ..Account::default()
            }))
        });
        lock(account).balance.granted = granted;
    }

    /// Opens a key, or, if it is open, takes over its limit.
    ///
    /// # Errors
    /// [`Refusal::UnknownAccount`].
    pub fn set_key(
        &self,
        account: AccountId,
        key: KeyId,
        limit: Option<KeyLimit>,
        spent: Spent,
    ) -> Result<(), Refusal> {
        let account = self.find(account).ok_or(Refusal::UnknownAccount)?;
        let mut account = lock(&account);
        match account.keys.entry(key) {
            Entry::Occupied(mut state) => state.get_mut().limit = limit,
            Entry::Vacant(slot) => {
                slot.insert(KeyBalance {
                    limit,
                    spent,
                    held: Nanos::ZERO,
                });
            }
        }
        Ok(())
    }

    /// Sets `amount` aside for the call `id`.
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
        if amount.is_negative() {
            return Err(Refusal::OutOfRange);
        }
        let account = self.find(account).ok_or(Refusal::UnknownAccount)?;
        let mut account = lock(&account);
        account.check(key, amount, at_ms)?;
        match account.running.entry(id) {
            Entry::Occupied(_) => return Err(Refusal::AlreadyOpen),
            Entry::Vacant(slot) => slot.insert(Running { key, amount }),
        };
        account.move_held(key, amount);
        Ok(())
    }

    /// Takes over a hold that was made before a restart. It was granted
    /// then, so limits are not asked again.
    ///
    /// # Errors
    /// An account that does not exist, or a hold that is open already.
    pub fn restore(&self, hold: &OpenHold) -> Result<(), Refusal> {
        let account = self.find(hold.account).ok_or(Refusal::UnknownAccount)?;
        let mut account = lock(&account);
        let (key, amount) = (hold.key, hold.amount);
        match account.running.entry(hold.id) {
            Entry::Occupied(_) => return Err(Refusal::AlreadyOpen),
            Entry::Vacant(slot) => slot.insert(Running { key, amount }),
        };
        account.move_held(key, amount);
        Ok(())
    }

    /// Sets `extra` more aside for a running call; returns the new sum.
    ///
    /// # Errors
    /// Says what is missing; the hold stays as it was then.
    pub fn extend(
        &self,
        account: AccountId,
        id: GenerationId,
        extra: Nanos,
        at_ms: u64,
    ) -> Result<Nanos, Refusal> {
        if extra.is_negative() {
            return Err(Refusal::OutOfRange);
        }
        let account = self.find(account).ok_or(Refusal::UnknownAccount)?;
        let mut account = lock(&account);
        let running = *account.running.get(&id).ok_or(Refusal::NotOpen)?;
        account.check(running.key, extra, at_ms)?;
        let amount = running
            .amount
            .checked_add(extra)
            .ok_or(Refusal::OutOfRange)?;
        account.running.insert(id, Running { amount, ..running });
        account.move_held(running.key, extra);
        Ok(amount)
    }

    /// Takes back an extension that could not be recorded.
    pub fn retract(&self, account: AccountId, id: GenerationId, extra: Nanos) {
        let Some(account) = self.find(account) else {
            return;
        };
        let mut account = lock(&account);
        let Some(running) = account.running.get_mut(&id) else {
            return;
        };
        let extra = extra.min(running.amount).max(Nanos::ZERO);
        running.amount = running.amount.saturating_sub(extra);
        let key = running.key;
        account.move_held(key, Nanos::ZERO.saturating_sub(extra));
    }

    /// Pays for the call `id` from its hold and frees the rest. If the
    /// charge exceeds the hold (an estimate that was no upper bound), the
    /// customer also pays what the account and the key's limit still have,
    /// and no more: no balance goes below zero.
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
        at_ms: u64,
    ) -> Result<Posted, Refusal> {
        if charge.is_negative() {
            return Err(Refusal::OutOfRange);
        }
        let account = self.find(account).ok_or(Refusal::UnknownAccount)?;
        let mut account = lock(&account);
        let Running { key, amount: held } = self.close(&mut account, id)?;
        account.move_held(key, Nanos::ZERO.saturating_sub(held));
        let mut room = account.balance.available();
        if let Some(KeyBalance {
            limit: Some(limit),
            spent,
            held,
        }) = account.keys.get(&key)
        {
            room = room.min(limit.remaining(spent, *held, at_ms));
        }
        // What was on hold was promised: a limit lowered or a correction
        // made since does not take it back.
        let paid = charge.min(room.max(held));
        account.balance.spent = account.balance.spent.saturating_add(paid);
        if let Some(state) = account.keys.get_mut(&key) {
            state.spent.add(paid, at_ms);
        }
        Ok(Posted { key, held, paid })
    }

    /// Frees the hold of the call `id`; its customer pays nothing.
    ///
    /// # Errors
    /// [`Refusal::NotOpen`] if the call has been settled already (counted
    /// and otherwise without effect).
    pub fn void(&self, account: AccountId, id: GenerationId) -> Result<Released, Refusal> {
        let account = self.find(account).ok_or(Refusal::UnknownAccount)?;
        let mut account = lock(&account);
        let Running { key, amount: held } = self.close(&mut account, id)?;
        account.move_held(key, Nanos::ZERO.saturating_sub(held));
        Ok(Released { key, held })
    }

    fn close(&self, account: &mut Account, id: GenerationId) -> Result<Running, Refusal> {
        account.running.remove(&id).ok_or_else(|| {
            self.repeated.fetch_add(1, Ordering::Relaxed);
            Refusal::NotOpen
        })
    }

    /// An account's money now.
    #[must_use]
    pub fn balance(&self, account: AccountId) -> Option<Balance> {
        let account = self.find(account)?;
        let balance = lock(&account).balance;
        Some(balance)
    }

    /// A key's money now.
    #[must_use]
    pub fn key_balance(&self, account: AccountId, key: KeyId) -> Option<KeyBalance> {
        let account = self.find(account)?;
        let account = lock(&account);
        account.keys.get(&key).copied()
    }

    /// How many holds are open, over all accounts.
    #[must_use]
    pub fn open_holds(&self) -> usize {
        let accounts = self.accounts.read().unwrap_or_else(PoisonError::into_inner);
        let open = accounts.values().map(|account| lock(account).running.len());
        open.fold(0, usize::saturating_add)
    }

    /// How often a call was settled more than once; each time but the first
    /// was ignored.
    #[must_use]
    pub fn repeated_settlements(&self) -> u64 {
        self.repeated.load(Ordering::Relaxed)
    }

    fn find(&self, account: AccountId) -> Option<Arc<Mutex<Account>>> {
        let accounts = self.accounts.read().unwrap_or_else(PoisonError::into_inner);
        accounts.get(&account).cloned()
    }
}

/// A panic inside a critical section here could only come from memory
/// running out; the numbers are consistent at every step, so the lock is
/// taken over and the other calls of the account go on.
fn lock(account: &Mutex<Account>) -> MutexGuard<'_, Account> {
    account.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;

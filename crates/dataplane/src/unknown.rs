//! How much callers have left whose cost nobody knows.
//!
//! Whoever leaves while a provider works on their call pays what was counted
//! until then. What the provider charges beside that is found out later, and
//! borne by the house: an error of some percent, or all of a prompt where the
//! provider had given no sign yet. So that nobody makes a habit of it, what a
//! key and an account may leave in a day is capped. A call that would go
//! beyond it is read to its end although its client has left, and costs what
//! it costs.
//!
//! The sums are in memory: a restart begins the day anew.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use bourse_policy::{Principal, day_of};
use bourse_vocab::{AccountId, KeyId, Nanos};

/// What a key may leave in a day: some hundred answers that somebody stops
/// because they have read enough.
pub const OF_KEY_MAX: Nanos = Nanos(1_000_000_000);
/// What an account may leave in a day: several keys, and not any number.
pub const OF_ACCOUNT_MAX: Nanos = Nanos(5_000_000_000);
/// The part of what was counted that a count may be off by, as a divisor.
const ERROR_DIVISOR: i64 = 4;

/// Who leaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Who {
    key: KeyId,
    account: AccountId,
}

impl From<&Principal> for Who {
    fn from(principal: &Principal) -> Self {
        Self {
            key: principal.key,
            account: principal.account,
        }
    }
}

/// What was left, by day.
#[derive(Debug, Default)]
pub struct Unknown {
    today: Mutex<Today>,
}

#[derive(Debug, Default)]
struct Today {
    day: u64,
    /// One of each that left a call today, so no more than are active.
    keys: HashMap<KeyId, Nanos>,
    accounts: HashMap<AccountId, Nanos>,
}

/// What a count of ours may be off by.
#[must_use]
pub const fn error_of(counted: Nanos) -> Nanos {
    Nanos(counted.0 / ERROR_DIVISOR)
}

impl Unknown {
    /// Notes what a caller left.
    pub fn add(&self, who: Who, amount: Nanos, at_ms: u64) {
        if amount <= Nanos::ZERO {
            return;
        }
        let mut today = self.today(at_ms);
        let key = today.keys.entry(who.key).or_default();
        *key = key.saturating_add(amount);
        let account = today.accounts.entry(who.account).or_default();
        *account = account.saturating_add(amount);
    }

    /// Whether a caller may leave so much more today. What nobody can lose
    /// anything by may always be left.
    #[must_use]
    pub fn may_leave(&self, who: Who, amount: Nanos, at_ms: u64) -> bool {
        if amount <= Nanos::ZERO {
            return true;
        }
        let today = self.today(at_ms);
        let fits = |left: Option<&Nanos>, most: Nanos| {
            left.copied().unwrap_or_default().saturating_add(amount) <= most
        };
        fits(today.keys.get(&who.key), OF_KEY_MAX)
            && fits(today.accounts.get(&who.account), OF_ACCOUNT_MAX)
    }

    /// The sums of the day, begun anew with it.
    fn today(&self, at_ms: u64) -> MutexGuard<'_, Today> {
        let mut today = self.today.lock().unwrap_or_else(PoisonError::into_inner);
        let day = day_of(at_ms);
        if today.day != day {
            *today = Today {
                day,
                ..Today::default()
            };
        }
        today
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY_MS: u64 = 86_400_000;
    const NOON_MS: u64 = 20_000 * DAY_MS + DAY_MS / 2;

    const fn who(key: u64) -> Who {
        Who {
            key: KeyId(key),
            account: AccountId(1),
        }
    }

    #[test]
    fn a_key_may_leave_so_much_in_a_day_and_an_account_several_times_that() {
        let unknown = Unknown::default();
        for key in 1..=5 {
            assert!(unknown.may_leave(who(key), OF_KEY_MAX, NOON_MS));
            assert!(!unknown.may_leave(who(key), Nanos(OF_KEY_MAX.0 + 1), NOON_MS));
            unknown.add(who(key), OF_KEY_MAX, NOON_MS);
            assert!(!unknown.may_leave(who(key), Nanos(1), NOON_MS));
        }
        assert!(!unknown.may_leave(who(6), Nanos(1), NOON_MS), "all five");
        assert!(
            unknown.may_leave(who(6), Nanos::ZERO, NOON_MS),
            "it is free"
        );
        let other = Who {
            key: KeyId(7),
            account: AccountId(2),
        };
        assert!(unknown.may_leave(other, Nanos(1), NOON_MS));
        assert!(unknown.may_leave(who(1), OF_KEY_MAX, NOON_MS + DAY_MS));
    }
}

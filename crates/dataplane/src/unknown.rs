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
//! The sums are in memory. A start finds those of the day again from the
//! questions for reconciliation, by rules of its own: what was known of an
//! endpoint is forgotten by then.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use bourse_policy::{Principal, day_of};
use bourse_store::{Left, Store, Till, TillError};
use bourse_vocab::{AccountId, KeyId, Nanos};

/// What a key may leave in a day: some hundred answers that somebody stops
/// because they have read enough.
pub const OF_KEY_MAX: Nanos = Nanos(1_000_000_000);
/// What an account may leave in a day: several keys, and not any number.
pub const OF_ACCOUNT_MAX: Nanos = Nanos(5_000_000_000);
/// The most questions of a day that a start reads, the newest: some 60 bytes
/// each. The cap of an account is reached by a few hundred.
const RECALLED_MAX: u64 = 65_536;
/// Milliseconds of a day.
const DAY_MS: u64 = 86_400_000;
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

    /// Finds the sums of the day of `now_ms` again. A call that was settled
    /// counts with what its count may be off by, one that was left before any
    /// content with all that it may have cost. What the database has not taken
    /// over yet, because it was left right before a crash, is in the journal;
    /// so it is asked before the database goes on with that.
    ///
    /// # Errors
    /// The database or the journal cannot be read.
    pub async fn recall(
        &self,
        store: &dyn Store,
        till: &Till,
        now_ms: u64,
    ) -> Result<(), TillError> {
        let since_ms = day_of(now_ms).saturating_mul(DAY_MS);
        let applied = store.left_since(since_ms, RECALLED_MAX).await?;
        for left in applied.into_iter().chain(till.left_unapplied(since_ms)?) {
            let Left { key, account, .. } = left;
            let stake = left.counted.map_or(left.at_most, error_of);
            self.add(Who { key, account }, stake.min(left.at_most), now_ms);
        }
        Ok(())
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
    use bourse_ledger::GrantKind;
    use bourse_ledger::record::{
        Cost, Facts, Hold, Payer, Record, Void, VoidReason, Voiding, encode,
    };
    use bourse_policy::{KeyHash, KeyKind};
    use bourse_spool::Position;
    use bourse_store::{Accounts, Batch, Generations, Grant, Journals, Keys, MemoryStore, NewKey};
    use bourse_vocab::GenerationId;

    use super::*;

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

    /// A database with an account that has a key.
    async fn database() -> (MemoryStore, Who) {
        let store = MemoryStore::new();
        let account = store.create_account("acme", NOON_MS).await.unwrap().id;
        let grant = Grant {
            account,
            kind: GrantKind::TopUp,
            amount: Nanos(10 * OF_KEY_MAX.0),
            note: String::new(),
            reference: None,
            at_ms: NOON_MS,
        };
        store.grant(grant).await.unwrap();
        let key = NewKey {
            account,
            hash: KeyHash::of("one"),
            label: "one".to_owned(),
            name: "one".to_owned(),
            kind: KeyKind::Inference,
            limit: None,
            limit_reset: None,
            include_byok_in_limit: false,
            expires_at_ms: None,
            external: None,
            calls: bourse_policy::CallDefaults::default(),
        };
        let key = store.create_key(key, NOON_MS).await.unwrap().id;
        (store, Who { key, account })
    }

    /// A call that was left before any content.
    fn left_call(who: Who, amount: Nanos) -> [Record<'static>; 2] {
        let id = GenerationId::new(NOON_MS / 1_000, 1);
        let Who { key, account } = who;
        let hold = Record::Hold(Hold {
            id,
            account,
            key,
            amount,
            at_ms: NOON_MS,
            model: "a/m",
            provider: "p",
            endpoint: "e",
        });
        let void = Record::Void(Void {
            key,
            held: amount,
            voiding: Voiding {
                id,
                account,
                at_ms: NOON_MS,
                reason: VoidReason::CallerLeft,
                costs: Vec::new(),
                possible: vec![Cost {
                    provider: "p",
                    amount,
                    payer: Payer::House,
                }],
                facts: Facts {
                    model: "a/m",
                    provider: "p",
                    endpoint: "e",
                    ..Facts::default()
                },
            },
        });
        [hold, void]
    }

    async fn leave(store: &MemoryStore, who: Who, amount: Nanos) {
        let written = left_call(who, amount).map(|record| {
            let mut out = Vec::new();
            encode(&record, &mut out);
            out
        });
        let records: Vec<&[u8]> = written.iter().map(Vec::as_slice).collect();
        let batch = Batch {
            from: Position(0),
            to: Position(2),
            chain: None,
            records: &records,
        };
        store.apply(batch).await.unwrap();
    }

    /// What is found of the day of a moment, by database and journal.
    async fn found(store: &MemoryStore, dir: &std::path::Path, at_ms: u64) -> Unknown {
        let options = bourse_spool::Options::default();
        let opened = Till::open(store, dir, options, at_ms).await.unwrap();
        let started = Unknown::default();
        started.recall(store, &opened.till, at_ms).await.unwrap();
        started
    }

    #[tokio::test]
    async fn what_was_left_in_the_day_is_found_again_at_a_start() {
        let dir = tempfile::tempdir().unwrap();
        let (store, who) = database().await;
        leave(&store, who, OF_KEY_MAX).await;
        let started = found(&store, dir.path(), NOON_MS + 1).await;
        assert!(!started.may_leave(who, Nanos(1), NOON_MS + 1));
        // The next day is a new one.
        let started = found(&store, dir.path(), NOON_MS + DAY_MS).await;
        assert!(started.may_leave(who, OF_KEY_MAX, NOON_MS + DAY_MS));
    }

    #[tokio::test]
    async fn what_was_left_right_before_a_crash_is_found_too() {
        let dir = tempfile::tempdir().unwrap();
        let (store, who) = database().await;
        let options = bourse_spool::Options::default();
        let opened = Till::open(&store, dir.path(), options, NOON_MS).await;
        let till = opened.unwrap().till;
        let rows = store.accounts_by_id(&[who.account]).await.unwrap();
        till.load(&rows, &store.keys_by_id(&[who.key]).await.unwrap());
        let [hold, void] = left_call(who, OF_KEY_MAX);
        let (Record::Hold(hold), Record::Void(void)) = (hold, void) else {
            unreachable!("it is held and let go of")
        };
        till.hold(&hold).unwrap();
        till.void(&void.voiding).unwrap();
        // Killed: nothing of it is in the database.
        std::mem::forget(till);
        assert!(store.left_since(0, 9).await.unwrap().is_empty());
        let started = found(&store, dir.path(), NOON_MS + 1).await;
        assert!(!started.may_leave(who, Nanos(1), NOON_MS + 1));
        let started = found(&store, dir.path(), NOON_MS + DAY_MS).await;
        assert!(started.may_leave(who, OF_KEY_MAX, NOON_MS + DAY_MS));
    }
}

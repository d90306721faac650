//! The live books of a running server, held to what journal and database say
//! at the same position.
//!
//! Memory is ahead of the journal by what is just being done: a purse is
//! changed first, and its record is written right after. So an account is
//! looked at under its lock, together with how far the journal was written at
//! that moment ([`Books::look`](bourse_ledger::Books::look)). Then every call
//! is told by its records:
//!
//! - one whose end is written by then has ended in memory too;
//! - one that has begun and not ended by then, and runs in memory no more, is
//!   ending: its end is among the next records, and says what was paid;
//! - one that runs in memory and has not begun by then is beginning: its hold
//!   is among the next records.
//!
//! Nothing is left that could be either way, because a call ends only after
//! its hold was written. The next records are waited for, for a bounded time.
//! What differs is looked at anew, with new numbers: a hold that was taken
//! back because its record could not be written has no record at all, and
//! administrators change credit and limits meanwhile. Only what stays is
//! told.

mod account;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use bourse_ledger::Books;
use bourse_ledger::record::{Booking, decode_booking};
use bourse_spool::{Position, Reader, SpoolError};
use bourse_vocab::{AccountId, GenerationId, KeyId, Nanos};

use crate::audit::Difference;
use crate::journal::{BATCH_RECORDS_MAX, StoredPurses};
use crate::till::{Till, TillError};
use crate::{Store, StoreError};
use account::Account;

/// Accounts that are looked at together: some kilobytes of memory each, and
/// one reading of what the database has not taken over yet.
const ACCOUNTS_AT_ONCE: usize = 256;
/// How often an account that differs is looked at. Three times what takes
/// microseconds to happen is no accident.
const LOOKS_MAX: usize = 3;
/// Between two looks: longer together than the second in which a server
/// notices what administrators have changed.
const PAUSE: Duration = Duration::from_millis(700);
/// How long the records of what is just being done are waited for: a lock and
/// one `write(2)`, on however busy a machine.
const RECORDS_AWAITED: Duration = Duration::from_millis(500);
/// How often it is looked whether they are there.
const RECORDS_POLLED: Duration = Duration::from_millis(10);
/// Differences that are named: more are only counted.
const NAMED_MAX: usize = 100;

/// What comparing the live books found.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct LiveReport {
    /// How far the journal was written when the last account was looked at.
    pub position: Position,
    /// Accounts in memory.
    pub accounts: u64,
    /// Keys in memory.
    pub keys: u64,
    /// Calls that ran.
    pub running: u64,
    /// Numbers that were compared.
    pub compared: u64,
    /// What differs, at most a hundred of it.
    pub differences: Vec<Difference>,
    /// How much does.
    pub difference_count: u64,
}

impl LiveReport {
    /// Whether memory, journal and database agree.
    #[must_use]
    pub const fn agrees(&self) -> bool {
        self.difference_count == 0
    }

    /// Takes in an account that will not be looked at again.
    fn take(&mut self, checked: Checked) {
        self.position = self.position.max(checked.position);
        self.accounts = self.accounts.saturating_add(1);
        self.keys = self.keys.saturating_add(checked.keys);
        self.running = self.running.saturating_add(checked.running);
        self.compared = self.compared.saturating_add(checked.compared);
        for difference in checked.differences {
            self.difference_count = self.difference_count.saturating_add(1);
            if self.differences.len() < NAMED_MAX {
                self.differences.push(difference);
            }
        }
    }
}

/// What was found of one account.
#[derive(Debug, Default)]
struct Checked {
    position: Position,
    keys: u64,
    running: u64,
    compared: u64,
    differences: Vec<Difference>,
}

impl Checked {
    /// Compares two numbers; `what` says which if they differ. What is
    /// expected is what journal and database say.
    fn compare(&mut self, what: impl FnOnce() -> String, expected: i128, found: i128) {
        self.compared = self.compared.saturating_add(1);
        if expected != found {
            self.differences.push(Difference {
                what: what(),
                expected,
                found,
            });
        }
    }
}

/// Compares every purse in memory, and every running call, with journal and
/// database.
///
/// # Errors
/// A database or a journal that cannot be read, or a disk that does not take
/// the journal: then memory is ahead of it for as long as that lasts.
pub async fn compare(till: &Till, store: &dyn Store) -> Result<LiveReport, TillError> {
    let mut report = LiveReport::default();
    let mut unknown = BTreeSet::new();
    for some in till.books().accounts().chunks(ACCOUNTS_AT_ONCE) {
        let mut some = some.to_vec();
        for look in 1..=LOOKS_MAX {
            let is_last = look == LOOKS_MAX;
            let checked = match look_at(till, store, &some, &mut unknown).await {
                // The database took over a whole segment meanwhile.
                Err(TillError::Spool(SpoolError::Gone { .. })) if !is_last => continue,
                checked => checked?,
            };
            some.clear();
            for (id, checked) in checked {
                if checked.differences.is_empty() || is_last {
                    report.take(checked);
                } else {
                    some.push(id);
                }
            }
            if some.is_empty() {
                break;
            }
            tokio::time::sleep(PAUSE).await;
        }
    }
    let known: BTreeSet<_> = till.books().accounts().into_iter().collect();
    for account in unknown.difference(&known) {
        let mut checked = Checked::default();
        let what = || format!("accounts in memory with the number {}", account.0);
        checked.compare(what, 1, 0);
        report.take(checked);
    }
    Ok(report)
}

/// Looks at some accounts once. Those that the journal has money of and
/// memory did not know then are added to `unknown`.
async fn look_at(
    till: &Till,
    store: &dyn Store,
    some: &[AccountId],
    unknown: &mut BTreeSet<AccountId>,
) -> Result<Vec<(AccountId, Checked)>, TillError> {
    let books = till.books();
    let keys: Vec<KeyId> = some.iter().flat_map(|id| books.keys(*id)).collect();
    // Before memory, which may only be ahead of it.
    let stored = store.stored_purses(some, &keys).await?;
    let mut replay = Replay::new(till, books, stored, some)?;
    let began = tokio::time::Instant::now();
    loop {
        replay.read(till.spool().written()).await?;
        if replay.is_settled() || began.elapsed() >= RECORDS_AWAITED {
            break;
        }
        till.spool().flush();
        tokio::time::sleep(RECORDS_POLLED).await;
    }
    unknown.extend(
        replay
            .seen
            .iter()
            .filter(|id| books.balance(**id).is_none()),
    );
    let accounts = replay.accounts.into_iter();
    Ok(accounts
        .map(|(id, account)| (id, account.check()))
        .collect())
}

/// Some accounts, and the journal's records of them.
struct Replay {
    reader: Reader,
    accounts: BTreeMap<AccountId, Account>,
    /// Whose the calls are that run by what was read.
    calls: BTreeMap<GenerationId, AccountId>,
    /// Accounts that the journal has money of.
    seen: BTreeSet<AccountId>,
}

impl Replay {
    fn new(
        till: &Till,
        books: &Books,
        stored: StoredPurses,
        some: &[AccountId],
    ) -> Result<Self, TillError> {
        let mut rows: BTreeMap<_, _> = stored
            .accounts
            .into_iter()
            .map(|row| (row.id, row))
            .collect();
        let mut accounts = BTreeMap::new();
        for id in some {
            let Some(purse) = books.look(*id, || till.spool().written()) else {
                continue;
            };
            let row = rows.remove(id).ok_or(StoreError::NotFound("account"))?;
            accounts.insert(*id, Account::new(row, purse));
        }
        for key in stored.keys {
            if let Some(account) = accounts.get_mut(&key.key.account) {
                account.key(key);
            }
        }
        let (mut calls, mut seen) = (BTreeMap::new(), BTreeSet::new());
        for hold in stored.open {
            calls.insert(hold.id, hold.account);
            seen.insert(hold.account);
            if let Some(account) = accounts.get_mut(&hold.account) {
                account.hold(stored.applied, hold.id, hold.key, hold.amount, hold.at_ms);
            }
        }
        Ok(Self {
            reader: till.spool().reader(stored.applied),
            accounts,
            calls,
            seen,
        })
    }

    /// Whether nothing is waited for.
    fn is_settled(&self) -> bool {
        self.accounts.values().all(Account::is_settled)
    }

    /// Reads on to `end`.
    async fn read(&mut self, end: Position) -> Result<(), TillError> {
        loop {
            let batch = self.reader.read(end, BATCH_RECORDS_MAX)?;
            if batch.is_empty() {
                return Ok(());
            }
            for (position, bytes) in batch.iter_with_ends() {
                let booking = decode_booking(bytes);
                let booking = booking.map_err(|source| TillError::Record { position, source })?;
                self.push(position, &booking);
            }
            // A batch is some milliseconds of work, and others wait.
            tokio::task::yield_now().await;
        }
    }

    fn push(&mut self, at: Position, booking: &Booking<'_>) {
        match booking {
            Booking::Hold(hold) => {
                self.calls.insert(hold.id, hold.account);
                self.seen.insert(hold.account);
                if let Some(account) = self.accounts.get_mut(&hold.account) {
                    account.hold(at, hold.id, hold.key, hold.amount, hold.at_ms);
                }
            }
            Booking::Extend(extend) => {
                if let Some(account) = self.of(extend.id) {
                    account.extend(at, extend.id, extend.extra);
                }
            }
            Booking::End(end) => {
                if let Some(account) = self.of(end.id) {
                    account.end(at, end.id, end.paid);
                }
                self.calls.remove(&end.id);
            }
            // These move no money.
            Booking::Dispatch(_)
            | Booking::Checkpoint(_)
            | Booking::Checkpoints(_)
            | Booking::Refused(_) => {}
        }
    }

    fn of(&mut self, call: GenerationId) -> Option<&mut Account> {
        let account = self.calls.get(&call)?;
        self.accounts.get_mut(account)
    }
}

/// Nano-dollars, wide enough for any sum.
fn wide(amount: Nanos) -> i128 {
    amount.0.into()
}

//! A store in memory: for tests, and as the plainest statement of what a
//! store does.

mod batch;
mod file;
mod video;

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Mutex, MutexGuard, PoisonError};

use bourse_ledger::fold::{ActivityKey, ActivitySums, FailureOf, FailureSums, Unreconciled};
use bourse_ledger::journal::{Journal, grant};
use bourse_ledger::record::VoidReason;
use bourse_ledger::{Effects, Fold, GenerationRow, Lease, OpenHold, RowSum};
use bourse_policy::{KeyHash, SpentByDay};
use bourse_spool::Position;
use bourse_vocab::{
    AccountId, BatchId, FileId, GenerationId, KeyId, Nanos, NodeId, RowId, RowIds, StoreId,
};

use crate::account::{AccountRow, Accounts, CHANGES_MAX, Changes, Grant, GrantRow};
use crate::activity::{Activity, ActivityQuery, ActivityRow, FailureRow};
use crate::audit::{AuditView, CallSums, KeySpending, LeaseSums, PurseSums, RowReport};
use crate::batch::BatchRow;
use crate::file::FileRow;
use crate::generation::{Generations, Left, SettledPage};
use crate::journal::{Applied, Batch, History, Journals, StoredPurses};
use crate::key::{KeyPatch, KeyRow, Keys, NewKey};
use crate::retired::{Dropped, Retired, add};
use crate::texts::{check, check_grant, check_key, check_unique};
use crate::upkeep::{About, Server, Step, Upkeep};
use crate::video::VideoRow;
use crate::{Reply, StoreError};

/// The only node.
const NODE: NodeId = NodeId::FIRST;

/// Everything in maps, behind one lock.
#[derive(Debug)]
pub struct MemoryStore {
    state: Mutex<State>,
    ids: RowIds,
}

impl Default for MemoryStore {
    fn default() -> Self {
        Self {
            state: Mutex::default(),
            ids: RowIds::after(NODE, RowId(0)),
        }
    }
}

#[derive(Debug)]
struct State {
    seq: u64,
    history: History,
    consumers: BTreeMap<String, Position>,
    accounts: BTreeMap<AccountId, AccountRow>,
    keys: BTreeMap<KeyId, KeyRow>,
    grants: Vec<Grant>,
    journals: Vec<Journal>,
    balances: BTreeMap<String, i64>,
    open: HashMap<GenerationId, OpenHold>,
    generations: BTreeMap<GenerationId, GenerationRow>,
    activity: BTreeMap<ActivityKey, ActivitySums>,
    failures: BTreeMap<FailureOf, FailureSums>,
    unreconciled: Vec<Unreconciled>,
    retired: Retired,
    files: BTreeMap<FileId, FileRow>,
    batches: BTreeMap<BatchId, BatchRow>,
    /// Those that were claimed, by the only node.
    claimed: HashSet<BatchId>,
    videos: BTreeMap<GenerationId, VideoRow>,
    webhook_secrets: BTreeMap<AccountId, Vec<u8>>,
}

impl Default for State {
    fn default() -> Self {
        // A number of its own is enough for a store that ends with its process.
        static STORES: AtomicU64 = AtomicU64::new(1);
        let number = STORES.fetch_add(1, Relaxed);
        let store = StoreId(u128::from(number).to_be_bytes());
        Self {
            seq: 0,
            history: History::new(store, NodeId::FIRST),
            consumers: BTreeMap::new(),
            accounts: BTreeMap::new(),
            keys: BTreeMap::new(),
            grants: Vec::new(),
            journals: Vec::new(),
            balances: BTreeMap::new(),
            open: HashMap::new(),
            generations: BTreeMap::new(),
            activity: BTreeMap::new(),
            failures: BTreeMap::new(),
            unreconciled: Vec::new(),
            retired: Retired::default(),
            files: BTreeMap::new(),
            batches: BTreeMap::new(),
            claimed: HashSet::new(),
            videos: BTreeMap::new(),
            webhook_secrets: BTreeMap::new(),
        }
    }
}

impl MemoryStore {
    /// An empty store.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    fn with<'a, T: Send + 'a>(
        &'a self,
        act: impl FnOnce(&mut State) -> Result<T, StoreError> + Send + 'a,
    ) -> Reply<'a, T> {
        Box::pin(async move { act(&mut self.lock()) })
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn drop_calls(&mut self, before_ms: u64, count_max: u64) -> Result<Dropped, StoreError> {
        let old = self.generations.values();
        let old = old.filter(|row| row.settled_at_ms < before_ms);
        let mut places: Vec<_> = old.map(|row| (row.settled_at_ms, row.id)).collect();
        places.sort_unstable();
        places.truncate(usize::try_from(count_max).unwrap_or(usize::MAX));
        let mut retired = Retired::default();
        let mut hashes = self.history.rows;
        for (_, id) in &places {
            if let Some(row) = self.generations.get(id) {
                hashes = retired.take(row, hashes)?;
            }
        }
        let gone: BTreeSet<_> = places.iter().map(|(_, id)| *id).collect();
        self.generations.retain(|id, _| !gone.contains(id));
        self.unreconciled.retain(|asked| !gone.contains(&asked.id));
        self.retired.add(retired);
        self.history.rows = hashes;
        let calls = places.len() as u64;
        let mut questions = 0;
        if calls < count_max {
            let before = self.unreconciled.len();
            self.unreconciled.retain(|asked| asked.at_ms >= before_ms);
            questions = before.saturating_sub(self.unreconciled.len()) as u64;
        }
        Ok(Dropped { calls, questions })
    }

    fn next_seq(&mut self) -> u64 {
        self.seq = self.seq.saturating_add(1);
        self.seq
    }

    fn book(&mut self, journal: Journal) -> Result<(), StoreError> {
        let mut balances = self.balances.clone();
        for (account, amount) in journal.entries() {
            let balance = balances.entry(account.to_string()).or_default();
            *balance = balance.checked_add(amount.0).ok_or_else(out_of_range)?;
        }
        self.balances = balances;
        self.journals.push(journal);
        Ok(())
    }

    fn find_key(&mut self, hash: KeyHash) -> Option<&mut KeyRow> {
        self.keys
            .values_mut()
            .find(|row| row.key.hash == hash && row.deleted_at_ms.is_none())
    }

    /// Whether everything that a batch changes is there, and stays within
    /// range: afterwards nothing can fail, so that a batch is taken whole or
    /// not at all.
    fn check(&self, effects: &Effects) -> Result<(), StoreError> {
        for (account, amount) in effects.journal.entries() {
            let balance = self.balances.get(&account.to_string());
            let sum = balance.copied().unwrap_or(0).checked_add(amount.0);
            sum.ok_or_else(out_of_range)?;
        }
        for (id, paid) in &effects.spent {
            let account = self.accounts.get(id);
            let account = account.ok_or(StoreError::NotFound("account"))?;
            let spent = account.spent.checked_add(*paid).ok_or_else(out_of_range)?;
            let Lease { lent, returned } = account.lease;
            if spent > lent.saturating_sub(returned) {
                return Err(StoreError::Damaged(format!(
                    "account {} spent {spent}, which is more than it was lent",
                    id.0
                )));
            }
        }
        for (id, _) in effects.keys.keys() {
            self.keys.get(id).ok_or(StoreError::NotFound("key"))?;
        }
        Ok(())
    }

    fn write(&mut self, effects: Effects) -> Result<(), StoreError> {
        self.check(&effects)?;
        if !effects.journal.is_empty() {
            self.book(effects.journal)?;
        }
        for id in effects.closed {
            self.open.remove(&id);
        }
        for hold in effects.opened {
            self.open.insert(hold.id, hold);
        }
        for row in effects.generations {
            self.generations.insert(row.id, row);
        }
        for (id, paid) in effects.spent {
            if let Some(account) = self.accounts.get_mut(&id) {
                account.spent = account.spent.saturating_add(paid);
                account.spent_here = account.spent;
            }
        }
        for ((id, day), used) in effects.keys {
            let key = self.keys.get_mut(&id).ok_or(StoreError::NotFound("key"))?;
            key.spent.add(day, used.paid);
            key.last_used_at_ms = key.last_used_at_ms.max(Some(used.at_ms));
        }
        for (key, sums) in effects.activity {
            add(self.activity.entry(key).or_default(), &sums);
        }
        for (of, more) in effects.failures {
            let sums = self.failures.entry(of).or_default();
            sums.calls = sums.calls.saturating_add(more.calls);
            sums.attempts = sums.attempts.saturating_add(more.attempts);
        }
        self.unreconciled.extend(effects.unreconciled);
        Ok(())
    }
}

fn out_of_range() -> StoreError {
    StoreError::Journal(bourse_ledger::journal::JournalError::OutOfRange)
}

impl Accounts for MemoryStore {
    fn create_account<'a>(&'a self, name: &'a str, at_ms: u64) -> Reply<'a, AccountRow> {
        self.with(move |state| {
            check_unique("account name", name)?;
            if state.accounts.values().any(|row| row.name == name) {
                return Err(StoreError::Exists("account"));
            }
            let row = AccountRow {
                id: AccountId(self.ids.next(at_ms).0),
                name: name.to_owned(),
                granted: Nanos::ZERO,
                spent: Nanos::ZERO,
                lease: Lease::default(),
                spent_here: Nanos::ZERO,
                created_at_ms: at_ms,
                change_seq: state.next_seq(),
            };
            state.accounts.insert(row.id, row.clone());
            Ok(row)
        })
    }

    fn account(&self, id: AccountId) -> Reply<'_, Option<AccountRow>> {
        self.with(move |state| Ok(state.accounts.get(&id).cloned()))
    }

    fn account_by_name<'a>(&'a self, name: &'a str) -> Reply<'a, Option<AccountRow>> {
        self.with(move |state| {
            let mut rows = state.accounts.values();
            Ok(rows.find(|row| row.name == name).cloned())
        })
    }

    fn accounts(&self) -> Reply<'_, Vec<AccountRow>> {
        self.with(|state| Ok(state.accounts.values().cloned().collect()))
    }

    fn grant(&self, grant_of: Grant) -> Reply<'_, AccountRow> {
        self.with(move |state| {
            check_grant(&grant_of)?;
            let seq = state.seq.saturating_add(1);
            let row = state.accounts.get(&grant_of.account).cloned();
            let mut row = row.ok_or(StoreError::NotFound("account"))?;
            let same = |other: &&Grant| other.reference == grant_of.reference;
            let known = state.grants.iter().find(same);
            if let Some(known) = known.filter(|known| known.reference.is_some()) {
                let same = (known.account, known.kind, known.amount)
                    == (grant_of.account, grant_of.kind, grant_of.amount);
                return if same {
                    Ok(row)
                } else {
                    Err(StoreError::Exists("another grant with this reference"))
                };
            }
            let journal = grant(grant_of.kind, grant_of.account, grant_of.amount)?;
            row.granted = row
                .granted
                .checked_add(grant_of.amount)
                .ok_or_else(out_of_range)?;
            row.lease.lent = row.lease.lent.max(row.granted);
            row.change_seq = seq;
            state.book(journal)?;
            state.seq = seq;
            state.accounts.insert(row.id, row.clone());
            state.grants.push(grant_of);
            Ok(row)
        })
    }

    fn grants(&self, account: Option<AccountId>, count_max: u64) -> Reply<'_, Vec<GrantRow>> {
        self.with(move |state| {
            let mut rows: Vec<GrantRow> = Vec::new();
            let wanted = state
                .grants
                .iter()
                .enumerate()
                .filter(|(_, grant)| account.is_none_or(|account| account == grant.account));
            let mut wanted: Vec<_> = wanted.collect();
            // Of one moment, the later one first.
            wanted.sort_by_key(|(nth, grant)| std::cmp::Reverse((grant.at_ms, *nth)));
            let count = usize::try_from(count_max).unwrap_or(usize::MAX);
            for (_, grant) in wanted.into_iter().take(count) {
                let account = state.accounts.get(&grant.account);
                rows.push(GrantRow {
                    grant: grant.clone(),
                    account_name: account.map_or_else(String::new, |row| row.name.clone()),
                });
            }
            Ok(rows)
        })
    }

    fn accounts_by_id<'a>(&'a self, ids: &'a [AccountId]) -> Reply<'a, Vec<AccountRow>> {
        self.with(move |state| {
            let found = ids.iter().filter_map(|id| state.accounts.get(id));
            Ok(found.cloned().collect())
        })
    }

    fn change_seq(&self) -> Reply<'_, u64> {
        self.with(|state| Ok(state.seq))
    }

    fn changes_since(&self, seq: u64) -> Reply<'_, Changes> {
        self.with(move |state| {
            let accounts = state.accounts.values().filter(|row| row.change_seq > seq);
            let keys = state.keys.values().filter(|row| row.change_seq > seq);
            let mut changes = Changes {
                seq: state.seq,
                accounts: accounts.cloned().collect(),
                keys: keys.cloned().collect(),
            };
            changes.accounts.sort_by_key(|row| row.change_seq);
            changes.accounts.truncate(CHANGES_MAX);
            changes.keys.sort_by_key(|row| row.change_seq);
            changes.keys.truncate(CHANGES_MAX);
            changes.cut();
            Ok(changes)
        })
    }
}

impl Keys for MemoryStore {
    fn create_key(&self, key: NewKey, at_ms: u64) -> Reply<'_, KeyRow> {
        self.with(move |state| {
            check_key(&key)?;
            if !state.accounts.contains_key(&key.account) {
                return Err(StoreError::NotFound("account"));
            }
            if state.keys.values().any(|row| row.key.hash == key.hash) {
                return Err(StoreError::Exists("key"));
            }
            let row = KeyRow {
                id: KeyId(self.ids.next(at_ms).0),
                key,
                disabled: false,
                created_at_ms: at_ms,
                updated_at_ms: None,
                last_used_at_ms: None,
                deleted_at_ms: None,
                spent: SpentByDay::default(),
                change_seq: state.next_seq(),
            };
            state.keys.insert(row.id, row.clone());
            Ok(row)
        })
    }

    fn key_by_hash(&self, hash: KeyHash) -> Reply<'_, Option<KeyRow>> {
        self.with(move |state| Ok(state.find_key(hash).cloned()))
    }

    fn keys_by_hash<'a>(&'a self, hashes: &'a [KeyHash]) -> Reply<'a, Vec<KeyRow>> {
        self.with(move |state| {
            let rows = state.keys.values();
            let found = rows.filter(|row| hashes.contains(&row.key.hash));
            Ok(found.cloned().collect())
        })
    }

    fn keys_by_id<'a>(&'a self, ids: &'a [KeyId]) -> Reply<'a, Vec<KeyRow>> {
        self.with(move |state| {
            let found = ids.iter().filter_map(|id| state.keys.get(id));
            Ok(found.cloned().collect())
        })
    }

    fn keys_used_since(&self, at_ms: u64, count_max: u64) -> Reply<'_, Vec<KeyRow>> {
        self.with(move |state| {
            let rows = state.keys.values();
            let used = rows.filter(|row| row.last_used_at_ms.is_some_and(|used| used >= at_ms));
            let mut used: Vec<_> = used.cloned().collect();
            used.sort_by_key(|row| std::cmp::Reverse(row.last_used_at_ms));
            used.truncate(usize::try_from(count_max).unwrap_or(usize::MAX));
            Ok(used)
        })
    }

    fn keys(
        &self,
        account: Option<AccountId>,
        include_disabled: bool,
        offset: u64,
        count_max: u64,
    ) -> Reply<'_, Vec<KeyRow>> {
        self.with(move |state| {
            let rows = state.keys.values().rev().filter(|row| {
                row.deleted_at_ms.is_none()
                    && account.is_none_or(|account| row.key.account == account)
                    && (include_disabled || !row.disabled)
            });
            let (skip, take) = (usize::try_from(offset), usize::try_from(count_max));
            let (skip, take) = (skip.unwrap_or(usize::MAX), take.unwrap_or(usize::MAX));
            Ok(rows.skip(skip).take(take).cloned().collect())
        })
    }

    fn update_key(&self, hash: KeyHash, patch: KeyPatch, at_ms: u64) -> Reply<'_, Option<KeyRow>> {
        self.with(move |state| {
            check("name", patch.name.as_deref().unwrap_or_default())?;
            let seq = state.next_seq();
            Ok(state.find_key(hash).map(|row| {
                patch.apply(row, at_ms);
                row.change_seq = seq;
                row.clone()
            }))
        })
    }

    fn delete_key(&self, hash: KeyHash, at_ms: u64) -> Reply<'_, bool> {
        self.with(move |state| {
            let seq = state.next_seq();
            let found = state.find_key(hash).map(|row| {
                row.deleted_at_ms = Some(at_ms);
                row.change_seq = seq;
            });
            Ok(found.is_some())
        })
    }
}

impl Journals for MemoryStore {
    fn history(&self) -> Reply<'_, History> {
        self.with(|state| Ok(state.history))
    }

    fn open_holds(&self) -> Reply<'_, Vec<OpenHold>> {
        self.with(|state| {
            let mut holds: Vec<_> = state.open.values().cloned().collect();
            holds.sort_by_key(|hold| hold.id);
            Ok(holds)
        })
    }

    fn stored_purses<'a>(
        &'a self,
        accounts: &'a [AccountId],
        keys: &'a [KeyId],
    ) -> Reply<'a, StoredPurses> {
        self.with(move |state| {
            let accounts = accounts.iter().filter_map(|id| state.accounts.get(id));
            let keys = keys.iter().filter_map(|id| state.keys.get(id));
            Ok(StoredPurses {
                applied: state.history.applied,
                accounts: accounts.cloned().collect(),
                keys: keys.cloned().collect(),
                open: state.open.values().cloned().collect(),
            })
        })
    }

    fn apply<'a>(&'a self, batch: Batch<'a>) -> Reply<'a, Applied> {
        self.with(move |state| {
            let before = state.history;
            let position = before.applied;
            if batch.to <= position {
                return Ok(Applied {
                    position,
                    chain: before.chain,
                    records: 0,
                    repeated: 0,
                });
            }
            if batch.from != position {
                return Err(StoreError::Gap {
                    applied: position.0,
                    from: batch.from.0,
                });
            }
            before.expect(batch.chain)?;
            let mut fold = Fold::new(state.open.values().cloned());
            for bytes in batch.records {
                fold.push(bytes)?;
            }
            let effects = fold.finish()?;
            let repeated = effects.repeated;
            let links = effects.generations.iter().filter_map(|row| row.link);
            let rows = links.fold(before.rows, RowSum::with);
            state.write(effects)?;
            let chain = before.chain.after_batch(batch.records.iter().copied());
            state.history = History {
                applied: batch.to,
                chain,
                batch_from: batch.from,
                chain_before: before.chain,
                rows,
                ..before
            };
            Ok(Applied {
                position: batch.to,
                chain,
                records: batch.records.len() as u64,
                repeated,
            })
        })
    }

    fn consumers(&self) -> Reply<'_, Vec<(String, Position)>> {
        self.with(|state| {
            let consumers = state.consumers.iter();
            Ok(consumers.map(|(name, at)| (name.clone(), *at)).collect())
        })
    }

    fn note_consumer<'a>(&'a self, name: &'a str, position: Option<Position>) -> Reply<'a, ()> {
        self.with(move |state| {
            match position {
                Some(position) => state.consumers.insert(name.to_owned(), position),
                None => state.consumers.remove(name),
            };
            Ok(())
        })
    }

    fn drop_calls(&self, before_ms: u64, count_max: u64) -> Reply<'_, Dropped> {
        self.with(move |state| state.drop_calls(before_ms, count_max))
    }

    fn audit(&self) -> Reply<'_, AuditView> {
        self.with(|state| Ok(view(state)))
    }

    fn check_rows(&self) -> Reply<'_, RowReport> {
        self.with(|state| {
            let mut report = RowReport {
                expected: state.history.rows,
                ..RowReport::default()
            };
            state.generations.values().for_each(|row| report.see(row));
            Ok(report)
        })
    }
}

fn view(state: &State) -> AuditView {
    let mut view = AuditView {
        applied: state.history.applied,
        generations: state
            .generations
            .values()
            .filter(|row| row.is_in_books())
            .count() as u64,
        ..AuditView::default()
    };
    for journal in &state.journals {
        for (account, amount) in journal.entries() {
            let slice = (account.to_string(), NODE);
            *view.posted.entry(slice).or_default() += i128::from(amount.0);
        }
    }
    for (account, amount) in &state.balances {
        let slice = (account.clone(), NODE);
        view.stored.insert(slice, i128::from(*amount));
    }
    for (id, row) in &state.accounts {
        let (granted, spent) = (i128::from(row.granted.0), i128::from(row.spent.0));
        view.accounts.insert(*id, (granted, spent));
        let lease = LeaseSums {
            lent: row.lease.lent.0.into(),
            returned: row.lease.returned.0.into(),
            spent,
        };
        let (cap, lent) = (granted, lease.lent - lease.returned);
        view.purses.insert(*id, PurseSums { cap, lent });
        view.leases.insert((*id, NODE), lease);
    }
    for grant in &state.grants {
        *view.grants.entry(grant.account).or_default() += i128::from(grant.amount.0);
    }
    for hold in state.open.values() {
        *view.held.entry(hold.account).or_default() += i128::from(hold.amount.0);
    }
    add_calls(state, &mut view);
    for (key, sums) in &state.activity {
        *view.activity.entry(key.account).or_default() += i128::from(sums.paid.0);
    }
    for row in state.keys.values() {
        if row.last_used_at_ms.is_some() {
            *view.keys.entry(row.key.account).or_default() += i128::from(row.spent.total.0);
        }
        let calls = state.generations.values().filter(|call| call.key == row.id);
        let retired = state.retired.calls.get(&(row.key.account, row.id));
        let retired = retired.map_or(0, |retired| i128::from(retired.paid.0));
        let kept: i128 = calls.map(|call| i128::from(call.paid.0)).sum();
        let spending = KeySpending {
            calls: kept + retired,
            sum: row.spent.total.0.into(),
            days: row
                .spent
                .days
                .iter()
                .map(|(_, paid)| i128::from(paid.0))
                .sum(),
        };
        if spending.calls != spending.sum || spending.sum != spending.days {
            view.keys_apart.insert(row.id, spending);
        }
    }
    view
}

/// The sums of calls, kept or not.
fn add_calls(state: &State, view: &mut AuditView) {
    for row in state.generations.values() {
        let sums: &mut CallSums = view.calls.entry(row.account).or_default();
        sums.paid += i128::from(row.paid.0);
        sums.house_loss += i128::from(row.house_loss.0);
        sums.upstream += i128::from(row.upstream.0);
    }
    for ((account, _), retired) in &state.retired.calls {
        let sums: &mut CallSums = view.calls.entry(*account).or_default();
        sums.paid += i128::from(retired.paid.0);
        sums.house_loss += i128::from(retired.house_loss.0);
        sums.upstream += i128::from(retired.upstream.0);
        view.generations += retired.calls;
    }
}

impl Generations for MemoryStore {
    fn generation(&self, id: GenerationId) -> Reply<'_, Option<GenerationRow>> {
        self.with(move |state| Ok(state.generations.get(&id).cloned()))
    }

    fn generations(&self, account: AccountId, count_max: u64) -> Reply<'_, Vec<GenerationRow>> {
        self.with(move |state| {
            let rows = state
                .generations
                .values()
                .rev()
                .filter(|row| row.account == account);
            Ok(rows
                .take(usize::try_from(count_max).unwrap_or(usize::MAX))
                .cloned()
                .collect())
        })
    }

    fn generations_settled(&self, page: SettledPage) -> Reply<'_, Vec<GenerationRow>> {
        self.with(move |state| {
            let place = |row: &&GenerationRow| (row.settled_at_ms, row.id);
            let rows = state.generations.values().filter(|row| {
                let is_after = match page.after {
                    Some(after) => place(row) > after,
                    None => row.settled_at_ms >= page.from_ms,
                };
                is_after && row.settled_at_ms < page.before_ms
            });
            let mut rows: Vec<&GenerationRow> = rows.collect();
            rows.sort_unstable_by_key(place);
            rows.truncate(usize::try_from(page.count_max).unwrap_or(usize::MAX));
            Ok(rows.into_iter().cloned().collect())
        })
    }

    fn unreconciled(&self, count_max: u64) -> Reply<'_, Vec<Unreconciled>> {
        self.with(move |state| {
            let count = usize::try_from(count_max).unwrap_or(usize::MAX);
            Ok(state.unreconciled.iter().take(count).cloned().collect())
        })
    }

    fn left_since(&self, at_ms: u64, count_max: u64) -> Reply<'_, Vec<Left>> {
        self.with(move |state| {
            let count = usize::try_from(count_max).unwrap_or(usize::MAX);
            let asked = state.unreconciled.iter().rev();
            let since = asked.filter(|question| question.at_ms >= at_ms);
            let left = since.filter_map(|question| {
                let row = state.generations.get(&question.id)?;
                let is_left = matches!(row.voided, None | Some(VoidReason::CallerLeft));
                (is_left && row.provider == question.provider).then_some(Left {
                    account: row.account,
                    key: row.key,
                    counted: row.voided.is_none().then_some(row.upstream),
                    at_most: question.at_most,
                })
            });
            Ok(left.take(count).collect())
        })
    }
}

impl Activity for MemoryStore {
    fn activity(&self, query: ActivityQuery) -> Reply<'_, Vec<ActivityRow>> {
        self.with(move |state| {
            let mut rows: BTreeMap<_, ActivityRow> = BTreeMap::new();
            for (of, sums) in &state.activity {
                let wanted = of.account == query.account
                    && query.key.is_none_or(|key| of.key == key)
                    && (query.first_day..=query.last_day).contains(&of.day);
                if !wanted {
                    continue;
                }
                let group = (of.day, &of.model, &of.endpoint, &of.provider);
                rows.entry(group)
                    .and_modify(|row| add(&mut row.sums, sums))
                    .or_insert_with(|| ActivityRow {
                        of: of.clone(),
                        sums: *sums,
                    });
            }
            Ok(rows.into_values().collect())
        })
    }

    fn failures(&self, query: ActivityQuery) -> Reply<'_, Vec<FailureRow>> {
        self.with(move |state| {
            let wanted = |of: &FailureOf| {
                of.account == query.account
                    && query.key.is_none_or(|key| of.key == key)
                    && (query.first_day..=query.last_day).contains(&of.day)
            };
            let rows = state.failures.iter().filter(|(of, _)| wanted(of));
            let mut rows: Vec<_> = rows
                .map(|(of, sums)| FailureRow {
                    of: of.clone(),
                    sums: *sums,
                })
                .collect();
            rows.sort_by(|a, b| order(&a.of).cmp(&order(&b.of)));
            Ok(rows)
        })
    }
}

/// As the databases order failures.
fn order(of: &FailureOf) -> (u64, &str, &str, &str, KeyId, u64) {
    let FailureOf {
        day,
        model,
        endpoint,
        provider,
        key,
        failure,
        ..
    } = of;
    (*day, model, endpoint, provider, *key, *failure)
}

impl Upkeep for MemoryStore {
    fn about(&self) -> Reply<'_, About> {
        self.with(|_| {
            Ok(About {
                kind: "memory",
                place: "this process".to_owned(),
                version: env!("CARGO_PKG_VERSION").to_owned(),
                read_only: false,
            })
        })
    }

    fn schema(&self) -> Reply<'_, Vec<Step>> {
        self.with(|_| Ok(Vec::new()))
    }

    fn schema_up(&self) -> Reply<'_, Vec<Step>> {
        self.with(|_| Ok(Vec::new()))
    }

    fn schema_down(&self, lose_data: bool) -> Reply<'_, Option<Step>> {
        let _ = lose_data;
        self.with(|_| Ok(None))
    }

    fn serve<'a>(&'a self, server: &'a Server, take_over: bool) -> Reply<'a, ()> {
        let _ = (server, take_over);
        self.with(|_| Ok(()))
    }

    fn renew(&self, now_ms: u64) -> Reply<'_, ()> {
        let _ = now_ms;
        self.with(|_| Ok(()))
    }

    fn retire(&self) -> Reply<'_, ()> {
        self.with(|_| Ok(()))
    }

    fn close(&self) -> std::pin::Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        Box::pin(std::future::ready(()))
    }
}

#[cfg(test)]
mod tests {
    use super::MemoryStore;

    async fn fresh() -> (MemoryStore, ()) {
        (MemoryStore::new(), ())
    }

    crate::suite::store_suite!(fresh);
}

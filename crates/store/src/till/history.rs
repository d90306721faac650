//! One history of a till, two databases, and the fold between them: calls,
//! grants, limits, kills at any record, purses that are loaded late. After
//! every step memory must tell what happened; after every batch SQLite, the
//! store in memory and the fold must tell the same.

use std::collections::BTreeMap;

use bourse_ledger::record::{Cost, Facts, Payer, VoidReason};
use bourse_ledger::{Entry, Fold};
use bourse_policy::{KeyHash, Period, SpentByDay, day_of};
use bourse_vocab::KeyId;
use proptest::prelude::*;

use super::*;
use crate::account::Accounts;
use crate::generation::Generations;
use crate::journal::{Batch, Journals};
use crate::key::Keys;
use crate::suite::{NOW, assert_balanced, id, new_key, top_up};
use crate::{Activity, ActivityQuery, KeyPatch, MemoryStore, SqliteStore};

const DAY_MS: u64 = 86_400_000;
/// Two accounts with two keys each.
const KEYS: [&str; 4] = ["a", "b", "c", "d"];
/// Long after the last call: no purse is warm at a start, so that all but
/// those that the journal has money of are loaded late.
const LATER: u64 = NOW + 400 * DAY_MS;

#[derive(Debug, Clone, Copy)]
enum Step {
    Hold { key: usize, amount: i64, day: u64 },
    Extend { call: usize, extra: i64 },
    Checkpoint { call: usize, charge: i64 },
    Settle { call: usize, charge: i64 },
    Void { call: usize },
    Grant { account: usize, amount: i64 },
    Limit { key: usize, limit: Option<i64> },
    Apply { records: usize },
    Kill,
}

fn a_step() -> impl Strategy<Value = Step> {
    let (call, key) = (0usize..64, 0usize..4);
    prop_oneof![
        6 => (key.clone(), 0i64..120, 0u64..3)
            .prop_map(|(key, amount, day)| Step::Hold { key, amount, day }),
        1 => (call.clone(), 0i64..60).prop_map(|(call, extra)| Step::Extend { call, extra }),
        1 => (call.clone(), 0i64..200)
            .prop_map(|(call, charge)| Step::Checkpoint { call, charge }),
        4 => (call.clone(), 0i64..200).prop_map(|(call, charge)| Step::Settle { call, charge }),
        1 => call.prop_map(|call| Step::Void { call }),
        1 => (0usize..2, -300i64..300)
            .prop_map(|(account, amount)| Step::Grant { account, amount }),
        1 => (key, proptest::option::of(0i64..400)).prop_map(|(key, limit)| Step::Limit { key, limit }),
        3 => (1usize..9).prop_map(|records| Step::Apply { records }),
        2 => Just(Step::Kill),
    ]
}

#[derive(Debug, Clone, Copy)]
struct Call {
    key: usize,
    day: u64,
    held: i64,
    paid: i64,
    checkpoint: Option<i64>,
    is_open: bool,
}

struct World {
    dir: tempfile::TempDir,
    sqlite: SqliteStore,
    memory: MemoryStore,
    accounts: [AccountId; 2],
    keys: [KeyId; 4],
    till: Option<Till>,
    change_seq: u64,
    granted: [i64; 2],
    calls: Vec<Call>,
    /// Checkpoints that wait for company, in order: which call's, and how
    /// much. They die with the server.
    waiting: Vec<(usize, i64)>,
    /// What the fold of all batches says.
    folded: BTreeMap<KeyId, SpentByDay>,
    open: Vec<bourse_ledger::OpenHold>,
}

impl World {
    async fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let sqlite = SqliteStore::open(dir.path()).await.unwrap();
        let memory = MemoryStore::new();
        let mut accounts = Vec::new();
        let mut keys = Vec::new();
        for name in ["one", "two"] {
            let account = sqlite.create_account(name, NOW).await.unwrap().id;
            assert_eq!(memory.create_account(name, NOW).await.unwrap().id, account);
            for _ in 0..2 {
                let key = new_key(account, KEYS[keys.len()]);
                let id = sqlite.create_key(key.clone(), NOW).await.unwrap().id;
                assert_eq!(memory.create_key(key, NOW).await.unwrap().id, id);
                keys.push(id);
            }
            accounts.push(account);
        }
        let mut world = Self {
            dir,
            sqlite,
            memory,
            accounts: accounts.try_into().unwrap(),
            keys: keys.try_into().unwrap(),
            till: None,
            change_seq: 0,
            granted: [0; 2],
            calls: Vec::new(),
            waiting: Vec::new(),
            folded: BTreeMap::new(),
            open: Vec::new(),
        };
        world.start().await;
        world.grant(0, 500).await;
        world.grant(1, 500).await;
        world
    }

    fn till(&self) -> &Till {
        self.till.as_ref().unwrap()
    }

    async fn start(&mut self) {
        let options = Options {
            // Nothing here asks whether the disk has it, and checkpoints
            // wait for the record that follows, however long that takes.
            sync_interval: std::time::Duration::from_secs(3_600),
            ..Options::default()
        };
        let opened = Till::open(&self.sqlite, self.dir.path(), options, LATER).await;
        let opened = opened.unwrap();
        self.change_seq = opened.recovery.change_seq;
        self.till = Some(opened.till);
    }

    async fn kill(&mut self) {
        std::mem::forget(self.till.take());
        self.waiting.clear();
        for call in self.calls.iter_mut().filter(|call| call.is_open) {
            call.paid = call.checkpoint.map_or(0, |charge| charge.min(call.held));
            (call.held, call.is_open) = (0, false);
        }
        self.start().await;
        assert_eq!(self.till().books().open_holds(), 0);
    }

    async fn absorb(&mut self) {
        let changes = self.sqlite.changes_since(self.change_seq).await.unwrap();
        self.till().absorb(&changes);
        self.change_seq = changes.seq;
    }

    async fn grant(&mut self, account: usize, amount: i64) {
        let grant = top_up(self.accounts[account], amount);
        self.sqlite.grant(grant.clone()).await.unwrap();
        self.memory.grant(grant).await.unwrap();
        self.granted[account] += amount;
        self.absorb().await;
    }

    async fn limit(&mut self, key: usize, limit: Option<i64>) {
        let patch = KeyPatch {
            limit: Some(limit.map(Nanos)),
            limit_reset: Some(Some(Period::Daily)),
            ..KeyPatch::default()
        };
        let hash = KeyHash::of(KEYS[key]);
        let changed = self.sqlite.update_key(hash, patch.clone(), NOW).await;
        assert_eq!(
            changed.unwrap(),
            self.memory.update_key(hash, patch, NOW).await.unwrap()
        );
        self.absorb().await;
    }

    /// A record was written that takes along what waits.
    fn wrote(&mut self) {
        for (n, charge) in self.waiting.drain(..) {
            self.calls[n].checkpoint = Some(charge);
        }
    }

    /// Loads a key's purse as its first call does.
    async fn load(&self, key: usize) {
        let books = self.till().books();
        if books
            .key_balance(self.accounts[key / 2], self.keys[key], NOW)
            .is_some()
        {
            return;
        }
        let keys = self.sqlite.keys_by_hash(&[KeyHash::of(KEYS[key])]).await;
        let accounts = self.sqlite.accounts_by_id(&[self.accounts[key / 2]]).await;
        self.till().load(&accounts.unwrap(), &keys.unwrap());
    }

    async fn hold(&mut self, key: usize, amount: i64, day: u64) {
        self.load(key).await;
        let at_ms = NOW + day * DAY_MS;
        let done = self.till().hold(&Hold {
            id: id(self.calls.len() as u64),
            account: self.accounts[key / 2],
            key: self.keys[key],
            amount: Nanos(amount),
            at_ms,
            model: "a/m",
            provider: "p",
            endpoint: "e",
        });
        let is_open = match done {
            Ok(_) => {
                self.wrote();
                true
            }
            Err(TillError::Refused(Refusal::Exhausted(_))) => false,
            Err(other) => panic!("{other:?}"),
        };
        self.calls.push(Call {
            key,
            day: day_of(at_ms),
            held: if is_open { amount } else { 0 },
            paid: 0,
            checkpoint: None,
            is_open,
        });
    }

    fn settle(&mut self, n: usize, charge: i64) {
        let call = self.calls[n];
        let posted = self.till().settle(&Settlement {
            id: id(n as u64),
            account: self.accounts[call.key / 2],
            at_ms: NOW + 9 * DAY_MS,
            charge: Nanos(charge),
            costs: vec![Cost {
                provider: "p",
                amount: Nanos(charge / 2),
                payer: Payer::Customer,
            }],
            possible: vec![Cost {
                provider: "q",
                amount: Nanos(1),
                payer: Payer::House,
            }],
            facts: Facts {
                model: "a/m",
                provider: "p",
                endpoint: "e",
                ..Facts::default()
            },
        });
        let posted = posted.unwrap();
        self.wrote();
        assert_eq!(posted.held.0, call.held);
        let call = &mut self.calls[n];
        (call.paid, call.held, call.is_open) = (posted.paid.0, 0, false);
    }

    fn void(&mut self, n: usize) {
        let call = self.calls[n];
        let released = self.till().void(&Voiding {
            id: id(n as u64),
            account: self.accounts[call.key / 2],
            at_ms: NOW + 9 * DAY_MS,
            reason: VoidReason::AttemptsFailed,
            costs: Vec::new(),
            possible: Vec::new(),
            facts: Facts {
                model: "a/m",
                provider: "p",
                endpoint: "e",
                ..Facts::default()
            },
        });
        assert_eq!(released.unwrap().held.0, call.held);
        self.wrote();
        let call = &mut self.calls[n];
        (call.held, call.is_open) = (0, false);
    }

    /// Brings the next records to both databases and to the fold.
    async fn apply(&mut self, count: usize) {
        let from = self.sqlite.applied().await.unwrap();
        let mut reader = self.till().spool().reader(from);
        let batch = reader.read(self.till().spool().written(), count).unwrap();
        if batch.is_empty() {
            return;
        }
        let records: Vec<&[u8]> = batch.iter().collect();
        let to = batch.end();
        let batch = Batch {
            from,
            to,
            chain: None,
            records: &records,
        };
        let applied = self.sqlite.apply(batch).await.unwrap();
        let other = self.memory.apply(batch).await.unwrap();
        // Each installation has a running hash of its own.
        let counts =
            |applied: crate::Applied| (applied.position, applied.records, applied.repeated);
        assert_eq!(counts(applied), counts(other));
        assert_eq!(applied.repeated, 0);
        let mut fold = Fold::new(std::mem::take(&mut self.open));
        for bytes in &records {
            fold.push(&Entry::read(bytes).unwrap());
        }
        let effects = fold.finish().unwrap();
        for ((key, day), used) in effects.keys {
            self.folded.entry(key).or_default().add(day, used.paid);
        }
        self.open = self.sqlite.open_holds().await.unwrap();
        for hold in &effects.opened {
            assert!(self.open.contains(hold), "{hold:?}");
        }
        self.compare().await;
    }

    /// Both databases and the fold, one with the other.
    async fn compare(&self) {
        let (sqlite, memory) = (&self.sqlite, &self.memory);
        assert_eq!(memory.open_holds().await.unwrap(), self.open);
        let rows = sqlite.keys(None, true, 0, 9).await.unwrap();
        assert_eq!(rows, memory.keys(None, true, 0, 9).await.unwrap());
        for row in rows {
            let folded = self.folded.get(&row.id).cloned().unwrap_or_default();
            assert_eq!(row.spent, folded);
        }
        let accounts = sqlite.accounts().await.unwrap();
        assert_eq!(accounts, memory.accounts().await.unwrap());
        for (account, keys) in accounts.iter().zip(self.keys.chunks(2)) {
            let folded = keys.iter().filter_map(|key| self.folded.get(key));
            let folded: i64 = folded.map(|spent| spent.total.0).sum();
            assert_eq!(account.spent.0, folded);
            let query = ActivityQuery {
                account: account.id,
                key: None,
                first_day: 0,
                last_day: u64::MAX >> 1,
            };
            let activity = sqlite.activity(query).await.unwrap();
            assert_eq!(activity, memory.activity(query).await.unwrap());
            let calls = sqlite.generations(account.id, 99).await.unwrap();
            assert_eq!(calls, memory.generations(account.id, 99).await.unwrap());
        }
        let questions = sqlite.unreconciled(999).await.unwrap();
        assert_eq!(questions, memory.unreconciled(999).await.unwrap());
        assert_eq!(sqlite.audit().await.unwrap(), memory.audit().await.unwrap());
        assert_balanced(sqlite).await;
    }

    /// What happened, as the till tells it; of a purse that memory does not
    /// know, the database must tell all.
    async fn check(&self) {
        let rows = self.sqlite.keys(None, true, 0, 9).await.unwrap();
        for (n, account) in self.accounts.into_iter().enumerate() {
            let calls = || self.calls.iter().filter(|call| call.key / 2 == n);
            let paid: i64 = calls().map(|call| call.paid).sum();
            let held: i64 = calls().map(|call| call.held).sum();
            if let Some(balance) = self.till().books().balance(account) {
                let found = (balance.granted.0, balance.spent.0, balance.held.0);
                assert_eq!(found, (self.granted[n], paid, held));
            } else {
                let row = self.sqlite.account(account).await.unwrap().unwrap();
                assert_eq!(
                    (row.granted.0, row.spent.0, held),
                    (self.granted[n], paid, 0)
                );
            }
        }
        for (n, key) in self.keys.into_iter().enumerate() {
            let books = self.till().books();
            for day in 0..3 {
                let at_ms = NOW + day * DAY_MS;
                let calls = self.calls.iter();
                let calls = calls.filter(|call| call.key == n && call.day == day_of(at_ms));
                let paid: i64 = calls.map(|call| call.paid).sum();
                let spent = match books.key_balance(self.accounts[n / 2], key, at_ms) {
                    Some(balance) => balance.spent,
                    None => {
                        let row = rows.iter().find(|row| row.id == key).unwrap();
                        row.spent.at(at_ms)
                    }
                };
                assert_eq!(spent.day.0, paid, "key {n}, day {day}");
            }
        }
    }

    async fn step(&mut self, step: Step) {
        let open: Vec<usize> = (0..self.calls.len())
            .filter(|n| self.calls[*n].is_open)
            .collect();
        let pick = |call: usize| (!open.is_empty()).then(|| open[call % open.len()]);
        match step {
            Step::Hold { key, amount, day } => self.hold(key, amount, day).await,
            Step::Grant { account, amount } => self.grant(account, amount).await,
            Step::Limit { key, limit } => self.limit(key, limit).await,
            Step::Apply { records } => self.apply(records).await,
            Step::Kill => self.kill().await,
            Step::Settle { call, charge } => {
                if let Some(n) = pick(call) {
                    self.settle(n, charge);
                }
            }
            Step::Void { call } => {
                if let Some(n) = pick(call) {
                    self.void(n);
                }
            }
            Step::Checkpoint { call, charge } => {
                if let Some(n) = pick(call) {
                    let checkpoint = Checkpoint {
                        id: id(n as u64),
                        charge: Nanos(charge),
                        upstream: Nanos(charge / 2),
                        prompt: 1,
                        completion: 2,
                    };
                    // A stream tells of itself, or its worker of several.
                    let told = if charge % 2 == 0 {
                        self.till().checkpoint(&checkpoint)
                    } else {
                        self.till().checkpoints(&[checkpoint])
                    };
                    told.unwrap();
                    self.waiting.push((n, charge));
                }
            }
            Step::Extend { call, extra } => {
                if let Some(n) = pick(call) {
                    let account = self.accounts[self.calls[n].key / 2];
                    let done = self.till().extend(account, id(n as u64), Nanos(extra));
                    if done.is_ok() {
                        self.wrote();
                        self.calls[n].held += extra;
                    }
                }
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn a_till_and_two_databases_tell_one_history_whenever_it_is_killed(
        steps in proptest::collection::vec(a_step(), 1..60)
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        runtime.block_on(async {
            let mut world = World::new().await;
            for step in steps {
                world.step(step).await;
                world.check().await;
            }
            world.kill().await;
            world.apply(10_000).await;
            world.check().await;
        });
    }
}

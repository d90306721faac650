//! One history, told four times: to the books while it happens, to an
//! oracle that only adds up lists, to a replay as after a crash at that very
//! moment, and to the fold that a database applies. After every step all
//! four must tell the same money.
#![allow(
    clippy::arithmetic_side_effects, // Small numbers.
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic
)]

use std::collections::BTreeMap;

use bourse_ledger::record::{
    Checkpoint, Cost, Dispatch, Extend, Facts, Hold, Payer, Settle, Settlement, Void, VoidReason,
    Voiding, decode, encode,
};
use bourse_ledger::recover::{Closing, Replay, close};
use bourse_ledger::{
    Books, Credit, Effects, Fold, GrantKind, KeyState, OpenHold, Record, Refusal, journal,
};
use bourse_policy::{Limit, Period, SpentByDay, day_of};
use bourse_vocab::{AccountId, GenerationId, KeyId, Nanos};
use proptest::prelude::*;

const ACCOUNT: AccountId = AccountId(1);
const KEYS: [KeyId; 2] = [KeyId(1), KeyId(2)];
const DAY_MS: u64 = 86_400_000;
/// Sunday, 29 November 2026: the week ends, two days later the month.
const SUNDAY: u64 = 20_786;
/// The clock is at the last millisecond of a day or at the first of one, and
/// some of these days are far away.
const MOMENTS: [u64; 6] = [
    SUNDAY * DAY_MS,
    (SUNDAY + 1) * DAY_MS - 1,
    (SUNDAY + 1) * DAY_MS,
    (SUNDAY + 2) * DAY_MS - 1,
    (SUNDAY + 2) * DAY_MS,
    (SUNDAY + 60) * DAY_MS,
];

#[derive(Debug, Clone, Copy)]
enum Step {
    Hold {
        key: usize,
        amount: i64,
    },
    Extend {
        call: usize,
        extra: i64,
    },
    Dispatch {
        call: usize,
    },
    Checkpoint {
        call: usize,
        charge: i64,
    },
    Post {
        call: usize,
        charge: i64,
    },
    Void {
        call: usize,
    },
    Clock {
        moment: usize,
    },
    Limit {
        key: usize,
        limit: Option<(i64, Option<Period>)>,
    },
    Grant {
        amount: i64,
    },
    Apply {
        records: usize,
    },
    Restart,
}

fn a_period() -> impl Strategy<Value = Option<Period>> {
    proptest::sample::select(vec![
        None,
        Some(Period::Daily),
        Some(Period::Weekly),
        Some(Period::Monthly),
    ])
}

fn a_step() -> impl Strategy<Value = Step> {
    let (call, key) = (0usize..64, 0usize..2);
    prop_oneof![
        6 => (key.clone(), 0i64..120).prop_map(|(key, amount)| Step::Hold { key, amount }),
        2 => (call.clone(), 0i64..60).prop_map(|(call, extra)| Step::Extend { call, extra }),
        1 => call.clone().prop_map(|call| Step::Dispatch { call }),
        1 => (call.clone(), 0i64..200)
            .prop_map(|(call, charge)| Step::Checkpoint { call, charge }),
        4 => (call.clone(), 0i64..200).prop_map(|(call, charge)| Step::Post { call, charge }),
        2 => call.prop_map(|call| Step::Void { call }),
        2 => (0..MOMENTS.len()).prop_map(|moment| Step::Clock { moment }),
        1 => (key, proptest::option::of((0i64..400, a_period())))
            .prop_map(|(key, limit)| Step::Limit { key, limit }),
        1 => (-300i64..300).prop_map(|amount| Step::Grant { amount }),
        2 => (1usize..9).prop_map(|records| Step::Apply { records }),
        1 => Just(Step::Restart),
    ]
}

/// A call as the oracle sees it.
#[derive(Debug, Clone, Copy)]
struct Call {
    key: usize,
    day: u64,
    held: i64,
    paid: i64,
    is_open: bool,
}

/// Adds up lists, and nothing else.
#[derive(Debug, Default)]
struct Oracle {
    granted: i64,
    limits: [Option<Limit>; 2],
    calls: Vec<Call>,
}

impl Oracle {
    fn sum(&self, of: impl Fn(&Call) -> bool, what: impl Fn(&Call) -> i64) -> i64 {
        self.calls.iter().filter(|call| of(call)).map(what).sum()
    }

    /// What the account and the key's limit leave beside what is paid and
    /// held, of which `own` is held by the call that asks.
    fn rooms(&self, key: usize, day: u64, own: i64) -> (i64, i64) {
        let used = |call: &Call| call.held + call.paid;
        let account = self.granted - self.sum(|_| true, used) + own;
        let limit = self.limits[key].map_or(i64::MAX, |limit| {
            let used = self.sum(
                |call| {
                    let index = |day| limit.reset.map(|period| period.index_of_day(day));
                    call.key == key && index(call.day) == index(day)
                },
                used,
            );
            (limit.amount.0 - used + own).max(0)
        });
        (account, limit)
    }

    fn may_hold(&self, key: usize, day: u64, amount: i64) -> bool {
        let (account, limit) = self.rooms(key, day, 0);
        account >= amount && limit >= amount
    }

    fn pays(&self, call: &Call, charge: i64) -> i64 {
        let (account, limit) = self.rooms(call.key, call.day, call.held);
        charge.min(account.min(limit).max(call.held))
    }
}

/// What a database would hold: the fold's effects, added up.
#[derive(Debug, Clone, Default)]
struct Database {
    spent: i64,
    keys: BTreeMap<KeyId, SpentByDay>,
    open: BTreeMap<GenerationId, OpenHold>,
    ledger: BTreeMap<String, i64>,
    activity: BTreeMap<(KeyId, u64), i64>,
}

impl Database {
    fn book(&mut self, journal: &bourse_ledger::Journal) {
        for (account, amount) in journal.entries() {
            *self.ledger.entry(account.to_string()).or_default() += amount.0;
        }
    }

    fn apply(&mut self, records: &[Vec<u8>]) {
        let mut fold = Fold::new(self.open.values().cloned());
        for bytes in records {
            fold.push(bytes).unwrap();
        }
        let effects: Effects = fold.finish().unwrap();
        assert_eq!(effects.repeated, 0);
        self.book(&effects.journal);
        for id in &effects.closed {
            assert!(self.open.remove(id).is_some());
        }
        for hold in effects.opened {
            self.open.insert(hold.id, hold);
        }
        self.spent += effects.spent.values().map(|paid| paid.0).sum::<i64>();
        for ((key, day), used) in effects.keys {
            self.keys.entry(key).or_default().add(day, used.paid);
        }
        for (of, sums) in effects.activity {
            *self.activity.entry((of.key, of.day)).or_default() += sums.paid.0;
        }
    }
}

struct World {
    books: Books,
    oracle: Oracle,
    database: Database,
    /// Everything that was written, and how much of it the database has.
    journal: Vec<Vec<u8>>,
    applied: usize,
    now_ms: u64,
}

fn id(call: usize) -> GenerationId {
    GenerationId::new(1_795_000_000, call as u128)
}

fn key_state(limit: Option<Limit>, spent: SpentByDay) -> KeyState {
    KeyState {
        account: ACCOUNT,
        limit,
        spent,
        change_seq: 0,
    }
}

fn facts() -> Facts<'static> {
    Facts {
        model: "a/m",
        provider: "p",
        endpoint: "e",
        ..Facts::default()
    }
}

fn cost(amount: i64) -> Vec<Cost<'static>> {
    vec![Cost {
        provider: "p",
        amount: Nanos(amount),
        payer: Payer::Customer,
    }]
}

impl World {
    fn new() -> Self {
        let mut world = Self {
            books: Books::new(),
            oracle: Oracle::default(),
            database: Database::default(),
            journal: Vec::new(),
            applied: 0,
            now_ms: MOMENTS[0],
        };
        world.grant(500);
        for key in KEYS {
            let state = key_state(None, SpentByDay::default());
            world.books.set_key(key, &state).unwrap();
        }
        world
    }

    fn write(&mut self, record: &Record<'_>) {
        let mut bytes = Vec::new();
        encode(record, &mut bytes);
        self.journal.push(bytes);
    }

    fn grant(&mut self, amount: i64) {
        self.oracle.granted += amount;
        let credit = Credit::whole(Nanos(self.oracle.granted), Nanos::ZERO);
        self.books.set_account(ACCOUNT, &credit);
        let journal = journal::grant(GrantKind::TopUp, ACCOUNT, Nanos(amount)).unwrap();
        self.database.book(&journal);
    }

    fn hold(&mut self, key: usize, amount: i64) {
        let (call, day) = (self.oracle.calls.len(), day_of(self.now_ms));
        let expected = self.oracle.may_hold(key, day, amount);
        let (id, at_ms) = (id(call), self.now_ms);
        let done = self
            .books
            .hold(ACCOUNT, KEYS[key], id, Nanos(amount), at_ms);
        assert_eq!(done.is_ok(), expected, "{done:?}");
        let held = if expected { amount } else { 0 };
        self.oracle.calls.push(Call {
            key,
            day,
            held,
            paid: 0,
            is_open: expected,
        });
        if expected {
            self.write(&Record::Hold(Hold {
                id,
                account: ACCOUNT,
                key: KEYS[key],
                amount: Nanos(amount),
                at_ms,
                model: "a/m",
                provider: "p",
                endpoint: "e",
            }));
        }
    }

    fn extend(&mut self, n: usize, extra: i64) {
        let call = self.oracle.calls[n];
        let done = self.books.extend(ACCOUNT, id(n), Nanos(extra));
        let fits = self.oracle.may_hold(call.key, call.day, extra);
        assert_eq!(done.is_ok(), call.is_open && fits, "{done:?}");
        if done.is_ok() {
            self.oracle.calls[n].held += extra;
            self.write(&Record::Extend(Extend {
                id: id(n),
                extra: Nanos(extra),
            }));
        }
    }

    fn post(&mut self, n: usize, settlement: Settlement<'_>) {
        let call = self.oracle.calls[n];
        let done = self.books.post(ACCOUNT, id(n), settlement.charge);
        if !call.is_open {
            assert_eq!(done, Err(Refusal::NotOpen));
            return;
        }
        let posted = done.unwrap();
        let paid = self.oracle.pays(&call, settlement.charge.0);
        assert_eq!((posted.held.0, posted.paid.0), (call.held, paid));
        self.end(n, paid);
        self.write(&Record::Settle(Settle {
            key: posted.key,
            held: posted.held,
            paid: posted.paid,
            settlement,
        }));
    }

    fn void(&mut self, n: usize, voiding: Voiding<'_>) {
        let call = self.oracle.calls[n];
        let done = self.books.void(ACCOUNT, id(n));
        if !call.is_open {
            assert_eq!(done, Err(Refusal::NotOpen));
            return;
        }
        let released = done.unwrap();
        assert_eq!(released.held.0, call.held);
        self.end(n, 0);
        self.write(&Record::Void(Void {
            key: released.key,
            held: released.held,
            voiding,
        }));
    }

    fn end(&mut self, n: usize, paid: i64) {
        let call = &mut self.oracle.calls[n];
        (call.is_open, call.held, call.paid) = (false, 0, paid);
    }

    /// Memory as a process that starts now would have it.
    fn replayed(&self) -> (Books, Vec<OpenHold>) {
        let mut replay = Replay::default();
        let (granted, spent) = (self.oracle.granted, self.database.spent);
        replay.account(ACCOUNT, Credit::whole(Nanos(granted), Nanos(spent)));
        for (key, limit) in KEYS.into_iter().zip(self.oracle.limits) {
            let spent = self.database.keys.get(&key).cloned().unwrap_or_default();
            replay.key(key, key_state(limit, spent));
        }
        for hold in self.database.open.values() {
            replay.open(hold.clone());
        }
        for bytes in &self.journal[self.applied..] {
            replay.push(&decode(bytes).unwrap());
        }
        assert_eq!(replay.repeated(), 0);
        replay.finish().unwrap()
    }

    fn restart(&mut self) {
        let (books, open) = self.replayed();
        self.books = books;
        for hold in &open {
            let n = self.oracle.calls.iter().enumerate();
            let n = n.map(|(n, _)| n).find(|n| id(*n) == hold.id).unwrap();
            match close(hold, self.now_ms) {
                Closing::Settle(settlement) => self.post(n, *settlement),
                Closing::Void(voiding) => self.void(n, *voiding),
            }
        }
        assert_eq!(self.books.open_holds(), 0);
    }

    fn step(&mut self, step: Step) {
        let calls = self.oracle.calls.len();
        let pick = |call: usize| (calls > 0).then(|| call % calls.max(1));
        let now_ms = self.now_ms;
        match step {
            Step::Hold { key, amount } => self.hold(key, amount),
            Step::Clock { moment } => self.now_ms = MOMENTS[moment],
            Step::Grant { amount } => self.grant(amount),
            Step::Restart => self.restart(),
            Step::Limit { key, limit } => {
                let limit = limit.map(|(amount, reset)| Limit {
                    amount: Nanos(amount),
                    reset,
                });
                self.oracle.limits[key] = limit;
                let state = key_state(limit, SpentByDay::default());
                self.books.set_key(KEYS[key], &state).unwrap();
            }
            Step::Apply { records } => {
                let to = (self.applied + records).min(self.journal.len());
                self.database.apply(&self.journal[self.applied..to]);
                self.applied = to;
            }
            Step::Extend { call, extra } => {
                if let Some(n) = pick(call) {
                    self.extend(n, extra);
                }
            }
            Step::Dispatch { call } => {
                if let Some(n) = pick(call).filter(|n| self.oracle.calls[*n].is_open) {
                    self.write(&Record::Dispatch(Dispatch {
                        id: id(n),
                        model: "a/n",
                        provider: "q",
                        endpoint: "f",
                    }));
                }
            }
            Step::Checkpoint { call, charge } => {
                if let Some(n) = pick(call).filter(|n| self.oracle.calls[*n].is_open) {
                    let checkpoint = Checkpoint {
                        id: id(n),
                        charge: Nanos(charge),
                        upstream: Nanos(charge / 2),
                        prompt: 1,
                        completion: 2,
                    };
                    // A stream tells of itself, or its worker of several.
                    self.write(&if charge % 2 == 0 {
                        Record::Checkpoint(checkpoint)
                    } else {
                        Record::Checkpoints(vec![checkpoint])
                    });
                }
            }
            Step::Post { call, charge } => {
                if let Some(n) = pick(call) {
                    let settlement = Settlement {
                        id: id(n),
                        account: ACCOUNT,
                        at_ms: now_ms,
                        charge: Nanos(charge),
                        costs: cost(charge / 2),
                        possible: Vec::new(),
                        facts: facts(),
                    };
                    self.post(n, settlement);
                }
            }
            Step::Void { call } => {
                if let Some(n) = pick(call) {
                    let voiding = Voiding {
                        id: id(n),
                        account: ACCOUNT,
                        at_ms: now_ms,
                        reason: VoidReason::AttemptsFailed,
                        costs: Vec::new(),
                        possible: Vec::new(),
                        facts: facts(),
                    };
                    self.void(n, voiding);
                }
            }
        }
    }

    /// Books, however they came about, against the oracle.
    fn check_books(&self, books: &Books) {
        let oracle = &self.oracle;
        let balance = books.balance(ACCOUNT).unwrap();
        let (spent, held) = (
            oracle.sum(|_| true, |c| c.paid),
            oracle.sum(|_| true, |c| c.held),
        );
        let numbers = (balance.granted.0, balance.spent.0, balance.held.0);
        assert_eq!(numbers, (oracle.granted, spent, held));
        let open = oracle.calls.iter().filter(|call| call.is_open).count();
        assert_eq!(books.open_holds(), open);
        for (key, name) in KEYS.into_iter().enumerate() {
            for at_ms in MOMENTS {
                let balance = books.key_balance(ACCOUNT, name, at_ms).unwrap();
                let held = oracle.sum(|call| call.key == key, |call| call.held);
                let limit = oracle.limits[key];
                assert_eq!((balance.limit, balance.held.0), (limit, held));
                for reset in [None].into_iter().chain(Period::ALL.map(Some)) {
                    let index = |day: u64| reset.map(|period| period.index_of_day(day));
                    let within =
                        |call: &Call| call.key == key && index(call.day) == index(day_of(at_ms));
                    let paid = oracle.sum(within, |call| call.paid);
                    assert_eq!(balance.spent.within(reset).0, paid, "{name:?} {reset:?}");
                }
            }
        }
    }

    /// The database, if it took over all that was written.
    fn check_database(&self) {
        let mut database = self.database.clone();
        database.apply(&self.journal[self.applied..]);
        let oracle = &self.oracle;
        let (spent, held) = (
            oracle.sum(|_| true, |c| c.paid),
            oracle.sum(|_| true, |c| c.held),
        );
        assert_eq!(database.spent, spent);
        let of = |name: &str| database.ledger.get(name).copied().unwrap_or(0);
        assert_eq!(of("customer:1:held"), held);
        assert_eq!(of("customer:1:available"), oracle.granted - spent - held);
        assert_eq!(database.ledger.values().sum::<i64>(), 0);
        let open: BTreeMap<_, _> = database
            .open
            .iter()
            .map(|(id, h)| (*id, h.amount.0))
            .collect();
        let calls = oracle.calls.iter().enumerate();
        let expected = calls.filter(|(_, call)| call.is_open);
        let expected = expected.map(|(n, call)| (id(n), call.held)).collect();
        assert_eq!(open, expected);
        for (key, name) in KEYS.into_iter().enumerate() {
            let days = database.keys.get(&name).cloned().unwrap_or_default();
            let paid = oracle.sum(|call| call.key == key, |call| call.paid);
            assert_eq!(days.total.0, paid);
            for day in MOMENTS.map(day_of) {
                let paid = oracle.sum(|c| c.key == key && c.day == day, |c| c.paid);
                let found = days.days.iter().find(|(of, _)| *of == day);
                assert_eq!(found.map_or(0, |(_, sum)| sum.0), paid);
                let activity = database.activity.get(&(name, day));
                assert_eq!(activity.copied().unwrap_or(0), paid);
            }
        }
    }

    fn check(&self) {
        self.check_books(&self.books);
        let (replayed, open) = self.replayed();
        assert_eq!(open.len(), replayed.open_holds());
        self.check_books(&replayed);
        self.check_database();
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn books_replay_and_fold_tell_the_same_money_after_every_step(
        steps in proptest::collection::vec(a_step(), 1..80)
    ) {
        let mut world = World::new();
        world.check();
        for step in steps {
            world.step(step);
            world.check();
        }
        world.step(Step::Restart);
        world.check();
    }
}

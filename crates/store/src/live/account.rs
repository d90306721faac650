//! One account: what journal and database make of it up to the position at
//! which memory was looked at.

use std::collections::BTreeMap;

use bourse_ledger::books::{AccountPurse, KeyPurse, PeriodSums};
use bourse_policy::{Limit, SpentByDay, day_of};
use bourse_spool::Position;
use bourse_vocab::{GenerationId, KeyId, Nanos};

use super::{Checked, wide};
use crate::account::AccountRow;
use crate::key::KeyRow;

/// A call by its records.
#[derive(Debug, Clone, Copy)]
struct Call {
    key: KeyId,
    day: u64,
    /// What is set aside up to the position.
    amount: Nanos,
    /// The first extension after it.
    next_extra: Option<Nanos>,
    /// It had begun by the position.
    has_begun: bool,
}

/// A key as journal and database have it.
#[derive(Debug)]
struct Key {
    limit: Option<Limit>,
    change_seq: u64,
    spent: SpentByDay,
    /// How many days the database returned: if as many as it may, there may
    /// be earlier ones.
    days_read: usize,
    first_day: Option<u64>,
}

/// An account in memory, and what it should be.
#[derive(Debug)]
pub(super) struct Account {
    row: AccountRow,
    purse: AccountPurse<Position>,
    spent: Nanos,
    keys: BTreeMap<KeyId, Key>,
    /// What runs, or was running at the position, by the records.
    calls: BTreeMap<GenerationId, Call>,
}

impl Account {
    pub(super) fn new(row: AccountRow, purse: AccountPurse<Position>) -> Self {
        Self {
            spent: row.spent_here,
            row,
            purse,
            keys: BTreeMap::new(),
            calls: BTreeMap::new(),
        }
    }

    pub(super) fn key(&mut self, row: KeyRow) {
        let key = Key {
            limit: row.limit(),
            change_seq: row.change_seq,
            days_read: row.spent.days.len(),
            first_day: row.spent.days.first().map(|(day, _)| *day),
            spent: row.spent,
        };
        self.keys.insert(row.id, key);
    }

    /// Where memory was looked at.
    const fn position(&self) -> Position {
        self.purse.at
    }

    pub(super) fn hold(
        &mut self,
        at: Position,
        id: GenerationId,
        key: KeyId,
        amount: Nanos,
        at_ms: u64,
    ) {
        let call = Call {
            key,
            day: day_of(at_ms),
            amount,
            next_extra: None,
            has_begun: at <= self.position(),
        };
        // What began later and is not in memory either is of no interest.
        if call.has_begun || self.runs(id).is_some() {
            self.calls.entry(id).or_insert(call);
        }
    }

    pub(super) fn extend(&mut self, at: Position, id: GenerationId, extra: Nanos) {
        let position = self.position();
        if let Some(call) = self.calls.get_mut(&id) {
            if at <= position {
                call.amount = call.amount.saturating_add(extra);
            } else if call.next_extra.is_none() {
                call.next_extra = Some(extra);
            }
        }
    }

    pub(super) fn end(&mut self, at: Position, id: GenerationId, paid: Nanos) {
        // A call that still ran in memory ended after that.
        if at > self.position() && self.runs(id).is_some() {
            return;
        }
        let Some(call) = self.calls.remove(&id) else {
            return;
        };
        self.spent = self.spent.saturating_add(paid);
        if let Some(key) = self.keys.get_mut(&call.key) {
            key.spent.add(call.day, paid);
        }
    }

    /// What memory has set aside for a call.
    fn runs(&self, id: GenerationId) -> Option<Nanos> {
        let running = &self.purse.running;
        let found = running.binary_search_by_key(&id, |call| call.id).ok()?;
        running.get(found).map(|call| call.amount)
    }

    /// Whether the records tell of every call what memory has of it.
    pub(super) fn is_settled(&self) -> bool {
        let told = self.calls.iter();
        told.into_iter().all(|(id, call)| {
            let runs = self.runs(*id);
            runs.is_some_and(|amount| call.explains(amount))
        }) && self
            .purse
            .running
            .iter()
            .all(|call| self.calls.contains_key(&call.id))
    }

    /// Compares.
    pub(super) fn check(self) -> Checked {
        let mut checked = Checked {
            position: self.position(),
            keys: self.purse.keys.len() as u64,
            running: self.purse.running.len() as u64,
            ..Checked::default()
        };
        self.check_credit(&mut checked);
        self.check_calls(&mut checked);
        let mut held: BTreeMap<KeyId, Vec<(u64, Nanos)>> = BTreeMap::new();
        for call in self.purse.running.iter().filter(|call| call.is_of_key) {
            held.entry(call.key)
                .or_default()
                .push((call.day, call.amount));
        }
        for key in &self.purse.keys {
            let held = held.get(&key.id).map_or(&[][..], Vec::as_slice);
            self.check_key(&mut checked, key, held);
        }
        checked
    }

    fn check_credit(&self, checked: &mut Checked) {
        let Self { row, purse, .. } = self;
        let n = purse.id.0;
        let mut compare = |what: &str, expected: Nanos, found: Nanos| {
            let what = || format!("{what} account {n}, in memory");
            checked.compare(what, wide(expected), wide(found));
        };
        compare("granted to", row.granted, purse.granted);
        compare("lent of", row.lease.lent, purse.lent);
        compare("returned of", row.lease.returned, purse.returned);
        compare("spent by", self.spent, purse.spent);
        let held = purse.running.iter().map(|call| call.amount);
        let held = held.fold(Nanos::ZERO, Nanos::saturating_add);
        compare("held of", held, purse.held);
        checked.compare(
            || format!("number of the last change of account {n}, in memory"),
            row.change_seq.into(),
            purse.change_seq.into(),
        );
    }

    /// Every running call, by its records and in memory.
    fn check_calls(&self, checked: &mut Checked) {
        let n = self.purse.id.0;
        for (id, call) in &self.calls {
            let runs = self.runs(*id);
            let expected = runs.filter(|amount| call.explains(*amount));
            checked.compare(
                || format!("on hold for call {id} of account {n}, in memory"),
                wide(expected.unwrap_or(call.amount)),
                wide(runs.unwrap_or_default()),
            );
        }
        for call in &self.purse.running {
            let told = self.calls.get(&call.id);
            if told.is_none() {
                let what = || {
                    let id = call.id;
                    format!(
                        "calls of account {n} in the journal with the number {id}, which memory runs"
                    )
                };
                checked.compare(what, 1, 0);
            }
            let Some(told) = told else { continue };
            checked.compare(
                || format!("key of call {}, in memory", call.id),
                told.key.0.into(),
                call.key.0.into(),
            );
            checked.compare(
                || format!("day of call {}, in memory", call.id),
                told.day.into(),
                call.day.into(),
            );
        }
    }

    /// A key, of whose running calls memory has so much set aside, by days.
    fn check_key(&self, checked: &mut Checked, purse: &KeyPurse, held: &[(u64, Nanos)]) {
        let n = purse.id.0;
        let Some(key) = self.keys.get(&purse.id) else {
            checked.compare(|| format!("keys in the database with the number {n}"), 0, 1);
            return;
        };
        checked.compare(
            || format!("number of the last change of key {n}, in memory"),
            key.change_seq.into(),
            purse.change_seq.into(),
        );
        let limit = |limit: Option<Limit>| limit.map_or(-1, |limit| wide(limit.amount));
        checked.compare(
            || format!("limit of key {n}, in memory (-1: none)"),
            limit(key.limit),
            limit(purse.limit),
        );
        let reset = |limit: Option<Limit>| limit.and_then(|limit| limit.reset);
        checked.compare(
            || format!("resets of the limit of key {n} that agree"),
            1,
            i128::from(reset(key.limit) == reset(purse.limit)),
        );
        checked.compare(
            || format!("spent by key {n}, in memory"),
            wide(key.spent.total),
            wide(purse.spent),
        );
        checked.compare(
            || format!("held of key {n}, in memory"),
            wide(sum_on(held, |_| true)),
            wide(purse.held),
        );
        for sums in &purse.periods {
            let held = sum_on(held, |day| sums.period.index_of_day(day) == sums.index);
            check_period(checked, key, (n, held), sums);
        }
    }
}

/// A key's number and what its running calls have set aside, in one period.
fn check_period(checked: &mut Checked, key: &Key, (n, held): (u64, Nanos), sums: &PeriodSums) {
    let PeriodSums { period, index, .. } = *sums;
    let name = period.name();
    checked.compare(
        || format!("held of key {n} in {name} period {index}, in memory"),
        wide(held),
        wide(sums.held),
    );
    // The database tells the latest days only.
    let is_cut = key.days_read >= SpentByDay::DAYS_MAX;
    let first = key.first_day.map(|day| period.index_of_day(day));
    if is_cut && first.is_some_and(|first| index <= first) {
        return;
    }
    let spent = sum_on(&key.spent.days, |day| period.index_of_day(day) == index);
    checked.compare(
        || format!("spent by key {n} in {name} period {index}, in memory"),
        wide(spent),
        wide(sums.spent),
    );
}

/// The sum of the amounts of some days.
fn sum_on(amounts: &[(u64, Nanos)], is_meant: impl Fn(u64) -> bool) -> Nanos {
    let meant = amounts.iter().filter(|(day, _)| is_meant(*day));
    meant.fold(Nanos::ZERO, |sum, (_, amount)| sum.saturating_add(*amount))
}

impl Call {
    /// Whether memory may have this amount: what is written by the position,
    /// or that and what is just being added.
    fn explains(&self, amount: Nanos) -> bool {
        let grown = self
            .next_extra
            .map(|extra| self.amount.saturating_add(extra));
        amount == self.amount || Some(amount) == grown
    }
}

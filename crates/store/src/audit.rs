//! Do the books balance, to the nano-dollar?
//!
//! A store gathers, at one moment, every sum twice: once from the postings
//! and once from where it is kept for use. [`AuditView::check`] compares
//! them; it is pure, so that every store is held to the same rules.

pub mod columns;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use bourse_ledger::{GenerationRow, LedgerAccount, RowSum, generation};
use bourse_spool::Position;
use bourse_vocab::{AccountId, GenerationId, KeyId, NodeId};

/// Sums of calls, by whatever they are grouped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct CallSums {
    /// What customers paid.
    pub paid: i128,
    /// What the house paid.
    pub house_loss: i128,
    /// What providers charge.
    pub upstream: i128,
}

/// A purse as it is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct PurseSums {
    /// The most that may be lent of it.
    pub cap: i128,
    /// What is lent of it now.
    pub lent: i128,
}

/// A lease as it is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct LeaseSums {
    /// All that was ever lent.
    pub lent: i128,
    /// Of this, what was given back.
    pub returned: i128,
    /// And what was spent.
    pub spent: i128,
}

/// What a key has spent, thrice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct KeySpending {
    /// By its finished calls.
    pub calls: i128,
    /// By its stored sum.
    pub sum: i128,
    /// By the sums of its days.
    pub days: i128,
}

/// Everything that must agree, at one moment. Sums are 128 bits wide: a
/// damaged database must be reported, not overflow.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct AuditView {
    /// How far the spool has been applied.
    pub applied: Position,
    /// Journals whose postings do not sum to zero, with the sum.
    pub unbalanced: Vec<((NodeId, u64), i128)>,
    /// Sums of the postings, by ledger account and node.
    pub posted: BTreeMap<(String, NodeId), i128>,
    /// Stored balances, by ledger account and node.
    pub stored: BTreeMap<(String, NodeId), i128>,
    /// Granted and spent, by account; spent is what all nodes have spent.
    pub accounts: BTreeMap<AccountId, (i128, i128)>,
    /// The purses of accounts.
    pub purses: BTreeMap<AccountId, PurseSums>,
    /// What nodes were lent of the purses of accounts.
    pub leases: BTreeMap<(AccountId, NodeId), LeaseSums>,
    /// Grants, by account.
    pub grants: BTreeMap<AccountId, i128>,
    /// Open holds, by account.
    pub held: BTreeMap<AccountId, i128>,
    /// Sums of the finished calls, by account.
    pub calls: BTreeMap<AccountId, CallSums>,
    /// Sums of the daily sums, by account.
    pub activity: BTreeMap<AccountId, i128>,
    /// What the keys have spent, by account.
    pub keys: BTreeMap<AccountId, i128>,
    /// Keys whose sums disagree with one another; the first hundred.
    pub keys_apart: BTreeMap<KeyId, KeySpending>,
    /// How many finished calls are in the books.
    pub generations: u64,
}

/// Rows that are named in a report: more are only counted.
const ROWS_NAMED_MAX: usize = 100;

/// What holding every row to its record found.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RowReport {
    /// Rows that were looked at.
    pub rows: u64,
    /// Of these, such as carry a hash of their record.
    pub linked: u64,
    /// Rows that are not what their record says, and what is wrong; at most
    /// a hundred of them.
    pub wrong: Vec<(GenerationId, String)>,
    /// How many there are in all.
    pub wrong_count: u64,
    /// The sum of the hashes that were found.
    pub sum: RowSum,
    /// The sum that there should be.
    pub expected: RowSum,
    /// Sums beside the rows that are not what all records make them; at most
    /// a hundred of them.
    pub sums: Vec<Difference>,
    /// How many there are in all.
    pub sums_count: u64,
    /// What the database says is broken in its files.
    pub damage: Vec<String>,
}

impl RowReport {
    /// Takes in one row.
    pub fn see(&mut self, row: &GenerationRow) {
        self.rows = self.rows.saturating_add(1);
        if let Some(link) = row.link {
            self.linked = self.linked.saturating_add(1);
            self.sum = self.sum.with(link);
        }
        let what = match generation::check_row(row) {
            Ok(None) => return,
            Ok(Some(what)) => what.to_owned(),
            Err(error) => error.to_string(),
        };
        self.wrong_count = self.wrong_count.saturating_add(1);
        if self.wrong.len() < ROWS_NAMED_MAX {
            self.wrong.push((row.id, what));
        }
    }
}

/// Two sums that should agree and do not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// What is wrong, naming account or journal.
    pub what: String,
    /// What it should be, in nano-dollars.
    pub expected: i128,
    /// What it is.
    pub found: i128,
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            what,
            expected,
            found,
        } = self;
        let by = found.saturating_sub(*expected);
        write!(
            f,
            "{what}: expected {expected}, found {found}, off by {by} nano-dollars"
        )
    }
}

/// What an audit found.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct AuditReport {
    /// Sums that disagree; none if the books balance.
    pub differences: Vec<Difference>,
    /// Whether every finished call's row is what its record says, where that
    /// was asked for.
    pub rows: RowReport,
    /// How many sums were compared.
    pub compared: u64,
    /// How many finished calls stand behind them.
    pub generations: u64,
    /// How many accounts.
    pub accounts: u64,
}

impl AuditReport {
    /// Whether the books balance, and no row was changed, removed or put in.
    #[must_use]
    pub fn is_balanced(&self) -> bool {
        let rows = &self.rows;
        self.differences.is_empty()
            && rows.wrong_count == 0
            && rows.sums_count == 0
            && rows.damage.is_empty()
            && !self.are_rows_missing()
    }

    /// Whether rows of finished calls were removed, put in or changed.
    #[must_use]
    pub fn are_rows_missing(&self) -> bool {
        self.rows.sum != self.rows.expected
    }

    /// Everything that is wrong, a sentence each.
    #[must_use]
    pub fn findings(&self) -> Vec<String> {
        let sums = self.differences.iter().chain(&self.rows.sums);
        let sums = sums.map(ToString::to_string);
        let wrong = self.rows.wrong.iter();
        let rows = wrong.map(|(id, what)| format!("row of call {id}: {what}"));
        let mut findings: Vec<_> = sums.chain(rows).collect();
        let more = self
            .rows
            .wrong_count
            .saturating_sub(self.rows.wrong.len() as u64);
        if more > 0 {
            findings.push(format!("{more} more rows are not what their records say"));
        }
        let more = self
            .rows
            .sums_count
            .saturating_sub(self.rows.sums.len() as u64);
        if more > 0 {
            findings.push(format!(
                "{more} more sums are not what the records make them"
            ));
        }
        let damage = self.rows.damage.iter();
        findings.extend(damage.map(|what| format!("the database's files are damaged: {what}")));
        if self.are_rows_missing() {
            findings.push(
                "rows of finished calls were changed, removed or put in: the sum of their hashes is not the stored one"
                    .to_owned(),
            );
        }
        findings
    }

    /// Compares two sums; `what` says which if they disagree.
    pub(crate) fn compare(&mut self, what: impl FnOnce() -> String, expected: i128, found: i128) {
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

impl AuditView {
    /// Compares everything with everything.
    #[must_use]
    pub fn check(&self) -> AuditReport {
        let mut report = AuditReport {
            generations: self.generations,
            accounts: self.accounts.len() as u64,
            ..AuditReport::default()
        };
        for ((node, seq), sum) in &self.unbalanced {
            report.compare(
                || format!("sum of journal {seq} of node {}", node.0),
                0,
                *sum,
            );
        }
        let total = self
            .posted
            .values()
            .fold(0, |sum: i128, one| sum.saturating_add(*one));
        report.compare(|| "sum of all postings".to_owned(), 0, total);
        let slices = self.posted.keys().chain(self.stored.keys());
        for slice in slices.collect::<BTreeSet<_>>() {
            let (posted, stored) = (sum_of(&self.posted, slice), sum_of(&self.stored, slice));
            let (name, node) = slice;
            report.compare(
                || format!("stored balance of {name}, node {}", node.0),
                posted,
                stored,
            );
        }
        for (id, (granted, spent)) in &self.accounts {
            self.check_account(&mut report, *id, *granted, *spent);
            self.check_purse(&mut report, *id, *granted);
        }
        for (id, key) in &self.keys_apart {
            let n = id.0;
            report.compare(
                || format!("spent by key {n}, by finished calls"),
                key.calls,
                key.sum,
            );
            report.compare(|| format!("days of key {n}, by its sum"), key.sum, key.days);
        }
        let calls = self
            .calls
            .values()
            .fold(CallSums::default(), |sum, one| CallSums {
                paid: sum.paid.saturating_add(one.paid),
                house_loss: sum.house_loss.saturating_add(one.house_loss),
                upstream: sum.upstream.saturating_add(one.upstream),
            });
        let revenue = self.posted_to("revenue");
        let worth = calls.paid.saturating_add(calls.house_loss);
        report.compare(|| "revenue, by finished calls".to_owned(), worth, revenue);
        let loss = self.posted_to("house_loss").saturating_neg();
        report.compare(
            || "house loss, by finished calls".to_owned(),
            calls.house_loss,
            loss,
        );
        let cost = self.by_prefix("provider_cost:");
        report.compare(
            || "provider costs, by finished calls".to_owned(),
            calls.upstream,
            cost,
        );
        report
    }

    fn check_account(&self, report: &mut AuditReport, id: AccountId, granted: i128, spent: i128) {
        let held = sum_of(&self.held, &id);
        let posted = |account: LedgerAccount| self.posted_to(&account.to_string());
        let n = id.0;
        report.compare(
            || format!("held of account {n}, by open holds"),
            held,
            posted(LedgerAccount::CustomerHeld(id)),
        );
        report.compare(
            || format!("available of account {n}, by granted, spent and open holds"),
            granted.saturating_sub(spent).saturating_sub(held),
            posted(LedgerAccount::CustomerAvailable(id)),
        );
        let grants = sum_of(&self.grants, &id);
        report.compare(
            || format!("granted to account {n}, by grants"),
            grants,
            granted,
        );
        let paid = self.calls.get(&id).map_or(0, |calls| calls.paid);
        report.compare(
            || format!("spent by account {n}, by finished calls"),
            paid,
            spent,
        );
        let days = sum_of(&self.activity, &id);
        report.compare(
            || format!("daily sums of account {n}, by finished calls"),
            paid,
            days,
        );
        let keys = sum_of(&self.keys, &id);
        report.compare(|| format!("spent by the keys of account {n}"), paid, keys);
    }

    /// The purse against the account, and against what nodes were lent of
    /// it: what is lent is what nodes have and have not given back, and none
    /// has spent more.
    fn check_purse(&self, report: &mut AuditReport, id: AccountId, granted: i128) {
        let n = id.0;
        let purse = self.purses.get(&id).copied().unwrap_or_default();
        report.compare(
            || format!("purse of account {n}, by granted"),
            granted,
            purse.cap,
        );
        let nodes = (id, NodeId(0))..=(id, NodeId(u16::MAX));
        let mut out: i128 = 0;
        for ((_, node), lease) in self.leases.range(nodes) {
            let kept = lease.lent.saturating_sub(lease.returned);
            out = out.saturating_add(kept);
            let left = kept.saturating_sub(lease.spent);
            report.compare(
                || {
                    format!(
                        "left of what node {} was lent by account {n}, at least",
                        node.0
                    )
                },
                left.max(0),
                left,
            );
        }
        report.compare(
            || format!("lent by account {n}, by leases"),
            out,
            purse.lent,
        );
    }

    /// What was posted to a ledger account, over all nodes.
    fn posted_to(&self, name: &str) -> i128 {
        let nodes = (name.to_owned(), NodeId(0))..=(name.to_owned(), NodeId(u16::MAX));
        let sums = self.posted.range(nodes);
        sums.fold(0, |sum: i128, (_, one)| sum.saturating_add(*one))
    }

    fn by_prefix(&self, prefix: &str) -> i128 {
        let sums = self
            .posted
            .iter()
            .filter(|((name, _), _)| name.starts_with(prefix));
        sums.fold(0, |sum: i128, (_, one)| sum.saturating_add(*one))
    }
}

fn sum_of<K: Ord + std::borrow::Borrow<Q>, Q: Ord + ?Sized>(
    sums: &BTreeMap<K, i128>,
    name: &Q,
) -> i128 {
    sums.get(name).copied().unwrap_or(0)
}

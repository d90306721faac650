//! What the sums beside the finished calls should be, counted again from the
//! calls' own records: days, keys, providers, questions for reconciliation; and
//! whether every grant was booked as it says.
//!
//! Sums that agree with one another may all have been moved together; that
//! they agree with the records too is harder to arrange, because each row
//! carries the hash of its record. Counting needs memory for as many entries
//! as the sums have rows.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use bourse_ledger::fold::{ActivityKey, ActivitySums, Unreconciled};
use bourse_ledger::record::{self, Cost, Record};
use bourse_ledger::{GenerationRow, GrantKind, journal};
use bourse_policy::day_of;
use bourse_vocab::{AccountId, GenerationId, KeyId, Nanos};

use crate::audit::Difference;

/// Differences that are named: more are only counted.
const NAMED_MAX: usize = 100;

/// What is counted in a row of the daily sums, in this order.
const COLUMNS: [&str; 7] = [
    "requests",
    "paid",
    "byok",
    "prompt",
    "completion",
    "reasoning",
    "cached",
];

/// What a question asks: of which call, whom, for how much, since when.
type Question = (GenerationId, Arc<str>, i64, u64);

/// What a finished call adds to the sums beside the calls.
#[derive(Debug, Default)]
pub(crate) struct Adds {
    /// To the costs of providers.
    pub costs: Vec<(Arc<str>, Nanos)>,
    /// To the questions for reconciliation.
    pub questions: Vec<(Arc<str>, Nanos)>,
    /// To a day, if it was settled.
    pub day: Option<(ActivityKey, ActivitySums)>,
}

/// What a call adds, by its record; `None` if that cannot be read.
pub(crate) fn adds(row: &GenerationRow) -> Option<Adds> {
    let named = |costs: &[Cost<'_>]| -> Vec<(Arc<str>, Nanos)> {
        let named = costs.iter();
        named
            .map(|cost| (cost.provider.into(), cost.amount))
            .collect()
    };
    let settle = match record::decode(&row.record) {
        Ok(Record::Settle(settle)) => settle,
        Ok(Record::Void(void)) => {
            return Some(Adds {
                costs: named(&void.voiding.costs),
                questions: named(&void.voiding.possible),
                day: None,
            });
        }
        _ => return None,
    };
    let end = &settle.settlement;
    let usage = end.facts.counts.usage();
    let byok = end.facts.flags.byok;
    let upstream = end.facts.upstream_prompt;
    let upstream = upstream.saturating_add(end.facts.upstream_completion);
    let sums = ActivitySums {
        requests: 1,
        paid: settle.paid,
        byok: if byok { upstream } else { Nanos::ZERO },
        prompt: usage.prompt,
        completion: usage.completion,
        reasoning: usage.reasoning,
        cached: usage.cache_read,
    };
    let of = ActivityKey {
        // Rows from before there were links counted on the day of their
        // settlement.
        day: day_of(row.link.map_or(end.at_ms, |_| row.created_at_ms)),
        account: row.account,
        key: row.key,
        model: Arc::clone(&row.model),
        endpoint: Arc::clone(&row.endpoint),
        provider: Arc::clone(&row.provider),
    };
    Some(Adds {
        costs: named(&end.costs),
        questions: named(&end.possible),
        day: Some((of, sums)),
    })
}

/// Counts records, then takes away what is stored: nothing should be left.
#[derive(Debug, Default)]
pub struct Recount {
    days: BTreeMap<ActivityKey, [i128; COLUMNS.len()]>,
    key_days: BTreeMap<(KeyId, u64), i128>,
    costs: BTreeMap<Arc<str>, i128>,
    questions: BTreeMap<Question, i128>,
    /// By the grant's number and the ledger account.
    grants: BTreeMap<(String, String), i128>,
    /// When a key was last used, by its settled calls; the stored moment is
    /// taken away from it.
    last_used: BTreeMap<KeyId, i128>,
    /// Keys of which that is not known.
    used_otherwise: HashSet<KeyId>,
    /// Calls whose record was seen.
    calls: HashSet<GenerationId>,
}

impl Recount {
    /// Counts one finished call. A record that cannot be read is told by
    /// whoever checks the row.
    pub fn see(&mut self, row: &GenerationRow) {
        let Some(adds) = adds(row) else { return };
        self.calls.insert(row.id);
        for (provider, amount) in adds.costs {
            add(&mut self.costs, provider, amount.0.into());
        }
        for (provider, at_most) in adds.questions {
            let question = (row.id, provider, at_most.0, row.settled_at_ms);
            add(&mut self.questions, question, 1);
        }
        if let Some((of, sums)) = adds.day {
            match row.link {
                Some(_) => self.retired_use(row.key, row.settled_at_ms),
                // The first release noted another moment.
                None => drop(self.used_otherwise.insert(row.key)),
            }
            self.retired_day(of, &sums);
        }
    }

    /// Counts calls of a day that are not kept.
    pub fn retired_day(&mut self, of: ActivityKey, sums: &ActivitySums) {
        let (key, day, paid) = (of.key, of.day, i128::from(sums.paid.0));
        self.day(of, sums, 1);
        if paid != 0 {
            add(&mut self.key_days, (key, day), paid);
        }
    }

    /// Counts when a key was last used, by calls that are not kept.
    pub fn retired_use(&mut self, key: KeyId, at_ms: u64) {
        if at_ms > 0 {
            let used = self.last_used.entry(key).or_default();
            *used = (*used).max(at_ms.into());
        }
    }

    /// Counts what a provider charges for calls that are not kept.
    pub fn retired_cost(&mut self, provider: Arc<str>, amount: Nanos) {
        add(&mut self.costs, provider, amount.0.into());
    }

    fn day(&mut self, key: ActivityKey, sums: &ActivitySums, sign: i128) {
        let columns = [
            sums.requests.into(),
            sums.paid.0.into(),
            sums.byok.0.into(),
            sums.prompt.into(),
            sums.completion.into(),
            sums.reasoning.into(),
            sums.cached.into(),
        ];
        let kept = self.days.entry(key).or_default();
        for (kept, column) in kept.iter_mut().zip(columns) {
            let column: i128 = column;
            *kept = kept.saturating_add(column.saturating_mul(sign));
        }
    }

    /// Counts a grant.
    pub fn grant(&mut self, id: u64, kind: GrantKind, account: AccountId, amount: Nanos) {
        // What cannot be booked was not, and its postings are missed.
        let Ok(journal) = journal::grant(kind, account, amount) else {
            return;
        };
        for (ledger, amount) in journal.entries() {
            let of = (id.to_string(), ledger.to_string());
            add(&mut self.grants, of, amount.0.into());
        }
    }

    /// Takes away what was posted for a grant.
    pub fn stored_grant(&mut self, id: &str, ledger: String, amount: i128) {
        add(
            &mut self.grants,
            (id.to_owned(), ledger),
            amount.saturating_neg(),
        );
    }

    /// Takes away a row of the daily sums.
    pub fn stored_day(&mut self, key: ActivityKey, sums: &ActivitySums) {
        self.day(key, sums, -1);
    }

    /// Takes away what a key has spent on a day.
    pub fn stored_key_day(&mut self, key: KeyId, day: u64, spent: i128) {
        add(&mut self.key_days, (key, day), spent.saturating_neg());
    }

    /// Takes away when a key was last used, if that is known.
    pub fn stored_use(&mut self, key: KeyId, last_used_at_ms: i128) {
        if let Some(used) = self.last_used.get_mut(&key) {
            *used = used.saturating_sub(last_used_at_ms);
        }
    }

    /// Takes away what was posted as the cost of a provider.
    pub fn stored_cost(&mut self, provider: &str, amount: i128) {
        add(&mut self.costs, provider.into(), amount.saturating_neg());
    }

    /// Takes away a question. Of a call without a row (it cost nobody
    /// anything, and there were too many of those) nothing is known.
    pub fn stored_question(&mut self, asked: &Unreconciled) {
        if self.calls.contains(&asked.id) {
            let provider = Arc::clone(&asked.provider);
            let question = (asked.id, provider, asked.at_most.0, asked.at_ms);
            add(&mut self.questions, question, -1);
        }
    }

    /// What is left: by how much what is stored differs.
    #[must_use]
    pub fn differences(&self) -> (Vec<Difference>, u64) {
        let mut named = Vec::new();
        let mut count: u64 = 0;
        let mut tell = |what: &dyn Fn() -> String, left: i128| {
            if left == 0 {
                return;
            }
            count = count.saturating_add(1);
            if named.len() < NAMED_MAX {
                named.push(Difference {
                    what: what(),
                    expected: left,
                    found: 0,
                });
            }
        };
        for (of, left) in &self.days {
            for (name, left) in COLUMNS.iter().zip(left) {
                let what = || {
                    let (day, account, key) = (of.day, of.account.0, of.key.0);
                    let (model, provider) = (&of.model, &of.provider);
                    format!(
                        "{name} of day {day}, account {account}, key {key}, {model} at {provider}, beyond what is stored"
                    )
                };
                tell(&what, *left);
            }
        }
        for ((key, day), left) in &self.key_days {
            let what = || format!("spent by key {} on day {day}, beyond what is stored", key.0);
            tell(&what, *left);
        }
        let known = self.last_used.iter();
        for (key, left) in known.filter(|(key, _)| !self.used_otherwise.contains(key)) {
            let what = || {
                format!(
                    "milliseconds until key {} was last used, beyond what is stored",
                    key.0
                )
            };
            tell(&what, *left);
        }
        for (provider, left) in &self.costs {
            let what = || format!("cost of {provider}, beyond what is posted");
            tell(&what, *left);
        }
        for ((id, ledger), left) in &self.grants {
            let what = || format!("grant {id} to {ledger}, beyond what is posted");
            tell(&what, *left);
        }
        for ((id, provider, at_most, _), left) in &self.questions {
            let what = || {
                format!(
                    "questions of call {id} about {at_most} nano-dollars of {provider}, beyond what is stored"
                )
            };
            tell(&what, *left);
        }
        (named, count)
    }
}

fn add<K: Ord>(sums: &mut BTreeMap<K, i128>, key: K, amount: i128) {
    let sum = sums.entry(key).or_default();
    *sum = sum.saturating_add(amount);
}

//! What must hold of every scene.

use std::cell::Ref;
use std::collections::BTreeMap;
use std::ops::AddAssign;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use bourse_ledger::record::{self, Record};
use bourse_spool::Position;
use bourse_store::applier::Applier;
use bourse_store::{Accounts, Journals, Till};

use super::super::harness::Harness;
use super::super::script::Fate;
use super::callers::Seen;
use super::providers::{Dealt, Doom, text};

/// Attempts that one call may make: three targets, and the last of them, or one
/// that is well, twice more.
const ATTEMPTS_MAX: usize = 5;

/// What happened in a scene.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tally {
    pub whole: u64,
    pub failed: u64,
    pub left: u64,
    pub unaffordable: u64,
    pub attempts: u64,
    pub retried: u64,
    pub charged: i64,
    pub killed: u64,
    /// Calls that the server did not begin, because it could not.
    pub refused: u64,
    /// Scenes in which ends of calls waited for the disk.
    pub owed: u64,
    /// Scenes in which the journal has stopped.
    pub stopped: u64,
    /// Races by who answered: the second, the first, nobody.
    pub hedged: [u64; 3],
}

impl AddAssign for Tally {
    fn add_assign(&mut self, other: Self) {
        self.whole += other.whole;
        self.failed += other.failed;
        self.left += other.left;
        self.unaffordable += other.unaffordable;
        self.attempts += other.attempts;
        self.retried += other.retried;
        self.charged += other.charged;
        self.killed += other.killed;
        self.refused += other.refused;
        self.owed += other.owed;
        self.stopped += other.stopped;
        for (sum, more) in self.hedged.iter_mut().zip(other.hedged) {
            *sum += more;
        }
    }
}

/// A scene that is over.
pub struct Scene<'a> {
    pub credit: i64,
    /// Whether late targets have others asked beside them.
    pub hedges: bool,
    pub harness: &'a Harness,
    pub seen: Vec<Ref<'a, Seen>>,
    pub dealt: Vec<Dealt>,
}

/// How a call ended, by the journal.
#[derive(Debug, Clone, Copy, Default)]
pub struct End {
    pub held: i64,
    pub ends: u32,
    pub ended_ms: u64,
    pub charge: i64,
    pub paid: i64,
    pub checkpoint: i64,
}

/// The calls of a journal, by the ids that clients were told.
pub fn journal(till: &Till) -> BTreeMap<String, End> {
    till.spool().flush();
    let mut reader = till.spool().reader(Position::default());
    let mut calls: BTreeMap<String, End> = BTreeMap::new();
    loop {
        let batch = reader.read(till.spool().written(), 100_000).unwrap();
        if batch.iter().next().is_none() {
            return calls;
        }
        for bytes in batch.iter() {
            match record::decode(bytes).unwrap() {
                Record::Hold(hold) => {
                    calls.entry(hold.id.to_string()).or_default().held += hold.amount.0;
                }
                Record::Extend(extend) => {
                    calls.entry(extend.id.to_string()).or_default().held += extend.extra.0;
                }
                Record::Settle(settle) => {
                    let id = settle.settlement.id.to_string();
                    let end = calls.entry(id).or_default();
                    end.ends += 1;
                    end.ended_ms = settle.settlement.at_ms;
                    end.charge = settle.settlement.charge.0;
                    end.paid = settle.paid.0;
                }
                Record::Void(void) => {
                    let end = calls.entry(void.voiding.id.to_string()).or_default();
                    end.ends += 1;
                    end.ended_ms = void.voiding.at_ms;
                }
                Record::Checkpoint(one) => {
                    calls.entry(one.id.to_string()).or_default().checkpoint = one.charge.0;
                }
                Record::Checkpoints(list) => {
                    for one in list {
                        calls.entry(one.id.to_string()).or_default().checkpoint = one.charge.0;
                    }
                }
                Record::Dispatch(_) | Record::Refused(_) => {}
            }
        }
    }
}

fn law(holds: bool, why: impl FnOnce() -> String) -> Result<(), String> {
    if holds { Ok(()) } else { Err(why()) }
}

/// Checks everything but the database.
pub async fn check(scene: &Scene<'_>) -> Result<Tally, String> {
    let calls = journal(&scene.harness.gateway().till);
    let mut tally = Tally::default();
    for (number, seen) in scene.seen.iter().enumerate() {
        let attempts: Vec<(usize, &Dealt)> = scene
            .dealt
            .iter()
            .enumerate()
            .filter(|(_, one)| one.call == number)
            .collect();
        let end = calls.get(&seen.id).copied();
        answer(seen, &attempts, scene.hedges)
            .map_err(|why| format!("call {number}: {why}\n{seen:?}\n{attempts:?}"))?;
        money(seen, &attempts, end)
            .map_err(|why| format!("call {number}: {why}\n{end:?}\n{seen:?}\n{attempts:?}"))?;
        count(&mut tally, seen, attempts.len());
    }
    rests(scene)?;
    sums(scene, &calls)?;
    tally.charged = scene.harness.spent();
    for (sum, count) in tally
        .hedged
        .iter_mut()
        .zip(&scene.harness.gateway().counters.hedges)
    {
        *sum = count.load(Relaxed);
    }
    Ok(tally)
}

fn count(tally: &mut Tally, seen: &Seen, attempts: usize) {
    tally.whole += u64::from(seen.is_done());
    tally.left += u64::from(seen.left_at.is_some());
    tally.failed += u64::from(seen.left_at.is_none() && !seen.is_done());
    tally.refused += u64::from(seen.got.status == 503 && attempts == 0);
    tally.unaffordable += u64::from(seen.got.status == 402);
    tally.attempts += attempts as u64;
    tally.retried += u64::from(attempts > 1);
}

/// One good answer, or one honest error.
fn answer(seen: &Seen, attempts: &[(usize, &Dealt)], hedges: bool) -> Result<(), String> {
    law(attempts.len() <= ATTEMPTS_MAX, || {
        "too many attempts".to_owned()
    })?;
    let told = seen.text();
    // Words of two attempts are never in one answer.
    let source = attempts.iter().find(|(request, one)| {
        let all = text(*request, one.words);
        !told.is_empty() && all.starts_with(&told)
    });
    law(told.is_empty() || source.is_some(), || {
        format!("{told:?} is of no single answer")
    })?;
    // Whoever has shown a word is not followed by somebody else.
    if let Some((request, _)) = source {
        let last = attempts.last().map(|(request, _)| request);
        // One that runs beside it was asked before.
        law(hedges || Some(request) == last, || {
            "asked on after content".to_owned()
        })?;
    }
    if let Some(left_at) = seen.left_at {
        let late = attempts.iter().find(|(_, one)| one.at > left_at);
        return law(late.is_none(), || {
            "a provider was asked for nobody".to_owned()
        });
    }
    law(seen.got.is_ended && seen.got.status != 0, || {
        "neither an answer nor an error".to_owned()
    })?;
    let ends: Vec<_> = seen.reasons();
    if seen.is_done() {
        let (request, one) = source.ok_or("done, and nothing was said")?;
        law(one.is_good(), || {
            "a broken answer is shown as a good one".to_owned()
        })?;
        law(told == text(*request, one.words), || {
            "words are missing".to_owned()
        })?;
        return law(ends.len() == 1, || format!("{} ends", ends.len()));
    }
    law(seen.got.error().is_some(), || {
        "an error that says nothing".to_owned()
    })?;
    law(ends.iter().all(|reason| reason == "error"), || {
        format!("an error that ends with {ends:?}")
    })?;
    let is_late = seen.got.status == 200;
    law(is_late || told.is_empty(), || {
        "words before an error".to_owned()
    })?;
    // Nobody is refused whose answer was there, unless another one was first, or
    // it was longer than there was money for.
    let is_lost = |one: &Dealt| !one.is_good() || one.overruns;
    law(
        hedges || attempts.iter().all(|(_, one)| is_lost(one)),
        || "an answer was there".to_owned(),
    )
}

/// What is told is what is paid, and what fails is free.
fn money(seen: &Seen, attempts: &[(usize, &Dealt)], end: Option<End>) -> Result<(), String> {
    if seen.id.is_empty() {
        // Left before it was told its id: the sums know it.
        return law(seen.left_at.is_some(), || "no id".to_owned());
    }
    let Some(end) = end.filter(|end| end.held > 0) else {
        return law(attempts.is_empty(), || {
            "a provider was asked, and nothing was set aside".to_owned()
        });
    };
    // Beyond that only what is left is paid for, and only where the provider
    // says more than it was told.
    let overruns = attempts.iter().any(|(_, one)| one.overruns);
    law(end.paid <= end.held || overruns, || {
        "paid more than what was set aside".to_owned()
    })?;
    if seen.is_done() {
        let told = seen.text();
        let (_, one) = attempts
            .iter()
            .find(|(request, one)| text(*request, one.words) == told)
            .ok_or("done without an attempt")?;
        law(seen.cost() == Some(end.paid), || {
            format!("told {:?}, paid {}", seen.cost(), end.paid)
        })?;
        law(end.paid == end.charge || overruns, || "short".to_owned())?;
        law(end.charge > 0, || "an answer that was free".to_owned())?;
        let is_counted = one.doom == Doom::Whole;
        return law(!is_counted || end.charge == one.worth(), || {
            format!("worth {}", one.worth())
        });
    }
    let is_refused = seen.left_at.is_none() && seen.got.status != 200;
    law(!is_refused || end.paid == 0, || {
        "an error was paid for".to_owned()
    })?;
    let is_broken = seen.left_at.is_none() && !seen.text().is_empty();
    law(!is_broken || end.paid > 0, || {
        "words that were free".to_owned()
    })
}

/// Nobody is asked again before the time that he said, if anybody heard it.
fn rests(scene: &Scene<'_>) -> Result<(), String> {
    let dealt = &scene.dealt;
    let fates = scene.harness.script.seen();
    for ((request, one), (_, fate)) in dealt.iter().enumerate().zip(fates) {
        let Doom::Later(wait) = one.doom else {
            continue;
        };
        if fate != Fate::Answered {
            continue;
        }
        let until = one.head_at + wait;
        let early = dealt.iter().find(|other| {
            other.provider == one.provider && other.at > one.head_at && other.at < until
        });
        law(early.is_none(), || {
            format!("request {request} said {wait:?}: {one:?}, and then {early:?}")
        })?;
    }
    Ok(())
}

fn sums(scene: &Scene<'_>, calls: &BTreeMap<String, End>) -> Result<(), String> {
    for (id, end) in calls.iter().filter(|(_, end)| end.held > 0) {
        law(end.ends == 1, || format!("{id} ended {} times", end.ends))?;
        law(end.paid <= end.charge, || {
            format!("{id} paid more than what was charged: {end:?}")
        })?;
    }
    let paid: i64 = calls.values().map(|end| end.paid).sum();
    let (spent, held) = (scene.harness.spent(), scene.harness.held());
    law(spent == paid, || format!("spent {spent}, paid {paid}"))?;
    law(held == 0, || format!("{held} on hold and nobody calls"))?;
    law(spent <= scene.credit, || {
        format!("spent {spent} of {}", scene.credit)
    })?;
    let in_flight = scene.harness.in_flight();
    law(in_flight == 0, || format!("{in_flight} calls in flight"))
}

/// Brings everything into the database, and lets it compare.
pub async fn check_database(harness: &Harness) -> Result<(), String> {
    let till = Arc::clone(&harness.gateway().till);
    let store = Arc::clone(&harness.store);
    Applier::new(Arc::clone(&store) as _, till)
        .drain()
        .await
        .map_err(|error| error.to_string())?;
    let report = store
        .audit()
        .await
        .map_err(|error| error.to_string())?
        .check();
    law(report.is_balanced(), || report.findings().join("\n"))?;
    let accounts = store.accounts().await.unwrap();
    let spent: i64 = accounts.iter().map(|row| row.spent.0).sum();
    law(spent == harness.spent(), || {
        format!("the database says {spent}, memory {}", harness.spent())
    })
}

//! Running a target again and again.

use std::cell::Cell;
use std::collections::HashSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::chance::Chance;
use crate::finds::keep;
use crate::mutate::mutate;
use crate::sign;
use crate::targets::Target;
use crate::watch::Watchdog;

/// Inputs that are kept beside the seeds because something new came of them.
/// When there are so many, a new one takes the place of an old one.
const KEPT_MAX: usize = 4_096;
/// Signs that are remembered; from then on nothing counts as new.
const SIGNS_MAX: usize = 1 << 20;
/// Executions that are tried to make a find smaller.
const SHRINKS_MAX: u32 = 4_000;
/// Finds after which a target is left: whoever reads them mends the first.
const FINDS_MAX: usize = 8;

/// How long to go on.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Executions at most.
    pub executions: u64,
    /// Time at most.
    pub time: Duration,
}

/// What came of a target.
#[derive(Debug, Default)]
pub struct Outcome {
    /// How many inputs were executed.
    pub executions: u64,
    /// How long that took.
    pub took: Duration,
    /// How many different things came of them.
    pub signs: usize,
    /// What is wrong, with where the input is.
    pub finds: Vec<(String, PathBuf)>,
}

/// What a panic said, until the execution is judged.
static PANICKED: Mutex<Option<String>> = Mutex::new(None);

thread_local! {
    /// Whether this thread executes an input.
    static IS_EXECUTING: Cell<bool> = const { Cell::new(false) };
}

/// Keeps panics of targets from the terminal: they are told as finds. Those of
/// anybody else go where they went.
pub fn hush_panics() {
    let others = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        if !IS_EXECUTING.get() {
            return others(info);
        }
        let mut said = PANICKED.lock().unwrap_or_else(PoisonError::into_inner);
        // The first is the cause.
        said.get_or_insert_with(|| info.to_string());
    }));
}

/// Executes one input.
///
/// # Errors
/// The law that it breaks, or what the panic said.
pub fn execute(target: &dyn Target, input: &[u8], watchdog: &Watchdog) -> Result<u64, String> {
    watchdog.begins(target.name(), input);
    IS_EXECUTING.set(true);
    let outcome = catch_unwind(AssertUnwindSafe(|| target.execute(input)));
    IS_EXECUTING.set(false);
    watchdog.ended();
    let said = PANICKED
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .take();
    match (outcome, said) {
        (Ok(outcome), None) => outcome,
        (_, said) => Err(said.unwrap_or_else(|| "a panic that said nothing".to_owned())),
    }
}

/// Fuzzes a target. `progress` is told how many executions there were.
///
/// # Errors
/// Its seeds cannot be read, or one of them is a find already.
pub fn run(
    target: &dyn Target,
    seed: u64,
    limits: Limits,
    (watchdog, finds): (&Watchdog, &Path),
    mut progress: impl FnMut(u64),
) -> Result<Outcome, String> {
    let mut chance = Chance::new(seed ^ sign::of_bytes(target.name().as_bytes()));
    let mut corpus = Corpus::new(target.seeds()?)?;
    let began = Instant::now();
    let mut outcome = Outcome::default();
    let mut told = HashSet::new();
    while outcome.executions < limits.executions && outcome.finds.len() < FINDS_MAX {
        if outcome.executions.is_multiple_of(1_024) {
            progress(outcome.executions);
            if began.elapsed() > limits.time {
                break;
            }
        }
        let input = match corpus
            .seeds
            .get(usize::try_from(outcome.executions).unwrap_or(usize::MAX))
        {
            // As they are, first.
            Some(seed) => seed.clone(),
            None => corpus.next(target, &mut chance),
        };
        outcome.executions += 1;
        match execute(target, &input, watchdog) {
            Ok(sign) => corpus.saw(sign, input, &mut chance),
            Err(what) => {
                // The same thing again and again is one find.
                let mut sort = sign::Sign::default();
                sort.sentence(what.lines().next().unwrap_or_default());
                if told.insert(sort.get()) {
                    let small = shrink(target, input, sort.get(), watchdog);
                    outcome
                        .finds
                        .push((what, keep(finds, target.name(), &small)));
                }
            }
        }
    }
    outcome.took = began.elapsed();
    outcome.signs = corpus.signs.len();
    Ok(outcome)
}

/// Inputs that are worth changing.
struct Corpus {
    seeds: Vec<Vec<u8>>,
    kept: Vec<Vec<u8>>,
    signs: HashSet<u64>,
}

impl Corpus {
    fn new(seeds: Vec<Vec<u8>>) -> Result<Self, String> {
        if seeds.is_empty() {
            return Err("there are no seeds".to_owned());
        }
        Ok(Self {
            seeds,
            kept: Vec::new(),
            signs: HashSet::new(),
        })
    }

    fn one(&self, chance: &mut Chance) -> &[u8] {
        // What was new is changed more often than what was given.
        let from = match self.kept.is_empty() || chance.one_in(3) {
            true => &self.seeds,
            false => &self.kept,
        };
        chance.pick(from).map_or(&[], Vec::as_slice)
    }

    fn next(&self, target: &dyn Target, chance: &mut Chance) -> Vec<u8> {
        let (one, other) = (self.one(chance), self.one(chance));
        let mut input = mutate(one, other, chance);
        target.mend(&mut input, chance);
        input
    }

    fn saw(&mut self, sign: u64, input: Vec<u8>, chance: &mut Chance) {
        if self.signs.len() >= SIGNS_MAX || !self.signs.insert(sign) {
            return;
        }
        if self.kept.len() < KEPT_MAX {
            self.kept.push(input);
        } else {
            let place = chance.below(KEPT_MAX);
            if let Some(slot) = self.kept.get_mut(place) {
                *slot = input;
            }
        }
    }
}

/// Takes stretches out of an input for as long as the same is wrong with it.
fn shrink(target: &dyn Target, mut input: Vec<u8>, sort: u64, watchdog: &Watchdog) -> Vec<u8> {
    let mut left = SHRINKS_MAX;
    let mut size = input.len() / 2;
    while size > 0 && left > 0 {
        let mut at = 0;
        while at < input.len() && left > 0 {
            left -= 1;
            let mut smaller = input.clone();
            smaller.drain(at..input.len().min(at + size));
            let is_same = execute(target, &smaller, watchdog).is_err_and(|what| {
                let mut sign = sign::Sign::default();
                sign.sentence(what.lines().next().unwrap_or_default());
                sign.get() == sort
            });
            match is_same {
                true => input = smaller,
                false => at += size,
            }
        }
        size /= 2;
    }
    input
}

//! A short run of every target, the same each time.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use crate::run::{self, Limits};
use crate::targets::{TARGETS, Target};
use crate::watch::Watchdog;

/// Executions of each target: some seconds in a debug build.
const LIMITS: Limits = Limits {
    executions: 1_000,
    time: Duration::MAX,
};

/// What a panic says is caught for the whole process, so of the tests that
/// wait for one only one runs at a time.
static ALONE: Mutex<()> = Mutex::new(());

#[test]
fn no_changed_input_makes_a_target_panic_hang_or_break_its_law() {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let finds = crate::root().join("target/fuzz-finds");
    let watchdog = Watchdog::start(finds.clone()).unwrap();
    run::hush_panics();
    let mut found = Vec::new();
    for target in TARGETS {
        let outcome = run::run(*target, 1, LIMITS, (&watchdog, &finds), |_| {}).unwrap();
        found.extend(outcome.finds);
        // A target that tells nothing apart learns nothing.
        assert!(
            outcome.signs > 10,
            "{}: {} outcomes",
            target.name(),
            outcome.signs
        );
    }
    assert!(found.is_empty(), "{found:#?}");
}

/// A target with three bugs.
struct Broken;

impl Target for Broken {
    fn name(&self) -> &'static str {
        "broken"
    }

    fn held_to(&self) -> &'static str {
        "nothing"
    }

    fn seeds(&self) -> Result<Vec<Vec<u8>>, String> {
        Ok(vec![br#"{"a":[1,2],"b":"c"}"#.to_vec()])
    }

    fn execute(&self, input: &[u8]) -> Result<u64, String> {
        let text = String::from_utf8_lossy(input);
        assert!(!text.contains("[DONE]"), "a word that it does not like");
        match text.contains("\u{fffd}") {
            true => Err("bytes that are no text".to_owned()),
            false => Ok(crate::sign::of_bytes(input)),
        }
    }
}

#[test]
fn panics_and_broken_laws_are_found_made_small_and_told_once_each() {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let finds = tempfile::tempdir().unwrap();
    let watchdog = Watchdog::start(finds.path().to_owned()).unwrap();
    run::hush_panics();
    let limits = Limits {
        executions: 20_000,
        ..LIMITS
    };
    let outcome = run::run(&Broken, 1, limits, (&watchdog, finds.path()), |_| {}).unwrap();
    let mut found: Vec<(&str, usize)> = outcome
        .finds
        .iter()
        .map(|(what, path)| {
            let size = std::fs::read(path).unwrap().len();
            let what = if what.contains("does not like") {
                "panic"
            } else {
                "law"
            };
            (what, size)
        })
        .collect();
    found.sort_unstable();
    assert_eq!(found, [("law", 1), ("panic", 6)]);
}

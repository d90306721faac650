//! A real server, killed under load again and again.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic
)]

use std::path::PathBuf;
use std::time::Duration;

use bourse_sim::crash::{Options, Report, Scene, Stop, run, upgrade};

/// `BOURSE_KILL_SEED` repeats the scenario of a failed run.
fn seed() -> u64 {
    std::env::var("BOURSE_KILL_SEED")
        .ok()
        .and_then(|seed| seed.parse().ok())
        .unwrap_or(20_261_121)
}

fn stopped(scene: Scene, stop: Stop, kills: u32, connections: u32) -> Report {
    let dir = tempfile::tempdir().unwrap();
    let options = Options {
        binary: PathBuf::from(env!("CARGO_BIN_EXE_bourse")),
        dir: dir.path().to_owned(),
        seed: seed(),
        scene,
        stop,
        kills,
        time: None,
        connections,
        check_every: 7,
    };
    match run(&options, |_| {}) {
        Ok(report) => report,
        Err(why) => {
            // For whoever looks into it.
            let kept = dir.keep();
            panic!("{} ({why})", kept.display());
        }
    }
}

#[test]
fn a_server_asked_to_stop_under_load_settles_all_that_was_delivered_before_it_ends() {
    let report = stopped(Scene::Stops, Stop::Term, 6, 32);
    println!("{report}");
    assert_eq!((report.kills, report.differences), (6, 0));
    assert!(report.complete > 50 && report.left > 0, "{report}");
    // Nothing is left for the next start to settle.
    assert_eq!(report.by_checkpoint, 0, "{report}");
}

#[test]
fn a_server_whose_disk_refuses_and_whose_providers_lie_keeps_its_books_through_kills_and_stops() {
    let report = stopped(Scene::Money, Stop::Kill, 10, 32);
    println!("{report}");
    assert_eq!((report.kills, report.differences), (10, 0));
    assert!(report.complete > 50 && report.impostures > 0, "{report}");
    assert!(report.refusals_of_the_disk > 0, "{report}");
}

#[test]
fn callers_that_smuggle_misspell_trickle_and_flood_are_refused_and_change_no_sum() {
    let report = stopped(Scene::Hostile, Stop::Kill, 8, 16);
    println!("{report}");
    assert_eq!((report.kills, report.differences), (8, 0));
    assert!(report.intrusions > 50 && report.complete > 20, "{report}");
}

#[test]
fn data_of_the_release_before_killed_while_it_is_migrated_comes_to_the_same_books() {
    let fixture = concat!(env!("CARGO_MANIFEST_DIR"), "/../../fixtures/releases/0.1.0");
    let dir = tempfile::tempdir().unwrap();
    let options = upgrade::Options {
        binary: PathBuf::from(env!("CARGO_BIN_EXE_bourse")),
        fixture: PathBuf::from(fixture),
        dir: dir.path().to_owned(),
        seed: seed(),
        kills: 12,
    };
    let report = match upgrade::run(&options, |_| {}) {
        Ok(report) => report,
        Err(why) => {
            // For whoever looks into it.
            let kept = dir.keep();
            panic!("{} ({why})", kept.display());
        }
    };
    assert!(
        report.kills >= 12 && report.before_serving > 0,
        "{report:?}"
    );
    assert_eq!(
        report.calls,
        47 * u64::from(report.directories),
        "{report:?}"
    );
}

#[test]
fn a_server_killed_twenty_times_under_load_loses_no_money_and_charges_nobody_twice() {
    let report = stopped(Scene::Stops, Stop::Kill, 20, 32);
    println!("{report}");
    assert_eq!((report.kills, report.differences), (20, 0));
    // How long restarts took is in the report. A machine that is busy enough
    // makes any time too long, so what is held here is that each ended: a
    // server that does not serve after half a minute is a difference.
    // Slow streams are checkpointed too: every 250 ms, and a checkpoint waits
    // for at most 200 ms more, to which comes what piles up while a busy
    // machine does other things.
    assert!(report.unbilled_max < Duration::from_secs(1), "{report}");
    // A load that meets nothing proves nothing.
    assert!(report.calls > 500, "{report}");
    assert!(report.complete > 100 && report.cut > 50, "{report}");
    assert!(report.failovers > 0 && report.left > 0, "{report}");
    assert!(report.by_checkpoint > 0, "{report}");
}

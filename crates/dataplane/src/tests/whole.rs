//! The whole of it in one thread: router, till, journal and database, behind
//! callers that leave and in front of providers that fail, with a clock that
//! is paused and everything else drawn from one number.
//!
//! A seed is a scene: what providers are like, how much money there is, who
//! calls when and leaves when, what becomes of the journal's disk, and whether the
//! server is killed in the middle.
//! [`laws`] say what must hold of every scene. `BOURSE_WHOLE_SEED=n` plays
//! one again, `BOURSE_WHOLE_SEEDS=n` so many from the first.
//!
//! ```text
//! BOURSE_WHOLE_SEEDS=10000 cargo test --release -p bourse-dataplane whole
//! ```

mod callers;
mod disk;
mod kill;
mod laws;
mod providers;

use std::sync::Arc;

use bourse_routing::bucket::Bucket;
use bourse_routing::health::Outcome;
use bourse_routing::lengths::Thought;
use futures_util::future::join3;
use tokio::time::sleep;

use super::books::PROMPT_NANOS;
use super::harness::{Harness, NOW, ms, play, secs};
use crate::chance::seeded;
use crate::phases::hold::goals::Dice;
use callers::Callers;
use disk::Outages;
use providers::Providers;

/// Scenes that every run of the tests plays at least.
const SEEDS: u64 = 300;
/// Credit in nano-dollars: for everything, for some calls at once, for some
/// answers, for next to nothing.
const CREDITS: [i64; 4] = [100_000_000_000, 500_000_000, 3_000_000, 20_000];
/// Longest that a scene may take, to the end of its last drain.
const SCENE_MAX: std::time::Duration = secs(7_200);

/// What there is in a scene besides failing providers, callers that leave and a
/// kill.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Besides {
    Nothing,
    /// Late targets have others asked beside them.
    Hedges,
    /// The journal's disk fails.
    Disk,
}

impl Besides {
    /// Scenes that every run of the tests plays: races in which whoever was
    /// asked first wins after all are one in two hundred calls.
    const fn scenes(self) -> u64 {
        match self {
            Self::Nothing | Self::Disk => SEEDS,
            Self::Hedges => SEEDS + SEEDS / 5,
        }
    }
}

/// Plays a scene; says what broke a law.
fn scene(seed: u64, besides: Besides) -> Result<laws::Tally, String> {
    seeded::seed(seed);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .start_paused(true)
        .build()
        .unwrap();
    runtime.block_on(played(seed, besides))
}

async fn played(seed: u64, besides: Besides) -> Result<laws::Tally, String> {
    let dice = &mut Dice(seed);
    let hedges = besides == Besides::Hedges;
    // Of dice of their own: the rest of the scene is the same with them.
    let outages = match besides {
        Besides::Disk => Outages::new(&mut Dice(!seed)),
        Besides::Nothing | Besides::Hedges => Outages::default(),
    };
    let credit = CREDITS[usize::try_from(dice.upto(3)).unwrap()];
    let drains = dice.one_in(2);
    let setting = play().setup(|setup| {
        setup.credit = credit;
        setup.drains = drains;
        setup.defaults.hedges = hedges;
        if besides == Besides::Disk {
            setup.journal.disk = Arc::clone(&outages.disk) as _;
            setup.journal.segment_bytes = disk::SEGMENT_BYTES;
        }
    });
    let harness = setting.harness().await;
    if hedges {
        warm(&harness);
    }
    let providers = Providers::open(&harness, dice);
    let callers = Callers::new(dice);
    let killed_at = dice.one_in(2).then(|| ms(1 + dice.upto(40_000)));
    let killing = async {
        sleep(killed_at?).await;
        Some(kill::Killed::now(&harness, &callers, &providers.dealt()))
    };
    let failing = outages.happen(&harness);
    let ((), killed, suffered) = join3(callers.call(&harness), killing, failing).await;
    while harness.held() > 0 || providers.are_busy(&harness) {
        sleep(ms(500)).await;
        if harness.elapsed() > SCENE_MAX {
            let (held, seen) = (harness.held(), harness.script.seen());
            return Err(format!("it never ends: {held} on hold, {seen:?}"));
        }
    }
    let scene = laws::Scene {
        credit,
        hedges,
        harness: &harness,
        seen: callers.seen(),
        dealt: providers.dealt(),
    };
    let mut tally = laws::check(&scene).await?;
    tally.owed = u64::from(suffered.owed);
    tally.stopped = u64::from(suffered.stopped);
    if let Some(killed) = killed {
        let store = Arc::clone(&harness.store);
        tally.killed = 1;
        killed.check(&store, credit, NOW + 3_600_000).await?;
    }
    if suffered.stopped {
        // The database gets nothing of a journal that may not be there: a start
        // learns what is.
        let ended = kill::Killed::now(&harness, &callers, &providers.dealt());
        ended.check(&harness.store, credit, NOW + 7_200_000).await?;
    } else {
        laws::check_database(&harness).await?;
    }
    Ok(tally)
}

fn number(variable: &str) -> Option<u64> {
    std::env::var(variable).ok()?.parse().ok()
}

/// The seeds of this run, and what happened in their scenes.
fn play_all(besides: Besides) -> (u64, laws::Tally) {
    let seeds = match number("BOURSE_WHOLE_SEED") {
        Some(seed) => seed..seed + 1,
        None => 0..number("BOURSE_WHOLE_SEEDS").unwrap_or(besides.scenes()),
    };
    let mut all = laws::Tally::default();
    for seed in seeds.clone() {
        match scene(seed, besides) {
            Ok(tally) => all += tally,
            Err(why) => panic!("seed {seed}: {why}\nBOURSE_WHOLE_SEED={seed} plays it again"),
        }
    }
    let count = seeds.end - seeds.start;
    println!("{count} scenes: {all:?}");
    (count, all)
}

#[test]
fn whatever_fails_calls_end_once_and_their_money_is_where_it_belongs() {
    let (scenes, all) = play_all(Besides::Nothing);
    if scenes >= SEEDS {
        // A simulation in which nothing happens proves nothing.
        assert!(all.whole > 500 && all.failed > 200, "{all:?}");
        assert!(all.left > 100 && all.retried > 100, "{all:?}");
        assert!(all.unaffordable > 50 && all.killed > 50, "{all:?}");
    }
}

#[test]
fn whatever_a_disk_refuses_no_call_is_lost_and_none_is_paid_twice() {
    let (scenes, all) = play_all(Besides::Disk);
    if scenes >= SEEDS {
        assert!(all.whole > 300 && all.failed > 200, "{all:?}");
        assert!(all.owed > 50 && all.stopped > 20, "{all:?}");
        assert!(all.refused > 100 && all.killed > 50, "{all:?}");
    }
}

/// Makes it known how soon answers begin, of calls enough for hedges.
fn warm(harness: &Harness) {
    for (slug, _) in PROMPT_NANOS {
        let health = &harness.target(slug).health;
        let sort = Bucket::of(10, Thought::of(None), true);
        for _ in 0..64 {
            let mut ticket = health.enter(sort, NOW, true).unwrap();
            ticket.answered(NOW + 100);
            ticket.end(NOW + 100, Outcome::Neutral, 0.5);
            harness.gateway().memory.hedges.begins(NOW);
        }
    }
}

#[test]
fn whatever_fails_in_a_race_calls_end_once_and_one_answer_is_paid() {
    let (scenes, all) = play_all(Besides::Hedges);
    if scenes >= SEEDS {
        let [second, first, none] = all.hedged;
        assert!(second > 50 && first > 50 && none > 10, "{all:?}");
    }
}

#[test]
fn a_seed_is_a_scene() {
    let told = |seed, besides| format!("{:?}", scene(seed, besides).unwrap());
    for seed in [1, 2, 3] {
        for besides in [Besides::Nothing, Besides::Disk] {
            assert_eq!(told(seed, besides), told(seed, besides));
        }
    }
    let plain = Besides::Nothing;
    assert_ne!(told(1, plain), told(2, plain));
}

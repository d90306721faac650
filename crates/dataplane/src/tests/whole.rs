//! The whole of it in one thread: router, till, journal and database, behind
//! callers that leave and in front of providers that fail, with a clock that
//! is paused and everything else drawn from one number.
//!
//! A seed is a scene: what providers are like, how much money there is, who
//! calls when and leaves when, and whether the server is killed in the middle.
//! [`laws`] say what must hold of every scene. `BOURSE_WHOLE_SEED=n` plays
//! one again, `BOURSE_WHOLE_SEEDS=n` so many from the first.
//!
//! ```text
//! BOURSE_WHOLE_SEEDS=10000 cargo test --release -p bourse-dataplane whole
//! ```

mod callers;
mod kill;
mod laws;
mod providers;

use std::sync::Arc;

use bourse_routing::bucket::Bucket;
use bourse_routing::health::Outcome;
use bourse_routing::lengths::Thought;
use futures_util::future::join;
use tokio::time::sleep;

use super::books::PROMPT_NANOS;
use super::harness::{Harness, NOW, ms, play, secs};
use crate::chance::seeded;
use crate::phases::hold::goals::Dice;
use callers::Callers;
use providers::Providers;

/// Scenes that every run of the tests plays.
const SEEDS: u64 = 300;
/// Credit in nano-dollars: for everything, for some calls at once, for some
/// answers, for next to nothing.
const CREDITS: [i64; 4] = [100_000_000_000, 500_000_000, 3_000_000, 20_000];
/// Longest that a scene may take, to the end of its last drain.
const SCENE_MAX: std::time::Duration = secs(7_200);

/// Plays a scene, in which late targets may have others asked beside them;
/// says what broke a law.
fn scene(seed: u64, hedges: bool) -> Result<laws::Tally, String> {
    seeded::seed(seed);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .start_paused(true)
        .build()
        .unwrap();
    runtime.block_on(played(seed, hedges))
}

async fn played(seed: u64, hedges: bool) -> Result<laws::Tally, String> {
    let dice = &mut Dice(seed);
    let credit = CREDITS[usize::try_from(dice.upto(3)).unwrap()];
    let drains = dice.one_in(2);
    let setting = play().setup(|setup| {
        setup.credit = credit;
        setup.drains = drains;
        setup.defaults.hedges = hedges;
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
    let ((), killed) = join(callers.call(&harness), killing).await;
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
    if let Some(killed) = killed {
        let store = Arc::clone(&harness.store);
        tally.killed = 1;
        killed.check(&store, credit, NOW + 3_600_000).await?;
    }
    laws::check_database(&harness).await?;
    Ok(tally)
}

fn number(variable: &str) -> Option<u64> {
    std::env::var(variable).ok()?.parse().ok()
}

#[test]
fn whatever_fails_calls_end_once_and_their_money_is_where_it_belongs() {
    let seeds = match number("BOURSE_WHOLE_SEED") {
        Some(seed) => seed..seed + 1,
        None => 0..number("BOURSE_WHOLE_SEEDS").unwrap_or(SEEDS),
    };
    let mut all = laws::Tally::default();
    for seed in seeds.clone() {
        match scene(seed, false) {
            Ok(tally) => all += tally,
            Err(why) => panic!("seed {seed}: {why}\nBOURSE_WHOLE_SEED={seed} plays it again"),
        }
    }
    println!("{} scenes: {all:?}", seeds.end - seeds.start);
    if seeds.end - seeds.start >= SEEDS {
        // A simulation in which nothing happens proves nothing.
        assert!(all.whole > 500 && all.failed > 200, "{all:?}");
        assert!(all.left > 100 && all.retried > 100, "{all:?}");
        assert!(all.unaffordable > 50 && all.killed > 50, "{all:?}");
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
    let seeds = match number("BOURSE_WHOLE_SEED") {
        Some(seed) => seed..seed + 1,
        None => 0..number("BOURSE_WHOLE_SEEDS").unwrap_or(SEEDS),
    };
    let mut all = laws::Tally::default();
    for seed in seeds.clone() {
        match scene(seed, true) {
            Ok(tally) => all += tally,
            Err(why) => panic!("seed {seed}: {why}\nBOURSE_WHOLE_SEED={seed} plays it again"),
        }
    }
    println!("{} scenes: {all:?}", seeds.end - seeds.start);
    if seeds.end - seeds.start >= SEEDS {
        let [second, first, none] = all.hedged;
        assert!(second > 50 && first > 50 && none > 10, "{all:?}");
    }
}

#[test]
fn a_seed_is_a_scene() {
    let told = |seed| format!("{:?}", scene(seed, false).unwrap());
    for seed in [1, 2, 3] {
        assert_eq!(told(seed), told(seed));
    }
    assert_ne!(told(1), told(2));
}

//! What is back gets its traffic back, and what is only lucky does not.
//!
//! Providers that answer within a millisecond, as on loopback: nothing is under way
//! at them, so that what is known of them decides alone.

use super::*;

const FLIPS: u64 = 50;

fn fails(share: f64) -> Script {
    Box::new(move |_, random| match random.next() < share {
        true => Reply::Fails(1),
        false => Reply::Answers(1),
    })
}

fn silent() -> Script {
    Box::new(|_, _| Reply::Silent)
}

fn fast(seed: u64, scripts: Vec<Script>) -> World {
    let mut world = World::new(seed, scripts);
    world.answer_ms = 1;
    world
}

/// One of two is down for a part of each period, and `bad` meanwhile.
struct Flipping {
    period: u64,
    down: u64,
    per_second: u64,
    bad: Reply,
}

impl Flipping {
    fn run(&self, seed: u64) -> World {
        let Self {
            period, down, bad, ..
        } = *self;
        let flips: Script = Box::new(move |at, _| match at % period >= period - down {
            true => bad,
            false => Reply::Answers(1),
        });
        let mut world = fast(seed, vec![flips, fails(0.0)]);
        world.run(
            FLIPS * self.period * self.per_second / 1_000,
            self.per_second,
        );
        world.check(seed);
        assert_eq!(world.failed, 0);
        world
    }

    /// When it is up again, all but the last time: nobody calls after that.
    fn healings(&self) -> impl Iterator<Item = u64> + '_ {
        (1..FLIPS).map(|flip| flip * self.period)
    }
}

/// Half of what would be its even share of 200 ms.
fn is_back_within(world: &World, healed: u64, ms: u64, per_second: u64) -> bool {
    let enough = per_second / 5 / 4;
    (healed..healed + ms).step_by(200).any(|from| {
        let slice = |sent: &Sent| (from..from + 200).contains(&sent.at);
        world.sent_to(0, slice) >= enough
    })
}

#[test]
fn a_fast_provider_that_comes_and_goes_has_its_traffic_back_two_seconds_after_it_is_up() {
    for (period, down, per_second) in [(6_000, 2_000, 300), (4_000, 500, 300), (8_000, 3_000, 500)]
    {
        let flipping = Flipping {
            period,
            down,
            per_second,
            bad: Reply::Fails(1),
        };
        let world = flipping.run(7);
        for healed in flipping.healings() {
            let is_back = is_back_within(&world, healed, 2_000, per_second);
            assert!(is_back, "{down} of {period}: not back at {healed}");
            let while_down = |sent: &Sent| (healed - down..healed).contains(&sent.at);
            let sent = world.sent_to(0, while_down);
            assert!(sent <= 5, "{down} of {period}: {sent} sent before {healed}");
        }
    }
}

/// Each call that meets it waits for a second, so that it is asked less often.
#[test]
fn one_that_says_nothing_while_it_is_down_is_back_soon_after_and_meets_few() {
    let flipping = Flipping {
        period: 8_000,
        down: 2_000,
        per_second: 300,
        bad: Reply::Silent,
    };
    let world = flipping.run(7);
    for healed in flipping.healings() {
        assert!(is_back_within(&world, healed, 4_000, 300), "{healed}");
        let while_down = |sent: &Sent| (healed - 2_000..healed).contains(&sent.at);
        let sent = world.sent_to(0, while_down);
        assert!(sent <= 10, "{sent} sent before {healed}");
    }
}

/// The counterpart of what comes and goes: an answer now and then is no healing.
#[test]
fn one_that_fails_every_other_time_does_not_win_its_traffic_back_by_lucky_probes() {
    for seed in 0..6 {
        let calls = 36_000;
        let mut world = fast(seed, vec![fails(0.01), fails(0.5), silent()]);
        world.run(calls, 300);
        world.check(seed);
        assert!(world.failed <= 4, "seed {seed}: {} failed", world.failed);
        let [shaky, mute] = [1, 2].map(|target| world.sent_to(target, |_| true));
        assert!(shaky <= 200, "seed {seed}: {shaky} at the shaky one");
        assert!(mute <= 40, "seed {seed}: {mute} met the silent one");
        let more = world.sent.len() as u64 - calls;
        assert!(more <= calls * 15 / 1_000, "seed {seed}: {more} more");
        let worst = world.worst_window(10, 1_000);
        assert!(worst <= 40, "seed {seed}: {worst} of a thousand in 10 s");
    }
}

/// One that never answers, one that begins to and stops, and one that is well.
#[test]
fn one_call_in_five_hundred_at_most_meets_one_that_stalls() {
    for (seed, stall_ms) in [(0, IDLE_MS), (1, 10_000), (2, 10_000)] {
        let scripts: Vec<Script> = vec![
            Box::new(|_, _| Reply::Answers(22)),
            silent(),
            Box::new(|_, _| Reply::Stalls(22)),
        ];
        let mut world = fast(seed, scripts);
        world.stall_ms = stall_ms;
        let calls = 18_000;
        world.run(calls, 300);
        world.check(seed);
        let met = world.sent_to(1, |_| true) + world.sent_to(2, |_| true);
        assert!(met <= calls / 500, "seed {seed}: {met} met one");
        assert_eq!(world.failed, 0);
    }
}

/// The same with answers of two seconds: until the first has come to its end, nobody
/// can know who stalls.
#[test]
fn once_an_answer_has_ended_hardly_a_call_meets_one_that_stalls() {
    for (seed, stall_ms) in [(3, IDLE_MS), (4, 10_000)] {
        let scripts: Vec<Script> = vec![
            Box::new(|_, random| Reply::Answers(random.first_content())),
            silent(),
            Box::new(|_, random| Reply::Stalls(random.first_content())),
        ];
        let mut world = World::new(seed, scripts);
        world.answer_ms = 2_000;
        world.stall_ms = stall_ms;
        let calls = 36_000;
        world.run(calls, 200);
        world.check(seed);
        let known = |sent: &Sent| sent.at >= 3_000;
        let met = world.sent_to(1, known) + world.sent_to(2, known);
        assert!(met <= calls / 1_000, "seed {seed}: {met} met one");
    }
}

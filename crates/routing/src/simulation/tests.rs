use super::*;

/// A provider that fails so often, and is well otherwise.
fn failing(share: f64) -> Script {
    Box::new(move |_, random| {
        if random.next() < share {
            Reply::Fails(40)
        } else {
            Reply::Answers(random.first_content())
        }
    })
}

fn silent() -> Script {
    Box::new(|_, _| Reply::Silent)
}

/// A provider that fails between two times.
fn down(from: u64, until: u64) -> Script {
    Box::new(move |at, random| {
        if (from..until).contains(&at) {
            Reply::Fails(20)
        } else {
            Reply::Answers(random.first_content())
        }
    })
}

/// One provider with 1 % errors, one with 50 %, one that never answers; 500
/// calls a second for ten minutes, from a cold start.
#[test]
fn one_good_provider_of_three_is_enough_for_four_nines() {
    // A tenth of the time at a tenth of the limits, and all of it once.
    for (seed, calls) in (1..20).map(|seed| (seed, 30_000)).chain([(0, 300_000)]) {
        let scripts = vec![failing(0.01), failing(0.5), silent()];
        let mut world = World::new(seed, scripts);
        world.run(calls, 500);
        world.check(seed);
        // What a cold start costs is paid once, however long it goes on.
        assert!(world.failed <= 20, "seed {seed}: {}", world.failed);
        let silent = world.sent_to(2, |_| true);
        let most = 60 + calls / 500;
        assert!(
            silent <= most.min(600),
            "seed {seed}: {silent} met the silent one"
        );
        let more = world.sent.len() as u64 - calls;
        assert!(more <= calls * 3 / 100, "seed {seed}: {more} more attempts");
        let worst = world.worst_window(10, 1_000);
        assert!(worst <= 200, "seed {seed}: {worst} of a thousand in 10 s");
        println!(
            "seed {seed}: of {calls} {} failed, {silent} met silence, {more} more, worst 10 s {worst}/1000, longest {} ms",
            world.failed, world.longest
        );
    }
}

/// All are down for a minute.
#[test]
fn a_total_outage_is_not_multiplied_and_over_when_it_is_over() {
    for seed in 0..3 {
        let scripts = (0..3).map(|_| down(20_000, 80_000)).collect();
        let mut world = World::new(seed, scripts);
        world.run(60_000, 500);
        world.check(seed);
        let during = |sent: &&Sent| (20_000..80_000).contains(&sent.at);
        let sent = world.sent.iter().filter(during).count();
        assert!(sent <= 33_000, "seed {seed}: {sent} for 30,000 calls");
        let late = |at: u64| world.failures.iter().any(|(failed, _)| *failed > at);
        assert!(!late(80_100), "seed {seed}: failures after it");
        for target in 0..3 {
            let back = world.sent_to(target, |sent| sent.at >= 82_500);
            assert!(back > 5_000, "seed {seed}: {target} has {back} of 18,750");
        }
    }
}

/// A provider that goes and comes back 50 times, beside one that stays: out
/// after five failures, asked by one call at a time, and back within two
/// seconds.
#[test]
fn a_provider_that_comes_and_goes_is_left_and_taken_up_at_once() {
    const PERIOD: u64 = 8_000;
    const DOWN: u64 = 3_000;
    let scripts: Vec<Script> = vec![
        Box::new(|at, random| {
            if at % PERIOD >= PERIOD - DOWN {
                Reply::Fails(20)
            } else {
                Reply::Answers(random.first_content())
            }
        }),
        failing(0.0),
    ];
    let mut world = World::new(7, scripts);
    world.run(50 * PERIOD / 1_000 * 500, 500);
    world.check(7);
    assert_eq!(world.failed, 0);
    for flip in 0..50 {
        let from = flip * PERIOD + PERIOD - DOWN;
        let back = from + DOWN;
        // Those that were under way when the fifth failure came, or when it
        // was asked again, are few.
        let while_down = |sent: &Sent| (from..back).contains(&sent.at);
        let calls = world.sent_to(0, |sent| while_down(sent) && !sent.is_probe);
        assert!(calls <= 25, "flip {flip}: {calls} were sent");
        let probes = world.sent_to(0, |sent| while_down(sent) && sent.is_probe);
        assert!(probes <= 3, "flip {flip}: {probes} probes");
        if flip < 49 {
            let full = |sent: &Sent| (back + 2_000..back + 3_000).contains(&sent.at);
            let full = world.sent_to(0, full);
            assert!(
                full >= 150,
                "flip {flip}: {full} of 500 in the third second"
            );
        }
    }
}

/// 10,000 rests: announced ones are kept to the millisecond, guessed ones
/// keep nobody out.
#[test]
fn announced_rests_are_kept_by_everybody() {
    for seed in 0..25 {
        let limited = |share: f64| -> Script {
            Box::new(move |_, random| {
                if random.next() >= share {
                    return Reply::Answers(random.first_content());
                }
                #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
                let rest = (random.next() * random.next() * 3_000.0) as u64;
                Reply::Limited(match rest {
                    0..100 => None,
                    100..120 => Some(0),
                    rest => Some(rest),
                })
            })
        };
        let mut world = World::new(seed, vec![limited(0.3), limited(0.1), limited(0.6)]);
        world.run(10_000, 100);
        world.check(seed);
        let limits = world.failures.len();
        assert!(limits >= 400, "seed {seed}: {limits} rests");
    }
}

/// Whatever providers do: each call ends once, attempts are bounded, nothing
/// is sent within a rest, and no plan is empty while somebody may be asked.
#[test]
fn any_market_keeps_the_rules() {
    for seed in 0..2_000 {
        let mut random = Random(seed ^ 0x5eed);
        let count = 1 + seed % 5;
        let script = |random: &mut Random| -> Script {
            let (fails, silence, limits) = (random.next(), random.next(), random.next());
            let (from, until) = (random.next() * 8e3, random.next() * 8e3);
            Box::new(move |at, random| {
                #[allow(clippy::cast_precision_loss)]
                let at = at as f64;
                let is_bad = (from..until).contains(&at) || until < 1e3;
                let lot = random.next();
                if !is_bad {
                    Reply::Answers(random.first_content())
                } else if lot < fails / 2.0 {
                    Reply::Fails(20)
                } else if lot < (fails + silence) / 2.0 {
                    Reply::Silent
                } else if limits < 0.5 {
                    Reply::Limited((lot < 0.9).then_some(700))
                } else {
                    Reply::Answers(random.first_content())
                }
            })
        };
        let scripts = (0..count).map(|_| script(&mut random)).collect();
        let mut world = World::new(seed, scripts);
        world.run(160, 20);
        world.check(seed);
        for target in 0..world.scripts.len() {
            // The attempts of at most three windows of ten seconds.
            let more = world.sent_to(target, |sent| !sent.is_first);
            assert!(more <= 3 * (160 / 5 + 10), "seed {seed}: {more}");
        }
    }
}

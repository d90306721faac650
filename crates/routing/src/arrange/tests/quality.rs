//! The order of calls with tools.

use bourse_vocab::Quality;

use super::{candidate, order};
use crate::arrange::{Lot, arrange};
use crate::candidate::Candidate;
use crate::preferences::{Partition, Preferences, Sort};
use crate::quality::{Known, rate};
use crate::strategies::OF_TOOLS;
use crate::tool_use::ToolUse;

const EXACTO: Sort = Sort {
    by: OF_TOOLS,
    partition: Partition::Model,
};

fn by_quality() -> Preferences {
    Preferences {
        sort: Some(EXACTO),
        ..Preferences::default()
    }
}

fn of(target: u32, price: u128, quality: Quality) -> Candidate {
    Candidate {
        quality,
        ..candidate(target, price)
    }
}

#[test]
fn good_ones_come_first_and_bad_ones_last_whatever_they_cost() {
    let list = vec![
        of(0, 1, Quality::Careless),
        of(1, 2, Quality::Unknown),
        of(2, 90, Quality::Good),
        of(3, 3, Quality::Unknown),
        of(4, 100, Quality::Good),
        of(5, 2, Quality::Slow),
    ];
    let mut found_out = 0;
    for step in 0..8_000 {
        let mut order = order(list.clone(), &by_quality(), f64::from(step) / 8_000.0);
        for tier in [0, 2, 4] {
            order[tier..tier + 2].sort_unstable();
        }
        assert_eq!(order[4..], [0, 5]);
        assert!(order[..4] == [2, 4, 1, 3] || order[..4] == [1, 3, 2, 4]);
        found_out += u32::from(order[0] == 1);
    }
    assert!((900..=1_100).contains(&found_out), "{found_out}");
}

#[test]
fn the_calls_of_a_session_find_nothing_out() {
    let list = vec![of(0, 1, Quality::Unknown), of(1, 9, Quality::Good)];
    for step in 0..200 {
        let lot = Lot {
            random: f64::from(step) / 200.0,
            is_shared: true,
        };
        let mut list = list.clone();
        arrange(&mut list, &Preferences::default(), Some(EXACTO), lot);
        assert_eq!(list[0].target, 1);
    }
}

#[test]
fn within_a_tier_the_cheap_and_the_idle_are_asked_as_ever() {
    let list = vec![
        of(0, 1, Quality::SlowAndCareless),
        of(1, 1, Quality::Good),
        of(2, 3, Quality::Good),
    ];
    let firsts = |list: &[Candidate]| {
        let mut first = [0_u32; 3];
        for step in 0..1_000 {
            let order = order(list.to_vec(), &by_quality(), f64::from(step) / 1_000.0);
            first[order[0] as usize] += 1;
        }
        first
    };
    assert_eq!(firsts(&list), [0, 900, 100]);
    let mut loaded = list;
    for (at, in_flight) in [(0, 0), (1, 90), (2, 0)] {
        loaded[at].in_flight = in_flight;
        loaded[at].expected_ms = 300;
    }
    assert_eq!(firsts(&loaded), [0, 0, 1_000], "relieved, and by its equal");
}

#[test]
fn what_has_just_failed_comes_after_what_calls_tools_badly() {
    let mut list = vec![of(0, 1, Quality::Good), of(1, 1, Quality::Careless)];
    list[0].unstable = true;
    assert_eq!(order(list, &by_quality(), 0.5), [1, 0]);
}

#[test]
fn a_conversation_leaves_whoever_has_become_bad_and_nobody_else() {
    let mut list = vec![
        of(0, 1, Quality::Good),
        of(1, 9, Quality::Good),
        of(2, 1, Quality::Careless),
    ];
    list[2].is_stuck = true;
    assert_eq!(order(list.clone(), &by_quality(), 0.0)[2], 2);
    list[1].is_stuck = true;
    assert_eq!(order(list, &by_quality(), 0.0)[..2], [1, 0]);
}

/// Any list of which nothing is known is in the order that it had before there
/// was this one.
#[test]
fn without_data_the_order_is_the_balanced_one() {
    let mut random = 7_u64;
    let mut next = |below: u32| {
        random = random
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        u32::try_from(random >> 33).unwrap() % below
    };
    for _ in 0..5_000 {
        let count = 1 + next(9);
        let list: Vec<_> = (0..count)
            .map(|target| Candidate {
                model_rank: u16::from(next(2) == 1),
                order_rank: (next(5) == 0).then_some(0),
                unstable: next(4) == 0,
                deprioritised: next(6) == 0,
                is_stuck: next(8) == 0,
                in_flight: next(40).into(),
                expected_ms: u64::from(next(3)) * 200,
                ..candidate(target, next(5).into())
            })
            .collect();
        for is_shared in [false, true] {
            let lot = Lot {
                random: f64::from(next(1_000)) / 1_000.0,
                is_shared,
            };
            let arranged = |sort| {
                let mut list = list.clone();
                arrange(&mut list, &Preferences::default(), sort, lot);
                list
            };
            assert_eq!(arranged(Some(EXACTO)), arranged(None));
        }
    }
}

/// Eight endpoints of one price, of which one breaks a fifth of its calls: it
/// has its share until that is known, and no first place while it is. Once that
/// is forgotten it is found out again; the others are all asked.
#[test]
fn an_endpoint_that_breaks_its_calls_gets_none_while_that_is_known() {
    const PROVIDERS: [&str; 8] = ["a", "b", "c", "d", "e", "f", "g", "h"];
    const BROKEN: u32 = 3;
    for seed in 1..=10_u64 {
        let mut state = seed;
        let mut random = || {
            // splitmix64.
            state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let mut bits = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            ((bits ^ (bits >> 31)) >> 11) as f64 / (1_u64 << 53) as f64
        };
        let tools: [ToolUse; 8] = std::array::from_fn(|_| ToolUse::default());
        let mut qualities = vec![Quality::Unknown; 8];
        let mut known_at = None;
        let mut later = [0_u32; 8];
        let mut firsts = [0_u32; 8];
        for second in 0..8 * 3_600_u64 {
            let now_ms = 1_763_683_200_000 + second * 1_000;
            if second % 10 == 0 {
                let known = PROVIDERS
                    .into_iter()
                    .zip(&tools)
                    .map(|(provider, tools)| Known {
                        provider,
                        throughput: None,
                        tools: tools.of_late(now_ms),
                    });
                qualities = rate(&known.collect::<Vec<_>>());
            }
            let list = (0..8)
                .zip(&qualities)
                .map(|(target, quality)| of(target, 1, *quality));
            let first = order(list.collect(), &by_quality(), random())[0];
            let is_bad = random() < if first == BROKEN { 0.2 } else { 0.01 };
            tools[first as usize].note(now_ms, is_bad);
            firsts[first as usize] += 1;
            let is_known = qualities[BROKEN as usize] == Quality::Careless;
            assert!(!is_known || first != BROKEN, "seed {seed}, {second} s");
            if is_known && known_at.is_none() {
                known_at = Some(second);
                assert!(firsts[BROKEN as usize] >= 200, "seed {seed}");
            }
            later[first as usize] += u32::from(known_at.is_some());
        }
        let second = known_at.unwrap();
        assert!(second < 3_600, "seed {seed}: known after {second} s");
        // An eighth of all by their number.
        let sum: u32 = later.iter().sum();
        for (of, calls) in (0..).zip(later) {
            let percent = calls * 100 / sum;
            let is_right = if of == BROKEN {
                percent < 4
            } else {
                percent > 10
            };
            assert!(is_right, "seed {seed}: {of} has {percent} %");
        }
    }
}

use bourse_vocab::Quality;

use super::*;
use crate::candidate::WHOLE;
use crate::strategies::by_name;

fn candidate(target: u32, price: u128) -> Candidate {
    Candidate {
        target,
        model_rank: 0,
        service_rank: 0,
        order_rank: None,
        share: WHOLE,
        price,
        unstable: false,
        standing: Standing::Closed,
        in_flight: 0,
        expected_ms: 0,
        has_finished: false,
        cooldown_ms: None,
        latency_ms: None,
        throughput: None,
        deprioritised: false,
        is_stuck: false,
        quality: Quality::Unknown,
    }
}

fn order(mut candidates: Vec<Candidate>, preferences: &Preferences, random: f64) -> Vec<u32> {
    let lot = Lot::single(random);
    arrange(&mut candidates, preferences, preferences.sort, lot);
    candidates
        .iter()
        .map(|candidate| candidate.target)
        .collect()
}

#[test]
fn a_third_of_the_price_is_chosen_nine_times_as_often() {
    let mut first = [0_u32; 2];
    for step in 0..10_000_u32 {
        let random = f64::from(step) / 10_000.0;
        let order = order(
            vec![candidate(0, 3), candidate(1, 1)],
            &Preferences::default(),
            random,
        );
        first[order[0] as usize] += 1;
    }
    assert_eq!(first, [1_000, 9_000]);
}

/// Two keys for one of two equal endpoints do not earn it twice the calls.
#[test]
fn credentials_of_one_endpoint_weigh_as_one() {
    let mut first = [0_u32; 3];
    for step in 0..12_000_u32 {
        let random = f64::from(step) / 12_000.0;
        let mut list = vec![candidate(0, 1), candidate(1, 1), candidate(2, 1)];
        list[1].share = WHOLE / 2;
        list[2].share = WHOLE / 2;
        let order = order(list, &Preferences::default(), random);
        first[order[0] as usize] += 1;
    }
    assert_eq!(first, [6_000, 3_000, 3_000]);
}

#[test]
fn credentials_of_one_endpoint_are_drawn_by_their_weight() {
    let mut first = [0_u32; 3];
    for step in 0..12_000_u32 {
        let random = f64::from(step) / 12_000.0;
        let mut list = vec![candidate(0, 1), candidate(1, 1), candidate(2, 1)];
        list[1].share = WHOLE / 4 * 3;
        list[2].share = WHOLE / 4;
        let order = order(list, &Preferences::default(), random);
        first[order[0] as usize] += 1;
    }
    assert_eq!(first, [6_000, 4_500, 1_500]);
}

#[test]
fn free_endpoints_share_the_load_and_paid_ones_wait() {
    let list = || vec![candidate(0, 5), candidate(1, 0), candidate(2, 0)];
    assert_eq!(order(list(), &Preferences::default(), 0.0), [1, 2, 0]);
    assert_eq!(order(list(), &Preferences::default(), 0.99), [2, 1, 0]);
}

#[test]
fn what_failed_lately_is_tried_last() {
    let mut cheap = candidate(0, 1);
    cheap.unstable = true;
    assert_eq!(
        order(vec![cheap, candidate(1, 100)], &Preferences::default(), 0.5),
        [1, 0]
    );
}

#[test]
fn a_resting_key_is_left_out_and_the_shortest_rest_is_told() {
    let mut resting = vec![candidate(0, 1), candidate(1, 1)];
    resting[0].cooldown_ms = Some(9);
    resting[1].cooldown_ms = Some(4);
    assert_eq!(
        arrange(
            &mut resting,
            &Preferences::default(),
            None,
            Lot::single(0.0)
        ),
        Some(4)
    );
    assert!(resting.is_empty());
}

#[test]
fn the_callers_order_comes_first_and_may_be_all() {
    let mut second = candidate(7, 50);
    second.order_rank = Some(1);
    let mut first = candidate(8, 90);
    first.order_rank = Some(0);
    let list = vec![candidate(9, 1), second, first];
    let mut preferences = Preferences {
        order: vec!["a".into(), "b".into()],
        ..Preferences::default()
    };
    assert_eq!(order(list.clone(), &preferences, 0.3), [8, 7, 9]);
    preferences.allow_fallbacks = false;
    assert_eq!(order(list, &preferences, 0.3), [8, 7]);
}

#[test]
fn without_fallbacks_each_model_has_one_endpoint() {
    let mut other = candidate(2, 1);
    other.model_rank = 1;
    let preferences = Preferences {
        allow_fallbacks: false,
        ..Preferences::default()
    };
    assert_eq!(
        order(
            vec![candidate(0, 1), candidate(1, 2), other],
            &preferences,
            0.0
        ),
        [0, 2]
    );
}

#[test]
fn sorts_are_strict_and_may_cross_models() {
    let mut a = candidate(0, 9);
    a.latency_ms = Some(50);
    a.throughput = Some(80);
    let mut b = candidate(1, 1);
    b.latency_ms = Some(90);
    b.throughput = Some(10);
    b.model_rank = 1;
    let with = |name, partition| Preferences {
        sort: Some(Sort {
            by: by_name(name).unwrap(),
            partition,
        }),
        ..Preferences::default()
    };
    assert_eq!(
        order(vec![b, a], &with("price", Partition::Model), 0.9),
        [0, 1]
    );
    assert_eq!(
        order(vec![a, b], &with("price", Partition::None), 0.9),
        [1, 0]
    );
    assert_eq!(
        order(vec![b, a], &with("throughput", Partition::None), 0.9),
        [0, 1]
    );
    assert_eq!(
        order(vec![b, a], &with("latency", Partition::None), 0.9),
        [0, 1]
    );
}

const OPEN: Standing = Standing::Open(9_000);

fn standing(target: u32, standing: Standing) -> Candidate {
    Candidate {
        standing,
        ..candidate(target, 1)
    }
}

#[test]
fn what_is_broken_is_not_asked() {
    let list = vec![
        standing(0, OPEN),
        standing(1, Standing::Closed),
        standing(2, OPEN),
    ];
    assert_eq!(order(list, &Preferences::default(), 0.0), [1]);
}

/// Two thirds at most, and those that may be back soonest stay.
#[test]
fn what_is_broken_is_never_all_there_is() {
    let broken = |until: &[u64]| {
        let list = until.iter().zip(0..);
        let list = list.map(|(until, target)| standing(target, Standing::Open(*until)));
        let mut left = order(list.collect(), &Preferences::default(), 0.0);
        left.sort_unstable();
        left
    };
    assert_eq!(broken(&[9]), [0]);
    assert_eq!(broken(&[9, 8]), [1]);
    assert_eq!(broken(&[9, 8, 7]), [2]);
    assert_eq!(broken(&[1, 8, 7, 9, 6, 5]), [0, 5]);
    assert_eq!(broken(&[1, 2, 3, 4, 5, 6, 7, 8]), [0, 1, 2]);
    // Each model by itself.
    let mut other = standing(1, OPEN);
    other.model_rank = 1;
    let list = vec![standing(0, OPEN), other];
    assert_eq!(order(list, &Preferences::default(), 0.0), [0, 1]);
}

/// A key that rests serves nobody, so it is none of those that are left.
#[test]
fn a_resting_key_does_not_keep_the_last_one_out() {
    let mut resting = standing(0, Standing::Closed);
    resting.cooldown_ms = Some(5_000);
    let list = vec![resting, standing(1, OPEN)];
    assert_eq!(order(list, &Preferences::default(), 0.0), [1]);
}

#[test]
fn whoever_may_be_back_is_asked_first_where_load_is_balanced_and_in_its_place_elsewhere() {
    let list = || {
        let mut dear = standing(0, Standing::Probe);
        dear.price = 100;
        dear.unstable = true;
        vec![standing(1, Standing::Closed), dear]
    };
    assert_eq!(order(list(), &Preferences::default(), 0.0), [0, 1]);
    let cheapest = Preferences {
        sort: Some(Sort {
            by: by_name("price").unwrap(),
            partition: Partition::Model,
        }),
        ..Preferences::default()
    };
    assert_eq!(order(list(), &cheapest, 0.0), [1, 0]);
    let mut conversation = list();
    let lot = Lot {
        random: 0.0,
        is_shared: true,
    };
    arrange(&mut conversation, &Preferences::default(), None, lot);
    assert_eq!(conversation[0].target, 1);
}

/// The price decides while both are well, and the load when one is not.
#[test]
fn a_loaded_endpoint_gives_way_but_not_for_a_conversation() {
    let list = || {
        let mut loaded = candidate(0, 1);
        (loaded.in_flight, loaded.expected_ms) = (100, 300);
        let mut idle = candidate(1, 1);
        (idle.in_flight, idle.expected_ms) = (1, 300);
        vec![loaded, idle]
    };
    assert_eq!(order(list(), &Preferences::default(), 0.1), [1, 0]);
    let mut conversation = list();
    let lot = Lot {
        random: 0.1,
        is_shared: true,
    };
    arrange(&mut conversation, &Preferences::default(), None, lot);
    assert_eq!(conversation[0].target, 0);
}

/// One begins its answers at once and comes to the end of none.
#[test]
fn one_that_has_not_finished_gets_a_few_calls_once_another_has() {
    let first = |in_flight: u64, has_another_finished: bool| {
        let mut begins = candidate(0, 1);
        (begins.in_flight, begins.expected_ms) = (in_flight, 20);
        let mut other = candidate(1, 1);
        (other.in_flight, other.expected_ms) = (3, 20);
        other.has_finished = has_another_finished;
        order(vec![begins, other], &Preferences::default(), 0.1)[0]
    };
    assert_eq!([first(3, true), first(4, true)], [0, 1]);
    assert_eq!(first(4, false), 0, "nobody knows better");
}

mod quality;

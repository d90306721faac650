use super::*;
use crate::strategies::by_name;

fn candidate(target: u32, price: u128) -> Candidate {
    Candidate {
        target,
        model_rank: 0,
        service_rank: 0,
        order_rank: None,
        share: 1,
        price,
        unstable: false,
        cooldown_ms: None,
        latency_ms: None,
        throughput: None,
        deprioritised: false,
    }
}

fn order(mut candidates: Vec<Candidate>, preferences: &Preferences, random: f64) -> Vec<u32> {
    arrange(&mut candidates, preferences, preferences.sort, random);
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
        list[1].share = 2;
        list[2].share = 2;
        let order = order(list, &Preferences::default(), random);
        first[order[0] as usize] += 1;
    }
    assert_eq!(first, [6_000, 3_000, 3_000]);
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
        arrange(&mut resting, &Preferences::default(), None, 0.0),
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

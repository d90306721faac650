//! The less loaded of two.
//!
//! Where load is balanced the first endpoint is drawn by price, as OpenRouter
//! documents it. A second one is drawn from the others in the same way, and
//! takes its place if the first is loaded much more: by the time to the first
//! content that must be expected, times the calls under way and this one,
//! times what the second costs more. Comparing two drawn at random spreads
//! load nearly as well as comparing all, and does not send everybody to the
//! same best one at once. Of an endpoint that stops answering, calls under way
//! pile up: it is left long before the first of them has timed out.

use crate::candidate::Candidate;
use crate::strategies::weighted;

/// How many times the load of the second one the first may have: while both
/// are well, the price alone decides.
const SLACK: f64 = 2.0;
/// Calls under way at an endpoint that has not answered any of late, while
/// another has: it is given more once it has shown that it answers.
const UNPROVEN_MAX: u64 = 4;

/// Has others come before an endpoint that calls wait for and that has not
/// answered any of late, or has not come to the end of any, while another has: it
/// has not failed yet, but is no better than what has.
pub fn defer_unproven(candidates: &mut [Candidate]) {
    let is_waited_for = |one: &Candidate| one.in_flight >= UNPROVEN_MAX;
    if !candidates.iter().any(is_waited_for) {
        return;
    }
    let has_answered = candidates.iter().any(|one| one.expected_ms > 0);
    let has_finished = candidates.iter().any(|one| one.has_finished);
    for one in candidates.iter_mut().filter(|one| is_waited_for(one)) {
        one.unstable |=
            (has_answered && one.expected_ms == 0) || (has_finished && !one.has_finished);
    }
}

/// Puts another endpoint of a group first if the first one is loaded much
/// more. The group is in the order of a balanced draw, with as many candidates
/// as the draw was of; `random` is the one it was drawn with.
pub fn relieve(group: &mut [Candidate], random: f64) {
    let Some((first, others)) = group.split_first() else {
        return;
    };
    if others.is_empty() || (first.in_flight == 0 && first.expected_ms == 0) {
        // Nobody is there: it is not loaded.
        return;
    }
    // The others follow by price.
    let cheapest = others.first().map_or(0, |other| other.price);
    let Some(at) = weighted::draw(others, cheapest, another(random)) else {
        return;
    };
    let is_relieved = others
        .get(at)
        .is_some_and(|second| is_much_more_loaded(first, second));
    if is_relieved && let Some(head) = group.get_mut(..at + 2) {
        head.rotate_right(1);
    }
}

fn is_much_more_loaded(first: &Candidate, second: &Candidate) -> bool {
    match (first.expected_ms, second.expected_ms) {
        (0, known) if known > 0 => first.in_flight >= UNPROVEN_MAX,
        (0, _) => load(first, 1) > SLACK * premium(first, second) * load(second, 1),
        // One that nobody knows is tried now and then, by its price.
        (_, 0) => {
            second.in_flight < UNPROVEN_MAX
                && load(first, 1) > SLACK * premium(first, second) * load(second, 1)
        }
        (one, other) => load(first, one) > SLACK * premium(first, second) * load(second, other),
    }
}

/// A credential that is to have a part of the calls is as loaded with that
/// part as the whole endpoint with all of them.
#[allow(clippy::cast_precision_loss)] // Milliseconds and calls, far below 2^52.
fn load(candidate: &Candidate, expected_ms: u64) -> f64 {
    expected_ms as f64 * (candidate.in_flight as f64 + 1.0) / f64::from(candidate.share)
}

/// What the second costs more than the first.
#[allow(clippy::cast_precision_loss)] // A weight, not money.
fn premium(first: &Candidate, second: &Candidate) -> f64 {
    if second.price <= first.price {
        return 1.0;
    }
    second.price as f64 / (first.price.max(1)) as f64
}

/// Another number in [0, 1) that has nothing to do with the first, so that
/// who is compared does not depend on who was drawn (a step of splitmix64).
pub(crate) fn another(random: f64) -> f64 {
    let mut bits = random.to_bits().wrapping_add(0x9e37_79b9_7f4a_7c15);
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    bits ^= bits >> 31;
    #[allow(clippy::cast_precision_loss)] // 53 bits.
    let uniform = (bits >> 11) as f64 / (1_u64 << 53) as f64;
    uniform
}

#[cfg(test)]
mod tests {
    use bourse_vocab::Quality;

    use super::*;
    use crate::breaker::Standing;
    use crate::candidate::WHOLE;

    fn candidate(target: u32, price: u128, in_flight: u64, expected_ms: u64) -> Candidate {
        Candidate {
            target,
            model_rank: 0,
            order_rank: None,
            service_rank: 0,
            share: WHOLE,
            price,
            unstable: false,
            standing: Standing::Closed,
            in_flight,
            expected_ms,
            has_finished: true,
            cooldown_ms: None,
            latency_ms: None,
            throughput: None,
            deprioritised: false,
            is_stuck: false,
            quality: Quality::Unknown,
        }
    }

    fn first(mut group: Vec<Candidate>) -> u32 {
        relieve(&mut group, 0.3);
        group[0].target
    }

    #[test]
    fn an_endpoint_with_twice_the_load_is_relieved_and_one_with_less_is_not() {
        let pair = |one, other| first(vec![candidate(0, 5, one, 300), candidate(1, 5, other, 300)]);
        assert_eq!(pair(9, 9), 0);
        assert_eq!(pair(19, 9), 0, "twice as many");
        assert_eq!(pair(20, 9), 1);
        assert_eq!(pair(0, 9), 0);
    }

    #[test]
    fn a_slow_endpoint_is_a_loaded_one() {
        let pair = |ms| first(vec![candidate(0, 5, 0, ms), candidate(1, 5, 0, 300)]);
        assert_eq!([pair(300), pair(600), pair(601)], [0, 0, 1]);
    }

    /// Relief that costs three times as much takes three times the load.
    #[test]
    fn what_is_dearer_relieves_later_and_what_is_cheaper_no_sooner() {
        let pair = |load: u64, price| {
            first(vec![
                candidate(0, 10, load - 1, 300),
                candidate(1, price, 0, 300),
            ])
        };
        assert_eq!([pair(6, 30), pair(7, 30)], [0, 1]);
        assert_eq!([pair(2, 1), pair(3, 1)], [0, 1]);
    }

    /// Of two credentials, one with three times the weight of the other.
    #[test]
    fn a_credential_with_three_times_the_weight_carries_three_times_the_calls() {
        let first_of = |calls: u64| {
            let heavy = Candidate {
                share: WHOLE / 4 * 3,
                ..candidate(0, 5, calls - 1, 300)
            };
            let light = Candidate {
                share: WHOLE / 4,
                ..candidate(1, 5, 9, 300)
            };
            first(vec![heavy, light])
        };
        assert_eq!([first_of(30), first_of(60), first_of(61)], [0, 0, 1]);
    }

    #[test]
    fn whoever_has_not_answered_yet_gets_a_few_calls_and_no_more() {
        let pair = |one, other| first(vec![candidate(0, 5, one, 0), candidate(1, 5, other, 300)]);
        assert_eq!([pair(3, 50), pair(4, 50)], [0, 1]);
        let turned = |one, other| first(vec![candidate(0, 5, one, 300), candidate(1, 5, other, 0)]);
        assert_eq!([turned(50, 3), turned(50, 4)], [1, 0]);
    }

    #[test]
    fn who_is_compared_does_not_depend_on_who_was_drawn() {
        let mean = (0..1_000)
            .map(|n| another(f64::from(n) / 3_000.0))
            .sum::<f64>()
            / 1_000.0;
        assert!((0.45..0.55).contains(&mean), "{mean}");
    }

    #[test]
    fn one_alone_stays_and_so_does_nobody() {
        assert_eq!(first(vec![candidate(7, 1, 1_000, 5_000)]), 7);
        relieve(&mut [], 0.5);
    }
}

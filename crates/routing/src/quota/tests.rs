use super::*;

const T0: u64 = 1_763_683_200_000;

fn sent(at_ms: u64, beside: u64) -> Sent {
    Sent { at_ms, beside }
}

/// One that was refused with so many others under way.
fn refused_with(beside: u64) -> Quota {
    let quota = Quota::default();
    quota.refused(sent(T0, beside), T0);
    quota
}

#[test]
fn nothing_is_bounded_before_the_first_refusal() {
    let quota = Quota::default();
    for n in 0..10_000 {
        quota.answered(sent(T0 + n, n));
    }
    assert_eq!(quota.calls(T0), None);
    assert!(!quota.is_full(1_000_000, T0));
}

#[test]
fn a_refusal_leaves_nine_of_ten_and_the_next_without_an_answer_half() {
    let quota = refused_with(100);
    assert_eq!(quota.calls(T0), Some(90));
    assert!(quota.is_full(90, T0) && !quota.is_full(89, T0));
    quota.refused(sent(T0 + 1, 80), T0 + 20);
    assert_eq!(quota.calls(T0 + 20), Some(40));
    quota.answered(sent(T0 + 30, 20));
    quota.refused(sent(T0 + 31, 39), T0 + 50);
    assert_eq!(quota.calls(T0 + 50), Some(35));
}

/// A burst of a hundred that meets a limit of ten is one refusal.
#[test]
fn what_was_sent_before_the_limit_went_down_is_the_same_news() {
    let quota = Quota::default();
    for beside in 10..100 {
        quota.refused(sent(T0, beside), T0 + 20);
    }
    assert_eq!(quota.calls(T0 + 20), Some(9));
    for _ in 0..100 {
        quota.answered(sent(T0, 9));
    }
    assert_eq!(quota.calls(T0 + 20), Some(9), "and so are its answers");
}

#[test]
fn a_call_that_is_sent_to_whoever_is_full_says_nothing_new() {
    let quota = refused_with(10);
    for n in 1..50 {
        assert_eq!(quota.refused(sent(T0 + n, 9 + n), T0 + n), None);
    }
    assert_eq!(quota.calls(T0), Some(9));
}

#[test]
fn it_grows_by_one_a_round_up_to_where_it_was_refused_and_slowly_there() {
    let quota = refused_with(20);
    let answers = |beside, most: u64| {
        let before = quota.calls(T0);
        (1..=most).find(|_| {
            quota.answered(sent(T0 + 1, beside));
            quota.calls(T0) != before
        })
    };
    assert_eq!(answers(18, 30), Some(19), "19 for the nineteenth");
    assert!(answers(18, 30).is_some(), "20, where it refused");
    assert_eq!(answers(19, 255), None, "and there it stays for long");
    assert!(answers(19, 100).is_some(), "but not for ever");
    // Once it carries two more than it refused, that is history.
    while quota.calls(T0) < Some(22) {
        quota.answered(sent(T0 + 1, 50));
    }
    assert_eq!(answers(50, 30).map(|n| n <= 23), Some(true));
}

#[test]
fn it_does_not_grow_while_it_is_not_used_up() {
    let quota = refused_with(100);
    for _ in 0..10_000 {
        quota.answered(sent(T0 + 1, 50));
    }
    assert_eq!(quota.calls(T0), Some(90));
}

#[test]
fn one_call_is_the_least_and_after_it_come_pauses_that_double() {
    let quota = Quota::default();
    let mut pauses = Vec::new();
    for n in 1..=6 {
        pauses.push(quota.refused(sent(T0 + n, 0), T0 + n));
    }
    assert_eq!(quota.calls(T0), Some(1));
    let expected = [1, 2, 4, 8, 8, 8].map(|times| Some(times * PAUSE_MS));
    assert_eq!(pauses, expected);
    assert!(!quota.is_full(0, T0) && quota.is_full(1, T0));
    quota.answered(sent(T0 + 9, 0));
    let again = quota.refused(sent(T0 + 10, 0), T0 + 10);
    assert_eq!(again, Some(PAUSE_MS), "an answer ends the row");
}

#[test]
fn a_limit_that_nothing_refuses_any_more_is_forgotten() {
    let quota = refused_with(10);
    assert!(quota.is_full(9, T0 + BELIEVED_MS - 1));
    assert_eq!(quota.calls(T0 + BELIEVED_MS), None);
    assert!(!quota.is_full(9, T0 + BELIEVED_MS));
    quota.refused(sent(T0 + BELIEVED_MS + 1, 100), T0 + BELIEVED_MS + 1);
    assert_eq!(quota.calls(T0 + BELIEVED_MS + 1), Some(90), "learned anew");
}

/// Whatever is answered and refused in whatever order: a limit is never less
/// than one call, a refusal never makes it more, an answer never less.
#[test]
fn any_history_keeps_the_rules() {
    let mut state = 9_u64;
    let mut draw = |below: u64| {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        (state >> 33) % below
    };
    for _ in 0..500 {
        let quota = Quota::default();
        let mut now = T0;
        let most = 1 + draw(1_000);
        for _ in 0..400 {
            now += draw(300);
            let sent = sent(now.saturating_sub(draw(2_000)), draw(most));
            let before = quota.in_force(now);
            if draw(3) == 0 {
                let pause = quota.refused(sent, now);
                assert!(quota.in_force(now) <= before);
                assert_eq!(pause.is_some(), sent.beside == 0);
                assert!(pause.is_none_or(|ms| (PAUSE_MS..=8 * PAUSE_MS).contains(&ms)));
            } else {
                quota.answered(sent);
                assert!(quota.in_force(now) >= before);
                assert!(before == UNBOUNDED || quota.in_force(now) <= before + ONE);
            }
            assert!(quota.in_force(now) >= ONE);
            assert!(!quota.is_full(0, now));
        }
    }
}

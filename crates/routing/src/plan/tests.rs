use super::*;

fn plan(steps: &[(u32, u16)]) -> Plan<u32> {
    Plan::new(steps.iter().copied()).unwrap()
}

#[test]
fn targets_are_left_out_unless_none_would_be_left() {
    let mut some = plan(&[(1, 0), (2, 0), (3, 1)]);
    some.retain(|target| *target > 1);
    assert_eq!(*some.first(), 2);
    assert_eq!(some.targets().copied().collect::<Vec<_>>(), [2, 3]);
    some.retain(|_| false);
    assert_eq!(some.targets().count(), 2);
    assert_eq!(some.next(anyone).unwrap().target, 2);
}

fn anyone(_: &u32) -> bool {
    true
}

fn nobody(_: &u32) -> bool {
    false
}

#[test]
fn a_failure_moves_on_and_the_last_target_gets_a_second_try() {
    let mut plan = plan(&[(1, 0), (2, 0)]);
    let first = plan.next(anyone).unwrap();
    assert_eq!((first.target, first.is_last), (1, false));
    let second = plan.after(&first, Then::SameAgain, anyone, nobody).unwrap();
    assert_eq!((second.target, second.is_last), (2, true));
    let again = plan
        .after(&second, Then::SameAgain, anyone, nobody)
        .unwrap();
    assert_eq!(again.target, 2);
    assert_eq!(plan.after(&again, Then::SameAgain, anyone, nobody), None);
    assert_eq!(plan.attempts(), 3);
}

#[test]
fn another_target_of_the_model_is_tried_beside_and_not_again() {
    let mut plan = plan(&[(1, 0), (2, 1), (3, 0), (4, 0)]);
    let first = plan.next(anyone).unwrap();
    let beside = plan.beside(&first, |target| *target != 3).unwrap();
    assert_eq!((beside.target, beside.is_last), (4, false));
    assert_eq!(plan.attempts(), 2);
    // The others follow in their order.
    let next = plan.after(&first, Then::Next, anyone, nobody).unwrap();
    assert_eq!(next.target, 2);
    assert_eq!(plan.beside(&next, anyone), None, "of another model");
    let last = plan.after(&next, Then::Next, anyone, nobody).unwrap();
    assert_eq!((last.target, last.is_last), (3, true));
    let mut alone = super::tests::plan(&[(1, 0)]);
    let only = alone.next(anyone).unwrap();
    assert_eq!(alone.beside(&only, anyone), None);
}

#[test]
fn the_callers_own_mistake_ends_the_call() {
    let mut plan = plan(&[(1, 0), (2, 0)]);
    let first = plan.next(anyone).unwrap();
    assert_eq!(plan.after(&first, Then::Stop, anyone, anyone), None);
}

#[test]
fn a_prompt_that_is_too_long_moves_to_another_model() {
    let mut plan = plan(&[(1, 0), (2, 0), (3, 1)]);
    let first = plan.next(anyone).unwrap();
    let other = plan.after(&first, Then::AnotherModel, anyone, anyone);
    assert_eq!(other.unwrap().target, 3);
}

#[test]
fn a_plan_of_nothing_is_none_and_any_other_has_a_first() {
    assert!(Plan::<u32>::new([]).is_none());
    assert_eq!(plan(&[(7, 0), (2, 0)]).first(), &7);
}

#[test]
fn a_target_that_must_rest_is_passed_over() {
    let mut plan = plan(&[(1, 0), (2, 0)]);
    assert_eq!(plan.next(|target| *target != 1).unwrap().target, 2);
}

#[test]
fn a_target_is_the_last_if_all_others_must_rest() {
    let mut three = plan(&[(1, 0), (2, 0), (3, 0)]);
    assert!(three.next(|target| *target == 1).unwrap().is_last);
    let mut three = plan(&[(1, 0), (2, 0), (3, 0)]);
    assert!(!three.next(|target| *target != 2).unwrap().is_last);
}

#[test]
fn what_is_not_to_be_asked_again_earns_no_second_try() {
    let mut plan = plan(&[(1, 0)]);
    let first = plan.next(anyone).unwrap();
    assert_eq!(plan.after(&first, Then::Next, anyone, anyone), None);
}

#[test]
fn the_last_target_gets_a_third_try_if_it_mostly_answers() {
    let mut plan = plan(&[(1, 0)]);
    let mut step = plan.next(anyone).unwrap();
    for _ in 1..TRIES_MAX {
        step = plan.after(&step, Then::SameAgain, anyone, anyone).unwrap();
        assert!(step.is_last);
    }
    assert_eq!(plan.after(&step, Then::SameAgain, anyone, anyone), None);
    assert_eq!(plan.attempts(), 3);
}

#[test]
fn an_attempt_that_is_not_made_does_not_count() {
    let mut plan = plan(&[(1, 0), (2, 0)]);
    plan.next(anyone).unwrap();
    plan.pass_over();
    assert_eq!(plan.next(anyone).unwrap().target, 2);
    assert_eq!(plan.attempts(), 1);
}

#[test]
fn attempts_are_bounded() {
    let steps: Vec<_> = (0..100).map(|target| (target, 0)).collect();
    let mut plan = plan(&steps);
    let mut step = plan.next(anyone);
    let mut count = 0;
    while let Some(current) = step {
        count += 1;
        step = plan.after(&current, Then::SameAgain, anyone, anyone);
    }
    assert_eq!(count, ATTEMPTS_MAX);
}

#[test]
fn a_call_goes_back_to_whoever_answers_well_when_the_last_target_says_nothing() {
    let is_well = |target: &u32| *target == 1;
    let mut plan = plan(&[(1, 0), (2, 0)]);
    let first = plan.next(anyone).unwrap();
    let second = plan
        .after(&first, Then::SameAgain, anyone, is_well)
        .unwrap();
    assert_eq!((second.target, second.is_last), (2, false));
    let back = plan.after(&second, Then::Next, anyone, is_well).unwrap();
    assert_eq!((back.target, back.is_last), (1, true));
    // Not for ever.
    let back = plan.after(&back, Then::Next, anyone, is_well).unwrap();
    assert_eq!(plan.after(&back, Then::Next, anyone, is_well), None);
    assert_eq!(plan.attempts(), 4);
}

#[test]
fn who_can_be_gone_back_to_may_only_be_known_after_the_last_was_sent_to() {
    let mut plan = plan(&[(1, 0), (2, 0)]);
    let nobody = |_: &u32| false;
    let first = plan.next(anyone).unwrap();
    let second = plan.after(&first, Then::Next, anyone, nobody).unwrap();
    assert!(second.is_last);
    assert!(!plan.can_go_back(anyone, nobody));
    assert!(!plan.can_go_back(nobody, anyone));
    assert!(plan.can_go_back(anyone, |target| *target == 1));
    // Itself is nobody to go back to.
    assert!(!plan.can_go_back(anyone, |target| *target == 2));
}

#[test]
fn a_call_does_not_go_back_to_whoever_must_rest_or_is_not_well() {
    let mut plan = plan(&[(1, 0), (2, 0)]);
    let first = plan.next(anyone).unwrap();
    let second = plan.after(&first, Then::SameAgain, anyone, nobody).unwrap();
    assert!(second.is_last);
    assert_eq!(plan.after(&second, Then::Next, anyone, nobody), None);
    let rests = |target: &u32| *target != 1;
    assert_eq!(plan.after(&second, Then::Next, rests, anyone), None);
}

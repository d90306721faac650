#![allow(clippy::arithmetic_side_effects)] // Small numbers in tests.

use std::collections::HashMap;
use std::sync::Barrier;
use std::sync::atomic::AtomicI64;

use proptest::prelude::*;

use bourse_policy::Period;

use super::*;

const ACCOUNT: AccountId = AccountId(1);
const KEY: KeyId = KeyId(1);
const NOW: u64 = 1_795_000_000_000;

fn id(n: u64) -> GenerationId {
    GenerationId::new(1_795_000_000, n.into())
}

fn books(granted: i64, limit: Option<Limit>) -> Books {
    let books = Books::new();
    books.set_account(ACCOUNT, &Credit::whole(Nanos(granted), Nanos::ZERO));
    set_limit(&books, limit);
    books
}

fn set_limit(books: &Books, limit: Option<Limit>) {
    let key = KeyState {
        account: ACCOUNT,
        limit,
        spent: SpentByDay::default(),
        change_seq: 0,
    };
    books.set_key(KEY, &key).unwrap();
}

fn hold(books: &Books, n: u64, amount: i64) -> Result<(), Refusal> {
    books.hold(ACCOUNT, KEY, id(n), Nanos(amount), NOW)
}

/// Whose purse refuses.
fn refused_by(books: &Books, n: u64, amount: i64) -> Subject {
    match hold(books, n, amount) {
        Err(Refusal::Exhausted(exhausted)) => exhausted.purse,
        other => panic!("{other:?}"),
    }
}

fn money(books: &Books) -> (i64, i64, i64) {
    let balance = books.balance(ACCOUNT).unwrap();
    (balance.available().0, balance.held.0, balance.spent.0)
}

#[test]
fn a_call_is_held_extended_posted_and_the_rest_is_free_again() {
    let books = books(100, None);
    hold(&books, 1, 40).unwrap();
    assert_eq!(money(&books), (60, 40, 0));
    assert_eq!(books.extend(ACCOUNT, id(1), Nanos(20)), Ok(Nanos(60)));
    assert_eq!(money(&books), (40, 60, 0));
    let posted = books.post(ACCOUNT, id(1), Nanos(45)).unwrap();
    assert_eq!(
        posted,
        Posted {
            key: KEY,
            held: Nanos(60),
            paid: Nanos(45)
        }
    );
    assert_eq!(money(&books), (55, 0, 45));
    let key = books.key_balance(ACCOUNT, KEY, NOW).unwrap();
    assert_eq!((key.spent.total, key.held), (Nanos(45), Nanos::ZERO));
}

#[test]
fn a_call_is_settled_once_and_repeats_are_counted() {
    let books = books(100, None);
    hold(&books, 1, 40).unwrap();
    books.post(ACCOUNT, id(1), Nanos(10)).unwrap();
    assert_eq!(books.post(ACCOUNT, id(1), Nanos(10)), Err(Refusal::NotOpen));
    assert_eq!(books.void(ACCOUNT, id(1)), Err(Refusal::NotOpen));
    assert_eq!(
        books.extend(ACCOUNT, id(1), Nanos(1)),
        Err(Refusal::NotOpen)
    );
    assert_eq!(
        (money(&books), books.repeated_settlements()),
        ((90, 0, 10), 2)
    );
}

#[test]
fn what_does_not_fit_is_refused_with_the_reason() {
    let books = books(
        100,
        Some(Limit {
            amount: Nanos(80),
            reset: Some(Period::Daily),
        }),
    );
    hold(&books, 1, 50).unwrap();
    let over_key = hold(&books, 2, 40).unwrap_err();
    let expected = Exhausted {
        purse: Subject::Key(KEY),
        reset: Some(Period::Daily),
        room: Nanos(30),
        needed: Nanos(40),
        held: Nanos(50),
    };
    assert_eq!(over_key, Refusal::Exhausted(expected));
    let failure = over_key.failure();
    assert_eq!(
        failure.message,
        "This request can cost up to $0.00000004, and the API key's daily limit leaves $0.00000003."
    );
    let metadata = &failure.details.as_ref().unwrap().metadata;
    assert_eq!(metadata["limit_source"], "openrouter_key_limit");
    // Both would refuse: the account is asked first.
    let over_account = hold(&books, 2, 60).unwrap_err();
    let expected = Exhausted {
        purse: Subject::Account(ACCOUNT),
        reset: None,
        room: Nanos(50),
        needed: Nanos(60),
        held: Nanos(50),
    };
    assert_eq!(over_account, Refusal::Exhausted(expected));
    let failure = over_account.failure();
    assert_eq!(failure.status(), 402);
    assert!(failure.message.contains("$0.00000006") && failure.message.contains("$0.00000005"));
    let metadata = &failure.details.as_ref().unwrap().metadata;
    assert_eq!(metadata["reason"], "in_flight_budget_exhausted");
    assert_eq!(metadata["limit_source"], "openrouter_credits");
    assert_eq!(hold(&books, 1, 1), Err(Refusal::AlreadyOpen));
    assert_eq!(hold(&books, 2, -1), Err(Refusal::OutOfRange));
    assert_eq!(
        books.hold(ACCOUNT, KeyId(9), id(2), Nanos(1), NOW),
        Err(Refusal::UnknownKey)
    );
    let nobody = books.hold(AccountId(9), KEY, id(2), Nanos(1), NOW);
    assert_eq!(nobody, Err(Refusal::UnknownAccount));
    assert_eq!(money(&books), (50, 50, 0));
}

#[test]
fn a_charge_above_the_hold_takes_what_there_is_and_no_more() {
    let books = books(100, None);
    hold(&books, 1, 10).unwrap();
    assert_eq!(
        books.post(ACCOUNT, id(1), Nanos(30)).unwrap().paid,
        Nanos(30)
    );
    hold(&books, 2, 10).unwrap();
    hold(&books, 3, 50).unwrap();
    // 10 held and 10 left beside the other call's 50.
    assert_eq!(
        books.post(ACCOUNT, id(2), Nanos(1_000)).unwrap().paid,
        Nanos(20)
    );
    assert_eq!(money(&books), (0, 50, 50));
}

#[test]
fn a_charge_above_the_hold_stops_at_the_keys_limit() {
    let books = books(
        100,
        Some(Limit {
            amount: Nanos(25),
            reset: None,
        }),
    );
    hold(&books, 1, 10).unwrap();
    assert_eq!(
        books.post(ACCOUNT, id(1), Nanos(90)).unwrap().paid,
        Nanos(25)
    );
    assert_eq!(refused_by(&books, 2, 1), Subject::Key(KEY));
    assert_eq!(hold(&books, 3, 0), Ok(()));
}

#[test]
fn what_was_held_is_paid_even_if_limit_and_credit_were_cut_since() {
    let books = books(100, None);
    hold(&books, 1, 60).unwrap();
    let limit = Limit {
        amount: Nanos(1),
        reset: None,
    };
    set_limit(&books, Some(limit));
    books.set_account(ACCOUNT, &Credit::whole(Nanos(20), Nanos::ZERO));
    assert_eq!(
        books.post(ACCOUNT, id(1), Nanos(90)).unwrap().paid,
        Nanos(60)
    );
    assert_eq!(money(&books), (-40, 0, 60));
    // Below zero nothing is served, free calls included.
    assert_eq!(refused_by(&books, 2, 0), Subject::Account(ACCOUNT));
}

#[test]
fn credit_granted_meanwhile_adds_up_with_what_is_spent_and_held() {
    let books = books(100, None);
    hold(&books, 1, 40).unwrap();
    hold(&books, 2, 40).unwrap();
    books.post(ACCOUNT, id(1), Nanos(30)).unwrap();
    // The database knows of no spending yet; its number is not taken over.
    books.set_account(ACCOUNT, &Credit::whole(Nanos(150), Nanos::ZERO));
    assert_eq!(money(&books), (80, 40, 30));
}

#[test]
fn a_retracted_extension_leaves_the_hold_as_it_was() {
    let books = books(100, None);
    hold(&books, 1, 40).unwrap();
    books.extend(ACCOUNT, id(1), Nanos(20)).unwrap();
    books.retract(ACCOUNT, id(1), Nanos(20));
    assert_eq!(money(&books), (60, 40, 0));
    assert_eq!(books.void(ACCOUNT, id(1)).unwrap().held, Nanos(40));
}

const DAY_MS: u64 = 86_400_000;
/// 22 November 2026, 00:00 UTC.
const MIDNIGHT: u64 = 1_795_305_600_000;

fn daily(amount: i64) -> Option<Limit> {
    Some(Limit {
        amount: Nanos(amount),
        reset: Some(Period::Daily),
    })
}

fn hold_at(books: &Books, n: u64, amount: i64, at_ms: u64) -> Result<(), Refusal> {
    books.hold(ACCOUNT, KEY, id(n), Nanos(amount), at_ms)
}

fn spent_on(books: &Books, at_ms: u64) -> i64 {
    let key = books.key_balance(ACCOUNT, KEY, at_ms).unwrap();
    key.spent.day.0
}

#[test]
fn a_payment_counts_in_the_period_in_which_it_was_held_to_the_millisecond() {
    let books = books(1_000, daily(100));
    let last = MIDNIGHT - 1;
    hold_at(&books, 1, 70, last).unwrap();
    hold_at(&books, 2, 30, last).unwrap();
    assert!(hold_at(&books, 3, 1, last).is_err());
    // All of the new day's limit is there, though 100 are still on hold.
    hold_at(&books, 3, 100, MIDNIGHT).unwrap();
    assert!(hold_at(&books, 4, 1, MIDNIGHT).is_err());
    books.post(ACCOUNT, id(1), Nanos(70)).unwrap();
    books.void(ACCOUNT, id(2)).unwrap();
    assert_eq!(
        (spent_on(&books, last), spent_on(&books, MIDNIGHT)),
        (70, 0)
    );
    // What the old day has left is no use to the new one.
    assert!(hold_at(&books, 4, 1, MIDNIGHT).is_err());
    books.post(ACCOUNT, id(3), Nanos(60)).unwrap();
    assert_eq!(
        (spent_on(&books, last), spent_on(&books, MIDNIGHT)),
        (70, 60)
    );
    hold_at(&books, 4, 40, MIDNIGHT + 1).unwrap();
}

#[test]
fn what_is_set_aside_later_counts_where_the_hold_counts() {
    let books = books(1_000, daily(100));
    hold_at(&books, 1, 60, MIDNIGHT - 1).unwrap();
    hold_at(&books, 2, 100, MIDNIGHT).unwrap();
    // The call of yesterday grows within yesterday's limit.
    assert_eq!(books.extend(ACCOUNT, id(1), Nanos(40)), Ok(Nanos(100)));
    let Err(Refusal::Exhausted(exhausted)) = books.extend(ACCOUNT, id(1), Nanos(1)) else {
        panic!("above yesterday's limit")
    };
    assert_eq!((exhausted.room, exhausted.held), (Nanos(0), Nanos(100)));
    books.retract(ACCOUNT, id(1), Nanos(30));
    // A charge above the hold takes what yesterday has left.
    let posted = books.post(ACCOUNT, id(1), Nanos(500)).unwrap();
    assert_eq!(posted.paid, Nanos(100));
    assert_eq!(spent_on(&books, MIDNIGHT), 0);
    assert_eq!(
        books.post(ACCOUNT, id(2), Nanos(500)).unwrap().paid,
        Nanos(100)
    );
}

#[test]
fn a_clock_set_forward_and_back_neither_locks_nor_reopens_a_limit() {
    let books = books(10_000, daily(100));
    let (today, far) = (MIDNIGHT + 1, MIDNIGHT + 400 * DAY_MS);
    hold_at(&books, 1, 60, today).unwrap();
    books.post(ACCOUNT, id(1), Nanos(60)).unwrap();
    hold_at(&books, 2, 100, far).unwrap();
    hold_at(&books, 3, 40, today).unwrap();
    books.post(ACCOUNT, id(2), Nanos(100)).unwrap();
    books.post(ACCOUNT, id(3), Nanos(10)).unwrap();
    // The clock is right again: today has what today left.
    assert!(hold_at(&books, 4, 31, today).is_err());
    hold_at(&books, 4, 30, today).unwrap();
    books.void(ACCOUNT, id(4)).unwrap();
    // The days between have all of theirs, the far one has nothing left.
    for day in 1..5 {
        hold_at(&books, 10 + day, 100, today + day * DAY_MS).unwrap();
    }
    assert!(hold_at(&books, 4, 1, far).is_err());
}

#[test]
fn a_limit_set_or_changed_later_counts_what_was_spent_and_held_before() {
    let books = books(1_000, None);
    hold_at(&books, 1, 60, MIDNIGHT).unwrap();
    hold_at(&books, 2, 20, MIDNIGHT).unwrap();
    books.post(ACCOUNT, id(1), Nanos(50)).unwrap();
    let set = |limit| set_limit(&books, limit);
    set(daily(100));
    assert!(hold_at(&books, 3, 31, MIDNIGHT).is_err());
    hold_at(&books, 3, 30, MIDNIGHT).unwrap();
    set(Some(Limit {
        amount: Nanos(101),
        reset: Some(Period::Monthly),
    }));
    assert!(hold_at(&books, 4, 2, MIDNIGHT + DAY_MS).is_err());
    hold_at(&books, 4, 1, MIDNIGHT + DAY_MS).unwrap();
    set(None);
    hold_at(&books, 5, 800, MIDNIGHT).unwrap();
}

#[test]
fn an_older_state_of_a_row_never_overwrites_a_newer() {
    let books = books(0, None);
    let credit = |granted, change_seq| Credit {
        change_seq,
        ..Credit::whole(Nanos(granted), Nanos::ZERO)
    };
    let key = |amount, change_seq| KeyState {
        account: ACCOUNT,
        limit: Some(Limit {
            amount: Nanos(amount),
            reset: None,
        }),
        spent: SpentByDay::default(),
        change_seq,
    };
    books.set_account(ACCOUNT, &credit(100, 7));
    books.change_account(ACCOUNT, &credit(500, 6));
    books.set_account(ACCOUNT, &credit(500, 6));
    assert_eq!(money(&books), (100, 0, 0));
    books.set_key(KEY, &key(10, 9)).unwrap();
    books.change_key(KEY, &key(90, 8));
    books.set_key(KEY, &key(90, 8)).unwrap();
    assert_eq!(refused_by(&books, 1, 11), Subject::Key(KEY));
    books.change_key(KEY, &key(90, 10));
    hold(&books, 1, 11).unwrap();
}

#[test]
fn changes_open_nothing_that_memory_does_not_know() {
    let books = Books::new();
    books.change_account(ACCOUNT, &Credit::whole(Nanos(5), Nanos::ZERO));
    assert_eq!(books.balance(ACCOUNT), None);
    assert_eq!(hold(&books, 1, 0), Err(Refusal::UnknownAccount));
}

#[test]
fn no_more_is_spent_than_was_lent_and_not_returned() {
    let books = books(0, None);
    let lend = |lent, returned| {
        let lease = Lease {
            lent: Nanos(lent),
            returned: Nanos(returned),
        };
        let credit = Credit {
            granted: Nanos(1_000),
            lease,
            spent: Nanos::ZERO,
            change_seq: 0,
        };
        books.set_account(ACCOUNT, &credit);
    };
    lend(100, 0);
    assert!(hold(&books, 1, 101).is_err());
    hold(&books, 1, 60).unwrap();
    lend(100, 40);
    assert!(hold(&books, 2, 1).is_err());
    assert_eq!(
        books.post(ACCOUNT, id(1), Nanos(90)).unwrap().paid,
        Nanos(60)
    );
    lend(150, 40);
    hold(&books, 2, 50).unwrap();
    assert!(hold(&books, 3, 1).is_err());
}

#[test]
fn sixty_four_threads_never_spend_the_last_cent_twice() {
    let cent = 10_000_000;
    for round in 0..20u64 {
        let limit = Limit {
            amount: Nanos(cent),
            reset: None,
        };
        let books = books(if round % 2 == 0 { cent } else { 100 * cent }, Some(limit));
        let barrier = Barrier::new(64);
        let paid = AtomicI64::new(0);
        std::thread::scope(|scope| {
            for thread in 0..64u64 {
                let (books, barrier, paid) = (&books, &barrier, &paid);
                scope.spawn(move || {
                    barrier.wait();
                    for call in 0..50 {
                        let n = thread * 1_000 + call;
                        if hold(books, n, 700_000).is_ok() {
                            let charge = Nanos(i64::try_from(n % 9).unwrap() * 100_000);
                            let posted = books.post(ACCOUNT, id(n), charge).unwrap();
                            paid.fetch_add(posted.paid.0, Ordering::Relaxed);
                        }
                        assert!(!books.balance(ACCOUNT).unwrap().available().is_negative());
                    }
                });
            }
        });
        let paid = paid.load(Ordering::Relaxed);
        assert_eq!(books.balance(ACCOUNT).unwrap().spent, Nanos(paid));
        assert!(paid <= cent, "round {round}: {paid}");
        // All of it is usable: less than the price of one hold is left.
        assert!(cent - paid < 700_000, "round {round}: {paid}");
        assert_eq!(books.open_holds(), 0);
    }
}

/// Each thread's clock jumps between the last millisecond of a day and the
/// first of the next, so holds of both days run at the same time.
#[test]
fn threads_across_midnight_exceed_neither_days_limit_nor_the_credit() {
    for round in 0..20u64 {
        let (limit, credit) = (
            1_000_000,
            if round % 2 == 0 { 1_500_000 } else { 9_000_000 },
        );
        let books = books(credit, daily(limit));
        let barrier = Barrier::new(16);
        let paid = [AtomicI64::new(0), AtomicI64::new(0)];
        std::thread::scope(|scope| {
            for thread in 0..16u64 {
                let (books, barrier, paid) = (&books, &barrier, &paid);
                scope.spawn(move || {
                    barrier.wait();
                    for call in 0..100 {
                        let n = thread * 1_000 + call;
                        let day = usize::from((n / 3) % 2 == 1);
                        let at_ms = MIDNIGHT - 1 + day as u64;
                        if hold_at(books, n, 30_000, at_ms).is_err() {
                            continue;
                        }
                        let more = books.extend(ACCOUNT, id(n), Nanos(10_000)).is_ok();
                        if n % 7 == 0 {
                            books.void(ACCOUNT, id(n)).unwrap();
                            continue;
                        }
                        // Sometimes above the hold.
                        let charge = Nanos(i64::try_from(n % 6).unwrap() * 10_000);
                        let posted = books.post(ACCOUNT, id(n), charge).unwrap();
                        assert_eq!(posted.held.0, if more { 40_000 } else { 30_000 });
                        paid[day].fetch_add(posted.paid.0, Ordering::Relaxed);
                        let key = books.key_balance(ACCOUNT, KEY, at_ms).unwrap();
                        assert!(key.spent.day.0 <= limit, "{key:?}");
                        assert!(!books.balance(ACCOUNT).unwrap().available().is_negative());
                    }
                });
            }
        });
        let paid = paid.map(AtomicI64::into_inner);
        assert_eq!(
            [spent_on(&books, MIDNIGHT - 1), spent_on(&books, MIDNIGHT)],
            paid
        );
        let balance = books.balance(ACCOUNT).unwrap();
        assert_eq!((balance.spent.0, balance.held.0), (paid[0] + paid[1], 0));
        assert!(
            paid.iter().all(|paid| *paid <= limit),
            "round {round}: {paid:?}"
        );
        assert!(paid[0] + paid[1] <= credit, "round {round}: {paid:?}");
        // What was set aside is all free again.
        let left = (limit - paid[0]).min(credit - paid[0] - paid[1]);
        hold_at(&books, 1, left, MIDNIGHT - 1).unwrap();
    }
}

#[derive(Debug, Clone, Copy)]
enum Step {
    Hold(u64, i64),
    Extend(u64, i64),
    Post(u64, i64),
    Void(u64),
    Grant(i64),
}

fn a_step() -> impl Strategy<Value = Step> {
    let n = 0u64..6;
    prop_oneof![
        (n.clone(), 0i64..60).prop_map(|(n, amount)| Step::Hold(n, amount)),
        (n.clone(), 0i64..30).prop_map(|(n, extra)| Step::Extend(n, extra)),
        (n.clone(), 0i64..90).prop_map(|(n, charge)| Step::Post(n, charge)),
        n.prop_map(Step::Void),
        (0i64..50).prop_map(Step::Grant),
    ]
}

proptest! {
    #[test]
    fn no_sequence_of_calls_overspends_or_loses_money(
        steps in proptest::collection::vec(a_step(), 0..60), limit in proptest::option::of(0i64..200)
    ) {
        let limit = limit.map(|amount| Limit { amount: Nanos(amount), reset: None });
        let books = books(100, limit);
        let mut granted = 100;
        let mut open: HashMap<u64, i64> = HashMap::new();
        let mut paid = 0;
        for step in steps {
            match step {
                Step::Hold(n, amount) => {
                    let done = hold(&books, n, amount).is_ok();
                    if done {
                        prop_assert!(open.insert(n, amount).is_none());
                    }
                }
                Step::Extend(n, extra) => {
                    if books.extend(ACCOUNT, id(n), Nanos(extra)).is_ok() {
                        *open.get_mut(&n).unwrap() += extra;
                    }
                }
                Step::Post(n, charge) => match books.post(ACCOUNT, id(n), Nanos(charge)) {
                    Ok(posted) => {
                        let held = open.remove(&n).unwrap();
                        prop_assert_eq!(posted.held.0, held);
                        prop_assert!(posted.paid.0 <= charge);
                        prop_assert!(posted.paid.0 >= charge.min(held));
                        paid += posted.paid.0;
                    }
                    Err(_) => prop_assert!(!open.contains_key(&n)),
                },
                Step::Void(n) => {
                    prop_assert_eq!(books.void(ACCOUNT, id(n)).is_ok(), open.remove(&n).is_some());
                }
                Step::Grant(amount) => {
                    granted += amount;
                    books.set_account(ACCOUNT, &Credit::whole(Nanos(granted), Nanos::ZERO));
                }
            }
            let (available, held, spent) = money(&books);
            prop_assert_eq!(available + held + spent, granted);
            prop_assert_eq!((held, spent), (open.values().sum(), paid));
            prop_assert!(available >= 0);
            let key = books.key_balance(ACCOUNT, KEY, NOW).unwrap();
            prop_assert_eq!((key.held.0, key.spent.total.0), (held, spent));
            if let Some(limit) = limit {
                prop_assert!(held + spent <= limit.amount.0);
            }
        }
    }
}

#![allow(clippy::arithmetic_side_effects)] // Small numbers in tests.

use std::sync::Barrier;
use std::sync::atomic::AtomicI64;

use proptest::prelude::*;

use super::*;

const ACCOUNT: AccountId = AccountId(1);
const KEY: KeyId = KeyId(1);
const NOW: u64 = 1_795_000_000_000;

fn id(n: u64) -> GenerationId {
    GenerationId::new(1_795_000_000, n.into())
}

fn books(granted: i64, limit: Option<KeyLimit>) -> Books {
    let books = Books::new();
    books.set_account(ACCOUNT, Nanos(granted), Nanos::ZERO);
    books
        .set_key(ACCOUNT, KEY, limit, Spent::default())
        .unwrap();
    books
}

fn hold(books: &Books, n: u64, amount: i64) -> Result<(), Refusal> {
    books.hold(ACCOUNT, KEY, id(n), Nanos(amount), NOW)
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
    assert_eq!(books.extend(ACCOUNT, id(1), Nanos(20), NOW), Ok(Nanos(60)));
    assert_eq!(money(&books), (40, 60, 0));
    let posted = books.post(ACCOUNT, id(1), Nanos(45), NOW).unwrap();
    assert_eq!(
        posted,
        Posted {
            key: KEY,
            held: Nanos(60),
            paid: Nanos(45)
        }
    );
    assert_eq!(money(&books), (55, 0, 45));
    let key = books.key_balance(ACCOUNT, KEY).unwrap();
    assert_eq!((key.spent.total, key.held), (Nanos(45), Nanos::ZERO));
}

#[test]
fn a_call_is_settled_once_and_repeats_are_counted() {
    let books = books(100, None);
    hold(&books, 1, 40).unwrap();
    books.post(ACCOUNT, id(1), Nanos(10), NOW).unwrap();
    assert_eq!(
        books.post(ACCOUNT, id(1), Nanos(10), NOW),
        Err(Refusal::NotOpen)
    );
    assert_eq!(books.void(ACCOUNT, id(1)), Err(Refusal::NotOpen));
    assert_eq!(
        books.extend(ACCOUNT, id(1), Nanos(1), NOW),
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
        Some(KeyLimit {
            amount: Nanos(80),
            reset: Some(Period::Daily),
        }),
    );
    hold(&books, 1, 50).unwrap();
    let over_key = hold(&books, 2, 40).unwrap_err();
    let expected = Refusal::KeyLimit {
        remaining: Nanos(30),
        needed: Nanos(40),
        held: Nanos(50),
        reset: Some(Period::Daily),
    };
    assert_eq!(over_key, expected);
    let over_account = hold(&books, 2, 60).unwrap_err();
    let (available, needed, held) = (Nanos(50), Nanos(60), Nanos(50));
    assert_eq!(
        over_account,
        Refusal::Balance {
            available,
            needed,
            held
        }
    );
    let failure = over_account.failure();
    assert_eq!(failure.status(), 402);
    assert!(failure.message.contains("$0.00000006") && failure.message.contains("$0.00000005"));
    let metadata = &failure.details.as_ref().unwrap().metadata;
    assert_eq!(metadata["reason"], "in_flight_budget_exhausted");
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
        books.post(ACCOUNT, id(1), Nanos(30), NOW).unwrap().paid,
        Nanos(30)
    );
    hold(&books, 2, 10).unwrap();
    hold(&books, 3, 50).unwrap();
    // 10 held and 10 left beside the other call's 50.
    assert_eq!(
        books.post(ACCOUNT, id(2), Nanos(1_000), NOW).unwrap().paid,
        Nanos(20)
    );
    assert_eq!(money(&books), (0, 50, 50));
}

#[test]
fn a_charge_above_the_hold_stops_at_the_keys_limit() {
    let books = books(
        100,
        Some(KeyLimit {
            amount: Nanos(25),
            reset: None,
        }),
    );
    hold(&books, 1, 10).unwrap();
    assert_eq!(
        books.post(ACCOUNT, id(1), Nanos(90), NOW).unwrap().paid,
        Nanos(25)
    );
    assert!(matches!(hold(&books, 2, 1), Err(Refusal::KeyLimit { .. })));
    assert_eq!(hold(&books, 3, 0), Ok(()));
}

#[test]
fn what_was_held_is_paid_even_if_limit_and_credit_were_cut_since() {
    let books = books(100, None);
    hold(&books, 1, 60).unwrap();
    let limit = KeyLimit {
        amount: Nanos(1),
        reset: None,
    };
    books
        .set_key(ACCOUNT, KEY, Some(limit), Spent::default())
        .unwrap();
    books.set_account(ACCOUNT, Nanos(20), Nanos::ZERO);
    assert_eq!(
        books.post(ACCOUNT, id(1), Nanos(90), NOW).unwrap().paid,
        Nanos(60)
    );
    assert_eq!(money(&books), (-40, 0, 60));
    // Below zero nothing is served, free calls included.
    assert!(matches!(hold(&books, 2, 0), Err(Refusal::Balance { .. })));
}

#[test]
fn credit_granted_meanwhile_adds_up_with_what_is_spent_and_held() {
    let books = books(100, None);
    hold(&books, 1, 40).unwrap();
    hold(&books, 2, 40).unwrap();
    books.post(ACCOUNT, id(1), Nanos(30), NOW).unwrap();
    // The database knows of no spending yet; its number is not taken over.
    books.set_account(ACCOUNT, Nanos(150), Nanos::ZERO);
    assert_eq!(money(&books), (80, 40, 30));
}

#[test]
fn a_retracted_extension_leaves_the_hold_as_it_was() {
    let books = books(100, None);
    hold(&books, 1, 40).unwrap();
    books.extend(ACCOUNT, id(1), Nanos(20), NOW).unwrap();
    books.retract(ACCOUNT, id(1), Nanos(20));
    assert_eq!(money(&books), (60, 40, 0));
    assert_eq!(books.void(ACCOUNT, id(1)).unwrap().held, Nanos(40));
}

#[test]
fn a_new_day_opens_a_daily_limit_and_held_money_still_counts() {
    let day = 86_400_000;
    let books = books(
        1_000,
        Some(KeyLimit {
            amount: Nanos(100),
            reset: Some(Period::Daily),
        }),
    );
    hold(&books, 1, 70).unwrap();
    hold(&books, 2, 30).unwrap();
    books.post(ACCOUNT, id(1), Nanos(70), NOW).unwrap();
    assert!(hold(&books, 3, 1).is_err());
    let tomorrow = NOW + day;
    // 30 are still held: 70 are free, not 100.
    assert!(
        books
            .hold(ACCOUNT, KEY, id(3), Nanos(71), tomorrow)
            .is_err()
    );
    books
        .hold(ACCOUNT, KEY, id(3), Nanos(70), tomorrow)
        .unwrap();
    books.post(ACCOUNT, id(2), Nanos(30), tomorrow).unwrap();
    books.post(ACCOUNT, id(3), Nanos(70), tomorrow).unwrap();
    assert!(books.hold(ACCOUNT, KEY, id(4), Nanos(1), tomorrow).is_err());
}

#[test]
fn sixty_four_threads_never_spend_the_last_cent_twice() {
    let cent = 10_000_000;
    for round in 0..20u64 {
        let limit = KeyLimit {
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
                            let posted = books.post(ACCOUNT, id(n), charge, NOW).unwrap();
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
        let limit = limit.map(|amount| KeyLimit { amount: Nanos(amount), reset: None });
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
                    if books.extend(ACCOUNT, id(n), Nanos(extra), NOW).is_ok() {
                        *open.get_mut(&n).unwrap() += extra;
                    }
                }
                Step::Post(n, charge) => match books.post(ACCOUNT, id(n), Nanos(charge), NOW) {
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
                    books.set_account(ACCOUNT, Nanos(granted), Nanos::ZERO);
                }
            }
            let (available, held, spent) = money(&books);
            prop_assert_eq!(available + held + spent, granted);
            prop_assert_eq!((held, spent), (open.values().sum(), paid));
            prop_assert!(available >= 0);
            let key = books.key_balance(ACCOUNT, KEY).unwrap();
            prop_assert_eq!((key.held.0, key.spent.total.0), (held, spent));
            if let Some(limit) = limit {
                prop_assert!(held + spent <= limit.amount.0);
            }
        }
    }
}

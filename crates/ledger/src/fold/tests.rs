#![allow(clippy::arithmetic_side_effects)] // Small numbers in tests.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::record::{
    AttemptFact, Checkpoint, Extend, Facts, Hold, Settle, Settlement, Void, VoidReason, Voiding,
};

const ACCOUNT: AccountId = AccountId(1);
const KEY: KeyId = KeyId(1);

fn id(n: u64) -> GenerationId {
    GenerationId::new(1_795_000_000, n.into())
}

fn hold(n: u64, amount: i64) -> Record<'static> {
    Record::Hold(Hold {
        id: id(n),
        account: ACCOUNT,
        key: KEY,
        amount: Nanos(amount),
        at_ms: 1_000,
        model: "a/m",
        provider: "p",
        endpoint: "e",
    })
}

fn settle(n: u64, held: i64, charge: i64, paid: i64, costs: Vec<Cost<'static>>) -> Record<'static> {
    let facts = Facts {
        model: "a/m",
        provider: "p",
        endpoint: "e",
        ..Facts::default()
    };
    Record::Settle(Settle {
        key: KEY,
        held: Nanos(held),
        paid: Nanos(paid),
        settlement: Settlement {
            id: id(n),
            account: ACCOUNT,
            at_ms: 2_000,
            charge: Nanos(charge),
            costs,
            possible: Vec::new(),
            facts,
        },
    })
}

fn void(n: u64, costs: Vec<Cost<'static>>) -> Record<'static> {
    Record::Void(Void {
        key: KEY,
        held: Nanos(0),
        voiding: Voiding {
            id: id(n),
            account: ACCOUNT,
            at_ms: 2_000,
            reason: VoidReason::NothingDelivered,
            costs,
            possible: Vec::new(),
            facts: Facts::default(),
        },
    })
}

fn cost(provider: &'static str, amount: i64, payer: Payer) -> Cost<'static> {
    Cost {
        provider,
        amount: Nanos(amount),
        payer,
    }
}

fn checkpoint(n: u64, charge: i64) -> Checkpoint {
    Checkpoint {
        id: id(n),
        charge: Nanos(charge),
        upstream: Nanos(charge / 2),
        prompt: 1,
        completion: 2,
    }
}

#[test]
fn a_list_of_checkpoints_is_what_each_of_them_would_be() {
    let list = [
        checkpoint(1, 5),
        checkpoint(2, 6),
        checkpoint(9, 7),
        checkpoint(1, 8),
    ];
    let together = [hold(1, 50), hold(2, 50), Record::Checkpoints(list.to_vec())];
    let each = list.map(Record::Checkpoint);
    let apart: Vec<_> = [hold(1, 50), hold(2, 50)].into_iter().chain(each).collect();
    let (together, apart) = (fold(Vec::new(), &together), fold(Vec::new(), &apart));
    assert_eq!(together.opened, apart.opened);
    assert_eq!((together.repeated, apart.repeated), (1, 1), "nobody's hold");
    let told: Vec<_> = together.opened.iter().map(|hold| hold.checkpoint).collect();
    assert_eq!(told, [Some(checkpoint(1, 8)), Some(checkpoint(2, 6))]);
    // Of a call that has ended nothing more can be told.
    let ended = [
        hold(1, 50),
        settle(1, 50, 5, 5, Vec::new()),
        Record::Checkpoints(vec![list[0]]),
    ];
    let ended = fold(Vec::new(), &ended);
    assert_eq!((ended.opened.len(), ended.repeated), (0, 1));
}

fn fold(open: Vec<OpenHold>, records: &[Record<'_>]) -> Effects {
    let mut fold = Fold::new(open);
    for record in records {
        let mut bytes = Vec::new();
        record::encode(record, &mut bytes);
        fold.push(&bytes).unwrap();
    }
    fold.finish().unwrap()
}

fn entries(effects: &Effects) -> Vec<(String, i64)> {
    let entries = effects.journal.entries();
    entries
        .iter()
        .map(|(account, amount)| (account.to_string(), amount.0))
        .collect()
}

#[test]
fn a_paid_call_moves_credit_to_revenue_and_books_the_providers_charge() {
    let costs = vec![cost("p", 20, Payer::Customer)];
    let effects = fold(Vec::new(), &[hold(1, 50), settle(1, 50, 22, 22, costs)]);
    let expected = [
        ("customer:1:available", -22),
        ("provider_cost:p", 20),
        ("provider_invoice_clearing:p", -20),
        ("revenue", 22),
    ];
    assert_eq!(
        entries(&effects),
        expected.map(|(name, amount)| (name.to_owned(), amount))
    );
    assert!(effects.opened.is_empty() && effects.closed.is_empty());
    assert_eq!(effects.spent[&ACCOUNT], Nanos(22));
    assert_eq!(effects.generations[0].house_loss, Nanos::ZERO);
}

#[test]
fn what_the_customer_cannot_pay_and_lost_attempts_are_the_houses() {
    let costs = vec![cost("p", 20, Payer::Customer), cost("q", 7, Payer::House)];
    let effects = fold(Vec::new(), &[hold(1, 10), settle(1, 10, 22, 15, costs)]);
    let expected = [
        ("customer:1:available", -15),
        ("provider_cost:p", 20),
        ("provider_cost:q", 7),
        ("provider_invoice_clearing:p", -20),
        ("provider_invoice_clearing:q", -7),
        ("revenue", 29),
        ("house_loss", -14),
    ];
    assert_eq!(
        entries(&effects),
        expected.map(|(name, amount)| (name.to_owned(), amount))
    );
    let row = &effects.generations[0];
    assert_eq!((row.house_loss, row.upstream), (Nanos(14), Nanos(27)));
}

#[test]
fn a_void_leaves_a_row_and_is_in_the_books_only_if_it_cost_us_something() {
    let free = fold(Vec::new(), &[hold(1, 50), void(1, Vec::new())]);
    assert!(free.journal.is_empty());
    let row = &free.generations[0];
    assert_eq!((row.paid, &*row.model), (Nanos::ZERO, "a/m"));
    assert!(!row.is_in_books());
    let costs = vec![cost("p", 9, Payer::House)];
    let dear = fold(Vec::new(), &[hold(1, 50), void(1, costs)]);
    let row = &dear.generations[0];
    assert_eq!(
        (row.paid, row.house_loss, &*row.model),
        (Nanos::ZERO, Nanos(9), "a/m")
    );
    assert!(row.is_in_books());
}

#[test]
fn a_bad_hour_fills_no_table_and_every_failure_is_counted() {
    let calls = u64::from(FREE_ROWS_MAX) + 40;
    let mut records = Vec::new();
    for n in 0..calls {
        records.push(hold(n, 1));
        records.push(failed(n));
    }
    let dear = vec![cost("p", 9, Payer::House)];
    records.push(hold(calls, 1));
    records.push(void(calls, dear));
    let effects = fold(Vec::new(), &records);
    // What is in the books is kept whatever else there is.
    assert_eq!(effects.generations.len(), FREE_ROWS_MAX as usize + 1);
    let failures = |kind: Option<FailureKind>, endpoint: &str| {
        let number = kind.map_or(0, FailureKind::number);
        let of = |of: &FailureOf| of.failure == number && *of.endpoint == *endpoint;
        let found = effects.failures.iter().find(|(key, _)| of(key));
        found.map_or(FailureSums::default(), |(_, sums)| *sums)
    };
    let sums = |calls, attempts| FailureSums { calls, attempts };
    assert_eq!(
        failures(Some(FailureKind::Unavailable), "f"),
        sums(calls, calls)
    );
    assert_eq!(
        failures(Some(FailureKind::RateLimited), "e"),
        sums(0, calls)
    );
    assert_eq!(failures(None, "e"), sums(1, 0));
}

/// A call that two providers failed.
fn failed(n: u64) -> Record<'static> {
    let Record::Void(mut end) = void(n, Vec::new()) else {
        panic!("not a voiding")
    };
    let first = AttemptFact {
        provider: "p",
        endpoint: "e",
        model: "a/m",
        status: 429,
        failure: Some(FailureKind::RateLimited),
        ..AttemptFact::default()
    };
    let last = AttemptFact {
        provider: "q",
        endpoint: "f",
        status: 502,
        failure: Some(FailureKind::Unavailable),
        ..first
    };
    end.voiding.reason = VoidReason::AttemptsFailed;
    end.voiding.facts = Facts {
        model: "a/m",
        provider: "q",
        endpoint: "f",
        failure: Some(FailureKind::Unavailable),
        attempts: vec![first, last],
        ..Facts::default()
    };
    Record::Void(end)
}

#[test]
fn attempts_that_failed_before_another_answered_are_counted_too() {
    let Record::Settle(mut end) = settle(1, 50, 22, 22, Vec::new()) else {
        panic!("not a settlement")
    };
    let Record::Void(voided) = failed(2) else {
        panic!("not a voiding")
    };
    end.settlement.facts.attempts = voided.voiding.facts.attempts[..1].to_vec();
    let effects = fold(Vec::new(), &[hold(1, 50), Record::Settle(end)]);
    let (of, sums) = effects.failures.first_key_value().unwrap();
    assert_eq!((&*of.endpoint, sums.calls, sums.attempts), ("e", 0, 1));
}

#[test]
fn refused_calls_are_counted_by_the_model_if_it_was_found() {
    let refused = |failure, requested, unrecorded| {
        Record::Refused(Refused {
            id: id(1),
            account: ACCOUNT,
            key: KEY,
            at_ms: 2_000,
            failure,
            requested,
            app: "",
            unrecorded,
        })
    };
    let effects = fold(
        Vec::new(),
        &[
            refused(FailureKind::PaymentRequired, "a/m", 0),
            refused(FailureKind::NotFound, "whatever was typed", 30),
        ],
    );
    let counts: Vec<_> = effects
        .failures
        .iter()
        .map(|(of, sums)| (of.account.0, &*of.model, sums.calls))
        .collect();
    assert_eq!(counts, [(0, "", 30), (1, "", 1), (1, "a/m", 1)]);
    assert_eq!((effects.repeated, effects.generations.len()), (0, 0));
}

#[test]
fn a_call_that_outlives_its_batch_is_an_open_hold_until_a_later_one() {
    let extend = Record::Extend(Extend {
        id: id(1),
        extra: Nanos(5),
    });
    let first = fold(Vec::new(), &[hold(1, 50), extend]);
    assert_eq!(first.opened.len(), 1);
    assert_eq!(first.opened[0].amount, Nanos(55));
    let held = ("customer:1:held".to_owned(), 55);
    assert!(entries(&first).contains(&held));
    let second = fold(first.opened, &[settle(1, 55, 10, 10, Vec::new())]);
    assert_eq!(second.closed, [id(1)]);
    let expected = [
        ("customer:1:available".to_owned(), 45),
        ("customer:1:held".to_owned(), -55),
        ("revenue".to_owned(), 10),
    ];
    assert_eq!(entries(&second), expected);
}

#[test]
fn repeated_records_are_counted_and_change_nothing() {
    let once = [hold(1, 50), settle(1, 50, 10, 10, Vec::new())];
    let again = [
        once[0].clone(),
        once[1].clone(),
        once[1].clone(),
        void(1, Vec::new()),
    ];
    let (once, again) = (fold(Vec::new(), &once), fold(Vec::new(), &again));
    assert_eq!(again.repeated, 2);
    assert_eq!(
        (once.journal, once.generations),
        (again.journal, again.generations)
    );
}

proptest! {
    #[test]
    fn where_a_batch_ends_makes_no_difference_to_the_sums(
        calls in proptest::collection::vec((1i64..100, 0i64..100, 0i64..30, 0u8..4), 1..12),
        cut in any::<prop::sample::Index>()
    ) {
        let mut records = Vec::new();
        for (n, (held, charge, spent, end)) in calls.iter().enumerate() {
            let n = n as u64;
            records.push(hold(n, *held));
            let payer = if end % 2 == 0 { Payer::Customer } else { Payer::House };
            let costs = vec![cost("p", *spent, payer)];
            match end {
                0 | 1 => records.push(settle(n, *held, *charge, *charge.min(held), costs)),
                2 => records.push(void(n, costs)),
                _ => {}
            }
        }
        let whole = fold(Vec::new(), &records);
        let (head, tail) = records.split_at(cut.index(records.len()));
        let first = fold(Vec::new(), head);
        let second = fold(first.opened.clone(), tail);
        let mut sums: BTreeMap<String, i64> = BTreeMap::new();
        for (account, amount) in entries(&first).into_iter().chain(entries(&second)) {
            *sums.entry(account).or_default() += amount;
        }
        sums.retain(|_, sum| *sum != 0);
        let expected: BTreeMap<_, _> = entries(&whole).into_iter().collect();
        prop_assert_eq!(sums, expected);
        let (a, b) = (first.generations.len(), second.generations.len());
        prop_assert_eq!(a + b, whole.generations.len());
    }
}

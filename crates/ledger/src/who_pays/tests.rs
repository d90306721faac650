use super::*;

const REPORTED: Priced = Priced {
    charge: Nanos(110),
    upstream: Nanos(100),
    repeated: Nanos::ZERO,
};
const DELIVERED: Priced = Priced {
    charge: Nanos(44),
    upstream: Nanos(40),
    repeated: Nanos::ZERO,
};
const HELD: Nanos = Nanos(500);

fn ended<'a>(attempts: &[(&'a str, End)], last: Option<(&'a str, End)>) -> Ended<'a> {
    let attempt = |&(provider, end): &(&'a str, End)| Attempt { provider, end };
    Ended {
        attempts: attempts.iter().map(attempt).collect(),
        last: last.as_ref().map(attempt),
        held: HELD,
        begun: None,
        told: None,
    }
}

fn cost(provider: &str, nanos: i64, payer: Payer) -> Cost<'_> {
    Cost {
        provider,
        amount: Nanos(nanos),
        payer,
    }
}

#[test]
fn every_row_pays_as_written() {
    let customer = |nanos| Some(cost("p", nanos, Payer::Customer));
    let house = |nanos| Some(cost("p", nanos, Payer::House));
    let expected = [
        (End::Finished, 110, customer(100), None),
        (End::FinishedUncounted, 44, customer(40), None),
        (End::FinishedNonsense, 44, customer(40), None),
        (End::NothingDelivered, 0, house(100), None),
        (End::BrokeMidway, 44, customer(40), None),
        (End::Continued, 44, customer(40), None),
        (End::MoneyRanOut, 44, customer(40), None),
        (End::FailedBeforeContent, 0, None, None),
        (End::Unreached, 0, None, None),
        (End::GivenUp, 0, None, house(500)),
        (End::HedgeLost, 0, None, house(500)),
        (End::LeftBeforeContent, 0, None, house(500)),
        (End::LeftBegun, 44, customer(40), house(460)),
        (End::LeftMidwayCancelled, 44, customer(40), house(460)),
        (End::LeftDrained, 110, customer(100), None),
        (End::LeftDrainCapped, 44, customer(40), house(460)),
        (End::StoppedMidway, 44, customer(40), None),
        (End::StoppedBeforeContent, 0, None, house(500)),
        (End::NotDispatched, 0, None, None),
    ];
    assert_eq!(TABLE.len(), expected.len());
    for (row, (end, charge, costs, possible)) in TABLE.iter().zip(expected) {
        assert_eq!((row.end, end.row().end), (end, end));
        let verdict = ended(&[], Some(("p", end))).verdict(Some(REPORTED), || DELIVERED);
        let wanted = Verdict {
            end,
            charge: Nanos(charge),
            costs: costs.into_iter().collect(),
            possible: possible.into_iter().collect(),
            served: charge > 0,
        };
        assert_eq!(verdict, wanted, "{end:?}");
    }
}

#[test]
fn a_call_that_was_left_stays_a_question_also_where_all_of_the_hold_is_accounted_for() {
    let mut left = ended(&[], Some(("p", End::LeftMidwayCancelled)));
    for (held, amount) in [(DELIVERED.upstream, 0), (Nanos(1), 0), (Nanos(41), 1)] {
        left.held = held;
        let verdict = left.verdict(None, || DELIVERED);
        assert_eq!(verdict.possible, [cost("p", amount, Payer::House)]);
    }
    // What is free leaves no question.
    left.held = Nanos::ZERO;
    assert_eq!(left.verdict(None, || DELIVERED).possible, []);
}

#[test]
fn a_call_that_nobody_was_called_for_is_not_dispatched() {
    let ended = ended(&[], None);
    let verdict = ended.verdict(Some(REPORTED), || DELIVERED);
    assert_eq!(verdict.end, End::NotDispatched);
    assert!(!verdict.served);
    assert_eq!((verdict.costs.len(), verdict.possible.len()), (0, 0));
}

#[test]
fn earlier_attempts_never_cost_the_customer_and_stay_questions_where_they_may_have_run() {
    let earlier = [
        ("refused", End::FailedBeforeContent),
        ("silent", End::GivenUp),
        ("dead", End::Unreached),
    ];
    let verdict =
        ended(&earlier, Some(("good", End::Finished))).verdict(Some(REPORTED), || DELIVERED);
    assert_eq!(verdict.charge, Nanos(110));
    assert_eq!(verdict.costs, [cost("good", 100, Payer::Customer)]);
    assert_eq!(verdict.possible, [cost("silent", 500, Payer::House)]);
}

#[test]
fn a_call_whose_attempts_all_failed_is_a_question_to_each_that_may_have_run() {
    let verdict =
        ended(&[("a", End::GivenUp)], Some(("b", End::GivenUp))).verdict(None, Priced::default);
    assert_eq!((verdict.charge, verdict.served), (Nanos::ZERO, false));
    let house = |provider| cost(provider, 500, Payer::House);
    assert_eq!(verdict.possible, [house("a"), house("b")]);
    assert_eq!(verdict.end.void_reason(), VoidReason::AttemptsFailed);
}

#[test]
fn an_answer_that_was_continued_is_paid_once_and_its_repeated_input_by_the_house() {
    let begun = Begun {
        provider: "a",
        delivered: DELIVERED,
    };
    let rest = Priced {
        charge: Nanos(22),
        upstream: Nanos(90),
        repeated: Nanos(70),
    };
    let paid = |end, reported| {
        let ended = Ended {
            begun: Some(begun),
            ..ended(&[("a", End::Continued)], Some(("b", end)))
        };
        ended.verdict(reported, || rest)
    };
    let first = cost("a", 40, Payer::Customer);
    let whole = paid(End::Finished, Some(rest));
    assert_eq!((whole.charge, whole.served), (Nanos(66), true));
    let costs = [
        first,
        cost("b", 20, Payer::Customer),
        cost("b", 70, Payer::House),
    ];
    assert_eq!(whole.costs, costs);
    assert_eq!(paid(End::BrokeMidway, None).costs, costs);
    // Nobody went on with it, or only began to: what was delivered is paid.
    for end in [
        End::FailedBeforeContent,
        End::GivenUp,
        End::LeftBeforeContent,
    ] {
        let verdict = paid(end, None);
        assert_eq!(
            (verdict.charge, verdict.served),
            (Nanos(44), true),
            "{end:?}"
        );
        assert_eq!(verdict.costs, [first], "{end:?}");
    }
    let left = paid(End::GivenUp, None);
    assert_eq!(left.possible, [cost("b", 500, Payer::House)]);
}

#[test]
fn whoever_loses_a_race_costs_the_customer_nothing_and_stays_a_question() {
    let verdict = ended(&[("slow", End::HedgeLost)], Some(("fast", End::Finished)))
        .verdict(Some(REPORTED), || DELIVERED);
    assert_eq!(verdict.charge, Nanos(110));
    assert_eq!(verdict.costs, [cost("fast", 100, Payer::Customer)]);
    assert_eq!(verdict.possible, [cost("slow", 500, Payer::House)]);
}

#[test]
fn a_missing_report_is_never_a_free_call() {
    let verdict = ended(&[], Some(("p", End::Finished))).verdict(None, || DELIVERED);
    assert_eq!(verdict.charge, Nanos(44));
    assert!(verdict.served);
}

#[test]
fn what_a_provider_does_not_charge_is_no_cost() {
    let verdict =
        ended(&[], Some(("p", End::Finished))).verdict(Some(Priced::default()), || DELIVERED);
    assert!(verdict.costs.is_empty() && verdict.served);
}

#[test]
fn every_end_that_costs_nothing_says_why() {
    for row in TABLE.iter().filter(|row| row.customer == C::Nothing) {
        let reason = match row.end {
            End::NothingDelivered => VoidReason::NothingDelivered,
            End::FailedBeforeContent | End::Unreached | End::GivenUp | End::HedgeLost => {
                VoidReason::AttemptsFailed
            }
            End::LeftBeforeContent => VoidReason::CallerLeft,
            End::StoppedBeforeContent => VoidReason::Restart,
            End::NotDispatched => VoidReason::NotDispatched,
            other => panic!("{other:?} is new: what does its record say?"),
        };
        assert_eq!(row.end.void_reason(), reason, "{:?}", row.end);
    }
}

#[test]
fn the_document_has_the_same_rows() {
    let document = include_str!("../../../../docs/money.md");
    for row in TABLE {
        let customer = match row.customer {
            C::Reported => "reported usage",
            C::Delivered => "what was delivered",
            C::Nothing => "nothing",
        };
        let provider = match row.provider {
            P::Reported => "reported usage",
            P::Delivered => "what was delivered",
            P::Unknown => "unknown, to reconcile",
            P::Nothing => "nothing",
        };
        let line = format!("| {} | {customer} | {provider} | {} |", row.words, row.why);
        assert!(document.contains(&line), "docs/money.md lacks:\n{line}");
    }
    let rows = document
        .lines()
        .skip_while(|line| !line.starts_with("## Who pays"))
        .take_while(|line| !line.starts_with("The same table"))
        .filter(|line| line.starts_with("| "))
        .count();
    // The head of the table is a line, too.
    assert_eq!(rows, TABLE.len() + 1, "docs/money.md has rows of its own");
}

#[test]
fn a_providers_own_word_is_booked_where_its_charge_is_known_and_changes_no_customers() {
    for row in TABLE {
        let mut ended = ended(&[("a", End::GivenUp)], Some(("p", row.end)));
        let by_price = ended.verdict(Some(REPORTED), || DELIVERED);
        ended.told = Some(Nanos(7));
        let told = ended.verdict(Some(REPORTED), || DELIVERED);
        assert_eq!(told.charge, by_price.charge, "{:?}", row.end);
        assert_eq!(told.possible, by_price.possible, "{:?}", row.end);
        let amounts = |verdict: &Verdict<'_>| -> Vec<_> {
            let costs = verdict.costs.iter();
            costs.map(|cost| (cost.amount, cost.payer)).collect()
        };
        if row.provider.is_known() {
            let payer = by_price.costs.last().map(|cost| cost.payer);
            assert_eq!(amounts(&told), [(Nanos(7), payer.unwrap())]);
        } else {
            assert_eq!(amounts(&told), amounts(&by_price), "{:?}", row.end);
        }
    }
}

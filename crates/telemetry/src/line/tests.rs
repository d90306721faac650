use bourse_ledger::record::{
    Facts, Flags, Hold, Refused, Settle, Settlement, Void, VoidReason, Voiding,
};
use bourse_vocab::{AccountId, Counts, KeyId};

use super::*;

const AT_MS: u64 = 1_800_000_000_410;

fn id() -> GenerationId {
    GenerationId::at_ms(1_800_000_000_000, 7)
}

fn attempt(status: u16, failure: Option<FailureKind>) -> AttemptFact<'static> {
    AttemptFact {
        endpoint: "acme/m@acme",
        status,
        failure,
        dispatch_ms: 40,
        end_ms: 360,
        ..AttemptFact::default()
    }
}

fn facts(attempts: Vec<AttemptFact<'static>>) -> Facts<'static> {
    let mut counts = Counts::default();
    counts.set(Count::Prompt, 100);
    counts.set(Count::Completion, 20);
    Facts {
        model: "acme/m",
        endpoint: "acme/m@acme",
        requested: "acme/m:floor",
        finish: "stop",
        counts,
        queue_ms: 10,
        latency_ms: 160,
        generation_ms: 240,
        attempts,
        ..Facts::default()
    }
}

fn voided(reason: VoidReason, facts: Facts<'static>) -> Record<'static> {
    Record::Void(Void {
        key: KeyId(9),
        held: Nanos(50_000),
        voiding: Voiding {
            id: id(),
            account: AccountId(4),
            at_ms: AT_MS,
            reason,
            costs: Vec::new(),
            possible: Vec::new(),
            facts,
        },
    })
}

#[test]
fn a_call_that_was_answered_has_its_times_tokens_and_cost() {
    let record = Record::Settle(Settle {
        key: KeyId(9),
        held: Nanos(50_000),
        paid: Nanos(8_400),
        settlement: Settlement {
            id: id(),
            account: AccountId(4),
            at_ms: AT_MS,
            charge: Nanos(8_400),
            costs: Vec::new(),
            possible: Vec::new(),
            facts: facts(vec![
                attempt(503, Some(FailureKind::Overloaded)),
                attempt(200, None),
            ]),
        },
    });
    let line = Line::of(&record).unwrap();
    assert_eq!((line.account, line.key, line.status), (4, 9, 200));
    assert_eq!((line.failure, line.attempts), (None, 2));
    assert_eq!((line.requested, line.model), ("acme/m:floor", "acme/m"));
    let times = (line.queue_ms, line.first_content_ms, line.total_ms);
    assert_eq!(times, (10, 160, 410));
    assert_eq!((line.prompt_tokens, line.completion_tokens), (100, 20));
    assert_eq!(line.cost, Nanos(8_400));
    assert!(!line.is_cached);
}

#[test]
fn an_answer_that_was_kept_says_so() {
    let facts = Facts {
        cache_source: Some(GenerationId::at_ms(1_800_000_000_000, 3)),
        ..facts(Vec::new())
    };
    let kept = voided(VoidReason::NothingDelivered, facts);
    assert!(Line::of(&kept).unwrap().is_cached);
}

#[test]
fn a_call_that_failed_or_was_left_or_refused_says_so() {
    let failed = voided(VoidReason::AttemptsFailed, facts(Vec::new()));
    let line = Line::of(&failed).unwrap();
    assert_eq!(line.status, 502);
    assert_eq!(line.failure, Some(FailureKind::Unavailable));
    assert_eq!(line.cost, Nanos::ZERO);

    let left = Facts {
        flags: Flags {
            cancelled: true,
            ..Flags::default()
        },
        ..facts(Vec::new())
    };
    let left = voided(VoidReason::CallerLeft, left);
    let line = Line::of(&left).unwrap();
    assert!(line.is_cancelled && line.failure.is_none());

    let refused = Record::Refused(Refused {
        id: id(),
        account: AccountId(4),
        key: KeyId(9),
        at_ms: AT_MS,
        failure: FailureKind::PaymentRequired,
        requested: "acme/m",
        app: "",
        unrecorded: 0,
    });
    let line = Line::of(&refused).unwrap();
    assert_eq!((line.status, line.attempts), (402, 0));
    assert_eq!((line.requested, line.model), ("acme/m", ""));
}

#[test]
fn what_is_no_end_of_a_call_has_no_line() {
    let hold = Record::Hold(Hold {
        id: id(),
        account: AccountId(4),
        key: KeyId(9),
        amount: Nanos(1),
        at_ms: AT_MS,
        model: "acme/m",
        provider: "acme",
        endpoint: "acme/m@acme",
    });
    assert_eq!(Line::of(&hold), None);
    assert_eq!(faults(&hold).count(), 0);
}

#[test]
fn what_callers_are_to_blame_for_is_no_endpoints_fault() {
    let attempts = vec![
        attempt(400, Some(FailureKind::InvalidRequest)),
        attempt(400, Some(FailureKind::ContextLengthExceeded)),
        // Not even asked: it cannot be told what was asked for.
        attempt(0, Some(FailureKind::NotFound)),
        attempt(404, Some(FailureKind::NotFound)),
        attempt(0, Some(FailureKind::Timeout)),
        attempt(503, Some(FailureKind::Overloaded)),
        attempt(200, None),
    ];
    let record = voided(VoidReason::AttemptsFailed, facts(attempts));
    let found: Vec<_> = faults(&record).map(|(_, failure)| failure).collect();
    assert_eq!(
        found,
        [
            FailureKind::NotFound,
            FailureKind::Timeout,
            FailureKind::Overloaded
        ]
    );
}

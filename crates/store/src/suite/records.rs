//! What a store keeps of records beside the bookings: failed calls, the
//! history, and who else reads them.

use bourse_ledger::Record;
use bourse_ledger::record::{AttemptFact, Facts, Refused, VoidReason};
use bourse_spool::Position;
use bourse_vocab::{FailureKind, KeyId, Nanos};

use super::{
    ACCOUNT, DAY, KEY, NOW, apply, assert_balanced, bytes, hold, id, set_up, settle, void,
};
use crate::{ActivityQuery, Batch, Store, StoreError};

/// A call that a provider failed, for nobody's money.
fn failed(n: u64) -> Record<'static> {
    let Record::Void(mut end) = void(n, 0) else {
        panic!("not a voiding")
    };
    end.voiding.reason = VoidReason::AttemptsFailed;
    end.voiding.costs.clear();
    end.voiding.facts = Facts {
        model: "a/m",
        provider: "p",
        endpoint: "e",
        failure: Some(FailureKind::Unavailable),
        attempts: vec![AttemptFact {
            model: "a/m",
            provider: "p",
            endpoint: "e",
            status: 500,
            failure: Some(FailureKind::Unavailable),
            ..AttemptFact::default()
        }],
        ..Facts::default()
    };
    Record::Void(end)
}

pub async fn failed_calls_are_kept_and_counted_beside_the_books(store: &dyn Store) {
    set_up(store, 1_000).await;
    let refused = Record::Refused(Refused {
        id: id(9),
        account: ACCOUNT,
        key: KEY,
        at_ms: NOW,
        failure: FailureKind::PaymentRequired,
        requested: "a/m",
        app: "",
        unrecorded: 0,
    });
    let records = [hold(1, 5), failed(1), hold(2, 5), failed(2), refused];
    apply(store, 0, &records).await.unwrap();
    apply(store, 5, &[hold(3, 5), failed(3)]).await.unwrap();
    let row = store.generation(id(1)).await.unwrap().unwrap();
    assert_eq!(
        (row.voided, row.failure, row.paid, row.is_in_books()),
        (
            Some(VoidReason::AttemptsFailed),
            Some(FailureKind::Unavailable),
            Nanos(0),
            false
        )
    );
    assert_eq!(bourse_ledger::record::decode(&row.record), Ok(failed(1)));
    let view = store.audit().await.unwrap();
    assert_eq!(view.generations, 0, "none of them is in the books");
    let query = ActivityQuery {
        account: ACCOUNT,
        key: None,
        first_day: DAY,
        last_day: DAY,
    };
    assert!(store.activity(query).await.unwrap().is_empty());
    let failures = store.failures(query).await.unwrap();
    let counted: Vec<_> = failures
        .iter()
        .map(|row| {
            (
                &*row.of.endpoint,
                row.of.failure,
                row.sums.calls,
                row.sums.attempts,
            )
        })
        .collect();
    let refused = FailureKind::PaymentRequired.number();
    let broken = FailureKind::Unavailable.number();
    assert_eq!(counted, [("", refused, 1, 0), ("e", broken, 3, 3)]);
    let nobody = ActivityQuery {
        key: Some(KeyId(2)),
        ..query
    };
    assert!(store.failures(nobody).await.unwrap().is_empty());
    assert_balanced(store).await;
}

pub async fn a_batch_of_another_history_is_refused(store: &dyn Store) {
    set_up(store, 1_000).await;
    let start = store.history().await.unwrap();
    assert_eq!(
        start.chain,
        bourse_ledger::Link::start(start.store, start.node)
    );
    let first = apply(store, 0, &[hold(1, 50), settle(1, 50, 20, NOW)])
        .await
        .unwrap();
    let known = store.history().await.unwrap();
    assert_eq!((known.chain, known.applied), (first.chain, Position(2)));
    assert_eq!(
        (known.chain_before, known.batch_from),
        (start.chain, Position(0))
    );
    assert_eq!(known.store, start.store);
    let owned = bytes(&[hold(2, 9)]);
    let records: Vec<&[u8]> = owned.iter().map(Vec::as_slice).collect();
    let batch = |chain| Batch {
        from: Position(2),
        to: Position(3),
        chain: Some(chain),
        records: &records,
    };
    let refused = store.apply(batch(start.chain)).await;
    let Err(error @ StoreError::OtherHistory { position: 2, .. }) = refused else {
        panic!("applied: {refused:?}")
    };
    assert!(error.to_string().contains("put back"), "{error}");
    assert_eq!(store.history().await.unwrap(), known);
    assert!(store.open_holds().await.unwrap().is_empty());
    let second = store.apply(batch(first.chain)).await.unwrap();
    assert_eq!(
        second.chain,
        first.chain.after_batch(records.iter().copied())
    );
    assert_balanced(store).await;
}

pub async fn consumers_are_remembered_by_name(store: &dyn Store) {
    assert!(store.consumers().await.unwrap().is_empty());
    store.note_consumer("s3", Some(Position(7))).await.unwrap();
    store
        .note_consumer("nats", Some(Position(3)))
        .await
        .unwrap();
    store.note_consumer("s3", Some(Position(9))).await.unwrap();
    let known = [
        ("nats".to_owned(), Position(3)),
        ("s3".to_owned(), Position(9)),
    ];
    assert_eq!(store.consumers().await.unwrap(), known);
    store.note_consumer("nats", None).await.unwrap();
    assert_eq!(store.consumers().await.unwrap(), known[1..]);
}

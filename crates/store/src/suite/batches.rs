//! Batches of calls.

use bourse_policy::KeyHash;
use bourse_vocab::{AccountId, BatchId, FileId};

use super::{ACCOUNT, Caller, NOW, set_up};
use crate::suite::files::{ROOMY, file};
use crate::{
    BatchPatch, BatchRow, BatchState, BatchesPage, Claim, FileRow, LineCounts, Purpose, Shape,
    Store, StoreError,
};

pub fn batch(n: u64, input: &FileRow) -> BatchRow {
    BatchRow {
        id: BatchId::at_ms(NOW + n, n.into()),
        account: ACCOUNT,
        key: KeyHash::of("one"),
        shape: Shape::File,
        endpoint: "/v1/chat/completions".to_owned(),
        at_vendor: true,
        input: input.id,
        output: None,
        error: None,
        state: BatchState::Validating,
        metadata: String::new(),
        faults: String::new(),
        paused: String::new(),
        counts: LineCounts::default(),
        created_at_ms: NOW + n,
        expires_at_ms: NOW + 86_400_000,
        began_at_ms: None,
        finalizing_at_ms: None,
        cancelling_at_ms: None,
        ended_at_ms: None,
    }
}

pub async fn claim(store: &dyn Store, now_ms: u64) -> Vec<BatchId> {
    claim_of(store, now_ms, 100).await
}

async fn claim_of(store: &dyn Store, now_ms: u64, count_max: usize) -> Vec<BatchId> {
    let wanted = Claim {
        now_ms,
        until_ms: now_ms + 60_000,
        count_max,
    };
    let rows = store.claim_batches(wanted).await.unwrap();
    rows.iter().map(|row| row.id).collect()
}

async fn make(store: &dyn Store, rows: impl IntoIterator<Item = BatchRow>) {
    for row in rows {
        assert!(store.create_batch(row, 100).await.unwrap());
    }
}

const fn becomes(state: BatchState, at_ms: u64) -> BatchPatch {
    BatchPatch {
        state: Some((state, at_ms)),
        counts: None,
        paused: None,
        faults: None,
        output: None,
        error: None,
    }
}

async fn listed(store: &dyn Store, page: BatchesPage) -> Vec<BatchId> {
    let rows = store.batches(page).await.unwrap();
    rows.iter().map(|row| row.id).collect()
}

const ALL: BatchesPage = BatchesPage {
    account: Some(ACCOUNT),
    shape: None,
    after: None,
    before: None,
    count_max: 10,
};

pub async fn a_batch_comes_back_as_it_was_made_and_as_it_was_changed(store: &dyn Store) {
    set_up(store, 10).await;
    let made = BatchRow {
        metadata: r#"{"team":"a"}"#.to_owned(),
        shape: Shape::Body,
        ..batch(1, &file(1))
    };
    make(store, [made.clone()]).await;
    assert_eq!(store.batch(made.id).await.unwrap(), Some(made.clone()));
    let again = store.create_batch(made.clone(), 100).await;
    assert!(matches!(again, Err(StoreError::Exists("batch"))));
    // Nobody changes it who has not claimed it.
    let begun = becomes(BatchState::InProgress, NOW + 5);
    assert_eq!(
        store.update_batch(made.id, begun.clone()).await.unwrap(),
        None
    );
    assert_eq!(claim(store, NOW).await, [made.id]);
    let counts = LineCounts {
        total: 9,
        completed: 1,
        failed: 2,
        expired: 3,
        cancelled: 1,
        at_vendor: 1,
    };
    assert_eq!(counts.open(), 2);
    let patch = BatchPatch {
        counts: Some(counts),
        paused: Some("no money".to_owned()),
        faults: Some("[]".to_owned()),
        ..begun
    };
    let changed = store.update_batch(made.id, patch).await.unwrap().unwrap();
    let expected = BatchRow {
        state: BatchState::InProgress,
        began_at_ms: Some(NOW + 5),
        counts,
        paused: "no money".to_owned(),
        faults: "[]".to_owned(),
        ..made
    };
    assert_eq!(changed, expected);
    assert_eq!(store.batch(changed.id).await.unwrap(), Some(expected));
}

pub async fn the_files_of_a_batch_are_noted_with_its_end_or_not_at_all(store: &dyn Store) {
    set_up(store, 10).await;
    let row = batch(1, &file(1));
    make(store, [row.clone()]).await;
    claim(store, NOW).await;
    let written = |n| FileRow {
        purpose: Purpose::BatchOutput,
        ..file(n)
    };
    let end = BatchPatch {
        output: Some(written(7)),
        error: Some(written(8)),
        ..becomes(BatchState::Completed, NOW + 9)
    };
    let ended = store.update_batch(row.id, end).await.unwrap().unwrap();
    assert_eq!(
        (ended.output, ended.error),
        (Some(file(7).id), Some(file(8).id))
    );
    assert_eq!(ended.ended_at_ms, Some(NOW + 9));
    assert_eq!(store.file(file(8).id).await.unwrap(), Some(written(8)));
    // One that is taken already takes the change with it.
    let other = batch(2, &file(1));
    make(store, [other.clone()]).await;
    claim(store, NOW).await;
    let clash = BatchPatch {
        output: Some(written(9)),
        error: Some(written(8)),
        ..becomes(BatchState::Completed, NOW + 9)
    };
    assert!(store.update_batch(other.id, clash).await.is_err());
    let kept = store.batch(other.id).await.unwrap().unwrap();
    assert_eq!(kept.state, BatchState::Validating);
}

pub async fn what_was_told_to_end_does_not_go_on(store: &dyn Store) {
    set_up(store, 10).await;
    let row = batch(1, &file(1));
    make(store, [row.clone()]).await;
    claim(store, NOW).await;
    let told = store.cancel_batch(row.id, NOW + 3).await.unwrap().unwrap();
    assert_eq!(
        (told.state, told.cancelling_at_ms),
        (BatchState::Cancelling, Some(NOW + 3))
    );
    let again = store.cancel_batch(row.id, NOW + 4).await.unwrap().unwrap();
    assert_eq!(again.cancelling_at_ms, Some(NOW + 3));
    for state in [
        BatchState::InProgress,
        BatchState::Finalizing,
        BatchState::Completed,
    ] {
        let patch = becomes(state, NOW + 5);
        let kept = store.update_batch(row.id, patch).await.unwrap().unwrap();
        assert_eq!(kept.state, BatchState::Cancelling);
    }
    assert!(!store.delete_batch(row.id).await.unwrap());
    let patch = becomes(BatchState::Cancelled, NOW + 6);
    let ended = store.update_batch(row.id, patch).await.unwrap().unwrap();
    assert_eq!(
        (ended.state, ended.ended_at_ms),
        (BatchState::Cancelled, Some(NOW + 6))
    );
    let late = store.cancel_batch(row.id, NOW + 7).await.unwrap().unwrap();
    assert_eq!(late, ended);
    assert!(store.delete_batch(row.id).await.unwrap());
    assert_eq!(store.batch(row.id).await.unwrap(), None);
    assert_eq!(store.cancel_batch(row.id, NOW).await.unwrap(), None);
}

pub async fn pages_of_batches_hold_each_once_from_either_end(store: &dyn Store) {
    set_up(store, 10).await;
    let body = |n| BatchRow {
        shape: Shape::Body,
        ..batch(n, &file(1))
    };
    make(store, [1, 2, 3].map(|n| batch(n, &file(1)))).await;
    make(store, [4, 5].map(body)).await;
    let id = |n| batch(n, &file(1)).id;
    assert_eq!(listed(store, ALL).await, [5, 4, 3, 2, 1].map(id));
    let page = BatchesPage {
        after: Some(id(4)),
        count_max: 2,
        ..ALL
    };
    assert_eq!(listed(store, page).await, [3, 2].map(id));
    let page = BatchesPage {
        before: Some(id(2)),
        count_max: 2,
        ..ALL
    };
    assert_eq!(listed(store, page).await, [4, 3].map(id));
    let page = BatchesPage {
        shape: Some(Shape::Body),
        ..ALL
    };
    assert_eq!(listed(store, page).await, [5, 4].map(id));
    let other = Caller::new(store, "other", 5).await.account;
    let page = BatchesPage {
        account: Some(other),
        ..ALL
    };
    assert!(listed(store, page).await.is_empty());
    let page = BatchesPage {
        account: None,
        ..ALL
    };
    assert_eq!(listed(store, page).await.len(), 5);
}

pub async fn an_account_has_no_more_open_batches_than_it_may(store: &dyn Store) {
    set_up(store, 10).await;
    let create = async |n| store.create_batch(batch(n, &file(1)), 2).await.unwrap();
    assert!(create(1).await && create(2).await);
    assert!(!create(3).await);
    claim(store, NOW).await;
    let end = becomes(BatchState::Failed, NOW);
    store
        .update_batch(batch(1, &file(1)).id, end)
        .await
        .unwrap();
    assert!(create(3).await);
    let nobodys = BatchRow {
        account: AccountId(1),
        ..batch(4, &file(1))
    };
    assert!(store.create_batch(nobodys, 9).await.is_err());
}

pub async fn claims_take_turns_between_accounts_and_keep_what_they_have(store: &dyn Store) {
    set_up(store, 10).await;
    let other = Caller::new(store, "other", 5).await.account;
    let of_other = |n| BatchRow {
        account: other,
        ..batch(n, &file(1))
    };
    make(store, [1, 2, 3].map(|n| batch(n, &file(1)))).await;
    make(store, [4, 5].map(of_other)).await;
    let id = |n| batch(n, &file(1)).id;
    assert_eq!(claim_of(store, NOW, 3).await, [1, 4, 2].map(id));
    // Again, as a node that was killed comes back to its own.
    let mut again = claim_of(store, NOW, 3).await;
    again.sort_unstable();
    assert_eq!(again, [1, 2, 4].map(id));
    let end = becomes(BatchState::Failed, NOW);
    store.update_batch(id(1), end).await.unwrap().unwrap();
    let mut next = claim_of(store, NOW, 3).await;
    next.sort_unstable();
    assert!(next.contains(&id(2)) && next.contains(&id(4)) && next.len() == 3);
}

pub async fn a_file_is_known_to_be_read_until_its_batch_has_ended(store: &dyn Store) {
    set_up(store, 10).await;
    assert_eq!(store.create_file(file(1), ROOMY).await.unwrap(), None);
    let row = batch(1, &file(1));
    make(store, [row.clone()]).await;
    assert_eq!(store.batch_reading(file(1).id).await.unwrap(), Some(row.id));
    let unread = FileId::at_ms(1, 1);
    assert_eq!(store.batch_reading(unread).await.unwrap(), None);
    claim(store, NOW).await;
    let end = becomes(BatchState::Failed, NOW);
    store.update_batch(row.id, end).await.unwrap();
    assert_eq!(store.batch_reading(file(1).id).await.unwrap(), None);
}

//! What others have changed.

use std::sync::Arc;

use bourse_policy::KeyHash;
use bourse_vocab::Nanos;

use super::{ACCOUNT, NOW, apply, hold, new_key, set_up, settle, top_up};
use crate::{KeyPatch, Store};

pub async fn changes_are_noticed_once_and_spending_is_none(store: &dyn Store) {
    assert!(store.changes_since(0).await.unwrap().is_empty());
    set_up(store, 1_000).await;
    let all = store.changes_since(0).await.unwrap();
    assert_eq!((all.accounts.len(), all.keys.len()), (1, 1));
    assert!(store.changes_since(all.seq).await.unwrap().is_empty());
    apply(store, 0, &[hold(1, 50), settle(1, 50, 20, NOW)])
        .await
        .unwrap();
    assert!(store.changes_since(all.seq).await.unwrap().is_empty());
    store.grant(top_up(ACCOUNT, 5)).await.unwrap();
    let granted = store.changes_since(all.seq).await.unwrap();
    assert_eq!((granted.accounts.len(), granted.keys.len()), (1, 0));
    assert_eq!(granted.accounts[0].granted, Nanos(1_005));
    store.delete_key(KeyHash::of("one"), NOW).await.unwrap();
    let deleted = store.changes_since(granted.seq).await.unwrap();
    assert_eq!((deleted.accounts.len(), deleted.keys.len()), (0, 1));
    assert!(deleted.keys[0].principal().disabled);
}

pub async fn every_change_raises_the_number_and_brings_its_row_alone(store: &dyn Store) {
    let account = store.create_account("one", NOW).await.unwrap().id;
    let mut seq = store.changes_since(0).await.unwrap().seq;
    assert!(seq > 0);
    let mut next = async |accounts: usize, keys: usize, what: &str| {
        let changes = store.changes_since(seq).await.unwrap();
        assert!(changes.seq > seq, "{what}");
        let found = (changes.accounts.len(), changes.keys.len());
        assert_eq!(found, (accounts, keys), "{what}");
        seq = changes.seq;
    };
    store.create_account("two", NOW).await.unwrap();
    next(1, 0, "an account").await;
    let key = new_key(account, "key");
    store.create_key(key.clone(), NOW).await.unwrap();
    next(0, 1, "a key").await;
    store.grant(top_up(account, 1)).await.unwrap();
    next(1, 0, "credit").await;
    store
        .update_key(key.hash, KeyPatch::default(), NOW)
        .await
        .unwrap();
    next(0, 1, "a patch").await;
    store.delete_key(key.hash, NOW).await.unwrap();
    next(0, 1, "a deletion").await;
}

pub async fn several_changes_of_one_row_come_as_its_last_state(store: &dyn Store) {
    set_up(store, 10).await;
    let seq = store.changes_since(0).await.unwrap().seq;
    for n in 1..=5 {
        store.grant(top_up(ACCOUNT, n)).await.unwrap();
    }
    let changes = store.changes_since(seq).await.unwrap();
    assert_eq!(changes.accounts.len(), 1);
    assert_eq!(changes.accounts[0].granted, Nanos(25));
    // Asked again from the same place, the answer is the same.
    assert_eq!(store.changes_since(seq).await.unwrap(), changes);
}

pub async fn rows_of_one_answer_are_in_the_order_of_their_ids(store: &dyn Store) {
    for n in 0..20 {
        let account = store.create_account(&n.to_string(), NOW).await.unwrap().id;
        store
            .create_key(new_key(account, &n.to_string()), NOW)
            .await
            .unwrap();
    }
    // Changed in the opposite order.
    for row in store.accounts().await.unwrap().into_iter().rev() {
        store.grant(top_up(row.id, 1)).await.unwrap();
    }
    let all = store.changes_since(0).await.unwrap();
    assert_eq!((all.accounts.len(), all.keys.len()), (20, 20));
    assert!(all.accounts.is_sorted_by_key(|row| row.id));
    assert!(all.keys.is_sorted_by_key(|row| row.id));
}

pub async fn a_number_from_the_future_brings_nothing(store: &dyn Store) {
    set_up(store, 10).await;
    for seq in [u64::MAX, i64::MAX.unsigned_abs(), 1_000_000] {
        let changes = store.changes_since(seq).await.unwrap();
        assert!(changes.is_empty(), "{seq}");
        assert!(changes.seq < seq);
    }
}

pub async fn a_follower_misses_nothing_while_others_write(store: &Arc<dyn Store>) {
    const WRITERS: u64 = 4;
    const EACH: u64 = 12;
    let mut writers = tokio::task::JoinSet::new();
    for writer in 0..WRITERS {
        let store = Arc::clone(store);
        writers.spawn(async move {
            let account = store.create_account(&writer.to_string(), NOW).await;
            let account = account.unwrap().id;
            let key = new_key(account, &format!("key {writer}"));
            store.create_key(key.clone(), NOW).await.unwrap();
            for n in 0..EACH {
                store.grant(top_up(account, 1)).await.unwrap();
                let patch = KeyPatch {
                    name: Some(format!("{n}")),
                    ..KeyPatch::default()
                };
                store.update_key(key.hash, patch, NOW + n).await.unwrap();
            }
        });
    }
    let mut seq = 0;
    let mut accounts = std::collections::BTreeMap::new();
    let mut keys = std::collections::BTreeMap::new();
    let mut follow = async || {
        let changes = store.changes_since(seq).await.unwrap();
        assert!(changes.seq >= seq);
        assert!(changes.seq > seq || changes.is_empty());
        seq = changes.seq;
        for row in changes.accounts {
            let before = accounts.insert(row.id, row.granted);
            // An older state never follows a newer one.
            assert!(before.is_none_or(|before| before < row.granted));
        }
        for row in changes.keys {
            let before = keys.insert(row.id, row.updated_at_ms);
            assert!(before.is_none_or(|before| before <= row.updated_at_ms));
        }
    };
    while !writers.is_empty() {
        follow().await;
        while let Some(done) = writers.try_join_next() {
            done.unwrap();
        }
    }
    follow().await;
    assert_eq!(accounts.len() as u64, WRITERS);
    let all = Nanos(i64::try_from(EACH).unwrap());
    assert!(
        accounts.values().all(|granted| *granted == all),
        "{accounts:?}"
    );
    assert!(
        keys.values().all(|at| *at == Some(NOW + EACH - 1)),
        "{keys:?}"
    );
}

//! The books, looked at as a whole.

use bourse_spool::Position;

use super::{ACCOUNT, Caller, NOW, apply, assert_balanced, hold, set_up, settle, top_up, void};
use crate::Store;

pub async fn an_empty_store_balances(store: &dyn Store) {
    let view = store.audit().await.unwrap();
    assert_eq!(view.applied, Position(0));
    assert!(view.posted.is_empty() && view.stored.is_empty() && view.accounts.is_empty());
    assert!(view.check().is_balanced());
}

pub async fn the_view_is_what_was_written(store: &dyn Store) {
    set_up(store, 1_000).await;
    let batch = [
        hold(1, 50),
        settle(1, 50, 20, NOW),
        hold(2, 60),
        void(2, 8),
        hold(3, 7),
    ];
    apply(store, 0, &batch).await.unwrap();
    let view = store.audit().await.unwrap();
    assert_eq!((view.applied, view.generations), (Position(5), 2));
    let one = ACCOUNT;
    assert_eq!(view.accounts[&one], (1_000, 20));
    assert_eq!(view.grants[&one], 1_000);
    assert_eq!(view.held[&one], 7);
    assert_eq!(view.activity[&one], 20);
    assert_eq!(view.keys[&one], 20);
    let calls = view.calls[&one];
    assert_eq!((calls.paid, calls.house_loss, calls.upstream), (20, 9, 28));
    assert_eq!(view.posted, view.stored);
    assert_eq!(view.posted.values().sum::<i128>(), 0);
    assert!(view.unbalanced.is_empty());
}

pub async fn every_kind_of_change_leaves_the_books_balanced(store: &dyn Store) {
    let one = Caller::new(store, "one", 10_000).await;
    let two = Caller::new(store, "two", 10_000).await;
    let mut from = 0;
    for round in 0..8_u64 {
        let caller = if round % 2 == 0 { one } else { two };
        let n = round * 10;
        let mut batch = caller.call(n, 10, NOW).to_vec();
        batch.push(caller.hold(n + 1, 30, NOW));
        if round > 1 {
            let before = n - 20 + 1;
            batch.push(caller.settle(before, 30, 25, NOW));
        }
        apply(store, from, &batch).await.unwrap();
        from += batch.len() as u64;
        store.grant(top_up(caller.account, 100)).await.unwrap();
        store.grant(top_up(caller.account, -30)).await.unwrap();
        assert_balanced(store).await;
    }
}

//! Daily sums.

use bourse_policy::{KeyHash, SpentByDay};
use bourse_vocab::{AccountId, KeyId, Nanos};

use super::{
    ACCOUNT, Caller, DAY, KEY, NOW, apply, assert_balanced, hold, new_key, set_up, settle,
};
use crate::{ActivityQuery, Store};

const DAY_MS: u64 = 86_400_000;

pub async fn daily_sums_and_key_counters_follow_every_batch(store: &dyn Store) {
    set_up(store, 1_000).await;
    let tomorrow = NOW + 86_400_000;
    apply(store, 0, &[hold(1, 50), settle(1, 50, 20, NOW)])
        .await
        .unwrap();
    // A payment counts on the day of its hold, not of its settlement.
    let rest = [
        hold(2, 50),
        settle(2, 50, 5, NOW),
        hold(3, 50),
        settle(3, 50, 7, tomorrow),
        Caller::FIRST.hold(4, 50, tomorrow),
        settle(4, 50, 11, tomorrow + 1),
    ];
    apply(store, 2, &rest).await.unwrap();
    let query = ActivityQuery {
        account: ACCOUNT,
        key: None,
        first_day: DAY,
        last_day: DAY + 1,
    };
    let rows = store.activity(query).await.unwrap();
    let sums: Vec<_> = rows
        .iter()
        .map(|row| (row.of.day, row.sums.requests, row.sums.paid.0))
        .collect();
    assert_eq!(sums, [(DAY, 3, 32), (DAY + 1, 1, 11)]);
    assert_eq!(
        (rows[0].sums.prompt, rows[0].sums.cached, &*rows[0].of.model),
        (30, 3, "a/m")
    );
    let first_only = ActivityQuery {
        last_day: DAY,
        key: Some(KEY),
        ..query
    };
    assert_eq!(store.activity(first_only).await.unwrap().len(), 1);
    let nobody = ActivityQuery {
        key: Some(KeyId(2)),
        ..query
    };
    assert!(store.activity(nobody).await.unwrap().is_empty());
    let key = store
        .key_by_hash(KeyHash::of("one"))
        .await
        .unwrap()
        .unwrap();
    let days = vec![(DAY, Nanos(32)), (DAY + 1, Nanos(11))];
    let spent = SpentByDay {
        total: Nanos(43),
        days,
    };
    assert_eq!(key.spent, spent);
    assert_eq!(key.last_used_at_ms, Some(tomorrow + 1));
    let used = store.keys_used_since(tomorrow + 1, 9).await.unwrap();
    assert_eq!(used, [key]);
    let later = store.keys_used_since(tomorrow + 2, 9).await.unwrap();
    assert!(later.is_empty());
    assert_balanced(store).await;
}

fn of(account: AccountId) -> ActivityQuery {
    ActivityQuery {
        account,
        key: None,
        first_day: 0,
        last_day: u64::MAX,
    }
}

pub async fn an_account_without_calls_has_no_sums(store: &dyn Store) {
    assert!(store.activity(of(ACCOUNT)).await.unwrap().is_empty());
    set_up(store, 10).await;
    assert!(store.activity(of(ACCOUNT)).await.unwrap().is_empty());
}

pub async fn sums_are_in_the_order_of_day_and_bytes(store: &dyn Store) {
    let caller = Caller::new(store, "default", 1_000).await;
    // What a dictionary and a byte order disagree about.
    let models = ["b", "B", "a", "\u{e9}", "_", "Z", "a-b", "a b", "ab"];
    let mut batch = Vec::new();
    for (n, model) in (0..).zip(models) {
        let caller = Caller { model, ..caller };
        batch.extend(caller.call(n, 1, NOW + n % 2 * DAY_MS));
    }
    apply(store, 0, &batch).await.unwrap();
    let rows = store.activity(of(caller.account)).await.unwrap();
    let found: Vec<_> = rows
        .iter()
        .map(|row| (row.of.day, &*row.of.model))
        .collect();
    let mut expected: Vec<_> = (0..)
        .zip(models)
        .map(|(n, model)| (DAY + n % 2, model))
        .collect();
    expected.sort_unstable();
    assert_eq!(found, expected);
}

pub async fn keys_of_an_account_are_summed_or_told_apart(store: &dyn Store) {
    let first = Caller::new(store, "default", 1_000).await;
    let key = store
        .create_key(new_key(first.account, "two"), NOW)
        .await
        .unwrap()
        .id;
    let second = Caller { key, ..first };
    let stranger = Caller::new(store, "other", 1_000).await;
    let mut batch = first.call(1, 10, NOW).to_vec();
    batch.extend(second.call(2, 20, NOW));
    batch.extend(second.call(3, 30, NOW));
    batch.extend(stranger.call(4, 40, NOW));
    apply(store, 0, &batch).await.unwrap();
    let sums = async |key| {
        let query = ActivityQuery {
            key,
            ..of(first.account)
        };
        let rows = store.activity(query).await.unwrap();
        let rows = rows.iter();
        rows.map(|row| (row.of.key, row.sums.requests, row.sums.paid.0))
            .collect::<Vec<_>>()
    };
    assert_eq!(sums(None).await, [(first.key, 3, 60)]);
    assert_eq!(sums(Some(first.key)).await, [(first.key, 1, 10)]);
    assert_eq!(sums(Some(second.key)).await, [(second.key, 2, 50)]);
    // Another account's key has no sums in this one.
    assert!(sums(Some(stranger.key)).await.is_empty());
    assert!(sums(Some(KeyId(u64::from(u32::MAX)))).await.is_empty());
    assert_balanced(store).await;
}

pub async fn a_span_of_days_has_both_its_ends(store: &dyn Store) {
    let caller = Caller::new(store, "default", 1_000).await;
    let mut batch = Vec::new();
    for n in 0..5 {
        batch.extend(caller.call(n, 1, NOW + n * DAY_MS));
    }
    apply(store, 0, &batch).await.unwrap();
    let days = async |first_day, last_day| {
        let query = ActivityQuery {
            first_day,
            last_day,
            ..of(caller.account)
        };
        let rows = store.activity(query).await.unwrap();
        rows.iter().map(|row| row.of.day - DAY).collect::<Vec<_>>()
    };
    assert_eq!(days(DAY + 1, DAY + 3).await, [1, 2, 3]);
    assert_eq!(days(DAY + 2, DAY + 2).await, [2]);
    assert!(days(0, DAY - 1).await.is_empty());
    assert!(days(DAY + 3, DAY + 1).await.is_empty());
    assert_eq!(days(DAY + 4, u64::MAX).await, [4]);
}

pub async fn midnight_belongs_to_the_day_that_begins(store: &dyn Store) {
    let caller = Caller::new(store, "default", 1_000).await;
    let midnight = (DAY + 1) * DAY_MS;
    let mut batch = caller.call(1, 10, midnight - 1).to_vec();
    batch.extend(caller.call(2, 20, midnight));
    apply(store, 0, &batch).await.unwrap();
    let rows = store.activity(of(caller.account)).await.unwrap();
    let found: Vec<_> = rows.iter().map(|row| (row.of.day, row.sums.paid)).collect();
    assert_eq!(found, [(DAY, Nanos(10)), (DAY + 1, Nanos(20))]);
}

pub async fn sums_grow_with_every_batch(store: &dyn Store) {
    let caller = Caller::new(store, "default", 1_000_000).await;
    let mut from = 0;
    let (mut requests, mut paid) = (0, 0);
    for round in 0..6_u64 {
        let mut batch = Vec::new();
        for n in 0..=round * 5 {
            let amount = i64::try_from(n + 1).unwrap();
            batch.extend(caller.call(round * 1_000 + n, amount, NOW));
            requests += 1;
            paid += amount;
        }
        apply(store, from, &batch).await.unwrap();
        from += batch.len() as u64;
        let rows = store.activity(of(caller.account)).await.unwrap();
        assert_eq!(rows.len(), 1);
        let sums = rows[0].sums;
        assert_eq!((sums.requests, sums.paid), (requests, Nanos(paid)));
        assert_eq!(
            (sums.prompt, sums.completion),
            (requests * 10, requests * 5)
        );
    }
    assert_balanced(store).await;
}

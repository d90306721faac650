//! Several at once.

use std::sync::Arc;

use bourse_policy::KeyHash;
use bourse_spool::Position;
use bourse_vocab::{AccountId, Nanos};
use tokio::task::JoinSet;

use super::{Caller, NOW, apply, assert_balanced, new_key, top_up};
use crate::{KeyPatch, Store, StoreError};

/// Runs `count` of the same at once.
async fn at_once<T, F>(
    count: u64,
    store: &Arc<dyn Store>,
    one: impl Fn(Arc<dyn Store>, u64) -> F,
) -> Vec<T>
where
    T: Send + 'static,
    F: Future<Output = T> + Send + 'static,
{
    let mut tasks = JoinSet::new();
    for n in 0..count {
        tasks.spawn(one(Arc::clone(store), n));
    }
    tasks.join_all().await
}

pub async fn of_many_accounts_with_one_name_one_is_made(store: &Arc<dyn Store>) {
    for round in 0..5 {
        let made = at_once(8, store, |store, _| async move {
            store.create_account(&format!("name {round}"), NOW).await
        });
        let made = made.await;
        let good: Vec<_> = made.iter().filter_map(|one| one.as_ref().ok()).collect();
        assert_eq!(good.len(), 1);
        let others = made.iter().filter_map(|one| one.as_ref().err());
        for error in others {
            assert!(matches!(error, StoreError::Exists("account")), "{error}");
        }
        let name = format!("name {round}");
        let found = store.account_by_name(&name).await.unwrap();
        assert_eq!(found.as_ref(), good.first().copied());
    }
}

pub async fn accounts_and_keys_made_at_once_have_ids_of_their_own(store: &Arc<dyn Store>) {
    let made = at_once(8, store, |store, n| async move {
        let mut ids = Vec::new();
        for m in 0..4 {
            let name = format!("{n}.{m}");
            let account = store.create_account(&name, NOW).await.unwrap().id;
            let key = store
                .create_key(new_key(account, &name), NOW)
                .await
                .unwrap();
            ids.push((account, key.id));
        }
        ids
    });
    let ids: Vec<_> = made.await.into_iter().flatten().collect();
    let mut accounts: Vec<_> = ids.iter().map(|(account, _)| *account).collect();
    let mut keys: Vec<_> = ids.iter().map(|(_, key)| *key).collect();
    accounts.sort_unstable();
    keys.sort_unstable();
    accounts.dedup();
    keys.dedup();
    assert_eq!((accounts.len(), keys.len()), (32, 32));
    assert_eq!(store.accounts().await.unwrap().len(), 32);
}

pub async fn of_many_keys_with_one_hash_one_is_made(store: &Arc<dyn Store>) {
    let account = store.create_account("default", NOW).await.unwrap().id;
    let made = at_once(8, store, move |store, _| async move {
        store.create_key(new_key(account, "same"), NOW).await
    });
    let made = made.await;
    assert_eq!(made.iter().filter(|one| one.is_ok()).count(), 1);
    let others = made.into_iter().filter_map(Result::err);
    for error in others {
        assert!(matches!(error, StoreError::Exists("key")), "{error}");
    }
    assert_eq!(store.keys(None, true, 0, 10).await.unwrap().len(), 1);
}

pub async fn a_reference_grants_once_however_many_try(store: &Arc<dyn Store>) {
    let account = store.create_account("default", NOW).await.unwrap().id;
    let granted = at_once(8, store, move |store, _| async move {
        let mut invoice = top_up(account, 500);
        invoice.reference = Some("invoice".to_owned());
        store.grant(invoice).await
    });
    for one in granted.await {
        assert_eq!(one.unwrap().granted, Nanos(500));
    }
    assert_balanced(&**store).await;
}

pub async fn of_many_amounts_under_one_reference_one_is_granted(store: &Arc<dyn Store>) {
    let account = store.create_account("default", NOW).await.unwrap().id;
    let granted = at_once(8, store, move |store, n| async move {
        let mut invoice = top_up(account, i64::try_from(n).unwrap() + 1);
        invoice.reference = Some("invoice".to_owned());
        store.grant(invoice).await
    });
    let granted = granted.await;
    let good: Vec<_> = granted.iter().filter_map(|one| one.as_ref().ok()).collect();
    assert_eq!(good.len(), 1);
    let others = granted.iter().filter_map(|one| one.as_ref().err());
    for error in others {
        assert!(matches!(error, StoreError::Exists(_)), "{error}");
    }
    let row = store.account(account).await.unwrap().unwrap();
    assert_eq!(row.granted, good[0].granted);
    assert_balanced(&**store).await;
}

pub async fn no_credit_is_lost_between_many_who_grant(store: &Arc<dyn Store>) {
    let one = store.create_account("one", NOW).await.unwrap().id;
    let two = store.create_account("two", NOW).await.unwrap().id;
    at_once(8, store, move |store, n| async move {
        for m in 0..6 {
            let account = if (n + m) % 2 == 0 { one } else { two };
            store.grant(top_up(account, 10)).await.unwrap();
        }
    })
    .await;
    for account in [one, two] {
        let row = store.account(account).await.unwrap().unwrap();
        assert_eq!(row.granted, Nanos(240));
    }
    assert_balanced(&**store).await;
}

pub async fn changes_to_one_key_do_not_undo_each_other(store: &Arc<dyn Store>) {
    let account = store.create_account("default", NOW).await.unwrap().id;
    store
        .create_key(new_key(account, "one"), NOW)
        .await
        .unwrap();
    at_once(3, store, |store, n| async move {
        for m in 1..=8_u64 {
            let mut patch = KeyPatch::default();
            match n {
                0 => patch.name = Some(format!("name {m}")),
                1 => patch.limit = Some(Some(Nanos(i64::try_from(m).unwrap()))),
                _ => patch.include_byok_in_limit = Some(m % 2 == 0),
            }
            let hash = KeyHash::of("one");
            store
                .update_key(hash, patch, NOW + m)
                .await
                .unwrap()
                .unwrap();
        }
    })
    .await;
    let row = store
        .key_by_hash(KeyHash::of("one"))
        .await
        .unwrap()
        .unwrap();
    let found = (
        row.key.name.as_str(),
        row.key.limit,
        row.key.include_byok_in_limit,
    );
    assert_eq!(found, ("name 8", Some(Nanos(8)), true));
}

pub async fn a_key_is_deleted_by_one_of_many(store: &Arc<dyn Store>) {
    let account = store.create_account("default", NOW).await.unwrap().id;
    store
        .create_key(new_key(account, "one"), NOW)
        .await
        .unwrap();
    let deleted = at_once(6, store, |store, _| async move {
        store.delete_key(KeyHash::of("one"), NOW).await.unwrap()
    });
    let deleted = deleted.await;
    assert_eq!(deleted.into_iter().filter(|done| *done).count(), 1);
}

pub async fn one_batch_is_applied_once_however_many_apply_it(store: &Arc<dyn Store>) {
    let caller = Caller::new(&**store, "default", 1_000_000).await;
    for round in 0..4_u64 {
        let applied = at_once(6, store, move |store, _| async move {
            let mut batch = Vec::new();
            for n in 0..20 {
                batch.extend(caller.call(round * 100 + n, 2, NOW));
            }
            apply(&*store, round * 40, &batch).await
        });
        let applied: Vec<_> = applied.await.into_iter().map(Result::unwrap).collect();
        let counted = applied.iter().filter(|done| done.records > 0).count();
        assert_eq!(counted, 1, "{applied:?}");
        let end = Position((round + 1) * 40);
        assert!(applied.iter().all(|done| done.position == end));
    }
    let row = store.account(caller.account).await.unwrap().unwrap();
    assert_eq!(row.spent, Nanos(4 * 20 * 2));
    assert_balanced(&**store).await;
}

pub async fn different_batches_from_one_place_are_told_apart(store: &Arc<dyn Store>) {
    let caller = Caller::new(&**store, "default", 1_000_000).await;
    let applied = at_once(6, store, move |store, n| async move {
        // Each longer than the one before.
        let calls = (0..=n).flat_map(|m| caller.call(n * 100 + m, 1, NOW));
        let batch: Vec<_> = calls.collect();
        apply(&*store, 0, &batch).await
    });
    let mut taken = 0;
    for one in applied.await {
        match one {
            Ok(done) if done.records > 0 => taken += 1,
            // A shorter one than the one that was taken.
            Ok(done) => assert_eq!(done.records, 0),
            Err(error) => assert!(matches!(error, StoreError::Gap { from: 0, .. }), "{error}"),
        }
    }
    assert_eq!(taken, 1);
    assert_balanced(&**store).await;
}

pub async fn the_books_balance_at_every_moment_that_anybody_looks(store: &Arc<dyn Store>) {
    let caller = Caller::new(&**store, "default", 1_000_000).await;
    let applier = {
        let store = Arc::clone(store);
        tokio::spawn(async move {
            let mut from = 0;
            for n in 0..15_u64 {
                let batch = caller.call(n, 3, NOW);
                apply(&*store, from, &batch).await.unwrap();
                from += 2;
            }
        })
    };
    let granter = {
        let store = Arc::clone(store);
        tokio::spawn(async move {
            for n in 0..15_u64 {
                store.grant(top_up(caller.account, 7)).await.unwrap();
                let name = format!("{n}");
                store
                    .create_key(new_key(caller.account, &name), NOW)
                    .await
                    .unwrap();
            }
        })
    };
    while !applier.is_finished() || !granter.is_finished() {
        assert_balanced(&**store).await;
    }
    applier.await.unwrap();
    granter.await.unwrap();
    let row = store.account(caller.account).await.unwrap().unwrap();
    assert_eq!((row.granted, row.spent), (Nanos(1_000_105), Nanos(45)));
    assert_balanced(&**store).await;
}

pub async fn readers_see_whole_rows_while_others_write(store: &Arc<dyn Store>) {
    let caller = Caller::new(&**store, "default", 0).await;
    let writer = {
        let store = Arc::clone(store);
        tokio::spawn(async move {
            for n in 0..20_u64 {
                // Name and limit always say the same number.
                let patch = KeyPatch {
                    name: Some(n.to_string()),
                    limit: Some(Some(Nanos(i64::try_from(n).unwrap()))),
                    ..KeyPatch::default()
                };
                let hash = KeyHash::of("default");
                store.update_key(hash, patch, NOW).await.unwrap().unwrap();
            }
        })
    };
    while !writer.is_finished() {
        let rows = at_once(3, store, |store, _| async move {
            store
                .key_by_hash(KeyHash::of("default"))
                .await
                .unwrap()
                .unwrap()
        });
        for row in rows.await {
            assert_eq!(row.id, caller.key);
            if let Some(limit) = row.key.limit {
                assert_eq!(row.key.name, limit.0.to_string());
            }
        }
    }
    writer.await.unwrap();
}

pub async fn an_account_may_be_asked_for_while_it_is_made(store: &Arc<dyn Store>) {
    let maker = {
        let store = Arc::clone(store);
        tokio::spawn(async move {
            for n in 0..20 {
                store.create_account(&format!("{n:02}"), NOW).await.unwrap();
            }
        })
    };
    let mut most = 0;
    while !maker.is_finished() {
        let rows = store.accounts().await.unwrap();
        assert!(rows.len() >= most && rows.is_sorted_by_key(|row| row.id));
        most = rows.len();
        // Those that are there are the first ones, without a hole.
        let names: Vec<_> = rows.into_iter().map(|row| row.name).collect();
        let expected: Vec<_> = (0..names.len()).map(|n| format!("{n:02}")).collect();
        assert_eq!(names, expected);
    }
    maker.await.unwrap();
    assert_eq!(store.account(AccountId(0)).await.unwrap(), None);
}

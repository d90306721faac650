//! What a store must do. One macro line runs all of it for a backend:
//! `store_suite!(fresh)`, where `fresh` is an async function that makes an
//! empty store and whatever keeps it alive.

use bourse_ledger::record::{
    Checkpoint, Cost, Extend, Facts, Hold, Payer, Settle, Settlement, Void, VoidReason, Voiding,
    encode,
};
use bourse_ledger::{GrantKind, Record};
use bourse_policy::{KeyHash, KeyKind, Period};
use bourse_spool::Position;
use bourse_vocab::{AccountId, GenerationId, KeyId, Nanos, Usage};

use crate::{ActivityQuery, Batch, Grant, KeyPatch, NewKey, SettledPage, Store, StoreError};

/// 21 November 2026, 12:00 UTC.
pub const NOW: u64 = 1_795_262_400_000;
pub const DAY: u64 = NOW / 86_400_000;

pub fn id(n: u64) -> GenerationId {
    GenerationId::new(NOW / 1000, n.into())
}

pub fn new_key(account: AccountId, name: &str) -> NewKey {
    NewKey {
        account,
        hash: KeyHash::of(name),
        label: format!("sk-bourse-v1-{name}...xyz"),
        name: name.to_owned(),
        kind: KeyKind::Inference,
        limit: None,
        limit_reset: None,
        include_byok_in_limit: false,
        expires_at_ms: None,
    }
}

pub fn top_up(account: AccountId, amount: i64) -> Grant {
    Grant {
        account,
        kind: GrantKind::TopUp,
        amount: Nanos(amount),
        note: "test".to_owned(),
        reference: None,
        at_ms: NOW,
    }
}

pub fn hold(n: u64, amount: i64) -> Record<'static> {
    Record::Hold(Hold {
        id: id(n),
        account: AccountId(1),
        key: KeyId(1),
        amount: Nanos(amount),
        at_ms: NOW,
        model: "a/m",
        provider: "p",
        endpoint: "e",
    })
}

pub fn settle(n: u64, held: i64, paid: i64, at_ms: u64) -> Record<'static> {
    let usage = Usage {
        prompt: 10,
        completion: 5,
        reasoning: 2,
        cache_read: 1,
        ..Usage::default()
    };
    let facts = Facts {
        model: "a/m",
        provider: "p",
        endpoint: "e",
        usage,
        ..Facts::default()
    };
    Record::Settle(Settle {
        key: KeyId(1),
        held: Nanos(held),
        paid: Nanos(paid),
        settlement: Settlement {
            id: id(n),
            account: AccountId(1),
            at_ms,
            charge: Nanos(paid + 1),
            costs: vec![Cost {
                provider: "p",
                amount: Nanos(paid),
                payer: Payer::Customer,
            }],
            possible: vec![Cost {
                provider: "q",
                amount: Nanos(9),
                payer: Payer::House,
            }],
            facts,
        },
    })
}

pub fn void(n: u64, cost: i64) -> Record<'static> {
    Record::Void(Void {
        key: KeyId(1),
        held: Nanos(0),
        voiding: Voiding {
            id: id(n),
            account: AccountId(1),
            at_ms: NOW,
            reason: VoidReason::NothingDelivered,
            costs: vec![Cost {
                provider: "p",
                amount: Nanos(cost),
                payer: Payer::House,
            }],
            possible: Vec::new(),
        },
    })
}

pub fn bytes(records: &[Record<'_>]) -> Vec<Vec<u8>> {
    let encoded = records.iter().map(|record| {
        let mut out = Vec::new();
        encode(record, &mut out);
        out
    });
    encoded.collect()
}

/// An account with credit and a key, numbers 1 and 1.
pub async fn set_up(store: &dyn Store, credit: i64) {
    let account = store.create_account("default", NOW).await.unwrap();
    store
        .create_key(new_key(account.id, "one"), NOW)
        .await
        .unwrap();
    store.grant(top_up(account.id, credit)).await.unwrap();
    assert_eq!(account.id, AccountId(1));
}

/// Applies records from `from` on; each counts one in the position.
pub async fn apply(
    store: &dyn Store,
    from: u64,
    records: &[Record<'_>],
) -> Result<crate::Applied, StoreError> {
    let owned = bytes(records);
    let records: Vec<&[u8]> = owned.iter().map(Vec::as_slice).collect();
    let to = Position(from + records.len() as u64);
    store
        .apply(Batch {
            from: Position(from),
            to,
            records: &records,
        })
        .await
}

pub async fn assert_balanced(store: &dyn Store) {
    let report = store.audit().await.unwrap().check();
    assert!(report.is_balanced(), "{:#?}", report.differences);
    assert!(report.compared > 5);
}

pub async fn accounts_are_created_found_and_granted_credit(store: &dyn Store) {
    let account = store.create_account("default", NOW).await.unwrap();
    let again = store.create_account("default", NOW).await;
    assert!(matches!(again, Err(StoreError::Exists("account"))));
    let other = store.create_account("other", NOW).await.unwrap();
    assert_ne!(account.id, other.id);
    assert_eq!(
        store.account_by_name("other").await.unwrap(),
        Some(other.clone())
    );
    assert_eq!(store.account(AccountId(99)).await.unwrap(), None);
    let mut gift = top_up(account.id, 500);
    gift.reference = Some("invoice 1".to_owned());
    assert_eq!(store.grant(gift.clone()).await.unwrap().granted, Nanos(500));
    assert_eq!(store.grant(gift).await.unwrap().granted, Nanos(500));
    let mut promo = top_up(account.id, 50);
    promo.kind = GrantKind::Promo;
    store.grant(promo).await.unwrap();
    let back = store.grant(top_up(account.id, -100)).await.unwrap();
    assert_eq!((back.granted, back.spent), (Nanos(450), Nanos::ZERO));
    assert!(store.grant(top_up(AccountId(99), 1)).await.is_err());
    assert!(store.grant(top_up(account.id, i64::MAX)).await.is_err());
    assert_eq!(store.accounts().await.unwrap(), [back, other]);
    assert_balanced(store).await;
}

pub async fn keys_are_created_found_changed_and_deleted(store: &dyn Store) {
    let account = store.create_account("default", NOW).await.unwrap().id;
    let mut wanted = new_key(account, "one");
    wanted.kind = KeyKind::Management;
    wanted.limit = Some(Nanos(7));
    wanted.limit_reset = Some(Period::Weekly);
    wanted.expires_at_ms = Some(NOW + 1);
    let row = store.create_key(wanted.clone(), NOW).await.unwrap();
    assert_eq!((row.key.clone(), row.created_at_ms), (wanted.clone(), NOW));
    assert_eq!(
        store.key_by_hash(wanted.hash).await.unwrap(),
        Some(row.clone())
    );
    assert_eq!(store.key_by_hash(KeyHash::of("none")).await.unwrap(), None);
    let twice = store.create_key(wanted.clone(), NOW).await;
    assert!(matches!(twice, Err(StoreError::Exists("key"))));
    let orphan = store
        .create_key(new_key(AccountId(99), "orphan"), NOW)
        .await;
    assert!(matches!(orphan, Err(StoreError::NotFound("account"))));

    let two = store
        .create_key(new_key(account, "two"), NOW)
        .await
        .unwrap();
    let patch = KeyPatch {
        name: Some("new".to_owned()),
        disabled: Some(true),
        limit: Some(None),
        limit_reset: Some(None),
        include_byok_in_limit: Some(true),
    };
    let changed = store
        .update_key(wanted.hash, patch, NOW + 5)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(changed.limit(), None);
    assert_eq!(
        (changed.disabled, changed.updated_at_ms),
        (true, Some(NOW + 5))
    );
    assert_eq!(
        store.key_by_hash(wanted.hash).await.unwrap(),
        Some(changed.clone())
    );
    let none = KeyPatch::default();
    assert_eq!(
        store
            .update_key(KeyHash::of("none"), none, NOW)
            .await
            .unwrap(),
        None
    );

    let all = store.keys(Some(account), true, 0, 10).await.unwrap();
    assert_eq!(all, [two.clone(), changed.clone()]);
    assert_eq!(store.keys(None, true, 1, 10).await.unwrap(), [changed]);
    assert_eq!(
        store.keys(Some(account), false, 0, 10).await.unwrap(),
        [two]
    );
    assert!(
        store
            .keys(Some(AccountId(99)), true, 0, 10)
            .await
            .unwrap()
            .is_empty()
    );

    assert!(store.delete_key(wanted.hash, NOW + 6).await.unwrap());
    assert!(!store.delete_key(wanted.hash, NOW + 7).await.unwrap());
    assert_eq!(store.key_by_hash(wanted.hash).await.unwrap(), None);
    assert_eq!(store.keys(None, true, 0, 10).await.unwrap().len(), 1);
}

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
    store.grant(top_up(AccountId(1), 5)).await.unwrap();
    let granted = store.changes_since(all.seq).await.unwrap();
    assert_eq!((granted.accounts.len(), granted.keys.len()), (1, 0));
    assert_eq!(granted.accounts[0].granted, Nanos(1_005));
    store.delete_key(KeyHash::of("one"), NOW).await.unwrap();
    let deleted = store.changes_since(granted.seq).await.unwrap();
    assert_eq!((deleted.accounts.len(), deleted.keys.len()), (0, 1));
    assert!(deleted.keys[0].principal().disabled);
}

pub async fn a_batch_is_applied_once(store: &dyn Store) {
    set_up(store, 1_000).await;
    let batch = [hold(1, 50), settle(1, 50, 20, NOW), hold(2, 60)];
    let done = apply(store, 0, &batch).await.unwrap();
    assert_eq!(
        (done.position, done.records, done.repeated),
        (Position(3), 3, 0)
    );
    let again = apply(store, 0, &batch).await.unwrap();
    assert_eq!((again.position, again.records), (Position(3), 0));
    assert_eq!(store.applied().await.unwrap(), Position(3));
    let account = store.account(AccountId(1)).await.unwrap().unwrap();
    assert_eq!(account.spent, Nanos(20));
    let gap = apply(store, 5, &[hold(3, 1)]).await;
    assert!(matches!(
        gap,
        Err(StoreError::Gap {
            applied: 3,
            from: 5
        })
    ));
    // The end of a call that is known to have ended changes nothing.
    let late = apply(store, 3, &[settle(1, 50, 20, NOW), void(9, 5)])
        .await
        .unwrap();
    assert_eq!(late.repeated, 2);
    assert_eq!(
        store.account(AccountId(1)).await.unwrap().unwrap().spent,
        Nanos(20)
    );
    assert_balanced(store).await;
}

pub async fn a_call_may_span_batches(store: &dyn Store) {
    set_up(store, 1_000).await;
    let extend = Record::Extend(Extend {
        id: id(1),
        extra: Nanos(5),
    });
    let checkpoint = Checkpoint {
        id: id(1),
        charge: Nanos(11),
        upstream: Nanos(10),
        prompt: 3,
        completion: 4,
    };
    apply(store, 0, &[hold(1, 50), hold(2, 60), extend])
        .await
        .unwrap();
    assert_balanced(store).await;
    apply(store, 3, &[Record::Checkpoint(checkpoint)])
        .await
        .unwrap();
    let open = store.open_holds().await.unwrap();
    let amounts: Vec<_> = open.iter().map(|hold| (hold.id, hold.amount.0)).collect();
    assert_eq!(amounts, [(id(1), 55), (id(2), 60)]);
    assert_eq!(open[0].checkpoint, Some(checkpoint));
    assert_eq!(
        (&*open[1].model, &*open[1].provider, open[1].at_ms),
        ("a/m", "p", NOW)
    );
    apply(store, 4, &[settle(1, 55, 30, NOW), void(2, 8)])
        .await
        .unwrap();
    assert!(store.open_holds().await.unwrap().is_empty());
    assert_balanced(store).await;
    let voided = store.generation(id(2)).await.unwrap().unwrap();
    assert_eq!(
        (voided.paid, voided.house_loss, voided.upstream),
        (Nanos(0), Nanos(8), Nanos(8))
    );
}

pub async fn finished_calls_are_found_with_their_whole_record(store: &dyn Store) {
    set_up(store, 1_000).await;
    let end = settle(1, 50, 20, NOW + 7);
    apply(
        store,
        0,
        &[hold(1, 50), end.clone(), hold(2, 9), settle(2, 9, 1, NOW)],
    )
    .await
    .unwrap();
    let row = store.generation(id(1)).await.unwrap().unwrap();
    assert_eq!(bourse_ledger::record::decode(&row.record), Ok(end));
    assert_eq!((row.created_at_ms, row.settled_at_ms), (NOW, NOW + 7));
    assert_eq!(
        (row.charge, row.paid, row.house_loss),
        (Nanos(21), Nanos(20), Nanos(1))
    );
    assert_eq!(
        (row.prompt, row.completion, row.reasoning, row.cached),
        (10, 5, 2, 1)
    );
    assert_eq!(store.generation(id(77)).await.unwrap(), None);
    let newest = store.generations(AccountId(1), 1).await.unwrap();
    assert_eq!(newest.iter().map(|row| row.id).collect::<Vec<_>>(), [id(2)]);
    assert!(store.generations(AccountId(9), 5).await.unwrap().is_empty());
    let all = SettledPage {
        from_ms: 0,
        before_ms: u64::MAX,
        after: None,
        count_max: 100,
    };
    let settled = async |page| -> Vec<_> {
        let rows = store.generations_settled(page).await.unwrap();
        rows.iter().map(|row| row.id).collect()
    };
    let ids = settled(all).await;
    assert!(ids.contains(&id(2)) && ids.is_sorted(), "{ids:?}");
    for (at, one) in ids.iter().enumerate() {
        let page = SettledPage {
            after: at.checked_sub(1).map(|before| ids[before]),
            count_max: 1,
            ..all
        };
        assert_eq!(settled(page).await, [*one]);
    }
    let until = SettledPage {
        before_ms: row.settled_at_ms,
        ..all
    };
    assert!(!settled(until).await.contains(&row.id));
    let from = SettledPage {
        from_ms: row.settled_at_ms,
        ..all
    };
    assert!(settled(from).await.contains(&row.id));
    let questions = store.unreconciled(5).await.unwrap();
    assert_eq!(questions.len(), 2);
    assert_eq!((questions[0].id, &*questions[0].provider), (id(1), "q"));
}

pub async fn daily_sums_and_key_counters_follow_every_batch(store: &dyn Store) {
    set_up(store, 1_000).await;
    let tomorrow = NOW + 86_400_000;
    apply(store, 0, &[hold(1, 50), settle(1, 50, 20, NOW)])
        .await
        .unwrap();
    let rest = [
        hold(2, 50),
        settle(2, 50, 5, NOW),
        hold(3, 50),
        settle(3, 50, 7, tomorrow),
    ];
    apply(store, 2, &rest).await.unwrap();
    let query = ActivityQuery {
        account: AccountId(1),
        key: None,
        first_day: DAY,
        last_day: DAY + 1,
    };
    let rows = store.activity(query).await.unwrap();
    let sums: Vec<_> = rows
        .iter()
        .map(|row| (row.of.day, row.sums.requests, row.sums.paid.0))
        .collect();
    assert_eq!(sums, [(DAY, 2, 25), (DAY + 1, 1, 7)]);
    assert_eq!(
        (rows[0].sums.prompt, rows[0].sums.cached, &*rows[0].of.model),
        (20, 2, "a/m")
    );
    let first_only = ActivityQuery {
        last_day: DAY,
        key: Some(KeyId(1)),
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
    assert_eq!((key.spent.total, key.spent.day), (Nanos(32), Nanos(7)));
    assert_eq!(key.last_used_at_ms, Some(tomorrow));
    assert_balanced(store).await;
}

pub async fn a_batch_that_fails_leaves_nothing_behind(store: &dyn Store) {
    set_up(store, 1_000).await;
    let records: [&[u8]; 2] = [&bytes(&[hold(1, 50)])[0], b"junk"];
    let batch = Batch {
        from: Position(0),
        to: Position(2),
        records: &records,
    };
    assert!(matches!(
        store.apply(batch).await,
        Err(StoreError::Record(_))
    ));
    assert_eq!(store.applied().await.unwrap(), Position(0));
    assert!(store.open_holds().await.unwrap().is_empty());
    assert_balanced(store).await;
}

pub async fn large_batches_of_many_sizes_balance(store: &dyn Store) {
    set_up(store, 1_000_000_000).await;
    let mut from = 0;
    let mut paid = 0;
    for (round, calls) in [1u64, 9, 100, 700].into_iter().enumerate() {
        let mut records = Vec::new();
        for n in 0..calls {
            let n = round as u64 * 10_000 + n;
            let amount = i64::try_from(n % 97).unwrap() + 1;
            records.push(hold(n, amount));
            match n % 5 {
                0 => records.push(void(n, 3)),
                1 => {}
                _ => {
                    paid += amount;
                    records.push(settle(n, amount, amount, NOW));
                }
            }
        }
        apply(store, from, &records).await.unwrap();
        from += records.len() as u64;
    }
    let account = store.account(AccountId(1)).await.unwrap().unwrap();
    assert_eq!(account.spent, Nanos(paid));
    assert_balanced(store).await;
}

/// Runs every statement above for one backend.
macro_rules! store_suite {
    ($fresh:path) => {
        $crate::suite::store_suite!($fresh:
            accounts_are_created_found_and_granted_credit,
            keys_are_created_found_changed_and_deleted,
            changes_are_noticed_once_and_spending_is_none,
            a_batch_is_applied_once,
            a_call_may_span_batches,
            finished_calls_are_found_with_their_whole_record,
            daily_sums_and_key_counters_follow_every_batch,
            a_batch_that_fails_leaves_nothing_behind,
            large_batches_of_many_sizes_balance,
        );
    };
    ($fresh:path: $($statement:ident),+ $(,)?) => {
        $(
            #[tokio::test]
            async fn $statement() {
                let (store, _alive) = $fresh().await;
                $crate::suite::$statement(&store).await;
            }
        )+
    };
}
pub(crate) use store_suite;

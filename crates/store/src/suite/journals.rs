//! Batches of the journal.

use bourse_ledger::Record;
use bourse_ledger::record::{Checkpoint, Dispatch, Extend};
use bourse_policy::KeyHash;
use bourse_spool::Position;
use bourse_vocab::{AccountId, KeyId, Nanos};

use super::{ACCOUNT, Caller, NOW, apply, assert_balanced, bytes, hold, id, set_up, settle, void};
use crate::journal::BATCH_RECORDS_MAX;
use crate::{Applied, Batch, Store, StoreError};

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
    let account = store.account(ACCOUNT).await.unwrap().unwrap();
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
        store.account(ACCOUNT).await.unwrap().unwrap().spent,
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

pub async fn a_batch_that_fails_leaves_nothing_behind(store: &dyn Store) {
    set_up(store, 1_000).await;
    let records: [&[u8]; 2] = [&bytes(&[hold(1, 50)])[0], b"junk"];
    let batch = Batch {
        from: Position(0),
        to: Position(2),
        chain: None,
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
    let account = store.account(ACCOUNT).await.unwrap().unwrap();
    assert_eq!(account.spent, Nanos(paid));
    assert_balanced(store).await;
}

pub async fn an_empty_store_has_applied_nothing(store: &dyn Store) {
    assert_eq!(store.applied().await.unwrap(), Position(0));
    assert!(store.open_holds().await.unwrap().is_empty());
    assert!(store.unreconciled(10).await.unwrap().is_empty());
}

pub async fn a_batch_without_records_moves_the_position(store: &dyn Store) {
    set_up(store, 10).await;
    let none = |from, to| Batch {
        from: Position(from),
        to: Position(to),
        chain: None,
        records: &[],
    };
    let nothing = store.apply(none(0, 0)).await.unwrap();
    let expected = Applied {
        position: Position(0),
        chain: store.history().await.unwrap().chain,
        records: 0,
        repeated: 0,
    };
    assert_eq!(nothing, expected);
    let moved = store.apply(none(0, 7)).await.unwrap();
    assert_eq!((moved.position, moved.records), (Position(7), 0));
    assert_eq!(store.applied().await.unwrap(), Position(7));
    assert_balanced(store).await;
}

pub async fn a_batch_that_overlaps_what_was_applied_is_a_gap(store: &dyn Store) {
    set_up(store, 1_000).await;
    apply(store, 0, &[hold(1, 5), hold(2, 5), hold(3, 5)])
        .await
        .unwrap();
    for from in [0, 1, 2, 4, 1_000] {
        let batch = [hold(10, 1), hold(11, 1), hold(12, 1), hold(13, 1)];
        let refused = apply(store, from, &batch).await;
        let gap = matches!(refused, Err(StoreError::Gap { applied: 3, from: at }) if at == from);
        assert!(gap, "{from}: {refused:?}");
    }
    assert_eq!(store.open_holds().await.unwrap().len(), 3);
    assert_eq!(store.applied().await.unwrap(), Position(3));
    apply(store, 3, &[hold(4, 5)]).await.unwrap();
    assert_balanced(store).await;
}

pub async fn positions_are_as_large_as_a_database_can_count(store: &dyn Store) {
    set_up(store, 1_000).await;
    let records = bytes(&[hold(1, 5)]);
    let records: Vec<&[u8]> = records.iter().map(Vec::as_slice).collect();
    let far = Position(i64::MAX.unsigned_abs() - 1);
    let jump = Batch {
        from: Position(0),
        to: far,
        chain: None,
        records: &records,
    };
    assert_eq!(store.apply(jump).await.unwrap().position, far);
    assert_eq!(store.applied().await.unwrap(), far);
    assert_eq!(store.apply(jump).await.unwrap().records, 0);
    assert_balanced(store).await;
}

pub async fn a_payment_of_an_unknown_account_changes_nothing(store: &dyn Store) {
    set_up(store, 1_000).await;
    let stranger = Caller {
        account: AccountId(99),
        ..Caller::FIRST
    };
    let mut batch = Caller::FIRST.call(1, 5, NOW).to_vec();
    batch.extend(stranger.call(2, 5, NOW));
    let refused = apply(store, 0, &batch).await;
    let expected = matches!(refused, Err(StoreError::NotFound("account")));
    assert!(expected, "{refused:?}");
    assert_nothing_applied(store).await;
}

pub async fn a_payment_with_an_unknown_key_changes_nothing(store: &dyn Store) {
    set_up(store, 1_000).await;
    let stranger = Caller {
        key: KeyId(99),
        ..Caller::FIRST
    };
    let mut batch = Caller::FIRST.call(1, 5, NOW).to_vec();
    batch.extend(stranger.call(2, 5, NOW));
    let refused = apply(store, 0, &batch).await;
    assert!(
        matches!(refused, Err(StoreError::NotFound("key"))),
        "{refused:?}"
    );
    assert_nothing_applied(store).await;
}

async fn assert_nothing_applied(store: &dyn Store) {
    assert_eq!(store.applied().await.unwrap(), Position(0));
    assert!(store.open_holds().await.unwrap().is_empty());
    assert_eq!(store.generation(id(1)).await.unwrap(), None);
    let account = store.account(ACCOUNT).await.unwrap().unwrap();
    assert_eq!(account.spent, Nanos(0));
    let key = store
        .key_by_hash(KeyHash::of("one"))
        .await
        .unwrap()
        .unwrap();
    assert_eq!((key.spent.total, key.last_used_at_ms), (Nanos(0), None));
    assert_balanced(store).await;
    // The same position takes a batch that is right.
    apply(store, 0, &Caller::FIRST.call(1, 5, NOW))
        .await
        .unwrap();
    assert_balanced(store).await;
}

pub async fn spending_out_of_range_changes_nothing(store: &dyn Store) {
    let rich = Caller::new(store, "rich", i64::MAX).await;
    // A call is worth a little more than it pays.
    let half = i64::MAX / 2 - 10;
    apply(store, 0, &rich.call(1, half, NOW)).await.unwrap();
    apply(store, 2, &rich.call(2, half, NOW)).await.unwrap();
    let refused = apply(store, 4, &rich.call(3, half, NOW)).await;
    assert!(
        matches!(refused, Err(StoreError::Journal(_))),
        "{refused:?}"
    );
    assert_eq!(store.applied().await.unwrap(), Position(4));
    let row = store.account(rich.account).await.unwrap().unwrap();
    assert_eq!(row.spent, Nanos(half * 2));
    assert_eq!(store.generation(id(3)).await.unwrap(), None);
}

pub async fn a_hold_keeps_its_way_through_providers(store: &dyn Store) {
    set_up(store, 1_000).await;
    let to = |provider| {
        Record::Dispatch(Dispatch {
            id: id(1),
            model: "a/m",
            provider,
            endpoint: "e",
        })
    };
    apply(store, 0, &[hold(1, 50)]).await.unwrap();
    apply(store, 1, &[to("q"), to("r")]).await.unwrap();
    apply(store, 3, &[to("s")]).await.unwrap();
    let open = store.open_holds().await.unwrap();
    let earlier: Vec<&str> = open[0].earlier.iter().map(|slug| &**slug).collect();
    assert_eq!(
        (earlier.as_slice(), &*open[0].provider),
        (&["p", "q", "r"][..], "s")
    );
    apply(store, 4, &[settle(1, 50, 20, NOW)]).await.unwrap();
    assert!(store.open_holds().await.unwrap().is_empty());
    assert_balanced(store).await;
}

pub async fn the_last_checkpoint_wins_and_a_hold_without_one_has_none(store: &dyn Store) {
    set_up(store, 1_000).await;
    let checkpoint = |charge, prompt| {
        Record::Checkpoint(Checkpoint {
            id: id(1),
            charge: Nanos(charge),
            upstream: Nanos(charge - 1),
            prompt,
            completion: 0,
        })
    };
    apply(store, 0, &[hold(1, 50), hold(2, 50), checkpoint(3, 1)])
        .await
        .unwrap();
    apply(store, 3, &[checkpoint(9, u64::from(u32::MAX))])
        .await
        .unwrap();
    let open = store.open_holds().await.unwrap();
    let found = open[0].checkpoint.unwrap();
    assert_eq!(
        (found.charge, found.prompt),
        (Nanos(9), u64::from(u32::MAX))
    );
    assert_eq!(open[1].checkpoint, None);
}

pub async fn a_list_of_checkpoints_reaches_every_hold_that_it_names(store: &dyn Store) {
    set_up(store, 1_000).await;
    let checkpoint = |n, charge| Checkpoint {
        id: id(n),
        charge: Nanos(charge),
        upstream: Nanos(charge - 1),
        prompt: 1,
        completion: 2,
    };
    // Of holds of an earlier batch and of its own, of one that is to end and
    // of one that nobody knows.
    apply(store, 0, &[hold(1, 50), hold(2, 50), hold(3, 50)])
        .await
        .unwrap();
    let list = [(1, 5), (3, 6), (4, 7), (99, 8)].map(|(n, charge)| checkpoint(n, charge));
    let batch = [
        hold(4, 50),
        Record::Checkpoints(list.to_vec()),
        settle(3, 50, 20, NOW),
    ];
    let applied = apply(store, 3, &batch).await.unwrap();
    assert_eq!(applied.repeated, 1, "what is said of nobody");
    apply(store, 6, &[Record::Checkpoints(vec![checkpoint(1, 9)])])
        .await
        .unwrap();
    let open = store.open_holds().await.unwrap();
    let told: Vec<_> = open.iter().map(|hold| (hold.id, hold.checkpoint)).collect();
    let expected = [
        (id(1), Some(checkpoint(1, 9))),
        (id(2), None),
        (id(4), Some(checkpoint(4, 7))),
    ];
    assert_eq!(told, expected);
    assert_balanced(store).await;
}

pub async fn holds_come_back_in_the_order_of_their_ids(store: &dyn Store) {
    set_up(store, 100_000).await;
    let mut batch: Vec<_> = (0..200).map(|n| hold(n * 7 % 200, 1)).collect();
    batch.push(void(3, 0));
    batch.push(settle(5, 1, 1, NOW));
    apply(store, 0, &batch).await.unwrap();
    let open = store.open_holds().await.unwrap();
    assert_eq!(open.len(), 198);
    assert!(open.is_sorted_by_key(|hold| hold.id));
    assert!(!open.iter().any(|hold| hold.id == id(3) || hold.id == id(5)));
    assert_balanced(store).await;
}

pub async fn what_is_repeated_is_counted_and_left_out(store: &dyn Store) {
    set_up(store, 1_000).await;
    let extend = Record::Extend(Extend {
        id: id(1),
        extra: Nanos(5),
    });
    let batch = [hold(1, 50), extend, settle(1, 55, 20, NOW)];
    apply(store, 0, &batch).await.unwrap();
    // The same calls, written down once more: the end is known, and so is
    // the beginning once it has an end in the same batch.
    let again = [settle(1, 55, 20, NOW), void(1, 0), settle(7, 1, 1, NOW)];
    let again = apply(store, 3, &again).await.unwrap();
    assert_eq!(again.repeated, 3);
    let row = store.account(ACCOUNT).await.unwrap().unwrap();
    assert_eq!(row.spent, Nanos(20));
    assert_eq!(store.generations(ACCOUNT, 10).await.unwrap().len(), 1);
    assert_balanced(store).await;
}

pub async fn the_longest_batch_over_many_accounts_is_taken_whole(store: &dyn Store) {
    let mut callers = Vec::new();
    for n in 0..40 {
        callers.push(Caller::new(store, &n.to_string(), 1_000_000).await);
    }
    let mut batch = Vec::new();
    let mut expected = vec![0_i64; callers.len()];
    for n in 0..BATCH_RECORDS_MAX as u64 / 2 {
        let at = usize::try_from(n).unwrap() % callers.len();
        let paid = i64::try_from(n).unwrap() % 89 + 1;
        expected[at] += paid;
        batch.extend(callers[at].call(n, paid, NOW));
    }
    assert_eq!(batch.len(), BATCH_RECORDS_MAX);
    let done = apply(store, 0, &batch).await.unwrap();
    assert_eq!(done.records, BATCH_RECORDS_MAX as u64);
    for (caller, spent) in callers.iter().zip(expected) {
        let row = store.account(caller.account).await.unwrap().unwrap();
        assert_eq!(row.spent, Nanos(spent));
    }
    let view = store.audit().await.unwrap();
    assert_eq!(view.generations, BATCH_RECORDS_MAX as u64 / 2);
    assert_balanced(store).await;
}

pub async fn many_small_batches_are_one_large_one(store: &dyn Store) {
    let caller = Caller::new(store, "default", 1_000_000).await;
    let mut from = 0;
    for n in 0..60_u64 {
        // One, two or three records at a time, calls cut in the middle.
        let records = match n % 3 {
            0 => vec![caller.hold(n, 3, NOW)],
            1 => vec![caller.settle(n - 1, 3, 2, NOW), caller.hold(n, 3, NOW)],
            _ => vec![
                caller.hold(n, 3, NOW),
                caller.settle(n - 1, 3, 1, NOW),
                caller.settle(n, 3, 3, NOW),
            ],
        };
        apply(store, from, &records).await.unwrap();
        from += records.len() as u64;
    }
    assert_eq!(store.applied().await.unwrap(), Position(from));
    let row = store.account(caller.account).await.unwrap().unwrap();
    assert_eq!(row.spent, Nanos(20 * (2 + 1 + 3)));
    assert!(store.open_holds().await.unwrap().is_empty());
    assert_balanced(store).await;
}

pub async fn records_that_cannot_be_read_are_refused_wherever_they_stand(store: &dyn Store) {
    set_up(store, 1_000).await;
    let good = bytes(&[hold(1, 50), settle(1, 50, 20, NOW)]);
    let cut = &good[1][..good[1].len() - 1];
    for records in [
        [&b""[..], &good[0], &good[1]],
        [&good[0], b"junk", &good[1]],
        [&good[0], &good[1], cut],
    ] {
        let refused = store
            .apply(Batch {
                from: Position(0),
                to: Position(3),
                chain: None,
                records: &records,
            })
            .await;
        assert!(matches!(refused, Err(StoreError::Record(_))), "{refused:?}");
    }
    assert_nothing_applied(store).await;
}

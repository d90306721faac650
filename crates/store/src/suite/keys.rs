//! API keys.

use bourse_policy::{CallDefaults, KeyHash, KeyKind, Period};
use bourse_vocab::{AccountId, Nanos};

use super::{Caller, NOW, apply, assert_balanced, new_key, set_up};
use crate::{External, KeyPatch, KeyRow, Store, StoreError};

pub async fn keys_are_created_found_changed_and_deleted(store: &dyn Store) {
    let account = store.create_account("default", NOW).await.unwrap().id;
    let mut wanted = new_key(account, "one");
    wanted.kind = KeyKind::Management;
    wanted.limit = Some(Nanos(7));
    wanted.limit_reset = Some(Period::Weekly);
    wanted.expires_at_ms = Some(NOW + 1);
    wanted.external = Some(External {
        user: "Zoë".to_owned(),
        key_hash: Some(KeyHash::of("theirs")),
    });
    wanted.calls.continues = Some(true);
    wanted.calls.strict = true;
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
        expires_at_ms: Some(Some(NOW + 9)),
        continues: Some(None),
        hedges: Some(Some(false)),
        strict: None,
    };
    let changed = store
        .update_key(wanted.hash, patch, NOW + 5)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(changed.limit(), None);
    assert_eq!(changed.key.expires_at_ms, Some(NOW + 9));
    assert_eq!(changed.key.external, wanted.external);
    assert_eq!(
        changed.principal().calls,
        CallDefaults {
            continues: None,
            hedges: Some(false),
            strict: true,
        }
    );
    assert_eq!(
        (changed.disabled, changed.updated_at_ms),
        (true, Some(NOW + 5))
    );
    assert_eq!(
        store.key_by_hash(wanted.hash).await.unwrap(),
        Some(changed.clone())
    );
    let lenient = KeyPatch {
        strict: Some(false),
        ..KeyPatch::default()
    };
    let changed = store.update_key(wanted.hash, lenient, NOW + 5).await;
    let changed = changed.unwrap().unwrap();
    assert!(!changed.principal().calls.strict);
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

/// Seven keys of two accounts, the third of them disabled and the fourth
/// deleted.
async fn seven(store: &dyn Store) -> (AccountId, AccountId) {
    let one = store.create_account("one", NOW).await.unwrap().id;
    let two = store.create_account("two", NOW).await.unwrap().id;
    for n in 1..=7_u64 {
        let account = if n % 2 == 1 { one } else { two };
        let key = new_key(account, &n.to_string());
        store.create_key(key, NOW + n).await.unwrap();
    }
    let disable = KeyPatch {
        disabled: Some(true),
        ..KeyPatch::default()
    };
    let third = KeyHash::of("3");
    store
        .update_key(third, disable, NOW)
        .await
        .unwrap()
        .unwrap();
    assert!(store.delete_key(KeyHash::of("4"), NOW).await.unwrap());
    (one, two)
}

fn names(rows: &[KeyRow]) -> Vec<&str> {
    rows.iter().map(|row| row.key.name.as_str()).collect()
}

pub async fn pages_of_every_size_hold_every_key_once_newest_first(store: &dyn Store) {
    let (one, two) = seven(store).await;
    for (account, disabled, expected) in [
        (None, true, &["7", "6", "5", "3", "2", "1"][..]),
        (None, false, &["7", "6", "5", "2", "1"]),
        (Some(one), true, &["7", "5", "3", "1"]),
        (Some(one), false, &["7", "5", "1"]),
        (Some(two), true, &["6", "2"]),
    ] {
        for size in 1..=8_u64 {
            let mut found = Vec::new();
            for page in 0.. {
                let rows = store
                    .keys(account, disabled, page * size, size)
                    .await
                    .unwrap();
                assert!(rows.len() as u64 <= size);
                if rows.is_empty() {
                    break;
                }
                found.extend(rows);
            }
            assert_eq!(names(&found), expected, "pages of {size}");
        }
    }
}

pub async fn pages_beyond_the_end_and_of_no_size_are_empty(store: &dyn Store) {
    seven(store).await;
    for (offset, count) in [(6, 10), (u64::MAX, 10), (0, 0), (u64::MAX, u64::MAX)] {
        let rows = store.keys(None, true, offset, count).await.unwrap();
        assert!(rows.is_empty(), "{count} after {offset}");
    }
    let all = store.keys(None, true, 0, u64::MAX).await.unwrap();
    assert_eq!(all.len(), 6);
}

pub async fn a_deleted_key_is_found_nowhere_and_its_hash_stays_taken(store: &dyn Store) {
    let account = store.create_account("default", NOW).await.unwrap().id;
    let key = new_key(account, "one");
    let row = store.create_key(key.clone(), NOW).await.unwrap();
    let before = store.changes_since(0).await.unwrap().seq;
    assert!(store.delete_key(key.hash, NOW + 1).await.unwrap());
    assert_eq!(store.key_by_hash(key.hash).await.unwrap(), None);
    assert!(store.keys(None, true, 0, 10).await.unwrap().is_empty());
    let patch = KeyPatch {
        disabled: Some(false),
        ..KeyPatch::default()
    };
    assert_eq!(store.update_key(key.hash, patch, NOW).await.unwrap(), None);
    let again = store.create_key(key, NOW).await;
    assert!(matches!(again, Err(StoreError::Exists("key"))));
    let changes = store.changes_since(before).await.unwrap();
    assert_eq!(changes.keys.len(), 1);
    assert_eq!(changes.keys[0].id, row.id);
    assert_eq!(changes.keys[0].deleted_at_ms, Some(NOW + 1));
    assert!(changes.keys[0].principal().disabled);
}

pub async fn a_patch_changes_what_it_names_and_nothing_else(store: &dyn Store) {
    let account = store.create_account("default", NOW).await.unwrap().id;
    let mut wanted = new_key(account, "one");
    wanted.limit = Some(Nanos(7));
    wanted.limit_reset = Some(Period::Daily);
    wanted.include_byok_in_limit = true;
    let mut row = store.create_key(wanted.clone(), NOW).await.unwrap();
    let patches: [fn(&mut KeyPatch, &mut KeyRow); 7] = [
        |patch, row| {
            patch.name = Some("two".to_owned());
            row.key.name = "two".to_owned();
        },
        |patch, row| {
            patch.disabled = Some(true);
            row.disabled = true;
        },
        |patch, row| {
            patch.limit = Some(Some(Nanos(i64::MAX)));
            row.key.limit = Some(Nanos(i64::MAX));
        },
        |patch, row| {
            patch.limit_reset = Some(Some(Period::Monthly));
            row.key.limit_reset = Some(Period::Monthly);
        },
        |patch, row| {
            patch.include_byok_in_limit = Some(false);
            row.key.include_byok_in_limit = false;
        },
        |patch, row| {
            patch.limit = Some(None);
            row.key.limit = None;
        },
        |patch, row| {
            patch.limit_reset = Some(None);
            row.key.limit_reset = None;
        },
    ];
    for (at_ms, change) in (NOW + 1..).zip(patches) {
        let mut patch = KeyPatch::default();
        change(&mut patch, &mut row);
        row.updated_at_ms = Some(at_ms);
        row.change_seq += 1;
        let changed = store.update_key(wanted.hash, patch, at_ms).await.unwrap();
        assert_eq!(changed.as_ref(), Some(&row));
        assert_eq!(store.key_by_hash(wanted.hash).await.unwrap(), changed);
    }
    let none = store
        .update_key(wanted.hash, KeyPatch::default(), NOW)
        .await;
    row.updated_at_ms = Some(NOW);
    row.change_seq += 1;
    assert_eq!(none.unwrap(), Some(row));
}

pub async fn every_period_kind_and_extreme_comes_back_as_it_was(store: &dyn Store) {
    let account = store.create_account("default", NOW).await.unwrap().id;
    let mut count = 0;
    for reset in [
        None,
        Some(Period::Daily),
        Some(Period::Weekly),
        Some(Period::Monthly),
    ] {
        for limit in [None, Some(Nanos(0)), Some(Nanos(i64::MAX))] {
            for expires_at_ms in [None, Some(0), Some(i64::MAX.unsigned_abs())] {
                count += 1;
                let mut key = new_key(account, &format!("{count}"));
                key.kind = if count % 2 == 0 {
                    KeyKind::Management
                } else {
                    KeyKind::Inference
                };
                key.limit = limit;
                key.limit_reset = reset;
                key.expires_at_ms = expires_at_ms;
                let row = store.create_key(key.clone(), NOW).await.unwrap();
                assert_eq!(row.key, key);
                assert_eq!(store.key_by_hash(key.hash).await.unwrap(), Some(row));
            }
        }
    }
    assert_eq!(store.keys(None, true, 0, 100).await.unwrap().len(), count);
}

pub async fn hashes_are_told_apart_to_the_last_bit(store: &dyn Store) {
    let account = store.create_account("default", NOW).await.unwrap().id;
    // Bytes that a text could not hold.
    let mut hashes = vec![KeyHash([0; 32]), KeyHash([0xff; 32])];
    for bit in [0_u8, 1, 7] {
        let mut hash = [0; 32];
        hash[31] = 1 << bit;
        hashes.push(KeyHash(hash));
    }
    for (n, hash) in hashes.iter().enumerate() {
        let mut key = new_key(account, &n.to_string());
        key.hash = *hash;
        store.create_key(key, NOW).await.unwrap();
    }
    for (n, hash) in hashes.iter().enumerate() {
        let found = store.key_by_hash(*hash).await.unwrap().unwrap();
        assert_eq!(found.key.name, n.to_string());
    }
}

pub async fn texts_of_people_come_back_as_they_were(store: &dyn Store) {
    let account = store.create_account("default", NOW).await.unwrap().id;
    for (n, name) in [
        "",
        " ",
        "\u{5e9}\u{5dc}\u{5d5}\u{5dd}",
        "a\u{300}\u{301}",
        "\u{1f9d1}\u{200d}\u{1f680}",
        "'\"\\",
        "\u{fffd}",
    ]
    .into_iter()
    .enumerate()
    {
        let mut key = new_key(account, &n.to_string());
        key.name = name.to_owned();
        key.label = format!("sk-{name}");
        let row = store.create_key(key.clone(), NOW).await.unwrap();
        assert_eq!(row.key, key);
    }
    let mut long = new_key(account, "long");
    long.name = "x".repeat(100_000);
    assert_eq!(store.create_key(long.clone(), NOW).await.unwrap().key, long);
    let mut nul = new_key(account, "nul");
    nul.name = "a\0b".to_owned();
    let refused = store.create_key(nul, NOW).await;
    assert!(matches!(refused, Err(StoreError::Unstorable { .. })));
    let patch = KeyPatch {
        name: Some("\0".to_owned()),
        ..KeyPatch::default()
    };
    let refused = store.update_key(long.hash, patch, NOW).await;
    assert!(matches!(refused, Err(StoreError::Unstorable { .. })));
    assert_eq!(
        store.key_by_hash(long.hash).await.unwrap().unwrap().key,
        long
    );
}

pub async fn an_unknown_key_has_no_row_and_deleting_it_is_no_change(store: &dyn Store) {
    set_up(store, 10).await;
    let none = KeyHash::of("none");
    assert_eq!(store.key_by_hash(none).await.unwrap(), None);
    assert!(!store.delete_key(none, NOW).await.unwrap());
    let changes = store.changes_since(0).await.unwrap();
    assert_eq!(changes.keys.len(), 1);
}

pub async fn a_key_counts_what_it_spent_by_period_and_ever(store: &dyn Store) {
    let caller = Caller::new(store, "default", 1_000_000).await;
    let day = 86_400_000;
    // A Thursday in the middle of a month, then the next day, the next
    // Monday and the first of the next month.
    let start = 1_795_046_400_000;
    let moments = [
        start,
        start + 1,
        start + day,
        start + 4 * day,
        start + 12 * day,
    ];
    let mut from = 0;
    for (n, at_ms) in (1..).zip(moments) {
        apply(store, from, &caller.call(n, 10, at_ms))
            .await
            .unwrap();
        from += 2;
        let key = store
            .key_by_hash(KeyHash::of("default"))
            .await
            .unwrap()
            .unwrap();
        let mut expected = bourse_policy::SpentByDay::default();
        for earlier in &moments[..usize::try_from(n).unwrap()] {
            expected.add(bourse_policy::day_of(*earlier), Nanos(10));
        }
        assert_eq!(key.spent, expected, "after {n}");
        assert_eq!(key.last_used_at_ms, Some(at_ms));
    }
    assert_balanced(store).await;
}

pub async fn keys_of_one_batch_are_counted_apart(store: &dyn Store) {
    let one = Caller::new(store, "one", 1_000).await;
    let two = Caller::new(store, "two", 1_000).await;
    let mut batch = Vec::new();
    for n in 0..10 {
        let caller = if n % 3 == 0 { one } else { two };
        batch.extend(caller.call(n, 5, NOW));
    }
    apply(store, 0, &batch).await.unwrap();
    let total = async |name: &str| {
        let key = store.key_by_hash(KeyHash::of(name)).await.unwrap();
        key.unwrap().spent.total
    };
    assert_eq!(total("one").await, Nanos(20));
    assert_eq!(total("two").await, Nanos(30));
    assert_balanced(store).await;
}

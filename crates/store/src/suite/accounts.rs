//! Accounts and credit.

use bourse_ledger::GrantKind;
use bourse_vocab::{AccountId, Nanos};

use super::{ACCOUNT, NOW, apply, assert_balanced, hold, set_up, settle, top_up};
use crate::texts::UNIQUE_BYTES_MAX;
use crate::{Store, StoreError};

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

pub async fn grants_are_listed_newest_first_with_whom_and_why(store: &dyn Store) {
    let one = store.create_account("one", NOW).await.unwrap();
    let two = store.create_account("two", NOW).await.unwrap();
    let mut all = Vec::new();
    for (nth, account) in [one.id, two.id, one.id].into_iter().enumerate() {
        let mut grant = top_up(account, 100 + i64::try_from(nth).unwrap());
        grant.at_ms = NOW + nth as u64;
        grant.note = format!("note {nth}");
        grant.reference = (nth == 1).then(|| "invoice".to_owned());
        store.grant(grant.clone()).await.unwrap();
        all.insert(0, grant);
    }
    // Booked once, whatever is asked.
    store.grant(all[1].clone()).await.unwrap();
    let listed = store.grants(None, 10).await.unwrap();
    let grants: Vec<_> = listed.iter().map(|row| row.grant.clone()).collect();
    assert_eq!(grants, all);
    let names: Vec<_> = listed.iter().map(|row| row.account_name.as_str()).collect();
    assert_eq!(names, ["one", "two", "one"]);
    let of_one = store.grants(Some(one.id), 1).await.unwrap();
    assert_eq!(of_one.len(), 1);
    assert_eq!(of_one[0].grant, all[0]);
    let nobody = AccountId(99);
    assert!(store.grants(Some(nobody), 10).await.unwrap().is_empty());
}

pub async fn an_empty_store_has_no_accounts(store: &dyn Store) {
    assert!(store.accounts().await.unwrap().is_empty());
    assert_eq!(store.account(ACCOUNT).await.unwrap(), None);
    assert_eq!(store.account_by_name("default").await.unwrap(), None);
    assert_eq!(store.account_by_name("").await.unwrap(), None);
}

pub async fn names_differ_if_one_byte_does(store: &dyn Store) {
    // Composed and decomposed, large and small, with and without space,
    // beyond the basic plane, and what a pattern or a quote could be.
    let names = [
        "caf\u{e9}",
        "cafe\u{301}",
        "Caf\u{e9}",
        "cafe",
        "cafe ",
        "\u{1f980}",
        "\u{1f980}\u{fe0f}",
        "%",
        "_",
        "'; DROP TABLE accounts; --",
        "\\",
        "\t\n",
        "$1",
        "",
    ];
    for name in names {
        let row = store.create_account(name, NOW).await.unwrap();
        assert_eq!(row.name, name);
    }
    for name in names {
        let found = store.account_by_name(name).await.unwrap().unwrap();
        assert_eq!(found.name, name);
        assert_eq!(store.account(found.id).await.unwrap(), Some(found));
        let again = store.create_account(name, NOW).await;
        assert!(
            matches!(again, Err(StoreError::Exists("account"))),
            "{name:?}"
        );
    }
    let all: Vec<_> = store.accounts().await.unwrap();
    assert_eq!(all.len(), names.len());
    assert!(all.is_sorted_by_key(|row| row.id));
}

pub async fn the_longest_name_is_kept_whole_and_a_longer_one_refused(store: &dyn Store) {
    // Random letters, so that no database can make them shorter.
    let mut state = 7_u64;
    let mut letter = || {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        char::from(b'a' + u8::try_from((state >> 33) % 26).unwrap())
    };
    let longest: String = (0..UNIQUE_BYTES_MAX).map(|_| letter()).collect();
    store.create_account(&longest, NOW).await.unwrap();
    let found = store.account_by_name(&longest).await.unwrap().unwrap();
    assert_eq!(found.name, longest);
    let mut credit = top_up(found.id, 5);
    credit.reference = Some(longest.clone());
    store.grant(credit.clone()).await.unwrap();
    let longer = format!("{longest}x");
    let refused = store.create_account(&longer, NOW).await;
    assert!(matches!(refused, Err(StoreError::Unstorable { .. })));
    credit.reference = Some(longer);
    let refused = store.grant(credit).await;
    assert!(matches!(refused, Err(StoreError::Unstorable { .. })));
    assert_eq!(store.accounts().await.unwrap().len(), 1);
    assert_balanced(store).await;
}

pub async fn a_nul_character_is_refused_before_anything_is_written(store: &dyn Store) {
    let account = store.create_account("default", NOW).await.unwrap().id;
    let seq = store.changes_since(0).await.unwrap().seq;
    let mut refused = Vec::new();
    refused.push(store.create_account("a\0b", NOW).await.unwrap_err());
    let mut note = top_up(account, 1);
    note.note = "a\0b".to_owned();
    refused.push(store.grant(note).await.unwrap_err());
    let mut reference = top_up(account, 1);
    reference.reference = Some("\0".to_owned());
    refused.push(store.grant(reference).await.unwrap_err());
    for error in refused {
        let is_that = matches!(error, StoreError::Unstorable { .. });
        assert!(is_that && error.to_string().contains("NUL"), "{error}");
    }
    assert_eq!(store.changes_since(0).await.unwrap().seq, seq);
    assert_eq!(
        store.account(account).await.unwrap().unwrap().granted,
        Nanos(0)
    );
}

pub async fn moments_at_the_ends_of_time_come_back_as_they_were(store: &dyn Store) {
    for (at_ms, name) in [
        (0, "first"),
        (i64::MAX.unsigned_abs(), "last"),
        (NOW, "now"),
    ] {
        let row = store.create_account(name, at_ms).await.unwrap();
        assert_eq!(row.created_at_ms, at_ms);
        let found = store.account(row.id).await.unwrap().unwrap();
        assert_eq!(found.created_at_ms, at_ms);
        let mut credit = top_up(row.id, 5);
        credit.at_ms = at_ms;
        store.grant(credit).await.unwrap();
    }
    assert_balanced(store).await;
}

pub async fn a_reference_grants_once_whatever_comes_between(store: &dyn Store) {
    let account = store.create_account("default", NOW).await.unwrap().id;
    let mut invoice = top_up(account, 500);
    invoice.reference = Some("invoice 1".to_owned());
    let mut other = top_up(account, 70);
    other.reference = Some("invoice 2".to_owned());
    for _ in 0..3 {
        store.grant(invoice.clone()).await.unwrap();
        store.grant(other.clone()).await.unwrap();
    }
    // Another note, another moment: the same grant, told again.
    invoice.note = "sent again".to_owned();
    invoice.at_ms = NOW + 1;
    let row = store.grant(invoice).await.unwrap();
    assert_eq!(row.granted, Nanos(570));
    // Without a reference, every grant is one more.
    store.grant(top_up(account, 1)).await.unwrap();
    let row = store.grant(top_up(account, 1)).await.unwrap();
    assert_eq!(row.granted, Nanos(572));
    assert_balanced(store).await;
}

pub async fn a_reference_with_something_else_behind_it_is_refused(store: &dyn Store) {
    let account = store.create_account("default", NOW).await.unwrap().id;
    let other = store.create_account("other", NOW).await.unwrap().id;
    let mut invoice = top_up(account, 500);
    invoice.reference = Some("invoice 1".to_owned());
    store.grant(invoice.clone()).await.unwrap();
    let before = store.changes_since(0).await.unwrap();
    let mut amount = invoice.clone();
    amount.amount = Nanos(501);
    let mut whose = invoice.clone();
    whose.account = other;
    let mut kind = invoice;
    kind.kind = GrantKind::Promo;
    for wrong in [amount, whose, kind] {
        let refused = store.grant(wrong.clone()).await;
        assert!(matches!(refused, Err(StoreError::Exists(_))), "{wrong:?}");
    }
    assert_eq!(store.changes_since(0).await.unwrap(), before);
    assert_balanced(store).await;
}

pub async fn a_grant_of_nothing_is_noted_and_moves_nothing(store: &dyn Store) {
    let account = store.create_account("default", NOW).await.unwrap().id;
    let row = store.grant(top_up(account, 0)).await.unwrap();
    assert_eq!((row.granted, row.spent), (Nanos(0), Nanos(0)));
    assert_balanced(store).await;
}

pub async fn a_correction_may_take_more_than_is_left(store: &dyn Store) {
    set_up(store, 100).await;
    apply(store, 0, &[hold(1, 90), settle(1, 90, 80, NOW)])
        .await
        .unwrap();
    let row = store.grant(top_up(ACCOUNT, -50)).await.unwrap();
    assert_eq!((row.granted, row.spent), (Nanos(50), Nanos(80)));
    assert_balanced(store).await;
}

pub async fn a_sum_out_of_range_is_refused_and_changes_nothing(store: &dyn Store) {
    let account = store.create_account("default", NOW).await.unwrap().id;
    let other = store.create_account("other", NOW).await.unwrap().id;
    store.grant(top_up(account, i64::MAX)).await.unwrap();
    let before = store.changes_since(0).await.unwrap();
    // One account too rich.
    let refused = store.grant(top_up(account, 1)).await;
    assert!(
        matches!(refused, Err(StoreError::Journal(_))),
        "{refused:?}"
    );
    // Two accounts that are not, and what stands against them is: clearing
    // would be below the least number.
    let refused = store.grant(top_up(other, i64::MAX)).await;
    assert!(
        matches!(refused, Err(StoreError::Journal(_))),
        "{refused:?}"
    );
    let refused = store.grant(top_up(account, i64::MIN)).await;
    assert!(
        matches!(refused, Err(StoreError::Journal(_))),
        "{refused:?}"
    );
    assert_eq!(store.changes_since(0).await.unwrap(), before);
    assert_balanced(store).await;
    // A reference that was refused with its grant is free.
    let mut again = top_up(account, 1);
    again.reference = Some("again".to_owned());
    assert!(store.grant(again.clone()).await.is_err());
    again.amount = Nanos(-1);
    store.grant(again).await.unwrap();
    assert_balanced(store).await;
}

pub async fn promotional_credit_stands_apart_in_the_books(store: &dyn Store) {
    let account = store.create_account("default", NOW).await.unwrap().id;
    let mut promo = top_up(account, 30);
    promo.kind = GrantKind::Promo;
    store.grant(promo).await.unwrap();
    store.grant(top_up(account, 12)).await.unwrap();
    let view = store.audit().await.unwrap();
    let posted: Vec<_> = view.posted.iter().filter(|(_, sum)| **sum < 0).collect();
    let sums: Vec<i128> = posted.iter().map(|(_, sum)| **sum).collect();
    assert_eq!(sums.iter().sum::<i128>(), -42, "{posted:?}");
    assert!(sums.contains(&-30) && sums.contains(&-12), "{posted:?}");
    assert_balanced(store).await;
}

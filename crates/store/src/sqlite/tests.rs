use bourse_spool::Position;
use bourse_vocab::{AccountId, Nanos};

use super::*;
use crate::NewKey;
use crate::account::Accounts;
use crate::journal::Journals;
use crate::suite::{apply, assert_balanced, hold, set_up, settle, top_up};
use crate::upkeep::Upkeep as _;

async fn fresh() -> (SqliteStore, tempfile::TempDir) {
    let dir = tempfile::tempdir().unwrap();
    (SqliteStore::open(dir.path()).await.unwrap(), dir)
}

crate::suite::store_suite!(fresh);

#[tokio::test]
async fn what_was_committed_is_there_after_reopening() {
    let (store, dir) = fresh().await;
    set_up(&store, 1_000).await;
    apply(&store, 0, &[hold(1, 50), hold(2, 50), settle(1, 50, 20, 0)])
        .await
        .unwrap();
    store.close().await;
    let store = SqliteStore::open(dir.path()).await.unwrap();
    assert_eq!(store.applied().await.unwrap(), Position(3));
    assert_eq!(store.open_holds().await.unwrap().len(), 1);
    assert_balanced(&store).await;
}

#[tokio::test]
async fn two_processes_take_turns_writing() {
    let (server, dir) = fresh().await;
    set_up(&server, 0).await;
    let command = SqliteStore::open(dir.path()).await.unwrap();
    let grants = async {
        for _ in 0..20 {
            command.grant(top_up(AccountId(1), 100)).await.unwrap();
        }
    };
    let batches = async {
        for n in 0..20u64 {
            let batch = [hold(n, 5), settle(n, 5, 3, 0)];
            apply(&server, n * 2, &batch).await.unwrap();
        }
    };
    tokio::join!(grants, batches);
    let account = server.account(AccountId(1)).await.unwrap().unwrap();
    assert_eq!((account.granted, account.spent), (Nanos(2_000), Nanos(60)));
    assert_balanced(&server).await;
}

#[tokio::test]
async fn every_tampered_number_is_found_to_the_nano_dollar() {
    for (sql, what) in [
        (
            "UPDATE accounts SET granted = granted + 1",
            "granted to account 1",
        ),
        (
            "UPDATE accounts SET spent = spent - 1",
            "spent by account 1",
        ),
        (
            "UPDATE balances SET amount = amount + 1 WHERE account = 'revenue'",
            "balance of revenue",
        ),
        (
            "UPDATE postings SET amount = amount + 1 WHERE account = 'revenue'",
            "sum of journal",
        ),
        (
            "UPDATE generations SET paid = paid + 1",
            "spent by account 1",
        ),
        (
            "UPDATE generations SET upstream = upstream + 1",
            "provider costs",
        ),
        (
            "UPDATE generations SET house_loss = house_loss + 1",
            "house loss",
        ),
        ("UPDATE holds SET amount = amount + 1", "held of account 1"),
        (
            "UPDATE grants SET amount = amount + 1",
            "granted to account 1",
        ),
        (
            "UPDATE activity SET paid = paid + 1",
            "daily sums of account 1",
        ),
        (
            "UPDATE api_keys SET spent_total = spent_total + 1",
            "keys of account 1",
        ),
    ] {
        let (store, _dir) = fresh().await;
        set_up(&store, 1_000).await;
        apply(&store, 0, &[hold(1, 50), settle(1, 50, 20, 0), hold(2, 9)])
            .await
            .unwrap();
        assert_balanced(&store).await;
        sqlx::query(sql)
            .execute(&store.backend.writer)
            .await
            .unwrap();
        let report = store.audit().await.unwrap().check();
        let found = report
            .differences
            .iter()
            .find(|difference| difference.what.contains(what));
        let found = found.unwrap_or_else(|| panic!("{sql}: {:#?}", report.differences));
        assert_eq!((found.found - found.expected).abs(), 1, "{sql}");
    }
}

#[tokio::test]
async fn no_secret_is_stored() {
    let (store, dir) = fresh().await;
    let text = bourse_policy::KeyText::generate(bourse_policy::KeyKind::Inference, &[7; 48]);
    let account = store.create_account("default", 0).await.unwrap().id;
    let key = NewKey {
        hash: text.hash(),
        label: text.label(),
        ..crate::suite::new_key(account, "one")
    };
    crate::Keys::create_key(&store, key, 0).await.unwrap();
    store.close().await;
    let file = std::fs::read(dir.path().join(DATABASE_FILE)).unwrap();
    let secret = &text.reveal().as_bytes()[40..60];
    assert!(!file.windows(secret.len()).any(|window| window == secret));
}

#[test]
fn versions_compare_as_numbers() {
    assert!(version("3.51.3") < version("3.51.10"));
    assert!(version("3.9.0") < version(VERSION_MIN));
    assert!(version("3.53.0") >= version(VERSION_MIN));
}

//! Servers that will not do, or have no room.

use std::sync::Arc;

use bourse_ledger::Record;
use bourse_spool::{Options, Position};
use bourse_vocab::Nanos;

use super::faults::run;
use super::{Database, fresh};
use crate::applier::Applier;
use crate::postgres::PostgresStore;
use crate::suite::{ACCOUNT, KEY, NOW, assert_balanced, hold, set_up, settle, top_up};
use crate::{Accounts as _, Journals as _, Keys as _, Store, StoreError, Till, TillError};

/// What PostgreSQL says when its disk is full (SQLSTATE 53100), at every row
/// for `table`.
fn full(table: &str) -> String {
    format!(
        "CREATE OR REPLACE FUNCTION full_disk() RETURNS TRIGGER LANGUAGE plpgsql AS \
         $$ BEGIN RAISE EXCEPTION 'could not extend file' USING ERRCODE = '53100'; END $$; \
         CREATE TRIGGER full_disk BEFORE INSERT ON {table} FOR EACH ROW \
         EXECUTE FUNCTION full_disk()"
    )
}

#[tokio::test]
async fn a_full_database_keeps_nothing_of_a_batch_and_takes_all_of_it_once_there_is_room() {
    let (store, database) = fresh().await;
    set_up(&store, 1_000).await;
    let mut beside = database.beside().await;
    let store = Arc::new(store);
    let dir = tempfile::tempdir().unwrap();
    let opened = Till::open(&*store, dir.path(), Options::default(), NOW).await;
    let till = Arc::new(opened.unwrap().till);
    let accounts = store.accounts_by_id(&[ACCOUNT]).await.unwrap();
    till.load(&accounts, &store.keys_by_id(&[KEY]).await.unwrap());
    let (Record::Hold(one), Record::Settle(end)) = (hold(1, 50), settle(1, 50, 20, NOW)) else {
        unreachable!("what they are called");
    };
    till.hold(&one).unwrap();
    let paid = till.settle(&end.settlement).unwrap().paid;
    let shared: Arc<dyn Store> = store.clone();
    let mut applier = Applier::new(shared, till.clone());
    // Early in the batch, and late.
    for table in ["journals", "generations", "activity"] {
        run(&mut beside, &full(table)).await;
        let refused = applier.drain().await;
        assert!(
            matches!(refused, Err(TillError::Store(StoreError::Full))),
            "{table}: {refused:?}"
        );
        let said = refused.unwrap_err().to_string();
        assert!(
            said.contains("full") && said.contains("make room"),
            "{said}"
        );
        run(&mut beside, &format!("DROP TRIGGER full_disk ON {table}")).await;
        assert_eq!(store.applied().await.unwrap(), Position(0), "{table}");
        let row = store.account(ACCOUNT).await.unwrap().unwrap();
        assert_eq!(row.spent, Nanos::ZERO, "{table}");
        assert_balanced(&*store).await;
    }
    applier.drain().await.unwrap();
    let row = store.account(ACCOUNT).await.unwrap().unwrap();
    assert_eq!((row.granted, row.spent), (Nanos(1_000), paid));
    assert!(paid > Nanos::ZERO);
    assert_balanced(&*store).await;
}

#[tokio::test]
async fn a_grant_that_a_full_database_refuses_is_not_granted() {
    let (store, database) = fresh().await;
    set_up(&store, 1_000).await;
    let mut beside = database.beside().await;
    run(&mut beside, &full("postings")).await;
    let refused = store.grant(top_up(ACCOUNT, 5)).await;
    assert!(matches!(refused, Err(StoreError::Full)), "{refused:?}");
    run(&mut beside, "DROP TRIGGER full_disk ON postings").await;
    let row = store.account(ACCOUNT).await.unwrap().unwrap();
    assert_eq!(row.granted, Nanos(1_000));
    assert_balanced(&store).await;
}

#[tokio::test]
async fn a_server_that_is_too_old_is_refused_before_it_is_changed() {
    let database = Database::new().await;
    let mut beside = database.beside().await;
    // The server's own function, hidden by one that says what version 14 does.
    let name = database.name.clone();
    let old = format!(
        "CREATE SCHEMA old; CREATE FUNCTION old.current_setting(TEXT) RETURNS TEXT LANGUAGE sql \
         AS $$ SELECT CASE $1 WHEN 'server_version' THEN '14.11' \
         WHEN 'server_version_num' THEN '140011' \
         ELSE pg_catalog.current_setting($1) END $$; \
         ALTER DATABASE {name} SET search_path = old, pg_catalog, public"
    );
    run(&mut beside, &old).await;
    let target = database.target();
    let refused = PostgresStore::open(vec![target.clone(), target]).await;
    let error = refused.map(drop).unwrap_err();
    assert!(matches!(error, StoreError::TooOld { .. }), "{error}");
    let said = error.to_string();
    assert!(
        said.contains("14.11") && said.contains("15 or newer"),
        "{said}"
    );
    let mut after = database.beside().await;
    let made = "SELECT COUNT(*) FROM pg_tables WHERE schemaname IN ('old', 'public')";
    let count: i64 = sqlx::query_scalar(made)
        .fetch_one(&mut after)
        .await
        .unwrap();
    assert_eq!(count, 0);
}

use bourse_spool::Position;
use bourse_vocab::Nanos;

use super::*;

mod edits;
mod first_release;
mod former_links;

use crate::NewKey;
use crate::account::Accounts;
use crate::journal::Journals;
use crate::suite::{ACCOUNT, KEY, apply, assert_balanced, hold, set_up, settle, top_up};
use crate::upkeep::Upkeep as _;

async fn fresh() -> (SqliteStore, tempfile::TempDir) {
    let dir = tempfile::tempdir().unwrap();
    (SqliteStore::open(dir.path()).await.unwrap(), dir)
}

crate::suite::store_suite!(fresh);

#[tokio::test]
async fn rows_come_over_to_purses_and_back() {
    let (store, _dir) = fresh().await;
    crate::suite::purse_migration::rows_come_over_to_purses_and_back(&store).await;
}

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
    // Credit for all calls: nothing is spent that was not lent before.
    set_up(&server, 60).await;
    let command = SqliteStore::open(dir.path()).await.unwrap();
    let grants = async {
        for _ in 0..20 {
            command.grant(top_up(ACCOUNT, 100)).await.unwrap();
        }
    };
    let batches = async {
        for n in 0..20u64 {
            let batch = [hold(n, 5), settle(n, 5, 3, 0)];
            apply(&server, n * 2, &batch).await.unwrap();
        }
    };
    tokio::join!(grants, batches);
    let account = server.account(ACCOUNT).await.unwrap().unwrap();
    assert_eq!((account.granted, account.spent), (Nanos(2_060), Nanos(60)));
    assert_balanced(&server).await;
}

#[tokio::test]
async fn every_tampered_number_is_found_to_the_nano_dollar() {
    for (sql, what) in [
        (
            "UPDATE accounts SET granted = granted + 1",
            "granted to account ACCOUNT",
        ),
        (
            "UPDATE leases SET spent = spent - 1",
            "spent by account ACCOUNT",
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
            "spent by account ACCOUNT",
        ),
        (
            "UPDATE generations SET upstream = upstream + 1",
            "provider costs",
        ),
        (
            "UPDATE generations SET house_loss = house_loss + 1",
            "house loss",
        ),
        (
            "UPDATE holds SET amount = amount + 1",
            "held of account ACCOUNT",
        ),
        (
            "UPDATE grants SET amount = amount + 1",
            "granted to account ACCOUNT",
        ),
        (
            "UPDATE activity SET paid = paid + 1",
            "daily sums of account ACCOUNT",
        ),
        (
            "UPDATE key_sums SET spent = spent + 1",
            "keys of account ACCOUNT",
        ),
        ("UPDATE key_days SET spent = spent + 1", "days of key KEY"),
        (
            "UPDATE generations SET key_id = 7 WHERE paid = 20",
            "spent by key KEY",
        ),
        (
            "UPDATE purses SET cap = cap - 1",
            "purse of account ACCOUNT",
        ),
        (
            "UPDATE purses SET lent = lent + 1",
            "lent by account ACCOUNT",
        ),
        (
            "UPDATE leases SET spent = spent + 1",
            "spent by account ACCOUNT",
        ),
        (
            "UPDATE leases SET returned = returned + 1",
            "lent by account ACCOUNT",
        ),
        (
            "UPDATE balances SET node_id = 2 WHERE account = 'revenue'",
            "stored balance of revenue, node 2",
        ),
    ] {
        let what = what.replace("ACCOUNT", &ACCOUNT.0.to_string());
        let what = what.replace("KEY", &KEY.0.to_string());
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
            .find(|difference| difference.what.contains(&what));
        let found = found.unwrap_or_else(|| panic!("{sql}: {:#?}", report.differences));
        // What is moved elsewhere is missing whole, anything else by one.
        let moved = sql.contains("_id =");
        let by = (found.found - found.expected).abs();
        assert_eq!(by > 1, moved, "{sql}: {by}");
    }
}

#[tokio::test]
async fn a_row_that_was_edited_is_named_and_one_that_is_gone_is_missed() {
    for (sql, what, named) in [
        (
            // The sums stay what they were.
            "UPDATE generations SET paid = CASE WHEN prompt = 10 THEN paid ELSE 0 END, prompt = 11 \
             WHERE paid = 5",
            "the tokens are not its record's",
            1,
        ),
        (
            "UPDATE generations SET record = X'00' WHERE paid = 5",
            "its record was changed",
            1,
        ),
        (
            "UPDATE generations SET model = 'b/m' WHERE paid = 5",
            "model, provider or endpoint",
            1,
        ),
        (
            "UPDATE generations SET created_at_ms = created_at_ms + 1 WHERE paid = 5",
            "its record was changed",
            1,
        ),
        (
            "UPDATE generations SET link = X'000102030405060708090a0b0c0d0e0f' WHERE paid = 5",
            "its record was changed",
            1,
        ),
        (
            // A call that cost nobody anything: no sum of money misses it.
            "DELETE FROM generations WHERE upstream = 0",
            "rows of finished calls were changed, removed or put in",
            0,
        ),
    ] {
        let (store, _dir) = fresh().await;
        set_up(&store, 1_000).await;
        let records = [
            hold(1, 50),
            settle(1, 50, 20, 0),
            hold(2, 9),
            settle(2, 9, 5, 0),
            hold(3, 9),
            crate::suite::void(3, 0),
        ];
        apply(&store, 0, &records).await.unwrap();
        assert_balanced(&store).await;
        let done = sqlx::query(sql)
            .execute(&store.backend.writer)
            .await
            .unwrap();
        assert_eq!(done.rows_affected(), 1, "{sql}");
        let mut report = store.audit().await.unwrap().check();
        report.rows = store.check_rows().await.unwrap();
        assert!(!report.is_balanced(), "{sql}");
        assert_eq!(report.rows.wrong_count, named, "{sql}");
        let findings = report.findings();
        assert!(
            findings.iter().any(|finding| finding.contains(what)),
            "{sql}: {findings:?}"
        );
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

#[tokio::test]
async fn a_disk_that_is_full_is_told_and_leaves_nothing() {
    let (store, _dir) = fresh().await;
    set_up(&store, 1_000_000).await;
    apply(&store, 0, &[hold(1, 50), settle(1, 50, 20, 0)])
        .await
        .unwrap();
    // SQLite answers as it does when the disk takes no more.
    let stop = sqlx::query("PRAGMA max_page_count = 1");
    stop.execute(&store.backend.writer).await.unwrap();
    let mut batch = Vec::new();
    for n in 10..2_000 {
        batch.push(hold(n, 5));
    }
    let full = apply(&store, 2, &batch).await;
    assert!(matches!(full, Err(StoreError::Full)), "{full:?}");
    assert_eq!(store.applied().await.unwrap(), Position(2));
    assert_balanced(&store).await;
    let more = sqlx::query("PRAGMA max_page_count = 1000000");
    more.execute(&store.backend.writer).await.unwrap();
    apply(&store, 2, &batch).await.unwrap();
    assert_balanced(&store).await;
}

/// As SQLite does when its disk fails or is full: neither commit nor
/// rollback finds a transaction then.
#[tokio::test]
async fn a_connection_whose_transaction_sqlite_took_back_gives_way_to_a_new_one() {
    let (store, _dir) = fresh().await;
    set_up(&store, 100).await;
    for is_committed in [true, false] {
        let mut session = store.backend.session(Purpose::Write).await.unwrap();
        session.script("ROLLBACK").await.unwrap();
        let ended = if is_committed {
            session.commit().await
        } else {
            session.rollback().await
        };
        ended.unwrap_err();
        store.grant(top_up(ACCOUNT, 10)).await.unwrap();
        for purpose in [Purpose::Snapshot, Purpose::Lookup] {
            // As often as there are connections.
            for _ in 0..=READERS {
                let mut session = store.backend.session(purpose).await.unwrap();
                session.script("ROLLBACK").await.unwrap();
                session.rollback().await.unwrap_err();
            }
            store.backend.session(purpose).await.unwrap();
        }
    }
    assert_balanced(&store).await;
}

/// A statement is done for us before the connection's thread has put it away.
#[tokio::test]
async fn statements_that_follow_one_another_get_their_own_results() {
    let (store, _dir) = fresh().await;
    let mut session = store.backend.session(Purpose::Write).await.unwrap();
    let table = "CREATE TEMP TABLE numbers (n INTEGER PRIMARY KEY)";
    session.change(table, &[]).await.unwrap();
    let insert = "INSERT INTO numbers (n) VALUES ($1), ($2), ($3)";
    for first in 0..100_u64 {
        let values = [first.into(), (first + 1).into(), (first + 2).into()];
        assert_eq!(session.change(insert, &values).await.unwrap(), 3);
        session.change(insert, &values).await.unwrap_err();
        let rows = session.rows("SELECT n FROM numbers", &[]).await.unwrap();
        assert_eq!(rows.len(), 3);
        let delete = "DELETE FROM numbers WHERE n > $1 RETURNING n";
        let gone = session.rows(delete, &values[..1]).await.unwrap();
        assert_eq!(gone.len(), 2);
        let delete = "DELETE FROM numbers";
        assert_eq!(session.change(delete, &[]).await.unwrap(), 1);
    }
    session.rollback().await.unwrap();
}

#[tokio::test]
async fn a_file_that_may_not_be_written_is_told() {
    let (store, _dir) = fresh().await;
    let only = sqlx::query("PRAGMA query_only = on");
    only.execute(&store.backend.writer).await.unwrap();
    let refused = store.create_account("default", 0).await;
    assert!(
        matches!(refused, Err(StoreError::ReadOnly(_))),
        "{refused:?}"
    );
}

#[tokio::test]
async fn a_directory_without_rights_is_told_with_its_path() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("file");
    std::fs::write(&file, "no directory").unwrap();
    let refused = SqliteStore::open(&file.join("data")).await.unwrap_err();
    assert!(
        matches!(refused, StoreError::Unreachable { .. }),
        "{refused:?}"
    );
    assert!(refused.to_string().contains("file/data"), "{refused}");
}

#[tokio::test]
async fn steps_go_back_and_forth_and_a_step_that_fails_leaves_nothing() {
    let (store, _dir) = fresh().await;
    set_up(&store, 10).await;
    let refused = loop {
        match store.schema_down(false).await {
            Ok(step) => assert!(step.is_some()),
            Err(error) => break error.to_string(),
        }
    };
    assert!(refused.contains("--lose-data"), "{refused}");
    while store.schema_down(true).await.unwrap().is_some() {}
    assert!(
        store
            .schema()
            .await
            .unwrap()
            .iter()
            .all(|step| !step.applied)
    );
    // A table of the first step is there already: its last statements fail
    // or succeed with the whole.
    let conflict = sqlx::query("CREATE TABLE progress (id BIGINT)");
    conflict.execute(&store.backend.writer).await.unwrap();
    assert!(store.schema_up().await.is_err());
    let tables = "SELECT COUNT(*) FROM sqlite_master WHERE type = 'table' AND name = 'accounts'";
    let count: i64 = sqlx::query_scalar(tables)
        .fetch_one(&store.backend.writer)
        .await
        .unwrap();
    assert_eq!(count, 0);
    let away = sqlx::query("DROP TABLE progress");
    away.execute(&store.backend.writer).await.unwrap();
    assert_eq!(store.schema_up().await.unwrap().len(), MIGRATIONS.len());
    crate::suite::Caller::new(&store, "default", 10).await;
}

#[tokio::test]
async fn a_database_that_sqlx_migrated_is_taken_over_as_it_is() {
    use sqlx::SqlSafeStr as _;
    use sqlx::migrate::{Migration, MigrationType, Migrator};
    let dir = tempfile::tempdir().unwrap();
    // What every program did before this one.
    let options = SqliteConnectOptions::new()
        .filename(dir.path().join(DATABASE_FILE))
        .create_if_missing(true);
    let pool = SqlitePool::connect_with(options).await.unwrap();
    let first = &MIGRATIONS[0];
    let (kind, text) = (MigrationType::Simple, first.up.into_sql_str());
    let first = Migration::new(first.version, first.name.into(), kind, text, false);
    Migrator::with_migrations(vec![first])
        .run(&pool)
        .await
        .unwrap();
    pool.close().await;
    let store = SqliteStore::connect(dir.path()).await.unwrap();
    let steps = store.schema().await.unwrap();
    assert_eq!(steps.iter().filter(|step| step.applied).count(), 1);
    store.schema_up().await.unwrap();
    set_up(&store, 10).await;
    assert_balanced(&store).await;
}

#[tokio::test]
async fn an_export_of_an_hour_reads_an_hour() {
    let (store, _dir) = fresh().await;
    let plan: Vec<(i64, i64, i64, String)> = sqlx::query_as(
        "EXPLAIN QUERY PLAN SELECT record FROM generations \
         WHERE (settled_at_ms, id) > ($1, $2) AND settled_at_ms < $3 \
         ORDER BY settled_at_ms, id LIMIT $4",
    )
    .bind(1_i64)
    .bind(Vec::<u8>::new())
    .bind(2_i64)
    .bind(3_i64)
    .fetch_all(&store.backend.writer)
    .await
    .unwrap();
    let steps: Vec<&str> = plan.iter().map(|(.., step)| step.as_str()).collect();
    assert_eq!(steps.len(), 1, "{steps:?}");
    assert!(
        steps[0].contains("USING INDEX generations_by_time"),
        "{steps:?}"
    );
}

//! Tables: brought up to date, interrupted, taken back, refused.

use sqlx::postgres::PgConnection;
use sqlx::{AssertSqlSafe, Row as _};

use super::relay::{Commit, Relay};
use super::{Database, fresh};
use crate::postgres::{PostgresStore, Target, check_version, spell};
use crate::sql::schema::{MIGRATIONS, Migration};
use crate::suite::{Caller, NOW, set_up};
use crate::{Accounts as _, StoreError, Upkeep as _};

async fn run(connection: &mut PgConnection, sql: &str) {
    let script = sqlx::raw_sql(AssertSqlSafe(sql.to_owned()));
    script.execute(connection).await.unwrap();
}

async fn tables(connection: &mut PgConnection) -> Vec<String> {
    let sql = "SELECT tablename::TEXT FROM pg_tables WHERE schemaname = 'public' ORDER BY 1";
    let rows = sqlx::query(sql).fetch_all(connection).await.unwrap();
    rows.iter().map(|row| row.get(0)).collect()
}

/// The real steps, and one more.
fn with(up: &'static str) -> &'static [Migration] {
    with_way_back(up, "DROP TABLE more;")
}

fn with_way_back(up: &'static str, down: &'static str) -> &'static [Migration] {
    let next = Migration {
        version: MIGRATIONS.last().unwrap().version + 1,
        name: "one more",
        up,
        down,
        loses: "",
    };
    let known = MIGRATIONS.iter().map(|step| Migration {
        version: step.version,
        name: step.name,
        up: step.up,
        down: step.down,
        loses: step.loses,
    });
    Box::leak(known.chain([next]).collect())
}

async fn unopened() -> (PostgresStore, Database) {
    let database = Database::new().await;
    let store = PostgresStore::connect(vec![database.target()])
        .await
        .unwrap();
    (store, database)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_who_open_an_empty_database_at_once_all_find_it_ready() {
    let database = Database::new().await;
    let mut opening = tokio::task::JoinSet::new();
    for n in 0..6 {
        let target = database.target();
        opening.spawn(async move {
            let store = PostgresStore::open(vec![target]).await.unwrap();
            store.create_account(&n.to_string(), NOW).await.unwrap();
        });
    }
    opening.join_all().await;
    let store = PostgresStore::open(vec![database.target()]).await.unwrap();
    assert_eq!(store.accounts().await.unwrap().len(), 6);
    let steps = store.schema().await.unwrap();
    assert!(steps.iter().all(|step| step.applied));
}

/// Ends the connection whose step has come to its `pg_sleep`.
async fn kill_the_sleeper(beside: &mut PgConnection) {
    let kill = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
        WHERE wait_event = 'PgSleep' AND datname = current_database()";
    while sqlx::query(kill)
        .fetch_optional(&mut *beside)
        .await
        .unwrap()
        .is_none()
    {
        tokio::task::yield_now().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_step_back_whose_connection_is_lost_leaves_everything_and_is_taken_later() {
    let (store, database) = fresh().await;
    let mut beside = database.beside().await;
    let before = tables(&mut beside).await;
    let up = "CREATE TABLE more (id BIGINT);";
    store.migrate(with(up)).await.unwrap();
    let after = tables(&mut beside).await;
    assert_ne!(after, before);
    let stuck = with_way_back(up, "DROP TABLE more; SELECT pg_sleep(600);");
    let going_back = tokio::spawn(async move {
        let done = store.unmigrate(stuck, false).await;
        (store, done)
    });
    kill_the_sleeper(&mut beside).await;
    let (store, done) = going_back.await.unwrap();
    assert!(
        matches!(done, Err(StoreError::Unreachable { .. })),
        "{done:?}"
    );
    assert_eq!(tables(&mut beside).await, after);
    let steps = store.steps(with(up)).await.unwrap();
    assert!(steps.iter().all(|step| step.applied));
    // The next try goes all the way.
    store.unmigrate(with(up), false).await.unwrap().unwrap();
    assert_eq!(tables(&mut beside).await, before);
}

#[tokio::test]
async fn a_step_whose_commit_is_lost_was_taken_or_not_and_the_next_start_finds_out() {
    let steps = with("CREATE TABLE more (id BIGINT);");
    for (fate, arrived) in [(Commit::Lost, false), (Commit::Unanswered, true)] {
        let (_, database) = fresh().await;
        let mut beside = database.beside().await;
        let before = tables(&mut beside).await;
        let relay = Relay::start(&database, fate).await;
        let target = Target::parse(&relay.url).unwrap();
        let store = PostgresStore::open(vec![target]).await.unwrap();
        // The first commit is that of the table that counts steps.
        relay.break_at(2);
        let unsure = store.migrate(steps).await;
        assert!(matches!(unsure, Err(StoreError::Unsure(_))), "{unsure:?}");
        let said = unsure.unwrap_err().to_string();
        assert!(said.contains("look before trying again"), "{said}");
        let taken = store.migrate(steps).await.unwrap().len();
        assert_eq!(taken, usize::from(!arrived), "{fate:?}");
        assert!(tables(&mut beside).await.contains(&"more".to_owned()));

        relay.break_at(2);
        let unsure = store.unmigrate(steps, false).await;
        assert!(matches!(unsure, Err(StoreError::Unsure(_))), "{unsure:?}");
        let is_there = store.steps(steps).await.unwrap().last().unwrap().applied;
        assert_eq!(is_there, !arrived, "{fate:?}");
        if is_there {
            store.unmigrate(steps, false).await.unwrap().unwrap();
        }
        assert_eq!(tables(&mut beside).await, before);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_step_whose_connection_is_lost_leaves_nothing_and_is_taken_later() {
    let (store, database) = fresh().await;
    let mut beside = database.beside().await;
    let before = tables(&mut beside).await;
    let stuck = "CREATE TABLE more (id BIGINT); INSERT INTO more VALUES (1); SELECT pg_sleep(600);";
    let migrating = tokio::spawn(async move {
        let done = store.migrate(with(stuck)).await;
        (store, done)
    });
    kill_the_sleeper(&mut beside).await;
    let (store, done) = migrating.await.unwrap();
    assert!(
        matches!(done, Err(StoreError::Unreachable { .. })),
        "{done:?}"
    );
    assert_eq!(tables(&mut beside).await, before);
    // The next start goes on from there.
    let good = with("CREATE TABLE more (id BIGINT);");
    let taken = store.migrate(good).await.unwrap();
    assert_eq!(taken.len(), 1);
    assert!(tables(&mut beside).await.contains(&"more".to_owned()));
    assert!(store.migrate(good).await.unwrap().is_empty());
    // And back.
    let back = store.unmigrate(good, false).await.unwrap().unwrap();
    assert_eq!((back.name, back.applied), ("one more", false));
    assert_eq!(tables(&mut beside).await, before);
}

#[tokio::test]
async fn a_step_that_fails_at_its_end_leaves_nothing_of_its_beginning() {
    let (store, database) = fresh().await;
    let mut beside = database.beside().await;
    let before = tables(&mut beside).await;
    let wrong = "CREATE TABLE more (id BIGINT); CREATE TABLE more (id BIGINT);";
    assert!(store.migrate(with(wrong)).await.is_err());
    assert_eq!(tables(&mut beside).await, before);
    // A disk that is full says so, and nothing is half done either.
    let full = "CREATE TABLE more (id BIGINT); \
        DO $$ BEGIN RAISE EXCEPTION 'no space left' USING ERRCODE = '53100'; END $$;";
    let refused = store.migrate(with(full)).await;
    assert!(matches!(refused, Err(StoreError::Full)), "{refused:?}");
    assert_eq!(tables(&mut beside).await, before);
    assert!(
        store
            .schema()
            .await
            .unwrap()
            .iter()
            .all(|step| step.applied)
    );
    set_up(&store, 10).await;
}

#[tokio::test]
async fn an_empty_database_is_left_alone_until_the_steps_are_wanted() {
    let (store, database) = unopened().await;
    let steps = store.schema().await.unwrap();
    assert!(steps.iter().all(|step| !step.applied));
    assert_eq!(steps.len(), MIGRATIONS.len());
    let mut beside = database.beside().await;
    assert!(!tables(&mut beside).await.contains(&"accounts".to_owned()));
    assert!(store.schema_down(true).await.unwrap().is_none());
    assert_eq!(store.schema_up().await.unwrap().len(), MIGRATIONS.len());
    set_up(&store, 10).await;
}

#[tokio::test]
async fn every_step_goes_back_with_rows_in_it_and_forth_again() {
    let (store, database) = fresh().await;
    let mut beside = database.beside().await;
    let all = tables(&mut beside).await;
    set_up(&store, 10).await;
    for left in (0..MIGRATIONS.len()).rev() {
        if !MIGRATIONS[left].loses.is_empty() {
            let refused = store.schema_down(false).await.unwrap_err().to_string();
            assert!(refused.contains("--lose-data"), "{refused}");
        }
        let back = store.schema_down(true).await.unwrap().unwrap();
        assert_eq!(back.version, MIGRATIONS[left].version);
        let steps = store.schema().await.unwrap();
        assert_eq!(steps.iter().filter(|step| step.applied).count(), left);
    }
    assert!(store.schema_down(true).await.unwrap().is_none());
    assert_eq!(tables(&mut beside).await, ["_sqlx_migrations", "serving"]);
    store.schema_up().await.unwrap();
    assert_eq!(tables(&mut beside).await, all);
    Caller::new(&store, "default", 10).await;
}

#[tokio::test]
async fn tables_of_another_program_are_refused_with_the_way_out() {
    let (store, database) = fresh().await;
    let mut beside = database.beside().await;
    let newer = "INSERT INTO _sqlx_migrations VALUES (99, 'from the future', TRUE, '', 0)";
    run(&mut beside, newer).await;
    let refused = PostgresStore::open(vec![database.target()])
        .await
        .unwrap_err();
    assert!(matches!(refused, StoreError::Schema(_)));
    let said = refused.to_string();
    assert!(
        said.contains("step 99 (from the future)") && said.contains("schema down --one"),
        "{said}"
    );
    assert!(store.schema_down(true).await.is_err());
    run(
        &mut beside,
        "DELETE FROM _sqlx_migrations WHERE version = 99",
    )
    .await;
    run(
        &mut beside,
        "UPDATE _sqlx_migrations SET checksum = 'x' WHERE version = 1",
    )
    .await;
    let refused = PostgresStore::open(vec![database.target()])
        .await
        .unwrap_err();
    assert!(
        refused.to_string().contains("not the one of this program"),
        "{refused}"
    );
}

#[tokio::test]
async fn texts_are_compared_by_bytes_in_any_database() {
    let (_, database) = fresh().await;
    let mut beside = database.beside().await;
    let other = "SELECT table_name || '.' || column_name FROM information_schema.columns \
        WHERE table_schema = 'public' AND data_type = 'text' \
        AND collation_name IS DISTINCT FROM 'C' AND table_name NOT IN ('serving', '_sqlx_migrations')";
    let rows = sqlx::query(other).fetch_all(&mut beside).await.unwrap();
    let names: Vec<String> = rows.iter().map(|row| row.get(0)).collect();
    assert!(names.is_empty(), "{names:?}");
}

#[test]
fn a_migration_is_spelled_for_postgresql_word_by_word() {
    let written = "CREATE TABLE t (a BLOB NOT NULL, b TEXT, TEXTURE BIGINT) WITHOUT ROWID;";
    assert_eq!(
        spell(written),
        "CREATE TABLE t (a BYTEA NOT NULL, b TEXT COLLATE \"C\", TEXTURE BIGINT);"
    );
}

#[test]
fn versions_before_15_are_refused_with_a_sentence() {
    assert!(check_version("15.0".to_owned(), 150_000).is_ok());
    assert!(check_version("18.6".to_owned(), 180_006).is_ok());
    let refused = check_version("14.12 (Ubuntu)".to_owned(), 140_012).unwrap_err();
    let said = refused.to_string();
    assert!(
        said.contains("PostgreSQL 14.12 (Ubuntu) is too old; 15"),
        "{said}"
    );
}

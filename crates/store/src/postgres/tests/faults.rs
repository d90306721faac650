//! Connections that break, locks that are held, databases that move.

use std::sync::Arc;

use bourse_spool::Position;
use bourse_vocab::Nanos;
use sqlx::postgres::PgConnection;
use sqlx::{AssertSqlSafe, Row as _};

use super::fresh;
use super::relay::{Commit, Relay};
use crate::postgres::{PostgresStore, Target};
use crate::suite::{ACCOUNT, Caller, NOW, apply, assert_balanced, hold, set_up, settle, top_up};
use crate::{Accounts as _, Generations as _, Journals as _, StoreError, Upkeep as _};

/// Longer than anything should take on a busy machine.
const PATIENCE: std::time::Duration = std::time::Duration::from_secs(30);

pub(super) async fn run(connection: &mut PgConnection, sql: &str) {
    let script = sqlx::raw_sql(AssertSqlSafe(sql.to_owned()));
    script.execute(connection).await.unwrap();
}

/// Waits until a query has an answer that is not nothing.
async fn wait_for(connection: &mut PgConnection, sql: &str) -> i64 {
    let end = std::time::Instant::now() + PATIENCE;
    loop {
        assert!(std::time::Instant::now() < end, "waited in vain for {sql}");
        let query = sqlx::query(AssertSqlSafe(sql.to_owned()));
        let row = query.fetch_optional(&mut *connection).await.unwrap();
        if let Some(row) = row {
            return row.get(0);
        }
        tokio::task::yield_now().await;
    }
}

/// Ends every other connection of this database, as a crash of the server's
/// process or an operator would.
pub(super) async fn kill_all(connection: &mut PgConnection) {
    let sql = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
               WHERE datname = current_database() AND pid <> pg_backend_pid()";
    run(connection, sql).await;
    let gone = "SELECT 1::BIGINT WHERE NOT EXISTS (SELECT 1 FROM pg_stat_activity \
                WHERE datname = current_database() AND pid <> pg_backend_pid())";
    wait_for(connection, gone).await;
}

const WAITING: &str = "SELECT pid::BIGINT FROM pg_stat_activity \
    WHERE datname = current_database() AND wait_event_type = 'Lock' LIMIT 1";

#[tokio::test]
async fn connections_that_died_at_rest_are_replaced_unnoticed() {
    let (store, database) = fresh().await;
    set_up(&store, 1_000).await;
    let mut beside = database.beside().await;
    let mut from = 0;
    for n in 0..3 {
        kill_all(&mut beside).await;
        store.grant(top_up(ACCOUNT, 1)).await.unwrap();
        kill_all(&mut beside).await;
        apply(&store, from, &Caller::FIRST.call(n, 2, NOW))
            .await
            .unwrap();
        from += 2;
        kill_all(&mut beside).await;
        store.changes_since(0).await.unwrap();
    }
    let row = store.account(ACCOUNT).await.unwrap().unwrap();
    assert_eq!((row.granted, row.spent), (Nanos(1_003), Nanos(6)));
    assert_balanced(&store).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_connection_killed_in_the_middle_of_a_batch_leaves_nothing_of_it() {
    let (store, database) = fresh().await;
    set_up(&store, 1_000).await;
    let store = Arc::new(store);
    let mut lock = database.beside().await;
    let mut beside = database.beside().await;
    // The batch gets past its holds and its journal and waits here.
    run(
        &mut lock,
        "BEGIN; LOCK TABLE generations IN ACCESS EXCLUSIVE MODE",
    )
    .await;
    let applying = tokio::spawn({
        let store = Arc::clone(&store);
        async move {
            apply(
                &*store,
                0,
                &[hold(1, 50), hold(2, 50), settle(1, 50, 20, NOW)],
            )
            .await
        }
    });
    let pid = wait_for(&mut beside, WAITING).await;
    run(
        &mut beside,
        &format!("SELECT pg_terminate_backend({pid}::INT)"),
    )
    .await;
    let killed = applying.await.unwrap();
    assert!(
        matches!(killed, Err(StoreError::Unreachable { .. })),
        "{killed:?}"
    );
    run(&mut lock, "ROLLBACK").await;
    assert_eq!(store.applied().await.unwrap(), Position(0));
    assert!(store.open_holds().await.unwrap().is_empty());
    assert_balanced(&*store).await;
    let batch = [hold(1, 50), hold(2, 50), settle(1, 50, 20, NOW)];
    let done = apply(&*store, 0, &batch).await.unwrap();
    assert_eq!((done.position, done.records), (Position(3), 3));
    assert_balanced(&*store).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_change_waits_its_turn_and_is_tried_again_when_that_takes_long() {
    let (_, database) = fresh().await;
    let target = Target::parse(&format!("{}?options[lock_timeout]=300ms", database.url()));
    let store = PostgresStore::open(vec![target.unwrap()]).await.unwrap();
    set_up(&store, 1_000).await;
    let mut lock = database.beside().await;
    let mut beside = database.beside().await;
    run(&mut lock, "BEGIN; SELECT 1 FROM serving FOR UPDATE").await;
    let granting = tokio::spawn(async move {
        let row = store.grant(top_up(ACCOUNT, 5)).await;
        (store, row)
    });
    // It waits, gives up, and waits again: another transaction by then.
    let pid_and_start = "SELECT (EXTRACT(EPOCH FROM xact_start) * 1000000)::BIGINT \
        FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'";
    let first = wait_for(&mut beside, pid_and_start).await;
    while wait_for(&mut beside, pid_and_start).await == first {
        tokio::task::yield_now().await;
    }
    run(&mut lock, "ROLLBACK").await;
    let (store, row) = granting.await.unwrap();
    assert_eq!(row.unwrap().granted, Nanos(1_005));
    assert_balanced(&store).await;

    // Held for good, it is an error in the end, and nothing has happened.
    run(&mut lock, "BEGIN; SELECT 1 FROM serving FOR UPDATE").await;
    let refused = store.grant(top_up(ACCOUNT, 5)).await;
    assert!(matches!(refused, Err(StoreError::Conflict)), "{refused:?}");
    run(&mut lock, "ROLLBACK").await;
    let row = store.account(ACCOUNT).await.unwrap().unwrap();
    assert_eq!(row.granted, Nanos(1_005));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_more_connections_are_opened_than_allowed() {
    let (store, database) = fresh().await;
    set_up(&store, 1_000).await;
    let store = Arc::new(store);
    let mut beside = database.beside().await;
    let mut tasks = tokio::task::JoinSet::new();
    for n in 0..24 {
        let store = Arc::clone(&store);
        tasks.spawn(async move {
            if n % 3 == 0 {
                store.grant(top_up(ACCOUNT, 1)).await.map(drop)
            } else {
                store.changes_since(0).await.map(drop)
            }
        });
    }
    let mut most = 0;
    let count = "SELECT COUNT(*) FROM pg_stat_activity \
        WHERE datname = current_database() AND application_name = 'bourse'";
    while !tasks.is_empty() {
        most = most.max(wait_for(&mut beside, count).await);
        while let Some(done) = tasks.try_join_next() {
            done.unwrap().unwrap();
        }
    }
    assert!((1..=4).contains(&most), "{most}");
}

#[tokio::test]
async fn a_runtime_that_ends_takes_only_its_own_connections_with_it() {
    let (store, _database) = fresh().await;
    set_up(&store, 1_000).await;
    let store = Arc::new(store);
    for n in 0..3_u64 {
        let store = Arc::clone(&store);
        // As the applier does.
        let applied = tokio::task::spawn_blocking(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build();
            let batch = Caller::FIRST.call(n, 2, NOW);
            runtime.unwrap().block_on(apply(&*store, n * 2, &batch))
        });
        applied.await.unwrap().unwrap();
    }
    store.grant(top_up(ACCOUNT, 1)).await.unwrap();
    assert_eq!(store.applied().await.unwrap(), Position(6));
    assert_balanced(&*store).await;
}

#[tokio::test]
async fn a_commit_whose_answer_is_lost_is_unsure_and_the_position_tells() {
    for (fate, arrived) in [(Commit::Lost, false), (Commit::Unanswered, true)] {
        let (plain, database) = fresh().await;
        set_up(&plain, 1_000).await;
        let relay = Relay::start(&database, fate).await;
        let target = Target::parse(&relay.url).unwrap();
        let store = PostgresStore::open(vec![target]).await.unwrap();

        relay.break_at(1);
        let batch = Caller::FIRST.call(1, 20, NOW);
        let unsure = apply(&store, 0, &batch).await;
        assert!(matches!(unsure, Err(StoreError::Unsure(_))), "{unsure:?}");
        let position = store.applied().await.unwrap();
        assert_eq!(position, Position(if arrived { 2 } else { 0 }), "{fate:?}");
        // What the applier does: the same batch again.
        let again = apply(&store, 0, &batch).await.unwrap();
        assert_eq!(
            (again.position, again.records),
            (Position(2), if arrived { 0 } else { 2 })
        );
        let row = store.account(ACCOUNT).await.unwrap().unwrap();
        assert_eq!(row.spent, Nanos(20));

        // A grant is not tried again by itself: it happened once or never.
        relay.break_at(1);
        let mut credit = top_up(ACCOUNT, 7);
        credit.reference = Some("once".to_owned());
        let unsure = store.grant(credit.clone()).await;
        assert!(matches!(unsure, Err(StoreError::Unsure(_))), "{unsure:?}");
        let row = store.account(ACCOUNT).await.unwrap().unwrap();
        assert_eq!(row.granted, Nanos(if arrived { 1_007 } else { 1_000 }));
        assert_eq!(store.grant(credit).await.unwrap().granted, Nanos(1_007));
        assert_balanced(&store).await;
    }
}

#[tokio::test]
async fn a_database_that_takes_no_changes_is_refused_with_its_name() {
    let (store, database) = fresh().await;
    set_up(&store, 1_000).await;
    let mut beside = database.beside().await;
    let name = database.name.clone();
    let set = format!("ALTER DATABASE {name} SET default_transaction_read_only = on");
    run(&mut beside, &set).await;
    let refused = PostgresStore::open(vec![database.target()])
        .await
        .unwrap_err();
    assert!(matches!(refused, StoreError::ReadOnly(_)));
    let said = refused.to_string();
    assert!(said.contains(&name) && said.contains("primary"), "{said}");
    // It became one while the store was open: new connections find out.
    kill_all(&mut beside).await;
    let refused = store.grant(top_up(ACCOUNT, 1)).await;
    assert!(
        matches!(refused, Err(StoreError::ReadOnly(_))),
        "{refused:?}"
    );
    assert!(store.about().await.unwrap().read_only);
    let row = store.account(ACCOUNT).await.unwrap().unwrap();
    assert_eq!(row.granted, Nanos(1_000));
}

#[tokio::test]
async fn of_several_addresses_the_one_that_takes_changes_wins_also_later() {
    let (_, first) = fresh().await;
    let (_, second) = fresh().await;
    let nobody = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = nobody.local_addr().unwrap().port();
    drop(nobody);
    let nowhere = Target::parse(&format!("postgres://postgres@127.0.0.1:{port}/x")).unwrap();
    let mut beside = [first.beside().await, second.beside().await];
    let names = [first.name.clone(), second.name.clone()];
    let set = |at: usize, to: &str| {
        format!(
            "ALTER DATABASE {} SET default_transaction_read_only = {to}",
            names[at]
        )
    };
    run(&mut beside[0], &set(0, "on")).await;
    let targets = vec![nowhere, first.target(), second.target()];
    let store = PostgresStore::open(targets.clone()).await.unwrap();
    let place = || async { store.about().await.unwrap().place };
    assert!(place().await.ends_with(&names[1]), "{}", place().await);
    store.create_account("default", NOW).await.unwrap();

    // The primary moves.
    run(&mut beside[1], &set(1, "on")).await;
    run(&mut beside[0], &set(0, "off")).await;
    kill_all(&mut beside[1]).await;
    let mut tries = 0;
    while store.create_account("default", NOW).await.is_err() {
        tries += 1;
        assert!(tries < 10_000, "{}", place().await);
        tokio::task::yield_now().await;
    }
    assert!(place().await.ends_with(&names[0]), "{}", place().await);

    // None is left.
    run(&mut beside[0], &set(0, "on")).await;
    let refused = PostgresStore::open(targets).await.unwrap_err().to_string();
    for reason in [&*port.to_string(), &names[0], &names[1], "3 addresses"] {
        assert!(refused.contains(reason), "{reason}: {refused}");
    }
}

#[tokio::test]
async fn what_ends_a_connection_does_not_end_the_store() {
    let (store, database) = fresh().await;
    set_up(&store, 1_000).await;
    // A statement that fails in a transaction leaves a usable connection.
    for _ in 0..10 {
        let refused = apply(
            &store,
            0,
            &Caller {
                key: bourse_vocab::KeyId(9),
                ..Caller::FIRST
            }
            .call(1, 5, NOW),
        )
        .await;
        assert!(matches!(refused, Err(StoreError::NotFound("key"))));
    }
    // A future that is dropped in the middle leaves none behind.
    for _ in 0..10 {
        tokio::select! {
            biased;
            _ = store.grant(top_up(ACCOUNT, 1)) => {}
            () = tokio::task::yield_now() => {}
        }
    }
    let mut beside = database.beside().await;
    let idle = "SELECT 1::BIGINT WHERE NOT EXISTS (SELECT 1 FROM pg_stat_activity \
        WHERE datname = current_database() AND state = 'idle in transaction')";
    wait_for(&mut beside, idle).await;
    apply(&store, 0, &Caller::FIRST.call(1, 5, NOW))
        .await
        .unwrap();
    assert_eq!(store.generations(ACCOUNT, 5).await.unwrap().len(), 1);
    assert_balanced(&store).await;
}

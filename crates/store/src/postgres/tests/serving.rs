//! One server at a time.

use bourse_vocab::Nanos;

use super::fresh;
use crate::postgres::PostgresStore;
use crate::suite::{ACCOUNT, Caller, NOW, apply, assert_balanced, set_up, top_up};
use crate::{Accounts as _, Journals as _, Server, StoreError, Upkeep as _};

fn server(place: &str, at_ms: u64) -> Server {
    Server {
        place: place.to_owned(),
        name: format!("the server at {place}"),
        at_ms,
    }
}

#[tokio::test]
async fn a_second_server_is_refused_by_the_first_ones_name_and_age() {
    let (first, database) = fresh().await;
    first.serve(&server("one", NOW), false).await.unwrap();
    first.renew(NOW + 4_000).await.unwrap();
    let second = PostgresStore::open(vec![database.target()]).await.unwrap();
    let refused = second
        .serve(&server("two", NOW + 9_500), false)
        .await
        .unwrap_err();
    assert!(
        matches!(refused, StoreError::Served { seen_s_ago: 5, .. }),
        "{refused:?}"
    );
    let said = refused.to_string();
    assert!(
        said.contains("the server at one") && said.contains("5 s ago"),
        "{said}"
    );
    // It was not let in by the trying.
    first.renew(NOW + 5_000).await.unwrap();
    // A command beside the server is none.
    set_up(&second, 10).await;
    // Once the first has left, the second may.
    first.retire().await.unwrap();
    second.serve(&server("two", NOW), false).await.unwrap();
}

#[tokio::test]
async fn a_server_that_was_killed_comes_back_at_once_to_its_place() {
    let (first, database) = fresh().await;
    first.serve(&server("one", NOW), false).await.unwrap();
    set_up(&first, 10).await;
    let again = PostgresStore::open(vec![database.target()]).await.unwrap();
    again.serve(&server("one", NOW), false).await.unwrap();
    again.grant(top_up(ACCOUNT, 5)).await.unwrap();
    // Were the first alive after all, it would change nothing any more.
    let late = first.grant(top_up(ACCOUNT, 5)).await;
    assert!(matches!(late, Err(StoreError::TakenOver(_))), "{late:?}");
}

#[tokio::test]
async fn a_server_that_was_declared_dead_reads_and_changes_nothing() {
    let (first, database) = fresh().await;
    first.serve(&server("one", NOW), false).await.unwrap();
    set_up(&first, 1_000).await;
    apply(&first, 0, &Caller::FIRST.call(1, 20, NOW))
        .await
        .unwrap();
    let second = PostgresStore::open(vec![database.target()]).await.unwrap();
    second.serve(&server("two", NOW), true).await.unwrap();

    let refused = [
        apply(&first, 2, &Caller::FIRST.call(2, 20, NOW))
            .await
            .map(drop),
        first.grant(top_up(ACCOUNT, 1)).await.map(drop),
        first.create_account("new", NOW).await.map(drop),
        first.renew(NOW).await,
    ];
    for one in refused {
        let error = one.unwrap_err();
        assert!(matches!(error, StoreError::TakenOver(_)), "{error}");
        assert!(error.to_string().contains("the server at two"), "{error}");
    }
    let row = first.account(ACCOUNT).await.unwrap().unwrap();
    assert_eq!((row.granted, row.spent), (Nanos(1_000), Nanos(20)));
    // The second goes on from the same place in the books.
    assert_eq!(second.applied().await.unwrap().0, 2);
    apply(&second, 2, &Caller::FIRST.call(3, 20, NOW))
        .await
        .unwrap();
    assert_balanced(&second).await;
    // Nor does leaving late free the place for a third.
    assert!(first.retire().await.is_err());
    let third = PostgresStore::open(vec![database.target()]).await.unwrap();
    let refused = third.serve(&server("three", NOW), false).await;
    assert!(matches!(refused, Err(StoreError::Served { .. })));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_many_servers_that_start_at_once_one_serves() {
    let (_, database) = fresh().await;
    let mut starting = tokio::task::JoinSet::new();
    for n in 0..6 {
        let target = database.target();
        starting.spawn(async move {
            let store = PostgresStore::open(vec![target]).await.unwrap();
            store
                .serve(&server(&n.to_string(), NOW), false)
                .await
                .is_ok()
        });
    }
    let served = starting.join_all().await;
    assert_eq!(served.into_iter().filter(|done| *done).count(), 1);
}

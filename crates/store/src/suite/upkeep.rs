//! What operators ask of a store.

use std::sync::Arc;

use bourse_vocab::Nanos;

use super::{ACCOUNT, NOW, set_up, top_up};
use crate::{Server, Store};

pub async fn a_store_says_what_it_is(store: &dyn Store) {
    let about = store.about().await.unwrap();
    assert!(
        !about.kind.is_empty() && !about.place.is_empty(),
        "{about:?}"
    );
    assert!(
        about.version.starts_with(|c: char| c.is_ascii_digit()),
        "{about:?}"
    );
    assert!(!about.read_only);
}

pub async fn a_fresh_store_has_taken_every_step_in_order(store: &dyn Store) {
    let steps = store.schema().await.unwrap();
    assert!(steps.iter().all(|step| step.applied), "{steps:?}");
    assert!(steps.is_sorted_by_key(|step| step.version));
    assert!(store.schema_up().await.unwrap().is_empty());
}

pub async fn a_server_comes_back_to_its_place_and_leaves_it(store: &dyn Store) {
    set_up(store, 10).await;
    let me = Server {
        place: "here".to_owned(),
        name: "a test".to_owned(),
        at_ms: NOW,
    };
    // Twice without leaving: the first was killed.
    store.serve(&me, false).await.unwrap();
    store.serve(&me, false).await.unwrap();
    store.renew(NOW + 1).await.unwrap();
    let row = store.grant(top_up(ACCOUNT, 5)).await.unwrap();
    assert_eq!(row.granted, Nanos(15));
    store.retire().await.unwrap();
    store.retire().await.unwrap();
    store.grant(top_up(ACCOUNT, 5)).await.unwrap();
}

pub async fn closing_ends_it_for_everybody(store: &Arc<dyn Store>) {
    set_up(&**store, 10).await;
    let other = Arc::clone(store);
    store.close().await;
    if store
        .about()
        .await
        .is_ok_and(|about| about.kind == "memory")
    {
        return;
    }
    assert!(other.accounts().await.is_err());
    assert!(other.grant(top_up(ACCOUNT, 5)).await.is_err());
}

//! A database of the first build with links: its last batch has a link, and
//! its rows have hashes, as the rule of that time made them.

use std::path::Path;
use std::sync::Arc;

use bourse_ledger::chain::{FormerChain, former_row_link};
use bourse_ledger::{Link, Record, RowSum};
use bourse_spool::{Options, Reader};

use super::*;
use crate::applier::Applier;
use crate::generation::Generations;
use crate::suite::NOW;
use crate::till::{SPOOL_DIR, Till, TillError};
use crate::verify::verify;

async fn open(store: &SqliteStore, dir: &Path) -> Result<Arc<Till>, TillError> {
    let opened = Till::open(store, dir, Options::default(), NOW + 100).await?;
    Ok(Arc::new(opened.till))
}

/// One call, in the journal and in the database.
async fn call(store: &Arc<SqliteStore>, till: &Arc<Till>, n: u64) {
    let accounts = store.accounts_by_id(&[ACCOUNT]).await.unwrap();
    let keys = crate::Keys::keys_by_id(&**store, &[KEY]).await.unwrap();
    till.load(&accounts, &keys);
    let (Record::Hold(hold), Record::Settle(settle)) = (hold(n, 50), settle(n, 50, 20, NOW)) else {
        unreachable!("a hold and a settlement");
    };
    till.hold(&hold).unwrap();
    till.settle(&settle.settlement).unwrap();
    let mut applier = Applier::new(store.clone(), till.clone());
    applier.drain().await.unwrap();
}

fn hex(link: Link) -> String {
    format!("X'{link}'")
}

/// Makes the database what that build would have made of the same journal.
async fn go_back(store: &SqliteStore, dir: &Path) {
    let history = store.history().await.unwrap();
    let mut reader = Reader::new(&dir.join(SPOOL_DIR), history.batch_from);
    let batch = reader.read(history.applied, usize::MAX).unwrap();
    let mut chain = FormerChain::from(history.chain_before);
    batch.iter().for_each(|record| chain.push(record));
    let mut sum = RowSum::default();
    let mut sql = String::new();
    for row in store.generations(ACCOUNT, 100).await.unwrap() {
        let link = former_row_link(&row.record, row.created_at_ms);
        assert_ne!(row.link, Some(link));
        sum = sum.with(link);
        let id: String = row
            .id
            .to_bits()
            .to_be_bytes()
            .map(|b| format!("{b:02x}"))
            .concat();
        sql += &format!(
            "UPDATE generations SET link = {} WHERE id = X'{id}';",
            hex(link)
        );
    }
    let (chain, sum) = (hex(chain.link()), hex(Link(sum.0.to_be_bytes())));
    assert_ne!(chain, hex(history.chain));
    sql += &format!("UPDATE node_spools SET chain = {chain}, rows_sum = {sum};");
    let done = sqlx::raw_sql(sqlx::AssertSqlSafe(sql)).execute(&store.backend.writer);
    done.await.unwrap();
}

#[tokio::test]
async fn a_database_with_links_of_the_former_rule_goes_on_and_stays_checked() {
    let (store, dir) = fresh().await;
    let store = Arc::new(store);
    set_up(&*store, 1_000).await;
    let till = open(&store, dir.path()).await.unwrap();
    for n in 1..4 {
        call(&store, &till, n).await;
    }
    drop(till);
    go_back(&store, dir.path()).await;

    let till = open(&store, dir.path()).await.unwrap();
    for n in 4..6 {
        call(&store, &till, n).await;
    }
    drop(till);
    let (report, _) = verify(&*store, dir.path()).await.unwrap();
    assert!(report.is_balanced(), "{:?}", report.findings());
    assert_eq!((report.rows.rows, report.rows.linked), (5, 5));
    open(&store, dir.path()).await.unwrap();

    // A row of that time is held to its record as well.
    let done = sqlx::query("UPDATE generations SET created_at_ms = created_at_ms + 1")
        .execute(&store.backend.writer)
        .await
        .unwrap();
    assert_eq!(done.rows_affected(), 5);
    let rows = store.check_rows().await.unwrap();
    assert_eq!(rows.wrong_count, 5);
}

#[tokio::test]
async fn a_link_that_neither_rule_makes_is_another_history() {
    let (store, dir) = fresh().await;
    let store = Arc::new(store);
    set_up(&*store, 1_000).await;
    let till = open(&store, dir.path()).await.unwrap();
    call(&store, &till, 1).await;
    drop(till);
    go_back(&store, dir.path()).await;
    let done =
        sqlx::query("UPDATE node_spools SET chain_before = chain").execute(&store.backend.writer);
    done.await.unwrap();
    let refused = open(&store, dir.path()).await.map(|_| ()).unwrap_err();
    assert!(
        matches!(refused, TillError::OtherHistory { .. }),
        "{refused}"
    );
}

//! A data directory of the first release: its tables, its records, its
//! segments, and calls that were running when it was killed.

use std::path::Path;
use std::sync::Arc;

use bourse_spool::{Options, frame};
use bourse_vocab::{AccountId, NodeId};
use sqlx::Executor;

use super::*;
use crate::applier::Applier;
use crate::generation::Generations;
use crate::suite::{NOW, id};
use crate::till::{SPOOL_DIR, Till};
use crate::upkeep::Upkeep as _;

/// What that release's account was granted, and what call 1 had cost.
const GRANTED: i64 = 1_000_000;
const PAID: i64 = 30_007;

fn records() -> Vec<Vec<u8>> {
    include_str!("../../../../../fixtures/journal/journal-1.txt")
        .lines()
        .map(|line| {
            let digits = (0..line.len()).step_by(2);
            let bytes = digits.map(|at| u8::from_str_radix(&line[at..at + 2], 16).unwrap());
            bytes.collect()
        })
        .collect()
}

fn framed(record: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0; frame::HEADER_BYTES];
    bytes.extend(record);
    frame::seal(&mut bytes, 0);
    bytes
}

/// Writes the journal as one segment; returns where its second record ends:
/// so far the database had come.
fn write_segment(dir: &Path) -> i64 {
    // Magic, position 0, CRC-32 of both, four bytes to spare.
    let mut file = b"BRSPOOL1\0\0\0\0\0\0\0\0".to_vec();
    file.extend(SEGMENT_0_CRC.to_le_bytes());
    file.extend([0; 4]);
    let header = file.len();
    let mut applied = 0;
    for (n, record) in records().iter().enumerate() {
        file.extend(framed(record));
        if n == 1 {
            applied = file.len() - header;
        }
    }
    let spool = dir.join(SPOOL_DIR);
    std::fs::create_dir_all(&spool).unwrap();
    std::fs::write(spool.join(format!("{:020}.spool", 0)), file).unwrap();
    i64::try_from(applied).unwrap()
}

/// CRC-32 of `BRSPOOL1` and eight zeros.
const SEGMENT_0_CRC: u32 = 0x8b11_e24f;

async fn raw(dir: &Path) -> sqlx::SqliteConnection {
    let options = SqliteConnectOptions::new()
        .filename(dir.join(DATABASE_FILE))
        .create_if_missing(true);
    sqlx::ConnectOptions::connect(&options).await.unwrap()
}

/// Takes the first step only: the tables of the first release.
async fn migrate(dir: &Path) {
    let store = SqliteStore::connect(dir).await.unwrap();
    store.migrate(&MIGRATIONS[..1]).await.unwrap();
    store.close().await;
}

/// The tables of the first release after a grant and call 1.
async fn write_database(dir: &Path, applied: i64) {
    migrate(dir).await;
    let mut connection = raw(dir).await;
    let day = NOW / 86_400_000;
    let left = GRANTED - PAID;
    let key: String = bourse_policy::KeyHash::of("one")
        .0
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    let generation: String = id(1)
        .to_bits()
        .to_be_bytes()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    let record: String = records()[1]
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    let sql = format!(
        "INSERT INTO accounts VALUES (1, 'default', {GRANTED}, {PAID}, {NOW}, 1);
         INSERT INTO api_keys VALUES (1, 1, X'{key}', 'l', 'one', 0, 0, NULL, NULL, 0, NULL, {NOW},
            NULL, {NOW}, NULL, {PAID}, {PAID}, {day}, {PAID}, 0, {PAID}, 0, 2);
         INSERT INTO grants VALUES (1, 1, 'top_up', {GRANTED}, 'n', NULL, {NOW});
         INSERT INTO journals VALUES (1, {NOW}, 'grant:1'), (2, {NOW}, 'spool:0-{applied}');
         INSERT INTO postings VALUES (1, 'customer:1:available', {GRANTED}),
            (1, 'top_up_clearing', -{GRANTED}), (2, 'customer:1:available', -{PAID}),
            (2, 'revenue', {PAID}), (2, 'provider_cost:p', {PAID}),
            (2, 'provider_invoice_clearing:p', -{PAID});
         INSERT INTO balances VALUES ('customer:1:available', {left}),
            ('top_up_clearing', -{GRANTED}), ('revenue', {PAID}), ('provider_cost:p', {PAID}),
            ('provider_invoice_clearing:p', -{PAID});
         INSERT INTO generations VALUES (X'{generation}', 1, 1, {NOW}, {settled}, 'a/m', 'p', 'e',
            {PAID}, {PAID}, 0, {PAID}, 10, 5, 0, 0, X'{record}');
         INSERT INTO activity VALUES ({day}, 1, 1, 'a/m', 'e', 'p', 1, {PAID}, 0, 10, 5, 0, 0);
         UPDATE progress SET spool_applied = {applied}, change_seq = 2;",
        settled = NOW + 5,
    );
    connection.execute(sqlx::AssertSqlSafe(sql)).await.unwrap();
    sqlx::Connection::close(connection).await.unwrap();
}

async fn open(store: &SqliteStore, dir: &Path) -> (Till, crate::till::Recovery) {
    let opened = Till::open(store, dir, Options::default(), NOW + 100).await;
    let opened = opened.unwrap();
    (opened.till, opened.recovery)
}

#[tokio::test]
async fn a_data_directory_of_the_first_release_is_taken_over_to_the_nano_dollar() {
    let dir = tempfile::tempdir().unwrap();
    let applied = write_segment(dir.path());
    write_database(dir.path(), applied).await;

    let store = Arc::new(SqliteStore::open(dir.path()).await.unwrap());
    let history = store.history().await.unwrap();
    assert_eq!(history.applied, Position(u64::try_from(applied).unwrap()));
    assert_eq!(history.node, NodeId::FIRST);
    assert_balanced(&*store).await;
    let (till, recovery) = open(&store, dir.path()).await;
    // Twelve records were left. Call 2 had a checkpoint, 3 and 7 had none.
    assert_eq!(
        (
            recovery.replayed,
            recovery.settled,
            recovery.voided,
            recovery.repeated
        ),
        (12, 1, 2, 0)
    );
    let spent = PAID + 85_000 + 11_111;
    let balance = till.books().balance(AccountId(1)).unwrap();
    assert_eq!((balance.spent, balance.held), (Nanos(spent), Nanos::ZERO));
    assert_eq!(balance.available(), Nanos(GRANTED - spent));

    let till = Arc::new(till);
    Applier::new(store.clone(), till.clone())
        .drain()
        .await
        .unwrap();
    let account = store.account(AccountId(1)).await.unwrap().unwrap();
    assert_eq!(account.spent, Nanos(spent));
    assert!(store.open_holds().await.unwrap().is_empty());
    assert_balanced(&*store).await;
    let voids = [
        (4, Some(bourse_ledger::record::VoidReason::NothingDelivered)),
        (1, None),
    ];
    for (n, voided) in voids {
        let row = store.generation(id(n)).await.unwrap().unwrap();
        assert_eq!(row.voided, voided);
        assert!(bourse_ledger::record::decode(&row.record).is_ok());
    }
    let old = store.generation(id(1)).await.unwrap().unwrap();
    assert_eq!(old.link, None, "it was there before there were links");
    let report = store.check_rows().await.unwrap();
    assert_eq!((report.rows, report.linked), (7, 6));

    // It goes on in segments and records of the present form, from here and
    // after one more restart.
    drop(till);
    store.close().await;
    let store = SqliteStore::open(dir.path()).await.unwrap();
    let (till, recovery) = open(&store, dir.path()).await;
    assert_eq!((recovery.replayed, recovery.voided), (0, 0));
    assert_eq!(
        till.books().balance(AccountId(1)).unwrap().spent,
        Nanos(spent)
    );
    let (report, _) = crate::verify::verify(&store, dir.path()).await.unwrap();
    assert!(report.is_balanced(), "{:?}", report.findings());
}

#[tokio::test]
async fn the_migration_can_be_taken_back_and_done_again() {
    let dir = tempfile::tempdir().unwrap();
    let store = SqliteStore::open(dir.path()).await.unwrap();
    set_up(&store, 1_000).await;
    apply(
        &store,
        0,
        &[hold(1, 50), settle(1, 50, 20, NOW), hold(2, 9)],
    )
    .await
    .unwrap();
    store.close().await;
    let store = SqliteStore::connect(dir.path()).await.unwrap();
    for version in [9, 8, 7, 6, 5, 4] {
        let refused = store.schema_down(false).await.unwrap_err();
        assert!(refused.to_string().contains("loses"), "{refused}");
        let step = store.schema_down(true).await.unwrap().unwrap();
        assert_eq!((step.version, step.applied), (version, false));
    }
    let step = store.schema_down(false).await.unwrap().unwrap();
    assert_eq!((step.version, step.applied), (3, false));
    let refused = store.schema_down(false).await.unwrap_err();
    assert!(refused.to_string().contains("failed calls"), "{refused}");
    let step = store.schema_down(true).await.unwrap().unwrap();
    assert_eq!((step.version, step.applied), (2, false));
    store.close().await;
    let mut connection = raw(dir.path()).await;
    let applied: i64 = sqlx::query_scalar("SELECT spool_applied FROM progress WHERE id = 1")
        .fetch_one(&mut connection)
        .await
        .unwrap();
    assert_eq!(applied, 3);
    let columns: i64 = sqlx::query_scalar("SELECT COUNT(*) FROM pragma_table_info('generations')")
        .fetch_one(&mut connection)
        .await
        .unwrap();
    assert_eq!(columns, 17, "as in the first release");
    sqlx::Connection::close(connection).await.unwrap();

    let store = SqliteStore::open(dir.path()).await.unwrap();
    assert_eq!(store.applied().await.unwrap(), Position(3));
    apply(&store, 3, &[settle(2, 9, 4, NOW)]).await.unwrap();
    assert_balanced(&store).await;
    let report = store.check_rows().await.unwrap();
    assert_eq!((report.rows, report.linked), (2, 1));
}

//! Journals that are damaged: harmless, or told with what it costs.

use super::*;
use crate::verify::{repair, verify};

/// A stopped server that was killed: two calls in the database, and two
/// after them in the journal, one of which still runs.
async fn killed(dir: &Path) -> SqliteStore {
    let store = SqliteStore::open(dir).await.unwrap();
    set_up(&store, 10_000).await;
    let till = Arc::new(open_loaded(&store, dir).await.0);
    for n in [1, 2] {
        till.hold(&a_hold(n, 100)).unwrap();
        till.settle(&a_settlement(n, 30)).unwrap();
    }
    let shared: Arc<dyn Store> = Arc::new(SqliteStore::open(dir).await.unwrap());
    Applier::new(Arc::clone(&shared), Arc::clone(&till))
        .drain()
        .await
        .unwrap();
    till.hold(&a_hold(3, 100)).unwrap();
    till.settle(&a_settlement(3, 50)).unwrap();
    till.hold(&a_hold(4, 200)).unwrap();
    let end = till.spool().written();
    till.spool().wait_durable(end).await.unwrap();
    std::mem::forget(till);
    shared.close().await;
    store
}

/// The one segment of a spool.
fn segment_of(spool: &Path) -> PathBuf {
    let files = std::fs::read_dir(spool).unwrap();
    let mut paths = files.map(|file| file.unwrap().path());
    let is_segment = |path: &PathBuf| path.extension().is_some_and(|kind| kind == "spool");
    paths.find(is_segment).unwrap()
}

fn segment(dir: &Path) -> PathBuf {
    segment_of(&dir.join(SPOOL_DIR))
}

/// Bytes of a segment's header (docs/journal.md).
const HEADER: usize = 40;

#[tokio::test]
async fn every_flipped_byte_is_harmless_or_told_and_can_be_repaired() {
    let origin = tempfile::tempdir().unwrap();
    let store = killed(origin.path()).await;
    let applied = usize::try_from(store.applied().await.unwrap().0).unwrap();
    let whole = std::fs::read(segment(origin.path())).unwrap();
    for at in (0..whole.len()).step_by(3) {
        let mut bytes = whole.clone();
        bytes[at] ^= 0x20;
        std::fs::write(segment(origin.path()), &bytes).unwrap();
        let checked = verify(&store, origin.path()).await;
        if (HEADER..HEADER + applied).contains(&at) {
            let (report, found) = checked.unwrap();
            let found = found.unwrap();
            assert!(report.is_balanced(), "{at}");
            assert_eq!((found.harmless.len(), found.paid), (1, 50), "{at}");
            continue;
        }
        let error = checked.unwrap_err().to_string();
        assert!(error.contains("ledger repair"), "{at}: {error}");
        // What nobody repairs keeps the server from starting.
        let refused = Till::open(&store, origin.path(), options(), NOW).await;
        assert_eq!(refused.unwrap_err().to_string(), error);
        let mended = repair(&store, origin.path()).await.unwrap().unwrap();
        assert_eq!(mended.spool.damage, error);
        assert_eq!(
            std::fs::read(segment_of(&mended.spool.aside)).unwrap(),
            bytes
        );
        let (report, found) = verify(&store, origin.path()).await.unwrap();
        let found = found.unwrap();
        assert!(report.is_balanced(), "{at}");
        // A header costs nothing; a record is one of three.
        let kept = if at < HEADER { 3 } else { 2 };
        assert_eq!(mended.spool.records, kept, "{at}");
        assert_eq!(mended.spool.lost_bytes > 0, at >= HEADER, "{at}");
        assert_eq!(found.records, kept);
        let outcome = (mended.orphans, mended.open_holds, found.paid);
        let expected: &[_] = if at < HEADER {
            &[(0, 1, 50)]
        } else {
            // Without a hold, its settlement, or the hold of the other call.
            &[(1, 1, 0), (0, 2, 0), (0, 0, 50)]
        };
        assert!(expected.contains(&outcome), "{at}: {outcome:?}");
        assert!(repair(&store, origin.path()).await.unwrap().is_none());
        // Back to before.
        std::fs::remove_dir_all(origin.path().join(SPOOL_DIR)).unwrap();
        std::fs::rename(&mended.spool.aside, origin.path().join(SPOOL_DIR)).unwrap();
    }
}

#[tokio::test]
async fn a_server_starts_over_damage_to_what_the_database_has_and_pays_the_rest() {
    let dir = tempfile::tempdir().unwrap();
    let store = killed(dir.path()).await;
    let path = segment(dir.path());
    let mut bytes = std::fs::read(&path).unwrap();
    bytes[HEADER + 30] ^= 1;
    std::fs::write(&path, &bytes).unwrap();
    let (till, recovery) = open_loaded(&store, dir.path()).await;
    assert_eq!((recovery.replayed, recovery.voided), (3, 1));
    assert_eq!(money(&till), (10_000 - 110, 0, 110));
}

#[tokio::test]
async fn a_journal_whose_tail_was_cut_off_is_refused_and_one_that_is_gone_is_told() {
    let dir = tempfile::tempdir().unwrap();
    let store = killed(dir.path()).await;
    let path = segment(dir.path());
    let whole = std::fs::read(&path).unwrap();
    std::fs::write(&path, &whole[..whole.len() - 40]).unwrap();
    let refused = Till::open(&store, dir.path(), options(), NOW).await;
    let error = refused.unwrap_err();
    assert!(
        matches!(error, TillError::Spool(SpoolError::Lost { .. })),
        "{error}"
    );
    std::fs::remove_dir_all(dir.path().join(SPOOL_DIR)).unwrap();
    let (report, found) = verify(&store, dir.path()).await.unwrap();
    assert!(report.is_balanced() && found.unwrap().is_missing);
    // Nothing else knows of the calls: the log says it.
    let (till, recovery) = open_loaded(&store, dir.path()).await;
    assert_eq!((recovery.replayed, money(&till).2), (0, 60));
}

//! Journals that this program cannot read.

use super::*;

/// The journal's files, byte by byte.
fn files(dir: &Path) -> Vec<Vec<u8>> {
    let mut paths: Vec<PathBuf> = std::fs::read_dir(dir.join(SPOOL_DIR))
        .unwrap()
        .map(|file| file.unwrap().path())
        .filter(|path| path.extension().is_some_and(|kind| kind == "spool"))
        .collect();
    paths.sort();
    let read = |path: &PathBuf| std::fs::read(path).unwrap();
    paths.iter().map(read).collect()
}

#[tokio::test]
async fn a_journal_of_a_later_server_is_refused_with_the_way_out_and_left_as_it_was() {
    // A version and a kind that come later, and a record that is cut.
    for (at, byte, remedy) in [
        (0, 3, "start that version again"),
        (1, 200, "start that version again"),
        (usize::MAX, 0x83, "backup"),
    ] {
        let dir = tempfile::tempdir().unwrap();
        let store = MemoryStore::new();
        set_up(&store, 1_000).await;
        let (till, _) = open_loaded(&store, dir.path()).await;
        till.hold(&a_hold(1, 100)).unwrap();
        till.settle(&a_settlement(1, 7)).unwrap();
        till.spool()
            .append_with(Kind::End, |out| {
                let begin = out.len();
                record::encode(&Record::Hold(a_hold(2, 100)), out);
                let end = out.len() - 1;
                out[end.min(begin.saturating_add(at))] = byte;
            })
            .unwrap();
        let end = till.spool().written();
        till.spool().wait_durable(end).await.unwrap();
        kill(till);
        let before = files(dir.path());
        assert!(!before.is_empty());
        let refused = Till::open(&store, dir.path(), options(), NOW).await;
        let error = refused.map(|_| ()).unwrap_err();
        assert!(matches!(error, TillError::Record { .. }), "{error}");
        let said = error.to_string();
        assert!(
            said.contains(remedy) && said.contains("record at"),
            "{said}"
        );
        // Whoever can read it finds all of it.
        assert_eq!(files(dir.path()), before);
        assert_eq!(store.applied().await.unwrap(), Position(0));
    }
}

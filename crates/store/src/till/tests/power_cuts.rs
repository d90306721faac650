//! The power goes: what was not synced is on the disk in part, or not at all,
//! and not in the order in which it was written.
//!
//! A file system may lose or keep any sector that was written since the last
//! sync. What SQLite has synced is known: a commit is (`synchronous=FULL`), and
//! the log is, before its pages are copied into the database. So files are
//! taken at both ends of an unsynced stretch, and every sector in between is
//! drawn from either.

use std::fs;

use proptest::prelude::Rng;
use proptest::test_runner::{RngAlgorithm, TestRng};

use super::*;
use crate::sqlite::DATABASE_FILE;

/// What a disk writes at once or not at all.
const SECTOR: usize = 512;
/// Power cuts of each kind.
const CUTS: u64 = 150;
const CHARGE: i64 = 7;

/// The files that a power cut may leave in any mixture.
struct Files {
    database: Vec<u8>,
    log: Vec<u8>,
}

impl Files {
    fn of(dir: &Path) -> Self {
        Self {
            database: fs::read(dir.join(DATABASE_FILE)).unwrap(),
            log: fs::read(log(dir)).unwrap_or_default(),
        }
    }
}

fn log(dir: &Path) -> PathBuf {
    dir.join(format!("{DATABASE_FILE}-wal"))
}

/// Sectors of `new` that were written, and those of `old` for the others; what
/// was not there at all is zeros, or the end of the file.
fn torn(old: &[u8], new: &[u8], draw: &mut TestRng) -> Vec<u8> {
    let mut left = new.to_vec();
    // As it fares with a whole disk: nearly all, nearly nothing, anything.
    let kept = draw.next_u32() % 101;
    for at in (0..new.len()).step_by(SECTOR) {
        let sector = at..(at + SECTOR).min(new.len());
        if draw.next_u32() % 100 >= kept {
            for place in sector {
                left[place] = old.get(place).copied().unwrap_or_default();
            }
        }
    }
    if new.len() > old.len() && draw.next_u32().is_multiple_of(2) {
        let grown = new.len() - old.len();
        let lost = usize::try_from(draw.next_u64()).unwrap_or_default() % (grown + 1);
        left.truncate(new.len() - lost);
    }
    left
}

/// A machine with calls in its database, of which the files are known before
/// and after the last commit.
struct Machine {
    dir: tempfile::TempDir,
    before: Files,
    after: Files,
    spent: i64,
}

async fn machine() -> Machine {
    let dir = tempfile::tempdir().unwrap();
    let store = Arc::new(SqliteStore::open(dir.path()).await.unwrap());
    set_up(&*store, 1_000_000).await;
    let till = Arc::new(open_loaded(&*store, dir.path()).await.0);
    let mut applier = Applier::new(store.clone(), Arc::clone(&till));
    let mut before = None;
    let (mut n, mut spent) = (0, 0);
    for calls in [5, 40] {
        before = Some(Files::of(dir.path()));
        for _ in 0..calls {
            n += 1;
            till.hold(&a_hold(n, 100)).unwrap();
            till.settle(&a_settlement(n, CHARGE)).unwrap();
            spent += CHARGE;
        }
        let written = till.spool().written();
        till.spool().wait_durable(written).await.unwrap();
        while applier.step().await.unwrap() > 0 {}
    }
    drop(applier);
    // Not closed: that would copy the log into the database.
    let machine = Machine {
        before: before.unwrap(),
        after: Files::of(dir.path()),
        dir,
        spent,
    };
    assert!(machine.after.log.len() > machine.before.log.len());
    kill(Arc::into_inner(till).unwrap());
    machine
}

impl Machine {
    /// The machine as it starts again with these files and its journal, which
    /// was synced before anything of it went into the database.
    async fn starts_with(&self, files: &Files, what: &str) {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join(SPOOL_DIR)).unwrap();
        for file in fs::read_dir(self.dir.path().join(SPOOL_DIR)).unwrap() {
            let file = file.unwrap();
            let to = dir.path().join(SPOOL_DIR).join(file.file_name());
            fs::copy(file.path(), to).unwrap();
        }
        fs::write(dir.path().join(DATABASE_FILE), &files.database).unwrap();
        fs::write(log(dir.path()), &files.log).unwrap();
        let store = Arc::new(SqliteStore::open(dir.path()).await.expect(what));
        let till = Arc::new(open_loaded(&*store, dir.path()).await.0);
        assert_eq!(
            money(&till),
            (1_000_000 - self.spent, 0, self.spent),
            "{what}"
        );
        let mut applier = Applier::new(store.clone(), Arc::clone(&till));
        applier.drain().await.expect(what);
        let row = store.account(ACCOUNT).await.unwrap().unwrap();
        assert_eq!(row.spent, Nanos(self.spent), "{what}");
        assert!(store.open_holds().await.unwrap().is_empty(), "{what}");
        assert_balanced(&*store).await;
        store.close().await;
    }
}

fn draw(cut: u64) -> TestRng {
    let mut seed = [0; 32];
    seed[..8].copy_from_slice(&cut.to_le_bytes());
    TestRng::from_seed(RngAlgorithm::ChaCha, &seed)
}

#[tokio::test]
async fn a_commit_that_the_power_cuts_is_there_or_made_again_from_the_journal() {
    let machine = machine().await;
    let mut seen = std::collections::BTreeSet::new();
    for cut in 0..CUTS {
        let log = torn(&machine.before.log, &machine.after.log, &mut draw(cut));
        seen.insert(log.len());
        let database = machine.before.database.clone();
        let files = Files { database, log };
        machine.starts_with(&files, &format!("cut {cut}")).await;
    }
    assert!(seen.len() > 20, "cuts differ");
}

#[tokio::test]
async fn a_log_that_is_copied_when_the_power_goes_is_copied_again() {
    let machine = machine().await;
    // Its copy, with all of the log in the database.
    let copied = tempfile::tempdir().unwrap();
    let Files { database, log: all } = &machine.after;
    fs::write(copied.path().join(DATABASE_FILE), database).unwrap();
    fs::write(log(copied.path()), all).unwrap();
    SqliteStore::open(copied.path())
        .await
        .unwrap()
        .close()
        .await;
    let copied = Files::of(copied.path());
    assert!(copied.log.is_empty(), "the last to close empties the log");
    assert_ne!(&copied.database, database);
    for cut in 0..CUTS {
        let files = Files {
            database: torn(database, &copied.database, &mut draw(cut)),
            log: all.clone(),
        };
        machine.starts_with(&files, &format!("cut {cut}")).await;
    }
}

#[tokio::test]
async fn a_log_that_is_lost_as_a_whole_is_made_again_from_the_journal() {
    let machine = machine().await;
    let files = Files {
        database: machine.before.database.clone(),
        log: machine.before.log.clone(),
    };
    machine.starts_with(&files, "the last commit").await;
}

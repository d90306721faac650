//! Disks that are full for a while.

use std::fs::File;
use std::io::{Error, ErrorKind, Result};
use std::sync::atomic::AtomicBool;

use super::*;

/// What a disk refuses while it is full.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Refuses {
    Create,
    Append,
    /// Half of what is appended is taken.
    HalfAppend,
    Sync,
    Rename,
    SyncDir,
}

const ALL: [Refuses; 6] = [
    Refuses::Create,
    Refuses::Append,
    Refuses::HalfAppend,
    Refuses::Sync,
    Refuses::Rename,
    Refuses::SyncDir,
];

#[derive(Debug)]
struct FaultyDisk {
    refuses: Refuses,
    is_full: AtomicBool,
}

impl FaultyDisk {
    fn new(refuses: Refuses) -> Arc<Self> {
        Arc::new(Self {
            refuses,
            is_full: AtomicBool::new(false),
        })
    }

    fn set(&self, is_full: bool) {
        self.is_full.store(is_full, Ordering::Relaxed);
    }

    fn refuses(&self, what: Refuses) -> bool {
        self.refuses == what && self.is_full.load(Ordering::Relaxed)
    }

    fn may(&self, what: Refuses) -> Result<()> {
        if self.refuses(what) {
            return Err(Error::from(ErrorKind::StorageFull));
        }
        Ok(())
    }
}

impl Disk for FaultyDisk {
    fn create(&self, path: &Path) -> Result<File> {
        self.may(Refuses::Create)?;
        RealDisk.create(path)
    }

    fn append(&self, file: &File, bytes: &[u8]) -> Result<()> {
        self.may(Refuses::Append)?;
        if self.refuses(Refuses::HalfAppend) {
            RealDisk.append(file, &bytes[..bytes.len() / 2])?;
            return Err(Error::from(ErrorKind::StorageFull));
        }
        RealDisk.append(file, bytes)
    }

    fn sync(&self, file: &File) -> Result<()> {
        self.may(Refuses::Sync)?;
        RealDisk.sync(file)
    }

    fn sync_data(&self, file: &File) -> Result<()> {
        RealDisk.sync_data(file)
    }

    fn cut(&self, file: &File, bytes: u64) -> Result<()> {
        RealDisk.cut(file, bytes)
    }

    fn remove(&self, path: &Path) -> Result<()> {
        RealDisk.remove(path)
    }

    fn rename(&self, from: &Path, to: &Path) -> Result<()> {
        self.may(Refuses::Rename)?;
        RealDisk.rename(from, to)
    }

    fn sync_dir(&self, dir: &Path) -> Result<()> {
        self.may(Refuses::SyncDir)?;
        RealDisk.sync_dir(dir)
    }
}

fn open_faulty(disk: &Arc<FaultyDisk>, dir: &Path, options: Options) -> Spool {
    let disk: Arc<dyn Disk> = disk.clone();
    let opened = Spool::open_on(disk, dir, OWNER, (Position(0), &[]), options);
    opened.unwrap().syncing().unwrap().spool
}

fn small() -> Options {
    Options {
        segment_bytes: 100,
        ..options()
    }
}

#[test]
fn a_disk_that_was_full_takes_everything_once_there_is_room() {
    for refuses in ALL {
        let dir = tempfile::tempdir().unwrap();
        let disk = FaultyDisk::new(refuses);
        let spool = open_faulty(&disk, dir.path(), small());
        let mut accepted = Vec::new();
        for round in 0..6u8 {
            disk.set(round % 2 == 1);
            for i in 0..5u8 {
                let record = vec![round * 10 + i + 1; 40];
                let taken = spool.append(Kind::Go, &record);
                // With room, nothing is refused, whatever came before.
                assert!(taken.is_ok() || round % 2 == 1, "{refuses:?}: {taken:?}");
                if taken.is_ok() {
                    accepted.push(record);
                }
            }
        }
        disk.set(false);
        assert!(accepted.len() >= 15, "{refuses:?}");
        assert_eq!(records(&spool), accepted, "{refuses:?}");
        assert!(segment::list(dir.path()).unwrap().len() > 3, "{refuses:?}");
        drop(spool);
        let spool = open_at(dir.path(), Position(0), small()).unwrap().spool;
        assert_eq!(records(&spool), accepted, "{refuses:?}, reopened");
    }
}

#[test]
fn the_end_of_a_call_waits_in_memory_for_a_full_disk() {
    for refuses in [Refuses::Append, Refuses::HalfAppend] {
        let dir = tempfile::tempdir().unwrap();
        let disk = FaultyDisk::new(refuses);
        let spool = open_faulty(&disk, dir.path(), small());
        spool.append(Kind::Begin, b"begin").unwrap();
        disk.set(true);
        let first = spool.append(Kind::End, b"end 1").unwrap();
        let second = spool.append(Kind::End, b"end 2").unwrap();
        assert!(spool.written() < first && first < second);
        assert!(spool.append(Kind::Begin, b"refused").is_err());
        assert!(spool.append(Kind::Note, b"refused").is_err());
        assert!(spool.flush() > 0);
        assert_eq!(records(&spool), [b"begin"]);
        disk.set(false);
        assert_eq!(spool.flush(), 0);
        assert_eq!(spool.written(), second);
        spool.append(Kind::Go, b"later").unwrap();
        let expected: [&[u8]; 4] = [b"begin", b"end 1", b"end 2", b"later"];
        assert_eq!(records(&spool), expected);
        // What is still owed when the spool is closed is written then.
        disk.set(true);
        spool.append(Kind::End, b"end 3").unwrap();
        disk.set(false);
        drop(spool);
        let all = records(&open(dir.path()).spool);
        assert_eq!(all.last().unwrap(), b"end 3");
    }
}

#[test]
fn what_runs_may_grow_while_the_disk_is_full_and_still_end() {
    let dir = tempfile::tempdir().unwrap();
    let disk = FaultyDisk::new(Refuses::Append);
    let spool = open_faulty(&disk, dir.path(), options());
    spool.append(Kind::Begin, b"begin").unwrap();
    disk.set(true);
    let large = vec![1; 1 << 20];
    let mut kept = 0;
    while spool.append(Kind::Grow, &large).is_ok() {
        kept += 1;
        assert!(kept < 16, "it is bounded");
    }
    assert_eq!(kept, 3);
    assert!(spool.append(Kind::Go, b"refused").is_err());
    assert!(matches!(spool.check_room(), Err(SpoolError::Owing)));
    // It was refused, and stopped nothing: there is room for the ends.
    let last = spool.append(Kind::End, b"end").unwrap();
    assert!(spool.append(Kind::Grow, &large).is_err());
    disk.set(false);
    assert_eq!(spool.flush(), 0);
    assert_eq!(spool.written(), last);
    let all = records(&spool);
    assert_eq!(all.len(), 5);
    assert_eq!((&*all[1], &*all[4]), (&*large, &b"end"[..]));
}

#[test]
fn notes_outlast_a_full_disk_and_keep_their_place() {
    for refuses in ALL {
        let dir = tempfile::tempdir().unwrap();
        let disk = FaultyDisk::new(refuses);
        let lazy = Options {
            sync_interval: Duration::from_secs(3600),
            ..small()
        };
        let spool = open_faulty(&disk, dir.path(), lazy);
        let mut accepted = Vec::new();
        for round in 0..9u8 {
            disk.set(round % 3 == 1);
            for (i, kind) in [Kind::Note, Kind::Note, Kind::Go].into_iter().enumerate() {
                let record = vec![round * 10 + u8::try_from(i).unwrap() + 1; 40];
                let taken = spool.append(kind, &record);
                assert!(taken.is_ok() || round % 3 == 1, "{refuses:?}: {taken:?}");
                // What waits is never among what the kernel has.
                assert!(spool.durable() <= spool.written(), "{refuses:?}");
                if taken.is_ok() {
                    accepted.push(record);
                }
            }
        }
        assert_eq!(spool.flush(), 0, "{refuses:?}");
        // Notes waited even where the record after them was refused.
        assert!(accepted.len() >= 24, "{refuses:?}: {}", accepted.len());
        assert_eq!(records(&spool), accepted, "{refuses:?}");
        assert!(segment::list(dir.path()).unwrap().len() > 3, "{refuses:?}");
        std::mem::forget(spool);
        let spool = open_at(dir.path(), Position(0), small()).unwrap().spool;
        assert_eq!(records(&spool), accepted, "{refuses:?}, reopened");
    }
}

#[test]
fn a_write_of_notes_that_the_disk_breaks_off_leaves_whole_records() {
    for refuses in [Refuses::Append, Refuses::HalfAppend] {
        let dir = tempfile::tempdir().unwrap();
        let disk = FaultyDisk::new(refuses);
        let lazy = Options {
            sync_interval: Duration::from_secs(3600),
            ..options()
        };
        let spool = open_faulty(&disk, dir.path(), lazy);
        spool.append(Kind::Begin, b"begin").unwrap();
        let written = spool.written();
        let end = spool.append(Kind::Note, b"note").unwrap();
        disk.set(true);
        assert!(spool.flush() > 0);
        assert!(spool.written() == written && written < end);
        assert_eq!(records(&spool), [b"begin"]);
        // Killed now, it is as if the note had never been.
        let copy = tempfile::tempdir().unwrap();
        let segment = only_segment(dir.path());
        std::fs::copy(&segment, copy.path().join(segment.file_name().unwrap())).unwrap();
        let opened = open(copy.path());
        assert_eq!(opened.torn_bytes, 0);
        assert_eq!(records(&opened.spool), [b"begin"]);
        // Not killed, it is written as soon as there is room.
        disk.set(false);
        assert_eq!(spool.flush(), 0);
        assert_eq!(spool.written(), end);
        assert_eq!(records(&spool), [b"begin".as_slice(), b"note"]);
    }
}

#[tokio::test]
async fn whoever_waits_for_what_a_full_disk_refused_is_told_once_it_is_there() {
    let dir = tempfile::tempdir().unwrap();
    let disk = FaultyDisk::new(Refuses::Append);
    let spool = open_faulty(&disk, dir.path(), options());
    disk.set(true);
    let note = spool.append(Kind::Note, b"note").unwrap();
    let end = spool.append(Kind::End, b"end").unwrap();
    assert!(note < end && spool.durable() < note);
    disk.set(false);
    // Nothing else is written: the thread tries again by itself.
    spool.wait_durable(end).await.unwrap();
    assert_eq!(records(&spool), [b"note".as_slice(), b"end"]);
}

#[test]
fn a_spool_that_cannot_keep_ends_any_more_stops() {
    let dir = tempfile::tempdir().unwrap();
    let disk = FaultyDisk::new(Refuses::Append);
    let spool = open_faulty(&disk, dir.path(), options());
    disk.set(true);
    let large = vec![1; 1 << 20];
    for _ in 0..15 {
        spool.append(Kind::End, &large).unwrap();
    }
    assert!(spool.append(Kind::End, &large).is_err());
    let stopped = spool.append(Kind::Begin, b"more");
    assert!(matches!(stopped, Err(SpoolError::Stopped)));
    // What it has kept is written where there is room again.
    disk.set(false);
    drop(spool);
    assert_eq!(
        records(&open_at(dir.path(), Position(0), options()).unwrap().spool).len(),
        15
    );
}

/// Refuses, with nothing or something owed; what is said, and how often.
#[test]
fn a_disk_that_refuses_is_told_of_once_begins_nothing_and_heals_by_itself() {
    let dir = tempfile::tempdir().unwrap();
    let disk = FaultyDisk::new(Refuses::HalfAppend);
    let lazy = Options {
        sync_interval: Duration::from_secs(3600),
        ..options()
    };
    let spool = open_faulty(&disk, dir.path(), lazy);
    let mut trouble = spool.trouble();
    spool.append(Kind::Begin, b"begin").unwrap();
    assert!(!trouble.has_changed().unwrap());
    disk.set(true);
    // Nobody waits for this one: the next may try again.
    assert!(spool.append(Kind::Begin, b"refused").is_err());
    assert!(matches!(*trouble.borrow_and_update(), Trouble::Refused(_)));
    spool.check_room().unwrap();
    for i in 0..3u8 {
        spool.append(Kind::End, &[i + 1]).unwrap();
        assert_eq!(trouble.has_changed().unwrap(), i == 0, "said once");
        let said = trouble.borrow_and_update().to_string();
        assert!(said.contains("what calls have cost"), "{said}");
        assert!(matches!(spool.check_room(), Err(SpoolError::Owing)));
        assert!(matches!(
            spool.append(Kind::Begin, b"refused"),
            Err(SpoolError::Owing)
        ));
    }
    disk.set(false);
    assert_eq!(spool.flush(), 0);
    assert_eq!(*trouble.borrow_and_update(), Trouble::None);
    spool.append(Kind::Begin, b"later").unwrap();
    let expected: [&[u8]; 5] = [b"begin", &[1], &[2], &[3], b"later"];
    assert_eq!(records(&spool), expected);
}

#[test]
fn a_disk_that_refused_what_nobody_waits_for_is_asked_again() {
    let dir = tempfile::tempdir().unwrap();
    let disk = FaultyDisk::new(Refuses::Append);
    let spool = open_faulty(&disk, dir.path(), options());
    disk.set(true);
    assert!(spool.append(Kind::Go, b"refused").is_err());
    let trouble = spool.trouble();
    spool.flush();
    assert!(matches!(*trouble.borrow(), Trouble::Refused(_)));
    disk.set(false);
    spool.flush();
    assert_eq!(*trouble.borrow(), Trouble::None);
    assert_eq!(records(&spool), Vec::<Vec<u8>>::new());
}

#[test]
fn what_has_ended_is_written_even_after_a_failed_sync() {
    let dir = tempfile::tempdir().unwrap();
    let spool = open(dir.path()).spool;
    spool.append(Kind::Begin, b"begin").unwrap();
    spool.queue.stop("a sync failed");
    let end = spool.append(Kind::End, b"end").unwrap();
    assert_eq!(spool.written(), end);
    drop(spool);
    assert_eq!(
        records(&open(dir.path()).spool),
        [b"begin".as_slice(), b"end"]
    );
}

#[test]
fn a_segment_that_was_taken_back_does_not_come_back() {
    let dir = tempfile::tempdir().unwrap();
    {
        let spool = open(dir.path()).spool;
        for record in ten_records() {
            spool.append(Kind::Go, &record).unwrap();
        }
    }
    // As if its removal had not reached the disk before the power went.
    let stray = Segment::at(dir.path(), Position(40));
    drop(stray.create(&RealDisk, OWNER).unwrap());
    let draft = stray.path.with_extension("spool.new");
    std::fs::write(&draft, b"half").unwrap();
    let spool = open(dir.path()).spool;
    assert_eq!(records(&spool), ten_records());
    assert!(!draft.exists() && !stray.path.exists());
}

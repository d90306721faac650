use std::path::PathBuf;
use std::sync::Barrier;

use super::*;
use crate::frame::{self, RECORD_BYTES_MAX};
use crate::segment::FILE_HEADER_BYTES;

mod disks;
mod faults;
mod notes;
mod owners;

/// Whose the spools of these tests are.
const OWNER: Owner = Owner {
    store: [7; 16],
    node: 1,
};

fn options() -> Options {
    Options {
        segment_bytes: 1 << 20,
        unapplied_bytes_max: 1 << 20,
        lag_bytes_max: 1 << 20,
        sync_interval: Duration::from_millis(1),
        ..Options::default()
    }
}

fn open_at(dir: &Path, applied: Position, options: Options) -> Result<Opened, SpoolError> {
    Spool::open(dir, OWNER, applied, &[], options)
}

fn open(dir: &Path) -> Opened {
    open_at(dir, Position(0), options()).unwrap()
}

fn records(spool: &Spool) -> Vec<Vec<u8>> {
    let mut reader = spool.reader(Position(0));
    let batch = reader.read(spool.written(), usize::MAX).unwrap();
    assert_eq!(batch.end(), spool.written());
    batch.iter().map(<[u8]>::to_vec).collect()
}

fn only_segment(dir: &Path) -> PathBuf {
    let segments = segment::list(dir).unwrap();
    assert_eq!(segments.len(), 1);
    segments[0].path.clone()
}

fn ten_records() -> Vec<Vec<u8>> {
    (1..=10u8).map(|i| vec![i; usize::from(i) * 3]).collect()
}

#[test]
fn records_come_back_in_order_after_reopening() {
    let dir = tempfile::tempdir().unwrap();
    {
        let spool = open(dir.path()).spool;
        for record in ten_records() {
            spool.append(Kind::Begin, &record).unwrap();
        }
        assert_eq!(records(&spool), ten_records());
    }
    let opened = open(dir.path());
    assert_eq!(opened.torn_bytes, 0);
    assert_eq!(records(&opened.spool), ten_records());
}

#[test]
fn a_file_cut_at_any_byte_keeps_every_whole_record_and_takes_new_ones() {
    let dir = tempfile::tempdir().unwrap();
    {
        // Never synced between records, so every mark is zero and every
        // cut is a torn write.
        let lazy = Options {
            sync_interval: Duration::from_secs(3600),
            ..options()
        };
        let spool = open_at(dir.path(), Position(0), lazy).unwrap().spool;
        for record in ten_records() {
            spool.append(Kind::Begin, &record).unwrap();
        }
        std::mem::forget(spool); // As a killed process: nothing is synced.
    }
    let path = only_segment(dir.path());
    let whole = std::fs::read(&path).unwrap();
    for cut in 0..whole.len() {
        std::fs::write(&path, &whole[..cut]).unwrap();
        // As if none of it had been on the disk.
        std::fs::remove_file(dir.path().join("synced")).unwrap();
        let spool = open(dir.path()).spool;
        let mut room = cut.saturating_sub(FILE_HEADER_BYTES);
        let kept: Vec<_> = ten_records()
            .into_iter()
            .take_while(|record| {
                let size = record.len() + frame::HEADER_BYTES;
                let fits = size <= room;
                room = room.saturating_sub(size);
                fits
            })
            .collect();
        assert_eq!(records(&spool), kept, "cut at {cut}");
        spool.append(Kind::Begin, b"new").unwrap();
        drop(spool);
        let spool = open(dir.path()).spool;
        assert_eq!(records(&spool).last().unwrap(), b"new", "cut at {cut}");
    }
}

#[test]
fn a_flipped_bit_is_refused_and_never_read() {
    let dir = tempfile::tempdir().unwrap();
    {
        let spool = open(dir.path()).spool;
        for record in ten_records() {
            spool.append(Kind::Begin, &record).unwrap();
            while spool.durable() < spool.written() {
                std::thread::yield_now();
            }
        }
    }
    let path = only_segment(dir.path());
    let whole = std::fs::read(&path).unwrap();
    let last = whole.len() - 30 - frame::HEADER_BYTES;
    for at in 0..whole.len() {
        let mut bytes = whole.clone();
        bytes[at] ^= 1 << (at % 8);
        std::fs::write(&path, &bytes).unwrap();
        match open_at(dir.path(), Position(0), options()) {
            // Below the last record everything is known to have been on the
            // disk, because a later mark says so.
            Err(SpoolError::Corrupt { .. }) => assert!(at < last, "flip at {at}"),
            Err(SpoolError::Lost { .. }) => assert!(at >= last, "flip at {at}"),
            Err(error) => panic!("flip at {at}: {error}"),
            // Of the last record it is known by how far the spool was synced.
            Ok(_) => panic!("flip at {at}"),
        }
    }
}

#[test]
fn a_hole_below_a_later_unsynced_record_is_a_torn_write() {
    let dir = tempfile::tempdir().unwrap();
    {
        let lazy = Options {
            sync_interval: Duration::from_secs(3600),
            ..options()
        };
        let spool = open_at(dir.path(), Position(0), lazy).unwrap().spool;
        for record in ten_records() {
            spool.append(Kind::Begin, &record).unwrap();
        }
        std::mem::forget(spool);
    }
    let path = only_segment(dir.path());
    let mut bytes = std::fs::read(&path).unwrap();
    // A power cut may bring the later page to the disk and not the former.
    bytes[FILE_HEADER_BYTES + 19..FILE_HEADER_BYTES + 60].fill(0);
    std::fs::write(&path, &bytes).unwrap();
    let opened = open(dir.path());
    assert_eq!(records(&opened.spool), ten_records()[..1]);
    assert!(opened.torn_bytes > 100);
}

#[test]
fn segments_follow_one_another_and_go_when_applied() {
    let dir = tempfile::tempdir().unwrap();
    let small = Options {
        segment_bytes: 100,
        ..options()
    };
    let spool = open_at(dir.path(), Position(0), small.clone())
        .unwrap()
        .spool;
    let mut ends = Vec::new();
    for i in 0..20u8 {
        ends.push(spool.append(Kind::Begin, &[i; 40]).unwrap());
    }
    assert!(segment::list(dir.path()).unwrap().len() >= 9);
    assert_eq!(records(&spool).len(), 20);
    spool.ack(DATABASE, ends[9]).unwrap();
    let left = segment::list(dir.path()).unwrap();
    assert!(left[0].start <= ends[9] && left[1].start > ends[9]);
    drop(spool);
    let spool = open_at(dir.path(), ends[9], small.clone()).unwrap().spool;
    let batch = spool
        .reader(ends[9])
        .read(spool.written(), usize::MAX)
        .unwrap();
    let firsts: Vec<_> = batch.iter().map(|record| record[0]).collect();
    assert_eq!(firsts, (10..20).collect::<Vec<u8>>());
    drop(spool);
    // The database must not be older than the oldest segment, nor newer
    // than the last record.
    let old = open_at(dir.path(), Position(0), small.clone());
    assert!(matches!(old, Err(SpoolError::Missing { .. })));
    let new = open_at(dir.path(), Position(ends[19].0 + 1), small);
    assert!(matches!(new, Err(SpoolError::Behind { .. })));
}

#[test]
fn damage_before_the_last_segment_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let small = Options {
        segment_bytes: 100,
        ..options()
    };
    {
        let spool = open_at(dir.path(), Position(0), small.clone())
            .unwrap()
            .spool;
        for i in 0..9u8 {
            spool.append(Kind::Begin, &[i; 40]).unwrap();
        }
    }
    let segments = segment::list(dir.path()).unwrap();
    let path = &segments[1].path;
    let whole = std::fs::read(path).unwrap();
    std::fs::write(path, &whole[..whole.len() - 1]).unwrap();
    let cut = open_at(dir.path(), Position(0), small.clone());
    assert!(matches!(cut, Err(SpoolError::Corrupt { .. })), "{cut:?}");
    std::fs::remove_file(path).unwrap();
    let gone = open_at(dir.path(), Position(0), small);
    assert!(matches!(gone, Err(SpoolError::Corrupt { .. })), "{gone:?}");
}

#[test]
fn a_spool_without_files_begins_where_the_database_is() {
    let dir = tempfile::tempdir().unwrap();
    let spool = open_at(dir.path(), Position(777), options()).unwrap().spool;
    assert_eq!(spool.written(), Position(777));
    spool.append(Kind::Begin, b"first").unwrap();
    let batch = spool
        .reader(Position(777))
        .read(spool.written(), 9)
        .unwrap();
    assert_eq!(batch.iter().collect::<Vec<_>>(), [b"first"]);
}

#[test]
fn a_full_spool_refuses_beginnings_and_takes_ends() {
    let dir = tempfile::tempdir().unwrap();
    let tiny = Options {
        unapplied_bytes_max: 100,
        ..options()
    };
    let spool = open_at(dir.path(), Position(0), tiny).unwrap().spool;
    let mut last = Position(0);
    while let Ok(position) = spool.append(Kind::Begin, &[1; 30]) {
        last = position;
    }
    assert!((100..200).contains(&last.0));
    assert!(matches!(spool.check_room(), Err(SpoolError::Full { .. })));
    let end = spool.append(Kind::Go, &[2; 30]).unwrap();
    spool.ack(DATABASE, end).unwrap();
    assert!(spool.append(Kind::Begin, &[3; 30]).is_ok());
}

#[test]
fn records_that_are_empty_or_too_long_are_refused_and_do_no_harm() {
    let dir = tempfile::tempdir().unwrap();
    let spool = open(dir.path()).spool;
    for size in [0, RECORD_BYTES_MAX + 1] {
        let refused = spool.append(Kind::Go, &vec![1; size]);
        assert!(matches!(refused, Err(SpoolError::TooLong { .. })));
    }
    let long = vec![7; RECORD_BYTES_MAX];
    spool.append(Kind::Go, &long).unwrap();
    spool.append(Kind::Go, b"short").unwrap();
    assert_eq!(records(&spool), [long, b"short".to_vec()]);
}

#[tokio::test]
async fn waiting_for_the_disk_ends_when_it_has_the_record() {
    let dir = tempfile::tempdir().unwrap();
    let spool = open(dir.path()).spool;
    for i in 1..20u8 {
        let position = spool.append(Kind::Begin, &[i]).unwrap();
        spool.wait_durable(position).await.unwrap();
        assert!(spool.durable() >= position);
    }
}

#[test]
fn threads_append_whole_records_and_a_reader_keeps_up() {
    let dir = tempfile::tempdir().unwrap();
    let small = Options {
        segment_bytes: 4096,
        ..options()
    };
    let spool = open_at(dir.path(), Position(0), small).unwrap().spool;
    let barrier = Barrier::new(5);
    let mut seen = vec![Vec::new(); 4];
    std::thread::scope(|scope| {
        for thread in 0..4u8 {
            let (spool, barrier) = (&spool, &barrier);
            scope.spawn(move || {
                barrier.wait();
                for i in 0..500u16 {
                    let mut record = vec![thread];
                    record.extend(i.to_le_bytes());
                    record.resize(3 + usize::from(i % 50), 9);
                    spool.append(Kind::Go, &record).unwrap();
                }
            });
        }
        barrier.wait();
        let mut reader = spool.reader(Position(0));
        let mut total = 0;
        while total < 2000 {
            let batch = reader.read(spool.durable(), 64).unwrap();
            total += batch.len();
            for record in batch.iter() {
                let i = u16::from_le_bytes([record[1], record[2]]);
                assert_eq!(record.len(), 3 + usize::from(i % 50));
                seen[usize::from(record[0])].push(i);
            }
            spool.ack(DATABASE, batch.end()).unwrap();
            std::thread::yield_now();
        }
    });
    for thread in seen {
        assert_eq!(thread, (0..500).collect::<Vec<_>>());
    }
}

#[test]
fn after_a_disk_error_nothing_more_is_accepted() {
    let dir = tempfile::tempdir().unwrap();
    let spool = open(dir.path()).spool;
    spool.append(Kind::Go, b"one").unwrap();
    spool.queue.stop("a sync failed");
    assert!(matches!(
        spool.append(Kind::Go, b"two"),
        Err(SpoolError::Stopped)
    ));
    assert!(matches!(spool.check_room(), Err(SpoolError::Stopped)));
}

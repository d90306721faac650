//! Records that wait in memory for company.

use std::time::Instant;

use super::*;

/// Whose thread does not come by itself.
fn lazy() -> Options {
    Options {
        sync_interval: Duration::from_secs(3600),
        ..options()
    }
}

#[test]
fn notes_go_to_the_disk_late_unless_something_goes_with_them() {
    let dir = tempfile::tempdir().unwrap();
    let interval = Duration::from_millis(20);
    let slow = Options {
        sync_interval: interval,
        ..options()
    };
    let spool = open_at(dir.path(), Position(0), slow).unwrap().spool;
    let until_durable = |kinds: &[Kind]| {
        let ends = kinds.iter().map(|kind| spool.append(*kind, b"record"));
        let end = ends.last().unwrap().unwrap();
        let began = Instant::now();
        while spool.durable() < end {
            std::thread::yield_now();
        }
        began.elapsed()
    };
    assert!(until_durable(&[Kind::Note, Kind::Note]) >= interval * 9);
    // At best of several: the machine may be busy.
    let best = (0..5).map(|_| until_durable(&[Kind::Note, Kind::Go, Kind::Note]));
    assert!(best.min().unwrap() < interval * 9);
}

#[test]
fn a_note_is_written_with_the_record_that_follows_and_not_before() {
    let dir = tempfile::tempdir().unwrap();
    let spool = open_at(dir.path(), Position(0), lazy()).unwrap().spool;
    let begun = spool.append(Kind::Begin, b"begin").unwrap();
    let first = spool.append(Kind::Note, b"note 1").unwrap();
    let second = spool.append(Kind::Note, b"note 2").unwrap();
    assert!(begun < first && first < second, "positions count them");
    assert_eq!(spool.written(), begun);
    assert_eq!(records(&spool), [b"begin"]);
    let end = spool.append(Kind::Go, b"go").unwrap();
    assert!(second < end);
    assert_eq!(spool.written(), end);
    let expected: [&[u8]; 4] = [b"begin", b"note 1", b"note 2", b"go"];
    assert_eq!(records(&spool), expected);
}

#[test]
fn notes_wait_only_up_to_a_bound() {
    let dir = tempfile::tempdir().unwrap();
    let spool = open_at(dir.path(), Position(0), lazy()).unwrap().spool;
    let mut ends = Vec::new();
    while spool.written() == Position(0) {
        ends.push(spool.append(Kind::Note, &[1; 1000]).unwrap());
    }
    assert_eq!(spool.written(), *ends.last().unwrap());
    assert_eq!(records(&spool).len(), ends.len());
    assert!((64..66).contains(&ends.len()), "{}", ends.len());
}

#[test]
fn notes_die_with_the_process_and_leave_no_trace() {
    let dir = tempfile::tempdir().unwrap();
    let spool = open_at(dir.path(), Position(0), lazy()).unwrap().spool;
    spool.append(Kind::Note, b"taken along").unwrap();
    spool.append(Kind::Go, b"go").unwrap();
    spool.append(Kind::Note, b"lost").unwrap();
    std::mem::forget(spool);
    let opened = open(dir.path());
    assert_eq!(opened.torn_bytes, 0);
    assert_eq!(records(&opened.spool), [b"taken along".as_slice(), b"go"]);
}

#[test]
fn a_spool_that_is_closed_brings_its_notes_to_the_disk() {
    let dir = tempfile::tempdir().unwrap();
    let spool = open_at(dir.path(), Position(0), lazy()).unwrap().spool;
    spool.append(Kind::Note, b"note").unwrap();
    drop(spool);
    assert_eq!(records(&open(dir.path()).spool), [b"note"]);
}

#[tokio::test]
async fn a_note_can_be_waited_for() {
    let dir = tempfile::tempdir().unwrap();
    let spool = open_at(dir.path(), Position(0), lazy()).unwrap().spool;
    for i in 1..20u8 {
        let position = spool.append(Kind::Note, &[i]).unwrap();
        assert!(spool.written() < position);
        spool.wait_durable(position).await.unwrap();
        assert!(spool.durable() >= position);
    }
    assert_eq!(records(&spool).len(), 19);
}

#[test]
fn a_sleeping_thread_is_woken_by_a_note() {
    let dir = tempfile::tempdir().unwrap();
    let spool = open(dir.path()).spool;
    for i in 1..4u8 {
        // Until it has gone to sleep: by itself it would not come any more.
        while !spool.queue.is_idle() {
            std::thread::yield_now();
        }
        let position = spool.append(Kind::Note, &[i]).unwrap();
        while spool.durable() < position {
            std::thread::yield_now();
        }
    }
}

#[test]
fn notes_follow_into_the_next_segment_and_no_record_is_torn_between_two() {
    let dir = tempfile::tempdir().unwrap();
    let small = Options {
        segment_bytes: 100,
        ..lazy()
    };
    let spool = open_at(dir.path(), Position(0), small.clone())
        .unwrap()
        .spool;
    let mut expected = Vec::new();
    for i in 0..30u8 {
        // Two notes, then something that takes them along.
        let kind = if i % 3 == 2 { Kind::Go } else { Kind::Note };
        spool.append(kind, &[i; 40]).unwrap();
        expected.push(vec![i; 40]);
    }
    assert_eq!(records(&spool), expected);
    assert!(segment::list(dir.path()).unwrap().len() >= 9);
    std::mem::forget(spool);
    let opened = open_at(dir.path(), Position(0), small).unwrap();
    assert_eq!(opened.torn_bytes, 0);
    assert_eq!(records(&opened.spool), expected);
}

#[test]
fn nobody_is_shown_what_the_kernel_does_not_have() {
    let dir = tempfile::tempdir().unwrap();
    let small = Options {
        segment_bytes: 4096,
        ..options()
    };
    let spool = open_at(dir.path(), Position(0), small).unwrap().spool;
    const RECORDS: u64 = 3_000;
    std::thread::scope(|scope| {
        let spool = &spool;
        scope.spawn(move || {
            for i in 0..RECORDS {
                let kind = if i % 7 == 0 { Kind::Go } else { Kind::Note };
                spool.append(kind, &i.to_le_bytes()).unwrap();
            }
        });
        let mut reader = spool.reader(Position(0));
        let mut next = 0;
        while next < RECORDS {
            let durable = spool.durable();
            assert!(durable <= spool.written());
            let batch = reader.read(durable, 64).unwrap();
            for record in batch.iter() {
                assert_eq!(record, next.to_le_bytes());
                next += 1;
            }
            // All of what counts as durable is in the files.
            assert!(batch.len() == 64 || reader.position() == durable);
            spool.ack("sink", batch.end()).unwrap();
            spool.ack(DATABASE, batch.end()).unwrap();
            assert!(spool.position_of("sink").unwrap() <= spool.written());
        }
    });
}

//! Whose a spool is, and who reads it.

use super::*;
use crate::frame::{HEADER_BYTES, seal};

/// A segment as the first release wrote it.
fn segment_1(start: u64, records: &[Vec<u8>]) -> Vec<u8> {
    let mut file = b"BRSPOOL1".to_vec();
    file.extend(start.to_le_bytes());
    let check = crc32fast::hash(&file);
    file.extend(check.to_le_bytes());
    file.extend([0; 4]);
    for record in records {
        let mut frame = vec![0; HEADER_BYTES];
        frame.extend(record);
        seal(&mut frame, 0);
        file.extend(frame);
    }
    file
}

fn write_1(dir: &Path, start: u64, records: &[Vec<u8>]) -> PathBuf {
    let path = Segment::at(dir, Position(start)).path;
    std::fs::write(&path, segment_1(start, records)).unwrap();
    path
}

#[test]
fn another_installations_spool_is_refused_with_what_to_do() {
    let dir = tempfile::tempdir().unwrap();
    {
        let spool = open(dir.path()).spool;
        spool.append(Kind::Go, b"one").unwrap();
    }
    let other = Owner {
        store: [8; 16],
        node: 1,
    };
    let second = Owner { node: 2, ..OWNER };
    for stranger in [other, second] {
        let refused = Spool::open(dir.path(), stranger, Position(0), &[], options()).unwrap_err();
        let sentence = refused.to_string();
        assert!(sentence.contains(&OWNER.to_string()), "{sentence}");
        assert!(sentence.contains(&stranger.to_string()), "{sentence}");
        assert!(sentence.contains("put back the database"), "{sentence}");
        let looked = inspect(dir.path(), Some(stranger), Position(0));
        assert!(matches!(looked, Err(SpoolError::Foreign { .. })));
    }
    // Nothing was changed by being refused.
    assert_eq!(records(&open(dir.path()).spool), [b"one"]);
    assert!(inspect(dir.path(), None, Position(0)).is_ok());
}

#[test]
fn segments_of_the_first_release_are_read_and_followed_by_owned_ones() {
    let dir = tempfile::tempdir().unwrap();
    let old = ten_records();
    let size: usize = old.iter().map(|record| record.len() + HEADER_BYTES).sum();
    write_1(dir.path(), 0, &old);
    let opened = open(dir.path());
    assert_eq!(opened.torn_bytes, 0);
    assert_eq!(opened.spool.written(), Position(size as u64));
    assert_eq!(records(&opened.spool), old);
    opened.spool.append(Kind::Go, b"new").unwrap();
    let mut all = old;
    all.push(b"new".to_vec());
    assert_eq!(records(&opened.spool), all);
    drop(opened);
    assert_eq!(records(&open(dir.path()).spool), all);
    let stranger = Owner { node: 2, ..OWNER };
    let refused = Spool::open(dir.path(), stranger, Position(0), &[], options());
    assert!(matches!(refused, Err(SpoolError::Foreign { .. })));
}

#[test]
fn a_segment_of_the_first_release_cut_at_any_byte_keeps_every_whole_record() {
    let dir = tempfile::tempdir().unwrap();
    let old = ten_records();
    let whole = segment_1(0, &old);
    for cut in 0..whole.len() {
        for file in std::fs::read_dir(dir.path()).unwrap() {
            std::fs::remove_file(file.unwrap().path()).unwrap();
        }
        let path = Segment::at(dir.path(), Position(0)).path;
        std::fs::write(path, &whole[..cut]).unwrap();
        let mut room = cut.saturating_sub(24);
        let mut kept: Vec<_> = old
            .iter()
            .take_while(|record| {
                let size = record.len() + HEADER_BYTES;
                let fits = size <= room;
                room = room.saturating_sub(size);
                fits
            })
            .cloned()
            .collect();
        let spool = open(dir.path()).spool;
        assert_eq!(records(&spool), kept, "cut at {cut}");
        spool.append(Kind::Begin, b"new").unwrap();
        drop(spool);
        kept.push(b"new".to_vec());
        assert_eq!(records(&open(dir.path()).spool), kept, "cut at {cut}");
    }
}

#[test]
fn a_header_that_is_not_known_is_damage_and_not_a_beginning() {
    let dir = tempfile::tempdir().unwrap();
    let path = write_1(dir.path(), 0, &ten_records());
    let mut bytes = std::fs::read(&path).unwrap();
    bytes[7] = b'9';
    std::fs::write(&path, bytes).unwrap();
    let refused = open_at(dir.path(), Position(0), options());
    assert!(
        matches!(refused, Err(SpoolError::Corrupt { .. })),
        "{refused:?}"
    );
}

fn small() -> Options {
    Options {
        segment_bytes: 100,
        ..options()
    }
}

fn filled(spool: &Spool) -> Vec<Position> {
    let ends = (0..20u8).map(|i| spool.append(Kind::Go, &[i; 40]).unwrap());
    ends.collect()
}

fn first(dir: &Path) -> Position {
    segment::list(dir).unwrap()[0].start
}

#[test]
fn segments_stay_until_the_last_consumer_has_them() {
    let dir = tempfile::tempdir().unwrap();
    let sink = [("sink", Position(0))];
    let spool = Spool::open(dir.path(), OWNER, Position(0), &sink, small())
        .unwrap()
        .spool;
    let ends = filled(&spool);
    spool.ack(DATABASE, ends[15]).unwrap();
    assert_eq!(first(dir.path()), Position(0));
    spool.ack("sink", ends[5]).unwrap();
    assert!(first(dir.path()) <= ends[5] && first(dir.path()) > Position(0));
    // Never ahead of the database, whoever else has come further.
    spool.ack("sink", ends[19]).unwrap();
    assert!(first(dir.path()) <= ends[15]);
    assert_eq!(spool.position_of("sink"), Some(ends[19]));
    assert_eq!(spool.position_of(DATABASE), Some(ends[15]));
    spool.ack("sink", ends[0]).unwrap();
    assert_eq!(spool.position_of("sink"), Some(ends[19]), "never backwards");
    // A consumer that is known at the start is waited for from the start.
    drop(spool);
    let sink = [("sink", ends[16])];
    let spool = Spool::open(dir.path(), OWNER, ends[19], &sink, small())
        .unwrap()
        .spool;
    assert!(first(dir.path()) <= ends[16]);
    spool.forget("sink").unwrap();
    assert!(first(dir.path()) > ends[16]);
    spool.forget(DATABASE).unwrap();
    assert_eq!(spool.position_of(DATABASE), Some(ends[19]));
}

#[test]
fn a_consumer_that_hangs_is_left_behind_and_told_so() {
    let dir = tempfile::tempdir().unwrap();
    let impatient = Options {
        lag_bytes_max: 500,
        ..small()
    };
    let sink = [("sink", Position(0))];
    let spool = Spool::open(dir.path(), OWNER, Position(0), &sink, impatient)
        .unwrap()
        .spool;
    let ends = filled(&spool);
    spool.ack(DATABASE, ends[19]).unwrap();
    let begins = first(dir.path());
    assert!(begins > Position(0));
    assert!(
        ends[19].0 - begins.0 >= 500,
        "what it may still want is there"
    );
    let lost = spool.reader(Position(0)).read(ends[19], 9);
    assert!(
        matches!(lost, Err(SpoolError::Gone { from: Position(0), start }) if start == begins),
        "{lost:?}"
    );
}

//! Keeping what can still be read of a damaged spool.
//!
//! The spool is set aside as it is, under another name, and a new one takes
//! its place: it begins where the database is and has every record after that
//! whose frame is whole. What was broken is left out, and told.

use std::path::{Path, PathBuf};

use crate::frame;
use crate::segment;
use crate::{Kind, Options, Owner, Position, Spool, SpoolError, inspect, synced};

/// Spools that were set aside and are still there: more need a look first.
const ASIDE_MAX: u32 = 100;

/// What repairing did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Repaired {
    /// What was wrong.
    pub damage: String,
    /// Where the spool is now that was damaged, as it was.
    pub aside: PathBuf,
    /// Records that the database does not have and that were kept.
    pub records: u64,
    /// Bytes, after what the database has, that could not be read.
    pub lost_bytes: u64,
}

/// Repairs the spool in `dir`, of which the database has everything before
/// `applied`, while no server uses it. `None` if nothing is wrong that would
/// keep a server from starting.
///
/// # Errors
/// A spool of another owner, files that cannot be read or written.
pub fn repair(dir: &Path, owner: Owner, applied: Position) -> Result<Option<Repaired>, SpoolError> {
    let made = dir.with_extension("repaired");
    if !dir.exists() && made.exists() {
        // An earlier repair was stopped between its last two steps.
        std::fs::rename(&made, dir).map_err(SpoolError::io("rename", &made))?;
    }
    let damage = match inspect(dir, Some(owner), applied) {
        Ok(_) => return Ok(None),
        Err(error @ (SpoolError::Foreign { .. } | SpoolError::Io { .. })) => return Err(error),
        Err(damage) => damage.to_string(),
    };
    if made.exists() {
        std::fs::remove_dir_all(&made).map_err(SpoolError::io("delete", &made))?;
    }
    let spool = Spool::open(&made, owner, applied, &[], Options::default())?.spool;
    let mut records: u64 = 0;
    let lost_bytes = salvage(dir, applied, &mut |record| {
        records = records.saturating_add(1);
        spool.append(Kind::Go, record).map(|_| ())
    })?;
    spool.sync_now()?;
    drop(spool);
    let aside = free_name(dir)?;
    std::fs::rename(dir, &aside).map_err(SpoolError::io("rename", dir))?;
    std::fs::rename(&made, dir).map_err(SpoolError::io("rename", &made))?;
    Ok(Some(Repaired {
        damage,
        aside,
        records,
        lost_bytes,
    }))
}

/// A name beside `dir` that nothing has.
fn free_name(dir: &Path) -> Result<PathBuf, SpoolError> {
    let mut names = (1..=ASIDE_MAX).map(|n| dir.with_extension(format!("damaged-{n}")));
    names.find(|name| !name.exists()).ok_or_else(|| {
        let full = std::io::Error::from(std::io::ErrorKind::AlreadyExists);
        SpoolError::io("set aside", dir)(full)
    })
}

/// Gives every whole record after `applied` to `keep`, in order. Returns how
/// many bytes after that could not be read.
fn salvage(
    dir: &Path,
    applied: Position,
    keep: &mut dyn FnMut(&[u8]) -> Result<(), SpoolError>,
) -> Result<u64, SpoolError> {
    let mut at = applied;
    let mut lost: u64 = 0;
    let segments = segment::list(dir)?;
    for (i, segment) in segments.iter().enumerate() {
        let next = segments.get(i.saturating_add(1));
        if next.is_some_and(|next| next.start <= applied) {
            continue;
        }
        lost = lost.saturating_add(segment.start.0.saturating_sub(at.0));
        let bytes = segment.load()?;
        let skipped = usize::try_from(at.0.saturating_sub(segment.start.0));
        let begin = segment::header_len(&bytes).saturating_add(skipped.unwrap_or(usize::MAX));
        let mut rest = bytes.get(begin..).unwrap_or_default();
        let from = at.max(segment.start);
        at = Position(from.0.saturating_add(rest.len() as u64));
        while !rest.is_empty() {
            let size = match frame::read(rest) {
                Ok(frame) => {
                    keep(frame.record)?;
                    frame.size()
                }
                Err(_) => {
                    let skipped = resume(rest).unwrap_or(rest.len());
                    lost = lost.saturating_add(skipped as u64);
                    skipped
                }
            };
            rest = rest.get(size..).unwrap_or_default();
        }
    }
    let known = synced::read(dir)?;
    Ok(lost.saturating_add(known.0.saturating_sub(at.0)))
}

/// How far it is from a bad frame to the next good one. One alone could be
/// bytes within a record that look like one, so that another must follow, or
/// the end.
fn resume(rest: &[u8]) -> Option<usize> {
    let size = |bytes: &[u8]| frame::read(bytes).ok().map(|frame| frame.size());
    (1..rest.len()).find(|skip| {
        let bytes = rest.get(*skip..).unwrap_or_default();
        size(bytes).is_some_and(|first| {
            let after = bytes.get(first..).unwrap_or_default();
            after.is_empty() || size(after).is_some()
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Reader;
    use crate::frame::HEADER_BYTES;
    use crate::segment::FILE_HEADER_BYTES;

    const OWNER: Owner = Owner {
        store: [7; 16],
        node: 1,
    };

    /// Ten records in segments of two or three; returns where each ends.
    fn ten(dir: &Path) -> Vec<Position> {
        let options = Options {
            segment_bytes: 100,
            ..Options::default()
        };
        let spool = Spool::open(dir, OWNER, Position(0), &[], options)
            .unwrap()
            .spool;
        let append = |n: u8| spool.append(Kind::Begin, &[n; 30]).unwrap();
        (1..=10).map(append).collect()
    }

    fn records(dir: &Path, from: Position) -> Vec<u8> {
        let end = inspect(dir, Some(OWNER), from).unwrap().end;
        let batch = Reader::new(dir, from).read(end, usize::MAX).unwrap();
        batch.iter().map(|record| record[0]).collect()
    }

    /// Opens it as a server does.
    fn start(dir: &Path, applied: Position) -> Result<Vec<String>, SpoolError> {
        let opened = Spool::open(dir, OWNER, applied, &[], Options::default())?;
        Ok(opened.harmless)
    }

    #[test]
    fn a_flip_in_what_the_database_has_is_told_and_keeps_nobody_from_starting() {
        let root = tempfile::tempdir().unwrap();
        for at in 0..4 {
            let dir = root.path().join(format!("spool{at}"));
            let ends = ten(&dir);
            let segments = segment::list(&dir).unwrap();
            // In the first segment, in the last one, and there below its
            // middle: the database has seven, or nine.
            let (segment, applied) = match at {
                0 => (&segments[0], ends[6]),
                1 => (&segments[2], ends[6]),
                _ => (segments.last().unwrap(), ends[9]),
            };
            let mut bytes = segment.load().unwrap();
            bytes[FILE_HEADER_BYTES + 20] ^= 4;
            std::fs::write(&segment.path, &bytes).unwrap();
            let looked = inspect(&dir, Some(OWNER), applied).unwrap();
            assert_eq!(looked.harmless.len(), 1, "{at}");
            assert!(
                looked.harmless[0].contains("checksum"),
                "{:?}",
                looked.harmless
            );
            // For whoever has not read it, it is damage.
            let unread = inspect(&dir, Some(OWNER), Position(0));
            assert!(unread.is_err(), "{unread:?}");
            assert_eq!(repair(&dir, OWNER, applied).unwrap(), None);
            let kept = records(&dir, applied);
            let told = start(&dir, applied).unwrap();
            // Segments of which everything is applied are deleted unread.
            let expected = if at < 1 { Vec::new() } else { looked.harmless };
            assert_eq!(told, expected, "{at}");
            assert_eq!(records(&dir, applied), kept, "{at}");
        }
    }

    #[test]
    fn a_tail_that_was_on_the_disk_and_is_gone_is_told_with_what_it_costs() {
        let root = tempfile::tempdir().unwrap();
        let dir = root.path().join("spool");
        let ends = ten(&dir);
        let last = segment::list(&dir).unwrap().pop().unwrap();
        let bytes = last.load().unwrap();
        for cut in 1..bytes.len() - FILE_HEADER_BYTES {
            std::fs::write(&last.path, &bytes[..bytes.len() - cut]).unwrap();
            let error = start(&dir, ends[0]).unwrap_err();
            assert!(matches!(error, SpoolError::Lost { .. }), "{error}");
        }
        // Removed with all segments, too.
        for segment in segment::list(&dir).unwrap() {
            std::fs::remove_file(&segment.path).unwrap();
        }
        let error = start(&dir, ends[0]).unwrap_err();
        assert!(matches!(error, SpoolError::Lost { .. }), "{error}");
        let repaired = repair(&dir, OWNER, ends[0]).unwrap().unwrap();
        assert_eq!(
            (repaired.records, repaired.lost_bytes),
            (0, ends[9].0 - ends[0].0)
        );
        assert_eq!(start(&dir, ends[0]).unwrap(), Vec::<String>::new());
    }

    #[test]
    fn a_spool_that_was_removed_is_told() {
        let root = tempfile::tempdir().unwrap();
        let dir = root.path().join("spool");
        let opened = Spool::open(&dir, OWNER, Position(7), &[], Options::default());
        assert!(opened.unwrap().is_missing);
        let again = Spool::open(&dir, OWNER, Position(7), &[], Options::default());
        assert!(!again.unwrap().is_missing);
    }

    #[test]
    fn every_record_but_the_damaged_one_is_kept_and_the_old_files_stay() {
        let root = tempfile::tempdir().unwrap();
        for damaged in 3..10_u8 {
            for within in [0, 5, 20] {
                let dir = root.path().join(format!("spool-{damaged}-{within}"));
                let ends = ten(&dir);
                for segment in segment::list(&dir).unwrap() {
                    let mut bytes = segment.load().unwrap();
                    let found = bytes.windows(30).position(|record| record == [damaged; 30]);
                    if let Some(found) = found {
                        bytes[found - HEADER_BYTES + within] ^= 1;
                        std::fs::write(&segment.path, &bytes).unwrap();
                    }
                }
                let applied = ends[1];
                let error = start(&dir, applied).unwrap_err().to_string();
                let repaired = repair(&dir, OWNER, applied).unwrap().unwrap();
                assert_eq!(repaired.damage, error);
                assert_eq!((repaired.records, repaired.lost_bytes), (7, 46));
                let expected: Vec<u8> = (3..=10).filter(|n| *n != damaged).collect();
                assert_eq!(records(&dir, applied), expected, "{damaged} {within}");
                assert_eq!(start(&dir, applied).unwrap(), Vec::<String>::new());
                // As it was, for whoever knows more.
                let before = inspect(&repaired.aside, Some(OWNER), applied);
                assert!(before.is_err());
                assert_eq!(repair(&dir, OWNER, applied).unwrap(), None);
            }
        }
    }

    #[test]
    fn another_installations_spool_is_not_repaired() {
        let root = tempfile::tempdir().unwrap();
        let dir = root.path().join("spool");
        ten(&dir);
        let other = Owner { node: 2, ..OWNER };
        let refused = repair(&dir, other, Position(0));
        assert!(
            matches!(refused, Err(SpoolError::Foreign { .. })),
            "{refused:?}"
        );
    }
}

//! What a stopped server left: checked from end to end, and mended where it
//! was never promised to anyone.

use std::fs::{File, OpenOptions};
use std::path::Path;

use crate::disk::Disk;
use crate::segment::{self, FILE_HEADER_BYTES, Segment};
use crate::{Owner, Position, SpoolError, synced};

/// Removes a segment without records that begins before the one before it
/// ends: it could not be finished, was taken back, and the disk had not
/// heard of that when the power went.
pub(super) fn remove_leftover(segments: &mut Vec<Segment>) -> Result<(), SpoolError> {
    let [.., before, last] = segments.as_slice() else {
        return Ok(());
    };
    let bytes = |segment: &Segment| {
        let file = std::fs::metadata(&segment.path).map_err(SpoolError::io("read", &segment.path));
        file.map(|file| file.len())
    };
    let header = FILE_HEADER_BYTES as u64;
    let grown = bytes(before)?.saturating_sub(header);
    if bytes(last)? <= header && before.start.0.saturating_add(grown) > last.start.0 {
        std::fs::remove_file(&last.path).map_err(SpoolError::io("delete", &last.path))?;
        segments.pop();
    }
    Ok(())
}

/// What a spool that no server uses holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Inspected {
    /// Where the records end; a torn write behind them is left where it is.
    pub end: Position,
    /// Damage that costs nothing, because the database has those records.
    pub harmless: Vec<String>,
    /// There is no segment, although records were applied.
    pub is_missing: bool,
}

/// Checks a spool that no server uses, without changing it: every record
/// after `applied` must be whole, and `owner`'s if one is given.
///
/// # Errors
/// Damaged, missing or foreign segments, see [`SpoolError`].
pub fn inspect(
    dir: &Path,
    owner: Option<Owner>,
    applied: Position,
) -> Result<Inspected, SpoolError> {
    // First, because a server that runs goes on.
    let known = synced::read(dir)?;
    let segments = segment::list(dir)?;
    let found = check(&segments, owner, applied)?;
    let first = segments.first().map_or(applied, |first| first.start);
    let end = found.last.map_or(applied, |end| end.end);
    place(first, end, applied, known)?;
    Ok(Inspected {
        end,
        harmless: found.harmless,
        is_missing: segments.is_empty() && applied > Position(0),
    })
}

/// Whether a spool from `first` to `end` has what is not applied, and all
/// that was known to be on the disk.
///
/// # Errors
/// [`SpoolError::Missing`], [`SpoolError::Behind`] or [`SpoolError::Lost`].
pub(super) fn place(
    first: Position,
    end: Position,
    applied: Position,
    synced: Position,
) -> Result<(), SpoolError> {
    if first > applied {
        return Err(SpoolError::Missing {
            start: first,
            applied,
        });
    }
    if end < applied {
        return Err(SpoolError::Behind { end, applied });
    }
    if end < synced {
        return Err(SpoolError::Lost { end, synced });
    }
    Ok(())
}

type Recovered = (Segment, File, Position, usize);

/// What checking a spool found.
#[derive(Debug, Default)]
pub(super) struct Found {
    /// What the last segment holds.
    pub last: Option<segment::Checked>,
    /// Damage to records that the database has, a sentence each.
    pub harmless: Vec<String>,
}

/// Checks all segments: whatever is not applied must be whole. Damage below
/// that costs nothing, because the database has those records.
pub(super) fn check(
    segments: &[Segment],
    owner: Option<Owner>,
    applied: Position,
) -> Result<Found, SpoolError> {
    let mut found = Found::default();
    for (i, segment) in segments.iter().enumerate() {
        let next = segments.get(i.saturating_add(1));
        let bytes = segment.load()?;
        let checked = segment.check(&bytes, owner, segment.start);
        let damage = match checked.and_then(|checked| reaches(segment, checked, next)) {
            Ok(checked) if checked.torn == 0 || checked.end >= applied => {
                found.last = Some(checked);
                continue;
            }
            Ok(checked) => segment.corrupt(checked.kept, checked.words()),
            Err(damage @ SpoolError::Corrupt { .. }) if segment.start < applied => damage,
            Err(error) => return Err(error),
        };
        // What comes after the part that is applied decides, if anything does.
        if next.is_none_or(|next| next.start > applied) {
            let rest = segment.check(&bytes, owner, applied)?;
            found.last = Some(reaches(segment, rest, next)?);
        }
        found.harmless.push(damage.to_string());
    }
    Ok(found)
}

/// Whether a segment reaches the next one, if there is one.
fn reaches(
    segment: &Segment,
    checked: segment::Checked,
    next: Option<&Segment>,
) -> Result<segment::Checked, SpoolError> {
    let is_whole = checked.torn == 0 && next.is_none_or(|next| next.start == checked.end);
    if next.is_some() && !is_whole {
        return Err(segment.corrupt(checked.kept, checked.words()));
    }
    Ok(checked)
}

/// Opens the last segment, of which `end` was found, for appending.
pub(super) fn recover(
    segments: &[Segment],
    disk: &dyn Disk,
    owner: Owner,
    end: Option<segment::Checked>,
) -> Result<Option<Recovered>, SpoolError> {
    let (Some(segment), Some(end)) = (segments.last(), end) else {
        return Ok(None);
    };
    if end.kept == 0 {
        // The server died while it created this file: begin it again.
        let file = segment.create(disk, owner)?;
        return Ok(Some((segment.clone(), file, segment.start, end.torn)));
    }
    let file = OpenOptions::new()
        .read(true)
        .append(true)
        .open(&segment.path)
        .map_err(SpoolError::io("open", &segment.path))?;
    if end.torn > 0 {
        disk.cut(&file, end.kept as u64)
            .map_err(SpoolError::io("cut", &segment.path))?;
    }
    // What survived is about to be built upon: it must be on the disk.
    disk.sync(&file)
        .map_err(SpoolError::io("sync", &segment.path))?;
    if end.is_owned {
        return Ok(Some((segment.clone(), file, end.end, end.torn)));
    }
    // The first release wrote it. What follows has an owner; a segment
    // without records gives way to one that has.
    let next = match segment.path.parent() {
        Some(dir) => Segment::at(dir, end.end),
        None => segment.clone(),
    };
    let file = next.create(disk, owner)?;
    Ok(Some((next, file, end.end, end.torn)))
}

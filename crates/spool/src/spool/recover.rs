//! What a stopped server left: checked from end to end, and mended where it
//! was never promised to anyone.

use std::fs::{File, OpenOptions};
use std::path::Path;

use crate::disk::Disk;
use crate::segment::{self, FILE_HEADER_BYTES, Segment};
use crate::{Owner, Position, SpoolError};

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

/// Checks a spool that no server uses, without changing it: every record
/// after `applied` must be whole, and `owner`'s if one is given. Returns
/// where the records end; a torn write behind them is left where it is.
///
/// # Errors
/// Damaged, missing or foreign segments, see [`SpoolError`].
pub fn inspect(
    dir: &Path,
    owner: Option<Owner>,
    applied: Position,
) -> Result<Position, SpoolError> {
    let segments = segment::list(dir)?;
    let Some(first) = segments.first() else {
        return Ok(applied);
    };
    if first.start > applied {
        return Err(SpoolError::Missing {
            start: first.start,
            applied,
        });
    }
    let end = check(&segments, owner)?.map_or(applied, |end| end.end);
    if end < applied {
        return Err(SpoolError::Behind { end, applied });
    }
    Ok(end)
}

type Recovered = (Segment, File, Position, usize);

/// Checks all segments; returns what the last one holds.
fn check(
    segments: &[Segment],
    owner: Option<Owner>,
) -> Result<Option<segment::Checked>, SpoolError> {
    let mut last = None;
    for (i, segment) in segments.iter().enumerate() {
        let checked = segment.check(&segment.load()?, owner)?;
        let next = segments.get(i.saturating_add(1));
        let is_whole = checked.torn == 0 && next.is_none_or(|next| next.start == checked.end);
        if next.is_some() && !is_whole {
            let why = checked
                .bad
                .map_or("it does not reach the next segment", |bad| bad.words());
            return Err(segment.corrupt(checked.kept, why));
        }
        last = Some(checked);
    }
    Ok(last)
}

/// Checks all segments and opens the last one for appending.
pub(super) fn recover(
    segments: &[Segment],
    disk: &dyn Disk,
    owner: Owner,
) -> Result<Option<Recovered>, SpoolError> {
    let (Some(segment), Some(end)) = (segments.last(), check(segments, Some(owner))?) else {
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
        file.set_len(end.kept as u64)
            .map_err(SpoolError::io("cut", &segment.path))?;
    }
    // What survived is about to be built upon: it must be on the disk.
    file.sync_all()
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

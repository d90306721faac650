//! Ranges of a text that came in several pieces.

use std::borrow::Cow;
use std::ops::Range;

use bytes::Bytes;

/// Calls `piece` with every piece of `range`, in order. Stops at the end
/// of the text if the range goes beyond it.
fn each(segments: &[Bytes], range: &Range<usize>, mut piece: impl FnMut(&Bytes, Range<usize>)) {
    let mut base = 0_usize;
    for segment in segments {
        let end = base.saturating_add(segment.len());
        if base >= range.end {
            return;
        }
        if end > range.start {
            let from = range.start.saturating_sub(base);
            let to = range.end.min(end).saturating_sub(base);
            if from < to {
                piece(segment, from..to);
            }
        }
        base = end;
    }
}

/// The bytes of `range`: borrowed if they lie in one piece, else copied.
#[must_use]
pub fn raw<'a>(segments: &'a [Bytes], range: &Range<usize>) -> Cow<'a, [u8]> {
    let mut base = 0_usize;
    for segment in segments {
        let from = range.start.wrapping_sub(base);
        let to = range.end.wrapping_sub(base);
        if range.start >= base
            && let Some(slice) = segment.get(from..to)
        {
            return Cow::Borrowed(slice);
        }
        base = base.saturating_add(segment.len());
    }
    let mut copy = Vec::with_capacity(range.len());
    each(segments, range, |segment, part| {
        copy.extend_from_slice(segment.get(part).unwrap_or_default());
    });
    Cow::Owned(copy)
}

/// The byte at an offset.
#[must_use]
pub fn byte_at(segments: &[Bytes], offset: usize) -> Option<u8> {
    let mut base = 0_usize;
    for segment in segments {
        if let Some(byte) = segment.get(offset.checked_sub(base)?) {
            return Some(*byte);
        }
        base = base.saturating_add(segment.len());
    }
    None
}

/// Appends the pieces of `range` to `out` without copying their bytes.
pub fn slice_into(segments: &[Bytes], range: &Range<usize>, out: &mut Vec<Bytes>) {
    each(segments, range, |segment, part| {
        out.push(segment.slice(part));
    });
}

/// Appends the bytes of `range` to `out`.
pub(super) fn copy_into(segments: &[Bytes], range: &Range<usize>, out: &mut Vec<u8>) {
    each(segments, range, |segment, part| {
        out.extend_from_slice(segment.get(part).unwrap_or_default());
    });
}

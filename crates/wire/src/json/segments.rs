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

/// The same, if they are not more than `most`.
#[must_use]
pub fn short<'a>(
    segments: &'a [Bytes],
    range: &Range<usize>,
    most: usize,
) -> Option<Cow<'a, [u8]>> {
    (range.len() <= most).then(|| raw(segments, range))
}

/// The pieces of `range`, in order, out of `segments`: looks at each
/// segment once, and at none behind the range.
pub(super) fn pieces<'a, I>(
    segments: I,
    range: &Range<usize>,
) -> impl Iterator<Item = &'a [u8]> + use<'a, I>
where
    I: IntoIterator<Item = &'a Bytes>,
{
    let Range { start, end } = *range;
    let mut base = 0_usize;
    let mut segments = segments.into_iter();
    std::iter::from_fn(move || {
        while base < end {
            let segment = segments.next()?;
            let from = start.saturating_sub(base);
            let to = end.saturating_sub(base).min(segment.len());
            base = base.saturating_add(segment.len());
            if let Some(piece) = segment.get(from..to).filter(|piece| !piece.is_empty()) {
                return Some(piece);
            }
        }
        None
    })
}

/// The first byte of `range` that is no white space.
pub fn first_byte<'a>(
    segments: impl IntoIterator<Item = &'a Bytes>,
    range: &Range<usize>,
) -> Option<u8> {
    pieces(segments, range)
        .flatten()
        .find(|byte| !byte.is_ascii_whitespace())
        .copied()
}

/// Walks forward through segments, for ranges that come in order.
pub(super) struct Cursor<'a> {
    rest: &'a [Bytes],
    /// Where `rest` begins in the whole text.
    base: usize,
}

impl<'a> Cursor<'a> {
    pub(super) const fn new(segments: &'a [Bytes]) -> Self {
        Self {
            rest: segments,
            base: 0,
        }
    }

    /// The pieces of a range that does not begin before the last one.
    pub(super) fn pieces(
        &mut self,
        range: &Range<usize>,
    ) -> impl Iterator<Item = &'a [u8]> + use<'a> {
        while let Some((first, rest)) = self.rest.split_first()
            && self.base.saturating_add(first.len()) <= range.start
        {
            self.base = self.base.saturating_add(first.len());
            self.rest = rest;
        }
        let from = |offset: usize| offset.saturating_sub(self.base);
        pieces(self.rest, &(from(range.start)..from(range.end)))
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn white_space_in_many_segments_is_passed_in_one_walk() {
        const COUNT: usize = 100_000;
        let mut segments = vec![Bytes::from_static(b" "); COUNT];
        segments.push(Bytes::from_static(b"]"));
        let mut looks = 0;
        let counted = segments.iter().inspect(|_| looks += 1);
        assert_eq!(first_byte(counted, &(1..COUNT + 1)), Some(b']'));
        assert_eq!(looks, COUNT + 1);
        // Nothing behind the range is looked at.
        let mut looks = 0;
        let counted = segments.iter().inspect(|_| looks += 1);
        assert_eq!(first_byte(counted, &(0..10)), None);
        assert_eq!(looks, 10);
    }

    #[test]
    fn pieces_are_the_range_however_it_is_cut() {
        let text = b"0123456789";
        for cut in 1..=text.len() {
            let segments: Vec<Bytes> = text.chunks(cut).map(Bytes::copy_from_slice).collect();
            for start in 0..text.len() {
                for end in start..text.len() + 3 {
                    let range = start..end;
                    let whole = text.get(start..end.min(text.len())).unwrap();
                    let found: Vec<_> = pieces(&segments, &range).collect();
                    assert_eq!(found.concat(), whole);
                    assert_eq!(raw(&segments, &range), whole);
                    let mut cursor = Cursor::new(&segments);
                    let later: Vec<_> = cursor.pieces(&range).collect();
                    assert_eq!(later.concat(), whole);
                    let rest: Vec<_> = cursor.pieces(&(end..text.len())).collect();
                    assert_eq!(rest.concat(), text.get(end..).unwrap_or_default());
                }
            }
        }
    }
}

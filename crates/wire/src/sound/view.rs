//! The bytes of a sound, wherever they are: in pieces, or as base64 in pieces.

use std::ops::Range;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;

use crate::json;

/// Bytes that are looked at one by one, and never all at once.
#[derive(Debug)]
pub struct View<'a> {
    segments: &'a [Bytes],
    /// Where each segment begins.
    starts: Vec<usize>,
    /// Where the bytes are, or the digits.
    range: Range<usize>,
    bytes: u64,
    is_base64: bool,
}

impl<'a> View<'a> {
    /// Bytes as they are.
    #[must_use]
    pub fn plain(segments: &'a [Bytes], range: Range<usize>) -> Self {
        Self {
            bytes: range.len() as u64,
            starts: starts(segments),
            segments,
            range,
            is_base64: false,
        }
    }

    /// Bytes in base64 without blanks.
    #[must_use]
    pub fn base64(segments: &'a [Bytes], range: Range<usize>) -> Self {
        let tail = range.end.saturating_sub(2).max(range.start)..range.end;
        let padding = json::raw(segments, &tail)
            .iter()
            .filter(|b| **b == b'=')
            .count();
        let digits = range.len().saturating_sub(padding) as u64;
        Self {
            bytes: digits.saturating_mul(3) / 4,
            starts: starts(segments),
            segments,
            range,
            is_base64: true,
        }
    }

    /// How many bytes there are.
    #[must_use]
    pub const fn bytes(&self) -> u64 {
        self.bytes
    }

    /// `N` bytes at a place; `None` if they are not all there.
    #[must_use]
    pub fn array<const N: usize>(&self, at: u64) -> Option<[u8; N]> {
        let end = at.checked_add(N as u64)?;
        if end > self.bytes {
            return None;
        }
        let at = usize::try_from(at).ok()?;
        let mut out = [0; N];
        if self.is_base64 {
            let first = at / 3;
            let last = at.checked_add(N)?.div_ceil(3);
            let digits = self.digits(first.checked_mul(4)?..last.checked_mul(4)?)?;
            let decoded = STANDARD.decode(digits).ok()?;
            let from = at % 3;
            out.copy_from_slice(decoded.get(from..from.checked_add(N)?)?);
        } else {
            self.fill(self.range.start.checked_add(at)?, &mut out)?;
        }
        Some(out)
    }

    /// Digits of a range, filled up with padding at the end.
    fn digits(&self, range: Range<usize>) -> Option<Vec<u8>> {
        let from = self.range.start.checked_add(range.start)?;
        let to = self.range.start.checked_add(range.end)?;
        let mut digits = vec![0; to.min(self.range.end).checked_sub(from)?];
        self.fill(from, &mut digits)?;
        while digits.len() % 4 != 0 {
            digits.push(b'=');
        }
        Some(digits)
    }

    fn fill(&self, at: usize, out: &mut [u8]) -> Option<()> {
        let mut at = at;
        let mut rest = out;
        let mut ix = self
            .starts
            .partition_point(|start| *start <= at)
            .checked_sub(1)?;
        while !rest.is_empty() {
            let from = at.checked_sub(*self.starts.get(ix)?)?;
            let there = self.segments.get(ix)?.get(from..)?;
            let take = there.len().min(rest.len());
            let (now, later) = rest.split_at_mut_checked(take)?;
            now.copy_from_slice(there.get(..take)?);
            rest = later;
            at = at.checked_add(take)?;
            ix = ix.checked_add(1)?;
        }
        Some(())
    }

    pub(super) fn u8(&self, at: u64) -> Option<u8> {
        self.array::<1>(at).map(|[byte]| byte)
    }

    pub(super) fn be_u32(&self, at: u64) -> Option<u32> {
        self.array(at).map(u32::from_be_bytes)
    }

    pub(super) fn be_u64(&self, at: u64) -> Option<u64> {
        self.array(at).map(u64::from_be_bytes)
    }

    pub(super) fn le_u16(&self, at: u64) -> Option<u16> {
        self.array(at).map(u16::from_le_bytes)
    }

    pub(super) fn le_u32(&self, at: u64) -> Option<u32> {
        self.array(at).map(u32::from_le_bytes)
    }

    pub(super) fn le_u64(&self, at: u64) -> Option<u64> {
        self.array(at).map(u64::from_le_bytes)
    }
}

fn starts(segments: &[Bytes]) -> Vec<usize> {
    let mut at = 0_usize;
    segments
        .iter()
        .map(|segment| {
            let start = at;
            at = at.saturating_add(segment.len());
            start
        })
        .collect()
}

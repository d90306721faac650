//! The trace that a call is part of: the header `traceparent`, and the ids of
//! spans.

use std::fmt;

use crate::GenerationId;

/// What a `traceparent` says ("Trace Context", W3C Recommendation, level 1
/// and 2): `00-<trace id>-<span id>-<flags>`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Parent {
    /// The trace that the call is part of.
    pub trace: [u8; 16],
    /// The caller's span.
    pub span: [u8; 8],
    /// Whether the caller keeps its own part of the trace.
    pub sampled: bool,
}

impl Parent {
    /// Reads the header. What is not understood is `None`, and the call begins
    /// a trace of its own, as the recommendation wants it.
    ///
    /// Later versions may add members at the end, so of them only the
    /// beginning is read; version `ff` is never valid, nor are ids of zeros.
    #[must_use]
    pub fn read(header: &str) -> Option<Self> {
        let mut parts = header.trim().split('-');
        let version = hex::<1>(parts.next()?)?;
        let trace = hex::<16>(parts.next()?)?;
        let span = hex::<8>(parts.next()?)?;
        let [flags] = hex::<1>(parts.next()?)?;
        let is_longer = parts.next().is_some();
        let is_valid = version != [0xff]
            && !(version == [0] && is_longer)
            && trace != [0; 16]
            && span != [0; 8];
        is_valid.then_some(Self {
            trace,
            span,
            sampled: flags & 1 == 1,
        })
    }
}

impl fmt::Display for Parent {
    /// As the header says it, in version 00.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let hex = |f: &mut fmt::Formatter<'_>, bytes: &[u8]| {
            bytes.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
        };
        f.write_str("00-")?;
        hex(f, &self.trace)?;
        f.write_str("-")?;
        hex(f, &self.span)?;
        write!(f, "-{:02x}", u8::from(self.sampled))
    }
}

/// A span's id: of the call itself for 0, of its attempts from 1 on. The same
/// call always gives the same, so that what is sent twice is known to be one,
/// and a provider is told the span that its attempt will be.
#[must_use]
pub fn span_id(call: GenerationId, place: u64) -> [u8; 8] {
    let bits = call.to_bits();
    let half = |bits: u128| u64::try_from(bits & u128::from(u64::MAX)).unwrap_or_default();
    // One round of SplitMix64 tells the places of a call apart.
    let mut mixed = half(bits >> 64) ^ half(bits);
    mixed = mixed.wrapping_add(place.wrapping_mul(0x9e37_79b9_7f4a_7c15));
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    // An id of zeros would be none.
    (mixed ^ (mixed >> 31)).max(1).to_be_bytes()
}

/// Exactly `N` bytes in lower-case hexadecimal digits.
fn hex<const N: usize>(text: &str) -> Option<[u8; N]> {
    if text.len() != N.checked_mul(2)? {
        return None;
    }
    let mut bytes = [0; N];
    for (byte, pair) in bytes.iter_mut().zip(text.as_bytes().chunks(2)) {
        let [high, low] = pair else { return None };
        *byte = digit(*high)?.checked_mul(16)?.checked_add(digit(*low)?)?;
    }
    Some(bytes)
}

const fn digit(character: u8) -> Option<u8> {
    match character {
        b'0'..=b'9' => Some(character - b'0'),
        b'a'..=b'f' => Some(character - b'a' + 10),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_parent_is_read_and_its_flag_kept() {
        let header = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
        let parent = Parent::read(header).unwrap();
        assert_eq!(parent.trace[..3], [0x4b, 0xf9, 0x2f]);
        assert_eq!(parent.span[6..], [0x02, 0xb7]);
        assert!(parent.sampled);
        assert_eq!(parent.to_string(), header);
        let silent = Parent::read(&header.replace("-01", "-00")).unwrap();
        assert!(!silent.sampled);
        // A later version may say more.
        let later = format!("01{}-more", &header[2..]);
        assert_eq!(Parent::read(&later), Some(parent));
    }

    #[test]
    fn every_place_of_every_call_has_a_span_of_its_own() {
        let calls = (0..100).map(|n| GenerationId::at_ms(1_800_000_000_000, n));
        let ids = calls.flat_map(|call| (0..9).map(move |place| span_id(call, place)));
        let distinct: std::collections::HashSet<_> = ids.collect();
        assert_eq!(distinct.len(), 900);
    }

    #[test]
    fn what_is_no_parent_begins_a_trace_of_its_own() {
        for header in [
            "",
            "00",
            "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
            "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-more",
            "00-4bf92f3577b34da6a3ce929d0e0e473-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e473é-00f067aa0ba902b7-01",
        ] {
            assert_eq!(Parent::read(header), None, "{header}");
        }
    }
}

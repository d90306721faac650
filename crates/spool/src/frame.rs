//! One record on disk.
//!
//! Sixteen bytes go before each record: its length, the CRC-32 of all that
//! follows and of the length, and the *mark*: how far the spool was known to
//! be on the disk when the record was written. The marks tell a torn write
//! from a damaged disk. A frame that is bad, and that no later frame claims
//! to have been on the disk, was never promised to anyone; a bad frame below
//! a later mark was, and is corruption.

/// Bytes before each record.
pub const HEADER_BYTES: usize = 16;
/// Longest record. Our longest is some 20 KiB; a length above this bound is
/// damage and must not become an allocation.
pub const RECORD_BYTES_MAX: usize = 1 << 20;

/// Completes a frame in place: `frame` begins with [`HEADER_BYTES`] bytes of
/// room, and the record follows. Shorter ones are left alone.
pub fn seal(frame: &mut [u8], mark: u64) {
    let Some((head, record)) = frame.split_first_chunk_mut::<HEADER_BYTES>() else {
        return;
    };
    let length = u32::try_from(record.len()).unwrap_or(u32::MAX);
    let parts = length
        .to_le_bytes()
        .into_iter()
        .chain(checksum(length, mark, record).to_le_bytes())
        .chain(mark.to_le_bytes());
    for (slot, byte) in head.iter_mut().zip(parts) {
        *slot = byte;
    }
}

fn checksum(length: u32, mark: u64, record: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&length.to_le_bytes());
    hasher.update(&mark.to_le_bytes());
    hasher.update(record);
    hasher.finalize()
}

/// A frame that has been read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Frame<'a> {
    /// The record.
    pub record: &'a [u8],
    /// How far the spool was on the disk when it was written.
    pub mark: u64,
}

impl Frame<'_> {
    /// Bytes on disk, header included.
    #[must_use]
    pub const fn size(&self) -> usize {
        HEADER_BYTES.saturating_add(self.record.len())
    }
}

/// Why there is no frame at the start of some bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BadFrame {
    /// The bytes end before the frame does.
    Short,
    /// The length is impossible.
    Length,
    /// The checksum does not fit.
    Checksum,
}

impl BadFrame {
    /// In words.
    #[must_use]
    pub const fn words(self) -> &'static str {
        match self {
            Self::Short => "a record is cut",
            Self::Length => "a record has an impossible length",
            Self::Checksum => "a record does not match its checksum",
        }
    }
}

/// Reads the frame at the start of `bytes`.
///
/// # Errors
/// Says what does not fit.
pub fn read(bytes: &[u8]) -> Result<Frame<'_>, BadFrame> {
    let (head, rest) = bytes
        .split_first_chunk::<HEADER_BYTES>()
        .ok_or(BadFrame::Short)?;
    let [
        l0,
        l1,
        l2,
        l3,
        c0,
        c1,
        c2,
        c3,
        m0,
        m1,
        m2,
        m3,
        m4,
        m5,
        m6,
        m7,
    ] = *head;
    let length = u32::from_le_bytes([l0, l1, l2, l3]);
    let expected = u32::from_le_bytes([c0, c1, c2, c3]);
    let mark = u64::from_le_bytes([m0, m1, m2, m3, m4, m5, m6, m7]);
    // An empty record is refused too: a hole of zeros is not a frame.
    let size = usize::try_from(length).map_err(|_| BadFrame::Length)?;
    if size == 0 || size > RECORD_BYTES_MAX {
        return Err(BadFrame::Length);
    }
    let record = rest.get(..size).ok_or(BadFrame::Short)?;
    if checksum(length, mark, record) != expected {
        return Err(BadFrame::Checksum);
    }
    Ok(Frame { record, mark })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn write(record: &[u8], mark: u64, out: &mut Vec<u8>) {
        out.resize(HEADER_BYTES, 0);
        out.extend_from_slice(record);
        seal(out, mark);
    }

    proptest! {
        #[test]
        fn a_frame_survives_writing_and_reading(
            record in proptest::collection::vec(any::<u8>(), 1..300), mark: u64
        ) {
            let mut bytes = Vec::new();
            write(&record, mark, &mut bytes);
            let frame = read(&bytes).unwrap();
            prop_assert_eq!((frame.record, frame.mark, frame.size()), (&record[..], mark, bytes.len()));
        }

        #[test]
        fn no_flipped_bit_goes_unnoticed(
            record in proptest::collection::vec(any::<u8>(), 1..300),
            at in any::<prop::sample::Index>(), bit in 0u8..8
        ) {
            let mut bytes = Vec::new();
            write(&record, 7, &mut bytes);
            let at = at.index(bytes.len());
            bytes[at] ^= 1 << bit;
            prop_assert!(read(&bytes).is_err());
        }

        #[test]
        fn no_bytes_make_the_reader_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = read(&bytes);
        }
    }

    #[test]
    fn a_hole_of_zeros_is_no_frame() {
        assert_eq!(read(&[0; 64]), Err(BadFrame::Length));
    }
}

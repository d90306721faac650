//! Sounds: how long they are, by their own bytes.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bourse_wire::sound::{LENGTH_MS_MAX, View, measure};
use bytes::Bytes;

use super::Target;
use crate::chance::Chance;
use crate::sign::{Sign, of_bytes};

/// Files of every sort that vendors take.
pub struct Sounds;

/// The highest rate of any format, in bytes a second: whatever a header says,
/// no sound is shorter than its bytes at this rate.
const BYTES_A_SECOND_MAX: u64 = 192_000 * 4 * 2;

/// One of each sort.
pub const SAMPLES: [&[u8]; 9] = [
    b"RIFF\0\0\0\0WAVEfmt \x10\0\0\0\x01\0\x01\0\x40\x1f\0\0\x80\x3e\0\0\x02\0\x10\0data\x08\0\0\0\0\0\0\0\0\0\0\0",
    b"RIFF\xff\xff\xff\xffWAVEJUNK\x04\0\0\0abcdfmt \x10\0\0\0\x01\0\x02\0\x44\xac\0\0\x10\xb1\x02\0\x04\0\x10\0LIST\x02\0\0\0ABdata\xff\xff\xff\xff\0\0\0\0",
    b"fLaC\0\0\0\x22\0\0\0\0\0\0\0\0\0\0\x0a\xc4\x42\xf0\0\0\0\x40\0\0\0\0\0\0",
    b"OggS\0\x02\0\0\0\0\0\0\0\0\x01\0\0\0\0\0\0\0\0\0\0\0\x01\x13OpusHead\x01\x01\x38\x01\x80\xbb\0\0\0\0\0OggS\0\x04\x80\xbb\0\0\0\0\0\0\x01\0\0\0\x01\0\0\0\0\0\0\0\x01\x01a",
    b"OggS\0\x02\0\0\0\0\0\0\0\0\x01\0\0\0\0\0\0\0\0\0\0\0\x01\x1e\x01vorbis\0\0\0\0\x02\x44\xac\0\0\0\0\0\0\0\xee\x02\0\0\0\0\0\xb8\x01",
    b"ID3\x04\0\0\0\0\0\0\xff\xfb\x90\0",
    b"\xff\xfb\x90\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0Xing\0\0\0\x03\0\0\0\x09\0\0\x10\0",
    b"\0\0\0\x10ftypM4A \0\0\0\0\0\0\0\x24moov\0\0\0\x1cmvhd\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x03\xe8\0\0\x07\xd0",
    b"\x1a\x45\xdf\xa3\x80\x18\x53\x80\x67\x90\x15\x49\xa9\x66\x87\x44\x89\x84\x42\xc8\0\0",
];

impl Target for Sounds {
    fn name(&self) -> &'static str {
        "sounds"
    }

    fn held_to(&self) -> &'static str {
        "a sound is no shorter than its bytes at the highest rate and no longer than the bound, \
         and as long in pieces and in base64"
    }

    fn seeds(&self) -> Result<Vec<Vec<u8>>, String> {
        Ok(SAMPLES.iter().map(|sound| sound.to_vec()).collect())
    }

    fn execute(&self, input: &[u8]) -> Result<u64, String> {
        let mut chance = Chance::new(of_bytes(input));
        let whole = [Bytes::copy_from_slice(input)];
        let measured = measure(&View::plain(&whole, 0..input.len()));
        let cut = |bytes: &[u8], chance: &mut Chance| -> Vec<Bytes> {
            let pieces = chance.pieces(bytes);
            pieces.into_iter().map(Bytes::copy_from_slice).collect()
        };
        let pieces = cut(input, &mut chance);
        let in_pieces = measure(&View::plain(&pieces, 0..input.len()));
        let digits = STANDARD.encode(input);
        let pieces = cut(digits.as_bytes(), &mut chance);
        let in_base64 = measure(&View::base64(&pieces, 0..digits.len()));
        if measured != in_pieces || measured != in_base64 {
            return Err(format!(
                "a sound is otherwise in pieces or in base64\n{measured:?}\n{in_pieces:?}\n{in_base64:?}"
            ));
        }
        let bytes = u64::try_from(input.len()).unwrap_or(u64::MAX);
        let least = (bytes.saturating_mul(1_000) / BYTES_A_SECOND_MAX).clamp(1, LENGTH_MS_MAX);
        if !(least..=LENGTH_MS_MAX).contains(&measured.ms()) {
            return Err(format!("{bytes} bytes of sound last {} ms", measured.ms()));
        }
        let mut sign = Sign::default();
        sign.text(&format!("{:?}", measured.format));
        sign.text(&format!("{}", measured.told_ms.is_some()));
        let told = measured.told_ms.unwrap_or(0);
        sign.count(usize::try_from(told).unwrap_or(usize::MAX));
        Ok(sign.get())
    }
}

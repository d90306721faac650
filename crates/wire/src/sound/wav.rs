//! RIFF WAVE (Microsoft and IBM, Multimedia Programming Interface and Data
//! Specifications 1.0, August 1991): chunks, of which `fmt ` says how many
//! bytes a second has, and `data` how many there are.

use super::to_ms;
use super::view::View;

/// Chunks before the data: known files have up to a handful.
const CHUNKS_MAX: u32 = 64;

/// How long it is.
pub(super) fn length_ms(sound: &View<'_>) -> Option<u64> {
    let mut at = 12_u64;
    let mut bytes_a_second = 0_u64;
    for _ in 0..CHUNKS_MAX {
        let name: [u8; 4] = sound.array(at)?;
        let length = u64::from(sound.le_u32(at.saturating_add(4))?);
        let body = at.saturating_add(8);
        match &name {
            b"fmt " => {
                let samples = u64::from(sound.le_u32(body.saturating_add(4))?);
                let block = u64::from(sound.le_u16(body.saturating_add(12))?);
                let told = u64::from(sound.le_u32(body.saturating_add(8))?);
                // Of what is not compressed the two are the same; what is
                // read counts, and that goes by blocks.
                let is_pcm = matches!(sound.le_u16(body)?, 1 | 3 | 0xFFFE);
                bytes_a_second = if is_pcm {
                    samples.saturating_mul(block)
                } else {
                    told
                };
            }
            b"data" => {
                // A stream that was never closed says nothing, or the most
                // that there can be.
                let there = sound.bytes().saturating_sub(body);
                let length = if length == 0 {
                    there
                } else {
                    length.min(there)
                };
                return to_ms(length, bytes_a_second);
            }
            _ => {}
        }
        // Chunks begin at even places.
        at = body.saturating_add(length).saturating_add(length % 2);
    }
    None
}

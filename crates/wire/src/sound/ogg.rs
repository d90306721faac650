//! Ogg (RFC 3533) with Opus (RFC 7845) or Vorbis (Vorbis I specification,
//! section 4.2.2): each page says up to which sample it goes.

use super::view::View;
use super::{LENGTH_MS_MAX, to_ms};

/// Pages that are walked: a page has a second of sound as a rule, and 255
/// bytes at least, of which 25 MB have 100,000.
const PAGES_MAX: u32 = 131_072;
/// A page on which no packet ends.
const NO_POSITION: u64 = u64::MAX;

/// How long it is.
pub(super) fn length_ms(sound: &View<'_>) -> Option<u64> {
    let segments = u64::from(sound.u8(26)?);
    let packet = 27_u64.saturating_add(segments);
    let head: [u8; 8] = sound.array(packet)?;
    let (a_second, skipped) = match &head {
        b"OpusHead" => (
            // Positions are in 48 kHz, whatever was recorded.
            48_000,
            u64::from(sound.le_u16(packet.saturating_add(10))?),
        ),
        [1, b'v', b'o', b'r', b'b', b'i', b's', _] => {
            (u64::from(sound.le_u32(packet.saturating_add(12))?), 0)
        }
        _ => return None,
    };
    let serial = sound.le_u32(14)?;
    let (mut at, mut last) = (0_u64, 0_u64);
    let mut seen = 0_u32;
    while seen < PAGES_MAX && sound.array(at) == Some(*b"OggS") {
        let position = sound.le_u64(at.saturating_add(6))?;
        if position != NO_POSITION && sound.le_u32(at.saturating_add(14)) == Some(serial) {
            last = last.max(position);
        }
        let Some(next) = next_page(sound, at) else {
            break;
        };
        at = next;
        seen += 1;
    }
    let ms = to_ms(last.saturating_sub(skipped), a_second)?;
    // What was not walked goes on as it began.
    let rest = sound.bytes().saturating_sub(at);
    let more = u128::from(ms).saturating_mul(u128::from(rest)) / u128::from(at.max(1));
    let more = u64::try_from(more).unwrap_or(LENGTH_MS_MAX);
    Some(ms.saturating_add(if seen == PAGES_MAX { more } else { 0 }))
}

/// Where the next page begins.
fn next_page(sound: &View<'_>, at: u64) -> Option<u64> {
    let segments = sound.u8(at.saturating_add(26))?;
    let table = at.saturating_add(27);
    let mut length = 0_u64;
    for segment in 0..u64::from(segments) {
        length = length.saturating_add(u64::from(sound.u8(table.saturating_add(segment))?));
    }
    Some(
        table
            .saturating_add(u64::from(segments))
            .saturating_add(length),
    )
}

//! ISO base media (ISO 14496-12, section 8.2.2): the box `moov` has a box
//! `mvhd` with the length in units, and how many of them a second has.

use super::to_ms;
use super::view::View;

/// Boxes that are walked on each level: files that are cut into fragments have
/// two for each second.
const BOXES_MAX: u32 = 4_096;

/// How long it is.
pub(super) fn length_ms(sound: &View<'_>) -> Option<u64> {
    let (moov, end) = find(sound, (0, sound.bytes()), *b"moov")?;
    let (head, _) = find(sound, (moov, end), *b"mvhd")?;
    let (a_second, length) = match sound.u8(head)? {
        0 => (
            sound.be_u32(head.saturating_add(12))?,
            u64::from(sound.be_u32(head.saturating_add(16))?),
        ),
        _ => (
            sound.be_u32(head.saturating_add(20))?,
            sound.be_u64(head.saturating_add(24))?,
        ),
    };
    to_ms(length, u64::from(a_second))
}

/// Where the content of a box begins and ends that lies between two places.
fn find(sound: &View<'_>, (from, to): (u64, u64), wanted: [u8; 4]) -> Option<(u64, u64)> {
    let mut at = from;
    for _ in 0..BOXES_MAX {
        if at >= to {
            return None;
        }
        let short = u64::from(sound.be_u32(at)?);
        let name: [u8; 4] = sound.array(at.saturating_add(4))?;
        let (head, length) = match short {
            // To the end of the file.
            0 => (8, to.saturating_sub(at)),
            1 => (16, sound.be_u64(at.saturating_add(8))?),
            _ => (8, short),
        };
        let end = at.checked_add(length.max(head))?.min(to);
        if name == wanted {
            return Some((at.saturating_add(head), end));
        }
        at = end;
    }
    None
}

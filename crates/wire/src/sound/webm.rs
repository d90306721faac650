//! Matroska (RFC 9559, section 5.1.2): the segment's `Info` has a `Duration`
//! in units of `TimestampScale` nanoseconds. Browsers that record leave it
//! out, because they do not know it yet.

use super::to_ms;
use super::view::View;

const SEGMENT: u64 = 0x1853_8067;
const INFO: u64 = 0x1549_A966;
const TIMESTAMP_SCALE: u64 = 0x002A_D7B1;
const DURATION: u64 = 0x4489;

/// Elements that are walked on each level before the one that is looked for.
const ELEMENTS_MAX: u32 = 256;
/// Nanoseconds of a unit unless it is said.
const SCALE: u64 = 1_000_000;

/// How long it is.
pub(super) fn length_ms(sound: &View<'_>) -> Option<u64> {
    let all = (0, sound.bytes());
    let segment = find(sound, all, SEGMENT)?;
    let info = find(sound, segment, INFO)?;
    let scale = match find(sound, info, TIMESTAMP_SCALE) {
        Some(place) => unsigned(sound, place)?,
        None => SCALE,
    };
    let units = float(sound, find(sound, info, DURATION)?)?;
    to_ms(units.saturating_mul(scale), 1_000_000_000)
}

/// Where the content of an element begins and ends that lies between two
/// places.
fn find(sound: &View<'_>, (from, to): (u64, u64), wanted: u64) -> Option<(u64, u64)> {
    let mut at = from;
    for _ in 0..ELEMENTS_MAX {
        if at >= to {
            return None;
        }
        let (id, bytes) = number(sound, at, false)?;
        let (length, more) = number(sound, at.saturating_add(bytes), true)?;
        let body = at.saturating_add(bytes).saturating_add(more);
        // All ones: the length was not known, so it goes to the end.
        let unknown = (1_u64 << (7 * more)).saturating_sub(1);
        let end = if length == unknown {
            to
        } else {
            body.saturating_add(length).min(to)
        };
        if id == wanted {
            return Some((body, end));
        }
        at = end;
    }
    None
}

/// A number of variable length (RFC 8794, section 4), without the bit that
/// says how long it is where it is a length; and how many bytes it has.
fn number(sound: &View<'_>, at: u64, is_length: bool) -> Option<(u64, u64)> {
    let first = sound.u8(at)?;
    let bytes = u64::from(first.leading_zeros()).saturating_add(1);
    if bytes > 8 {
        return None;
    }
    let mut value = u64::from(first);
    if is_length {
        value &= 0x7F_u64 >> (bytes - 1);
    }
    for more in 1..bytes {
        value = value << 8 | u64::from(sound.u8(at.saturating_add(more))?);
    }
    Some((value, bytes))
}

fn unsigned(sound: &View<'_>, (from, to): (u64, u64)) -> Option<u64> {
    let mut value = 0_u64;
    for at in from..to.min(from.saturating_add(8)) {
        value = value << 8 | u64::from(sound.u8(at)?);
    }
    Some(value)
}

/// A float, cut down to whole units: a unit is a millisecond, all but always.
fn float(sound: &View<'_>, (from, to): (u64, u64)) -> Option<u64> {
    let value = match to.saturating_sub(from) {
        4 => f64::from(f32::from_bits(sound.be_u32(from)?)),
        8 => f64::from_bits(sound.be_u64(from)?),
        _ => return None,
    };
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // Saturates, and NaN is 0.
    let whole = value.ceil() as u64;
    Some(whole)
}

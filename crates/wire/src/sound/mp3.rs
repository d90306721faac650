//! MPEG audio (ISO 11172-3, section 2.4.2.3, and ISO 13818-3): frames, each of
//! which says how long it is and how many samples it has. Before them there
//! may be an ID3v2 tag (id3.org, section 3.1).

use super::view::View;
use super::{LENGTH_MS_MAX, to_ms};

/// Frames that are walked: half an hour of the usual 26 ms.
const FRAMES_MAX: u32 = 65_536;
/// Bytes without a frame that are passed over, such as other tags.
const JUNK_BYTES_MAX: u64 = 64 * 1024;

/// One frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Frame {
    pub bytes: u64,
    pub samples: u64,
    pub a_second: u64,
}

/// Kilobits a second of MPEG 1, layers I, II and III, and of MPEG 2, layer I
/// and the other two.
const KILOBITS: [[u64; 14]; 5] = [
    [
        32, 64, 96, 128, 160, 192, 224, 256, 288, 320, 352, 384, 416, 448,
    ],
    [
        32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384,
    ],
    [
        32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320,
    ],
    [
        32, 48, 56, 64, 80, 96, 112, 128, 144, 160, 176, 192, 224, 256,
    ],
    [8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160],
];

/// Reads the head of a frame.
pub(super) fn frame(head: [u8; 4]) -> Option<Frame> {
    let [sync, kind, rates, _] = head;
    if sync != 0xFF || kind & 0xE0 != 0xE0 {
        return None;
    }
    // 2 is reserved; 0 is MPEG 2.5, 2 bits from 3 are 1 and 2.
    let version = (kind >> 3) & 3;
    let layer = (kind >> 1) & 3;
    if version == 1 || layer == 0 {
        return None;
    }
    let is_first = version == 3;
    let row = match (is_first, layer) {
        (true, 3) => 0,
        (true, 2) => 1,
        (true, _) => 2,
        (false, 3) => 3,
        (false, _) => 4,
    };
    let column = usize::from(rates >> 4).checked_sub(1)?;
    let bits_a_second = KILOBITS.get(row)?.get(column)?.saturating_mul(1_000);
    let base = match (rates >> 2) & 3 {
        0 => 44_100,
        1 => 48_000,
        2 => 32_000,
        _ => return None,
    };
    let a_second = match version {
        3 => base,
        2 => base / 2,
        _ => base / 4,
    };
    let padding = u64::from((rates >> 1) & 1);
    let (samples, bytes) = match (layer, is_first) {
        (3, _) => {
            let slots = 12_u64.saturating_mul(bits_a_second) / a_second;
            (384, slots.saturating_add(padding).saturating_mul(4))
        }
        (1, false) => (576, (72 * bits_a_second / a_second).saturating_add(padding)),
        _ => (
            1_152,
            (144 * bits_a_second / a_second).saturating_add(padding),
        ),
    };
    Some(Frame {
        bytes,
        samples,
        a_second,
    })
}

/// How long it is.
pub(super) fn length_ms(sound: &View<'_>) -> Option<u64> {
    let begin = behind_tag(sound);
    let (mut at, mut junk, mut seen) = (begin, 0_u64, 0_u32);
    // Samples of each rate: a file that changes it is rare and legal.
    let (mut rate, mut samples, mut ms) = (0_u64, 0_u64, 0_u64);
    while seen < FRAMES_MAX && junk < JUNK_BYTES_MAX {
        let Some(head) = sound.array(at) else {
            break;
        };
        let Some(frame) = frame(head) else {
            at = at.saturating_add(1);
            junk += 1;
            continue;
        };
        if frame.a_second != rate {
            ms = ms.saturating_add(to_ms(samples, rate).unwrap_or(0));
            (rate, samples) = (frame.a_second, 0);
        }
        samples = samples.saturating_add(frame.samples);
        at = at.saturating_add(frame.bytes.max(4));
        seen += 1;
    }
    let ms = ms.saturating_add(to_ms(samples, rate)?);
    let (walked, rest) = (at.saturating_sub(begin), sound.bytes().saturating_sub(at));
    // What was not walked goes on as it began.
    let more = u128::from(ms).saturating_mul(u128::from(rest)) / u128::from(walked.max(1));
    Some(ms.saturating_add(u64::try_from(more).unwrap_or(LENGTH_MS_MAX)))
}

/// Where the first frame may be.
fn behind_tag(sound: &View<'_>) -> u64 {
    let Some([b'I', b'D', b'3', _, _, _, a, b, c, d]) = sound.array::<10>(0) else {
        return 0;
    };
    // Seven bits of each byte count, so that no tag has a frame's mark in it.
    let length = [a, b, c, d]
        .iter()
        .fold(0_u64, |length, byte| length << 7 | u64::from(byte & 0x7F));
    length.saturating_add(10)
}

//! Changes of bytes, whatever they mean.

use crate::chance::Chance;

/// Bytes that begin, end or part something somewhere.
const MARKS: &[&[u8]] = &[
    b"\n",
    b"\r\n",
    b"\r",
    b"\n\n",
    b"\r\n\r\n",
    b"data: ",
    b"event: error\n",
    b": ping\n\n",
    b"data: [DONE]\n\n",
    b"retry: 1\n",
    b"id: 1\n",
    b"\xef\xbb\xbf",
    b"0\r\n\r\n",
    b"content-length: 5\r\n",
    b"transfer-encoding: chunked\r\n",
    b"host: b\r\n",
    b" ",
    b"\t",
    b"\x00",
    b"\xff\xff\xff\xff",
    b"\x80\x80\x80\x80\x01",
    b"5\r\nhello\r\n",
    b";x=y",
    b"POST /v1/x HTTP/1.1\r\nhost: a\r\n\r\n",
    b"HTTP/1.1 100 Continue\r\n\r\n",
    b"[[",
    b"\"\"\"",
    b"'",
];
/// Numbers as they stand in binary lengths and offsets.
const LENGTHS: &[u32] = &[
    0,
    1,
    2,
    12,
    16,
    127,
    128,
    255,
    256,
    65_535,
    1 << 20,
    (1 << 20) + 1,
    2_147_483_647,
    u32::MAX,
];

/// Changes a place.
pub fn change(input: &mut Vec<u8>, other: &[u8], chance: &mut Chance) {
    let at = chance.below(input.len() + 1);
    let stretch = chance.range(input.len());
    match chance.below(12) {
        0 => flip(input, chance),
        1 => put(input, at, &[chance.number().to_le_bytes()[0]]),
        2 => put(input, at, chance.pick(MARKS).copied().unwrap_or_default()),
        3 => drop(input.drain(short(stretch, chance))),
        4 => {
            let copy = input.get(stretch.clone()).unwrap_or_default().to_vec();
            put(input, stretch.end, &copy);
        }
        5 => input.truncate(at),
        6 => length(input, at, chance),
        7 => lines(input, chance),
        8 => {
            // The beginning of one and the end of another.
            let from = chance.below(other.len() + 1);
            input.truncate(at);
            input.extend_from_slice(other.get(from..).unwrap_or_default());
        }
        9 => {
            let theirs = chance.range(other.len());
            put(input, at, other.get(theirs).unwrap_or_default());
        }
        10 => {
            if let Some(byte) = input.get_mut(at) {
                *byte = byte.wrapping_add(1);
            }
        }
        _ => {
            if let Some(byte) = input.get_mut(at) {
                *byte ^= 0x20;
            }
        }
    }
}

fn put(input: &mut Vec<u8>, at: usize, bytes: &[u8]) {
    input.splice(at..at, bytes.iter().copied());
}

fn flip(input: &mut [u8], chance: &mut Chance) {
    let at = chance.below(input.len());
    let bit = chance.below(8);
    if let Some(byte) = input.get_mut(at) {
        *byte ^= 1 << bit;
    }
}

/// Most of what is taken out is short: the rest should still mean something.
fn short(stretch: std::ops::Range<usize>, chance: &mut Chance) -> std::ops::Range<usize> {
    let most = match chance.one_in(4) {
        true => stretch.len(),
        false => stretch.len().min(8),
    };
    stretch.start..stretch.start + most
}

/// Writes a number over what may be a length, big or little end first.
fn length(input: &mut [u8], at: usize, chance: &mut Chance) {
    let number = chance.pick(LENGTHS).copied().unwrap_or(0);
    let bytes = match chance.one_in(2) {
        true => number.to_le_bytes(),
        false => number.to_be_bytes(),
    };
    let take = [1, 2, 4].get(chance.below(3)).copied().unwrap_or(1);
    for (slot, byte) in input.iter_mut().skip(at).zip(bytes.iter().take(take)) {
        *slot = *byte;
    }
}

/// Leaves a line out, repeats it, or puts it elsewhere.
fn lines(input: &mut Vec<u8>, chance: &mut Chance) {
    let mut lines: Vec<Vec<u8>> = input
        .split_inclusive(|byte| *byte == b'\n')
        .map(<[u8]>::to_vec)
        .collect();
    if lines.is_empty() {
        return;
    }
    let (one, two) = (chance.below(lines.len()), chance.below(lines.len()));
    match chance.below(3) {
        0 => drop(lines.remove(one)),
        1 => {
            let line = lines.get(one).cloned().unwrap_or_default();
            lines.insert(two, line);
        }
        _ => lines.swap(one, two),
    }
    *input = lines.concat();
}

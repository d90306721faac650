//! How large a picture is, from its first bytes in base64.
//!
//! Only as much is decoded as it takes to find the size: some thirty bytes,
//! or, in a JPEG, the heads of the segments before its frame. Whatever the
//! bytes are, nothing here panics, and the work is bounded.
//!
//! Layouts: PNG (W3C Recommendation, third edition, section 11.2.1), GIF89a
//! (CompuServe, 1990, section 18), JPEG (ITU-T T.81, annex B), WebP (RFC
//! 9649, section 2).

/// Characters of base64 that are looked at for one picture, skipped ones
/// included. Profiles and thumbnails before a JPEG's frame are seldom above
/// 200 KiB together.
const CHARS_MAX: usize = 1 << 20;
/// Segments before a JPEG's frame. Cameras write fewer than 20, large
/// colour profiles are split into some more.
const SEGMENTS_MAX: usize = 256;

/// Width and height of a picture, in pixels; neither is 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct PixelSize {
    /// Pixels from left to right.
    pub width: u32,
    /// Pixels from top to bottom.
    pub height: u32,
}

impl PixelSize {
    /// A size, unless it is none.
    #[must_use]
    pub const fn new(width: u32, height: u32) -> Option<Self> {
        if width == 0 || height == 0 {
            None
        } else {
            Some(Self { width, height })
        }
    }

    /// Reads the size of a picture whose base64 comes in `pieces`. A
    /// backslash, which some clients write before each slash of a JSON
    /// text, is passed over.
    ///
    /// `None` if it is no picture of a known format, or its size is not
    /// near its beginning.
    pub fn of_base64<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> Option<Self> {
        read(&mut Base64 {
            now: &[],
            more: pieces.into_iter(),
            left: CHARS_MAX,
            bits: 0,
            held: 0,
        })
    }
}

fn read<'a>(bytes: &mut Base64<'a, impl Iterator<Item = &'a [u8]>>) -> Option<PixelSize> {
    match bytes.take::<4>()? {
        [0x89, b'P', b'N', b'G'] => png(bytes),
        [b'G', b'I', b'F', b'8'] => gif(bytes),
        [b'R', b'I', b'F', b'F'] => webp(bytes),
        // The third byte begins the first segment, the fourth is its kind.
        [0xFF, 0xD8, 0xFF, kind] => jpeg(bytes, kind),
        _ => None,
    }
}

fn png<'a>(bytes: &mut Base64<'a, impl Iterator<Item = &'a [u8]>>) -> Option<PixelSize> {
    if bytes.take()? != *b"\r\n\x1a\n" {
        return None;
    }
    // Length of the first chunk, which has to be the header.
    bytes.take::<4>()?;
    if bytes.take()? != *b"IHDR" {
        return None;
    }
    let width = u32::from_be_bytes(bytes.take()?);
    PixelSize::new(width, u32::from_be_bytes(bytes.take()?))
}

fn gif<'a>(bytes: &mut Base64<'a, impl Iterator<Item = &'a [u8]>>) -> Option<PixelSize> {
    let [b'7' | b'9', b'a'] = bytes.take()? else {
        return None;
    };
    let width = u16::from_le_bytes(bytes.take()?);
    let height = u16::from_le_bytes(bytes.take()?);
    PixelSize::new(width.into(), height.into())
}

fn webp<'a>(bytes: &mut Base64<'a, impl Iterator<Item = &'a [u8]>>) -> Option<PixelSize> {
    bytes.take::<4>()?;
    if bytes.take()? != *b"WEBP" {
        return None;
    }
    let kind: [u8; 4] = bytes.take()?;
    // Length of the chunk.
    bytes.take::<4>()?;
    match &kind {
        b"VP8 " => {
            let [_, _, _, 0x9D, 0x01, 0x2A] = bytes.take()? else {
                return None;
            };
            // The two highest bits are a scale for display.
            let side = |pair| u32::from(u16::from_le_bytes(pair) & 0x3FFF);
            let width = side(bytes.take()?);
            PixelSize::new(width, side(bytes.take()?))
        }
        b"VP8L" => {
            let [0x2F] = bytes.take()? else {
                return None;
            };
            let packed = u32::from_le_bytes(bytes.take()?);
            let side = |bits: u32| (bits & 0x3FFF) + 1;
            PixelSize::new(side(packed), side(packed >> 14))
        }
        b"VP8X" => {
            // Flags.
            bytes.take::<4>()?;
            let mut side = || {
                let [low, middle, high] = bytes.take()?;
                Some(u32::from_le_bytes([low, middle, high, 0]) + 1)
            };
            let width = side()?;
            PixelSize::new(width, side()?)
        }
        _ => None,
    }
}

fn jpeg<'a>(
    bytes: &mut Base64<'a, impl Iterator<Item = &'a [u8]>>,
    first: u8,
) -> Option<PixelSize> {
    let mut kind = first;
    for _ in 0..SEGMENTS_MAX {
        // A segment may be preceded by any number of 0xFF.
        while kind == 0xFF {
            [kind] = bytes.take()?;
        }
        match kind {
            // These have no content.
            0x01 | 0xD0..=0xD8 => {}
            // The frame: its size comes after its length and precision.
            0xC0..=0xCF if !matches!(kind, 0xC4 | 0xC8 | 0xCC) => {
                bytes.take::<3>()?;
                let height = u16::from_be_bytes(bytes.take()?);
                let width = u16::from_be_bytes(bytes.take()?);
                return PixelSize::new(width.into(), height.into());
            }
            // The end, or the picture's data without a frame before it.
            0x00 | 0xD9 | 0xDA => return None,
            _ => {
                let length = u16::from_be_bytes(bytes.take()?);
                bytes.skip(usize::from(length.checked_sub(2)?))?;
            }
        }
        let [0xFF] = bytes.take()? else {
            return None;
        };
        [kind] = bytes.take()?;
    }
    None
}

/// Decodes base64 that comes in pieces, from front to back.
struct Base64<'a, I> {
    now: &'a [u8],
    more: I,
    /// Characters that may still be looked at.
    left: usize,
    /// Decoded bits that have not been taken, right-aligned.
    bits: u32,
    /// How many.
    held: u32,
}

impl<'a, I: Iterator<Item = &'a [u8]>> Base64<'a, I> {
    fn take<const N: usize>(&mut self) -> Option<[u8; N]> {
        let mut taken = [0; N];
        for slot in &mut taken {
            *slot = self.byte()?;
        }
        Some(taken)
    }

    fn byte(&mut self) -> Option<u8> {
        while self.held < 8 {
            self.bits = (self.bits << 6) | u32::from(self.sextet()?);
            self.held += 6;
        }
        self.held -= 8;
        let byte = (self.bits >> self.held) & 0xFF;
        self.bits &= (1 << self.held) - 1;
        u8::try_from(byte).ok()
    }

    /// The next character's value.
    fn sextet(&mut self) -> Option<u8> {
        loop {
            let Some((character, rest)) = self.now.split_first() else {
                self.now = self.more.next()?;
                continue;
            };
            self.now = rest;
            self.left = self.left.checked_sub(1)?;
            return Some(match character {
                b'A'..=b'Z' => character - b'A',
                b'a'..=b'z' => character - b'a' + 26,
                b'0'..=b'9' => character - b'0' + 52,
                b'+' | b'-' => 62,
                b'/' | b'_' => 63,
                b'\\' => continue,
                _ => return None,
            });
        }
    }

    /// Passes over `count` bytes. Whole groups of four characters are not
    /// decoded, but searched for backslashes, which belong to no group.
    fn skip(&mut self, count: usize) -> Option<()> {
        let mut count = count;
        while count > 0 && self.held > 0 {
            self.byte()?;
            count -= 1;
        }
        let mut characters = count / 3 * 4;
        while characters > 0 {
            if self.now.is_empty() {
                self.now = self.more.next()?;
                continue;
            }
            let length = characters.min(self.now.len());
            let (passed, rest) = self.now.split_at_checked(length)?;
            self.now = rest;
            self.left = self.left.checked_sub(length)?;
            let escapes = passed.iter().filter(|byte| **byte == b'\\').count();
            characters -= length - escapes;
        }
        for _ in 0..count % 3 {
            self.byte()?;
        }
        Some(())
    }
}

#[cfg(test)]
mod tests;

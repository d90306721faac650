#![allow(clippy::unwrap_used, clippy::arithmetic_side_effects)]

use proptest::prelude::*;

use super::*;

fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for group in bytes.chunks(3) {
        let at = |index: usize| u32::from(group.get(index).copied().unwrap_or(0));
        let bits = at(0) << 16 | at(1) << 8 | at(2);
        for digit in 0..4 {
            let digit = (bits >> (18 - 6 * digit)) & 63;
            text.push(char::from(*DIGITS.get(digit as usize).unwrap()));
        }
    }
    let padding = (3 - bytes.len() % 3) % 3;
    text.truncate(text.len() - padding);
    text + &"=".repeat(padding)
}

fn png(width: u32, height: u32) -> Vec<u8> {
    let mut bytes = b"\x89PNG\r\n\x1a\n\0\0\0\x0dIHDR".to_vec();
    bytes.extend(width.to_be_bytes());
    bytes.extend(height.to_be_bytes());
    bytes.extend(b"\x08\x06\0\0\0");
    bytes
}

fn gif(width: u16, height: u16) -> Vec<u8> {
    let mut bytes = b"GIF89a".to_vec();
    bytes.extend(width.to_le_bytes());
    bytes.extend(height.to_le_bytes());
    bytes.extend([0; 8]);
    bytes
}

/// A JPEG with an application segment of `extra` bytes before its frame.
fn jpeg(frame: u8, extra: u16, width: u16, height: u16) -> Vec<u8> {
    let mut bytes = b"\xff\xd8\xff\xe0\0\x10JFIF\0\x01\x01\0\0\x01\0\x01\0\0".to_vec();
    bytes.extend(b"\xff\xff\xe1");
    bytes.extend((extra + 2).to_be_bytes());
    // A thumbnail has a frame of its own, which is not the picture's.
    bytes.extend(
        b"\xff\xc0\0\x11\x08\0\x01\0\x01"
            .iter()
            .cycle()
            .take(extra.into()),
    );
    bytes.extend(b"\xff\xdb\0\x04\0\0\xff");
    bytes.push(frame);
    bytes.extend(b"\0\x11\x08");
    bytes.extend(height.to_be_bytes());
    bytes.extend(width.to_be_bytes());
    bytes.extend(b"\x03\x01\x22\0");
    bytes
}

fn webp(kind: &[u8; 4], content: &[u8]) -> Vec<u8> {
    let mut bytes = b"RIFF\0\0\0\0WEBP".to_vec();
    bytes.extend(kind);
    bytes.extend([0; 4]);
    bytes.extend(content);
    bytes
}

/// One picture of each kind, all of 640 by 480 pixels.
fn pictures() -> Vec<(&'static str, Vec<u8>)> {
    let lossless = (640_u32 - 1) | (480 - 1) << 14;
    let mut extended = b"\x10\0\0\0".to_vec();
    extended.extend((640_u32 - 1).to_le_bytes().iter().take(3));
    extended.extend((480_u32 - 1).to_le_bytes().iter().take(3));
    vec![
        ("png", png(640, 480)),
        ("gif", gif(640, 480)),
        ("jpeg, baseline", jpeg(0xC0, 10, 640, 480)),
        (
            "jpeg, progressive, large profile",
            jpeg(0xC2, 60_001, 640, 480),
        ),
        (
            "webp, lossy",
            webp(b"VP8 ", b"\0\0\0\x9d\x01\x2a\x80\x02\xe0\x41"),
        ),
        (
            "webp, lossless",
            webp(b"VP8L", &[&[0x2F][..], &lossless.to_le_bytes()].concat()),
        ),
        ("webp, extended", webp(b"VP8X", &extended)),
    ]
}

fn size(text: &str) -> Option<PixelSize> {
    PixelSize::of_base64([text.as_bytes()])
}

const EXPECTED: Option<PixelSize> = PixelSize::new(640, 480);

#[test]
fn the_size_is_read_from_the_first_bytes() {
    for (name, bytes) in pictures() {
        let text = base64(&bytes);
        assert_eq!(size(&text), EXPECTED, "{name}");
        // PHP escapes each slash of a JSON text, and others break lines of
        // URLs' alphabet.
        assert_eq!(size(&text.replace('/', "\\/")), EXPECTED, "{name}");
        let of_urls = text.replace('+', "-").replace('/', "_");
        assert_eq!(size(&of_urls), EXPECTED, "{name}");
        for cut in [1, 2, 3, 5, 7, 4_096] {
            let pieces = text.as_bytes().chunks(cut);
            assert_eq!(PixelSize::of_base64(pieces), EXPECTED, "{name} {cut}");
        }
    }
}

#[test]
fn a_picture_that_is_cut_has_no_size_rather_than_a_wrong_one() {
    let short = ("jpeg, progressive", jpeg(0xC2, 301, 640, 480));
    let pictures = pictures()
        .into_iter()
        .filter(|(_, bytes)| bytes.len() < 1_000);
    for (name, bytes) in pictures.chain([short]) {
        let text = base64(&bytes);
        let mut found = false;
        for end in 0..=text.len() {
            match size(text.get(..end).unwrap()) {
                None => assert!(!found, "{name} {end}"),
                whole => {
                    assert_eq!(whole, EXPECTED, "{name} {end}");
                    found = true;
                }
            }
        }
        assert!(found, "{name}");
    }
}

#[test]
fn what_is_no_picture_or_an_empty_one_has_no_size() {
    for bytes in [
        &b""[..],
        b"%PDF-1.7 and so on",
        b"\x89PNG\r\n\x1a\n\0\0\0\x0dIEND\0\0\0\x01\0\0\0\x01",
        b"GIF90a\x01\0\x01\0",
        b"\xff\xd8\xff\xd9",
        b"\xff\xd8\xff\xe0\0\x01",
        b"RIFF\0\0\0\0WAVEfmt \0\0\0\0\0\0\0\0\0\0",
    ] {
        assert_eq!(size(&base64(bytes)), None, "{bytes:?}");
    }
    assert_eq!(size(&base64(&png(0, 480))), None);
    assert_eq!(size(&base64(&jpeg(0xC0, 10, 640, 0))), None);
    assert_eq!(size("iVBOR*"), None);
}

#[test]
fn segments_without_end_are_given_up() {
    let endless = b"\xff\xd8"
        .iter()
        .chain(b"\xff\xe0\0\x04\0\0".iter().cycle());
    let bytes: Vec<u8> = endless.take(1 << 20).copied().collect();
    assert_eq!(size(&base64(&bytes)), None);
    let fill = base64(&[&b"\xff\xd8"[..], &vec![0xFF; 2 << 20]].concat());
    assert_eq!(size(&fill), None);
    let mut looks = 0_usize;
    let pieces = fill.as_bytes().chunks(1_024).inspect(|_| looks += 1);
    assert_eq!(PixelSize::of_base64(pieces), None);
    assert!(looks <= CHARS_MAX / 1_024 + 1, "{looks}");
}

proptest! {
    #[test]
    fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200), cut in 1usize..50) {
        let whole = PixelSize::of_base64([bytes.as_slice()]);
        prop_assert_eq!(PixelSize::of_base64(bytes.chunks(cut)), whole);
    }

    #[test]
    fn no_damage_to_a_picture_makes_it_panic(
        which in 0usize..7, at in 0usize..80, byte: u8, cut in 1usize..50
    ) {
        let (_, mut bytes) = pictures().swap_remove(which);
        if let Some(slot) = bytes.get_mut(at) {
            *slot = byte;
        }
        let text = base64(&bytes);
        let whole = size(&text);
        prop_assert_eq!(PixelSize::of_base64(text.as_bytes().chunks(cut)), whole);
    }
}

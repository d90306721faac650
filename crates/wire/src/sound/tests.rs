use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use proptest::prelude::*;

use super::*;

/// Measures bytes, which say the same in pieces and in base64.
#[track_caller]
fn measured(bytes: &[u8]) -> Measured {
    let whole = [Bytes::copy_from_slice(bytes)];
    let read = measure(&View::plain(&whole, 0..bytes.len()));
    let pieces: Vec<_> = bytes.chunks(3).map(Bytes::copy_from_slice).collect();
    assert_eq!(measure(&View::plain(&pieces, 0..bytes.len())), read);
    let digits = STANDARD.encode(bytes).into_bytes();
    let digits = [Bytes::from(digits)];
    assert_eq!(measure(&View::base64(&digits, 0..digits[0].len())), read);
    read
}

fn wav(rate: u32, channels: u16, bytes: usize) -> Vec<u8> {
    let block = channels * 2;
    let mut out = b"RIFF\0\0\0\0WAVEJUNK\x03\0\0\0abc\0fmt \x10\0\0\0\x01\0".to_vec();
    out.extend(channels.to_le_bytes());
    out.extend(rate.to_le_bytes());
    // What it says of bytes a second is a lie, and nobody goes by it.
    out.extend(1_u32.to_le_bytes());
    out.extend(block.to_le_bytes());
    out.extend([16, 0]);
    out.extend(b"data");
    out.extend(u32::try_from(bytes).unwrap().to_le_bytes());
    out.resize(out.len() + bytes, 0);
    out
}

fn flac(rate: u64, samples: u64) -> Vec<u8> {
    let mut out = b"fLaC\0\0\0\x22".to_vec();
    out.extend([0; 10]);
    out.extend((rate << 44 | 1 << 41 | 15 << 36 | samples).to_be_bytes());
    out.extend([0; 16]);
    out
}

fn page(position: u64, packet: &[u8]) -> Vec<u8> {
    let mut out = b"OggS\0\0".to_vec();
    out.extend(position.to_le_bytes());
    out.extend([
        7,
        0,
        0,
        0,
        0,
        0,
        0,
        0,
        0,
        0,
        0,
        0,
        1,
        u8::try_from(packet.len()).unwrap(),
    ]);
    out.extend(packet);
    out
}

fn opus(samples: u64) -> Vec<u8> {
    let head = b"OpusHead\x01\x02\x38\x01\x80\xbb\0\0\0\0\0";
    [
        page(0, head),
        page(u64::MAX, &[0; 200]),
        page(samples + 312, &[0; 200]),
    ]
    .concat()
}

/// Frames of MPEG 1, layer III, 128 kbit/s, 44.1 kHz.
fn mp3(frames: usize) -> Vec<u8> {
    let mut one = vec![0xFF, 0xFB, 0x90, 0];
    one.resize(417, 0);
    let tag = b"ID3\x04\0\0\0\0\x01\x00";
    let mut out = tag.to_vec();
    out.resize(10 + 128, 0);
    out.extend(one.repeat(frames));
    out
}

fn boxed(name: &[u8; 4], content: &[u8]) -> Vec<u8> {
    let length = u32::try_from(content.len() + 8).unwrap();
    [&length.to_be_bytes()[..], name, content].concat()
}

fn mp4(units: u32, a_second: u32) -> Vec<u8> {
    let mut head = vec![0; 12];
    head.extend(a_second.to_be_bytes());
    head.extend(units.to_be_bytes());
    head.extend([0; 80]);
    [
        boxed(b"ftyp", b"M4A \0\0\0\0"),
        boxed(b"mdat", &[0; 100]),
        boxed(
            b"moov",
            &[boxed(b"free", b""), boxed(b"mvhd", &head)].concat(),
        ),
    ]
    .concat()
}

fn webm(ms: f32) -> Vec<u8> {
    let mut info = vec![0x2A, 0xD7, 0xB1, 0x83, 0x0F, 0x42, 0x40, 0x44, 0x89, 0x84];
    info.extend(ms.to_be_bytes());
    let mut out = vec![0x1A, 0x45, 0xDF, 0xA3, 0x80];
    // A segment whose length was not known.
    out.extend([
        0x18, 0x53, 0x80, 0x67, 0x01, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF,
    ]);
    out.extend([0xEC, 0x81, 0]);
    out.extend([
        0x15,
        0x49,
        0xA9,
        0x66,
        0x80 | u8::try_from(info.len()).unwrap(),
    ]);
    out.extend(info);
    out
}

#[test]
fn each_format_says_how_long_it_is() {
    let cases = [
        (Format::Wav, wav(16_000, 1, 64_000), 2_000),
        (Format::Wav, wav(44_100, 2, 88_200), 500),
        (Format::Flac, flac(44_100, 44_100 * 3), 3_000),
        (Format::Ogg, opus(48_000 * 4), 4_000),
        // 1,152 samples each.
        (Format::Mp3, mp3(100), 2_613),
        (Format::Mp4, mp4(90_000, 44_100), 2_041),
        (Format::WebM, webm(1_234.5), 1_235),
    ];
    for (format, bytes, ms) in cases {
        let read = measured(&bytes);
        assert_eq!((read.format, read.told_ms), (Some(format), Some(ms)));
        assert_eq!(read.ms(), ms, "{format:?}");
    }
}

#[test]
fn a_header_that_lies_counts_less_than_the_bytes() {
    // A film of the same bytes cannot be a millisecond long.
    let mut lie = mp4(1, 1_000);
    lie.extend(vec![0; 7_200_000]);
    let read = measured(&lie);
    assert_eq!(read.told_ms, Some(1));
    assert!(read.ms() > 99_000, "{read:?}");
    // Nor can anything last for years.
    assert_eq!(measured(&mp4(u32::MAX, 1)).ms(), LENGTH_MS_MAX);
    assert_eq!(measured(&flac(1, 0xF_FFFF_FFFF)).ms(), LENGTH_MS_MAX);
    // What was written as it was heard says nothing, and its bytes do.
    let mut stream = wav(16_000, 1, 64_000);
    let at = stream.len() - 64_004;
    stream[at..at + 4].copy_from_slice(&u32::MAX.to_le_bytes());
    assert_eq!(measured(&stream).ms(), 2_000);
}

#[test]
fn what_says_nothing_is_as_long_as_its_bytes_can_be() {
    for bytes in [
        vec![0; 7_500],
        flac(44_100, 0),
        b"OggS".to_vec(),
        webm(f32::NAN),
    ] {
        let read = measured(&bytes);
        assert_eq!(read.told_ms, None);
        assert_eq!(read.ms(), (bytes.len() as u64 * 1_000 / 750).max(1));
    }
    assert_eq!(measured(b"").ms(), 1);
}

#[test]
fn a_walk_that_is_too_long_goes_on_as_it_began() {
    // Frames of 24 bytes, of which 25 MB have more than are walked.
    let frame = {
        // MPEG 2.5, layer III, 8 kbit/s, 12 kHz: 48 bytes of 576 samples.
        let mut one = vec![0xFF, 0xE3, 0x14, 0];
        one.resize(48, 0);
        one
    };
    let frames = 70_000;
    let read = {
        let bytes = [Bytes::from(frame.repeat(frames))];
        measure(&View::plain(&bytes, 0..bytes[0].len()))
    };
    assert_eq!(read.format, Some(Format::Mp3));
    assert_eq!(read.ms(), frames as u64 * 48);
}

proptest! {
    #[test]
    fn any_bytes_are_measured_within_bounds(
        which in 0_usize..6,
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..12),
        cut in any::<prop::sample::Index>(),
    ) {
        let mut bytes = [wav(8_000, 1, 90), flac(8_000, 9), opus(960), mp3(3), mp4(9, 8), webm(9.0)][which].clone();
        for (at, byte) in changes {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        bytes.truncate(cut.index(bytes.len() + 1));
        let ms = measured(&bytes).ms();
        prop_assert!((1..=LENGTH_MS_MAX).contains(&ms));
    }
}

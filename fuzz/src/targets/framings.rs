//! How streams are cut into frames.

use bourse_vocab::Failure;
use bourse_wire::framing::Framing;

use super::Target;
use crate::chance::Chance;
use crate::sign::{Sign, of_bytes};

/// Every framing.
pub struct Framings;

/// The longest frame: small, so that the bound is met.
const FRAME_BYTES_MAX: usize = 4 * 1024;
/// Bytes before the headers of a binary message, and of its checksum.
const PRELUDE_BYTES: usize = 12;
const CHECKSUM_BYTES: usize = 4;

impl Target for Framings {
    fn name(&self) -> &'static str {
        "framings"
    }

    fn held_to(&self) -> &'static str {
        "SSE, event streams, lines and arrays of JSON give the same frames and errors however they are cut"
    }

    fn seeds(&self) -> Result<Vec<Vec<u8>>, String> {
        let mut seeds = Vec::new();
        for (_, stream) in super::fixtures(".stream.txt")? {
            let lines = stream.split(|byte| *byte == b'\n');
            let data: Vec<&[u8]> = lines
                .filter_map(|line| line.strip_prefix(b"data: "))
                .collect();
            let mut messages = vec![b'1'];
            data.iter()
                .for_each(|data| messages.extend(message(b"event", b"chunk", data)));
            seeds.push([b"0", stream.as_slice()].concat());
            seeds.push(messages);
            seeds.push([b"2", data.join(&b"\n"[..]).as_slice()].concat());
            seeds.push([b"3[", data.join(&b",\r\n"[..]).as_slice(), b"]"].concat());
        }
        seeds.push(
            [
                b"1",
                message(b"exception", b"throttlingException", b"{}").as_slice(),
            ]
            .concat(),
        );
        Ok(seeds)
    }

    fn mend(&self, input: &mut Vec<u8>, chance: &mut Chance) {
        if input.first() == Some(&b'1') && !chance.one_in(4) {
            seal(input.get_mut(1..).unwrap_or_default());
        }
    }

    fn execute(&self, input: &[u8]) -> Result<u64, String> {
        let (first, body) = input.split_first().unwrap_or((&b'0', &[]));
        let number = usize::from(first.wrapping_sub(b'0')) % Framing::ALL.len();
        let framing = Framing::ALL.get(number).copied().unwrap_or(Framing::Sse);
        let pieces = Chance::new(of_bytes(input)).pieces(body);
        let (whole, cut) = (decode(framing, &[body]), decode(framing, &pieces));
        if whole != cut {
            return Err(format!(
                "cut otherwise there are other frames\n{whole:?}\n{cut:?}"
            ));
        }
        let mut sign = Sign::default();
        sign.text(framing.media_type());
        sign.count(whole.0.len());
        for (name, data) in &whole.0 {
            sign.count(name.len());
            sign.count(data.len());
        }
        if let Some(why) = &whole.1 {
            sign.sentence(why);
        }
        Ok(sign.get())
    }
}

/// Frames with their names, and why there are no more.
type Decoded = (Vec<(String, Vec<u8>)>, Option<String>);

fn decode(framing: Framing, pieces: &[&[u8]]) -> Decoded {
    let mut decoder = framing.decoder(FRAME_BYTES_MAX);
    let mut frames = Vec::new();
    let mut each = |frame: bourse_wire::framing::Frame<'_>| -> Result<(), Failure> {
        frames.push((frame.event.to_owned(), frame.data.to_vec()));
        Ok(())
    };
    let mut fed = pieces
        .iter()
        .try_for_each(|piece| decoder.feed(piece, &mut each));
    if fed.is_ok() {
        fed = decoder.end(&mut each);
    }
    (frames, fed.err().map(|failure| format!("{failure:?}")))
}

/// A binary message (`application/vnd.amazon.eventstream`).
fn message(kind: &[u8], name: &[u8], data: &[u8]) -> Vec<u8> {
    let mut headers = Vec::new();
    let name_of_name: &[u8] = if kind == b"event" {
        b":event-type"
    } else {
        b":exception-type"
    };
    for (header, value) in [(&b":message-type"[..], kind), (name_of_name, name)] {
        headers.push(u8::try_from(header.len()).unwrap_or(0));
        headers.extend_from_slice(header);
        headers.push(7);
        headers.extend(u16::try_from(value.len()).unwrap_or(0).to_be_bytes());
        headers.extend_from_slice(value);
    }
    let length = PRELUDE_BYTES + headers.len() + data.len() + CHECKSUM_BYTES;
    let mut out = Vec::new();
    for number in [length, headers.len(), 0] {
        out.extend(u32::try_from(number).unwrap_or(0).to_be_bytes());
    }
    out.extend(headers);
    out.extend_from_slice(data);
    out.extend([0; CHECKSUM_BYTES]);
    seal(&mut out);
    out
}

/// Writes the checksums of messages anew, as far as their lengths lead.
fn seal(mut bytes: &mut [u8]) {
    while bytes.len() >= PRELUDE_BYTES + CHECKSUM_BYTES {
        let sum = crc32fast::hash(bytes.get(..8).unwrap_or_default());
        put(bytes, 8, sum);
        let length = bytes
            .first_chunk()
            .map_or(0, |length| u32::from_be_bytes(*length));
        let length = usize::try_from(length).unwrap_or(usize::MAX);
        if length > bytes.len() || length < PRELUDE_BYTES + CHECKSUM_BYTES {
            return;
        }
        let end = length - CHECKSUM_BYTES;
        let sum = crc32fast::hash(bytes.get(..end).unwrap_or_default());
        put(bytes, end, sum);
        bytes = bytes.split_at_mut(length).1;
    }
}

fn put(bytes: &mut [u8], at: usize, number: u32) {
    for (slot, byte) in bytes.iter_mut().skip(at).zip(number.to_be_bytes()) {
        *slot = byte;
    }
}

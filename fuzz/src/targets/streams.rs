//! Streams of providers, cut anywhere.

use bourse_vocab::chat::Event;
use bourse_vocab::{Format, Usage, UsageReport};
use bourse_wire::codec;
use bourse_wire::framing::{Framing, FramingError};
use bourse_wire::laws::{self, Outcome};
use bourse_wire::openai_chat::passthrough::StreamRelay;
use bourse_wire::sse::FRAME_BYTES_MAX;

use super::{BILL, STAMP, Target, fixtures, is_json, sort_of, tagged, untagged};
use crate::chance::Chance;
use crate::sign::{Sign, of_bytes};

/// Streams of events, on both roads and to every client.
pub struct Streams;

impl Target for Streams {
    fn name(&self) -> &'static str {
        "streams"
    }

    fn held_to(&self) -> &'static str {
        "a stream keeps the laws of events, means the same however it is cut, and is told as JSON with an end in every format"
    }

    fn seeds(&self) -> Result<Vec<Vec<u8>>, String> {
        let files = fixtures(".stream.txt")?;
        Ok(files
            .iter()
            .map(|(format, body)| tagged(*format, &laws::framed(*format, body)))
            .collect())
    }

    fn execute(&self, input: &[u8]) -> Result<u64, String> {
        let (format, body) = untagged(input);
        let mut chance = Chance::new(of_bytes(input));
        let pieces = chance.pieces(body);
        let whole = laws::read_stream(codec(format), [body]);
        laws::check(&whole)?;
        let cut = laws::read_stream(codec(format), pieces.iter().copied());
        if whole.summary() != cut.summary() {
            return Err(format!(
                "cut otherwise it means otherwise\n{}\n{}",
                whole.summary(),
                cut.summary()
            ));
        }
        let mut sign = Sign::default();
        sign.text(format.slug());
        note(&whole, &mut sign);
        for client in Format::ALL {
            told(client, &whole)?;
        }
        if format == Format::OpenAiChat {
            passed_on(body, &pieces, chance.one_in(2))?;
        }
        Ok(sign.get())
    }
}

/// Sorts of events in order, each run of one sort once.
fn note(outcome: &Outcome, sign: &mut Sign) {
    let mut last = "";
    for event in &outcome.events {
        let sort = sort_of(event);
        if sort != last {
            sign.text(sort);
        }
        last = sort;
    }
    if let Some(failure) = &outcome.failure {
        sign.failure(failure);
    }
}

/// What a client of a format is told.
fn told(client: Format, outcome: &Outcome) -> Result<(), String> {
    let mut writer = codec(client).stream_writer(&STAMP);
    let mut out = Vec::new();
    let mut report = UsageReport::default();
    for event in &outcome.events {
        match event {
            Event::Usage(later) => report.merge(later),
            Event::Done => {
                let usage = report.resolve(&Usage::default()).0;
                writer.event(&Event::Settled(usage, BILL), &mut out);
                writer.event(event, &mut out);
            }
            event => writer.event(event, &mut out),
        }
    }
    if let Some(failure) = &outcome.failure {
        writer.event(&Event::Error(Box::new(failure.clone())), &mut out);
    }
    are_events(client, &out)
}

/// That a client's stream is events of JSON, and an error at its end where it
/// has errors of its own framing.
fn are_events(client: Format, stream: &[u8]) -> Result<(), String> {
    let mut bad = None;
    let mut decoder = Framing::of(client).decoder(FRAME_BYTES_MAX);
    let fed: Result<(), FramingError> = decoder.feed(stream, |frame| {
        if frame.data != b"[DONE]" && bad.is_none() {
            bad = is_json("an event for a client", frame.data).err();
        }
        Ok(())
    });
    match fed {
        Ok(()) => {}
        Err(FramingError::Reported { text, .. }) => {
            is_json("an exception for a client", text.as_bytes())?;
        }
        Err(broken) => return Err(format!("a stream for a client is none: {broken}")),
    }
    bad.map_or(Ok(()), Err)
}

/// The road on which bytes pass: the same however they are cut.
fn passed_on(body: &[u8], pieces: &[&[u8]], hide: bool) -> Result<(), String> {
    let (whole, whole_end) = relay(&[body], hide);
    let (cut, cut_end) = relay(pieces, hide);
    if whole_end != cut_end || whole != cut {
        return Err(format!(
            "passed on in pieces it is another stream\nwhole {whole_end:?} {}\ncut {cut_end:?} {}",
            String::from_utf8_lossy(&whole),
            String::from_utf8_lossy(&cut)
        ));
    }
    let ends = whole
        .windows(6)
        .filter(|window| *window == b"[DONE]")
        .count();
    if ends == 0 {
        return Err(format!(
            "a stream without an end\n{}",
            String::from_utf8_lossy(&whole)
        ));
    }
    Ok(())
}

fn relay(pieces: &[&[u8]], hide: bool) -> (Vec<u8>, Option<String>) {
    let mut relay = StreamRelay::new(&STAMP, hide);
    let mut out = Vec::new();
    let mut fed = pieces
        .iter()
        .try_for_each(|piece| relay.feed(piece, &mut out));
    if fed.is_ok() {
        fed = relay.end(&mut out);
    }
    match fed {
        Ok(()) => {
            let usage = relay.usage().copied().unwrap_or_default();
            relay.settle(&usage.resolve(&Usage::default()).0, &BILL, &mut out);
            (out, None)
        }
        Err(failure) => {
            relay.fail(&failure, &mut out);
            (out, Some(format!("{failure:?}")))
        }
    }
}

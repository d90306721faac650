//! Streams on their way through the data plane: every endpoint, every way in
//! which it can be answered, whether bytes pass or are written anew.

use bourse_dataplane::relay::{Feed, Report};
use bourse_vocab::chat::Event;
use bourse_vocab::json::{self, Value};
use bourse_vocab::{Failure, Format, Operation, Usage};
use bourse_wire::codec;
use bourse_wire::framing::{Framing, FramingError};
use bourse_wire::laws;
use bourse_wire::sse::FRAME_BYTES_MAX;
use bytes::Bytes;

use super::calls::{self, CALLS, Call, Telling};
use super::{BILL, STAMP, Target, fixtures, is_json};
use crate::chance::Chance;
use crate::sign::{Sign, of_bytes};

/// Answers that are streamed, of every operation that has any.
pub struct Relays;

/// Streams of operations that are no chat.
const SOUNDS: [&str; 4] = [
    "data: {\"type\":\"speech.audio.delta\",\"audio\":\"AAAA\"}\n\ndata: {\"type\":\"speech.audio.done\",\"usage\":{\"input_tokens\":3,\"output_tokens\":7,\"total_tokens\":10}}\n\n",
    "data: {\"type\":\"speech.audio.delta\",\"audio\":\"AAA=\"}\n\nevent: x\ndata: {\"type\":\"error\",\"error\":{\"message\":\"no\"}}\n\ndata: [DONE]\n\n",
    "data: {\"type\":\"transcript.text.delta\",\"delta\":\"H\u{e9}\",\"logprobs\":[1.50]}\n\ndata: {\"type\":\"transcript.text.segment\",\"text\":\"a\",\"start\":0}\n\ndata: {\"type\":\"transcript.text.done\",\"text\":\"H\u{e9}\",\"usage\":{\"type\":\"tokens\",\"input_tokens\":5,\"output_tokens\":2,\"input_token_details\":{\"audio_tokens\":4}}}\n\n",
    "data: {\"type\":\"transcript.text.done\",\"text\":\"a\",\"usage\":{\"type\":\"duration\",\"seconds\":1.5}}\n\ndata: [DONE]\n\ndata: {\"type\":\"transcript.text.delta\",\"delta\":\"late\"}\n\n",
];

const fn is_streamed(telling: Telling) -> bool {
    matches!(telling, Telling::Events | Telling::Array | Telling::Sound)
}

impl Target for Relays {
    fn name(&self) -> &'static str {
        "relays"
    }

    fn held_to(&self) -> &'static str {
        "a stream that is told to a client of any endpoint is the same however it is cut, is made of \
         JSON, ends, never counts backwards, and says what its provider said where bytes pass"
    }

    fn seeds(&self) -> Result<Vec<Vec<u8>>, String> {
        let streams = fixtures(".stream.txt")?;
        let mut seeds = Vec::new();
        for (at, call) in CALLS.as_ref().map_err(Clone::clone)?.iter().enumerate() {
            if !is_streamed(call.telling) {
                continue;
            }
            for (number, way) in call.ways.iter().enumerate() {
                if way.operation == Operation::Chat {
                    let alike = streams.iter().filter(|(format, _)| *format == way.format);
                    seeds.extend(alike.map(|(format, body)| {
                        calls::tagged(at, number, &laws::framed(*format, body))
                    }));
                } else {
                    let tagged = |body: &&str| calls::tagged(at, number, body.as_bytes());
                    seeds.extend(SOUNDS.iter().map(tagged));
                }
            }
        }
        Ok(seeds)
    }

    fn execute(&self, input: &[u8]) -> Result<u64, String> {
        let mut sign = Sign::default();
        let Some((call, way, body)) = calls::of(input, is_streamed)? else {
            return Ok(sign.get());
        };
        let mut chance = Chance::new(of_bytes(input));
        let pieces = chance.pieces(body);
        let whole = told(call.request.feed(way, &STAMP), &[body])?;
        let cut = told(call.request.feed(way, &STAMP), &pieces)?;
        if whole.summary() != cut.summary() {
            return Err(format!(
                "cut otherwise another stream is told\n{}\n{}",
                whole.summary(),
                cut.summary()
            ));
        }
        // What is wrong inside of what passes is left to whoever reads it
        // (decision 7).
        let is_readable = is_readable(way.framing, body);
        match call.telling {
            Telling::Array if is_readable => is_array(&whole.out)?,
            Telling::Events if is_readable => are_events(&whole.out)?,
            _ => {}
        }
        if is_readable && whole.failure.is_none() && way.operation == Operation::Chat {
            says_the_same(call, (way.format, way.framing), body, &whole.out)?;
        }
        sign.text(call.path);
        sign.text(way.format.slug());
        sign.count(whole.out.len() / 64);
        sign.text(whole.report.finish.unwrap_or_default());
        sign.text(&format!("{}", whole.report.usage.prompt.is_some()));
        if let Some(failure) = &whole.failure {
            sign.failure(failure);
        }
        Ok(sign.get())
    }
}

/// What a client was told of a stream.
struct Told {
    out: Vec<u8>,
    failure: Option<Failure>,
    report: Report,
}

impl Told {
    /// What must not depend on the cut. Of a sound every piece that arrives is
    /// one that was delivered, and no bytes are counted.
    fn summary(&self) -> String {
        let report = &self.report;
        format!(
            "{}\n{:?}\n{:?} {:?} {:?} {:?} {}",
            String::from_utf8_lossy(&self.out),
            self.failure,
            report.usage,
            report.upstream_id,
            report.finish,
            report.native_finish,
            report.content_bytes
        )
    }
}

/// Feeds a stream as the relay does, and ends it as settlement does.
fn told(mut feed: Box<dyn Feed>, pieces: &[&[u8]]) -> Result<Told, String> {
    let mut out = Vec::new();
    let mut last = (0, 0, 0);
    let mut fed = Ok(());
    for piece in pieces {
        fed = feed.feed(&Bytes::copy_from_slice(piece), &mut out);
        let delivered = feed.delivered();
        let now = (delivered.content_bytes, delivered.content_pieces, out.len());
        if now.0 < last.0 || now.1 < last.1 || now.2 < last.2 {
            return Err(format!("a stream counts backwards: {last:?}, {now:?}"));
        }
        last = now;
        if fed.is_err() {
            break;
        }
    }
    if fed.is_ok() {
        fed = feed.end(&mut out);
    }
    let report = feed.report();
    match &fed {
        Ok(()) => {
            let used = report.usage.resolve(&Usage::default()).0;
            feed.finish(&used, &BILL, &mut out);
        }
        Err(failure) => feed.fail(failure, &mut out),
    }
    Ok(Told {
        out,
        failure: fed.err(),
        report,
    })
}

/// Whether all that a provider sent is JSON, as far as it can be cut.
fn is_readable(framing: Framing, stream: &[u8]) -> bool {
    let mut are = true;
    let mut each = |frame: bourse_wire::framing::Frame<'_>| -> Result<(), FramingError> {
        are &= frame.data == b"[DONE]" || json::parse(frame.data).is_ok();
        Ok(())
    };
    let mut decoder = framing.decoder(FRAME_BYTES_MAX);
    let _ = decoder.feed(stream, &mut each);
    let _ = decoder.end(&mut each);
    are
}

/// Server-sent events of JSON, with an end that says so.
fn are_events(stream: &[u8]) -> Result<(), String> {
    let mut bad = None;
    let mut frames = 0_usize;
    let mut decoder = Framing::Sse.decoder(FRAME_BYTES_MAX);
    let fed: Result<(), FramingError> = decoder.feed(stream, |frame| {
        frames += 1;
        if frame.data != b"[DONE]" && bad.is_none() {
            bad = is_json("an event for a client", frame.data).err();
        }
        Ok(())
    });
    fed.map_err(|broken| format!("a stream for a client is none: {broken}"))?;
    match frames {
        0 => Err("a client is told nothing at all".to_owned()),
        _ => bad.map_or(Ok(()), Err),
    }
}

/// How the reader begins to say that it does not go deeper.
const TOO_DEEP: &str = "too deeply nested";

fn is_array(stream: &[u8]) -> Result<(), String> {
    let parsed = json::parse(stream).map_err(|error| error.to_string());
    match parsed {
        Ok(Value::Array(items)) if !items.is_empty() => Ok(()),
        // A frame as deep as we read is one deeper inside of an array.
        Err(error) if error.starts_with(TOO_DEEP) => Ok(()),
        other => Err(format!(
            "a stream for a client is no array of responses: {:?}\n{}",
            other.err(),
            String::from_utf8_lossy(stream)
        )),
    }
}

/// What the first answer says and calls, where client and provider speak one
/// format.
fn says_the_same(
    call: &Call,
    (format, framing): (Format, Framing),
    sent: &[u8],
    told: &[u8],
) -> Result<(), String> {
    let own = match call.path {
        path if path.starts_with("/v1/chat") => Format::OpenAiChat,
        "/v1/messages" => Format::Anthropic,
        path if path.contains("treamGenerate") => Format::Gemini,
        _ => return Ok(()),
    };
    if own != format {
        return Ok(());
    }
    let clients = match call.telling {
        Telling::Array => Framing::JsonArray,
        _ => Framing::Sse,
    };
    // What only the vocabulary refuses is passed on (decision 7).
    let Ok(sent) = words(format, framing, sent) else {
        return Ok(());
    };
    let told = words(own, clients, told)?;
    match sent == told {
        true => Ok(()),
        false => Err(format!(
            "a client is told other words\nsent {sent}\ntold {told}"
        )),
    }
}

/// Texts, thoughts and calls of the first answer, each joined.
fn words(format: Format, framing: Framing, stream: &[u8]) -> Result<String, String> {
    let mut reader = codec(format).stream_reader();
    let mut decoder = framing.decoder(FRAME_BYTES_MAX);
    let mut events = Vec::new();
    let mut read = decoder.feed(stream, |frame| reader.frame(&frame, &mut events));
    if read.is_ok() {
        read = decoder.end(|frame| reader.frame(&frame, &mut events));
    }
    if read.is_ok() {
        read = reader.end(&mut events);
    }
    read.map_err(|failure: Failure| format!("a stream that was passed on is broken: {failure:?}"))?;
    let mut said = String::new();
    let mut called = String::new();
    for event in &events {
        match event {
            Event::Text {
                text, choice: 0, ..
            } => said.push_str(text),
            Event::ToolStart {
                choice: 0, name, ..
            } => {
                called.push('\n');
                called.push_str(name);
            }
            Event::ToolArguments {
                choice: 0,
                fragment,
                ..
            } => called.push_str(fragment),
            _ => {}
        }
    }
    Ok(format!("{said}{called}"))
}

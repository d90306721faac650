//! Speech and transcripts, in OpenAI's shape.
//!
//! Facts: OpenAI API reference, "Audio", read 2026-11. Speech is the sound
//! itself, or events with pieces of it in base64, the last of which has the
//! usage; `tts-1` has no events. A transcript is JSON with a usage by seconds
//! (Whisper, rounded up) or by tokens (the models after it, which alone are
//! streamed). A sound is a second for each five words here, in frames that a
//! player takes for silence.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use crate::ask::{Audio, Refusal, Request, required_str};
use crate::reply::{Event, Events, Reply, per_token};
use crate::words;

/// Characters of a text.
const INPUT_CHARS_MAX: usize = 4_096;
/// Bytes of a file.
const FILE_BYTES_MAX: usize = 25 << 20;
/// A frame of MPEG 1, layer III, 128 kbit/s, 44.1 kHz, with nothing in it.
const FRAME_HEAD: [u8; 4] = [0xFF, 0xFB, 0x90, 0];
const FRAME_BYTES: usize = 417;
/// Samples of 16 bits a second.
const SAMPLES_A_SECOND: usize = 24_000;
/// Tokens of a second that is heard.
const TOKENS_A_SECOND: u64 = 10;

/// Reads a request for speech.
///
/// # Errors
/// When OpenAI would refuse it.
pub fn read_speech(body: &Value) -> Result<Request, Refusal> {
    let model = required_str(body, "model")?.to_owned();
    let input = required_str(body, "input")?;
    if input.is_empty() || input.chars().count() > INPUT_CHARS_MAX {
        return Err(Refusal::bad(
            "input: string should have 1 to 4096 characters",
        ));
    }
    if body.get("voice").or_else(|| body.get("voice_id")).is_none() {
        return Err(Refusal::bad("voice: Field required"));
    }
    let member = |name: &str| body.get(name).and_then(Value::as_str);
    let format = member("response_format").unwrap_or("mp3");
    if !matches!(format, "mp3" | "wav" | "pcm") {
        return Err(Refusal::bad(format!(
            "response_format: `{format}` is not simulated"
        )));
    }
    let stream = member("stream_format") == Some("sse")
        || (is_mistrals(&model) && body.get("stream") == Some(&Value::Bool(true)));
    if stream && model.starts_with("tts-") {
        return Err(Refusal::bad("stream_format: sse is not supported"));
    }
    let spoken = words::count(input).max(1);
    Ok(Request {
        model,
        stream,
        n: 1,
        max_tokens: Some(spoken),
        prompt_tokens: spoken,
        audio: Audio {
            format: format.to_owned(),
            ..Audio::default()
        },
        ..Request::default()
    })
}

/// Reads a form with a sound.
///
/// # Errors
/// When OpenAI would refuse it.
pub fn read_form(body: &[u8]) -> Result<Request, Refusal> {
    let parts = parts(body).ok_or_else(|| Refusal::bad("could not parse multipart form"))?;
    let text = |name: &str| {
        let part = parts.iter().find(|part| part.name == name)?;
        Some(String::from_utf8_lossy(part.value).into_owned())
    };
    let file = parts.iter().find(|part| part.name == "file");
    let file = file.ok_or_else(|| Refusal::bad("file: Field required"))?;
    if file.value.len() > FILE_BYTES_MAX {
        return Err(Refusal {
            status: 413,
            message: format!(
                "Maximum content size limit ({FILE_BYTES_MAX}) exceeded ({} bytes read)",
                file.value.len()
            ),
        });
    }
    let model = text("model").ok_or_else(|| Refusal::bad("model: Field required"))?;
    let format = text("response_format").unwrap_or_else(|| "json".to_owned());
    if !matches!(&*format, "json" | "verbose_json") {
        return Err(Refusal::bad(format!(
            "response_format: `{format}` is not simulated"
        )));
    }
    let ms = length_ms(file.value);
    Ok(Request {
        stream: text("stream").as_deref() == Some("true") && is_by_tokens(&model),
        prompt_tokens: ms.div_ceil(1_000) * TOKENS_A_SECOND,
        n: 1,
        audio: Audio { format, ms },
        model,
        ..Request::default()
    })
}

/// Whether a model is sold by the token.
fn is_by_tokens(model: &str) -> bool {
    model.contains("transcribe")
}

/// Whether a model is Mistral's, who names things otherwise.
fn is_mistrals(model: &str) -> bool {
    model.starts_with("voxtral-")
}

/// One part of a form.
pub(crate) struct Part<'a> {
    pub(crate) name: String,
    pub(crate) value: &'a [u8],
}

/// The parts of a form, whose first line is its boundary.
pub(crate) fn parts(body: &[u8]) -> Option<Vec<Part<'_>>> {
    let end = find(body, b"\r\n")?;
    let (first, mut rest) = body.split_at_checked(end)?;
    let delimiter = [b"\r\n", first].concat();
    let mut parts = Vec::new();
    while let Some(head) = rest.strip_prefix(b"\r\n") {
        let head_end = find(head, b"\r\n\r\n")?;
        let (lines, value) = head.split_at_checked(head_end)?;
        let value = value.get(4..)?;
        let value_end = find(value, &delimiter)?;
        let lines = String::from_utf8_lossy(lines);
        let (_, name) = lines.split_once(" name=\"")?;
        parts.push(Part {
            name: name.split_once('"')?.0.to_owned(),
            value: value.get(..value_end)?,
        });
        rest = value.get(value_end + delimiter.len()..)?;
    }
    rest.starts_with(b"--").then_some(parts)
}

fn find(text: &[u8], what: &[u8]) -> Option<usize> {
    text.windows(what.len()).position(|window| window == what)
}

/// How long a WAV of one head is; of anything else, by 16,000 bytes a second.
pub(crate) fn length_ms(sound: &[u8]) -> u64 {
    let rate = sound
        .get(28..32)
        .filter(|_| sound.starts_with(b"RIFF"))
        .and_then(|rate| rate.try_into().ok())
        .map_or(16_000, u32::from_le_bytes);
    let bytes = sound.len().saturating_sub(44) as u64;
    (bytes * 1_000).div_ceil(u64::from(rate.max(1)))
}

/// A whole sound, and its media type.
pub(crate) fn whole_sound(reply: &Reply) -> (&'static str, Vec<u8>) {
    let spoken = reply.answer.truth.completion_tokens;
    let sound = (0..spoken).flat_map(|at| sound(&reply.ask.audio.format, at));
    let kind = match &*reply.ask.audio.format {
        "wav" => "audio/wav",
        "pcm" => "audio/pcm",
        _ => "audio/mpeg",
    };
    (kind, sound.collect())
}

/// The sound of one word, 200 ms. The first of a WAV has its head, which says
/// as streams do that the length is not known.
fn sound(format: &str, at: u64) -> Vec<u8> {
    let samples = vec![0; SAMPLES_A_SECOND / 5 * 2];
    match format {
        "mp3" => {
            let mut frame = FRAME_HEAD.to_vec();
            frame.resize(FRAME_BYTES, 0);
            // Eight frames of 26 ms.
            frame.repeat(8)
        }
        "wav" if at == 0 => [wav_head(), samples].concat(),
        _ => samples,
    }
}

fn wav_head() -> Vec<u8> {
    let rate = u32::try_from(SAMPLES_A_SECOND).unwrap_or(0);
    let mut head = b"RIFF\xff\xff\xff\xffWAVEfmt \x10\0\0\0\x01\0\x01\0".to_vec();
    head.extend(rate.to_le_bytes());
    head.extend((rate * 2).to_le_bytes());
    head.extend(b"\x02\0\x10\0data\xff\xff\xff\xff");
    head
}

/// A transcript.
#[must_use]
pub fn transcript(reply: &Reply) -> Value {
    let text = reply.content_text(0);
    let mut whole = json!({ "text": text });
    let seconds = reply.ask.audio.ms as f64 / 1_000.0;
    if let (true, Some(members)) = (
        reply.ask.audio.format == "verbose_json",
        whole.as_object_mut(),
    ) {
        let verbose = json!({
            "task": "transcribe",
            "language": "english",
            "duration": seconds,
            "segments": [{
                "id": 0, "seek": 0, "start": 0.0, "end": seconds, "text": text, "tokens": [],
                "temperature": 0.0, "avg_logprob": -0.1, "compression_ratio": 1.0,
                "no_speech_prob": 0.01,
            }],
        });
        members.extend(verbose.as_object().cloned().unwrap_or_default());
    }
    with_usage(whole, reply)
}

fn with_usage(mut whole: Value, reply: &Reply) -> Value {
    if let (Some(told), Some(members)) = (&reply.reported, whole.as_object_mut()) {
        let usage = if is_mistrals(&reply.ask.model) {
            json!({
                "prompt_audio_seconds": reply.ask.audio.ms.div_ceil(1_000),
                "prompt_tokens": told.prompt, "completion_tokens": told.completion,
                "total_tokens": told.prompt.saturating_add(told.completion),
            })
        } else if is_by_tokens(&reply.ask.model) {
            json!({
                "type": "tokens",
                "input_tokens": told.prompt,
                "input_token_details": { "text_tokens": 0, "audio_tokens": told.prompt },
                "output_tokens": told.completion,
                "total_tokens": told.prompt.saturating_add(told.completion),
            })
        } else {
            json!({ "type": "duration", "seconds": reply.ask.audio.ms.div_ceil(1_000) })
        };
        members.insert("usage".to_owned(), usage);
    }
    whole
}

/// The events of a transcript.
pub fn transcript_stream(reply: &std::sync::Arc<Reply>) -> Events {
    let spoken = reply.answer.truth.completion_tokens;
    let deltas = {
        let reply = std::sync::Arc::clone(reply);
        per_token(spoken, move |at| {
            let delta = reply.content_piece(0, at);
            Event::data(
                &json!({ "type": "transcript.text.delta", "delta": delta }),
                1,
            )
        })
    };
    let done = json!({ "type": "transcript.text.done", "text": reply.content_text(0) });
    let done = Event::data(&with_usage(done, reply), 0).closing();
    Box::new(deltas.chain(std::iter::once(done)))
}

/// The events of a sound.
pub fn speech_stream(reply: &std::sync::Arc<Reply>) -> Events {
    let spoken = reply.answer.truth.completion_tokens;
    let format = reply.ask.audio.format.clone();
    let member = match is_mistrals(&reply.ask.model) {
        true => "audio_data",
        false => "audio",
    };
    let deltas = per_token(spoken, move |at| {
        let audio = STANDARD.encode(sound(&format, at));
        Event::data(&json!({ "type": "speech.audio.delta", member: audio }), 1)
    });
    let mut done = json!({ "type": "speech.audio.done" });
    if let (Some(told), Some(members)) = (&reply.reported, done.as_object_mut()) {
        let usage = json!({
            "input_tokens": told.prompt,
            "output_tokens": told.completion,
            "total_tokens": told.prompt.saturating_add(told.completion),
        });
        members.insert("usage".to_owned(), usage);
    }
    let done = Event::data(&done, 0).closing();
    Box::new(deltas.chain(std::iter::once(done)))
}

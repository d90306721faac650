//! Sounds and transcripts of vendors that do not imitate OpenAI: ElevenLabs,
//! Deepgram and xAI.
//!
//! Facts: elevenlabs 2.78 and deepgram-sdk 7.17, read 2026-11: the voice in the
//! path and the format in the query; a form with `model_id` and `file`; a sound as
//! the body and the model in the query. docs.x.ai, voice, read 2026-11: a form
//! without a model. Each tells how long the sound was, and its words.

use serde_json::{Value, json};

use crate::ask::{Audio, Refusal, Request, required_str};
use crate::audio::{length_ms, parts};
use crate::reply::Reply;
use crate::words;

/// Reads a request.
///
/// # Errors
/// When the vendor would refuse it.
pub fn read(path: &str, body: &[u8]) -> Result<Request, Refusal> {
    let (path, query) = path.split_once('?').unwrap_or((path, ""));
    let of_query = |name: &str| {
        let mut pairs = query.split('&').filter_map(|pair| pair.split_once('='));
        let found = pairs.find(|(key, _)| *key == name);
        found.map(|(_, value)| value.to_owned())
    };
    if path.contains("/text-to-speech/") {
        let body: Value =
            serde_json::from_slice(body).map_err(|_| Refusal::bad("body: JSON decode error"))?;
        return speech(&body, of_query("output_format"));
    }
    if path.ends_with("/listen") {
        let model = of_query("model").ok_or_else(|| Refusal::bad("model: required"))?;
        return heard(model, "deepgram", body);
    }
    let parts = parts(body).ok_or_else(|| Refusal::bad("could not parse multipart form"))?;
    let file = parts.iter().find(|part| part.name == "file");
    let file = file.ok_or_else(|| Refusal::bad("file: Field required"))?;
    if path.ends_with("/stt") {
        return heard("xai".to_owned(), "xai", file.value);
    }
    let model = parts.iter().find(|part| part.name == "model_id");
    let model = model.ok_or_else(|| Refusal::bad("model_id: Field required"))?;
    let model = String::from_utf8_lossy(model.value).into_owned();
    heard(model, "elevenlabs", file.value)
}

/// Reads a request for speech.
fn speech(body: &Value, format: Option<String>) -> Result<Request, Refusal> {
    let text = required_str(body, "text")?;
    let spoken = words::count(text).max(1);
    let format = format.unwrap_or_else(|| "mp3_44100_128".to_owned());
    let format = match format.split('_').next() {
        Some("pcm") => "pcm",
        _ => "mp3",
    };
    Ok(Request {
        model: required_str(body, "model_id")?.to_owned(),
        n: 1,
        max_tokens: Some(spoken),
        prompt_tokens: spoken,
        audio: Audio {
            format: format.to_owned(),
            ms: 0,
        },
        ..Request::default()
    })
}

fn heard(model: String, vendor: &str, sound: &[u8]) -> Result<Request, Refusal> {
    if sound.is_empty() {
        return Err(Refusal::bad("file: is empty"));
    }
    Ok(Request {
        model,
        n: 1,
        audio: Audio {
            format: vendor.to_owned(),
            ms: length_ms(sound),
        },
        ..Request::default()
    })
}

/// Whether a sound is asked for, and no transcript.
#[must_use]
pub fn is_speech(reply: &Reply) -> bool {
    matches!(&*reply.ask.audio.format, "mp3" | "pcm")
}

/// A transcript, in its vendor's words.
#[must_use]
pub fn transcript(reply: &Reply) -> Value {
    let text = reply.content_text(0);
    let said: Vec<&str> = text.split_whitespace().collect();
    let seconds = reply.ask.audio.ms as f64 / 1_000.0;
    let each = seconds / (said.len().max(1) as f64);
    let word = |(at, word): (usize, &&str), name: &str| {
        let start = each * at as f64;
        json!({ name: word, "start": start, "end": start + each, "type": "word" })
    };
    let words =
        |name: &str| -> Vec<Value> { said.iter().enumerate().map(|one| word(one, name)).collect() };
    // Who tells nothing of what was used tells nothing of the length.
    let duration = reply.reported.as_ref().map(|_| json!(seconds));
    match &*reply.ask.audio.format {
        "deepgram" => json!({
            "metadata": { "duration": duration, "channels": 1 },
            "results": { "channels": [{
                "detected_language": "en",
                "alternatives": [{ "transcript": text, "confidence": 0.9, "words": words("word") }],
            }] },
        }),
        "elevenlabs" => json!({
            "language_code": "eng", "language_probability": 0.9, "text": text,
            "words": words("text"), "audio_duration_secs": duration,
        }),
        _ => json!({
            "text": text, "language": "English", "duration": duration, "words": words("text"),
        }),
    }
}

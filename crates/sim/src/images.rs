//! Pictures, in OpenAI's and in Google's shape.
//!
//! Every picture is the same valid PNG of one pixel.
//!
//! Facts: openai-python 2, `images.generate`, read 2026-11: at most 10 pictures
//! of one request, in base64, with a count of tokens; up to sixteen of them are
//! changed, and one is streamed with up to three beginnings. docs.x.ai, image
//! generation, read 2026-11: addresses where `response_format` is `url`.
//! Gemini API, "Imagen", read 2026-11: at most 4 samples, and those that were
//! filtered have no bytes.

use std::sync::Arc;

use serde_json::{Value, json};

use crate::ask::{Format, Refusal, Request, required_str, words_within};
use crate::audio;
use crate::reply::{CREATED, Event, Events, Reply};
use crate::script::VectorFault;
use crate::words;

/// A PNG of one pixel.
pub const PICTURE: &str = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==";
/// Tokens that OpenAI's picture takes: those of a small one at low quality.
pub const PICTURE_TOKENS: u64 = 272;
/// Tokens of a beginning that is shown.
pub const PARTIAL_TOKENS: u64 = 100;
/// Tokens of a picture that is given: those of one square of 512 pixels.
pub const GIVEN_TOKENS: u64 = 194;
/// Most pictures that are given.
const GIVEN_MAX: usize = 16;
/// Most pictures of OpenAI's.
const PICTURES_MAX: u64 = 10;
/// Most of Google's.
const SAMPLES_MAX: u64 = 4;

/// Reads OpenAI's request.
///
/// # Errors
/// When OpenAI would refuse it.
pub fn read(body: &Value) -> Result<Request, Refusal> {
    let prompt = required_str(body, "prompt")?;
    if prompt.is_empty() {
        return Err(Refusal::bad("Invalid 'prompt': empty string."));
    }
    let n = match body.get("n") {
        None | Some(Value::Null) => 1,
        Some(n) => n
            .as_u64()
            .filter(|n| (1..=PICTURES_MAX).contains(n))
            .ok_or_else(|| {
                Refusal::bad("Invalid 'n': integer above maximum value. Expected a value <= 10.")
            })?,
    };
    let format = body.get("response_format").and_then(Value::as_str);
    Ok(Request {
        model: required_str(body, "model")?.to_owned(),
        n,
        // No token is said.
        max_tokens: Some(0),
        prompt_tokens: words::count(prompt).max(1),
        at_address: format == Some("url"),
        stream: body.get("stream") == Some(&Value::Bool(true)),
        partials: body
            .get("partial_images")
            .and_then(Value::as_u64)
            .unwrap_or(0),
        ..Request::default()
    })
}

/// Reads OpenAI's form with pictures.
///
/// # Errors
/// When OpenAI would refuse it.
pub fn read_edit(body: &[u8]) -> Result<Request, Refusal> {
    let parts = audio::parts(body).ok_or_else(|| Refusal::bad("could not parse multipart form"))?;
    let text = |name: &str| {
        let part = parts.iter().find(|part| part.name == name)?;
        Some(String::from_utf8_lossy(part.value).into_owned())
    };
    let number = |name: &str| text(name).and_then(|text| text.parse::<u64>().ok());
    let is_picture = |name: &str| matches!(name, "image" | "image[]");
    let pictures = parts.iter().filter(|part| is_picture(&part.name)).count();
    if !(1..=GIVEN_MAX).contains(&pictures) {
        return Err(Refusal::bad(
            "Invalid 'image': 1 to 16 pictures are required.",
        ));
    }
    let masks = parts.iter().filter(|part| part.name == "mask").count();
    let prompt = text("prompt").ok_or_else(|| Refusal::bad("prompt: Field required"))?;
    let pictures = (pictures + masks) as u64;
    Ok(Request {
        model: text("model").ok_or_else(|| Refusal::bad("model: Field required"))?,
        n: number("n").unwrap_or(1),
        max_tokens: Some(0),
        prompt_tokens: words::count(&prompt).max(1) + pictures * GIVEN_TOKENS,
        pictures_in: pictures,
        stream: text("stream").as_deref() == Some("true"),
        partials: number("partial_images").unwrap_or(0),
        ..Request::default()
    })
}

/// Reads Google's request.
///
/// # Errors
/// When Google would refuse it.
pub fn read_imagen(path: &str, body: &Value) -> Result<Request, Refusal> {
    let prompt = body.pointer("/instances/0/prompt").and_then(Value::as_str);
    let prompt = prompt.ok_or_else(|| Refusal::bad("Text prompt must not be empty."))?;
    let n = body.pointer("/parameters/sampleCount");
    let n = n.map_or(Some(1), Value::as_u64);
    let n = n.filter(|n| (1..=SAMPLES_MAX).contains(n));
    let model = path
        .rsplit('/')
        .next()
        .and_then(|last| last.split(':').next());
    Ok(Request {
        model: model.unwrap_or_default().to_owned(),
        n: n.ok_or_else(|| Refusal::bad("sampleCount must be between 1 and 4."))?,
        max_tokens: Some(0),
        prompt_tokens: words_within(&json!(prompt)).max(1),
        ..Request::default()
    })
}

/// How many pictures there are, faults included, and whether each is one.
fn pictures(reply: &Reply) -> (u64, &'static str) {
    let n = reply.ask.n;
    match reply.script.vectors {
        VectorFault::Fewer => (n.saturating_sub(1), PICTURE),
        VectorFault::More => (n + 1, PICTURE),
        VectorFault::NotANumber => (n, "no base64!"),
        VectorFault::Honest | VectorFault::Reordered | VectorFault::Uneven => (n, PICTURE),
    }
}

/// OpenAI's reply.
#[must_use]
pub fn reply(reply: &Reply) -> Value {
    let (n, picture) = pictures(reply);
    let one = if reply.ask.at_address {
        json!({ "url": "https://pictures.example/1.png" })
    } else {
        json!({ "b64_json": picture })
    };
    let data: Vec<Value> = (0..n).map(|_| one.clone()).collect();
    let mut whole = json!({ "created": CREATED, "data": data });
    if let (Some(fields), Some(told)) = (whole.as_object_mut(), &reply.reported) {
        let usage = usage(reply, told.prompt, n * PICTURE_TOKENS);
        for (name, value) in [
            ("usage", usage),
            ("output_format", json!("png")),
            ("quality", json!("low")),
            ("size", json!("1024x1024")),
        ] {
            fields.insert(name.to_owned(), value);
        }
    }
    whole
}

/// What was used.
fn usage(reply: &Reply, prompt: i64, output: u64) -> Value {
    let signed = |tokens: u64| i64::try_from(tokens).unwrap_or(i64::MAX);
    let (output, given) = (signed(output), signed(reply.ask.pictures_in * GIVEN_TOKENS));
    let given = given.min(prompt);
    json!({
        "input_tokens": prompt,
        "input_tokens_details": {
            "text_tokens": prompt.saturating_sub(given), "image_tokens": given,
        },
        "output_tokens": output,
        "output_tokens_details": { "image_tokens": output, "text_tokens": 0 },
        "total_tokens": prompt.saturating_add(output),
    })
}

/// The events of OpenAI's picture: its beginnings, and all of it.
pub fn stream(reply: &Arc<Reply>, format: Format) -> Events {
    let (partial, completed) = match format {
        Format::OpenaiImageEdits => ("image_edit.partial_image", "image_edit.completed"),
        _ => (
            "image_generation.partial_image",
            "image_generation.completed",
        ),
    };
    let (_, picture) = pictures(reply);
    let event = |kind: &str| {
        json!({
            "type": kind, "b64_json": picture, "created_at": CREATED, "background": "opaque",
            "output_format": "png", "quality": "low", "size": "1024x1024",
        })
    };
    let mut events = Vec::new();
    for at in 0..reply.ask.partials {
        let mut shown = event(partial);
        if let Some(members) = shown.as_object_mut() {
            members.insert("partial_image_index".to_owned(), json!(at));
        }
        events.push(Event::named(partial, &shown, 1));
    }
    let mut whole = event(completed);
    if let (Some(told), Some(members)) = (&reply.reported, whole.as_object_mut()) {
        let output = PICTURE_TOKENS + reply.ask.partials * PARTIAL_TOKENS;
        members.insert("usage".to_owned(), usage(reply, told.prompt, output));
    }
    events.push(Event::named(completed, &whole, 1).closing());
    Box::new(events.into_iter())
}

/// Google's reply.
#[must_use]
pub fn reply_imagen(reply: &Reply) -> Value {
    let (n, picture) = pictures(reply);
    let one = json!({ "mimeType": "image/png", "bytesBase64Encoded": picture });
    let all: Vec<Value> = (0..n).map(|_| one.clone()).collect();
    json!({ "predictions": all })
}

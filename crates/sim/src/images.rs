//! Pictures, in OpenAI's and in Google's shape.
//!
//! Every picture is the same valid PNG of one pixel.
//!
//! Facts: openai-python 2, `images.generate`, read 2026-11: at most 10 pictures
//! of one request, in base64, with a count of tokens. docs.x.ai, image
//! generation, read 2026-11: addresses where `response_format` is `url`.
//! Gemini API, "Imagen", read 2026-11: at most 4 samples, and those that were
//! filtered have no bytes.

use serde_json::{Value, json};

use crate::ask::{Refusal, Request, required_str, words_within};
use crate::reply::{CREATED, Reply};
use crate::script::VectorFault;
use crate::words;

/// A PNG of one pixel.
pub const PICTURE: &str = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==";
/// Tokens that OpenAI's picture takes: those of a small one at low quality.
pub const PICTURE_TOKENS: u64 = 272;
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
        let output = i64::try_from(n * PICTURE_TOKENS).unwrap_or(i64::MAX);
        let usage = json!({
            "input_tokens": told.prompt,
            "input_tokens_details": { "text_tokens": told.prompt, "image_tokens": 0 },
            "output_tokens": output,
            "output_tokens_details": { "image_tokens": output, "text_tokens": 0 },
            "total_tokens": told.prompt.saturating_add(output),
        });
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

/// Google's reply.
#[must_use]
pub fn reply_imagen(reply: &Reply) -> Value {
    let (n, picture) = pictures(reply);
    let one = json!({ "mimeType": "image/png", "bytesBase64Encoded": picture });
    let all: Vec<Value> = (0..n).map(|_| one.clone()).collect();
    json!({ "predictions": all })
}

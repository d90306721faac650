//! Vectors, in OpenAI's and in Google's shape.
//!
//! A vector is a function of its text, the script's seed and its length: the
//! same text has the same vector in whatever batch and whatever shape.
//!
//! Facts: OpenAI API reference, "Embeddings", read 2026-11: inputs are not
//! empty, at most 2,048, and base64 is that of 32-bit floats, lowest byte
//! first. Gemini API, "Embeddings", read 2026-11: at most 100 requests are in
//! one batch.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use crate::ask::{Embed, Refusal, Request, required_str, words_within};
use crate::reply::Reply;
use crate::script::VectorFault;
use crate::words::{self, hash, mix};

/// Numbers of a vector unless the request says how many.
pub const DIMENSIONS: u64 = 256;
/// Most numbers of a vector.
const DIMENSIONS_MAX: u64 = 4_096;
/// Most inputs of OpenAI's.
const INPUTS_MAX: usize = 2_048;
/// Most inputs of Google's.
const BATCH_MAX: usize = 100;

/// Reads OpenAI's request.
///
/// # Errors
/// When OpenAI would refuse it.
pub fn read(body: &Value) -> Result<Request, Refusal> {
    let inputs = match body.get("input") {
        Some(Value::Array(items)) if items.iter().all(Value::is_u64) && !items.is_empty() => {
            vec![json!(items)]
        }
        Some(Value::Array(items)) => items.clone(),
        Some(text @ Value::String(_)) => vec![text.clone()],
        _ => return Err(Refusal::bad("'$.input' is invalid.")),
    };
    if inputs.is_empty() || inputs.len() > INPUTS_MAX {
        return Err(Refusal::bad(
            "'$.input' is invalid. It must have 1 to 2048 entries.",
        ));
    }
    let tokens = inputs
        .iter()
        .map(tokens_of)
        .collect::<Result<Vec<_>, _>>()?;
    let encoding = body.get("encoding_format").and_then(Value::as_str);
    Ok(Request {
        model: required_str(body, "model")?.to_owned(),
        ..request(
            &inputs,
            tokens.iter().sum(),
            dimensions(body.get("dimensions"))?,
            encoding == Some("base64"),
        )
    })
}

/// Tokens of an input: its words, or the numbers that it is.
fn tokens_of(input: &Value) -> Result<u64, Refusal> {
    match input {
        Value::String(text) if !text.is_empty() => Ok(words::count(text).max(1)),
        Value::Array(ids) if !ids.is_empty() && ids.iter().all(Value::is_u64) => {
            Ok(ids.len() as u64)
        }
        _ => Err(Refusal::bad("'$.input' is invalid.")),
    }
}

fn request(inputs: &[Value], tokens: u64, dimensions: Option<u64>, is_base64: bool) -> Request {
    let keys = inputs
        .iter()
        .map(|input| hash(input.to_string().as_bytes()));
    Request {
        n: 1,
        // No token is said.
        max_tokens: Some(0),
        prompt_tokens: tokens,
        embed: Embed {
            keys: keys.collect(),
            dimensions,
            is_base64,
            is_predicted: false,
        },
        ..Request::default()
    }
}

fn dimensions(value: Option<&Value>) -> Result<Option<u64>, Refusal> {
    match value {
        None | Some(Value::Null) => Ok(None),
        Some(value) => match value.as_u64() {
            Some(count @ 1..=DIMENSIONS_MAX) => Ok(Some(count)),
            _ => Err(Refusal::bad("'$.dimensions' is invalid.")),
        },
    }
}

/// Reads Google's request.
///
/// # Errors
/// When Google would refuse it.
pub fn read_gemini(path: &str, body: &Value) -> Result<Request, Refusal> {
    let path = path.split('?').next().unwrap_or(path);
    let model = path
        .rsplit('/')
        .next()
        .and_then(|last| last.split(':').next());
    if let Some(instances) = body.get("instances").and_then(Value::as_array) {
        return read_predict(model.unwrap_or_default(), instances, body);
    }
    let requests = body.get("requests").and_then(Value::as_array);
    let requests = requests.filter(|all| !all.is_empty()).ok_or_else(|| {
        Refusal::bad("* BatchEmbedContentsRequest.requests: contents is not specified")
    })?;
    if requests.len() > BATCH_MAX {
        return Err(Refusal::bad(
            "* BatchEmbedContentsRequest.requests: at most 100 requests can be in one batch",
        ));
    }
    let mut inputs = Vec::with_capacity(requests.len());
    for one in requests {
        let parts = one.pointer("/content/parts").and_then(Value::as_array);
        let parts = parts.filter(|parts| !parts.is_empty());
        let parts = parts.ok_or_else(|| Refusal::bad("* EmbedContentRequest.content: empty"))?;
        // A text by itself has the vector that it has everywhere.
        inputs.push(match parts.as_slice() {
            [only] => only.get("text").unwrap_or(only).clone(),
            several => json!(several),
        });
    }
    let tokens = inputs.iter().map(|input| words_within(input).max(1)).sum();
    let first = requests.first();
    let wanted = first.and_then(|one| one.get("outputDimensionality"));
    Ok(Request {
        model: model.unwrap_or_default().to_owned(),
        ..request(&inputs, tokens, dimensions(wanted)?, false)
    })
}

/// Vertex AI's request, one text for each vector ("Text embeddings API",
/// docs.cloud.google.com, November 2026).
fn read_predict(model: &str, instances: &[Value], body: &Value) -> Result<Request, Refusal> {
    if model.starts_with("gemini-embedding") && instances.len() > 1 {
        return Err(Refusal::bad("Batch size should be 1"));
    }
    let texts: Option<Vec<Value>> = instances
        .iter()
        .map(|one| one.get("content").filter(|text| text.is_string()).cloned())
        .collect();
    let texts = texts.ok_or_else(|| Refusal::bad("instances: content is not a text"))?;
    let tokens = texts.iter().map(|text| words_within(text).max(1)).sum();
    let wanted = body.pointer("/parameters/outputDimensionality");
    let mut request = Request {
        model: model.to_owned(),
        ..request(&texts, tokens, dimensions(wanted)?, false)
    };
    request.embed.is_predicted = true;
    Ok(request)
}

/// The vectors of an answer, faults included.
#[must_use]
pub(crate) fn vectors(reply: &Reply) -> Vec<Vec<f32>> {
    let embed = &reply.ask.embed;
    let length = embed.dimensions.unwrap_or(DIMENSIONS);
    let seed = reply.script.seed;
    let mut all: Vec<Vec<f32>> = embed
        .keys
        .iter()
        .map(|key| (0..length).map(|at| number(mix(seed, *key), at)).collect())
        .collect();
    match reply.script.vectors {
        VectorFault::Fewer => {
            all.pop();
        }
        VectorFault::More => all.push(all.first().cloned().unwrap_or_default()),
        VectorFault::Uneven => {
            if let Some(last) = all.last_mut() {
                last.push(0.0);
            }
        }
        VectorFault::Honest | VectorFault::Reordered | VectorFault::NotANumber => {}
    }
    all
}

/// A number from -1 to 1 that a 32-bit float holds.
fn number(key: u64, at: u64) -> f32 {
    let drawn = mix(key, at) >> 40;
    let drawn = i32::try_from(drawn).unwrap_or(0) - (1 << 23);
    #[allow(clippy::cast_precision_loss)] // 24 bits are what a float holds.
    let number = drawn as f32 / (1 << 23) as f32;
    number
}

/// OpenAI's reply.
#[must_use]
pub fn reply(reply: &Reply) -> Value {
    let vectors = vectors(reply);
    let last = vectors.len().saturating_sub(1);
    let data: Vec<Value> = vectors
        .iter()
        .enumerate()
        .map(|(at, vector)| {
            let index = match reply.script.vectors {
                VectorFault::Reordered => last - at,
                _ => at,
            };
            let mut bytes: Vec<u8> = vector.iter().flat_map(|one| one.to_le_bytes()).collect();
            let is_nan = reply.script.vectors == VectorFault::NotANumber;
            let embedding = if reply.ask.embed.is_base64 {
                if is_nan {
                    bytes.splice(0..4, f32::NAN.to_le_bytes());
                }
                json!(STANDARD.encode(&bytes))
            } else if is_nan {
                // What JSON has for it in most libraries.
                json!([Value::Null])
            } else {
                json!(vector)
            };
            json!({ "object": "embedding", "index": index, "embedding": embedding })
        })
        .collect();
    let mut whole = json!({ "object": "list", "data": data, "model": reply.ask.model });
    if let (Some(fields), Some(told)) = (whole.as_object_mut(), &reply.reported) {
        let usage = json!({ "prompt_tokens": told.prompt, "total_tokens": told.prompt });
        fields.insert("usage".to_owned(), usage);
    }
    whole
}

/// Google's reply.
#[must_use]
pub fn reply_gemini(reply: &Reply) -> Value {
    if reply.ask.embed.is_predicted {
        return reply_predict(reply);
    }
    let all: Vec<Value> = vectors(reply)
        .into_iter()
        .map(|vector| json!({ "values": vector }))
        .collect();
    let mut whole = json!({ "embeddings": all });
    if let (Some(fields), Some(told)) = (whole.as_object_mut(), &reply.reported) {
        fields.insert(
            "usageMetadata".to_owned(),
            json!({ "promptTokenCount": told.prompt }),
        );
    }
    whole
}

/// Vertex AI's reply: what is counted is counted text by text.
fn reply_predict(reply: &Reply) -> Value {
    let all = vectors(reply);
    let told = reply.reported.as_ref().map(|told| told.prompt);
    let count = |at: usize| {
        // The first has what is left.
        let others = i64::try_from(all.len().saturating_sub(1)).unwrap_or(i64::MAX);
        told.map(|told| if at == 0 { told - others } else { 1 })
    };
    let predictions: Vec<Value> = all
        .iter()
        .enumerate()
        .map(|(at, vector)| {
            let statistics = match count(at) {
                Some(count) => json!({ "truncated": false, "token_count": count }),
                None => json!({ "truncated": false }),
            };
            json!({ "embeddings": { "values": vector, "statistics": statistics } })
        })
        .collect();
    json!({ "predictions": predictions })
}

//! The older text completions (`POST /completions`): one prompt, one text.
//!
//! They are served by chat models: the prompt becomes one user message, and
//! what the model says becomes the text.

mod scores;

use bourse_vocab::Failure;
use bourse_vocab::chat::{Choice, Event, Finish, Message, Part, Reply, Request, Role};
use bourse_vocab::json::Value;
use bytes::Bytes;

use super::reply::{head, said, tail};
use super::request::Reader;
use super::stream::{Bits, ChunkWriter, SoFar};
use crate::codec::{Stamp, StreamWriter, not_json};
use crate::fields::{Fields, Path};
use crate::json::{Outline, parse_scanned};
use crate::object::{self, Object, object};

/// Reads a text completion request that was scanned as it came.
///
/// # Errors
/// Names the member and the remedy. Several prompts in one request, token
/// ids, `suffix`, `echo` and `best_of` have no equal in chat and are refused
/// rather than ignored.
pub fn read_completion_request(outline: &Outline, segments: &[Bytes]) -> Result<Request, Failure> {
    let body = parse_scanned(outline, segments).map_err(not_json)?;
    let mut fields = Fields::of(body, &Path::Root)?;
    let prompt = prompt(&mut fields)?;
    for (name, harmless) in [
        ("suffix", Value::String(String::new())),
        ("echo", Value::Bool(false)),
        ("best_of", Value::from(1)),
    ] {
        if fields.take(name).is_some_and(|value| value != harmless) {
            return Err(fields.invalid(
                name,
                "is not supported; text completions are served by chat models",
            ));
        }
    }
    // Here `logprobs` is the number of alternatives.
    const LOGPROBS_MAX: u64 = 5;
    let alternatives = match fields.take("logprobs") {
        Some(Value::Bool(flag)) => flag.then_some(0),
        Some(value) => {
            fields.put_back("logprobs", value);
            fields.count("logprobs", 0, LOGPROBS_MAX)?
        }
        None => None,
    };
    let message = Message {
        role: Role::User,
        name: None,
        parts: vec![Part::text(prompt)],
    };
    let mut request = Reader::default().finish(fields, vec![message])?;
    if let Some(alternatives) = alternatives {
        request.sampling.logprobs = Some(true);
        request.sampling.top_logprobs = Some(alternatives).filter(|count| *count > 0);
    }
    Ok(request)
}

fn prompt(fields: &mut Fields<'_>) -> Result<String, Failure> {
    match fields.take("prompt") {
        None => Err(fields.invalid("prompt", "is required")),
        Some(Value::String(prompt)) => Ok(prompt),
        Some(Value::Array(mut items)) => match (items.len(), items.pop()) {
            (1, Some(Value::String(prompt))) => Ok(prompt),
            (1, _) => Err(fields.invalid("prompt", "must be text; token ids are not supported")),
            _ => Err(fields.invalid(
                "prompt",
                "must be one text; send one request for each prompt",
            )),
        },
        Some(_) => Err(fields.invalid("prompt", "must be a string")),
    }
}

/// Writes a whole text completion.
#[must_use]
pub fn write_completion_reply(reply: &Reply, stamp: &Stamp<'_>) -> Vec<u8> {
    let mut out = Vec::new();
    object(&mut out, |object| {
        head(object, KIND, stamp);
        object.put("system_fingerprint", &reply.system_fingerprint);
        object.put_some("service_tier", reply.service_tier.as_ref());
        object.nested("choices", |out| {
            object::array(out, &reply.choices, write_choice);
        });
        tail(object, reply, stamp);
    });
    out
}

const KIND: &str = "text_completion";

fn write_choice(out: &mut Vec<u8>, choice: &Choice) {
    object(out, |object| {
        object
            .put("text", &said(&choice.parts).unwrap_or_default())
            .put("index", &choice.index)
            .put("logprobs", &scores::of_text(choice.logprobs.as_ref(), 0))
            .put("finish_reason", &choice.finish.map(Finish::name))
            .put("native_finish_reason", &choice.native_finish);
        if let Some(reasoning) = super::reasoning::joined(&choice.parts) {
            object.put("reasoning", &reasoning);
        }
    });
}

/// Begins to write a stream of text completion chunks.
#[must_use]
pub fn completion_stream_writer(stamp: &Stamp<'_>) -> Box<dyn StreamWriter> {
    Box::new(ChunkWriter::new(TextBits, stamp))
}

/// Bits of text completions: `text` members.
#[derive(Debug)]
struct TextBits;

impl Bits for TextBits {
    const KIND: &'static str = KIND;

    const COUNTS_TEXT: bool = true;

    fn write(&self, choice: &mut Object<'_>, event: &Event, so_far: SoFar) -> bool {
        match event {
            Event::Text { text, logprobs, .. } => {
                choice.put("text", text);
                if logprobs.is_some() {
                    let scores = scores::of_text(logprobs.as_ref(), so_far.characters);
                    choice.put("logprobs", &scores);
                }
            }
            Event::Reasoning { delta, .. } => {
                let Some(text) = super::reasoning::readable(&delta.kind) else {
                    return false;
                };
                choice.put("text", "").put("reasoning", text);
            }
            // The shape has no room for the rest.
            _ => return false,
        }
        true
    }

    fn write_empty(&self, choice: &mut Object<'_>, _first: bool) {
        choice.put("text", "");
    }
}

//! Ollama's `POST /api/embed` (docs/api.md and `EmbedRequest` of api/types.go
//! of ollama/ollama, August 2026).

use bourse_vocab::Failure;
use bourse_vocab::chat::Loss;
use bourse_vocab::embeddings::{Input, Reply, Shape};
use bytes::Bytes;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::asked::{Asked, takes_no, takes_no_tokens};
use super::{Codec, Written, read};
use crate::object::{array, object, write};

/// Ollama's shape.
pub(super) struct Ollama;

impl Codec for Ollama {
    fn shape(&self) -> Shape {
        Shape::Ollama
    }

    fn write(&self, asked: &Asked, model: &str) -> Result<Written, Failure> {
        takes_no_tokens(asked)?;
        let inputs = asked.inputs()?;
        if inputs.iter().any(|input| matches!(input, Input::Parts(_))) {
            return Err(takes_no("parts"));
        }
        let mut losses = asked.unknown.clone();
        if asked.user.is_some() {
            losses.push(Loss::new("user", "the provider is told of no users"));
        }
        if asked.purpose.is_some() {
            losses.push(Loss::new("input_type", "the provider has no word for it"));
        }
        let mut body = Vec::new();
        object(&mut body, |whole| {
            whole.put("model", model);
            // It cuts what is too long unless it is told not to, and a vector
            // of a part looks like one of the whole.
            whole.put("truncate", &false);
            whole.put_some("dimensions", asked.dimensions.as_ref());
            whole.nested("input", |out| {
                array(out, inputs, |out, input| one(input, out));
            });
        });
        Ok(Written {
            body: vec![body.into()],
            losses,
        })
    }

    fn read(&self, body: &Bytes, inputs: usize) -> Result<Reply, Failure> {
        let whole: Whole<'_> = read::from_json(body)?;
        let mut vectors = read::Vectors::of(body, inputs);
        for vector in &whole.embeddings {
            vectors.push(vector)?;
        }
        let (length, vectors) = vectors.finish()?;
        Ok(Reply {
            vectors,
            length,
            usage: read::usage(Some(body_of(body)?), &["prompt_eval_count"]),
            upstream_id: None,
        })
    }
}

#[derive(Deserialize)]
struct Whole<'a> {
    #[serde(borrow)]
    embeddings: Vec<&'a RawValue>,
}

/// The whole reply, whose members the counts are.
fn body_of(body: &Bytes) -> Result<&RawValue, Failure> {
    read::from_json(body)
}

fn one(input: &Input, out: &mut Vec<u8>) {
    match input {
        Input::Text(text) => write(out, text),
        // Refused before.
        Input::Tokens(_) | Input::Parts(_) => write(out, ""),
    }
}

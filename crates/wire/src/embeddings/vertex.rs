//! Vertex AI's `models/*:predict` for vectors of texts
//! (docs.cloud.google.com/vertex-ai/generative-ai, "Text embeddings API" and
//! `TextEmbeddingPredictionParams`, November 2026).

use bourse_vocab::chat::Loss;
use bourse_vocab::embeddings::{Input, Reply, Shape};
use bourse_vocab::{Failure, UsageReport};
use bytes::Bytes;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::asked::{Asked, takes_at_most, takes_no, takes_no_tokens};
use super::{Codec, Written, gemini, read};
use crate::object::{array, object};

/// The most texts of one request ("Get text embeddings", November 2026).
const INPUTS_MAX: usize = 250;
/// The same of the model that takes one at a time (the same page).
const INPUTS_OF_GEMINI_MAX: usize = 1;

/// Vertex AI's shape.
pub(super) struct Vertex;

impl Codec for Vertex {
    fn shape(&self) -> Shape {
        Shape::Vertex
    }

    fn write(&self, asked: &Asked, model: &str) -> Result<Written, Failure> {
        takes_no_tokens(asked)?;
        let takes_one = model.starts_with("gemini-embedding");
        takes_at_most(
            asked,
            if takes_one {
                INPUTS_OF_GEMINI_MAX
            } else {
                INPUTS_MAX
            },
        )?;
        let inputs = asked.inputs()?;
        let texts = inputs.iter().map(text_of).collect::<Result<Vec<_>, _>>()?;
        let mut losses = asked.unknown.clone();
        if asked.user.is_some() {
            losses.push(Loss::new("user", "the provider is told of no users"));
        }
        let task = asked.purpose.as_ref().map(gemini::task);
        if task == Some(None) {
            losses.push(Loss::new("input_type", "the provider has no word for it"));
        }
        let mut body = Vec::new();
        object(&mut body, |whole| {
            whole.nested("instances", |out| {
                array(out, &texts, |out, text| {
                    object(out, |instance| {
                        instance.put("content", text);
                        instance.put_some("task_type", task.flatten().as_ref());
                    });
                });
            });
            whole.nested("parameters", |out| {
                object(out, |parameters| {
                    // A vector of the beginning of a text would not be known as
                    // one: what is too long is refused.
                    parameters.put("autoTruncate", &false);
                    parameters.put_some("outputDimensionality", asked.dimensions.as_ref());
                });
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
        // Counted text by text; of one that is not, nothing is known of all.
        let mut prompt = Some(0_u64);
        for prediction in &whole.predictions {
            let embedding = &prediction.embeddings;
            vectors.push(embedding.values)?;
            let counted = read::usage(embedding.statistics, &["token_count"]);
            prompt = prompt
                .zip(counted.prompt)
                .and_then(|(all, more)| all.checked_add(more));
        }
        let (length, vectors) = vectors.finish()?;
        Ok(Reply {
            vectors,
            length,
            usage: UsageReport {
                prompt,
                completion: prompt.map(|_| 0),
                ..UsageReport::default()
            },
            upstream_id: None,
        })
    }
}

#[derive(Deserialize)]
struct Whole<'a> {
    #[serde(borrow)]
    predictions: Vec<Prediction<'a>>,
}

#[derive(Deserialize)]
struct Prediction<'a> {
    #[serde(borrow)]
    embeddings: Embedding<'a>,
}

#[derive(Deserialize)]
struct Embedding<'a> {
    #[serde(borrow)]
    values: &'a RawValue,
    #[serde(borrow, default)]
    statistics: Option<&'a RawValue>,
}

fn text_of(input: &Input) -> Result<&str, Failure> {
    match input {
        Input::Text(text) => Ok(text),
        Input::Tokens(_) | Input::Parts(_) => Err(takes_no("anything but a text")),
    }
}

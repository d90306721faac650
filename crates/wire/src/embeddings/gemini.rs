//! Google's `models/*:batchEmbedContents` (ai.google.dev/api/embeddings,
//! November 2026).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bourse_vocab::Failure;
use bourse_vocab::chat::Loss;
use bourse_vocab::embeddings::{Input, Part, Purpose, Reply, Shape};
use bytes::Bytes;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::asked::{Asked, takes_at_most, takes_no, takes_no_tokens};
use super::{Codec, Written, read};
use crate::object::{Object, array, object, write};

/// The most inputs of one request, in the server's words: "at most 100
/// requests can be in one batch" (langchain-ai/langchainjs issue 4491, and
/// vercel/ai pull request 16575 of July 2026).
const INPUTS_MAX: usize = 100;

/// Google's shape.
pub(super) struct Gemini;

impl Codec for Gemini {
    fn shape(&self) -> Shape {
        Shape::Gemini
    }

    fn write(&self, asked: &Asked, model: &str) -> Result<Written, Failure> {
        takes_no_tokens(asked)?;
        takes_at_most(asked, INPUTS_MAX)?;
        let inputs = asked.inputs()?;
        for part in inputs.iter().flat_map(parts_of) {
            check(part)?;
        }
        let mut losses = asked.unknown.clone();
        if asked.user.is_some() {
            losses.push(Loss::new("user", "the provider is told of no users"));
        }
        let task = asked.purpose.as_ref().map(task);
        if task == Some(None) {
            losses.push(Loss::new("input_type", "the provider has no word for it"));
        }
        let name = format!("models/{}", model.strip_prefix("models/").unwrap_or(model));
        let mut body = Vec::new();
        object(&mut body, |whole| {
            whole.nested("requests", |out| {
                array(out, inputs, |out, input| {
                    object(out, |request| {
                        request.put("model", &name);
                        request.nested("content", |out| content(input, out));
                        request.put_some("taskType", task.flatten().as_ref());
                        request.put_some("outputDimensionality", asked.dimensions.as_ref());
                    });
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
        for embedding in &whole.embeddings {
            vectors.push(embedding.values)?;
        }
        let (length, vectors) = vectors.finish()?;
        Ok(Reply {
            vectors,
            length,
            usage: read::usage(whole.usage, &["promptTokenCount", "totalTokenCount"]),
            upstream_id: None,
        })
    }
}

#[derive(Deserialize)]
struct Whole<'a> {
    #[serde(borrow)]
    embeddings: Vec<Embedding<'a>>,
    #[serde(borrow, default, rename = "usageMetadata")]
    usage: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct Embedding<'a> {
    #[serde(borrow)]
    values: &'a RawValue,
}

/// Purposes for which only Google has a word (`TaskType`, the same document).
const TASKS: [&str; 3] = [
    "QUESTION_ANSWERING",
    "FACT_VERIFICATION",
    "CODE_RETRIEVAL_QUERY",
];

/// Google's name for a purpose (`TaskType`, the same document).
pub(super) fn task(purpose: &Purpose) -> Option<&'static str> {
    match purpose {
        Purpose::Query => Some("RETRIEVAL_QUERY"),
        Purpose::Document => Some("RETRIEVAL_DOCUMENT"),
        Purpose::Classification => Some("CLASSIFICATION"),
        Purpose::Clustering => Some("CLUSTERING"),
        Purpose::Similarity => Some("SEMANTIC_SIMILARITY"),
        Purpose::Other(word) => TASKS.iter().copied().find(|task| task == word),
    }
}

fn parts_of(input: &Input) -> &[Part] {
    match input {
        Input::Parts(parts) => parts,
        Input::Text(_) | Input::Tokens(_) => &[],
    }
}

/// Whether a part can be said: Google takes a picture with the request.
fn check(part: &Part) -> Result<(), Failure> {
    match part {
        Part::Text(_) => Ok(()),
        Part::Image(url) if inline(url).is_some() => Ok(()),
        Part::Image(_) => Err(takes_no("a picture that is not a `data:` URL")),
        Part::Other(kind) => Err(takes_no(&format!("a part of type `{kind}`"))),
    }
}

/// Media type and base64 of a `data:` URL.
fn inline(url: &str) -> Option<(&str, &str)> {
    let (kind, data) = url.strip_prefix("data:")?.split_once(";base64,")?;
    (!kind.is_empty() && STANDARD.decode(data).is_ok()).then_some((kind, data))
}

fn content(input: &Input, out: &mut Vec<u8>) {
    let text = |out: &mut Vec<u8>, text: &str| {
        object(out, |part: &mut Object<'_>| {
            part.put("text", text);
        });
    };
    object(out, |content| {
        content.nested("parts", |out| match input {
            Input::Text(said) => array(out, [said], |out, said| text(out, said)),
            Input::Parts(parts) => array(out, parts, |out, part| match part {
                Part::Text(said) => text(out, said),
                Part::Image(url) | Part::Other(url) => image(url, out),
            }),
            // Refused before.
            Input::Tokens(_) => write(out, &[0_u8; 0]),
        });
    });
}

fn image(url: &str, out: &mut Vec<u8>) {
    let (kind, data) = inline(url).unwrap_or_default();
    object(out, |part| {
        part.nested("inlineData", |out| {
            object(out, |data_of| {
                data_of.put("mimeType", kind).put("data", data);
            });
        });
    });
}

//! Cohere's `POST /v2/embed` (docs.cohere.com/reference/embed, November 2026).

use bourse_vocab::Failure;
use bourse_vocab::chat::Loss;
use bourse_vocab::embeddings::{Input, Part, Purpose, Reply, Shape};
use bytes::Bytes;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::asked::{Asked, takes_at_most, takes_no, takes_no_tokens};
use super::survey::Kind;
use super::{Codec, Written, read};
use crate::object::{array, object, write};

/// The most inputs of one request (the same).
const INPUTS_MAX: usize = 96;

/// What is said of texts whose purpose nobody says: the member is required,
/// and most texts that are turned into vectors are those that are searched.
const USUAL_PURPOSE: &str = "search_document";

/// Cohere's shape. Vectors are always asked for as numbers, which are of 32
/// bits whichever of its models makes them.
pub(super) struct Cohere;

impl Codec for Cohere {
    fn shape(&self) -> Shape {
        Shape::Cohere
    }

    fn write(&self, asked: &Asked, model: &str) -> Result<Written, Failure> {
        takes_no_tokens(asked)?;
        takes_at_most(asked, INPUTS_MAX)?;
        let inputs = asked.inputs()?;
        for input in inputs {
            check(input)?;
        }
        let mut losses = asked.unknown.clone();
        if asked.user.is_some() {
            losses.push(Loss::new("user", "the provider is told of no users"));
        }
        let purpose = asked.purpose.as_ref().map(word);
        if purpose == Some(None) {
            losses.push(Loss::new("input_type", "the provider has no word for it"));
        }
        let mut body = Vec::new();
        object(&mut body, |whole| {
            whole.put("model", model);
            whole.put("input_type", purpose.flatten().unwrap_or(USUAL_PURPOSE));
            whole.put("embedding_types", &["float"]);
            // It cuts what is too long unless it is told not to, and a vector
            // of a part looks like one of the whole.
            whole.put("truncate", "NONE");
            whole.put_some("output_dimension", asked.dimensions.as_ref());
            let name = match asked.survey.kind {
                Kind::Parts => "inputs",
                Kind::Text | Kind::Tokens => "texts",
            };
            whole.nested(name, |out| array(out, inputs, |out, input| one(input, out)));
        });
        Ok(Written {
            body: vec![body.into()],
            losses,
        })
    }

    fn read(&self, body: &Bytes, inputs: usize) -> Result<Reply, Failure> {
        let whole: Whole<'_> = read::from_json(body)?;
        let mut vectors = read::Vectors::of(body, inputs);
        for vector in &whole.embeddings.float {
            vectors.push(vector)?;
        }
        let billed = whole.meta.and_then(|meta| meta.billed_units);
        let (length, vectors) = vectors.finish()?;
        Ok(Reply {
            vectors,
            length,
            usage: read::usage(billed, &["input_tokens"]),
            upstream_id: whole.id.map(std::borrow::Cow::into_owned),
        })
    }
}

#[derive(Deserialize)]
struct Whole<'a> {
    #[serde(borrow, default)]
    id: Option<std::borrow::Cow<'a, str>>,
    #[serde(borrow)]
    embeddings: ByType<'a>,
    #[serde(borrow, default)]
    meta: Option<Meta<'a>>,
}

#[derive(Deserialize)]
struct ByType<'a> {
    #[serde(borrow)]
    float: Vec<&'a RawValue>,
}

#[derive(Deserialize)]
struct Meta<'a> {
    #[serde(borrow, default)]
    billed_units: Option<&'a RawValue>,
}

/// Cohere's word for a purpose.
fn word(purpose: &Purpose) -> Option<&'static str> {
    match purpose {
        Purpose::Query => Some("search_query"),
        Purpose::Document => Some("search_document"),
        Purpose::Classification => Some("classification"),
        Purpose::Clustering => Some("clustering"),
        Purpose::Similarity | Purpose::Other(_) => None,
    }
}

/// Whether an input can be said: texts and pictures that come with the
/// request.
fn check(input: &Input) -> Result<(), Failure> {
    let Input::Parts(parts) = input else {
        return Ok(());
    };
    parts.iter().try_for_each(|part| match part {
        Part::Text(_) => Ok(()),
        Part::Image(url) if url.starts_with("data:") => Ok(()),
        Part::Image(_) => Err(takes_no("a picture that is not a `data:` URL")),
        Part::Other(kind) => Err(takes_no(&format!("a part of type `{kind}`"))),
    })
}

fn one(input: &Input, out: &mut Vec<u8>) {
    match input {
        Input::Text(text) => write(out, text),
        Input::Parts(parts) => object(out, |input| {
            input.nested("content", |out| {
                array(out, parts, |out, part| say(part, out));
            });
        }),
        // Refused before.
        Input::Tokens(_) => write(out, ""),
    }
}

fn say(part: &Part, out: &mut Vec<u8>) {
    object(out, |said| match part {
        Part::Text(text) => {
            said.put("type", "text").put("text", text);
        }
        Part::Image(url) | Part::Other(url) => {
            said.put("type", "image_url").nested("image_url", |out| {
                object(out, |image| {
                    image.put("url", url);
                });
            });
        }
    });
}

//! The vendors' shapes, each a row.

use bourse_vocab::moderations::{Input, Part, Reply, Shape};
use bourse_vocab::{Failure, Next};
use bytes::Bytes;

use super::asked::Asked;
use super::{Codec, Written, read};
use crate::object::{array, object, write};

/// How a vendor is asked.
pub(super) struct Row {
    shape: Shape,
    /// Whether it takes parts, which are judged together.
    takes_parts: bool,
}

/// OpenAI (openai-python 2, `moderation_create_params.py`, November 2026).
pub(super) static OPENAI: Row = Row {
    shape: Shape::OpenAi,
    takes_parts: true,
};

/// Mistral (docs.mistral.ai/capabilities/guardrailing and the SDK's
/// `ClassificationRequest`, 2026): a text or a list of texts.
pub(super) static MISTRAL: Row = Row {
    shape: Shape::Mistral,
    takes_parts: false,
};

impl Row {
    /// Parts that are one text are that text.
    fn input<'a>(&self, asked: &'a Asked) -> Result<Sent<'a>, Failure> {
        match &asked.input {
            Input::Texts(texts) => Ok(Sent::Texts(texts)),
            Input::Parts(parts) if self.takes_parts => Ok(Sent::Parts(parts)),
            Input::Parts(parts) => match parts.as_slice() {
                [Part::Text(text)] => Ok(Sent::Texts(std::slice::from_ref(text))),
                _ => Err(Failure::invalid(
                    "input: this provider judges texts, each by itself, and no parts together; send texts, or choose another",
                )
                .next(Next::TryAnother)),
            },
        }
    }
}

/// What is sent of the input.
enum Sent<'a> {
    Texts(&'a [String]),
    Parts(&'a [Part]),
}

impl Codec for Row {
    fn shape(&self) -> Shape {
        self.shape
    }

    fn write(&self, asked: &Asked, model: &str) -> Result<Written, Failure> {
        let input = self.input(asked)?;
        let mut body = Vec::new();
        object(&mut body, |whole| {
            whole.put("model", model);
            whole.nested("input", |out| match input {
                Sent::Texts(texts) => array(out, texts, write),
                Sent::Parts(parts) => array(out, parts, put_part),
            });
        });
        Ok(Written {
            body: vec![body.into()],
            losses: asked.unknown.clone(),
        })
    }

    fn read(&self, body: &Bytes, asked: &Asked) -> Result<Reply, Failure> {
        read::reply(body, asked.input.verdicts())
    }
}

fn put_part(out: &mut Vec<u8>, part: &Part) {
    object(out, |whole| match part {
        Part::Text(text) => {
            whole.put("type", "text").put("text", text);
        }
        Part::Picture(url) => {
            whole.put("type", "image_url").nested("image_url", |out| {
                object(out, |image| {
                    image.put("url", url);
                });
            });
        }
    });
}

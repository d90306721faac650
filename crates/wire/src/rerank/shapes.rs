//! The vendors' shapes, each a row.

use bourse_vocab::rerank::{Reply, Shape};
use bourse_vocab::{Failure, Next};
use bytes::Bytes;

use super::asked::Asked;
use super::{Codec, Written, read};
use crate::object::{array, object, write};

/// How a vendor is asked.
pub(super) struct Row {
    shape: Shape,
    /// What it calls `top_n`.
    top_n: &'static str,
    /// Whether it takes pictures.
    takes_pictures: bool,
    /// Members that it is always sent, with their values.
    always: &'static [(&'static str, &'static str)],
}

/// Cohere (docs.cohere.com/reference/rerank, v2, 2026): texts alone. What is
/// longer than its model reads it cuts, and cannot be told not to.
pub(super) static COHERE: Row = Row {
    shape: Shape::Cohere,
    top_n: "top_n",
    takes_pictures: false,
    always: &[],
};

/// Voyage AI (docs.voyageai.com/docs/reranker, 2026). It cuts what is too long
/// unless it is told not to.
pub(super) static VOYAGE: Row = Row {
    shape: Shape::Voyage,
    top_n: "top_k",
    takes_pictures: false,
    always: &[("return_documents", "false"), ("truncation", "false")],
};

/// Jina AI (jina.ai/reranker, API reference, 2026), and servers of models that
/// imitate it or Cohere's first version. It repeats documents unless it is told
/// not to.
pub(super) static JINA: Row = Row {
    shape: Shape::Jina,
    top_n: "top_n",
    takes_pictures: true,
    always: &[("return_documents", "false")],
};

impl Codec for Row {
    fn shape(&self) -> Shape {
        self.shape
    }

    fn write(&self, asked: &Asked, model: &str) -> Result<Written, Failure> {
        if !self.takes_pictures && asked.has_pictures() {
            return Err(Failure::invalid(
                "documents: this provider ranks texts and no pictures; send texts, or choose another",
            )
            .next(Next::TryAnother));
        }
        let mut body = Vec::new();
        object(&mut body, |whole| {
            whole.put("model", model).put("query", &asked.query);
            whole.nested("documents", |out| {
                array(out, &asked.documents, |out, document| {
                    match (&document.text, &document.image) {
                        (Some(text), None) => write(out, text),
                        (text, image) => object(out, |parts| {
                            parts
                                .put_some("text", text.as_ref())
                                .put_some("image", image.as_ref());
                        }),
                    }
                });
            });
            whole.put_some(self.top_n, asked.top_n.as_ref());
            for (name, value) in self.always {
                whole.raw(name, value);
            }
        });
        Ok(Written {
            body: vec![body.into()],
            losses: asked.unknown.clone(),
        })
    }

    fn read(&self, body: &Bytes, asked: &Asked) -> Result<Reply, Failure> {
        read::reply(body, asked)
    }
}

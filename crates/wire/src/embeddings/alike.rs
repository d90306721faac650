//! Vendors whose requests look like OpenAI's: the client's bytes go on, but
//! for the members that they name otherwise or do not know.

use bourse_vocab::Failure;
use bourse_vocab::chat::Loss;
use bourse_vocab::embeddings::{Purpose, Reply, Shape};
use bytes::Bytes;

use super::asked::{Asked, is_for_vendors, takes_at_most, takes_no, takes_no_tokens};
use super::survey::{INPUTS_MAX, Kind};
use super::{Codec, Written, read};
use crate::json::splice::Splice;
use crate::json::text::write_string;

/// How a vendor strays from OpenAI's shape.
#[derive(Debug)]
pub struct Alike {
    shape: Shape,
    /// What it calls `dimensions`.
    dimensions: &'static str,
    /// What it calls `input_type`, and its words for that.
    purpose: Option<(&'static str, Words)>,
    /// Whether it is told how vectors are to be written. Whoever is not
    /// writes numbers, and they are converted here.
    is_told_encoding: bool,
    /// Whether it takes texts as the numbers of their tokens.
    takes_tokens: bool,
    /// Whether it is told of users.
    is_told_user: bool,
    /// The most inputs of one request.
    inputs_max: usize,
    /// Members that it is always sent, with their values.
    always: &'static [(&'static str, &'static str)],
}

/// A vendor's word for a purpose, if it has one.
type Words = fn(&Purpose) -> Option<&'static str>;

/// OpenAI, and servers that imitate it (platform.openai.com/docs/api-reference,
/// embeddings, November 2026).
pub static OPENAI: Alike = Alike {
    shape: Shape::OpenAi,
    dimensions: "dimensions",
    purpose: None,
    is_told_encoding: true,
    takes_tokens: true,
    is_told_user: true,
    inputs_max: INPUTS_MAX,
    always: &[],
};

/// Mistral (docs.mistral.ai/api, endpoint embeddings, 2026): it has
/// `encoding_format` and no `user`.
pub static MISTRAL: Alike = Alike {
    shape: Shape::Mistral,
    dimensions: "output_dimension",
    purpose: None,
    is_told_encoding: true,
    takes_tokens: false,
    is_told_user: false,
    inputs_max: INPUTS_MAX,
    always: &[],
};

/// Voyage AI (mongodb.com/docs/api, Embedding and Reranking API,
/// `createEmbedding`, 2026): a list of at most 1,000 texts. It cuts what is
/// too long unless it is told not to, and a vector of a part looks like one of
/// the whole.
pub static VOYAGE: Alike = Alike {
    shape: Shape::Voyage,
    dimensions: "output_dimension",
    purpose: Some(("input_type", voyages_word)),
    is_told_encoding: false,
    takes_tokens: false,
    is_told_user: false,
    inputs_max: 1_000,
    always: &[("truncation", "false")],
};

fn voyages_word(purpose: &Purpose) -> Option<&'static str> {
    match purpose {
        Purpose::Query => Some("\"query\""),
        Purpose::Document => Some("\"document\""),
        _ => None,
    }
}

/// Jina AI (jina.ai/embeddings, API reference, 2026).
pub static JINA: Alike = Alike {
    shape: Shape::Jina,
    dimensions: "dimensions",
    purpose: Some(("task", jinas_word)),
    is_told_encoding: false,
    takes_tokens: false,
    is_told_user: false,
    inputs_max: INPUTS_MAX,
    always: &[],
};

/// Tasks of `jina-embeddings-v3` (the same). Later models have other words
/// beside the first three, which all have.
fn jinas_word(purpose: &Purpose) -> Option<&'static str> {
    match purpose {
        Purpose::Query => Some("\"retrieval.query\""),
        Purpose::Document => Some("\"retrieval.passage\""),
        Purpose::Similarity => Some("\"text-matching\""),
        _ => None,
    }
}

impl Alike {
    fn check(&self, asked: &Asked) -> Result<(), Failure> {
        if asked.survey.kind == Kind::Parts {
            return Err(takes_no("`content` with parts"));
        }
        if !self.takes_tokens {
            takes_no_tokens(asked)?;
        }
        takes_at_most(asked, self.inputs_max)
    }

    /// Tells it what the vectors are for.
    fn tell_purpose(&self, asked: &Asked, splice: &mut Splice<'_>, losses: &mut Vec<Loss>) {
        splice.remove("input_type");
        let Some(purpose) = &asked.purpose else {
            return;
        };
        let word = self
            .purpose
            .and_then(|(name, words)| Some((name, words(purpose)?)));
        match word {
            Some((name, word)) => splice.set(name, word),
            None => losses.push(Loss::new("input_type", "the provider has no word for it")),
        }
    }
}

impl Codec for Alike {
    fn shape(&self) -> Shape {
        self.shape
    }

    fn passes(&self) -> bool {
        true
    }

    fn write(&self, asked: &Asked, model: &str) -> Result<Written, Failure> {
        self.check(asked)?;
        let mut losses = asked.unknown.clone();
        let mut splice = Splice::new(&asked.outline);
        for (name, _) in asked.outline.iter() {
            if !is_for_vendors(name) {
                splice.remove(name);
            }
        }
        splice.set("model", json_text(model));
        splice.remove("user");
        if let Some(user) = &asked.user {
            if self.is_told_user {
                splice.set("user", json_text(user));
            } else {
                losses.push(Loss::new("user", "the provider is told of no users"));
            }
        }
        if !self.is_told_encoding {
            splice.remove("encoding_format");
        }
        if let Some(dimensions) = asked.dimensions
            && self.dimensions != "dimensions"
        {
            splice.remove("dimensions");
            splice.set(self.dimensions, dimensions.to_string());
        }
        self.tell_purpose(asked, &mut splice, &mut losses);
        for (name, value) in self.always {
            splice.set(name, *value);
        }
        Ok(Written {
            body: splice.write(&asked.segments),
            losses,
        })
    }

    fn read(&self, body: &Bytes, inputs: usize) -> Result<Reply, Failure> {
        read::openai(body, inputs)
    }
}

fn json_text(text: &str) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len().saturating_add(2));
    write_string(text, &mut out);
    out
}

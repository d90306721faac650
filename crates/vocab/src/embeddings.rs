//! Texts and the vectors that a model makes of them.
//!
//! An operation of its own, with a request and a reply of its own: there is
//! no conversation in it, and nothing that could be streamed.

use bytes::Bytes;

use crate::UsageReport;

/// How a vendor's interface for vectors looks on the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Shape {
    /// OpenAI's `POST /embeddings`, which most servers of models imitate.
    OpenAi,
    /// Mistral's `POST /v1/embeddings`.
    Mistral,
    /// Google's `models/*:batchEmbedContents`.
    Gemini,
    /// Vertex AI's `models/*:predict`.
    Vertex,
    /// Cohere's `POST /v2/embed`.
    Cohere,
    /// Voyage AI's `POST /v1/embeddings`.
    Voyage,
    /// Jina AI's `POST /v1/embeddings`.
    Jina,
    /// Ollama's `POST /api/embed`.
    Ollama,
}

impl Shape {
    /// Every shape, in the order in which documents list them.
    pub const ALL: [Self; 8] = [
        Self::OpenAi,
        Self::Mistral,
        Self::Gemini,
        Self::Vertex,
        Self::Cohere,
        Self::Voyage,
        Self::Jina,
        Self::Ollama,
    ];
}

/// How a vector is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Encoding {
    /// As a JSON array of numbers.
    #[default]
    Float,
    /// As the base64 of 32-bit floats, the lowest byte first.
    Base64,
}

impl Encoding {
    /// The name on the wire.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Float => "float",
            Self::Base64 => "base64",
        }
    }

    /// Finds an encoding by its name on the wire.
    #[must_use]
    pub fn by_name(name: &str) -> Option<Self> {
        [Self::Float, Self::Base64]
            .into_iter()
            .find(|encoding| encoding.name() == name)
    }
}

/// What the text is for, as models see it that tell questions from the
/// documents that answer them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Purpose {
    /// A question that is looked up.
    Query,
    /// A text in which questions are looked up.
    Document,
    /// A text that is put into a class.
    Classification,
    /// A text that is put beside its like.
    Clustering,
    /// A text that is compared with others.
    Similarity,
    /// Whatever else a vendor may understand, in the caller's word.
    Other(String),
}

impl Purpose {
    /// Reads `input_type`: OpenRouter names `search_query` and
    /// `search_document` (API document, October 2026), which are Cohere's
    /// words, as the next two are; Voyage says `query` and `document`, NVIDIA
    /// `passage`.
    #[must_use]
    pub fn by_name(name: &str) -> Self {
        match name {
            "search_query" | "query" => Self::Query,
            "search_document" | "document" | "passage" => Self::Document,
            "classification" => Self::Classification,
            "clustering" => Self::Clustering,
            "semantic_similarity" | "text-matching" => Self::Similarity,
            other => Self::Other(other.to_owned()),
        }
    }
}

/// One thing to make a vector of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Input {
    /// A text.
    Text(String),
    /// A text as the numbers of its tokens.
    Tokens(Vec<u32>),
    /// Parts that make one vector together.
    Parts(Vec<Part>),
}

/// A part of an input.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Part {
    /// A text.
    Text(String),
    /// A picture: its address, or itself as a `data:` URL.
    Image(String),
    /// What is known by its name on the wire only: sound, films, documents.
    Other(String),
}

/// One vector, as its vendor wrote it: digits are neither lost nor made up
/// where it goes on in the same way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Vector {
    /// A JSON array of numbers, each of which a 32-bit float can hold.
    Numbers(Bytes),
    /// Base64 of 32-bit floats, without quotes.
    Base64(Bytes),
}

/// What a model made of it.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Reply {
    /// As many as there were inputs, in their order.
    pub vectors: Vec<Vector>,
    /// How many numbers each has.
    pub length: usize,
    /// What the provider counted.
    pub usage: UsageReport,
    /// The provider's id for its answer.
    pub upstream_id: Option<String>,
}

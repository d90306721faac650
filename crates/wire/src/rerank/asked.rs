//! A client's request for an order (openrouter.ai's API document, October 2026).

use bourse_vocab::Failure;
use bourse_vocab::chat::Loss;
use bourse_vocab::json::{Value, parse};
use bourse_vocab::rerank::Document;
use bytes::Bytes;

use crate::json::{self, Outline};
use crate::small::Members;

/// Members that vendors are told of, each in its own way.
const VENDORS: &[&str] = &[
    "model",
    "query",
    "documents",
    "top_n",
    "return_documents",
    "stream",
];
/// Members between client and gateway, which no vendor is sent.
const GATEWAYS: &[&str] = &[
    "models",
    "provider",
    "session_id",
    "trace",
    "metadata",
    "debug",
    "preset",
    "plugins",
    "transforms",
    "user",
];
/// The most documents of one request: Voyage takes no more, and Cohere advises
/// against more (docs.voyageai.com/docs/reranker and
/// docs.cohere.com/reference/rerank, 2026).
pub const DOCUMENTS_MAX: usize = 1_000;
/// Bytes of a question: more than any model reads.
const QUERY_BYTES_MAX: usize = 256 * 1_024;
/// Documents of one of Cohere's search units, and the tokens from which on one
/// counts as several (cohere.com/pricing, 2026: "a query with up to 100
/// documents to be ranked; documents longer than 500 tokens when including the
/// length of the search query will be split up into multiple chunks").
const UNIT_DOCUMENTS: u64 = 100;
const CHUNK_TOKENS: u64 = 500;

/// A request for an order.
#[derive(Debug)]
pub struct Asked {
    /// Where its members are.
    pub outline: Outline,
    /// The body, in the pieces in which it arrived.
    pub segments: Vec<Bytes>,
    /// What the documents are to answer.
    pub query: String,
    /// What is ranked.
    pub documents: Vec<Document>,
    /// How many are wanted; all of them if it is not said.
    pub top_n: Option<usize>,
    /// Whether the reply repeats the documents.
    pub returns_documents: bool,
    /// What no vendor is told.
    pub unknown: Vec<Loss>,
}

impl Asked {
    /// Reads a request.
    ///
    /// # Errors
    /// Names the member and the remedy.
    pub fn read(outline: Outline, segments: Vec<Bytes>) -> Result<Self, Failure> {
        let members = Members(&outline, &segments);
        let query = members
            .long_text("query", QUERY_BYTES_MAX)?
            .filter(|query| !query.is_empty())
            .ok_or_else(|| Failure::invalid("query: is required and must not be empty"))?;
        if members.is_true("stream") {
            return Err(Failure::invalid("stream: an order comes whole; remove it"));
        }
        let documents = members
            .get("documents")
            .ok_or_else(|| Failure::invalid("documents: is required"))?;
        let documents = documents_of(&json::raw(&segments, &documents.value))?;
        let top_n = members.whole("top_n", 1..=u64::from(u32::MAX))?;
        Ok(Self {
            query,
            documents,
            top_n: top_n.and_then(|count| usize::try_from(count).ok()),
            returns_documents: !members.is_false("return_documents"),
            unknown: members.unknown(&[VENDORS, GATEWAYS], "rankings")?,
            outline,
            segments,
        })
    }

    /// How many results there are to be.
    #[must_use]
    pub fn wanted(&self) -> usize {
        let all = self.documents.len();
        self.top_n.map_or(all, |count| count.min(all))
    }

    /// Bytes of the question with the longest document, which a model reads
    /// together.
    #[must_use]
    pub fn longest_bytes(&self) -> u64 {
        let longest = self.documents.iter().map(bytes_of).max().unwrap_or(0);
        longest.saturating_add(self.query.len() as u64)
    }

    /// Whether a document shows something.
    #[must_use]
    pub fn has_pictures(&self) -> bool {
        self.documents.iter().any(|one| one.image.is_some())
    }

    /// The most search units that it can be, a token a byte.
    #[must_use]
    pub fn search_units_max(&self) -> u64 {
        let query = self.query.len() as u64;
        let chunks = self.documents.iter().map(|document| {
            bytes_of(document)
                .saturating_add(query)
                .div_ceil(CHUNK_TOKENS)
                .max(1)
        });
        let chunks = chunks.fold(0_u64, u64::saturating_add);
        chunks.div_ceil(UNIT_DOCUMENTS).max(1)
    }
}

/// Bytes of what a document says.
fn bytes_of(document: &Document) -> u64 {
    document.text.as_ref().map_or(0, String::len) as u64
}

fn documents_of(raw: &[u8]) -> Result<Vec<Document>, Failure> {
    let value = parse(raw).map_err(|error| Failure::invalid(format!("documents: {error}")))?;
    let Value::Array(items) = value else {
        return Err(Failure::invalid("documents: must be an array"));
    };
    if items.is_empty() || items.len() > DOCUMENTS_MAX {
        return Err(Failure::invalid(format!(
            "documents: must have 1 to {DOCUMENTS_MAX} entries; send several requests"
        )));
    }
    let read = items.into_iter().enumerate();
    read.map(|(at, item)| document(at, item)).collect()
}

fn document(at: usize, item: Value) -> Result<Document, Failure> {
    let wrong = || {
        Failure::invalid(format!(
            "documents[{at}]: must be a text, or an object with `text` or `image`"
        ))
    };
    if let Value::String(text) = item {
        return Ok(Document {
            text: Some(text),
            image: None,
        });
    }
    let members = item.as_object().ok_or_else(wrong)?;
    let text = |name: &str| match members.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text.clone())),
        Some(_) => Err(wrong()),
    };
    let document = Document {
        text: text("text")?,
        image: text("image")?,
    };
    if document == Document::default() {
        return Err(wrong());
    }
    Ok(document)
}

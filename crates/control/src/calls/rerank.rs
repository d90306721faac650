//! An order of documents.

use schemars::JsonSchema;
use serde_json::Value;

use super::Anything;
use crate::schema::Dollars;

/// A question, and documents to put into order.
#[derive(JsonSchema)]
#[schemars(rename = "RerankRequest")]
pub(super) struct Request {
    model: String,
    #[schemars(length(min = 1))]
    query: String,
    /// Texts, or objects with text or image; at most 1000
    #[schemars(length(min = 1, max = 1000))]
    documents: Vec<Value>,
    /// How many are wanted; all unless stated
    #[schemars(range(min = 1))]
    top_n: Option<u64>,
    /// Whether results have their documents; true unless stated
    return_documents: Option<bool>,
    provider: Option<Anything>,
}

#[derive(JsonSchema)]
#[schemars(inline)]
struct Document {
    text: Option<String>,
    image: Option<String>,
}

#[derive(JsonSchema)]
#[schemars(inline)]
struct Ranked {
    /// The place in documents, from 0
    index: u64,
    relevance_score: f64,
    document: Option<Document>,
}

/// What a call for an order used.
#[derive(JsonSchema)]
#[schemars(inline)]
struct Used {
    search_units: Option<u64>,
    total_tokens: u64,
    #[schemars(with = "Dollars")]
    cost: (),
}

/// An order.
#[derive(JsonSchema)]
#[schemars(rename = "Rerank")]
pub(super) struct Reply {
    id: String,
    model: String,
    provider: String,
    results: Vec<Ranked>,
    usage: Used,
}

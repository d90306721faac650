//! Verdicts.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde_json::Value;

use super::Anything;
use crate::schema::Dollars;

/// What is to be judged.
#[derive(JsonSchema)]
#[schemars(rename = "ModerationRequest")]
pub(super) struct Request {
    /// omni-moderation-latest unless stated
    model: Option<String>,
    /// A text, up to 1000 texts, each with a verdict, or parts of type text or image_url that are
    /// judged together
    input: Value,
    provider: Option<Anything>,
}

/// A verdict on one input.
#[derive(JsonSchema)]
#[schemars(inline)]
struct Verdict {
    /// Whether any kind of harm was found
    flagged: bool,
    /// The model's kinds, and whether each was found
    categories: BTreeMap<String, Option<bool>>,
    category_scores: BTreeMap<String, Option<f64>>,
    category_applied_input_types: Option<BTreeMap<String, Vec<String>>>,
}

/// What a call for verdicts used.
#[derive(JsonSchema)]
#[schemars(inline)]
struct Used {
    prompt_tokens: u64,
    total_tokens: u64,
    #[schemars(with = "Dollars")]
    cost: (),
}

/// Verdicts.
#[derive(JsonSchema)]
#[schemars(rename = "Moderation")]
pub(super) struct Reply {
    id: String,
    model: String,
    results: Vec<Verdict>,
    usage: Used,
}

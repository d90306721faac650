//! What calls in Google's words are made of.
#![expect(dead_code, reason = "these types are only described")]

use schemars::JsonSchema;
use serde_json::Value;

use super::Anything;
use crate::schema::Dollars;

/// A conversation to answer, as Google's API takes it. Names may also be
/// written with underscores.
#[derive(JsonSchema)]
#[schemars(rename_all = "camelCase")]
pub(super) struct GenerateContentRequest {
    /// A content, or a list of contents
    contents: Value,
    system_instruction: Option<Value>,
    /// Each with functionDeclarations
    tools: Option<Vec<Anything>>,
    tool_config: Option<Anything>,
    generation_config: Option<Anything>,
    safety_settings: Option<Vec<Anything>>,
    labels: Option<Anything>,
    service_tier: Option<String>,
    /// Models to fall back to
    models: Option<Vec<String>>,
    provider: Option<Anything>,
    session_id: Option<String>,
    user: Option<String>,
}

/// What an answer used.
#[derive(JsonSchema)]
#[schemars(inline, rename_all = "camelCase")]
struct UsageMetadata {
    prompt_token_count: u64,
    candidates_token_count: u64,
    total_token_count: u64,
    #[schemars(with = "Dollars")]
    cost: (),
}

/// An answer in candidates.
#[derive(JsonSchema)]
#[schemars(rename_all = "camelCase")]
pub(super) struct GenerateContentReply {
    candidates: Vec<Anything>,
    usage_metadata: UsageMetadata,
    model_version: String,
    response_id: String,
    provider: String,
}

/// A prompt to be counted: contents, or a whole request.
#[derive(JsonSchema)]
#[schemars(rename_all = "camelCase")]
pub(super) struct CountTokensRequest {
    contents: Option<Value>,
    generate_content_request: Option<Anything>,
}

/// How many tokens a prompt has.
#[derive(JsonSchema)]
#[schemars(rename_all = "camelCase")]
pub(super) struct TotalTokens {
    total_tokens: u64,
}

/// One input to turn into a vector.
#[derive(JsonSchema)]
#[schemars(rename_all = "camelCase")]
pub(super) struct EmbedContentRequest {
    content: Anything,
    /// Such as RETRIEVAL_QUERY
    task_type: Option<String>,
    #[schemars(range(min = 1))]
    output_dimensionality: Option<u32>,
}

/// Inputs to turn into vectors, all for one purpose and of one length.
#[derive(JsonSchema)]
pub(super) struct BatchEmbedContentsRequest {
    requests: Vec<EmbedContentRequest>,
}

#[derive(JsonSchema)]
#[schemars(inline)]
struct ContentEmbedding {
    values: Vec<f64>,
}

/// What vectors used.
#[derive(JsonSchema)]
#[schemars(inline, rename_all = "camelCase")]
struct EmbedUsage {
    prompt_token_count: u64,
    #[schemars(with = "Dollars")]
    cost: (),
}

/// A vector.
#[derive(JsonSchema)]
#[schemars(rename_all = "camelCase")]
pub(super) struct EmbedContentReply {
    embedding: ContentEmbedding,
    usage_metadata: EmbedUsage,
    model_version: String,
    response_id: String,
    provider: String,
}

/// Vectors, in the order of the requests.
#[derive(JsonSchema)]
#[schemars(rename_all = "camelCase")]
pub(super) struct BatchEmbedContentsReply {
    embeddings: Vec<ContentEmbedding>,
    usage_metadata: EmbedUsage,
    model_version: String,
    response_id: String,
    provider: String,
}

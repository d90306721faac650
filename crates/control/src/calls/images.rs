//! Pictures.

use schemars::JsonSchema;

use super::{Anything, Usage};
use crate::schema::Dollars;

/// A text to make pictures of.
#[derive(JsonSchema)]
#[schemars(rename = "ImagesRequest")]
pub(super) struct Request {
    /// An id of /images/models
    model: String,
    #[schemars(length(min = 1))]
    prompt: String,
    #[schemars(range(min = 1, max = 10))]
    n: Option<u64>,
    /// auto, WIDTHxHEIGHT, or one of 512, 1K, 2K and 4K
    size: Option<String>,
    /// 512, 1K, 2K or 4K
    resolution: Option<String>,
    /// Such as 16:9
    aspect_ratio: Option<String>,
    /// auto, low, medium, high, xhigh or max
    quality: Option<String>,
    /// auto, transparent or opaque
    background: Option<String>,
    /// png, jpeg or webp
    output_format: Option<String>,
    #[schemars(range(max = 100))]
    output_compression: Option<u64>,
    /// b64_json unless stated; url where the provider has addresses, and at
    /// /images/generations alone
    response_format: Option<String>,
    seed: Option<u64>,
    /// At /images/generations alone
    stream: Option<bool>,
    /// Beginnings of a streamed picture
    #[schemars(range(max = 3))]
    partial_images: Option<u64>,
    provider: Option<Anything>,
    user: Option<String>,
}

/// Pictures to change, as a form.
#[derive(JsonSchema)]
#[schemars(rename = "ImageEditRequest")]
pub(super) struct Edit {
    /// An id of /images/models
    model: String,
    #[schemars(length(min = 1))]
    prompt: String,
    #[schemars(range(min = 1, max = 10))]
    n: Option<u64>,
    /// auto, WIDTHxHEIGHT, or one of 512, 1K, 2K and 4K
    size: Option<String>,
    /// auto, low, medium, high, xhigh or max
    quality: Option<String>,
    /// auto, transparent or opaque
    background: Option<String>,
    /// How closely to keep to the pictures that are given: low or high
    input_fidelity: Option<String>,
    /// png, jpeg or webp
    output_format: Option<String>,
    #[schemars(range(max = 100))]
    output_compression: Option<u64>,
    stream: Option<bool>,
    /// Beginnings of a streamed picture
    #[schemars(range(max = 3))]
    partial_images: Option<u64>,
    provider: Option<Anything>,
    user: Option<String>,
}

#[derive(JsonSchema)]
#[schemars(inline)]
struct Image {
    b64_json: String,
    media_type: Option<String>,
}

/// Pictures.
#[derive(JsonSchema)]
#[schemars(rename = "Images")]
pub(super) struct Reply {
    created: u64,
    data: Vec<Image>,
    usage: Usage,
}

#[derive(JsonSchema)]
#[schemars(inline)]
struct OpenAiImage {
    b64_json: Option<String>,
    url: Option<String>,
    revised_prompt: Option<String>,
}

/// What a call for pictures used, in OpenAI's words.
#[derive(JsonSchema)]
#[schemars(inline)]
struct OpenAiUsage {
    input_tokens: u64,
    output_tokens: u64,
    total_tokens: u64,
    input_tokens_details: InputTokens,
    #[schemars(with = "Dollars")]
    cost: (),
}

/// What of the input was read, and what was seen.
#[derive(JsonSchema)]
#[schemars(inline)]
struct InputTokens {
    text_tokens: u64,
    image_tokens: u64,
}

/// Pictures, in OpenAI's words.
#[derive(JsonSchema)]
#[schemars(rename = "OpenAiImages")]
pub(super) struct OpenAiReply {
    created: u64,
    data: Vec<OpenAiImage>,
    usage: OpenAiUsage,
}

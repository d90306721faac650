//! What an operator writes over the catalogue: own models, own endpoints,
//! own contracts' prices.
//!
//! A stated field replaces the catalogue's, and what is not stated stays. A
//! price table is replaced whole: it is one contract, and half of a
//! contract mixed with half of a public price list is neither.

mod apply;
mod read;

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::data_policy::DataPolicy;
use crate::interface::Interface;

pub(crate) use apply::apply;

/// The source that prices from an overlay carry.
pub const OPERATOR: &str = "operator";

/// Changes to lay over a catalogue.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Overlay {
    /// By slug: `[providers.<slug>]`.
    pub providers: BTreeMap<String, OverlayProvider>,
    /// `[[models]]`.
    pub models: Vec<OverlayModel>,
}

/// A provider that is added or changed. An unknown provider needs a
/// `base_url`; its format defaults to `openai-chat`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct OverlayProvider {
    /// For people.
    pub name: Option<String>,
    /// Where its API is.
    pub base_url: Option<String>,
    /// `openai-chat`, `anthropic`, `gemini`, `vertex`, `bedrock`, `ollama`, `cohere-chat`, `azure` or `other`.
    pub format: Option<String>,
    /// What it does with prompts, unless an endpoint says otherwise.
    pub data_policy: Option<DataPolicy>,
    /// Country of its seat, two letters.
    pub headquarters: Option<String>,
    /// Its privacy policy.
    pub privacy_url: Option<String>,
    /// Its terms of service.
    pub terms_url: Option<String>,
    /// Its status page.
    pub status_url: Option<String>,
}

/// A model that is added or changed.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct OverlayModel {
    /// `author/model`; says which model is meant.
    pub slug: String,
    /// For people.
    pub name: Option<String>,
    /// A sentence about it.
    pub description: Option<String>,
    /// Unix seconds of its release.
    pub created: Option<u64>,
    /// Tokens of context.
    pub context_length: Option<u64>,
    /// Most output tokens.
    pub max_output: Option<u64>,
    /// Such as `["text", "image"]`.
    pub input_modalities: Option<Vec<String>>,
    /// Such as `["text"]`.
    pub output_modalities: Option<Vec<String>>,
    /// Parameters that its endpoints understand, unless one says otherwise.
    pub supported_parameters: Option<Vec<String>>,
    /// Family of tokenizers.
    pub tokenizer: Option<String>,
    /// `YYYY-MM` or `YYYY-MM-DD`.
    pub knowledge_cutoff: Option<String>,
    /// `YYYY-MM-DD`.
    pub expiration_date: Option<String>,
    /// Whether anyone can download the weights.
    pub open_weights: Option<bool>,
    /// Repository at Hugging Face.
    pub hugging_face_id: Option<String>,
    /// Whether it reasons.
    pub reasoning: Option<bool>,
    /// Further names for it, added to those that it has.
    pub aliases: Vec<String>,
    /// Take away every endpoint that the catalogue has, first.
    pub only_these_endpoints: bool,
    /// Endpoints that are added or changed.
    pub endpoints: Vec<OverlayEndpoint>,
}

/// An endpoint that is added or changed. `provider`, and `tag` if there is
/// one, say which is meant.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct OverlayEndpoint {
    /// Who offers it.
    pub provider: String,
    /// Tells several offers of one provider apart: `provider/kind`.
    pub tag: Option<String>,
    /// The model's name at the provider. Required for a new endpoint.
    pub upstream_model: Option<String>,
    /// Tokens of context.
    pub context_length: Option<u64>,
    /// Most output tokens.
    pub max_output: Option<u64>,
    /// Most input tokens.
    pub max_prompt: Option<u64>,
    /// Such as `fp8`.
    pub quantization: Option<String>,
    /// What it charges; replaces the catalogue's price list whole.
    pub price: Option<OverlayPrice>,
    /// Parameters that it understands.
    pub supported_parameters: Option<Vec<String>>,
    /// What goes in.
    pub input_modalities: Option<Vec<String>>,
    /// What comes out.
    pub output_modalities: Option<Vec<String>>,
    /// What happens to prompts.
    pub data_policy: Option<DataPolicy>,
    /// Whether prompts are cached without being asked.
    pub supports_implicit_caching: Option<bool>,
    /// What kind of request it answers, where that does not follow from what
    /// comes out: `chat`, `responses`, `images`.
    pub interface: Option<Interface>,
    /// `false` switches it off.
    pub enabled: Option<bool>,
}

/// Prices as decimal strings: dollars for a million tokens; for `image`,
/// `request`, `web_search`, `picture`, `search_unit` and `character` dollars for
/// one, for `audio_second` and the `video_second`s dollars for a second.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[allow(missing_docs)] // The meaning is at `crate::Prices`.
pub struct OverlayPrice {
    pub prompt: Option<String>,
    pub completion: Option<String>,
    pub cache_read: Option<String>,
    pub cache_read_audio: Option<String>,
    pub cache_write_5m: Option<String>,
    pub cache_write_1h: Option<String>,
    pub reasoning: Option<String>,
    pub image: Option<String>,
    pub image_input: Option<String>,
    pub image_output: Option<String>,
    pub audio: Option<String>,
    pub audio_output: Option<String>,
    pub request: Option<String>,
    pub web_search: Option<String>,
    pub picture: Option<String>,
    pub search_unit: Option<String>,
    pub audio_second: Option<String>,
    pub character: Option<String>,
    pub video_second: Option<String>,
    pub video_second_480p: Option<String>,
    pub video_second_1080p: Option<String>,
    pub video_second_4k: Option<String>,
    /// Other prices for longer prompts.
    pub tiers: Vec<OverlayTier>,
    /// Prices of other tiers of service, by their public names (`flex`,
    /// `priority`, `ultrafast`): what one leaves out costs what it does in the
    /// usual service.
    pub services: BTreeMap<String, OverlayPrice>,
}

/// Prices of prompts with strictly more than `min_prompt_tokens` tokens.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[allow(missing_docs)] // The meaning is at `crate::Prices`.
pub struct OverlayTier {
    pub min_prompt_tokens: u64,
    pub prompt: Option<String>,
    pub completion: Option<String>,
    pub cache_read: Option<String>,
    pub cache_read_audio: Option<String>,
    pub cache_write_5m: Option<String>,
    pub cache_write_1h: Option<String>,
    pub reasoning: Option<String>,
    pub image_input: Option<String>,
    pub image_output: Option<String>,
    pub audio: Option<String>,
    pub audio_output: Option<String>,
}

#[cfg(test)]
mod tests;

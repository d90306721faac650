//! The catalogue as written down: what the data files, the importers and
//! the overlays have in common. Maps are sorted, so that two versions of a
//! file differ only where facts do.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::data_policy::DataPolicy;
use crate::interface::Interface;
use crate::model::{ApiFamily, EndpointStatus, Modalities, Parameters, Quantization, Reasoning};
use crate::price::{PriceList, Prices, Tier};
use crate::price::{SearchFees, ServicePrices};

/// Everything that is known, unchecked.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RawCatalog {
    /// By slug.
    pub providers: BTreeMap<String, RawProvider>,
    /// By slug.
    pub models: BTreeMap<String, RawModel>,
    /// By id, `author/model@tag`.
    pub endpoints: BTreeMap<String, RawEndpoint>,
}

/// See [`crate::Provider`].
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[allow(missing_docs)] // The meaning is at `crate::Provider`.
pub struct RawProvider {
    pub name: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub aliases: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub env: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub base_url: Option<String>,
    pub family: ApiFamily,
    #[serde(skip_serializing_if = "is_false")]
    pub gateway: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub author: Option<String>,
    /// Policy of every endpoint that has none of its own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub data_policy: Option<DataPolicy>,
    /// The document that says so, and the month in which it was read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub data_policy_source: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub docs_url: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub privacy_url: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub terms_url: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status_url: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub headquarters: Option<String>,
}

/// See [`crate::Model`]. Parameters are those of its endpoints together.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[allow(missing_docs)] // The meaning is at `crate::Model`.
pub struct RawModel {
    pub name: String,
    /// Left out when it is the slug.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub canonical_slug: Option<String>,
    /// Zero if it is not known.
    #[serde(skip_serializing_if = "is_zero")]
    pub created: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    pub context_length: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_output: Option<u64>,
    pub input: Modalities,
    pub output: Modalities,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tokenizer: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub knowledge_cutoff: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expiration_date: Option<String>,
    #[serde(skip_serializing_if = "is_false")]
    pub open_weights: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hugging_face_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reasoning: Option<Reasoning>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub aliases: Vec<String>,
}

/// See [`crate::Endpoint`]. What is left out is as the model has it.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[allow(missing_docs)] // The meaning is at `crate::Endpoint`.
pub struct RawEndpoint {
    pub model: String,
    pub provider: String,
    pub upstream_model: String,
    /// Left out when it is the provider's slug.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tag: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub context_length: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_output: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_prompt: Option<u64>,
    #[serde(skip_serializing_if = "Quantization::is_unknown")]
    pub quantization: Quantization,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub price: Option<RawPrice>,
    pub parameters: Parameters,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub input: Option<Modalities>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub output: Option<Modalities>,
    /// Left out when it is the provider's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub data_policy: Option<DataPolicy>,
    #[serde(skip_serializing_if = "is_false")]
    pub implicit_caching: bool,
    /// Left out when it follows from what comes out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub interface: Option<Interface>,
    #[serde(skip_serializing_if = "EndpointStatus::is_active")]
    pub status: EndpointStatus,
}

impl RawEndpoint {
    /// The tag, which defaults to the provider's slug.
    #[must_use]
    pub fn tag(&self) -> &str {
        self.tag.as_deref().unwrap_or(&self.provider)
    }

    /// The id that this endpoint is filed under.
    #[must_use]
    pub fn id(&self) -> String {
        format!("{}@{}", self.model, self.tag())
    }
}

/// See [`PriceList`].
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[allow(missing_docs)] // The meaning is at `crate::PriceList`.
pub struct RawPrice {
    pub base: Prices,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub tiers: Vec<Tier>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub services: Vec<ServicePrices>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub searches: Option<SearchFees>,
    pub source: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub as_of: String,
}

impl From<RawPrice> for PriceList {
    fn from(raw: RawPrice) -> Self {
        let mut tiers = raw.tiers;
        tiers.sort_by_key(|tier| tier.min_prompt_tokens);
        Self {
            base: raw.base,
            tiers,
            services: raw.services,
            searches: raw.searches,
            source: raw.source.into(),
            as_of: raw.as_of.into(),
        }
    }
}

#[allow(clippy::trivially_copy_pass_by_ref)] // serde's calling convention.
fn is_false(value: &bool) -> bool {
    !*value
}

#[allow(clippy::trivially_copy_pass_by_ref)] // serde's calling convention.
fn is_zero(value: &u64) -> bool {
    *value == 0
}

//! A model as JSON.

use bourse_catalog::{Endpoint, Modalities, Model, Reasoning};
use schemars::JsonSchema;
use serde::{Serialize, Serializer};

use super::headline::Limits;
use crate::pricing::Pricing;
use crate::schema::Null;

/// A list of names.
fn names<S: Serializer>(
    set: impl Iterator<Item = &'static str>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(set)
}

fn modalities<S: Serializer>(set: &Modalities, serializer: S) -> Result<S::Ok, S::Error> {
    names(set.names(), serializer)
}

fn parameters<S: Serializer>(
    set: &bourse_catalog::Parameters,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    names(set.names(), serializer)
}

/// What goes in and comes out.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Architecture<'a> {
    /// Such as text+image->text
    modality: String,
    #[serde(serialize_with = "modalities")]
    #[schemars(with = "Vec<String>")]
    input_modalities: Modalities,
    #[serde(serialize_with = "modalities")]
    #[schemars(with = "Vec<String>")]
    output_modalities: Modalities,
    tokenizer: &'a str,
    #[schemars(with = "Null")]
    instruct_type: Option<()>,
}

impl<'a> Architecture<'a> {
    /// Describes a model.
    pub(crate) fn of(model: &'a Model) -> Self {
        let joined = |set: Modalities| set.names().collect::<Vec<_>>().join("+");
        let (input, output) = (model.input_modalities, model.output_modalities);
        Self {
            modality: format!("{}->{}", joined(input), joined(output)),
            input_modalities: input,
            output_modalities: output,
            tokenizer: model.tokenizer.as_deref().unwrap_or("Other"),
            instruct_type: None,
        }
    }
}

#[derive(Debug, Serialize, JsonSchema)]
#[schemars(inline)]
struct TopProvider {
    context_length: Option<u64>,
    max_completion_tokens: Option<u64>,
    is_moderated: bool,
}

#[derive(Debug, Serialize, JsonSchema)]
#[schemars(inline)]
struct Details {
    details: String,
}

#[derive(Debug, Serialize, JsonSchema)]
#[schemars(inline)]
struct ReasoningBody {
    mandatory: bool,
    /// Null means that all are.
    supported_efforts: Option<Vec<&'static str>>,
    supports_max_tokens: bool,
}

impl From<Reasoning> for ReasoningBody {
    fn from(reasoning: Reasoning) -> Self {
        let efforts: Vec<_> = reasoning.efforts.names().collect();
        Self {
            mandatory: reasoning.mandatory,
            supported_efforts: (!efforts.is_empty()).then_some(efforts),
            supports_max_tokens: reasoning.max_tokens,
        }
    }
}

/// Price and limits are those of the cheapest endpoint that can be called
/// here; where none can, of its maker's, or of whoever else runs the model.
// `object` and `owned_by` are OpenAI's; the rest is OpenRouter's (API
// document, October 2026).
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Model")]
pub(super) struct ModelBody<'a> {
    /// author/model, with a variant's suffix
    id: &'a str,
    object: Object,
    owned_by: &'a str,
    /// The name that never moves
    canonical_slug: &'a str,
    name: &'a str,
    /// Unix seconds of its release; 0 if that is not known
    created: u64,
    description: &'a str,
    context_length: Option<u64>,
    architecture: Architecture<'a>,
    pricing: Pricing<'a>,
    top_provider: TopProvider,
    #[schemars(with = "Null")]
    per_request_limits: Option<()>,
    #[serde(serialize_with = "parameters")]
    #[schemars(with = "Vec<String>")]
    supported_parameters: bourse_catalog::Parameters,
    #[schemars(with = "Null")]
    default_parameters: Option<()>,
    #[schemars(with = "Null")]
    supported_voices: Option<()>,
    expiration_date: Option<&'a str>,
    knowledge_cutoff: Option<&'a str>,
    hugging_face_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reasoning: Option<ReasoningBody>,
    #[serde(skip_serializing_if = "Option::is_none")]
    alias_target: Option<AliasTarget<'a>>,
    links: Details,
}

/// The model that an alias stands for now.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(inline)]
struct AliasTarget<'a> {
    slug: &'a str,
    name: &'a str,
}

/// OpenAI's word for what is returned.
#[derive(Debug, Clone, Copy, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(inline)]
enum Object {
    Model,
}

/// Where the endpoints of a model are.
pub(super) fn details(id: &str) -> String {
    format!("/api/v1/models/{id}/endpoints")
}

fn known(tokens: u64) -> Option<u64> {
    (tokens > 0).then_some(tokens)
}

impl<'a> ModelBody<'a> {
    /// An alias's row: the model's, under the name that moves.
    pub(super) fn under(self, alias: &'a str, name: &'a str, details: String) -> Self {
        Self {
            alias_target: Some(AliasTarget {
                slug: self.id,
                name: self.name,
            }),
            id: alias,
            canonical_slug: alias,
            name,
            links: Details { details },
            ..self
        }
    }

    /// `best` is the endpoint whose price and limits stand for the model.
    pub(super) fn new(
        model: &'a Model,
        best: &'a Endpoint,
        limits: Limits,
        markup_ppm: u64,
    ) -> Self {
        Self {
            id: &model.slug,
            object: Object::Model,
            owned_by: model.author(),
            canonical_slug: &model.canonical_slug,
            name: &model.name,
            created: model.created.unwrap_or(0),
            description: &model.description,
            context_length: known(limits.context_length),
            architecture: Architecture::of(model),
            pricing: Pricing {
                prices: &best.prices,
                markup_ppm,
            },
            top_provider: TopProvider {
                context_length: known(best.context_length),
                max_completion_tokens: best.max_output,
                is_moderated: false,
            },
            per_request_limits: None,
            supported_parameters: limits.parameters,
            default_parameters: None,
            supported_voices: None,
            expiration_date: model.expiration_date.as_deref(),
            knowledge_cutoff: model.knowledge_cutoff.as_deref(),
            hugging_face_id: model.hugging_face_id.as_deref(),
            reasoning: model.reasoning.map(Into::into),
            alias_target: None,
            links: Details {
                details: details(&model.slug),
            },
        }
    }
}

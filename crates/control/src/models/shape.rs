//! A model as JSON.

use bourse_catalog::{Endpoint, Modalities, Model, Reasoning};
use serde::{Serialize, Serializer};
use serde_json::{Value, json};

use crate::pricing::{self, Pricing};
use crate::schema::{boolean, integer, list, null, nullable, object, one_of, text, text_about};

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
#[derive(Debug, Serialize)]
pub(crate) struct Architecture<'a> {
    modality: String,
    #[serde(serialize_with = "modalities")]
    input_modalities: Modalities,
    #[serde(serialize_with = "modalities")]
    output_modalities: Modalities,
    tokenizer: &'a str,
    instruct_type: Option<&'static str>,
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

#[derive(Debug, Serialize)]
struct TopProvider {
    context_length: Option<u64>,
    max_completion_tokens: Option<u64>,
    is_moderated: bool,
}

#[derive(Debug, Serialize)]
struct Details {
    details: String,
}

#[derive(Debug, Serialize)]
struct ReasoningShape {
    mandatory: bool,
    /// Null means that all are.
    supported_efforts: Option<Vec<&'static str>>,
    supports_max_tokens: bool,
}

impl From<Reasoning> for ReasoningShape {
    fn from(reasoning: Reasoning) -> Self {
        let efforts: Vec<_> = reasoning.efforts.names().collect();
        Self {
            mandatory: reasoning.mandatory,
            supported_efforts: (!efforts.is_empty()).then_some(efforts),
            supports_max_tokens: reasoning.max_tokens,
        }
    }
}

/// A model as JSON. `object` and `owned_by` are OpenAI's; the rest is
/// OpenRouter's (API document, October 2026).
#[derive(Debug, Serialize)]
pub(super) struct Shape<'a> {
    id: &'a str,
    object: &'static str,
    owned_by: &'a str,
    canonical_slug: &'a str,
    name: &'a str,
    created: u64,
    description: &'a str,
    context_length: Option<u64>,
    architecture: Architecture<'a>,
    pricing: Pricing<'a>,
    top_provider: TopProvider,
    per_request_limits: Option<()>,
    #[serde(serialize_with = "parameters")]
    supported_parameters: bourse_catalog::Parameters,
    default_parameters: Option<()>,
    supported_voices: Option<()>,
    expiration_date: Option<&'a str>,
    knowledge_cutoff: Option<&'a str>,
    hugging_face_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reasoning: Option<ReasoningShape>,
    links: Details,
}

fn known(tokens: u64) -> Option<u64> {
    (tokens > 0).then_some(tokens)
}

impl<'a> Shape<'a> {
    /// `best` is the endpoint whose price and limits stand for the model.
    pub(super) fn new(model: &'a Model, best: &'a Endpoint, markup_ppm: u64) -> Self {
        Self {
            id: &model.slug,
            object: "model",
            owned_by: model.author(),
            canonical_slug: &model.canonical_slug,
            name: &model.name,
            created: model.created,
            description: &model.description,
            context_length: known(model.context_length),
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
            supported_parameters: model.supported_parameters,
            default_parameters: None,
            supported_voices: None,
            expiration_date: model.expiration_date.as_deref(),
            knowledge_cutoff: model.knowledge_cutoff.as_deref(),
            hugging_face_id: model.hugging_face_id.as_deref(),
            reasoning: model.reasoning.map(Into::into),
            links: Details {
                details: format!("/api/v1/models/{}/endpoints", model.slug),
            },
        }
    }
}

/// Describes the shapes.
pub(crate) fn schemas() -> Vec<(&'static str, Value)> {
    let architecture = object([
        ("modality", text_about("Such as text+image->text")),
        ("input_modalities", list(text())),
        ("output_modalities", list(text())),
        ("tokenizer", text()),
        ("instruct_type", null()),
    ]);
    let mut model = object([
        ("id", text_about("author/model, with a variant's suffix")),
        ("object", one_of(&["model"])),
        ("owned_by", text()),
        ("canonical_slug", text_about("The name that never moves")),
        ("name", text()),
        ("created", integer()),
        ("description", text()),
        ("context_length", nullable(integer())),
        ("architecture", architecture.clone()),
        ("pricing", crate::schema::named("Pricing")),
        (
            "top_provider",
            object([
                ("context_length", nullable(integer())),
                ("max_completion_tokens", nullable(integer())),
                ("is_moderated", boolean()),
            ]),
        ),
        ("per_request_limits", null()),
        ("supported_parameters", list(text())),
        ("default_parameters", null()),
        ("supported_voices", null()),
        ("expiration_date", nullable(text())),
        ("knowledge_cutoff", nullable(text())),
        ("hugging_face_id", nullable(text())),
        ("links", object([("details", text())])),
    ]);
    let reasoning = object([
        ("mandatory", boolean()),
        ("supported_efforts", nullable(list(text()))),
        ("supports_max_tokens", boolean()),
    ]);
    if let Some(members) = model
        .pointer_mut("/properties")
        .and_then(Value::as_object_mut)
    {
        members.insert("reasoning".into(), reasoning);
    }
    if let Some(members) = model.as_object_mut() {
        members.insert(
            "description".into(),
            json!("Price and limits are those of the cheapest endpoint."),
        );
    }
    vec![
        ("Model", model),
        ("Architecture", architecture),
        ("Pricing", pricing::schema()),
        ("Percentiles", percentiles()),
    ]
}

fn percentiles() -> Value {
    let number = crate::schema::number;
    object([
        ("p50", number()),
        ("p75", number()),
        ("p90", number()),
        ("p99", number()),
    ])
}

//! What an operator writes over the catalogue: own models, own endpoints,
//! own contracts' prices.
//!
//! A stated field replaces the catalogue's, and what is not stated stays. A
//! price table is replaced whole: it is one contract, and half of a
//! contract mixed with half of a public price list is neither.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::data_policy::DataPolicy;
use crate::model::{
    ApiFamily, EndpointStatus, Modalities, Modality, Parameter, Parameters, Quantization, Reasoning,
};
use crate::price::{PriceKey, Prices, Tier};
use crate::raw::{RawCatalog, RawEndpoint, RawModel, RawPrice};
use crate::slug::{is_provider_slug, is_slug};
use crate::snapshot::Problem;

/// The source that prices from an overlay carry.
pub const OPERATOR: &str = "operator";

/// Context length assumed for a new model whose overlay states none: small,
/// so that a wrong guess refuses a long prompt rather than sends it.
const CONTEXT_LENGTH_DEFAULT: u64 = 8_192;

/// Changes to lay over a catalogue.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Overlay {
    /// By slug: `[providers.<slug>]`.
    pub providers: BTreeMap<String, OverlayProvider>,
    /// `[[models]]`.
    pub models: Vec<OverlayModel>,
}

/// A provider that is added or changed. An unknown provider needs a
/// `base_url`; its format defaults to `openai-chat`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct OverlayProvider {
    /// For people.
    pub name: Option<String>,
    /// Where its API is.
    pub base_url: Option<String>,
    /// `openai-chat`, `anthropic`, `gemini`, `vertex`, `bedrock`, `azure` or `other`.
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
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
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
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
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
    /// `false` switches it off.
    pub enabled: Option<bool>,
}

/// Prices as decimal strings: dollars for a million tokens; for `image`,
/// `request` and `web_search` dollars for one.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[allow(missing_docs)] // The meaning is at `crate::Prices`.
pub struct OverlayPrice {
    pub prompt: Option<String>,
    pub completion: Option<String>,
    pub cache_read: Option<String>,
    pub cache_write_5m: Option<String>,
    pub cache_write_1h: Option<String>,
    pub reasoning: Option<String>,
    pub image: Option<String>,
    pub image_output: Option<String>,
    pub audio: Option<String>,
    pub audio_output: Option<String>,
    pub request: Option<String>,
    pub web_search: Option<String>,
    /// Other prices for longer prompts.
    pub tiers: Vec<OverlayTier>,
}

/// Prices of prompts with strictly more than `min_prompt_tokens` tokens.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[allow(missing_docs)] // The meaning is at `crate::Prices`.
pub struct OverlayTier {
    pub min_prompt_tokens: u64,
    pub prompt: Option<String>,
    pub completion: Option<String>,
    pub cache_read: Option<String>,
    pub cache_write_5m: Option<String>,
    pub cache_write_1h: Option<String>,
    pub reasoning: Option<String>,
    pub image_output: Option<String>,
    pub audio: Option<String>,
    pub audio_output: Option<String>,
}

/// Lays `overlay` over `raw`; notes mistakes and goes on.
pub(crate) fn apply(
    raw: &mut RawCatalog,
    overlay: &Overlay,
    prefix: &str,
    problems: &mut Vec<Problem>,
) {
    for (slug, provider) in &overlay.providers {
        let mut at = Reader::new(format!("{prefix}providers.{slug}"), problems);
        apply_provider(raw, slug, provider, &mut at);
    }
    for (index, model) in overlay.models.iter().enumerate() {
        let mut at = Reader::new(format!("{prefix}models[{index}]"), problems);
        apply_model(raw, model, &mut at);
    }
}

fn apply_provider(raw: &mut RawCatalog, slug: &str, over: &OverlayProvider, at: &mut Reader<'_>) {
    let family = over.format.as_ref().and_then(|name| {
        let family = ApiFamily::by_name(name);
        if family.is_none() {
            at.wrong(
                "format",
                format!(
                    "\"{name}\" is not one of openai-chat, anthropic, gemini, vertex, bedrock, azure, other"
                ),
            );
        }
        family
    });
    // Callers may know a provider by another name; configure the same one.
    let slug = match raw
        .providers
        .iter()
        .find(|(_, p)| p.aliases.iter().any(|a| a == slug))
    {
        Some((known, _)) if !raw.providers.contains_key(slug) => known.clone(),
        _ => slug.to_owned(),
    };
    if !raw.providers.contains_key(&slug) {
        if over.base_url.is_none() {
            at.wrong(
                "base_url",
                "missing: the catalog does not know this provider",
            );
        }
        if !is_provider_slug(&slug) {
            at.wrong(
                "",
                "a provider's name has lower-case letters, digits, '.', '_' and '-'",
            );
            return;
        }
    }
    let provider = raw.providers.entry(slug).or_default();
    set(&mut provider.name, over.name.clone());
    set_some(&mut provider.base_url, &over.base_url);
    set(&mut provider.family, family);
    set_some(&mut provider.data_policy, &over.data_policy);
    set_some(&mut provider.headquarters, &over.headquarters);
    set_some(&mut provider.privacy_url, &over.privacy_url);
    set_some(&mut provider.terms_url, &over.terms_url);
    set_some(&mut provider.status_url, &over.status_url);
}

fn apply_model(raw: &mut RawCatalog, over: &OverlayModel, at: &mut Reader<'_>) {
    if !is_slug(&over.slug) {
        at.wrong(
            "slug",
            format!("\"{}\" is not author/model in lower case", over.slug),
        );
        return;
    }
    if over.context_length == Some(0) {
        at.wrong("context_length", "must be more than zero");
    }
    let input = at.modalities("input_modalities", over.input_modalities.as_deref());
    let output = at.modalities("output_modalities", over.output_modalities.as_deref());
    let parameters = at.parameters("supported_parameters", over.supported_parameters.as_deref());
    let is_new = !raw.models.contains_key(&over.slug);
    let model = raw
        .models
        .entry(over.slug.clone())
        .or_insert_with(|| RawModel {
            name: over.slug.clone(),
            context_length: CONTEXT_LENGTH_DEFAULT,
            input: Modalities::of(&[Modality::Text]),
            output: Modalities::of(&[Modality::Text]),
            ..RawModel::default()
        });
    set(&mut model.name, over.name.clone());
    set(&mut model.created, over.created);
    set(&mut model.context_length, over.context_length);
    set(&mut model.input, input);
    set(&mut model.output, output);
    set(&mut model.open_weights, over.open_weights);
    set_some(&mut model.description, &over.description);
    set_some(&mut model.max_output, &over.max_output);
    set_some(&mut model.tokenizer, &over.tokenizer);
    set_some(&mut model.knowledge_cutoff, &over.knowledge_cutoff);
    set_some(&mut model.expiration_date, &over.expiration_date);
    set_some(&mut model.hugging_face_id, &over.hugging_face_id);
    match over.reasoning {
        Some(true) if model.reasoning.is_none() => model.reasoning = Some(Reasoning::default()),
        Some(false) => model.reasoning = None,
        _ => {}
    }
    for alias in &over.aliases {
        if !model.aliases.contains(alias) {
            model.aliases.push(alias.clone());
        }
    }
    let reasons = model.reasoning.is_some();
    let (context_length, max_output) = (over.context_length, over.max_output);
    for (id, endpoint) in &mut raw.endpoints {
        if endpoint.model != over.slug {
            continue;
        }
        debug_assert!(id.starts_with(&over.slug));
        // What the operator says of the model holds for its endpoints too,
        // or a smaller context would go unnoticed where it matters.
        set_some(&mut endpoint.context_length, &context_length);
        set_some(&mut endpoint.max_output, &max_output);
        set(&mut endpoint.parameters, parameters);
    }
    if over.only_these_endpoints {
        raw.endpoints
            .retain(|_, endpoint| endpoint.model != over.slug);
    }
    if is_new && over.endpoints.is_empty() {
        at.wrong(
            "endpoints",
            "missing: a new model needs someone to serve it",
        );
    }
    let parameters = parameters.unwrap_or_else(|| default_parameters(reasons));
    for (index, endpoint) in over.endpoints.iter().enumerate() {
        let mut at = at.inside(&format!("endpoints[{index}]"));
        apply_endpoint(raw, &over.slug, endpoint, parameters, &mut at);
    }
}

/// What nearly every server of OpenAI's chat format understands.
fn default_parameters(reasons: bool) -> Parameters {
    use Parameter as P;
    let common = Parameters::of(&[
        P::Temperature,
        P::TopP,
        P::FrequencyPenalty,
        P::PresencePenalty,
        P::MaxTokens,
        P::Seed,
        P::Stop,
        P::ResponseFormat,
        P::Tools,
        P::ToolChoice,
    ]);
    if reasons {
        common
            .with(P::Reasoning)
            .with(P::IncludeReasoning)
            .with(P::ReasoningEffort)
    } else {
        common
    }
}

fn apply_endpoint(
    raw: &mut RawCatalog,
    model: &str,
    over: &OverlayEndpoint,
    parameters: Parameters,
    at: &mut Reader<'_>,
) {
    if over.context_length == Some(0) {
        at.wrong("context_length", "must be more than zero");
    }
    let price = over
        .price
        .as_ref()
        .map(|price| read_price(price, &mut at.inside("price")));
    let stated_parameters =
        at.parameters("supported_parameters", over.supported_parameters.as_deref());
    let input = at.modalities("input_modalities", over.input_modalities.as_deref());
    let output = at.modalities("output_modalities", over.output_modalities.as_deref());
    let quantization = over.quantization.as_ref().and_then(|name| {
        let level = Quantization::by_name(name);
        if level.is_none() {
            let names: Vec<_> = Quantization::ALL.iter().map(|level| level.name()).collect();
            at.wrong(
                "quantization",
                format!("\"{name}\" is not one of {}", names.join(", ")),
            );
        }
        level
    });
    let Some(provider) = known_provider(raw, &over.provider) else {
        at.wrong(
            "provider",
            format!(
                "there is no provider \"{0}\"; add [providers.{0}] with a base_url",
                over.provider
            ),
        );
        return;
    };
    let mut endpoint = RawEndpoint {
        model: model.to_owned(),
        provider,
        tag: over.tag.clone(),
        parameters,
        ..RawEndpoint::default()
    };
    let id = existing_endpoint(raw, &endpoint, over).unwrap_or_else(|| endpoint.id());
    match raw.endpoints.remove(&id) {
        Some(known) => endpoint = known,
        None => {
            if over.upstream_model.as_deref().unwrap_or("").is_empty() {
                at.wrong(
                    "upstream_model",
                    "missing: the catalog does not know this endpoint",
                );
            }
            if over.price.is_none() {
                at.wrong(
                    "price",
                    "missing: an endpoint without a price is never called (\"0\" means free)",
                );
            }
        }
    }
    set(&mut endpoint.upstream_model, over.upstream_model.clone());
    set(&mut endpoint.quantization, quantization);
    set(&mut endpoint.parameters, stated_parameters);
    set(
        &mut endpoint.implicit_caching,
        over.supports_implicit_caching,
    );
    set_some(&mut endpoint.context_length, &over.context_length);
    set_some(&mut endpoint.max_output, &over.max_output);
    set_some(&mut endpoint.max_prompt, &over.max_prompt);
    set_some(&mut endpoint.price, &price);
    set_some(&mut endpoint.input, &input);
    set_some(&mut endpoint.output, &output);
    set_some(&mut endpoint.data_policy, &over.data_policy);
    match over.enabled {
        Some(false) => endpoint.status = EndpointStatus::Disabled,
        Some(true) if endpoint.status == EndpointStatus::Disabled => {
            endpoint.status = EndpointStatus::Active;
        }
        _ => {}
    }
    raw.endpoints.insert(id, endpoint);
}

/// The provider's slug, if `name` is its slug or an alias.
fn known_provider(raw: &RawCatalog, name: &str) -> Option<String> {
    if raw.providers.contains_key(name) {
        return Some(name.to_owned());
    }
    raw.providers
        .iter()
        .find(|(_, provider)| provider.aliases.iter().any(|alias| alias == name))
        .map(|(slug, _)| slug.clone())
}

/// The endpoint that an overlay means: by tag if it states one; else by
/// the provider's name for the model; else the provider's only offer.
fn existing_endpoint(
    raw: &RawCatalog,
    new: &RawEndpoint,
    over: &OverlayEndpoint,
) -> Option<String> {
    let id = new.id();
    if raw.endpoints.contains_key(&id) {
        return Some(id);
    }
    if over.tag.is_some() {
        return None;
    }
    let mut offers = raw
        .endpoints
        .iter()
        .filter(|(_, known)| known.model == new.model && known.provider == new.provider);
    if let Some(upstream) = &over.upstream_model {
        return offers
            .find(|(_, known)| known.upstream_model == *upstream)
            .map(|(id, _)| id.clone());
    }
    match (offers.next(), offers.next()) {
        (Some((only, _)), None) => Some(only.clone()),
        _ => None,
    }
}

fn read_price(price: &OverlayPrice, at: &mut Reader<'_>) -> RawPrice {
    let base = at.prices([
        (PriceKey::Prompt, &price.prompt),
        (PriceKey::Completion, &price.completion),
        (PriceKey::CacheRead, &price.cache_read),
        (PriceKey::CacheWrite5m, &price.cache_write_5m),
        (PriceKey::CacheWrite1h, &price.cache_write_1h),
        (PriceKey::Reasoning, &price.reasoning),
        (PriceKey::Image, &price.image),
        (PriceKey::ImageOutput, &price.image_output),
        (PriceKey::Audio, &price.audio),
        (PriceKey::AudioOutput, &price.audio_output),
        (PriceKey::Request, &price.request),
        (PriceKey::WebSearch, &price.web_search),
    ]);
    for (key, stated) in [("prompt", &price.prompt), ("completion", &price.completion)] {
        if stated.is_none() {
            at.wrong(key, "missing");
        }
    }
    let mut tiers: Vec<Tier> = Vec::with_capacity(price.tiers.len());
    for (index, tier) in price.tiers.iter().enumerate() {
        let mut at = at.inside(&format!("tiers[{index}]"));
        let prices = at.prices([
            (PriceKey::Prompt, &tier.prompt),
            (PriceKey::Completion, &tier.completion),
            (PriceKey::CacheRead, &tier.cache_read),
            (PriceKey::CacheWrite5m, &tier.cache_write_5m),
            (PriceKey::CacheWrite1h, &tier.cache_write_1h),
            (PriceKey::Reasoning, &tier.reasoning),
            (PriceKey::ImageOutput, &tier.image_output),
            (PriceKey::Audio, &tier.audio),
            (PriceKey::AudioOutput, &tier.audio_output),
        ]);
        if tier.min_prompt_tokens == 0 {
            at.wrong(
                "min_prompt_tokens",
                "missing or zero: such prices are the base prices",
            );
        }
        if tiers
            .iter()
            .any(|other| other.min_prompt_tokens == tier.min_prompt_tokens)
        {
            at.wrong("min_prompt_tokens", "two tiers with the same threshold");
        }
        tiers.push(Tier {
            min_prompt_tokens: tier.min_prompt_tokens,
            prices,
        });
    }
    RawPrice {
        base,
        tiers,
        source: OPERATOR.to_owned(),
        as_of: String::new(),
    }
}

/// Reads values at a path and notes what is wrong with them.
struct Reader<'a> {
    path: String,
    problems: &'a mut Vec<Problem>,
}

impl<'a> Reader<'a> {
    fn new(path: String, problems: &'a mut Vec<Problem>) -> Self {
        Self { path, problems }
    }

    fn inside(&mut self, field: &str) -> Reader<'_> {
        Reader {
            path: format!("{}.{field}", self.path),
            problems: self.problems,
        }
    }

    fn wrong(&mut self, field: &str, message: impl Into<String>) {
        let path = match field {
            "" => self.path.clone(),
            field => format!("{}.{field}", self.path),
        };
        self.problems.push(Problem::new(path, message));
    }

    fn modalities(&mut self, field: &str, names: Option<&[String]>) -> Option<Modalities> {
        let set = self.names(field, names?, Modality::by_name, Modality::ALL);
        if set.is_empty() {
            self.wrong(field, "must not be empty");
        }
        Some(set.into_iter().collect())
    }

    fn parameters(&mut self, field: &str, names: Option<&[String]>) -> Option<Parameters> {
        let set = self.names(field, names?, Parameter::by_name, Parameter::ALL);
        Some(set.into_iter().collect())
    }

    fn names<T: Copy + std::fmt::Display>(
        &mut self,
        field: &str,
        names: &[String],
        by_name: fn(&str) -> Option<T>,
        all: &[T],
    ) -> Vec<T> {
        let mut found = Vec::with_capacity(names.len());
        for (index, name) in names.iter().enumerate() {
            if let Some(item) = by_name(name) {
                found.push(item);
            } else {
                let all: Vec<String> = all.iter().map(ToString::to_string).collect();
                let message = format!("\"{name}\" is not one of {}", all.join(", "));
                self.wrong(&format!("{field}[{index}]"), message);
            }
        }
        found
    }

    fn prices<const N: usize>(&mut self, stated: [(PriceKey, &Option<String>); N]) -> Prices {
        let mut prices = Prices::default();
        for (key, text) in stated {
            let Some(text) = text else { continue };
            match key.parse(text) {
                Ok(price) => prices.set(key, Some(price)),
                Err(error) => self.wrong(key.name(), format!("\"{text}\": {error}")),
            }
        }
        prices
    }
}

fn set<T>(slot: &mut T, stated: Option<T>) {
    if let Some(value) = stated {
        *slot = value;
    }
}

fn set_some<T: Clone>(slot: &mut Option<T>, stated: &Option<T>) {
    if stated.is_some() {
        slot.clone_from(stated);
    }
}

#[cfg(test)]
mod tests;

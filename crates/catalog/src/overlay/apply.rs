//! Laying an overlay over the catalogue.

use super::read::{self, Reader};
use super::{Overlay, OverlayEndpoint, OverlayModel, OverlayProvider};
use crate::model::{
    ApiFamily, EndpointStatus, Modalities, Modality, Parameter, Parameters, Reasoning,
};
use crate::problem::Problem;
use crate::raw::{RawCatalog, RawEndpoint, RawModel};
use crate::slug::{is_provider_slug, is_slug};

/// Context length assumed for a new model whose overlay states none: small,
/// so that a wrong guess refuses a long prompt rather than sends it.
const CONTEXT_LENGTH_DEFAULT: u64 = 8_192;

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
        let named = known_as(raw, &model.slug).map(|slug| OverlayModel {
            slug,
            ..model.clone()
        });
        apply_model(raw, named.as_ref().unwrap_or(model), &mut at);
    }
}

fn apply_provider(raw: &mut RawCatalog, slug: &str, over: &OverlayProvider, at: &mut Reader<'_>) {
    let family = over.format.as_ref().and_then(|name| {
        let family = ApiFamily::by_name(name);
        if family.is_none() {
            at.wrong(
                "format",
                format!(
                    "\"{name}\" is not one of openai-chat, anthropic, gemini, vertex, bedrock, ollama, cohere-chat, azure, other"
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

/// The model that the catalog has under another of its names: people write
/// the one that they know.
fn known_as(raw: &RawCatalog, name: &str) -> Option<String> {
    if raw.models.contains_key(name) {
        return None;
    }
    let mut models = raw.models.iter();
    let known = models.find(|(_, model)| {
        model.canonical_slug.as_deref() == Some(name) || model.aliases.iter().any(|a| a == name)
    });
    known.map(|(slug, _)| slug.clone())
}

/// A name that another model has already is not given twice.
fn claim_names(raw: &RawCatalog, over: &OverlayModel, at: &mut Reader<'_>) {
    for alias in &over.aliases {
        let listed = raw.models.contains_key(alias).then(|| alias.clone());
        let other = listed.or_else(|| known_as(raw, alias));
        if let Some(other) = other.filter(|other| *other != over.slug) {
            at.wrong("aliases", format!("\"{alias}\" already names {other}"));
        }
    }
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
    claim_names(raw, over, at);
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
    hold_for_endpoints(raw, over, parameters);
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

/// What the operator says of the model holds for its endpoints too, or a
/// smaller context would go unnoticed where it matters.
fn hold_for_endpoints(raw: &mut RawCatalog, over: &OverlayModel, parameters: Option<Parameters>) {
    for (id, endpoint) in &mut raw.endpoints {
        if endpoint.model != over.slug {
            continue;
        }
        debug_assert!(id.starts_with(&over.slug));
        set_some(&mut endpoint.context_length, &over.context_length);
        set_some(&mut endpoint.max_output, &over.max_output);
        set(&mut endpoint.parameters, parameters);
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
        .map(|price| read::price(price, &mut at.inside("price")));
    let stated_parameters =
        at.parameters("supported_parameters", over.supported_parameters.as_deref());
    let input = at.modalities("input_modalities", over.input_modalities.as_deref());
    let output = at.modalities("output_modalities", over.output_modalities.as_deref());
    let quantization = at.quantization(over.quantization.as_ref());
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
        None => check_new_endpoint(over, at),
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
    set_some(&mut endpoint.interface, &over.interface);
    match over.enabled {
        Some(false) => endpoint.status = EndpointStatus::Disabled,
        Some(true) if endpoint.status == EndpointStatus::Disabled => {
            endpoint.status = EndpointStatus::Active;
        }
        _ => {}
    }
    raw.endpoints.insert(id, endpoint);
}

/// An endpoint that the catalogue does not know needs a name and a price.
fn check_new_endpoint(over: &OverlayEndpoint, at: &mut Reader<'_>) {
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

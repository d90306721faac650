//! models.dev: limits, abilities and prices of every provider's offers.
//!
//! Prices are dollars for a million tokens (models.dev schema, July 2026).

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::value::RawValue;

use super::data_policies::{self, Policy};
use super::facts::{self, Abilities, Known, Role};
use super::merge::{gives_answers_away, without_nonsense};
use super::names_of_providers::name_of;
use super::naming::{Named, Names, Unknown};
use super::{Imported, Note, Source, decimal, tokenizers};
use crate::date::unix_seconds;
use crate::interface::Interface;
use crate::model::{
    ApiFamily, EffortName, Efforts, EndpointStatus, Modalities, Modality, Parameters, Reasoning,
};
use crate::price::{PriceKey, Prices, Tier};
use crate::raw::{RawEndpoint, RawModel, RawPrice, RawProvider};

#[derive(Deserialize)]
struct Document {
    #[serde(default)]
    models: BTreeMap<String, Offer>,
    providers: BTreeMap<String, Vendor>,
}

#[derive(Deserialize)]
struct Vendor {
    name: String,
    #[serde(default)]
    env: Vec<String>,
    #[serde(default)]
    npm: String,
    api: Option<String>,
    doc: Option<String>,
    #[serde(default)]
    models: BTreeMap<String, Offer>,
}

#[derive(Deserialize)]
struct Offer {
    #[serde(default)]
    name: String,
    #[serde(default)]
    release_date: String,
    #[serde(default)]
    reasoning: bool,
    #[serde(default)]
    temperature: bool,
    #[serde(default)]
    tool_call: bool,
    #[serde(default)]
    structured_output: bool,
    #[serde(default)]
    open_weights: bool,
    knowledge: Option<String>,
    #[serde(default)]
    limit: Limit,
    #[serde(default)]
    modalities: InOut,
    #[serde(default)]
    cost: BTreeMap<String, Box<RawValue>>,
    #[serde(default)]
    reasoning_options: Vec<ReasoningOption>,
    base_model: Option<String>,
    status: Option<String>,
    #[serde(default)]
    weights: Option<serde_json::Value>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Limit {
    context: u64,
    input: Option<u64>,
    output: u64,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct InOut {
    input: Vec<String>,
    output: Vec<String>,
}

#[derive(Deserialize)]
struct ReasoningOption {
    r#type: String,
    #[serde(default)]
    values: Vec<Option<String>>,
}

#[derive(Deserialize)]
struct TierSize {
    size: u64,
}

/// Their names for our prices. The last four are spellings that a few
/// providers use.
const COSTS: &[(&str, PriceKey)] = &[
    ("input", PriceKey::Prompt),
    ("output", PriceKey::Completion),
    ("cache_read", PriceKey::CacheRead),
    ("cache_write", PriceKey::CacheWrite5m),
    ("reasoning", PriceKey::Reasoning),
    ("input_audio", PriceKey::Audio),
    ("output_audio", PriceKey::AudioOutput),
    ("image", PriceKey::ImageOutput),
    ("cache_input", PriceKey::CacheRead),
    ("cached_input", PriceKey::CacheRead),
    ("cached_write", PriceKey::CacheWrite5m),
];

/// Reads `api.json`.
pub(super) fn read(
    json: &str,
    as_of: &str,
    names: &mut Names,
) -> Result<Imported, serde_json::Error> {
    // `api.json` itself is the map of providers; the wider document has
    // base models beside it.
    let mut document: Document = match serde_json::from_str(json) {
        Ok(document) => document,
        Err(error) => match serde_json::from_str(json) {
            Ok(providers) => Document {
                models: BTreeMap::new(),
                providers,
            },
            Err(_) => return Err(error),
        },
    };
    let mut reader = Reader {
        as_of,
        names,
        out: Imported::default(),
    };
    reader.learn_slugs(&document);
    for (base, offer) in &document.models {
        if let Some(slug) = reader.names.base(base) {
            reader.model(&slug, offer, true);
        }
    }
    // Makers first, then hosts, then gateways: who comes later may only add
    // offers of what is known by then.
    for rank in 0..3 {
        for (vendor_slug, vendor) in &mut document.providers {
            match facts::by_models_dev(vendor_slug) {
                Some(known) if role_rank(known.role) == rank => reader.vendor(known, vendor),
                None if rank == 0 => reader.note(
                    "provider left out (flat rate, local or unknown)",
                    vendor_slug,
                ),
                _ => {}
            }
        }
    }
    Ok(reader.out)
}

const fn role_rank(role: Role) -> u8 {
    match role {
        Role::Maker(_) => 0,
        Role::Host => 1,
        Role::Gateway => 2,
    }
}

struct Reader<'a> {
    as_of: &'a str,
    names: &'a mut Names,
    out: Imported,
}

impl Reader<'_> {
    fn note(&mut self, kind: &'static str, subject: impl Into<String>) {
        self.out.notes.push(Note::new(kind, subject));
    }

    /// Takes over the names that callers type from OpenRouter's own list.
    fn learn_slugs(&mut self, document: &Document) {
        let Some(openrouter) = document.providers.get("openrouter") else {
            return;
        };
        for (slug, offer) in &openrouter.models {
            // The makers' pseudo-models choose a model and are none.
            if slug.starts_with("openrouter/")
                || slug.starts_with("switchpoint/")
                || slug.starts_with('~')
            {
                continue;
            }
            self.names.learn(slug);
            self.model(slug, offer, true);
        }
    }

    /// Files what an offer tells of its model. Those who only run or resell
    /// a model are not believed about its release.
    fn model(&mut self, slug: &str, offer: &Offer, knows_release: bool) {
        let model = self.out.catalog.models.entry(slug.to_owned()).or_default();
        let is_new = model.name.is_empty();
        if is_new {
            model.name = plain_name(slug, &offer.name);
            model.input = modalities(&offer.modalities.input);
            model.output = modalities(&offer.modalities.output);
            model.context_length = offer.limit.context;
            model.max_output = some(offer.limit.output);
            model.tokenizer = Some(tokenizers::of(slug).to_owned());
        }
        if knows_release && model.created == 0 {
            model.created = unix_seconds(&offer.release_date).unwrap_or(0);
        }
        if model.knowledge_cutoff.is_none() {
            model.knowledge_cutoff.clone_from(&offer.knowledge);
        }
        if model.hugging_face_id.is_none() {
            model.hugging_face_id = hugging_face_id(offer.weights.as_ref());
        }
        model.open_weights |= offer.open_weights;
        if offer.reasoning {
            let reasoning = model.reasoning.get_or_insert_default();
            let stated = read_reasoning(&offer.reasoning_options);
            reasoning.max_tokens |= stated.max_tokens;
            if reasoning.efforts.is_empty() {
                reasoning.efforts = stated.efforts;
            }
        }
    }

    fn vendor(&mut self, known: &Known, vendor: &mut Vendor) {
        self.provider(known, vendor);
        for (upstream, offer) in &mut vendor.models {
            if super::makes_vectors(upstream) {
                offer.modalities.output = vec![Modality::Embeddings.name().to_owned()];
                offer.tool_call = false;
            }
            let offer = &*offer;
            let subject = format!("`{}` {upstream}", known.slug);
            if offer.status.as_deref() == Some("deprecated")
                && !matches!(known.role, Role::Maker(_))
            {
                self.note("offer left out: deprecated", subject);
                continue;
            }
            if modalities(&offer.modalities.output).is_empty()
                || offer.modalities.output.iter().all(|kind| kind == "video")
            {
                self.note("offer left out: output we do not relay", subject);
                continue;
            }
            if super::is_other_service(upstream) {
                self.note("offer left out: not a chat service", subject);
                continue;
            }
            let Some(named) = self.slug_of(known, upstream, offer) else {
                self.note("offer left out: cannot tell which model it is", subject);
                continue;
            };
            if offer.limit.context == 0 && !self.out.catalog.models.contains_key(&named.slug) {
                self.note("offer left out: no context length", subject);
                continue;
            }
            if !self.out.catalog.models.contains_key(&named.slug) {
                let is_makers = matches!(known.role, Role::Maker(_));
                self.model(&named.slug, offer, is_makers);
            }
            self.endpoint(known, upstream, offer, &named);
        }
    }

    fn slug_of(&mut self, known: &Known, upstream: &str, offer: &Offer) -> Option<Named> {
        if known.slug == "openrouter" {
            let is_ours = self.out.catalog.models.contains_key(upstream);
            return is_ours.then(|| Named {
                slug: upstream.to_owned(),
                ..Named::default()
            });
        }
        let unknown = match known.role {
            Role::Maker(author) => Unknown::Author(author),
            Role::Host => Unknown::Guess,
            Role::Gateway => Unknown::Skip,
        };
        // A name that is known by itself counts more than the link to a
        // base model: the links of some hosts point at a relative.
        if let Some(named) = self.names.read(upstream, Unknown::Skip) {
            return Some(named);
        }
        let base = offer
            .base_model
            .as_ref()
            .and_then(|base| self.names.base(base));
        if let Some(slug) = base
            && (Names::is_wrapping_of(upstream, &slug) || !Names::has_known_author(upstream))
        {
            return Some(Named {
                slug,
                ..Named::default()
            });
        }
        self.names.read(upstream, unknown)
    }

    fn provider(&mut self, known: &Known, vendor: &Vendor) {
        let provider = self
            .out
            .catalog
            .providers
            .entry(known.slug.to_owned())
            .or_default();
        for variable in &vendor.env {
            if !provider.env.contains(variable) {
                provider.env.push(variable.clone());
            }
        }
        if !provider.name.is_empty() {
            return;
        }
        let policy = data_policies::of(known.slug);
        let pages = facts::pages(known.slug);
        let page = |index: usize| pages.and_then(|all| all.get(index).map(|&p| p.to_owned()));
        *provider = RawProvider {
            name: name_of(known.slug, &vendor.name),
            aliases: (known.models_dev != known.slug)
                .then(|| known.models_dev.to_owned())
                .into_iter()
                .collect(),
            env: std::mem::take(&mut provider.env),
            base_url: known
                .base_url
                .map(str::to_owned)
                .or_else(|| vendor.api.clone()),
            family: family(&vendor.npm),
            gateway: known.role == Role::Gateway,
            author: facts::author(known),
            data_policy: policy.map(|policy| policy.data_policy),
            data_policy_source: policy.map(Policy::source),
            docs_url: vendor.doc.clone(),
            privacy_url: page(0),
            terms_url: page(1),
            status_url: page(2),
            headquarters: page(3),
        };
    }

    fn endpoint(&mut self, known: &Known, upstream: &str, offer: &Offer, named: &Named) {
        let provider = known.slug.to_owned();
        let tag = (!named.kind.is_empty()).then(|| format!("{provider}/{}", named.kind));
        let price = self.price(known, upstream, offer);
        let Some(model) = self.out.catalog.models.get(&named.slug) else {
            return;
        };
        let author = named.slug.split_once('/').map_or("", |(author, _)| author);
        let can = Abilities {
            temperature: offer.temperature,
            tools: offer.tool_call,
            structured: offer.structured_output,
            reasoning: offer.reasoning,
            open_weights: model.open_weights,
        };
        let has_cache_price = price.as_ref().is_some_and(|p| p.base.cache_read.is_some());
        let input = modalities(&offer.modalities.input);
        let output = modalities(&offer.modalities.output);
        let endpoint = RawEndpoint {
            model: named.slug.clone(),
            upstream_model: upstream.to_owned(),
            tag,
            context_length: differs(offer.limit.context, model.context_length),
            max_output: some(offer.limit.output).filter(|&max| Some(max) != model.max_output),
            max_prompt: offer
                .limit
                .input
                .filter(|&max| max > 0 && max != offer.limit.context),
            quantization: named.quantization,
            price,
            parameters: if output.contains(Modality::Text) {
                facts::parameters(&provider, author, can)
            } else {
                Parameters::EMPTY
            },
            input: (input != model.input && !input.is_empty()).then_some(input),
            output: (output != model.output && !output.is_empty()).then_some(output),
            data_policy: data_policies::of_offer(&provider, &named.slug, model.open_weights),
            interface: interface(&provider, upstream),
            implicit_caching: facts::caches_implicitly(&provider, author, has_cache_price),
            status: match offer.status.as_deref() {
                Some("alpha" | "beta") => EndpointStatus::Preview,
                Some("deprecated") => EndpointStatus::Deprecated,
                _ => EndpointStatus::Active,
            },
            provider,
        };
        super::file(&mut self.out, endpoint);
    }

    fn price(&mut self, known: &Known, upstream: &str, offer: &Offer) -> Option<RawPrice> {
        let subject = format!("`{}` {upstream}", known.slug);
        let mut base = self.prices(&offer.cost, &subject);
        if let Some(request) = offer.cost.get("request") {
            // Perplexity's fee is written for a thousand requests.
            base.request = decimal::read(&format!("{}e-3", request.get()), false);
        }
        if without_nonsense(&mut base) {
            self.note(
                "price of zero beside others taken as not stated",
                subject.clone(),
            );
        }
        let is_marked_free = upstream.contains(":free") || upstream.ends_with("-free");
        if base.is_known() && base.prompt == base.completion && base.is_free() && !is_marked_free {
            self.note("price of zero taken as unknown", subject);
            return None;
        }
        if gives_answers_away(&base, modalities(&offer.modalities.output)) {
            self.note("answers at no cost taken as unknown price", subject);
            return None;
        }
        if !base.is_known() {
            return None;
        }
        let mut tiers = Vec::new();
        if let Some(raw) = offer.cost.get("tiers") {
            let rows: Vec<BTreeMap<String, Box<RawValue>>> =
                serde_json::from_str(raw.get()).unwrap_or_default();
            for row in &rows {
                let size = row
                    .get("tier")
                    .map(|raw| serde_json::from_str::<TierSize>(raw.get()));
                let Some(Ok(TierSize { size })) = size else {
                    self.note("tier left out: no size", subject.clone());
                    continue;
                };
                let mut prices = self.prices(row, &subject);
                without_nonsense(&mut prices);
                tiers.push(Tier {
                    min_prompt_tokens: size,
                    prices,
                });
            }
        }
        tiers.retain(|tier| tier.min_prompt_tokens > 0 && !tier.prices.is_empty());
        tiers.sort_by_key(|tier| tier.min_prompt_tokens);
        tiers.dedup_by_key(|tier| tier.min_prompt_tokens);
        Some(RawPrice {
            base,
            tiers,
            services: Vec::new(),
            searches: None,
            source: Source::ModelsDev.name().to_owned(),
            as_of: self.as_of.to_owned(),
        })
    }

    fn prices(&mut self, cost: &BTreeMap<String, Box<RawValue>>, subject: &str) -> Prices {
        let mut prices = Prices::default();
        for (name, key) in COSTS {
            let Some(raw) = cost.get(*name) else { continue };
            if decimal::round_noise(raw.get()) != raw.get() {
                self.note(
                    "float noise rounded away",
                    format!("{subject} {key} {}", raw.get()),
                );
            }
            match decimal::read(raw.get(), true) {
                Some(price) => prices.set(*key, Some(price)),
                None => self.note("price not usable", format!("{subject} {key} {}", raw.get())),
            }
        }
        prices
    }
}

/// Over which interface an offer is sold, if that is another than chat: the
/// list does not say, but the Codex models are served by Responses alone
/// (platform.openai.com, models, October 2026).
fn interface(provider: &str, upstream: &str) -> Option<Interface> {
    (matches!(provider, "openai" | "azure") && upstream.contains("codex"))
        .then_some(Interface::Responses)
}

fn some(limit: u64) -> Option<u64> {
    (limit > 0).then_some(limit)
}

fn differs(limit: u64, of_model: u64) -> Option<u64> {
    (limit > 0 && limit != of_model).then_some(limit)
}

/// A name for people: the list's own, or the slug's with capitals.
fn plain_name(slug: &str, name: &str) -> String {
    let name = name.trim().trim_end_matches("(latest)").trim_end();
    if !name.is_empty() {
        return name.to_owned();
    }
    let bare = slug.split_once('/').map_or(slug, |(_, model)| model);
    let mut out = String::new();
    for word in bare.split('-') {
        match out.as_str() {
            "" => {}
            "GPT" | "GLM" => out.push('-'),
            _ => out.push(' '),
        }
        if matches!(word, "gpt" | "glm") {
            out.push_str(&word.to_ascii_uppercase());
        } else {
            let mut letters = word.chars();
            out.extend(letters.next().map(|first| first.to_ascii_uppercase()));
            out.push_str(letters.as_str());
        }
    }
    out
}

fn modalities(names: &[String]) -> Modalities {
    let known = names.iter().filter_map(|name| match name.as_str() {
        "pdf" => Some(Modality::File),
        name => Modality::by_name(name),
    });
    known.collect()
}

fn hugging_face_id(weights: Option<&serde_json::Value>) -> Option<String> {
    let text = weights?.to_string();
    let (_, after) = text.split_once("huggingface.co/")?;
    let id: Vec<&str> = after.split(['/', '"', '?', '#']).take(2).collect();
    let id = id.join("/");
    (id.contains('/') && !id.ends_with('/')).then_some(id)
}

fn read_reasoning(options: &[ReasoningOption]) -> Reasoning {
    let mut reasoning = Reasoning::default();
    for option in options {
        match option.r#type.as_str() {
            "budget_tokens" => reasoning.max_tokens = true,
            "effort" => {
                let names = option.values.iter().flatten();
                reasoning.efforts = names
                    .filter_map(|name| EffortName::by_name(name))
                    .collect::<Efforts>();
            }
            _ => {}
        }
    }
    reasoning
}

fn family(npm: &str) -> ApiFamily {
    match npm {
        "@ai-sdk/anthropic" => ApiFamily::Anthropic,
        "@ai-sdk/google" => ApiFamily::Gemini,
        "@ai-sdk/google-vertex" | "@ai-sdk/google-vertex/anthropic" => ApiFamily::Vertex,
        "@ai-sdk/amazon-bedrock" => ApiFamily::Bedrock,
        "@ai-sdk/azure" => ApiFamily::Azure,
        _ => ApiFamily::OpenaiChat,
    }
}

/// A model as a price list without model facts knows it.
pub(super) fn bare_model(slug: &str) -> RawModel {
    RawModel {
        name: plain_name(slug, ""),
        tokenizer: Some(tokenizers::of(slug).to_owned()),
        ..RawModel::default()
    }
}

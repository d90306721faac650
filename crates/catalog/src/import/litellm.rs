//! LiteLLM's table: one flat object, prices in dollars for one unit
//! (`model_prices_and_context_window.json`, November 2026).

use std::collections::BTreeMap;

use serde_json::value::RawValue;

use super::data_policies::{self, Policy};
use super::facts::{self, Abilities, Known, Role};
use super::merge::{gives_answers_away, without_nonsense};
use super::models_dev::bare_model;
use super::names_of_providers::name_of;
use super::naming::{Named, Names, Unknown};
use super::{Imported, Note, Source, decimal, tiers_of_service};
use crate::interface::Interface;
use crate::model::{EndpointStatus, Modalities, Modality, Parameters, Reasoning};
use crate::price::ServicePrices;
use crate::price::{Fee, PriceKey, Prices, SearchFees, Tier};
use crate::raw::{RawEndpoint, RawModel, RawPrice, RawProvider};

/// Their names for our prices, without the ending of a tier.
const COSTS: &[(&str, PriceKey)] = &[
    ("input_cost_per_token", PriceKey::Prompt),
    ("output_cost_per_token", PriceKey::Completion),
    ("cache_read_input_token_cost", PriceKey::CacheRead),
    ("cache_creation_input_token_cost", PriceKey::CacheWrite5m),
    (
        "cache_creation_input_token_cost_above_1hr",
        PriceKey::CacheWrite1h,
    ),
    ("output_cost_per_reasoning_token", PriceKey::Reasoning),
    ("input_cost_per_image", PriceKey::Image),
    ("output_cost_per_image_token", PriceKey::ImageOutput),
    ("input_cost_per_audio_token", PriceKey::Audio),
    ("output_cost_per_audio_token", PriceKey::AudioOutput),
    ("input_cost_per_request", PriceKey::Request),
];

/// Their names for what is no token, by their word for the kind of row that is
/// sold so.
const UNIT_COSTS: &[(&str, &str, PriceKey)] = &[
    (
        "image_generation",
        "output_cost_per_image",
        PriceKey::Picture,
    ),
    ("rerank", "input_cost_per_query", PriceKey::SearchUnit),
    (
        "audio_speech",
        "input_cost_per_character",
        PriceKey::Character,
    ),
    (
        "audio_transcription",
        "input_cost_per_second",
        PriceKey::AudioSecond,
    ),
];

/// Thresholds that the table has columns for.
const TIERS: &[(&str, u64)] = &[
    ("_above_100k_tokens", 100_000),
    ("_above_128k_tokens", 128_000),
    ("_above_200k_tokens", 200_000),
    ("_above_272k_tokens", 272_000),
    ("_above_512k_tokens", 512_000),
];

type Row<'a> = BTreeMap<String, &'a RawValue>;

/// Reads the table.
pub(super) fn read(
    json: &str,
    as_of: &str,
    names: &mut Names,
) -> Result<Imported, serde_json::Error> {
    let table: BTreeMap<String, Row<'_>> = serde_json::from_str(json)?;
    let mut reader = Reader {
        as_of,
        names,
        out: Imported::default(),
    };
    // Makers first: theirs are the names that hosts' names are matched with.
    for makers in [true, false] {
        for (key, row) in &table {
            let Some(known) = text(row, "litellm_provider").and_then(facts::by_litellm) else {
                continue;
            };
            if matches!(known.role, Role::Maker(_)) == makers {
                reader.row(known, key, row);
            }
        }
    }
    Ok(reader.out)
}

struct Reader<'a> {
    as_of: &'a str,
    names: &'a mut Names,
    out: Imported,
}

/// A row of the table that is worth keeping.
struct Offer<'a> {
    known: &'a Known,
    row: &'a Row<'a>,
    named: Named,
    region: &'a str,
    output: Modalities,
    input: Modalities,
    context: Option<u64>,
    max_output: Option<u64>,
    expiration: Option<&'a str>,
}

impl Offer<'_> {
    /// The endpoint, with what differs from its model stated.
    fn endpoint(&self, model: &RawModel, price: RawPrice) -> RawEndpoint {
        let (slug, provider) = (&self.named.slug, self.known.slug);
        let author = slug.split_once('/').map_or("", |(author, _)| author);
        let kind = match (self.region, self.named.kind.as_str()) {
            ("", kind) => kind.to_owned(),
            (region, "") => region.to_owned(),
            (region, kind) => format!("{region}-{kind}"),
        };
        let caches = price.base.cache_read.is_some();
        RawEndpoint {
            tag: (!kind.is_empty()).then(|| format!("{provider}/{kind}")),
            context_length: self.context.filter(|&limit| limit != model.context_length),
            max_output: self
                .max_output
                .filter(|&limit| Some(limit) != model.max_output),
            quantization: self.named.quantization,
            data_policy: data_policies::of_offer(provider, slug, model.open_weights),
            parameters: self.parameters(author),
            input: (self.input != model.input).then_some(self.input),
            output: (self.output != model.output).then_some(self.output),
            interface: if price.base.picture.is_some() {
                Some(Interface::Images)
            } else if text(self.row, "mode") == Some("realtime") {
                Some(Interface::Realtime)
            } else {
                tiers_of_service::interface(
                    text(self.row, "mode"),
                    &list(self.row, "supported_endpoints"),
                    provider,
                )
            },
            implicit_caching: facts::caches_implicitly(provider, author, caches),
            price: Some(price),
            status: if self.expiration.is_some() {
                EndpointStatus::Deprecated
            } else {
                EndpointStatus::Active
            },
            model: slug.clone(),
            ..RawEndpoint::default()
        }
    }

    fn parameters(&self, author: &str) -> Parameters {
        if !self.output.contains(Modality::Text) {
            return Parameters::EMPTY;
        }
        let can = Abilities {
            temperature: flag_or(self.row, "supports_sampling_params", true),
            tools: flag(self.row, "supports_function_calling"),
            structured: flag(self.row, "supports_response_schema"),
            reasoning: flag(self.row, "supports_reasoning"),
            open_weights: false,
        };
        facts::parameters(self.known.slug, author, can)
    }
}

/// What to make of a name that no earlier list knows.
fn when_unknown<'a>(known: &'a Known, row: &Row<'_>) -> Unknown<'a> {
    match known.role {
        // Its Nova is no relative of Amazon's.
        Role::Maker("deepgram") => Unknown::Own("deepgram"),
        Role::Maker(author) => Unknown::Author(author),
        // Hosts' rows include hundreds of old models that run only when
        // someone rents a machine; what can call tools is of this age.
        Role::Host if flag(row, "supports_function_calling") => Unknown::Guess,
        Role::Host | Role::Gateway => Unknown::Skip,
    }
}

/// xAI lists its experiments beside what it offers.
fn is_trial(known: &Known, upstream: &str) -> bool {
    known.slug == "xai"
        && ["experimental", "-beta", "-gv"]
            .iter()
            .any(|word| upstream.contains(word))
}

impl Reader<'_> {
    fn note(&mut self, kind: &'static str, subject: impl Into<String>) {
        self.out.notes.push(Note::new(kind, subject));
    }

    fn row(&mut self, known: &Known, key: &str, row: &Row<'_>) {
        let mode = text(row, "mode").unwrap_or("");
        let Some(output) = output_of(mode, row) else {
            return;
        };
        let Some((upstream, region)) = upstream_of(known, key, row) else {
            return;
        };
        let expiration = text(row, "deprecation_date").filter(|date| date.len() == 10);
        let subject = format!("`{}` {upstream}", known.slug);
        if expiration.is_some_and(|date| is_past(date, self.as_of)) {
            self.out
                .retired
                .push((known.slug.to_owned(), upstream.to_owned()));
            self.note("offer left out: retired", subject);
            return;
        }
        let Some(price) = self.price(key, row, output, &subject) else {
            return;
        };
        if !is_spoken_there(known.slug, interface_of(mode), upstream) {
            return;
        }
        // What takes part in no chat may be sold over an interface of its own.
        let is_elsewhere = interface_of(mode).is_none() && super::is_other_service(upstream);
        if is_trial(known, upstream) || is_elsewhere {
            return;
        }
        let Some(named) = self.names.read(upstream, when_unknown(known, row)) else {
            return;
        };
        let offer = Offer {
            known,
            row,
            named,
            region,
            output,
            input: if output.contains(Modality::Transcription) {
                Modalities::of(&[Modality::Audio])
            } else {
                input_of(row, upstream)
            },
            context: number(row, "max_input_tokens").or_else(|| number(row, "max_tokens")),
            max_output: number(row, "max_output_tokens"),
            expiration,
        };
        if offer.context.is_none() && output.contains(Modality::Text) {
            self.note("offer left out: no context length", subject);
            return;
        }
        let model = self.model(&offer);
        let endpoint = RawEndpoint {
            provider: known.slug.to_owned(),
            upstream_model: upstream.to_owned(),
            ..offer.endpoint(&model, price)
        };
        self.provider(known);
        super::file(&mut self.out, endpoint);
    }

    /// Files what the offer tells of its model, and returns what is known.
    fn model(&mut self, offer: &Offer<'_>) -> RawModel {
        let slug = &offer.named.slug;
        let model = self
            .out
            .catalog
            .models
            .entry(slug.clone())
            .or_insert_with(|| bare_model(slug));
        let is_makers = matches!(offer.known.role, Role::Maker(_));
        if model.output.is_empty() {
            model.input = offer.input;
            model.output = offer.output;
            model.context_length = offer.context.unwrap_or(0);
            model.max_output = offer.max_output;
            if flag(offer.row, "supports_reasoning") {
                model.reasoning = Some(Reasoning::default());
            }
        }
        if model.hugging_face_id.is_none() {
            model.hugging_face_id = facts::repository(slug).map(str::to_owned);
        }
        if let (true, Some(date)) = (is_makers, offer.expiration) {
            model.expiration_date = Some(date.to_owned());
        }
        model.clone()
    }

    fn provider(&mut self, known: &Known) {
        let policy = data_policies::of(known.slug);
        self.out
            .catalog
            .providers
            .entry(known.slug.to_owned())
            .or_insert_with(|| RawProvider {
                name: name_of(known.slug, &title(known.slug)),
                env: vec![format!(
                    "{}_API_KEY",
                    known.slug.to_ascii_uppercase().replace('-', "_")
                )],
                base_url: known.base_url.map(str::to_owned),
                gateway: known.role == Role::Gateway,
                author: facts::author(known),
                data_policy: policy.map(|policy| policy.data_policy),
                data_policy_source: policy.map(Policy::source),
                ..RawProvider::default()
            });
    }

    fn price(
        &mut self,
        key: &str,
        row: &Row<'_>,
        output: Modalities,
        subject: &str,
    ) -> Option<RawPrice> {
        let mut base = self.prices(row, "", subject);
        let answers_are_free =
            output.contains(Modality::Embeddings) || output.contains(Modality::Rerank);
        if base.completion.is_none() && answers_are_free {
            base.completion = Some(bourse_vocab::PicosPerUnit::FREE);
        }
        self.units(row, &mut base, subject);
        if base.completion.is_none() && output == Modalities::of(&[Modality::Image]) {
            base.completion = base.image_output;
        }
        if without_nonsense(&mut base) {
            self.note("price of zero beside others taken as not stated", subject);
        }
        let mut searches = None;
        if let Some(search) = row.get("search_context_cost_per_query") {
            searches = search_fees(search);
            base.web_search = web_search(search, "search_context_size_medium");
            // Perplexity charges its search as a fee for the request, by how
            // much is read (low unless asked); only deep research counts
            // searches (its pricing page, 2026).
            if key.starts_with("perplexity/") && !key.contains("deep-research") {
                base.request = web_search(search, "search_context_size_low");
                // Whoever says how much is to be read pays that fee, and none
                // for each search.
                base.web_search = searches.map(|_| bourse_vocab::PicosPerUnit::FREE);
            }
        }
        if !self.believes(&base, output, subject) || !base.is_known() || is_gap(&base, output) {
            return None;
        }
        let mut tiers = Vec::new();
        for (ending, min_prompt_tokens) in TIERS {
            let mut prices = self.prices(row, ending, subject);
            without_nonsense(&mut prices);
            if !prices.is_empty() {
                tiers.push(Tier {
                    min_prompt_tokens: *min_prompt_tokens,
                    prices,
                });
            }
        }
        if let Some(ranges) = row.get("tiered_pricing") {
            tiers = self.ranges(ranges, subject);
        }
        Some(RawPrice {
            base,
            tiers,
            services: self.services(row, subject),
            searches,
            source: Source::LiteLlm.name().to_owned(),
            as_of: self.as_of.to_owned(),
        })
    }

    /// Whether a price can be meant; says so if not.
    fn believes(&mut self, base: &Prices, output: Modalities, subject: &str) -> bool {
        let makes_vectors = output == Modalities::of(&[Modality::Embeddings]);
        if gives_answers_away(base, output) {
            self.note("answers at no cost taken as unknown price", subject);
            false
        } else if makes_vectors && is_out_of_proportion(base) {
            self.note(
                "price of vectors out of all proportion not believed",
                subject,
            );
            false
        } else {
            true
        }
    }

    /// Prices of what is no token. Rows of both kinds say the same thing twice:
    /// what a picture or a minute comes to in tokens.
    fn units(&mut self, row: &Row<'_>, base: &mut Prices, subject: &str) {
        let mode = text(row, "mode").unwrap_or("");
        // What is seen has a price of its own where pictures are changed. In chat
        // nobody counts it apart.
        if let (Some(Interface::Images), Some(raw)) =
            (interface_of(mode), row.get("input_cost_per_image_token"))
        {
            base.image_input = decimal::read(raw.get(), false);
        }
        // What is heard and cached is told apart in Realtime alone.
        if let (Some(Interface::Realtime), Some(raw)) = (
            interface_of(mode),
            row.get("cache_read_input_audio_token_cost"),
        ) {
            base.cache_read_audio = decimal::read(raw.get(), false);
        }
        let has_tokens = [base.prompt, base.completion, base.image_output, base.audio]
            .into_iter()
            .flatten()
            .any(|price| price.get() > 0);
        if has_tokens {
            return;
        }
        for (of_mode, name, unit) in UNIT_COSTS {
            let Some(raw) = row.get(*name).filter(|_| *of_mode == mode) else {
                continue;
            };
            match unit.parse(&decimal::round_noise(raw.get())) {
                Ok(price) if price.get() > 0 => base.set(*unit, Some(price)),
                _ => self.note(
                    "price not usable",
                    format!("{subject} {unit} {}", raw.get()),
                ),
            }
        }
        // xAI charges for a picture that it makes, which the table has in the
        // column of those that it is shown (docs.x.ai, models, November 2026).
        if mode == "image_generation" && text(row, "litellm_provider") == Some("xai") {
            base.picture = base.picture.or(base.image.take());
        }
        if is_sold_by_units(base) {
            base.prompt = Some(bourse_vocab::PicosPerUnit::FREE);
            base.completion = Some(bourse_vocab::PicosPerUnit::FREE);
        }
    }

    /// Price ranges by prompt length; the first is the base prices.
    fn ranges(&mut self, raw: &RawValue, subject: &str) -> Vec<Tier> {
        let rows: Vec<Row<'_>> = serde_json::from_str(raw.get()).unwrap_or_default();
        let mut tiers = Vec::new();
        for row in &rows {
            let from = row.get("range").and_then(|range| {
                let range: Vec<serde_json::Number> = serde_json::from_str(range.get()).ok()?;
                whole(&range.first()?.to_string())
            });
            let prices = self.prices(row, "", subject);
            if let Some(min_prompt_tokens) = from.filter(|&from| from > 0)
                && !prices.is_empty()
            {
                tiers.push(Tier {
                    min_prompt_tokens,
                    prices,
                });
            }
        }
        tiers.sort_by_key(|tier| tier.min_prompt_tokens);
        tiers.dedup_by_key(|tier| tier.min_prompt_tokens);
        tiers
    }

    /// Prices of tiers of service, which have columns of their own.
    fn services(&mut self, row: &Row<'_>, subject: &str) -> Vec<ServicePrices> {
        tiers_of_service::read(|ending| self.prices(row, ending, subject), TIERS)
    }

    fn prices(&mut self, row: &Row<'_>, ending: &str, subject: &str) -> Prices {
        let mut prices = Prices::default();
        for (name, key) in COSTS {
            let Some(raw) = row.get(&format!("{name}{ending}")) else {
                continue;
            };
            if raw.get() == "null" {
                continue;
            }
            if decimal::round_noise(raw.get()) != raw.get() {
                self.note(
                    "float noise rounded away",
                    format!("{subject} {key} {}", raw.get()),
                );
            }
            match decimal::read(raw.get(), false) {
                Some(price) => prices.set(*key, Some(price)),
                None => self.note("price not usable", format!("{subject} {key} {}", raw.get())),
            }
        }
        prices
    }
}

/// Whether a price of nothing for the input is a gap in the list, and no gift:
/// where something else is sold. Verdicts are given away by who sells models
/// (OpenAI's moderation guide, November 2026: "free to use").
fn is_gap(prices: &Prices, output: Modalities) -> bool {
    let reads_for_nothing = prices.prompt.is_some_and(|price| price.get() == 0);
    let is_verdict = output == Modalities::of(&[Modality::Decisions]);
    reads_for_nothing && !is_sold_by_units(prices) && !is_verdict
}

/// Whether something that is no token has a price.
const fn is_sold_by_units(prices: &Prices) -> bool {
    prices.picture.is_some()
        || prices.search_unit.is_some()
        || prices.audio_second.is_some()
        || prices.character.is_some()
}

/// Over which interface the kinds of rows are sold that are no chat.
fn interface_of(mode: &str) -> Option<Interface> {
    Some(match mode {
        "embedding" => Interface::Embeddings,
        "image_generation" => Interface::Images,
        "rerank" => Interface::Rerank,
        "moderation" => Interface::Moderations,
        "audio_speech" => Interface::Speech,
        "audio_transcription" => Interface::Transcription,
        "realtime" => Interface::Realtime,
        _ => return None,
    })
}

/// Whether what speaks or hears is asked for that at its provider: each has an
/// interface of its own, and most are not spoken here. Live sessions are none.
fn is_spoken_there(provider: &str, over: Option<Interface>, upstream: &str) -> bool {
    let is_live = ["realtime", "-live", "streaming"]
        .iter()
        .any(|word| upstream.contains(word));
    match over {
        Some(Interface::Speech) => {
            !is_live && !matches!(provider, "minimax" | "amazon-bedrock" | "cloudflare")
        }
        Some(Interface::Transcription) => {
            let is_asked = match provider {
                "openai" | "azure" | "groq" | "mistral" | "xai" => true,
                // Its first was retired (elevenlabs.io/docs, models, July 2026).
                "elevenlabs" => !upstream.starts_with("scribe_v1"),
                // Its models for one trade cost what the general one does, and go by
                // names of other makers'.
                "deepgram" => matches!(upstream, "nova-2" | "nova-3" | "nova-3-medical"),
                _ => false,
            };
            is_asked && !is_live
        }
        // Where else it is sold, an address is an operator's own.
        Some(Interface::Realtime) => provider == "openai",
        // Voyage's others have paths of their own.
        Some(Interface::Embeddings) if provider == "voyage" => {
            !upstream.contains("-context-") && !upstream.contains("-multimodal-")
        }
        _ => true,
    }
}

/// Above this nothing that makes vectors is sold, in dollars for a million
/// tokens: the table has one of Cohere's light models at a thousand times what
/// it has for the other.
const VECTORS_USD_MAX: u64 = 5;

/// Whether what makes vectors costs more than any does. A pico-dollar a token
/// is a micro-dollar a million tokens.
fn is_out_of_proportion(prices: &Prices) -> bool {
    let most = VECTORS_USD_MAX.saturating_mul(1_000_000);
    prices.prompt.is_some_and(|price| price.get() > most)
}

/// What comes out, for the kinds of rows that are sold here.
fn output_of(mode: &str, row: &Row<'_>) -> Option<Modalities> {
    let stated = row
        .get("supported_output_modalities")
        .and_then(|raw| serde_json::from_str::<Vec<String>>(raw.get()).ok())
        .map(|names| {
            names
                .iter()
                .filter_map(|name| Modality::by_name(name))
                .collect()
        });
    match mode {
        "chat" | "responses" => {
            let output: Modalities = stated.unwrap_or_default();
            if output.contains(Modality::Video) {
                return None;
            }
            Some(output.with(Modality::Text))
        }
        "image_generation" if row.contains_key("output_cost_per_image_token") => {
            Some(stated.unwrap_or(Modalities::of(&[Modality::Image])))
        }
        // One that only translates is sold by the minute, and hears nothing else.
        "realtime" => row
            .contains_key("output_cost_per_audio_token")
            .then_some(Modalities::of(&[Modality::Text, Modality::Audio])),
        _ if !interface_of(mode).is_some_and(Interface::is_spoken) => None,
        "embedding" => Some(Modalities::of(&[Modality::Embeddings])),
        "rerank" => Some(Modalities::of(&[Modality::Rerank])),
        "moderation" => Some(Modalities::of(&[Modality::Decisions])),
        "audio_speech" => Some(Modalities::of(&[Modality::Speech])),
        "audio_transcription" => Some(Modalities::of(&[Modality::Transcription])),
        "image_generation" => Some(stated.unwrap_or(Modalities::of(&[Modality::Image]))),
        _ => None,
    }
}

/// What goes in. What changes pictures is shown some, which has a price; OpenAI's
/// models whose name begins with `omni` judge pictures too (its moderation guide,
/// November 2026), and the table does not say so.
fn input_of(row: &Row<'_>, upstream: &str) -> Modalities {
    let mut input = Modalities::of(&[Modality::Text]);
    for (name, kind) in [
        ("supports_vision", Modality::Image),
        ("supports_pdf_input", Modality::File),
        ("supports_audio_input", Modality::Audio),
        ("supports_video_input", Modality::Video),
    ] {
        if flag(row, name) {
            input.insert(kind);
        }
    }
    let is_shown_pictures = row.contains_key("input_cost_per_image_token")
        && text(row, "mode") == Some("image_generation");
    if is_shown_pictures || upstream.starts_with("omni-moderation") {
        input.insert(Modality::Image);
    }
    input
}

/// The provider's own name in a key, and its region. Keys begin with a
/// provider's name, but not all of them; some have a region next.
fn upstream_of<'a>(known: &Known, key: &'a str, row: &Row<'_>) -> Option<(&'a str, &'a str)> {
    if key.starts_with("ft:") || key.contains("container") || key.contains("-x-") {
        return None;
    }
    // Prices by size class of models nobody can call by that name.
    if key.starts_with("together-ai-") || key.contains("fireworks-ai-") {
        return None;
    }
    let prefixes = [
        "azure",
        "azure_ai",
        "bedrock",
        "bedrock_converse",
        "bedrock_mantle",
        "vertex_ai",
        "cohere",
    ];
    let own = text(row, "litellm_provider").unwrap_or("");
    let upstream = match key.split_once('/') {
        Some((first, rest)) if first == own || prefixes.contains(&first) => rest,
        _ => key,
    };
    match (known.slug, upstream.split_once('/')) {
        ("azure", Some((region @ ("eu" | "us" | "global"), rest))) => Some((rest, region)),
        ("azure", Some(("global-standard", rest))) => Some((rest, "")),
        // Commitments and single regions have prices of their own, which a
        // key of the catalogue cannot name.
        ("amazon-bedrock", Some(_)) => None,
        ("azure" | "google-vertex", Some((_, rest)))
            if known.slug == "azure" && rest.contains('/') =>
        {
            None
        }
        ("fireworks", None) => None,
        // Rows that outlived the names they are of: DeepSeek's own API takes
        // its v4 names only (its API documentation, 2026).
        ("deepseek", _)
            if matches!(
                upstream,
                "deepseek-v3" | "deepseek-v3.2" | "deepseek-r1" | "deepseek-coder"
            ) =>
        {
            None
        }
        // Others' models there are reached through another API.
        ("perplexity", _) if !upstream.starts_with("sonar") => None,
        _ => Some((upstream, "")),
    }
}

/// One search that reads as much as `size` says. Where nobody asks for a
/// size, most providers take the medium one.
fn web_search(raw: &RawValue, size: &str) -> Option<bourse_vocab::PicosPerUnit> {
    let sizes: BTreeMap<String, &RawValue> = serde_json::from_str(raw.get()).ok()?;
    decimal::read(sizes.get(size)?.get(), false)
}

/// What searches cost by how much they read, if that makes a difference.
fn search_fees(raw: &RawValue) -> Option<SearchFees> {
    let fee = |size| web_search(raw, size).map(Fee);
    let fees = SearchFees {
        low: fee("search_context_size_low")?,
        medium: fee("search_context_size_medium")?,
        high: fee("search_context_size_high")?,
    };
    (fees.low != fees.medium || fees.medium != fees.high).then_some(fees)
}

/// Whether `date` lies before the day, or the month, `as_of`.
fn is_past(date: &str, as_of: &str) -> bool {
    date.get(..as_of.len()).is_some_and(|date| date < as_of)
}

fn text<'a>(row: &Row<'a>, name: &str) -> Option<&'a str> {
    row.get(name)?.get().strip_prefix('"')?.strip_suffix('"')
}

/// A list of texts; empty if there is none.
fn list(row: &Row<'_>, name: &str) -> Vec<String> {
    row.get(name)
        .and_then(|raw| serde_json::from_str(raw.get()).ok())
        .unwrap_or_default()
}

fn number(row: &Row<'_>, name: &str) -> Option<u64> {
    whole(row.get(name)?.get()).filter(|&number| number > 0)
}

/// A whole number, also if printed as `1000000.0`.
fn whole(text: &str) -> Option<u64> {
    text.trim_end_matches('0')
        .strip_suffix('.')
        .unwrap_or(text)
        .parse()
        .ok()
}

fn flag(row: &Row<'_>, name: &str) -> bool {
    flag_or(row, name, false)
}

fn flag_or(row: &Row<'_>, name: &str, otherwise: bool) -> bool {
    row.get(name).map_or(otherwise, |raw| raw.get() == "true")
}

fn title(slug: &str) -> String {
    match slug {
        "ai21" => "AI21".to_owned(),
        "sambanova" => "SambaNova".to_owned(),
        other => {
            let mut letters = other.chars();
            let first = letters.next().map(|letter| letter.to_ascii_uppercase());
            first.into_iter().chain(letters).collect()
        }
    }
}

//! OpenRouter's own `GET /api/v1/models`: dollars for one unit, as decimal
//! strings (its API document, October 2026).

use std::collections::BTreeMap;

use bourse_vocab::PicosPerUnit;
use serde::Deserialize;
use serde_json::Value;

use super::{Imported, Note, Source, tokenizers};
use crate::model::{EffortName, Modalities, Modality, Parameter, Reasoning};
use crate::price::{PriceKey, Prices, Tier};
use crate::raw::{RawEndpoint, RawModel, RawPrice, RawProvider};
use crate::slug::is_slug;

#[derive(Deserialize)]
struct Document {
    data: Vec<Row>,
}

#[derive(Deserialize)]
struct Row {
    id: String,
    #[serde(default)]
    canonical_slug: String,
    #[serde(default)]
    name: String,
    #[serde(default)]
    created: u64,
    context_length: Option<u64>,
    #[serde(default)]
    architecture: Architecture,
    #[serde(default)]
    pricing: BTreeMap<String, Value>,
    #[serde(default)]
    top_provider: TopProvider,
    #[serde(default)]
    supported_parameters: Vec<String>,
    expiration_date: Option<String>,
    knowledge_cutoff: Option<String>,
    hugging_face_id: Option<String>,
    reasoning: Option<RowReasoning>,
    alias_target: Option<AliasTarget>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Architecture {
    input_modalities: Vec<String>,
    output_modalities: Vec<String>,
    tokenizer: Option<String>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct TopProvider {
    context_length: Option<u64>,
    max_completion_tokens: Option<u64>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct RowReasoning {
    mandatory: bool,
    supports_max_tokens: bool,
    supported_efforts: Option<Vec<String>>,
}

#[derive(Deserialize)]
struct AliasTarget {
    slug: String,
}

/// Reads the answer to `GET /api/v1/models`. Every row becomes a model and
/// OpenRouter's own offer of it.
pub(super) fn read(json: &str, as_of: &str) -> Result<Imported, serde_json::Error> {
    let document: Document = serde_json::from_str(json)?;
    let mut out = Imported::default();
    let mut aliases = Vec::new();
    out.catalog.providers.insert(
        "openrouter".to_owned(),
        RawProvider {
            name: "OpenRouter".to_owned(),
            env: vec!["OPENROUTER_API_KEY".to_owned()],
            base_url: Some("https://openrouter.ai/api/v1".to_owned()),
            gateway: true,
            ..RawProvider::default()
        },
    );
    for row in document.data {
        if let Some(target) = &row.alias_target {
            aliases.push((row.id.clone(), target.slug.clone()));
            continue;
        }
        if !is_slug(&row.id) {
            out.notes.push(Note::new(
                "offer left out: not author/model",
                row.id.clone(),
            ));
            continue;
        }
        read_row(row, as_of, &mut out);
    }
    for (alias, target) in aliases {
        match out.catalog.models.get_mut(&target) {
            Some(model) => model.aliases.push(alias),
            None => out
                .notes
                .push(Note::new("alias left out: no such model", alias)),
        }
    }
    Ok(out)
}

fn read_row(row: Row, as_of: &str, out: &mut Imported) {
    let slug = row.id;
    let mut parameters = crate::model::Parameters::EMPTY;
    for name in &row.supported_parameters {
        match Parameter::by_name(name) {
            Some(parameter) => parameters.insert(parameter),
            None => out
                .notes
                .push(Note::new("parameter not known", format!("`{slug}` {name}"))),
        }
    }
    let context_length = row
        .context_length
        .or(row.top_provider.context_length)
        .unwrap_or(0);
    let tokenizer = row.architecture.tokenizer;
    let model = RawModel {
        name: if row.name.is_empty() {
            slug.clone()
        } else {
            row.name
        },
        canonical_slug: Some(row.canonical_slug).filter(|name| is_slug(name) && *name != slug),
        created: row.created,
        context_length,
        max_output: row.top_provider.max_completion_tokens,
        input: modalities(&row.architecture.input_modalities),
        output: modalities(&row.architecture.output_modalities),
        tokenizer: tokenizer.or_else(|| Some(tokenizers::of(&slug).to_owned())),
        knowledge_cutoff: row.knowledge_cutoff,
        expiration_date: row.expiration_date,
        hugging_face_id: row.hugging_face_id.filter(|id| !id.is_empty()),
        reasoning: row.reasoning.map(|reasoning| Reasoning {
            mandatory: reasoning.mandatory,
            max_tokens: reasoning.supports_max_tokens,
            efforts: reasoning
                .supported_efforts
                .unwrap_or_default()
                .iter()
                .filter_map(|name| EffortName::by_name(name))
                .collect(),
        }),
        ..RawModel::default()
    };
    let price = read_price(&row.pricing, as_of);
    if price.is_none() {
        // The automatic routers state -1: what they cost depends on whom
        // they choose.
        out.notes.push(Note::new("no fixed price", slug.clone()));
    }
    let endpoint = RawEndpoint {
        model: slug.clone(),
        provider: "openrouter".to_owned(),
        upstream_model: slug.clone(),
        price,
        parameters,
        ..RawEndpoint::default()
    };
    out.catalog.models.insert(slug, model);
    super::file(out, endpoint);
}

fn read_price(pricing: &BTreeMap<String, Value>, as_of: &str) -> Option<RawPrice> {
    let base = read_prices(pricing.iter())?;
    if !base.is_known() {
        return None;
    }
    let mut tiers = Vec::new();
    for entry in pricing
        .get("overrides")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
    {
        // Prices by the hour of the day cannot be kept; the base prices are
        // then those of some hour, and the importer is told by the diff.
        let Some(min_prompt_tokens) = entry.get("min_prompt_tokens").and_then(Value::as_u64) else {
            continue;
        };
        let prices = read_prices(entry.as_object()?.iter())?;
        tiers.push(Tier {
            min_prompt_tokens,
            prices,
        });
    }
    tiers.sort_by_key(|tier| tier.min_prompt_tokens);
    tiers.dedup_by_key(|tier| tier.min_prompt_tokens);
    Some(RawPrice {
        base,
        tiers,
        services: Vec::new(),
        searches: None,
        source: Source::OpenRouter.name().to_owned(),
        as_of: as_of.to_owned(),
    })
}

/// `None` if a price is negative or not a decimal.
fn read_prices<'a>(members: impl Iterator<Item = (&'a String, &'a Value)>) -> Option<Prices> {
    let mut prices = Prices::default();
    for (name, value) in members {
        let (Some(key), Some(text)) = (PriceKey::by_public_name(name), value.as_str()) else {
            continue;
        };
        prices.set(key, Some(PicosPerUnit::parse_usd_per_unit(text).ok()?));
    }
    // The list writes zero for what it does not charge separately.
    super::merge::without_nonsense(&mut prices);
    Some(prices)
}

fn modalities(names: &[String]) -> Modalities {
    names
        .iter()
        .filter_map(|name| Modality::by_name(name))
        .collect()
}

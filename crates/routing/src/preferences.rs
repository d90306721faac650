//! What the caller wants of a provider: the `provider` object of a request
//! (openrouter.ai/docs, provider selection, August 2026).

use std::collections::BTreeMap;

use bourse_vocab::json::{self, Map, Value};
use bourse_vocab::{Failure, PicosPerUnit};
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::strategies::{self, Strategy};

/// More slugs than anybody lists by hand; a longer list is a mistake.
const SLUGS_MAX: usize = 256;
/// Bytes of `options`: grammars and schemas are the longest of what stands
/// there. They are kept for as long as the call is.
const OPTIONS_BYTES_MAX: usize = 64 * 1024;

/// Whether a sort keeps the order of `models`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Partition {
    /// Every endpoint of the first model before those of the second.
    #[default]
    Model,
    /// All endpoints of all models together.
    None,
}

/// How to order, in place of balancing load.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sort {
    /// By what.
    pub by: &'static dyn Strategy,
    /// Across models or within each.
    pub partition: Partition,
}

/// Percentile cut-offs; an endpoint that misses one goes to the back.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Cutoffs {
    /// At the median.
    pub p50: Option<f64>,
    /// At three quarters.
    pub p75: Option<f64>,
    /// At nine tenths.
    pub p90: Option<f64>,
    /// At 99 %.
    pub p99: Option<f64>,
}

/// The most the caller will pay. A hard filter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct MaxPrice {
    /// For one input token.
    pub prompt: Option<PicosPerUnit>,
    /// For one output token.
    pub completion: Option<PicosPerUnit>,
    /// For one request.
    pub request: Option<PicosPerUnit>,
    /// For one input image.
    pub image: Option<PicosPerUnit>,
    /// For one input token that is audio: the unit of catalogs' `pricing.audio`
    /// (openrouter.ai/docs, OpenAPI description, October 2026).
    pub audio: Option<PicosPerUnit>,
}

/// The caller's wishes, checked.
#[derive(Debug, Clone, PartialEq)]
pub struct Preferences {
    /// Provider slugs to try first, in this order.
    pub order: Vec<String>,
    /// The only providers allowed; empty means all.
    pub only: Vec<String>,
    /// Providers not allowed.
    pub ignore: Vec<String>,
    /// Whether to try others when the first ones fail.
    pub allow_fallbacks: bool,
    /// Whether an endpoint must support every parameter that was sent.
    pub require_parameters: bool,
    /// Whether that is so because the caller's key says it, and not the request.
    pub is_strict_by_key: bool,
    /// Whether to leave out providers that store or train on prompts.
    pub deny_data_collection: bool,
    /// Whether to use only endpoints with zero data retention.
    pub zdr: bool,
    /// How to order, instead of balancing load.
    pub sort: Option<Sort>,
    /// The most the caller will pay.
    pub max_price: MaxPrice,
    /// Allowed quantizations, lower case; empty means all.
    pub quantizations: Vec<String>,
    /// Tokens a second below which an endpoint goes to the back.
    pub preferred_min_throughput: Option<Cutoffs>,
    /// Seconds to the first token above which an endpoint goes to the back.
    pub preferred_max_latency: Option<Cutoffs>,
    /// Members of the request for one provider alone, by its slug. Which of
    /// them it may be sent is not known here.
    pub options: BTreeMap<String, Map>,
}

impl Default for Preferences {
    fn default() -> Self {
        Self {
            order: Vec::new(),
            only: Vec::new(),
            ignore: Vec::new(),
            allow_fallbacks: true,
            require_parameters: false,
            is_strict_by_key: false,
            deny_data_collection: false,
            zdr: false,
            sort: None,
            max_price: MaxPrice::default(),
            quantizations: Vec::new(),
            preferred_min_throughput: None,
            preferred_max_latency: None,
            options: BTreeMap::new(),
        }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawPreferences<'a> {
    order: Option<Vec<String>>,
    only: Option<Vec<String>>,
    ignore: Option<Vec<String>>,
    allow_fallbacks: Option<bool>,
    require_parameters: Option<bool>,
    data_collection: Option<DataCollection>,
    zdr: Option<bool>,
    enforce_distillable_text: Option<bool>,
    #[serde(borrow)]
    sort: Option<&'a RawValue>,
    #[serde(borrow)]
    max_price: Option<RawMaxPrice<'a>>,
    quantizations: Option<Vec<String>>,
    #[serde(borrow)]
    preferred_min_throughput: Option<&'a RawValue>,
    #[serde(borrow)]
    preferred_max_latency: Option<&'a RawValue>,
    #[serde(borrow)]
    options: Option<&'a RawValue>,
}

#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
enum DataCollection {
    Allow,
    Deny,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawMaxPrice<'a> {
    #[serde(borrow)]
    prompt: Option<&'a RawValue>,
    #[serde(borrow)]
    completion: Option<&'a RawValue>,
    #[serde(borrow)]
    request: Option<&'a RawValue>,
    #[serde(borrow)]
    image: Option<&'a RawValue>,
    #[serde(borrow)]
    audio: Option<&'a RawValue>,
}

const QUANTIZATIONS: &[&str] = &[
    "int4", "int8", "fp4", "mxfp4", "nvfp4", "fp6", "fp8", "mxfp8", "fp16", "bf16", "fp32",
    "unknown",
];

impl Preferences {
    /// Requires every parameter, whatever the request says of that.
    pub const fn be_strict(&mut self) {
        self.is_strict_by_key = true;
        self.require_parameters = true;
    }

    /// What a caller may do other than to remove parameters.
    #[must_use]
    pub const fn instead_of_strict(&self) -> &'static str {
        match self.is_strict_by_key {
            true => "call with a key that is not strict",
            false => "provider.require_parameters",
        }
    }

    /// Reads the `provider` object. Errors name the member and the remedy.
    pub fn read(json: &str) -> Result<Self, Failure> {
        let raw: Option<RawPreferences<'_>> = serde_json::from_str(json)
            .map_err(|error| Failure::invalid(format!("provider: {error}")))?;
        let Some(raw) = raw else {
            return Ok(Self::default());
        };
        if raw.enforce_distillable_text == Some(true) {
            return Err(Failure::invalid(
                "provider.enforce_distillable_text: the catalog does not record which authors permit distillation; remove this field",
            ));
        }
        let quantizations = slugs("quantizations", raw.quantizations)?;
        if let Some(odd) = quantizations
            .iter()
            .find(|q| !QUANTIZATIONS.contains(&q.as_str()))
        {
            return Err(Failure::invalid(format!(
                "provider.quantizations: `{odd}` is not one of {}",
                QUANTIZATIONS.join(", ")
            )));
        }
        Ok(Self {
            order: slugs("order", raw.order)?,
            only: slugs("only", raw.only)?,
            ignore: slugs("ignore", raw.ignore)?,
            allow_fallbacks: raw.allow_fallbacks.unwrap_or(true),
            require_parameters: raw.require_parameters.unwrap_or(false),
            is_strict_by_key: false,
            deny_data_collection: matches!(raw.data_collection, Some(DataCollection::Deny)),
            zdr: raw.zdr.unwrap_or(false),
            sort: raw.sort.map(read_sort).transpose()?.flatten(),
            max_price: raw
                .max_price
                .as_ref()
                .map(read_max_price)
                .transpose()?
                .unwrap_or_default(),
            quantizations,
            preferred_min_throughput: raw
                .preferred_min_throughput
                .map(|raw| read_cutoffs("preferred_min_throughput", raw))
                .transpose()?
                .flatten(),
            preferred_max_latency: raw
                .preferred_max_latency
                .map(|raw| read_cutoffs("preferred_max_latency", raw))
                .transpose()?
                .flatten(),
            options: raw
                .options
                .map(read_options)
                .transpose()?
                .unwrap_or_default(),
        })
    }
}

fn slugs(field: &str, list: Option<Vec<String>>) -> Result<Vec<String>, Failure> {
    let mut list = list.unwrap_or_default();
    if list.len() > SLUGS_MAX {
        return Err(Failure::invalid(format!(
            "provider.{field}: at most {SLUGS_MAX} entries"
        )));
    }
    for slug in &mut list {
        slug.make_ascii_lowercase();
    }
    Ok(list)
}

/// Objects of members, by slugs of providers. Those without a member say
/// nothing.
fn read_options(raw: &RawValue) -> Result<BTreeMap<String, Map>, Failure> {
    const FIELD: &str = "provider.options";
    if raw.get().len() > OPTIONS_BYTES_MAX {
        return Err(Failure::invalid(format!(
            "{FIELD}: at most {OPTIONS_BYTES_MAX} bytes"
        )));
    }
    let value = json::parse(raw.get().as_bytes())
        .map_err(|error| Failure::invalid(format!("{FIELD}: {error}")))?;
    let by_slug = match value {
        Value::Null => return Ok(BTreeMap::new()),
        Value::Object(by_slug) => by_slug,
        _ => {
            return Err(Failure::invalid(format!(
                "{FIELD}: must be an object of objects, by slugs of providers"
            )));
        }
    };
    if by_slug.len() > SLUGS_MAX {
        return Err(Failure::invalid(format!(
            "{FIELD}: at most {SLUGS_MAX} providers"
        )));
    }
    let mut read = BTreeMap::new();
    for (slug, options) in by_slug {
        let Value::Object(options) = options else {
            return Err(Failure::invalid(format!(
                "{FIELD}.{slug}: must be an object of members for this provider alone"
            )));
        };
        let slug = slug.to_ascii_lowercase();
        if !options.is_empty() && read.insert(slug.clone(), options).is_some() {
            return Err(Failure::invalid(format!("{FIELD}.{slug}: is there twice")));
        }
    }
    Ok(read)
}

/// A strategy's name, or an object with it.
fn read_sort(raw: &RawValue) -> Result<Option<Sort>, Failure> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Long {
        by: String,
        partition: Option<Partition>,
    }
    let refused = |why: String| Failure::invalid(format!("provider.sort: {why}"));
    let text = raw.get();
    if text == "null" {
        return Ok(None);
    }
    let long = if text.starts_with('"') {
        serde_json::from_str(text).map(|by| Long {
            by,
            partition: None,
        })
    } else {
        serde_json::from_str(text)
    };
    let long = long.map_err(|error| refused(error.to_string()))?;
    Ok(Some(Sort {
        by: strategies::by_name(&long.by).map_err(refused)?,
        partition: long.partition.unwrap_or_default(),
    }))
}

fn read_max_price(raw: &RawMaxPrice<'_>) -> Result<MaxPrice, Failure> {
    type Parse = fn(&str) -> Result<PicosPerUnit, bourse_vocab::money::MoneyError>;
    let amount = |field: &str, raw: Option<&RawValue>, parse: Parse| {
        let Some(text) = raw.map(RawValue::get).filter(|text| *text != "null") else {
            return Ok(None);
        };
        parse(text.trim_matches('"'))
            .map(Some)
            .map_err(|error| Failure::invalid(format!("provider.max_price.{field}: {error}")))
    };
    Ok(MaxPrice {
        prompt: amount("prompt", raw.prompt, PicosPerUnit::parse_usd_per_million)?,
        completion: amount(
            "completion",
            raw.completion,
            PicosPerUnit::parse_usd_per_million,
        )?,
        request: amount("request", raw.request, PicosPerUnit::parse_usd_per_unit)?,
        image: amount("image", raw.image, PicosPerUnit::parse_usd_per_unit)?,
        audio: amount("audio", raw.audio, PicosPerUnit::parse_usd_per_unit)?,
    })
}

fn read_cutoffs(field: &str, raw: &RawValue) -> Result<Option<Cutoffs>, Failure> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Long {
        p50: Option<f64>,
        p75: Option<f64>,
        p90: Option<f64>,
        p99: Option<f64>,
    }
    let text = raw.get();
    if text == "null" {
        return Ok(None);
    }
    if let Ok(p50) = serde_json::from_str::<f64>(text) {
        return Ok(Some(Cutoffs {
            p50: Some(p50),
            ..Cutoffs::default()
        }));
    }
    serde_json::from_str::<Long>(text)
        .map(|Long { p50, p75, p90, p99 }| Some(Cutoffs { p50, p75, p90, p99 }))
        .map_err(|error| Failure::invalid(format!("provider.{field}: {error}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wishes_are_read() {
        let wishes = Preferences::read(
            r#"{"order":["OpenAI","azure"],"allow_fallbacks":false,"data_collection":"deny",
                "sort":{"by":"price","partition":"none"},"max_price":{"prompt":1.5,"completion":"2"},
                "quantizations":["fp8"],"preferred_max_latency":0.5}"#,
        )
        .unwrap();
        assert_eq!(wishes.order, ["openai", "azure"]);
        assert!(!wishes.allow_fallbacks && wishes.deny_data_collection);
        assert_eq!(
            wishes.sort,
            Some(Sort {
                by: strategies::by_name("price").unwrap(),
                partition: Partition::None
            })
        );
        assert_eq!(wishes.max_price.prompt, Some(PicosPerUnit::new(1_500_000)));
        assert_eq!(
            wishes.max_price.completion,
            Some(PicosPerUnit::new(2_000_000))
        );
        assert_eq!(wishes.preferred_max_latency.unwrap().p50, Some(0.5));
        assert_eq!(Preferences::read("null").unwrap(), Preferences::default());
        assert_eq!(Preferences::read("{}").unwrap(), Preferences::default());
    }

    #[test]
    fn every_refusal_names_the_member() {
        for (json, member) in [
            (r#"{"ordr":[]}"#, "ordr"),
            (
                r#"{"sort":"cheapness"}"#,
                "provider.sort: `cheapness` is not one of price, throughput, latency, exacto",
            ),
            (r#"{"sort":"weighted"}"#, "not one of price,"),
            (r#"{"sort":{"by":"price","among":1}}"#, "among"),
            (r#"{"sort":7}"#, "provider.sort"),
            (
                r#"{"max_price":{"prompt":-1}}"#,
                "provider.max_price.prompt",
            ),
            (
                r#"{"max_price":{"audio":"some"}}"#,
                "provider.max_price.audio",
            ),
            (r#"{"quantizations":["fp7"]}"#, "provider.quantizations"),
            (r#"{"data_collection":"maybe"}"#, "provider"),
            (
                r#"{"enforce_distillable_text":true}"#,
                "provider.enforce_distillable_text",
            ),
            (r#"{"options":[]}"#, "provider.options"),
            (r#"{"options":{"openai":7}}"#, "provider.options.openai"),
            (
                r#"{"options":{"openai":{"a":1},"OpenAI":{"a":2}}}"#,
                "provider.options.openai",
            ),
            (r#""openai""#, "provider"),
        ] {
            let failure = Preferences::read(json).unwrap_err();
            assert!(
                failure.message.contains(member),
                "{json}: {}",
                failure.message
            );
        }
    }
}

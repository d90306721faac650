//! Which models are wanted, and in what order.

use std::cmp::Reverse;

use bourse_catalog::{Modalities, Modality, Parameter, Parameters, ProviderIx, Snapshot};
use bourse_vocab::PicosPerUnit;

use super::listing::Offer;
use crate::args::Args;
use crate::backend::Backend;
use crate::error::{Result, invalid};
use crate::time::DAY_MS;

/// Filters that OpenRouter has and that need facts which we do not keep.
const UNSUPPORTED: &[&str] = &[
    "category",
    "distillable",
    "region",
    "use_rss",
    "use_rss_chat_links",
    "min_intelligence_index",
    "max_intelligence_index",
    "min_coding_index",
    "max_coding_index",
    "min_agentic_index",
    "max_agentic_index",
    "min_tool_success_rate",
    "max_tool_success_rate",
];

/// Orders there are.
pub(super) const SORTS: &[&str] = &[
    "newest",
    "pricing-low-to-high",
    "pricing-high-to-low",
    "context-high-to-low",
    "throughput-high-to-low",
    "latency-low-to-high",
];

/// Which models are wanted.
#[derive(Debug, Default)]
pub(super) struct Filter {
    part: Option<String>,
    parameters: Parameters,
    input: Modalities,
    /// Empty: any.
    output: Modalities,
    context_min: u64,
    prompt: Between,
    completion: Between,
    arch: Option<String>,
    authors: Option<Vec<String>>,
    providers: Option<Vec<ProviderIx>>,
    zdr: bool,
    released_from: Option<u64>,
    released_to: Option<u64>,
}

/// Prices from and to.
#[derive(Debug, Default)]
struct Between(Option<PicosPerUnit>, Option<PicosPerUnit>);

impl Between {
    fn read(args: &Args, min: &str, max: &str) -> Result<Self> {
        let price = |name: &str| {
            args.text(name)
                .map(|text| {
                    PicosPerUnit::parse_usd_per_million(text).map_err(|error| {
                        invalid(format!("{name}: US dollars for a million tokens: {error}"))
                    })
                })
                .transpose()
        };
        Ok(Self(price(min)?, price(max)?))
    }

    fn admits(&self, price: PicosPerUnit) -> bool {
        self.0.is_none_or(|min| price >= min) && self.1.is_none_or(|max| price <= max)
    }
}

fn read_modalities(args: &Args, name: &'static str) -> Result<Modalities> {
    args.list(name)
        .map(|item| {
            Modality::by_name(item).ok_or_else(|| {
                let known: Vec<_> = Modality::ALL.iter().map(|m| m.name()).collect();
                invalid(format!("{name}: must be of {}", known.join(", ")))
            })
        })
        .collect()
}

impl Filter {
    /// Reads the arguments of a query.
    pub(super) fn read(args: &Args, catalog: &Snapshot, now_ms: u64) -> Result<Self> {
        args.refuse(UNSUPPORTED, "Bourse keeps no data for this filter")?;
        let parameters = args
            .list("supported_parameters")
            .map(|item| {
                Parameter::by_name(item).ok_or_else(|| {
                    let known: Vec<_> = Parameter::ALL.iter().map(|p| p.name()).collect();
                    let known = known.join(", ");
                    invalid(format!("supported_parameters: must be of {known}"))
                })
            })
            .collect::<Result<Parameters>>()?;
        let output = match args.text("output_modalities") {
            Some("all") => Modalities::EMPTY,
            Some(_) => read_modalities(args, "output_modalities")?,
            None => Modalities::of(&[Modality::Text]),
        };
        let days_ago = |name| -> Result<Option<u64>> {
            let days = args.number(name)?;
            let ago = |days: u64| now_ms.saturating_sub(days.saturating_mul(DAY_MS)) / 1000;
            Ok(days.map(ago))
        };
        let lower = |text: &str| text.to_lowercase();
        Ok(Self {
            part: args.text("q").map(lower),
            parameters,
            input: read_modalities(args, "input_modalities")?,
            output,
            context_min: args.number("context")?.unwrap_or(0),
            prompt: Between::read(args, "min_price", "max_price")?,
            completion: Between::read(args, "min_output_price", "max_output_price")?,
            arch: args.text("arch").map(lower),
            authors: args
                .text("model_authors")
                .map(|_| args.list("model_authors").map(lower).collect()),
            providers: args.text("providers").map(|_| {
                args.list("providers")
                    .filter_map(|name| catalog.provider_by_slug(&lower(name)))
                    .map(|provider| provider.ix)
                    .collect()
            }),
            zdr: args.flag("zdr")?.unwrap_or(false),
            released_from: days_ago("max_age_days")?,
            released_to: days_ago("min_age_days")?,
        })
    }

    /// Whether a model is wanted.
    pub(super) fn admits(&self, offer: &Offer, catalog: &Snapshot) -> bool {
        let model = catalog.model(offer.model);
        let is_named = self.part.as_ref().is_none_or(|part| {
            offer.id.contains(part.as_str()) || model.name.to_lowercase().contains(part.as_str())
        });
        let outputs = model.output_modalities;
        let tokenizer = model.tokenizer.as_deref().unwrap_or("Other");
        let mut endpoints = catalog.endpoints(offer.model).iter();
        is_named
            && offer.limits.parameters.contains_all(self.parameters)
            && model.input_modalities.contains_all(self.input)
            && (self.output.is_empty() || !outputs.intersection(self.output).is_empty())
            && offer.limits.context_length >= self.context_min
            && self.prompt.admits(offer.prompt)
            && self.completion.admits(offer.completion)
            && self
                .arch
                .as_ref()
                .is_none_or(|arch| tokenizer.eq_ignore_ascii_case(arch))
            && self
                .authors
                .as_ref()
                .is_none_or(|authors| authors.iter().any(|author| author == model.author()))
            && self
                .released_from
                .is_none_or(|from| model.created.is_some_and(|at| at >= from))
            && self
                .released_to
                .is_none_or(|to| model.created.is_some_and(|at| at <= to))
            && (!self.zdr && self.providers.is_none()
                || endpoints.any(|endpoint| {
                    endpoint.is_listed()
                        && (!self.zdr || endpoint.data_policy.zdr)
                        && self
                            .providers
                            .as_ref()
                            .is_none_or(|providers| providers.contains(&endpoint.provider))
                }))
    }
}

/// Sorts what was found; the list comes newest first.
pub(super) fn sort(
    found: &mut [&Offer],
    args: &Args,
    catalog: &Snapshot,
    backend: &dyn Backend,
) -> Result<()> {
    // The mean of input and output price, as OpenRouter sorts; halving it
    // changes no order.
    let price =
        |offer: &&Offer| u128::from(offer.prompt.get()) + u128::from(offer.completion.get());
    // Recent medians of the endpoint that stands for the model.
    let stats = |offer: &&Offer| backend.endpoint_stats(&catalog.endpoint(offer.best).id);
    match args.text("sort") {
        None | Some("newest") => {}
        Some("pricing-low-to-high") => found.sort_by_key(price),
        Some("pricing-high-to-low") => found.sort_by_key(|offer| Reverse(price(offer))),
        Some("context-high-to-low") => {
            found.sort_by_key(|offer| Reverse(offer.limits.context_length));
        }
        Some("throughput-high-to-low") => {
            by_measure(found, |offer| Some(-stats(offer)?.throughput_last_30m?.p50));
        }
        Some("latency-low-to-high") => {
            by_measure(found, |offer| Some(stats(offer)?.latency_last_30m?.p50));
        }
        Some(_) => {
            let known = SORTS.join(", ");
            return Err(invalid(format!("sort: must be one of {known}")));
        }
    }
    Ok(())
}

/// Lowest first; what was not measured comes last.
fn by_measure(found: &mut [&Offer], measure: impl Fn(&&Offer) -> Option<f64>) {
    let measured = |offer: &&Offer| measure(offer).unwrap_or(f64::INFINITY);
    let mut keyed: Vec<_> = found
        .iter()
        .map(|offer| (measured(offer), *offer))
        .collect();
    keyed.sort_by(|a, b| a.0.total_cmp(&b.0));
    for (slot, (_, offer)) in found.iter_mut().zip(keyed) {
        *slot = offer;
    }
}

//! Reading what an overlay states: each value at its path, so that a mistake
//! names its place.

use bourse_vocab::ServiceTier;

use super::{OPERATOR, OverlayPrice};
use crate::model::{Modalities, Modality, Parameter, Parameters, Quantization};
use crate::price::{PriceKey, Prices, ServicePrices, Tier};
use crate::problem::Problem;
use crate::raw::RawPrice;

/// Reads values at a path and notes what is wrong with them.
pub(super) struct Reader<'a> {
    path: String,
    problems: &'a mut Vec<Problem>,
}

impl<'a> Reader<'a> {
    pub(super) fn new(path: String, problems: &'a mut Vec<Problem>) -> Self {
        Self { path, problems }
    }

    pub(super) fn inside(&mut self, field: &str) -> Reader<'_> {
        Reader {
            path: format!("{}.{field}", self.path),
            problems: self.problems,
        }
    }

    pub(super) fn wrong(&mut self, field: &str, message: impl Into<String>) {
        let path = match field {
            "" => self.path.clone(),
            field => format!("{}.{field}", self.path),
        };
        self.problems.push(Problem::new(path, message));
    }

    pub(super) fn modalities(
        &mut self,
        field: &str,
        names: Option<&[String]>,
    ) -> Option<Modalities> {
        let set = self.names(field, names?, Modality::by_name, Modality::ALL);
        if set.is_empty() {
            self.wrong(field, "must not be empty");
        }
        Some(set.into_iter().collect())
    }

    pub(super) fn parameters(
        &mut self,
        field: &str,
        names: Option<&[String]>,
    ) -> Option<Parameters> {
        let set = self.names(field, names?, Parameter::by_name, Parameter::ALL);
        Some(set.into_iter().collect())
    }

    pub(super) fn quantization(&mut self, name: Option<&String>) -> Option<Quantization> {
        let name = name?;
        let level = Quantization::by_name(name);
        if level.is_none() {
            let names: Vec<_> = Quantization::ALL.iter().map(|level| level.name()).collect();
            self.wrong(
                "quantization",
                format!("\"{name}\" is not one of {}", names.join(", ")),
            );
        }
        level
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

/// Reads a table of prices.
pub(super) fn price(price: &OverlayPrice, at: &mut Reader<'_>) -> RawPrice {
    let (base, tiers) = short_and_long(price, at);
    let mut services = Vec::with_capacity(price.services.len());
    for (name, stated) in &price.services {
        let mut at = at.inside(&format!("services.{name}"));
        // `fast` is another name for one of them: two would be one tier twice.
        let found = ServiceTier::ALL
            .into_iter()
            .find(|tier| tier.name() == name);
        let Some(service) = found else {
            at.wrong("", "is not one of batch, flex, priority, ultrafast");
            continue;
        };
        if !stated.services.is_empty() {
            at.wrong("services", "a tier of service has none of its own");
        }
        let (base, tiers) = short_and_long(stated, &mut at);
        services.push(ServicePrices {
            service,
            base,
            tiers,
        });
    }
    RawPrice {
        services,
        base,
        tiers,
        searches: None,
        source: OPERATOR.to_owned(),
        as_of: String::new(),
    }
}

/// Reads the prices of short prompts, both sides of which must be stated, and
/// those of longer ones.
fn short_and_long(price: &OverlayPrice, at: &mut Reader<'_>) -> (Prices, Vec<Tier>) {
    let base = at.prices([
        (PriceKey::Prompt, &price.prompt),
        (PriceKey::Completion, &price.completion),
        (PriceKey::CacheRead, &price.cache_read),
        (PriceKey::CacheReadAudio, &price.cache_read_audio),
        (PriceKey::CacheWrite5m, &price.cache_write_5m),
        (PriceKey::CacheWrite1h, &price.cache_write_1h),
        (PriceKey::Reasoning, &price.reasoning),
        (PriceKey::Image, &price.image),
        (PriceKey::ImageInput, &price.image_input),
        (PriceKey::ImageOutput, &price.image_output),
        (PriceKey::Audio, &price.audio),
        (PriceKey::AudioOutput, &price.audio_output),
        (PriceKey::Request, &price.request),
        (PriceKey::WebSearch, &price.web_search),
        (PriceKey::Picture, &price.picture),
        (PriceKey::SearchUnit, &price.search_unit),
        (PriceKey::AudioSecond, &price.audio_second),
        (PriceKey::Character, &price.character),
        (PriceKey::VideoSecond, &price.video_second),
        (PriceKey::VideoSecond480p, &price.video_second_480p),
        (PriceKey::VideoSecond1080p, &price.video_second_1080p),
        (PriceKey::VideoSecond4k, &price.video_second_4k),
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
            (PriceKey::CacheReadAudio, &tier.cache_read_audio),
            (PriceKey::CacheWrite5m, &tier.cache_write_5m),
            (PriceKey::CacheWrite1h, &tier.cache_write_1h),
            (PriceKey::Reasoning, &tier.reasoning),
            (PriceKey::ImageInput, &tier.image_input),
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
    (base, tiers)
}

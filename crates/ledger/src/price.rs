//! What a usage costs.
//!
//! Every line of a charge is units times a price, rounded up to a whole
//! nano-dollar once; the total is the sum of its lines, so nothing is
//! rounded twice and a bill can be checked with a pencil. The markup is the
//! last line.
//!
//! A price list does not always say everything. What it leaves out is
//! charged as follows, never as nothing:
//!
//! | not stated | charged as |
//! |---|---|
//! | reading a cache, audio input | input |
//! | writing a five-minute cache | input |
//! | writing a one-hour cache | a five-minute one or input, whichever is dearer |
//! | reasoning, audio output, image output | output |
//! | one image, one request | nothing beyond its tokens: lists that charge for them say so |
//! | input, output, web search | refused |
#![deny(clippy::float_arithmetic, clippy::arithmetic_side_effects)]

mod bound;
mod prompt;

use bourse_catalog::{PriceKey, PriceList, Prices};
use bourse_vocab::money::{PICOS_PER_NANO, PPM};
use bourse_vocab::usage::TOKENS_MAX;
use bourse_vocab::{Bill, Nanos, PicosPerUnit, Usage};

pub use bound::{Bounds, upper_bound};
pub use prompt::{prompt_tokens_estimate, prompt_tokens_max};

/// The largest markup: a thousand times the price. More is a mistake.
pub const MARKUP_PPM_MAX: u64 = 1_000 * PPM;

/// Why a usage cannot be priced.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PriceError {
    /// The price list lacks a price that is needed.
    #[error("no known price for {0}")]
    Unknown(PriceKey),
    /// More units than any call can use.
    #[error("{0} units of {1} are more than any call can use")]
    TooMany(u64, PriceKey),
    /// A line or the total is beyond what an account can hold.
    #[error("the charge is out of range")]
    OutOfRange,
    /// The markup is larger than [`MARKUP_PPM_MAX`].
    #[error("the markup is out of range")]
    Markup,
}

/// What a line is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Item {
    /// Something that the provider charges for.
    Price(PriceKey),
    /// What we add.
    Markup,
    /// What a checkpoint said that the call had cost when the server
    /// stopped: nano-dollars, in one sum.
    Checkpoint,
    /// Something that a later version knows, by its number in records.
    Other(u64),
}

impl Item {
    /// Whether the line belongs to the input: see [`Charge::upstream_prompt`].
    const fn is_input(self) -> bool {
        matches!(
            self,
            Self::Price(
                PriceKey::Prompt
                    | PriceKey::CacheRead
                    | PriceKey::CacheWrite5m
                    | PriceKey::CacheWrite1h
                    | PriceKey::Audio
                    | PriceKey::Image
                    | PriceKey::Request
            )
        )
    }
}

/// One line of a charge.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Line {
    /// What for.
    pub item: Item,
    /// How many units; parts per million for the markup.
    pub units: u64,
    /// The price of one unit; nothing for the markup.
    pub price: PicosPerUnit,
    /// Units times price, rounded up to a nano-dollar.
    pub amount: Nanos,
}

/// What a usage costs.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Charge {
    /// The lines; none of them is zero.
    pub lines: Vec<Line>,
    /// What the provider charges for the input, images and the request.
    pub upstream_prompt: Nanos,
    /// What the provider charges for the output and its searches.
    pub upstream_completion: Nanos,
    /// What the provider charges in all.
    pub upstream_total: Nanos,
    /// What the customer pays: the sum of the lines.
    pub total: Nanos,
}

impl Charge {
    /// As the caller is told.
    #[must_use]
    pub const fn bill(&self, estimated: bool) -> Bill {
        Bill {
            total: self.total,
            upstream_prompt: self.upstream_prompt,
            upstream_completion: self.upstream_completion,
            estimated,
        }
    }

    /// As [`crate::who_pays`] takes it.
    #[must_use]
    pub const fn priced(&self) -> crate::who_pays::Priced {
        crate::who_pays::Priced {
            charge: self.total,
            upstream: self.upstream_total,
        }
    }

    fn line(&mut self, item: Item, units: u64, price: PicosPerUnit, amount: Nanos) -> Added {
        if amount != Nanos::ZERO {
            self.lines.push(Line {
                item,
                units,
                price,
                amount,
            });
            self.total = self
                .total
                .checked_add(amount)
                .ok_or(PriceError::OutOfRange)?;
        }
        Ok(amount)
    }

    fn item(&mut self, key: PriceKey, units: u64, price: PicosPerUnit) -> Added {
        if units > TOKENS_MAX {
            return Err(PriceError::TooMany(units, key));
        }
        let amount = round_up(price.times(units), PICOS_PER_NANO)?;
        self.line(Item::Price(key), units, price, amount)
    }

    /// Computes a charge anew from the items, units and prices of its lines:
    /// whatever amounts they carry are not believed. A bill is checked with
    /// nothing but itself.
    ///
    /// # Errors
    /// Sums out of range, a markup that is a mistake.
    pub fn recompute(lines: &[Line]) -> Result<Self, PriceError> {
        let mut charge = Self::default();
        for line in lines {
            let Line {
                item, units, price, ..
            } = *line;
            if item == Item::Markup {
                let added = markup(charge.upstream_total, units)?;
                charge.line(item, units, price, added)?;
                continue;
            }
            let amount = round_up(price.times(units), PICOS_PER_NANO)?;
            charge.line(item, units, price, amount)?;
            let side = if item.is_input() {
                &mut charge.upstream_prompt
            } else {
                &mut charge.upstream_completion
            };
            *side = side.checked_add(amount).ok_or(PriceError::OutOfRange)?;
            charge.upstream_total = charge.total;
        }
        Ok(charge)
    }
}

type Added = Result<Nanos, PriceError>;

fn round_up(value: u128, unit: u128) -> Added {
    let rounded = value.div_ceil(unit.max(1));
    i64::try_from(rounded)
        .map(Nanos)
        .map_err(|_| PriceError::OutOfRange)
}

/// The prices of one call with every gap filled, see the module's table.
#[derive(Debug, Clone, Copy)]
struct Filled {
    prompt: PicosPerUnit,
    cache_read: PicosPerUnit,
    cache_write_5m: PicosPerUnit,
    cache_write_1h: PicosPerUnit,
    audio: PicosPerUnit,
    completion: PicosPerUnit,
    reasoning: PicosPerUnit,
    audio_output: PicosPerUnit,
    image_output: PicosPerUnit,
}

impl Filled {
    fn new(prices: &Prices) -> Result<Self, PriceError> {
        let unknown = PriceError::Unknown;
        let prompt = prices.prompt.ok_or(unknown(PriceKey::Prompt))?;
        let completion = prices.completion.ok_or(unknown(PriceKey::Completion))?;
        let cache_write_5m = prices.cache_write_5m.unwrap_or(prompt);
        Ok(Self {
            prompt,
            cache_read: prices.cache_read.unwrap_or(prompt),
            cache_write_5m,
            cache_write_1h: prices.cache_write_1h.unwrap_or(cache_write_5m.max(prompt)),
            audio: prices.audio.unwrap_or(prompt),
            completion,
            reasoning: prices.reasoning.unwrap_or(completion),
            audio_output: prices.audio_output.unwrap_or(completion),
            image_output: prices.image_output.unwrap_or(completion),
        })
    }
}

/// Prices a usage: `images` input images, and a markup in parts per million
/// of what the provider charges.
///
/// Parts that exceed their whole (which [`bourse_vocab::UsageReport::resolve`]
/// does not let through) are charged as reported; the plain rest is then
/// zero, not negative.
///
/// # Errors
/// A price that is needed and unknown; units or sums out of range.
pub fn price(
    usage: &Usage,
    images: u64,
    list: &PriceList,
    markup_ppm: u64,
) -> Result<Charge, PriceError> {
    let prices = list.at(usage.prompt);
    let rates = Filled::new(&prices)?;
    let cached = usage.cache_read.saturating_add(usage.cache_write());
    let uncached = usage.prompt.saturating_sub(cached);
    // Audio that was read from a cache is charged as cached input, so only
    // what is left can be charged as audio.
    let audio = usage.prompt_audio.min(uncached);
    let special = usage
        .reasoning
        .saturating_add(usage.completion_audio)
        .saturating_add(usage.completion_image);
    let none = PicosPerUnit::FREE;

    let mut charge = Charge::default();
    for (key, units, rate) in [
        (
            PriceKey::Prompt,
            uncached.saturating_sub(audio),
            rates.prompt,
        ),
        (PriceKey::CacheRead, usage.cache_read, rates.cache_read),
        (
            PriceKey::CacheWrite5m,
            usage.cache_write_5m,
            rates.cache_write_5m,
        ),
        (
            PriceKey::CacheWrite1h,
            usage.cache_write_1h,
            rates.cache_write_1h,
        ),
        (PriceKey::Audio, audio, rates.audio),
        (PriceKey::Image, images, prices.image.unwrap_or(none)),
        (PriceKey::Request, 1, prices.request.unwrap_or(none)),
    ] {
        charge.item(key, units, rate)?;
    }
    charge.upstream_prompt = charge.total;

    for (key, units, rate) in [
        (
            PriceKey::Completion,
            usage.completion.saturating_sub(special),
            rates.completion,
        ),
        (PriceKey::Reasoning, usage.reasoning, rates.reasoning),
        (
            PriceKey::AudioOutput,
            usage.completion_audio,
            rates.audio_output,
        ),
        (
            PriceKey::ImageOutput,
            usage.completion_image,
            rates.image_output,
        ),
    ] {
        charge.item(key, units, rate)?;
    }
    if usage.web_searches > 0 {
        let unknown = PriceError::Unknown(PriceKey::WebSearch);
        let rate = prices.web_search.ok_or(unknown)?;
        charge.item(PriceKey::WebSearch, usage.web_searches, rate)?;
    }
    charge.upstream_total = charge.total;
    charge.upstream_completion = charge.total.saturating_sub(charge.upstream_prompt);

    let added = markup(charge.upstream_total, markup_ppm)?;
    charge.line(Item::Markup, markup_ppm, none, added)?;
    Ok(charge)
}

/// What we add to an upstream cost, rounded up.
fn markup(upstream: Nanos, markup_ppm: u64) -> Added {
    if markup_ppm > MARKUP_PPM_MAX {
        return Err(PriceError::Markup);
    }
    let upstream = u128::from(upstream.0.unsigned_abs());
    round_up(
        upstream.saturating_mul(u128::from(markup_ppm)),
        u128::from(PPM),
    )
}

/// What reading from and writing to caches saved, at most to the last
/// nano-dollar of each line: positive if the call would have cost more
/// without them. What the provider charges, markup excluded.
///
/// # Errors
/// As for [`price`].
pub fn cache_discount(usage: &Usage, list: &PriceList) -> Result<Nanos, PriceError> {
    let plain = Usage {
        cache_read: 0,
        cache_write_5m: 0,
        cache_write_1h: 0,
        ..*usage
    };
    let with = price(usage, 0, list, 0)?.upstream_prompt;
    let without = price(&plain, 0, list, 0)?.upstream_prompt;
    Ok(without.saturating_sub(with))
}

#[cfg(test)]
mod tests;

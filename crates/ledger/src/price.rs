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
//! | reading a cache, audio input, image input | input |
//! | reading audio from a cache | reading a cache |
//! | writing a five-minute cache | input |
//! | writing a one-hour cache | a five-minute one or input, whichever is dearer |
//! | reasoning, audio output, image output | output |
//! | one image, one request; one picture made, search unit, second or character | nothing beyond its tokens: lists that charge for them say so |
//! | a film of another size than the usual one | one of the usual size |
//! | input, output, web search, a film | refused |
#![deny(clippy::float_arithmetic, clippy::arithmetic_side_effects)]

mod bound;
mod charge;
mod prompt;

use bourse_catalog::{PriceKey, PriceList, Prices};
use bourse_vocab::{Nanos, PicosPerUnit, Units, Usage};

pub use bound::{Bounds, upper_bound};
pub use charge::{Charge, Item, Line, MARKUP_PPM_MAX, PriceError, Priced};
pub use prompt::{
    input_cost, prompt_tokens_estimate, prompt_tokens_estimate_of, prompt_tokens_max,
};

use charge::markup;

/// The prices of one call with every gap filled, see the module's table.
#[derive(Debug, Clone, Copy)]
struct Filled {
    prompt: PicosPerUnit,
    cache_read: PicosPerUnit,
    cache_read_audio: PicosPerUnit,
    cache_write_5m: PicosPerUnit,
    cache_write_1h: PicosPerUnit,
    audio: PicosPerUnit,
    image_input: PicosPerUnit,
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
        let cache_read = prices.cache_read.unwrap_or(prompt);
        let cache_write_5m = prices.cache_write_5m.unwrap_or(prompt);
        Ok(Self {
            prompt,
            cache_read,
            cache_read_audio: prices.cache_read_audio.unwrap_or(cache_read),
            cache_write_5m,
            cache_write_1h: prices.cache_write_1h.unwrap_or(cache_write_5m.max(prompt)),
            audio: prices.audio.unwrap_or(prompt),
            image_input: prices.image_input.unwrap_or(prompt),
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
    let mut charge = Charge::default();
    for (key, units, rate) in input(usage, images, &prices, &rates) {
        charge.item(key, units, rate)?;
    }
    if usage.cache_read_audio > 0 {
        let heard = heard_from_cache(usage);
        charge.item(PriceKey::CacheReadAudio, heard, rates.cache_read_audio)?;
    }
    if usage.prompt_image > 0 {
        charge.item(PriceKey::ImageInput, seen(usage), rates.image_input)?;
    }
    if usage.units.any() {
        charge_heard(&mut charge, &usage.units, &prices)?;
    }
    charge.upstream_prompt = charge.total;
    for (key, units, rate) in output(usage, &rates) {
        charge.item(key, units, rate)?;
    }
    if usage.units.pictures > 0 {
        let rate = prices.picture.unwrap_or(PicosPerUnit::FREE);
        charge.item(PriceKey::Picture, usage.units.pictures, rate)?;
    }
    if usage.units.all_video_ms() > 0 {
        charge_shown(&mut charge, &usage.units, &prices)?;
    }
    if usage.web_searches > 0 {
        let unknown = PriceError::Unknown(PriceKey::WebSearch);
        let rate = prices.web_search.ok_or(unknown)?;
        charge.item(PriceKey::WebSearch, usage.web_searches, rate)?;
    }
    charge.upstream_total = charge.total;
    charge.upstream_completion = charge.total.saturating_sub(charge.upstream_prompt);

    let added = markup(charge.upstream_total, markup_ppm)?;
    charge.line(Item::Markup, markup_ppm, PicosPerUnit::FREE, added)?;
    Ok(charge)
}

/// Units of something, and what one costs.
type Priceable = (PriceKey, u64, PicosPerUnit);

/// What goes in, each token in one line.
fn input(usage: &Usage, images: u64, prices: &Prices, rates: &Filled) -> [Priceable; 7] {
    use PriceKey as K;
    let cached = usage.cache_read.saturating_add(usage.cache_write());
    let uncached = usage.prompt.saturating_sub(cached);
    // Audio that was read from a cache is charged as cached input, so only
    // what is left can be charged as audio: what is known of it exactly, and
    // else as much as there may be.
    let audio = fresh_audio(usage).min(uncached);
    let read = usage.cache_read.saturating_sub(heard_from_cache(usage));
    let plain = uncached.saturating_sub(audio).saturating_sub(seen(usage));
    let free = PicosPerUnit::FREE;
    [
        (K::Prompt, plain, rates.prompt),
        (K::CacheRead, read, rates.cache_read),
        (K::CacheWrite5m, usage.cache_write_5m, rates.cache_write_5m),
        (K::CacheWrite1h, usage.cache_write_1h, rates.cache_write_1h),
        (K::Audio, audio, rates.audio),
        (K::Image, images, prices.image.unwrap_or(free)),
        (K::Request, 1, prices.request.unwrap_or(free)),
    ]
}

/// Input tokens that were audio and came from a cache, as far as they are a part
/// of both.
const fn heard_from_cache(usage: &Usage) -> u64 {
    let both = if usage.cache_read < usage.prompt_audio {
        usage.cache_read
    } else {
        usage.prompt_audio
    };
    if usage.cache_read_audio < both {
        usage.cache_read_audio
    } else {
        both
    }
}

/// Input tokens that were audio and are not known to come from a cache.
const fn fresh_audio(usage: &Usage) -> u64 {
    usage.prompt_audio.saturating_sub(heard_from_cache(usage))
}

/// Input tokens that are charged as pictures: like sound, what is left of them
/// where some were read from a cache.
const fn seen(usage: &Usage) -> u64 {
    let cached = usage.cache_read.saturating_add(usage.cache_write());
    let uncached = usage.prompt.saturating_sub(cached);
    let unheard = uncached.saturating_sub(fresh_audio(usage));
    if usage.prompt_image < unheard {
        usage.prompt_image
    } else {
        unheard
    }
}

/// What goes in that is no token. No conversation has any.
#[cold]
#[inline(never)]
fn charge_heard(charge: &mut Charge, units: &Units, prices: &Prices) -> Result<(), PriceError> {
    for (key, units, price) in [
        (PriceKey::SearchUnit, units.search_units, prices.search_unit),
        (PriceKey::AudioSecond, units.audio_ms, prices.audio_second),
        (PriceKey::Character, units.characters, prices.character),
    ] {
        charge.item(key, units, price.unwrap_or(PicosPerUnit::FREE))?;
    }
    Ok(())
}

/// Films, which are never given away for want of a price.
#[cold]
#[inline(never)]
fn charge_shown(charge: &mut Charge, units: &Units, prices: &Prices) -> Result<(), PriceError> {
    for (key, units, price) in prices.films(units) {
        if units > 0 {
            charge.item(key, units, price.ok_or(PriceError::Unknown(key))?)?;
        }
    }
    Ok(())
}

/// What comes out, each token in one line.
const fn output(usage: &Usage, rates: &Filled) -> [Priceable; 4] {
    use PriceKey as K;
    let special = usage
        .reasoning
        .saturating_add(usage.completion_audio)
        .saturating_add(usage.completion_image);
    let plain = usage.completion.saturating_sub(special);
    [
        (K::Completion, plain, rates.completion),
        (K::Reasoning, usage.reasoning, rates.reasoning),
        (K::AudioOutput, usage.completion_audio, rates.audio_output),
        (K::ImageOutput, usage.completion_image, rates.image_output),
    ]
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
        cache_read_audio: 0,
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

//! The most a call can cost, before it is made.
//!
//! The most tokens that the prompt can be ([`super::prompt`]) and the answer
//! may be are each taken at the dearest price that can apply to them. The
//! bound is an upper bound by intent and not by proof: providers add
//! instructions of their own for tools, and publish rules for pictures that
//! they change. What exceeds it is paid by the customer as far as the balance
//! reaches, and by the house beyond (see [`crate::Books::post`]).

use bourse_catalog::{ImageTokens, PriceKey, PriceList, Prices};
use bourse_vocab::facts::NO_FACTS;
use bourse_vocab::money::PICOS_PER_NANO;
use bourse_vocab::usage::TOKENS_MAX;
use bourse_vocab::{Nanos, PicosPerUnit, PromptFacts, Units};

use super::Filled;
use super::charge::{PriceError, markup, round_up};
use super::prompt::prompt_tokens_max;

/// What is known of a call before it is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds<'a> {
    /// What the prompt contains.
    pub prompt: &'a PromptFacts,
    /// How the model counts pictures.
    pub image_tokens: ImageTokens,
    /// Most output tokens: the least of what the caller and the model allow.
    pub completion_max: u64,
    /// Answers asked for (`n`); 0 means 1.
    pub choices: u64,
    /// The model's context window: input beyond it is refused by the
    /// provider and not charged.
    pub context_length: Option<u64>,
    /// The answer may contain audio or images.
    pub media_output: bool,
    /// Web searches that the provider may run.
    pub web_searches: u64,
    /// The most of what is no token.
    pub units: Units,
}

impl Default for Bounds<'_> {
    fn default() -> Self {
        Self {
            prompt: &NO_FACTS,
            image_tokens: ImageTokens::default(),
            completion_max: 0,
            choices: 0,
            context_length: None,
            media_output: false,
            web_searches: 0,
            units: Units::default(),
        }
    }
}

impl Bounds<'_> {
    /// Most input tokens.
    #[must_use]
    pub fn prompt_tokens_max(&self) -> u64 {
        prompt_tokens_max(self.prompt, &self.image_tokens, self.context_length)
    }
}

/// Counts beyond any that is told are refused, so that sums stay in range.
const fn check_count(units: u64, key: PriceKey) -> Result<(), PriceError> {
    if units > TOKENS_MAX {
        return Err(PriceError::TooMany(units, key));
    }
    Ok(())
}

/// The most that a call can cost, markup included.
///
/// # Errors
/// A price that is needed and unknown; a bound beyond what an account can
/// hold.
pub fn upper_bound(
    ask: &Bounds<'_>,
    list: &PriceList,
    markup_ppm: u64,
) -> Result<Nanos, PriceError> {
    let prompt = ask.prompt_tokens_max();
    let choices = ask.choices.max(1);
    let completion = ask.completion_max.saturating_mul(choices);
    check_count(prompt, PriceKey::Prompt)?;
    check_count(completion, PriceKey::Completion)?;
    // Prices change with the length of the prompt, and not always upwards:
    // each tier that can apply is looked at whole.
    let thresholds = list.tiers.iter().map(|tier| tier.min_prompt_tokens);
    let lengths = thresholds
        .filter_map(|threshold| threshold.checked_add(1))
        .filter(|length| *length <= prompt)
        .chain([0]);
    let has_units = ask.units.any();
    let mut most: u128 = 0;
    for length in lengths {
        // A prompt of nothing is above no threshold: nothing is laid over.
        let tiered;
        let prices = if length == 0 {
            &list.base
        } else {
            tiered = list.at(length);
            &tiered
        };
        let rates = Filled::new(prices)?;
        let input = dearest_input(ask.prompt, &rates);
        let mut output = rates.completion.max(rates.reasoning);
        if ask.media_output {
            output = output.max(rates.audio_output).max(rates.image_output);
        }
        let search = match (ask.web_searches, prices.web_search) {
            (0, _) => PicosPerUnit::FREE,
            (_, Some(price)) => price,
            (_, None) => return Err(PriceError::Unknown(PriceKey::WebSearch)),
        };
        let once = |price: Option<PicosPerUnit>| price.unwrap_or(PicosPerUnit::FREE);
        let sum = [
            input.times(prompt),
            output.times(completion),
            once(prices.image).times(ask.prompt.images.count().into()),
            once(prices.request).times(1),
            search.times(ask.web_searches),
        ]
        .into_iter()
        .try_fold(0_u128, u128::checked_add)
        .ok_or(PriceError::OutOfRange)?;
        most = most.max(if has_units {
            with_units(sum, &ask.units, prices)?
        } else {
            sum
        });
    }
    let upstream = round_up(most, PICOS_PER_NANO)?;
    let slack = slack(most, has_units, ask.prompt.audio.media.any());
    let upstream = upstream.checked_add(slack).ok_or(PriceError::OutOfRange)?;
    let added = markup(upstream, markup_ppm)?;
    upstream.checked_add(added).ok_or(PriceError::OutOfRange)
}

/// The dearest price that an input token can have.
fn dearest_input(prompt: &PromptFacts, rates: &Filled) -> PicosPerUnit {
    let mut input = rates.prompt.max(rates.cache_read).max(rates.cache_write_5m);
    if prompt.cache_marks > 0 {
        input = input.max(rates.cache_write_1h);
    }
    if prompt.audio.media.any() || prompt.is_unbounded() {
        input = input.max(rates.audio).max(rates.cache_read_audio);
    }
    if prompt.images.count() > 0 {
        input = input.max(rates.image_input);
    }
    input
}

/// A charge has at most a dozen lines besides those of units and of pictures
/// that go in, which only such calls have, and one of sound that was cached, each
/// rounded up: allowed for, except where there is nothing to round.
const fn slack(most: u128, has_units: bool, has_sound: bool) -> Nanos {
    match (most, has_units, has_sound) {
        (0, _, _) => Nanos::ZERO,
        (_, false, false) => Nanos(12),
        (_, false, true) => Nanos(13),
        (_, true, false) => Nanos(17),
        (_, true, true) => Nanos(18),
    }
}

/// A sum in pico-dollars, with what is no token. No conversation has any.
#[cold]
#[inline(never)]
fn with_units(mut sum: u128, units: &Units, prices: &Prices) -> Result<u128, PriceError> {
    for (key, units) in [
        (PriceKey::Picture, units.pictures),
        (PriceKey::SearchUnit, units.search_units),
        (PriceKey::AudioSecond, units.audio_ms),
        (PriceKey::Character, units.characters),
    ] {
        check_count(units, key)?;
        let cost = prices.get(key).unwrap_or(PicosPerUnit::FREE).times(units);
        sum = sum.checked_add(cost).ok_or(PriceError::OutOfRange)?;
    }
    for (key, units, price) in prices.films(units) {
        check_count(units, key)?;
        if units > 0 {
            let cost = price.ok_or(PriceError::Unknown(key))?.times(units);
            sum = sum.checked_add(cost).ok_or(PriceError::OutOfRange)?;
        }
    }
    Ok(sum)
}

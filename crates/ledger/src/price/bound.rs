//! The most a call can cost, before it is made.
//!
//! Bytes bound tokens: the tokenizers in use are built on bytes, so that a
//! token covers at least one byte of what the caller sent, markup of
//! messages included. Each token is then taken at the dearest price that can
//! apply to it. The bound is an upper bound by intent and not by proof:
//! providers add instructions of their own for tools, and count images as
//! they like. What exceeds it is paid by the customer as far as the balance
//! reaches, and by the house beyond (see [`crate::Books::post`]).

use bourse_catalog::{PriceKey, PriceList};
use bourse_vocab::money::PICOS_PER_NANO;
use bourse_vocab::usage::TOKENS_MAX;
use bourse_vocab::{Nanos, PicosPerUnit};

use super::{Filled, PriceError, markup, round_up};

/// Most tokens that one image is counted as. Anthropic's largest image is
/// 4,784 tokens (docs.claude.com, vision, October 2026) and others stay
/// below it, save gpt-4o-mini, which counts up to 37,000 very cheap ones.
pub const IMAGE_TOKENS_MAX: u64 = 5_000;
/// Tokens that a chat template adds beyond the bytes of the request.
const TEMPLATE_TOKENS: u64 = 64;
/// Tokens of the instructions that providers add when tools are offered: the
/// largest documented are some 800 (docs.claude.com, tool use, 2026).
const TOOL_TOKENS: u64 = 1_024;
/// Bytes of audio, base64 included, for one token, at least: 32 tokens a
/// second (ai.google.dev, audio, 2026) at 6 kbit/s would be 31.
const AUDIO_BYTES_PER_TOKEN: u64 = 16;

/// What is known of a call before it is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Ask {
    /// Bytes of the request, without the data of images and audio.
    pub prompt_bytes: u64,
    /// Images in the prompt.
    pub images: u64,
    /// Bytes of audio and other files in the prompt, as sent.
    pub audio_bytes: u64,
    /// Most output tokens: the least of what the caller and the model allow.
    pub completion_max: u64,
    /// Answers asked for (`n`); 0 means 1.
    pub choices: u64,
    /// The model's context window: input beyond it is refused by the
    /// provider and not charged.
    pub context_length: Option<u64>,
    /// The caller asks for caches to be written.
    pub cache_control: bool,
    /// Tools are offered.
    pub tools: bool,
    /// The answer may contain audio or images.
    pub media_output: bool,
    /// Web searches that the provider may run.
    pub web_searches: u64,
}

impl Ask {
    /// Most input tokens.
    #[must_use]
    pub fn prompt_tokens_max(&self) -> u64 {
        let tools = if self.tools { TOOL_TOKENS } else { 0 };
        let tokens = self
            .prompt_bytes
            .saturating_add(self.images.saturating_mul(IMAGE_TOKENS_MAX))
            .saturating_add(self.audio_bytes.div_ceil(AUDIO_BYTES_PER_TOKEN))
            .saturating_add(TEMPLATE_TOKENS)
            .saturating_add(tools);
        tokens.min(self.context_length.unwrap_or(u64::MAX))
    }
}

/// The most that a call can cost, markup included.
///
/// # Errors
/// A price that is needed and unknown; a bound beyond what an account can
/// hold.
pub fn upper_bound(ask: &Ask, list: &PriceList, markup_ppm: u64) -> Result<Nanos, PriceError> {
    let prompt = ask.prompt_tokens_max();
    let choices = ask.choices.max(1);
    let completion = ask.completion_max.saturating_mul(choices);
    for (units, key) in [
        (prompt, PriceKey::Prompt),
        (completion, PriceKey::Completion),
    ] {
        if units > TOKENS_MAX {
            return Err(PriceError::TooMany(units, key));
        }
    }
    // Prices change with the length of the prompt, and not always upwards:
    // each tier that can apply is looked at whole.
    let thresholds = list.tiers.iter().map(|tier| tier.min_prompt_tokens);
    let lengths = thresholds
        .filter_map(|threshold| threshold.checked_add(1))
        .filter(|length| *length <= prompt)
        .chain([0]);
    let mut most: u128 = 0;
    for length in lengths {
        let prices = list.at(length);
        let rates = Filled::new(&prices)?;
        let mut input = rates.prompt.max(rates.cache_read).max(rates.cache_write_5m);
        if ask.cache_control {
            input = input.max(rates.cache_write_1h);
        }
        if ask.audio_bytes > 0 {
            input = input.max(rates.audio);
        }
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
            once(prices.image).times(ask.images),
            once(prices.request).times(1),
            search.times(ask.web_searches),
        ]
        .into_iter()
        .try_fold(0_u128, u128::checked_add)
        .ok_or(PriceError::OutOfRange)?;
        most = most.max(sum);
    }
    // A charge has at most a dozen lines, each rounded up: allow for that,
    // except where there is nothing to round.
    let upstream = round_up(most, PICOS_PER_NANO)?;
    let slack = if most == 0 { Nanos::ZERO } else { Nanos(12) };
    let upstream = upstream.checked_add(slack).ok_or(PriceError::OutOfRange)?;
    let added = markup(upstream, markup_ppm)?;
    upstream.checked_add(added).ok_or(PriceError::OutOfRange)
}

//! How many tokens a prompt is, before anyone has counted them.
//!
//! At most: bytes bound tokens of text, because the tokenizers in use are
//! built on bytes; pictures have their vendor's rule; and what a few bytes
//! can make long, or what is elsewhere, is bounded by the model's context
//! only. As an estimate: what such things usually are.

use bourse_catalog::{ImageTokens, PriceList};
use bourse_vocab::money::PICOS_PER_NANO;
use bourse_vocab::{Nanos, PicosPerUnit, PromptFacts};

/// Tokens that a chat template adds beyond the bytes of the request.
const TEMPLATE_TOKENS: u64 = 64;
/// Tokens of the instructions that providers add when tools are offered: the
/// largest documented are some 800 (docs.claude.com, tool use, 2026).
const TOOL_TOKENS: u64 = 1_024;
/// Bytes of audio, base64 included, for one token, at least, in formats of
/// a steady rate: 32 tokens a second (ai.google.dev, audio, 2026) at
/// 6 kbit/s would be 31. Others pack silence to nothing, and are bounded
/// like text.
const AUDIO_BYTES_PER_TOKEN: u64 = 16;
/// The context of a model whose context nobody knows, where only that
/// bounds the prompt: the largest in common use.
const CONTEXT_UNKNOWN: u64 = 1 << 20;

/// Bytes of an ordinary text that make a token.
const TEXT_BYTES_TYPICAL: u64 = 4;
/// Bytes of sound, base64 included, that make a token: speech at 96 kbit/s,
/// 32 tokens a second.
const AUDIO_BYTES_TYPICAL: u64 = 512;
/// Tokens of a sound that is elsewhere: a minute.
const AUDIO_TYPICAL: u64 = 32 * 60;
/// Bytes of a film, base64 included, that make a token: 1 Mbit/s, 263 tokens
/// a second (ai.google.dev, tokens, 2026).
const VIDEO_BYTES_TYPICAL: u64 = 640;
/// Tokens of a film that is elsewhere: a minute.
const VIDEO_TYPICAL: u64 = 263 * 60;
/// Bytes of a document, base64 included, that make a token: a page of text
/// in a PDF is some 50 KB and 2,000 tokens.
const FILE_BYTES_TYPICAL: u64 = 32;
/// Tokens of a document that is elsewhere: a few pages.
const FILE_TYPICAL: u64 = 5_000;

/// The most input tokens of a prompt, where a picture counts by
/// `image_tokens`, at a model with this context.
#[must_use]
pub fn prompt_tokens_max(
    facts: &PromptFacts,
    image_tokens: &ImageTokens,
    context_length: Option<u64>,
) -> u64 {
    let tools = if facts.tools > 0 { TOOL_TOKENS } else { 0 };
    let mut tokens = facts
        .text_bytes
        .saturating_add(TEMPLATE_TOKENS)
        .saturating_add(tools);
    let mut context_length = context_length;
    if facts.is_apart() {
        (tokens, context_length) = apart(facts, tokens, context_length);
    }
    let mut is_bounded = !facts.is_unbounded();
    if facts.images.count() > 0 {
        let (images, are_bounded) = images_max(facts, image_tokens);
        is_bounded &= are_bounded;
        tokens = tokens.saturating_add(images);
    }
    if facts.audio.media.any() {
        let steady = facts.audio.steady_bytes;
        let others = facts.audio.media.bytes.saturating_sub(steady);
        tokens = tokens
            .saturating_add(steady.div_ceil(AUDIO_BYTES_PER_TOKEN))
            .saturating_add(others);
    }
    if !is_bounded {
        tokens = tokens.saturating_add(context_length.unwrap_or(CONTEXT_UNKNOWN));
    }
    tokens.min(context_length.unwrap_or(u64::MAX))
}

/// Tokens and context of texts that are read each by itself: each has the
/// model's whole context, and what is added to a text is added to each.
#[cold]
fn apart(facts: &PromptFacts, tokens: u64, context_length: Option<u64>) -> (u64, Option<u64>) {
    let templates = TEMPLATE_TOKENS.saturating_mul(facts.more_windows.into());
    let tokens = tokens
        .saturating_add(facts.token_ids)
        .saturating_add(templates);
    let contexts = context_length.map(|tokens| tokens.saturating_mul(facts.windows()));
    (tokens, contexts)
}

/// The most tokens of all pictures that something bounds, and whether that
/// is each of them.
fn images_max(facts: &PromptFacts, rule: &ImageTokens) -> (u64, bool) {
    let mut tokens = 0_u64;
    let mut are_bounded = true;
    let unseen = u64::from(facts.images.unseen());
    let beyond = if facts.images.has_vague() && rule.takes_anything() {
        None
    } else {
        rule.most_of_any()
    };
    let seen = facts.images.seen().iter();
    let seen = seen.map(|image| (1, rule.bound(image)));
    for (count, bound) in seen.chain((unseen > 0).then_some((unseen, beyond))) {
        are_bounded &= bound.is_some();
        tokens = tokens.saturating_add(bound.unwrap_or(0).saturating_mul(count));
    }
    (tokens, are_bounded)
}

/// Input tokens of a prompt, as well as can be told without the provider's
/// tokenizer: for providers that do not report them. Never more than
/// [`prompt_tokens_max`].
#[must_use]
pub fn prompt_tokens_estimate(
    facts: &PromptFacts,
    image_tokens: &ImageTokens,
    context_length: Option<u64>,
) -> u64 {
    prompt_tokens_estimate_of(facts, None, image_tokens, context_length)
}

/// The same, where something better is known of the tokens of the `text`.
#[must_use]
pub fn prompt_tokens_estimate_of(
    facts: &PromptFacts,
    text: Option<u64>,
    image_tokens: &ImageTokens,
    context_length: Option<u64>,
) -> u64 {
    let mut tokens = text.unwrap_or_else(|| facts.text_bytes.div_ceil(TEXT_BYTES_TYPICAL));
    tokens = tokens.saturating_add(facts.token_ids);
    if facts.media() > 0 {
        let mut add = |count: u32, each: u64| {
            tokens = tokens.saturating_add(u64::from(count).saturating_mul(each));
        };
        for image in facts.images.seen() {
            add(1, image_tokens.estimate(image));
        }
        add(facts.images.unseen(), image_tokens.typical());
        add(1, facts.audio.media.bytes.div_ceil(AUDIO_BYTES_TYPICAL));
        add(facts.audio.media.elsewhere(), AUDIO_TYPICAL);
        add(1, facts.video.bytes.div_ceil(VIDEO_BYTES_TYPICAL));
        add(facts.video.elsewhere(), VIDEO_TYPICAL);
        add(1, facts.files.bytes.div_ceil(FILE_BYTES_TYPICAL));
        add(facts.files.elsewhere(), FILE_TYPICAL);
    }
    tokens.min(prompt_tokens_max(facts, image_tokens, context_length))
}

/// What a provider charges for so many input tokens, without what caches and
/// media change: nothing, where no price is known.
#[must_use]
pub fn input_cost(prices: &PriceList, tokens: u64) -> Nanos {
    let price = prices.at(tokens).prompt.unwrap_or(PicosPerUnit::FREE);
    let nanos = price.times(tokens) / PICOS_PER_NANO;
    Nanos(i64::try_from(nanos).unwrap_or(i64::MAX))
}

#[cfg(test)]
mod tests;

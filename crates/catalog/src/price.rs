//! Price lists: what one unit costs, and from how many tokens on.
//!
//! Written as decimal strings, read straight into integers; no float ever
//! holds a price.
#![deny(clippy::float_arithmetic, clippy::arithmetic_side_effects)]

use std::fmt;

use bourse_vocab::money::MoneyError;
use bourse_vocab::{PicosPerUnit, Units};
use serde::de::{self, MapAccess, Visitor};
use serde::ser::SerializeMap;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

pub use search::{Fee, SearchFees, SearchSize};
pub use service::ServicePrices;

mod search;
mod service;

/// Tiers in one price list: the longest known has four.
pub const TIERS_MAX: usize = 16;

/// What a price is for one of, and so how it is written down.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Unit {
    /// A token: in dollars for a million.
    Token,
    /// Something that is counted one by one: in dollars for one.
    One,
    /// A millisecond: in dollars for a second, to the nano-dollar.
    Millisecond,
}

macro_rules! prices {
    ($( $(#[$meta:meta])* $field:ident, $Key:ident, $public:literal, $unit:ident; )+) => {
        /// What can have a price.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum PriceKey { $( $(#[$meta])* $Key, )+ }

        impl PriceKey {
            /// Every key, in the order in which documents list them.
            pub const ALL: &[Self] = &[ $( Self::$Key, )+ ];

            /// The name in configuration and data files.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $( Self::$Key => stringify!($field), )+ }
            }

            /// The name in the public API's price objects.
            #[must_use]
            pub const fn public_name(self) -> &'static str {
                match self { $( Self::$Key => $public, )+ }
            }

            const fn unit(self) -> Unit {
                match self { $( Self::$Key => Unit::$unit, )+ }
            }

            /// Finds a key by its name in configuration and data files.
            #[must_use]
            pub fn by_name(name: &str) -> Option<Self> {
                match name { $( stringify!($field) => Some(Self::$Key), )+ _ => None }
            }

            /// Finds a key by its name in the public API.
            #[must_use]
            pub fn by_public_name(name: &str) -> Option<Self> {
                match name { $( $public => Some(Self::$Key), )+ _ => None }
            }
        }

        /// What one unit of each kind costs. `None` means that the price
        /// list does not say, which is not the same as free.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
        pub struct Prices { $( $(#[$meta])* pub $field: Option<PicosPerUnit>, )+ }

        impl Prices {
            /// The price for `key`.
            #[must_use]
            pub const fn get(&self, key: PriceKey) -> Option<PicosPerUnit> {
                match key { $( PriceKey::$Key => self.$field, )+ }
            }

            /// Sets the price for `key`.
            pub const fn set(&mut self, key: PriceKey, price: Option<PicosPerUnit>) {
                match key { $( PriceKey::$Key => self.$field = price, )+ }
            }

            /// These prices, with those that `over` states in their place.
            #[must_use]
            pub fn overlaid(&self, over: &Self) -> Self {
                Self { $( $field: over.$field.or(self.$field), )+ }
            }
        }
    };
}

prices! {
    /// One input token.
    prompt, Prompt, "prompt", Token;
    /// One output token.
    completion, Completion, "completion", Token;
    /// One input token read from the provider's cache.
    cache_read, CacheRead, "input_cache_read", Token;
    /// One input token that was audio and read from the provider's cache.
    cache_read_audio, CacheReadAudio, "input_audio_cache", Token;
    /// One input token written to a cache that lives five minutes, or to
    /// the only kind of cache there is.
    cache_write_5m, CacheWrite5m, "input_cache_write", Token;
    /// One input token written to a cache that lives an hour.
    cache_write_1h, CacheWrite1h, "input_cache_write_1h", Token;
    /// One output token spent on reasoning, where it differs.
    reasoning, Reasoning, "internal_reasoning", Token;
    /// One input image, charged besides its tokens.
    image, Image, "image", One;
    /// One input token that was part of an image, where it differs.
    image_input, ImageInput, "image_token", Token;
    /// One output token that was part of an image.
    image_output, ImageOutput, "image_output", Token;
    /// One input token that was audio.
    audio, Audio, "audio", Token;
    /// One output token that was audio.
    audio_output, AudioOutput, "audio_output", Token;
    /// One request, charged besides its tokens.
    request, Request, "request", One;
    /// One web search that the provider runs.
    web_search, WebSearch, "web_search", One;
    /// One picture that is made, where it is not sold by its tokens.
    picture, Picture, "picture", One;
    /// One search through a list of documents ([`bourse_vocab::Units`]).
    search_unit, SearchUnit, "search_unit", One;
    /// One millisecond of sound that is heard; written for a second.
    audio_second, AudioSecond, "audio_second", Millisecond;
    /// One character that is read aloud.
    character, Character, "character", One;
    /// One millisecond of film that is made, of the usual size, and of any that
    /// has no price of its own; written for a second.
    video_second, VideoSecond, "video_second", Millisecond;
    /// The same with up to 480 lines.
    video_second_480p, VideoSecond480p, "video_second_480p", Millisecond;
    /// The same with up to 1,080 lines.
    video_second_1080p, VideoSecond1080p, "video_second_1080p", Millisecond;
    /// The same with more.
    video_second_4k, VideoSecond4k, "video_second_4k", Millisecond;
}

impl PriceKey {
    /// Whether the unit is a token.
    #[must_use]
    pub const fn is_per_token(self) -> bool {
        matches!(self.unit(), Unit::Token)
    }

    /// Reads a decimal in this key's written unit: dollars for a million
    /// tokens, for a second, or for one of anything else.
    ///
    /// # Errors
    /// Not a decimal, too fine to hold exactly, or out of range.
    pub fn parse(self, text: &str) -> Result<PicosPerUnit, MoneyError> {
        match self.unit() {
            Unit::Token => PicosPerUnit::parse_usd_per_million(text),
            Unit::One => PicosPerUnit::parse_usd_per_unit(text),
            Unit::Millisecond => PicosPerUnit::parse_usd_per_thousand(text),
        }
    }

    /// The inverse of [`Self::parse`], every digit written out.
    #[must_use]
    pub fn write(self, price: PicosPerUnit) -> String {
        match self.unit() {
            // A pico-dollar a token is a micro-dollar a million tokens.
            Unit::Token => price.write_scaled(6),
            Unit::One => price.write_scaled(12),
            Unit::Millisecond => price.write_scaled(9),
        }
    }

    /// As the public API writes it: dollars for one token, second or whatever
    /// else the key names.
    #[must_use]
    pub fn write_public(self, price: PicosPerUnit) -> String {
        match self.unit() {
            Unit::Token | Unit::One => price.write_scaled(12),
            Unit::Millisecond => price.write_scaled(9),
        }
    }
}

impl fmt::Display for PriceKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl Prices {
    /// Every price that is stated.
    pub fn stated(&self) -> impl Iterator<Item = (PriceKey, PicosPerUnit)> {
        PriceKey::ALL
            .iter()
            .filter_map(|&key| self.get(key).map(|price| (key, price)))
    }

    /// Whether both sides of a call have a price. An endpoint without one
    /// is not called: an unknown price must never become a bill of zero.
    #[must_use]
    pub const fn is_known(&self) -> bool {
        self.prompt.is_some() && self.completion.is_some()
    }

    /// Whether everything stated, tokens included, costs nothing.
    #[must_use]
    pub fn is_free(&self) -> bool {
        self.is_known() && self.stated().all(|(_, price)| price == PicosPerUnit::FREE)
    }

    /// Of what is no token, that which is sold: the rest is paid for by tokens.
    #[must_use]
    pub fn sold(&self, units: &Units) -> Units {
        if !units.any() {
            return *units;
        }
        let of = |price: Option<PicosPerUnit>, count: u64| price.map_or(0, |_| count);
        Units {
            pictures: of(self.picture, units.pictures),
            search_units: of(self.search_unit, units.search_units),
            audio_ms: of(self.audio_second, units.audio_ms),
            characters: of(self.character, units.characters),
            // Whoever sells films sells them by the second, see [`Self::films`].
            ..*units
        }
    }

    /// Films of each size, with what a millisecond of one costs: a size without
    /// a price of its own costs what the usual one does.
    #[must_use]
    pub fn films(&self, units: &Units) -> [(PriceKey, u64, Option<PicosPerUnit>); 4] {
        let usual = self.video_second;
        [
            (PriceKey::VideoSecond, units.video_ms, usual),
            (
                PriceKey::VideoSecond480p,
                units.video_480p_ms,
                self.video_second_480p.or(usual),
            ),
            (
                PriceKey::VideoSecond1080p,
                units.video_1080p_ms,
                self.video_second_1080p.or(usual),
            ),
            (
                PriceKey::VideoSecond4k,
                units.video_4k_ms,
                self.video_second_4k.or(usual),
            ),
        ]
    }

    /// Whether nothing is stated.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.stated().next().is_none()
    }
}

/// In data files: an object of decimal strings in each key's written unit.
impl Serialize for Prices {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        for (key, price) in self.stated() {
            map.serialize_entry(key.name(), &key.write(price))?;
        }
        map.end()
    }
}

impl<'de> Deserialize<'de> for Prices {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reader;
        impl<'de> Visitor<'de> for Reader {
            type Value = Prices;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("prices as decimal strings")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Prices, A::Error> {
                use std::borrow::Cow;
                let mut prices = Prices::default();
                while let Some(name) = map.next_key::<Cow<'de, str>>()? {
                    let key = PriceKey::by_name(&name).ok_or_else(|| {
                        de::Error::custom(format_args!("\"{name}\" is not a price"))
                    })?;
                    let text = map.next_value::<Cow<'de, str>>()?;
                    let price = key.parse(&text).map_err(|error| {
                        de::Error::custom(format_args!("{name} \"{text}\": {error}"))
                    })?;
                    prices.set(key, Some(price));
                }
                Ok(prices)
            }
        }
        deserializer.deserialize_map(Reader)
    }
}

/// Other prices for longer prompts.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tier {
    /// Applies when the prompt has strictly more tokens than this.
    pub min_prompt_tokens: u64,
    /// The prices that change; what is not stated stays as it was.
    pub prices: Prices,
}

/// What an endpoint charges.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct PriceList {
    /// Prices of a short prompt.
    pub base: Prices,
    /// Prices of longer ones, by rising threshold.
    pub tiers: Vec<Tier>,
    /// Prices of other tiers of service, as far as they are stated.
    pub services: Vec<ServicePrices>,
    /// What searching costs by how much is read, where that makes a difference.
    pub searches: Option<SearchFees>,
    /// Who says so: `models.dev`, `litellm`, `operator`, …; `+rule` when a
    /// default of ours filled a gap.
    pub source: Box<str>,
    /// When they said so, `YYYY-MM` or `YYYY-MM-DD`; empty if undated.
    pub as_of: Box<str>,
}

impl PriceList {
    /// The prices of a call whose prompt has this many tokens. All tokens of
    /// the call are charged at these prices, not only those above the
    /// threshold. Later tiers win, price by price.
    #[must_use]
    pub fn at(&self, prompt_tokens: u64) -> Prices {
        let mut prices = self.base;
        for tier in &self.tiers {
            if prompt_tokens > tier.min_prompt_tokens {
                prices = prices.overlaid(&tier.prices);
            }
        }
        prices
    }

    /// The dearest price for `key` that a call with at most this many prompt
    /// tokens can meet: what a hold must assume.
    #[must_use]
    pub fn highest(&self, key: PriceKey, prompt_tokens_max: u64) -> Option<PicosPerUnit> {
        self.tiers
            .iter()
            .filter(|tier| prompt_tokens_max > tier.min_prompt_tokens)
            .filter_map(|tier| tier.prices.get(key))
            .chain(self.base.get(key))
            .max()
    }

    /// Whether both sides of a call have a price.
    #[must_use]
    pub const fn is_known(&self) -> bool {
        self.base.is_known()
    }
}

#[cfg(test)]
mod tests;

//! What can be counted about a call, and the counts of one call.
//!
//! A chat counts tokens, a transcription seconds, a parser pages. Records
//! keep counts as pairs of a kind's number and how many, so that an endpoint
//! that counts something new adds a kind and no format.

use super::{Units, Usage};

macro_rules! counts {
    ($( $(#[$meta:meta])* $Kind:ident = $number:literal, $name:literal; )+) => {
        /// What can be counted about a call. The numbers are written into
        /// journals: they are never changed and never given to another kind.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[repr(u8)]
        pub enum Count { $( $(#[$meta])* $Kind = $number, )+ }

        impl Count {
            /// Every kind, by rising number.
            pub const ALL: &[Self] = &[ $( Self::$Kind, )+ ];

            /// The name in documents and exports.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $( Self::$Kind => $name, )+ }
            }

            /// Finds a kind by its number.
            #[must_use]
            pub const fn by_number(number: u64) -> Option<Self> {
                match number { $( $number => Some(Self::$Kind), )+ _ => None }
            }
        }
    };
}

counts! {
    /// Input tokens in all.
    Prompt = 1, "prompt";
    /// Input tokens read from the provider's cache.
    CacheRead = 2, "cache_read";
    /// Input tokens written to a cache that lives five minutes.
    CacheWrite5m = 3, "cache_write_5m";
    /// Input tokens written to a cache that lives an hour.
    CacheWrite1h = 4, "cache_write_1h";
    /// Input tokens that were audio.
    PromptAudio = 5, "prompt_audio";
    /// Output tokens in all.
    Completion = 6, "completion";
    /// Output tokens spent on reasoning.
    Reasoning = 7, "reasoning";
    /// Output tokens that were audio.
    CompletionAudio = 8, "completion_audio";
    /// Output tokens that were images.
    CompletionImage = 9, "completion_image";
    /// Web searches that the provider ran.
    WebSearches = 10, "web_searches";
    /// Pictures, sounds and documents in the prompt.
    MediaIn = 11, "media_in";
    /// Images in the prompt, where they are counted apart.
    ImagesIn = 12, "images_in";
    /// Pictures made.
    ImagesOut = 13, "images_out";
    /// Milliseconds of sound or film in the prompt.
    MillisecondsIn = 14, "milliseconds_in";
    /// Milliseconds of sound or film in the answer.
    MillisecondsOut = 15, "milliseconds_out";
    /// Characters of text read aloud.
    CharactersIn = 16, "characters_in";
    /// Pages read.
    Pages = 17, "pages";
    /// Documents ranked.
    Documents = 18, "documents";
    /// Tool calls in the answer.
    ToolCalls = 19, "tool_calls";
    /// The limit on output tokens that the gateway set, where the caller set
    /// none and the money did not reach for all that the model may say.
    OutputLimit = 20, "output_limit";
    /// Searches through lists of documents, as their vendors count them.
    SearchUnits = 21, "search_units";
    /// Tool calls in the answer that are wrong.
    BadToolCalls = 22, "bad_tool_calls";
    /// Input tokens that were pictures, where they are counted apart.
    PromptImage = 23, "prompt_image";
    /// Input tokens that were audio and read from the provider's cache, where they
    /// are counted apart.
    CacheReadAudio = 24, "cache_read_audio";
}

/// One more than the highest number of a kind.
const SLOTS: usize = 25;

/// The counts of one call. Those that nobody counted are zero, and a zero is
/// not written down.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Counts([u64; SLOTS]);

impl Default for Counts {
    fn default() -> Self {
        Self([0; SLOTS])
    }
}

impl Counts {
    /// How many there were of a kind.
    #[must_use]
    pub fn get(&self, kind: Count) -> u64 {
        self.0.get(kind as usize).copied().unwrap_or(0)
    }

    /// Notes how many there were of a kind.
    pub fn set(&mut self, kind: Count, number: u64) {
        if let Some(slot) = self.0.get_mut(kind as usize) {
            *slot = number;
        }
    }

    /// Notes what is no token.
    fn set_units(&mut self, units: &Units) {
        for (kind, number) in [
            (Count::ImagesOut, units.pictures),
            (Count::SearchUnits, units.search_units),
            (Count::MillisecondsIn, units.audio_ms),
            (Count::CharactersIn, units.characters),
            (Count::MillisecondsOut, units.all_video_ms()),
        ] {
            self.set(kind, number);
        }
    }

    /// The same with one count changed.
    #[must_use]
    pub fn with(mut self, kind: Count, number: u64) -> Self {
        self.set(kind, number);
        self
    }

    /// Every kind of which there was any.
    pub fn iter(&self) -> impl Iterator<Item = (Count, u64)> {
        Count::ALL
            .iter()
            .map(|kind| (*kind, self.get(*kind)))
            .filter(|(_, number)| *number > 0)
    }

    /// The counts that a usage has fields for.
    #[must_use]
    pub fn usage(&self) -> Usage {
        Usage {
            prompt: self.get(Count::Prompt),
            cache_read: self.get(Count::CacheRead),
            cache_write_5m: self.get(Count::CacheWrite5m),
            cache_write_1h: self.get(Count::CacheWrite1h),
            prompt_audio: self.get(Count::PromptAudio),
            prompt_image: self.get(Count::PromptImage),
            cache_read_audio: self.get(Count::CacheReadAudio),
            completion: self.get(Count::Completion),
            reasoning: self.get(Count::Reasoning),
            completion_audio: self.get(Count::CompletionAudio),
            completion_image: self.get(Count::CompletionImage),
            web_searches: self.get(Count::WebSearches),
            units: Units {
                pictures: self.get(Count::ImagesOut),
                search_units: self.get(Count::SearchUnits),
                audio_ms: self.get(Count::MillisecondsIn),
                characters: self.get(Count::CharactersIn),
                // Of which size they were, the lines of the charge say.
                ..Units::default()
            },
            // Told to the client, and kept nowhere.
            ..Usage::default()
        }
    }
}

impl From<Usage> for Counts {
    fn from(usage: Usage) -> Self {
        let mut counts = Self::default();
        for (kind, number) in [
            (Count::Prompt, usage.prompt),
            (Count::CacheRead, usage.cache_read),
            (Count::CacheWrite5m, usage.cache_write_5m),
            (Count::CacheWrite1h, usage.cache_write_1h),
            (Count::PromptAudio, usage.prompt_audio),
            (Count::Completion, usage.completion),
            (Count::Reasoning, usage.reasoning),
            (Count::CompletionAudio, usage.completion_audio),
            (Count::CompletionImage, usage.completion_image),
            (Count::WebSearches, usage.web_searches),
        ] {
            counts.set(kind, number);
        }
        if usage.units.any() {
            counts.set_units(&usage.units);
        }
        if usage.prompt_image > 0 {
            counts.set(Count::PromptImage, usage.prompt_image);
        }
        if usage.cache_read_audio > 0 {
            counts.set(Count::CacheReadAudio, usage.cache_read_audio);
        }
        counts
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_has_a_slot_and_is_found_by_its_number() {
        for (at, &kind) in Count::ALL.iter().enumerate() {
            assert_eq!(Count::by_number(kind as u64), Some(kind));
            assert_eq!(Counts::default().with(kind, 7).get(kind), 7);
            assert_eq!(kind as usize, at + 1, "numbers are given out in order");
        }
        assert_eq!(SLOTS, Count::ALL.len() + 1);
        assert_eq!(Count::by_number(0), None);
        assert_eq!(Count::by_number(SLOTS as u64), None);
    }

    #[test]
    fn a_usage_survives_being_counted() {
        let usage = Usage {
            prompt: 1,
            cache_read: 2,
            cache_write_5m: 3,
            cache_write_1h: 4,
            prompt_audio: 5,
            completion: 6,
            reasoning: 7,
            completion_audio: 8,
            completion_image: 9,
            web_searches: 10,
            units: Units {
                pictures: 11,
                audio_ms: 12,
                characters: 13,
                search_units: 14,
                ..Units::default()
            },
            prompt_image: 15,
            cache_read_audio: 16,
            ..Usage::default()
        };
        let counts = Counts::from(usage);
        assert_eq!(counts.usage(), usage);
        let listed: Vec<_> = counts.iter().map(|(_, number)| number).collect();
        assert_eq!(listed, (1..=16).collect::<Vec<_>>());
    }
}

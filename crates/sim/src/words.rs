//! Deterministic words: the content of every simulated answer.
//!
//! One token is one word. A word is computed from a seed and a position,
//! so that an answer of millions of tokens needs no memory.

/// Plain words without JSON escapes; the length is a power of two.
const WORDS: [&str; 64] = [
    "river", "stone", "cloud", "paper", "green", "quiet", "north", "lamp", "seven", "garden",
    "window", "bread", "silver", "road", "winter", "song", "clock", "apple", "harbour", "letter",
    "field", "candle", "morning", "bridge", "yellow", "forest", "ship", "table", "summer", "glass",
    "copper", "island", "market", "feather", "stair", "valley", "orange", "pencil", "cotton",
    "thunder", "mirror", "meadow", "anchor", "basket", "violet", "engine", "cedar", "pocket",
    "ribbon", "saddle", "tunnel", "walnut", "zephyr", "barley", "canvas", "drum", "ember", "flute",
    "gravel", "hollow", "ivory", "jacket", "kettle", "lantern",
];

/// How an answer begins that says of itself that it is invented.
const ANNOUNCEMENT: [&str; 9] = [
    "Simulated",
    "answer",
    "of",
    "Bourse,",
    "because",
    "no",
    "provider",
    "is",
    "configured:",
];

/// Tokens of that.
pub const ANNOUNCEMENT_TOKENS: u64 = ANNOUNCEMENT.len() as u64;

/// Mixes two numbers into one that looks random (splitmix64's finaliser).
#[must_use]
pub fn mix(a: u64, b: u64) -> u64 {
    let mut x = a ^ b
        .wrapping_mul(0x9e37_79b9_7f4a_7c15)
        .wrapping_add(0x9e37_79b9_7f4a_7c15);
    x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}

/// Hashes bytes to a number.
#[must_use]
pub fn hash(bytes: &[u8]) -> u64 {
    let digest = blake3::hash(bytes);
    let mut first = [0u8; 8];
    first
        .iter_mut()
        .zip(digest.as_bytes())
        .for_each(|(to, from)| *to = *from);
    u64::from_le_bytes(first)
}

/// Tokens of a text: its words.
#[must_use]
pub fn count(text: &str) -> u64 {
    text.split_whitespace().count() as u64
}

/// The tokens of one text, computed or given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Pieces {
    /// Words from the list.
    Words {
        /// Which words.
        seed: u64,
        /// How many.
        len: u64,
        /// Whether the first of them say that all are invented.
        announced: bool,
    },
    /// Given pieces, such as slices of a JSON document.
    Given(Vec<String>),
}

impl Pieces {
    /// No tokens.
    pub const EMPTY: Self = Self::Given(Vec::new());

    /// So many words.
    #[must_use]
    pub const fn words(seed: u64, len: u64) -> Self {
        Self::Words {
            seed,
            len,
            announced: false,
        }
    }

    /// How many tokens there are.
    #[must_use]
    pub fn len(&self) -> u64 {
        match self {
            Self::Words { len, .. } => *len,
            Self::Given(pieces) => pieces.len() as u64,
        }
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The token at a position; empty past the end.
    #[must_use]
    pub fn piece(&self, at: u64) -> String {
        match self {
            Self::Words {
                seed,
                len,
                announced,
            } if at < *len => {
                let nth = usize::try_from(at).unwrap_or(usize::MAX);
                let said = ANNOUNCEMENT.get(nth).filter(|_| *announced);
                let pick = usize::try_from(mix(*seed, at) % 64).unwrap_or_default();
                let word = said.or_else(|| WORDS.get(pick)).copied().unwrap_or("word");
                if at == 0 {
                    word.to_owned()
                } else {
                    format!(" {word}")
                }
            }
            Self::Words { .. } => String::new(),
            Self::Given(pieces) => usize::try_from(at)
                .ok()
                .and_then(|at| pieces.get(at).cloned())
                .unwrap_or_default(),
        }
    }

    /// All tokens in order.
    pub fn iter(&self) -> impl Iterator<Item = String> + Send + use<'_> {
        (0..self.len()).map(|at| self.piece(at))
    }

    /// All tokens joined.
    #[must_use]
    pub fn text(&self) -> String {
        self.iter().collect()
    }

    /// At most so many tokens from the start.
    #[must_use]
    pub fn truncated(self, max: u64) -> Self {
        match self {
            Self::Words {
                seed,
                len,
                announced,
            } => Self::Words {
                seed,
                len: len.min(max),
                announced,
            },
            Self::Given(mut pieces) => {
                pieces.truncate(usize::try_from(max).unwrap_or(usize::MAX));
                Self::Given(pieces)
            }
        }
    }

    /// Splits a text into tokens of at most `chars` characters.
    #[must_use]
    pub fn of_text(text: &str, chars: usize) -> Self {
        let all: Vec<char> = text.chars().collect();
        Self::Given(
            all.chunks(chars.max(1))
                .map(|piece| piece.iter().collect())
                .collect(),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_announced_answer_says_that_it_is_invented_and_goes_on_in_words() {
        let plain = Pieces::words(3, 12);
        let announced = Pieces::Words {
            seed: 3,
            len: 12,
            announced: true,
        };
        let text = announced.text();
        assert!(
            text.starts_with("Simulated answer of Bourse, because no provider is configured: "),
            "{text}"
        );
        assert_eq!(count(&text), 12);
        assert_eq!(announced.piece(9), plain.piece(9));
        assert_eq!(announced.truncated(3).text(), "Simulated answer of");
    }
}

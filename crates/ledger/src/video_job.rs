//! What is written down of a job at a provider: a film that is being made.

#![deny(clippy::float_arithmetic, clippy::arithmetic_side_effects)]

use bourse_catalog::Prices;
use bourse_vocab::videos::{Made, Tier};
use serde::{Deserialize, Serialize};

/// All that it takes to ask after a job, to settle it and to tell of it, by
/// whoever serves then. Prices are those of the moment at which it was sent.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Job {
    /// The model, as the client typed it.
    pub requested: String,
    /// Who is told when it has ended.
    pub callback: Option<String>,
    /// The caller's session.
    pub session: String,
    /// The caller's own user.
    pub user: String,
    /// Where the caller comes from.
    pub referer: String,
    /// The caller's program.
    pub app: String,
    /// The caller's user agent.
    pub user_agent: String,
    /// What else is recorded of the call, as a JSON object.
    pub extra: String,
    /// When the call began, in milliseconds since 1970.
    pub started_ms: u64,
    /// Who has taken it, once somebody has.
    pub taken: Option<Taken>,
    /// What became of it, once that is known.
    pub outcome: Option<Outcome>,
    /// What it cost its customer, in nano-dollars, once it is settled.
    pub paid: Option<i64>,
    /// How often it was asked after.
    pub asked: u32,
    /// How often in a row there was no answer to that.
    pub unanswered: u32,
    /// How often in a row its provider did not know it.
    pub forgotten: u32,
    /// How often the callback was called.
    pub tellings: u32,
    /// Whether it took the message: absent while that is open.
    pub told: Option<bool>,
}

/// A job that a provider has taken.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Taken {
    /// Slug of the provider.
    pub provider: String,
    /// Its display name.
    pub provider_name: String,
    /// The endpoint's id.
    pub endpoint: String,
    /// Which of the provider's credentials it was sent with.
    pub credential: u16,
    /// Slug of the model.
    pub model: String,
    /// The vendor's shape ([`bourse_vocab::videos::Shape::name`]).
    pub shape: String,
    /// What the provider calls it.
    pub name: String,
    /// How long the film is to be.
    pub ordered_ms: u64,
    /// How large: the lines of its shorter side, as far as its price depends on
    /// them.
    pub lines: u32,
    /// What it is sold for.
    pub prices: Prices,
    /// What is added to that.
    pub markup_ppm: u64,
    /// Which prices these are.
    pub price_book: u64,
    /// Providers that refused it before, in order.
    pub refused_by: Vec<String>,
    /// When it was sent, in milliseconds since 1970.
    pub sent_ms: u64,
    /// When the provider had taken it.
    pub taken_ms: u64,
}

impl Taken {
    /// How large the film is, as prices go.
    #[must_use]
    pub const fn tier(&self) -> Tier {
        Tier::of_lines(self.lines)
    }
}

/// A number of lines that is of a tier.
#[must_use]
pub const fn lines_of(tier: Tier) -> u32 {
    match tier {
        Tier::Low => 480,
        Tier::Usual => 720,
        Tier::High => 1_080,
        Tier::Highest => 2_160,
    }
}

/// What became of a job.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// It was made.
    Made {
        /// Where the films are.
        places: Vec<String>,
        /// How long they are, where the provider said so.
        ms: Option<u64>,
        /// Until when they can be had, in seconds since 1970, if that is known.
        expires_at_s: Option<u64>,
    },
    /// It was not made, and costs nothing.
    Failed {
        /// Why.
        why: String,
        /// Whether what was asked for is what was refused.
        is_refusal: bool,
    },
    /// Nobody knows, and nobody asks any more.
    Lost {
        /// Why not.
        why: String,
    },
}

impl From<Made> for Outcome {
    fn from(made: Made) -> Self {
        Self::Made {
            places: made.places,
            ms: made.ms,
            expires_at_s: made.expires_at_s,
        }
    }
}

impl Job {
    /// Reads what was written down.
    ///
    /// # Errors
    /// It is not what is written here.
    pub fn read(text: &str) -> Result<Self, serde_json::Error> {
        serde_json::from_str(text)
    }

    /// Writes it down.
    #[must_use]
    pub fn write(&self) -> String {
        // Texts, numbers and lists of them: nothing that cannot be written.
        serde_json::to_string(self).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_job_is_read_as_it_was_written() {
        let mut prices = Prices::default();
        prices.set(
            bourse_catalog::PriceKey::VideoSecond,
            bourse_catalog::PriceKey::VideoSecond.parse("0.40").ok(),
        );
        let job = Job {
            taken: Some(Taken {
                prices,
                lines: lines_of(Tier::High),
                ..Taken::default()
            }),
            outcome: Some(Outcome::Lost {
                why: "\"\u{1}".to_owned(),
            }),
            ..Job::default()
        };
        let read = Job::read(&job.write()).unwrap();
        assert_eq!(read, job);
        assert_eq!(read.taken.unwrap().tier(), Tier::High);
    }

    #[test]
    fn every_tier_has_lines_of_its_own() {
        for tier in [Tier::Low, Tier::Usual, Tier::High, Tier::Highest] {
            assert_eq!(Tier::of_lines(lines_of(tier)), tier);
        }
    }
}

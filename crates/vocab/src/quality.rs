//! How good an endpoint is for calls with tools, beside the others of its
//! model: what `bourse_routing::quality` finds, and records and lists tell.

/// What an endpoint is to calls with tools. The numbers are written into
/// journals: they are never changed and never given to another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[repr(u8)]
pub enum Quality {
    /// Something is known, and nothing of it is bad.
    Good = 1,
    /// Too little is known.
    #[default]
    Unknown = 2,
    /// Its throughput is too low.
    Slow = 3,
    /// Too many of its tool calls are bad.
    Careless = 4,
    /// Both.
    SlowAndCareless = 5,
}

/// The tiers of the order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Tier {
    /// First.
    Good,
    /// Then.
    InsufficientData,
    /// Last.
    Deprioritised,
}

// === impl Quality ===

impl Quality {
    /// Every quality.
    pub const ALL: [Self; 5] = [
        Self::Good,
        Self::Unknown,
        Self::Slow,
        Self::Careless,
        Self::SlowAndCareless,
    ];

    /// The one with a number.
    #[must_use]
    pub fn by_number(number: u64) -> Option<Self> {
        let mut all = Self::ALL.into_iter();
        all.find(|one| u64::from(*one as u8) == number)
    }

    /// Its tier.
    #[must_use]
    pub const fn tier(self) -> Tier {
        match self {
            Self::Good => Tier::Good,
            Self::Unknown => Tier::InsufficientData,
            Self::Slow | Self::Careless | Self::SlowAndCareless => Tier::Deprioritised,
        }
    }

    /// The signals that are bad, in words.
    #[must_use]
    pub const fn why(self) -> &'static [&'static str] {
        match self {
            Self::Good | Self::Unknown => &[],
            Self::Slow => &["throughput"],
            Self::Careless => &["tool_calls"],
            Self::SlowAndCareless => &["throughput", "tool_calls"],
        }
    }
}

// === impl Tier ===

impl Tier {
    /// Its name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Good => "good",
            Self::InsufficientData => "insufficient_data",
            Self::Deprioritised => "deprioritised",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quality_survives_being_a_number() {
        for quality in Quality::ALL {
            assert_eq!(Quality::by_number(quality as u64), Some(quality));
            assert_eq!(
                quality.why().is_empty(),
                quality.tier() != Tier::Deprioritised
            );
        }
        assert_eq!(Quality::by_number(0), None);
    }
}

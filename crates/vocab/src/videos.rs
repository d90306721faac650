//! Films that a model makes of a text, and of pictures.
//!
//! An operation of its own, and the only one whose answer is not there when
//! its request has been answered: a vendor takes a job, and is asked after it.

/// How a vendor's interface for films looks on the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Shape {
    /// OpenAI's `POST /videos`, as others imitate it.
    OpenAi,
    /// Google's `models/veo-*:predictLongRunning`.
    Veo,
}

impl Shape {
    /// Every shape, in the order in which documents list them.
    pub const ALL: [Self; 2] = [Self::OpenAi, Self::Veo];

    /// How it is stored.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::OpenAi => "videos",
            Self::Veo => "operations",
        }
    }

    /// The inverse of [`Self::name`].
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|one| one.name() == name)
    }
}

/// How large a film is, as far as its price depends on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Tier {
    /// Up to 480 lines.
    Low,
    /// More than these, and fewer than 1,080: what is made unless another is
    /// asked for.
    #[default]
    Usual,
    /// Up to 1,080 lines.
    High,
    /// More.
    Highest,
}

impl Tier {
    /// The tier of a film whose shorter side has so many pixels.
    #[must_use]
    pub const fn of_lines(lines: u32) -> Self {
        match lines {
            0..=480 => Self::Low,
            481..=959 => Self::Usual,
            960..=1_080 => Self::High,
            _ => Self::Highest,
        }
    }
}

/// How far a vendor has come with a job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Progress {
    /// It has not begun.
    Waiting,
    /// It works.
    Working,
    /// It is done.
    Done(Made),
    /// It will not be done, and costs nothing.
    Failed {
        /// Why, in the vendor's words.
        why: String,
        /// Whether what was asked for is what it refuses.
        is_refusal: bool,
    },
}

/// What was made.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Made {
    /// Where the films are: addresses, or paths below the vendor's own.
    pub places: Vec<String>,
    /// How long they are together in milliseconds, where the vendor says so.
    pub ms: Option<u64>,
    /// Until when they can be had, in seconds since 1970, where it says so.
    pub expires_at_s: Option<u64>,
}

//! Why money cannot be set aside, and how a caller hears of it.

use std::time::Duration;

use bourse_policy::Period;
use bourse_vocab::{AccountId, Failure, FailureKind, KeyId, Nanos};

/// Whose purse it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Subject {
    /// An account's credit.
    Account(AccountId),
    /// A key's limit.
    Key(KeyId),
}

impl Subject {
    /// OpenRouter's word in `limit_source` (limits, October 2026).
    const fn source(self) -> &'static str {
        match self {
            Self::Account(_) => "openrouter_credits",
            Self::Key(_) => "openrouter_key_limit",
        }
    }

    const fn remedy(self) -> &'static str {
        match self {
            Self::Account(_) => {
                "Add credits, lower max_tokens, or wait for running requests to end."
            }
            Self::Key(_) => {
                "Raise the key's limit, lower max_tokens, or wait for running requests to end."
            }
        }
    }
}

/// The purse that leaves too little for a call, with its numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Exhausted {
    /// Whose it is.
    pub purse: Subject,
    /// When its limit starts anew; never, if absent.
    pub reset: Option<Period>,
    /// What it leaves, money on hold counted as spent.
    pub room: Nanos,
    /// What the call can cost.
    pub needed: Nanos,
    /// What is on hold for running calls, in the same period.
    pub held: Nanos,
}

impl std::fmt::Display for Exhausted {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { needed, room, .. } = self;
        match self.purse {
            Subject::Account(_) => write!(
                f,
                "This request requires more credits, or fewer max_tokens. It can cost up to ${needed}, and the account has ${room} available."
            ),
            Subject::Key(_) => write!(
                f,
                "This request can cost up to ${needed}, and the API key's {}limit leaves ${room}.",
                match self.reset {
                    None => "",
                    Some(Period::Daily) => "daily ",
                    Some(Period::Weekly) => "weekly ",
                    Some(Period::Monthly) => "monthly ",
                }
            ),
        }
    }
}

/// When a caller whose running calls hold the money should ask again: calls
/// end within some seconds, and the call has waited before it was refused.
const RETRY_AFTER: Duration = Duration::from_secs(5);

impl Exhausted {
    /// Whether it would fit if every running call ended and paid nothing.
    #[must_use]
    pub fn fits_later(&self) -> bool {
        self.room.saturating_add(self.held) >= self.needed
    }

    /// As the caller is told: 402 with the reason, in the members that
    /// OpenRouter documents (limits, October 2026).
    fn failure(&self) -> Failure {
        // With running calls out of the way it would have fitted: waiting
        // helps. Otherwise it never fits.
        let fits_later = self.fits_later();
        let reason = if fits_later {
            "in_flight_budget_exhausted"
        } else {
            "weight_exceeds_budget"
        };
        let failure = Failure::new(FailureKind::PaymentRequired, self.to_string());
        let failure = if fits_later {
            failure.retry_after(RETRY_AFTER)
        } else {
            failure
        };
        failure
            .metadata("reason", reason)
            .metadata("limit_source", self.purse.source())
            .metadata("remedy_hint", self.purse.remedy())
            .metadata("needed_usd", self.needed.to_string())
            .metadata("available_usd", self.room.to_string())
    }
}

/// Why the books do not do what was asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The account is not in these books.
    #[error("unknown account")]
    UnknownAccount,
    /// The key is not in these books, or not of this account.
    #[error("unknown key")]
    UnknownKey,
    /// A purse leaves too little.
    #[error("{0}")]
    Exhausted(Exhausted),
    /// A hold with this id is open already.
    #[error("a hold with this id is open already")]
    AlreadyOpen,
    /// No hold with this id is open.
    #[error("no hold with this id is open")]
    NotOpen,
    /// A negative amount, or one too large to hold.
    #[error("amount out of range")]
    OutOfRange,
}

impl Refusal {
    /// As the caller is told. What a caller cannot cause is our own fault.
    #[must_use]
    pub fn failure(&self) -> Failure {
        match self {
            Self::Exhausted(exhausted) => exhausted.failure(),
            _ => Failure::server(format!("hold refused: {self}")),
        }
    }

    /// Whether the books do not know the purse.
    #[must_use]
    pub const fn is_unknown(&self) -> bool {
        matches!(self, Self::UnknownAccount | Self::UnknownKey)
    }

    /// Whether the books may know too little, rather than the purse hold too
    /// little: somebody may just have made the account or the key, or raised
    /// a limit.
    #[must_use]
    pub const fn may_be_stale(&self) -> bool {
        self.is_unknown() || matches!(self, Self::Exhausted(_))
    }
}

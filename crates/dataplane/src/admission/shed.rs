//! Why there is no room for a call, and what its caller is told.

use std::time::Duration;

use bourse_vocab::{Blame, Failure, FailureKind};

use super::overload::CALM_US;

/// When to come back while the worker is late: if nobody is refused for so
/// long, nobody is from then on.
const CALM: Duration = Duration::from_micros(CALM_US);
/// When to come back with what may wait: others come back before.
const BATCH: Duration = Duration::from_secs(5);
/// When to come back where a call of one's own has to end first. Nobody knows
/// when it does; asking costs next to nothing.
const OWN: Duration = Duration::from_secs(1);

/// Why a call was refused although nothing is wrong with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shed {
    /// Its worker has more to do than it gets done.
    Overload,
    /// Too many that may wait do so already, or too many of its key.
    Queue,
    /// It has waited for long enough.
    Wait,
    /// Its key has as many calls under way as it may.
    Key,
    /// Its account has.
    Account,
}

impl Shed {
    /// Every reason.
    pub const ALL: [Self; 5] = [
        Self::Overload,
        Self::Queue,
        Self::Wait,
        Self::Key,
        Self::Account,
    ];

    /// The reason in metrics.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Overload => "overload",
            Self::Queue => "queue",
            Self::Wait => "wait",
            Self::Key => "key",
            Self::Account => "account",
        }
    }

    pub(super) const fn place(self) -> usize {
        self as usize
    }

    /// What the caller is told.
    pub(crate) fn failure(self) -> Failure {
        use FailureKind::{Overloaded, RateLimited};
        let (kind, blame, retry_after, message) = match self {
            Self::Overload => (
                Overloaded,
                Blame::Us,
                CALM,
                "This server is getting more requests than it can serve; try again",
            ),
            Self::Queue => (
                Overloaded,
                Blame::Us,
                BATCH,
                "This server is busy, and too many batch requests wait for it; try again",
            ),
            Self::Wait => (
                Overloaded,
                Blame::Us,
                BATCH,
                "This server has had no time for batch requests; try again",
            ),
            Self::Key => (
                RateLimited,
                Blame::Caller,
                OWN,
                "Too many requests of this API key are under way; wait until one ends",
            ),
            Self::Account => (
                RateLimited,
                Blame::Caller,
                OWN,
                "Too many requests of this account are under way; wait until one ends",
            ),
        };
        let mut failure = Failure::new(kind, message).retry_after(retry_after);
        failure.blame = blame;
        failure
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bound_of_the_callers_is_429_one_of_ours_503_and_each_says_when_to_come_back() {
        for (place, why) in Shed::ALL.into_iter().enumerate() {
            assert_eq!(why.place(), place);
            let failure = why.failure();
            let is_theirs = matches!(why, Shed::Key | Shed::Account);
            assert_eq!(failure.status(), if is_theirs { 429 } else { 503 });
            assert!(failure.retry_after_seconds() >= Some(1));
        }
    }
}

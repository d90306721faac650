//! Why an attempt at a provider failed, in one word.
//!
//! A [`crate::FailureKind`] is what a caller is told, and three failures of a
//! network are one kind: the caller can do nothing about any of them. An
//! operator mends each elsewhere, so records, logs and metrics have this
//! word besides. It tells nothing of what was said.

/// See the top of the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Reason {
    /// The provider's name has no address.
    Dns,
    /// No address of the provider takes a connection.
    Connect,
    /// There is a connection, and no TLS on it: a certificate, a name, or a
    /// server that speaks something else.
    Tls,
    /// A deadline passed.
    Timeout,
    /// The provider does not take our key.
    Unauthorized,
    /// Our account at the provider is empty, capped or not paid.
    Unpaid,
    /// The provider wants fewer calls.
    RateLimited,
    /// The provider answered with a status of 500 or above.
    ServerError,
    /// The provider answered with another status that is an error.
    ClientError,
    /// The connection broke before the answer was whole.
    Cut,
    /// What came is no answer.
    Malformed,
    /// Nobody was asked: a bound or a rule of ours forbids it.
    NotCalled,
}

impl Reason {
    /// Every reason, in the order of their numbers: a reason's number is its
    /// place here, counted from 1. Numbers are written into journals, so a
    /// new one goes to the end and none is ever taken out.
    pub const ALL: &[Self] = &[
        Self::Dns,
        Self::Connect,
        Self::Tls,
        Self::Timeout,
        Self::Unauthorized,
        Self::Unpaid,
        Self::RateLimited,
        Self::ServerError,
        Self::ClientError,
        Self::Cut,
        Self::Malformed,
        Self::NotCalled,
    ];

    /// The word for it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Dns => "dns",
            Self::Connect => "connect",
            Self::Tls => "tls",
            Self::Timeout => "timeout",
            Self::Unauthorized => "unauthorized",
            Self::Unpaid => "unpaid",
            Self::RateLimited => "rate_limited",
            Self::ServerError => "5xx",
            Self::ClientError => "4xx",
            Self::Cut => "cut",
            Self::Malformed => "malformed",
            Self::NotCalled => "not_called",
        }
    }

    /// Its number, for journals. Never 0.
    #[must_use]
    pub fn number(self) -> u64 {
        let place = Self::ALL.iter().position(|reason| *reason == self);
        place.map_or(0, |place| place.saturating_add(1)) as u64
    }

    /// Finds a reason by its number.
    #[must_use]
    pub fn by_number(number: u64) -> Option<Self> {
        let place = usize::try_from(number).ok()?.checked_sub(1)?;
        Self::ALL.get(place).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reason_has_a_number_and_a_word_that_stay() {
        let mut names = std::collections::BTreeSet::new();
        for reason in Reason::ALL {
            assert_eq!(Reason::by_number(reason.number()), Some(*reason));
            assert!(names.insert(reason.name()), "{}", reason.name());
        }
        assert_eq!((Reason::by_number(0), Reason::by_number(13)), (None, None));
        // The first, one between and the last, as journals have them.
        let numbers = [Reason::Dns, Reason::Unpaid, Reason::NotCalled].map(Reason::number);
        assert_eq!(numbers, [1, 6, 12]);
    }
}

//! What a failure means: for the call, and for what is remembered of whoever
//! failed.
//!
//! One table, read from the top; the first row that fits counts. It says what
//! helps before any content was shown (after it nothing does), and which of
//! the three that were asked has shown a fault: the endpoint with its
//! credential, the credential at all endpoints, or the provider with all that
//! it has. Whether another target may be asked at all is the failure's own
//! [`Next`], because only its reader knows what exactly was refused.

use bourse_vocab::{Blame, Failure, FailureKind, Next};

/// What may help a call whose attempt failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Then {
    /// Nothing: every target would say the same.
    Stop,
    /// Another model of the caller's list.
    AnotherModel,
    /// The next target; this one not again.
    Next,
    /// The next target, or this one again where no other is left: it was
    /// bad luck as likely as not.
    SameAgain,
}

/// What a failure says of one of those that were asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sign {
    /// Nothing.
    None,
    /// One failure.
    Failure,
    /// One failure that took all the time it was given: it counts twice,
    /// because each costs a caller as long.
    Silence,
    /// It is well, and wants to be left alone for a time.
    Rest,
    /// It said itself that it cannot serve anybody: no more proof is needed.
    Ejected,
}

/// How far an attempt had come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// Nothing of the request was sent.
    Unsent,
    /// It may have been sent.
    Sent,
}

/// A row of the table.
#[derive(Debug, PartialEq, Eq)]
pub struct Class {
    /// Its name, for logs and metadata.
    pub name: &'static str,
    /// The kinds it is of.
    kinds: &'static [FailureKind],
    /// The statuses it has; any, if there are none.
    statuses: &'static [u16],
    /// Whether our account was refused.
    refused_us: bool,
    /// How far the attempt had come, if that matters.
    place: Option<Place>,
    /// Whose fault it is, if that matters.
    blame: Option<Blame>,
    /// What may help, where the failure allows another target.
    pub then: Then,
    /// What it says of the endpoint with this credential.
    pub endpoint: Sign,
    /// What it says of the credential at any endpoint.
    pub credential: Sign,
    /// What it says of the provider.
    pub provider: Sign,
}

use FailureKind as Kind;

/// A row that fits nothing and says nothing, to be filled in.
const ROW: Class = Class {
    name: "",
    kinds: &[],
    statuses: &[],
    refused_us: false,
    place: None,
    blame: None,
    then: Then::Next,
    endpoint: Sign::None,
    credential: Sign::None,
    provider: Sign::None,
};

/// Every class of failures.
pub static CLASSES: &[Class] = &[
    // Some models are for some accounts only, and the others are served.
    Class {
        name: "model_forbidden",
        kinds: Kind::ALL,
        statuses: &[403],
        refused_us: true,
        endpoint: Sign::Ejected,
        ..ROW
    },
    // A key that is wrong, or an account that is empty, capped or not paid.
    // Asking again changes nothing, an operator must.
    Class {
        name: "account_refused",
        kinds: Kind::ALL,
        refused_us: true,
        credential: Sign::Ejected,
        ..ROW
    },
    Class {
        name: "rate_limited",
        kinds: &[Kind::RateLimited],
        endpoint: Sign::Rest,
        ..ROW
    },
    // Our own limits on connections and on answers in memory, or an address
    // that we do not call.
    Class {
        name: "not_called",
        kinds: &[Kind::Unavailable, Kind::Overloaded],
        blame: Some(Blame::Us),
        then: Then::SameAgain,
        ..ROW
    },
    // The status of a provider that is overloaded as a whole
    // (docs.claude.com, errors, October 2026).
    Class {
        name: "provider_overloaded",
        kinds: &[Kind::Overloaded],
        statuses: &[529],
        then: Then::SameAgain,
        endpoint: Sign::Failure,
        provider: Sign::Ejected,
        ..ROW
    },
    Class {
        name: "overloaded",
        kinds: &[Kind::Overloaded],
        then: Then::SameAgain,
        endpoint: Sign::Failure,
        ..ROW
    },
    Class {
        name: "unreachable",
        kinds: &[Kind::Unavailable],
        place: Some(Place::Unsent),
        then: Then::SameAgain,
        endpoint: Sign::Failure,
        provider: Sign::Failure,
        ..ROW
    },
    Class {
        name: "unconnected",
        kinds: &[Kind::Timeout],
        place: Some(Place::Unsent),
        endpoint: Sign::Silence,
        provider: Sign::Failure,
        ..ROW
    },
    // 5xx, a reset, nonsense, and an error inside an answer of status 200.
    Class {
        name: "unavailable",
        kinds: &[Kind::Unavailable],
        then: Then::SameAgain,
        endpoint: Sign::Failure,
        ..ROW
    },
    Class {
        name: "silent",
        kinds: &[Kind::Timeout],
        endpoint: Sign::Silence,
        ..ROW
    },
    Class {
        name: "unmapped",
        kinds: &[Kind::Unmapped],
        endpoint: Sign::Failure,
        ..ROW
    },
    // What the catalog says of the endpoint is not so.
    Class {
        name: "not_offered",
        kinds: &[Kind::NotFound, Kind::Conflict, Kind::PreconditionFailed],
        blame: Some(Blame::Upstream),
        endpoint: Sign::Failure,
        ..ROW
    },
    // No sign of health: another prompt would have been answered.
    Class {
        name: "does_not_fit",
        kinds: &[
            Kind::ContextLengthExceeded,
            Kind::MaxTokensExceeded,
            Kind::ContentPolicy,
        ],
        then: Then::AnotherModel,
        ..ROW
    },
    Class {
        name: "callers_mistake",
        kinds: &[
            Kind::Authentication,
            Kind::PermissionDenied,
            Kind::PaymentRequired,
            Kind::InvalidRequest,
            Kind::NotFound,
            Kind::PreconditionFailed,
            Kind::PayloadTooLarge,
            Kind::Unprocessable,
            Kind::InvalidImage,
            Kind::Conflict,
            Kind::RequestTimeout,
        ],
        then: Then::Stop,
        ..ROW
    },
    Class {
        name: "our_mistake",
        kinds: &[Kind::Server],
        then: Then::Stop,
        ..ROW
    },
];

/// What is left if no row fits, which a test rules out.
static OTHER: Class = Class {
    name: "other",
    ..ROW
};

impl Class {
    /// The class of a failure.
    #[must_use]
    pub fn of(failure: &Failure, place: Place) -> &'static Self {
        let upstream = failure.upstream.as_deref();
        let status = upstream.and_then(|upstream| upstream.status).unwrap_or(0);
        let refused_us = upstream.is_some_and(|upstream| upstream.refused_us);
        CLASSES
            .iter()
            .find(|class| {
                class.kinds.contains(&failure.kind)
                    && (class.statuses.is_empty() || class.statuses.contains(&status))
                    && class.refused_us == refused_us
                    && class.place.is_none_or(|at| at == place)
                    && class.blame.is_none_or(|blame| blame == failure.blame)
            })
            .unwrap_or(&OTHER)
    }

    /// What may help a call that failed so.
    #[must_use]
    pub fn then(&self, failure: &Failure) -> Then {
        match failure.next {
            Next::Stop => Then::Stop,
            Next::TryAnotherModel => Then::AnotherModel,
            // Whoever said when it may be asked again is not asked before.
            Next::TryAnother if self.then == Then::SameAgain && failure.retry_after.is_none() => {
                Then::SameAgain
            }
            Next::TryAnother => Then::Next,
        }
    }

    /// Whether it was refused because the provider has as much to do as it
    /// takes, of ours (429) or of everybody's (529).
    #[must_use]
    pub fn is_of_load(&self) -> bool {
        self.endpoint == Sign::Rest || self.provider == Sign::Ejected
    }

    /// Whether it says nothing of anybody's health.
    #[must_use]
    pub fn is_no_sign(&self) -> bool {
        [self.endpoint, self.credential, self.provider] == [Sign::None; 3]
    }
}

#[cfg(test)]
mod tests;

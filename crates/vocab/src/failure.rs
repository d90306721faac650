//! Whatever ends a call early, in one type.
//!
//! Routing reads [`Failure::next`], metrics read [`Failure::blame`], each
//! format renders [`Failure::kind`] in its own shape. Nobody matches on
//! strings. The inside story (`inside`) has no `Display`, so that it
//! cannot reach a caller by accident.

use std::borrow::Cow;
use std::time::Duration;

use crate::Reason;

/// What went wrong, from OpenRouter's closed list of `error_type` values
/// (openrouter.ai/docs, errors and debugging, August 2026).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum FailureKind {
    /// The prompt does not fit the model's context window.
    ContextLengthExceeded,
    /// More output was asked for than the model can give.
    MaxTokensExceeded,
    /// No key, a bad key, a disabled or expired key.
    Authentication,
    /// The key is good but may not do this.
    PermissionDenied,
    /// Not enough credit on the account or the key.
    PaymentRequired,
    /// Too many requests, here or at the provider.
    RateLimited,
    /// The provider is overloaded, or nobody can serve right now.
    Overloaded,
    /// The provider could not be reached or answered nonsense.
    Unavailable,
    /// A parameter is missing, malformed or out of range.
    InvalidRequest,
    /// Nothing at that path, or no endpoint fits.
    NotFound,
    /// A condition that the caller set does not hold.
    PreconditionFailed,
    /// The body exceeds the size limit.
    PayloadTooLarge,
    /// Well-formed but not acceptable.
    Unprocessable,
    /// The provider's content policy refused the prompt.
    ContentPolicy,
    /// An image could not be used.
    InvalidImage,
    /// The verb does not fit the path, or the state forbids it.
    Conflict,
    /// The caller did not send its request in time.
    RequestTimeout,
    /// A deadline passed.
    Timeout,
    /// Our own fault.
    Server,
    /// A provider's error that fits nothing above.
    Unmapped,
}

impl FailureKind {
    /// Every kind, in the order of their numbers: a kind's number is its
    /// place here, counted from 1. Numbers are written into journals, so a
    /// new kind goes to the end and none is ever taken out.
    pub const ALL: &[Self] = &[
        Self::ContextLengthExceeded,
        Self::MaxTokensExceeded,
        Self::Authentication,
        Self::PermissionDenied,
        Self::PaymentRequired,
        Self::RateLimited,
        Self::Overloaded,
        Self::Unavailable,
        Self::InvalidRequest,
        Self::NotFound,
        Self::PreconditionFailed,
        Self::PayloadTooLarge,
        Self::Unprocessable,
        Self::ContentPolicy,
        Self::InvalidImage,
        Self::Conflict,
        Self::RequestTimeout,
        Self::Timeout,
        Self::Server,
        Self::Unmapped,
    ];

    /// The kind's number, for journals. Never 0.
    #[must_use]
    pub fn number(self) -> u64 {
        let place = Self::ALL.iter().position(|kind| *kind == self);
        place.map_or(0, |place| place.saturating_add(1)) as u64
    }

    /// Finds a kind by its number.
    #[must_use]
    pub fn by_number(number: u64) -> Option<Self> {
        let place = usize::try_from(number).ok()?.checked_sub(1)?;
        Self::ALL.get(place).copied()
    }

    /// The HTTP status of this kind.
    #[must_use]
    pub const fn status(self) -> u16 {
        match self {
            Self::ContextLengthExceeded
            | Self::MaxTokensExceeded
            | Self::InvalidRequest
            | Self::ContentPolicy
            | Self::InvalidImage => 400,
            Self::Authentication => 401,
            Self::PaymentRequired => 402,
            Self::PermissionDenied => 403,
            Self::NotFound => 404,
            Self::RequestTimeout => 408,
            Self::Conflict => 409,
            Self::PreconditionFailed => 412,
            Self::PayloadTooLarge => 413,
            Self::Unprocessable => 422,
            Self::RateLimited => 429,
            Self::Server | Self::Unmapped => 500,
            Self::Unavailable => 502,
            Self::Overloaded => 503,
            Self::Timeout => 504,
        }
    }

    /// The `error_type` that callers see, the same in every format.
    #[must_use]
    pub const fn error_type(self) -> &'static str {
        match self {
            Self::ContextLengthExceeded => "context_length_exceeded",
            Self::MaxTokensExceeded => "max_tokens_exceeded",
            Self::Authentication => "authentication",
            Self::PermissionDenied => "permission_denied",
            Self::PaymentRequired => "payment_required",
            Self::RateLimited => "rate_limit_exceeded",
            Self::Overloaded => "provider_overloaded",
            Self::Unavailable => "provider_unavailable",
            Self::InvalidRequest => "invalid_request",
            Self::NotFound => "not_found",
            Self::PreconditionFailed => "precondition_failed",
            Self::PayloadTooLarge => "payload_too_large",
            Self::Unprocessable => "unprocessable",
            Self::ContentPolicy => "content_policy_violation",
            Self::InvalidImage => "invalid_image",
            Self::Conflict => "conflict",
            Self::RequestTimeout | Self::Timeout => "timeout",
            Self::Server => "server",
            Self::Unmapped => "unmapped",
        }
    }

    /// Whose fault this usually is, and what usually helps.
    #[must_use]
    pub const fn usual(self) -> (Blame, Next) {
        match self {
            Self::ContextLengthExceeded | Self::MaxTokensExceeded | Self::ContentPolicy => {
                (Blame::Caller, Next::TryAnotherModel)
            }
            Self::Authentication
            | Self::PermissionDenied
            | Self::PaymentRequired
            | Self::InvalidRequest
            | Self::NotFound
            | Self::PreconditionFailed
            | Self::PayloadTooLarge
            | Self::Unprocessable
            | Self::InvalidImage
            | Self::RequestTimeout
            | Self::Conflict => (Blame::Caller, Next::Stop),
            Self::RateLimited
            | Self::Overloaded
            | Self::Unavailable
            | Self::Timeout
            | Self::Unmapped => (Blame::Upstream, Next::TryAnother),
            Self::Server => (Blame::Us, Next::Stop),
        }
    }
}

/// Whose fault it is: what metrics count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Blame {
    /// The request itself.
    Caller,
    /// A provider.
    Upstream,
    /// Bourse.
    Us,
}

/// What may help: what routing reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Next {
    /// Nothing will: tell the caller.
    Stop,
    /// Another target may answer.
    TryAnother,
    /// Another endpoint of the same model would say the same; another
    /// *model* of the caller's list may answer.
    TryAnotherModel,
}

/// What a provider said when it failed, for `error.metadata`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct UpstreamError {
    /// Display name of the provider, once known.
    pub provider: Option<Cow<'static, str>>,
    /// The HTTP status it answered with.
    pub status: Option<u16>,
    /// Its own code for the error.
    pub code: Option<String>,
    /// Its own id for the request: what its support asks for.
    pub request_id: Option<String>,
    /// Its body or message, cut to a bounded length, secrets removed.
    pub raw: Option<String>,
    /// Whether it refused us and not the request: our key, quota or payment
    /// there. Callers are not told.
    pub refused_us: bool,
    /// Whether it did so because our account there is empty, capped or not
    /// paid.
    pub is_unpaid: bool,
}

/// Why a call ended without a (whole) answer.
#[derive(Debug, Clone)]
pub struct Failure {
    /// What went wrong.
    pub kind: FailureKind,
    /// Whose fault it is.
    pub blame: Blame,
    /// What may help.
    pub next: Next,
    /// A sentence for the caller: names the field and the remedy.
    pub message: Cow<'static, str>,
    /// How long to wait, where someone said so.
    pub retry_after: Option<Duration>,
    /// Why nobody answered, where a network or a rule of ours has said; see
    /// [`Self::why`].
    pub reason: Option<Reason>,
    /// What the provider said, where one was asked.
    pub upstream: Option<Box<UpstreamError>>,
    /// More members for `error.metadata` and beside it, as JSON objects.
    pub details: Option<Box<Details>>,
    /// For the log only.
    pub inside: Option<Box<str>>,
}

/// Structured additions to an error body.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Details {
    /// Members added to `error.metadata`.
    pub metadata: serde_json::Map<String, serde_json::Value>,
    /// `error.availability`, as OpenRouter shapes it.
    pub availability: Option<serde_json::Value>,
}

/// The member of `error.metadata` in which the end of a stream says why nobody
/// went on with an answer that broke, where the caller had asked for that.
pub const CONTINUATION: &str = "continuation";

impl Failure {
    /// A failure with its kind's usual blame and remedy.
    pub fn new(kind: FailureKind, message: impl Into<Cow<'static, str>>) -> Self {
        let (blame, next) = kind.usual();
        Self {
            kind,
            blame,
            next,
            message: message.into(),
            retry_after: None,
            reason: None,
            upstream: None,
            details: None,
            inside: None,
        }
    }

    /// A bad parameter. `message` names it.
    pub fn invalid(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(FailureKind::InvalidRequest, message)
    }

    /// Our own fault: callers get a general sentence, the log the story.
    pub fn server(inside: impl Into<Box<str>>) -> Self {
        let mut failure = Self::new(FailureKind::Server, "Internal Server Error");
        failure.inside = Some(inside.into());
        failure
    }

    /// A provider that could not be reached or answered nonsense.
    pub fn unavailable(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(FailureKind::Unavailable, message)
    }

    /// Says how long to wait.
    #[must_use]
    pub fn retry_after(mut self, wait: Duration) -> Self {
        self.retry_after = Some(wait);
        self
    }

    /// Says what may help, where it differs from the usual.
    #[must_use]
    pub fn next(mut self, next: Next) -> Self {
        self.next = next;
        self
    }

    /// Keeps the inside story for the log.
    #[must_use]
    pub fn inside(mut self, story: impl Into<Box<str>>) -> Self {
        self.inside = Some(story.into());
        self
    }

    /// Says why nobody answered.
    #[must_use]
    pub const fn reason(mut self, reason: Reason) -> Self {
        self.reason = Some(reason);
        self
    }

    /// Why an attempt failed: what its network said, or else what its
    /// provider did.
    #[must_use]
    pub fn why(&self) -> Reason {
        if let Some(reason) = self.reason {
            return reason;
        }
        let upstream = self.upstream.as_deref();
        let status = upstream.and_then(|upstream| upstream.status);
        let refused_us = upstream.is_some_and(|upstream| upstream.refused_us);
        match (self.kind, status) {
            _ if upstream.is_some_and(|upstream| upstream.is_unpaid) => Reason::Unpaid,
            _ if refused_us => Reason::Unauthorized,
            (FailureKind::RateLimited, _) => Reason::RateLimited,
            (FailureKind::Timeout, None) => Reason::Timeout,
            (_, Some(500..)) => Reason::ServerError,
            (_, Some(400..)) => Reason::ClientError,
            (FailureKind::Overloaded, _) => Reason::ServerError,
            (FailureKind::Unavailable | FailureKind::Unmapped, _) => Reason::Malformed,
            _ => Reason::NotCalled,
        }
    }

    /// Keeps what the provider said.
    #[must_use]
    pub fn upstream(mut self, upstream: UpstreamError) -> Self {
        self.upstream = Some(Box::new(upstream));
        self
    }

    /// Adds one member to `error.metadata`.
    #[must_use]
    pub fn metadata(mut self, name: &str, value: impl Into<serde_json::Value>) -> Self {
        self.details
            .get_or_insert_default()
            .metadata
            .insert(name.to_owned(), value.into());
        self
    }

    /// Sets `error.availability`.
    #[must_use]
    pub fn availability(mut self, value: serde_json::Value) -> Self {
        self.details.get_or_insert_default().availability = Some(value);
        self
    }

    /// What `Retry-After` says: whole seconds, rounded up, because a client
    /// that comes back too early is refused once more; at least one.
    #[must_use]
    pub fn retry_after_seconds(&self) -> Option<u64> {
        let wait = self.retry_after?;
        let begun = u64::from(wait.subsec_nanos() > 0);
        Some(wait.as_secs().saturating_add(begun).max(1))
    }

    /// The HTTP status that the caller sees before the first byte.
    #[must_use]
    pub const fn status(&self) -> u16 {
        self.kind.status()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wait_is_told_in_seconds_that_are_never_too_few() {
        let told = |ms| {
            let wait = Duration::from_millis(ms);
            Failure::unavailable("down")
                .retry_after(wait)
                .retry_after_seconds()
        };
        assert_eq!(Failure::unavailable("down").retry_after_seconds(), None);
        assert_eq!((told(0), told(1), told(1_000)), (Some(1), Some(1), Some(1)));
        assert_eq!((told(1_001), told(2_999)), (Some(2), Some(3)));
    }

    #[test]
    fn every_kind_has_a_number_that_stays() {
        for (place, kind) in FailureKind::ALL.iter().enumerate() {
            assert_eq!(kind.number(), place as u64 + 1);
            assert_eq!(FailureKind::by_number(kind.number()), Some(*kind));
        }
        assert_eq!(FailureKind::by_number(0), None);
        assert_eq!(FailureKind::by_number(21), None);
        // The first, the last and one between, as journals have them.
        assert_eq!(FailureKind::ContextLengthExceeded.number(), 1);
        assert_eq!(FailureKind::Unavailable.number(), 8);
        assert_eq!(FailureKind::Unmapped.number(), 20);
    }

    #[test]
    fn a_provider_that_answered_says_why_by_what_it_did() {
        let told = |kind, status, refused_us, is_unpaid| {
            let said = UpstreamError {
                status,
                refused_us,
                is_unpaid,
                ..UpstreamError::default()
            };
            Failure::new(kind, "no").upstream(said).why().name()
        };
        let bad = FailureKind::Unavailable;
        assert_eq!(told(bad, Some(401), true, false), "unauthorized");
        assert_eq!(told(bad, Some(429), true, true), "unpaid");
        assert_eq!(
            told(FailureKind::RateLimited, Some(429), false, false),
            "rate_limited"
        );
        assert_eq!(told(FailureKind::Timeout, Some(504), false, false), "5xx");
        assert_eq!(told(FailureKind::NotFound, Some(404), false, false), "4xx");
        assert_eq!(told(bad, Some(200), false, false), "malformed");
        let silent = Failure::new(FailureKind::Timeout, "late");
        assert_eq!(silent.why().name(), "timeout");
        assert_eq!(silent.reason(Reason::Dns).why().name(), "dns");
    }
}

//! Tokens that clouds give: whom to ask for them, and what the answers mean.
//!
//! An [`Identity`] is what an operator has set up: a service account, a role,
//! a managed identity. Asking takes one to four exchanges, which are written
//! here one after the other; sockets, files and the time are an argument
//! ([`Outside`]). When to ask, and how often, is decided elsewhere.

mod amazon;
mod entra;
mod google;
mod jws;
mod oauth;
mod profiles;
mod wanted;

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use aws_lc_rs::signature::RsaKeyPair;
use bourse_wire::failure_text::{cut, redact};
use bytes::Bytes;
use http::Method;

use crate::credential::Headers;
use crate::{Credential, Key};

pub use amazon::Amazon;
pub(crate) use amazon::chain as amazon_chain;
pub use entra::Entra;
pub(crate) use entra::find as find_entra;
pub use google::Google;
pub(crate) use google::find as find_google;
pub use wanted::{Found, Surroundings, Wanted};

/// How much of a service's own sentence is repeated, in bytes.
const SENTENCE_BYTES_MAX: usize = 300;
/// A clock that is further off than this is named where a service refuses. The
/// services bear five minutes (Google, "Using OAuth 2.0 for Server to Server
/// Applications"; AWS, "Create a signed AWS API request", November 2026), and
/// less is told so that nobody searches elsewhere.
const CLOCK_MS_MAX: u64 = 120_000;
/// The longest life that is believed: longer is nonsense, and would never be
/// asked for anew. Managed identities get 24 hours.
const LIFE_MAX: Duration = Duration::from_secs(48 * 3_600);

/// Something that is asked of a token service.
#[derive(Clone)]
pub struct Ask {
    /// The method.
    pub method: Method,
    /// The whole address, one of [`Identity::addresses`] with a path.
    pub url: String,
    /// Headers besides those that describe the body.
    pub headers: Headers,
    /// The type of the body; `None` if there is none.
    pub content_type: Option<&'static str>,
    /// The body.
    pub body: Bytes,
}

/// What a token service answered.
#[derive(Clone)]
pub struct Answer {
    /// The status.
    pub status: u16,
    /// The body, whole and of a bounded length.
    pub body: Bytes,
    /// What its `Date` says, in milliseconds since 1970.
    pub date_ms: Option<u64>,
}

/// A future of whoever is outside.
pub type Outcome<'a, T> = Pin<Box<dyn Future<Output = Result<T, NoToken>> + Send + 'a>>;

/// Sockets, files, chance and the time.
pub trait Outside: Send + Sync {
    /// Asks a service, within bounds of time and size.
    ///
    /// # Errors
    /// It did not answer.
    fn ask(&self, ask: Ask) -> Outcome<'_, Answer>;

    /// Reads a file of a bounded length: a token that somebody else renews.
    ///
    /// # Errors
    /// It is not there, or too long.
    fn read<'a>(&'a self, path: &'a str) -> Outcome<'a, Key>;

    /// Signs a text with RSASSA-PKCS1-v1_5 and SHA-256 (RFC 8017, section 8.2),
    /// which blinds what it calculates by chance. `None` if the key cannot sign.
    fn sign(&self, key: &RsaKeyPair, text: &[u8]) -> Option<Vec<u8>>;

    /// Milliseconds since 1970.
    fn now_ms(&self) -> u64;
}

/// Why there is no token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NoToken {
    /// Whether the service has refused the identity: asking again soon would not
    /// help.
    pub is_refused: bool,
    /// A sentence for the operator.
    pub why: String,
}

impl NoToken {
    /// It may be different in a moment.
    pub fn later(why: impl Into<String>) -> Self {
        Self {
            is_refused: false,
            why: why.into(),
        }
    }

    /// It stays so until somebody does something.
    pub fn refused(why: impl Into<String>) -> Self {
        Self {
            is_refused: true,
            why: why.into(),
        }
    }
}

/// A token that was had.
#[derive(Debug, Clone)]
pub struct Fresh {
    /// A bearer token, or a pair of keys with its session.
    pub credential: Credential,
    /// How long it is good from now on.
    pub life: Duration,
    /// How far our clock is ahead of the service's, in milliseconds, where that
    /// is known.
    pub clock_ahead_ms: Option<i64>,
}

/// Who we are to a cloud.
#[derive(Clone, PartialEq, Eq)]
pub enum Identity {
    /// To Google's.
    Google(Google),
    /// To Amazon's.
    Amazon(Amazon),
    /// To Microsoft's.
    Entra(Entra),
}

impl Identity {
    /// What it is, for a line of a log: `service account bot@p.example`.
    #[must_use]
    pub fn describe(&self) -> String {
        match self {
            Self::Google(google) => google.describe(),
            Self::Amazon(amazon) => amazon.describe(),
            Self::Entra(entra) => entra.describe(),
        }
    }

    /// Every address that may be asked. Whoever opens sockets asks no other, and
    /// these with the rights of an operator: services of machines are at
    /// link-local addresses.
    #[must_use]
    pub fn addresses(&self) -> Vec<String> {
        match self {
            Self::Google(google) => google.addresses(),
            Self::Amazon(amazon) => amazon.addresses(),
            Self::Entra(entra) => entra.addresses(),
        }
    }

    /// What must not be repeated of it.
    #[must_use]
    pub fn secrets(&self) -> Vec<Key> {
        match self {
            Self::Google(google) => google.secrets(),
            Self::Amazon(amazon) => amazon.secrets(),
            Self::Entra(entra) => entra.secrets(),
        }
    }

    /// Asks for a token, once.
    ///
    /// # Errors
    /// There is none, and whether asking again may help.
    pub async fn obtain(&self, outside: &dyn Outside) -> Result<Fresh, NoToken> {
        let fresh = match self {
            Self::Google(google) => google.obtain(outside).await,
            Self::Amazon(amazon) => amazon.obtain(outside).await,
            Self::Entra(entra) => entra.obtain(outside).await,
        }?;
        if fresh.life.is_zero() {
            return Err(NoToken::later(format!(
                "{} got a token that has expired already",
                self.describe()
            )));
        }
        Ok(Fresh {
            life: fresh.life.min(LIFE_MAX),
            ..fresh
        })
    }
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Identity({})", self.describe())
    }
}

/// How far our clock is ahead of a service's, in milliseconds.
fn clock_ahead_ms(answer: &Answer, now_ms: u64) -> Option<i64> {
    let date_ms = answer.date_ms?;
    let apart = i64::try_from(now_ms.abs_diff(date_ms)).ok()?;
    Some(if now_ms >= date_ms { apart } else { -apart })
}

/// What to say of a clock that is so far off, if anything.
#[must_use]
pub fn about_clock(ahead_ms: i64) -> Option<String> {
    (ahead_ms.unsigned_abs() > CLOCK_MS_MAX).then(|| {
        let (s, which) = (
            ahead_ms.unsigned_abs() / 1_000,
            if ahead_ms > 0 { "ahead of" } else { "behind" },
        );
        format!("this machine's clock is {s} s {which} the service's: set it, services refuse what is five minutes off")
    })
}

/// What a service that does not answer with success means by it. `said` is its
/// own sentence.
fn unwilling(answer: &Answer, said: &str, now_ms: u64, whose: &str) -> NoToken {
    let status = answer.status;
    let said = redact(said);
    let said = cut(&said, SENTENCE_BYTES_MAX);
    let mut why = format!("{whose} answers with {status}");
    if !said.is_empty() {
        why.push_str(": ");
        why.push_str(said);
    }
    if let Some(clock) = clock_ahead_ms(answer, now_ms).and_then(about_clock) {
        why.push_str("; ");
        why.push_str(&clock);
    }
    // "Too early", "too many" and its own troubles pass by themselves.
    let is_refused = !matches!(status, 408 | 425 | 429) && (300..500).contains(&status);
    NoToken { is_refused, why }
}

/// What an answer that makes no sense means.
fn nonsense(whose: &str, what: &str) -> NoToken {
    NoToken::later(format!("{whose} answers with nonsense: {what}"))
}

/// How long something is good that is good until a moment, by the clock of
/// whoever says so.
fn life_until(until: &str, answer: &Answer, now_ms: u64) -> Option<Duration> {
    let until: jiff::Timestamp = until.parse().ok()?;
    let until_ms = u64::try_from(until.as_millisecond()).ok()?;
    let from_ms = answer.date_ms.unwrap_or(now_ms);
    Some(Duration::from_millis(until_ms.saturating_sub(from_ms)))
}

#[cfg(test)]
mod tests;

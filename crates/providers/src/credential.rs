//! What a provider knows us by.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use bourse_vocab::Failure;
use http::header::AUTHORIZATION;
use http::{HeaderName, HeaderValue};

use crate::Key;

/// Header fields, in order.
pub type Headers = Vec<(HeaderName, HeaderValue)>;

/// What a provider knows us by. Prints without its secrets.
#[derive(Clone, Default)]
pub enum Credential {
    /// Nothing: local servers often need none.
    #[default]
    None,
    /// A token behind `Authorization: Bearer`.
    Bearer(Key),
    /// A token behind `Authorization: Token`.
    Token(Key),
    /// A secret in a header of its own.
    Header {
        /// Which.
        name: HeaderName,
        /// The secret.
        value: Key,
    },
    /// Two halves that sign each request: only the first travels.
    KeyPair {
        /// The half that says who signs.
        id: Key,
        /// The half that signs.
        secret: Key,
        /// The token of a session that both belong to.
        session: Option<Key>,
    },
    /// An identity whose tokens live for minutes: the sender of a request asks
    /// for one that is good now.
    Rotating(Arc<dyn TokenSource>),
}

/// A token that is on its way.
pub type TokenFuture<'a> =
    Pin<Box<dyn Future<Output = Result<Arc<Credential>, Failure>> + Send + 'a>>;

/// Where tokens that live for minutes come from: a bearer token, or a pair of
/// keys with its session. This crate opens no socket: those who may implement
/// it.
pub trait TokenSource: Send + Sync {
    /// What is kept, if it is good at `now_ms` (milliseconds since 1970) and for
    /// the time of a request after it. Waits for nothing.
    fn kept(&self, now_ms: u64) -> Option<Arc<Credential>>;

    /// The same, and a new one if there is none.
    ///
    /// # Errors
    /// None could be had; another target may answer.
    fn token(&self, now_ms: u64) -> TokenFuture<'_>;

    /// A provider does not take what was given, although it should be good: a
    /// new one may be.
    fn refused(&self);
}

impl Credential {
    /// A bearer token, or nothing if the key is empty.
    #[must_use]
    pub fn bearer(key: Key) -> Self {
        if key.is_empty() {
            Self::None
        } else {
            Self::Bearer(key)
        }
    }

    /// A token behind another word than most use, or nothing if the key is
    /// empty.
    #[must_use]
    pub fn token(key: Key) -> Self {
        if key.is_empty() {
            Self::None
        } else {
            Self::Token(key)
        }
    }

    /// A secret in a header of its own, or nothing if the key is empty.
    #[must_use]
    pub fn header(name: HeaderName, key: Key) -> Self {
        if key.is_empty() {
            Self::None
        } else {
            Self::Header { name, value: key }
        }
    }

    /// Whether requests must wait for a token before they can be signed.
    #[must_use]
    pub const fn token_source(&self) -> Option<&Arc<dyn TokenSource>> {
        match self {
            Self::Rotating(source) => Some(source),
            _ => None,
        }
    }

    /// The headers of a credential that is sent as it is.
    ///
    /// # Errors
    /// It has characters that no header can carry, or it is not one to be
    /// sent: our own fault.
    pub fn headers(&self, provider: &str) -> Result<Headers, Failure> {
        let (name, value) = match self {
            Self::None => return Ok(Headers::new()),
            Self::Bearer(key) => (AUTHORIZATION, key.header("Bearer ")),
            Self::Token(key) => (AUTHORIZATION, key.header("Token ")),
            Self::Header { name, value } => (name.clone(), value.header("")),
            Self::KeyPair { .. } | Self::Rotating(_) => {
                return Err(Failure::server(format!(
                    "provider {provider} does not sign, and was given a credential that signs"
                )));
            }
        };
        let value = value.ok_or_else(|| {
            Failure::server(format!("the key of provider {provider} has odd characters"))
        })?;
        Ok(vec![(name, value)])
    }
}

impl fmt::Debug for Credential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::None => f.write_str("None"),
            Self::Bearer(_) => f.write_str("Bearer(***)"),
            Self::Token(_) => f.write_str("Token(***)"),
            Self::Header { name, .. } => write!(f, "Header({name}: ***)"),
            Self::KeyPair { .. } => f.write_str("KeyPair(***)"),
            Self::Rotating(_) => f.write_str("Rotating(***)"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct NoTokens;

    impl TokenSource for NoTokens {
        fn kept(&self, _: u64) -> Option<Arc<Credential>> {
            None
        }

        fn refused(&self) {}

        fn token(&self, _: u64) -> TokenFuture<'_> {
            Box::pin(async { Err(Failure::unavailable("no")) })
        }
    }

    fn all() -> Vec<Credential> {
        let key = || Key::new("sk-secret");
        vec![
            Credential::None,
            Credential::bearer(key()),
            Credential::header(HeaderName::from_static("x-key"), key()),
            Credential::KeyPair {
                id: key(),
                secret: key(),
                session: Some(key()),
            },
            Credential::Rotating(Arc::new(NoTokens)),
        ]
    }

    #[test]
    fn no_credential_prints_its_secret() {
        for credential in all() {
            let shown = format!("{credential:?} {credential:#?}");
            assert!(!shown.contains("sk-"), "{shown}");
        }
    }

    #[test]
    fn what_must_sign_is_not_sent_as_it_is() {
        let sent: Vec<_> = all()
            .iter()
            .map(|credential| credential.headers("acme").is_ok())
            .collect();
        assert_eq!(sent, [true, true, true, false, false]);
    }

    #[test]
    fn an_empty_key_is_no_credential() {
        let none = |credential| matches!(credential, Credential::None);
        assert!(none(Credential::bearer(Key::new(" \n"))));
        assert!(none(Credential::header(AUTHORIZATION, Key::new(""))));
    }
}

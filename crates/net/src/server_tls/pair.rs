//! A certificate with its key, or the reason why it is none.

use std::sync::Arc;

use rustls::crypto::aws_lc_rs::default_provider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;
use rustls::{Error, InconsistentKeys};

use super::validity::{Moment, validity};

/// What marks a key that a password locks: PKCS #8 (RFC 5958), and the older
/// form of OpenSSL (RFC 1421, section 4.6.1.1).
const LOCKED: [&str; 2] = ["BEGIN ENCRYPTED PRIVATE KEY", "Proc-Type: 4,ENCRYPTED"];

/// What is wrong with a pair.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PairError {
    /// The certificate's text has none.
    #[error("holds no PEM certificate (\"-----BEGIN CERTIFICATE-----\")")]
    NoCertificate,
    /// It has one that cannot be read.
    #[error("its certificate cannot be read: {0}")]
    Certificate(String),
    /// It is not valid yet.
    #[error("its certificate is valid only from {0} on; is this machine's clock right?")]
    NotYetValid(Moment),
    /// It is not valid any more.
    #[error("its certificate has expired at {0}")]
    Expired(Moment),
    /// The key's text has none.
    #[error("holds no PEM private key (\"-----BEGIN PRIVATE KEY-----\")")]
    NoKey,
    /// It has one that needs a password.
    #[error(
        "its private key is locked with a password; `openssl pkey -in LOCKED -out KEY` unlocks it"
    )]
    LockedKey,
    /// It has one that cannot be read, or is of a kind that is not known.
    #[error("its private key cannot be used: {0}")]
    Key(String),
    /// The key belongs to another certificate.
    #[error("its private key is not that of the certificate")]
    KeyDoesNotFit,
}

impl PairError {
    /// Whether it is the key's file that is wrong, and not the certificate's.
    #[must_use]
    pub const fn is_of_key(&self) -> bool {
        match self {
            Self::NoKey | Self::LockedKey | Self::Key(_) | Self::KeyDoesNotFit => true,
            Self::NoCertificate
            | Self::Certificate(_)
            | Self::NotYetValid(_)
            | Self::Expired(_) => false,
        }
    }
}

/// A certificate, those that vouch for it, and its key.
pub struct Pair {
    certified: Arc<CertifiedKey>,
    not_after: Moment,
}

impl Pair {
    /// Reads two PEM texts: the server's certificate with those that vouch for
    /// it behind it, and its key. `now_s` are seconds since 1970.
    ///
    /// # Errors
    /// What is wrong with them.
    pub fn read(certificate: &[u8], key: &[u8], now_s: u64) -> Result<Self, PairError> {
        let chain: Vec<_> = CertificateDer::pem_slice_iter(certificate)
            .collect::<Result<_, _>>()
            .map_err(|error| PairError::Certificate(error.to_string()))?;
        let first = chain.first().ok_or(PairError::NoCertificate)?;
        let unreadable = || PairError::Certificate("it says no time for which it is valid".into());
        let (not_before, not_after) = validity(first).ok_or_else(unreadable)?;
        if now_s < not_before.seconds {
            return Err(PairError::NotYetValid(not_before));
        }
        if now_s > not_after.seconds {
            return Err(PairError::Expired(not_after));
        }
        let key = private_key(key)?;
        let certified = CertifiedKey::from_der(chain, key, &default_provider());
        let certified = certified.map_err(|error| match error {
            Error::InconsistentKeys(InconsistentKeys::KeyMismatch) => PairError::KeyDoesNotFit,
            Error::InvalidCertificate(error) => PairError::Certificate(format!("{error:?}")),
            error => PairError::Key(error.to_string()),
        })?;
        Ok(Self {
            certified: Arc::new(certified),
            not_after,
        })
    }

    pub(super) const fn certified(&self) -> &Arc<CertifiedKey> {
        &self.certified
    }

    /// Until when it is valid.
    #[must_use]
    pub const fn not_after(&self) -> &Moment {
        &self.not_after
    }
}

fn private_key(pem: &[u8]) -> Result<PrivateKeyDer<'static>, PairError> {
    let text = String::from_utf8_lossy(pem);
    if LOCKED.iter().any(|mark| text.contains(mark)) {
        return Err(PairError::LockedKey);
    }
    match PrivateKeyDer::pem_slice_iter(pem).next() {
        None => Err(PairError::NoKey),
        Some(Ok(key)) => Ok(key),
        Some(Err(error)) => Err(PairError::Key(error.to_string())),
    }
}

//! TLS as a server: what it shows to clients, and how their handshakes are
//! taken.
//!
//! A [`Pair`] is a certificate with its key, of which everything is known that
//! can be wrong with it; [`ServerTls`] shows one and can be given another
//! while connections go on.

mod pair;
#[cfg(test)]
mod tests;
mod validity;

use std::io;
use std::sync::{Arc, PoisonError, RwLock};

use rustls::ServerConfig;
use rustls::crypto::aws_lc_rs::{Ticketer, default_provider};
use rustls::sign::SingleCertAndKey;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

pub use pair::{Pair, PairError};
pub use validity::Moment;

use crate::tls::SetupError;

/// What is spoken inside, for clients that ask (RFC 7301).
const HTTP_1_1: &[u8] = b"http/1.1";

/// A server's side of TLS: 1.2 and 1.3, no certificates of clients, and
/// nothing before the handshake is over that could be sent twice.
pub struct ServerTls {
    /// Taken once a handshake, and never held across one.
    config: RwLock<Arc<ServerConfig>>,
}

impl ServerTls {
    /// # Errors
    /// rustls refuses its settings, or there is no randomness.
    pub fn new(pair: &Pair) -> Result<Self, SetupError> {
        let config = RwLock::new(Arc::new(config(pair)?));
        Ok(Self { config })
    }

    /// Shows another pair from the next handshake on. Connections go on with
    /// the one they have seen, and no session of theirs is resumed.
    ///
    /// # Errors
    /// As [`Self::new`]; the last pair stays.
    pub fn replace(&self, pair: &Pair) -> Result<(), SetupError> {
        let new = Arc::new(config(pair)?);
        *self.config.write().unwrap_or_else(PoisonError::into_inner) = new;
        Ok(())
    }

    /// Takes a handshake. It may wait for its client as long as it is polled:
    /// a bound is the caller's.
    ///
    /// # Errors
    /// The client speaks no TLS, an old one, or is gone.
    pub async fn accept<S>(&self, stream: S) -> io::Result<TlsStream<S>>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        self.acceptor().accept(stream).await
    }

    fn acceptor(&self) -> TlsAcceptor {
        let config = self.config.read().unwrap_or_else(PoisonError::into_inner);
        TlsAcceptor::from(Arc::clone(&config))
    }
}

fn config(pair: &Pair) -> Result<ServerConfig, SetupError> {
    let shown = SingleCertAndKey::from(Arc::clone(pair.certified()));
    let mut config = ServerConfig::builder_with_provider(Arc::new(default_provider()))
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_cert_resolver(Arc::new(shown));
    config.alpn_protocols = vec![HTTP_1_1.to_vec()];
    // Sessions are kept by their clients, sealed, so they take no memory here
    // and are known to every worker. The seal is this configuration's own.
    config.ticketer = Ticketer::new()?;
    Ok(config)
}

//! TLS: rustls with aws-lc-rs, named explicitly so that no process-wide
//! default has to be installed first.

use std::sync::Arc;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::error::{NetError, NetErrorKind};
use crate::origin::{Http2, Origin, OriginHost};

/// Why the client could not be set up.
#[derive(Debug, thiserror::Error)]
pub enum SetupError {
    /// A PEM text holds something other than certificates, or none.
    #[error("the extra root certificates are not PEM certificates")]
    ExtraRoots,
    /// rustls refused its settings.
    #[error("TLS settings: {0}")]
    Tls(#[from] rustls::Error),
}

/// One connector for each ALPN offer. Sessions are resumed (rustls keeps
/// tickets by server name, 256 of them).
pub(crate) struct Tls {
    h2_or_h1: TlsConnector,
    h1_only: TlsConnector,
    h2_only: TlsConnector,
}

impl Tls {
    pub(crate) fn new(extra_roots_pem: &[Vec<u8>]) -> Result<Self, SetupError> {
        let mut roots = RootCertStore::empty();
        let native = rustls_native_certs::load_native_certs();
        let (added, _) = roots.add_parsable_certificates(native.certs);
        if added == 0 {
            // A container image without a certificate store.
            roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
        }
        for pem in extra_roots_pem {
            let mut found = false;
            for certificate in CertificateDer::pem_slice_iter(pem) {
                let certificate = certificate.map_err(|_| SetupError::ExtraRoots)?;
                roots.add(certificate).map_err(|_| SetupError::ExtraRoots)?;
                found = true;
            }
            if !found {
                return Err(SetupError::ExtraRoots);
            }
        }
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_root_certificates(roots)
            .with_no_client_auth();
        let connector = |alpn: &[&[u8]]| {
            let mut config = config.clone();
            config.alpn_protocols = alpn.iter().map(|name| name.to_vec()).collect();
            // Its own tickets: a session is resumed with the protocol it had.
            config.resumption = rustls::client::Resumption::in_memory_sessions(256);
            TlsConnector::from(Arc::new(config))
        };
        Ok(Self {
            h2_or_h1: connector(&[b"h2", b"http/1.1"]),
            h1_only: connector(&[b"http/1.1"]),
            h2_only: connector(&[b"h2"]),
        })
    }

    pub(crate) async fn handshake(
        &self,
        origin: &Origin,
        tcp: TcpStream,
    ) -> Result<TlsStream<TcpStream>, NetError> {
        let name = match origin.host() {
            OriginHost::Name(name) => ServerName::try_from(name.to_string())
                .map_err(|error| NetError::because(NetErrorKind::Tls, error))?,
            OriginHost::Ip(ip) => ServerName::from(*ip),
        };
        let connector = match origin.http2() {
            Http2::Auto => &self.h2_or_h1,
            Http2::Never => &self.h1_only,
            Http2::Prior => &self.h2_only,
        };
        connector
            .connect(name, tcp)
            .await
            .map_err(|error| NetError::because(NetErrorKind::Tls, error))
    }
}

/// Whether ALPN settled on HTTP/2.
pub(crate) fn chose_h2(stream: &TlsStream<TcpStream>) -> bool {
    stream.get_ref().1.alpn_protocol() == Some(b"h2")
}

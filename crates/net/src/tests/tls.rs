use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::time::Duration;

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use rustls::ServerConfig;
use rustls::pki_types::PrivateKeyDer;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio_rustls::TlsAcceptor;

use super::http2::{Slow, serve_h2};
use super::support::{Upstream, call, text};
use crate::{Client, ClientConfig, EgressPolicy, Http2, NetErrorKind, Origin};

const OK: &str = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nhi";

/// A certificate for `name` and the PEM of the authority that signed it.
fn acceptor(name: &str, alpn: &[&str]) -> (TlsAcceptor, Vec<u8>) {
    let authority_key = KeyPair::generate().unwrap();
    let mut authority = CertificateParams::new(Vec::new()).unwrap();
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority_pem = authority.self_signed(&authority_key).unwrap().pem();
    let issuer = Issuer::new(authority, authority_key);
    let key = KeyPair::generate().unwrap();
    let leaf = CertificateParams::new(vec![name.to_owned()]).unwrap();
    let leaf = leaf.signed_by(&key, &issuer).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(
            vec![leaf.der().clone()],
            PrivateKeyDer::try_from(key.serialize_der()).unwrap(),
        )
        .unwrap();
    config.alpn_protocols = alpn.iter().map(|name| name.as_bytes().to_vec()).collect();
    (
        TlsAcceptor::from(Arc::new(config)),
        authority_pem.into_bytes(),
    )
}

/// A server that speaks TLS by that name, and who signed for it.
pub(super) async fn serve(name: &str, alpn: &[&str]) -> (Upstream, Vec<u8>) {
    let (acceptor, authority) = acceptor(name, alpn);
    let slow = Arc::new(Slow {
        wait: Duration::from_millis(1),
        now: AtomicUsize::new(0),
        most: AtomicUsize::new(0),
    });
    let upstream = Upstream::start(move |socket, _| {
        let (acceptor, slow) = (acceptor.clone(), slow.clone());
        async move {
            let Ok(mut tls) = acceptor.accept(socket).await else {
                return;
            };
            if tls.get_ref().1.alpn_protocol() == Some(b"h2") {
                return serve_h2(tls, 100, slow).await;
            }
            let mut request = Vec::new();
            while tls.read_buf(&mut request).await.is_ok_and(|n| n > 0) {
                if request.ends_with(b"\r\n\r\n{}") {
                    request.clear();
                    tls.write_all(OK.as_bytes()).await.unwrap();
                }
            }
        }
    })
    .await;
    (upstream, authority)
}

async fn start(name: &str, alpn: &[&str]) -> (Upstream, Client, Origin) {
    let (upstream, authority) = serve(name, alpn).await;
    let url = format!("https://127.0.0.1:{}", upstream.address.port());
    let origin = Origin::parse_operator(&url).unwrap().0;
    let mut egress = EgressPolicy::deny_private();
    egress.allow_origin(&origin);
    let config = ClientConfig {
        egress,
        extra_roots_pem: vec![authority],
        ..ClientConfig::default()
    };
    (upstream, Client::new(config).unwrap(), origin)
}

#[tokio::test]
async fn http1_over_tls_is_reused() {
    let (upstream, client, origin) = start("127.0.0.1", &["http/1.1"]).await;
    for _ in 0..10 {
        assert_eq!(
            text(call(&client, &origin).await.unwrap()).await.unwrap(),
            "hi"
        );
        // Lets session tickets arrive, which must not count as foreign bytes.
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    assert_eq!(upstream.connections(), 1);
}

#[tokio::test]
async fn alpn_chooses_http2_unless_forbidden() {
    let (upstream, client, origin) = start("127.0.0.1", &["h2", "http/1.1"]).await;
    assert_eq!(
        text(call(&client, &origin).await.unwrap()).await.unwrap(),
        "12"
    );
    assert_eq!(client.stats().h2_connections, 1);
    assert_eq!(
        text(call(&client, &origin).await.unwrap()).await.unwrap(),
        "12"
    );
    assert_eq!(upstream.connections(), 1);
    let h1 = origin.with_http2(Http2::Never);
    assert_eq!(text(call(&client, &h1).await.unwrap()).await.unwrap(), "hi");
    assert_eq!(upstream.connections(), 2);
}

#[tokio::test]
async fn a_cold_burst_on_an_http1_origin_gets_connections_once_the_protocol_is_known() {
    let (upstream, client, origin) = start("127.0.0.1", &["http/1.1"]).await;
    let calls = (0..10).map(|_| async { text(call(&client, &origin).await.unwrap()).await });
    for outcome in futures_util::future::join_all(calls).await {
        assert_eq!(outcome.unwrap(), "hi");
    }
    assert!(upstream.connections() > 1);
}

#[tokio::test]
async fn an_unknown_authority_and_a_wrong_name_are_refused() {
    let (_upstream, _, origin) = start("127.0.0.1", &["http/1.1"]).await;
    let mut egress = EgressPolicy::deny_private();
    egress.allow_origin(&origin);
    let strict = Client::new(ClientConfig {
        egress,
        ..ClientConfig::default()
    })
    .unwrap();
    let error = call(&strict, &origin).await.unwrap_err();
    assert_eq!(error.kind, NetErrorKind::Tls);
    assert!(!error.wrote_request);

    let (_upstream, client, origin) = start("other.example", &["http/1.1"]).await;
    let error = call(&client, &origin).await.unwrap_err();
    assert_eq!(error.kind, NetErrorKind::Tls, "{error}");
    assert_eq!(client.stats().open, 0);
}

#[tokio::test]
async fn plain_text_on_a_tls_port_is_a_tls_error() {
    let upstream =
        Upstream::start(|socket, _| super::support::answer_all(socket, "HTTP/1.1 200 OK\r\n\r\n"))
            .await;
    let url = format!("https://{}", upstream.address);
    let origin = Origin::parse_operator(&url).unwrap().0;
    let mut deadlines = super::support::soon();
    deadlines.connect = Duration::from_millis(300);
    let request = super::support::post(&origin, "{}");
    let error = super::support::client(&origin)
        .send(&origin, &request, &deadlines)
        .await
        .unwrap_err();
    assert!(
        matches!(error.kind, NetErrorKind::Tls | NetErrorKind::ConnectTimeout),
        "{error}"
    );
}

#[test]
fn extra_roots_must_be_certificates() {
    for pem in [
        "",
        "nonsense",
        "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
    ] {
        let config = ClientConfig {
            extra_roots_pem: vec![pem.into()],
            ..ClientConfig::default()
        };
        assert!(Client::new(config).is_err(), "{pem:?}");
    }
}

//! Pairs that fit and that do not, and handshakes with them.

use std::sync::Arc;

use rcgen::{CertificateParams, KeyPair, date_time_ymd};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};
use tokio_rustls::TlsConnector;

use super::{Pair, PairError, ServerTls};

/// 2026-12-01T00:00:00Z.
const NOW_S: u64 = 1_796_083_200;

/// A certificate for `localhost`, valid from 2026 to a year, and its key.
fn made(until: i32) -> (String, String) {
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
    params.not_before = date_time_ymd(2026, 1, 1);
    params.not_after = date_time_ymd(until, 1, 1);
    let certificate = params.self_signed(&key).unwrap().pem();
    (certificate, key.serialize_pem())
}

fn refused(certificate: &str, key: &str, now_s: u64) -> PairError {
    match Pair::read(certificate.as_bytes(), key.as_bytes(), now_s) {
        Ok(_) => panic!("it was taken"),
        Err(error) => error,
    }
}

#[test]
fn a_pair_is_taken_and_tells_its_end() {
    let (certificate, key) = made(2060);
    let pair = Pair::read(certificate.as_bytes(), key.as_bytes(), NOW_S).unwrap();
    assert_eq!(pair.not_after().to_string(), "2060-01-01T00:00:00Z");
    assert_eq!(pair.not_after().seconds, 2_840_140_800);
}

#[test]
fn a_pair_that_is_none_is_refused_with_the_reason_and_the_file() {
    let (certificate, key) = made(2027);
    let (_, other_key) = made(2027);
    let begins = 1_767_225_600;
    let locked =
        "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n";
    let broken = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    for (certificate, key, now_s, is_of_key, words) in [
        ("", &*key, NOW_S, false, "holds no PEM certificate"),
        (&*key, &*key, NOW_S, false, "holds no PEM certificate"),
        (broken, &*key, NOW_S, false, "cannot be read"),
        (
            "-----BEGIN CERTIFICATE-----\nAAAA",
            &*key,
            NOW_S,
            false,
            "cannot be read",
        ),
        (
            &*certificate,
            &*key,
            begins - 1,
            false,
            "only from 2026-01-01T00:00:00Z",
        ),
        (
            &*certificate,
            &*key,
            NOW_S + 40_000_000,
            false,
            "expired at 2027-01-01T00:00:00Z",
        ),
        (&*certificate, "", NOW_S, true, "holds no PEM private key"),
        (
            &*certificate,
            &*certificate,
            NOW_S,
            true,
            "holds no PEM private key",
        ),
        (&*certificate, locked, NOW_S, true, "locked with a password"),
        (
            &*certificate,
            &*other_key,
            NOW_S,
            true,
            "not that of the certificate",
        ),
    ] {
        let error = refused(certificate, key, now_s);
        assert!(error.to_string().contains(words), "{error}");
        assert_eq!(error.is_of_key(), is_of_key, "{error}");
    }
}

/// Shakes hands and says a byte; what the client has learnt.
async fn shake(tls: &ServerTls, trusted: &str, alpn: &[&str]) -> Result<Option<Vec<u8>>, String> {
    let mut roots = RootCertStore::empty();
    roots
        .add(CertificateDer::from_pem_slice(trusted.as_bytes()).unwrap())
        .unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = alpn.iter().map(|name| name.as_bytes().to_vec()).collect();
    let (client, server) = duplex(16 * 1024);
    let serving = async {
        let mut stream = tls
            .accept(server)
            .await
            .map_err(|error| error.to_string())?;
        let byte = stream.read_u8().await.map_err(|error| error.to_string())?;
        assert_eq!(byte, 7);
        Ok::<_, String>(())
    };
    let calling = async {
        let connector = TlsConnector::from(Arc::new(config));
        let name = ServerName::try_from("localhost").unwrap();
        let mut stream = connector
            .connect(name, client)
            .await
            .map_err(|error| error.to_string())?;
        stream.write_u8(7).await.unwrap();
        stream.flush().await.unwrap();
        // Kept until the server has read it.
        Ok::<_, String>(stream)
    };
    let (served, called) = tokio::join!(serving, calling);
    let learnt = called.map(|stream| stream.get_ref().1.alpn_protocol().map(<[u8]>::to_vec));
    served.and(learnt)
}

#[tokio::test]
async fn clients_are_offered_http_1_1_alone() {
    let (certificate, key) = made(2060);
    let pair = Pair::read(certificate.as_bytes(), key.as_bytes(), NOW_S).unwrap();
    let tls = ServerTls::new(&pair).unwrap();
    let shaken = |alpn: &'static [&str]| shake(&tls, &certificate, alpn);
    let http = Some(b"http/1.1".to_vec());
    assert_eq!(shaken(&["h2", "http/1.1"]).await, Ok(http));
    assert_eq!(shaken(&[]).await, Ok(None));
    assert!(shaken(&["h2"]).await.is_err());
}

#[tokio::test]
async fn another_pair_is_shown_from_the_next_handshake_on() {
    let ((first, first_key), (second, second_key)) = (made(2060), made(2061));
    let pair = |certificate: &str, key: &str| {
        Pair::read(certificate.as_bytes(), key.as_bytes(), NOW_S).unwrap()
    };
    let tls = ServerTls::new(&pair(&first, &first_key)).unwrap();
    assert!(shake(&tls, &first, &[]).await.is_ok());
    assert!(shake(&tls, &second, &[]).await.is_err());
    tls.replace(&pair(&second, &second_key)).unwrap();
    assert!(shake(&tls, &second, &[]).await.is_ok());
    assert!(shake(&tls, &first, &[]).await.is_err());
}

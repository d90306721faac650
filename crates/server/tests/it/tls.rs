//! A server that speaks TLS itself.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use bourse_sim::Script;
use rcgen::{CertificateParams, KeyPair};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, ProtocolVersion, RootCertStore, StreamOwned};
use serde_json::json;

use crate::client::Conn;
use crate::exchange::{
    CHEAP, Exchange, Provider, Setup, ask, bourse, eventually, script, streamed,
};
use crate::realtime;

type Tls = StreamOwned<ClientConnection, TcpStream>;

const DAY: Duration = Duration::from_secs(86_400);

/// A certificate for `localhost`, and its key, as PEM.
struct Made {
    certificate: String,
    key: String,
}

impl Made {
    /// Valid since yesterday, or a little later, for so long.
    fn valid(since: SystemTime, lasts: Duration) -> Self {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
        params.not_before = since.into();
        params.not_after = (since + lasts).into();
        Self {
            certificate: params.self_signed(&key).unwrap().pem(),
            key: key.serialize_pem(),
        }
    }

    fn new() -> Self {
        Self::valid(SystemTime::now() - DAY, 365 * DAY)
    }

    /// Shakes hands as a client that trusts this certificate alone.
    fn call(&self, address: SocketAddr, alpn: &[&str]) -> Result<Conn<Tls>, String> {
        let stream = TcpStream::connect(address).unwrap();
        stream
            .set_read_timeout(Some(Duration::from_secs(60)))
            .unwrap();
        let mut roots = RootCertStore::empty();
        let root = CertificateDer::from_pem_slice(self.certificate.as_bytes()).unwrap();
        roots.add(root).unwrap();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let mut config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        config.alpn_protocols = alpn.iter().map(|name| name.as_bytes().to_vec()).collect();
        let name = ServerName::try_from("localhost").unwrap();
        let client = ClientConnection::new(Arc::new(config), name).unwrap();
        let mut tls = StreamOwned::new(client, stream);
        while tls.conn.is_handshaking() {
            tls.conn
                .complete_io(&mut tls.sock)
                .map_err(|error| error.to_string())?;
        }
        Ok(Conn::on(tls))
    }
}

/// Files that a server is told of.
struct Files {
    dir: tempfile::TempDir,
}

impl Files {
    fn of(made: &Made) -> Self {
        let files = Self {
            dir: tempfile::tempdir().unwrap(),
        };
        files.rename(made);
        files
    }

    fn at(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// As programs that renew certificates do it.
    fn rename(&self, made: &Made) {
        for (name, text) in [("cert.pem", &made.certificate), ("key.pem", &made.key)] {
            std::fs::write(self.at("new"), text).unwrap();
            std::fs::rename(self.at("new"), self.at(name)).unwrap();
        }
    }

    fn toml(&self) -> String {
        toml(&self.at("cert.pem"), &self.at("key.pem"))
    }
}

fn toml(certificate: &Path, key: &Path) -> String {
    format!("tls = {{ certificate = {certificate:?}, key = {key:?} }}\n")
}

fn start(script: Script, server_toml: &str) -> Exchange {
    Exchange::start(|setup: &mut Setup| {
        setup.provider(Provider::new("cheap", CHEAP, script));
        setup.server_toml = server_toml.to_owned();
    })
}

fn chat(exchange: &Exchange, conn: &mut Conn<Tls>, body: &serde_json::Value) {
    conn.request(
        "POST",
        "/api/v1/chat/completions",
        &exchange.headers(),
        body.to_string().as_bytes(),
    );
}

fn said(exchange: &Exchange, text: &str) {
    eventually(text, || exchange.server.log().contains(text).then_some(()));
}

#[test]
fn calls_streams_and_pages_come_over_tls_on_one_connection() {
    let made = Made::new();
    let files = Files::of(&made);
    let exchange = start(Script::default(), &files.toml());
    let printed = exchange.server.out.lock().unwrap().clone();
    assert!(
        printed.contains("serves on https://127.0.0.1:"),
        "{printed}"
    );
    let mut conn = made
        .call(exchange.server.address, &["h2", "http/1.1"])
        .unwrap();
    assert_eq!(conn.stream.conn.alpn_protocol(), Some(&b"http/1.1"[..]));
    let version = conn.stream.conn.protocol_version();
    assert_eq!(version, Some(ProtocolVersion::TLSv1_3));
    chat(&exchange, &mut conn, &ask(json!({})));
    conn.receive().answer();
    // Longer than what TLS takes at once, and than one record.
    let long = ask(json!({"messages": [{"role": "user", "content": "x".repeat(200_000)}]}));
    chat(&exchange, &mut conn, &long);
    assert_eq!(conn.receive().status, 400, "longer than the model reads");
    chat(&exchange, &mut conn, &streamed(json!({})));
    conn.receive().stream().complete();
    // By the other reader of heads, on the same connection.
    conn.request("GET", "/readyz", "", b"");
    assert_eq!(conn.receive().json()["status"], "ready");
    chat(&exchange, &mut conn, &streamed(json!({})));
    conn.receive().stream().complete();
    drop(conn);
    assert!(exchange.close() > 0);
}

#[test]
fn a_client_that_leaves_over_tls_is_noticed_and_pays_for_what_came() {
    let made = Made::new();
    let files = Files::of(&made);
    let slow = script(json!({"tokens": 100_000, "token_ms": 10}));
    let exchange = start(slow, &files.toml());
    for says_goodbye in [true, false] {
        let mut conn = made.call(exchange.server.address, &[]).unwrap();
        chat(&exchange, &mut conn, &streamed(json!({})));
        let mut got = conn.head();
        for _ in 0..3 {
            assert!(conn.chunk(&mut got).is_some());
        }
        if says_goodbye {
            conn.stream.conn.send_close_notify();
            conn.stream.flush().unwrap();
            // Kept open below: the word is enough.
            let mut rest = Vec::new();
            let _ = conn.stream.read_to_end(&mut rest);
        }
        drop(conn);
        eventually("the provider to be cancelled", || {
            (exchange.sim.counters().in_flight == 0).then_some(())
        });
    }
    assert!(exchange.close() > 0);
}

#[test]
fn a_client_that_reads_nothing_over_tls_has_left_after_its_time() {
    let made = Made::new();
    let files = Files::of(&made);
    let toml = format!("{}write_timeout_ms = 500\n", files.toml());
    let fast = script(json!({"tokens": 2_000_000, "token_ms": 0}));
    let exchange = Exchange::start(|setup: &mut Setup| {
        setup.provider(Provider::new("cheap", CHEAP, fast));
        let model = "context_length = 8000000\nmax_output = 4000000";
        setup.models.insert(crate::exchange::MODEL, model);
        setup.server_toml = toml;
    });
    let mut conn = made.call(exchange.server.address, &[]).unwrap();
    chat(&exchange, &mut conn, &streamed(json!({})));
    assert_eq!(conn.head().status, 200);
    eventually("the call to end", || {
        let counters = exchange.sim.counters();
        (counters.in_flight == 0).then_some(())
    });
    let (_, spent) = exchange.balance();
    drop(conn);
    assert!(exchange.close() >= spent);
}

#[test]
fn a_session_of_realtime_is_held_over_tls() {
    let made = Made::new();
    let files = Files::of(&made);
    let exchange = realtime::start(Script::default(), |setup| setup.server_toml = files.toml());
    let mut conn = made.call(exchange.server.address, &[]).unwrap();
    let head = format!(
        "GET /v1/realtime?model={} HTTP/1.1\r\nhost: localhost\r\nconnection: Upgrade\r\n\
         upgrade: websocket\r\nsec-websocket-version: 13\r\n\
         sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n{}\r\n",
        realtime::MODEL,
        exchange.headers()
    );
    conn.send(head.as_bytes());
    assert_eq!(conn.head().status, 101);
    let created = conn.until(b"\"session.created\"");
    assert!(created.is_some(), "the first frame");
    drop(conn);
    exchange.finish(0);
}

#[test]
fn plain_http_gets_a_sentence_and_silence_a_short_wait() {
    let made = Made::new();
    let files = Files::of(&made);
    let toml = format!("{}head_timeout_ms = 400\n", files.toml());
    let exchange = start(Script::default(), &toml);
    // Many that say nothing, or begin a handshake and stop.
    let mut silent: Vec<_> = (0..50)
        .map(|index| {
            let mut stream = TcpStream::connect(exchange.server.address).unwrap();
            if index % 2 == 0 {
                stream.write_all(&[22, 3, 1, 2]).unwrap();
            }
            stream
        })
        .collect();
    let mut plain = Conn::open(exchange.server.address);
    plain.request("POST", "/api/v1/chat/completions", "", b"{}");
    let got = plain.receive();
    assert_eq!(got.status, 400);
    let error = got.json()["error"].clone();
    assert_eq!(error["code"], 400);
    assert!(error["message"].as_str().unwrap().contains("https://"));
    let mut conn = made.call(exchange.server.address, &[]).unwrap();
    chat(&exchange, &mut conn, &ask(json!({})));
    conn.receive().answer();
    for stream in &mut silent {
        stream
            .set_read_timeout(Some(Duration::from_secs(60)))
            .unwrap();
        let mut rest = Vec::new();
        // Closed by the server, with or without an unread byte.
        if let Err(error) = stream.read_to_end(&mut rest) {
            assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset);
        }
    }
    assert!(exchange.close() > 0);
}

#[test]
fn a_new_certificate_is_shown_while_connections_go_on() {
    let (first, second) = (Made::new(), Made::new());
    let files = Files::of(&first);
    let slow = script(json!({"tokens": 300, "token_ms": 10}));
    let mut exchange = start(slow, &files.toml());
    exchange.server.may_log_errors = true;
    let mut running = first.call(exchange.server.address, &[]).unwrap();
    chat(&exchange, &mut running, &streamed(json!({})));
    let mut got = running.head();
    assert!(running.chunk(&mut got).is_some());
    files.rename(&second);
    eventually("the second one", || {
        second.call(exchange.server.address, &[]).ok()
    });
    assert!(first.call(exchange.server.address, &[]).is_err());
    while running.chunk(&mut got).is_some() {}
    got.stream().complete();
    // What cannot be used leaves the last one, with a sentence.
    std::fs::write(files.at("key.pem"), &first.key).unwrap();
    said(&exchange, "private key is not that of the certificate");
    let log = exchange.server.log();
    let line = log.lines().find(|line| line.contains("is not that of"));
    let line = line.unwrap();
    assert!(line.contains("ERROR") && line.contains("key.pem"), "{line}");
    assert!(second.call(exchange.server.address, &[]).is_ok());
    files.rename(&second);
    said(&exchange, "the certificate's files can be used again");
    assert!(exchange.close() > 0);
}

#[test]
fn a_link_that_is_turned_to_other_files_is_followed() {
    let (first, second) = (Made::new(), Made::new());
    // As volumes of secrets are: `..data` is a link to a directory.
    let dir = tempfile::tempdir().unwrap();
    for (name, made) in [("1", &first), ("2", &second)] {
        let inside = dir.path().join(name);
        std::fs::create_dir(&inside).unwrap();
        std::fs::write(inside.join("tls.crt"), &made.certificate).unwrap();
        std::fs::write(inside.join("tls.key"), &made.key).unwrap();
    }
    let data = dir.path().join("..data");
    symlink("1", &data).unwrap();
    for name in ["tls.crt", "tls.key"] {
        symlink(Path::new("..data").join(name), dir.path().join(name)).unwrap();
    }
    let files = toml(&dir.path().join("tls.crt"), &dir.path().join("tls.key"));
    let exchange = start(Script::default(), &files);
    assert!(first.call(exchange.server.address, &[]).is_ok());
    let turned = dir.path().join("..data_tmp");
    symlink("2", &turned).unwrap();
    std::fs::rename(&turned, &data).unwrap();
    eventually("the second one", || {
        second.call(exchange.server.address, &[]).ok()
    });
    exchange.finish(0);
}

#[test]
fn a_certificate_that_ends_soon_is_told() {
    let made = Made::valid(SystemTime::now() - DAY, 4 * DAY + DAY / 2);
    let files = Files::of(&made);
    let exchange = start(Script::default(), &files.toml());
    said(&exchange, "the certificate expires in 3 days, at ");
    let log = exchange.server.log();
    let line = log
        .lines()
        .find(|line| line.contains("expires in"))
        .unwrap();
    assert!(line.contains("WARN"), "{line}");
    exchange.finish(0);
}

#[test]
fn a_pair_that_cannot_be_shown_is_refused_at_the_start() {
    let (good, other) = (Made::new(), Made::new());
    let old = Made::valid(SystemTime::now() - 30 * DAY, 10 * DAY);
    let early = Made::valid(SystemTime::now() + 10 * DAY, 10 * DAY);
    let locked = "-----BEGIN ENCRYPTED PRIVATE KEY-----\n".to_owned();
    for (certificate, key, words) in [
        (Some(&good.certificate), None, "key.pem: No such file"),
        (None, Some(&good.key), "cert.pem: No such file"),
        (
            Some(&good.certificate),
            Some(&other.key),
            "key.pem: its private key is not that of the certificate",
        ),
        (
            Some(&old.certificate),
            Some(&old.key),
            "cert.pem: its certificate has expired at ",
        ),
        (
            Some(&early.certificate),
            Some(&early.key),
            "cert.pem: its certificate is valid only from ",
        ),
        (
            Some(&good.key),
            Some(&good.key),
            "cert.pem: holds no PEM certificate",
        ),
        (
            Some(&good.certificate),
            Some(&locked),
            "key.pem: its private key is locked with a password",
        ),
    ] {
        let dir = tempfile::tempdir().unwrap();
        let (cert_path, key_path) = (dir.path().join("cert.pem"), dir.path().join("key.pem"));
        for (path, text) in [(&cert_path, certificate), (&key_path, key)] {
            if let Some(text) = text {
                std::fs::write(path, text).unwrap();
            }
        }
        let config = dir.path().join("bourse.toml");
        let data = dir.path().join("data");
        let files = toml(&cert_path, &key_path);
        let text = format!("[server]\nlisten = \"127.0.0.1:0\"\ndata_dir = {data:?}\n{files}");
        std::fs::write(&config, text).unwrap();
        let mut command = bourse();
        let output = command
            .args(["serve", "--config"])
            .arg(&config)
            .output()
            .unwrap();
        let told = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!output.status.success(), "{words}: {told}");
        assert!(told.contains(words), "{words}: {told}");
        assert!(told.contains("server.tls."), "{told}");
    }
}

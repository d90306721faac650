//! Origins behind a proxy that speaks `CONNECT`.

use std::sync::{Arc, Mutex};

use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

use super::http2::slow_upstream;
use super::support::{Upstream, answer_all, call, h2c, read_request, text};
use super::tls;
use crate::{Client, ClientConfig, EgressPolicy, NetErrorKind, Origin, Proxy, Roads, Via};

const OK: &str = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nhi";

/// A proxy: asks for a password, or goes wherever it is told to on this
/// machine. Remembers what it was asked.
struct Tunnels {
    upstream: Upstream,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Tunnels {
    async fn start(refusal: Option<&'static str>) -> Self {
        let asked = Arc::new(Mutex::new(Vec::new()));
        let heard = asked.clone();
        let upstream = Upstream::start(move |mut socket, _| {
            let heard = heard.clone();
            async move {
                let Some(head) = read_request(&mut socket).await else {
                    return;
                };
                let head = String::from_utf8(head).unwrap();
                let target = head.split(' ').nth(1).unwrap().to_owned();
                heard.lock().unwrap().push(head);
                if let Some(refusal) = refusal {
                    socket.write_all(refusal.as_bytes()).await.unwrap();
                    return;
                }
                let port = target.rsplit(':').next().unwrap();
                let mut there = TcpStream::connect(format!("127.0.0.1:{port}"))
                    .await
                    .unwrap();
                // In two pieces, as a slow proxy would.
                socket.write_all(b"HTTP/1.1 200 Conn").await.unwrap();
                tokio::task::yield_now().await;
                socket.write_all(b"ected\r\nvia: x\r\n\r\n").await.unwrap();
                let _ = tokio::io::copy_bidirectional(&mut socket, &mut there).await;
            }
        })
        .await;
        Self { upstream, asked }
    }

    fn proxy(&self) -> Proxy {
        let url = format!("http://me:secret@{}", self.upstream.address);
        Proxy::parse(&url, "net.proxy").unwrap()
    }

    fn client(&self, allowed: Option<&Origin>) -> Client {
        let roads = Arc::new(Roads {
            http: Some(self.proxy()),
            https: Some(self.proxy()),
            exceptions: Vec::new(),
        });
        let mut egress = EgressPolicy::by(&roads);
        if let Some(origin) = allowed {
            egress.allow_origin(origin);
        }
        Client::new(ClientConfig {
            egress,
            ..ClientConfig::default()
        })
        .unwrap()
    }

    fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }
}

/// A name that no name server knows: only the proxy can get there.
fn named(upstream: &Upstream) -> Origin {
    let url = format!("http://api.example:{}", upstream.address.port());
    Origin::parse(&url).unwrap().0
}

async fn hi(client: &Client, origin: &Origin) {
    let answer = call(client, origin).await.unwrap();
    assert_eq!(text(answer).await.unwrap(), "hi");
}

#[tokio::test]
async fn plain_http_goes_through_a_tunnel_that_is_kept() {
    let upstream = Upstream::start(|socket, _| answer_all(socket, OK)).await;
    let proxy = Tunnels::start(None).await;
    let (client, origin) = (proxy.client(None), named(&upstream));
    for _ in 0..3 {
        hi(&client, &origin).await;
    }
    let target = format!("api.example:{}", upstream.address.port());
    let head = format!(
        "CONNECT {target} HTTP/1.1\r\nHost: {target}\r\nProxy-Authorization: Basic bWU6c2VjcmV0\r\n\r\n"
    );
    assert_eq!(proxy.asked(), [head]);
    assert_eq!(upstream.connections(), 1);
}

#[tokio::test]
async fn http2_goes_through_one_too_and_shares_it() {
    let (upstream, _) = slow_upstream(100, 1).await;
    let proxy = Tunnels::start(None).await;
    let (client, origin) = (proxy.client(None), h2c(&named(&upstream)));
    for _ in 0..3 {
        let answer = call(&client, &origin).await.unwrap();
        assert_eq!(text(answer).await.unwrap(), "12");
    }
    assert_eq!(proxy.asked().len(), 1);
}

#[tokio::test]
async fn tls_is_with_the_origin_and_not_with_the_proxy() {
    let proxy = Tunnels::start(None).await;
    let (upstream, authority) = tls::serve("api.example", &["h2", "http/1.1"]).await;
    let url = format!("https://api.example:{}", upstream.address.port());
    let origin = Origin::parse(&url).unwrap().0;
    let roads = Arc::new(Roads {
        https: Some(proxy.proxy()),
        ..Roads::default()
    });
    let client = Client::new(ClientConfig {
        egress: EgressPolicy::by(&roads),
        extra_roots_pem: vec![authority],
        ..ClientConfig::default()
    })
    .unwrap();
    let answer = call(&client, &origin).await.unwrap();
    assert_eq!(text(answer).await.unwrap(), "12", "HTTP/2 was chosen");
    assert_eq!(proxy.asked().len(), 1);
}

#[tokio::test]
async fn connections_by_different_roads_are_not_mixed() {
    let upstream = Upstream::start(|socket, _| answer_all(socket, OK)).await;
    let (one, other) = (Tunnels::start(None).await, Tunnels::start(None).await);
    let origin = upstream.origin();
    let client = one.client(Some(&origin));
    hi(&client, &origin).await;
    assert_eq!(one.asked().len(), 0, "this machine is not behind a proxy");
    hi(&client, &origin.with_via(Some(Via::Proxy(other.proxy())))).await;
    hi(&client, &origin.with_via(Some(Via::Proxy(one.proxy())))).await;
    hi(&client, &origin.with_via(Some(Via::Straight))).await;
    assert_eq!((one.asked().len(), other.asked().len()), (1, 1));
    assert_eq!(upstream.connections(), 4);
}

#[tokio::test]
async fn the_egress_rules_hold_for_what_is_written() {
    let proxy = Tunnels::start(None).await;
    let client = proxy.client(None);
    for url in [
        "http://10.0.0.1",
        "https://192.168.0.1",
        "https://[fd00::1]",
        "https://vault.internal",
        "https://printer.local",
        "https://intranet",
        "http://router.lan",
    ] {
        let (origin, _) = Origin::parse(url).unwrap();
        let error = call(&client, &origin).await.unwrap_err();
        assert_eq!(error.kind, NetErrorKind::Egress, "{url}");
        // Who asks for the proxy by name gains nothing.
        let origin = origin.with_via(Some(Via::Proxy(proxy.proxy())));
        let error = call(&client, &origin).await.unwrap_err();
        assert_eq!(error.kind, NetErrorKind::Egress, "{url}");
    }
    assert!(proxy.asked().is_empty());
    let upstream = Upstream::start(|socket, _| answer_all(socket, OK)).await;
    let url = format!("http://vllm.internal:{}", upstream.address.port());
    let (operators, _) = Origin::parse_operator(&url).unwrap();
    hi(&proxy.client(Some(&operators)), &operators).await;
    assert_eq!(proxy.asked().len(), 1);
}

#[tokio::test]
async fn what_a_proxy_answers_has_reasons_of_its_own() {
    let (origin, _) = Origin::parse("https://api.example").unwrap();
    for (answer, kind, said) in [
        (
            "HTTP/1.1 407 Proxy Authentication Required\r\n\r\n",
            NetErrorKind::Proxy,
            "write them into net.proxy",
        ),
        (
            "HTTP/1.1 403 Forbidden\r\ncontent-length: 2\r\n\r\nno",
            NetErrorKind::Proxy,
            "refuses a tunnel to api.example:443 (403)",
        ),
        (
            "HTTP/1.0 502 Bad Gateway\r\n\r\n",
            NetErrorKind::Connect,
            "does not reach api.example:443 (502)",
        ),
        (
            "HTTP/1.1 504 Gateway Timeout\r\n\r\n",
            NetErrorKind::ConnectTimeout,
            "in time (504)",
        ),
        (
            "SSH-2.0-x\r\n\r\n",
            NetErrorKind::Proxy,
            "does not answer in HTTP",
        ),
        ("HTTP/1.1 200 OK\r\n", NetErrorKind::Proxy, "unexpected end"),
    ] {
        let proxy = Tunnels::start(Some(answer)).await;
        let error = call(&proxy.client(None), &origin).await.unwrap_err();
        assert_eq!(error.kind, kind, "{answer}");
        assert!(!error.wrote_request);
        let told = error.to_string();
        assert!(told.contains(said), "{answer}: {told}");
        assert!(!told.contains("secret") && !told.contains("bWU6"), "{told}");
    }
}

#[tokio::test]
async fn a_proxy_that_is_not_there_is_named() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let proxy = Proxy::parse(&format!("{address}"), "HTTPS_PROXY").unwrap();
    let (origin, _) = Origin::parse("https://api.example").unwrap();
    let origin = origin.with_via(Some(Via::Proxy(proxy)));
    let client = Client::new(ClientConfig::default()).unwrap();
    let error = call(&client, &origin).await.unwrap_err();
    assert_eq!(error.kind, NetErrorKind::Proxy);
    let told = error.to_string();
    assert!(
        told.contains(&format!("http://{address} (HTTPS_PROXY) cannot be reached")),
        "{told}"
    );
}

//! Providers that are reached through a proxy, which asks for a password.

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, OnceLock};

use bourse_sim::Script;
use serde_json::json;

use crate::exchange::{CHEAP, DEAR, Exchange, Provider, Setup, bourse, eventually};
use crate::money_math::cost;

/// `user:geheim`.
const KNOWN: &str = "Proxy-Authorization: Basic dXNlcjpnZWhlaW0=\r\n";

/// A proxy that opens tunnels for who knows its password. All names lead to
/// one address, of which it learns later.
struct Tunnels {
    address: SocketAddr,
    leads_to: Arc<OnceLock<SocketAddr>>,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Tunnels {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let tunnels = Self {
            address: listener.local_addr().unwrap(),
            leads_to: Arc::default(),
            asked: Arc::default(),
        };
        let (leads_to, asked) = (tunnels.leads_to.clone(), tunnels.asked.clone());
        std::thread::spawn(move || {
            for socket in listener.incoming() {
                let (leads_to, asked) = (leads_to.clone(), asked.clone());
                std::thread::spawn(move || serve(socket.unwrap(), &leads_to, &asked));
            }
        });
        tunnels
    }

    /// What it was asked for, in order.
    fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }

    fn url(&self, password: &str) -> &'static str {
        let url = format!("http://user:{password}@{}", self.address);
        Box::leak(url.into_boxed_str())
    }
}

fn serve(mut client: TcpStream, leads_to: &OnceLock<SocketAddr>, asked: &Mutex<Vec<String>>) {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        if client.read(&mut byte).unwrap() == 0 {
            return;
        }
        head.push(byte[0]);
    }
    let head = String::from_utf8(head).unwrap();
    let line = head.lines().next().unwrap();
    asked.lock().unwrap().push(line.to_owned());
    if !head.contains(KNOWN) {
        let answer =
            b"HTTP/1.1 407 Proxy Authentication Required\r\nProxy-Authenticate: Basic\r\n\r\n";
        client.write_all(answer).unwrap();
        return;
    }
    let server = TcpStream::connect(leads_to.wait()).unwrap();
    client
        .write_all(b"HTTP/1.1 200 Connection established\r\n\r\n")
        .unwrap();
    let copy = |mut from: TcpStream, mut to: TcpStream| {
        let _ = std::io::copy(&mut from, &mut to);
        let _ = to.shutdown(Shutdown::Write);
    };
    let (from, to) = (client.try_clone().unwrap(), server.try_clone().unwrap());
    std::thread::spawn(move || copy(from, to));
    copy(server, client);
}

/// A provider that only the proxy can find.
fn far(slug: &'static str) -> Provider {
    let mut provider = Provider::new(slug, CHEAP, Script::default());
    provider.base_url = Some(format!("http://{slug}.example/p/{slug}/v1"));
    provider
}

fn start(tunnels: &Tunnels, change: impl FnOnce(&mut Setup)) -> Exchange {
    let exchange = Exchange::start(change);
    let url = exchange.sim.provider_url("x");
    let address = url.split('/').nth(2).unwrap().parse().unwrap();
    tunnels.leads_to.set(address).unwrap();
    exchange
}

#[test]
fn calls_go_through_the_proxy_that_the_environment_names_and_stream_through_it() {
    let tunnels = Tunnels::start();
    let exchange = start(&tunnels, |setup| {
        setup.env.push(("HTTP_PROXY", tunnels.url("geheim")));
        setup.provider(far("cheap"));
    });
    let reply = exchange.chat(json!({})).answer();
    exchange.stream(json!({}));
    assert_eq!(tunnels.asked(), ["CONNECT cheap.example:80 HTTP/1.1"]);
    assert!(cost(&reply["usage"]) > 0);
    let doctor = bourse()
        .args(["doctor", "--config"])
        .arg(&exchange.config)
        .env("HTTP_PROXY", tunnels.url("geheim"))
        .output()
        .unwrap();
    let doctor = String::from_utf8(doctor.stdout).unwrap();
    let road = format!("cheap through http://{} (HTTP_PROXY)", tunnels.address);
    assert!(doctor.contains(&road), "{doctor}");
    assert!(!exchange.server.log().contains("geheim"));
    exchange.close();
}

#[test]
fn a_provider_has_a_road_of_its_own_and_a_wrong_password_names_its_key() {
    let tunnels = Tunnels::start();
    let exchange = start(&tunnels, |setup| {
        let mut refused = far("cheap");
        refused.provider_toml = format!("proxy = {:?}\n", tunnels.url("falsch"));
        // The simulator itself, without a proxy although there is one for all.
        let mut straight = Provider::new("dear", DEAR, Script::default());
        straight.provider_toml = "proxy = \"none\"\n".to_owned();
        setup.provider(refused).provider(straight);
        setup.toml = "[net]\nproxy = \"http://127.0.0.1:9\"\n".to_owned();
    });
    exchange.chat(json!({})).answer();
    assert_eq!(exchange.attempts(), ["dear"]);
    assert!(!tunnels.asked().is_empty());
    let log = eventually("the key to be named", || {
        let log = exchange.server.log();
        log.contains("write them into providers.cheap.proxy")
            .then_some(log)
    });
    assert!(!log.contains("falsch"), "{log}");
    exchange.close();
}

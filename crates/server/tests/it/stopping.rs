//! How a server goes: what load balancers, operators and service managers see.

use std::os::fd::OwnedFd;
use std::os::unix::net::UnixDatagram;
use std::time::Duration;

use bourse_sim::Script;
use rustix::process::Signal;
use serde_json::json;

use crate::client::Conn;
use crate::exchange::{CHEAP, Exchange, Provider, Setup, bourse, eventually, script, streamed};

fn start(script: Script, server_toml: &str) -> Exchange {
    Exchange::start(|setup: &mut Setup| {
        setup.provider(Provider::new("cheap", CHEAP, script));
        setup.server_toml = server_toml.to_owned();
    })
}

fn ready(exchange: &Exchange) -> (u16, String) {
    let mut conn = Conn::open(exchange.server.address);
    conn.request("GET", "/readyz", "", b"");
    let got = conn.receive();
    let status = got.json()["status"].as_str().unwrap_or("").to_owned();
    (got.status, status)
}

fn said(exchange: &Exchange, text: &str) {
    eventually(text, || exchange.server.log().contains(text).then_some(()));
}

#[test]
fn a_server_that_is_told_to_stop_says_so_and_serves_on_for_a_while() {
    let mut exchange = start(Script::default(), "lame_duck_ms = 600000\n");
    assert_eq!(ready(&exchange), (200, "ready".to_owned()));
    exchange.server.signal(Signal::TERM);
    eventually("it to say so", || (ready(&exchange).0 == 503).then_some(()));
    assert_eq!(ready(&exchange), (503, "stopping".to_owned()));
    exchange.chat(json!({})).answer();
    // A second signal hurries, and the first ten minutes are over.
    exchange.server.signal(Signal::TERM);
    eventually("the server to end", || {
        exchange.server.child.try_wait().unwrap()
    });
    let log = exchange.server.log();
    assert!(log.contains("served for 600000 ms more"), "{log}");
    assert!(log.contains("stopping: no call is running"), "{log}");
    let report = exchange.command(&["ledger", "verify"]);
    assert!(report.contains("balance to the nano-dollar"), "{report}");
}

#[test]
fn what_a_stop_waits_for_is_counted_and_a_second_signal_cuts_it_off() {
    let slow = script(json!({"tokens": 100_000, "token_ms": 10}));
    let mut exchange = start(slow, "");
    let mut conn = exchange.open(&streamed(json!({})));
    let mut got = conn.head();
    for _ in 0..3 {
        assert!(conn.chunk(&mut got).is_some());
    }
    exchange.server.signal(Signal::TERM);
    said(
        &exchange,
        "stopping: 1 call running, 0 answers read on; waiting up to 60 s",
    );
    exchange.server.signal(Signal::INT);
    let status = eventually("the server to end", || {
        exchange.server.child.try_wait().unwrap()
    });
    assert!(status.success());
    said(&exchange, "stopping at once: running calls are cut off");
    // What was delivered is paid for, and nothing is held any more.
    let report = exchange.command(&["ledger", "verify", "--json"]);
    let report: serde_json::Value = serde_json::from_str(&report).unwrap();
    assert_eq!(report["balanced"], true, "{report}");
    assert!(
        report["unapplied"]
            .as_str()
            .unwrap()
            .contains("open_holds: 0 ")
    );
    let (_, spent) = exchange.balance();
    assert!(spent > 0);
}

/// A service manager: what it is told, in order.
struct Heard {
    socket: UnixDatagram,
    told: Vec<String>,
}

impl Heard {
    fn until(&mut self, what: &str) -> &str {
        loop {
            let mut bytes = [0; 4096];
            let count = self.socket.recv(&mut bytes).unwrap_or_else(|error| {
                panic!("{what} was not told ({error}), but {:?}", self.told)
            });
            let text = String::from_utf8(bytes[..count].to_vec()).unwrap();
            self.told.push(text);
            if self.told.last().unwrap().contains(what) {
                return self.told.last().unwrap();
            }
        }
    }
}

#[test]
fn a_service_manager_is_told_of_the_start_the_reload_the_state_and_the_stop() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("notify");
    let socket = UnixDatagram::bind(&path).unwrap();
    socket
        .set_read_timeout(Some(Duration::from_secs(60)))
        .unwrap();
    let mut heard = Heard {
        socket,
        told: Vec::new(),
    };
    let place: &'static str = Box::leak(path.to_str().unwrap().to_owned().into_boxed_str());
    let exchange = Exchange::start(|setup| {
        setup.provider(Provider::new("cheap", CHEAP, Script::default()));
        setup.env.push(("NOTIFY_SOCKET", place));
        setup.env.push(("WATCHDOG_USEC", "400000"));
    });
    heard.until("READY=1");
    heard.until("STATUS=serving: 0 calls running");
    heard.until("WATCHDOG=1");
    heard.until("WATCHDOG=1");
    exchange.server.signal(Signal::HUP);
    let reloading = heard.until("RELOADING=1").to_owned();
    assert!(reloading.contains("\nMONOTONIC_USEC="), "{reloading}");
    heard.until("READY=1");
    exchange.finish(0);
    heard.until("STOPPING=1");
}

#[test]
fn a_socket_that_the_manager_opened_is_served() {
    let dir = tempfile::tempdir().unwrap();
    let config = dir.path().join("bourse.toml");
    std::fs::write(
        &config,
        format!(
            "[server]\nlisten = \"127.0.0.1:1\"\ndata_dir = {:?}\nworkers = 2\n",
            dir.path().join("data")
        ),
    )
    .unwrap();
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    // As standard input, from where the shell puts it to its place; the shell
    // stays the process that is named.
    let program = bourse();
    let mut shell = std::process::Command::new("sh");
    let line = "exec 3<&0 </dev/null; LISTEN_PID=$$ LISTEN_FDS=1 LISTEN_FDNAMES=bourse.socket exec \"$0\" serve --config \"$1\"";
    shell.env_clear().args(["-c", line]);
    shell.arg(program.get_program()).arg(&config);
    let mut server = crate::exchange::Server::run_with(&mut shell, OwnedFd::from(listener).into());
    assert_eq!(server.address, address);
    for _ in 0..4 {
        let mut conn = Conn::open(address);
        conn.request("GET", "/healthz", "", b"");
        assert_eq!(conn.receive().status, 200);
    }
    server.stop();
}

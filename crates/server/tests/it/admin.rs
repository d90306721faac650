//! A listener for operators.

use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::{UnixListener, UnixStream};

use bourse_sim::Script;
use rustix::process::Signal;
use serde_json::json;

use crate::client::{Conn, Got};
use crate::exchange::{CHEAP, Exchange, Provider, Server, Setup, eventually, script, streamed};

fn start(script: Script, server_toml: &str) -> Exchange {
    Exchange::start(|setup: &mut Setup| {
        setup.provider(Provider::new("cheap", CHEAP, script));
        setup.server_toml = server_toml.to_owned();
    })
}

/// Where operators look, as the log says it.
fn admin(exchange: &Exchange) -> SocketAddr {
    eventually("the listener for operators", || {
        let log = exchange.server.log();
        let rest = log.split("served for operators at=").nth(1)?;
        rest.split_whitespace().next()?.parse().ok()
    })
}

fn get(address: SocketAddr, path: &str, headers: &str) -> Got {
    let mut conn = Conn::open(address);
    conn.request("GET", path, headers, b"");
    conn.receive()
}

#[test]
fn counters_ask_for_no_key_on_this_machine_and_are_nowhere_else() {
    let exchange = start(
        Script::default(),
        "admin_listen = \"127.0.0.1:0\"\npublic_metrics = false\n",
    );
    let admin = admin(&exchange);
    exchange.chat(json!({})).answer();
    let got = get(admin, "/metrics", "");
    assert_eq!(got.status, 200);
    assert!(got.text().contains("# TYPE bourse_"), "{}", got.text());
    assert_eq!(get(admin, "/healthz", "").text(), "ok\n");
    assert_eq!(get(admin, "/readyz", "").json()["status"], "ready");
    // No page of another origin may read it, nor one whose name leads here.
    let paged = get(admin, "/metrics", "origin: https://evil.example\r\n");
    assert_eq!(paged.header("access-control-allow-origin"), None);
    let mut conn = Conn::open(admin);
    conn.send(b"GET /metrics HTTP/1.1\r\nhost: evil.example\r\n\r\n");
    conn.receive().error(403);
    // Nothing else is there.
    for path in ["/api/v1/models", "/openapi.json", "/v1/chat/completions"] {
        get(admin, path, "").error(404);
    }
    let management = exchange.command(&["key", "create", "--management", "--quiet"]);
    let bearer = format!("authorization: Bearer {}\r\n", management.trim());
    get(exchange.server.address, "/metrics", &bearer).error(404);
    assert_eq!(exchange.get("/readyz").status, 200);
    let document = exchange.get("/openapi.json").text();
    assert!(document.contains("/readyz") && !document.contains("\"/metrics\""));
    assert!(exchange.close() > 0);
}

#[test]
fn counters_ask_for_a_management_key_where_others_can_come() {
    let exchange = start(Script::default(), "admin_listen = \"0.0.0.0:0\"\n");
    let admin = SocketAddr::from(([127, 0, 0, 1], admin(&exchange).port()));
    let management = exchange.command(&["key", "create", "--management", "--quiet"]);
    let bearer = format!("authorization: Bearer {}\r\n", management.trim());
    for address in [admin, exchange.server.address] {
        get(address, "/metrics", "").error(401);
        let inference = exchange.headers();
        get(address, "/metrics", &inference).error(403);
        assert_eq!(get(address, "/metrics", &bearer).status, 200);
        assert_eq!(get(address, "/readyz", "").status, 200);
    }
    exchange.finish(0);
}

#[test]
fn a_socket_is_for_this_user_and_an_old_one_is_replaced() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("admin.sock");
    let toml = format!("admin_listen = {path:?}\n");
    let mut exchange = start(Script::default(), &toml);
    let ask = || {
        let mut conn = Conn::on(UnixStream::connect(&path).unwrap());
        conn.request("GET", "/metrics", "", b"");
        let got = conn.receive();
        // Another request on the same connection.
        conn.request("GET", "/healthz", "", b"");
        assert_eq!(conn.receive().text(), "ok\n");
        got
    };
    assert_eq!(ask().status, 200);
    let mode = std::fs::metadata(&path).unwrap().permissions().mode();
    assert_eq!(mode & 0o077, 0, "{mode:o}");
    // A server that lives keeps it.
    let config = std::fs::read_to_string(&exchange.config).unwrap();
    let other = dir.path().join("other.toml");
    let data = exchange.dir.path().join("data");
    let moved = config.replace(
        data.to_str().unwrap(),
        dir.path().join("other").to_str().unwrap(),
    );
    std::fs::write(&other, moved).unwrap();
    let mut command = crate::exchange::bourse();
    let refused = command.args(["serve", "--config"]).arg(&other).output();
    let told = String::from_utf8(refused.unwrap().stderr).unwrap();
    assert!(
        told.contains("server.admin_listen: cannot listen on "),
        "{told}"
    );
    assert!(told.contains("admin.sock"), "{told}");
    exchange.server.signal(Signal::KILL);
    exchange.server.child.wait().unwrap();
    assert!(path.exists());
    exchange.server = Server::start(&exchange.config, &[]);
    assert_eq!(ask().status, 200);
    exchange.finish(0);
}

#[test]
fn a_socket_for_operators_is_taken_from_a_service_manager() {
    let dir = tempfile::tempdir().unwrap();
    let config = dir.path().join("bourse.toml");
    let data = dir.path().join("data");
    let text = format!("[server]\nlisten = \"127.0.0.1:0\"\ndata_dir = {data:?}\nworkers = 1\n");
    std::fs::write(&config, text).unwrap();
    let path = dir.path().join("handed.sock");
    let socket = UnixListener::bind(&path).unwrap();
    // As standard input, from where the shell puts it to its place.
    let program = crate::exchange::bourse();
    let mut shell = std::process::Command::new("sh");
    let line = "exec 3<&0 </dev/null; LISTEN_PID=$$ LISTEN_FDS=1 LISTEN_FDNAMES=admin exec \"$0\" serve --config \"$1\"";
    shell.env_clear().args(["-c", line]);
    shell.arg(program.get_program()).arg(&config);
    let mut server = Server::run_with(&mut shell, OwnedFd::from(socket).into());
    assert_eq!(get(server.address, "/healthz", "").status, 200);
    get(server.address, "/metrics", "").error(401);
    let mut conn = Conn::on(UnixStream::connect(&path).unwrap());
    conn.request("GET", "/metrics", "", b"");
    assert_eq!(conn.receive().status, 200);
    server.stop();
}

#[test]
fn operators_see_a_stop_to_its_end() {
    let slow = script(json!({"tokens": 100_000, "token_ms": 10}));
    let mut exchange = start(slow, "admin_listen = \"127.0.0.1:0\"\n");
    let admin = admin(&exchange);
    let mut conn = exchange.open(&streamed(json!({})));
    let mut got = conn.head();
    assert!(conn.chunk(&mut got).is_some());
    exchange.server.signal(Signal::TERM);
    eventually("the port to close", || {
        std::net::TcpStream::connect(exchange.server.address).err()
    });
    let ready = get(admin, "/readyz", "");
    assert_eq!(
        (ready.status, &ready.json()["status"]),
        (503, &json!("stopping"))
    );
    assert_eq!(get(admin, "/metrics", "").status, 200);
    exchange.server.signal(Signal::TERM);
    eventually("the server to end", || {
        exchange.server.child.try_wait().unwrap()
    });
    let report = exchange.command(&["ledger", "verify"]);
    assert!(report.contains("balance to the nano-dollar"), "{report}");
}

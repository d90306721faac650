//! Disks that take no more while calls run. The server's files may not grow
//! (RLIMIT_FSIZE), which refuses the journal's writes and the database's.

use std::path::Path;
use std::process::Command;

use rustix::process::{Pid, Resource, Rlimit, prlimit};
use serde_json::json;

use crate::exchange::{CHEAP, Exchange, MODEL, Server, bourse, eventually, script};

/// Bytes beyond which no file grows: below what the database's log has after
/// a start, and the journal after some calls.
const NOTHING: u64 = 1;

/// The answer comes so late that the disk can be taken away before.
const ANSWER_MS: u64 = 1_500;

/// Where a limit on files is an error to whoever writes, and no signal.
fn start(config: &Path) -> Server {
    let program = bourse();
    let mut shell = Command::new("/bin/sh");
    shell.env_clear();
    shell.args(["-c", "trap '' XFSZ; exec \"$@\"", "sh"]);
    shell.arg(program.get_program());
    shell.args(["serve", "--config"]).arg(config);
    let mut server = Server::run(&mut shell);
    server.may_log_errors = true;
    server
}

fn refusing() -> Exchange {
    let slow = script(json!({"latency_ms": ANSWER_MS, "tokens": 20}));
    let mut exchange = Exchange::single(slow);
    exchange.server.stop();
    exchange.server = start(&exchange.config);
    exchange
}

fn let_files_grow(exchange: &Exchange, bytes: Option<u64>) {
    let pid = Pid::from_raw(i32::try_from(exchange.server.child.id()).unwrap());
    let limit = Rlimit {
        current: bytes,
        maximum: None,
    };
    prlimit(pid, Resource::Fsize, limit).unwrap();
}

/// Waits until a call runs, then takes the disk away, and returns what the
/// call was told.
fn call_that_cannot_be_written(exchange: &Exchange) -> serde_json::Value {
    let mut conn = exchange.open(&crate::exchange::ask(json!({"model": MODEL})));
    eventually("the call to run", || {
        (exchange.sim.counters().in_flight > 0).then_some(())
    });
    let_files_grow(exchange, Some(NOTHING));
    let got = conn.receive();
    assert_eq!(got.status, 200, "{}", got.text());
    got.json()
}

#[test]
fn a_disk_that_refuses_is_told_refuses_new_calls_and_heals_without_a_restart() {
    let exchange = refusing();
    let told = call_that_cannot_be_written(&exchange);
    assert!(told["usage"]["cost"].as_f64().unwrap() > 0.0, "{told}");
    let worth = exchange.worth(CHEAP);

    let refused = exchange.chat(json!({}));
    assert_eq!(refused.status, 503, "{}", refused.text());
    let ready = exchange.get("/readyz");
    assert_eq!(ready.status, 503);
    let why = ready.text();
    assert!(why.contains("what calls have cost"), "{why}");
    assert!(!why.contains("spool/"), "no paths: {why}");
    assert_eq!(exchange.get("/healthz").status, 200);
    let said = exchange.server.log();
    assert_eq!(said.matches("new calls are refused").count(), 1, "{said}");

    let_files_grow(&exchange, None);
    eventually("the disk to be asked again", || {
        (exchange.get("/readyz").status == 200).then_some(())
    });
    eventually("the database to follow", || {
        (exchange.balance().1 == worth).then_some(())
    });
    eventually("its connection to be a new one", || {
        (exchange.get("/readyz").json()["database"] == "ok").then_some(())
    });
    assert_eq!(exchange.chat(json!({})).status, 200);
    let both = worth + exchange.worth(CHEAP);
    exchange.finish(both);
}

#[test]
fn a_server_that_is_stopped_while_its_disk_refuses_exits_with_an_error() {
    let mut exchange = refusing();
    call_that_cannot_be_written(&exchange);
    exchange.server.signal(rustix::process::Signal::TERM);
    let status = eventually("the server to stop", || {
        exchange.server.child.try_wait().unwrap()
    });
    assert_eq!(status.code(), Some(1));
    let said = exchange.server.log();
    assert!(said.contains("bytes of what calls have cost"), "{said}");
}

//! A server whose store is a real PostgreSQL: started, killed, left without
//! its database, refused beside another.

use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};

use bourse_sim::Script;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};

use crate::client::{Conn, Got};
use crate::exchange::{CHEAP, Exchange, Provider, Server, ask, bourse, eventually, succeed};

/// A PostgreSQL of a test's own, that may be frozen and stopped.
struct Cluster {
    dir: tempfile::TempDir,
    url: String,
}

fn script(command: &str, dir: &std::path::Path) -> String {
    let script = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../scripts/postgres.sh");
    let mut run = Command::new("bash");
    run.arg(script).arg(command).arg(dir);
    // A test that is killed must not leave its server behind.
    run.arg(std::process::id().to_string());
    succeed(&mut run).trim().to_owned()
}

impl Cluster {
    fn start() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let url = script("start", &dir.path().join("pg"));
        Self { dir, url }
    }

    fn path(&self) -> PathBuf {
        self.dir.path().join("pg")
    }

    /// The server and all of its children.
    fn processes(&self) -> Vec<Pid> {
        let main: i32 = script("pid", &self.path()).parse().unwrap();
        let parent_of = |pid: i32| -> Option<i32> {
            let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
            // The name may hold spaces; what follows it does not.
            let rest = stat.rsplit_once(')')?.1;
            rest.split_whitespace().nth(1)?.parse().ok()
        };
        let all = std::fs::read_dir("/proc").unwrap();
        let all = all.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse::<i32>().ok());
        let children = all.filter(|pid| parent_of(*pid) == Some(main));
        let all = std::iter::once(main).chain(children);
        all.filter_map(Pid::from_raw).collect()
    }

    fn signal(&self, signal: Signal) {
        for pid in self.processes() {
            // One may have ended meanwhile.
            let _ = kill_process(pid, signal);
        }
    }

    /// Ends it at once, as a crash would.
    fn kill(&self) {
        let main: i32 = script("pid", &self.path()).parse().unwrap();
        self.signal(Signal::KILL);
        eventually("PostgreSQL to be gone", || {
            let stat = std::fs::read_to_string(format!("/proc/{main}/stat"));
            stat.map_or(true, |stat| stat.contains(") Z "))
                .then_some(())
        });
    }

    fn start_again(&self) {
        assert_eq!(script("again", &self.path()), self.url);
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        let stop =
            std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../scripts/postgres.sh");
        let _ = Command::new("bash")
            .arg(stop)
            .arg("stop")
            .arg(self.path())
            .output();
    }
}

fn exchange(cluster: &Cluster) -> Exchange {
    Exchange::start(|setup| {
        setup.toml = format!("[database]\nurl = \"{}\"\n", cluster.url);
        setup.provider(Provider::new("cheap", CHEAP, Script::default()));
    })
}

fn get(server: &Server, path: &str) -> Got {
    let mut conn = Conn::open(server.address);
    conn.request("GET", path, "", b"");
    conn.receive()
}

fn database(server: &Server) -> String {
    let got = get(server, "/readyz");
    assert_eq!(got.status, 200, "{}", got.text());
    got.json()["database"].as_str().unwrap().to_owned()
}

/// Makes calls; what they are worth.
fn calls(exchange: &Exchange, count: u32) -> i128 {
    let mut worth = 0;
    for n in 0..count {
        exchange.chat(json!({"user": format!("user {n}")})).answer();
        worth += exchange.worth(CHEAP);
    }
    worth
}

fn restart(exchange: &mut Exchange) {
    exchange.server = Server::start(&exchange.config, &[]);
}

#[test]
fn postgresql_keeps_keys_credit_and_calls_through_a_kill() {
    let cluster = Cluster::start();
    let mut exchange = exchange(&cluster);
    let mut spent = calls(&exchange, 3);
    exchange.server.child.kill().unwrap();
    exchange.server.child.wait().unwrap();
    restart(&mut exchange);
    spent += calls(&exchange, 2);

    assert_eq!(database(&exchange.server), "ok");
    let keys = exchange.command(&["key", "list"]);
    assert!(keys.contains("active"), "{keys}");
    let doctor = exchange.command(&["doctor"]);
    let line = doctor.lines().find(|line| line.contains("database"));
    let line = line.unwrap_or_else(|| panic!("{doctor}"));
    assert!(
        line.contains("ok  ") && line.contains("postgres 1"),
        "{line}"
    );
    assert!(
        line.contains("takes changes") && line.contains(" ms"),
        "{line}"
    );
    let status = exchange.command(&["schema", "status", "--json"]);
    let steps: Value = serde_json::from_str(&status).unwrap();
    assert!(!steps.as_array().unwrap().is_empty());
    assert!(
        steps
            .as_array()
            .unwrap()
            .iter()
            .all(|step| step["applied"] == true)
    );
    let plan = exchange.command(&["schema", "plan"]);
    assert!(plan.contains("nothing to do"), "{plan}");
    exchange.finish(spent);
}

#[test]
fn calls_go_on_while_postgresql_is_frozen() {
    let cluster = Cluster::start();
    let mut exchange = exchange(&cluster);
    exchange.server.may_log_errors = true;
    let mut spent = calls(&exchange, 2);
    cluster.signal(Signal::STOP);
    spent += calls(&exchange, 3);
    // Nothing answers and nothing says no: only a bound of ours notices.
    eventually("the silence to be noticed", || {
        (database(&exchange.server) == "away").then_some(())
    });
    let asked = Instant::now();
    exchange
        .chat_as("sk-bourse-v1-unknown", json!({}))
        .error(401);
    assert!(asked.elapsed() < Duration::from_secs(10));
    spent += calls(&exchange, 3);
    cluster.signal(Signal::CONT);
    eventually("the database to be back", || {
        (database(&exchange.server) == "ok").then_some(())
    });
    spent += calls(&exchange, 2);
    exchange.finish(spent);
}

#[test]
fn calls_go_on_while_postgresql_is_down() {
    let cluster = Cluster::start();
    let mut exchange = exchange(&cluster);
    exchange.server.may_log_errors = true;
    let mut spent = calls(&exchange, 2);
    cluster.kill();
    spent += calls(&exchange, 3);
    eventually("the loss to be noticed", || {
        (database(&exchange.server) == "away").then_some(())
    });
    spent += calls(&exchange, 3);
    cluster.start_again();
    eventually("the database to be back", || {
        (database(&exchange.server) == "ok").then_some(())
    });
    spent += calls(&exchange, 2);
    exchange.finish(spent);
}

#[test]
fn a_server_stopped_without_its_database_goes_on_where_it_was() {
    let cluster = Cluster::start();
    let mut exchange = exchange(&cluster);
    exchange.server.may_log_errors = true;
    let mut spent = calls(&exchange, 2);
    cluster.kill();
    spent += calls(&exchange, 2);
    exchange.server.stop();
    cluster.start_again();
    restart(&mut exchange);
    spent += calls(&exchange, 2);
    exchange.finish(spent);
}

#[test]
fn a_start_without_its_database_ends_with_a_sentence() {
    let dir = tempfile::tempdir().unwrap();
    let config = dir.path().join("bourse.toml");
    // A port that was free a moment ago.
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    drop(listener);
    let text = format!(
        "[server]\nlisten = \"127.0.0.1:0\"\ndata_dir = {:?}\n[database]\nurl = \"postgres://bourse:hunter2@127.0.0.1:{port}/books\"\n",
        dir.path().join("data")
    );
    std::fs::write(&config, text).unwrap();
    for command in [&["serve"][..], &["key", "list"], &["doctor"]] {
        let done = bourse().args(command).arg("--config").arg(&config).output();
        let done = done.unwrap();
        assert_eq!(done.status.code(), Some(1), "{command:?}");
        let said = [done.stdout, done.stderr].concat();
        let said = String::from_utf8(said).unwrap();
        let place = format!("postgres://127.0.0.1:{port}/books cannot be reached");
        assert!(said.contains(&place), "{said}");
        assert!(!said.contains("hunter2"), "{said}");
    }
}

#[test]
fn a_second_server_is_refused_by_name_until_a_person_says_the_first_is_gone() {
    let cluster = Cluster::start();
    let mut first = exchange(&cluster);
    first.server.may_log_errors = true;
    let spent = calls(&first, 2);
    let (_, known) = eventually("the calls to be in the database", || {
        let (granted, known) = first.balance();
        (known == spent).then_some((granted, known))
    });

    let dir = tempfile::tempdir().unwrap();
    let config = dir.path().join("bourse.toml");
    let text = std::fs::read_to_string(&first.config).unwrap();
    let data = |dir: &tempfile::TempDir| dir.path().join("data").display().to_string();
    std::fs::write(&config, text.replace(&data(&first.dir), &data(&dir))).unwrap();
    let refused = bourse().args(["serve", "--config"]).arg(&config).output();
    let refused = refused.unwrap();
    assert_eq!(refused.status.code(), Some(1));
    let said = String::from_utf8(refused.stderr).unwrap();
    let by = format!("process {} on ", first.server.child.id());
    assert!(said.contains(&by) && said.contains("--take-over"), "{said}");

    let mut child = bourse();
    let child = child
        .args(["serve", "--take-over", "--config"])
        .arg(&config);
    let mut second = Server::run(child);
    let status = eventually("the first to stop", || {
        first.server.child.try_wait().unwrap()
    });
    assert!(status.success(), "{}", first.server.log());
    let log = first.server.log();
    assert!(
        log.contains(&format!("process {}", second.child.id())),
        "{log}"
    );

    let body = ask(json!({})).to_string();
    let mut conn = Conn::open(second.address);
    let headers = format!("authorization: Bearer {}\r\n", first.key);
    conn.request(
        "POST",
        "/api/v1/chat/completions",
        &headers,
        body.as_bytes(),
    );
    conn.receive().answer();
    let worth = first.worth(CHEAP);
    second.stop();
    first.config = config;
    assert_eq!(first.balance().1, known + worth);
    let report = first.command(&["ledger", "verify"]);
    assert!(report.contains("balance to the nano-dollar"), "{report}");
}

#[test]
fn tables_go_back_and_forth_only_while_no_server_is_at_work() {
    let cluster = Cluster::start();
    let mut exchange = exchange(&cluster);
    let down = |config: &std::path::Path, more: &[&str]| {
        let mut command = bourse();
        command.args(["schema", "down", "--one"]).args(more);
        command.arg("--config").arg(config).output().unwrap()
    };
    let busy = down(&exchange.config, &[]);
    assert_eq!(busy.status.code(), Some(1));
    let said = String::from_utf8(busy.stderr).unwrap();
    assert!(said.contains("in use") || said.contains("lock"), "{said}");
    exchange.server.stop();
    let usage = bourse().args(["schema", "down"]).output().unwrap();
    assert_eq!(usage.status.code(), Some(2));
    let mut left: Vec<Value> =
        serde_json::from_str(&exchange.command(&["schema", "status", "--json"])).unwrap();
    while let Some(step) = left.pop() {
        if step["going_back_loses"] != "" {
            let kept = down(&exchange.config, &[]);
            assert_eq!(kept.status.code(), Some(1), "{step}");
            let said = String::from_utf8(kept.stderr).unwrap();
            assert!(said.contains("--lose-data"), "{said}");
        }
        assert!(
            down(&exchange.config, &["--lose-data"]).status.success(),
            "{step}"
        );
    }
    let status = exchange.command(&["schema", "status"]);
    assert!(!status.contains("yes"), "{status}");
    exchange.command(&["schema", "up"]);
    let status = exchange.command(&["schema", "status"]);
    assert!(!status.contains(" no "), "{status}");
}

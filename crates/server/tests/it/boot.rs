//! Starting, stopping, starting again.

use std::path::{Path, PathBuf};
use std::process::Output;
use std::time::Duration;

use rustix::process::Signal;
use serde_json::{Value, json};

use crate::client::{Conn, Got};
use crate::exchange::{Server, ask, bourse, eventually, succeed};
use crate::money_math::{cost, nanos};

fn configured(dir: &Path, listen: &str) -> PathBuf {
    let config = dir.join("bourse.toml");
    let text = format!(
        "[server]\nlisten = \"{listen}\"\ndata_dir = {:?}\nworkers = 2\n",
        dir.join("data")
    );
    std::fs::write(&config, text).unwrap();
    config
}

fn printed(server: &Server, what: &str) -> String {
    let out = server.out.lock().unwrap().clone();
    let line = out.lines().find(|line| line.trim_start().starts_with(what));
    let line = line.unwrap_or_else(|| panic!("{what}: {out}"));
    line.split_whitespace().last().unwrap().to_owned()
}

fn chat(server: &Server, key: &str) -> Got {
    let mut conn = Conn::open(server.address);
    let body = ask(json!({"model": "openai/gpt-4o-mini", "max_tokens": 20, "provider": {}}));
    conn.request(
        "POST",
        "/api/v1/chat/completions",
        &format!("authorization: Bearer {key}\r\n"),
        body.to_string().as_bytes(),
    );
    conn.receive()
}

fn run(config: &Path, args: &[&str]) -> String {
    succeed(bourse().args(args).arg("--config").arg(config))
}

fn balance(config: &Path) -> (i128, i128) {
    let rows: Value = serde_json::from_str(&run(config, &["credit", "list", "--json"])).unwrap();
    let amount = |name: &str| nanos(rows[0][name].as_str().unwrap());
    (amount("granted"), amount("spent"))
}

#[test]
fn the_first_start_shows_two_keys_once_and_a_restart_keeps_the_money() {
    let dir = tempfile::tempdir().unwrap();
    let config = configured(dir.path(), "127.0.0.1:0");
    let mut server = Server::start(&config, &[]);
    let (key, management) = (
        printed(&server, "API key"),
        printed(&server, "management key"),
    );
    assert!(key.starts_with("sk-bourse-v1-"), "{key}");
    assert!(management.starts_with("sk-bourse-mgmt-"), "{management}");

    // Nothing is configured, so answers are simulated, and say so.
    let got = chat(&server, &key);
    assert_eq!(got.header("x-bourse-simulated"), Some("true"));
    let mut spent = cost(&got.answer()["usage"]);
    assert!(server.log().contains("simulated"));
    chat(&server, &management).error(403);
    server.stop();
    assert!(!server.log().contains(&key));
    assert_eq!(balance(&config), (nanos("10"), spent));

    let mut server = Server::start(&config, &[]);
    assert!(!server.log().contains("the journal was replayed"));
    let out = server.out.lock().unwrap().clone();
    assert!(!out.contains("sk-bourse-"), "{out}");
    spent += cost(&chat(&server, &key).answer()["usage"]);
    server.stop();
    assert_eq!(balance(&config), (nanos("10"), spent));
    assert!(run(&config, &["ledger", "verify"]).contains("balance to the nano-dollar"));
}

/// A server that dies between making the first keys and showing them must
/// not lock its operator out.
#[test]
fn a_first_start_that_was_cut_short_is_repeated_with_new_keys() {
    let dir = tempfile::tempdir().unwrap();
    let config = configured(dir.path(), "127.0.0.1:0");
    let mut server = Server::start(&config, &[]);
    let lost = printed(&server, "API key");
    server.stop();
    let marker = dir.path().join("data").join("first-start");
    assert!(!marker.exists());

    // As a kill just before the output leaves it.
    std::fs::write(&marker, "").unwrap();
    let mut server = Server::start(&config, &[]);
    let key = printed(&server, "API key");
    assert_ne!(key, lost);
    chat(&server, &lost).error(401);
    let spent = cost(&chat(&server, &key).answer()["usage"]);
    server.stop();
    assert!(!marker.exists());
    // The starting credit is given once.
    assert_eq!(balance(&config), (nanos("10"), spent));

    // As a kill before anything else leaves it.
    let empty = tempfile::tempdir().unwrap();
    let config = configured(empty.path(), "127.0.0.1:0");
    std::fs::create_dir(empty.path().join("data")).unwrap();
    std::fs::write(empty.path().join("data").join("first-start"), "").unwrap();
    let mut server = Server::start(&config, &[]);
    let key = printed(&server, "API key");
    chat(&server, &key).answer();
    server.stop();
}

#[test]
fn the_printed_request_works_as_printed() {
    let dir = tempfile::tempdir().unwrap();
    let config = configured(dir.path(), "127.0.0.1:0");
    let mut server = Server::start(&config, &[]);
    // It comes after the address that the server was seen to start by.
    let line = eventually("the request to be printed", || {
        let out = server.out.lock().unwrap();
        let mut lines = out.lines().map(str::trim);
        lines
            .find(|line| line.starts_with("curl"))
            .map(str::to_owned)
    });
    let answered = std::process::Command::new("sh")
        .args(["-c", &line])
        .env("no_proxy", "*")
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&answered.stdout).into_owned();
    let reply: Value = serde_json::from_str(&text).unwrap_or_else(|e| panic!("{e}: {text}"));
    assert!(
        reply["choices"][0]["message"]["content"].is_string(),
        "{reply}"
    );
    server.stop();
}

#[test]
fn without_a_terminal_the_first_keys_go_into_a_file_that_stays_until_it_may_go() {
    use std::os::unix::fs::PermissionsExt as _;
    let dir = tempfile::tempdir().unwrap();
    let config = configured(dir.path(), "127.0.0.1:0");
    let mut server = Server::start(&config, &[("BOURSE_SERVER__PRINT_FIRST_KEYS", "false")]);
    let line = eventually("the request to be printed", || {
        let out = server.out.lock().unwrap();
        let mut lines = out.lines().map(str::trim);
        lines
            .find(|line| line.starts_with("curl"))
            .map(str::to_owned)
    });
    let path = dir.path().join("data").join("first-keys");
    let mode = std::fs::metadata(&path).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let out = server.out.lock().unwrap().clone() + &server.log();
    assert!(!out.contains("sk-bourse-"), "{out}");
    assert!(server.log().contains("bourse key first"), "{out}");
    // What is printed reads the file, and works as it is.
    let answered = std::process::Command::new("sh")
        .args(["-c", &line])
        .env("no_proxy", "*")
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&answered.stdout).into_owned();
    assert!(text.contains("\"choices\""), "{line}: {text}");
    let keys: Value = serde_json::from_str(&run(&config, &["key", "first", "--json"])).unwrap();
    chat(&server, keys["api_key"].as_str().unwrap()).answer();
    server.stop();

    let mut server = Server::start(&config, &[]);
    assert!(server.log().contains("first keys are still in a file"));
    assert!(run(&config, &["key", "first", "--forget"]).contains("is removed"));
    assert!(!path.exists());
    chat(&server, keys["api_key"].as_str().unwrap()).answer();
    server.stop();
}

#[test]
fn two_workers_share_the_port_that_the_system_picked() {
    let dir = tempfile::tempdir().unwrap();
    let config = configured(dir.path(), "127.0.0.1:0");
    let mut server = Server::start(&config, &[]);
    let inodes = std::fs::read_to_string("/proc/net/tcp").unwrap();
    let port = format!(":{:04X} 00000000:0000 0A", server.address.port());
    assert_eq!(inodes.matches(&port).count(), 2, "listeners");
    server.stop();
}

fn refused(output: &Output) -> String {
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let said = String::from_utf8(output.stderr.clone()).unwrap();
    assert!(!said.contains("panicked"), "{said}");
    said
}

/// Whatever the shell of whoever starts it allows.
#[test]
fn the_data_directory_is_its_users_alone_under_any_umask_and_after_an_upgrade() {
    use std::os::unix::fs::PermissionsExt as _;
    fn modes(path: &Path, found: &mut Vec<(PathBuf, u32)>) {
        let mode = std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
        found.push((path.to_owned(), mode));
        if path.is_dir() {
            for entry in std::fs::read_dir(path).unwrap() {
                modes(&entry.unwrap().path(), found);
            }
        }
    }
    let dir = tempfile::tempdir().unwrap();
    let config = configured(dir.path(), "127.0.0.1:0");
    let data = dir.path().join("data");
    let check = || {
        let mut found = Vec::new();
        modes(&data, &mut found);
        for (path, mode) in &found {
            let wanted = if path.is_dir() { 0o700 } else { 0o600 };
            assert_eq!(mode & !wanted, 0, "{}: {mode:o}", path.display());
        }
        found.len()
    };
    let start = || {
        let program = bourse();
        let mut shell = std::process::Command::new("sh");
        shell
            .env_clear()
            .args(["-c", "umask 000; exec \"$0\" serve --config \"$1\""]);
        shell.arg(program.get_program()).arg(&config);
        Server::run(&mut shell)
    };
    let mut server = start();
    let key = printed(&server, "API key");
    chat(&server, &key).answer();
    assert!(check() >= 5);
    server.stop();
    // As a release before left it.
    let mut found = Vec::new();
    modes(&data, &mut found);
    for (path, mode) in found {
        let wide = std::fs::Permissions::from_mode(mode | 0o055);
        std::fs::set_permissions(&path, wide).unwrap();
    }
    let mut server = start();
    check();
    assert!(
        server.log().contains("other users could read"),
        "{}",
        server.log()
    );
    server.stop();
}

#[test]
fn a_second_server_is_refused_and_changes_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let config = configured(dir.path(), "127.0.0.1:0");
    let mut server = Server::start(&config, &[]);
    let key = printed(&server, "API key");
    // The same directory.
    let again = bourse()
        .arg("serve")
        .arg("--config")
        .arg(&config)
        .output()
        .unwrap();
    let said = refused(&again);
    assert!(said.contains("data"), "{said}");
    // The same port.
    let other = tempfile::tempdir().unwrap();
    let taken = configured(
        other.path(),
        &format!("127.0.0.1:{}", server.address.port()),
    );
    let output = bourse()
        .arg("serve")
        .arg("--config")
        .arg(&taken)
        .spawn_and_wait(Duration::from_secs(5));
    if let Some(output) = output {
        let said = refused(&output);
        assert!(said.contains("listen"), "{said}");
    } else {
        panic!("a second server shares the port of the first");
    }
    chat(&server, &key).answer();
    server.stop();
}

#[test]
fn a_mistake_in_the_configuration_is_named_with_file_and_line() {
    let dir = tempfile::tempdir().unwrap();
    let config = dir.path().join("bourse.toml");
    std::fs::write(&config, "[server]\nlisten = \"127.0.0.1:0\"\nport = 80\n").unwrap();
    for command in ["serve", "check"] {
        let output = bourse()
            .arg(command)
            .arg("--config")
            .arg(&config)
            .output()
            .unwrap();
        let said = refused(&output);
        assert!(
            said.contains("bourse.toml:3:") && said.contains("port"),
            "{said}"
        );
    }
    let output = bourse().arg("serv").output().unwrap();
    assert_eq!(output.status.code(), Some(2));
}

#[test]
fn a_damaged_journal_end_is_survived() {
    let dir = tempfile::tempdir().unwrap();
    let config = configured(dir.path(), "127.0.0.1:0");
    let mut server = Server::start(&config, &[]);
    let key = printed(&server, "API key");
    let mut spent = cost(&chat(&server, &key).answer()["usage"]);
    server.signal(Signal::KILL);
    server.child.wait().unwrap();
    // As if the power had gone in the middle of a write.
    let mut segments: Vec<_> = std::fs::read_dir(dir.path().join("data/spool"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.is_file())
        .collect();
    segments.sort();
    println!("{segments:?}");
    let mut server = Server::start(&config, &[]);
    spent += cost(&chat(&server, &key).answer()["usage"]);
    server.stop();
    assert_eq!(balance(&config).1, spent);
    run(&config, &["ledger", "verify"]);
}

/// Waiting for a command that ought to fail at once.
trait SpawnAndWait {
    fn spawn_and_wait(&mut self, patience: Duration) -> Option<Output>;
}

impl SpawnAndWait for std::process::Command {
    fn spawn_and_wait(&mut self, patience: Duration) -> Option<Output> {
        use std::process::Stdio;
        let mut child = self
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let end = std::time::Instant::now() + patience;
        while std::time::Instant::now() < end {
            if child.try_wait().unwrap().is_some() {
                return Some(child.wait_with_output().unwrap());
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        let _ = child.kill();
        let _ = child.wait();
        None
    }
}

/// Whoever is on the way to a price list could set every price.
#[test]
fn a_price_list_is_fetched_over_https_alone() {
    let dir = tempfile::tempdir().unwrap();
    let config = configured(dir.path(), "127.0.0.1:0");
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let address = listener.local_addr().unwrap();
    for command in ["diff", "sync"] {
        for scheme in ["http", "HTTP", "ftp", "file"] {
            let url = format!("{scheme}://{address}/prices.json");
            let output = bourse()
                .args(["catalog", command, &url, "--format", "litellm"])
                .arg("--config")
                .arg(&config)
                .output()
                .unwrap();
            assert_eq!(output.status.code(), Some(1), "{command} {url}");
            let said = String::from_utf8(output.stderr).unwrap();
            assert!(said.contains("only https"), "{command} {url}: {said}");
        }
    }
    assert!(listener.accept().is_err(), "nobody has called");
}

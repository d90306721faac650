//! What an operator does from the shell: data, keys, accounts, credit.

use std::io::Write as _;
use std::path::Path;
use std::process::Output;

use bourse_sim::Script;
use serde_json::{Value, json};

use crate::exchange::{Exchange, Server, bourse, eventually, succeed};

/// Runs a command in a directory of its own; says how it ended and what it
/// complained about.
fn run_in(dir: &Path, args: &[&str]) -> (Option<i32>, String) {
    let Output { status, stderr, .. } = bourse().current_dir(dir).args(args).output().unwrap();
    (status.code(), String::from_utf8(stderr).unwrap())
}

fn refused(exchange: &Exchange, args: &[&str]) -> String {
    let output = bourse()
        .args(args)
        .arg("--config")
        .arg(&exchange.config)
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1), "{args:?}");
    String::from_utf8(output.stderr).unwrap()
}

fn json_of(exchange: &Exchange, args: &[&str]) -> Value {
    serde_json::from_str(&exchange.command(args)).unwrap()
}

/// A status that the running server gives for a key, in time.
fn becomes(exchange: &Exchange, key: &str, status: u16) {
    eventually("the running server to go by the change", || {
        (exchange.chat_as(key, json!({})).status == status).then_some(())
    });
}

#[test]
fn no_command_makes_data_where_there_is_none_but_init() {
    let dir = tempfile::tempdir().unwrap();
    for args in [
        &["key", "list"][..],
        &["key", "create", "--quiet"],
        &["credit", "list"],
        &["account", "create", "x"],
        &["batch", "list"],
        &["ledger", "verify"],
        &["ledger", "export"],
        &["schema", "status"],
    ] {
        let (status, said) = run_in(dir.path(), args);
        assert_eq!(status, Some(2), "{args:?}: {said}");
        let here = dir.path().canonicalize().unwrap();
        assert!(
            said.contains("no Bourse data in data") && said.contains(here.to_str().unwrap()),
            "{args:?}: {said}"
        );
        assert_eq!(
            std::fs::read_dir(dir.path()).unwrap().count(),
            0,
            "{args:?}"
        );
    }
    // Nor does looking at the machine.
    assert_eq!(run_in(dir.path(), &["doctor"]).0, Some(1));
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);

    let (status, said) = run_in(dir.path(), &["init", "--yes", "--provider", "openai"]);
    assert_eq!((status, said.as_str()), (Some(0), ""));
    let written = std::fs::read_to_string(dir.path().join("bourse.toml")).unwrap();
    assert!(written.contains("[providers.openai]"), "{written}");
    assert_eq!(run_in(dir.path(), &["check"]).0, Some(0));
    assert_eq!(run_in(dir.path(), &["key", "list"]).0, Some(0));
    assert_eq!(run_in(dir.path(), &["ledger", "verify"]).0, Some(0));
    let (status, said) = run_in(dir.path(), &["backup", "copy"]);
    assert_eq!(status, Some(0), "before any server: {said}");
    // Again: nothing is written over.
    std::fs::write(dir.path().join("bourse.toml"), "# mine\n").unwrap();
    assert_eq!(run_in(dir.path(), &["init", "--yes"]).0, Some(0));
    let kept = std::fs::read_to_string(dir.path().join("bourse.toml")).unwrap();
    assert_eq!(kept, "# mine\n");
}

#[test]
fn tables_of_an_earlier_version_are_left_to_serve_and_init() {
    let dir = tempfile::tempdir().unwrap();
    assert_eq!(run_in(dir.path(), &["init", "--yes"]).0, Some(0));
    let (status, said) = run_in(dir.path(), &["schema", "down", "--one", "--lose-data"]);
    assert_eq!(status, Some(0), "{said}");
    let (status, said) = run_in(dir.path(), &["key", "list"]);
    assert_eq!(status, Some(2));
    assert!(
        said.contains("earlier version") && said.contains("schema plan"),
        "{said}"
    );
    assert_eq!(run_in(dir.path(), &["init", "--yes"]).0, Some(0));
    assert_eq!(run_in(dir.path(), &["key", "list"]).0, Some(0));
}

#[test]
fn keys_are_changed_switched_rotated_and_deleted_beside_a_running_server() {
    let exchange = Exchange::single(Script::default());
    let made = json_of(&exchange, &["key", "create", "--json", "--name", "ci"]);
    let key = made["key"].as_str().unwrap();
    exchange.chat_as(key, json!({})).answer();

    exchange.command(&["key", "disable", "ci"]);
    becomes(&exchange, key, 401);
    exchange.command(&["key", "enable", made["label"].as_str().unwrap()]);
    becomes(&exchange, key, 200);

    let args = [
        "key",
        "set",
        "ci",
        "--limit",
        "0",
        "--limit-reset",
        "daily",
        "--json",
    ];
    let changed = json_of(&exchange, &args);
    assert_eq!(
        (&changed["limit"], &changed["limit_reset"]),
        (&json!("0"), &json!("daily"))
    );
    becomes(&exchange, key, 402);
    let hash = made["hash"].as_str().unwrap();
    let args = [
        "key",
        "set",
        &hash[..12],
        "--limit",
        "none",
        "--name",
        "ci 2",
        "--expires",
        "1h",
    ];
    exchange.command(&args);
    becomes(&exchange, key, 200);
    let shown = json_of(&exchange, &["key", "show", "ci 2", "--json"]);
    assert_eq!(
        (&shown["limit"], &shown["state"]),
        (&Value::Null, &json!("active"))
    );
    assert!(shown["expires_at"].is_string(), "{shown}");

    let new = json_of(&exchange, &["key", "rotate", "ci 2", "--json"]);
    becomes(&exchange, key, 401);
    let key = new["key"].as_str().unwrap();
    becomes(&exchange, key, 200);
    assert_eq!(new["replaces"], hash);
    let again = json_of(
        &exchange,
        &["key", "rotate", "ci 2", "--grace", "1h", "--json"],
    );
    let both = refused(&exchange, &["key", "delete", "ci 2", "--yes"]);
    assert!(both.contains("2 keys are called `ci 2`"), "{both}");
    // The old one has its time.
    exchange.chat_as(key, json!({})).answer();
    let newest = again["key"].as_str().unwrap();
    becomes(&exchange, newest, 200);
    exchange.command(&["key", "delete", again["hash"].as_str().unwrap(), "--yes"]);
    becomes(&exchange, newest, 401);
    exchange.close();
}

#[test]
fn what_is_left_of_a_limit_goes_to_the_key_in_its_place() {
    let exchange = Exchange::single(Script::default());
    let args = ["key", "create", "--json", "--name", "poor", "--limit", "1"];
    let made = json_of(&exchange, &args);
    exchange
        .chat_as(made["key"].as_str().unwrap(), json!({}))
        .answer();
    let spent = || json_of(&exchange, &["key", "show", "poor", "--json"])["usage"].clone();
    let spent = eventually("the call in the database", || {
        Some(spent()).filter(|spent| spent != "0")
    });
    let spent: f64 = spent.as_str().unwrap().parse().unwrap();
    // Two keys with the same rest would be twice the rest.
    let both = refused(&exchange, &["key", "rotate", "poor", "--grace", "1h"]);
    assert!(both.contains("both keys could spend"), "{both}");
    exchange.command(&["key", "rotate", "poor"]);
    let shown = json_of(&exchange, &["key", "show", "poor", "--json"]);
    let limit: f64 = shown["limit"].as_str().unwrap().parse().unwrap();
    assert!((limit + spent - 1.0).abs() < 1e-9, "{limit} {spent}");
    exchange.close();
}

#[test]
fn an_account_has_keys_and_money_of_its_own() {
    let exchange = Exchange::single(Script::default());
    exchange.command(&["account", "create", "research"]);
    assert!(refused(&exchange, &["account", "create", "research"]).contains("exists already"));
    let args = ["key", "create", "--quiet", "--account", "research"];
    let key = exchange.command(&args).trim().to_owned();
    becomes(&exchange, &key, 402);
    let args = [
        "credit",
        "grant",
        "--usd",
        "2",
        "--account",
        "research",
        "--reference",
        "r-1",
    ];
    assert!(exchange.command(&args).contains("2 USD left"));
    becomes(&exchange, &key, 200);
    let again = exchange.command(&args);
    assert!(
        again.contains("`r-1` was booked before; nothing changed"),
        "{again}"
    );
    let more = [
        "credit",
        "grant",
        "--usd",
        "3",
        "--account",
        "research",
        "--reference",
        "r-1",
    ];
    assert!(refused(&exchange, &more).contains("exists already"));

    let below = ["credit", "grant", "--usd=-5", "--account", "research"];
    let why = refused(&exchange, &below);
    assert!(
        why.contains("--below-zero") && why.contains("Nothing was changed"),
        "{why}"
    );
    let history = ["credit", "history", "--account", "research", "--json"];
    assert_eq!(json_of(&exchange, &history).as_array().unwrap().len(), 1);
    exchange.command(&[&below[..], &["--below-zero"]].concat());
    let rows = json_of(&exchange, &history);
    assert_eq!(rows[0]["amount"], "-5");
    assert_eq!(rows[1]["reference"], "r-1");
    becomes(&exchange, &key, 402);
    exchange.close();
}

#[test]
fn what_cannot_be_meant_is_refused_with_the_remedy() {
    let exchange = Exchange::single(Script::default());
    for (args, wanted) in [
        (&["key", "create", "--limit", "0"][..], "--yes"),
        (&["key", "show", "nobody"], "bourse key list"),
        (&["key", "set", "key"], "--limit-reset"),
        (
            &["key", "create", "--account", "nobody"],
            "bourse account create",
        ),
        (&["account", "create", "a\nb"], "cannot be seen"),
    ] {
        let why = refused(&exchange, args);
        assert!(why.contains(wanted), "{args:?}: {why}");
    }
    exchange.finish(0);
}

/// A name that steers a terminal reaches none.
#[test]
fn names_are_spelled_where_they_would_colour_or_break_the_table() {
    let exchange = Exchange::single(Script::default());
    exchange.command(&["key", "create", "--quiet", "--name", "a\u{1b}[31m\u{202e}b"]);
    let listed = exchange.command(&["key", "list"]);
    assert!(
        !listed.contains('\u{1b}') && !listed.contains('\u{202e}'),
        "{listed}"
    );
    assert!(listed.contains("\\u{1b}[31m"), "{listed}");
    exchange.finish(0);
}

#[test]
fn output_that_cannot_be_written_is_a_failure() {
    let exchange = Exchange::single(Script::default());
    let full = std::fs::OpenOptions::new()
        .write(true)
        .open("/dev/full")
        .unwrap();
    let output = bourse()
        .args(["key", "list", "--config"])
        .arg(&exchange.config)
        .stdout(full)
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1));
    exchange.finish(0);
}

#[test]
fn shells_complete_it_and_man_has_a_page_for_each_command() {
    for shell in ["bash", "zsh", "fish"] {
        let script = succeed(bourse().args(["completions", shell]));
        assert!(
            script.contains("history") && script.contains("rotate"),
            "{shell}"
        );
    }
    let dir = tempfile::tempdir().unwrap();
    succeed(bourse().args(["man", "--dir"]).arg(dir.path()));
    let pages = std::fs::read_dir(dir.path()).unwrap();
    let pages: Vec<_> = pages.map(|page| page.unwrap().file_name()).collect();
    for page in ["bourse.1", "bourse-serve.1", "bourse-key-rotate.1"] {
        assert!(pages.iter().any(|known| known == page), "{page}: {pages:?}");
    }
}

/// A unit that lost its environment must not go on in invented words.
#[test]
fn simulated_providers_never_follow_real_ones_by_accident() {
    let dir = tempfile::tempdir().unwrap();
    let config = dir.path().join("bourse.toml");
    let write = |more: &str| {
        let data = dir.path().join("data");
        let text =
            format!("[server]\nlisten = \"127.0.0.1:0\"\nworkers = 1\ndata_dir = {data:?}\n{more}");
        std::fs::write(&config, text).unwrap();
    };
    write("");
    Server::start(&config, &[]).stop();
    write("");
    Server::start(&config, &[]).stop();
    write("[providers.openai]\napi_key = \"sk-x\"\n");
    Server::start(&config, &[]).stop();

    write("");
    let output = bourse()
        .args(["serve", "--config"])
        .arg(&config)
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1));
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(
        said.contains("has served real ones") && said.contains("server.simulate = true"),
        "{said}"
    );
    write("simulate = true\n");
    let mut server = Server::start(&config, &[]);
    assert!(server.log().contains("simulated"));
    server.stop();
}

/// A copy of the database alone would lose what waits in the journal.
#[test]
fn a_backup_made_under_load_is_restored_with_balanced_books() {
    let exchange = Exchange::single(Script::default());
    let dir = tempfile::tempdir().unwrap();
    let to = dir.path().join("backup");
    let calls = std::sync::atomic::AtomicBool::new(true);
    let backup = std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                while calls.load(std::sync::atomic::Ordering::Relaxed) {
                    exchange.chat(json!({})).answer();
                }
            });
        }
        exchange.chat(json!({})).answer();
        let backup = json_of(&exchange, &["backup", to.to_str().unwrap(), "--json"]);
        calls.store(false, std::sync::atomic::Ordering::Relaxed);
        backup
    });
    assert_eq!(backup["balanced"], true, "{backup}");
    let again = bourse()
        .args(["backup", to.to_str().unwrap(), "--config"])
        .arg(&exchange.config)
        .output()
        .unwrap();
    assert_eq!(again.status.code(), Some(2), "a backup is not written over");

    let config = dir.path().join("bourse.toml");
    let data = dir.path().join("restored");
    let text = format!("[server]\nlisten = \"127.0.0.1:0\"\nworkers = 1\ndata_dir = {data:?}\n");
    std::fs::write(&config, text).unwrap();
    let restore = |expected: i32| {
        let output = bourse()
            .arg("restore")
            .arg(&to)
            .arg("--config")
            .arg(&config)
            .output();
        let output = output.unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(expected), "{said}");
        said
    };
    restore(0);
    assert!(restore(2).contains("has something in it"));
    let report = succeed(
        bourse()
            .args(["ledger", "verify", "--json", "--config"])
            .arg(&config),
    );
    let report: Value = serde_json::from_str(&report).unwrap();
    assert_eq!(report["balanced"], true, "{report}");
    assert!(
        report["generations"].as_u64() >= backup["calls"].as_u64(),
        "{report}"
    );

    // A server goes on from it, and has what waited in the journal.
    std::fs::write(data.join("providers"), "simulated\n").unwrap();
    let mut server = Server::start(&config, &[]);
    server.stop();
    succeed(bourse().args(["ledger", "verify", "--config"]).arg(&config));

    // One byte is enough to be refused, and so is a list that never came.
    std::fs::remove_dir_all(&data).unwrap();
    let database = to.join("bourse.db");
    let mut bytes = std::fs::read(&database).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(&database, bytes).unwrap();
    assert!(restore(1).contains("is not the file that was backed up"));
    std::fs::remove_file(to.join("backup.json")).unwrap();
    assert!(restore(1).contains("no whole backup"));
    assert!(!data.exists());
    exchange.close();
}

/// Into a pipe and out of one, with nothing left beside the data; an archive
/// that was cut short, or that leads elsewhere, is none.
#[test]
fn a_backup_goes_through_a_pipe() {
    let exchange = Exchange::single(Script::default());
    exchange.chat(json!({})).answer();
    let made = bourse()
        .args(["backup", "-", "--config"])
        .arg(&exchange.config)
        .output()
        .unwrap();
    let said = String::from_utf8(made.stderr).unwrap();
    assert!(made.status.success(), "{said}");
    assert!(said.contains("the books balance"), "{said}");
    let archive = made.stdout;

    let dir = tempfile::tempdir().unwrap();
    let config = dir.path().join("bourse.toml");
    let data = dir.path().join("restored");
    let text = format!("[server]\nlisten = \"127.0.0.1:0\"\nworkers = 1\ndata_dir = {data:?}\n");
    std::fs::write(&config, text).unwrap();
    let restore = |archive: &[u8]| {
        let mut child = bourse()
            .args(["restore", "-", "--config"])
            .arg(&config)
            .stdin(std::process::Stdio::piped())
            .stderr(std::process::Stdio::piped())
            .stdout(std::process::Stdio::null())
            .spawn()
            .unwrap();
        // One that refuses it at its beginning reads no further.
        let _ = child.stdin.take().unwrap().write_all(archive);
        let output = child.wait_with_output().unwrap();
        (
            output.status.code(),
            String::from_utf8(output.stderr).unwrap(),
        )
    };
    let (status, said) = restore(&archive[..archive.len() / 2]);
    assert_eq!(status, Some(1), "{said}");
    let mut leads = archive.clone();
    let outside = b"../outside\0";
    leads[..outside.len()].copy_from_slice(outside);
    // The sum of the first head, its own field taken for blanks (POSIX.1-1988).
    leads[148..156].fill(b' ');
    let sum: u32 = leads[..512].iter().map(|byte| u32::from(*byte)).sum();
    leads[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    let (status, said) = restore(&leads);
    assert_eq!(status, Some(1), "{said}");
    assert!(said.contains("leads elsewhere"), "{said}");
    assert!(!dir.path().join("outside").exists());
    let (status, said) = restore(&archive);
    assert_eq!(status, Some(0), "{said}");
    let mut left: Vec<_> = std::fs::read_dir(dir.path())
        .unwrap()
        .map(|entry| entry.unwrap().file_name())
        .collect();
    left.sort();
    assert_eq!(left, ["bourse.toml", "restored"]);
    succeed(bourse().args(["ledger", "verify", "--config"]).arg(&config));
    exchange.close();
}

//! `bourse top` beside a running server, also on a terminal: that of tmux.

use std::process::{Command, Output};

use bourse_sim::Script;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};

use crate::exchange::{DEAR, Exchange, bourse, eventually, script, succeed};

/// A server whose cheap provider is at its limit, and whose dear one has
/// answered; with a management key.
fn asked_once() -> (Exchange, String) {
    let limited = json!({"error_status": 429, "retry_after": {"seconds": 60}});
    let exchange = Exchange::pair(script(limited));
    exchange.chat(json!({})).answer();
    let key = exchange.command(&["key", "create", "--management", "--quiet"]);
    (exchange, key.trim().to_owned())
}

fn top(exchange: &Exchange, key: &str, more: &[&str]) -> Command {
    let mut command = bourse();
    command.args(["top", "--server", &server(exchange), "--key", key]);
    command.args(more).arg("--config").arg(&exchange.config);
    command
}

fn server(exchange: &Exchange) -> String {
    format!("http://{}", exchange.server.address)
}

fn refused(output: &Output) -> String {
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    String::from_utf8(output.stderr.clone()).unwrap()
}

#[test]
fn one_look_is_json_whose_members_are_these_or_a_table_without_colours() {
    let (exchange, key) = asked_once();
    let json = ["--once", "--json", "--sort", "endpoint"];
    let told: Value = serde_json::from_str(&succeed(&mut top(&exchange, &key, &json))).unwrap();
    let names = |value: &Value| {
        let members = value.as_object().unwrap().keys();
        members.map(String::as_str).collect::<Vec<_>>().join(" ")
    };
    assert_eq!(
        names(&told),
        "at_ms endpoints interval_ms server simulated totals"
    );
    assert_eq!(
        names(&told["totals"]),
        "asked broken calls_in_flight calls_limit calls_per_s calls_waiting charge_usd_per_min \
         continuations cost_usd_per_min database_away_s database_behind_s delay_us drains \
         failed_per_s hedges holds_open journal_bytes resting shed_per_s sheds targets \
         tokens_per_s trouble"
    );
    let counted = |name: &str| names(&told["totals"][name]);
    assert_eq!(counted("sheds"), "account key overload queue wait");
    assert_eq!(counted("hedges"), "first none second");
    assert_eq!(counted("continuations"), "no yes");
    let [cheap, dear] = &told["endpoints"].as_array().unwrap()[..] else {
        panic!("{told}");
    };
    assert_eq!(
        names(cheap),
        "answer_tokens_per_s cost_usd_per_min credentials endpoint errors_per_s \
         first_content_ms in_flight model provider rate_limited_per_s requests_per_s state \
         tokens_per_s"
    );
    assert_eq!(
        (&cheap["provider"], &cheap["state"]),
        (&json!("cheap"), &json!("rest"))
    );
    assert_eq!(
        (&dear["provider"], &dear["state"]),
        (&json!("dear"), &json!("ok"))
    );
    let rest_ms = cheap["credentials"][0]["rest_ms"].as_u64().unwrap();
    assert!((1..=60_000).contains(&rest_ms), "{told}");
    assert!(dear["first_content_ms"]["p99"].is_u64(), "{told}");
    assert_eq!(told["totals"]["resting"], 1);
    assert!(told["interval_ms"].as_u64() >= Some(1_000), "{told}");

    let table = succeed(&mut top(&exchange, &key, &["--once", "--filter", "@dear"]));
    assert!(table.contains("acme/chat@dear"), "{table}");
    assert!(!table.contains("acme/chat@cheap"), "{table}");
    assert!(!table.contains('\u{1b}'), "{table}");
    let paid = exchange.worth(DEAR);
    exchange.finish(paid);
}

#[test]
fn who_may_not_look_or_has_nothing_to_look_at_is_told_so() {
    let exchange = Exchange::single(Script::default());
    let wrong_kind = top(&exchange, &exchange.key, &["--once"]).output().unwrap();
    let error = refused(&wrong_kind);
    assert!(error.contains("answered 403"), "{error}");
    // Not on a terminal, and not asked for one table.
    let key = exchange.command(&["key", "create", "--management", "--quiet"]);
    let error = refused(&top(&exchange, key.trim(), &[]).output().unwrap());
    assert!(error.contains("--once"), "{error}");
    let mut nobody = bourse();
    nobody.args([
        "top",
        "--once",
        "--key",
        "sk",
        "--server",
        "http://127.0.0.1:9",
    ]);
    let error = refused(&nobody.output().unwrap());
    assert!(error.contains("no server answers there"), "{error}");
    let error = refused(&bourse().args(["top", "--once"]).output().unwrap());
    assert!(error.contains("BOURSE_MANAGEMENT_KEY"), "{error}");
    exchange.finish(0);
}

/// A terminal of its own: a server of tmux with one window.
struct Tmux {
    socket: String,
}

impl Tmux {
    fn run(&self, args: &[&str]) -> Output {
        let mut command = Command::new("tmux");
        command
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap());
        command
            .args(["-u", "-f", "/dev/null", "-S", &self.socket])
            .args(args);
        command
            .output()
            .expect("tmux, which scripts/setup.sh installs")
    }

    fn start(directory: &std::path::Path, command: &str) -> Self {
        let socket = directory.join("tmux").display().to_string();
        let tmux = Self { socket };
        let started = tmux.run(&["new-session", "-d", "-x", "140", "-y", "30", command]);
        assert!(started.status.success(), "{started:?}");
        tmux
    }

    fn press(&self, keys: &[&str]) {
        let sent = self.run(&[&["send-keys"], keys].concat());
        assert!(sent.status.success(), "{sent:?}");
    }

    /// Waits until the screen is as it should be.
    fn until(&self, what: &str, is_it: impl Fn(&str) -> bool) {
        eventually(what, || {
            let screen = self.run(&["capture-pane", "-p"]).stdout;
            is_it(&String::from_utf8(screen).unwrap()).then_some(())
        });
    }
}

impl Drop for Tmux {
    fn drop(&mut self) {
        // Nothing is left of it where the test has gone well.
        let _ = self.run(&["kill-server"]);
    }
}

#[test]
fn the_live_view_on_a_terminal_obeys_keys_follows_its_size_and_gives_the_terminal_back() {
    let (exchange, key) = asked_once();
    let line = format!(
        "{} top --server {} --key {key} --config {}; echo ended with $?; cat",
        env!("CARGO_BIN_EXE_bourse"),
        server(&exchange),
        exchange.config.display()
    );
    let tmux = Tmux::start(exchange.dir.path(), &line);
    let both =
        |screen: &str| screen.contains("acme/chat@cheap") && screen.contains("acme/chat@dear");
    tmux.until("both endpoints", |screen| {
        both(screen) && screen.contains("rest ") && screen.contains("sorted by REQ/S")
    });
    tmux.press(&["S"]);
    tmux.until("another order", |screen| screen.contains("sorted by STATE"));
    tmux.press(&["/", "d", "e", "a", "r", "Enter"]);
    tmux.until("the filter", |screen| {
        screen.contains("acme/chat@dear") && !screen.contains("acme/chat@cheap")
    });
    tmux.press(&["Escape"]);
    tmux.until("both again", both);
    // What is not visible any more is the last of the columns.
    assert!(
        tmux.run(&["resize-window", "-x", "60", "-y", "12"])
            .status
            .success()
    );
    tmux.until("a small screen", |screen| {
        both(screen) && !screen.contains("$/MIN\n")
    });
    assert!(
        tmux.run(&["resize-window", "-x", "140", "-y", "30"])
            .status
            .success()
    );
    tmux.until("a large screen", |screen| {
        both(screen) && screen.contains("$/MIN\n")
    });
    tmux.press(&["q"]);
    tmux.until("its end", |screen| {
        screen.contains("ended with 0") && !screen.contains("acme/chat")
    });
    let paid = exchange.worth(DEAR);
    exchange.finish(paid);
}

#[test]
fn a_signal_ends_the_live_view_and_the_terminal_is_as_it_was() {
    let (exchange, key) = asked_once();
    let pid_file = exchange.dir.path().join("pid");
    for (signal, status) in [(Signal::TERM, 143), (Signal::INT, 130)] {
        let line = format!(
            "sh -c 'echo $$ > {}; exec {} top --server {} --key {key} --config {}'; \
             echo ended with $?; stty -a | tr ' ;' '\n\n' | grep -x -e icanon -e echo; cat",
            pid_file.display(),
            env!("CARGO_BIN_EXE_bourse"),
            server(&exchange),
            exchange.config.display()
        );
        let directory = tempfile::tempdir().unwrap();
        let tmux = Tmux::start(directory.path(), &line);
        tmux.until("the view", |screen| screen.contains("acme/chat@cheap"));
        let pid = std::fs::read_to_string(&pid_file).unwrap();
        let pid = Pid::from_raw(pid.trim().parse().unwrap()).unwrap();
        kill_process(pid, signal).unwrap();
        tmux.until("the terminal as it was", |screen| {
            let has = |what: &str| screen.lines().any(|line| line == what);
            has(&format!("ended with {status}"))
                && has("icanon")
                && has("echo")
                && !screen.contains("acme/chat")
        });
    }
    let paid = exchange.worth(DEAR);
    exchange.finish(paid);
}

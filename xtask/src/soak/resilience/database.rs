//! F21: another process holds the database's write lock.

use std::io::Read;
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};

use bourse_sim::Script;
use bourse_sim::load::{LoadReport, run_on_thread};

use super::ground::{Ground, Provider, Providers};
use super::page::Row;
use super::statistics::{count, share};

/// Keys whose calls go on. Each is made by a command of its own and has a
/// load of its own.
const KEYS: u64 = 40;
/// Holds the lock until its input ends. SQLite's command line is not on every
/// machine; the tests need Python anyway.
const HOLDER: &str = "\
import sqlite3, sys
held = sqlite3.connect(sys.argv[1], isolation_level=None, timeout=30)
held.execute('BEGIN EXCLUSIVE')
print('held', flush=True)
sys.stdin.read()
";

pub fn measure(ground: &Ground) -> Result<Vec<Row>, String> {
    let at = Providers::start(vec![Provider::new(
        "one",
        Script {
            tokens: Some(8),
            ..Script::default()
        },
    )])?;
    let bourse = ground.bourse("database", &at, &[("chat".to_owned(), at.names())])?;
    let keys: Result<Vec<String>, String> = (0..KEYS)
        .map(|n| bourse.command(&["key", "create", "--quiet", "--name", &format!("k{n}")]))
        .collect();
    let keys = keys?;
    let body = r#"{"model":"soak/chat","messages":[{"role":"user","content":"hello there"}]}"#;
    let rate = (ground.rate / KEYS).max(1);
    let load = |seconds: u64| -> Result<Vec<LoadReport>, String> {
        let plans = keys.iter().map(|key| {
            let mut plan = bourse.door.plan(body, rate, seconds);
            plan.headers = vec![("authorization".to_owned(), format!("Bearer {key}"))];
            plan
        });
        let threads: Vec<_> = plans
            .map(|plan| std::thread::spawn(move || run_on_thread(plan)))
            .collect();
        let join = |thread: std::thread::JoinHandle<std::io::Result<LoadReport>>| {
            let report = thread.join().map_err(|_| "a load panicked".to_owned())?;
            report.map_err(|error| error.to_string())
        };
        threads.into_iter().map(join).collect()
    };
    // A key is warm once it has been used.
    load(1)?;
    let lock = Lock::take(&bourse.data.join("bourse.db"))?;
    let locked = load(ground.seconds)?;
    lock.release()?;
    load(2)?;
    let verified = bourse.books()?;
    let statuses = |wanted: &[u16]| -> u64 {
        let of = |report: &LoadReport| -> u64 {
            wanted
                .iter()
                .filter_map(|status| report.statuses.get(status))
                .sum()
        };
        locked.iter().map(of).sum()
    };
    let requests = rate * ground.seconds * KEYS;
    let good: u64 = locked.iter().map(LoadReport::good).sum();
    let denied = statuses(&[401, 403]);
    Ok(vec![Row {
        figure: "F21",
        scenario: format!(
            "another process holds the write lock of SQLite's file for {} s; {KEYS} warm keys, {} requests/s",
            ground.seconds,
            rate * KEYS
        ),
        goal: "all served, 0 × 401 or 403, books exact",
        bourse: format!(
            "not served: {}; {} × 401 or 403; books: {}",
            share(requests.saturating_sub(good), requests),
            count(denied),
            verified.lines().next().unwrap_or("exact")
        ),
        met: good >= requests && denied == 0,
        nginx: None,
        litellm: None,
    }])
}

/// The lock, held by a process that lets go when this one ends.
struct Lock(Child, Option<ChildStdin>);

impl Lock {
    fn take(database: &Path) -> Result<Self, String> {
        let mut child = Command::new("python3")
            .args(["-c", HOLDER])
            .arg(database)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(|error| format!("python3: {error}"))?;
        let input = child.stdin.take();
        let mut said = [0_u8; 4];
        let output = child.stdout.as_mut().ok_or("python3 has no output")?;
        output
            .read_exact(&mut said)
            .map_err(|error| format!("the lock was not taken: {error}"))?;
        Ok(Self(child, input))
    }

    fn release(mut self) -> Result<(), String> {
        drop(self.1.take());
        let status = self.0.wait().map_err(|error| error.to_string())?;
        match status.success() {
            true => Ok(()),
            false => Err(format!("the lock's holder ended with {status}")),
        }
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        drop(self.1.take());
        let _ = self.0.wait();
    }
}

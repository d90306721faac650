//! F22: configurations that cannot be read, one after another, under load.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use bourse_sim::Script;
use bourse_sim::words::mix;
use rustix::process::{Pid, Signal, kill_process};

use super::ground::{Bourse, Ground, Provider, Providers, write};
use super::page::Row;
use super::statistics::{count, failures};

/// Between two reloads: a new one is looked at when the last one was.
const PAUSE: Duration = Duration::from_millis(40);
/// The largest file that is tried, in bytes.
const LARGE_BYTES: usize = 8 << 20;

pub fn measure(ground: &Ground) -> Result<Vec<Row>, String> {
    let at = Providers::start(vec![Provider::new(
        "one",
        Script {
            tokens: Some(8),
            ..Script::default()
        },
    )])?;
    let mut bourse = ground.bourse("reloads", &at, &[("chat".to_owned(), at.names())])?;
    let good = fs::read_to_string(&bourse.config).map_err(|error| error.to_string())?;
    let body = r#"{"model":"soak/chat","messages":[{"role":"user","content":"hello there"}]}"#;
    let plan = bourse.door.plan(body, ground.rate, ground.seconds);
    let load = std::thread::spawn(move || bourse_sim::load::run_on_thread(plan));
    let mut reloads = 0;
    for n in 0.. {
        if load.is_finished() {
            break;
        }
        let bad = mutated(&good, ground.seed, n);
        if is_bad(ground, &bad)? {
            put(&bourse, &bad)?;
            reloads += 1;
        }
    }
    put(&bourse, good.as_bytes())?;
    let report = load.join().map_err(|_| "the load panicked")?;
    let report = report.map_err(|error| error.to_string())?;
    let alive = bourse.door.process.is_running();
    let last = bourse.door.ask(body)?.status;
    let requests = ground.rate * ground.seconds;
    let served = report.good();
    bourse.books()?;
    Ok(vec![Row {
        figure: "F22",
        scenario: format!(
            "{} bad configurations under load (bytes changed, cut, doubled, 8 MiB of noise), each with SIGHUP; {} requests/s for {} s",
            count(reloads),
            ground.rate,
            ground.seconds
        ),
        goal: "0 failed requests, 0 panics (10,000 reloads)",
        bourse: format!(
            "{}; the server lives: {}",
            failures(&report, requests),
            if alive { "yes" } else { "no" }
        ),
        met: served >= requests && alive && last == 200,
        nginx: None,
        litellm: None,
    }])
}

/// A configuration with something wrong, most of the time.
fn mutated(good: &str, seed: u64, n: u64) -> Vec<u8> {
    let draw = |purpose: u64| mix(mix(seed, n), purpose);
    let below = |purpose: u64, end: usize| {
        usize::try_from(draw(purpose) % (end.max(1) as u64)).unwrap_or(0)
    };
    let mut bytes = good.as_bytes().to_vec();
    match n % 6 {
        0 => bytes.truncate(below(1, bytes.len())),
        1 => {
            for change in 0..8 {
                let at = below(10 + change, bytes.len());
                let to = u8::try_from(draw(20 + change) % 256).unwrap_or(0);
                if let Some(byte) = bytes.get_mut(at) {
                    *byte = to;
                }
            }
        }
        2 => bytes.extend_from_slice(good.as_bytes()),
        3 => {
            let line = below(1, good.lines().count());
            let without = good.lines().enumerate().filter(|(at, _)| *at != line);
            bytes = without
                .flat_map(|(_, line)| format!("{line}\n").into_bytes())
                .collect();
        }
        // Rare, because the check reads it as well.
        4 if n % 60 == 4 => {
            let noise = |at: u64| mix(draw(1), at).to_le_bytes();
            bytes = (0..(LARGE_BYTES / 8) as u64).flat_map(noise).collect();
        }
        4 => bytes.clear(),
        _ => bytes.extend_from_slice(b"\n[[models]]\nslug = 7\n"),
    }
    bytes
}

/// Whether the program itself calls it bad: what happens to be good, such as
/// another port of a provider, may rightly fail requests.
fn is_bad(ground: &Ground, bytes: &[u8]) -> Result<bool, String> {
    let file = ground.dir.join("reloads-checked.toml");
    fs::write(&file, bytes).map_err(|error| error.to_string())?;
    let status = Command::new(&ground.bourse)
        .args(["check", "--config"])
        .arg(&file)
        .output()
        .map_err(|error| error.to_string())?
        .status;
    Ok(!status.success())
}

/// Puts a file in place in one step and tells the server.
fn put(bourse: &Bourse, bytes: &[u8]) -> Result<(), String> {
    let beside = bourse.config.with_extension("next");
    write(&beside, "")?;
    fs::write(&beside, bytes).map_err(|error| error.to_string())?;
    rename(&beside, &bourse.config)?;
    let pid = i32::try_from(bourse.door.process.id())
        .ok()
        .and_then(Pid::from_raw);
    let pid = pid.ok_or("an impossible process id")?;
    // A server that is gone is seen at the end.
    let _ = kill_process(pid, Signal::HUP);
    std::thread::sleep(PAUSE);
    Ok(())
}

fn rename(from: &Path, to: &Path) -> Result<(), String> {
    fs::rename(from, to).map_err(|error| format!("{}: {error}", to.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mutations_are_the_seeds_and_differ_from_the_good_file() {
        let good = "[server]\nlisten = \"127.0.0.1:1\"\n\n[providers.one]\napi_key = \"a\"\n";
        for n in 0..120 {
            let one = mutated(good, 7, n);
            assert_eq!(one, mutated(good, 7, n));
            assert_ne!(one, good.as_bytes(), "mutation {n}");
        }
    }
}

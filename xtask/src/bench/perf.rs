//! Where Bourse spends its time: `perf` while it is under load.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use bourse_sim::load::{LoadPlan, Pace, run_on_thread};

use super::flame;
use super::prompts::Profile;
use super::subject::Subject;

/// How long it is watched.
const WATCH_S: &str = "6";
/// Lines of the list.
const SYMBOLS: usize = 60;

/// Where the graphs are kept, from the repository's root.
const GRAPHS: &str = "docs/flame-graphs";
/// Samples a second: many where Bourse mostly sleeps.
const BUSY_HZ: &str = "799";
const IDLE_HZ: &str = "6000";
/// Bytes of stack that are recorded with each sample.
const STACK_BYTES: &str = "dwarf,65528";

/// Lists the symbols in which Bourse spends most, under each sort of load,
/// and draws a flame graph of each.
pub fn show(bourse: &Subject, dir: &Path) -> Result<(), String> {
    let Some(process) = &bourse.process else {
        return Err("nothing to watch".to_owned());
    };
    let closed = Pace::Closed { connections: 32 };
    let slow = Pace::Open {
        rate_per_s: 200,
        connections_max: 1_000,
    };
    // Some 200 streams at once: each lasts four seconds.
    let paced = Pace::Open {
        rate_per_s: 50,
        connections_max: 1_000,
    };
    for (name, title, profile, stream, bytes, pace) in [
        (
            "request",
            "requests of 1.4 KB, 32 connections",
            Profile::Short,
            false,
            1_400,
            closed,
        ),
        (
            "lone-request",
            "requests of 1.4 KB, 200 a second",
            Profile::Short,
            false,
            1_400,
            slow,
        ),
        (
            "prompt-1mb",
            "prompts of 1 MB, 32 connections",
            Profile::Short,
            false,
            1_000_000,
            closed,
        ),
        (
            "stream",
            "streams at full speed",
            Profile::Full,
            true,
            1_000,
            closed,
        ),
        (
            "paced-stream",
            "streams of a chunk every 20 ms",
            Profile::Paced,
            true,
            1_000,
            paced,
        ),
    ] {
        let mut plan = bourse.plan(profile, stream, bytes);
        plan.pace = pace;
        plan.requests_max = 1_000_000;
        plan.duration_max = Duration::from_secs(8);
        let hz = if pace == closed { BUSY_HZ } else { IDLE_HZ };
        watch(process.id(), plan, hz, dir, name, title)?;
    }
    Ok(())
}

/// Watches a process under one load, and draws where its time goes.
fn watch(
    process: u32,
    plan: LoadPlan,
    hz: &str,
    dir: &Path,
    name: &str,
    title: &str,
) -> Result<(), String> {
    let load = std::thread::spawn(move || run_on_thread(plan));
    std::thread::sleep(Duration::from_secs(1));
    let data = dir.join("perf.data");
    let recorded = Command::new("perf")
        .args([
            "record",
            "-q",
            "-F",
            hz,
            "--call-graph",
            STACK_BYTES,
            "-p",
            &process.to_string(),
            "-o",
        ])
        .arg(&data)
        .args(["--", "sleep", WATCH_S])
        .stdout(Stdio::null())
        .status()
        .map_err(|error| format!("perf: {error}; it is in Debian's package linux-perf"))?;
    let _ = load.join();
    if !recorded.success() {
        return Err(format!("perf record: {recorded}"));
    }
    println!("\n{title}");
    for sort in ["comm", "dso", "symbol"] {
        println!("  by {sort}:");
        print_report(&data, sort)?;
    }
    let graph = Path::new(GRAPHS).join(format!("{name}.svg"));
    let drawn = flame::draw(&stacks(&data)?, title);
    fs::create_dir_all(GRAPHS)
        .and_then(|()| fs::write(&graph, drawn))
        .map_err(|error| format!("{}: {error}", graph.display()))?;
    println!("  drawn in {}", graph.display());
    Ok(())
}

/// Every sample's stack, as `perf script` prints it.
fn stacks(data: &Path) -> Result<String, String> {
    let script = Command::new("perf")
        .args(["script", "--no-inline", "-F", "comm,ip,sym", "-i"])
        .arg(data)
        .stderr(Stdio::null())
        .output()
        .map_err(|error| format!("perf: {error}"))?;
    Ok(String::from_utf8_lossy(&script.stdout).into_owned())
}

fn print_report(data: &Path, sort: &str) -> Result<(), String> {
    let report = Command::new("perf")
        .args([
            "report",
            "--stdio",
            "-q",
            "--no-children",
            "-g",
            "none",
            "--percent-limit",
            "0.4",
            "--sort",
            sort,
            "-i",
        ])
        .arg(data)
        .output()
        .map_err(|error| format!("perf: {error}"))?;
    let text = String::from_utf8_lossy(&report.stdout).into_owned();
    for line in text
        .lines()
        .filter(|line| !line.trim().is_empty())
        .take(SYMBOLS)
    {
        println!("{}", line.trim_end_matches(['-', ' ']));
    }
    Ok(())
}

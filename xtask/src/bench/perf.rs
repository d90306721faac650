//! Where Bourse spends its time: `perf` while it is under load.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use bourse_sim::load::{Pace, run_on_thread};

use super::prompts::Profile;
use super::subject::Subject;

/// How long it is watched.
const WATCH_S: &str = "6";
/// Lines of the list.
const SYMBOLS: usize = 60;

/// Lists the symbols in which Bourse spends most, under each sort of load.
pub fn show(bourse: &Subject, dir: &Path) -> Result<(), String> {
    let Some(process) = &bourse.process else {
        return Err("nothing to watch".to_owned());
    };
    for (title, profile, stream, bytes) in [
        ("requests of 1.4 KB", Profile::Short, false, 1_400),
        ("prompts of 1 MB", Profile::Short, false, 1_000_000),
        ("streams at full speed", Profile::Full, true, 1_000),
    ] {
        let mut plan = bourse.plan(profile, stream, bytes);
        plan.pace = Pace::Closed { connections: 32 };
        plan.requests_max = 1_000_000;
        plan.duration_max = Duration::from_secs(8);
        let load = std::thread::spawn(move || run_on_thread(plan));
        std::thread::sleep(Duration::from_secs(1));
        let data = dir.join("perf.data");
        let recorded = Command::new("perf")
            .args([
                "record",
                "-q",
                "-F",
                "997",
                "-p",
                &process.id().to_string(),
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
    }
    Ok(())
}

fn print_report(data: &Path, sort: &str) -> Result<(), String> {
    let report = Command::new("perf")
        .args([
            "report",
            "--stdio",
            "-q",
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

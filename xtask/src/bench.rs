//! `cargo xtask bench`: direct, nginx, a bare proxy and Bourse in one run.
//!
//! The load generator must be as cheap as it can be, so the chore builds
//! itself again as a release and hands over to that.

use std::net::SocketAddr;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::Command;

use indicatif::{ProgressBar, ProgressStyle};

mod flame;
mod idle;
mod measure;
mod pacer;
mod perf;
pub mod process;
mod prompts;
pub mod report;
mod rows;
mod subject;

use measure::{Samples, Scenario, Size, float};
use rows::Row;
use subject::{Ground, Kind, Programs};

/// What is built for it, beside Bourse.
const HYPER: &str = "target/release/examples/hyper_passthrough";
const SELF: &str = "target/release/xtask";
const BOURSE: &str = "target/release/bourse";
/// Everything that a run writes, except the page.
const DIR: &str = "target/bench";
const PAGE: &str = "docs/benchmarks.md";

/// How to measure.
#[derive(clap::Args)]
pub struct Arguments {
    /// Fewer and shorter runs: about a minute. Writes no page.
    #[arg(long)]
    quick: bool,
    /// Runs only this part: small-32, small-256, 100k, 1m, chunk, paced, latency or
    /// memory; may be repeated. Writes no page.
    #[arg(long, value_name = "NAME")]
    only: Vec<String>,
    /// Shows where Bourse spends its time instead of measuring, and draws
    /// docs/flame-graphs; needs perf.
    #[arg(long)]
    perf: bool,
    /// Measures this binary and does not build one.
    #[arg(long, value_name = "FILE")]
    bourse: Option<PathBuf>,
    /// Measures this other binary in the same run, in a column of its own.
    #[arg(long, value_name = "FILE")]
    before: Option<PathBuf>,
    /// A sentence for the page: what the binaries are, if they are not what
    /// the columns are called.
    #[arg(long, value_name = "SENTENCE")]
    about: Option<String>,
    /// Runs the load on Bourse alone and stops it gently, so that an
    /// instrumented build writes its profile.
    #[arg(long, hide = true, requires = "bourse")]
    train: bool,
    /// Set by the chore when it hands over to its release build.
    #[arg(long, hide = true)]
    built: bool,
}

/// The simulated provider, in a process of its own.
#[derive(clap::Args)]
pub struct UpstreamArguments {
    listen: SocketAddr,
    paced_chunks: u64,
}

/// Does the chore.
///
/// # Errors
/// What went wrong, for people. A missed goal is no error.
pub fn run(arguments: &Arguments) -> Result<(), String> {
    if !arguments.built {
        return build_and_hand_over(arguments);
    }
    let scenarios = scenarios(&arguments.only)?;
    let busy = report::busy_cores();
    if report::is_busy(busy) {
        eprintln!("the machine is busy ({busy:.1} cores): figures will be too high");
    }
    if arguments.train {
        return train(arguments, &scenarios);
    }
    let programs = Programs {
        bourse: arguments.bourse.clone().unwrap_or_else(|| BOURSE.into()),
        before: arguments.before.clone(),
        hyper: HYPER.into(),
        nginx: find_nginx()?,
    };
    let bourses = [
        (Kind::Bourse, Some(programs.bourse.clone())),
        (Kind::Before, programs.before.clone()),
    ];
    let size = if arguments.quick {
        Size::QUICK
    } else {
        Size::FULL
    };
    let dir = directory()?;
    let ground = Ground::prepare(&dir, programs, size.paced_chunks)?;
    let set_up = ground.set_up("bourse")?;
    if arguments.perf {
        let bourse = ground.start(Kind::Bourse, &set_up)?;
        measure::warm_up(&bourse, &size)?;
        return perf::show(&bourse, &dir);
    }
    let fresh = ground.set_up("bourse-fresh")?;
    let subjects = ground
        .given(Kind::ALL)
        .map(|kind| ground.start(kind, &set_up))
        .collect::<Result<Vec<_>, _>>()?;

    let mut samples = Samples::default();
    let progress = progress(subjects.len() + scenarios.len() * size.repetitions);
    for subject in &subjects {
        progress.set_message(format!("warming up: {}", subject.kind.name()));
        measure::warm_up(subject, &size)?;
        progress.inc(1);
    }
    for _ in 0..size.repetitions {
        for scenario in &scenarios {
            progress.set_message(scenario.name());
            measure::measure(*scenario, &size, &subjects, (&ground, &fresh), &mut samples)?;
            progress.inc(1);
        }
    }
    progress.set_message("checking the books");
    add_once(&bourses, &subjects, &mut samples);
    // The applier writes to the database up to the end; a stopped server's
    // books can be checked as a whole.
    drop(subjects);
    set_up.verify_books()?;
    progress.finish_and_clear();

    show(&samples, &scenarios);
    if arguments.quick || !arguments.only.is_empty() {
        return Ok(());
    }
    publish(&samples, size, busy, arguments)
}

/// Writes the page of figures.
fn publish(samples: &Samples, size: Size, busy: f64, arguments: &Arguments) -> Result<(), String> {
    let mut command = "./dev bench".to_owned();
    if arguments.bourse.is_some() {
        command.push_str(" --bourse FILE");
    }
    if arguments.before.is_some() {
        command.push_str(" --before FILE");
    }
    let about = report::About {
        command,
        binaries: arguments.about.clone(),
        commit: commit(),
        size,
        busy,
    };
    std::fs::write(PAGE, report::page(samples, &about))
        .map_err(|error| format!("{PAGE}: {error}"))?;
    println!("written to {PAGE}");
    Ok(())
}

/// Puts an instrumented Bourse through every part of the bench, once.
fn train(arguments: &Arguments, scenarios: &[Scenario]) -> Result<(), String> {
    let size = Size {
        repetitions: 1,
        ..Size::QUICK
    };
    let programs = Programs {
        bourse: arguments.bourse.clone().unwrap_or_else(|| BOURSE.into()),
        before: None,
        hyper: PathBuf::new(),
        nginx: PathBuf::new(),
    };
    let ground = Ground::prepare(&directory()?, programs, size.paced_chunks)?;
    let set_up = ground.set_up("bourse")?;
    let mut subjects = [ground.start(Kind::Bourse, &set_up)?];
    let mut samples = Samples::default();
    let progress = progress(scenarios.len());
    for scenario in scenarios
        .iter()
        .filter(|scenario| **scenario != Scenario::Fresh)
    {
        progress.set_message(scenario.name());
        measure::measure(
            *scenario,
            &size,
            &subjects,
            (&ground, &set_up),
            &mut samples,
        )?;
        progress.inc(1);
    }
    progress.finish_and_clear();
    for subject in &mut subjects {
        if let Some(process) = &mut subject.process {
            process.terminate()?;
        }
    }
    set_up.verify_books()
}

/// Where a run writes.
fn directory() -> Result<PathBuf, String> {
    let here = std::env::current_dir();
    Ok(here
        .map_err(|error| format!("the current directory: {error}"))?
        .join(DIR))
}

/// Prints the figures.
fn show(samples: &Samples, scenarios: &[Scenario]) {
    println!("{}", report::table(samples));
    let (met, all) = report::tally(samples);
    println!("{met} of {all} goals met");
    if scenarios
        .iter()
        .any(|scenario| scenario.name() == "small-32")
    {
        println!("{}", report::threads(samples));
    }
}

/// Plays the provider until it is killed.
///
/// # Errors
/// When the address is taken.
pub fn upstream(arguments: &UpstreamArguments) -> Result<(), String> {
    let scripts = subject::scripts(arguments.paced_chunks);
    let _sim = bourse_sim::Sim::builder()
        .scripts(scripts)
        .spawn_thread(arguments.listen)
        .map_err(|error| format!("{}: {error}", arguments.listen))?;
    loop {
        std::thread::park();
    }
}

/// Figures of which there is one.
fn add_once(
    bourses: &[(Kind, Option<PathBuf>)],
    subjects: &[subject::Subject],
    samples: &mut Samples,
) {
    for subject in subjects.iter().filter(|subject| subject.process.is_some()) {
        let bytes = float(subject.resident_bytes());
        samples.add(Row::MemoryAfter, subject.kind, bytes / 1e6);
    }
    for (kind, program) in bourses {
        if let Some(Ok(file)) = program.as_ref().map(|program| program.metadata()) {
            samples.add(Row::Binary, *kind, float(file.len()) / 1e6);
        }
    }
}

fn scenarios(only: &[String]) -> Result<Vec<Scenario>, String> {
    if only.is_empty() {
        return Ok(Scenario::ALL.to_vec());
    }
    only.iter()
        .map(|name| {
            let found = Scenario::ALL
                .into_iter()
                .find(|scenario| scenario.name() == name);
            found.ok_or_else(|| {
                let names = Scenario::ALL.map(Scenario::name).join(", ");
                format!("--only: there is no `{name}`; there are: {names}")
            })
        })
        .collect()
}

fn build_and_hand_over(arguments: &Arguments) -> Result<(), String> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let build = |what: &[&str]| {
        let status = Command::new(&cargo)
            .args(["build", "--release", "--locked"])
            .args(what)
            // As `./dev build` does, whatever a developer has set.
            .env("CARGO_INCREMENTAL", "0")
            .status()
            .map_err(|error| format!("cargo: {error}"))?;
        if status.success() {
            Ok(())
        } else {
            Err(format!("cargo build: {status}"))
        }
    };
    if arguments.bourse.is_none() {
        build(&["--package", "bourse-server", "--bin", "bourse"])?;
    }
    build(&["--package", "bourse-sim", "--example", "hyper_passthrough"])?;
    build(&["--package", "xtask"])?;
    // A thousand streams are two thousand sockets; the usual limit is 1,024.
    let error = Command::new("sh")
        .args([
            "-c",
            "ulimit -n \"$(ulimit -Hn)\" && exec \"$0\" \"$@\"",
            SELF,
        ])
        .args(std::env::args_os().skip(1))
        .arg("--built")
        .exec();
    Err(format!("{SELF}: {error}"))
}

pub fn find_nginx() -> Result<PathBuf, String> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .chain(["/usr/sbin".into(), "/sbin".into(), "/usr/local/sbin".into()])
        .map(|dir| dir.join("nginx"))
        .find(|file| file.is_file())
        .ok_or_else(|| "nginx is not installed; `./dev bench` installs it".to_owned())
}

pub fn commit() -> String {
    let git = Command::new("git")
        .args(["describe", "--always", "--dirty"])
        .output();
    let text = git
        .ok()
        .filter(|output| output.status.success())
        .map(|output| output.stdout);
    let text = text.and_then(|text| String::from_utf8(text).ok());
    text.map_or_else(
        || "an unknown commit".to_owned(),
        |text| format!("commit {}", text.trim()),
    )
}

fn progress(steps: usize) -> ProgressBar {
    let bar = ProgressBar::new(u64::try_from(steps).unwrap_or(u64::MAX));
    if let Ok(style) = ProgressStyle::with_template("{bar:30} {pos}/{len} {elapsed} {msg}") {
        bar.set_style(style);
    }
    bar
}

//! `cargo xtask soak`: kills a loaded server again and again, or breaks what is
//! around it.

mod resilience;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bourse_sim::crash::{Options, Stop, run as crash, upgrade};
use clap::{Args, Subcommand};
use indicatif::{ProgressBar, ProgressStyle};

/// The promise for a release build: from starting the process to the first
/// good answer.
const RESTART_MAX: Duration = Duration::from_millis(300);

/// Stop a loaded server again and again; the books must balance.
#[derive(Args)]
#[command(
    args_conflicts_with_subcommands = true,
    after_help = "\
Examples:
  cargo xtask soak                        500 kills, about eight minutes
  cargo xtask soak --kills 50 --seed 7    the scenario of seed 7
  cargo xtask soak --gentle --kills 200   gentle stops (SIGTERM) instead of kills
  cargo xtask soak --upgrade 0.1.0 --kills 300   kills while data of 0.1.0 are migrated
  cargo xtask soak resilience             what providers and machines do wrong, measured

A seed fixes every call and the schedule of kills. Which call a kill meets in which state is
the machine's doing, so a failing seed is worth running more than once."
)]
pub struct Arguments {
    #[command(subcommand)]
    part: Option<Part>,
    /// Kills under load
    #[arg(long, default_value_t = 500)]
    kills: u32,
    /// Ask the server to stop (SIGTERM) instead of killing it
    #[arg(long)]
    gentle: bool,
    /// Kill it while it migrates the data of an earlier release: the version
    #[arg(long, value_name = "VERSION", conflicts_with = "gentle")]
    upgrade: Option<String>,
    /// Repeats a scenario [default: another one each time]
    #[arg(long)]
    seed: Option<u64>,
    /// Concurrent clients
    #[arg(long, default_value_t = 64)]
    connections: u32,
    /// Compare everything after so many kills
    #[arg(long, default_value_t = 20)]
    check_every: u32,
    /// A `bourse` that is built already
    #[arg(long, value_name = "FILE")]
    binary: Option<PathBuf>,
}

#[derive(Subcommand)]
enum Part {
    /// Measure what a client sees while providers, disk and configuration fail.
    Resilience(resilience::Arguments),
}

/// Runs the chore.
pub fn run(arguments: &Arguments) -> Result<(), String> {
    if let Some(Part::Resilience(arguments)) = &arguments.part {
        return resilience::run(arguments);
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .ok_or("xtask is not in a workspace")?;
    let binary = match &arguments.binary {
        Some(binary) => binary.clone(),
        None => build(root)?,
    };
    let seed = arguments.seed.unwrap_or_else(|| {
        let now = SystemTime::now().duration_since(UNIX_EPOCH);
        now.map_or(0, |now| now.as_secs())
    });
    let dir = root.join("target").join("soak").join(seed.to_string());
    // What an earlier run of this seed left behind.
    let _ = std::fs::remove_dir_all(&dir);
    std::fs::create_dir_all(&dir).map_err(|error| format!("{}: {error}", dir.display()))?;
    let bar = progress_bar(u64::from(arguments.kills))?;
    let done = match &arguments.upgrade {
        Some(version) => upgrades(root, binary, &dir, seed, version, arguments.kills, &bar),
        None => stops(arguments, binary, &dir, seed, &bar),
    };
    bar.finish_and_clear();
    done?;
    // Nothing differs, so nobody needs it.
    let _ = std::fs::remove_dir_all(&dir);
    Ok(())
}

fn stops(
    arguments: &Arguments,
    binary: PathBuf,
    dir: &Path,
    seed: u64,
    bar: &ProgressBar,
) -> Result<(), String> {
    let (stop, what) = match arguments.gentle {
        true => (Stop::Term, "gentle stops"),
        false => (Stop::Kill, "kills"),
    };
    println!(
        "seed {seed}: {} {what} under {} clients",
        arguments.kills, arguments.connections
    );
    let options = Options {
        binary,
        dir: dir.to_owned(),
        seed,
        stop,
        kills: arguments.kills,
        connections: arguments.connections,
        check_every: arguments.check_every,
    };
    let report = crash(&options, |kills| bar.set_position(u64::from(kills)))?;
    bar.suspend(|| println!("{report}"));
    if report.restart(99) > RESTART_MAX {
        return Err(format!(
            "the slowest hundredth of restarts took {} ms; {} ms are promised",
            report.restart(99).as_millis(),
            RESTART_MAX.as_millis()
        ));
    }
    Ok(())
}

fn upgrades(
    root: &Path,
    binary: PathBuf,
    dir: &Path,
    seed: u64,
    version: &str,
    kills: u32,
    bar: &ProgressBar,
) -> Result<(), String> {
    println!("seed {seed}: {kills} kills while data of {version} are migrated");
    let options = upgrade::Options {
        binary,
        fixture: root.join("fixtures/releases").join(version),
        dir: dir.to_owned(),
        seed,
        kills,
    };
    let report = upgrade::run(&options, |kills| bar.set_position(u64::from(kills)))?;
    bar.suspend(|| println!("{report}"));
    Ok(())
}

/// Draws nothing where no terminal is.
fn progress_bar(length: u64) -> Result<ProgressBar, String> {
    let style = ProgressStyle::with_template("{wide_bar} {pos}/{len} stops, {eta} left")
        .map_err(|error| error.to_string())?;
    let bar = ProgressBar::new(length).with_style(style);
    bar.enable_steady_tick(Duration::from_millis(500));
    Ok(bar)
}

fn build(root: &Path) -> Result<PathBuf, String> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let status = Command::new(cargo)
        .args([
            "build",
            "--release",
            "-p",
            "bourse-server",
            "--bin",
            "bourse",
        ])
        .current_dir(root)
        .status()
        .map_err(|error| format!("cargo: {error}"))?;
    if !status.success() {
        return Err("the release binary could not be built".to_owned());
    }
    let target =
        std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), PathBuf::from);
    Ok(target.join("release").join("bourse"))
}

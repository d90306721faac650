//! `cargo xtask soak`: a loaded server in every sort of trouble.
//!
//! What is done to it, and what must come of it, is in `bourse_sim::crash`.

mod mutants;
mod resilience;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use bourse_sim::crash::{Options, Scene, Stop, run as crash, upgrade};
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
  cargo xtask soak money                  half an hour of kills, gentle stops, disks that refuse in the
                                          middle of a write, clients that leave at any byte, and providers
                                          that overrun limits, lie about usage, send gzip bombs or no end
  cargo xtask soak hostile --minutes 5    the same without bad disks, and callers that smuggle, misspell,
                                          trickle, abort and send 31 MiB of JSON that is dear to read

  cargo xtask soak resilience             what clients see while providers and machines fail, measured
  cargo xtask soak mutants                whether the simulations find mistakes that are planted into copies

After every round of stops everything rests, three witnesses (clients, providers, books) are compared,
and `bourse ledger verify` runs; one difference ends the soak with status 1 and keeps the data.

What each does is written down here:
  crates/sim/src/crash.rs              the rounds: stop, start, compare
  crates/sim/src/crash/scene.rs        which trouble belongs to which soak
  crates/sim/src/crash/market.rs       models and providers, honest and not
  crates/sim/src/crash/impostor.rs     a provider that is none
  crates/sim/src/crash/intruders.rs    callers that mean harm
  crates/sim/src/crash/client.rs       callers that are witnesses, and how they leave
  crates/sim/src/crash/checker.rs      what must agree
  docs/proofs.md                       what was run, and what 0 differences mean

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
    #[command(flatten)]
    common: Common,
}

/// Trouble for a time.
#[derive(Args)]
struct Trouble {
    /// How long
    #[arg(long, default_value_t = 30)]
    minutes: u64,
    #[command(flatten)]
    common: Common,
}

/// What every soak with witnesses has.
#[derive(Args)]
struct Common {
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

/// What else happens to the server.
#[derive(Subcommand)]
enum Part {
    /// Half an hour of bad disks, bad providers and clients that leave.
    Money(Trouble),
    /// Half an hour of bad callers, bad providers and clients that leave.
    Hostile(Trouble),
    /// Measure what a client sees while providers, disk and configuration fail.
    Resilience(resilience::Arguments),
    /// Plant mistakes into router and till; the simulations must find each.
    Mutants(mutants::Arguments),
}

/// Runs the chore.
pub fn run(arguments: &Arguments) -> Result<(), String> {
    match &arguments.part {
        Some(Part::Resilience(arguments)) => return resilience::run(arguments),
        Some(Part::Mutants(arguments)) => return mutants::run(arguments),
        Some(Part::Money(trouble)) => {
            return trouble.common.run(|at| troubles(trouble, Scene::Money, at));
        }
        Some(Part::Hostile(trouble)) => {
            return trouble
                .common
                .run(|at| troubles(trouble, Scene::Hostile, at));
        }
        None => {}
    }
    let kills = u64::from(arguments.kills);
    let bar = progress_bar(kills, "stops")?;
    arguments.common.run(|at| match &arguments.upgrade {
        Some(version) => upgrades(at, version, arguments.kills, &bar),
        None => stops(arguments, at, &bar),
    })
}

/// Where a soak happens, and by which draw.
struct Place {
    root: PathBuf,
    binary: PathBuf,
    dir: PathBuf,
    seed: u64,
}

impl Common {
    /// Runs a soak in a directory of its own, which stays if anything differs.
    fn run(&self, soak: impl FnOnce(&Place) -> Result<(), String>) -> Result<(), String> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"))
            .parent()
            .ok_or("xtask is not in a workspace")?;
        let binary = match &self.binary {
            Some(binary) => binary.clone(),
            None => build(root)?,
        };
        let seed = self.seed.unwrap_or_else(|| {
            let now = SystemTime::now().duration_since(UNIX_EPOCH);
            // Two that are started together differ, and so do their directories.
            now.map_or(0, |now| u64::try_from(now.as_micros()).unwrap_or(0))
        });
        let dir = root.join("target").join("soak").join(seed.to_string());
        // What an earlier run of this seed left behind.
        let _ = std::fs::remove_dir_all(&dir);
        std::fs::create_dir_all(&dir).map_err(|error| format!("{}: {error}", dir.display()))?;
        let root = root.to_owned();
        soak(&Place {
            root,
            binary,
            dir: dir.clone(),
            seed,
        })?;
        // Nothing differs, so nobody needs it.
        let _ = std::fs::remove_dir_all(&dir);
        Ok(())
    }
}

fn stops(arguments: &Arguments, at: &Place, bar: &ProgressBar) -> Result<(), String> {
    let (stop, what) = match arguments.gentle {
        true => (Stop::Term, "gentle stops"),
        false => (Stop::Kill, "kills"),
    };
    println!(
        "seed {}: {} {what} under {} clients",
        at.seed, arguments.kills, arguments.common.connections
    );
    let options = Options {
        binary: at.binary.clone(),
        dir: at.dir.clone(),
        seed: at.seed,
        scene: Scene::Stops,
        stop,
        kills: arguments.kills,
        time: None,
        connections: arguments.common.connections,
        check_every: arguments.common.check_every,
    };
    let report = crash(&options, |kills| bar.set_position(u64::from(kills)))?;
    bar.finish_and_clear();
    println!("{report}");
    if report.restart(99) > RESTART_MAX {
        return Err(format!(
            "the slowest hundredth of restarts took {} ms; {} ms are promised",
            report.restart(99).as_millis(),
            RESTART_MAX.as_millis()
        ));
    }
    Ok(())
}

/// Makes trouble for a time. Restarts have no promise here: a start may have
/// 31 MiB to read and a busy machine to share.
fn troubles(arguments: &Trouble, scene: Scene, at: &Place) -> Result<(), String> {
    let time = Duration::from_secs(arguments.minutes.saturating_mul(60));
    println!(
        "seed {}: {} minutes of trouble ({scene:?}) under {} clients",
        at.seed, arguments.minutes, arguments.common.connections
    );
    let options = Options {
        binary: at.binary.clone(),
        dir: at.dir.clone(),
        seed: at.seed,
        scene,
        stop: Stop::Kill,
        kills: u32::MAX,
        time: Some(time),
        connections: arguments.common.connections,
        check_every: arguments.common.check_every,
    };
    let bar = progress_bar(time.as_secs(), "s")?;
    let began = Instant::now();
    let report = crash(&options, |kills| {
        bar.set_position(began.elapsed().as_secs());
        bar.set_message(format!("{kills} stops"));
    })?;
    bar.finish_and_clear();
    println!("{report}");
    Ok(())
}

fn upgrades(at: &Place, version: &str, kills: u32, bar: &ProgressBar) -> Result<(), String> {
    println!(
        "seed {}: {kills} kills while data of {version} are migrated",
        at.seed
    );
    let options = upgrade::Options {
        binary: at.binary.clone(),
        fixture: at.root.join("fixtures/releases").join(version),
        dir: at.dir.clone(),
        seed: at.seed,
        kills,
    };
    let report = upgrade::run(&options, |kills| bar.set_position(u64::from(kills)))?;
    bar.finish_and_clear();
    println!("{report}");
    Ok(())
}

/// Draws nothing where no terminal is.
fn progress_bar(length: u64, unit: &str) -> Result<ProgressBar, String> {
    let template = format!("{{wide_bar}} {{pos}}/{{len}} {unit} {{msg}}, {{eta}} left");
    let style = ProgressStyle::with_template(&template).map_err(|error| error.to_string())?;
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

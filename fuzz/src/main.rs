//! `./dev fuzz`: inputs that nobody would send, to everything that reads what
//! others wrote.
//!
//! See docs/decisions/0026 for why this is no coverage-guided fuzzer of the
//! usual sort, and `targets` for what is held to what.

mod chance;
mod finds;
mod mutate;
mod run;
mod sign;
mod targets;
#[cfg(test)]
mod tests;
mod watch;

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use clap::Parser;
use indicatif::{ProgressBar, ProgressStyle};

use run::{Limits, Outcome};
use targets::{TARGETS, Target};
use watch::Watchdog;

/// Send changed inputs to everything that reads what others wrote.
#[derive(Parser)]
#[command(
    name = "./dev fuzz",
    after_help = "\
Examples:
  ./dev fuzz                                    100,000 executions of every target
  ./dev fuzz --target streams --seconds 600     ten minutes of one of them
  ./dev fuzz --executions 2000000 --seed 7      the run of seed 7
  ./dev fuzz --target streams --replay FILE     one input again, with what is wrong with it
  ./dev fuzz --list                             the targets, and what each is held to

A find is an input that makes a target panic, break a law or hang. It is made smaller and kept
in target/fuzz-finds; put it into a test of the crate where the bug is."
)]
struct Arguments {
    /// Only this target; may be repeated
    #[arg(long, value_name = "NAME")]
    target: Vec<String>,
    /// Executions of each target
    #[arg(long, default_value_t = 100_000)]
    executions: u64,
    /// Seconds for each target, if that is less
    #[arg(long)]
    seconds: Option<u64>,
    /// Repeats a run [default: another one each time]
    #[arg(long)]
    seed: Option<u64>,
    /// Execute one input
    #[arg(long, value_name = "FILE")]
    replay: Option<PathBuf>,
    /// List the targets
    #[arg(long)]
    list: bool,
}

fn main() -> ExitCode {
    match start(&Arguments::parse()) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(message) => {
            eprintln!("{message}");
            ExitCode::from(2)
        }
    }
}

/// Whether nothing was found.
fn start(arguments: &Arguments) -> Result<bool, String> {
    if arguments.list {
        for target in TARGETS {
            println!("{:14} {}", target.name(), target.held_to());
        }
        return Ok(true);
    }
    let chosen = chosen(&arguments.target)?;
    let finds = root().join("target/fuzz-finds");
    let watchdog = Watchdog::start(finds.clone())?;
    run::hush_panics();
    if let Some(file) = &arguments.replay {
        let [target] = chosen.as_slice() else {
            return Err("--replay: name one --target".to_owned());
        };
        return replay(*target, file, &watchdog);
    }
    let seed = arguments.seed.unwrap_or_else(|| {
        let now = SystemTime::now().duration_since(UNIX_EPOCH);
        now.map_or(0, |now| now.as_secs())
    });
    let limits = Limits {
        executions: arguments.executions,
        time: arguments.seconds.map_or(Duration::MAX, Duration::from_secs),
    };
    println!("seed {seed}");
    let (mut executions, mut seconds, mut found) = (0, 0.0, 0);
    for target in chosen {
        let bar = progress_bar(target.name(), limits.executions)?;
        let outcome = run::run(target, seed, limits, (&watchdog, &finds), |done| {
            bar.set_position(done);
        });
        bar.finish_and_clear();
        let outcome = outcome.map_err(|error| format!("{}: {error}", target.name()))?;
        tell(target, &outcome);
        executions += outcome.executions;
        seconds += outcome.took.as_secs_f64();
        found += outcome.finds.len();
    }
    println!("{found} finds in {executions} executions, {seconds:.0} s");
    Ok(found == 0)
}

fn chosen(names: &[String]) -> Result<Vec<&'static dyn Target>, String> {
    if names.is_empty() {
        return Ok(TARGETS.to_vec());
    }
    let find = |name: &String| {
        let target = TARGETS.iter().find(|target| target.name() == name);
        target.copied().ok_or_else(|| {
            let all: Vec<_> = TARGETS.iter().map(|target| target.name()).collect();
            format!("there is no target {name}; there are: {}", all.join(" "))
        })
    };
    names.iter().map(find).collect()
}

fn replay(target: &dyn Target, file: &Path, watchdog: &Watchdog) -> Result<bool, String> {
    let input = std::fs::read(file).map_err(|error| format!("{}: {error}", file.display()))?;
    match run::execute(target, &input, watchdog) {
        Ok(sign) => println!("nothing is wrong with it (sign {sign:016x})"),
        Err(what) => {
            println!("{what}");
            return Ok(false);
        }
    }
    Ok(true)
}

fn tell(target: &dyn Target, outcome: &Outcome) {
    let seconds = outcome.took.as_secs_f64();
    #[allow(clippy::cast_precision_loss, reason = "a rate, for people")]
    let rate = outcome.executions as f64 / seconds.max(0.001);
    println!(
        "{:14} {:>9} executions {seconds:>7.1} s {rate:>9.0}/s {:>7} outcomes {:>3} finds",
        target.name(),
        outcome.executions,
        outcome.signs,
        outcome.finds.len()
    );
    for (what, path) in &outcome.finds {
        println!("  {what}\n    {}", path.display());
    }
}

/// Draws nothing where no terminal is.
fn progress_bar(name: &'static str, length: u64) -> Result<ProgressBar, String> {
    let style =
        ProgressStyle::with_template("{msg:14} {wide_bar} {pos}/{len} {per_sec}, {eta} left")
            .map_err(|error| error.to_string())?;
    let bar = ProgressBar::new(length)
        .with_style(style)
        .with_message(name);
    bar.enable_steady_tick(Duration::from_millis(500));
    Ok(bar)
}

/// The root of the repository.
fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

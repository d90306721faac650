//! `cargo xtask soak resilience`: what a client sees while providers, disk
//! and configuration fail.
//!
//! Every scenario starts the real binary with simulated providers behind it,
//! on loopback, loads it in an open loop and counts. Rows go into
//! docs/reliability.md, whether the goal is met or not.

mod breaks;
mod client;
mod continuation;
mod cores;
mod database;
mod failover;
mod flips;
mod ground;
mod hedging;
mod leaks;
mod overload;
mod page;
mod reloads;
mod stalls;
mod statistics;
mod three;

use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};

use ground::Ground;
use page::Row;

/// Where `./dev soak resilience` installs LiteLLM; without it, it is not
/// compared with.
const LITELLM: &str = ".cache/litellm/bin/litellm";
/// Most requests a second that are asked for: more than two cores carry.
const RATE_MAX: u64 = 10_000;
/// Longest load of one scenario, in seconds.
const SECONDS_MAX: u64 = 3_600;

/// Measure what a client sees while providers, disk and configuration fail.
#[derive(Args)]
#[command(after_help = "\
Examples:
  cargo xtask soak resilience                        every scenario, about ten minutes
  cargo xtask soak resilience --only F12 --only F13  these two
  cargo xtask soak resilience --only F12 --rate 500 --seconds 600
  cargo xtask soak resilience --binary target/release/bourse --dry

The rows that were measured replace theirs in docs/reliability.md; the others stay.")]
pub struct Arguments {
    /// Only this figure: F12, F13, F14, F15, F16, F18, F19, F20, F21, F22 or F24; may be repeated
    #[arg(long, value_name = "FIGURE")]
    only: Vec<String>,
    /// Seconds of load of one scenario
    #[arg(long, default_value_t = 60)]
    seconds: u64,
    /// Requests a second
    #[arg(long, default_value_t = 200)]
    rate: u64,
    /// Varies what is drawn
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// A `bourse` that is built already
    #[arg(long, value_name = "FILE")]
    binary: Option<PathBuf>,
    /// Does not compare with nginx
    #[arg(long)]
    no_nginx: bool,
    /// Does not compare with LiteLLM
    #[arg(long)]
    no_litellm: bool,
    /// Prints the table and writes no page
    #[arg(long)]
    dry: bool,
}

type Scenario = fn(&Ground) -> Result<Vec<Row>, String>;

/// Scenarios by the figures that they give.
const SCENARIOS: [(&[&str], Scenario); 11] = [
    (&["F12", "F13"], three::measure),
    (&["F14"], failover::measure),
    (&["F15"], stalls::measure),
    (&["F16"], flips::measure),
    (&["F18"], breaks::measure),
    (&["F18"], continuation::measure),
    (&["F19"], hedging::measure),
    (&["F20"], overload::measure),
    (&["F21"], database::measure),
    (&["F22"], reloads::measure),
    (&["F24"], leaks::measure),
];

/// Runs the scenarios.
///
/// # Errors
/// What went wrong, for people. A missed goal is no error.
pub fn run(arguments: &Arguments) -> Result<(), String> {
    let wanted = wanted(&arguments.only)?;
    if arguments.rate == 0 || arguments.rate > RATE_MAX {
        return Err(format!("--rate is 1 to {RATE_MAX}"));
    }
    if arguments.seconds < 5 || arguments.seconds > SECONDS_MAX {
        return Err(format!("--seconds is 5 to {SECONDS_MAX}"));
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let root = root.parent().ok_or("xtask is not in a workspace")?;
    let ground = Ground {
        bourse: match &arguments.binary {
            Some(binary) => binary.clone(),
            None => super::build(root)?,
        },
        is_built_here: arguments.binary.is_none(),
        busy: crate::bench::report::busy_cores(),
        nginx: match arguments.no_nginx {
            true => None,
            false => Some(crate::bench::find_nginx()?),
        },
        litellm: match arguments.no_litellm {
            true => None,
            false => Some(root.join(LITELLM)).filter(|program| program.exists()),
        },
        dir: root.join("target").join("soak").join("resilience"),
        seconds: arguments.seconds,
        rate: arguments.rate,
        seed: arguments.seed,
    };
    let bar = progress(wanted.len())?;
    let mut rows = Vec::new();
    for (figures, scenario) in wanted {
        bar.set_message(figures.join(", "));
        rows.extend(scenario(&ground).map_err(|why| format!("{}: {why}", figures.join(", ")))?);
        bar.inc(1);
    }
    bar.finish_and_clear();
    rows.retain(|row| arguments.only.is_empty() || arguments.only.contains(&row.figure.to_owned()));
    println!("{}", page::table(&rows));
    if !arguments.dry {
        let file = root.join("docs").join("reliability.md");
        page::write(&file, &rows, &ground)?;
        println!("written to {}", file.display());
    }
    Ok(())
}

fn wanted(only: &[String]) -> Result<Vec<(&'static [&'static str], Scenario)>, String> {
    let all = SCENARIOS.iter().flat_map(|(figures, _)| *figures);
    for name in only {
        if !all.clone().any(|figure| figure == name) {
            let names: Vec<&str> = all.copied().collect();
            return Err(format!(
                "--only: there is no {name}; there are {}",
                names.join(", ")
            ));
        }
    }
    let chosen = |figures: &[&str]| {
        only.is_empty()
            || figures
                .iter()
                .any(|figure| only.iter().any(|name| name == figure))
    };
    let scenarios = SCENARIOS.iter().filter(|(figures, _)| chosen(figures));
    Ok(scenarios.copied().collect())
}

/// Draws nothing where no terminal is.
fn progress(length: usize) -> Result<ProgressBar, String> {
    let style = ProgressStyle::with_template("{bar:30} {pos}/{len} {elapsed} {msg}")
        .map_err(|error| error.to_string())?;
    let bar = ProgressBar::new(u64::try_from(length).unwrap_or(u64::MAX)).with_style(style);
    bar.enable_steady_tick(Duration::from_millis(500));
    Ok(bar)
}

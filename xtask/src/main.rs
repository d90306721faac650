//! Chores in Rust: `cargo xtask <chore>`.

use std::process::ExitCode;

use clap::{Parser, Subcommand};

mod bench;
mod catalog;
mod check;
mod fidelity;
mod gate;
mod soak;

/// Chores of this repository.
#[derive(Parser)]
#[command(name = "cargo xtask")]
struct Arguments {
    #[command(subcommand)]
    chore: Chore,
}

#[derive(Subcommand)]
enum Chore {
    /// Measure direct, nginx, a bare proxy and Bourse in one run.
    Bench(bench::Arguments),
    /// The simulated provider of a bench.
    #[command(hide = true)]
    BenchUpstream(bench::UpstreamArguments),
    /// Rebuild the embedded catalogue from other price lists.
    Catalog(catalog::Arguments),
    /// Check what the compiler cannot see: arrows, circles, names, documents.
    Check(check::Arguments),
    /// Write docs/fidelity.md from what the tests of fidelity see.
    Fidelity,
    /// Count the hot path's instructions and compare with the committed ones.
    Gate(gate::Arguments),
    /// Write docs/metrics.md from the exposition.
    Metrics,
    /// Kill a loaded server again and again, or make other trouble; the books must balance.
    Soak(soak::Arguments),
}

fn main() -> ExitCode {
    let done = match Arguments::parse().chore {
        Chore::Bench(arguments) => bench::run(&arguments),
        Chore::BenchUpstream(arguments) => bench::upstream(&arguments),
        Chore::Catalog(arguments) => catalog::run(&arguments),
        Chore::Check(arguments) => check::run(&arguments),
        Chore::Fidelity => fidelity::run(),
        Chore::Gate(arguments) => gate::run(&arguments),
        Chore::Metrics => check::write_metrics(),
        Chore::Soak(arguments) => soak::run(&arguments),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("{message}");
            ExitCode::FAILURE
        }
    }
}

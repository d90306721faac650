//! The `bourse` program: config, wiring and the command line.

mod cli;
mod config;
mod control;
mod first_boot;
mod keys;
mod logging;
mod market;
mod office;
mod reload;
mod serve;
mod simulated;
mod worker;

/// See docs/decisions/0010.
#[cfg(not(target_env = "msvc"))]
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> std::process::ExitCode {
    cli::main()
}

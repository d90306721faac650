//! The `bourse` program: config, wiring and the command line.
//!
//! A library only so that the fuzzer reaches the reader of configuration
//! files; nothing else is meant to be used from outside.

mod alarms;
mod batches;
mod call_log;
mod certificate;
mod cli;
mod config;
mod control;
mod first_start;
mod keys;
mod logging;
mod manager;
mod market;
mod place;
mod presence;
mod privacy;
mod reload;
mod retention;
mod serve;
mod simulated;
mod spelled;
mod status;
mod store_watcher;
mod tokens;
mod traces;
mod videos;
mod webhooks;
mod worker;

/// Which release this is, and which commit, where that is known.
pub(crate) const VERSION: &str = env!("BOURSE_VERSION");

/// Runs the program with the arguments of the process.
#[must_use]
pub fn main() -> std::process::ExitCode {
    privacy::keep_new_files_private();
    cli::main()
}

/// Reads a configuration file's text without an environment, as `bourse check`
/// does with one.
///
/// # Errors
/// Every mistake, with the file's name and the place.
#[doc(hidden)]
pub fn understand_configuration(name: &str, text: &str) -> Result<(), String> {
    let environment = config::Environment::default();
    config::Config::parse(name, text, &environment)
        .map(drop)
        .map_err(|mistakes| mistakes.to_string())
}

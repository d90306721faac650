//! The command line.
//!
//! Every command has help that teaches, prints JSON with `--json` where it
//! prints data, and exits with 0 (done), 1 (it did not work) or 2 (the
//! command line is wrong, or there is no data where it points). They all work
//! beside a running server, but for `ledger repair`, which wants it stopped.

mod account;
mod alarms;
mod backup;
mod batch;
mod catalog;
mod check;
mod completions;
mod config;
mod credit;
mod data;
mod doctor;
mod init;
mod key;
mod ledger;
mod man;
mod output;
mod restore;
mod route;
mod schema;
mod server;
mod sim;
mod status;
mod top;
mod when;

use std::fmt;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};

use crate::config::{Config, ConfigErrors};

pub(crate) use output::say;

pub(crate) type Error = Box<dyn std::error::Error + Send + Sync>;

/// The command points to where it can do nothing: exit status 2, like a wrong
/// command line.
#[derive(Debug)]
struct Misused(String);

impl Misused {
    fn because(why: String) -> Error {
        Box::new(Self(why))
    }
}

impl fmt::Display for Misused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Misused {}

/// What is wrong has been printed, for a program.
#[derive(Debug)]
struct Told;

impl fmt::Display for Told {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the configuration has mistakes")
    }
}

impl std::error::Error for Told {}

/// The status of a wrong command line, as clap has it.
const MISUSED: u8 = 2;

/// The open model exchange that you run yourself.
///
/// One API, one key and one balance in front of every model provider.
#[derive(Parser)]
#[command(
    name = "bourse",
    version = crate::VERSION,
    after_help = "\
Start here:
  bourse init                          write a configuration file and make the data directory
  bourse serve                         serve on 127.0.0.1:8787; the first start prints two keys
  bourse key create --name laptop      make an API key
  bourse credit grant --usd 25         put money on the default account
  bourse doctor                        check disk, configuration and providers
  bourse status                        what serves, and whether it is well
  bourse top                           look on while it serves

Configuration is read from ./bourse.toml, or from --config FILE. Every key can be overridden
by a variable: server.listen is BOURSE_SERVER__LISTEN."
)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

/// Options of every command that reads the configuration.
#[derive(Args, Clone)]
pub(crate) struct Common {
    /// The configuration file [default: bourse.toml, if it is there]
    #[arg(long, env = "BOURSE_CONFIG", global = true, value_name = "FILE")]
    config: Option<PathBuf>,
}

impl Common {
    fn load(&self) -> Result<Config, Error> {
        Ok(Config::load(self.config.as_deref())?)
    }
}

#[derive(Subcommand)]
enum Command {
    /// Serves the API until told to stop
    Serve {
        #[command(flatten)]
        common: Common,
        /// Takes the database over from a server at another place that is gone for good
        #[arg(
            long,
            long_help = "\
Takes the database over from a server at another place that is gone for good.

A PostgreSQL database belongs to one server at a time. One that was killed comes back by
itself; one on another machine, or with another data directory, is refused. This says that
the first is gone: what its journal had not brought into the database is lost, and if it is
not gone after all, it stops as soon as it reaches the database."
        )]
        take_over: bool,
    },
    /// Writes a configuration file, and makes the data that it names
    Init(init::Options),
    /// Makes, lists, changes and ends API keys
    Key {
        #[command(subcommand)]
        command: key::Command,
        #[command(flatten)]
        common: Common,
    },
    /// Makes and lists accounts, which have credit and keys of their own
    Account {
        #[command(subcommand)]
        command: account::Command,
        #[command(flatten)]
        common: Common,
    },
    /// Puts money on accounts
    Credit {
        #[command(subcommand)]
        command: credit::Command,
        #[command(flatten)]
        common: Common,
    },
    /// Lists, shows and cancels batches of calls
    Batch {
        #[command(subcommand)]
        command: batch::Command,
        #[command(flatten)]
        common: Common,
    },
    /// Runs simulated providers: OpenAI, Anthropic and Gemini, with faults to order
    Sim(sim::Options),
    /// Checks a configuration file and says what is wrong with it
    Check(check::Options),
    /// Shows the configuration that is in force, and the schema of its file
    Config {
        #[command(subcommand)]
        command: config::Command,
        #[command(flatten)]
        common: Common,
    },
    /// Checks this machine: disk, database, configuration, providers
    Doctor(doctor::Options),
    /// Tells whether alarms arrive
    Alarms {
        #[command(subcommand)]
        command: alarms::Command,
        #[command(flatten)]
        common: Common,
    },
    /// Lists, compares and updates models and prices
    Catalog {
        #[command(subcommand)]
        command: catalog::Command,
        #[command(flatten)]
        common: Common,
    },
    /// Says how a call would be routed, without making it
    Route {
        #[command(subcommand)]
        command: route::Command,
        #[command(flatten)]
        common: Common,
    },
    /// Says what serves, since when, and whether it is well
    Status(status::Options),
    /// Shows how a running server and its endpoints are doing, again and again
    Top(top::Options),
    /// Shows and changes the version of the database's tables
    Schema {
        #[command(subcommand)]
        command: schema::Command,
        #[command(flatten)]
        common: Common,
    },
    /// Copies everything durable into a directory, beside a running server
    Backup(backup::Options),
    /// Makes a data directory out of a backup
    Restore(restore::Options),
    /// Checks the books
    Ledger {
        #[command(subcommand)]
        command: ledger::Command,
        #[command(flatten)]
        common: Common,
    },
    /// Prints what completes this command line in a shell
    Completions(completions::Options),
    /// Writes the manual pages
    Man(man::Options),
}

/// Runs the program.
pub(crate) fn main() -> ExitCode {
    // clap exits with 2 where the command line is wrong.
    let cli = Cli::parse();
    let done = match cli.command {
        Command::Serve { common, take_over } => {
            crate::serve::serve(common.config.as_deref(), take_over)
        }
        Command::Init(options) => init::run(&options),
        Command::Account { command, common } => account::run(&command, &common),
        Command::Key { command, common } => key::run(command, &common),
        Command::Credit { command, common } => credit::run(&command, &common),
        Command::Batch { command, common } => batch::run(&command, &common),
        Command::Sim(options) => sim::run(&options),
        Command::Check(options) => check::run(&options),
        Command::Config { command, common } => config::run(&command, &common),
        Command::Doctor(options) => doctor::run(&options),
        Command::Alarms { command, common } => alarms::run(&command, &common),
        Command::Catalog { command, common } => catalog::run(command, &common),
        Command::Route { command, common } => route::run(&command, &common),
        Command::Status(options) => status::run(&options),
        Command::Top(options) => top::run(&options),
        Command::Schema { command, common } => schema::run(&command, &common),
        Command::Backup(options) => backup::run(&options),
        Command::Restore(options) => restore::run(&options),
        Command::Ledger { command, common } => ledger::run(&command, &common),
        Command::Completions(options) => completions::run(&options),
        Command::Man(options) => man::run(&options),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            match error.downcast_ref::<ConfigErrors>() {
                Some(mistakes) => output::complain(&mistakes.0),
                None if error.is::<Told>() => {}
                None => eprintln!("bourse: {error}"),
            }
            match error.is::<Misused>() {
                true => ExitCode::from(MISUSED),
                false => ExitCode::FAILURE,
            }
        }
    }
}

/// A runtime for a command that talks to the database.
pub(crate) fn block_on<T>(future: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?
        .block_on(future)
}

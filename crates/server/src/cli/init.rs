//! `bourse init`: a configuration file, and the data that it names.

mod file;

use std::fs::OpenOptions;
use std::io::{ErrorKind, IsTerminal as _, Write as _};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use clap::Args;

use super::{Common, Error, block_on, data, say};
use crate::config::{Config, DEFAULT_PATH};
use file::Wanted;

/// Writes a configuration file if there is none, and makes the data directory
/// and its database, or brings its tables up to date.
#[derive(Args)]
#[command(after_help = "\
Asks on a terminal what is not given; without one, or with --yes, the defaults are taken. A file
that is there is left as it is.

Examples:
  bourse init
  bourse init --yes --listen 0.0.0.0:8787 --provider openai --provider anthropic
  bourse init --config /etc/bourse/bourse.toml --data-dir /var/lib/bourse")]
pub(super) struct Options {
    #[command(flatten)]
    common: Common,
    /// Where to listen
    #[arg(long, value_name = "ADDRESS")]
    listen: Option<SocketAddr>,
    /// The directory of everything durable
    #[arg(long, value_name = "DIR")]
    data_dir: Option<PathBuf>,
    /// A provider that will be called, by its slug; may be repeated
    #[arg(long, value_name = "SLUG")]
    provider: Vec<String>,
    /// Asks nothing
    #[arg(long)]
    yes: bool,
}

pub(super) fn run(options: &Options) -> Result<(), Error> {
    let path = options.common.config.as_deref();
    let path = path.unwrap_or(Path::new(DEFAULT_PATH));
    if path.exists() {
        say(format_args!(
            "{} is there, and was left as it is.",
            path.display()
        ));
    } else {
        let wanted = wanted(options)?;
        write(path, &wanted.text())?;
        say(format_args!("{} was written.", path.display()));
        for variable in wanted.unset_variables() {
            say(format_args!(
                "  {variable} is not set yet; it must be when the server starts."
            ));
        }
    }
    let loaded = Config::load(Some(path));
    // A variable that is not set yet is for the server's environment; the
    // place of the data is known without it.
    let config = match loaded {
        Ok(config) => config,
        Err(mistakes) => {
            return Err(
                format!("{mistakes}\nThe data was not made: run `bourse init` again").into(),
            );
        }
    };
    make(&config)?;
    say(format_args!("{} is ready.", data::place(&config)));
    say(
        "\nNext:\n  bourse serve                    starts it; the first start prints two keys\n  \
         bourse check                    says what the configuration brings",
    );
    Ok(())
}

fn make(config: &Config) -> Result<(), Error> {
    std::fs::create_dir_all(&config.data_dir)
        .map_err(|error| format!("{}: {error}", config.data_dir.display()))?;
    block_on(async {
        let store = bourse_store::open(&config.database, &config.data_dir).await?;
        store.close().await;
        Ok(())
    })
}

/// Never over a file that somebody else has written meanwhile.
fn write(path: &Path, text: &str) -> Result<(), Error> {
    let say = |error: std::io::Error| format!("{}: {error}", path.display());
    if let Some(dir) = path.parent() {
        std::fs::create_dir_all(dir).map_err(say)?;
    }
    let mut new = OpenOptions::new();
    let mut file = match new.write(true).create_new(true).open(path) {
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {
            return Err(
                format!("{} was written by somebody else meanwhile", path.display()).into(),
            );
        }
        file => file.map_err(say)?,
    };
    file.write_all(text.as_bytes()).map_err(say)?;
    file.sync_all().map_err(say)?;
    Ok(())
}

/// What the flags say, and where they are silent, whoever sits there.
fn wanted(options: &Options) -> Result<Wanted, Error> {
    let asks = !options.yes && std::io::stdin().is_terminal() && std::io::stderr().is_terminal();
    let mut wanted = Wanted::default();
    match options.listen {
        Some(listen) => wanted.listen = listen,
        None if asks => wanted.listen = ask("Listen on", &wanted.listen.to_string())?.parse()?,
        None => {}
    }
    match &options.data_dir {
        Some(dir) => wanted.data_dir.clone_from(dir),
        None if asks => {
            let dir = wanted.data_dir.display().to_string();
            wanted.data_dir = ask("Keep keys, money and journal in", &dir)?.into();
        }
        None => {}
    }
    let mut slugs = options.provider.clone();
    if slugs.is_empty() && asks {
        let found = Wanted::in_environment().join(" ");
        let answer = ask("Providers to call (slugs; none: simulated)", &found)?;
        slugs = answer.split([' ', ',']).map(str::to_owned).collect();
        slugs.retain(|slug| !slug.is_empty());
    }
    wanted.set_providers(&slugs)?;
    Ok(wanted)
}

fn ask(question: &str, default: &str) -> Result<String, Error> {
    eprint!("{question} [{default}]: ");
    let mut answer = String::new();
    std::io::stdin().read_line(&mut answer)?;
    Ok(match answer.trim() {
        "" => default.to_owned(),
        answer => answer.to_owned(),
    })
}

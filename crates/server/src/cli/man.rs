//! `bourse man`: a manual page for each command.

use std::path::PathBuf;

use clap::{Args, CommandFactory as _};

use super::{Cli, Error, say};

#[derive(Args)]
#[command(after_help = "\
Examples:
  bourse man | man -l -                    the page of the program, at once
  bourse man --dir /usr/share/man/man1     a page for each command")]
pub(super) struct Options {
    /// Writes a page for each command into this directory
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
}

pub(super) fn run(options: &Options) -> Result<(), Error> {
    let command = Cli::command();
    let Some(dir) = &options.dir else {
        let mut page = Vec::new();
        clap_mangen::Man::new(command).render(&mut page)?;
        say(String::from_utf8(page)?.trim_end());
        return Ok(());
    };
    std::fs::create_dir_all(dir).map_err(|error| format!("{}: {error}", dir.display()))?;
    clap_mangen::generate_to(command, dir)
        .map_err(|error| format!("{}: {error}", dir.display()))?;
    Ok(())
}

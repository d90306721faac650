//! `bourse completions`.

use clap::{Args, CommandFactory as _};
use clap_complete::Shell;

use super::{Cli, Error, say};

#[derive(Args)]
#[command(after_help = "\
Examples:
  bourse completions bash > /etc/bash_completion.d/bourse
  bourse completions zsh > \"${fpath[1]}/_bourse\"
  bourse completions fish > ~/.config/fish/completions/bourse.fish")]
pub(super) struct Options {
    /// For which shell
    shell: Shell,
}

pub(super) fn run(options: &Options) -> Result<(), Error> {
    let mut script = Vec::new();
    clap_complete::generate(options.shell, &mut Cli::command(), "bourse", &mut script);
    say(String::from_utf8(script)?.trim_end());
    Ok(())
}

//! `bourse config`: what is in force, and what could be written.

use clap::Subcommand;
use serde_json::{Value, json};

use super::output::{plain, say, say_json};
use super::{Common, Error};
use crate::config::{self, Shown};

#[derive(Subcommand)]
pub(super) enum Command {
    /// Prints what is in force, with where each value comes from
    #[command(after_help = "\
Secrets are shown as ***. A value that nobody wrote is a comment: what follows can be read as a
configuration.

Examples:
  bourse config show
  bourse config show --config /etc/bourse/bourse.toml --json")]
    Show {
        /// Prints JSON
        #[arg(long)]
        json: bool,
    },
    /// Prints the JSON Schema of the file, for editors
    #[command(after_help = "\
Example:
  bourse config schema > bourse.schema.json

An editor that knows TOML (Taplo, Even Better TOML, tombi) reads it if the first line of the file is
  #:schema ./bourse.schema.json")]
    Schema,
}

pub(super) fn run(command: &Command, common: &Common) -> Result<(), Error> {
    match command {
        Command::Schema => say_json(config::schema()),
        Command::Show { json } => {
            let all = config::show(common.config.as_deref())?;
            match json {
                true => say_json(
                    &all.iter()
                        .filter(|one| !one.key.is_empty())
                        .map(told)
                        .collect::<Vec<_>>(),
                ),
                false => {
                    say(text(&all));
                    Ok(())
                }
            }
        }
    }
}

fn told(one: &Shown) -> Value {
    json!({
        "section": one.section,
        "key": one.key,
        "value": one.value,
        "source": one.source,
    })
}

/// As TOML that a server would read.
fn text(all: &[Shown]) -> String {
    let mut out = String::new();
    let mut section = None;
    for one in all {
        if section != Some(&one.section) || one.key.is_empty() {
            if !out.is_empty() {
                out.push('\n');
            }
            out.push_str(&format!("[{}]\n", one.section));
            section = Some(&one.section);
        }
        let source = plain(&one.source);
        match &one.value {
            _ if one.key.is_empty() => {}
            Some(value) if one.source.starts_with("default") => {
                out.push_str(&format!("# {} = {value}  # default\n", one.key));
            }
            Some(value) => out.push_str(&format!("{} = {value}  # {source}\n", one.key)),
            None => out.push_str(&format!("# {}: {source}\n", one.key)),
        }
    }
    out.trim_end().to_owned()
}

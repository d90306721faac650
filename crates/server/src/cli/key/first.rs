//! `bourse key first`: the keys that the first start made.

use std::path::Path;

use clap::Args;
use serde_json::json;

use super::super::output::{say, say_json};
use super::Error;
use crate::first_start::file;

#[derive(Args)]
pub(in crate::cli) struct Options {
    /// Removes the file
    #[arg(long)]
    forget: bool,
    /// Prints JSON
    #[arg(long, conflicts_with = "forget")]
    json: bool,
}

pub(super) fn run(data_dir: &Path, options: &Options) -> Result<(), Error> {
    let path = file::path(data_dir);
    let shown = path.display();
    if options.forget {
        say(if file::forget(data_dir)? {
            format!("{shown} is removed. The keys stay good; `bourse key list` shows them.")
        } else {
            format!("{shown} is not there, so nothing is to be removed.")
        });
        return Ok(());
    }
    let Some((inference, management)) = file::read(data_dir)? else {
        return Err(format!(
            "{shown} is not there: the first keys were printed, or are forgotten; `bourse key create` makes others"
        )
        .into());
    };
    if options.json {
        return say_json(&json!({ "api_key": inference, "management_key": management }));
    }
    say(format_args!("API key         {inference}"));
    say(format_args!("management key  {management}"));
    Ok(())
}

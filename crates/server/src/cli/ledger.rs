//! `bourse ledger`: checking the books.

use bourse_store::{SqliteStore, audit};
use clap::Subcommand;
use serde_json::json;

use super::{Common, Error, block_on, say};

#[derive(Subcommand)]
pub(super) enum Command {
    /// Recomputes every balance from the journal and reports any difference, to the nano-dollar
    #[command(after_help = "\
Works on a stopped server and beside a running one. Exits with 1 if anything differs.")]
    Verify {
        /// Prints JSON
        #[arg(long)]
        json: bool,
    },
}

pub(super) fn run(command: &Command, common: &Common) -> Result<(), Error> {
    let Command::Verify { json } = command;
    let config = common.load()?;
    block_on(async {
        let store = SqliteStore::open(&config.data_dir).await?;
        let (report, unapplied) = audit::verify(&store, &config.data_dir).await?;
        store.close().await;
        let differences: Vec<_> = report.differences.iter().map(ToString::to_string).collect();
        if *json {
            say(json!({
                "balanced": report.is_balanced(),
                "compared": report.compared,
                "generations": report.generations,
                "accounts": report.accounts,
                "differences": differences,
                "unapplied": unapplied.as_ref().map(|unapplied| format!("{unapplied:?}")),
            }));
        } else {
            say(format_args!(
                "{} sums compared over {} accounts and {} calls.",
                report.compared, report.accounts, report.generations
            ));
            if let Some(unapplied) = &unapplied {
                say(format_args!("Not in the database yet: {unapplied:?}"));
            }
        }
        if report.is_balanced() {
            if !*json {
                say("The books balance to the nano-dollar.");
            }
            return Ok(());
        }
        Err(format!("the books do not balance:\n  {}", differences.join("\n  ")).into())
    })
}

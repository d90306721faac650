//! `bourse ledger`: checking the books, and handing them out.

mod export;

use bourse_store::verify;
use bourse_vocab::Nanos;
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
    /// Prints every settled call with its tokens and what was paid, as CSV or JSON lines
    Export(export::Options),
}

pub(super) fn run(command: &Command, common: &Common) -> Result<(), Error> {
    match command {
        Command::Verify { json } => verify(*json, common),
        Command::Export(options) => export::run(options, common),
    }
}

fn verify(json: bool, common: &Common) -> Result<(), Error> {
    let config = common.load()?;
    block_on(async {
        let store = super::open_store(&config).await?;
        let (report, unapplied) = verify::verify(&*store, &config.data_dir).await?;
        let open = store.open_holds().await?;
        store.close().await;
        let held = open
            .iter()
            .fold(Nanos::ZERO, |sum, hold| sum.saturating_add(hold.amount));
        let findings = report.findings();
        if json {
            say(json!({
                "balanced": report.is_balanced(),
                "compared": report.compared,
                "generations": report.generations,
                "accounts": report.accounts,
                "open_holds": open.len(),
                "held": held.to_string(),
                "differences": findings,
                "rows": report.rows.rows,
                "rows_with_hash": report.rows.linked,
                "unapplied": unapplied.as_ref().map(|unapplied| format!("{unapplied:?}")),
            }));
        } else {
            say(format_args!(
                "{} sums compared over {} accounts and {} calls; {held} USD on hold for {} running calls.",
                report.compared,
                report.accounts,
                report.generations,
                open.len()
            ));
            say(format_args!(
                "{} rows of ended calls held to their records, {} of them by a hash.",
                report.rows.rows, report.rows.linked
            ));
            if let Some(unapplied) = &unapplied {
                say(format_args!("Not in the database yet: {unapplied:?}"));
            }
        }
        if report.is_balanced() {
            if !json {
                say("The books balance to the nano-dollar.");
            }
            return Ok(());
        }
        Err(format!("the books do not balance:\n  {}", findings.join("\n  ")).into())
    })
}

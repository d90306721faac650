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
    /// Makes a damaged journal usable again, and says what was lost
    #[command(after_help = "\
For a server that refuses to start because of its journal; it must be stopped. Every record that
can be read is kept. The damaged files stay beside it, as they were, under the name that is
printed: a better copy from a backup is worth more than a repair.")]
    Repair {
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
        Command::Repair { json } => repair(*json, common),
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
                for damage in &unapplied.harmless {
                    say(format_args!(
                        "{damage}: the database has those records, so nothing is lost"
                    ));
                }
                if unapplied.is_missing {
                    say(
                        "The journal is missing: what it held beyond the database, if anything, is lost.",
                    );
                }
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

fn repair(json: bool, common: &Common) -> Result<(), Error> {
    let config = common.load()?;
    block_on(async {
        let store = super::open_store(&config).await?;
        let mended = verify::repair(&*store, &config.data_dir).await?;
        store.close().await;
        let Some(mended) = mended else {
            if json {
                say(json!({"repaired": false}));
            } else {
                say("Nothing keeps a server from starting with this journal.");
            }
            return Ok(());
        };
        let aside = mended.spool.aside.display().to_string();
        if json {
            say(json!({
                "repaired": true,
                "damage": mended.spool.damage,
                "aside": aside,
                "records": mended.spool.records,
                "lost_bytes": mended.spool.lost_bytes,
                "orphans": mended.orphans,
                "open_holds": mended.open_holds,
                "held": mended.held.to_string(),
            }));
            return Ok(());
        }
        say(&mended.spool.damage);
        say(format_args!(
            "{} records were kept and {} bytes could not be read; {} of the records are of calls whose beginning is lost, and nobody pays for these.",
            mended.spool.records, mended.spool.lost_bytes, mended.orphans
        ));
        say(format_args!(
            "{} calls with {} USD set aside have no end: the next start closes them by what was last known to be delivered.",
            mended.open_holds, mended.held
        ));
        say(format_args!("The damaged files are in {aside}."));
        Ok(())
    })
}

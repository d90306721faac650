//! `bourse ledger`: checking the books, and handing them out.

mod export;
mod verify;

use bourse_store::verify as books;
use clap::Subcommand;
use serde_json::json;

use super::{Common, Error, block_on, data, say};

#[derive(Subcommand)]
pub(super) enum Command {
    /// Recomputes every balance from the journal and reports any difference, to the nano-dollar
    #[command(after_help = "\
Works on a stopped server and beside a running one. Exits with 1 if anything differs.

A running server has the newest balances in memory. If a management key is given, and a server
answers where the configuration says that it listens, it compares every balance, limit, loan and
hold in its memory with the journal and the database, at one position of the journal for each
account, while calls go on. Without one only the files are compared, and the output says so.

Examples:
  bourse ledger verify
  BOURSE_MANAGEMENT_KEY=sk-... bourse ledger verify --json")]
    Verify(verify::Options),
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
        Command::Verify(options) => verify::run(options, common),
        Command::Repair { json } => repair(*json, common),
        Command::Export(options) => export::run(options, common),
    }
}

fn repair(json: bool, common: &Common) -> Result<(), Error> {
    let config = common.load()?;
    block_on(async {
        let store = data::existing(&config).await?;
        let mended = books::repair(&*store, &config.data_dir).await?;
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

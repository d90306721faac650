//! `bourse schema`: the version of the database's tables.

use bourse_dataplane::clock::now_ms;
use bourse_spool::DataDirLock;
use bourse_store::Step;
use clap::Subcommand;
use serde_json::json;

use super::output::{plain, say, say_table, table};
use super::{Common, Error, block_on, data};
use crate::place;

#[derive(Subcommand)]
pub(super) enum Command {
    /// Shows which steps the database has taken
    Status {
        /// Prints JSON
        #[arg(long)]
        json: bool,
    },
    /// Shows which steps `up`, and the next start of a server, would take
    Plan {
        /// Prints JSON
        #[arg(long)]
        json: bool,
    },
    /// Takes every step that is missing
    #[command(after_help = "\
A server does the same when it starts. Each step is taken whole or not at all.")]
    Up {
        /// Prints JSON
        #[arg(long)]
        json: bool,
    },
    /// Takes the last step back, so that an older program can use the database
    #[command(after_help = "\
Stop the server first. A step whose way back loses rows is refused without --lose-data.")]
    Down {
        /// Takes one step back (there is no way to take several at once)
        #[arg(long, required = true)]
        one: bool,
        /// Goes back even where that loses rows
        #[arg(long)]
        lose_data: bool,
        /// Prints JSON
        #[arg(long)]
        json: bool,
    },
}

pub(super) fn run(command: &Command, common: &Common) -> Result<(), Error> {
    let config = common.load()?;
    block_on(async {
        let store = data::found(&config).await?;
        let done = match command {
            Command::Status { json } => {
                let steps = store.schema().await?;
                show(&steps, *json, "no steps");
                Ok(())
            }
            Command::Plan { json } => {
                let mut steps = store.schema().await?;
                steps.retain(|step| !step.applied);
                show(&steps, *json, "nothing to do");
                Ok(())
            }
            Command::Up { json } => {
                let steps = store.schema_up().await?;
                show(&steps, *json, "nothing to do");
                Ok(())
            }
            Command::Down {
                lose_data, json, ..
            } => {
                // Neither a server here nor one elsewhere may be at work.
                let lock = DataDirLock::acquire(&config.data_dir)?;
                store
                    .serve(&place::here(&config.data_dir, &lock, now_ms())?, false)
                    .await?;
                let done = store.schema_down(*lose_data).await;
                store.retire().await?;
                done.map(|step| {
                    show(step.as_slice(), *json, "there is no step to take back");
                })
                .map_err(Error::from)
            }
        };
        store.close().await;
        done
    })
}

fn show(steps: &[Step], as_json: bool, none: &str) {
    if as_json {
        let rows: Vec<_> = steps
            .iter()
            .map(|step| {
                json!({
                    "version": step.version,
                    "name": step.name,
                    "applied": step.applied,
                    "going_back_loses": step.loses,
                })
            })
            .collect();
        say(json!(rows));
        return;
    }
    let mut rows = table(["step", "brings", "taken", "going back loses"]);
    for step in steps {
        rows.add_row([
            step.version.to_string(),
            plain(step.name),
            if step.applied { "yes" } else { "no" }.to_owned(),
            step.loses.to_owned(),
        ]);
    }
    say_table(&rows, none);
}

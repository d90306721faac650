//! `bourse batch`: batches of all accounts, for whoever runs the server.

use bourse_dataplane::clock::now_ms;
use bourse_jobs::batch::label;
use bourse_store::{BatchRow, BatchState, BatchesPage};
use bourse_vocab::BatchId;
use clap::Subcommand;
use serde_json::json;

use super::output::{self, say, say_table};
use super::{Common, Error, block_on, data};

/// Batches that are listed: what a screen or two show.
const LISTED: u64 = 100;

#[derive(Subcommand)]
pub(super) enum Command {
    /// Lists the newest batches of all accounts
    List {
        /// Prints JSON
        #[arg(long)]
        json: bool,
    },
    /// Shows a batch
    Show {
        /// Its id, with or without what stands in front: batch_…, msgbatch_…
        id: String,
        /// Prints JSON
        #[arg(long)]
        json: bool,
    },
    /// Tells a batch to end; what was answered stays
    Cancel {
        /// Its id, with or without what stands in front: batch_…, msgbatch_…
        id: String,
    },
}

fn id_of(text: &str) -> Result<BatchId, Error> {
    let digits = text.rsplit('_').next().unwrap_or(text);
    let id = digits.parse();
    id.map_err(|_| format!("`{text}` is no id of a batch; `bourse batch list` has them").into())
}

fn told(row: &BatchRow) -> serde_json::Value {
    let counts = row.counts;
    json!({
        "id": label(row.id),
        "account": row.account.0,
        "endpoint": row.endpoint,
        "status": row.state.name(),
        "paused": (!row.paused.is_empty()).then_some(&row.paused),
        "created_at_ms": row.created_at_ms,
        "expires_at_ms": row.expires_at_ms,
        "ended_at_ms": row.ended_at_ms,
        "lines": {
            "total": counts.total,
            "completed": counts.completed,
            "failed": counts.failed,
            "expired": counts.expired,
            "cancelled": counts.cancelled,
        },
    })
}

fn table(rows: &[BatchRow]) -> comfy_table::Table {
    let mut table = output::table([
        "batch", "account", "endpoint", "status", "lines", "answered", "failed",
    ]);
    for row in rows {
        let status = match row.paused.is_empty() {
            true => row.state.name().to_owned(),
            false => format!(
                "{}, waits: {}",
                row.state.name(),
                output::plain(&row.paused)
            ),
        };
        table.add_row([
            label(row.id),
            row.account.0.to_string(),
            row.endpoint.clone(),
            status,
            row.counts.total.to_string(),
            row.counts.completed.to_string(),
            row.counts.failed.to_string(),
        ]);
    }
    table
}

pub(super) fn run(command: &Command, common: &Common) -> Result<(), Error> {
    let config = common.load()?;
    let missing = || Error::from("there is no such batch; `bourse batch list` has them");
    block_on(async {
        let store = data::existing(&config).await?;
        match command {
            Command::List { json } => {
                let page = BatchesPage {
                    account: None,
                    shape: None,
                    after: None,
                    before: None,
                    count_max: LISTED,
                };
                let rows = store.batches(page).await?;
                if *json {
                    let rows: Vec<_> = rows.iter().map(told).collect();
                    say(serde_json::to_string_pretty(&rows)?);
                } else {
                    say_table(&table(&rows), "no batches");
                }
            }
            Command::Show { id, json } => {
                let row = store.batch(id_of(id)?).await?.ok_or_else(missing)?;
                if *json {
                    say(serde_json::to_string_pretty(&told(&row))?);
                } else {
                    say(table(std::slice::from_ref(&row)));
                }
            }
            Command::Cancel { id } => {
                let id = id_of(id)?;
                let row = store.cancel_batch(id, now_ms()).await?;
                let row = row.ok_or_else(missing)?;
                if row.state != BatchState::Cancelling {
                    let state = row.state.name();
                    return Err(format!("{} is {state}; it cannot be cancelled", label(id)).into());
                }
                say(format_args!("{}: {}", label(id), row.state.name()));
            }
        }
        store.close().await;
        Ok(())
    })
}

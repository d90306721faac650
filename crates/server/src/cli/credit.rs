//! `bourse credit`: money on accounts.

use bourse_dataplane::clock::now_ms;
use bourse_ledger::GrantKind;
use bourse_store::Grant;
use bourse_vocab::Nanos;
use clap::Subcommand;
use serde_json::json;

use super::{Common, Error, block_on, say};
use crate::first_start::DEFAULT_ACCOUNT;

#[derive(Subcommand)]
pub(super) enum Command {
    /// Adds credit to an account (a negative amount is a correction)
    #[command(after_help = "\
Examples:
  bourse credit grant --usd 100
  bourse credit grant --usd 25.50 --reference invoice-17   a second run changes nothing")]
    Grant {
        /// How much, in USD
        #[arg(long, allow_hyphen_values = true)]
        usd: Nanos,
        /// To whom: an account's name
        #[arg(long, default_value = DEFAULT_ACCOUNT)]
        account: String,
        /// Why, for the books
        #[arg(long, default_value = "granted on the command line")]
        note: String,
        /// Names the grant: the same again changes nothing, and another one with this reference is refused
        #[arg(long)]
        reference: Option<String>,
        /// Given away rather than paid for
        #[arg(long)]
        promo: bool,
        /// Prints JSON
        #[arg(long)]
        json: bool,
    },
    /// Shows what accounts have
    List {
        /// Prints JSON
        #[arg(long)]
        json: bool,
    },
}

pub(super) fn run(command: &Command, common: &Common) -> Result<(), Error> {
    let config = common.load()?;
    block_on(async {
        let store = super::open_store(&config).await?;
        match command {
            Command::Grant {
                usd,
                account,
                note,
                reference,
                promo,
                json,
            } => {
                let id = super::key::account_or_new(&*store, account).await?;
                let row = store
                    .grant(Grant {
                        account: id,
                        kind: if *promo {
                            GrantKind::Promo
                        } else {
                            GrantKind::TopUp
                        },
                        amount: *usd,
                        note: note.clone(),
                        reference: reference.clone(),
                        at_ms: now_ms(),
                    })
                    .await?;
                if *json {
                    say(
                        json!({"account": row.name, "granted": row.granted.to_string(), "spent": row.spent.to_string()}),
                    );
                } else {
                    say(format_args!(
                        "{}: {} USD granted in all, {} USD spent",
                        row.name, row.granted, row.spent
                    ));
                }
            }
            Command::List { json } => {
                let accounts = store.accounts().await?;
                if *json {
                    let rows: Vec<_> = accounts
                        .iter()
                        .map(|row| json!({"account": row.name, "granted": row.granted.to_string(), "spent": row.spent.to_string()}))
                        .collect();
                    say(serde_json::to_string_pretty(&rows)?);
                } else {
                    let mut table = comfy_table::Table::new();
                    table.set_header(["account", "granted USD", "spent USD", "left USD"]);
                    for row in accounts {
                        let left = row.granted.saturating_sub(row.spent);
                        table.add_row([
                            row.name,
                            row.granted.to_string(),
                            row.spent.to_string(),
                            left.to_string(),
                        ]);
                    }
                    say(table);
                }
            }
        }
        store.close().await;
        Ok(())
    })
}

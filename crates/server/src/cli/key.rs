//! `bourse key`: API keys from the command line, beside a running server.

use bourse_dataplane::clock::now_ms;
use bourse_policy::{CallDefaults, KeyKind};
use bourse_store::Store;
use bourse_vocab::Nanos;
use clap::Subcommand;
use serde_json::json;

use super::{Common, Error, block_on, say};
use crate::first_start::DEFAULT_ACCOUNT;
use crate::keys::{self, NewKeyRequest};

#[derive(Subcommand)]
pub(super) enum Command {
    /// Makes a key and prints it, once
    #[command(after_help = "\
Examples:
  KEY=$(bourse key create --quiet)
  bourse key create --name ci --limit 5        at most 5 USD, ever
  bourse key create --management --name admin  administers, cannot call models")]
    Create {
        /// A management key: administers, cannot call models
        #[arg(long)]
        management: bool,
        /// A name for people
        #[arg(long, default_value = "key")]
        name: String,
        /// The most it may spend, in USD
        #[arg(long, value_name = "USD")]
        limit: Option<Nanos>,
        /// Its calls fail rather than have a provider told a part of them
        #[arg(long, conflicts_with = "management")]
        strict: bool,
        /// Whose key: an account's name
        #[arg(long, default_value = DEFAULT_ACCOUNT)]
        account: String,
        /// Prints the key and nothing else
        #[arg(long)]
        quiet: bool,
        /// Prints JSON
        #[arg(long)]
        json: bool,
    },
    /// Lists keys: names, labels and spending, never the keys themselves
    List {
        /// Prints JSON
        #[arg(long)]
        json: bool,
    },
}

pub(super) fn run(command: Command, common: &Common) -> Result<(), Error> {
    let config = common.load()?;
    block_on(async {
        let store = super::open_store(&config).await?;
        match command {
            Command::Create {
                management,
                name,
                limit,
                strict,
                account,
                quiet,
                json,
            } => {
                if limit.is_some_and(Nanos::is_negative) {
                    return Err("--limit: must not be negative".into());
                }
                let account = account_or_new(&*store, &account).await?;
                let kind = if management {
                    KeyKind::Management
                } else {
                    KeyKind::Inference
                };
                let request = NewKeyRequest {
                    account,
                    kind,
                    name: &name,
                    limit,
                    calls: CallDefaults {
                        strict,
                        ..CallDefaults::default()
                    },
                };
                let key = keys::create(&*store, request, now_ms()).await?;
                if json {
                    say(
                        json!({"key": key.reveal(), "hash": key.hash().to_string(), "label": key.label(), "name": name}),
                    );
                } else if quiet {
                    say(key.reveal());
                } else {
                    say(format_args!(
                        "{}\n\nKeep it: it is shown once.",
                        key.reveal()
                    ));
                }
            }
            Command::List { json } => list(&*store, json).await?,
        }
        store.close().await;
        Ok(())
    })
}

/// The default account comes into being when it is first named; others must
/// exist, so that a typing error does not open one.
pub(super) async fn account_or_new(
    store: &dyn Store,
    name: &str,
) -> Result<bourse_vocab::AccountId, Error> {
    if let Some(account) = store.account_by_name(name).await? {
        return Ok(account.id);
    }
    if name == DEFAULT_ACCOUNT {
        return Ok(store.create_account(name, now_ms()).await?.id);
    }
    let known: Vec<_> = store
        .accounts()
        .await?
        .into_iter()
        .map(|account| account.name)
        .collect();
    Err(format!(
        "--account: there is no account `{name}`; there are: {}",
        known.join(", ")
    )
    .into())
}

async fn list(store: &dyn Store, as_json: bool) -> Result<(), Error> {
    let keys = store.keys(None, true, 0, 10_000).await?;
    if as_json {
        let rows: Vec<_> = keys
            .iter()
            .map(|key| {
                json!({
                    "hash": key.key.hash.to_string(),
                    "label": key.key.label,
                    "name": key.key.name,
                    "management": key.key.kind == KeyKind::Management,
                    "disabled": key.disabled,
                    "strict": key.key.calls.strict,
                    "limit": key.key.limit.map(|limit| limit.to_string()),
                    "usage": key.spent.total.to_string(),
                })
            })
            .collect();
        say(serde_json::to_string_pretty(&rows)?);
        return Ok(());
    }
    let mut table = comfy_table::Table::new();
    table.set_header(["label", "name", "kind", "state", "limit USD", "spent USD"]);
    for key in keys {
        let kind = match (key.key.kind, key.key.calls.strict) {
            (KeyKind::Management, _) => "management",
            (KeyKind::Inference, false) => "inference",
            (KeyKind::Inference, true) => "inference, strict",
        };
        table.add_row([
            key.key.label,
            key.key.name,
            kind.to_owned(),
            if key.disabled { "disabled" } else { "active" }.to_owned(),
            key.key
                .limit
                .map_or_else(|| "-".to_owned(), |limit| limit.to_string()),
            key.spent.total.to_string(),
        ]);
    }
    say(table);
    Ok(())
}

//! `bourse credit`: money on accounts.

use bourse_dataplane::clock::now_ms;
use bourse_ledger::GrantKind;
use bourse_store::{Grant, GrantRow, Store};
use bourse_vocab::Nanos;
use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::output::{confirm, plain, say, say_json, say_table, table};
use super::{Common, Error, account, block_on, data, when};
use crate::first_start::DEFAULT_ACCOUNT;

#[derive(Subcommand)]
pub(super) enum Command {
    /// Adds credit to an account (a negative amount is a correction)
    Grant(GrantOptions),
    /// Shows what accounts have
    List {
        /// Prints JSON
        #[arg(long)]
        json: bool,
    },
    /// Shows what was granted, newest first
    #[command(after_help = "\
What was spent is in `bourse ledger export`.")]
    History {
        /// Only to this account, by name
        #[arg(long)]
        account: Option<String>,
        /// How many to show
        #[arg(long, default_value_t = 100, value_name = "GRANTS", value_parser = clap::value_parser!(u64).range(1..=10_000))]
        count: u64,
        /// Prints JSON
        #[arg(long)]
        json: bool,
    },
}

#[derive(Args)]
#[command(after_help = "\
Examples:
  bourse credit grant --usd 100
  bourse credit grant --usd 25.50 --reference invoice-17   a second run changes nothing
  bourse credit grant --usd=-5 --note \"invoice-17 was cancelled\"")]
pub(super) struct GrantOptions {
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
    /// Does not ask before a correction that leaves the account with less than nothing
    #[arg(long)]
    below_zero: bool,
    /// Prints JSON
    #[arg(long)]
    json: bool,
}

pub(super) fn run(command: &Command, common: &Common) -> Result<(), Error> {
    let config = common.load()?;
    block_on(async {
        let store = data::existing(&config).await?;
        let done = act(&*store, command).await;
        store.close().await;
        done
    })
}

async fn act(store: &dyn Store, command: &Command) -> Result<(), Error> {
    match command {
        Command::Grant(options) => grant(store, options).await,
        Command::List { json } => account::list(&store.accounts().await?, *json),
        Command::History {
            account,
            count,
            json,
        } => history(store, account.as_deref(), *count, *json).await,
    }
}

async fn grant(store: &dyn Store, options: &GrantOptions) -> Result<(), Error> {
    let id = account::find_or_default(store, &options.account).await?;
    let before = store.account(id).await?;
    let before = before.ok_or("the account is gone")?;
    let left = |granted: Nanos| granted.saturating_sub(before.spent);
    let after = left(before.granted.saturating_add(options.usd));
    if options.usd.is_negative() && after.is_negative() {
        let name = plain(&before.name);
        let has = left(before.granted);
        confirm(
            &format!("{name} has {has} USD left; that would leave it with {after}. Go on?"),
            options.below_zero,
            "--below-zero",
        )?;
    }
    let row = store
        .grant(Grant {
            account: id,
            kind: match options.promo {
                true => GrantKind::Promo,
                false => GrantKind::TopUp,
            },
            amount: options.usd,
            note: options.note.clone(),
            reference: options.reference.clone(),
            at_ms: now_ms(),
        })
        .await?;
    let is_new = row.change_seq != before.change_seq;
    let left = row.granted.saturating_sub(row.spent);
    if options.json {
        say(json!({
            "account": row.name,
            "booked": is_new,
            "granted": row.granted.to_string(),
            "spent": row.spent.to_string(),
            "left": left.to_string(),
        }));
        return Ok(());
    }
    let what = match (is_new, &options.reference) {
        (false, Some(reference)) => {
            format!("`{}` was booked before; nothing changed", plain(reference))
        }
        _ => format!("{} USD granted now", options.usd),
    };
    say(format_args!(
        "{}: {what}; {} USD granted in all, {} USD spent, {left} USD left",
        plain(&row.name),
        row.granted,
        row.spent
    ));
    Ok(())
}

async fn history(
    store: &dyn Store,
    account: Option<&str>,
    count: u64,
    as_json: bool,
) -> Result<(), Error> {
    let only = match account {
        Some(name) => Some(account::find(store, name).await?.id),
        None => None,
    };
    let rows = store.grants(only, count).await?;
    if as_json {
        return say_json(&rows.iter().map(told).collect::<Vec<_>>());
    }
    let mut grants = table(["when", "account", "USD", "kind", "note", "reference"]);
    for row in &rows {
        let grant = &row.grant;
        grants.add_row([
            when::shown(grant.at_ms),
            plain(&row.account_name),
            grant.amount.to_string(),
            grant.kind.name().to_owned(),
            plain(&grant.note),
            plain(grant.reference.as_deref().unwrap_or("-")),
        ]);
    }
    say_table(&grants, "nothing was granted");
    Ok(())
}

fn told(row: &GrantRow) -> Value {
    let grant = &row.grant;
    json!({
        "at": when::shown(grant.at_ms),
        "account": row.account_name,
        "amount": grant.amount.to_string(),
        "kind": grant.kind.name(),
        "note": grant.note,
        "reference": grant.reference,
    })
}

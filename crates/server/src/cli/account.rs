//! `bourse account`: who pays. An account has its own credit and keys.

use bourse_dataplane::clock::now_ms;
use bourse_store::{AccountRow, Store};
use bourse_vocab::AccountId;
use clap::Subcommand;
use serde_json::{Value, json};

use super::output::{plain, say, say_json, say_table, table};
use super::{Common, Error, block_on, data, when};
use crate::first_start::DEFAULT_ACCOUNT;

/// Longest name, in characters: what a table can show.
const NAME_CHARS_MAX: usize = 100;

#[derive(Subcommand)]
pub(super) enum Command {
    /// Makes an account
    #[command(after_help = "\
Examples:
  bourse account create research
  bourse credit grant --account research --usd 100
  bourse key create --account research --name ada")]
    Create {
        /// Its name, of its own
        name: String,
        /// Prints JSON
        #[arg(long)]
        json: bool,
    },
    /// Lists accounts and what they have
    List {
        /// Prints JSON
        #[arg(long)]
        json: bool,
    },
    /// Shows an account
    Show {
        /// Its name
        name: String,
        /// Prints JSON
        #[arg(long)]
        json: bool,
    },
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
        Command::Create { name, json } => {
            check_name(name)?;
            let row = store.create_account(name, now_ms()).await?;
            match json {
                true => say_json(&told(&row)),
                false => {
                    say(format_args!(
                        "{name}: made; `bourse credit grant --account {name} --usd …` gives it money"
                    ));
                    Ok(())
                }
            }
        }
        Command::List { json } => list(&store.accounts().await?, *json),
        Command::Show { name, json } => {
            let row = find(store, name).await?;
            match json {
                true => say_json(&told(&row)),
                false => list(std::slice::from_ref(&row), false),
            }
        }
    }
}

fn check_name(name: &str) -> Result<(), Error> {
    let count = name.chars().count();
    if !(1..=NAME_CHARS_MAX).contains(&count) || name.trim() != name || plain(name) != name {
        return Err(format!(
            "a name has 1 to {NAME_CHARS_MAX} characters, no space at either end, and nothing that \
             cannot be seen"
        )
        .into());
    }
    Ok(())
}

fn told(row: &AccountRow) -> Value {
    json!({
        "id": row.id.0,
        "account": row.name,
        "granted": row.granted.to_string(),
        "spent": row.spent.to_string(),
        "left": row.granted.saturating_sub(row.spent).to_string(),
        "created_at": when::shown(row.created_at_ms),
    })
}

/// Shows accounts with what they have.
///
/// # Errors
/// They cannot be written as JSON.
pub(super) fn list(rows: &[AccountRow], as_json: bool) -> Result<(), Error> {
    if as_json {
        return say_json(&rows.iter().map(told).collect::<Vec<_>>());
    }
    let mut accounts = table(["account", "granted USD", "spent USD", "left USD"]);
    for row in rows {
        accounts.add_row([
            plain(&row.name),
            row.granted.to_string(),
            row.spent.to_string(),
            row.granted.saturating_sub(row.spent).to_string(),
        ]);
    }
    say_table(&accounts, "no accounts");
    Ok(())
}

/// The account of this name.
///
/// # Errors
/// There is none; says which there are.
pub(super) async fn find(store: &dyn Store, name: &str) -> Result<AccountRow, Error> {
    /// Names that an error lists.
    const LISTED: usize = 10;
    if let Some(account) = store.account_by_name(name).await? {
        return Ok(account);
    }
    let known = store.accounts().await?;
    let names: Vec<_> = known.iter().take(LISTED).map(|a| plain(&a.name)).collect();
    let more = if known.len() > LISTED { ", …" } else { "" };
    Err(format!(
        "there is no account `{}`; there are: {}{more} (`bourse account create` makes one)",
        plain(name),
        names.join(", ")
    )
    .into())
}

/// The same; but the default account comes into being when it is first named.
/// Others must exist, so that a typing error does not open one.
///
/// # Errors
/// As for [`find`].
pub(super) async fn find_or_default(store: &dyn Store, name: &str) -> Result<AccountId, Error> {
    if name == DEFAULT_ACCOUNT && store.account_by_name(name).await?.is_none() {
        return Ok(store.create_account(name, now_ms()).await?.id);
    }
    Ok(find(store, name).await?.id)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_cannot_be_told_apart_by_eye_are_refused() {
        for good in ["default", "research team", "Zürich"] {
            assert!(check_name(good).is_ok(), "{good}");
        }
        let long = "x".repeat(NAME_CHARS_MAX + 1);
        for bad in ["", " a", "a ", "a\nb", "a\u{202e}b", &long] {
            assert!(check_name(bad).is_err(), "{bad:?}");
        }
    }
}

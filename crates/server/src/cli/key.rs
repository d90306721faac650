//! `bourse key`: API keys from the command line, beside a running server,
//! which goes by a change within a second.

mod create;
mod find;
mod first;
mod rotate;
mod shown;

use bourse_dataplane::clock::now_ms;
use bourse_policy::Period;
use bourse_store::{KeyPatch, Store};
use bourse_vocab::{AccountId, Nanos};
use clap::{Args, Subcommand, ValueEnum};

use super::output::{confirm, say, say_json, say_table};
use super::{Common, Error, account, block_on, data, when};

/// Keys on a page, as in the API.
const PAGE: u64 = 100;

#[derive(Subcommand)]
pub(super) enum Command {
    /// Makes a key and prints it, once
    Create(create::Options),
    /// Lists keys: names, labels and spending, never the keys themselves
    #[command(after_help = "\
Newest first, 100 on a page: --offset 100 shows the next.")]
    List {
        /// Only this account's, by name
        #[arg(long)]
        account: Option<String>,
        /// Skips so many
        #[arg(long, default_value_t = 0, value_name = "KEYS")]
        offset: u64,
        /// Prints JSON
        #[arg(long)]
        json: bool,
    },
    /// Shows a key
    Show {
        #[command(flatten)]
        key: Named,
        /// Prints JSON
        #[arg(long)]
        json: bool,
    },
    /// Changes a key's name, limit or expiry
    #[command(after_help = "\
Examples:
  bourse key set ci --limit 20 --limit-reset monthly
  bourse key set ci --limit none                        no limit but the account's credit
  bourse key set ci --expires 30d")]
    Set(Set),
    /// Shows the first keys, if the server put them into a file
    #[command(after_help = "\
Examples:
  bourse key first                 shows them
  bourse key first --forget        removes the file; the keys stay good")]
    First(first::Options),
    /// Switches a key off; `enable` switches it on again
    Disable {
        #[command(flatten)]
        key: Named,
    },
    /// Switches a key on again
    Enable {
        #[command(flatten)]
        key: Named,
    },
    /// Makes a key in place of another one, which ends
    Rotate(rotate::Options),
    /// Deletes a key for good; its calls stay in the books
    Delete {
        #[command(flatten)]
        key: Named,
        /// Does not ask
        #[arg(long)]
        yes: bool,
    },
}

/// Which key.
#[derive(Args)]
pub(super) struct Named {
    /// Its name, its label (sk-bourse-v1-abc...xyz), its hash or the beginning of that
    #[arg(value_name = "KEY")]
    key: String,
    /// Whose it is, if several accounts have one of this name
    #[arg(long)]
    account: Option<String>,
}

/// After how long a limit starts anew.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Reset {
    Daily,
    Weekly,
    Monthly,
    /// Never
    None,
}

impl Reset {
    const fn period(self) -> Option<Period> {
        match self {
            Self::Daily => Some(Period::Daily),
            Self::Weekly => Some(Period::Weekly),
            Self::Monthly => Some(Period::Monthly),
            Self::None => None,
        }
    }
}

/// Something, or the word `none`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum OrNone<T> {
    Some(T),
    None,
}

impl<T> OrNone<T> {
    fn read(text: &str, read: impl FnOnce(&str) -> Result<T, String>) -> Result<Self, String> {
        match text {
            "none" => Ok(Self::None),
            text => read(text).map(Self::Some),
        }
    }

    fn option(self) -> Option<T> {
        match self {
            Self::Some(value) => Some(value),
            Self::None => None,
        }
    }
}

fn limit(text: &str) -> Result<Nanos, String> {
    let limit: Nanos = text.parse().map_err(|error| format!("{error}"))?;
    match limit.is_negative() {
        true => Err("must not be negative".to_owned()),
        false => Ok(limit),
    }
}

fn limit_or_none(text: &str) -> Result<OrNone<Nanos>, String> {
    OrNone::read(text, limit)
}

/// A moment, or how long from now.
fn expiry(text: &str) -> Result<u64, String> {
    let now = now_ms();
    let at = when::duration(text).map_or_else(|_| when::moment(text), |ms| Ok(now + ms));
    let at = at.map_err(|why| format!("{why}, nor a time from now (30d)"))?;
    match at > now {
        true => Ok(at),
        false => Err("is in the past; `bourse key disable` switches a key off now".to_owned()),
    }
}

fn expiry_or_none(text: &str) -> Result<OrNone<u64>, String> {
    OrNone::read(text, expiry)
}

#[derive(Args)]
pub(super) struct Set {
    #[command(flatten)]
    key: Named,
    /// A new name
    #[arg(long)]
    name: Option<String>,
    /// The most it may spend, in USD, or `none`
    #[arg(long, value_name = "USD", value_parser = limit_or_none, allow_hyphen_values = true)]
    limit: Option<OrNone<Nanos>>,
    /// When the limit starts anew
    #[arg(long, value_name = "PERIOD")]
    limit_reset: Option<Reset>,
    /// When it ends: a date, a moment, a time from now (30d), or `none`
    #[arg(long, value_name = "WHEN", value_parser = expiry_or_none)]
    expires: Option<OrNone<u64>>,
    /// Whether its calls fail rather than have a provider told a part of them
    #[arg(long, value_name = "true|false")]
    strict: Option<bool>,
    /// Prints JSON
    #[arg(long)]
    json: bool,
}

impl Set {
    fn patch(&self) -> Result<KeyPatch, Error> {
        let patch = KeyPatch {
            name: self.name.clone(),
            limit: self.limit.map(OrNone::option),
            limit_reset: self.limit_reset.map(Reset::period),
            expires_at_ms: self.expires.map(OrNone::option),
            strict: self.strict,
            ..KeyPatch::default()
        };
        if patch == KeyPatch::default() {
            return Err(
                "nothing to change: --name, --limit, --limit-reset, --expires or --strict".into(),
            );
        }
        Ok(patch)
    }
}

pub(super) fn run(command: Command, common: &Common) -> Result<(), Error> {
    let config = common.load()?;
    let command = match command {
        // A file, and no matter of the database.
        Command::First(options) => return first::run(&config.data_dir, &options),
        command => command,
    };
    block_on(async {
        let store = data::existing(&config).await?;
        let done = act(&*store, command).await;
        store.close().await;
        done
    })
}

async fn act(store: &dyn Store, command: Command) -> Result<(), Error> {
    match command {
        Command::Create(options) => create::run(store, &options).await,
        Command::First(_) => Ok(()),
        Command::List {
            account,
            offset,
            json,
        } => list(store, account.as_deref(), offset, json).await,
        Command::Show { key, json } => {
            let row = find::key(store, &key).await?;
            shown::one(store, &row, json).await
        }
        Command::Set(set) => {
            let patch = set.patch()?;
            change(store, &set.key, patch, set.json).await
        }
        Command::Disable { key } => switch(store, &key, true).await,
        Command::Enable { key } => switch(store, &key, false).await,
        Command::Rotate(options) => rotate::run(store, &options).await,
        Command::Delete { key, yes } => delete(store, &key, yes).await,
    }
}

async fn list(
    store: &dyn Store,
    account: Option<&str>,
    offset: u64,
    as_json: bool,
) -> Result<(), Error> {
    let only: Option<AccountId> = match account {
        Some(name) => Some(account::find(store, name).await?.id),
        None => None,
    };
    let keys = store.keys(only, true, offset, PAGE).await?;
    if as_json {
        let rows: Vec<_> = keys.iter().map(shown::json).collect();
        return say_json(&rows);
    }
    say_table(&shown::table(&keys), "no keys");
    if keys.len() as u64 == PAGE {
        let next = offset.saturating_add(PAGE);
        eprintln!("There may be more: --offset {next}");
    }
    Ok(())
}

async fn change(
    store: &dyn Store,
    named: &Named,
    patch: KeyPatch,
    as_json: bool,
) -> Result<(), Error> {
    let row = find::key(store, named).await?;
    let changed = store.update_key(row.key.hash, patch, now_ms()).await?;
    let changed = changed.ok_or("the key was deleted meanwhile")?;
    shown::one(store, &changed, as_json).await
}

async fn switch(store: &dyn Store, named: &Named, disabled: bool) -> Result<(), Error> {
    let row = find::key(store, named).await?;
    let patch = KeyPatch {
        disabled: Some(disabled),
        ..KeyPatch::default()
    };
    let changed = store.update_key(row.key.hash, patch, now_ms()).await?;
    changed.ok_or("the key was deleted meanwhile")?;
    let word = if disabled { "disabled" } else { "enabled" };
    let label = &row.key.label;
    say(format_args!(
        "{label}: {word}; a running server goes by it within a second"
    ));
    Ok(())
}

async fn delete(store: &dyn Store, named: &Named, yes: bool) -> Result<(), Error> {
    let row = find::key(store, named).await?;
    let (label, name) = (&row.key.label, super::output::plain(&row.key.name));
    confirm(
        &format!("Delete {label} ({name}) for good?"),
        yes,
        "--yes (or `bourse key disable`, which can be taken back)",
    )?;
    if !store.delete_key(row.key.hash, now_ms()).await? {
        return Err("the key was deleted meanwhile".into());
    }
    say(format_args!("{label}: deleted"));
    Ok(())
}

#[cfg(test)]
mod tests;

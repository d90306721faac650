//! The first start: an account, two keys and some credit to try with.
//!
//! Keys are shown once, so a server that dies after making them and before
//! showing them would lock its operator out. A file says that a first start
//! is under way; a start that finds it makes and shows new keys.
//!
//! They are printed on a terminal. Where standard output is none, it is a log
//! or a journal that others read and nobody forgets: there they go into a file
//! ([`file`]), and what is printed says where it is.

pub mod file;

use std::fs::File;
use std::io::IsTerminal as _;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use bourse_dataplane::clock::now_ms;
use bourse_dataplane::gateway::Gateway;
use bourse_ledger::GrantKind;
use bourse_policy::KeyKind;
use bourse_store::{Grant, Store};
use bourse_vocab::{AccountId, Nanos};

use crate::config::Config;
use crate::keys;

/// The account that a single-operator installation uses.
pub const DEFAULT_ACCOUNT: &str = "default";
/// Credit that the first account starts with, so that the first request
/// works. It is booked as given away.
const STARTING_CREDIT: Nanos = Nanos::from_usd(10);

/// Exists, in the data directory, from before the first account is made
/// until its keys have been shown.
const MARKER: &str = "first-start";
/// Names of the first keys.
const KEY: &str = "first key";
const MANAGEMENT_KEY: &str = "first management key";
/// Keys looked at when a first start is repeated.
const KEYS_MAX: u64 = 1_000;

/// The first keys, which are shown once.
pub struct FirstKeys {
    data_dir: PathBuf,
    marker: PathBuf,
    inference: String,
    management: String,
}

type Error = Box<dyn std::error::Error + Send + Sync>;

/// Sets an empty installation up. `None` if it is not empty.
pub async fn set_up(store: &dyn Store, data_dir: &Path) -> Result<Option<FirstKeys>, Error> {
    let marker = data_dir.join(MARKER);
    let at_ms = now_ms();
    let account = if marker.exists() {
        tracing::warn!("a first start did not come to its end; it is repeated");
        store.account_by_name(DEFAULT_ACCOUNT).await?
    } else if store.accounts().await?.is_empty() {
        File::create(&marker)
            .and_then(|file| file.sync_all())
            .map_err(|error| format!("{}: {error}", marker.display()))?;
        None
    } else {
        return Ok(None);
    };
    let account = match account {
        Some(account) => {
            forget_keys(store, account.id, at_ms).await?;
            account
        }
        None => store.create_account(DEFAULT_ACCOUNT, at_ms).await?,
    };
    // Once: a second grant with the same reference is ignored.
    store
        .grant(Grant {
            account: account.id,
            kind: GrantKind::Promo,
            amount: STARTING_CREDIT,
            note: "starting credit".to_owned(),
            reference: Some("starting-credit".to_owned()),
            at_ms,
        })
        .await?;
    let key = |kind, name| keys::NewKeyRequest::new(account.id, kind, name, None);
    let inference = keys::create(store, key(KeyKind::Inference, KEY), at_ms).await?;
    let management = keys::create(store, key(KeyKind::Management, MANAGEMENT_KEY), at_ms).await?;
    Ok(Some(FirstKeys {
        data_dir: data_dir.to_owned(),
        marker,
        inference: inference.reveal().to_owned(),
        management: management.reveal().to_owned(),
    }))
}

/// Deletes the keys of a first start that did not come to its end. They were
/// not seen, unless the kill came in the moment between showing them and
/// noting it; then the new ones are shown in their place.
async fn forget_keys(store: &dyn Store, account: AccountId, at_ms: u64) -> Result<(), Error> {
    for row in store.keys(Some(account), true, 0, KEYS_MAX).await? {
        if row.key.name == KEY || row.key.name == MANAGEMENT_KEY {
            store.delete_key(row.key.hash, at_ms).await?;
        }
    }
    Ok(())
}

/// A model that the printed request can use.
fn example_model(gateway: &Gateway) -> Option<String> {
    let market = gateway.market.load();
    let callable = |slug: &str| {
        market
            .catalog
            .resolve(slug)
            .is_some_and(|r| !market.targets_of(r.model).is_empty())
    };
    bourse_providers::EXAMPLE_MODELS
        .iter()
        .copied()
        .find(|slug| callable(slug))
        .map(str::to_owned)
        .or_else(|| {
            let target = market.targets().first()?;
            Some(market.catalog.model(target.model).slug.to_string())
        })
}

/// Says where the server is and, on the first start, with which keys, or
/// where they are: they are printed on a terminal, or if that is configured.
///
/// # Errors
/// The keys are not to be printed, and cannot be kept.
pub fn print(
    keys: Option<&FirstKeys>,
    address: SocketAddr,
    gateway: &Gateway,
    config: &Config,
) -> Result<(), Error> {
    let scheme = if config.tls.is_some() {
        "https"
    } else {
        "http"
    };
    let base = format!("{scheme}://{address}");
    let simulated = gateway.market.load().is_simulated();
    let mut out = String::new();
    out.push_str(&format!(
        "\nBourse serves on {base}  (API: {base}/api/v1, documents: {base}/docs)\n"
    ));
    if simulated {
        out.push_str("No provider key is set, so answers come from SIMULATED providers. Set OPENAI_API_KEY, ANTHROPIC_API_KEY, … and start again.\n");
        tracing::warn!("no provider is configured: answers come from simulated providers");
    }
    let example = example_model(gateway);
    if let Some(keys) = keys {
        let inference = if config.print_first_keys || std::io::stdout().is_terminal() {
            out.push_str("\nThese keys are shown once:\n");
            out.push_str(&format!("  API key         {}\n", keys.inference));
            out.push_str(&format!("  management key  {}\n", keys.management));
            keys.inference.clone()
        } else {
            let path = file::write(&keys.data_dir, &keys.inference, &keys.management)?;
            let shown = path.display();
            tracing::info!(path = %shown, "the first keys are in a file: `bourse key first` shows them, and with --forget removes it");
            out.push_str(&format!("\nThe first keys are in {shown}: `bourse key first` shows them, and with --forget removes the file.\n"));
            format!("$({})", file::reading(&path))
        };
        if let Some(model) = &example {
            out.push_str("\nTry it:\n");
            out.push_str(&format!(
                "  curl -s {base}/api/v1/chat/completions -H \"Authorization: Bearer {inference}\" -H 'Content-Type: application/json' -d '{{\"model\":\"{model}\",\"messages\":[{{\"role\":\"user\",\"content\":\"Hello\"}}]}}'\n",
            ));
        }
    }
    print_stdout(&out);
    if keys.is_none() {
        file::remind(&config.data_dir);
    }
    if let Some(keys) = keys
        && let Err(error) = std::fs::remove_file(&keys.marker)
    {
        tracing::warn!(%error, path = %keys.marker.display(), "could not be removed; the next start will make new keys");
    }
    Ok(())
}

/// What a person reads goes to standard output; logs go to standard error.
fn print_stdout(text: &str) {
    use std::io::Write as _;
    let mut out = std::io::stdout().lock();
    // A closed pipe is no reason to stop serving.
    let _ = writeln!(out, "{text}");
    let _ = out.flush();
}

//! `bourse key create`.

use bourse_dataplane::clock::now_ms;
use bourse_policy::{CallDefaults, KeyKind};
use bourse_store::Store;
use bourse_vocab::Nanos;
use clap::Args;
use serde_json::json;

use super::{Reset, expiry, limit};
use crate::cli::output::{confirm, say};
use crate::cli::{Error, account};
use crate::first_start::DEFAULT_ACCOUNT;
use crate::keys::{self, NewKeyRequest};

#[derive(Args)]
#[command(after_help = "\
Examples:
  KEY=$(bourse key create --quiet)
  bourse key create --name ci --limit 5                        at most 5 USD, ever
  bourse key create --name ci --limit 5 --limit-reset daily    at most 5 USD a day
  bourse key create --name guest --expires 7d
  bourse key create --management --name admin                  administers, cannot call models")]
pub(in crate::cli) struct Options {
    /// A management key: administers, cannot call models
    #[arg(long)]
    management: bool,
    /// A name for people
    #[arg(long, default_value = "key")]
    name: String,
    /// The most it may spend, in USD
    #[arg(long, value_name = "USD", value_parser = limit, allow_hyphen_values = true)]
    limit: Option<Nanos>,
    /// When the limit starts anew
    #[arg(long, value_name = "PERIOD", requires = "limit")]
    limit_reset: Option<Reset>,
    /// Its calls fail rather than have a provider told a part of them
    #[arg(long, conflicts_with = "management")]
    strict: bool,
    /// When it ends: a date, a moment, or a time from now (30d)
    #[arg(long, value_name = "WHEN", value_parser = expiry)]
    expires: Option<u64>,
    /// Whose key: an account's name
    #[arg(long, default_value = DEFAULT_ACCOUNT)]
    account: String,
    /// Prints the key and nothing else
    #[arg(long)]
    quiet: bool,
    /// Does not ask about a key that can spend nothing
    #[arg(long)]
    yes: bool,
    /// Prints JSON
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(store: &dyn Store, options: &Options) -> Result<(), Error> {
    if options.limit == Some(Nanos::ZERO) {
        let question = "A key with a limit of 0 can call nothing that costs. Make it?";
        confirm(question, options.yes, "--yes")?;
    }
    let account = account::find_or_default(store, &options.account).await?;
    let kind = match options.management {
        true => KeyKind::Management,
        false => KeyKind::Inference,
    };
    let request = NewKeyRequest {
        limit_reset: options.limit_reset.and_then(Reset::period),
        expires_at_ms: options.expires,
        calls: CallDefaults {
            strict: options.strict,
            ..CallDefaults::default()
        },
        ..NewKeyRequest::new(account, kind, &options.name, options.limit)
    };
    let key = keys::create(store, request, now_ms()).await?;
    if options.json {
        say(json!({
            "key": key.reveal(),
            "hash": key.hash().to_string(),
            "label": key.label(),
            "name": options.name,
        }));
    } else if options.quiet {
        say(key.reveal());
    } else {
        let key = key.reveal();
        say(format_args!("{key}\n\nKeep it: it is shown once."));
    }
    Ok(())
}

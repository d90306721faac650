//! `bourse key rotate`: a new key in place of one that may be known to
//! others.

use bourse_dataplane::clock::now_ms;
use bourse_store::{KeyPatch, KeyRow, Store};
use bourse_vocab::Nanos;
use clap::Args;
use serde_json::json;

use super::{Named, find};
use crate::cli::output::say;
use crate::cli::{Error, when};
use crate::keys::{self, NewKeyRequest};

#[derive(Args)]
#[command(after_help = "\
The new key has the same name, account, defaults and expiry, and as its limit what the old one
has left of its own; a limit that starts anew starts with the new key. Calls that run at that
moment are not counted in it yet. A key with a limit has no --grace: both could spend what is left.

Examples:
  bourse key rotate ci                 the old key ends at once
  bourse key rotate ci --grace 1h      the old key works for another hour")]
pub(in crate::cli) struct Options {
    #[command(flatten)]
    key: Named,
    /// For how long the old key still works
    #[arg(long, value_name = "TIME", value_parser = when::duration)]
    grace: Option<u64>,
    /// Prints the new key and nothing else
    #[arg(long)]
    quiet: bool,
    /// Prints JSON
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(store: &dyn Store, options: &Options) -> Result<(), Error> {
    let old = find::key(store, &options.key).await?;
    if options.grace.is_some_and(|ms| ms > 0) && old.key.limit.is_some() {
        return Err(
            "--grace: the key has a limit, and for that time both keys could spend what is left of \
             it; rotate it without --grace, or take its limit away first (`bourse key set … --limit \
             none`)"
                .into(),
        );
    }
    let at_ms = now_ms();
    let request = NewKeyRequest {
        limit: left(&old),
        limit_reset: old.key.limit_reset,
        expires_at_ms: old.key.expires_at_ms,
        include_byok_in_limit: old.key.include_byok_in_limit,
        external: old.key.external.clone(),
        calls: old.key.calls,
        ..NewKeyRequest::new(old.key.account, old.key.kind, &old.key.name, None)
    };
    let key = keys::create(store, request, at_ms).await?;
    let ends = end(store, &old, options.grace, at_ms).await?;
    if options.json {
        say(json!({
            "key": key.reveal(),
            "hash": key.hash().to_string(),
            "label": key.label(),
            "name": old.key.name,
            "replaces": old.key.hash.to_string(),
            "old_key_ends_at": ends.map(when::shown),
        }));
    } else if options.quiet {
        say(key.reveal());
    } else {
        let (new, old) = (key.reveal(), &old.key.label);
        let until = match ends {
            Some(at_ms) => format!("works until {}", when::shown(at_ms)),
            None => "does not work any more".to_owned(),
        };
        say(format_args!(
            "{new}\n\nKeep it: it is shown once. {old} {until}."
        ));
    }
    Ok(())
}

/// What a key may still spend; of one whose limit starts anew, all of it.
fn left(old: &KeyRow) -> Option<Nanos> {
    let limit = old.key.limit?;
    match old.key.limit_reset {
        Some(_) => Some(limit),
        None => Some(limit.saturating_sub(old.spent.total).max(Nanos::ZERO)),
    }
}

/// Ends a key, at once or when its grace is over. Says when, if not now.
async fn end(
    store: &dyn Store,
    old: &KeyRow,
    grace_ms: Option<u64>,
    at_ms: u64,
) -> Result<Option<u64>, Error> {
    let Some(grace_ms) = grace_ms.filter(|ms| *ms > 0) else {
        store.delete_key(old.key.hash, at_ms).await?;
        return Ok(None);
    };
    let ends = at_ms.saturating_add(grace_ms);
    let ends = old.key.expires_at_ms.map_or(ends, |known| known.min(ends));
    let patch = KeyPatch {
        expires_at_ms: Some(Some(ends)),
        ..KeyPatch::default()
    };
    store.update_key(old.key.hash, patch, at_ms).await?;
    Ok(Some(ends))
}

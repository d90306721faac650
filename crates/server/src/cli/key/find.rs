//! Which key somebody means.

use bourse_store::{KeyRow, Store};

use super::{Named, PAGE};
use crate::cli::{Error, account};

/// Least letters of a hash's beginning: a shorter one may be a name.
const HASH_LETTERS_MIN: usize = 8;

/// The one key that goes by this name, label or hash.
///
/// # Errors
/// There is none, or there are several; says how to tell them apart.
pub(super) async fn key(store: &dyn Store, named: &Named) -> Result<KeyRow, Error> {
    let wanted = named.key.as_str();
    if let Ok(hash) = wanted.parse()
        && let Some(row) = store.key_by_hash(hash).await?
    {
        return Ok(row);
    }
    let only = match &named.account {
        Some(name) => Some(account::find(store, name).await?.id),
        None => None,
    };
    let mut found: Vec<KeyRow> = Vec::new();
    let mut offset = 0;
    loop {
        let page = store.keys(only, true, offset, PAGE).await?;
        let count = page.len() as u64;
        found.extend(page.into_iter().filter(|row| is_meant(row, wanted)));
        offset += count;
        if count < PAGE {
            break;
        }
    }
    the_one(found, wanted)
}

fn is_meant(row: &KeyRow, wanted: &str) -> bool {
    let begins = wanted.len() >= HASH_LETTERS_MIN && row.key.hash.to_string().starts_with(wanted);
    row.key.name == wanted || row.key.label == wanted || begins
}

fn the_one(mut found: Vec<KeyRow>, wanted: &str) -> Result<KeyRow, Error> {
    let wanted = crate::cli::output::plain(wanted);
    match (found.pop(), found.len()) {
        (Some(row), 0) => Ok(row),
        (None, _) => Err(format!(
            "there is no key `{wanted}`; `bourse key list` has names, labels and hashes"
        )
        .into()),
        (Some(last), others) => {
            let labels = found.iter().chain([&last]).take(5);
            let labels: Vec<_> = labels.map(|row| row.key.label.as_str()).collect();
            Err(format!(
                "{} keys are called `{wanted}`: {}{}; name one by its label",
                others + 1,
                labels.join(", "),
                if others >= 5 { ", …" } else { "" }
            )
            .into())
        }
    }
}

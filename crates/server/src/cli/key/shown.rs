//! Keys as they are shown. Never the keys themselves: they are not stored.

use bourse_dataplane::clock::now_ms;
use bourse_policy::{KeyKind, Period};
use bourse_store::{KeyRow, Store};
use comfy_table::Table;
use serde_json::{Value, json};

use crate::cli::output::{plain, say, say_json, table as new_table};
use crate::cli::{Error, when};

/// Letters of a hash that are enough to name a key by.
const HASH_LETTERS: usize = 12;

/// One word for whether it works.
fn state(row: &KeyRow) -> &'static str {
    if row.disabled {
        return "disabled";
    }
    match row.key.expires_at_ms {
        Some(at_ms) if at_ms <= now_ms() => "expired",
        _ => "active",
    }
}

const fn kind(row: &KeyRow) -> &'static str {
    match (row.key.kind, row.key.calls.strict) {
        (KeyKind::Management, _) => "management",
        (KeyKind::Inference, false) => "inference",
        (KeyKind::Inference, true) => "inference, strict",
    }
}

fn limit(row: &KeyRow) -> String {
    match (row.key.limit, row.key.limit_reset) {
        (None, _) => "-".to_owned(),
        (Some(limit), None) => limit.to_string(),
        (Some(limit), Some(reset)) => format!("{limit} {}", reset.name()),
    }
}

/// For programs.
pub(super) fn json(row: &KeyRow) -> Value {
    json!({
        "hash": row.key.hash.to_string(),
        "label": row.key.label,
        "name": row.key.name,
        "account": row.key.account.0,
        "management": row.key.kind == KeyKind::Management,
        "state": state(row),
        "disabled": row.disabled,
        "strict": row.key.calls.strict,
        "limit": row.key.limit.map(|limit| limit.to_string()),
        "limit_reset": row.key.limit_reset.map(Period::name),
        "usage": row.spent.total.to_string(),
        "created_at": when::shown(row.created_at_ms),
        "last_used_at": row.last_used_at_ms.map(when::shown),
        "expires_at": row.key.expires_at_ms.map(when::shown),
    })
}

/// For people, several.
pub(super) fn table(rows: &[KeyRow]) -> Table {
    let mut table = new_table([
        "label",
        "name",
        "kind",
        "state",
        "limit USD",
        "spent USD",
        "last used",
        "hash",
    ]);
    for row in rows {
        let last = row.last_used_at_ms;
        let hash: String = row.key.hash.to_string();
        table.add_row([
            row.key.label.clone(),
            plain(&row.key.name),
            kind(row).to_owned(),
            state(row).to_owned(),
            limit(row),
            row.spent.total.to_string(),
            last.map_or_else(|| "never".to_owned(), when::shown),
            hash.chars().take(HASH_LETTERS).collect(),
        ]);
    }
    table
}

/// One, with all that there is to know.
pub(super) async fn one(store: &dyn Store, row: &KeyRow, as_json: bool) -> Result<(), Error> {
    if as_json {
        return say_json(&json(row));
    }
    let account = store.account(row.key.account).await?;
    let account = account.map_or_else(|| "?".to_owned(), |account| plain(&account.name));
    let moment =
        |at_ms: Option<u64>, none: &str| at_ms.map_or_else(|| none.to_owned(), when::shown);
    for (what, value) in [
        ("label", row.key.label.clone()),
        ("name", plain(&row.key.name)),
        ("kind", kind(row).to_owned()),
        ("state", state(row).to_owned()),
        ("account", account),
        ("limit USD", limit(row)),
        ("spent USD", row.spent.total.to_string()),
        ("made", when::shown(row.created_at_ms)),
        ("last used", moment(row.last_used_at_ms, "never")),
        ("ends", moment(row.key.expires_at_ms, "never")),
        ("hash", row.key.hash.to_string()),
    ] {
        say(format_args!("{what:<10}  {value}"));
    }
    Ok(())
}

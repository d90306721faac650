//! `bourse ledger export`: every settled call, for whoever keeps other books.
//!
//! Amounts are decimal dollars as text, every digit written out, so that no
//! spreadsheet or JSON reader rounds them on the way in.

use std::collections::HashMap;
use std::io::Write;

use bourse_ledger::GenerationRow;
use bourse_ledger::record::{self, Record};
use bourse_store::SettledPage;
use bourse_vocab::AccountId;
use clap::Args;
use serde_json::{Value, json};

use crate::cli::{Common, Error, block_on, data, when};

/// Calls read from the database at once.
const PAGE: u64 = 2_000;
const COLUMNS: &str = "id,account,key,created_at,settled_at,model,provider,endpoint,charge_usd,\
    paid_usd,house_loss_usd,upstream_usd,prompt_tokens,completion_tokens,reasoning_tokens,\
    cached_tokens,finish,estimated,cancelled";

#[derive(Args)]
#[command(after_help = "\
Examples:
  bourse ledger export > calls.csv
  bourse ledger export --from 2026-11-01 --before 2026-12-01 --json > november.jsonl

Works beside a running server. A call is there once the database has it, a fraction of a
second after it has ended; calls that cost nobody anything are left out.")]
pub(in crate::cli) struct Options {
    /// Calls settled then or later: a date (UTC) or a moment such as 2026-11-01T12:00:00Z
    #[arg(long, value_name = "WHEN", value_parser = when::moment)]
    from: Option<u64>,
    /// Calls settled before that
    #[arg(long, value_name = "WHEN", value_parser = when::moment)]
    before: Option<u64>,
    /// Only this account's, by name
    #[arg(long)]
    account: Option<String>,
    /// Prints one JSON object a line, with more fields than the CSV has
    #[arg(long)]
    json: bool,
}

pub(super) fn run(options: &Options, common: &Common) -> Result<(), Error> {
    let config = common.load()?;
    block_on(async {
        let store = data::existing(&config).await?;
        let names: HashMap<AccountId, String> = store
            .accounts()
            .await?
            .into_iter()
            .map(|row| (row.id, row.name))
            .collect();
        if let Some(wanted) = &options.account
            && !names.values().any(|name| name == wanted)
        {
            return Err(format!("there is no account {wanted}").into());
        }
        let mut out = std::io::BufWriter::new(std::io::stdout().lock());
        let mut page = SettledPage {
            from_ms: options.from.unwrap_or(0),
            before_ms: options.before.unwrap_or(u64::MAX),
            after: None,
            count_max: PAGE,
        };
        let written = async {
            if !options.json {
                writeln!(out, "{COLUMNS}")?;
            }
            loop {
                let rows = store.generations_settled(page).await?;
                // What cost nobody anything is in no books.
                for row in rows.iter().filter(|row| row.is_in_books()) {
                    let account = names.get(&row.account).map_or("", String::as_str);
                    if options.account.as_ref().is_some_and(|only| only != account) {
                        continue;
                    }
                    if options.json {
                        writeln!(out, "{}", as_json(row, account)?)?;
                    } else {
                        writeln!(out, "{}", as_csv(row, account)?)?;
                    }
                }
                match rows.last() {
                    Some(last) if rows.len() as u64 >= PAGE => {
                        page.after = Some((last.settled_at_ms, last.id));
                    }
                    _ => break,
                }
            }
            Ok::<(), Error>(out.flush()?)
        }
        .await;
        store.close().await;
        match written {
            // Whoever reads has read enough.
            Err(error) if is_closed_pipe(&error) => Ok(()),
            written => written,
        }
    })
}

fn is_closed_pipe(error: &Error) -> bool {
    error
        .downcast_ref::<std::io::Error>()
        .is_some_and(|error| error.kind() == std::io::ErrorKind::BrokenPipe)
}

fn time(ms: u64) -> String {
    i64::try_from(ms)
        .ok()
        .and_then(|ms| jiff::Timestamp::from_millisecond(ms).ok())
        .map(|at| at.to_string())
        .unwrap_or_default()
}

fn as_json(row: &GenerationRow, account: &str) -> Result<Value, Error> {
    let mut line = json!({
        "id": row.id.to_string(),
        "account": account,
        // A text: not every reader of JSON has 63-bit numbers.
        "key": row.key.0.to_string(),
        "created_at": time(row.created_at_ms),
        "settled_at": time(row.settled_at_ms),
        "model": row.model,
        "provider": row.provider,
        "endpoint": row.endpoint,
        "charge": row.charge.to_string(),
        "paid": row.paid.to_string(),
        "house_loss": row.house_loss.to_string(),
        "upstream": row.upstream.to_string(),
        "tokens": {
            "prompt": row.prompt,
            "completion": row.completion,
            "reasoning": row.reasoning,
            "cached": row.cached,
        },
    });
    let more = match record::decode(&row.record)? {
        Record::Settle(settle) => {
            let facts = settle.settlement.facts;
            json!({
                "ending": "settled",
                "finish": facts.finish,
                "native_finish": facts.native_finish,
                "upstream_id": facts.upstream_id,
                "user": facts.user,
                "app": facts.app,
                "referer": facts.referer,
                "session_id": facts.session_id,
                "flags": {
                    "streamed": facts.flags.streamed,
                    "cancelled": facts.flags.cancelled,
                    "estimated": facts.flags.estimated,
                    "byok": facts.flags.byok,
                    "nonsense": facts.flags.nonsense,
                },
            })
        }
        // The customer paid nothing, but a provider charges.
        _ => json!({ "ending": "voided" }),
    };
    if let (Value::Object(line), Value::Object(more)) = (&mut line, more) {
        line.extend(more);
    }
    Ok(line)
}

/// Only what operators and catalogs write: a caller's text in a cell could
/// be a formula to the spreadsheet that opens it.
fn as_csv(row: &GenerationRow, account: &str) -> Result<String, Error> {
    let (finish, flags) = match record::decode(&row.record)? {
        Record::Settle(settle) => {
            let facts = settle.settlement.facts;
            (facts.finish, facts.flags)
        }
        _ => ("void", record::Flags::default()),
    };
    let cells = [
        row.id.to_string(),
        account.to_owned(),
        row.key.0.to_string(),
        time(row.created_at_ms),
        time(row.settled_at_ms),
        row.model.to_string(),
        row.provider.to_string(),
        row.endpoint.to_string(),
        row.charge.to_string(),
        row.paid.to_string(),
        row.house_loss.to_string(),
        row.upstream.to_string(),
        row.prompt.to_string(),
        row.completion.to_string(),
        row.reasoning.to_string(),
        row.cached.to_string(),
        finish.to_owned(),
        flags.estimated.to_string(),
        flags.cancelled.to_string(),
    ];
    Ok(cells.map(|cell| quoted(&cell)).join(","))
}

/// A CSV cell, quoted where RFC 4180 (section 2) asks for it.
fn quoted(cell: &str) -> String {
    if cell.contains([',', '"', '\n', '\r']) {
        format!("\"{}\"", cell.replace('"', "\"\""))
    } else {
        cell.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::quoted;
    use crate::cli::when::moment;

    #[test]
    fn a_span_is_given_as_dates_or_moments() {
        assert_eq!(moment("1970-01-02"), Ok(86_400_000));
        assert_eq!(moment("1970-01-01T00:00:01.5Z"), Ok(1_500));
        assert!(moment("yesterday").is_err());
        assert!(moment("1969-01-01").is_err());
    }

    #[test]
    fn a_cell_with_a_comma_stays_one_cell() {
        assert_eq!(quoted("plain"), "plain");
        assert_eq!(quoted("a \"b\", c"), "\"a \"\"b\"\", c\"");
    }
}

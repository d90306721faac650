//! `bourse ledger verify`: the files, and the books of a running server.

use bourse_control::ledger::BooksCompared;
use bourse_store::AuditReport;
use bourse_store::verify::{self, Unapplied};
use bourse_vocab::Nanos;
use http::Method;
use serde_json::{Value, json};

use crate::cli::output::say;
use crate::cli::server::{Asking, Server};
use crate::cli::{Common, Error, block_on, data};
use crate::config::Config;

/// Where a running server is asked.
const PATH: &str = "/api/v1/ledger/books";

#[derive(clap::Args)]
pub(in crate::cli) struct Options {
    #[command(flatten)]
    asking: Asking,
    /// Prints JSON
    #[arg(long)]
    json: bool,
}

/// What the running server says of its books.
enum Live {
    Compared(String, BooksCompared),
    /// Nobody was asked, for this reason.
    Not(String),
}

/// What was found in the files.
struct Files {
    report: AuditReport,
    unapplied: Option<Unapplied>,
    open_holds: usize,
    held: Nanos,
}

pub(super) fn run(options: &Options, common: &Common) -> Result<(), Error> {
    let config = common.load()?;
    let (files, live) = block_on(async {
        let files = read_files(&config).await?;
        // A server that has stopped left the directory to this command.
        let live = ask(&options.asking, &config, files.unapplied.is_some()).await?;
        Ok::<_, Error>((files, live))
    })?;
    let mut findings = files.report.findings();
    if let Live::Compared(_, books) = &live {
        findings.extend(books.differences.iter().cloned());
        let more = books
            .difference_count
            .saturating_sub(books.differences.len() as u64);
        if more > 0 {
            findings.push(format!("{more} more numbers in memory differ"));
        }
    }
    let is_balanced = files.report.is_balanced() && findings.is_empty();
    if options.json {
        say(in_json(&files, &live, is_balanced, &findings));
    } else {
        print(&files, &live);
    }
    if is_balanced {
        if !options.json {
            say("The books balance to the nano-dollar.");
        }
        return Ok(());
    }
    Err(format!("the books do not balance:\n  {}", findings.join("\n  ")).into())
}

async fn read_files(config: &Config) -> Result<Files, Error> {
    let store = data::existing(config).await?;
    let (report, unapplied) = verify::verify(&*store, &config.data_dir).await?;
    let open = store.open_holds().await?;
    store.close().await;
    let held = open.iter().map(|hold| hold.amount);
    Ok(Files {
        report,
        unapplied,
        open_holds: open.len(),
        held: held.fold(Nanos::ZERO, Nanos::saturating_add),
    })
}

/// Asks the server, if there is one and a key for it.
async fn ask(asking: &Asking, config: &Config, is_stopped: bool) -> Result<Live, Error> {
    if is_stopped && asking.server.is_none() {
        return Ok(Live::Not("no server uses this data directory".to_owned()));
    }
    let url = asking.url(config);
    let Some(key) = &asking.key else {
        if asking.server.is_some() {
            return Err(
                "--server: needs a management key, as --key or in BOURSE_MANAGEMENT_KEY".into(),
            );
        }
        return Ok(Live::Not("a management key was not given".to_owned()));
    };
    let server = Server::new(&url, key, &config.roads)?;
    let Some(text) = server.ask(Method::GET, PATH, String::new()).await? else {
        if asking.server.is_some() {
            return Err(format!("{url}: no server answers there").into());
        }
        return Ok(Live::Not(format!("no server answers at {url}")));
    };
    let mut reply: Value = serde_json::from_slice(&text)
        .map_err(|error| format!("{url}: answered without JSON: {error}"))?;
    let told = reply.get_mut("data").map(Value::take).unwrap_or_default();
    let books = serde_json::from_value(told)
        .map_err(|error| format!("{url}: answered what is no comparison: {error}"))?;
    Ok(Live::Compared(url, books))
}

fn in_json(files: &Files, live: &Live, is_balanced: bool, findings: &[String]) -> Value {
    let report = &files.report;
    let (books, only_files_because) = match live {
        Live::Compared(_, books) => (json!(books), Value::Null),
        Live::Not(why) => (Value::Null, json!(why)),
    };
    json!({
        "balanced": is_balanced,
        "compared": report.compared,
        "generations": report.generations,
        "accounts": report.accounts,
        "open_holds": files.open_holds,
        "held": files.held.to_string(),
        "differences": findings,
        "rows": report.rows.rows,
        "rows_with_hash": report.rows.linked,
        "unapplied": files.unapplied.as_ref().map(|unapplied| format!("{unapplied:?}")),
        "books": books,
        "only_files_because": only_files_because,
    })
}

fn print(files: &Files, live: &Live) {
    let (report, held) = (&files.report, files.held);
    say(format_args!(
        "{} sums compared over {} accounts and {} calls; {held} USD on hold for {} running calls.",
        report.compared, report.accounts, report.generations, files.open_holds
    ));
    say(format_args!(
        "{} rows of ended calls held to their records, {} of them by a hash.",
        report.rows.rows, report.rows.linked
    ));
    if let Some(unapplied) = &files.unapplied {
        say(format_args!("Not in the database yet: {unapplied:?}"));
        for damage in &unapplied.harmless {
            say(format_args!(
                "{damage}: the database has those records, so nothing is lost"
            ));
        }
        if unapplied.is_missing {
            say("The journal is missing: what it held beyond the database, if anything, is lost.");
        }
    }
    match live {
        Live::Compared(url, books) => say(format_args!(
            "The server at {url} holds {} accounts, {} keys and {} running calls in memory; {} \
             numbers of them compared with journal and database, at position {}.",
            books.accounts, books.keys, books.running_calls, books.compared, books.position
        )),
        Live::Not(why) => say(format_args!("Only the files were compared: {why}.")),
    }
}

//! `bourse top`: how a running server and its endpoints are doing.
//!
//! The server tells counters ([`Status`]); two of its answers make a [`View`],
//! with rates; a [`table`] makes text of that; [`live`] puts it on a terminal
//! and reads keys. All but the last are functions of their arguments.

mod live;
mod screen;
mod table;
mod view;

#[cfg(test)]
mod tests;

use std::io::IsTerminal as _;
use std::time::Duration;

use bourse_control::status::Status;
use clap::Args;
use http::Method;

use super::server::{Asking, Server};
use super::{Common, Error, block_on, say};
use table::{Column, Order};
use view::View;

/// Where a running server is asked.
const PATH: &str = "/api/v1/routing/status";

#[derive(Args)]
#[command(after_help = "\
It asks a running server every second, with a management key. Rates are those since the last
look; an attempt, its tokens and its cost count when it ends; what is told \"in all\" are counts
since the server began. Times to the first content (p50,
p99) and the tokens a second of one answer (each) are those of the last five to ten minutes.
Endpoints that were never asked are not shown.

STATE is that of the best of an endpoint's credentials, and how many are well if not all are:
  ok                 it may be sent to
  probe              one call finds out whether it is back
  rest 8s            its provider said when to ask again
  open 12s           its breaker is open; the next probe is due by then at the latest
  key open 12s       the same, for all that its credential is used for
  provider open 12s  the same, for all of its provider

Keys:
  s, S               sort by the next column, by the one before
  r                  the other way round
  /                  show only what contains a text; Enter keeps it, Esc drops it
  up, down, page up, page down, home
                     move through the list
  q, Ctrl-C          end
A signal (TERM, INT, HUP) ends it as well, and the terminal is given back first.

Colours are left out where NO_COLOR is set. `--once` prints text without any, also into a pipe;
`--once --json` prints an object whose members stay what they are (docs/routing.md).

Examples:
  BOURSE_MANAGEMENT_KEY=$(bourse key create --management --quiet) bourse top
  bourse top --server https://bourse.example.com --sort p99 --filter anthropic
  bourse top --once --json --interval 10 | jq '.endpoints[] | select(.state != \"ok\")'")]
pub(super) struct Options {
    #[command(flatten)]
    common: Common,
    #[command(flatten)]
    asking: Asking,
    /// Seconds between two looks
    #[arg(long, value_name = "SECONDS", default_value_t = 1,
          value_parser = clap::value_parser!(u64).range(1..=3_600))]
    interval: u64,
    /// The column to sort by
    #[arg(long, value_enum, value_name = "COLUMN", default_value_t = Column::Requests)]
    sort: Column,
    /// Shows only endpoints whose id or state contains this
    #[arg(long, value_name = "TEXT", default_value = "")]
    filter: String,
    /// Looks twice, prints one table and ends
    #[arg(long)]
    once: bool,
    /// Prints JSON
    #[arg(long, requires = "once")]
    json: bool,
}

pub(super) fn run(options: &Options) -> Result<(), Error> {
    let config = options.common.load()?;
    let server = options.asking.server(&config)?;
    let interval = Duration::from_secs(options.interval);
    let order = Order::by(options.sort);
    if options.once {
        return block_on(once(options, &server, interval, order));
    }
    if !std::io::stdout().is_terminal() || !std::io::stdin().is_terminal() {
        return Err("there is no terminal to show it on; --once prints it".into());
    }
    live::run(server, interval, order, options.filter.clone())
}

async fn once(
    options: &Options,
    server: &Server,
    interval: Duration,
    order: Order,
) -> Result<(), Error> {
    let before = ask(server).await?;
    tokio::time::sleep(interval).await;
    let now = ask(server).await?;
    let mut view = View::between(server.url(), &before, &now);
    order.apply(&mut view, &options.filter);
    if options.json {
        say(serde_json::to_string_pretty(&view)?);
        return Ok(());
    }
    for line in table::head(&view)
        .into_iter()
        .chain(table::body(&view, None))
    {
        say(line.text.trim_end());
    }
    Ok(())
}

/// The envelope of an answer.
#[derive(serde::Deserialize)]
struct Told {
    data: Status,
}

/// Asks a running server how it is.
///
/// # Errors
/// Nobody answers, or with something else.
pub(super) async fn ask(server: &Server) -> Result<Status, Error> {
    let url = server.url();
    let text = server.ask(Method::GET, PATH, String::new()).await?;
    let text = text.ok_or_else(|| format!("{url}: no server answers there"))?;
    let told: Told = serde_json::from_slice(&text)
        .map_err(|error| format!("{url}: answered something else than a status: {error}"))?;
    Ok(told.data)
}

//! `bourse catalog`: models and prices, looked at and brought up to date.

use std::io::IsTerminal as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use bourse_catalog::diff::{Change, compare, hold_back};
use bourse_catalog::import::{Source, import, merge};
use bourse_catalog::{Model, PriceKey, RawCatalog, Snapshot};
use bourse_net::{
    Client, ClientConfig, Deadlines, EgressPolicy, HeadTemplate, Origin, OutgoingRequest, Roads,
};
use clap::{Subcommand, ValueEnum};
use serde_json::json;

use super::{Common, Error, block_on, output, say};
use crate::config::Config;
use crate::market::{self, SYNCED_CATALOG};

/// The largest price list that is fetched. models.dev's is 3 MB.
const LIST_BYTES_MAX: usize = 64 << 20;

/// Whose format a price list is in.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub(super) enum Format {
    /// models.dev's api.json
    ModelsDev,
    /// LiteLLM's model_prices_and_context_window.json
    Litellm,
    /// OpenRouter's GET /api/v1/models
    Openrouter,
}

impl From<Format> for Source {
    fn from(format: Format) -> Self {
        match format {
            Format::ModelsDev => Self::ModelsDev,
            Format::Litellm => Self::LiteLlm,
            Format::Openrouter => Self::OpenRouter,
        }
    }
}

#[derive(clap::Args)]
pub(super) struct List {
    /// A file, or an https URL
    from: String,
    /// Whose format it is in
    #[arg(long, value_enum)]
    format: Format,
    /// The date of its prices, such as 2026-11-21 [default: today]
    #[arg(long)]
    as_of: Option<String>,
}

#[derive(Subcommand)]
pub(super) enum Command {
    /// Lists models with their endpoints and prices
    List {
        /// Only models whose slug contains this
        search: Option<String>,
        /// Prints JSON
        #[arg(long)]
        json: bool,
    },
    /// Says what a price list would change
    Diff {
        #[command(flatten)]
        list: List,
        /// Prints JSON
        #[arg(long)]
        json: bool,
    },
    /// Takes a price list over; a price that falls by more than half is held back
    #[command(after_help = "\
Examples:
  bourse catalog sync prices.json --format litellm
  bourse catalog sync https://models.dev/api.json --format models-dev --yes
A running server takes the new prices over by itself.")]
    Sync {
        #[command(flatten)]
        list: List,
        /// Takes over prices that fall by more than half, too
        #[arg(long)]
        accept_drops: bool,
        /// Does not ask
        #[arg(long)]
        yes: bool,
        /// Prints JSON
        #[arg(long)]
        json: bool,
    },
}

pub(super) fn run(command: Command, common: &Common) -> Result<(), Error> {
    let config = common.load()?;
    match command {
        Command::List { search, json } => {
            let catalog = market::catalog(&config)?;
            list(&catalog, search.as_deref().unwrap_or(""), json)
        }
        Command::Diff { list, json } => {
            let old = market::raw_catalog(&config.data_dir)?;
            let (new, notes) = read(&list, &old, &config.roads)?;
            report(&compare(&old, &new), &[], notes, json)
        }
        Command::Sync {
            list,
            accept_drops,
            yes,
            json,
        } => {
            let old = market::raw_catalog(&config.data_dir)?;
            let (mut new, notes) = read(&list, &old, &config.roads)?;
            let held = if accept_drops {
                Vec::new()
            } else {
                hold_back(&old, &mut new)
            };
            let changes = compare(&old, &new);
            let held: Vec<_> = held.into_iter().map(Change::Price).collect();
            report(&changes, &held, notes, json)?;
            if changes.is_empty() {
                return Ok(());
            }
            if !yes && !confirmed(changes.len())? {
                return Err("nothing was taken over; say --yes to go ahead".into());
            }
            take_over(&config, &new, json)
        }
    }
}

/// Writes the catalog where a server finds it. What is taken over must work
/// together with the configuration.
fn take_over(config: &Config, new: &RawCatalog, json: bool) -> Result<(), Error> {
    let path = write(&config.data_dir, new)?;
    if let Err(error) = market::catalog(config) {
        std::fs::remove_file(&path)?;
        return Err(format!("nothing was taken over: {error}").into());
    }
    if !json {
        say(format_args!("Taken over into {}.", path.display()));
    }
    Ok(())
}

/// Prints the models whose names have `part` in them.
fn list(catalog: &Snapshot, part: &str, json: bool) -> Result<(), Error> {
    let models = catalog.models().filter(|model| model.slug.contains(part));
    if json {
        let rows: Vec<_> = models.map(|model| row(catalog, model)).collect();
        say(serde_json::to_string_pretty(&rows)?);
        return Ok(());
    }
    let mut table = output::table(["model", "provider", "context", "USD/M in", "USD/M out"]);
    for model in models {
        for endpoint in catalog.endpoints(model.ix) {
            let price = |key: PriceKey| {
                let price = endpoint.prices.base.get(key);
                price.map_or_else(|| "?".to_owned(), |p| key.write(p))
            };
            table.add_row([
                model.slug.to_string(),
                endpoint.tag.to_string(),
                endpoint.context_length.to_string(),
                price(PriceKey::Prompt),
                price(PriceKey::Completion),
            ]);
        }
    }
    say(table);
    Ok(())
}

fn row(catalog: &Snapshot, model: &Model) -> serde_json::Value {
    let endpoints: Vec<_> = catalog
        .endpoints(model.ix)
        .iter()
        .map(|endpoint| {
            json!({
                "id": &*endpoint.id,
                "provider": &*catalog.provider(endpoint.provider).slug,
                "callable": endpoint.is_callable(),
                "pricing": prices(&endpoint.prices.base),
            })
        })
        .collect();
    json!({"slug": &*model.slug, "context_length": model.context_length, "endpoints": endpoints})
}

fn prices(prices: &bourse_catalog::Prices) -> serde_json::Value {
    prices
        .stated()
        .map(|(key, price)| (key.public_name(), price.to_string()))
        .collect()
}

fn confirmed(changes: usize) -> Result<bool, Error> {
    if !std::io::stdin().is_terminal() {
        return Ok(false);
    }
    eprint!("Take over {changes} changes? [y/N] ");
    let mut answer = String::new();
    std::io::stdin().read_line(&mut answer)?;
    Ok(matches!(answer.trim(), "y" | "Y" | "yes"))
}

fn read(list: &List, old: &RawCatalog, roads: &Arc<Roads>) -> Result<(RawCatalog, usize), Error> {
    let text = if list.from.starts_with("https://") {
        fetch(&list.from, roads)?
    } else if list.from.contains("://") {
        // Whoever is on the way could set every price.
        return Err(format!("{}: only https URLs are fetched", list.from).into());
    } else {
        std::fs::read_to_string(&list.from).map_err(|error| format!("{}: {error}", list.from))?
    };
    let today = || jiff::Timestamp::now().strftime("%Y-%m-%d").to_string();
    let as_of = list.as_of.clone().unwrap_or_else(today);
    let imported = import(list.format.into(), &text, &as_of, old)?;
    let mut new = old.clone();
    let notes = imported.notes.len() + merge(&mut new, imported.catalog).len();
    Ok((new, notes))
}

/// Fetches a price list, with a bar that shows how far it is.
fn fetch(url: &str, roads: &Arc<Roads>) -> Result<String, Error> {
    let (origin, path) = Origin::parse(url).map_err(|error| format!("{url}: {error}"))?;
    block_on(async {
        let client = Client::new(ClientConfig {
            egress: EgressPolicy::by(roads),
            ..ClientConfig::default()
        })?;
        let head = HeadTemplate::new(&origin, http::Method::GET, &path, http::HeaderMap::new())
            .map_err(|error| format!("{url}: {error}"))?;
        let request = OutgoingRequest::new(head, Default::default());
        let response = client
            .send(&origin, &request, &Deadlines::default())
            .await?;
        if !response.status.is_success() {
            return Err(format!("{url}: answered with {}", response.status).into());
        }
        let bar = match response.body.exact_length() {
            Some(length) => indicatif::ProgressBar::new(length),
            None => indicatif::ProgressBar::new_spinner(),
        };
        bar.enable_steady_tick(Duration::from_millis(100));
        let mut body = response.body;
        let mut text = Vec::new();
        while let Some(piece) = body.next().await {
            text.extend_from_slice(&piece?);
            bar.set_position(text.len() as u64);
            if text.len() > LIST_BYTES_MAX {
                return Err(format!("{url}: is larger than {LIST_BYTES_MAX} bytes").into());
            }
        }
        bar.finish_and_clear();
        Ok(String::from_utf8(text).map_err(|_| format!("{url}: is not UTF-8"))?)
    })
}

/// Writes beside and renames, so that a server never reads half a file.
fn write(data_dir: &Path, catalog: &RawCatalog) -> Result<PathBuf, Error> {
    let path = data_dir.join(SYNCED_CATALOG);
    let beside = path.with_extension("new");
    std::fs::create_dir_all(path.parent().unwrap_or(data_dir))?;
    std::fs::write(&beside, serde_json::to_vec(catalog)?)?;
    std::fs::rename(&beside, &path)?;
    Ok(path)
}

fn report(changes: &[Change], held: &[Change], notes: usize, as_json: bool) -> Result<(), Error> {
    let lines = |changes: &[Change]| changes.iter().map(ToString::to_string).collect::<Vec<_>>();
    if as_json {
        say(serde_json::to_string_pretty(&json!({
            "changes": lines(changes),
            "held_back": lines(held),
            "notes": notes,
        }))?);
        return Ok(());
    }
    for line in lines(changes) {
        say(line);
    }
    if !held.is_empty() {
        say("Held back, because they fall by more than half (--accept-drops takes them over):");
        for line in lines(held) {
            say(format_args!("  {line}"));
        }
    }
    say(format_args!(
        "{} changes, {} held back, {notes} notes.",
        changes.len(),
        held.len()
    ));
    Ok(())
}

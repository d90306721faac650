//! `cargo xtask catalog`: price lists in, the embedded catalogue out.
//!
//! Everything that decides anything is in `bourse_catalog::import`; this
//! reads and writes files, in the order in which one source is laid over
//! another, and prints a report of what was left out.

use std::fs;
use std::path::{Path, PathBuf};

use bourse_catalog::import::releases::Releases;
use bourse_catalog::import::{self, Imported, Source};
use bourse_catalog::{RawCatalog, Snapshot, embedded, holes, quirks};

mod families;
mod report;

/// When models.dev was copied.
const MODELS_DEV_AS_OF: &str = "2026-07-02";
/// When LiteLLM's table was published.
const LITELLM_AS_OF: &str = "2026-11";

/// The numbers of holes, which only fall.
const HOLES: &str = "holes.json";

/// Where to read from and write to.
#[derive(clap::Args)]
pub struct Arguments {
    /// Directory with models-dev.json and litellm-prices.json.
    #[arg(long, default_value = "../shared/catalog")]
    from: PathBuf,
    /// Directory of the embedded files.
    #[arg(long, default_value = "crates/catalog/data")]
    to: PathBuf,
}

/// Does the chore.
///
/// # Errors
/// What went wrong, for people.
pub fn run(arguments: &Arguments) -> Result<(), String> {
    let (models_dev, litellm) = read_sources(&arguments.from)?;

    let mut catalog = RawCatalog::default();
    let first = import_one(Source::ModelsDev, &models_dev, MODELS_DEV_AS_OF, &catalog)?;
    let mut notes = first.notes;
    catalog = first.catalog;
    let second = import_one(Source::LiteLlm, &litellm, LITELLM_AS_OF, &catalog)?;
    // The later source's word on what is gone counts against the earlier.
    catalog.endpoints.retain(|_, endpoint| {
        !second.retired.iter().any(|(provider, upstream)| {
            *provider == endpoint.provider && *upstream == endpoint.upstream_model
        })
    });
    notes.extend(second.notes);
    notes.extend(import::merge(&mut catalog, second.catalog));

    report::drop_unserved(&mut catalog, &mut notes);
    Releases::read(&models_dev)
        .map_err(|error| format!("models-dev.json: {error}"))?
        .settle(&mut catalog);
    families::add_aliases(&models_dev, &mut catalog)?;
    notes.extend(import::settle_aliases(&mut catalog));
    let filled = quirks::fill(&mut catalog);
    import::describe(&mut catalog);

    let snapshot = Snapshot::build(catalog.clone(), &[]).map_err(|problems| {
        let lines: Vec<String> = problems.iter().map(ToString::to_string).collect();
        format!(
            "the catalogue does not hold together:\n{}",
            lines.join("\n")
        )
    })?;
    let files = embedded::write(&catalog).map_err(|error| error.to_string())?;
    write(&arguments.to, "providers.jsonl", &files.providers)?;
    write(&arguments.to, "models.jsonl", &files.models)?;
    write(&arguments.to, "endpoints.jsonl", &files.endpoints)?;
    let holes = holes::of(&snapshot);
    let numbers = report::numbers(&arguments.to.join(HOLES), &holes)?;
    write(&arguments.to, HOLES, &numbers)?;
    let report = report::render(&catalog, &mut notes, filled, &holes);
    write(&arguments.to, "REPORT.md", &report)?;
    println!(
        "{} providers, {} models, {} endpoints",
        catalog.providers.len(),
        catalog.models.len(),
        catalog.endpoints.len()
    );
    Ok(())
}

fn read_sources(from: &Path) -> Result<(String, String), String> {
    let read = |name: &str| {
        let path = from.join(name);
        fs::read_to_string(&path).map_err(|error| {
            format!(
                "cannot read {}: {error}\n\
                 The price lists are not part of this repository. Put models.dev's api.json (as \
                 models-dev.json) and LiteLLM's model_prices_and_context_window.json (as \
                 litellm-prices.json) into a directory and name it with --from.",
                path.display()
            )
        })
    };
    Ok((read("models-dev.json")?, read("litellm-prices.json")?))
}

fn import_one(
    source: Source,
    json: &str,
    as_of: &str,
    known: &RawCatalog,
) -> Result<Imported, String> {
    import::import(source, json, as_of, known).map_err(|error| error.to_string())
}

fn write(to: &Path, name: &str, text: &str) -> Result<(), String> {
    let path = to.join(name);
    fs::write(&path, text).map_err(|error| format!("cannot write {}: {error}", path.display()))
}

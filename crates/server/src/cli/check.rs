//! `bourse check`: is the configuration good, and what does it bring?

use bourse_dataplane::market::{Market, Memory};
use clap::Args;
use serde_json::{Value, json};

use super::output::{complain, plain, say, say_json, say_table, table};
use super::{Common, Error, Told};
use crate::config::{Changes, Config, ConfigErrors, Description, Level, Problem};
use crate::market::{self, Providers};
use crate::tokens::Tokens;

/// Reads the configuration as a server would, and calls nobody.
#[derive(Args)]
#[command(after_help = "\
Every mistake is told with its file and line. `bourse doctor` looks at the machine as well, and
with --online at the providers.")]
pub(super) struct Options {
    #[command(flatten)]
    common: Common,
    /// Prints JSON
    #[arg(long)]
    json: bool,
}

/// A provider that calls may go to.
struct Line {
    slug: String,
    /// Where its keys come from; empty if it needs none.
    keys: Vec<String>,
    endpoints: usize,
    models: usize,
}

pub(super) fn run(options: &Options) -> Result<(), Error> {
    let config = match understood(options) {
        Ok(config) => config,
        Err(wrong) if options.json => return refused(&wrong),
        Err(wrong) => return Err(wrong.into()),
    };
    let catalog = market::catalog(&config)?;
    let (models, endpoints) = (catalog.models().len(), catalog.all_endpoints().len());
    let is_simulated = config.simulate || !market::is_any_configured(&config);
    let (lines, problems) = if is_simulated {
        (Vec::new(), Vec::new())
    } else {
        configured(&config)?
    };
    // Another user's data is no mistake of this file.
    let described = Description::read(&config.data_dir).ok().flatten();
    let changes = described.map(|described| described.changes(&config));
    let callable: usize = lines.iter().map(|line| line.endpoints).sum();
    if options.json {
        let warnings = config.warnings.iter().map(Problem::to_json);
        return say_json(&json!({
            "ok": true,
            "simulated": is_simulated,
            "catalog": { "models": models, "endpoints": endpoints },
            "callable_endpoints": callable,
            "providers": lines.iter().map(told).collect::<Vec<_>>(),
            "reload": changes.as_ref().map(|changes| json!({
                "at_once": changes.at_once,
                "after_restart": changes.after_restart,
            })),
            "errors": [],
            "warnings": warnings.chain(problems.iter().map(left_out)).collect::<Vec<_>>(),
        }));
    }
    complain(&config.warnings);
    say(format_args!(
        "The configuration is good: {} providers configured, {models} models and {endpoints} \
         endpoints in the catalog.",
        lines.len()
    ));
    if let Some(changes) = &changes {
        say_changes(changes);
    }
    if is_simulated {
        say(
            "No provider is called: answers are simulated. Set OPENAI_API_KEY, ANTHROPIC_API_KEY, … \
             or write [providers] to call real ones.",
        );
        return Ok(());
    }
    say(format_args!("{callable} of the endpoints can be called:"));
    say_providers(&lines);
    for problem in &problems {
        say(format_args!("warning: {}", plain(problem)));
    }
    Ok(())
}

fn say_providers(lines: &[Line]) {
    let mut providers = table(["provider", "models", "endpoints", "keys"]);
    for line in lines {
        let keys = match line.keys.as_slice() {
            [] => "needs none, or gets tokens".to_owned(),
            keys => plain(&keys.join(", ")),
        };
        providers.add_row([
            plain(&line.slug),
            line.models.to_string(),
            line.endpoints.to_string(),
            keys,
        ]);
    }
    say_table(&providers, "no providers");
}

/// All mistakes, for a program.
fn refused(wrong: &ConfigErrors) -> Result<(), Error> {
    let of = |level: Level| {
        let all = wrong.0.iter().filter(move |problem| problem.level == level);
        all.map(Problem::to_json).collect::<Vec<_>>()
    };
    say_json(&json!({
        "ok": false,
        "errors": of(Level::Error),
        "warnings": of(Level::Warning),
    }))?;
    Err(Box::new(Told))
}

/// What the server whose data this is would make of it.
fn say_changes(changes: &Changes) {
    if changes.at_once.is_empty() && changes.after_restart.is_empty() {
        say("The server that last ran on this data directory has the same configuration.");
        return;
    }
    say("At the server that last ran on this data directory this would change:");
    for change in &changes.at_once {
        say(format_args!("  {}", plain(change)));
    }
    for change in &changes.after_restart {
        say(format_args!("  {}, after a restart", plain(change)));
    }
}

/// All that is wrong, in the file and in what its models mean to the catalog.
fn understood(options: &Options) -> Result<Config, ConfigErrors> {
    let examined = Config::examine(options.common.config.as_deref())?;
    let Some(config) = &examined.config else {
        return examined.good();
    };
    let found = market::catalog(config).err();
    let found = found.and_then(|error| error.downcast::<ConfigErrors>().ok());
    let known: Vec<_> = examined
        .errors
        .iter()
        .map(|error| error.key.clone())
        .filter(|key| !key.is_empty())
        .collect();
    let mut others = found.map(|found| found.0).unwrap_or_default();
    others.retain(|other| !known.iter().any(|key| other.key.starts_with(key.as_str())));
    let warnings = config.warnings.clone();
    let mut examined = examined;
    examined.errors.extend(others);
    if !examined.errors.is_empty() {
        examined.errors.extend(warnings);
    }
    examined.good()
}

/// A provider or an endpoint that had to be left out.
fn left_out(problem: &String) -> Value {
    json!({ "level": "warning", "message": problem })
}

fn told(line: &Line) -> Value {
    json!({
        "provider": line.slug,
        "models": line.models,
        "endpoints": line.endpoints,
        "keys": line.keys,
    })
}

/// The providers that are set up, and what had to be left out.
fn configured(config: &Config) -> Result<(Vec<Line>, Vec<String>), Error> {
    let tokens = Tokens::idle();
    let built = market::build(config, &Providers::Configured, &Memory::default(), &tokens)?;
    let providers = built.market.providers().iter();
    let lines: Vec<_> = providers
        .map(|provider| line(config, &built.market, &provider.slug))
        .collect();
    let left_out = built.problems.iter();
    let mut warnings: Vec<_> = left_out
        .map(|problem| format!("providers.{}: {}", problem.provider, problem.message))
        .collect();
    let idle = lines.iter().filter(|line| line.endpoints == 0);
    warnings.extend(idle.map(|line| {
        format!(
            "providers.{}: no model is served by it; write [[models]] with an endpoint of it",
            line.slug
        )
    }));
    Ok((lines, warnings))
}

fn line(config: &Config, market: &Market, slug: &str) -> Line {
    let given = config.providers.iter().find(|given| given.slug == slug);
    let mut keys: Vec<_> = given
        .into_iter()
        .flat_map(|given| &given.keys)
        .map(|key| key.source.clone())
        .collect();
    if keys.is_empty() {
        let ambient = config.ambient_keys.get(slug);
        keys.extend(ambient.map(|key| key.source.clone()));
    }
    let targets = market.targets().iter();
    let targets = targets.filter(|target| &*target.provider.slug == slug);
    // Several keys and tiers of an endpoint are targets of their own.
    let mut endpoints: Vec<_> = targets.clone().map(|target| target.endpoint.0).collect();
    let mut models: Vec<_> = targets.map(|target| target.model.0).collect();
    for list in [&mut endpoints, &mut models] {
        list.sort_unstable();
        list.dedup();
    }
    Line {
        slug: slug.to_owned(),
        keys,
        endpoints: endpoints.len(),
        models: models.len(),
    }
}

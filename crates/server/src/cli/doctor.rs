//! `bourse doctor`: what a person would check before asking for help.

mod machine;
mod online;

use std::sync::Arc;
use std::time::Instant;

use bourse_dataplane::market::{Memory, ProviderHandle};
use clap::Args;

use super::output::{plain, say_json};
use super::{Common, Error, block_on, say};
use crate::certificate;
use crate::market::{self, Providers};
use crate::tokens::Tokens;

/// Synchronisations that the disk is measured by.
const SYNCS: u32 = 50;

/// Checks this machine.
#[derive(Args)]
#[command(after_help = "\
It changes nothing but a file of its own, which it removes. With --online each provider is asked for
the list of its models, which costs nothing, with each key that is configured and for at most 10 s.

Exit status: 0 if nothing needs attention, 1 if something does.

Examples:
  bourse doctor
  bourse doctor --online --json | jq '.[] | select(.ok | not) | .remedy'")]
pub(super) struct Options {
    #[command(flatten)]
    common: Common,
    /// Asks each provider whether it can be reached and takes the key
    #[arg(long)]
    online: bool,
    /// Prints JSON
    #[arg(long)]
    json: bool,
}

struct Finding {
    what: String,
    good: bool,
    detail: String,
    /// What helps; empty where nothing needs to, or `detail` says it.
    remedy: String,
}

impl Finding {
    fn good(what: &str, detail: String) -> Self {
        Self {
            what: what.to_owned(),
            good: true,
            detail,
            remedy: String::new(),
        }
    }

    fn bad(what: &str, detail: String, remedy: &str) -> Self {
        Self {
            what: what.to_owned(),
            good: false,
            detail,
            remedy: remedy.to_owned(),
        }
    }
}

pub(super) fn run(options: &Options) -> Result<(), Error> {
    let mut findings = Vec::new();
    let mut note = |what, result: Result<String, Error>| {
        findings.push(match result {
            Ok(detail) => Finding::good(what, detail),
            Err(error) => Finding::bad(what, error.to_string(), ""),
        });
    };
    let config = options.common.load();
    note(
        "configuration",
        config
            .as_ref()
            .map(|c| format!("listens on {}", c.listen))
            .map_err(|e| e.to_string().into()),
    );
    if let Ok(config) = &config {
        note(
            "catalog",
            market::catalog(config).map(|c| {
                format!(
                    "{} models, {} endpoints",
                    c.models().len(),
                    c.all_endpoints().len()
                )
            }),
        );
        note("providers", providers(config));
        if let Some(told) = roads(config).transpose() {
            note("proxies", told);
        }
        if let Some(told) = block_on(async { Ok(tokens(config).await) }).transpose() {
            note("tokens", told.and_then(|told| told));
        }
        if let Some(files) = &config.tls {
            note("certificate", certificate::look(files).map_err(Into::into));
        }
        note("disk", disk(&config.data_dir));
        note("database", block_on(database(config)));
        findings.extend(machine::check(config));
        if options.online {
            findings.extend(block_on(async { Ok(online::check(config).await) })?);
        }
    }
    say_findings(&findings, options.json)?;
    if findings.iter().all(|finding| finding.good) {
        Ok(())
    } else {
        Err("something needs attention".into())
    }
}

fn say_findings(findings: &[Finding], as_json: bool) -> Result<(), Error> {
    if as_json {
        let row = |f: &Finding| {
            let remedy = Some(&*f.remedy).filter(|remedy| !remedy.is_empty());
            serde_json::json!({
                "check": f.what, "ok": f.good, "detail": f.detail, "remedy": remedy,
            })
        };
        let rows: Vec<_> = findings.iter().map(row).collect();
        return say_json(&rows);
    }
    for finding in findings {
        let mark = if finding.good { "ok " } else { "BAD" };
        let (what, detail) = (&*finding.what, plain(&finding.detail));
        say(format_args!("{mark}  {what:<14} {detail}"));
        if !finding.remedy.is_empty() {
            say(format_args!(
                "     {:<14} -> {}",
                "",
                plain(&finding.remedy)
            ));
        }
    }
    Ok(())
}

fn providers(config: &crate::config::Config) -> Result<String, Error> {
    if !market::is_any_configured(config) {
        return Ok("none configured: the server would simulate them".to_owned());
    }
    let tokens = Tokens::idle();
    let built = market::build(config, &Providers::Configured, &Memory::default(), &tokens)?;
    let problems: Vec<_> = built
        .problems
        .iter()
        .map(|p| format!("{}: {}", p.provider, p.message))
        .collect();
    if !problems.is_empty() {
        return Err(problems.join("; ").into());
    }
    let names: Vec<_> = built
        .market
        .providers()
        .iter()
        .map(|p| p.slug.to_string())
        .collect();
    Ok(format!(
        "{} (endpoints: {})",
        names.join(", "),
        built.market.targets().len()
    ))
}

/// Which providers are reached through which proxy; `None` where nobody is.
fn roads(config: &crate::config::Config) -> Result<Option<String>, Error> {
    let has_own = config.providers.iter().any(|given| given.via.is_some());
    let is_any = config.roads.http.is_some() || config.roads.https.is_some() || has_own;
    if !is_any || !market::is_any_configured(config) {
        return Ok(None);
    }
    let tokens = Tokens::idle();
    let built = market::build(config, &Providers::Configured, &Memory::default(), &tokens)?;
    let road = |provider: &Arc<ProviderHandle>| match built.egress.proxy(&provider.origin) {
        Some(proxy) => {
            let written_at = proxy.written_at();
            format!("{} through {proxy} ({written_at})", provider.slug)
        }
        None => format!("{} straight", provider.slug),
    };
    let roads: Vec<_> = built.market.providers().iter().map(road).collect();
    Ok(Some(roads.join(", ")))
}

/// What each token service says when it is asked once; `None` if there is none
/// to ask.
async fn tokens(config: &crate::config::Config) -> Option<Result<String, Error>> {
    let told = crate::tokens::try_all(config).await;
    let (good, bad): (Vec<_>, Vec<_>) = told.into_iter().partition(Result::is_ok);
    let bad: Vec<_> = bad.into_iter().filter_map(Result::err).collect();
    let good: Vec<_> = good.into_iter().filter_map(Result::ok).collect();
    if !bad.is_empty() {
        return Some(Err(bad.join("; ").into()));
    }
    (!good.is_empty()).then(|| Ok(good.join("; ")))
}

/// What is behind the store, how quickly it answers, and whether a server
/// could work with it. Changes nothing, the tables neither.
async fn database(config: &crate::config::Config) -> Result<String, Error> {
    let store = super::data::found(config).await?;
    let steps = store.schema().await?;
    // The first answer paid for the connection.
    let asked = Instant::now();
    let about = store.about().await?;
    let took = asked.elapsed();
    store.close().await;
    if about.read_only {
        return Err(format!("{} takes no changes", about.place).into());
    }
    let missing = steps.iter().filter(|step| !step.applied).count();
    let tables = match missing {
        0 => format!("its tables are up to date (step {})", steps.len()),
        1 => "the next start takes 1 step (`bourse schema plan`)".to_owned(),
        many => format!("the next start takes {many} steps (`bourse schema plan`)"),
    };
    Ok(format!(
        "{} {} at {}: answers in {:.2} ms, takes changes, {tables}",
        about.kind,
        about.version,
        about.place,
        took.as_secs_f64() * 1e3
    ))
}

/// How long the disk takes to keep a promise: what `ledger.durability =
/// "always"` would add to a call.
fn disk(data_dir: &std::path::Path) -> Result<String, Error> {
    use std::io::Write as _;
    if !data_dir.is_dir() {
        return Err(format!(
            "{} is not there yet; `bourse init` or a first `bourse serve` makes it",
            data_dir.display()
        )
        .into());
    }
    let path = data_dir.join(".doctor");
    let mut file = std::fs::File::create(&path)?;
    let started = Instant::now();
    for _ in 0..SYNCS {
        file.write_all(&[0; 256])?;
        file.sync_data()?;
    }
    let each = started.elapsed() / SYNCS;
    drop(file);
    std::fs::remove_file(&path)?;
    Ok(format!(
        "{}: a synchronous write takes {:.2} ms",
        data_dir.display(),
        each.as_secs_f64() * 1e3
    ))
}

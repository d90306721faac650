//! The configuration as it is in force, with where each value comes from.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use serde_json::Value;
use toml::de::{DeTable, DeValue};

use super::schema::{followed, member, names, schema};
use super::shape::below;
use super::source::{Source, parsed};
use super::written::{Writer, key_text, quoted};
use super::{Config, ConfigErrors, Durability, Environment, env, read_file};

/// One value.
pub struct Shown {
    /// Its section, as TOML has it between brackets: `server`,
    /// `providers.openai`, or `[models]`.
    pub section: String,
    /// Its key, as TOML; empty where only the section is there.
    pub key: String,
    /// The value as TOML, without secrets; none if it depends.
    pub value: Option<String>,
    /// Where it comes from.
    pub source: String,
}

/// All that is in force, section by section.
///
/// # Errors
/// Everything that is wrong with it.
pub fn show(path: Option<&Path>) -> Result<Vec<Shown>, ConfigErrors> {
    let (name, text) = read_file(path)?;
    let environment = Environment::of_process();
    let config = Config::parse(&name, &text, &environment)?;
    Ok(values(&config, &environment))
}

pub(super) fn values(config: &Config, environment: &Environment) -> Vec<Shown> {
    let source: &Source = &config.source;
    let (table, _) = parsed(&source.text);
    let mut table = table.into_inner();
    // What they hold was found to be good before.
    env::lay(&mut table, source.text.len(), environment, &mut Vec::new());
    let writer = Writer::new(source, &table);
    let defaults = defaults(config);
    let mut out = Vec::new();
    for section in names(schema()) {
        let written = table.get(section).map(|value| value.get_ref());
        match written {
            Some(DeValue::Array(items)) => {
                for item in items {
                    let Some(item) = item.get_ref().as_table() else {
                        continue;
                    };
                    written_keys(&writer, &format!("[{section}]"), item, &mut out);
                }
            }
            Some(DeValue::Table(inner)) if section == "providers" => {
                for (slug, provider) in inner {
                    let section = format!("{section}.{}", key_text(slug.get_ref()));
                    if let Some(provider) = provider.get_ref().as_table() {
                        written_keys(&writer, &section, provider, &mut out);
                    }
                }
            }
            Some(DeValue::Table(inner)) => {
                written_keys(&writer, section, inner, &mut out);
                usual_keys(section, Some(inner), &defaults, &mut out);
            }
            _ => usual_keys(section, None, &defaults, &mut out),
        }
    }
    for (slug, key) in &config.ambient_keys {
        let is_written = config.providers.iter().any(|given| given.slug == *slug);
        if !is_written {
            out.push(Shown {
                section: format!("providers.{}", key_text(slug)),
                key: "api_key".to_owned(),
                value: Some(quoted(super::written::HIDDEN)),
                source: key.source.clone(),
            });
        }
    }
    out
}

fn written_keys(writer: &Writer<'_>, section: &str, table: &DeTable<'_>, out: &mut Vec<Shown>) {
    if table.is_empty() || section.starts_with('[') {
        out.push(Shown {
            section: section.to_owned(),
            key: String::new(),
            value: None,
            source: String::new(),
        });
    }
    for (key, value) in table {
        out.push(Shown {
            section: section.to_owned(),
            key: key_text(key.get_ref()),
            value: Some(writer.inline(value)),
            source: writer.origin(key.span().start),
        });
    }
}

/// Keys of a section that nobody wrote.
fn usual_keys(
    section: &str,
    written: Option<&DeTable<'_>>,
    defaults: &BTreeMap<&str, String>,
    out: &mut Vec<Shown>,
) {
    let of = member(schema(), section).map(followed);
    for key in of.into_iter().flat_map(names) {
        if written.is_some_and(|table| table.contains_key(key)) {
            continue;
        }
        let said = of.and_then(|of| member(of, key)).and_then(said);
        let value = defaults.get(below(section, key).as_str()).cloned();
        if value.is_none() && said.is_none() {
            continue;
        }
        out.push(Shown {
            section: section.to_owned(),
            key: key.to_owned(),
            value,
            source: said.unwrap_or_else(|| "default".to_owned()),
        });
    }
}

/// What the explanation of a key says of its default.
fn said(of: &Value) -> Option<String> {
    let text = of.get("description")?.as_str()?.replace('\n', " ");
    let from = text.find("Default")?;
    let said = text.get(from..)?.trim_end_matches('.');
    let mut said = said.chars();
    let first = said.next()?.to_lowercase();
    Some(first.chain(said).collect())
}

/// Values of keys that nobody wrote, as they are in force: those that are a
/// number or a word. Of others their explanation is told.
fn defaults(config: &Config) -> BTreeMap<&'static str, String> {
    let ms = |duration: Duration| duration.as_millis().to_string();
    let (limits, deadlines) = (&config.limits, &config.limits.deadlines);
    BTreeMap::from([
        ("server.listen", quoted(&config.listen.to_string())),
        (
            "server.data_dir",
            quoted(&config.data_dir.display().to_string()),
        ),
        ("server.simulate", config.simulate.to_string()),
        ("server.workers", config.workers.to_string()),
        ("server.head_timeout_ms", ms(limits.head_timeout)),
        ("server.idle_timeout_ms", ms(limits.idle_timeout)),
        ("server.body_timeout_ms", ms(limits.body_timeout)),
        ("server.body_rate_min", limits.body_rate_min.to_string()),
        ("server.write_timeout_ms", ms(limits.write_timeout)),
        ("server.body_bytes_max", limits.body_bytes_max.to_string()),
        (
            "server.bodies_bytes_max",
            limits.bodies_bytes_max.to_string(),
        ),
        ("server.stop_timeout_ms", ms(limits.stop_timeout)),
        ("server.drains_max", limits.drains_max.to_string()),
        ("database.url", quoted("sqlite")),
        ("billing.markup_ppm", config.markup_ppm.to_string()),
        (
            "ledger.durability",
            quoted(match config.durability {
                Durability::Group => "group",
                Durability::Always => "always",
            }),
        ),
        ("ledger.sync_interval_ms", ms(config.sync_interval)),
        ("cache.bytes_max", config.cache_bytes_max.to_string()),
        ("deadlines.connect_ms", ms(deadlines.connect)),
        ("deadlines.head_ms", ms(deadlines.head)),
        ("deadlines.first_sign_ms", ms(deadlines.first_sign)),
        ("deadlines.idle_ms", ms(deadlines.idle)),
        ("deadlines.whole_ms", ms(deadlines.whole)),
        ("deadlines.keep_alive_ms", ms(deadlines.keep_alive)),
        ("deadlines.drain_ms", ms(deadlines.drain)),
        (
            "log.format",
            quoted(if config.log_json { "json" } else { "text" }),
        ),
        ("log.level", quoted(&config.log_level)),
    ])
}

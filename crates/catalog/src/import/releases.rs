//! When models were released, and the dated names that never move.
//!
//! In this order: what models.dev says of the model; a date in the maker's own
//! name for it; what OpenRouter's dated name says (`releases.tsv`); the day in
//! the middle of those that offers of that name state. A model that none of
//! these knows has no date: the day of a price list is none.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;

use crate::date::{calendar_date, unix_seconds};
use crate::raw::{RawCatalog, RawModel};
use crate::slug::is_slug;

/// OpenRouter's dated names, as seen in public records of its answers: slug,
/// dated name. Most carry the day of release; a vendor's own dated name is
/// kept where OpenRouter keeps it.
const DATED: &str = include_str!("releases.tsv");

/// Days of release by a provider's name for a model, from every offer of
/// models.dev, left out or not.
#[derive(Debug, Default)]
pub struct Releases {
    stated: BTreeMap<String, Vec<u64>>,
}

#[derive(Deserialize)]
struct Document {
    providers: BTreeMap<String, Vendor>,
}

#[derive(Deserialize)]
struct Vendor {
    #[serde(default)]
    models: BTreeMap<String, Offer>,
}

#[derive(Deserialize)]
struct Offer {
    #[serde(default)]
    release_date: String,
}

impl Releases {
    /// Reads models.dev's document.
    ///
    /// # Errors
    /// It is another one.
    pub fn read(models_dev: &str) -> Result<Self, serde_json::Error> {
        let document: Document = serde_json::from_str(models_dev)?;
        let mut releases = Self::default();
        let vendors = document.providers.into_values();
        for (name, offer) in vendors.flat_map(|vendor| vendor.models) {
            if let Some(day) = unix_seconds(&offer.release_date) {
                releases.stated.entry(bare(&name)).or_default().push(day);
            }
        }
        releases
            .stated
            .values_mut()
            .for_each(|days| days.sort_unstable());
        Ok(releases)
    }

    /// The day in the middle of those that offers of `name` state: what they
    /// get wrong is a year or a few days, to either side.
    fn middle(&self, name: &str) -> Option<u64> {
        let days = self.stated.get(&bare(name))?;
        days.get(days.len().checked_sub(1)? / 2).copied()
    }

    /// Gives every model of `catalog` the day of its release and its dated
    /// name, as far as they are known.
    pub fn settle(&self, catalog: &mut RawCatalog) {
        let dated: BTreeMap<&str, &str> = DATED
            .lines()
            .filter_map(|line| line.split_once('\t'))
            .collect();
        let mut upstream: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        for endpoint in catalog.endpoints.values() {
            let names = upstream.entry(&endpoint.model).or_default();
            names.push(&endpoint.upstream_model);
        }
        // A name that is another model's own would lead there.
        let slugs: BTreeSet<String> = catalog.models.keys().cloned().collect();
        for (slug, model) in &mut catalog.models {
            let known = dated.get(slug.as_str()).copied();
            if model.created == 0 {
                let names = upstream.get(slug.as_str()).into_iter().flatten();
                let middle = names.filter_map(|name| self.middle(name)).min();
                model.created = in_names(slug, model)
                    .or_else(|| date_at_end(known?))
                    .or(middle)
                    .unwrap_or(0);
            }
            let canonical = known
                .map(str::to_owned)
                .or_else(|| dated_name(slug, model))
                .filter(|name| !slugs.contains(name));
            model.canonical_slug = model.canonical_slug.take().or(canonical);
        }
        share_with_variants(catalog);
    }
}

/// The last part of a name, in lower case, without a variant.
fn bare(name: &str) -> String {
    let last = name.rsplit('/').next().unwrap_or(name);
    let plain = last.split(':').next().unwrap_or(last);
    plain.to_ascii_lowercase()
}

/// The day in a maker's own names of the model: its slug, or an alias that is
/// the slug with a day.
fn in_names(slug: &str, model: &RawModel) -> Option<u64> {
    let aliases = model.aliases.iter().map(String::as_str);
    aliases.chain([slug]).find_map(date_at_end)
}

/// The day at the end of a name: `-20250807`, `-2025-08-07`, or `-2507`, which
/// is how some makers write a month.
fn date_at_end(name: &str) -> Option<u64> {
    let digits = |text: &str, count: usize| {
        text.len() == count && text.bytes().all(|byte| byte.is_ascii_digit())
    };
    let mut words = name.rsplit('-');
    let last = words.next()?;
    let before = (words.next(), words.next());
    if digits(last, 8) {
        let date = format!("{}-{}-{}", last.get(..4)?, last.get(4..6)?, last.get(6..)?);
        return plausible(&date);
    }
    if let (Some(month), Some(year)) = before
        && digits(last, 2)
        && digits(month, 2)
        && digits(year, 4)
    {
        return plausible(&format!("{year}-{month}-{last}"));
    }
    // Only in names of makers who count so: elsewhere four digits are a month
    // and a day.
    let counts_months = name.contains("mistral") || name.contains("stral");
    if counts_months && digits(last, 4) {
        return plausible(&format!("20{}-{}", last.get(..2)?, last.get(2..)?));
    }
    None
}

/// Models have been sold by the token since 2020.
fn plausible(date: &str) -> Option<u64> {
    let seconds = unix_seconds(date)?;
    (unix_seconds("2020-01")?..unix_seconds("2100-01")?)
        .contains(&seconds)
        .then_some(seconds)
}

/// The name with a day in it: the maker's own, or the slug with the day of
/// release, as OpenRouter writes it.
fn dated_name(slug: &str, model: &RawModel) -> Option<String> {
    let (author, bare_slug) = slug.split_once('/')?;
    if date_at_end(slug).is_some() || slug.contains(':') {
        return None;
    }
    let own = model.aliases.iter().find(|alias| {
        let name = alias.strip_prefix(author).and_then(|a| a.strip_prefix('/'));
        name.and_then(|name| name.strip_prefix(bare_slug))
            .is_some_and(|rest| rest.starts_with('-') && date_at_end(rest).is_some())
    });
    if let Some(own) = own {
        return Some(own.clone());
    }
    let day = calendar_date(model.created).filter(|_| model.created > 0)?;
    Some(format!("{slug}-{}", day.replace('-', ""))).filter(|name| is_slug(name))
}

/// A variant is the same model: it has its day, and its dated name.
fn share_with_variants(catalog: &mut RawCatalog) {
    let known: BTreeMap<String, (u64, Option<String>)> = catalog
        .models
        .iter()
        .map(|(slug, model)| (slug.clone(), (model.created, model.canonical_slug.clone())))
        .collect();
    for (slug, model) in &mut catalog.models {
        let Some((base, _)) = slug.split_once(':') else {
            continue;
        };
        if let Some((created, canonical)) = known.get(base) {
            if model.created == 0 {
                model.created = *created;
            }
            model.canonical_slug = canonical.clone().or_else(|| Some(base.to_owned()));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_are_read_from_the_names_of_makers() {
        for (name, date) in [
            ("openai/gpt-5-mini-2025-08-07", Some("2025-08-07")),
            ("claude-sonnet-4-5-20250929", Some("2025-09-29")),
            ("mistralai/mistral-large-2402", Some("2024-02")),
            ("mistralai/voxtral-small-2507", Some("2025-07")),
            // A month and a day, of which year is not said.
            ("deepseek/deepseek-v4-flash-0731", None),
            ("openai/gpt-4-0125-preview", None),
            ("x/model-99999999", None),
            ("x/model-1406", None),
        ] {
            assert_eq!(date_at_end(name), date.and_then(unix_seconds), "{name}");
        }
    }

    fn catalog(models: &[(&str, u64, &[&str])]) -> RawCatalog {
        let mut catalog = RawCatalog::default();
        for (slug, created, aliases) in models {
            let model = RawModel {
                created: *created,
                aliases: aliases.iter().map(|&alias| alias.to_owned()).collect(),
                ..RawModel::default()
            };
            catalog.models.insert((*slug).to_owned(), model);
        }
        catalog
    }

    #[test]
    fn a_model_has_the_day_that_is_known_of_it_or_none() {
        let document = r#"{"providers": {
            "a": {"models": {"m-1": {"release_date": "2024-07-09"}}},
            "b": {"models": {"x/M-1": {"release_date": "2025-07-09"}}},
            "c": {"models": {"m-1:free": {"release_date": "2025-07-09"}}}
        }}"#;
        let releases = Releases::read(document).unwrap();
        let mut catalog = catalog(&[
            ("x/m-1", 0, &[]),
            ("x/m-1:free", 0, &[]),
            ("x/m-2", 0, &["x/m-2-20260102", "m-2-20260102"]),
            ("x/m-3", 1_735_689_600, &[]),
            ("x/m-4", 0, &[]),
            ("anthropic/claude-opus-5.5", 0, &[]),
        ]);
        for slug in ["x/m-1", "x/m-4"] {
            let endpoint = crate::raw::RawEndpoint {
                model: slug.to_owned(),
                provider: "a".to_owned(),
                upstream_model: slug.replace("x/", "y/"),
                ..Default::default()
            };
            catalog.endpoints.insert(endpoint.id(), endpoint);
        }
        releases.settle(&mut catalog);
        let told: Vec<_> = catalog
            .models
            .iter()
            .map(|(slug, model)| {
                let day = calendar_date(model.created).filter(|_| model.created > 0);
                (slug.as_str(), day, model.canonical_slug.as_deref())
            })
            .collect();
        let day = |text: &str| Some(text.to_owned());
        assert_eq!(
            told,
            [
                (
                    "anthropic/claude-opus-5.5",
                    day("2026-09-21"),
                    Some("anthropic/claude-opus-5.5-20260921")
                ),
                ("x/m-1", day("2025-07-09"), Some("x/m-1-20250709")),
                ("x/m-1:free", day("2025-07-09"), Some("x/m-1-20250709")),
                ("x/m-2", day("2026-01-02"), Some("x/m-2-20260102")),
                ("x/m-3", day("2025-01-01"), Some("x/m-3-20250101")),
                ("x/m-4", None, None),
            ]
        );
    }
}

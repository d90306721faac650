use std::collections::BTreeSet;

use bourse_catalog::{Overlay, RawCatalog, Snapshot};

use super::*;
use crate::preferences::Preferences;

fn all() -> impl Iterator<Item = &'static dyn Strategy> {
    STRATEGIES.iter().copied().chain([BALANCED])
}

#[test]
fn every_file_is_one_strategy_of_its_name() {
    let files = std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/src/strategies")).unwrap();
    let files: BTreeSet<String> = files
        .map(|file| file.unwrap().file_name().into_string().unwrap())
        .filter(|name| name != "tests.rs")
        .map(|name| name.trim_end_matches(".rs").to_owned())
        .collect();
    let names: BTreeSet<String> = all().map(|one| one.name().to_owned()).collect();
    assert_eq!(files, names);
    assert_eq!(names.len(), all().count(), "a name is used twice");
}

#[test]
fn a_caller_may_write_every_name_of_the_table_and_no_other() {
    for strategy in STRATEGIES {
        for json in [
            format!(r#"{{"sort":"{}"}}"#, strategy.name()),
            format!(r#"{{"sort":{{"by":"{}"}}}}"#, strategy.name()),
        ] {
            let read = Preferences::read(&json).unwrap();
            assert_eq!(read.sort.unwrap().by, *strategy, "{json}");
        }
    }
    let refused = by_name("cheapness").unwrap_err();
    for strategy in STRATEGIES {
        assert!(refused.contains(strategy.name()), "{refused}");
    }
    assert!(by_name(BALANCED.name()).is_err());
    assert!(by_name(&"x".repeat(1 << 20)).unwrap_err().len() < 200);
}

/// A suffix that is part of the catalogue, or another wish, would hide the
/// strategy or be hidden by it.
#[test]
fn every_suffix_means_one_strategy_and_nothing_in_the_catalogue() {
    let mut seen = BTreeSet::new();
    for suffix in suffixes() {
        assert!(seen.insert(suffix), "{suffix} is used twice");
        assert!(bourse_catalog::CatalogVariant::by_suffix(suffix).is_none());
        assert_ne!(suffix, "online");
        let is_plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
        assert!(suffix.chars().all(is_plain), "{suffix}");
    }
    for strategy in STRATEGIES {
        let Some(suffix) = strategy.suffix() else {
            continue;
        };
        assert_eq!(by_suffix(suffix).unwrap(), *strategy);
        let refused = by_suffix("quality").unwrap_err();
        assert!(refused.contains(&format!(":{suffix}")), "{refused}");
    }
}

#[test]
fn a_catalogue_that_knows_the_suffixes_finds_the_model_behind_each() {
    let overlay: Overlay = serde_json::from_str(
        r#"{"providers":{"p":{"base_url":"https://p.example/v1","format":"openai-chat"}},
            "models":[{"slug":"acme/echo","endpoints":[{"provider":"p","upstream_model":"e",
            "price":{"prompt":"1","completion":"1"}}]}]}"#,
    )
    .unwrap();
    let snapshot = Snapshot::build(RawCatalog::default(), &[overlay])
        .unwrap()
        .with_sort_suffixes(suffixes());
    let plain = snapshot.resolve("acme/echo").unwrap();
    for suffix in suffixes() {
        let found = snapshot.resolve(&format!("acme/echo:{suffix}")).unwrap();
        assert_eq!(found.model, plain.model);
        assert_eq!(found.routing.sort, Some(suffix));
    }
}

#[test]
fn what_a_strategy_says_of_itself_is_a_sentence() {
    for strategy in all() {
        let about = strategy.about();
        assert!(
            about.ends_with('.') && !about.contains(['|', '\n']),
            "{about}"
        );
    }
}

use super::*;
use crate::model::{Modalities, Modality};
use crate::raw::{RawCatalog, RawModel};

fn snapshot() -> Snapshot {
    let mut catalog = RawCatalog::default();
    for (slug, aliases) in [
        (
            "openai/gpt-oss-20b",
            vec!["gpt-oss-20b", "~openai/oss-latest"],
        ),
        ("openai/gpt-oss-20b:free", vec![]),
        ("qwen/qwen-plus", vec![]),
        ("qwen/qwen-plus:thinking", vec![]),
        ("cohere/north:free", vec![]),
    ] {
        let model = RawModel {
            context_length: 1,
            input: Modalities::of(&[Modality::Text]),
            output: Modalities::of(&[Modality::Text]),
            aliases: aliases.into_iter().map(str::to_owned).collect(),
            canonical_slug: (slug == "qwen/qwen-plus")
                .then(|| "qwen/qwen-plus-2025-07-28".to_owned()),
            ..RawModel::default()
        };
        catalog.models.insert(slug.to_owned(), model);
    }
    Snapshot::build(catalog, &[])
        .unwrap()
        .with_sort_suffixes(["nitro", "floor", "exacto"])
}

/// What a name means: slug, sorting wish, web search.
fn check(name: &str, expected: Option<(&str, Option<&str>, bool)>) {
    let snapshot = snapshot();
    let found = snapshot.resolve(name);
    let found = found.map(|r| {
        (
            &*snapshot.model(r.model).slug,
            r.routing.sort,
            r.routing.online,
        )
    });
    assert_eq!(found, expected, "{name}");
}

#[test]
fn a_slug_or_an_alias_is_found() {
    check(
        "openai/gpt-oss-20b",
        Some(("openai/gpt-oss-20b", None, false)),
    );
    check("gpt-oss-20b", Some(("openai/gpt-oss-20b", None, false)));
    check(
        "~openai/oss-latest",
        Some(("openai/gpt-oss-20b", None, false)),
    );
    check(
        "OpenAI/GPT-OSS-20B",
        Some(("openai/gpt-oss-20b", None, false)),
    );
    check(
        "qwen/qwen-plus-2025-07-28",
        Some(("qwen/qwen-plus", None, false)),
    );
}

#[test]
fn a_catalog_variant_is_its_own_entry() {
    check(
        "openai/gpt-oss-20b:free",
        Some(("openai/gpt-oss-20b:free", None, false)),
    );
    check(
        "gpt-oss-20b:free",
        Some(("openai/gpt-oss-20b:free", None, false)),
    );
    check(
        "qwen/qwen-plus:thinking",
        Some(("qwen/qwen-plus:thinking", None, false)),
    );
    check(
        "cohere/north:free",
        Some(("cohere/north:free", None, false)),
    );
    check("cohere/north", None);
    check("openai/gpt-oss-20b:thinking", None);
}

#[test]
fn a_routing_variant_is_a_wish_about_the_same_entry() {
    check(
        "openai/gpt-oss-20b:nitro",
        Some(("openai/gpt-oss-20b", Some("nitro"), false)),
    );
    check(
        "openai/gpt-oss-20b:floor",
        Some(("openai/gpt-oss-20b", Some("floor"), false)),
    );
    check(
        "openai/gpt-oss-20b:exacto",
        Some(("openai/gpt-oss-20b", Some("exacto"), false)),
    );
    check(
        "openai/gpt-oss-20b:online",
        Some(("openai/gpt-oss-20b", None, true)),
    );
}

#[test]
fn variants_combine_in_any_order() {
    let both = Some(("openai/gpt-oss-20b:free", None, true));
    check("openai/gpt-oss-20b:free:online", both);
    check("openai/gpt-oss-20b:online:free", both);
    check("gpt-oss-20b:online:free", both);
    check(
        "cohere/north:nitro:free",
        Some(("cohere/north:free", Some("nitro"), false)),
    );
    check(
        "openai/gpt-oss-20b:nitro:online:floor",
        Some(("openai/gpt-oss-20b", Some("floor"), true)),
    );
}

#[test]
fn what_is_not_there_is_not_guessed() {
    let long = format!("a/{}", "b".repeat(1_000));
    for name in [
        "",
        ":",
        ":free",
        "openai/gpt-oss-20b:",
        "openai/gpt-oss-20b:fast",
        "openai/gpt-oss-20b:free:thinking",
        "openai/gpt-oss-20b:free:free",
        "openai/gpt-oss",
        "müll/modell",
        "x:nitro:nitro:nitro:nitro:nitro:nitro:nitro:nitro:nitro",
        &long,
    ] {
        check(name, None);
    }
}

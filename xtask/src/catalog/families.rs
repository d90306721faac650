//! `~author/family-latest`: names that follow a family's newest model.

use std::collections::BTreeMap;

use bourse_catalog::RawCatalog;
use serde::Deserialize;
use serde_json::value::RawValue;

#[derive(Deserialize)]
struct Document {
    providers: Providers,
}

#[derive(Deserialize)]
struct Providers {
    openrouter: Offers,
}

#[derive(Deserialize)]
struct Offers {
    models: BTreeMap<String, Box<RawValue>>,
}

/// Adds every such name in models.dev's copy of OpenRouter's list to the
/// newest model of its family.
///
/// # Errors
/// The document has no such list.
pub fn add_aliases(models_dev: &str, catalog: &mut RawCatalog) -> Result<(), String> {
    let document: Document = serde_json::from_str(models_dev).map_err(|error| error.to_string())?;
    for alias in document.providers.openrouter.models.keys() {
        let Some((author, family)) = alias
            .strip_prefix('~')
            .and_then(|rest| rest.split_once('/'))
        else {
            continue;
        };
        let Some(wanted) = family.strip_suffix("-latest") else {
            continue;
        };
        let newest = catalog
            .models
            .iter_mut()
            .filter(|(slug, _)| {
                slug.split_once('/')
                    .is_some_and(|(a, model)| a == author && family_of(model) == wanted)
            })
            .max_by_key(|(slug, model)| (version_of(slug), model.created, slug.to_string()));
        if let Some((_, model)) = newest {
            model.aliases.push(alias.clone());
        }
    }
    Ok(())
}

/// The name without its version: `claude-opus-4.8` is a `claude-opus`.
fn family_of(model: &str) -> String {
    let is_version = |word: &str| {
        let digits = word.strip_prefix('k').unwrap_or(word);
        word == "preview" || digits.starts_with(|letter: char| letter.is_ascii_digit())
    };
    let words: Vec<&str> = model.split('-').filter(|word| !is_version(word)).collect();
    words.join("-")
}

/// The numbers of a name, for comparison: 4.8 is before 5, and 10 after 9.
fn version_of(slug: &str) -> Vec<u32> {
    slug.split(|letter: char| !letter.is_ascii_digit())
        .filter_map(|digits| digits.parse().ok())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_not_part_of_a_family() {
        for (model, family) in [
            ("claude-opus-4.8", "claude-opus"),
            ("claude-opus-4.8-fast", "claude-opus-fast"),
            ("gpt-5.4-mini", "gpt-mini"),
            ("gemini-3.1-pro-preview", "gemini-pro"),
            ("kimi-k2.6", "kimi"),
            ("gpt-4o:free", "gpt"),
        ] {
            assert_eq!(family_of(model), family, "{model}");
        }
    }
}

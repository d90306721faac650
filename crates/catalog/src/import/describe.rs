//! A sentence or two about a model, made of what is known of it.

use crate::model::{Modalities, Modality};
use crate::raw::{RawCatalog, RawModel};

/// Authors whose name is more than their slug with a capital.
const AUTHORS: &[(&str, &str)] = &[
    ("01-ai", "01.AI"),
    ("ai21", "AI21"),
    ("aion-labs", "AionLabs"),
    ("allenai", "Ai2"),
    ("anthracite-org", "Anthracite"),
    ("arcee-ai", "Arcee AI"),
    ("baai", "BAAI"),
    ("bytedance", "ByteDance"),
    ("bytedance-seed", "ByteDance Seed"),
    ("cognitivecomputations", "Cognitive Computations"),
    ("deepcogito", "Deep Cogito"),
    ("deepseek", "DeepSeek"),
    ("ibm-granite", "IBM"),
    ("inclusionai", "inclusionAI"),
    ("kwaipilot", "Kwaipilot"),
    ("meta-llama", "Meta"),
    ("minimax", "MiniMax"),
    ("mistralai", "Mistral AI"),
    ("moonshotai", "Moonshot AI"),
    ("nex-agi", "Nex AGI"),
    ("nousresearch", "Nous Research"),
    ("nvidia", "NVIDIA"),
    ("openai", "OpenAI"),
    ("prime-intellect", "Prime Intellect"),
    ("rekaai", "Reka"),
    ("sakana", "Sakana AI"),
    ("sao10k", "Sao10K"),
    ("sarvam", "Sarvam AI"),
    ("stepfun", "StepFun"),
    ("thedrummer", "TheDrummer"),
    ("thinkingmachines", "Thinking Machines"),
    ("undi95", "Undi95"),
    ("v0", "v0"),
    ("x-ai", "xAI"),
    ("z-ai", "Z.AI"),
];

/// Describes every model that nobody has described.
pub fn describe(catalog: &mut RawCatalog) {
    for (slug, model) in &mut catalog.models {
        if model.description.is_none() {
            model.description = Some(sentence(slug, model));
        }
    }
}

fn sentence(slug: &str, model: &RawModel) -> String {
    let author = author_name(slug.split_once('/').map_or("", |(author, _)| author));
    let mut kind = String::new();
    if model.open_weights {
        kind.push_str("open-weight ");
    }
    if model.reasoning.is_some() {
        kind.push_str("reasoning ");
    }
    let article = if kind.starts_with('o') { "An" } else { "A" };
    let takes = list(model.input);
    let gives = if model.output == Modalities::of(&[Modality::Embeddings]) {
        format!("turns {takes} into vectors")
    } else {
        format!("takes {takes} and answers with {}", list(model.output))
    };
    let mut text = format!("{article} {kind}model by {author} that {gives}.");
    if let Some(cutoff) = &model.knowledge_cutoff {
        text.push_str(" Its knowledge ends in ");
        text.push_str(&month(cutoff));
        text.push('.');
    }
    match slug.split_once(':').map(|(_, variant)| variant) {
        Some("free") => text.push_str(" This variant costs nothing and has tight limits."),
        Some("thinking") => text.push_str(" This variant reasons by default."),
        Some("extended") => text.push_str(" This variant has a longer context."),
        Some("batch") => text.push_str(" This variant is for work that may wait."),
        _ => {}
    }
    text
}

fn author_name(slug: &str) -> String {
    if let Some((_, name)) = AUTHORS.iter().find(|(known, _)| *known == slug) {
        return (*name).to_owned();
    }
    let mut letters = slug.chars();
    let first = letters.next().map(|letter| letter.to_ascii_uppercase());
    first.into_iter().chain(letters).collect()
}

/// What goes in or comes out, in words.
fn list(kinds: Modalities) -> String {
    let words: Vec<&str> = kinds
        .iter()
        .map(|kind| match kind {
            Modality::Image => "pictures",
            Modality::File => "files",
            Modality::Audio => "sound",
            Modality::Embeddings => "vectors",
            other => other.name(),
        })
        .collect();
    match words.as_slice() {
        [] => "nothing".to_owned(),
        [one] => (*one).to_owned(),
        [first @ .., last] => format!("{} and {last}", first.join(", ")),
    }
}

/// `2025-01` or `2025-01-31` as a month.
fn month(date: &str) -> String {
    const MONTHS: [&str; 12] = [
        "January",
        "February",
        "March",
        "April",
        "May",
        "June",
        "July",
        "August",
        "September",
        "October",
        "November",
        "December",
    ];
    let mut parts = date.split('-');
    let year = parts.next().unwrap_or(date);
    let number: Option<usize> = parts.next().and_then(|month| month.parse().ok());
    match number.and_then(|number| MONTHS.get(number.checked_sub(1)?)) {
        Some(name) => format!("{name} {year}"),
        None => year.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Reasoning;

    #[test]
    fn a_model_is_described_by_what_is_known_of_it_and_by_nothing_else() {
        let mut model = RawModel {
            input: Modalities::of(&[Modality::Text, Modality::Image, Modality::File]),
            output: Modalities::of(&[Modality::Text]),
            reasoning: Some(Reasoning::default()),
            knowledge_cutoff: Some("2024-05-30".to_owned()),
            ..RawModel::default()
        };
        assert_eq!(
            sentence("openai/gpt-5-mini", &model),
            "A reasoning model by OpenAI that takes text, pictures and files and answers with \
             text. Its knowledge ends in May 2024."
        );
        model.knowledge_cutoff = None;
        model.open_weights = true;
        model.input = Modalities::of(&[Modality::Text]);
        assert_eq!(
            sentence("someone/m:free", &model),
            "An open-weight reasoning model by Someone that takes text and answers with text. \
             This variant costs nothing and has tight limits."
        );
        let vectors = RawModel {
            input: Modalities::of(&[Modality::Text]),
            output: Modalities::of(&[Modality::Embeddings]),
            ..RawModel::default()
        };
        assert_eq!(
            sentence("baai/bge-m3", &vectors),
            "A model by BAAI that turns text into vectors."
        );
    }

    #[test]
    fn what_someone_has_written_stays() {
        let mut catalog = RawCatalog::default();
        let model = RawModel {
            description: Some("Ours.".to_owned()),
            ..RawModel::default()
        };
        catalog.models.insert("a/b".to_owned(), model);
        describe(&mut catalog);
        assert_eq!(catalog.models["a/b"].description.as_deref(), Some("Ours."));
    }
}

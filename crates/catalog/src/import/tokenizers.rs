//! Families of tokenizers, by OpenRouter's names (its `ModelGroup`, API document,
//! October 2026). Makers whose tokenizer has no name there are `Other`.

/// Who makes models with a tokenizer of its own, and what it is called.
const BY_AUTHOR: &[(&str, &str)] = &[
    ("openai", "GPT"),
    ("anthropic", "Claude"),
    ("x-ai", "Grok"),
    ("cohere", "Cohere"),
    ("amazon", "Nova"),
    ("deepseek", "DeepSeek"),
    ("mistralai", "Mistral"),
    ("01-ai", "Yi"),
];

/// Words in a name that say which family a model was made from; a model that
/// others have trained on keeps its tokenizer. The first that is found counts.
const BY_WORD: &[(&str, &str)] = &[
    ("llama-4", "Llama4"),
    ("llama-3", "Llama3"),
    ("llama3", "Llama3"),
    ("-l3-", "Llama3"),
    ("l3-", "Llama3"),
    ("l3.", "Llama3"),
    ("hermes-3", "Llama3"),
    ("hermes-4-70b", "Llama3"),
    ("hermes-4-405b", "Llama3"),
    ("llama-guard", "Llama3"),
    ("llama-2", "Llama2"),
    ("-l2-", "Llama2"),
    ("mythomax", "Llama2"),
    ("distill-llama", "Llama3"),
    ("qwen3", "Qwen3"),
    ("qwen", "Qwen"),
    ("qwq", "Qwen"),
    ("qvq", "Qwen"),
    ("gemma", "Gemma"),
    ("gemini", "Gemini"),
    ("mixtral", "Mistral"),
    ("mistral", "Mistral"),
    ("wizardlm-2-8x22b", "Mistral"),
    ("gpt-oss", "GPT"),
];

/// The family of `slug`.
#[must_use]
pub(super) fn of(slug: &str) -> &'static str {
    let (author, model) = slug.split_once('/').unwrap_or(("", slug));
    let word = || BY_WORD.iter().find(|(word, _)| model.contains(word));
    // What was made from another's model has the other's tokenizer.
    if let Some((_, family)) = word().filter(|_| model.contains("distill")) {
        return family;
    }
    if let Some((_, family)) = BY_AUTHOR.iter().find(|(known, _)| *known == author) {
        return family;
    }
    match (author, word()) {
        (_, Some((_, family))) => family,
        ("google", None) => "Gemini",
        ("meta-llama", None) => "Llama3",
        _ => "Other",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_model_has_the_tokenizer_of_what_it_was_made_from() {
        for (slug, family) in [
            ("openai/gpt-oss-120b", "GPT"),
            ("google/gemma-3-27b-it", "Gemma"),
            ("google/nano-banana-pro-preview", "Gemini"),
            ("deepseek/deepseek-r1-distill-qwen-32b", "Qwen"),
            ("deepseek/deepseek-r1-distill-llama-70b", "Llama3"),
            ("nvidia/llama-3.3-nemotron-super-49b-v1.5", "Llama3"),
            ("nousresearch/hermes-4-405b", "Llama3"),
            ("sao10k/l3.3-euryale-70b", "Llama3"),
            ("gryphe/mythomax-l2-13b", "Llama2"),
            ("meta-llama/llama-4-maverick", "Llama4"),
            ("qwen/qwen3-coder", "Qwen3"),
            (
                "cognitivecomputations/dolphin-mistral-24b-venice-edition",
                "Mistral",
            ),
            // Tokenizers that have no name there.
            ("z-ai/glm-5.3", "Other"),
            ("moonshotai/kimi-k3", "Other"),
        ] {
            assert_eq!(of(slug), family, "{slug}");
        }
    }
}

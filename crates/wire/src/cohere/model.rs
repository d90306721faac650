//! What one of Cohere's models takes, by its name (docs.cohere.com/docs/models
//! and /docs/reasoning, 2026).

/// Whether the model thinks, and can be told how much. Those of before the first
/// that did are known by name: what comes after them is taken to.
pub fn thinks(model: &str) -> bool {
    const BEFORE: [&str; 7] = [
        "command-r",
        "command-a-03",
        "command-a-vision",
        "command-a-translate",
        "command-light",
        "command-nightly",
        "c4ai-aya",
    ];
    !BEFORE.iter().any(|name| model.starts_with(name))
}

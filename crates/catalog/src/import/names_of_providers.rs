//! What people call a provider: OpenRouter's name for it wherever it has one
//! (its `ProviderName`, API document of 27 October 2026), because clients pin
//! and compare by it.

/// Our slug and the name, for every provider of that list that we know under
/// another name than a price list gives it.
const NAMES: &[(&str, &str)] = &[
    ("baseten", "BaseTen"),
    ("byteplus", "BytePlus"),
    ("cloudflare", "Cloudflare"),
    ("deepinfra", "DeepInfra"),
    ("elevenlabs", "ElevenLabs"),
    ("featherless", "Featherless"),
    ("fireworks", "Fireworks"),
    ("gmicloud", "GMICloud"),
    ("google-ai-studio", "Google AI Studio"),
    ("google-vertex", "Google"),
    ("inference-net", "InferenceNet"),
    ("io-net", "Io Net"),
    ("jina", "Jina AI"),
    ("minimax", "Minimax"),
    ("minimax-cn", "Minimax (China)"),
    ("nearai", "Near AI"),
    ("nebius", "Nebius"),
    ("novita", "Novita"),
    ("ollama-cloud", "Ollama"),
    ("tencent", "Tencent"),
    ("together", "Together"),
    ("venice", "Venice"),
    ("voyage", "Voyage AI"),
    ("wandb", "WandB"),
    ("xai", "xAI"),
];

/// The name of `slug`, if it is another than `listed`, the price list's.
pub(super) fn name_of(slug: &str, listed: &str) -> String {
    let known = NAMES.iter().find(|(ours, _)| *ours == slug);
    known.map_or(listed, |(_, name)| name).to_owned()
}

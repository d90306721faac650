//! Which sorts of parts a message may have.
//!
//! A part of a sort that nobody knows cannot be counted before it is paid, and
//! what a provider makes of it cannot be told: some ignore it, and answer a
//! question that was not asked. Such a part is refused before the call.

use super::Dialect;

/// Why an unknown part is not sent.
pub const UNKNOWN: &str = "the provider is not known to take parts of this type";

/// Parts beside the format's own that servers of open models and Mistral take, each of
/// which the facts of a prompt count (docs.vllm.ai, multimodal inputs;
/// docs.mistral.ai, document understanding and reasoning, 2026).
pub const OF_OPEN_SERVERS: &[&str] = &["audio_url", "document_url", "thinking"];

/// Whether a part of this sort, which the vocabulary does not know, may go on
/// to a vendor.
#[must_use]
pub fn is_taken(dialect: &Dialect, kind: &str) -> bool {
    dialect.parts.contains(&kind)
}

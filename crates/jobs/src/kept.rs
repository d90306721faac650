//! Answers that a server kept and did not live to settle.

use std::collections::{HashMap, HashSet};

use bourse_store::Contents;
use bourse_vocab::GenerationId;

use crate::batch::log;

/// How those of these calls are settled that are lines of batches and whose
/// answers were kept. A batch that cannot be read is told and passed over: the
/// house pays for what is in it, and the server starts.
#[must_use]
pub fn settlements(contents: &Contents, calls: &[GenerationId]) -> HashMap<GenerationId, Vec<u8>> {
    let calls: HashSet<_> = calls.iter().copied().collect();
    let mut found = HashMap::new();
    let batches = contents.logs().unwrap_or_else(|error| {
        tracing::error!(%error, "what batches have come to cannot be read");
        Vec::new()
    });
    for batch in batches {
        if let Err(error) = log::settlements(&contents.log_path(batch), &calls, &mut found) {
            tracing::error!(%batch, %error, "what a batch has come to cannot be read");
        }
    }
    found
}

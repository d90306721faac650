//! One batch: its lines, what they have come to, and its end.

pub mod index;
pub mod line;
pub mod log;
mod prepare;
pub mod render;
mod results;
pub(crate) mod run;

#[cfg(test)]
mod tests;

use bourse_vocab::{BatchId, GenerationId};

/// What a batch is called in records of calls, and in the ids of its lines'
/// answers.
#[must_use]
pub fn label(id: BatchId) -> String {
    format!("batch_{id}")
}

/// What the call of a line is called: made of batch, line and try, so that
/// whoever goes on after a crash finds in the books what has become of it. Two
/// tries have different names: each is a call of its own, held and settled by
/// itself.
#[must_use]
pub fn call_id(batch: BatchId, created_at_ms: u64, line: u32, tried: u16) -> GenerationId {
    let mut hasher = blake3::Hasher::new_derive_key("bourse 2026 call of a line of a batch");
    hasher.update(&batch.to_bits().to_be_bytes());
    hasher.update(&line.to_be_bytes());
    hasher.update(&tried.to_be_bytes());
    let mut bits = [0; 16];
    hasher.finalize_xof().fill(&mut bits);
    GenerationId::at_ms(created_at_ms, u128::from_le_bytes(bits))
}

//! Token counts, as OpenAI-compatible vendors report them and as clients
//! are told.
//!
//! Vendors agree on `prompt_tokens` and `completion_tokens` and on little
//! else, so reading knows every spelling at once: no vendor uses a name of
//! another with a different meaning, and a proxy in between may have mixed
//! them anyway. The one real disagreement, whether reasoning is part of
//! `completion_tokens`, is settled by the vendor's own `total_tokens`.

mod find;
mod read;
mod write;

#[cfg(test)]
mod tests;

pub use find::usage_of_reply;
pub use read::{read_next_usage, read_usage, read_usage_text};
pub use write::write_usage;

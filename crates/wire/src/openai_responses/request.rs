//! Requests: from a client, and to a provider.

mod items;
mod parts;
mod read;
mod write;
mod write_items;

pub use read::read;
pub use write::write;

/// The most items of one request, as in chat completions.
const ITEMS_MAX: usize = 10_000;
/// The most parts of one item.
const PARTS_MAX: usize = 10_000;

//! Requests, both ways.

mod blocks;
mod conversation;
mod draft;
mod inference;
mod point;
mod read;
mod tools;
mod write;

pub(super) use read::{read, read_block};
pub(super) use write::write;

/// Where what only one maker's models know is told.
const MORE: &str = "additionalModelRequestFields";

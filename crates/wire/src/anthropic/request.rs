//! Requests, both ways.

mod blocks;
mod read;
mod sampling;
mod thinking;
mod write;

pub(super) use read::{read, read_thinking, read_tool_choice, sealed, thought};
pub(super) use thinking::OUTPUT_DEFAULT;
pub(super) use write::write;

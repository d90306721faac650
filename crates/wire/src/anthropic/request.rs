//! Requests, both ways.

mod blocks;
mod read;
mod sampling;
mod thinking;
mod write;

pub(crate) use read::read_thinking;
pub(super) use read::{read, read_tool_choice, sealed, thought};
pub(crate) use sampling::{unknown_sampling, unless};
pub(super) use thinking::OUTPUT_DEFAULT;
pub(crate) use thinking::{Given, plan};
pub(super) use write::write;

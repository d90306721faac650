//! Requests, both ways.

mod blocks;
mod read;
mod thinking;
mod write;

pub(super) use read::{read, sealed, thought};
pub(super) use write::write;

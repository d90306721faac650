//! Requests, both ways.

mod blocks;
mod read;
mod sampling;
mod thinking;
mod write;

pub(super) use read::{read, sealed, thought};
pub(super) use write::write;

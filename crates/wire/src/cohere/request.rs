//! Requests, both ways.

mod messages;
mod read;
mod sampling;
mod write;

pub(super) use messages::call;
pub(super) use read::{read, read_block};
pub(super) use write::write;

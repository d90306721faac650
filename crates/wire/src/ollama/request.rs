//! Requests, both ways.

mod messages;
mod options;
mod read;
mod write;

pub(super) use messages::call;
pub(super) use read::{picture, read};
pub(super) use write::write;

/// Where the parameters of a model's run are.
const OPTIONS: &str = "options";
/// The most output tokens, among the options.
const LIMIT: &str = "num_predict";

//! Batches that a provider takes, and what becomes of them.

use serde::{Deserialize, Serialize};

/// How a provider treats batches.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Batches {
    /// How long one takes, in milliseconds.
    pub takes_ms: u64,
    /// Only so many lines of each are answered; the others expire.
    pub answers: Option<u64>,
    /// None is taken.
    pub refuses: bool,
    /// All end `failed`, without an answer.
    pub fails: bool,
    /// So many orders are taken and not answered: the connection ends.
    pub lost_orders: u64,
    /// So many orders are refused with 429 before one is taken.
    pub throttled_orders: u64,
}

//! An account's purses as they are at one moment, for whoever compares them
//! with what the journal says.

use bourse_policy::{Limit, Period};
use bourse_vocab::{AccountId, GenerationId, KeyId, Nanos};

/// A call that holds money.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RunningCall {
    /// The call.
    pub id: GenerationId,
    /// Its key.
    pub key: KeyId,
    /// Whether it is paid from its key's purse, and not from the account's
    /// alone because the key is gone.
    pub is_of_key: bool,
    /// What is set aside for it.
    pub amount: Nanos,
    /// The day on which its money was first set aside; days since 1970.
    pub day: u64,
}

/// What a purse has spent and set aside in one period.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PeriodSums {
    /// How long it is.
    pub period: Period,
    /// Which: [`Period::index`].
    pub index: u64,
    /// What was paid for calls that began in it.
    pub spent: Nanos,
    /// What is set aside for such calls that still run.
    pub held: Nanos,
}

/// A key's purse at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyPurse {
    /// Whose.
    pub id: KeyId,
    /// The most it may spend.
    pub limit: Option<Limit>,
    /// All that was ever paid.
    pub spent: Nanos,
    /// Set aside for running calls.
    pub held: Nanos,
    /// The periods that are remembered.
    pub periods: Vec<PeriodSums>,
    /// The number of the database's change that its limit comes from.
    pub change_seq: u64,
}

/// An account's purses at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccountPurse<T> {
    /// Whose.
    pub id: AccountId,
    /// All credit ever granted.
    pub granted: Nanos,
    /// What was lent of it to this node, ever.
    pub lent: Nanos,
    /// Of this, what was given back.
    pub returned: Nanos,
    /// All that was ever paid.
    pub spent: Nanos,
    /// Set aside for running calls.
    pub held: Nanos,
    /// The number of the database's change that its credit comes from.
    pub change_seq: u64,
    /// Its keys' purses, as far as they are in memory, by their ids.
    pub keys: Vec<KeyPurse>,
    /// Its running calls, by their ids.
    pub running: Vec<RunningCall>,
    /// The moment, as the one who asked tells it.
    pub at: T,
}

//! Accounts and their credit.

use bourse_ledger::GrantKind;
use bourse_vocab::{AccountId, Nanos};

use crate::Reply;
use crate::key::KeyRow;

/// An account as it is stored. Credit and spending are separate sums,
/// because different parties write them: administrators grant, and only the
/// server that holds the account spends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccountRow {
    /// Names the account.
    pub id: AccountId,
    /// A name for people, unique.
    pub name: String,
    /// All credit ever granted, corrections included.
    pub granted: Nanos,
    /// All that was ever paid, as far as the journal has been applied.
    pub spent: Nanos,
    /// Milliseconds since 1970.
    pub created_at_ms: u64,
}

/// Credit to be granted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grant {
    /// To whom.
    pub account: AccountId,
    /// Bought or given away.
    pub kind: GrantKind,
    /// How much; negative for a correction.
    pub amount: Nanos,
    /// Why, for the books.
    pub note: String,
    /// Names the grant: a second one with the same reference, account, kind
    /// and amount is ignored.
    pub reference: Option<String>,
    /// Milliseconds since 1970.
    pub at_ms: u64,
}

/// What others have changed since some moment.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Changes {
    /// To be passed to the next [`Accounts::changes_since`].
    pub seq: u64,
    /// Accounts created or granted credit.
    pub accounts: Vec<AccountRow>,
    /// Keys created, changed or deleted.
    pub keys: Vec<KeyRow>,
}

impl Changes {
    /// Whether nothing has changed.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.accounts.is_empty() && self.keys.is_empty()
    }
}

/// Accounts and their credit.
pub trait Accounts {
    /// Creates an account with a name of its own.
    fn create_account<'a>(&'a self, name: &'a str, at_ms: u64) -> Reply<'a, AccountRow>;
    /// Finds an account.
    fn account(&self, id: AccountId) -> Reply<'_, Option<AccountRow>>;
    /// Finds an account by its name.
    fn account_by_name<'a>(&'a self, name: &'a str) -> Reply<'a, Option<AccountRow>>;
    /// All accounts, by id.
    fn accounts(&self) -> Reply<'_, Vec<AccountRow>>;
    /// Grants credit, with its journal, in one transaction. Granted before
    /// under the same reference, it changes nothing; something else under
    /// the same reference is [`crate::StoreError::Exists`].
    fn grant(&self, grant: Grant) -> Reply<'_, AccountRow>;
    /// What was changed after `seq`; 0 for everything. Spending is no
    /// change: whoever asks is the one who spends.
    fn changes_since(&self, seq: u64) -> Reply<'_, Changes>;
}

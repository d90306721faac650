//! Accounts and their credit.

use bourse_ledger::{Credit, GrantKind, Lease};
use bourse_vocab::{AccountId, Nanos};

use crate::Reply;
use crate::key::KeyRow;

/// Most rows of either kind that [`Accounts::changes_since`] returns at
/// once; what is left comes with the next call.
pub const CHANGES_MAX: usize = 4_096;

/// An account as it is stored. Credit and spending are separate sums,
/// because different parties write them: administrators grant, and only
/// nodes spend, each from its own lease.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccountRow {
    /// Names the account.
    pub id: AccountId,
    /// A name for people, unique.
    pub name: String,
    /// All credit ever granted, corrections included.
    pub granted: Nanos,
    /// All that was ever paid, on all nodes, as far as their journals have
    /// been applied.
    pub spent: Nanos,
    /// What this node may spend of it.
    pub lease: Lease,
    /// What this node has spent of it, as far as applied.
    pub spent_here: Nanos,
    /// Milliseconds since 1970.
    pub created_at_ms: u64,
    /// The number of its last change; see [`Changes::seq`].
    pub change_seq: u64,
}

impl AccountRow {
    /// As the books know it.
    #[must_use]
    pub const fn credit(&self) -> Credit {
        Credit {
            granted: self.granted,
            lease: self.lease,
            spent: self.spent_here,
            change_seq: self.change_seq,
        }
    }
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

/// A grant as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GrantRow {
    /// What was granted, and to whom.
    pub grant: Grant,
    /// The account's name.
    pub account_name: String,
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
    /// Takes lists in the order of their changes, and puts them into that of
    /// ids. Where one was cut, forgets what came after in either, so that the
    /// next call begins there and nothing is skipped.
    pub(crate) fn cut(&mut self) {
        let last_of = |seqs: Option<u64>, rows: usize| seqs.filter(|_| rows >= CHANGES_MAX);
        let accounts = self.accounts.last().map(|row| row.change_seq);
        let keys = self.keys.last().map(|row| row.change_seq);
        let last = [
            last_of(accounts, self.accounts.len()),
            last_of(keys, self.keys.len()),
        ];
        if let Some(seq) = last.into_iter().flatten().min() {
            self.seq = seq;
            self.accounts.retain(|row| row.change_seq <= seq);
            self.keys.retain(|row| row.change_seq <= seq);
        }
        self.accounts.sort_unstable_by_key(|row| row.id);
        self.keys.sort_unstable_by_key(|row| row.id);
    }

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
    /// What was granted to an account, the newest first. `None`: to all.
    fn grants(&self, account: Option<AccountId>, count_max: u64) -> Reply<'_, Vec<GrantRow>>;
    /// Those of the given accounts that exist, by id.
    fn accounts_by_id<'a>(&'a self, ids: &'a [AccountId]) -> Reply<'a, Vec<AccountRow>>;
    /// The number of the last change.
    fn change_seq(&self) -> Reply<'_, u64>;
    /// What was changed after `seq`, in the order of ids and at most
    /// [`CHANGES_MAX`] of each kind; if there is more, the oldest changes. Spending is no change: whoever asks is
    /// the one who spends.
    fn changes_since(&self, seq: u64) -> Reply<'_, Changes>;
}

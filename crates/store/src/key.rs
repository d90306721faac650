//! API keys.

use bourse_ledger::KeyState;
use bourse_policy::{CallDefaults, KeyHash, KeyKind, Limit, Period, Principal, SpentByDay};
use bourse_vocab::{AccountId, KeyId, Nanos};

use crate::Reply;

/// Whose a key is in the eyes of whoever made it. It gives nobody any right.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct External {
    /// What they call their user.
    pub user: String,
    /// The hash of their own key for that user.
    pub key_hash: Option<KeyHash>,
}

/// A key to be created. The secret itself is never stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewKey {
    /// Who pays, or is administered.
    pub account: AccountId,
    /// What the key is found by.
    pub hash: KeyHash,
    /// How it is shown.
    pub label: String,
    /// A name for people.
    pub name: String,
    /// What it is for.
    pub kind: KeyKind,
    /// The most it may spend.
    pub limit: Option<Nanos>,
    /// When the limit starts anew.
    pub limit_reset: Option<Period>,
    /// Whether calls with the customer's own provider key count.
    pub include_byok_in_limit: bool,
    /// Milliseconds since 1970 after which it no longer works.
    pub expires_at_ms: Option<u64>,
    /// Whose it is for whoever made it.
    pub external: Option<External>,
    /// What its calls have by themselves.
    pub calls: CallDefaults,
}

/// A key as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyRow {
    /// Names the key.
    pub id: KeyId,
    /// What it was created with, and changed to.
    pub key: NewKey,
    /// Switched off.
    pub disabled: bool,
    /// Milliseconds since 1970.
    pub created_at_ms: u64,
    /// When it was last changed.
    pub updated_at_ms: Option<u64>,
    /// When it last paid for a call, as far as the journal has been applied.
    pub last_used_at_ms: Option<u64>,
    /// When it was deleted. The row stays, for the books.
    pub deleted_at_ms: Option<u64>,
    /// What it has spent, as far as the journal has been applied.
    pub spent: SpentByDay,
    /// The number of its last change; see [`crate::Changes::seq`].
    pub change_seq: u64,
}

impl KeyRow {
    /// What policy needs to know. A deleted key counts as disabled.
    #[must_use]
    pub const fn principal(&self) -> Principal {
        Principal {
            key: self.id,
            account: self.key.account,
            hash: self.key.hash,
            kind: self.key.kind,
            disabled: self.disabled || self.deleted_at_ms.is_some(),
            expires_at_ms: self.key.expires_at_ms,
            calls: self.key.calls,
        }
    }

    /// As the books know it.
    #[must_use]
    pub fn state(&self) -> KeyState {
        KeyState {
            account: self.key.account,
            limit: self.limit(),
            spent: self.spent.clone(),
            change_seq: self.change_seq,
        }
    }

    /// The limit, as the books know it.
    #[must_use]
    pub fn limit(&self) -> Option<Limit> {
        let reset = self.key.limit_reset;
        self.key.limit.map(|amount| Limit { amount, reset })
    }
}

/// Changes to a key; what is absent stays.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct KeyPatch {
    /// A new name.
    pub name: Option<String>,
    /// Switch on or off.
    pub disabled: Option<bool>,
    /// A new limit, or none.
    pub limit: Option<Option<Nanos>>,
    /// A new reset, or none.
    pub limit_reset: Option<Option<Period>>,
    /// See [`NewKey::include_byok_in_limit`].
    pub include_byok_in_limit: Option<bool>,
    /// When it ends, or never.
    pub expires_at_ms: Option<Option<u64>>,
    /// See [`CallDefaults::continues`]; or none.
    pub continues: Option<Option<bool>>,
    /// See [`CallDefaults::hedges`]; or none.
    pub hedges: Option<Option<bool>>,
    /// See [`CallDefaults::strict`].
    pub strict: Option<bool>,
}

impl KeyPatch {
    /// Changes `row`.
    pub fn apply(self, row: &mut KeyRow, at_ms: u64) {
        fn set<T>(slot: &mut T, value: Option<T>) {
            if let Some(value) = value {
                *slot = value;
            }
        }
        set(&mut row.key.name, self.name);
        set(&mut row.disabled, self.disabled);
        set(&mut row.key.limit, self.limit);
        set(&mut row.key.limit_reset, self.limit_reset);
        set(
            &mut row.key.include_byok_in_limit,
            self.include_byok_in_limit,
        );
        set(&mut row.key.expires_at_ms, self.expires_at_ms);
        set(&mut row.key.calls.continues, self.continues);
        set(&mut row.key.calls.hedges, self.hedges);
        set(&mut row.key.calls.strict, self.strict);
        row.updated_at_ms = Some(at_ms);
    }
}

/// API keys. Those that have been deleted are not found, except where said.
pub trait Keys {
    /// Stores a new key.
    fn create_key(&self, key: NewKey, at_ms: u64) -> Reply<'_, KeyRow>;
    /// Finds a key by the hash of its text.
    fn key_by_hash(&self, hash: KeyHash) -> Reply<'_, Option<KeyRow>>;
    /// Those of the given keys that exist, deleted ones included.
    fn keys_by_hash<'a>(&'a self, hashes: &'a [KeyHash]) -> Reply<'a, Vec<KeyRow>>;
    /// Those of the given keys that exist, deleted ones included.
    fn keys_by_id<'a>(&'a self, ids: &'a [KeyId]) -> Reply<'a, Vec<KeyRow>>;
    /// Keys that paid for a call at or after a moment, those used last first.
    fn keys_used_since(&self, at_ms: u64, count_max: u64) -> Reply<'_, Vec<KeyRow>>;
    /// An account's keys, newest first. `None`: all accounts'.
    fn keys(
        &self,
        account: Option<AccountId>,
        include_disabled: bool,
        offset: u64,
        count_max: u64,
    ) -> Reply<'_, Vec<KeyRow>>;
    /// Changes a key; returns it as it is then.
    fn update_key(&self, hash: KeyHash, patch: KeyPatch, at_ms: u64) -> Reply<'_, Option<KeyRow>>;
    /// Deletes a key; returns whether there was one. Its row stays, for the
    /// books, and [`crate::Accounts::changes_since`] still reports it.
    fn delete_key(&self, hash: KeyHash, at_ms: u64) -> Reply<'_, bool>;
}

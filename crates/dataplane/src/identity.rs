//! Whom providers are told a request is of.
//!
//! Providers want to know which end user a request comes from, to act on abuse
//! without blocking everybody. They need a name that stays the same, not the
//! name that the caller has for the user, which may be an address. So they are
//! told a keyed hash: the key comes from the identity of the installation, so
//! that nobody else can look a name up, and the account is part of what is
//! hashed, so that equal names of two customers are two users.

use std::fmt::Write as _;

use bourse_vocab::{AccountId, StoreId};

/// What the key is derived for; another use of the identity gets another key.
const PURPOSE: &str = "bourse 2026-11 users as providers are told of them";
/// Bytes of the hash that are told: enough that no two users meet, and below
/// the shortest limit (OpenAI takes 64 characters).
const TOLD_BYTES: usize = 16;

/// Makes names for users out of an installation's identity.
#[derive(Clone)]
pub struct Identity([u8; 32]);

impl Identity {
    /// That of an installation.
    #[must_use]
    pub fn of(store: StoreId) -> Self {
        Self(blake3::derive_key(PURPOSE, &store.0))
    }

    /// The name under which providers are told of a user of an account.
    #[must_use]
    pub fn user(&self, account: AccountId, user: &str) -> String {
        let mut hasher = blake3::Hasher::new_keyed(&self.0);
        hasher.update(&account.0.to_le_bytes());
        hasher.update(user.as_bytes());
        let mut told = String::from("user-");
        for byte in hasher.finalize().as_bytes().iter().take(TOLD_BYTES) {
            let _ = write!(told, "{byte:02x}");
        }
        told
    }
}

/// Whose request is being read, as far as providers are told.
#[derive(Clone, Copy)]
pub struct Caller<'a> {
    /// Makes the names.
    pub identity: &'a Identity,
    /// The account that calls.
    pub account: AccountId,
}

impl<'a> Caller<'a> {
    /// An account, as `identity` tells providers of it.
    #[must_use]
    pub const fn new(identity: &'a Identity, account: AccountId) -> Self {
        Self { identity, account }
    }

    /// What providers are told instead of a user's name; nothing is told of
    /// nobody.
    #[must_use]
    pub fn user(&self, user: Option<&str>) -> Option<String> {
        let user = user.filter(|user| !user.is_empty())?;
        Some(self.identity.user(self.account, user))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_has_one_name_in_one_account_of_one_installation() {
        let here = Identity::of(StoreId([1; 16]));
        let name = here.user(AccountId(1), "alice@example.com");
        assert_eq!(name, here.user(AccountId(1), "alice@example.com"));
        assert_eq!(name.len(), 37);
        assert!(!name.contains("alice"));
        let others = [
            here.user(AccountId(1), "bob@example.com"),
            here.user(AccountId(2), "alice@example.com"),
            Identity::of(StoreId([2; 16])).user(AccountId(1), "alice@example.com"),
        ];
        assert!(!others.contains(&name));
    }
}

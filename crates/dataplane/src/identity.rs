//! Whom providers are told a request is of, and where the lot of a session
//! falls.
//!
//! Providers want to know which end user a request comes from, to act on abuse
//! without blocking everybody. They need a name that stays the same, not the
//! name that the caller has for the user, which may be an address. So they are
//! told a keyed hash: the key comes from the identity of the installation, so
//! that nobody else can look a name up, and the account is part of what is
//! hashed, so that equal names of two customers are two users.
//!
//! Calls of one session should reach one endpoint, because only there its
//! prompt is cached. Load is spread by a draw, so a session draws by a hash of
//! its name instead of by chance: nothing has to be remembered, and every
//! worker and every restart draws the same.

use bourse_routing::arrange::Lot;
use bourse_vocab::{AccountId, StoreId};

use crate::chance;

/// What the key is derived for; another use of the identity gets another key.
const USERS: &str = "bourse 2026-11 users as providers are told of them";
const SESSIONS: &str = "bourse 2026-11 where the lots of sessions fall";
/// Bytes of the hash that are told: enough that no two users meet, and below
/// the shortest limit (OpenAI takes 64 characters).
const TOLD_BYTES: usize = 16;
/// What a name begins with.
const PREFIX: &str = "user-";

/// Makes names for users, and lots for sessions, out of an installation's
/// identity.
#[derive(Clone)]
pub struct Identity {
    users: [u8; 32],
    sessions: [u8; 32],
}

impl Identity {
    /// That of an installation.
    #[must_use]
    pub fn of(store: StoreId) -> Self {
        Self {
            users: blake3::derive_key(USERS, &store.0),
            sessions: blake3::derive_key(SESSIONS, &store.0),
        }
    }

    /// The name under which providers are told of a user of an account.
    #[must_use]
    pub fn user(&self, account: AccountId, user: &str) -> String {
        let mut told = Vec::with_capacity(PREFIX.len() + 2 * TOLD_BYTES);
        told.extend_from_slice(PREFIX.as_bytes());
        let hash = hash(&self.users, account, user);
        // Digit by digit: to format sixteen bytes one by one was a sixteenth
        // of all that a call takes.
        for byte in hash.as_bytes().iter().take(TOLD_BYTES) {
            told.extend_from_slice(&[digit(byte >> 4), digit(byte & 0xf)]);
        }
        String::from_utf8(told).unwrap_or_default()
    }

    /// Where the lot of a session of an account falls, in [0, 1).
    #[must_use]
    pub fn lot(&self, account: AccountId, session: &str) -> f64 {
        let [a, b, c, d, ..] = *hash(&self.sessions, account, session).as_bytes();
        f64::from(u32::from_le_bytes([a, b, c, d])) / LOTS
    }
}

/// How many lots there are: one for each number of 32 bits.
const LOTS: f64 = 4_294_967_296.0;

/// A hexadecimal digit of four bits.
const fn digit(bits: u8) -> u8 {
    match bits {
        0..=9 => bits + b'0',
        _ => (bits & 0xf) - 10 + b'a',
    }
}

fn hash(key: &[u8; 32], account: AccountId, name: &str) -> blake3::Hash {
    let mut hasher = blake3::Hasher::new_keyed(key);
    hasher.update(&account.0.to_le_bytes());
    hasher.update(name.as_bytes());
    hasher.finalize()
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

    /// The draw of a call: its session's, or by chance.
    #[must_use]
    pub fn draw(&self, session: &str) -> Lot {
        let shared = |random| Lot {
            random,
            is_shared: true,
        };
        let lot = self.lot(session).map(shared);
        lot.unwrap_or_else(|| Lot::single(chance::random()))
    }

    /// Where the lot of a session falls; a call of none has no lot of its own.
    fn lot(&self, session: &str) -> Option<f64> {
        (!session.is_empty()).then(|| self.identity.lot(self.account, session))
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
        let digits = name.strip_prefix("user-").unwrap();
        assert_eq!(digits.len(), 32);
        let hash = hash(&here.users, AccountId(1), "alice@example.com");
        assert!(hash.to_hex().starts_with(digits), "{digits}");
        assert!(!name.contains("alice"));
        let others = [
            here.user(AccountId(1), "bob@example.com"),
            here.user(AccountId(2), "alice@example.com"),
            Identity::of(StoreId([2; 16])).user(AccountId(1), "alice@example.com"),
        ];
        assert!(!others.contains(&name));
    }

    #[test]
    fn a_session_always_draws_the_same_lot_and_sessions_draw_evenly() {
        let here = Identity::of(StoreId([1; 16]));
        let caller = Caller::new(&here, AccountId(1));
        assert_eq!(caller.lot(""), None);
        let mut halves = [0, 0];
        for number in 0..1_000 {
            let session = format!("session-{number}");
            let lot = caller.lot(&session).unwrap();
            assert_eq!(caller.lot(&session), Some(lot));
            assert!((0.0..1.0).contains(&lot), "{lot}");
            halves[usize::from(lot >= 0.5)] += 1;
        }
        assert!(halves.iter().all(|half| *half > 400), "{halves:?}");
        let other = Caller::new(&here, AccountId(2));
        assert_ne!(other.lot("session-0"), caller.lot("session-0"));
    }
}

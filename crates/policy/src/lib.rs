//! Who may do what: keys, principals, limits.
//!
//! Pure: time and random bytes are arguments, and nothing here looks
//! anything up. A key's text is checked before any lookup, a limit is
//! arithmetic on numbers that the ledger keeps.

pub mod key;
pub mod limit;
pub mod principal;

pub use key::{KeyError, KeyHash, KeyKind, KeyText, RecalledKey, label};
pub use limit::{Calendar, Limit, Period, Spent, SpentByDay, day_of};
pub use principal::{CallDefaults, InferenceKey, ManagementKey, NotPermitted, Principal};

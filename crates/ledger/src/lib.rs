//! Money rules: price a usage, hold, extend, post, void; double entry.
//!
//! Pure: integers, checked arithmetic, time as an argument, no I/O.
//! [`books`] is the authority on balances while a server runs, [`record`]
//! is what the local journal remembers, [`fold`] turns records into
//! bookings for a database, [`chain`] ties records to what came before them,
//! [`generation`] holds rows to their records, [`recover`] puts journal and
//! database together at start, and [`who_pays`] is the table that settles
//! arguments.

pub mod books;
mod by_id;
pub mod chain;
pub mod fold;
pub mod generation;
pub mod journal;
pub mod names;
pub mod open_hold;
pub mod price;
pub mod record;
pub mod recover;
pub mod video_job;
pub mod who_pays;

pub use books::{
    Balance, Books, Credit, Exhausted, KeyBalance, KeyState, Lease, Posted, Refusal, Released,
    Subject,
};
pub use chain::{Chain, Link};
pub use fold::{Effects, Fold};
pub use generation::{GenerationRow, RowSum};
pub use journal::{GrantKind, Journal, LedgerAccount};
pub use open_hold::OpenHold;
pub use price::{Bounds, Charge, PriceError, price, upper_bound};
pub use record::{Record, Settlement, Voiding};

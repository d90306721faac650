//! Work that must not delay a call, and that outlives a request.
//!
//! [`runner`] runs batches of calls: it claims them, calls their lines through
//! whoever can ([`Caller`]), and puts the answers in order. [`sweep`] removes
//! files whose time is up. [`vendor`] is where lines go that a vendor answers at
//! half the price, and [`video`] follows films that providers make. All run beside calls and are told to stop; what
//! they had come to is on the disk.

pub mod batch;
mod caller;
mod kept;
pub mod runner;
mod shared;
pub mod sweep;
pub mod vendor;
pub mod video;

pub use caller::{BoxFuture, Caller, LineCall, NoAnswer, Past};
pub use kept::settlements;
pub use shared::{JobLimits, Jobs};

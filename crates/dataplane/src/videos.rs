//! Jobs at providers: films that are being made.
//!
//! A job begins as any call does, through all phases up to the first answer.
//! Its provider answers that it has taken it, and there the call is parked
//! ([`park`]): its money stays set aside, and all that it takes to ask after it
//! and to settle it is written down ([`Job`]), so that whoever serves then can
//! do both. Whoever keeps jobs is a [`book::Book`]; it is told before anything is
//! sent, so that no job is sent twice.

pub mod book;
pub mod follow;
mod park;
pub mod settle;

pub use book::Book;
pub use bourse_ledger::video_job::{Job, Outcome, Taken};

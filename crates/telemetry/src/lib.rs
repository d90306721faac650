//! What finished calls look like from outside: OpenTelemetry spans and lines of
//! a log, built from the records that calls leave in the journal.
//!
//! Nothing here is on the way of a call. A record has everything that a span
//! says, so a trace costs a call nothing, survives a restart as the record
//! does, and tells of the call what its bill tells. Prompts and answers are in
//! no record, and so in no span.
//!
//! Pure: who reads the journal and sends the bytes is elsewhere.

mod ended;
pub mod line;
pub mod names;
mod sampling;
mod spans;

pub use sampling::Sampling;
pub use spans::{Observer, SPANS_MAX, encode};

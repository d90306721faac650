//! Finding and replacing members of a JSON text without parsing it.
//!
//! A prompt is up to many megabytes of which the gateway edits a few dozen
//! bytes. [`Scanner`] reads the text once, in the pieces in which it
//! arrives, and says where the members of the outermost object are;
//! [`splice`] puts a new text together out of slices of the old pieces;
//! [`walk`] looks inside a value that was scanned before. A text that is
//! there in one piece and only read once takes a [`Reader`].
//!
//! The scanner is stricter than the parsers behind it where they disagree
//! with each other: a member that is there twice, or whose name is spelled
//! with escapes, is refused, because a policy that reads one value while
//! the provider obeys the other is no policy.

mod count;
mod duplicates;
mod features;
mod fold;
mod kind;
mod limits;
mod outline;
mod parse;
mod prompt;
mod quote;
mod reader;
mod scan_error;
mod scanner;
mod segments;
pub mod splice;
pub mod text;
mod utf8;
pub mod walk;

#[cfg(test)]
mod tests;

pub use count::count_values;
pub(crate) use features::is_nine_alphanumerics;
pub use features::{CALL_ID_BYTES_MAX, Features};
pub use fold::folded;
pub use kind::Kind;
pub use limits::{KEY_BYTES_MAX, MEMBERS_MAX, NESTING_MAX};
pub use outline::{Member, Outline};
pub use parse::parse_scanned;
pub use prompt::{ADDRESSES_MAX, Addresses};
pub(crate) use quote::text_end;
pub use reader::Reader;
pub use scan_error::{ScanError, ScanErrorKind};
pub use scanner::{Scanner, scan};
pub use segments::{first_byte, raw, short, slice_into};

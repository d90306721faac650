//! Messages in, Messages out: edited in place.
//!
//! Where client and provider both speak Anthropic's format, the conversation
//! is neither parsed nor copied, and what nobody here knows survives in it.
//!
//! - [`Envelope`] reads and checks a request's members and leaves what was said
//!   alone; [`splice_request`] writes the request for one target;
//! - [`StreamEdits`] passes a stream on, event by event;
//! - [`splice_reply`] passes a whole reply on.
//!
//! What a provider is sent decides what it bills, so top-level members go on
//! only where they are on the list of [`members`], and tools only where the
//! client runs them ([`tools`]). An answer carries the call's id, the model and
//! the provider, and what it cost, whoever gave it.

mod envelope;
pub mod members;
mod opener;
mod paths;
mod reply;
mod request;
mod stream;
mod tools;

#[cfg(test)]
mod tests;

pub use envelope::Envelope;
pub use reply::{ReplyEdits, splice_reply};
pub use request::splice_request;
pub use stream::StreamEdits;

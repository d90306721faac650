//! Google's format in, Google's format out: edited in place.
//!
//! Where client and provider both speak it, what was said is neither parsed
//! nor copied, and what nobody here knows survives in it: `contents`,
//! `systemInstruction`, `tools` and `safetySettings` go on byte for byte.
//! `generationConfig` and `toolConfig` decide what a provider bills. They are
//! read, and written anew out of the members that are on the list of
//! [`members`].
//!
//! - [`Envelope`] reads and checks a request's members and leaves what was said
//!   alone; [`splice_request`] writes the request for one target;
//! - [`StreamEdits`] passes a stream on, response by response;
//! - [`splice_reply`] passes a whole reply on.
//!
//! An answer carries the call's id, the model and the provider, and what it
//! cost, whoever gave it.

mod config;
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

pub use config::Config;
pub use envelope::Envelope;
pub use reply::{ReplyEdits, splice_reply};
pub use request::splice_request;
pub use stream::StreamEdits;

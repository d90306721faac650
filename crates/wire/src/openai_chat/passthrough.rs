//! Chat completions in, chat completions out: edited in place.
//!
//! Where client and provider speak the same format nothing is parsed that
//! need not be, and what goes on goes on byte for byte.
//!
//! - [`Envelope`] reads a request's parameters and leaves its messages
//!   alone; [`splice_request`] writes the request for one target;
//! - [`StreamRelay`] passes a stream on, chunk by chunk;
//! - [`splice_reply`] passes a whole reply on.
//!
//! What is inside messages a splice cannot change: the role `developer`,
//! participants' names, and, for the few vendors that are strict about
//! messages, `cache_control` and replayed reasoning. Whoever builds a request
//! asks [`needs_rewrite`] first and takes the way through `vocab` if it says
//! so. Most vendors of this format ignore members that they do not know in
//! messages, and are sent them as they are.

mod body;
mod calls;
mod check;
mod choice;
mod chunk;
mod envelope;
mod faults;
mod form;
pub(crate) mod opener;
mod output;
mod relay;
mod reply;
mod request;
mod seen;
mod state;
mod template;

#[cfg(test)]
mod tests;

pub use crate::dialect::parameters::{Param, Params};
pub use envelope::Envelope;
pub use relay::{FinishSeen, StreamRelay};
pub use reply::{ReplyParts, splice_reply};
pub use request::{needs_rewrite, splice_request};

//! Reading a provider's stream and writing the client's, metering on the way.
//!
//! A [`Feed`] takes upstream bytes in pieces of any size and appends what
//! the client shall see. Where both sides speak the same format, frames are
//! forwarded byte for byte ([`forward::Forward`], and one of its own for chat
//! completions, whose ids are replaced on the way); where they do not, they
//! are read and written anew ([`translate::Translate`]; [`reading::Reading`]
//! reads and meters for both). A feed that can say what a call cost holds back
//! the provider's usage and the end of the stream: the caller is told the
//! usage with its price, once, when the call is settled.

pub mod body;
pub mod continued;
pub mod forward;
pub mod meter;
pub mod pursuit;
pub mod reading;
pub mod replay;
pub mod reply;
pub mod resuming;
pub mod told;
pub mod translate;
pub mod unstreamed;
pub mod waits;

use bourse_vocab::{Bill, Failure, Usage, UsageReport};
use bourse_wire::tool_calls::Made;
use bytes::Bytes;
use http::HeaderValue;

use crate::cache::record::Record;
use told::Told;

/// The longest frame of a provider's stream: a large picture in base64.
pub const FRAME_BYTES_MAX: usize = 16 << 20;

/// What was learned from a stream so far.
#[derive(Debug, Clone, Default)]
pub struct Report {
    /// What the provider says it counted.
    pub usage: UsageReport,
    /// The provider's id for its answer.
    pub upstream_id: Option<String>,
    /// Why it ended, in the public API's words.
    pub finish: Option<&'static str>,
    /// Why it ended, in the provider's words.
    pub native_finish: Option<String>,
    /// The tier that served.
    pub service_tier: Option<String>,
    /// Bytes of content, shown or hidden: an upper bound for its tokens.
    pub content_bytes: u64,
    /// Pieces of content, shown or hidden: most providers send a token in
    /// each.
    pub content_pieces: u64,
}

/// How much of an answer there was so far, and no more: it is asked for after
/// every piece.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Delivered {
    /// See [`Report::content_bytes`].
    pub content_bytes: u64,
    /// See [`Report::content_pieces`].
    pub content_pieces: u64,
    /// Input tokens, if the provider has counted them: [`Report::usage`] says
    /// more of them since then.
    pub prompt: Option<u64>,
}

/// Turns upstream bytes into the client's.
pub trait Feed: Send {
    /// Takes a piece of the upstream's stream.
    ///
    /// # Errors
    /// The stream is broken, or the provider reported an error in it. What
    /// was appended to `out` before is good.
    fn feed(&mut self, piece: &Bytes, out: &mut Vec<u8>) -> Result<(), Failure>;

    /// The upstream closed the stream.
    ///
    /// # Errors
    /// It was cut short.
    fn end(&mut self, out: &mut Vec<u8>) -> Result<(), Failure>;

    /// Takes in what the provider calls its answer, before the first piece.
    fn announced(&mut self, _content_type: &str) {}

    /// What the client's answer is called, where it is no stream of events.
    fn media_type(&self) -> Option<HeaderValue> {
        None
    }

    /// Whether a broken answer can be told in no other way than by breaking
    /// off: there is no room for an error in a sound, and one that ends as it
    /// should looks whole.
    fn breaks_off(&self) -> bool {
        false
    }

    /// Whether only the provider's last word tells how much there was: of a
    /// sound that is sold by the token, pieces and bytes say little. Whoever
    /// leaves such an answer pays for what it came to, so it is read to its end.
    fn counts_at_its_end(&self) -> bool {
        false
    }

    /// Whether anything that a client would notice has been appended to `out`.
    /// Thoughts that it is not to see are none of it.
    fn has_content(&self) -> bool;

    /// Whether the model has begun to answer: thoughts, and what is shown of
    /// them, are none of it.
    fn has_answered(&self) -> bool;

    /// Whether the provider has said that the stream is complete.
    fn is_complete(&self) -> bool;

    /// See [`Report::content_bytes`]; asked after every piece.
    fn content_bytes(&self) -> u64;

    /// See [`Report::content_pieces`]: more than none once the model has said
    /// anything, shown or hidden.
    fn content_pieces(&self) -> u64;

    /// The same two, and what of the report a price needs besides; asked
    /// after every piece.
    fn delivered(&self) -> Delivered;

    /// What was learned so far.
    fn report(&self) -> Report;

    /// What tells it, if another target may have to go on with it.
    fn told(&self) -> Option<Told> {
        None
    }

    /// What the provider sent so far, where that is taken down. It is asked
    /// for once, at the end.
    fn record(&mut self) -> Option<Record> {
        None
    }

    /// The tool calls so far. They are asked for once, at the end.
    fn calls(&mut self) -> Option<Box<Made>> {
        None
    }

    /// Appends what is told once the call is settled, usage and price where
    /// the format has room for them, and the end of the stream.
    fn finish(&mut self, usage: &Usage, bill: &Bill, out: &mut Vec<u8>);

    /// Appends an error and the end of the stream: a broken answer is never
    /// shown as a finished one.
    fn fail(&mut self, failure: &Failure, out: &mut Vec<u8>);
}

//! Room for the whole replies of providers.
//!
//! What is not streamed is in memory until its client has it, and while it is
//! read three times: as it came, as it is understood, and as it is written
//! anew. One reply is bounded, and there are thousands of connections. So all
//! replies share a bound, as the bodies of requests do, with a part of it for
//! short ones ([`Bodies`]). Whoever would go beyond it is refused before more is
//! read: by us, so that no other provider is tried and none is blamed.

use std::sync::Arc;
use std::time::Duration;

use bourse_net::{NetError, UpstreamBody};
use bourse_vocab::{Blame, Failure, FailureKind, Next};
use bytes::Bytes;

use crate::bodies::{Bodies, Room};

/// Room for all replies: two of the longest that are read at once, beside
/// short ones, of which thousands fit.
pub const REPLIES_BYTES_MAX: usize = 512 << 20;
/// How many times a reply is in memory while it is read.
const TIMES: usize = 3;
/// When to come back: a reply is read, written and gone within a second or two.
const RETRY_AFTER: Duration = Duration::from_secs(2);

/// Why a reply was not read.
#[derive(Debug)]
pub enum Unread {
    /// It broke off, or is too long.
    Net(NetError),
    /// There is no room for it.
    NoRoom,
}

impl From<NetError> for Unread {
    fn from(error: NetError) -> Self {
        Self::Net(error)
    }
}

/// A reply with the room that it takes: both are let go of together.
pub struct Read {
    /// What came.
    pub text: Bytes,
    room: Room,
}

/// Reads a reply of at most `max` bytes.
///
/// # Errors
/// It cannot be read, or there is no room for it.
pub async fn read(body: UpstreamBody, max: usize, replies: &Arc<Bodies>) -> Result<Read, Unread> {
    let mut room = Room::begin(replies);
    let take = |bytes: usize| {
        let grown = room.grow(bytes.saturating_mul(TIMES));
        grown.map_err(|_| Unread::NoRoom)
    };
    let text = body.read_with(max, take).await?;
    Ok(Read { text, room })
}

impl Read {
    /// The room of what was understood: it takes as much as what came, until
    /// the client has it.
    #[must_use]
    pub fn understood(mut self) -> Room {
        self.room.shrink(self.text.len());
        self.room
    }
}

/// What a caller is told for whose answer there is no room.
#[must_use]
pub fn full() -> Failure {
    let failure = Failure::new(
        FailureKind::Overloaded,
        "Too many large answers are being received; try again, or ask for a stream",
    );
    Failure {
        blame: Blame::Us,
        ..failure
    }
    .next(Next::Stop)
    .retry_after(RETRY_AFTER)
    .inside("the room for whole replies is used up")
}

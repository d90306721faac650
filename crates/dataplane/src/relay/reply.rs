//! What a call is answered with.

use bourse_vocab::Failure;
use bytes::Bytes;

use super::body::Relay;
use super::pursuit::Unread;
use crate::bodies::Room;

/// What a call is answered with.
pub enum Reply {
    /// The whole body, the room that it takes, and its media type where that
    /// is not JSON.
    Whole(Bytes, Room, Option<&'static str>),
    /// A stream.
    Stream(Relay),
}

impl Reply {
    /// The stream that a stream was asked for.
    ///
    /// # Errors
    /// The answer is whole, which a request for a stream never gets.
    pub fn into_stream(self) -> Result<Relay, Failure> {
        match self {
            Self::Stream(relay) => Ok(relay),
            Self::Whole(..) => Err(Failure::server("a stream was answered as a whole")),
        }
    }
}

impl Unread for Reply {
    async fn drain(self) {
        // A whole answer is there, and settled.
        if let Self::Stream(relay) = self {
            relay.drain().await;
        }
    }
}

//! How a stream is cut into frames, whatever is in them.
//!
//! Framing is a property of the way to a target and not of its format: the
//! same JSON comes as server-sent events from one vendor and as binary
//! messages from another. A [`Decoder`] takes the bytes in pieces of any size
//! and hands out [`Frame`]s, slices of a piece wherever a frame lies in one.

mod event_stream;
mod json_array;
mod json_lines;
mod reported;

#[cfg(test)]
mod tests;

use bourse_vocab::{Failure, Format};

pub use crate::sse::{Frame, FrameTooLong};
pub use event_stream::{MessageKind, encode};

/// Characters of a framing's own error message that are kept.
const ERROR_CHARS_MAX: usize = 2_000;

/// How a stream is cut into frames.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Framing {
    /// Server-sent events (WHATWG HTML, section 9.2).
    Sse,
    /// Binary messages with headers and checksums
    /// (`application/vnd.amazon.eventstream`).
    EventStream,
    /// One JSON text a line.
    JsonLines,
    /// The elements of one JSON array.
    JsonArray,
}

impl Framing {
    /// Every framing.
    pub const ALL: [Self; 4] = [
        Self::Sse,
        Self::EventStream,
        Self::JsonLines,
        Self::JsonArray,
    ];

    /// How those who invented a format cut its streams.
    #[must_use]
    pub const fn of(format: Format) -> Self {
        match format {
            Format::OpenAiChat
            | Format::OpenAiResponses
            | Format::Anthropic
            | Format::Gemini
            | Format::Cohere => Self::Sse,
            Format::Bedrock => Self::EventStream,
            Format::Ollama => Self::JsonLines,
        }
    }

    /// The media type that asks for it.
    #[must_use]
    pub const fn media_type(self) -> &'static str {
        match self {
            Self::Sse => "text/event-stream",
            Self::EventStream => "application/vnd.amazon.eventstream",
            Self::JsonLines => "application/x-ndjson",
            Self::JsonArray => "application/json",
        }
    }

    /// Whether an answer of this `Content-Type` is a stream so framed. Lines
    /// of JSON go by several names, none of them registered.
    #[must_use]
    pub fn is_announced_by(self, content_type: &str) -> bool {
        let media_type = content_type.split(';').next().unwrap_or("").trim();
        let is = |name: &str| media_type.eq_ignore_ascii_case(name);
        is(self.media_type())
            || (self == Self::JsonLines
                && (is("application/jsonl")
                    || is("application/ndjson")
                    || is("application/json-lines")))
    }

    /// Whether an answer that is not announced as a stream is one all the
    /// same, by how it begins. Only events can be told from a whole answer so.
    #[must_use]
    pub fn looks_like(self, beginning: &[u8]) -> bool {
        const FIELDS: [&[u8]; 5] = [b"data:", b"event:", b"id:", b"retry:", b":"];
        let text = beginning.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(beginning);
        let text = text.trim_ascii_start();
        self == Self::Sse && FIELDS.iter().any(|field| text.starts_with(field))
    }

    /// A decoder at the beginning of a stream, for frames of at most `limit`
    /// bytes.
    #[must_use]
    pub fn decoder(self, limit: usize) -> Decoder {
        Decoder(match self {
            Self::Sse => Inner::Sse(crate::sse::Decoder::with_limit(limit)),
            Self::EventStream => Inner::EventStream(event_stream::Decoder::new(limit)),
            Self::JsonLines => Inner::JsonLines(json_lines::Decoder::new(limit)),
            Self::JsonArray => Inner::JsonArray(json_array::Decoder::new(limit)),
        })
    }
}

/// Why a stream cannot be cut into frames.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FramingError {
    /// A frame exceeds its bound, as does one that never ends.
    #[error(transparent)]
    TooLong(#[from] FrameTooLong),
    /// The bytes break the rules of the framing.
    #[error("the stream's framing is broken: {0}")]
    Corrupt(&'static str),
    /// The framing has errors of its own, and this is one.
    #[error("the provider reported {code}")]
    Reported {
        /// Its name, as the provider gives it.
        code: String,
        /// What it said, cut to a bounded length.
        text: String,
    },
}

impl From<FramingError> for Failure {
    fn from(error: FramingError) -> Self {
        match error {
            FramingError::TooLong(error) => error.into(),
            FramingError::Corrupt(_) => {
                Self::unavailable("The provider's stream broke off or could not be read")
                    .inside(error.to_string())
            }
            FramingError::Reported { ref code, ref text } => {
                reported::failure(code, text).inside(error.to_string())
            }
        }
    }
}

/// What a frame's reader may fail with: its own error, or the framing's.
pub trait FrameError: From<FrameTooLong> + From<FramingError> {}

impl<E: From<FrameTooLong> + From<FramingError>> FrameError for E {}

/// Cuts a byte stream into frames, whatever the pieces in which it comes.
#[derive(Debug, Clone)]
pub struct Decoder(Inner);

#[derive(Debug, Clone)]
enum Inner {
    Sse(crate::sse::Decoder),
    EventStream(event_stream::Decoder),
    JsonLines(json_lines::Decoder),
    JsonArray(json_array::Decoder),
}

impl Decoder {
    /// Reads the next piece and calls `each` with every frame that it
    /// completes. Stops at the first error; after one the decoder is of no
    /// more use.
    ///
    /// # Errors
    /// What `each` returns, or why the bytes are no frames.
    pub fn feed<E: FrameError>(
        &mut self,
        piece: &[u8],
        each: impl FnMut(Frame<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        match &mut self.0 {
            Inner::Sse(decoder) => decoder.feed(piece, each),
            Inner::EventStream(decoder) => decoder.feed(piece, each),
            Inner::JsonLines(decoder) => decoder.feed(piece, each),
            Inner::JsonArray(decoder) => decoder.feed(piece, each),
        }
    }

    /// The stream was closed. Calls `each` with a last frame that needs no
    /// mark at its end; a frame that was cut off is dropped, because whether
    /// the answer was complete is for its format to decide.
    ///
    /// # Errors
    /// What `each` returns.
    pub fn end<E: FrameError>(
        &mut self,
        each: impl FnMut(Frame<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        match &mut self.0 {
            Inner::Sse(decoder) => decoder.end(each),
            Inner::JsonLines(decoder) => decoder.end(each),
            Inner::EventStream(_) | Inner::JsonArray(_) => Ok(()),
        }
    }
}

/// A frame without a name.
const fn unnamed(data: &[u8]) -> Frame<'_> {
    Frame { event: "", data }
}

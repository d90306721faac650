//! Formats and framing: bytes to vocabulary and back, without I/O.
//!
//! Three layers, each usable alone:
//!
//! - framing: [`json`] finds and replaces members of a JSON text without
//!   parsing it, [`framing`] cuts a byte stream into frames, of which [`sse`]
//!   is the commonest sort;
//! - formats: one folder each, reading requests, replies, streams and
//!   errors into `vocab` and writing them out of it ([`Codec`]);
//! - operations that are no chat ([`embeddings`], [`speech`],
//!   [`transcription`]): one folder each, with a codec of its own for each
//!   shape; what they need beside JSON is in [`multipart`] and [`sound`];
//! - pass-through: [`openai_chat::passthrough`] edits a request, a reply or a
//!   stream in place where both sides speak the same format, so that nothing
//!   is lost and almost nothing is spent.
//!
//! Nothing in this crate opens a socket, reads a clock or draws a random
//! number.

pub mod anthropic;
pub mod bedrock;
pub mod codec;
pub mod cohere;
pub mod dialect;
pub mod embeddings;
pub mod failure_text;
mod fields;
mod formats;
pub mod framing;
pub mod gemini;
pub mod images;
pub mod json;
#[doc(hidden)]
pub mod laws;
mod lossy;
pub mod moderations;
pub mod multipart;
mod object;
pub mod ollama;
pub mod openai_chat;
pub mod openai_responses;
mod places;
pub mod realtime;
pub mod rerank;
mod small;
pub mod sound;
pub mod speech;
pub mod sse;
pub mod tool_calls;
pub mod transcription;
pub mod videos;

pub use codec::{Codec, ErrorReply, Stamp, StreamReader, StreamWriter, WriteTarget, Written};
pub use dialect::Dialect;
pub use formats::codec;

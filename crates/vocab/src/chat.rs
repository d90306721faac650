//! The chat request, reply and stream, as no single vendor spells them.
//!
//! The model is OpenRouter's chat completion, the widest of the formats in
//! use, with content always as parts. What a format's reader does not know
//! rides along in [`Extras`], tagged with the format it came from: a writer
//! of the same format puts it back, any other reports it as a [`Loss`].

mod event;
mod message;
mod reply;
mod request;

pub use event::{Event, ReasoningDelta};
pub use message::{CacheControl, Media, Message, Part, Reasoning, ReasoningKind, Role};
pub use reply::{Choice, Finish, Reply};
pub use request::{
    Effort, Efforts, Extras, Loss, MODELS_MAX, Outcome, Reason, ReasoningRequest, Request,
    ResponseFormat, Sampling, Tool, ToolChoice,
};

//! Requests: GenerateContentRequest (Gemini API reference, October 2026).

mod config;
mod contents;
mod names;
mod read;
mod read_contents;
mod thinking;
mod turns;
mod write;

pub use names::{camel, fields, twice};
pub use read::{generation, read, tool_choice};
pub use write::write;

/// Members of the same meaning are looked for under this name first.
const CONFIG: &str = "generationConfig";
/// See [`CONFIG`].
const TOOL_CONFIG: &str = "toolConfig";

//! Chat requests: from a client, and to a provider.

mod read;
mod read_message;
mod write;
mod write_message;

pub(super) use read::{Reader, read};
pub(super) use write::write;

/// The most messages of one request: a conversation of a working day has
/// hundreds, and each costs more memory here than on the wire.
pub const MESSAGES_MAX: usize = 10_000;
/// The most parts of one message, pictures and tool calls included.
pub const PARTS_MAX: usize = 10_000;
/// The most tools of one request. OpenAI takes 128, others more.
pub const TOOLS_MAX: usize = 512;
/// The most stop texts of one request (openrouter.ai/docs, parameters,
/// October 2026).
pub const STOPS_MAX: usize = 4;
/// The most answers to one request (OpenAI's own limit).
pub const CHOICES_MAX: u64 = 128;
/// The most output kinds of one request: there are three.
const MODALITIES_MAX: usize = 8;
/// The largest output limit that is not nonsense.
const MAX_TOKENS_MAX: u64 = bourse_vocab::usage::TOKENS_MAX;

/// Top-level members that are for the gateway. They are read from the
/// envelope where they are needed, and never reach a provider
/// (openrouter.ai/docs, API reference and provider routing, October 2026).
const GATEWAY_MEMBERS: &[&str] = &[
    "debug",
    "metadata",
    "models",
    "plugins",
    "preset",
    "provider",
    "route",
    "session_id",
    "stop_server_tools_when",
    "stream_options",
    "trace",
    "transforms",
    "usage",
];

/// Members of a message that only say where it came from.
const GATEWAY_MESSAGE_MEMBERS: &[&str] = &["id", "model"];

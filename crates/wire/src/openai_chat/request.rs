//! Chat requests: from a client, and to a provider.

mod leftovers;
mod read;
mod read_message;
mod write;
mod write_message;
mod write_part;

pub(super) use read::{Reader, read};
pub(super) use write::write;

/// The most messages of one request: a conversation of a working day has
/// hundreds, and each costs more memory here than on the wire.
pub const MESSAGES_MAX: usize = 10_000;
/// The most parts of one message, pictures and tool calls included.
pub const PARTS_MAX: usize = 10_000;
/// The most tools of one request. OpenAI takes 128, others more.
pub const TOOLS_MAX: usize = 512;
/// The most output kinds of one request: there are three.
const MODALITIES_MAX: usize = 8;
/// Members of a message that only say where it came from.
const GATEWAY_MESSAGE_MEMBERS: &[&str] = &["id", "model"];

//! What a model is asked to do.

use std::fmt;

/// What a model is asked to do, whatever the wire shape of the question.
///
/// A vendor's interface is for one operation; a client's endpoint may be
/// served by several (text completions by chat models, for example).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Operation {
    /// Go on with a conversation.
    Chat,
    /// Go on with a text: the interface before chat.
    Text,
}

impl Operation {
    /// The name in logs and records.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Chat => "chat",
            Self::Text => "text",
        }
    }
}

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

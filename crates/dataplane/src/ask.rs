//! What the caller asks for, read once and never changed.

use bourse_routing::filter::Needs;
use bourse_routing::preferences::Preferences;
use bourse_vocab::PromptFacts;
use bourse_vocab::chat::Request;
use bourse_wire::openai_chat::passthrough::Envelope;
use bytes::Bytes;

/// What the client spoke, and speaks to be answered in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// `POST /chat/completions`.
    Chat,
    /// `POST /completions`, the legacy text interface.
    Completion,
}

/// The request itself.
#[derive(Debug)]
#[allow(clippy::large_enum_variant)] // One for each call, in a box already.
pub enum Source {
    /// A chat request, as its bytes. The prompt in it was scanned and not
    /// parsed.
    Chat {
        /// Where its members are.
        envelope: Box<Envelope>,
        /// The body, in the pieces in which it arrived.
        segments: Vec<Bytes>,
    },
    /// A request that was parsed, because no provider speaks its shape.
    Parsed(Box<Request>),
    /// It was sent, and an answer has begun: nobody needs it any more. A
    /// stream of minutes should not keep its prompt in memory.
    Sent,
}

/// Who the caller says they are, for records. Never for permissions.
#[derive(Debug, Clone, Default)]
pub struct Attribution {
    /// `HTTP-Referer`: the app's address.
    pub referer: String,
    /// `X-OpenRouter-Title` or `X-Title`: the app's name.
    pub title: String,
    /// `User-Agent`.
    pub user_agent: String,
    /// `session_id`, or the header of that name.
    pub session_id: String,
    /// `user`: the caller's own user.
    pub user: String,
}

/// What the caller asks for.
#[derive(Debug)]
pub struct Ask {
    /// What the client spoke.
    pub shape: Shape,
    /// The request itself.
    pub source: Source,
    /// Model names in order of preference, as typed.
    pub models: Vec<String>,
    /// The `provider` object.
    pub wishes: Preferences,
    /// What an endpoint must be able to do.
    pub needs: Needs,
    /// Whether to stream.
    pub stream: bool,
    /// How many answers.
    pub answers: u64,
    /// The most output tokens asked for.
    pub max_output: Option<u64>,
    /// What the prompt contains, in numbers.
    pub facts: PromptFacts,
    /// Whether the model may think but the caller is not to see it.
    pub hides_reasoning: bool,
    /// Whether the caller wants to know how the call was routed.
    pub wants_metadata: bool,
    /// Who the caller says they are.
    pub attribution: Attribution,
}

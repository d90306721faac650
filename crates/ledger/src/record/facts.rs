//! What there is to know of a call beside its money.

use bourse_vocab::{Count, Counts, FailureKind, GenerationId, Nanos, Quality, Reason};

use super::Payer;
use crate::price::{Item, Line};

/// What kind of model call it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ApiType {
    /// Chat and legacy completions.
    #[default]
    Completions,
    /// Embeddings.
    Embeddings,
    /// An order of documents.
    Rerank,
    /// Text read aloud.
    Speech,
    /// Speech written down.
    Transcription,
    /// Pictures.
    Image,
    /// Verdicts.
    Moderation,
    /// A response in a conversation over one connection.
    Realtime,
    /// Films.
    Video,
}

impl ApiType {
    /// Every kind, in the order of their numbers.
    pub const ALL: [Self; 9] = [
        Self::Completions,
        Self::Embeddings,
        Self::Rerank,
        Self::Speech,
        Self::Transcription,
        Self::Image,
        Self::Moderation,
        Self::Realtime,
        Self::Video,
    ];

    /// The public API's word.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Completions => "completions",
            Self::Embeddings => "embeddings",
            Self::Rerank => "rerank",
            Self::Speech => "tts",
            Self::Transcription => "stt",
            Self::Image => "image",
            Self::Moderation => "moderation",
            Self::Realtime => "realtime",
            Self::Video => "video",
        }
    }

    /// The number in records.
    #[must_use]
    pub const fn number(self) -> u64 {
        match self {
            Self::Completions => 0,
            Self::Embeddings => 1,
            Self::Rerank => 2,
            Self::Speech => 3,
            Self::Transcription => 4,
            Self::Image => 5,
            Self::Moderation => 6,
            Self::Realtime => 7,
            Self::Video => 8,
        }
    }

    /// What has a number in records: an unknown one is a kind that a later
    /// version knows.
    #[must_use]
    pub fn by_number(number: u64) -> Self {
        Self::ALL
            .into_iter()
            .find(|kind| kind.number() == number)
            .unwrap_or_default()
    }
}

/// Yes-or-no facts about a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[allow(clippy::struct_excessive_bools)] // Independent facts, not states.
pub struct Flags {
    /// The caller asked for a stream.
    pub streamed: bool,
    /// The caller left before the end.
    pub cancelled: bool,
    /// Some number was counted here, because the provider reported none.
    pub estimated: bool,
    /// The customer's own provider key was used.
    pub byok: bool,
    /// The provider reported numbers that contradict themselves.
    pub nonsense: bool,
}

/// One try at one endpoint. Moments are milliseconds; 0 means that it did
/// not come to that.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct AttemptFact<'a> {
    /// Slug of the provider.
    pub provider: &'a str,
    /// The endpoint's id.
    pub endpoint: &'a str,
    /// Slug of the model.
    pub model: &'a str,
    /// The provider's id for its answer; empty if it gave none.
    pub upstream_id: &'a str,
    /// The provider's id for the request, where it gave one with an error:
    /// what its support asks for.
    pub request_id: &'a str,
    /// HTTP status; 0 if there was no answer.
    pub status: u16,
    /// What went wrong, if anything did.
    pub failure: Option<FailureKind>,
    /// Why, if anything did and the record says so.
    pub reason: Option<Reason>,
    /// From the call's first dispatch to this one.
    pub dispatch_ms: u32,
    /// From its dispatch to the head of the answer.
    pub head_ms: u32,
    /// From its dispatch to the first content, or to giving up.
    pub latency_ms: u32,
    /// From its dispatch to its end.
    pub end_ms: u32,
    /// What the provider charges for it.
    pub billed: Nanos,
    /// Who bears that.
    pub payer: Payer,
}

/// What `GET /generation` tells of a call beside its money. Empty texts
/// mean "unknown".
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Facts<'a> {
    /// Slug of the model that answered, or was asked last.
    pub model: &'a str,
    /// Slug of the provider that answered, or was asked last.
    pub provider: &'a str,
    /// Display name of the provider.
    pub provider_name: &'a str,
    /// The endpoint's id.
    pub endpoint: &'a str,
    /// The model asked for, as typed, where it differs from `model`: an
    /// alias, a variant, a list's first, a router.
    pub requested: &'a str,
    /// The provider's id for its answer.
    pub upstream_id: &'a str,
    /// The caller's session.
    pub session_id: &'a str,
    /// The caller's own user.
    pub user: &'a str,
    /// Why it ended, in the public API's words.
    pub finish: &'a str,
    /// Why it ended, in the provider's words.
    pub native_finish: &'a str,
    /// Where the caller comes from: `HTTP-Referer`.
    pub referer: &'a str,
    /// The caller's program: `X-Title`.
    pub app: &'a str,
    /// The caller's `User-Agent`.
    pub user_agent: &'a str,
    /// Which router chose the model; empty if the caller did.
    pub router: &'a str,
    /// `service_tier`, as the provider reported it, in public words.
    pub service_tier: &'a str,
    /// What kind of call.
    pub api_type: ApiType,
    /// Yes-or-no facts.
    pub flags: Flags,
    /// What went wrong, for the call as a whole.
    pub failure: Option<FailureKind>,
    /// Tokens, and whatever else was counted.
    pub counts: Counts,
    /// What the provider charges for the input.
    pub upstream_prompt: Nanos,
    /// What the provider charges for the output.
    pub upstream_completion: Nanos,
    /// What the provider that answered says that it charges, where that is
    /// booked in place of what its prices make; nothing if it is not.
    pub told_cost: Nanos,
    /// What caching saved (positive) or cost (negative).
    pub cache_discount: Nanos,
    /// Milliseconds from the call's beginning to the first dispatch.
    pub queue_ms: u32,
    /// Milliseconds from the first dispatch to the first content.
    pub latency_ms: u32,
    /// Milliseconds from the first content to the end.
    pub generation_ms: u32,
    /// Attempts in order, the last being the one that answered, if any did.
    pub attempts: Vec<AttemptFact<'a>>,
    /// Which prices were used: the version of the catalog with its overlays
    /// (`bourse_catalog::Snapshot::version`); 0 if none were.
    pub price_book: u64,
    /// What the call costs, item by item, see [`super::recompute`].
    pub lines: Vec<Line>,
    /// More members for the generation record, as a JSON object; empty for
    /// none.
    pub extra: &'a str,
    /// What was wrong with tool calls, one bit each: 1 no JSON, 2 no such tool,
    /// 4 not as its schema has it.
    pub tool_errors: u8,
    /// How good the endpoint was held to be for calls with tools, where this was
    /// one.
    pub quality: Option<Quality>,
    /// The call whose answer this one was given once more, where no provider
    /// was asked.
    pub cache_source: Option<GenerationId>,
}

impl Facts<'_> {
    /// Media parts in the prompt.
    #[must_use]
    pub fn media_prompt(&self) -> u32 {
        u32::try_from(self.counts.get(Count::MediaIn)).unwrap_or(u32::MAX)
    }
}

/// A price line that says in one sum what a checkpoint had counted.
#[must_use]
pub fn checkpoint_line(charge: Nanos) -> Line {
    Line {
        item: Item::Checkpoint,
        units: charge.0.unsigned_abs(),
        price: bourse_vocab::PicosPerUnit::new(1_000),
        amount: charge,
    }
}

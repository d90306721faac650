//! What the local journal remembers of a call.
//!
//! Most calls leave two records: a [`Hold`] before the first dispatch and a
//! [`Settle`] or [`Void`] at the end. The others are rare: more money set
//! aside, a second provider, a checkpoint in a long stream. Every record
//! says enough to be applied without the catalog or the configuration of
//! the day.
//!
//! Records borrow their texts, so that writing one copies each byte once
//! (into the frame) and reading one copies none.

mod codec;

use bourse_vocab::{AccountId, GenerationId, KeyId, Nanos, Usage};

pub use codec::{DecodeError, decode, encode, encode_settle, encode_void};

/// Longest text that a record keeps, in bytes; what is longer is cut. Model
/// slugs and upstream ids are far shorter; user agents can be any length.
pub const TEXT_BYTES_MAX: usize = 1_024;
/// Longest [`Facts::extra`], in bytes; longer ones are left out whole,
/// because half a JSON object is none.
pub const EXTRA_BYTES_MAX: usize = 16_384;
/// Most attempts or costs that a record lists; a plan is far shorter.
pub const LIST_MAX: usize = 64;

/// One record of the local journal. Records live on the stack, one at a
/// time, and most are of the largest kind: boxing it would cost more.
#[allow(clippy::large_enum_variant)]
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Record<'a> {
    /// Money is set aside; the first dispatch follows.
    Hold(Hold<'a>),
    /// More money is set aside for a running call.
    Extend(Extend),
    /// A later attempt goes to another endpoint.
    Dispatch(Dispatch<'a>),
    /// How much of a stream has been delivered so far.
    Checkpoint(Checkpoint),
    /// The call is paid for.
    Settle(Settle<'a>),
    /// The call costs its customer nothing.
    Void(Void<'a>),
}

impl Record<'_> {
    /// The call that the record is about.
    #[must_use]
    pub const fn id(&self) -> GenerationId {
        match self {
            Self::Hold(record) => record.id,
            Self::Extend(record) => record.id,
            Self::Dispatch(record) => record.id,
            Self::Checkpoint(record) => record.id,
            Self::Settle(record) => record.settlement.id,
            Self::Void(record) => record.voiding.id,
        }
    }
}

/// Money set aside before the first dispatch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hold<'a> {
    /// The call.
    pub id: GenerationId,
    /// Who pays.
    pub account: AccountId,
    /// With which key.
    pub key: KeyId,
    /// The most that the call can cost, markup included.
    pub amount: Nanos,
    /// When, in milliseconds since 1970.
    pub at_ms: u64,
    /// Slug of the model.
    pub model: &'a str,
    /// Slug of the provider that is about to be called.
    pub provider: &'a str,
    /// The endpoint's id.
    pub endpoint: &'a str,
}

/// More money set aside for a call that runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Extend {
    /// The call.
    pub id: GenerationId,
    /// How much more.
    pub extra: Nanos,
}

/// A later attempt of a call, at another endpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Dispatch<'a> {
    /// The call.
    pub id: GenerationId,
    /// Slug of the model, which a fallback may change.
    pub model: &'a str,
    /// Slug of the provider that is about to be called.
    pub provider: &'a str,
    /// The endpoint's id.
    pub endpoint: &'a str,
}

/// How much of a stream has been delivered: what the call would cost if it
/// ended here. A call that a crash cuts off is settled by the last of these.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Checkpoint {
    /// The call.
    pub id: GenerationId,
    /// What the customer would pay, markup included.
    pub charge: Nanos,
    /// What the provider would charge.
    pub upstream: Nanos,
    /// Input tokens, estimated.
    pub prompt: u64,
    /// Output tokens delivered, estimated.
    pub completion: u64,
}

/// Who bears a provider's charge.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Payer {
    /// It is part of what the customer is charged.
    Customer,
    /// We do: see the table in [`crate::who_pays`].
    House,
}

/// What a provider charges for one attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cost<'a> {
    /// Slug of the provider.
    pub provider: &'a str,
    /// How much, or at most how much.
    pub amount: Nanos,
    /// Who bears it.
    pub payer: Payer,
}

/// How a call ends that is paid for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settlement<'a> {
    /// The call.
    pub id: GenerationId,
    /// Whose hold it is.
    pub account: AccountId,
    /// When, in milliseconds since 1970.
    pub at_ms: u64,
    /// What the call costs by the price list, markup included.
    pub charge: Nanos,
    /// What providers charge for it, attempt by attempt.
    pub costs: Vec<Cost<'a>>,
    /// What providers may have charged for attempts whose end we did not
    /// see: nobody pays yet, and reconciliation looks them up.
    pub possible: Vec<Cost<'a>>,
    /// What else there is to know.
    pub facts: Facts<'a>,
}

/// A settlement with what the books made of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settle<'a> {
    /// The key that made the call.
    pub key: KeyId,
    /// How much was on hold in the end.
    pub held: Nanos,
    /// What the customer paid of the charge.
    pub paid: Nanos,
    /// The end of the call.
    pub settlement: Settlement<'a>,
}

/// Why a call costs its customer nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum VoidReason {
    /// No attempt produced anything.
    AttemptsFailed,
    /// The caller left before the first content, and cancelling is free.
    CallerLeft,
    /// Zero-completion insurance: no output, or the finish was an error.
    NothingDelivered,
    /// The server stopped before it heard how the call ended.
    Restart,
    /// Refused after the hold, before any dispatch.
    NotDispatched,
}

/// How a call ends that costs its customer nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Voiding<'a> {
    /// The call.
    pub id: GenerationId,
    /// Whose hold it is.
    pub account: AccountId,
    /// When, in milliseconds since 1970.
    pub at_ms: u64,
    /// Why.
    pub reason: VoidReason,
    /// What providers charge us nevertheless. All of it is the house's.
    pub costs: Vec<Cost<'a>>,
    /// See [`Settlement::possible`].
    pub possible: Vec<Cost<'a>>,
}

/// A voiding with what the books knew of the hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Void<'a> {
    /// The key that made the call.
    pub key: KeyId,
    /// How much was on hold in the end.
    pub held: Nanos,
    /// The end of the call.
    pub voiding: Voiding<'a>,
}

/// What kind of model call it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ApiType {
    /// Chat and legacy completions.
    #[default]
    Completions,
    /// Embeddings.
    Embeddings,
}

impl ApiType {
    /// The public API's word.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Completions => "completions",
            Self::Embeddings => "embeddings",
        }
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

/// One try at one endpoint, for `provider_responses`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AttemptFact<'a> {
    /// Slug of the provider.
    pub provider: &'a str,
    /// The endpoint's id.
    pub endpoint: &'a str,
    /// Slug of the model.
    pub model: &'a str,
    /// The provider's id for its answer; empty if it gave none.
    pub upstream_id: &'a str,
    /// HTTP status; 0 if there was no answer.
    pub status: u16,
    /// Milliseconds until the answer began, or the attempt was given up.
    pub latency_ms: u32,
}

/// What `GET /generation` tells of a call beside its money. Empty texts
/// mean "unknown".
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Facts<'a> {
    /// Slug of the model that answered.
    pub model: &'a str,
    /// Slug of the provider that answered.
    pub provider: &'a str,
    /// Display name of the provider.
    pub provider_name: &'a str,
    /// The endpoint's id.
    pub endpoint: &'a str,
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
    /// `service_tier`, as the provider reported it.
    pub service_tier: &'a str,
    /// What kind of call.
    pub api_type: ApiType,
    /// Yes-or-no facts.
    pub flags: Flags,
    /// Tokens.
    pub usage: Usage,
    /// What the provider charges for the input.
    pub upstream_prompt: Nanos,
    /// What the provider charges for the output.
    pub upstream_completion: Nanos,
    /// What caching saved (positive) or cost (negative).
    pub cache_discount: Nanos,
    /// Media parts in the prompt.
    pub media_prompt: u32,
    /// Milliseconds from the first dispatch to the first content.
    pub latency_ms: u32,
    /// Milliseconds from the first content to the end.
    pub generation_ms: u32,
    /// Attempts in order, the last being the one that answered.
    pub attempts: Vec<AttemptFact<'a>>,
    /// More members for the generation record, as a JSON object; empty for
    /// none.
    pub extra: &'a str,
}

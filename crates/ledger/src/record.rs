//! What the local journal remembers of a call.
//!
//! Most calls leave two records: a [`Hold`] before the first dispatch and a
//! [`Settle`] or [`Void`] at the end. The others are rare: more money set
//! aside, a second provider, a checkpoint in a long stream, a call that was
//! refused before anything was set aside. Every record says enough to be
//! applied without the catalog or the configuration of the day, and an end
//! says enough to compute its charge anew, see [`recompute`].
//!
//! Records borrow their texts, so that writing one copies each byte once
//! (into the frame) and reading one copies none. `docs/journal.md` describes
//! the bytes.

mod booking;
mod codec;
mod facts;
mod tags;

use bourse_vocab::{AccountId, FailureKind, GenerationId, KeyId, Nanos};

pub use booking::{Booking, End, FailedAttempt, Tokens};
pub use codec::{
    Booked, Calls, DecodeError, calls_of, decode, decode_booking, encode, encode_as,
    encode_checkpoints, encode_settle, encode_void, is_end, is_end_with_failure, node_of,
};
pub use facts::{ApiType, AttemptFact, Facts, Flags, checkpoint_line};

use crate::price::{Charge, PriceError};

/// Longest text that a record keeps, in bytes; what is longer is cut. Model
/// slugs and upstream ids are far shorter; user agents can be any length.
pub const TEXT_BYTES_MAX: usize = 1_024;
/// Longest [`Facts::extra`], in bytes; longer ones are left out whole,
/// because half a JSON object is none.
pub const EXTRA_BYTES_MAX: usize = 16_384;
/// Most attempts or costs that a record lists; a plan is far shorter.
pub const LIST_MAX: usize = 64;

/// Most streams whose checkpoints one record lists: some 10 KiB, a small part
/// of what the journal lets wait in memory.
pub const CHECKPOINTS_MAX: usize = 256;

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
    /// The same of several streams, at most [`CHECKPOINTS_MAX`].
    Checkpoints(Vec<Checkpoint>),
    /// The call is paid for.
    Settle(Settle<'a>),
    /// The call costs its customer nothing.
    Void(Void<'a>),
    /// The call was refused before anything was set aside.
    Refused(Refused<'a>),
}

impl Record<'_> {
    /// The call that the record is about; of several the first.
    #[must_use]
    pub const fn id(&self) -> GenerationId {
        match self {
            Self::Checkpoints(list) => match list.as_slice() {
                [first, ..] => first.id,
                [] => GenerationId::from_bits(0),
            },
            Self::Hold(record) => record.id,
            Self::Extend(record) => record.id,
            Self::Dispatch(record) => record.id,
            Self::Checkpoint(record) => record.id,
            Self::Settle(record) => record.settlement.id,
            Self::Void(record) => record.voiding.id,
            Self::Refused(record) => record.id,
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
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Payer {
    /// It is part of what the customer is charged.
    #[default]
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

impl VoidReason {
    /// Every reason, in the order of their numbers: those are written into
    /// journals and databases, so new ones go to the end.
    pub const ALL: &[Self] = &[
        Self::AttemptsFailed,
        Self::CallerLeft,
        Self::NothingDelivered,
        Self::Restart,
        Self::NotDispatched,
    ];

    /// The reason's number, from 0 on.
    #[must_use]
    pub fn number(self) -> u64 {
        let place = Self::ALL.iter().position(|reason| *reason == self);
        place.unwrap_or(0) as u64
    }

    /// Finds a reason by its number.
    #[must_use]
    pub fn by_number(number: u64) -> Option<Self> {
        Self::ALL.get(usize::try_from(number).ok()?).copied()
    }
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
    /// What else there is to know: who was tried, and what they said.
    pub facts: Facts<'a>,
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

/// A call that was refused before anything was set aside: no money, too many
/// calls, no endpoint that fits, a request that cannot be read. It moves no
/// money. Only so many of them a second leave a record; the others are
/// counted in the next one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Refused<'a> {
    /// The call.
    pub id: GenerationId,
    /// Who called.
    pub account: AccountId,
    /// With which key.
    pub key: KeyId,
    /// When, in milliseconds since 1970.
    pub at_ms: u64,
    /// Why.
    pub failure: FailureKind,
    /// The model asked for, as typed; empty if that was not read.
    pub requested: &'a str,
    /// The caller's program: `X-Title`.
    pub app: &'a str,
    /// Refused calls before this one that left no record.
    pub unrecorded: u64,
}

/// Why a charge cannot be computed from its record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum RecomputeError {
    /// The record is not the end of a call.
    #[error("not the end of a call")]
    NotAnEnd,
    /// The record has no lines: version 1 had no room for them.
    #[error("the record lists no prices: it was written before records did")]
    NoLines,
    /// The lines cannot be computed.
    #[error(transparent)]
    Price(#[from] PriceError),
}

/// Computes what a call cost from its record alone: the total for its
/// customer if it was settled, and what the provider that answered charges: in
/// all, its own word where the record has that, and by its prices otherwise.
/// For a call that was voided the total is what it would have cost.
///
/// # Errors
/// See [`RecomputeError`].
pub fn recompute(record: &Record<'_>) -> Result<Charge, RecomputeError> {
    let (facts, charged) = match record {
        Record::Settle(settle) => (&settle.settlement.facts, settle.settlement.charge),
        Record::Void(void) => (&void.voiding.facts, Nanos::ZERO),
        _ => return Err(RecomputeError::NotAnEnd),
    };
    if facts.lines.is_empty() && charged != Nanos::ZERO {
        return Err(RecomputeError::NoLines);
    }
    let mut charge = Charge::recompute(&facts.lines)?;
    if facts.told_cost != Nanos::ZERO {
        charge.upstream_total = facts.told_cost;
    }
    Ok(charge)
}

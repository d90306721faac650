//! Reading of records of version 2 what the books need, see [`Booking`].
//!
//! Other fields are stepped over unseen: whether they are what they should be
//! is for whoever reads the whole record.

use bourse_vocab::{AccountId, FailureKind, GenerationId, KeyId, Nanos};

use super::DecodeError;
use super::bytes::{Reader, Value};
use super::read::{each, failure, one_cost, one_stream, push};
use crate::record::tags::{attempt, field, kind, payer};
use crate::record::{
    Booking, CHECKPOINTS_MAX, Checkpoint, Cost, Dispatch, End, Extend, FailedAttempt, Hold,
    LIST_MAX, Refused, Tokens, VoidReason,
};

/// What the books need of a record of any kind.
#[derive(Default)]
struct Fields<'a> {
    account: u64,
    key: u64,
    at_ms: u64,
    amount: Nanos,
    charge: Nanos,
    upstream: Nanos,
    paid: Nanos,
    reason: u64,
    unrecorded: u64,
    model: &'a str,
    provider: &'a str,
    endpoint: &'a str,
    requested: &'a str,
    app: &'a str,
    tokens: Tokens,
    is_byok: bool,
    upstream_prompt: Nanos,
    upstream_completion: Nanos,
    failure: Option<FailureKind>,
    costs: Vec<Cost<'a>>,
    possible: Vec<Cost<'a>>,
    streams: Vec<Checkpoint>,
    failed: Vec<RawAttempt<'a>>,
}

/// An attempt that failed, without what it has in common with the call.
#[derive(Default)]
struct RawAttempt<'a> {
    model: Option<&'a str>,
    provider: Option<&'a str>,
    endpoint: Option<&'a str>,
    failure: Option<FailureKind>,
}

pub(super) fn booking<'a>(
    kind: u8,
    id: GenerationId,
    reader: Reader<'a>,
) -> Result<Booking<'a>, DecodeError> {
    let kind_number = u64::from(kind);
    if !(kind::HOLD..=kind::CHECKPOINTS).contains(&kind_number) {
        return Err(DecodeError::Kind(kind));
    }
    let fields = fields(reader)?;
    let (account, key) = (AccountId(fields.account), KeyId(fields.key));
    Ok(match kind_number {
        kind::HOLD => Booking::Hold(Hold {
            id,
            account,
            key,
            amount: fields.amount,
            at_ms: fields.at_ms,
            model: fields.model,
            provider: fields.provider,
            endpoint: fields.endpoint,
        }),
        kind::EXTEND => Booking::Extend(Extend {
            id,
            extra: fields.amount,
        }),
        kind::DISPATCH => Booking::Dispatch(Dispatch {
            id,
            model: fields.model,
            provider: fields.provider,
            endpoint: fields.endpoint,
        }),
        kind::CHECKPOINT => Booking::Checkpoint(Checkpoint {
            id,
            charge: fields.charge,
            upstream: fields.upstream,
            prompt: fields.tokens.prompt,
            completion: fields.tokens.completion,
        }),
        kind::CHECKPOINTS => Booking::Checkpoints(fields.streams),
        kind::REFUSED => Booking::Refused(Refused {
            id,
            account,
            key,
            at_ms: fields.at_ms,
            failure: fields.failure.unwrap_or(FailureKind::Unmapped),
            requested: fields.requested,
            app: fields.app,
            unrecorded: fields.unrecorded,
        }),
        kind::SETTLE => Booking::End(end(id, None, fields)),
        _ => {
            let reason = VoidReason::by_number(fields.reason);
            let reason = reason.ok_or(DecodeError::Field("reason"))?;
            Booking::End(end(id, Some(reason), fields))
        }
    })
}

fn end<'a>(id: GenerationId, voided: Option<VoidReason>, fields: Fields<'a>) -> End<'a> {
    let if_settled = |amount| voided.map_or(amount, |_| Nanos::ZERO);
    let upstream = fields
        .upstream_prompt
        .saturating_add(fields.upstream_completion);
    let named = |raw: RawAttempt<'a>| {
        Some(FailedAttempt {
            model: raw.model.unwrap_or(fields.model),
            provider: raw.provider.unwrap_or(fields.provider),
            endpoint: raw.endpoint.unwrap_or(fields.endpoint),
            failure: raw.failure?,
        })
    };
    End {
        id,
        at_ms: fields.at_ms,
        charge: if_settled(fields.charge),
        paid: if_settled(fields.paid),
        voided,
        costs: fields.costs,
        possible: fields.possible,
        model: fields.model,
        provider: fields.provider,
        endpoint: fields.endpoint,
        tokens: fields.tokens,
        byok: if fields.is_byok {
            upstream
        } else {
            Nanos::ZERO
        },
        failure: fields.failure,
        failed: fields.failed.into_iter().filter_map(named).collect(),
    }
}

fn fields(mut reader: Reader<'_>) -> Result<Fields<'_>, DecodeError> {
    let mut fields = Fields::default();
    while let Some((tag, value)) = reader.field("fields")? {
        fields.take(tag, value)?;
    }
    if !reader.is_empty() {
        return Err(DecodeError::Field("bytes after the end"));
    }
    Ok(fields)
}

impl<'a> Fields<'a> {
    #[inline]
    fn take(&mut self, tag: u64, value: Value<'a>) -> Result<(), DecodeError> {
        match tag {
            field::PAYERS => {
                for_pairs(value, "payers", |kind, id| match kind {
                    payer::ACCOUNT => self.account = id,
                    payer::KEY => self.key = id,
                    _ => {}
                })?;
            }
            field::AT_MS => self.at_ms = value.number("at")?,
            field::AMOUNT => self.amount = value.amount("amount")?,
            field::MODEL => self.model = value.text("model")?,
            field::PROVIDER => self.provider = value.text("provider")?,
            field::ENDPOINT => self.endpoint = value.text("endpoint")?,
            field::CHARGE => self.charge = value.amount("charge")?,
            field::UPSTREAM => self.upstream = value.amount("upstream")?,
            field::PAID => self.paid = value.amount("paid")?,
            field::REASON => self.reason = value.number("reason")?,
            field::COST => push(&mut self.costs, one_cost(value)?, LIST_MAX, "costs")?,
            field::POSSIBLE => {
                let one = one_cost(value)?;
                push(&mut self.possible, one, LIST_MAX, "possible costs")?;
            }
            field::COUNTS => {
                self.tokens = Tokens::default();
                for_pairs(value, "counts", |kind, number| {
                    self.tokens.set(kind, number);
                })?;
            }
            field::REQUESTED => self.requested = value.text("requested model")?,
            field::APP => self.app = value.text("app")?,
            field::FLAGS => self.is_byok = super::read::flags(value.number("flags")?).byok,
            field::FAILURE => self.failure = failure(value)?,
            field::UPSTREAM_PROMPT => self.upstream_prompt = value.amount("upstream prompt")?,
            field::UPSTREAM_COMPLETION => {
                self.upstream_completion = value.amount("upstream completion")?;
            }
            field::ATTEMPT => {
                let one = one_attempt(value)?;
                if one.failure.is_some() {
                    push(&mut self.failed, one, LIST_MAX, "attempts")?;
                }
            }
            field::UNRECORDED => self.unrecorded = value.number("unrecorded calls")?,
            field::STREAM => {
                push(
                    &mut self.streams,
                    one_stream(value)?,
                    CHECKPOINTS_MAX,
                    "streams",
                )?;
            }
            _ => {}
        }
        Ok(())
    }
}

/// The pairs of numbers within a field.
fn for_pairs(
    value: Value<'_>,
    within: &'static str,
    mut take: impl FnMut(u64, u64),
) -> Result<(), DecodeError> {
    let mut reader = value.fields(within)?;
    while !reader.is_empty() {
        take(reader.number(within)?, reader.number(within)?);
    }
    Ok(())
}

fn one_attempt(value: Value<'_>) -> Result<RawAttempt<'_>, DecodeError> {
    let mut raw = RawAttempt::default();
    each(value, "attempt", |tag, value| {
        match tag {
            attempt::MODEL => raw.model = Some(value.text("attempt")?),
            attempt::PROVIDER => raw.provider = Some(value.text("attempt")?),
            attempt::ENDPOINT => raw.endpoint = Some(value.text("attempt")?),
            attempt::FAILURE => raw.failure = failure(value)?,
            _ => {}
        }
        Ok(())
    })?;
    Ok(raw)
}

//! Reading records of version 2.
//!
//! Fields may come in any order. Fields, counts, payers and flags that are
//! not known are stepped over: a later server of the same version wrote them.

use bourse_vocab::{
    AccountId, Count, Counts, FailureKind, GenerationId, KeyId, Nanos, Quality, Reason,
};

use super::DecodeError;
use super::bytes::{Reader, Value};
use crate::price::Line;
use crate::record::tags::{self, attempt, cost, field, kind, payer, stream};
use crate::record::{
    ApiType, AttemptFact, CHECKPOINTS_MAX, Checkpoint, Cost, Dispatch, EXTRA_BYTES_MAX, Extend,
    Facts, Flags, Hold, LIST_MAX, Payer, Record, Refused, Settle, Settlement, Void, VoidReason,
    Voiding,
};

/// Everything that a record can say. Most of it is empty for most kinds.
#[derive(Default)]
struct Fields<'a> {
    account: u64,
    key: u64,
    at_ms: u64,
    amount: Nanos,
    charge: Nanos,
    upstream: Nanos,
    held: Nanos,
    paid: Nanos,
    reason: u64,
    unrecorded: u64,
    costs: Vec<Cost<'a>>,
    possible: Vec<Cost<'a>>,
    streams: Vec<Checkpoint>,
    facts: Facts<'a>,
    /// Attempts, still without what they have in common with the call.
    attempts: Vec<RawAttempt<'a>>,
}

#[derive(Default)]
struct RawAttempt<'a> {
    provider: Option<&'a str>,
    endpoint: Option<&'a str>,
    model: Option<&'a str>,
    upstream_id: Option<&'a str>,
    fact: AttemptFact<'a>,
}

pub(super) fn record<'a>(
    kind: u8,
    id: GenerationId,
    reader: Reader<'a>,
) -> Result<Record<'a>, DecodeError> {
    let kind_number = u64::from(kind);
    if !(kind::HOLD..=kind::CHECKPOINTS).contains(&kind_number) {
        return Err(DecodeError::Kind(kind));
    }
    let fields = fields(reader)?;
    let (account, key) = (AccountId(fields.account), KeyId(fields.key));
    let facts = &fields.facts;
    Ok(match kind_number {
        kind::HOLD => Record::Hold(Hold {
            id,
            account,
            key,
            amount: fields.amount,
            at_ms: fields.at_ms,
            model: facts.model,
            provider: facts.provider,
            endpoint: facts.endpoint,
        }),
        kind::EXTEND => Record::Extend(Extend {
            id,
            extra: fields.amount,
        }),
        kind::DISPATCH => Record::Dispatch(Dispatch {
            id,
            model: facts.model,
            provider: facts.provider,
            endpoint: facts.endpoint,
        }),
        kind::CHECKPOINT => Record::Checkpoint(Checkpoint {
            id,
            charge: fields.charge,
            upstream: fields.upstream,
            prompt: facts.counts.get(Count::Prompt),
            completion: facts.counts.get(Count::Completion),
        }),
        kind::CHECKPOINTS => Record::Checkpoints(fields.streams),
        kind::REFUSED => Record::Refused(Refused {
            id,
            account,
            key,
            at_ms: fields.at_ms,
            failure: facts.failure.unwrap_or(FailureKind::Unmapped),
            requested: facts.requested,
            app: facts.app,
            unrecorded: fields.unrecorded,
        }),
        kind::SETTLE => Record::Settle(settle(id, fields)),
        _ => Record::Void(void(id, fields)?),
    })
}

fn settle(id: GenerationId, fields: Fields<'_>) -> Settle<'_> {
    Settle {
        key: KeyId(fields.key),
        held: fields.held,
        paid: fields.paid,
        settlement: Settlement {
            id,
            account: AccountId(fields.account),
            at_ms: fields.at_ms,
            charge: fields.charge,
            costs: fields.costs,
            possible: fields.possible,
            facts: fields.facts,
        },
    }
}

fn void(id: GenerationId, fields: Fields<'_>) -> Result<Void<'_>, DecodeError> {
    let reason = VoidReason::by_number(fields.reason).ok_or(DecodeError::Field("reason"))?;
    Ok(Void {
        key: KeyId(fields.key),
        held: fields.held,
        voiding: Voiding {
            id,
            account: AccountId(fields.account),
            at_ms: fields.at_ms,
            reason,
            costs: fields.costs,
            possible: fields.possible,
            facts: fields.facts,
        },
    })
}

fn fields(mut reader: Reader<'_>) -> Result<Fields<'_>, DecodeError> {
    let mut fields = Fields::default();
    while let Some((tag, value)) = reader.field("fields")? {
        if !fields.money(tag, value)? && !text(&mut fields.facts, tag, value)? {
            fields.fact(tag, value)?;
        }
    }
    if !reader.is_empty() {
        return Err(DecodeError::Field("bytes after the end"));
    }
    let facts = &mut fields.facts;
    facts.attempts = std::mem::take(&mut fields.attempts)
        .into_iter()
        .map(|raw| AttemptFact {
            provider: raw.provider.unwrap_or(facts.provider),
            endpoint: raw.endpoint.unwrap_or(facts.endpoint),
            model: raw.model.unwrap_or(facts.model),
            upstream_id: raw.upstream_id.unwrap_or(facts.upstream_id),
            ..raw.fact
        })
        .collect();
    Ok(fields)
}

impl<'a> Fields<'a> {
    /// Takes a field that is about money; returns whether it is one.
    fn money(&mut self, tag: u64, value: Value<'a>) -> Result<bool, DecodeError> {
        match tag {
            field::PAYERS => self.payers(value)?,
            field::AT_MS => self.at_ms = value.number("at")?,
            field::AMOUNT => self.amount = value.amount("amount")?,
            field::CHARGE => self.charge = value.amount("charge")?,
            field::UPSTREAM => self.upstream = value.amount("upstream")?,
            field::HELD => self.held = value.amount("held")?,
            field::PAID => self.paid = value.amount("paid")?,
            field::REASON => self.reason = value.number("reason")?,
            field::COST => push(&mut self.costs, one_cost(value)?, LIST_MAX, "costs")?,
            field::POSSIBLE => {
                push(
                    &mut self.possible,
                    one_cost(value)?,
                    LIST_MAX,
                    "possible costs",
                )?;
            }
            field::STREAM => {
                push(
                    &mut self.streams,
                    one_stream(value)?,
                    CHECKPOINTS_MAX,
                    "streams",
                )?;
            }
            _ => return Ok(false),
        }
        Ok(true)
    }

    fn payers(&mut self, value: Value<'a>) -> Result<(), DecodeError> {
        let mut reader = value.fields("payers")?;
        while !reader.is_empty() {
            let kind = reader.number("payers")?;
            let id = reader.number("payers")?;
            match kind {
                payer::ACCOUNT => self.account = id,
                payer::KEY => self.key = id,
                _ => {}
            }
        }
        Ok(())
    }

    /// Takes any other field, or steps over it.
    fn fact(&mut self, tag: u64, value: Value<'a>) -> Result<(), DecodeError> {
        let facts = &mut self.facts;
        match tag {
            field::COUNTS => facts.counts = counts(value)?,
            field::API_TYPE => facts.api_type = ApiType::by_number(value.number("api type")?),
            field::FLAGS => facts.flags = flags(value.number("flags")?),
            field::FAILURE => facts.failure = failure(value)?,
            field::UPSTREAM_PROMPT => facts.upstream_prompt = value.amount("upstream prompt")?,
            field::UPSTREAM_COMPLETION => {
                facts.upstream_completion = value.amount("upstream completion")?;
            }
            field::CACHE_DISCOUNT => facts.cache_discount = value.amount("cache discount")?,
            field::TOLD_COST => facts.told_cost = value.amount("told cost")?,
            field::CACHE_SOURCE => facts.cache_source = Some(id(value, "cache source")?),
            field::TOOL_ERRORS => facts.tool_errors = value.narrow("tool errors")?,
            field::QUALITY => facts.quality = Quality::by_number(value.number("quality")?),
            field::QUEUE_MS => facts.queue_ms = value.narrow("queueing time")?,
            field::LATENCY_MS => facts.latency_ms = value.narrow("latency")?,
            field::GENERATION_MS => facts.generation_ms = value.narrow("generation time")?,
            field::ATTEMPT => {
                push(
                    &mut self.attempts,
                    one_attempt(value)?,
                    LIST_MAX,
                    "attempts",
                )?;
            }
            field::PRICE_BOOK => facts.price_book = value.number("price book")?,
            field::LINE => push(&mut facts.lines, one_line(value)?, LIST_MAX, "lines")?,
            field::UNRECORDED => self.unrecorded = value.number("unrecorded calls")?,
            _ => {}
        }
        Ok(())
    }
}

/// Takes a field that is a text; returns whether it is one.
fn text<'a>(facts: &mut Facts<'a>, tag: u64, value: Value<'a>) -> Result<bool, DecodeError> {
    let (slot, name) = match tag {
        field::MODEL => (&mut facts.model, "model"),
        field::PROVIDER => (&mut facts.provider, "provider"),
        field::ENDPOINT => (&mut facts.endpoint, "endpoint"),
        field::PROVIDER_NAME => (&mut facts.provider_name, "provider name"),
        field::REQUESTED => (&mut facts.requested, "requested model"),
        field::UPSTREAM_ID => (&mut facts.upstream_id, "upstream id"),
        field::SESSION => (&mut facts.session_id, "session"),
        field::USER => (&mut facts.user, "user"),
        field::FINISH => (&mut facts.finish, "finish"),
        field::NATIVE_FINISH => (&mut facts.native_finish, "native finish"),
        field::REFERER => (&mut facts.referer, "referer"),
        field::APP => (&mut facts.app, "app"),
        field::USER_AGENT => (&mut facts.user_agent, "user agent"),
        field::ROUTER => (&mut facts.router, "router"),
        field::SERVICE_TIER => (&mut facts.service_tier, "service tier"),
        field::EXTRA => {
            facts.extra = value.text_of(EXTRA_BYTES_MAX, "extra")?;
            return Ok(true);
        }
        _ => return Ok(false),
    };
    *slot = value.text(name)?;
    Ok(true)
}

/// Adds to a list that is bounded.
pub(super) fn push<T>(
    list: &mut Vec<T>,
    one: T,
    most: usize,
    name: &'static str,
) -> Result<(), DecodeError> {
    if list.len() >= most {
        return Err(DecodeError::Field(name));
    }
    list.push(one);
    Ok(())
}

pub(super) fn failure(value: Value<'_>) -> Result<Option<FailureKind>, DecodeError> {
    let number = value.number("failure")?;
    // A kind that a later version knows is still a failure.
    let known = FailureKind::by_number(number);
    Ok(known.or((number != 0).then_some(FailureKind::Unmapped)))
}

pub(super) fn flags(bits: u64) -> Flags {
    let is_set = |bit: u32| bits & (1 << bit) != 0;
    Flags {
        streamed: is_set(0),
        cancelled: is_set(1),
        estimated: is_set(2),
        byok: is_set(3),
        nonsense: is_set(4),
    }
}

fn counts(value: Value<'_>) -> Result<Counts, DecodeError> {
    let mut reader = value.fields("counts")?;
    let mut counts = Counts::default();
    while !reader.is_empty() {
        let kind = reader.number("counts")?;
        let number = reader.number("counts")?;
        if let Some(kind) = Count::by_number(kind) {
            counts.set(kind, number);
        }
    }
    Ok(counts)
}

/// A call's id.
fn id(value: Value<'_>, name: &'static str) -> Result<GenerationId, DecodeError> {
    let bytes = value.bytes(name)?.try_into();
    let bytes = bytes.map_err(|_| DecodeError::Field(name))?;
    Ok(GenerationId::from_bits(u128::from_le_bytes(bytes)))
}

const fn payer_of(number: u64) -> Payer {
    if number == 0 {
        Payer::Customer
    } else {
        Payer::House
    }
}

/// The fields within a field.
pub(super) fn each<'a>(
    value: Value<'a>,
    within: &'static str,
    mut take: impl FnMut(u64, Value<'a>) -> Result<(), DecodeError>,
) -> Result<(), DecodeError> {
    let mut reader = value.fields(within)?;
    while !reader.is_empty() {
        // Only a record ends with a zero.
        let (tag, value) = reader.field(within)?.ok_or(DecodeError::Field(within))?;
        take(tag, value)?;
    }
    Ok(())
}

pub(super) fn one_cost(value: Value<'_>) -> Result<Cost<'_>, DecodeError> {
    let mut read = Cost {
        provider: "",
        amount: Nanos::ZERO,
        payer: Payer::Customer,
    };
    each(value, "cost", |tag, value| {
        match tag {
            cost::PROVIDER => read.provider = value.text("cost")?,
            cost::AMOUNT => read.amount = value.amount("cost")?,
            cost::PAYER => read.payer = payer_of(value.number("cost")?),
            _ => {}
        }
        Ok(())
    })?;
    Ok(read)
}

pub(super) fn one_stream(value: Value<'_>) -> Result<Checkpoint, DecodeError> {
    let mut whose = None;
    let mut read = Checkpoint {
        id: GenerationId::from_bits(0),
        charge: Nanos::ZERO,
        upstream: Nanos::ZERO,
        prompt: 0,
        completion: 0,
    };
    each(value, "stream", |tag, value| {
        match tag {
            stream::ID => whose = Some(id(value, "stream")?),
            stream::CHARGE => read.charge = value.amount("stream")?,
            stream::UPSTREAM => read.upstream = value.amount("stream")?,
            stream::PROMPT => read.prompt = value.number("stream")?,
            stream::COMPLETION => read.completion = value.number("stream")?,
            _ => {}
        }
        Ok(())
    })?;
    // Whose checkpoint it is cannot be guessed.
    read.id = whose.ok_or(DecodeError::Field("stream"))?;
    Ok(read)
}

fn one_attempt(value: Value<'_>) -> Result<RawAttempt<'_>, DecodeError> {
    let mut raw = RawAttempt::default();
    raw.fact.status = 200;
    each(value, "attempt", |tag, value| {
        let fact = &mut raw.fact;
        match tag {
            attempt::PROVIDER => raw.provider = Some(value.text("attempt")?),
            attempt::ENDPOINT => raw.endpoint = Some(value.text("attempt")?),
            attempt::MODEL => raw.model = Some(value.text("attempt")?),
            attempt::UPSTREAM_ID => raw.upstream_id = Some(value.text("attempt")?),
            attempt::REQUEST_ID => fact.request_id = value.text("attempt")?,
            attempt::STATUS => fact.status = value.narrow("attempt")?,
            attempt::FAILURE => fact.failure = failure(value)?,
            attempt::DISPATCH_MS => fact.dispatch_ms = value.narrow("attempt")?,
            attempt::HEAD_MS => fact.head_ms = value.narrow("attempt")?,
            attempt::LATENCY_MS => fact.latency_ms = value.narrow("attempt")?,
            attempt::END_MS => fact.end_ms = value.narrow("attempt")?,
            attempt::BILLED => fact.billed = value.amount("attempt")?,
            attempt::PAYER => fact.payer = payer_of(value.number("attempt")?),
            // One that a later version invented is none.
            attempt::REASON => fact.reason = Reason::by_number(value.number("attempt")?),
            _ => {}
        }
        Ok(())
    })?;
    Ok(raw)
}

/// A line; its amount is not written down, because it follows from the rest
/// (see [`crate::record::recompute`]).
fn one_line(value: Value<'_>) -> Result<Line, DecodeError> {
    let mut reader = value.fields("line")?;
    Ok(Line {
        item: tags::item(reader.number("line")?),
        units: reader.number("line")?,
        price: bourse_vocab::PicosPerUnit::new(reader.number("line")?),
        amount: Nanos::ZERO,
    })
}

//! Writing records of version 2, straight into the frame.

use bourse_vocab::{AccountId, Count, FailureKind, GenerationId, KeyId, Nanos, NodeId, Reason};

use super::VERSION;
use super::bytes::Writer;
use crate::price::Line;
use crate::record::tags::{self, attempt, cost, field, kind, payer, stream};
use crate::record::{
    AttemptFact, CHECKPOINTS_MAX, Checkpoint, Cost, EXTRA_BYTES_MAX, Facts, Flags, LIST_MAX, Payer,
    Record, Settlement, Voiding,
};

/// What the books and the journal add to the end of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Booked {
    /// Who writes.
    pub node: NodeId,
    /// The key that made the call.
    pub key: KeyId,
    /// How much was on hold in the end.
    pub held: Nanos,
    /// What the customer paid of the charge.
    pub paid: Nanos,
}

/// Appends a record of the first node to `out`.
pub fn encode(record: &Record<'_>, out: &mut Vec<u8>) {
    encode_as(NodeId::FIRST, record, out);
}

/// Appends a record that `node` writes to `out`.
pub fn encode_as(node: NodeId, record: &Record<'_>, out: &mut Vec<u8>) {
    match record {
        Record::Settle(settle) => {
            let booked = Booked {
                node,
                key: settle.key,
                held: settle.held,
                paid: settle.paid,
            };
            return encode_settle(&booked, &settle.settlement, out);
        }
        Record::Void(void) => {
            let booked = Booked {
                node,
                key: void.key,
                held: void.held,
                paid: Nanos::ZERO,
            };
            return encode_void(&booked, &void.voiding, out);
        }
        Record::Checkpoints(list) => return encode_checkpoints(node, list, out),
        _ => {}
    }
    let mut w = begin(kind_of(record), node, record.id(), out);
    match record {
        Record::Hold(hold) => {
            w.payers(hold.account, hold.key);
            w.number(field::AT_MS, hold.at_ms);
            w.amount(field::AMOUNT, hold.amount);
            w.names(hold.model, hold.provider, hold.endpoint);
        }
        Record::Extend(extend) => w.amount(field::AMOUNT, extend.extra),
        Record::Dispatch(dispatch) => {
            w.names(dispatch.model, dispatch.provider, dispatch.endpoint);
        }
        Record::Checkpoint(checkpoint) => {
            w.amount(field::CHARGE, checkpoint.charge);
            w.amount(field::UPSTREAM, checkpoint.upstream);
            w.pairs(
                field::COUNTS,
                [
                    (Count::Prompt as u64, checkpoint.prompt),
                    (Count::Completion as u64, checkpoint.completion),
                ],
            );
        }
        Record::Refused(refused) => {
            w.payers(refused.account, refused.key);
            w.number(field::AT_MS, refused.at_ms);
            w.failure(field::FAILURE, Some(refused.failure));
            w.text(field::REQUESTED, refused.requested);
            w.text(field::APP, refused.app);
            w.number(field::UNRECORDED, refused.unrecorded);
        }
        Record::Checkpoints(_) | Record::Settle(_) | Record::Void(_) => {}
    }
    w.end();
}

/// Appends a [`Record::Checkpoints`] that `node` writes; of a longer list its
/// beginning.
pub fn encode_checkpoints(node: NodeId, list: &[Checkpoint], out: &mut Vec<u8>) {
    let first = list.first().map(|first| first.id);
    let first = first.unwrap_or(GenerationId::from_bits(0));
    let mut w = begin(kind::CHECKPOINTS, node, first, out);
    for one in list.iter().take(CHECKPOINTS_MAX) {
        w.within(field::STREAM, |w| {
            w.bytes(stream::ID, &one.id.to_bits().to_le_bytes());
            w.amount(stream::CHARGE, one.charge);
            w.amount(stream::UPSTREAM, one.upstream);
            w.number(stream::PROMPT, one.prompt);
            w.number(stream::COMPLETION, one.completion);
        });
    }
    w.end();
}

/// Appends a [`crate::record::Settle`] made of a settlement and what the
/// books say of it.
pub fn encode_settle(booked: &Booked, settlement: &Settlement<'_>, out: &mut Vec<u8>) {
    let mut w = begin(kind::SETTLE, booked.node, settlement.id, out);
    w.payers(settlement.account, booked.key);
    w.number(field::AT_MS, settlement.at_ms);
    w.amount(field::HELD, booked.held);
    w.amount(field::CHARGE, settlement.charge);
    w.amount(field::PAID, booked.paid);
    w.costs(field::COST, &settlement.costs);
    w.costs(field::POSSIBLE, &settlement.possible);
    w.facts(&settlement.facts);
    w.end();
}

/// Appends a [`crate::record::Void`] made of a voiding and what the books
/// say of it.
pub fn encode_void(booked: &Booked, voiding: &Voiding<'_>, out: &mut Vec<u8>) {
    let mut w = begin(kind::VOID, booked.node, voiding.id, out);
    w.payers(voiding.account, booked.key);
    w.number(field::AT_MS, voiding.at_ms);
    w.amount(field::HELD, booked.held);
    w.number(field::REASON, voiding.reason.number());
    w.costs(field::COST, &voiding.costs);
    w.costs(field::POSSIBLE, &voiding.possible);
    w.facts(&voiding.facts);
    w.end();
}

const fn kind_of(record: &Record<'_>) -> u64 {
    match record {
        Record::Hold(_) => kind::HOLD,
        Record::Extend(_) => kind::EXTEND,
        Record::Dispatch(_) => kind::DISPATCH,
        Record::Checkpoint(_) => kind::CHECKPOINT,
        Record::Checkpoints(_) => kind::CHECKPOINTS,
        Record::Settle(_) => kind::SETTLE,
        Record::Void(_) => kind::VOID,
        Record::Refused(_) => kind::REFUSED,
    }
}

#[allow(clippy::cast_possible_truncation)] // Kinds are small.
fn begin(kind: u64, node: NodeId, id: GenerationId, out: &mut Vec<u8>) -> Writer<'_> {
    out.push(VERSION);
    out.push(kind as u8);
    out.extend_from_slice(&id.to_bits().to_le_bytes());
    let mut w = Writer { out };
    if node != NodeId::FIRST {
        w.always(field::NODE, node.0.into());
    }
    w
}

impl Writer<'_> {
    fn payers(&mut self, account: AccountId, key: KeyId) {
        self.pairs(
            field::PAYERS,
            [(payer::ACCOUNT, account.0), (payer::KEY, key.0)],
        );
    }

    /// Pairs of a kind and a number, those with 0 left out.
    fn pairs(&mut self, tag: u64, pairs: impl IntoIterator<Item = (u64, u64)>) {
        self.within(tag, |w| {
            for (kind, number) in pairs {
                if number != 0 {
                    w.plain(kind);
                    w.plain(number);
                }
            }
        });
    }

    fn names(&mut self, model: &str, provider: &str, endpoint: &str) {
        self.text(field::MODEL, model);
        self.text(field::PROVIDER, provider);
        self.text(field::ENDPOINT, endpoint);
    }

    fn failure(&mut self, tag: u64, failure: Option<FailureKind>) {
        self.number(tag, failure.map_or(0, FailureKind::number));
    }

    fn costs(&mut self, tag: u64, costs: &[Cost<'_>]) {
        for one in costs.iter().take(LIST_MAX) {
            self.within(tag, |w| {
                w.text(cost::PROVIDER, one.provider);
                w.amount(cost::AMOUNT, one.amount);
                w.number(cost::PAYER, u64::from(one.payer == Payer::House));
            });
        }
    }

    fn facts(&mut self, facts: &Facts<'_>) {
        self.names(facts.model, facts.provider, facts.endpoint);
        for (tag, text) in [
            (field::PROVIDER_NAME, facts.provider_name),
            (field::REQUESTED, facts.requested),
            (field::UPSTREAM_ID, facts.upstream_id),
            (field::SESSION, facts.session_id),
            (field::USER, facts.user),
            (field::FINISH, facts.finish),
            (field::NATIVE_FINISH, facts.native_finish),
            (field::REFERER, facts.referer),
            (field::APP, facts.app),
            (field::USER_AGENT, facts.user_agent),
            (field::ROUTER, facts.router),
            (field::SERVICE_TIER, facts.service_tier),
        ] {
            self.text(tag, text);
        }
        self.number(field::API_TYPE, facts.api_type.number());
        self.number(field::FLAGS, flag_bits(facts.flags));
        self.failure(field::FAILURE, facts.failure);
        let counts = facts.counts.iter();
        self.pairs(
            field::COUNTS,
            counts.map(|(kind, number)| (kind as u64, number)),
        );
        self.amount(field::UPSTREAM_PROMPT, facts.upstream_prompt);
        self.amount(field::UPSTREAM_COMPLETION, facts.upstream_completion);
        self.amount(field::CACHE_DISCOUNT, facts.cache_discount);
        self.number(field::QUEUE_MS, facts.queue_ms.into());
        self.number(field::LATENCY_MS, facts.latency_ms.into());
        self.number(field::GENERATION_MS, facts.generation_ms.into());
        for attempt in facts.attempts.iter().take(LIST_MAX) {
            self.attempt(facts, attempt);
        }
        self.number(field::PRICE_BOOK, facts.price_book);
        for line in facts.lines.iter().take(LIST_MAX) {
            self.line(line);
        }
        self.whole_text(field::EXTRA, facts.extra, EXTRA_BYTES_MAX);
        self.number(field::TOOL_ERRORS, facts.tool_errors.into());
        self.number(
            field::QUALITY,
            facts.quality.map_or(0, |quality| quality as u64),
        );
        self.amount(field::TOLD_COST, facts.told_cost);
        if let Some(source) = facts.cache_source {
            self.bytes(field::CACHE_SOURCE, &source.to_bits().to_le_bytes());
        }
    }

    /// An attempt. What it has in common with the whole call is not said
    /// twice: of most calls it is the only one.
    fn attempt(&mut self, facts: &Facts<'_>, one: &AttemptFact<'_>) {
        self.within(field::ATTEMPT, |w| {
            for (tag, text, common) in [
                (attempt::PROVIDER, one.provider, facts.provider),
                (attempt::ENDPOINT, one.endpoint, facts.endpoint),
                (attempt::MODEL, one.model, facts.model),
                (attempt::UPSTREAM_ID, one.upstream_id, facts.upstream_id),
            ] {
                if text != common {
                    w.text_always(tag, text);
                }
            }
            w.text(attempt::REQUEST_ID, one.request_id);
            if one.status != 200 {
                w.always(attempt::STATUS, one.status.into());
            }
            w.failure(attempt::FAILURE, one.failure);
            w.number(attempt::DISPATCH_MS, one.dispatch_ms.into());
            w.number(attempt::HEAD_MS, one.head_ms.into());
            w.number(attempt::LATENCY_MS, one.latency_ms.into());
            w.number(attempt::END_MS, one.end_ms.into());
            w.amount(attempt::BILLED, one.billed);
            w.number(attempt::PAYER, u64::from(one.payer == Payer::House));
            w.number(attempt::REASON, one.reason.map_or(0, Reason::number));
        });
    }

    fn line(&mut self, line: &Line) {
        self.within(field::LINE, |w| {
            w.plain(tags::item_number(line.item));
            w.plain(line.units);
            w.plain(line.price.get());
        });
    }
}

fn flag_bits(flags: Flags) -> u64 {
    u64::from(flags.streamed)
        | u64::from(flags.cancelled) << 1
        | u64::from(flags.estimated) << 2
        | u64::from(flags.byok) << 3
        | u64::from(flags.nonsense) << 4
}

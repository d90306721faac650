//! The end of a job: who pays what, recorded exactly once.
//!
//! The table is that of every call (`bourse_ledger::who_pays`): a film that was
//! made has been reported, one that failed costs nothing, and of one that was
//! lost the possible charge is a question. What is settled already stays so:
//! whoever was killed between this and writing down that it was, comes here
//! again.

use bourse_catalog::PriceList;
use bourse_ledger::books::Refusal;
use bourse_ledger::price::{self, Charge};
use bourse_ledger::record::{ApiType, AttemptFact, Facts, Flags, Settlement, Voiding};
use bourse_ledger::video_job::{Job, Outcome, Taken};
use bourse_ledger::who_pays::{Attempt, End, Ended};
use bourse_store::{TillError, VideoRow};
use bourse_vocab::{Counts, FailureKind, Nanos, Units, Usage};

use crate::gateway::Gateway;

/// What came of settling a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Settled {
    /// It is settled now; its customer paid so much.
    Now(Nanos),
    /// It was before.
    Before,
    /// The journal takes nothing; it is tried again.
    NotYet,
}

/// What was used: never more than was ordered.
fn usage(taken: &Taken, outcome: &Outcome) -> Usage {
    let Outcome::Made { ms, .. } = outcome else {
        return Usage::default();
    };
    let ms = ms.unwrap_or(taken.ordered_ms).min(taken.ordered_ms);
    Usage {
        units: Units::of_video(taken.tier(), ms),
        ..Usage::default()
    }
}

/// What that costs, at the prices of the moment at which it was sent.
fn charge(taken: &Taken, usage: &Usage) -> Charge {
    let list = PriceList {
        base: taken.prices,
        ..PriceList::default()
    };
    match price::price(usage, 0, &list, taken.markup_ppm) {
        Ok(charge) => charge,
        Err(error) => {
            // It was set aside for at these prices, so that there are some.
            tracing::error!(%error, endpoint = taken.endpoint, "a film cannot be priced, and is given away");
            Charge::default()
        }
    }
}

const fn end_of(outcome: &Outcome) -> End {
    match outcome {
        Outcome::Made { .. } => End::Finished,
        Outcome::Failed { .. } => End::FailedBeforeContent,
        Outcome::Lost { .. } => End::GivenUp,
    }
}

const fn failure_of(outcome: &Outcome) -> Option<FailureKind> {
    match outcome {
        Outcome::Made { .. } => None,
        Outcome::Failed {
            is_refusal: true, ..
        } => Some(FailureKind::ContentPolicy),
        Outcome::Failed { .. } => Some(FailureKind::Unavailable),
        Outcome::Lost { .. } => Some(FailureKind::Timeout),
    }
}

/// What is held for a job, while it is.
fn held(gateway: &Gateway, row: &VideoRow) -> Option<Nanos> {
    let look = gateway.till.books().look(row.account, || ())?;
    let mut calls = look.running.iter();
    let call = calls.find(|call| call.id == row.id)?;
    Some(call.amount)
}

/// A job as the table of who pays sees it.
fn seen_by_the_table<'a>(taken: &'a Taken, outcome: &Outcome, held: Nanos) -> Ended<'a> {
    Ended {
        attempts: taken
            .refused_by
            .iter()
            .map(|provider| Attempt {
                provider,
                end: End::FailedBeforeContent,
            })
            .collect(),
        last: Some(Attempt {
            provider: &taken.provider,
            end: end_of(outcome),
        }),
        held,
        begun: None,
        told: None,
    }
}

/// Settles a job whose outcome is known.
pub fn settle(
    gateway: &Gateway,
    row: &VideoRow,
    (job, taken, outcome): (&Job, &Taken, &Outcome),
) -> Settled {
    let Some(held) = held(gateway, row) else {
        return Settled::Before;
    };
    let now_ms = gateway.clock.now_ms();
    let usage = usage(taken, outcome);
    let charge = charge(taken, &usage);
    let ended = seen_by_the_table(taken, outcome, held);
    let verdict = ended.verdict(Some(charge.priced()), || charge.priced());
    let mut facts = facts(job, taken, outcome, now_ms);
    facts.counts = Counts::from(usage);
    let (id, account) = (row.id, row.account);
    let result = if verdict.served {
        facts.upstream_prompt = charge.upstream_prompt;
        facts.upstream_completion = charge.upstream_completion;
        facts.lines = charge.lines;
        if let Some(last) = facts.attempts.last_mut() {
            last.billed = charge.upstream_total;
        }
        let settlement = Settlement {
            id,
            account,
            at_ms: now_ms,
            charge: verdict.charge,
            costs: verdict.costs,
            possible: verdict.possible,
            facts,
        };
        gateway.till.settle(&settlement).map(|posted| posted.paid)
    } else {
        let voiding = Voiding {
            id,
            account,
            at_ms: now_ms,
            reason: verdict.end.void_reason(),
            costs: verdict.costs,
            possible: verdict.possible,
            facts,
        };
        gateway.till.void(&voiding).map(|_| Nanos::ZERO)
    };
    gateway.waiting.freed(account);
    match result {
        Ok(paid) => {
            note(gateway, taken, charge.upstream_total, paid);
            Settled::Now(paid)
        }
        Err(TillError::Refused(Refusal::NotOpen)) => Settled::Before,
        Err(error) => {
            tracing::error!(%id, %error, "the end of a job could not be written");
            Settled::NotYet
        }
    }
}

/// Counts what an endpoint has made.
fn note(gateway: &Gateway, taken: &Taken, cost: Nanos, paid: Nanos) {
    let market = gateway.market.load();
    if let Some(target) = market.target_of(&taken.endpoint) {
        target.metrics.bill(0, 0, cost, paid);
    }
}

/// What `GET /generation` tells of it.
fn facts<'a>(job: &'a Job, taken: &'a Taken, outcome: &'a Outcome, now_ms: u64) -> Facts<'a> {
    let failure = failure_of(outcome);
    let span = |from: u64, to: u64| u32::try_from(to.saturating_sub(from)).unwrap_or(u32::MAX);
    let refused = taken.refused_by.iter().map(|provider| AttemptFact {
        provider,
        model: &taken.model,
        failure: Some(FailureKind::Unavailable),
        ..AttemptFact::default()
    });
    let mut attempts: Vec<_> = refused.collect();
    attempts.push(AttemptFact {
        provider: &taken.provider,
        endpoint: &taken.endpoint,
        model: &taken.model,
        upstream_id: &taken.name,
        status: 200,
        failure,
        head_ms: span(taken.sent_ms, taken.taken_ms),
        latency_ms: span(taken.sent_ms, now_ms),
        end_ms: span(taken.sent_ms, now_ms),
        ..AttemptFact::default()
    });
    let (finish, native_finish) = match outcome {
        Outcome::Made { .. } => ("stop", "completed"),
        Outcome::Failed {
            is_refusal: true, ..
        } => ("content_filter", "failed"),
        Outcome::Failed { .. } => ("error", "failed"),
        Outcome::Lost { .. } => ("error", "lost"),
    };
    Facts {
        api_type: ApiType::Video,
        model: &taken.model,
        provider: &taken.provider,
        provider_name: &taken.provider_name,
        endpoint: &taken.endpoint,
        requested: if job.requested == taken.model {
            ""
        } else {
            &job.requested
        },
        upstream_id: &taken.name,
        session_id: &job.session,
        user: &job.user,
        finish,
        native_finish,
        referer: &job.referer,
        app: &job.app,
        user_agent: &job.user_agent,
        flags: Flags::default(),
        failure,
        queue_ms: span(job.started_ms, taken.sent_ms),
        latency_ms: span(taken.sent_ms, now_ms),
        attempts,
        price_book: taken.price_book,
        extra: &job.extra,
        ..Facts::default()
    }
}

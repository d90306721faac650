//! The end of a call: who pays what, recorded exactly once.
//!
//! Whatever way a call ends, it comes here: with its whole answer, with a
//! stream that broke, with a client that left. The table in
//! `bourse_ledger::who_pays` says who pays; this file finds the row and
//! fills in the numbers.

use std::sync::atomic::Ordering::Relaxed;

use bourse_ledger::price::{self, Charge};
use bourse_ledger::record::{Facts, Flags, Settlement};
use bourse_ledger::who_pays::{Attempt, CustomerPays, End, Ended, Priced, Verdict};
use bourse_routing::health::Outcome;
use bourse_vocab::{Bill, Count, Counts, Failure, FailureKind, Nanos, Usage, UsageReport};

use super::hold::OUTPUT_UNKNOWN;
use crate::call::{Call, Delivered};
use crate::clock::now_ms;
use crate::facts::{of_call, of_failed, span_ms};
use crate::market::Target;
use crate::relay::Report;
use crate::tab::Tab;

/// Bytes of text that an estimate counts as one token. Estimates are for
/// answers whose provider reports nothing, and are flagged.
const ESTIMATE_BYTES_PER_TOKEN: u64 = 4;

/// How many times what its endpoint is listed to read or say a model is
/// believed to have read or said: lists are old or wrong, counters that run
/// wild do so by orders of magnitude.
const BELIEVABLE_FACTOR: u64 = 4;
/// Input tokens that any provider is believed: tools and templates of its
/// own are part of what it counts.
const BELIEVABLE_PROMPT_MIN: u64 = 65_536;

/// How the answer ended, as its reader saw it.
#[derive(Debug, Clone, Copy)]
pub enum Ending<'a> {
    /// It is whole.
    Complete,
    /// The provider broke off, or reported an error, after content.
    Broke(&'a Failure),
    /// We stopped it ourselves: the money ran out.
    Stopped,
    /// The client left and the provider was cancelled.
    ClientLeft,
    /// The client left and the provider was read to its end.
    Drained,
    /// The client left and the provider was read until the drain's cap.
    DrainCapped,
}

/// A call whose answer is under way, with everything that its end needs.
pub struct Settling {
    /// The call.
    pub call: Box<Call>,
    /// Its money.
    pub tab: Tab,
    /// Who answers, and what was learned before the first content.
    pub delivered: Delivered,
    /// Input tokens, as well as can be told without the provider.
    pub prompt_estimate: u64,
}

impl Settling {
    /// The target that answers.
    fn target(&self) -> &Target {
        &self.delivered.target
    }

    /// What was used, as far as can be counted here. Input that the provider
    /// has counted already (Anthropic's does so first) is not guessed.
    fn estimate(&self, report: &Report) -> Usage {
        let by_bytes = report.content_bytes.div_ceil(ESTIMATE_BYTES_PER_TOKEN);
        let counted = Usage {
            prompt: self.prompt_estimate,
            completion: by_bytes.max(report.content_pieces),
            ..Usage::default()
        };
        let told = &report.usage;
        if told.nonsense || told.prompt.is_none() {
            return counted;
        }
        let input = UsageReport {
            prompt: told.prompt,
            cache_read: told.cache_read,
            cache_write_5m: told.cache_write_5m,
            cache_write_1h: told.cache_write_1h,
            prompt_audio: told.prompt_audio,
            ..UsageReport::default()
        };
        input.resolve(&counted).0
    }

    /// Prices a usage at the target's rates. What has no price of its own is
    /// left out, and what has no sane price at all is counted anew: a call is
    /// never free by mistake.
    fn price(&self, usage: &Usage) -> Charge {
        let prices = &self.call.market.endpoint(self.target()).prices;
        let images = u64::from(self.call.ask.facts.images.count());
        let markup = self.call.market.markup_ppm;
        let without_searches = Usage {
            web_searches: 0,
            ..*usage
        };
        let counted = || self.estimate(&self.delivered.report);
        price::price(usage, images, prices, markup)
            .or_else(|_| price::price(&without_searches, images, prices, markup))
            .or_else(|_| price::price(&counted(), images, prices, markup))
            .unwrap_or_default()
    }

    /// What the call would cost if it ended now, by our own count.
    #[must_use]
    pub fn so_far(&self, report: &Report) -> (Usage, Charge) {
        let usage = self.estimate(report);
        (usage, self.price(&usage))
    }

    /// Settles or voids, and tells the bill. Call it once the answer has
    /// ended, whatever the ending.
    pub fn finish(self, report: &Report, ending: Ending<'_>) -> (Usage, Bill) {
        let at_ms = now_ms();
        let contradicted = self.contradicted(report).map(|usage| Report {
            usage,
            ..report.clone()
        });
        let report = contradicted.as_ref().unwrap_or(report);
        let estimate = self.estimate(report);
        let (usage, mended) = report.usage.resolve(&estimate);
        let reported = report.usage.is_complete().then(|| self.price(&usage));
        let counted = || self.price(&estimate);
        let end = self.end(report, ending, &usage);
        let row = end.row();
        let provider = &*self.target().provider.slug;
        let ended = ended(&self.call, self.tab.held(), Some(Attempt { provider, end }));
        let verdict = ended.verdict(reported.as_ref().map(Charge::priced), || counted().priced());
        // Some providers report a beginning: an answer that is charged by
        // what was delivered is an estimate although there is a report.
        let by_report = reported.filter(|_| row.customer != CustomerPays::Delivered);
        let estimated = mended || by_report.is_none();
        let (billed, charge) = match by_report {
            Some(charge) => (usage, charge),
            None => (estimate, counted()),
        };
        let bill = Bill {
            total: verdict.charge,
            upstream_prompt: charge.upstream_prompt,
            upstream_completion: charge.upstream_completion,
            estimated,
        };
        self.remember(at_ms, report, ending, &billed, &bill);
        self.record(Closed {
            at_ms,
            report,
            ending,
            usage: &billed,
            bill: &bill,
            charge,
            verdict,
        });
        (billed, bill)
    }

    /// The usage without counts that cannot be true, if there are any: no
    /// prompt is empty, what was delivered was not made of nothing, and no
    /// model reads or says many times what it can. A provider whose counter
    /// stands still must not make calls free, and one whose counter runs
    /// wild must not empty a purse.
    fn contradicted(&self, report: &Report) -> Option<UsageReport> {
        let mut usage = report.usage;
        let delivered = report.content_bytes > 0 || report.content_pieces > 0;
        let (prompt_max, completion_max) = self.believable_max();
        usage.prompt = usage
            .prompt
            .filter(|count| (1..=prompt_max).contains(count));
        usage.completion = usage
            .completion
            .filter(|count| (*count > 0 || !delivered) && *count <= completion_max);
        usage.nonsense |= usage != report.usage;
        (usage != report.usage).then_some(usage)
    }

    /// The most input and output tokens that a report is believed.
    fn believable_max(&self) -> (u64, u64) {
        let endpoint = self.call.market.endpoint(self.target());
        let window = endpoint.context_length;
        let output =
            endpoint
                .max_output
                .unwrap_or(if window > 0 { window } else { OUTPUT_UNKNOWN });
        let ask = &self.call.ask;
        // Not bounded by the window: its length is what is in doubt.
        let prompt = price::prompt_tokens_max(&ask.facts, &endpoint.image_tokens, None);
        (
            prompt
                .max(window)
                .saturating_mul(BELIEVABLE_FACTOR)
                .saturating_add(BELIEVABLE_PROMPT_MIN),
            output
                .saturating_mul(ask.answers.max(1))
                .saturating_mul(BELIEVABLE_FACTOR),
        )
    }

    fn end(&self, report: &Report, ending: Ending<'_>, usage: &Usage) -> End {
        let nothing = usage.completion == 0
            && report.content_pieces == 0
            && report.content_bytes == 0
            && report.finish.is_none();
        match ending {
            Ending::Complete | Ending::Drained if nothing || report.finish == Some("error") => {
                End::NothingDelivered
            }
            Ending::Complete if report.usage.is_complete() => End::Finished,
            Ending::Complete if report.usage.nonsense => End::FinishedNonsense,
            Ending::Complete => End::FinishedUncounted,
            Ending::Broke(_) => End::BrokeMidway,
            Ending::Stopped => End::MoneyRanOut,
            Ending::ClientLeft if report.content_pieces == 0 && report.content_bytes == 0 => {
                End::LeftBeforeContent
            }
            Ending::ClientLeft => End::LeftMidwayCancelled,
            Ending::Drained if report.usage.is_complete() => End::LeftDrained,
            Ending::Drained | Ending::DrainCapped => End::LeftDrainCapped,
        }
    }

    /// Tells the health books and the counters.
    fn remember(
        &self,
        at_ms: u64,
        report: &Report,
        ending: Ending<'_>,
        usage: &Usage,
        bill: &Bill,
    ) {
        let target = self.target();
        let metrics = &target.metrics;
        let outcome = match ending {
            Ending::Complete | Ending::Drained if report.finish == Some("error") => {
                Outcome::Failure
            }
            Ending::Complete | Ending::Drained => Outcome::Success {
                first_token_ms: self.delivered.first_content_ms,
                tokens: usage.completion,
                total_ms: self.answering_ms(at_ms).max(1),
            },
            Ending::Broke(failure) => Outcome::of(failure),
            Ending::Stopped | Ending::ClientLeft | Ending::DrainCapped => Outcome::Neutral,
        };
        target.health.end(at_ms, outcome);
        let count = match outcome {
            Outcome::Success { .. } => &metrics.succeeded,
            Outcome::Failure => &metrics.failed,
            Outcome::RateLimited { .. } => &metrics.rate_limited,
            Outcome::Neutral => &metrics.cancelled,
        };
        count.fetch_add(1, Relaxed);
        metrics.bill(usage.prompt, usage.completion, bill.upstream(), bill.total);
    }

    /// Milliseconds from the last dispatch to now.
    fn answering_ms(&self, at_ms: u64) -> u64 {
        at_ms.saturating_sub(self.delivered.sent_ms)
    }

    /// Writes the end of the call into the journal.
    fn record(&self, closed: Closed<'_>) {
        let Self { call, tab, .. } = self;
        let mut facts = self.facts(&closed);
        let Closed {
            at_ms,
            verdict,
            charge,
            ..
        } = closed;
        // Prices by which nobody is charged are no part of the record.
        if !verdict.costs.is_empty() || verdict.charge != Nanos::ZERO {
            facts.lines = charge.lines;
        }
        if !verdict.served {
            let reason = verdict.end.void_reason();
            tab.void(reason, verdict.costs, verdict.possible, facts);
            return;
        }
        let settlement = Settlement {
            id: call.id,
            account: tab.account,
            at_ms,
            charge: verdict.charge,
            costs: verdict.costs,
            possible: verdict.possible,
            facts,
        };
        tab.settle(&settlement);
    }

    /// What there is to know of a call that was answered, well or badly.
    fn facts<'a>(&'a self, closed: &Closed<'a>) -> Facts<'a> {
        let Self {
            call, delivered, ..
        } = self;
        let Closed {
            at_ms,
            report,
            ending,
            usage,
            bill,
            ..
        } = *closed;
        let answered_ms = delivered.sent_ms.saturating_add(delivered.first_content_ms);
        let upstream_id = report.upstream_id.as_deref().unwrap_or("");
        let failure = failure_of(report, ending);
        let mut facts = of_call(call, Some(self.target()));
        facts.upstream_id = upstream_id;
        facts.finish = finish_word(report, ending);
        facts.native_finish = report.native_finish.as_deref().unwrap_or("");
        facts.service_tier = report.service_tier.as_deref().unwrap_or("");
        facts.flags = Flags {
            cancelled: matches!(
                ending,
                Ending::ClientLeft | Ending::Drained | Ending::DrainCapped
            ),
            estimated: bill.estimated,
            nonsense: report.usage.nonsense,
            ..facts.flags
        };
        facts.failure = failure;
        let media = facts.counts.get(Count::MediaIn);
        facts.counts = Counts::from(*usage).with(Count::MediaIn, media);
        facts.upstream_prompt = bill.upstream_prompt;
        facts.upstream_completion = bill.upstream_completion;
        facts.cache_discount = self.cache_discount(usage);
        let dispatched_ms = call.dispatched_ms().unwrap_or(delivered.sent_ms);
        facts.latency_ms = span_ms(dispatched_ms, answered_ms);
        // An answer that came whole was generated before it could be seen.
        let began_ms = if call.ask.stream {
            answered_ms
        } else {
            delivered.sent_ms
        };
        facts.generation_ms = span_ms(began_ms, at_ms);
        if let Some(last) = facts.attempts.last_mut() {
            last.upstream_id = upstream_id;
            last.failure = failure;
            last.end_ms = span_ms(delivered.sent_ms, at_ms);
            // The attempts before it came to nothing and were billed nothing.
            if let Some(cost) = closed.verdict.costs.last() {
                last.billed = cost.amount;
                last.payer = cost.payer;
            }
        }
        facts
    }

    /// What caching saved or cost.
    fn cache_discount(&self, usage: &Usage) -> Nanos {
        if usage.cache_read == 0 && usage.cache_write() == 0 {
            return Nanos::ZERO;
        }
        let prices = &self.call.market.endpoint(self.target()).prices;
        price::cache_discount(usage, prices).unwrap_or_default()
    }
}

/// How a call that was answered ended, as its record has it.
struct Closed<'a> {
    at_ms: u64,
    report: &'a Report,
    ending: Ending<'a>,
    usage: &'a Usage,
    bill: &'a Bill,
    charge: Charge,
    verdict: Verdict<'a>,
}

fn failure_of(report: &Report, ending: Ending<'_>) -> Option<FailureKind> {
    match ending {
        Ending::Broke(failure) => Some(failure.kind),
        Ending::Stopped => Some(FailureKind::PaymentRequired),
        _ if report.finish == Some("error") => Some(FailureKind::Unmapped),
        _ => None,
    }
}

fn finish_word(report: &Report, ending: Ending<'_>) -> &'static str {
    match ending {
        Ending::Broke(_) | Ending::Stopped => "error",
        _ => report.finish.unwrap_or(""),
    }
}

/// A call that ended, for the table: its failed attempts, and how it ended.
pub fn ended<'a>(call: &'a Call, held: Nanos, last: Option<Attempt<'a>>) -> Ended<'a> {
    let failed = call.tried.iter().filter(|tried| tried.status != 200);
    let attempts = failed
        .map(|tried| {
            let provider = &*tried.target.provider.slug;
            let end = if tried.may_be_charged {
                End::GivenUp
            } else {
                End::FailedBeforeContent
            };
            Attempt { provider, end }
        })
        .collect();
    Ended {
        attempts,
        last,
        held,
    }
}

/// Ends a call that costs its customer nothing.
pub fn void(ended: &Ended<'_>, tab: &Tab, facts: Facts<'_>) {
    let verdict = ended.verdict(None, Priced::default);
    let reason = verdict.end.void_reason();
    tab.void(reason, verdict.costs, verdict.possible, facts);
}

/// Ends a call that nobody answered: the customer pays nothing.
pub fn nobody_answered(call: &Call, tab: &Tab, failure: &Failure) {
    let mut ended = ended(call, tab.held(), None);
    ended.last = ended.attempts.pop();
    void(&ended, tab, of_failed(call, failure.kind));
}

//! The end of a call: who pays what, recorded exactly once.
//!
//! Whatever way a call ends, it comes here, to [`Running::end`]: with its
//! whole answer, with a stream that broke, with attempts that all failed, with
//! a client that left, with a server that stops. The table in
//! `bourse_ledger::who_pays` says who pays; this file finds the row. What an
//! answer is worth is in `price`, what is remembered of it in `record`.

mod continued;
mod leaving;
mod price;
mod record;
mod told;
mod tools;

use std::cell::LazyCell;
use std::sync::atomic::Ordering::Relaxed;

use bourse_ledger::price::Charge;
use bourse_ledger::who_pays::{self, CustomerPays, End, ProviderCharges, Verdict};
use bourse_routing::health::{Outcome, Ticket};
use bourse_vocab::{Bill, Blame, Failure, Nanos, Usage};

use crate::alarms::kind::Kind;
use crate::attempts::Attempt;
use crate::ending::Ending;
use crate::limit::{self, Limit};
use crate::phases::hold::offers;
use crate::relay::Report;
use crate::running::Running;

/// A call that has ended: with [`Running`], which has the attempts and their
/// times, everything that there is to say about it.
pub struct Ended<'a> {
    /// How.
    pub ending: Ending<'a>,
    /// When, in milliseconds since 1970.
    pub at_ms: u64,
    /// What is known of the answer; empty if there was none.
    pub report: &'a Report,
    /// What was used, as far as anybody is billed for it.
    pub usage: Usage,
    /// What it costs.
    pub bill: Bill,
    /// What the provider says that it charges, if that is booked.
    pub told: Option<Nanos>,
    /// The same, item by item.
    pub charge: Charge,
    /// What the last attempt used, and what it charges: less than the answer,
    /// where it went on with one.
    pub own: (Usage, Nanos),
}

/// What is done just before the end of a call is written into the journal: the
/// usage and the bill are as they will be booked, but for what the purse does
/// not have, and the settlement is as [`Till::draft`] words it; empty where
/// nothing is charged.
///
/// [`Till::draft`]: bourse_store::Till::draft
pub type Before<'a> = &'a mut dyn FnMut(&Usage, &Bill, &[u8]);

impl Running {
    /// Ends the call: settles or voids, and returns the bill. The first time
    /// counts.
    pub fn end(&mut self, report: &Report, ending: Ending<'_>) -> (Usage, Bill) {
        self.end_after(report, ending, None)
    }

    /// The same, and does something just before it is written into the journal.
    pub fn end_after(
        &mut self,
        report: &Report,
        ending: Ending<'_>,
        before: Option<Before<'_>>,
    ) -> (Usage, Bill) {
        if !self.begin_end() {
            return (Usage::default(), Bill::default());
        }
        let at_ms = self.call.gateway.clock.now_ms();
        let alone = self.close_others(at_ms);
        let report = alone.as_ref().map_or(report, |begun| &begun.report);
        let contradicted = self.contradicted(report).map(|usage| Report {
            usage,
            ..report.clone()
        });
        let report = contradicted.as_ref().unwrap_or(report);
        self.judge_tools(report, ending, at_ms);
        let estimate = self.estimate_of(report, ending, at_ms);
        let (usage, mended) = report.usage.resolve(&estimate);
        let row = row_of(report, ending, &usage, self.has_begun());
        let was_running = self.close_last(at_ms, row);
        let ticket = self.attempts.last_mut().and_then(Attempt::take_ticket);
        let mut ended = self.seen_by_the_table();
        let row = ended.end().row();
        let reported = report
            .usage
            .is_complete()
            .then(|| self.price(&usage, report));
        let counted = LazyCell::new(|| self.price(&estimate, report));
        ended.told = self.told_cost(report, row, || {
            reported.as_ref().unwrap_or(&counted).upstream_total
        });
        let told = reported.as_ref().map(|told| self.priced(&usage, told));
        let verdict = ended.verdict(told, || self.priced(&estimate, &counted));
        // Some report a beginning: what is charged by delivery is estimated.
        let by_report = reported.filter(|_| row.customer != CustomerPays::Delivered);
        let estimated = mended || by_report.is_none();
        let (usage, charge) = match by_report {
            Some(charge) => (usage, charge),
            None if is_free(row) => (Usage::default(), Charge::default()),
            None => (estimate, LazyCell::force(&counted).clone()),
        };
        let own = (usage, charge.upstream_total);
        let (usage, charge) = self.with_what_was_there(row.customer, usage, charge);
        let bill = bill_of(&verdict, &charge, estimated || self.is_continued());
        let ended = Ended {
            ending,
            at_ms,
            report,
            usage,
            bill,
            told: ended.told,
            charge,
            own,
        };
        if was_running {
            self.remember(&ended, ticket);
        }
        self.note(&ended, &verdict, || (estimate, counted.upstream_total));
        // What was paid is what the caller is told that it cost.
        let total = self.record(ended, verdict, before);
        let total = total.unwrap_or(bill.total);
        if !bill.estimated && usage.completion > 0 {
            self.judge(usage.completion, bill.total.saturating_sub(total));
        }
        self.call.gateway.waiting.freed(self.tab.account);
        (usage, Bill { total, ..bill })
    }

    /// Notes what is learned of an end. What was `counted` is asked for where
    /// a provider may charge for more.
    fn note(&self, ended: &Ended<'_>, verdict: &Verdict<'_>, counted: impl Fn() -> (Usage, Nanos)) {
        if verdict.end == End::NothingDelivered {
            self.call.gateway.counters.fail(Blame::Upstream);
        }
        self.time(ended.at_ms);
        self.learn(ended);
        if !self.is_continued() {
            self.stick(ended);
        }
        self.note_tier(ended.report);
        if verdict.end.row().provider == ProviderCharges::Unknown {
            let (estimate, upstream) = counted();
            self.note_unknown(verdict, ended.report, (&estimate, upstream), ended.at_ms);
        }
    }

    /// Notes how long the call took, and how long its caller waited for the
    /// first of its answer.
    fn time(&self, at_ms: u64) {
        let call = &*self.call;
        let first_ms = self.attempts.iter().find_map(|one| one.first_content_ms);
        let spans = &call.gateway.counters.spans;
        spans.note(
            call.ask.stream,
            at_ms.saturating_sub(call.started_ms),
            first_ms.map(|first_ms| first_ms.saturating_sub(call.started_ms)),
        );
    }

    /// Our own count of an answer, of one that is unfinished with what is not
    /// seen of it.
    fn estimate_of(&self, report: &Report, ending: Ending<'_>, at_ms: u64) -> Usage {
        if leaving::is_unfinished(report, ending) {
            self.estimate_left(report, at_ms)
        } else {
            self.estimate(report)
        }
    }

    /// Notes whether the provider kept to the limit of an answer.
    fn judge(&self, told: u64, loss: Nanos) {
        if limit::is_overrun(told, self.output_max()) {
            return self.note_overrun(told, loss);
        }
        let target = self.target();
        let trust = &target.metrics.trust;
        if trust.is_lost() {
            let endpoint = self.call.market.endpoint(target);
            let answers = self.call.ask.answers.max(1);
            if limit::is_kept(self.limit, endpoint, answers, told) {
                trust.regain();
            } else {
                // Money for it was there this time.
                trust.lose();
            }
        }
    }

    /// Tells the operator of an answer that is longer than its provider was
    /// told, and believes no limit of this endpoint for a while.
    #[cold]
    fn note_overrun(&self, told: u64, loss: Nanos) {
        let target = self.target();
        let limit = self.output_max();
        target.metrics.overruns.fetch_add(1, Relaxed);
        target.metrics.trust.lose();
        let message = format!(
            "a provider gave {told} output tokens where it was told to give {limit} at most; the house pays {loss} USD for that ({})",
            self.call.id
        );
        let gateway = &self.call.gateway;
        let now_ms = gateway.clock.now_ms();
        let alarms = &gateway.alarms;
        alarms.raise(Kind::LimitNotKept, &target.id, &message, now_ms);
    }

    /// Notes how long the answer was, if that was the model's doing or ours.
    fn learn(&self, ended: &Ended<'_>) {
        let is_whole = matches!(ended.ending, Ending::Complete | Ending::Drained);
        let (tokens, answers) = (ended.usage.completion, self.call.ask.answers.max(1));
        if !is_whole || ended.bill.estimated || tokens == 0 {
            return;
        }
        let is_cut = ended.report.finish == Some("length");
        if is_cut && !matches!(self.limit, Limit::Set(_)) {
            // The caller's limit says nothing about answers without one.
            return;
        }
        let target = self.target();
        let sort = offers::sort(&self.call, target);
        target.lengths.learn(sort, tokens / answers, is_cut);
        self.learn_of_endpoint(ended, sort);
    }

    /// Notes where the conversation has its prompt cached, if reading it there
    /// costs less than reading it anew.
    fn stick(&self, ended: &Ended<'_>) {
        let is_whole = matches!(ended.ending, Ending::Complete | Ending::Drained);
        if !is_whole || ended.report.finish == Some("error") {
            return;
        }
        let target = self.target();
        let usage = &ended.usage;
        let prices = &self.call.market.prices(target).base;
        let saves = match (prices.cache_read, prices.prompt) {
            (Some(cached), Some(prompt)) => cached < prompt,
            _ => false,
        };
        let is_cached = saves && (usage.cache_read > 0 || usage.cache_write() > 0);
        let (account, ask) = (self.tab.account, &self.call.ask);
        let answered = (&**target, is_cached);
        let stickiness = &self.call.gateway.stickiness;
        stickiness.note(account, ask, answered, ended.at_ms);
    }

    /// Notes how the attempt that was under way ended. `false` if none was.
    fn close_last(&mut self, at_ms: u64, end: End) -> bool {
        let Some(attempt) = self.attempts.last_mut() else {
            return false;
        };
        if attempt.end.is_some() {
            return false;
        }
        attempt.end = Some(end);
        attempt.ended_ms = Some(at_ms);
        true
    }

    /// The call as the table of who pays sees it.
    fn seen_by_the_table(&self) -> who_pays::Ended<'_> {
        let (last, earlier) = match self.attempts.split_last() {
            Some((last, earlier)) => (Some(last), earlier),
            None => (None, self.attempts.as_slice()),
        };
        who_pays::Ended {
            attempts: earlier.iter().map(for_the_table).collect(),
            last: last.map(for_the_table),
            held: self.tab.held(),
            begun: self.begun.as_ref().and_then(|begun| {
                let broke = self.attempts.get(begun.attempts.checked_sub(1)?)?;
                Some(who_pays::Begun {
                    provider: &broke.target.provider.slug,
                    delivered: begun.charge.priced(),
                })
            }),
            told: None,
        }
    }

    /// Tells the health books and the counters about the attempt that was
    /// under way.
    fn remember(&self, ended: &Ended<'_>, ticket: Option<Ticket>) {
        let Some(attempt) = self.attempts.last() else {
            return;
        };
        let outcome = match ended.ending {
            Ending::Complete | Ending::Drained if ended.report.finish == Some("error") => {
                let failure = Failure::unavailable("The answer ended with an error");
                Outcome::of(&failure, attempt.place())
            }
            Ending::Complete | Ending::Drained => Outcome::Success {
                first_token_ms: attempt.latency_ms(ended.at_ms),
                tokens: ended.own.0.completion,
                total_ms: ended.at_ms.saturating_sub(attempt.dispatched_ms).max(1),
            },
            Ending::Broke(failure) | Ending::Failed(failure) => {
                Outcome::of(failure, attempt.place())
            }
            Ending::OutOfMoney(_) | Ending::ClientLeft | Ending::DrainCapped | Ending::Stopped => {
                Outcome::Neutral
            }
        };
        attempt.note(ticket, ended.at_ms, outcome, &self.call.gateway.alarms);
        attempt.target.metrics.count(outcome);
        if let Ending::Broke(failure) | Ending::Failed(failure) = ended.ending {
            attempt.target.metrics.note_reason(failure.why());
        }
        let (usage, upstream) = ended.own;
        let before = self
            .begun
            .as_ref()
            .map_or(Nanos::ZERO, |begun| begun.charge.total);
        let total = ended.bill.total.saturating_sub(before);
        let metrics = &attempt.target.metrics;
        let cost = ended.told.unwrap_or(upstream);
        metrics.bill(usage.prompt, usage.completion, cost, total);
    }
}

/// Whether nobody is told what an end was worth.
const fn is_free(row: &who_pays::Row) -> bool {
    matches!(row.customer, CustomerPays::Nothing)
        && !matches!(row.provider, ProviderCharges::Reported)
}

/// What the customer is told.
const fn bill_of(verdict: &Verdict<'_>, charge: &Charge, estimated: bool) -> Bill {
    Bill {
        total: verdict.charge,
        upstream_prompt: charge.upstream_prompt,
        upstream_completion: charge.upstream_completion,
        estimated,
    }
}

fn for_the_table(attempt: &Attempt) -> who_pays::Attempt<'_> {
    who_pays::Attempt {
        provider: &attempt.target.provider.slug,
        // One that is neither ended nor the last was dropped for another.
        end: attempt.end.unwrap_or(End::GivenUp),
    }
}

/// The row of an attempt that was under way when the call ended.
fn row_of(report: &Report, ending: Ending<'_>, usage: &Usage, has_begun: bool) -> End {
    let delivered = report.content_pieces > 0 || report.content_bytes > 0;
    let nothing = usage.completion == 0 && !delivered && report.finish.is_none();
    match ending {
        Ending::Complete | Ending::Drained if nothing || report.finish == Some("error") => {
            End::NothingDelivered
        }
        Ending::Complete if report.usage.is_complete() => End::Finished,
        Ending::Complete if report.usage.nonsense => End::FinishedNonsense,
        Ending::Complete => End::FinishedUncounted,
        Ending::Broke(_) => End::BrokeMidway,
        Ending::OutOfMoney(_) => End::MoneyRanOut,
        Ending::Drained if report.usage.is_complete() => End::LeftDrained,
        // What is told with or after the end of the answer is all of it.
        Ending::ClientLeft if report.usage.is_complete() && report.finish.is_some() => {
            End::LeftDrained
        }
        Ending::ClientLeft if delivered => End::LeftMidwayCancelled,
        Ending::ClientLeft if has_begun => End::LeftBegun,
        Ending::ClientLeft => End::LeftBeforeContent,
        Ending::Stopped if delivered => End::StoppedMidway,
        Ending::Stopped => End::StoppedBeforeContent,
        Ending::Drained | Ending::DrainCapped if delivered || report.finish.is_some() => {
            End::LeftDrainCapped
        }
        Ending::Drained | Ending::DrainCapped | Ending::Failed(_) => End::GivenUp,
    }
}

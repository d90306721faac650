//! What is remembered of a call: the booking, and everything that
//! `GET /generation` tells. The same for calls that were answered, failed, or
//! were given up.

use bourse_catalog::Interface;
use bourse_ledger::price;
use bourse_ledger::record::{ApiType, AttemptFact, Cost, Facts, Flags, Settlement, Voiding};
use bourse_ledger::who_pays::Verdict;
use bourse_vocab::{Count, Counts, FailureKind, Nanos, Reason, Usage};

use super::{Before, Ended};
use crate::attempts::Attempt;
use crate::ending::Ending;
use crate::endpoints::Endpoint;
use crate::market::Target;
use crate::relay::Report;
use crate::running::Running;

impl Running {
    /// Writes the end of the call into the journal, after whoever keeps its
    /// answer has it. Returns what was paid, where that is known.
    pub(super) fn record(
        &self,
        ended: Ended<'_>,
        verdict: Verdict<'_>,
        before: Option<Before<'_>>,
    ) -> Option<Nanos> {
        let (usage, bill) = (ended.usage, ended.bill);
        let more = self.call.more_of_it();
        let mut facts = self.facts(&ended, &verdict);
        facts.extra = &more;
        // Prices by which nobody is charged are no part of the record.
        if !verdict.costs.is_empty() || verdict.charge != Nanos::ZERO {
            facts.lines = ended.charge.lines;
        }
        let (id, account, at_ms) = (self.call.id, self.tab.account, ended.at_ms);
        if verdict.served {
            let settlement = Settlement {
                id,
                account,
                at_ms,
                charge: verdict.charge,
                costs: verdict.costs,
                possible: verdict.possible,
                facts,
            };
            if let Some(before) = before {
                before(&usage, &bill, &self.tab.draft(&settlement));
            }
            self.tab.settle(&settlement)
        } else {
            if let Some(before) = before {
                before(&usage, &bill, &[]);
            }
            self.tab.void(&Voiding {
                id,
                account,
                at_ms,
                reason: verdict.end.void_reason(),
                costs: verdict.costs,
                possible: verdict.possible,
                facts,
            });
            Some(Nanos::ZERO)
        }
    }

    /// What there is to know of the call.
    fn facts<'a>(&'a self, ended: &Ended<'a>, verdict: &Verdict<'_>) -> Facts<'a> {
        let (call, report, bill) = (&*self.call, ended.report, &ended.bill);
        let market = &call.market;
        let target = self.answered_by(ended);
        let who = &call.ask.attribution;
        let model: &str = &market.catalog.model(target.model).slug;
        let asked = call.ask.models.first().map_or("", String::as_str);
        let first_dispatch = self.first_dispatch_ms();
        let (latency_ms, generation_ms) = self.spans(ended.at_ms);
        let media = call.ask.facts.media().into();
        let limit = self.begun.as_ref().map_or(self.limit, |begun| begun.limit);
        let limit = limit.set_for(market.endpoint(target));
        let service_tier = self.told_tier(report).unwrap_or("");
        Facts {
            api_type: api_type(call.endpoint),
            model,
            provider: &target.provider.slug,
            provider_name: &target.provider.name,
            endpoint: &target.id,
            requested: if asked == model { "" } else { asked },
            upstream_id: report.upstream_id.as_deref().unwrap_or(""),
            session_id: &who.session_id,
            user: &who.user,
            finish: finish_word(ended),
            native_finish: report.native_finish.as_deref().unwrap_or(""),
            referer: &who.referer,
            app: &who.title,
            user_agent: &who.user_agent,
            service_tier,
            flags: Flags {
                streamed: call.ask.stream,
                cancelled: call.status.is_detached() || matches!(ended.ending, Ending::ClientLeft),
                estimated: bill.estimated && ended.usage != Usage::default(),
                byok: false,
                nonsense: report.usage.nonsense,
            },
            failure: failure_of(ended),
            counts: self.tools.count(
                Counts::from(ended.usage)
                    .with(Count::MediaIn, media)
                    .with(Count::OutputLimit, limit.unwrap_or(0)),
            ),
            tool_errors: self.tools.errors(),
            quality: call.ask.offers_tools().then(|| target.metrics.quality()),
            upstream_prompt: bill.upstream_prompt,
            upstream_completion: bill.upstream_completion,
            told_cost: ended.told.unwrap_or_default(),
            cache_discount: match &self.begun {
                Some(begun) => begun.cache_discount,
                None => self.cache_discount(&ended.usage, ended.report),
            },
            queue_ms: first_dispatch.map_or(0, |at_ms| span_ms(call.started_ms, at_ms)),
            latency_ms,
            generation_ms,
            attempts: self.attempt_facts(ended, verdict),
            price_book: market.catalog.version(),
            ..Facts::default()
        }
    }

    /// Milliseconds from the first dispatch to the first content, and from
    /// there to the end.
    fn spans(&self, at_ms: u64) -> (u32, u32) {
        let (Some(first_ms), Some(last)) = (self.first_dispatch_ms(), self.attempts.last()) else {
            return (0, 0);
        };
        let last = self.broke().unwrap_or(last);
        let Some(content_ms) = last.first_content_ms else {
            return (0, 0);
        };
        // An answer that came whole was generated before it could be seen.
        let began_ms = if self.call.ask.stream {
            content_ms
        } else {
            last.dispatched_ms
        };
        (span_ms(first_ms, content_ms), span_ms(began_ms, at_ms))
    }

    /// When the first attempt was sent: the list has the one that answered last,
    /// and the one that ran beside it before it.
    fn first_dispatch_ms(&self) -> Option<u64> {
        let sent = self.attempts.iter().map(|attempt| attempt.dispatched_ms);
        sent.min()
    }

    /// The attempt that broke, and that others went on with.
    fn broke(&self) -> Option<&Attempt> {
        let at = self.begun.as_ref()?.attempts.checked_sub(1)?;
        self.attempts.get(at)
    }

    /// Whom the record is about: who answered last, or was asked last where
    /// nobody did.
    fn answered_by(&self, ended: &Ended<'_>) -> &Target {
        match self.broke() {
            Some(broke) if ended.own.0.completion == 0 => &broke.target,
            _ => self.target(),
        }
    }

    fn attempt_facts<'a>(
        &'a self,
        ended: &Ended<'a>,
        verdict: &Verdict<'_>,
    ) -> Vec<AttemptFact<'a>> {
        let first_ms = self.first_dispatch_ms().unwrap_or(0);
        let fact = |attempt: &'a Attempt| self.attempt_fact(attempt, first_ms, ended.at_ms);
        let mut facts: Vec<_> = self.attempts.iter().map(fact).collect();
        if let Some(last) = facts.last_mut() {
            last.upstream_id = ended.report.upstream_id.as_deref().unwrap_or("");
            last.failure = last.failure.or_else(|| failure_of(ended));
            last.reason = last.reason.or_else(|| reason_of(ended));
        }
        self.bill_attempts(&mut facts, &verdict.costs);
        facts
    }

    /// Notes what each attempt is charged for. All but the last came to nothing
    /// and are charged nothing, and so is not the one that was continued.
    fn bill_attempts<'a>(&'a self, facts: &mut [AttemptFact<'a>], costs: &[Cost<'_>]) {
        let mut costs = costs;
        if let Some(begun) = &self.begun
            && let Some(broke) = facts.get_mut(begun.attempts.saturating_sub(1))
        {
            broke.upstream_id = begun.report.upstream_id.as_deref().unwrap_or("");
            if let Some((first, rest)) = costs.split_first() {
                (broke.billed, broke.payer) = (first.amount, first.payer);
                costs = rest;
            }
        }
        // The customer's part comes first, if it has one.
        let sum = costs
            .iter()
            .fold(Nanos::ZERO, |sum, cost| sum.saturating_add(cost.amount));
        if let (Some(last), Some(cost)) = (facts.last_mut(), costs.first()) {
            (last.billed, last.payer) = (sum, cost.payer);
        }
    }

    fn attempt_fact<'a>(
        &'a self,
        attempt: &'a Attempt,
        first_ms: u64,
        at_ms: u64,
    ) -> AttemptFact<'a> {
        let market = &self.call.market;
        let target = &*attempt.target;
        let sent_ms = attempt.dispatched_ms;
        AttemptFact {
            provider: &target.provider.slug,
            endpoint: &target.id,
            model: &market.catalog.model(target.model).slug,
            request_id: attempt.request_id.as_deref().unwrap_or(""),
            status: attempt.status,
            failure: attempt.failure,
            reason: attempt.reason,
            dispatch_ms: span_ms(first_ms, sent_ms),
            head_ms: attempt.head_ms.map_or(0, |ms| span_ms(sent_ms, ms)),
            latency_ms: span_ms(0, attempt.latency_ms(at_ms)),
            end_ms: span_ms(sent_ms, attempt.ended_ms.unwrap_or(at_ms)),
            ..AttemptFact::default()
        }
    }

    /// What caching saved or cost.
    pub(super) fn cache_discount(&self, usage: &Usage, report: &Report) -> Nanos {
        if usage.cache_read == 0 && usage.cache_write() == 0 {
            return Nanos::ZERO;
        }
        let prices = self.basis(report).list();
        price::cache_discount(usage, prices).unwrap_or_default()
    }
}

/// What the call was for, as records name it.
fn api_type(endpoint: &dyn Endpoint) -> ApiType {
    match endpoint.interface() {
        Interface::Embeddings => ApiType::Embeddings,
        Interface::Images => ApiType::Image,
        Interface::Rerank => ApiType::Rerank,
        Interface::Moderations => ApiType::Moderation,
        Interface::Speech => ApiType::Speech,
        Interface::Transcription => ApiType::Transcription,
        Interface::Realtime => ApiType::Realtime,
        Interface::Videos => ApiType::Video,
        Interface::Chat | Interface::Responses => ApiType::Completions,
    }
}

/// Milliseconds between two moments, as records hold them: more than 49 days
/// are 49 days.
fn span_ms(from_ms: u64, to_ms: u64) -> u32 {
    u32::try_from(to_ms.saturating_sub(from_ms)).unwrap_or(u32::MAX)
}

fn failure_of(ended: &Ended<'_>) -> Option<FailureKind> {
    match ended.ending {
        Ending::Broke(failure) | Ending::OutOfMoney(failure) | Ending::Failed(failure) => {
            Some(failure.kind)
        }
        Ending::Stopped => Some(FailureKind::Server),
        _ if ended.report.finish == Some("error") => Some(FailureKind::Unmapped),
        _ => None,
    }
}

/// Why the provider did not come to an end, if that was its doing.
fn reason_of(ended: &Ended<'_>) -> Option<Reason> {
    match ended.ending {
        Ending::Broke(failure) | Ending::Failed(failure) => Some(failure.why()),
        Ending::OutOfMoney(_) | Ending::Stopped => None,
        _ if ended.report.finish == Some("error") => Some(Reason::ServerError),
        _ => None,
    }
}

fn finish_word(ended: &Ended<'_>) -> &'static str {
    match ended.ending {
        Ending::Broke(_) | Ending::OutOfMoney(_) | Ending::Failed(_) | Ending::Stopped => "error",
        _ => ended.report.finish.unwrap_or(""),
    }
}

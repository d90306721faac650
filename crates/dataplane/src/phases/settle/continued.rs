//! An answer that broke, and that another attempt goes on with.

use std::sync::Arc;

use bourse_ledger::price::Charge;
use bourse_ledger::who_pays::{CustomerPays, End};
use bourse_routing::classes::Class;
use bourse_routing::health::Outcome;
use bourse_vocab::{Failure, Usage};

use crate::begun::Begun;
use crate::limit::Limit;
use crate::relay::Report;
use crate::running::Running;

impl Limit {
    /// What is left of it after so many tokens. Whoever goes on is told at
    /// least one: our count may be a little too high.
    #[must_use]
    fn after(self, tokens: u64) -> Self {
        let left = |limit: u64| limit.saturating_sub(tokens).max(1);
        match self {
            Self::Asked(limit) => Self::Asked(left(limit)),
            Self::Set(limit) => Self::Set(left(limit)),
            Self::Model => Self::Model,
        }
    }
}

impl Running {
    /// Notes that the attempt under way broke off after it had delivered what
    /// `report` says, and that the answer goes on elsewhere.
    pub fn break_off(&mut self, report: &Report, failure: &Failure) {
        let at_ms = self.call.gateway.clock.now_ms();
        let report = Report {
            usage: self.contradicted(report).unwrap_or(report.usage),
            ..report.clone()
        };
        let usage = self.estimate(&report);
        let charge = self.price(&usage, &report);
        let cache_discount = self.cache_discount(&usage, &report);
        if let Some(tried) = self.attempts.last_mut() {
            tried.end = Some(End::Continued);
            tried.ended_ms = Some(at_ms);
            tried.failure = Some(failure.kind);
            let reason = failure.why();
            tried.reason = Some(reason);
            tried.class = Some(Class::of(failure, tried.place()));
            let outcome = Outcome::of(failure, tried.place());
            let ticket = tried.take_ticket();
            tried.note(ticket, at_ms, outcome, &self.call.gateway.alarms);
            let metrics = &tried.target.metrics;
            metrics.count(outcome);
            metrics.note_reason(reason);
            let (upstream, total) = (charge.upstream_total, charge.total);
            metrics.bill(usage.prompt, usage.completion, upstream, total);
        }
        let limit = self.limit;
        self.limit = limit.after(report.delivered().tokens());
        self.begun = Some(Arc::new(Begun {
            attempts: self.attempts.len(),
            report,
            usage,
            charge,
            limit,
            cache_discount,
        }));
    }

    /// What the last attempt used and costs, with the part of the answer that
    /// was there before it. What nobody pays for adds nothing to that.
    pub(super) fn with_what_was_there(
        &self,
        pays: CustomerPays,
        usage: Usage,
        charge: Charge,
    ) -> (Usage, Charge) {
        match &self.begun {
            None => (usage, charge),
            Some(begun) if pays == CustomerPays::Nothing => {
                begun.with(&Usage::default(), &Charge::default())
            }
            Some(begun) => begun.with(&usage, &charge),
        }
    }

    /// Ends what is beside and before the last attempt; gives back the part of
    /// the answer that all of it remained.
    pub(super) fn close_others(&mut self, at_ms: u64) -> Option<Arc<Begun>> {
        self.drop_rival(at_ms);
        self.nobody_went_on()
    }

    /// The part of the answer that all of it remained, because nobody was
    /// asked to go on with it.
    fn nobody_went_on(&mut self) -> Option<Arc<Begun>> {
        let attempts = self.attempts.len();
        let begun = self.begun.take_if(|begun| begun.attempts == attempts)?;
        self.limit = begun.limit;
        if let Some(broke) = self.attempts.last_mut() {
            broke.end = Some(End::BrokeMidway);
        }
        Some(begun)
    }
}

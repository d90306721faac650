//! What a caller who left has used, where nobody told.
//!
//! An answer whose provider reports nothing, or breaks off, is counted by a
//! rule that anybody can recount: four bytes are a token. Of a caller who left
//! the provider knows better, and charges for it. So what is known of its
//! endpoint counts: how long its tokens are, in what it reads and in what it
//! says, and how fast it thinks out of sight.

use bourse_ledger::who_pays::{End, Verdict};
use bourse_providers::Begins;
use bourse_routing::lengths::{Form, Sort, Thought};
use bourse_routing::pace;
use bourse_vocab::{Nanos, Usage};

use super::Ended;
use crate::ending::Ending;
use crate::phases::hold::{offers, prompt_estimate};
use crate::relay::Report;
use crate::running::Running;
use crate::tariff;
use crate::unknown::error_of;

/// Whether a call was left, and let go of, before its answer had ended.
pub(super) const fn is_unfinished(report: &Report, ending: Ending<'_>) -> bool {
    matches!(ending, Ending::ClientLeft) && report.finish.is_none()
}

impl Running {
    /// What was used until a caller left at `at_ms`.
    pub(super) fn estimate_left(&self, report: &Report, at_ms: u64) -> Usage {
        let target = self.target();
        let said = match target.metrics.density_out.tokens(report.content_bytes) {
            // A piece is a token, or more.
            Some(tokens) => tokens.max(report.content_pieces),
            None => report.delivered().tokens(),
        };
        let limit = self.output_max();
        let said = tariff::within(said, limit);
        let thought = self.thought_unseen(at_ms).min(limit.saturating_sub(said));
        let bytes = self.call.ask.facts.text_bytes;
        let text = target.metrics.density_in.tokens(bytes);
        let endpoint = self.call.market.endpoint(target);
        let prompt = prompt_estimate(&self.call.ask, endpoint, text);
        self.with_searches(tariff::estimate(
            &report.usage,
            prompt,
            said.saturating_add(thought),
            &self.units(),
        ))
    }

    /// Whether the provider works on the input, as far as it shows.
    pub(super) fn has_begun(&self) -> bool {
        self.attempts.last().is_some_and(|attempt| {
            let begins = attempt.target.provider.provider.begins();
            attempt.has_begun() && begins == Begins::WithTheHead
        })
    }

    fn sort(&self) -> Sort {
        offers::sort(&self.call, self.target())
    }

    /// Notes that the model begins to answer.
    pub fn stops_thinking(&mut self) {
        let at_ms = self.call.gateway.clock.now_ms();
        if let Some(attempt) = self.attempts.last_mut() {
            attempt.stops_thinking(at_ms);
        }
    }

    /// What the model has thought that nobody saw: it thinks until it answers,
    /// also while it shows a summary of its thoughts. Until it is known how
    /// fast it does, it is taken to show all that it thinks once it shows any.
    fn thought_unseen(&self, at_ms: u64) -> u64 {
        let Some(attempt) = self.attempts.last() else {
            return 0;
        };
        // Whoever goes on with an answer is told not to think.
        if self.is_continued() || !self.has_begun() || self.sort().thought == Thought::None {
            return 0;
        }
        let pace = &attempt.target.metrics.pace;
        let until_ms = match pace.is_known() {
            true => attempt.answered_ms,
            false => attempt.first_content_ms,
        };
        let until_ms = until_ms.unwrap_or(at_ms);
        let thinking_ms = until_ms.saturating_sub(attempt.dispatched_ms);
        let ask = &self.call.ask;
        let most = ask.thinking.budget.unwrap_or(u64::MAX);
        let tokens = pace.tokens_in(thinking_ms).min(most);
        tokens.saturating_mul(ask.answers.max(1))
    }

    /// Notes what the house may lose by a call that was left, where `counted`
    /// is what was counted of it: see [`crate::unknown`].
    pub(super) fn note_unknown(
        &self,
        verdict: &Verdict<'_>,
        report: &Report,
        counted: (&Usage, Nanos),
        at_ms: u64,
    ) {
        let stake = self.at_stake(verdict, report, counted, at_ms);
        let who = self.call.admitted.key.principal();
        self.call.gateway.unknown.add(who.into(), stake, at_ms);
    }

    fn at_stake(
        &self,
        verdict: &Verdict<'_>,
        report: &Report,
        counted: (&Usage, Nanos),
        at_ms: u64,
    ) -> Nanos {
        let Some(possible) = verdict.possible.last() else {
            return Nanos::ZERO;
        };
        let (usage, cost) = counted;
        let stake = match verdict.end {
            End::LeftMidwayCancelled => error_of(cost),
            End::LeftBegun if self.thinks_as_ever() => error_of(cost),
            End::LeftBegun => cost,
            End::LeftBeforeContent => self.unseen_cost(usage, report, at_ms),
            End::LeftDrainCapped if report.finish.is_some() => error_of(cost),
            End::LeftDrainCapped => possible.amount,
            _ => Nanos::ZERO,
        };
        stake.min(possible.amount)
    }

    /// Whether it is known how fast the model thinks, or that it does not.
    fn thinks_as_ever(&self) -> bool {
        self.target().metrics.pace.is_known() || self.sort().thought == Thought::None
    }

    /// What a provider may have done that has given no sign.
    fn unseen_cost(&self, usage: &Usage, report: &Report, at_ms: u64) -> Nanos {
        let sent = self.attempts.last().map(|attempt| attempt.dispatched_ms);
        let silent_ms = at_ms.saturating_sub(sent.unwrap_or(at_ms));
        let usage = Usage {
            completion: pace::guess(silent_ms).min(self.output_max()),
            ..*usage
        };
        self.price(&usage, report).upstream_total
    }

    /// Notes what a whole answer says of its endpoint.
    pub(super) fn learn_of_endpoint(&self, ended: &Ended<'_>, sort: Sort) {
        let (report, usage) = (ended.report, &ended.usage);
        let metrics = &self.target().metrics;
        let ask = &self.call.ask;
        if let Some(attempt) = self.attempts.last()
            && let Some(answered_ms) = attempt.answered_ms
            && (sort.streamed, ask.answers.max(1)) == (true, 1)
        {
            let thinking_ms = answered_ms.saturating_sub(attempt.dispatched_ms);
            let shown = report.delivered().tokens();
            metrics.pace.learn(usage.completion, shown, thinking_ms);
        }
        // Thoughts that nobody saw have no bytes, and media are no text.
        if sort.thought == Thought::None && sort.form != Form::Media {
            let bytes = report.content_bytes;
            metrics.density_out.learn(bytes, usage.completion);
        }
        if ask.facts.media() == 0 && !ask.facts.is_obscured {
            metrics.density_in.learn(ask.facts.text_bytes, usage.prompt);
        }
    }
}

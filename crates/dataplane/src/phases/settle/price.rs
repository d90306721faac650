//! What an answer is worth: by the provider's count where it can be true,
//! otherwise by our own.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use bourse_ledger::price::{self, Charge, Priced};
use bourse_vocab::{PicosPerUnit, Served, ServiceTier, TierWish, Units, Usage, UsageReport};

use crate::alarms::kind::Kind;
use crate::limit::OUTPUT_UNKNOWN;
use crate::phases::hold::prompt_estimate;
use crate::relay::Report;
use crate::running::Running;
use crate::search;
use crate::service::Basis;
use crate::tariff::{self, Tariff, estimate};

/// How many times what its endpoint is listed to read or say a model is
/// believed to have read or said: lists are old or wrong, counters that run
/// wild do so by orders of magnitude.
const BELIEVABLE_FACTOR: u64 = 4;
/// Input tokens that any provider is believed: tools and templates of its
/// own are part of what it counts.
const BELIEVABLE_PROMPT_MIN: u64 = 65_536;

/// Whether a tier costs more than the usual one.
const fn is_dearer(served: Served) -> bool {
    matches!(
        served,
        Served::Tier(ServiceTier::Priority | ServiceTier::Ultrafast)
    )
}

impl Running {
    /// What was used, as far as can be counted here. What the provider has
    /// counted already (Anthropic's counts the input first) is not guessed.
    pub(super) fn estimate(&self, report: &Report) -> Usage {
        let counted = tariff::within(report.delivered().tokens(), self.output_max());
        let (prompt, units) = (self.prompt_estimate(), self.units());
        self.with_searches(estimate(&report.usage, prompt, counted, &units))
    }

    /// What may be used at most of what is no token and is sold here.
    pub(super) fn units(&self) -> Units {
        let prices = &self.call.market.prices(self.target()).base;
        prices.sold(&self.call.ask.units)
    }

    /// Some bill a search for each answer and do not count it.
    pub(super) fn with_searches(&self, counted: Usage) -> Usage {
        let ask = &self.call.ask;
        let always = search::is_always(self.target(), self.call.endpoint);
        let searches = if always || ask.searches() {
            ask.answers.max(1)
        } else {
            0
        };
        Usage {
            web_searches: counted.web_searches.max(searches),
            ..counted
        }
    }

    /// Input tokens, as well as can be told without the provider.
    fn prompt_estimate(&self) -> u64 {
        let endpoint = self.call.market.endpoint(self.target());
        prompt_estimate(&self.call.ask, endpoint, None)
    }

    /// Prices a usage at the rates of the tier of service that the answer says
    /// it was served by.
    pub(super) fn price(&self, usage: &Usage, report: &Report) -> Charge {
        let images = u64::from(self.call.ask.facts.images.count());
        let counted = || Usage {
            prompt: self.prompt_estimate(),
            completion: usage.completion.min(self.believable_max().1),
            units: self.units(),
            ..Usage::default()
        };
        self.basis(report).charge(usage, images, counted)
    }

    /// What the answer is billed by.
    pub(super) fn basis(&self, report: &Report) -> Basis<'_> {
        let basis = self.call.market.basis(self.target(), self.served(report));
        basis.searching(self.call.ask.search)
    }

    /// By which tier of service the answer is billed, if it names one.
    ///
    /// That is the one that served; but the first time that a provider gives a
    /// dearer one to whoever asked for none, its price was not set aside, and
    /// the customer does not pay it.
    fn served(&self, report: &Report) -> Option<Served> {
        let served = self.told_tier(report).map(Served::by_word)?;
        let target = self.target();
        let is_surprise = is_dearer(served)
            && target.told(self.call.ask.tier) == TierWish::None
            && !target.metrics.served_dearer.load(Relaxed);
        Some(if is_surprise {
            Served::Standard
        } else {
            served
        })
    }

    /// The same in the provider's words: in the answer, or in its head.
    pub(in crate::phases) fn told_tier<'a>(&'a self, report: &'a Report) -> Option<&'a str> {
        let in_head = || self.attempts.last()?.tier.as_deref();
        report.service_tier.as_deref().or_else(in_head)
    }

    /// Tells the operator of an answer whose tier of service costs what nobody
    /// knows, or more than was asked for.
    pub(super) fn note_tier(&self, report: &Report) {
        let Some(told) = self.told_tier(report) else {
            return;
        };
        let (target, wish) = (self.target(), self.call.ask.tier);
        let metrics = &target.metrics;
        if !self.basis(report).is_known() {
            return self.tell_of_tier(&format!(
                "a provider serves by a tier of service whose price is not known, {told:?}; such answers are billed by the dearest price that is"
            ));
        }
        if is_dearer(Served::by_word(told)) && target.told(wish) == TierWish::None {
            metrics.served_dearer.store(true, Relaxed);
            self.tell_of_tier(&format!(
                "a provider serves by a dearer tier, {told:?}, what no tier was asked for; the first such call was billed by the usual price, and from then on the dearer one is set aside and billed"
            ));
        }
    }

    #[cold]
    fn tell_of_tier(&self, message: &str) {
        let gateway = &self.call.gateway;
        let (alarms, now_ms) = (&gateway.alarms, gateway.clock.now_ms());
        let target = self.target();
        // The tier's name is the provider's word.
        let hidden = target.secrets.hide(message);
        let message = hidden.as_deref().unwrap_or(message);
        alarms.raise(Kind::TierNotAgreed, &target.id, message, now_ms);
    }

    /// What the answer that is under way is priced with.
    #[must_use]
    pub fn tariff(&self, report: &Report) -> Tariff {
        Tariff {
            market: Arc::clone(&self.call.market),
            target: Arc::clone(self.target()),
            served: self.served(report),
            images: u64::from(self.call.ask.facts.images.count()),
            units: self.units(),
            search: self.call.ask.search,
            prompt: self.prompt_estimate(),
            completion_max: self.believable_max().1,
            limit: self.output_max(),
            begun: self.begun.clone(),
        }
    }

    /// What so many output tokens of the answer cost by our own count; `told`
    /// is what the provider has reported.
    #[must_use]
    pub fn worth(&self, told: &Report, tokens: u64) -> (Usage, Charge) {
        let tokens = tariff::within(tokens, self.output_max());
        let (prompt, units) = (self.prompt_estimate(), self.units());
        let usage = estimate(&told.usage, prompt, tokens, &units);
        let charge = self.price(&usage, told);
        match &self.begun {
            Some(begun) => begun.with(&usage, &charge),
            None => (usage, charge),
        }
    }

    /// A charge of the attempt that was under way as the table of who pays
    /// takes it.
    pub(super) fn priced(&self, usage: &Usage, charge: &Charge) -> Priced {
        match &self.begun {
            Some(begun) => begun.adds(usage, charge),
            None => charge.priced(),
        }
    }

    /// The usage without counts that cannot be true, if there are any: no
    /// prompt is empty, what was delivered was not made of nothing, and no
    /// model reads or says many times what it can. A provider whose counter
    /// stands still must not make calls free, and one whose counter runs
    /// wild must not empty a purse.
    pub(super) fn contradicted(&self, report: &Report) -> Option<UsageReport> {
        let (told, is_free) = self.with_tokens_that_are_free(report.usage);
        let mut usage = told;
        // What is counted in something else, and in no tokens, was delivered
        // all the same.
        let is_counted = report.usage.completion == told.completion;
        let delivered = is_counted && (report.content_bytes > 0 || report.content_pieces > 0);
        let (prompt_max, completion_max) = self.believable_max();
        // Tokens that cost nothing need not be counted.
        let prompt_min = u64::from(!is_free);
        usage.prompt = usage
            .prompt
            .filter(|count| (prompt_min..=prompt_max).contains(count));
        usage.completion = usage
            .completion
            .filter(|count| (*count > 0 || !delivered || is_free) && *count <= completion_max);
        usage.units = usage
            .units
            .believed(&self.call.ask.units, BELIEVABLE_FACTOR);
        usage.nonsense |= usage != told;
        (usage != report.usage).then_some(usage)
    }

    /// A report, and whether it is of something that is no token at an endpoint
    /// where tokens cost nothing: that they are not counted is no gap then.
    fn with_tokens_that_are_free(&self, mut usage: UsageReport) -> (UsageReport, bool) {
        if !usage.units.any() {
            return (usage, false);
        }
        let prices = &self.call.market.prices(self.target()).base;
        let free = Some(PicosPerUnit::FREE);
        if prices.prompt != free || prices.completion != free {
            return (usage, false);
        }
        usage.prompt = usage.prompt.or(Some(0));
        if usage.completion.is_none() {
            usage.completion = Some(0);
            usage.completion_image = None;
        }
        (usage, true)
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
}

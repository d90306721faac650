//! What is counted. Labels are catalog ids and words of
//! ours, never anything that a caller can invent.

use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering::Relaxed};

use bourse_routing::density::Density;
use bourse_routing::health::Outcome;
use bourse_routing::pace::Pace;
use bourse_routing::tool_use::ToolUse;
use bourse_routing::trust::Trust;
use bourse_vocab::{Nanos, Quality, Reason};
use bourse_wire::tool_calls::{Tally, Verdict};

/// Counters of one endpoint. Plain atomics: a call touches a handful of
/// them, and they are only rendered when somebody asks.
#[derive(Debug)]
pub struct TargetMetrics {
    /// Model slug.
    pub model: Box<str>,
    /// Provider slug.
    pub provider: Box<str>,
    /// Endpoint id.
    pub endpoint: Box<str>,
    /// Attempts that answered wholly.
    pub succeeded: AtomicU64,
    /// Attempts that failed.
    pub failed: AtomicU64,
    /// Attempts that were told to slow down.
    pub rate_limited: AtomicU64,
    /// Attempts that the client left or that another won.
    pub cancelled: AtomicU64,
    /// How many of those that failed, did so for each reason.
    pub reasons: [AtomicU64; Reason::ALL.len()],
    /// Input tokens.
    pub prompt_tokens: AtomicU64,
    /// Output tokens.
    pub completion_tokens: AtomicU64,
    /// What providers charged, in nano-dollars.
    pub cost_nanos: AtomicU64,
    /// What customers were charged, in nano-dollars.
    pub charge_nanos: AtomicU64,
    /// Answers that were longer than it was told they may be.
    pub overruns: AtomicU64,
    /// Whether it is believed to keep its limits.
    pub trust: Trust,
    /// Whether an answer that nothing was asked of was served by a dearer tier.
    pub served_dearer: AtomicBool,
    /// How fast it thinks out of sight.
    pub pace: Pace,
    /// How its tool calls are of late.
    pub tools: ToolUse,
    /// How many tool calls got each verdict.
    pub verdicts: [AtomicU64; Verdict::ALL.len()],
    /// How good it is for calls with tools; see [`Self::quality`].
    quality: AtomicU8,
    /// How long its tokens are, of what it gets and of what it gives.
    pub density_in: Density,
    /// See `density_in`.
    pub density_out: Density,
}

impl TargetMetrics {
    /// All zero.
    #[must_use]
    pub fn new(model: &str, provider: &str, endpoint: &str) -> Self {
        let zero = || AtomicU64::new(0);
        Self {
            model: model.into(),
            provider: provider.into(),
            endpoint: endpoint.into(),
            succeeded: zero(),
            failed: zero(),
            rate_limited: zero(),
            cancelled: zero(),
            reasons: std::array::from_fn(|_| zero()),
            prompt_tokens: zero(),
            completion_tokens: zero(),
            cost_nanos: zero(),
            charge_nanos: zero(),
            overruns: zero(),
            trust: Trust::default(),
            served_dearer: AtomicBool::new(false),
            pace: Pace::default(),
            tools: ToolUse::default(),
            verdicts: std::array::from_fn(|_| zero()),
            quality: AtomicU8::new(Quality::Unknown as u8),
            density_in: Density::default(),
            density_out: Density::default(),
        }
    }

    /// Whether it was ever tried: others are not worth a line.
    #[must_use]
    pub fn is_used(&self) -> bool {
        [
            &self.succeeded,
            &self.failed,
            &self.rate_limited,
            &self.cancelled,
        ]
        .iter()
        .any(|count| count.load(Relaxed) > 0)
    }

    /// Notes how the tool calls of an answer were.
    pub fn note_tools(&self, tally: &Tally, now_ms: u64) {
        for (verdict, count) in Verdict::ALL.into_iter().zip(&self.verdicts) {
            count.fetch_add(tally.of(verdict).into(), Relaxed);
        }
        if tally.is_judged() {
            self.tools.note(now_ms, tally.bad() > 0);
        }
    }

    /// Notes how good it is beside the other endpoints of its model.
    pub fn is_rated(&self, quality: Quality) {
        self.quality.store(quality as u8, Relaxed);
    }

    /// How good it was beside them when that was last looked at.
    #[must_use]
    pub fn quality(&self) -> Quality {
        Quality::by_number(self.quality.load(Relaxed).into()).unwrap_or_default()
    }

    /// Counts an attempt that has ended.
    pub fn count(&self, outcome: Outcome) {
        let count = match outcome {
            Outcome::Success { .. } => &self.succeeded,
            Outcome::Failure { .. } if outcome.is_rate_limit() => &self.rate_limited,
            Outcome::Failure { .. } => &self.failed,
            Outcome::Neutral => &self.cancelled,
        };
        count.fetch_add(1, Relaxed);
    }

    /// Notes why an attempt failed.
    pub fn note_reason(&self, reason: Reason) {
        for (known, count) in Reason::ALL.iter().zip(&self.reasons) {
            if *known == reason {
                count.fetch_add(1, Relaxed);
            }
        }
    }

    /// Adds the bill of a finished call.
    pub fn bill(&self, prompt: u64, completion: u64, cost: Nanos, charge: Nanos) {
        self.prompt_tokens.fetch_add(prompt, Relaxed);
        self.completion_tokens.fetch_add(completion, Relaxed);
        self.cost_nanos
            .fetch_add(u64::try_from(cost.0).unwrap_or(0), Relaxed);
        self.charge_nanos
            .fetch_add(u64::try_from(charge.0).unwrap_or(0), Relaxed);
    }
}

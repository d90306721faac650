//! An endpoint that may serve a call, and what ordering needs to know.

use bourse_vocab::Quality;

use crate::breaker::Standing;

/// The share of an endpoint that has one credential.
pub const WHOLE: u32 = 1_000_000;

/// One endpoint in the running. Everything that ordering looks at is copied
/// here once, so that strategies are arithmetic on a short list.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Candidate {
    /// Its place in the list of whoever plans: what [`crate::plan::Plan`] is
    /// made of is found there once the candidates are in order.
    pub target: u32,
    /// Which model of the caller's list this serves, from 0.
    pub model_rank: u16,
    /// Its place in the caller's `provider.order`, if it is listed.
    pub order_rank: Option<u16>,
    /// How far its tier of service is from the one that was asked for; 0 where
    /// it is that one, or none was.
    pub service_rank: u8,
    /// How much of this endpoint it is, in parts of [`WHOLE`]: each of its
    /// credentials is a candidate, and together they weigh as one.
    pub share: u32,
    /// Expected price in pico-dollars of a typical exchange.
    pub price: u128,
    /// Whether others come first: it failed within the outage window and has
    /// not been well since, or it is at its limit, or full, or calls wait for it and
    /// it has not shown that it answers.
    pub unstable: bool,
    /// Whether it may be sent to.
    pub standing: Standing,
    /// Attempts at it that are under way.
    pub in_flight: u64,
    /// Milliseconds to the first content that must be expected; zero if
    /// nothing is known of late.
    pub expected_ms: u64,
    /// Whether its answers come to an end, as far as is known.
    pub has_finished: bool,
    /// Milliseconds for which its key must rest.
    pub cooldown_ms: Option<u64>,
    /// Median time to the first token, in milliseconds.
    pub latency_ms: Option<u64>,
    /// Median tokens a second.
    pub throughput: Option<u64>,
    /// Whether it misses the caller's preferred speed or latency.
    pub deprioritised: bool,
    /// Whether it has read the conversation before, and has its prompt cached.
    pub is_stuck: bool,
    /// How good it is for calls with tools; unknown where nobody asks.
    pub quality: Quality,
}

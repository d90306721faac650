//! By quality for calls with tools (`sort: "exacto"`, `:exacto`).

use bourse_vocab::quality::Tier;

use super::{Measurements, Strategy, weighted};
use crate::candidate::Candidate;
use crate::relief;

/// Endpoints that are good, then those of which too little is known, then those
/// that are slow or whose tool calls are often bad; within each tier load is
/// balanced. Calls with tools go by it where nobody asks for another order
/// (openrouter.ai/docs, Auto Exacto, as of October 2026). What makes a tier is in
/// [`crate::quality`].
pub struct Exacto;

impl Strategy for Exacto {
    fn name(&self) -> &'static str {
        "exacto"
    }

    fn suffix(&self) -> Option<&'static str> {
        Some("exacto")
    }

    fn about(&self) -> &'static str {
        "Those first that are fast and careful with tools, beside the others of the model; then what is not known well enough; what is slow, or often calls tools wrongly, last. Among equals load is balanced."
    }

    fn needs(&self) -> Measurements {
        Measurements {
            quality: true,
            ..Measurements::default()
        }
    }

    fn balances(&self) -> bool {
        true
    }

    fn arrange(&self, group: &mut [Candidate], random: f64) {
        for tier in tiers(group, false) {
            weighted::Weighted.arrange(tier, random);
        }
    }
}

/// One call in so many asks those first of which too little is known, where
/// others are good. Or the first four to be known would get all there is, and
/// nobody else would ever be known: docs/decisions/0049.
const FINDS_OUT: f64 = 8.0;

/// Whether a call finds out how good those are of which too little is known.
/// `random` is uniform in [0, 1), and that of the draw.
pub(crate) fn finds_out(random: f64) -> bool {
    relief::another(relief::another(random)) * FINDS_OUT < 1.0
}

/// Puts a group in order of its tiers; returns the part of each. With
/// `finds_out`, those come first of which too little is known.
pub(crate) fn tiers(
    group: &mut [Candidate],
    finds_out: bool,
) -> impl Iterator<Item = &mut [Candidate]> {
    group.sort_by_key(|candidate| match candidate.quality.tier() {
        Tier::InsufficientData => u8::from(!finds_out),
        Tier::Good => u8::from(finds_out),
        Tier::Deprioritised => 2,
    });
    group.chunk_by_mut(|one, other| one.quality.tier() == other.quality.tier())
}

//! A call that nobody waits for at a connection: a line of a batch.
//!
//! It runs through all the phases of a call. What differs is who lets it in
//! (its batch, which was let in with a key), what names it (its place in the
//! batch, so that whoever was killed finds it in the books), and that its
//! answer is kept before it is paid for ([`Witness`]).

use std::sync::Arc;

use bourse_policy::KeyHash;
use bourse_vocab::{Failure, GenerationId, ServiceTier, TierWish};
use bytes::Bytes;

use crate::ask::Ask;

/// Keeps an answer before its call is settled, and with it how it is settled, as
/// one: whoever is killed in between settles it by that at the next start
/// (`Till::open_with`), and no customer has paid for an answer that is lost.
pub trait Witness: Send + Sync {
    /// Keeps an answer with the settlement of its call, which is empty where
    /// nothing is charged. It may be that nobody asks for it any more: a call
    /// that has been dispatched is brought to its end.
    fn keep(&self, answer: &Bytes, settlement: &[u8]);
}

/// A line of a batch.
pub struct Line {
    /// What its call is called.
    pub id: GenerationId,
    /// Who pays.
    pub key: KeyHash,
    /// The batch, as the record of the call names it.
    pub batch: String,
    /// Whether it is sent among a vendor's own batch.
    pub is_at_vendor: bool,
    /// See [`Witness`].
    pub witness: Arc<dyn Witness>,
}

impl Line {
    /// Notes in what is recorded of a call which batch it belongs to.
    ///
    /// # Errors
    /// It asks for a stream, which nobody would read, or for a tier of service,
    /// which a vendor's batch has none of.
    pub(crate) fn mark(&self, ask: &mut Ask) -> Result<(), Failure> {
        if ask.stream {
            return Err(Failure::invalid(
                "stream: lines of a batch are answered whole; leave it out",
            ));
        }
        if self.is_at_vendor {
            if matches!(ask.tier, TierWish::Tier(_)) {
                return Err(Failure::invalid(
                    "service_tier: a line that asks for a tier is called by itself",
                ));
            }
            ask.tier = TierWish::Tier(ServiceTier::Batch);
        }
        let labels = &mut ask.attribution.labels;
        let rest = labels.strip_prefix('{').unwrap_or("}");
        let comma = if rest == "}" { "" } else { "," };
        // Ids are letters, digits and underscores.
        *labels = format!("{{\"batch\":\"{}\"{comma}{rest}", self.batch);
        Ok(())
    }
}

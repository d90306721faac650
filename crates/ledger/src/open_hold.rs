//! A running call's money, as records tell of it.

use std::sync::Arc;

use bourse_vocab::{AccountId, GenerationId, KeyId, Nanos};

use crate::names::Names;
use crate::record::{Checkpoint, Hold, LIST_MAX, Record};

/// A hold that is neither posted nor voided.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenHold {
    /// The call.
    pub id: GenerationId,
    /// Who pays.
    pub account: AccountId,
    /// With which key.
    pub key: KeyId,
    /// How much is set aside, extensions included.
    pub amount: Nanos,
    /// Since when, in milliseconds since 1970.
    pub at_ms: u64,
    /// Slug of the model last called.
    pub model: Arc<str>,
    /// Slug of the provider last called.
    pub provider: Arc<str>,
    /// The endpoint last called.
    pub endpoint: Arc<str>,
    /// Providers called before that, which may have charged for it.
    pub earlier: Vec<Arc<str>>,
    /// How much has been delivered, if anything was.
    pub checkpoint: Option<Checkpoint>,
}

impl OpenHold {
    /// The state after a hold record.
    #[must_use]
    pub fn new(hold: &Hold<'_>, names: &mut Names) -> Self {
        Self {
            id: hold.id,
            account: hold.account,
            key: hold.key,
            amount: hold.amount,
            at_ms: hold.at_ms,
            model: names.keep(hold.model),
            provider: names.keep(hold.provider),
            endpoint: names.keep(hold.endpoint),
            earlier: Vec::new(),
            checkpoint: None,
        }
    }

    /// Takes in a record of the running call, and of no other. Returns what
    /// it adds to the amount on hold.
    pub fn note(&mut self, record: &Record<'_>, names: &mut Names) -> Nanos {
        match record {
            Record::Extend(extend) => {
                self.amount = self.amount.saturating_add(extend.extra);
                return extend.extra;
            }
            Record::Dispatch(dispatch) => {
                let before = std::mem::replace(&mut self.provider, names.keep(dispatch.provider));
                if self.earlier.len() < LIST_MAX {
                    self.earlier.push(before);
                }
                self.model = names.keep(dispatch.model);
                self.endpoint = names.keep(dispatch.endpoint);
            }
            Record::Checkpoint(checkpoint) => self.checkpoint = Some(*checkpoint),
            Record::Hold(_)
            | Record::Checkpoints(_)
            | Record::Settle(_)
            | Record::Void(_)
            | Record::Refused(_) => {}
        }
        Nanos::ZERO
    }
}

//! The money of one call: what is set aside, more of it, and the record of its
//! end. When a call ends, and how, is `running.rs`'s business.

use std::sync::Arc;

use bourse_ledger::Refusal;
use bourse_ledger::record::{Checkpoint, Dispatch, Hold, Settlement, Voiding};
use bourse_spool::Position;
use bourse_store::{Till, TillError};
use bourse_vocab::{AccountId, Failure, GenerationId, KeyId, Nanos};

use crate::market::{Market, Target};

/// The money of one call.
pub struct Tab {
    till: Arc<Till>,
    id: GenerationId,
    /// Who pays.
    pub account: AccountId,
    held: Nanos,
    /// Where the hold is in the journal.
    pub opened: Position,
    /// The target that the journal says is being called.
    recorded: Arc<Target>,
    /// Whether any was.
    is_called: bool,
}

/// Names of a target, as records have them.
fn names<'a>(market: &'a Market, target: &'a Target) -> (&'a str, &'a str, &'a str) {
    (
        &market.catalog.model(target.model).slug,
        &target.provider.slug,
        &target.id,
    )
}

impl Tab {
    /// Sets money aside for a call whose first target is `first`, if so much
    /// is left beside it.
    pub fn open(
        till: &Arc<Till>,
        id: GenerationId,
        (account, key): (AccountId, KeyId),
        (amount, leaving): (Nanos, Nanos),
        at_ms: u64,
        (market, first): (&Market, &Arc<Target>),
    ) -> Result<Self, TillError> {
        let (model, provider, endpoint) = names(market, first);
        let hold = Hold {
            id,
            account,
            key,
            amount,
            at_ms,
            model,
            provider,
            endpoint,
        };
        let opened = till.hold_leaving(&hold, leaving)?;
        Ok(Self {
            till: Arc::clone(till),
            id,
            account,
            held: amount,
            opened,
            recorded: Arc::clone(first),
            is_called: false,
        })
    }

    /// Whom the journal says is being called, or would be first.
    #[must_use]
    pub const fn target(&self) -> &Arc<Target> {
        &self.recorded
    }

    /// What is set aside.
    #[must_use]
    pub const fn held(&self) -> Nanos {
        self.held
    }

    /// Notes that a target is about to be called.
    pub fn dispatch(&mut self, market: &Market, target: &Arc<Target>) -> Result<(), Failure> {
        if !Arc::ptr_eq(&self.recorded, target) || self.is_called {
            let (model, provider, endpoint) = names(market, target);
            self.till
                .dispatch(&Dispatch {
                    id: self.id,
                    model,
                    provider,
                    endpoint,
                })
                .map_err(|error| error.failure())?;
            self.recorded = Arc::clone(target);
        }
        self.is_called = true;
        Ok(())
    }

    /// Sets more aside: `wanted`, or as much as there is.
    ///
    /// # Errors
    /// The account or the key has nothing left; the hold stays as it was.
    pub fn extend(&mut self, wanted: Nanos) -> Result<(), Failure> {
        let mut extra = wanted;
        let mut extended = self.till.extend(self.account, self.id, extra);
        // Purses are asked from the account down, and others may be quicker:
        // each answer names less than the one before.
        while let Err(TillError::Refused(Refusal::Exhausted(why))) = &extended
            && why.room > Nanos::ZERO
            && why.room < extra
        {
            extra = why.room;
            extended = self.till.extend(self.account, self.id, extra);
        }
        self.held = extended.map_err(|error| error.failure())?;
        Ok(())
    }

    /// Sets exactly so much more aside.
    ///
    /// # Errors
    /// The account or the key has less; the hold stays as it was.
    pub fn extend_by(&mut self, extra: Nanos) -> Result<(), Failure> {
        let extended = self.till.extend(self.account, self.id, extra);
        self.held = extended.map_err(|error| error.failure())?;
        Ok(())
    }

    /// Remembers how much was delivered, for the case that the server does
    /// not live to settle the call.
    pub fn checkpoint(&self, charge: Nanos, upstream: Nanos, prompt: u64, completion: u64) {
        let checkpoint = Checkpoint {
            id: self.id,
            charge,
            upstream,
            prompt,
            completion,
        };
        if let Err(error) = self.till.checkpoint(&checkpoint) {
            // Why not is told once, by whoever watches the disk.
            tracing::debug!(id = %self.id, %error, "a checkpoint could not be written");
        }
    }

    /// Words a settlement before it is made, see [`Till::draft`].
    #[must_use]
    pub fn draft(&self, settlement: &Settlement<'_>) -> Vec<u8> {
        self.till.draft(settlement)
    }

    /// Pays. Returns what was paid, where that is known: the charge, or what
    /// of it there was money for.
    pub fn settle(&self, settlement: &Settlement<'_>) -> Option<Nanos> {
        match self.till.settle(settlement) {
            Ok(posted) => Some(posted.paid),
            Err(error) => {
                tracing::error!(id = %self.id, %error, "a settlement could not be written");
                None
            }
        }
    }

    /// Frees what was set aside; the customer pays nothing.
    pub fn void(&self, voiding: &Voiding<'_>) {
        if let Err(error) = self.till.void(voiding) {
            tracing::error!(id = %self.id, %error, "a voiding could not be written");
        }
    }
}

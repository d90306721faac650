//! The money of one call: opened by its hold, closed exactly once.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use bourse_ledger::record::{
    Checkpoint, Cost, Dispatch, Facts, Flags, Hold, Payer, Settlement, VoidReason, Voiding,
};
use bourse_spool::Position;
use bourse_store::{Till, TillError};
use bourse_vocab::{AccountId, Failure, GenerationId, KeyId, Nanos};

use crate::clock::now_ms;
use crate::market::{Market, Target};

/// The money of one call. A tab that is dropped open is voided: whoever
/// knows better settles it first, and a path that was forgotten costs the
/// customer nothing.
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
    /// The provider that was called last, if any was.
    called: Option<Arc<str>>,
    closed: AtomicBool,
}

/// Names of a target, as records have them.
fn names<'a>(market: &'a Market, target: &'a Target) -> (&'a str, &'a str, &'a str) {
    (
        &market.catalog.model(target.model).slug,
        &target.provider.slug,
        &market.endpoint(target).id,
    )
}

impl Tab {
    /// Sets money aside for a call whose first target is `first`.
    pub fn open(
        till: &Arc<Till>,
        id: GenerationId,
        (account, key): (AccountId, KeyId),
        amount: Nanos,
        at_ms: u64,
        (market, first): (&Market, &Arc<Target>),
    ) -> Result<Self, TillError> {
        let (model, provider, endpoint) = names(market, first);
        let opened = till.hold(&Hold {
            id,
            account,
            key,
            amount,
            at_ms,
            model,
            provider,
            endpoint,
        })?;
        Ok(Self {
            till: Arc::clone(till),
            id,
            account,
            held: amount,
            opened,
            recorded: Arc::clone(first),
            called: None,
            closed: AtomicBool::new(false),
        })
    }

    /// What is set aside.
    #[must_use]
    pub const fn held(&self) -> Nanos {
        self.held
    }

    /// Notes that a target is about to be called.
    pub fn dispatch(&mut self, market: &Market, target: &Arc<Target>) -> Result<(), Failure> {
        if !Arc::ptr_eq(&self.recorded, target) || self.called.is_some() {
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
        self.called = Some(Arc::clone(&target.provider.slug));
        Ok(())
    }

    /// Sets more aside.
    pub fn extend(&mut self, extra: Nanos) -> Result<(), Failure> {
        let sum = self
            .till
            .extend(self.account, self.id, extra, now_ms())
            .map_err(|error| error.failure())?;
        self.held = sum;
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
            tracing::warn!(id = %self.id, %error, "a checkpoint could not be written");
        }
    }

    /// Pays. Only the first ending of a tab counts.
    pub fn settle(&self, settlement: &Settlement<'_>) {
        if self.take()
            && let Err(error) = self.till.settle(settlement)
        {
            tracing::error!(id = %self.id, %error, "a settlement could not be written");
        }
    }

    /// Frees what was set aside; the customer pays nothing.
    pub fn void(
        &self,
        reason: VoidReason,
        costs: Vec<Cost<'_>>,
        possible: Vec<Cost<'_>>,
        facts: Facts<'_>,
    ) {
        if !self.take() {
            return;
        }
        let (id, account) = (self.id, self.account);
        let voiding = Voiding {
            id,
            account,
            at_ms: now_ms(),
            reason,
            costs,
            possible,
            facts,
        };
        if let Err(error) = self.till.void(&voiding) {
            tracing::error!(id = %self.id, %error, "a voiding could not be written");
        }
    }

    /// Whether this is the first to close the tab.
    fn take(&self) -> bool {
        !self.closed.swap(true, Relaxed)
    }
}

impl Drop for Tab {
    fn drop(&mut self) {
        // The journal knows from the hold whom the call was for.
        let facts = Facts {
            flags: Flags {
                cancelled: true,
                ..Flags::default()
            },
            ..Facts::default()
        };
        match self.called.take() {
            None => self.void(VoidReason::NotDispatched, Vec::new(), Vec::new(), facts),
            // The caller left before the answer began. The provider may charge
            // for what it did until then: a question for reconciliation.
            Some(provider) => {
                let (amount, payer) = (self.held, Payer::House);
                let possible = vec![Cost {
                    provider: &provider,
                    amount,
                    payer,
                }];
                self.void(VoidReason::CallerLeft, Vec::new(), possible, facts);
            }
        }
    }
}

//! Calls that are refused before anything is set aside: they have no end to
//! settle, but the journal remembers that they were.

use bourse_ledger::record::Refused;
use bourse_vocab::{AccountId, Failure, GenerationId, KeyId};

use crate::gateway::Gateway;
use crate::line::Line;
use crate::phases::admit::Admitted;

/// A call for which nothing has been set aside yet.
pub struct Refusing<'a> {
    gateway: &'a Gateway,
    id: GenerationId,
    account: AccountId,
    key: KeyId,
    /// Nothing is remembered.
    is_silent: bool,
}

impl<'a> Refusing<'a> {
    /// A call that was admitted.
    #[must_use]
    pub const fn new(gateway: &'a Gateway, id: GenerationId, admitted: &Admitted) -> Self {
        let principal = admitted.key.principal();
        Self {
            gateway,
            id,
            account: principal.account,
            key: principal.key,
            is_silent: false,
        }
    }

    /// The same for what may be a line of a batch: one that a vendor's batch
    /// cannot take is called by itself, and refused then.
    #[must_use]
    pub fn of_line(self, line: Option<&Line>) -> Self {
        let is_silent = line.is_some_and(|line| line.is_at_vendor);
        Self { is_silent, ..self }
    }

    /// Remembers that the call was refused.
    #[must_use]
    pub fn note(&self, failure: Failure, requested: &str, app: &str) -> Failure {
        if self.is_silent {
            return failure;
        }
        self.gateway.till.refuse(&Refused {
            id: self.id,
            account: self.account,
            key: self.key,
            at_ms: self.gateway.clock.now_ms(),
            failure: failure.kind,
            requested,
            app,
            unrecorded: 0,
        });
        failure
    }
}

//! Calls that are refused before anything is set aside: they have no end to
//! settle, but the journal remembers that they were.

use bourse_ledger::record::Refused;
use bourse_vocab::{AccountId, Failure, GenerationId, KeyId};

use crate::gateway::Gateway;
use crate::phases::admit::Admitted;

/// A call for which nothing has been set aside yet.
pub struct Refusing<'a> {
    gateway: &'a Gateway,
    id: GenerationId,
    account: AccountId,
    key: KeyId,
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
        }
    }

    /// Remembers that the call was refused.
    #[must_use]
    pub fn note(&self, failure: Failure, requested: &str, app: &str) -> Failure {
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

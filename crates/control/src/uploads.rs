//! How many files may be on their way in at once.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use bourse_vocab::{AccountId, Failure, FailureKind};

use crate::error::{Refused, Result};

/// Uploads at once, of everybody: each is a piece in memory and a draft.
const UPLOADS_MAX: usize = 16;
/// And of one account, so that no account keeps the others waiting.
const UPLOADS_OF_ACCOUNT_MAX: usize = 4;

/// Uploads under way, by account.
#[derive(Debug, Default)]
pub(crate) struct Uploads(Mutex<HashMap<AccountId, usize>>);

/// One of them, until it is dropped.
pub(crate) struct Place<'a> {
    uploads: &'a Uploads,
    account: AccountId,
}

impl Uploads {
    /// Takes a place, if there is one.
    pub(crate) fn begin(&self, account: AccountId) -> Result<Place<'_>> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let total: usize = all.values().sum();
        let of_account = all.get(&account).copied().unwrap_or(0);
        let refused = if of_account >= UPLOADS_OF_ACCOUNT_MAX {
            Some(FailureKind::RateLimited)
        } else if total >= UPLOADS_MAX {
            Some(FailureKind::Overloaded)
        } else {
            None
        };
        if let Some(kind) = refused {
            let why = "Too many uploads are under way; wait until one has ended";
            let failure = Failure::new(kind, why).retry_after(Duration::from_secs(5));
            return Err(Refused(failure));
        }
        all.insert(account, of_account.saturating_add(1));
        Ok(Place {
            uploads: self,
            account,
        })
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        let all = self.uploads.0.lock();
        let mut all = all.unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = all.get_mut(&self.account) {
            *count = count.saturating_sub(1);
            if *count == 0 {
                all.remove(&self.account);
            }
        }
    }
}

//! What one key or one account may have of the server.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use bourse_policy::{KeyHash, Principal};
use bourse_vocab::{AccountId, KeyId};

use super::counts::{Counted, Counts};
use super::overload::LATE;
use super::priority::Priority;
use super::shed::Shed;

/// Batch calls that wait at one worker unless configuration says otherwise:
/// each keeps a connection, a head and some kilobytes, so 20 MB.
pub const BATCH_QUEUE_MAX: usize = 1_024;
/// Of these, the most of one key, so that four others find a place.
pub const BATCH_QUEUE_OF_KEY_MAX: u32 = 256;
/// How long one waits: as long as a call that waits for money, so that clients
/// with a time limit of their own get an answer before it.
pub const BATCH_WAIT: Duration = Duration::from_secs(20);

/// What the operator sets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Once a ready call waits for its worker for longer, others are refused.
    pub late: Duration,
    /// Calls of one key at once, if there is a bound.
    pub key_calls_max: Option<u32>,
    /// Calls of one account at once, if there is a bound.
    pub account_calls_max: Option<u32>,
    /// Batch calls that wait at each worker.
    pub batch_queue_max: usize,
    /// Of these, the most of one key.
    pub batch_queue_of_key_max: u32,
    /// How long each waits.
    pub batch_wait: Duration,
    /// Keys whose calls are batch calls, whatever they say.
    pub batch_keys: HashSet<KeyHash>,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            late: LATE,
            key_calls_max: None,
            account_calls_max: None,
            batch_queue_max: BATCH_QUEUE_MAX,
            batch_queue_of_key_max: BATCH_QUEUE_OF_KEY_MAX,
            batch_wait: BATCH_WAIT,
            batch_keys: HashSet::new(),
        }
    }
}

/// The limits, and who has how much.
#[derive(Debug)]
pub(crate) struct Bounds {
    pub(crate) limits: Limits,
    of_keys: Option<Arc<Counts<KeyId>>>,
    of_accounts: Option<Arc<Counts<AccountId>>>,
    waiting: Arc<Counts<KeyId>>,
}

/// A call's part of what its key and its account may have.
#[derive(Debug, Default)]
pub(crate) struct Part {
    _of_key: Option<Counted<KeyId>>,
    _of_account: Option<Counted<AccountId>>,
}

impl Bounds {
    pub(crate) fn new(limits: Limits) -> Self {
        Self {
            of_keys: limits.key_calls_max.map(Counts::new),
            of_accounts: limits.account_calls_max.map(Counts::new),
            waiting: Counts::new(limits.batch_queue_of_key_max),
            limits,
        }
    }

    /// How urgent a call is that said `said`.
    pub(crate) fn priority(&self, who: &Principal, said: Priority) -> Priority {
        let keys = &self.limits.batch_keys;
        if !keys.is_empty() && keys.contains(&who.hash) {
            return Priority::Batch;
        }
        said
    }

    /// Takes a call's part.
    pub(crate) fn take(&self, who: &Principal) -> Result<Part, Shed> {
        let of_key = match &self.of_keys {
            Some(counts) => Some(counts.take(who.key).ok_or(Shed::Key)?),
            None => None,
        };
        let of_account = match &self.of_accounts {
            Some(counts) => Some(counts.take(who.account).ok_or(Shed::Account)?),
            None => None,
        };
        Ok(Part {
            _of_key: of_key,
            _of_account: of_account,
        })
    }

    /// Takes a place among those of the key that wait.
    pub(crate) fn wait(&self, who: &Principal) -> Result<Counted<KeyId>, Shed> {
        self.waiting.take(who.key).ok_or(Shed::Queue)
    }
}

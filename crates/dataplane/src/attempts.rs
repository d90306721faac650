//! What is known of an attempt: for the record of its call, for metadata, and
//! for who pays.

use std::sync::Arc;

use bourse_ledger::who_pays::End;
use bourse_vocab::FailureKind;

use crate::market::Target;
use crate::relay::Report;

/// One attempt of a call, from its dispatch to its end. Times are
/// milliseconds since 1970.
pub struct Attempt {
    /// Who was tried.
    pub target: Arc<Target>,
    /// How it ended; `None` while it runs.
    pub end: Option<End>,
    /// The HTTP status; 0 if there was no answer.
    pub status: u16,
    /// Whether any of the request may have reached the provider.
    pub is_sent: bool,
    /// What went wrong, if anything did.
    pub failure: Option<FailureKind>,
    /// The provider's id for the request, where it gave one with an error.
    pub request_id: Option<String>,
    /// The tier of service that the head of the response names.
    pub tier: Option<String>,
    /// When it was sent.
    pub dispatched_ms: u64,
    /// When the head of the response was there.
    pub head_ms: Option<u64>,
    /// When the model had said something, shown or hidden.
    pub first_content_ms: Option<u64>,
    /// When the model had begun to answer: thoughts, and what is shown of them,
    /// are none of it.
    pub answered_ms: Option<u64>,
    /// When it had ended.
    pub ended_ms: Option<u64>,
    /// What the model has thought so far, out of the caller's sight, as of
    /// the last checkpoint. Nothing is shown yet, so there may be another
    /// attempt.
    pub thought: Option<Report>,
}

impl Attempt {
    /// An attempt that begins.
    #[must_use]
    pub fn begin(target: &Arc<Target>, at_ms: u64) -> Self {
        target.health.begin();
        Self {
            target: Arc::clone(target),
            end: None,
            status: 0,
            is_sent: true,
            failure: None,
            request_id: None,
            tier: None,
            dispatched_ms: at_ms,
            head_ms: None,
            first_content_ms: None,
            answered_ms: None,
            ended_ms: None,
            thought: None,
        }
    }

    /// Whether the provider had taken the request when it was let go of: its
    /// response had begun, and did not refuse.
    #[must_use]
    pub fn has_begun(&self) -> bool {
        self.head_ms.is_some() && (200..300).contains(&self.status)
    }

    /// Notes that the model answers now, unless it did before.
    pub fn answers(&mut self, at_ms: u64) {
        self.answered_ms.get_or_insert(at_ms);
    }

    /// Milliseconds from sending to the first content, or to the end if there
    /// was none; to `now_ms` while it runs.
    #[must_use]
    pub fn latency_ms(&self, now_ms: u64) -> u64 {
        self.first_content_ms
            .or(self.ended_ms)
            .unwrap_or(now_ms)
            .saturating_sub(self.dispatched_ms)
    }
}

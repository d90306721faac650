//! What is known of an attempt: for the record of its call, for metadata, and
//! for who pays.

use std::sync::Arc;

use bourse_ledger::who_pays::End;
use bourse_routing::breaker::Change;
use bourse_routing::classes::{Class, Place};
use bourse_routing::health::{Changes, Outcome, Ticket};
use bourse_vocab::{FailureKind, Reason};
use serde_json::json;

use crate::alarms::kind::Kind;
use crate::alarms::{Alarms, signs};
use crate::chance;
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
    /// Why, if anything did.
    pub reason: Option<Reason>,
    /// What that means, if anything did.
    pub class: Option<&'static Class>,
    /// Whether our account at the provider is empty, capped or not paid.
    pub is_unpaid: bool,
    /// For how long the provider wants to be left alone, where it said so.
    pub rest_ms: Option<u64>,
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
    /// What its health waits for; gone once that is known.
    ticket: Option<Ticket>,
}

impl Attempt {
    /// An attempt that begins, with the leave of its target's health.
    #[must_use]
    pub fn begin(target: &Arc<Target>, ticket: Ticket, at_ms: u64) -> Self {
        Self {
            ticket: Some(ticket),
            target: Arc::clone(target),
            end: None,
            status: 0,
            is_sent: true,
            failure: None,
            reason: None,
            class: None,
            is_unpaid: false,
            rest_ms: None,
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

    /// How far it has come, as far as failures differ by it.
    #[must_use]
    pub const fn place(&self) -> Place {
        if self.is_sent {
            Place::Sent
        } else {
            Place::Unsent
        }
    }

    /// Notes that the model has said something, or all that it has to say.
    pub fn answered(&mut self, at_ms: u64, alarms: &Alarms) {
        self.first_content_ms = Some(at_ms);
        if let Some(ticket) = &mut self.ticket {
            let changes = ticket.answered(at_ms);
            self.tell(changes, "it answers", at_ms, alarms);
        }
    }

    /// What its target's health waits for, once.
    pub const fn take_ticket(&mut self) -> Option<Ticket> {
        self.ticket.take()
    }

    /// Tells its target's health what came of it.
    pub fn note(&self, ticket: Option<Ticket>, at_ms: u64, outcome: Outcome, alarms: &Alarms) {
        let Some(ticket) = ticket else {
            return;
        };
        let why = match outcome {
            Outcome::Failure { class, .. } => class.name,
            Outcome::Success { .. } | Outcome::Neutral => "",
        };
        let changes = ticket.end(at_ms, outcome, chance::random());
        self.tell(changes, why, at_ms, alarms);
    }

    /// Tells the operator who is not sent to any more, and who is again.
    fn tell(&self, changes: Changes, why: &str, at_ms: u64, alarms: &Alarms) {
        if changes == Changes::NONE {
            return;
        }
        let scopes = [
            ("endpoint", changes.endpoint),
            ("credential", changes.credential),
            ("provider", changes.provider),
        ];
        for (scope, change) in scopes {
            let endpoint = &*self.target.metrics.endpoint;
            let (provider, credential) = (&*self.target.provider.slug, self.target.credential);
            match change {
                Change::None | Change::Found => {}
                Change::Opened(rest_ms) if scope == "credential" => {
                    self.tell_of_credential(rest_ms, at_ms, alarms);
                }
                Change::Opened(rest_ms) => tracing::warn!(
                    scope,
                    endpoint,
                    provider,
                    credential,
                    rest_ms,
                    why,
                    "a breaker has opened: nothing is sent there until a request has found out that it is back"
                ),
                Change::Closed => {
                    tracing::info!(
                        scope,
                        endpoint,
                        provider,
                        credential,
                        why,
                        "a breaker has closed"
                    );
                }
            }
        }
    }

    /// That it is over is seen from outside: it may also be used no more.
    #[cold]
    fn tell_of_credential(&self, rest_ms: u64, at_ms: u64, alarms: &Alarms) {
        let (kind, what) = if self.is_unpaid {
            (
                Kind::AccountEmpty,
                "its balance or a limit there is used up",
            )
        } else {
            (Kind::CredentialRefused, "it does not take our key")
        };
        let provider = &*self.target.provider.slug;
        let message = format!(
            "a provider refuses our account: {what} (status {}); {}; nothing is sent to {provider} with it for {rest_ms} ms, and then one call tries",
            self.status,
            self.where_to_mend()
        );
        let subject = signs::credential(provider, self.target.credential);
        alarms.raise(kind, &subject, &message, at_ms);
    }

    /// Where the credential is set that was refused: its key in the
    /// configuration and the variables that may stand for it, never itself.
    fn where_to_mend(&self) -> String {
        let provider = &self.target.provider;
        let key = format!("providers.{}.api_key", provider.slug);
        let is = if self.is_unpaid {
            "is for an account that is not served"
        } else {
            "is refused"
        };
        match provider.provider.env() {
            [] => format!("{key} {is}"),
            variables => format!("{key} {is} (or {})", variables.join(", ")),
        }
    }

    /// What those are told who ask how their call was routed. Times are
    /// milliseconds since the call began, at `since_ms`. The one under way has
    /// answered, if that is read at all.
    #[must_use]
    pub fn told(&self, since_ms: u64) -> serde_json::Value {
        let after = |at_ms: u64| at_ms.saturating_sub(since_ms);
        let verdict = match (self.class, self.end) {
            (Some(class), _) => class.name,
            (None, None) => "answered",
            (None, Some(_)) => "ended",
        };
        json!({
            "endpoint": &*self.target.id,
            "credential": self.target.credential,
            "verdict": verdict,
            "rest_ms": self.rest_ms,
            "sent_after_ms": after(self.dispatched_ms),
            "head_after_ms": self.head_ms.map(after),
            "first_content_after_ms": self.first_content_ms.map(after),
            "ended_after_ms": self.ended_ms.map(after),
        })
    }

    /// Whether the provider had taken the request when it was let go of: its
    /// response had begun, and did not refuse.
    #[must_use]
    pub fn has_begun(&self) -> bool {
        self.head_ms.is_some() && (200..300).contains(&self.status)
    }

    /// Notes that the model has stopped thinking and answers now, unless it did
    /// before.
    pub fn stops_thinking(&mut self, at_ms: u64) {
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

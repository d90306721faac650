//! One event as one message to a webhook ([`crate::webhooks`]).

use bourse_dataplane::alarms::Event;
use bourse_dataplane::chance;
use std::sync::Arc;

use bourse_net::{Client, ClientConfig, EgressPolicy, Origin, Roads};
use serde_json::json;

use super::Error;
use crate::config::Webhook;
pub use crate::webhooks::Posted;
use crate::webhooks::{self, Message};

/// Who is told.
pub struct Receiver {
    client: Client,
    origin: Origin,
    path: String,
    key: Vec<u8>,
}

impl Receiver {
    /// # Errors
    /// TLS cannot be used.
    pub fn new(webhook: &Webhook, roads: &Arc<Roads>) -> Result<Self, Error> {
        let mut egress = EgressPolicy::by(roads);
        // The operator wrote it, and it may well be in the same network.
        egress.allow_origin(&webhook.origin);
        let client = Client::new(ClientConfig {
            egress,
            ..ClientConfig::default()
        })?;
        Ok(Self {
            client,
            origin: webhook.origin.clone(),
            path: webhook.path.clone(),
            key: webhook.key.clone(),
        })
    }

    /// Sends an event once. `at_s` is the time in seconds since 1970.
    pub async fn post(&self, id: &str, body: &[u8], at_s: u64) -> Posted {
        let to = (&self.origin, &*self.path);
        webhooks::post(&self.client, to, &self.key, Message { id, body, at_s }).await
    }
}

/// An id that no other message has. It has no dot, which would move the
/// borders of what is signed.
#[must_use]
pub fn message_id() -> String {
    format!("alarm_{:032x}", chance::random::<u128>())
}

/// An event as a body.
#[must_use]
pub fn message(event: &Event, server: &str) -> Vec<u8> {
    let about = event.kind.about();
    json!({
        "type": format!("alarm.{}", event.state.name()),
        "timestamp": time(event.at_ms),
        "kind": about.name,
        "severity": about.severity.name(),
        "subject": event.subject,
        "since": time(event.since_ms),
        "message": event.message,
        "remedy": about.remedy,
        "count": event.count,
        "server": server,
    })
    .to_string()
    .into_bytes()
}

/// A moment in RFC 3339.
fn time(at_ms: u64) -> String {
    let at_ms = i64::try_from(at_ms).unwrap_or(i64::MAX);
    jiff::Timestamp::from_millisecond(at_ms)
        .unwrap_or(jiff::Timestamp::MAX)
        .to_string()
}

#[cfg(test)]
mod tests {
    use bourse_dataplane::alarms::State;
    use bourse_dataplane::alarms::kind::Kind;

    use super::*;

    #[test]
    fn a_body_says_what_whose_since_when_and_what_helps() {
        let event = Event {
            kind: Kind::AccountEmpty,
            subject: "openai key 0".to_owned(),
            state: State::Lasting,
            since_ms: 1_795_262_400_000,
            at_ms: 1_795_266_000_250,
            message: "said \"no\"\n".to_owned(),
            count: 12,
        };
        let body: serde_json::Value =
            serde_json::from_slice(&message(&event, "127.0.0.1:8787")).unwrap();
        assert_eq!(
            body,
            json!({
                "type": "alarm.lasting",
                "timestamp": "2026-11-21T13:00:00.25Z",
                "kind": "provider_account_empty",
                "severity": "critical",
                "subject": "openai key 0",
                "since": "2026-11-21T12:00:00Z",
                "message": "said \"no\"\n",
                "remedy": Kind::AccountEmpty.about().remedy,
                "count": 12,
                "server": "127.0.0.1:8787",
            })
        );
    }

    #[test]
    fn ids_are_letters_and_digits_and_differ() {
        let (one, other) = (message_id(), message_id());
        assert_ne!(one, other);
        let is_word = |c: char| c.is_ascii_alphanumeric() || c == '_';
        assert!(one.chars().all(is_word), "{one}");
    }
}

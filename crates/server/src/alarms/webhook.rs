//! One event as one request: its body, its signature, and what the answer
//! means.
//!
//! The headers are those of Standard Webhooks 1.0.0
//! (standard-webhooks/standard-webhooks, commit 03f5f8c), so that receivers
//! verify it with a library: an id that stays when it is sent again, the time
//! of sending against replay, and the signature of both and the body.

use std::time::Duration;

use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bourse_dataplane::alarms::Event;
use bourse_dataplane::chance;
use bourse_net::{
    Client, ClientConfig, Deadlines, EgressPolicy, HeadTemplate, Origin, OutgoingRequest, Segments,
};
use http::header::{CONTENT_TYPE, USER_AGENT};
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use serde_json::json;

use super::Error;
use crate::config::Webhook;

const ID: HeaderName = HeaderName::from_static("webhook-id");
const TIMESTAMP: HeaderName = HeaderName::from_static("webhook-timestamp");
const SIGNATURE: HeaderName = HeaderName::from_static("webhook-signature");
/// How long a receiver may take.
const DEADLINES: Deadlines = Deadlines {
    connect: Duration::from_secs(5),
    head: Duration::from_secs(10),
    idle: Duration::from_secs(10),
};
/// The most that is read of an answer, which says nothing.
const ANSWER_BYTES_MAX: usize = 64 << 10;

/// Who is told.
pub struct Receiver {
    client: Client,
    origin: Origin,
    path: String,
    key: hmac::Key,
}

/// What came of telling it once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Posted {
    /// It has the event, and answered with this status.
    Taken(u16),
    /// It may take it later.
    Later {
        /// When, if it said.
        after: Option<Duration>,
        /// Why not now.
        why: String,
    },
    /// It never will, and answered with this status.
    Refused(u16),
}

impl Receiver {
    /// # Errors
    /// TLS cannot be used.
    pub fn new(webhook: &Webhook) -> Result<Self, Error> {
        let mut egress = EgressPolicy::deny_private();
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
            key: hmac::Key::new(hmac::HMAC_SHA256, &webhook.key),
        })
    }

    /// Sends an event once. `at_s` is the time in seconds since 1970.
    pub async fn post(&self, id: &str, body: &[u8], at_s: u64) -> Posted {
        let head = match self.head(id, body, at_s) {
            Ok(head) => head,
            // Nothing that waiting would change, and nothing that the
            // configuration let pass.
            Err(error) => {
                return Posted::Later {
                    after: None,
                    why: error.to_string(),
                };
            }
        };
        let mut segments = Segments::new();
        segments.push(body.to_vec().into());
        let request = OutgoingRequest::new(head, segments);
        let response = match self.client.send(&self.origin, &request, &DEADLINES).await {
            Ok(response) => response,
            Err(error) => {
                return Posted::Later {
                    after: None,
                    why: error.to_string(),
                };
            }
        };
        let status = response.status.as_u16();
        let after = response.headers.get_str("retry-after").and_then(|text| {
            let seconds = text.trim().parse().ok()?;
            Some(Duration::from_secs(seconds))
        });
        // Read to its end, so that the connection can be used again.
        let mut answer = response.body;
        let mut read = 0_usize;
        while let Some(Ok(piece)) = answer.next().await {
            read = read.saturating_add(piece.len());
            if read > ANSWER_BYTES_MAX {
                break;
            }
        }
        match status {
            200..=299 => Posted::Taken(status),
            // The usual words for "later"; whoever answers so may be a proxy
            // whose receiver is restarted.
            408 | 425 | 429 | 500..=599 => Posted::Later {
                after,
                why: format!("it answers with {status}"),
            },
            _ => Posted::Refused(status),
        }
    }

    fn head(&self, id: &str, body: &[u8], at_s: u64) -> Result<HeadTemplate, Error> {
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        headers.insert(USER_AGENT, HeaderValue::from_static("bourse"));
        headers.insert(ID, HeaderValue::from_str(id)?);
        headers.insert(TIMESTAMP, HeaderValue::from(at_s));
        let signature = signature(&self.key, id, at_s, body);
        headers.insert(SIGNATURE, HeaderValue::from_str(&signature)?);
        Ok(HeadTemplate::new(
            &self.origin,
            Method::POST,
            &self.path,
            headers,
        )?)
    }
}

/// `v1,` and the signature of id, time and body with dots between.
fn signature(key: &hmac::Key, id: &str, at_s: u64, body: &[u8]) -> String {
    let mut context = hmac::Context::with_key(key);
    context.update(format!("{id}.{at_s}.").as_bytes());
    context.update(body);
    format!("v1,{}", STANDARD.encode(context.sign().as_ref()))
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
    fn a_signature_is_that_of_the_standards_own_example() {
        // The vector that its libraries are tested with.
        let secret = STANDARD.decode("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").unwrap();
        let key = hmac::Key::new(hmac::HMAC_SHA256, &secret);
        let signed = signature(
            &key,
            "msg_p5jXN8AQM9LWM0D4loKWxJek",
            1_614_265_330,
            br#"{"test": 2432232314}"#,
        );
        assert_eq!(signed, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    }

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

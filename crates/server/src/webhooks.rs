//! One message as one request to a webhook: its signature, and what the answer
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
use bourse_net::{Client, Deadlines, HeadTemplate, Origin, OutgoingRequest, Segments};
use http::header::{CONTENT_TYPE, USER_AGENT};
use http::{HeaderMap, HeaderName, HeaderValue, Method};

type Error = Box<dyn std::error::Error + Send + Sync>;

const ID: HeaderName = HeaderName::from_static("webhook-id");
const TIMESTAMP: HeaderName = HeaderName::from_static("webhook-timestamp");
const SIGNATURE: HeaderName = HeaderName::from_static("webhook-signature");
/// How long a receiver may take.
const DEADLINES: Deadlines = Deadlines {
    connect: Duration::from_secs(5),
    head: Duration::from_secs(10),
    idle: Duration::from_secs(10),
};
/// How long all of it may take, however slowly an answer comes.
const WHOLE: Duration = Duration::from_secs(30);
/// The most that is read of an answer, which says nothing.
const ANSWER_BYTES_MAX: usize = 64 << 10;

/// What came of sending a message once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Posted {
    /// The receiver has it, and answered with this status.
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

/// A message.
#[derive(Debug, Clone, Copy)]
pub struct Message<'a> {
    /// Names it, also when it is sent again.
    pub id: &'a str,
    /// What it says.
    pub body: &'a [u8],
    /// When it is sent, in seconds since 1970.
    pub at_s: u64,
}

/// Sends a message once.
pub async fn post(
    client: &Client,
    (origin, path): (&Origin, &str),
    key: &[u8],
    message: Message<'_>,
) -> Posted {
    let later = |why: String| Posted::Later { after: None, why };
    let sending = send(client, (origin, path), key, message);
    match tokio::time::timeout(WHOLE, sending).await {
        Ok(posted) => posted.unwrap_or_else(|error| later(error.to_string())),
        Err(_) => later("its answer does not end".to_owned()),
    }
}

async fn send(
    client: &Client,
    (origin, path): (&Origin, &str),
    key: &[u8],
    message: Message<'_>,
) -> Result<Posted, Error> {
    let mut segments = Segments::new();
    segments.push(message.body.to_vec().into());
    let request = OutgoingRequest::new(head((origin, path), key, message)?, segments);
    let response = client.send(origin, &request, &DEADLINES).await?;
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
    Ok(match status {
        200..=299 => Posted::Taken(status),
        // The usual words for "later"; whoever answers so may be a proxy
        // whose receiver is restarted.
        408 | 425 | 429 | 500..=599 => Posted::Later {
            after,
            why: format!("it answers with {status}"),
        },
        _ => Posted::Refused(status),
    })
}

fn head(
    (origin, path): (&Origin, &str),
    key: &[u8],
    message: Message<'_>,
) -> Result<HeadTemplate, Error> {
    let mut headers = HeaderMap::new();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(USER_AGENT, HeaderValue::from_static("bourse"));
    headers.insert(ID, HeaderValue::from_str(message.id)?);
    headers.insert(TIMESTAMP, HeaderValue::from(message.at_s));
    let signature = signature(key, message);
    headers.insert(SIGNATURE, HeaderValue::from_str(&signature)?);
    Ok(HeadTemplate::new(origin, Method::POST, path, headers)?)
}

/// `v1,` and the signature of id, time and body with dots between.
fn signature(key: &[u8], message: Message<'_>) -> String {
    let Message { id, body, at_s } = message;
    let mut context = hmac::Context::with_key(&hmac::Key::new(hmac::HMAC_SHA256, key));
    context.update(format!("{id}.{at_s}.").as_bytes());
    context.update(body);
    format!("v1,{}", STANDARD.encode(context.sign().as_ref()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signature_is_that_of_the_standards_own_example() {
        // The vector that its libraries are tested with.
        let secret = STANDARD.decode("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").unwrap();
        let message = Message {
            id: "msg_p5jXN8AQM9LWM0D4loKWxJek",
            body: br#"{"test": 2432232314}"#,
            at_s: 1_614_265_330,
        };
        assert_eq!(
            signature(&secret, message),
            "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
        );
    }
}

//! Vendors' batches, as they are asked for them: one file for each API.

mod files;
mod messages;

use std::time::Duration;

use bourse_net::{Client, Deadlines, HeadTemplate, Origin, OutgoingRequest, Response, Segments};
use bytes::Bytes;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE, HeaderValue};
use http::{HeaderMap, Method};
use serde::Deserialize;

use super::shelf::Record;

/// How long a vendor may take for an answer that is not a file.
const DEADLINES: Deadlines = Deadlines {
    connect: Duration::from_secs(10),
    head: Duration::from_secs(120),
    idle: Duration::from_secs(60),
};
/// The most that is read of such an answer: a page of a hundred batches.
const REPLY_BYTES_MAX: usize = 4 << 20;
/// Where requests go that can be sent together: to the same model and endpoint,
/// with the same credential, so that it is never printed.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(super) struct Place {
    pub(super) origin: Origin,
    /// The path up to the version.
    pub(super) base: String,
    /// The path of the endpoint as a line says it.
    pub(super) endpoint: String,
    model: String,
    /// Headers that all requests have; credentials are among them.
    headers: Vec<(String, Vec<u8>)>,
}

/// Whose API for batches a place has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// Lines in a file.
    Files,
    /// Requests in the order.
    Messages,
}

impl Place {
    /// Known by the endpoint: nobody is asked for a batch but vendors whose
    /// dialect says that they take them (`BatchApi`), and of those only
    /// Anthropic has messages.
    fn kind(&self) -> Kind {
        match &*self.endpoint {
            "/v1/messages" => Kind::Messages,
            _ => Kind::Files,
        }
    }

    /// Where a request would go, and its body as a line has it; `None` if it
    /// cannot stand in a line.
    pub(super) fn of(origin: &Origin, request: &OutgoingRequest) -> Option<(Self, Bytes)> {
        #[derive(Deserialize)]
        struct Body {
            model: String,
        }
        let path = request.path();
        let at = path.rfind("/v1/")?;
        let (base, endpoint) = path.split_at_checked(at.checked_add(3)?)?;
        let mut body = Vec::with_capacity(usize::try_from(request.body_bytes()).ok()?);
        for segment in request.body() {
            body.extend_from_slice(segment);
        }
        let Body { model } = serde_json::from_slice(&body).ok()?;
        // A raw line break is white space: in a text it would be escaped.
        for byte in &mut body {
            if matches!(byte, b'\n' | b'\r') {
                *byte = b' ';
            }
        }
        let mut headers: Vec<_> = request
            .headers()
            .iter()
            .filter(|(name, _)| !matches!(**name, CONTENT_TYPE | CONTENT_LENGTH))
            .filter(|(name, _)| name.as_str() != "traceparent")
            .map(|(name, value)| (name.to_string(), value.as_bytes().to_vec()))
            .collect();
        headers.sort();
        let place = Self {
            origin: origin.clone(),
            base: base.to_owned(),
            endpoint: format!("/v1{endpoint}"),
            model,
            headers,
        };
        Some((place, body.into()))
    }
}

/// A vendor's batch, as far as it is looked at.
#[derive(Debug, Clone)]
pub(super) struct Batch {
    pub(super) id: String,
    /// Whether nothing more happens to it.
    pub(super) has_ended: bool,
    /// Where what it has said is read, below [`Place::base`].
    pub(super) results: Vec<String>,
}

/// Why a vendor did not do what it was asked for.
#[derive(Debug)]
pub(super) enum Refused {
    /// It says no, and would say so again.
    Never(u16),
    /// It did not: it had too much to do.
    Later(Option<Duration>),
    /// It may have: its answer is lost, or it failed.
    Unknown(String),
}

impl Refused {
    fn unknown(error: impl std::fmt::Display) -> Self {
        Self::Unknown(error.to_string())
    }
}

/// A vendor's API, with one credential.
#[derive(Clone)]
pub(super) struct Api {
    pub(super) client: Client,
    pub(super) place: Place,
}

impl Api {
    async fn send(
        &self,
        method: Method,
        path: &str,
        content: Option<(&'static str, Segments)>,
    ) -> Result<Response, Refused> {
        let mut headers = HeaderMap::new();
        for (name, value) in &self.place.headers {
            let name = http::HeaderName::from_bytes(name.as_bytes());
            let value = HeaderValue::from_bytes(value);
            if let (Ok(name), Ok(mut value)) = (name, value) {
                value.set_sensitive(true);
                headers.append(name, value);
            }
        }
        let mut body = Segments::new();
        if let Some((kind, segments)) = content {
            headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
            body = segments;
        }
        let path = format!("{}{path}", self.place.base);
        let head = HeadTemplate::new(&self.place.origin, method, &path, headers);
        let request = OutgoingRequest::new(head.map_err(Refused::unknown)?, body);
        let sent = self.client.send(&self.place.origin, &request, &DEADLINES);
        let response = sent.await.map_err(|error| match error.wrote_request {
            true => Refused::unknown(error),
            false => Refused::Later(None),
        })?;
        let status = response.status.as_u16();
        match status {
            200..=299 => Ok(response),
            408 | 425 | 429 => {
                let after = response.headers.get_str("retry-after");
                let after = after.and_then(|text| text.trim().parse().ok());
                Err(Refused::Later(after.map(Duration::from_secs)))
            }
            500..=599 => Err(Refused::Unknown(format!("it answers with {status}"))),
            _ => Err(Refused::Never(status)),
        }
    }

    async fn json<T: serde::de::DeserializeOwned>(
        &self,
        method: Method,
        path: &str,
        content: Option<(&'static str, Segments)>,
    ) -> Result<T, Refused> {
        let response = self.send(method, path, content).await?;
        let body = response.body.read_to_end(REPLY_BYTES_MAX).await;
        let body = body.map_err(Refused::unknown)?;
        serde_json::from_slice(&body).map_err(Refused::unknown)
    }

    /// Hands lines over before they are ordered, where the vendor takes them so;
    /// its name for them. What is handed over and not ordered costs nothing.
    pub(super) async fn prepare(&self, lines: &[(u32, Bytes)]) -> Result<String, Refused> {
        match self.place.kind() {
            Kind::Files => files::upload(self, lines).await,
            Kind::Messages => Ok(String::new()),
        }
    }

    /// Whether the order has the lines themselves, so that they are kept until
    /// it was given.
    pub(super) fn orders_with_lines(&self) -> bool {
        self.place.kind() == Kind::Messages
    }

    /// Gives an order that can be found again by the record's name.
    pub(super) async fn create(
        &self,
        record: &Record,
        lines: &[(u32, Bytes)],
    ) -> Result<Batch, Refused> {
        match self.place.kind() {
            Kind::Files => files::create(self, &record.file, &record.name).await,
            Kind::Messages => messages::create(self, &record.name, lines).await,
        }
    }

    /// Finds an order by its record.
    pub(super) async fn find(&self, record: &Record) -> Result<Option<Batch>, Refused> {
        match self.place.kind() {
            Kind::Files => files::find(self, &record.name).await,
            Kind::Messages => messages::find(self, record).await,
        }
    }

    /// How far a batch has come.
    pub(super) async fn look(&self, id: &str) -> Result<Batch, Refused> {
        match self.place.kind() {
            Kind::Files => files::look(self, id).await,
            Kind::Messages => messages::look(self, id).await,
        }
    }

    /// Tells a batch to end.
    pub(super) async fn cancel(&self, id: &str) -> Result<Batch, Refused> {
        match self.place.kind() {
            Kind::Files => files::cancel(self, id).await,
            Kind::Messages => messages::cancel(self, id).await,
        }
    }

    /// What one of a batch's results says.
    pub(super) async fn content(&self, path: &str) -> Result<Response, Refused> {
        self.send(Method::GET, path, None).await
    }
}

/// Whether a vendor's name for something can stand in a path.
pub(super) fn is_name(text: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
    (1..=200).contains(&text.len()) && text.bytes().all(is_plain)
}

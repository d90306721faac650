//! OpenAI's batches, as their vendor is asked for them
//! (platform.openai.com/docs/guides/batch and the reference of files and
//! batches; openai-python 3.52, `resources/batches.py` and `types/batch.py`,
//! November 2026).

use std::time::Duration;

use bourse_net::{Client, Deadlines, HeadTemplate, Origin, OutgoingRequest, Response, Segments};
use bytes::Bytes;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE, HeaderValue};
use http::{HeaderMap, Method};
use serde::Deserialize;
use serde_json::json;

/// How long a vendor may take for an answer that is not a file.
const DEADLINES: Deadlines = Deadlines {
    connect: Duration::from_secs(10),
    head: Duration::from_secs(120),
    idle: Duration::from_secs(60),
};
/// The most that is read of such an answer: a page of a hundred batches.
const REPLY_BYTES_MAX: usize = 4 << 20;
/// Pages that are looked through for a batch whose creation was not answered:
/// the newest thousand.
const PAGES_MAX: usize = 10;
/// Separates the parts of the form; what would contain it is none of ours.
const BOUNDARY: &str = "bourse-lines-of-a-batch";
/// The member of a batch's metadata by which it is found again.
const MARK: &str = "bourse";

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

impl Place {
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
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Batch {
    pub(super) id: String,
    pub(super) status: String,
    pub(super) output_file_id: Option<String>,
    pub(super) error_file_id: Option<String>,
    metadata: Option<serde_json::Map<String, serde_json::Value>>,
}

impl Batch {
    /// Whether nothing more happens to it.
    pub(super) fn has_ended(&self) -> bool {
        matches!(
            &*self.status,
            "completed" | "failed" | "expired" | "cancelled"
        )
    }
}

#[derive(Deserialize)]
struct File {
    id: String,
}

#[derive(Deserialize)]
struct Page {
    data: Vec<Batch>,
    #[serde(default)]
    has_more: bool,
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

    /// Uploads lines; the name of the file. One whose name is lost costs nothing.
    pub(super) async fn upload(&self, lines: &[(u32, Bytes)]) -> Result<String, Refused> {
        let mut body = Segments::new();
        let head = format!(
            "--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"purpose\"\r\n\r\nbatch\r\n\
             --{BOUNDARY}\r\nContent-Disposition: form-data; name=\"file\"; \
             filename=\"lines.jsonl\"\r\nContent-Type: application/jsonl\r\n\r\n"
        );
        body.push(head.into());
        let url = serde_json::Value::from(&*self.place.endpoint);
        for (line, request) in lines {
            let begin = format!(
                "{{\"custom_id\":\"line-{line}\",\"method\":\"POST\",\"url\":{url},\"body\":"
            );
            body.push(begin.into());
            body.push(request.clone());
            body.push(Bytes::from_static(b"}\n"));
        }
        body.push(format!("\r\n--{BOUNDARY}--\r\n").into());
        let kind = "multipart/form-data; boundary=bourse-lines-of-a-batch";
        let file: File = self
            .json(Method::POST, "/files", Some((kind, body)))
            .await?;
        Ok(file.id)
    }

    /// Begins a batch that can be found again by its `name`.
    pub(super) async fn create(&self, file: &str, name: &str) -> Result<Batch, Refused> {
        let wanted = json!({
            "input_file_id": file,
            "endpoint": self.place.endpoint,
            "completion_window": "24h",
            "metadata": {MARK: name},
        });
        let mut body = Segments::new();
        body.push(wanted.to_string().into());
        let content = Some(("application/json", body));
        self.json(Method::POST, "/batches", content).await
    }

    /// Finds a batch by its name.
    pub(super) async fn find(&self, name: &str) -> Result<Option<Batch>, Refused> {
        let mut after = String::new();
        for _ in 0..PAGES_MAX {
            let path = format!("/batches?limit=100{after}");
            let page: Page = self.json(Method::GET, &path, None).await?;
            let last = page.data.last().map(|batch| batch.id.clone());
            let mut batches = page.data.into_iter();
            let is_it = |batch: &Batch| {
                let metadata = batch.metadata.as_ref();
                metadata.and_then(|metadata| metadata.get(MARK)?.as_str()) == Some(name)
            };
            if let Some(found) = batches.find(is_it) {
                return Ok(Some(found));
            }
            match last.filter(|id| page.has_more && is_name(id)) {
                Some(last) => after = format!("&after={last}"),
                None => return Ok(None),
            }
        }
        Ok(None)
    }

    /// How far a batch has come.
    pub(super) async fn look(&self, id: &str) -> Result<Batch, Refused> {
        let path = format!("/batches/{id}");
        self.json(Method::GET, &path, None).await
    }

    /// Tells a batch to end.
    pub(super) async fn cancel(&self, id: &str) -> Result<Batch, Refused> {
        let path = format!("/batches/{id}/cancel");
        self.json(Method::POST, &path, None).await
    }

    /// What a file contains.
    pub(super) async fn content(&self, id: &str) -> Result<Response, Refused> {
        if !is_name(id) {
            return Err(Refused::Never(0));
        }
        self.send(Method::GET, &format!("/files/{id}/content"), None)
            .await
    }
}

/// Whether a vendor's name for something can stand in a path.
pub(super) fn is_name(text: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
    (1..=200).contains(&text.len()) && text.bytes().all(is_plain)
}

//! A request to send: a head prepared once per target, a few headers of the
//! moment, and a body in segments that are never copied.

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use http::header::{self, HeaderMap, HeaderName, HeaderValue};
use http::uri::PathAndQuery;
use http::{Method, Uri};
use smallvec::SmallVec;

use crate::origin::{Origin, Scheme};

/// A body: what is written one after the other.
pub type Segments = SmallVec<[Bytes; 8]>;

/// Sixteen bytes in base64 (RFC 6455, section 4.1).
pub(crate) type WebSocketKey = [u8; 24];

type Extra = SmallVec<[(HeaderName, HeaderValue); 4]>;

/// Why a head was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RequestError {
    /// The path and query are not usable in a request line.
    #[error("the path is not usable in a request")]
    Path,
    /// Framing, connection and host headers are this crate's business.
    #[error("the header {0} is set by the connection")]
    Header(HeaderName),
}

struct Prepared {
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    /// Request line and constant headers in HTTP/1.1 form, without the
    /// closing empty line.
    h1: Bytes,
}

/// Names only: a value may be a credential, and so may a part of the path.
impl fmt::Debug for Prepared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Its iterator would print the values.
        let headers: Vec<_> = self.headers.keys().collect();
        f.debug_struct("Prepared")
            .field("method", &self.method)
            .field("authority", &self.uri.authority())
            .field("headers", &headers)
            .finish_non_exhaustive()
    }
}

/// Everything in a request head that stays the same from call to call:
/// method, path, host, credentials, content type. Cheap to clone.
#[derive(Debug, Clone)]
pub struct HeadTemplate {
    prepared: Arc<Prepared>,
}

impl HeadTemplate {
    /// Renders a head once. `path` is the path with its query.
    ///
    /// # Errors
    /// When the path cannot stand in a request line, or a header is one that
    /// belongs to the connection (`host`, `content-length`, hop-by-hop).
    pub fn new(
        origin: &Origin,
        method: Method,
        path: &str,
        mut headers: HeaderMap,
    ) -> Result<Self, RequestError> {
        for name in headers.keys() {
            check_name(name)?;
        }
        // Without it any coding may come (RFC 9110, section 12.5.3), and a
        // compressed stream comes late.
        headers
            .entry(header::ACCEPT_ENCODING)
            .or_insert(HeaderValue::from_static("identity"));
        let scheme = match origin.scheme() {
            Scheme::Http => "http",
            Scheme::Https => "https",
        };
        Self::render(method, (scheme, &origin.authority()), path, headers)
    }

    /// The same head with more behind its path: what differs from call to call.
    ///
    /// # Errors
    /// When it cannot stand in a request line. Whoever writes it has seen to it
    /// that it makes no other path than was meant.
    pub fn with_tail(&self, tail: &str) -> Result<Self, RequestError> {
        let Prepared {
            method,
            uri,
            headers,
            ..
        } = &*self.prepared;
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~/?&=".contains(&byte);
        if !tail.bytes().all(is_plain) || tail.contains("..") {
            return Err(RequestError::Path);
        }
        let path = uri.path_and_query().map_or("/", PathAndQuery::as_str);
        let place = (
            uri.scheme_str().unwrap_or("https"),
            uri.authority().map_or("", http::uri::Authority::as_str),
        );
        Self::render(
            method.clone(),
            place,
            &format!("{path}{tail}"),
            headers.clone(),
        )
    }

    fn render(
        method: Method,
        (scheme, authority): (&str, &str),
        path: &str,
        headers: HeaderMap,
    ) -> Result<Self, RequestError> {
        if !path.starts_with('/') {
            return Err(RequestError::Path);
        }
        let path = PathAndQuery::try_from(path).map_err(|_| RequestError::Path)?;
        let mut h1 = Vec::with_capacity(512);
        h1.extend_from_slice(method.as_str().as_bytes());
        h1.push(b' ');
        h1.extend_from_slice(path.as_str().as_bytes());
        h1.extend_from_slice(b" HTTP/1.1\r\nhost: ");
        h1.extend_from_slice(authority.as_bytes());
        h1.extend_from_slice(b"\r\n");
        for (name, value) in &headers {
            push_header(&mut h1, name, value);
        }
        let uri = Uri::builder()
            .scheme(scheme)
            .authority(authority)
            .path_and_query(path)
            .build()
            .map_err(|_| RequestError::Path)?;
        let prepared = Prepared {
            method,
            uri,
            headers,
            h1: Bytes::from(h1),
        };
        Ok(Self {
            prepared: Arc::new(prepared),
        })
    }
}

/// A request ready to be sent with [`crate::Client::send`].
#[derive(Clone)]
pub struct OutgoingRequest {
    head: HeadTemplate,
    extra: Extra,
    body: Segments,
    body_bytes: u64,
    /// The key with which WebSocket is asked for, where it is. Boxed: every call
    /// would carry it.
    websocket: Option<Box<WebSocketKey>>,
}

impl fmt::Debug for OutgoingRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let extra: Vec<_> = self.extra.iter().map(|(name, _)| name).collect();
        f.debug_struct("OutgoingRequest")
            .field("head", &self.head)
            .field("extra", &extra)
            .field("body_bytes", &self.body_bytes)
            .finish_non_exhaustive()
    }
}

impl OutgoingRequest {
    /// A request with `body` as its content, in order and uncopied.
    #[must_use]
    pub fn new(head: HeadTemplate, mut body: Segments) -> Self {
        body.retain(|segment| !segment.is_empty());
        let body_bytes = body.iter().map(|segment| segment.len() as u64).sum();
        Self {
            head,
            extra: SmallVec::new(),
            body,
            body_bytes,
            websocket: None,
        }
    }

    /// Adds a header that differs from call to call.
    ///
    /// # Errors
    /// When the header belongs to the connection.
    pub fn add_header(&mut self, name: HeaderName, value: HeaderValue) -> Result<(), RequestError> {
        check_name(&name)?;
        self.extra.push((name, value));
        Ok(())
    }

    /// The path with its query.
    #[must_use]
    pub fn path(&self) -> &str {
        let path = self.head.prepared.uri.path_and_query();
        path.map_or("/", PathAndQuery::as_str)
    }

    /// The headers, credentials among them, for another request to the same
    /// origin.
    #[must_use]
    pub fn headers(&self) -> HeaderMap {
        let mut headers = self.head.prepared.headers.clone();
        for (name, value) in &self.extra {
            headers.append(name.clone(), value.clone());
        }
        headers
    }

    /// Length of the body in bytes.
    #[must_use]
    pub fn body_bytes(&self) -> u64 {
        self.body_bytes
    }

    /// The body, in the pieces in which it is written.
    #[must_use]
    pub fn body(&self) -> &[Bytes] {
        &self.body
    }

    /// The same request, which asks for WebSocket with this key.
    pub(crate) fn asks_for_websocket(&self, key: WebSocketKey) -> Self {
        Self {
            websocket: Some(Box::new(key)),
            ..self.clone()
        }
    }

    /// Whether another protocol is asked for.
    pub(crate) const fn asks_to_switch(&self) -> bool {
        self.websocket.is_some()
    }

    pub(crate) fn is_head_method(&self) -> bool {
        self.head.prepared.method == Method::HEAD
    }

    /// Writes the HTTP/1.1 head, closing empty line included.
    pub(crate) fn render_h1(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.head.prepared.h1);
        for (name, value) in &self.extra {
            push_header(out, name, value);
        }
        if let Some(key) = &self.websocket {
            out.extend_from_slice(b"connection: Upgrade\r\nupgrade: websocket\r\n");
            out.extend_from_slice(b"sec-websocket-version: 13\r\nsec-websocket-key: ");
            out.extend_from_slice(&**key);
            out.extend_from_slice(b"\r\n");
        }
        if self.sends_length() {
            out.extend_from_slice(b"content-length: ");
            out.extend_from_slice(itoa::Buffer::new().format(self.body_bytes).as_bytes());
            out.extend_from_slice(b"\r\n");
        }
        out.extend_from_slice(b"\r\n");
    }

    /// The same request for HTTP/2.
    pub(crate) fn to_h2(&self) -> http::Request<SegmentBody> {
        let prepared = &self.head.prepared;
        let mut request = http::Request::new(SegmentBody {
            segments: self.body.clone(),
            next: 0,
        });
        *request.method_mut() = prepared.method.clone();
        *request.uri_mut() = prepared.uri.clone();
        *request.version_mut() = http::Version::HTTP_2;
        let headers = request.headers_mut();
        headers.clone_from(&prepared.headers);
        for (name, value) in &self.extra {
            headers.append(name.clone(), value.clone());
        }
        if self.sends_length() {
            headers.insert(header::CONTENT_LENGTH, HeaderValue::from(self.body_bytes));
        }
        request
    }

    /// RFC 9110 section 8.6: a method that expects content says `0` when it
    /// has none; one that does not stays silent.
    fn sends_length(&self) -> bool {
        let method = &self.head.prepared.method;
        self.body_bytes > 0 || matches!(*method, Method::POST | Method::PUT | Method::PATCH)
    }
}

fn push_header(out: &mut Vec<u8>, name: &HeaderName, value: &HeaderValue) {
    out.extend_from_slice(name.as_str().as_bytes());
    out.extend_from_slice(b": ");
    out.extend_from_slice(value.as_bytes());
    out.extend_from_slice(b"\r\n");
}

fn check_name(name: &HeaderName) -> Result<(), RequestError> {
    let refused = [
        header::HOST,
        header::CONTENT_LENGTH,
        header::TRANSFER_ENCODING,
        header::CONNECTION,
        header::UPGRADE,
        header::TE,
        header::TRAILER,
        header::EXPECT,
        header::PROXY_AUTHORIZATION,
        HeaderName::from_static("keep-alive"),
        HeaderName::from_static("proxy-connection"),
    ];
    if refused.contains(name) {
        Err(RequestError::Header(name.clone()))
    } else {
        Ok(())
    }
}

/// The segments as a body for HTTP/2.
#[derive(Debug)]
pub(crate) struct SegmentBody {
    segments: Segments,
    next: usize,
}

impl http_body::Body for SegmentBody {
    type Data = Bytes;
    type Error = std::convert::Infallible;

    fn poll_frame(
        mut self: std::pin::Pin<&mut Self>,
        _: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Result<http_body::Frame<Bytes>, Self::Error>>> {
        let segment = self.segments.get(self.next).cloned();
        self.next += 1;
        std::task::Poll::Ready(segment.map(|data| Ok(http_body::Frame::data(data))))
    }

    fn is_end_stream(&self) -> bool {
        self.next >= self.segments.len()
    }

    fn size_hint(&self) -> http_body::SizeHint {
        let left = self
            .segments
            .iter()
            .skip(self.next)
            .map(|segment| segment.len() as u64)
            .sum();
        http_body::SizeHint::with_exact(left)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_comes_behind_a_path_is_a_part_of_it_and_of_nothing_else() {
        let (origin, _) = Origin::parse_operator("https://x.example:8443/").unwrap();
        let mut headers = HeaderMap::new();
        headers.insert("x-key", HeaderValue::from_static("sk"));
        let head = HeadTemplate::new(&origin, Method::POST, "/v1/speech", headers).unwrap();
        let longer = head.with_tail("/voice_1/stream?format=mp3").unwrap();
        let mut written = Vec::new();
        OutgoingRequest::new(longer, Segments::new()).render_h1(&mut written);
        let written = String::from_utf8(written).unwrap();
        assert!(
            written.starts_with(
                "POST /v1/speech/voice_1/stream?format=mp3 HTTP/1.1\r\nhost: x.example:8443\r\n"
            ),
            "{written}"
        );
        assert!(written.contains("x-key: sk\r\n"), "{written}");
        for odd in [
            "/a b",
            "/a\r\nx: y",
            "/../keys",
            "/%2e%2e/keys",
            "#x",
            "/\u{e9}",
            "@evil",
        ] {
            assert!(head.with_tail(odd).is_err(), "{odd:?}");
        }
    }

    #[test]
    fn no_debug_output_shows_a_credential() {
        let (origin, _) = Origin::parse_operator("http://127.0.0.1:9/").unwrap();
        let secret = HeaderValue::from_static("sk-secret");
        let mut headers = HeaderMap::new();
        // Not marked as sensitive, as a vendor's file might forget.
        headers.insert(header::AUTHORIZATION, secret.clone());
        let head = HeadTemplate::new(&origin, Method::POST, "/v1?key=sk-secret", headers).unwrap();
        let body = std::iter::once(Bytes::from_static(b"sk-secret")).collect();
        let mut request = OutgoingRequest::new(head.clone(), body);
        request
            .add_header(HeaderName::from_static("x-signature"), secret)
            .unwrap();
        let shown = format!("{head:?} {head:#?} {request:?} {request:#?}");
        assert!(!shown.contains("sk-secret"), "{shown}");
        for name in ["authorization", "x-signature", "127.0.0.1"] {
            assert!(shown.contains(name), "{shown}");
        }
    }
}

//! Content that was written before: asked for again and again, it is sent
//! again only if it has changed, and smaller if the client reads that.
//!
//! Each encoding is made when it is first asked for, and kept as long as the
//! content is: a list of models is compressed once for each catalog.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::Write;
use std::sync::OnceLock;

use axum::body::{Body, Bytes};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use brotli::CompressorWriter;
use flate2::Compression;
use flate2::write::GzEncoder;

/// Smaller content is sent as it is: headers and a round of the compressor
/// cost more than a packet saves.
const PLAIN_BYTES_MAX: usize = 1_024;
/// How hard to try: a list of models (a megabyte) takes some 20 ms with each,
/// and becomes a tenth.
const GZIP_LEVEL: u32 = 6;
const BROTLI_QUALITY: u32 = 5;
/// The compressor's window is 4 MiB, more than any list is long.
const BROTLI_WINDOW_BITS: u32 = 22;
const BROTLI_BUFFER_BYTES: usize = 64 * 1_024;

/// An encoding of content.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Encoding {
    Plain,
    Gzip,
    Brotli,
}

/// What a client said of the content that it wants.
#[derive(Debug)]
pub(crate) struct Wishes {
    encoding: Encoding,
    /// `If-None-Match`, as it was sent.
    known: Option<String>,
}

impl Wishes {
    /// Reads the head of a request.
    pub(crate) fn of(parts: &Parts) -> Self {
        let known: Vec<&str> = parts
            .headers
            .get_all(header::IF_NONE_MATCH)
            .iter()
            .filter_map(|value| value.to_str().ok())
            .collect();
        Self {
            encoding: encoding(&parts.headers),
            known: (!known.is_empty()).then(|| known.join(",")),
        }
    }

    /// Whether the client has the content of `tag` (RFC 9110, 13.1.2: tags
    /// are compared weakly).
    fn knows(&self, tag: &str) -> bool {
        let opaque = |tag: &str| tag.trim().trim_start_matches("W/").to_owned();
        self.known.as_ref().is_some_and(|known| {
            let mut tags = known.split(',');
            tags.any(|known| known.trim() == "*" || opaque(known) == opaque(tag))
        })
    }
}

/// The best encoding that `Accept-Encoding` allows (RFC 9110, 12.5.3).
fn encoding(headers: &HeaderMap) -> Encoding {
    let mut best = Encoding::Plain;
    let values = headers.get_all(header::ACCEPT_ENCODING).iter();
    for item in values
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
    {
        let mut parts = item.split(';').map(str::trim);
        let name = parts.next().unwrap_or("");
        let is_refused = parts.any(|weight| {
            let digits = weight.strip_prefix("q=").unwrap_or("1");
            digits.chars().all(|c| matches!(c, '0' | '.'))
        });
        if is_refused {
            continue;
        }
        match name.to_ascii_lowercase().as_str() {
            "br" => return Encoding::Brotli,
            "gzip" | "x-gzip" => best = Encoding::Gzip,
            _ => {}
        }
    }
    best
}

/// Content, in every encoding that was asked for so far.
#[derive(Debug)]
pub(crate) struct Content {
    plain: Bytes,
    tag: String,
    gzip: OnceLock<Option<Bytes>>,
    brotli: OnceLock<Option<Bytes>>,
}

impl From<Vec<u8>> for Content {
    fn from(plain: Vec<u8>) -> Self {
        Self {
            tag: tag(&plain),
            plain: plain.into(),
            gzip: OnceLock::new(),
            brotli: OnceLock::new(),
        }
    }
}

/// A name for content: the same for the same content, on every machine. Weak,
/// because it names every encoding of it.
fn tag(content: &[u8]) -> String {
    let half = |salt: u8| {
        // Without keys of its own: nobody gains by content of the same name.
        let mut hasher = DefaultHasher::new();
        salt.hash(&mut hasher);
        content.hash(&mut hasher);
        hasher.finish()
    };
    format!("W/\"{:016x}{:016x}\"", half(0), half(1))
}

impl Content {
    /// The answer to a request with these wishes.
    pub(crate) fn answer(&self, media: &'static str, wishes: &Wishes) -> Response {
        let (name, body) = self.encoded(wishes.encoding);
        let mut response = if wishes.knows(&self.tag) {
            StatusCode::NOT_MODIFIED.into_response()
        } else {
            let mut response = Response::new(Body::from(body));
            let headers = response.headers_mut();
            headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(media));
            if let Some(name) = name {
                headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static(name));
            }
            response
        };
        let headers = response.headers_mut();
        if let Ok(tag) = HeaderValue::from_str(&self.tag) {
            headers.insert(header::ETAG, tag);
        }
        headers.insert(header::VARY, HeaderValue::from_static("accept-encoding"));
        response
    }

    fn encoded(&self, encoding: Encoding) -> (Option<&'static str>, Bytes) {
        let plain = || (None, self.plain.clone());
        if self.plain.len() <= PLAIN_BYTES_MAX {
            return plain();
        }
        let (name, made) = match encoding {
            Encoding::Plain => return plain(),
            Encoding::Gzip => ("gzip", self.gzip.get_or_init(|| gzip(&self.plain))),
            Encoding::Brotli => ("br", self.brotli.get_or_init(|| brotli(&self.plain))),
        };
        match made {
            Some(made) => (Some(name), made.clone()),
            None => plain(),
        }
    }
}

/// `None` if the compressor fails, which into memory it does not.
fn gzip(plain: &[u8]) -> Option<Bytes> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::new(GZIP_LEVEL));
    encoder.write_all(plain).ok()?;
    encoder.finish().ok().map(Bytes::from)
}

fn brotli(plain: &[u8]) -> Option<Bytes> {
    let mut out = Vec::new();
    let mut encoder = CompressorWriter::new(
        &mut out,
        BROTLI_BUFFER_BYTES,
        BROTLI_QUALITY,
        BROTLI_WINDOW_BITS,
    );
    encoder.write_all(plain).ok()?;
    encoder.flush().ok()?;
    drop(encoder);
    Some(out.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(name: header::HeaderName, value: &'static str) -> HeaderMap {
        HeaderMap::from_iter([(name, HeaderValue::from_static(value))])
    }

    #[test]
    fn the_smallest_encoding_that_a_client_reads_is_chosen() {
        for (accepted, expected) in [
            ("", Encoding::Plain),
            ("identity", Encoding::Plain),
            ("gzip", Encoding::Gzip),
            ("gzip, deflate, br", Encoding::Brotli),
            ("GZIP;q=0.5", Encoding::Gzip),
            ("gzip;q=0, br;q=0.0", Encoding::Plain),
            ("br;q=0, gzip", Encoding::Gzip),
            ("deflate, zstd", Encoding::Plain),
        ] {
            let headers = headers(header::ACCEPT_ENCODING, accepted);
            assert_eq!(encoding(&headers), expected, "{accepted}");
        }
    }

    #[test]
    fn tags_are_compared_weakly_and_any_of_a_list_will_do() {
        let content = Content::from(b"content".to_vec());
        let strong = content.tag.trim_start_matches("W/").to_owned();
        for (known, is_known) in [
            (content.tag.clone(), true),
            (strong.clone(), true),
            (format!("\"other\", {strong}"), true),
            ("*".to_owned(), true),
            ("\"other\"".to_owned(), false),
        ] {
            let wishes = Wishes {
                encoding: Encoding::Plain,
                known: Some(known.clone()),
            };
            assert_eq!(wishes.knows(&content.tag), is_known, "{known}");
        }
        assert_ne!(content.tag, Content::from(b"contents".to_vec()).tag);
    }
}

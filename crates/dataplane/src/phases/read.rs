//! What the caller asks: the body is scanned as it arrives, JSON or a form with
//! files; the prompt in it is neither parsed nor copied. What it means, its
//! endpoint says.

use std::ops::Range;

use bourse_net::{URL_BYTES_MAX, is_public_url};
use bourse_vocab::Failure;
use bourse_wire::json::{self, Outline, Scanner};
use bourse_wire::multipart::{Boundary, Reader};
use bytes::Bytes;
use http::HeaderMap;
use http::header::{CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE};
use http::request::Parts;
use http_body::Body;

use super::body::{collect, too_large};
use crate::ask::Ask;
use crate::bodies::Room;
use crate::cache::fingerprint::Fingerprint;
use crate::endpoints::{Endpoint, Incoming, Kept, Scanned, ScannedForm, TakesForms};
use crate::gateway::CallLimits;
use crate::identity::Caller;

/// How much is looked at of what is too long for an address, to see that it
/// is data: longer than any scheme and host.
const DATA_HEAD_BYTES: usize = 512;

/// A request, and what its endpoint need not know of it.
pub struct Read {
    /// What is asked for.
    pub ask: Box<Ask>,
    /// How it was said, with the room that it takes.
    pub kept: Kept,
    /// Whether it points to an address that only some providers are sent.
    pub private_url: bool,
}

/// Reads a request, whose body takes `room`. Whoever wants to know whether there
/// was one like it gives a `print` to be made.
///
/// # Errors
/// What is wrong with it, that it did not come in time, or that there is no
/// room for it.
pub async fn read<B>(
    endpoint: &dyn Endpoint,
    head: &Parts,
    body: B,
    limits: &CallLimits,
    mut room: Room,
    caller: Caller<'_>,
    mut print: Option<&mut Fingerprint>,
) -> Result<Read, Failure>
where
    B: Body<Data = Bytes> + Unpin,
    B::Error: std::fmt::Display,
{
    let headers = &head.headers;
    if headers
        .get(CONTENT_ENCODING)
        .is_some_and(|encoding| encoding != "identity")
    {
        return Err(Failure::invalid(
            "Content-Encoding: compressed request bodies are not accepted; send the body as it is",
        ));
    }
    let announced = headers
        .get(CONTENT_LENGTH)
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.parse::<usize>().ok());
    if announced.is_some_and(|length| length > limits.body_bytes_max) {
        return Err(too_large(limits));
    }
    if let Some((forms, boundary)) = form_of(endpoint, headers)? {
        // Boxed: few calls send one, and every call would carry it.
        let form = Box::pin(read_form(forms, &boundary, body, limits, &mut room));
        let Incoming { ask, request } = forms.read_form(head, form.await?, caller)?;
        return Ok(Read {
            ask,
            kept: Kept { request, room },
            private_url: false,
        });
    }
    let mut scanner = Scanner::new();
    let segments = collect(body, limits, |piece| {
        room.grow(piece.len())?;
        if let Some(print) = &mut print {
            print.push(piece);
        }
        scanner.push(piece).map_err(Failure::from)
    })
    .await?;
    let outline = scanner.finish()?;
    let private_url = points_to_private(&outline, &segments);
    let Incoming { ask, request } = endpoint.read(head, Scanned { outline, segments }, caller)?;
    Ok(Read {
        ask,
        kept: Kept { request, room },
        private_url,
    })
}

/// Who reads the form that a request is, and what separates its parts; `None`
/// if it is none, or the endpoint takes none: then its body is read as JSON,
/// and says itself that it is not.
fn form_of<'e>(
    endpoint: &'e dyn Endpoint,
    headers: &HeaderMap,
) -> Result<Option<(&'e dyn TakesForms, Boundary)>, Failure> {
    let Some(forms) = endpoint.forms() else {
        return Ok(None);
    };
    let content_type = headers.get(CONTENT_TYPE);
    let content_type = content_type.and_then(|value| value.to_str().ok());
    let boundary = Boundary::of_content_type(content_type.unwrap_or_default())?;
    Ok(boundary.map(|boundary| (forms, boundary)))
}

/// Reads a form, under the bounds of every body.
async fn read_form<B>(
    forms: &dyn TakesForms,
    boundary: &Boundary,
    body: B,
    limits: &CallLimits,
    room: &mut Room,
) -> Result<ScannedForm, Failure>
where
    B: Body<Data = Bytes> + Unpin,
    B::Error: std::fmt::Display,
{
    let mut reader = Reader::new(boundary, forms.file_bytes_max());
    let segments = collect(body, limits, |piece| {
        room.grow(piece.len())?;
        reader.push(piece).map_err(Failure::from)
    })
    .await?;
    let form = reader.finish()?;
    Ok(ScannedForm { form, segments })
}

/// Whether a medium is at an address that not everybody could fetch.
fn points_to_private(outline: &Outline, segments: &[Bytes]) -> bool {
    let addresses = outline.addresses();
    let is_private = |place: &Range<usize>| {
        // With the quotes, which say what the escapes mean.
        let quoted = place.start.saturating_sub(1)..place.end.saturating_add(1);
        if quoted.len() > URL_BYTES_MAX {
            let head = place.start..place.start.saturating_add(DATA_HEAD_BYTES);
            return !is_base64(&json::raw(segments, &head));
        }
        let text = json::raw(segments, &quoted);
        // What cannot be read here, others may read.
        let Some(address) = json::text::string(&text) else {
            return true;
        };
        !is_base64(address.as_bytes()) && !is_public_url(&address)
    };
    addresses.has_more() || addresses.places().iter().any(is_private)
}

/// Whether it may be data and cannot be an address, which has a colon or a
/// dot, nor a path of a file: no picture's base64 begins like one, but for
/// JPEG's, and no sound's but for MP3's.
fn is_base64(text: &[u8]) -> bool {
    let is_digit = |byte: &u8| byte.is_ascii_alphanumeric() || b"+/-_=\\\r\n".contains(byte);
    let is_path = text.starts_with(b"/") && !text.starts_with(b"/9j/") && !text.starts_with(b"//");
    !is_path && text.iter().all(is_digit)
}

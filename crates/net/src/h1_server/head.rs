//! Reading a request's head, and whether it is one of ours.

use std::mem::MaybeUninit;

use bytes::{Bytes, BytesMut};
use http::header::{HeaderMap, HeaderName};
use http::{HeaderValue, Method, Request, Uri};
use httparse::{Header, ParserConfig, Status};
use smallvec::SmallVec;

/// Most headers of a head. SDKs send up to about twenty; hyper takes a hundred.
const HEADERS_MAX: usize = 64;
/// So many headers have their places on the stack.
const HEADERS_USUAL: usize = 32;
/// Largest head. SDKs stay below 2 KB.
pub(super) const HEAD_BYTES_MAX: usize = 16 * 1024;

/// How the end of a request's body is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Framing {
    Length(u64),
    Chunked,
}

/// What the beginning of a buffer is. Nearly always a request: a box for it
/// would only be one more allocation.
#[allow(clippy::large_enum_variant)]
#[derive(Debug)]
pub(super) enum Parsed<R> {
    /// A head that is not all there yet.
    Partial,
    /// Nothing that is served here.
    Other,
    /// A request, whose head was taken out of the buffer.
    Ours(R, Head),
}

/// A request's head.
#[derive(Debug)]
pub(super) struct Head {
    pub(super) request: Request<()>,
    pub(super) framing: Framing,
    /// Whether the client may send another request.
    pub(super) keep_alive: bool,
}

/// Where a header is in the buffer.
#[derive(Debug, Clone, Copy)]
struct Place {
    name: (usize, usize),
    value: (usize, usize),
}

/// Reads the head at the start of `buf`. Headers that nobody `reads` are left
/// out of the request.
pub(super) fn parse<R>(
    buf: &mut BytesMut,
    route: impl FnOnce(&str, &dyn Fn(&str) -> bool) -> Option<R>,
    reads: impl Fn(&R, &str) -> bool,
) -> Parsed<R> {
    let mut slots = [const { MaybeUninit::<Header<'_>>::uninit() }; HEADERS_MAX];
    let mut request = httparse::Request::new(&mut []);
    let len = match ParserConfig::default().parse_request_with_uninit_headers(
        &mut request,
        buf,
        &mut slots,
    ) {
        Ok(Status::Complete(len)) if len <= HEAD_BYTES_MAX => len,
        Ok(Status::Partial) if buf.len() < HEAD_BYTES_MAX => return Parsed::Partial,
        Ok(Status::Complete(_) | Status::Partial) | Err(_) => return Parsed::Other,
    };
    let (Some("POST"), Some(target), Some(1)) = (request.method, request.path, request.version)
    else {
        return Parsed::Other;
    };
    let path = memchr::memchr(b'?', target.as_bytes())
        .and_then(|at| target.get(..at))
        .unwrap_or(target);
    let headers = &*request.headers;
    let has = |name: &str| {
        headers
            .iter()
            .any(|one| one.name.eq_ignore_ascii_case(name))
    };
    let Some(route) = route(path, &has) else {
        return Parsed::Other;
    };
    let mut said = Said::default();
    let mut places = SmallVec::<[Place; HEADERS_USUAL]>::new();
    for header in headers {
        said.note(header.name.as_bytes(), header.value);
        if !reads(&route, header.name) {
            continue;
        }
        match (place(buf, header.name.as_bytes()), place(buf, header.value)) {
            (Some(name), Some(value)) => places.push(Place { name, value }),
            _ => return Parsed::Other,
        }
    }
    let Some(framing) = said.framing() else {
        return Parsed::Other;
    };
    let Some(target) = place(buf, target.as_bytes()) else {
        return Parsed::Other;
    };
    if !has_strict_lines(buf.get(..len).unwrap_or_default()) {
        return Parsed::Other;
    }
    let keep_alive = !said.close;
    match request_of(buf, len, target, &places) {
        Some(request) => Parsed::Ours(
            route,
            Head {
                request,
                framing,
                keep_alive,
            },
        ),
        None => Parsed::Other,
    }
}

/// The request, whose head is taken out of the buffer if it is one.
fn request_of(
    buf: &mut BytesMut,
    len: usize,
    target: (usize, usize),
    places: &[Place],
) -> Option<Request<()>> {
    let mut request = Request::new(());
    *request.method_mut() = Method::POST;
    // The target is copied: it is short, and keeps no buffer then. What it
    // cannot be is found before anything is taken out of the buffer.
    let target = Bytes::copy_from_slice(buf.get(target.0..target.1)?);
    *request.uri_mut() = Uri::from_maybe_shared(target).ok()?;
    // Filled and emptied where it is: a kilobyte that is handed on is copied.
    let mut names = SmallVec::<[HeaderName; HEADERS_USUAL]>::new();
    for place in places {
        names.push(HeaderName::from_bytes(buf.get(place.name.0..place.name.1)?).ok()?);
    }
    let mut headers = HeaderMap::with_capacity(places.len());
    let head = buf.split_to(len).freeze();
    for (name, place) in names.drain(..).zip(places) {
        // A value that httparse took is one.
        let value = head.slice(place.value.0..place.value.1);
        if let Ok(value) = HeaderValue::from_maybe_shared(value) {
            headers.append(name, value);
        }
    }
    *request.headers_mut() = headers;
    Some(request)
}

/// What a head says of its body and its connection.
#[derive(Debug, Default)]
struct Said<'a> {
    hosts: u32,
    length: Option<&'a [u8]>,
    encoding: Option<&'a [u8]>,
    close: bool,
    /// Something that is not understood here.
    is_odd: bool,
}

impl<'a> Said<'a> {
    fn note(&mut self, name: &[u8], value: &'a [u8]) {
        match name.len() {
            4 if name.eq_ignore_ascii_case(b"host") => self.hosts += 1,
            14 if name.eq_ignore_ascii_case(b"content-length") => {
                self.is_odd |= self.length.replace(value).is_some();
            }
            17 if name.eq_ignore_ascii_case(b"transfer-encoding") => {
                self.is_odd |= self.encoding.replace(value).is_some();
            }
            10 if name.eq_ignore_ascii_case(b"connection") => {
                for option in value.split(|byte| *byte == b',') {
                    let option = option.trim_ascii();
                    if option.eq_ignore_ascii_case(b"close") {
                        self.close = true;
                    } else {
                        self.is_odd |= !option.eq_ignore_ascii_case(b"keep-alive");
                    }
                }
            }
            6 => self.is_odd |= name.eq_ignore_ascii_case(b"expect"),
            7 => self.is_odd |= name.eq_ignore_ascii_case(b"upgrade"),
            _ => {}
        }
    }

    /// `None`: it may be read in two ways, or not here.
    fn framing(&self) -> Option<Framing> {
        if self.is_odd || self.hosts != 1 {
            return None;
        }
        match (self.length, self.encoding) {
            (None, None) => Some(Framing::Length(0)),
            (Some(length), None) => parse_length(length).map(Framing::Length),
            (None, Some(encoding)) => encoding
                .eq_ignore_ascii_case(b"chunked")
                .then_some(Framing::Chunked),
            (Some(_), Some(_)) => None,
        }
    }
}

/// Digits only, as in [`crate::h1`].
fn parse_length(value: &[u8]) -> Option<u64> {
    if value.is_empty() || value.len() > 19 || !value.iter().all(u8::is_ascii_digit) {
        return None;
    }
    Some(
        value
            .iter()
            .fold(0, |sum, digit| sum * 10 + u64::from(digit - b'0')),
    )
}

/// Whether all lines end with CRLF: httparse also takes a bare LF.
fn has_strict_lines(head: &[u8]) -> bool {
    memchr::memchr_iter(b'\n', head).all(|at| {
        at.checked_sub(1)
            .is_some_and(|before| head.get(before) == Some(&b'\r'))
    })
}

/// Where a part of the buffer begins and ends in it.
fn place(buf: &[u8], part: &[u8]) -> Option<(usize, usize)> {
    if part.is_empty() {
        return Some((0, 0));
    }
    let start = (part.as_ptr() as usize).checked_sub(buf.as_ptr() as usize)?;
    let end = start.checked_add(part.len())?;
    (end <= buf.len()).then_some((start, end))
}

//! Response headers, looked up where they lie.
//!
//! A call reads three or four of a response's dozen headers. Building a
//! hash map of all of them would cost more than reading the head, so this
//! keeps the bytes and the places of names and values in them.

use bytes::Bytes;
use http::header::{HeaderMap, HeaderValue};
use smallvec::SmallVec;

/// Where one header lies in the head, which is at most 64 KB.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Span {
    pub(crate) name_at: u16,
    pub(crate) name_len: u16,
    pub(crate) value_at: u16,
    pub(crate) value_len: u16,
}

pub(crate) type Spans = SmallVec<[Span; 24]>;

#[derive(Debug, Clone)]
enum Repr {
    Raw { head: Bytes, spans: Spans },
    Map(HeaderMap),
}

/// The headers of a response.
#[derive(Debug, Clone)]
pub struct ResponseHeaders {
    repr: Repr,
}

impl ResponseHeaders {
    pub(crate) fn raw(head: Bytes, spans: Spans) -> Self {
        Self {
            repr: Repr::Raw { head, spans },
        }
    }

    pub(crate) fn map(map: HeaderMap) -> Self {
        Self {
            repr: Repr::Map(map),
        }
    }

    /// The first value of a header, in whatever case the name is given.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&[u8]> {
        match &self.repr {
            Repr::Raw { head, spans } => spans.iter().find_map(|span| {
                if usize::from(span.name_len) != name.len() {
                    return None;
                }
                let found = slice(head, span.name_at, span.name_len)?;
                found
                    .eq_ignore_ascii_case(name.as_bytes())
                    .then(|| slice(head, span.value_at, span.value_len))
                    .flatten()
            }),
            Repr::Map(map) => map.get(name).map(HeaderValue::as_bytes),
        }
    }

    /// The first value of a header, when it is plain UTF-8.
    #[must_use]
    pub fn get_str(&self, name: &str) -> Option<&str> {
        self.get(name)
            .and_then(|value| std::str::from_utf8(value).ok())
    }

    /// Calls `each` with every name and value, in the order received. Names
    /// are in the upstream's case on HTTP/1.1.
    pub fn for_each(&self, mut each: impl FnMut(&str, &[u8])) {
        match &self.repr {
            Repr::Raw { head, spans } => {
                for span in spans {
                    let name = slice(head, span.name_at, span.name_len);
                    let value = slice(head, span.value_at, span.value_len);
                    if let (Some(Ok(name)), Some(value)) = (name.map(std::str::from_utf8), value) {
                        each(name, value);
                    }
                }
            }
            Repr::Map(map) => map.iter().for_each(|(name, value)| {
                each(name.as_str(), value.as_bytes());
            }),
        }
    }

    /// Calls `each` with the name of every header that has exactly this value,
    /// in the order received. Names are in the upstream's case on HTTP/1.1.
    pub fn for_each_with(&self, value: &[u8], mut each: impl FnMut(&str)) {
        match &self.repr {
            Repr::Raw { head, spans } => {
                let length = value.len();
                for span in spans
                    .iter()
                    .filter(|span| usize::from(span.value_len) == length)
                {
                    let name = slice(head, span.name_at, span.name_len);
                    if slice(head, span.value_at, span.value_len) == Some(value)
                        && let Some(Ok(name)) = name.map(std::str::from_utf8)
                    {
                        each(name);
                    }
                }
            }
            Repr::Map(map) => {
                let with = map.iter().filter(|(_, have)| have.as_bytes() == value);
                with.for_each(|(name, _)| each(name.as_str()));
            }
        }
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        match &self.repr {
            Repr::Raw { spans, .. } => spans.len(),
            Repr::Map(map) => map.len(),
        }
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl From<HeaderMap> for ResponseHeaders {
    fn from(map: HeaderMap) -> Self {
        Self::map(map)
    }
}

fn slice(head: &[u8], at: u16, len: u16) -> Option<&[u8]> {
    head.get(usize::from(at)..)?.get(..usize::from(len))
}

//! What the head of a reply says of the cache (openrouter.ai/docs, response
//! caching, November 2026).

use bourse_vocab::GenerationId;
use http::{HeaderMap, HeaderName, HeaderValue};

const STATUS: HeaderName = HeaderName::from_static("x-openrouter-cache-status");
const AGE: HeaderName = HeaderName::from_static("x-openrouter-cache-age");
const TTL: HeaderName = HeaderName::from_static("x-openrouter-cache-ttl");
const SOURCE: HeaderName = HeaderName::from_static("x-openrouter-cache-source-id");

/// Of an answer that was kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hit {
    /// For how many seconds it has been.
    pub age_s: u64,
    /// For how many more it will be.
    pub ttl_s: u64,
    /// The call that it was made for.
    pub source: GenerationId,
}

impl Hit {
    /// Says so.
    pub fn tell(&self, headers: &mut HeaderMap) {
        headers.insert(STATUS, HeaderValue::from_static("HIT"));
        headers.insert(AGE, self.age_s.into());
        headers.insert(TTL, self.ttl_s.into());
        if let Ok(source) = HeaderValue::try_from(self.source.to_string()) {
            headers.insert(SOURCE, source);
        }
    }
}

/// Says that nothing was kept, and for how many seconds the answer will be if
/// it is one to keep.
pub fn tell_miss(ttl_s: u64, headers: &mut HeaderMap) {
    headers.insert(STATUS, HeaderValue::from_static("MISS"));
    headers.insert(TTL, ttl_s.into());
}

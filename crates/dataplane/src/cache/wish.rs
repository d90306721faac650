//! What a caller asks of the cache, in headers.
//!
//! Those that OpenRouter knows are read by its rules (openrouter.ai/docs,
//! response caching, read in November 2026): what cannot be read is as if it
//! were not there, because a call is worth more than its place in a cache. Ours
//! is refused where it cannot be read, as all of ours are.

use bourse_vocab::Failure;
use http::{HeaderMap, HeaderName};

/// `true` asks for the cache.
const ASKED: HeaderName = HeaderName::from_static("x-openrouter-cache");
/// For how long the answer is kept, in seconds.
const TTL: HeaderName = HeaderName::from_static("x-openrouter-cache-ttl");
/// `true` throws away what is kept.
const CLEAR: HeaderName = HeaderName::from_static("x-openrouter-cache-clear");
/// `true` waits for a call that is the same and under way.
const SHARE: HeaderName = HeaderName::from_static("x-bourse-single-flight");

/// For how long an answer is kept that says nothing of it.
const TTL_S: u64 = 300;
/// The longest, a day.
const TTL_S_MAX: u64 = 86_400;

/// What a call asks of the cache.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Wish {
    /// For how many seconds the answer is kept.
    pub ttl_s: u64,
    /// What is kept is thrown away first.
    pub clears: bool,
    /// Whether the call waits for one that is the same; `Err` if that cannot
    /// be read.
    shares: Result<bool, ()>,
}

impl Wish {
    /// What the headers ask, if they ask for the cache at all.
    #[must_use]
    pub fn of(headers: &HeaderMap) -> Option<Self> {
        let text = |name: &HeaderName| headers.get(name)?.to_str().ok().map(str::trim);
        if !text(&ASKED)?.eq_ignore_ascii_case("true") {
            return None;
        }
        let shares = match text(&SHARE) {
            None if headers.contains_key(&SHARE) => Err(()),
            None | Some("false") => Ok(false),
            Some("true") => Ok(true),
            Some(_) => Err(()),
        };
        Some(Self {
            ttl_s: text(&TTL).and_then(seconds).unwrap_or(TTL_S),
            clears: text(&CLEAR).is_some_and(|text| text.eq_ignore_ascii_case("true")),
            shares,
        })
    }

    /// Whether it waits for a call that is the same.
    ///
    /// # Errors
    /// The header says neither yes nor no.
    pub fn shares(&self) -> Result<bool, Failure> {
        self.shares
            .map_err(|()| Failure::invalid("X-Bourse-Single-Flight: must be `true` or `false`"))
    }
}

/// The whole number that a text begins with, as JavaScript reads one: `60abc` is
/// 60 and `1.5` is 1. What is out of range is brought into it.
fn seconds(text: &str) -> Option<u64> {
    let (is_negative, rest) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    let mut digits = rest.bytes().map_while(|byte| match byte {
        b'0'..=b'9' => Some(u64::from(byte & 0x0f)),
        _ => None,
    });
    let first = digits.next()?;
    let number = digits.fold(first, |number, digit| {
        number.saturating_mul(10).saturating_add(digit)
    });
    let number = if is_negative { 0 } else { number };
    Some(number.clamp(1, TTL_S_MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wish(headers: &[(&'static str, &str)]) -> Option<Wish> {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(*name, value.parse().unwrap());
        }
        Wish::of(&map)
    }

    #[test]
    fn lifetimes_are_read_as_openrouter_reads_them() {
        for (text, ttl_s) in [
            ("60", 60),
            ("60abc", 60),
            ("1.5", 1),
            (" 7 ", 7),
            ("+9", 9),
            ("1e3", 1),
            ("0", 1),
            ("-1", 1),
            ("-1e99", 1),
            ("86400", 86_400),
            ("86401", 86_400),
            ("99999999999999999999999999", 86_400),
            ("abc", 300),
            ("", 300),
            ("-", 300),
            (".5", 300),
            ("NaN", 300),
            ("Infinity", 300),
        ] {
            let asked = [
                ("x-openrouter-cache", "true"),
                ("x-openrouter-cache-ttl", text),
            ];
            assert_eq!(wish(&asked).unwrap().ttl_s, ttl_s, "{text:?}");
        }
    }

    #[test]
    fn only_true_asks_and_only_true_clears() {
        assert_eq!(wish(&[]), None);
        for text in ["false", "1", "yes", "maybe", ""] {
            assert_eq!(wish(&[("x-openrouter-cache", text)]), None, "{text:?}");
        }
        let clears = |text| {
            let asked = [
                ("x-openrouter-cache", "true"),
                ("x-openrouter-cache-clear", text),
            ];
            wish(&asked).unwrap().clears
        };
        assert!(clears("true") && clears("TRUE"));
        assert!(!clears("maybe") && !clears("false") && !clears(""));
        // Alone the other headers ask for nothing.
        assert_eq!(wish(&[("x-openrouter-cache-clear", "true")]), None);
    }

    #[test]
    fn whether_a_call_waits_for_another_is_said_plainly_or_refused() {
        let shares = |text| {
            let asked = [
                ("x-openrouter-cache", "true"),
                ("x-bourse-single-flight", text),
            ];
            wish(&asked).unwrap().shares()
        };
        assert!(shares("true").unwrap());
        assert!(!shares("false").unwrap());
        assert_eq!(shares("maybe").unwrap_err().status(), 400);
        let silent = wish(&[("x-openrouter-cache", "true")]).unwrap();
        assert!(!silent.shares().unwrap());
    }
}

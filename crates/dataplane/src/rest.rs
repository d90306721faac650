//! How long a provider asks to be left alone, in every form that providers
//! say it in, and what it says of its limits while it still serves.

use std::time::Duration;

use bourse_net::ResponseHeaders;
use bourse_routing::health::COOLDOWN_MAX_MS;
use bourse_vocab::Failure;

use crate::attempts::Attempt;
use crate::http_date;

/// A limit that a provider counts, by the headers that say of it what is left,
/// when all of it is there again, and how much that is.
struct Limit {
    left: &'static str,
    reset: &'static str,
    all: &'static str,
}

const fn limit(left: &'static str, reset: &'static str, all: &'static str) -> Limit {
    Limit { left, reset, all }
}

/// OpenAI's (developers.openai.com/api, rate limits in headers, June 2026;
/// others follow it, Groq and Fireworks among them), Anthropic's
/// (platform.claude.com/docs, rate limits, response headers, May 2026; docs.aws.amazon.com,
/// Claude Platform on AWS, rate limits, November 2026), those that Cerebras counts by the
/// minute and the day (inference-docs.cerebras.ai, rate limits), DigitalOcean
/// likewise (docs.digitalocean.com, quota-specific response headers, July
/// 2026), and OpenRouter's one (openrouter.ai/docs, limits, 2026).
const LIMITS: [Limit; 11] = [
    limit(
        "x-ratelimit-remaining-requests",
        "x-ratelimit-reset-requests",
        "x-ratelimit-limit-requests",
    ),
    limit(
        "x-ratelimit-remaining-tokens",
        "x-ratelimit-reset-tokens",
        "x-ratelimit-limit-tokens",
    ),
    limit(
        "anthropic-ratelimit-requests-remaining",
        "anthropic-ratelimit-requests-reset",
        "anthropic-ratelimit-requests-limit",
    ),
    limit(
        "anthropic-ratelimit-tokens-remaining",
        "anthropic-ratelimit-tokens-reset",
        "anthropic-ratelimit-tokens-limit",
    ),
    limit(
        "anthropic-ratelimit-input-tokens-remaining",
        "anthropic-ratelimit-input-tokens-reset",
        "anthropic-ratelimit-input-tokens-limit",
    ),
    limit(
        "anthropic-ratelimit-output-tokens-remaining",
        "anthropic-ratelimit-output-tokens-reset",
        "anthropic-ratelimit-output-tokens-limit",
    ),
    limit(
        "x-ratelimit-remaining-requests-day",
        "x-ratelimit-reset-requests-day",
        "x-ratelimit-limit-requests-day",
    ),
    limit(
        "x-ratelimit-remaining-tokens-minute",
        "x-ratelimit-reset-tokens-minute",
        "x-ratelimit-limit-tokens-minute",
    ),
    limit(
        "x-ratelimit-remaining-tokens-per-day",
        "x-ratelimit-reset-tokens-per-day",
        "x-ratelimit-limit-tokens-per-day",
    ),
    limit(
        "x-ratelimit-remaining-tokens-per-minute",
        "x-ratelimit-reset-tokens-per-minute",
        "x-ratelimit-limit-tokens-per-minute",
    ),
    limit(
        "x-ratelimit-remaining",
        "x-ratelimit-reset",
        "x-ratelimit-limit",
    ),
];

/// Numbers from here on are moments and no durations: seconds since 1970, and
/// milliseconds since then. As durations they would be decades.
const MOMENTS_S: f64 = 1e9;
const MOMENTS_MS: f64 = 1e12;

/// The rest that headers announce: `retry-after-ms`, or `Retry-After` in
/// seconds or as an HTTP date (RFC 9110, section 10.2.3), or else the longest
/// reset of a limit of which nothing is left. A time in the past is no rest,
/// and none is longer than routing keeps it: what is told is what is kept.
/// `header` finds a header by its name in lower case.
#[must_use]
pub fn announced<'h>(header: impl Fn(&str) -> Option<&'h str>, now_ms: u64) -> Option<Duration> {
    let ms = header("retry-after-ms")
        .and_then(|text| milliseconds(text.trim(), 1.0))
        .or_else(|| retry_after_ms(header("retry-after")?.trim(), now_ms))
        .or_else(|| {
            let exhausted = LIMITS
                .iter()
                .filter(|limit| header(limit.left).is_some_and(|text| text.trim() == "0"));
            exhausted
                .filter_map(|limit| reset_ms(header(limit.reset)?.trim(), now_ms))
                .max()
        })?;
    Some(Duration::from_millis(ms.min(COOLDOWN_MAX_MS)))
}

/// What a provider says, while it serves, of a limit of which nothing is left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UsedUp {
    /// Until one more may be taken, in milliseconds. Before that none is.
    pub first_ms: u64,
    /// Until all of it is there again, in milliseconds.
    pub whole_ms: u64,
}

/// Whether a response says that nothing is left of a limit, and until when.
///
/// A limit that refills evenly, as OpenAI's and Anthropic's do, is whole again
/// when its reset says, and takes one more when the part of one of them has
/// passed; one that counts by the clock takes none before its reset. Which of
/// the two it is nobody says, so that only the shorter time is certain. Where
/// the response does not say how large the limit is, its reset is all there is
/// to go by. A limit of tokens thus makes no time certain: Anthropic rounds
/// what is left to thousands, and nobody knows how many the next call needs.
#[must_use]
pub fn used_up(headers: &ResponseHeaders, now_ms: u64) -> Option<UsedUp> {
    let mut longest: Option<UsedUp> = None;
    headers.for_each_with(b"0", |name| {
        let mut limits = LIMITS.iter();
        let limit = limits.find(|limit| limit.left.eq_ignore_ascii_case(name));
        if let Some(one) = limit.and_then(|limit| limit.used_up(headers, now_ms)) {
            let before = longest.get_or_insert(one);
            before.first_ms = before.first_ms.max(one.first_ms);
            before.whole_ms = before.whole_ms.max(one.whole_ms);
        }
    });
    longest
}

impl Limit {
    #[cold]
    fn used_up(&self, headers: &ResponseHeaders, now_ms: u64) -> Option<UsedUp> {
        let whole_ms = reset_ms(headers.get_str(self.reset)?.trim(), now_ms)?;
        let all = headers.get_str(self.all);
        let all = all.and_then(|text| text.trim().parse::<u64>().ok());
        Some(UsedUp {
            first_ms: whole_ms.div_ceil(all.unwrap_or(1).max(1)),
            whole_ms,
        })
    }
}

/// What a caller is told to wait whose call has failed: what the last provider
/// announced, or, where whoever is at a limit announced nothing, when the first
/// of those that were tried before takes a request again. None is longer than
/// routing keeps it.
#[must_use]
pub fn told(failure: &Failure, attempts: &[Attempt], now_ms: u64) -> Option<Duration> {
    const MOST: Duration = Duration::from_millis(COOLDOWN_MAX_MS);
    if let Some(rest) = failure.retry_after {
        return Some(rest.min(MOST));
    }
    if !matches!(failure.status(), 429 | 503) {
        return None;
    }
    let ends_ms = attempts.iter().filter_map(|attempt| {
        let at_ms = attempt.ended_ms?;
        Some(at_ms.saturating_add(attempt.rest_ms?))
    });
    let rest = Duration::from_millis(ends_ms.min()?.saturating_sub(now_ms));
    Some(rest.min(MOST))
}

fn retry_after_ms(text: &str, now_ms: u64) -> Option<u64> {
    milliseconds(text, 1_000.0).or_else(|| {
        let at_ms = http_date::parse(text)?.saturating_mul(1_000);
        Some(at_ms.saturating_sub(now_ms))
    })
}

/// When a limit is whole again: in a duration with units, in so many seconds,
/// or at a moment.
fn reset_ms(text: &str, now_ms: u64) -> Option<u64> {
    let Ok(number) = text.parse::<f64>() else {
        return duration_ms(text).or_else(|| {
            let at_ms = http_date::parse_rfc3339_ms(text)?;
            Some(at_ms.saturating_sub(now_ms))
        });
    };
    let unit_ms = match number {
        MOMENTS_MS.. => 1.0,
        MOMENTS_S.. => 1_000.0,
        _ => return milliseconds(text, 1_000.0),
    };
    // Moments beyond what a number of 64 bits holds are as far away as can be.
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    let at_ms = (number * unit_ms).ceil() as u64;
    Some(at_ms.saturating_sub(now_ms))
}

/// A number of units of so many milliseconds, rounded up: who comes back a
/// moment too early is refused once more.
fn milliseconds(text: &str, unit_ms: f64) -> Option<u64> {
    let ms = text.parse::<f64>().ok()? * unit_ms;
    if ms.is_nan() || ms.is_infinite() || ms < 0.0 {
        return None;
    }
    #[allow(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss
    )] // Clamped just here.
    let ms = ms.ceil().min(COOLDOWN_MAX_MS as f64) as u64;
    Some(ms)
}

/// A duration in parts such as `6m0s`, `1.5s` and `20ms`.
fn duration_ms(mut text: &str) -> Option<u64> {
    const UNITS: [(&str, f64); 5] = [
        ("ms", 1.0),
        ("s", 1_000.0),
        ("m", 60_000.0),
        ("h", 3_600_000.0),
        ("d", 86_400_000.0),
    ];
    let mut sum = 0_u64;
    let mut is_any = false;
    while !text.is_empty() {
        let end = text.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let (number, rest) = text.split_at(end);
        let (unit, unit_ms) = UNITS.iter().find(|(unit, _)| rest.starts_with(unit))?;
        sum = sum.saturating_add(milliseconds(number, *unit_ms)?);
        text = rest.get(unit.len()..)?;
        is_any = true;
    }
    is_any.then_some(sum)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Sat, 21 Nov 2026 12:00:00 GMT, and a quarter of a second.
    const NOW: u64 = 1_795_262_400_250;

    fn rest(headers: &[(&str, &str)]) -> Option<u64> {
        let find = |name: &str| {
            let mut headers = headers.iter();
            headers
                .find(|(have, _)| *have == name)
                .map(|(_, text)| *text)
        };
        announced(find, NOW).map(|rest| u64::try_from(rest.as_millis()).unwrap())
    }

    #[test]
    fn every_form_of_retry_after_is_read_and_none_is_believed_for_long() {
        const MOST: Option<u64> = Some(COOLDOWN_MAX_MS);
        for (text, expected) in [
            ("7", Some(7_000)),
            (" 1.5 ", Some(1_500)),
            ("0.0004", Some(1)),
            ("0", Some(0)),
            ("1e99", MOST),
            ("86400", MOST),
            ("99999999999999999999999", MOST),
            ("Sat, 21 Nov 2026 12:01:00 GMT", Some(59_750)),
            ("Thu, 01 Jan 1970 00:00:00 GMT", Some(0)),
            ("Fri, 31 Dec 9999 23:59:59 GMT", MOST),
            ("-1", None),
            ("NaN", None),
            ("inf", None),
            ("", None),
            ("never mind", None),
        ] {
            assert_eq!(rest(&[("retry-after", text)]), expected, "{text}");
        }
        let both = [("retry-after-ms", "1500"), ("retry-after", "7")];
        assert_eq!(rest(&both), Some(1_500), "the finer one");
        let broken = [("retry-after-ms", "soon"), ("retry-after", "7")];
        assert_eq!(rest(&broken), Some(7_000));
    }

    #[test]
    fn a_limit_of_which_nothing_is_left_says_when_it_is_whole_again() {
        let left = |requests, tokens| {
            rest(&[
                ("x-ratelimit-remaining-requests", requests),
                ("x-ratelimit-reset-requests", "20ms"),
                ("x-ratelimit-remaining-tokens", tokens),
                ("x-ratelimit-reset-tokens", "1m2.5s"),
            ])
        };
        assert_eq!(left("59", "149984"), None);
        assert_eq!(left("0", "149984"), Some(20));
        assert_eq!(left("59", "0"), Some(62_500));
        assert_eq!(left("0", "0"), Some(62_500));
        let spoken = [
            ("retry-after", "3"),
            ("x-ratelimit-remaining-tokens", "0"),
            ("x-ratelimit-reset-tokens", "6m0s"),
        ];
        assert_eq!(rest(&spoken), Some(3_000));
    }

    #[test]
    fn a_limit_says_in_seconds_or_by_a_moment_when_it_is_whole_again() {
        for (reset, expected) in [
            ("33.0113", Some(33_012)),
            ("1", Some(1_000)),
            // A minute after NOW, in seconds and in milliseconds.
            ("1795262460", Some(59_750)),
            ("1795262460000", Some(59_750)),
            ("1795262400000", Some(0)),
            ("1741305600000", Some(0)),
            ("9999999999999", Some(COOLDOWN_MAX_MS)),
            ("1e300", Some(COOLDOWN_MAX_MS)),
            ("-5", None),
            ("inf", Some(COOLDOWN_MAX_MS)),
            ("NaN", None),
        ] {
            for kind in ["", "-requests-day", "-tokens-minute", "-tokens-per-day"] {
                let [left, whole] =
                    ["remaining", "reset"].map(|what| format!("x-ratelimit-{what}{kind}"));
                let headers = [(left.as_str(), "0"), (whole.as_str(), reset)];
                assert_eq!(rest(&headers), expected, "{reset} {kind}");
                let headers = [(left.as_str(), "7"), (whole.as_str(), reset)];
                assert_eq!(rest(&headers), None, "{reset} {kind}");
            }
        }
    }

    fn answered(headers: &[(&'static str, &str)]) -> Option<[u64; 2]> {
        let pairs = headers.iter().map(|(name, text)| {
            let name = http::HeaderName::from_static(name);
            (name, http::HeaderValue::from_str(text).unwrap())
        });
        let headers: http::HeaderMap = pairs.collect();
        let used_up = used_up(&ResponseHeaders::from(headers), NOW)?;
        Some([used_up.first_ms, used_up.whole_ms])
    }

    #[test]
    fn an_answer_says_when_a_limit_takes_one_more_and_when_it_is_whole() {
        let openai = |left, reset, all| {
            answered(&[
                ("content-length", "0"),
                ("x-ratelimit-limit-requests", all),
                ("x-ratelimit-remaining-requests", left),
                ("x-ratelimit-reset-requests", reset),
                ("x-ratelimit-remaining-tokens", "149984"),
                ("x-ratelimit-reset-tokens", "6m0s"),
            ])
        };
        assert_eq!(openai("1", "59s", "60"), None);
        assert_eq!(openai("0", "1m0s", "60"), Some([1_000, 60_000]));
        assert_eq!(
            openai("0", "100ms", "7"),
            Some([15, 100]),
            "never too early"
        );
        assert_eq!(openai("0", "1m0s", "0"), Some([60_000, 60_000]));
        assert_eq!(openai("0", "1m0s", "many"), Some([60_000, 60_000]));
        assert_eq!(openai("0", "soon", "60"), None);
        assert_eq!(openai("-1", "1m0s", "60"), None);
        // A minute after NOW.
        let anthropic = answered(&[
            ("anthropic-ratelimit-requests-limit", "50"),
            ("anthropic-ratelimit-requests-remaining", "0"),
            ("anthropic-ratelimit-requests-reset", "2026-11-21T12:01:00Z"),
            ("anthropic-ratelimit-output-tokens-limit", "8000"),
            ("anthropic-ratelimit-output-tokens-remaining", "0"),
            (
                "anthropic-ratelimit-output-tokens-reset",
                "2026-11-21T12:02:00Z",
            ),
        ]);
        assert_eq!(anthropic, Some([1_195, 119_750]), "the longer of each");
    }

    #[test]
    fn an_absurd_limit_is_capped_and_a_refusal_of_anthropics_says_its_moment() {
        let absurd = answered(&[
            ("x-ratelimit-remaining", "0"),
            ("x-ratelimit-reset", "9999-12-31T23:59:59Z"),
        ]);
        let [first_ms, whole_ms] = absurd.unwrap();
        let health = bourse_routing::health::Health::default();
        health.note_used_up(NOW, first_ms, whole_ms);
        assert_eq!(health.cooldown_ms(NOW), Some(COOLDOWN_MAX_MS));
        let refused = rest(&[
            ("anthropic-ratelimit-requests-remaining", "0"),
            ("anthropic-ratelimit-requests-reset", "2026-11-21T12:00:30Z"),
        ]);
        assert_eq!(refused, Some(29_750));
    }

    #[test]
    fn durations_are_read_and_nonsense_is_none() {
        assert_eq!(duration_ms("6m0s"), Some(300_000), "no part is longer");
        assert_eq!(duration_ms("2m59.5s"), Some(179_500));
        for nonsense in ["", "s", "5", "5x", "m5", "1..2s", "-1s", "1s ago", "ſs"] {
            assert_eq!(duration_ms(nonsense), None, "{nonsense}");
        }
    }

    /// Ten thousand texts of the characters that rests are made of.
    #[test]
    fn no_text_is_too_strange_and_no_rest_too_long() {
        const OF: &[u8] = b"0123456789.-+eEmsSuntGMT:, \xc3";
        let mut state = 7_u64;
        for _ in 0..10_000 {
            let text: Vec<u8> = (0..12)
                .map(|_| {
                    state = state
                        .wrapping_mul(6_364_136_223_846_793_005)
                        .wrapping_add(1);
                    OF[usize::try_from(state >> 33).unwrap() % OF.len()]
                })
                .collect();
            let text = String::from_utf8_lossy(&text);
            for name in ["retry-after", "retry-after-ms"] {
                assert!(rest(&[(name, &text)]).is_none_or(|ms| ms <= COOLDOWN_MAX_MS));
            }
            assert!(duration_ms(&text).is_none_or(|ms| ms <= 12 * COOLDOWN_MAX_MS));
        }
    }
}

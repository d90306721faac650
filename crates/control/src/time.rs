//! Moments and days as the public API writes them.

use crate::error::{Result, invalid};

/// Milliseconds in a day.
pub(crate) const DAY_MS: u64 = 86_400_000;

/// A moment in RFC 3339, UTC.
pub(crate) fn iso(at_ms: u64) -> String {
    let moment = i64::try_from(at_ms)
        .ok()
        .and_then(|ms| jiff::Timestamp::from_millisecond(ms).ok())
        .unwrap_or(jiff::Timestamp::MAX);
    moment.to_string()
}

/// A day, given as days since 1970-01-01, as `YYYY-MM-DD`.
pub(crate) fn date(day: u64) -> String {
    // Written exactly like the moment it begins with.
    let mut text = iso(day.saturating_mul(DAY_MS));
    text.truncate(10);
    text
}

/// The inverse of [`date`].
pub(crate) fn day(name: &str, text: &str) -> Result<u64> {
    let wrong = || invalid(format!("{name}: must be a UTC date such as 2026-11-21"));
    let date: jiff::civil::Date = text.parse().map_err(|_| wrong())?;
    if text.len() != 10 {
        return Err(wrong());
    }
    let start = date
        .to_zoned(jiff::tz::TimeZone::UTC)
        .map_err(|_| wrong())?
        .timestamp()
        .as_second();
    u64::try_from(start)
        .map(|s| s / 86_400)
        .map_err(|_| wrong())
}

/// Reads an RFC 3339 moment.
pub(crate) fn moment(name: &str, text: &str) -> Result<u64> {
    let wrong = || {
        invalid(format!(
            "{name}: must be a moment in RFC 3339, such as 2027-12-31T23:59:59Z"
        ))
    };
    let moment: jiff::Timestamp = text.parse().map_err(|_| wrong())?;
    u64::try_from(moment.as_millisecond()).map_err(|_| wrong())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_and_moments_survive_writing_and_reading() {
        for (text, number) in [
            ("1970-01-01", 0),
            ("2026-11-21", 20_778),
            ("2028-02-29", 21_243),
        ] {
            assert_eq!(date(number), text);
            assert_eq!(day("date", text).unwrap(), number);
        }
        assert_eq!(iso(1_795_262_400_000), "2026-11-21T12:00:00Z");
        assert_eq!(
            moment("x", "2026-11-21T13:00:00+01:00").unwrap(),
            1_795_262_400_000
        );
    }

    #[test]
    fn what_is_no_date_is_refused() {
        for text in [
            "",
            "yesterday",
            "2026-13-01",
            "2026-11-21T00:00:00Z",
            "1969-12-31",
        ] {
            assert!(day("date", text).is_err(), "{text}");
        }
        for text in ["", "tomorrow", "2026-11-21", "1960-01-01T00:00:00Z"] {
            assert!(moment("expires_at", text).is_err(), "{text}");
        }
    }
}

//! Moments on the command line.

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;

/// Milliseconds since 1970 of a date's beginning, or of a moment.
///
/// # Errors
/// It is neither, or before 1970.
pub(super) fn moment(text: &str) -> Result<u64, String> {
    let at = match text.parse::<Timestamp>() {
        Ok(at) => at,
        Err(_) => text
            .parse::<Date>()
            .and_then(|date| date.to_zoned(TimeZone::UTC))
            .map_err(|_| "neither a date (2026-11-01) nor a moment (2026-11-01T12:00:00Z)")?
            .timestamp(),
    };
    u64::try_from(at.as_millisecond()).map_err(|_| "before 1970".to_owned())
}

/// Milliseconds of a number and a unit: `90s`, `15m`, `12h`, `30d`.
///
/// # Errors
/// It is none.
pub(super) fn duration(text: &str) -> Result<u64, String> {
    const UNITS: [(char, u64); 4] = [
        ('s', 1_000),
        ('m', 60_000),
        ('h', 3_600_000),
        ('d', 86_400_000),
    ];
    let wrong = || format!("`{text}` is no duration; write one as 90s, 15m, 12h or 30d");
    let read = |(unit, ms): (char, u64)| {
        let count: u64 = text.strip_suffix(unit)?.parse().ok()?;
        count.checked_mul(ms)
    };
    UNITS.into_iter().find_map(read).ok_or_else(wrong)
}

/// A moment as people and programs read it.
pub(super) fn shown(at_ms: u64) -> String {
    let ms = i64::try_from(at_ms).ok();
    let moment = ms.and_then(|ms| Timestamp::from_millisecond(ms).ok());
    moment.map_or_else(|| "?".to_owned(), |at| format!("{at:.0}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_and_durations_are_read_and_shown() {
        assert_eq!(moment("1970-01-02"), Ok(86_400_000));
        assert_eq!(moment("2026-11-21T13:00:00+01:00"), Ok(1_795_262_400_000));
        assert!(moment("1969-12-31").is_err());
        assert!(moment("tomorrow").unwrap_err().contains("2026-11-01"));
        assert_eq!(shown(1_795_262_400_000), "2026-11-21T12:00:00Z");
        assert_eq!(duration("90s"), Ok(90_000));
        assert_eq!(duration("30d"), Ok(2_592_000_000));
        for wrong in ["", "d", "1", "-1d", "1w", "99999999999999999999d"] {
            assert!(duration(wrong).unwrap_err().contains("30d"), "{wrong}");
        }
    }
}

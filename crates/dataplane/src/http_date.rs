//! The date formats of HTTP headers.

use std::time::UNIX_EPOCH;

/// Seconds since 1970 of a date in any of the three forms of RFC 9110, section
/// 5.6.7, such as `Sun, 06 Nov 1994 08:49:37 GMT`.
#[must_use]
pub fn parse(text: &str) -> Option<u64> {
    let at = httpdate::parse_http_date(text).ok()?;
    Some(at.duration_since(UNIX_EPOCH).ok()?.as_secs())
}

/// Milliseconds since 1970 of a moment such as `2026-11-30T08:00:00Z` or
/// `2026-11-30T09:00:00.25+01:00` (RFC 3339, section 5.6), a part of a
/// millisecond rounded up. To the end of the year 9999, which is how somebody
/// says `never`, and further than calendars of libraries go.
#[must_use]
pub fn parse_rfc3339_ms(text: &str) -> Option<u64> {
    let (day, rest) = text.split_once(['T', 't'])?;
    let numbers = |text: &str, sign: char, [first, second, third]: [usize; 3]| {
        let mut parts = text.split(sign);
        let mut next = |length: usize| {
            let part = parts.next()?;
            let is_number = part.len() == length && part.bytes().all(|b| b.is_ascii_digit());
            is_number.then(|| part.parse::<u64>().ok()).flatten()
        };
        let all = [next(first)?, next(second)?, next(third)?];
        parts.next().is_none().then_some(all)
    };
    let zone_at = rest.find(['Z', 'z', '+', '-'])?;
    let (time, zone) = rest.split_at(zone_at);
    let (time, part) = time.split_once('.').unwrap_or((time, "0"));
    if part.is_empty() || !part.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let part_ms = part
        .bytes()
        .take(3)
        .fold((0_u64, 100_u64), |(sum, unit), digit| {
            (sum + u64::from(digit - b'0') * unit, unit / 10)
        });
    let is_more = part.bytes().skip(3).any(|digit| digit != b'0');
    let at = seconds(
        numbers(day, '-', [4, 2, 2])?,
        numbers(time, ':', [2, 2, 2])?,
    )?;
    let at_ms = at * 1_000 + part_ms.0 + u64::from(is_more);
    if zone.eq_ignore_ascii_case("z") {
        return Some(at_ms);
    }
    // A zone ahead of UTC names a later hour for the same moment.
    let is_ahead = zone.starts_with('+');
    let zone = format!("{}:00", zone.get(1..)?);
    let [hours, minutes, _] = numbers(&zone, ':', [2, 2, 2])?;
    let offset_ms = (hours * 60 + minutes) * 60_000;
    if is_ahead {
        at_ms.checked_sub(offset_ms)
    } else {
        at_ms.checked_add(offset_ms)
    }
}

/// Seconds since 1970 of a date and a time in UTC.
fn seconds([year, month, day]: [u64; 3], [hour, minute, second]: [u64; 3]) -> Option<u64> {
    let in_range = (1..=31).contains(&day)
        && (1..=12).contains(&month)
        && (1970..=9999).contains(&year)
        && hour < 24
        && minute < 60
        && second <= 60;
    if !in_range {
        return None;
    }
    // Days since 1970, counting years from March so that the leap day is the
    // last of its year (the usual civil-calendar arithmetic).
    let (y, m) = if month > 2 {
        (year, month - 3)
    } else {
        (year - 1, month + 9)
    };
    let days = 365 * y + y / 4 - y / 100 + y / 400 + (153 * m + 2) / 5 + day - 1;
    let epoch = 365 * 1969 + 1969 / 4 - 1969 / 100 + 1969 / 400 + (153 * 10 + 2) / 5;
    let days = days.checked_sub(epoch)?;
    Some(days * 86_400 + hour * 3_600 + minute * 60 + second)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_read() {
        for (text, seconds) in [
            ("Thu, 01 Jan 1970 00:00:00 GMT", 0),
            ("Sun, 06 Nov 1994 08:49:37 GMT", 784_111_777),
            ("Thu, 29 Feb 2024 12:00:00 GMT", 1_709_208_000),
            ("Sat, 21 Nov 2026 00:00:00 GMT", 1_795_219_200),
            ("Fri, 31 Dec 9999 23:59:59 GMT", 253_402_300_799),
            // The obsolete forms.
            ("Sunday, 06-Nov-94 08:49:37 GMT", 784_111_777),
            ("Sun Nov  6 08:49:37 1994", 784_111_777),
        ] {
            assert_eq!(parse(text), Some(seconds), "{text}");
        }
    }

    #[test]
    fn moments_of_rfc_3339_are_read() {
        let noon = 1_795_262_400_000;
        for (text, ms) in [
            ("1970-01-01T00:00:00Z", 0),
            ("2026-11-21T12:00:00Z", noon),
            ("2026-11-21t12:00:00z", noon),
            ("2026-11-21T12:00:00.25Z", noon + 250),
            ("2026-11-21T12:00:00.0001Z", noon + 1),
            ("2026-11-21T12:00:00.999000000Z", noon + 999),
            ("2026-11-21T14:30:00+02:30", noon),
            ("2026-11-21T04:00:00-08:00", noon),
            ("9999-12-31T23:59:60Z", 253_402_300_800_000),
        ] {
            assert_eq!(parse_rfc3339_ms(text), Some(ms), "{text}");
        }
        for text in [
            "",
            "T",
            "2026-11-21",
            "2026-11-21T12:00:00",
            "2026-11-21T12:00Z",
            "2026-13-21T12:00:00Z",
            "2026-00-21T12:00:00Z",
            "1969-12-31T23:59:59Z",
            "1970-01-01T00:00:00+01:00",
            "2026-11-21T25:00:00Z",
            "2026-11-21T12:00:00.Z",
            "2026-11-21T12:00:00.xZ",
            "2026-11-21T12:00:00+2",
            "2026-11-21T12:00:00+02:30:01",
            "2026-11-21T12:00:00Zulu",
            "+026-11-21T12:00:00Z",
            "2026-11-21T12:00:00Ż",
        ] {
            assert_eq!(parse_rfc3339_ms(text), None, "{text}");
        }
    }

    #[test]
    fn junk_is_no_date() {
        for text in [
            "",
            "soon",
            "Sun, 06 Nov 1994",
            "Sun, 99 Nov 1994 08:49:37 GMT",
            "Sun, 06 Nob 1994 08:49:37 GMT",
            "Sun, 06 Nov 1994 08:49:37 CET",
            "Sun, 06 Nov 99999999999999999999 08:49:37 GMT",
        ] {
            assert_eq!(parse(text), None, "{text}");
        }
    }
}

//! The `Date` of an answer, written once a second.

use std::cell::RefCell;
use std::time::{SystemTime, UNIX_EPOCH};

/// `Sun, 06 Nov 1994 08:49:37 GMT` (RFC 9110, section 5.6.7).
const DATE_BYTES: usize = 29;
const DAYS: [&[u8; 5]; 7] = [
    b"Thu, ", b"Fri, ", b"Sat, ", b"Sun, ", b"Mon, ", b"Tue, ", b"Wed, ",
];
const MONTHS: [&[u8; 5]; 12] = [
    b" Jan ", b" Feb ", b" Mar ", b" Apr ", b" May ", b" Jun ", b" Jul ", b" Aug ", b" Sep ",
    b" Oct ", b" Nov ", b" Dec ",
];

thread_local! {
    static LAST: RefCell<(u64, Vec<u8>)> = const { RefCell::new((0, Vec::new())) };
}

/// Appends the date of now.
pub(super) fn append_now(out: &mut Vec<u8>) {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    let seconds = since.map_or(0, |since| since.as_secs());
    LAST.with_borrow_mut(|(at, text)| {
        if *at != seconds || text.is_empty() {
            *at = seconds;
            text.clear();
            append(seconds, text);
        }
        out.extend_from_slice(text);
    });
}

/// Appends the date that is so many seconds after 1970.
fn append(seconds: u64, out: &mut Vec<u8>) {
    out.reserve(DATE_BYTES);
    let (days, second) = (seconds / 86_400, seconds % 86_400);
    let (year, month, day) = civil(days);
    let name = DAYS.get(usize::try_from(days % 7).unwrap_or(0));
    out.extend_from_slice(name.map_or(&[], |name| name.as_slice()));
    two(day, out);
    let name = MONTHS.get(usize::try_from(month).unwrap_or(0));
    out.extend_from_slice(name.map_or(&[], |name| name.as_slice()));
    two(year / 100, out);
    two(year % 100, out);
    out.push(b' ');
    two(second / 3_600, out);
    out.push(b':');
    two(second / 60 % 60, out);
    out.push(b':');
    two(second % 60, out);
    out.extend_from_slice(b" GMT");
}

fn two(number: u64, out: &mut Vec<u8>) {
    let digit = |digit: u64| b'0' + u8::try_from(digit % 10).unwrap_or(0);
    out.extend([digit(number / 10), digit(number)]);
}

/// Year, month (0 is January) and day of the month, of days since 1970. Years
/// are counted from March, so that the leap day is the last of its year.
fn civil(days: u64) -> (u64, u64, u64) {
    /// From 1 March of the year 0 to 1 January 1970.
    const BEFORE: u64 = 719_468;
    let days = days + BEFORE;
    let (era, day) = (days / 146_097, days % 146_097);
    let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let of_month = day - (153 * month + 2) / 5 + 1;
    let year = era * 400 + year;
    if month < 10 {
        (year, month + 2, of_month)
    } else {
        (year + 1, month - 10, of_month)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_written_as_rfc_9110_has_them() {
        for (seconds, expected) in [
            (0, "Thu, 01 Jan 1970 00:00:00 GMT"),
            (784_111_777, "Sun, 06 Nov 1994 08:49:37 GMT"),
            (951_782_399, "Mon, 28 Feb 2000 23:59:59 GMT"),
            (951_782_400, "Tue, 29 Feb 2000 00:00:00 GMT"),
            (1_709_208_000, "Thu, 29 Feb 2024 12:00:00 GMT"),
            (1_795_219_200, "Sat, 21 Nov 2026 00:00:00 GMT"),
            (4_107_542_399, "Sun, 28 Feb 2100 23:59:59 GMT"),
            (4_107_542_400, "Mon, 01 Mar 2100 00:00:00 GMT"),
        ] {
            let mut out = Vec::new();
            append(seconds, &mut out);
            assert_eq!(String::from_utf8(out).unwrap(), expected);
        }
    }

    #[test]
    fn the_date_of_now_is_one_of_this_second_or_the_next() {
        let seconds = || {
            SystemTime::now()
                .duration_since(UNIX_EPOCH)
                .unwrap()
                .as_secs()
        };
        let before = seconds();
        let mut out = Vec::new();
        append_now(&mut out);
        let possible: Vec<Vec<u8>> = (before..=seconds())
            .map(|at| {
                let mut date = Vec::new();
                append(at, &mut date);
                date
            })
            .collect();
        assert!(possible.contains(&out));
    }
}

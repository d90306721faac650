//! A moment as Ollama writes it (RFC 3339, in UTC).

const DAY_S: u64 = 86_400;
/// Days from the first of March of the year 0 to 1970.
const DAYS_BEFORE_1970: u64 = 719_468;
/// Days of the 400 years after which the calendar repeats.
const DAYS_OF_ERA: u64 = 146_097;

/// Seconds since 1970 as date and time. Years begin in March here, so that a
/// leap day is the last of its year.
pub fn written(unix_s: u64) -> String {
    let (days, second) = (unix_s / DAY_S + DAYS_BEFORE_1970, unix_s % DAY_S);
    let (era, of_era) = (days / DAYS_OF_ERA, days % DAYS_OF_ERA);
    let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    let year = era * 400 + year_of_era + u64::from(month <= 2);
    let (hour, minute) = (second / 3_600, second / 60 % 60);
    format!(
        "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{:02}Z",
        second % 60
    )
}

#[cfg(test)]
mod tests {
    use super::written;

    #[test]
    fn moments_are_written_in_the_calendar() {
        for (unix_s, expected) in [
            (0, "1970-01-01T00:00:00Z"),
            (951_782_399, "2000-02-28T23:59:59Z"),
            (951_782_400, "2000-02-29T00:00:00Z"),
            (1_763_683_200, "2025-11-21T00:00:00Z"),
            (4_107_542_400, "2100-03-01T00:00:00Z"),
        ] {
            assert_eq!(written(unix_s), expected);
        }
    }
}

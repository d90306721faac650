//! Dates as price lists write them.

/// Unix seconds at the start of `YYYY-MM-DD` or `YYYY-MM`, in UTC. `None` if
/// it is neither, or before 1970.
#[must_use]
pub fn unix_seconds(date: &str) -> Option<u64> {
    let mut parts = date.split('-');
    let year: u64 = parts.next()?.parse().ok()?;
    let month: u64 = parts.next().unwrap_or("1").parse().ok()?;
    let day: u64 = parts.next().unwrap_or("1").parse().ok()?;
    if parts.next().is_some() || !(1970..=9999).contains(&year) {
        return None;
    }
    if !(1..=12).contains(&month) || !(1..=31).contains(&day) {
        return None;
    }
    // Count in years that begin in March, so that a leap day comes last
    // (H. Hinnant, "chrono-compatible low-level date algorithms", 2021).
    let (year, month) = if month > 2 {
        (year, month - 3)
    } else {
        (year - 1, month + 9)
    };
    let days_to_year = 365 * year + year / 4 - year / 100 + year / 400;
    let days_to_month = (153 * month + 2) / 5;
    let days = days_to_year + days_to_month + day - 1;
    Some(days.checked_sub(719_468)? * 86_400)
}

/// The inverse: `YYYY-MM-DD` of a moment in Unix seconds; `None` after the
/// year 9999.
#[must_use]
pub fn calendar_date(unix_seconds: u64) -> Option<String> {
    // The same reckoning, backwards, in eras of 400 years.
    let days = unix_seconds / 86_400 + 719_468;
    let (era, day) = (days / 146_097, days % 146_097);
    let year_of_era = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
    let day_of_year = day - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    let year = era * 400 + year_of_era + u64::from(month <= 2);
    (year <= 9999).then(|| format!("{year:04}-{month:02}-{day:02}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_become_seconds() {
        for (date, seconds) in [
            ("1970-01-01", Some(0)),
            ("2000-02-29", Some(951_782_400)),
            ("2024-03-01", Some(1_709_251_200)),
            ("2026-11", Some(1_793_491_200)),
            ("2026-13-01", None),
            ("soon", None),
            ("", None),
        ] {
            assert_eq!(unix_seconds(date), seconds, "{date}");
            if let Some(seconds) = seconds.filter(|_| date.len() == 10) {
                assert_eq!(calendar_date(seconds).as_deref(), Some(date));
                assert_eq!(calendar_date(seconds + 86_399).as_deref(), Some(date));
            }
        }
    }
}

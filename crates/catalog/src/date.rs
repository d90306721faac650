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
        }
    }
}

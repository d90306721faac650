//! What a count is worth.

use bourse_sim::load::LoadReport;

/// How sure a bound is.
const CONFIDENCE: f64 = 0.95;

/// The rate that `seen` in `of` does not exceed with 95 % confidence.
///
/// Exact for rare events (Poisson), a little high for frequent ones; 0 seen
/// gives the rule of three.
pub fn rate_at_most(seen: u64, of: u64) -> f64 {
    if of == 0 {
        return 1.0;
    }
    let (mut low, mut high) = (float(seen), float(seen) * 2.0 + 10.0);
    for _ in 0..60 {
        let middle = f64::midpoint(low, high);
        if poisson_at_most(seen, middle) > 1.0 - CONFIDENCE {
            low = middle;
        } else {
            high = middle;
        }
    }
    (high / float(of)).min(1.0)
}

/// The probability of at most `seen` events where `mean` are expected.
fn poisson_at_most(seen: u64, mean: f64) -> f64 {
    // In logarithms: the terms of large means are below the least float.
    let mut term = -mean;
    let mut sum = term.exp();
    for n in 1..=seen {
        term += (mean / float(n)).ln();
        sum += term.exp();
    }
    sum
}

/// `3 in 12,000 (at most 0.065 %)`.
pub fn share(seen: u64, of: u64) -> String {
    format!(
        "{} in {} (at most {})",
        count(seen),
        count(of),
        percent(rate_at_most(seen, of))
    )
}

/// How many requests of a load have no good answer, and what they had.
pub fn failures(report: &LoadReport, requests: u64) -> String {
    let failed = requests.saturating_sub(report.good());
    let statuses = report.statuses.iter().filter(|(status, _)| **status != 200);
    let mut kinds: Vec<String> = statuses
        .map(|(status, seen)| format!("{} × {status}", count(*seen)))
        .chain(
            report
                .errors
                .iter()
                .map(|(kind, seen)| format!("{} × {kind}", count(*seen))),
        )
        .collect();
    for (seen, kind) in [
        (report.errors_within, "an error in the stream"),
        (report.timeouts, "no end in 60 s"),
        (report.dropped, "not sent by the load"),
    ] {
        if seen > 0 {
            kinds.push(format!("{} × {kind}", count(seen)));
        }
    }
    let kinds = match kinds.is_empty() {
        true => String::new(),
        false => format!(": {}", kinds.join(", ")),
    };
    format!("{} failed{kinds}", share(failed, requests))
}

/// A share in percent, with as many digits as it needs.
pub fn percent(share: f64) -> String {
    let percent = share * 100.0;
    match percent {
        p if p >= 10.0 => format!("{p:.0} %"),
        p if p >= 1.0 => format!("{p:.1} %"),
        p if p >= 0.1 => format!("{p:.2} %"),
        p => format!("{p:.3} %"),
    }
}

/// A count with its thousands apart.
pub fn count(n: u64) -> String {
    let digits = n.to_string();
    let groups: Vec<&str> = digits
        .as_bytes()
        .rchunks(3)
        .rev()
        .map(|group| std::str::from_utf8(group).unwrap_or_default())
        .collect();
    groups.join(",")
}

/// A time in the unit that suits it.
pub fn time(us: u64) -> String {
    let us = float(us);
    match us {
        us if us < 10_000.0 => format!("{:.2} ms", us / 1e3),
        us if us < 1e6 => format!("{:.0} ms", us / 1e3),
        us => format!("{:.1} s", us / 1e6),
    }
}

/// The time that so many percent are not above (nearest rank); 0 of none.
pub fn percentile(times: &mut [u64], percent: u64) -> u64 {
    times.sort_unstable();
    let rank = (times.len() as u64 * percent).div_ceil(100).max(1) - 1;
    let rank = usize::try_from(rank).unwrap_or(usize::MAX);
    times.get(rank).copied().unwrap_or(0)
}

/// How many moments are in each window of a length, from the first moment
/// to the last.
pub fn windows(moments_us: &[u64], length_us: u64) -> Vec<u64> {
    let Some(first) = moments_us.iter().min() else {
        return Vec::new();
    };
    let mut windows = Vec::new();
    for moment in moments_us {
        let at = usize::try_from((moment - first) / length_us).unwrap_or(0);
        if windows.len() <= at {
            windows.resize(at + 1, 0);
        }
        if let Some(window) = windows.get_mut(at) {
            *window += 1;
        }
    }
    windows
}

/// A count as a float.
pub fn float(n: u64) -> f64 {
    #[allow(clippy::cast_precision_loss, reason = "counts are far below 2^52")]
    let float = n as f64;
    float
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounds_are_the_tables_ones() {
        // Upper 95 % limits of a Poisson mean, one-sided, as in tables.
        for (seen, mean) in [(0, 2.996), (1, 4.744), (3, 7.754), (20, 29.062)] {
            let bound = rate_at_most(seen, 1_000) * 1_000.0;
            assert!((bound - mean).abs() < 0.01, "{seen}: {bound}");
        }
        assert!(rate_at_most(2_000, 3_000) > 0.66);
        assert_eq!(rate_at_most(0, 0), 1.0);
    }

    #[test]
    fn figures_are_written_for_people() {
        assert_eq!(share(0, 300_000), "0 in 300,000 (at most 0.001 %)");
        assert_eq!(
            [count(7), count(1_000), count(1_234_567)],
            ["7", "1,000", "1,234,567"]
        );
        assert_eq!(
            [time(480), time(12_345), time(31_000_000)],
            ["0.48 ms", "12 ms", "31.0 s"]
        );
        assert_eq!(
            [percent(0.5), percent(0.0123), percent(0.002)],
            ["50 %", "1.2 %", "0.20 %"]
        );
    }

    #[test]
    fn moments_fall_into_their_windows() {
        assert_eq!(windows(&[5, 1_004, 6, 3_100], 1_000), [3, 0, 0, 1]);
        assert_eq!(windows(&[], 1_000), Vec::<u64>::new());
        assert_eq!(percentile(&mut [4, 1, 3, 2], 50), 2);
        assert_eq!(percentile(&mut [], 50), 0);
    }
}

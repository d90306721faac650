//! Spending limits of a key, and the periods after which they start anew.
//!
//! Periods are those of the public API (openrouter.ai/docs, limits, August
//! 2026): days begin at midnight UTC, weeks on Monday, months on the first.
//! A payment counts in the period in which it is settled; money on hold
//! counts in whichever period is current. So what was held before midnight
//! and settled after it burdens the new period only, and no period ever
//! exceeds its limit.
#![deny(clippy::float_arithmetic)]

use bourse_vocab::Nanos;
use serde::{Deserialize, Serialize};

const MS_PER_DAY: u64 = 86_400_000;

/// After how long a limit starts anew.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Period {
    /// At midnight UTC.
    Daily,
    /// At midnight UTC before Monday.
    Weekly,
    /// At midnight UTC before the first of the month.
    Monthly,
}

impl Period {
    /// The public API's word for it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Daily => "daily",
            Self::Weekly => "weekly",
            Self::Monthly => "monthly",
        }
    }

    /// Reads the public API's word.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Daily, Self::Weekly, Self::Monthly]
            .into_iter()
            .find(|period| period.name() == name)
    }

    /// Numbers the periods since 1970, so that two moments are in the same
    /// period exactly if their numbers are equal.
    #[must_use]
    pub fn index(self, at_ms: u64) -> u64 {
        let days = at_ms / MS_PER_DAY;
        match self {
            Self::Daily => days,
            // 1 January 1970 was a Thursday, three days after a Monday.
            Self::Weekly => (days + 3) / 7,
            Self::Monthly => month_index(days),
        }
    }
}

/// Whole months since January 1970 on day `days` since 1970-01-01, by the
/// arithmetic of Howard Hinnant's "chrono-compatible low-level date
/// algorithms": years begin in March, so that leap days come last.
fn month_index(days: u64) -> u64 {
    let days = days.saturating_add(719_468);
    let era = days / 146_097;
    let day_of_era = days % 146_097;
    let year_of_era =
        (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let march_month = (5 * day_of_year + 2) / 153;
    let months_since_march_of_year_0 =
        (era.saturating_mul(400).saturating_add(year_of_era)) * 12 + march_month;
    // March of year 0 is 1970 years less two months before January 1970.
    months_since_march_of_year_0.saturating_sub(1970 * 12 - 2)
}

/// The most that a key may spend.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeyLimit {
    /// The most, in a period or in all.
    pub amount: Nanos,
    /// When it starts anew; never, if absent.
    pub reset: Option<Period>,
}

/// What a key has spent: in all, and in the current period of each length.
/// Counters of a period that is over are read as zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Spent {
    /// Since the key exists.
    pub total: Nanos,
    /// In the day numbered `day_index`.
    pub day: Nanos,
    /// Which day `day` counts: [`Period::index`].
    pub day_index: u64,
    /// In the week numbered `week_index`.
    pub week: Nanos,
    /// Which week `week` counts.
    pub week_index: u64,
    /// In the month numbered `month_index`.
    pub month: Nanos,
    /// Which month `month` counts.
    pub month_index: u64,
}

impl Spent {
    /// Counts a payment settled at `at_ms`. A moment before the current
    /// period (a clock that was set back) counts in the current one.
    pub fn add(&mut self, amount: Nanos, at_ms: u64) {
        fn roll(sum: &mut Nanos, index: &mut u64, now: u64, amount: Nanos) {
            if now > *index {
                *index = now;
                *sum = Nanos::ZERO;
            }
            *sum = sum.saturating_add(amount);
        }
        self.total = self.total.saturating_add(amount);
        let index = Period::Daily.index(at_ms);
        roll(&mut self.day, &mut self.day_index, index, amount);
        let index = Period::Weekly.index(at_ms);
        roll(&mut self.week, &mut self.week_index, index, amount);
        let index = Period::Monthly.index(at_ms);
        roll(&mut self.month, &mut self.month_index, index, amount);
    }

    /// What was spent in the period of `at_ms`, or in all without a period.
    #[must_use]
    pub fn within(&self, period: Option<Period>, at_ms: u64) -> Nanos {
        let (sum, index) = match period {
            None => return self.total,
            Some(Period::Daily) => (self.day, self.day_index),
            Some(Period::Weekly) => (self.week, self.week_index),
            Some(Period::Monthly) => (self.month, self.month_index),
        };
        let now = period.map_or(0, |period| period.index(at_ms));
        if now > index { Nanos::ZERO } else { sum }
    }
}

impl KeyLimit {
    /// What may still be spent at `at_ms`, with `held` set aside already.
    /// Never negative.
    #[must_use]
    pub fn remaining(&self, spent: &Spent, held: Nanos, at_ms: u64) -> Nanos {
        self.amount
            .saturating_sub(spent.within(self.reset, at_ms))
            .saturating_sub(held)
            .max(Nanos::ZERO)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn at(text: &str) -> u64 {
        let moment: jiff::Timestamp = text.parse().unwrap();
        u64::try_from(moment.as_millisecond()).unwrap()
    }

    #[test]
    fn periods_turn_at_midnight_utc_on_mondays_and_on_the_first() {
        let cases = [
            (
                Period::Daily,
                "2026-11-21T23:59:59.999Z",
                "2026-11-22T00:00:00Z",
            ),
            // 22 November 2026 is a Sunday.
            (
                Period::Weekly,
                "2026-11-22T23:59:59.999Z",
                "2026-11-23T00:00:00Z",
            ),
            (
                Period::Monthly,
                "2026-11-30T23:59:59.999Z",
                "2026-12-01T00:00:00Z",
            ),
            (
                Period::Monthly,
                "2028-02-29T23:59:59.999Z",
                "2028-03-01T00:00:00Z",
            ),
            (
                Period::Monthly,
                "2026-12-31T23:59:59.999Z",
                "2027-01-01T00:00:00Z",
            ),
        ];
        for (period, before, after) in cases {
            let turn = at(after);
            assert_eq!(period.index(at(before)) + 1, period.index(turn), "{after}");
            assert_eq!(period.index(turn), period.index(turn + 1), "{after}");
        }
    }

    #[test]
    fn a_limit_starts_anew_with_its_period_and_a_total_never_does() {
        let limit = |reset| KeyLimit {
            amount: Nanos(100),
            reset,
        };
        let (today, tomorrow) = (at("2026-11-21T12:00:00Z"), at("2026-11-22T12:00:00Z"));
        let mut spent = Spent::default();
        spent.add(Nanos(70), today);
        for reset in [
            None,
            Some(Period::Daily),
            Some(Period::Weekly),
            Some(Period::Monthly),
        ] {
            assert_eq!(limit(reset).remaining(&spent, Nanos(10), today), Nanos(20));
        }
        let daily = limit(Some(Period::Daily));
        assert_eq!(daily.remaining(&spent, Nanos(10), tomorrow), Nanos(90));
        assert_eq!(
            limit(None).remaining(&spent, Nanos(10), tomorrow),
            Nanos(20)
        );
        spent.add(Nanos(70), tomorrow);
        assert_eq!(daily.remaining(&spent, Nanos::ZERO, tomorrow), Nanos(30));
        assert_eq!(
            limit(None).remaining(&spent, Nanos::ZERO, tomorrow),
            Nanos::ZERO
        );
    }

    #[test]
    fn a_clock_set_back_does_not_reopen_a_limit() {
        let mut spent = Spent::default();
        spent.add(Nanos(70), at("2026-11-22T00:00:00Z"));
        spent.add(Nanos(20), at("2026-11-21T23:59:00Z"));
        let daily = KeyLimit {
            amount: Nanos(100),
            reset: Some(Period::Daily),
        };
        let remaining = daily.remaining(&spent, Nanos::ZERO, at("2026-11-21T23:59:00Z"));
        assert_eq!(remaining, Nanos(10));
    }

    proptest! {
        #[test]
        fn months_and_weeks_agree_with_the_calendar(second in 0i64..8_000_000_000) {
            let date = jiff::Timestamp::from_second(second).unwrap().to_zoned(jiff::tz::TimeZone::UTC).date();
            let months = (i64::from(date.year()) - 1970) * 12 + i64::from(date.month()) - 1;
            let at_ms = u64::try_from(second).unwrap() * 1000;
            prop_assert_eq!(Period::Monthly.index(at_ms), u64::try_from(months).unwrap());
            let next = at_ms + MS_PER_DAY;
            let turned = Period::Weekly.index(next) > Period::Weekly.index(at_ms);
            prop_assert_eq!(turned, date.weekday() == jiff::civil::Weekday::Sunday);
        }
    }
}

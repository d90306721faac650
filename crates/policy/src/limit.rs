//! Spending limits, and the periods after which they start anew.
//!
//! Periods are those of the public API (openrouter.ai/docs, limits, August
//! 2026): days begin at midnight UTC, weeks on Monday, months on the first.
//! A payment counts in the period in which its money was set aside, however
//! late it is settled: so a period is over when its last call has ended,
//! and nothing spills into the next.
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
    /// All periods, shortest first.
    pub const ALL: [Self; 3] = [Self::Daily, Self::Weekly, Self::Monthly];

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
        Self::ALL.into_iter().find(|period| period.name() == name)
    }

    /// Numbers the periods since 1970, so that two moments are in the same
    /// period exactly if their numbers are equal.
    #[must_use]
    pub fn index(self, at_ms: u64) -> u64 {
        self.index_of_day(day_of(at_ms))
    }

    /// The number of the period that contains a day; every period is whole
    /// days.
    #[must_use]
    pub fn index_of_day(self, day: u64) -> u64 {
        match self {
            Self::Daily => day,
            // 1 January 1970 was a Thursday, three days after a Monday.
            Self::Weekly => day.saturating_add(3) / 7,
            Self::Monthly => month_index(day),
        }
    }
}

/// Days since 1970-01-01, UTC.
#[must_use]
pub const fn day_of(at_ms: u64) -> u64 {
    at_ms / MS_PER_DAY
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

/// The periods that contain one day.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Calendar {
    /// Days since 1970-01-01, UTC.
    pub day: u64,
    /// The week's number: [`Period::index`].
    pub week: u64,
    /// The month's number.
    pub month: u64,
}

impl Calendar {
    /// The periods of a day.
    #[must_use]
    pub fn of_day(day: u64) -> Self {
        Self {
            day,
            week: Period::Weekly.index_of_day(day),
            month: Period::Monthly.index_of_day(day),
        }
    }

    /// The periods of a moment.
    #[must_use]
    pub fn at(at_ms: u64) -> Self {
        Self::of_day(day_of(at_ms))
    }

    /// The number of one of them.
    #[must_use]
    pub const fn index(&self, period: Period) -> u64 {
        match period {
            Period::Daily => self.day,
            Period::Weekly => self.week,
            Period::Monthly => self.month,
        }
    }
}

/// The most that may be spent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limit {
    /// The most, in a period or in all.
    pub amount: Nanos,
    /// When it starts anew; never, if absent.
    pub reset: Option<Period>,
}

impl Limit {
    /// What may still be spent, with `held` set aside already. Never
    /// negative.
    #[must_use]
    pub fn remaining(&self, spent: &Spent, held: Nanos) -> Nanos {
        self.amount
            .saturating_sub(spent.within(self.reset))
            .saturating_sub(held)
            .max(Nanos::ZERO)
    }
}

/// What was spent as of one moment: in all, and in the period of each length
/// that contains the moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Spent {
    /// Ever.
    pub total: Nanos,
    /// In the day.
    pub day: Nanos,
    /// In the week.
    pub week: Nanos,
    /// In the month.
    pub month: Nanos,
}

impl Spent {
    /// What was spent in a period, or in all without one.
    #[must_use]
    pub const fn within(&self, period: Option<Period>) -> Nanos {
        match period {
            None => self.total,
            Some(Period::Daily) => self.day,
            Some(Period::Weekly) => self.week,
            Some(Period::Monthly) => self.month,
        }
    }
}

/// What was spent, day by day, as it is stored: weeks and months are whole
/// days, so the days are all that has to be remembered.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SpentByDay {
    /// Ever. May exceed the sum of the days, of which only the latest
    /// [`Self::DAYS_MAX`] are read from a store.
    pub total: Nanos,
    /// Days since 1970-01-01 with what was spent in calls that began on
    /// them; in order, each day once.
    pub days: Vec<(u64, Nanos)>,
}

impl SpentByDay {
    /// How many days a store returns, latest first: those of this month and
    /// of the one before, with which calls that began there may still be
    /// settled.
    pub const DAYS_MAX: usize = 62;

    /// Counts a payment for a call that began on `day`.
    pub fn add(&mut self, day: u64, amount: Nanos) {
        self.total = self.total.saturating_add(amount);
        match self.days.binary_search_by_key(&day, |&(day, _)| day) {
            Ok(at) => {
                if let Some((_, sum)) = self.days.get_mut(at) {
                    *sum = sum.saturating_add(amount);
                }
            }
            Err(at) => self.days.insert(at, (day, amount)),
        }
    }

    /// The sums of the periods that contain a moment.
    #[must_use]
    pub fn at(&self, at_ms: u64) -> Spent {
        let now = Calendar::at(at_ms);
        let within = |period: Period| {
            let days = self.days.iter();
            days.filter(|(day, _)| period.index_of_day(*day) == now.index(period))
                .fold(Nanos::ZERO, |sum, (_, amount)| sum.saturating_add(*amount))
        };
        Spent {
            total: self.total,
            day: within(Period::Daily),
            week: within(Period::Weekly),
            month: within(Period::Monthly),
        }
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
        let limit = |reset| Limit {
            amount: Nanos(100),
            reset,
        };
        let (today, tomorrow) = (at("2026-11-21T12:00:00Z"), at("2026-11-22T12:00:00Z"));
        let mut spent = SpentByDay::default();
        spent.add(day_of(today), Nanos(70));
        for reset in [
            None,
            Some(Period::Daily),
            Some(Period::Weekly),
            Some(Period::Monthly),
        ] {
            let remaining = limit(reset).remaining(&spent.at(today), Nanos(10));
            assert_eq!(remaining, Nanos(20));
        }
        let daily = limit(Some(Period::Daily));
        assert_eq!(daily.remaining(&spent.at(tomorrow), Nanos(10)), Nanos(90));
        assert_eq!(
            limit(None).remaining(&spent.at(tomorrow), Nanos(10)),
            Nanos(20)
        );
        spent.add(day_of(tomorrow), Nanos(70));
        assert_eq!(daily.remaining(&spent.at(tomorrow), Nanos::ZERO), Nanos(30));
        assert_eq!(
            limit(None).remaining(&spent.at(tomorrow), Nanos::ZERO),
            Nanos::ZERO
        );
    }

    #[test]
    fn every_day_keeps_its_own_sum_whichever_way_the_clock_is_set() {
        let (today, tomorrow) = (at("2026-11-21T23:59:00Z"), at("2026-11-22T00:00:00Z"));
        let mut spent = SpentByDay::default();
        spent.add(day_of(today), Nanos(60));
        spent.add(day_of(tomorrow), Nanos(70));
        spent.add(day_of(today), Nanos(20));
        let daily = Limit {
            amount: Nanos(100),
            reset: Some(Period::Daily),
        };
        assert_eq!(daily.remaining(&spent.at(today), Nanos::ZERO), Nanos(20));
        assert_eq!(daily.remaining(&spent.at(tomorrow), Nanos::ZERO), Nanos(30));
        assert_eq!(spent.total, Nanos(150));
        let days: Vec<_> = spent.days.iter().map(|(day, _)| *day).collect();
        assert_eq!(days, [day_of(today), day_of(tomorrow)]);
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

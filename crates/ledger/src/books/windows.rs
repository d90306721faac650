//! What a purse has spent and set aside in each period.
//!
//! A call belongs to the day on which its money was set aside, so a purse
//! may have money in several periods at once: calls of yesterday that still
//! run, or, after a clock was set forward and back, days to come. Each
//! period keeps its own sums, and a limit looks at its own period only.

use std::collections::BTreeMap;

use bourse_policy::{Calendar, Period, Spent, SpentByDay};
use bourse_vocab::Nanos;

use super::look::PeriodSums;

/// Periods of one length without money on hold that a purse remembers beside
/// the one begun last: enough for a clock that is set forward and back.
const CLOSED_MAX: usize = 3;

/// One period.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Window {
    /// Which: [`Period::index`].
    index: u64,
    /// What was paid for calls that began in it.
    pub spent: Nanos,
    /// What is set aside for such calls that still run.
    pub held: Nanos,
}

/// The periods of one length.
#[derive(Debug, Default)]
struct Windows {
    /// The one that was begun last.
    latest: Window,
    others: Vec<Window>,
}

impl Windows {
    /// Reads stored sums; the periods with the highest numbers are kept.
    fn new(period: Period, spent: &SpentByDay) -> Self {
        let mut sums: BTreeMap<u64, Nanos> = BTreeMap::new();
        for (day, amount) in &spent.days {
            let sum = sums.entry(period.index_of_day(*day)).or_default();
            *sum = sum.saturating_add(*amount);
        }
        let skipped = sums.len().saturating_sub(CLOSED_MAX.saturating_add(1));
        let windows = sums.into_iter().skip(skipped);
        let mut others: Vec<Window> = windows
            .map(|(index, spent)| Window {
                index,
                spent,
                held: Nanos::ZERO,
            })
            .collect();
        let latest = others.pop().unwrap_or_default();
        Self { latest, others }
    }

    fn get(&self, index: u64) -> Window {
        if self.latest.index == index {
            return self.latest;
        }
        let found = self.others.iter().find(|window| window.index == index);
        found.copied().unwrap_or(Window {
            index,
            ..Window::default()
        })
    }

    fn all(&self, period: Period) -> impl Iterator<Item = PeriodSums> {
        let windows = std::iter::once(&self.latest).chain(&self.others);
        windows.map(move |window| PeriodSums {
            period,
            index: window.index,
            spent: window.spent,
            held: window.held,
        })
    }

    fn get_mut(&mut self, index: u64) -> &mut Window {
        if self.latest.index != index {
            match self.others.iter().position(|window| window.index == index) {
                // A position that was just found is there.
                Some(at) => {
                    if let Some(window) = self.others.get_mut(at) {
                        return window;
                    }
                }
                None => self.begin(index),
            }
        }
        &mut self.latest
    }

    /// Begins a period. If too many others are closed, the first of them
    /// by the calendar goes: one that is still to come will be asked for.
    fn begin(&mut self, index: u64) {
        let window = Window {
            index,
            ..Window::default()
        };
        let before = std::mem::replace(&mut self.latest, window);
        if before.spent != Nanos::ZERO || before.held != Nanos::ZERO {
            self.others.push(before);
        }
        let closed = |window: &&Window| window.held == Nanos::ZERO;
        if self.others.iter().filter(closed).count() > CLOSED_MAX {
            let first = self.others.iter().filter(closed).map(|window| window.index);
            let first = first.min();
            self.others.retain(|window| Some(window.index) != first);
        }
    }
}

/// The periods of all lengths.
#[derive(Debug, Default)]
pub(super) struct AllWindows {
    daily: Windows,
    weekly: Windows,
    monthly: Windows,
}

impl AllWindows {
    /// All that are remembered.
    pub(super) fn all(&self) -> Vec<PeriodSums> {
        let days = self.daily.all(Period::Daily);
        let weeks = self.weekly.all(Period::Weekly);
        let months = self.monthly.all(Period::Monthly);
        days.chain(weeks).chain(months).collect()
    }

    /// Reads stored sums.
    pub(super) fn new(spent: &SpentByDay) -> Self {
        Self {
            daily: Windows::new(Period::Daily, spent),
            weekly: Windows::new(Period::Weekly, spent),
            monthly: Windows::new(Period::Monthly, spent),
        }
    }

    const fn of(&self, period: Period) -> &Windows {
        match period {
            Period::Daily => &self.daily,
            Period::Weekly => &self.weekly,
            Period::Monthly => &self.monthly,
        }
    }

    /// The period of one length that contains a day.
    pub(super) fn get(&self, period: Period, on: &Calendar) -> Window {
        self.of(period).get(on.index(period))
    }

    /// Changes the periods of every length that contain a day.
    pub(super) fn change(&mut self, on: &Calendar, mut act: impl FnMut(&mut Window)) {
        act(self.daily.get_mut(on.day));
        act(self.weekly.get_mut(on.week));
        act(self.monthly.get_mut(on.month));
    }

    /// What was spent in the periods that contain a day.
    pub(super) fn spent(&self, total: Nanos, on: &Calendar) -> Spent {
        Spent {
            total,
            day: self.daily.get(on.day).spent,
            week: self.weekly.get(on.week).spent,
            month: self.monthly.get(on.month).spent,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn on(day: u64) -> Calendar {
        Calendar::of_day(day)
    }

    fn pay(windows: &mut AllWindows, day: u64, amount: i64) {
        windows.change(&on(day), |window| {
            window.spent = window.spent.saturating_add(Nanos(amount));
        });
    }

    fn hold(windows: &mut AllWindows, day: u64, amount: i64) {
        windows.change(&on(day), |window| {
            window.held = window.held.saturating_add(Nanos(amount));
        });
    }

    fn daily(windows: &AllWindows, day: u64) -> (i64, i64) {
        let window = windows.get(Period::Daily, &on(day));
        (window.spent.0, window.held.0)
    }

    #[test]
    fn a_day_that_is_over_keeps_its_sums_while_calls_of_it_run() {
        let mut windows = AllWindows::default();
        hold(&mut windows, 100, 7);
        for day in 101..120 {
            pay(&mut windows, day, 1);
        }
        assert_eq!(daily(&windows, 100), (0, 7));
        pay(&mut windows, 100, 5);
        hold(&mut windows, 100, -7);
        assert_eq!(daily(&windows, 100), (5, 0));
        assert_eq!(daily(&windows, 119), (1, 0));
    }

    #[test]
    fn periods_without_money_on_hold_are_bounded() {
        let mut windows = AllWindows::default();
        for day in 0..1_000 {
            pay(&mut windows, day, 1);
        }
        assert_eq!(windows.daily.others.len(), CLOSED_MAX);
        assert_eq!(daily(&windows, 998), (1, 0));
    }

    #[test]
    fn stored_days_become_the_periods_that_contain_them() {
        let mut spent = SpentByDay::default();
        // 21 to 23 November 2026: Saturday, Sunday, Monday.
        for day in [20_778, 20_779, 20_780] {
            spent.add(day, Nanos(10));
        }
        let windows = AllWindows::new(&spent);
        assert_eq!(
            windows.spent(spent.total, &on(20_779)),
            Spent {
                total: Nanos(30),
                day: Nanos(10),
                week: Nanos(20),
                month: Nanos(30),
            }
        );
        assert_eq!(windows.spent(spent.total, &on(20_780)).week, Nanos(10));
    }
}

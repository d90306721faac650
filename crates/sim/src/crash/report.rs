//! What a run found.

use std::fmt;
use std::time::Duration;

use crate::crash::call::End;
use crate::crash::market::Offer;

/// What a run found.
#[derive(Debug, Clone, Default)]
pub struct Report {
    /// Reproduces the schedule of kills and the calls.
    pub seed: u64,
    /// Stops under load, kills and gentle ones.
    pub kills: u32,
    /// Further kills, of a server that was just starting.
    pub kills_while_starting: u32,
    /// Kills of a command that was granting credit.
    pub kills_of_commands: u32,
    /// Times that the disk refused.
    pub refusals_of_the_disk: u32,
    /// What callers tried that mean harm.
    pub intrusions: u64,
    /// Connections to a provider that is none.
    pub impostures: u64,
    /// The most memory that a server had, in KiB.
    pub memory_kib_max: u64,
    /// Audits of a stopped server, with its journal.
    pub audits_stopped: u32,
    /// Moments at which nothing ran and everything was compared.
    pub checks: u32,
    /// Differences found.
    pub differences: u64,
    /// From starting the process to the first good answer, sorted at the end.
    pub restarts: Vec<Duration>,
    /// How long gentle stops took.
    pub stops: Vec<Duration>,
    /// Calls that were sent.
    pub calls: u64,
    /// Of these, such as ended with an answer and its cost.
    pub complete: u64,
    /// Answered with an error status.
    pub refused: u64,
    /// Streams that ended with an error.
    pub broke: u64,
    /// Left by their clients.
    pub left: u64,
    /// Cut off by a kill.
    pub cut: u64,
    /// Calls that were tried at more than one provider.
    pub failovers: u64,
    /// What customers paid.
    pub charged_nanos: i64,
    /// Calls that a start settled by their last checkpoint.
    pub by_checkpoint: u64,
    /// Calls settled just before a kill whose last bytes did not get out.
    pub lost_answers: u64,
    /// Calls settled by a checkpoint although nothing reached the client.
    pub unseen_calls: u64,
    /// What was paid for them.
    pub unseen_nanos: i64,
    /// Calls that may have been such.
    pub(crate) unseen_allowed: u64,
    /// Streams of which a kill let the house pay a part.
    pub unbilled_calls: u64,
    /// What that was worth by our prices.
    pub unbilled_nanos: i64,
    /// The most of one stream, as time at the provider's pace.
    pub unbilled_max: Duration,
    /// Most tokens that a checkpoint charged beyond what was received.
    pub beyond_received_max: u64,
}

impl Report {
    pub(crate) fn count(&mut self, end: End) {
        let count = match end {
            End::Unsent => return,
            End::Complete => &mut self.complete,
            End::Refused(_) => &mut self.refused,
            End::Broke | End::Dressed => &mut self.broke,
            End::Left => &mut self.left,
            End::Cut => &mut self.cut,
        };
        *count += 1;
        self.calls += 1;
    }

    /// Notes output that a client received and nobody paid for.
    pub(crate) fn unbilled(&mut self, tokens: u64, offers: &[Offer], time: Duration) {
        if tokens == 0 {
            return;
        }
        self.unbilled_calls += 1;
        let dearest = offers.iter().map(|offer| offer.price(0, tokens)).max();
        self.unbilled_nanos += dearest.unwrap_or(0);
        self.unbilled_max = self.unbilled_max.max(time);
    }

    /// A percentile of the restarts, 0 to 100.
    #[must_use]
    pub fn restart(&self, percent: usize) -> Duration {
        percentile(&self.restarts, percent)
    }

    /// With no difference in so many kills: the rate of differences that 95
    /// of 100 such runs would have shown, in percent.
    #[must_use]
    pub fn upper_bound_percent(&self) -> f64 {
        if self.kills == 0 {
            return 100.0;
        }
        100.0 * (1.0 - 0.05_f64.powf(1.0 / f64::from(self.kills)))
    }
}

fn percentile(durations: &[Duration], percent: usize) -> Duration {
    let mut sorted = durations.to_vec();
    sorted.sort_unstable();
    let at = (sorted.len() * percent).div_ceil(100).saturating_sub(1);
    sorted.get(at).copied().unwrap_or_default()
}

fn usd(nanos: i64) -> String {
    let whole = nanos / 1_000_000_000;
    format!("{whole}.{:09} USD", nanos % 1_000_000_000)
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ms = |duration: Duration| duration.as_millis();
        self.trouble(f)?;
        writeln!(
            f,
            "  compared          {} times with nothing running, {} audits of a stopped server",
            self.checks, self.audits_stopped
        )?;
        writeln!(
            f,
            "  restart           p50 {} ms, p99 {} ms, max {} ms",
            ms(self.restart(50)),
            ms(self.restart(99)),
            ms(self.restart(100))
        )?;
        writeln!(
            f,
            "  calls             {}: {} whole, {} refused, {} broken, {} left, {} cut off; {} tried elsewhere",
            self.calls,
            self.complete,
            self.refused,
            self.broke,
            self.left,
            self.cut,
            self.failovers
        )?;
        writeln!(
            f,
            "  charged           {}; {} calls by a checkpoint, {} settled with the last bytes lost, {} unseen ({})",
            usd(self.charged_nanos),
            self.by_checkpoint,
            self.lost_answers,
            self.unseen_calls,
            usd(self.unseen_nanos)
        )?;
        write!(
            f,
            "  unbilled          {} in {} streams (the house's), at most {} ms of one",
            usd(self.unbilled_nanos),
            self.unbilled_calls,
            ms(self.unbilled_max)
        )
    }
}

impl Report {
    /// What was found, and what was done to the server.
    fn trouble(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ms = |duration: Duration| duration.as_millis();
        let gentle = u32::try_from(self.stops.len()).unwrap_or(u32::MAX);
        let what = match gentle {
            0 => "kills".to_owned(),
            all if all == self.kills => "gentle stops".to_owned(),
            some => format!("stops ({some} of them gentle)"),
        };
        writeln!(
            f,
            "{} differences in {} {what} (95 % upper bound {:.1} % each), seed {}",
            self.differences,
            self.kills,
            self.upper_bound_percent(),
            self.seed
        )?;
        if !self.stops.is_empty() {
            writeln!(
                f,
                "  gentle stop       p50 {} ms, p99 {} ms, max {} ms",
                ms(percentile(&self.stops, 50)),
                ms(percentile(&self.stops, 99)),
                ms(percentile(&self.stops, 100))
            )?;
        }
        writeln!(
            f,
            "  also killed       {} servers that were starting, {} commands that were granting credit",
            self.kills_while_starting, self.kills_of_commands
        )?;
        if self.refusals_of_the_disk + u32::from(self.impostures > 0) > 0 {
            writeln!(
                f,
                "  trouble           the disk refused {} times, {} connections to an impostor, {} intrusions; at most {} MiB",
                self.refusals_of_the_disk,
                self.impostures,
                self.intrusions,
                self.memory_kib_max / 1024
            )?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_difference_in_five_hundred_kills_bounds_the_rate_by_six_in_a_thousand() {
        let report = Report {
            kills: 500,
            ..Report::default()
        };
        assert!((report.upper_bound_percent() - 0.597).abs() < 0.001);
    }

    #[test]
    fn percentiles_are_of_the_sorted_restarts() {
        let report = Report {
            restarts: [30, 10, 20].map(Duration::from_millis).to_vec(),
            ..Report::default()
        };
        assert_eq!(report.restart(50), Duration::from_millis(20));
        assert_eq!(report.restart(100), Duration::from_millis(30));
    }
}

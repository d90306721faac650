//! What a relay does to the bytes that pass, as data.

use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::words::mix;

/// Longest delay, jitter or stall, in milliseconds: longer than any deadline
/// that a test would wait for.
pub const WAIT_MS_MAX: u64 = 600_000;
/// Most partitions in a plan: each is looked at for every piece.
pub const PARTITIONS_MAX: usize = 64;

/// What a relay does. The default passes everything on at once.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RelayPlan {
    /// Decides jitter and stalls; how the kernel cuts a stream into pieces
    /// it does not decide.
    pub seed: u64,
    /// How late every piece comes, in each direction, in milliseconds.
    pub delay_ms: u64,
    /// Up to how much later, drawn for each piece.
    pub jitter_ms: u64,
    /// Share of pieces that are lost once and sent again, 0 to 1.
    pub stall_rate: f64,
    /// How long sending again takes, in milliseconds; all that follows on
    /// the connection waits behind, as with TCP. Linux waits 200 ms at least.
    pub stall_ms: u64,
    /// Ends a connection after exactly so many bytes towards the client.
    pub cut_after_bytes: Option<u64>,
    /// Ends it with a TCP reset instead of a plain close.
    pub cut_with_reset: bool,
    /// When nothing passes.
    pub partitions: Vec<Partition>,
}

/// A time in which nothing passes in either direction, new connections
/// included. What was sent meanwhile arrives afterwards.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Partition {
    /// Milliseconds since the plan was laid in.
    pub from_ms: u64,
    /// The end, by the same clock.
    pub to_ms: u64,
    /// Comes again every so many milliseconds.
    #[serde(default)]
    pub every_ms: Option<u64>,
}

impl Partition {
    /// The end of this partition, if it is on at a moment.
    fn until_ms(&self, elapsed_ms: u64) -> Option<u64> {
        let since = elapsed_ms.checked_sub(self.from_ms)?;
        let turn = self.every_ms.map_or(0, |every| since / every.max(1));
        let shift = self.every_ms.unwrap_or(0).saturating_mul(turn);
        let end = self.to_ms.saturating_add(shift);
        (elapsed_ms < end).then_some(end)
    }
}

impl FromStr for Partition {
    type Err = String;

    /// `FROM-TO` or `FROM-TO/EVERY`, in milliseconds.
    fn from_str(text: &str) -> Result<Self, String> {
        let read = |ms: &str| {
            ms.parse::<u64>()
                .map_err(|_| format!("`{text}` is not FROM-TO or FROM-TO/EVERY in milliseconds"))
        };
        let (span, every) = text
            .split_once('/')
            .map_or((text, None), |(span, every)| (span, Some(every)));
        let (from, to) = span.split_once('-').unwrap_or((span, ""));
        Ok(Self {
            from_ms: read(from)?,
            to_ms: read(to)?,
            every_ms: every.map(read).transpose()?,
        })
    }
}

impl RelayPlan {
    /// Refuses what makes no sense.
    ///
    /// # Errors
    /// The first setting that does not, with the reason.
    pub fn check(&self) -> Result<(), String> {
        for (name, ms) in [
            ("delay_ms", self.delay_ms),
            ("jitter_ms", self.jitter_ms),
            ("stall_ms", self.stall_ms),
        ] {
            if ms > WAIT_MS_MAX {
                return Err(format!("{name} is {ms}: at most {WAIT_MS_MAX}"));
            }
        }
        if !(0.0..=1.0).contains(&self.stall_rate) {
            let rate = self.stall_rate;
            return Err(format!("stall_rate is {rate}: a share is 0 to 1"));
        }
        if self.stall_rate > 0.0 && self.stall_ms == 0 {
            return Err("stall_rate needs stall_ms".to_owned());
        }
        if self.partitions.len() > PARTITIONS_MAX {
            return Err(format!("more than {PARTITIONS_MAX} partitions"));
        }
        for one in &self.partitions {
            let lasts = one.to_ms.saturating_sub(one.from_ms);
            if lasts == 0 {
                return Err("a partition ends after it begins".to_owned());
            }
            if one.every_ms.is_some_and(|every| every <= lasts) {
                return Err("a partition that comes again is over before that".to_owned());
            }
        }
        Ok(())
    }

    /// How late a piece comes: which piece of which connection, and way.
    #[must_use]
    pub fn late(&self, stream: u64, piece: u64) -> Duration {
        let draw = mix(mix(self.seed, stream), piece);
        let jitter = match self.jitter_ms {
            0 => 0,
            most => draw % most.saturating_add(1),
        };
        #[allow(clippy::cast_precision_loss, reason = "53 bits are exact")]
        let unit = (mix(draw, 1) >> 11) as f64 / (1u64 << 53) as f64;
        let stall = if unit < self.stall_rate {
            self.stall_ms
        } else {
            0
        };
        let all = self.delay_ms.saturating_add(jitter).saturating_add(stall);
        Duration::from_millis(all)
    }

    /// When the partition that is on at a moment ends, if one is.
    #[must_use]
    pub fn partitioned_until_ms(&self, elapsed_ms: u64) -> Option<u64> {
        let ends = self.partitions.iter();
        ends.filter_map(|one| one.until_ms(elapsed_ms)).max()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lateness_is_the_seeds_and_within_its_bounds() {
        let plan = RelayPlan {
            seed: 3,
            delay_ms: 20,
            jitter_ms: 10,
            stall_rate: 0.1,
            stall_ms: 200,
            ..RelayPlan::default()
        };
        let all: Vec<u128> = (0..10_000).map(|at| plan.late(1, at).as_millis()).collect();
        let stalled = all.iter().filter(|ms| **ms >= 220).count();
        assert!((900..1_100).contains(&stalled), "{stalled}");
        let usual = |ms: &u128| (20..=30).contains(ms) || (220..=230).contains(ms);
        assert!(all.iter().all(usual));
        let again: Vec<u128> = (0..10_000).map(|at| plan.late(1, at).as_millis()).collect();
        let other: Vec<u128> = (0..10_000).map(|at| plan.late(2, at).as_millis()).collect();
        assert!(all == again && all != other);
    }

    #[test]
    fn a_partition_is_written_in_one_word_and_comes_again() {
        let plan = RelayPlan {
            partitions: vec!["100-200/1000".parse().unwrap(), "150-160".parse().unwrap()],
            ..RelayPlan::default()
        };
        assert_eq!(plan.check(), Ok(()));
        for (at, until) in [
            (99, None),
            (100, Some(200)),
            (199, Some(200)),
            (200, None),
            (1_150, Some(1_200)),
        ] {
            assert_eq!(plan.partitioned_until_ms(at), until, "at {at}");
        }
        for bad in ["", "1", "1-", "a-2", "1-2/", "1-2/x"] {
            assert!(bad.parse::<Partition>().is_err(), "{bad}");
        }
    }

    #[test]
    fn absurd_plans_are_refused() {
        let with = |change: &dyn Fn(&mut RelayPlan)| {
            let mut plan = RelayPlan::default();
            change(&mut plan);
            plan.check().unwrap_err()
        };
        assert!(with(&|plan| plan.delay_ms = 600_001).starts_with("delay_ms"));
        assert!(with(&|plan| plan.stall_rate = f64::NAN).starts_with("stall_rate"));
        assert!(with(&|plan| plan.stall_rate = 0.5).contains("needs stall_ms"));
        assert!(
            with(&|plan| plan.partitions = vec!["5-5".parse().unwrap()]).contains("ends after")
        );
        assert!(
            with(&|plan| plan.partitions = vec!["0-9/9".parse().unwrap()]).contains("comes again")
        );
        assert!(
            with(&|plan| plan.partitions = vec!["0-9".parse().unwrap(); 65])
                .contains("more than 64")
        );
    }
}

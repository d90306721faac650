//! The lines of the table, and what each is held to.

use super::subject::Kind;

/// One figure, for each subject.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Row {
    Small32,
    Small256,
    Prompt100K,
    Prompt1M,
    StreamOfOne,
    ChunkFull,
    ChunkPaced,
    P50,
    P99,
    Rate200,
    Throughput,
    MemoryIdle,
    MemoryStreams,
    MemoryAfter,
    Start,
    Binary,
}

/// What Bourse's figure must not be above.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Goal {
    /// So many times another subject's.
    Times(f64, Kind),
    /// A number.
    Value(f64),
}

/// A goal and how Bourse stands to it.
#[derive(Debug, Clone, PartialEq)]
pub struct Verdict {
    /// The goal in words.
    pub goal: String,
    /// What it comes to here, in the line's unit.
    pub limit: f64,
    /// Whether Bourse's figure, rounded as it is shown, is within it.
    pub met: bool,
}

impl Row {
    pub const ALL: [Self; 16] = [
        Self::Small32,
        Self::Small256,
        Self::Prompt100K,
        Self::Prompt1M,
        Self::StreamOfOne,
        Self::ChunkFull,
        Self::ChunkPaced,
        Self::P50,
        Self::P99,
        Self::Rate200,
        Self::Throughput,
        Self::MemoryIdle,
        Self::MemoryStreams,
        Self::MemoryAfter,
        Self::Start,
        Self::Binary,
    ];

    pub const fn title(self) -> &'static str {
        match self {
            Self::Small32 => "request of 1.4 KB, 32 connections",
            Self::Small256 => "request of 1.4 KB, 256 connections",
            Self::Prompt100K => "prompt of 100 KB, 32 connections",
            Self::Prompt1M => "prompt of 1 MB, 32 connections",
            Self::StreamOfOne => "stream of one chunk",
            Self::ChunkFull => "each further chunk, at full speed",
            Self::ChunkPaced => "each further chunk, one in 20 ms",
            Self::P50 => "added latency at 200 requests/s, p50",
            Self::P99 => "added latency at 200 requests/s, p99",
            Self::Rate200 => "request of 1.4 KB at 200 requests/s",
            Self::Throughput => "answers, 1.4 KB, 32 connections",
            Self::MemoryIdle => "memory, idle",
            Self::MemoryStreams => "memory, 1,000 idle streams",
            Self::MemoryAfter => "memory, after all this load",
            Self::Start => "from start to serving",
            Self::Binary => "release binary",
        }
    }

    pub const fn unit(self) -> &'static str {
        match self {
            Self::Small32
            | Self::Small256
            | Self::Prompt100K
            | Self::Prompt1M
            | Self::StreamOfOne
            | Self::ChunkFull
            | Self::ChunkPaced
            | Self::Rate200 => "µs CPU",
            Self::P50 | Self::P99 | Self::Start => "ms",
            Self::Throughput => "/s",
            Self::MemoryIdle | Self::MemoryStreams | Self::MemoryAfter | Self::Binary => "MB",
        }
    }

    /// Digits behind the point.
    pub const fn decimals(self) -> usize {
        match self {
            Self::P50 | Self::P99 => 3,
            Self::ChunkFull => 2,
            Self::Throughput | Self::Prompt1M | Self::Start => 0,
            _ => 1,
        }
    }

    const fn goal(self) -> Option<Goal> {
        Some(match self {
            Self::Small32 | Self::Small256 => Goal::Times(2.2, Kind::Nginx),
            Self::Prompt100K | Self::ChunkPaced => Goal::Times(1.3, Kind::Nginx),
            Self::Prompt1M => Goal::Times(1.3, Kind::Hyper),
            Self::ChunkFull => Goal::Times(1.1, Kind::Nginx),
            // A latency in milliseconds would hold the machine to something:
            // nginx itself adds a tenth of one where this is measured.
            Self::P50 | Self::Rate200 => Goal::Times(2.0, Kind::Nginx),
            Self::P99 => Goal::Times(1.0, Kind::Nginx),
            Self::MemoryIdle | Self::Binary => Goal::Value(40.0),
            Self::MemoryStreams => Goal::Value(60.0),
            Self::Start => Goal::Value(200.0),
            Self::StreamOfOne | Self::Throughput | Self::MemoryAfter => return None,
        })
    }

    /// Holds Bourse's median to the goal; `None` where there is no goal or
    /// nothing was measured.
    pub fn verdict(self, median: impl Fn(Self, Kind) -> Option<f64>) -> Option<Verdict> {
        let value = median(self, Kind::Bourse)?;
        let (limit, goal) = match self.goal()? {
            Goal::Times(1.0, kind) => (median(self, kind)?, format!("≤ {}", kind.name())),
            Goal::Times(times, kind) => (
                times * median(self, kind)?,
                format!("≤ {times} × {}", kind.name()),
            ),
            Goal::Value(limit) => (limit, format!("≤ {limit} {}", self.unit())),
        };
        let scale = [1.0, 10.0, 100.0, 1_000.0]
            .get(self.decimals())
            .copied()
            .unwrap_or(1.0);
        let met = (value * scale).round() <= (limit * scale).round();
        Some(Verdict { goal, limit, met })
    }
}

#[cfg(test)]
mod tests {
    use super::super::measure::Samples;
    use super::{Kind, Row, Verdict};

    fn verdict(row: Row, samples: &Samples) -> Option<Verdict> {
        row.verdict(|row, kind| samples.median(row, kind))
    }

    #[test]
    fn a_goal_is_met_up_to_its_limit_as_shown() {
        let mut samples = Samples::default();
        samples.add(Row::Small32, Kind::Nginx, 10.0);
        samples.add(Row::Small32, Kind::Bourse, 22.04);
        let found = verdict(Row::Small32, &samples).unwrap();
        assert!(found.met);
        assert_eq!(found.limit, 22.0);
        samples.add(Row::Small32, Kind::Bourse, 22.2);
        assert!(!verdict(Row::Small32, &samples).unwrap().met);
    }

    #[test]
    fn without_a_measurement_there_is_no_verdict() {
        let mut samples = Samples::default();
        samples.add(Row::Prompt1M, Kind::Bourse, 1.0);
        assert_eq!(verdict(Row::Prompt1M, &samples), None);
        assert_eq!(verdict(Row::Throughput, &samples), None);
    }
}

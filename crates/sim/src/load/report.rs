//! What a run of load measured.

use std::collections::BTreeMap;
use std::io;
use std::time::Duration;

use super::client::Exchange;

/// Times in microseconds, sorted when the run ends.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Latencies {
    sorted_us: Vec<u64>,
}

impl Latencies {
    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.sorted_us.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.sorted_us.is_empty()
    }

    /// The time that so many percent are not above (nearest rank), in
    /// microseconds; 0 when there are none. 50 is the median, 100 the most.
    #[must_use]
    pub fn percentile_us(&self, percent: f64) -> u64 {
        #[allow(
            clippy::cast_precision_loss,
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "counts are far below 2^52 and the product is clamped to them"
        )]
        let rank =
            (self.sorted_us.len() as f64 * percent.clamp(0.0, 100.0) / 100.0).ceil() as usize;
        self.sorted_us
            .get(rank.saturating_sub(1))
            .copied()
            .unwrap_or(0)
    }

    /// How many took longer than so many microseconds.
    #[must_use]
    pub fn above(&self, us: u64) -> u64 {
        let at = self.sorted_us.partition_point(|time| *time <= us);
        (self.sorted_us.len() - at) as u64
    }

    /// The mean, in microseconds.
    #[must_use]
    pub fn mean_us(&self) -> u64 {
        let sum: u64 = self.sorted_us.iter().sum();
        sum.checked_div(self.sorted_us.len() as u64).unwrap_or(0)
    }
}

/// What a run of load measured. Times count answers that ended well as
/// HTTP, whatever their status.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LoadReport {
    /// Answers by status.
    pub statuses: BTreeMap<u16, u64>,
    /// Requests without a complete answer, by error kind.
    pub errors: BTreeMap<String, u64>,
    /// Complete answers with status 200 and an error in their stream.
    pub errors_within: u64,
    /// Requests given up after the plan's timeout.
    pub timeouts: u64,
    /// Requests an open loop did not start because too many waited.
    pub dropped: u64,
    /// From due to the response head.
    pub head: Latencies,
    /// From due to the first body byte.
    pub first_byte: Latencies,
    /// From due to the first data of a stream; answers without any are not in it.
    pub first_data: Latencies,
    /// From due to the end.
    pub total: Latencies,
    /// The same of those that are what was asked for.
    pub good: Latencies,
    /// The same of those that were not let in: 429 or 503, with a time to come
    /// back.
    pub shed: Latencies,
    /// Body bytes.
    pub body_bytes: u64,
    /// SSE events and comments.
    pub events: u64,
    /// HTTP chunks.
    pub chunks: u64,
    /// From the first request to the last answer.
    pub elapsed: Duration,
}

impl LoadReport {
    /// Complete answers.
    #[must_use]
    pub fn answers(&self) -> u64 {
        self.statuses.values().sum()
    }

    /// Complete answers that are what was asked for.
    #[must_use]
    pub fn good(&self) -> u64 {
        let ok = self.statuses.get(&200).copied().unwrap_or(0);
        ok - self.errors_within
    }

    /// Complete answers a second.
    #[must_use]
    pub fn answers_per_s(&self) -> f64 {
        #[allow(clippy::cast_precision_loss, reason = "counts are far below 2^52")]
        let answers = self.answers() as f64;
        let seconds = self.elapsed.as_secs_f64();
        if seconds > 0.0 {
            answers / seconds
        } else {
            0.0
        }
    }

    pub(super) fn add(&mut self, exchange: &Exchange) {
        *self.statuses.entry(exchange.status).or_default() += 1;
        self.errors_within += u64::from(exchange.status == 200 && exchange.error);
        self.head.sorted_us.push(exchange.head_us);
        self.first_byte.sorted_us.push(exchange.first_byte_us);
        if exchange.first_data_us > 0 {
            self.first_data.sorted_us.push(exchange.first_data_us);
        }
        self.total.sorted_us.push(exchange.total_us);
        if exchange.status == 200 && !exchange.error {
            self.good.sorted_us.push(exchange.total_us);
        }
        if matches!(exchange.status, 429 | 503) && exchange.retry_after {
            self.shed.sorted_us.push(exchange.total_us);
        }
        self.body_bytes += exchange.body_bytes;
        self.events += exchange.events;
        self.chunks += exchange.chunks;
    }

    pub(super) fn fail(&mut self, error: &io::Error) {
        *self.errors.entry(error.kind().to_string()).or_default() += 1;
    }

    pub(super) fn close(&mut self, elapsed: Duration) {
        self.elapsed = elapsed;
        for times in [
            &mut self.head,
            &mut self.first_byte,
            &mut self.first_data,
            &mut self.total,
            &mut self.good,
            &mut self.shed,
        ] {
            times.sorted_us.sort_unstable();
        }
    }
}

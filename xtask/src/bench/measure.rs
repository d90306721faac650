//! What is measured, and how.

use std::collections::BTreeMap;
use std::time::Duration;

use bourse_sim::load::{LoadReport, Pace, run_on_thread};

use super::pacer::{latencies_us, percentile};
use super::prompts::{CHUNKS, Profile};
use super::subject::{Ground, Kind, SetUps, Subject};
use super::{idle, rows::Row};

/// Rate of the latency scenario, in requests a second.
const RATE_PER_S: u32 = 200;
/// Streams of the paced scenario, all open at once.
const PACED_STREAMS: u64 = 200;
/// Streams open while memory is looked at.
pub const IDLE_STREAMS: usize = 1_000;
/// What a process may still do after its start or its last stream.
const MEMORY_PAUSE: Duration = Duration::from_millis(700);

/// One thing done to every subject in every repetition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scenario {
    /// Whole answers in a closed loop.
    Whole {
        row: Row,
        bytes: usize,
        connections: usize,
        requests: u64,
    },
    /// Streams of [`CHUNKS`] chunks at full speed.
    Full,
    /// Streams of a chunk every 20 ms.
    Paced,
    /// Latency at a fixed rate.
    Latency,
    /// Memory and the time of a start, of a fresh process.
    Fresh,
}

/// How much is done.
#[derive(Debug, Clone, Copy)]
pub struct Size {
    pub repetitions: usize,
    /// Divides numbers of requests.
    pub divisor: u64,
    /// Chunks of a paced stream; they take 20 ms each.
    pub paced_chunks: u64,
    /// Of the latency scenario, for each subject.
    pub latency: Duration,
}

impl Size {
    pub const FULL: Self = Self {
        repetitions: 5,
        divisor: 1,
        paced_chunks: 200,
        latency: Duration::from_secs(4),
    };
    pub const QUICK: Self = Self {
        repetitions: 3,
        divisor: 4,
        paced_chunks: 50,
        latency: Duration::from_secs(1),
    };
}

impl Scenario {
    pub const ALL: [Self; 8] = [
        Self::Whole {
            row: Row::Small32,
            bytes: 1_400,
            connections: 32,
            requests: 12_000,
        },
        Self::Whole {
            row: Row::Small256,
            bytes: 1_400,
            connections: 256,
            requests: 24_000,
        },
        Self::Whole {
            row: Row::Prompt100K,
            bytes: 100_000,
            connections: 32,
            requests: 3_000,
        },
        Self::Whole {
            row: Row::Prompt1M,
            bytes: 1_000_000,
            connections: 32,
            requests: 320,
        },
        Self::Full,
        Self::Paced,
        Self::Latency,
        Self::Fresh,
    ];

    /// What `--only` calls it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Whole {
                row: Row::Small32, ..
            } => "small-32",
            Self::Whole {
                row: Row::Small256, ..
            } => "small-256",
            Self::Whole {
                row: Row::Prompt100K,
                ..
            } => "100k",
            Self::Whole { .. } => "1m",
            Self::Full => "chunk",
            Self::Paced => "paced",
            Self::Latency => "latency",
            Self::Fresh => "memory",
        }
    }
}

/// Every figure of every repetition.
#[derive(Debug, Default)]
pub struct Samples {
    figures: BTreeMap<(Row, Kind), Vec<f64>>,
    /// CPU time of a small request in Bourse by thread, in microseconds.
    threads: BTreeMap<String, Vec<f64>>,
}

impl Samples {
    pub fn add(&mut self, row: Row, kind: Kind, value: f64) {
        self.figures.entry((row, kind)).or_default().push(value);
    }

    /// Whether anything of it was measured.
    pub fn has(&self, kind: Kind) -> bool {
        self.figures.keys().any(|(_, of)| *of == kind)
    }

    fn sorted(&self, row: Row, kind: Kind) -> Vec<f64> {
        sorted(self.figures.get(&(row, kind)))
    }

    /// The median; of an even number of values the mean of the middle two.
    pub fn median(&self, row: Row, kind: Kind) -> Option<f64> {
        middle(&self.sorted(row, kind))
    }

    /// What a small request costs in each of Bourse's threads, in
    /// microseconds, dearest first.
    pub fn threads(&self) -> Vec<(&str, f64)> {
        let mut all: Vec<_> = self
            .threads
            .iter()
            .filter_map(|(name, values)| Some((name.as_str(), middle(&sorted(Some(values)))?)))
            .collect();
        all.sort_unstable_by(|a, b| b.1.total_cmp(&a.1));
        all
    }

    /// Smallest and largest.
    pub fn range(&self, row: Row, kind: Kind) -> Option<(f64, f64)> {
        let sorted = self.sorted(row, kind);
        Some((*sorted.first()?, *sorted.last()?))
    }
}

fn sorted(values: Option<&Vec<f64>>) -> Vec<f64> {
    let mut values = values.cloned().unwrap_or_default();
    values.sort_unstable_by(f64::total_cmp);
    values
}

fn middle(sorted: &[f64]) -> Option<f64> {
    let upper = *sorted.get(sorted.len() / 2)?;
    let lower = *sorted.get(sorted.len().saturating_sub(1) / 2)?;
    Some(f64::midpoint(lower, upper))
}

/// CPU time and answers of one load.
struct Load {
    cpu_us: f64,
    report: LoadReport,
}

fn load(
    subject: &Subject,
    profile: Profile,
    stream: bool,
    bytes: usize,
    pace: Pace,
    requests: u64,
) -> Result<Load, String> {
    let mut plan = subject.plan(profile, stream, bytes);
    plan.pace = pace;
    plan.requests_max = requests;
    plan.duration_max = Duration::from_secs(60);
    let before = subject.cpu_ns_at_rest();
    let report = run_on_thread(plan).map_err(|error| error.to_string())?;
    let cpu_ns = subject.cpu_ns_at_rest().saturating_sub(before);
    let good = report.statuses.get(&200).copied().unwrap_or_default();
    if good != requests {
        return Err(format!(
            "{}: {good} of {requests} requests were answered; statuses {:?}, errors {:?}, {} timeouts",
            subject.kind.name(),
            report.statuses,
            report.errors,
            report.timeouts
        ));
    }
    let cpu_us = float(cpu_ns) / 1_000.0;
    Ok(Load { cpu_us, report })
}

/// Counts here are far below 2^52.
#[allow(clippy::cast_precision_loss)]
pub const fn float(count: u64) -> f64 {
    count as f64
}

const fn closed(connections: usize) -> Pace {
    Pace::Closed { connections }
}

/// Fills pools, caches and branch predictors.
pub fn warm_up(subject: &Subject, size: &Size) -> Result<(), String> {
    for connections in [32, 256] {
        load(
            subject,
            Profile::Short,
            false,
            1_400,
            closed(connections),
            4_000 / size.divisor,
        )?;
    }
    load(subject, Profile::Short, false, 1_000_000, closed(32), 64)?;
    load(subject, Profile::Full, true, 1_000, closed(32), 64).map(|_| ())
}

/// Measures one scenario once for each subject.
pub fn measure(
    scenario: Scenario,
    size: &Size,
    subjects: &[Subject],
    fresh: (&Ground, &SetUps),
    samples: &mut Samples,
) -> Result<(), String> {
    match scenario {
        Scenario::Whole {
            row,
            bytes,
            connections,
            requests,
        } => {
            let requests = (requests / size.divisor).max(64);
            for subject in subjects {
                whole(subject, row, bytes, connections, requests, samples)?;
            }
        }
        Scenario::Full => {
            for subject in subjects.iter().filter(|subject| subject.process.is_some()) {
                full(subject, size, samples)?;
            }
        }
        Scenario::Paced => {
            for subject in subjects.iter().filter(|subject| subject.process.is_some()) {
                paced(subject, size, samples)?;
            }
        }
        Scenario::Latency => latency(subjects, size, samples)?,
        Scenario::Fresh => {
            let (ground, set_up) = fresh;
            for kind in ground.given(Kind::GATEWAYS) {
                memory(&ground.start(kind, set_up)?, samples)?;
            }
        }
    }
    Ok(())
}

/// Whole answers, one after the other on each connection.
fn whole(
    subject: &Subject,
    row: Row,
    bytes: usize,
    connections: usize,
    requests: u64,
    samples: &mut Samples,
) -> Result<(), String> {
    // So that connections to the provider are there already.
    let few = 2 * connections as u64;
    load(
        subject,
        Profile::Short,
        false,
        1_400,
        closed(connections),
        few,
    )?;
    let before = subject.cpu_ns_by_thread();
    let load = load(
        subject,
        Profile::Short,
        false,
        bytes,
        closed(connections),
        requests,
    )?;
    if subject.process.is_some() {
        samples.add(row, subject.kind, load.cpu_us / float(requests));
    }
    if row == Row::Small32 {
        let rate = load.report.answers_per_s();
        samples.add(Row::Throughput, subject.kind, rate);
    }
    if row == Row::Small32 && subject.kind == Kind::Bourse {
        for (name, ns) in subject.cpu_ns_by_thread() {
            let spent = ns.saturating_sub(before.get(&name).copied().unwrap_or(0));
            let us = float(spent) / 1_000.0 / float(requests);
            samples.threads.entry(name).or_default().push(us);
        }
    }
    Ok(())
}

/// A stream of one chunk has all that a request costs, so what longer
/// streams cost beyond it are chunks.
fn full(subject: &Subject, size: &Size, samples: &mut Samples) -> Result<(), String> {
    let (short, long) = (3_000 / size.divisor, 600 / size.divisor);
    let one = load(subject, Profile::Short, true, 1_000, closed(32), short)?;
    let per_request = one.cpu_us / float(short);
    samples.add(Row::StreamOfOne, subject.kind, per_request);
    let many = load(subject, Profile::Full, true, 1_000, closed(32), long)?;
    let per_stream = many.cpu_us / float(long);
    let per_chunk = (per_stream - per_request) / float(CHUNKS - 1);
    samples.add(Row::ChunkFull, subject.kind, per_chunk);
    Ok(())
}

/// Streams whose chunks come one by one, each waking the gateway. They
/// start a millisecond apart, so that their chunks do not come together.
fn paced(subject: &Subject, size: &Size, samples: &mut Samples) -> Result<(), String> {
    let one = load(subject, Profile::Short, true, 1_000, closed(32), 640)?;
    let per_request = one.cpu_us / 640.0;
    let pace = Pace::Open {
        rate_per_s: 1_000,
        connections_max: 1_000,
    };
    let paced = load(subject, Profile::Paced, true, 1_000, pace, PACED_STREAMS)?;
    let chunks = float(PACED_STREAMS * (size.paced_chunks - 1));
    let cost = (paced.cpu_us - per_request * float(PACED_STREAMS)) / chunks;
    samples.add(Row::ChunkPaced, subject.kind, cost);
    Ok(())
}

fn latency(subjects: &[Subject], size: &Size, samples: &mut Samples) -> Result<(), String> {
    let mut direct = None;
    for subject in subjects {
        let request = subject.request(Profile::Short, false, 1_400);
        let before = subject.cpu_ns_at_rest();
        let times = latencies_us(subject.addr, &request, RATE_PER_S, size.latency)
            .map_err(|why| format!("{}: {why}", subject.kind.name()))?;
        if subject.process.is_some() {
            let cpu_ns = subject.cpu_ns_at_rest().saturating_sub(before);
            let per_request = float(cpu_ns) / 1_000.0 / float(times.len() as u64);
            samples.add(Row::Rate200, subject.kind, per_request);
        }
        let (p50, p99) = (percentile(&times, 50), percentile(&times, 99));
        if subject.kind == Kind::Direct {
            samples.add(Row::P50, subject.kind, p50 / 1_000.0);
            samples.add(Row::P99, subject.kind, p99 / 1_000.0);
            direct = Some((p50, p99));
        } else if let Some((direct_p50, direct_p99)) = direct {
            samples.add(Row::P50, subject.kind, (p50 - direct_p50) / 1_000.0);
            samples.add(Row::P99, subject.kind, (p99 - direct_p99) / 1_000.0);
        }
    }
    Ok(())
}

fn memory(subject: &Subject, samples: &mut Samples) -> Result<(), String> {
    const MB: f64 = 1e6;
    let kind = subject.kind;
    samples.add(Row::Start, kind, subject.start.as_secs_f64() * 1_000.0);
    std::thread::sleep(MEMORY_PAUSE);
    samples.add(Row::MemoryIdle, kind, float(subject.resident_bytes()) / MB);
    let streams = idle::open(subject, IDLE_STREAMS)?;
    std::thread::sleep(MEMORY_PAUSE);
    samples.add(
        Row::MemoryStreams,
        kind,
        float(subject.resident_bytes()) / MB,
    );
    drop(streams);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::{Kind, Row, Samples};

    #[test]
    fn the_median_is_the_middle_or_between_the_middle_two() {
        let mut samples = Samples::default();
        for value in [9.0, 1.0, 5.0] {
            samples.add(Row::Small32, Kind::Nginx, value);
        }
        assert_eq!(samples.median(Row::Small32, Kind::Nginx), Some(5.0));
        samples.add(Row::Small32, Kind::Nginx, 6.0);
        assert_eq!(samples.median(Row::Small32, Kind::Nginx), Some(5.5));
        assert_eq!(samples.median(Row::Small32, Kind::Hyper), None);
        assert_eq!(samples.range(Row::Small32, Kind::Nginx), Some((1.0, 9.0)));
    }
}

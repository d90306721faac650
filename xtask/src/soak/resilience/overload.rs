//! F20: more requests than can be served.

use std::time::Duration;

use bourse_sim::Script;
use bourse_sim::load::{LoadReport, Pace, run_on_thread};

use super::ground::{Ground, Provider, Providers};
use super::page::Row;
use super::statistics::{count, float, percent, time};

/// Connections of the run that finds the peak.
const PEAK_CONNECTIONS: usize = 64;
/// Times the peak.
const MULTIPLES: [u64; 4] = [1, 2, 4, 10];
/// How soon after the load answers should be normal again.
const NORMAL: Duration = Duration::from_secs(2);
const GOODPUT_MIN: f64 = 0.95;

/// What is asked again and again.
struct Calls {
    name: &'static str,
    body: &'static str,
    /// Chunks of an answer, if it is a stream.
    chunks: u64,
}

/// A refusal costs two system calls, whatever it refuses. Of a stream that is a
/// small part, and of the smallest answer there is a large one: the second row
/// shows what is left where nothing could be saved by refusing.
const CALLS: [Calls; 2] = [
    Calls {
        name: "streams of 200 chunks",
        body: r#"{"model":"soak/chat","stream":true,"messages":[{"role":"user","content":"hello there"}]}"#,
        chunks: 200,
    },
    Calls {
        name: "the smallest whole answers",
        body: r#"{"model":"soak/chat","messages":[{"role":"user","content":"hello there"}]}"#,
        chunks: 8,
    },
];

pub fn measure(ground: &Ground) -> Result<Vec<Row>, String> {
    CALLS.iter().map(|calls| overload(ground, calls)).collect()
}

fn overload(ground: &Ground, calls: &Calls) -> Result<Row, String> {
    let fast = Script {
        fast: true,
        fast_chunks: calls.chunks,
        ..Script::default()
    };
    let at = Providers::start(vec![Provider::new("fast", fast)])?;
    let bourse = ground.bourse("overload", &at, &[("chat".to_owned(), at.names())])?;
    // Six runs share the time of one scenario.
    let seconds = (ground.seconds / 6).max(3);
    let closed = |seconds| {
        let mut plan = bourse.door.plan(calls.body, 1, seconds);
        plan.pace = Pace::Closed {
            connections: PEAK_CONNECTIONS,
        };
        plan.requests_max = bourse_sim::load::REQUESTS_MAX;
        run_on_thread(plan).map_err(|error| error.to_string())
    };
    closed(seconds)?;
    let usual = closed(seconds)?;
    let peak = usual.answers() / seconds;
    if peak == 0 {
        return Err("no request was served".to_owned());
    }
    let memory = bourse.door.process.resident_bytes();
    let mut texts = Vec::new();
    let mut is_met_at_four = false;
    for multiple in MULTIPLES {
        let report = bourse.door.load(calls.body, peak * multiple, seconds)?;
        let step = Step::of(&report, peak);
        if multiple == 4 {
            is_met_at_four = step.is_met(&usual);
        }
        texts.push(format!("{multiple}×: {step}"));
    }
    let more = bourse.door.process.resident_bytes().saturating_sub(memory);
    std::thread::sleep(NORMAL);
    let after = closed(seconds)?;
    let normal = after.good.percentile_us(99.0) <= 2 * usual.good.percentile_us(99.0).max(1);
    bourse.books()?;
    Ok(Row {
        figure: "F20",
        scenario: format!(
            "{}, open loop at 1, 2, 4, 10 times the peak of {}/s, {seconds} s each; load, provider and Bourse share the machine's cores",
            calls.name,
            count(peak)
        ),
        goal: "at 4×: goodput 95 % of the peak, the rest shed, p99 at most twice the usual; 64 MiB more, normal 2 s after",
        bourse: format!(
            "usual p99 {}; {}; {} MB more memory; normal 2 s after: {}",
            time(usual.good.percentile_us(99.0)),
            texts.join("; "),
            more / 1_000_000,
            if normal { "yes" } else { "no" }
        ),
        met: is_met_at_four && normal && more <= 64 << 20,
        nginx: None,
        litellm: None,
    })
}

/// What one multiple of the peak came to.
struct Step {
    /// Good answers a second, as a share of the peak.
    goodput: f64,
    /// Answers that say when to come back.
    shed: u64,
    /// How long 99 of 100 of these took, from when they were due: the load's own
    /// delay included.
    shed_p99_us: u64,
    lost: u64,
    /// How long 99 of 100 good answers took.
    p99_us: u64,
}

impl Step {
    fn of(report: &LoadReport, peak: u64) -> Self {
        let per_s = float(report.good()) / report.elapsed.as_secs_f64().max(0.001);
        Self {
            goodput: per_s / float(peak),
            shed: report.shed.len() as u64,
            shed_p99_us: report.shed.percentile_us(99.0),
            lost: report.dropped + report.timeouts,
            p99_us: report.good.percentile_us(99.0),
        }
    }

    /// Whether what is served is served well, and the rest is shed.
    fn is_met(&self, usual: &LoadReport) -> bool {
        let usual_p99_us = usual.good.percentile_us(99.0);
        self.goodput >= GOODPUT_MIN && self.shed > 0 && self.p99_us <= 2 * usual_p99_us
    }
}

impl std::fmt::Display for Step {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "{} of the peak, p99 {}, {} shed (p99 {}), {} dropped by the load",
            percent(self.goodput),
            time(self.p99_us),
            count(self.shed),
            time(self.shed_p99_us),
            count(self.lost)
        )
    }
}

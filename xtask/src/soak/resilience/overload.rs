//! F20: more requests than can be served.

use std::time::Duration;

use bourse_sim::Script;
use bourse_sim::load::{LoadReport, Pace, run_on_thread};

use super::cores::Cores;
use super::ground::{Door, Ground, Provider, Providers};
use super::page::Row;
use super::statistics::{count, float, percent, time};

/// Connections of the run that finds the peak.
const PEAK_CONNECTIONS: usize = 64;
/// Times the peak.
const MULTIPLES: [u64; 4] = [1, 2, 4, 10];
/// How soon after the load answers should be normal again.
const NORMAL: Duration = Duration::from_secs(2);
const GOODPUT_MIN: f64 = 0.95;

/// Calls that one account may have under way where an operator bounds that.
const ACCOUNT_CALLS_MAX: usize = 64;
/// How long each of them takes.
const ACCOUNT_CALL_MS: u64 = 50;

/// What is asked again and again, and what bounds how much of it is served.
struct Calls {
    name: &'static str,
    body: &'static str,
    script: Script,
    /// More lines of the configuration.
    bound: String,
}

/// A refusal costs two system calls, whatever it refuses. Where a setting is
/// what bounds the calls that is nothing, of a stream it is a small part, and of
/// the smallest answer a large one: the last row shows what is left where
/// nothing could be saved by refusing.
fn all_calls() -> [Calls; 3] {
    const WHOLE: &str =
        r#"{"model":"soak/chat","messages":[{"role":"user","content":"hello there"}]}"#;
    const STREAM: &str = r#"{"model":"soak/chat","stream":true,"messages":[{"role":"user","content":"hello there"}]}"#;
    let fast = |chunks, at_once| Script {
        fast: true,
        fast_chunks: chunks,
        fast_coalesce: at_once,
        ..Script::default()
    };
    let slow = Script {
        latency_ms: ACCOUNT_CALL_MS,
        ..fast(8, 1)
    };
    [
        Calls {
            name: "whole answers after 50 ms, of which an account may have 64 under way",
            body: WHOLE,
            script: slow,
            bound: format!("[admission]\naccount_calls_max = {ACCOUNT_CALLS_MAX}\n"),
        },
        Calls {
            name: "streams of 200 chunks, ten at once",
            body: STREAM,
            script: fast(200, 10),
            bound: String::new(),
        },
        Calls {
            name: "the smallest whole answers",
            body: WHOLE,
            script: fast(8, 1),
            bound: String::new(),
        },
    ]
}

pub fn measure(ground: &Ground) -> Result<Vec<Row>, String> {
    all_calls()
        .iter()
        .map(|calls| overload(ground, calls))
        .collect()
}

fn overload(ground: &Ground, calls: &Calls) -> Result<Row, String> {
    let cores = Cores::apart()?;
    let go_to =
        |cores_of: fn(&Cores) -> Result<(), String>| cores.as_ref().map_or(Ok(()), cores_of);
    go_to(Cores::load)?;
    let at = Providers::start(vec![Provider::new("fast", calls.script.clone())])?;
    go_to(Cores::server)?;
    let models = [("chat".to_owned(), at.names())];
    let bourse = ground.bourse_with("overload", &at, &models, &calls.bound)?;
    // nginx bounds nothing, so it has no row of its own where a setting does.
    let nginx = match calls.bound.is_empty() {
        true => ground.nginx("overload-nginx", &at)?,
        false => None,
    };
    go_to(Cores::load)?;
    // Six runs share the time of one scenario.
    let seconds = (ground.seconds / 6).max(3);
    let of_bourse = Steps::measure(&bourse.door, calls.body, seconds)?;
    let of_nginx = match &nginx {
        Some(door) => Some(Steps::measure(door, calls.body, seconds)?),
        None => None,
    };
    bourse.books()?;
    Ok(Row {
        figure: "F20",
        scenario: format!(
            "{}; open loop at 1, 2, 4, 10 times the peak of {}/s, {seconds} s each; {}",
            calls.name,
            count(of_bourse.peak),
            match cores {
                Some(_) => "load and providers have one core and Bourse the others",
                None => "load, providers and Bourse share one core",
            }
        ),
        goal: "at 4×: goodput 95 % of the peak, the rest shed, p99 at most twice the usual; 64 MiB more, normal 2 s after",
        bourse: of_bourse.to_string(),
        met: of_bourse.is_met(),
        nginx: of_nginx.map(|steps| format!("peak {}/s; {steps}", count(steps.peak))),
        litellm: None,
    })
}

/// A closed loop that finds the peak, multiples of it, and a closed loop again.
struct Steps {
    /// Good answers a second.
    peak: u64,
    usual_p99_us: u64,
    steps: Vec<(u64, Step)>,
    /// Memory that the load took and that stayed.
    more_bytes: u64,
    is_normal_after: bool,
}

impl Steps {
    fn measure(door: &Door, body: &str, seconds: u64) -> Result<Self, String> {
        let closed = |seconds| {
            let mut plan = door.plan(body, 1, seconds);
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
        let usual_p99_us = usual.good.percentile_us(99.0).max(1);
        let memory = door.process.resident_bytes();
        let mut steps = Vec::new();
        for multiple in MULTIPLES {
            let report = door.load(body, peak * multiple, seconds)?;
            steps.push((multiple, Step::of(&report, peak)));
        }
        let more_bytes = door.process.resident_bytes().saturating_sub(memory);
        std::thread::sleep(NORMAL);
        let after = closed(seconds)?;
        Ok(Self {
            peak,
            usual_p99_us,
            steps,
            more_bytes,
            is_normal_after: after.good.percentile_us(99.0) <= 2 * usual_p99_us,
        })
    }

    fn is_met(&self) -> bool {
        let at_four = self.steps.iter().find(|(multiple, _)| *multiple == 4);
        at_four.is_some_and(|(_, step)| step.is_met(self.usual_p99_us))
            && self.is_normal_after
            && self.more_bytes <= 64 << 20
    }
}

impl std::fmt::Display for Steps {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "usual p99 {}; ", time(self.usual_p99_us))?;
        for (multiple, step) in &self.steps {
            write!(f, "{multiple}×: {step}; ")?;
        }
        write!(
            f,
            "{} MB more memory; normal 2 s after: {}",
            self.more_bytes / 1_000_000,
            if self.is_normal_after { "yes" } else { "no" }
        )
    }
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
    fn is_met(&self, usual_p99_us: u64) -> bool {
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

//! F12 and F13: one provider that errs at times, one that errs every other
//! time, one that says nothing; then none of them.

use bourse_sim::Script;
use bourse_sim::load::LoadReport;

use super::ground::{Door, Ground, Provider, Providers, settle};
use super::page::Row;
use super::statistics::{float, percent, time, windows};

/// Longest outage that is measured, in seconds.
const OUTAGE_S: u64 = 60;
const SECOND_US: u64 = 1_000_000;

pub fn measure(ground: &Ground) -> Result<Vec<Row>, String> {
    let providers = || Providers::start(three(ground.seed));
    let at = providers()?;
    let bourse = ground.bourse("three", &at, &[("chat".to_owned(), at.names())])?;
    let seen = Seen::of(ground, &bourse.door, &at)?;
    bourse.books()?;
    let beside = providers()?;
    let nginx = match ground.nginx("three-nginx", &beside)? {
        Some(door) => Some(Seen::of(ground, &door, &beside)?),
        None => None,
    };
    let last = providers()?;
    let litellm = match ground.litellm("three-litellm", &last)? {
        Some((slower, door)) => Some((slower.rate, Seen::of(&slower, &door, &last)?)),
        None => None,
    };
    let load = format!(
        "{} requests/s for {} s, from a cold start",
        ground.rate, ground.seconds
    );
    let other = |what: &dyn Fn(&Seen) -> String| nginx.as_ref().map(what);
    let slower = |what: &dyn Fn(&Seen) -> String| {
        let said = |(rate, seen): &(u64, Seen)| format!("{rate}/s: {}", what(seen));
        litellm.as_ref().map(said)
    };
    let in_outage = |seen: &Seen| format!("{:.2} attempts a request", seen.in_outage);
    Ok(vec![
        Row {
            figure: "F12",
            scenario: format!(
                "three providers: 1 % errors, 50 % errors, never answers; streams, {load}"
            ),
            goal: "at most 20 failures in 300,000 (0.0067 %)",
            bourse: seen.failures(),
            met: super::statistics::rate_at_most(seen.failed, seen.requests) <= 0.0001,
            nginx: other(&Seen::failures),
            litellm: slower(&Seen::failures),
        },
        Row {
            figure: "F13",
            scenario: format!("the same: attempts beyond one a request; {load}"),
            goal: "at most 3 %, 20 % in any 10 s",
            bourse: seen.extra(),
            met: seen.extra_all <= 0.03 && seen.extra_10_s <= 0.20,
            nginx: other(&Seen::extra),
            litellm: slower(&Seen::extra),
        },
        Row {
            figure: "F13",
            scenario: format!(
                "the same, then all three answer 503 for {} s",
                outage_s(ground)
            ),
            goal: "at most 1.1 attempts a request",
            bourse: in_outage(&seen),
            met: seen.in_outage <= 1.1,
            nginx: other(&in_outage),
            litellm: slower(&in_outage),
        },
    ])
}

fn outage_s(ground: &Ground) -> u64 {
    ground.seconds.min(OUTAGE_S)
}

fn three(seed: u64) -> Vec<Provider> {
    let script = |error_rate, never_answer| Script {
        seed,
        tokens: Some(8),
        error_rate: Some(error_rate),
        never_answer,
        ..Script::default()
    };
    vec![
        Provider::new("steady", script(0.01, false)),
        Provider::new("shaky", script(0.5, false)),
        Provider::new("silent", script(0.0, true)),
    ]
}

struct Seen {
    requests: u64,
    failed: u64,
    report: LoadReport,
    extra_all: f64,
    extra_1_s: f64,
    extra_10_s: f64,
    in_outage: f64,
}

impl Seen {
    fn of(ground: &Ground, door: &Door, at: &Providers) -> Result<Self, String> {
        let body = r#"{"model":"soak/chat","stream":true,"messages":[{"role":"user","content":"hello there"}]}"#;
        at.reset();
        let report = door.load(body, ground.rate, ground.seconds)?;
        settle(at);
        let requests = ground.rate * ground.seconds;
        let good = report.good();
        let moments = at.moments_us();
        let extra = |window_s: u64| {
            let expected = float(ground.rate * window_s);
            let counts = windows(&moments, window_s * SECOND_US);
            // Answers that come late make attempts in windows without
            // arrivals: those count against the arrivals there would be.
            counts
                .iter()
                .map(|count| float(*count) / expected - 1.0)
                .fold(0.0_f64, f64::max)
        };
        let (extra_1_s, extra_10_s) = (extra(1), extra(10.min(ground.seconds)));
        let extra_all = float(moments.len() as u64) / float(requests) - 1.0;

        at.set_all(&Script {
            error_status: Some(503),
            ..Script::default()
        });
        at.reset();
        door.load(body, ground.rate, outage_s(ground))?;
        settle(at);
        let attempts = at.moments_us().len() as u64;
        Ok(Self {
            requests,
            failed: requests - good.min(requests),
            report,
            extra_all,
            extra_1_s,
            extra_10_s,
            in_outage: float(attempts) / float(ground.rate * outage_s(ground)),
        })
    }

    fn failures(&self) -> String {
        let late = self.report.total.above(10 * SECOND_US);
        format!(
            "{}; {} answers after more than 10 s; p50 {}, p99 {}",
            super::statistics::failures(&self.report, self.requests),
            super::statistics::count(late),
            time(self.report.total.percentile_us(50.0)),
            time(self.report.total.percentile_us(99.0))
        )
    }

    fn extra(&self) -> String {
        format!(
            "{}; worst 10 s {}, worst 1 s {}",
            percent(self.extra_all.max(0.0)),
            percent(self.extra_10_s),
            percent(self.extra_1_s)
        )
    }
}

//! F15: one provider answers, one accepts and says nothing, one stalls in
//! the middle.

use bourse_sim::Script;
use bourse_sim::load::LoadReport;

use super::ground::{Door, Ground, Provider, Providers, settle};
use super::page::Row;
use super::statistics::{share, time};

const TEN_S_US: u64 = 10_000_000;
/// Content after which the third stalls.
const STALL_AFTER: u64 = 5;

pub fn measure(ground: &Ground) -> Result<Vec<Row>, String> {
    let providers = || {
        let well = Script {
            seed: ground.seed,
            tokens: Some(20),
            first_token_ms: 20,
            ..Script::default()
        };
        Providers::start(vec![
            Provider::new("well", well.clone()),
            Provider::new(
                "silent",
                Script {
                    never_answer: true,
                    ..well.clone()
                },
            ),
            Provider::new(
                "stalling",
                Script {
                    stall_after_tokens: Some(STALL_AFTER),
                    ..well
                },
            ),
        ])
    };
    let at = providers()?;
    let bourse = ground.bourse("stalls", &at, &[("chat".to_owned(), at.names())])?;
    let seen = Seen::of(ground, &bourse.door, &at)?;
    bourse.books()?;
    let beside = providers()?;
    let nginx = match ground.nginx("stalls-nginx", &beside)? {
        Some(door) => Some(Seen::of(ground, &door, &beside)?),
        None => None,
    };
    let last = providers()?;
    let litellm = match ground.litellm("stalls-litellm", &last)? {
        Some((slower, door)) => {
            let seen = Seen::of(&slower, &door, &last)?;
            Some(format!("{}/s: {seen}", slower.rate))
        }
        None => None,
    };
    Ok(vec![Row {
        figure: "F15",
        scenario: format!(
            "streams; one provider accepts and never answers, one stalls after {STALL_AFTER} tokens, one is well; {} requests/s for {} s",
            ground.rate, ground.seconds
        ),
        goal: "0.2 % of requests meet one; none waits 10 s for its first token",
        bourse: seen.to_string(),
        met: seen.met * 500 <= seen.requests && seen.late == 0,
        nginx: nginx.map(|seen| seen.to_string()),
        litellm,
    }])
}

struct Seen {
    requests: u64,
    /// Attempts at the two that stall.
    met: u64,
    /// Requests without a first token in 10 s.
    late: u64,
    report: LoadReport,
}

impl Seen {
    fn of(ground: &Ground, door: &Door, at: &Providers) -> Result<Self, String> {
        let body = r#"{"model":"soak/chat","stream":true,"messages":[{"role":"user","content":"hello there"}]}"#;
        at.reset();
        let report = door.load(body, ground.rate, ground.seconds)?;
        settle(at);
        let met = at.sim("silent")?.log().len() + at.sim("stalling")?.log().len();
        let requests = ground.rate * ground.seconds;
        let early = report.first_data.len() as u64 - report.first_data.above(TEN_S_US);
        // What is unfinished after a minute has no time of its first token
        // here; it is counted by itself.
        let given_up = report.timeouts + report.dropped;
        Ok(Self {
            requests,
            met: met as u64,
            late: requests.saturating_sub(early).saturating_sub(given_up),
            report,
        })
    }
}

impl std::fmt::Display for Seen {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "{} met one; {} waited more than 10 s or got none; {} unfinished after 60 s; first token p50 {}, p99 {}, p99.9 {}",
            share(self.met, self.requests),
            self.late,
            self.report.timeouts + self.report.dropped,
            time(self.report.first_data.percentile_us(50.0)),
            time(self.report.first_data.percentile_us(99.0)),
            time(self.report.first_data.percentile_us(99.9))
        )
    }
}

//! F16: a provider that goes down and comes up again and again beside one
//! that is always well.

use std::time::{SystemTime, UNIX_EPOCH};

use bourse_sim::{Down, Phase, Script};

use super::ground::{Ground, Provider, Providers, settle};
use super::page::Row;
use super::statistics::{failures, percentile, time};

/// It is up for so long first, so that it has traffic to lose.
const FIRST_MS: u64 = 3_000;
const DOWN_MS: u64 = 2_000;
/// Between two beginnings of being down.
const PERIOD_MS: u64 = 6_000;
/// How soon after healing it should have its traffic back.
const BACK_MS: u64 = 2_000;
/// Attempts that may fail before it is left out, if they last no longer than
/// [`OUT_MS`].
const FAILURES_MAX: u64 = 5;
const OUT_MS: u64 = 1_000;

pub fn measure(ground: &Ground) -> Result<Vec<Row>, String> {
    let steady = Script {
        seed: ground.seed,
        tokens: Some(8),
        ..Script::default()
    };
    let flipping = Script {
        schedule: vec![Phase {
            from_ms: FIRST_MS,
            to_ms: Some(FIRST_MS + DOWN_MS),
            every_ms: Some(PERIOD_MS),
            down: Some(Down::Error),
            ..Phase::default()
        }],
        ..steady.clone()
    };
    let at = Providers::start(vec![
        Provider::new("flipping", flipping),
        Provider::new("steady", steady),
    ])?;
    let bourse = ground.bourse("flips", &at, &[("chat".to_owned(), at.names())])?;
    at.reset();
    let began_us = unix_us();
    let body = r#"{"model":"soak/chat","messages":[{"role":"user","content":"hello there"}]}"#;
    let report = bourse.door.load(body, ground.rate, ground.seconds)?;
    settle(&at);
    let moments: Vec<u64> = at
        .sim("flipping")?
        .log()
        .iter()
        .map(|entry| entry.started_unix_us)
        .collect();
    bourse.books()?;
    let requests = ground.rate * ground.seconds;
    let good = report.good();
    let flips = Flips::of(&moments, began_us, ground);
    Ok(vec![Row {
        figure: "F16",
        scenario: format!(
            "one of two providers is down for 2 s in every 6, {} times; {} requests/s",
            flips.outs.len(),
            ground.rate
        ),
        goal: "out within 5 failures or 1 s; traffic back 2 s after healing; no request fails",
        bourse: format!(
            "{}; attempts while down: median {}, most {}; back in {} of {} flips{}",
            failures(&report, requests),
            flips.median_out(),
            flips.outs.iter().max().copied().unwrap_or(0),
            flips.backs_ms.len(),
            flips.outs.len(),
            flips.median_back()
        ),
        met: good >= requests && flips.late_outs == 0 && flips.backs_ms.len() == flips.outs.len(),
        nginx: None,
        litellm: None,
    }])
}

/// What each flip was like.
struct Flips {
    /// Attempts while it was down.
    outs: Vec<u64>,
    /// Flips in which more than the allowed attempts failed, later than a
    /// second after it went down.
    late_outs: u64,
    /// Milliseconds from healing to half its share of the traffic within
    /// 200 ms, of flips in which that came in time.
    backs_ms: Vec<u64>,
}

impl Flips {
    fn of(moments_us: &[u64], began_us: u64, ground: &Ground) -> Self {
        let within = |from_ms: u64, to_ms: u64| {
            let span = began_us + from_ms * 1_000..began_us + to_ms * 1_000;
            let count = moments_us
                .iter()
                .filter(|moment| span.contains(moment))
                .count();
            count as u64
        };
        // Half of what would be its even share of one slice of time.
        const SLICE_MS: u64 = 200;
        let enough = (ground.rate * SLICE_MS / 1_000 / 4).max(1);
        let mut flips = Self {
            outs: Vec::new(),
            late_outs: 0,
            backs_ms: Vec::new(),
        };
        let mut down = FIRST_MS;
        while down + PERIOD_MS <= ground.seconds * 1_000 {
            let healed = down + DOWN_MS;
            let failed = within(down, healed);
            // A probe a second is no traffic.
            let late = within(down + OUT_MS, healed) > 1 + (DOWN_MS - OUT_MS) / 1_000;
            flips.late_outs += u64::from(failed > FAILURES_MAX && late);
            flips.outs.push(failed);
            let back = (0..BACK_MS / SLICE_MS)
                .map(|slice| slice * SLICE_MS)
                .find(|after| within(healed + after, healed + after + SLICE_MS) >= enough);
            flips.backs_ms.extend(back.map(|after| after + SLICE_MS));
            down += PERIOD_MS;
        }
        flips
    }

    fn median_out(&self) -> u64 {
        percentile(&mut self.outs.clone(), 50)
    }

    fn median_back(&self) -> String {
        match self.backs_ms.is_empty() {
            true => String::new(),
            false => format!(
                " (median within {})",
                time(percentile(&mut self.backs_ms.clone(), 50) * 1_000)
            ),
        }
    }
}

fn unix_us() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    now.map_or(0, |now| u64::try_from(now.as_micros()).unwrap_or(u64::MAX))
}

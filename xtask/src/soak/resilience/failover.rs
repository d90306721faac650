//! F14: from the byte that says that the first choice failed to the dispatch
//! at the second, by the providers' own clocks.

use std::time::{SystemTime, UNIX_EPOCH};

use bourse_sim::{Entry, RetryAfter, Script};

use super::ground::{Bourse, Ground, Model, Provider, Providers};
use super::page::Row;
use super::statistics::{count, percentile, time};

/// Models of each kind: what fails is left alone for a while, so each is
/// asked for once.
const MODELS: usize = 200;

pub fn measure(ground: &Ground) -> Result<Vec<Row>, String> {
    let kinds = [
        ("503", script(503, None)),
        ("429", script(429, Some(RetryAfter::Seconds(1)))),
        (
            "reset",
            Script {
                close_before_headers: true,
                cut_with_reset: true,
                ..Script::default()
            },
        ),
    ];
    let mut rows = Vec::new();
    for (kind, script) in kinds {
        let at = Providers::start(vec![
            Provider::new("first", script),
            Provider::new("second", Script::default()),
        ])?;
        let models: Vec<Model> = (0..MODELS).map(|n| (format!("m{n}"), at.names())).collect();
        let bourse = ground.bourse(&format!("failover-{kind}"), &at, &models)?;
        let mut gaps = gaps_us(&bourse, &at)?;
        bourse.books()?;
        let (p50, p99) = (percentile(&mut gaps, 50), percentile(&mut gaps, 99));
        let seen = count(gaps.len() as u64);
        rows.push(Row {
            figure: "F14",
            scenario: format!(
                "the first choice fails ({kind}): from the failure to the next dispatch"
            ),
            goal: "p50 0.5 ms, p99 5 ms",
            bourse: format!("p50 {}, p99 {} of {seen} failovers", time(p50), time(p99)),
            met: !gaps.is_empty() && p50 <= 500 && p99 <= 5_000,
            nginx: None,
            litellm: None,
        });
    }
    Ok(rows)
}

fn script(status: u16, retry_after: Option<RetryAfter>) -> Script {
    Script {
        error_status: Some(status),
        retry_after,
        ..Script::default()
    }
}

/// Asks for each model once, in turn, and reads the gap out of the two logs.
fn gaps_us(bourse: &Bourse, at: &Providers) -> Result<Vec<u64>, String> {
    let mut gaps = Vec::new();
    for model in 0..MODELS {
        at.reset();
        let body = format!(
            r#"{{"model":"soak/m{model}","provider":{{"order":["first","second"]}},"messages":[{{"role":"user","content":"hello"}}]}}"#
        );
        let answer = bourse.door.ask(&body)?;
        if answer.status != 200 {
            return Err(format!("status {}: {}", answer.status, answer.body));
        }
        let (first, second) = (ended(at, "first")?, at.sim("second")?.log());
        if let (Some(failed_us), Some(next)) = (first, second.first()) {
            // The log is kept in whole microseconds; within one they may cross.
            gaps.push(next.started_unix_us.saturating_sub(failed_us));
        }
    }
    Ok(gaps)
}

/// When the failure of the last request had left, as it was logged. An entry
/// is finished a moment after its last byte, so it is waited for.
fn ended(at: &Providers, name: &str) -> Result<Option<u64>, String> {
    let sim = at.sim(name)?;
    let end = now_us() + 1_000_000;
    loop {
        let log = sim.log();
        let Some(last) = log.last() else {
            return Ok(None);
        };
        if let Some(us) = moment(last) {
            return Ok(Some(us));
        }
        if now_us() > end {
            return Err("the failure was never logged".to_owned());
        }
        std::thread::yield_now();
    }
}

/// When the answer's head left, or the connection was closed.
fn moment(entry: &Entry) -> Option<u64> {
    let ended = entry.ended_us?;
    Some(entry.started_unix_us + entry.head_sent_us.unwrap_or(ended))
}

fn now_us() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    now.map_or(0, |now| u64::try_from(now.as_micros()).unwrap_or(u64::MAX))
}

//! F24: what is left after many requests, some of which their clients gave
//! up.

use std::fs;
use std::time::Duration;

use bourse_sim::Script;
use bourse_sim::load::{Pace, run_on_thread};

use super::ground::{Bourse, Ground, Provider, Providers, settle};
use super::page::Row;
use super::statistics::{count, float};

/// After so long a client that gives up does; its answer takes 400 ms.
const PATIENCE: Duration = Duration::from_millis(60);
/// Connections that are kept busy by those who wait.
const CONNECTIONS: usize = 16;
/// How long the books and connections may take to come to rest.
const REST: Duration = Duration::from_secs(4);
/// Fewer requests say nothing about a slope: what grows is still warming up.
const REQUESTS_MIN: u64 = 100_000;
/// Growth that is allowed for 100,000 requests, in bytes.
const GROWTH_MAX: f64 = 1_048_576.0;

pub fn measure(ground: &Ground) -> Result<Vec<Row>, String> {
    let script = |token_ms| Script {
        tokens: Some(20),
        token_ms,
        ..Script::default()
    };
    let at = Providers::start(vec![
        Provider::new("quick", script(0)),
        Provider::new("slow", script(20)),
    ])?;
    let one = |name: &str| (name.to_owned(), vec![name.to_owned()]);
    let bourse = ground.bourse("leaks", &at, &[one("quick"), one("slow")])?;
    // Warm: tables, pools and the allocator's arenas have grown.
    load(ground, &bourse, ground.seconds / 4)?;
    let (before, files) = rest(&bourse, &at)?;
    let (requests, given_up) = load(ground, &bourse, ground.seconds)?;
    let (after, files_after) = rest(&bourse, &at)?;
    let metrics = bourse.metric("bourse_holds_open")?
        + bourse.metric("bourse_calls_in_flight")?
        + bourse.metric("bourse_drains")?;
    bourse.books()?;
    let growth = float(after.saturating_sub(before)) / (float(requests) / 100_000.0);
    Ok(vec![Row {
        figure: "F24",
        scenario: format!(
            "{} requests, {} of them given up by their clients after 60 ms",
            count(requests),
            count(given_up)
        ),
        goal: "under 1 MiB more per 100,000, of at least so many; descriptors, holds, calls, drains back",
        bourse: format!(
            "memory {:.1} to {:.1} MB; descriptors {files} to {files_after}; {metrics} holds, calls and drains left",
            float(before) / 1e6,
            float(after) / 1e6
        ),
        met: requests >= REQUESTS_MIN
            && growth <= GROWTH_MAX
            && metrics == 0
            && files_after <= files + 16,
        nginx: None,
        litellm: None,
    }])
}

/// Loads for a while; says with how many requests, and how many of them were
/// given up.
fn load(ground: &Ground, bourse: &Bourse, seconds: u64) -> Result<(u64, u64), String> {
    let seconds = seconds.max(2);
    let body = |model: &str| {
        format!(
            r#"{{"model":"soak/{model}","stream":true,"messages":[{{"role":"user","content":"hello there"}}]}}"#
        )
    };
    let mut waits = bourse.door.plan(&body("quick"), 1, seconds);
    waits.pace = Pace::Closed {
        connections: CONNECTIONS,
    };
    waits.requests_max = bourse_sim::load::REQUESTS_MAX;
    // A tenth of what those who wait are likely to reach.
    let mut leaves = bourse
        .door
        .plan(&body("slow"), (ground.rate / 2).max(1), seconds);
    leaves.timeout = PATIENCE;
    let waiting = std::thread::spawn(move || run_on_thread(waits));
    let left = run_on_thread(leaves).map_err(|error| error.to_string())?;
    let waited = waiting.join().map_err(|_| "the load panicked")?;
    let waited = waited.map_err(|error| error.to_string())?;
    let all = left.answers() + left.timeouts + waited.answers();
    Ok((all, left.timeouts))
}

/// Memory and open files once nothing is under way.
fn rest(bourse: &Bourse, at: &Providers) -> Result<(u64, usize), String> {
    settle(at);
    std::thread::sleep(REST);
    let process = &bourse.door.process;
    let files = fs::read_dir(format!("/proc/{}/fd", process.id()));
    let files = files.map_err(|error| error.to_string())?.count();
    Ok((process.resident_bytes(), files))
}

//! F19: some first tokens are ten times later than the others.

use bourse_sim::Script;
use bourse_sim::load::LoadReport;

use super::ground::{Bourse, Ground, Provider, Providers, settle};
use super::page::Row;
use super::statistics::{float, percent, time};

const TOKENS: u64 = 8;
const FIRST_MS: u64 = 60;
const LATE_MS: u64 = 600;
const LATE_RATE: f64 = 0.02;
const OPT_IN: [(&str, &str); 1] = [("x-bourse-hedge", "true")];

/// What came of one run.
struct Seen {
    p50_us: u64,
    p99_us: u64,
    good: u64,
    attempts: u64,
    /// Output tokens that somebody was billed for.
    billed: u64,
}

pub fn measure(ground: &Ground) -> Result<Vec<Row>, String> {
    let alone = run(ground, "unhedged", &[])?;
    let hedged = run(ground, "hedged", &OPT_IN)?;
    let requests = ground.rate * ground.seconds;
    let down = 1.0 - float(hedged.p99_us) / float(alone.p99_us.max(1));
    let extra = float(hedged.attempts) / float(requests) - 1.0;
    let once = hedged.billed == hedged.good * TOKENS;
    Ok(vec![Row {
        figure: "F19",
        scenario: format!(
            "two providers, {} of first tokens after {LATE_MS} ms and the others after {FIRST_MS} ms; {} streams/s with `X-Bourse-Hedge` for {} s, and without",
            percent(LATE_RATE),
            ground.rate,
            ground.seconds
        ),
        goal: "p99 of the first token down 60 %, at most 5 % more attempts, billed once",
        bourse: format!(
            "p99 {} without, {} with: down {}; p50 {} and {}; {} more attempts; {} of {} served; billed once: {}",
            time(alone.p99_us),
            time(hedged.p99_us),
            percent(down.max(0.0)),
            time(alone.p50_us),
            time(hedged.p50_us),
            percent(extra.max(0.0)),
            hedged.good,
            requests,
            if once { "yes" } else { "no" },
        ),
        met: down >= 0.6 && extra <= 0.05 && once && hedged.good == requests,
        nginx: None,
        litellm: None,
    }])
}

fn run(ground: &Ground, name: &str, headers: &[(&str, &str)]) -> Result<Seen, String> {
    let script = |seed| Script {
        seed,
        tokens: Some(TOKENS),
        first_token_ms: FIRST_MS,
        slow_rate: LATE_RATE,
        slow_first_token_ms: LATE_MS,
        ..Script::default()
    };
    let at = Providers::start(vec![
        Provider::new("one", script(ground.seed)),
        Provider::new("two", script(ground.seed + 1)),
    ])?;
    let bourse: Bourse = ground.bourse(name, &at, &[("chat".to_owned(), at.names())])?;
    let body = r#"{"model":"soak/chat","stream":true,"max_tokens":100,"messages":[{"role":"user","content":"hello there"}]}"#;
    let report: LoadReport = bourse
        .door
        .load_with(body, ground.rate, ground.seconds, headers)?;
    settle(&at);
    let billed = bourse.metric("bourse_completion_tokens_total")?;
    let attempts = at.moments_us().len() as u64;
    bourse.books()?;
    Ok(Seen {
        p50_us: report.first_data.percentile_us(50.0),
        p99_us: report.first_data.percentile_us(99.0),
        good: report.good(),
        attempts,
        billed,
    })
}

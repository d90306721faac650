//! How fast the benchmark upstream and the load generator are without
//! anything between them: the ceiling of every bench that uses both.
//!
//! `cargo run --release -p bourse-sim --example fast_rate`

use std::time::Duration;

use bourse_sim::load::{LoadPlan, Pace, run_on_thread};
use bourse_sim::{Script, Sim};

fn main() -> std::io::Result<()> {
    let script = Script {
        fast_chunks: 500,
        ..Script::default()
    };
    let sim = Sim::builder()
        .script(script)
        .spawn_thread(([127, 0, 0, 1], 0).into())?;
    for (name, body) in [
        ("reply", r#"{"model":"m","messages":[]}"#),
        (
            "stream of 500",
            r#"{"model":"m","messages":[],"stream":true}"#,
        ),
    ] {
        let mut plan = LoadPlan::new(sim.addr(), "/fast/v1/chat/completions", body);
        plan.pace = Pace::Closed { connections: 16 };
        plan.requests_max = 1_000_000;
        plan.duration_max = Duration::from_secs(3);
        let report = run_on_thread(plan)?;
        println!(
            "{name}: {:.0} answers/s, {:.0} events/s, p50 {} us, p99 {} us, errors {:?}",
            report.answers_per_s(),
            report.answers_per_s() * report.events as f64 / report.answers().max(1) as f64,
            report.total.percentile_us(50.0),
            report.total.percentile_us(99.0),
            report.errors,
        );
    }
    Ok(())
}

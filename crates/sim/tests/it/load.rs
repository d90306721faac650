//! The load generator against the simulator.

use std::time::Duration;

use bourse_sim::Script;
use bourse_sim::load::{LoadPlan, Pace, run_on_thread};

use crate::client::sim;

const BODY: &str = r#"{"model":"m","messages":[],"stream":true}"#;

#[test]
fn a_closed_loop_sends_exactly_its_requests_over_its_connections() {
    let sim = sim(Script {
        fast_chunks: 5,
        ..Script::default()
    });
    let mut plan = LoadPlan::new(sim.addr(), "/fast/v1/chat/completions", BODY);
    plan.pace = Pace::Closed { connections: 4 };
    plan.requests_max = 200;
    let report = run_on_thread(plan).unwrap();
    assert_eq!(report.statuses, [(200, 200)].into());
    // Opening, five words, finish, usage, done.
    assert_eq!((report.events, report.chunks), (200 * 9, 200 * 9));
    assert!(report.first_byte.percentile_us(50.0) <= report.total.percentile_us(50.0));
    assert!(report.total.percentile_us(50.0) <= report.total.percentile_us(99.0));
    assert_eq!(sim.counters().requests, 200);
    assert_eq!(sim.counters().connections, 4);
}

#[test]
fn an_open_loop_keeps_its_rate_and_counts_from_when_requests_were_due() {
    let sim = sim(Script {
        latency_ms: 30,
        tokens: Some(3),
        ..Script::default()
    });
    let mut plan = LoadPlan::new(
        sim.addr(),
        "/v1/chat/completions",
        r#"{"model":"m","messages":[{"role":"user","content":"x"}]}"#,
    );
    plan.pace = Pace::Open {
        rate_per_s: 100,
        connections_max: 1,
    };
    plan.requests_max = 20;
    let report = run_on_thread(plan).unwrap();
    assert_eq!(report.answers(), 20);
    // One connection serves 33 a second at most: the last waited its turn.
    assert!(report.total.percentile_us(100.0) > 300_000);
    assert!(report.total.percentile_us(1.0) < 200_000);
}

#[test]
fn failures_are_counted_by_kind() {
    let sim = sim(Script {
        close_before_headers: true,
        ..Script::default()
    });
    let mut plan = LoadPlan::new(sim.addr(), "/v1/chat/completions", BODY);
    plan.requests_max = 3;
    let report = run_on_thread(plan).unwrap();
    assert_eq!(
        (report.answers(), report.errors.values().sum::<u64>()),
        (0, 3)
    );
    sim.set_script(Script {
        never_answer: true,
        ..Script::default()
    });
    let mut plan = LoadPlan::new(sim.addr(), "/v1/chat/completions", BODY);
    plan.requests_max = 2;
    plan.timeout = Duration::from_millis(50);
    assert_eq!(run_on_thread(plan).unwrap().timeouts, 2);
}

#[test]
fn other_machines_are_refused() {
    let plan = LoadPlan::new("192.0.2.1:80".parse().unwrap(), "/", "");
    assert_eq!(
        run_on_thread(plan).unwrap_err().kind(),
        std::io::ErrorKind::InvalidInput
    );
}

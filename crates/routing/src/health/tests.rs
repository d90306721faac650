use bourse_vocab::FailureKind;

use super::windows::SLOT_MS;
use super::*;
use crate::breaker::{Change, REFUSAL_REST_MS};
use crate::quota::PAUSE_MS;

const T0: u64 = 1_763_683_200_000;

fn success(first_token_ms: u64) -> Outcome {
    Outcome::Success {
        first_token_ms,
        tokens: 100,
        total_ms: 1_000,
    }
}

fn health() -> Arc<Health> {
    Arc::default()
}

/// An attempt that is sent and ends at once.
fn attempt(health: &Arc<Health>, at_ms: u64, outcome: Outcome) -> Changes {
    let mut ticket = health.enter(Bucket::default(), at_ms, true).unwrap();
    if matches!(outcome, Outcome::Success { .. }) {
        ticket.answered(at_ms);
    }
    ticket.end(at_ms, outcome, 0.5)
}

fn of(failure: &Failure) -> Outcome {
    Outcome::of(failure, Place::Sent)
}

fn down() -> Outcome {
    of(&Failure::unavailable("reset"))
}

fn limited(wait_ms: Option<u64>) -> Outcome {
    let failure = Failure::new(FailureKind::RateLimited, "slow down");
    of(&match wait_ms {
        Some(ms) => failure.retry_after(std::time::Duration::from_millis(ms)),
        None => failure,
    })
}

#[test]
fn a_failure_makes_an_endpoint_unstable_for_thirty_seconds() {
    let health = health();
    assert!(!health.is_unstable(T0));
    attempt(&health, T0, down());
    assert!(health.is_unstable(T0 + 29_999));
    assert!(!health.is_unstable(T0 + 30_000));
}

#[test]
fn twenty_successes_make_up_for_a_failure() {
    let health = health();
    attempt(&health, T0, down());
    for _ in 0..20 {
        assert!(health.is_unstable(T0));
        attempt(&health, T0, success(10));
    }
    assert!(!health.is_unstable(T0));
}

#[test]
fn retry_after_is_obeyed_and_capped() {
    let health = health();
    attempt(&health, T0, limited(Some(7_000)));
    assert_eq!(health.cooldown_ms(T0 + 6_999), Some(1));
    assert_eq!(health.cooldown_ms(T0 + 7_000), None);
    attempt(&health, T0, limited(Some(u64::MAX)));
    assert_eq!(health.cooldown_ms(T0), Some(COOLDOWN_MAX_MS));
}

/// It may be longer or shorter than we think, so nobody is refused for it.
#[test]
fn a_rest_that_is_only_guessed_puts_a_key_last_and_not_out() {
    let health = health();
    attempt(&health, T0, limited(None));
    assert_eq!(health.cooldown_ms(T0), None);
    assert!(health.is_unstable(T0 + PAUSE_MS - 1));
    assert!(!health.is_unstable(T0 + PAUSE_MS));
}

#[test]
fn an_overload_that_names_a_time_is_a_failure_and_a_rest() {
    let health = health();
    let busy = Failure::new(FailureKind::Overloaded, "busy");
    let busy = busy.retry_after(std::time::Duration::from_secs(2));
    attempt(&health, T0, of(&busy));
    assert_eq!(health.cooldown_ms(T0 + 1_999), Some(1));
    assert!(health.is_unstable(T0 + 2_000));
}

#[test]
fn a_rate_limit_is_not_an_outage_and_a_bad_request_is_nothing() {
    assert!(limited(None).is_rate_limit());
    assert!(!down().is_rate_limit());
    assert_eq!(of(&Failure::invalid("temperature")), Outcome::Neutral);
    let health = health();
    for _ in 0..100 {
        attempt(&health, T0, limited(Some(1)));
        attempt(&health, T0, Outcome::Neutral);
    }
    assert_eq!(health.standing(T0), Standing::Closed);
    assert_eq!(health.uptime_percent(T0, 5), None);
}

/// Whatever answers at once that it does not serve is not fast, and one failure
/// does not make whoever is fast slow for minutes.
#[test]
fn only_answers_say_how_long_one_waits() {
    let (bucket, health) = (Bucket::default(), health());
    for outcome in [down(), limited(None), limited(Some(60_000))] {
        attempt(&health, T0, outcome);
        assert_eq!(health.expected_ms(bucket, T0), 0);
    }
    let mut ticket = health.enter(bucket, T0, true).unwrap();
    ticket.answered(T0 + 20);
    ticket.end(T0 + 30, success(20), 0.5);
    attempt(&health, T0 + 40, down());
    assert_eq!(health.expected_ms(bucket, T0 + 40), 20);
}

#[test]
fn an_empty_account_ejects_its_credential_at_every_endpoint_and_529_the_provider() {
    let model = Arc::default();
    let provider = Arc::default();
    let (one, two) = (Arc::default(), Arc::default());
    let here = Arc::new(Health::of(&provider, &one, &model));
    let elsewhere = Health::of(&provider, &one, &model);
    let other_key = Health::of(&provider, &two, &model);
    let refused = |status, refused_us, kind| {
        of(
            &Failure::new(kind, "no").upstream(bourse_vocab::failure::UpstreamError {
                status: Some(status),
                refused_us,
                ..Default::default()
            }),
        )
    };
    let empty = refused(429, true, FailureKind::Unavailable);
    let changes = attempt(&here, T0, empty);
    assert_eq!(changes.credential, Change::Opened(REFUSAL_REST_MS));
    assert_ne!(here.standing(T0), Standing::Closed);
    assert_ne!(elsewhere.standing(T0), Standing::Closed);
    assert_eq!(other_key.standing(T0), Standing::Closed);
    let overloaded = refused(529, false, FailureKind::Overloaded);
    let changes = attempt(&Arc::new(other_key), T0, overloaded);
    assert_eq!(changes.provider, Change::Opened(1_000));
    let third = Health::of(&provider, &Arc::default(), &model);
    assert_ne!(third.standing(T0), Standing::Closed);
}

#[test]
fn one_request_finds_out_whether_an_endpoint_is_back_and_the_others_pass() {
    let health = health();
    for _ in 0..5 {
        attempt(&health, T0, down());
    }
    let at = T0 + 1_000;
    let bucket = Bucket::default();
    assert!(health.enter(bucket, at - 1, false).is_none(), "it rests");
    let mut probe = health.enter(bucket, at, false).unwrap();
    assert!(probe.is_probe());
    assert!(health.enter(bucket, at, false).is_none(), "one is enough");
    let last = health.enter(bucket, at, true).unwrap();
    assert!(
        !last.is_probe(),
        "whoever has nobody else asks all the same"
    );
    drop(last);
    assert_eq!(probe.answered(at + 300).endpoint, Change::Closed);
    assert_eq!(health.standing(at + 300), Standing::Closed);
    drop(probe);
    assert_eq!(health.in_flight(), 0);
}

#[test]
fn a_probe_whose_client_leaves_leaves_it_to_the_next() {
    let health = health();
    for _ in 0..5 {
        attempt(&health, T0, down());
    }
    let at = T0 + 1_000;
    let probe = health.enter(Bucket::default(), at, false).unwrap();
    drop(probe);
    assert!(health.enter(Bucket::default(), at, false).is_some());
}

/// Its first content is there at once, so that any probe would bring it back.
#[test]
fn of_one_that_stopped_in_the_middle_only_an_end_shows_that_it_is_back() {
    let (bucket, health) = (Bucket::default(), health());
    let silence = of(&Failure::new(FailureKind::Timeout, "it stopped"));
    let begun = |at_ms| {
        let mut ticket = health.enter(bucket, at_ms, true).unwrap();
        assert_eq!(ticket.answered(at_ms + 20), Changes::NONE);
        ticket
    };
    for _ in 0..3 {
        begun(T0).end(T0 + 10_000, silence, 0.5);
    }
    let at = T0 + 11_000;
    assert_eq!(health.standing(at), Standing::Probe);
    begun(at).end(at + 10_000, silence, 0.5);
    let at = at + 12_000;
    assert_eq!(health.standing(at), Standing::Probe);
    let probe = begun(at);
    assert_ne!(health.standing(at), Standing::Closed, "it has only begun");
    assert!(!health.has_finished());
    let changes = probe.end(at + 500, success(20), 0.5);
    assert_eq!(changes.endpoint, Change::Closed);
    assert!(health.has_finished());
    assert_eq!(health.expected_ms(bucket, at + 500), 20);
}

#[test]
fn what_was_slow_before_an_outage_is_not_known_to_be_slow_after_it() {
    let (bucket, health) = (Bucket::default(), health());
    let mut ticket = health.enter(bucket, T0, true).unwrap();
    ticket.answered(T0 + 20_000);
    ticket.end(T0 + 20_000, success(20_000), 0.5);
    for _ in 0..5 {
        attempt(&health, T0 + 20_000, down());
    }
    let at = T0 + 21_000;
    let mut probe = health.enter(bucket, at, false).unwrap();
    assert!(probe.is_probe());
    probe.answered(at + 30);
    assert_eq!(health.expected_ms(bucket, at + 30), 30);
}

#[test]
fn percentiles_forget_what_is_older_than_their_window() {
    let health = health();
    for ms in 1..=100 {
        attempt(&health, T0, success(ms));
    }
    let recent = health.recent_latency_ms(T0).unwrap();
    assert!((47..=53).contains(&recent.p50), "{recent:?}");
    assert!((95..=107).contains(&recent.p99), "{recent:?}");
    assert_eq!(health.recent_throughput(T0).unwrap().p50 / 10, 10);
    assert_eq!(health.recent_latency_ms(T0 + 2 * SLOT_MS), None);
    assert!(health.latency_ms_last_30m(T0 + 2 * SLOT_MS).is_some());
    assert_eq!(health.latency_ms_last_30m(T0 + 8 * SLOT_MS), None);
}

#[test]
fn uptime_counts_minutes_in_which_most_attempts_succeeded() {
    let health = health();
    assert_eq!(health.uptime_percent(T0, 5), None);
    for minute in 0..4_u64 {
        for n in 0..10 {
            let bad = minute == 0 && n < 3;
            let outcome = if bad { down() } else { success(10) };
            attempt(&health, T0 + minute * 60_000, outcome);
        }
    }
    assert_eq!(health.uptime_percent(T0 + 3 * 60_000, 5), Some(75.0));
    assert_eq!(health.uptime_percent(T0 + 3 * 60_000, 3), Some(100.0));
    assert_eq!(health.in_flight(), 0);
}

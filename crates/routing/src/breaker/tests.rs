use super::*;

const T0: u64 = 1_763_683_200_000;
/// No jitter.
const MIDDLE: f64 = 0.5;

const fn sent(at_ms: u64) -> Sent {
    Sent {
        at_ms,
        is_probe: false,
    }
}

const fn probe(at_ms: u64) -> Sent {
    Sent {
        at_ms,
        is_probe: true,
    }
}

/// A breaker that opened at [`T0`] for a second.
fn open() -> Breaker {
    let breaker = Breaker::default();
    for n in 1..=CONSECUTIVE_MAX {
        let change = breaker.failed(sent(T0), 1, T0, MIDDLE);
        assert_eq!(change == Change::Opened(REST_MS), n == CONSECUTIVE_MAX);
    }
    breaker
}

#[test]
fn five_failures_in_a_row_open_and_one_probe_closes() {
    let breaker = open();
    assert_eq!(breaker.standing(T0 + 999), Standing::Open(T0 + 1_000));
    assert_eq!(breaker.standing(T0 + 1_000), Standing::Probe);
    assert!(breaker.takes_probe(T0 + 1_000));
    assert!(!breaker.takes_probe(T0 + 1_000), "only one");
    assert!(matches!(breaker.standing(T0 + 1_001), Standing::Open(_)));
    let change = breaker.succeeded(probe(T0 + 1_000), T0 + 1_300);
    assert_eq!(change, Change::Closed);
    assert_eq!(breaker.standing(T0 + 1_300), Standing::Closed);
    assert!(!breaker.is_in_debt(T0 + 1_300), "the probe has proved it");
}

#[test]
fn a_success_between_failures_counts() {
    let breaker = Breaker::default();
    for _ in 0..100 {
        for _ in 0..10 {
            breaker.succeeded(sent(T0), T0);
        }
        assert_eq!(breaker.failed(sent(T0), 1, T0, MIDDLE), Change::None);
        assert!(breaker.is_in_debt(T0), "one of ten is no good service");
    }
    assert_eq!(breaker.standing(T0), Standing::Closed);
}

#[test]
fn half_of_all_attempts_open_it_and_one_of_a_hundred_is_no_debt() {
    let breaker = Breaker::default();
    let mut attempts = 0;
    while breaker.standing(T0) == Standing::Closed {
        breaker.succeeded(sent(T0), T0);
        breaker.failed(sent(T0), 1, T0, MIDDLE);
        attempts += 2;
    }
    assert_eq!(attempts, 14);
    let good = Breaker::default();
    let mut in_debt = 0;
    for n in 0..10_000 {
        if n % 100 == 0 {
            good.failed(sent(T0), 1, T0, MIDDLE);
        } else {
            good.succeeded(sent(T0), T0);
        }
        in_debt += u32::from(good.is_in_debt(T0));
        good.note_used();
    }
    assert_eq!(good.standing(T0), Standing::Closed);
    assert_eq!(in_debt, 2_000, "20 successes make up for a failure");
}

#[test]
fn silence_counts_twice() {
    let breaker = Breaker::default();
    breaker.failed(sent(T0), 2, T0, MIDDLE);
    breaker.failed(sent(T0), 2, T0, MIDDLE);
    assert_eq!(breaker.standing(T0), Standing::Closed);
    breaker.failed(sent(T0), 2, T0, MIDDLE);
    assert!(breaker.is_open());
}

/// With much traffic it is the calls that make a probe due, with little the
/// time, which doubles.
#[test]
fn probes_are_a_small_part_of_the_traffic_and_growing_rests_apart() {
    let breaker = open();
    let mut now = T0;
    for rest in [1_000, 2_000, 4_000, 8_000, 16_000, 32_000, 60_000, 60_000] {
        assert_eq!(breaker.standing(now + rest - 1), Standing::Open(now + rest));
        now += rest;
        assert_eq!(breaker.standing(now), Standing::Probe, "{rest}");
        assert!(breaker.takes_probe(now));
        breaker.failed(probe(now), 1, now, MIDDLE);
    }
    let passed = |at| (1..).find(|_| breaker.standing(at) == Standing::Probe);
    assert_eq!(passed(now + 1_000), Some(PASSES_MIN));
}

#[test]
fn the_jitter_is_a_quarter_either_way() {
    assert_eq!(jittered(1_000, 0.0), 750);
    assert_eq!(jittered(1_000, 0.999_999), 1_249);
    assert_eq!(jittered(1_000, f64::NAN.max(7.0)), 1_250, "and no more");
}

#[test]
fn what_was_sent_before_it_opened_neither_closes_nor_opens_it() {
    let breaker = open();
    assert_eq!(breaker.succeeded(sent(T0 - 1), T0 + 10), Change::None);
    assert_eq!(
        breaker.failed(sent(T0 - 1), 2, T0 + 10, MIDDLE),
        Change::None
    );
    // Somebody had nobody else, and was answered.
    assert_eq!(breaker.succeeded(sent(T0 + 5), T0 + 10), Change::Closed);
    // What hung since the outage times out after it.
    for _ in 0..10 {
        assert_eq!(breaker.failed(sent(T0), 2, T0 + 20, MIDDLE), Change::None);
    }
    assert_eq!(breaker.standing(T0 + 20), Standing::Closed);
}

#[test]
fn whoever_relapses_rests_for_longer_until_it_has_been_well_for_a_while() {
    let breaker = open();
    let mut now = T0 + 1_000;
    for rest in [2_000, 4_000, 8_000] {
        assert!(breaker.takes_probe(now));
        breaker.succeeded(probe(now), now);
        for _ in 0..CONSECUTIVE_MAX {
            breaker.failed(sent(now), 1, now + 100, MIDDLE);
        }
        now += 100 + rest;
        assert_eq!(breaker.standing(now - 1), Standing::Open(now));
    }
    assert!(breaker.takes_probe(now));
    breaker.succeeded(probe(now), now);
    now += 24_000;
    for _ in 0..CONSECUTIVE_MAX {
        breaker.failed(sent(now), 1, now, MIDDLE);
    }
    assert_eq!(breaker.standing(now), Standing::Open(now + REST_MS));
}

#[test]
fn whoever_has_answered_many_calls_since_it_closed_has_not_relapsed() {
    let rest_after = |answers| {
        let breaker = open();
        let mut now = T0 + 1_000;
        let mut rest_ms = 0;
        // Up for two seconds, again and again.
        for _ in 0..4 {
            assert!(breaker.takes_probe(now));
            breaker.succeeded(probe(now), now);
            for _ in 0..answers {
                breaker.succeeded(sent(now + 1), now + 1_000);
            }
            now += 2_000;
            for _ in 0..CONSECUTIVE_MAX {
                breaker.failed(sent(now), 1, now, MIDDLE);
            }
            let Standing::Open(until) = breaker.standing(now) else {
                unreachable!("it has just failed five times");
            };
            rest_ms = until - now;
            now = until;
        }
        rest_ms
    };
    assert_eq!(rest_after(PROBATION_ANSWERS), REST_MS);
    assert_eq!(rest_after(PROBATION_ANSWERS - 1), 16 * REST_MS);
}

#[test]
fn a_probe_that_says_nothing_is_given_back_and_a_lost_one_is_not_missed() {
    let breaker = open();
    assert!(breaker.takes_probe(T0 + 1_000));
    breaker.returns_probe();
    assert_eq!(breaker.standing(T0 + 1_000), Standing::Probe);
    assert!(breaker.takes_probe(T0 + 1_000));
    assert_eq!(breaker.standing(T0 + 1_000 + PROBE_MS_MAX), Standing::Probe);
}

#[test]
fn whoever_ejects_itself_rests_as_long_as_it_says() {
    let breaker = Breaker::default();
    assert_eq!(breaker.eject(sent(T0), 7_000, T0), Change::Opened(7_000));
    assert_eq!(breaker.eject(sent(T0), 9_000, T0), Change::None);
    assert_eq!(breaker.standing(T0 + 6_999), Standing::Open(T0 + 7_000));
    assert_eq!(breaker.standing(T0 + 7_000), Standing::Probe);
    assert!(breaker.takes_probe(T0 + 7_000));
    let again = breaker.eject(probe(T0 + 7_000), 9_000, T0 + 7_000);
    assert_eq!(again, Change::Opened(9_000));
    assert_eq!(breaker.standing(T0 + 15_999), Standing::Open(T0 + 16_000));
}

#[test]
fn threads_that_fail_at_once_open_it_once_and_get_one_probe() {
    for _ in 0..100 {
        let breaker = Breaker::default();
        let opened = AtomicU32::new(0);
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for _ in 0..CONSECUTIVE_MAX {
                        let change = breaker.failed(sent(T0), 1, T0, MIDDLE);
                        opened.fetch_add(u32::from(change != Change::None), Relaxed);
                    }
                });
            }
        });
        assert_eq!(opened.load(Relaxed), 1);
        let probes = AtomicU32::new(0);
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| probes.fetch_add(u32::from(breaker.takes_probe(T0)), Relaxed));
            }
        });
        assert_eq!(probes.load(Relaxed), 1);
    }
}

#[test]
fn whoever_only_looks_on_is_not_counted_and_sees_a_probe_while_it_is_due_or_under_way() {
    let breaker = open();
    for _ in 0..=PASSES_MIN {
        assert_eq!(breaker.seen(T0 + 999), Standing::Open(T0 + 1_000));
    }
    // A probe that failed: the next is due once as many calls have passed as
    // would make it so, and not because somebody looked.
    assert!(breaker.takes_probe(T0 + 1_000));
    assert_eq!(breaker.seen(T0 + 1_001), Standing::Probe, "under way");
    breaker.failed(probe(T0 + 1_000), 1, T0 + 1_001, MIDDLE);
    let between = T0 + 2_500;
    for _ in 0..=PASSES_MIN {
        assert_eq!(breaker.seen(between), Standing::Open(T0 + 3_001));
    }
    for _ in 0..PASSES_MIN {
        let _ = breaker.standing(between);
    }
    assert_eq!(breaker.seen(between), Standing::Probe, "due");
    assert_eq!(breaker.seen(T0 + 3_001), Standing::Probe);
    let closing = breaker.succeeded(probe(between), between);
    assert_eq!(closing, Change::Closed);
    assert_eq!(breaker.seen(between), Standing::Closed);
}

/// A call that would like to use it, and goes elsewhere.
fn passes(breaker: &Breaker, now_ms: u64) -> bool {
    breaker.is_in_debt(now_ms)
}

#[test]
fn one_failure_and_as_many_calls_as_make_a_probe_due_open_it_for_one() {
    let breaker = Breaker::default();
    breaker.failed(sent(T0), 1, T0, MIDDLE);
    for _ in 0..PASSES_MIN {
        assert!(passes(&breaker, T0 + 1_000));
        assert_eq!(breaker.standing(T0 + 1_000), Standing::Closed);
    }
    assert!(passes(&breaker, T0 + 1_000));
    assert_eq!(breaker.standing(T0 + 1_000), Standing::Probe);
    assert!(breaker.takes_probe(T0 + 1_000));
    assert!(matches!(breaker.standing(T0 + 1_000), Standing::Open(_)));
    let back = breaker.succeeded(probe(T0 + 1_000), T0 + 1_001);
    assert_eq!(back, Change::Found, "nobody was told that it opened");
    assert!(!passes(&breaker, T0 + 1_001), "it has all of its traffic");
}

#[test]
fn that_it_closed_is_news_to_whoever_was_told_that_it_opened() {
    let breaker = Breaker::default();
    breaker.failed(sent(T0), 1, T0, MIDDLE);
    for _ in 0..=PASSES_MIN {
        passes(&breaker, T0 + 1_000);
    }
    // The call that was to find out found it broken: that is told.
    assert!(breaker.takes_probe(T0 + 1_000));
    let found = breaker.failed(probe(T0 + 1_000), 1, T0 + 1_001, MIDDLE);
    assert!(matches!(found, Change::Opened(_)));
    let back = breaker.succeeded(probe(T0 + 9_000), T0 + 9_001);
    assert_eq!(back, Change::Closed);
    // What opened of itself is told too, and the next quiet one is quiet again.
    for _ in 0..CONSECUTIVE_MAX {
        breaker.failed(sent(T0 + 20_000), 1, T0 + 20_000, MIDDLE);
    }
    let back = breaker.succeeded(probe(T0 + 29_000), T0 + 29_001);
    assert_eq!(back, Change::Closed);
    breaker.failed(sent(T0 + 40_000), 1, T0 + 40_000, MIDDLE);
    for _ in 0..=PASSES_MIN {
        passes(&breaker, T0 + 41_000);
    }
    assert!(breaker.is_open());
    let back = breaker.succeeded(probe(T0 + 42_000), T0 + 42_001);
    assert_eq!(back, Change::Found);
}

#[test]
fn calls_that_are_sent_to_it_do_not_pass_it_over() {
    let breaker = Breaker::default();
    breaker.failed(sent(T0), 1, T0, MIDDLE);
    for _ in 0..10 * PASSES_MIN {
        assert!(breaker.is_in_debt(T0));
        breaker.note_used();
    }
    assert!(!breaker.is_open());
}

/// Otherwise one that fails every other time would be asked by half of all
/// calls after each probe that went well.
#[test]
fn whoever_fails_soon_after_such_a_probe_rests_for_longer_each_time() {
    let breaker = Breaker::default();
    let mut now = T0;
    let mut rests = Vec::new();
    for _ in 0..5 {
        breaker.failed(sent(now), 1, now, MIDDLE);
        now += 500;
        (0..=PASSES_MIN).for_each(|_| assert!(passes(&breaker, now)));
        let rest = match breaker.standing(now) {
            Standing::Open(until) => until - now,
            Standing::Probe | Standing::Closed => 0,
        };
        rests.push(rest);
        now += rest;
        assert_eq!(breaker.standing(now), Standing::Probe);
        assert!(breaker.takes_probe(now));
        breaker.succeeded(probe(now), now);
    }
    assert_eq!(rests, [0, 2_000, 4_000, 8_000, 16_000]);
}

/// Each costs its caller a deadline.
#[test]
fn probes_that_are_not_answered_in_time_take_twice_as_many_calls_each() {
    let breaker = open();
    let mut now = T0 + 1_000;
    let mut due = Vec::new();
    for weight in [2, 2, 2, 2, 2, 1] {
        assert!(breaker.takes_probe(now));
        breaker.failed(probe(now), weight, now, MIDDLE);
        // Any rest that is chosen is over by then, and the probe not due by time.
        now = breaker.open_until.load(Relaxed);
        breaker.probe_by.store(now + 1, Relaxed);
        due.push((1..).find(|_| breaker.standing(now) == Standing::Probe));
    }
    let times = [2, 4, 8, 8, 8, 1].map(|times| Some(times * PASSES_MIN));
    assert_eq!(due, times);
}

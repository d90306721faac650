//! A worker in one thread, without waiting: tasks become ready, stand in one
//! line, and take their time, as on a single-threaded runtime. A seed replays
//! it.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};

use super::overload::{LATE, Overload};
use super::priority::Priority;

/// What a worker's work takes, in microseconds.
#[derive(Debug, Clone, Copy)]
struct Work {
    /// From the head to the dispatch.
    begin: u64,
    /// Each piece of an answer.
    piece: u64,
    pieces: u64,
    /// A refusal.
    refuse: u64,
    /// How long a provider thinks, and how long it takes between two pieces.
    thinks: u64,
    gap: u64,
}

/// A small answer of a provider that does not think, on a small machine. A
/// refusal is a hundredth of it.
const SHORT: Work = Work {
    begin: 300,
    piece: 140,
    pieces: 1,
    refuse: 4,
    thinks: 500,
    gap: 0,
};

/// The same on a large one, where a refusal is a tenth.
const SHORTER: Work = Work {
    begin: 30,
    piece: 14,
    ..SHORT
};

/// A model: it thinks for seconds, then streams.
const MODEL: Work = Work {
    begin: 300,
    piece: 20,
    pieces: 100,
    refuse: 20,
    thinks: 3_000_000,
    gap: 20_000,
};

impl Work {
    const fn call_us(self) -> u64 {
        self.begin + self.pieces * self.piece
    }

    /// The most calls a second.
    const fn peak(self) -> u64 {
        1_000_000 / self.call_us()
    }

    /// The most calls a second of so many that arrive, if all others are
    /// refused: refusals take their time as well.
    fn peak_beside_refusals(self, rate: u64) -> u64 {
        let left = 1_000_000_u64.saturating_sub(rate * self.refuse);
        left / (self.call_us() - self.refuse)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Task {
    Arrives {
        arrived_us: u64,
    },
    /// So many pieces of the answer to a call that arrived then are left.
    Piece {
        arrived_us: u64,
        left: u64,
    },
    Probe,
}

#[derive(Debug, Default)]
struct Seen {
    /// When calls were answered, and how long that took.
    answered: Vec<(u64, u64)>,
    refused: u64,
}

impl Seen {
    /// Calls a second that arrived within a time and were answered.
    fn goodput(&self, from_us: u64, to_us: u64) -> u64 {
        let counts = |(at, _): &&(u64, u64)| (from_us..to_us).contains(at);
        let answered = self.answered.iter().filter(counts).count() as u64;
        answered * 1_000_000 / (to_us - from_us)
    }

    fn percentile_us(&self, percent: usize, from_us: u64) -> u64 {
        let late = self.answered.iter().filter(|(at, _)| *at >= from_us);
        let mut times: Vec<u64> = late.map(|(_, took)| *took).collect();
        times.sort_unstable();
        times[(times.len() * percent / 100).min(times.len() - 1)]
    }
}

struct Worker {
    random: u64,
    now_us: u64,
    work: Work,
    /// When the next call arrives, how far apart they are, and until when.
    next_us: u64,
    apart_us: f64,
    last_us: u64,
    /// What else becomes ready later.
    later: BinaryHeap<Reverse<(u64, Task)>>,
    ready: VecDeque<Task>,
    overload: Option<Overload>,
    running: u32,
    seen: Seen,
    /// How long the worker has its core, until others have it, and how long they
    /// do, on average.
    turns_us: Option<(u64, u64)>,
    /// What is left of its turn, in microseconds.
    left_us: u64,
    /// For how long others have its core in the middle of its next piece of work.
    away_us: u64,
}

impl Worker {
    fn new(work: Work, seed: u64, sheds: bool) -> Self {
        Self {
            random: seed,
            // Times are above zero.
            now_us: 1_000_000,
            work,
            next_us: u64::MAX,
            apart_us: 0.0,
            last_us: 0,
            later: BinaryHeap::new(),
            ready: VecDeque::new(),
            overload: sheds.then(|| Overload::new(LATE)),
            running: 0,
            seen: Seen::default(),
            turns_us: None,
            left_us: 0,
            away_us: 0,
        }
    }

    /// The same worker on a core that it shares with others, as busy as it is.
    fn sharing(self, turn_us: u64, away_us: u64) -> Self {
        Self {
            turns_us: Some((turn_us, away_us)),
            left_us: turn_us,
            ..self
        }
    }

    /// Works for so long.
    fn works(&mut self, us: u64) {
        self.now_us += us + std::mem::take(&mut self.away_us);
        let Some((turn_us, away_us)) = self.turns_us else {
            return;
        };
        if us >= self.left_us {
            #[allow(clippy::cast_precision_loss)] // Some milliseconds.
            let [away, turn] = [away_us, turn_us].map(|us| us as f64);
            self.now_us += self.exponential_us(away);
            self.left_us = self.exponential_us(turn);
        } else {
            self.left_us -= us;
        }
    }

    /// A number from 0 to 1 (splitmix64), never 0.
    fn draw(&mut self) -> f64 {
        self.random = self.random.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut bits = self.random;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        bits ^= bits >> 31;
        #[allow(clippy::cast_precision_loss)] // 53 bits.
        let uniform = ((bits >> 11) + 1) as f64 / (1_u64 << 53) as f64;
        uniform
    }

    /// A time with this mean, as between arrivals that know nothing of each
    /// other.
    fn exponential_us(&mut self, mean_us: f64) -> u64 {
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
        let us = (-self.draw().ln() * mean_us) as u64;
        us
    }

    /// From now on calls arrive at a rate, whatever becomes of them.
    fn arrive(&mut self, rate: u64, until_us: u64) {
        #[allow(clippy::cast_precision_loss)] // Some thousands.
        let apart_us = 1_000_000.0 / rate as f64;
        self.apart_us = apart_us;
        self.last_us = until_us;
        self.next_us = self.now_us;
    }

    /// Puts what has become ready into the line, the oldest first.
    fn wake(&mut self) {
        loop {
            let later = self.later.peek().map_or(u64::MAX, |Reverse((at, _))| *at);
            if later.min(self.next_us) > self.now_us {
                return;
            }
            if later <= self.next_us {
                let task = self.later.pop().map(|Reverse((_, task))| task);
                self.ready.extend(task);
                continue;
            }
            let arrived_us = self.next_us;
            self.ready.push_back(Task::Arrives { arrived_us });
            let next = arrived_us + self.exponential_us(self.apart_us);
            self.next_us = if next < self.last_us { next } else { u64::MAX };
        }
    }

    /// When something is next to be done; `None`: never.
    fn next(&self) -> Option<u64> {
        let later = self.later.peek().map_or(u64::MAX, |Reverse((at, _))| *at);
        Some(later.min(self.next_us)).filter(|at| *at < u64::MAX)
    }

    /// Runs until a time. So many clients send their next call when one is
    /// answered or refused.
    fn run(&mut self, until_us: u64, clients: u32) {
        let arrived_us = self.now_us;
        for _ in 0..clients {
            self.ready.push_back(Task::Arrives { arrived_us });
        }
        while self.now_us < until_us {
            self.wake();
            let Some(task) = self.ready.pop_front() else {
                match self.next() {
                    Some(at) => self.now_us = at,
                    None => return,
                }
                continue;
            };
            let is_over = self.step(task);
            if is_over && clients > 0 {
                let arrived_us = self.now_us;
                self.ready.push_back(Task::Arrives { arrived_us });
            }
        }
    }

    /// Whether a call is over with it.
    fn step(&mut self, task: Task) -> bool {
        match task {
            Task::Arrives { arrived_us } => return !self.begins(arrived_us),
            Task::Probe => {
                let overload = self.overload.as_ref().unwrap();
                overload.probed(self.now_us);
            }
            Task::Piece { arrived_us, left } => {
                self.works(self.work.piece);
                if left == 1 {
                    self.running -= 1;
                    self.seen
                        .answered
                        .push((self.now_us, self.now_us - arrived_us));
                    return true;
                }
                let next = Task::Piece {
                    arrived_us,
                    left: left - 1,
                };
                let at = self.now_us + self.work.gap;
                self.later.push(Reverse((at, next)));
            }
        }
        false
    }

    fn begins(&mut self, arrived_us: u64) -> bool {
        let now = self.now_us;
        let admits = self.overload.as_ref().is_none_or(|overload| {
            if overload.sends_probe(now) {
                self.ready.push_back(Task::Probe);
            }
            overload.admits(Priority::Interactive, self.running, now)
        });
        if !admits {
            self.works(self.work.refuse);
            self.seen.refused += 1;
            return false;
        }
        self.running += 1;
        self.works(self.work.begin);
        #[allow(clippy::cast_precision_loss)]
        let thinks = self.exponential_us(self.work.thinks as f64);
        let piece = Task::Piece {
            arrived_us,
            left: self.work.pieces,
        };
        self.later.push(Reverse((self.now_us + thinks, piece)));
        true
    }
}

const S: u64 = 1_000_000;

/// What 99 of 100 calls stay below when 64 clients keep the worker at its peak:
/// what `./dev soak resilience` calls usual.
fn usual_p99_us(work: Work) -> u64 {
    let mut worker = Worker::new(work, 1, true);
    worker.run(6 * S, 64);
    let peak = worker.seen.goodput(2 * S, 6 * S);
    assert!(peak * 100 >= work.peak() * 99, "{peak} of {}", work.peak());
    worker.seen.percentile_us(99, 0)
}

/// So many times the peak for ten seconds, from a start.
fn overloaded(work: Work, seed: u64, times: u64, sheds: bool) -> Seen {
    let mut worker = Worker::new(work, seed, sheds);
    worker.arrive(times * work.peak(), 11 * S);
    worker.run(11 * S, 0);
    worker.seen
}

#[test]
fn beyond_its_peak_a_worker_serves_what_it_can_as_fast_as_usual_and_refuses_the_rest() {
    for (work, times) in [(SHORT, 2), (SHORT, 4), (SHORT, 10), (SHORTER, 4)] {
        let usual = usual_p99_us(work);
        let possible = work.peak_beside_refusals(times * work.peak());
        for seed in 0..3 {
            let seen = overloaded(work, seed, times, true);
            let goodput = seen.goodput(S, 11 * S);
            // In the first moments nobody has been late yet.
            let p99 = seen.percentile_us(99, 2 * S);
            let what = format!("{work:?}, {times} times the peak, seed {seed}");
            assert!(
                goodput * 100 >= possible * 95,
                "{goodput}/s of {possible}/s: {what}"
            );
            assert!(p99 <= 2 * usual, "{p99} µs, usually {usual}: {what}");
        }
    }
    // Where a refusal costs a hundredth of a call, that is 95 % of the peak.
    let seen = overloaded(SHORT, 0, 4, true);
    assert!(seen.goodput(S, 11 * S) * 100 >= SHORT.peak() * 95);
}

#[test]
fn without_refusals_everybody_waits_for_seconds() {
    let seen = overloaded(SHORT, 0, 4, false);
    assert!(seen.percentile_us(50, 0) > S);
}

#[test]
fn clients_that_wait_for_their_answers_are_not_refused() {
    for (work, clients) in [
        (SHORT, 1),
        (SHORT, 64),
        (SHORT, 256),
        (SHORTER, 256),
        (SHORTER, 512),
    ] {
        let mut worker = Worker::new(work, 7, true);
        worker.run(3 * S, clients);
        assert_eq!(worker.seen.refused, 0, "{clients} clients");
        assert!(worker.seen.answered.len() > 1_000);
    }
}

#[test]
fn a_worker_learns_how_many_calls_of_models_it_has_time_for_and_is_well_soon_after() {
    let possible = MODEL.peak_beside_refusals(4 * MODEL.peak());
    let mut worker = Worker::new(MODEL, 3, true);
    worker.arrive(4 * MODEL.peak(), 61 * S);
    worker.run(61 * S, 0);
    let goodput = worker.seen.goodput(46 * S, 61 * S);
    assert!(
        goodput * 100 >= possible * 90,
        "{goodput}/s of {possible}/s"
    );

    let mut worker = Worker::new(MODEL, 3, false);
    worker.arrive(4 * MODEL.peak(), 21 * S);
    worker.run(21 * S, 0);
    let goodput = worker.seen.goodput(16 * S, 21 * S);
    assert!(goodput * 10 < possible, "{goodput}/s of {possible}/s");
}

#[test]
fn two_seconds_after_an_overload_nobody_is_refused_at_half_of_the_peak() {
    for work in [SHORT, SHORTER] {
        let mut worker = Worker::new(work, 5, true);
        worker.arrive(10 * work.peak(), 6 * S);
        worker.run(6 * S, 0);
        assert!(worker.seen.refused > 0);
        worker.arrive(work.peak() / 2, 12 * S);
        worker.run(8 * S, 0);
        let refused = worker.seen.refused;
        worker.run(12 * S, 0);
        assert_eq!(worker.seen.refused, refused);
        let p99 = worker.seen.percentile_us(99, 8 * S);
        assert!(p99 <= 2 * usual_p99_us(work), "{p99} µs");
    }
}

/// Load, provider and worker share two cores, as in `./dev soak resilience`: a
/// ready call is late because others have the core, and an answer because its
/// provider waits for one. Then it takes more calls at once to be as busy as at the
/// peak.
#[test]
fn on_a_core_that_it_shares_a_worker_is_kept_busy_beyond_its_peak() {
    let stream = Work {
        begin: 60,
        piece: 20,
        pieces: 20,
        refuse: 12,
        thinks: 25_000,
        gap: 300,
    };
    let shared = |seed| Worker::new(stream, seed, true).sharing(3_000, 3_000);
    let mut usual = shared(1);
    usual.run(6 * S, 64);
    let peak = usual.seen.goodput(S, 6 * S);
    let usual_p99 = usual.seen.percentile_us(99, S);
    for (times, least_percent) in [(2, 85), (4, 85), (10, 70)] {
        let shares = (2..7).map(|seed| {
            let mut worker = shared(seed);
            worker.arrive(times * peak, 6 * S);
            worker.run(6 * S, 0);
            // What came until somebody was refused shares a core with refusals.
            let p99 = worker.seen.percentile_us(99, 3 * S);
            assert!(p99 <= 2 * usual_p99, "{times} times, seed {seed}: {p99} µs");
            worker.seen.goodput(S, 6 * S) * 100 / peak
        });
        let shares: Vec<u64> = shares.collect();
        println!("{times} times the peak of {peak}/s: {shares:?} %");
        let mean = shares.iter().sum::<u64>() / shares.len() as u64;
        assert!(mean >= least_percent, "{times} times: {shares:?} %");
    }
}

/// A provider that thinks for a minute.
const SLOW: Work = Work {
    thinks: 60 * S,
    ..SHORTER
};

#[test]
fn a_moment_without_its_core_makes_a_worker_with_idle_streams_refuse_nobody() {
    for streams in [1_000, 5_000] {
        for away_us in [30_000, 200_000] {
            let mut worker = Worker::new(SLOW, 4, true);
            worker.running = streams;
            worker.arrive(500, 6 * S);
            for second in 2..6 {
                worker.run(second * S, 0);
                worker.away_us = away_us;
            }
            worker.run(6 * S, 0);
            let what = format!("{streams} streams, away for {away_us} µs");
            assert_eq!(worker.seen.refused, 0, "{what}");
            assert!(worker.running > streams + 2_000, "{what}");
        }
    }
}

#[test]
fn a_thousand_calls_at_once_are_served_where_that_takes_a_moment() {
    let mut worker = Worker::new(SHORTER, 6, true);
    let arrived_us = worker.now_us;
    let calls = (0..1_000).map(|_| Task::Arrives { arrived_us });
    worker.ready.extend(calls);
    worker.run(2 * S, 0);
    assert_eq!(worker.seen.refused, 0);
    assert_eq!(worker.seen.answered.len(), 1_000);
}

/// More streams than ran in the overload are there soon after it.
#[test]
fn two_seconds_after_an_overload_idle_streams_keep_nobody_out() {
    for streams in [1_000, 5_000] {
        let mut worker = Worker::new(SHORTER, 8, true);
        worker.running = streams;
        worker.arrive(10 * SHORTER.peak(), 2 * S);
        worker.run(2 * S, 0);
        assert!(worker.seen.refused > 1_000);
        // From now on they stay.
        worker.work = SLOW;
        worker.arrive(300, 20 * S);
        worker.run(4 * S, 0);
        let refused = worker.seen.refused;
        worker.run(20 * S, 0);
        assert_eq!(worker.seen.refused, refused, "{streams} streams");
        assert!(worker.running > streams + 4_000);
    }
}

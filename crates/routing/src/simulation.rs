//! A market in one thread, without waiting: calls arrive, are planned, sent,
//! fail and are sent again as the data plane does it, and providers behave as
//! a script says. A seed replays it.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::sync::Arc;
use std::time::Duration;

use bourse_vocab::failure::UpstreamError;
use bourse_vocab::{Failure, FailureKind, Quality};

use crate::arrange::{Lot, arrange};
use crate::bucket::Bucket;
use crate::budget::Demand;
use crate::candidate::{Candidate, WHOLE};
use crate::classes::{Class, Place};
use crate::health::{Health, Outcome, Ticket};
use crate::lengths::Thought;
use crate::plan::{Plan, Step};
use crate::preferences::Preferences;
use crate::quota::PAUSE_MS;

mod healing;
mod limits;
mod tests;

/// The configured deadlines, as the data plane has them by default.
const FIRST_SIGN_MS: u64 = 30_000;
const LAST_MS: u64 = 300_000;
const IDLE_MS: u64 = 120_000;
/// How often a deadline that is not learned yet is asked for again.
const ASKED_EVERY_MS: u64 = 1_000;
/// How long an answer takes after its first content, unless a world says so.
const ANSWER_MS: u64 = 300;
const T0: u64 = 1_763_683_200_000;

/// What a provider does with an attempt.
#[derive(Debug, Clone, Copy)]
enum Reply {
    /// It answers after so many milliseconds.
    Answers(u64),
    /// It fails after so many.
    Fails(u64),
    /// It accepts and says nothing.
    Silent,
    /// It begins to answer after so many milliseconds, and then says nothing.
    Stalls(u64),
    /// It is at its limit, and may say for how long.
    Limited(Option<u64>),
    /// It answers after so many milliseconds, and says that nothing is left of
    /// its limit: when one request is taken again, and when it is whole.
    AnswersTheLast(u64, [u64; 2]),
}

/// A small generator of numbers (splitmix64): the same everywhere.
struct Random(u64);

impl Random {
    fn next(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut bits = self.0;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        bits ^= bits >> 31;
        #[allow(clippy::cast_precision_loss)] // 53 bits.
        let uniform = (bits >> 11) as f64 / (1_u64 << 53) as f64;
        uniform
    }

    /// A time to the first content of a provider that is well.
    fn first_content(&mut self) -> u64 {
        // A tail of one in fifty that takes three times as long.
        let slow = if self.next() < 0.02 { 3.0 } else { 1.0 };
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
        let ms = ((150.0 + 300.0 * self.next()) * slow) as u64;
        ms
    }
}

/// How a provider behaves: by the time since the beginning in milliseconds.
type Script = Box<dyn Fn(u64, &mut Random) -> Reply>;

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Event {
    Arrives,
    /// The attempt of this number of a call is answered, or fails.
    Answered(usize, u32),
    /// It begins to be, and comes to no end.
    Begun(usize, u32),
    Failed(usize, u32),
    Limited(usize, u32, Option<u64>),
    /// A provider says that nothing is left of its limit.
    UsedUp(usize, [u64; 2]),
    /// Its deadline may have passed.
    Due(usize, u32),
    Ended(usize),
    /// An answer that has begun is given up.
    Stalled(usize),
}

struct Call {
    plan: Plan<usize>,
    step: Step<usize>,
    ticket: Option<Ticket>,
    sent_at: u64,
    number: u32,
    begun_at: u64,
    is_over: bool,
}

/// What was sent to whom.
#[derive(Debug, Clone, Copy)]
struct Sent {
    at: u64,
    target: usize,
    is_first: bool,
    is_probe: bool,
}

struct World {
    random: Random,
    now: u64,
    events: BinaryHeap<Reverse<(u64, u64, Event)>>,
    count: u64,
    scripts: Vec<Script>,
    healths: Vec<Arc<Health>>,
    demand: Demand,
    calls: Vec<Call>,
    /// Everything that was sent.
    sent: Vec<Sent>,
    /// Calls that were answered, and those that were not.
    answered: u64,
    failed: u64,
    /// The longest that an answered call waited for its first content.
    longest: u64,
    /// Failures and their times, by target.
    failures: Vec<(u64, usize)>,
    /// Until when a target has said that it rests.
    rests: Vec<u64>,
    /// Attempts that were sent within such a rest.
    too_early: u64,
    /// Calls that found everybody resting.
    told_to_wait: u64,
    /// Nobody looks at who is full, and whoever refuses without naming a time
    /// comes last for a second: what there would be without learning.
    is_blind: bool,
    last_until: Vec<u64>,
    /// How long an answer takes after its first content.
    answer_ms: u64,
    /// After how long an answer that says nothing more is given up.
    stall_ms: u64,
}

impl World {
    fn new(seed: u64, scripts: Vec<Script>) -> Self {
        let model = Arc::default();
        let count = scripts.len();
        let healths = scripts
            .iter()
            .map(|_| Arc::new(Health::of(&Arc::default(), &Arc::default(), &model)));
        Self {
            random: Random(seed),
            now: 0,
            events: BinaryHeap::new(),
            count: 0,
            healths: healths.collect(),
            rests: vec![0; count],
            scripts,
            demand: Demand::default(),
            calls: Vec::new(),
            sent: Vec::new(),
            answered: 0,
            failed: 0,
            longest: 0,
            failures: Vec::new(),
            too_early: 0,
            told_to_wait: 0,
            is_blind: false,
            last_until: vec![0; count],
            answer_ms: ANSWER_MS,
            stall_ms: IDLE_MS,
        }
    }

    fn bucket() -> Bucket {
        Bucket::of(500, Thought::None, true)
    }

    /// Lets `calls` arrive at a rate, and lives until all have ended.
    fn run(&mut self, calls: u64, per_second: u64) {
        for call in 0..calls {
            self.at(call * 1_000 / per_second, Event::Arrives);
        }
        while let Some(Reverse((at, _, event))) = self.events.pop() {
            self.now = at;
            self.happens(event);
        }
    }

    fn at(&mut self, at: u64, event: Event) {
        self.count += 1;
        self.events.push(Reverse((at, self.count, event)));
    }

    fn happens(&mut self, event: Event) {
        match event {
            Event::Arrives => self.arrives(),
            Event::Answered(call, number) if self.is_current(call, number) => {
                self.begins_to_answer(call);
                self.at(self.now + self.answer_ms, Event::Ended(call));
            }
            Event::Begun(call, number) if self.is_current(call, number) => {
                self.begins_to_answer(call);
                self.at(self.now + self.stall_ms, Event::Stalled(call));
            }
            Event::Stalled(call) => {
                let silence = Failure::new(FailureKind::Timeout, "it stopped");
                let ticket = self.calls[call].ticket.take().unwrap();
                let outcome = Outcome::of(&silence, Place::Sent);
                ticket.end(T0 + self.now, outcome, self.random.next());
            }
            Event::Ended(call) => {
                let first_token_ms = 300;
                let success = Outcome::Success {
                    first_token_ms,
                    tokens: 100,
                    total_ms: first_token_ms + self.answer_ms,
                };
                let ticket = self.calls[call].ticket.take().unwrap();
                ticket.end(T0 + self.now, success, 0.5);
            }
            Event::Failed(call, number) if self.is_current(call, number) => {
                self.fails(call, &status(FailureKind::Unavailable, 500));
            }
            Event::Limited(call, number, rest) if self.is_current(call, number) => {
                let mut limited = status(FailureKind::RateLimited, 429);
                if let Some(rest) = rest {
                    limited = limited.retry_after(Duration::from_millis(rest));
                    let until = self.now + rest.min(crate::health::COOLDOWN_MAX_MS);
                    let rests = &mut self.rests[self.calls[call].step.target];
                    *rests = until.max(*rests);
                } else {
                    let target = self.calls[call].step.target;
                    self.last_until[target] = self.now + PAUSE_MS;
                }
                self.fails(call, &limited);
            }
            Event::UsedUp(target, [first_ms, whole_ms]) if !self.is_blind => {
                self.healths[target].note_used_up(T0 + self.now, first_ms, whole_ms);
                self.rests[target] = self.rests[target].max(self.now + first_ms);
            }
            Event::Due(call, number) if self.is_current(call, number) => self.is_due(call),
            _ => {}
        }
    }

    fn begins_to_answer(&mut self, call: usize) {
        let now = self.now;
        let call = &mut self.calls[call];
        call.is_over = true;
        self.answered += 1;
        self.longest = self.longest.max(now - call.begun_at);
        call.ticket.as_mut().unwrap().answered(T0 + now);
    }

    fn is_current(&self, call: usize, number: u32) -> bool {
        let call = &self.calls[call];
        !call.is_over && call.number == number
    }

    fn comes_last(&self, target: usize) -> bool {
        if self.is_blind {
            self.now < self.last_until[target]
        } else {
            self.healths[target].is_full(T0 + self.now)
        }
    }

    fn candidates(&self) -> Vec<Candidate> {
        let now_ms = T0 + self.now;
        let healths = (0..).zip(&self.healths);
        healths
            .map(|(target, health)| Candidate {
                unstable: health.is_unstable(now_ms) || self.comes_last(target as usize),
                target,
                model_rank: 0,
                order_rank: None,
                service_rank: 0,
                share: WHOLE,
                price: 1_000,
                standing: health.standing(now_ms),
                in_flight: health.in_flight(),
                expected_ms: health.expected_ms(Self::bucket(), now_ms),
                has_finished: health.has_finished(),
                cooldown_ms: health.cooldown_ms(now_ms),
                latency_ms: None,
                throughput: None,
                deprioritised: false,
                is_stuck: false,
                quality: Quality::Unknown,
            })
            .collect()
    }

    fn arrives(&mut self) {
        let mut candidates = self.candidates();
        let lot = Lot::single(self.random.next());
        let resting = candidates.iter().all(|one| one.cooldown_ms.is_some());
        arrange(&mut candidates, &Preferences::default(), None, lot);
        let steps = candidates.iter().map(|one| (one.target as usize, 0));
        let Some(mut plan) = Plan::new(steps) else {
            assert!(resting, "nobody is left although somebody may be asked");
            self.told_to_wait += 1;
            return;
        };
        let first = plan.next(|_| true);
        let Some((step, ticket)) = self.enter(&mut plan, first) else {
            panic!("a plan whose last target is not entered");
        };
        self.demand.begins(T0 + self.now);
        let call = self.calls.len();
        self.calls.push(Call {
            plan,
            step,
            ticket: None,
            sent_at: 0,
            number: 0,
            begun_at: self.now,
            is_over: false,
        });
        self.send(call, ticket);
    }

    fn may_use(&self, target: usize) -> bool {
        self.healths[target].cooldown_ms(T0 + self.now).is_none()
    }

    fn enter(
        &self,
        plan: &mut Plan<usize>,
        mut step: Option<Step<usize>>,
    ) -> Option<(Step<usize>, Ticket)> {
        loop {
            let tried = step?;
            let health = &self.healths[tried.target];
            if let Some(ticket) = health.enter(Self::bucket(), T0 + self.now, tried.is_last) {
                return Some((tried, ticket));
            }
            plan.pass_over();
            let may_use = |target: &usize| self.may_use(*target);
            let is_well = |target: &usize| self.healths[*target].is_well(Self::bucket());
            step = plan.next(may_use).or_else(|| plan.back(may_use, is_well));
        }
    }

    fn send(&mut self, call: usize, ticket: Ticket) {
        let now = self.now;
        let running = &mut self.calls[call];
        running.number += 1;
        running.sent_at = now;
        let (target, number) = (running.step.target, running.number);
        assert!(number <= crate::plan::ATTEMPTS_MAX);
        self.sent.push(Sent {
            at: now,
            target,
            is_first: number == 1,
            is_probe: ticket.is_probe(),
        });
        running.ticket = Some(ticket);
        self.too_early += u64::from(now < self.rests[target]);
        match self.scripts[target](now, &mut self.random) {
            Reply::Answers(ms) => self.at(now + ms, Event::Answered(call, number)),
            Reply::Fails(ms) => self.at(now + ms, Event::Failed(call, number)),
            Reply::Limited(rest) => self.at(now + 20, Event::Limited(call, number, rest)),
            Reply::Silent => {}
            Reply::Stalls(ms) => self.at(now + ms, Event::Begun(call, number)),
            Reply::AnswersTheLast(ms, left) => {
                self.at(now + ms, Event::UsedUp(target, left));
                self.at(now + ms, Event::Answered(call, number));
            }
        }
        let first = self.deadline(call).min(ASKED_EVERY_MS);
        self.at(now + first, Event::Due(call, number));
    }

    fn deadline(&self, call: usize) -> u64 {
        let step = &self.calls[call].step;
        if step.is_last {
            return LAST_MS;
        }
        let health = &self.healths[step.target];
        let learned = health.deadline_ms(Self::bucket(), FIRST_SIGN_MS);
        learned.unwrap_or(FIRST_SIGN_MS)
    }

    fn is_due(&mut self, call: usize) {
        let (deadline, number) = (self.deadline(call), self.calls[call].number);
        let waited = self.now - self.calls[call].sent_at;
        if waited >= deadline {
            let late = Failure::new(FailureKind::Timeout, "late");
            self.fails(call, &late);
        } else {
            let next = (deadline - waited).min(ASKED_EVERY_MS);
            self.at(self.now + next, Event::Due(call, number));
        }
    }

    fn fails(&mut self, call: usize, failure: &Failure) {
        let now_ms = T0 + self.now;
        let random = self.random.next();
        let Call { step, ticket, .. } = &mut self.calls[call];
        let failed = step.clone();
        self.failures.push((self.now, failed.target));
        let outcome = Outcome::of(failure, Place::Sent);
        ticket.take().unwrap().end(now_ms, outcome, random);
        let then = Class::of(failure, Place::Sent).then(failure);
        let mut plan = self.calls[call].plan.clone();
        let is_well = |target: &usize| self.healths[*target].is_well(Self::bucket());
        let next = plan.after(&failed, then, |target| self.may_use(*target), is_well);
        let next = self.enter(&mut plan, next);
        self.calls[call].plan = plan;
        let next = next.filter(|(step, _)| {
            let health = &self.healths[step.target];
            let (second, is_failing) = (health.second_attempts(), health.is_failing());
            self.demand.allows(second, is_failing, now_ms)
        });
        match next {
            Some((step, ticket)) => {
                self.calls[call].step = step;
                self.send(call, ticket);
            }
            None => {
                self.calls[call].is_over = true;
                self.failed += 1;
            }
        }
    }

    /// Attempts at a target, of those that a test is about.
    fn sent_to(&self, target: usize, is_meant: impl Fn(&Sent) -> bool) -> u64 {
        let sent = self.sent.iter();
        sent.filter(|sent| sent.target == target && is_meant(sent))
            .count() as u64
    }

    /// The largest share of second attempts among calls, in thousandths, of
    /// all windows of so many seconds that have so many calls at least.
    fn worst_window(&self, seconds: u64, calls_min: u64) -> u64 {
        let last = self.sent.last().map_or(0, |sent| sent.at / 1_000);
        let mut by_second = vec![(0_u64, 0_u64); usize::try_from(last).unwrap() + 1];
        for sent in &self.sent {
            let slot = &mut by_second[usize::try_from(sent.at / 1_000).unwrap()];
            if sent.is_first {
                slot.0 += 1;
            } else {
                slot.1 += 1;
            }
        }
        let windows = by_second.windows(usize::try_from(seconds).unwrap());
        windows
            .map(|window| {
                let sums = window.iter();
                sums.fold((0, 0), |sum, one| (sum.0 + one.0, sum.1 + one.1))
            })
            .filter(|(calls, _)| *calls >= calls_min)
            .map(|(calls, more)| more * 1_000 / calls)
            .max()
            .unwrap_or(0)
    }

    /// What holds whatever providers do.
    fn check(&self, seed: u64) {
        let calls = self.calls.len() as u64;
        assert_eq!(self.answered + self.failed, calls, "seed {seed}");
        for (target, health) in self.healths.iter().enumerate() {
            assert_eq!(health.in_flight(), 0, "{target}, seed {seed}");
        }
        assert_eq!(self.too_early, 0, "within an announced rest, seed {seed}");
        let first = self.sent.iter().filter(|sent| sent.is_first).count() as u64;
        assert_eq!(first, calls, "seed {seed}");
    }
}

fn status(kind: FailureKind, status: u16) -> Failure {
    Failure::new(kind, "no").upstream(UpstreamError {
        status: Some(status),
        ..UpstreamError::default()
    })
}

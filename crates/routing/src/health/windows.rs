//! What is counted of an endpoint, by time.

pub(super) const SLOT_MS: u64 = 300_000;
pub(super) const SLOTS: usize = 7;
const MINUTES: usize = 1_440;
/// A minute counts towards uptime once it has seen this many attempts.
pub(super) const MINUTE_ATTEMPTS_MIN: u32 = 10;

#[derive(Debug)]
pub(super) struct Slot {
    pub number: u64,
    pub latency_ms: histogram::Histogram,
    pub tokens_per_second: histogram::Histogram,
}

#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Minute {
    pub number: u64,
    pub attempts: u32,
    pub successes: u32,
}

#[derive(Debug)]
pub(super) struct Windows {
    pub slots: Vec<Slot>,
    pub minutes: Vec<Minute>,
}

impl Windows {
    pub fn new() -> Self {
        Self {
            slots: Vec::new(),
            minutes: Vec::new(),
        }
    }

    pub fn slot(&mut self, now_ms: u64) -> Option<&mut Slot> {
        let number = now_ms / SLOT_MS;
        self.slots
            .retain(|slot| slot.number + SLOTS as u64 > number);
        if !self.slots.iter().any(|slot| slot.number == number) {
            // Seven significant steps a doubling, up to 2^22 ms (over an
            // hour): at most 7 % off, 1 KiB.
            let fresh = || histogram::Histogram::new(4, 22).ok();
            self.slots.push(Slot {
                number,
                latency_ms: fresh()?,
                tokens_per_second: fresh()?,
            });
        }
        self.slots.iter_mut().find(|slot| slot.number == number)
    }

    pub fn minute(&mut self, now_ms: u64) -> Option<&mut Minute> {
        let number = now_ms / 60_000;
        let at = usize::try_from(number % MINUTES as u64).ok()?;
        if self.minutes.len() <= at {
            self.minutes.resize(at + 1, Minute::default());
        }
        let minute = self.minutes.get_mut(at)?;
        if minute.number != number {
            *minute = Minute {
                number,
                attempts: 0,
                successes: 0,
            };
        }
        Some(minute)
    }

    pub fn attempt_failed(&mut self, now_ms: u64) {
        if let Some(minute) = self.minute(now_ms) {
            minute.attempts = minute.attempts.saturating_add(1);
        }
    }
}

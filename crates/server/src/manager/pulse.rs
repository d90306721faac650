//! Whether a thread still turns.
//!
//! A timer of the watchdog's own would only show that the watchdog runs. So
//! every thread is asked, and answers in a task of its own runtime: one that
//! is stuck in a loop, a lock or a system call does not.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::Relaxed;

use tokio::sync::watch;

/// A thread's side.
pub struct Pulse {
    asked: watch::Receiver<u64>,
    answered: Arc<AtomicU64>,
}

impl Pulse {
    /// Answers, as long as anybody asks.
    pub async fn beat(mut self) {
        while self.asked.changed().await.is_ok() {
            let question = *self.asked.borrow_and_update();
            self.answered.store(question, Relaxed);
        }
    }
}

/// The side of whoever asks.
pub struct Pulses {
    ask: watch::Sender<u64>,
    threads: Vec<(String, Arc<AtomicU64>)>,
}

impl Default for Pulses {
    fn default() -> Self {
        Self {
            ask: watch::Sender::new(0),
            threads: Vec::new(),
        }
    }
}

impl Pulses {
    /// One more thread, which is to run [`Pulse::beat`].
    pub fn of(&mut self, thread: impl Into<String>) -> Pulse {
        let answered = Arc::new(AtomicU64::new(*self.ask.borrow()));
        self.threads.push((thread.into(), Arc::clone(&answered)));
        Pulse {
            asked: self.ask.subscribe(),
            answered,
        }
    }

    /// Asks everybody.
    pub fn ask(&mut self) {
        self.ask
            .send_modify(|question| *question = question.wrapping_add(1));
    }

    /// Who has not answered the last question. A thread that has ended does
    /// not either, unless it may have.
    pub fn silent(&self, may_have_ended: bool) -> Vec<&str> {
        let question = *self.ask.borrow();
        let threads = self.threads.iter();
        threads
            .filter(|(_, answered)| {
                let has_ended = Arc::strong_count(answered) == 1;
                answered.load(Relaxed) != question && !(has_ended && may_have_ended)
            })
            .map(|(name, _)| name.as_str())
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_thread_that_does_not_turn_is_named_until_it_does() {
        let mut pulses = Pulses::default();
        let (well, stuck) = (pulses.of("worker-0"), pulses.of("applier"));
        assert!(pulses.silent(false).is_empty(), "nobody was asked");
        tokio::spawn(well.beat());
        pulses.ask();
        while pulses.silent(false).contains(&"worker-0") {
            tokio::task::yield_now().await;
        }
        assert_eq!(pulses.silent(false), ["applier"]);
        let stuck = tokio::spawn(stuck.beat());
        while !pulses.silent(false).is_empty() {
            tokio::task::yield_now().await;
        }
        pulses.ask();
        // One that has ended is nobody's concern only where it should have.
        stuck.abort();
        let _ = stuck.await;
        pulses.ask();
        while !pulses.silent(true).is_empty() {
            tokio::task::yield_now().await;
        }
        assert_eq!(pulses.silent(false), ["applier"]);
    }
}

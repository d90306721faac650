//! What an operator must know, in one place: a line in the log, a counter, and
//! an event for whoever listens.
//!
//! A call that notices something ([`Alarms::raise`]) takes one short lock, and
//! only where something is wrong; what can be seen from outside is looked at
//! once a second ([`signs`]). Who sends events elsewhere is not known here,
//! and nobody waits for it.

mod book;
pub mod kind;
pub mod signs;

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

use tokio::sync::mpsc;

use book::Book;
pub use book::{Event, State};
use kind::Kind;

/// How often what lasts is told again unless configuration says otherwise, in
/// milliseconds.
pub const REPEAT_MS: u64 = 3_600_000;
/// Events that wait for whoever listens. What is beyond is in the log alone;
/// an alarm that lasts is told again.
pub const EVENTS_MAX: usize = 256;

/// See the top of the file.
#[derive(Debug)]
pub struct Alarms {
    book: Mutex<Book>,
    raised: [AtomicU64; Kind::ALL.len()],
    listener: OnceLock<mpsc::Sender<Event>>,
    /// Events that nobody was told of.
    lost: AtomicU64,
    /// Events that were delivered.
    delivered: AtomicU64,
}

impl Default for Alarms {
    fn default() -> Self {
        Self::new(REPEAT_MS)
    }
}

impl Alarms {
    /// None yet. What lasts is told again every `repeat_ms`.
    #[must_use]
    pub fn new(repeat_ms: u64) -> Self {
        Self {
            book: Mutex::new(Book::new(repeat_ms)),
            raised: Default::default(),
            listener: OnceLock::new(),
            lost: AtomicU64::new(0),
            delivered: AtomicU64::new(0),
        }
    }

    /// Who is told of events from now on; `None` if somebody is already.
    pub fn listen(&self) -> Option<mpsc::Receiver<Event>> {
        let (tell, told) = mpsc::channel(EVENTS_MAX);
        self.listener.set(tell).ok().map(|()| told)
    }

    /// Something happened. `subject` is an id of the catalog or a word of ours.
    #[cold]
    pub fn raise(&self, kind: Kind, subject: &str, message: &str, now_ms: u64) {
        let event = self.book().raise((kind, subject), message, true, now_ms);
        self.tell(event);
    }

    /// Something is so, and is seen again and again.
    pub fn lasts(&self, kind: Kind, subject: &str, message: &str, now_ms: u64) {
        let event = self.book().raise((kind, subject), message, false, now_ms);
        self.tell(event);
    }

    /// Something is over, if it was there.
    pub fn clear(&self, kind: Kind, subject: &str, now_ms: u64) {
        let event = self.book().clear(kind, subject, now_ms);
        self.tell(event);
    }

    /// Tells what is due because time has passed.
    pub fn tick(&self, now_ms: u64) {
        let events = self.book().tick(now_ms);
        self.tell(events);
    }

    /// How often alarms of a kind were raised.
    #[must_use]
    pub fn raised(&self, kind: Kind) -> u64 {
        let count = self.raised.get(kind.place());
        count.map_or(0, |count| count.load(Relaxed))
    }

    /// How many of a kind there are now.
    #[must_use]
    pub fn active(&self, kind: Kind) -> usize {
        self.book().active(kind)
    }

    /// Whom those of a kind are about.
    #[must_use]
    pub fn subjects(&self, kind: Kind) -> Vec<String> {
        self.book().subjects(kind)
    }

    /// Counts an event that the listener has told elsewhere, or could not.
    pub fn note_told(&self, is_delivered: bool) {
        let count = if is_delivered {
            &self.delivered
        } else {
            &self.lost
        };
        count.fetch_add(1, Relaxed);
    }

    /// How many events were told elsewhere, and how many were not.
    #[must_use]
    pub fn told(&self) -> [u64; 2] {
        [&self.delivered, &self.lost].map(|count| count.load(Relaxed))
    }

    fn tell(&self, events: impl IntoIterator<Item = Event>) {
        for event in events {
            if event.state == State::Raised
                && let Some(count) = self.raised.get(event.kind.place())
            {
                count.fetch_add(1, Relaxed);
            }
            log(&event);
            if event.kind.about().is_sent
                && let Some(listener) = self.listener.get()
                && listener.try_send(event).is_err()
            {
                self.note_told(false);
            }
        }
    }

    fn book(&self) -> MutexGuard<'_, Book> {
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// An alarm as a line of the log.
fn log(event: &Event) {
    let about = event.kind.about();
    let (alarm, state, count) = (about.name, event.state.name(), event.count);
    let (subject, message) = (&*event.subject, &*event.message);
    let remedy = about.remedy;
    match event.state {
        State::Recovered => {
            let s = event.at_ms.saturating_sub(event.since_ms) / 1_000;
            tracing::info!(alarm, subject, state, s, count, "{message}");
        }
        State::Raised | State::Lasting if about.is_error => {
            tracing::error!(alarm, subject, state, count, remedy, "{message}");
        }
        State::Raised | State::Lasting => {
            tracing::warn!(alarm, subject, state, count, remedy, "{message}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_listens_is_told_and_whoever_does_not_keep_up_misses_the_rest() {
        let alarms = Alarms::default();
        alarms.raise(Kind::Test, "before", "nobody listens", 0);
        let mut told = alarms.listen().unwrap();
        assert!(alarms.listen().is_none(), "one is enough");
        let subject = |n: usize| format!("{}", n % 8);
        for n in 0..EVENTS_MAX + 40 {
            // Each is over before the next of its subject begins, an age later.
            let at_ms = n as u64 * 2 * REPEAT_MS;
            alarms.lasts(Kind::DatabaseBehind, &subject(n), "away", at_ms);
            alarms.clear(Kind::DatabaseBehind, &subject(n), at_ms + 1);
        }
        let mut events = 0;
        while told.try_recv().is_ok() {
            events += 1;
        }
        assert_eq!(events, EVENTS_MAX);
        let all = 2 * (EVENTS_MAX + 40);
        assert_eq!(alarms.told(), [0, (all - EVENTS_MAX) as u64]);
        let raised = alarms.raised(Kind::DatabaseBehind);
        assert_eq!(raised, (EVENTS_MAX + 40) as u64);
        assert_eq!(alarms.active(Kind::DatabaseBehind), 0);
    }
}

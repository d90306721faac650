//! Which alarms there are now, and when each is told: once as it begins, again
//! after a while if it lasts, and once as it ends.
//!
//! Pure: time is an argument. What comes and goes is not told each time: what
//! begins again soon after its end is over only once it has been calm for a
//! while.

use std::collections::BTreeMap;

use super::kind::{End, Kind};

/// Subjects of one kind that are told apart; what is beyond is one alarm. A
/// provider that is away may take hundreds of models with it.
pub const SUBJECTS_MAX: usize = 32;
/// The subject of those.
pub const OTHERS: &str = "others";
/// Longest sentence of an alarm, in bytes.
pub const MESSAGE_BYTES_MAX: usize = 2_000;
/// How long something must be calm that has begun again soon after its end, in
/// milliseconds.
const CALM_MS: u64 = 60_000;
/// When the others of a kind are over: nobody sees the end of each.
const OTHERS_QUIET_MS: u64 = 600_000;

/// What became of an alarm.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// It has begun.
    Raised,
    /// It lasts.
    Lasting,
    /// It is over.
    Recovered,
}

impl State {
    /// Its name in messages.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Raised => "raised",
            Self::Lasting => "lasting",
            Self::Recovered => "recovered",
        }
    }
}

/// What an operator is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// Of what.
    pub kind: Kind,
    /// Whom it is about: ids of the catalog and words of ours.
    pub subject: String,
    /// What became of it.
    pub state: State,
    /// Since when, in milliseconds since 1970.
    pub since_ms: u64,
    /// When this was told.
    pub at_ms: u64,
    /// What happened, in a sentence.
    pub message: String,
    /// How often it happened.
    pub count: u64,
}

#[derive(Debug)]
struct Episode {
    since_ms: u64,
    /// When it was told last.
    told_ms: u64,
    /// When it happened last.
    last_ms: u64,
    count: u64,
    message: String,
    /// Since when it is over.
    over_ms: Option<u64>,
    /// How long it must be over before that is told.
    calm_ms: u64,
}

type Key = (Kind, String);

/// See the top of the file.
#[derive(Debug)]
pub struct Book {
    repeat_ms: u64,
    open: BTreeMap<Key, Episode>,
    /// When what is over has ended, for as long as that matters.
    ended: BTreeMap<Key, u64>,
}

impl Book {
    /// A book in which nothing is written. What lasts is told again every
    /// `repeat_ms`.
    #[must_use]
    pub const fn new(repeat_ms: u64) -> Self {
        Self {
            repeat_ms,
            open: BTreeMap::new(),
            ended: BTreeMap::new(),
        }
    }

    /// Something happened. What is `counted` happens; what is not lasts, and
    /// is seen again and again.
    pub fn raise(
        &mut self,
        (kind, subject): (Kind, &str),
        message: &str,
        is_counted: bool,
        now_ms: u64,
    ) -> Option<Event> {
        let key = self.key(kind, subject);
        let message = cut(message);
        if let Some(episode) = self.open.get_mut(&key) {
            episode.count = episode.count.saturating_add(u64::from(is_counted));
            episode.last_ms = now_ms;
            episode.over_ms = None;
            if episode.message != message {
                message.clone_into(&mut episode.message);
            }
            return None;
        }
        let ended = self.ended.remove(&key);
        let has_relapsed = ended.is_some_and(|at| now_ms < at.saturating_add(self.repeat_ms));
        let episode = Episode {
            since_ms: now_ms,
            told_ms: now_ms,
            last_ms: now_ms,
            count: 1,
            message: message.to_owned(),
            over_ms: None,
            calm_ms: if has_relapsed { CALM_MS } else { 0 },
        };
        let event = episode.event(&key, State::Raised, now_ms);
        self.open.insert(key, episode);
        Some(event)
    }

    /// Something is over, if it was there.
    pub fn clear(&mut self, kind: Kind, subject: &str, now_ms: u64) -> Option<Event> {
        let key = (kind, subject.to_owned());
        let episode = self.open.get_mut(&key)?;
        episode.over_ms.get_or_insert(now_ms);
        if episode.calm_ms > 0 {
            return None;
        }
        self.end(&key, now_ms)
    }

    /// What is to be told because time has passed.
    pub fn tick(&mut self, now_ms: u64) -> Vec<Event> {
        let repeat_ms = self.repeat_ms;
        self.ended
            .retain(|_, at_ms| now_ms < at_ms.saturating_add(repeat_ms));
        let (mut over, mut events) = (Vec::new(), Vec::new());
        for (key, episode) in &mut self.open {
            if episode.is_over(key, now_ms) {
                over.push(key.clone());
            } else if now_ms >= episode.told_ms.saturating_add(repeat_of(key.0, repeat_ms)) {
                episode.told_ms = now_ms;
                events.push(episode.event(key, State::Lasting, now_ms));
            }
        }
        events.extend(over.iter().filter_map(|key| self.end(key, now_ms)));
        events
    }

    /// How many of a kind there are now.
    #[must_use]
    pub fn active(&self, kind: Kind) -> usize {
        self.open.keys().filter(|(of, _)| *of == kind).count()
    }

    /// Whom those of a kind are about.
    #[must_use]
    pub fn subjects(&self, kind: Kind) -> Vec<String> {
        let of_kind = self.open.keys().filter(|(of, _)| *of == kind);
        of_kind.map(|(_, subject)| subject.clone()).collect()
    }

    fn key(&self, kind: Kind, subject: &str) -> Key {
        let key = (kind, subject.to_owned());
        if self.open.contains_key(&key) || self.active(kind) < SUBJECTS_MAX {
            key
        } else {
            (kind, OTHERS.to_owned())
        }
    }

    fn end(&mut self, key: &Key, now_ms: u64) -> Option<Event> {
        let episode = self.open.remove(key)?;
        self.ended.insert(key.clone(), now_ms);
        Some(Event {
            message: key.0.about().over.to_owned(),
            ..episode.event(key, State::Recovered, now_ms)
        })
    }
}

impl Episode {
    fn event(&self, (kind, subject): &Key, state: State, now_ms: u64) -> Event {
        Event {
            kind: *kind,
            subject: subject.clone(),
            state,
            since_ms: self.since_ms,
            at_ms: now_ms,
            message: self.message.clone(),
            count: self.count,
        }
    }

    fn is_over(&self, (kind, subject): &Key, now_ms: u64) -> bool {
        let calm = |over_ms: u64| now_ms >= over_ms.saturating_add(self.calm_ms);
        let quiet = |ms: u64| now_ms >= self.last_ms.saturating_add(ms.max(self.calm_ms));
        match kind.about().end {
            _ if self.over_ms.is_some_and(calm) => true,
            End::QuietFor(ms) => quiet(ms),
            End::Seen => subject == OTHERS && quiet(OTHERS_QUIET_MS),
        }
    }
}

fn repeat_of(kind: Kind, usual_ms: u64) -> u64 {
    kind.about().repeat_ms.unwrap_or(usual_ms)
}

fn cut(message: &str) -> &str {
    let end = message.floor_char_boundary(MESSAGE_BYTES_MAX);
    message.get(..end).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: u64 = 60_000;
    const REPEAT: u64 = 60 * MINUTE;

    fn book() -> Book {
        Book::new(REPEAT)
    }

    fn said(event: Option<Event>) -> Option<(State, u64)> {
        event.map(|event| (event.state, event.count))
    }

    fn happens(book: &mut Book, kind: Kind, at_ms: u64) -> Option<(State, u64)> {
        said(book.raise((kind, "x"), "it happened", true, at_ms))
    }

    #[test]
    fn what_happens_again_and_again_is_told_once_and_then_by_its_count() {
        let mut book = book();
        let kind = Kind::CredentialRefused;
        assert_eq!(happens(&mut book, kind, 0), Some((State::Raised, 1)));
        for second in 1..3_600 {
            assert_eq!(happens(&mut book, kind, second * 1_000), None);
            assert_eq!(book.tick(second * 1_000), []);
        }
        let told = book.tick(REPEAT);
        assert_eq!((told.len(), told[0].state), (1, State::Lasting));
        assert_eq!((told[0].count, told[0].since_ms), (3_600, 0));
        assert_eq!(book.tick(REPEAT + 1), []);
        let over = book.clear(kind, "x", REPEAT + 2).unwrap();
        assert_eq!((over.state, over.count), (State::Recovered, 3_600));
        assert_eq!(over.message, kind.about().over);
        assert_eq!(book.clear(kind, "x", REPEAT + 3), None);
    }

    #[test]
    fn an_endpoint_that_fails_is_told_at_once_then_each_minute_and_when_it_has_stopped() {
        let mut book = book();
        let mut told = Vec::new();
        for second in 0..90_u64 {
            let at_ms = second * 1_000;
            told.extend(happens(&mut book, Kind::EndpointFails, at_ms));
            told.extend(book.tick(at_ms).into_iter().map(|e| (e.state, e.count)));
        }
        assert_eq!(told, [(State::Raised, 1), (State::Lasting, 61)]);
        assert_eq!(book.tick(120_000).len(), 1);
        assert_eq!(book.tick(89_000 + 2 * MINUTE)[0].state, State::Recovered);
    }

    #[test]
    fn what_lasts_and_is_seen_each_second_is_counted_once() {
        let mut book = book();
        for second in 0..100 {
            let seen = (Kind::NoTargetLeft, "acme/chat");
            let told = book.raise(seen, &format!("for {second} s"), false, second * 1_000);
            assert_eq!(told.is_some(), second == 0);
        }
        let told = book.tick(REPEAT);
        assert_eq!((told[0].count, &*told[0].message), (1, "for 99 s"));
    }

    #[test]
    fn what_comes_and_goes_each_second_is_told_twice_and_over_after_a_calm_minute() {
        let mut book = book();
        let mut told = Vec::new();
        for second in 0..120_u64 {
            let at_ms = second * 1_000;
            told.extend(happens(&mut book, Kind::DatabaseBehind, at_ms));
            told.extend(said(book.clear(Kind::DatabaseBehind, "x", at_ms + 500)));
            told.extend(
                book.tick(at_ms + 900)
                    .into_iter()
                    .map(|e| (e.state, e.count)),
            );
        }
        let (raised, over) = ((State::Raised, 1), (State::Recovered, 1));
        assert_eq!(told, [raised, over, raised]);
        assert_eq!(book.tick(119_500 + MINUTE - 1), []);
        let told = book.tick(119_500 + MINUTE);
        assert_eq!((told[0].state, told[0].count), (State::Recovered, 119));
    }

    #[test]
    fn what_begins_again_long_after_its_end_is_new() {
        let mut book = book();
        for at_ms in [0, 2 * REPEAT] {
            assert!(happens(&mut book, Kind::JournalRefuses, at_ms).is_some());
            let over = book.clear(Kind::JournalRefuses, "x", at_ms + 1);
            assert_eq!(said(over), Some((State::Recovered, 1)));
            assert_eq!(book.tick(at_ms + REPEAT), []);
        }
    }

    #[test]
    fn what_nobody_sees_the_end_of_is_over_when_it_does_not_happen_any_more() {
        let mut book = book();
        assert!(happens(&mut book, Kind::CallsShed, 0).is_some());
        assert_eq!(happens(&mut book, Kind::CallsShed, 59_000), None);
        assert_eq!(book.tick(118_999), []);
        let told = book.tick(119_000);
        assert_eq!((told[0].state, told[0].count), (State::Recovered, 2));
    }

    #[test]
    fn more_subjects_than_are_told_apart_are_one_alarm_that_ends_by_itself() {
        let mut book = book();
        let mut told = 0;
        for model in 0..1_000 {
            let subject = format!("acme/{model}");
            let raised = book.raise((Kind::NoTargetLeft, &subject), "broken", false, 5);
            told += usize::from(raised.is_some());
        }
        assert_eq!(told, SUBJECTS_MAX + 1);
        assert!(
            book.subjects(Kind::NoTargetLeft)
                .contains(&OTHERS.to_owned())
        );
        // Another kind has room of its own.
        assert!(happens(&mut book, Kind::CallsShed, 5).is_some());
        let quiet = book.tick(5 + OTHERS_QUIET_MS);
        let subjects: Vec<_> = quiet.iter().map(|event| &*event.subject).collect();
        assert_eq!(subjects, [OTHERS, "x"], "by kind and subject");
    }

    #[test]
    fn a_sentence_without_end_is_cut_between_letters() {
        let mut book = book();
        let long = "ä".repeat(MESSAGE_BYTES_MAX);
        let event = book.raise((Kind::Test, "x"), &long, true, 0).unwrap();
        assert_eq!(event.message, "ä".repeat(MESSAGE_BYTES_MAX / 2));
    }
}

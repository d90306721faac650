//! An answer that another target may have to go on with.
//!
//! It is always read and written anew, also where both sides speak the same
//! format: what was said must be known, and whoever goes on with it may speak
//! another format. The client's writer outlives the target, so that there is
//! one role, one end and one usage, whoever said what.

use bourse_vocab::chat::Event;
use bourse_vocab::{Bill, Blame, Failure, Usage};
use bourse_wire::Stamp;
use bourse_wire::framing::Frame;

use super::Feed;
use super::reading::{Reading, Telling};
use super::told::Told;
use crate::way::Way;

/// Tells the answer of the first target.
#[must_use]
pub fn begin(told: Told, way: &Way) -> Box<dyn Feed> {
    feed(told, way, None)
}

/// Tells the answer of a target that goes on, and that says `repeats` again
/// before it does.
#[must_use]
pub fn go_on(told: Told, way: &Way, stamp: &Stamp<'_>, repeats: String) -> Box<dyn Feed> {
    told.lock().writer.restamp(stamp);
    feed(told, way, Some(repeats))
}

fn feed(told: Told, way: &Way, repeats: Option<String>) -> Box<dyn Feed> {
    let telling = Continued {
        told,
        is_beginning: repeats.is_none(),
        repeats: repeats.unwrap_or_default(),
        speaks: false,
    };
    Box::new(Reading::new(way.format, way.framing, telling))
}

/// Tells an answer that may break, or goes on with one that did.
struct Continued {
    told: Told,
    is_beginning: bool,
    /// What is still to be said again.
    repeats: String,
    /// Something new was said.
    speaks: bool,
}

impl Continued {
    /// Leaves out what is said again.
    fn leave_out(&mut self, text: &mut String) -> Result<(), Failure> {
        let common = self.repeats.len().min(text.len());
        let is_same = text.as_bytes().get(..common) == self.repeats.as_bytes().get(..common);
        // Within a letter neither is the beginning of the other.
        let rests = text.get(common..).zip(self.repeats.get(common..));
        let (true, Some((new, missing))) = (is_same, rests) else {
            return Err(begins_anew());
        };
        let (new, missing) = (new.to_owned(), missing.to_owned());
        self.repeats = missing;
        *text = new;
        Ok(())
    }
}

/// It is nobody's fault, and says nothing of the provider's health.
fn begins_anew() -> Failure {
    let mut failure = Failure::unavailable("The provider did not go on where the answer broke");
    failure.blame = Blame::Us;
    failure
}

impl Telling for Continued {
    fn admit(&mut self, event: &mut Event) -> Result<(), Failure> {
        if self.is_beginning || self.speaks {
            return Ok(());
        }
        match event {
            Event::Text { text, .. } => {
                if !self.repeats.is_empty() {
                    self.leave_out(text)?;
                }
                self.speaks = !text.is_empty();
            }
            // Whoever thinks about an answer that has begun begins another.
            Event::Reasoning { .. } => return Err(begins_anew()),
            Event::Finish { .. } => self.speaks = true,
            event if event.is_content() && !self.repeats.is_empty() => return Err(begins_anew()),
            event => self.speaks = event.is_content(),
        }
        Ok(())
    }

    fn told(&self) -> Option<Told> {
        Some(self.told.clone())
    }

    fn event(&mut self, event: &Event, out: &mut Vec<u8>) -> bool {
        let mut inner = self.told.lock();
        let is_seen = match event {
            // Told once the call is settled.
            Event::Usage(_) | Event::Done => false,
            Event::Reasoning { .. } => !inner.hide_reasoning,
            Event::Text { text, .. } => self.is_beginning || !text.is_empty(),
            Event::Tier(_) => !std::mem::replace(&mut inner.has_tier, true),
            _ => true,
        };
        if self.is_beginning {
            inner.note(event);
        }
        if is_seen {
            inner.writer.event(event, out);
        }
        is_seen
    }

    /// Its events were written.
    fn frame(&mut self, _: &Frame<'_>, _: &mut Vec<u8>) {}

    fn finish(&mut self, usage: &Usage, bill: &Bill, out: &mut Vec<u8>) {
        let mut inner = self.told.lock();
        inner.writer.event(&Event::Settled(*usage, *bill), out);
        inner.writer.event(&Event::Done, out);
    }

    fn fail(&mut self, failure: &Failure, out: &mut Vec<u8>) {
        let event = Event::Error(Box::new(failure.clone()));
        self.told.lock().writer.event(&event, out);
    }
}

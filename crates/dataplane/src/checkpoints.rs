//! Watching what an answer costs while it grows.
//!
//! Two things follow from what was delivered: the hold must be extended
//! before the answer outgrows it, and the journal must know how far the
//! answer has come, in case nobody is left to end the call. The first is the
//! stream's own business and waits for nobody. The second is told for all
//! streams of a worker together (`progress.rs`), and by the stream itself
//! where it is fast, or where the client does not see it yet.

use std::time::Duration;

use bourse_vocab::{Failure, Nanos, Usage};
use tokio::time::Instant;

use crate::progress::Place;
use crate::relay::{Delivered, Feed, Report};
use crate::running::Running;
use crate::tab::Tab;
use crate::tariff;

/// Output tokens after which the money is looked at, at the latest, and a
/// checkpoint is written: 4 KiB of ordinary text. What a crash makes the
/// house pay is bounded for fast streams too.
const LOOK_TOKENS: u64 = 1_024;
/// The same for an answer that nobody sees yet.
const HIDDEN_BYTES: u64 = 4 * 1024;
/// Or, if there is any more of it, after so long.
const HIDDEN_EVERY: Duration = Duration::from_millis(250);

/// Watches an answer that its client sees.
#[derive(Default)]
pub struct Watch {
    /// Since there is any content.
    begun: Option<Begun>,
}

struct Begun {
    /// None if the worker has too many streams.
    place: Option<Place>,
    /// How many output tokens there may be before the money is looked at.
    look_at: u64,
    /// What is written.
    written: Delivered,
    /// The money was looked at, and the journal is to be told once what was
    /// looked at is written.
    is_owed: bool,
    /// Where an answer had ended that there was no more money for.
    spared_at: Option<u64>,
}

impl Begun {
    fn new(running: &Running, feed: &dyn Feed) -> Self {
        let call = &running.call;
        // The hold covers so many, whatever the input is.
        let covered = running.output_max();
        Self {
            place: call.progress.place(call.id, running.tariff(&feed.report())),
            look_at: (covered / 2).clamp(1, LOOK_TOKENS),
            written: Delivered::default(),
            is_owed: false,
            spared_at: None,
        }
    }
}

impl Watch {
    /// Looks at the money, if it is time to, before more of the answer is
    /// read: the hold is extended before the answer outgrows it.
    ///
    /// # Errors
    /// The money has run out.
    pub fn look(&mut self, running: &mut Running, feed: &dyn Feed) -> Result<(), Failure> {
        let delivered = feed.delivered();
        let tokens = delivered.tokens();
        if tokens == 0 {
            return Ok(());
        }
        let begun = self.begun.get_or_insert_with(|| Begun::new(running, feed));
        let cost = begun.place.as_ref().map_or(Nanos::ZERO, Place::take_cost);
        if tokens < begun.look_at && !is_nearly_used(cost, running.tab.held()) {
            return Ok(());
        }
        let worth = Worth::of(running, &feed.report());
        if let Err(failure) = extend(&mut running.tab, worth.now, worth.later) {
            return begun.spare(tokens, running, feed).ok_or(failure);
        }
        if begun.written == delivered {
            begun.tell(&worth, running);
        } else {
            begun.is_owed = true;
        }
        let room = room(worth.now, worth.later, running.tab.held());
        let limit = running.output_max();
        begun.look_at = tariff::beyond(tokens, limit).min(tokens.saturating_add(room));
        Ok(())
    }

    /// Takes in that everything so far is written. The customer must not pay,
    /// after a crash, for what never left this process.
    pub fn written(&mut self, running: &Running, feed: &dyn Feed) {
        let delivered = feed.delivered();
        if delivered.tokens() == 0 {
            return;
        }
        let begun = self.begun.get_or_insert_with(|| Begun::new(running, feed));
        begun.written = delivered;
        if let Some(place) = &begun.place {
            place.note(delivered, || feed.report());
        }
        if begun.is_owed {
            begun.tell(&Worth::of(running, &feed.report()), running);
        }
    }
}

impl Begun {
    /// Tells the journal what is written, after the hold has grown: a start
    /// settles by the last checkpoint, but never for more than was set aside.
    fn tell(&mut self, worth: &Worth, running: &Running) {
        self.is_owed = false;
        worth.checkpoint(running);
        if let Some(place) = &self.place {
            place.is_told();
        }
    }

    /// Lets an answer go on that has ended, although there is no money for
    /// more of it: all that is missing is its usage, which costs nothing.
    /// `None` if it has not, or said that it had and goes on.
    fn spare(&mut self, tokens: u64, running: &Running, feed: &dyn Feed) -> Option<()> {
        let is_one = running.call.ask.answers <= 1;
        let has_ended = feed.is_complete() || (is_one && feed.report().finish.is_some());
        if !has_ended || self.spared_at.is_some_and(|at| at != tokens) {
            return None;
        }
        self.spared_at = Some(tokens);
        self.look_at = tokens.saturating_add(1);
        Some(())
    }
}

/// How many more tokens may come before the money is looked at again: half
/// of what the hold still covers, if [`LOOK_TOKENS`] of them make `later` of
/// `now`.
fn room(now: Nanos, later: Nanos, held: Nanos) -> u64 {
    let half_left = i128::from(held.0).saturating_sub(now.0.into()) / 2;
    let growth = i128::from(later.0).saturating_sub(now.0.into());
    if growth <= 0 {
        // What is free outgrows no hold.
        return LOOK_TOKENS;
    }
    let covered = half_left.saturating_mul(LOOK_TOKENS.into()) / growth;
    u64::try_from(covered).unwrap_or(0).clamp(1, LOOK_TOKENS)
}

/// Watches an answer that its client does not see yet: what it is settled by
/// if it is let go of is what the last checkpoint says, so it writes its own.
#[derive(Debug)]
pub struct Checkpoints {
    looked_bytes: u64,
    look_at: Instant,
}

impl Checkpoints {
    /// For a stream that begins now.
    #[must_use]
    pub fn begin() -> Self {
        Self {
            looked_bytes: 0,
            look_at: Instant::now() + HIDDEN_EVERY,
        }
    }

    /// Extends the hold before the answer outgrows it, and writes a
    /// checkpoint of what was thought, if it is time to. Returns what the
    /// checkpoint is of.
    ///
    /// # Errors
    /// The money has run out.
    pub fn extend_and_checkpoint(
        &mut self,
        running: &mut Running,
        feed: &dyn Feed,
    ) -> Result<Option<Report>, Failure> {
        self.look(running, feed.content_bytes(), || feed.report())
    }

    /// The same, of an answer of so many bytes that no feed tells.
    ///
    /// # Errors
    /// The money has run out.
    pub fn look(
        &mut self,
        running: &mut Running,
        bytes: u64,
        report: impl FnOnce() -> Report,
    ) -> Result<Option<Report>, Failure> {
        let more = bytes.saturating_sub(self.looked_bytes);
        if more == 0 {
            return Ok(None);
        }
        let now = Instant::now();
        if more < HIDDEN_BYTES && now < self.look_at {
            return Ok(None);
        }
        let report = report();
        let worth = Worth::of(running, &report);
        extend(&mut running.tab, worth.now, worth.later)?;
        worth.checkpoint(running);
        self.looked_bytes = report.content_bytes;
        self.look_at = now + HIDDEN_EVERY;
        Ok(Some(report))
    }
}

/// What an answer is worth so far, by our own count.
struct Worth {
    usage: Usage,
    upstream: Nanos,
    /// What it costs.
    now: Nanos,
    /// What it will after [`LOOK_TOKENS`] more.
    later: Nanos,
}

impl Worth {
    fn of(running: &Running, report: &Report) -> Self {
        let tokens = report.delivered().tokens();
        let (usage, charge) = running.worth(report, tokens);
        let further = tariff::further(tokens, LOOK_TOKENS, running.output_max());
        let (_, further) = running.worth(report, further);
        Self {
            usage,
            upstream: charge.upstream_total,
            now: charge.total,
            later: further.total,
        }
    }

    /// Tells the journal.
    fn checkpoint(&self, running: &Running) {
        let Usage {
            prompt, completion, ..
        } = self.usage;
        let tab = &running.tab;
        tab.checkpoint(self.now, self.upstream, prompt, completion);
    }
}

/// Whether a cost uses most of what is set aside.
const fn is_nearly_used(cost: Nanos, held: Nanos) -> bool {
    cost.0.saturating_add(held.0 / 8) > held.0
}

/// Stretches that are set aside at once where the money is there: a long
/// answer need not ask for each.
const STRETCHES: i64 = 8;

/// Extends a hold that the next stretch outgrows, which happens where a
/// provider gives more than it was told to: by some stretches, or else by
/// what there is. The answer goes on while anything of it is left.
fn extend(tab: &mut Tab, now: Nanos, later: Nanos) -> Result<(), Failure> {
    let held = tab.held();
    if later <= held {
        return Ok(());
    }
    let stretches = later.0.saturating_sub(now.0).saturating_mul(STRETCHES);
    let missing = later.saturating_sub(held);
    match tab.extend(missing.saturating_add(Nanos(stretches))) {
        Err(_) if now < held => Ok(()),
        extended => extended,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_money_is_looked_at_before_half_of_what_is_left_of_the_hold_is_used() {
        let tokens = i64::try_from(LOOK_TOKENS).unwrap();
        let amounts = [0, 1, 7, 1_000, 1_023, 999_999, 12_345_678, 10_000_000_000];
        for now in amounts {
            for price in [0, 1, 3, 2_000, 75_001, 1_000_000] {
                for left in amounts {
                    let held = Nanos(now + left);
                    let next = room(Nanos(now), Nanos(now + tokens * price), held);
                    let of = |more: u64| i64::try_from(more).unwrap() * price;
                    let case = format!("{now} + {price} * {next} of {left}");
                    assert!((1..=LOOK_TOKENS).contains(&next), "{case}");
                    assert!(of(next) <= left / 2 || next == 1, "{case}");
                    // And not sooner than that.
                    assert!(of(next + 1) > left / 2 || next == LOOK_TOKENS, "{case}");
                }
            }
        }
        // A hold that is used up already is looked at with every token.
        assert_eq!(room(Nanos(9), Nanos(19), Nanos(5)), 1);
    }
}

//! Watching what an answer costs while it grows.

use std::time::Duration;

use bourse_ledger::price::Charge;
use bourse_vocab::{Failure, Nanos};
use tokio::time::Instant;

use crate::relay::{Feed, Report};
use crate::running::Running;

/// A stream's progress is checkpointed whenever this much more content has
/// been delivered, or, if there is any, after [`CHECKPOINT_EVERY`]: what a
/// crash makes the house pay is bounded for fast streams and for slow ones.
const CHECKPOINT_BYTES: u64 = 4 * 1024;
const CHECKPOINT_EVERY: Duration = Duration::from_millis(250);

/// When the last checkpoint of a stream was, and the next is due.
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
            look_at: Instant::now() + CHECKPOINT_EVERY,
        }
    }

    /// Extends the hold before the answer outgrows it, and writes a
    /// checkpoint of what was delivered, if it is time to. Called when all of
    /// it so far has been handed over: the customer must not pay, after a
    /// crash, for what was never sent. Returns what the checkpoint is of.
    ///
    /// # Errors
    /// The money has run out.
    pub fn extend_and_checkpoint(
        &mut self,
        running: &mut Running,
        feed: &dyn Feed,
    ) -> Result<Option<Report>, Failure> {
        let more = feed.content_bytes().saturating_sub(self.looked_bytes);
        if more == 0 {
            return Ok(None);
        }
        let now = Instant::now();
        if more < CHECKPOINT_BYTES && now < self.look_at {
            return Ok(None);
        }
        let report = feed.report();
        self.looked_bytes = report.content_bytes;
        self.look_at = now + CHECKPOINT_EVERY;
        let (usage, charge) = running.so_far(&report);
        let Charge {
            total,
            upstream_total,
            ..
        } = charge;
        let tab = &mut running.tab;
        let held = tab.held();
        if total.0.saturating_mul(2) > held.0 {
            // Past half of the hold: double it, so that a long answer asks a
            // logarithmic number of times.
            match tab.extend(Nanos(held.0.max(total.0))) {
                // What is set aside still covers the next stretch.
                Err(_) if total < held => {}
                extended => extended?,
            }
        }
        // After the hold has grown: a start settles by the last checkpoint,
        // but never for more than was set aside.
        tab.checkpoint(total, upstream_total, usage.prompt, usage.completion);
        Ok(Some(report))
    }
}

//! The thread that brings segments to the disk.

use std::sync::Arc;
use std::time::Duration;

use crate::queue::{SyncQueue, Work};
use crate::writer::Writer;

/// After so many intervals without a record the thread sleeps until it is
/// woken. Before, it looks by itself: waking it is a system call, and a call
/// that comes alone would pay for it.
const QUIET_INTERVALS: u32 = 25;
/// Notes that nothing else accompanies are written and go to the disk after
/// so long, or an interval: a sync costs more than what they are worth.
const NOTES_REST: Duration = Duration::from_millis(200);

/// The thread: rests for `interval`, so that what comes meanwhile shares a
/// sync, and syncs what is not on the disk. It rests first, because a page
/// that is being synced cannot be written to: the end of a short call would
/// wait for the sync of its beginning.
pub(crate) fn run(writer: &Arc<Writer>, queue: &SyncQueue, interval: Duration) {
    let mut quiet = 0_u32;
    let mut waited = Duration::ZERO;
    loop {
        let work = queue.rest(interval, quiet >= QUIET_INTERVALS);
        match work {
            Work::Nothing => {
                quiet = quiet.saturating_add(1);
                continue;
            }
            Work::CanWait => {
                waited = waited.saturating_add(interval);
                if waited < NOTES_REST {
                    continue;
                }
            }
            Work::Due | Work::Last => {}
        }
        quiet = 0;
        waited = Duration::ZERO;
        if !bring(writer, queue) || work == Work::Last {
            return;
        }
    }
}

/// Writes what waits in memory, because only what the kernel has can be
/// synced, and brings everything to the disk. Returns whether the spool goes
/// on.
pub(crate) fn bring(writer: &Writer, queue: &SyncQueue) -> bool {
    writer.flush();
    let (goal, files) = queue.take();
    if goal == queue.durable() {
        return true;
    }
    for file in files {
        // After a failed sync the kernel may have dropped the pages and
        // would report success the next time: never retry.
        if let Err(error) = writer.sync(&file) {
            queue.stop(&format!("a sync failed: {error}"));
            return false;
        }
    }
    queue.synced(goal);
    writer.note_synced(goal);
    true
}

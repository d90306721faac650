//! What an operator is told of the journal's disk, and how long an ending
//! server waits for it.

use std::sync::Arc;
use std::time::Duration;

use bourse_dataplane::alarms::Alarms;
use bourse_dataplane::alarms::kind::Kind;
use bourse_dataplane::alarms::signs::JOURNAL;
use bourse_dataplane::clock::now_ms;
use bourse_spool::{Spool, Trouble};
use tokio::sync::watch;
use tokio::time::Instant;

/// How long a server that ends waits for a disk to take what calls have cost.
const WAIT_MAX: Duration = Duration::from_secs(10);
/// How often it is asked meanwhile.
const ASK_EVERY: Duration = Duration::from_millis(200);

/// Says what is wrong with the journal's disk when it begins and when it is
/// over, until told to stop.
pub(super) async fn tell(
    mut trouble: watch::Receiver<Trouble>,
    alarms: Arc<Alarms>,
    mut stop: watch::Receiver<bool>,
) {
    loop {
        tokio::select! {
            changed = trouble.changed() => if changed.is_err() { return },
            () = crate::worker::stopped(&mut stop) => return,
        }
        let now = trouble.borrow_and_update().clone();
        if now == Trouble::None {
            alarms.clear(Kind::JournalRefuses, JOURNAL, now_ms());
        } else {
            let message = format!("{now}; new calls are refused");
            alarms.lasts(Kind::JournalRefuses, JOURNAL, &message, now_ms());
        }
    }
}

/// Gives the disk some time to take what waits in memory. Returns how many
/// bytes it did not take.
pub(super) async fn write_out(spool: &Spool) -> usize {
    let until = Instant::now() + WAIT_MAX;
    loop {
        let waits = spool.flush();
        if waits == 0 || Instant::now() >= until {
            return waits;
        }
        tokio::time::sleep(ASK_EVERY).await;
    }
}

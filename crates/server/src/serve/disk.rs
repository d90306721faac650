//! What an operator is told of the journal's disk, and how long an ending
//! server waits for it.

use std::time::Duration;

use bourse_spool::{Spool, Trouble};
use tokio::sync::watch;
use tokio::time::Instant;

/// How long a server that ends waits for a disk to take what calls have cost.
const WAIT_MAX: Duration = Duration::from_secs(10);
/// How often it is asked meanwhile.
const ASK_EVERY: Duration = Duration::from_millis(200);

/// Says what is wrong with the journal's disk when it begins, when it becomes
/// worse and when it is over, each once, until told to stop.
pub(super) async fn tell(mut trouble: watch::Receiver<Trouble>, mut stop: watch::Receiver<bool>) {
    let mut since = None;
    loop {
        tokio::select! {
            changed = trouble.changed() => if changed.is_err() { return },
            () = crate::worker::stopped(&mut stop) => return,
        }
        let now = trouble.borrow_and_update().clone();
        if now == Trouble::None {
            let s = since
                .take()
                .map_or(0, |since: Instant| since.elapsed().as_secs());
            tracing::info!(
                s,
                "the journal's disk takes records again, and new calls are served"
            );
        } else {
            since.get_or_insert_with(Instant::now);
            tracing::error!("{now}; new calls are refused");
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

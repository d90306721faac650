//! Removing files whose time is up, and what nobody knows of.

use std::io;
use std::time::Duration;

use bourse_store::{Contents, Store, StoreError};
use bourse_vocab::FileId;
use tokio::sync::watch;

/// How often it is looked: what is kept for days may be kept for minutes more.
const EVERY: Duration = Duration::from_secs(600);
/// Files that are asked for at once.
const PAGE: u64 = 256;
/// A content that nobody knows of is as old at least before it is removed:
/// until then the database may be told of it.
const UNKNOWN_MS: u64 = 3_600_000;

/// What was removed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Swept {
    /// Files whose time was up.
    pub expired: u64,
    /// Contents that nobody knew of.
    pub unknown: u64,
}

/// Why a sweep did not come to its end.
#[derive(Debug, thiserror::Error)]
pub enum Unswept {
    /// The database does not answer.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The disk refuses.
    #[error("the disk: {0}")]
    Disk(#[from] io::Error),
}

/// Sweeps now and then until told to stop.
pub async fn keep(
    store: std::sync::Arc<dyn Store>,
    contents: Contents,
    now_ms: fn() -> u64,
    mut stop: watch::Receiver<bool>,
) {
    let mut ticks = tokio::time::interval(EVERY);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            _ = ticks.tick() => {}
            _ = stop.wait_for(|stop| *stop) => return,
        }
        match sweep(&*store, &contents, now_ms()).await {
            Ok(swept) if swept == Swept::default() => {}
            Ok(Swept { expired, unknown }) => {
                tracing::info!(expired, unknown, "old files were removed");
            }
            Err(error) => tracing::warn!(%error, "old files cannot be removed; it is tried again"),
        }
    }
}

/// Removes what is to be removed at this moment.
///
/// # Errors
/// The database or the disk refuses; what was removed stays removed.
pub async fn sweep(store: &dyn Store, contents: &Contents, now_ms: u64) -> Result<Swept, Unswept> {
    let mut swept = Swept::default();
    loop {
        let expired = store.files_expired(now_ms, PAGE).await?;
        for file in &expired {
            // The row first: a file that is known and not there would be worse
            // than one that is there and not known.
            store.delete_file(file.id).await?;
            contents.remove(file.id)?;
            swept.expired = swept.expired.saturating_add(1);
        }
        if (expired.len() as u64) < PAGE {
            break;
        }
    }
    let old = FileId::at_ms(now_ms.saturating_sub(UNKNOWN_MS), 0);
    for id in contents.ids()?.into_iter().filter(|id| *id < old) {
        if store.file(id).await?.is_none() {
            contents.remove(id)?;
            swept.unknown = swept.unknown.saturating_add(1);
        }
    }
    for id in contents.logs()? {
        let batch = store.batch(id).await?;
        if batch.is_none_or(|batch| batch.state.is_ended()) {
            contents.remove_log(id)?;
        }
    }
    Ok(swept)
}

//! Running one batch: from its claim to its end, or to the end of the server.
//!
//! One task for a batch decides which line is called next; each call is a task
//! of its own. A line is noted before it is called and its answer is kept before
//! it is paid for ([`super::log`]), so whoever goes on after a crash knows of
//! every line whether it was called: one that has an answer is not called
//! again, one that the books have settled is not called again either, and one
//! that they have voided is called once more under another name.

mod lines;
mod schedule;

use std::collections::HashSet;
use std::io;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bourse_store::{BatchPatch, BatchRow, BatchState, LineCounts, Shape, StoreError};
use tokio::sync::watch;
use tokio::time::{Instant, MissedTickBehavior};

use super::call_id;
use super::log::{LOG_BYTES_MAX, Log};
use super::prepare::{Prepared, Unprepared, prepare, told};
use super::render::{Render, Uncalled};
use super::results::{Files, Results};
use crate::Past;
use crate::shared::Jobs;
use crate::vendor::Stage;
use lines::Lines;
use schedule::Schedule;

/// How often what has been done is told to the database, and asked whether the
/// batch was told to end.
const SAVES_EVERY: Duration = Duration::from_secs(1);
/// How long is waited before what the disk or the database refused is tried
/// again.
const RETRIES_EVERY: Duration = Duration::from_secs(5);

/// Why a batch is given up for now; it is claimed again.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Stuck {
    #[error("the disk: {0}")]
    Disk(#[from] io::Error),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("a task of it ended")]
    Task,
}

/// Why no further line is called.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Over {
    /// All lines have ended.
    Done,
    /// Its time is up.
    Expired,
    /// It was told to end.
    Cancelled,
    /// Its answers have become too many.
    TooMuch,
    /// The server stops, or another node has it.
    Left,
}

/// Lines that wait among vendors' batches.
#[derive(Debug, Default)]
pub(super) struct AtVendor {
    /// How much they take in memory.
    pub(super) bytes: u64,
    /// Lines that no vendor takes.
    pub(super) alone: HashSet<u32>,
    /// What vendors were told last.
    told: Option<Stage>,
}

/// A batch that runs.
pub(super) struct Run {
    pub(super) jobs: Arc<Jobs>,
    pub(super) row: BatchRow,
    pub(super) input: std::fs::File,
    pub(super) entries: Vec<super::index::Entry>,
    pub(super) log: Arc<Mutex<Log>>,
    /// How many lines have come to which end.
    pub(super) counts: LineCounts,
    /// Why it waits, if it does.
    pub(super) paused: Option<String>,
    /// What of it is at vendors.
    pub(super) at_vendor: AtVendor,
    /// What the database was told last.
    saved: Option<(LineCounts, String)>,
    is_left: bool,
}

pub(super) fn lock(log: &Mutex<Log>) -> MutexGuard<'_, Log> {
    log.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Runs a batch until it has ended, or until `stop`.
pub(crate) async fn run(
    jobs: Arc<Jobs>,
    row: BatchRow,
    stop: watch::Receiver<bool>,
) -> Result<(), Stuck> {
    let input = jobs.store.file(row.input).await?;
    let prepared = {
        let (contents, row) = (jobs.contents.clone(), row.clone());
        tokio::task::spawn_blocking(move || prepare(&contents, &row, input.as_ref()))
    };
    let prepared = match prepared.await.map_err(|_| Stuck::Task)? {
        Ok(prepared) => prepared,
        Err(Unprepared::Disk(error)) => return Err(error.into()),
        Err(Unprepared::Refused(refusal)) => {
            let fault = told(refusal.code(), &refusal.to_string(), None, None);
            let faults = serde_json::Value::from(vec![fault]).to_string();
            return fail(&jobs, &row, faults, LineCounts::default()).await;
        }
    };
    let (counts, faults) = (prepared.counts(), prepared.faults(&row.endpoint));
    if !prepared.is_callable() && row.shape == Shape::File {
        return fail(&jobs, &row, faults, counts).await;
    }
    let Some(run) = Run::begin(jobs, row, prepared, (counts, faults)).await? else {
        return Ok(());
    };
    run.go(stop).await
}

/// Ends a batch of which nothing can be called.
async fn fail(
    jobs: &Jobs,
    row: &BatchRow,
    faults: String,
    counts: LineCounts,
) -> Result<(), Stuck> {
    let state = match row.state {
        BatchState::Cancelling => BatchState::Cancelled,
        _ => BatchState::Failed,
    };
    let patch = BatchPatch {
        state: Some((state, jobs.caller.now_ms())),
        counts: Some(counts),
        faults: Some(faults),
        ..BatchPatch::default()
    };
    jobs.store.update_batch(row.id, patch).await?;
    let _ = jobs.contents.remove_log(row.id);
    tracing::info!(batch = %row.id, "a batch was refused: see its errors");
    Ok(())
}

impl Run {
    /// Notes that the batch has begun, and settles what an earlier run has
    /// left open. `None` if another node has it.
    async fn begin(
        jobs: Arc<Jobs>,
        row: BatchRow,
        prepared: Prepared,
        (counts, faults): (LineCounts, String),
    ) -> Result<Option<Self>, Stuck> {
        let patch = BatchPatch {
            state: Some((BatchState::InProgress, jobs.caller.now_ms())),
            counts: Some(counts),
            faults: Some(faults),
            paused: Some(String::new()),
            ..BatchPatch::default()
        };
        let Some(row) = jobs.store.update_batch(row.id, patch).await? else {
            return Ok(None);
        };
        let Prepared {
            input,
            entries,
            log,
        } = prepared;
        let mut run = Self {
            jobs,
            row,
            input,
            entries,
            log: Arc::new(Mutex::new(log)),
            counts,
            paused: None,
            at_vendor: AtVendor::default(),
            saved: None,
            is_left: false,
        };
        run.look_back().await?;
        Ok(Some(run))
    }

    /// Lines that were being called when an earlier run ended: of those that
    /// are paid for the answer is lost, which is what is told of them.
    async fn look_back(&mut self) -> Result<(), Stuck> {
        for (number, entry) in (0_u32..).zip(self.entries.clone()) {
            let come = lock(&self.log).line(number);
            if come.place.is_some() || come.tries == 0 {
                continue;
            }
            let created_at_ms = self.row.created_at_ms;
            let id = call_id(self.row.id, created_at_ms, number, come.tries);
            if self.jobs.caller.past(id).await? == Past::Void {
                continue;
            }
            tracing::warn!(%id, "a line of a batch is paid for and its answer is lost");
            let bytes = super::prepare::bytes_of(&self.input, &entry)?;
            let name = super::line::name(&bytes);
            let render = Render::new(self.row.shape, name.as_deref(), id);
            let why = Uncalled::Lost;
            let worded = self.jobs.caller.failure(&self.row.endpoint, &why.failure());
            lock(&self.log).end(number, false, &render.uncalled(&why, &worded))?;
            self.counts.failed = self.counts.failed.saturating_add(1);
        }
        Ok(())
    }

    /// Why no further line may be called, if none may.
    fn over(&self, schedule: &Schedule, is_stopping: bool) -> Option<Over> {
        if is_stopping || self.is_left {
            Some(Over::Left)
        } else if self.row.state == BatchState::Cancelling {
            Some(Over::Cancelled)
        } else if schedule.is_exhausted() {
            Some(Over::Done)
        } else if self.jobs.caller.now_ms() >= self.row.expires_at_ms {
            Some(Over::Expired)
        } else if lock(&self.log).bytes() >= LOG_BYTES_MAX {
            Some(Over::TooMuch)
        } else {
            None
        }
    }

    /// Calls lines until none is left or none may be called.
    async fn go(mut self, mut stop: watch::Receiver<bool>) -> Result<(), Stuck> {
        let mut schedule = Schedule::new(self.entries.len());
        let mut lines = Lines::default();
        let mut saves = tokio::time::interval(SAVES_EVERY);
        saves.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let over = loop {
            let over = self.over(&schedule, *stop.borrow());
            if let Some(over) = over
                && lines.is_empty()
            {
                break over;
            }
            self.tell_vendors(over);
            let due = match over {
                Some(_) => schedule::Due::Nothing,
                None => schedule.due(&self, lines.len()),
            };
            tokio::select! {
                ended = lines.next(), if !lines.is_empty() => {
                    self.note(&mut schedule, ended).await;
                }
                permit = self.jobs.permit(), if matches!(due, schedule::Due::Now) => {
                    self.start(&mut schedule, &mut lines, permit);
                }
                () = schedule::until(due) => {}
                _ = saves.tick() => self.save().await,
                // A sender that is gone has stopped as well.
                _ = stop.changed(), if over.is_none() => {}
            }
        };
        self.save().await;
        match over {
            Over::Left => Ok(()),
            other => self.finish(other, stop).await,
        }
    }

    /// Says to vendors what becomes of the batch here.
    fn tell_vendors(&mut self, over: Option<Over>) {
        let stage = match over {
            None | Some(Over::Done) => return,
            Some(Over::Left) => Stage::Left,
            Some(Over::Expired | Over::Cancelled | Over::TooMuch) => Stage::Cancelled,
        };
        if self.row.at_vendor && self.at_vendor.told != Some(stage) {
            self.jobs.caller.release(self.row.id, stage);
            self.at_vendor.told = Some(stage);
        }
    }

    /// Brings what was done to the disk, tells it to the database, and learns
    /// whether the batch was told to end.
    async fn save(&mut self) {
        let unsynced = lock(&self.log).unsynced();
        if let Ok(Some(file)) = unsynced {
            let synced = tokio::task::spawn_blocking(move || file.sync_data());
            if !matches!(synced.await, Ok(Ok(()))) {
                tracing::warn!(batch = %self.row.id, "what a batch has come to is not on the disk yet");
            }
        }
        let news = (self.counts, self.paused.clone().unwrap_or_default());
        let store = &self.jobs.store;
        let noted = match self.saved.as_ref() == Some(&news) {
            // Nothing to tell, but perhaps something to hear.
            true => store.batch(self.row.id).await,
            false => {
                let patch = BatchPatch {
                    counts: Some(news.0),
                    paused: Some(news.1.clone()),
                    ..BatchPatch::default()
                };
                store.update_batch(self.row.id, patch).await
            }
        };
        match noted {
            Ok(Some(row)) => {
                self.row = row;
                self.saved = Some(news);
            }
            Ok(None) => self.is_left = true,
            // What has been done is on the disk; the database hears it later.
            Err(error) => tracing::debug!(%error, "a batch cannot be noted"),
        }
    }

    /// Puts the answers in order, and ends the batch.
    async fn finish(self, over: Over, mut stop: watch::Receiver<bool>) -> Result<(), Stuck> {
        let jobs = Arc::clone(&self.jobs);
        let (mut state, rest) = match over {
            Over::Cancelled => (BatchState::Cancelled, Uncalled::Cancelled),
            Over::Expired => (BatchState::Expired, Uncalled::Expired),
            Over::TooMuch => (BatchState::Completed, Uncalled::TooMuch),
            // Nothing is left that was not called.
            Over::Done | Over::Left => (BatchState::Completed, Uncalled::Lost),
        };
        let finalizing = BatchPatch {
            state: Some((BatchState::Finalizing, jobs.caller.now_ms())),
            paused: Some(String::new()),
            ..BatchPatch::default()
        };
        if over != Over::Cancelled {
            match jobs.store.update_batch(self.row.id, finalizing).await? {
                // In the last moment: everything was done all the same.
                Some(row) if row.state == BatchState::Cancelling => state = BatchState::Cancelled,
                Some(_) => {}
                None => return Ok(()),
            }
        }
        jobs.caller.forget(self.row.id);
        let (id, run) = (self.row.id, Arc::new(self));
        loop {
            match Arc::clone(&run).end(state, rest.clone()).await {
                Ok(()) => break,
                Err(stuck) => {
                    tracing::warn!(batch = %id, %stuck, "a batch cannot be ended; it is tried again");
                }
            }
            tokio::select! {
                () = tokio::time::sleep(RETRIES_EVERY) => {}
                _ = stop.wait_for(|stop| *stop) => return Ok(()),
            }
        }
        jobs.contents.remove_log(id)?;
        tracing::info!(batch = %id, state = state.name(), "a batch has ended");
        Ok(())
    }

    async fn end(self: Arc<Self>, state: BatchState, rest: Uncalled) -> Result<(), Stuck> {
        let jobs = Arc::clone(&self.jobs);
        let run = Arc::clone(&self);
        let written = tokio::task::spawn_blocking(move || {
            let log = lock(&run.log);
            let results = Results {
                contents: &run.jobs.contents,
                caller: &*run.jobs.caller,
                row: &run.row,
                input: &run.input,
                entries: &run.entries,
                log: &log,
                rest,
                keep_ms: run.jobs.limits.keep_ms,
            };
            results.write()
        });
        let Files {
            output,
            error,
            counts,
        } = written.await.map_err(|_| Stuck::Task)??;
        let ids: Vec<_> = [&output, &error]
            .into_iter()
            .flatten()
            .map(|file| file.id)
            .collect();
        let patch = BatchPatch {
            state: Some((state, jobs.caller.now_ms())),
            counts: Some(counts),
            paused: Some(String::new()),
            faults: None,
            output,
            error,
        };
        let noted = jobs.store.update_batch(self.row.id, patch).await;
        if !matches!(noted, Ok(Some(_)) | Err(StoreError::Unsure(_))) {
            // Nobody knows of them.
            for id in ids {
                let _ = jobs.contents.remove(id);
            }
        }
        noted?;
        Ok(())
    }

    /// Whether this node may still call lines of it.
    pub(super) fn is_leased(&self) -> bool {
        self.jobs.caller.now_ms() < self.jobs.leased_until_ms.load(Relaxed)
    }

    /// What waits: nobody is called before this moment.
    fn pause(&mut self, why: String, schedule: &mut Schedule) {
        if self.paused.as_ref() != Some(&why) {
            tracing::warn!(batch = %self.row.id, why, "a batch waits");
        }
        self.paused = Some(why);
        schedule.pause_until(Instant::now() + RETRIES_EVERY);
    }
}

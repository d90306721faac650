//! Lines under way, and what becomes of each.

use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bourse_dataplane::line::Witness;
use bourse_vocab::{Failure, FailureKind, GenerationId};
use bytes::Bytes;
use tokio::sync::OwnedSemaphorePermit;
use tokio::task::JoinSet;

use super::super::log::Log;
use super::super::prepare::line_of;
use super::super::render::Render;
use super::super::{call_id, label};
use super::schedule::Schedule;
use super::{RETRIES_EVERY, Run, lock};
use crate::caller::{LineCall, NoAnswer};

/// When a line is tried again whose key has too many calls under way.
const BUSY: Duration = Duration::from_secs(1);
/// Room that the disk must have before a line is called: the longest answer.
const ROOM_BYTES: u64 = 64 << 20;

/// What a line takes that waits for a vendor, beside its request.
const LINE_BYTES: u64 = 16 << 10;
/// What all lines of a batch may take that wait for vendors.
pub(crate) const AT_VENDOR_BYTES_MAX: u64 = 64 << 20;
/// When a line is looked at again for which there was no room there.
const FULL: Duration = Duration::from_secs(5);

/// Whether there is room for a line among those that wait for vendors.
enum Room {
    /// There was so much.
    Taken(u64),
    /// It is called by itself.
    Alone,
    /// Not now.
    Full,
}

/// What a line under way has come to.
pub(super) struct Ended {
    line: u32,
    /// What it took at a vendor, if it was sent to one.
    at_vendor: Option<u64>,
    render: Render,
    come: Come,
}

enum Come {
    /// It was answered, and the answer is kept.
    Kept,
    /// It was answered, and the disk did not take the answer.
    Unkept(Bytes),
    /// It was not answered.
    Not(NoAnswer),
}

/// Lines under way.
#[derive(Default)]
pub(super) struct Lines(JoinSet<Ended>);

impl Lines {
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// The next line that ends; `None` if the task that called it did not end
    /// as it should.
    pub(super) async fn next(&mut self) -> Option<Ended> {
        self.0.join_next().await?.ok()
    }
}

/// Keeps the answer of one line.
struct Keeper {
    log: Arc<Mutex<Log>>,
    line: u32,
    id: GenerationId,
    at_vendor: bool,
    render: Render,
    is_kept: AtomicBool,
}

impl Witness for Keeper {
    fn keep(&self, answer: &Bytes, settlement: &[u8]) {
        let text = self.render.answered(answer);
        let kept =
            lock(&self.log).answer((self.line, self.at_vendor), (self.id, settlement), &text);
        if kept.is_ok() {
            self.is_kept.store(true, Relaxed);
        }
    }
}

/// Whether a failure may be gone in a while: nobody is asked again who said no.
const fn passes(failure: &Failure) -> bool {
    matches!(
        failure.kind,
        FailureKind::RateLimited
            | FailureKind::Overloaded
            | FailureKind::Unavailable
            | FailureKind::Timeout
    )
}

impl Run {
    /// Calls the line that is due.
    pub(super) fn start(
        &mut self,
        schedule: &mut Schedule,
        lines: &mut Lines,
        permit: OwnedSemaphorePermit,
    ) {
        if !self.jobs.contents.has_room(ROOM_BYTES).unwrap_or(false) {
            let why = "The server's disk is full; it goes on when there is room".to_owned();
            return self.pause(why, schedule);
        }
        let Some(line) = schedule.take(self) else {
            return;
        };
        let at_vendor = match self.room_at_vendor(line) {
            Room::Taken(bytes) => Some(bytes),
            Room::Alone => None,
            Room::Full => return schedule.later(line, FULL),
        };
        match self.prepare(line, at_vendor.is_some()) {
            Ok((call, keeper)) => {
                let calling = self.jobs.caller.call(call);
                // One that waits for a day keeps nobody else from being called.
                let permit = at_vendor.is_none().then_some(permit);
                lines.0.spawn(async move {
                    let come = match calling.await {
                        Ok(_) if keeper.is_kept.load(Relaxed) => Come::Kept,
                        Ok(answer) => Come::Unkept(answer),
                        Err(why) => Come::Not(why),
                    };
                    drop(permit);
                    Ended {
                        line,
                        at_vendor,
                        render: keeper.render.clone(),
                        come,
                    }
                });
            }
            Err(error) => {
                self.leave_vendor(at_vendor);
                schedule.later(line, RETRIES_EVERY);
                self.pause(
                    format!("The server's disk refuses: {}", error.kind()),
                    schedule,
                );
            }
        }
    }

    /// Room for a line among those that wait for vendors.
    fn room_at_vendor(&mut self, line: u32) -> Room {
        let at = usize::try_from(line).unwrap_or(usize::MAX);
        let length = self
            .entries
            .get(at)
            .map_or(0, |entry| u64::from(entry.length));
        let bytes = length.saturating_add(LINE_BYTES);
        let sum = self.at_vendor.bytes.saturating_add(bytes);
        if !self.row.at_vendor || self.at_vendor.alone.contains(&line) {
            Room::Alone
        } else if sum > AT_VENDOR_BYTES_MAX && self.at_vendor.bytes > 0 {
            Room::Full
        } else {
            self.at_vendor.bytes = sum;
            Room::Taken(bytes)
        }
    }

    /// Gives back the room of a line.
    fn leave_vendor(&mut self, bytes: Option<u64>) {
        let bytes = bytes.unwrap_or(0);
        self.at_vendor.bytes = self.at_vendor.bytes.saturating_sub(bytes);
    }

    /// Notes that a line is called, and puts its call together.
    fn prepare(&self, line: u32, at_vendor: bool) -> std::io::Result<(LineCall, Arc<Keeper>)> {
        let at = usize::try_from(line).unwrap_or(usize::MAX);
        let missing = || std::io::Error::from(std::io::ErrorKind::NotFound);
        let entry = self.entries.get(at).ok_or_else(missing)?;
        let (read, body) = line_of(&self.input, entry, &self.row.endpoint)?;
        let tries = {
            let mut log = lock(&self.log);
            let tries = log.line(line).tries.saturating_add(1);
            log.start(line, tries)?;
            tries
        };
        let id = call_id(self.row.id, self.row.created_at_ms, line, tries);
        let keeper = Arc::new(Keeper {
            log: Arc::clone(&self.log),
            line,
            id,
            at_vendor,
            render: Render::new(self.row.shape, Some(&read.custom_id), id),
            is_kept: AtomicBool::new(false),
        });
        let call = LineCall {
            endpoint: self.row.endpoint.clone(),
            id,
            key: self.row.key,
            batch: label(self.row.id),
            body: body.into(),
            at_vendor: at_vendor.then_some((self.row.id, line)),
            witness: Arc::clone(&keeper) as Arc<dyn Witness>,
        };
        Ok((call, keeper))
    }

    /// Notes what a line has come to.
    pub(super) async fn note(&mut self, schedule: &mut Schedule, ended: Option<Ended>) {
        let Some(Ended {
            line,
            at_vendor,
            render,
            come,
        }) = ended
        else {
            return;
        };
        self.leave_vendor(at_vendor);
        match come {
            Come::Kept => {
                let one = u64::from(at_vendor.is_some());
                self.counts.at_vendor = self.counts.at_vendor.saturating_add(one);
                self.is_answered(schedule);
            }
            Come::Not(NoAnswer::Alone) => self.call_alone(schedule, line),
            Come::Unkept(answer) => {
                self.keep(line, true, &render.answered(&answer)).await;
                self.is_answered(schedule);
            }
            Come::Not(NoAnswer::Stopped) => schedule.later(line, RETRIES_EVERY),
            Come::Not(NoAnswer::Busy) => schedule.later(line, BUSY),
            Come::Not(NoAnswer::Key(failure)) => {
                schedule.later(line, RETRIES_EVERY);
                self.pause(failure.message.into_owned(), schedule);
            }
            Come::Not(NoAnswer::Failed(failure))
                if failure.kind == FailureKind::PaymentRequired =>
            {
                schedule.later(line, RETRIES_EVERY);
                self.pause(failure.message.into_owned(), schedule);
            }
            // Called by itself it may have more luck, and is told why not else.
            Come::Not(NoAnswer::Failed(_)) if at_vendor.is_some() => {
                self.call_alone(schedule, line);
            }
            Come::Not(NoAnswer::Failed(failure)) => {
                if passes(&failure) && schedule.again(line, failure.retry_after) {
                    return;
                }
                let body = self.jobs.caller.failure(&self.row.endpoint, &failure);
                self.keep(line, false, &render.failed(failure.status(), &body))
                    .await;
                self.counts.failed = self.counts.failed.saturating_add(1);
            }
        }
    }

    fn call_alone(&mut self, schedule: &mut Schedule, line: u32) {
        self.at_vendor.alone.insert(line);
        schedule.later(line, Duration::ZERO);
    }

    fn is_answered(&mut self, schedule: &mut Schedule) {
        self.counts.completed = self.counts.completed.saturating_add(1);
        self.paused = None;
        schedule.go_on();
    }

    /// Keeps what a line has come to, however long the disk takes to have room
    /// for it: it is paid for.
    async fn keep(&self, line: u32, is_answer: bool, text: &[u8]) {
        let mut is_told = false;
        loop {
            let kept = lock(&self.log).end(line, is_answer, text);
            match kept {
                Ok(()) => return,
                Err(error) if error.kind() == std::io::ErrorKind::FileTooLarge => {
                    tracing::error!(batch = %self.row.id, line, "an answer is too long to be kept");
                    return;
                }
                Err(error) if !is_told => {
                    is_told = true;
                    tracing::warn!(%error, "the disk does not take an answer; it is kept in memory and tried again");
                }
                Err(_) => {}
            }
            tokio::time::sleep(RETRIES_EVERY).await;
        }
    }
}

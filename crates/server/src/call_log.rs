//! A line for each finished call, and a warning for each endpoint that fails.
//!
//! Both are made of records, which a thread of its own reads from the journal
//! a moment after they were written: a call does nothing for its line, and a
//! log that nobody reads (a pipe that is full) stops nobody but this thread.
//! What the journal has let go of meanwhile is missing, and the log says so.
//! The journal waits for nobody here.

mod names;
mod rate;

use std::sync::Arc;
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::time::Duration;

use bourse_dataplane::alarms::kind::Kind;
use bourse_dataplane::clock::now_ms;
use bourse_dataplane::gateway::Gateway;
use bourse_ledger::record::{self, Record};
use bourse_spool::{Reader, SpoolError};
use bourse_store::Store;
use bourse_telemetry::line::{Line, faults};
use bourse_vocab::{FailureKind, KeyId, Reason};
use tokio::sync::oneshot;

use crate::config::{CallLines, Which};
use names::Names;
use rate::Rate;

/// How long finished calls may wait for company: short enough for somebody
/// who looks on.
const REST: Duration = Duration::from_millis(250);
/// Records that are read at once.
const RECORDS_MAX: usize = 512;
/// How often lines that were left out are told, in milliseconds.
const LEFT_OUT_EVERY_MS: u64 = 10_000;

/// The thread, which ends when it is told to.
pub struct CallLog {
    stop: Sender<()>,
    ended: oneshot::Receiver<()>,
}

impl CallLog {
    /// Begins with the calls that end from now on.
    ///
    /// # Errors
    /// The system has no thread to give.
    pub fn start(
        lines: CallLines,
        gateway: &Arc<Gateway>,
        store: &Arc<dyn Store>,
    ) -> std::io::Result<Self> {
        let spool = gateway.till.spool();
        let mut log = Log {
            reader: spool.reader(spool.written()),
            gateway: Arc::clone(gateway),
            names: Names::new(Arc::clone(store), tokio::runtime::Handle::current()),
            which: lines.which,
            rate: Rate::new(lines.per_s_max),
            told_ms: 0,
        };
        let (stop, stopping) = channel();
        let (end, ended) = oneshot::channel();
        std::thread::Builder::new()
            .name("call-log".to_owned())
            .spawn(move || {
                while stopping.recv_timeout(REST) == Err(RecvTimeoutError::Timeout) {
                    log.read_on();
                }
                log.read_on();
                log.tell_left_out(u64::MAX);
                // Nobody may wait any more.
                let _ = end.send(());
            })?;
        Ok(Self { stop, ended })
    }

    /// Writes what there is, and ends. A log that takes nothing keeps it waiting.
    pub async fn finish(self) {
        drop(self.stop);
        // An error is the end of the thread as well.
        let _ = self.ended.await;
    }
}

struct Log {
    reader: Reader,
    gateway: Arc<Gateway>,
    names: Names,
    which: Which,
    rate: Rate,
    /// When lines that were left out were told last.
    told_ms: u64,
}

impl Log {
    /// Reads to the end of what is on the disk.
    fn read_on(&mut self) {
        loop {
            let spool = self.gateway.till.spool();
            let durable = spool.durable();
            let batch = match self.reader.read(durable, RECORDS_MAX) {
                Ok(batch) => batch,
                Err(SpoolError::Gone { from, start }) => {
                    let bytes = start.0.saturating_sub(from.0);
                    tracing::warn!(
                        bytes,
                        "lines of calls are missing: this log was not taken for so long that the journal has let go of them"
                    );
                    self.reader.seek(start);
                    return;
                }
                Err(error) => {
                    tracing::warn!(%error, "the journal cannot be read for lines of calls; some are missing");
                    self.reader.seek(durable);
                    return;
                }
            };
            if batch.is_empty() {
                break;
            }
            // What a later version wrote is not known, and is left out.
            let records: Vec<_> = batch
                .iter()
                .filter(|bytes| self.which.reads(bytes))
                .filter_map(|bytes| record::decode(bytes).ok())
                .collect();
            self.note(&records);
        }
        self.tell_left_out(now_ms());
    }

    fn note(&mut self, records: &[Record<'_>]) {
        let now_ms = now_ms();
        for record in records {
            for (attempt, failure) in faults(record) {
                // Records of an earlier version have no reason.
                let why = attempt.reason.map_or(failure.error_type(), Reason::name);
                let subject = format!("{} {why}", attempt.endpoint);
                let status = match attempt.status {
                    0 => "no answer".to_owned(),
                    status => format!("status {status}"),
                };
                let message = format!("attempts at {} fail: {why}, {status}", attempt.endpoint);
                let alarms = &self.gateway.alarms;
                alarms.raise(Kind::EndpointFails, &subject, &message, now_ms);
            }
            if let Record::Refused(refused) = record {
                self.rate.left_out(refused.unrecorded);
            }
        }
        let lines = records.iter().filter_map(Line::of);
        let wanted: Vec<Line<'_>> = lines
            .filter(|line| self.which.wants(line) && self.rate.has_room(now_ms))
            .collect();
        self.names.learn(wanted.iter().map(|line| KeyId(line.key)));
        for line in &wanted {
            write(line, self.names.of(KeyId(line.key)));
        }
    }

    /// Says how many lines are missing, now and then.
    fn tell_left_out(&mut self, now_ms: u64) {
        if self.which == Which::None || now_ms < self.told_ms.saturating_add(LEFT_OUT_EVERY_MS) {
            return;
        }
        let lines = self.rate.take_left_out();
        if lines > 0 {
            self.told_ms = now_ms;
            tracing::warn!(
                lines,
                "lines of calls were left out: there were more in a second than log.calls_per_s_max, or than the journal takes of refused ones"
            );
        }
    }
}

impl Which {
    /// Whether a record is worth reading: most are of calls in which nothing
    /// failed.
    fn reads(self, bytes: &[u8]) -> bool {
        match self {
            Self::None | Self::Failed => record::is_end_with_failure(bytes),
            Self::All => record::is_end(bytes),
        }
    }

    fn wants(self, line: &Line<'_>) -> bool {
        match self {
            Self::None => false,
            Self::Failed => line.failure.is_some(),
            Self::All => true,
        }
    }
}

/// What is there of a text or a number.
fn some<T: Default + PartialEq>(value: T) -> Option<T> {
    Some(value).filter(|value| *value != T::default())
}

/// One event, which the log writes as one line whatever is in it.
fn write(line: &Line<'_>, key_name: Option<&str>) {
    let said = match line.failure {
        None if line.is_cancelled => "a call was left",
        None => "a call ended",
        Some(_) if line.attempts == 0 => "a call was refused",
        Some(_) => "a call failed",
    };
    tracing::info!(
        target: "bourse::calls",
        id = %line.id,
        account = line.account,
        key = line.key,
        key_name,
        model = some(line.requested),
        answered = some(line.model).filter(|model| *model != line.requested),
        endpoint = some(line.endpoint),
        status = line.status,
        error = line.failure.map(FailureKind::error_type),
        finish = some(line.finish),
        cached = some(line.is_cached),
        attempts = line.attempts,
        queue_ms = line.queue_ms,
        first_content_ms = some(line.first_content_ms),
        total_ms = line.total_ms,
        prompt_tokens = line.prompt_tokens,
        completion_tokens = line.completion_tokens,
        cost_usd = %line.cost,
        upstream_cost_usd = %line.upstream_cost,
        "{said}"
    );
}

//! A spool: opened, appended to, waited for, acknowledged.

mod recover;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::sync::watch;

use crate::consumers::{Consumers, DATABASE};
use crate::disk::{Disk, RealDisk};
use crate::queue::SyncQueue;
use crate::reader::Reader;
use crate::segment::{self, Segment};
use crate::synced::Synced;
use crate::trouble::Trouble;
use crate::writer::{Kind, Writer};
use crate::{Owner, Position, SpoolError, sync};
use recover::{check, place, recover, remove_leftover};

pub use recover::{Inspected, inspect};

/// How a spool is kept.
#[derive(Debug, Clone)]
pub struct Options {
    /// A segment that has grown beyond this is followed by a new one.
    pub segment_bytes: u64,
    /// While more than this waits for the database, nothing new begins.
    pub unapplied_bytes_max: u64,
    /// Other consumers that are further behind than this lose what they have
    /// not read.
    pub lag_bytes_max: u64,
    /// The least time between two syncs.
    pub sync_interval: Duration,
    /// What the files are on: another than the real one only in tests.
    pub disk: Arc<dyn Disk>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            // Small enough to delete often, large enough to create rarely.
            segment_bytes: 64 << 20,
            // At 300 bytes a call some three million calls: hours, in which
            // someone can look after the database.
            unapplied_bytes_max: 1 << 30,
            // A day of a sink's rest at some 50 calls a second.
            lag_bytes_max: 2 << 30,
            // A sync costs some 90 to 200 µs of CPU besides its I/O, and a
            // power cut what came since the last one: 20 ms keep both small.
            sync_interval: Duration::from_millis(20),
            disk: Arc::new(RealDisk),
        }
    }
}

/// What opening a spool found.
#[derive(Debug)]
pub struct Opened {
    /// The spool, ready to append to.
    pub spool: Spool,
    /// Bytes of a torn write that were cut off the end.
    pub torn_bytes: usize,
    /// Damage that costs nothing, because the database has those records.
    pub harmless: Vec<String>,
    /// There was no segment, although records were applied. What was not
    /// applied, if anything was, is lost.
    pub is_missing: bool,
}

impl Opened {
    /// Starts the thread that brings what is appended to the disk.
    fn syncing(mut self) -> Result<Self, SpoolError> {
        let spool = &mut self.spool;
        let (writer, queue) = (Arc::clone(&spool.writer), Arc::clone(&spool.queue));
        let interval = spool.options.sync_interval;
        let thread = std::thread::Builder::new()
            .name("spool-sync".to_owned())
            .spawn(move || sync::run(&writer, &queue, interval))
            .map_err(SpoolError::io("start a thread for", &spool.dir))?;
        spool.thread = Some(thread);
        Ok(self)
    }
}

/// The local journal.
#[derive(Debug)]
pub struct Spool {
    dir: PathBuf,
    options: Options,
    writer: Arc<Writer>,
    queue: Arc<SyncQueue>,
    consumers: Consumers,
    applied: AtomicU64,
    thread: Option<JoinHandle<()>>,
}

impl Spool {
    /// Opens the spool in `dir`, creating it if there is none. `applied` is
    /// how far the database has come, `others` how far every other consumer
    /// has. Every record that is there is checked. Segments of the first
    /// release, which name nobody, become `owner`'s.
    ///
    /// # Errors
    /// Damaged or missing segments, or such as belong to somebody else, see
    /// [`SpoolError`].
    pub fn open(
        dir: &Path,
        owner: Owner,
        applied: Position,
        others: &[(&str, Position)],
        options: Options,
    ) -> Result<Opened, SpoolError> {
        let disk = Arc::clone(&options.disk);
        Self::open_on(disk, dir, owner, (applied, others), options)?.syncing()
    }

    /// The same, and nothing syncs yet.
    fn open_on(
        disk: Arc<dyn Disk>,
        dir: &Path,
        owner: Owner,
        (applied, others): (Position, &[(&str, Position)]),
        options: Options,
    ) -> Result<Opened, SpoolError> {
        std::fs::create_dir_all(dir).map_err(SpoolError::io("create", dir))?;
        segment::remove_drafts(dir)?;
        let mut segments = segment::list(dir)?;
        remove_leftover(&mut segments)?;
        let consumers = Consumers::new(applied, others);
        // Whole segments that everybody has were about to be deleted.
        let needed = consumers.needed(applied, options.lag_bytes_max);
        while let [first, second, ..] = segments.as_slice() {
            if second.start > needed {
                break;
            }
            std::fs::remove_file(&first.path).map_err(SpoolError::io("delete", &first.path))?;
            segments.remove(0);
        }
        let found = check(&segments, Some(owner), applied)?;
        // Before anything is changed.
        let first = segments.first().map_or(applied, |first| first.start);
        let end = found.last.map_or(applied, |end| end.end);
        let (synced, known) = Synced::open(dir)?;
        place(first, end, applied, known)?;
        let is_missing = segments.is_empty() && applied > Position(0);
        let (segment, file, position, torn_bytes) =
            match recover(&segments, &*disk, owner, found.last)? {
                Some(found) => found,
                None => {
                    let segment = Segment::at(dir, applied);
                    let file = segment.create(&*disk, owner)?;
                    (segment, file, applied, 0)
                }
            };
        let file = Arc::new(file);
        let queue = Arc::new(SyncQueue::new(position, Arc::clone(&file)));
        let writer = Arc::new(Writer::new(
            disk,
            Arc::clone(&queue),
            (dir.to_owned(), options.segment_bytes, owner),
            (segment, file, position),
            synced,
        ));
        let spool = Self {
            dir: dir.to_owned(),
            options,
            writer,
            queue,
            consumers,
            applied: AtomicU64::new(applied.0),
            thread: None,
        };
        Ok(Opened {
            spool,
            torn_bytes,
            harmless: found.harmless,
            is_missing,
        })
    }

    /// Appends a record: when this returns, the kernel has it, unless it is a
    /// [`Kind::Note`], which waits for company. Returns the position after
    /// it, for [`Self::wait_durable`].
    ///
    /// # Errors
    /// A full spool (only for [`Kind::Begin`]), a disk error.
    pub fn append(&self, kind: Kind, record: &[u8]) -> Result<Position, SpoolError> {
        self.append_with(kind, |buffer| buffer.extend_from_slice(record))
    }

    /// Like [`Self::append`]; `write` appends the record to the buffer that
    /// goes to the kernel, which saves a copy and an allocation. It must
    /// leave alone what is in the buffer before that.
    ///
    /// # Errors
    /// As for [`Self::append`].
    pub fn append_with(
        &self,
        kind: Kind,
        write: impl FnOnce(&mut Vec<u8>),
    ) -> Result<Position, SpoolError> {
        if kind == Kind::Begin {
            self.check_room()?;
        }
        self.writer.append(kind, write)
    }

    /// Hands to the kernel what waits in memory: notes, and ends of calls
    /// that the disk did not take. Returns how many bytes it does not take
    /// now; they are tried again, here or with the next record.
    pub fn flush(&self) -> usize {
        self.writer.flush()
    }

    /// Brings everything to the disk, waiting for it.
    ///
    /// # Errors
    /// [`SpoolError::Stopped`]: it may not be there.
    pub fn sync_now(&self) -> Result<(), SpoolError> {
        let is_done = sync::bring(&self.writer, &self.queue) && !self.queue.is_stopped();
        if is_done {
            Ok(())
        } else {
            Err(SpoolError::Stopped)
        }
    }

    /// Whether there is room to begin something.
    ///
    /// # Errors
    /// [`SpoolError::Full`], [`SpoolError::Owing`] or
    /// [`SpoolError::Stopped`].
    pub fn check_room(&self) -> Result<(), SpoolError> {
        match self.queue.level() {
            Trouble::STOPPED => return Err(SpoolError::Stopped),
            Trouble::OWED => return Err(SpoolError::Owing),
            _ => {}
        }
        let bytes = self.unapplied_bytes();
        if bytes > self.options.unapplied_bytes_max {
            return Err(SpoolError::Full { bytes });
        }
        Ok(())
    }

    /// Waits until everything before `position` is on the disk.
    ///
    /// # Errors
    /// [`SpoolError::Stopped`] if it may never be.
    pub async fn wait_durable(&self, position: Position) -> Result<(), SpoolError> {
        if self.queue.durable() >= position {
            return Ok(());
        }
        let mut news = self.queue.subscribe();
        self.queue.hurry();
        let told = news
            .wait_for(|durable| durable.stopped || durable.position >= position)
            .await
            .map_err(|_| SpoolError::Stopped)?;
        if told.position >= position {
            Ok(())
        } else {
            Err(SpoolError::Stopped)
        }
    }

    /// What is wrong with the disk, now and from now on. Each change is told
    /// once, however often the disk refuses. After [`Trouble::Stopped`] the
    /// server should end: only a restart learns what is on the disk.
    #[must_use]
    pub fn trouble(&self) -> watch::Receiver<Trouble> {
        self.queue.subscribe_trouble()
    }

    /// Waits until a disk error has stopped the spool.
    pub async fn stopped(&self) {
        let mut trouble = self.queue.subscribe_trouble();
        // The sender lives as long as `self`, so waiting cannot fail.
        let _ = trouble
            .wait_for(|trouble| matches!(trouble, Trouble::Stopped(_)))
            .await;
    }

    /// How far the kernel has the spool; behind it only notes wait, and what
    /// the disk did not take.
    #[must_use]
    pub fn written(&self) -> Position {
        self.writer.written()
    }

    /// How far the spool is on the disk.
    #[must_use]
    pub fn durable(&self) -> Position {
        self.queue.durable()
    }

    /// How far the database has come.
    #[must_use]
    pub fn applied(&self) -> Position {
        Position(self.applied.load(Ordering::Acquire))
    }

    /// Bytes that wait for the database.
    #[must_use]
    pub fn unapplied_bytes(&self) -> u64 {
        self.written().0.saturating_sub(self.applied().0)
    }

    /// Beyond how many of these nothing new begins.
    #[must_use]
    pub const fn unapplied_bytes_max(&self) -> u64 {
        self.options.unapplied_bytes_max
    }

    /// A reader of the records from `from` on.
    #[must_use]
    pub fn reader(&self, from: Position) -> Reader {
        Reader::new(&self.dir, from)
    }

    /// Notes that a consumer has everything before `position`, and deletes
    /// the segments that nobody needs. A consumer that was not known is from
    /// now on.
    ///
    /// # Errors
    /// A file that cannot be deleted; the spool goes on.
    pub fn ack(&self, consumer: &str, position: Position) -> Result<(), SpoolError> {
        self.consumers.note(consumer, position);
        if consumer == DATABASE {
            self.applied.fetch_max(position.0, Ordering::AcqRel);
        }
        self.delete_unneeded()
    }

    /// Forgets a consumer (never the database) and what it had not read.
    ///
    /// # Errors
    /// As for [`Self::ack`].
    pub fn forget(&self, consumer: &str) -> Result<(), SpoolError> {
        self.consumers.remove(consumer);
        self.delete_unneeded()
    }

    /// How far a consumer has come.
    #[must_use]
    pub fn position_of(&self, consumer: &str) -> Option<Position> {
        self.consumers.position(consumer)
    }

    fn delete_unneeded(&self) -> Result<(), SpoolError> {
        let needed = self
            .consumers
            .needed(self.written(), self.options.lag_bytes_max);
        // Whatever a lagging consumer loses, the database must have.
        let needed = needed.min(self.applied());
        let segments = segment::list(&self.dir)?;
        for pair in segments.windows(2) {
            let [segment, next] = pair else { continue };
            if next.start > needed {
                break;
            }
            std::fs::remove_file(&segment.path).map_err(SpoolError::io("delete", &segment.path))?;
        }
        Ok(())
    }
}

/// Brings everything to the disk before it goes.
impl Drop for Spool {
    fn drop(&mut self) {
        self.flush();
        self.queue.close();
        if let Some(thread) = self.thread.take() {
            // A syncing thread that panicked has nothing more to say.
            let _ = thread.join();
        }
    }
}

#[cfg(test)]
mod tests;

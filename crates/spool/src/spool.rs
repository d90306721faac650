//! Appending.

mod recover;

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use crate::consumers::{Consumers, DATABASE};
use crate::disk::{Disk, RealDisk};
use crate::frame::{self, RECORD_BYTES_MAX};
use crate::reader::Reader;
use crate::segment::{self, FILE_HEADER_BYTES, Segment};
use crate::sync::Shared;
use crate::{Owner, Position, SpoolError};
use recover::{recover, remove_leftover};

pub use recover::inspect;

/// Ends of calls that are kept in memory while the disk refuses to take them:
/// some ten thousand. Beyond, the spool stops, because what it cannot keep
/// somebody would not be charged for.
const OWED_BYTES_MAX: usize = 4 << 20;

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
            // A sync costs some 90 µs of CPU besides its I/O, and a power
            // cut what came since the last one: 20 ms keep both small.
            sync_interval: Duration::from_millis(20),
        }
    }
}

/// What a record does. When the spool is full, beginning is refused and
/// ending is not, so that what runs can come to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Refused when the spool is full.
    Begin,
    /// Accepted as long as the disk takes it.
    Go,
    /// The end of something. If the disk does not take it now, it is kept in
    /// memory and written before whatever comes next.
    End,
    /// Always accepted, and brought to the disk with the next record that is
    /// more, or after ten times [`Options::sync_interval`]: a later note will
    /// say the same and more.
    Note,
}

/// What opening a spool found.
#[derive(Debug)]
pub struct Opened {
    /// The spool, ready to append to.
    pub spool: Spool,
    /// Bytes of a torn write that were cut off the end.
    pub torn_bytes: usize,
}

/// The local journal.
#[derive(Debug)]
pub struct Spool {
    dir: PathBuf,
    options: Options,
    writer: Mutex<Writer>,
    shared: Arc<Shared>,
    owner: Owner,
    disk: Arc<dyn Disk>,
    consumers: Consumers,
    written: AtomicU64,
    applied: AtomicU64,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug)]
struct Writer {
    file: Arc<File>,
    segment: Segment,
    position: Position,
    buffer: Vec<u8>,
    /// Frames that the disk has not taken, see [`Kind::End`].
    owed: Vec<u8>,
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
        Self::open_on(Arc::new(RealDisk), dir, owner, (applied, others), options)
    }

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
        if let Some(first) = segments.first().filter(|first| first.start > applied) {
            return Err(SpoolError::Missing {
                start: first.start,
                applied,
            });
        }
        let (segment, file, position, torn_bytes) = match recover(&segments, &*disk, owner)? {
            Some(found) => found,
            None => {
                let segment = Segment::at(dir, applied);
                let file = segment.create(&*disk, owner)?;
                (segment, file, applied, 0)
            }
        };
        if position < applied {
            return Err(SpoolError::Behind {
                end: position,
                applied,
            });
        }
        let file = Arc::new(file);
        let shared = Arc::new(Shared::new(position, Arc::clone(&file)));
        let (syncer, interval) = (Arc::clone(&shared), options.sync_interval);
        let thread = std::thread::Builder::new()
            .name("spool-sync".to_owned())
            .spawn(move || syncer.run(interval))
            .map_err(SpoolError::io("start a thread for", dir))?;
        let buffer = Vec::with_capacity(4096);
        let spool = Self {
            dir: dir.to_owned(),
            options,
            writer: Mutex::new(Writer {
                file,
                segment,
                position,
                buffer,
                owed: Vec::new(),
            }),
            shared,
            owner,
            disk,
            consumers,
            written: AtomicU64::new(position.0),
            applied: AtomicU64::new(applied.0),
            thread: Some(thread),
        };
        Ok(Opened { spool, torn_bytes })
    }

    /// Appends a record: when this returns, the kernel has it. Returns the
    /// position after it, for [`Self::wait_durable`].
    ///
    /// # Errors
    /// A full spool (only for [`Kind::Begin`]), a disk error.
    pub fn append(&self, kind: Kind, record: &[u8]) -> Result<Position, SpoolError> {
        self.append_with(kind, |buffer| buffer.extend_from_slice(record))
    }

    /// Like [`Self::append`]; `write` appends the record to the buffer that
    /// goes to the kernel, which saves a copy and an allocation.
    ///
    /// # Errors
    /// As for [`Self::append`].
    pub fn append_with(
        &self,
        kind: Kind,
        write: impl FnOnce(&mut Vec<u8>),
    ) -> Result<Position, SpoolError> {
        if self.shared.is_stopped() {
            return Err(SpoolError::Stopped);
        }
        if kind == Kind::Begin {
            self.check_room()?;
        }
        let mark = self.shared.durable().0;
        let mut writer = self.lock();
        writer.fill(mark, write)?;
        if let Err(error) = self.write_owed(&mut writer) {
            return self.owe(&mut writer, kind, error);
        }
        let frame = std::mem::take(&mut writer.buffer);
        let written = self.write(&mut writer, &frame);
        writer.buffer = frame;
        match written {
            Ok(position) => {
                self.shared.wrote(position, kind);
                Ok(position)
            }
            Err(error) => self.owe(&mut writer, kind, error),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Writer> {
        self.writer.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Hands whole frames to the kernel. Returns the position after them.
    fn write(&self, writer: &mut Writer, frames: &[u8]) -> Result<Position, SpoolError> {
        let grown = writer.position.0.saturating_sub(writer.segment.start.0);
        if grown >= self.options.segment_bytes {
            self.rotate(writer)?;
        }
        let Writer {
            file,
            segment,
            position,
            ..
        } = writer;
        if let Err(source) = self.disk.append(file, frames) {
            // Part of the frame may be in the file. Without it the file is
            // whole again; if even that fails, nothing more is accepted.
            let end = position.0.saturating_sub(segment.start.0);
            let end = end.saturating_add(FILE_HEADER_BYTES as u64);
            if file.set_len(end).is_err() {
                self.shared.stop();
            }
            return Err(SpoolError::io("write", &segment.path)(source));
        }
        *position = Position(position.0.saturating_add(frames.len() as u64));
        self.written.store(position.0, Ordering::Release);
        Ok(*position)
    }

    /// Writes what the disk did not take earlier.
    fn write_owed(&self, writer: &mut Writer) -> Result<(), SpoolError> {
        if writer.owed.is_empty() {
            return Ok(());
        }
        let owed = std::mem::take(&mut writer.owed);
        match self.write(writer, &owed) {
            Ok(position) => {
                self.shared.wrote(position, Kind::End);
                Ok(())
            }
            Err(error) => {
                writer.owed = owed;
                Err(error)
            }
        }
    }

    /// Keeps the frame that the disk did not take, if it is an end.
    fn owe(
        &self,
        writer: &mut Writer,
        kind: Kind,
        error: SpoolError,
    ) -> Result<Position, SpoolError> {
        if kind != Kind::End || self.shared.is_stopped() {
            return Err(error);
        }
        let Writer { owed, buffer, .. } = writer;
        if owed.len().saturating_add(buffer.len()) > OWED_BYTES_MAX {
            self.shared.stop();
            return Err(error);
        }
        owed.extend_from_slice(buffer);
        let end = writer.position.0.saturating_add(writer.owed.len() as u64);
        Ok(Position(end))
    }

    /// Tries again to write what the disk did not take, see [`Kind::End`].
    /// Returns how many bytes are still owed.
    pub fn retry(&self) -> usize {
        let mut writer = self.lock();
        if !self.shared.is_stopped() {
            // What fails is tried again, here or with the next record.
            let _ = self.write_owed(&mut writer);
        }
        writer.owed.len()
    }

    /// Begins a new segment. The old one goes to the disk first, so that a
    /// power cut can tear none but the last. If the new one cannot be made,
    /// the old one goes on and the next record tries again.
    fn rotate(&self, writer: &mut Writer) -> Result<(), SpoolError> {
        if let Err(source) = writer.file.sync_data() {
            self.shared.stop();
            return Err(SpoolError::io("sync", &writer.segment.path)(source));
        }
        let segment = Segment::at(&self.dir, writer.position);
        let file = match segment.create(&*self.disk, self.owner) {
            Ok(file) => Arc::new(file),
            // A segment that could neither be finished nor taken back would
            // stand in the middle of the old one.
            Err(error) if segment.path.exists() => {
                self.shared.stop();
                return Err(error);
            }
            Err(_) => return Ok(()),
        };
        self.shared.rotated(Arc::clone(&file));
        writer.file = file;
        writer.segment = segment;
        Ok(())
    }

    /// Whether there is room to begin something.
    ///
    /// # Errors
    /// [`SpoolError::Full`], or [`SpoolError::Stopped`].
    pub fn check_room(&self) -> Result<(), SpoolError> {
        if self.shared.is_stopped() {
            return Err(SpoolError::Stopped);
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
        if self.shared.durable() >= position {
            return Ok(());
        }
        let mut news = self.shared.subscribe();
        self.shared.hurry();
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

    /// Waits until a disk error has stopped the spool. The server should
    /// then end: only a restart learns what is on the disk.
    pub async fn stopped(&self) {
        let mut end = self.shared.subscribe_end();
        // The sender lives as long as `self`, so waiting cannot fail.
        let _ = end.wait_for(|ended| *ended).await;
    }

    /// Where the next record will be.
    #[must_use]
    pub fn written(&self) -> Position {
        Position(self.written.load(Ordering::Acquire))
    }

    /// How far the spool is on the disk.
    #[must_use]
    pub fn durable(&self) -> Position {
        self.shared.durable()
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
        self.retry();
        self.shared.close();
        if let Some(thread) = self.thread.take() {
            // A syncing thread that panicked has nothing more to say.
            let _ = thread.join();
        }
    }
}

impl Writer {
    /// Puts a frame into the buffer.
    fn fill(&mut self, mark: u64, write: impl FnOnce(&mut Vec<u8>)) -> Result<(), SpoolError> {
        self.buffer.clear();
        self.buffer.resize(frame::HEADER_BYTES, 0);
        write(&mut self.buffer);
        let bytes = self.buffer.len().saturating_sub(frame::HEADER_BYTES);
        if bytes == 0 || bytes > RECORD_BYTES_MAX {
            // A buffer that has grown far beyond its use is given back.
            self.buffer = Vec::with_capacity(4096);
            return Err(SpoolError::TooLong { bytes });
        }
        frame::seal(&mut self.buffer, mark);
        Ok(())
    }
}

#[cfg(test)]
mod tests;

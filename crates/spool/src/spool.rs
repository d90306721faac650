//! Appending.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use crate::frame::{self, RECORD_BYTES_MAX};
use crate::reader::Reader;
use crate::segment::{self, Segment};
use crate::sync::Shared;
use crate::{Position, SpoolError};

/// How a spool is kept.
#[derive(Debug, Clone)]
pub struct Options {
    /// A segment that has grown beyond this is followed by a new one.
    pub segment_bytes: u64,
    /// While more than this waits for the database, nothing new begins.
    pub unapplied_bytes_max: u64,
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
    /// Always accepted.
    Go,
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
}

impl Spool {
    /// Opens the spool in `dir`, creating it if there is none. `applied` is
    /// how far the database has come. Every record after it is checked.
    ///
    /// # Errors
    /// Damaged or missing segments, see [`SpoolError`].
    pub fn open(dir: &Path, applied: Position, options: Options) -> Result<Opened, SpoolError> {
        std::fs::create_dir_all(dir).map_err(SpoolError::io("create", dir))?;
        let mut segments = segment::list(dir)?;
        // Whole segments that the database has were about to be deleted.
        while let [first, second, ..] = segments.as_slice() {
            if second.start > applied {
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
        let (segment, file, position, torn_bytes) = match recover(&segments)? {
            Some(found) => found,
            None => {
                let segment = Segment::at(dir, applied);
                let file = segment.create()?;
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
            }),
            shared,
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
        let mut writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        let size = writer.fill(mark, write)?;
        let grown = writer.position.0.saturating_sub(writer.segment.start.0);
        if grown >= self.options.segment_bytes {
            self.rotate(&mut writer)?;
        }
        let Writer {
            file,
            segment,
            position,
            buffer,
        } = &mut *writer;
        if let Err(source) = file.as_ref().write_all(buffer) {
            // Part of the frame may be in the file. Without it the file is
            // whole again; if even that fails, nothing more is accepted.
            let end = position.0.saturating_sub(segment.start.0);
            let end = end.saturating_add(segment::FILE_HEADER_BYTES as u64);
            if file.set_len(end).is_err() {
                self.shared.stop();
            }
            let path = segment.path.clone();
            return Err(SpoolError::Io {
                what: "write",
                path,
                source,
            });
        }
        *position = Position(position.0.saturating_add(size));
        let position = *position;
        self.written.store(position.0, Ordering::Release);
        self.shared.wrote(position, kind);
        Ok(position)
    }

    /// Begins a new segment. The old one goes to the disk first, so that a
    /// power cut can tear none but the last.
    fn rotate(&self, writer: &mut Writer) -> Result<(), SpoolError> {
        if let Err(source) = writer.file.sync_data() {
            self.shared.stop();
            let path = writer.segment.path.clone();
            return Err(SpoolError::Io {
                what: "sync",
                path,
                source,
            });
        }
        let segment = Segment::at(&self.dir, writer.position);
        let file = Arc::new(segment.create()?);
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

    /// Notes that the database has everything before `position`, and
    /// deletes the segments that are no longer needed.
    ///
    /// # Errors
    /// A file that cannot be deleted; the spool goes on.
    pub fn acknowledge(&self, position: Position) -> Result<(), SpoolError> {
        self.applied.fetch_max(position.0, Ordering::AcqRel);
        let segments = segment::list(&self.dir)?;
        for pair in segments.windows(2) {
            let [segment, next] = pair else { continue };
            if next.start > position {
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
        self.shared.close();
        if let Some(thread) = self.thread.take() {
            // A syncing thread that panicked has nothing more to say.
            let _ = thread.join();
        }
    }
}

impl Writer {
    /// Puts a frame into the buffer; returns its size.
    fn fill(&mut self, mark: u64, write: impl FnOnce(&mut Vec<u8>)) -> Result<u64, SpoolError> {
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
        Ok(self.buffer.len() as u64)
    }
}

/// Checks a spool that no server uses, without changing it: every record
/// after `applied` must be whole. Returns where the records end; a torn write
/// behind them is left where it is.
///
/// # Errors
/// Damaged or missing segments, see [`SpoolError`].
pub fn inspect(dir: &Path, applied: Position) -> Result<Position, SpoolError> {
    let segments = segment::list(dir)?;
    let Some(first) = segments.first() else {
        return Ok(applied);
    };
    if first.start > applied {
        return Err(SpoolError::Missing {
            start: first.start,
            applied,
        });
    }
    let end = check(&segments)?.map_or(applied, |end| end.end);
    if end < applied {
        return Err(SpoolError::Behind { end, applied });
    }
    Ok(end)
}

type Recovered = (Segment, File, Position, usize);

/// Checks all segments; returns what the last one holds.
fn check(segments: &[Segment]) -> Result<Option<segment::Checked>, SpoolError> {
    let mut last = None;
    for (i, segment) in segments.iter().enumerate() {
        let checked = segment.check(&segment.load()?)?;
        let next = segments.get(i.saturating_add(1));
        let is_whole = checked.torn == 0 && next.is_none_or(|next| next.start == checked.end);
        if next.is_some() && !is_whole {
            let why = checked
                .bad
                .map_or("it does not reach the next segment", |bad| bad.words());
            return Err(segment.corrupt(checked.kept, why));
        }
        last = Some(checked);
    }
    Ok(last)
}

/// Checks all segments and opens the last one for appending.
fn recover(segments: &[Segment]) -> Result<Option<Recovered>, SpoolError> {
    let (Some(segment), Some(end)) = (segments.last(), check(segments)?) else {
        return Ok(None);
    };
    if end.kept == 0 {
        // The server died while it created this file: begin it again.
        std::fs::remove_file(&segment.path).map_err(SpoolError::io("delete", &segment.path))?;
        let file = segment.create()?;
        return Ok(Some((segment.clone(), file, segment.start, end.torn)));
    }
    let file = OpenOptions::new()
        .read(true)
        .append(true)
        .open(&segment.path)
        .map_err(SpoolError::io("open", &segment.path))?;
    if end.torn > 0 {
        file.set_len(end.kept as u64)
            .map_err(SpoolError::io("cut", &segment.path))?;
    }
    // What survived is about to be built upon: it must be on the disk.
    file.sync_all()
        .map_err(SpoolError::io("sync", &segment.path))?;
    Ok(Some((segment.clone(), file, end.end, end.torn)))
}

#[cfg(test)]
mod tests;

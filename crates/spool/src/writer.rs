//! Handing frames to the kernel.
//!
//! A buffer holds, in order, what the kernel does not have yet: notes that
//! wait for company, ends that a disk did not take, and the record that is
//! being appended. One `write(2)` brings all of it, so a note costs a copy
//! and no system call of its own. Positions count what is in the buffer;
//! [`Writer::written`] does not, and nobody reads, syncs or acknowledges
//! beyond that.

use std::fs::File;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::disk::Disk;
use crate::frame::{self, RECORD_BYTES_MAX};
use crate::queue::SyncQueue;
use crate::segment::{FILE_HEADER_BYTES, Segment};
use crate::{Owner, Position, SpoolError};

/// Notes wait for company up to so many bytes: more would make the record
/// that takes them along wait for a long write.
const NOTES_BYTES_MAX: usize = 64 << 10;
/// Ends of calls that are kept in memory while the disk refuses to take them:
/// some ten thousand. Beyond, the spool stops, because what it cannot keep
/// somebody would not be charged for.
const OWED_BYTES_MAX: usize = 4 << 20;
/// A buffer that has grown beyond its ordinary use is given back.
const BUFFER_BYTES_KEPT: usize = 2 * NOTES_BYTES_MAX;

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
    /// Moves no money: waits in memory for the next record that is more, and
    /// no longer than 200 ms, or [`crate::Options::sync_interval`] if that is
    /// more. A process that is killed before loses it.
    Note,
}

/// The end of the spool.
#[derive(Debug)]
pub(crate) struct Writer {
    dir: PathBuf,
    segment_bytes: u64,
    owner: Owner,
    disk: Arc<dyn Disk>,
    queue: Arc<SyncQueue>,
    written: AtomicU64,
    tail: Mutex<Tail>,
}

/// What is appended to.
#[derive(Debug)]
struct Tail {
    file: Arc<File>,
    segment: Segment,
    /// After the last frame that the kernel has.
    position: Position,
    /// Whole frames that it does not have.
    buffer: Vec<u8>,
    /// One of them is the end of something, see [`Kind::End`].
    owes: bool,
}

impl Writer {
    /// Appends to the last `segment`, an open `file` that ends at `position`.
    pub fn new(
        disk: Arc<dyn Disk>,
        queue: Arc<SyncQueue>,
        (dir, segment_bytes, owner): (PathBuf, u64, Owner),
        (segment, file, position): (Segment, Arc<File>, Position),
    ) -> Self {
        Self {
            dir,
            segment_bytes,
            owner,
            disk,
            queue,
            written: AtomicU64::new(position.0),
            tail: Mutex::new(Tail {
                file,
                segment,
                position,
                buffer: Vec::with_capacity(4096),
                owes: false,
            }),
        }
    }

    /// How far the kernel has the spool.
    pub fn written(&self) -> Position {
        Position(self.written.load(Ordering::Acquire))
    }

    /// Appends what `write` appends to the buffer, as one record. Returns
    /// the position after it.
    ///
    /// # Errors
    /// A disk error, a spool that had stopped, an impossible record.
    pub fn append(
        &self,
        kind: Kind,
        write: impl FnOnce(&mut Vec<u8>),
    ) -> Result<Position, SpoolError> {
        if self.queue.is_stopped() {
            return Err(SpoolError::Stopped);
        }
        let mark = self.queue.durable().0;
        let mut tail = self.lock();
        let before = tail.buffer.len();
        tail.fill(mark, write)?;
        let may_wait = tail.buffer.len() <= NOTES_BYTES_MAX && !tail.owes;
        if kind == Kind::Note && may_wait {
            if before == 0 {
                self.queue.waits();
            }
            return Ok(tail.end());
        }
        let matters = kind != Kind::Note || tail.owes;
        match self.write(&mut tail) {
            Ok(()) => {
                self.queue.wrote(tail.position, matters);
                Ok(tail.position)
            }
            Err(error) => self.owe(&mut tail, before, kind, error),
        }
    }

    /// Hands to the kernel what waits in memory. Returns how many bytes the
    /// disk did not take; they are tried again, here or with the next
    /// record.
    pub fn flush(&self) -> usize {
        let mut tail = self.lock();
        let matters = tail.owes;
        let is_due = !tail.buffer.is_empty() && !self.queue.is_stopped();
        if is_due && self.write(&mut tail).is_ok() {
            self.queue.wrote(tail.position, matters);
        }
        tail.buffer.len()
    }

    fn lock(&self) -> MutexGuard<'_, Tail> {
        self.tail.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Hands the buffer to the kernel.
    fn write(&self, tail: &mut Tail) -> Result<(), SpoolError> {
        let grown = tail.position.0.saturating_sub(tail.segment.start.0);
        if grown >= self.segment_bytes {
            // What waits in the buffer goes into the new segment: it begins
            // where the kernel's part ends.
            self.rotate(tail)?;
        }
        let Tail {
            file,
            segment,
            position,
            buffer,
            owes,
        } = tail;
        if let Err(source) = self.disk.append(file, buffer) {
            // Part of the frames may be in the file. Without it the file is
            // whole again; if even that fails, nothing more is accepted.
            let end = position.0.saturating_sub(segment.start.0);
            let end = end.saturating_add(FILE_HEADER_BYTES as u64);
            if file.set_len(end).is_err() {
                self.queue.stop();
            }
            return Err(SpoolError::io("write", &segment.path)(source));
        }
        *position = Position(position.0.saturating_add(buffer.len() as u64));
        *owes = false;
        tail.keep(0);
        self.written.store(tail.position.0, Ordering::Release);
        Ok(())
    }

    /// Keeps the frame after `before` that the disk did not take, if it is
    /// an end.
    fn owe(
        &self,
        tail: &mut Tail,
        before: usize,
        kind: Kind,
        error: SpoolError,
    ) -> Result<Position, SpoolError> {
        if kind == Kind::End && !self.queue.is_stopped() {
            if tail.buffer.len() <= OWED_BYTES_MAX {
                tail.owes = true;
                self.queue.waits();
                return Ok(tail.end());
            }
            self.queue.stop();
        }
        tail.keep(before);
        Err(error)
    }

    /// Begins a new segment. The old one goes to the disk first, so that a
    /// power cut can tear none but the last. If the new one cannot be made,
    /// the old one goes on and the next record tries again.
    fn rotate(&self, tail: &mut Tail) -> Result<(), SpoolError> {
        if let Err(source) = tail.file.sync_data() {
            self.queue.stop();
            return Err(SpoolError::io("sync", &tail.segment.path)(source));
        }
        let segment = Segment::at(&self.dir, tail.position);
        let file = match segment.create(&*self.disk, self.owner) {
            Ok(file) => Arc::new(file),
            // A segment that could neither be finished nor taken back would
            // stand in the middle of the old one.
            Err(error) if segment.path.exists() => {
                self.queue.stop();
                return Err(error);
            }
            Err(_) => return Ok(()),
        };
        self.queue.rotated(Arc::clone(&file));
        tail.file = file;
        tail.segment = segment;
        Ok(())
    }
}

impl Tail {
    /// The position after everything, also what is in the buffer.
    const fn end(&self) -> Position {
        Position(self.position.0.saturating_add(self.buffer.len() as u64))
    }

    /// Adds a frame to the buffer.
    fn fill(&mut self, mark: u64, write: impl FnOnce(&mut Vec<u8>)) -> Result<(), SpoolError> {
        let before = self.buffer.len();
        let begin = before.saturating_add(frame::HEADER_BYTES);
        self.buffer.resize(begin, 0);
        write(&mut self.buffer);
        let bytes = self.buffer.len().saturating_sub(begin);
        if bytes == 0 || bytes > RECORD_BYTES_MAX {
            self.keep(before);
            return Err(SpoolError::TooLong { bytes });
        }
        frame::seal(self.buffer.get_mut(before..).unwrap_or_default(), mark);
        Ok(())
    }

    /// Takes the frames after the first `bytes` bytes out of the buffer.
    fn keep(&mut self, bytes: usize) {
        self.buffer.truncate(bytes);
        if self.buffer.capacity() > BUFFER_BYTES_KEPT {
            self.buffer.shrink_to(BUFFER_BYTES_KEPT);
        }
    }
}

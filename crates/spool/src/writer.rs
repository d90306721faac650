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
use crate::synced::Synced;
use crate::trouble::Trouble;
use crate::{Owner, Position, SpoolError};

/// Notes wait for company up to so many bytes: more would make the record
/// that takes them along wait for a long write.
const NOTES_BYTES_MAX: usize = 64 << 10;
/// Ends of calls that are kept in memory while the disk refuses to take them:
/// some forty thousand. Nothing begins meanwhile, so these are the calls that
/// ran when it began to. Beyond, the spool stops, because what it cannot keep
/// somebody would not be charged for.
const OWED_BYTES_MAX: usize = 16 << 20;
/// The same for what grows, which shares their room: a quarter, so that what
/// has grown can always end. Answers that outgrow their hold go on for some
/// seventy thousand extensions of it, and a small answer needs none.
const GROWN_BYTES_MAX: usize = OWED_BYTES_MAX / 4;
/// What a disk must take that refused, where nothing waits for it: zeros,
/// which are no record.
const PROBE: [u8; 512] = [0; 512];
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
    /// More of something that runs. It is kept in memory like an end, as long
    /// as that leaves room for the ends.
    Grow,
    /// The end of something. If the disk does not take it now, it is kept in
    /// memory and written before whatever comes next.
    End,
    /// Moves no money: waits in memory for the next record that is more, and
    /// no longer than 200 ms, or [`crate::Options::sync_interval`] if that is
    /// more. A process that is killed before loses it.
    Note,
}

impl Kind {
    /// How much may wait in memory, with a record of this kind, for a disk
    /// that refuses.
    const fn owed_bytes_max(self) -> usize {
        match self {
            Self::Begin | Self::Go | Self::Note => 0,
            Self::Grow => GROWN_BYTES_MAX,
            Self::End => OWED_BYTES_MAX,
        }
    }
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
    synced: Synced,
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
    /// One of them is an end or what has grown, see [`Kind::End`].
    owes: bool,
    /// The last write was refused.
    is_refused: bool,
    /// Part of a refused write may be in the file.
    is_ragged: bool,
}

impl Writer {
    /// Appends to the last `segment`, an open `file` that ends at `position`.
    pub fn new(
        disk: Arc<dyn Disk>,
        queue: Arc<SyncQueue>,
        (dir, segment_bytes, owner): (PathBuf, u64, Owner),
        (segment, file, position): (Segment, Arc<File>, Position),
        synced: Synced,
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
                is_refused: false,
                is_ragged: false,
            }),
            synced,
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
        // What has ended is still written where the disk takes it: a restart
        // may find it.
        if self.queue.is_stopped() && kind != Kind::End {
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
        // Many ends are tried together, by the thread: each by itself would
        // write all before it again.
        let is_kept = kind.owed_bytes_max() > 0;
        if tail.owes && is_kept && tail.buffer.len() > NOTES_BYTES_MAX {
            return self.owe(&mut tail, before, kind, SpoolError::Owing);
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
    /// record. A disk that refused is asked whether it takes something now.
    pub fn flush(&self) -> usize {
        let mut tail = self.lock();
        let matters = tail.owes;
        let done = if tail.buffer.is_empty() {
            self.probe(&mut tail)
        } else {
            self.write(&mut tail)
        };
        match done {
            Ok(()) => self.queue.wrote(tail.position, matters),
            Err(error) => self.refused(&mut tail, &error),
        }
        tail.buffer.len()
    }

    /// Brings a file to the disk.
    pub fn sync(&self, file: &File) -> std::io::Result<()> {
        self.disk.sync_data(file)
    }

    /// Keeps how far the spool is on the disk, for the next start.
    pub fn note_synced(&self, position: Position) {
        self.synced.note(position);
    }

    /// Whether a disk that refused takes something now.
    fn probe(&self, tail: &mut Tail) -> Result<(), SpoolError> {
        if tail.is_refused {
            self.mend(tail)?;
            tail.is_ragged = true;
            let done = self.disk.append(&tail.file, &PROBE);
            done.map_err(SpoolError::io("write", &tail.segment.path))?;
            self.mend(tail)?;
            tail.is_refused = false;
            self.queue.heal();
        }
        Ok(())
    }

    /// Takes what is left of a refused write out of the file.
    fn mend(&self, tail: &mut Tail) -> Result<(), SpoolError> {
        if tail.is_ragged {
            let end = tail.position.0.saturating_sub(tail.segment.start.0);
            let end = end.saturating_add(FILE_HEADER_BYTES as u64);
            let done = self.disk.cut(&tail.file, end);
            done.map_err(SpoolError::io("cut", &tail.segment.path))?;
            tail.is_ragged = false;
        }
        Ok(())
    }

    /// Notes that the disk refused, for the thread to try again.
    fn refused(&self, tail: &mut Tail, error: &SpoolError) {
        tail.is_refused = true;
        // Without the path: readiness is public.
        let why = match error {
            SpoolError::Io { what, source, .. } => format!("{what}: {source}"),
            other => other.to_string(),
        };
        let why = why.into();
        self.queue.worsen(if tail.owes {
            Trouble::Owed(why)
        } else {
            Trouble::Refused(why)
        });
        self.queue.waits();
    }

    fn lock(&self) -> MutexGuard<'_, Tail> {
        self.tail.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Hands the buffer to the kernel.
    fn write(&self, tail: &mut Tail) -> Result<(), SpoolError> {
        self.mend(tail)?;
        let grown = tail.position.0.saturating_sub(tail.segment.start.0);
        if grown >= self.segment_bytes && !self.queue.is_stopped() {
            // What waits in the buffer goes into the new segment: it begins
            // where the kernel's part ends.
            self.rotate(tail)?;
        }
        if let Err(source) = self.disk.append(&tail.file, &tail.buffer) {
            // Without what may be in the file of them it is whole again. It
            // is as it was to whoever reads, because nobody does beyond what
            // is written, and to a restart, which cuts off a torn write.
            tail.is_ragged = true;
            let error = SpoolError::io("write", &tail.segment.path)(source);
            // Tried again before the next write if it cannot be done now.
            let _ = self.mend(tail);
            return Err(error);
        }
        let taken = tail.buffer.len() as u64;
        tail.position = Position(tail.position.0.saturating_add(taken));
        tail.keep(0);
        self.written.store(tail.position.0, Ordering::Release);
        if tail.is_refused {
            tail.is_refused = false;
            tail.owes = false;
            self.queue.heal();
        }
        Ok(())
    }

    /// Keeps the frame after `before` that the disk did not take, if it is
    /// an end or has grown.
    fn owe(
        &self,
        tail: &mut Tail,
        before: usize,
        kind: Kind,
        error: SpoolError,
    ) -> Result<Position, SpoolError> {
        let keeps = tail.buffer.len() <= kind.owed_bytes_max();
        if keeps {
            tail.owes = true;
        } else {
            tail.keep(before);
        }
        self.refused(tail, &error);
        if keeps {
            return Ok(tail.end());
        }
        if kind == Kind::End {
            self.queue
                .stop("more ends of calls wait in memory than may");
        }
        Err(error)
    }

    /// Begins a new segment. The old one goes to the disk first, so that a
    /// power cut can tear none but the last. If the new one cannot be made,
    /// the old one goes on and the next record tries again.
    fn rotate(&self, tail: &mut Tail) -> Result<(), SpoolError> {
        if let Err(source) = self.disk.sync_data(&tail.file) {
            self.queue.stop(&format!("a sync failed: {source}"));
            return Err(SpoolError::io("sync", &tail.segment.path)(source));
        }
        let segment = Segment::at(&self.dir, tail.position);
        let file = match segment.create(&*self.disk, self.owner) {
            Ok(file) => Arc::new(file),
            // It could neither be finished nor taken back. The old one ends
            // where it begins, and gets nothing more: the next write begins
            // it again.
            Err(error) if segment.path.exists() => return Err(error),
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

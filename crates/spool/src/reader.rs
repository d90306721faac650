//! Reading records back while the spool grows.
//!
//! Reads from the files, not from a queue in memory: the pages are still in
//! the kernel's cache, and a database that falls behind costs disk, not
//! memory.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::frame::{self, BadFrame, HEADER_BYTES, RECORD_BYTES_MAX};
use crate::segment::{self, Segment};
use crate::{Position, SpoolError};

/// Bytes read at once.
const CHUNK_BYTES: usize = 256 * 1024;

/// Some records, in order.
#[derive(Debug, Default)]
pub struct Batch {
    bytes: Vec<u8>,
    /// Start and end of each record in `bytes`.
    records: Vec<(usize, usize)>,
    end: Position,
}

impl Batch {
    /// The records.
    pub fn iter(&self) -> impl Iterator<Item = &[u8]> {
        self.records
            .iter()
            .filter_map(|&(start, end)| self.bytes.get(start..end))
    }

    /// The records, each with the position after it.
    pub fn iter_with_ends(&self) -> impl Iterator<Item = (Position, &[u8])> {
        let size = |&(start, end): &(usize, usize)| {
            let record = end.saturating_sub(start);
            record.saturating_add(HEADER_BYTES) as u64
        };
        let sizes = self.records.iter().map(size);
        let all = sizes.clone().fold(0, u64::saturating_add);
        let mut at = self.end.0.saturating_sub(all);
        let ends = sizes.map(move |size| {
            at = at.saturating_add(size);
            Position(at)
        });
        ends.zip(self.iter())
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.records.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.records.is_empty()
    }

    /// The position after the last of them.
    #[must_use]
    pub const fn end(&self) -> Position {
        self.end
    }
}

/// Reads a spool's records from some position on.
#[derive(Debug)]
pub struct Reader {
    dir: PathBuf,
    next: Position,
    open: Option<Arc<Open>>,
    /// Where a stretch of a file is read into, kept: to set a fresh one to
    /// zero costs more than to copy from it what it has.
    room: Vec<u8>,
}

/// The segment that is being read.
#[derive(Debug)]
struct Open {
    segment: Segment,
    file: File,
    header_bytes: usize,
}

impl Reader {
    /// Reads from `next`, which must lie between two records.
    #[must_use]
    pub fn new(dir: &Path, next: Position) -> Self {
        Self {
            dir: dir.to_owned(),
            next,
            open: None,
            room: Vec::new(),
        }
    }

    /// Where the next record begins.
    #[must_use]
    pub const fn position(&self) -> Position {
        self.next
    }

    /// Goes back (or forward) to `next`: what was read since could not be
    /// used.
    pub fn seek(&mut self, next: Position) {
        self.next = next;
        self.open = None;
    }

    /// Reads at most `records_max` records that end at or before `limit`.
    /// An empty batch means that there are none.
    ///
    /// # Errors
    /// A file that cannot be read, or a frame that does not check.
    pub fn read(&mut self, limit: Position, records_max: usize) -> Result<Batch, SpoolError> {
        let mut batch = Batch {
            end: self.next,
            ..Batch::default()
        };
        while batch.len() < records_max && self.next < limit {
            if !self.read_chunk(limit, records_max, &mut batch)? {
                break;
            }
        }
        Ok(batch)
    }

    /// Reads one stretch of one file. Returns whether anything was read.
    fn read_chunk(
        &mut self,
        limit: Position,
        records_max: usize,
        batch: &mut Batch,
    ) -> Result<bool, SpoolError> {
        let Some(open) = self.open_at()? else {
            return Ok(false);
        };
        let Open {
            segment,
            file,
            header_bytes,
        } = &*open;
        let within = self.next.0.saturating_sub(segment.start.0);
        let from = within.saturating_add(*header_bytes as u64);
        let base = batch.bytes.len();
        let mut size = CHUNK_BYTES;
        loop {
            self.room.resize(size.max(self.room.len()), 0);
            let room = self.room.get_mut(..size).unwrap_or_default();
            let got =
                read_up_to(file, room, from).map_err(SpoolError::io("read", &segment.path))?;
            batch.bytes.truncate(base);
            batch
                .bytes
                .extend_from_slice(room.get(..got).unwrap_or_default());
            if got == 0 {
                // This file has ended: the next one begins here.
                self.open = None;
                let next = Segment::at(&self.dir, self.next);
                return Ok(next.path.exists() && within > 0);
            }
            let mut offset = 0;
            while batch.records.len() < records_max && self.next < limit {
                let start = base.saturating_add(offset);
                match frame::read(batch.bytes.get(start..).unwrap_or_default()) {
                    Ok(frame) => {
                        let end = start.saturating_add(frame.size());
                        batch
                            .records
                            .push((start.saturating_add(HEADER_BYTES), end));
                        offset = offset.saturating_add(frame.size());
                        self.next = Position(self.next.0.saturating_add(frame.size() as u64));
                    }
                    Err(BadFrame::Short) => break,
                    Err(bad) => {
                        let place = usize::try_from(from).unwrap_or(usize::MAX);
                        return Err(segment.corrupt(place.saturating_add(offset), bad.words()));
                    }
                }
            }
            batch.end = self.next;
            if offset > 0 {
                return Ok(true);
            }
            // Not even one record fitted: read more, up to the longest.
            if size > RECORD_BYTES_MAX || got < size {
                return Ok(false);
            }
            size = RECORD_BYTES_MAX.saturating_add(2 * HEADER_BYTES);
        }
    }

    fn open_at(&mut self) -> Result<Option<Arc<Open>>, SpoolError> {
        if self.open.is_none() {
            let segments = segment::list(&self.dir)?;
            let Some(first) = segments.first() else {
                return Ok(None);
            };
            if first.start > self.next {
                return Err(SpoolError::Gone {
                    from: self.next,
                    start: first.start,
                });
            }
            let found = segments
                .into_iter()
                .rfind(|segment| segment.start <= self.next);
            let Some(segment) = found else {
                return Ok(None);
            };
            let file = File::open(&segment.path).map_err(SpoolError::io("open", &segment.path))?;
            let header_bytes =
                segment::header_bytes(&file).map_err(SpoolError::io("read", &segment.path))?;
            self.open = Some(Arc::new(Open {
                segment,
                file,
                header_bytes,
            }));
        }
        Ok(self.open.clone())
    }
}

fn read_up_to(file: &File, room: &mut [u8], from: u64) -> std::io::Result<usize> {
    let mut done = 0;
    while let Some(rest) = room.get_mut(done..).filter(|rest| !rest.is_empty()) {
        match file.read_at(rest, from.saturating_add(done as u64)) {
            Ok(0) => break,
            Ok(got) => done = done.saturating_add(got),
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(done)
}

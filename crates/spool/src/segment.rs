//! Segment files: names, headers, and checking one from end to end.

use std::fs::{File, OpenOptions};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};

use crate::frame::{self, BadFrame};
use crate::{Position, SpoolError};

/// Bytes at the start of each file: what it is, and where it begins.
pub const FILE_HEADER_BYTES: usize = 24;
const MAGIC: &[u8; 8] = b"BRSPOOL1";
const SUFFIX: &str = ".spool";

/// One segment file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Segment {
    /// Where it is.
    pub path: PathBuf,
    /// The position of its first record.
    pub start: Position,
}

impl Segment {
    /// The segment that begins at `start`.
    #[must_use]
    pub fn at(dir: &Path, start: Position) -> Self {
        Self {
            path: dir.join(format!("{:020}{SUFFIX}", start.0)),
            start,
        }
    }

    /// Creates the file and brings it and its directory entry to the disk.
    pub(crate) fn create(&self) -> Result<File, SpoolError> {
        let mut file = OpenOptions::new()
            .create_new(true)
            .read(true)
            .append(true)
            .open(&self.path)
            .map_err(SpoolError::io("create", &self.path))?;
        file.write_all(&self.header())
            .map_err(SpoolError::io("write", &self.path))?;
        file.sync_all()
            .map_err(SpoolError::io("sync", &self.path))?;
        if let Some(dir) = self.path.parent() {
            File::open(dir)
                .and_then(|dir| dir.sync_all())
                .map_err(SpoolError::io("sync", dir))?;
        }
        Ok(file)
    }

    fn header(&self) -> [u8; FILE_HEADER_BYTES] {
        let start = self.start.0.to_le_bytes();
        let check = crc32fast::hash(&[MAGIC.as_slice(), &start].concat()).to_le_bytes();
        let mut header = [0; FILE_HEADER_BYTES];
        let parts = MAGIC.iter().chain(&start).chain(&check);
        for (slot, byte) in header.iter_mut().zip(parts) {
            *slot = *byte;
        }
        header
    }

    /// Reads the whole file.
    pub(crate) fn load(&self) -> Result<Vec<u8>, SpoolError> {
        let mut bytes = Vec::new();
        File::open(&self.path)
            .and_then(|mut file| file.read_to_end(&mut bytes))
            .map_err(SpoolError::io("read", &self.path))?;
        Ok(bytes)
    }

    pub(crate) fn corrupt(&self, offset: usize, why: &'static str) -> SpoolError {
        SpoolError::Corrupt {
            path: self.path.clone(),
            offset: offset as u64,
            why,
        }
    }

    /// Checks every frame. Returns where the good ones end (as a position)
    /// and what follows them.
    pub(crate) fn check(&self, bytes: &[u8]) -> Result<Checked, SpoolError> {
        let Some(header) = bytes.get(..FILE_HEADER_BYTES) else {
            // The header is synced before the file is used: a short one is
            // a file that was being created.
            return Ok(Checked {
                end: self.start,
                kept: 0,
                torn: bytes.len(),
                bad: None,
            });
        };
        if header != self.header() {
            return Err(self.corrupt(0, "not the header of this segment"));
        }
        let mut offset = FILE_HEADER_BYTES;
        loop {
            let rest = bytes.get(offset..).unwrap_or_default();
            if rest.is_empty() {
                break;
            }
            match frame::read(rest) {
                Ok(frame) => {
                    offset = offset.saturating_add(frame.size());
                }
                Err(bad) => return self.tail(bytes, offset, bad),
            }
        }
        Ok(Checked {
            end: self.position(offset),
            kept: offset,
            torn: 0,
            bad: None,
        })
    }

    /// Decides whether a bad frame is a torn write: it is unless a frame
    /// after it, wherever it begins, says that it had been on the disk.
    fn tail(&self, bytes: &[u8], offset: usize, bad: BadFrame) -> Result<Checked, SpoolError> {
        let end = self.position(offset);
        let rest = bytes.get(offset..).unwrap_or_default();
        let claimed = (1..rest.len())
            .filter_map(|skip| frame::read(rest.get(skip..)?).ok())
            .any(|later| later.mark > end.0);
        if claimed {
            return Err(self.corrupt(offset, bad.words()));
        }
        Ok(Checked {
            end,
            kept: offset,
            torn: rest.len(),
            bad: Some(bad),
        })
    }

    /// The position of byte `offset` of the file.
    pub(crate) fn position(&self, offset: usize) -> Position {
        let records = offset.saturating_sub(FILE_HEADER_BYTES) as u64;
        Position(self.start.0.saturating_add(records))
    }
}

/// What checking a segment found.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Checked {
    /// Where the good frames end.
    pub end: Position,
    /// The same, as an offset in the file.
    pub kept: usize,
    /// Bytes after them.
    pub torn: usize,
    /// What is wrong with these.
    pub bad: Option<BadFrame>,
}

/// All segments of a directory, in order. Other files are left alone.
pub(crate) fn list(dir: &Path) -> Result<Vec<Segment>, SpoolError> {
    let mut segments = Vec::new();
    for entry in std::fs::read_dir(dir).map_err(SpoolError::io("list", dir))? {
        let path = entry.map_err(SpoolError::io("list", dir))?.path();
        let name = path.file_name().and_then(|name| name.to_str());
        let start = name.and_then(|name| name.strip_suffix(SUFFIX)?.parse().ok());
        if let Some(start) = start {
            segments.push(Segment {
                path,
                start: Position(start),
            });
        }
    }
    segments.sort_by_key(|segment| segment.start);
    Ok(segments)
}

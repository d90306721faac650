//! Segment files: names, headers, and checking one from end to end.

use std::fs::File;
use std::io::Read;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use crate::disk::Disk;
use crate::frame::{self, BadFrame};
use crate::{Owner, Position, SpoolError};

/// Bytes at the start of each file: what it is, whose, and where it begins.
pub const FILE_HEADER_BYTES: usize = 40;
/// The same in the first release, whose segments name no owner.
const FILE_HEADER_BYTES_1: usize = 24;
const MAGIC: &[u8; 8] = b"BRSPOOL2";
const MAGIC_1: &[u8; 8] = b"BRSPOOL1";
const SUFFIX: &str = ".spool";
/// A segment has this at the end of its name until it is one.
const SUFFIX_NEW: &str = ".spool.new";

/// One segment file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Segment {
    /// Where it is.
    pub path: PathBuf,
    /// The position of its first record.
    pub start: Position,
}

/// What a header says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Header {
    /// Of the first release: nobody's, until somebody adopts it.
    Unowned,
    /// Of this installation and node.
    Owned(Owner),
}

impl Header {
    const fn bytes(self) -> usize {
        match self {
            Self::Unowned => FILE_HEADER_BYTES_1,
            Self::Owned(_) => FILE_HEADER_BYTES,
        }
    }
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

    /// Creates the file and brings it and its directory entry to the disk. It
    /// has a name of its own until it is whole, and may be begun again
    /// whatever is left of an earlier attempt: a full disk must not stand in
    /// the way once there is room.
    pub(crate) fn create(&self, disk: &dyn Disk, owner: Owner) -> Result<File, SpoolError> {
        let draft = self.path.with_extension("spool.new");
        let file = disk
            .create(&draft)
            .map_err(SpoolError::io("create", &draft))?;
        let ready = disk
            .append(&file, &self.header(owner))
            .map_err(SpoolError::io("write", &draft))
            .and_then(|()| disk.sync(&file).map_err(SpoolError::io("sync", &draft)))
            .and_then(|()| {
                disk.rename(&draft, &self.path)
                    .map_err(SpoolError::io("rename", &draft))
            });
        if let Err(error) = ready {
            // If it stays, the next attempt writes over it.
            let _ = disk.remove(&draft);
            return Err(error);
        }
        if let Some(dir) = self.path.parent()
            && let Err(error) = disk.sync_dir(dir)
        {
            // The name may not be on the disk. Nothing is in the file yet, so
            // it can be begun again.
            let _ = disk.remove(&self.path);
            return Err(SpoolError::io("sync", dir)(error));
        }
        Ok(file)
    }

    fn header(&self, owner: Owner) -> [u8; FILE_HEADER_BYTES] {
        let start = self.start.0.to_le_bytes();
        let node = owner.node.to_le_bytes();
        let said = [
            MAGIC.as_slice(),
            owner.store.as_slice(),
            node.as_slice(),
            start.as_slice(),
            &[0, 0],
        ]
        .concat();
        let check = crc32fast::hash(&said).to_le_bytes();
        let mut header = [0; FILE_HEADER_BYTES];
        for (slot, byte) in header.iter_mut().zip(said.iter().chain(&check)) {
            *slot = *byte;
        }
        header
    }

    fn header_1(&self) -> [u8; FILE_HEADER_BYTES_1] {
        let start = self.start.0.to_le_bytes();
        let check = crc32fast::hash(&[MAGIC_1.as_slice(), &start].concat()).to_le_bytes();
        let mut header = [0; FILE_HEADER_BYTES_1];
        let parts = MAGIC_1.iter().chain(&start).chain(&check);
        for (slot, byte) in header.iter_mut().zip(parts) {
            *slot = *byte;
        }
        header
    }

    /// Reads the header at the start of `bytes`; `None` if it is not whole:
    /// the first release could be stopped while it created a file.
    fn read_header(&self, bytes: &[u8]) -> Result<Option<Header>, SpoolError> {
        let Some(magic) = bytes.first_chunk::<8>() else {
            return Ok(None);
        };
        if magic == MAGIC_1 {
            let Some(found) = bytes.get(..FILE_HEADER_BYTES_1) else {
                return Ok(None);
            };
            if found != self.header_1() {
                return Err(self.corrupt(0, "not the header of this segment"));
            }
            return Ok(Some(Header::Unowned));
        }
        if magic != MAGIC {
            return Err(self.corrupt(0, "not the header of a segment that this version knows"));
        }
        let Some((found, _)) = bytes.split_first_chunk::<FILE_HEADER_BYTES>() else {
            return Ok(None);
        };
        let owner = Owner::read(found.get(MAGIC.len()..).unwrap_or_default());
        let owner = owner.filter(|owner| *found == self.header(*owner));
        owner
            .map(|owner| Some(Header::Owned(owner)))
            .ok_or_else(|| self.corrupt(0, "not the header of this segment"))
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

    /// Checks every frame from `from` on, which lies between two. Returns
    /// where the good ones end (as a position) and what follows them.
    ///
    /// # Errors
    /// Damage, a segment that belongs to somebody else than `owner`, or one
    /// that ends before `from`.
    pub(crate) fn check(
        &self,
        bytes: &[u8],
        owner: Option<Owner>,
        from: Position,
    ) -> Result<Checked, SpoolError> {
        let Some(header) = self.read_header(bytes)? else {
            return Ok(Checked {
                end: self.start,
                kept: 0,
                torn: bytes.len(),
                bad: None,
                is_owned: false,
            });
        };
        if let (Header::Owned(found), Some(expected)) = (header, owner)
            && found != expected
        {
            return Err(SpoolError::Foreign {
                path: self.path.clone(),
                found,
                expected,
            });
        }
        let skipped = usize::try_from(from.0.saturating_sub(self.start.0));
        let begin = header.bytes().saturating_add(skipped.unwrap_or(usize::MAX));
        if begin > bytes.len() {
            let grown = bytes.len().saturating_sub(header.bytes()) as u64;
            return Err(SpoolError::Behind {
                end: Position(self.start.0.saturating_add(grown)),
                applied: from,
            });
        }
        let mut checked = Checked {
            end: from,
            kept: begin,
            torn: 0,
            bad: None,
            is_owned: header != Header::Unowned,
        };
        loop {
            let rest = bytes.get(checked.kept..).unwrap_or_default();
            let records = checked.kept.saturating_sub(header.bytes()) as u64;
            checked.end = Position(self.start.0.saturating_add(records));
            if rest.is_empty() {
                return Ok(checked);
            }
            match frame::read(rest) {
                Ok(frame) => checked.kept = checked.kept.saturating_add(frame.size()),
                Err(bad) => {
                    self.tail(rest, &checked, bad)?;
                    checked.torn = rest.len();
                    checked.bad = Some(bad);
                    return Ok(checked);
                }
            }
        }
    }

    /// Decides whether a bad frame is a torn write: it is unless a frame
    /// after it, wherever it begins, says that it had been on the disk.
    fn tail(&self, rest: &[u8], checked: &Checked, bad: BadFrame) -> Result<(), SpoolError> {
        let claimed = (1..rest.len())
            .filter_map(|skip| frame::read(rest.get(skip..)?).ok())
            .any(|later| later.mark > checked.end.0);
        if claimed {
            return Err(self.corrupt(checked.kept, bad.words()));
        }
        Ok(())
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
    /// Whether its header names an owner.
    pub is_owned: bool,
}

impl Checked {
    /// What is wrong, in words.
    pub const fn words(&self) -> &'static str {
        match self.bad {
            Some(bad) => bad.words(),
            None => "it does not reach the next segment",
        }
    }
}

/// How many bytes the header has with which a file begins, whether or not it
/// is whole.
pub(crate) fn header_len(bytes: &[u8]) -> usize {
    if bytes.starts_with(MAGIC_1) {
        FILE_HEADER_BYTES_1
    } else {
        FILE_HEADER_BYTES
    }
}

/// How many bytes the header of an open segment has.
pub(crate) fn header_bytes(file: &File) -> std::io::Result<usize> {
    let mut magic = [0; 8];
    file.read_exact_at(&mut magic, 0)?;
    Ok(header_len(&magic))
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

/// Removes what is left of segments that were never finished.
pub(crate) fn remove_drafts(dir: &Path) -> Result<(), SpoolError> {
    for entry in std::fs::read_dir(dir).map_err(SpoolError::io("list", dir))? {
        let path = entry.map_err(SpoolError::io("list", dir))?.path();
        let name = path.file_name().and_then(|name| name.to_str());
        if name.is_some_and(|name| name.ends_with(SUFFIX_NEW)) {
            std::fs::remove_file(&path).map_err(SpoolError::io("delete", &path))?;
        }
    }
    Ok(())
}

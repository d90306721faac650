//! How far the spool was on the disk, in a file of its own.
//!
//! The last records of a spool have none after them whose mark says that they
//! were on the disk: without this, a tail that was cut off or overwritten
//! would look like a torn write. The file is written after each sync and not
//! synced itself, so after a power cut it may say less, and is then as if it
//! was not there.

use std::fs::{File, OpenOptions};
use std::io::ErrorKind;
use std::os::unix::fs::FileExt;
use std::path::Path;

use crate::{Position, SpoolError};

/// Its name in the spool's directory.
const NAME: &str = "synced";
/// A position and its CRC-32.
const BYTES: usize = 12;

#[derive(Debug)]
pub(crate) struct Synced(File);

impl Synced {
    /// Opens the file, or makes it. Returns how far the spool was on the disk
    /// at least.
    pub fn open(dir: &Path) -> Result<(Self, Position), SpoolError> {
        let path = dir.join(NAME);
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(&path)
            .map_err(SpoolError::io("open", &path))?;
        let known = read(dir)?;
        Ok((Self(file), known))
    }

    /// Notes how far the spool is on the disk. What cannot be noted is not
    /// known at the next start, which is no harm.
    pub fn note(&self, position: Position) {
        let _ = self.0.write_all_at(&encode(position), 0);
    }
}

fn encode(position: Position) -> [u8; BYTES] {
    let position = position.0.to_le_bytes();
    let check = crc32fast::hash(&position).to_le_bytes();
    let mut bytes = [0; BYTES];
    for (slot, byte) in bytes.iter_mut().zip(position.into_iter().chain(check)) {
        *slot = byte;
    }
    bytes
}

/// How far the spool in `dir` was on the disk at least.
pub(crate) fn read(dir: &Path) -> Result<Position, SpoolError> {
    let path = dir.join(NAME);
    let bytes = match std::fs::read(&path) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Position(0)),
        bytes => bytes.map_err(SpoolError::io("read", &path))?,
    };
    let said = bytes
        .first_chunk::<8>()
        .map(|said| u64::from_le_bytes(*said));
    let known = said.filter(|said| encode(Position(*said)).as_slice() == bytes);
    Ok(Position(known.unwrap_or(0)))
}

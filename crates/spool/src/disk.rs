//! What the spool asks of the operating system and may be refused: the place
//! at which tests let a disk be full or broken.

use std::fmt::Debug;
use std::fs::{File, OpenOptions};
use std::io::{Result, Write};
use std::path::Path;

/// The operations that can fail for want of room, or because a disk fails.
pub trait Disk: Debug + Send + Sync {
    /// Creates an empty file to append to, in the place of an older one.
    ///
    /// # Errors
    /// The disk refuses: it cannot be created.
    fn create(&self, path: &Path) -> Result<File>;
    /// Appends all of `bytes`.
    ///
    /// # Errors
    /// The disk refuses: not all of it was taken; part of it may be in the file.
    fn append(&self, file: &File, bytes: &[u8]) -> Result<()>;
    /// Brings a file to the disk, with all that is known of it.
    ///
    /// # Errors
    /// The disk refuses: it may not be there, now or later.
    fn sync(&self, file: &File) -> Result<()>;
    /// Brings what is in a file to the disk, and its length.
    ///
    /// # Errors
    /// The disk refuses: it may not be there, now or later.
    fn sync_data(&self, file: &File) -> Result<()>;
    /// Takes away whatever a file has after its first `bytes` bytes.
    ///
    /// # Errors
    /// The disk refuses: it is as it was.
    fn cut(&self, file: &File, bytes: u64) -> Result<()>;
    /// Removes a file.
    ///
    /// # Errors
    /// The disk refuses: it is still there.
    fn remove(&self, path: &Path) -> Result<()>;
    /// Gives a file another name, in the place of whatever has it.
    ///
    /// # Errors
    /// The disk refuses: both are as they were.
    fn rename(&self, from: &Path, to: &Path) -> Result<()>;
    /// Brings a directory's entries to the disk.
    ///
    /// # Errors
    /// The disk refuses: they may not be there, now or later.
    fn sync_dir(&self, dir: &Path) -> Result<()>;
}

/// The real one.
#[derive(Debug, Clone, Copy)]
pub struct RealDisk;

impl Disk for RealDisk {
    fn create(&self, path: &Path) -> Result<File> {
        // Two steps, because appending and truncating exclude one another.
        File::create(path)?;
        OpenOptions::new().read(true).append(true).open(path)
    }

    fn append(&self, mut file: &File, bytes: &[u8]) -> Result<()> {
        file.write_all(bytes)
    }

    fn sync(&self, file: &File) -> Result<()> {
        file.sync_all()
    }

    fn sync_data(&self, file: &File) -> Result<()> {
        file.sync_data()
    }

    fn cut(&self, file: &File, bytes: u64) -> Result<()> {
        file.set_len(bytes)
    }

    fn remove(&self, path: &Path) -> Result<()> {
        std::fs::remove_file(path)
    }

    fn rename(&self, from: &Path, to: &Path) -> Result<()> {
        std::fs::rename(from, to)
    }

    fn sync_dir(&self, dir: &Path) -> Result<()> {
        File::open(dir)?.sync_all()
    }
}

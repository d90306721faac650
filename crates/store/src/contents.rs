//! What is in files that callers keep here: on the disk of the node, below the
//! data directory.
//!
//! A file is written under another name, brought to the disk, and renamed: it
//! is there whole or not at all. What is known of it is in the database, which
//! is told after that, so a crash in between leaves a file that nobody knows;
//! whoever looks after expiry removes it.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use bourse_vocab::{BatchId, FileId};

/// Where files are.
const FILES: &str = "files";
/// Where batches that have not ended keep what they have come to.
const BATCHES: &str = "batches";
/// How a file is called that is still being written.
const DRAFT: &str = "part";
/// Only the server's user reads them.
const PRIVATE: u32 = 0o600;
const PRIVATE_DIR: u32 = 0o700;
/// What is left on the disk for journal and database, which need it more:
/// the journal takes at most 1 GiB.
const FREE_BYTES_MIN: u64 = 1 << 30;

/// The folders that contents are in.
#[derive(Debug, Clone)]
pub struct Contents {
    files: PathBuf,
    batches: PathBuf,
    free_bytes_min: u64,
}

/// A file that is being written. Dropped before it is finished, it is gone.
#[derive(Debug)]
pub struct Draft {
    file: File,
    path: PathBuf,
    finished: PathBuf,
    hasher: blake3::Hasher,
    bytes: u64,
    is_kept: bool,
}

/// A file that is on the disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Written {
    /// How long it is.
    pub bytes: u64,
    /// BLAKE3 of it.
    pub digest: [u8; 32],
}

impl Contents {
    /// The contents below a data directory; what was being written when the
    /// last process ended is removed.
    ///
    /// # Errors
    /// The directories cannot be made or read.
    pub fn open(data_dir: &Path) -> io::Result<Self> {
        let contents = Self {
            files: data_dir.join(FILES),
            batches: data_dir.join(BATCHES),
            free_bytes_min: FREE_BYTES_MIN,
        };
        for dir in [&contents.files, &contents.batches] {
            DirBuilder::new()
                .recursive(true)
                .mode(PRIVATE_DIR)
                .create(dir)?;
            for entry in dir.read_dir()? {
                let path = entry?.path();
                if path.extension().is_some_and(|extension| extension == DRAFT) {
                    std::fs::remove_file(&path)?;
                }
            }
        }
        Ok(contents)
    }

    /// The same on a disk of which so much is to stay free.
    #[must_use]
    pub const fn leaving(mut self, free_bytes_min: u64) -> Self {
        self.free_bytes_min = free_bytes_min;
        self
    }

    /// Whether the disk has room for so many bytes more, beside what journal
    /// and database need.
    ///
    /// # Errors
    /// The disk does not say.
    pub fn has_room(&self, bytes: u64) -> io::Result<bool> {
        let disk = rustix::fs::statvfs(&self.files)?;
        let free = disk.f_bavail.saturating_mul(disk.f_frsize);
        Ok(free >= self.free_bytes_min.saturating_add(bytes))
    }

    fn path(&self, id: FileId) -> PathBuf {
        self.files.join(id.to_string())
    }

    /// Begins to write a file.
    ///
    /// # Errors
    /// The disk refuses.
    pub fn write(&self, id: FileId) -> io::Result<Draft> {
        let finished = self.path(id);
        let path = finished.with_extension(DRAFT);
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create_new(true)
            .mode(PRIVATE)
            .open(&path)?;
        Ok(Draft {
            file,
            path,
            finished,
            hasher: blake3::Hasher::new(),
            bytes: 0,
            is_kept: false,
        })
    }

    /// Opens a file to be read.
    ///
    /// # Errors
    /// It is not there.
    pub fn read(&self, id: FileId) -> io::Result<File> {
        File::open(self.path(id))
    }

    /// Removes a file; one that is not there is gone as well.
    ///
    /// # Errors
    /// The disk refuses.
    pub fn remove(&self, id: FileId) -> io::Result<()> {
        gone(std::fs::remove_file(self.path(id)))
    }

    /// The files that there are, whoever knows of them.
    ///
    /// # Errors
    /// The directory cannot be read.
    pub fn ids(&self) -> io::Result<Vec<FileId>> {
        ids_in(&self.files)
    }

    /// Where a batch that has not ended keeps what it has come to.
    #[must_use]
    pub fn log_path(&self, id: BatchId) -> PathBuf {
        self.batches.join(id.to_string())
    }

    /// Removes what a batch has kept.
    ///
    /// # Errors
    /// The disk refuses.
    pub fn remove_log(&self, id: BatchId) -> io::Result<()> {
        gone(std::fs::remove_file(self.log_path(id)))
    }

    /// The batches that have kept something.
    ///
    /// # Errors
    /// The directory cannot be read.
    pub fn logs(&self) -> io::Result<Vec<BatchId>> {
        ids_in(&self.batches)
    }
}

/// What is not there needs no removing.
fn gone(removed: io::Result<()>) -> io::Result<()> {
    match removed {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other,
    }
}

/// The ids that entries of a directory are called by; what is called otherwise
/// is not ours.
fn ids_in<T: std::str::FromStr>(dir: &Path) -> io::Result<Vec<T>> {
    let mut ids = Vec::new();
    for entry in dir.read_dir()? {
        let name = entry?.file_name();
        ids.extend(name.to_str().and_then(|name| name.parse().ok()));
    }
    Ok(ids)
}

impl Draft {
    /// Writes on.
    ///
    /// # Errors
    /// The disk refuses; the file is of no use then.
    pub fn push(&mut self, piece: &[u8]) -> io::Result<()> {
        self.file.write_all(piece)?;
        self.hasher.update(piece);
        self.bytes = self.bytes.saturating_add(piece.len() as u64);
        Ok(())
    }

    /// How much was written.
    #[must_use]
    pub const fn bytes(&self) -> u64 {
        self.bytes
    }

    /// What was written so far, to be read.
    #[must_use]
    pub const fn file(&self) -> &File {
        &self.file
    }

    /// Brings it to the disk, where it is found from then on.
    ///
    /// # Errors
    /// The disk refuses; there is no file then.
    pub fn finish(mut self) -> io::Result<Written> {
        self.file.sync_all()?;
        std::fs::rename(&self.path, &self.finished)?;
        self.is_kept = true;
        if let Some(dir) = self.finished.parent() {
            File::open(dir)?.sync_all()?;
        }
        Ok(Written {
            bytes: self.bytes,
            digest: *self.hasher.finalize().as_bytes(),
        })
    }
}

impl Drop for Draft {
    fn drop(&mut self) {
        if !self.is_kept {
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    fn contents() -> (Contents, tempfile::TempDir) {
        let dir = tempfile::tempdir().unwrap();
        (Contents::open(dir.path()).unwrap(), dir)
    }

    #[test]
    fn a_file_is_there_whole_and_private_or_not_at_all() {
        let (contents, dir) = contents();
        let id = FileId::at_ms(1, 1);
        let mut draft = contents.write(id).unwrap();
        draft.push(b"a line\n").unwrap();
        assert!(contents.read(id).is_err());
        draft.push(b"and another").unwrap();
        let written = draft.finish().unwrap();
        assert_eq!(written.bytes, 18);
        assert_eq!(
            written.digest,
            *blake3::hash(b"a line\nand another").as_bytes()
        );
        let mut text = String::new();
        contents
            .read(id)
            .unwrap()
            .read_to_string(&mut text)
            .unwrap();
        assert_eq!(text, "a line\nand another");
        let path = dir.path().join("files").join(id.to_string());
        let mode = std::fs::metadata(path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        assert_eq!(contents.ids().unwrap(), [id]);
        contents.remove(id).unwrap();
        contents.remove(id).unwrap();
        assert!(contents.ids().unwrap().is_empty());
    }

    #[test]
    fn what_was_not_finished_is_gone_at_once_or_with_the_next_start() {
        let (contents, dir) = contents();
        let id = FileId::at_ms(1, 1);
        drop(contents.write(id).unwrap());
        contents.write(id).unwrap().finish().unwrap();
        let crashed = contents.write(FileId::at_ms(2, 2)).unwrap();
        std::mem::forget(crashed);
        let folder = dir.path().join("files");
        assert_eq!(folder.read_dir().unwrap().count(), 2);
        let again = Contents::open(dir.path()).unwrap();
        assert_eq!(folder.read_dir().unwrap().count(), 1);
        assert_eq!(again.ids().unwrap(), [id]);
    }

    #[test]
    fn a_disk_that_has_less_than_is_to_stay_free_has_no_room() {
        let (contents, _dir) = contents();
        assert!(contents.clone().leaving(0).has_room(0).unwrap());
        assert!(!contents.leaving(u64::MAX).has_room(0).unwrap());
    }
}

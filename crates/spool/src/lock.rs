//! One server for one data directory.

use std::fs::{File, OpenOptions, TryLockError};
use std::path::Path;

use crate::SpoolError;

/// Name of the lock file in the data directory.
pub const LOCK_FILE: &str = "bourse.lock";

/// Held while a server uses a data directory. The kernel releases it when
/// the process ends, however it ends, so no stale lock is left behind.
#[derive(Debug)]
pub struct DataDirLock {
    _file: File,
}

impl DataDirLock {
    /// Takes the lock, or says that another server has it.
    ///
    /// # Errors
    /// [`SpoolError::Locked`], or what the operating system refused.
    pub fn acquire(data_dir: &Path) -> Result<Self, SpoolError> {
        std::fs::create_dir_all(data_dir).map_err(SpoolError::io("create", data_dir))?;
        let path = data_dir.join(LOCK_FILE);
        let file = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .open(&path)
            .map_err(SpoolError::io("open", &path))?;
        match file.try_lock() {
            Ok(()) => Ok(Self { _file: file }),
            Err(TryLockError::WouldBlock) => Err(SpoolError::Locked { path }),
            Err(TryLockError::Error(source)) => Err(SpoolError::Io {
                what: "lock",
                path,
                source,
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_server_is_kept_out_until_the_first_is_gone() {
        let dir = tempfile::tempdir().unwrap();
        let first = DataDirLock::acquire(dir.path()).unwrap();
        let second = DataDirLock::acquire(dir.path());
        assert!(matches!(second, Err(SpoolError::Locked { .. })));
        drop(first);
        assert!(DataDirLock::acquire(dir.path()).is_ok());
    }
}

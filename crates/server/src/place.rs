//! Where this server is, so that a database can tell it from another.
//!
//! A server that was killed must come back at once, and a second one must
//! not get in. The kernel's lock on the data directory tells the two apart:
//! whoever holds the lock of the very file that the last server held knows
//! that it is dead. So a place is that file (device and inode), on this
//! machine, with a random mark inside the directory, for machines that are
//! copies of one image. A copied or moved directory is another place.

use std::io::Write as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use bourse_spool::DataDirLock;
use bourse_store::Server;

/// The random mark, in the data directory.
const MARK: &str = "place";

/// Describes this process to a database. The lock is asked for only as the
/// proof that it is held.
///
/// # Errors
/// The directory cannot be read or written, or the system gives no random
/// bytes for the mark.
pub fn here(data_dir: &Path, _lock: &DataDirLock, at_ms: u64) -> std::io::Result<Server> {
    let lock_file = std::fs::metadata(data_dir.join(bourse_spool::lock::LOCK_FILE))?;
    let path = std::fs::canonicalize(data_dir)?;
    let host = read("/proc/sys/kernel/hostname").unwrap_or_else(|| "this machine".to_owned());
    let machine = read("/etc/machine-id").unwrap_or_else(|| host.clone());
    Ok(Server {
        place: format!(
            "{machine}:{}:{}:{}",
            lock_file.dev(),
            lock_file.ino(),
            mark(data_dir)?
        ),
        name: format!(
            "process {} on {host} with {}",
            std::process::id(),
            path.display()
        ),
        at_ms,
    })
}

fn read(path: &str) -> Option<String> {
    let text = std::fs::read_to_string(path).ok()?;
    let text = text.trim();
    (!text.is_empty()).then(|| text.to_owned())
}

/// Reads the mark, or makes it. Only the holder of the lock does.
fn mark(data_dir: &Path) -> std::io::Result<String> {
    let path = data_dir.join(MARK);
    if let Some(mark) = path.to_str().and_then(read) {
        return Ok(mark);
    }
    let random = crate::keys::random().map_err(std::io::Error::other)?;
    let mark: String = random
        .iter()
        .take(16)
        .map(|byte| format!("{byte:02x}"))
        .collect();
    let mut file = std::fs::File::create(&path)?;
    file.write_all(mark.as_bytes())?;
    file.sync_all()?;
    Ok(mark)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_is_the_same_place_again_and_its_copy_is_not() {
        let dirs = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
        let at = |dir: &tempfile::TempDir| {
            let lock = DataDirLock::acquire(dir.path()).unwrap();
            here(dir.path(), &lock, 1).unwrap().place
        };
        let first = at(&dirs[0]);
        assert_eq!(first, at(&dirs[0]));
        std::fs::copy(dirs[0].path().join(MARK), dirs[1].path().join(MARK)).unwrap();
        assert_ne!(first, at(&dirs[1]));
    }

    #[test]
    fn a_directory_of_the_same_numbers_with_another_mark_is_another_place() {
        let dir = tempfile::tempdir().unwrap();
        let lock = DataDirLock::acquire(dir.path()).unwrap();
        let first = here(dir.path(), &lock, 1).unwrap().place;
        std::fs::remove_file(dir.path().join(MARK)).unwrap();
        assert_ne!(first, here(dir.path(), &lock, 1).unwrap().place);
    }
}

//! Files that are nobody else's business.
//!
//! The data directory holds balances, hashes of keys, and who asked what
//! when. It belongs to the user that runs the server, and no other user of
//! the machine can read it, whatever the shell's umask was.

use std::fs::Permissions;
use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use rustix::fs::Mode;

/// What others may do with a file of ours: nothing.
const OTHERS: u32 = 0o077;
/// Entries of the data directory that are ours. An operator may keep other
/// things beside them, which are left as they are.
const OURS: &[&str] = &[
    "bourse.db",
    "bourse.db-wal",
    "bourse.db-shm",
    "bourse.lock",
    "place",
    "providers",
    "first-start",
    "first-keys",
    "spool",
    "catalog",
    "files",
    "batches",
    "batches-at-vendors",
];
/// Most entries that are looked at in one of our directories: the journal has
/// a few dozen segments.
const ENTRIES_MAX: usize = 10_000;

/// Keeps everything that this process creates from here on to its user. To
/// be called before it has a second thread.
pub fn keep_new_files_private() {
    rustix::process::umask(Mode::from_raw_mode(OTHERS));
}

/// Takes from others what an earlier release, or a copy, let them do with
/// the data directory.
pub fn narrow(data_dir: &Path) {
    // The directory itself may be reached by a link.
    let real = std::fs::canonicalize(data_dir);
    let data_dir = real.as_deref().unwrap_or(data_dir);
    let mut narrowed = 0_usize;
    let mut narrow = |path: &Path| match narrow_one(path) {
        Ok(is_narrowed) => narrowed = narrowed.saturating_add(usize::from(is_narrowed)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => {
            tracing::warn!(%error, path = %path.display(), "other users may read this file");
        }
    };
    narrow(data_dir);
    for name in OURS {
        let path = data_dir.join(name);
        narrow(&path);
        let is_link = path.is_symlink();
        for entry in std::fs::read_dir(&path)
            .into_iter()
            .filter(|_| !is_link)
            .flatten()
            .take(ENTRIES_MAX)
            .flatten()
        {
            narrow(&entry.path());
        }
    }
    if narrowed > 0 {
        tracing::warn!(
            files = narrowed,
            path = %data_dir.display(),
            "other users could read the data directory; now they cannot"
        );
    }
}

/// Whether others could do something with it. What a link points to was put
/// elsewhere on purpose.
fn narrow_one(path: &Path) -> io::Result<bool> {
    let metadata = std::fs::symlink_metadata(path)?;
    let mode = metadata.permissions().mode();
    if metadata.is_symlink() || mode & OTHERS == 0 {
        return Ok(false);
    }
    std::fs::set_permissions(path, Permissions::from_mode(mode & !OTHERS))?;
    Ok(true)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mode(path: &Path) -> u32 {
        std::fs::metadata(path).unwrap().permissions().mode() & 0o777
    }

    #[test]
    fn what_is_ours_is_narrowed_and_what_lies_beside_is_left() {
        let dir = tempfile::tempdir().unwrap();
        let data = dir.path().join("data");
        std::fs::create_dir_all(data.join("spool")).unwrap();
        let wide = |path: &Path, mode| {
            std::fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
        };
        let ours = ["bourse.db", "bourse.db-wal", "place", "spool/0.seg"];
        for name in ours.into_iter().chain(["notes.txt"]) {
            let path = data.join(name);
            std::fs::write(&path, "x").unwrap();
            wide(&path, 0o644);
        }
        wide(&data.join("spool"), 0o755);
        wide(&data, 0o755);
        std::os::unix::fs::symlink(data.join("notes.txt"), data.join("catalog")).unwrap();

        narrow(&data);
        assert_eq!(mode(&data), 0o700);
        assert_eq!(mode(&data.join("spool")), 0o700);
        for name in ours {
            assert_eq!(mode(&data.join(name)), 0o600, "{name}");
        }
        assert_eq!(mode(&data.join("notes.txt")), 0o644);
        narrow(&dir.path().join("absent"));
    }
}

//! The file of the first keys.
//!
//! It stays until somebody says that it may go (`bourse key first --forget`):
//! the first call is made with one of the two keys, and a server that removed
//! the file then would take the other one away unread. Every start says that
//! it is still there.

use std::fs::OpenOptions;
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

/// Its name in the data directory.
pub const NAME: &str = "first-keys";
/// What a line begins with, so that a shell can read the file.
const KEY: &str = "BOURSE_API_KEY=";
const MANAGEMENT_KEY: &str = "BOURSE_MANAGEMENT_KEY=";
/// More than it ever has.
const BYTES_MAX: u64 = 4_096;

/// Where it is.
pub fn path(data_dir: &Path) -> PathBuf {
    let path = data_dir.join(NAME);
    std::path::absolute(&path).unwrap_or(path)
}

/// Writes it, for its user alone. Returns where.
pub fn write(data_dir: &Path, inference: &str, management: &str) -> Result<PathBuf, String> {
    let path = path(data_dir);
    let problem = |error: io::Error| format!("{}: {error}", path.display());
    // One that is there is of a first start that did not come to its end.
    match std::fs::remove_file(&path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(problem(error)),
        _ => {}
    }
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&path)
        .map_err(problem)?;
    let text = format!("{KEY}{inference}\n{MANAGEMENT_KEY}{management}\n");
    file.write_all(text.as_bytes())
        .and_then(|()| file.sync_all())
        .map_err(problem)?;
    Ok(path)
}

/// A command of the shell that prints the first key.
pub fn reading(path: &Path) -> String {
    // Within double quotes, inside of which `$(…)` begins anew.
    let quoted = path.display().to_string().replace('\'', r"'\''");
    format!("sed -n 's/^{KEY}//p' '{quoted}'")
}

/// Its two keys; `None` if it is not there.
pub fn read(data_dir: &Path) -> Result<Option<(String, String)>, String> {
    use std::io::Read as _;
    let path = path(data_dir);
    let problem = |error: io::Error| format!("{}: {error}", path.display());
    let mut text = String::new();
    match std::fs::File::open(&path) {
        Ok(file) => file
            .take(BYTES_MAX)
            .read_to_string(&mut text)
            .map_err(problem)?,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(problem(error)),
    };
    let line = |name: &str| text.lines().find_map(|line| line.strip_prefix(name));
    match (line(KEY), line(MANAGEMENT_KEY)) {
        (Some(inference), Some(management)) => {
            Ok(Some((inference.to_owned(), management.to_owned())))
        }
        _ => Err(format!("{}: has no keys in it", path.display())),
    }
}

/// Removes it. Whether it was there.
pub fn forget(data_dir: &Path) -> Result<bool, String> {
    let path = path(data_dir);
    match std::fs::remove_file(&path) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(format!("{}: {error}", path.display())),
    }
}

/// Says that it is still there, if it is.
pub fn remind(data_dir: &Path) {
    let path = path(data_dir);
    if path.exists() {
        tracing::warn!(path = %path.display(), "the first keys are still in a file; `bourse key first --forget` removes it");
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn it_is_its_users_alone_is_read_again_and_goes_when_told() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(read(dir.path()).unwrap(), None);
        write(dir.path(), "old", "old").unwrap();
        let path = write(dir.path(), "sk-one", "sk-two").unwrap();
        let mode = std::fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        let keys = ("sk-one".to_owned(), "sk-two".to_owned());
        assert_eq!(read(dir.path()).unwrap(), Some(keys));
        assert!(forget(dir.path()).unwrap());
        assert!(!forget(dir.path()).unwrap());
        std::fs::write(&path, "nonsense").unwrap();
        assert!(read(dir.path()).unwrap_err().contains("has no keys"));
    }
}

//! The list of what is in a backup, with lengths and checksums.

use std::fs::{self, File};
use std::io::Write as _;
use std::path::{Component, Path};

use serde::{Deserialize, Serialize};

use crate::cli::Error;

/// Its name in the backup.
pub(in crate::cli) const MANIFEST: &str = "backup.json";
/// Longest list that is read: a million files.
const MANIFEST_BYTES_MAX: u64 = 256 << 20;

/// A file of a backup.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::cli) struct Entry {
    /// From the backup's directory, with forward slashes.
    pub(in crate::cli) path: String,
    pub(in crate::cli) bytes: u64,
    /// BLAKE3, in hexadecimal, as `b3sum` prints it.
    pub(in crate::cli) blake3: String,
}

/// What is in a backup.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::cli) struct Manifest {
    /// Of the program that made it.
    pub(in crate::cli) version: String,
    /// Milliseconds since 1970.
    pub(in crate::cli) made_at_ms: u64,
    pub(in crate::cli) files: Vec<Entry>,
}

impl Entry {
    /// A file as it is on the disk.
    pub(in crate::cli) fn of(dir: &Path, path: &Path) -> Result<Self, Error> {
        let full = dir.join(path);
        let say = |error: std::io::Error| format!("{}: {error}", full.display());
        let mut hasher = blake3::Hasher::new();
        let mut file = File::open(&full).map_err(say)?;
        let bytes = std::io::copy(&mut file, &mut hasher).map_err(say)?;
        let path = path
            .to_str()
            .ok_or_else(|| format!("{}: is no text", full.display()))?;
        Ok(Self {
            path: path.to_owned(),
            bytes,
            blake3: hasher.finalize().to_hex().to_string(),
        })
    }

    /// Whether it stays in the directory that it is said of.
    fn is_inside(&self) -> bool {
        let mut parts = Path::new(&self.path).components().peekable();
        parts.peek().is_some() && parts.all(|part| matches!(part, Component::Normal(_)))
    }
}

impl Manifest {
    /// Bytes of all files.
    pub(in crate::cli) fn bytes(&self) -> u64 {
        let bytes = self.files.iter().map(|entry| entry.bytes);
        bytes.fold(0, u64::saturating_add)
    }

    /// Writes it, whole or not at all.
    pub(in crate::cli) fn write(&self, dir: &Path) -> Result<(), Error> {
        let (draft, whole) = (dir.join("backup.json.new"), dir.join(MANIFEST));
        let say = |error: std::io::Error| format!("{}: {error}", whole.display());
        let mut file = File::create(&draft).map_err(say)?;
        let text = serde_json::to_string_pretty(self)?;
        writeln!(file, "{text}").map_err(say)?;
        file.sync_all().map_err(say)?;
        fs::rename(&draft, &whole).map_err(say)?;
        File::open(dir)
            .and_then(|dir| dir.sync_all())
            .map_err(say)?;
        Ok(())
    }

    /// Reads that of a backup.
    pub(in crate::cli) fn read(dir: &Path) -> Result<Self, Error> {
        let path = dir.join(MANIFEST);
        let about = fs::metadata(&path).map_err(|error| {
            format!(
                "{}: {error}; without it {} is no whole backup",
                path.display(),
                dir.display()
            )
        })?;
        if about.len() > MANIFEST_BYTES_MAX {
            return Err(format!("{}: is longer than any list of a backup", path.display()).into());
        }
        let text = fs::read_to_string(&path)?;
        let read: Self = serde_json::from_str(&text)
            .map_err(|error| format!("{}: is no list of a backup: {error}", path.display()))?;
        match read.files.iter().find(|entry| !entry.is_inside()) {
            Some(entry) => Err(format!("{}: names `{}`", path.display(), entry.path).into()),
            None => Ok(read),
        }
    }

    /// Holds every file to what the list says of it.
    pub(in crate::cli) fn check(&self, dir: &Path) -> Result<(), Error> {
        for entry in &self.files {
            let found = Entry::of(dir, Path::new(&entry.path))?;
            if found != *entry {
                return Err(format!(
                    "{}/{}: is not the file that was backed up ({} bytes, {} expected)",
                    dir.display(),
                    entry.path,
                    found.bytes,
                    entry.bytes
                )
                .into());
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_is_read_as_it_was_written_and_finds_each_change() {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join("spool")).unwrap();
        fs::write(dir.path().join("spool/a"), "abc").unwrap();
        let manifest = Manifest {
            version: "0".to_owned(),
            made_at_ms: 7,
            files: vec![Entry::of(dir.path(), Path::new("spool/a")).unwrap()],
        };
        assert_eq!(manifest.bytes(), 3);
        assert!(
            Manifest::read(dir.path())
                .unwrap_err()
                .to_string()
                .contains("no whole backup")
        );
        manifest.write(dir.path()).unwrap();
        assert_eq!(Manifest::read(dir.path()).unwrap(), manifest);
        manifest.check(dir.path()).unwrap();
        for other in ["abd", "ab", ""] {
            fs::write(dir.path().join("spool/a"), other).unwrap();
            let why = manifest.check(dir.path()).unwrap_err().to_string();
            assert!(why.contains("spool/a"), "{why}");
        }
    }

    #[test]
    fn a_list_that_names_files_elsewhere_is_refused() {
        for path in ["../x", "/etc/passwd", "a/../../x", ""] {
            let dir = tempfile::tempdir().unwrap();
            let manifest = Manifest {
                version: "0".to_owned(),
                made_at_ms: 7,
                files: vec![Entry {
                    path: path.to_owned(),
                    bytes: 0,
                    blake3: String::new(),
                }],
            };
            manifest.write(dir.path()).unwrap();
            assert!(Manifest::read(dir.path()).is_err(), "{path}");
        }
    }
}

//! A backup as one stream: `bourse backup -` into a pipe, `bourse restore -` out
//! of one.
//!
//! An archive of the usual sort (POSIX.1-1988 `ustar`, with GNU's long names where
//! a path needs one), so that `tar` reads it too. The list of what is in it comes
//! last, as it is written last: an archive that was cut short has none.

use std::fs::{self, File};
use std::io::{self, IsTerminal as _, Read, Write};
use std::path::{Path, PathBuf};

use tar::{Archive, Builder, EntryType, Header};

use super::manifest::{MANIFEST, Manifest};
use crate::cli::{Error, Misused};

/// What a person calls standard input or output.
pub(in crate::cli) const PIPE: &str = "-";
/// The most entries that are read of an archive.
const ENTRIES_MAX: usize = 1_000_000;
/// Who may read what comes out of an archive again.
const MODE: u32 = 0o600;

/// A directory of our own beside the data directory, so that it is on a file
/// system with room for it; it goes with the value.
pub(in crate::cli) struct Beside(PathBuf);

impl Beside {
    /// Makes it. Another command's, or what one left that was killed, has
    /// another name.
    pub(in crate::cli) fn new(data_dir: &Path, what: &str) -> Result<Self, Error> {
        let name = data_dir.file_name();
        let name = name.ok_or_else(|| format!("{}: has no name", data_dir.display()))?;
        let mut own = name.to_owned();
        own.push(format!(".{what}-{}", std::process::id()));
        let path = data_dir.with_file_name(own);
        fs::create_dir(&path).map_err(|error| format!("{}: {error}", path.display()))?;
        Ok(Self(path))
    }

    pub(in crate::cli) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Beside {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// A terminal has no use for an archive.
pub(in crate::cli) fn refuse_terminal() -> Result<(), Error> {
    match io::stdout().is_terminal() {
        false => Ok(()),
        true => Err(Misused::because(
            "an archive is not for a terminal: name a directory, or redirect standard output \
             (`bourse backup - > backup.tar`)"
                .to_owned(),
        )),
    }
}

/// Writes a backup as an archive.
pub(in crate::cli) fn write(dir: &Path, manifest: &Manifest, to: impl Write) -> Result<(), Error> {
    let mut archive = Builder::new(to);
    let files = manifest.files.iter().map(|entry| entry.path.as_str());
    for path in files.chain([MANIFEST]) {
        let mut file = File::open(dir.join(path))?;
        let mut header = Header::new_gnu();
        header.set_entry_type(EntryType::Regular);
        header.set_size(file.metadata()?.len());
        header.set_mode(MODE);
        header.set_mtime(manifest.made_at_ms / 1000);
        archive
            .append_data(&mut header, path, &mut file)
            .map_err(|error| format!("standard output: {error}"))?;
    }
    let mut to = archive
        .into_inner()
        .map_err(|error| format!("standard output: {error}"))?;
    to.flush()
        .map_err(|error| format!("standard output: {error}"))?;
    Ok(())
}

/// Reads an archive into a directory. What is in it is checked by its list
/// afterwards; here nothing leaves the directory, and nothing but files comes
/// out.
pub(in crate::cli) fn read(from: impl Read, dir: &Path) -> Result<(), Error> {
    let say = |error: io::Error| format!("standard input: no whole archive: {error}");
    let mut archive = Archive::new(from);
    for (count, entry) in archive.entries().map_err(say)?.enumerate() {
        let mut entry = entry.map_err(say)?;
        let path = entry.path().map_err(say)?.into_owned();
        let is_file = entry.header().entry_type().is_file();
        if entry.header().entry_type().is_dir() {
            continue;
        }
        if count >= ENTRIES_MAX || !is_file {
            return Err(format!("standard input: {}: no file of a backup", path.display()).into());
        }
        entry.set_preserve_permissions(false);
        if !entry.unpack_in(dir).map_err(say)? {
            return Err(format!("standard input: {}: leads elsewhere", path.display()).into());
        }
    }
    Ok(())
}

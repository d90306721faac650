//! `bourse restore`: a data directory out of a backup.
//!
//! It is made beside the place where it belongs and renamed when it is whole,
//! so that a server never starts from a part of it.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use bourse_store::verify;
use clap::Args;
use serde_json::json;

use super::backup::archive::{self, Beside, PIPE};
use super::backup::manifest::Manifest;
use super::backup::put;
use super::{Common, Error, Misused, block_on, say};
use crate::config::Config;

#[derive(Args)]
#[command(after_help = "\
Every file is held to its checksum, and the books are checked, before the directory is put in its
place. A data directory that has anything in it is left as it is: move it away first.

Examples:
  bourse restore /var/backups/bourse/2026-11-30
  bourse restore /var/backups/bourse/2026-11-30 --config /etc/bourse/bourse.toml
  ssh vault 'cat bourse.tar.zst' | zstd -d | bourse restore -")]
pub(super) struct Options {
    /// The backup; `-` is an archive on standard input
    #[arg(value_name = "DIR|-")]
    from: PathBuf,
    #[command(flatten)]
    common: Common,
    /// Prints JSON
    #[arg(long)]
    json: bool,
}

pub(super) fn run(options: &Options) -> Result<(), Error> {
    let config = options.common.load()?;
    if config.database.file(&config.data_dir).is_none() {
        return Err(Misused::because(
            "the database is a server of its own: restore it with its own tools".to_owned(),
        ));
    }
    refuse_what_is_there(&config.data_dir)?;
    if options.from.as_os_str() == PIPE {
        let beside = Beside::new(&config.data_dir, "unpacking")?;
        archive::read(std::io::stdin().lock(), beside.path())?;
        return restore(options, &config, beside.path());
    }
    restore(options, &config, &options.from)
}

fn restore(options: &Options, config: &Config, from: &Path) -> Result<(), Error> {
    let manifest = Manifest::read(from)?;
    manifest.check(from)?;
    let draft = draft_of(&config.data_dir)?;
    if draft.exists() {
        // Of a restore that was cut short.
        fs::remove_dir_all(&draft).map_err(|error| format!("{}: {error}", draft.display()))?;
    }
    fs::create_dir_all(&draft).map_err(|error| format!("{}: {error}", draft.display()))?;
    for entry in &manifest.files {
        let path = Path::new(&entry.path);
        let copied = put(&draft, path, File::open(from.join(path))?)?;
        if copied != *entry {
            return Err(format!("{}: changed while it was copied", entry.path).into());
        }
    }
    let calls = check(config, &draft)?;
    place(&draft, &config.data_dir)?;
    let place = config.data_dir.display().to_string();
    if options.json {
        say(json!({ "data_dir": place, "files": manifest.files.len(), "calls": calls }));
    } else {
        say(format_args!(
            "{place}: {} files, {calls} calls, of {}; the books balance. `bourse serve` starts from it.",
            manifest.files.len(),
            super::when::shown(manifest.made_at_ms)
        ));
    }
    Ok(())
}

/// Beside the directory, so that it is on the same file system.
fn draft_of(data_dir: &Path) -> Result<PathBuf, Error> {
    let name = data_dir.file_name();
    let name = name.ok_or_else(|| format!("{}: has no name", data_dir.display()))?;
    let mut draft = name.to_owned();
    draft.push(".restoring");
    Ok(data_dir.with_file_name(draft))
}

fn refuse_what_is_there(data_dir: &Path) -> Result<(), Error> {
    let is_empty = match fs::read_dir(data_dir) {
        Ok(mut entries) => entries.next().is_none(),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => true,
        Err(error) => return Err(format!("{}: {error}", data_dir.display()).into()),
    };
    match is_empty {
        true => Ok(()),
        false => Err(Misused::because(format!(
            "{}: has something in it, which is not written over; stop the server and move it away",
            data_dir.display()
        ))),
    }
}

/// Renames the whole directory to where it belongs: an empty one there gives
/// way.
fn place(draft: &Path, data_dir: &Path) -> Result<(), Error> {
    fs::rename(draft, data_dir).map_err(|error| format!("{}: {error}", data_dir.display()))?;
    if let Some(parent) = data_dir.parent().filter(|dir| !dir.as_os_str().is_empty()) {
        File::open(parent)?.sync_all()?;
    }
    Ok(())
}

fn check(config: &Config, dir: &Path) -> Result<u64, Error> {
    block_on(async {
        let store = bourse_store::connect(&config.database, dir).await?;
        let verified = verify::verify(&*store, dir).await;
        store.close().await;
        let (report, _) = verified?;
        match report.is_balanced() {
            true => Ok(report.generations),
            false => Err(format!("{}: the books do not balance", dir.display()).into()),
        }
    })
}

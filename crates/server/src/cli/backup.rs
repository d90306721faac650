//! `bourse backup`: everything durable, of one moment, while calls go on.
//!
//! The database is copied first, as it is at one moment, and then the journal,
//! which goes on from there: what the copy of the database does not have yet is
//! in the copy of the journal, and a start from both replays it. Segments are
//! opened before the database is copied, so that none that the copy needs can
//! go away meanwhile.

pub(super) mod archive;
pub(super) mod manifest;

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use bourse_dataplane::clock::now_ms;
use bourse_store::verify;
use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::json;

use super::{Common, Error, Misused, block_on, data, say};
use crate::config::Config;
use archive::{Beside, PIPE};
use manifest::{Entry, Manifest};

/// The journal's directory in the data directory.
const SPOOL: &str = "spool";
/// How its segments are called.
const SEGMENT: &str = "spool";
/// What of the data directory is kept besides the database and the journal.
const OTHERS: [&str; 5] = [
    "catalog",
    "files",
    "batches",
    "batches-at-vendors",
    "providers",
];

#[derive(Args)]
#[command(after_help = "\
The directory must be new or empty. It has the database, the journal, files and batches of callers,
a synchronised catalog, and a list of all with lengths and checksums, which comes last: without it
the backup is none. The configuration is not in it; it is a file of yours, and may have secrets.

The books of the copy are checked to the nano-dollar before it is called good. With `-` it is made
beside the data directory, written to standard output as an archive that tar reads, and removed.

Examples:
  bourse backup /var/backups/bourse/$(date -u +%F)
  bourse backup - | zstd | ssh vault 'cat > bourse.tar.zst'
  bourse restore /var/backups/bourse/2026-11-30")]
pub(super) struct Options {
    /// Where to; `-` is standard output
    #[arg(value_name = "DIR|-")]
    to: PathBuf,
    #[command(flatten)]
    common: Common,
    /// Prints JSON
    #[arg(long)]
    json: bool,
}

pub(super) fn run(options: &Options) -> Result<(), Error> {
    let config = options.common.load()?;
    let Some(database) = config.database.file(&config.data_dir) else {
        return Err(Misused::because(
            "the database is a server of its own: back it up with its own tools (pg_dump, or \
             continuous archiving), and the data directory with the journal while Bourse is stopped"
                .to_owned(),
        ));
    };
    if !database.exists() {
        // In the words of every other command.
        block_on(async { data::found(&config).await.map(drop) })?;
    }
    if options.to.as_os_str() == PIPE {
        return stream(options, &config);
    }
    make_empty(&options.to)?;
    let (manifest, calls) = make(&config, &options.to)?;
    say(told(options, &manifest, calls));
    Ok(())
}

/// What was made, for people or for programs.
fn told(options: &Options, manifest: &Manifest, calls: u64) -> String {
    let place = options.to.display();
    if options.json {
        let told = json!({
            "directory": place.to_string(),
            "files": manifest.files.len(),
            "bytes": manifest.bytes(),
            "calls": calls,
            "balanced": true,
        });
        return told.to_string();
    }
    format!(
        "{place}: {} files, {} bytes, {calls} calls; the books balance to the nano-dollar.",
        manifest.files.len(),
        manifest.bytes()
    )
}

/// To standard output; what is told of it goes to standard error.
fn stream(options: &Options, config: &Config) -> Result<(), Error> {
    archive::refuse_terminal()?;
    let beside = Beside::new(&config.data_dir, "backing-up")?;
    let (manifest, calls) = make(config, beside.path())?;
    archive::write(beside.path(), &manifest, io::stdout().lock())?;
    eprintln!("{}", told(options, &manifest, calls));
    Ok(())
}

/// Makes a backup in an empty directory; how many calls it has.
fn make(config: &Config, to: &Path) -> Result<(Manifest, u64), Error> {
    let mut files = copy(config, to)?;
    let calls = check(config, to)?;
    // Opening it, to check it, changed its header.
    let database = config.database.file(to).unwrap_or_default();
    let name = database.file_name().unwrap_or_default();
    files.push(Entry::of(to, Path::new(name))?);
    let manifest = Manifest {
        version: crate::VERSION.to_owned(),
        made_at_ms: now_ms(),
        files,
    };
    // Last, and by a rename: whoever finds it finds everything.
    manifest.write(to)?;
    Ok((manifest, calls))
}

/// A directory of our own, which nobody else reads.
fn make_empty(dir: &Path) -> Result<(), Error> {
    fs::create_dir_all(dir).map_err(|error| format!("{}: {error}", dir.display()))?;
    let mut entries = fs::read_dir(dir).map_err(|error| format!("{}: {error}", dir.display()))?;
    match entries.next() {
        None => Ok(()),
        Some(_) => Err(Misused::because(format!(
            "{}: is not empty; name a new directory",
            dir.display()
        ))),
    }
}

/// Copies everything; says what, but for the database.
fn copy(config: &Config, to: &Path) -> Result<Vec<Entry>, Error> {
    let from = &config.data_dir;
    let file = config.database.file(from).unwrap_or_default();
    let name = file.file_name().unwrap_or_default();
    let before = segments(&from.join(SPOOL))?;
    let target = to.join(name);
    block_on(async { Ok(config.database.copy(from, &target).await?) })?;
    let mut copied = Vec::new();
    let mut journal = before;
    for (name, file) in segments(&from.join(SPOOL))? {
        if !journal.iter().any(|(known, _)| *known == name) {
            journal.push((name, file));
        }
    }
    let others = others(from)?;
    let bar = bar(journal.len() + others.len())?;
    for (name, file) in journal {
        copied.push(put(to, &Path::new(SPOOL).join(name), file)?);
        bar.inc(1);
    }
    for path in others {
        match File::open(from.join(&path)) {
            Ok(file) => copied.push(put(to, &path, file)?),
            // A batch or a file that its owner has deleted meanwhile.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(format!("{}: {error}", path.display()).into()),
        }
        bar.inc(1);
    }
    bar.finish_and_clear();
    Ok(copied)
}

/// Nothing on a terminal that is none.
fn bar(length: usize) -> Result<ProgressBar, Error> {
    let style = ProgressStyle::with_template("{bar:30} {pos}/{len} files")?;
    Ok(ProgressBar::new(length as u64).with_style(style))
}

/// The segments that there are, open, so that they stay.
fn segments(dir: &Path) -> Result<Vec<(PathBuf, File)>, Error> {
    let mut found: Vec<(PathBuf, File)> = Vec::new();
    let entries = match fs::read_dir(dir) {
        Ok(entries) => entries,
        // No server has begun one yet.
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(found),
        Err(error) => return Err(format!("{}: {error}", dir.display()).into()),
    };
    for entry in entries {
        let path = entry?.path();
        if path
            .extension()
            .is_none_or(|extension| extension != SEGMENT)
        {
            continue;
        }
        match File::open(&path) {
            Ok(file) => found.push((path.file_name().unwrap_or_default().into(), file)),
            // The database has all of it, and it went.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(format!("{}: {error}", path.display()).into()),
        }
    }
    found.sort_unstable_by(|(a, _), (b, _)| a.cmp(b));
    Ok(found)
}

/// Everything else that is kept, from the data directory.
fn others(data_dir: &Path) -> Result<Vec<PathBuf>, Error> {
    let mut found = Vec::new();
    let mut open: Vec<PathBuf> = OTHERS.iter().map(PathBuf::from).collect();
    while let Some(path) = open.pop() {
        let full = data_dir.join(&path);
        let kind = match fs::symlink_metadata(&full) {
            Ok(about) => about.file_type(),
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            Err(error) => return Err(format!("{}: {error}", full.display()).into()),
        };
        if kind.is_dir() {
            for entry in fs::read_dir(&full)? {
                open.push(path.join(entry?.file_name()));
            }
        } else if kind.is_file() {
            found.push(path);
        }
    }
    found.sort_unstable();
    Ok(found)
}

/// Copies what is open, and brings it to the disk.
pub(super) fn put(to: &Path, path: &Path, mut from: File) -> Result<Entry, Error> {
    let target = to.join(path);
    let say = |error: io::Error| format!("{}: {error}", target.display());
    if let Some(dir) = target.parent() {
        fs::create_dir_all(dir).map_err(say)?;
    }
    let mut file = File::create_new(&target).map_err(say)?;
    io::copy(&mut from, &mut file).map_err(say)?;
    file.sync_all().map_err(say)?;
    Entry::of(to, path)
}

/// Checks the books of the copy; how many calls they have.
fn check(config: &Config, dir: &Path) -> Result<u64, Error> {
    block_on(async {
        let store = bourse_store::connect(&config.database, dir).await?;
        let verified = verify::verify(&*store, dir).await;
        store.close().await;
        let (report, _) = verified?;
        // What only a connection needs is no part of the backup.
        let file = config.database.file(dir).unwrap_or_default();
        for left in ["-wal", "-shm"] {
            let mut name = file.clone().into_os_string();
            name.push(left);
            let _ = fs::remove_file(name);
        }
        File::open(file)?.sync_all()?;
        match report.is_balanced() {
            true => Ok(report.generations),
            false => Err(format!(
                "{}: the books of the copy do not balance; `bourse ledger verify` says whether \
                 those of the server do. The copy is no backup",
                dir.display()
            )
            .into()),
        }
    })
}

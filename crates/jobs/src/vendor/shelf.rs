//! What was sent to vendors and what came back, on the disk: for each of our
//! batches a folder, in it for each submission a record and, once the vendor has
//! ended it, its answers.

use std::collections::HashMap;
use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, FileExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use bourse_vocab::BatchId;
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::Answer;
use crate::batch::log::{ENTRY_BYTES_MAX, LOG_BYTES_MAX};

const PRIVATE: u32 = 0o600;
const PRIVATE_DIR: u32 = 0o700;
const RECORD: &str = "json";
const ANSWERS: &str = "answers";
const DRAFT: &str = "part";

/// What was sent.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Record {
    /// By which the vendor's batch is found again.
    pub(super) name: String,
    /// Where it was sent.
    pub(super) base: String,
    /// Our lines.
    pub(super) lines: Vec<u32>,
    /// The vendor's name for them.
    pub(super) file: String,
    /// The vendor's name for its batch, once it has told.
    pub(super) batch: Option<String>,
}

impl Record {
    /// Nothing was sent yet to the address with this base.
    pub(super) fn new(base: &str) -> Self {
        let bits = bourse_dataplane::chance::random::<u128>();
        Self {
            name: format!("{bits:032x}"),
            base: base.to_owned(),
            lines: Vec::new(),
            file: String::new(),
            batch: None,
        }
    }
}

pub(super) fn make(dir: &Path) -> io::Result<()> {
    DirBuilder::new()
        .recursive(true)
        .mode(PRIVATE_DIR)
        .create(dir)
}

fn folder(dir: &Path, batch: BatchId) -> PathBuf {
    dir.join(batch.to_string())
}

fn path(dir: &Path, batch: BatchId, name: &str, kind: &str) -> PathBuf {
    folder(dir, batch).join(name).with_extension(kind)
}

/// Throws away all of a batch.
pub(super) fn remove(dir: &Path, batch: BatchId) -> io::Result<()> {
    gone(std::fs::remove_dir_all(folder(dir, batch)))
}

fn gone(removed: io::Result<()>) -> io::Result<()> {
    match removed {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other,
    }
}

/// Puts a file in its place, whole and on the disk, or not at all.
fn put(path: &Path, write: impl FnOnce(&mut File) -> io::Result<()>) -> io::Result<()> {
    let folder = path.parent().ok_or(io::ErrorKind::NotFound)?;
    make(folder)?;
    let draft = path.with_extension(DRAFT);
    let mut file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(PRIVATE)
        .open(&draft)?;
    write(&mut file)?;
    file.sync_all()?;
    std::fs::rename(&draft, path)?;
    File::open(folder)?.sync_all()
}

/// Notes what is sent, before or after it is.
pub(super) fn note(dir: &Path, batch: BatchId, record: &Record) -> io::Result<()> {
    let text = serde_json::to_vec(record)?;
    put(&path(dir, batch, &record.name, RECORD), |file| {
        file.write_all(&text)
    })
}

/// Forgets what was not taken.
pub(super) fn withdraw(dir: &Path, batch: BatchId, name: &str) -> io::Result<()> {
    gone(std::fs::remove_file(path(dir, batch, name, RECORD)))
}

/// What was sent of a batch.
pub(super) fn records(dir: &Path, batch: BatchId) -> io::Result<Vec<Record>> {
    let entries = match folder(dir, batch).read_dir() {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries?,
    };
    let mut records = Vec::new();
    for entry in entries {
        let path = entry?.path();
        if path.extension().is_some_and(|kind| kind == RECORD) {
            let text = std::fs::read(&path)?;
            records.push(serde_json::from_slice(&text)?);
        }
    }
    Ok(records)
}

/// Answers of a submission that are being written.
pub(super) struct Draft {
    file: File,
    path: PathBuf,
    bytes: u64,
}

impl Draft {
    pub(super) fn new(dir: &Path, batch: BatchId, name: &str) -> io::Result<Self> {
        let path = path(dir, batch, name, ANSWERS);
        let file = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(PRIVATE)
            .open(path.with_extension(DRAFT))?;
        Ok(Self {
            file,
            path,
            bytes: 0,
        })
    }

    pub(super) fn push(&mut self, piece: &[u8]) -> io::Result<()> {
        self.bytes = self.bytes.saturating_add(piece.len() as u64);
        if self.bytes > LOG_BYTES_MAX {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        self.file.write_all(piece)
    }

    pub(super) fn finish(self) -> io::Result<()> {
        self.file.sync_all()?;
        std::fs::rename(self.path.with_extension(DRAFT), &self.path)?;
        let folder = self.path.parent().ok_or(io::ErrorKind::NotFound)?;
        File::open(folder)?.sync_all()
    }
}

/// The answers of a submission.
pub(super) struct Answers {
    file: File,
    by_line: HashMap<u32, (u64, u32)>,
}

/// A line of the vendor's files (platform.openai.com, "The request output
/// object"), or one of Anthropic's results (platform.claude.com, "Retrieve
/// Message Batch results", both November 2026).
#[derive(Deserialize)]
struct Told<'a> {
    custom_id: String,
    #[serde(borrow)]
    response: Option<Said<'a>>,
    #[serde(borrow)]
    result: Option<Outcome<'a>>,
}

#[derive(Deserialize)]
struct Said<'a> {
    status_code: u16,
    #[serde(borrow)]
    body: &'a RawValue,
}

/// What became of a request: `succeeded`, `errored`, `canceled` or `expired`.
#[derive(Deserialize)]
struct Outcome<'a> {
    #[serde(borrow)]
    message: Option<&'a RawValue>,
    #[serde(borrow)]
    error: Option<&'a RawValue>,
}

/// An error, in what an answer with its status would have for a body.
#[derive(Deserialize)]
struct Errored {
    error: ErrorType,
}

#[derive(Deserialize)]
struct ErrorType {
    r#type: String,
}

impl Told<'_> {
    /// As an answer to a request of its own would be; `None` if there is none.
    fn answer(&self) -> Option<Answer> {
        let (status, body) = match (&self.response, &self.result) {
            (Some(said), _) => (said.status_code, said.body),
            (None, Some(outcome)) => match (outcome.message, outcome.error) {
                (Some(message), _) => (200, message),
                (None, Some(error)) => (status_of(error), error),
                (None, None) => return None,
            },
            (None, None) => return None,
        };
        Some(Answer {
            status,
            body: Bytes::copy_from_slice(body.get().as_bytes()),
        })
    }
}

/// The status that goes with a type of error (platform.claude.com, "Errors",
/// November 2026).
fn status_of(error: &RawValue) -> u16 {
    let errored: Option<Errored> = serde_json::from_str(error.get()).ok();
    match errored.as_ref().map(|errored| &*errored.error.r#type) {
        Some("invalid_request_error") => 400,
        Some("authentication_error") => 401,
        Some("billing_error") => 402,
        Some("permission_error") => 403,
        Some("not_found_error") => 404,
        Some("request_too_large") => 413,
        Some("rate_limit_error") => 429,
        Some("timeout_error") => 504,
        Some("overloaded_error") => 529,
        _ => 500,
    }
}

/// The longest line: an answer, and what stands around it.
const TOLD_BYTES_MAX: u64 = ENTRY_BYTES_MAX as u64;

impl Answers {
    /// Reads which lines have one; `None` if the vendor has not ended, as far as
    /// is known here.
    pub(super) fn open(dir: &Path, batch: BatchId, name: &str) -> io::Result<Option<Self>> {
        let file = match File::open(path(dir, batch, name, ANSWERS)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            file => file?,
        };
        let mut reader = BufReader::new(file.try_clone()?);
        let (mut by_line, mut at, mut text) = (HashMap::new(), 0_u64, Vec::new());
        loop {
            text.clear();
            let read = (&mut reader)
                .take(TOLD_BYTES_MAX)
                .read_until(b'\n', &mut text)?;
            if read == 0 {
                break;
            }
            if let Some(line) = line_of(&text, name) {
                let length = u32::try_from(read).unwrap_or(u32::MAX);
                by_line.entry(line).or_insert((at, length));
            }
            at = at.saturating_add(read as u64);
        }
        Ok(Some(Self { file, by_line }))
    }

    /// What was said to a line.
    pub(super) fn of(&self, line: u32) -> Option<Answer> {
        let (offset, length) = self.by_line.get(&line)?;
        let mut text = vec![0; usize::try_from(*length).ok()?];
        self.file.read_exact_at(&mut text, *offset).ok()?;
        let told: Told<'_> = serde_json::from_slice(&text).ok()?;
        told.answer()
    }
}

/// Our line that one of the vendor's is about, if it was answered; of an order
/// that has the name in its lines, none of another's.
fn line_of(text: &[u8], order: &str) -> Option<u32> {
    let told: Told<'_> = serde_json::from_slice(text).ok()?;
    told.answer()?;
    let own = told.custom_id.strip_prefix(order);
    let line = own.and_then(|rest| rest.strip_prefix('-'));
    let line = line.unwrap_or(&told.custom_id).strip_prefix("line-")?;
    line.parse().ok()
}

//! Before the first line of a batch is called: which lines there are, and what
//! they have come to already.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;

use bourse_store::{BatchRow, Contents, FileRow, LineCounts};
use serde_json::json;

use super::index::{self, Entry, Refusal};
use super::line::{self, Line};
use super::log::Log;

/// Faults that are told with the batch. All of them are in its answers.
const FAULTS_MAX: usize = 100;

/// A batch whose lines are known.
#[derive(Debug)]
pub(super) struct Prepared {
    /// Its file.
    pub input: File,
    /// Its lines.
    pub entries: Vec<Entry>,
    /// What they have come to.
    pub log: Log,
}

/// Why a batch cannot be prepared.
#[derive(Debug)]
pub(super) enum Unprepared {
    /// It is none.
    Refused(Refusal),
    /// The disk does not let us say.
    Disk(io::Error),
}

impl From<Refusal> for Unprepared {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Disk(error) if error.kind() != io::ErrorKind::NotFound => Self::Disk(error),
            other => Self::Refused(other),
        }
    }
}

/// Reads the file of a batch, and what its lines have come to.
pub(super) fn prepare(
    contents: &Contents,
    row: &BatchRow,
    input: Option<&FileRow>,
) -> Result<Prepared, Unprepared> {
    let file = input.ok_or(Refusal::Disk(io::ErrorKind::NotFound.into()))?;
    let opened = contents.read(file.id).map_err(Refusal::Disk)?;
    let entries = index::read(&opened, &file.digest, &row.endpoint)?;
    let log = Log::open(&contents.log_path(row.id), entries.len()).map_err(Unprepared::Disk)?;
    Ok(Prepared {
        input: opened,
        entries,
        log,
    })
}

impl Prepared {
    /// How many lines have come to which end.
    pub(super) fn counts(&self) -> LineCounts {
        let mut counts = LineCounts {
            total: self.entries.len() as u64,
            ..LineCounts::default()
        };
        for (number, entry) in (0_u32..).zip(&self.entries) {
            let place = self.log.line(number).place;
            let is_answer = entry
                .fault
                .map(|_| false)
                .or(place.map(|place| place.is_answer));
            match is_answer {
                Some(true) => {
                    counts.completed = counts.completed.saturating_add(1);
                    let at_vendor = place.is_some_and(|place| place.at_vendor);
                    counts.at_vendor = counts.at_vendor.saturating_add(at_vendor.into());
                }
                Some(false) => counts.failed = counts.failed.saturating_add(1),
                None => {}
            }
        }
        counts
    }

    /// What is wrong with lines, as clients are told: a JSON array, or nothing.
    pub(super) fn faults(&self, endpoint: &str) -> String {
        let faults = self.entries.iter().filter_map(|entry| {
            let fault = entry.fault?;
            Some(told(
                fault.code(),
                &fault.sentence(entry.number, endpoint),
                fault.param(),
                Some(entry.number),
            ))
        });
        let faults: Vec<_> = faults.take(FAULTS_MAX).collect();
        match faults.is_empty() {
            true => String::new(),
            false => serde_json::Value::from(faults).to_string(),
        }
    }

    /// Whether there is a line that can be called.
    pub(super) fn is_callable(&self) -> bool {
        self.entries.iter().any(|entry| entry.fault.is_none())
    }
}

/// A fault, as OpenAI tells it (openai-python 3.52, `types/batch_error.py`,
/// November 2026).
pub(super) fn told(
    code: &str,
    message: &str,
    param: Option<&str>,
    line: Option<u32>,
) -> serde_json::Value {
    json!({"code": code, "message": message, "param": param, "line": line})
}

/// The bytes of a line.
pub(super) fn bytes_of(input: &File, entry: &Entry) -> io::Result<Vec<u8>> {
    let mut bytes = vec![0; usize::try_from(entry.length).unwrap_or(0)];
    input.read_exact_at(&mut bytes, entry.offset)?;
    Ok(bytes)
}

/// A line, and its request. It was read before, and the file does not change.
pub(super) fn line_of(input: &File, entry: &Entry, endpoint: &str) -> io::Result<(Line, Vec<u8>)> {
    let bytes = bytes_of(input, entry)?;
    let changed = || io::Error::new(io::ErrorKind::InvalidData, "a line has changed");
    let line = line::read(&bytes, endpoint).map_err(|_| changed())?;
    let body = bytes.get(line.body.clone()).ok_or_else(changed)?.to_vec();
    Ok((line, body))
}

//! What the lines of a batch have come to, on the disk.
//!
//! One file that only grows: before a line is called it says so, with the
//! number of the try, and when its answer is there it has the answer. Each
//! entry is one `write(2)`, so it survives the end of the process (`kill -9`);
//! a second later at most it is on the disk. An entry has its length and a
//! checksum; one that was cut off, or anything behind what is damaged, is taken
//! away when the file is opened again.

use std::fs::{File, OpenOptions};
use std::io::{self, BufReader, Read, Seek as _, SeekFrom, Write as _};
use std::os::unix::fs::{FileExt as _, OpenOptionsExt as _};
use std::path::Path;

/// Length, and checksum of what follows.
const HEAD_BYTES: usize = 8;
/// What it is, and which line.
const FIXED_BYTES: usize = 7;
/// The longest entry: an answer may have 64 MiB, and some of its bytes become
/// none more.
pub const ENTRY_BYTES_MAX: usize = 80 << 20;
/// Bytes of all answers of a batch, errors included: ten times the longest
/// input. A batch beyond that ends with what it has.
pub const LOG_BYTES_MAX: u64 = 2 << 30;

const STARTED: u8 = 1;
const ANSWERED: u8 = 2;
const FAILED: u8 = 3;

/// Where the answer of a line is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// Where it begins in the file.
    pub offset: u64,
    /// How long it is.
    pub length: u32,
    /// Whether it is an answer, and not a failure.
    pub is_answer: bool,
}

/// What a line has come to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Come {
    /// How often it was tried.
    pub tries: u16,
    /// Its answer.
    pub place: Option<Place>,
}

/// The file.
#[derive(Debug)]
pub struct Log {
    file: File,
    bytes: u64,
    lines: Vec<Come>,
    is_synced: bool,
}

impl Log {
    /// Opens the file of a batch with so many lines.
    ///
    /// # Errors
    /// The disk refuses.
    pub fn open(path: &Path, lines: usize) -> io::Result<Self> {
        let file = OpenOptions::new()
            .read(true)
            .append(true)
            .create(true)
            .mode(0o600)
            .open(path)?;
        let mut log = Self {
            file,
            bytes: 0,
            lines: vec![Come::default(); lines],
            is_synced: true,
        };
        log.replay()?;
        Ok(log)
    }

    fn replay(&mut self) -> io::Result<()> {
        let mut file = self.file.try_clone()?;
        file.seek(SeekFrom::Start(0))?;
        let mut reader = BufReader::with_capacity(1 << 20, file);
        let mut payload = Vec::new();
        while read_entry(&mut reader, &mut payload)? {
            let length = payload.len();
            self.take(&payload, length);
        }
        // What was cut off, so that the next entry is found.
        if self.file.metadata()?.len() > self.bytes {
            self.file.set_len(self.bytes)?;
            self.file.sync_all()?;
        }
        Ok(())
    }

    /// Notes an entry that is in the file behind all that was noted.
    fn take(&mut self, fixed: &[u8], length: usize) {
        let begin = self.bytes;
        let end = begin.saturating_add((HEAD_BYTES.saturating_add(length)) as u64);
        self.bytes = end;
        let Some((&[kind, a, b, c, d, e, f], _)) = fixed.split_first_chunk() else {
            return;
        };
        let line = u32::from_le_bytes([a, b, c, d]);
        let come = usize::try_from(line).ok();
        let Some(come) = come.and_then(|line| self.lines.get_mut(line)) else {
            return;
        };
        come.tries = come.tries.max(u16::from_le_bytes([e, f]));
        // The first answer counts: it was paid for.
        if kind != STARTED && come.place.is_none() {
            let content = length.saturating_sub(FIXED_BYTES);
            come.place = Some(Place {
                offset: end.saturating_sub(content as u64),
                length: u32::try_from(content).unwrap_or(u32::MAX),
                is_answer: kind == ANSWERED,
            });
        }
    }

    fn append(&mut self, kind: u8, line: u32, tries: u16, content: &[u8]) -> io::Result<()> {
        let length = content.len().saturating_add(FIXED_BYTES);
        if length > ENTRY_BYTES_MAX {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        let [a, b, c, d] = line.to_le_bytes();
        let [e, f] = tries.to_le_bytes();
        let fixed = [kind, a, b, c, d, e, f];
        let mut hasher = crc32fast::Hasher::new();
        hasher.update(&fixed);
        hasher.update(content);
        let mut entry = Vec::with_capacity(length.saturating_add(HEAD_BYTES));
        let length_32 = u32::try_from(length).unwrap_or(u32::MAX);
        entry.extend_from_slice(&length_32.to_le_bytes());
        entry.extend_from_slice(&hasher.finalize().to_le_bytes());
        entry.extend_from_slice(&fixed);
        entry.extend_from_slice(content);
        if let Err(error) = self.file.write_all(&entry) {
            // A part of it may be there, and would hide what follows.
            self.file.set_len(self.bytes)?;
            return Err(error);
        }
        self.is_synced = false;
        self.take(&fixed, length);
        Ok(())
    }

    /// Says that a line is called, for the so-manieth time.
    ///
    /// # Errors
    /// The disk refuses; nothing was noted.
    pub fn start(&mut self, line: u32, tries: u16) -> io::Result<()> {
        self.append(STARTED, line, tries, &[])
    }

    /// Keeps what a line has come to.
    ///
    /// # Errors
    /// The disk refuses; nothing was noted.
    pub fn end(&mut self, line: u32, is_answer: bool, content: &[u8]) -> io::Result<()> {
        let kind = if is_answer { ANSWERED } else { FAILED };
        self.append(kind, line, 0, content)
    }

    /// What a line has come to.
    #[must_use]
    pub fn line(&self, line: u32) -> Come {
        let line = usize::try_from(line).ok();
        let come = line.and_then(|line| self.lines.get(line));
        come.copied().unwrap_or_default()
    }

    /// What a place has.
    ///
    /// # Errors
    /// The disk refuses.
    pub fn content(&self, place: Place) -> io::Result<Vec<u8>> {
        let mut content = vec![0; usize::try_from(place.length).unwrap_or(0)];
        self.file.read_exact_at(&mut content, place.offset)?;
        Ok(content)
    }

    /// How much there is.
    #[must_use]
    pub const fn bytes(&self) -> u64 {
        self.bytes
    }

    /// A handle with which what is there can be brought to the disk, by
    /// whoever may wait for that; nothing if it is there.
    ///
    /// # Errors
    /// The system gives none.
    pub fn unsynced(&mut self) -> io::Result<Option<File>> {
        if std::mem::replace(&mut self.is_synced, true) {
            return Ok(None);
        }
        self.file.try_clone().map(Some)
    }
}

/// Reads the next entry that is whole; `false` if there is none.
fn read_entry(reader: &mut impl Read, payload: &mut Vec<u8>) -> io::Result<bool> {
    let mut head = [0; HEAD_BYTES];
    if !is_read(reader.read_exact(&mut head))? {
        return Ok(false);
    }
    let [a, b, c, d, e, f, g, h] = head;
    let length = usize::try_from(u32::from_le_bytes([a, b, c, d])).unwrap_or(usize::MAX);
    if !(FIXED_BYTES..=ENTRY_BYTES_MAX).contains(&length) {
        return Ok(false);
    }
    payload.clear();
    payload.resize(length, 0);
    if !is_read(reader.read_exact(payload))? {
        return Ok(false);
    }
    Ok(crc32fast::hash(payload) == u32::from_le_bytes([e, f, g, h]))
}

/// Whether all of it was there.
fn is_read(read: io::Result<()>) -> io::Result<bool> {
    match read {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(false),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(log: &Log, line: u32) -> Option<(String, bool)> {
        let place = log.line(line).place?;
        let content = log.content(place).unwrap();
        Some((String::from_utf8(content).unwrap(), place.is_answer))
    }

    #[test]
    fn what_lines_have_come_to_is_there_again_wherever_the_file_was_cut() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("log");
        let mut ends = Vec::new();
        let mut log = Log::open(&path, 3).unwrap();
        let step = |log: &mut Log, act: &dyn Fn(&mut Log)| {
            act(log);
            log.bytes()
        };
        ends.push(step(&mut log, &|log| log.start(2, 1).unwrap()));
        ends.push(step(&mut log, &|log| log.start(0, 1).unwrap()));
        ends.push(step(&mut log, &|log| log.end(0, true, b"first").unwrap()));
        ends.push(step(&mut log, &|log| log.start(2, 2).unwrap()));
        ends.push(step(&mut log, &|log| log.end(2, false, b"bad").unwrap()));
        drop(log);
        let whole = std::fs::read(&path).unwrap();
        for cut in 0..=whole.len() {
            std::fs::write(&path, &whole[..cut]).unwrap();
            let mut log = Log::open(&path, 3).unwrap();
            let entries = ends.iter().filter(|end| **end <= cut as u64).count();
            assert_eq!(log.line(2).tries, [0, 1, 1, 1, 2, 2][entries]);
            let first = (entries >= 3).then(|| ("first".to_owned(), true));
            assert_eq!(text(&log, 0), first);
            let bad = (entries >= 5).then(|| ("bad".to_owned(), false));
            assert_eq!(text(&log, 2), bad);
            // It goes on behind what was whole.
            log.end(1, true, b"later").unwrap();
            drop(log);
            let log = Log::open(&path, 3).unwrap();
            assert_eq!(text(&log, 1), Some(("later".to_owned(), true)));
        }
    }

    #[test]
    fn a_damaged_entry_hides_itself_and_what_follows_and_nothing_before() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("log");
        let mut log = Log::open(&path, 2).unwrap();
        log.end(0, true, b"first").unwrap();
        let damaged = usize::try_from(log.bytes()).unwrap() + HEAD_BYTES + FIXED_BYTES;
        log.end(1, true, b"second").unwrap();
        drop(log);
        let mut bytes = std::fs::read(&path).unwrap();
        bytes[damaged] ^= 1;
        std::fs::write(&path, bytes).unwrap();
        let log = Log::open(&path, 2).unwrap();
        assert!(log.line(0).place.is_some());
        assert_eq!(log.line(1).place, None);
    }

    #[test]
    fn the_first_answer_of_a_line_counts() {
        let dir = tempfile::tempdir().unwrap();
        let mut log = Log::open(&dir.path().join("log"), 1).unwrap();
        log.end(0, true, b"one").unwrap();
        log.end(0, false, b"two").unwrap();
        assert_eq!(text(&log, 0), Some(("one".to_owned(), true)));
        assert!(log.unsynced().unwrap().is_some());
        assert!(log.unsynced().unwrap().is_none());
    }
}

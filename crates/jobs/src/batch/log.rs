//! What the lines of a batch have come to, on the disk.
//!
//! One file that only grows: before a line is called it says so, with the
//! number of the try, and when its answer is there it has the answer. Each
//! entry is one `write(2)`, so it survives the end of the process (`kill -9`);
//! a second later at most it is on the disk. An entry has its length and a
//! checksum; one that was cut off, or anything behind what is damaged, is taken
//! away when the file is opened again.

use std::collections::{HashMap, HashSet};
use std::fs::{File, OpenOptions};
use std::io::{self, BufReader, Read, Seek as _, SeekFrom, Write as _};
use std::os::unix::fs::{FileExt as _, OpenOptionsExt as _};
use std::path::Path;

use bourse_vocab::GenerationId;

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
/// An answer, and before it the call's id, how long its settlement is, and that.
const SETTLED: u8 = 4;
/// The same, of a line that a vendor's batch has answered.
const SETTLED_AT_VENDOR: u8 = 5;
/// The id, and the length.
const SETTLEMENT_HEAD_BYTES: usize = 20;

/// Where the answer of a line is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// Where it begins in the file.
    pub offset: u64,
    /// How long it is.
    pub length: u32,
    /// Whether it is an answer, and not a failure.
    pub is_answer: bool,
    /// Whether a vendor's batch gave it.
    pub at_vendor: bool,
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
        let Some((&[kind, a, b, c, d, e, f], rest)) = fixed.split_first_chunk() else {
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
            let before = match kind {
                SETTLED | SETTLED_AT_VENDOR => settlement_of(rest).map_or(0, |(_, length)| {
                    length.saturating_add(SETTLEMENT_HEAD_BYTES)
                }),
                _ => 0,
            };
            let content = length.saturating_sub(FIXED_BYTES.saturating_add(before));
            come.place = Some(Place {
                offset: end.saturating_sub(content as u64),
                length: u32::try_from(content).unwrap_or(u32::MAX),
                is_answer: matches!(kind, ANSWERED | SETTLED | SETTLED_AT_VENDOR),
                at_vendor: kind == SETTLED_AT_VENDOR,
            });
        }
    }

    fn append(&mut self, kind: u8, line: u32, tries: u16, parts: [&[u8]; 3]) -> io::Result<()> {
        let all = parts.iter().map(|part| part.len());
        let length = all.fold(FIXED_BYTES, usize::saturating_add);
        if length > ENTRY_BYTES_MAX {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        let [a, b, c, d] = line.to_le_bytes();
        let [e, f] = tries.to_le_bytes();
        let fixed = [kind, a, b, c, d, e, f];
        let mut hasher = crc32fast::Hasher::new();
        hasher.update(&fixed);
        parts.iter().for_each(|part| hasher.update(part));
        let mut entry = Vec::with_capacity(length.saturating_add(HEAD_BYTES));
        let length_32 = u32::try_from(length).unwrap_or(u32::MAX);
        entry.extend_from_slice(&length_32.to_le_bytes());
        entry.extend_from_slice(&hasher.finalize().to_le_bytes());
        entry.extend_from_slice(&fixed);
        parts.iter().for_each(|part| entry.extend_from_slice(part));
        if let Err(error) = self.file.write_all(&entry) {
            // A part of it may be there, and would hide what follows.
            self.file.set_len(self.bytes)?;
            return Err(error);
        }
        self.is_synced = false;
        self.take(entry.get(HEAD_BYTES..).unwrap_or_default(), length);
        Ok(())
    }

    /// Says that a line is called, for the so-manieth time.
    ///
    /// # Errors
    /// The disk refuses; nothing was noted.
    pub fn start(&mut self, line: u32, tries: u16) -> io::Result<()> {
        self.append(STARTED, line, tries, [&[]; 3])
    }

    /// Keeps what a line has come to.
    ///
    /// # Errors
    /// The disk refuses; nothing was noted.
    pub fn end(&mut self, line: u32, is_answer: bool, content: &[u8]) -> io::Result<()> {
        let kind = if is_answer { ANSWERED } else { FAILED };
        self.append(kind, line, 0, [content, &[], &[]])
    }

    /// Keeps the answer of a line, which a vendor's batch may have given, and how
    /// its call is settled, in one entry.
    ///
    /// # Errors
    /// The disk refuses; nothing was noted.
    pub fn answer(
        &mut self,
        (line, at_vendor): (u32, bool),
        (call, settlement): (GenerationId, &[u8]),
        content: &[u8],
    ) -> io::Result<()> {
        let length = u32::try_from(settlement.len()).unwrap_or(u32::MAX);
        let mut head = Vec::with_capacity(SETTLEMENT_HEAD_BYTES);
        head.extend_from_slice(&call.to_bits().to_le_bytes());
        head.extend_from_slice(&length.to_le_bytes());
        let kind = if at_vendor {
            SETTLED_AT_VENDOR
        } else {
            SETTLED
        };
        self.append(kind, line, 0, [&head, settlement, content])
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

/// Which call a settlement is of, and how long it is.
fn settlement_of(rest: &[u8]) -> Option<(GenerationId, usize)> {
    let (id, rest) = rest.split_first_chunk()?;
    let (length, _) = rest.split_first_chunk()?;
    let length = usize::try_from(u32::from_le_bytes(*length)).ok()?;
    Some((GenerationId::from_bits(u128::from_le_bytes(*id)), length))
}

/// Finds, in the file of a batch, how those of these calls are settled whose
/// answers were kept. Answers of other calls are passed over, unread.
///
/// # Errors
/// The disk refuses.
pub fn settlements(
    path: &Path,
    calls: &HashSet<GenerationId>,
    found: &mut HashMap<GenerationId, Vec<u8>>,
) -> io::Result<()> {
    const BEGIN_BYTES: usize = HEAD_BYTES + FIXED_BYTES + SETTLEMENT_HEAD_BYTES;
    let file = File::open(path)?;
    let end = file.metadata()?.len();
    let (mut at, mut payload) = (0_u64, Vec::new());
    while at < end {
        let mut begin = [0; BEGIN_BYTES];
        let there = usize::try_from(end.saturating_sub(at)).unwrap_or(usize::MAX);
        let there = begin.get_mut(..there.min(BEGIN_BYTES)).unwrap_or_default();
        file.read_exact_at(there, at)?;
        let (&[a, b, c, d, ..], Some(fixed)) = (&begin, begin.get(HEAD_BYTES..)) else {
            return Ok(());
        };
        let length = u32::from_le_bytes([a, b, c, d]);
        let next = at.saturating_add(u64::from(length).saturating_add(HEAD_BYTES as u64));
        let call = match fixed.split_first_chunk::<FIXED_BYTES>() {
            Some(([SETTLED | SETTLED_AT_VENDOR, ..], rest)) => settlement_of(rest),
            _ => None,
        };
        if let Some((call, settlement)) = call
            && calls.contains(&call)
            && settlement > 0
        {
            let mut from = io::BufReader::new(Section { file: &file, at });
            if !read_entry(&mut from, &mut payload)? {
                return Ok(());
            }
            let begin = FIXED_BYTES.saturating_add(SETTLEMENT_HEAD_BYTES);
            let bytes = payload.get(begin..begin.saturating_add(settlement));
            found.insert(call, bytes.unwrap_or_default().to_vec());
        }
        at = next;
    }
    Ok(())
}

/// A file from some place on.
struct Section<'a> {
    file: &'a File,
    at: u64,
}

impl Read for Section<'_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let read = self.file.read_at(into, self.at)?;
        self.at = self.at.saturating_add(read as u64);
        Ok(read)
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
    fn an_answer_is_kept_with_how_its_call_is_settled_and_both_are_found() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("log");
        let call = |n: u128| GenerationId::from_bits(n);
        let mut log = Log::open(&path, 4).unwrap();
        log.start(0, 1).unwrap();
        log.answer((0, false), (call(7), b"seven"), b"first")
            .unwrap();
        log.answer((1, true), (call(8), b"eight"), b"second")
            .unwrap();
        log.answer((2, false), (call(9), b""), b"third").unwrap();
        for log in [log, Log::open(&path, 4).unwrap()] {
            assert_eq!(text(&log, 0), Some(("first".to_owned(), true)));
            assert_eq!(text(&log, 2), Some(("third".to_owned(), true)));
            let at_vendor = |line| log.line(line).place.unwrap().at_vendor;
            assert_eq!([0, 1, 2].map(at_vendor), [false, true, false]);
        }
        let asked = HashSet::from([call(8), call(9), call(10)]);
        let find = || {
            let mut found = HashMap::new();
            settlements(&path, &asked, &mut found).unwrap();
            found
        };
        // What nothing is charged for has none.
        assert_eq!(find(), HashMap::from([(call(8), b"eight".to_vec())]));
        // What was cut off says nothing, wherever it was.
        let bytes = std::fs::read(&path).unwrap();
        for length in 0..bytes.len() {
            std::fs::write(&path, &bytes[..length]).unwrap();
            assert!(find().len() <= 1, "{length}");
        }
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

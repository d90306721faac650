//! Where the lines of a batch are in its file.
//!
//! The file is read once, piece by piece; what is kept of it is 24 bytes a
//! line, so a batch of the largest size takes a megabyte and not two hundred.

use std::collections::HashSet;
use std::io::{self, Read};

use bourse_store::batch::{LINE_BYTES_MAX, LINES_MAX};

use super::line::{Fault, read as read_line};

/// Bytes that are read at once.
const PIECE_BYTES: usize = 64 * 1024;
/// What some editors put in front of a file.
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// A line that is not blank.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Entry {
    /// Where it begins.
    pub offset: u64,
    /// How long it is, without its end; of one that is too long, a beginning.
    pub length: u32,
    /// Its number, from 1 and with blank lines, as editors count.
    pub number: u32,
    /// What is wrong with it.
    pub fault: Option<Fault>,
}

/// Why a file is no batch at all.
#[derive(Debug, thiserror::Error)]
pub enum Refusal {
    /// It cannot be read.
    #[error("the file cannot be read: {0}")]
    Disk(#[from] io::Error),
    /// It is not what was written.
    #[error("the file is not what was uploaded; upload it again")]
    Changed,
    /// It has no line.
    #[error("the file has no lines")]
    Empty,
    /// It has too many.
    #[error("the file has more than {LINES_MAX} lines; cut it into several batches")]
    TooManyLines,
}

impl Refusal {
    /// What programs know it by.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Disk(_) | Self::Changed => "file_unreadable",
            Self::Empty => "empty_file",
            Self::TooManyLines => "too_many_tasks",
        }
    }
}

/// The line that is being read.
#[derive(Default)]
struct Growing {
    bytes: Vec<u8>,
    offset: u64,
    is_too_long: bool,
}

struct Indexing<'a> {
    endpoint: &'a str,
    entries: Vec<Entry>,
    /// Names so far, as hashes: 16 bytes each, however long they are.
    names: HashSet<[u8; 16]>,
    number: u32,
    line: Growing,
}

/// Finds the lines of a batch for `endpoint`, in a file of which `digest` is
/// the BLAKE3.
///
/// # Errors
/// It is no batch at all.
pub fn read(mut file: impl Read, digest: &[u8; 32], endpoint: &str) -> Result<Vec<Entry>, Refusal> {
    let mut indexing = Indexing {
        endpoint,
        entries: Vec::new(),
        names: HashSet::new(),
        number: 0,
        line: Growing::default(),
    };
    let mut hasher = blake3::Hasher::new();
    let mut piece = vec![0; PIECE_BYTES];
    let mut at = 0_u64;
    loop {
        let count = match file.read(&mut piece) {
            Ok(0) => break,
            Ok(count) => count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error.into()),
        };
        let read = piece.get(..count).unwrap_or_default();
        hasher.update(read);
        let read = match at == 0 {
            true => read.strip_prefix(BYTE_ORDER_MARK).unwrap_or(read),
            false => read,
        };
        if at == 0 {
            indexing.line.offset = (count.saturating_sub(read.len())) as u64;
        }
        at = at.saturating_add(count as u64);
        indexing.push(read, at)?;
    }
    indexing.end_line(at)?;
    if hasher.finalize() != *digest {
        return Err(Refusal::Changed);
    }
    match indexing.entries.is_empty() {
        true => Err(Refusal::Empty),
        false => Ok(indexing.entries),
    }
}

impl Indexing<'_> {
    /// Takes the next piece, which ends at `end` of the file.
    fn push(&mut self, piece: &[u8], end: u64) -> Result<(), Refusal> {
        let begin = end.saturating_sub(piece.len() as u64);
        let mut rest = 0;
        for newline in memchr::memchr_iter(b'\n', piece) {
            self.grow(piece.get(rest..newline).unwrap_or_default());
            rest = newline.saturating_add(1);
            self.end_line(begin.saturating_add(rest as u64))?;
        }
        self.grow(piece.get(rest..).unwrap_or_default());
        Ok(())
    }

    fn grow(&mut self, more: &[u8]) {
        let line = &mut self.line;
        let room = LINE_BYTES_MAX.saturating_sub(line.bytes.len());
        line.is_too_long |= more.len() > room;
        let taken = more.get(..more.len().min(room)).unwrap_or_default();
        line.bytes.extend_from_slice(taken);
    }

    /// Ends a line; the next one begins at `next`.
    fn end_line(&mut self, next: u64) -> Result<(), Refusal> {
        let mut line = std::mem::take(&mut self.line);
        self.number = self.number.saturating_add(1);
        if line.bytes.last() == Some(&b'\r') && !line.is_too_long {
            line.bytes.pop();
        }
        if line.bytes.iter().any(|byte| !byte.is_ascii_whitespace()) {
            if self.entries.len() >= LINES_MAX {
                return Err(Refusal::TooManyLines);
            }
            let fault = match line.is_too_long {
                true => Some(Fault::TooLong),
                false => self.fault_of(&line.bytes),
            };
            self.entries.push(Entry {
                offset: line.offset,
                length: u32::try_from(line.bytes.len()).unwrap_or(u32::MAX),
                number: self.number,
                fault,
            });
        }
        line.bytes.clear();
        self.line = Growing {
            bytes: line.bytes,
            offset: next,
            is_too_long: false,
        };
        Ok(())
    }

    fn fault_of(&mut self, bytes: &[u8]) -> Option<Fault> {
        let line = match read_line(bytes, self.endpoint) {
            Ok(line) => line,
            Err(fault) => return Some(fault),
        };
        let hash = blake3::hash(line.custom_id.as_bytes());
        let name = hash.as_bytes().first_chunk().copied().unwrap_or_default();
        (!self.names.insert(name)).then_some(Fault::Duplicate)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CHAT: &str = "/v1/chat/completions";

    fn line(name: &str) -> String {
        format!(r#"{{"custom_id":"{name}","method":"POST","url":"{CHAT}","body":{{}}}}"#)
    }

    /// Gives a file byte by byte, or as few as it likes.
    struct Slow<'a>(&'a [u8], usize);

    impl Read for Slow<'_> {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            let count = self.1.min(buffer.len()).min(self.0.len());
            buffer[..count].copy_from_slice(&self.0[..count]);
            self.0 = &self.0[count..];
            Ok(count)
        }
    }

    fn index(text: &[u8]) -> Result<Vec<Entry>, Refusal> {
        read(Slow(text, 7), blake3::hash(text).as_bytes(), CHAT)
    }

    #[test]
    fn lines_are_found_with_their_numbers_however_the_file_comes() {
        let text = format!("{}\r\n\n  \n{}\n{}", line("a"), line("b"), line("c"));
        for at_once in [1, 7, 64, 1 << 20] {
            let digest = blake3::hash(text.as_bytes());
            let found = read(Slow(text.as_bytes(), at_once), digest.as_bytes(), CHAT).unwrap();
            let names: Vec<_> = found
                .iter()
                .map(|entry| {
                    let start = usize::try_from(entry.offset).unwrap();
                    &text[start..start + entry.length as usize]
                })
                .collect();
            assert_eq!(names, [line("a"), line("b"), line("c")]);
            let numbers: Vec<_> = found.iter().map(|entry| entry.number).collect();
            assert_eq!(numbers, [1, 4, 5]);
            assert!(found.iter().all(|entry| entry.fault.is_none()));
        }
    }

    #[test]
    fn a_mark_in_front_of_a_file_is_no_part_of_its_first_line() {
        let text = format!("\u{feff}{}\n", line("a"));
        let found = read(
            text.as_bytes(),
            blake3::hash(text.as_bytes()).as_bytes(),
            CHAT,
        )
        .unwrap();
        assert_eq!((found[0].offset, found[0].fault), (3, None));
    }

    #[test]
    fn a_bad_line_is_bad_alone() {
        let text = format!(
            "{}\njunk\n{}\n{}\n",
            line("a"),
            line("a"),
            line("b").replace("POST", "GET")
        );
        let faults: Vec<_> = index(text.as_bytes())
            .unwrap()
            .iter()
            .map(|entry| entry.fault)
            .collect();
        let expected = [
            None,
            Some(Fault::NotJson),
            Some(Fault::Duplicate),
            Some(Fault::Method),
        ];
        assert_eq!(faults, expected);
        let mut bytes = line("a").into_bytes();
        bytes.extend_from_slice(b"\n\xff\xfe{}\n");
        assert_eq!(index(&bytes).unwrap()[1].fault, Some(Fault::NotUtf8));
    }

    #[test]
    fn a_line_of_ten_megabytes_is_not_kept_and_those_around_it_are_read() {
        let long = format!("{{\"custom_id\":\"{}\"}}", "x".repeat(10 << 20));
        let text = format!("{}\n{long}\n{}\n", line("a"), line("b"));
        let digest = blake3::hash(text.as_bytes());
        let found = read(text.as_bytes(), digest.as_bytes(), CHAT).unwrap();
        assert_eq!(found.len(), 3);
        assert_eq!(found[1].fault, Some(Fault::TooLong));
        assert_eq!(found[1].length as usize, LINE_BYTES_MAX);
        assert_eq!((found[2].number, found[2].fault), (3, None));
    }

    #[test]
    fn what_is_no_batch_at_all_is_refused() {
        assert!(matches!(index(b""), Err(Refusal::Empty)));
        assert!(matches!(index(b"\n \r\n\n"), Err(Refusal::Empty)));
        let text = line("a");
        let other = blake3::hash(b"other");
        let changed = read(text.as_bytes(), other.as_bytes(), CHAT);
        assert!(matches!(changed, Err(Refusal::Changed)));
        let most = "x\n".repeat(LINES_MAX);
        assert_eq!(index(most.as_bytes()).unwrap().len(), LINES_MAX);
        let more = format!("{most}x");
        assert!(matches!(index(more.as_bytes()), Err(Refusal::TooManyLines)));
    }

    #[test]
    fn an_entry_is_small() {
        assert!(size_of::<Entry>() <= 24);
    }
}

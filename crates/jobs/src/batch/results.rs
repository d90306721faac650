//! The end of a batch: its answers as files, in the order of its lines.

use std::fs::File;
use std::io;

use bourse_store::contents::Draft;
use bourse_store::{BatchRow, Contents, FileRow, LineCounts, Purpose, Shape};
use bourse_vocab::FileId;

use super::index::Entry;
use super::log::Log;
use super::prepare::bytes_of;
use super::render::{Render, Uncalled};
use super::{call_id, label, line};
use crate::Caller;

/// What is written of.
pub(super) struct Results<'a> {
    pub contents: &'a Contents,
    pub caller: &'a dyn Caller,
    pub row: &'a BatchRow,
    pub input: &'a File,
    pub entries: &'a [Entry],
    pub log: &'a Log,
    /// Why lines without an answer have none.
    pub rest: Uncalled,
    /// For how long answers are kept, in milliseconds.
    pub keep_ms: u64,
}

/// What was written.
#[derive(Debug)]
pub(super) struct Files {
    pub output: Option<FileRow>,
    pub error: Option<FileRow>,
    pub counts: LineCounts,
}

/// Files that are written one after the other, line by line. Each is begun with
/// its first line.
struct Sink<'a> {
    results: &'a Results<'a>,
    draft: Option<(FileId, Draft)>,
    waiting: Vec<u8>,
}

/// Bytes that are written at once.
const PIECE_BYTES: usize = 256 * 1024;

impl Sink<'_> {
    fn line(&mut self, line: &[u8]) -> io::Result<()> {
        self.waiting.extend_from_slice(line);
        self.waiting.push(b'\n');
        match self.waiting.len() >= PIECE_BYTES {
            true => self.flush(),
            false => Ok(()),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        let draft = match &mut self.draft {
            Some((_, draft)) => draft,
            None => {
                let caller = self.results.caller;
                let id = FileId::at_ms(caller.now_ms(), caller.random());
                let draft = self.results.contents.write(id)?;
                &mut self.draft.insert((id, draft)).1
            }
        };
        draft.push(&self.waiting)?;
        self.waiting.clear();
        Ok(())
    }

    fn finish(mut self, name: &str, purpose: Purpose) -> io::Result<Option<FileRow>> {
        if !self.waiting.is_empty() {
            self.flush()?;
        }
        let Some((id, draft)) = self.draft else {
            return Ok(None);
        };
        let written = draft.finish()?;
        let now_ms = self.results.caller.now_ms();
        Ok(Some(FileRow {
            id,
            account: self.results.row.account,
            name: format!("{}_{name}.jsonl", label(self.results.row.id)),
            purpose,
            bytes: written.bytes,
            digest: written.digest,
            created_at_ms: now_ms,
            expires_at_ms: now_ms.saturating_add(self.results.keep_ms),
        }))
    }
}

impl Results<'_> {
    fn sink(&self) -> Sink<'_> {
        Sink {
            results: self,
            draft: None,
            waiting: Vec::new(),
        }
    }

    /// Writes them.
    ///
    /// # Errors
    /// The disk refuses; then nothing is there.
    pub(super) fn write(&self) -> io::Result<Files> {
        let mut counts = LineCounts {
            total: self.entries.len() as u64,
            ..LineCounts::default()
        };
        let (mut output, mut error) = (self.sink(), self.sink());
        for (number, entry) in (0_u32..).zip(self.entries) {
            let place = self
                .log
                .line(number)
                .place
                .filter(|_| entry.fault.is_none());
            let (text, is_answer) = match place {
                Some(place) => (self.log.content(place)?, place.is_answer),
                None => (self.uncalled(number, entry)?, false),
            };
            let count = match (place, &self.rest) {
                (Some(_), _) if is_answer => &mut counts.completed,
                (None, Uncalled::Expired) if entry.fault.is_none() => &mut counts.expired,
                (None, Uncalled::Cancelled) if entry.fault.is_none() => &mut counts.cancelled,
                _ => &mut counts.failed,
            };
            *count = count.saturating_add(1);
            let at_vendor = place.is_some_and(|place| place.at_vendor);
            counts.at_vendor = counts.at_vendor.saturating_add(at_vendor.into());
            let is_output = is_answer || self.row.shape == Shape::Body;
            let sink = if is_output { &mut output } else { &mut error };
            sink.line(&text)?;
        }
        let purpose = match self.row.shape {
            Shape::File => Purpose::BatchOutput,
            Shape::Body => Purpose::Inside,
        };
        Ok(Files {
            output: output.finish("output", purpose)?,
            error: error.finish("error", purpose)?,
            counts,
        })
    }

    /// What is told of a line that was not called.
    fn uncalled(&self, number: u32, entry: &Entry) -> io::Result<Vec<u8>> {
        let bytes = bytes_of(self.input, entry)?;
        let name = line::name(&bytes);
        let endpoint = &self.row.endpoint;
        let why = entry.fault.map_or_else(
            || self.rest.clone(),
            |fault| Uncalled::Fault(fault, fault.sentence(entry.number, endpoint)),
        );
        let id = call_id(self.row.id, self.row.created_at_ms, number, 0);
        let render = Render::new(self.row.shape, name.as_deref(), id);
        let worded = self.caller.failure(endpoint, &why.failure());
        Ok(render.uncalled(&why, &worded))
    }
}

//! A new text out of an old one: values replaced, members renamed,
//! removed and added, everything else left where it is.

use std::ops::Range;

use bytes::Bytes;

use super::outline::Outline;
use super::segments::{copy_into, slice_into};

/// Pieces up to this length are copied together instead of being passed
/// on as slices: a short copy is cheaper than a reference count and one
/// more entry in a vectored write.
const COPY_BYTES_MAX: usize = 512;
/// Texts up to this length are copied into a single piece, so that head
/// and body leave in one write.
const SMALL_BYTES: usize = 8 * 1024;

/// What happens to one member.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
enum Fate {
    #[default]
    Keep,
    Remove,
    Change {
        name: Option<String>,
        value: Option<Vec<u8>>,
    },
}

/// Collects edits of one text and then writes the new one.
///
/// Names and values are addressed through the text's [`Outline`]; values
/// are given as JSON texts, names as they are. Later edits of the same
/// member win.
#[derive(Debug)]
pub struct Splice<'a> {
    outline: &'a Outline,
    fates: Vec<Fate>,
    added: Vec<(String, Vec<u8>)>,
}

impl<'a> Splice<'a> {
    /// No edits yet.
    #[must_use]
    pub fn new(outline: &'a Outline) -> Self {
        Self {
            outline,
            fates: vec![Fate::Keep; outline.members().len()],
            added: Vec::new(),
        }
    }

    fn position(&self, name: &str) -> Option<usize> {
        self.outline.position(name)
    }

    /// Whether the text had the member to begin with.
    #[must_use]
    pub fn has(&self, name: &str) -> bool {
        self.position(name).is_some()
    }

    /// Removes a member; does nothing if there is none of that name.
    pub fn remove(&mut self, name: &str) {
        self.added.retain(|(other, _)| other != name);
        if let Some(fate) = self.position(name).and_then(|at| self.fates.get_mut(at)) {
            *fate = Fate::Remove;
        }
    }

    /// Gives a member this value, adding it if it is not there.
    pub fn set(&mut self, name: &str, value: impl Into<Vec<u8>>) {
        let value = value.into();
        if let Some(fate) = self.position(name).and_then(|at| self.fates.get_mut(at)) {
            *fate = Fate::Change {
                name: None,
                value: Some(value),
            };
        } else if let Some((_, slot)) = self.added.iter_mut().find(|(other, _)| other == name) {
            *slot = value;
        } else {
            self.added.push((name.to_owned(), value));
        }
    }

    /// Gives a member another name. If the text has a member of the new
    /// name already, that one stays and the renamed one goes.
    pub fn rename(&mut self, old: &str, new: &str) {
        if self.has(new) {
            return self.remove(old);
        }
        if let Some((name, _)) = self.added.iter_mut().find(|(name, _)| name == old) {
            new.clone_into(name);
        }
        if let Some(fate) = self.position(old).and_then(|at| self.fates.get_mut(at)) {
            let value = match std::mem::take(fate) {
                Fate::Remove => {
                    *fate = Fate::Remove;
                    return;
                }
                Fate::Keep => None,
                Fate::Change { value, .. } => value,
            };
            *fate = Fate::Change {
                name: Some(new.to_owned()),
                value,
            };
        }
    }

    /// Removes the member at a position of the outline.
    pub fn remove_at(&mut self, at: usize) {
        if let Some(fate) = self.fates.get_mut(at) {
            *fate = Fate::Remove;
        }
    }

    /// Writes the new text. `segments` must be the pieces that were
    /// scanned.
    #[must_use]
    pub fn write(&self, segments: &[Bytes]) -> Vec<Bytes> {
        let mut sink = Sink::new(segments, self.outline.len());
        let members = self.outline.members();
        let mut first = true;
        // Everything before `done` is written.
        let mut done = 0_usize;
        let mut pending = 0..self.outline.open();
        // Where the member before this one ends, kept or not.
        let mut before = self.outline.open();
        for (member, fate) in members.iter().zip(&self.fates) {
            let neighbour = std::mem::replace(&mut before, member.value.end);
            if *fate == Fate::Remove {
                continue;
            }
            // Between two kept neighbours comma and white space stay.
            if pending.end == neighbour {
                pending.end = member.key.start;
            } else {
                sink.old(&pending);
                if !first {
                    sink.new_bytes(b",");
                }
                pending = member.key.start..member.key.start;
            }
            first = false;
            match fate {
                Fate::Change { name, value } => {
                    if let Some(name) = name {
                        sink.old(&pending);
                        let mut text = Vec::with_capacity(name.len().saturating_add(2));
                        super::text::write_string(name, &mut text);
                        sink.new_bytes(&text);
                        pending = member.key.end..member.key.end;
                    }
                    pending.end = member.value.start;
                    if let Some(value) = value {
                        sink.old(&pending);
                        sink.new_bytes(value);
                        pending = member.value.end..member.value.end;
                    }
                    pending.end = member.value.end;
                }
                Fate::Keep | Fate::Remove => pending.end = member.value.end,
            }
            done = member.value.end;
        }
        let tail = members
            .last()
            .map_or(self.outline.open(), |member| member.value.end);
        if !self.added.is_empty() || done != tail {
            sink.old(&pending);
            for (name, value) in &self.added {
                let mut text = Vec::with_capacity(name.len().saturating_add(value.len()));
                if !first {
                    text.push(b',');
                }
                first = false;
                super::text::write_string(name, &mut text);
                text.push(b':');
                text.extend_from_slice(value);
                sink.new_bytes(&text);
            }
            pending = tail..tail;
        }
        pending.end = self.outline.len();
        sink.old(&pending);
        sink.finish()
    }
}

/// Gathers the pieces of the new text.
struct Sink<'a> {
    segments: &'a [Bytes],
    out: Vec<Bytes>,
    /// Copied bytes that are not in `out` yet.
    copied: Vec<u8>,
    copy_max: usize,
}

impl<'a> Sink<'a> {
    fn new(segments: &'a [Bytes], len: usize) -> Self {
        let small = len <= SMALL_BYTES;
        Self {
            segments,
            out: Vec::new(),
            copied: Vec::with_capacity(if small { len.saturating_add(256) } else { 256 }),
            copy_max: if small { usize::MAX } else { COPY_BYTES_MAX },
        }
    }

    fn old(&mut self, range: &Range<usize>) {
        if range.len() <= self.copy_max {
            copy_into(self.segments, range, &mut self.copied);
        } else {
            self.flush();
            slice_into(self.segments, range, &mut self.out);
        }
    }

    fn new_bytes(&mut self, bytes: &[u8]) {
        self.copied.extend_from_slice(bytes);
    }

    fn flush(&mut self) {
        if !self.copied.is_empty() {
            self.out.push(Bytes::from(std::mem::take(&mut self.copied)));
        }
    }

    fn finish(mut self) -> Vec<Bytes> {
        self.flush();
        self.out
    }
}

//! What a provider sends, taken down to be told once more.

use std::sync::Arc;

use bourse_vocab::Format;
use bourse_wire::framing::Framing;
use bytes::Bytes;

use super::shelf::ANSWER_BYTES_MAX;
use crate::bodies::{Bodies, Room};

/// Room for a first piece, so that short answers ask for memory once.
const FIRST_BYTES: usize = 4 * 1024;

/// What a provider sent of an answer so far.
#[derive(Debug)]
pub struct Record {
    /// In which format.
    pub format: Format,
    /// Cut into frames how.
    pub framing: Framing,
    text: Vec<u8>,
    /// What it takes; gone once it is too long, or nobody has room for it.
    room: Option<Room>,
}

impl Record {
    /// Nothing yet. What comes takes its room from `underway`.
    #[must_use]
    pub fn begin(format: Format, framing: Framing, underway: &Arc<Bodies>) -> Self {
        Self {
            format,
            framing,
            text: Vec::new(),
            room: Some(Room::begin(underway)),
        }
    }

    /// Takes a piece down.
    pub fn push(&mut self, piece: &[u8]) {
        if self.make_room(piece.len()).is_some() {
            self.text.extend_from_slice(piece);
        } else {
            (self.text, self.room) = (Vec::new(), None);
        }
    }

    /// Makes room for so many bytes more; `None` if there is none.
    fn make_room(&mut self, bytes: usize) -> Option<()> {
        let room = self.room.as_mut()?;
        let needed = self.text.len().checked_add(bytes)?;
        if needed > ANSWER_BYTES_MAX {
            return None;
        }
        let has = self.text.capacity();
        if needed > has {
            let wanted = needed.max(has.saturating_mul(2));
            let wanted = wanted.clamp(FIRST_BYTES, ANSWER_BYTES_MAX);
            room.grow(wanted.saturating_sub(has)).ok()?;
            let more = wanted.saturating_sub(self.text.len());
            self.text.reserve_exact(more);
        }
        Some(())
    }

    /// All that was sent; `None` if that was too much.
    #[must_use]
    pub fn into_text(mut self) -> Option<Bytes> {
        self.room?;
        self.text.shrink_to_fit();
        Some(self.text.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn begin(underway: &Arc<Bodies>) -> Record {
        Record::begin(Format::OpenAiChat, Framing::Sse, underway)
    }

    #[test]
    fn what_is_taken_down_takes_room_until_it_is_handed_on() {
        let underway = Arc::new(Bodies::new(1 << 20));
        let mut record = begin(&underway);
        record.push(b"one ");
        record.push(&[b'x'; 10_000]);
        assert!(underway.used() >= 10_004);
        let text = record.into_text().unwrap();
        assert_eq!(text.len(), 10_004);
        assert!(text.starts_with(b"one xx"));
        assert_eq!(underway.used(), 0);
    }

    #[test]
    fn what_is_too_long_is_let_go_of_at_once() {
        let underway = Arc::new(Bodies::new(64 << 20));
        let mut record = begin(&underway);
        let piece = vec![b'x'; 64 * 1024];
        while underway.used() < ANSWER_BYTES_MAX {
            record.push(&piece);
        }
        assert_eq!(underway.used(), ANSWER_BYTES_MAX);
        let rest = ANSWER_BYTES_MAX - record.text.len();
        record.push(&vec![b'x'; rest]);
        assert_eq!(record.text.len(), ANSWER_BYTES_MAX);
        record.push(b"x");
        assert_eq!(underway.used(), 0);
        record.push(b"x");
        assert_eq!(record.into_text(), None);
    }

    #[test]
    fn many_that_are_under_way_share_a_bound() {
        let underway = Arc::new(Bodies::new(1 << 20));
        let records: Vec<Record> = (0..1_000)
            .map(|_| {
                let mut record = begin(&underway);
                record.push(&[b'x'; 8 * 1024]);
                record
            })
            .collect();
        assert!(underway.used() <= 1 << 20);
        let kept = records.into_iter().filter_map(Record::into_text).count();
        assert_eq!(kept, 128);
        assert_eq!(underway.used(), 0);
    }
}

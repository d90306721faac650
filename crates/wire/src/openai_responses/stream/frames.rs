//! Framing of a client's stream: each event has its number.

use crate::object::Object;

/// Where an event belongs.
#[derive(Debug, Clone, Copy)]
pub struct Place<'a> {
    /// The item's id.
    pub id: &'a str,
    /// The item's number among the items of the answer.
    pub at: usize,
}

/// Numbers events from 0 and frames them, `event:` lines included, as OpenAI
/// does.
#[derive(Debug, Default)]
pub struct Frames {
    next: u64,
}

impl Frames {
    /// Writes one event.
    pub fn event(&mut self, kind: &str, out: &mut Vec<u8>, fill: impl FnOnce(&mut Object<'_>)) {
        out.extend_from_slice(b"event: ");
        out.extend_from_slice(kind.as_bytes());
        out.extend_from_slice(b"\ndata: ");
        let mut object = Object::open(out);
        object.put("type", kind).put("sequence_number", &self.next);
        fill(&mut object);
        object.close();
        out.extend_from_slice(b"\n\n");
        self.next = self.next.saturating_add(1);
    }

    /// Writes an event of something inside an item.
    pub fn inside(
        &mut self,
        kind: &str,
        place: Place<'_>,
        out: &mut Vec<u8>,
        fill: impl FnOnce(&mut Object<'_>),
    ) {
        self.event(kind, out, |event| {
            event
                .put("item_id", place.id)
                .put("output_index", &place.at);
            fill(event);
        });
    }

    /// Writes the beginning or the end of an item.
    pub fn item(
        &mut self,
        kind: &str,
        at: usize,
        out: &mut Vec<u8>,
        write: impl FnOnce(&mut Vec<u8>),
    ) {
        self.event(kind, out, |event| {
            event.put("output_index", &at).nested("item", write);
        });
    }
}

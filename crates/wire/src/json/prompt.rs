//! What the scanner notes of a prompt in passing: which media there are,
//! and where the texts are.
//!
//! Nothing here looks at a text. A medium is noticed by the name of the
//! member that holds it; of its own bytes only the length is taken, and of
//! a picture later the first few, for its size. What remains of the
//! request's length is text.

use std::ops::Range;

use bourse_vocab::PromptFacts;
use bourse_vocab::facts::{Detail, Kind as MediumKind, Medium, PixelSize, Slot};
use bytes::Bytes;

use super::features::Marker;
use super::fold::folded;
use super::kind::Kind;
use super::segments::Cursor;

/// Addresses whose place is remembered: more than any provider takes.
pub const ADDRESSES_MAX: usize = 1_024;

/// Where the addresses of media are that a provider would have to fetch, or
/// that it may take for such: byte ranges of JSON strings without their
/// quotes.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Addresses {
    places: Vec<Range<usize>>,
    has_more: bool,
}

impl Addresses {
    /// The first [`ADDRESSES_MAX`].
    #[must_use]
    pub fn places(&self) -> &[Range<usize>] {
        &self.places
    }

    /// Whether there are more.
    #[must_use]
    pub const fn has_more(&self) -> bool {
        self.has_more
    }

    fn add(&mut self, place: Range<usize>) {
        if self.places.len() < ADDRESSES_MAX {
            self.places.push(place);
        } else {
            self.has_more = true;
        }
    }
}

/// Which part of the request is being read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Part {
    /// Nothing that a model reads, or nothing with media in it.
    #[default]
    Elsewhere,
    /// What was said so far.
    Conversation,
    /// Tools on offer.
    Tools,
}

/// What the watched bracket is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Watched {
    #[default]
    Nothing,
    /// An object that describes a medium.
    Medium,
    /// The part around such an object, which has yet to say what it is.
    Around,
    /// What a model and a tool said to each other: no names of ours.
    Said,
}

/// What the scanner has noted of a prompt.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Prompt {
    facts: PromptFacts,
    /// Bytes of the request that are media, and so no text.
    data_bytes: u64,
    /// Pictures whose size can be looked for: their place among the facts,
    /// and where their base64 is.
    pictures: Vec<(usize, Range<usize>)>,
    pub(super) addresses: Addresses,
    part: Part,
    watched: Watched,
    /// How many brackets are open inside the watched one; 0: none.
    pub(super) watched_depth: u32,
    medium: Medium,
    /// Where the medium's base64 is.
    data: Option<Range<usize>>,
    /// The watched object says that it is plain text.
    is_text: bool,
    /// What the last part said that it is, and how deep its members are.
    said_kind: Option<MediumKind>,
    said_depth: u32,
    /// Tools that say that they are functions, or custom.
    plain_tools: u32,
    /// The closest look that some part asks for beside its picture, as parts of
    /// Responses do: which picture it is of is not kept, so it counts for all.
    loose_detail: Detail,
    /// A tool says that it is something else, or has a member that is spelled in
    /// a way that readers may fold.
    odd_tool: bool,
}

/// Depth of the members of one tool: `{"tools":[{"type":…`.
const TOOL_DEPTH: u32 = 3;

impl Prompt {
    /// A member of the outermost object begins.
    pub(super) fn member(&mut self, name: &[u8]) -> Marker {
        let mut marker = Marker::None;
        self.part = match name {
            b"messages" | b"contents" => Part::Conversation,
            b"system"
            | b"prompt"
            | b"input"
            | b"instructions"
            | b"systemInstruction"
            | b"system_instruction" => {
                marker = Marker::Part(Slot::Text);
                Part::Conversation
            }
            b"tools" | b"functions" => Part::Tools,
            b"cache_control" => {
                self.mark();
                Part::Elsewhere
            }
            _ => Part::Elsewhere,
        };
        marker
    }

    /// A member further inside begins; `depth` brackets are open around it.
    #[inline]
    pub(super) fn name(&mut self, name: &[u8], depth: u32) -> Marker {
        match self.part {
            Part::Elsewhere => Marker::None,
            Part::Tools => {
                if name == b"cache_control" {
                    self.mark();
                }
                if depth == TOOL_DEPTH {
                    return self.tool_member(name);
                }
                Marker::None
            }
            Part::Conversation if self.watched == Watched::Said => Marker::None,
            Part::Conversation => match Slot::by_name(name) {
                Some(Slot::CacheMark) => {
                    self.mark();
                    Marker::None
                }
                Some(slot) => Marker::Part(slot),
                None => {
                    // A provider reads `"image\u005furl"`, and some read
                    // `"Image_URL"`, as we read `"image_url"`; here it would
                    // be text.
                    let is_plain = |byte: &u8| byte.is_ascii_lowercase() || *byte == b'_';
                    if !name.iter().all(is_plain) {
                        self.facts.is_obscured |= hides_a_medium(name);
                    }
                    Marker::None
                }
            },
        }
    }

    fn tool_member(&mut self, name: &[u8]) -> Marker {
        if name == b"type" {
            return Marker::ToolKind;
        }
        let is_plain = |byte: &u8| byte.is_ascii_lowercase() || *byte == b'_';
        self.odd_tool |= !name.iter().all(is_plain);
        Marker::None
    }

    /// Whether some tool does not plainly say that it is one of the client's.
    pub(super) const fn has_other_tools(&self) -> bool {
        self.odd_tool || self.plain_tools != self.facts.tools
    }

    fn mark(&mut self) {
        self.facts.cache_marks = self.facts.cache_marks.saturating_add(1);
    }

    /// An element of a member of the outermost object begins.
    #[inline]
    pub(super) fn element(&mut self, kind: Kind) {
        if self.part == Part::Tools && kind == Kind::Object {
            self.facts.tools = self.facts.tools.saturating_add(1);
        }
    }

    /// The value of a marked name is no text; `depth` brackets are open
    /// around it.
    pub(super) fn begin(&mut self, marker: Marker, kind: Kind, depth: u32) {
        if !matches!(kind, Kind::Object | Kind::Array) {
            return;
        }
        match marker {
            Marker::Part(Slot::Medium(name)) if kind == Kind::Object => {
                self.flush();
                self.watched = Watched::Medium;
                self.medium = Medium::new(name);
                self.is_text = false;
            }
            Marker::Part(Slot::Said) => {
                self.flush();
                self.watched = Watched::Said;
            }
            _ => return,
        }
        self.watched_depth = depth.saturating_add(1);
    }

    /// The value of a marked name is a text. `head` is its content, or
    /// more of its beginning than any name or media type has.
    pub(super) fn value(&mut self, marker: Marker, head: &[u8], range: Range<usize>, depth: u32) {
        match marker {
            Marker::Type => self.kind_of_part(head, depth),
            Marker::ToolKind => {
                let is_plain = matches!(head, b"function" | b"custom");
                self.plain_tools = self.plain_tools.saturating_add(u32::from(is_plain));
                // A tool may say twice what it is.
                self.odd_tool |= !is_plain;
            }
            Marker::Part(Slot::Text) => self.facts.texts.add(range),
            Marker::Part(slot) => self.text_of_medium(slot, head, range, depth),
            Marker::None | Marker::Role | Marker::Name | Marker::CallId | Marker::Thought(_) => {}
        }
    }

    fn kind_of_part(&mut self, name: &[u8], depth: u32) {
        match self.watched {
            Watched::Medium if depth == self.watched_depth => self.is_text = name == b"text",
            Watched::Around if depth == self.watched_depth => {
                self.medium.is(MediumKind::by_part_type(name));
            }
            _ => {
                self.said_kind = MediumKind::by_part_type(name);
                self.said_depth = depth;
            }
        }
    }

    fn text_of_medium(&mut self, slot: Slot, head: &[u8], range: Range<usize>, depth: u32) {
        let inside = self.watched == Watched::Medium && depth == self.watched_depth;
        match slot {
            Slot::Medium(Some(kind)) if !inside => {
                self.flush();
                self.medium = Medium::new(Some(kind));
                self.remember(head, &range);
                self.address(head, range);
                self.count();
            }
            Slot::Medium(_) | Slot::Url if inside => {
                self.remember(head, &range);
                self.address(head, range);
            }
            Slot::Data if inside => self.address(head, range),
            Slot::Upload if inside => self.medium.upload(),
            // A part that has no more of its medium than this.
            Slot::Upload => {
                self.flush();
                self.medium = Medium::new(Some(MediumKind::File));
                self.medium.upload();
                self.count();
            }
            Slot::Detail if inside => self.medium.detail(head),
            Slot::Detail => {
                self.loose_detail = self.loose_detail.closer(Detail::by_name(head));
            }
            Slot::Mime if inside => self.medium.mime(head),
            _ => {}
        }
    }

    /// Remembers what may be the address of something elsewhere.
    fn remember(&mut self, head: &[u8], range: &Range<usize>) {
        let is_data = head
            .get(..5)
            .is_some_and(|scheme| scheme.eq_ignore_ascii_case(b"data:"));
        if !is_data {
            self.addresses.add(range.clone());
        }
    }

    fn address(&mut self, head: &[u8], range: Range<usize>) {
        let start = self.medium.url(head, range.len() as u64);
        self.data = start.map(|start| range.start.saturating_add(start)..range.end);
    }

    /// The watched bracket closes.
    pub(super) fn close(&mut self) {
        let around = self.watched_depth.saturating_sub(1);
        if self.watched == Watched::Medium && !self.is_text && self.medium.wants_kind() {
            if self.said_depth == around && self.said_kind.is_some() {
                self.medium.is(self.said_kind);
            } else {
                self.watched = Watched::Around;
                self.watched_depth = around;
                return;
            }
        }
        self.flush();
    }

    /// Ends whatever is watched.
    fn flush(&mut self) {
        if matches!(self.watched, Watched::Medium | Watched::Around) && !self.is_text {
            self.count();
        }
        self.data = None;
        self.watched = Watched::Nothing;
        self.watched_depth = 0;
    }

    fn count(&mut self) {
        let medium = std::mem::take(&mut self.medium);
        self.data_bytes = self.data_bytes.saturating_add(medium.data_bytes());
        let data = self.data.take();
        if let (Some(place), Some(data)) = (medium.count(&mut self.facts), data) {
            self.pictures.push((place, data));
        }
    }

    /// The facts of the prompt: `written` is how many bytes those members
    /// have that a model may read, and `segments` are the scanned pieces.
    pub(super) fn facts(&self, written: u64, segments: &[Bytes]) -> PromptFacts {
        let mut facts = self.facts.clone();
        facts.text_bytes = facts
            .text_bytes
            .saturating_add(written.saturating_sub(self.data_bytes));
        let mut cursor = Cursor::new(segments);
        for (place, data) in &self.pictures {
            let size = PixelSize::of_base64(cursor.pieces(data));
            facts.images.measure(*place, size);
        }
        facts.images.look(self.loose_detail);
        facts
    }
}

/// Names of members that make a part a medium, folded.
const OF_MEDIA: [&str; 18] = [
    "audiourl",
    "content",
    "data",
    "documenturl",
    "file",
    "filedata",
    "fileid",
    "fileuri",
    "fileurl",
    "imageurl",
    "inlinedata",
    "inputaudio",
    "source",
    "text",
    "type",
    "uri",
    "url",
    "videourl",
];

/// Whether a name that is none of ours may be one to another reader.
#[cold]
fn hides_a_medium(name: &[u8]) -> bool {
    name.contains(&b'\\')
        || std::str::from_utf8(name).is_ok_and(|name| OF_MEDIA.contains(&&*folded(name)))
}

#[cfg(test)]
mod tests;

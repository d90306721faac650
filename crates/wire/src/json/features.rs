//! What a prompt contains, as far as it can be seen in passing.

use bourse_vocab::facts::Slot;

/// What a prompt asks of a target, noted while it is scanned.
///
/// These are hints for choosing a target, not a defence: a client that
/// spells `"type"` with escapes misleads only itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Features {
    /// A part of type `image_url`.
    pub image: bool,
    /// A part of type `input_audio`.
    pub audio: bool,
    /// A part of type `file`.
    pub file: bool,
    /// A part of type `video_url` or `input_video`.
    pub video: bool,
    /// A member named `cache_control`, at any depth.
    pub cache_control: bool,
    /// A message with the role `developer`.
    pub developer_role: bool,
    /// A message whose author is named.
    pub message_name: bool,
    /// A message that replays `reasoning_details`.
    pub reasoning_details: bool,
    /// A message that replays `reasoning` or `reasoning_content`.
    pub reasoning_text: bool,
}

/// Names of members whose presence or value is noted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Marker {
    #[default]
    None,
    Type,
    Role,
    Name,
    /// A member of a part, see [`super::prompt`].
    Part(Slot),
}

/// Where in the text a name was met.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place {
    /// Inside the member `messages`.
    pub in_messages: bool,
    /// How many brackets are open; a member of a message has three.
    pub depth: u32,
}

/// Depth of the members of one message: `{"messages":[{"role":…`.
const MESSAGE_DEPTH: u32 = 3;

impl Features {
    /// Notes a name, and says whether its value matters.
    #[inline]
    pub(super) fn name(&mut self, name: &[u8], place: Place) -> Marker {
        match name {
            b"cache_control" => self.cache_control = true,
            b"type" if place.in_messages => return Marker::Type,
            b"role" if place.in_messages && place.depth == MESSAGE_DEPTH => return Marker::Role,
            b"name" if place.in_messages && place.depth == MESSAGE_DEPTH => return Marker::Name,
            b"reasoning_details" if place.in_messages && place.depth == MESSAGE_DEPTH => {
                self.reasoning_details = true;
            }
            b"reasoning" | b"reasoning_content"
                if place.in_messages && place.depth == MESSAGE_DEPTH =>
            {
                self.reasoning_text = true;
            }
            _ => {}
        }
        Marker::None
    }

    /// Notes a text that is the value of a marked name.
    pub(super) fn value(&mut self, marker: Marker, value: &[u8]) {
        match (marker, value) {
            (Marker::Type, b"image_url") => self.image = true,
            (Marker::Type, b"input_audio") => self.audio = true,
            (Marker::Type, b"file") => self.file = true,
            (Marker::Type, b"video_url" | b"input_video") => self.video = true,
            (Marker::Role, b"developer") => self.developer_role = true,
            (Marker::Name, _) => self.message_name = true,
            _ => {}
        }
    }
}

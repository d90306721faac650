//! What a prompt contains, in numbers: what holds, estimates and filters go
//! by.
//!
//! A request of three megabytes may be one picture of a thousand tokens, and
//! one of a hundred bytes may name a film of a million. So the length of a
//! request says nothing; these facts say how much of it is text, and which
//! media it brings along or points to. They come from one of two roads:
//! from the scanner, for a request that is passed on as it is, and from the
//! vocabulary ([`PromptFacts::of`]), for one that was read.
//!
//! Everything here is bounded, whatever the caller sends.

mod medium;
mod picture;
mod request;

pub use medium::{Kind, Medium, Slot};
pub use picture::PixelSize;

/// Pictures that are remembered one by one. Vendors take up to a few
/// hundred, but those beyond this are counted only, at their maximum.
pub const IMAGES_MAX: usize = 64;
/// Texts whose place is remembered.
pub const TEXTS_MAX: usize = 16;

/// What a prompt contains.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct PromptFacts {
    /// Bytes of what a tokenizer may see, as JSON writes it: messages,
    /// tools and schemas with the names in them, without the data of media.
    /// No tokenizer makes more tokens of it than it has bytes.
    pub text_bytes: u64,
    /// Tokens that the caller counted, and sends as numbers.
    pub token_ids: u64,
    /// How many texts there are beside the first that the model reads each by
    /// itself, with all of its context for each. None in a conversation.
    pub more_windows: u32,
    /// Where the texts of the conversation are.
    pub texts: Texts,
    /// Pictures.
    pub images: Images,
    /// Sounds.
    pub audio: Audio,
    /// Films.
    pub video: Media,
    /// Documents, and media of a kind that nobody knows.
    pub files: Media,
    /// Tools on offer.
    pub tools: u32,
    /// Breakpoints for the provider's cache.
    pub cache_marks: u32,
    /// A name inside the conversation is spelled with escapes, or otherwise
    /// hidden from this count: there may be media that were not seen.
    pub is_obscured: bool,
}

/// A prompt with nothing in it.
pub static NO_FACTS: PromptFacts = PromptFacts {
    text_bytes: 0,
    token_ids: 0,
    more_windows: 0,
    texts: Texts {
        ranges: [(0, 0); TEXTS_MAX],
        count: 0,
    },
    images: Images {
        seen: Vec::new(),
        count: 0,
        urls: 0,
        vague: 0,
    },
    audio: Audio {
        media: Media::NONE,
        steady_bytes: 0,
    },
    video: Media::NONE,
    files: Media::NONE,
    tools: 0,
    cache_marks: 0,
    is_obscured: false,
};

impl PromptFacts {
    /// Whether it is something else than one text for one context.
    #[must_use]
    pub const fn is_apart(&self) -> bool {
        self.more_windows as u64 | self.token_ids != 0
    }

    /// In how many contexts the model reads the prompt: one, unless there are
    /// several texts that have nothing to do with each other.
    #[must_use]
    pub const fn windows(&self) -> u64 {
        (self.more_windows as u64).saturating_add(1)
    }

    /// How many media of any kind there are.
    #[must_use]
    pub const fn media(&self) -> u32 {
        self.images
            .count
            .saturating_add(self.audio.media.parts())
            .saturating_add(self.video.parts())
            .saturating_add(self.files.parts())
    }

    /// Whether something is in the prompt whose tokens nothing here bounds:
    /// a film or a document, which a few bytes can make long, or a sound
    /// that is elsewhere. Providers refuse what is beyond the model's
    /// context, so that is the only bound.
    #[must_use]
    pub const fn is_unbounded(&self) -> bool {
        self.is_obscured || self.video.any() || self.files.any() || self.audio.media.elsewhere() > 0
    }
}

/// Media of one kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Media {
    /// How many are in the request itself.
    pub inline: u32,
    /// Bytes of those, as sent: base64.
    pub bytes: u64,
    /// How many the provider is to fetch.
    pub urls: u32,
    /// How many were uploaded to the provider earlier.
    pub uploads: u32,
}

impl Media {
    /// None at all.
    pub const NONE: Self = Self {
        inline: 0,
        bytes: 0,
        urls: 0,
        uploads: 0,
    };

    /// How many there are.
    #[must_use]
    pub const fn parts(&self) -> u32 {
        self.inline.saturating_add(self.elsewhere())
    }

    /// Whether there are any.
    #[must_use]
    pub const fn any(&self) -> bool {
        self.inline | self.urls | self.uploads != 0
    }

    /// How many are not in the request: their size is unknown here.
    #[must_use]
    pub const fn elsewhere(&self) -> u32 {
        self.urls.saturating_add(self.uploads)
    }

    fn add(&mut self, source: Source) {
        match source {
            Source::Inline { bytes } => {
                self.inline = self.inline.saturating_add(1);
                self.bytes = self.bytes.saturating_add(bytes);
            }
            Source::Url { .. } => self.urls = self.urls.saturating_add(1),
            Source::Upload => self.uploads = self.uploads.saturating_add(1),
        }
    }
}

/// Sounds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Audio {
    /// All of them.
    pub media: Media,
    /// Bytes of the inline ones whose format has a steady rate (WAV, MP3),
    /// so that bytes bound seconds; the rest may pack silence to nothing.
    pub steady_bytes: u64,
}

/// Where the bytes of a medium are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// In the request.
    Inline {
        /// How many, as sent: base64.
        bytes: u64,
    },
    /// Elsewhere: the provider is to fetch it.
    Url {
        /// Whether the address ends like a picture's (`.png`). A provider
        /// that takes whatever it finds there may find a film otherwise.
        says_image: bool,
    },
    /// Uploaded to the provider earlier.
    Upload,
}

/// How closely a picture is to be looked at (OpenAI's `detail`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Hash)]
pub enum Detail {
    /// The provider decides.
    #[default]
    Auto,
    /// A thumbnail.
    Low,
    /// Scaled down to the usual limit.
    High,
    /// As it is.
    Original,
}

impl Detail {
    /// Finds a detail by its name on the wire; what nobody knows is `Auto`.
    #[must_use]
    pub fn by_name(name: &[u8]) -> Self {
        match name {
            b"low" => Self::Low,
            b"high" => Self::High,
            b"original" => Self::Original,
            _ => Self::Auto,
        }
    }

    /// The closer look of two. The provider may decide for any but the picture
    /// as it is.
    #[must_use]
    pub const fn closer(self, other: Self) -> Self {
        match (self, other) {
            (Self::Original, _) | (_, Self::Original) => Self::Original,
            (Self::High, _) | (_, Self::High) => Self::High,
            _ => Self::Auto,
        }
    }
}

/// One picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Image {
    /// Where its bytes are.
    pub source: Source,
    /// How closely to look.
    pub detail: Detail,
    /// Its size, if it could be read from its first bytes.
    pub size: Option<PixelSize>,
}

/// Pictures, the first of them one by one.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Images {
    seen: Vec<Image>,
    count: u32,
    urls: u32,
    /// Of those that are not remembered, how many are at addresses that do
    /// not say what they are.
    vague: u32,
}

impl Images {
    /// How many there are.
    #[must_use]
    pub const fn count(&self) -> u32 {
        self.count
    }

    /// How many of them the provider is to fetch.
    #[must_use]
    pub const fn urls(&self) -> u32 {
        self.urls
    }

    /// The first [`IMAGES_MAX`].
    #[must_use]
    pub fn seen(&self) -> &[Image] {
        &self.seen
    }

    /// How many there are beyond those that are remembered.
    #[must_use]
    pub fn unseen(&self) -> u32 {
        let seen = u32::try_from(self.seen.len()).unwrap_or(u32::MAX);
        self.count.saturating_sub(seen)
    }

    /// Whether one of those beyond is at an address that does not say that
    /// it is a picture.
    #[must_use]
    pub const fn has_vague(&self) -> bool {
        self.vague > 0
    }

    /// Notes a picture; returns its place if it is remembered.
    pub fn add(&mut self, image: Image) -> Option<usize> {
        self.count = self.count.saturating_add(1);
        let is_url = matches!(image.source, Source::Url { .. });
        self.urls = self.urls.saturating_add(u32::from(is_url));
        if self.seen.len() >= IMAGES_MAX {
            let is_vague = image.source == (Source::Url { says_image: false });
            self.vague = self.vague.saturating_add(u32::from(is_vague));
            return None;
        }
        self.seen.push(image);
        self.seen.len().checked_sub(1)
    }

    /// Notes that some picture may be looked at as closely as this.
    pub fn look(&mut self, detail: Detail) {
        if detail != Detail::Auto {
            for image in &mut self.seen {
                image.detail = image.detail.closer(detail);
            }
        }
    }

    /// Notes the size of a remembered picture.
    pub fn measure(&mut self, place: usize, size: Option<PixelSize>) {
        if let Some(image) = self.seen.get_mut(place) {
            image.size = size;
        }
    }
}

/// Where the texts of a conversation are in the request's body: byte ranges
/// of JSON strings without their quotes, for whoever wants to read them
/// without parsing the rest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Texts {
    ranges: [(u32, u32); TEXTS_MAX],
    count: u32,
}

impl Texts {
    /// How many texts there are.
    #[must_use]
    pub const fn count(&self) -> u32 {
        self.count
    }

    /// Whether the place of every text is remembered.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        self.count as usize <= TEXTS_MAX
    }

    /// The remembered places in order. If there are too many texts, the
    /// last place is that of the last text: what was asked just now.
    pub fn iter(&self) -> impl Iterator<Item = std::ops::Range<usize>> {
        let known = TEXTS_MAX.min(self.count as usize);
        self.ranges
            .iter()
            .take(known)
            .map(|(start, end)| *start as usize..*end as usize)
    }

    /// Notes a text.
    pub fn add(&mut self, range: std::ops::Range<usize>) {
        let slot = TEXTS_MAX.saturating_sub(1).min(self.count as usize);
        if let Some(slot) = self.ranges.get_mut(slot) {
            let short = |offset: usize| u32::try_from(offset).unwrap_or(u32::MAX);
            *slot = (short(range.start), short(range.end));
        }
        self.count = self.count.saturating_add(1);
    }
}

#[cfg(test)]
mod tests;

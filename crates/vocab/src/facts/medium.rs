//! One medium while its members are read, whatever format spells it.

use super::{Detail, Image, PromptFacts, Source};

/// What kind of thing a medium is, in the order of what it may cost: where
/// a request contradicts itself, the dearer counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// A document of plain text, which counts as text.
    PlainText,
    /// A picture.
    Image,
    /// A sound.
    Audio,
    /// A document, or what nobody knows.
    File,
    /// A film.
    Video,
}

impl Kind {
    /// The kind of a media type such as `image/png`, if it says one.
    #[must_use]
    pub fn by_mime(mime: &[u8]) -> Option<Self> {
        let slash = mime.iter().position(|byte| *byte == b'/')?;
        let (main, sub) = mime.split_at_checked(slash)?;
        // The slash may be escaped.
        let main = main.strip_suffix(b"\\").unwrap_or(main);
        Some(match main.to_ascii_lowercase().as_slice() {
            b"image" => Self::Image,
            b"audio" => Self::Audio,
            b"video" => Self::Video,
            b"text" => Self::PlainText,
            // Which means that the client does not know.
            b"application" if sub.eq_ignore_ascii_case(b"/octet-stream") => return None,
            b"application" => Self::File,
            _ => return None,
        })
    }

    /// The kind of a part by its type (`image`, `document`, …).
    #[must_use]
    pub fn by_part_type(name: &[u8]) -> Option<Self> {
        Some(match name {
            b"image" | b"image_url" | b"input_image" => Self::Image,
            b"audio" | b"input_audio" | b"audio_url" => Self::Audio,
            b"video" | b"video_url" | b"input_video" => Self::Video,
            b"document" | b"file" | b"input_file" | b"document_url" => Self::File,
            _ => return None,
        })
    }

    /// The kind that the end of an address's path says.
    fn by_extension(address: &[u8]) -> Option<Self> {
        let path = address
            .split(|byte| matches!(byte, b'?' | b'#'))
            .next()
            .unwrap_or(address);
        let name = path.rsplit(|byte| *byte == b'/').next()?;
        let dot = name.iter().rposition(|byte| *byte == b'.')?;
        let extension = name.get(dot.checked_add(1)?..)?.to_ascii_lowercase();
        Some(match extension.as_slice() {
            b"png" | b"jpg" | b"jpeg" | b"webp" | b"gif" | b"heic" | b"heif" | b"avif" | b"bmp"
            | b"tif" | b"tiff" => Self::Image,
            b"mp3" | b"wav" | b"flac" | b"ogg" | b"oga" | b"opus" | b"m4a" | b"aac" => Self::Audio,
            b"mp4" | b"mov" | b"webm" | b"mpg" | b"mpeg" | b"avi" | b"mkv" | b"m4v" => Self::Video,
            b"pdf" | b"txt" | b"md" | b"csv" | b"html" | b"htm" | b"docx" | b"xlsx" | b"pptx" => {
                Self::File
            }
            _ => return None,
        })
    }
}

/// What a member of a part is, by its name: the same for every format that
/// the gateway knows, because their names do not contradict each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Slot {
    /// Text of the conversation.
    Text,
    /// A medium: an object that describes it, or a string that is its
    /// address or its data. The kind is what the name says, if anything.
    Medium(Option<Kind>),
    /// The address of the medium around it, or its data as a `data:` URL.
    Url,
    /// The data of the medium around it, in base64.
    Data,
    /// The medium around it was uploaded earlier.
    Upload,
    /// How closely to look at the medium around it.
    Detail,
    /// The media type of the medium around it, or the format of a sound.
    Mime,
    /// What a model or a tool said to the other, as JSON: whatever names
    /// are in there, they are no media.
    Said,
    /// A breakpoint for the provider's cache.
    CacheMark,
}

impl Slot {
    /// Finds a slot by the name of a member of a message or its parts.
    #[must_use]
    #[inline]
    pub fn by_name(name: &[u8]) -> Option<Self> {
        Some(match name {
            b"content" | b"text" => Self::Text,
            b"image_url" => Self::Medium(Some(Kind::Image)),
            b"input_audio" | b"audio_url" => Self::Medium(Some(Kind::Audio)),
            b"video_url" => Self::Medium(Some(Kind::Video)),
            b"file" | b"file_data" | b"fileData" | b"file_url" | b"document_url" => {
                Self::Medium(Some(Kind::File))
            }
            b"source" | b"inlineData" | b"inline_data" => Self::Medium(None),
            b"url" | b"uri" | b"fileUri" | b"file_uri" => Self::Url,
            b"data" => Self::Data,
            b"file_id" => Self::Upload,
            b"detail" => Self::Detail,
            b"format" | b"media_type" | b"mimeType" | b"mime_type" => Self::Mime,
            b"input" | b"args" | b"response" | b"arguments" => Self::Said,
            b"cache_control" | b"prompt_cache_breakpoint" | b"cachePoint" => Self::CacheMark,
            _ => return None,
        })
    }
}

/// What is known of one medium so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Medium {
    /// What its name or its part says that it is.
    kind: Option<Kind>,
    /// What its media type, its address or its first bytes say.
    told: Option<Kind>,
    source: Option<Source>,
    detail: Detail,
    is_steady: bool,
    is_base64: bool,
    /// Bytes of JSON text that are the medium and so no text.
    data_bytes: u64,
}

impl Medium {
    /// A medium of which nothing is known but the kind, if that.
    #[must_use]
    pub fn new(kind: Option<Kind>) -> Self {
        Self {
            kind,
            ..Self::default()
        }
    }

    /// The part that it belongs to says what it is.
    pub const fn is(&mut self, kind: Option<Kind>) {
        if self.kind.is_none() {
            self.kind = kind;
        }
    }

    /// Whether the part around it has a say in what it is.
    #[must_use]
    pub const fn wants_kind(&self) -> bool {
        self.kind.is_none() && self.source.is_some()
    }

    fn tell(&mut self, kind: Option<Kind>) {
        self.told = self.told.max(kind);
    }

    /// Bytes of the request that are this medium, and so no text: its data
    /// or its address.
    #[must_use]
    pub const fn data_bytes(&self) -> u64 {
        self.data_bytes
    }

    /// Reads an address, a `data:` URL, or data without either: `head` is
    /// its beginning, `length` all of its length. Returns where base64
    /// begins in it, if it does.
    pub fn url(&mut self, head: &[u8], length: u64) -> Option<usize> {
        if head.starts_with(b"\\") {
            // Whoever escapes the first letter of an address hides it.
            self.tell(Some(Kind::File));
            self.source = Some(Source::Url { says_image: false });
            return None;
        }
        if !has_scheme(head) {
            self.data(head, length);
            return Some(0);
        }
        self.data_bytes = self.data_bytes.saturating_add(length);
        let is_data = head
            .get(..5)
            .is_some_and(|scheme| scheme.eq_ignore_ascii_case(b"data:"));
        if !is_data {
            let path_is_whole =
                head.len() as u64 == length || head.iter().any(|byte| matches!(byte, b'?' | b'#'));
            // An address whose end is out of sight may be anything.
            let says = if path_is_whole {
                Kind::by_extension(head)
            } else {
                Some(Kind::File)
            };
            self.tell(says);
            self.source = Some(Source::Url {
                says_image: says == Some(Kind::Image),
            });
            return None;
        }
        let header = head
            .iter()
            .position(|byte| *byte == b',')
            .and_then(|comma| head.get(..comma))
            .unwrap_or(head);
        self.mime(header.get(5..).unwrap_or_default());
        let start = header.len().saturating_add(1);
        self.is_base64 = header.to_ascii_lowercase().ends_with(b";base64");
        self.source = Some(Source::Inline {
            bytes: length.saturating_sub(start as u64),
        });
        self.not_plain(head.get(start..).unwrap_or_default());
        self.is_base64.then_some(start)
    }

    /// Reads data in base64; see [`Medium::url`].
    pub fn data(&mut self, head: &[u8], length: u64) {
        self.data_bytes = self.data_bytes.saturating_add(length);
        self.source = Some(Source::Inline { bytes: length });
        self.is_base64 = true;
        self.not_plain(head);
    }

    /// It was uploaded earlier.
    pub const fn upload(&mut self) {
        if self.source.is_none() {
            self.source = Some(Source::Upload);
        }
    }

    /// Reads how closely to look.
    pub fn detail(&mut self, name: &[u8]) {
        self.detail = Detail::by_name(name);
    }

    /// Reads a media type (`audio/wav`, parameters included) or the format
    /// of a sound (`wav`).
    pub fn mime(&mut self, name: &[u8]) {
        let name = name.split(|byte| *byte == b';').next().unwrap_or(name);
        self.tell(Kind::by_mime(name));
        let format = name
            .rsplit(|byte| *byte == b'/')
            .next()
            .unwrap_or(name)
            .to_ascii_lowercase();
        self.is_steady = matches!(
            format.as_slice(),
            b"wav" | b"x-wav" | b"wave" | b"mp3" | b"mpeg" | b"pcm" | b"pcm16" | b"l16"
        );
    }

    /// A document that calls itself text and begins like a PDF or an
    /// archive is what it begins like.
    fn not_plain(&mut self, data: &[u8]) {
        if data.starts_with(b"JVBERi") || data.starts_with(b"UEsDB") {
            self.tell(Some(Kind::File));
        }
    }

    /// What it turned out to be.
    #[must_use]
    pub fn kind(&self) -> Kind {
        match (self.told, self.kind) {
            // "A file" says nothing: it may be a picture's.
            (Some(told), None | Some(Kind::File)) => told,
            (Some(told), Some(kind)) => told.max(kind),
            (None, Some(kind)) => kind,
            (None, None) => Kind::File,
        }
    }

    /// Counts it, unless it has neither data nor address. Returns its place
    /// among the pictures if its size is to be looked for in its data.
    pub fn count(self, facts: &mut PromptFacts) -> Option<usize> {
        let source = self.source?;
        match self.kind() {
            Kind::Image => {
                let place = facts.images.add(Image {
                    source,
                    detail: self.detail,
                    size: None,
                });
                return place.filter(|_| self.is_base64);
            }
            Kind::Audio => {
                facts.audio.media.add(source);
                if let (Source::Inline { bytes }, true) = (source, self.is_steady) {
                    let steady = &mut facts.audio.steady_bytes;
                    *steady = steady.saturating_add(bytes);
                }
            }
            Kind::Video => facts.video.add(source),
            Kind::PlainText => match source {
                // Four characters of base64 are three of text.
                Source::Inline { bytes } => {
                    let text = bytes.div_ceil(4).saturating_mul(3);
                    facts.text_bytes = facts.text_bytes.saturating_add(text);
                }
                elsewhere => facts.files.add(elsewhere),
            },
            Kind::File => facts.files.add(source),
        }
        None
    }
}

/// Whether a text begins with the scheme of a URL. Base64 has no colon.
fn has_scheme(text: &[u8]) -> bool {
    /// `https` is five letters, the longest in use are below this.
    const SCHEME_MAX: usize = 24;
    let head = text.get(..SCHEME_MAX).unwrap_or(text);
    head.iter()
        .position(|byte| *byte == b':')
        .is_some_and(|colon| colon > 1)
        && head.first().is_some_and(u8::is_ascii_alphabetic)
}

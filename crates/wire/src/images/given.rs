//! A client's form with pictures that are to be changed (openai-python 3,
//! `image_edit_params.py`, November 2026): `image` or up to sixteen `image[]`,
//! a `mask`, and the words of a request for pictures.
//!
//! The words are put together as the members of a JSON body, so that they mean
//! the same and are bounded in the same way in a form as without one. Of a
//! picture its first bytes are read: what it is, and how large it says that it
//! is. The rest passes.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bourse_vocab::Failure;
use bourse_vocab::facts::{Detail, Image, PixelSize, Source};
use bourse_vocab::json::parse;
use bytes::Bytes;

use crate::json;
use crate::multipart::{Form, Part, text_of};
use crate::object::Object;

/// The largest picture (the same: "less than 50MB").
pub const FILE_BYTES_MAX: usize = 50 << 20;
/// The largest mask (the same: "less than 4MB").
const MASK_BYTES_MAX: usize = 4 << 20;
/// The most pictures (the same: "up to 16 images").
const PICTURES_MAX: usize = 16;
/// The most pixels that a picture may say that it has. No camera makes as many,
/// and a few bytes may claim 10^9: whoever unpacks those runs out of memory.
const PIXELS_MAX: u64 = 100_000_000;
/// Bytes in which a picture's size is looked for. Profiles and thumbnails
/// before a JPEG's frame are seldom above 200 KiB together.
const HEAD_BYTES: usize = 256 * 1024;
/// Members whose value is a number or a word of JSON.
const BARE: &[&str] = &[
    "n",
    "stream",
    "partial_images",
    "output_compression",
    "seed",
    "frame_count",
    "frame_duration_ms",
];
/// Members whose value is JSON: what a form has no shape for.
const NESTED: &[&str] = &["provider", "metadata", "trace", "debug", "plugins", "svg"];

/// What a picture is in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Png,
    Jpeg,
    Webp,
}

impl Kind {
    /// By its first bytes, whatever the client calls it.
    fn of(head: &[u8]) -> Option<Self> {
        if head.starts_with(b"\x89PNG\r\n\x1a\n") {
            Some(Self::Png)
        } else if head.starts_with(&[0xFF, 0xD8, 0xFF]) {
            Some(Self::Jpeg)
        } else if head.starts_with(b"RIFF") && head.get(8..12) == Some(b"WEBP") {
            Some(Self::Webp)
        } else {
            None
        }
    }

    /// What it is called: vendors go by the ending, and by the type.
    const fn names(self) -> (&'static str, &'static str) {
        match self {
            Self::Png => ("image.png", "image/png"),
            Self::Jpeg => ("image.jpg", "image/jpeg"),
            Self::Webp => ("image.webp", "image/webp"),
        }
    }
}

/// A picture that is given.
#[derive(Debug, Clone)]
pub struct Picture {
    kind: Kind,
    size: Option<PixelSize>,
    bytes: u64,
    /// Its bytes, in pieces.
    pub pieces: Vec<Bytes>,
}

impl Picture {
    fn read(part: &Part, segments: &[Bytes]) -> Result<Self, Failure> {
        let name = part.name.trim_end_matches("[]");
        if !part.is_file() {
            return Err(Failure::invalid(format!(
                "{name}: must be a file; addresses and ids of files are not taken here"
            )));
        }
        if part.value.is_empty() {
            return Err(Failure::invalid(format!("{name}: is empty")));
        }
        let end = part.value.start.saturating_add(HEAD_BYTES);
        let head = json::raw(segments, &(part.value.start..end.min(part.value.end)));
        let kind = Kind::of(&head).ok_or_else(|| {
            Failure::invalid(format!("{name}: must be a picture in png, jpeg or webp"))
        })?;
        let size = PixelSize::of_base64([STANDARD.encode(&head).as_bytes()]);
        let pixels = size.map_or(0, |size| {
            u64::from(size.width).saturating_mul(size.height.into())
        });
        if pixels > PIXELS_MAX {
            return Err(Failure::invalid(format!(
                "{name}: says that it has {pixels} pixels; at most {PIXELS_MAX} are taken, so scale it down"
            )));
        }
        let mut pieces = Vec::new();
        json::slice_into(segments, &part.value, &mut pieces);
        Ok(Self {
            kind,
            size,
            bytes: part.value.len() as u64,
            pieces,
        })
    }

    /// The name of its file and its type, by what it is and not by what the
    /// client said.
    #[must_use]
    pub const fn names(&self) -> (&'static str, &'static str) {
        self.kind.names()
    }

    /// As the facts of a prompt have it. How closely a model looks is not known
    /// (it always looks most closely from `gpt-image-2` on), so the closest is
    /// taken.
    #[must_use]
    pub const fn fact(&self) -> Image {
        Image {
            source: Source::Inline { bytes: self.bytes },
            detail: Detail::Original,
            size: self.size,
        }
    }
}

/// What is to be changed, and where.
#[derive(Debug, Clone, Default)]
pub struct Given {
    /// One at least.
    pub pictures: Vec<Picture>,
    /// Where the first of them is to be changed: where this is transparent.
    pub mask: Option<Picture>,
}

impl Given {
    /// All of them, the mask too.
    pub fn all(&self) -> impl Iterator<Item = &Picture> {
        self.pictures.iter().chain(&self.mask)
    }
}

/// Reads a form: the pictures, and its words as a JSON body.
///
/// # Errors
/// Names the member and the remedy.
pub fn read(form: &Form, segments: &[Bytes]) -> Result<(Given, Vec<u8>), Failure> {
    let mut given = Given::default();
    let mut body = Vec::new();
    let mut words = Object::open(&mut body);
    for part in &form.parts {
        match part.name.as_str() {
            "image" | "image[]" => {
                if given.pictures.len() >= PICTURES_MAX {
                    return Err(Failure::invalid(format!(
                        "image: at most {PICTURES_MAX} pictures are taken"
                    )));
                }
                given.pictures.push(Picture::read(part, segments)?);
            }
            "mask" => {
                form.one("mask")?;
                given.mask = Some(Picture::read(part, segments)?);
            }
            "markup" => {
                return Err(Failure::invalid(
                    "markup: pictures laid over others are not sent on; send `mask`, or say in `prompt` what to change",
                ));
            }
            name => {
                form.one(name)?;
                word(&mut words, name, &text_of(part, segments)?)?;
            }
        }
    }
    words.close();
    if given.pictures.is_empty() {
        return Err(Failure::invalid(
            "image: is required; send one picture as `image`, or several as `image[]`",
        ));
    }
    check_mask(&given)?;
    Ok((given, body))
}

/// Writes a word as the member that it would be in a JSON body.
fn word(words: &mut Object<'_>, name: &str, text: &str) -> Result<(), Failure> {
    if BARE.contains(&name) {
        // SDKs write Python's words and JSON's.
        let bare = match text {
            "True" => "true",
            "False" => "false",
            text => text,
        };
        let is_bare = !bare.is_empty() && bare.bytes().all(|byte| byte.is_ascii_alphanumeric());
        if !is_bare || parse(bare.as_bytes()).is_err() {
            return Err(Failure::invalid(format!(
                "{name}: must be a whole number, `true` or `false`"
            )));
        }
        words.raw(name, bare);
    } else if NESTED.contains(&name) {
        let value = parse(text.as_bytes())
            .map_err(|error| Failure::invalid(format!("{name}: must be JSON: {error}")))?;
        words.put(name, &value);
    } else {
        words.put(name, text);
    }
    Ok(())
}

/// That a mask is one, and fits (the same: "a valid PNG file, less than 4MB, and
/// have the same dimensions as `image`").
fn check_mask(given: &Given) -> Result<(), Failure> {
    let Some(mask) = &given.mask else {
        return Ok(());
    };
    if mask.kind != Kind::Png {
        return Err(Failure::invalid(
            "mask: must be a PNG, which is transparent where the picture is to be changed",
        ));
    }
    if mask.bytes > MASK_BYTES_MAX as u64 {
        return Err(Failure::invalid(format!(
            "mask: is larger than {MASK_BYTES_MAX} bytes"
        )));
    }
    let first = given.pictures.first().and_then(|picture| picture.size);
    match (mask.size, first) {
        (Some(mask), Some(first)) if mask != first => Err(Failure::invalid(format!(
            "mask: has {} by {} pixels, and the first picture {} by {}; both must have the same",
            mask.width, mask.height, first.width, first.height
        ))),
        _ => Ok(()),
    }
}

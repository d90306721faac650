//! A client's request for a film: OpenRouter's `POST /videos` (its API document
//! of 27 October 2026).

use bourse_vocab::Failure;
use bourse_vocab::videos::Tier;
use bytes::Bytes;
use serde::Deserialize;

use crate::json::{self, Kind, Outline};
use crate::small::Members;

/// Members that mean something here.
const KNOWN: &[&str] = &[
    "model",
    "prompt",
    "duration",
    "resolution",
    "aspect_ratio",
    "size",
    "frame_images",
    "input_references",
    "generate_audio",
    "seed",
    "callback_url",
    "provider",
    "session_id",
    "trace",
    "metadata",
    "user",
    "models",
    "debug",
    "preset",
    "plugins",
    "transforms",
    "creativity",
    "upscale_factor",
    "previous_job_id",
];
/// The names of sizes (the document).
const RESOLUTIONS: &[&str] = &["360p", "480p", "720p", "768p", "1080p", "1K", "2K", "4K"];
/// The names of shapes (the document).
const RATIOS: &[&str] = &[
    "16:9", "9:16", "1:1", "4:3", "3:4", "3:2", "2:3", "21:9", "9:21",
];
/// Bytes of a text of which a film is made, as it is written: vendors take some
/// thousand characters, each of which may be written as an escape of twelve.
const PROMPT_BYTES_MAX: usize = 384_000;
/// The longest film that may be asked for, in seconds: no vendor makes one of
/// more than a minute in one piece.
pub const SECONDS_MAX: u64 = 60;
/// What a film is set aside for whose length is not said: no vendor here makes
/// a longer one by itself.
pub const USUAL_SECONDS_MAX: u64 = 8;
/// The longest address of a callback.
const CALLBACK_BYTES_MAX: usize = 2_048;
/// The most pictures of one request.
const PICTURES_MAX: usize = 16;
/// Bytes of one picture, as it is written.
const PICTURE_BYTES_MAX: usize = 20 << 20;

/// A picture that a film goes by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Picture {
    /// In the request: its media type, and its bytes in base64.
    Inline(String, String),
    /// At an address.
    At(String),
}

/// A request for a film.
#[derive(Debug)]
pub struct Asked {
    /// Where its members are.
    pub outline: Outline,
    /// The body, in the pieces in which it arrived.
    pub segments: Vec<Bytes>,
    /// What it is to show; empty where a picture says it.
    pub prompt: String,
    /// How long it is to be.
    pub seconds: Option<u64>,
    /// The name of its size.
    pub resolution: Option<String>,
    /// Its shape.
    pub ratio: Option<String>,
    /// Its size in pixels.
    pub size: Option<(u32, u32)>,
    /// Whether it is to have sound.
    pub audio: Option<bool>,
    /// What luck begins with.
    pub seed: Option<u64>,
    /// What it begins with.
    pub first: Option<Picture>,
    /// What it ends with.
    pub last: Option<Picture>,
    /// What it is to show.
    pub references: Vec<Picture>,
    /// Who is told when it has ended.
    pub callback: Option<String>,
}

#[derive(Deserialize)]
struct Part {
    #[serde(rename = "type", default)]
    kind: String,
    #[serde(default)]
    image_url: Option<Address>,
    #[serde(default)]
    frame_type: Option<String>,
}

#[derive(Deserialize)]
struct Address {
    url: String,
}

impl Asked {
    /// Reads a request.
    ///
    /// # Errors
    /// Names the member and the remedy.
    pub fn read(outline: Outline, segments: Vec<Bytes>) -> Result<Self, Failure> {
        let members = Members(&outline, &segments);
        refuse_what_is_not_here(&members)?;
        for (name, member) in outline.iter() {
            if !KNOWN.contains(&name) && member.kind != Kind::Null {
                return Err(Failure::invalid(match nearest(name) {
                    Some(other) => {
                        format!("{name}: is no parameter of films; did you mean `{other}`?")
                    }
                    None => format!("{name}: is no parameter of films; remove it"),
                }));
            }
        }
        let prompt = members.long_text("prompt", PROMPT_BYTES_MAX)?;
        let prompt = prompt.unwrap_or_default();
        let resolution = members.word("resolution", RESOLUTIONS)?;
        let ratio = members.word("aspect_ratio", RATIOS)?;
        let size = members
            .text("size")?
            .as_deref()
            .map(read_size)
            .transpose()?;
        if size.is_some() && (resolution.is_some() || ratio.is_some()) {
            return Err(Failure::invalid(
                "size: says what resolution and aspect_ratio say; send it, or those",
            ));
        }
        let (first, last) = frames(&members)?;
        let references = references(&members)?;
        if prompt.trim().is_empty() && first.is_none() {
            return Err(Failure::invalid(
                "prompt: is required where no frame_images say what the film is to show",
            ));
        }
        Ok(Self {
            prompt,
            seconds: members.whole("duration", 1..=SECONDS_MAX)?,
            resolution,
            ratio,
            size,
            audio: audio(&members)?,
            seed: members.whole("seed", 0..=u64::from(u32::MAX))?,
            first,
            last,
            references,
            callback: members.long_text("callback_url", CALLBACK_BYTES_MAX)?,
            outline,
            segments,
        })
    }

    /// How many milliseconds are set aside for.
    #[must_use]
    pub fn ms_max(&self) -> u64 {
        self.seconds
            .unwrap_or(USUAL_SECONDS_MAX)
            .saturating_mul(1_000)
    }

    /// How large it is, as prices go.
    #[must_use]
    pub fn tier(&self) -> Tier {
        if let Some((width, height)) = self.size {
            return Tier::of_lines(width.min(height));
        }
        match self.resolution.as_deref() {
            Some("360p" | "480p") => Tier::Low,
            Some("1080p" | "1K") => Tier::High,
            Some("2K" | "4K") => Tier::Highest,
            _ => Tier::Usual,
        }
    }

    /// All pictures that it goes by.
    pub fn pictures(&self) -> impl Iterator<Item = &Picture> {
        self.first.iter().chain(&self.last).chain(&self.references)
    }
}

/// Refuses what would cost more than is known here, or what is not made here.
fn refuse_what_is_not_here(members: &Members<'_>) -> Result<(), Failure> {
    for (name, why) in [
        ("creativity", "films are not made larger here; remove it"),
        (
            "upscale_factor",
            "films are not made larger here; remove it",
        ),
        (
            "previous_job_id",
            "films are not gone on with here; say in the prompt what is to follow, and give a first_frame",
        ),
    ] {
        if members.get(name).is_some() {
            return Err(Failure::invalid(format!("{name}: {why}")));
        }
    }
    Ok(())
}

fn audio(members: &Members<'_>) -> Result<Option<bool>, Failure> {
    match members.get("generate_audio").map(|member| member.kind) {
        None => Ok(None),
        Some(Kind::True) => Ok(Some(true)),
        Some(Kind::False) => Ok(Some(false)),
        Some(_) => Err(Failure::invalid("generate_audio: must be true or false")),
    }
}

/// Reads `1280x720`.
fn read_size(text: &str) -> Result<(u32, u32), Failure> {
    let pixels = |text: &str| text.parse::<u32>().ok().filter(|n| (1..=8_192).contains(n));
    let size = text
        .split_once('x')
        .and_then(|(width, height)| Some((pixels(width)?, pixels(height)?)));
    size.ok_or_else(|| Failure::invalid("size: must be pixels such as `1280x720`"))
}

fn parts(members: &Members<'_>, name: &str) -> Result<Vec<Part>, Failure> {
    let Some(member) = members.get(name) else {
        return Ok(Vec::new());
    };
    let text = json::raw(members.1, &member.value);
    let parts: Vec<Part> = serde_json::from_slice(&text).map_err(|_| {
        Failure::invalid(format!(
            "{name}: must be a list of pictures such as {{\"type\": \"image_url\", \"image_url\": {{\"url\": \"…\"}}}}"
        ))
    })?;
    if parts.len() > PICTURES_MAX {
        return Err(Failure::invalid(format!(
            "{name}: at most {PICTURES_MAX} pictures"
        )));
    }
    Ok(parts)
}

fn picture(name: &str, part: Part) -> Result<Picture, Failure> {
    let address = match (part.kind.as_str(), part.image_url) {
        ("image_url" | "", Some(address)) => address.url,
        _ => {
            return Err(Failure::invalid(format!(
                "{name}: films are made of pictures alone here; send parts of type image_url"
            )));
        }
    };
    if address.len() > PICTURE_BYTES_MAX {
        return Err(Failure::invalid(format!(
            "{name}: a picture has at most {PICTURE_BYTES_MAX} bytes"
        )));
    }
    let Some(data) = address.strip_prefix("data:") else {
        return Ok(Picture::At(address));
    };
    let parts = data.split_once(";base64,");
    let known = ["image/png", "image/jpeg", "image/webp"];
    match parts.filter(|(kind, bytes)| known.contains(kind) && is_base64(bytes)) {
        Some((kind, bytes)) => Ok(Picture::Inline(kind.to_owned(), bytes.to_owned())),
        None => Err(Failure::invalid(format!(
            "{name}: a picture in the request must be `data:image/png;base64,…`, image/jpeg or image/webp"
        ))),
    }
}

fn is_base64(text: &str) -> bool {
    let is_digit = |byte: u8| byte.is_ascii_alphanumeric() || b"+/=".contains(&byte);
    !text.is_empty() && text.bytes().all(is_digit)
}

type Frames = (Option<Picture>, Option<Picture>);

fn frames(members: &Members<'_>) -> Result<Frames, Failure> {
    const NAME: &str = "frame_images";
    let (mut first, mut last) = (None, None);
    for part in parts(members, NAME)? {
        let slot = match part.frame_type.as_deref() {
            Some("first_frame") => &mut first,
            Some("last_frame") => &mut last,
            _ => {
                return Err(Failure::invalid(
                    "frame_images: each has a frame_type, first_frame or last_frame",
                ));
            }
        };
        if slot.is_some() {
            return Err(Failure::invalid(
                "frame_images: at most one first_frame and one last_frame",
            ));
        }
        *slot = Some(picture(NAME, part)?);
    }
    Ok((first, last))
}

fn references(members: &Members<'_>) -> Result<Vec<Picture>, Failure> {
    const NAME: &str = "input_references";
    let parts = parts(members, NAME)?;
    parts.into_iter().map(|part| picture(NAME, part)).collect()
}

/// The member that a misspelt name comes nearest to, if any is near.
fn nearest(name: &str) -> Option<&'static str> {
    let aliases = [
        ("seconds", "duration"),
        ("duration_seconds", "duration"),
        ("image", "frame_images"),
        ("first_frame", "frame_images"),
        ("last_frame", "frame_images"),
        ("input_reference", "input_references"),
        ("audio", "generate_audio"),
        ("webhook_url", "callback_url"),
        ("ratio", "aspect_ratio"),
    ];
    if let Some((_, known)) = aliases.iter().find(|(alias, _)| *alias == name) {
        return Some(known);
    }
    let (known, distance) = KNOWN
        .iter()
        .map(|known| (*known, distance(name, known)))
        .min_by_key(|(_, distance)| *distance)?;
    (distance <= 2).then_some(known)
}

/// How many letters differ (Levenshtein's distance) between names of at most 32
/// bytes; longer ones are far from everything.
fn distance(one: &str, other: &str) -> usize {
    if one.len() > 32 {
        return usize::MAX;
    }
    let mut row: Vec<usize> = (0..=other.len()).collect();
    for (line, a) in one.bytes().enumerate() {
        let mut diagonal = line;
        let mut left = line.saturating_add(1);
        if let Some(cell) = row.first_mut() {
            *cell = left;
        }
        for (cell, b) in row.iter_mut().skip(1).zip(other.bytes()) {
            let changed = diagonal.saturating_add(usize::from(a != b));
            let gone = (*cell).min(left).saturating_add(1);
            diagonal = *cell;
            left = changed.min(gone);
            *cell = left;
        }
    }
    row.last().copied().unwrap_or(usize::MAX)
}

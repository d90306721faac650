//! A client's request for pictures: OpenAI's (openai-python 2,
//! `images.generate`, November 2026), with what OpenRouter's `POST /images` has
//! (openrouter.ai's API document, October 2026).

use bourse_vocab::Failure;
use bourse_vocab::chat::Loss;
use bytes::Bytes;

use super::size::Size;
use crate::json::Outline;
use crate::small::Members;

/// Members that vendors are told of, each in its own way.
const VENDORS: &[&str] = &[
    "model",
    "prompt",
    "n",
    "size",
    "resolution",
    "aspect_ratio",
    "quality",
    "background",
    "moderation",
    "output_format",
    "output_compression",
    "response_format",
    "seed",
    "style",
    "user",
    "input_references",
    "stream",
    "partial_images",
    "svg",
];
/// Members between client and gateway, which no vendor is sent.
const GATEWAYS: &[&str] = &[
    "models",
    "provider",
    "session_id",
    "trace",
    "metadata",
    "debug",
    "preset",
    "plugins",
    "transforms",
];
/// The most pictures of one request (both documents).
const PICTURES_MAX: u64 = 10;
/// Bytes of a text of which a picture is made, as it is written: OpenAI takes
/// 32,000 characters, each of which may be written as an escape of twelve.
const PROMPT_BYTES_MAX: usize = 384_000;
/// What may be asked for of a picture's quality.
const QUALITIES: &[&str] = &[
    "auto", "low", "medium", "high", "xhigh", "max", "standard", "hd",
];

/// How pictures are to be handed over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Delivery {
    /// In the answer.
    Base64,
    /// At an address.
    Url,
}

/// A request for pictures.
#[derive(Debug)]
pub struct Asked {
    /// Where its members are.
    pub outline: Outline,
    /// The body, in the pieces in which it arrived.
    pub segments: Vec<Bytes>,
    /// What they are to show.
    pub prompt: String,
    /// How many.
    pub pictures: u64,
    /// How large.
    pub size: Size,
    /// How carefully they are made.
    pub quality: Option<String>,
    /// What is behind what they show.
    pub background: Option<String>,
    /// How strictly their content is judged.
    pub moderation: Option<String>,
    /// How they are encoded.
    pub output_format: Option<String>,
    /// How much they are compressed.
    pub output_compression: Option<u64>,
    /// How they are handed over.
    pub delivery: Delivery,
    /// What luck begins with.
    pub seed: Option<u64>,
    /// How they look.
    pub style: Option<String>,
    /// The name under which vendors are told of the user.
    pub user: Option<String>,
    /// What no vendor is told.
    pub unknown: Vec<Loss>,
}

impl Asked {
    /// Reads a request.
    ///
    /// # Errors
    /// Names the member and the remedy.
    pub fn read(outline: Outline, segments: Vec<Bytes>) -> Result<Self, Failure> {
        let members = Members(&outline, &segments);
        let prompt = members
            .long_text("prompt", PROMPT_BYTES_MAX)?
            .filter(|prompt| !prompt.is_empty())
            .ok_or_else(|| Failure::invalid("prompt: is required and must not be empty"))?;
        refuse_what_is_not_here(&members)?;
        let text = |name| members.text(name);
        let size = Size::read(
            text("size")?.as_deref(),
            text("resolution")?.as_deref(),
            text("aspect_ratio")?.as_deref(),
        )?;
        let delivery = members.word("response_format", &["b64_json", "url"])?;
        let formats = ["png", "jpeg", "webp"];
        Ok(Self {
            prompt,
            pictures: members.whole("n", 1..=PICTURES_MAX)?.unwrap_or(1),
            size,
            quality: members.word("quality", QUALITIES)?,
            background: members.word("background", &["auto", "transparent", "opaque"])?,
            moderation: members.word("moderation", &["auto", "low"])?,
            output_format: members.word("output_format", &formats)?,
            output_compression: members.whole("output_compression", 0..=100)?,
            delivery: match delivery.as_deref() {
                Some("url") => Delivery::Url,
                _ => Delivery::Base64,
            },
            seed: members.whole("seed", 0..=u64::MAX)?,
            style: text("style")?,
            user: None,
            unknown: members.unknown(&[VENDORS, GATEWAYS], "pictures")?,
            outline,
            segments,
        })
    }

    /// Whether the caller asks for a stream.
    #[must_use]
    pub fn wants_stream(&self) -> bool {
        Members(&self.outline, &self.segments).is_true("stream")
    }

    /// A small member that is a text, if it is there.
    ///
    /// # Errors
    /// It is something else.
    pub fn text(&self, name: &str) -> Result<Option<String>, Failure> {
        Members(&self.outline, &self.segments).text(name)
    }

    /// The most output tokens of one picture, where those are sold.
    #[must_use]
    pub fn tokens_max(&self) -> u64 {
        self.size.tokens_max(self.quality.as_deref())
    }

    /// What a vendor has no word for, with what it is told of it instead.
    pub(super) fn losses(&self, none: &[&'static str]) -> Vec<Loss> {
        let mut losses = self.unknown.clone();
        let said = |name: &str| match name {
            "quality" => self.quality.is_some(),
            "background" => self.background.is_some(),
            "moderation" => self.moderation.is_some(),
            "output_format" => self.output_format.is_some(),
            "output_compression" => self.output_compression.is_some(),
            "seed" => self.seed.is_some(),
            "style" => self.style.is_some(),
            "user" => self.user.is_some(),
            _ => false,
        };
        for name in none.iter().filter(|name| said(name)) {
            losses.push(Loss::new(*name, "the provider has no word for it"));
        }
        losses
    }
}

/// Refuses what would cost more than is known here, or what is not made here.
fn refuse_what_is_not_here(members: &Members<'_>) -> Result<(), Failure> {
    for (name, why) in [
        (
            "input_references",
            "pictures are made of a text here, and none is changed; remove it",
        ),
        (
            "svg",
            "what its author costs is not known here; remove it, and ask for png, jpeg or webp",
        ),
    ] {
        if members.get(name).is_some() {
            return Err(Failure::invalid(format!("{name}: {why}")));
        }
    }
    Ok(())
}

//! A client's request for pictures: OpenAI's (openai-python 2,
//! `images.generate`, November 2026), with what OpenRouter's `POST /images` has
//! (openrouter.ai's API document, October 2026).

use bourse_vocab::Failure;
use bourse_vocab::chat::Loss;
use bytes::Bytes;

use super::given::{self, Given};
use super::size::Size;
use super::stream::PARTIAL_TOKENS;
use crate::json::{Outline, scan};
use crate::multipart::Form;
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
    "input_fidelity",
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
/// The most beginnings of a streamed picture (openai-python 3,
/// `image_generate_params.py`: "between 0 and 3").
const PARTIALS_MAX: u64 = 3;
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
    /// Whether the picture is to be streamed.
    pub stream: bool,
    /// How many beginnings of it are to be shown.
    pub partials: Option<u64>,
    /// How closely to keep to the pictures that are given.
    pub input_fidelity: Option<String>,
    /// What is to be changed.
    pub given: Given,
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
            stream: false,
            partials: members.whole("partial_images", 0..=PARTIALS_MAX)?,
            input_fidelity: members.word("input_fidelity", &["low", "high"])?,
            given: Given::default(),
            seed: members.whole("seed", 0..=u64::MAX)?,
            style: text("style")?,
            user: None,
            unknown: members.unknown(&[VENDORS, GATEWAYS], "pictures")?,
            outline,
            segments,
        })
    }

    /// Reads a form with pictures that are to be changed.
    ///
    /// # Errors
    /// Names the member and the remedy.
    pub fn of_form(form: &Form, segments: &[Bytes]) -> Result<Self, Failure> {
        let (given, body) = given::read(form, segments)?;
        let outline = scan(&body).map_err(Failure::from)?;
        let mut asked = Self::read(outline, vec![body.into()])?;
        asked.given = given;
        Ok(asked)
    }

    /// Takes the caller's wish for a stream.
    ///
    /// # Errors
    /// It is asked for more than one picture.
    pub fn may_stream(&mut self) -> Result<(), Failure> {
        self.stream = Members(&self.outline, &self.segments).is_true("stream");
        if self.stream && self.pictures > 1 {
            return Err(Failure::invalid(
                "n: one picture is streamed at a time; remove it, or `stream`",
            ));
        }
        Ok(())
    }

    /// A small member that is a text, if it is there.
    ///
    /// # Errors
    /// It is something else.
    pub fn text(&self, name: &str) -> Result<Option<String>, Failure> {
        Members(&self.outline, &self.segments).text(name)
    }

    /// The most output tokens of one picture, where those are sold: with its
    /// beginnings, if they are shown.
    #[must_use]
    pub fn tokens_max(&self) -> u64 {
        let partials = if self.stream { self.partials } else { None };
        let shown = partials.unwrap_or(0).saturating_mul(PARTIAL_TOKENS);
        self.size
            .tokens_max(self.quality.as_deref())
            .saturating_add(shown)
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
            "input_fidelity" => self.input_fidelity.is_some(),
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
            "pictures are made of a text here; send those that are to be changed to /images/edits, in a form",
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

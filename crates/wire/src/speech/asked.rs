//! A client's request for speech: OpenAI's, with what OpenRouter adds to it
//! (platform.openai.com/docs/api-reference, `createSpeech`, November 2026;
//! openrouter.ai/docs, `createAudioSpeech`, October 2026).

use bourse_vocab::chat::Loss;
use bourse_vocab::json::parse;
use bourse_vocab::speech::SoundFormat;
use bourse_vocab::{Failure, Next};
use bytes::Bytes;

use crate::dialect::members;
use crate::json::{self, Kind, Member, Outline};

/// Characters of a text (OpenAI: "the maximum length is 4096 characters").
pub const INPUT_CHARS_MAX: usize = 4_096;
/// Bytes that so many characters have in JSON at most: each may be written as
/// two escapes of six.
const INPUT_BYTES_MAX: usize = INPUT_CHARS_MAX * 12 + 2;
/// Bytes of instructions. The model that takes them reads 2,000 tokens in all
/// (platform.openai.com/docs/models/gpt-4o-mini-tts, 2026).
const INSTRUCTIONS_BYTES_MAX: usize = 16 * 1024;
/// Bytes of a number or a name that are read.
const SMALL_BYTES_MAX: usize = 1_024;
/// How slow and how fast (`createSpeech`), in hundredths.
const SPEEDS: std::ops::RangeInclusive<u64> = 25..=400;

/// Members that vendors are told of.
const VENDORS: [&str; 7] = [
    "model",
    "input",
    "voice",
    "instructions",
    "response_format",
    "speed",
    "stream_format",
];
/// Members between client and gateway, which no vendor is sent.
const GATEWAYS: [&str; 7] = [
    "models",
    "provider",
    "session_id",
    "user",
    "trace",
    "metadata",
    "debug",
];

/// A request that was scanned, and what of it matters here.
#[derive(Debug)]
pub struct Asked {
    /// Where its members are.
    pub outline: Outline,
    /// The body, in the pieces in which it arrived.
    pub segments: Vec<Bytes>,
    /// Characters that are to be read aloud.
    pub characters: u64,
    /// Bytes of what the model reads: the text, and how to read it.
    pub text_bytes: u64,
    /// How fast, in hundredths of the usual.
    pub speed: u64,
    /// What the sound is to be in.
    pub format: SoundFormat,
    /// Whether the client wants it as events.
    pub wants_events: bool,
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
        let input = members.input()?;
        let instructions = members.long("instructions", INSTRUCTIONS_BYTES_MAX)?;
        members.voice()?;
        let speed = members.speed()?;
        let format = match members.long("response_format", SMALL_BYTES_MAX)? {
            None => SoundFormat::default(),
            Some(name) => SoundFormat::by_name(&name).ok_or_else(|| {
                let names: Vec<_> = SoundFormat::ALL
                    .into_iter()
                    .map(SoundFormat::name)
                    .collect();
                let names = names.join(", ");
                Failure::invalid(format!("response_format: must be one of {names}"))
            })?,
        };
        let wants_events = match members.long("stream_format", SMALL_BYTES_MAX)?.as_deref() {
            None | Some("audio") => false,
            Some("sse") => true,
            Some(_) => {
                return Err(Failure::invalid("stream_format: must be `audio` or `sse`"));
            }
        };
        let unknown = unknown(&outline, &segments)?;
        let text_bytes = input
            .len()
            .saturating_add(instructions.map_or(0, |text| text.len()));
        Ok(Self {
            characters: input.chars().count() as u64,
            text_bytes: text_bytes as u64,
            speed,
            format,
            wants_events,
            unknown,
            outline,
            segments,
        })
    }

    /// A small member that is a text, if it is there.
    ///
    /// # Errors
    /// It is something else.
    pub fn text(&self, name: &str) -> Result<Option<String>, Failure> {
        Members(&self.outline, &self.segments).long(name, SMALL_BYTES_MAX)
    }

    /// The text that is to be read aloud.
    ///
    /// # Errors
    /// It was no text when it was read.
    pub fn input(&self) -> Result<String, Failure> {
        Members(&self.outline, &self.segments).input()
    }

    /// The voice: its name, or its id if it is one of the caller's own.
    ///
    /// # Errors
    /// It is neither.
    pub fn voice(&self) -> Result<String, Failure> {
        let wrong = || Failure::invalid("voice: must be a name, or an object with `id`");
        let members = Members(&self.outline, &self.segments);
        let member = members.get("voice").ok_or_else(wrong)?;
        let raw = json::short(&self.segments, &member.value, SMALL_BYTES_MAX);
        let value = raw.and_then(|raw| parse(&raw).ok()).ok_or_else(wrong)?;
        let name = value.as_str().or_else(|| value.get("id")?.as_str());
        name.map(str::to_owned).ok_or_else(wrong)
    }

    /// Refuses events at a vendor that answers with the sound itself.
    pub(super) fn refuse_events(&self) -> Result<(), Failure> {
        if self.wants_events {
            return Err(Failure::invalid(
                "stream_format: this model answers with the sound itself; send `audio`",
            )
            .next(Next::TryAnother));
        }
        Ok(())
    }

    /// What is not told to a vendor whose models are not told how to read.
    pub(super) fn losses_without_instructions(&self) -> Vec<Loss> {
        let mut losses = self.unknown.clone();
        if self.has("instructions") {
            let why = "the model is not told how to read";
            losses.push(Loss::new("instructions", why));
        }
        losses
    }

    /// Whether a member is there.
    #[must_use]
    pub fn has(&self, name: &str) -> bool {
        Members(&self.outline, &self.segments).get(name).is_some()
    }
}

/// The members of a body.
struct Members<'a>(&'a Outline, &'a [Bytes]);

impl Members<'_> {
    /// One that is there and not `null`.
    fn get(&self, name: &str) -> Option<&Member> {
        let member = self.0.get(name)?;
        (member.kind != Kind::Null).then_some(member)
    }

    fn long(&self, name: &str, bytes_max: usize) -> Result<Option<String>, Failure> {
        let Some(member) = self.get(name) else {
            return Ok(None);
        };
        let raw = json::short(self.1, &member.value, bytes_max);
        let text = raw.as_deref().and_then(json::text::string);
        match text {
            Some(text) => Ok(Some(text.into_owned())),
            None => Err(Failure::invalid(format!(
                "{name}: must be a text of at most {bytes_max} bytes"
            ))),
        }
    }

    fn input(&self) -> Result<String, Failure> {
        let member = self.get("input");
        let member = member.ok_or_else(|| Failure::invalid("input: is required"))?;
        if member.kind == Kind::Array {
            return Err(Failure::invalid(
                "input: turns of several speakers are not read here; send a text",
            ));
        }
        let too_long = || {
            Failure::invalid(format!(
                "input: must be a text of 1 to {INPUT_CHARS_MAX} characters"
            ))
        };
        let raw = json::short(self.1, &member.value, INPUT_BYTES_MAX);
        let text = raw.as_deref().and_then(json::text::string);
        let text = text.ok_or_else(too_long)?.into_owned();
        // Looked at no further than it matters.
        let count = text.chars().take(INPUT_CHARS_MAX.saturating_add(1)).count();
        match (1..=INPUT_CHARS_MAX).contains(&count) {
            true => Ok(text),
            false => Err(too_long()),
        }
    }

    /// A name, or an object with the id of a voice of one's own.
    fn voice(&self) -> Result<(), Failure> {
        match self.get("voice").map(|member| member.kind) {
            Some(Kind::String | Kind::Object) => Ok(()),
            None => Err(Failure::invalid("voice: is required")),
            Some(_) => Err(Failure::invalid(
                "voice: must be a name, or an object with `id`",
            )),
        }
    }

    fn speed(&self) -> Result<u64, Failure> {
        let Some(member) = self.get("speed") else {
            return Ok(100);
        };
        let raw = json::short(self.1, &member.value, SMALL_BYTES_MAX);
        let text = raw.as_deref().and_then(|raw| std::str::from_utf8(raw).ok());
        let speed = text.and_then(|text| bourse_vocab::money::parse_scaled_up(text, 2).ok());
        let speed = speed.and_then(|speed| u64::try_from(speed).ok());
        speed
            .filter(|speed| SPEEDS.contains(speed))
            .ok_or_else(|| Failure::invalid("speed: must be a number from 0.25 to 4"))
    }
}

/// Members that nobody is told of. What would make somebody spend money, and
/// what a lenient parser takes for another name, is refused.
fn unknown(outline: &Outline, segments: &[Bytes]) -> Result<Vec<Loss>, Failure> {
    let mut unknown = Vec::new();
    for (name, member) in outline.iter() {
        if VENDORS.contains(&name) || GATEWAYS.contains(&name) || member.kind == Kind::Null {
            continue;
        }
        if name == "input_references" {
            let raw = json::short(segments, &member.value, 2);
            if raw.as_deref() != Some(b"[]".as_slice()) {
                return Err(Failure::invalid(
                    "input_references: voices are not cloned here; name one in `voice`",
                ));
            }
            continue;
        }
        members::check(name, || {
            json::short(segments, &member.value, members::NOTHING_BYTES_MAX)
        })?;
        unknown.push(Loss::new(name, "is no parameter of speech"));
    }
    Ok(unknown)
}

/// Names of members that a vendor may be sent.
pub(super) fn is_for_vendors(name: &str) -> bool {
    VENDORS.contains(&name)
}

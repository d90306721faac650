//! The members of a request, from a form or from JSON, as one list.

use std::borrow::Cow;

use bourse_vocab::Failure;
use bourse_vocab::chat::Loss;
use bytes::Bytes;

use crate::dialect::members;
use crate::json::{self, Kind, Outline};
use crate::multipart::{Form, text_of};

/// What vendors are told, in OpenAI's names; those of lists end in brackets
/// (openai-python, `TranscriptionCreateParams`, 2026).
const VENDORS: [&str; 10] = [
    "language",
    "languages[]",
    "prompt",
    "temperature",
    "timestamp_granularities[]",
    "include[]",
    "keywords[]",
    "chunking_strategy",
    "known_speaker_names[]",
    "known_speaker_references[]",
];
/// How the members of an object begin in a form.
const NESTED: &str = "chunking_strategy[";
/// What is read here, and written anew for each vendor.
const OURS: [&str; 12] = [
    "file",
    "input_audio",
    "model",
    "models",
    "response_format",
    "stream",
    "provider",
    "session_id",
    "user",
    "trace",
    "metadata",
    "debug",
];
/// What OpenRouter has and no vendor here, with what to do instead.
const NOT_OFFERED: [(&str, &str); 4] = [
    (
        "diarize",
        "labels of speakers are not asked for so; send response_format `diarized_json` to a model that has it",
    ),
    ("keyterms", "send `keywords` or `prompt`"),
    ("keyterms[]", "send `keywords[]` or `prompt`"),
    ("source_url", "no provider here fetches sounds; send `file`"),
];

/// The members of a request.
#[derive(Debug, Default)]
pub(super) struct Fields {
    /// What vendors are told, in its order.
    pub vendors: Vec<(String, String)>,
    /// What is read here; JSON texts as they are written.
    ours: Vec<(&'static str, String)>,
    /// What nobody is told.
    pub unknown: Vec<Loss>,
}

impl Fields {
    /// Those of a form.
    pub fn of_form(form: &Form, segments: &[Bytes]) -> Result<Self, Failure> {
        let mut fields = Self::default();
        for part in &form.parts {
            if part.name == "file" {
                continue;
            }
            // Names of members that may be there once.
            if !part.name.ends_with("[]") {
                form.one(&part.name)?;
            }
            let text = text_of(part, segments)?;
            fields.add(&part.name, text, None)?;
        }
        Ok(fields)
    }

    /// Those of a JSON body.
    pub fn of_json(outline: &Outline, segments: &[Bytes]) -> Result<Self, Failure> {
        let mut fields = Self::default();
        for (name, member) in outline.iter() {
            if name == "input_audio" || member.kind == Kind::Null {
                continue;
            }
            let raw = json::raw(segments, &member.value);
            match member.kind {
                Kind::Array if is_list(name) => fields.add_all(name, &raw)?,
                Kind::Array | Kind::Object => fields.add(name, utf8(&raw), Some(&raw))?,
                Kind::String => {
                    let text = json::text::string(&raw);
                    let text = text.ok_or_else(|| Failure::invalid(format!("{name}: no text")))?;
                    fields.add(name, text, Some(&raw))?;
                }
                _ => fields.add(name, utf8(&raw), Some(&raw))?,
            }
        }
        Ok(fields)
    }

    fn add_all(&mut self, name: &str, array: &[u8]) -> Result<(), Failure> {
        for item in json::walk::elements(array) {
            let text = json::text::string(item.value)
                .ok_or_else(|| Failure::invalid(format!("{name}: must be a list of texts")))?;
            self.add(&format!("{name}[]"), text, None)?;
        }
        Ok(())
    }

    /// Adds a member. What it is in JSON says what switches it off.
    fn add(&mut self, name: &str, text: Cow<'_, str>, raw: Option<&[u8]>) -> Result<(), Failure> {
        if let Some(ours) = OURS.into_iter().find(|ours| *ours == name) {
            self.ours.push((ours, text.into_owned()));
            return Ok(());
        }
        let listed = format!("{name}[]");
        let name = match VENDORS.contains(&listed.as_str()) {
            true => &listed,
            false => name,
        };
        if VENDORS.contains(&name) || name.starts_with(NESTED) {
            self.vendors.push((name.to_owned(), text.into_owned()));
            return Ok(());
        }
        if let Some((name, instead)) = NOT_OFFERED.iter().find(|(not, _)| *not == name)
            && !matches!(&*text, "" | "false" | "[]")
        {
            return Err(Failure::invalid(format!("{name}: {instead}")));
        }
        let quoted = || json_text(&text);
        members::check(name, || {
            let raw = raw.map_or_else(quoted, <[u8]>::to_vec);
            (raw.len() <= members::NOTHING_BYTES_MAX).then_some(Cow::Owned(raw))
        })?;
        let why = "is no parameter of transcriptions";
        self.unknown.push(Loss::new(name, why));
        Ok(())
    }

    /// The text of a member that is read here.
    pub fn ours(&self, name: &str) -> Option<&str> {
        let found = self.ours.iter().find(|(ours, _)| *ours == name)?;
        Some(&found.1)
    }
}

/// Whether a member is a list of texts.
fn is_list(name: &str) -> bool {
    VENDORS.contains(&format!("{name}[]").as_str())
}

fn utf8(raw: &[u8]) -> Cow<'_, str> {
    // The scanner has seen to it.
    String::from_utf8_lossy(raw)
}

fn json_text(text: &str) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len().saturating_add(2));
    json::text::write_string(text, &mut out);
    out
}

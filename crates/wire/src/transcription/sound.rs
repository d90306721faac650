//! The sound of a request: where it is, and how long it is taken to be.

use std::borrow::Cow;
use std::ops::Range;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bourse_vocab::{Failure, FailureKind};
use bytes::Bytes;

use crate::json;
use crate::json::walk;
use crate::sound::{Measured, View, measure};

/// The longest sound: OpenAI takes 25 MB
/// (platform.openai.com/docs/guides/speech-to-text, November 2026), and its
/// servers count 26,214,400 bytes.
pub const FILE_BYTES_MAX: usize = 25 << 20;

/// Bytes of a format's name that are read.
const FORMAT_BYTES_MAX: usize = 32;

/// The sound of a request.
#[derive(Debug)]
pub struct Sound {
    segments: Vec<Bytes>,
    range: Range<usize>,
    is_base64: bool,
    /// What it is called: vendors go by the ending.
    pub file_name: String,
    /// What the client says that it is.
    pub media_type: Option<String>,
    /// How long it is.
    pub measured: Measured,
}

impl Sound {
    /// A file of a form.
    #[must_use]
    pub fn of_file(
        segments: Vec<Bytes>,
        range: Range<usize>,
        file_name: &str,
        media_type: Option<&str>,
    ) -> Self {
        let measured = measure(&View::plain(&segments, range.clone()));
        let media_type = media_type.filter(|media_type| {
            // curl and SDKs say this of what they do not know.
            !media_type.is_empty() && *media_type != "application/octet-stream"
        });
        Self {
            file_name: named(file_name, &measured),
            media_type: media_type.map(str::to_owned),
            segments,
            range,
            is_base64: false,
            measured,
        }
    }

    /// OpenRouter's `input_audio`, as JSON text that begins at a place of the
    /// body (API reference, `createAudioTranscriptions`, October 2026).
    ///
    /// # Errors
    /// It is not as documented, or too long.
    pub fn of_json(text: &[u8], at: usize, body: &[Bytes]) -> Result<Self, Failure> {
        let (mut data, mut format) = (None, None);
        for entry in walk::members(text) {
            match entry.name {
                b"data" => data = Some((entry.value, entry.at)),
                b"format" if entry.value.len() <= FORMAT_BYTES_MAX => {
                    format = json::text::string(entry.value);
                }
                b"url" => {
                    return Err(Failure::invalid(
                        "input_audio.url: no provider here fetches sounds; send input_audio.data",
                    ));
                }
                _ => {}
            }
        }
        let (quoted, place) = data.ok_or_else(|| no_data("is required"))?;
        let format = format.ok_or_else(|| {
            Failure::invalid("input_audio.format: is required: wav, mp3, flac, m4a, ogg or webm")
        })?;
        let name = file_of(&format)?;
        let digits = json::text::string(quoted).ok_or_else(|| no_data("must be base64"))?;
        // Where nothing is escaped, the digits stay where they arrived.
        let (segments, range) = match digits {
            Cow::Borrowed(_) => {
                let from = at.saturating_add(place.start).saturating_add(1);
                let to = at.saturating_add(place.end).saturating_sub(1);
                (body.to_vec(), from..to.max(from))
            }
            Cow::Owned(digits) => {
                let length = digits.len();
                (vec![Bytes::from(digits)], 0..length)
            }
        };
        let view = View::base64(&segments, range.clone());
        if view.bytes() == 0 {
            return Err(no_data("is empty"));
        }
        if view.bytes() > FILE_BYTES_MAX as u64 {
            return Err(Failure::new(
                FailureKind::PayloadTooLarge,
                format!("input_audio.data: the sound is larger than {FILE_BYTES_MAX} bytes"),
            ));
        }
        let measured = measure(&view);
        Ok(Self {
            file_name: named(name, &measured),
            media_type: None,
            segments,
            range,
            is_base64: true,
            measured,
        })
    }

    /// The bytes of the sound, in pieces.
    ///
    /// # Errors
    /// They are not base64.
    pub fn pieces(&self) -> Result<Vec<Bytes>, Failure> {
        if self.is_base64 {
            let digits = json::raw(&self.segments, &self.range);
            let bytes = STANDARD.decode(&*digits);
            return match bytes {
                Ok(bytes) => Ok(vec![bytes.into()]),
                Err(_) => Err(no_data("is not base64")),
            };
        }
        let mut pieces = Vec::new();
        json::slice_into(&self.segments, &self.range, &mut pieces);
        Ok(pieces)
    }

    /// Whether the sound must be decoded before it is sent.
    #[must_use]
    pub const fn is_encoded(&self) -> bool {
        self.is_base64
    }
}

fn no_data(what: &str) -> Failure {
    Failure::invalid(format!("input_audio.data: {what}"))
}

/// How a file of a format is called. `pcm` has no head, and nobody here is
/// asked to read what does not say what it is.
fn file_of(format: &str) -> Result<&str, Failure> {
    let is_name = |byte: u8| byte.is_ascii_alphanumeric();
    if format.is_empty() || format == "pcm" || !format.bytes().all(is_name) {
        return Err(Failure::invalid(
            "input_audio.format: must be a format that says what it is: wav, mp3, flac, m4a, \
             ogg or webm",
        ));
    }
    Ok(format)
}

/// The name that a vendor is told. One without an ending is refused by most,
/// and what the bytes are is known as a rule. Only its ending says anything, so
/// that signs which a form must write in three others are none of it: readers
/// bound what a name is long.
fn named(name: &str, measured: &Measured) -> String {
    let name = name.rsplit(['/', '\\']).next().unwrap_or(name);
    let name = &*name.replace(|c: char| c == '"' || c.is_control(), "_");
    let is_ending = name.bytes().all(|byte| byte.is_ascii_alphanumeric());
    match measured.format {
        _ if name.contains('.') => name.to_owned(),
        _ if is_ending && !name.is_empty() && name.len() <= 4 => format!("audio.{name}"),
        Some(format) => format!("audio.{}", format.extension()),
        None if name.is_empty() => "audio".to_owned(),
        None => name.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_files_name_does_not_grow_when_it_is_written_into_a_form() {
        let measured = measure(&View::plain(&[], 0..0));
        // As long as a name may be, of signs that a form writes in three.
        let name = format!("{}.mp3", "\"".repeat(251));
        assert_eq!(named(&name, &measured), format!("{}.mp3", "_".repeat(251)));
        assert_eq!(named("C:\\a\u{7f}b.wav", &measured), "a_b.wav");
        assert_eq!(named("é.mp3", &measured), "é.mp3");
    }
}

//! A client's request for a transcript: OpenAI's form, or OpenRouter's JSON
//! (openrouter.ai/docs, API reference, `createAudioTranscriptions`, October
//! 2026).

use bourse_vocab::Failure;
use bourse_vocab::chat::Loss;
use bourse_vocab::transcription::{Form, Task};
use bytes::Bytes;

use super::fields::Fields;
use super::sound::Sound;
use crate::json::{self, Kind, Outline};
use crate::multipart;

/// Bytes of a name or of a purpose that are read.
const SMALL_BYTES_MAX: usize = 1_024;

/// A request that was read, but for what its sound says.
#[derive(Debug)]
pub struct Asked {
    /// In which language it is wanted.
    pub task: Task,
    /// What is to be heard.
    pub sound: Sound,
    /// What the transcript is to be in.
    pub form: Form,
    /// Whether it is to be streamed.
    pub stream: bool,
    /// Length of the body in bytes.
    pub bytes: usize,
    fields: Fields,
}

impl Asked {
    /// Reads a form.
    ///
    /// # Errors
    /// Names the member and the remedy.
    pub fn of_form(
        task: Task,
        form: &multipart::Form,
        segments: Vec<Bytes>,
    ) -> Result<Self, Failure> {
        let file = form
            .one("file")?
            .ok_or_else(|| Failure::invalid("file: is required"))?;
        if file.value.is_empty() {
            return Err(Failure::invalid("file: is empty"));
        }
        let fields = Fields::of_form(form, &segments)?;
        let name = file.file_name.as_deref().unwrap_or_default();
        let media_type = file.media_type.as_deref();
        let sound = Sound::of_file(segments, file.value.clone(), name, media_type);
        Self::new(task, sound, form.bytes, fields)
    }

    /// Reads a JSON body that was scanned.
    ///
    /// # Errors
    /// Names the member and the remedy.
    pub fn of_json(task: Task, outline: &Outline, segments: &[Bytes]) -> Result<Self, Failure> {
        let fields = Fields::of_json(outline, segments)?;
        let audio = outline.get("input_audio").filter(|m| m.kind != Kind::Null);
        let audio = audio.ok_or_else(|| {
            Failure::invalid(
                "input_audio: is required, or a form (multipart/form-data) with `file`",
            )
        })?;
        if audio.kind != Kind::Object {
            return Err(Failure::invalid(
                "input_audio: must be an object with `data` and `format`",
            ));
        }
        let text = json::raw(segments, &audio.value);
        // The digits stay in the body; what is borrowed of it is only looked at.
        let sound = Sound::of_json(&text, audio.value.start, segments)?;
        Self::new(task, sound, outline.len(), fields)
    }

    fn new(task: Task, sound: Sound, bytes: usize, fields: Fields) -> Result<Self, Failure> {
        let form = match fields.ours("response_format") {
            None => Form::default(),
            Some(name) => Form::by_name(name).ok_or_else(|| {
                let names: Vec<_> = Form::ALL.into_iter().map(Form::name).collect();
                let names = names.join(", ");
                Failure::invalid(format!("response_format: must be one of {names}"))
            })?,
        };
        let stream = match fields.ours("stream") {
            None | Some("false" | "False" | "0") => false,
            Some("true" | "True" | "1") => true,
            Some(_) => {
                return Err(Failure::invalid("stream: must be `true` or `false`"));
            }
        };
        if fields.ours("models").is_some() {
            return Err(Failure::invalid(
                "models: name one model in `model`; its providers are tried in order",
            ));
        }
        if stream && !form.is_json() {
            return Err(Failure::invalid(format!(
                "response_format: `{}` is not streamed; remove it, or `stream`",
                form.name()
            )));
        }
        Ok(Self {
            task,
            sound,
            form,
            stream,
            bytes,
            fields,
        })
    }

    /// A small member that is read here.
    ///
    /// # Errors
    /// It is too long.
    pub fn text(&self, name: &str) -> Result<Option<&str>, Failure> {
        match self.fields.ours(name) {
            Some(text) if text.len() > SMALL_BYTES_MAX => Err(Failure::invalid(format!(
                "{name}: must be a text of at most {SMALL_BYTES_MAX} bytes"
            ))),
            text => Ok(text.filter(|text| !text.is_empty())),
        }
    }

    /// A member that is JSON, be it within a form.
    #[must_use]
    pub fn json(&self, name: &str) -> Option<&str> {
        self.fields
            .ours(name)
            .filter(|text| !text.trim().is_empty())
    }

    /// What vendors are told beside the sound, in OpenAI's names.
    pub fn fields(&self) -> impl Iterator<Item = (&str, &str)> {
        let fields = self.fields.vendors.iter();
        fields.map(|(name, text)| (name.as_str(), text.as_str()))
    }

    /// What no vendor is told.
    #[must_use]
    pub fn unknown(&self) -> &[Loss] {
        &self.fields.unknown
    }

    /// Bytes of the texts that the model may read beside the sound.
    #[must_use]
    pub fn text_bytes(&self) -> u64 {
        let texts = self
            .fields()
            .filter(|(name, _)| matches!(*name, "prompt" | "keywords[]" | "known_speaker_names[]"));
        texts.map(|(_, text)| text.len() as u64).sum()
    }

    /// How many samples of voices are heard beside the sound.
    #[must_use]
    pub fn samples(&self) -> u64 {
        let is_sample = |name: &str| name == "known_speaker_references[]";
        self.fields().filter(|(name, _)| is_sample(name)).count() as u64
    }
}

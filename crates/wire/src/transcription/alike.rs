//! Vendors whose forms look like OpenAI's, and what they do otherwise.

use bourse_vocab::chat::Loss;
use bourse_vocab::transcription::{Form, Reply, Shape, Task};
use bourse_vocab::{Failure, Next};
use bytes::Bytes;

use super::asked::Asked;
use super::{Codec, Written, read};
use crate::multipart::Boundary;
use crate::multipart::write::{Field, write};

/// How a vendor strays from OpenAI's shape.
#[derive(Debug)]
pub struct Alike {
    shape: Shape,
    /// Whether it tells segments: subtitles are made of them.
    has_segments: bool,
    /// Whether it tells how long a sound is only with its segments.
    counts_in_segments: bool,
    /// Whether it streams, tells log probabilities and takes a strategy for
    /// its chunks.
    streams: bool,
    /// Whether it is told the form of its answer, which is always JSON
    /// otherwise: segments are then asked for by a member of their own.
    says_form: bool,
    /// Whether it tells who speaks.
    has_speakers: bool,
    /// Whether it translates.
    translates: bool,
    /// The least that it bills, in milliseconds.
    billed_ms_min: u64,
    /// Members that it takes.
    takes: &'static [&'static str],
}

/// OpenAI's Whisper (platform.openai.com/docs/api-reference, audio, November
/// 2026): JSON has a usage by duration.
pub static WHISPER: Alike = WHISPER_ALIKE;

/// Groq (console.groq.com/docs/speech-to-text, 2026): JSON, text and verbose
/// JSON, of which the last has `duration`; a request is billed for ten seconds
/// at least.
pub static GROQ: Alike = Alike {
    shape: Shape::Groq,
    counts_in_segments: true,
    billed_ms_min: 10_000,
    ..WHISPER_ALIKE
};

/// What Groq's Whisper has in common with OpenAI's.
const WHISPER_ALIKE: Alike = Alike {
    shape: Shape::Whisper,
    has_segments: true,
    counts_in_segments: false,
    streams: false,
    says_form: true,
    has_speakers: false,
    translates: true,
    billed_ms_min: 0,
    takes: &[
        "language",
        "prompt",
        "temperature",
        "timestamp_granularities[]",
    ],
};

/// OpenAI's models after Whisper (the same): JSON alone, but for those that
/// tell speakers; streamed; not for translations.
pub static GPT: Alike = Alike {
    shape: Shape::Gpt,
    has_segments: false,
    counts_in_segments: false,
    streams: true,
    says_form: true,
    has_speakers: true,
    translates: false,
    billed_ms_min: 0,
    takes: &[
        "language",
        "languages[]",
        "prompt",
        "temperature",
        "include[]",
        "keywords[]",
        "chunking_strategy",
        "known_speaker_names[]",
        "known_speaker_references[]",
    ],
};

/// Mistral's Voxtral (mistralai 3.7, `audiotranscriptionrequest.py` and
/// `usageinfo.py`, November 2026): JSON with the seconds that were heard. Its
/// events have names of their own, so it is not streamed here.
pub static MISTRAL: Alike = Alike {
    shape: Shape::Mistral,
    says_form: false,
    translates: false,
    takes: &["language", "temperature"],
    ..WHISPER_ALIKE
};

/// A vendor that cannot be asked this; another may.
fn cannot(what: &str) -> Failure {
    Failure::invalid(what.to_owned()).next(Next::TryAnother)
}

impl Alike {
    /// What it is asked for, so that the client can be given what it wants.
    fn form_for(&self, asked: &Asked) -> Result<Form, Failure> {
        match asked.form {
            Form::Json | Form::Text if self.counts_in_segments => Ok(Form::VerboseJson),
            Form::Json | Form::Text => Ok(Form::Json),
            Form::Srt | Form::Vtt | Form::VerboseJson if self.has_segments => Ok(Form::VerboseJson),
            Form::DiarizedJson if self.has_speakers => Ok(Form::DiarizedJson),
            form => Err(cannot(&format!(
                "response_format: this model does not give `{}`; choose `json`, or another model",
                form.name()
            ))),
        }
    }

    fn takes(&self, name: &str, task: Task) -> bool {
        let nested = name.starts_with("chunking_strategy[") && self.streams;
        // A translation is into English, and has no times of words
        // (`createTranslation`).
        let is_of_transcripts = matches!(name, "language" | "timestamp_granularities[]");
        (nested || self.takes.contains(&name)) && !(task == Task::Translate && is_of_transcripts)
    }
}

impl Codec for Alike {
    fn shape(&self) -> Shape {
        self.shape
    }

    fn write(&self, asked: &Asked, model: &str, boundary: &Boundary) -> Result<Written, Failure> {
        if asked.stream && !self.streams {
            return Err(cannot(
                "stream: the transcripts of this model are not streamed; remove it",
            ));
        }
        if asked.task == Task::Translate && !self.translates {
            return Err(cannot("model: does not translate; choose another"));
        }
        let form = self.form_for(asked)?;
        let mut losses = asked.unknown().to_vec();
        let mut fields = vec![Field::text("model", model.to_owned())];
        for (name, text) in asked.fields() {
            if !self.takes(name, asked.task) {
                let why = "the model has no parameter of this name";
                losses.push(Loss::new(name, why));
                continue;
            }
            // Without it words are told in verbose JSON alone, which nobody
            // sees who asked for another form.
            fields.push(Field::text(name, text.to_owned()));
        }
        match form {
            form if self.says_form => {
                fields.push(Field::text("response_format", form.name()));
            }
            Form::VerboseJson => fields.push(Field::text("timestamp_granularities", "segment")),
            _ => {}
        }
        if asked.stream {
            fields.push(Field::text("stream", "true"));
        }
        // Last: whatever reads a form as it comes knows what to do with it.
        let sound = &asked.sound;
        let known = sound.measured.format.map(crate::sound::Format::media_type);
        fields.push(Field {
            name: "file",
            file_name: Some(&sound.file_name),
            media_type: sound.media_type.as_deref().or(known),
            value: sound.pieces()?,
        });
        Ok(Written {
            body: write(fields, boundary),
            content_type: boundary.content_type(),
            losses,
        })
    }

    fn read(&self, body: &Bytes) -> Result<Reply, Failure> {
        read::whole(body, self.billed_ms_min)
    }
}

//! Speech and what was said in it, in its own language or in English.

use crate::UsageReport;
use crate::json::Map;

/// How a vendor's interface for transcripts looks on the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Shape {
    /// OpenAI's `POST /audio/transcriptions` and `/audio/translations` of
    /// Whisper, which is sold by the second and tells its segments.
    Whisper,
    /// The same of Groq, which tells how long a sound is with its segments
    /// only, and sells ten seconds at least.
    Groq,
    /// OpenAI's `POST /audio/transcriptions` of the models after Whisper: sold
    /// by the token or the second, in JSON only, and streamed.
    Gpt,
    /// Mistral's `POST /v1/audio/transcriptions`, sold by the second.
    Mistral,
    /// xAI's `POST /v1/stt`.
    Xai,
    /// ElevenLabs' `POST /v1/speech-to-text`.
    ElevenLabs,
    /// Deepgram's `POST /v1/listen`.
    Deepgram,
}

impl Shape {
    /// Every shape, in the order in which documents list them.
    pub const ALL: [Self; 7] = [
        Self::Whisper,
        Self::Groq,
        Self::Gpt,
        Self::Mistral,
        Self::Xai,
        Self::ElevenLabs,
        Self::Deepgram,
    ];
}

/// In which language what was said is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Task {
    /// In its own.
    Transcribe,
    /// In English.
    Translate,
}

/// What the transcript is to be in
/// (platform.openai.com/docs/api-reference, audio, November 2026).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Hash)]
pub enum Form {
    /// JSON with the text.
    #[default]
    Json,
    /// The text alone.
    Text,
    /// Subtitles of `SubRip`.
    Srt,
    /// JSON with segments or words and their times.
    VerboseJson,
    /// Subtitles of the Web (`WebVTT`).
    Vtt,
    /// JSON with segments and who speaks in them.
    DiarizedJson,
}

impl Form {
    /// Every form, in the order in which OpenAI lists them.
    pub const ALL: [Self; 6] = [
        Self::Json,
        Self::Text,
        Self::Srt,
        Self::VerboseJson,
        Self::Vtt,
        Self::DiarizedJson,
    ];

    /// The name on the wire.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Json => "json",
            Self::Text => "text",
            Self::Srt => "srt",
            Self::VerboseJson => "verbose_json",
            Self::Vtt => "vtt",
            Self::DiarizedJson => "diarized_json",
        }
    }

    /// Finds a form by its name on the wire.
    #[must_use]
    pub fn by_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|form| form.name() == name)
    }

    /// Whether it is JSON.
    #[must_use]
    pub const fn is_json(self) -> bool {
        matches!(self, Self::Json | Self::VerboseJson | Self::DiarizedJson)
    }
}

/// What a model heard.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Reply {
    /// What was said.
    pub text: String,
    /// When which part of it was said, where the vendor tells.
    pub segments: Vec<Segment>,
    /// The members of the vendor's answer, but for what it says of usage.
    pub members: Map,
    /// What the provider counted.
    pub usage: UsageReport,
}

/// A part of what was said, and when.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Segment {
    /// Milliseconds from the beginning of the sound to its own.
    pub start_ms: u64,
    /// The same to its end.
    pub end_ms: u64,
    /// What was said.
    pub text: String,
}

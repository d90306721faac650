//! Text and the sound of it read aloud.

/// How a vendor's interface for speech looks on the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Shape {
    /// OpenAI's `POST /audio/speech`, answered with the sound itself. Nothing
    /// is counted in the answer.
    OpenAi,
    /// The same asked for as events, of which the last says what was used: so
    /// are models asked that are sold by the token.
    OpenAiEvents,
    /// ElevenLabs' `POST /v1/text-to-speech/{voice_id}/stream`, answered with the
    /// sound itself.
    ElevenLabs,
    /// Mistral's `POST /v1/audio/speech`, answered with events.
    Mistral,
    /// Google's `streamGenerateContent` with sound for an answer.
    Gemini,
}

impl Shape {
    /// Every shape, in the order in which documents list them.
    pub const ALL: [Self; 5] = [
        Self::OpenAi,
        Self::OpenAiEvents,
        Self::ElevenLabs,
        Self::Mistral,
        Self::Gemini,
    ];
}

/// What the sound is in (platform.openai.com/docs/api-reference, audio,
/// `createSpeech`, November 2026).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Hash)]
pub enum SoundFormat {
    /// MPEG audio, layer III.
    #[default]
    Mp3,
    /// Opus in Ogg.
    Opus,
    /// AAC in ADTS.
    Aac,
    /// FLAC.
    Flac,
    /// RIFF WAVE.
    Wav,
    /// Samples of 16 bits without a head, 24,000 a second.
    Pcm,
}

impl SoundFormat {
    /// Every format, in the order in which OpenAI lists them.
    pub const ALL: [Self; 6] = [
        Self::Mp3,
        Self::Opus,
        Self::Aac,
        Self::Flac,
        Self::Wav,
        Self::Pcm,
    ];

    /// The name on the wire.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Mp3 => "mp3",
            Self::Opus => "opus",
            Self::Aac => "aac",
            Self::Flac => "flac",
            Self::Wav => "wav",
            Self::Pcm => "pcm",
        }
    }

    /// Finds a format by its name on the wire.
    #[must_use]
    pub fn by_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|format| format.name() == name)
    }

    /// The media type under which OpenAI sends it.
    #[must_use]
    pub const fn media_type(self) -> &'static str {
        match self {
            Self::Mp3 => "audio/mpeg",
            Self::Opus => "audio/opus",
            Self::Aac => "audio/aac",
            Self::Flac => "audio/flac",
            Self::Wav => "audio/wav",
            Self::Pcm => "audio/pcm",
        }
    }
}

//! ElevenLabs: speech and transcripts (elevenlabs 2.78, the SDK's raw clients,
//! November 2026). The voice is the end of the path, which is known only when a
//! call comes.

use bourse_vocab::{Format, Operation, speech, transcription};
use bourse_wire::Dialect;
use http::HeaderName;

use crate::provider::{Address, Attempt, Interface, Provider};
use crate::{Credential, Key};

/// ElevenLabs.
pub struct ElevenLabs;

impl Provider for ElevenLabs {
    fn slug(&self) -> &str {
        "elevenlabs"
    }

    fn name(&self) -> &str {
        "ElevenLabs"
    }

    fn env(&self) -> &[&'static str] {
        &["ELEVENLABS_API_KEY"]
    }

    fn base_url(&self) -> Option<&str> {
        Some("https://api.elevenlabs.io/v1")
    }

    fn interfaces(&self, _model: &str) -> &[Interface] {
        const {
            &[
                Interface::speech(speech::Shape::ElevenLabs),
                Interface::transcription(transcription::Shape::ElevenLabs),
            ]
        }
    }

    fn dialect(&self, _format: Format, _model: &str) -> &Dialect {
        &Dialect::PLAIN
    }

    fn address(&self, attempt: &Attempt<'_>) -> Address {
        let operation = match attempt.interface.operation {
            Operation::Transcription(_) => "speech-to-text",
            _ => "text-to-speech",
        };
        Address {
            path: format!("{}/{operation}", attempt.base_path),
            headers: Vec::new(),
        }
    }

    fn credential(&self, key: Key) -> Credential {
        Credential::header(HeaderName::from_static("xi-api-key"), key)
    }
}

//! ElevenLabs: `POST /v1/text-to-speech/{voice_id}/stream` (elevenlabs 2.78,
//! `text_to_speech/raw_client.py` and its types, November 2026). The voice is a
//! part of the path, and what the sound is in is in the query.

use bourse_vocab::speech::{Shape, SoundFormat};
use bourse_vocab::{Failure, Next};

use super::asked::Asked;
use super::{Codec, Written};
use crate::object::object;

/// How slow and how fast it reads, in hundredths (the same,
/// `VoiceSettings.speed`: from 0.7 to 1.2).
const SPEEDS: std::ops::RangeInclusive<u64> = 70..=120;
/// Characters of a voice's id. Those in use have twenty.
const VOICE_CHARS_MAX: usize = 64;

/// ElevenLabs' shape.
pub(super) struct ElevenLabs;

/// A vendor that cannot be asked this; another may.
fn cannot(what: &str) -> Failure {
    Failure::invalid(what.to_owned()).next(Next::TryAnother)
}

/// Its name for a format, if it has one.
fn format(format: SoundFormat) -> Result<&'static str, Failure> {
    match format {
        SoundFormat::Mp3 => Ok("mp3_44100_128"),
        SoundFormat::Opus => Ok("opus_48000_64"),
        SoundFormat::Pcm => Ok("pcm_24000"),
        SoundFormat::Aac | SoundFormat::Flac | SoundFormat::Wav => Err(cannot(
            "response_format: this provider streams mp3, opus and pcm; ask for one of them, or choose another",
        )),
    }
}

impl Codec for ElevenLabs {
    fn shape(&self) -> Shape {
        Shape::ElevenLabs
    }

    fn tail(&self, asked: &Asked) -> Result<Option<String>, Failure> {
        let voice = asked.voice()?;
        // It stands in a path: nothing else may be made of it.
        let is_id = !voice.is_empty()
            && voice.len() <= VOICE_CHARS_MAX
            && voice.bytes().all(|byte| byte.is_ascii_alphanumeric());
        if !is_id {
            return Err(cannot(
                "voice: this provider's voices are named by an id of letters and digits; send that, or choose another",
            ));
        }
        let format = format(asked.format)?;
        Ok(Some(format!("/{voice}/stream?output_format={format}")))
    }

    fn write(&self, asked: &Asked, model: &str) -> Result<Written, Failure> {
        asked.refuse_events()?;
        self.tail(asked)?;
        if !SPEEDS.contains(&asked.speed) {
            return Err(cannot(
                "speed: this provider reads at 0.7 to 1.2 of the usual; choose another",
            ));
        }
        let text = asked.input()?;
        let mut body = Vec::new();
        object(&mut body, |whole| {
            whole.put("text", &text).put("model_id", model);
            if asked.speed != 100 {
                let speed = format!("{}.{:02}", asked.speed / 100, asked.speed % 100);
                whole.nested("voice_settings", |out| {
                    object(out, |settings| {
                        settings.raw("speed", &speed);
                    });
                });
            }
        });
        Ok(Written {
            body: vec![body.into()],
            losses: asked.losses_without_instructions(),
        })
    }
}

//! Google's models that speak: `streamGenerateContent` with sound for an answer
//! (ai.google.dev/gemini-api/docs/speech-generation, 2026): samples of 16 bits,
//! 24,000 a second, in base64, and the usage beside them.

use bourse_vocab::speech::{Shape, SoundFormat};
use bourse_vocab::{Failure, Next, chat::Loss};

use super::asked::Asked;
use super::events::Source;
use super::{Codec, Written};
use crate::object::{array, object};

/// Google's shape.
pub(super) struct Gemini;

impl Codec for Gemini {
    fn shape(&self) -> Shape {
        Shape::Gemini
    }

    fn source(&self) -> Option<Source> {
        Some(Source::Gemini)
    }

    fn write(&self, asked: &Asked, _model: &str) -> Result<Written, Failure> {
        if !matches!(asked.format, SoundFormat::Pcm | SoundFormat::Wav) {
            return Err(Failure::invalid(
                "response_format: this provider makes pcm and wav; ask for one of them, or choose another",
            )
            .next(Next::TryAnother));
        }
        let mut losses = asked.losses_without_instructions();
        if asked.speed != 100 {
            losses.push(Loss::new("speed", "the provider has no word for it"));
        }
        let (text, voice) = (asked.input()?, asked.voice()?);
        let mut body = Vec::new();
        object(&mut body, |whole| {
            whole.nested("contents", |out| {
                array(out, [&text], |out, text| {
                    object(out, |content| {
                        content.put("role", "user").nested("parts", |out| {
                            array(out, [text], |out, text| {
                                object(out, |part| {
                                    part.put("text", text);
                                });
                            });
                        });
                    });
                });
            });
            whole.nested("generationConfig", |out| {
                object(out, |config| {
                    config
                        .put("responseModalities", &["AUDIO"])
                        .nested("speechConfig", |out| speech_config(out, &voice));
                });
            });
        });
        Ok(Written {
            body: vec![body.into()],
            losses,
        })
    }
}

fn speech_config(out: &mut Vec<u8>, voice: &str) {
    object(out, |speech| {
        speech.nested("voiceConfig", |out| {
            object(out, |config| {
                config.nested("prebuiltVoiceConfig", |out| {
                    object(out, |built| {
                        built.put("voiceName", voice);
                    });
                });
            });
        });
    });
}

//! Mistral's Voxtral that speaks (mistralai 3.7, `speechrequest.py` and the
//! events beside it, November 2026): a request with names of its own, answered
//! with OpenAI's events, of which a piece is in `audio_data`.

use bourse_vocab::speech::{Shape, SoundFormat};
use bourse_vocab::{Failure, Next, chat::Loss};

use super::asked::Asked;
use super::events::Source;
use super::{Codec, Written};
use crate::object::object;

/// Mistral's shape.
pub(super) struct Mistral;

impl Codec for Mistral {
    fn shape(&self) -> Shape {
        Shape::Mistral
    }

    fn source(&self) -> Option<Source> {
        Some(Source::Mistral)
    }

    fn write(&self, asked: &Asked, model: &str) -> Result<Written, Failure> {
        if asked.format == SoundFormat::Aac {
            return Err(Failure::invalid(
                "response_format: this provider makes no aac; ask for mp3, opus, flac, wav or pcm, or choose another",
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
            whole
                .put("model", model)
                .put("input", &text)
                .put("voice_id", &voice)
                .put("response_format", asked.format.name())
                .put("stream", &true);
        });
        Ok(Written {
            body: vec![body.into()],
            losses,
        })
    }
}

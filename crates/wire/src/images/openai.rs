//! OpenAI's GPT Image models, and servers that imitate them (openai-python 3,
//! `images.generate` and `images.edit`, November 2026).

use bourse_vocab::images::{Reply, Shape};
use bourse_vocab::{Failure, Next, chat::Loss};
use bytes::Bytes;

use super::asked::{Asked, Delivery};
use super::size::Tier;
use super::{Codec, Written, read};
use crate::multipart::Boundary;
use crate::multipart::write::{Field, write};
use crate::object::object;
use crate::transcription;

/// Tenths by which a shape is no square any more.
const SQUARE_TENTHS: u32 = 12;

/// OpenAI's shape.
pub(super) struct OpenAi;

impl Codec for OpenAi {
    fn shape(&self) -> Shape {
        Shape::OpenAi
    }

    fn write(&self, asked: &Asked, model: &str) -> Result<Written, Failure> {
        refuse_addresses(asked)?;
        // Where no picture is given there is nothing to keep to.
        let mut losses = asked.losses(&["seed", "style", "input_fidelity"]);
        let size = size(asked, &mut losses);
        let mut body = Vec::new();
        object(&mut body, |whole| {
            whole.put("model", model).put("prompt", &asked.prompt);
            if asked.pictures > 1 {
                whole.put("n", &asked.pictures);
            }
            whole
                .put_some("size", size.as_ref())
                .put_some("quality", asked.quality.as_ref())
                .put_some("background", asked.background.as_ref())
                .put_some("moderation", asked.moderation.as_ref())
                .put_some("output_format", asked.output_format.as_ref())
                .put_some("output_compression", asked.output_compression.as_ref())
                .put_some("user", asked.user.as_ref());
            if asked.stream {
                whole
                    .put("stream", &true)
                    .put_some("partial_images", asked.partials.as_ref());
            }
        });
        Ok(Written {
            body: vec![body.into()],
            losses,
        })
    }

    fn write_edit(
        &self,
        asked: &Asked,
        model: &str,
        boundary: &Boundary,
    ) -> Result<transcription::Written, Failure> {
        refuse_addresses(asked)?;
        let mut losses = asked.losses(&["seed", "style"]);
        let size = size(asked, &mut losses);
        let number = |number: u64| Some(number.to_string());
        let stream = asked.stream.then(|| "true".to_owned());
        let partials = asked.partials.filter(|_| asked.stream);
        let words = [
            ("model", Some(model.to_owned())),
            ("prompt", Some(asked.prompt.clone())),
            ("n", number(asked.pictures).filter(|_| asked.pictures > 1)),
            ("size", size),
            ("quality", asked.quality.clone()),
            ("background", asked.background.clone()),
            ("moderation", asked.moderation.clone()),
            ("input_fidelity", asked.input_fidelity.clone()),
            ("output_format", asked.output_format.clone()),
            (
                "output_compression",
                asked.output_compression.and_then(number),
            ),
            ("user", asked.user.clone()),
            ("stream", stream),
            ("partial_images", partials.and_then(number)),
        ];
        let words = words.into_iter();
        let mut fields: Vec<_> = words
            .filter_map(|(name, word)| Some(Field::text(name, word?)))
            .collect();
        let given = &asked.given;
        // One is a list of its own only where there are more.
        let name = match given.pictures.len() {
            1 => "image",
            _ => "image[]",
        };
        let pictures = given.pictures.iter().map(|picture| (name, picture));
        let mask = given.mask.iter().map(|mask| ("mask", mask));
        for (name, picture) in pictures.chain(mask) {
            let (file_name, media_type) = picture.names();
            fields.push(Field {
                name,
                file_name: Some(file_name),
                media_type: Some(media_type),
                value: picture.pieces.clone(),
            });
        }
        Ok(transcription::Written {
            body: write(fields, boundary),
            content_type: boundary.content_type(),
            losses,
        })
    }

    fn read(&self, body: &Bytes) -> Result<Reply, Failure> {
        read::openai(body)
    }
}

/// Refuses addresses: "Unsupported for GPT image models, which always return
/// base64-encoded images."
fn refuse_addresses(asked: &Asked) -> Result<(), Failure> {
    if asked.delivery == Delivery::Url {
        let message = "response_format: this provider gives pictures in its answer and no addresses; ask for b64_json, or choose another";
        return Err(Failure::invalid(message).next(Next::TryAnother));
    }
    Ok(())
}

/// The size in pixels: what was asked for, or of the three sizes that all
/// models have the one of that shape.
fn size(asked: &Asked, losses: &mut Vec<Loss>) -> Option<String> {
    let size = &asked.size;
    if let Some(pixels) = size.pixels {
        return Some(format!("{}x{}", pixels.width, pixels.height));
    }
    if let Some(tier) = size.tier.filter(|tier| *tier != Tier::One) {
        let why = format!("the provider takes pixels; {} is 1K to it", tier.name());
        losses.push(Loss::new("resolution", why));
    }
    let aspect = size.aspect?;
    let usual = if aspect.is_wider_than(SQUARE_TENTHS) {
        "1536x1024"
    } else if aspect.is_higher_than(SQUARE_TENTHS) {
        "1024x1536"
    } else {
        "1024x1024"
    };
    if !matches!(aspect.name, "1:1" | "3:2" | "2:3") {
        let why = format!("the nearest that the provider has is {usual}");
        losses.push(Loss::new("aspect_ratio", why));
    }
    Some(usual.to_owned())
}

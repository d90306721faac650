//! OpenAI's GPT Image models, and servers that imitate them (openai-python 2,
//! `images.generate`, November 2026).

use bourse_vocab::images::{Reply, Shape};
use bourse_vocab::{Failure, Next, chat::Loss};
use bytes::Bytes;

use super::asked::{Asked, Delivery};
use super::size::Tier;
use super::{Codec, Written, read};
use crate::object::object;

/// Tenths by which a shape is no square any more.
const SQUARE_TENTHS: u32 = 12;

/// OpenAI's shape.
pub(super) struct OpenAi;

impl Codec for OpenAi {
    fn shape(&self) -> Shape {
        Shape::OpenAi
    }

    fn write(&self, asked: &Asked, model: &str) -> Result<Written, Failure> {
        if asked.delivery == Delivery::Url {
            // "Unsupported for GPT image models, which always return
            // base64-encoded images."
            return Err(Failure::invalid(
                "response_format: this provider gives pictures in its answer and no addresses; ask for b64_json, or choose another",
            )
            .next(Next::TryAnother));
        }
        let mut losses = asked.losses(&["seed", "style"]);
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
        });
        Ok(Written {
            body: vec![body.into()],
            losses,
        })
    }

    fn read(&self, body: &Bytes) -> Result<Reply, Failure> {
        read::openai(body)
    }
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

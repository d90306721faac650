//! xAI's Grok Imagine (docs.x.ai, developers/model-capabilities/images and the
//! reference of `/v1/images/generations`, November 2026): a shape and a class
//! of sizes in place of pixels, addresses unless base64 is asked for.

use bourse_vocab::images::{Reply, Shape};
use bourse_vocab::{Failure, Next, chat::Loss};
use bytes::Bytes;

use super::asked::{Asked, Delivery};
use super::size::Tier;
use super::{Codec, Written, read, refuse_stream};
use crate::object::object;

/// Shapes that it has.
const ASPECTS: &[&str] = &[
    "1:1", "3:4", "4:3", "9:16", "16:9", "2:3", "3:2", "9:19.5", "19.5:9", "9:20", "20:9", "1:2",
    "2:1",
];
/// What it is not told.
const NONE: &[&str] = &[
    "background",
    "moderation",
    "output_format",
    "output_compression",
    "input_fidelity",
    "seed",
    "style",
];

/// xAI's shape.
pub(super) struct Xai;

impl Codec for Xai {
    fn shape(&self) -> Shape {
        Shape::Xai
    }

    fn write(&self, asked: &Asked, model: &str) -> Result<Written, Failure> {
        refuse_stream(asked)?;
        if asked.size.tier.is_some_and(|tier| tier != Tier::One) {
            // Its larger ones cost more, and no list says how much.
            return Err(Failure::invalid(
                "resolution: what this provider takes for other sizes than 1K is not known here; ask for 1K, or choose another",
            )
            .next(Next::TryAnother));
        }
        let mut losses = asked.losses(NONE);
        let shape = asked.size.shape();
        let aspect = shape.filter(|shape| ASPECTS.contains(&shape.name));
        if let Some(pixels) = asked.size.pixels {
            let why = match aspect {
                Some(aspect) => format!("the provider is told the shape {} alone", aspect.name),
                None => format!(
                    "the provider takes no pixels, and has no shape of {} by {}",
                    pixels.width, pixels.height
                ),
            };
            losses.push(Loss::new("size", why));
        } else if let (Some(shape), None) = (shape, aspect) {
            let why = format!("the provider has no {}", shape.name);
            losses.push(Loss::new("aspect_ratio", why));
        }
        let delivery = match asked.delivery {
            Delivery::Base64 => "b64_json",
            Delivery::Url => "url",
        };
        let mut body = Vec::new();
        object(&mut body, |whole| {
            whole.put("model", model).put("prompt", &asked.prompt);
            if asked.pictures > 1 {
                whole.put("n", &asked.pictures);
            }
            whole
                .put("response_format", delivery)
                .put_some("aspect_ratio", aspect.map(|aspect| aspect.name).as_ref())
                .put_some("quality", quality(asked).as_ref())
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

/// Its words for quality: `auto` is its default, which is said by nothing.
fn quality(asked: &Asked) -> Option<&'static str> {
    Some(match asked.quality.as_deref()? {
        "low" => "low",
        "medium" | "standard" => "medium",
        "auto" => return None,
        _ => "high",
    })
}

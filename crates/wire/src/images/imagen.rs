//! Google's Imagen: `models/imagen-*:predict` (ai.google.dev/gemini-api/docs,
//! imagen, November 2026). Gemini's own models draw in chat.

use std::borrow::Cow;

use bourse_vocab::images::{Picture, Reply, Shape};
use bourse_vocab::{Failure, Next, UsageReport, chat::Loss};
use bytes::Bytes;
use serde::Deserialize;

use super::asked::{Asked, Delivery};
use super::size::Tier;
use super::{Codec, Written, read, refuse_stream};
use crate::object::{array, object};

/// The most pictures of one request.
const PICTURES_MAX: u64 = 4;
/// Shapes that it has.
const ASPECTS: &[&str] = &["1:1", "3:4", "4:3", "9:16", "16:9"];
/// What it is not told.
const NONE: &[&str] = &[
    "quality",
    "background",
    "moderation",
    "output_compression",
    "input_fidelity",
    "seed",
    "style",
    "user",
];

/// Google's shape.
pub(super) struct Imagen;

#[derive(Deserialize)]
struct Whole<'a> {
    #[serde(borrow, default)]
    predictions: Vec<Prediction<'a>>,
}

/// One of its pictures; one that was filtered has a reason and no bytes.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Prediction<'a> {
    #[serde(borrow, default)]
    bytes_base64_encoded: Option<Cow<'a, str>>,
}

impl Codec for Imagen {
    fn shape(&self) -> Shape {
        Shape::Imagen
    }

    fn write(&self, asked: &Asked, _model: &str) -> Result<Written, Failure> {
        refuse_stream(asked)?;
        let elsewhere = |message: String| Failure::invalid(message).next(Next::TryAnother);
        if asked.delivery == Delivery::Url {
            return Err(elsewhere(
                "response_format: this provider gives pictures in its answer and no addresses; ask for b64_json, or choose another".to_owned(),
            ));
        }
        if asked.pictures > PICTURES_MAX {
            return Err(elsewhere(format!(
                "n: this provider makes at most {PICTURES_MAX} pictures at once; send several requests, or choose another"
            )));
        }
        if asked.size.tier.is_some_and(|tier| tier != Tier::One) {
            return Err(elsewhere(
                "resolution: this provider makes pictures of 1K here; ask for 1K, or choose another"
                    .to_owned(),
            ));
        }
        let mut losses = asked.losses(NONE);
        let shape = asked.size.shape();
        let aspect = shape.filter(|shape| ASPECTS.contains(&shape.name));
        if asked.size.pixels.is_some() {
            losses.push(Loss::new("size", "the provider is told of shapes alone"));
        } else if let (Some(shape), None) = (shape, aspect) {
            let why = format!("the provider has no {}", shape.name);
            losses.push(Loss::new("aspect_ratio", why));
        }
        let mime = mime(asked, &mut losses);
        let mut body = Vec::new();
        object(&mut body, |whole| {
            whole.nested("instances", |out| {
                array(out, [&asked.prompt], |out, prompt| {
                    object(out, |instance| {
                        instance.put("prompt", prompt);
                    });
                });
            });
            whole.nested("parameters", |out| {
                object(out, |parameters| {
                    parameters
                        .put("sampleCount", &asked.pictures)
                        .put_some("aspectRatio", aspect.map(|aspect| aspect.name).as_ref());
                    if let Some(mime) = mime {
                        parameters.nested("outputOptions", |out| {
                            object(out, |options| {
                                options.put("mimeType", mime);
                            });
                        });
                    }
                });
            });
        });
        Ok(Written {
            body: vec![body.into()],
            losses,
        })
    }

    fn read(&self, body: &Bytes) -> Result<Reply, Failure> {
        let whole: Whole<'_> = read::from_json(body)?;
        let made = whole.predictions.into_iter();
        let made = made.filter_map(|prediction| prediction.bytes_base64_encoded);
        let pictures = made
            .filter(|text| !text.is_empty())
            .map(|text| {
                Ok(Picture {
                    data: read::base64(body, text)?,
                    revised_prompt: None,
                })
            })
            .collect::<Result<Vec<_>, Failure>>()?;
        read::reply(pictures, Vec::new(), UsageReport::default())
    }
}

/// How pictures are encoded: it has two of the three.
fn mime(asked: &Asked, losses: &mut Vec<Loss>) -> Option<&'static str> {
    match asked.output_format.as_deref()? {
        "png" => Some("image/png"),
        "jpeg" => Some("image/jpeg"),
        other => {
            let why = format!("the provider makes no {other}");
            losses.push(Loss::new("output_format", why));
            None
        }
    }
}

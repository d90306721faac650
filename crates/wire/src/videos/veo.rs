//! Google's `models/veo-*:predictLongRunning` (ai.google.dev/gemini-api/docs,
//! video; python-genai, `_GenerateVideosConfig_to_mldev` and
//! `_Image_to_mldev`, November 2026).
//!
//! A job is an operation that is asked after by its name. Filtered films are not
//! charged for ("raiMediaFilteredReasons"; the same page: "you won't be charged
//! for a video that was blocked").

use bourse_vocab::Failure;
use bourse_vocab::videos::{Made, Progress, Shape};
use serde::Deserialize;

use super::asked::{Asked, Picture};
use super::{
    Codec, Limits, Order, Written, check_wishes, checked_name, elsewhere, known, seconds,
    unreadable,
};
use crate::object::Object;

/// Google's shape.
pub(super) struct Veo;

const THREE: Limits = Limits {
    seconds: &[4, 6, 8],
    usual_seconds: 8,
    resolutions: &["720p", "1080p", "4K"],
    sizes: &[],
    ratios: &["16:9", "9:16"],
    frames: &["first_frame", "last_frame"],
    references_max: 3,
    seed: false,
    audio: true,
};

/// Neither so large nor by references.
const LITE: Limits = Limits {
    resolutions: &["720p", "1080p"],
    references_max: 0,
    ..THREE
};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Operation {
    #[serde(default)]
    name: Option<String>,
    #[serde(default)]
    done: bool,
    #[serde(default)]
    error: Option<Status>,
    #[serde(default)]
    response: Option<Response>,
}

#[derive(Deserialize)]
struct Status {
    #[serde(default)]
    message: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Response {
    #[serde(default)]
    generate_video_response: Option<Generated>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase")]
struct Generated {
    #[serde(default)]
    generated_samples: Vec<Sample>,
    #[serde(default)]
    rai_media_filtered_reasons: Vec<String>,
}

#[derive(Deserialize)]
struct Sample {
    #[serde(default)]
    video: Option<Video>,
}

#[derive(Deserialize)]
struct Video {
    #[serde(default)]
    uri: Option<String>,
}

/// Writes a picture, which is taken as bytes alone.
fn put_picture(out: &mut Vec<u8>, picture: &Picture) {
    let mut object = Object::open(out);
    if let Picture::Inline(kind, bytes) = picture {
        object
            .put("bytesBase64Encoded", bytes)
            .put("mimeType", kind);
    }
    object.close();
}

impl Codec for Veo {
    fn shape(&self) -> Shape {
        Shape::Veo
    }

    fn limits(&self, model: &str) -> Option<&'static Limits> {
        // An operator may call it by any name: whoever speaks this shape is Veo.
        Some(if model.contains("lite") {
            &LITE
        } else {
            &THREE
        })
    }

    fn order(&self, asked: &Asked, model: &str) -> Result<Order, Failure> {
        let limits = self.limits(model).unwrap_or(&THREE);
        check_wishes(asked, model, limits)?;
        if asked
            .pictures()
            .any(|picture| matches!(picture, Picture::At(_)))
        {
            return Err(elsewhere(format!(
                "frame_images, input_references: the provider of {model} fetches nothing; send pictures as `data:image/png;base64,…`"
            )));
        }
        let (resolution, ratio) = match asked.size {
            Some(size) => of_size(size, model)?,
            None => (
                asked.resolution.as_deref().unwrap_or("720p"),
                asked.ratio.as_deref(),
            ),
        };
        let resolution = known("resolution", resolution, limits.resolutions, model)?;
        let ratio = ratio
            .map(|ratio| known("aspect_ratio", ratio, limits.ratios, model))
            .transpose()?;
        let seconds = seconds(asked, model, limits)?;
        let is_whole = resolution != "720p" || !asked.references.is_empty();
        if is_whole && seconds != 8 {
            return Err(elsewhere(format!(
                "duration: {model} makes films of 1080p, of 4K and by references in 8 seconds alone"
            )));
        }
        if !asked.references.is_empty() && asked.first.is_some() {
            return Err(elsewhere(format!(
                "input_references: {model} goes by them, or by frame_images"
            )));
        }
        Ok(Order {
            seconds,
            tier: asked.tier(),
            size: None,
            resolution: Some(resolution),
            ratio,
        })
    }

    fn write(&self, asked: &Asked, model: &str) -> Result<Written, Failure> {
        let order = self.order(asked, model)?;
        let mut body = Vec::new();
        let mut whole = Object::open(&mut body);
        whole.nested("instances", |out| {
            out.push(b'[');
            let mut instance = Object::open(out);
            instance.put("prompt", &asked.prompt);
            for (name, frame) in [("image", &asked.first), ("lastFrame", &asked.last)] {
                if let Some(picture) = frame {
                    instance.nested(name, |out| put_picture(out, picture));
                }
            }
            if !asked.references.is_empty() {
                instance.nested("referenceImages", |out| put_references(out, asked));
            }
            instance.close();
            out.push(b']');
        });
        whole.nested("parameters", |out| {
            let mut parameters = Object::open(out);
            parameters.put_some("aspectRatio", order.ratio.as_ref());
            parameters.put("durationSeconds", &order.seconds);
            let resolution = order.resolution.map(str::to_ascii_lowercase);
            parameters.put_some("resolution", resolution.as_ref());
            parameters.close();
        });
        whole.close();
        Ok(Written {
            body: vec![body.into()],
            losses: Vec::new(),
        })
    }

    fn accepted(&self, body: &[u8]) -> Result<String, Failure> {
        let operation: Operation = serde_json::from_slice(body).map_err(|_| unreadable())?;
        checked_name(&operation.name.unwrap_or_default())
    }

    fn path(&self, name: &str) -> String {
        name.to_owned()
    }

    fn progress(&self, _: &str, body: &[u8]) -> Result<Progress, Failure> {
        let operation: Operation = serde_json::from_slice(body).map_err(|_| unreadable())?;
        if !operation.done {
            return Ok(Progress::Working);
        }
        if let Some(error) = operation.error {
            return Ok(Progress::Failed {
                why: error
                    .message
                    .unwrap_or_else(|| "The provider gave no reason".to_owned()),
                is_refusal: false,
            });
        }
        let generated = operation
            .response
            .and_then(|response| response.generate_video_response)
            .unwrap_or_default();
        let places: Vec<_> = generated
            .generated_samples
            .into_iter()
            .filter_map(|sample| sample.video?.uri)
            .collect();
        if places.is_empty() {
            let why = generated.rai_media_filtered_reasons.into_iter().next();
            return Ok(Progress::Failed {
                is_refusal: why.is_some(),
                why: why.unwrap_or_else(|| "The provider made no film".to_owned()),
            });
        }
        Ok(Progress::Done(Made {
            places,
            ms: None,
            expires_at_s: None,
        }))
    }
}

fn put_references(out: &mut Vec<u8>, asked: &Asked) {
    out.push(b'[');
    for (place, picture) in asked.references.iter().enumerate() {
        if place > 0 {
            out.push(b',');
        }
        let mut reference = Object::open(out);
        reference.nested("image", |out| put_picture(out, picture));
        reference.put("referenceType", "asset");
        reference.close();
    }
    out.push(b']');
}

/// What a size in pixels is called.
fn of_size(
    (width, height): (u32, u32),
    model: &str,
) -> Result<(&'static str, Option<&'static str>), Failure> {
    Ok(match (width, height) {
        (1280, 720) => ("720p", Some("16:9")),
        (720, 1280) => ("720p", Some("9:16")),
        (1920, 1080) => ("1080p", Some("16:9")),
        (1080, 1920) => ("1080p", Some("9:16")),
        (3840, 2160) => ("4K", Some("16:9")),
        (2160, 3840) => ("4K", Some("9:16")),
        _ => {
            return Err(elsewhere(format!(
                "size: {model} makes films of 1280x720, 1920x1080 and 3840x2160, and of the same turned upright"
            )));
        }
    })
}

//! OpenAI's `POST /videos`, and servers that imitate it (openai-python,
//! `types/video.py`, `resources/videos.py` and its JSON body with an
//! `image_url`, November 2026).
//!
//! Its own models were switched off in September 2026 (developers.openai.com,
//! deprecations); their names say what servers make that still sell them.

use bourse_vocab::Failure;
use bourse_vocab::videos::{Made, Progress, Shape};
use serde::Deserialize;

use super::asked::{Asked, Picture};
use super::{
    Codec, Limits, Order, Written, check_wishes, checked_name, elsewhere, seconds, unreadable,
};
use crate::object::Object;

/// OpenAI's shape.
pub(super) struct OpenAi;

const SORA: Limits = Limits {
    seconds: &[4, 8, 12],
    usual_seconds: 4,
    resolutions: &["720p"],
    sizes: &[(720, 1280), (1280, 720)],
    ratios: &["9:16", "16:9"],
    frames: &["first_frame"],
    references_max: 1,
    seed: false,
    audio: true,
};

const SORA_PRO: Limits = Limits {
    resolutions: &["720p", "1080p"],
    sizes: &[(720, 1280), (1280, 720), (1024, 1792), (1792, 1024)],
    ..SORA
};

#[derive(Deserialize)]
struct Job<'a> {
    #[serde(borrow, default)]
    id: Option<&'a str>,
    #[serde(borrow, default)]
    status: Option<&'a str>,
    #[serde(default)]
    seconds: Option<serde_json::Value>,
    #[serde(default)]
    expires_at: Option<u64>,
    #[serde(default)]
    error: Option<Problem>,
}

#[derive(Deserialize)]
struct Problem {
    #[serde(default)]
    code: Option<String>,
    #[serde(default)]
    message: Option<String>,
}

/// The size of one shape, of those that a model makes.
fn size_of(asked: &Asked, model: &str, limits: &Limits) -> Result<(u32, u32), Failure> {
    if let Some(size) = asked.size {
        if limits.sizes.contains(&size) {
            return Ok(size);
        }
        let all: Vec<_> = limits
            .sizes
            .iter()
            .map(|(width, height)| format!("{width}x{height}"))
            .collect();
        return Err(elsewhere(format!(
            "size: {model} makes films of {}",
            all.join(", ")
        )));
    }
    let resolution = asked.resolution.as_deref().unwrap_or("720p");
    super::known("resolution", resolution, limits.resolutions, model)?;
    let is_upright = match asked.ratio.as_deref() {
        None | Some("9:16") => true,
        Some(ratio) => super::known("aspect_ratio", ratio, limits.ratios, model)? == "9:16",
    };
    let is_high = resolution.eq_ignore_ascii_case("1080p");
    Ok(match (is_high, is_upright) {
        (false, true) => (720, 1280),
        (false, false) => (1280, 720),
        (true, true) => (1024, 1792),
        (true, false) => (1792, 1024),
    })
}

impl Codec for OpenAi {
    fn shape(&self) -> Shape {
        Shape::OpenAi
    }

    fn limits(&self, model: &str) -> Option<&'static Limits> {
        match model {
            "sora-2" => Some(&SORA),
            "sora-2-pro" => Some(&SORA_PRO),
            _ => None,
        }
    }

    fn order(&self, asked: &Asked, model: &str) -> Result<Order, Failure> {
        let Some(limits) = self.limits(model) else {
            // A server of somebody's own: what it makes by itself is not known, and
            // would be billed.
            let seconds = asked.seconds.ok_or_else(|| {
                elsewhere(format!("duration: must be said, because it is not known how long films of {model} are otherwise"))
            })?;
            if asked.resolution.is_some() || asked.ratio.is_some() {
                return Err(elsewhere(format!(
                    "resolution, aspect_ratio: the provider of {model} is told sizes; say `size`"
                )));
            }
            if asked.last.is_some()
                || asked.references.len() > 1
                || asked.seed.is_some()
                || asked.audio.is_some()
            {
                return Err(elsewhere(format!(
                    "seed, generate_audio, last_frame and more than one reference: the provider of {model} has no words for them; remove them"
                )));
            }
            return Ok(Order {
                seconds,
                tier: asked.tier(),
                size: asked.size,
                resolution: None,
                ratio: None,
            });
        };
        check_wishes(asked, model, limits)?;
        if asked.first.is_some() && !asked.references.is_empty() {
            return Err(elsewhere(format!(
                "input_references: {model} takes one picture; send it, or a first_frame"
            )));
        }
        let size = size_of(asked, model, limits)?;
        Ok(Order {
            seconds: seconds(asked, model, limits)?,
            tier: asked.tier(),
            size: Some(size),
            resolution: None,
            ratio: None,
        })
    }

    fn write(&self, asked: &Asked, model: &str) -> Result<Written, Failure> {
        let order = self.order(asked, model)?;
        let mut body = Vec::new();
        let mut whole = Object::open(&mut body);
        whole.put("model", model);
        whole.put("prompt", &asked.prompt);
        whole.put("seconds", &order.seconds.to_string());
        if let Some((width, height)) = order.size {
            whole.put("size", &format!("{width}x{height}"));
        }
        if let Some(picture) = asked.first.as_ref().or(asked.references.first()) {
            let url = match picture {
                Picture::At(url) => url.clone(),
                Picture::Inline(kind, bytes) => format!("data:{kind};base64,{bytes}"),
            };
            whole.nested("input_reference", |out| {
                let mut reference = Object::open(out);
                reference.put("image_url", &url);
                reference.close();
            });
        }
        whole.close();
        Ok(Written {
            body: vec![body.into()],
            losses: Vec::new(),
        })
    }

    fn accepted(&self, body: &[u8]) -> Result<String, Failure> {
        let job: Job<'_> = serde_json::from_slice(body).map_err(|_| unreadable())?;
        let id = job.id.filter(|id| !id.contains('/'));
        checked_name(id.unwrap_or_default())
    }

    fn path(&self, name: &str) -> String {
        format!("videos/{name}")
    }

    fn progress(&self, name: &str, body: &[u8]) -> Result<Progress, Failure> {
        let job: Job<'_> = serde_json::from_slice(body).map_err(|_| unreadable())?;
        Ok(match job.status {
            Some("queued") => Progress::Waiting,
            Some("in_progress") => Progress::Working,
            Some("completed") => Progress::Done(Made {
                places: vec![format!("videos/{name}/content")],
                ms: told_ms(job.seconds.as_ref()),
                expires_at_s: job.expires_at,
            }),
            Some("failed" | "cancelled") => {
                let (code, message) = match job.error {
                    Some(error) => (error.code.unwrap_or_default(), error.message),
                    None => (String::new(), None),
                };
                Progress::Failed {
                    why: message.unwrap_or_else(|| "The provider gave no reason".to_owned()),
                    is_refusal: code.contains("moderation") || code.contains("policy"),
                }
            }
            _ => return Err(unreadable()),
        })
    }
}

/// A number of seconds, which OpenAI writes as a text.
fn told_ms(told: Option<&serde_json::Value>) -> Option<u64> {
    let told = told?;
    let seconds = told.as_u64().or_else(|| told.as_str()?.parse().ok())?;
    seconds.checked_mul(1_000)
}

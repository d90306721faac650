//! `/videos/{id}`, its content, and who makes films.
//!
//! Paths and shapes are OpenRouter's (its API document of 27 October 2026). A
//! job is its account's; to another it looks like one that is not there.

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use bourse_catalog::{Endpoint, Interface, Model, PriceKey, Snapshot};
use bourse_store::{VideoRow, VideoState};
use bourse_vocab::videos::Shape;
use bourse_vocab::{AccountId, Failure, FailureKind};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Value, json};
use std::collections::BTreeMap;

use crate::access::{Inferring, Public};
use crate::args::{Args, Segments};
use crate::backend::Film;
use crate::content::Wishes;
use crate::error::{Refused, Result, not_found};
use crate::pricing::with_markup;
use crate::reply::{Data, Reply, Written};
use crate::route::{Operation, Route};
use crate::schema::{Dollars, Schemas};
use crate::state::{ControlState, Shared};

/// The routes of this noun.
pub(crate) fn routes() -> Vec<Route> {
    let of_one = |summary| {
        Operation::new("Videos", summary).segment("job_id", "The job's id, as it was answered")
    };
    vec![
        Route::get(
            "/videos/models",
            Operation::new("Videos", "Lists models that make films"),
            models,
        ),
        Route::get(
            "/videos/{job_id}",
            of_one("Tells how far a film is").about(
                "pending, in_progress, and then completed with the paths of the films, failed with \
                 the reason, or expired where its provider does not say what became of it.",
            ),
            show,
        ),
        Route::get(
            "/videos/{job_id}/content",
            of_one("Reads a film")
                .about("Its bytes come from the provider, for as long as that keeps them.")
                .query(
                    "index",
                    "Which of the films, from 0",
                    &json!({"type": "integer", "minimum": 0, "default": 0}),
                ),
            content,
        ),
    ]
}

/// What a film cost.
#[derive(Serialize, JsonSchema)]
#[schemars(inline)]
#[allow(dead_code)] // It describes what is written elsewhere.
struct Usage {
    #[schemars(with = "Dollars")]
    cost: (),
    is_byok: bool,
}

/// Beyond OpenRouter's members.
#[derive(Serialize, JsonSchema)]
#[schemars(inline)]
#[allow(dead_code)] // It describes what is written elsewhere.
struct Ours {
    /// Whether the callback has its message: `pending`, `delivered` or `failed`
    callback: String,
}

/// A film that is made.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Video")]
#[allow(dead_code)] // It describes what is written elsewhere.
pub(crate) struct VideoBody {
    id: String,
    generation_id: String,
    polling_url: String,
    /// `pending`, `in_progress`, `completed`, `failed` or `expired`
    status: String,
    #[schemars(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
    #[schemars(skip_serializing_if = "Option::is_none")]
    unsigned_urls: Option<Vec<String>>,
    #[schemars(skip_serializing_if = "Option::is_none")]
    usage: Option<Usage>,
    #[schemars(skip_serializing_if = "Option::is_none")]
    bourse: Option<Ours>,
}

/// A job, as it was written.
struct Shown(Vec<u8>);

impl Reply for Shown {
    fn schema(schemas: &mut Schemas) -> Value {
        schemas.reply::<VideoBody>()
    }

    fn send(self, _: &Wishes) -> Response {
        let json = HeaderValue::from_static("application/json");
        ([(header::CONTENT_TYPE, json)], self.0).into_response()
    }
}

impl Reply for Film {
    const MEDIA: &'static str = "video/mp4";

    fn schema(_: &mut Schemas) -> Value {
        json!({"type": "string", "contentMediaType": "video/mp4"})
    }

    fn send(self, _: &Wishes) -> Response {
        let mut response = (StatusCode::OK, self.body).into_response();
        let headers = response.headers_mut();
        let usual = HeaderValue::from_static(Self::MEDIA);
        let media = HeaderValue::from_str(&self.media).unwrap_or(usual);
        headers.insert(header::CONTENT_TYPE, media);
        let nosniff = HeaderValue::from_static("nosniff");
        headers.insert(header::X_CONTENT_TYPE_OPTIONS, nosniff);
        if let Some(bytes) = self.bytes {
            headers.insert(header::CONTENT_LENGTH, HeaderValue::from(bytes));
        }
        response
    }
}

fn no_such_job() -> Refused {
    not_found("There is no such job")
}

async fn find(state: &ControlState, account: AccountId, id: &str) -> Result<VideoRow> {
    let id = id.parse().map_err(|_| no_such_job())?;
    let row = state.backend.store().video(id).await?;
    row.filter(|row| row.account == account)
        .ok_or_else(no_such_job)
}

async fn show(state: Shared, caller: Inferring, Segments([id]): Segments<1>) -> Result<Shown> {
    let row = find(&state, caller.account(), &id).await?;
    Ok(Shown(state.backend.video_answer(&row)?))
}

async fn content(
    state: Shared,
    caller: Inferring,
    Segments([id]): Segments<1>,
    args: Args,
) -> Result<Film> {
    let index = args.number("index")?.unwrap_or(0);
    let row = find(&state, caller.account(), &id).await?;
    match row.state {
        VideoState::Completed => {}
        VideoState::Failed | VideoState::Expired => {
            return Err(not_found("Nothing was made: GET /videos/{id} says why"));
        }
        _ => {
            return Err(Refused(Failure::new(
                FailureKind::Conflict,
                "The film is not made yet; ask GET /videos/{id} until its status is completed",
            )));
        }
    }
    let index = usize::try_from(index).unwrap_or(usize::MAX);
    Ok(state.backend.video_content(row, index).await?)
}

/// A model that makes films.
// OpenRouter's API document, October 2026.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "VideoModel")]
struct ModelBody<'a> {
    id: &'a str,
    canonical_slug: &'a str,
    name: &'a str,
    description: &'a str,
    /// Unix seconds of its release; 0 if that is not known
    created: u64,
    #[schemars(extend("nullable" = true))]
    supported_resolutions: Option<&'static [&'static str]>,
    #[schemars(extend("nullable" = true))]
    supported_aspect_ratios: Option<&'static [&'static str]>,
    #[schemars(extend("nullable" = true))]
    supported_sizes: Option<Vec<String>>,
    /// Seconds
    #[schemars(extend("nullable" = true))]
    supported_durations: Option<&'static [u64]>,
    #[schemars(extend("nullable" = true))]
    supported_frame_images: Option<&'static [&'static str]>,
    #[schemars(with = "()", extend("nullable" = true))]
    upscale_factor: (),
    #[schemars(with = "()", extend("nullable" = true))]
    creativity: (),
    #[schemars(extend("nullable" = true))]
    generate_audio: Option<bool>,
    #[schemars(extend("nullable" = true))]
    seed: Option<bool>,
    allowed_passthrough_parameters: [&'static str; 0],
    /// What a second costs, by size
    pricing_skus: BTreeMap<&'static str, String>,
}

fn makes(endpoint: &&Endpoint) -> bool {
    endpoint.interface == Interface::Videos && endpoint.is_callable()
}

/// What a model makes as its maker's interfaces go.
fn limits(model: &str) -> Option<&'static bourse_wire::videos::Limits> {
    let name = model.rsplit('/').next().unwrap_or(model);
    let shape = if name.starts_with("veo-") {
        Shape::Veo
    } else {
        Shape::OpenAi
    };
    bourse_wire::videos::codec(shape).limits(name)
}

fn body<'a>(model: &'a Model, endpoint: &'a Endpoint, markup_ppm: u64) -> ModelBody<'a> {
    let known = limits(&endpoint.upstream_model);
    let prices = &endpoint.prices.base;
    let sku = |key: PriceKey| {
        let price = with_markup(prices.get(key)?, markup_ppm);
        Some((key.public_name(), key.write_public(price)))
    };
    let keys = [
        PriceKey::VideoSecond,
        PriceKey::VideoSecond480p,
        PriceKey::VideoSecond1080p,
        PriceKey::VideoSecond4k,
    ];
    ModelBody {
        id: &model.slug,
        canonical_slug: &model.canonical_slug,
        name: &model.name,
        description: &model.description,
        created: model.created.unwrap_or(0),
        supported_resolutions: known.map(|known| known.resolutions),
        supported_aspect_ratios: known.map(|known| known.ratios),
        supported_sizes: known.filter(|known| !known.sizes.is_empty()).map(|known| {
            let sizes = known.sizes.iter();
            sizes
                .map(|(width, height)| format!("{width}x{height}"))
                .collect()
        }),
        supported_durations: known.map(|known| known.seconds),
        supported_frame_images: known.map(|known| known.frames),
        upscale_factor: (),
        creativity: (),
        generate_audio: known.map(|known| known.audio),
        seed: known.map(|known| known.seed),
        allowed_passthrough_parameters: [],
        pricing_skus: keys.into_iter().filter_map(sku).collect(),
    }
}

fn listed(catalog: &Snapshot, markup_ppm: u64) -> Vec<ModelBody<'_>> {
    let mut bodies: Vec<_> = catalog
        .models()
        .filter_map(|model| {
            let endpoint = catalog.endpoints(model.ix).iter().find(makes)?;
            Some(body(model, endpoint, markup_ppm))
        })
        .collect();
    bodies.sort_by(|one, other| one.id.cmp(other.id));
    bodies
}

async fn models(state: Shared, _: Public) -> Result<Written<Data<Vec<ModelBody<'static>>>>> {
    let catalog = state.backend.catalog();
    Written::of(&Data {
        data: listed(&catalog, state.backend.markup_ppm()),
    })
}

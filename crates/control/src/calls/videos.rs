//! Films.

use schemars::JsonSchema;

use super::Anything;

/// A picture that a film begins or ends with.
#[derive(JsonSchema)]
#[schemars(inline)]
struct Frame {
    #[schemars(rename = "type")]
    kind: String,
    /// An object with `url`: an address, or `data:image/png;base64,…`
    image_url: Anything,
    /// `first_frame` or `last_frame`
    frame_type: String,
}

/// A film to be made.
#[derive(JsonSchema)]
#[schemars(rename = "VideoRequest")]
pub(super) struct Request {
    model: String,
    /// Required unless frame_images say what is to be shown
    prompt: Option<String>,
    /// Seconds
    #[schemars(range(min = 1, max = 60))]
    duration: Option<u64>,
    /// `480p`, `720p`, `1080p`, `4K`, …
    resolution: Option<String>,
    /// `16:9`, `9:16`, …
    aspect_ratio: Option<String>,
    /// `1280x720`, in place of resolution and aspect_ratio
    size: Option<String>,
    frame_images: Option<Vec<Frame>>,
    input_references: Option<Vec<Anything>>,
    generate_audio: Option<bool>,
    seed: Option<u64>,
    /// An https address that is told when the film is made, or is not
    callback_url: Option<String>,
    provider: Option<Anything>,
    session_id: Option<String>,
    user: Option<String>,
}

/// A job that somebody has taken.
#[derive(JsonSchema)]
#[schemars(rename = "VideoTaken")]
pub(super) struct Reply {
    id: String,
    generation_id: String,
    /// Where it is asked after
    polling_url: String,
    /// `pending`
    status: String,
}

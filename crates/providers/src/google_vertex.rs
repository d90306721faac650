//! Google Vertex AI (docs.cloud.google.com/vertex-ai/generative-ai, November
//! 2026; platform.claude.com, "Claude on Vertex AI", November 2026).
//!
//! Models of several makers behind one address and one identity, each spoken
//! to as its maker does: Gemini and Imagen in Google's format, Claude in
//! Anthropic's with the model in the address, and open models over an address
//! that imitates OpenAI's. Project and location are part of every address.
//! In express mode there is neither, and an API key.

use std::borrow::Cow;
use std::sync::Arc;

use bourse_vocab::embeddings::Shape;
use bourse_vocab::{Failure, Format, Operation, images};
use bourse_wire::dialect::TierWords;
use bourse_wire::{Dialect, ErrorReply, codec};

use crate::identity::{self, Found, Surroundings, Wanted};
use crate::place::is_region;
use crate::provider::{Address, Attempt, Disconnect, Interface, Provider, versioned};
use crate::sigv4::segment;
use crate::{Credential, Headers, Key, Place, anthropic, dialects, google_ai_studio};

/// Where nothing else is said. Newer models are sold there alone ("Locations",
/// November 2026).
const LOCATION: &str = "global";
const BASE_URL: &str = "https://aiplatform.googleapis.com/v1";

/// Google Vertex AI, in one of its locations.
#[derive(Debug, Clone)]
pub struct GoogleVertex {
    location: Cow<'static, str>,
    base_url: Cow<'static, str>,
    /// `None` in express mode.
    project: Option<String>,
}

/// Who made a model, as far as addresses differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Maker {
    Google,
    Anthropic,
    Mistral,
    /// Others, whose names begin with their maker's: `meta/llama-…`.
    Open,
}

/// Claude: the model stands in the address, and the version in the body. Neither
/// tiers of service nor betas of Anthropic's own are promised, so that what only
/// a beta understands is not sent.
static CLAUDE: Dialect = Dialect {
    tiers: TierWords::NONE,
    betas: None,
    rejects: &["context_management"],
    instead_of_model: Some(("anthropic_version", "vertex-2023-10-16")),
    ..anthropic::DIALECT
};

/// Google's format. Tiers of service are asked for by headers here
/// ("Flex PayGo" and "Priority PayGo", November 2026), which is not spoken: they
/// are not sold.
static GOOGLES: Dialect = Dialect {
    tiers: TierWords::NONE,
    ..Dialect::PLAIN
};

const GEMINI: &[Interface] = &[
    Interface::chat(Format::Gemini),
    Interface::images(images::Shape::Imagen, Format::Gemini),
];
const EMBEDDINGS: &[Interface] = &[Interface::embeddings(Shape::Vertex, Format::Gemini)];
const MESSAGES: &[Interface] = &[Interface::chat(Format::Anthropic)];
const OPEN: &[Interface] = &[Interface::chat(Format::OpenAiChat)];

/// By its name: Google's and Anthropic's have no maker in front, and Mistral's
/// do not either ("Mistral AI models", November 2026).
fn maker(model: &str) -> Maker {
    let is_mistrals = ["mistral-", "codestral", "ministral"]
        .iter()
        .any(|begin| model.starts_with(begin));
    if model.starts_with("claude-") {
        Maker::Anthropic
    } else if model.contains('/') {
        Maker::Open
    } else if is_mistrals {
        Maker::Mistral
    } else {
        Maker::Google
    }
}

fn makes_vectors(model: &str) -> bool {
    model.contains("embedding")
}

impl GoogleVertex {
    /// Where nothing else is said.
    pub const DEFAULT: Self = Self {
        location: Cow::Borrowed(LOCATION),
        base_url: Cow::Borrowed(BASE_URL),
        project: None,
    };

    /// The host of a location: one for the world, one for each of two parts of
    /// it, one for each region ("Locations" and "Global endpoint", November 2026).
    fn at(location: &str, project: Option<String>) -> Self {
        let host = match location {
            LOCATION => "aiplatform.googleapis.com".to_owned(),
            "us" | "eu" => format!("aiplatform.{location}.rep.googleapis.com"),
            region => format!("{region}-aiplatform.googleapis.com"),
        };
        Self {
            base_url: format!("https://{host}/v1").into(),
            location: location.to_owned().into(),
            project,
        }
    }
}

impl Provider for GoogleVertex {
    fn slug(&self) -> &str {
        "google-vertex"
    }

    fn name(&self) -> &str {
        "Google"
    }

    // The key of express mode ("Vertex AI in express mode", November 2026).
    fn env(&self) -> &[&'static str] {
        &["GOOGLE_VERTEX_API_KEY"]
    }

    fn base_url(&self) -> Option<&str> {
        Some(&self.base_url)
    }

    fn placed(&self, place: &Place) -> Result<Option<Arc<dyn Provider>>, String> {
        if place.is_empty() {
            return Ok(None);
        }
        let location = place.region.as_deref().unwrap_or(LOCATION);
        if !is_region(location) {
            return Err(format!("`{location}` is no location of Google's"));
        }
        let project = place.project.as_deref();
        if let Some(project) = project.filter(|project| !is_project(project)) {
            return Err(format!("`{project}` is no id of a project"));
        }
        if project.is_none() && location != LOCATION {
            return Err("a location takes a project; say `project`".to_owned());
        }
        Ok(Some(Arc::new(Self::at(
            location,
            project.map(str::to_owned),
        ))))
    }

    fn needs_project(&self) -> bool {
        true
    }

    /// Express mode has Google's own models alone. One that makes vectors of more
    /// than text is asked in another way, which is not spoken.
    fn serves(&self, model: &str) -> bool {
        let is_spoken = !model.starts_with("gemini-embedding-2");
        is_spoken && (self.project.is_some() || maker(model) == Maker::Google)
    }

    fn interfaces(&self, model: &str) -> &[Interface] {
        match maker(model) {
            Maker::Google if makes_vectors(model) => EMBEDDINGS,
            Maker::Google => GEMINI,
            Maker::Anthropic => MESSAGES,
            Maker::Mistral | Maker::Open => OPEN,
        }
    }

    fn dialect(&self, _format: Format, model: &str) -> &Dialect {
        static OPEN_MODELS: Dialect = Dialect::PLAIN;
        static MISTRALS: Dialect = dialects::MISTRAL;
        match maker(model) {
            Maker::Google => &GOOGLES,
            Maker::Anthropic => &CLAUDE,
            Maker::Mistral => &MISTRALS,
            Maker::Open => &OPEN_MODELS,
        }
    }

    fn dialects(&self, format: Format) -> Vec<&Dialect> {
        let models: &[&str] = match format {
            Format::Anthropic => &["claude-m"],
            Format::OpenAiChat => &["meta/m", "mistral-m"],
            _ => &["m"],
        };
        let dialects = models.iter().map(|model| self.dialect(format, model));
        dialects.collect()
    }

    fn address(&self, attempt: &Attempt<'_>) -> Address {
        let place = versioned(attempt.base_path, "v1");
        let place = match &self.project {
            Some(project) => format!("{place}/projects/{project}/locations/{}", self.location),
            None => place,
        };
        let model = attempt.model;
        let verb = match (attempt.interface.operation, maker(model)) {
            (_, Maker::Open) => {
                return Address {
                    path: format!("{place}/endpoints/openapi/chat/completions"),
                    headers: Headers::new(),
                };
            }
            (Operation::Embeddings(_) | Operation::Images(_), _) => "predict",
            (_, Maker::Google) if attempt.stream => "streamGenerateContent?alt=sse",
            (_, Maker::Google) => "generateContent",
            _ if attempt.stream => "streamRawPredict",
            _ => "rawPredict",
        };
        let publisher = match maker(model) {
            Maker::Google | Maker::Open => "google",
            Maker::Anthropic => "anthropic",
            Maker::Mistral => "mistralai",
        };
        // A version behind `@` is part of the name, and stands so in addresses.
        let model = segment(model).replace("%40", "@");
        Address {
            path: format!("{place}/publishers/{publisher}/models/{model}:{verb}"),
            headers: Headers::new(),
        }
    }

    fn credential(&self, key: Key) -> Credential {
        google_ai_studio::credential(key)
    }

    fn find_credentials(
        &self,
        wanted: &Wanted,
        around: &dyn Surroundings,
    ) -> Result<Found, String> {
        identity::find_google(wanted, around)
    }

    fn on_disconnect(&self) -> Disconnect {
        Disconnect::Drain
    }

    /// What the model did not say is said by Google, in Google's words, whatever
    /// the model's format.
    fn read_failure(&self, format: Format, reply: &ErrorReply<'_>) -> Failure {
        let format = if is_googles(reply.body) {
            Format::Gemini
        } else {
            format
        };
        codec(format).read_failure(reply)
    }
}

/// Google's errors have a number and a status ("Errors", google.aip.dev/193).
fn is_googles(body: &[u8]) -> bool {
    let json: Option<serde_json::Value> = serde_json::from_slice(body).ok();
    let error = json.as_ref().and_then(|json| {
        let error = json.get("error").or_else(|| json.get(0)?.get("error"))?;
        error.get("status")?.as_str()
    });
    error.is_some()
}

/// Ids of projects, those of domains included ("Creating and managing
/// projects", November 2026), and numbers of projects.
fn is_project(name: &str) -> bool {
    (1..=63).contains(&name.len())
        && name.bytes().all(|byte| {
            byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-.:".contains(&byte)
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn placed(region: Option<&str>, project: Option<&str>) -> Result<Arc<dyn Provider>, String> {
        let place = Place {
            region: region.map(str::to_owned),
            project: project.map(str::to_owned),
        };
        let placed = GoogleVertex::DEFAULT.placed(&place)?;
        Ok(placed.unwrap_or_else(|| Arc::new(GoogleVertex::DEFAULT)))
    }

    fn path(provider: &dyn Provider, model: &str, stream: bool) -> String {
        let interface = provider.interfaces(model)[0];
        let attempt = Attempt {
            interface,
            model,
            stream,
            base_path: "/v1",
        };
        provider.address(&attempt).path
    }

    #[test]
    fn a_location_is_part_of_the_host_and_of_the_path_or_refused() {
        for (region, host) in [
            (None, "aiplatform.googleapis.com"),
            (Some("global"), "aiplatform.googleapis.com"),
            (
                Some("europe-west4"),
                "europe-west4-aiplatform.googleapis.com",
            ),
            (Some("eu"), "aiplatform.eu.rep.googleapis.com"),
        ] {
            let provider = placed(region, Some("my-project")).unwrap();
            assert_eq!(provider.base_url().unwrap(), format!("https://{host}/v1"));
            let location = region.unwrap_or("global");
            let path = path(&*provider, "gemini-2.5-flash", false);
            let begin = format!("/v1/projects/my-project/locations/{location}/publishers/google/");
            assert!(path.starts_with(&begin), "{path}");
        }
        for (region, project) in [
            (Some("EU"), Some("p")),
            (Some("a.example/"), Some("p")),
            (Some("europe-west4"), None),
            (None, Some("a/b")),
            (None, Some("")),
        ] {
            assert!(placed(region, project).is_err(), "{region:?} {project:?}");
        }
    }

    #[test]
    fn each_makers_models_are_where_they_are_documented() {
        let vertex = placed(Some("us-east5"), Some("p")).unwrap();
        let begin = "/v1/projects/p/locations/us-east5";
        for (model, whole, streamed) in [
            (
                "gemini-3.5-flash",
                "/publishers/google/models/gemini-3.5-flash:generateContent",
                "/publishers/google/models/gemini-3.5-flash:streamGenerateContent?alt=sse",
            ),
            (
                "claude-opus-4-5@20251101",
                "/publishers/anthropic/models/claude-opus-4-5@20251101:rawPredict",
                "/publishers/anthropic/models/claude-opus-4-5@20251101:streamRawPredict",
            ),
            (
                "mistral-small-2503",
                "/publishers/mistralai/models/mistral-small-2503:rawPredict",
                "/publishers/mistralai/models/mistral-small-2503:streamRawPredict",
            ),
            (
                "meta/llama-4-scout-17b-16e-instruct-maas",
                "/endpoints/openapi/chat/completions",
                "/endpoints/openapi/chat/completions",
            ),
            (
                "text-embedding-005",
                "/publishers/google/models/text-embedding-005:predict",
                "/publishers/google/models/text-embedding-005:predict",
            ),
        ] {
            assert_eq!(path(&*vertex, model, false), format!("{begin}{whole}"));
            assert_eq!(path(&*vertex, model, true), format!("{begin}{streamed}"));
        }
    }

    #[test]
    fn express_mode_has_googles_models_alone() {
        let express = placed(None, None).unwrap();
        assert_eq!(
            path(&*express, "gemini-2.5-flash", false),
            "/v1/publishers/google/models/gemini-2.5-flash:generateContent"
        );
        let whole = placed(None, Some("p")).unwrap();
        for (model, in_express, in_project) in [
            ("gemini-2.5-flash", true, true),
            ("claude-opus-5", false, true),
            ("xai/grok-4.20-reasoning", false, true),
            ("codestral-2", false, true),
            ("gemini-embedding-001", true, true),
            ("gemini-embedding-2", false, false),
        ] {
            assert_eq!(express.serves(model), in_express, "{model}");
            assert_eq!(whole.serves(model), in_project, "{model}");
        }
    }

    #[test]
    fn errors_of_the_cloud_are_understood_before_any_model() {
        let read = |format, status, body: &str| {
            let reply = ErrorReply {
                status,
                body: body.as_bytes(),
                retry_after: None,
            };
            GoogleVertex::DEFAULT.read_failure(format, &reply)
        };
        let quota =
            r#"[{"error":{"code":429,"message":"Quota exceeded","status":"RESOURCE_EXHAUSTED"}}]"#;
        for format in [Format::Anthropic, Format::OpenAiChat, Format::Gemini] {
            let failure = read(format, 429, quota);
            assert_eq!(failure.kind, bourse_vocab::FailureKind::RateLimited);
        }
        let own = r#"{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}"#;
        let failure = read(Format::Anthropic, 529, own);
        assert_eq!(failure.kind, bourse_vocab::FailureKind::Overloaded);
    }
}

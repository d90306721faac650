//! What the caller asks: the body is scanned as it arrives, the prompt in it
//! is neither parsed nor copied.

use bourse_catalog::Parameter;
use bourse_catalog::{Modalities, Modality, Parameters};
use bourse_routing::filter::Needs;
use bourse_routing::preferences::Preferences;
use bourse_vocab::{Failure, PromptFacts};
use bourse_wire::json::{Features, Scanner};
use bourse_wire::openai_chat::completions;
use bourse_wire::openai_chat::passthrough::{Envelope, Param};
use bytes::Bytes;
use http::header::{CONTENT_ENCODING, CONTENT_LENGTH, HeaderMap, HeaderName, REFERER, USER_AGENT};
use http_body::Body;

use super::body::{collect, too_large};
use super::plan::MODELS_MAX;
use crate::ask::{Ask, Attribution, Shape, Source};
use crate::gateway::CallLimits;
use crate::pipeline::is_enabled;

/// Longest attribution header that is kept, in characters.
const ATTRIBUTION_CHARS_MAX: usize = 256;

/// Reads a request.
pub async fn read<B>(
    shape: Shape,
    headers: &HeaderMap,
    body: B,
    limits: &CallLimits,
) -> Result<Ask, Failure>
where
    B: Body<Data = Bytes> + Unpin,
    B::Error: std::fmt::Display,
{
    if headers
        .get(CONTENT_ENCODING)
        .is_some_and(|encoding| encoding != "identity")
    {
        return Err(Failure::invalid(
            "Content-Encoding: compressed request bodies are not accepted; send the JSON as it is",
        ));
    }
    let announced = headers
        .get(CONTENT_LENGTH)
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.parse::<usize>().ok());
    if announced.is_some_and(|length| length > limits.body_bytes_max) {
        return Err(too_large(limits));
    }
    match shape {
        Shape::Chat => {
            let mut scanner = Scanner::new();
            let segments = collect(body, limits, |piece| {
                scanner.push(piece).map_err(Failure::from)
            })
            .await?;
            let outline = scanner.finish()?;
            let envelope = Box::new(Envelope::read(outline, &segments)?);
            chat(headers, envelope, segments)
        }
        Shape::Completion => {
            let segments = collect(body, limits, |_| Ok(())).await?;
            completion(headers, &segments.concat())
        }
    }
}

fn chat(
    headers: &HeaderMap,
    mut envelope: Box<Envelope>,
    segments: Vec<Bytes>,
) -> Result<Ask, Failure> {
    if envelope.is_prompt() {
        return Err(Failure::invalid(
            "prompt: send it to /api/v1/completions, or send messages here",
        ));
    }
    refuse_what_is_not_offered(&envelope)?;
    let wishes = match &envelope.provider {
        Some(json) => Preferences::read(std::str::from_utf8(json).unwrap_or(""))?,
        None => Preferences::default(),
    };
    let features = envelope.features();
    let models = models(envelope.model.clone(), &envelope.models)?;
    let mut attribution = attribution(headers);
    if let Some(session) = &envelope.session_id {
        attribution.session_id.clone_from(session);
    }
    attribution.user = envelope.user.clone().unwrap_or_default();
    let output = output_modalities(&envelope, &segments)?;
    Ok(Ask {
        shape: Shape::Chat,
        needs: Needs {
            input: input_modalities(features),
            output,
            parameters: parameters(&envelope),
            text_bytes: envelope.facts.text_bytes,
            max_output: envelope.max_tokens,
        },
        models,
        wishes,
        stream: envelope.stream,
        answers: envelope.n,
        max_output: envelope.max_tokens,
        facts: std::mem::take(&mut envelope.facts),
        hides_reasoning: envelope
            .reasoning
            .as_ref()
            .is_some_and(|reasoning| reasoning.exclude),
        wants_metadata: wants_metadata(headers),
        attribution,
        source: Source::Chat { envelope, segments },
    })
}

/// Members of a text completion request that no model sees.
#[derive(serde::Deserialize)]
struct ForTheGateway<'a> {
    #[serde(borrow)]
    provider: Option<&'a serde_json::value::RawValue>,
    #[serde(default)]
    models: Vec<String>,
    session_id: Option<String>,
}

fn completion(headers: &HeaderMap, body: &[u8]) -> Result<Ask, Failure> {
    let request = completions::read_completion_request(body)?;
    // What is for the gateway and not for a model.
    let gateway: ForTheGateway<'_> = serde_json::from_slice(body)
        .map_err(|error| Failure::invalid(format!("The request body: {error}")))?;
    let wishes = match gateway.provider {
        Some(json) => Preferences::read(json.get())?,
        None => Preferences::default(),
    };
    let mut attribution = attribution(headers);
    attribution.session_id = gateway.session_id.unwrap_or(attribution.session_id);
    attribution.user = request.user.clone().unwrap_or_default();
    let text = Modalities::of(&[Modality::Text]);
    let facts = PromptFacts::of(&request);
    Ok(Ask {
        shape: Shape::Completion,
        needs: Needs {
            input: text,
            output: text,
            parameters: Parameters::EMPTY,
            text_bytes: facts.text_bytes,
            max_output: request.max_tokens,
        },
        models: models(Some(request.model.clone()), &gateway.models)?,
        wishes,
        stream: request.stream,
        answers: request.sampling.n.unwrap_or(1),
        max_output: request.max_tokens,
        facts,
        hides_reasoning: false,
        wants_metadata: wants_metadata(headers),
        attribution,
        source: Source::Parsed(Box::new(request)),
    })
}

fn models(first: Option<String>, more: &[String]) -> Result<Vec<String>, Failure> {
    let mut models: Vec<String> = first
        .into_iter()
        .filter(|model| !model.is_empty())
        .collect();
    for model in more {
        if !models.contains(model) {
            models.push(model.clone());
        }
    }
    if models.is_empty() {
        return Err(Failure::invalid(
            "model: required; GET /api/v1/models lists them",
        ));
    }
    if models.len() > MODELS_MAX {
        return Err(Failure::invalid(format!(
            "models: at most {MODELS_MAX} entries"
        )));
    }
    Ok(models)
}

/// What OpenRouter offers beside models and this server does not. It is
/// refused, because an answer without it would look like one with it.
fn refuse_what_is_not_offered(envelope: &Envelope) -> Result<(), Failure> {
    if let Some(preset) = &envelope.preset {
        return Err(Failure::invalid(format!(
            "preset: there is no preset `{preset}` on this server; send its parameters instead"
        )));
    }
    let is_empty = |json: &Bytes| {
        json.iter()
            .all(|b| matches!(b, b'[' | b']') || b.is_ascii_whitespace())
    };
    if envelope
        .plugins
        .as_ref()
        .is_some_and(|plugins| !is_empty(plugins))
    {
        return Err(Failure::invalid(
            "plugins: this server runs no plugins; remove this field or send an empty list",
        ));
    }
    if envelope
        .transforms
        .as_ref()
        .is_some_and(|transforms| !is_empty(transforms))
    {
        return Err(Failure::invalid(
            "transforms: prompts are never rewritten here; remove this field or send an empty list",
        ));
    }
    Ok(())
}

fn input_modalities(features: Features) -> Modalities {
    [
        (true, Modality::Text),
        (features.image, Modality::Image),
        (features.audio, Modality::Audio),
        (features.file, Modality::File),
        (features.video, Modality::Video),
    ]
    .into_iter()
    .filter_map(|(present, modality)| present.then_some(modality))
    .collect()
}

fn output_modalities(envelope: &Envelope, segments: &[Bytes]) -> Result<Modalities, Failure> {
    let Some(raw) = envelope.raw(Param::Modalities, segments) else {
        return Ok(Modalities::of(&[Modality::Text]));
    };
    let names: Vec<String> = serde_json::from_slice(&raw)
        .map_err(|_| Failure::invalid("modalities: an array such as [\"text\", \"image\"]"))?;
    names
        .iter()
        .map(|name| match name.as_str() {
            "text" => Ok(Modality::Text),
            "image" => Ok(Modality::Image),
            "audio" => Ok(Modality::Audio),
            other => Err(Failure::invalid(format!(
                "modalities: `{other}` is not one of text, image, audio"
            ))),
        })
        .collect()
}

fn parameters(envelope: &Envelope) -> Parameters {
    envelope
        .params
        .iter()
        .filter_map(|param| Parameter::by_name(param.name()))
        .collect()
}

fn wants_metadata(headers: &HeaderMap) -> bool {
    is_enabled(headers, "x-openrouter-metadata")
        || is_enabled(headers, "x-openrouter-experimental-metadata")
}

fn attribution(headers: &HeaderMap) -> Attribution {
    let text = |name: &HeaderName| {
        headers
            .get(name)
            .and_then(|value| value.to_str().ok())
            .map(|value| {
                value
                    .chars()
                    .take(ATTRIBUTION_CHARS_MAX)
                    .collect::<String>()
            })
    };
    const TITLE: HeaderName = HeaderName::from_static("x-openrouter-title");
    const OLD_TITLE: HeaderName = HeaderName::from_static("x-title");
    const SESSION: HeaderName = HeaderName::from_static("x-session-id");
    Attribution {
        referer: text(&HeaderName::from_static("http-referer"))
            .or_else(|| text(&REFERER))
            .unwrap_or_default(),
        title: text(&TITLE)
            .or_else(|| text(&OLD_TITLE))
            .unwrap_or_default(),
        user_agent: text(&USER_AGENT).unwrap_or_default(),
        session_id: text(&SESSION).unwrap_or_default(),
        user: String::new(),
    }
}

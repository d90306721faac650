//! What a request asks for, as far as the gateway must know it.

use bourse_catalog::{Modalities, Modality, Parameter, Parameters};
use bourse_routing::filter::Needs;
use bourse_routing::lengths::Form;
use bourse_routing::preferences::Preferences;
use bourse_vocab::{Failure, FailureKind, TierWish, Units};
use bourse_wire::gemini::passthrough::Envelope;
use bytes::Bytes;
use http::HeaderMap;
use http::request::Parts;

use super::super::not_offered::NotOffered;
use super::address;
use crate::ask::{self, Ask, Attribution, Labels, Options, Thinking};

/// What an endpoint of the catalogue must take, in the words in which it says
/// what it takes, by the members of `generationConfig`.
const PARAMETERS: [(&str, Parameter); 10] = [
    ("maxOutputTokens", Parameter::MaxTokens),
    ("temperature", Parameter::Temperature),
    ("topP", Parameter::TopP),
    ("topK", Parameter::TopK),
    ("stopSequences", Parameter::Stop),
    ("seed", Parameter::Seed),
    ("presencePenalty", Parameter::PresencePenalty),
    ("frequencyPenalty", Parameter::FrequencyPenalty),
    ("responseLogprobs", Parameter::Logprobs),
    ("thinkingConfig", Parameter::Reasoning),
];

/// Reads what is asked for.
pub(super) fn read(
    head: &Parts,
    envelope: &mut Envelope,
    segments: &[Bytes],
    stream: bool,
) -> Result<Box<Ask>, Failure> {
    NotOffered {
        debug: envelope.raw("debug", segments).as_deref(),
        preset: envelope.text("preset", segments).as_deref(),
        plugins: envelope.raw("plugins", segments).as_deref(),
        transforms: envelope.raw("transforms", segments).as_deref(),
    }
    .refuse()?;
    let headers = &head.headers;
    let wishes = match envelope.raw("provider", segments) {
        Some(json) => Preferences::read(std::str::from_utf8(&json).unwrap_or(""))?,
        None => Preferences::default(),
    };
    let tier = tier(envelope, segments)?;
    let attribution = attribution(headers, envelope, segments)?;
    let is_named = !attribution.conversation().is_empty() || !wishes.order.is_empty();
    let opener = (!is_named).then(|| envelope.opener(segments)).flatten();
    let answers = envelope.config.answers.unwrap_or(1);
    Ok(Box::new(Ask {
        needs: Needs {
            input: ask::input_modalities(&envelope.facts),
            output: output(&envelope.config.modalities)?,
            parameters: parameters(envelope),
            text_bytes: envelope.facts.text_bytes,
            max_output: envelope.config.max_tokens,
        },
        models: models(head, envelope, segments)?,
        wishes,
        stream,
        answers,
        max_output: envelope.config.max_tokens,
        form: form(envelope),
        units: Units::default(),
        thinking: Thinking::asked(envelope.config.reasoning.as_ref()),
        tier,
        search: None,
        facts: std::mem::take(&mut envelope.facts),
        options: Options::by_headers(headers, answers)?,
        opener,
        attribution,
    }))
}

/// The model of the address, and those that may answer in its place.
pub(super) fn models(
    head: &Parts,
    envelope: &Envelope,
    segments: &[Bytes],
) -> Result<Vec<String>, Failure> {
    let named = address::model(head.uri.path()).ok_or_else(|| {
        Failure::new(
            FailureKind::NotFound,
            "the address must name a model: /v1beta/models/{model}:generateContent",
        )
    })?;
    if let Some(model) = envelope.text("model", segments) {
        let bare = model.strip_prefix("models/").unwrap_or(&model);
        if named != bare && named.strip_prefix("google/") != Some(bare) {
            return Err(Failure::invalid(
                "model: is another than the address names; leave it out",
            ));
        }
    }
    let more: Vec<String> = match envelope.raw("models", segments) {
        Some(raw) => serde_json::from_slice(&raw)
            .map_err(|_| Failure::invalid("models: must be an array of model names"))?,
        None => Vec::new(),
    };
    ask::models(Some(named), &more)
}

/// Google's libraries name the usual service `standard`.
fn tier(envelope: &Envelope, segments: &[Bytes]) -> Result<TierWish, Failure> {
    let Some(word) = envelope.text("serviceTier", segments) else {
        return Ok(TierWish::default());
    };
    let word = word.to_ascii_lowercase();
    match word.as_str() {
        "service_tier_unspecified" | "unspecified" => Ok(TierWish::default()),
        word => TierWish::read(word),
    }
}

fn attribution(
    headers: &HeaderMap,
    envelope: &Envelope,
    segments: &[Bytes],
) -> Result<Attribution, Failure> {
    let mut attribution = Attribution::by_headers(headers);
    if let Some(session) = envelope.text("sessionId", segments) {
        attribution.session_id = session;
    }
    attribution.user = envelope.text("user", segments).unwrap_or_default();
    let labels = Labels {
        metadata: envelope.raw("labels", segments),
        trace: envelope.raw("trace", segments),
    };
    attribution.labels = labels.write(headers)?;
    Ok(attribution)
}

fn output(modalities: &[String]) -> Result<Modalities, Failure> {
    let modalities = modalities
        .iter()
        .filter(|name| *name != "modality_unspecified");
    let read = modalities.map(|name| match name.as_str() {
        "text" => Ok(Modality::Text),
        "image" => Ok(Modality::Image),
        "audio" => Ok(Modality::Audio),
        other => Err(Failure::invalid(format!(
            "generationConfig.responseModalities: `{other}` is not one of TEXT, IMAGE, AUDIO"
        ))),
    });
    let read: Vec<Modality> = read.collect::<Result<_, _>>()?;
    Ok(Modalities::of(if read.is_empty() {
        &[Modality::Text]
    } else {
        &read
    }))
}

fn form(envelope: &Envelope) -> Form {
    if envelope.facts.tools > 0 {
        Form::Tools
    } else if envelope.config.is_json {
        Form::Structured
    } else {
        Form::Text
    }
}

fn parameters(envelope: &Envelope) -> Parameters {
    let config = &envelope.config;
    let said = PARAMETERS
        .into_iter()
        .filter_map(|(name, parameter)| config.says(name).then_some(parameter));
    let others = [
        (envelope.facts.tools > 0, Parameter::Tools),
        (config.chooses_tools(), Parameter::ToolChoice),
        (config.is_json, Parameter::ResponseFormat),
        (config.has_schema, Parameter::StructuredOutputs),
    ];
    said.chain(
        others
            .into_iter()
            .filter_map(|(is_said, parameter)| is_said.then_some(parameter)),
    )
    .collect()
}

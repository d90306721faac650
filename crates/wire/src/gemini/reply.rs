//! Whole answers: GenerateContentResponse (Gemini API reference, October
//! 2026).

mod grounding;
mod logprobs;

use bourse_vocab::chat::{Choice, Finish, Media, Part, ReasoningKind, Reply};
use bourse_vocab::failure::UpstreamError;
use bourse_vocab::json;
use bourse_vocab::json::{Map, Value};
use bourse_vocab::{Failure, FailureKind, Usage};

pub use grounding::{annotations, searches, write as write_grounding};
pub use logprobs::{read as read_logprobs, write as write_logprobs};

use super::part::{self, Said, Signer};
use super::{failure, seal, text, usage};
use crate::codec::Stamp;

/// More answers than any model gives: `candidateCount` ends at 8.
pub const CHOICES_MAX: u64 = 128;

/// Reads a provider's whole reply.
pub fn read(body: &[u8]) -> Result<Reply, Failure> {
    let value = bourse_vocab::json::parse(body).map_err(|error| {
        Failure::unavailable("The provider sent a reply that is not JSON").inside(error.to_string())
    })?;
    if let Some(error) = failure::error_of(&value) {
        return Err(failure::read_late(error));
    }
    let candidates = value.get("candidates").and_then(Value::as_array);
    let Some(candidates) = candidates.filter(|candidates| !candidates.is_empty()) else {
        return Err(blocked(&value).unwrap_or_else(|| {
            Failure::unavailable("The provider sent a reply without an answer")
        }));
    };
    // Many may claim one index.
    if candidates.len() as u64 > CHOICES_MAX {
        return Err(Failure::unavailable("The provider sent too many answers"));
    }
    let upstream_id = text(&value, "responseId").map(str::to_owned);
    let mut choices = Vec::with_capacity(candidates.len());
    for (position, candidate) in candidates.iter().enumerate() {
        choices.push(choice(candidate, position, upstream_id.as_deref())?);
    }
    let mut usage = value.get("usageMetadata").map(usage::read);
    let searches: u64 = candidates.iter().map(searches).sum();
    if let (Some(report), 1..) = (&mut usage, searches) {
        report.web_searches = Some(searches);
    }
    Ok(Reply {
        upstream_id,
        upstream_model: text(&value, "modelVersion").map(str::to_owned),
        system_fingerprint: None,
        service_tier: value.get("usageMetadata").and_then(usage::tier),
        choices,
        usage,
        settled: None,
    })
}

/// The failure of a prompt that was refused, if it was.
pub fn blocked(value: &Value) -> Option<Failure> {
    let feedback = value.get("promptFeedback")?;
    let reason = text(feedback, "blockReason")?;
    Some(
        Failure::new(
            FailureKind::ContentPolicy,
            format!("The provider's content policy refused the prompt ({reason})"),
        )
        .upstream(UpstreamError {
            provider: None,
            status: None,
            code: Some(crate::failure_text::cut(reason, 64).to_owned()),
            request_id: None,
            raw: None,
            refused_us: false,
            is_unpaid: false,
        }),
    )
}

/// Which answer a candidate is.
pub fn index_of(candidate: &Value, position: usize) -> Result<u32, Failure> {
    let index = match candidate.get("index") {
        None | Some(Value::Null) => u64::try_from(position).ok(),
        Some(index) => index.as_u64(),
    };
    index
        .filter(|index| *index < CHOICES_MAX)
        .and_then(|index| u32::try_from(index).ok())
        .ok_or_else(|| Failure::unavailable("The provider sent an answer with a nonsense index"))
}

/// The parts of a candidate.
pub fn parts_of(candidate: &Value) -> impl Iterator<Item = &Value> {
    candidate
        .get("content")
        .and_then(|content| content.get("parts"))
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
}

fn choice(candidate: &Value, position: usize, response: Option<&str>) -> Result<Choice, Failure> {
    let mut parts = Vec::new();
    let mut calls = 0;
    let mut audio = None;
    for part in parts_of(candidate) {
        let (signature, said) = part::read(part);
        let id = match &said {
            Said::Call { id, name, .. } => {
                let id = id.clone();
                Some(id.unwrap_or_else(|| part::call_id(response, calls, name)))
            }
            _ => None,
        };
        if let Some(signature) = signature {
            let kind = ReasoningKind::Encrypted(signature);
            parts.push(part::reasoning(kind, id.clone()));
        }
        match said {
            Said::Nothing => {}
            Said::Text(more) => push_text(&mut parts, more),
            Said::Thought(more) => push_thought(&mut parts, more),
            Said::Call {
                name, arguments, ..
            } => {
                calls += 1;
                parts.push(Part::ToolCall {
                    id: id.unwrap_or_default(),
                    name,
                    arguments,
                });
            }
            Said::Media { mime, data } if mime.starts_with("image/") => {
                parts.push(part::media(mime, data));
            }
            Said::Media { mime, data } if mime.starts_with("audio/") && audio.is_none() => {
                audio = Some(self::audio(&mime, &data));
            }
            Said::Media { .. } | Said::Other => parts.push(part::opaque(part)),
        }
    }
    let native = text(candidate, "finishReason").map(str::to_owned);
    Ok(Choice {
        index: index_of(candidate, position)?,
        finish: native.as_deref().map(|native| finish(native, calls > 0)),
        native_finish: native,
        logprobs: candidate.get("logprobsResult").and_then(logprobs::read),
        annotations: annotations(candidate),
        parts,
        audio,
    })
}

fn push_text(parts: &mut Vec<Part>, more: String) {
    match parts.last_mut() {
        Some(Part::Text { text, .. }) => text.push_str(&more),
        _ => parts.push(Part::text(more)),
    }
}

fn push_thought(parts: &mut Vec<Part>, more: String) {
    if let Some(Part::Reasoning(last)) = parts.last_mut()
        && let ReasoningKind::Text { text, .. } = &mut last.kind
    {
        text.push_str(&more);
        return;
    }
    parts.push(part::reasoning(part::thought(more), None));
}

/// Speech, as much of OpenAI's `audio` object as there is.
pub fn audio(mime: &str, data: &str) -> Value {
    let format = mime.strip_prefix("audio/").unwrap_or(mime);
    json!({"data": data, "format": format})
}

/// Why an answer ended. Google says `STOP` for calls too.
pub fn finish(native: &str, called: bool) -> Finish {
    match native {
        "STOP" if called => Finish::ToolCalls,
        "STOP" => Finish::Stop,
        "MAX_TOKENS" => Finish::Length,
        "SAFETY"
        | "RECITATION"
        | "BLOCKLIST"
        | "PROHIBITED_CONTENT"
        | "SPII"
        | "MODEL_ARMOR"
        | "IMAGE_SAFETY"
        | "IMAGE_PROHIBITED_CONTENT"
        | "IMAGE_RECITATION" => Finish::ContentFilter,
        // MALFORMED_FUNCTION_CALL, UNEXPECTED_TOOL_CALL,
        // TOO_MANY_TOOL_CALLS, MISSING_THOUGHT_SIGNATURE,
        // MALFORMED_RESPONSE, LANGUAGE, NO_IMAGE, IMAGE_OTHER, OTHER, and
        // whatever comes next: nobody may take such an answer for a whole
        // one.
        _ => Finish::Error,
    }
}

/// Google's word for why an answer ended.
pub const fn native_finish(finish: Finish) -> &'static str {
    match finish {
        Finish::Stop | Finish::ToolCalls => "STOP",
        Finish::Length => "MAX_TOKENS",
        Finish::ContentFilter => "SAFETY",
        Finish::Error => "OTHER",
    }
}

/// Writes a whole reply for a client, who is shown what the model thought if
/// it asked for that.
pub fn write(reply: &Reply, stamp: &Stamp<'_>, shows_thoughts: bool) -> Vec<u8> {
    let mut body = Map::new();
    let candidates = reply.choices.iter();
    let candidates = candidates.map(|choice| candidate(choice, shows_thoughts));
    body.insert("candidates".to_owned(), candidates.collect());
    let tier = reply.service_tier.as_deref();
    let metadata = match (&reply.settled, &reply.usage) {
        (Some((used, bill)), _) => Some(usage::write(used, tier, Some(bill))),
        (None, Some(report)) => {
            let used = report.resolve(&Usage::default()).0;
            Some(usage::write(&used, tier, None))
        }
        (None, None) => None,
    };
    if let Some(metadata) = metadata {
        body.insert("usageMetadata".to_owned(), metadata);
    }
    let marks = Marks::of(stamp);
    marks.set(&mut body);
    marks.set_last(&mut body);
    Value::Object(body).to_string().into_bytes()
}

/// What an answer carries of the call that it is of.
#[derive(Debug, Clone)]
pub struct Marks {
    id: String,
    model: String,
    provider: String,
    metadata: Option<String>,
}

impl Marks {
    /// Keeps a stamp.
    pub fn of(stamp: &Stamp<'_>) -> Self {
        Self {
            id: stamp.id.to_owned(),
            model: stamp.model.to_owned(),
            provider: stamp.provider.to_owned(),
            metadata: stamp.metadata.map(str::to_owned),
        }
    }

    /// Another target goes on with the answer: who told the rest of it is told
    /// at its end, and what every response says stays.
    pub fn restamp(&mut self, stamp: &Stamp<'_>) {
        stamp.provider.clone_into(&mut self.provider);
        self.metadata = stamp.metadata.map(str::to_owned);
    }

    /// Sets what every response says: the id of the call, and the model.
    pub fn set(&self, response: &mut Map) {
        response.insert("modelVersion".to_owned(), json!(self.model));
        response.insert("responseId".to_owned(), json!(self.id));
    }

    /// Sets what the last response says besides: who answered, and how that
    /// came about, if the caller asked.
    pub fn set_last(&self, response: &mut Map) {
        response.insert("provider".to_owned(), json!(self.provider));
        let metadata = self.metadata.as_deref().map(str::as_bytes);
        let metadata = metadata.and_then(|text| bourse_vocab::json::parse(text).ok());
        if let Some(metadata) = metadata {
            response.insert("openrouter_metadata".to_owned(), metadata);
        }
    }
}

fn candidate(choice: &Choice, shows_thoughts: bool) -> Value {
    let mut signer = Signer::default();
    signer.take_calls(&choice.parts);
    let mut parts = Vec::new();
    for part in &choice.parts {
        match part {
            Part::Reasoning(reasoning) if !seal::is_googles(reasoning.scheme.as_deref()) => {
                parts.extend(part::write_foreign(reasoning, shows_thoughts));
            }
            Part::Reasoning(reasoning) => {
                if let ReasoningKind::Text { text, .. } | ReasoningKind::Summary(text) =
                    &reasoning.kind
                    && shows_thoughts
                    && !text.is_empty()
                {
                    parts.push(json!({"text": text, "thought": true}));
                }
                if reasoning.id.is_none() {
                    signer.take(reasoning);
                }
            }
            Part::ToolCall {
                id,
                name,
                arguments,
            } => {
                let (mut part, _) = part::write_call(id, name, arguments);
                signer.sign_call(id, &mut part);
                parts.push(part);
            }
            other => {
                if let Some(mut part) = written(other) {
                    signer.sign_loose(&mut part);
                    parts.push(part);
                }
            }
        }
    }
    if let Some(audio) = &choice.audio {
        parts.extend(write_audio(audio));
    }
    signer.finish(&mut parts);
    if parts.is_empty() {
        // SDKs take a content without parts for no answer, and forget the turn.
        parts.push(part::write_text(""));
    }
    let mut candidate = Map::new();
    candidate.insert(
        "content".to_owned(),
        json!({"parts": parts, "role": "model"}),
    );
    candidate.insert("index".to_owned(), json!(choice.index));
    if let Some(finish) = choice.finish {
        candidate.insert("finishReason".to_owned(), json!(native_finish(finish)));
    }
    if let Some(result) = choice.logprobs.as_ref().and_then(logprobs::write) {
        candidate.insert("logprobsResult".to_owned(), result);
    }
    if let Some(metadata) = choice.annotations.as_ref().and_then(write_grounding) {
        candidate.insert("groundingMetadata".to_owned(), metadata);
    }
    Value::Object(candidate)
}

fn written(part: &Part) -> Option<Value> {
    match part {
        Part::Text { text, .. } | Part::Refusal(text) => Some(part::write_text(text)),
        Part::Image { media, .. } => write_image(media),
        Part::Opaque {
            format: bourse_vocab::Format::Gemini,
            value,
        } => Some(value.clone()),
        _ => None,
    }
}

/// A picture as a part.
pub fn write_image(media: &Media) -> Option<Value> {
    match media {
        Media::Base64 { mime, data } => Some(part::write_media(mime, data)),
        Media::Url(url) => Some(json!({"fileData": {"fileUri": url}})),
        Media::FileId(_) => None,
    }
}

/// OpenAI's `audio` object as parts: the sound, and what it says.
pub fn write_audio(audio: &Value) -> Vec<Value> {
    let mut parts = Vec::new();
    if let Some(transcript) = text(audio, "transcript") {
        parts.push(part::write_text(transcript));
    }
    if let Some(data) = text(audio, "data") {
        let format = text(audio, "format").unwrap_or("wav");
        parts.push(part::write_media(&format!("audio/{format}"), data));
    }
    parts
}

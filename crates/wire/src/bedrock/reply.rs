//! Whole replies, both ways.

use bourse_vocab::chat::{Choice, Finish, Part, ReasoningKind, Reply};
use bourse_vocab::json;
use bourse_vocab::json::{Map, Value};
use bourse_vocab::service::public_name;
use bourse_vocab::{Failure, Format, Usage};

use super::request::read_block;
use super::{blob, text, usage};
use crate::dialect::calls::as_object;

/// Reads a provider's reply.
pub fn read(body: &[u8]) -> Result<Reply, Failure> {
    let unreadable = |inside: String| {
        Failure::unavailable("The provider's reply could not be read").inside(inside)
    };
    let reply: Value = bourse_vocab::json::parse(body)
        .map_err(|error| unreadable(format!("not JSON: {error}")))?;
    let content = reply
        .pointer("/output/message/content")
        .and_then(Value::as_array)
        .ok_or_else(|| unreadable("no content in the message".to_owned()))?;
    let mut annotations = Vec::new();
    let mut parts = Vec::new();
    for block in content {
        match block.get("citationsContent") {
            Some(cited) => cited_text(cited, &mut parts, &mut annotations),
            None => parts.push(read_block(block.clone())?),
        }
    }
    let native_finish = text(&reply, "stopReason").map(str::to_owned);
    Ok(Reply {
        // It stands in a header (`x-amzn-requestid`).
        upstream_id: None,
        upstream_model: None,
        system_fingerprint: None,
        service_tier: tier(&reply),
        choices: vec![Choice {
            index: 0,
            parts,
            finish: native_finish.as_deref().map(finish),
            native_finish,
            logprobs: None,
            annotations: (!annotations.is_empty()).then_some(Value::Array(annotations)),
            audio: None,
        }],
        usage: reply.get("usage").map(usage::read),
        settled: None,
    })
}

/// Text with its sources.
fn cited_text(cited: &Value, parts: &mut Vec<Part>, annotations: &mut Vec<Value>) {
    let list = |name: &str| {
        cited
            .get(name)
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
    };
    let said: String = list("content")
        .filter_map(|said| text(said, "text"))
        .collect();
    parts.push(Part::text(said));
    annotations.extend(list("citations").filter_map(annotation));
}

/// The tier that served, in public words.
pub fn tier(reply: &Value) -> Option<String> {
    let word = text(reply.get("serviceTier")?, "type")?;
    Some(public_name(word).into_owned())
}

/// A citation of the web in OpenAI's `annotations` shape; none for citations
/// of documents, for which that shape has no place.
pub fn annotation(citation: &Value) -> Option<Value> {
    let url = text(citation.pointer("/location/web")?, "url")?;
    let quoted: String = citation
        .get("sourceContent")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .filter_map(|said| text(said, "text"))
        .collect();
    Some(json!({
        "type": "url_citation",
        "url_citation": {
            "url": url,
            "title": text(citation, "title").unwrap_or(""),
            "content": quoted,
            "start_index": 0,
            "end_index": 0,
        },
    }))
}

/// What a `stopReason` means. Reasons that are added later are taken for a
/// normal end.
pub fn finish(reason: &str) -> Finish {
    match reason {
        "max_tokens" | "model_context_window_exceeded" => Finish::Length,
        "tool_use" => Finish::ToolCalls,
        "guardrail_intervened" | "content_filtered" => Finish::ContentFilter,
        "malformed_model_output" | "malformed_tool_use" => Finish::Error,
        _ => Finish::Stop,
    }
}

/// The `stopReason` of a finish; the provider's own word where it is one of
/// Bedrock's.
pub fn stop_reason(finish: Finish, native: Option<&str>) -> &'static str {
    const NATIVE: [&str; 9] = [
        "end_turn",
        "max_tokens",
        "stop_sequence",
        "tool_use",
        "guardrail_intervened",
        "content_filtered",
        "malformed_model_output",
        "malformed_tool_use",
        "model_context_window_exceeded",
    ];
    let own = NATIVE
        .into_iter()
        .find(|reason| Some(*reason) == native && self::finish(reason) == finish);
    own.unwrap_or(match finish {
        Finish::Stop => "end_turn",
        Finish::Length => "max_tokens",
        Finish::ToolCalls => "tool_use",
        Finish::ContentFilter => "content_filtered",
        Finish::Error => "malformed_model_output",
    })
}

/// Writes a reply for a client.
pub fn write(reply: &Reply) -> Vec<u8> {
    // Bedrock gives one answer; others of `n` have no place.
    let choice = reply.choices.first();
    let content: Vec<Value> = choice
        .map(|choice| choice.parts.iter().filter_map(block).collect())
        .unwrap_or_default();
    let mut written = Map::new();
    written.insert(
        "output".to_owned(),
        json!({"message": {"role": "assistant", "content": content}}),
    );
    if let Some((choice, finish)) = choice.and_then(|choice| Some((choice, choice.finish?))) {
        let reason = stop_reason(finish, choice.native_finish.as_deref());
        written.insert("stopReason".to_owned(), json!(reason));
    }
    let usage = match (&reply.settled, &reply.usage) {
        (Some((usage, _)), _) => *usage,
        (None, Some(report)) => report.resolve(&Usage::default()).0,
        (None, None) => Usage::default(),
    };
    written.insert("usage".to_owned(), usage::write(&usage));
    if let Some(tier) = reply.service_tier.as_deref() {
        written.insert("serviceTier".to_owned(), json!({"type": tier}));
    }
    Value::Object(written).to_string().into_bytes()
}

fn block(part: &Part) -> Option<Value> {
    match part {
        Part::Text { text, .. } | Part::Refusal(text) => {
            (!text.is_empty()).then(|| json!({"text": text}))
        }
        Part::Reasoning(reasoning) => Some(thought(&reasoning.kind)),
        Part::ToolCall {
            id,
            name,
            arguments: said,
        } => Some(json!({"toolUse": {
            "toolUseId": id, "name": name, "input": as_object(said).0}})),
        Part::Image { media, .. } => {
            let blob::Source::Bytes(mime, data) = blob::source(media) else {
                return None;
            };
            let word = blob::word(blob::IMAGES, mime)?;
            Some(json!({"image": {"format": word, "source": blob::bytes(data)}}))
        }
        Part::Opaque {
            format: Format::Bedrock,
            value,
        } => Some(value.clone()),
        Part::Audio { .. }
        | Part::File { .. }
        | Part::Video { .. }
        | Part::ToolResult { .. }
        | Part::Opaque { .. } => None,
    }
}

fn thought(kind: &ReasoningKind) -> Value {
    let content = match kind {
        ReasoningKind::Text {
            text,
            signature: Some(signature),
        } => json!({"reasoningText": {"text": text, "signature": signature}}),
        ReasoningKind::Text { text, .. } | ReasoningKind::Summary(text) => {
            json!({"reasoningText": {"text": text}})
        }
        ReasoningKind::Encrypted(data) => json!({"redactedContent": data}),
    };
    json!({"reasoningContent": content})
}

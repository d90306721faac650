//! Whole replies, both ways.

use bourse_vocab::chat::{Choice, Finish, Media, Part, Reasoning, ReasoningKind, Reply};
use bourse_vocab::json;
use bourse_vocab::json::Value;
use bourse_vocab::{Failure, Format};

use super::request::{sealed, thought};
use super::{seal, usage};
use crate::codec::Stamp;

/// Reads a provider's reply.
pub(super) fn read(body: &[u8]) -> Result<Reply, Failure> {
    let message: Value = bourse_vocab::json::parse(body).map_err(|error| {
        Failure::unavailable("The provider's reply could not be read")
            .inside(format!("not JSON: {error}"))
    })?;
    if message.get("type").and_then(Value::as_str) == Some("error") {
        return Err(super::failure::read_late(&message));
    }
    let Some(content) = message.get("content").and_then(Value::as_array) else {
        return Err(
            Failure::unavailable("The provider's reply could not be read")
                .inside("no content in the message"),
        );
    };
    let mut annotations = Vec::new();
    let mut parts = Vec::new();
    for block in content {
        if let Some(part) = part(block) {
            parts.push(part);
        }
        let citations = block.get("citations").and_then(Value::as_array);
        annotations.extend(citations.into_iter().flatten().filter_map(annotation));
    }
    let native_finish = text(&message, "stop_reason");
    let usage = message.get("usage");
    Ok(Reply {
        upstream_id: text(&message, "id"),
        upstream_model: text(&message, "model"),
        system_fingerprint: None,
        service_tier: usage.and_then(usage::tier),
        choices: vec![Choice {
            index: 0,
            parts,
            finish: native_finish.as_deref().map(finish),
            native_finish,
            logprobs: None,
            annotations: (!annotations.is_empty()).then_some(Value::Array(annotations)),
            audio: None,
        }],
        usage: usage.map(usage::read),
        settled: None,
    })
}

fn text(value: &Value, name: &str) -> Option<String> {
    value.get(name).and_then(Value::as_str).map(str::to_owned)
}

fn part(block: &Value) -> Option<Part> {
    Some(match block.get("type").and_then(Value::as_str)? {
        "text" => Part::text(text(block, "text")?),
        "thinking" => {
            let signature = text(block, "signature").filter(|signature| !signature.is_empty());
            thought(
                text(block, "thinking").unwrap_or_default(),
                signature.as_deref(),
            )
        }
        "redacted_thinking" => sealed(&text(block, "data")?),
        "tool_use" => Part::ToolCall {
            id: text(block, "id")?,
            name: text(block, "name")?,
            arguments: match block.get("input") {
                None | Some(Value::Null) => "{}".to_owned(),
                Some(input) => input.to_string(),
            },
        },
        _ => Part::Opaque {
            format: Format::Anthropic,
            value: block.clone(),
        },
    })
}

/// A web citation in OpenAI's `annotations` shape; none for citations of
/// documents, for which that shape has no place.
pub(super) fn annotation(citation: &Value) -> Option<Value> {
    let url = citation.get("url").and_then(Value::as_str)?;
    Some(json!({
        "type": "url_citation",
        "url_citation": {
            "url": url,
            "title": citation.get("title").and_then(Value::as_str).unwrap_or(""),
            "content": citation.get("cited_text").and_then(Value::as_str).unwrap_or(""),
            "start_index": 0,
            "end_index": 0,
        },
    }))
}

/// OpenAI's annotations as Anthropic's citations.
pub(super) fn citations(annotations: &Value) -> Vec<Value> {
    annotations
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|annotation| annotation.get("url_citation"))
        .map(|citation| {
            json!({
                "type": "web_search_result_location",
                "url": citation.get("url").and_then(Value::as_str).unwrap_or(""),
                "title": citation.get("title").and_then(Value::as_str),
                "cited_text": citation.get("content").and_then(Value::as_str).unwrap_or(""),
                "encrypted_index": "",
            })
        })
        .collect()
}

/// What a `stop_reason` means (handling stop reasons, 2026). Reasons that
/// are added later are taken for a normal end.
pub(super) fn finish(stop_reason: &str) -> Finish {
    match stop_reason {
        "max_tokens" | "model_context_window_exceeded" => Finish::Length,
        "tool_use" => Finish::ToolCalls,
        "refusal" => Finish::ContentFilter,
        _ => Finish::Stop,
    }
}

/// The `stop_reason` of a finish; the provider's own word where it is one of
/// Anthropic's.
pub(super) fn stop_reason(finish: Finish, native: Option<&str>) -> &'static str {
    const NATIVE: [&str; 7] = [
        "end_turn",
        "max_tokens",
        "stop_sequence",
        "tool_use",
        "pause_turn",
        "refusal",
        "model_context_window_exceeded",
    ];
    let own = NATIVE
        .into_iter()
        .find(|reason| Some(*reason) == native && self::finish(reason) == finish);
    own.unwrap_or(match finish {
        Finish::Stop => "end_turn",
        Finish::Length => "max_tokens",
        Finish::ToolCalls => "tool_use",
        Finish::ContentFilter => "refusal",
        // No word of Anthropic's says that the provider failed, and a lie
        // would pass half an answer off as a whole one.
        Finish::Error => "error",
    })
}

/// Writes a reply for a client.
pub(super) fn write(reply: &Reply, stamp: &Stamp<'_>) -> Vec<u8> {
    // Anthropic gives one answer; others of `n` have no place.
    let choice = reply.choices.first();
    let mut content: Vec<Value> = choice
        .map(|choice| choice.parts.iter().filter_map(block).collect())
        .unwrap_or_default();
    if let Some(annotations) = choice.and_then(|choice| choice.annotations.as_ref()) {
        let citations = citations(annotations);
        let last_text = content
            .iter_mut()
            .rev()
            .find(|block| block.get("type").and_then(Value::as_str) == Some("text"));
        if let (Some(Value::Object(block)), false) = (last_text, citations.is_empty()) {
            block.insert("citations".to_owned(), Value::Array(citations));
        }
    }
    let reason = choice.and_then(|choice| {
        let finish = choice.finish?;
        Some(stop_reason(finish, choice.native_finish.as_deref()))
    });
    let (usage, bill) = match (&reply.settled, &reply.usage) {
        (Some((usage, bill)), _) => (*usage, Some(bill)),
        (None, Some(report)) => (usage::known(report), None),
        (None, None) => (bourse_vocab::Usage::default(), None),
    };
    let mut text = format!(
        "{{\"id\":{},\"type\":\"message\",\"role\":\"assistant\",\"model\":{},\"content\":{},\
         \"stop_reason\":{},\"stop_sequence\":null,\"stop_details\":null,\"container\":null,\
         \"usage\":{},\"provider\":{}",
        json!(stamp.id),
        json!(stamp.model),
        Value::Array(content),
        json!(reason),
        usage::write(&usage, bill, reply.service_tier.as_deref()),
        json!(stamp.provider),
    );
    if let Some(metadata) = stamp.metadata {
        text.push_str(",\"openrouter_metadata\":");
        text.push_str(metadata);
    }
    text.push('}');
    text.into_bytes()
}

fn block(part: &Part) -> Option<Value> {
    match part {
        Part::Text { text, .. } | Part::Refusal(text) => {
            (!text.is_empty()).then(|| json!({"type": "text", "text": text, "citations": null}))
        }
        Part::Reasoning(reasoning) => Some(reasoning_block(reasoning)),
        Part::ToolCall {
            id,
            name,
            arguments,
        } => Some(json!({
            "type": "tool_use",
            "id": id,
            "name": name,
            "input": input(arguments),
        })),
        Part::Image { media, .. } => Some(image(media)),
        Part::Opaque {
            format: Format::Anthropic,
            value,
        } => Some(value.clone()),
        Part::Audio { .. }
        | Part::File { .. }
        | Part::Video { .. }
        | Part::ToolResult { .. }
        | Part::Opaque { .. } => None,
    }
}

/// The model's arguments as an object; broken JSON is kept as text.
fn input(arguments: &str) -> Value {
    if arguments.trim().is_empty() {
        return json!({});
    }
    match bourse_vocab::json::parse(arguments.as_bytes()) {
        Ok(Value::Object(input)) => Value::Object(input),
        _ => json!({"raw_arguments": arguments}),
    }
}

fn reasoning_block(reasoning: &Reasoning) -> Value {
    let seal = |payload: &str| {
        seal::close(
            reasoning.scheme.as_deref(),
            reasoning.id.as_deref(),
            payload,
        )
    };
    match &reasoning.kind {
        ReasoningKind::Text { text, signature } => json!({
            "type": "thinking",
            "thinking": text,
            "signature": signature.as_deref().map_or_else(|| seal::UNSIGNED.to_owned(), seal),
        }),
        ReasoningKind::Summary(text) => json!({
            "type": "thinking",
            "thinking": text,
            "signature": seal::UNSIGNED,
        }),
        ReasoningKind::Encrypted(data) => json!({
            "type": "redacted_thinking",
            "data": seal(data),
        }),
    }
}

/// A picture in the shape in which requests carry them; Anthropic's own
/// models answer with none.
pub(super) fn image(media: &Media) -> Value {
    let source = match media {
        Media::Url(url) => json!({"type": "url", "url": url}),
        Media::Base64 { mime, data } => {
            json!({"type": "base64", "media_type": mime, "data": data})
        }
        Media::FileId(id) => json!({"type": "file", "file_id": id}),
    };
    json!({"type": "image", "source": source})
}

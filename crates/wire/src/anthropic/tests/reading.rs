//! Clients' requests.

use bourse_vocab::chat::{
    CacheControl, Effort, Media, Part, Reasoning, ReasoningKind, ResponseFormat, Role, Tool,
    ToolChoice,
};
use bourse_vocab::json;
use bourse_vocab::json::Number;
use bourse_vocab::json::Value;
use bourse_vocab::{FailureKind, Format, TierWish};

use super::{Anthropic, read, write_for};
use crate::codec::Codec;

fn refusal(body: &Value) -> bourse_vocab::Failure {
    Anthropic
        .read_request(body.to_string().as_bytes())
        .unwrap_err()
}

#[test]
fn every_part_of_a_request_finds_its_word() {
    let request = read(&json!({
        "model": "anthropic/claude-sonnet-4.5",
        "max_tokens": 900,
        "system": [{"type": "text", "text": "Be brief.",
            "cache_control": {"type": "ephemeral", "ttl": "1h"}}],
        "messages": [
            {"role": "user", "content": "Hi"},
            {"role": "assistant", "content": [
                {"type": "thinking", "thinking": "hm", "signature": "EqQB"},
                {"type": "redacted_thinking", "data": "EmwK"},
                {"type": "text", "text": "Looking."},
                {"type": "tool_use", "id": "toolu_1", "name": "look", "input": {"at": "sky"}},
            ]},
            {"role": "user", "content": [
                {"type": "text", "text": "and this"},
                {"type": "tool_result", "tool_use_id": "toolu_1", "is_error": true,
                    "content": [{"type": "text", "text": "dark"},
                        {"type": "image", "source": {"type": "url", "url": "https://x.test/a.png"}}]},
                {"type": "image", "source":
                    {"type": "base64", "media_type": "image/png", "data": "aGk="}},
                {"type": "document", "title": "a.pdf", "source": {"type": "file", "file_id": "file_1"}},
                {"type": "search_result", "source": "s", "title": "t", "content": []},
            ]},
        ],
        "tools": [
            {"name": "look", "description": "Looks.", "input_schema": {"type": "object"}, "strict": true},
            {"type": "web_search_20250305", "name": "web_search"},
        ],
        "tool_choice": {"type": "tool", "name": "look", "disable_parallel_tool_use": true},
        "stop_sequences": ["END"],
        "temperature": 0.5, "top_p": 0.9, "top_k": 40,
        "metadata": {"user_id": "u-1"},
        "stream": true,
        "service_tier": "auto",
        "cache_control": {"type": "ephemeral"},
        "models": ["a", "b"],
        "provider": {"only": ["anthropic"]},
    }));
    let roles: Vec<Role> = request.messages.iter().map(|m| m.role).collect();
    assert_eq!(
        roles,
        [
            Role::System,
            Role::User,
            Role::Assistant,
            Role::Tool,
            Role::User
        ]
    );
    let hour = Some(CacheControl {
        ttl: Some("1h".to_owned()),
    });
    assert!(matches!(&request.messages[0].parts[0], Part::Text { cache, .. } if *cache == hour));
    let scheme = Some("anthropic-claude-v1".to_owned());
    assert_eq!(
        request.messages[2].parts[..2],
        [
            Part::Reasoning(Reasoning {
                kind: ReasoningKind::Text {
                    text: "hm".to_owned(),
                    signature: Some("EqQB".to_owned()),
                },
                id: None,
                scheme: scheme.clone(),
                replayed: None,
            }),
            Part::Reasoning(Reasoning {
                kind: ReasoningKind::Encrypted("EmwK".to_owned()),
                id: None,
                scheme,
                replayed: None,
            }),
        ]
    );
    assert!(matches!(&request.messages[2].parts[3],
        Part::ToolCall { arguments, .. } if arguments == r#"{"at":"sky"}"#));
    assert!(matches!(&request.messages[3].parts[0],
        Part::ToolResult { is_error: true, parts, .. } if parts.len() == 2));
    let last = &request.messages[4].parts;
    assert_eq!(last[0], Part::text("and this"));
    assert!(matches!(&last[2], Part::File { media: Media::FileId(id), .. } if id == "file_1"));
    assert!(matches!(
        &last[3],
        Part::Opaque {
            format: Format::Anthropic,
            ..
        }
    ));
    assert!(matches!(
        &request.tools[0],
        Tool::Function {
            strict: Some(true),
            ..
        }
    ));
    assert!(matches!(&request.tools[1], Tool::Opaque { .. }));
    assert_eq!(
        request.tool_choice,
        Some(ToolChoice::Named("look".to_owned()))
    );
    assert_eq!(request.parallel_tool_calls, Some(false));
    assert_eq!(request.max_tokens, Some(900));
    assert_eq!(request.sampling.stop, ["END"]);
    assert_eq!(
        (
            request.sampling.temperature,
            request.sampling.top_p,
            request.sampling.top_k
        ),
        (Number::from_f64(0.5), Number::from_f64(0.9), Some(40))
    );
    assert_eq!(request.user.as_deref(), Some("u-1"));
    assert!(request.stream);
    assert_eq!(request.cache, Some(CacheControl::default()));
    let extras: Vec<&String> = request.extras.members.keys().collect();
    assert_eq!(extras, ["service_tier"]);
}

#[test]
fn thinking_and_output_config_are_read() {
    let with = |thinking: Value, config: Value| {
        read(&json!({"model": "m", "max_tokens": 9, "thinking": thinking,
            "output_config": config, "messages": [{"role": "user", "content": "Hi"}]}))
    };
    let request = with(
        json!({"type": "enabled", "budget_tokens": 2048}),
        Value::Null,
    );
    let reasoning = request.reasoning.unwrap();
    assert_eq!(
        (reasoning.enabled, reasoning.max_tokens),
        (Some(true), Some(2048))
    );

    let request = with(
        json!({"type": "adaptive", "display": "omitted"}),
        json!({"effort": "xhigh", "task_budget": {"total": 1}}),
    );
    let reasoning = request.reasoning.unwrap();
    assert_eq!(reasoning.effort, Some(Effort::Xhigh));
    assert!(reasoning.exclude);
    assert_eq!(
        *request.extras.members.get("output_config").unwrap(),
        json!({"task_budget": {"total": 1}})
    );

    let request = with(json!({"type": "disabled"}), Value::Null);
    assert_eq!(request.reasoning.unwrap().enabled, Some(false));

    let request = with(
        Value::Null,
        json!({"effort": "low", "format": {"type": "json_schema", "schema": {"type": "object"}}}),
    );
    assert_eq!(request.verbosity.as_deref(), Some("low"));
    assert!(matches!(
        request.response_format,
        Some(ResponseFormat::JsonSchema { .. })
    ));
    assert!(request.extras.members.is_empty());
}

#[test]
fn mistakes_are_named_with_their_field() {
    for (body, field) in [
        (json!({"model": "m", "messages": []}), "messages"),
        (
            json!({"model": "m", "max_tokens": -1, "messages": []}),
            "max_tokens",
        ),
        (
            json!({"model": "m", "max_tokens": 1, "messages": []}),
            "messages",
        ),
        (
            json!({"model": "m", "max_tokens": 1, "messages": [{"role": "tool", "content": ""}]}),
            "messages.0.role",
        ),
        (
            json!({"model": "m", "max_tokens": 1, "messages": [{"role": "user", "content":
            [{"type": "text"}]}]}),
            "messages.0.content.0.text",
        ),
        (
            json!({"model": "m", "max_tokens": 1, "messages": [{"role": "user", "content":
            [{"type": "image"}]}]}),
            "messages.0.content.0.source",
        ),
        (
            json!({"model": "m", "max_tokens": 1, "messages": [{"role": "user", "content": "x"}],
            "tool_choice": {"type": "some"}}),
            "tool_choice.type",
        ),
        (
            json!({"model": "m", "max_tokens": 1, "messages": [{"role": "user", "content": "x"}],
            "temperature": "hot"}),
            "temperature",
        ),
        (json!([]), "The body"),
    ] {
        let failure = refusal(&body);
        assert_eq!(failure.kind, FailureKind::InvalidRequest, "{body}");
        assert!(
            failure.message.starts_with(field),
            "{} / {field}",
            failure.message
        );
    }
}

#[test]
fn threads_are_refused_in_the_words_that_make_sdks_send_the_history() {
    let failure = refusal(&json!({"model": "m", "max_tokens": 1,
        "thread": {"type": "continue", "previous_message_id": "msg_1"},
        "messages": [{"role": "user", "content": "x"}]}));
    let body: Value = bourse_vocab::json::parse(&Anthropic.write_failure(&failure)).unwrap();
    assert_eq!(body["error"]["type"], "invalid_request_error");
    assert_eq!(
        body["error"]["details"]["error_code"],
        "thread_unsupported_request"
    );
    assert_eq!(body["error"]["details"]["unsupported"], json!(["thread"]));
}

#[test]
fn what_an_anthropic_client_says_reaches_anthropic_as_it_was() {
    let original = json!({
        "model": "claude-opus-4-8",
        "max_tokens": 4000,
        "system": [{"type": "text", "text": "Be brief.", "cache_control": {"type": "ephemeral"}}],
        "messages": [
            {"role": "user", "content": [{"type": "text", "text": "Hi"}]},
            {"role": "assistant", "content": [
                {"type": "thinking", "thinking": "hm", "signature": "EqQB"},
                {"type": "redacted_thinking", "data": "EmwK"},
                {"type": "tool_use", "id": "toolu_1", "name": "look", "input": {"at": "sky"}}]},
            {"role": "user", "content": [
                {"type": "tool_result", "tool_use_id": "toolu_1",
                    "content": [{"type": "text", "text": "dark"}]},
                {"type": "document", "title": "a.txt",
                    "source": {"type": "text", "media_type": "text/plain", "data": "é"}},
                {"type": "search_result", "source": "s", "title": "t", "content": []}]},
            {"role": "system", "content": [{"type": "text", "text": "Now in French."}]},
        ],
        "tools": [
            {"name": "look", "description": "Looks.", "input_schema": {"type": "object"}, "strict": true},
            {"type": "web_search_20250305", "name": "web_search"}],
        "tool_choice": {"type": "auto", "disable_parallel_tool_use": true},
        "thinking": {"type": "adaptive", "display": "summarized"},
        "output_config": {"effort": "max", "task_budget": {"total": 1}, "format":
            {"type": "json_schema", "schema": {"type": "object", "additionalProperties": false}}},
        "stop_sequences": ["END"],
        "metadata": {"user_id": "u-1", "team": "t"},
        "service_tier": "auto",
        "context_management": {"edits": []},
        "stream": true,
    });
    let (body, losses) = write_for(&read(&original), "claude-opus-4-8", TierWish::Auto);
    assert_eq!(losses, Vec::<String>::new());
    assert_eq!(body, original);
    // The tier is the target's, and what is told of it is no mere member.
    let (body, _) = write_for(&read(&original), "claude-opus-4-8", TierWish::None);
    assert_eq!(body.get("service_tier"), None);
}

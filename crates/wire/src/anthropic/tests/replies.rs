//! Whole replies.

use bourse_vocab::chat::{Choice, Finish, Part, Reasoning, ReasoningKind, Reply};
use bourse_vocab::json;
use bourse_vocab::json::Value;
use bourse_vocab::{Bill, FailureKind, Nanos, Usage, UsageReport};

use super::{Anthropic, STAMP};
use crate::codec::{Codec, Stamp};

fn message() -> Value {
    json!({
        "id": "msg_1", "type": "message", "role": "assistant", "model": "claude-sonnet-4-5",
        "content": [
            {"type": "thinking", "thinking": "hm", "signature": "EqQB"},
            {"type": "redacted_thinking", "data": "EmwK"},
            {"type": "server_tool_use", "id": "srvtoolu_1", "name": "web_search", "input": {}},
            {"type": "text", "text": "Dark.", "citations": [
                {"type": "web_search_result_location", "url": "https://x.test", "title": "X",
                    "cited_text": "dark", "encrypted_index": "e"}]},
            {"type": "tool_use", "id": "toolu_1", "name": "look", "input": {"at": "sky"}},
        ],
        "stop_reason": "tool_use", "stop_sequence": null,
        "usage": {"input_tokens": 10, "cache_read_input_tokens": 100,
            "cache_creation_input_tokens": 30,
            "cache_creation": {"ephemeral_5m_input_tokens": 10, "ephemeral_1h_input_tokens": 20},
            "output_tokens": 50, "output_tokens_details": {"thinking_tokens": 8},
            "server_tool_use": {"web_search_requests": 2}, "service_tier": "priority"},
    })
}

fn read(body: &Value) -> Reply {
    Anthropic.read_reply(body.to_string().as_bytes()).unwrap()
}

fn write(reply: &Reply, stamp: &Stamp<'_>) -> Value {
    bourse_vocab::json::parse(&Anthropic.write_reply(reply, stamp)).unwrap()
}

#[test]
fn a_reply_is_read_with_the_cache_in_the_prompt() {
    let reply = read(&message());
    assert_eq!(
        reply.usage,
        Some(UsageReport {
            prompt: Some(140),
            cache_read: Some(100),
            cache_write_5m: Some(10),
            cache_write_1h: Some(20),
            completion: Some(50),
            reasoning: Some(8),
            web_searches: Some(2),
            ..UsageReport::default()
        })
    );
    assert_eq!(reply.service_tier.as_deref(), Some("priority"));
    let choice = &reply.choices[0];
    assert_eq!(choice.finish, Some(Finish::ToolCalls));
    assert_eq!(choice.native_finish.as_deref(), Some("tool_use"));
    assert_eq!(choice.parts.len(), 5);
    assert_eq!(choice.parts[3], Part::text("Dark."));
    let annotations = choice.annotations.as_ref().unwrap();
    assert_eq!(annotations[0]["url_citation"]["url"], "https://x.test");
}

#[test]
fn a_reply_survives_the_way_through_the_vocabulary() {
    let written = write(&read(&message()), &STAMP);
    let mut expected = message();
    expected["id"] = json!("gen-1");
    expected["model"] = json!("anthropic/claude-sonnet-4.5");
    assert_eq!(written["content"][0], expected["content"][0]);
    assert_eq!(written["content"][1], expected["content"][1]);
    assert_eq!(written["content"][2], expected["content"][2]);
    assert_eq!(written["content"][4], expected["content"][4]);
    assert_eq!(
        written["content"][3]["citations"][0]["url"],
        "https://x.test"
    );
    for name in [
        "id",
        "type",
        "role",
        "model",
        "stop_reason",
        "stop_sequence",
    ] {
        assert_eq!(written[name], expected[name], "{name}");
    }
    for name in [
        "input_tokens",
        "cache_read_input_tokens",
        "cache_creation_input_tokens",
        "cache_creation",
        "output_tokens",
        "output_tokens_details",
        "service_tier",
    ] {
        assert_eq!(written["usage"][name], expected["usage"][name], "{name}");
    }
}

#[test]
fn a_settled_reply_says_its_cost_in_exact_decimals() {
    let mut reply = read(&message());
    let usage = Usage {
        prompt: 7,
        completion: 3,
        ..Usage::default()
    };
    let bill = Bill {
        total: Nanos(1_234_567),
        upstream_prompt: Nanos(1_000_000),
        upstream_completion: Nanos(1),
        estimated: false,
    };
    reply.settled = Some((usage, bill));
    let stamp = Stamp {
        metadata: Some("{\"attempts\":1}"),
        ..STAMP
    };
    let text = String::from_utf8(Anthropic.write_reply(&reply, &stamp)).unwrap();
    assert!(text.contains("\"cost\":0.001234567,"), "{text}");
    assert!(
        text.contains("\"upstream_inference_cost\":0.001000001,"),
        "{text}"
    );
    let written: Value = bourse_vocab::json::parse(text.as_bytes()).unwrap();
    assert_eq!(written["usage"]["input_tokens"], 7);
    assert_eq!(written["openrouter_metadata"]["attempts"], 1);
}

#[test]
fn stop_reasons_are_mapped_both_ways() {
    for (native, finish, back) in [
        ("end_turn", Finish::Stop, "end_turn"),
        ("stop_sequence", Finish::Stop, "stop_sequence"),
        ("pause_turn", Finish::Stop, "pause_turn"),
        ("max_tokens", Finish::Length, "max_tokens"),
        (
            "model_context_window_exceeded",
            Finish::Length,
            "model_context_window_exceeded",
        ),
        ("tool_use", Finish::ToolCalls, "tool_use"),
        ("refusal", Finish::ContentFilter, "refusal"),
        ("something_new", Finish::Stop, "end_turn"),
    ] {
        let mut body = message();
        body["stop_reason"] = json!(native);
        let reply = read(&body);
        assert_eq!(reply.choices[0].finish, Some(finish), "{native}");
        assert_eq!(write(&reply, &STAMP)["stop_reason"], back, "{native}");
    }
    // Another vendor's word for it is not repeated.
    let mut reply = read(&message());
    reply.choices[0].native_finish = Some("stop".to_owned());
    reply.choices[0].finish = Some(Finish::Length);
    assert_eq!(write(&reply, &STAMP)["stop_reason"], "max_tokens");
}

#[test]
fn foreign_signatures_come_back_with_their_scheme() {
    let piece = Part::Reasoning(Reasoning {
        kind: ReasoningKind::Encrypted("c2ln".to_owned()),
        id: Some("call_1".to_owned()),
        scheme: Some("google-gemini-v1".to_owned()),
        replayed: None,
    });
    let reply = Reply {
        upstream_id: None,
        upstream_model: None,
        system_fingerprint: None,
        service_tier: None,
        choices: vec![Choice {
            index: 0,
            parts: vec![piece.clone()],
            finish: Some(Finish::Stop),
            native_finish: None,
            logprobs: None,
            annotations: None,
            audio: None,
        }],
        usage: None,
        settled: None,
    };
    let content = write(&reply, &STAMP)["content"].clone();
    let request = super::read(&json!({"model": "m", "max_tokens": 1, "messages": [
        {"role": "user", "content": "x"}, {"role": "assistant", "content": content},
        {"role": "user", "content": "y"}]}));
    assert_eq!(request.messages[1].parts, [piece]);
}

#[test]
fn what_is_no_reply_is_a_failure() {
    for body in ["", "nonsense", "{}", "[]", "{\"content\":1}"] {
        let failure = Anthropic.read_reply(body.as_bytes()).unwrap_err();
        assert_eq!(failure.kind, FailureKind::Unavailable, "{body}");
    }
    let failure = Anthropic
        .read_reply(br#"{"type":"error","error":{"type":"overloaded_error","message":"Busy"}}"#)
        .unwrap_err();
    assert_eq!(failure.kind, FailureKind::Overloaded);
}

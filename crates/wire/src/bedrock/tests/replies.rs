//! Whole replies.

use bourse_vocab::chat::{Finish, Part};
use bourse_vocab::json;
use bourse_vocab::json::Value;
use bourse_vocab::{FailureKind, UsageReport};

use crate::bedrock::Bedrock;
use crate::codec::{Codec, Stamp};

const STAMP: Stamp<'static> = Stamp {
    id: "gen-1",
    model: "anthropic/claude-sonnet-4.5",
    provider: "Amazon Bedrock",
    created: 1,
    metadata: None,
};

#[test]
fn the_prompt_is_counted_with_what_the_cache_read_and_wrote() {
    let reply = json!({
        "output": {"message": {"role": "assistant", "content": [{"text": "hi"}]}},
        "stopReason": "end_turn",
        "usage": {"inputTokens": 3, "outputTokens": 4, "totalTokens": 307,
            "cacheReadInputTokens": 100, "cacheWriteInputTokens": 200,
            "cacheDetails": [{"ttl": "1h", "inputTokens": 50}, {"ttl": "5m", "inputTokens": 150}]},
    });
    let read = Bedrock.read_reply(reply.to_string().as_bytes()).unwrap();
    assert_eq!(
        read.usage.unwrap(),
        UsageReport {
            prompt: Some(303),
            cache_read: Some(100),
            cache_write_5m: Some(150),
            cache_write_1h: Some(50),
            completion: Some(4),
            ..UsageReport::default()
        }
    );
}

#[test]
fn a_count_that_is_none_is_left_out_and_noted() {
    let reply = json!({"output": {"message": {"content": []}}, "stopReason": "end_turn",
        "usage": {"inputTokens": -3, "outputTokens": 4}});
    let read = Bedrock.read_reply(reply.to_string().as_bytes()).unwrap();
    let usage = read.usage.unwrap();
    assert_eq!(
        (usage.prompt, usage.completion, usage.nonsense),
        (None, Some(4), true)
    );
}

#[test]
fn reasons_to_stop_are_bedrocks_own_and_ours() {
    for (word, finish) in [
        ("end_turn", Finish::Stop),
        ("stop_sequence", Finish::Stop),
        ("tool_use", Finish::ToolCalls),
        ("max_tokens", Finish::Length),
        ("model_context_window_exceeded", Finish::Length),
        ("guardrail_intervened", Finish::ContentFilter),
        ("content_filtered", Finish::ContentFilter),
        ("malformed_tool_use", Finish::Error),
        ("something_new", Finish::Stop),
    ] {
        let reply =
            json!({"output": {"message": {"content": [{"text": "x"}]}}, "stopReason": word});
        let read = Bedrock.read_reply(reply.to_string().as_bytes()).unwrap();
        let choice = &read.choices[0];
        assert_eq!(choice.finish, Some(finish), "{word}");
        assert_eq!(choice.native_finish.as_deref(), Some(word));
        let again = Bedrock.write_reply(&read, &STAMP);
        let again: Value = bourse_vocab::json::parse(&again).unwrap();
        let known = if word == "something_new" {
            "end_turn"
        } else {
            word
        };
        assert_eq!(again["stopReason"], known);
    }
}

#[test]
fn what_amazon_runs_itself_is_not_a_call_for_the_client() {
    let block = json!({"toolUse": {"toolUseId": "s", "name": "search", "input": {}, "type": "server_tool_use"}});
    let reply = json!({"output": {"message": {"content": [block]}}, "stopReason": "end_turn"});
    let read = Bedrock.read_reply(reply.to_string().as_bytes()).unwrap();
    assert!(matches!(read.choices[0].parts[..], [Part::Opaque { .. }]));
}

#[test]
fn a_reply_that_is_none_is_the_providers_failure() {
    for body in ["", "[]", "{\"output\":{}}", "{\"message\":\"x\"}"] {
        let failure = Bedrock.read_reply(body.as_bytes()).unwrap_err();
        assert_eq!(failure.kind, FailureKind::Unavailable, "{body}");
    }
}

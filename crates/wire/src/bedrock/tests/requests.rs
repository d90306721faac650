//! Requests, written and read.

use std::path::Path;

use bourse_vocab::json;
use bourse_vocab::json::Value;
use bourse_vocab::{Format, Next};

use super::{CLAUDE, LLAMA, NOVA, OPUS, from_chat, try_write, write};
use crate::bedrock::Bedrock;
use crate::codec::Codec;
use crate::openai_chat::OpenAiChat;

#[test]
fn a_conversation_with_tools_and_pictures_is_said_in_bedrocks_words() {
    let asked = json!({
        "model": "m", "max_tokens": 100, "temperature": 0.5, "stop": ["END"],
        "messages": [
            {"role": "system", "content": "Be brief."},
            {"role": "user", "content": [
                {"type": "text", "text": "What is this?"},
                {"type": "image_url", "image_url": {"url": "data:image/jpg;base64,AAAA"}}]},
            {"role": "assistant", "content": null, "tool_calls": [
                {"id": "call_1", "type": "function", "function": {"name": "look", "arguments": "{\"at\":1}"}}]},
            {"role": "tool", "tool_call_id": "call_1", "content": "a cat"},
            {"role": "user", "content": "And?"}],
        "tools": [{"type": "function", "function": {"name": "look", "description": "Looks.",
            "parameters": {"type": "object", "properties": {"at": {"type": "integer"}}}}}],
        "tool_choice": {"type": "function", "function": {"name": "look"}},
    });
    let (body, losses) = from_chat(&asked, NOVA);
    assert_eq!(losses, Vec::<String>::new());
    assert_eq!(
        body,
        json!({
            "system": [{"text": "Be brief."}],
            "messages": [
                {"role": "user", "content": [
                    {"text": "What is this?"},
                    {"image": {"format": "jpeg", "source": {"bytes": "AAAA"}}}]},
                {"role": "assistant", "content": [
                    {"toolUse": {"toolUseId": "call_1", "name": "look", "input": {"at": 1}}}]},
                {"role": "user", "content": [
                    {"toolResult": {"toolUseId": "call_1", "content": [{"text": "a cat"}]}},
                    {"text": "And?"}]},
            ],
            "inferenceConfig": {"maxTokens": 100, "temperature": 0.5, "stopSequences": ["END"]},
            "toolConfig": {
                "tools": [{"toolSpec": {"name": "look", "description": "Looks.",
                    "inputSchema": {"json": {"type": "object", "properties": {"at": {"type": "integer"}}}}}}],
                "toolChoice": {"tool": {"name": "look"}},
            },
        })
    );
}

#[test]
fn claude_is_told_to_think_as_its_generation_wants_it() {
    let asked = |more: Value| {
        let mut body = json!({"model": "m", "max_tokens": 8000,
            "messages": [{"role": "user", "content": "q"}], "reasoning": more});
        if let Value::Object(members) = &mut body {
            members.insert("temperature".into(), json!(0.2));
        }
        body
    };
    let profile = format!("arn:aws:bedrock:us-east-1:111122223333:inference-profile/{CLAUDE}");
    let by_arn = from_chat(&asked(json!({"max_tokens": 2000})), &profile);
    let (body, losses) = from_chat(&asked(json!({"max_tokens": 2000})), CLAUDE);
    assert_eq!(by_arn, (body.clone(), losses.clone()));
    assert_eq!(
        body["additionalModelRequestFields"],
        json!({"thinking": {"type": "enabled", "budget_tokens": 2000}})
    );
    assert_eq!(losses, ["temperature"]);
    let (body, _) = from_chat(&asked(json!({"effort": "medium"})), OPUS);
    assert_eq!(
        body["additionalModelRequestFields"]["thinking"]["type"],
        "adaptive"
    );
    assert_eq!(body["outputConfig"], json!({"effort": "medium"}));
    let (body, losses) = from_chat(&asked(json!({"effort": "medium"})), LLAMA);
    assert_eq!(body.get("additionalModelRequestFields"), None);
    assert_eq!(body["inferenceConfig"]["temperature"], 0.2);
    assert_eq!(losses, ["reasoning"]);
}

#[test]
fn breakpoints_stand_behind_what_they_cover_and_the_last_four_are_kept() {
    let text = |text: &str| json!({"type": "text", "text": text, "cache_control": {"type": "ephemeral", "ttl": "1h"}});
    let asked = json!({"model": "m", "messages": [
        {"role": "system", "content": [text("a"), text("b")]},
        {"role": "user", "content": [text("c"), text("d"), text("e")]}]});
    let point = json!({"cachePoint": {"type": "default", "ttl": "1h"}});
    let (body, losses) = from_chat(&asked, CLAUDE);
    assert_eq!(losses, ["cache_control"]);
    assert_eq!(body["system"], json!([{"text": "a"}, {"text": "b"}, point]));
    assert_eq!(
        body["messages"][0]["content"],
        json!([{"text": "c"}, point, {"text": "d"}, point, {"text": "e"}, point])
    );
    let (body, losses) = from_chat(&asked, LLAMA);
    assert_eq!(body["system"], json!([{"text": "a"}, {"text": "b"}]));
    assert_eq!(losses.len(), 5);
}

#[test]
fn only_claude_gets_its_signed_thoughts_back() {
    let asked = json!({"model": "m", "messages": [
        {"role": "user", "content": "q"},
        {"role": "assistant", "content": "a", "reasoning_details": [
            {"type": "reasoning.text", "text": "hm", "signature": "c2ln", "format": "anthropic-claude-v1", "index": 0},
            {"type": "reasoning.encrypted", "data": "c2VhbA==", "format": "anthropic-claude-v1", "index": 1},
            {"type": "reasoning.encrypted", "data": "b3RoZXI=", "format": "google-gemini-v1", "index": 2}]},
        {"role": "user", "content": "and?"}]});
    let (body, losses) = from_chat(&asked, CLAUDE);
    assert_eq!(
        body["messages"][1]["content"],
        json!([
            {"reasoningContent": {"reasoningText": {"text": "hm", "signature": "c2ln"}}},
            {"reasoningContent": {"redactedContent": "c2VhbA=="}},
            {"text": "a"},
        ])
    );
    assert_eq!(losses.len(), 1, "{losses:?}");
    let (body, losses) = from_chat(&asked, NOVA);
    assert_eq!(body["messages"][1]["content"], json!([{"text": "a"}]));
    assert_eq!(losses.len(), 3);
}

#[test]
fn documents_have_names_of_their_own_and_a_text_beside_them() {
    let pdf = |name: &str| {
        json!({"type": "file", "file": {"filename": name,
            "file_data": "data:application/pdf;base64,JVBERi0="}})
    };
    let asked = json!({"model": "m", "messages": [{"role": "user",
        "content": [pdf("q3_report (final).pdf"), pdf("q3 report (final).pdf"), pdf("")]}]});
    let (body, losses) = from_chat(&asked, CLAUDE);
    let content = body["messages"][0]["content"].as_array().unwrap();
    let names: Vec<&Value> = content
        .iter()
        .filter_map(|block| block.get("document")?.get("name"))
        .collect();
    assert_eq!(
        names,
        ["q3 report (final)", "q3 report (final) (2)", "document"]
    );
    assert_eq!(content[3], json!({"text": "q3 report (final)"}));
    assert_eq!(losses, ["messages[0]"]);
}

#[test]
fn what_bedrock_cannot_be_shown_is_content_that_is_lost() {
    for (part, model) in [
        (
            json!({"type": "image_url", "image_url": {"url": "https://p.example/a.png"}}),
            CLAUDE,
        ),
        (
            json!({"type": "image_url", "image_url": {"url": "data:image/tiff;base64,AA"}}),
            CLAUDE,
        ),
        (
            json!({"type": "input_audio", "input_audio": {"data": "AA", "format": "wav"}}),
            CLAUDE,
        ),
    ] {
        let body = json!({"model": "m", "messages": [{"role": "user",
            "content": [{"type": "text", "text": "q"}, part]}]});
        let request = OpenAiChat
            .read_request(body.to_string().as_bytes())
            .unwrap();
        let (_, losses) = write(&request, model);
        assert!(losses.iter().any(|loss| loss.is_content), "{part}");
    }
}

#[test]
fn tools_that_were_called_are_declared_although_the_caller_offers_none() {
    let asked = json!({"model": "m", "messages": [
        {"role": "user", "content": "q"},
        {"role": "assistant", "tool_calls": [
            {"id": "c1", "type": "function", "function": {"name": "look", "arguments": "{}"}}]},
        {"role": "tool", "tool_call_id": "c1", "content": "x"}]});
    let (body, losses) = from_chat(&asked, CLAUDE);
    assert_eq!(
        body["toolConfig"]["tools"],
        json!([{"toolSpec": {"name": "look", "inputSchema": {"json": {"type": "object"}}}}])
    );
    assert_eq!(losses, ["tools"]);
}

#[test]
fn who_wants_no_tool_called_offers_none() {
    let asked = json!({"model": "m", "messages": [{"role": "user", "content": "q"}],
        "tools": [{"type": "function", "function": {"name": "look"}}], "tool_choice": "none"});
    let (body, losses) = from_chat(&asked, CLAUDE);
    assert_eq!(body.get("toolConfig"), None);
    assert_eq!(losses, Vec::<String>::new());
}

#[test]
fn a_conversation_that_bedrock_would_refuse_goes_to_another_target() {
    let refused = |messages: Value, model: &str| {
        let body = json!({"model": "m", "messages": messages});
        let request = OpenAiChat
            .read_request(body.to_string().as_bytes())
            .unwrap();
        try_write(&request, model).unwrap_err().next
    };
    let assistant = json!({"role": "assistant", "content": "So"});
    let user = json!({"role": "user", "content": "q"});
    assert_eq!(refused(json!([assistant, user]), CLAUDE), Next::TryAnother);
    assert_eq!(
        refused(json!([user, assistant]), OPUS),
        Next::TryAnotherModel
    );
    let blank = json!([{"role": "user", "content": " "}]);
    assert_eq!(refused(blank, CLAUDE), Next::TryAnother);
}

/// What is written for Bedrock is read as what was meant: written again, it is
/// the same.
#[test]
fn every_request_of_the_fixtures_is_the_same_after_a_round_trip() {
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/chat");
    let mut compared = 0;
    for case in std::fs::read_dir(fixtures).unwrap() {
        let folder = case.unwrap().path();
        for format in Format::ALL {
            let Ok(bytes) = std::fs::read(folder.join(format!("{format}.request.json"))) else {
                continue;
            };
            let Ok(request) = crate::codec(format).read_request(&bytes) else {
                continue;
            };
            for model in [CLAUDE, OPUS, NOVA, LLAMA] {
                let Ok((once, _)) = try_write(&request, model) else {
                    continue;
                };
                let read = Bedrock.read_request(once.to_string().as_bytes()).unwrap();
                let (twice, losses) = write(&read, model);
                let what = format!("{} {format} for {model}", folder.display());
                assert_eq!(twice, once, "{what}: {losses:?}");
                compared += 1;
            }
        }
    }
    assert!(compared > 100, "{compared}");
}

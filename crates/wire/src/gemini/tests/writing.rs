//! Requests as Google gets them.

use bourse_vocab::Format;
use bourse_vocab::chat::{Request, Role};
use bourse_vocab::json;
use bourse_vocab::json::Value;

use super::{from_chat, message};
use crate::codec::{Codec, WriteTarget};
use crate::dialect::Dialect;
use crate::gemini::Gemini;
use crate::openai_chat::OpenAiChat;

#[test]
fn a_conversation_with_tools_keeps_names_ids_and_signatures() {
    let (body, lost) = from_chat(
        &json!({"model": "m", "messages": [
            {"role": "system", "content": "Be brief."},
            {"role": "user", "content": "Weather?"},
            {"role": "assistant", "content": "Let me look.",
             "reasoning_details": [
                {"type": "reasoning.text", "text": "Hm.", "format": "google-gemini-v1", "index": 0},
                {"type": "reasoning.encrypted", "data": "U0lH", "id": "call_a",
                 "format": "google-gemini-v1", "index": 1}],
             "tool_calls": [
                {"id": "call_a", "type": "function",
                 "function": {"name": "weather", "arguments": "{\"city\":\"Oslo\"}"}},
                {"id": "call_b", "type": "function",
                 "function": {"name": "time", "arguments": ""}}]},
            {"role": "tool", "tool_call_id": "call_a", "content": "{\"t\": 3.10}"},
            {"role": "tool", "tool_call_id": "call_b", "content": "noon"},
            {"role": "user", "content": "Thanks"}],
          "tools": [{"type": "function", "function": {"name": "weather", "description": "d",
            "parameters": {"$schema": "x", "type": "object", "additionalProperties": false}}}],
          "tool_choice": {"type": "function", "function": {"name": "weather"}}}),
        "gemini-3.8-flash",
    );
    assert_eq!(
        body,
        json!({
            "systemInstruction": {"parts": [{"text": "Be brief."}]},
            "contents": [
                {"role": "user", "parts": [{"text": "Weather?"}]},
                {"role": "model", "parts": [
                    {"text": "Let me look."},
                    {"functionCall": {"id": "call_a", "name": "weather", "args": {"city": "Oslo"}},
                     "thoughtSignature": "U0lH"},
                    {"functionCall": {"id": "call_b", "name": "time", "args": {}}}]},
                {"role": "user", "parts": [
                    {"functionResponse": {"id": "call_a", "name": "weather",
                        "response": {"output": "{\"t\": 3.10}"}}},
                    {"functionResponse": {"id": "call_b", "name": "time",
                        "response": {"output": "noon"}}},
                    {"text": "Thanks"}]}],
            "tools": [{"functionDeclarations": [{"name": "weather", "description": "d",
                "parametersJsonSchema": {"type": "object", "additionalProperties": false}}]}],
            "toolConfig": {"functionCallingConfig":
                {"mode": "ANY", "allowedFunctionNames": ["weather"]}},
            "generationConfig": {"thinkingConfig": {"includeThoughts": true}},
        })
    );
    assert_eq!(lost, Vec::<String>::new());
}

fn called_by_another() -> Value {
    json!({"model": "m", "messages": [
        {"role": "user", "content": "Weather?"},
        {"role": "assistant", "content": null,
         "reasoning_details": [{"type": "reasoning.text", "text": "Hm.", "signature": "x",
            "format": "anthropic-claude-v1", "index": 0}],
         "tool_calls": [{"id": "call_a", "type": "function",
            "function": {"name": "weather", "arguments": "oops"}}]},
        {"role": "tool", "tool_call_id": "call_a", "content": "3"}]})
}

#[test]
fn calls_of_another_model_are_let_through_only_where_signatures_are_checked() {
    for (model, signature) in [
        (
            "gemini-3-flash-preview",
            json!("skip_thought_signature_validator"),
        ),
        ("gemini-2.5-flash", Value::Null),
    ] {
        let (body, lost) = from_chat(&called_by_another(), model);
        let call = &body["contents"][1]["parts"][0];
        assert_eq!(call["thoughtSignature"], signature, "{model}");
        assert_eq!(call["functionCall"]["args"], json!({"arguments": "oops"}));
        // The foreign thought, and the arguments that are no object.
        assert_eq!(
            lost,
            ["messages[1].content[0]", "messages[1].content[1].arguments"],
            "{model}"
        );
    }
}

#[test]
fn a_result_without_a_call_names_the_field() {
    let body = json!({"model": "m", "messages": [
        {"role": "user", "content": "Hi"},
        {"role": "tool", "tool_call_id": "call_x", "content": "3"}]});
    let request = OpenAiChat
        .read_request(body.to_string().as_bytes())
        .unwrap();
    let target = WriteTarget {
        model: "gemini-3.8-flash",
        max_output: None,
        limit: None,
        efforts: bourse_vocab::chat::Efforts::default(),
        tier: bourse_vocab::TierWish::None,
        dialect: &Dialect::PLAIN,
    };
    let failure = Gemini.write_request(&request, &target).unwrap_err();
    assert!(failure.message.contains("messages[1].tool_call_id"));
}

#[test]
fn a_model_that_takes_no_prefill_says_so() {
    let request = Request::new(
        Format::OpenAiChat,
        "m",
        vec![
            message(Role::User, "Hi"),
            message(Role::Assistant, "Hello, I"),
        ],
    );
    for (model, taken) in [("gemini-2.5-flash", true), ("gemini-3.8-flash", false)] {
        let target = WriteTarget {
            model,
            max_output: None,
            limit: None,
            efforts: bourse_vocab::chat::Efforts::default(),
            tier: bourse_vocab::TierWish::None,
            dialect: &Dialect::PLAIN,
        };
        let written = Gemini.write_request(&request, &target);
        assert_eq!(written.is_ok(), taken, "{model}");
    }
}

#[test]
fn what_gemini_cannot_say_is_reported() {
    let (body, lost) = from_chat(
        &json!({"model": "m", "temperature": 0.2, "top_k": 0, "top_p": 1, "min_p": 0.1, "n": 2,
            "repetition_penalty": 1, "seed": 4_294_967_296_u64, "stop": ["a"], "user": "u",
            "verbosity": "low", "parallel_tool_calls": false, "max_tokens": 100_000,
            "logit_bias": {"1": 2}, "top_a": 0, "stop_server_tools_when": [],
            "messages": [
                {"role": "user", "content": [
                    {"type": "text", "text": "Hi", "cache_control": {"type": "ephemeral"}},
                    {"type": "image_url", "image_url": {"url": "http://a.example/b.png"}},
                    {"type": "image_url", "image_url": {"url": "https://a.example/b.PNG?x=.gif"}},
                    {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}]},
                {"role": "system", "content": "Later."}],
            "tools": [{"type": "function", "function": {"name": "f", "strict": true,
                "parameters": {}}}]}),
        "gemini-3.8-flash",
    );
    assert_eq!(
        body,
        json!({
            "systemInstruction": {"parts": [{"text": "Later."}]},
            "contents": [{"role": "user", "parts": [
                {"text": "Hi"},
                {"fileData": {"fileUri": "https://a.example/b.PNG?x=.gif", "mimeType": "image/png"}},
                {"inlineData": {"mimeType": "image/png", "data": "AAAA"}}]}],
            "tools": [{"functionDeclarations": [{"name": "f"}]}],
            "generationConfig": {"maxOutputTokens": 65_536, "stopSequences": ["a"],
                "thinkingConfig": {"includeThoughts": true}},
        })
    );
    let mut lost = lost;
    lost.sort();
    assert_eq!(
        lost,
        [
            "logit_bias",
            "max_tokens",
            "messages[0].content[0].cache_control",
            "messages[0].content[1]",
            "messages[1].role",
            "min_p",
            "n",
            "parallel_tool_calls",
            "seed",
            "stop_server_tools_when",
            "temperature",
            "tools[0].strict",
            "user",
            "verbosity",
        ]
    );
}

#[test]
fn a_schema_goes_out_whole_and_what_is_ignored_is_reported() {
    let chat = |tools: Value| {
        json!({"model": "m", "messages": [{"role": "user", "content": "Hi"}], "tools": tools,
            "response_format": {"type": "json_schema", "json_schema": {"name": "n", "strict": true,
                "schema": {"type": "object", "properties": {"a": {"type": "string", "pattern": "x"}},
                    "additionalProperties": false}}}})
    };
    let (body, lost) = from_chat(&chat(json!([])), "gemini-2.5-pro");
    let config = &body["generationConfig"];
    assert_eq!(config["responseMimeType"], "application/json");
    assert_eq!(
        config["responseJsonSchema"]["properties"]["a"]["pattern"],
        "x"
    );
    assert_eq!(lost, ["response_format.json_schema.schema.pattern"]);
    let tools = json!([{"type": "function", "function": {"name": "f"}}]);
    let (body, lost) = from_chat(&chat(tools), "gemini-2.5-pro");
    assert_eq!(body["generationConfig"].get("responseMimeType"), None);
    assert_eq!(lost, ["response_format"]);
}

#[test]
fn the_gateways_limit_is_written_where_the_caller_set_none() {
    for (asked, expected) in [(None, 700), (Some(9_000), 9_000)] {
        let request = Request {
            max_tokens: asked,
            ..crate::openai_chat::OpenAiChat
                .read_request(br#"{"model":"m","messages":[{"role":"user","content":"hi"}]}"#)
                .unwrap()
        };
        let target = WriteTarget {
            model: "gemini-3.8-flash",
            max_output: Some(65_536),
            limit: Some(700),
            efforts: bourse_vocab::chat::Efforts::default(),
            tier: bourse_vocab::TierWish::None,
            dialect: &Dialect::PLAIN,
        };
        let written = Gemini.write_request(&request, &target).unwrap();
        let body = bourse_vocab::json::parse(&written.body).unwrap();
        assert_eq!(body["generationConfig"]["maxOutputTokens"], json!(expected));
    }
}

//! Pairs of what goes in and what comes out, through the whole codec.

use bourse_vocab::chat::{Event, Finish, Loss, Media, Message, Part, Request, Role};
use bourse_vocab::json;
use bourse_vocab::json::Value;
use bourse_vocab::{Bill, FailureKind, Format, Nanos, Usage};
use proptest::prelude::*;

use super::Gemini;
use crate::codec::{Codec, Stamp, WriteTarget};
use crate::dialect::Dialect;
use crate::laws::{self, Outcome};
use crate::openai_chat::OpenAiChat;

const STAMP: Stamp<'static> = Stamp {
    id: "gen-1",
    model: "google/gemini-3.8-flash",
    provider: "Google",
    created: 1,
    metadata: None,
};

fn write(request: &Request, model: &str) -> (Value, Vec<Loss>) {
    let target = WriteTarget {
        model,
        max_output: Some(65_536),
        limit: None,
        efforts: bourse_vocab::chat::Efforts::default(),
        tier: bourse_vocab::TierWish::None,
        dialect: &Dialect::PLAIN,
    };
    let written = Gemini.write_request(request, &target).unwrap();
    (
        bourse_vocab::json::parse(&written.body).unwrap(),
        written.losses,
    )
}

/// A chat completion request as Google gets it.
fn from_chat(body: &Value, model: &str) -> (Value, Vec<String>) {
    let request = OpenAiChat
        .read_request(body.to_string().as_bytes())
        .unwrap();
    let (body, losses) = write(&request, model);
    (body, losses.into_iter().map(|loss| loss.field).collect())
}

/// A request in Google's format, through the vocabulary, for Google.
fn again(body: &Value, model: &str) -> (Value, Vec<Loss>) {
    let request = Gemini.read_request(body.to_string().as_bytes()).unwrap();
    assert_eq!(request.extras.format, Format::Gemini);
    write(&request, model)
}

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
            ["messages[1].content[0]", "messages[1].content[1]"],
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

fn message(role: Role, text: &str) -> Message {
    Message {
        role,
        name: None,
        parts: vec![Part::text(text)],
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
            "tools[0].function.strict",
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
fn googles_own_request_comes_back_as_it_was() {
    let body = json!({
        "systemInstruction": {"parts": [{"text": "Be brief."}]},
        "contents": [
            {"role": "user", "parts": [{"text": "Hi"},
                {"inlineData": {"mimeType": "audio/mp3", "data": "AAAA"}},
                {"fileData": {"mimeType": "video/mp4", "fileUri": "https://a.example/b.mp4"}}]},
            {"role": "model", "parts": [
                {"text": "Look.", "thoughtSignature": "QQ=="},
                {"executableCode": {"language": "PYTHON", "code": "1"}},
                {"functionCall": {"id": "x1", "name": "f", "args": {"a": [1]}},
                 "thoughtSignature": "Qg=="}]},
            {"role": "user", "parts": [{"functionResponse": {"id": "x1", "name": "f",
                "response": {"output": "3"}}}]}],
        "tools": [
            {"functionDeclarations": [{"name": "f", "parametersJsonSchema": {"type": "object"}}]},
            {"googleSearch": {}}],
        "toolConfig": {"functionCallingConfig": {"mode": "VALIDATED"},
            "retrievalConfig": {"languageCode": "en"}},
        "safetySettings": [{"category": "HARM_CATEGORY_HARASSMENT", "threshold": "OFF"}],
        "cachedContent": "cachedContents/1",
        "generationConfig": {"temperature": 0.5, "topP": 0.9, "topK": 40, "maxOutputTokens": 99,
            "stopSequences": ["END"], "candidateCount": 2, "seed": -7, "presencePenalty": 0.5,
            "frequencyPenalty": -0.5, "responseLogprobs": true, "logprobs": 3,
            "responseModalities": ["TEXT", "IMAGE"], "mediaResolution": "MEDIA_RESOLUTION_LOW",
            "thinkingConfig": {"includeThoughts": true, "thinkingLevel": "low"}},
    });
    let (back, losses) = again(&body, "gemini-3-flash-preview");
    assert_eq!(back, body);
    assert_eq!(losses, []);
}

#[test]
fn requests_in_snake_case_are_understood() {
    let (back, losses) = again(
        &json!({
            "system_instruction": {"parts": {"text": "S"}},
            "contents": {"parts": [{"inline_data": {"mime_type": "image/png", "data": "AAAA"}}]},
            "tools": [{"function_declarations": [{"name": "f",
                "parameters": {"type": "OBJECT", "properties": {"a_b": {"type": "STRING"}}}}]}],
            "tool_config": {"function_calling_config":
                {"mode": "ANY", "allowed_function_names": ["f"]}},
            "generation_config": {"max_output_tokens": 9, "response_mime_type": "application/json",
                "response_schema": {"type": "STRING"},
                "thinking_config": {"thinking_budget": 0}},
        }),
        "gemini-3-flash-preview",
    );
    assert_eq!(
        back,
        json!({
            "systemInstruction": {"parts": [{"text": "S"}]},
            "contents": [{"role": "user", "parts": [
                {"inlineData": {"mimeType": "image/png", "data": "AAAA"}}]}],
            "tools": [{"functionDeclarations": [{"name": "f", "parametersJsonSchema":
                {"type": "object", "properties": {"a_b": {"type": "string"}}}}]}],
            "toolConfig": {"functionCallingConfig":
                {"mode": "ANY", "allowedFunctionNames": ["f"]}},
            "generationConfig": {"maxOutputTokens": 9, "responseMimeType": "application/json",
                "responseJsonSchema": {"type": "string"},
                "thinkingConfig": {"includeThoughts": false, "thinkingLevel": "minimal"}},
        })
    );
    assert_eq!(losses.len(), 1, "{losses:?}");
}

#[test]
fn results_without_ids_answer_the_calls_of_their_name_in_order() {
    let body = json!({"contents": [
        {"role": "user", "parts": [{"text": "Hi"}]},
        {"role": "model", "parts": [
            {"functionCall": {"name": "f", "args": {}}},
            {"functionCall": {"name": "g"}},
            {"functionCall": {"name": "f"}}]},
        {"role": "function", "parts": [
            {"functionResponse": {"name": "f", "response": {"n": 1}}},
            {"functionResponse": {"name": "f", "response": {"error": "no"}}},
            {"functionResponse": {"name": "g", "response": {"result": "3"}}}]}]});
    let request = Gemini.read_request(body.to_string().as_bytes()).unwrap();
    let answered: Vec<_> = request
        .messages
        .iter()
        .flat_map(|message| &message.parts)
        .filter_map(|part| match part {
            Part::ToolResult {
                call_id,
                parts,
                is_error,
                ..
            } => Some((call_id.as_str(), parts.clone(), *is_error)),
            _ => None,
        })
        .collect();
    assert_eq!(
        answered,
        [
            ("call_0_f", vec![Part::text("{\"n\":1}")], false),
            ("call_2_f", vec![Part::text("no")], true),
            ("call_1_g", vec![Part::text("3")], false),
        ]
    );
}

#[test]
fn bad_requests_are_refused_with_their_path() {
    for (body, path) in [
        (json!({}), "contents"),
        (json!({"contents": []}), "contents"),
        (
            json!({"contents": [{"role": "assistant", "parts": []}]}),
            "contents[0].role",
        ),
        (
            json!({"contents": [{"parts": [{"functionCall": {}}]}]}),
            "contents[0].parts[0].functionCall.name",
        ),
        (
            json!({"contents": [{}], "generationConfig": {"temperature": 3}}),
            "generationConfig.temperature",
        ),
        (
            json!({"contents": [{}], "generationConfig": {"thinkingConfig": {"thinkingLevel": "x"}}}),
            "generationConfig.thinkingConfig.thinkingLevel",
        ),
    ] {
        let failure = Gemini
            .read_request(body.to_string().as_bytes())
            .unwrap_err();
        assert_eq!(failure.kind, FailureKind::InvalidRequest);
        assert!(failure.message.starts_with(path), "{}", failure.message);
    }
    assert!(Gemini.read_request(b"nope").is_err());
}

fn reply() -> Value {
    json!({
        "candidates": [{
            "index": 0, "finishReason": "STOP",
            "content": {"role": "model", "parts": [
                {"text": "Hm, ", "thought": true}, {"text": "Oslo.", "thought": true},
                {"text": "Let me "}, {"text": "look."},
                {"functionCall": {"name": "weather", "args": {"city": "Oslo"}},
                 "thoughtSignature": "U0lH"},
                {"functionCall": {"id": "x9", "name": "time"}},
                {"inlineData": {"mimeType": "image/png", "data": "AAAA"}}]},
        }],
        "usageMetadata": {"promptTokenCount": 10, "candidatesTokenCount": 5,
            "thoughtsTokenCount": 7, "totalTokenCount": 22},
        "modelVersion": "gemini-3.8-flash", "responseId": "r1",
    })
}

#[test]
fn a_reply_keeps_thoughts_calls_and_signatures_apart() {
    let reply = Gemini.read_reply(reply().to_string().as_bytes()).unwrap();
    let choice = &reply.choices[0];
    assert_eq!(choice.finish, Some(Finish::ToolCalls));
    assert_eq!(choice.native_finish.as_deref(), Some("STOP"));
    let calls: Vec<_> = choice
        .parts
        .iter()
        .filter_map(|part| match part {
            Part::ToolCall { id, arguments, .. } => Some((id.as_str(), arguments.as_str())),
            _ => None,
        })
        .collect();
    assert_eq!(calls, [("call_r1_0", "{\"city\":\"Oslo\"}"), ("x9", "{}")]);
    let chat: Value = bourse_vocab::json::parse(&OpenAiChat.write_reply(&reply, &STAMP)).unwrap();
    let message = &chat["choices"][0]["message"];
    assert_eq!(message["reasoning"], "Hm, Oslo.");
    assert_eq!(message["content"], "Let me look.");
    assert_eq!(
        message["reasoning_details"][1],
        json!({"type": "reasoning.encrypted", "data": "U0lH", "id": "call_r1_0",
            "format": "google-gemini-v1", "index": 1})
    );
}

#[test]
fn a_reply_written_for_a_google_client_says_the_same() {
    let mut whole = Gemini.read_reply(reply().to_string().as_bytes()).unwrap();
    whole.settled = Some((
        Usage {
            prompt: 10,
            completion: 12,
            reasoning: 7,
            ..Usage::default()
        },
        bill(),
    ));
    let body: Value = bourse_vocab::json::parse(&Gemini.write_reply(&whole, &STAMP)).unwrap();
    assert_eq!(
        body,
        json!({
            "candidates": [{
                "index": 0, "finishReason": "STOP",
                "content": {"role": "model", "parts": [
                    {"text": "Hm, Oslo.", "thought": true}, {"text": "Let me look."},
                    {"functionCall": {"id": "call_r1_0", "name": "weather", "args": {"city": "Oslo"}},
                     "thoughtSignature": "U0lH"},
                    {"functionCall": {"id": "x9", "name": "time", "args": {}}},
                    {"inlineData": {"mimeType": "image/png", "data": "AAAA"}}]},
            }],
            "usageMetadata": {"promptTokenCount": 10, "candidatesTokenCount": 5,
                "thoughtsTokenCount": 7, "totalTokenCount": 22},
            "modelVersion": "google/gemini-3.8-flash", "responseId": "gen-1",
        })
    );
}

fn bill() -> Bill {
    Bill {
        total: Nanos(3),
        upstream_prompt: Nanos(1),
        upstream_completion: Nanos(2),
        estimated: false,
    }
}

#[test]
fn replies_without_an_answer_are_failures() {
    for (body, kind) in [
        (
            json!({"promptFeedback": {"blockReason": "PROHIBITED_CONTENT"}}),
            FailureKind::ContentPolicy,
        ),
        (
            json!({"candidates": [], "usageMetadata": {}}),
            FailureKind::Unavailable,
        ),
        (
            json!({"error": {"code": 503, "status": "UNAVAILABLE", "message": "busy"}}),
            FailureKind::Overloaded,
        ),
        (json!([]), FailureKind::Unavailable),
        (
            json!({"candidates": [{"index": -1}]}),
            FailureKind::Unavailable,
        ),
    ] {
        let failure = Gemini.read_reply(body.to_string().as_bytes()).unwrap_err();
        assert_eq!(failure.kind, kind, "{body}");
    }
}

#[test]
fn only_a_good_end_is_called_one() {
    for (native, finish) in [
        ("STOP", Finish::Stop),
        ("MAX_TOKENS", Finish::Length),
        ("SAFETY", Finish::ContentFilter),
        ("IMAGE_SAFETY", Finish::ContentFilter),
        ("MALFORMED_FUNCTION_CALL", Finish::Error),
        ("SOMETHING_NEW", Finish::Error),
    ] {
        let body = json!({"candidates": [{"finishReason": native}]});
        let reply = Gemini.read_reply(body.to_string().as_bytes()).unwrap();
        assert_eq!(reply.choices[0].finish, Some(finish), "{native}");
        assert_eq!(reply.choices[0].parts, []);
    }
}

/// Frames as Google sends them, with its line endings.
fn stream(frames: &[Value]) -> Vec<u8> {
    frames
        .iter()
        .flat_map(|frame| format!("data: {frame}\r\n\r\n").into_bytes())
        .collect()
}

fn frames() -> Vec<Value> {
    let part = |part: Value| {
        json!({"candidates": [{"content": {"parts": [part], "role": "model"}, "index": 0}],
            "usageMetadata": {"promptTokenCount": 10, "totalTokenCount": 10},
            "modelVersion": "gemini-3.8-flash", "responseId": "r1"})
    };
    vec![
        part(json!({"text": "Hm, ", "thought": true})),
        part(json!({"text": "Oslo.", "thought": true})),
        part(json!({"text": "Let me "})),
        part(json!({"text": "l\u{f6}\u{f6}k."})),
        part(
            json!({"functionCall": {"name": "weather", "args": {"city": "Oslo"}},
            "thoughtSignature": "U0lH"}),
        ),
        part(json!({"functionCall": {"name": "time", "args": {}}})),
        json!({"candidates": [{"content": {"parts": [{"text": "", "thoughtSignature": "Qg=="}]},
                "finishReason": "STOP", "index": 0}],
            "usageMetadata": {"promptTokenCount": 10, "candidatesTokenCount": 5,
                "thoughtsTokenCount": 7, "totalTokenCount": 22},
            "modelVersion": "gemini-3.8-flash", "responseId": "r1"}),
    ]
}

fn write_stream(codec: &dyn Codec, outcome: &Outcome) -> Vec<Value> {
    let mut writer = codec.stream_writer(&STAMP);
    let mut out = Vec::new();
    for event in &outcome.events {
        if matches!(event, Event::Done) {
            writer.event(&Event::Settled(Usage::default(), bill()), &mut out);
        }
        writer.event(event, &mut out);
    }
    String::from_utf8(out)
        .unwrap()
        .lines()
        .filter_map(|line| line.strip_prefix("data: "))
        .filter(|data| *data != "[DONE]")
        .map(|data| bourse_vocab::json::parse(data.as_bytes()).unwrap())
        .collect()
}

#[test]
fn a_stream_obeys_the_laws_and_ends_with_the_right_reason() {
    let bytes = stream(&frames());
    let outcome = laws::read_stream(&Gemini, [bytes.as_slice()]);
    laws::check(&outcome).unwrap();
    assert!(outcome.failure.is_none());
    assert!(matches!(
        outcome.events.iter().rev().take(2).collect::<Vec<_>>()[..],
        [
            Event::Done,
            Event::Finish {
                reason: Finish::ToolCalls,
                ..
            }
        ]
    ));
    let last = outcome.events.iter().rev().find_map(|event| match event {
        Event::Usage(report) => Some((report.prompt, report.completion, report.reasoning)),
        _ => None,
    });
    assert_eq!(last, Some((Some(10), Some(12), Some(7))));
    let chunks = write_stream(&OpenAiChat, &outcome);
    let details: Vec<&Value> = chunks
        .iter()
        .filter_map(|chunk| {
            chunk["choices"][0]["delta"]["reasoning_details"]
                .as_array()?
                .first()
        })
        .collect();
    assert_eq!(details.len(), 4);
    assert_eq!(
        (&details[0]["index"], &details[1]["index"]),
        (&json!(0), &json!(0))
    );
    assert_eq!(
        (&details[2]["data"], &details[2]["id"], &details[2]["index"]),
        (&json!("U0lH"), &json!("call_r1_0"), &json!(1))
    );
    assert_eq!(
        (&details[3]["data"], details[3].get("id")),
        (&json!("Qg=="), None)
    );
}

#[test]
fn a_stream_written_for_a_google_client_brings_calls_whole_and_signed() {
    let bytes = stream(&frames());
    let outcome = laws::read_stream(&Gemini, [bytes.as_slice()]);
    let written = write_stream(&Gemini, &outcome);
    let again = laws::read_stream(&Gemini, [stream(&written).as_slice()]);
    laws::check(&again).unwrap();
    let parts: Vec<&Value> = written
        .iter()
        .filter_map(|frame| frame["candidates"][0]["content"]["parts"].as_array())
        .flatten()
        .collect();
    assert_eq!(
        parts,
        [
            &json!({"text": "Hm, ", "thought": true}),
            &json!({"text": "Oslo.", "thought": true}),
            &json!({"text": "Let me "}),
            &json!({"text": "l\u{f6}\u{f6}k."}),
            &json!({"text": "", "thoughtSignature": "Qg=="}),
            &json!({"functionCall": {"id": "call_r1_0", "name": "weather",
                "args": {"city": "Oslo"}}, "thoughtSignature": "U0lH"}),
            &json!({"functionCall": {"id": "call_r1_1", "name": "time", "args": {}}}),
        ]
    );
    let last = written.last().unwrap();
    assert_eq!(last["usageMetadata"]["totalTokenCount"], 0);
    assert_eq!(
        written[written.len() - 2]["candidates"][0]["finishReason"],
        "STOP"
    );
}

#[test]
fn a_reason_in_every_frame_does_not_end_the_stream() {
    let frame = |text: &str| json!({"candidates": [{"content": {"parts": [{"text": text}]}, "finishReason": "STOP"}]});
    let outcome = laws::read_stream(&Gemini, [stream(&[frame("a"), frame("b")]).as_slice()]);
    laws::check(&outcome).unwrap();
    let text: String = outcome
        .events
        .iter()
        .filter_map(|event| match event {
            Event::Text { text, .. } => Some(text.as_str()),
            _ => None,
        })
        .collect();
    assert_eq!((text.as_str(), outcome.failure.is_none()), ("ab", true));
}

#[test]
fn streams_that_fail_say_so() {
    let error = json!({"error": {"code": 503, "message": "overloaded", "status": "UNAVAILABLE"}});
    let refused = json!({"promptFeedback": {"blockReason": "SAFETY"}});
    let text = frames().remove(2);
    for (frames, kind) in [
        (vec![error.clone()], FailureKind::Overloaded),
        (vec![text.clone(), json!([error])], FailureKind::Overloaded),
        (vec![refused], FailureKind::ContentPolicy),
        (vec![text], FailureKind::Unavailable),
        (vec![], FailureKind::Unavailable),
        (vec![json!("nope")], FailureKind::Unavailable),
    ] {
        let outcome = laws::read_stream(&Gemini, [stream(&frames).as_slice()]);
        laws::check(&outcome).unwrap();
        let failed = outcome.events.iter().find_map(|event| match event {
            Event::Error(failure) => Some(failure.kind),
            _ => None,
        });
        let given = outcome.failure.as_ref().map(|failure| failure.kind);
        assert_eq!(failed.or(given), Some(kind), "{frames:?}");
        assert!(
            !outcome
                .events
                .iter()
                .any(|event| matches!(event, Event::Done))
        );
    }
}

#[test]
fn pictures_and_speech_come_through_a_stream() {
    let part = |mime: &str| {
        json!({"candidates": [{"content": {"parts": [
            {"inlineData": {"mimeType": mime, "data": "AAAA"}}]}, "finishReason": "STOP"}]})
    };
    let bytes = stream(&[
        part("image/png"),
        part("audio/L16;rate=24000"),
        part("application/pdf"),
    ]);
    let outcome = laws::read_stream(&Gemini, [bytes.as_slice()]);
    laws::check(&outcome).unwrap();
    let image = Media::Base64 {
        mime: "image/png".into(),
        data: "AAAA".into(),
    };
    assert!(matches!(&outcome.events[1], Event::Image { media, .. } if *media == image));
    assert!(matches!(
        &outcome.events[2],
        Event::Other { name: "audio", value, .. }
            if *value == json!({"data": "AAAA", "format": "L16;rate=24000"})
    ));
    assert!(matches!(&outcome.events[3], Event::Finish { .. }));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_stream_means_the_same_however_it_is_cut(
        cuts in proptest::collection::vec(0..1500_usize, 0..8),
        flip in proptest::option::of((0..1500_usize, any::<u8>())),
    ) {
        let mut bytes = stream(&frames());
        // A damaged stream may fail, but must not panic or break a law.
        let damaged = flip.is_some();
        if let Some((at, byte)) = flip {
            let at = at % bytes.len();
            bytes[at] = byte;
        }
        let mut cuts: Vec<usize> = cuts.into_iter().map(|cut| cut % bytes.len()).collect();
        cuts.sort_unstable();
        let mut pieces = Vec::new();
        let mut from = 0;
        for cut in cuts {
            pieces.push(&bytes[from..cut]);
            from = cut;
        }
        pieces.push(&bytes[from..]);
        let whole = laws::read_stream(&Gemini, [bytes.as_slice()]);
        let cut = laws::read_stream(&Gemini, pieces);
        prop_assert_eq!(whole.summary(), cut.summary());
        // Damage may open an answer with another number, which never ends.
        prop_assert!(laws::check(&cut).is_ok(), "{:?}", laws::check(&cut));
        prop_assert!(damaged || cut.failure.is_none());
    }

    #[test]
    fn no_text_is_changed_on_its_way_there_and_back(text in "\\PC{1,40}") {
        let request = Request::new(Format::OpenAiChat, "m", vec![message(Role::User, &text)]);
        let (body, _) = write(&request, "gemini-2.0-flash");
        let back = Gemini.read_request(body.to_string().as_bytes()).unwrap();
        prop_assert_eq!(back.messages, request.messages);
    }
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

#[test]
fn a_reply_with_more_answers_than_a_client_may_ask_for_is_none() {
    let reply = |answers: usize| {
        let candidate = json!({"index": 0, "content": {"parts": [{"text": "a"}]}});
        let body = json!({"candidates": Value::Array(vec![candidate; answers])});
        Gemini.read_reply(body.to_string().as_bytes())
    };
    assert_eq!(reply(128).unwrap().choices.len(), 128);
    assert_eq!(reply(129).unwrap_err().kind, FailureKind::Unavailable);
}

//! Each vendor's shapes, streaming and not.

use bourse_sim::{Format, Script, ShowReasoning, truth};
use serde_json::{Value, json};

use crate::client::{ANTHROPIC, KEY, get, post, sim};

const CHAT: &str = "/v1/chat/completions";
const MESSAGES: &str = "/v1/messages";
const GEMINI: &str = "/v1beta/models/gem-1:generateContent";
const GEMINI_SSE: &str = "/v1beta/models/gem-1:streamGenerateContent?alt=sse";

fn chat(more: &Value) -> Value {
    let mut body =
        json!({ "model": "m", "messages": [{ "role": "user", "content": "one two three" }] });
    body.as_object_mut()
        .unwrap()
        .extend(more.as_object().unwrap().clone());
    body
}

fn claude(more: &Value) -> Value {
    let mut body = chat(&json!({ "max_tokens": 500 }));
    body.as_object_mut()
        .unwrap()
        .extend(more.as_object().unwrap().clone());
    body
}

fn gem(more: &Value) -> Value {
    let mut body =
        json!({ "contents": [{ "role": "user", "parts": [{ "text": "one two three" }] }] });
    body.as_object_mut()
        .unwrap()
        .extend(more.as_object().unwrap().clone());
    body
}

fn tools() -> Value {
    json!([{ "type": "function", "function": { "name": "weather", "parameters": {
        "type": "object", "required": ["city", "days"],
        "properties": { "city": { "type": "string" }, "days": { "type": "integer" }, "note": { "type": "string" } },
    } } }])
}

#[test]
fn a_chat_reply_tells_the_computed_truth() {
    let sim = sim(Script {
        cached_tokens: Some(2),
        ..Script::default()
    });
    let body = chat(&json!({ "n": 2, "reasoning_effort": "high" }));
    let truth = truth(
        Format::OpenaiChat,
        CHAT,
        body.to_string().as_bytes(),
        &sim.scripts().default,
    )
    .unwrap();
    let got = post(sim.addr(), "/p/any/openai/v1/chat/completions", KEY, &body);
    let reply = got.json();
    assert_eq!(reply["object"], "chat.completion");
    assert_eq!(reply["choices"].as_array().unwrap().len(), 2);
    assert_eq!(reply["choices"][0]["message"]["content"], truth.text);
    assert_eq!(reply["choices"][0]["finish_reason"], "stop");
    assert_eq!(reply["usage"]["prompt_tokens"], 6);
    assert_eq!(reply["usage"]["completion_tokens"], truth.completion_tokens);
    assert_eq!(reply["usage"]["total_tokens"], 6 + truth.completion_tokens);
    assert_eq!(reply["usage"]["prompt_tokens_details"]["cached_tokens"], 2);
    assert!(truth.reasoning_tokens > 0);
    assert_eq!(
        reply["usage"]["completion_tokens_details"]["reasoning_tokens"],
        truth.reasoning_tokens
    );
}

#[test]
fn a_chat_stream_adds_up_to_the_reply_and_ends_with_usage_and_done() {
    let sim = sim(Script {
        reasoning_tokens: Some(4),
        show_reasoning: ShowReasoning::ReasoningContent,
        ..Script::default()
    });
    let body = chat(&json!({ "stream": true, "stream_options": { "include_usage": true } }));
    let truth = truth(
        Format::OpenaiChat,
        CHAT,
        body.to_string().as_bytes(),
        &sim.scripts().default,
    )
    .unwrap();
    let got = post(sim.addr(), CHAT, KEY, &body);
    assert!(got.whole && got.head.contains("text/event-stream"));
    assert_eq!(got.data().last().unwrap(), "[DONE]");
    let events = got.events();
    let join = |key: &str| -> String {
        events
            .iter()
            .filter_map(|e| e["choices"][0]["delta"][key].as_str())
            .collect()
    };
    assert_eq!(join("content"), truth.text);
    assert_eq!(join("reasoning_content").split_whitespace().count(), 4);
    let (usage, before) = events.split_last().unwrap();
    assert_eq!(usage["choices"], json!([]));
    assert_eq!(usage["usage"]["completion_tokens"], truth.completion_tokens);
    assert!(
        before
            .iter()
            .all(|e| e["object"] == "chat.completion.chunk" && e["usage"].is_null())
    );
    assert_eq!(
        before.last().unwrap()["choices"][0]["finish_reason"],
        "stop"
    );
}

#[test]
fn a_stream_that_did_not_ask_for_usage_gets_none() {
    let sim = sim(Script::default());
    let got = post(sim.addr(), CHAT, KEY, &chat(&json!({ "stream": true })));
    assert!(!got.text().contains("usage"));
}

#[test]
fn the_token_limit_cuts_thoughts_first_and_says_length() {
    let sim = sim(Script {
        tokens: Some(50),
        reasoning_tokens: Some(5),
        ..Script::default()
    });
    let reply = post(
        sim.addr(),
        CHAT,
        KEY,
        &chat(&json!({ "max_completion_tokens": 7 })),
    )
    .json();
    assert_eq!(reply["usage"]["completion_tokens"], 7);
    assert_eq!(
        reply["choices"][0]["message"]["content"]
            .as_str()
            .unwrap()
            .split(' ')
            .count(),
        2
    );
    assert_eq!(reply["choices"][0]["finish_reason"], "length");
}

#[test]
fn a_stop_text_ends_the_content_before_it() {
    let sim = sim(Script {
        tokens: Some(40),
        ..Script::default()
    });
    let whole = post(sim.addr(), CHAT, KEY, &chat(&json!({}))).json();
    assert_eq!(whole["usage"]["completion_tokens"], 40);
    let stopped = post(sim.addr(), CHAT, KEY, &chat(&json!({ "stop": ["e"] }))).json();
    let text = stopped["choices"][0]["message"]["content"]
        .as_str()
        .unwrap();
    assert!(!text.contains('e'));
    assert_eq!(stopped["choices"][0]["finish_reason"], "stop");
    assert!(stopped["usage"]["completion_tokens"].as_u64().unwrap() < 40);
}

#[test]
fn tool_calls_stream_their_arguments_in_pieces() {
    let sim = sim(Script {
        tool_calls: Some(2),
        ..Script::default()
    });
    let got = post(
        sim.addr(),
        CHAT,
        KEY,
        &chat(&json!({ "tools": tools(), "stream": true })),
    );
    let mut arguments = [String::new(), String::new()];
    let mut pieces = 0;
    for event in got.events() {
        for call in event["choices"][0]["delta"]["tool_calls"]
            .as_array()
            .into_iter()
            .flatten()
        {
            let index = usize::try_from(call["index"].as_u64().unwrap()).unwrap();
            arguments[index].push_str(call["function"]["arguments"].as_str().unwrap());
            pieces += 1;
        }
    }
    assert!(pieces > 6);
    for one in arguments {
        let parsed: Value = serde_json::from_str(&one).unwrap();
        assert_eq!(parsed, json!({ "city": "word", "days": 1 }));
    }
    assert!(got.text().contains("\"finish_reason\":\"tool_calls\""));
}

#[test]
fn the_words_use_the_tool_make_one_call_and_a_tool_result_ends_them() {
    let sim = sim(Script::default());
    let mut body = json!({ "model": "m", "tools": tools(), "messages": [{ "role": "user", "content": "Please use the tool." }] });
    let reply = post(sim.addr(), CHAT, KEY, &body).json();
    assert_eq!(
        reply["choices"][0]["message"]["tool_calls"]
            .as_array()
            .unwrap()
            .len(),
        1
    );
    assert_eq!(reply["choices"][0]["message"]["content"], Value::Null);
    body["messages"]
        .as_array_mut()
        .unwrap()
        .push(json!({ "role": "tool", "content": "sunny" }));
    let reply = post(sim.addr(), CHAT, KEY, &body).json();
    assert!(reply["choices"][0]["message"]["tool_calls"].is_null());
}

#[test]
fn a_json_schema_gets_a_minimal_instance() {
    let sim = sim(Script::default());
    let schema = json!({ "type": "object", "required": ["kind", "items", "deep"], "properties": {
        "kind": { "enum": ["a", "b"] }, "items": { "type": "array", "minItems": 2, "items": { "type": "number", "minimum": 3 } },
        "deep": { "$ref": "#/$defs/deep" } }, "$defs": { "deep": { "type": ["string", "null"] } } });
    let format = json!({ "type": "json_schema", "json_schema": { "name": "x", "schema": schema } });
    let reply = post(
        sim.addr(),
        CHAT,
        KEY,
        &chat(&json!({ "response_format": format })),
    )
    .json();
    let content: Value =
        serde_json::from_str(reply["choices"][0]["message"]["content"].as_str().unwrap()).unwrap();
    assert_eq!(
        content,
        json!({ "kind": "a", "items": [3, 3], "deep": "word" })
    );
}

#[test]
fn logprobs_come_one_per_token_when_asked() {
    let sim = sim(Script {
        tokens: Some(6),
        ..Script::default()
    });
    let reply = post(
        sim.addr(),
        CHAT,
        KEY,
        &chat(&json!({ "logprobs": true, "top_logprobs": 2 })),
    )
    .json();
    let all = reply["choices"][0]["logprobs"]["content"]
        .as_array()
        .unwrap();
    assert_eq!(all.len(), 6);
    assert_eq!(all[0]["top_logprobs"].as_array().unwrap().len(), 2);
}

#[test]
fn an_image_in_a_chat_prompt_counts() {
    let sim = sim(Script::default());
    let parts = json!([{ "type": "text", "text": "look here" }, { "type": "image_url", "image_url": { "url": "data:image/png;base64,AAAA" } }]);
    let body = json!({ "model": "m", "messages": [{ "role": "user", "content": parts }] });
    let reply = post(sim.addr(), CHAT, KEY, &body).json();
    assert_eq!(reply["usage"]["prompt_tokens"], 3 + 2 + 85);
}

#[test]
fn legacy_completions_answer_and_stream() {
    let sim = sim(Script::default());
    let body = json!({ "model": "m", "prompt": "a b", "max_tokens": 3 });
    let reply = post(sim.addr(), "/v1/completions", KEY, &body).json();
    assert_eq!(reply["object"], "text_completion");
    assert_eq!(reply["usage"]["completion_tokens"], 3);
    let body = json!({ "model": "m", "prompt": "a b", "max_tokens": 3, "stream": true });
    let got = post(sim.addr(), "/v1/completions", KEY, &body);
    let text: String = got
        .events()
        .iter()
        .filter_map(|e| e["choices"][0]["text"].as_str().map(str::to_owned))
        .collect();
    assert_eq!(text.split(' ').count(), 3);
    assert_eq!(got.data().last().unwrap(), "[DONE]");
}

#[test]
fn models_are_listed_in_both_shapes() {
    let sim = sim(Script::default());
    assert_eq!(
        get(sim.addr(), "/p/x/v1/models").json()["data"][0]["id"],
        "sim-model"
    );
    assert_eq!(
        get(sim.addr(), "/v1beta/models").json()["models"][0]["name"],
        "models/sim-model"
    );
}

#[test]
fn a_message_has_anthropics_shape_and_cache_usage() {
    let sim = sim(Script {
        cached_tokens: Some(3),
        ..Script::default()
    });
    let system = json!([
        { "type": "text", "text": "a b c d e", "cache_control": { "type": "ephemeral", "ttl": "1h" } },
        { "type": "text", "text": "f g", "cache_control": { "type": "ephemeral" } },
    ]);
    let reply = post(
        sim.addr(),
        MESSAGES,
        ANTHROPIC,
        &claude(&json!({ "system": system })),
    )
    .json();
    assert_eq!(reply["type"], "message");
    assert_eq!(reply["stop_reason"], "end_turn");
    let usage = &reply["usage"];
    assert_eq!(usage["cache_read_input_tokens"], 3);
    assert_eq!(usage["cache_creation_input_tokens"], 4);
    assert_eq!(
        usage["cache_creation"],
        json!({ "ephemeral_5m_input_tokens": 2, "ephemeral_1h_input_tokens": 2 })
    );
    assert_eq!(usage["input_tokens"], 6);
}

#[test]
fn a_message_stream_keeps_the_order_of_events() {
    let sim = sim(Script::default());
    let body = claude(
        &json!({ "stream": true, "max_tokens": 2000, "thinking": { "type": "enabled", "budget_tokens": 1024 } }),
    );
    let truth = truth(
        Format::Anthropic,
        MESSAGES,
        body.to_string().as_bytes(),
        &sim.scripts().default,
    )
    .unwrap();
    let got = post(sim.addr(), MESSAGES, ANTHROPIC, &body);
    let names: Vec<String> = got
        .text()
        .lines()
        .filter_map(|l| l.strip_prefix("event: ").map(str::to_owned))
        .collect();
    let events = got.events();
    assert!(
        names
            .iter()
            .zip(&events)
            .all(|(name, event)| event["type"] == *name)
    );
    assert_eq!(names.len(), events.len());
    let mut order = names;
    order.dedup();
    assert_eq!(
        order,
        [
            "message_start",
            "ping",
            "content_block_start",
            "content_block_delta",
            "content_block_stop",
            "content_block_start",
            "content_block_delta",
            "content_block_stop",
            "message_delta",
            "message_stop"
        ]
    );
    let join = |key: &str| -> String {
        events
            .iter()
            .filter_map(|e| e["delta"][key].as_str())
            .collect()
    };
    assert_eq!(join("text"), truth.text);
    assert_eq!(
        join("thinking").split(' ').count() as u64,
        truth.reasoning_tokens
    );
    assert!(!join("signature").is_empty());
    let usage = &events[events.len() - 2]["usage"];
    assert_eq!(usage["output_tokens"], truth.completion_tokens);
    assert_eq!(
        usage["output_tokens_details"]["thinking_tokens"],
        truth.reasoning_tokens
    );
}

#[test]
fn anthropic_tools_stream_partial_json() {
    let sim = sim(Script::default());
    let tools = json!([{ "name": "weather", "input_schema": { "type": "object", "properties": { "city": { "type": "string" } } } }]);
    let body = claude(&json!({ "stream": true, "tools": tools, "tool_choice": { "type": "any" } }));
    let got = post(sim.addr(), MESSAGES, ANTHROPIC, &body);
    let events = got.events();
    let json: String = events
        .iter()
        .filter_map(|e| e["delta"]["partial_json"].as_str())
        .collect();
    assert_eq!(
        serde_json::from_str::<Value>(&json).unwrap(),
        json!({ "city": "word" })
    );
    assert!(
        events
            .iter()
            .any(|e| e["delta"]["stop_reason"] == "tool_use")
    );
}

#[test]
fn anthropic_refuses_what_it_must() {
    let sim = sim(Script::default());
    let body = claude(&json!({}));
    let refused = |headers: &str, body: &Value| {
        let got = post(sim.addr(), MESSAGES, headers, body);
        (
            got.status,
            got.json()["error"]["type"].as_str().unwrap().to_owned(),
        )
    };
    assert_eq!(
        refused("anthropic-version: 2023-06-01\r\n", &body),
        (401, "authentication_error".to_owned())
    );
    assert_eq!(refused(KEY, &body).0, 400);
    assert_eq!(
        refused(ANTHROPIC, &chat(&json!({}))),
        (400, "invalid_request_error".to_owned())
    );
    let sampling = claude(&json!({ "temperature": 0.5 }));
    assert_eq!(post(sim.addr(), MESSAGES, ANTHROPIC, &sampling).status, 200);
    let new = "authorization: Bearer x\r\nanthropic-version: 2026-10-21\r\n";
    assert_eq!(refused(new, &sampling).0, 400);
    assert!(post(sim.addr(), MESSAGES, KEY, &body).json()["request_id"].is_string());
}

#[test]
fn gemini_answers_in_candidates_and_counts_thoughts_apart() {
    let sim = sim(Script::default());
    let body =
        gem(&json!({ "generationConfig": { "thinkingConfig": { "includeThoughts": true } } }));
    let truth = truth(
        Format::Gemini,
        GEMINI,
        body.to_string().as_bytes(),
        &sim.scripts().default,
    )
    .unwrap();
    let reply = post(sim.addr(), GEMINI, KEY, &body).json();
    let parts = &reply["candidates"][0]["content"]["parts"];
    assert_eq!(parts[0]["thought"], true);
    assert_eq!(parts[1]["text"], truth.text);
    assert_eq!(reply["candidates"][0]["finishReason"], "STOP");
    let usage = &reply["usageMetadata"];
    assert_eq!(usage["thoughtsTokenCount"], truth.reasoning_tokens);
    assert_eq!(
        usage["candidatesTokenCount"],
        truth.completion_tokens - truth.reasoning_tokens
    );
    assert_eq!(
        usage["totalTokenCount"],
        truth.prompt_tokens + truth.completion_tokens
    );
}

#[test]
fn a_gemini_stream_counts_cumulatively_and_has_no_done() {
    let sim = sim(Script {
        tokens: Some(9),
        ..Script::default()
    });
    let got = post(sim.addr(), GEMINI_SSE, KEY, &gem(&json!({})));
    let counts: Vec<u64> = got
        .events()
        .iter()
        .filter_map(|e| e["usageMetadata"]["candidatesTokenCount"].as_u64())
        .collect();
    assert_eq!(counts, [1, 2, 3, 4, 5, 6, 7, 8, 9, 9]);
    assert!(!got.text().contains("[DONE]"));
    assert_eq!(
        got.events().last().unwrap()["candidates"][0]["finishReason"],
        "STOP"
    );
    let array = post(
        sim.addr(),
        "/v1/models/gem-1:streamGenerateContent",
        KEY,
        &gem(&json!({})),
    );
    assert_eq!(array.json().as_array().unwrap().len(), 10);
}

#[test]
fn gemini_calls_functions_whole_and_signed() {
    let sim = sim(Script {
        tool_calls: Some(2),
        ..Script::default()
    });
    let tools = json!([{ "functionDeclarations": [{ "name": "f", "parameters": { "type": "OBJECT", "properties": { "x": { "type": "NUMBER" } } } }] }]);
    let got = post(
        sim.addr(),
        GEMINI_SSE,
        KEY,
        &gem(&json!({ "tools": tools })),
    );
    let events = got.events();
    let parts = events.last().unwrap()["candidates"][0]["content"]["parts"].clone();
    assert_eq!(parts[0]["functionCall"]["args"], json!({ "x": 1 }));
    assert!(parts[0]["thoughtSignature"].is_string() && parts[1]["thoughtSignature"].is_null());
}

#[test]
fn gemini_draws_when_asked() {
    let sim = sim(Script::default());
    let reply = post(
        sim.addr(),
        GEMINI,
        KEY,
        &gem(&json!({ "generationConfig": { "responseModalities": ["TEXT", "IMAGE"] } })),
    )
    .json();
    let parts = reply["candidates"][0]["content"]["parts"]
        .as_array()
        .unwrap()
        .clone();
    assert_eq!(parts.last().unwrap()["inlineData"]["mimeType"], "image/png");
    assert_eq!(
        reply["usageMetadata"]["candidatesTokensDetails"][0]["tokenCount"],
        1290
    );
}

#[test]
fn the_same_bytes_get_the_same_answer_and_another_seed_another() {
    let sim = sim(Script {
        tokens: Some(30),
        ..Script::default()
    });
    let ask = |headers: &str| {
        let mut reply = post(sim.addr(), CHAT, headers, &chat(&json!({}))).json();
        reply["choices"][0]["message"]["content"].take()
    };
    assert_eq!(ask(KEY), ask(""));
    assert_ne!(ask(KEY), ask("x-sim-script: {\"seed\": 9}\r\n"));
}

#[test]
fn the_same_text_has_the_same_vector_in_every_batch_shape_and_encoding() {
    let sim = sim(Script::default());
    let path = "/p/any/v1/embeddings";
    let ask = |more: Value| {
        let mut body = json!({ "model": "m", "input": ["one two", "three"], "dimensions": 4 });
        body.as_object_mut()
            .unwrap()
            .extend(more.as_object().unwrap().clone());
        post(sim.addr(), path, KEY, &body)
    };
    let reply = ask(json!({})).json();
    assert_eq!(reply["object"], "list");
    assert_eq!(reply["data"][1]["index"], 1);
    assert_eq!(
        reply["usage"],
        json!({ "prompt_tokens": 3, "total_tokens": 3 })
    );
    let alone = ask(json!({ "input": "three" })).json();
    assert_eq!(alone["data"][0]["embedding"], reply["data"][1]["embedding"]);
    let encoded = ask(json!({ "encoding_format": "base64" })).json();
    // Four floats in base64.
    assert_eq!(encoded["data"][0]["embedding"].as_str().unwrap().len(), 24);
    let one = |text: &str| json!({ "content": { "parts": [{ "text": text }] }, "outputDimensionality": 4 });
    let google = "/p/any/v1beta/models/gem-1:batchEmbedContents";
    let batch = json!({ "requests": [one("one two"), one("three")] });
    let batch = post(sim.addr(), google, KEY, &batch).json();
    assert_eq!(
        batch["embeddings"][1]["values"],
        alone["data"][0]["embedding"]
    );
    assert_eq!(batch["usageMetadata"]["promptTokenCount"], 3);
    for wrong in [
        json!({ "input": "" }),
        json!({ "input": [] }),
        json!({ "input": ["a", 1] }),
        json!({ "input": vec!["a"; 2_049] }),
        json!({ "dimensions": 0 }),
    ] {
        assert_eq!(ask(wrong).status, 400);
    }
    let many = json!({ "requests": vec![one("a"); 101] });
    let refused = post(sim.addr(), google, KEY, &many);
    assert_eq!(refused.status, 400);
    assert!(
        refused.text().contains("at most 100 requests"),
        "{}",
        refused.text()
    );
}

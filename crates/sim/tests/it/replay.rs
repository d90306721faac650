//! Conversations with tools that come back whole, and in every way broken.

use bourse_sim::replay::{DUMMIES, claude_signature, gemini_signature, openai_seal};
use bourse_sim::{Format, Script, Turn, TurnCall, truth};
use serde_json::{Value, json};

const CONVERSE: &str = "/model/m/converse";

fn asked(format: Format, path: &str, body: &Value, script: &Script) -> Result<String, String> {
    truth(format, path, body.to_string().as_bytes(), script)
        .map(|truth| truth.text)
        .map_err(|refusal| {
            assert_eq!(refusal.status, 400);
            refusal.message
        })
}

/// What each change makes of a conversation that is accepted as it is.
#[track_caller]
fn check(format: Format, path: &str, whole: &Value, rows: &[(&str, Value, &str)]) {
    let script = Script::default();
    asked(format, path, whole, &script).unwrap();
    for (pointer, value, sentence) in rows {
        let mut body = whole.clone();
        *body.pointer_mut(pointer).unwrap() = value.clone();
        let told = asked(format, path, &body, &script).expect_err(pointer);
        assert!(told.contains(sentence), "{pointer}: {told}");
    }
}

#[test]
fn anthropic_wants_signatures_results_and_the_thoughts_of_an_open_round() {
    let thought =
        json!({"type": "thinking", "thinking": "hm", "signature": claude_signature("hm")});
    let call = json!({"type": "tool_use", "id": "toolu_1", "name": "f", "input": {}});
    let result = json!({"type": "tool_result", "tool_use_id": "toolu_1", "content": "21"});
    let said = json!({"type": "text", "text": "and?"});
    let whole = json!({
        "model": "m", "max_tokens": 2000,
        "thinking": {"type": "enabled", "budget_tokens": 1024},
        "tool_choice": {"type": "auto"}, "temperature": 1,
        "messages": [
            {"role": "user", "content": "q"},
            {"role": "assistant", "content": [thought, call]},
            {"role": "user", "content": [result, said]},
        ],
    });
    let rows = [
        (
            "/messages/1/content/0/signature",
            json!("EqQB"),
            "Invalid `signature` in `thinking`",
        ),
        (
            "/messages/1/content/0/thinking",
            json!("hm."),
            "Invalid `signature` in `thinking`",
        ),
        (
            "/messages/1/content",
            json!([call]),
            "Expected `thinking` or `redacted_thinking`, but found `tool_use`",
        ),
        (
            "/messages/1/content",
            json!([thought, call, call]),
            "ids must be unique",
        ),
        (
            "/messages/1/content/1/id",
            json!("a b"),
            "should match pattern",
        ),
        (
            "/messages/1/content/1/input",
            json!("{}"),
            "valid dictionary",
        ),
        (
            "/messages/1/content/0",
            json!({"type": "text", "text": ""}),
            "must be non-empty",
        ),
        (
            "/messages/1/content/0",
            json!({"type": "redacted_thinking", "data": "x"}),
            "Invalid `data`",
        ),
        (
            "/messages/2/content",
            json!([said]),
            "found without `tool_result` blocks immediately after: toolu_1",
        ),
        (
            "/messages/2/content",
            json!([said, result]),
            "found without `tool_result` blocks immediately after",
        ),
        (
            "/messages/2/content",
            json!([result, result]),
            "must have a single result",
        ),
        (
            "/messages/2/content/0/tool_use_id",
            json!("toolu_2"),
            "unexpected `tool_use_id`",
        ),
        (
            "/tool_choice/type",
            json!("any"),
            "tool_choice forces tool use",
        ),
        ("/temperature", json!(0.5), "may only be set to 1"),
        (
            "/thinking/budget_tokens",
            json!(100),
            "greater than or equal to 1024",
        ),
        (
            "/max_tokens",
            json!(1024),
            "must be greater than `thinking.budget_tokens`",
        ),
    ];
    check(Format::Anthropic, "/v1/messages", &whole, &rows);
    // Who thinks as it sees fit may not have thought, and neither who does not.
    for thinking in [json!({"type": "adaptive"}), json!({"type": "disabled"})] {
        let mut body = whole.clone();
        body["thinking"] = thinking;
        body["messages"][1]["content"] = json!([call]);
        asked(Format::Anthropic, "/v1/messages", &body, &Script::default()).unwrap();
    }
}

#[test]
fn bedrock_wants_turns_in_order_results_and_signatures() {
    let thought = json!({"reasoningContent": {"reasoningText":
        {"text": "hm", "signature": claude_signature("hm")}}});
    let call = json!({"toolUse": {"toolUseId": "tooluse_1", "name": "f", "input": {}}});
    let result = json!({"toolResult": {"toolUseId": "tooluse_1", "content": [{"text": "21"}]}});
    let whole = json!({
        "toolConfig": {"tools": []},
        "additionalModelRequestFields": {"thinking": {"type": "enabled", "budget_tokens": 1024}},
        "messages": [
            {"role": "user", "content": [{"text": "q"}]},
            {"role": "assistant", "content": [thought, call]},
            {"role": "user", "content": [result]},
        ],
    });
    let signature = "/messages/1/content/0/reasoningContent/reasoningText/signature";
    let rows = [
        (
            signature,
            json!("EqQB"),
            "Invalid `signature` in `thinking` block",
        ),
        ("/messages/1/content", json!([call]), "Expected `thinking`"),
        ("/messages/1/role", json!("user"), "must alternate"),
        (
            "/messages/1/content/1/toolUse/toolUseId",
            json!("a.b"),
            "[a-zA-Z0-9_-]+",
        ),
        (
            "/messages/2/content",
            json!([{"text": "x"}]),
            "Expected toolResult blocks at messages.2.content for the following Ids: tooluse_1",
        ),
        (
            "/messages/2/content",
            json!([result, result]),
            "exceeds the number of toolUse blocks",
        ),
        (
            "/messages/2/content",
            json!([result, {"text": " "}]),
            "is blank",
        ),
    ];
    check(Format::Bedrock, CONVERSE, &whole, &rows);
}

#[test]
fn chat_completions_want_a_text_for_each_call_at_once() {
    let call =
        json!({"id": "call_1", "type": "function", "function": {"name": "f", "arguments": "{}"}});
    let whole = json!({
        "model": "m",
        "messages": [
            {"role": "user", "content": "q"},
            {"role": "assistant", "content": null, "tool_calls": [call]},
            {"role": "tool", "tool_call_id": "call_1", "content": [{"type": "text", "text": "21"}]},
            {"role": "user", "content": "and?"},
        ],
    });
    let long = "c".repeat(41);
    let picture = json!([{"type": "image_url", "image_url": {"url": "data:image/png;base64,"}}]);
    let rows = [
        (
            "/messages/2/tool_call_id",
            json!("call_2"),
            "must be a response to a preceeding message",
        ),
        (
            "/messages/2",
            json!({"role": "user", "content": "x"}),
            "did not have response messages: call_1",
        ),
        (
            "/messages/2/content",
            picture,
            "only allowed for messages with role 'user'",
        ),
        (
            "/messages/1/tool_calls/0/id",
            json!(long),
            "maximum length 40, but got a string with length 41",
        ),
        (
            "/messages/1/tool_calls/0/id",
            json!(""),
            "Missing required parameter",
        ),
        (
            "/messages/1/tool_calls/0/function/name",
            json!("a.b"),
            "does not match pattern",
        ),
        (
            "/messages/1/tool_calls/0/function/arguments",
            json!({}),
            "expected a string",
        ),
    ];
    check(Format::OpenaiChat, "/v1/chat/completions", &whole, &rows);
}

#[test]
fn responses_want_their_seals_and_what_follows_a_thought() {
    let thought = json!({"type": "reasoning", "id": "rs_1", "summary": [],
        "encrypted_content": openai_seal(7, "rs_1")});
    let call = json!({"type": "function_call", "id": "fc_1", "call_id": "call_1", "name": "f", "arguments": "{}"});
    let output = json!({"type": "function_call_output", "call_id": "call_1", "output": "21"});
    let whole = json!({
        "model": "m", "store": false,
        "input": [{"role": "user", "content": "q"}, thought, call, output],
    });
    let rows = [
        (
            "/input/1/encrypted_content",
            json!("EqQB"),
            "could not be decrypted or parsed",
        ),
        (
            "/input/1/encrypted_content",
            json!(null),
            "Items are not persisted",
        ),
        (
            "/input/1/id",
            json!("rs_2"),
            "did not match the target item id",
        ),
        (
            "/input/2/id",
            json!("rs_1"),
            "Expected an ID that begins with 'fc'",
        ),
        ("/input/2", thought, "Duplicate item found with id rs_1"),
        ("/input/2", output, "without its required following item"),
        (
            "/input/3",
            json!({"role": "user", "content": "x"}),
            "No tool output found for function call call_1",
        ),
        (
            "/input/3/call_id",
            json!("call_2"),
            "No tool call found for function call output with call_id call_2",
        ),
        (
            "/input/2/call_id",
            json!("c".repeat(65)),
            "maximum length 64",
        ),
    ];
    check(Format::OpenaiResponses, "/v1/responses", &whole, &rows);
}

#[test]
fn gemini_wants_its_own_signatures_and_as_many_results_as_calls() {
    let call = json!({"functionCall": {"id": "1", "name": "f", "args": {}},
        "thoughtSignature": gemini_signature(7)});
    let unsigned = json!({"functionCall": {"id": "2", "name": "f", "args": {}}});
    let result = |id: &str| json!({"functionResponse": {"id": id, "name": "f", "response": {}}});
    let whole = json!({"contents": [
        {"role": "user", "parts": [{"text": "q"}]},
        {"role": "model", "parts": [{"text": "so"}]},
        {"role": "model", "parts": [call, unsigned]},
        {"role": "user", "parts": [result("1"), result("2")]},
    ]});
    let rows = [
        (
            "/contents/2/parts/0/thoughtSignature",
            json!("CiQB"),
            "Corrupted thought signature",
        ),
        (
            "/contents/2/parts",
            json!([unsigned, call]),
            "missing a thought_signature",
        ),
        (
            "/contents/3/parts",
            json!([result("1")]),
            "number of function response parts",
        ),
        (
            "/contents/3/parts/1/functionResponse/id",
            json!("3"),
            "no function call of its name and id",
        ),
        (
            "/contents/2/parts",
            json!([{"text": "no call"}]),
            "immediately after a function call turn",
        ),
    ];
    let path = |model: &str| format!("/v1beta/models/{model}:generateContent");
    check(Format::Gemini, &path("gemini-3-pro"), &whole, &rows);
    let mut body = whole;
    for dummy in DUMMIES {
        body["contents"][2]["parts"][0]["thoughtSignature"] = json!(dummy);
        asked(
            Format::Gemini,
            &path("gemini-3-pro"),
            &body,
            &Script::default(),
        )
        .unwrap();
    }
    // Before Gemini 3 a signature may be missing.
    body["contents"][2]["parts"][0]["thoughtSignature"].take();
    asked(
        Format::Gemini,
        &path("gemini-2.5-flash"),
        &body,
        &Script::default(),
    )
    .unwrap();
}

fn scripted() -> Script {
    let call = TurnCall {
        tool: "write".to_owned(),
        arguments: json!({"path": "a", "n": 1}).as_object().unwrap().clone(),
    };
    let unknown = TurnCall {
        tool: "fly".to_owned(),
        ..call.clone()
    };
    Script {
        turns: vec![
            Turn {
                say: "First.".to_owned(),
                calls: vec![call, unknown],
            },
            Turn {
                say: "Done.".to_owned(),
                calls: Vec::new(),
            },
        ],
        wants_thoughts_back: true,
        ..Script::default()
    }
}

#[test]
fn a_scripted_conversation_is_played_turn_by_turn_and_wants_its_thoughts_back() {
    let script = scripted();
    let tools = json!([{"type": "function", "function": {"name": "write"}}]);
    let user = json!({"role": "user", "content": "q"});
    let ask = |messages: &Value, tools: &Value| {
        let body = json!({"model": "m", "messages": messages, "tools": tools});
        asked(Format::OpenaiChat, "/v1/chat/completions", &body, &script)
    };
    assert_eq!(ask(&json!([user]), &tools).unwrap(), "First.");
    // Who offers no tools asks for something beside the conversation.
    assert_ne!(ask(&json!([user]), &json!([])).unwrap(), "First.");

    let sim = crate::client::sim(script.clone());
    let body = json!({"model": "m", "messages": [user], "tools": tools});
    let path = "/v1/chat/completions";
    let reply = crate::client::post(sim.addr(), path, crate::client::KEY, &body).json();
    let message = &reply["choices"][0]["message"];
    assert_eq!(message["content"], "First.");
    assert_eq!(message["tool_calls"].as_array().unwrap().len(), 1);
    let function = &message["tool_calls"][0]["function"];
    assert_eq!(function["arguments"], r#"{"n":1,"path":"a"}"#);

    let mut round = json!({"role": "assistant", "reasoning_content": "hm", "tool_calls": message["tool_calls"]});
    let result =
        json!({"role": "tool", "tool_call_id": message["tool_calls"][0]["id"], "content": "ok"});
    assert_eq!(ask(&json!([user, round, result]), &tools).unwrap(), "Done.");
    round.as_object_mut().unwrap().remove("reasoning_content");
    let told = ask(&json!([user, round, result]), &tools).unwrap_err();
    assert!(told.contains("thoughts of round 0"), "{told}");
    // Earlier turns go without.
    ask(
        &json!([user, round, result, {"role": "assistant", "content": "x"}, user]),
        &tools,
    )
    .unwrap();
}

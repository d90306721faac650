//! Requests: what a client says, and what a provider is told.

use bourse_vocab::chat::{Loss, Part, Request, Role, Tool, ToolChoice};
use bourse_vocab::{Format, TierWish};
use serde_json::{Value, json};

use crate::dialect::{CallIds, Dialect, ReasoningStyle};
use crate::{WriteTarget, codec};

const THINKS: Dialect = Dialect {
    reasoning: ReasoningStyle::Effort,
    developer_role: true,
    rejects: &["temperature"],
    accepts: &[],
    call_ids: CallIds::UpToForty,
    ..Dialect::PLAIN
};

fn read(body: &Value) -> Request {
    codec(Format::OpenAiResponses)
        .read_request(body.to_string().as_bytes())
        .unwrap()
}

fn refusal(body: &Value) -> String {
    codec(Format::OpenAiResponses)
        .read_request(body.to_string().as_bytes())
        .unwrap_err()
        .message
        .into_owned()
}

fn write(request: &Request, dialect: &Dialect) -> (Value, Vec<Loss>) {
    let target = WriteTarget {
        model: "vendor-model",
        max_output: Some(1_000),
        limit: Some(500),
        efforts: bourse_vocab::chat::Efforts::default(),
        tier: TierWish::None,
        dialect,
    };
    let written = codec(Format::OpenAiResponses)
        .write_request(request, &target)
        .unwrap();
    (
        serde_json::from_slice(&written.body).unwrap(),
        written.losses,
    )
}

#[test]
fn what_the_model_did_in_a_row_is_one_turn() {
    let request = read(&json!({"instructions": "i", "input": [
        {"role": "user", "content": "q"},
        {"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "X"},
        {"type": "message", "id": "msg_1", "role": "assistant", "status": "completed",
            "content": [{"type": "output_text", "text": "a", "annotations": []}]},
        {"type": "function_call", "call_id": "c", "name": "f", "arguments": "{}"},
        {"type": "function_call_output", "call_id": "c", "output": "r"},
        {"role": "assistant", "content": "b"},
    ]}));
    let turns: Vec<_> = request
        .messages
        .iter()
        .map(|message| (message.role, message.parts.len()))
        .collect();
    assert_eq!(
        turns,
        [
            (Role::System, 1),
            (Role::User, 1),
            (Role::Assistant, 3),
            (Role::Tool, 1),
            (Role::Assistant, 1),
        ]
    );
    assert!(request.extras.members.is_empty(), "{:?}", request.extras);
}

#[test]
fn what_is_wrong_is_refused_with_its_path() {
    for (over, place) in [
        (json!({}), "input: is required"),
        (json!({"input": []}), "input: at least one"),
        (json!({"input": [7]}), "input[0]: expected an object"),
        (
            json!({"input": [{"role": "user"}]}),
            "input[0].content: is required",
        ),
        (
            json!({"input": [{"role": "user", "content": [{"text": "x"}]}]}),
            "input[0].content[0].type: is required",
        ),
        (
            json!({"input": [{"role": "user", "content": [{"type": "input_image"}]}]}),
            "input[0].content[0].image_url: is required",
        ),
        (
            json!({"input": [{"role": "user",
                "content": [{"type": "input_file", "file_id": "file_1"}]}]}),
            "input[0].content[0].file_id: no files are kept here",
        ),
        (
            json!({"input": [{"type": "function_call", "name": "f"}]}),
            "input[0].call_id: is required",
        ),
        (
            json!({"input": [{"type": "item_reference", "id": "x"}]}),
            "input[0]: no items are stored here",
        ),
        (
            json!({"input": "x", "tools": [{"type": "function"}]}),
            "tools[0].name: is required",
        ),
        (
            json!({"input": "x", "tools": [{"type": "code_interpreter"}]}),
            "tools[0].type: `code_interpreter`",
        ),
        (json!({"input": "x", "store": true}), "store: "),
        (
            json!({"input": "x", "max_output_tokens": 0}),
            "max_output_tokens: ",
        ),
        (
            json!({"input": "x", "text": {"format": {}}}),
            "text.format.type: ",
        ),
        (
            json!({"input": "x", "reasoning": {"effort": "huge"}}),
            "reasoning.effort: ",
        ),
    ] {
        let said = refusal(&over);
        assert!(said.starts_with(place), "{over}: {said}");
    }
}

#[test]
fn nothing_is_stored_at_a_provider_and_only_who_thinks_is_asked_for_seals() {
    let request = read(&json!({"input": "x", "stream": true,
        "reasoning": {"effort": "low", "summary": "auto"}}));
    let (sent, losses) = write(&request, &THINKS);
    assert_eq!(losses, []);
    assert_eq!(sent["store"], false);
    assert_eq!(sent["stream"], true);
    assert_eq!(sent["max_output_tokens"], 500);
    assert_eq!(sent["include"], json!(["reasoning.encrypted_content"]));
    assert_eq!(
        sent["reasoning"],
        json!({"effort": "low", "summary": "auto"})
    );
    let (sent, losses) = write(&request, &Dialect::PLAIN);
    assert_eq!(sent.get("include"), None);
    assert_eq!(sent.get("reasoning"), None);
    assert_eq!(losses.len(), 1, "{losses:?}");
}

#[test]
fn what_a_provider_does_not_take_is_reported() {
    let request = read(
        &json!({"input": "x", "temperature": 0.5, "top_k": 3, "stop": ["a"],
        "prompt_cache_key": "k", "prompt_cache_options": {"mode": "explicit"},
        "max_tool_calls": 3}),
    );
    let (sent, losses) = write(&request, &THINKS);
    let lost: Vec<_> = losses.iter().map(|loss| loss.field.as_str()).collect();
    assert_eq!(
        lost,
        [
            "temperature",
            "top_k",
            "stop",
            "max_tool_calls",
            "prompt_cache_options"
        ]
    );
    assert_eq!(sent["prompt_cache_key"], "k");
    let newer = Dialect {
        accepts: &["prompt_cache_options"],
        ..THINKS
    };
    let (sent, _) = write(&request, &newer);
    assert_eq!(sent["prompt_cache_options"]["mode"], "explicit");
}

#[test]
fn only_what_openai_sealed_goes_back_to_it_and_ids_that_are_made_up_do_not() {
    let thought = |id: &str, format: Option<&str>| {
        json!({"type": "reasoning", "id": id, "summary": [{"type": "summary_text", "text": "s"}],
            "encrypted_content": "X", "format": format})
    };
    let request = read(&json!({"input": [
        {"role": "user", "content": "q"},
        thought("rs_1", None),
        thought("rs_gen-1-2_0", Some("azure-openai-responses-v1")),
        thought("rs_2", Some("anthropic-claude-v1")),
        {"role": "assistant", "content": "a"},
    ]}));
    let (sent, losses) = write(&request, &THINKS);
    let items = sent["input"].as_array().unwrap();
    assert_eq!(items.len(), 4, "{sent}");
    assert_eq!(items[1]["id"], "rs_1");
    assert_eq!(items[2].get("id"), None);
    assert_eq!(items[3]["content"][0]["type"], "output_text");
    assert_eq!(losses.len(), 1, "{losses:?}");
    assert!(!losses[0].is_content);
}

#[test]
fn a_custom_tool_is_offered_as_a_function_and_its_grammar_is_reported() {
    let request = read(&json!({"input": [
        {"role": "user", "content": "q"},
        {"type": "custom_tool_call", "call_id": "c", "name": "patch", "input": "*** \"x\""},
        {"type": "custom_tool_call_output", "call_id": "c", "output": "ok"},
    ], "tools": [{"type": "custom", "name": "patch", "format": {"type": "grammar"}}],
        "tool_choice": {"type": "custom", "name": "patch"}}));
    assert!(matches!(&request.tools[..], [Tool::Function { name, .. }] if name == "patch"));
    assert_eq!(request.tool_choice, Some(ToolChoice::Named("patch".into())));
    let Part::ToolCall { arguments, .. } = &request.messages[1].parts[0] else {
        panic!("{:?}", request.messages);
    };
    let arguments = bourse_vocab::json::parse(arguments.as_bytes()).unwrap();
    assert_eq!(arguments["input"].as_str(), Some("*** \"x\""));
    let (_, losses) = write(&request, &THINKS);
    assert_eq!(losses[0].field, "tools[0].format");
}

#[test]
fn tools_and_parts_of_other_formats_are_not_dropped_in_silence() {
    let chat = json!({"messages": [
        {"role": "user", "content": [
            {"type": "text", "text": "x"},
            {"type": "input_audio", "input_audio": {"data": "AA", "format": "wav"}},
        ]},
    ], "tools": [{"type": "custom", "custom": {"name": "c"}}], "n": 2, "seed": 7});
    let request = codec(Format::OpenAiChat)
        .read_request(chat.to_string().as_bytes())
        .unwrap();
    let (sent, losses) = write(&request, &THINKS);
    assert_eq!(sent.get("tools"), None);
    let content: Vec<_> = losses
        .iter()
        .filter(|loss| loss.is_content)
        .map(|loss| loss.field.as_str())
        .collect();
    assert_eq!(content, ["messages[0].content[1]", "tools[0]", "n"]);
    assert!(losses.iter().any(|loss| loss.field == "seed"));
}

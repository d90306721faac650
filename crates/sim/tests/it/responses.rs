//! OpenAI's Responses, streaming and not.

use bourse_sim::{Format, Script, truth};
use serde_json::{Value, json};

use crate::client::{KEY, post, sim};

const RESPONSES: &str = "/v1/responses";

fn asked(more: &Value) -> Value {
    let mut body = json!({ "model": "m", "input": "one two three" });
    body.as_object_mut()
        .unwrap()
        .extend(more.as_object().unwrap().clone());
    body
}

fn tool() -> Value {
    json!([{ "type": "function", "name": "weather", "parameters": {
        "type": "object", "required": ["city"],
        "properties": { "city": { "type": "string" } } } }])
}

#[test]
fn a_response_tells_the_computed_truth_in_items() {
    let sim = sim(Script::default());
    let body = asked(&json!({ "reasoning": { "effort": "high", "summary": "auto" } }));
    let truth = truth(
        Format::OpenaiResponses,
        RESPONSES,
        body.to_string().as_bytes(),
        &sim.scripts().default,
    )
    .unwrap();
    let reply = post(sim.addr(), RESPONSES, KEY, &body).json();
    assert_eq!(reply["object"], "response");
    assert_eq!(reply["status"], "completed");
    assert_eq!(reply["output"][0]["type"], "reasoning");
    assert_eq!(reply["output"][1]["content"][0]["text"], truth.text);
    let usage = &reply["usage"];
    assert_eq!(usage["input_tokens"], 6);
    assert_eq!(usage["output_tokens"], truth.completion_tokens);
    assert_eq!(
        usage["output_tokens_details"]["reasoning_tokens"],
        truth.reasoning_tokens
    );
}

#[test]
fn a_stream_of_items_is_numbered_and_adds_up_to_the_response() {
    let sim = sim(Script::default());
    let more = json!({ "stream": true, "reasoning": { "effort": "high", "summary": "auto" } });
    let got = post(sim.addr(), RESPONSES, KEY, &asked(&more));
    let events = got.events();
    for (number, event) in events.iter().enumerate() {
        assert_eq!(event["sequence_number"], number, "{event}");
    }
    let deltas: String = events
        .iter()
        .filter(|event| event["type"] == "response.output_text.delta")
        .map(|event| event["delta"].as_str().unwrap())
        .collect();
    let last = events.last().unwrap();
    assert_eq!(last["type"], "response.completed");
    let output = &last["response"]["output"];
    assert_eq!(output[1]["content"][0]["text"], deltas);
    let done: Vec<&Value> = events
        .iter()
        .filter(|event| event["type"] == "response.output_item.done")
        .map(|event| &event["item"])
        .collect();
    assert_eq!(done, output.as_array().unwrap().iter().collect::<Vec<_>>());
}

#[test]
fn calls_stream_their_arguments_and_their_results_end_them() {
    let sim = sim(Script::default());
    let more = json!({ "stream": true, "tools": tool(), "tool_choice": "required" });
    let events = post(sim.addr(), RESPONSES, KEY, &asked(&more)).events();
    let call = &events.last().unwrap()["response"]["output"][0];
    assert_eq!(call["type"], "function_call");
    let deltas: String = events
        .iter()
        .filter(|event| event["type"] == "response.function_call_arguments.delta")
        .map(|event| event["delta"].as_str().unwrap())
        .collect();
    assert_eq!(call["arguments"], deltas);
    let answered = json!({ "tools": tool(), "input": [
        { "role": "user", "content": "use the tool" }, call,
        { "type": "function_call_output", "call_id": call["call_id"], "output": "3" } ] });
    let reply = post(sim.addr(), RESPONSES, KEY, &asked(&answered)).json();
    assert_eq!(reply["output"][0]["type"], "message");
}

#[test]
fn the_limit_makes_a_response_incomplete_and_foreign_seals_are_refused() {
    let sim = sim(Script {
        tokens: Some(50),
        ..Script::default()
    });
    let cut = post(
        sim.addr(),
        RESPONSES,
        KEY,
        &asked(&json!({ "max_output_tokens": 3 })),
    )
    .json();
    assert_eq!(cut["status"], "incomplete");
    assert_eq!(cut["incomplete_details"]["reason"], "max_output_tokens");
    for more in [
        json!({ "input": [{ "type": "reasoning", "summary": [], "encrypted_content": "EqQB" }] }),
        json!({ "messages": [] }),
        json!({ "input": [] }),
    ] {
        let got = post(sim.addr(), RESPONSES, KEY, &asked(&more));
        assert_eq!(got.status, 400, "{more}");
        assert_eq!(got.json()["error"]["type"], "invalid_request_error");
    }
}

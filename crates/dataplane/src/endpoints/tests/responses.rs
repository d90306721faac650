//! OpenAI's Responses, without the network.

use bourse_catalog::{Modality, Parameter};
use bourse_routing::lengths::Form;
use bourse_vocab::{Bill, Nanos, Usage};
use serde_json::{Value, json};

use super::*;
use crate::endpoints::responses::Responses;

const NOTHING: Bill = Bill {
    total: Nanos(0),
    upstream_prompt: Nanos(0),
    upstream_completion: Nanos(0),
    estimated: false,
};

/// Reads a request, whatever becomes of it.
fn incoming(body: &Value) -> Result<Incoming, Failure> {
    let (head, ()) = http::Request::builder()
        .uri(Responses.path())
        .header("x-session-id", "by-header")
        .body(())
        .unwrap()
        .into_parts();
    let body = body.to_string();
    let body = Scanned {
        outline: scan(body.as_bytes()).unwrap(),
        segments: vec![body.into_bytes().into()],
    };
    let caller = Caller {
        identity: &Identity::of(StoreId([7; 16])),
        account: AccountId(1),
    };
    Responses.read(&head, body, caller)
}

fn asked(mut over: Value) -> Value {
    let members = over.as_object_mut().unwrap();
    members
        .entry("model")
        .or_insert_with(|| "acme/model".into());
    members.entry("input").or_insert_with(|| "hi".into());
    over
}

fn ask_of(over: Value) -> Box<Ask> {
    incoming(&asked(over)).unwrap().ask
}

#[test]
fn what_a_response_is_asked_for_is_read_without_its_prompt() {
    let ask = ask_of(json!({
        "input": [{"role": "user", "content": [
            {"type": "input_text", "text": "look"},
            {"type": "input_image", "image_url": "data:image/png;base64,iVBORw0KGgo="},
            {"type": "input_file", "file_data": "data:application/pdf;base64,JVBERi0="},
        ]}],
        "models": ["acme/other"], "stream": true, "max_output_tokens": 77,
        "tools": [{"type": "function", "name": "f"}], "tool_choice": "required",
        "reasoning": {"effort": "high"}, "text": {"verbosity": "low"},
        "session_id": "s", "prompt_cache_key": "k", "safety_identifier": "me",
        "provider": {"order": ["acme"]}, "metadata": {"a": "b"},
    }));
    assert_eq!(ask.models, ["acme/model", "acme/other"]);
    assert!(ask.stream);
    assert_eq!((ask.max_output, ask.needs.max_output), (Some(77), Some(77)));
    assert!(matches!(ask.form, Form::Tools));
    assert!(ask.needs.input.contains(Modality::Image));
    assert!(ask.needs.input.contains(Modality::File));
    assert_eq!(ask.facts.images.count(), 1);
    for needed in [
        Parameter::Tools,
        Parameter::ToolChoice,
        Parameter::MaxTokens,
    ] {
        assert!(ask.needs.parameters.contains(needed), "{needed:?}");
    }
    assert_eq!(ask.attribution.session_id, "s");
    assert_eq!(ask.attribution.prompt_cache_key, "k");
    assert_eq!(ask.attribution.user, "me");
    assert_eq!(ask.attribution.labels, r#"{"metadata":{"a":"b"}}"#);
    assert_eq!(ask.wishes.order.len(), 1);
}

#[test]
fn an_empty_list_of_tools_asks_for_none() {
    let ask = ask_of(json!({"tools": [], "tool_choice": "auto"}));
    assert!(!ask.needs.parameters.contains(Parameter::Tools));
    assert!(matches!(ask.form, Form::Text));
    let schema = json!({"type": "json_schema", "name": "n", "schema": {"type": "object"}});
    let ask = ask_of(json!({"text": {"format": schema}}));
    assert!(ask.needs.parameters.contains(Parameter::ResponseFormat));
    assert!(matches!(ask.form, Form::Structured));
}

#[test]
fn an_upload_that_stands_alone_in_a_part_counts_as_a_file() {
    let part = json!({"type": "input_file", "file_id": "file_1"});
    let ask = ask_of(json!({"input": [{"role": "user", "content": [part]}]}));
    assert!(ask.facts.files.any());
}

#[test]
fn what_cannot_be_served_is_refused_before_any_money_is_held() {
    for (over, place) in [
        (json!({"store": true}), "store: "),
        (
            json!({"previous_response_id": "resp_1"}),
            "previous_response_id: ",
        ),
        (json!({"background": true}), "background: "),
        (json!({"conversation": "conv_1"}), "conversation: "),
        (json!({"prompt": {"id": "pmpt_1"}}), "prompt: "),
        (
            json!({"tools": [{"type": "web_search"}]}),
            "tools[0].type: ",
        ),
        (
            json!({"tools": [{"type": "mcp", "server_url": "x"}]}),
            "tools[0].type: ",
        ),
        (
            json!({"tool_choice": {"type": "file_search"}}),
            "tool_choice.type: ",
        ),
        (json!({"Max_Output_Tokens": 9}), "Max_Output_Tokens: "),
        (json!({"num_predict": 9}), "num_predict: "),
        (json!({"plugins": [{"id": "web"}]}), "plugins: "),
        (json!({"preset": "p"}), "preset: "),
        (
            json!({"debug": {"echo_upstream_body": true}}),
            "debug.echo_upstream_body: ",
        ),
        (json!({"input": 7}), "input: "),
        (json!({"input": null}), "input: "),
        (json!({"model": null}), "model: "),
        (json!({"modalities": ["audio"]}), "modalities: "),
    ] {
        let failure = incoming(&asked(over.clone())).err().expect("a refusal");
        assert_eq!(failure.kind, FailureKind::InvalidRequest, "{over}");
        assert!(failure.message.starts_with(place), "{over}: {failure:?}");
    }
    // What asks for nothing is no reason to refuse.
    ask_of(json!({"store": false, "previous_response_id": null, "background": false}));
}

#[test]
fn providers_are_told_of_users_under_names_that_say_nothing() {
    let body = asked(json!({"user": "mary", "safety_identifier": "mary"}));
    let request = incoming(&body).unwrap().request;
    let text = written(&*request, &way_to(Interface::chat(Format::OpenAiChat))).unwrap();
    let sent: Value = serde_json::from_str(&text).unwrap();
    assert!(!text.contains("mary"), "{text}");
    assert_eq!(sent["user"], sent["safety_identifier"]);
    assert!(sent["user"].as_str().unwrap().len() > 16, "{text}");
}

#[test]
fn a_tool_of_a_namespace_is_called_by_the_name_that_the_client_gave_it() {
    let way = way_to(Interface::chat(Format::OpenAiChat));
    let group = json!({"type": "namespace", "name": "mcp__a", "description": "d",
        "tools": [{"type": "function", "name": "f", "parameters": {"type": "object"}}]});
    let body = asked(json!({"tools": [group], "input": [
        {"role": "user", "content": "q"},
        {"type": "function_call", "call_id": "c", "namespace": "mcp__a", "name": "f",
            "arguments": "{}"},
        {"type": "function_call_output", "call_id": "c", "output": "r"},
    ]}));
    let request = incoming(&body).unwrap().request;
    let sent: Value = serde_json::from_str(&written(&*request, &way).unwrap()).unwrap();
    assert_eq!(sent["tools"][0]["function"]["name"], "mcp__a__f");
    assert_eq!(
        sent["messages"][1]["tool_calls"][0]["function"]["name"],
        "mcp__a__f"
    );
    let reply = json!({"id": "up", "choices": [{"index": 0, "finish_reason": "tool_calls",
        "message": {"role": "assistant", "content": null, "tool_calls": [{"id": "call_1",
            "type": "function", "function": {"name": "mcp__a__f", "arguments": "{}"}}]}}]});
    let whole = request
        .whole(&way, &STAMP, &reply.to_string().into_bytes().into())
        .unwrap();
    let body = (whole.render)(&Usage::default(), &NOTHING);
    let body: Value = serde_json::from_slice(&body).unwrap();
    assert_eq!(body["output"][0]["namespace"], "mcp__a");
    assert_eq!(body["output"][0]["name"], "f");
}

const CHUNKS: &str = concat!(
    "data: {\"id\":\"up\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"Os\"}}]}\n\n",
    "data: {\"id\":\"up\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"lo\"}}]}\n\n",
    "data: {\"id\":\"up\",\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n",
    "data: {\"id\":\"up\",\"choices\":[],\"usage\":{\"prompt_tokens\":9,\"completion_tokens\":2}}\n\n",
    "data: [DONE]\n\n",
);

/// The events of a stream, in order.
fn events(text: &str) -> Vec<Value> {
    let data = text.lines().filter_map(|line| line.strip_prefix("data: "));
    data.filter(|data| *data != "[DONE]")
        .map(|data| serde_json::from_str(data).unwrap())
        .collect()
}

#[test]
fn a_stream_is_told_in_events_that_repeat_what_was_asked_wherever_it_is_cut() {
    let way = way_to(Interface::chat(Format::OpenAiChat));
    let body = asked(json!({"temperature": 0.25, "instructions": "Be brief.", "stream": true}));
    let bill = Bill {
        total: Nanos(13_000),
        upstream_prompt: Nanos(9_000),
        upstream_completion: Nanos(4_000),
        estimated: false,
    };
    let usage = Usage {
        prompt: 9,
        completion: 2,
        ..Usage::default()
    };
    let mut first = None;
    for size in 1..=CHUNKS.len() {
        let request = incoming(&body).unwrap().request;
        let mut feed = request.feed(&way, &STAMP);
        let (mut text, ended) = told(&mut *feed, CHUNKS.as_bytes(), size);
        ended.unwrap();
        assert!(feed.has_content() && feed.is_complete());
        let mut out = Vec::new();
        feed.finish(&usage, &bill, &mut out);
        text.push_str(&String::from_utf8(out).unwrap());
        assert!(text.ends_with("data: [DONE]\n\n"), "{text}");
        assert_eq!(first.get_or_insert_with(|| text.clone()), &text);
    }
    let events = events(&first.unwrap());
    let kinds: Vec<_> = events.iter().map(|e| e["type"].as_str().unwrap()).collect();
    assert_eq!(
        kinds,
        [
            "response.created",
            "response.in_progress",
            "response.output_item.added",
            "response.content_part.added",
            "response.output_text.delta",
            "response.output_text.delta",
            "response.output_text.done",
            "response.content_part.done",
            "response.output_item.done",
            "response.completed",
        ]
    );
    for (at, event) in events.iter().enumerate() {
        assert_eq!(event["sequence_number"], at);
    }
    let last = &events.last().unwrap()["response"];
    assert_eq!(last["temperature"], 0.25);
    assert_eq!(last["instructions"], "Be brief.");
    assert_eq!(last["output"][0]["content"][0]["text"], "Oslo");
    assert_eq!(last["usage"]["input_tokens"], 9);
    assert_eq!(last["usage"]["cost"], 0.000_013);
}

#[test]
fn a_stream_that_breaks_ends_in_a_response_that_failed() {
    let way = way_to(Interface::chat(Format::OpenAiChat));
    let request = incoming(&asked(json!({"stream": true}))).unwrap().request;
    let mut feed = request.feed(&way, &STAMP);
    let (mut text, ended) = told(&mut *feed, &CHUNKS.as_bytes()[..80], 7);
    let failure = ended.unwrap_err();
    let mut out = Vec::new();
    feed.fail(&failure, &mut out);
    text.push_str(&String::from_utf8(out).unwrap());
    let events = events(&text);
    let last = events.last().unwrap();
    assert_eq!(last["type"], "response.failed");
    assert_eq!(last["response"]["status"], "failed");
    assert_eq!(last["response"]["error"]["code"], "server_error");
    assert_eq!(last["response"]["error_type"], "provider_unavailable");
    assert!(!text.contains("response.completed"), "{text}");
}

#[test]
fn calls_of_a_custom_tool_are_told_in_its_own_words() {
    let way = way_to(Interface::chat(Format::OpenAiChat));
    let body = asked(json!({"tools": [{"type": "custom", "name": "patch"}]}));
    let request = incoming(&body).unwrap().request;
    let text = written(&*request, &way).unwrap();
    let sent: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(sent["tools"][0]["type"], "function");
    let reply = json!({"id": "up", "choices": [{"index": 0, "finish_reason": "tool_calls",
        "message": {"role": "assistant", "content": null, "tool_calls": [{"id": "call_1",
            "type": "function",
            "function": {"name": "patch", "arguments": "{\"input\":\"*** Begin\"}"}}]}}]});
    let whole = request
        .whole(&way, &STAMP, &reply.to_string().into_bytes().into())
        .unwrap();
    let body = (whole.render)(&Usage::default(), &NOTHING);
    let body: Value = serde_json::from_slice(&body).unwrap();
    assert_eq!(body["status"], "completed");
    assert_eq!(body["output"][0]["type"], "custom_tool_call");
    assert_eq!(body["output"][0]["input"], "*** Begin");
    assert_eq!(body["tools"][0]["type"], "custom");
}

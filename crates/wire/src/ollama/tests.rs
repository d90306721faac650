//! Pairs of what goes in and what comes out, through the whole codec.

use bourse_vocab::chat::{Efforts, Event, Finish, Part, ReasoningKind};
use bourse_vocab::json;
use bourse_vocab::json::Value;
use bourse_vocab::{Failure, FailureKind, TierWish, Usage};

use super::Ollama;
use crate::codec::{Codec, ErrorReply, Stamp, WriteTarget};
use crate::dialect::Dialect;
use crate::laws;
use crate::openai_chat::OpenAiChat;

/// A chat completion request as Ollama gets it, and the fields lost.
fn from_chat(body: &Value, model: &str) -> Result<(Value, Vec<String>), Failure> {
    let request = OpenAiChat.read_request(body.to_string().as_bytes())?;
    let target = WriteTarget {
        model,
        max_output: Some(8_000),
        limit: Some(4_000),
        efforts: Efforts::default(),
        tier: TierWish::None,
        dialect: &Dialect::PLAIN,
    };
    let written = Ollama.write_request(&request, &target)?;
    let body = bourse_vocab::json::parse(&written.body).unwrap();
    let lost = written.losses.into_iter().map(|loss| loss.field);
    Ok((body, lost.collect()))
}

fn asked(more: &Value) -> Value {
    let mut body = json!({"model": "m", "messages": [{"role": "user", "content": "q"}]});
    let (Value::Object(members), Value::Object(more)) = (&mut body, more) else {
        unreachable!()
    };
    members.extend(
        more.iter()
            .map(|(name, value)| (name.clone(), value.clone())),
    );
    body
}

#[test]
fn parameters_are_options_and_the_gateways_limit_is_one_of_them() {
    let body = asked(
        &json!({"temperature": 0.5, "top_p": 0.9, "top_k": 4, "min_p": 0.1,
        "repetition_penalty": 1.1, "seed": 7, "stop": ["x"], "frequency_penalty": 0.2}),
    );
    let (body, lost) = from_chat(&body, "m").unwrap();
    assert_eq!(
        body["options"],
        json!({"num_predict": 4_000, "temperature": 0.5, "top_p": 0.9, "min_p": 0.1,
            "repeat_penalty": 1.1, "frequency_penalty": 0.2, "top_k": 4, "seed": 7,
            "stop": ["x"]})
    );
    assert_eq!(body["stream"], false);
    assert!(lost.is_empty(), "{lost:?}");
}

#[test]
fn what_only_ollama_has_may_be_said_in_chat_completions_too() {
    let own = json!({"keep_alive": "10m", "options": {"num_ctx": 16_384, "num_predict": 90_000}});
    let (body, lost) = from_chat(&asked(&own), "m").unwrap();
    assert_eq!(body["keep_alive"], "10m");
    assert_eq!(
        body["options"],
        json!({"num_ctx": 16_384, "num_predict": 4_000})
    );
    // What is set aside pays for the limit of the request.
    assert_eq!(lost, ["options.num_predict"]);
}

#[test]
fn a_form_of_the_answer_is_a_word_or_a_schema() {
    let schema = json!({"type": "object", "properties": {"a": {"type": "string"}}});
    for (format, expected) in [
        (json!({"type": "json_object"}), json!("json")),
        (
            json!({"type": "json_schema", "json_schema": {"name": "n", "schema": schema}}),
            schema,
        ),
        (json!({"type": "text"}), Value::Null),
    ] {
        let body = asked(&json!({"response_format": format}));
        let (body, lost) = from_chat(&body, "m").unwrap();
        assert_eq!(body.get("format").cloned().unwrap_or_default(), expected);
        assert!(lost.is_empty(), "{lost:?}");
    }
}

#[test]
fn thinking_is_on_or_off_or_a_level() {
    for (model, reasoning, think, is_lost) in [
        ("qwen3", json!({"enabled": true}), json!(true), false),
        ("qwen3", json!({"enabled": false}), json!(false), false),
        ("qwen3", json!({"effort": "low"}), json!("low"), false),
        ("qwen3", json!({"effort": "max"}), json!("max"), false),
        ("qwen3", json!({"effort": "xhigh"}), json!("high"), true),
        ("qwen3", json!({"effort": "minimal"}), json!("low"), true),
        ("qwen3", json!({"max_tokens": 4_000}), json!("medium"), true),
        ("gpt-oss:20b", json!({"effort": "max"}), json!("high"), true),
        ("gpt-oss:20b", json!({"enabled": false}), json!("low"), true),
        (
            "gpt-oss:20b",
            json!({"enabled": true}),
            json!("medium"),
            false,
        ),
    ] {
        let body = asked(&json!({"reasoning": reasoning}));
        let (body, lost) = from_chat(&body, model).unwrap();
        assert_eq!(body["think"], think, "{reasoning} of {model}");
        assert_eq!(
            !lost.is_empty(),
            is_lost,
            "{reasoning} of {model}: {lost:?}"
        );
    }
}

#[test]
fn pictures_are_base64_and_what_would_be_fetched_is_refused() {
    let picture = |url: &str| {
        json!({"model": "m", "messages": [{"role": "user", "content": [
            {"type": "text", "text": "What is it?"},
            {"type": "image_url", "image_url": {"url": url}}]}]})
    };
    let (body, lost) = from_chat(&picture("data:image/png;base64,iVBORw0KGgo="), "m").unwrap();
    let shown = json!([{"role": "user", "content": "What is it?", "images": ["iVBORw0KGgo="]}]);
    assert_eq!(body["messages"], shown);
    assert!(lost.is_empty(), "{lost:?}");
    let request = picture("https://a.example/b.png");
    let (_, lost) = from_chat(&request, "m").unwrap();
    assert_eq!(lost, ["messages[0].content[1]"]);
}

#[test]
fn a_result_names_its_tool_and_its_pictures_follow() {
    let call = json!({"id": "call_1", "type": "function",
        "function": {"name": "look", "arguments": "{\"at\":1}"}});
    let body = json!({"model": "m", "messages": [
        {"role": "user", "content": "q"},
        {"role": "assistant", "content": null, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "call_1", "content": [
            {"type": "text", "text": "seen"},
            {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}]}]});
    let (body, lost) = from_chat(&body, "m").unwrap();
    assert_eq!(
        body["messages"],
        json!([{"role": "user", "content": "q"},
            {"role": "assistant", "content": "", "tool_calls": [
                {"id": "call_1", "function": {"name": "look", "arguments": {"at": 1}}}]},
            {"role": "tool", "content": "seen", "tool_name": "look", "tool_call_id": "call_1"},
            {"role": "user", "content": "", "images": ["AAAA"]}])
    );
    assert_eq!(lost, ["messages[2].content[0]"]);
}

#[test]
fn a_tool_cannot_be_forced_and_none_is_offered_where_none_may_be_called() {
    let tools = json!([{"type": "function", "function": {"name": "f"}}]);
    let body = asked(&json!({"tools": tools, "tool_choice": "required"}));
    let (body, lost) = from_chat(&body, "m").unwrap();
    assert_eq!(body["tools"].as_array().map(Vec::len), Some(1));
    assert_eq!(lost, ["tool_choice"]);
    let body = asked(&json!({"tools": tools, "tool_choice": "none"}));
    let (body, lost) = from_chat(&body, "m").unwrap();
    assert_eq!(body.get("tools"), None);
    assert!(lost.is_empty(), "{lost:?}");
}

#[test]
fn a_clients_request_reads_back_as_it_was_written() {
    let body = json!({"model": "m", "messages": [
            {"role": "system", "content": "be short"},
            {"role": "assistant", "content": "", "thinking": "hm", "tool_calls": [
                {"id": "call_0", "function": {"name": "look", "arguments": {"at": 1}}}]},
            {"role": "tool", "content": "seen", "tool_name": "look", "tool_call_id": "call_0"}],
        "stream": true, "think": "high", "format": "json",
        "options": {"num_ctx": 9, "num_predict": 5, "temperature": 0.5}, "keep_alive": -1});
    let request = Ollama.read_request(body.to_string().as_bytes()).unwrap();
    assert_eq!(request.max_tokens, Some(5));
    let target = WriteTarget {
        model: "m",
        max_output: None,
        limit: None,
        efforts: Efforts::default(),
        tier: TierWish::None,
        dialect: &Dialect::PLAIN,
    };
    let written = Ollama.write_request(&request, &target).unwrap();
    let again = bourse_vocab::json::parse(&written.body).unwrap();
    assert!(written.losses.is_empty(), "{:?}", written.losses);
    for name in [
        "model",
        "messages",
        "stream",
        "think",
        "format",
        "options",
        "keep_alive",
    ] {
        assert_eq!(again[name], body[name], "{name}");
    }
}

#[test]
fn a_request_that_says_nothing_of_streams_is_streamed_and_calls_get_ids() {
    let call = json!({"function": {"name": "look", "arguments": {}}});
    let body = json!({"model": "m", "messages": [
        {"role": "user", "content": "q"},
        {"role": "assistant", "content": "", "tool_calls": [call, call]},
        {"role": "tool", "content": "one", "tool_name": "look"},
        {"role": "tool", "content": "two", "tool_name": "look"}]});
    let request = Ollama.read_request(body.to_string().as_bytes()).unwrap();
    assert!(request.stream);
    let ids: Vec<&str> = request
        .messages
        .iter()
        .flat_map(|message| &message.parts)
        .filter_map(|part| match part {
            Part::ToolCall { id, .. } | Part::ToolResult { call_id: id, .. } => Some(id.as_str()),
            _ => None,
        })
        .collect();
    assert_eq!(ids, ["call_0", "call_1", "call_0", "call_1"]);
    let lone = json!({"model": "m", "messages": [{"role": "tool", "content": "one"}]});
    let failure = Ollama
        .read_request(lone.to_string().as_bytes())
        .unwrap_err();
    assert!(failure.message.starts_with("messages[0].tool_call_id"));
}

#[test]
fn thoughts_after_a_call_are_another_piece_and_calls_have_ids_of_their_answer() {
    let bit = |message: Value| json!({"created_at": "2026-11-01T00:00:00.5Z", "message": message});
    let lines = [
        bit(json!({"role": "assistant", "thinking": "Hm"})),
        bit(json!({"tool_calls": [{"function": {"name": "look", "arguments": {}}}]})),
        bit(json!({"thinking": "So"})),
        json!({"message": {"content": "Yes."}, "done": true, "done_reason": "stop",
            "prompt_eval_count": 3, "eval_count": 4}),
    ];
    let text: String = lines.iter().map(|line| format!("{line}\n")).collect();
    let outcome = laws::read_stream(&Ollama, [text.as_bytes()]);
    laws::check(&outcome).unwrap();
    let pieces: Vec<u32> = outcome
        .events
        .iter()
        .filter_map(|event| match event {
            Event::Reasoning { delta, .. } => Some(delta.index),
            _ => None,
        })
        .collect();
    assert_eq!(pieces, [0, 1]);
    let is_named = |event: &Event| matches!(event, Event::ToolStart { id, .. } if id == "call_202611010000005_0");
    assert!(outcome.events.iter().any(is_named), "{:?}", outcome.events);
    let finishes = |event: &Event| {
        matches!(
            event,
            Event::Finish {
                reason: Finish::ToolCalls,
                ..
            }
        )
    };
    assert!(outcome.events.iter().any(finishes));
}

#[test]
fn a_stream_reads_back_as_it_was_written() {
    let stamp = Stamp {
        id: "gen-1",
        model: "acme/m",
        provider: "Acme",
        created: 0,
        metadata: None,
    };
    let delta = bourse_vocab::chat::ReasoningDelta {
        index: 0,
        kind: ReasoningKind::Summary("Hm".to_owned()),
        id: None,
        scheme: None,
    };
    let bill = bourse_vocab::Bill {
        total: bourse_vocab::Nanos(0),
        upstream_prompt: bourse_vocab::Nanos(0),
        upstream_completion: bourse_vocab::Nanos(0),
        estimated: false,
    };
    let used = Usage {
        prompt: 3,
        completion: 4,
        ..Usage::default()
    };
    let start = |index, id: &str| Event::ToolStart {
        choice: 0,
        index,
        id: id.to_owned(),
        name: "look".to_owned(),
    };
    let bit = |index, fragment: &str| Event::ToolArguments {
        choice: 0,
        index,
        fragment: fragment.to_owned(),
    };
    let mut out = Vec::new();
    let mut writer = Ollama.stream_writer(&stamp);
    for event in [
        Event::Reasoning { choice: 0, delta },
        start(0, "a"),
        start(1, "b"),
        bit(1, "{\"at\":"),
        bit(0, "{}"),
        bit(1, "2}"),
        Event::Finish {
            choice: 0,
            reason: Finish::ToolCalls,
            native: None,
        },
        Event::Settled(used, bill),
        Event::Done,
    ] {
        writer.event(&event, &mut out);
    }
    let outcome = laws::read_stream(&Ollama, [&*out]);
    laws::check(&outcome).unwrap();
    let said: Vec<&str> = outcome
        .events
        .iter()
        .filter_map(|event| match event {
            Event::ToolStart { id, .. } => Some(id.as_str()),
            Event::ToolArguments { fragment, .. } => Some(fragment.as_str()),
            _ => None,
        })
        .collect();
    assert_eq!(said, ["a", "{}", "b", "{\"at\":2}"]);
    let counts = outcome.events.iter().find_map(|event| match event {
        Event::Usage(report) => Some((report.prompt, report.completion)),
        _ => None,
    });
    assert_eq!(counts, Some((Some(3), Some(4))));
}

#[test]
fn an_error_is_a_sentence_and_its_status_tells_the_rest() {
    for (status, body, kind) in [
        (404, "model 'm' not found", FailureKind::NotFound),
        (
            429,
            "you have reached your hourly usage limit",
            FailureKind::RateLimited,
        ),
        (
            503,
            "server busy, please try again",
            FailureKind::Overloaded,
        ),
        (
            400,
            "the input length exceeds the context length",
            FailureKind::ContextLengthExceeded,
        ),
        // Our own key there is no business of the caller's.
        (401, "unauthorized", FailureKind::Unavailable),
    ] {
        let body = json!({"error": body}).to_string();
        let failure = Ollama.read_failure(&ErrorReply {
            status,
            body: body.as_bytes(),
            retry_after: None,
        });
        assert_eq!(failure.kind, kind, "{body}");
    }
}

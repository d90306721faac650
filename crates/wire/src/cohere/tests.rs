//! Pairs of what goes in and what comes out, through the whole codec.

use bourse_vocab::chat::{Efforts, Event, Finish, Loss};
use bourse_vocab::json;
use bourse_vocab::json::Value;
use bourse_vocab::{Bill, FailureKind, Nanos, TierWish, Usage};

use super::Cohere;
use crate::codec::{Codec, ErrorReply, Stamp, WriteTarget};
use crate::dialect::Dialect;
use crate::laws;
use crate::openai_chat::OpenAiChat;

const OLDER: &str = "command-a-03-2025";
const THINKS: &str = "command-a-reasoning-08-2025";

fn target(model: &str) -> WriteTarget<'_> {
    WriteTarget {
        model,
        max_output: Some(8_000),
        limit: Some(4_000),
        efforts: Efforts::default(),
        tier: TierWish::None,
        dialect: &Dialect::PLAIN,
    }
}

/// A chat completion request as Cohere gets it, and what was lost.
fn from_chat(body: &Value, model: &str) -> (Value, Vec<Loss>) {
    let request = OpenAiChat
        .read_request(body.to_string().as_bytes())
        .unwrap();
    let written = Cohere.write_request(&request, &target(model)).unwrap();
    let body = bourse_vocab::json::parse(&written.body).unwrap();
    (body, written.losses)
}

fn fields(losses: &[Loss]) -> Vec<&str> {
    losses.iter().map(|loss| loss.field.as_str()).collect()
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
fn parameters_have_names_and_bounds_of_their_own() {
    let body = asked(
        &json!({"temperature": 0.5, "top_p": 1.0, "top_k": 900, "seed": 7,
        "stop": ["a"], "frequency_penalty": 1.5, "presence_penalty": 0.2, "max_tokens": 50}),
    );
    let (body, losses) = from_chat(&body, OLDER);
    for (name, value) in [
        ("max_tokens", json!(50)),
        ("temperature", json!(0.5)),
        ("p", json!(0.99)),
        ("k", json!(500)),
        ("seed", json!(7)),
        ("stop_sequences", json!(["a"])),
        ("frequency_penalty", json!(1.0)),
        ("stream", json!(false)),
    ] {
        assert_eq!(body[name], value, "{name}");
    }
    assert_eq!(body.get("presence_penalty"), None);
    let lost = ["top_p", "top_k", "frequency_penalty", "presence_penalty"];
    assert_eq!(fields(&losses), lost);
}

#[test]
fn what_only_cohere_has_may_be_said_in_chat_completions_too() {
    let own = json!({"documents": [{"id": "a", "data": {"text": "It is so."}}],
        "citation_options": {"mode": "FAST"}, "safety_mode": "STRICT"});
    let (body, losses) = from_chat(&asked(&own), OLDER);
    for name in ["documents", "citation_options", "safety_mode"] {
        assert_eq!(body[name], own[name], "{name}");
    }
    assert!(losses.is_empty(), "{losses:?}");
}

#[test]
fn an_effort_is_a_budget_where_the_model_thinks() {
    for (model, reasoning, thinking, lost) in [
        (
            THINKS,
            json!({"enabled": true}),
            json!({"type": "enabled"}),
            None,
        ),
        (
            THINKS,
            json!({"enabled": false}),
            json!({"type": "disabled"}),
            None,
        ),
        (
            THINKS,
            json!({"max_tokens": 900}),
            json!({"type": "enabled", "token_budget": 900}),
            None,
        ),
        (
            THINKS,
            json!({"effort": "medium"}),
            json!({"type": "enabled", "token_budget": 2_000}),
            Some("reasoning.effort"),
        ),
        (
            OLDER,
            json!({"effort": "medium"}),
            Value::Null,
            Some("reasoning"),
        ),
        (OLDER, json!({"enabled": false}), Value::Null, None),
    ] {
        let (body, losses) = from_chat(&asked(&json!({"reasoning": reasoning})), model);
        let told = body.get("thinking").cloned().unwrap_or_default();
        assert_eq!(told, thinking, "{reasoning} of {model}");
        assert_eq!(
            fields(&losses).first().copied(),
            lost,
            "{reasoning} of {model}"
        );
    }
}

#[test]
fn a_named_tool_is_the_only_one_on_offer_and_strictness_is_of_all() {
    let tool = |name: &str, strict: bool| json!({"type": "function", "function": {"name": name, "strict": strict}});
    let named = json!({"tools": [tool("f", true), tool("g", true)],
        "tool_choice": {"type": "function", "function": {"name": "g"}}});
    let (body, losses) = from_chat(&asked(&named), OLDER);
    assert_eq!(body["tool_choice"], "REQUIRED");
    assert_eq!(body["tools"].as_array().map(Vec::len), Some(1));
    assert_eq!(body["tools"][0]["function"]["name"], "g");
    assert_eq!(body["strict_tools"], true);
    assert_eq!(fields(&losses), ["tool_choice"]);
    let mixed = json!({"tools": [tool("f", true), tool("g", false)], "tool_choice": "none"});
    let (body, losses) = from_chat(&asked(&mixed), OLDER);
    assert_eq!(body["tool_choice"], "NONE");
    assert_eq!(body.get("strict_tools"), None);
    assert_eq!(fields(&losses), ["tools[0].strict"]);
}

#[test]
fn an_answer_has_a_form_unless_there_are_tools_or_documents() {
    let schema = json!({"type": "object", "properties": {"a": {"type": "string"}}});
    let form = json!({"type": "json_schema", "json_schema": {"name": "n", "schema": schema}});
    let (body, losses) = from_chat(&asked(&json!({"response_format": form})), OLDER);
    let expected = json!({"type": "json_object", "json_schema": schema});
    assert_eq!(body["response_format"], expected);
    assert!(losses.is_empty(), "{losses:?}");
    let tools = json!([{"type": "function", "function": {"name": "f"}}]);
    let beside = asked(&json!({"response_format": form, "tools": tools}));
    let (_, losses) = from_chat(&beside, OLDER);
    assert!(
        losses
            .iter()
            .any(|loss| loss.is_content && loss.field == "response_format")
    );
}

#[test]
fn a_plan_goes_back_before_calls_and_a_thought_to_who_thinks() {
    let call = json!({"id": "c1", "type": "function",
        "function": {"name": "look", "arguments": "{\"at\":"}});
    let body = json!({"model": "m", "messages": [
        {"role": "system", "content": "be short"},
        {"role": "user", "content": "q"},
        {"role": "assistant", "content": null, "reasoning": "Look.", "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "c1", "content": [
            {"type": "text", "text": "seen"},
            {"type": "image_url", "image_url": {"url": "https://a.example/b.png"}}]},
        {"role": "system", "content": "be kind"}]});
    let (older, losses) = from_chat(&body, OLDER);
    let image = json!({"type": "image_url", "image_url": {"url": "https://a.example/b.png"}});
    assert_eq!(
        older["messages"],
        json!([
            {"role": "system", "content": [{"type": "text", "text": "be short"}]},
            {"role": "user", "content": [{"type": "text", "text": "q"}]},
            {"role": "assistant", "tool_plan": "Look.", "tool_calls": [call]},
            {"role": "tool", "tool_call_id": "c1", "content": [{"type": "text", "text": "seen"}]},
            {"role": "user", "content": [image]},
            {"role": "user", "content": [{"type": "text", "text": "be kind"}]}])
    );
    assert_eq!(
        fields(&losses),
        ["messages[3].content[0]", "messages[4].role"]
    );
    let (thinks, _) = from_chat(&body, THINKS);
    let thought = json!([{"type": "thinking", "thinking": "Look."}]);
    assert_eq!(thinks["messages"][2]["content"], thought);
}

#[test]
fn a_clients_request_reads_back_as_it_was_written() {
    let body = json!({"model": THINKS, "messages": [
            {"role": "user", "content": [{"type": "text", "text": "q"}]},
            {"role": "assistant", "content": [{"type": "thinking", "thinking": "hm"}],
                "tool_calls": [{"id": "c", "type": "function",
                    "function": {"name": "f", "arguments": "{}"}}]},
            {"role": "tool", "tool_call_id": "c", "content": [{"type": "text", "text": "r"}]}],
        "stream": true, "max_tokens": 9, "p": 0.5, "k": 3, "temperature": 0.2,
        "tools": [{"type": "function", "function": {"name": "f",
            "parameters": {"type": "object", "properties": {}}}}],
        "strict_tools": true, "tool_choice": "REQUIRED", "priority": 2,
        "thinking": {"type": "enabled", "token_budget": 5}});
    let request = Cohere.read_request(body.to_string().as_bytes()).unwrap();
    let written = Cohere.write_request(&request, &target(THINKS)).unwrap();
    let again = bourse_vocab::json::parse(&written.body).unwrap();
    assert!(written.losses.is_empty(), "{:?}", written.losses);
    assert_eq!(again.as_object().unwrap().keys().count(), 12);
    for (name, value) in body.as_object().unwrap().iter() {
        assert_eq!(again.get(name), Some(value), "{name}");
    }
}

#[test]
fn what_is_billed_is_counted_and_not_what_the_template_adds() {
    let body = json!({"id": "a", "finish_reason": "COMPLETE",
        "message": {"role": "assistant", "content": [{"type": "text", "text": "Hi"}]},
        "usage": {"billed_units": {"input_tokens": 6.0, "output_tokens": 2},
            "tokens": {"input_tokens": 506, "output_tokens": 4}, "cached_tokens": 448}});
    let reply = Cohere.read_reply(body.to_string().as_bytes()).unwrap();
    let usage = reply.usage.unwrap();
    let counts = (usage.prompt, usage.completion, usage.cache_read);
    assert_eq!(counts, (Some(6), Some(2), Some(6)));
    let counted = json!({"usage": {"tokens": {"input_tokens": 506, "output_tokens": 4}}});
    let usage = super::usage::read(&counted["usage"]);
    assert_eq!((usage.prompt, usage.completion), (Some(506), Some(4)));
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
    let bill = Bill {
        total: Nanos(0),
        upstream_prompt: Nanos(0),
        upstream_completion: Nanos(0),
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
    let mut writer = Cohere.stream_writer(&stamp);
    for event in [
        Event::Text {
            choice: 0,
            text: "Hi".to_owned(),
            logprobs: None,
        },
        start(0, "a"),
        start(1, "b"),
        bit(1, "{\"at\":"),
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
    let outcome = laws::read_stream(&Cohere, [&*out]);
    laws::check(&outcome).unwrap();
    let said: Vec<&str> = outcome
        .events
        .iter()
        .filter_map(|event| match event {
            Event::Text { text, .. } => Some(text.as_str()),
            Event::ToolStart { id, .. } => Some(id.as_str()),
            Event::ToolArguments { fragment, .. } => Some(fragment.as_str()),
            _ => None,
        })
        .collect();
    assert_eq!(said, ["Hi", "a", "b", "{\"at\":", "2}", "{}"]);
    let counts = outcome.events.iter().find_map(|event| match event {
        Event::Usage(report) => Some((report.prompt, report.completion)),
        _ => None,
    });
    assert_eq!(counts, Some((Some(3), Some(4))));
}

#[test]
fn an_error_is_a_sentence_and_its_status_tells_the_rest() {
    for (status, message, kind) in [
        (
            429,
            "You are past the per minute request limit",
            FailureKind::RateLimited,
        ),
        (
            400,
            "invalid request: query must not be empty",
            FailureKind::InvalidRequest,
        ),
        (
            400,
            "too many tokens: total number of tokens in the prompt cannot exceed 4081",
            FailureKind::ContextLengthExceeded,
        ),
        // Our own keys and balance there are no business of the caller's.
        (401, "invalid api token", FailureKind::Unavailable),
        (
            402,
            "Please add or update your payment method",
            FailureKind::Unavailable,
        ),
        (498, "invalid token", FailureKind::Unavailable),
    ] {
        let body = json!({"id": "a", "message": message}).to_string();
        let failure = Cohere.read_failure(&ErrorReply {
            status,
            body: body.as_bytes(),
            retry_after: None,
        });
        assert_eq!(failure.kind, kind, "{status} {message}");
        assert_eq!(failure.upstream.unwrap().status, Some(status));
    }
}

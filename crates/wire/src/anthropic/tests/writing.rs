//! Requests for Anthropic, from clients of any format.

use bourse_vocab::chat::{
    CacheControl, Effort, Loss, Media, Message, Part, Reasoning, ReasoningKind, ReasoningRequest,
    Request, ResponseFormat, Role, Tool, ToolChoice,
};
use bourse_vocab::failure::Next;
use bourse_vocab::json;
use bourse_vocab::json::Number;
use bourse_vocab::json::Value;
use bourse_vocab::{FailureKind, Format};

use super::{Anthropic, fields, target, write};
use crate::codec::{Codec, WriteTarget};
use crate::dialect::Dialect;

fn say(role: Role, parts: Vec<Part>) -> Message {
    Message {
        role,
        name: None,
        parts,
    }
}

fn text(role: Role, text: &str) -> Message {
    say(role, vec![Part::text(text)])
}

fn chat(messages: Vec<Message>) -> Request {
    Request::new(Format::OpenAiChat, "anthropic/claude", messages)
}

fn hello() -> Request {
    chat(vec![text(Role::User, "Hi")])
}

fn function(name: &str) -> Tool {
    Tool::Function {
        name: name.to_owned(),
        description: None,
        parameters: None,
        strict: None,
        cache: None,
    }
}

fn call(id: &str, arguments: &str) -> Part {
    Part::ToolCall {
        id: id.to_owned(),
        name: "look".to_owned(),
        arguments: arguments.to_owned(),
    }
}

fn result(id: &str, text: &str) -> Message {
    say(
        Role::Tool,
        vec![Part::ToolResult {
            call_id: id.to_owned(),
            name: None,
            parts: vec![Part::text(text)],
            is_error: false,
            cache: None,
        }],
    )
}

fn reasoning(kind: ReasoningKind, scheme: Option<&str>) -> Part {
    Part::Reasoning(Reasoning {
        kind,
        id: None,
        scheme: scheme.map(str::to_owned),
        replayed: None,
    })
}

#[test]
fn a_tool_loop_becomes_alternating_turns() {
    let request = chat(vec![
        text(Role::System, "Be brief."),
        text(Role::Developer, "Use tools."),
        text(Role::User, "Look."),
        text(Role::User, "Now!"),
        say(
            Role::Assistant,
            vec![
                Part::text(""),
                call("call.1:a", r#"{"at":"sky"}"#),
                call("call_2", ""),
            ],
        ),
        result("call.1:a", "dark"),
        result("call_2", "quiet"),
        text(Role::User, "And?"),
    ]);
    let (body, losses) = write(&request, "claude-sonnet-4-5");
    assert_eq!(losses, Vec::<String>::new());
    assert_eq!(
        body,
        json!({
            "model": "claude-sonnet-4-5",
            "max_tokens": 4096,
            "system": [{"type": "text", "text": "Be brief."}, {"type": "text", "text": "Use tools."}],
            "messages": [
                {"role": "user", "content": [
                    {"type": "text", "text": "Look."}, {"type": "text", "text": "Now!"}]},
                {"role": "assistant", "content": [
                    {"type": "tool_use", "id": "call_1_a", "name": "look", "input": {"at": "sky"}},
                    {"type": "tool_use", "id": "call_2", "name": "look", "input": {}}]},
                {"role": "user", "content": [
                    {"type": "tool_result", "tool_use_id": "call_1_a",
                        "content": [{"type": "text", "text": "dark"}]},
                    {"type": "tool_result", "tool_use_id": "call_2",
                        "content": [{"type": "text", "text": "quiet"}]},
                    {"type": "text", "text": "And?"}]},
            ],
        })
    );
}

#[test]
fn broken_arguments_stay_readable_and_are_reported() {
    let request = chat(vec![
        text(Role::User, "Look."),
        say(Role::Assistant, vec![call("c", "{\"at\":")]),
        result("c", "?"),
    ]);
    let (body, losses) = write(&request, "claude-sonnet-4-5");
    assert_eq!(
        body["messages"][1]["content"][0]["input"],
        json!({"raw_arguments": "{\"at\":"})
    );
    assert_eq!(losses, ["messages[1].content[0].arguments"]);
}

#[test]
fn media_become_blocks_or_losses() {
    let file = |media| Part::File {
        filename: Some("a.pdf".to_owned()),
        media,
        cache: None,
    };
    let base64 = |mime: &str, data: &str| Media::Base64 {
        mime: mime.to_owned(),
        data: data.to_owned(),
    };
    let image = |url: &str| Part::Image {
        media: Media::Url(url.to_owned()),
        detail: Some("high".to_owned()),
        cache: None,
    };
    let request = chat(vec![say(
        Role::User,
        vec![
            image("https://x.test/a.png"),
            image("data:image/png;base64,aGk="),
            file(base64("application/pdf", "JVBE")),
            file(base64("text/plain", "aMOp")),
            file(base64("application/zip", "UEsD")),
            file(Media::FileId("file-1".to_owned())),
            file(Media::Url("https://x.test/a.pdf".to_owned())),
            Part::Audio {
                data: "aGk=".to_owned(),
                format: "wav".to_owned(),
            },
            Part::Video {
                media: Media::Url("https://x.test/a.mp4".to_owned()),
            },
        ],
    )]);
    let (body, losses) = write(&request, "claude-sonnet-4-5");
    assert_eq!(
        body["messages"][0]["content"],
        json!([
            {"type": "image", "source": {"type": "url", "url": "https://x.test/a.png"}},
            {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "aGk="}},
            {"type": "document", "title": "a.pdf",
                "source": {"type": "base64", "media_type": "application/pdf", "data": "JVBE"}},
            {"type": "document", "title": "a.pdf",
                "source": {"type": "text", "media_type": "text/plain", "data": "hé"}},
            {"type": "document", "title": "a.pdf", "source": {"type": "url", "url": "https://x.test/a.pdf"}},
        ])
    );
    assert_eq!(
        losses,
        [
            "messages[0].content[0].detail",
            "messages[0].content[1].detail",
            "messages[0].content[4]",
            "messages[0].content[5]",
            "messages[0].content[7]",
            "messages[0].content[8]",
        ]
    );
}

#[test]
fn only_reasoning_that_anthropic_signed_is_replayed() {
    let signed = |signature: Option<&str>| ReasoningKind::Text {
        text: "hm".to_owned(),
        signature: signature.map(str::to_owned),
    };
    let sealed = || ReasoningKind::Encrypted("EmwK".to_owned());
    let request = chat(vec![
        text(Role::User, "Hi"),
        say(
            Role::Assistant,
            vec![
                reasoning(signed(Some("EqQB")), Some("anthropic-claude-v1")),
                reasoning(signed(Some("EqQB")), None),
                reasoning(sealed(), Some("anthropic-claude-v1")),
                reasoning(signed(None), Some("anthropic-claude-v1")),
                reasoning(signed(Some("x")), Some("google-gemini-v1")),
                reasoning(sealed(), Some("openai-responses-v1")),
                reasoning(ReasoningKind::Summary("s".to_owned()), None),
                call("c", "{}"),
            ],
        ),
        result("c", "ok"),
    ]);
    let (body, losses) = write(&request, "claude-sonnet-4-5");
    let kinds: Vec<&Value> = body["messages"][1]["content"]
        .as_array()
        .unwrap()
        .iter()
        .map(|block| &block["type"])
        .collect();
    assert_eq!(
        kinds,
        ["thinking", "thinking", "redacted_thinking", "tool_use"]
    );
    assert_eq!(losses.len(), 4);
}

#[test]
fn later_instructions_keep_their_rank_where_the_model_allows() {
    let request = chat(vec![
        text(Role::User, "Hi"),
        text(Role::System, "In French."),
        text(Role::Assistant, "Bonjour"),
        text(Role::System, "In German."),
        text(Role::User, "Again"),
    ]);
    let (body, losses) = write(&request, "claude-opus-4-8");
    assert_eq!(body["messages"][1]["role"], "system");
    assert_eq!(
        body["messages"][3]["content"][0]["text"],
        "<system>\nIn German.\n</system>"
    );
    assert_eq!(losses, ["messages[3].role"]);

    let (body, losses) = write(&request, "claude-sonnet-4-5");
    assert_eq!(body["messages"][0]["content"].as_array().unwrap().len(), 2);
    assert_eq!(losses, ["messages[1].role", "messages[3].role"]);
}

#[test]
fn a_request_of_system_messages_alone_still_asks_something() {
    let (body, losses) = write(
        &chat(vec![text(Role::System, "A"), text(Role::System, "B")]),
        "claude-sonnet-4-5",
    );
    assert_eq!(body["system"], json!([{"type": "text", "text": "A"}]));
    assert_eq!(
        body["messages"],
        json!([{"role": "user", "content": [{"type": "text", "text": "B"}]}])
    );
    assert_eq!(losses, ["messages[1].role"]);
}

#[test]
fn names_go_before_the_text() {
    let mut message = text(Role::User, "Hi");
    message.name = Some("Ada".to_owned());
    let (body, _) = write(&chat(vec![message]), "claude-sonnet-4-5");
    assert_eq!(body["messages"][0]["content"][0]["text"], "Ada: Hi");
}

#[test]
fn a_prefill_is_trimmed_where_models_take_it_and_refused_where_not() {
    let request = chat(vec![
        text(Role::User, "Hi"),
        text(Role::Assistant, "I say \n"),
    ]);
    let (body, _) = write(&request, "claude-sonnet-4-5");
    assert_eq!(body["messages"][1]["content"][0]["text"], "I say");

    let failure = Anthropic
        .write_request(&request, &target("claude-opus-4-6"))
        .unwrap_err();
    assert_eq!(
        (failure.kind, failure.next),
        (FailureKind::InvalidRequest, Next::TryAnotherModel)
    );
}

#[test]
fn tools_and_their_choice_are_translated() {
    let mut request = hello();
    request.tools = vec![
        function("look"),
        Tool::Opaque {
            format: Format::Gemini,
            value: json!({"googleSearch": {}}),
        },
    ];
    for (choice, parallel, model, expected, lost) in [
        (None, None, "claude-sonnet-4-5", Value::Null, false),
        (
            None,
            Some(false),
            "claude-sonnet-4-5",
            json!({"type": "auto", "disable_parallel_tool_use": true}),
            false,
        ),
        (
            Some(ToolChoice::Required),
            Some(true),
            "claude-sonnet-4-5",
            json!({"type": "any"}),
            false,
        ),
        (
            Some(ToolChoice::None),
            Some(false),
            "claude-sonnet-4-5",
            json!({"type": "none"}),
            false,
        ),
        (
            Some(ToolChoice::Named("look".to_owned())),
            None,
            "claude-sonnet-4-5",
            json!({"type": "tool", "name": "look"}),
            false,
        ),
        (
            Some(ToolChoice::Required),
            None,
            "claude-opus-5-5",
            json!({"type": "auto"}),
            true,
        ),
    ] {
        request.tool_choice = choice;
        request.parallel_tool_calls = parallel;
        let (body, losses) = write(&request, model);
        assert_eq!(
            body.get("tool_choice").cloned().unwrap_or_default(),
            expected
        );
        assert_eq!(losses.contains(&"tool_choice".to_owned()), lost);
        assert!(losses.contains(&"tools[1]".to_owned()));
        assert_eq!(
            body["tools"],
            json!([{"name": "look", "input_schema": {"type": "object", "properties": {}}}])
        );
    }
}

/// How `reasoning` is written: `thinking`, effort, `max_tokens`, losses.
fn thinking(
    model: &str,
    reasoning: ReasoningRequest,
    max_tokens: Option<u64>,
    max_output: Option<u64>,
) -> (Value, Value, u64, Vec<String>) {
    let mut request = hello();
    request.reasoning = Some(reasoning);
    request.max_tokens = max_tokens;
    let written = Anthropic
        .write_request(
            &request,
            &WriteTarget {
                efforts: bourse_vocab::chat::Efforts::default(),
                model,
                max_output,
                limit: None,
                tier: bourse_vocab::TierWish::None,
                dialect: &Dialect::PLAIN,
            },
        )
        .unwrap();
    let body: Value = bourse_vocab::json::parse(&written.body).unwrap();
    (
        body["thinking"].clone(),
        body["output_config"]["effort"].clone(),
        body["max_tokens"].as_u64().unwrap(),
        fields(&written.losses),
    )
}

fn effort(effort: Effort) -> ReasoningRequest {
    ReasoningRequest {
        effort: Some(effort),
        ..ReasoningRequest::default()
    }
}

fn budget(max_tokens: u64) -> ReasoningRequest {
    ReasoningRequest {
        max_tokens: Some(max_tokens),
        ..ReasoningRequest::default()
    }
}

#[test]
fn older_models_think_within_a_budget() {
    let model = "claude-sonnet-4-5";
    let enabled = |budget: u64| json!({"type": "enabled", "budget_tokens": budget});
    for (asked, max_tokens, max_output, expected, limit, lost) in [
        (
            effort(Effort::High),
            Some(10_000),
            None,
            enabled(8000),
            10_000,
            false,
        ),
        (
            effort(Effort::Minimal),
            Some(4000),
            None,
            enabled(1024),
            4000,
            false,
        ),
        (
            effort(Effort::Max),
            None,
            Some(200_000),
            enabled(128_000),
            200_000,
            false,
        ),
        (effort(Effort::High), None, None, enabled(3276), 4096, false),
        (budget(500), Some(4000), None, enabled(1024), 4000, false),
        (budget(8000), None, None, enabled(8000), 12_096, false),
        (budget(8000), Some(4000), None, enabled(3999), 4000, true),
        (
            effort(Effort::High),
            Some(1000),
            None,
            Value::Null,
            1000,
            true,
        ),
        (
            effort(Effort::None),
            Some(1000),
            None,
            Value::Null,
            1000,
            false,
        ),
    ] {
        let (thinking, _, max_tokens, losses) =
            thinking(model, asked.clone(), max_tokens, max_output);
        assert_eq!((&thinking, max_tokens), (&expected, limit), "{asked:?}");
        assert_eq!(!losses.is_empty(), lost, "{asked:?} {losses:?}");
    }
}

#[test]
fn newer_models_think_with_an_effort() {
    let shown = json!({"type": "adaptive", "display": "summarized"});
    let (written, level, _, losses) =
        thinking("claude-opus-4-8", effort(Effort::Xhigh), Some(5000), None);
    assert_eq!((written, level), (shown.clone(), json!("xhigh")));
    assert!(losses.is_empty());

    let (written, level, _, losses) = thinking("claude-sonnet-4-6", budget(4000), Some(5000), None);
    assert_eq!((written, level), (shown, json!("high")));
    assert_eq!(losses, ["reasoning.max_tokens"]);

    let hidden = ReasoningRequest {
        exclude: true,
        ..effort(Effort::Low)
    };
    let (written, ..) = thinking("claude-opus-5-5", hidden, None, None);
    assert_eq!(written, json!({"type": "adaptive", "display": "omitted"}));
}

#[test]
fn thinking_is_switched_off_in_each_models_own_way() {
    for (model, expected, level, lost) in [
        ("claude-opus-4-8", Value::Null, Value::Null, false),
        (
            "claude-opus-5",
            json!({"type": "disabled"}),
            Value::Null,
            false,
        ),
        (
            "claude-sonnet-5-5",
            json!({"type": "between_tools"}),
            Value::Null,
            false,
        ),
        ("claude-opus-5-5", Value::Null, json!("low"), true),
    ] {
        let (thinking, effort, _, losses) = thinking(model, effort(Effort::None), None, None);
        assert_eq!((thinking, effort), (expected, level), "{model}");
        assert_eq!(!losses.is_empty(), lost, "{model}");
    }
}

#[test]
fn a_forced_tool_comes_before_thinking() {
    let mut request = hello();
    request.tools = vec![function("look")];
    request.tool_choice = Some(ToolChoice::Required);
    request.reasoning = Some(effort(Effort::High));
    request.max_tokens = Some(9000);
    let (body, losses) = write(&request, "claude-sonnet-4-5");
    assert_eq!(body["tool_choice"], json!({"type": "any"}));
    assert!(body.get("thinking").is_none());
    assert_eq!(losses, ["reasoning"]);
}

#[test]
fn sampling_is_fitted_to_the_model_and_to_thinking() {
    let mut request = hello();
    request.max_tokens = Some(9000);
    request.sampling.temperature = Number::from_f64(0.2);
    request.sampling.top_p = Number::from_f64(0.97);
    request.sampling.top_k = Some(5);
    let sent =
        |body: &Value| ["temperature", "top_p", "top_k"].map(|name| body.get(name).is_some());
    let (body, losses) = write(&request, "claude-3-5-sonnet-20241022");
    assert_eq!((sent(&body), losses.len()), ([true, true, true], 0));
    let (body, losses) = write(&request, "claude-sonnet-4-5");
    assert_eq!(
        (sent(&body), losses),
        ([true, false, true], vec!["top_p".to_owned()])
    );
    let (body, losses) = write(&request, "claude-opus-4-7");
    assert_eq!((sent(&body), losses.len()), ([false, false, false], 3));
    request.reasoning = Some(effort(Effort::Low));
    let (body, losses) = write(&request, "claude-sonnet-4-5");
    assert_eq!(sent(&body), [false, true, false]);
    assert_eq!(losses, ["temperature", "top_k"]);

    let mut request = hello();
    request.sampling.temperature = Number::from_f64(1.7);
    let (body, losses) = write(&request, "claude-sonnet-4-5");
    assert_eq!(
        (body.get("temperature"), losses),
        (None, vec!["temperature".to_owned()])
    );
}

#[test]
fn what_anthropic_cannot_say_is_reported_one_by_one_and_neutral_values_are_not() {
    let mut request = hello();
    let sampling = &mut request.sampling;
    sampling.min_p = Number::from_f64(0.1);
    sampling.top_a = Number::from_f64(0.1);
    sampling.frequency_penalty = Number::from_f64(0.1);
    sampling.presence_penalty = Number::from_f64(0.1);
    sampling.repetition_penalty = Number::from_f64(1.1);
    sampling.seed = Some(7);
    sampling.logit_bias = Some([("1".to_owned(), json!(2))].into_iter().collect());
    sampling.logprobs = Some(true);
    sampling.top_logprobs = Some(2);
    sampling.n = Some(2);
    sampling.stop = vec!["END".to_owned(), "\n".to_owned()];
    request.response_format = Some(ResponseFormat::JsonObject);
    request.modalities = vec!["text".to_owned(), "image".to_owned()];
    request
        .extras
        .members
        .insert("prediction".to_owned(), json!({}));
    request.verbosity = Some("low".to_owned());
    let (body, mut losses) = write(&request, "claude-sonnet-4-5");
    losses.sort();
    assert_eq!(
        losses,
        [
            "frequency_penalty",
            "logit_bias",
            "logprobs",
            "min_p",
            "modalities",
            "n",
            "prediction",
            "presence_penalty",
            "repetition_penalty",
            "response_format",
            "seed",
            "stop",
            "top_a",
            "top_logprobs",
            "verbosity",
        ]
    );
    assert_eq!(body["stop_sequences"], json!(["END"]));

    let mut request = hello();
    let sampling = &mut request.sampling;
    sampling.temperature = Number::from_f64(1.0);
    sampling.top_p = Number::from_f64(1.0);
    sampling.top_k = Some(0);
    sampling.frequency_penalty = Number::from_f64(0.0);
    sampling.repetition_penalty = Number::from_f64(1.0);
    sampling.n = Some(1);
    sampling.logprobs = Some(false);
    let (_, losses) = write(&request, "claude-opus-5");
    assert_eq!(losses, Vec::<String>::new());
}

#[test]
fn a_schema_is_closed_and_sent_as_the_output_format() {
    let mut request = hello();
    request.response_format = Some(ResponseFormat::JsonSchema {
        name: "sky".to_owned(),
        description: None,
        schema: json!({"type": "object", "properties": {"a": {"type": "array",
            "items": {"type": "object"}}}}),
        strict: Some(true),
    });
    let (body, losses) = write(&request, "claude-sonnet-4-5");
    assert_eq!(
        body["output_config"]["format"],
        json!({"type": "json_schema", "schema": {"type": "object", "additionalProperties": false,
            "properties": {"a": {"type": "array", "items":
                {"type": "object", "additionalProperties": false}}}}})
    );
    assert_eq!(losses, ["response_format"]);
    let (body, losses) = write(&request, "claude-3-5-haiku-20241022");
    assert!(body.get("output_config").is_none());
    assert_eq!(losses, ["response_format"]);
}

#[test]
fn breakpoints_beyond_four_are_dropped_from_the_front() {
    let cache = || Some(CacheControl::default());
    let parts = (0..4)
        .map(|n| Part::Text {
            text: format!("t{n}"),
            cache: cache(),
        })
        .collect();
    let mut request = chat(vec![say(Role::User, parts)]);
    request.cache = Some(CacheControl {
        ttl: Some("1h".to_owned()),
    });
    let (body, losses) = write(&request, "claude-sonnet-4-5");
    let kept: Vec<bool> = body["messages"][0]["content"]
        .as_array()
        .unwrap()
        .iter()
        .map(|block| block.get("cache_control").is_some())
        .collect();
    assert_eq!(kept, [false, true, true, true]);
    assert_eq!(
        body["cache_control"],
        json!({"type": "ephemeral", "ttl": "1h"})
    );
    assert_eq!(losses, ["cache_control"]);
}

#[test]
fn a_dialect_takes_members_out_and_renames_them() {
    let mut request = hello();
    request.user = Some("u".to_owned());
    request.stream = true;
    let dialect = Dialect {
        rejects: &["metadata"],
        renames: &[("stream", "streaming")],
        ..Dialect::PLAIN
    };
    let written = Anthropic
        .write_request(
            &request,
            &WriteTarget {
                model: "kimi-k2",
                max_output: Some(8192),
                limit: None,
                efforts: bourse_vocab::chat::Efforts::default(),
                tier: bourse_vocab::TierWish::None,
                dialect: &dialect,
            },
        )
        .unwrap();
    let body: Value = bourse_vocab::json::parse(&written.body).unwrap();
    assert!(body.get("metadata").is_none());
    assert_eq!(
        (&body["streaming"], &body["max_tokens"]),
        (&json!(true), &json!(8192))
    );
    assert_eq!(
        written.losses,
        [Loss::new(
            "metadata",
            "the provider takes no such parameter"
        )]
    );
}

#[test]
fn a_conversation_without_content_is_refused() {
    let failure = Anthropic
        .write_request(&chat(vec![text(Role::User, " ")]), &target("claude-opus-5"))
        .unwrap_err();
    assert_eq!(failure.kind, FailureKind::InvalidRequest);
}

#[test]
fn thinking_does_not_begin_in_the_middle_of_a_tool_loop() {
    let signed = reasoning(
        ReasoningKind::Text {
            text: "hm".to_owned(),
            signature: Some("EqQB".to_owned()),
        },
        Some("anthropic-claude-v1"),
    );
    let answer = |first: Option<Part>| {
        let parts = first.into_iter().chain([call("a", "{}")]).collect();
        vec![
            text(Role::User, "Look."),
            say(Role::Assistant, parts),
            result("a", "dark"),
            say(Role::Assistant, vec![call("b", "{}")]),
            result("b", "quiet"),
        ]
    };
    for (messages, model, thinks) in [
        (answer(Some(signed)), "claude-sonnet-4-5", true),
        (answer(None), "claude-sonnet-4-5", false),
        (answer(None), "claude-opus-4-8", true),
        (answer(None), "kimi-k2", true),
        (
            [
                answer(None),
                vec![text(Role::Assistant, "So."), text(Role::User, "Why?")],
            ]
            .concat(),
            "claude-sonnet-4-5",
            true,
        ),
    ] {
        let mut request = chat(messages);
        request.max_tokens = Some(9000);
        request.reasoning = Some(effort(Effort::High));
        let (body, losses) = write(&request, model);
        assert_eq!(body.get("thinking").is_some(), thinks, "{model}");
        assert_eq!(losses.contains(&"reasoning".to_owned()), !thinks, "{model}");
    }
}

#[test]
fn the_gateways_limit_is_written_where_the_caller_set_none() {
    for (asked, thinks, expected) in [
        (None, false, 2_700),
        // Thoughts are inside the limit.
        (None, true, 2_700),
        (Some(9_000), false, 9_000),
    ] {
        let request = Request {
            max_tokens: asked,
            reasoning: thinks.then(|| bourse_vocab::chat::ReasoningRequest {
                effort: Some(bourse_vocab::chat::Effort::Max),
                ..Default::default()
            }),
            ..crate::openai_chat::OpenAiChat
                .read_request(br#"{"model":"m","messages":[{"role":"user","content":"hi"}]}"#)
                .unwrap()
        };
        let with_limit = WriteTarget {
            max_output: Some(64_000),
            limit: Some(2_700),
            ..target("claude-sonnet-4-5")
        };
        let written = Anthropic.write_request(&request, &with_limit).unwrap();
        let body = bourse_vocab::json::parse(&written.body).unwrap();
        assert_eq!(body["max_tokens"], json!(expected));
        if thinks {
            let budget = body["thinking"]["budget_tokens"].as_u64().unwrap();
            assert!(budget < expected, "{budget}");
        }
    }
}

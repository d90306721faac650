use bourse_vocab::chat::{Effort, Media, Part, ReasoningKind, Role, ToolChoice};
use bourse_vocab::json;

use super::super::request::{MESSAGES_MAX, TOOLS_MAX};
use super::*;

/// A request with one message and some more members.
fn with(more: Value) -> Value {
    let mut body = json!({"model": "m", "messages": [{"role": "user", "content": "hi"}]});
    let members = body.as_object_mut().unwrap();
    members.extend(more.as_object().unwrap().clone());
    body
}

#[test]
fn mistakes_are_named_with_their_place() {
    for (more, message) in [
        (
            json!({"messages": []}),
            "messages: at least one message is required",
        ),
        (json!({"messages": null}), "messages: is required"),
        (
            json!({"messages": ["hi"]}),
            "messages[0]: expected an object, got a string",
        ),
        (
            json!({"messages": [{"content": "hi"}]}),
            "messages[0].role: is required",
        ),
        (
            json!({"messages": [{"role": "user"}]}),
            "messages[0].content: is required",
        ),
        (
            json!({"messages": [{"role": "tool", "content": "x"}]}),
            "messages[0].tool_call_id: is required",
        ),
        (
            json!({"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {}}]}]}),
            "messages[0].content[0].image_url.url: is required",
        ),
        (
            json!({"messages": [{"role": "user", "content": [{"type": "text"}]}]}),
            "messages[0].content[0].text: is required",
        ),
        (
            json!({"messages": [{"role": "assistant", "tool_calls": [{"id": "a", "function": {"name": 1}}]}]}),
            "messages[0].tool_calls[0].function.name: expected a string, got a number",
        ),
        (
            json!({"messages": [{"role": "user", "content": "", "tool_calls": [{"id": "a"}]}]}),
            "messages[0].tool_calls: are for messages of an assistant",
        ),
        (
            json!({"messages": [{"role": "assistant", "content": "", "tool_call": [{"id": "a"}]}]}),
            "messages[0].tool_call: is no member of a message; `tool_calls` is",
        ),
        (
            json!({"messages": [{"role": "assistant", "reasoning_details": [{"type": 7}]}]}),
            "messages[0].reasoning_details[0].type: must be one of reasoning.text, reasoning.summary, reasoning.encrypted",
        ),
        (
            json!({"temperature": 3}),
            "temperature: must be from 0 to 2, got 3",
        ),
        (
            json!({"temperature": "hot"}),
            "temperature: expected a number, got a string",
        ),
        (
            json!({"max_tokens": 0}),
            "max_tokens: must be from 1 to 1000000000, got 0",
        ),
        (
            json!({"max_tokens": 1.5}),
            "max_tokens: expected a whole number, got a number",
        ),
        (
            json!({"stop": 7}),
            "stop: expected a string or an array of strings, got a number",
        ),
        (
            json!({"stop": ["a", 1]}),
            "stop[1]: expected a string, got a number",
        ),
        (
            json!({"stream": "yes"}),
            "stream: expected a boolean, got a string",
        ),
        (
            json!({"tools": [{"type": "function"}]}),
            "tools[0].function: is required",
        ),
        (
            json!({"tools": [{"type": "function", "function": {}}]}),
            "tools[0].function.name: is required",
        ),
        (
            json!({"reasoning": {"effort": "huge"}}),
            "reasoning.effort: must be one of none, minimal, low, medium, high, xhigh, max",
        ),
        (
            json!({"response_format": {}}),
            "response_format.type: is required",
        ),
        (
            json!({"response_format": {"type": "json_schema"}}),
            "response_format.json_schema: is required",
        ),
        (
            json!({"cache_control": {"type": "forever"}}),
            "cache_control.type: must be ephemeral",
        ),
    ] {
        refused(&with(more), message);
    }
    let failure = OpenAiChat.read_request(b"[]").unwrap_err();
    assert_eq!(
        failure.message,
        "request body: expected an object, got an array"
    );
    let failure = OpenAiChat.read_request(b"{").unwrap_err();
    assert!(failure.message.starts_with("request body is not JSON: "));
}

#[test]
fn lists_are_bounded() {
    let message = json!({"role": "user", "content": "x"});
    refused(
        &with(json!({"messages": vec![message; MESSAGES_MAX + 1]})),
        "messages: at most 10000 items are accepted, got 10001",
    );
    let tool = json!({"type": "function", "function": {"name": "f"}});
    refused(
        &with(json!({"tools": vec![tool; TOOLS_MAX + 1]})),
        "tools: at most 512 items are accepted, got 513",
    );
}

#[test]
fn null_is_the_same_as_absent() {
    let nothing = json!({
        "temperature": null, "stop": null, "tools": null, "tool_choice": null, "reasoning": null,
        "response_format": null, "max_tokens": null, "seed": null, "user": null, "stream": null,
        "logit_bias": null, "vendor_thing": null,
    });
    assert_eq!(
        read(&with(nothing)).unwrap(),
        read(&with(json!({}))).unwrap()
    );
}

#[test]
fn the_gateways_members_never_ride_along() {
    let request = read(&with(json!({
        "models": ["a"], "provider": {}, "route": "fallback", "transforms": [], "plugins": [],
        "usage": {}, "session_id": "s", "trace": {}, "stream_options": {}, "metadata": {},
        "preset": "p", "debug": {}, "safe_prompt": true,
    })))
    .unwrap();
    assert_eq!(
        Value::Object(request.extras.members),
        json!({"safe_prompt": true})
    );
}

#[test]
fn members_that_nobody_knows_are_kept_under_their_path() {
    let request = read(&with(json!({
        "messages": [{"role": "user", "content": [
            {"type": "video_url", "video_url": {"url": "https://v.example", "processing": "static"}},
        ]}],
        "tools": [{"type": "function", "function": {"name": "f", "defer_loading": true}}],
    })))
    .unwrap();
    assert_eq!(
        Value::Object(request.extras.members),
        json!({
            "messages[0].content[0].video_url.processing": "static",
            "tools[0].function.defer_loading": true,
        })
    );
}

#[test]
fn the_larger_output_limit_counts() {
    for more in [
        json!({"max_tokens": 5, "max_completion_tokens": 9}),
        json!({"max_tokens": 9, "max_completion_tokens": 5}),
        json!({"max_tokens": 9}),
        json!({"max_completion_tokens": 9.0}),
    ] {
        assert_eq!(read(&with(more)).unwrap().max_tokens, Some(9));
    }
}

#[test]
fn every_way_to_ask_for_reasoning_is_read() {
    let reasoning = |more: Value| read(&with(more)).unwrap().reasoning.unwrap();
    let low = Some(Effort::Low);
    assert_eq!(reasoning(json!({"reasoning_effort": "low"})).effort, low);
    let both = json!({"reasoning_effort": "low", "reasoning": {"effort": "low"}});
    assert_eq!(reasoning(both).effort, low);
    assert!(reasoning(json!({"include_reasoning": false})).exclude);
    assert_eq!(
        reasoning(json!({"include_reasoning": true})),
        Default::default()
    );
    let budget = reasoning(json!({"reasoning": {"max_tokens": 2000, "exclude": true}}));
    assert_eq!((budget.max_tokens, budget.exclude), (Some(2000), true));
}

#[test]
fn every_form_of_tool_choice_is_read() {
    let choice = |value: Value| read(&with(json!({"tool_choice": value}))).map(|r| r.tool_choice);
    assert_eq!(choice(json!("auto")).unwrap(), Some(ToolChoice::Auto));
    assert_eq!(choice(json!("none")).unwrap(), Some(ToolChoice::None));
    assert_eq!(
        choice(json!("required")).unwrap(),
        Some(ToolChoice::Required)
    );
    let named = json!({"type": "function", "function": {"name": "f"}});
    assert_eq!(choice(named).unwrap(), Some(ToolChoice::Named("f".into())));
    assert!(choice(json!("maybe")).is_err());
    assert!(choice(json!({"type": "function"})).is_err());
    let custom = json!({"type": "custom", "custom": {"name": "c"}});
    let custom = read(&with(json!({"tool_choice": custom}))).unwrap();
    assert_eq!(custom.tool_choice, None);
    assert!(custom.extras.members.contains_key("tool_choice"));
    assert!(choice(json!({"type": "openrouter:web_search"})).is_err());
}

#[test]
fn broken_characters_do_not_refuse_a_request() {
    let body = br#"{"model":"m","messages":[{"role":"user","content":"a \ud83e b"}]}"#;
    let request = OpenAiChat.read_request(body).unwrap();
    assert_eq!(request.messages[0].parts, [Part::text("a \u{fffd} b")]);
}

#[test]
fn a_prompt_without_messages_is_one_user_message() {
    let request = read(&json!({"model": "m", "prompt": "hi"})).unwrap();
    assert_eq!(request.messages.len(), 1);
    assert_eq!(request.messages[0].role, Role::User);
}

#[test]
fn every_content_part_has_a_place() {
    let request = read(&with(json!({"messages": [{"role": "user", "content": [
        {"type": "input_video", "video_url": {"url": "data:video/mp4;base64,AA=="}},
        {"type": "image_url", "image_url": "https://i.example"},
        {"type": "file", "file": {"file_id": "f"}},
        {"type": "hologram", "x": 1},
        "bare",
    ]}]})))
    .unwrap();
    let parts = &request.messages[0].parts;
    let mime = "video/mp4".to_owned();
    let data = "AA==".to_owned();
    assert_eq!(
        parts[0],
        Part::Video {
            media: Media::Base64 { mime, data }
        }
    );
    assert!(
        matches!(&parts[1], Part::Image { media: Media::Url(url), .. } if url == "https://i.example")
    );
    assert!(matches!(&parts[2], Part::File { media: Media::FileId(id), .. } if id == "f"));
    assert!(matches!(&parts[3], Part::Opaque { value, .. } if value["x"] == 1));
    assert_eq!(parts[4], Part::text("bare"));
}

proptest::proptest! {
    /// A request that was read and written is read as the same request.
    #[test]
    fn a_request_survives_writing_and_reading(
        texts in proptest::collection::vec("\\PC{0,12}", 1..6),
        temperature in proptest::option::of(0.0..2.0_f64),
        seed in proptest::option::of(proptest::prelude::any::<i64>()),
        max_tokens in proptest::option::of(1..100_000_u64),
    ) {
        let messages: Vec<_> = texts
            .iter()
            .zip(["user", "assistant"].iter().cycle())
            .map(|(text, role)| json!({"role": role, "content": text}))
            .collect();
        let body = json!({"model": "m", "messages": messages, "seed": seed,
            "temperature": temperature, "max_tokens": max_tokens});
        let request = read(&body).unwrap();
        let target = crate::WriteTarget {
            model: "m",
            max_output: None,
            limit: None,
            efforts: bourse_vocab::chat::Efforts::default(),
            tier: bourse_vocab::TierWish::None,
            dialect: &crate::Dialect::PLAIN,
        };
        let written = OpenAiChat.write_request(&request, &target).unwrap();
        proptest::prop_assert_eq!(written.losses, []);
        proptest::prop_assert_eq!(OpenAiChat.read_request(&written.body).unwrap(), request);
    }

    #[test]
    fn no_request_panics(body in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..60)) {
        let _ = OpenAiChat.read_request(&body);
        let _ = OpenAiChat.read_reply(&body);
    }
}

/// As @openrouter/ai-sdk-provider 2.10 sends Gemini's thoughts back.
#[test]
fn a_text_beside_pieces_that_say_nothing_is_a_thought_of_its_own() {
    let sealed = json!({"type": "reasoning.encrypted", "data": "CiQB", "id": "c",
        "format": "google-gemini-v1", "index": 1});
    let message = json!({"role": "assistant", "content": "a", "reasoning": "hm",
        "reasoning_details": [sealed]});
    let request = read(&with(json!({"messages": [message]}))).unwrap();
    let parts = &request.messages[0].parts;
    let kinds: Vec<&ReasoningKind> = parts
        .iter()
        .filter_map(|part| match part {
            Part::Reasoning(piece) => Some(&piece.kind),
            _ => None,
        })
        .collect();
    let text = ReasoningKind::Text {
        text: "hm".to_owned(),
        signature: None,
    };
    let sealed = ReasoningKind::Encrypted("CiQB".to_owned());
    assert_eq!(kinds, [&text, &sealed]);
    assert!(
        !parts.iter().any(|part| matches!(part, Part::Opaque { .. })),
        "{parts:?}"
    );
}

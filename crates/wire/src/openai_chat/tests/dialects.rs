use bourse_vocab::json;

use super::*;
use crate::dialect::{Dialect, MaxTokensName, ReasoningStyle, StreamUsage};
use crate::{WriteTarget, Written};

fn write(body: Value, dialect: &Dialect) -> (Value, Vec<String>) {
    let mut whole = json!({"model": "m", "messages": [{"role": "user", "content": "hi"}]});
    whole
        .as_object_mut()
        .unwrap()
        .extend(body.as_object().unwrap().clone());
    let request = read(&whole).unwrap();
    let target = WriteTarget {
        model: "up",
        max_output: Some(1000),
        limit: None,
        efforts: bourse_vocab::chat::Efforts::default(),
        tier: bourse_vocab::TierWish::None,
        dialect,
    };
    let Written { body, losses } = OpenAiChat.write_request(&request, &target).unwrap();
    let lost = losses.into_iter().map(|loss| loss.field).collect();
    (bourse_vocab::json::parse(&body).unwrap(), lost)
}

/// Checks the members that differ from the bare request, and what is lost.
fn check(body: Value, dialect: &Dialect, expected: Value, lost: &[&str]) {
    let (mut written, losses) = write(body.clone(), dialect);
    let members = written.as_object_mut().unwrap();
    members.remove("model");
    if body.get("messages").is_none() {
        members.remove("messages");
    }
    assert_eq!(
        (written, losses),
        (expected, lost.iter().map(ToString::to_string).collect())
    );
}

fn style(reasoning: ReasoningStyle) -> Dialect {
    Dialect {
        reasoning,
        ..Dialect::PLAIN
    }
}

#[test]
fn reasoning_is_asked_for_in_each_style() {
    use ReasoningStyle as Style;
    let high = json!({"reasoning": {"effort": "high"}});
    let budget = json!({"reasoning": {"max_tokens": 500}});
    let off = json!({"reasoning": {"enabled": false}});
    let none = json!({"reasoning_effort": "none"});
    let just_on = json!({"reasoning": {"enabled": true}});
    let hidden = json!({"reasoning": {"exclude": true}});
    for (style_, body, expected, lost) in [
        (Style::Unsupported, &high, json!({}), vec!["reasoning"]),
        (Style::Unsupported, &off, json!({}), vec!["reasoning"]),
        (Style::Unsupported, &hidden, json!({}), vec![]),
        (
            Style::Effort,
            &high,
            json!({"reasoning_effort": "high"}),
            vec![],
        ),
        (
            Style::Effort,
            &budget,
            json!({"reasoning_effort": "medium"}),
            vec!["reasoning.max_tokens"],
        ),
        (
            Style::Effort,
            &off,
            json!({"reasoning_effort": "none"}),
            vec![],
        ),
        (
            Style::Effort,
            &just_on,
            json!({"reasoning_effort": "medium"}),
            vec![],
        ),
        (Style::Effort, &hidden, json!({}), vec![]),
        (Style::Object, &high, high.clone(), vec![]),
        (Style::Object, &budget, budget.clone(), vec![]),
        (Style::Object, &hidden, hidden.clone(), vec![]),
        (
            Style::ThinkingSwitch,
            &high,
            json!({"thinking": {"type": "enabled"}}),
            vec!["reasoning.effort"],
        ),
        (
            Style::ThinkingSwitch,
            &none,
            json!({"thinking": {"type": "disabled"}}),
            vec![],
        ),
        (
            Style::SwitchAndEffort,
            &high,
            json!({"thinking": {"type": "enabled"}, "reasoning_effort": "high"}),
            vec![],
        ),
        (
            Style::SwitchAndEffort,
            &budget,
            json!({"thinking": {"type": "enabled"}, "reasoning_effort": "medium"}),
            vec!["reasoning.max_tokens"],
        ),
        (
            Style::SwitchAndEffort,
            &just_on,
            json!({"thinking": {"type": "enabled"}}),
            vec![],
        ),
        (
            Style::SwitchAndEffort,
            &none,
            json!({"thinking": {"type": "disabled"}}),
            vec![],
        ),
        (
            Style::EnabledSwitch,
            &high,
            json!({"reasoning": {"enabled": true}}),
            vec!["reasoning.effort"],
        ),
        (
            Style::EnabledSwitch,
            &off,
            json!({"reasoning": {"enabled": false}}),
            vec![],
        ),
        (
            Style::EnableThinking,
            &high,
            json!({"enable_thinking": true, "thinking_budget": 800}),
            vec![],
        ),
        (
            Style::EnableThinking,
            &budget,
            json!({"enable_thinking": true, "thinking_budget": 500}),
            vec![],
        ),
        (
            Style::EnableThinking,
            &off,
            json!({"enable_thinking": false}),
            vec![],
        ),
        (
            Style::EnableThinking,
            &just_on,
            json!({"enable_thinking": true}),
            vec![],
        ),
        (
            Style::ChatTemplate,
            &just_on,
            json!({"chat_template_kwargs": {"enable_thinking": true}}),
            vec![],
        ),
    ] {
        check(body.clone(), &style(style_), expected, &lost);
    }
    check(
        json!({"reasoning": {"summary": "concise"}}),
        &style(Style::Effort),
        json!({}),
        &["reasoning.summary"],
    );
    check(
        json!({"reasoning": {"effort": "low", "context": "all_turns"}}),
        &style(Style::Object),
        json!({"reasoning": {"effort": "low", "context": "all_turns"}}),
        &[],
    );
    check(
        json!({"reasoning": {"enabled": false}, "chat_template_kwargs": {"x": 1}}),
        &style(Style::ChatTemplate),
        json!({"chat_template_kwargs": {"enable_thinking": false, "x": 1}}),
        &[],
    );
}

#[test]
fn the_output_limit_has_the_vendors_name() {
    let newer = Dialect {
        max_tokens: MaxTokensName::MaxCompletionTokens,
        ..Dialect::PLAIN
    };
    let body = json!({"max_tokens": 9});
    check(body.clone(), &Dialect::PLAIN, json!({"max_tokens": 9}), &[]);
    check(body, &newer, json!({"max_completion_tokens": 9}), &[]);
}

#[test]
fn members_that_a_vendor_rejects_or_renames_are_obeyed() {
    let odd = Dialect {
        rejects: &["seed", "parallel_tool_calls", "safe_prompt"],
        renames: &[("user", "end_user"), ("repetition_penalty", "rep")],
        ..Dialect::PLAIN
    };
    check(
        json!({"seed": 1, "user": "u", "repetition_penalty": 1.5, "safe_prompt": true}),
        &odd,
        json!({"end_user": "u", "rep": 1.5}),
        &["seed", "safe_prompt"],
    );
}

#[test]
fn stream_usage_is_asked_for_only_where_it_must_be() {
    for (stream_usage, expected) in [
        (
            StreamUsage::OnRequest,
            json!({"stream": true, "stream_options": {"include_usage": true}}),
        ),
        (StreamUsage::Always, json!({"stream": true})),
        (StreamUsage::Never, json!({"stream": true})),
    ] {
        let dialect = Dialect {
            stream_usage,
            ..Dialect::PLAIN
        };
        check(json!({"stream": true}), &dialect, expected, &[]);
    }
}

#[test]
fn names_go_before_the_text_where_they_are_not_understood() {
    let nameless = Dialect {
        names: false,
        ..Dialect::PLAIN
    };
    check(
        json!({"messages": [
            {"role": "user", "name": "ada", "content": "hi"},
            {"role": "user", "name": "bob", "content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]},
            {"role": "user", "name": "eve", "content": [{"type": "image_url", "image_url": {"url": "https://i.example"}}]},
        ]}),
        &nameless,
        json!({"messages": [
            {"role": "user", "content": "ada: hi"},
            {"role": "user", "content": [{"type": "text", "text": "bob: a"}, {"type": "text", "text": "b"}]},
            {"role": "user", "content": [{"type": "image_url", "image_url": {"url": "https://i.example"}}]},
        ]}),
        &["messages[2].name"],
    );
}

#[test]
fn earlier_reasoning_goes_back_under_the_name_it_came_with() {
    let messages = json!({"messages": [
        {"role": "user", "content": "q"},
        {"role": "assistant", "content": "a", "reasoning_details": [
            {"type": "reasoning.text", "text": "think", "signature": "s"},
            {"type": "reasoning.encrypted", "data": "x"},
        ]},
    ]});
    check(
        messages,
        &style(ReasoningStyle::ThinkingSwitch),
        json!({"messages": [
            {"role": "user", "content": "q"},
            {"role": "assistant", "content": "a", "reasoning_content": "think"},
        ]}),
        &["messages[1].content[0].signature", "messages[1].content[1]"],
    );
}

#[test]
fn a_choice_without_tools_is_left_out() {
    check(
        json!({"tool_choice": "auto", "parallel_tool_calls": true}),
        &Dialect::PLAIN,
        json!({}),
        &[],
    );
    check(
        json!({"tool_choice": "required"}),
        &Dialect::PLAIN,
        json!({}),
        &["tool_choice"],
    );
}

#[test]
fn what_belongs_to_another_format_is_reported() {
    use bourse_vocab::Format;
    use bourse_vocab::chat::{Message, Part, Role, Tool};
    let mut request = Request::new(
        Format::Anthropic,
        "m",
        vec![Message {
            role: Role::User,
            name: None,
            parts: vec![
                Part::Opaque {
                    format: Format::Anthropic,
                    value: json!({"type": "container_upload"}),
                },
                Part::text("hi"),
            ],
        }],
    );
    request.tools.push(Tool::Opaque {
        format: Format::Anthropic,
        value: json!({"type": "bash_20250124", "name": "bash"}),
    });
    request
        .extras
        .members
        .insert("container".into(), json!("c_1"));
    let target = WriteTarget {
        model: "up",
        max_output: None,
        limit: None,
        efforts: bourse_vocab::chat::Efforts::default(),
        tier: bourse_vocab::TierWish::None,
        dialect: &Dialect::PLAIN,
    };
    let written = OpenAiChat.write_request(&request, &target).unwrap();
    let fields: Vec<_> = written
        .losses
        .iter()
        .map(|loss| loss.field.as_str())
        .collect();
    assert_eq!(fields, ["messages[0].content[0]", "tools[0]", "container"]);
    assert_eq!(
        bourse_vocab::json::parse(&written.body).unwrap(),
        json!({"model": "up", "messages": [{"role": "user", "content": "hi"}]})
    );
}

/// What rides along with a part shares its fate: written where it was, or
/// named among what is lost.
#[test]
fn an_unknown_member_of_a_part_is_kept_with_it_or_reported() {
    let messages = json!([
        {"role": "user", "content": [{"type": "text", "text": "q", "x": 1}]},
        {"role": "assistant", "content": [
            {"type": "refusal", "refusal": "no", "x": 2},
            {"type": "image_url", "image_url": {"url": "https://x.example/a.png"}, "x": 3},
        ], "images": [{"type": "image_url", "image_url": {"url": "https://x.example/b.png", "x": 4}}]},
        {"role": "assistant", "tool_calls": [{"id": "c", "type": "function",
            "function": {"name": "f", "arguments": "{}"}}]},
        {"role": "tool", "tool_call_id": "c", "content": [
            {"type": "text", "text": "r", "x": 5},
            {"type": "image_url", "image_url": {"url": "https://x.example/c.png"}, "x": 6},
        ]},
    ]);
    let text_only = Dialect {
        media_anywhere: false,
        ..Dialect::PLAIN
    };
    let anywhere = Dialect {
        media_anywhere: true,
        ..Dialect::PLAIN
    };
    let (written, lost) = write(json!({ "messages": messages }), &anywhere);
    let message = |index: usize| &written["messages"][index];
    assert_eq!(message(0)["content"][0]["x"], 1);
    let images = &message(1)["images"];
    assert_eq!(
        (&images[0]["x"], &images[1]["image_url"]["x"]),
        (&json!(3), &json!(4))
    );
    assert!(images[1].get("x").is_none());
    let result = &message(3)["content"];
    assert_eq!((&result[0]["x"], &result[1]["x"]), (&json!(5), &json!(6)));
    assert_eq!(lost, ["messages[1].content[0].x"]);

    let (written, lost) = write(json!({ "messages": messages }), &text_only);
    assert_eq!(written["messages"][3]["content"][0]["x"], 5);
    // Moved behind the tool's message, and all of it.
    assert_eq!(written["messages"][4]["content"][0]["x"], 6);
    for field in [
        "messages[1].content[0].x",
        "messages[1].content[1].x",
        "messages[1].images[1].image_url.x",
    ] {
        assert!(lost.iter().any(|lost| lost == field), "{field}: {lost:?}");
    }
}

#[test]
fn what_openrouter_added_to_messages_goes_to_no_vendor_as_it_is() {
    let cited = json!([{"type": "url_citation", "url_citation": {"url": "https://x.test"}}]);
    let body = json!({"messages": [
        {"role": "user", "content": "q"},
        {"role": "assistant", "content": "a", "annotations": cited, "prefix": true},
        {"role": "system", "content": "", "configuration_update": {"reasoning": {"effort": "low"}}},
        {"role": "user", "content": "r"},
    ]});
    let lost = [
        "messages[1].annotations",
        "messages[2].configuration_update",
    ];
    let (written, losses) = write(body.clone(), &Dialect::PLAIN);
    assert_eq!(losses, lost);
    // What a lenient vendor may know goes on.
    assert_eq!(
        written["messages"][1],
        json!({"role": "assistant", "content": "a", "prefix": true})
    );
    assert_eq!(
        written["messages"][2],
        json!({"role": "system", "content": ""})
    );
    let (written, losses) = write(body, &style(ReasoningStyle::Object));
    assert_eq!(losses, Vec::<String>::new());
    assert_eq!(written["messages"][1]["annotations"], cited);
    assert_eq!(
        written["messages"][2]["configuration_update"]["reasoning"]["effort"],
        "low"
    );
}

/// Items of the Responses API have a type, and clients that speak both leave
/// it in.
#[test]
fn a_message_that_says_that_it_is_one_is_a_message_and_no_unknown_part() {
    const STRICT: Dialect = Dialect {
        strict_messages: true,
        ..Dialect::PLAIN
    };
    let plain = json!({"messages": [
        {"role": "user", "content": "q"},
        {"role": "assistant", "content": "a"},
    ]});
    let typed = json!({"messages": [
        {"type": "message", "role": "user", "content": "q"},
        {"type": "message", "role": "assistant", "content": "a"},
    ]});
    check(typed.clone(), &Dialect::PLAIN, typed.clone(), &[]);
    check(
        typed,
        &STRICT,
        plain,
        &["messages[0].type", "messages[1].type"],
    );
}

/// A text beside pieces in which nobody can read is a thought of its own where
/// it is translated, and stays beside them where it is not.
#[test]
fn a_text_goes_back_beside_the_pieces_that_it_came_with() {
    for piece in [
        json!({"type": "reasoning.text", "signature": "S"}),
        json!({"type": "reasoning.encrypted", "data": "CiQB"}),
        json!({"type": "reasoning.later", "what": 1}),
    ] {
        let message = json!({"role": "assistant", "content": "a", "reasoning": "hm",
            "reasoning_details": [piece]});
        let dialect = Dialect {
            thoughts: crate::dialect::Thoughts::Details,
            ..Dialect::PLAIN
        };
        let (written, losses) = write(json!({"messages": [message]}), &dialect);
        let written = &written["messages"][0];
        assert_eq!(written["reasoning"], "hm", "{written}");
        assert_eq!(written["reasoning_details"], json!([piece]));
        assert_eq!(losses, [""; 0]);
    }
}

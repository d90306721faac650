use super::*;

/// What the provider gets, and what it cannot be told.
fn write(text: &str, dialect: &Dialect) -> (String, Vec<Loss>) {
    write_for(text, dialect, TierWish::None)
}

/// The same for a target that is told so of the tier of service.
fn write_for(text: &str, dialect: &Dialect, tier: TierWish) -> (String, Vec<Loss>) {
    let (envelope, segments) = envelope(text).unwrap();
    let target = WriteTarget {
        model: "m-1",
        max_output: Some(8_000),
        limit: None,
        efforts: bourse_vocab::chat::Efforts::default(),
        tier,
        dialect,
    };
    let (body, losses) = splice_request(&envelope, &segments, &target);
    (String::from_utf8(body.concat()).unwrap(), losses)
}

fn check(text: &str, dialect: &Dialect, expected: &str, lost: &[&str]) {
    let (body, losses) = write(text, dialect);
    assert_eq!(body, expected);
    let fields: Vec<&str> = losses.iter().map(|loss| loss.field.as_str()).collect();
    assert_eq!(fields, lost, "{text}");
}

fn refusal(text: &str) -> String {
    let failure = envelope(text).unwrap_err();
    assert_eq!(failure.kind, FailureKind::InvalidRequest, "{text}");
    failure.message.into_owned()
}

const SILENT: Dialect = Dialect {
    stream_usage: StreamUsage::Always,
    ..Dialect::PLAIN
};

#[test]
fn a_target_is_told_its_own_tier_and_never_what_the_caller_wrote() {
    const GROQ: Dialect = Dialect {
        tiers: TierWords::GROQ,
        ..Dialect::PLAIN
    };
    let priority = TierWish::Tier(ServiceTier::Priority);
    for (dialect, tier, expected) in [
        (&Dialect::PLAIN, priority, r#","service_tier":"priority""#),
        (
            &Dialect::PLAIN,
            TierWish::Standard,
            r#","service_tier":"default""#,
        ),
        (&Dialect::PLAIN, TierWish::None, ""),
        (&GROQ, TierWish::Standard, r#","service_tier":"on_demand""#),
        (&GROQ, priority, ""),
    ] {
        for sent in ["", r#""service_tier":"fast","#] {
            let text = format!(r#"{{{sent}"model":"acme/m","messages":[1]}}"#);
            let (body, losses) = write_for(&text, dialect, tier);
            assert_eq!(losses, []);
            let body = json::parse(body.as_bytes()).unwrap();
            let expected = format!(r#"{{"model":"m-1","messages":[1]{expected}}}"#);
            assert_eq!(body, json::parse(expected.as_bytes()).unwrap());
        }
    }
}

#[test]
fn only_the_model_changes_in_a_plain_request() {
    check(
        r#"{ "model": "acme/m", "messages": [{"role":"user","content":"hi \ud83e"}], "logit_bias": {}, "guided_json": [1,  2] }"#,
        &Dialect::PLAIN,
        r#"{ "model": "m-1", "messages": [{"role":"user","content":"hi \ud83e"}], "logit_bias": {}, "guided_json": [1,  2] }"#,
        &[],
    );
    check(
        r#"{"messages":[1]}"#,
        &Dialect::PLAIN,
        r#"{"messages":[1],"model":"m-1"}"#,
        &[],
    );
    check(
        r#"{"messages":[1],"vendor_extra":1,"guided_json":{}}"#,
        &Dialect {
            accepts: &["vendor_extra"],
            ..Dialect::PLAIN
        },
        r#"{"messages":[1],"vendor_extra":1,"model":"m-1"}"#,
        &["guided_json"],
    );
}

#[test]
fn names_that_parsers_fold_and_members_that_cost_unseen_are_refused() {
    for (member, place) in [
        (r#""Model":"dear""#, "Model: spelled almost like `model`"),
        (r#""MAX_TOKENS":9999"#, "MAX_TOKENS: "),
        ("\"me\u{17f}\u{17f}ages\":[]", "me\\u{17f}\\u{17f}ages: "),
        ("\"max_to\u{212a}ens\":9", "max_to\\u{212a}ens: "),
        (r#""N":50"#, "N: "),
        (r#""max_output_tokens":9999"#, "max_output_tokens: "),
        (r#""best_of":20"#, "best_of: "),
        (r#""fallbacks":["dear"]"#, "fallbacks: "),
        (r#""providerOptions":{}"#, "providerOptions: "),
        (r#""api_base":"http://127.0.0.1""#, "api_base: "),
        (r#""tools":[{"type":"web_search"}]"#, "tools[0].type: "),
        (
            r#""tools":[{"type":"function","function":{}},{"Type":"web_search"}]"#,
            "tools[1].type: ",
        ),
        (
            r#""tools":[{"type":"function","type":"web_search"}]"#,
            "tools[0].type: ",
        ),
        (
            r#""tools":[{"type":"openrouter:web_search"}]"#,
            "tools[0].type: ",
        ),
        (
            r#""tool_choice":{"type":"openrouter:web_search"}"#,
            "tool_choice.type: ",
        ),
    ] {
        let text = format!(r#"{{"model":"cheap","messages":[1],{member}}}"#);
        let refused = refusal(&text);
        assert!(refused.starts_with(place), "{member}: {refused}");
    }
    for member in [r#""model":"dear""#, r#""mod\u0065l":"dear""#] {
        let text = format!(r#"{{"model":"cheap","messages":[1],{member}}}"#);
        assert!(crate::json::scan(text.as_bytes()).is_err(), "{member}");
    }
}

#[test]
fn a_choice_with_a_member_that_none_has_is_refused_in_one_sentence_on_both_roads() {
    for choice in [
        r#""tool_choice":{"type":"function","function":{"name":"f"},"strict":true}"#,
        r#""tool_choice":{"type":"function","function":{"name":"f","arguments":"{}"}}"#,
        r#""tool_choice":{"type":"auto","disable_parallel_tool_use":true}"#,
        r#""tool_choice":"best""#,
        r#""function_call":{"name":"f","x":1}"#,
    ] {
        let text = format!(
            r#"{{"model":"m","messages":[{{"role":"user","content":"q"}}],"tools":[{{"type":"function","function":{{"name":"f"}}}}],{choice}}}"#
        );
        let words = crate::codec(bourse_vocab::Format::OpenAiChat).read_request(text.as_bytes());
        let words = words.expect_err(choice).message;
        assert_eq!(refusal(&text), words, "{choice}");
    }
}

#[test]
fn what_is_for_the_gateway_never_reaches_a_provider() {
    check(
        r#"{"models":["a/b"],"model":"x","provider":{"order":["a"]},"route":"fallback","transforms":["middle-out"],"plugins":[],"preset":"p","usage":{"include":true},"session_id":"s","trace":{},"debug":{},"metadata":{"a":"b"},"include_reasoning":true,"messages":[1],"user":"u"}"#,
        &Dialect::PLAIN,
        r#"{"model":"m-1","messages":[1],"user":"u"}"#,
        &[],
    );
    check(
        r#"{"messages":[1],"cache_control":{"type":"ephemeral"},"x_search_filter":{},"x_mine":1,"max_tool_calls":null,"model":"x"}"#,
        &Dialect::PLAIN,
        r#"{"messages":[1],"model":"m-1"}"#,
        &["cache_control", "x_search_filter", "x_mine"],
    );
}

#[test]
fn usage_is_asked_for_where_a_stream_does_not_report_it_unasked() {
    let text =
        r#"{"model":"x","stream":true,"stream_options":{"include_usage":false},"messages":[1]}"#;
    check(
        text,
        &Dialect::PLAIN,
        r#"{"model":"m-1","stream":true,"stream_options":{"include_usage":true},"messages":[1]}"#,
        &[],
    );
    check(
        text,
        &SILENT,
        r#"{"model":"m-1","stream":true,"messages":[1]}"#,
        &[],
    );
    check(
        r#"{"model":"x","messages":[1],"stream":true}"#,
        &Dialect::PLAIN,
        r#"{"model":"m-1","messages":[1],"stream":true,"stream_options":{"include_usage":true}}"#,
        &[],
    );
    // Without a stream OpenAI refuses the options.
    check(
        r#"{"model":"x","messages":[1],"stream":false,"stream_options":{}}"#,
        &Dialect::PLAIN,
        r#"{"model":"m-1","messages":[1],"stream":false}"#,
        &[],
    );
}

#[test]
fn what_is_left_out_of_the_options_of_a_stream_is_named_as_on_the_other_road() {
    check(
        r#"{"model":"x","messages":[1],"stream_options":{"a.b":true,"c":1,"d":null}}"#,
        &Dialect::PLAIN,
        r#"{"model":"m-1","messages":[1]}"#,
        &["stream_options[\"a.b\"]", "stream_options.c"],
    );
}

#[test]
fn the_larger_of_both_limits_is_sent_once_and_by_its_name() {
    let newer = Dialect {
        max_tokens: MaxTokensName::MaxCompletionTokens,
        ..Dialect::PLAIN
    };
    let text = r#"{"model":"x","max_tokens":5,"messages":[1],"max_completion_tokens":9}"#;
    check(
        text,
        &Dialect::PLAIN,
        r#"{"model":"m-1","max_tokens":9,"messages":[1]}"#,
        &[],
    );
    check(
        text,
        &newer,
        r#"{"model":"m-1","messages":[1],"max_completion_tokens":9}"#,
        &[],
    );
    check(
        r#"{"model":"x","max_tokens":5,"messages":[1]}"#,
        &newer,
        r#"{"model":"m-1","messages":[1],"max_completion_tokens":5}"#,
        &[],
    );
    // A null says nothing, and must not be sent as one.
    check(
        r#"{"model":"x","max_tokens":null,"messages":[1]}"#,
        &newer,
        r#"{"model":"m-1","messages":[1]}"#,
        &[],
    );
}

#[test]
fn the_dialect_rejects_and_renames() {
    let dialect = Dialect {
        rejects: &["top_k", "logprobs", "seed", "stream_options"],
        renames: &[("max_tokens", "max_output"), ("stop", "stop_texts")],
        ..Dialect::PLAIN
    };
    check(
        r#"{"model":"x","stream":true,"top_k":4,"logprobs":null,"messages":[1],"max_tokens":3,"stop":["a"]}"#,
        &dialect,
        r#"{"model":"m-1","stream":true,"messages":[1],"max_output":3,"stop_texts":["a"]}"#,
        &["top_k"],
    );
}

#[test]
fn thinking_is_asked_for_in_each_vendors_words() {
    use ReasoningStyle as S;
    let cases: &[(S, &str, &str, &[&str])] = &[
        (
            S::Effort,
            r#"{"effort":"high"}"#,
            r#","reasoning_effort":"high""#,
            &[],
        ),
        (
            S::Effort,
            r#"{"enabled":false}"#,
            r#","reasoning_effort":"none""#,
            &[],
        ),
        (
            S::Effort,
            r#"{"enabled":true}"#,
            r#","reasoning_effort":"medium""#,
            &[],
        ),
        (
            S::Effort,
            r#"{"max_tokens":1600}"#,
            r#","reasoning_effort":"low""#,
            &["reasoning.max_tokens"],
        ),
        (S::Effort, r#"{"exclude":true}"#, "", &[]),
        (
            S::Effort,
            r#"{"effort":"low","summary":"auto","mode":"standard"}"#,
            r#","reasoning_effort":"low""#,
            &[],
        ),
        (
            S::Effort,
            r#"{"effort":"low","summary":"detailed","mode":"pro"}"#,
            r#","reasoning_effort":"low""#,
            &["reasoning.summary", "reasoning.mode"],
        ),
        (
            S::Object,
            r#"{ "effort" : "low","exclude":true}"#,
            r#","reasoning":{"effort":"low","exclude":true}"#,
            &[],
        ),
        (
            S::ThinkingSwitch,
            r#"{"enabled":true}"#,
            r#","thinking":{"type":"enabled"}"#,
            &[],
        ),
        (
            S::ThinkingSwitch,
            r#"{"effort":"none"}"#,
            r#","thinking":{"type":"disabled"}"#,
            &[],
        ),
        (
            S::ThinkingSwitch,
            r#"{"effort":"low"}"#,
            r#","thinking":{"type":"enabled"}"#,
            &["reasoning.effort"],
        ),
        (
            S::EnableThinking,
            r#"{"max_tokens":99}"#,
            r#","enable_thinking":true,"thinking_budget":99"#,
            &[],
        ),
        (
            S::EnableThinking,
            r#"{"effort":"medium"}"#,
            r#","enable_thinking":true,"thinking_budget":4000"#,
            &[],
        ),
        (
            S::EnableThinking,
            r#"{"enabled":false}"#,
            r#","enable_thinking":false"#,
            &[],
        ),
        (
            S::ChatTemplate,
            r#"{"enabled":false}"#,
            r#","chat_template_kwargs":{"enable_thinking":false}"#,
            &[],
        ),
        (S::Unsupported, r#"{"effort":"low"}"#, "", &["reasoning"]),
        (S::Unsupported, r#"{"enabled":false}"#, "", &["reasoning"]),
        (S::Unsupported, r"{}", "", &[]),
    ];
    for (style, reasoning, written, lost) in cases {
        let dialect = Dialect {
            reasoning: *style,
            ..Dialect::PLAIN
        };
        check(
            &format!(r#"{{"model":"x","messages":[1],"reasoning":{reasoning}}}"#),
            &dialect,
            &format!(r#"{{"model":"m-1","messages":[1]{written}}}"#),
            lost,
        );
    }
    // The older spelling, and a client that speaks the vendor's own words.
    let effort = Dialect {
        reasoning: S::Effort,
        ..Dialect::PLAIN
    };
    check(
        r#"{"model":"x","reasoning_effort":"low","messages":[1]}"#,
        &effort,
        r#"{"model":"m-1","reasoning_effort":"low","messages":[1]}"#,
        &[],
    );
    let switch = Dialect {
        reasoning: S::ThinkingSwitch,
        ..Dialect::PLAIN
    };
    check(
        r#"{"model":"x","reasoning_effort":"none","messages":[1],"thinking":{"type":"enabled"}}"#,
        &switch,
        r#"{"model":"m-1","messages":[1],"thinking":{"type":"enabled"}}"#,
        &[],
    );
}

#[test]
fn the_envelope_tells_what_was_asked() {
    let (envelope, segments) = envelope(
        r#"{"model":"a/b","models":["c/d","e\u0066/g"],"stream":true,"max_tokens":5,"max_completion_tokens":4,"n":2,
        "messages":[{"role":"developer","content":[{"type":"image_url"}]}],"provider":{"order":["x"]},"user":"u\n",
        "session_id":"s","metadata":{"k\n":"v"},"tools":[],"temperature":null,"extra":1,"service_tier":"flex",
        "reasoning":{"max_tokens":7},"include_reasoning":false}"#,
    )
    .unwrap();
    assert_eq!(envelope.model.as_deref(), Some("a/b"));
    assert_eq!(envelope.models, ["c/d", "ef/g"]);
    assert!(envelope.stream && envelope.features().image);
    assert_eq!((envelope.max_tokens, envelope.n), (Some(5), 2));
    assert_eq!(envelope.user.as_deref(), Some("u\n"));
    assert_eq!(envelope.session_id.as_deref(), Some("s"));
    assert_eq!(
        envelope.provider.as_deref(),
        Some(&br#"{"order":["x"]}"#[..])
    );
    assert_eq!(envelope.unknown, ["extra"]);
    assert!(envelope.params.has(Param::Tools));
    assert!(!envelope.params.has(Param::Temperature));
    let reasoning = envelope.reasoning.clone().unwrap();
    assert_eq!((reasoning.max_tokens, reasoning.exclude), (Some(7), true));
    assert_eq!(envelope.service_tier.as_deref(), Some("flex"));
    assert_eq!(
        envelope.raw(Param::MaxTokens, &segments).unwrap().as_ref(),
        b"5"
    );
    assert!(needs_rewrite(&Dialect::PLAIN, envelope.features()));
    let modern = Dialect {
        developer_role: true,
        ..Dialect::PLAIN
    };
    assert!(!needs_rewrite(&modern, envelope.features()));
}

#[test]
fn a_bad_parameter_is_refused_by_name_with_the_remedy() {
    let with = |member: &str| refusal(&format!(r#"{{"messages":[1],{member}}}"#));
    assert_eq!(
        with(r#""temperature":2.1"#),
        "temperature must be a number from 0 to 2."
    );
    assert_eq!(
        with(r#""max_tokens":0"#),
        "max_tokens must be a whole number from 1 to 1000000000."
    );
    assert_eq!(
        with(r#""stop":["a","b","c","d","e"]"#),
        "stop must be a string or an array of at most 4 strings."
    );
    for member in [
        r#""temperature":"1""#,
        r#""temperature":-0.1"#,
        r#""top_p":1.5"#,
        r#""frequency_penalty":-3"#,
        r#""max_tokens":-1"#,
        r#""max_tokens":1.5"#,
        r#""max_completion_tokens":1000000001"#,
        r#""max_tokens":1e-3"#,
        r#""seed":1e30"#,
        r#""n":0"#,
        r#""n":129"#,
        r#""seed":1.5"#,
        r#""stop":[1]"#,
        r#""stop":7"#,
        r#""stream":"true""#,
        r#""model":"""#,
        r#""model":7"#,
        r#""models":"a""#,
        r#""models":[1]"#,
        r#""tools":{}"#,
        r#""response_format":"json""#,
        r#""provider":[]"#,
        r#""top_logprobs":21"#,
        r#""user":7"#,
        r#""metadata":{"a":1}"#,
        r#""metadata":{"a":{"b":"c"}}"#,
        r#""reasoning":{"effort":"huge"}"#,
        r#""reasoning":{"max_tokens":-1}"#,
        r#""reasoning":{"effort":"low"},"reasoning_effort":"high""#,
        r#""reasoning_effort":"huge""#,
        r#""prompt":"both""#,
    ] {
        let name = member.split('"').nth(1).unwrap();
        let message = with(member);
        assert!(message.contains(name), "{member}: {message}");
    }
    let long = "x".repeat(257);
    assert!(with(&format!(r#""session_id":"{long}""#)).contains("session_id"));
    let long = "x".repeat(513);
    assert!(with(&format!(r#""metadata":{{"a":"{long}"}}"#)).contains("metadata"));
    for text in [
        "{}",
        r#"{"messages":[ ]}"#,
        r#"{"messages":null}"#,
        r#"{"messages":"hi"}"#,
    ] {
        assert!(refusal(text).contains("messages"), "{text}");
    }
    assert!(envelope(r#"{"prompt":"hi"}"#).unwrap().0.is_prompt());
}

#[test]
fn every_parameter_is_found_by_its_name() {
    for param in Param::ALL {
        assert_eq!(Param::by_name(param.name()), Some(*param));
    }
    let mut set = Params::default();
    set.insert(Param::Stop);
    set.insert(Param::N);
    assert_eq!(set.iter().collect::<Vec<_>>(), [Param::Stop, Param::N]);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    /// Whatever is sent, each gateway-only member is gone, every other one
    /// survives, and the result is JSON without duplicates.
    #[test]
    fn a_spliced_request_is_the_edited_value(
        members in prop::sample::subsequence(vec![
            ("temperature", "0.5"), ("provider", "{}"), ("models", "[\"a\"]"), ("seed", "1"),
            ("stream", "true"), ("stream_options", "{}"), ("max_tokens", "5"), ("user", "null"),
            ("max_completion_tokens", "6"), ("reasoning", "{\"effort\":\"low\"}"),
            ("model", "\"x\""), ("metadata", "{}"), ("extra", "[{}]"), ("usage", "null"),
            ("guided_choice", "[{}]"),
        ], 0..15).prop_shuffle(),
        at in any::<prop::sample::Index>(),
    ) {
        let mut members = members;
        members.insert(at.index(members.len() + 1), ("messages", "[ 1 ]"));
        let text: Vec<String> =
            members.iter().map(|(name, value)| format!("\"{name}\": {value}")).collect();
        let text = format!("{{{}}}", text.join(" ,"));
        let dialect = Dialect { reasoning: ReasoningStyle::Effort, ..Dialect::PLAIN };
        let (body, _) = write(&text, &dialect);
        let mut expected = bourse_vocab::json::parse(text.as_bytes()).unwrap();
        let expected = expected.as_object_mut().unwrap();
        for name in ["provider", "models", "metadata", "usage", "stream_options", "extra"] {
            expected.remove(name);
        }
        expected.insert("model".into(), json!("m-1"));
        if expected.contains_key("stream") {
            expected.insert("stream_options".into(), json!({"include_usage": true}));
        }
        let newer = expected.remove("max_completion_tokens");
        if let Some(limit) = newer { expected.insert("max_tokens".into(), limit); }
        if expected.remove("reasoning").is_some() {
            expected.insert("reasoning_effort".into(), json!("low"));
        }
        let written: Value = bourse_vocab::json::parse(body.as_bytes()).unwrap();
        prop_assert_eq!(written.as_object(), Some(&*expected));
        prop_assert!(crate::json::scan(body.as_bytes()).is_ok());
    }
}

#[test]
fn the_gateways_limit_is_written_where_the_caller_set_none() {
    const NEWER: Dialect = Dialect {
        max_tokens: crate::dialect::MaxTokensName::MaxCompletionTokens,
        ..Dialect::PLAIN
    };
    const NONE: Dialect = Dialect {
        rejects: &["max_tokens"],
        ..Dialect::PLAIN
    };
    assert!(Dialect::PLAIN.takes_limit() && NEWER.takes_limit() && !NONE.takes_limit());
    for (text, dialect, expected) in [
        (
            r#"{"messages":[1]}"#,
            &Dialect::PLAIN,
            r#"{"messages":[1],"model":"m-1","max_tokens":700}"#,
        ),
        (
            r#"{"max_tokens":null,"messages":[1]}"#,
            &NEWER,
            r#"{"messages":[1],"model":"m-1","max_completion_tokens":700}"#,
        ),
        (
            r#"{"messages":[1],"max_tokens":9000}"#,
            &Dialect::PLAIN,
            r#"{"messages":[1],"max_tokens":9000,"model":"m-1"}"#,
        ),
        (
            r#"{"messages":[1]}"#,
            &NONE,
            r#"{"messages":[1],"model":"m-1"}"#,
        ),
    ] {
        let (envelope, segments) = envelope(text).unwrap();
        let target = WriteTarget {
            model: "m-1",
            max_output: Some(8_000),
            limit: Some(700),
            efforts: bourse_vocab::chat::Efforts::default(),
            tier: bourse_vocab::TierWish::None,
            dialect,
        };
        let (body, _) = splice_request(&envelope, &segments, &target);
        assert_eq!(String::from_utf8(body.concat()).unwrap(), expected);
    }
}

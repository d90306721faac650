use super::*;

struct Relayed {
    relay: StreamRelay,
    text: String,
    result: Result<(), Failure>,
}

fn relay_cut(stream: &[u8], cuts: &[usize], hide_reasoning: bool) -> Relayed {
    let mut relay = StreamRelay::new(&STAMP, hide_reasoning);
    let mut out = Vec::new();
    let mut rest = stream;
    let mut cuts = cuts.iter().copied().cycle();
    let mut result = Ok(());
    while !rest.is_empty() && result.is_ok() {
        let (piece, tail) = rest.split_at(cuts.next().unwrap().clamp(1, rest.len()));
        result = relay.feed(piece, &mut out);
        rest = tail;
    }
    Relayed {
        relay,
        text: String::from_utf8(out).unwrap(),
        result,
    }
}

fn relay(stream: &str) -> Relayed {
    relay_cut(stream.as_bytes(), &[usize::MAX], false)
}

fn stream(chunks: &[&str]) -> String {
    chunks
        .iter()
        .map(|chunk| format!("data: {chunk}\n\n"))
        .collect()
}

const HEAD: &str = r#"{"id":"gen-1","object":"chat.completion.chunk","created":7,"model":"acme/m","provider":"Acme""#;

/// What becomes of each chunk; the head is left out of `expected`.
fn check(chunks: &[&str], expected: &[&str]) -> StreamRelay {
    let relayed = relay(&stream(chunks));
    relayed.result.unwrap();
    let expected: String = expected
        .iter()
        .map(|rest| format!("data: {HEAD}{rest}\n\n"))
        .collect();
    assert_eq!(relayed.text, expected);
    relayed.relay
}

/// A stream as OpenAI sends it.
fn openai(words: &[&str]) -> String {
    let head = r#"{"id":"chatcmpl-1","object":"chat.completion.chunk","created":1,"model":"m-1","service_tier":"default","system_fingerprint":"fp""#;
    let mut chunks = vec![format!(
        r#"{head},"choices":[{{"index":0,"delta":{{"role":"assistant","content":"","refusal":null}},"logprobs":null,"finish_reason":null}}],"usage":null,"obfuscation":"Ab"}}"#
    )];
    chunks.extend(words.iter().map(|word| {
        let pad = "x".repeat(word.len() % 3);
        format!(r#"{head},"choices":[{{"index":0,"delta":{{"content":"{word}"}},"logprobs":null,"finish_reason":null}}],"usage":null,"obfuscation":"{pad}"}}"#)
    }));
    chunks.push(format!(r#"{head},"choices":[{{"index":0,"delta":{{}},"logprobs":null,"finish_reason":"stop"}}],"usage":null,"obfuscation":"q"}}"#));
    chunks.push(format!(r#"{head},"choices":[],"usage":{{"prompt_tokens":9,"completion_tokens":4,"total_tokens":13}},"obfuscation":""}}"#));
    chunks.push("[DONE]".to_owned());
    let chunks: Vec<&str> = chunks.iter().map(String::as_str).collect();
    stream(&chunks)
}

#[test]
fn a_stream_is_stamped_metered_and_stripped_of_usage() {
    let relayed = relay(&openai(&["Hel", "lo \\\"x\\\"", "\\ud83e", "é"]));
    relayed.result.unwrap();
    let rest = r#""service_tier":"default","system_fingerprint":"fp""#;
    let chunk = |delta: &str, finish: &str, pad: &str| {
        format!(
            "data: {HEAD},{rest},\"choices\":[{{\"index\":0,\"delta\":{delta},\"logprobs\":null,\
             \"finish_reason\":{finish}}}],\"obfuscation\":\"{pad}\"}}\n\n"
        )
    };
    let expected = [
        chunk(
            r#"{"role":"assistant","content":"","refusal":null}"#,
            "null",
            "Ab",
        ),
        chunk(r#"{"content":"Hel"}"#, "null", ""),
        chunk(r#"{"content":"lo \"x\""}"#, "null", "xx"),
        chunk(r#"{"content":"\ud83e"}"#, "null", ""),
        chunk(r#"{"content":"é"}"#, "null", "xx"),
        chunk("{}", r#""stop","native_finish_reason":"stop""#, "q"),
    ];
    assert_eq!(relayed.text, expected.concat());
    let mut relay = relayed.relay;
    relay.end(&mut Vec::new()).unwrap();
    assert!(relay.is_done() && relay.content_seen());
    assert_eq!(relay.content_events(), 4);
    assert_eq!(relay.content_bytes(), 3 + 8 + 6 + 2);
    let usage = relay.usage().unwrap();
    assert_eq!((usage.prompt, usage.completion), (Some(9), Some(4)));
    assert_eq!(relay.upstream_id(), Some("chatcmpl-1"));
    assert_eq!(relay.upstream_model(), Some("m-1"));
    assert_eq!(relay.service_tier(), Some("default"));
}

#[test]
fn a_chunk_that_looks_like_the_last_but_says_more_is_read() {
    // Each differs from a learned one by what matters most.
    let head = r#"{"choices":[{"index":0,"delta":{"content":""#;
    let tail = r#""},"finish_reason":null}]}"#;
    let plain = format!("{head}a{tail}");
    let finish = format!(r#"{head}b"}},"finish_reason":"length"}}]}}"#);
    let usage = format!(r#"{head}c"}},"finish_reason":null}}],"usage":{{"prompt_tokens":1}}}}"#);
    let tricky = format!(r#"{head}\"}},\"finish_reason\":\"stop\"{tail}"#);
    let relayed = relay(&stream(&[
        &plain, &plain, &tricky, &usage, &finish, "[DONE]",
    ]));
    relayed.result.unwrap();
    assert_eq!(relayed.relay.finishes().len(), 1);
    assert_eq!(relayed.relay.finishes()[0].reason, Finish::Length);
    assert_eq!(relayed.relay.usage().unwrap().prompt, Some(1));
    assert!(!relayed.text.contains("usage"));
    let error = format!(r#"{head}d"}},"finish_reason":null}}],"error":{{"code":502}}}}"#);
    let relayed = relay(&stream(&[&plain, &plain, &error, &plain]));
    assert_eq!(relayed.result.unwrap_err().kind, FailureKind::Unavailable);
    assert_eq!(relayed.text.matches("data:").count(), 2);
}

#[test]
fn thoughts_take_openrouters_shape() {
    let thought = |text: &str| {
        format!(
            r#"{{"choices":[{{"index":0,"delta":{{"content":null,"reasoning_content":"{text}"}}}}]}}"#
        )
    };
    let out = |text: &str| {
        format!(
            r#","choices":[{{"index":0,"delta":{{"content":null,"reasoning":"{text}","reasoning_details":[{{"type":"reasoning.text","text":"{text}","format":"unknown","index":0}}]}},"finish_reason":null}}]}}"#
        )
    };
    let relay = check(
        &[&thought("a"), &thought("bc"), &thought("d")],
        &[&out("a"), &out("bc"), &out("d")],
    );
    assert!(relay.content_seen());
    assert_eq!((relay.content_events(), relay.content_bytes()), (3, 4));
    // What the vendor shapes itself stays as it is, and empty thoughts are
    // not dressed up. A thought after something else is another piece: put
    // together by number the two would run into each other.
    check(
        &[
            r#"{"choices":[{"index":0,"delta":{"reasoning":"a","reasoning_details":[{"x":1}]}}]}"#,
            r#"{"choices":[{"index":0,"delta":{"content":"x","reasoning_content":""}}]}"#,
            r#"{"choices":[{"index":0,"delta":{"content":"","reasoning_content":"y"}}]}"#,
            r#"{"choices":[{"index":0,"delta":{"content":"x","reasoning_content":null}}]}"#,
            r#"{"choices":[{"index":0,"delta":{"reasoning":"z","reasoning_content":"z"}}]}"#,
        ],
        &[
            r#","choices":[{"index":0,"delta":{"reasoning":"a","reasoning_details":[{"x":1}]},"finish_reason":null}]}"#,
            r#","choices":[{"index":0,"delta":{"content":"x","reasoning":""},"finish_reason":null}]}"#,
            r#","choices":[{"index":0,"delta":{"content":"","reasoning":"y","reasoning_details":[{"type":"reasoning.text","text":"y","format":"unknown","index":0}]},"finish_reason":null}]}"#,
            r#","choices":[{"index":0,"delta":{"content":"x"},"finish_reason":null}]}"#,
            r#","choices":[{"index":0,"delta":{"reasoning":"z","reasoning_details":[{"type":"reasoning.text","text":"z","format":"unknown","index":1}]},"finish_reason":null}]}"#,
        ],
    );
}

#[test]
fn hidden_thoughts_are_metered_and_not_sent() {
    let text = stream(&[
        r#"{"choices":[{"index":0,"delta":{"reasoning":"aa"}}]}"#,
        r#"{"choices":[{"index":0,"delta":{"reasoning":"bb"}}]}"#,
        r#"{"choices":[{"index":0,"delta":{"reasoning":"","content":"hi"}}]}"#,
    ]);
    let relayed = relay_cut(text.as_bytes(), &[50], true);
    assert_eq!(
        relayed.text,
        format!(
            "data: {HEAD},\"choices\":[{{\"index\":0,\"delta\":{{\"content\":\"hi\"}},\"finish_reason\":null}}]}}\n\n"
        )
    );
    assert_eq!(relayed.relay.content_bytes(), 6);
    let only = relay_cut(&text.as_bytes()[..130], &[50], true);
    assert!(!only.relay.content_seen());
    assert!(only.relay.content_events() > 0);
}

#[test]
fn tool_calls_pass_and_their_arguments_are_counted() {
    let start = r#"{"choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"id":"c1","type":"function","function":{"name":"get","arguments":""}}]},"finish_reason":null}]}"#;
    let more = |text: &str| {
        format!(
            r#"{{"choices":[{{"index":0,"delta":{{"tool_calls":[{{"index":0,"function":{{"arguments":"{text}"}}}}]}},"finish_reason":null}}]}}"#
        )
    };
    let end = r#"{"choices":[{"index":0,"delta":{},"finish_reason":"tool_use"}]}"#;
    let chunks = [start.to_owned(), more("{\\\"a"), more("\\\":1}"), more("")];
    let mut expected: Vec<String> = chunks
        .iter()
        .map(|chunk| format!(",{}", &chunk[1..]))
        .collect();
    expected.push(
        r#","choices":[{"index":0,"delta":{},"finish_reason":"tool_calls","native_finish_reason":"tool_use"}]}"#
            .to_owned(),
    );
    let mut sent: Vec<&str> = chunks.iter().map(String::as_str).collect();
    sent.push(end);
    let expected: Vec<&str> = expected.iter().map(String::as_str).collect();
    let mut relay = check(&sent, &expected);
    assert!(relay.content_seen());
    assert_eq!(relay.content_bytes(), 3 + 4 + 5);
    relay.end(&mut Vec::new()).unwrap();
}

#[test]
fn nothing_counts_as_content_that_a_client_would_not_notice() {
    for delta in [
        r#"{"role":"assistant"}"#,
        r#"{"role":"assistant","content":""}"#,
        r#"{"content":null,"tool_calls":[]}"#,
        r#"{"reasoning_content":""}"#,
        "{}",
    ] {
        let chunk = format!(r#"{{"choices":[{{"index":0,"delta":{delta}}}]}}"#);
        let relayed = relay(&stream(&[&chunk, &chunk]));
        assert!(!relayed.relay.content_seen(), "{delta}");
        assert_eq!(relayed.relay.content_events(), 0, "{delta}");
    }
    for delta in [
        r#"{"content":"x"}"#,
        r#"{"refusal":"x"}"#,
        r#"{"audio":{"data":"x"}}"#,
        r#"{"images":[{}]}"#,
        r#"{"reasoning_details":[{}]}"#,
        r#"{"tool_calls":[{"function":{"name":"f"}}]}"#,
        r#"{"function_call":{"name":"f"}}"#,
    ] {
        let chunk = format!(r#"{{"choices":[{{"index":0,"delta":{delta}}}]}}"#);
        assert!(relay(&stream(&[&chunk])).relay.content_seen(), "{delta}");
    }
}

#[test]
fn vendors_oddities_are_put_right() {
    let mut relay = check(
        &[
            // No index, no delta, no reason; an empty reason; usage in odd places.
            r#"{"id":"x","choices":[{}]}"#,
            r#"{"choices":[{"index":1,"delta":{"content":"a"},"finish_reason":""}]}"#,
            r#"{"id":"x"}"#,
            r#"{"choices":[{"index":1,"delta":{},"finish_reason":"max_tokens","native_finish_reason":"MAX","usage":{"prompt_tokens":5}}]}"#,
            r#"{"choices":[{"index":0,"delta":{},"finish_reason":"eos"}],"x_groq":{"id":"r","usage":{"completion_tokens":6}}}"#,
            r#"{"choices":[],"usage":{"total_tokens":1}}"#,
            r#"{"choices":[],"prompt_filter_results":[]}"#,
        ],
        &[
            r#","choices":[{"index":0,"delta":{},"finish_reason":null}]}"#,
            r#","choices":[{"index":1,"delta":{"content":"a"},"finish_reason":null}]}"#,
            r#","choices":[]}"#,
            r#","choices":[{"index":1,"delta":{},"finish_reason":"length","native_finish_reason":"MAX"}]}"#,
            // A reason without an answer may be one of many: it is told at
            // the end.
            r#","choices":[{"index":0,"delta":{},"finish_reason":null}]}"#,
            r#","choices":[],"prompt_filter_results":[]}"#,
        ],
    );
    relay.end(&mut Vec::new()).unwrap();
    assert!(!relay.is_done());
    let counted = relay.usage().unwrap();
    assert_eq!((counted.prompt, counted.completion), (Some(5), Some(6)));
    let natives: Vec<&str> = relay.finishes().iter().map(|f| f.native.as_str()).collect();
    assert_eq!(natives, ["MAX", "eos"]);
    let mut out = Vec::new();
    relay.settle(&usage(), &BILL, &mut out);
    let told = format!(
        r#"data: {HEAD},"choices":[{{"index":0,"delta":{{}},"finish_reason":"stop","native_finish_reason":"eos"}}]}}"#
    );
    assert!(String::from_utf8(out).unwrap().starts_with(&told));
}

#[test]
fn a_stream_cut_short_is_never_taken_for_a_whole_one() {
    let text = openai(&["a", "b"]);
    let finished = text.find("\"stop\"").unwrap();
    // The last event needs no blank line, and no line end.
    let whole = finished + text[finished..].find("\n\n").unwrap();
    for cut in 0..whole {
        assert!(
            relay(&text[..cut]).relay.end(&mut Vec::new()).is_err(),
            "cut at {cut}"
        );
    }
    assert!(relay(&text[..whole]).relay.end(&mut Vec::new()).is_ok());
    // Two answers, and only one of them finished.
    let one_of_two = stream(&[
        r#"{"choices":[{"index":0,"delta":{"content":"a"}}]}"#,
        r#"{"choices":[{"index":1,"delta":{"content":"a"}}]}"#,
        r#"{"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}"#,
    ]);
    let failure = relay(&one_of_two).relay.end(&mut Vec::new()).unwrap_err();
    assert_eq!(failure.kind, FailureKind::Unavailable);
}

#[test]
fn comments_are_counted_and_kept_back() {
    let mut relayed = relay(": OPENROUTER PROCESSING\n\n:\n\n");
    assert_eq!((relayed.relay.comments(), relayed.text.as_str()), (2, ""));
    // Signs of life are no answer, and neither is its end alone.
    assert!(relayed.relay.end(&mut Vec::new()).is_err());
    assert!(relay("data: [DONE]\n\n").result.is_err());
}

#[test]
fn nonsense_and_reported_errors_end_the_stream() {
    for (text, kind) in [
        ("data: {\"choices\":[\n\n", FailureKind::Unavailable),
        ("data: <html>\n\n", FailureKind::Unavailable),
        ("data: {\"choices\":[7]}\n\n", FailureKind::Unavailable),
        (
            "data: {\"choices\":[{\"index\":128}]}\n\n",
            FailureKind::Unavailable,
        ),
        (
            "data: {\"error\":{\"code\":429}}\n\n",
            FailureKind::RateLimited,
        ),
        (
            "data: {\"error\":{\"type\":\"overloaded_error\"}}\n\n",
            FailureKind::Overloaded,
        ),
        (
            "data: {\"error\":{\"code\":\"context_length_exceeded\",\"status\":400}}\n\n",
            FailureKind::ContextLengthExceeded,
        ),
        ("data: {\"error\":\"broken\"}\n\n", FailureKind::Unavailable),
        (
            "event: error\ndata: {\"message\":\"x\",\"code\":\"503\"}\n\n",
            FailureKind::Overloaded,
        ),
        (
            "data: {\"error\":{\"code\":401,\"message\":\"bad key sk-1\"}}\n\n",
            FailureKind::Unavailable,
        ),
    ] {
        let relayed = relay(text);
        let failure = relayed.result.unwrap_err();
        assert_eq!(failure.kind, kind, "{text}");
        assert_ne!(failure.next, Next::Stop, "{text}");
        assert_eq!(relayed.text, "");
        assert!(!failure.message.contains("sk-1"));
    }
    check(&[r#"{"error":null,"choices":[]}"#], &[r#","choices":[]}"#]);
}

#[test]
fn an_event_in_several_lines_leaves_in_one() {
    let relayed =
        relay("data: {\"choices\":\r\ndata: [{\"index\":0,\"delta\":{\"a\":\ndata: 1}}]}\n\n");
    assert_eq!(
        relayed.text,
        format!(
            "data: {HEAD},\"choices\":[{{\"index\":0,\"delta\":{{\"a\":1}},\"finish_reason\":null}}]}}\n\n"
        )
    );
}

#[test]
fn bytes_that_are_not_text_are_mended() {
    let chunk = |text: &[u8]| {
        [
            &b"data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\""[..],
            text,
            b"\"}}]}\n\n",
        ]
        .concat()
    };
    let text = [chunk(b"a"), chunk(b"b\xff"), chunk(b"c")].concat();
    let relayed = relay_cut(&text, &[13], false);
    relayed.result.unwrap();
    assert!(relayed.text.contains("b\u{fffd}"));
}

#[test]
fn a_stream_ends_with_its_price_or_with_an_honest_error() {
    let stamp = Stamp {
        metadata: Some("{\"m\":1}"),
        ..STAMP
    };
    let mut out = Vec::new();
    StreamRelay::new(&stamp, false).settle(&usage(), &BILL, &mut out);
    let text = String::from_utf8(out).unwrap();
    let (chunk, done) = text.split_once("\n\n").unwrap();
    assert_eq!(done, "data: [DONE]\n\n");
    let chunk: Value =
        bourse_vocab::json::parse(chunk.strip_prefix("data: ").unwrap().as_bytes()).unwrap();
    assert_eq!(chunk["choices"], json!([]));
    assert_eq!(chunk["usage"]["total_tokens"], 5);
    assert_eq!(chunk["openrouter_metadata"]["m"], 1);

    let failure = relay("data: {\"error\":{\"code\":429,\"message\":\"a\\n\\\"b\"}}\n\n")
        .result
        .unwrap_err();
    let mut out = Vec::new();
    StreamRelay::new(&STAMP, false).fail(&failure, &mut out);
    assert_eq!(
        String::from_utf8(out).unwrap(),
        format!(
            "data: {HEAD},\"error\":{{\"code\":429,\"message\":\"a\\n\\\"b\",\
             \"metadata\":{{\"error_type\":\"rate_limit_exceeded\",\"provider_name\":\"Acme\"}}}},\
             \"choices\":[{{\"index\":0,\"delta\":{{\"content\":\"\"}},\"finish_reason\":\"error\",\"native_finish_reason\":null}}]}}\n\ndata: [DONE]\n\n"
        )
    );
}

#[test]
fn a_thought_after_text_is_another_piece_also_when_the_one_before_was_of_no_known_sort() {
    let text = stream(&[
        r#"{"choices":[{"index":0,"delta":{"content":"a"}}]}"#,
        r#"{"choices":[{"index":0,"delta":{"reasoning":"b"}}],"usage":{"prompt_tokens":1}}"#,
        r#"{"choices":[{"index":0,"delta":{"content":"c"}}]}"#,
        r#"{"choices":[{"index":0,"delta":{"reasoning":"d"}}]}"#,
    ]);
    let out = relay(&text).text;
    let second = out.split("\n\n").nth(3).unwrap();
    assert!(
        second.contains(r#""text":"d","format":"unknown","index":1"#),
        "{second}"
    );
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    /// Neither the cuts nor what was learned before may change what a
    /// chunk becomes.
    #[test]
    fn any_cut_and_any_past_give_the_same_output(
        chunks in prop::collection::vec(
            (prop::sample::select(&[
                "{\"content\":@}", "{\"reasoning_content\":@}", "{\"content\":@,\"reasoning\":@}",
                "{\"content\":@,\"reasoning_content\":@}",
                "{\"role\":\"assistant\",\"content\":@}", "{\"refusal\":@,\"x\":1}", "{}",
                "{\"tool_calls\":[{\"index\":0,\"function\":{\"name\":\"f\",\"arguments\":@}}]}",
            ][..]),
            prop::sample::select(&["", "a", "\\\"", "\\\\", "\\\\\\\"", "\\ud83e", "},\\\"usage\\\":{", "é"][..]),
            prop::sample::select(&[",\"finish_reason\":null", "", ",\"finish_reason\":\"stop\""][..]),
            prop::sample::select(&["", ",\"obfuscation\":@", ",\"usage\":null", ",\"usage\":{\"prompt_tokens\":1}"][..])),
            0..12),
        cuts in prop::collection::vec(1_usize..90, 1..5),
        hide in any::<bool>(),
    ) {
        let chunks: Vec<String> = chunks.iter().map(|(delta, word, finish, rest)| {
            let text = format!("{{\"choices\":[{{\"index\":0,\"delta\":{delta}{finish}}}]{rest}}}");
            format!("data: {}\n\n", text.replace('@', &format!("\"{word}\"")))
        }).collect();
        let text = chunks.concat();
        let whole = relay_cut(text.as_bytes(), &cuts, hide);
        // A relay that forgets: nothing is ever learned.
        let mut slow = StreamRelay::new(&STAMP, hide);
        let mut looked_at = Vec::new();
        for chunk in &chunks {
            if slow.feed(chunk.as_bytes(), &mut looked_at).is_err() {
                // Going on after the end was told.
                prop_assert!(whole.result.is_err());
                break;
            }
            slow.forget();
        }
        prop_assert_eq!(&whole.text, &String::from_utf8(looked_at).unwrap());
        prop_assert_eq!(
            (whole.relay.content_events(), whole.relay.content_bytes(), whole.relay.content_seen()),
            (slow.content_events(), slow.content_bytes(), slow.content_seen())
        );
        for line in whole.text.lines().filter_map(|line| line.strip_prefix("data: ")) {
            let line = line.replace("\\ud83e", "");
            let value: Value = bourse_vocab::json::parse(line.as_bytes()).unwrap();
            prop_assert!(value["choices"][0].get("finish_reason").is_some());
            prop_assert!(value.get("usage").is_none());
        }
    }
}

#[test]
fn an_error_that_says_nothing_is_none() {
    for error in ["null", "false", "0", r#""""#, "{}", "[]"] {
        let chunk =
            format!(r#"{{"error":{error},"choices":[{{"index":0,"delta":{{"content":"a"}}}}]}}"#);
        check(
            &[&chunk],
            &[r#","choices":[{"index":0,"delta":{"content":"a"},"finish_reason":null}]}"#],
        );
    }
}

#[test]
fn a_call_without_arguments_is_told_an_empty_object_before_its_end() {
    let start = r#"{"choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"id":"a","type":"function","function":{"name":"now","arguments":""}}]}}]}"#;
    let told_start = r#","choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"id":"a","type":"function","function":{"name":"now","arguments":""}}]},"finish_reason":null}]}"#;
    let told_arguments = r#","choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"function":{"arguments":"{}"}}]},"finish_reason":null}]}"#;
    let end = |word: &str| {
        format!(r#"{{"choices":[{{"index":0,"delta":{{}},"finish_reason":"{word}"}}]}}"#)
    };
    for word in ["tool_calls", "stop"] {
        let native = format!(
            r#","choices":[{{"index":0,"delta":{{}},"finish_reason":"tool_calls","native_finish_reason":"{word}"}}]}}"#
        );
        check(&[start, &end(word)], &[told_start, told_arguments, &native]);
    }
    // What was cut off is not to look whole.
    check(
        &[start, &end("length")],
        &[
            told_start,
            r#","choices":[{"index":0,"delta":{},"finish_reason":"length","native_finish_reason":"length"}]}"#,
        ],
    );
    // An end in the chunk of the call is held until no more can come.
    let both = start.replace(r#""}}]}}]}"#, r#""}}]},"finish_reason":"stop"}]}"#);
    check(
        &[&both, "[DONE]"],
        &[
            told_start,
            told_arguments,
            r#","choices":[{"index":0,"delta":{},"finish_reason":"tool_calls","native_finish_reason":"stop"}]}"#,
        ],
    );
}

#[test]
fn calls_are_numbered_without_a_gap_in_the_order_in_which_they_begin() {
    let chunk = |calls: &str| {
        format!(r#"{{"choices":[{{"index":0,"delta":{{"tool_calls":[{calls}]}}}}]}}"#)
    };
    let told = |calls: &str| {
        format!(
            r#","choices":[{{"index":0,"delta":{{"tool_calls":[{calls}]}},"finish_reason":null}}]}}"#
        )
    };
    let nothing = r#","choices":[{"index":0,"delta":{},"finish_reason":null}]}"#;
    let first =
        told(r#"{"index":0,"id":"b","type":"function","function":{"name":"r","arguments":""}}"#);
    for silent in ["{}", r#"{"index":0}"#, r#"{"function":{"arguments":"{}"}}"#] {
        let named = chunk(r#"{"id":"b","function":{"name":"r"}}"#);
        check(&[&chunk(silent), &named], &[nothing, &first]);
    }
    let late = told(
        r#"{"index":1,"id":"call_0","type":"function","function":{"name":"f","arguments":"{}"}}"#,
    );
    check(
        &[
            &chunk(r#"{"index":0,"function":{"arguments":"{}"}}"#),
            &chunk(r#"{"index":1,"id":"b","function":{"name":"r"}}"#),
            &chunk(r#"{"index":0,"function":{"name":"f"}}"#),
        ],
        &[nothing, &first, &late],
    );
}

#[test]
fn what_is_told_again_and_again_is_no_answer() {
    let told = |times: usize| {
        [r#""reasoning":"a""#, r#""content":[]"#].map(|member| {
            let members = vec![member; times].join(",");
            let chunk = format!(r#"{{"choices":[{{"index":0,"delta":{{{members}}}}}]}}"#);
            relay(&stream(&[&chunk])).result
        })
    };
    for result in told(3) {
        assert!(result.is_ok());
    }
    for result in told(10_000) {
        assert_eq!(result.unwrap_err().kind, FailureKind::Unavailable);
    }
}

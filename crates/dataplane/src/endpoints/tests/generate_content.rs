//! Google's API for clients, in front of targets of every format.

use bourse_catalog::Parameter;
use bourse_vocab::{Bill, Nanos, ServiceTier, TierWish, Usage};
use bourse_wire::tool_calls::{Verdict, judge};
use http::header::CONTENT_TYPE;

use super::super::embed_content::EmbedContent;
use super::super::generate_content::GenerateContent;
use super::super::stream_generate_content::StreamGenerateContent;
use super::messages::STREAMS;
use super::*;

const ASKED: &str = r#"{"systemInstruction":{"parts":[{"text":"Be brief."}]},
 "contents":[{"role":"user","parts":[{"text":"2+2?"},
  {"inlineData":{"mimeType":"image/png","data":"QUJD"}}]}],
 "tools":[{"functionDeclarations":[{"name":"look","parameters":{"type":"OBJECT"}},{"name":"go"}]}],
 "generationConfig":{"maxOutputTokens":1000,"stopSequences":["END"],"candidateCount":2,
  "thinkingConfig":{"thinkingBudget":500,"includeThoughts":true}},
 "labels":{"team":"a"},"user":"alice"}"#;

fn scanned(body: &str) -> Scanned {
    Scanned {
        outline: scan(body.as_bytes()).unwrap(),
        segments: vec![Bytes::copy_from_slice(body.as_bytes())],
    }
}

fn head(path: &str) -> Parts {
    let request = http::Request::builder().uri(path).body(()).unwrap();
    request.into_parts().0
}

fn read_by(endpoint: &dyn Endpoint, path: &str, body: &str) -> Result<Incoming, Failure> {
    let caller = Caller {
        identity: &Identity::of(StoreId([7; 16])),
        account: AccountId(1),
    };
    endpoint.read(&head(path), scanned(body), caller)
}

fn read(body: &str) -> Result<Incoming, Failure> {
    let path = "/v1beta/models/acme/model:generateContent";
    read_by(&GenerateContent, path, body)
}

/// What is streamed as events.
fn by_events() -> &'static dyn Endpoint {
    StreamGenerateContent.with_query("alt=sse").unwrap()
}

/// A request with these members beside the usual ones.
fn with(members: &str) -> String {
    format!(r#"{{"contents":[{{"parts":[{{"text":"a"}}]}}],{members}}}"#)
}

#[test]
fn what_the_call_must_know_is_read_from_the_address_and_the_members() {
    let ask = read(ASKED).unwrap().ask;
    assert_eq!(ask.models, ["acme/model"]);
    assert_eq!(
        (ask.stream, ask.answers, ask.max_output),
        (false, 2, Some(1000))
    );
    assert_eq!(ask.thinking.budget, Some(500));
    assert!(ask.needs.input.contains(Modality::Image));
    for parameter in [
        Parameter::MaxTokens,
        Parameter::Reasoning,
        Parameter::Stop,
        Parameter::Tools,
    ] {
        assert!(ask.needs.parameters.contains(parameter), "{parameter:?}");
    }
    assert_eq!(ask.attribution.user, "alice");
    assert!(
        ask.attribution
            .labels
            .contains(r#""metadata":{"team":"a"}"#)
    );
    assert!(ask.opener.is_some());
    assert_eq!(ask.facts.tools, 2);

    let ask = read(&with(
        r#""models":["n"],"sessionId":"s","service_tier":"PRIORITY","provider":{"order":["acme"]},
        "generationConfig":{"responseModalities":["TEXT","IMAGE"],"responseMimeType":"application/json","responseSchema":{}}"#,
    ))
    .unwrap()
    .ask;
    assert_eq!(ask.models, ["acme/model", "n"]);
    assert_eq!(ask.attribution.conversation(), "s");
    assert_eq!(ask.tier, TierWish::Tier(ServiceTier::Priority));
    assert_eq!((ask.wishes.order.len(), ask.opener), (1, None));
    assert_eq!(
        ask.needs.output,
        Modalities::of(&[Modality::Text, Modality::Image])
    );
    assert!(ask.needs.parameters.contains(Parameter::StructuredOutputs));
    for (stream, path) in [
        (
            by_events(),
            "/v1/models/gemini-2.5-flash:streamGenerateContent",
        ),
        (
            &StreamGenerateContent,
            "/api/v1beta/models/google%2Fgemini-2.5-flash:streamGenerateContent",
        ),
    ] {
        let ask = read_by(stream, path, ASKED).unwrap().ask;
        assert!(ask.stream);
        assert_eq!(ask.models, ["google/gemini-2.5-flash"]);
    }
}

#[test]
fn events_are_told_to_who_asks_for_them_and_an_array_to_others() {
    for (query, is_asked) in [
        ("alt=sse", true),
        ("key=k&alt=sse", true),
        ("alt=json", false),
        ("alt=sse2", false),
        ("", false),
    ] {
        let other = StreamGenerateContent.with_query(query);
        assert_eq!(other.is_some(), is_asked, "{query}");
    }
    assert!(GenerateContent.with_query("alt=sse").is_none());
    assert!(chat::Chat.with_query("alt=sse").is_none());
    let mut headers = HeaderMap::new();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
    by_events().head(&mut headers);
    assert_eq!(headers[CONTENT_TYPE], "text/event-stream");
    StreamGenerateContent.head(&mut headers);
    assert_eq!(headers[CONTENT_TYPE], "application/json");
    let failure = Failure::unavailable("it broke");
    let late = |endpoint: &dyn Endpoint| {
        String::from_utf8(endpoint.late_failure(&failure, &STAMP).to_vec()).unwrap()
    };
    assert!(late(by_events()).starts_with("data: {\"error\":{\"code\":502"));
    assert!(late(&StreamGenerateContent).starts_with("[{\"error\":"));
    assert!(late(&StreamGenerateContent).ends_with("}]"));
    for endpoint in [by_events(), &StreamGenerateContent] {
        let alive = endpoint.keep_alive();
        assert!(!alive.is_empty() && alive.iter().all(u8::is_ascii_whitespace));
    }
}

#[test]
fn what_is_not_offered_is_refused() {
    for (members, path) in [
        (r#""plugins":[{"id":"web"}]"#, "plugins: "),
        (r#""preset":"mine""#, "preset: "),
        (r#""transforms":["other"]"#, "transforms: "),
        (r#""debug":{"echo_upstream_body":true}"#, "debug."),
        (r#""serviceTier":"scale""#, "service_tier: "),
        (r#""provider":{"only":7}"#, "provider"),
        (r#""models":"x""#, "models: "),
        (r#""model":"models/other""#, "model: "),
        (r#""tools":[{"googleSearch":{}}]"#, "tools[0]: "),
        (
            r#""generationConfig":{"responseModalities":["VIDEO"]}"#,
            "generationConfig.responseModalities: ",
        ),
    ] {
        let Err(failure) = read(&with(members)) else {
            panic!("{members} is not refused");
        };
        assert_eq!(failure.kind, FailureKind::InvalidRequest);
        assert!(
            failure.message.starts_with(path),
            "{members}: {}",
            failure.message
        );
    }
    assert!(read(&with(r#""model":"models/acme/model""#)).is_ok());
    let path = "/v1beta/models/%ff:generateContent";
    let Err(failure) = read_by(&GenerateContent, path, ASKED) else {
        panic!("no model is named");
    };
    assert_eq!(failure.kind, FailureKind::NotFound);
}

#[test]
fn every_format_is_asked_the_same() {
    let request = read(ASKED).unwrap().request;
    let sent = |format| -> serde_json::Value {
        let way = way_to(Interface::chat(format));
        assert_eq!(request.translates(&way), format != Format::Gemini);
        let written = written(&*request, &way).unwrap();
        assert!(!written.contains("alice"), "{written}");
        serde_json::from_str(&written).unwrap()
    };
    let own = sent(Format::Gemini);
    assert_eq!(own["contents"][0]["parts"][1]["inlineData"]["data"], "QUJD");
    assert_eq!(
        own["tools"][0]["functionDeclarations"][0]["parameters"]["type"],
        "OBJECT"
    );
    for ours in ["user", "labels"] {
        assert!(own.get(ours).is_none(), "{own}");
    }
    let chat = sent(Format::OpenAiChat);
    assert_eq!(chat["messages"][0]["role"], "system");
    assert_eq!(chat["messages"][1]["content"][1]["type"], "image_url");
    assert_eq!(chat["tools"][1]["function"]["name"], "go");
    assert_eq!((&chat["stop"][0], &chat["n"]), (&"END".into(), &2.into()));
    let claude = sent(Format::Anthropic);
    assert_eq!(claude["tools"][0]["name"], "look");
}

#[test]
fn whether_to_stream_is_told_to_who_is_not_told_by_the_address() {
    let path = "/v1beta/models/acme/model:streamGenerateContent";
    for (endpoint, streams) in [
        (&GenerateContent as &dyn Endpoint, false),
        (by_events(), true),
    ] {
        let request = read_by(endpoint, path, ASKED).unwrap().request;
        let sent = written(&*request, &way_to(Interface::chat(Format::OpenAiChat))).unwrap();
        let sent: serde_json::Value = serde_json::from_str(&sent).unwrap();
        assert_eq!(sent["stream"].as_bool().unwrap_or(false), streams, "{sent}");
    }
}

/// What cannot be said is content, and no answer is given without it.
#[test]
fn a_part_that_only_google_has_goes_to_no_other_target() {
    let part = r#"{"contents":[{"role":"model","parts":[{"executableCode":{"code":"1"}}]},{"parts":[{"text":"b"}]}]}"#;
    let request = read(part).unwrap().request;
    for format in Format::ALL {
        let way = way_to(Interface::chat(format));
        let target = WriteTarget {
            model: "vendor-name",
            max_output: Some(100),
            limit: None,
            efforts: bourse_vocab::chat::Efforts::default(),
            tier: TierWish::None,
            dialect: &way.dialect,
        };
        let losses = request.write(&way, &target).unwrap().losses;
        let is_refused = losses.iter().any(|loss| loss.is_content);
        assert_eq!(is_refused, format != Format::Gemini, "{format}");
    }
}

/// Google answers a signature that it did not make with an error.
#[test]
fn a_conversation_with_another_vendors_thoughts_is_translated_for_google_too() {
    let told = written_by_claude();
    let replayed = format!(
        r#"{{"contents":[{{"role":"user","parts":[{{"text":"a"}}]}},{told},{{"role":"user","parts":[{{"text":"b"}}]}}],"generationConfig":{{"seed":7}},"cached_content":"","unknown":1}}"#
    );
    let request = read(&replayed).unwrap().request;
    let way = way_to(Interface::chat(Format::Gemini));
    assert!(request.translates(&way));
    let sent = written(&*request, &way).unwrap();
    assert!(
        !sent.contains("Ym91cnNl") && sent.contains(r#""seed":7"#),
        "{sent}"
    );
    assert!(
        !sent.contains("unknown") && !sent.contains("cached"),
        "{sent}"
    );
    let back = written(&*request, &way_to(Interface::chat(Format::Anthropic))).unwrap();
    assert!(back.contains(r#""signature":"c2ln""#), "{back}");
}

/// The content of an answer that another vendor thought about.
fn written_by_claude() -> serde_json::Value {
    let reply = r#"{"id":"msg_1","type":"message","role":"assistant","model":"claude","content":[{"type":"thinking","thinking":"hm","signature":"c2ln"},{"type":"text","text":"4"}],"stop_reason":"end_turn","usage":{"input_tokens":7,"output_tokens":3}}"#;
    let way = way_to(Interface::chat(Format::Anthropic));
    let request = read(ASKED).unwrap().request;
    let whole = request.whole(&way, &STAMP, &Bytes::from(reply)).unwrap();
    let told = (whole.render)(&usage(3), &bill());
    let told: serde_json::Value = serde_json::from_slice(&told).unwrap();
    told["candidates"][0]["content"].clone()
}

fn usage(completion: u64) -> Usage {
    Usage {
        prompt: 7,
        completion,
        ..Usage::default()
    }
}

fn bill() -> Bill {
    Bill {
        total: Nanos(1_500),
        ..Bill::default()
    }
}

/// The responses of a stream of events or of an array.
fn responses(told: &str) -> Vec<serde_json::Value> {
    if told.starts_with('[') {
        return serde_json::from_str(told).unwrap();
    }
    let (whole, rest) = told.rsplit_once("\n\n").unwrap_or(("", told));
    assert_eq!(rest, "", "half an event: {told}");
    let events = whole.split("\n\n").filter(|event| !event.is_empty());
    let data = events.map(|event| event.strip_prefix("data: ").unwrap());
    data.map(|data| serde_json::from_str(data).unwrap())
        .collect()
}

#[test]
fn a_stream_is_googles_whoever_answers_and_however_it_is_cut() {
    let path = "/v1beta/models/acme/model:streamGenerateContent";
    for endpoint in [by_events(), &StreamGenerateContent] {
        for (format, stream) in STREAMS {
            let way = way_to(Interface::chat(format));
            let request = read_by(endpoint, path, ASKED).unwrap().request;
            let mut first = None;
            for size in 1..stream.len() {
                let mut feed = request.feed(&way, &STAMP);
                let (mut out, ended) = told(&mut *feed, stream.as_bytes(), size);
                ended.unwrap();
                assert!(feed.is_complete(), "{format} in pieces of {size}");
                assert!(
                    !out.contains("finishReason"),
                    "it is not settled yet: {out}"
                );
                let report = feed.report();
                assert_eq!(
                    (report.usage.prompt, report.usage.completion),
                    (Some(7), Some(9))
                );
                let mut end = Vec::new();
                feed.finish(&usage(9), &bill(), &mut end);
                out.push_str(std::str::from_utf8(&end).unwrap());
                assert_eq!(
                    *first.get_or_insert_with(|| out.clone()),
                    out,
                    "{format}: {size}"
                );
            }
            let told = responses(&first.unwrap());
            let parts: Vec<_> = told
                .iter()
                .flat_map(|response| {
                    response["candidates"][0]["content"]["parts"]
                        .as_array()
                        .unwrap()
                })
                .filter(|part| part["text"] != "")
                .cloned()
                .collect();
            let expected = serde_json::json!([
                {"text": "four", "thought": true},
                {"text": "4"},
                {"functionCall": {"id": "t1", "name": "look", "args": {"a": 1}}},
            ]);
            assert_eq!(serde_json::Value::Array(parts), expected, "{format}");
            let last = told.last().unwrap();
            assert_eq!(last["candidates"][0]["finishReason"], "STOP");
            assert_eq!(last["usageMetadata"]["candidatesTokenCount"], 9);
            assert_eq!(last["usageMetadata"]["cost"].to_string(), "1.5e-6");
            assert_eq!(
                (
                    &last["responseId"],
                    &last["modelVersion"],
                    &last["provider"]
                ),
                (&"gen-1".into(), &"acme/model".into(), &"Acme".into())
            );
        }
    }
}

/// However much of a stream came, what follows its end is one error.
#[test]
fn a_stream_that_breaks_anywhere_ends_in_an_error_and_never_in_a_reason() {
    let path = "/v1beta/models/acme/model:streamGenerateContent";
    for endpoint in [by_events(), &StreamGenerateContent] {
        for (format, stream) in STREAMS {
            let way = way_to(Interface::chat(format));
            let request = read_by(endpoint, path, ASKED).unwrap().request;
            let mut broken = 0;
            for end in 0..stream.len() {
                let mut feed = request.feed(&way, &STAMP);
                let (mut out, ended) = told(&mut *feed, &stream.as_bytes()[..end], 64);
                let Err(failure) = ended else {
                    // All was said but for the last words.
                    continue;
                };
                broken += 1;
                let mut error = Vec::new();
                feed.fail(&failure, &mut error);
                out.push_str(std::str::from_utf8(&error).unwrap());
                let told = responses(&out);
                let last = told.last().unwrap();
                assert_eq!(
                    last["error"]["status"], "UNAVAILABLE",
                    "{format} cut at {end}"
                );
                assert!(!out.contains("finishReason"), "{out}");
            }
            assert!(broken > stream.len() / 2, "{format}: {broken}");
        }
    }
}

#[test]
fn thoughts_are_hidden_from_who_does_not_ask_and_count_as_nothing_seen() {
    let path = "/v1beta/models/acme/model:streamGenerateContent";
    let quiet = with(r#""generationConfig":{"thinkingConfig":{"thinkingBudget":500}}"#);
    for (format, stream) in STREAMS {
        if format == Format::Gemini {
            // Google itself does not show them.
            continue;
        }
        let way = way_to(Interface::chat(format));
        let request = read_by(by_events(), path, &quiet).unwrap().request;
        let thought = stream.find("four").unwrap();
        let end = thought + stream[thought..].find("\n\n").unwrap() + 2;
        let mut feed = request.feed(&way, &STAMP);
        let (out, _) = told(&mut *feed, &stream.as_bytes()[..end], 64);
        assert!(
            !feed.has_content() && !out.contains("four"),
            "{format}: {out}"
        );
    }
}

#[test]
fn a_whole_answer_says_what_it_cost_whoever_gave_it() {
    let replies = [
        (
            Format::Anthropic,
            r#"{"id":"msg_1","type":"message","role":"assistant","model":"claude","content":[{"type":"text","text":"4"}],"stop_reason":"end_turn","usage":{"input_tokens":7,"output_tokens":3}}"#,
            "STOP",
        ),
        (
            Format::OpenAiChat,
            r#"{"id":"c1","choices":[{"index":0,"message":{"role":"assistant","content":"4"},"finish_reason":"length"}],"usage":{"prompt_tokens":7,"completion_tokens":3}}"#,
            "MAX_TOKENS",
        ),
        (
            Format::Gemini,
            r#"{"candidates":[{"content":{"parts":[{"text":"4"}],"role":"model"},"finishReason":"SAFETY","index":0}],"usageMetadata":{"promptTokenCount":7,"candidatesTokenCount":3,"totalTokenCount":10}}"#,
            "SAFETY",
        ),
    ];
    for (format, reply, reason) in replies {
        let way = way_to(Interface::chat(format));
        let request = read(ASKED).unwrap().request;
        let whole = request.whole(&way, &STAMP, &Bytes::from(reply)).unwrap();
        assert_eq!(whole.report.usage.prompt, Some(7));
        let told = (whole.render)(&usage(3), &bill());
        let told: serde_json::Value = serde_json::from_slice(&told).unwrap();
        let candidate = &told["candidates"][0];
        assert_eq!(candidate["content"]["parts"][0]["text"], "4");
        assert_eq!(candidate["finishReason"], reason, "{format}");
        assert_eq!(told["usageMetadata"]["promptTokenCount"], 7);
        assert_eq!(told["usageMetadata"]["cost"].to_string(), "1.5e-6");
        assert_eq!(
            (&told["responseId"], &told["provider"]),
            (&"gen-1".into(), &"Acme".into())
        );
        assert!(
            request.whole(&way, &STAMP, &Bytes::from("{}")).is_err(),
            "{format}"
        );
    }
}

#[test]
fn both_verbs_for_vectors_are_one_endpoint_and_chat_serves_neither() {
    let shape = bourse_vocab::embeddings::Shape::Gemini;
    let way = way_to(Interface::embeddings(shape, Format::Gemini));
    assert!(EmbedContent.rank(&way).is_some());
    assert_eq!(GenerateContent.rank(&way), None);
    for (verb, body, count) in [
        (
            "embedContent",
            r#"{"content":{"parts":[{"text":"one two"}]}}"#,
            1,
        ),
        (
            "batchEmbedContents",
            r#"{"requests":[{"content":{"parts":[{"text":"one"}]}},{"content":{"parts":[{"text":"two"}]}}]}"#,
            2,
        ),
    ] {
        let path = format!("/v1beta/models/gemini-embedding-001:{verb}");
        assert_eq!(at(&path).unwrap().path(), EmbedContent.path());
        let read = read_by(&EmbedContent, &path, body).unwrap();
        assert_eq!(read.ask.models, ["google/gemini-embedding-001"]);
        assert_eq!(read.ask.facts.windows(), count);
        let sent = written(&*read.request, &way).unwrap();
        assert_eq!(sent.matches("\"content\"").count() as u64, count, "{sent}");
    }
}

/// Whoever answers, and whether bytes pass or not.
#[test]
fn the_calls_of_a_client_of_googles_are_judged_by_what_it_declares() {
    let path = "/v1beta/models/acme/model:streamGenerateContent";
    let body = r#"{"contents":[{"parts":[{"text":"a"}]}],"tools":[{"functionDeclarations":[
        {"name":"look","parameters":{"type":"OBJECT","required":["city"]}}]}]}"#;
    let request = read_by(by_events(), path, body).unwrap().request;
    let gemini = |name: &str, args: &str| {
        format!(
            "data: {{\"candidates\":[{{\"content\":{{\"parts\":[{{\"functionCall\":{{\"name\":\"{name}\",\"args\":{args}}}}}]}},\"finishReason\":\"STOP\"}}]}}\n\n"
        )
    };
    let chat = |name: &str, args: &str| {
        let args = serde_json::Value::from(args).to_string();
        format!(
            "data: {{\"choices\":[{{\"index\":0,\"delta\":{{\"tool_calls\":[{{\"index\":0,\"id\":\"c\",\"function\":{{\"name\":\"{name}\",\"arguments\":{args}}}}}]}},\"finish_reason\":\"tool_calls\"}}]}}\n\ndata: [DONE]\n\n"
        )
    };
    for (name, args, verdict) in [
        ("look", r#"{"city":"Bonn"}"#, Verdict::Fits),
        ("look", "{}", Verdict::SchemaMismatch),
        ("see", "{}", Verdict::UnknownName),
    ] {
        for (format, stream) in [
            (Format::Gemini, gemini(name, args)),
            (Format::OpenAiChat, chat(name, args)),
        ] {
            let way = way_to(Interface::chat(format));
            let mut feed = request.feed(&way, &STAMP);
            let (_, ended) = told(&mut *feed, stream.as_bytes(), 7);
            ended.unwrap();
            assert_eq!(feed.report().finish, Some("tool_calls"), "{format}");
            let tally = judge(&feed.calls().unwrap(), request.tools().as_deref());
            assert_eq!(tally.of(verdict), 1, "{format} {name} {args}");
        }
    }
}

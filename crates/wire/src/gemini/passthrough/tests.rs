//! Bytes that pass from clients of Google's format to Google's, and what is
//! kept from passing.

use bourse_vocab::chat::{Loss, Part, ReasoningKind};
use bourse_vocab::json::Value;
use bourse_vocab::{Bill, Failure, Nanos, ServiceTier, TierWish, Usage};
use bytes::Bytes;

use super::{Envelope, StreamEdits, splice_reply, splice_request};
use crate::codec::{Codec, Stamp, WriteTarget};
use crate::dialect::{Dialect, TierWords};
use crate::gemini::{Gemini, Manner};
use crate::json::scan;
use crate::sse::{Decoder, Frame, FrameTooLong};

const STAMP: Stamp<'static> = Stamp {
    id: "gen-1",
    model: "google/gemini-x",
    provider: "Google",
    created: 1,
    metadata: Some("{\"strategy\":\"direct\"}"),
};

const GOOGLE: Dialect = Dialect {
    tiers: TierWords::GOOGLE,
    ..Dialect::PLAIN
};

fn target(limit: Option<u64>, tier: TierWish) -> WriteTarget<'static> {
    WriteTarget {
        model: "gemini-3-flash-preview",
        max_output: Some(1_000),
        limit,
        efforts: bourse_vocab::chat::Efforts::default(),
        tier,
        dialect: &GOOGLE,
    }
}

fn pieces(body: &str, size: usize) -> Vec<Bytes> {
    let chunks = body.as_bytes().chunks(size.max(1));
    chunks.map(Bytes::copy_from_slice).collect()
}

fn envelope(body: &str, size: usize) -> Result<Envelope, Failure> {
    Envelope::read(scan(body.as_bytes()).unwrap(), &pieces(body, size))
}

fn sent(body: &str, size: usize, target: &WriteTarget<'_>) -> (String, Vec<Loss>) {
    let envelope = envelope(body, size).unwrap();
    let (pieces, losses) = splice_request(&envelope, &pieces(body, size), target);
    (String::from_utf8(pieces.concat()).unwrap(), losses)
}

fn refusal(members: &str) -> String {
    let body = format!(r#"{{"contents":[{{"parts":[{{"text":"a"}}]}}],{members}}}"#);
    match envelope(&body, 64) {
        Ok(_) => panic!("{members} is not refused"),
        Err(failure) => failure.message.into_owned(),
    }
}

const ASKED: &str = r#"{"contents":[{"role":"model","parts":[{"text":"a","thoughtSignature":"c2ln","tomorrow":1.50}]},
 {"parts":[{"inline_data":{"mime_type":"image/png","data":"QUJD"}}]}],"provider":{"only":["x"]},
 "system_instruction":{"parts":{"text":"S"}},"labels":{"team":"a"},"unknown_to_us":{"a":1},
 "tools":[{"function_declarations":[{"name":"f","behavior":"x"}]}],
 "generation_config":{"top_k":40,"temperature":0.70,"max_output_tokens":99,"surprise":1,
  "thinking_config":{"thinking_budget":128}},"serviceTier":"flex",
 "toolConfig":{"functionCallingConfig":{"mode":"ANY","streamFunctionCallArguments":true},"retrievalConfig":{}},
 "safetySettings":[{"category":"HARM_CATEGORY_HARASSMENT","threshold":"OFF"}]}"#;

#[test]
fn what_was_said_passes_as_it_is_and_what_is_billed_is_written_from_a_list() {
    for size in [1, 7, 64, ASKED.len()] {
        let flex = TierWish::Tier(ServiceTier::Flex);
        let (text, losses) = sent(ASKED, size, &target(Some(50), flex));
        for kept in [
            r#""contents":[{"role":"model","parts":[{"text":"a","thoughtSignature":"c2ln","tomorrow":1.50}]},
 {"parts":[{"inline_data":{"mime_type":"image/png","data":"QUJD"}}]}]"#,
            r#""systemInstruction":{"parts":{"text":"S"}}"#,
            r#""tools":[{"function_declarations":[{"name":"f","behavior":"x"}]}]"#,
            r#""generationConfig":{"topK":40,"temperature":0.70,"maxOutputTokens":99,"thinkingConfig":{"thinkingBudget":128}}"#,
            r#""toolConfig":{"functionCallingConfig":{"mode":"ANY"}}"#,
            r#""service_tier":"flex""#,
            r#""safetySettings":[{"category":"HARM_CATEGORY_HARASSMENT","threshold":"OFF"}]"#,
        ] {
            assert!(text.contains(kept), "{kept} is not in {text}");
        }
        let parsed = bourse_vocab::json::parse(text.as_bytes()).unwrap();
        assert_eq!(parsed.as_object().unwrap().keys().count(), 7, "{text}");
        let mut lost: Vec<_> = losses.iter().map(|loss| loss.field.as_str()).collect();
        lost.sort_unstable();
        assert_eq!(
            lost,
            [
                "generationConfig.surprise",
                "toolConfig.functionCallingConfig.streamFunctionCallArguments",
                "toolConfig.retrievalConfig",
                "unknown_to_us"
            ]
        );
    }
}

/// Either road asks for the same, in the same numbers.
#[test]
fn both_roads_ask_google_for_the_same() {
    let body = r#"{"contents":[{"role":"user","parts":[{"text":"a"}]}],
        "systemInstruction":{"parts":[{"text":"S"}]},
        "tools":[{"functionDeclarations":[{"name":"f","parametersJsonSchema":{"type":"object"}}]}],
        "toolConfig":{"functionCallingConfig":{"mode":"ANY","allowedFunctionNames":["f"]}},
        "safetySettings":[{"category":"X","threshold":"OFF"}],
        "generationConfig":{"temperature":0.70,"topP":0.9,"topK":4,"candidateCount":2,"seed":7,
            "stopSequences":["END"],"presencePenalty":0.5,"frequencyPenalty":0.25,
            "responseLogprobs":true,"logprobs":3,"maxOutputTokens":5000,
            "responseMimeType":"application/json","responseJsonSchema":{"type":"object"},
            "responseModalities":["TEXT"],"mediaResolution":"MEDIA_RESOLUTION_LOW",
            "thinkingConfig":{"thinkingLevel":"low","includeThoughts":true}}}"#;
    let target = target(None, TierWish::None);
    let (passed, losses) = sent(body, 64, &target);
    let request = Gemini.read_request(body.as_bytes()).unwrap();
    let written = Gemini.write_request(&request, &target).unwrap();
    let sorted = |text: &[u8]| -> Value {
        // Members of one object have no order.
        fn sort(value: &Value) -> Value {
            match value {
                Value::Object(members) => {
                    let mut all: Vec<_> = members.iter().collect();
                    all.sort_by_key(|(name, _)| (*name).clone());
                    let members = all
                        .into_iter()
                        .map(|(name, value)| (name.clone(), sort(value)));
                    Value::Object(members.collect())
                }
                Value::Array(items) => items.iter().map(sort).collect(),
                other => other.clone(),
            }
        }
        sort(&bourse_vocab::json::parse(text).unwrap())
    };
    assert_eq!(sorted(passed.as_bytes()), sorted(&written.body));
    let fields = |losses: &[Loss]| {
        losses
            .iter()
            .map(|loss| loss.reason.clone())
            .collect::<Vec<_>>()
    };
    assert_eq!(fields(&losses), fields(&written.losses));
}

#[test]
fn a_limit_that_pays_is_sent_where_the_caller_sets_none() {
    let limit = |config: &str, limit| {
        let body = format!(r#"{{"contents":[{{}}]{config}}}"#);
        sent(&body, 64, &target(limit, TierWish::None)).0
    };
    assert!(limit("", Some(50)).ends_with(r#""generationConfig":{"maxOutputTokens":50}}"#));
    assert!(!limit("", None).contains("maxOutputTokens"));
    let asked = r#","generationConfig":{"maxOutputTokens":7}"#;
    assert!(limit(asked, Some(50)).contains(r#"{"maxOutputTokens":7}"#));
}

#[test]
fn what_costs_money_unseen_or_belongs_to_an_account_is_refused() {
    for (members, path) in [
        (r#""cachedContent":"cachedContents/1""#, "cachedContent: "),
        (r#""cached_content":"cachedContents/1""#, "cachedContent: "),
        (r#""continuationToken":"t""#, "continuationToken: "),
        (r#""store":true"#, "store: "),
        (
            r#""tools":[{"googleSearch":{}}]"#,
            "tools[0]: `googleSearch`: the provider would run it",
        ),
        (
            r#""tools":[{"google_search":{}}]"#,
            "tools[0]: `googleSearch`",
        ),
        (
            r#""tools":[{"codeExecution":{}}]"#,
            "tools[0]: `codeExecution`",
        ),
        (
            r#""tools":[{"functionDeclarations":[]},{"urlContext":{}}]"#,
            "tools[1]: `urlContext`",
        ),
        (
            r#""tools":[{"functionDeclarations":[],"googleMaps":{}}]"#,
            "tools[0]: `googleMaps`",
        ),
        (
            r#""tools":[{"\u0067oogleSearch":{}}]"#,
            "tools[0]: `googleSearch`",
        ),
        (r#""tools":[7]"#, "tools[0]: "),
        (
            r#""tools":[{"function_declarations":[],"functionDeclarations":[]}]"#,
            "tools[0].functionDeclarations: is there twice",
        ),
        (
            r#""tools":[{"FunctionDeclarations":[]}]"#,
            "tools[0].FunctionDeclarations: ",
        ),
        (
            r#""generationConfig":{},"generation_config":{}"#,
            "generationConfig: is there twice",
        ),
        (
            r#""generationConfig":{"topK":1,"top_k":2}"#,
            "generationConfig.topK: is there twice",
        ),
        (
            r#""generationConfig":{"MaxOutputTokens":1}"#,
            "generationConfig.MaxOutputTokens: spelled almost like",
        ),
        (
            r#""generationConfig":{"maxOutputTokens":0}"#,
            "generationConfig.maxOutputTokens: ",
        ),
        (
            r#""generationConfig":{"responseFormat":{}}"#,
            "generationConfig.responseFormat: ",
        ),
        (
            r#""generationConfig":[]"#,
            "generationConfig: must be an object",
        ),
        (
            r#""toolConfig":{"functionCallingConfig":7}"#,
            "toolConfig.functionCallingConfig: ",
        ),
        (
            r#""GenerationConfig":{}"#,
            "GenerationConfig: spelled almost like",
        ),
        (r#""max_tokens_to_sample":5"#, "max_tokens_to_sample: "),
        (r#""api_key":"k""#, "api_key: "),
        (r#""systemInstruction":7"#, "systemInstruction: "),
    ] {
        let told = refusal(members);
        assert!(told.starts_with(path), "{members}: {told}");
    }
    for harmless in [
        r#""cachedContent":"""#,
        r#""store":false"#,
        r#""tools":null"#,
    ] {
        let body = format!(r#"{{"contents":[{{}}],{harmless}}}"#);
        let (text, losses) = sent(&body, 64, &target(None, TierWish::None));
        assert_eq!(losses, []);
        assert!(
            !text.contains("store") && !text.contains("cached"),
            "{text}"
        );
    }
    for (body, path) in [
        ("{}", "contents: "),
        (r#"{"contents":[]}"#, "contents: "),
        (r#"{"contents":null}"#, "contents: "),
        (r#"{"contents":"a"}"#, "contents: "),
    ] {
        let told = envelope(body, 64).unwrap_err().message;
        assert!(told.starts_with(path), "{body}: {told}");
    }
}

#[test]
fn a_closer_look_at_pictures_is_set_aside_for() {
    let picture = r#"{"inlineData":{"mimeType":"image/png","data":"QUJD"}}"#;
    let text_bytes = |members: &str, part: &str| {
        let body = format!(r#"{{"contents":[{{"parts":[{part}]}}]{members}}}"#);
        let length = envelope(&body, 64).unwrap().facts.text_bytes;
        length.saturating_sub(body.len() as u64)
    };
    let high = r#","generationConfig":{"mediaResolution":"MEDIA_RESOLUTION_HIGH"}"#;
    let low = r#","generationConfig":{"mediaResolution":"MEDIA_RESOLUTION_LOW"}"#;
    assert!(text_bytes(high, picture) > 2_000);
    assert_eq!(text_bytes(low, picture), 0);
    assert_eq!(text_bytes(high, r#"{"text":"a"}"#), 0);
    let close = picture.replacen(
        '{',
        r#"{"media_resolution":{"level":"MEDIA_RESOLUTION_ULTRA_HIGH"},"#,
        1,
    );
    assert!(text_bytes("", &close) > 2_000);
}

#[test]
fn another_vendors_thoughts_are_seen_whatever_lies_around_them() {
    let seal = crate::gemini::seal::signed(Some("anthropic-claude-v1"), None, "sig", "");
    let body = format!(
        r#"{{"contents":[{{"role":"model","parts":[{{"text":"","thought":true,"thoughtSignature":"{seal}"}}]}}]}}"#
    );
    for size in [1, 3, 64, body.len()] {
        assert!(envelope(&body, size).unwrap().has_foreign_thoughts);
    }
    assert!(!envelope(ASKED, 64).unwrap().has_foreign_thoughts);
}

fn bill() -> Bill {
    Bill {
        total: Nanos(1_500),
        upstream_prompt: Nanos(500),
        upstream_completion: Nanos(1_000),
        estimated: false,
    }
}

fn used() -> Usage {
    Usage {
        prompt: 10,
        completion: 12,
        reasoning: 7,
        ..Usage::default()
    }
}

const LAST: &str = r#"{"candidates":[{"content":{"parts":[{"text":"b","tomorrow":1.50}],"role":"model"},"finishReason":"STOP","index":0}],"usageMetadata":{"promptTokenCount":10,"candidatesTokenCount":5,"totalTokenCount":22,"thoughtsTokenCount":7,"promptTokensDetails":[{"modality":"TEXT","tokenCount":10}]},"modelVersion":"gemini-x-001","responseId":"r1","tomorrow":1e400}"#;

#[test]
fn a_reply_passes_with_the_calls_id_and_what_was_billed() {
    let told = |body: &str, used: &Usage| {
        let edits = splice_reply(&Bytes::copy_from_slice(body.as_bytes()), &STAMP).unwrap();
        String::from_utf8(edits.render(used, &bill())).unwrap()
    };
    let text = told(LAST, &used());
    for kept in [
        r#"{"text":"b","tomorrow":1.50}"#,
        r#""tomorrow":1e400"#,
        r#""promptTokensDetails":[{"modality":"TEXT","tokenCount":10}],"cost":0.0000015,"#,
        r#""modelVersion":"google/gemini-x","responseId":"gen-1""#,
        r#""provider":"Google""#,
        r#""openrouter_metadata":{"strategy":"direct"}"#,
    ] {
        assert!(text.contains(kept), "{kept} is not in {text}");
    }
    // What was billed is told where the provider said something else, or nothing.
    let other = Usage {
        completion: 99,
        ..used()
    };
    for body in [LAST.to_owned(), LAST.replace("usageMetadata", "other")] {
        let text = told(&body, &other);
        assert!(text.contains(r#""candidatesTokenCount":92"#), "{text}");
        assert!(
            !text.contains(
                "promptTokensDetails\":[{\"modality\":\"TEXT\",\"tokenCount\":10}],\"cost"
            ),
            "{text}"
        );
    }
    assert!(splice_reply(&Bytes::from_static(b"[]"), &STAMP).is_err());
}

const FIRST: &str = r#"{"candidates":[{"content":{"parts":[{"text":"a"}],"role":"model"},"index":0}],"usageMetadata":{"promptTokenCount":10,"totalTokenCount":10},"modelVersion":"gemini-x-001","responseId":"r1"}"#;

/// A stream that is passed on, from bytes that come in pieces of a size.
fn passed(stream: &str, size: usize, manner: Manner, end: Option<&Failure>) -> String {
    let mut edits = StreamEdits::new(&STAMP, manner);
    let mut decoder = Decoder::new();
    let mut out = Vec::new();
    for piece in stream.as_bytes().chunks(size) {
        let each = |frame: Frame<'_>| -> Result<(), FrameTooLong> {
            edits.frame(&frame, &mut out);
            Ok(())
        };
        decoder.feed(piece, each).unwrap();
    }
    match end {
        None => edits.settle(&used(), &bill(), &mut out),
        Some(failure) => edits.fail(failure, &mut out),
    }
    String::from_utf8(out).unwrap()
}

fn responses(told: &str) -> Vec<Value> {
    let data = told.lines().filter_map(|line| line.strip_prefix("data: "));
    data.map(|data| bourse_vocab::json::parse(data.as_bytes()).unwrap())
        .collect()
}

#[test]
fn a_stream_passes_and_its_last_response_says_what_it_cost_however_it_is_cut() {
    let stream = format!("data: {FIRST}\r\n\r\ndata: {LAST}\r\n\r\n");
    let whole = passed(&stream, stream.len(), Manner::default(), None);
    for size in 1..stream.len() {
        assert_eq!(
            passed(&stream, size, Manner::default(), None),
            whole,
            "{size}"
        );
    }
    let told = responses(&whole);
    assert_eq!(told.len(), 2);
    assert!(
        told.iter()
            .all(|response| response["responseId"] == "gen-1")
    );
    assert!(told[0]["usageMetadata"].get("cost").is_none());
    assert_eq!(told[1]["usageMetadata"]["cost"].to_string(), "0.0000015");
    assert_eq!(told[1]["candidates"][0]["finishReason"], "STOP");
    let array = Manner {
        is_array: true,
        ..Manner::default()
    };
    let text = passed(&stream, 64, array, None);
    let parsed = bourse_vocab::json::parse(text.as_bytes()).unwrap();
    assert_eq!(parsed.as_array().unwrap(), &told);
}

#[test]
fn a_stream_whose_reasons_come_early_or_alone_is_told_once_and_in_order() {
    let early = FIRST.replace(r#""index":0"#, r#""index":0,"finishReason":"STOP""#);
    let counts = r#"{"usageMetadata":{"promptTokenCount":10,"candidatesTokenCount":5,"thoughtsTokenCount":7,"totalTokenCount":22}}"#;
    for frames in [vec![&*early, LAST], vec![FIRST, &*early, counts]] {
        let stream: String = frames
            .iter()
            .map(|frame| format!("data: {frame}\n\n"))
            .collect();
        let told = responses(&passed(&stream, 50, Manner::default(), None));
        assert_eq!(told.len(), frames.len());
        let costs = told
            .iter()
            .filter(|response| response["usageMetadata"].get("cost").is_some());
        assert_eq!(costs.count(), 1);
        assert!(told.last().unwrap()["usageMetadata"].get("cost").is_some());
    }
}

#[test]
fn a_stream_that_broke_ends_in_an_error_and_never_in_a_reason() {
    let stream = format!("data: {FIRST}\n\ndata: {LAST}\n\n");
    let failure = Failure::unavailable("it broke");
    let told = responses(&passed(&stream, 64, Manner::default(), Some(&failure)));
    assert_eq!(told.len(), 2);
    assert_eq!(told[1]["error"]["status"], "UNAVAILABLE");
    assert!(told[0]["candidates"][0].get("finishReason").is_none());
    let array = Manner {
        is_array: true,
        ..Manner::default()
    };
    let text = passed(&stream, 64, array, Some(&failure));
    let parsed = bourse_vocab::json::parse(text.as_bytes()).unwrap();
    assert_eq!(parsed.as_array().unwrap().len(), 2, "{text}");
}

/// What both roads send to Google reads the same: every fixture in its format
/// is sent down both. Thoughts that nobody signed are no use to it, and how
/// much is to be thought each model is told in its own words.
#[test]
fn what_both_roads_send_means_the_same_in_every_fixture() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/chat");
    let mut compared = 0;
    for case in std::fs::read_dir(folder).unwrap() {
        let file = case.unwrap().path().join("gemini.request.json");
        let Ok(body) = std::fs::read_to_string(&file) else {
            continue;
        };
        let read = Gemini.read_request(body.as_bytes());
        let (Ok(request), Ok(asked)) = (read, envelope(&body, 64)) else {
            continue;
        };
        if asked.has_foreign_thoughts {
            // One road only leads to Google.
            continue;
        }
        let target = WriteTarget {
            max_output: Some(65_536),
            ..target(None, TierWish::None)
        };
        let written = Gemini.write_request(&request, &target).unwrap();
        let (passed, losses) = sent(&body, 64, &target);
        assert_eq!(losses, [], "{}", file.display());
        let meaning = |text: &[u8]| {
            let mut read = Gemini.read_request(text).unwrap();
            for message in &mut read.messages {
                message.parts.retain(|part| match part {
                    Part::Reasoning(thought) => match &thought.kind {
                        ReasoningKind::Text { signature, .. } => signature.is_some(),
                        // What Google offers in place of a signature.
                        ReasoningKind::Encrypted(seal) => !seal.starts_with("skip_"),
                        ReasoningKind::Summary(_) => true,
                    },
                    _ => true,
                });
            }
            (
                read.messages,
                read.tools,
                read.tool_choice,
                read.sampling,
                read.max_tokens,
                read.response_format,
                read.modalities,
            )
        };
        assert_eq!(
            meaning(passed.as_bytes()),
            meaning(&written.body),
            "{}",
            file.display()
        );
        compared += 1;
    }
    assert!(compared >= 10, "{compared}");
}

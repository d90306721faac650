//! What holds for every endpoint; and that bytes pass between a client and a
//! target of the same format whatever that format is, by endpoints that exist
//! in tests only.

use std::path::Path;

use bourse_catalog::{Modalities, Modality, Parameters};
use bourse_providers::Interface;
use bourse_routing::filter::Needs;
use bourse_routing::preferences::Preferences;
use bourse_vocab::chat::Event;
use bourse_vocab::{FailureKind, Format, Operation};
use bourse_wire::codec;
use bourse_wire::framing::Framing;
use bourse_wire::json::{Kind, scan};
use http::HeaderValue;

use super::native::Native;
use super::*;
use crate::ask::{self, Attribution};
use crate::respond;
use crate::way::tests::way_to;

/// An endpoint of a format whose bytes pass, as one of its own file would be.
struct Speaks {
    format: Format,
    path: &'static str,
    model_member: Option<&'static str>,
}

const MESSAGES: Speaks = Speaks {
    format: Format::Anthropic,
    path: "/v1/messages",
    model_member: Some("model"),
};
const GENERATE: Speaks = Speaks {
    format: Format::Gemini,
    path: "/v1beta/models/",
    model_member: None,
};

impl Endpoint for Speaks {
    fn path(&self) -> &'static str {
        self.path
    }

    fn serves(&self, path: &str) -> bool {
        path.starts_with(self.path)
    }

    fn rank(&self, way: &Way) -> Option<u8> {
        (way.operation == Operation::Chat).then_some(u8::from(way.format != self.format))
    }

    fn read(&self, head: &Parts, body: Scanned) -> Result<Incoming, Failure> {
        let outline = &body.outline;
        let in_path = head.uri.path().rsplit('/').next();
        let model = in_path.and_then(|name| name.split(':').next());
        let text = Modalities::of(&[Modality::Text]);
        let facts = outline.facts(outline.len() as u64, &body.segments);
        let ask = Ask {
            models: ask::models(model.map(str::to_owned), &[])?,
            wishes: Preferences::default(),
            needs: Needs {
                input: text,
                output: text,
                parameters: Parameters::EMPTY,
                text_bytes: facts.text_bytes,
                max_output: None,
            },
            stream: outline.get("stream").is_some_and(|m| m.kind == Kind::True),
            answers: 1,
            max_output: None,
            facts,
            wants_metadata: ask::wants_metadata(&head.headers),
            attribution: Attribution::by_headers(&head.headers),
        };
        let members: &[&str] = &["provider", "models", "session_id"];
        Ok(Incoming {
            ask,
            request: Arc::new(Native::new(self.format, self.model_member, members, body)),
        })
    }

    fn failure(&self, failure: &Failure, headers: &mut HeaderMap) -> Bytes {
        if let Some(id) = headers.get(respond::GENERATION_ID).cloned() {
            headers.insert("request-id", id);
        }
        codec(self.format).write_failure(failure).into()
    }

    fn late_failure(&self, failure: &Failure, stamp: &Stamp<'_>) -> Bytes {
        let mut out = Vec::new();
        let event = Event::Error(Box::new(failure.clone()));
        codec(self.format)
            .stream_writer(stamp)
            .event(&event, &mut out);
        out.into()
    }

    fn keep_alive(&self) -> &'static [u8] {
        b"event: ping\ndata: {\"type\": \"ping\"}\n\n"
    }
}

const STAMP: Stamp<'_> = Stamp {
    id: "gen-1",
    model: "acme/model",
    provider: "Acme",
    created: 1,
    metadata: None,
};

fn request(endpoint: &dyn Endpoint, body: &str, size: usize) -> Arc<dyn ClientRequest> {
    let (head, ()) = http::Request::builder()
        .uri(format!("{}x", endpoint.path()))
        .body(())
        .unwrap()
        .into_parts();
    let body = Scanned {
        outline: scan(body.as_bytes()).unwrap(),
        segments: body
            .as_bytes()
            .chunks(size)
            .map(Bytes::copy_from_slice)
            .collect(),
    };
    endpoint.read(&head, body).unwrap().request
}

fn written(request: &dyn ClientRequest, way: &Way) -> Result<String, Failure> {
    let target = WriteTarget {
        model: "vendor-name",
        max_output: Some(100),
        efforts: bourse_vocab::chat::Efforts::default(),
        dialect: &way.dialect,
    };
    let prepared = request.write(way, &target)?;
    Ok(String::from_utf8(prepared.body.concat()).unwrap())
}

/// Feeds a stream in pieces; returns what the client saw, and how it ended.
fn told(feed: &mut dyn Feed, stream: &[u8], size: usize) -> (String, Result<(), Failure>) {
    let mut out = Vec::new();
    let mut ended = Ok(());
    for piece in stream.chunks(size) {
        ended = feed.feed(&Bytes::copy_from_slice(piece), &mut out);
        if ended.is_err() {
            break;
        }
    }
    if ended.is_ok() {
        ended = feed.end(&mut out);
    }
    (String::from_utf8(out).unwrap(), ended)
}

const ASKED: &str = r#"{"model":"claude","max_tokens":1000,"provider":{"only":["acme"]},
 "system":[{"type":"text","text":"long","cache_control":{"type":"ephemeral","ttl":"1h"}}],
 "messages":[{"role":"user","content":"2+2?"},{"role":"assistant","content":[{"type":"thinking",
 "thinking":"four","signature":"c2ln"},{"type":"text","text":"4","from_the_future":[1.50,{}]}]},
 {"role":"user","content":[{"type":"text","text":"sure?","cache_control":{"type":"ephemeral"}}]}],
 "session_id":"s","stream":true,"container":{"id":"c"},"tomorrow":{"z":1,"a":1e400}}"#;

#[test]
fn an_anthropic_request_passes_to_anthropic_but_for_its_model_and_our_members() {
    let way = way_to(Interface::chat(Format::Anthropic));
    let expected = ASKED
        .replace(r#""model":"claude""#, r#""model":"vendor-name""#)
        .replace("\"provider\":{\"only\":[\"acme\"]},\n ", "")
        .replace("\n \"session_id\":\"s\",", "");
    for size in [1, 7, 64, ASKED.len()] {
        let request = request(&MESSAGES, ASKED, size);
        assert!(!request.translates(&way));
        assert_eq!(written(&*request, &way).unwrap(), expected);
    }
}

#[test]
fn a_gemini_request_passes_to_gemini() {
    let asked = r#"{"contents":[{"role":"model","parts":[{"text":"a","thoughtSignature":"c2ln"}]},
        {"parts":[{"text":"b"}]}],"cachedContent":"cachedContents/1","tomorrow":0.10,
        "generationConfig":{"topK":40,"tomorrow":[]}}"#;
    let way = way_to(Interface::chat(Format::Gemini));
    let request = request(&GENERATE, asked, 10);
    assert_eq!(written(&*request, &way).unwrap(), asked);
}

#[test]
fn what_passes_to_one_target_is_translated_for_another() {
    let request = request(&MESSAGES, ASKED, 50);
    let way = way_to(Interface::chat(Format::OpenAiChat));
    assert!(request.translates(&way));
    let written: serde_json::Value =
        serde_json::from_str(&written(&*request, &way).unwrap()).unwrap();
    assert_eq!(written["model"], "vendor-name");
    assert_eq!(written["messages"][0]["role"], "system");
}

const ANSWER: &str = r#"event: message_start
data: {"type":"message_start","message":{"id":"msg_1","type":"message","role":"assistant","model":"claude","content":[],"tomorrow":1.50,"usage":{"input_tokens":7,"cache_read_input_tokens":100,"output_tokens":1}}}

event: content_block_start
data: {"type":"content_block_start","index":0,"content_block":{"type":"thinking","thinking":"","signature":""}}

event: ping
data: {"type": "ping"}

event: content_block_delta
data: {"type":"content_block_delta","index":0,"delta":{"type":"thinking_delta","thinking":"four"}}

event: content_block_delta
data: {"type":"content_block_delta","index":0,"delta":{"type":"signature_delta","signature":"c2ln"}}

event: content_block_stop
data: {"type":"content_block_stop","index":0}

event: content_block_start
data: {"type":"content_block_start","index":1,"content_block":{"type":"server_tool_use","id":"t","name":"web_search","input":{}}}

event: tomorrow
data: {"type":"tomorrow","x":1e400}

event: content_block_stop
data: {"type":"content_block_stop","index":1}

event: message_delta
data: {"type":"message_delta","delta":{"stop_reason":"end_turn","stop_sequence":null},"usage":{"output_tokens":9}}

event: message_stop
data: {"type":"message_stop"}

"#;

#[test]
fn an_anthropic_stream_passes_byte_for_byte_and_is_metered() {
    let way = way_to(Interface::chat(Format::Anthropic));
    let request = request(&MESSAGES, ASKED, 50);
    for size in 1..200 {
        let mut feed = request.feed(&way, &STAMP);
        let (out, ended) = told(&mut *feed, ANSWER.as_bytes(), size);
        ended.unwrap();
        assert_eq!(out, ANSWER, "in pieces of {size}");
        assert!(feed.has_content() && feed.is_complete());
        let report = feed.report();
        assert_eq!(report.usage.prompt, Some(107));
        assert_eq!(report.usage.cache_read, Some(100));
        assert_eq!(report.usage.completion, Some(9));
        assert_eq!(report.upstream_id.as_deref(), Some("msg_1"));
        assert_eq!(report.finish, Some("stop"));
        assert_eq!(report.native_finish.as_deref(), Some("end_turn"));
        assert_eq!(report.content_bytes, 4);
    }
}

#[test]
fn nothing_before_the_first_content_counts_as_content() {
    let way = way_to(Interface::chat(Format::Anthropic));
    let request = request(&MESSAGES, ASKED, 50);
    let mut feed = request.feed(&way, &STAMP);
    let mut out = Vec::new();
    let start = ANSWER.find("event: content_block_delta").unwrap();
    let (before, after) = ANSWER.as_bytes().split_at(start);
    feed.feed(&Bytes::copy_from_slice(before), &mut out)
        .unwrap();
    assert!(!feed.has_content());
    feed.feed(&Bytes::copy_from_slice(after), &mut out).unwrap();
    assert!(feed.has_content());
}

/// A client sees whole frames, then one error, and never an end that looks
/// like a good one: whether the stream was cut in the middle of a frame or
/// the provider reported an error of its own.
#[test]
fn a_broken_stream_passes_up_to_the_break_and_ends_in_one_error() {
    let way = way_to(Interface::chat(Format::Anthropic));
    let request = request(&MESSAGES, ASKED, 50);
    let good = ANSWER.find("event: content_block_stop").unwrap();
    let good = &ANSWER[..good];
    let reported = "event: error\ndata: {\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\",\"message\":\"secret of theirs\"}}\n\n";
    let nonsense = "event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\n\n";
    for tail in [&ANSWER[good.len()..good.len() + 30], reported, nonsense] {
        let mut feed = request.feed(&way, &STAMP);
        let (mut out, ended) = told(&mut *feed, format!("{good}{tail}").as_bytes(), 11);
        let failure = ended.unwrap_err();
        assert_eq!(out, good, "{tail}");
        let mut more = Vec::new();
        feed.fail(&failure, &mut more);
        out.push_str(std::str::from_utf8(&more).unwrap());
        let last = out.strip_prefix(good).unwrap();
        assert!(last.starts_with("event: error\ndata: "), "{last}");
        assert_eq!(last.matches("event: ").count(), 1, "{last}");
        assert!(!out.contains("message_stop"));
    }
}

const CHUNKS: [&str; 2] = [
    r#"{"candidates":[{"content":{"parts":[{"text":"4","thoughtSignature":"c2ln"}],"role":"model"},"index":0}],"responseId":"r1","tomorrow":[1.50]}"#,
    r#"{"candidates":[{"content":{"parts":[{"text":"!"}],"role":"model"},"finishReason":"STOP","index":0}],"usageMetadata":{"promptTokenCount":7,"candidatesTokenCount":3,"totalTokenCount":10},"responseId":"r1"}"#,
];

/// The same frames come out as server-sent events, however they came in.
#[test]
fn a_gemini_stream_passes_whatever_frames_it() {
    let [first, second] = CHUNKS;
    let expected = format!("data: {first}\n\ndata: {second}\n\n");
    let streams = [
        (
            Framing::Sse,
            format!("data: {first}\r\n\r\ndata: {second}\r\n\r\n"),
        ),
        (Framing::JsonLines, format!("{first}\n{second}")),
        (Framing::JsonArray, format!("[{first},\n{second}]")),
    ];
    let request = request(&GENERATE, "{\"contents\":[]}", 50);
    for (framing, stream) in streams {
        let way = way_to(Interface {
            framing,
            ..Interface::chat(Format::Gemini)
        });
        assert!(!request.translates(&way));
        for size in 1..50 {
            let mut feed = request.feed(&way, &STAMP);
            let (out, ended) = told(&mut *feed, stream.as_bytes(), size);
            ended.unwrap();
            assert_eq!(out, expected, "{framing:?} in pieces of {size}");
            let report = feed.report();
            assert_eq!(report.usage.prompt, Some(7));
            assert_eq!(report.usage.completion, Some(3));
            assert_eq!(report.finish, Some("stop"));
        }
    }
}

/// A target's framing does not matter to a client of another format either.
#[test]
fn a_translated_stream_is_read_in_the_frames_of_its_way() {
    let body = r#"{"model":"m","messages":[{"role":"user","content":"2+2?"}],"stream":true}"#;
    let request = request(&chat::Chat, body, 50);
    let way = way_to(Interface {
        framing: Framing::JsonLines,
        ..Interface::chat(Format::Gemini)
    });
    let mut feed = request.feed(&way, &STAMP);
    let (out, ended) = told(&mut *feed, CHUNKS.join("\n").as_bytes(), 13);
    ended.unwrap();
    assert!(
        out.contains(r#""content":"4""#) && out.contains(r#""content":"!""#),
        "{out}"
    );
    assert!(feed.is_complete());
}

#[test]
fn whole_replies_pass_byte_for_byte_and_are_metered() {
    let message = r#"{"id":"msg_1","type":"message","role":"assistant","model":"claude",
        "content":[{"type":"text","text":"4","tomorrow":1.50}],"stop_reason":"end_turn",
        "usage":{"input_tokens":7,"output_tokens":3},"container":null}"#;
    for (endpoint, body) in [(&MESSAGES, message), (&GENERATE, CHUNKS[1])] {
        let way = way_to(Interface::chat(endpoint.format));
        let request = request(endpoint, "{\"contents\":[],\"messages\":[]}", 50);
        let bytes = Bytes::copy_from_slice(body.as_bytes());
        let whole = request.whole(&way, &STAMP, &bytes).unwrap();
        assert_eq!(whole.report.usage.prompt, Some(7));
        assert_eq!(whole.report.usage.completion, Some(3));
        assert_eq!(whole.report.finish, Some("stop"));
        let told = (whole.render)(&Usage::default(), &Bill::default());
        assert_eq!(told, bytes);
        assert!(request.whole(&way, &STAMP, &Bytes::from("{}")).is_err());
    }
}

/// The same failure, in the words and headers of whoever was called.
#[test]
fn errors_are_in_the_clients_format() {
    let failure = Failure::new(FailureKind::RateLimited, "slow down");
    let told = |endpoint: &dyn Endpoint| {
        let response = respond::failure(endpoint, &failure, Some("gen-1"));
        assert_eq!(response.status(), 429);
        assert_eq!(response.headers()[respond::GENERATION_ID], "gen-1");
        let id = response.headers().get("request-id").cloned();
        let respond::ReplyBody::Whole(Some(body)) = response.into_body() else {
            panic!("an error is a whole body");
        };
        let body: serde_json::Value = serde_json::from_slice(&body).unwrap();
        (body, id)
    };
    let (body, id) = told(&chat::Chat);
    assert_eq!((&body["error"]["code"], id), (&429.into(), None));
    let (body, id) = told(&MESSAGES);
    assert_eq!(body["error"]["type"], "rate_limit_error");
    assert_eq!(id, Some(HeaderValue::from_static("gen-1")));
    let (body, _) = told(&GENERATE);
    assert_eq!(body["error"]["status"], "RESOURCE_EXHAUSTED");
}

#[test]
fn a_late_failure_has_the_shape_of_its_stream() {
    let failure = Failure::unavailable("it broke");
    let late = |endpoint: &dyn Endpoint| {
        let out = endpoint.late_failure(&failure, &STAMP);
        String::from_utf8(out.to_vec()).unwrap()
    };
    let chat = late(&chat::Chat);
    assert!(
        chat.contains(r#""object":"chat.completion.chunk""#),
        "{chat}"
    );
    let text = late(&text::Text);
    assert!(text.contains(r#""object":"text_completion""#), "{text}");
    for told in [chat, text] {
        assert!(told.contains(r#""finish_reason":"error""#), "{told}");
        assert!(
            told.contains("provider_unavailable") && !told.contains("[DONE]"),
            "{told}"
        );
    }
    assert!(late(&MESSAGES).starts_with("event: error\n"));
}

#[test]
fn the_way_that_speaks_the_clients_format_is_taken() {
    let anthropic = way_to(Interface::chat(Format::Anthropic));
    let openai = way_to(Interface::chat(Format::OpenAiChat));
    let rank = |endpoint: &dyn Endpoint| (endpoint.rank(&openai), endpoint.rank(&anthropic));
    assert_eq!(rank(&chat::Chat), (Some(0), Some(1)));
    assert_eq!(rank(&MESSAGES), (Some(1), Some(0)));
    let only_text = way_to(Interface {
        operation: Operation::Text,
        ..Interface::chat(Format::OpenAiChat)
    });
    assert_eq!(chat::Chat.rank(&only_text), None);
}

#[test]
fn paths_are_found_and_belong_to_one_endpoint_each() {
    for endpoint in ENDPOINTS {
        let serve: Vec<_> = ENDPOINTS
            .iter()
            .filter(|other| other.serves(endpoint.path()))
            .collect();
        assert_eq!(serve.len(), 1, "{}", endpoint.path());
        assert_eq!(at(endpoint.path()).unwrap().path(), endpoint.path());
        assert!(!endpoint.keep_alive().is_empty());
    }
    for path in ["", "/", "/v1", "/v1/models", "/v1/chat/completions/"] {
        assert!(at(path).is_none(), "{path}");
    }
}

#[test]
fn every_endpoint_file_is_in_the_table() {
    // Beside endpoints there are what they are made of, and this file.
    const PARTS: &[&str] = &["native.rs", "tests.rs", "translation.rs"];
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/endpoints");
    let files = std::fs::read_dir(folder).unwrap().filter(|entry| {
        let name = entry.as_ref().unwrap().file_name();
        let name = name.to_str().unwrap();
        name.ends_with(".rs") && !PARTS.contains(&name)
    });
    assert_eq!(files.count(), ENDPOINTS.len());
}

/// Which endpoints there are, and what their clients speak, is known in this
/// folder and nowhere else in the crate.
#[test]
fn no_other_file_names_an_endpoint_or_a_clients_format() {
    let words: Vec<String> = Format::ALL
        .iter()
        .map(|format| format!("Format::{format:?}"))
        .chain(ENDPOINTS.iter().map(|endpoint| endpoint.path().to_owned()))
        .chain(
            [
                "openai_chat",
                "anthropic::",
                "gemini::",
                "endpoints::chat",
                "endpoints::text",
            ]
            .map(str::to_owned),
        )
        .collect();
    let mut files = 0;
    visit(
        &Path::new(env!("CARGO_MANIFEST_DIR")).join("src"),
        &mut |path, text| {
            files += 1;
            // Tests may speak of anything.
            let text = text.split("#[cfg(test)]").next().unwrap();
            for word in &words {
                assert!(!text.contains(word), "{} names {word}", path.display());
            }
        },
    );
    assert!(files > 20, "only {files} files were read");
}

/// Calls `each` with every source file outside this folder and outside tests.
fn visit(folder: &Path, each: &mut dyn FnMut(&Path, &str)) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        if matches!(&*name, "endpoints" | "endpoints.rs" | "tests" | "tests.rs") {
            continue;
        }
        if path.is_dir() {
            visit(&path, each);
        } else if name.ends_with(".rs") {
            each(&path, &std::fs::read_to_string(&path).unwrap());
        }
    }
}

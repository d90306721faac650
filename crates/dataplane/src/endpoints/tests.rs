//! What holds for every endpoint, and endpoints that exist in tests only.

mod audio;
mod generate_content;
mod messages;
mod pass_through;
mod pictures;
mod responses;
mod vectors;

use std::path::Path;

use bourse_catalog::{Modalities, Modality, Parameters};
use bourse_providers::Interface;
use bourse_routing::filter::Needs;
use bourse_routing::preferences::Preferences;
use bourse_vocab::chat::Event;
use bourse_vocab::{AccountId, FailureKind, Format, Operation, StoreId, Units};
use bourse_wire::codec;
use bourse_wire::framing::Framing;
use bourse_wire::json::{Kind, scan};
use http::HeaderValue;

use super::native::Native;
use super::*;
use crate::ask::{self, Attribution};
use crate::identity::{Caller, Identity};
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

    fn read(&self, head: &Parts, body: Scanned, _: Caller<'_>) -> Result<Incoming, Failure> {
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

            form: Default::default(),
            units: Units::default(),
            thinking: Default::default(),
            tier: Default::default(),
            search: None,
            facts,
            options: ask::Options::by_headers(&head.headers, 1)?,
            opener: None,
            attribution: Attribution::by_headers(&head.headers),
        };
        let members: &[&str] = &["provider", "models", "session_id"];
        Ok(Incoming {
            ask: Box::new(ask),
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
    let caller = Caller {
        identity: &Identity::of(StoreId([7; 16])),
        account: AccountId(1),
    };
    endpoint.read(&head, body, caller).unwrap().request
}

fn written(request: &dyn ClientRequest, way: &Way) -> Result<String, Failure> {
    let target = WriteTarget {
        model: "vendor-name",
        max_output: Some(100),
        limit: None,
        efforts: bourse_vocab::chat::Efforts::default(),
        tier: bourse_vocab::TierWish::None,
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

/// The same failure, in the words and headers of the endpoint that was called.
#[test]
fn errors_are_in_the_clients_format() {
    let failure = Failure::new(FailureKind::RateLimited, "slow down");
    let told = |endpoint: &dyn Endpoint| {
        let response = respond::failure(endpoint, &failure, Some("gen-1"));
        assert_eq!(response.status(), 429);
        assert_eq!(response.headers()[respond::GENERATION_ID], "gen-1");
        let id = response.headers().get("request-id").cloned();
        let respond::ReplyBody::Whole(Some(body), _) = response.into_body() else {
            panic!("an error is a whole body");
        };
        let body: serde_json::Value = serde_json::from_slice(&body).unwrap();
        (body, id)
    };
    let (body, id) = told(&chat::Chat);
    assert_eq!((&body["error"]["code"], id), (&429.into(), None));
    let (body, _) = told(&super::responses::Responses);
    assert_eq!(body["error"]["code"], 429);
    assert_eq!(body["error_type"], "rate_limit_exceeded");
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
            told.contains("provider_unavailable") && told.ends_with("data: [DONE]\n\n"),
            "{told}"
        );
    }
    let response = late(&super::responses::Responses);
    assert!(response.contains("event: response.failed\n"), "{response}");
    assert!(response.ends_with("data: [DONE]\n\n"), "{response}");
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
        // What comes whole is not kept alive, and nothing can be put before a
        // sound.
        let streamed = [
            "/v1/audio/transcriptions",
            "/v1/images/generations",
            "/v1/images/edits",
        ];
        let is_streamed = endpoint.interface() == bourse_catalog::Interface::Chat
            || streamed.contains(&endpoint.path());
        assert_eq!(!endpoint.keep_alive().is_empty(), is_streamed);
    }
    for counter in COUNTERS {
        assert!(at(counter.path()).is_none(), "{}", counter.path());
        assert_eq!(counter_at(counter.path()).unwrap().path(), counter.path());
    }
    for path in ["", "/", "/v1", "/v1/models", "/v1/chat/completions/"] {
        assert!(at(path).is_none(), "{path}");
        assert!(counter_at(path).is_none(), "{path}");
    }
}

#[test]
fn every_endpoint_file_is_in_the_table() {
    // Beside endpoints there are what they are made of, and this file.
    const PARTS: &[&str] = &[
        "event_feed.rs",
        "native.rs",
        "not_offered.rs",
        "tests.rs",
        "translation.rs",
        "whole.rs",
    ];
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/endpoints");
    let files = std::fs::read_dir(folder).unwrap().filter(|entry| {
        let name = entry.as_ref().unwrap().file_name();
        let name = name.to_str().unwrap();
        name.ends_with(".rs") && !PARTS.contains(&name)
    });
    assert_eq!(files.count(), ENDPOINTS.len() + SESSIONS.len());
}

/// Which endpoints there are, and what their clients speak, is known in this
/// folder and nowhere else in the crate.
#[test]
fn no_other_file_names_an_endpoint_or_a_clients_format() {
    let words: Vec<String> = Format::ALL
        .iter()
        .map(|format| format!("Format::{format:?}"))
        .chain(ENDPOINTS.iter().map(|endpoint| endpoint.path().to_owned()))
        .chain(COUNTERS.iter().map(|counter| counter.path().to_owned()))
        .chain(SESSIONS.iter().map(|session| session.path().to_owned()))
        .chain(
            [
                "openai_chat",
                "openai_responses",
                "anthropic::",
                "gemini::",
                "endpoints::chat",
                "endpoints::messages",
                "endpoints::text",
                "endpoints::responses",
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

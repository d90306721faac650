use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::thread::ThreadId;

use bourse_catalog::{Overlay, RawCatalog, Snapshot};
use bourse_providers::Interface;
use bourse_vocab::chat::{Message, Part, Request, Role};
use bourse_vocab::{FailureKind, Format, Next};
use bourse_wire::{Dialect, Stamp};
use bytes::Bytes;

use super::*;
use crate::endpoints::WholeReply;
use crate::endpoints::translation::{Parsed, TRANSLATED_BYTES_MAX, TRANSLATED_VALUES_MAX};
use crate::relay::Feed;
use crate::way::tests::way_to;

/// A request that notes where it is written, and how often it is parsed.
#[derive(Default)]
struct Noted {
    translates: bool,
    bytes: AtomicUsize,
    parsed: Parsed,
    parses: AtomicUsize,
    threads: Mutex<Vec<ThreadId>>,
    segments: Vec<Bytes>,
}

impl ClientRequest for Noted {
    fn bytes(&self) -> usize {
        self.bytes.load(SeqCst)
    }

    fn translates(&self, _: &Way) -> bool {
        self.translates
    }

    fn write(&self, way: &Way, target: &WriteTarget<'_>) -> Result<Prepared, Failure> {
        let here = std::thread::current().id();
        self.threads.lock().unwrap().push(here);
        let parse = || {
            self.parses.fetch_add(1, SeqCst);
            let message = Message {
                role: Role::User,
                name: None,
                parts: vec![Part::text("hello")],
            };
            Ok(Request::new(
                Format::OpenAiChat,
                "m".to_owned(),
                vec![message],
            ))
        };
        self.parsed.write(&self.segments, parse, way, target)
    }

    fn feed(&self, _: &Way, _: &Stamp<'_>) -> Box<dyn Feed> {
        panic!("nothing is answered here");
    }

    fn whole(&self, _: &Way, _: &Stamp<'_>, _: &Bytes) -> Result<WholeReply, Failure> {
        panic!("nothing is answered here");
    }
}

/// A catalog's endpoint of some model.
fn endpoint() -> Endpoint {
    let overlay: Overlay = serde_json::from_str(
        r#"{"providers":{"p":{"base_url":"https://p.example/v1"}},"models":[{"slug":"acme/m",
            "endpoints":[{"provider":"p","upstream_model":"m","max_output":100,"price":{"prompt":"0","completion":"0"}}]}]}"#,
    )
    .unwrap();
    let catalog = Snapshot::build(RawCatalog::default(), &[overlay]).unwrap();
    catalog.all_endpoints().next().unwrap().clone()
}

fn ways() -> [Arc<Way>; Format::ALL.len()] {
    Format::ALL.map(|format| Arc::new(way_to(Interface::chat(format))))
}

#[tokio::test]
async fn only_long_translations_leave_the_worker() {
    let here = std::thread::current().id();
    let [way, ..] = ways();
    for (translates, bytes, stays) in [
        (true, 10, true),
        (true, INLINE_BYTES_MAX, true),
        (true, INLINE_BYTES_MAX + 1, false),
        (false, usize::MAX, true),
    ] {
        let noted = Arc::new(Noted {
            translates,
            bytes: bytes.into(),
            ..Noted::default()
        });
        let request = Arc::clone(&noted) as Arc<dyn ClientRequest>;
        super::write(
            &request,
            &endpoint(),
            (None, bourse_vocab::TierWish::None),
            &way,
        )
        .await
        .unwrap();
        let threads = noted.threads.lock().unwrap();
        assert_eq!(*threads == [here], stays, "{translates} {bytes}");
    }
}

#[tokio::test]
async fn a_request_is_parsed_once_for_all_its_targets() {
    let noted = Arc::new(Noted {
        translates: true,
        ..Noted::default()
    });
    let request = Arc::clone(&noted) as Arc<dyn ClientRequest>;
    let mut bodies = Vec::new();
    for (way, bytes) in ways().iter().zip([1, INLINE_BYTES_MAX + 1, 1]) {
        noted.bytes.store(bytes, SeqCst);
        let prepared = super::write(
            &request,
            &endpoint(),
            (None, bourse_vocab::TierWish::None),
            way,
        )
        .await
        .unwrap();
        bodies.push(prepared.body.concat());
    }
    assert_eq!(noted.parses.load(SeqCst), 1);
    assert_eq!(noted.threads.lock().unwrap().len(), 3);
    // Each is in the format of its target.
    bodies.dedup();
    assert_eq!(bodies.len(), 3);
}

/// A request whose answer must have a form.
struct Formed(bourse_vocab::chat::ResponseFormat, Parsed);

impl ClientRequest for Formed {
    fn bytes(&self) -> usize {
        0
    }

    fn translates(&self, _: &Way) -> bool {
        true
    }

    fn write(&self, way: &Way, target: &WriteTarget<'_>) -> Result<Prepared, Failure> {
        let parse = || {
            let message = Message {
                role: Role::User,
                name: None,
                parts: vec![Part::text("hello")],
            };
            let mut request = Request::new(Format::OpenAiChat, "m".to_owned(), vec![message]);
            request.response_format = Some(self.0.clone());
            Ok(request)
        };
        self.1.write(&[], parse, way, target)
    }

    fn feed(&self, _: &Way, _: &Stamp<'_>) -> Box<dyn Feed> {
        panic!("nothing is answered here");
    }

    fn whole(&self, _: &Way, _: &Stamp<'_>, _: &Bytes) -> Result<WholeReply, Failure> {
        panic!("nothing is answered here");
    }
}

#[tokio::test]
async fn who_cannot_be_told_the_form_of_the_answer_is_not_asked() {
    use bourse_vocab::chat::ResponseFormat::{JsonObject, Opaque};
    let grammar = Opaque(bourse_vocab::json!({"type": "grammar", "grammar": "g"}));
    for (form, refused) in [
        (JsonObject, vec![Format::Bedrock]),
        (
            grammar,
            vec![
                Format::OpenAiResponses,
                Format::Anthropic,
                Format::Gemini,
                Format::Bedrock,
                Format::Ollama,
                Format::Cohere,
            ],
        ),
    ] {
        for format in Format::ALL {
            let way = Arc::new(way_to(Interface::chat(format)));
            let request: Arc<dyn ClientRequest> = Arc::new(Formed(form.clone(), Parsed::default()));
            let limits = (None, bourse_vocab::TierWish::None);
            let written = super::write(&request, &endpoint(), limits, &way).await;
            match written {
                Ok(_) => assert!(!refused.contains(&format), "{format}: {form:?}"),
                Err(failure) => {
                    assert!(refused.contains(&format), "{format}: {failure:?}");
                    assert_eq!(failure.kind, FailureKind::InvalidRequest);
                    // Another provider may do it.
                    assert_eq!(failure.next, Next::TryAnother);
                    assert!(
                        failure.message.starts_with("response_format: "),
                        "{failure:?}"
                    );
                }
            }
        }
    }
}

#[test]
fn what_is_too_large_to_be_translated_is_not_parsed_and_another_target_may_take_it() {
    let mebibyte = Bytes::from(vec![b' '; 1 << 20]);
    let long = vec![mebibyte; (TRANSLATED_BYTES_MAX >> 20) + 1];
    let many = vec![Bytes::from(format!(
        "[{}0]",
        "0,".repeat(TRANSLATED_VALUES_MAX)
    ))];
    let quoted = vec![Bytes::from(format!(
        "[\"{}\"]",
        "0,".repeat(TRANSLATED_VALUES_MAX)
    ))];
    let [way, ..] = ways();
    for (segments, fits) in [(long, false), (many, false), (quoted, true)] {
        let noted = Noted {
            translates: true,
            segments,
            ..Noted::default()
        };
        let write = WriteTarget {
            model: "m",
            max_output: None,
            limit: None,
            efforts: bourse_vocab::chat::Efforts::default(),
            tier: bourse_vocab::TierWish::None,
            dialect: &Dialect::PLAIN,
        };
        match noted.write(&way, &write) {
            Ok(_) => assert!(fits),
            Err(failure) => {
                assert!(!fits);
                assert_eq!(failure.kind, FailureKind::PayloadTooLarge);
                assert_eq!(failure.next, Next::TryAnother);
            }
        }
        assert_eq!(noted.parses.load(SeqCst), usize::from(fits));
    }
}

//! Vectors: what the phases are told of a request, and which ways serve it.

use bourse_vocab::embeddings::Shape;
use http::HeaderMap;

use super::super::embeddings::Embeddings;
use super::*;

fn ask(body: &str) -> Result<Box<crate::ask::Ask>, Failure> {
    let (head, ()) = http::Request::builder().body(()).unwrap().into_parts();
    let body = Scanned {
        outline: scan(body.as_bytes()).unwrap(),
        segments: vec![Bytes::copy_from_slice(body.as_bytes())],
    };
    let caller = Caller {
        identity: &Identity::of(StoreId([7; 16])),
        account: AccountId(1),
    };
    Ok(Embeddings.read(&head, body, caller)?.ask)
}

fn way(shape: Shape) -> Way {
    way_to(Interface::embeddings(shape, Format::OpenAiChat))
}

#[test]
fn each_input_has_the_context_by_itself_and_the_money_is_for_all() {
    let two = ask(r#"{"model":"m","input":["one","three"]}"#).unwrap();
    assert_eq!(two.needs.text_bytes, 5, "the longest must fit");
    assert_eq!(two.facts.text_bytes, r#"["one","three"]"#.len() as u64);
    assert_eq!(two.facts.windows(), 2);
    assert_eq!(two.max_output, Some(0), "nothing comes out that is counted");
    assert_eq!(two.needs.output, Modalities::of(&[Modality::Embeddings]));
    let tokens = ask(r#"{"model":"m","input":[[1,2,3],[4]]}"#).unwrap();
    assert_eq!((tokens.facts.token_ids, tokens.facts.text_bytes), (4, 0));
    // Sixteen bytes are one token at least.
    assert_eq!(tokens.needs.text_bytes, 3 * 16);
}

#[test]
fn pictures_are_asked_of_models_that_take_them() {
    let body = r#"{"model":"m","input":[{"content":[{"type":"image_url","image_url":{"url":"data:image/png;base64,AAAA"}}]}]}"#;
    let asked = ask(body).unwrap();
    assert!(asked.needs.input.contains(Modality::Image));
    assert_eq!(asked.facts.images.count(), 1);
}

#[test]
fn the_way_that_takes_the_clients_bytes_comes_first_and_chat_is_none() {
    assert_eq!(Embeddings.rank(&way(Shape::OpenAi)), Some(0));
    assert_eq!(Embeddings.rank(&way(Shape::Voyage)), Some(0));
    assert_eq!(Embeddings.rank(&way(Shape::Cohere)), Some(1));
    let talks = way_to(Interface::chat(Format::OpenAiChat));
    assert_eq!(Embeddings.rank(&talks), None);
    assert_eq!(chat::Chat.rank(&way(Shape::OpenAi)), None);
    assert_eq!(text::Text.rank(&way(Shape::OpenAi)), None);
}

#[test]
fn vectors_of_another_length_than_was_asked_for_are_no_answer() {
    let asked = request(
        &Embeddings,
        r#"{"model":"m","input":"a","dimensions":2}"#,
        64,
    );
    let whole = |embedding: &str| {
        let body = format!(r#"{{"data":[{{"index":0,"embedding":{embedding}}}]}}"#);
        asked.whole(&way(Shape::OpenAi), &STAMP, &Bytes::from(body))
    };
    assert!(whole("[1,2]").is_ok());
    let Err(failed) = whole("[1,2,3]") else {
        panic!("three numbers are not two");
    };
    assert!(failed.message.contains("3 numbers"), "{}", failed.message);
    assert_eq!(failed.next, bourse_vocab::Next::TryAnother);
}

#[test]
fn what_has_no_stream_begins_none_and_fails_in_openais_shape() {
    let asked = request(&Embeddings, r#"{"model":"m","input":"a"}"#, 64);
    let mut feed = asked.feed(&way(Shape::OpenAi), &STAMP);
    let mut out = Vec::new();
    let failed = feed.feed(&Bytes::from_static(b"data: {}\n\n"), &mut out);
    assert_eq!(failed.unwrap_err().kind, FailureKind::Server);
    assert!(feed.end(&mut out).is_err() && out.is_empty());
    let failure = Failure::unavailable("it broke");
    let body = Embeddings.failure(&failure, &mut HeaderMap::new());
    assert_eq!(Embeddings.late_failure(&failure, &STAMP), body);
    let body: serde_json::Value = serde_json::from_slice(&body).unwrap();
    assert_eq!(body["error"]["code"], 502);
}

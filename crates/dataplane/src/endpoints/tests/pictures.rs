//! Pictures: what the phases are told of a request, and which ways serve it.

use bourse_vocab::images::Shape;

use super::super::image_generations::ImageGenerations;
use super::super::images::Images;
use super::*;

fn ask(endpoint: &dyn Endpoint, body: &str) -> Result<Incoming, Failure> {
    let (head, ()) = http::Request::builder().body(()).unwrap().into_parts();
    let body = Scanned {
        outline: scan(body.as_bytes()).unwrap(),
        segments: vec![Bytes::copy_from_slice(body.as_bytes())],
    };
    let caller = Caller {
        identity: &Identity::of(StoreId([7; 16])),
        account: AccountId(1),
    };
    endpoint.read(&head, body, caller)
}

#[test]
fn every_picture_and_the_tokens_of_the_dearest_are_set_aside() {
    let body = r#"{"model":"m","prompt":"a cat","n":3,"size":"1024x1024"}"#;
    for endpoint in [&ImageGenerations as &dyn Endpoint, &Images] {
        let ask = ask(endpoint, body).unwrap().ask;
        assert_eq!(ask.units.pictures, 3);
        assert_eq!((ask.answers, ask.max_output), (3, Some(7_024)));
        assert_eq!(ask.needs.output, Modalities::of(&[Modality::Image]));
        assert_eq!(ask.facts.text_bytes, r#""a cat""#.len() as u64);
    }
}

#[test]
fn a_stream_is_of_one_picture_in_openais_words_and_told_whole_in_openrouters() {
    let body =
        r#"{"model":"m","prompt":"a cat","stream":true,"partial_images":3,"size":"1024x1024"}"#;
    let streamed = ask(&ImageGenerations, body).unwrap().ask;
    assert!(streamed.stream);
    // Each beginning that is shown is set aside, too.
    assert_eq!(streamed.max_output, Some(7_024 + 300));
    let whole = ask(&Images, body).unwrap().ask;
    assert!(!whole.stream);
    assert_eq!(whole.max_output, Some(7_024));
    let many = body.replace("\"stream\"", "\"n\":2,\"stream\"");
    let refused = ask(&ImageGenerations, &many).err().unwrap();
    assert!(refused.message.starts_with("n: "));
}

#[test]
fn pictures_are_asked_of_ways_that_make_them() {
    let draws = way_to(Interface::images(Shape::Xai, Format::OpenAiChat));
    let talks = way_to(Interface::chat(Format::OpenAiChat));
    for endpoint in [&ImageGenerations as &dyn Endpoint, &Images] {
        assert_eq!(endpoint.rank(&draws), Some(0));
        assert_eq!(endpoint.rank(&talks), None);
    }
    assert_eq!(chat::Chat.rank(&draws), None);
}

#[test]
fn what_nobody_counted_is_the_most_that_such_pictures_take() {
    let way = way_to(Interface::images(Shape::OpenAi, Format::OpenAiChat));
    let body = r#"{"model":"m","prompt":"a cat","n":3,"size":"1024x1024"}"#;
    let request = ask(&ImageGenerations, body).unwrap().request;
    let stamp = Stamp {
        id: "gen-1",
        model: "acme/draw",
        provider: "Acme",
        created: 1,
        metadata: None,
    };
    let whole = |usage: &str| {
        let reply = format!(r#"{{"data":[{{"b64_json":"AAAA"}},{{"b64_json":"AAAA"}}]{usage}}}"#);
        request
            .whole(&way, &stamp, &Bytes::from(reply))
            .unwrap()
            .report
    };
    let silent = whole("");
    assert_eq!(silent.usage.units.pictures, Some(2));
    assert_eq!(silent.content_pieces, 2 * 7_024);
    assert_eq!(silent.usage.completion_image, Some(2 * 7_024));
    let told = whole(r#","usage":{"input_tokens":3,"output_tokens":9}"#);
    assert_eq!(
        (told.usage.prompt, told.usage.completion),
        (Some(3), Some(9))
    );
    assert_eq!(told.content_pieces, 0);
}

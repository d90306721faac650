//! Golden pairs: what each vendor is sent, and what the client is told.

use bourse_vocab::moderations::Shape;
use bourse_vocab::{Bill, Nanos, Next, Usage};

use super::reply::begin;
use super::*;
use crate::codec::Stamp;
use crate::json::scan;

fn asked(body: &str) -> Result<Asked, Failure> {
    let pieces = body.as_bytes().chunks(7);
    let segments = pieces.map(Bytes::copy_from_slice).collect();
    Asked::read(scan(body.as_bytes()).unwrap(), segments)
}

fn written(shape: Shape, body: &str) -> Result<String, Failure> {
    let written = codec(shape).write(&asked(body)?, "vendors-name")?;
    Ok(String::from_utf8(written.body.concat()).unwrap())
}

const PARTS: &str = r#"{"input":[{"type":"text","text":"a"},{"type":"image_url","image_url":{"url":"https://x.example/1.png"}}]}"#;

#[test]
fn each_vendor_is_asked_in_its_own_words() {
    let texts =
        r#"{"model":"m","input":["a \u00e9","b"],"provider":{"only":["x"]},"user":"alice"}"#;
    for shape in Shape::ALL {
        assert_eq!(codec(shape).shape(), shape);
        assert_eq!(
            written(shape, texts).unwrap(),
            r#"{"model":"vendors-name","input":["a é","b"]}"#
        );
        assert_eq!(
            written(shape, r#"{"input":"a"}"#).unwrap(),
            r#"{"model":"vendors-name","input":["a"]}"#
        );
    }
    assert_eq!(
        written(Shape::OpenAi, PARTS).unwrap(),
        format!(r#"{{"model":"vendors-name",{}"#, &PARTS[1..])
    );
    let one = r#"{"input":[{"type":"text","text":"a"}]}"#;
    assert_eq!(
        written(Shape::Mistral, one).unwrap(),
        r#"{"model":"vendors-name","input":["a"]}"#
    );
    let lost = codec(Shape::OpenAi)
        .write(&asked(r#"{"input":"a","wit":1}"#).unwrap(), "m")
        .unwrap()
        .losses;
    assert_eq!(lost.first().unwrap().field, "wit");
}

#[test]
fn parts_that_are_judged_together_go_to_who_does_that() {
    let refused = written(Shape::Mistral, PARTS).unwrap_err();
    assert_eq!(refused.next, Next::TryAnother);
    let asked = asked(PARTS).unwrap();
    assert!(asked.has_pictures());
    assert_eq!((asked.input.verdicts(), asked.longest_bytes()), (1, 1));
}

#[test]
fn a_request_that_is_none_is_refused_by_its_member() {
    let many = vec!["\"a\""; asked::INPUTS_MAX + 1].join(",");
    for (members, start) in [
        (String::new(), "input: "),
        (r#""input":null"#.to_owned(), "input: "),
        (r#""input":7"#.to_owned(), "input: "),
        (r#""input":[]"#.to_owned(), "input: "),
        (format!(r#""input":[{many}]"#), "input: "),
        (r#""input":["a",7]"#.to_owned(), "input[1]: "),
        (
            r#""input":["a",{"type":"text","text":"b"}]"#.to_owned(),
            "input[1]: ",
        ),
        (r#""input":[7]"#.to_owned(), "input[0]: "),
        (r#""input":[{"type":"text"}]"#.to_owned(), "input[0]: "),
        (
            r#""input":[{"type":"image_url","image_url":{"url":""}}]"#.to_owned(),
            "input[0]: ",
        ),
        (
            r#""input":[{"type":"input_audio"}]"#.to_owned(),
            "input[0]: ",
        ),
        (r#""input":"a","stream":true"#.to_owned(), "stream: "),
    ] {
        let refused = asked(&format!("{{{members}}}")).unwrap_err();
        assert!(refused.message.starts_with(start), "{}", refused.message);
    }
}

fn told(shape: Shape, results: &str, usage: &str) -> Result<String, Failure> {
    let asked = asked(r#"{"input":["a","b"]}"#).unwrap();
    let body = format!(r#"{{"id":"x","model":"y","results":{results}{usage}}}"#);
    let reply = codec(shape).read(&Bytes::from(body), &asked)?;
    let stamp = Stamp {
        id: "gen-1",
        model: "acme/judge",
        provider: "Acme",
        created: 17,
        metadata: None,
    };
    let usage = reply.usage.resolve(&Usage::default()).0;
    let bill = Bill {
        total: Nanos(2_000),
        ..Bill::default()
    };
    let whole = begin(&reply, &stamp).finish(&usage, &bill);
    Ok(String::from_utf8(whole).unwrap())
}

#[test]
fn every_vendors_verdicts_are_told_with_their_digits() {
    let openais = r#"[{"flagged":false,"categories":{"hate":false,"illicit":null},"category_scores":{"hate":1.0e-5,"illicit":null},"category_applied_input_types":{"hate":["text"],"illicit":[]}},{"flagged":true,"categories":{"hate":true},"category_scores":{"hate":0.90}}]"#;
    assert_eq!(
        told(Shape::OpenAi, openais, "").unwrap(),
        format!(
            r#"{{"id":"gen-1","model":"acme/judge","results":{openais},"usage":{{"prompt_tokens":0,"total_tokens":0,"cost":0.000002}}}}"#
        )
    );
    let mistrals = r#"[{"categories":{"pii":true},"category_scores":{"pii":0.9}},{"categories":{"pii":false},"category_scores":{"pii":0.1}}]"#;
    let told = told(Shape::Mistral, mistrals, r#","usage":{"prompt_tokens":7}"#).unwrap();
    assert!(
        told.contains(r#"[{"flagged":true,"categories":{"pii":true}"#),
        "{told}"
    );
    assert!(
        told.contains(r#"{"flagged":false,"categories":{"pii":false}"#),
        "{told}"
    );
    assert!(told.contains(r#""prompt_tokens":7"#), "{told}");
}

#[test]
fn a_verdict_too_few_or_too_many_is_the_providers_failure() {
    let one = r#"{"flagged":false,"categories":{"hate":false}}"#;
    for results in [
        "null".to_owned(),
        "[]".to_owned(),
        format!("[{one}]"),
        format!("[{one},{one},{one}]"),
        format!(r#"[{one},{{"flagged":false}}]"#),
        format!(r#"[{one},{{"flagged":false,"categories":{{"hate":0}}}}]"#),
    ] {
        for shape in Shape::ALL {
            let failure = told(shape, &results, "").unwrap_err();
            assert_eq!(failure.next, Next::TryAnother, "{shape:?} {results}");
        }
    }
    assert!(told(Shape::OpenAi, &format!("[{one},{one}]"), "").is_ok());
}

//! Golden pairs: what each vendor is sent, and what the client is told.

use bourse_vocab::rerank::Shape;
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

const REQUEST: &str = r#"{"model":"acme/rank","query":"which\u003f","documents":["one",{"text":"two"},"three"],"top_n":2,"provider":{"only":["x"]},"user":"alice","wit":1}"#;

#[test]
fn each_vendor_is_asked_in_its_own_words() {
    for (shape, body) in [
        (
            Shape::Cohere,
            r#"{"model":"vendors-name","query":"which?","documents":["one","two","three"],"top_n":2}"#,
        ),
        (
            Shape::Voyage,
            r#"{"model":"vendors-name","query":"which?","documents":["one","two","three"],"top_k":2,"return_documents":false,"truncation":false}"#,
        ),
        (
            Shape::Jina,
            r#"{"model":"vendors-name","query":"which?","documents":["one","two","three"],"top_n":2,"return_documents":false}"#,
        ),
    ] {
        let written = codec(shape).write(&asked(REQUEST).unwrap(), "vendors-name");
        let written = written.unwrap();
        let is = String::from_utf8(written.body.concat()).unwrap();
        assert_eq!(is, body, "{shape:?}");
        let lost: Vec<_> = written.losses.iter().map(|loss| &*loss.field).collect();
        assert_eq!(lost, ["wit"], "{shape:?}");
    }
    let shapes: Vec<_> = Shape::ALL.iter().map(|one| codec(*one).shape()).collect();
    assert_eq!(shapes, Shape::ALL);
}

#[test]
fn pictures_are_sent_to_those_who_look_at_them() {
    let body =
        r#"{"model":"m","query":"q","documents":[{"image":"https://x.example/1.png","text":"a"}]}"#;
    let asked = asked(body).unwrap();
    for shape in [Shape::Cohere, Shape::Voyage] {
        let refused = codec(shape).write(&asked, "m").unwrap_err();
        assert_eq!(refused.next, Next::TryAnother, "{shape:?}");
    }
    let written = codec(Shape::Jina).write(&asked, "m").unwrap();
    let is = String::from_utf8(written.body.concat()).unwrap();
    assert!(
        is.contains(r#"[{"text":"a","image":"https://x.example/1.png"}]"#),
        "{is}"
    );
}

#[test]
fn a_request_that_is_none_is_refused_by_its_member() {
    let many = vec!["\"a\""; asked::DOCUMENTS_MAX + 1].join(",");
    for (members, start) in [
        (r#""documents":["a"]"#.to_owned(), "query: "),
        (r#""query":"","documents":["a"]"#.to_owned(), "query: "),
        (r#""query":"q""#.to_owned(), "documents: "),
        (r#""query":"q","documents":[]"#.to_owned(), "documents: "),
        (r#""query":"q","documents":"a""#.to_owned(), "documents: "),
        (
            format!(r#""query":"q","documents":[{many}]"#),
            "documents: ",
        ),
        (
            r#""query":"q","documents":["a",7]"#.to_owned(),
            "documents[1]: ",
        ),
        (
            r#""query":"q","documents":[{}]"#.to_owned(),
            "documents[0]: ",
        ),
        (
            r#""query":"q","documents":[{"text":7}]"#.to_owned(),
            "documents[0]: ",
        ),
        (
            r#""query":"q","documents":["a"],"top_n":0"#.to_owned(),
            "top_n: ",
        ),
        (
            r#""query":"q","documents":["a"],"stream":true"#.to_owned(),
            "stream: ",
        ),
    ] {
        let refused = asked(&format!("{{{members}}}")).unwrap_err();
        assert!(refused.message.starts_with(start), "{}", refused.message);
    }
}

#[test]
fn search_units_are_a_hundred_documents_and_long_ones_count_more() {
    let of = |count: usize, bytes: usize| {
        let text = format!("\"{}\"", "a".repeat(bytes));
        let documents = vec![text; count].join(",");
        let body = format!(r#"{{"query":"q","documents":[{documents}]}}"#);
        asked(&body).unwrap().search_units_max()
    };
    assert_eq!((of(1, 1), of(100, 499), of(101, 1)), (1, 1, 2));
    assert_eq!((of(100, 500), of(1, 50_000)), (2, 2));
}

fn told(shape: Shape, body: &str) -> Result<String, Failure> {
    let asked = asked(REQUEST).unwrap();
    let reply = codec(shape).read(&Bytes::copy_from_slice(body.as_bytes()), &asked)?;
    let stamp = Stamp {
        id: "gen-1",
        model: "acme/rank",
        provider: "Acme",
        created: 17,
        metadata: None,
    };
    let usage = reply.usage.resolve(&Usage::default()).0;
    let bill = Bill {
        total: Nanos(2_000_000),
        ..Bill::default()
    };
    let whole = begin(&reply, &asked, &stamp).finish(&usage, &bill);
    Ok(String::from_utf8(whole).unwrap())
}

#[test]
fn every_vendors_order_is_told_with_its_digits_and_its_counts() {
    let results = r#"[{"index":2,"relevance_score":0.10},{"index":0,"relevance_score":9.5e-1},{"index":1,"relevance_score":0.2}]"#;
    for (shape, body, counts) in [
        (
            Shape::Cohere,
            format!(
                r#"{{"id":"x","results":{results},"meta":{{"billed_units":{{"search_units":1}}}}}}"#
            ),
            r#"{"search_units":1,"total_tokens":0,"cost":0.002}"#,
        ),
        (
            Shape::Voyage,
            format!(r#"{{"object":"list","data":{results},"usage":{{"total_tokens":26}}}}"#),
            r#"{"total_tokens":26,"cost":0.002}"#,
        ),
        (
            Shape::Jina,
            format!(r#"{{"model":"x","results":{results},"usage":{{"prompt_tokens":26}}}}"#),
            r#"{"total_tokens":26,"cost":0.002}"#,
        ),
    ] {
        assert_eq!(
            told(shape, &body).unwrap(),
            format!(
                r#"{{"id":"gen-1","model":"acme/rank","provider":"Acme","results":[{{"index":0,"relevance_score":9.5e-1,"document":{{"text":"one"}}}},{{"index":1,"relevance_score":0.2,"document":{{"text":"two"}}}}],"usage":{counts}}}"#
            ),
            "{shape:?}"
        );
    }
}

#[test]
fn an_order_of_another_list_is_the_providers_failure() {
    for results in [
        r#"[{"index":0,"relevance_score":1}]"#,
        r#"[{"index":0,"relevance_score":1},{"index":0,"relevance_score":1}]"#,
        r#"[{"index":0,"relevance_score":1},{"index":3,"relevance_score":1}]"#,
        r#"[{"index":0,"relevance_score":1},{"index":-1,"relevance_score":1}]"#,
        r#"[{"index":0,"relevance_score":1},{"index":1}]"#,
        r#"[{"index":0,"relevance_score":1},{"index":1,"relevance_score":null}]"#,
        r#"[{"index":0,"relevance_score":1},{"index":1,"relevance_score":NaN}]"#,
        r#"[{"index":0,"relevance_score":1},{"index":1,"relevance_score":1e999}]"#,
        r#"[{"index":0,"relevance_score":1},{"index":1,"relevance_score":"1"}]"#,
        "7",
    ] {
        for shape in Shape::ALL {
            let body = format!(r#"{{"results":{results}}}"#);
            let failure = told(shape, &body).unwrap_err();
            assert_eq!(failure.next, Next::TryAnother, "{shape:?} {results}");
        }
    }
    assert!(told(Shape::Cohere, "{}").is_err());
}

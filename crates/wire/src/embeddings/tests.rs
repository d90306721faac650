//! Golden pairs: what each vendor is sent for a client's request, and what
//! the client is told of each vendor's reply.

use bourse_vocab::embeddings::Shape;
use bourse_vocab::{Bill, Nanos, Next, Usage};

use super::*;
use crate::codec::Stamp;
use crate::json::scan;

fn asked(body: &str) -> Asked {
    let mut asked = Asked::read(scan(body.as_bytes()).unwrap(), cut(body)).unwrap();
    asked.user = Some("user-1".to_owned());
    asked
}

fn cut(body: &str) -> Vec<Bytes> {
    let pieces = body.as_bytes().chunks(7);
    pieces.map(Bytes::copy_from_slice).collect()
}

fn written(shape: Shape, body: &str) -> Result<(String, Vec<String>), Failure> {
    let written = codec(shape).write(&asked(body), "vendors-name")?;
    let losses = written.losses.into_iter().map(|loss| loss.field).collect();
    Ok((String::from_utf8(written.body.concat()).unwrap(), losses))
}

const REQUEST: &str = r#"{"model":"acme/embed","input":["one","two\u00e9"],"dimensions":2,"encoding_format":"base64","input_type":"search_query","user":"alice","provider":{"only":["x"]},"session_id":"s","top_p":1}"#;

#[test]
fn each_vendor_is_asked_in_its_own_words() {
    for (shape, body, losses) in [
        (
            Shape::OpenAi,
            r#"{"model":"vendors-name","input":["one","two\u00e9"],"dimensions":2,"encoding_format":"base64","user":"user-1"}"#,
            vec!["top_p", "input_type"],
        ),
        (
            Shape::Mistral,
            r#"{"model":"vendors-name","input":["one","two\u00e9"],"encoding_format":"base64","output_dimension":2}"#,
            vec!["top_p", "user", "input_type"],
        ),
        (
            Shape::Voyage,
            r#"{"model":"vendors-name","input":["one","two\u00e9"],"input_type":"query","output_dimension":2,"truncation":false}"#,
            vec!["top_p", "user"],
        ),
        (
            Shape::Jina,
            r#"{"model":"vendors-name","input":["one","two\u00e9"],"dimensions":2,"task":"retrieval.query"}"#,
            vec!["top_p", "user"],
        ),
        (
            Shape::Gemini,
            r#"{"requests":[{"model":"models/vendors-name","content":{"parts":[{"text":"one"}]},"taskType":"RETRIEVAL_QUERY","outputDimensionality":2},{"model":"models/vendors-name","content":{"parts":[{"text":"twoé"}]},"taskType":"RETRIEVAL_QUERY","outputDimensionality":2}]}"#,
            vec!["top_p", "user"],
        ),
        (
            Shape::Vertex,
            r#"{"instances":[{"content":"one","task_type":"RETRIEVAL_QUERY"},{"content":"twoé","task_type":"RETRIEVAL_QUERY"}],"parameters":{"autoTruncate":false,"outputDimensionality":2}}"#,
            vec!["top_p", "user"],
        ),
        (
            Shape::Cohere,
            r#"{"model":"vendors-name","input_type":"search_query","embedding_types":["float"],"truncate":"NONE","output_dimension":2,"texts":["one","twoé"]}"#,
            vec!["top_p", "user"],
        ),
    ] {
        let (is, lost) = written(shape, REQUEST).unwrap();
        let parse = |text: &str| bourse_vocab::json::parse(text.as_bytes()).unwrap();
        assert_eq!(parse(&is), parse(body), "{shape:?}: {is}");
        assert_eq!(lost, losses, "{shape:?}");
    }
    let shapes: Vec<_> = Shape::ALL
        .iter()
        .map(|shape| codec(*shape).shape())
        .collect();
    assert_eq!(shapes, Shape::ALL);
}

#[test]
fn what_is_simply_asked_is_sent_to_openai_byte_by_byte() {
    let body = r#"{"input" : "a\/b", "model":"vendors-name" }"#;
    let mut plain = asked(body);
    plain.user = None;
    let written = codec(Shape::OpenAi).write(&plain, "vendors-name").unwrap();
    assert_eq!(written.body.concat(), body.as_bytes());
    assert_eq!(written.losses, []);
}

#[test]
fn tokens_go_to_those_who_take_them_and_others_are_told_to_try_elsewhere() {
    let body = r#"{"model":"m","input":[[1,2],[3]]}"#;
    let (is, _) = written(Shape::OpenAi, body).unwrap();
    assert!(is.contains("[[1,2],[3]]"), "{is}");
    for shape in Shape::ALL
        .into_iter()
        .filter(|shape| *shape != Shape::OpenAi)
    {
        let refused = written(shape, body).unwrap_err();
        assert_eq!(refused.next, Next::TryAnother, "{shape:?}");
        assert!(refused.message.contains("no tokens"), "{}", refused.message);
    }
}

#[test]
fn nobody_is_sent_more_inputs_than_it_takes() {
    let body = |count: usize| {
        let inputs = vec!["\"a\""; count].join(",");
        format!(r#"{{"model":"m","input":[{inputs}]}}"#)
    };
    for (shape, most) in [
        (Shape::Gemini, 100),
        (Shape::Vertex, 250),
        (Shape::Cohere, 96),
        (Shape::Voyage, 1_000),
    ] {
        assert!(written(shape, &body(most)).is_ok());
        let refused = written(shape, &body(most + 1)).unwrap_err();
        assert_eq!(refused.next, Next::TryAnother);
        assert!(
            refused.message.contains(&most.to_string()),
            "{}",
            refused.message
        );
    }
    assert!(written(Shape::OpenAi, &body(2_048)).is_ok());
}

#[test]
fn pictures_go_where_they_can_be_said() {
    let body = r#"{"model":"m","input":[{"content":[{"type":"text","text":"a"},{"type":"image_url","image_url":{"url":"data:image/png;base64,AAAA"}}]}]}"#;
    let (gemini, _) = written(Shape::Gemini, body).unwrap();
    assert!(
        gemini.contains(
            r#"{"parts":[{"text":"a"},{"inlineData":{"mimeType":"image/png","data":"AAAA"}}]}"#
        ),
        "{gemini}"
    );
    let (cohere, _) = written(Shape::Cohere, body).unwrap();
    assert!(
        cohere.contains(r#""inputs":[{"content":[{"type":"text","text":"a"},{"type":"image_url","image_url":{"url":"data:image/png;base64,AAAA"}}]}]"#),
        "{cohere}"
    );
    let elsewhere = body.replace("data:image/png;base64,AAAA", "https://example.com/a.png");
    let sound = body.replace(r#""type":"text","text":"a""#, r#""type":"input_audio""#);
    for (shape, body) in [
        (Shape::OpenAi, body),
        (Shape::Voyage, body),
        (Shape::Vertex, body),
        (Shape::Gemini, &elsewhere),
        (Shape::Cohere, &elsewhere),
        (Shape::Gemini, &sound),
        (Shape::Cohere, &sound),
    ] {
        let refused = written(shape, body).unwrap_err();
        assert_eq!(refused.next, Next::TryAnother, "{shape:?}");
    }
}

#[test]
fn a_member_that_is_not_as_documented_is_refused_by_name() {
    for (member, part) in [
        (r#""dimensions":0"#, "dimensions: must be"),
        (r#""dimensions":1.5"#, "dimensions: must be"),
        (r#""dimensions":"8""#, "dimensions: must be"),
        (r#""encoding_format":"int8""#, "encoding_format: must be"),
        (r#""encoding_format":1"#, "encoding_format: must be a text"),
        (r#""input_type":[]"#, "input_type: must be a text"),
        (r#""stream":true"#, "stream: vectors are not streamed"),
        (r#""Model":"b""#, "spelled almost like"),
    ] {
        let body = format!(r#"{{"model":"m","input":"a",{member}}}"#);
        let read = Asked::read(scan(body.as_bytes()).unwrap(), cut(&body));
        let refused = read.unwrap_err().message;
        assert!(refused.contains(part), "{member}: {refused}");
    }
    let refused = Asked::read(scan(b"{}").unwrap(), cut("{}")).unwrap_err();
    assert_eq!(refused.message, "input: is required");
    for content in [
        "1",
        "[]",
        "[1]",
        r#"[{"type":"text"}]"#,
        r#"[{"type":"image_url"}]"#,
    ] {
        let body = format!(r#"{{"model":"m","input":[{{"content":{content}}}]}}"#);
        let refused = asked(&body).inputs().unwrap_err().message;
        assert!(refused.starts_with("input[0].content"), "{refused}");
    }
}

fn told(shape: Shape, reply: &str, inputs: usize) -> Result<(String, Option<u64>), Failure> {
    let reply = codec(shape).read(&Bytes::copy_from_slice(reply.as_bytes()), inputs)?;
    let stamp = Stamp {
        id: "gen-1",
        model: "acme/embed",
        provider: "Acme",
        created: 1,
        metadata: None,
    };
    let begun = reply::begin(&reply, bourse_vocab::embeddings::Encoding::Float, &stamp)?;
    let usage = Usage {
        prompt: 7,
        ..Usage::default()
    };
    let bill = Bill {
        total: Nanos(140),
        upstream_prompt: Nanos(140),
        ..Bill::default()
    };
    let text = String::from_utf8(begun.finish(&usage, &bill)).unwrap();
    Ok((text, reply.usage.prompt))
}

const TOLD: &str = r#"{"object":"list","data":[{"object":"embedding","index":0,"embedding":[0.10,-1e-3]},{"object":"embedding","index":1,"embedding":[2,3.5]}],"model":"acme/embed","id":"gen-1","provider":"Acme","usage":{"prompt_tokens":7,"total_tokens":7,"cost":0.00000014,"is_byok":false,"cost_details":{"upstream_inference_cost":0.00000014,"upstream_inference_prompt_cost":0.00000014,"upstream_inference_completions_cost":0}}}"#;

#[test]
fn each_vendors_reply_is_told_in_the_same_shape_with_its_own_digits() {
    let openai = r#"{"object":"list","data":[{"object":"embedding","embedding":[0.10,-1e-3],"index":0},{"object":"embedding","embedding":[2,3.5],"index":1}],"model":"m","usage":{"prompt_tokens":5,"total_tokens":5}}"#;
    let voyage = r#"{"object":"list","data":[{"object":"embedding","embedding":[0.10,-1e-3],"index":0},{"object":"embedding","embedding":[2,3.5],"index":1}],"model":"m","usage":{"total_tokens":5}}"#;
    let gemini = r#"{"embeddings":[{"values":[0.10,-1e-3]},{"values":[2,3.5]}],"usageMetadata":{"promptTokenCount":5}}"#;
    let vertex = r#"{"predictions":[{"embeddings":{"values":[0.10,-1e-3],"statistics":{"truncated":false,"token_count":2}}},{"embeddings":{"statistics":{"token_count":3,"truncated":false},"values":[2,3.5]}}]}"#;
    let cohere = r#"{"id":"c","embeddings":{"float":[[0.10,-1e-3],[2,3.5]]},"texts":["one","two"],"meta":{"api_version":{"version":"2"},"billed_units":{"input_tokens":5}}}"#;
    for (shape, reply) in [
        (Shape::OpenAi, openai),
        (Shape::Mistral, openai),
        (Shape::Voyage, voyage),
        (Shape::Jina, voyage),
        (Shape::Gemini, gemini),
        (Shape::Vertex, vertex),
        (Shape::Cohere, cohere),
    ] {
        let (text, counted) = told(shape, reply, 2).unwrap();
        assert_eq!(text, TOLD, "{shape:?}");
        assert_eq!(counted, Some(5), "{shape:?}");
        for inputs in [1, 3] {
            assert!(told(shape, reply, inputs).is_err(), "{shape:?}");
        }
        for cut in 0..reply.len() {
            assert!(told(shape, &reply[..cut], 2).is_err(), "{shape:?}: {cut}");
        }
    }
}

#[test]
fn vectors_that_cannot_be_those_of_the_inputs_are_no_reply() {
    let reply = |data: &str| format!(r#"{{"data":[{data}],"usage":{{"prompt_tokens":1}}}}"#);
    let good = r#"{"index":0,"embedding":[1,2]},{"index":1,"embedding":"AACAPwAAIMA="}"#;
    assert!(told(Shape::OpenAi, &reply(good), 2).is_ok());
    for (data, why) in [
        (
            r#"{"index":1,"embedding":[1]},{"index":0,"embedding":[2]}"#,
            "another order",
        ),
        (
            r#"{"index":0,"embedding":[1]},{"index":0,"embedding":[2]}"#,
            "another order",
        ),
        (
            r#"{"index":0,"embedding":[1]},{"index":1,"embedding":[2,3]}"#,
            "equally long",
        ),
        (
            r#"{"index":0,"embedding":[1]},{"index":1,"embedding":[null]}"#,
            "numbers",
        ),
        (
            r#"{"index":0,"embedding":[1]},{"index":1,"embedding":"AADAfw=="}"#,
            "numbers",
        ),
        (
            r#"{"index":0,"embedding":[1]},{"index":1,"embedding":[NaN]}"#,
            "documented shape",
        ),
        (r#"{"index":0},{"index":1}"#, "documented shape"),
    ] {
        let failed = told(Shape::OpenAi, &reply(data), 2).unwrap_err();
        assert!(failed.message.contains(why), "{data}: {}", failed.message);
        assert_eq!(failed.next, Next::TryAnother, "{data}");
    }
}

#[test]
fn usage_that_is_missing_or_nonsense_is_not_made_up() {
    let usage = |usage: &str| {
        let reply = format!(r#"{{"data":[{{"embedding":[1]}}]{usage}}}"#);
        codec(Shape::OpenAi)
            .read(&reply.into_bytes().into(), 1)
            .unwrap()
            .usage
    };
    for (text, prompt, completion, nonsense) in [
        ("", None, None, false),
        (r#","usage":null"#, None, None, false),
        (r#","usage":{"total_tokens":3}"#, Some(3), Some(0), false),
        (
            r#","usage":{"prompt_tokens":0,"total_tokens":3}"#,
            Some(3),
            Some(0),
            false,
        ),
        (
            r#","usage":{"prompt_tokens":0,"total_tokens":0}"#,
            Some(0),
            Some(0),
            false,
        ),
        (r#","usage":{"prompt_tokens":-1}"#, None, None, true),
    ] {
        let report = usage(text);
        assert_eq!(
            (report.prompt, report.completion),
            (prompt, completion),
            "{text}"
        );
        assert_eq!(report.nonsense, nonsense, "{text}");
    }
}

/// Google's model of that name takes one text at a time, and counts by the text.
#[test]
fn vertex_is_asked_for_one_text_at_a_time_where_it_takes_no_more() {
    let codec = codec(Shape::Vertex);
    let one = asked(r#"{"model":"m","input":["a"]}"#);
    let two = asked(r#"{"model":"m","input":["a","b"]}"#);
    assert!(codec.write(&one, "gemini-embedding-001").is_ok());
    let refused = codec.write(&two, "gemini-embedding-001").unwrap_err();
    assert_eq!(refused.next, Next::TryAnother);
    let uncounted = r#"{"predictions":[{"embeddings":{"values":[1],"statistics":{"token_count":2}}},{"embeddings":{"values":[1]}}]}"#;
    let (_, counted) = told(Shape::Vertex, uncounted, 2).unwrap();
    assert_eq!(counted, None, "half of it is not all of it");
}

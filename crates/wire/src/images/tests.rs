//! Golden pairs: what each vendor is sent for a client's request, and what
//! the client is told of each vendor's reply.

use bourse_vocab::images::Shape;
use bourse_vocab::{Bill, Nanos, Next, Usage};

use super::reply::{Speech, begin};
use super::stream::{Stream, Told};
use super::*;
use crate::codec::Stamp;
use crate::json::scan;

const DOT: &str = "iVBORw0KGgoAAAANSUhEUg==";

fn asked(body: &str) -> Result<Asked, Failure> {
    let pieces = body.as_bytes().chunks(7);
    let segments = pieces.map(Bytes::copy_from_slice).collect();
    let mut asked = Asked::read(scan(body.as_bytes()).unwrap(), segments)?;
    asked.user = Some("user-1".to_owned());
    Ok(asked)
}

fn written(shape: Shape, body: &str) -> Result<(String, Vec<String>), Failure> {
    let written = codec(shape).write(&asked(body)?, "vendors-name")?;
    let losses = written.losses.into_iter().map(|loss| loss.field).collect();
    Ok((String::from_utf8(written.body.concat()).unwrap(), losses))
}

#[test]
fn each_vendor_is_asked_in_its_own_words() {
    let all = r#"{"model":"acme/draw","prompt":"a \u00e9 cat","n":2,"size":"1536x1024","quality":"high","background":"opaque","moderation":"low","output_format":"jpeg","output_compression":80,"seed":7,"style":"vivid","user":"alice","provider":{"only":["x"]},"wit":1}"#;
    let shaped = r#"{"model":"acme/draw","prompt":"cat","aspect_ratio":"16:9","resolution":"1K"}"#;
    for (shape, request, body, losses) in [
        (
            Shape::OpenAi,
            all,
            r#"{"model":"vendors-name","prompt":"a é cat","n":2,"size":"1536x1024","quality":"high","background":"opaque","moderation":"low","output_format":"jpeg","output_compression":80,"user":"user-1"}"#,
            vec!["wit", "seed", "style"],
        ),
        (
            Shape::OpenAi,
            shaped,
            r#"{"model":"vendors-name","prompt":"cat","size":"1536x1024","user":"user-1"}"#,
            vec!["aspect_ratio"],
        ),
        (
            Shape::Xai,
            all,
            r#"{"model":"vendors-name","prompt":"a é cat","n":2,"response_format":"b64_json","aspect_ratio":"3:2","quality":"high","user":"user-1"}"#,
            vec![
                "wit",
                "background",
                "moderation",
                "output_format",
                "output_compression",
                "seed",
                "style",
                "size",
            ],
        ),
        (
            Shape::Xai,
            shaped,
            r#"{"model":"vendors-name","prompt":"cat","response_format":"b64_json","aspect_ratio":"16:9","user":"user-1"}"#,
            vec![],
        ),
        (
            Shape::Imagen,
            all,
            r#"{"instances":[{"prompt":"a é cat"}],"parameters":{"sampleCount":2,"outputOptions":{"mimeType":"image/jpeg"}}}"#,
            vec![
                "wit",
                "quality",
                "background",
                "moderation",
                "output_compression",
                "seed",
                "style",
                "user",
                "size",
            ],
        ),
        (
            Shape::Imagen,
            shaped,
            r#"{"instances":[{"prompt":"cat"}],"parameters":{"sampleCount":1,"aspectRatio":"16:9"}}"#,
            vec!["user"],
        ),
    ] {
        let (is, lost) = written(shape, request).unwrap();
        assert_eq!(is, body, "{shape:?}");
        assert_eq!(lost, losses, "{shape:?}");
    }
    let shapes: Vec<_> = Shape::ALL.iter().map(|one| codec(*one).shape()).collect();
    assert_eq!(shapes, Shape::ALL);
}

#[test]
fn what_one_vendor_cannot_do_another_is_asked() {
    for (shape, member) in [
        (Shape::OpenAi, r#""response_format":"url""#),
        (Shape::Imagen, r#""response_format":"url""#),
        (Shape::Imagen, r#""n":5"#),
        (Shape::Imagen, r#""resolution":"2K""#),
        (Shape::Xai, r#""size":"4K""#),
    ] {
        let body = format!(r#"{{"model":"m","prompt":"p",{member}}}"#);
        let refused = written(shape, &body).unwrap_err();
        assert_eq!(refused.next, Next::TryAnother, "{shape:?} {member}");
    }
    let (is, _) = written(
        Shape::Xai,
        r#"{"model":"m","prompt":"p","response_format":"url"}"#,
    )
    .unwrap();
    assert!(is.contains(r#""response_format":"url""#), "{is}");
}

#[test]
fn a_request_that_is_none_is_refused_by_its_member() {
    for (members, start) in [
        (r#""model":"m""#, "prompt: "),
        (r#""prompt":"""#, "prompt: "),
        (r#""prompt":7"#, "prompt: "),
        (r#""prompt":"p","n":0"#, "n: "),
        (r#""prompt":"p","n":11"#, "n: "),
        (r#""prompt":"p","n":1.5"#, "n: "),
        (r#""prompt":"p","size":"big""#, "size: "),
        (r#""prompt":"p","size":"40000x25000""#, "size: "),
        (r#""prompt":"p","quality":"best""#, "quality: "),
        (r#""prompt":"p","output_format":"svg""#, "output_format: "),
        (
            r#""prompt":"p","output_compression":101"#,
            "output_compression: ",
        ),
        (
            r#""prompt":"p","response_format":"file""#,
            "response_format: ",
        ),
        (r#""prompt":"p","seed":-1"#, "seed: "),
        (r#""prompt":"p","svg":{"model":"x"}"#, "svg: "),
        (
            r#""prompt":"p","input_references":[]"#,
            "input_references: ",
        ),
        (r#""prompt":"p","Tools":[1]"#, "Tools: "),
    ] {
        let refused = asked(&format!("{{{members}}}")).unwrap_err();
        assert!(refused.message.starts_with(start), "{}", refused.message);
    }
}

fn told(shape: Shape, body: &str, speech: Speech) -> Result<String, Failure> {
    let reply = codec(shape).read(&Bytes::copy_from_slice(body.as_bytes()))?;
    let stamp = Stamp {
        id: "gen-1",
        model: "acme/draw",
        provider: "Acme",
        created: 17,
        metadata: None,
    };
    let usage = reply.usage.resolve(&Usage::default()).0;
    let bill = Bill {
        total: Nanos(1_500_000),
        ..Bill::default()
    };
    let whole = begin(&reply, speech, &stamp)?.finish(&usage, &bill);
    Ok(String::from_utf8(whole).unwrap())
}

#[test]
fn every_vendors_pictures_are_told_in_both_ways() {
    let openais = format!(
        r#"{{"created":1,"data":[{{"b64_json":"{DOT}","revised_prompt":"a cat"}}],"size":"1024x1024","quality":"low","output_format":"png","background":"opaque","usage":{{"input_tokens":5,"output_tokens":272,"total_tokens":277,"input_tokens_details":{{"text_tokens":5,"image_tokens":0}}}}}}"#
    );
    assert_eq!(
        told(Shape::OpenAi, &openais, Speech::OpenAi).unwrap(),
        format!(
            r#"{{"created":17,"data":[{{"b64_json":"{DOT}","revised_prompt":"a cat"}}],"background":"opaque","output_format":"png","quality":"low","size":"1024x1024","usage":{{"input_tokens":5,"output_tokens":272,"total_tokens":277,"input_tokens_details":{{"text_tokens":5,"image_tokens":0}},"output_tokens_details":{{"image_tokens":272,"text_tokens":0}},"cost":0.0015,"is_byok":false}}}}"#
        )
    );
    let imagens = format!(
        r#"{{"predictions":[{{"mimeType":"image/png","bytesBase64Encoded":"{DOT}"}},{{"raiFilteredReason":"no"}}]}}"#
    );
    for (shape, body) in [(Shape::OpenAi, &openais), (Shape::Imagen, &imagens)] {
        let is = told(shape, body, Speech::OpenRouter).unwrap();
        let start = format!(
            r#"{{"created":17,"data":[{{"b64_json":"{DOT}","media_type":"image/png"}}],"usage":"#
        );
        assert!(is.starts_with(&start), "{is}");
        assert!(is.contains(r#""cost":0.0015"#), "{is}");
    }
    let at_address =
        r#"{"data":[{"url":"https://x.example/1.jpg"}],"usage":{"cost_in_usd_ticks":200000000}}"#;
    let is = told(Shape::Xai, at_address, Speech::OpenAi).unwrap();
    assert!(
        is.contains(r#"[{"url":"https://x.example/1.jpg"}]"#),
        "{is}"
    );
    let read = codec(Shape::Xai).read(&Bytes::from(at_address)).unwrap();
    assert_eq!(
        read.usage.cost,
        bourse_vocab::ToldCost::Said(Nanos(20_000_000))
    );
}

#[test]
fn pictures_are_counted_and_escapes_in_them_are_undone() {
    let two = r#"{"data":[{"b64_json":"\/9j\/AA=="},{"b64_json":"AAAA"}]}"#;
    let read = codec(Shape::OpenAi).read(&Bytes::from(two)).unwrap();
    assert_eq!(read.usage.units.pictures, Some(2));
    assert_eq!((read.usage.prompt, read.usage.completion), (None, None));
    let is = told(Shape::OpenAi, two, Speech::OpenRouter).unwrap();
    assert!(
        is.contains(r#"{"b64_json":"/9j/AA==","media_type":"image/jpeg"},{"b64_json":"AAAA"}"#),
        "{is}"
    );
}

#[test]
fn a_reply_without_a_picture_is_the_providers_failure() {
    for (shape, body) in [
        (Shape::OpenAi, r#"{"data":[]}"#),
        (Shape::OpenAi, r#"{"data":[{}]}"#),
        (Shape::OpenAi, r#"{"data":[{"b64_json":""}]}"#),
        (Shape::OpenAi, r#"{"data":[{"b64_json":"no base64!"}]}"#),
        (Shape::OpenAi, r#"{"data":[{"b64_json":7}]}"#),
        (Shape::OpenAi, r#"{"data":[{"url":"javascript:alert(1)"}]}"#),
        (Shape::OpenAi, r#"{}"#),
        (Shape::OpenAi, "<html>"),
        (
            Shape::Imagen,
            r#"{"predictions":[{"raiFilteredReason":"x"}]}"#,
        ),
        (Shape::Imagen, "{}"),
        (Shape::Imagen, "[]"),
    ] {
        let failure = told(shape, body, Speech::OpenAi).unwrap_err();
        assert_eq!(failure.next, Next::TryAnother, "{shape:?} {body}");
    }
    let at_address = r#"{"data":[{"url":"https://x.example/1.jpg"}]}"#;
    assert!(told(Shape::Xai, at_address, Speech::OpenRouter).is_err());
}

const PNG: &[u8] = b"\x89PNG\r\n\x1a\n\0\0\0\x0dIHDR\0\0\0\x08\0\0\0\x09\x08\x06\0\0\0";

fn edited(fields: &[(&str, &str)], files: &[&str]) -> Result<Asked, Failure> {
    let mut body = Vec::new();
    for (name, value) in fields {
        let part =
            format!("--x\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n");
        body.extend(part.as_bytes());
    }
    for name in files {
        let head = format!(
            "--x\r\nContent-Disposition: form-data; name=\"{name}\"; filename=\"b.exe\"\r\nContent-Type: text/html\r\n\r\n"
        );
        body.extend(head.as_bytes());
        body.extend(PNG);
        body.extend(b"\r\n");
    }
    body.extend(b"--x--\r\n");
    let boundary = Boundary::of_content_type("multipart/form-data; boundary=x");
    let mut reader = crate::multipart::Reader::new(&boundary.unwrap().unwrap(), 1 << 20);
    let segments: Vec<_> = body.chunks(11).map(Bytes::copy_from_slice).collect();
    for piece in &segments {
        reader.push(piece).unwrap();
    }
    Asked::of_form(&reader.finish().unwrap(), &segments)
}

#[test]
fn pictures_to_change_are_sent_as_what_they_are_and_words_as_they_were() {
    let fields = [
        ("model", "acme/draw"),
        ("prompt", "a \"red\" cat"),
        ("n", "2"),
        ("size", "1024x1024"),
        ("input_fidelity", "high"),
        ("seed", "7"),
        ("provider", r#"{"only":["x"]}"#),
        ("wit", "1"),
    ];
    let asked = edited(&fields, &["image[]", "image[]", "mask"]).unwrap();
    assert_eq!(asked.pictures, 2);
    assert_eq!(asked.given.all().count(), 3);
    let boundary = Boundary::of_content_type("multipart/form-data; boundary=ours");
    let boundary = boundary.unwrap().unwrap();
    let written = codec(Shape::OpenAi).write_edit(&asked, "vendors-name", &boundary);
    let written = written.unwrap();
    let text = String::from_utf8_lossy(&written.body.concat()).into_owned();
    let heads: Vec<_> = text
        .lines()
        .filter(|line| line.starts_with("Content-"))
        .collect();
    let picture = |name: &str| {
        [
            format!("Content-Disposition: form-data; name=\"{name}\"; filename=\"image.png\""),
            "Content-Type: image/png".to_owned(),
        ]
    };
    let words = ["model", "prompt", "n", "size", "input_fidelity"];
    let words = words.map(|name| format!("Content-Disposition: form-data; name=\"{name}\""));
    let pictures = [picture("image[]"), picture("image[]"), picture("mask")].concat();
    assert_eq!(heads, [words.to_vec(), pictures].concat());
    assert!(text.contains("\r\n\r\na \"red\" cat\r\n--ours"), "{text}");
    let lost: Vec<_> = written.losses.iter().map(|loss| &*loss.field).collect();
    assert_eq!(lost, ["wit", "seed"]);
    for shape in [Shape::Xai, Shape::Imagen] {
        let refused = codec(shape).write_edit(&asked, "m", &boundary).unwrap_err();
        assert_eq!(refused.next, Next::TryAnother, "{shape:?}");
    }
}

#[test]
fn a_form_cannot_smuggle_members_into_its_words() {
    for (name, value) in [
        ("n", "1,\"model\":\"other\""),
        ("stream", "true}"),
        ("provider", "{}}"),
        ("partial_images", ""),
        ("seed", "[1]"),
    ] {
        let fields = [("model", "m"), ("prompt", "p"), (name, value)];
        let refused = edited(&fields, &["image"]).unwrap_err();
        assert!(refused.message.starts_with(name), "{}", refused.message);
    }
    let twice = [("model", "m"), ("model", "n"), ("prompt", "p")];
    assert!(edited(&twice, &["image"]).is_err());
}

fn streamed(events: &[&str]) -> Result<(String, Vec<Told>), Failure> {
    let mut stream = Stream::default();
    let mut out = Vec::new();
    let mut told = Vec::new();
    for data in events {
        let frame = crate::sse::Frame {
            event: "",
            data: data.as_bytes(),
        };
        told.push(stream.frame(&frame, &mut out)?);
    }
    let usage = stream.usage.resolve(&Usage::default()).0;
    let bill = Bill {
        total: Nanos(2_000_000),
        ..Bill::default()
    };
    stream.finish(&usage, &bill, &mut out);
    Ok((String::from_utf8(out).unwrap(), told))
}

#[test]
fn beginnings_pass_and_the_whole_picture_waits_for_its_price() {
    let partial = format!(
        r#"{{"type":"image_edit.partial_image","b64_json":"{DOT}","partial_image_index":0,"new":1}}"#
    );
    let whole = format!(
        r#"{{"type":"image_edit.completed","b64_json":"{DOT}","size":"8x8","usage":{{"input_tokens":9,"input_tokens_details":{{"text_tokens":2,"image_tokens":7}},"output_tokens":4,"total_tokens":13}}}}"#
    );
    let (out, told) = streamed(&[&partial, r#"{"type":"other"}"#, &whole, &partial]).unwrap();
    assert_eq!(
        told,
        [Told::Partial, Told::Nothing, Told::Done, Told::Nothing]
    );
    assert_eq!(
        out,
        format!(
            "data: {partial}\n\nevent: image_edit.completed\ndata: {{\"type\":\"image_edit.completed\",\"b64_json\":\"{DOT}\",\"size\":\"8x8\",\"usage\":{{\"input_tokens\":9,\"output_tokens\":4,\"total_tokens\":13,\"input_tokens_details\":{{\"text_tokens\":2,\"image_tokens\":7}},\"output_tokens_details\":{{\"image_tokens\":4,\"text_tokens\":0}},\"cost\":0.002,\"is_byok\":false}}}}\n\n"
        )
    );
}

#[test]
fn an_event_without_a_picture_is_the_providers_failure() {
    for data in [
        "7",
        r#"{"type":"error"}"#,
        r#"{"type":"image_generation.completed"}"#,
        r#"{"type":"image_generation.completed","b64_json":""}"#,
        r#"{"type":"image_generation.completed","b64_json":"no base64!"}"#,
        r#"{"type":"image_generation.partial_image","b64_json":7}"#,
        r#"{"error":{"message":"no"}}"#,
    ] {
        assert!(streamed(&[data]).is_err(), "{data}");
    }
}

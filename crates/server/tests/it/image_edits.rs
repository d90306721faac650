//! Changed and streamed pictures over HTTP: what clients are told, what it
//! costs, and what happens to forms that are none and to streams that break.

use bourse_sim::images::{GIVEN_TOKENS, PARTIAL_TOKENS, PICTURE, PICTURE_TOKENS};
use bourse_sim::{Script, UsageFault};
use serde_json::{Value, json};

use crate::client::Got;
use crate::exchange::{Exchange, Provider, Setup, eventually, script};
use crate::money_math::{charge, cost};

const DRAW: &str = "acme/draw";
const MODEL: &str = "context_length = 32000\ninput_modalities = [\"text\", \"image\"]\noutput_modalities = [\"image\"]";
/// Sold by the piece: four cents.
const EACH: &str =
    "interface = \"images\"\nprice = { prompt = \"0\", completion = \"0\", picture = \"0.04\" }\n";
const EACH_NANOS: i128 = 40_000_000;
/// Sold by its tokens, of which those of pictures cost more.
const TOKENS: &str = "interface = \"images\"\nprice = { prompt = \"5\", completion = \"10\", image_input = \"8\", image_output = \"32\" }\n";

fn draws(setup: &mut Setup, slug: &'static str, price: &str, how: Script) {
    setup.models.insert(DRAW, MODEL);
    let mut provider = Provider::new(slug, ("0", "0"), how).model(DRAW);
    provider.price = None;
    setup.provider(provider.endpoint(price));
}

fn single(price: &'static str, how: Script) -> Exchange {
    Exchange::start(|setup| draws(setup, "cheap", price, how))
}

/// The first bytes of a picture of so many pixels.
fn png(width: u32, height: u32) -> Vec<u8> {
    let mut bytes = b"\x89PNG\r\n\x1a\n\0\0\0\x0dIHDR".to_vec();
    bytes.extend(width.to_be_bytes());
    bytes.extend(height.to_be_bytes());
    bytes.extend(b"\x08\x06\0\0\0");
    bytes
}

type Files<'a> = &'a [(&'a str, Vec<u8>)];

fn form(fields: &[(&str, &str)], files: Files<'_>) -> Vec<u8> {
    let mut body = Vec::new();
    for (name, value) in fields {
        let part =
            format!("--XX\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n");
        body.extend(part.as_bytes());
    }
    for (name, file) in files {
        let head = format!(
            "--XX\r\nContent-Disposition: form-data; name=\"{name}\"; filename=\"a.gif\"\r\n\
             Content-Type: text/html\r\n\r\n"
        );
        body.extend(head.as_bytes());
        body.extend(file);
        body.extend(b"\r\n");
    }
    body.extend(b"--XX--\r\n");
    body
}

fn post(exchange: &Exchange, path: &str, content_type: &str, body: &[u8]) -> Got {
    let mut conn = exchange.connect();
    let headers = format!(
        "authorization: Bearer {}\r\ncontent-type: {content_type}\r\n",
        exchange.key
    );
    conn.request("POST", path, &headers, body);
    conn.receive()
}

fn edit(exchange: &Exchange, fields: &[(&str, &str)], files: Files<'_>) -> Got {
    let fields = [&[("model", DRAW), ("prompt", "one two three")], fields].concat();
    let body = form(&fields, files);
    post(
        exchange,
        "/v1/images/edits",
        "multipart/form-data; boundary=XX",
        &body,
    )
}

fn generate(exchange: &Exchange, over: &Value) -> Got {
    let mut body = json!({"model": DRAW, "prompt": "one two three"});
    let over = over.as_object().unwrap().clone();
    body.as_object_mut().unwrap().extend(over);
    let body = body.to_string();
    post(
        exchange,
        "/v1/images/generations",
        "application/json",
        body.as_bytes(),
    )
}

/// The data of each event.
#[track_caller]
fn events(got: &Got) -> Vec<Value> {
    assert_eq!(got.status, 200, "{}", got.text());
    assert_eq!(got.header("content-type"), Some("text/event-stream"));
    let text = got.text();
    let lines = text.lines().filter_map(|line| line.strip_prefix("data: "));
    lines
        .map(|data| serde_json::from_str(data).unwrap())
        .collect()
}

fn spent(pictures_in: u64, partials: u64) -> i128 {
    charge(3, 0, ("5", "0"))
        + charge(pictures_in * GIVEN_TOKENS, 0, ("8", "0"))
        + charge(0, PICTURE_TOKENS + partials * PARTIAL_TOKENS, ("0", "32"))
}

#[test]
fn pictures_are_changed_and_each_kind_of_token_costs_what_its_own_price_says() {
    let exchange = single(TOKENS, Script::default());
    let files = [
        ("image[]", png(512, 512)),
        ("image[]", png(64, 32)),
        ("mask", png(512, 512)),
    ];
    let words = [
        ("quality", "low"),
        ("input_fidelity", "high"),
        ("user", "alice"),
    ];
    let got = edit(&exchange, &words, &files);
    assert_eq!(got.status, 200, "{}", got.text());
    let reply = got.json();
    assert_eq!(reply["data"][0]["b64_json"], PICTURE);
    let details = &reply["usage"]["input_tokens_details"];
    assert_eq!(details["text_tokens"], 3);
    assert_eq!(details["image_tokens"], 3 * GIVEN_TOKENS);
    assert_eq!(cost(&reply["usage"]), spent(3, 0));
    let id = got.header("x-generation-id").unwrap();
    let record = exchange.get(&format!("/api/v1/generation?id={id}")).json();
    assert_eq!(record["data"]["api_type"], "image");
    let sent = exchange.upstream();
    assert!(
        sent[0].path.ends_with("/v1/images/edits"),
        "{}",
        sent[0].path
    );
    exchange.finish(spent(3, 0));
}

#[test]
fn changed_pictures_that_are_sold_by_the_piece_cost_the_piece() {
    let exchange = single(EACH, Script::default());
    let got = edit(&exchange, &[("n", "2")], &[("image", png(9, 9))]);
    assert_eq!(got.status, 200, "{}", got.text());
    let reply = got.json();
    assert_eq!(reply["data"].as_array().unwrap().len(), 2);
    assert_eq!(cost(&reply["usage"]), 2 * EACH_NANOS);
    exchange.finish(2 * EACH_NANOS);
}

#[test]
fn a_missing_count_is_the_most_that_pictures_take_both_ways() {
    let silent = Script {
        usage: UsageFault::Missing,
        ..Script::default()
    };
    let exchange = single(TOKENS, silent);
    let words = [("size", "1024x1024"), ("quality", "high")];
    let got = edit(&exchange, &words, &[("image", png(512, 512))]);
    assert_eq!(got.status, 200, "{}", got.text());
    let usage = got.json()["usage"].clone();
    assert_eq!(usage["output_tokens"], 7_024);
    // All that went in is taken for pictures, which cost more.
    let (seen, read) = (
        usage["input_tokens_details"]["image_tokens"]
            .as_u64()
            .unwrap(),
        usage["input_tokens"].as_u64().unwrap(),
    );
    assert_eq!(seen, read);
    assert_eq!(
        cost(&usage),
        charge(seen, 0, ("8", "0")) + charge(0, 7_024, ("0", "32"))
    );
    exchange.close();
}

#[test]
fn a_hold_covers_every_picture_that_is_given() {
    // 16,384 tokens at most each where no rule is known: some 0.131 dollars.
    for (pictures, status) in [(1, 200), (2, 402)] {
        let exchange = Exchange::start(|setup| {
            setup.usd = "0.2";
            draws(setup, "cheap", TOKENS, Script::default());
        });
        let files: Vec<_> = (0..pictures)
            .map(|_| ("image[]", png(4_096, 4_096)))
            .collect();
        let words = [("size", "1024x1024"), ("quality", "low")];
        let got = edit(&exchange, &words, &files);
        assert_eq!(got.status, status, "{pictures}: {}", got.text());
        exchange.close();
    }
}

#[test]
fn forms_that_are_none_are_refused_with_their_field_and_cost_nothing() {
    let exchange = single(TOKENS, Script::default());
    let many: Vec<_> = (0..17).map(|_| ("image[]", png(1, 1))).collect();
    let mut large_mask = png(1, 1);
    large_mask.resize((4 << 20) + 1, 0);
    /// Words, files, and how the refusal begins.
    type Case = (
        Vec<(&'static str, &'static str)>,
        Vec<(&'static str, Vec<u8>)>,
        &'static str,
    );
    let cases: Vec<Case> = vec![
        (vec![], vec![], "image: "),
        (vec![], vec![("image", Vec::new())], "image: "),
        (
            vec![],
            vec![("image", b"GIF89a\x01\0\x01\0".to_vec())],
            "image: ",
        ),
        (vec![], vec![("image", png(100_000, 10_000))], "image: "),
        (vec![], many, "image: "),
        (
            vec![],
            vec![("image", png(8, 8)), ("mask", png(8, 9))],
            "mask: ",
        ),
        (
            vec![],
            vec![("image", png(8, 8)), ("mask", vec![0xFF, 0xD8, 0xFF, 0xE0])],
            "mask: ",
        ),
        (
            vec![],
            vec![("image", png(1, 1)), ("mask", large_mask)],
            "mask: ",
        ),
        (
            vec![],
            vec![
                ("image", png(8, 8)),
                ("mask", png(8, 8)),
                ("mask", png(8, 8)),
            ],
            "mask: ",
        ),
        (
            vec![("image", "https://x.example/1.png")],
            vec![],
            "image: ",
        ),
        (vec![("n", "11")], vec![("image", png(1, 1))], "n: "),
        (vec![("n", "\"2\"")], vec![("image", png(1, 1))], "n: "),
        (
            vec![("n", "2,\"model\":3")],
            vec![("image", png(1, 1))],
            "n: ",
        ),
        (
            vec![("size", "30000x40000")],
            vec![("image", png(1, 1))],
            "size: ",
        ),
        (
            vec![("input_fidelity", "some")],
            vec![("image", png(1, 1))],
            "input_fidelity: ",
        ),
        (vec![("svg", "{}")], vec![("image", png(1, 1))], "svg: "),
        (
            vec![("provider", "{")],
            vec![("image", png(1, 1))],
            "provider: ",
        ),
        (
            vec![("stream", "true"), ("n", "2")],
            vec![("image", png(1, 1))],
            "n: ",
        ),
    ];
    for (fields, files, part) in cases {
        let message = edit(&exchange, &fields, &files).error_message(400);
        assert!(message.starts_with(part), "{part} {message}");
    }
    let json = post(
        &exchange,
        "/v1/images/edits",
        "application/json",
        b"{\"model\":\"m\"}",
    );
    assert!(json.error_message(400).starts_with("image: "));
    assert_eq!(exchange.upstream().len(), 0);
    exchange.finish(0);
}

#[test]
fn a_picture_is_streamed_with_its_beginnings_and_its_price_in_the_last_event() {
    let exchange = single(TOKENS, Script::default());
    let got = generate(&exchange, &json!({"stream": true, "partial_images": 2}));
    let told = events(&got);
    let kinds: Vec<_> = told
        .iter()
        .map(|event| event["type"].as_str().unwrap())
        .collect();
    let partial = "image_generation.partial_image";
    assert_eq!(kinds, [partial, partial, "image_generation.completed"]);
    assert!(
        told.iter().all(|event| event["b64_json"] == PICTURE),
        "{told:?}"
    );
    assert_eq!(told[1]["partial_image_index"], 1);
    assert_eq!(cost(&told[2]["usage"]), spent(0, 2));
    assert_eq!(
        told[2]["usage"]["output_tokens"],
        PICTURE_TOKENS + 2 * PARTIAL_TOKENS
    );
    let edited = edit(&exchange, &[("stream", "True")], &[("image", png(9, 9))]);
    let told = events(&edited);
    assert_eq!(told.len(), 1);
    assert_eq!(told[0]["type"], "image_edit.completed");
    assert_eq!(cost(&told[0]["usage"]), spent(1, 0));
    exchange.finish(spent(0, 2) + spent(1, 0));
}

#[test]
fn a_streamed_picture_that_breaks_off_ends_with_an_error_and_costs_its_beginnings() {
    let how = script(json!({"cut_after_tokens": 1}));
    let exchange = single(TOKENS, how);
    let got = generate(&exchange, &json!({"stream": true, "partial_images": 3}));
    let told = events(&got);
    assert_eq!(
        told[0]["type"], "image_generation.partial_image",
        "{told:?}"
    );
    let last = told.last().unwrap();
    assert!(last["error"]["message"].is_string(), "{last}");
    assert!(
        told.iter()
            .all(|event| event["type"] != "image_generation.completed")
    );
    let id = got.header("x-generation-id").unwrap().to_owned();
    let record = exchange.get(&format!("/api/v1/generation?id={id}")).json();
    let paid = (record["data"]["total_cost"].as_f64().unwrap() * 1e9).round() as i128;
    // What was shown of it, what was asked, and no picture.
    assert!(paid >= charge(0, PARTIAL_TOKENS, ("0", "32")), "{paid}");
    assert!(paid < spent(0, 1), "{paid}");
    exchange.finish(paid);
}

#[test]
fn beginnings_are_no_pictures_where_those_are_sold_by_the_piece() {
    let how = script(json!({"cut_after_tokens": 1}));
    let exchange = single(EACH, how);
    let got = generate(&exchange, &json!({"stream": true, "partial_images": 3}));
    assert!(events(&got).last().unwrap()["error"].is_object());
    exchange.finish(0);
    let whole = single(EACH, Script::default());
    let got = generate(&whole, &json!({"stream": true}));
    assert_eq!(cost(&events(&got)[0]["usage"]), EACH_NANOS);
    whole.finish(EACH_NANOS);
}

#[test]
fn whoever_leaves_a_streamed_picture_pays_what_it_came_to() {
    let how = script(json!({"token_ms": 200}));
    let exchange = single(TOKENS, how);
    let body = json!({
        "model": DRAW, "prompt": "one two three", "stream": true, "partial_images": 3,
    })
    .to_string();
    let mut conn = exchange.connect();
    let headers = format!(
        "authorization: Bearer {}\r\ncontent-type: application/json\r\n",
        exchange.key
    );
    conn.request("POST", "/v1/images/generations", &headers, body.as_bytes());
    let mut got = conn.head();
    assert!(conn.chunk(&mut got).is_some());
    drop(conn);
    let id = got.header("x-generation-id").unwrap().to_owned();
    let told = eventually("the rest to be read", || {
        let record = exchange.get(&format!("/api/v1/generation?id={id}")).json();
        let told = record["data"].clone();
        told["total_cost"].is_number().then_some(told)
    });
    assert_eq!(told["cancelled"], true, "{told}");
    assert_eq!(told["is_estimated"], false, "{told}");
    exchange.finish(spent(0, 3));
}

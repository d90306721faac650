//! Answers of providers, byte for byte as nobody should send them: each is an
//! answer that is all there, or a failure of the provider's with a status, and
//! never more than that to the client.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};

use bourse_sim::Script;
use serde_json::{Value, json};

use crate::exchange::{CHEAP, DEAR, Exchange, Provider};

/// What any of them may add to the server's memory.
const GROWTH_MAX: u64 = 64 << 20;
/// A whole answer of one word.
const WHOLE: &str = r#"{"id":"x","object":"chat.completion","created":1,"model":"m","choices":[{"index":0,"message":{"role":"assistant","content":"Hi"},"finish_reason":"stop"}],"usage":{"prompt_tokens":3,"completion_tokens":1,"total_tokens":4}}"#;
const JSON: &str = "content-type: application/json\r\n";
const EVENTS: &str = "content-type: text/event-stream\r\n";

/// A chunk of a stream.
fn chunk(rest: &str) -> String {
    format!(
        "data: {{\"id\":\"x\",\"object\":\"chat.completion.chunk\",\"created\":1,\"model\":\"m\",{rest}}}\n\n"
    )
}

fn said(word: &str) -> String {
    chunk(&format!(
        r#""choices":[{{"index":0,"delta":{{"content":"{word}"}},"finish_reason":null}}]"#
    ))
}

fn stopped() -> String {
    chunk(r#""choices":[{"index":0,"delta":{},"finish_reason":"stop"}]"#)
}

fn used(prompt: i64, completion: i64) -> String {
    chunk(&format!(
        r#""choices":[],"usage":{{"prompt_tokens":{prompt},"completion_tokens":{completion},"total_tokens":{}}}"#,
        prompt + completion
    ))
}

const DONE: &str = "data: [DONE]\n\n";

/// Reads one request to its end: whoever closes a connection with bytes unread
/// resets it, and the answer is lost.
fn read_request(stream: &mut TcpStream) {
    let mut request = Vec::new();
    let mut piece = [0; 4_096];
    loop {
        let text = String::from_utf8_lossy(&request).to_ascii_lowercase();
        if let Some(end) = text.find("\r\n\r\n") {
            let length = text.split("content-length: ").nth(1);
            let length = length.and_then(|rest| rest.split("\r\n").next());
            let length: usize = length.and_then(|text| text.parse().ok()).unwrap_or(0);
            if request.len() >= end + 4 + length {
                return;
            }
        }
        match stream.read(&mut piece) {
            Ok(0) | Err(_) => return,
            Ok(bytes) => request.extend_from_slice(&piece[..bytes]),
        }
    }
}

/// A provider that answers every request with the same bytes, and hangs up.
fn answering(bytes: Vec<u8>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(mut stream) = stream else { return };
            let bytes = bytes.clone();
            std::thread::spawn(move || {
                read_request(&mut stream);
                let _ = stream.write_all(&bytes);
            });
        }
    });
    format!("http://{address}/v1")
}

fn asking(bytes: &[u8]) -> Exchange {
    let base_url = answering(bytes.to_vec());
    Exchange::start(|setup| {
        let mut odd = Provider::new("cheap", CHEAP, Script::default());
        odd.base_url = Some(base_url);
        setup
            .provider(odd)
            .provider(Provider::new("dear", DEAR, Script::default()));
    })
}

/// What is expected of an answer to somebody who asks for nobody else.
#[derive(Debug, Clone, Copy)]
enum Expected {
    /// It is told, whole, and paid by these tokens.
    Answer(u64, u64),
    /// It is told, whole, and paid by an estimate.
    Estimate,
    /// It is a failure of this status.
    Failure(u16),
}

fn framed(head: &str, body: &str) -> Vec<u8> {
    let length = body.len();
    format!("HTTP/1.1 200 OK\r\n{head}content-length: {length}\r\n\r\n{body}").into_bytes()
}

/// Whole answers, with what becomes of them.
fn whole_answers() -> Vec<(&'static str, Vec<u8>, Expected)> {
    use Expected::{Answer, Estimate, Failure};
    let fields = format!("x-long: {}\r\n", "h".repeat(1 << 20));
    let many = "x-many: 1\r\n".repeat(4_096);
    let longer = WHOLE.len() + 9;
    let shorter = WHOLE.len() - 9;
    let size = WHOLE.len();
    let lies = |length: usize| {
        format!("HTTP/1.1 200 OK\r\n{JSON}content-length: {length}\r\n\r\n{WHOLE}").into_bytes()
    };
    let negative = WHOLE.replace(":3,", ":-3,").replace(":4}", ":-2}");
    let huge = WHOLE.replace(":3,", ":1e99,");
    let half = [&framed(JSON, WHOLE)[..], b"\xe2\x82"].concat();
    let chunked = format!(
        "HTTP/1.1 200 OK\r\n{JSON}transfer-encoding: chunked\r\n\r\n{size:x}\r\n{WHOLE}\r\n0\r\nx-late: 1\r\ncontent-length: 3\r\n\r\n"
    );
    let hints = "HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n".repeat(3);
    let hinted = [hints.as_bytes(), &framed(JSON, WHOLE)].concat();
    let only_hints = "HTTP/1.1 103 Early Hints\r\n\r\n".repeat(5_000);
    let page = "<!doctype html><title>Sign in</title>";
    vec![
        (
            "a head of 1 MiB",
            framed(&(fields + JSON), WHOLE),
            Failure(502),
        ),
        ("4,096 headers", framed(&(many + JSON), WHOLE), Failure(502)),
        (
            "a status of 0",
            b"HTTP/1.1 000 None\r\ncontent-length: 0\r\n\r\n".to_vec(),
            Failure(502),
        ),
        (
            "no status",
            b"HTTP/1.1 OK\r\ncontent-length: 0\r\n\r\n".to_vec(),
            Failure(502),
        ),
        (
            "a status of 999",
            b"HTTP/1.1 999 Odd\r\ncontent-length: 0\r\n\r\n".to_vec(),
            Failure(502),
        ),
        (
            "a page",
            framed("content-type: text/html\r\n", page),
            Failure(502),
        ),
        (
            "a page that is called JSON",
            framed(JSON, page),
            Failure(502),
        ),
        ("a length that is too long", lies(longer), Failure(502)),
        ("a length that is too short", lies(shorter), Failure(502)),
        ("trailers", chunked.into_bytes(), Answer(3, 1)),
        ("hints before it", hinted, Answer(3, 1)),
        (
            "hints and nothing else",
            only_hints.into_bytes(),
            Failure(502),
        ),
        ("half a sign behind it", half, Answer(3, 1)),
        ("negative usage", framed(JSON, &negative), Estimate),
        ("usage beyond all numbers", framed(JSON, &huge), Estimate),
        (
            "a compression that is none",
            framed(&format!("{JSON}content-encoding: gzip\r\n"), WHOLE),
            Failure(502),
        ),
    ]
}

/// Streams likewise.
fn streams() -> Vec<(&'static str, Vec<u8>, Expected)> {
    use Expected::{Answer, Estimate, Failure};
    let good = [said("Hi"), stopped(), used(3, 1), DONE.to_owned()].concat();
    let stream = |body: &str| format!("HTTP/1.1 200 OK\r\n{EVENTS}\r\n{body}").into_bytes();
    let error = "data: {\"error\":{\"message\":\"no\",\"code\":500}}\n\n";
    let size = good.len();
    let chunked = format!(
        "HTTP/1.1 200 OK\r\n{EVENTS}transfer-encoding: chunked\r\n\r\n{size:x}\r\n{good}\r\n0\r\nx-late: 1\r\n\r\n"
    );
    let lies = format!(
        "HTTP/1.1 200 OK\r\n{EVENTS}content-length: {}\r\n\r\n{good}",
        size + 9
    );
    let cut = format!(
        "HTTP/1.1 200 OK\r\n{EVENTS}content-length: {}\r\n\r\n{good}",
        said("Hi").len() + 9
    );
    let twice = [
        said("Hi"),
        stopped(),
        used(1, 1),
        used(3, 1),
        DONE.to_owned(),
    ]
    .concat();
    let negative = [said("Hi"), stopped(), used(-3, -1), DONE.to_owned()].concat();
    let late = [&good, &said("more"), error].concat();
    let half = [good.as_bytes(), b"data: \xe2\x82"].concat();
    let half = [format!("HTTP/1.1 200 OK\r\n{EVENTS}\r\n").as_bytes(), &half].concat();
    let halved = [said("Hi").as_bytes(), b"data: {\"id\":\"\xf0\x9f\"}"].concat();
    let halved = [
        format!("HTTP/1.1 200 OK\r\n{EVENTS}\r\n").as_bytes(),
        &halved,
    ]
    .concat();
    let hints = "HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n";
    vec![
        ("as it should be", stream(&good), Answer(3, 1)),
        (
            "hints before it",
            [hints.as_bytes(), &stream(&good)].concat(),
            Answer(3, 1),
        ),
        ("trailers", chunked.into_bytes(), Answer(3, 1)),
        // All that was to be said has been said.
        ("a length that is too long", lies.into_bytes(), Answer(3, 1)),
        ("a length that is too short", cut.into_bytes(), Failure(502)),
        (
            "the end twice",
            stream(&[&good, DONE, DONE].concat()),
            Answer(3, 1),
        ),
        ("usage twice", stream(&twice), Answer(3, 1)),
        ("negative usage", stream(&negative), Estimate),
        ("an answer behind the end", stream(&late), Answer(3, 1)),
        ("half a sign behind the end", half, Answer(3, 1)),
        ("half a sign in its middle", halved, Failure(502)),
        (
            "an error and an answer",
            stream(&[error, &good].concat()),
            Failure(502),
        ),
        (
            "a word, an error, and an answer",
            stream(&[&said("Hi"), error, &good].concat()),
            Failure(502),
        ),
    ]
}

/// What a customer pays for so many tokens, in nano-dollars.
fn price(prompt: u64, completion: u64) -> i128 {
    crate::money_math::charge(prompt, completion, CHEAP)
}

/// What is wrong with an answer that was told, if anything is.
fn check(expected: Expected, body: &Value, exchange: &Exchange) -> i128 {
    let id = body["id"].as_str().unwrap().to_owned();
    let generation = exchange.get(&format!("/api/v1/generation?id={id}")).json();
    let data = &generation["data"];
    let tokens = |name: &str| data[name].as_u64().unwrap();
    let (prompt, completion) = (
        tokens("native_tokens_prompt"),
        tokens("native_tokens_completion"),
    );
    match expected {
        Expected::Answer(sent, said) => assert_eq!((prompt, completion), (sent, said), "{data}"),
        // Something was read and something was said, whatever it was called.
        Expected::Estimate => {
            assert!(
                (1..50).contains(&prompt) && (1..50).contains(&completion),
                "{data}"
            );
        }
        Expected::Failure(_) => panic!("{body}"),
    }
    price(prompt, completion)
}

#[test]
fn whole_answers_are_all_there_or_a_failure_of_the_provider() {
    for (what, bytes, expected) in whole_answers() {
        let exchange = asking(&bytes);
        let before = exchange.server.memory();
        let got = exchange.chat(json!({"provider": {"only": ["cheap"]}}));
        let mut paid = 0;
        match expected {
            Expected::Failure(status) => {
                assert_eq!(got.status, status, "{what}: {}", got.text());
                got.error(status);
                // Somebody else answers.
                let order = json!({"order": ["cheap", "dear"]});
                let second = exchange.chat(json!({"provider": order})).answer();
                assert_eq!(second["provider"], "dear", "{what}");
                paid += exchange.worth(DEAR);
            }
            Expected::Answer(..) | Expected::Estimate => {
                assert_eq!(got.status, 200, "{what}: {}", got.text());
                let body = got.answer();
                assert_eq!(body["choices"][0]["message"]["content"], "Hi", "{what}");
                paid += check(expected, &body, &exchange);
            }
        }
        let growth = exchange.server.memory().saturating_sub(before);
        assert!(growth < GROWTH_MAX, "{what}: {growth}");
        exchange.finish(paid);
    }
}

#[test]
fn streams_are_all_there_or_a_failure_of_the_provider() {
    for (what, bytes, expected) in streams() {
        let exchange = asking(&bytes);
        let before = exchange.server.memory();
        let body = json!({"provider": {"only": ["cheap"]}, "usage": {"include": true}});
        let got = exchange.open(&crate::exchange::streamed(body)).receive();
        let mut paid = 0;
        match expected {
            Expected::Failure(status) if got.status != 200 => {
                assert_eq!(got.status, status, "{what}: {}", got.text());
            }
            Expected::Failure(status) => {
                // It had begun: an error event, and nothing after it.
                let stream = got.stream();
                assert_eq!(stream.text(), "Hi", "{what}");
                let last = stream.chunks.last().unwrap();
                assert_eq!(last["error"]["code"], status, "{what}: {last}");
                assert!(!stream.finishes().contains(&"stop"), "{what}");
                let (_, spent) = exchange.balance();
                assert!(spent >= 0, "{what}");
            }
            Expected::Answer(..) | Expected::Estimate => {
                let stream = got.stream();
                stream.complete();
                assert_eq!(stream.text(), "Hi", "{what}");
                assert_eq!(stream.finishes(), ["stop"], "{what}");
                let ends = got.text().matches("[DONE]").count();
                assert_eq!(ends, 1, "{what}");
                paid += check(expected, &stream.chunks[0], &exchange);
            }
        }
        let growth = exchange.server.memory().saturating_sub(before);
        assert!(growth < GROWTH_MAX, "{what}: {growth}");
        let spent = exchange.close();
        if !matches!(expected, Expected::Failure(_)) {
            assert_eq!(spent, paid, "{what}");
        }
    }
}

/// However long a provider says that it wants to be left alone, nobody is told
/// more than five minutes, and one that says nonsense says nothing.
#[test]
fn a_rest_of_any_length_is_bounded_and_nonsense_is_none() {
    for (header, told) in [
        ("retry-after: 1e99", Some(300)),
        ("retry-after: 99999999999999999999", Some(300)),
        ("retry-after: Fri, 31 Dec 9999 23:59:59 GMT", Some(300)),
        ("retry-after: Thu, 01 Jan 1970 00:00:00 GMT", Some(0)),
        ("retry-after: -7", None),
        ("retry-after: NaN", None),
        ("retry-after: inf", None),
        ("retry-after: soon", None),
        ("retry-after-ms: 1e99", Some(300)),
    ] {
        let answer = format!(
            "HTTP/1.1 429 Too Many Requests\r\n{JSON}{header}\r\ncontent-length: 2\r\n\r\n{{}}"
        );
        let exchange = asking(answer.as_bytes());
        let got = exchange.chat(json!({"provider": {"only": ["cheap"]}}));
        got.error(429);
        let wait: Option<u64> = got.header("retry-after").map(|text| text.parse().unwrap());
        match told {
            Some(0) => assert!(wait.is_none_or(|wait| wait <= 1), "{header}: {wait:?}"),
            Some(most) => assert_eq!(wait, Some(most), "{header}"),
            // Our own guess, which is short.
            None => assert!(wait.is_none_or(|wait| wait <= 8), "{header}: {wait:?}"),
        }
        exchange.finish(0);
    }
}

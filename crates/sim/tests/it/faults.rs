//! Each fault does what its name says.

use std::io::Read;
use std::time::{Duration, Instant};

use bourse_sim::{Outcome, RetryAfter, Script, UsageFault};
use serde_json::{Value, json};

use crate::client::{ANTHROPIC, Got, KEY, connect, eventually, idle, post, receive, send, sim};

const CHAT: &str = "/v1/chat/completions";

fn body(stream: bool) -> Value {
    json!({ "model": "m", "stream": stream, "stream_options": { "include_usage": true },
        "messages": [{ "role": "user", "content": "hello there" }] })
}

fn streamed(script: Script) -> Got {
    post(sim(script).addr(), CHAT, KEY, &body(true))
}

fn content_events(got: &Got) -> usize {
    got.events()
        .iter()
        .filter(|e| {
            e["choices"][0]["delta"]["content"]
                .as_str()
                .is_some_and(|t| !t.is_empty())
        })
        .count()
}

#[test]
fn errors_have_each_vendors_shape_and_retry_header() {
    let script = |retry| Script {
        error_status: Some(429),
        retry_after: Some(retry),
        ..Script::default()
    };
    let sim = sim(script(RetryAfter::Seconds(7)));
    let chat = post(sim.addr(), CHAT, KEY, &body(true));
    assert_eq!((chat.status, chat.whole), (429, true));
    assert_eq!(chat.json()["error"]["code"], "rate_limit_exceeded");
    assert!(chat.head.contains("\r\nretry-after: 7\r\n"));
    let claude = post(sim.addr(), "/v1/messages", ANTHROPIC, &body(false));
    assert_eq!(claude.json()["error"]["type"], "rate_limit_error");
    sim.set_script(script(RetryAfter::Ms(1500)));
    let gemini = post(
        sim.addr(),
        "/v1beta/models/g:generateContent",
        KEY,
        &body(false),
    );
    assert_eq!(gemini.json()["error"]["status"], "RESOURCE_EXHAUSTED");
    assert_eq!(gemini.json()["error"]["details"][0]["retryDelay"], "2s");
    assert!(gemini.head.contains("retry-after-ms: 1500\r\n"));
    sim.set_script(script(RetryAfter::HttpDateIn(60)));
    let dated = post(sim.addr(), CHAT, KEY, &body(true));
    assert!(
        dated.head.contains("retry-after: ") && dated.head.contains(" GMT\r\n"),
        "{}",
        dated.head
    );
    idle(&sim);
    assert_eq!(sim.counters().failed, 4);
}

#[test]
fn an_error_rate_is_drawn_by_ordinal_and_repeats() {
    let script = Script {
        error_rate: Some(0.3),
        seed: 5,
        ..Script::default()
    };
    let share = (0..10_000).filter(|ordinal| script.fails(*ordinal)).count();
    assert!((2_800..3_200).contains(&share), "{share}");
    let sim = sim(script.clone());
    for ordinal in 0..30 {
        let status = post(sim.addr(), CHAT, KEY, &body(false)).status;
        assert_eq!(status == 500, script.fails(ordinal), "request {ordinal}");
    }
}

#[test]
fn the_first_requests_fail_and_the_next_succeeds() {
    let sim = sim(Script {
        fail_first: 2,
        error_status: Some(503),
        ..Script::default()
    });
    let statuses: Vec<u16> = (0..3)
        .map(|_| post(sim.addr(), CHAT, KEY, &body(false)).status)
        .collect();
    assert_eq!(statuses, [503, 503, 200]);
}

#[test]
fn an_html_error_is_no_json() {
    let got = streamed(Script {
        html_error: true,
        error_status: Some(502),
        ..Script::default()
    });
    assert_eq!(got.status, 502);
    assert!(got.head.contains("text/html") && got.text().starts_with("<html>"));
}

#[test]
fn a_body_is_cut_at_exactly_the_byte() {
    let whole = streamed(Script::default()).body;
    for cut in [0, 1, 57, whole.len() as u64 - 1, whole.len() as u64] {
        let sim = sim(Script {
            cut_after_bytes: Some(cut),
            ..Script::default()
        });
        let got = post(sim.addr(), CHAT, KEY, &body(true));
        assert!(!got.whole);
        // The simulator's ordinal is 0 in both runs, hence equal bytes.
        assert_eq!(
            got.body,
            &whole[..usize::try_from(cut).unwrap()],
            "cut at {cut}"
        );
        let entry = eventually(|| sim.log().pop().filter(|e| e.ended_us.is_some()));
        assert_eq!((entry.outcome, entry.sent_bytes), (Outcome::Cut, cut));
    }
    let json = post(
        sim(Script {
            cut_after_bytes: Some(40),
            ..Script::default()
        })
        .addr(),
        CHAT,
        KEY,
        &body(false),
    );
    assert_eq!((json.body.len(), json.whole), (40, false));
}

#[test]
fn a_reset_is_an_error_and_not_an_end() {
    let sim = sim(Script {
        cut_after_tokens: Some(2),
        cut_with_reset: true,
        token_ms: 30,
        ..Script::default()
    });
    let mut stream = connect(sim.addr());
    send(
        &mut stream,
        "POST",
        CHAT,
        KEY,
        body(true).to_string().as_bytes(),
    );
    let mut all = Vec::new();
    let error = stream.read_to_end(&mut all).unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset);
}

#[test]
fn a_stream_is_cut_after_so_many_tokens() {
    let got = streamed(Script {
        tokens: Some(9),
        cut_after_tokens: Some(4),
        ..Script::default()
    });
    assert_eq!((content_events(&got), got.whole), (4, false));
}

#[test]
fn a_stall_keeps_the_connection_and_says_nothing_more() {
    let sim = sim(Script {
        tokens: Some(9),
        stall_after_tokens: Some(3),
        ..Script::default()
    });
    let mut stream = connect(sim.addr());
    stream
        .set_read_timeout(Some(Duration::from_millis(150)))
        .unwrap();
    send(
        &mut stream,
        "POST",
        CHAT,
        KEY,
        body(true).to_string().as_bytes(),
    );
    let got = receive(&mut stream);
    assert_eq!((content_events(&got), got.whole), (3, false));
    assert_eq!(sim.log()[0].outcome, Outcome::Open);
    drop(stream);
    eventually(|| (sim.log()[0].outcome == Outcome::ClientGone).then_some(()));
    assert_eq!(sim.log()[0].sent_tokens, 3);
}

#[test]
fn never_answering_sends_no_head() {
    let sim = sim(Script {
        never_answer: true,
        ..Script::default()
    });
    let mut stream = connect(sim.addr());
    stream
        .set_read_timeout(Some(Duration::from_millis(100)))
        .unwrap();
    send(
        &mut stream,
        "POST",
        CHAT,
        KEY,
        body(true).to_string().as_bytes(),
    );
    let error = stream.read(&mut [0; 8]).unwrap_err();
    assert!(matches!(
        error.kind(),
        std::io::ErrorKind::WouldBlock | std::io::ErrorKind::TimedOut
    ));
}

#[test]
fn closing_before_headers_sends_nothing() {
    let got = streamed(Script {
        close_before_headers: true,
        ..Script::default()
    });
    assert_eq!((got.status, got.head.len()), (0, 0));
}

#[test]
fn one_malformed_chunk_comes_where_it_was_asked_for() {
    let got = streamed(Script {
        tokens: Some(5),
        malformed_after_tokens: Some(2),
        ..Script::default()
    });
    let broken: Vec<usize> = got
        .data()
        .iter()
        .enumerate()
        .filter(|(_, data)| *data != "[DONE]" && serde_json::from_str::<Value>(data).is_err())
        .map(|(at, _)| at)
        .collect();
    // The opening chunk and two tokens come first.
    assert_eq!(broken, [3]);
    assert!(got.whole);
    let json = post(
        sim(Script {
            malformed_after_tokens: Some(0),
            ..Script::default()
        })
        .addr(),
        CHAT,
        KEY,
        &body(false),
    );
    assert!(json.whole && serde_json::from_slice::<Value>(&json.body).is_err());
}

#[test]
fn an_error_event_ends_a_stream_in_each_vendors_words() {
    let sim = sim(Script {
        tokens: Some(9),
        error_after_tokens: Some(3),
        ..Script::default()
    });
    let chat = post(sim.addr(), CHAT, KEY, &body(true));
    assert_eq!((chat.status, content_events(&chat)), (200, 3));
    assert_eq!(
        chat.events().last().unwrap()["error"]["type"],
        "server_error"
    );
    assert!(!chat.text().contains("[DONE]"));
    let mut claude = body(true);
    claude["max_tokens"] = json!(50);
    let claude = post(sim.addr(), "/v1/messages", ANTHROPIC, &claude);
    assert!(claude.text().contains("event: error\n"));
    assert_eq!(
        claude.events().last().unwrap()["error"]["type"],
        "overloaded_error"
    );
}

#[test]
fn usage_lies_in_each_way() {
    let usage = |fault| {
        let got = post(
            sim(Script {
                usage: fault,
                ..Script::default()
            })
            .addr(),
            CHAT,
            KEY,
            &body(false),
        );
        got.json()["usage"].clone()
    };
    assert!(usage(UsageFault::Missing).is_null());
    assert_eq!(usage(UsageFault::Zero)["completion_tokens"], 0);
    assert!(
        usage(UsageFault::Negative)["completion_tokens"]
            .as_i64()
            .unwrap()
            < 0
    );
    assert!(usage(UsageFault::Huge)["prompt_tokens"].as_i64().unwrap() > i64::MAX / 2);
    let over = usage(UsageFault::ReasoningOverCompletion);
    assert!(
        over["completion_tokens_details"]["reasoning_tokens"].as_i64()
            > over["completion_tokens"].as_i64()
    );
    let streamed = streamed(Script {
        usage: UsageFault::Missing,
        ..Script::default()
    });
    assert!(streamed.events().iter().all(|e| e["usage"].is_null()));
}

#[test]
fn a_stream_may_end_without_its_mark() {
    let sim = sim(Script {
        no_done: true,
        ..Script::default()
    });
    let chat = post(sim.addr(), CHAT, KEY, &body(true));
    assert!(chat.whole && !chat.text().contains("[DONE]"));
    let mut claude = body(true);
    claude["max_tokens"] = json!(50);
    assert!(
        !post(sim.addr(), "/v1/messages", ANTHROPIC, &claude)
            .text()
            .contains("message_stop")
    );
    let gemini = json!({ "contents": [{ "parts": [{ "text": "x" }] }] });
    let gemini = post(
        sim.addr(),
        "/v1beta/models/g:streamGenerateContent?alt=sse",
        KEY,
        &gemini,
    );
    assert!(!gemini.text().contains("finishReason"));
}

#[test]
fn slices_change_the_pieces_and_not_the_bytes() {
    let whole = streamed(Script {
        tokens: Some(5),
        ..Script::default()
    });
    let sliced = streamed(Script {
        tokens: Some(5),
        slice_bytes: Some(1),
        ..Script::default()
    });
    assert_eq!(whole.body, sliced.body);
    assert!(sliced.chunks.iter().all(|chunk| chunk.len() == 1));
    // Unsliced, every event is its own HTTP chunk.
    assert_eq!(whole.chunks.len(), whole.data().len());
}

#[test]
fn lines_may_end_with_crlf() {
    let got = streamed(Script {
        crlf: true,
        ..Script::default()
    });
    assert_eq!(
        got.text().matches('\n').count(),
        got.text().matches("\r\n").count()
    );
    assert!(got.text().contains("\r\n\r\ndata: "));
}

#[test]
fn half_a_surrogate_is_valid_json_syntax_and_no_valid_text() {
    let got = streamed(Script {
        half_surrogate: true,
        ..Script::default()
    });
    let first = got
        .data()
        .into_iter()
        .find(|data| data.contains("\\ud83e"))
        .unwrap();
    assert!(serde_json::from_str::<Value>(&first).is_err());
    assert!(first.contains("\"content\":\"\\ud83e"));
}

#[test]
fn comments_come_between_events_and_while_waiting() {
    let got = streamed(Script {
        comment_every: Some(2),
        tokens: Some(6),
        ..Script::default()
    });
    assert!(got.text().matches(": keep-alive\n\n").count() >= 4);
    let got = streamed(Script {
        keepalive_ms: Some(20),
        first_token_ms: 150,
        ..Script::default()
    });
    assert!(got.text().starts_with(": keep-alive\n\n"));
    assert_eq!(got.events().last().unwrap()["choices"], json!([]));
}

#[test]
fn headers_may_come_twice_and_a_stream_as_json() {
    let got = streamed(Script {
        duplicate_headers: true,
        ..Script::default()
    });
    assert_eq!(got.head.matches("x-request-id: ").count(), 2);
    assert_eq!(got.head.matches("set-cookie: ").count(), 2);
    let got = streamed(Script {
        ignore_stream: true,
        ..Script::default()
    });
    assert_eq!(got.json()["object"], "chat.completion");
}

#[test]
fn waits_are_kept() {
    let sim = sim(Script {
        latency_ms: 60,
        first_token_ms: 40,
        token_ms: 20,
        tokens: Some(6),
        ..Script::default()
    });
    let start = Instant::now();
    post(sim.addr(), CHAT, KEY, &body(true));
    assert!(start.elapsed() >= Duration::from_millis(60 + 40 + 5 * 20));
    let entry = sim.log().remove(0);
    assert!(entry.head_sent_us.unwrap() >= 60_000);
}

#[test]
fn an_oversize_stream_goes_on_past_the_limit() {
    let sim = sim(Script {
        oversize: true,
        ..Script::default()
    });
    let mut limited = body(true);
    limited["max_tokens"] = json!(5);
    let mut stream = connect(sim.addr());
    send(
        &mut stream,
        "POST",
        CHAT,
        KEY,
        limited.to_string().as_bytes(),
    );
    let mut read = vec![0; 2_000_000];
    stream.read_exact(&mut read).unwrap();
    drop(stream);
    let entry = eventually(|| sim.log().pop().filter(|e| e.ended_us.is_some()));
    assert_eq!(entry.outcome, Outcome::ClientGone);
    assert!(entry.sent_tokens > 1_000);
}

//! Clients and providers that send nonsense: each is told what is wrong,
//! nobody else notices, and memory stays bounded.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::time::{Duration, Instant};

use bourse_sim::{Outcome, Script};
use serde_json::{Value, json};

use crate::client::Got;
use crate::exchange::{
    CHEAP, DEAR, Exchange, Provider, ask, eventually, script, streamed, succeed,
};

/// What a stream of any length may add to the server's memory.
const GROWTH_MAX: u64 = 64 << 20;
/// How much of such a stream is read at least: if it were kept, it would show.
const READ_MIN: u64 = GROWTH_MAX + (32 << 20);
/// The same for a whole reply, which is bounded at 64 MiB: gathering it
/// takes half as much again while the buffer grows for the last time, and the
/// allocator keeps for a second what it was before, which is as much again.
const WHOLE_REPLY_GROWTH_MAX: u64 = 192 << 20;

fn small_bodies() -> Exchange {
    Exchange::start(|setup| {
        setup.server_toml = "body_bytes_max = 100000".to_owned();
        setup.provider(Provider::new("cheap", CHEAP, Script::default()));
    })
}

/// Sends a head of one's own making, and pieces of a body.
fn by_hand(exchange: &Exchange, headers: &str, body: &[u8]) -> Got {
    let mut conn = exchange.connect();
    let head = format!(
        "POST /api/v1/chat/completions HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {}\r\n{headers}\r\n",
        exchange.key
    );
    conn.send(head.as_bytes());
    conn.send(body);
    conn.receive()
}

#[test]
fn a_body_over_the_limit_is_refused_before_it_is_read() {
    let exchange = small_bodies();
    let got = by_hand(&exchange, "content-length: 100001\r\n", b"");
    let error = got.error(413);
    assert_eq!(error["metadata"]["error_type"], "payload_too_large");
    assert!(error["message"].as_str().unwrap().contains("100000"));
    exchange.finish(0);
}

#[test]
fn a_chunked_body_over_the_limit_is_refused_as_it_comes() {
    let exchange = small_bodies();
    let mut body = Vec::new();
    let piece = vec![b' '; 10_000];
    for _ in 0..11 {
        body.extend_from_slice(format!("{:x}\r\n", piece.len()).as_bytes());
        body.extend_from_slice(&piece);
        body.extend_from_slice(b"\r\n");
    }
    let got = by_hand(&exchange, "transfer-encoding: chunked\r\n", &body);
    got.error(413);
    // One that fits is read in whatever pieces it comes.
    let mut body = Vec::new();
    for byte in ask(json!({})).to_string().as_bytes().chunks(3) {
        body.extend_from_slice(format!("{:x}\r\n", byte.len()).as_bytes());
        body.extend_from_slice(byte);
        body.extend_from_slice(b"\r\n");
    }
    body.extend_from_slice(b"0\r\n\r\n");
    by_hand(&exchange, "transfer-encoding: chunked\r\n", &body).answer();
    let paid = exchange.worth(CHEAP);
    exchange.finish(paid);
}

#[test]
fn what_is_not_a_request_is_refused_with_a_reason() {
    let exchange = Exchange::single(Script::default());
    let deep = [vec![b'['; 100_000], vec![b']'; 100_000]].concat();
    let deep = [&b"{\"messages\":"[..], &deep, b"}"].concat();
    let mut many = String::from("{");
    for at in 0..1_000_000 {
        many.push_str(&format!("\"a{at}\":1,"));
    }
    many.push_str("\"model\":\"x\"}");
    let plain = ask(json!({})).to_string();
    let twice = plain.replacen('{', "{\"model\":\"acme/other\",", 1);
    let escaped = plain.replacen("\"model\"", "\"mod\\u0065l\"", 1);
    let mut bytes = plain.clone().into_bytes();
    let hello = plain.find("Hello").unwrap();
    bytes[hello] = 0xff;
    for (body, said) in [
        (&b""[..], "empty"),
        (b" \n", "empty"),
        (b"hello", "object"),
        (b"[]", "object"),
        (b"null", "object"),
        (b"7", "object"),
        (b"{", "too early"),
        (&plain.as_bytes()[..plain.len() - 1], "too early"),
        (&plain.as_bytes()[..hello], "too early"),
        (b"{}{}", "behind the end"),
        (&deep, "nested deeper"),
        (many.as_bytes(), "members"),
        (twice.as_bytes(), "\"model\" appears twice"),
        (escaped.as_bytes(), "without escapes"),
        (&bytes, "UTF-8"),
        (b"{\"model\":\"acme/chat\",\"messages\":[}", "unexpected"),
        (b"{\"model\":nul}", "literal"),
    ] {
        let shown = String::from_utf8_lossy(&body[..body.len().min(60)]).into_owned();
        let got = exchange.raw(body);
        let message = got.error_message(400);
        let said_it = message.contains(said) || (said == "literal" && message.contains("null"));
        assert!(said_it, "{shown}: {message}");
    }
    exchange.chat(json!({})).answer();
    assert_eq!(exchange.attempts(), ["cheap"]);
    let paid = exchange.worth(CHEAP);
    exchange.finish(paid);
}

#[test]
fn a_wrong_parameter_is_named() {
    let exchange = Exchange::single(Script::default());
    for (field, value) in [
        ("model", json!(7)),
        ("model", json!("")),
        ("models", json!("acme/chat")),
        ("models", json!([1])),
        ("models", json!(vec!["acme/chat"; 10_000])),
        ("messages", json!("hi")),
        ("messages", json!([])),
        ("messages", json!({})),
        ("stream", json!("true")),
        ("stream", json!(1)),
        ("max_tokens", json!("7")),
        ("max_tokens", json!(-1)),
        ("max_tokens", json!(1.5)),
        ("max_completion_tokens", json!(0)),
        ("temperature", json!("hot")),
        ("temperature", json!(2.5)),
        ("top_p", json!(-0.1)),
        ("top_k", json!(-1)),
        ("frequency_penalty", json!(3)),
        ("presence_penalty", json!([])),
        ("repetition_penalty", json!(9)),
        ("min_p", json!(2)),
        ("seed", json!("x")),
        ("n", json!(0)),
        ("n", json!(1000)),
        ("stop", json!(7)),
        ("stop", json!(["a", "b", "c", "d", "e"])),
        ("logit_bias", json!([])),
        ("logprobs", json!("yes")),
        ("top_logprobs", json!(50)),
        ("tools", json!({})),
        ("tool_choice", json!(7)),
        ("response_format", json!("json")),
        ("reasoning", json!("high")),
        ("provider", json!("openai")),
        ("provider", json!({"sort": "beauty"})),
        ("provider", json!({"ordr": []})),
        ("stream_options", json!(true)),
        ("modalities", json!(["smell"])),
        ("plugins", json!([{"id": "web", "engine": "exa"}])),
        ("plugins", json!([{"id": "file-parser", "enabled": true}])),
        ("plugins", json!({"id": "web"})),
        ("transforms", json!(["upside-down"])),
        ("metadata", json!({"a": 1})),
    ] {
        let got = exchange.chat(json!({ field: value }));
        let message = got.error_message(400);
        assert!(message.contains(field), "{field} {value}: {message}");
    }
    assert_eq!(exchange.attempts().len(), 0);
    exchange.finish(0);
}

#[test]
fn an_unknown_model_is_refused_in_the_words_that_clients_know() {
    let exchange = Exchange::single(Script::default());
    let error = exchange.chat(json!({"model": "acme/fake-1.0"})).error(400);
    assert_eq!(error["message"], "acme/fake-1.0 is not a valid model ID");
    assert_eq!(error["availability"]["code"], "model_not_found");
    let listed = json!({"models": ["acme/fake-1.0"]});
    exchange.chat(listed).error(400);
    // In the catalog, but with nobody configured who serves it.
    let message = exchange
        .chat(json!({"model": "openai/gpt-4o-mini"}))
        .error_message(404);
    assert!(message.contains("No endpoints found"), "{message}");
    exchange.finish(0);
}

#[test]
fn what_is_too_large_for_every_endpoint_says_how_much_would_fit() {
    let exchange = Exchange::single(Script::default());
    let long = "word ".repeat(8_192 * 16);
    let body = json!({"messages": [{"role": "user", "content": long}]});
    let error = exchange.chat(body).error(400);
    assert_eq!(error["metadata"]["error_type"], "context_length_exceeded");
    let message = error["message"].as_str().unwrap();
    assert!(
        message.contains("maximum context length is 8192 tokens"),
        "{message}"
    );
    let error = exchange.chat(json!({"max_tokens": 1001})).error(400);
    assert_eq!(error["metadata"]["error_type"], "max_tokens_exceeded");
    let message = error["message"].as_str().unwrap();
    assert!(message.contains("at most 1000"), "{message}");
    assert_eq!(exchange.attempts().len(), 0);
    exchange.finish(0);
}

#[test]
fn only_a_good_inference_key_opens() {
    let exchange = Exchange::single(Script::default());
    let body = ask(json!({})).to_string();
    let with = |headers: &str| {
        let mut conn = exchange.connect();
        conn.request("POST", "/api/v1/chat/completions", headers, body.as_bytes());
        conn.receive()
    };
    let key = &exchange.key;
    let last = key.chars().last().unwrap();
    let other = if last == 'a' { 'b' } else { 'a' };
    let bad_sum = format!("{}{other}", &key[..key.len() - 1]);
    // A good key, but of another installation.
    let dir = tempfile::tempdir().unwrap();
    let elsewhere = dir.path().join("bourse.toml");
    std::fs::write(
        &elsewhere,
        format!("[server]\ndata_dir = {:?}\n", dir.path().join("data")),
    )
    .unwrap();
    succeed(
        crate::exchange::bourse()
            .args(["init", "--config"])
            .arg(&elsewhere),
    );
    let foreign = succeed(
        crate::exchange::bourse()
            .args(["key", "create", "--quiet", "--config"])
            .arg(&elsewhere),
    );
    let management = exchange.command(&["key", "create", "--quiet", "--management"]);

    for headers in [
        String::new(),
        "authorization: Bearer \r\n".to_owned(),
        format!("authorization: Basic {key}\r\n"),
        format!("authorization: {key}\r\n"),
        format!("authorization: Bearer {bad_sum}\r\n"),
        format!("authorization: Bearer {key}x\r\n"),
        "authorization: Bearer sk-or-v1-0123456789\r\n".to_owned(),
        format!("authorization: Bearer {}\r\n", "k".repeat(10_000)),
        "x-api-key: nothing\r\n".to_owned(),
    ] {
        let error = with(&headers).error(401);
        assert_eq!(error["metadata"]["error_type"], "authentication");
    }
    let unknown = format!("authorization: Bearer {}\r\n", foreign.trim());
    assert_eq!(with(&unknown).error_message(401), "User not found.");
    let error = with(&format!("authorization: Bearer {}\r\n", management.trim())).error(403);
    assert_eq!(error["metadata"]["error_type"], "permission_denied");
    assert_eq!(exchange.attempts().len(), 0);

    with(&format!("x-api-key: {key}\r\n")).answer();
    with(&format!("authorization: bearer {key}\r\n")).answer();
    exchange.close();
}

#[test]
fn a_compressed_body_is_refused() {
    let exchange = Exchange::single(Script::default());
    let got = by_hand(
        &exchange,
        "content-encoding: gzip\r\ncontent-length: 4\r\n",
        b"\x1f\x8b\x08\x00",
    );
    let message = got.error_message(400);
    assert!(message.contains("Content-Encoding"), "{message}");
    exchange.finish(0);
}

#[test]
fn heads_that_are_too_large_or_not_http_are_refused() {
    let exchange = Exchange::single(Script::default());
    let huge = format!("x-huge: {}\r\ncontent-length: 2\r\n", "h".repeat(2 << 20));
    assert_eq!(by_hand(&exchange, &huge, b"{}").status, 431);
    let many = "x-many: 1\r\n".repeat(200);
    let many = format!("{many}content-length: 2\r\n");
    assert_eq!(by_hand(&exchange, &many, b"{}").status, 431);
    for nonsense in [
        "\x16\x03\x01\x02\x00\x01\x00\x01\u{7f}\r\n\r\n",
        "GET\r\n\r\n",
        "POST /api/v1/chat/completions HTTP/9.9\r\n\r\n",
    ] {
        let mut conn = exchange.connect();
        conn.send(nonsense.as_bytes());
        let status = conn.receive().status;
        assert!(status == 400 || status == 0, "{nonsense:?}: {status}");
    }
    // Two lengths are how requests are smuggled.
    let two = "content-length: 2\r\ncontent-length: 3\r\n";
    assert_eq!(by_hand(&exchange, two, b"{}").status, 400);
    let both = "content-length: 2\r\ntransfer-encoding: chunked\r\n";
    let status = by_hand(&exchange, both, b"0\r\n\r\n").status;
    assert_eq!(status, 400);
    exchange.finish(0);
}

#[test]
fn unknown_paths_and_methods_are_not_found() {
    let exchange = Exchange::single(Script::default());
    for (method, path) in [
        ("GET", "/api/v1/chat/completions"),
        ("PUT", "/v1/chat/completions"),
        ("POST", "/api/v1/nothing"),
        ("GET", "/api/v2/models"),
        ("POST", "/api/v1/chat/completions/"),
        ("POST", "/api/api/v1/chat/completions"),
        ("POST", "/API/v1/chat/completions"),
        ("GET", "/../../etc/passwd"),
    ] {
        let mut conn = exchange.connect();
        let headers = format!("authorization: Bearer {}\r\n", exchange.key);
        conn.request(method, path, &headers, b"{}");
        let status = conn.receive().status;
        assert!(status == 404 || status == 405, "{method} {path}: {status}");
    }
    exchange.finish(0);
}

#[test]
fn a_head_that_never_ends_is_cut_off() {
    let exchange = Exchange::start(|setup| {
        setup.server_toml = "head_timeout_ms = 1000".to_owned();
        setup.provider(Provider::new("cheap", CHEAP, Script::default()));
    });
    let began = Instant::now();
    let mut slow = exchange.connect();
    slow.send(b"POST /api/v1/chat/completions HTTP/1.1\r\nhost: localhost\r\nx-slow: ");
    // Others are served meanwhile.
    exchange.chat(json!({})).answer();
    slow.stream
        .set_read_timeout(Some(Duration::from_millis(100)))
        .unwrap();
    loop {
        // One byte now and then must not buy more time.
        slow.send(b"a");
        let mut piece = [0; 512];
        match slow.stream.read(&mut piece) {
            Ok(_) => break,
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {}
            Err(_) => break,
        }
        assert!(began.elapsed() < Duration::from_secs(8), "still open");
    }
    let took = began.elapsed();
    assert!(took >= Duration::from_millis(800), "{took:?}");
    let paid = exchange.worth(CHEAP);
    exchange.finish(paid);
}

#[test]
fn a_body_that_never_ends_is_a_timeout() {
    let exchange = Exchange::start(|setup| {
        setup.server_toml = "body_timeout_ms = 500".to_owned();
        setup.provider(Provider::new("cheap", CHEAP, Script::default()));
    });
    let began = Instant::now();
    let got = by_hand(&exchange, "content-length: 1000\r\n", b"{\"model\":");
    let error = got.error(408);
    assert!(error["message"].as_str().unwrap().contains("body"));
    let took = began.elapsed();
    assert!(took >= Duration::from_millis(400), "{took:?}");
    assert!(exchange.upstream().is_empty());
    exchange.finish(0);
}

#[test]
fn a_client_that_reads_nothing_has_left() {
    let exchange = Exchange::start(|setup| {
        setup.server_toml = "write_timeout_ms = 1000".to_owned();
        setup.models.insert(
            "acme/chat",
            "context_length = 100000000\nmax_output = 100000000",
        );
        let endless = script(json!({"oversize": true}));
        setup.provider(Provider::new("cheap", CHEAP, endless));
    });
    let mut conn = exchange.open(&streamed(json!({})));
    let mut got = conn.head();
    conn.chunk(&mut got).unwrap();
    // Still connected, and silent: the provider must not work for nobody.
    eventually("the provider to be left", || {
        (exchange.sim.counters().in_flight == 0).then_some(())
    });
    let log = exchange.upstream();
    assert_eq!(log.len(), 1);
    assert_eq!(log[0].outcome, Outcome::ClientGone);
    let spent = exchange.close();
    assert!(spent > 0);
    drop(conn);
}

#[test]
fn a_pipelined_and_a_kept_connection_answer_every_request() {
    let exchange = Exchange::single(Script::default());
    let mut conn = exchange.connect();
    let headers = format!("authorization: Bearer {}\r\n", exchange.key);
    let body = ask(json!({})).to_string();
    for _ in 0..3 {
        conn.request("POST", "/v1/chat/completions", &headers, body.as_bytes());
    }
    for _ in 0..3 {
        conn.receive().answer();
    }
    conn.request("POST", "/v1/chat/completions", &headers, b"{}");
    conn.receive().error(400);
    let stream = streamed(json!({})).to_string();
    conn.request("POST", "/v1/chat/completions", &headers, stream.as_bytes());
    conn.receive().stream().complete();
    conn.request("POST", "/v1/chat/completions", &headers, body.as_bytes());
    conn.receive().answer();
    drop(conn);
    exchange.close();
}

#[test]
fn an_endless_stream_takes_no_memory_and_disturbs_nobody() {
    let exchange = Exchange::start(|setup| {
        setup.workers = 1;
        setup.usd = "1000";
        setup.models.insert(
            "acme/chat",
            "context_length = 100000000\nmax_output = 100000000",
        );
        setup
            .provider(Provider::new(
                "cheap",
                CHEAP,
                script(json!({"oversize": true})),
            ))
            .provider(Provider::new("dear", DEAR, Script::default()));
    });
    exchange
        .chat(json!({"max_tokens": 10, "provider": {"only": ["dear"]}}))
        .answer();
    let before = exchange.server.memory();
    // One reads as fast as it can, one does not read at all.
    let idle = exchange.open(&streamed(json!({"provider": {"only": ["cheap"]}})));
    let mut busy = exchange.open(&streamed(json!({"provider": {"only": ["cheap"]}})));
    let mut got = busy.head();
    let mut read = 0;
    let mut served = 0;
    let mut most = 0;
    while read < READ_MIN {
        read += busy.chunk(&mut got).unwrap().len() as u64;
        got.body.clear();
        if served < 10 {
            exchange
                .chat(json!({"max_tokens": 10, "provider": {"only": ["dear"]}}))
                .answer();
            served += 1;
        }
        most = most.max(exchange.server.memory());
    }
    assert_eq!(served, 10);
    let growth = most.saturating_sub(before);
    println!("memory grew by {} KiB", growth >> 10);
    assert!(growth < GROWTH_MAX, "{growth}");
    drop((idle, busy));
    let spent = exchange.close();
    assert!(spent > 0);
}

/// A provider that answers every request with these bytes, and then with
/// `endless` for as long as it is read.
fn raw_provider(head: &'static str, endless: &'static [u8]) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(mut stream) = stream else { return };
            std::thread::spawn(move || {
                let mut request = [0; 64 * 1024];
                let _ = stream.read(&mut request);
                let _ = stream.write_all(head.as_bytes());
                if endless.is_empty() {
                    return;
                }
                // A gigabyte stands for eternity.
                let mut sent = 0_u64;
                while sent < 1 << 30 {
                    if stream.write_all(endless).is_err() {
                        return;
                    }
                    sent += endless.len() as u64;
                }
            });
        }
    });
    format!("http://{address}/v1")
}

#[test]
fn providers_that_speak_no_sense_are_survived() {
    static SPACES: [u8; 65536] = [b' '; 65536];
    static DATA: [u8; 65536] = [b'x'; 65536];
    let sse = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n";
    let json_head = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n\r\n";
    for (head, endless, growth_max) in [
        ("", &b""[..], GROWTH_MAX),
        ("SSH-2.0-OpenSSH_9.6\r\n", b"", GROWTH_MAX),
        (
            "HTTP/1.1 200 OK\r\ncontent-length: -1\r\n\r\n",
            b"",
            GROWTH_MAX,
        ),
        (
            "HTTP/1.1 999 Odd\r\ncontent-length: 0\r\n\r\n",
            b"",
            GROWTH_MAX,
        ),
        (
            "HTTP/1.1 200 OK\r\ncontent-length: 2\r\ncontent-length: 3\r\n\r\n{}",
            b"",
            GROWTH_MAX,
        ),
        (
            "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n",
            b"",
            GROWTH_MAX,
        ),
        (
            "HTTP/1.1 301 Moved\r\nlocation: http://127.0.0.1:1/\r\ncontent-length: 0\r\n\r\n",
            b"",
            GROWTH_MAX,
        ),
        ("HTTP/1.1 204 No Content\r\n\r\n", b"", GROWTH_MAX),
        (
            "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n",
            b"",
            GROWTH_MAX,
        ),
        // A head that never ends; an event that never ends; a reply that
        // never ends (bounded at 64 MiB, of which growing makes two copies);
        // an error that never ends.
        ("HTTP/1.1 200 OK\r\nx-endless: ", &DATA, GROWTH_MAX),
        (sse, &DATA, GROWTH_MAX),
        (json_head, &SPACES, WHOLE_REPLY_GROWTH_MAX),
        (
            "HTTP/1.1 500 Oops\r\ncontent-type: text/plain\r\n\r\n",
            &DATA,
            GROWTH_MAX,
        ),
    ] {
        let base_url = raw_provider(head, endless);
        let exchange = Exchange::start(|setup| {
            let mut odd = Provider::new("cheap", CHEAP, Script::default());
            odd.base_url = Some(base_url);
            setup
                .provider(odd)
                .provider(Provider::new("dear", DEAR, Script::default()));
        });
        exchange
            .chat(json!({"provider": {"only": ["dear"]}}))
            .answer();
        let mut paid = exchange.worth(DEAR);
        let before = exchange.server.memory();
        for body in [ask(json!({})), streamed(json!({}))] {
            let mut body: Value = body;
            body["provider"] = json!({"order": ["cheap", "dear"]});
            let got = exchange.open(&body).receive();
            assert_eq!(got.status, 200, "{head:?}: {}", got.text());
            paid += exchange.worth(DEAR);
            body["provider"] = json!({"only": ["cheap"]});
            let got = exchange.open(&body).receive();
            assert_eq!(got.status, 502, "{head:?}: {}", got.text());
            got.error(502);
        }
        let growth = exchange.server.memory().saturating_sub(before);
        assert!(growth < growth_max, "{head:?}: {growth}");
        exchange.finish(paid);
    }
}

#[test]
fn a_thousand_broken_connections_leave_no_trace() {
    let exchange = Exchange::single(Script::default());
    for _ in 0..1000 {
        let mut conn = exchange.connect();
        conn.send(b"POST /api/v1/chat/compl");
    }
    exchange.chat(json!({})).answer();
    let id = exchange.server.child.id();
    eventually("the server to close them", || {
        let open = std::fs::read_dir(format!("/proc/{id}/fd")).unwrap().count();
        (open < 200).then_some(())
    });
    let paid = exchange.worth(CHEAP);
    exchange.finish(paid);
}

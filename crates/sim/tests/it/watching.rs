//! Log, counters, control paths, fast mode.

use std::time::Duration;

use bourse_sim::{FAST_REPLY_TOKENS, Outcome, Script, ScriptSet, Sim};
use serde_json::{Value, json};

use crate::client::{KEY, connect, eventually, get, idle, post, receive, send, sim};

const CHAT: &str = "/v1/chat/completions";

fn body(stream: bool) -> Value {
    json!({ "model": "m", "messages": [{ "role": "user", "content": "say \"stream\":true" }], "stream": stream })
}

#[test]
fn the_log_shows_the_request_and_not_the_key() {
    let sim = sim(Script::default());
    post(
        sim.addr(),
        "/p/acme/v1/chat/completions?key=secretsecret99",
        KEY,
        &body(false),
    );
    idle(&sim);
    let entry = sim.log().remove(0);
    assert_eq!(entry.provider.as_deref(), Some("acme"));
    assert_eq!(entry.model.as_deref(), Some("m"));
    assert_eq!(entry.status, 200);
    assert_eq!(entry.outcome, Outcome::Complete);
    assert_eq!(entry.body.unwrap(), body(false).to_string());
    assert_eq!(entry.truth.unwrap().completion_tokens, entry.sent_tokens);
    let (_, key) = entry
        .headers
        .iter()
        .find(|(name, _)| name == "authorization")
        .unwrap();
    assert!(key.starts_with("blake3:") && key.ends_with("1234") && !key.contains("secret"));
    assert!(!entry.path.contains("secretsecret99"));
}

#[test]
fn the_log_is_bounded_and_keeps_the_newest() {
    let sim = Sim::builder()
        .log_entries_max(3)
        .spawn_thread("127.0.0.1:0".parse().unwrap())
        .unwrap();
    for _ in 0..5 {
        post(sim.addr(), CHAT, KEY, &body(false));
    }
    let ordinals: Vec<u64> = sim.log().iter().map(|entry| entry.ordinal).collect();
    assert_eq!(ordinals, [2, 3, 4]);
    assert_eq!(sim.counters().requests, 5);
}

#[test]
fn a_departure_is_noticed_while_waiting_for_the_next_token() {
    let sim = sim(Script {
        token_ms: 5_000,
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
    eventually(|| sim.log().first().and_then(|entry| entry.head_sent_us));
    std::thread::sleep(Duration::from_millis(50));
    let left = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .unwrap();
    drop(stream);
    let entry = eventually(|| sim.log().pop().filter(|entry| entry.ended_us.is_some()));
    assert_eq!(entry.outcome, Outcome::ClientGone);
    let noticed = entry.started_unix_us + entry.ended_us.unwrap();
    let late_us = i128::from(noticed) - i128::try_from(left.as_micros()).unwrap();
    assert!(
        (-5_000..1_000_000).contains(&late_us),
        "noticed after {late_us} us"
    );
    idle(&sim);
    assert_eq!(sim.counters().client_gone, 1);
    assert_eq!(sim.counters().in_flight, 0);
}

#[test]
fn one_process_plays_many_providers() {
    let set = ScriptSet::from_toml(
        "[default]\ntokens = 1\n[providers.slow]\ntokens = 2\n[models.big]\ntokens = 3\n",
    )
    .unwrap();
    let sim = Sim::builder()
        .scripts(set)
        .spawn_thread("127.0.0.1:0".parse().unwrap())
        .unwrap();
    let tokens = |path: &str, headers: &str, model: &str| {
        let mut body = body(false);
        body["model"] = json!(model);
        post(sim.addr(), path, headers, &body).json()["usage"]["completion_tokens"]
            .as_u64()
            .unwrap()
    };
    assert_eq!(tokens(CHAT, "", "m"), 1);
    assert_eq!(tokens("/p/slow/v1/chat/completions", "", "big"), 2);
    assert_eq!(tokens(CHAT, "", "big"), 3);
    assert_eq!(tokens(CHAT, "x-sim-script: {\"tokens\": 4}\r\n", "big"), 4);
    assert_eq!(
        post(
            sim.addr(),
            CHAT,
            "x-sim-script: {\"tokenz\": 4}\r\n",
            &body(false)
        )
        .status,
        400
    );
}

#[test]
fn unknown_script_keys_are_refused() {
    assert!(
        ScriptSet::from_toml("[default]\nlatency = 3\n")
            .unwrap_err()
            .to_string()
            .contains("latency")
    );
    assert!(ScriptSet::from_json(b"{\"default\":{\"usage\":\"odd\"}}").is_err());
    let round = serde_json::to_vec(&ScriptSet::default()).unwrap();
    assert_eq!(ScriptSet::from_json(&round).unwrap(), ScriptSet::default());
}

#[test]
fn control_paths_read_reset_and_script() {
    let sim = sim(Script::default());
    post(sim.addr(), CHAT, KEY, &body(false));
    assert_eq!(get(sim.addr(), "/__sim/counters").json()["requests"], 1);
    assert_eq!(
        get(sim.addr(), "/__sim/log").json()["requests"][0]["model"],
        "m"
    );
    assert_eq!(post(sim.addr(), "/__sim/reset", "", &json!({})).status, 200);
    assert_eq!(get(sim.addr(), "/__sim/log").json()["requests"], json!([]));
    let script = json!({ "error_status": 418 });
    assert_eq!(
        post(sim.addr(), "/__sim/script?provider=tea", "", &script).status,
        200
    );
    assert_eq!(
        post(sim.addr(), "/p/tea/v1/chat/completions", KEY, &body(false)).status,
        418
    );
    assert_eq!(post(sim.addr(), CHAT, KEY, &body(false)).status, 200);
    assert_eq!(
        post(sim.addr(), "/__sim/script", "", &json!({ "nope": 1 })).status,
        400
    );
}

#[test]
fn a_connection_serves_many_requests_and_chunked_ones() {
    let sim = sim(Script::default());
    let mut stream = connect(sim.addr());
    for _ in 0..3 {
        send(
            &mut stream,
            "POST",
            CHAT,
            KEY,
            body(true).to_string().as_bytes(),
        );
        assert!(receive(&mut stream).whole);
    }
    let text = body(false).to_string();
    let (a, b) = text.split_at(10);
    let chunked = format!(
        "POST {CHAT} HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n{:x}\r\n{a}\r\n{:x}\r\n{b}\r\n0\r\n\r\n",
        a.len(),
        b.len()
    );
    std::io::Write::write_all(&mut stream, chunked.as_bytes()).unwrap();
    assert_eq!(receive(&mut stream).json()["object"], "chat.completion");
    assert_eq!(sim.counters().connections, 1);
}

#[test]
fn fast_mode_answers_from_prepared_bytes() {
    let sim = sim(Script {
        fast_chunks: 7,
        ..Script::default()
    });
    let reply = post(sim.addr(), "/fast/v1/chat/completions", KEY, &body(false));
    assert!(
        (1_200..1_600).contains(&reply.body.len()),
        "{}",
        reply.body.len()
    );
    assert_eq!(
        reply.json()["usage"]["completion_tokens"],
        FAST_REPLY_TOKENS
    );
    let stream = post(sim.addr(), "/fast/v1/chat/completions", KEY, &body(true));
    assert!(stream.whole);
    // Opening, seven words, finish, usage, done.
    assert_eq!(stream.chunks.len(), 11);
    assert_eq!(stream.chunks[3].len(), 290);
    assert_eq!(
        stream.events().last().unwrap()["usage"]["completion_tokens"],
        7
    );
    let claude = post(sim.addr(), "/fast/v1/messages", KEY, &body(true));
    assert_eq!(claude.events().last().unwrap()["type"], "message_stop");
    let gemini = post(
        sim.addr(),
        "/fast/v1beta/models/g:streamGenerateContent?alt=sse",
        KEY,
        &body(true),
    );
    assert_eq!(gemini.events().len(), 8);
    assert_eq!((sim.counters().fast_requests, sim.log().len()), (4, 0));
}

#[test]
fn a_fast_provider_is_paced_and_coalesced() {
    let script = Script {
        fast: true,
        fast_chunks: 20,
        fast_interval_us: 5_000,
        fast_coalesce: 5,
        ..Script::default()
    };
    let sim = Sim::builder()
        .provider("quick", script)
        .spawn_thread("127.0.0.1:0".parse().unwrap())
        .unwrap();
    let start = std::time::Instant::now();
    let got = post(sim.addr(), "/p/quick/v1/chat/completions", KEY, &body(true));
    // The last write of five leaves when its first chunk is due.
    assert!(start.elapsed() >= Duration::from_millis(75));
    assert_eq!(got.chunks.len(), 24);
    assert_eq!(
        post(sim.addr(), CHAT, KEY, &body(false)).json()["object"],
        "chat.completion"
    );
    assert_eq!(sim.log().len(), 1);
}

#[test]
fn stopping_lets_an_answer_finish() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let sim = sim(Script {
        token_ms: 20,
        tokens: Some(10),
        ..Script::default()
    });
    let addr = sim.addr();
    let client = std::thread::spawn(move || post(addr, CHAT, KEY, &body(true)));
    eventually(|| sim.log().first().and_then(|entry| entry.head_sent_us));
    runtime.block_on(sim.stop());
    assert!(client.join().unwrap().whole);
    assert!(std::net::TcpStream::connect(addr).is_err());
}
